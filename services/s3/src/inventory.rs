//! Inventories: lists of a bucket's objects that are written into another bucket every day or week.

mod lines;
mod reports;
mod schedule;
mod sheets;

use fogbank_core::{Fault, ReadTx, Tx, WriteTx};

use crate::analytics::check_destination;
use crate::error::Error;
use crate::identified::{self, Kind, named};
use crate::model::*;
use crate::store::{INVENTORIES, Inventory};
pub(crate) use reports::{REPORTS, run};

/// How documents of inventories are called.
const KIND: Kind = Kind("inventory");

/// Keeps one.
pub(crate) fn put(
    tx: &mut WriteTx<'_>,
    input: PutBucketInventoryConfigurationInput,
) -> Result<PutBucketInventoryConfigurationOutput, Error> {
    let named = named!(input);
    named.bucket_row(tx)?;
    let given = &input.inventory_configuration;
    check(given, &input.id)?;
    identified::put(tx, KIND, &named, given)?;
    schedule(tx, &input)?;
    Ok(PutBucketInventoryConfigurationOutput {})
}

/// Notes that reports are to be written, or that none are. What is half written of one is written anew.
fn schedule(
    tx: &mut WriteTx<'_>,
    input: &PutBucketInventoryConfigurationInput,
) -> Result<(), Error> {
    let at = (&*input.bucket, &*input.id);
    if !input.inventory_configuration.is_enabled {
        return Ok(INVENTORIES.delete(tx, &at)?);
    }
    let before = INVENTORIES.get(tx, &at)?;
    let row = Inventory {
        number: tx.version(),
        since_millis: before.as_ref().map_or(tx.now().millis(), |before| before.since_millis),
        has_reported: before.is_some_and(|before| before.has_reported),
        begun: None,
    };
    Ok(INVENTORIES.put(tx, &at, &row)?)
}

fn check(given: &InventoryConfiguration, id: &str) -> Result<(), Error> {
    if given.id != id {
        let message = "Document ID does not match the specified configuration ID.";
        return Err(Error::Fault(Fault::new("IdMismatch", message)));
    }
    let destination = &given.destination.s3_bucket_destination;
    check_destination(&destination.bucket)?;
    if let Some(encryption) = &destination.encryption
        && encryption.sses3.is_some() == encryption.ssekms.is_some()
    {
        return Err(Error::MalformedXML);
    }
    Ok(())
}

/// Removes one.
pub(crate) fn delete(
    tx: &mut WriteTx<'_>,
    input: DeleteBucketInventoryConfigurationInput,
) -> Result<DeleteBucketInventoryConfigurationOutput, Error> {
    identified::delete(tx, KIND, &named!(input))?;
    INVENTORIES.delete(tx, &(&*input.bucket, &*input.id))?;
    Ok(DeleteBucketInventoryConfigurationOutput {})
}

/// One by its id.
pub(crate) fn get(
    tx: &ReadTx<'_>,
    input: GetBucketInventoryConfigurationInput,
) -> Result<GetBucketInventoryConfigurationOutput, Error> {
    let found = identified::get(tx, KIND, &named!(input))?;
    Ok(GetBucketInventoryConfigurationOutput { inventory_configuration: Some(found) })
}

/// All of a bucket.
pub(crate) fn list(
    tx: &ReadTx<'_>,
    input: ListBucketInventoryConfigurationsInput,
) -> Result<ListBucketInventoryConfigurationsOutput, Error> {
    let bucket = (&*input.bucket, input.expected_bucket_owner.as_deref());
    let page = identified::list(tx, KIND, bucket, input.continuation_token.as_deref())?;
    Ok(ListBucketInventoryConfigurationsOutput {
        is_truncated: Some(page.next.is_some()),
        continuation_token: input.continuation_token,
        next_continuation_token: page.next,
        inventory_configuration_list: Some(page.configurations),
    })
}
