//! What an account blocks of public access, whatever its buckets block.

use fogbank_accesspoints::{BLOCKS, Block};
use fogbank_core::{ReadTx, Tx, WriteTx};

use crate::error::Error;
use crate::model::{
    DeletePublicAccessBlockInput, DeletePublicAccessBlockOutput, GetPublicAccessBlockInput,
    GetPublicAccessBlockOutput, PublicAccessBlockConfiguration, PutPublicAccessBlockInput,
    PutPublicAccessBlockOutput,
};

/// A configuration as rows have it.
pub(crate) fn block_of(given: &PublicAccessBlockConfiguration) -> Block {
    Block {
        acls: given.block_public_acls.unwrap_or_default(),
        ignore_acls: given.ignore_public_acls.unwrap_or_default(),
        policy: given.block_public_policy.unwrap_or_default(),
        restrict: given.restrict_public_buckets.unwrap_or_default(),
    }
}

/// A row as answers show it.
pub(crate) fn shown_block(block: Block) -> PublicAccessBlockConfiguration {
    PublicAccessBlockConfiguration {
        block_public_acls: Some(block.acls),
        ignore_public_acls: Some(block.ignore_acls),
        block_public_policy: Some(block.policy),
        restrict_public_buckets: Some(block.restrict),
    }
}

/// Sets what the account blocks.
pub(crate) fn put(
    tx: &mut WriteTx<'_>,
    input: PutPublicAccessBlockInput,
) -> Result<PutPublicAccessBlockOutput, Error> {
    let given = &input.public_access_block_configuration;
    if *given == PublicAccessBlockConfiguration::default() {
        return Err(Error::MalformedXML);
    }
    BLOCKS.put(tx, &input.account_id, &block_of(given))?;
    Ok(PutPublicAccessBlockOutput {})
}

/// What the account blocks.
pub(crate) fn get(
    tx: &ReadTx<'_>,
    _: GetPublicAccessBlockInput,
) -> Result<GetPublicAccessBlockOutput, Error> {
    let block = BLOCKS.get(tx, tx.account())?.ok_or(Error::NoSuchPublicAccessBlockConfiguration)?;
    let configuration = Some(shown_block(block));
    Ok(GetPublicAccessBlockOutput { public_access_block_configuration: configuration })
}

/// Blocks nothing for the account as a whole any more.
pub(crate) fn delete(
    tx: &mut WriteTx<'_>,
    input: DeletePublicAccessBlockInput,
) -> Result<DeletePublicAccessBlockOutput, Error> {
    BLOCKS.delete(tx, &input.account_id)?;
    Ok(DeletePublicAccessBlockOutput {})
}
