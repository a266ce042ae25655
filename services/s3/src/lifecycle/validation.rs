//! What S3 takes as lifecycle rules, and how it words what it does not. The texts are those that S3 was seen to send,
//! but for those that say so.

use std::collections::BTreeSet;

use fogbank_core::Fault;

use crate::error::Error;
use crate::model::{
    BucketLifecycleConfiguration, LifecycleExpiration, LifecycleRule, LifecycleRuleFilter,
    NoncurrentVersionExpiration, Transition,
};

use super::rules::DAY_MILLIS;

/// The most rules of a bucket.
const MAX_RULES: usize = 1000;
/// The longest id of a rule.
const MAX_ID_LENGTH: usize = 255;
/// The largest size that a filter may name, in bytes.
const MAX_SIZE: i64 = 1_099_511_627_776_000;

fn wrong(message: impl Into<String>) -> Error {
    Error::Fault(Fault::new("InvalidArgument", message))
}

/// Refuses a configuration that S3 does not take.
pub(super) fn check(given: &BucketLifecycleConfiguration) -> Result<(), Error> {
    let rules = &given.rules;
    if rules.is_empty() || rules.len() > MAX_RULES {
        return Err(Error::MalformedXML);
    }
    let mut ids = BTreeSet::new();
    for rule in rules {
        if let Some(id) = rule.id.as_deref().filter(|id| !id.is_empty()) {
            if id.chars().count() > MAX_ID_LENGTH {
                return Err(wrong("ID length should not exceed allowed limit of 255"));
            }
            if !ids.insert(id) {
                return Err(wrong("Rule ID must be unique. Found same ID for more than one rule"));
            }
        }
    }
    check_forms(rules)?;
    rules.iter().try_for_each(check_rule)?;
    check_overlaps(rules)
}

/// Refuses rules of which some have a prefix of the old form and some a filter.
fn check_forms(rules: &[LifecycleRule]) -> Result<(), Error> {
    if rules.iter().any(|rule| rule.filter.is_some() == rule.prefix.is_some()) {
        return Err(Error::MalformedXML);
    }
    let is_old = |rule: &LifecycleRule| rule.prefix.is_some();
    let begins_old = rules.first().is_some_and(is_old);
    if rules.iter().all(|rule| is_old(rule) == begins_old) {
        return Ok(());
    }
    Err(Error::request(if begins_old {
        "Filter element can only be used in Lifecycle V2."
    } else {
        "Base level prefix cannot be used in Lifecycle V2, prefixes are only supported in the Filter."
    }))
}

fn check_rule(rule: &LifecycleRule) -> Result<(), Error> {
    let has_action = rule.expiration.is_some()
        || rule.transitions.as_ref().is_some_and(|list| !list.is_empty())
        || rule.noncurrent_version_transitions.as_ref().is_some_and(|list| !list.is_empty())
        || rule.noncurrent_version_expiration.is_some()
        || rule.abort_incomplete_multipart_upload.is_some();
    if !has_action {
        return Err(Error::request("At least one action needs to be specified in a rule"));
    }
    let narrowing = check_filter(rule.filter.as_ref())?;
    if let Some(expiration) = &rule.expiration {
        check_expiration(expiration, narrowing)?;
    }
    if let Some(abort) = &rule.abort_incomplete_multipart_upload {
        if let Some(what) = narrowing.named() {
            return Err(Error::request(format!(
                "AbortIncompleteMultipartUpload cannot be specified with {what}."
            )));
        }
        match abort.days_after_initiation {
            None => return Err(Error::MalformedXML),
            Some(1..) => {}
            Some(_) => {
                return Err(wrong(
                    "'DaysAfterInitiation' for AbortIncompleteMultipartUpload action must be a positive integer",
                ));
            }
        }
    }
    if let Some(noncurrent) = &rule.noncurrent_version_expiration {
        check_noncurrent(noncurrent, rule.prefix.is_some())?;
    }
    check_transitions(rule)?;
    check_noncurrent_transitions(rule)
}

/// What a filter looks at beside prefixes.
#[derive(Clone, Copy, Default)]
struct Narrowing {
    tags: bool,
    sizes: bool,
}

impl Narrowing {
    /// How S3 names what some actions cannot be narrowed by.
    fn named(self) -> Option<&'static str> {
        match self {
            Narrowing { tags: true, .. } => Some("Tags"),
            Narrowing { sizes: true, .. } => Some("Object Size"),
            _ => None,
        }
    }
}

fn check_filter(filter: Option<&LifecycleRuleFilter>) -> Result<Narrowing, Error> {
    let Some(filter) = filter else { return Ok(Narrowing::default()) };
    let and = filter.and.clone().unwrap_or_default();
    let tags = and.tags.unwrap_or_default();
    let predicates = |given: [bool; 4]| given.into_iter().filter(|is_given| *is_given).count();
    let alone = predicates([
        filter.prefix.is_some(),
        filter.tag.is_some(),
        filter.object_size_greater_than.is_some(),
        filter.object_size_less_than.is_some(),
    ]);
    let together = tags.len()
        + predicates([
            and.prefix.is_some(),
            and.object_size_greater_than.is_some(),
            and.object_size_less_than.is_some(),
            false,
        ]);
    if alone + usize::from(filter.and.is_some()) > 1 || (filter.and.is_some() && together < 2) {
        return Err(Error::MalformedXML);
    }
    let keys: BTreeSet<&str> = tags.iter().map(|tag| &*tag.key).collect();
    if keys.len() < tags.len() {
        return Err(Error::request("Duplicate Tag Keys are not allowed."));
    }
    let greater = filter.object_size_greater_than.or(and.object_size_greater_than);
    let less = filter.object_size_less_than.or(and.object_size_less_than);
    check_sizes(greater, less)?;
    Ok(Narrowing {
        tags: filter.tag.is_some() || !tags.is_empty(),
        sizes: greater.is_some() || less.is_some(),
    })
}

fn check_sizes(greater: Option<i64>, less: Option<i64>) -> Result<(), Error> {
    if less.is_some_and(|size| !(1..=MAX_SIZE).contains(&size)) {
        let message = format!("'ObjectSizeLessThan' should be between 1 and {MAX_SIZE}.");
        return Err(Error::request(message));
    }
    if greater.is_some_and(|size| !(0..=MAX_SIZE).contains(&size)) {
        // A guess after the text of the other.
        let message = format!("'ObjectSizeGreaterThan' should be between 0 and {MAX_SIZE}.");
        return Err(Error::request(message));
    }
    match (greater, less) {
        (Some(greater), Some(less)) if less <= greater => Err(Error::request(
            "'ObjectSizeLessThan' has to be a value greater than 'ObjectSizeGreaterThan'.",
        )),
        _ => Ok(()),
    }
}

fn check_date(date: Option<fogbank_core::Timestamp>) -> Result<(), Error> {
    match date {
        Some(date) if date.millis().rem_euclid(DAY_MILLIS) != 0 => {
            Err(wrong("'Date' must be at midnight GMT"))
        }
        _ => Ok(()),
    }
}

fn check_expiration(given: &LifecycleExpiration, narrowing: Narrowing) -> Result<(), Error> {
    let count = usize::from(given.days.is_some())
        + usize::from(given.date.is_some())
        + usize::from(given.expired_object_delete_marker.is_some());
    if count != 1 {
        return Err(Error::MalformedXML);
    }
    if given.days.is_some_and(|days| days < 1) {
        return Err(wrong("'Days' for Expiration action must be a positive integer"));
    }
    if given.expired_object_delete_marker.is_some()
        && let Some(what) = narrowing.named()
    {
        return Err(Error::request(format!(
            "ExpiredObjectDeleteMarker cannot be specified with {what}."
        )));
    }
    check_date(given.date)
}

fn check_noncurrent(given: &NoncurrentVersionExpiration, is_old: bool) -> Result<(), Error> {
    let Some(days) = given.noncurrent_days else { return Err(Error::MalformedXML) };
    if given.newer_noncurrent_versions.is_some() && is_old {
        let message = "NewerNoncurrentVersions element can only be used in Lifecycle V2.";
        return Err(Error::request(message));
    }
    if days < 1 {
        return Err(wrong(
            "'NoncurrentDays' for NoncurrentVersionExpiration action must be a positive integer",
        ));
    }
    check_newer(given.newer_noncurrent_versions, "NoncurrentVersionExpiration")
}

fn check_newer(newer: Option<i32>, action: &str) -> Result<(), Error> {
    match newer {
        // More than the documented hundred were accepted. The text is a guess after those of days.
        Some(newer) if newer < 1 => Err(wrong(format!(
            "'NewerNoncurrentVersions' for {action} action must be a positive integer"
        ))),
        _ => Ok(()),
    }
}

/// How S3 names the prefix of a rule in its refusals.
fn filter_named(rule: &LifecycleRule) -> String {
    let of_filter = rule.filter.as_ref().and_then(|filter| {
        filter.prefix.as_ref().or(filter.and.as_ref().and_then(|and| and.prefix.as_ref()))
    });
    let prefix = rule.prefix.as_ref().or(of_filter);
    format!("'(prefix={})'", prefix.map_or("", |prefix| prefix))
}

fn check_transitions(rule: &LifecycleRule) -> Result<(), Error> {
    let transitions = rule.transitions.as_deref().unwrap_or_default();
    let mut classes = BTreeSet::new();
    for transition in transitions {
        check_transition(transition)?;
        let class = transition.storage_class.as_ref().map_or("", |class| class.as_str());
        if !classes.insert(class) {
            return Err(Error::request(format!(
                "'StorageClass' must be different for 'Transition' actions in same 'Rule' with filter {}",
                filter_named(rule)
            )));
        }
    }
    let expiration = rule.expiration.clone().unwrap_or_default();
    let any = |by_date: bool| {
        let of = |days: bool, date: bool| if by_date { date } else { days };
        transitions.iter().any(|given| of(given.days.is_some(), given.date.is_some()))
            || (!transitions.is_empty() && of(expiration.days.is_some(), expiration.date.is_some()))
    };
    if any(true) && any(false) {
        return Err(Error::request(format!(
            "Found mixed 'Date' and 'Days' based Expiration and Transition actions in lifecycle rule for filter {}",
            filter_named(rule)
        )));
    }
    let last = transitions.iter().filter_map(|given| given.days).max();
    if let (Some(days), Some(last)) = (expiration.days, last)
        && days <= last
    {
        return Err(wrong(format!(
            "'Days' in the Expiration action for filter {} must be greater than 'Days' in the Transition action",
            filter_named(rule)
        )));
    }
    let last = transitions.iter().filter_map(|given| given.date).max();
    if let (Some(date), Some(last)) = (expiration.date, last)
        && date <= last
    {
        return Err(wrong(format!(
            "'Date' in the Expiration action for filter {} must be later than 'Date' in the Transition action",
            filter_named(rule)
        )));
    }
    Ok(())
}

fn check_transition(given: &Transition) -> Result<(), Error> {
    let Some(class) = &given.storage_class else { return Err(Error::MalformedXML) };
    if given.days.is_some() == given.date.is_some() {
        return Err(Error::MalformedXML);
    }
    check_date(given.date)?;
    if let Some(days) = given.days {
        check_days("'Days' in Transition", days, class.as_str())?;
    }
    Ok(())
}

/// Refuses to move objects to classes of infrequent access before they are a month old.
fn check_days(what: &str, days: i32, class: &str) -> Result<(), Error> {
    let least = if matches!(class, "STANDARD_IA" | "ONEZONE_IA") { 30 } else { 0 };
    if days >= least {
        return Ok(());
    }
    Err(wrong(format!(
        "{what} action must be greater than or equal to {least} for storageClass '{class}'"
    )))
}

fn check_noncurrent_transitions(rule: &LifecycleRule) -> Result<(), Error> {
    let transitions = rule.noncurrent_version_transitions.as_deref().unwrap_or_default();
    let mut classes = BTreeSet::new();
    for given in transitions {
        let (Some(class), Some(days)) = (&given.storage_class, given.noncurrent_days) else {
            return Err(Error::MalformedXML);
        };
        check_days("'NoncurrentDays' in NoncurrentVersionTransition", days, class.as_str())?;
        check_newer(given.newer_noncurrent_versions, "NoncurrentVersionTransition")?;
        if given.newer_noncurrent_versions.is_some() && rule.prefix.is_some() {
            let message = "NewerNoncurrentVersions element can only be used in Lifecycle V2.";
            return Err(Error::request(message));
        }
        if !classes.insert(class.as_str()) {
            return Err(Error::request(format!(
                "'StorageClass' must be different for 'NoncurrentVersionTransition' actions in same 'Rule' with filter {}",
                filter_named(rule)
            )));
        }
    }
    let last = transitions.iter().filter_map(|given| given.noncurrent_days).max();
    let expiration = rule.noncurrent_version_expiration.as_ref();
    match (expiration.and_then(|given| given.noncurrent_days), last) {
        (Some(days), Some(last)) if days <= last => Err(wrong(format!(
            "'NoncurrentDays' in the NoncurrentVersionExpiration action for filter {} must be greater than 'NoncurrentDays' in the NoncurrentVersionTransition action",
            filter_named(rule)
        ))),
        _ => Ok(()),
    }
}

/// Refuses prefixes of the old form that overlap in two rules with the same kind of action.
fn check_overlaps(rules: &[LifecycleRule]) -> Result<(), Error> {
    // By prefix, only neighbours need to be compared: what lies between two that overlap overlaps, too.
    type Has = fn(&LifecycleRule) -> bool;
    let actions: [(&str, Has); 5] = [
        ("Expiration", |rule| rule.expiration.is_some()),
        ("Transition", |rule| rule.transitions.is_some()),
        ("NoncurrentVersionExpiration", |rule| rule.noncurrent_version_expiration.is_some()),
        ("NoncurrentVersionTransition", |rule| rule.noncurrent_version_transitions.is_some()),
        ("AbortIncompleteMultipartUpload", |rule| rule.abort_incomplete_multipart_upload.is_some()),
    ];
    for (action, has) in actions {
        let with = rules.iter().filter(|rule| has(rule));
        let mut prefixes: Vec<&str> = with.filter_map(|rule| rule.prefix.as_deref()).collect();
        prefixes.sort_unstable();
        if let Some(pair) = prefixes.windows(2).find(|pair| pair[1].starts_with(pair[0])) {
            return Err(Error::request(format!(
                "Found overlapping prefixes '{}' and '{}' for same action type '{action}'",
                pair[0], pair[1]
            )));
        }
    }
    Ok(())
}
