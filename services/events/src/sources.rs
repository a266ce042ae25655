//! Partners' event sources: no partner offers any here, so there are none to be found.

use fogbank_core::{ReadTx, WriteTx};

use crate::error::Error;
use crate::model::{
    ActivateEventSourceInput, ActivateEventSourceOutput, DeactivateEventSourceInput,
    DeactivateEventSourceOutput, DescribeEventSourceInput, DescribeEventSourceOutput,
    ListEventSourcesInput, ListEventSourcesOutput,
};

fn none(name: &str) -> Error {
    Error::ResourceNotFoundException(format!("Event source {name} does not exist."))
}

/// Lists none.
pub(crate) fn list(
    _: &ReadTx<'_>,
    _: ListEventSourcesInput,
) -> Result<ListEventSourcesOutput, Error> {
    Ok(ListEventSourcesOutput { event_sources: Some(Vec::new()), next_token: None })
}

/// Finds none.
pub(crate) fn describe(
    _: &ReadTx<'_>,
    input: DescribeEventSourceInput,
) -> Result<DescribeEventSourceOutput, Error> {
    Err(none(&input.name))
}

/// Finds none.
pub(crate) fn activate(
    _: &mut WriteTx<'_>,
    input: ActivateEventSourceInput,
) -> Result<ActivateEventSourceOutput, Error> {
    Err(none(&input.name))
}

/// Finds none.
pub(crate) fn deactivate(
    _: &mut WriteTx<'_>,
    input: DeactivateEventSourceInput,
) -> Result<DeactivateEventSourceOutput, Error> {
    Err(none(&input.name))
}
