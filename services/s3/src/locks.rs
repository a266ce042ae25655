//! Object Lock: until when versions must stay, told by requests, by the bucket's default, or by legal holds.

use fogbank_core::{Access, Cx, Fault, ReadTx, Timestamp, Tx, WriteTx};

use crate::access::object_arn;
use crate::error::Error;
use crate::events::{self, Change};
use crate::holds;
use crate::model::{
    DefaultRetention as ShownDefault, EventHoldDuration, GetObjectLegalHoldInput,
    GetObjectLegalHoldOutput, GetObjectLockConfigurationInput, GetObjectLockConfigurationOutput,
    GetObjectRetentionInput, GetObjectRetentionOutput, ObjectLockConfiguration, ObjectLockEnabled,
    ObjectLockLegalHold, ObjectLockRetention, ObjectLockRetentionMode, ObjectLockRule,
    PutObjectLegalHoldInput, PutObjectLegalHoldOutput, PutObjectLockConfigurationInput,
    PutObjectLockConfigurationOutput, PutObjectRetentionInput, PutObjectRetentionOutput,
};
use crate::replication;
use crate::store::{
    self, BUCKETS, Bucket, DefaultRetention, Object, Period, Retention, RetentionMode, Versioning,
};
use crate::versions::{self, At, Found, Removal};

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
    hold: holds::Given,
) -> Result<Asked, Error> {
    let is_compliance = |mode: &str| match mode {
        "GOVERNANCE" => Ok(false),
        "COMPLIANCE" => Ok(true),
        other => {
            let message = "Unknown wormMode directive.";
            Err(Error::argument("x-amz-object-lock-mode", other, message))
        }
    };
    let until = until.map(Timestamp::millis);
    let retention = match (mode, until, hold.asked()?) {
        (None, None, None) => None,
        (Some(mode), until, Some(holds::Asked::On(period))) => {
            Some(held(is_compliance(mode)?, period, until.unwrap_or_default()))
        }
        (Some(mode), Some(until), _) => Some(Retention::fixed(is_compliance(mode)?, until)),
        (given, ..) => {
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

/// A retention with an event hold that is on.
fn held(is_compliance: bool, period: Period, until_millis: i64) -> Retention {
    let mode = RetentionMode::Held { is_compliance, is_on: true, period };
    Retention { mode, until_millis }
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
        // A hold may come without a date.
        let is_dated = retention.hold().is_none() || retention.until_millis != 0;
        let name = "x-amz-object-lock-retain-until-date";
        check_date(Some(retention.until_millis).filter(|_| is_dated), now, (name, iso))?;
    }
    let until = bucket.retention.map(|default| default.period.end_millis(now));
    let default = match (bucket.retention, bucket.event_hold) {
        (_, Some(hold)) => Some(held(hold.is_compliance, hold.period, until.unwrap_or_default())),
        (Some(default), None) => until.map(|until| Retention::fixed(default.is_compliance, until)),
        (None, None) => None,
    };
    Ok((asked.retention.or(default), asked.legal_hold.unwrap_or_default()))
}

/// Refuses a date that has been, by the name that the request has for it and as S3 then writes it.
fn check_date(
    until_millis: Option<i64>,
    now: Timestamp,
    (name, written): (&str, fn(i64) -> String),
) -> Result<(), Error> {
    let Some(until) = until_millis.filter(|until| *until <= now.millis()) else { return Ok(()) };
    let message = "The retain until date must be in the future!";
    Err(Error::argument(name, written(until), message))
}

/// A date of a document as S3 repeats it, in whatever region: `Tue Dec 31 16:00:00 PST 2019`.
fn pacific(millis: i64) -> String {
    let zone = jiff::tz::TimeZone::posix("PST8PDT,M3.2.0,M11.1.0");
    let time = zone.and_then(|zone| Ok(jiff::Timestamp::from_millisecond(millis)?.to_zoned(zone)));
    time.map(|time| time.strftime("%a %b %d %H:%M:%S %Z %Y").to_string()).unwrap_or_default()
}

fn iso(millis: i64) -> String {
    crate::events::iso(Timestamp::from_millis(millis))
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
        Some(retention) if retention.end_millis(tx.now()) > tx.now().millis() => {
            if retention.is_compliance() || !removal.bypasses_governance || !may_bypass(tx, at) {
                return Err(protected());
            }
            Ok(())
        }
        _ => Ok(()),
    }
}

fn may_bypass(tx: &(impl Tx + ?Sized), at: At<'_>) -> bool {
    may(tx.cx(), "s3:BypassGovernanceRetention", at)
}

fn may(cx: &Cx, action: &'static str, at: At<'_>) -> bool {
    cx.authorise(&Access::to(action, object_arn(at.0, at.1))).is_ok()
}

/// Takes from an object what the caller is not to be told of its lock.
pub(crate) fn conceal(cx: &Cx, at: At<'_>, object: &mut Object) {
    let Some(more) = &mut object.more else { return };
    if more.retention.is_some() && !may(cx, "s3:GetObjectRetention", at) {
        more.retention = None;
    }
    more.legal_hold = more.legal_hold && may(cx, "s3:GetObjectLegalHold", at);
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
    (bucket.retention, bucket.event_hold) = match given.rule {
        None => (None, None),
        Some(rule) => defaults_of(&rule.default_retention.ok_or(Error::MalformedXML)?)?,
    };
    bucket.has_lock = true;
    BUCKETS.put(tx, name, &bucket)?;
    Ok(PutObjectLockConfigurationOutput::default())
}

/// The default retention and the default event hold: one of them, or both.
type Defaults = (Option<DefaultRetention>, Option<DefaultRetention>);

fn defaults_of(given: &ShownDefault) -> Result<Defaults, Error> {
    let is_compliance = match given.mode {
        Some(mode) => mode == ObjectLockRetentionMode::Compliance,
        None => return Err(Error::MalformedXML),
    };
    let default = |period| DefaultRetention { is_compliance, period };
    let hold = given.default_event_hold.as_ref();
    let hold = hold.map(|given| holds::period((given.days, given.years))).transpose()?;
    if hold.is_some() && given.days.is_none() && given.years.is_none() {
        return Ok((None, hold.map(default)));
    }
    Ok((Some(default(default_period(given)?)), hold.map(default)))
}

fn default_period(given: &ShownDefault) -> Result<Period, Error> {
    let (count, is_years, limit) = match (given.days, given.years) {
        (Some(days), None) => (days, false, holds::MAX_DAYS),
        (None, Some(years)) => (years, true, holds::MAX_YEARS),
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
    Ok(Period { is_years, count: count.unsigned_abs() })
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
    let rule = bucket.retention.or(bucket.event_hold).map(|default| {
        let period = bucket.retention.map(|default| holds::shown(default.period));
        let period = period.unwrap_or_default();
        ObjectLockRule {
            default_retention: Some(ShownDefault {
                mode: Some(mode(default.is_compliance)),
                days: period.days,
                years: period.years,
                default_event_hold: bucket.event_hold.map(|hold| holds::shown(hold.period)),
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
    let before = found.object_mut().and_then(|object| object.more.as_ref()?.retention);
    let bypasses = input.bypass_governance_retention == Some(true)
        && before.is_some_and(|before| !before.is_compliance())
        && may_bypass(tx, at);
    let asked = wanted(&given, before, bypasses, tx.now())?;
    if !bypasses && before.is_some_and(|before| forbids(before, asked, tx.now())) {
        return Err(protected());
    }
    if let Some(object) = found.object_mut() {
        object.more_mut().retention = asked;
        events::emit(tx, &bucket, at.0, &Change::retained(at.1, object, tx.now()))?;
        replication::changed(tx, &bucket, at, object)?;
    }
    versions::save(tx, at, found)?;
    Ok(PutObjectRetentionOutput::default())
}

/// The retention that a document makes of the one before, which may be passed over.
fn wanted(
    given: &ObjectLockRetention,
    before: Option<Retention>,
    bypasses: bool,
    now: Timestamp,
) -> Result<Option<Retention>, Error> {
    let until = given.retain_until_date.map(Timestamp::millis);
    let duration = given.event_hold_duration.as_ref();
    let hold = holds::Given::document(given.event_hold, duration, given.mode.is_some()).asked()?;
    let is_compliance = match given.mode {
        Some(mode) => mode == ObjectLockRetentionMode::Compliance,
        None if until.is_none() => return Ok(None),
        None => return Err(Error::MalformedXML),
    };
    check_date(until, now, ("RetainUntilDate", pacific))?;
    let is_held = before.and_then(Retention::hold).filter(|(is_on, _)| *is_on);
    // Of two dates the later one counts where a hold is set, shortened or released.
    let earliest = before.filter(|_| !bypasses).map_or(0, |before| before.end_millis(now));
    let until_or_earliest = until.unwrap_or_default().max(earliest);
    Ok(Some(match (hold, is_held, until) {
        (Some(holds::Asked::On(period)), ..) => held(is_compliance, period, until_or_earliest),
        (Some(holds::Asked::Off), Some((_, period)), _) => {
            let end = period.end_millis(now).max(until_or_earliest);
            let mode = RetentionMode::Held { is_compliance, is_on: false, period };
            Retention { mode, until_millis: end }
        }
        // That a document without a word of the hold leaves it on is a guess.
        (None, Some((_, period)), Some(_)) => held(is_compliance, period, until_or_earliest),
        (_, None, Some(until)) => Retention::fixed(is_compliance, until),
        (Some(holds::Asked::Off), None, None) => {
            let message = "An event hold that is OFF requires a retain until date";
            return Err(Error::argument("EventHold", "OFF", message));
        }
        (None, _, None) => return Err(Error::MalformedXML),
    }))
}

/// Whether the retention before, unless it is passed over, forbids the one that is asked for.
fn forbids(before: Retention, asked: Option<Retention>, now: Timestamp) -> bool {
    let until = before.end_millis(now);
    let differs = |asked: Retention| {
        asked.end_millis(now) < until || asked.is_compliance() != before.is_compliance()
    };
    until > now.millis() && asked.is_none_or(differs)
}

/// The retention of a copy whose version has changed: a hold that was released there is released here now.
pub(crate) fn repeated(
    copy: Option<Retention>,
    version: Option<Retention>,
    now: Timestamp,
) -> Option<Retention> {
    let is_on =
        |retention: Option<Retention>| retention.and_then(Retention::hold).map(|hold| hold.0);
    match (copy, version) {
        (Some(here), Some(there)) if is_on(copy) == Some(true) && is_on(version) == Some(false) => {
            let until_millis = here.end_millis(now).max(there.until_millis);
            Some(Retention { until_millis, ..there })
        }
        _ => version,
    }
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
    let (event_hold, duration) = holds::told(Some(retention));
    Ok(GetObjectRetentionOutput {
        retention: Some(ObjectLockRetention {
            mode: Some(mode(retention.is_compliance())),
            retain_until_date: Some(Timestamp::from_millis(retention.end_millis(tx.now()))),
            event_hold,
            event_hold_duration: (duration != EventHoldDuration::default()).then_some(duration),
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
