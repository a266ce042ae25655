//! Object Lock: until when versions must stay, told by requests, by the bucket's default, or by legal holds.

use fogbank_core::{Access, Fault, ReadTx, Timestamp, Tx, WriteTx};

use crate::access::object_arn;
use crate::error::Error;
use crate::events::{self, Change};
use crate::model::{
    DefaultRetention as ShownDefault, GetObjectLegalHoldInput, GetObjectLegalHoldOutput,
    GetObjectLockConfigurationInput, GetObjectLockConfigurationOutput, GetObjectRetentionInput,
    GetObjectRetentionOutput, ObjectLockConfiguration, ObjectLockEnabled, ObjectLockLegalHold,
    ObjectLockRetention, ObjectLockRetentionMode, ObjectLockRule, PutObjectLegalHoldInput,
    PutObjectLegalHoldOutput, PutObjectLockConfigurationInput, PutObjectLockConfigurationOutput,
    PutObjectRetentionInput, PutObjectRetentionOutput,
};
use crate::replication;
use crate::store::{self, BUCKETS, Bucket, DefaultRetention, Object, Retention, Versioning};
use crate::versions::{self, At, Found, Removal};

const DAY_MILLIS: i64 = 86_400_000;
/// The longest default retention: a hundred years.
const MAX_DAYS: i32 = 36_500;
const MAX_YEARS: i32 = 100;

/// What a write asks of the lock.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Asked {
    pub(crate) retention: Option<Retention>,
    /// None if nothing is said.
    pub(crate) legal_hold: Option<bool>,
}

/// Reads the headers of a write.
pub(crate) fn asked(
    mode: Option<&str>,
    until: Option<Timestamp>,
    legal_hold: Option<&str>,
) -> Result<Asked, Error> {
    let retention = match (mode, until) {
        (None, None) => None,
        (Some(mode), Some(until)) => {
            let is_compliance = match mode {
                "GOVERNANCE" => false,
                "COMPLIANCE" => true,
                other => {
                    let message = "Unknown wormMode directive.";
                    return Err(Error::argument("x-amz-object-lock-mode", other, message));
                }
            };
            Some(Retention { is_compliance, until_millis: until.millis() })
        }
        (given, _) => {
            let message = "x-amz-object-lock-retain-until-date and x-amz-object-lock-mode must both be supplied";
            let missing = match given {
                Some(_) => "x-amz-object-lock-retain-until-date",
                None => "x-amz-object-lock-mode",
            };
            return Err(Error::argument(missing, "null", message));
        }
    };
    let legal_hold = match legal_hold {
        None => None,
        Some("ON") => Some(true),
        Some("OFF") => Some(false),
        Some(other) => {
            let message = "Legal Hold must be either of 'ON' or 'OFF'";
            return Err(Error::argument("x-amz-object-lock-legal-hold", other, message));
        }
    };
    Ok(Asked { retention, legal_hold })
}

/// The lock of a new version: what the request asks for, or else the bucket's default.
pub(crate) fn settle(
    bucket: &Bucket,
    asked: Asked,
    now: Timestamp,
) -> Result<(Option<Retention>, bool), Error> {
    if !bucket.has_lock {
        return match asked {
            Asked { retention: None, legal_hold: None } => Ok((None, false)),
            _ => Err(Error::request("Bucket is missing Object Lock Configuration")),
        };
    }
    if let Some(retention) = asked.retention {
        check_date(retention, now)?;
    }
    let default = bucket.retention.map(|default| Retention {
        is_compliance: default.is_compliance,
        until_millis: end_of(default, now),
    });
    Ok((asked.retention.or(default), asked.legal_hold.unwrap_or_default()))
}

fn check_date(retention: Retention, now: Timestamp) -> Result<(), Error> {
    if retention.until_millis > now.millis() {
        return Ok(());
    }
    let message = "The retain until date must be in the future!";
    let name = "x-amz-object-lock-retain-until-date";
    Err(Error::argument(name, iso(retention.until_millis), message))
}

fn iso(millis: i64) -> String {
    crate::events::iso(Timestamp::from_millis(millis))
}

/// When a retention by default ends that begins now. A year is 365 days.
fn end_of(default: DefaultRetention, now: Timestamp) -> i64 {
    let days = i64::from(default.count) * if default.is_years { 365 } else { 1 };
    now.millis().saturating_add(days.saturating_mul(DAY_MILLIS))
}

fn protected() -> Error {
    Error::Fault(Fault::access_denied("Access Denied because object protected by object lock."))
}

/// Refuses to remove a version that is locked.
pub(crate) fn check(
    tx: &(impl Tx + ?Sized),
    at: At<'_>,
    object: &Object,
    removal: Removal<'_>,
) -> Result<(), Error> {
    let Some(more) = &object.more else { return Ok(()) };
    if more.legal_hold {
        return Err(protected());
    }
    match more.retention {
        Some(retention) if retention.until_millis > tx.now().millis() => {
            if retention.is_compliance || !removal.bypasses_governance || !may_bypass(tx, at) {
                return Err(protected());
            }
            Ok(())
        }
        _ => Ok(()),
    }
}

fn may_bypass(tx: &(impl Tx + ?Sized), at: At<'_>) -> bool {
    let access = Access::to("s3:BypassGovernanceRetention", object_arn(at.0, at.1));
    tx.cx().authorise(&access).is_ok()
}

/// Sets how a bucket locks its new versions.
pub(crate) fn configure(
    tx: &mut WriteTx<'_>,
    input: PutObjectLockConfigurationInput,
) -> Result<PutObjectLockConfigurationOutput, Error> {
    let name = &input.bucket;
    let mut bucket = store::expected_bucket(tx, name, input.expected_bucket_owner.as_deref())?;
    let given = input.object_lock_configuration.ok_or(Error::MalformedXML)?;
    if bucket.versioning != Versioning::Enabled {
        let message =
            "Versioning must be 'Enabled' on the bucket to apply a Object Lock configuration";
        return Err(Error::Fault(Fault::new("InvalidBucketState", message)));
    }
    if given.object_lock_enabled.is_none() {
        return Err(Error::MalformedXML);
    }
    bucket.retention = match given.rule {
        None => None,
        Some(rule) => Some(default_of(rule.default_retention.ok_or(Error::MalformedXML)?)?),
    };
    bucket.has_lock = true;
    BUCKETS.put(tx, name, &bucket)?;
    Ok(PutObjectLockConfigurationOutput::default())
}

fn default_of(given: ShownDefault) -> Result<DefaultRetention, Error> {
    if given.default_event_hold.is_some() {
        return Err(Error::header("DefaultEventHold", "Fogbank's S3 has no event holds yet"));
    }
    let is_compliance = match given.mode {
        Some(mode) => mode == ObjectLockRetentionMode::Compliance,
        None => return Err(Error::MalformedXML),
    };
    let (count, is_years, limit) = match (given.days, given.years) {
        (Some(days), None) => (days, false, MAX_DAYS),
        (None, Some(years)) => (years, true, MAX_YEARS),
        _ => return Err(Error::MalformedXML),
    };
    if count <= 0 {
        let message = "Default retention period must be a positive integer value.";
        let name = if is_years { "years" } else { "days" };
        return Err(Error::argument(name, count, message).renamed("InvalidRetentionPeriod"));
    }
    if count > limit {
        let name = if is_years { "years" } else { "days" };
        let message = format!("Default retention period too large: maximum is {limit} {name}.");
        return Err(Error::argument(name, count, message).renamed("InvalidRetentionPeriod"));
    }
    Ok(DefaultRetention { is_compliance, is_years, count: count.unsigned_abs() })
}

fn mode(is_compliance: bool) -> ObjectLockRetentionMode {
    if is_compliance {
        ObjectLockRetentionMode::Compliance
    } else {
        ObjectLockRetentionMode::Governance
    }
}

/// How a bucket locks its new versions.
pub(crate) fn configuration(
    tx: &ReadTx<'_>,
    input: GetObjectLockConfigurationInput,
) -> Result<GetObjectLockConfigurationOutput, Error> {
    let bucket = store::expected_bucket(tx, &input.bucket, input.expected_bucket_owner.as_deref())?;
    if !bucket.has_lock {
        return Err(Error::ObjectLockConfigurationNotFoundError { bucket: input.bucket });
    }
    let rule = bucket.retention.map(|default| {
        let count = i32::try_from(default.count).ok();
        ObjectLockRule {
            default_retention: Some(ShownDefault {
                mode: Some(mode(default.is_compliance)),
                days: count.filter(|_| !default.is_years),
                years: count.filter(|_| default.is_years),
                default_event_hold: None,
            }),
        }
    });
    Ok(GetObjectLockConfigurationOutput {
        object_lock_configuration: Some(ObjectLockConfiguration {
            object_lock_enabled: Some(ObjectLockEnabled::Enabled),
            rule,
        }),
    })
}

/// The version whose lock is meant, and its bucket, which locks.
fn locked(
    tx: &(impl Tx + ?Sized),
    at: At<'_>,
    version_id: Option<&str>,
    owner: Option<&str>,
) -> Result<(Bucket, Found), Error> {
    let bucket = store::expected_bucket(tx, at.0, owner)?;
    if !bucket.has_lock {
        return Err(Error::request("Bucket is missing Object Lock Configuration"));
    }
    let found = found(tx, at, version_id)?;
    Ok((bucket, found))
}

/// A version that is an object.
pub(crate) fn found(
    tx: &(impl Tx + ?Sized),
    at: At<'_>,
    version_id: Option<&str>,
) -> Result<Found, Error> {
    match versions::find(tx, at, version_id)? {
        Some(found @ (Found::Current(_) | Found::Older(..))) => Ok(found),
        // `read` has the words for what is no object.
        _ => Err(match versions::read(tx, at, version_id) {
            Err(error) => error,
            Ok(_) => Error::NoSuchKey { key: at.1.to_owned() },
        }),
    }
}

/// Sets until when a version must stay.
pub(crate) fn put_retention(
    tx: &mut WriteTx<'_>,
    input: PutObjectRetentionInput,
) -> Result<PutObjectRetentionOutput, Error> {
    let at = (&*input.bucket, &*input.key);
    let owner = input.expected_bucket_owner.as_deref();
    let (bucket, mut found) = locked(tx, at, input.version_id.as_deref(), owner)?;
    let given = input.retention.unwrap_or_default();
    if given.event_hold.is_some() || given.event_hold_duration.is_some() {
        return Err(Error::header("EventHold", "Fogbank's S3 has no event holds yet"));
    }
    let asked = match (given.mode, given.retain_until_date) {
        (Some(mode), Some(until)) => Some(Retention {
            is_compliance: mode == ObjectLockRetentionMode::Compliance,
            until_millis: until.millis(),
        }),
        (None, None) => None,
        _ => return Err(Error::MalformedXML),
    };
    if let Some(asked) = asked {
        check_date(asked, tx.now())?;
    }
    let object = found.object_mut();
    let now = tx.now().millis();
    let before = object.and_then(|object| object.more.as_ref()?.retention);
    if let Some(before) = before.filter(|before| before.until_millis > now) {
        let weakens = asked.is_none_or(|asked| {
            asked.until_millis < before.until_millis
                || (before.is_compliance && !asked.is_compliance)
        });
        let changes_mode = asked.is_some_and(|asked| asked.is_compliance != before.is_compliance);
        let bypasses = input.bypass_governance_retention == Some(true);
        let is_allowed = match before.is_compliance {
            true => !weakens,
            false => !(weakens || changes_mode) || (bypasses && may_bypass(tx, at)),
        };
        if !is_allowed {
            return Err(protected());
        }
    }
    if let Some(object) = found.object_mut() {
        object.more_mut().retention = asked;
        events::emit(tx, &bucket, at.0, &Change::retained(at.1, object))?;
        replication::changed(tx, &bucket, at, object)?;
    }
    versions::save(tx, at, found)?;
    Ok(PutObjectRetentionOutput::default())
}

/// Until when a version must stay.
pub(crate) fn get_retention(
    tx: &ReadTx<'_>,
    input: GetObjectRetentionInput,
) -> Result<GetObjectRetentionOutput, Error> {
    let at = (&*input.bucket, &*input.key);
    let owner = input.expected_bucket_owner.as_deref();
    let (_, mut found) = locked(tx, at, input.version_id.as_deref(), owner)?;
    let retention = found.object_mut().and_then(|object| object.more.as_ref()?.retention);
    let Some(retention) = retention else { return Err(no_lock(&input.key)) };
    Ok(GetObjectRetentionOutput {
        retention: Some(ObjectLockRetention {
            mode: Some(mode(retention.is_compliance)),
            retain_until_date: Some(Timestamp::from_millis(retention.until_millis)),
            ..ObjectLockRetention::default()
        }),
    })
}

fn no_lock(key: &str) -> Error {
    let message = "The specified object does not have a ObjectLock configuration";
    Error::Fault(Fault::new("NoSuchObjectLockConfiguration", message).with("Key", key))
}

/// Holds a version, or lets it go.
pub(crate) fn put_legal_hold(
    tx: &mut WriteTx<'_>,
    input: PutObjectLegalHoldInput,
) -> Result<PutObjectLegalHoldOutput, Error> {
    let at = (&*input.bucket, &*input.key);
    let owner = input.expected_bucket_owner.as_deref();
    let (bucket, mut found) = locked(tx, at, input.version_id.as_deref(), owner)?;
    let status = input.legal_hold.and_then(|hold| hold.status);
    let legal_hold = match status.as_deref() {
        Some("ON") => true,
        Some("OFF") => false,
        _ => return Err(Error::MalformedXML),
    };
    if let Some(object) = found.object_mut() {
        object.more_mut().legal_hold = legal_hold;
        replication::changed(tx, &bucket, at, object)?;
    }
    versions::save(tx, at, found)?;
    Ok(PutObjectLegalHoldOutput::default())
}

/// Whether a version is held.
pub(crate) fn get_legal_hold(
    tx: &ReadTx<'_>,
    input: GetObjectLegalHoldInput,
) -> Result<GetObjectLegalHoldOutput, Error> {
    let at = (&*input.bucket, &*input.key);
    let owner = input.expected_bucket_owner.as_deref();
    let (_, mut found) = locked(tx, at, input.version_id.as_deref(), owner)?;
    let Some(more) = found.object_mut().and_then(|object| object.more.as_ref()) else {
        return Err(no_lock(&input.key));
    };
    let status = if more.legal_hold { "ON" } else { "OFF" };
    Ok(GetObjectLegalHoldOutput {
        legal_hold: Some(ObjectLockLegalHold { status: Some(status.to_owned()) }),
    })
}
