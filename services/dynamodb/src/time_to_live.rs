//! `UpdateTimeToLive` and `DescribeTimeToLive`. The items themselves go in the background ([`crate::tasks`]).

use fogbank_core::{ReadTx, WriteTx};

use crate::definition::Definition;
use crate::error::{Error, Result};
use crate::model::{
    DescribeTimeToLiveInput, DescribeTimeToLiveOutput, TimeToLiveDescription,
    UpdateTimeToLiveInput, UpdateTimeToLiveOutput,
};
use crate::{store, tables, tasks};

/// Lets a table's items expire at the time that an attribute says, or no longer.
pub(crate) fn update(
    tx: &mut WriteTx<'_>,
    input: UpdateTimeToLiveInput,
) -> Result<UpdateTimeToLiveOutput> {
    let table = tables::find(tx, input.table_name.as_deref())?;
    let wanted = &input.time_to_live_specification;
    let mut row = table.row.clone();
    match (&row.expiry_attribute, wanted.enabled) {
        (Some(_), true) => {
            return Err(Error::invalid("TimeToLive is already enabled"));
        }
        (None, false) => {
            return Err(Error::invalid("TimeToLive is already disabled"));
        }
        (Some(known), false) if *known != wanted.attribute_name => {
            return Err(Error::invalid(format!(
                "TimeToLive is active on a different AttributeName: current AttributeName is {known}"
            )));
        }
        (Some(_), false) => row.expiry_attribute = None,
        (None, true) => row.expiry_attribute = Some(wanted.attribute_name.clone()),
    }
    store::put_table(tx, &table.account, &table.region, &row)?;
    if row.expiry_attribute.is_some() {
        let changed = Definition::new(&table.account, &table.region, row)?;
        tasks::begin_fill(tx, &changed, tasks::EXPIRIES)?;
    }
    Ok(UpdateTimeToLiveOutput {
        time_to_live_specification: Some(input.time_to_live_specification),
    })
}

/// Says whether a table's items expire.
pub(crate) fn describe(
    tx: &ReadTx<'_>,
    input: DescribeTimeToLiveInput,
) -> Result<DescribeTimeToLiveOutput> {
    let table = tables::find(tx, input.table_name.as_deref())?;
    let attribute = table.row.expiry_attribute.clone();
    let status = if attribute.is_some() { "ENABLED" } else { "DISABLED" };
    Ok(DescribeTimeToLiveOutput {
        time_to_live_description: Some(TimeToLiveDescription {
            time_to_live_status: Some(status.to_owned()),
            attribute_name: attribute,
        }),
    })
}
