//! Which of S3's actions are on buckets and which on objects, and policies of buckets that mix them up.

use serde_json::Value;

use crate::policies::{statements, texts};

/// The actions on buckets.
const ON_BUCKETS: [&str; 61] = [
    "CreateBucket",
    "CreateBucketMetadataTableConfiguration",
    "DeleteBucket",
    "DeleteBucketMetadataTableConfiguration",
    "DeleteBucketPolicy",
    "DeleteBucketWebsite",
    "GetAccelerateConfiguration",
    "GetAnalyticsConfiguration",
    "GetBucketAbac",
    "GetBucketAcl",
    "GetBucketCORS",
    "GetBucketLocation",
    "GetBucketLogging",
    "GetBucketMetadataTableConfiguration",
    "GetBucketNotification",
    "GetBucketObjectLockConfiguration",
    "GetBucketOwnershipControls",
    "GetBucketPolicy",
    "GetBucketPolicyStatus",
    "GetBucketPublicAccessBlock",
    "GetBucketRequestPayment",
    "GetBucketTagging",
    "GetBucketVersioning",
    "GetBucketWebsite",
    "GetEncryptionConfiguration",
    "GetIntelligentTieringConfiguration",
    "GetInventoryConfiguration",
    "GetLifecycleConfiguration",
    "GetMetricsConfiguration",
    "GetReplicationConfiguration",
    "ListBucket",
    "ListBucketMultipartUploads",
    "ListBucketVersions",
    "ListTagsForResource",
    "PauseReplication",
    "PutAccelerateConfiguration",
    "PutAnalyticsConfiguration",
    "PutBucketAbac",
    "PutBucketAcl",
    "PutBucketCORS",
    "PutBucketLogging",
    "PutBucketNotification",
    "PutBucketObjectLockConfiguration",
    "PutBucketOwnershipControls",
    "PutBucketPolicy",
    "PutBucketPublicAccessBlock",
    "PutBucketRequestPayment",
    "PutBucketTagging",
    "PutBucketVersioning",
    "PutBucketWebsite",
    "PutEncryptionConfiguration",
    "PutIntelligentTieringConfiguration",
    "PutInventoryConfiguration",
    "PutLifecycleConfiguration",
    "PutMetricsConfiguration",
    "PutReplicationConfiguration",
    "TagResource",
    "UntagResource",
    "UpdateBucketMetadataAnnotationTableConfiguration",
    "UpdateBucketMetadataInventoryTableConfiguration",
    "UpdateBucketMetadataJournalTableConfiguration",
];

/// The actions on objects.
const ON_OBJECTS: [&str; 38] = [
    "AbortMultipartUpload",
    "BypassGovernanceRetention",
    "DeleteObject",
    "DeleteObjectAnnotation",
    "DeleteObjectTagging",
    "DeleteObjectVersion",
    "DeleteObjectVersionTagging",
    "GetObject",
    "GetObjectAcl",
    "GetObjectAnnotation",
    "GetObjectAttributes",
    "GetObjectLegalHold",
    "GetObjectRetention",
    "GetObjectTagging",
    "GetObjectTorrent",
    "GetObjectVersion",
    "GetObjectVersionAcl",
    "GetObjectVersionAttributes",
    "GetObjectVersionForReplication",
    "GetObjectVersionTagging",
    "GetObjectVersionTorrent",
    "InitiateReplication",
    "ListMultipartUploadParts",
    "ListObjectAnnotations",
    "ObjectOwnerOverrideToBucketOwner",
    "PutObject",
    "PutObjectAcl",
    "PutObjectAnnotation",
    "PutObjectLegalHold",
    "PutObjectRetention",
    "PutObjectTagging",
    "PutObjectVersionAcl",
    "PutObjectVersionTagging",
    "ReplicateDelete",
    "ReplicateObject",
    "ReplicateTags",
    "RestoreObject",
    "UpdateObjectEncryption",
];

/// Refuses, with S3's words, the policy of the bucket with this ARN if a statement names an action that neither buckets nor
/// objects have, or one that none of its resources has.
pub fn check_actions(policy: &str, arn: &str) -> Result<(), &'static str> {
    let Ok(policy) = serde_json::from_str::<Value>(policy) else { return Ok(()) };
    for statement in statements(&policy["Statement"]) {
        let resources = texts(&statement["Resource"]).filter_map(|given| given.strip_prefix(arn));
        let (mut has_bucket, mut has_objects) = (!statement["NotResource"].is_null(), false);
        has_objects |= has_bucket;
        for rest in resources {
            // A wildcard behind the bucket's name stands for nothing, too, and for a slash.
            has_bucket |= !rest.starts_with('/');
            has_objects |= !rest.is_empty();
        }
        for action in texts(&statement["Action"]) {
            let action = action.get(3..).filter(|_| action != "*").unwrap_or("*");
            let is_on = |names: &[&str]| names.iter().any(|name| matches(action, name));
            let (buckets, objects) = (is_on(&ON_BUCKETS), is_on(&ON_OBJECTS));
            if !buckets && !objects {
                return Err("Policy has invalid action");
            }
            if !(buckets && has_bucket || objects && has_objects) {
                return Err("Action does not apply to any resource(s) in statement");
            }
        }
    }
    Ok(())
}

/// Whether a name is the pattern, in which `*` stands for any text and `?` for a letter; capitals are the same as others.
fn matches(pattern: &str, name: &str) -> bool {
    let (pattern, name) = (pattern.as_bytes(), name.as_bytes());
    let (mut at, mut of, mut star) = (0, 0, None);
    while of < name.len() {
        match pattern.get(at) {
            Some(b'*') => {
                star = Some((at, of));
                at += 1;
            }
            Some(letter) if *letter == b'?' || letter.eq_ignore_ascii_case(&name[of]) => {
                at += 1;
                of += 1;
            }
            _ => {
                let Some((star_at, star_of)) = star else { return false };
                star = Some((star_at, star_of + 1));
                (at, of) = (star_at + 1, star_of + 1);
            }
        }
    }
    pattern[at..].iter().all(|letter| *letter == b'*')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(action: &str, resource: &str) -> &'static str {
        let policy = format!(r#"{{"Statement":[{{"Action":{action},"Resource":{resource}}}]}}"#);
        check_actions(&policy, "arn:aws:s3:::b").err().unwrap_or_default()
    }

    #[test]
    fn actions_need_a_resource_that_has_them() {
        let (bucket, objects) = (r#""arn:aws:s3:::b""#, r#""arn:aws:s3:::b/*""#);
        let both = r#"["arn:aws:s3:::b","arn:aws:s3:::b/*"]"#;
        let misapplied = "Action does not apply to any resource(s) in statement";
        let unknown = "Policy has invalid action";
        for (action, resource, expected) in [
            (r#""s3:GetObject""#, objects, ""),
            (r#""s3:getobject""#, objects, ""),
            (r#""s3:GetObject""#, both, ""),
            (r#""s3:GetObject""#, bucket, misapplied),
            (r#""s3:ListBucket""#, objects, misapplied),
            (r#"["s3:GetObject","s3:ListBucket"]"#, objects, misapplied),
            (r#"["s3:GetObject","s3:ListBucket"]"#, both, ""),
            (r#"["s3:GetObject","s3:ListBucket"]"#, r#""arn:aws:s3:::b*""#, ""),
            (r#""s3:*""#, bucket, ""),
            (r#""*""#, objects, ""),
            (r#""s3:List*""#, bucket, ""),
            (r#""s3:*Object""#, bucket, misapplied),
            (r#""s3:HeadObject""#, objects, unknown),
            (r#""s3:ListAllMyBuckets""#, bucket, unknown),
        ] {
            assert_eq!(refusal(action, resource), expected, "{action} {resource}");
        }
        let all_but =
            r#"{"Statement":{"NotAction":"s3:GetObject","NotResource":"arn:aws:s3:::b"}}"#;
        assert_eq!(check_actions(all_but, "arn:aws:s3:::b"), Ok(()));
    }

    /// What the reference lacks may stand here; what it has must.
    #[test]
    fn the_actions_are_those_of_the_reference() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../models/authorization/s3.json");
        let text = std::fs::read_to_string(path).expect("the reference");
        let reference: Value = serde_json::from_str(&text).expect("JSON");
        for (name, action) in reference["actions"].as_object().expect("actions") {
            let is_on = |kind: &str| action["resources"].get(kind).is_some();
            assert_eq!(ON_BUCKETS.contains(&&**name), is_on("bucket"), "{name}");
            assert_eq!(ON_OBJECTS.contains(&&**name), is_on("object"), "{name}");
        }
    }
}
