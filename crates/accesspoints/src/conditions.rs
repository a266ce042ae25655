//! The condition keys of S3 and the operators of all conditions, and policies of buckets that name others.

use std::net::IpAddr;

use serde_json::Value;

use crate::policies::{statements, texts};

/// S3's own keys in lower case, without `s3:`; those that end with a slash are followed by the key of a tag.
const KEYS: [&str; 54] = [
    "accessgrantscope",
    "accessgrantsinstancearn",
    "accessgrantslocationscope",
    "accesspointnetworkorigin",
    "accesspointtag/",
    "authtype",
    "buckettag/",
    "dataaccesspointaccount",
    "dataaccesspointarn",
    "delimiter",
    "destinationregion",
    "existingjoboperation",
    "existingjobpriority",
    "existingobjecttag/",
    "if-match",
    "if-none-match",
    "inventoryaccessibleoptionalfields",
    "isreplicationpauserequest",
    "jobsuspendedcause",
    "locationconstraint",
    "max-keys",
    "object-lock-event-hold",
    "object-lock-event-hold-duration-days",
    "object-lock-legal-hold",
    "object-lock-mode",
    "object-lock-remaining-retention-days",
    "object-lock-retain-until-date",
    "objectcreationoperation",
    "prefix",
    "requestjoboperation",
    "requestjobpriority",
    "requestobjecttag/",
    "requestobjecttagkeys",
    "resourceaccount",
    "signatureage",
    "signatureversion",
    "tlsversion",
    "versionid",
    "x-amz-acl",
    "x-amz-bucket-namespace",
    "x-amz-content-sha256",
    "x-amz-copy-source",
    "x-amz-grant-full-control",
    "x-amz-grant-read",
    "x-amz-grant-read-acp",
    "x-amz-grant-write",
    "x-amz-grant-write-acp",
    "x-amz-metadata-directive",
    "x-amz-object-ownership",
    "x-amz-server-side-encryption",
    "x-amz-server-side-encryption-aws-kms-key-id",
    "x-amz-server-side-encryption-customer-algorithm",
    "x-amz-storage-class",
    "x-amz-website-redirect-location",
];

/// The operators, which may have `ForAllValues:` or `ForAnyValue:` before them and `IfExists` behind.
const OPERATORS: [&str; 27] = [
    "StringEquals",
    "StringNotEquals",
    "StringEqualsIgnoreCase",
    "StringNotEqualsIgnoreCase",
    "StringLike",
    "StringNotLike",
    "NumericEquals",
    "NumericNotEquals",
    "NumericLessThan",
    "NumericLessThanEquals",
    "NumericGreaterThan",
    "NumericGreaterThanEquals",
    "DateEquals",
    "DateNotEquals",
    "DateLessThan",
    "DateLessThanEquals",
    "DateGreaterThan",
    "DateGreaterThanEquals",
    "Bool",
    "BinaryEquals",
    "IpAddress",
    "NotIpAddress",
    "ArnEquals",
    "ArnNotEquals",
    "ArnLike",
    "ArnNotLike",
    "Null",
];

/// Refuses, with S3's words, a policy with a condition whose operator there is not, in these capitals, or whose addresses
/// are none.
pub fn check_operators(policy: &str) -> Result<(), String> {
    let Ok(policy) = serde_json::from_str::<Value>(policy) else { return Ok(()) };
    let conditions =
        statements(&policy["Statement"]).filter_map(|one| one["Condition"].as_object());
    for (operator, keys) in conditions.flatten() {
        let sets = ["ForAllValues:", "ForAnyValue:"];
        let plain = sets.iter().find_map(|set| operator.strip_prefix(set)).unwrap_or(operator);
        let plain = plain.strip_suffix("IfExists").unwrap_or(plain);
        if !OPERATORS.contains(&plain) {
            return Err(format!("Invalid Condition type : {operator}"));
        }
        let mut values =
            keys.as_object().into_iter().flat_map(|keys| keys.values()).flat_map(texts);
        if plain.ends_with("IpAddress") && !values.all(is_address) {
            return Err("Invalid IP address in Conditions".to_owned());
        }
    }
    Ok(())
}

/// Whether a text is an address of IP, or a range of them.
fn is_address(text: &str) -> bool {
    let (address, bits) = match text.split_once('/') {
        Some((address, bits)) => (address, bits.parse().ok()),
        None => (text, Some(0_u8)),
    };
    match address.parse() {
        Ok(IpAddr::V4(_)) => bits.is_some_and(|bits| bits <= 32),
        Ok(IpAddr::V6(_)) => bits.is_some_and(|bits| bits <= 128),
        Err(_) => false,
    }
}

/// Refuses, with S3's words, a policy with a condition on a key of S3 that there is not. Keys of other services and of
/// identity providers are not looked at.
pub fn check_conditions(policy: &str) -> Result<(), &'static str> {
    let Ok(policy) = serde_json::from_str::<Value>(policy) else { return Ok(()) };
    for statement in statements(&policy["Statement"]) {
        let operators = statement["Condition"].as_object().into_iter().flatten();
        let mut keys = operators.filter_map(|(_, keys)| keys.as_object()).flatten();
        if !keys.all(|(key, _)| is_known(&key.to_ascii_lowercase())) {
            return Err("Policy has an invalid condition key");
        }
    }
    Ok(())
}

fn is_known(key: &str) -> bool {
    let Some(key) = key.strip_prefix("s3:") else { return true };
    match key.split_once('/') {
        Some((tags, _)) => {
            KEYS.iter().any(|known| known.strip_suffix('/').is_some_and(|known| known == tags))
        }
        None => KEYS.contains(&key),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_of_s3_must_be_known() {
        let refusal = |key: &str| {
            let policy =
                format!(r#"{{"Statement":{{"Condition":{{"Null":{{"{key}":"true"}}}}}}}}"#);
            check_conditions(&policy).err()
        };
        for known in
            ["s3:prefix", "s3:VersionId", "s3:ExistingObjectTag/a", "aws:Anything", "saml:aud"]
        {
            assert_eq!(refusal(known), None, "{known}");
        }
        for unknown in ["s3:nothing", "s3:ExistingObjectTag", "s3:x-acl", "s3:prefix/a"] {
            assert_eq!(refusal(unknown), Some("Policy has an invalid condition key"), "{unknown}");
        }
    }

    #[test]
    fn operators_and_addresses_must_make_sense() {
        let refusal = |operator: &str, values: &str| {
            let condition = format!(r#"{{"{operator}":{{"aws:SourceIp":{values}}}}}"#);
            check_operators(&format!(r#"{{"Statement":{{"Condition":{condition}}}}}"#)).err()
        };
        for operator in ["StringEquals", "ForAnyValue:StringLikeIfExists", "Null"] {
            assert_eq!(refusal(operator, r#""x""#), None, "{operator}");
        }
        for operator in ["StringIs", "stringEquals", "ForSomeValues:StringEquals"] {
            let expected = format!("Invalid Condition type : {operator}");
            assert_eq!(refusal(operator, r#""x""#), Some(expected));
        }
        for addresses in [r#""10.0.0.1""#, r#"["10.0.0.0/8","2001:db8::/32"]"#] {
            assert_eq!(refusal("IpAddress", addresses), None, "{addresses}");
        }
        for addresses in [r#""x""#, r#""10.0.0.0/33""#, r#"["10.0.0.1","10.0.0"]"#] {
            let expected = Some("Invalid IP address in Conditions".to_owned());
            assert_eq!(refusal("NotIpAddress", addresses), expected, "{addresses}");
        }
    }

    #[test]
    fn the_keys_of_the_reference_are_known() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../models/authorization/s3.json");
        let text = std::fs::read_to_string(path).expect("the reference");
        let reference: Value = serde_json::from_str(&text).expect("JSON");
        for key in reference["keys"].as_object().expect("keys").keys() {
            assert!(is_known(&key.to_ascii_lowercase()), "{key}");
        }
    }
}
