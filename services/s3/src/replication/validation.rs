//! What S3 takes as replication rules, and how it words what it does not. The texts are those that S3 was seen to send,
//! but for those that say so.

use std::collections::BTreeSet;

use fogbank_core::{Arn, Fault};

use crate::error::Error;
use crate::model::{
    DeleteMarkerReplicationStatus, Destination, MetricsStatus, ReplicationConfiguration,
    ReplicationRule, ReplicationRuleFilter, ReplicationTimeStatus, SseKmsEncryptedObjectsStatus,
};
use crate::rules;
use crate::store::Bucket;

const MAX_RULES: usize = 1000;
const MAX_ID_LENGTH: usize = 255;
const MAX_PREFIX_BYTES: usize = 1024;
/// The only time that Replication Time Control offers.
const MINUTES: i32 = 15;

/// The bucket that an ARN of S3 names.
pub(super) fn bucket_of(arn: &str) -> Option<&str> {
    let arn = Arn::parse(arn)?;
    let is_bucket = arn.service == "s3" && arn.region.is_empty() && arn.account.is_empty();
    Some(arn.resource).filter(|name| is_bucket && !name.contains('/'))
}

/// Refuses a configuration that S3 does not take, whatever buckets there are.
pub(super) fn check(given: &ReplicationConfiguration, bucket: &Bucket) -> Result<(), Error> {
    check_role(&given.role, bucket)?;
    let rules = &given.rules;
    if rules.is_empty() || rules.len() > MAX_RULES {
        return Err(Error::MalformedXML);
    }
    let mut ids = BTreeSet::new();
    for rule in rules {
        let Some(id) = rule.id.as_deref().filter(|id| !id.is_empty()) else { continue };
        if id.chars().count() > MAX_ID_LENGTH {
            // The words are those of lifecycles.
            let message = "ID length should not exceed allowed limit of 255";
            return Err(Error::argument("ID", id, message));
        }
        if !ids.insert(id) {
            return Err(Error::argument("ID", id, "Rule Id must be unique"));
        }
    }
    let is_second = rules.iter().any(|rule| rule.filter.is_some());
    for rule in rules {
        if is_second {
            check_second(rule)?
        } else {
            check_first(rule)?
        }
        check_destination(rule)?;
    }
    if is_second { check_priorities(rules) } else { check_overlaps(rules) }
}

fn check_role(role: &str, bucket: &Bucket) -> Result<(), Error> {
    let parsed = Arn::parse(role)
        .filter(|arn| arn.service == "iam" && arn.region.is_empty() && arn.account.len() == 12);
    let Some(arn) = parsed.filter(|arn| arn.resource.starts_with("role/")) else {
        let message = "Invalid Role specified in replication configuration";
        return Err(Error::argument("Role", role, message));
    };
    if arn.account != bucket.account {
        // The words are those of other services.
        return Err(Error::Fault(Fault::access_denied("Cross-account pass role is not allowed.")));
    }
    Ok(())
}

fn schema(element: &str, is_missing: bool) -> Error {
    let what = if is_missing { "must be specified" } else { "cannot be used" };
    Error::request(format!(
        "{element} {what} for this version of Cross Region Replication configuration schema. Please refer to S3 Developer Guide for more information."
    ))
}

/// A rule of the first schema: a prefix, and one destination for all.
fn check_first(rule: &ReplicationRule) -> Result<(), Error> {
    let Some(prefix) = &rule.prefix else { return Err(Error::MalformedXML) };
    check_prefix(prefix)?;
    let criteria = rule.source_selection_criteria.clone().unwrap_or_default();
    let destination = &rule.destination;
    for (element, is_given) in [
        ("Priority", rule.priority.is_some()),
        ("DeleteMarkerReplication", rule.delete_marker_replication.is_some()),
        ("ReplicaModifications", criteria.replica_modifications.is_some()),
        ("ReplicationTime", destination.replication_time.is_some()),
        ("Metrics", destination.metrics.is_some()),
    ] {
        if is_given {
            return Err(schema(element, false));
        }
    }
    Ok(())
}

/// A rule of the second schema: a filter, a priority, and whether delete markers are copied.
fn check_second(rule: &ReplicationRule) -> Result<(), Error> {
    if rule.prefix.is_some() {
        // That it is so worded is a guess.
        return Err(schema("Prefix", false));
    }
    let Some(filter) = &rule.filter else { return Err(schema("Filter", true)) };
    let has_tags = check_filter(filter)?;
    let Some(markers) = &rule.delete_marker_replication else {
        return Err(schema("DeleteMarkerReplication", true));
    };
    match markers.status {
        None => return Err(Error::MalformedXML),
        Some(DeleteMarkerReplicationStatus::Enabled) if has_tags => {
            return Err(Error::request(
                "Delete marker replication is not supported if any Tag filter is specified. Please refer to S3 Developer Guide for more information.",
            ));
        }
        Some(_) => {}
    }
    match rule.priority {
        None => Err(schema("Priority", true)),
        // That it is so worded is a guess.
        Some(..0) => Err(Error::request("Priority must be between 0 and 2147483647.")),
        Some(_) => Ok(()),
    }
}

/// Refuses filters that say nothing or too much; whether one looks at tags.
fn check_filter(filter: &ReplicationRuleFilter) -> Result<bool, Error> {
    let given = [filter.prefix.is_some(), filter.tag.is_some(), filter.and.is_some()];
    if given.into_iter().filter(|is_given| *is_given).count() > 1 {
        return Err(Error::MalformedXML);
    }
    let and = filter.and.clone().unwrap_or_default();
    let tags = and.tags.unwrap_or_default();
    if filter.and.is_some() && tags.len() + usize::from(and.prefix.is_some()) < 2 {
        return Err(Error::MalformedXML);
    }
    for prefix in filter.prefix.iter().chain(&and.prefix) {
        check_prefix(prefix)?;
    }
    let mut keys = BTreeSet::new();
    if !tags.iter().all(|tag| keys.insert(&tag.key)) {
        // That it is so worded is a guess.
        return Err(Error::request("Duplicate Tag Keys are not allowed."));
    }
    Ok(filter.tag.is_some() || !tags.is_empty())
}

fn check_prefix(prefix: &str) -> Result<(), Error> {
    if prefix.len() <= MAX_PREFIX_BYTES {
        return Ok(());
    }
    // That it is so worded is a guess.
    let message = "The maximum size of a prefix is 1024.";
    Err(Error::argument("Prefix", prefix, message))
}

fn check_destination(rule: &ReplicationRule) -> Result<(), Error> {
    let to = &rule.destination;
    if rule.existing_object_replication.is_some() {
        // S3 takes it from nobody.
        return Err(Error::MalformedXML);
    }
    if bucket_of(&to.bucket).is_none() {
        // That it is so worded is a guess.
        return Err(Error::argument("Bucket", &to.bucket, "Invalid bucket ARN"));
    }
    if rules::storage_class(to.storage_class.clone()).is_err() {
        return Err(Error::MalformedXML);
    }
    if to.access_control_translation.is_some() && to.account.is_none() {
        // That it is so worded is a guess.
        return Err(Error::request(
            "Account must be specified when AccessControlTranslation is specified",
        ));
    }
    check_encryption(rule)?;
    check_times(to)
}

fn check_encryption(rule: &ReplicationRule) -> Result<(), Error> {
    let criteria = rule.source_selection_criteria.clone().unwrap_or_default();
    let key = rule.destination.encryption_configuration.as_ref();
    let criterion = criteria.sse_kms_encrypted_objects;
    if key.is_some() && criterion.is_none() {
        return Err(Error::request(
            "SseKmsEncryptedObjects must be specified if EncryptionConfiguration is present.",
        ));
    }
    let wants = criterion.is_some_and(|kms| kms.status == SseKmsEncryptedObjectsStatus::Enabled);
    let has_key =
        key.and_then(|key| key.replica_kms_key_id.as_deref()).is_some_and(|id| !id.is_empty());
    if wants && !has_key {
        // That it is so worded is a guess.
        return Err(Error::request(
            "ReplicaKmsKeyID must be specified if SseKmsEncryptedObjects tag is present.",
        ));
    }
    Ok(())
}

fn check_times(to: &Destination) -> Result<(), Error> {
    let has_metrics =
        to.metrics.as_ref().is_some_and(|metrics| metrics.status == MetricsStatus::Enabled);
    if let Some(time) = &to.replication_time {
        let is_enabled = time.status == ReplicationTimeStatus::Enabled;
        if to.metrics.is_none() || (is_enabled && !has_metrics) {
            return Err(Error::request(
                "Replication destination must contain both ReplicationTime and Metrics or neither.",
            ));
        }
        check_minutes(time.time.minutes)?;
    }
    match to.metrics.as_ref().and_then(|metrics| metrics.event_threshold.as_ref()) {
        Some(threshold) => check_minutes(threshold.minutes),
        None => Ok(()),
    }
}

fn check_minutes(minutes: Option<i32>) -> Result<(), Error> {
    if minutes == Some(MINUTES) {
        return Ok(());
    }
    // That it is so worded is a guess.
    let value = minutes.map(|minutes| minutes.to_string()).unwrap_or_default();
    Err(Error::argument("Minutes", value, "Minutes must be 15"))
}

/// Rules with one destination must say which of them goes first.
fn check_priorities(rules: &[ReplicationRule]) -> Result<(), Error> {
    let mut known = BTreeSet::new();
    for rule in rules {
        let priority = rule.priority.unwrap_or_default();
        if !known.insert((&rule.destination.bucket, priority)) {
            return Err(Error::request(format!("Found duplicate priority {priority}.")));
        }
    }
    Ok(())
}

/// Rules of the first schema have prefixes that do not overlap, and one destination.
fn check_overlaps(rules: &[ReplicationRule]) -> Result<(), Error> {
    for (index, rule) in rules.iter().enumerate() {
        for other in &rules[..index] {
            let text = |rule: &ReplicationRule| rule.prefix.clone().unwrap_or_default();
            let (a, b) = (text(other), text(rule));
            if a.starts_with(&b) || b.starts_with(&a) {
                return Err(Error::request(format!("Found overlapping prefixes '{a}' and '{b}'")));
            }
            if rule.destination.bucket != other.destination.bucket {
                // That it is so worded is a guess.
                let message = "Number of distinct destination bucket ARNs cannot exceed 1";
                return Err(Error::request(message));
            }
        }
    }
    Ok(())
}
