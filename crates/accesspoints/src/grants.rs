//! Rows of S3 Access Grants. S3 Control writes them; S3, whose ARNs they have, reads policies and tags for decisions.

use fogbank_core::Arn;
use fogbank_core::store::{Error, Read, Table, row};
use serde::{Deserialize, Serialize};

/// An account's instance in a region: what its locations and grants belong to.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Instance {
    /// When it was created, in milliseconds since the epoch.
    pub created_millis: i64,
    /// How many locations it has.
    pub locations: u32,
    /// How many grants it has.
    pub grants: u32,
    /// The policy by which other accounts may use it.
    pub policy: Option<InstancePolicy>,
    /// Its tags by their keys.
    pub tags: Vec<(String, String)>,
}

row!(Instance, 1);

/// The resource policy of an instance.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct InstancePolicy {
    /// The policy, as it was given.
    pub document: String,
    /// The organization that was named with it.
    pub organization: Option<String>,
    /// When it was set, in milliseconds since the epoch.
    pub created_millis: i64,
}

/// Data to which grants may be made, and the role that reads and writes it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Location {
    /// Where the data lies: `s3://`, `s3://BUCKET` or `s3://BUCKET/PREFIX*`.
    pub scope: String,
    /// The ARN of the role.
    pub role_arn: String,
    /// When it was registered, in milliseconds since the epoch.
    pub created_millis: i64,
    /// How many grants are made to its data.
    pub grants: u32,
    /// Its tags by their keys.
    pub tags: Vec<(String, String)>,
}

row!(Location, 1);

/// What somebody may do with some data.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Grant {
    /// The id of the location.
    pub location: String,
    /// What was appended to the location's scope.
    pub sub_prefix: Option<String>,
    /// The data: `s3://BUCKET/PREFIX*`, or an object without an asterisk.
    pub scope: String,
    /// Whether the data is one object.
    pub is_object: bool,
    /// The ARN of the user or role.
    pub grantee: String,
    /// Whether the data may be read.
    pub reads: bool,
    /// Whether it may be written.
    pub writes: bool,
    /// When it was made, in milliseconds since the epoch.
    pub created_millis: i64,
    /// Its tags by their keys.
    pub tags: Vec<(String, String)>,
}

row!(Grant, 1);

/// Instances by account and region.
pub static INSTANCES: Table<(String, String), Instance> =
    Table::new("s3control.access-grants-instances", 0x0254);
/// Locations by account, region and id.
pub static LOCATIONS: Table<(String, String, String), Location> =
    Table::new("s3control.access-grants-locations", 0x0255);
/// Grants by account, region and id.
pub static GRANTS: Table<(String, String, String), Grant> =
    Table::new("s3control.access-grants", 0x0256);
/// The ids of a grantee's grants, by account, region and the grantee's ARN.
pub static GRANTEES: Table<(String, String, String, String), ()> =
    Table::new("s3control.access-grants-of-grantees", 0x025e);

/// What an ARN of Access Grants names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Granted<'a> {
    /// An instance.
    Instance,
    /// A location by its id.
    Location(&'a str),
    /// A grant by its id.
    Grant(&'a str),
}

impl<'a> Granted<'a> {
    /// The account and region in an ARN, and what it names there.
    pub fn parse(text: &'a str) -> Option<(&'a str, &'a str, Granted<'a>)> {
        let arn = Arn::parse(text).filter(|arn| arn.service == "s3")?;
        let rest = arn.resource.strip_prefix("access-grants/default")?;
        let what = match rest.strip_prefix('/').and_then(|rest| rest.split_once('/')) {
            None if rest.is_empty() => Granted::Instance,
            Some(("location", id)) if !id.is_empty() => Granted::Location(id),
            Some(("grant", id)) if !id.is_empty() => Granted::Grant(id),
            _ => return None,
        };
        Some((arn.account, arn.region, what))
    }

    /// Its ARN.
    pub fn arn(self, account: &str, region: &str) -> String {
        let rest = match self {
            Granted::Instance => String::new(),
            Granted::Location(id) => format!("/location/{id}"),
            Granted::Grant(id) => format!("/grant/{id}"),
        };
        format!("arn:aws:s3:{region}:{account}:access-grants/default{rest}")
    }

    /// Its tags; none if it is not there.
    pub fn tags(
        self,
        tx: &(impl Read + ?Sized),
        (account, region): (&str, &str),
    ) -> Result<Option<Vec<(String, String)>>, Error> {
        Ok(match self {
            Granted::Instance => INSTANCES.get(tx, &(account, region))?.map(|row| row.tags),
            Granted::Location(id) => LOCATIONS.get(tx, &(account, region, id))?.map(|row| row.tags),
            Granted::Grant(id) => GRANTS.get(tx, &(account, region, id))?.map(|row| row.tags),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arns_name_instances_locations_and_grants() {
        for what in [Granted::Instance, Granted::Location("default"), Granted::Grant("1-2")] {
            let arn = what.arn("111111111111", "us-east-1");
            assert_eq!(Granted::parse(&arn), Some(("111111111111", "us-east-1", what)));
        }
        for other in [
            "arn:aws:s3:us-east-1:111111111111:access-grants/other",
            "arn:aws:s3:us-east-1:111111111111:access-grants/default/",
            "arn:aws:s3:us-east-1:111111111111:access-grants/default/grant/",
            "arn:aws:s3:us-east-1:111111111111:accesspoint/default",
        ] {
            assert_eq!(Granted::parse(other), None, "{other}");
        }
    }
}
