//! Encoded authorization messages, read for those who may.

use fogbank_core::{ReadTx, Tx};
use fogbank_identity::decode_authorization_message;

use crate::error::Error;
use crate::model::{DecodeAuthorizationMessageInput, DecodeAuthorizationMessageOutput};

/// Decodes a message that this cloud encoded. None of its services does yet: on AWS, EC2's refusals carry them.
pub(crate) fn decode(
    tx: &ReadTx<'_>,
    input: DecodeAuthorizationMessageInput,
) -> Result<DecodeAuthorizationMessageOutput, Error> {
    let message = decode_authorization_message(tx.cx().cloud(), &input.encoded_message);
    let message = message.ok_or(Error::InvalidAuthorizationMessageException)?;
    Ok(DecodeAuthorizationMessageOutput { decoded_message: Some(message) })
}
