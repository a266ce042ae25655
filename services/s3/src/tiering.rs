//! Intelligent tiering: when objects of the class `INTELLIGENT_TIERING` that nobody reads go to archives.

mod restores;
mod sweep;
mod tiers;

use fogbank_core::{ReadTx, WriteTx};

use crate::error::Error;
use crate::identified::{self, Kind, named};
use crate::model::*;
pub(crate) use restores::{bring_back, restore};
pub(crate) use sweep::run;
#[cfg(test)]
pub(crate) use tiers::Archive;
pub(crate) use tiers::{
    ACCESSES, CLASS, Tiered, Watched, accessed, check_readable, entered, note, of,
};

const KIND: Kind = Kind("intelligent-tiering");
/// The most days that a tier may wait.
const MAX_DAYS: i32 = 730;

/// Keeps one.
pub(crate) fn put(
    tx: &mut WriteTx<'_>,
    input: PutBucketIntelligentTieringConfigurationInput,
) -> Result<PutBucketIntelligentTieringConfigurationOutput, Error> {
    let named = named!(input);
    named.bucket_row(tx)?;
    let given = &input.intelligent_tiering_configuration;
    if given.id != input.id {
        return Err(Error::MalformedXML);
    }
    check(given)?;
    identified::put(tx, KIND, &named, given)?;
    sweep::begin(tx, named.bucket)?;
    Ok(PutBucketIntelligentTieringConfigurationOutput {})
}

/// Refuses filters and tiers that make no sense.
fn check(given: &IntelligentTieringConfiguration) -> Result<(), Error> {
    if let Some(filter) = &given.filter {
        let members = [filter.prefix.is_some(), filter.tag.is_some(), filter.and.is_some()];
        if members.iter().filter(|given| **given).count() > 1 {
            return Err(Error::MalformedXML);
        }
        if let Some(and) = &filter.and
            && and.tags.as_ref().is_none_or(Vec::is_empty)
        {
            return Err(Error::MalformedXML);
        }
    }
    if given.tierings.is_empty() {
        return Err(Error::MalformedXML);
    }
    given.tierings.iter().enumerate().try_for_each(|(index, tiering)| {
        let is_again = |other: &Tiering| other.access_tier == tiering.access_tier;
        if given.tierings[..index].iter().any(is_again) {
            return Err(Error::MalformedXML);
        }
        check_days(tiering)
    })
}

/// AWS's words for too few days are known; those for too many are made after them.
fn check_days(tiering: &Tiering) -> Result<(), Error> {
    let least = match tiering.access_tier {
        IntelligentTieringAccessTier::DeepArchiveAccess => 180,
        _ => 90,
    };
    let (tier, days) = (tiering.access_tier.as_str(), tiering.days);
    let message = match days {
        days if days < least => {
            format!("Days specified in {tier} tier should not be less than {least}.")
        }
        days if days > MAX_DAYS => {
            format!("Days specified in {tier} tier should not be more than {MAX_DAYS}.")
        }
        _ => return Ok(()),
    };
    Err(Error::argument("Days", days, message))
}

/// Removes one.
pub(crate) fn delete(
    tx: &mut WriteTx<'_>,
    input: DeleteBucketIntelligentTieringConfigurationInput,
) -> Result<DeleteBucketIntelligentTieringConfigurationOutput, Error> {
    identified::delete(tx, KIND, &named!(input))?;
    Ok(DeleteBucketIntelligentTieringConfigurationOutput {})
}

/// One by its id.
pub(crate) fn get(
    tx: &ReadTx<'_>,
    input: GetBucketIntelligentTieringConfigurationInput,
) -> Result<GetBucketIntelligentTieringConfigurationOutput, Error> {
    let found = identified::get(tx, KIND, &named!(input))?;
    Ok(GetBucketIntelligentTieringConfigurationOutput {
        intelligent_tiering_configuration: Some(found),
    })
}

/// All of a bucket.
pub(crate) fn list(
    tx: &ReadTx<'_>,
    input: ListBucketIntelligentTieringConfigurationsInput,
) -> Result<ListBucketIntelligentTieringConfigurationsOutput, Error> {
    let bucket = (&*input.bucket, input.expected_bucket_owner.as_deref());
    let page = identified::list(tx, KIND, bucket, input.continuation_token.as_deref())?;
    Ok(ListBucketIntelligentTieringConfigurationsOutput {
        is_truncated: Some(page.next.is_some()),
        continuation_token: input.continuation_token,
        next_continuation_token: page.next,
        intelligent_tiering_configuration_list: Some(page.configurations),
    })
}
