//! Parameters that AWS publishes for everybody under `/aws/service/`: those that deployments look up.
//!
//! Their names are AWS's. Names and countries of regions are facts. The ids of images are Fogbank's own, one for each name
//! and region and always the same: there is no EC2 here yet that could tell what they stand for, and an id of AWS would
//! mean nothing on this cloud.

use fogbank_core::Timestamp;

use crate::model::{self, ParameterType};

/// What all names begin with.
pub(crate) const PREFIX: &str = "/aws/service/";
const REGIONS: &str = "/aws/service/global-infrastructure/regions";

/// Names of images, with alternatives in braces.
const IMAGES: &[&str] = &[
    "ami-amazon-linux-latest/al2023-ami-kernel-{default,6.1,6.12}-{x86_64,arm64}",
    "ami-amazon-linux-latest/al2023-ami-minimal-kernel-{default,6.1,6.12}-{x86_64,arm64}",
    "ami-amazon-linux-latest/amzn2-ami-hvm-{x86_64,arm64}-{gp2,ebs}",
    "ami-amazon-linux-latest/amzn2-ami-kernel-5.10-hvm-{x86_64,arm64}-{gp2,ebs}",
    "ami-amazon-linux-latest/amzn2-ami-minimal-hvm-{x86_64,arm64}-ebs",
    "ami-windows-latest/Windows_Server-{2016,2019,2022,2025}-English-{Full,Core}-Base",
    "canonical/ubuntu/server/{20.04,22.04,24.04}/stable/current/{amd64,arm64}/hvm/{ebs-gp2,ebs-gp3}/ami-id",
    "debian/release/{11,12,13}/latest/{amd64,arm64}",
    "bottlerocket/aws-ecs-{1,2}/{x86_64,arm64}/latest/image_id",
    "bottlerocket/aws-k8s-{1.29,1.30,1.31,1.32,1.33}/{x86_64,arm64}/latest/image_id",
    "ecs/optimized-ami/amazon-linux-2023/recommended/image_id",
    "ecs/optimized-ami/amazon-linux-2023/{arm64,gpu,neuron}/recommended/image_id",
    "ecs/optimized-ami/amazon-linux-2/recommended/image_id",
    "ecs/optimized-ami/amazon-linux-2/{arm64,gpu,inf,kernel-5.10}/recommended/image_id",
    "eks/optimized-ami/{1.29,1.30,1.31,1.32,1.33}/amazon-linux-2023/{x86_64,arm64}/standard/recommended/image_id",
    "eks/optimized-ami/{1.29,1.30,1.31,1.32}/amazon-linux-{2,2-arm64,2-gpu}/recommended/image_id",
];

/// The regions of the partition `aws`: id, name, and the country in which they lie.
const PLACES: &[(&str, &str, &str)] = &[
    ("af-south-1", "Africa (Cape Town)", "ZA"),
    ("ap-east-1", "Asia Pacific (Hong Kong)", "HK"),
    ("ap-east-2", "Asia Pacific (Taipei)", "TW"),
    ("ap-northeast-1", "Asia Pacific (Tokyo)", "JP"),
    ("ap-northeast-2", "Asia Pacific (Seoul)", "KR"),
    ("ap-northeast-3", "Asia Pacific (Osaka)", "JP"),
    ("ap-south-1", "Asia Pacific (Mumbai)", "IN"),
    ("ap-south-2", "Asia Pacific (Hyderabad)", "IN"),
    ("ap-southeast-1", "Asia Pacific (Singapore)", "SG"),
    ("ap-southeast-2", "Asia Pacific (Sydney)", "AU"),
    ("ap-southeast-3", "Asia Pacific (Jakarta)", "ID"),
    ("ap-southeast-4", "Asia Pacific (Melbourne)", "AU"),
    ("ap-southeast-5", "Asia Pacific (Malaysia)", "MY"),
    ("ap-southeast-6", "Asia Pacific (New Zealand)", "NZ"),
    ("ap-southeast-7", "Asia Pacific (Thailand)", "TH"),
    ("ca-central-1", "Canada (Central)", "CA"),
    ("ca-west-1", "Canada West (Calgary)", "CA"),
    ("eu-central-1", "Europe (Frankfurt)", "DE"),
    ("eu-central-2", "Europe (Zurich)", "CH"),
    ("eu-north-1", "Europe (Stockholm)", "SE"),
    ("eu-south-1", "Europe (Milan)", "IT"),
    ("eu-south-2", "Europe (Spain)", "ES"),
    ("eu-west-1", "Europe (Ireland)", "IE"),
    ("eu-west-2", "Europe (London)", "GB"),
    ("eu-west-3", "Europe (Paris)", "FR"),
    ("il-central-1", "Israel (Tel Aviv)", "IL"),
    ("me-central-1", "Middle East (UAE)", "AE"),
    ("me-south-1", "Middle East (Bahrain)", "BH"),
    ("mx-central-1", "Mexico (Central)", "MX"),
    ("sa-east-1", "South America (Sao Paulo)", "BR"),
    ("us-east-1", "US East (N. Virginia)", "US"),
    ("us-east-2", "US East (Ohio)", "US"),
    ("us-west-1", "US West (N. California)", "US"),
    ("us-west-2", "US West (Oregon)", "US"),
];

/// A parameter that AWS publishes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Published {
    name: String,
    value: String,
    data_type: &'static str,
}

/// The parameter of this name, without what selects a version.
pub(crate) fn find(name: &str, region: &str) -> Option<Published> {
    let rest = name.strip_prefix(PREFIX)?;
    let found = IMAGES.iter().any(|pattern| fits(pattern, rest));
    if found {
        return Some(image(name.to_owned(), region));
    }
    regions().find(|published| published.name == name)
}

/// All parameters, in the order of their names.
pub(crate) fn all(region: &str) -> Vec<Published> {
    let mut names = Vec::new();
    for pattern in IMAGES {
        expand(pattern, PREFIX.to_owned(), &mut names);
    }
    let mut all: Vec<_> = names.into_iter().map(|name| image(name, region)).collect();
    all.extend(regions());
    all.sort_by(|one, other| one.name.cmp(&other.name));
    all
}

impl Published {
    /// Its name.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// As answers show it. Nobody has changed it, so that it is of the first version.
    pub(crate) fn shown(self, region: &str, selector: Option<String>) -> model::Parameter {
        model::Parameter {
            arn: Some(arn(region, &self.name)),
            r#type: Some(ParameterType::String),
            value: Some(self.value),
            version: Some(1),
            selector,
            source_result: None,
            // When AWS changes them is not known here: the beginning of the year in which they were written down.
            last_modified_date: Some(Timestamp::from_secs(1_767_225_600)),
            data_type: Some(self.data_type.to_owned()),
            name: Some(self.name),
        }
    }
}

/// Whether AWS keeps parameters for everybody there.
pub(crate) fn is_public(name: &str) -> bool {
    name.starts_with(PREFIX) || name == PREFIX.trim_end_matches('/')
}

/// The ARN of a public parameter, which is of no account.
pub(crate) fn arn(region: &str, name: &str) -> String {
    format!("arn:aws:ssm:{region}::parameter{name}")
}

/// The names and countries of regions.
fn regions() -> impl Iterator<Item = Published> {
    PLACES.iter().flat_map(|(id, name, country)| {
        let of = |member: &str, value: &str| Published {
            name: format!("{REGIONS}/{id}{member}"),
            value: value.to_owned(),
            data_type: "text",
        };
        [
            of("", id),
            of("/domain", "amazonaws.com"),
            of("/geolocationCountry", country),
            of("/longName", name),
            of("/partition", "aws"),
        ]
    })
}

fn image(name: String, region: &str) -> Published {
    // FNV-1a over 128 bits, which gives more than the 17 digits need.
    let hash = region
        .bytes()
        .chain(name.bytes())
        .fold(0x6c62_272e_07bb_0142_62b8_2175_6295_c58d_u128, |hash, byte| {
            (hash ^ u128::from(byte)).wrapping_mul(0x0100_0000_0000_0000_0000_013b)
        });
    let value = format!("ami-{:017x}", hash >> 60);
    Published { name, value, data_type: "aws:ec2:image" }
}

/// Whether one of a pattern's alternatives is this name.
fn fits(pattern: &str, name: &str) -> bool {
    let Some((before, rest)) = pattern.split_once('{') else { return pattern == name };
    let Some((choices, after)) = rest.split_once('}') else { return false };
    let Some(name) = name.strip_prefix(before) else { return false };
    choices.split(',').any(|choice| name.strip_prefix(choice).is_some_and(|rest| fits(after, rest)))
}

fn expand(pattern: &str, begun: String, names: &mut Vec<String>) {
    let split = pattern.split_once('{').and_then(|(before, rest)| {
        let (choices, after) = rest.split_once('}')?;
        Some((before, choices, after))
    });
    match split {
        None => names.push(begun + pattern),
        Some((before, choices, after)) => {
            for choice in choices.split(',') {
                expand(after, format!("{begun}{before}{choice}"), names);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_stand_for_the_same_image_always() {
        let name = "/aws/service/ami-amazon-linux-latest/amzn2-ami-hvm-x86_64-gp2";
        let found = find(name, "us-east-1").expect("it is published");
        assert_eq!(found.value.len(), "ami-".len() + 17);
        assert_eq!(find(name, "us-east-1"), Some(found.clone()));
        assert_ne!(find(name, "eu-west-1"), Some(found));
        assert_eq!(find("/aws/service/ami-amazon-linux-latest/none", "us-east-1"), None);
    }

    #[test]
    fn all_are_found_by_their_names() {
        let all = all("us-east-1");
        assert!(all.is_sorted_by(|one, next| one.name < next.name));
        for published in &all {
            assert_eq!(find(&published.name, "us-east-1").as_ref(), Some(published));
        }
        let name = "/aws/service/global-infrastructure/regions/eu-west-1/longName";
        assert_eq!(find(name, "us-east-1").expect("a region").value, "Europe (Ireland)");
    }
}
