//! Bringing objects back out of the archives of intelligent tiering: for good, so that nobody says for how many days.

use fogbank_core::{Fault, Tx, WriteTx};

use super::tiers::{self, Archive, CLASS, Tiered};
use crate::error::Error;
use crate::events::{self, Change};
use crate::model::{RestoreRequest, Tier};
use crate::store::{Bucket, Object, TIERED};
use crate::versions::At;

const MINUTE_SECS: i64 = 60;
const HOUR_SECS: i64 = 3600;

/// How long a restore takes at most, as AWS has it for the archive and the tier of the request.
fn wait_secs(request: &RestoreRequest, archive: Archive) -> Result<i64, Error> {
    let of_job = request.glacier_job_parameters.as_ref().map(|parameters| parameters.tier);
    let tier = of_job.or(request.tier).unwrap_or(Tier::Standard);
    Ok(match (tier, archive) {
        (Tier::Expedited, Archive::Archive) => 5 * MINUTE_SECS,
        (Tier::Expedited, Archive::Deep) => {
            let message = "Retrieval option is not supported by this storage class";
            return Err(Error::argument("Tier", "Expedited", message));
        }
        (Tier::Bulk, Archive::Archive) | (Tier::Standard, Archive::Deep) => 12 * HOUR_SECS,
        (Tier::Standard, Archive::Archive) => 5 * HOUR_SECS,
        (Tier::Bulk, Archive::Deep) => 48 * HOUR_SECS,
    })
}

/// Begins to bring a version back; the time at which it is there.
pub(crate) fn restore(
    tx: &mut WriteTx<'_>,
    bucket: &Bucket,
    at: At<'_>,
    object: &Object,
    request: &RestoreRequest,
) -> Result<i64, Error> {
    if let Some(days) = request.days {
        // That AWS refuses it is known, its words are not.
        let message = "Days must not be specified for objects of the INTELLIGENT_TIERING class";
        return Err(Error::argument("Days", days, message));
    }
    let now = tx.now();
    let tiered = tiers::of(tx, at, object)?.unwrap_or_else(|| Tiered::fresh(&object.listed));
    let Some(archive) = tiered.archive(now) else {
        let message = "Restore is not allowed for the object's current storage class";
        let fault = Fault::new("InvalidObjectState", message).with("StorageClass", CLASS);
        return Err(Error::Fault(fault));
    };
    if tiered.is_coming(now) {
        let message = "Object restore is already in progress";
        return Err(Error::Fault(Fault::new("RestoreAlreadyInProgress", message)));
    }
    let back_millis = now.plus_secs(wait_secs(request, archive)?).millis();
    let row = Tiered { back_millis: Some(back_millis), ..tiered };
    TIERED.put(tx, &(at.0, at.1, object.version), &row)?;
    events::emit(tx, bucket, at.0, &Change::restored("Post", at.1, object))?;
    Ok(back_millis)
}

/// Notes that a version is back, and tells so; the time at which it will be, if it is not yet.
pub(crate) fn bring_back(
    tx: &mut WriteTx<'_>,
    bucket: &Bucket,
    at: At<'_>,
    object: &Object,
) -> Result<Option<i64>, Error> {
    let place = (at.0, at.1, object.version);
    let Some(row) = TIERED.get(tx, &place)? else { return Ok(None) };
    let Some(back_millis) = row.back_millis else { return Ok(None) };
    if tx.now().millis() < back_millis {
        return Ok(Some(back_millis));
    }
    let back = Tiered { accessed_millis: back_millis, archive: None, back_millis: None };
    TIERED.put(tx, &place, &back)?;
    events::emit(tx, bucket, at.0, &Change::restored("Completed", at.1, object))?;
    Ok(None)
}
