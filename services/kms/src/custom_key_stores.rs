//! Custom key stores: there are none here, since Fogbank has neither CloudHSM clusters nor external key managers.

use fogbank_core::{ReadTx, Tx, WriteTx};

use crate::error::Error;
use crate::model::{
    ConnectCustomKeyStoreInput, ConnectCustomKeyStoreOutput, CreateCustomKeyStoreInput,
    CreateCustomKeyStoreOutput, DeleteCustomKeyStoreInput, DeleteCustomKeyStoreOutput,
    DescribeCustomKeyStoresInput, DescribeCustomKeyStoresOutput, DisconnectCustomKeyStoreInput,
    DisconnectCustomKeyStoreOutput, UpdateCustomKeyStoreInput, UpdateCustomKeyStoreOutput,
};

/// There is no store with this id.
pub(crate) fn unknown(id: &str) -> Error {
    // AWS's words are not known.
    Error::CustomKeyStoreNotFoundException(format!("The custom key store {id} does not exist."))
}

/// Refuses to create a store.
pub(crate) fn create(
    tx: &mut WriteTx<'_>,
    input: CreateCustomKeyStoreInput,
) -> Result<CreateCustomKeyStoreOutput, Error> {
    let region = tx.region();
    Err(Error::unsupported(format!(
        "The custom key store {} cannot be created in {region}: Fogbank has neither AWS CloudHSM clusters nor \
         external key stores.",
        input.custom_key_store_name
    )))
}

/// Lists the stores: none.
pub(crate) fn describe(
    _: &ReadTx<'_>,
    input: DescribeCustomKeyStoresInput,
) -> Result<DescribeCustomKeyStoresOutput, Error> {
    if let Some(named) = input.custom_key_store_id.or(input.custom_key_store_name) {
        return Err(unknown(&named));
    }
    crate::lookup::after(input.marker.as_deref())?;
    Ok(DescribeCustomKeyStoresOutput {
        custom_key_stores: Some(Vec::new()),
        next_marker: None,
        truncated: Some(false),
    })
}

/// There is nothing to connect.
pub(crate) fn connect(
    _: &mut WriteTx<'_>,
    input: ConnectCustomKeyStoreInput,
) -> Result<ConnectCustomKeyStoreOutput, Error> {
    Err(unknown(&input.custom_key_store_id))
}

/// There is nothing to disconnect.
pub(crate) fn disconnect(
    _: &mut WriteTx<'_>,
    input: DisconnectCustomKeyStoreInput,
) -> Result<DisconnectCustomKeyStoreOutput, Error> {
    Err(unknown(&input.custom_key_store_id))
}

/// There is nothing to update.
pub(crate) fn update(
    _: &mut WriteTx<'_>,
    input: UpdateCustomKeyStoreInput,
) -> Result<UpdateCustomKeyStoreOutput, Error> {
    Err(unknown(&input.custom_key_store_id))
}

/// There is nothing to delete.
pub(crate) fn delete(
    _: &mut WriteTx<'_>,
    input: DeleteCustomKeyStoreInput,
) -> Result<DeleteCustomKeyStoreOutput, Error> {
    Err(unknown(&input.custom_key_store_id))
}
