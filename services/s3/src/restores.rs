//! Restores: copies of archived objects that can be read for some days.
//!
//! A restore takes as long as S3 says that it takes at most, by the cloud's clock.

use fogbank_core::{Cx, Effect, Fault, Timestamp, Tx, WriteTx};
use serde_json::{Value, json};

use crate::error::Error;
use crate::events::{self, Change};
use crate::locks;
use crate::model::{RestoreObjectInput, RestoreObjectOutput, RestoreRequest, RestoreStatus, Tier};
use crate::payment;
use crate::reads;
use crate::store::{self, Listed, Restored};
use crate::tiering;
use crate::versions::{self, At};

/// The job that tells when a copy is there, and removes it in the end.
pub(crate) const JOB: &str = "restore";

const MINUTE_SECS: i64 = 60;
const HOUR_SECS: i64 = 3600;
const DAY_MILLIS: i64 = 86_400_000;

impl Listed {
    /// Whether the object lies in an archive, out of which it is read only by a copy.
    fn is_archived(&self) -> bool {
        matches!(self.class(), "GLACIER" | "DEEP_ARCHIVE")
    }

    /// The copy that is there or on its way.
    fn copy(&self, now: Timestamp) -> Option<Restored> {
        self.restored.filter(|copy| now.millis() < copy.until_millis)
    }

    /// `x-amz-restore`.
    pub(crate) fn restore_header(&self, now: Timestamp) -> Option<String> {
        let copy = self.copy(now)?;
        if now.millis() < copy.from_millis {
            return Some("ongoing-request=\"true\"".to_owned());
        }
        let expiry = reads::http_date(Timestamp::from_millis(copy.until_millis));
        Some(format!("ongoing-request=\"false\", expiry-date=\"{expiry}\""))
    }

    /// The restore as listings show it to those who ask.
    pub(crate) fn restore_status(&self, now: Timestamp) -> Option<RestoreStatus> {
        let copy = self.copy(now)?;
        let is_there = now.millis() >= copy.from_millis;
        Some(RestoreStatus {
            is_restore_in_progress: Some(!is_there),
            restore_expiry_date: is_there.then(|| Timestamp::from_millis(copy.until_millis)),
        })
    }

    /// Refuses to read what lies in an archive and has no copy.
    pub(crate) fn check_readable(&self, now: Timestamp) -> Result<(), Error> {
        let is_readable = !self.is_archived()
            || self.copy(now).is_some_and(|copy| copy.from_millis <= now.millis());
        match is_readable {
            true => Ok(()),
            false => Err(Error::InvalidObjectState { class: self.class().to_owned() }),
        }
    }
}

/// Whether a listing is asked to tell of restores.
pub(crate) fn is_wanted(optional: Option<&[String]>) -> bool {
    optional.is_some_and(|wanted| wanted.iter().any(|attribute| attribute == "RestoreStatus"))
}

/// Brings a copy of an archived object, or keeps the one that is there for longer.
pub(crate) fn restore(
    tx: &mut WriteTx<'_>,
    input: RestoreObjectInput,
) -> Result<RestoreObjectOutput, Error> {
    let at = (&*input.bucket, &*input.key);
    let bucket = store::expected_bucket(tx, at.0, input.expected_bucket_owner.as_deref())?;
    let request = input.restore_request.ok_or(Error::MalformedXML)?;
    check_kind(&request)?;
    let now = tx.now();
    let mut found = locks::found(tx, at, input.version_id.as_deref())?;
    let Some(object) = found.object_mut() else {
        return Err(Error::NoSuchKey { key: input.key.clone() });
    };
    let request_charged = payment::charged(tx, &bucket, input.request_payer.as_deref());
    if object.listed.class() == tiering::CLASS {
        let back_millis = tiering::restore(tx, &bucket, at, object, &request)?;
        schedule(tx, at, object.version, (back_millis, true))?;
        let status_code = Some(202);
        return Ok(RestoreObjectOutput {
            status_code,
            request_charged,
            ..RestoreObjectOutput::default()
        });
    }
    let days = days(&request)?;
    if !object.listed.is_archived() {
        let message = "Restore is not allowed for the object's current storage class";
        let fault = Fault::new("InvalidObjectState", message);
        return Err(Error::Fault(fault.with("StorageClass", object.listed.class())));
    }
    let known = object.listed.copy(now);
    let under_way = known.is_some_and(|copy| now.millis() < copy.from_millis);
    let soonest = || Ok::<_, Error>(now.plus_secs(wait_secs(&request, &object.listed)?).millis());
    let from_millis = match known {
        // A faster tier may be asked for while a slower one is at work.
        Some(copy) if under_way => sooner(copy, &request, soonest()?)?,
        Some(copy) => copy.from_millis,
        None => soonest()?,
    };
    let until_millis = expiry_millis(from_millis.max(now.millis()), days);
    object.listed.restored = Some(Restored { from_millis, until_millis });
    let is_there = known.is_some() && !under_way;
    let status_code = if is_there { 200 } else { 202 };
    if known.is_none() {
        events::emit(tx, &bucket, at.0, &Change::restored("Post", at.1, object))?;
    }
    if !is_there {
        schedule(tx, at, object.version, (from_millis, true))?;
    }
    versions::save(tx, at, found)?;
    Ok(RestoreObjectOutput {
        status_code: Some(status_code),
        request_charged,
        ..RestoreObjectOutput::default()
    })
}

/// When a copy that is under way will be there by a faster tier than the one at work.
fn sooner(copy: Restored, request: &RestoreRequest, from_millis: i64) -> Result<i64, Error> {
    let names_tier = request.tier.is_some() || request.glacier_job_parameters.is_some();
    if names_tier && from_millis < copy.from_millis {
        return Ok(from_millis);
    }
    let message = "Object restore is already in progress";
    Err(Error::Fault(Fault::new("RestoreAlreadyInProgress", message)))
}

/// Refuses what is no restore.
fn check_kind(request: &RestoreRequest) -> Result<(), Error> {
    if request.r#type.is_some()
        || request.select_parameters.is_some()
        || request.output_location.is_some()
    {
        return Err(Error::header("RestoreRequest", "Select in restores ended in 2024"));
    }
    Ok(())
}

/// For how many days the copy is wanted.
fn days(request: &RestoreRequest) -> Result<i64, Error> {
    match request.days {
        None => Err(Error::MalformedXML),
        Some(days) if days < 1 => {
            let message = "restoration days should be at least 1";
            Err(Error::argument("Days", days, message))
        }
        Some(days) => Ok(i64::from(days)),
    }
}

/// How long the copy takes, as the tier and the archive have it.
fn wait_secs(request: &RestoreRequest, listed: &Listed) -> Result<i64, Error> {
    let of_job = request.glacier_job_parameters.as_ref().map(|parameters| parameters.tier);
    let tier = of_job.or(request.tier).unwrap_or(Tier::Standard);
    let is_deep = listed.class() == "DEEP_ARCHIVE";
    Ok(match tier {
        Tier::Expedited if is_deep => {
            // The words are a guess.
            let message = "Retrieval option is not supported by this storage class";
            return Err(Error::argument("Tier", "Expedited", message));
        }
        Tier::Expedited => 5 * MINUTE_SECS,
        Tier::Standard if is_deep => 12 * HOUR_SECS,
        Tier::Standard => 5 * HOUR_SECS,
        Tier::Bulk if is_deep => 48 * HOUR_SECS,
        Tier::Bulk => 12 * HOUR_SECS,
    })
}

/// The midnight, by UTC, after so many days.
fn expiry_millis(from_millis: i64, days: i64) -> i64 {
    let end = from_millis.saturating_add(days.saturating_mul(DAY_MILLIS));
    end.div_euclid(DAY_MILLIS).saturating_add(1).saturating_mul(DAY_MILLIS)
}

/// Has the job look at the object at a time, and tell that the copy is there or remove it.
fn schedule(
    tx: &mut WriteTx<'_>,
    at: At<'_>,
    version: u64,
    (millis, tells): (i64, bool),
) -> Result<(), Error> {
    let wait = millis.saturating_sub(tx.now().millis()).max(0).div_euclid(1000) + 1;
    let input =
        json!({"bucket": at.0, "key": at.1, "version": version, "tells": tells, "due": millis});
    let effect = Effect::job("s3:restore", &input);
    Ok(tx.emit(effect.delayed(u32::try_from(wait).unwrap_or(u32::MAX)))?)
}

/// Tells that a copy is there, or removes it when its days are over. The object may be gone or another by now.
pub(crate) async fn run(cx: Cx, input: Value) -> Result<(), Fault> {
    let text = |name: &str| input[name].as_str().unwrap_or_default();
    let at = (text("bucket"), text("key"));
    let version = input["version"].as_u64().unwrap_or_default();
    let tells = input["tells"] == true;
    let due = input["due"].as_i64();
    Ok(cx.write(|tx| look(tx, at, version, (tells, due))).await?)
}

fn look(
    tx: &mut WriteTx<'_>,
    at: At<'_>,
    version: u64,
    (tells, due): (bool, Option<i64>),
) -> Result<(), Error> {
    let Ok(bucket) = store::bucket(tx, at.0) else { return Ok(()) };
    let Some(mut found) = versions::numbered(tx, at, version)? else { return Ok(()) };
    let now = tx.now().millis();
    let Some(object) = found.object_mut() else { return Ok(()) };
    if object.listed.class() == tiering::CLASS {
        return match tiering::bring_back(tx, &bucket, at, object)? {
            Some(millis) => schedule(tx, at, version, (millis, true)),
            None => Ok(()),
        };
    }
    let Some(copy) = object.listed.restored else { return Ok(()) };
    if tells && due.is_some_and(|due| due > copy.from_millis) {
        // A faster tier was asked for since, which has a look of its own.
        return Ok(());
    }
    if now < copy.from_millis {
        return schedule(tx, at, version, (copy.from_millis, tells));
    }
    if tells {
        events::emit(tx, &bucket, at.0, &Change::restored("Completed", at.1, object))?;
    }
    if now < copy.until_millis {
        return schedule(tx, at, version, (copy.until_millis, false));
    }
    object.listed.restored = None;
    events::emit(tx, &bucket, at.0, &Change::restored("Delete", at.1, object))?;
    versions::save(tx, at, found)
}
