//! Names of directory buckets, `BASE--ZONE--x-s3`, and their ARNs.

/// What all of them end in.
const SUFFIX: &str = "--x-s3";

/// Whether a bucket with this name is a directory bucket, if there is one.
pub(crate) fn is_name(name: &str) -> bool {
    name.ends_with(SUFFIX)
}

/// The zone in a name that a directory bucket may have.
pub(crate) fn zone(name: &str) -> Option<&str> {
    const RESERVED: [&str; 3] = ["xn--", "sthree-", "amzn-s3-demo-"];
    let (base, zone) = name.strip_suffix(SUFFIX)?.rsplit_once("--")?;
    let is_edge = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let is_word = |text: &str| {
        text.bytes().all(|byte| is_edge(byte) || byte == b'-')
            && text.bytes().next().is_some_and(is_edge)
            && text.bytes().last().is_some_and(is_edge)
    };
    let is_good = (3..=63).contains(&name.len())
        && is_word(base)
        && is_word(zone)
        && !RESERVED.iter().any(|prefix| name.starts_with(prefix));
    is_good.then_some(zone)
}

/// Whether a zone lies in a region: `usw2-az1` in `us-west-2`, and so does the Local Zone `usw2-lax1-az1`.
pub(super) fn is_zone_of(zone: &str, region: &str) -> bool {
    let mut short = String::new();
    for part in region.split('-') {
        short.push_str(match part {
            "gov" => "g",
            "iso" | "isob" => part,
            "north" => "n",
            "south" => "s",
            "east" => "e",
            "west" => "w",
            "central" => "c",
            "northeast" => "ne",
            "northwest" => "nw",
            "southeast" => "se",
            "southwest" => "sw",
            other => other,
        });
    }
    let rest = zone.strip_prefix(&*short).and_then(|rest| rest.strip_prefix('-'));
    rest.is_some_and(|rest| {
        let place = rest.rsplit_once("az");
        place.is_some_and(|(before, number)| {
            (before.is_empty() || before.ends_with('-'))
                && !number.is_empty()
                && number.bytes().all(|byte| byte.is_ascii_digit())
        })
    })
}

/// The ARN of a directory bucket.
pub(crate) fn arn(region: &str, account: &str, name: &str) -> String {
    ["arn:aws:s3express:", region, ":", account, ":bucket/", name].concat()
}

/// The directory bucket that an ARN names.
pub(crate) fn named_by(arn: &str) -> Option<&str> {
    let (_, name) = arn.strip_prefix("arn:aws:s3express:")?.split_once(":bucket/")?;
    is_name(name).then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_have_a_zone() {
        assert_eq!(zone("logs--use1-az4--x-s3"), Some("use1-az4"));
        assert_eq!(zone("a--b--usw2-lax1-az1--x-s3"), Some("usw2-lax1-az1"));
        let long = format!("{}--use1-az4--x-s3", "x".repeat(48));
        for bad in [
            "--x-s3",
            "logs--x-s3",
            "--use1-az4--x-s3",
            "Logs--use1-az4--x-s3",
            "lo.gs--use1-az4--x-s3",
            "-logs--use1-az4--x-s3",
            "xn--logs--use1-az4--x-s3",
            "logs--use1-az4",
            &*long,
        ] {
            assert_eq!(zone(bad), None, "{bad}");
        }
        assert!(zone(&long[1..]).is_some());
    }

    #[test]
    fn zones_lie_in_regions() {
        for (zone, region) in [
            ("use1-az4", "us-east-1"),
            ("apne1-az4", "ap-northeast-1"),
            ("eun1-az1", "eu-north-1"),
            ("usw2-lax1-az1", "us-west-2"),
            ("usgw1-az2", "us-gov-west-1"),
            ("mec1-az1", "me-central-1"),
        ] {
            assert!(is_zone_of(zone, region), "{zone}");
        }
        for zone in ["usw2-az1", "use1", "use1-", "use1-az", "use1-azx", "use1-xaz1", "az1", ""] {
            assert!(!is_zone_of(zone, "us-east-1"), "{zone}");
        }
    }

    #[test]
    fn arns_name_buckets() {
        let name = "logs--use1-az4--x-s3";
        assert_eq!(named_by(&arn("us-east-1", "000000000000", name)), Some(name));
        assert_eq!(named_by("arn:aws:s3express:us-east-1:000000000000:bucket/photos"), None);
        assert_eq!(named_by("arn:aws:s3:::logs--use1-az4--x-s3"), None);
    }
}
