//! What EventBridge hears of keys: that they were rotated or deleted, and that imported material expired.

use fogbank_core::outbox::ServiceEvent;
use fogbank_core::{Effect, Tx, WriteTx, arn};
use serde_json::json;

use crate::error::Error;
use crate::store::KeyKey;

/// A key has new material.
pub(crate) const ROTATION: &str = "KMS CMK Rotation";
/// A key is gone.
pub(crate) const DELETION: &str = "KMS CMK Deletion";
/// Material that was imported has expired.
pub(crate) const EXPIRATION: &str = "KMS Imported Key Material Expiration";

/// Tells of a change of a key.
pub(crate) fn tell(tx: &mut WriteTx<'_>, at: &KeyKey, detail_type: &str) -> Result<(), Error> {
    let (account, region, id) = at;
    let event = ServiceEvent {
        sender: "kms.amazonaws.com",
        source: "aws.kms",
        detail_type,
        resource: &arn::arn("kms", region, account, format_args!("key/{id}")),
        detail: json!({ "key-id": id }),
    };
    Ok(tx.emit(Effect::event(&event, (account, region), tx.now()))?)
}
