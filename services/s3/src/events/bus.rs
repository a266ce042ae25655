//! What the default event bus gets.

use fogbank_core::{Timestamp, Tx, WriteTx};
use serde_json::{Value, json};

use super::{Change, More, SERVICE, iso, sequencer, source_ip};
use crate::access::bucket_arn;

/// The entry for the default event bus.
pub(super) fn entry(tx: &WriteTx<'_>, name: &str, change: &Change<'_>) -> Option<Value> {
    Some(json!({
        "Source": "aws.s3",
        "DetailType": detail_type(change)?,
        "Detail": detail(tx, name, change).to_string(),
        "Resources": [bucket_arn(name)],
        "Time": tx.now().secs(),
    }))
}

/// What AWS calls a change; there are some of which the bus does not hear.
fn detail_type(change: &Change<'_>) -> Option<&'static str> {
    Some(match (change.group, change.name) {
        ("ObjectCreated", _) => "Object Created",
        ("ObjectRemoved" | "LifecycleExpiration", _) => "Object Deleted",
        ("LifecycleTransition", _) => "Object Storage Class Changed",
        ("IntelligentTiering", _) => "Object Access Tier Changed",
        ("ObjectAcl", _) => "Object ACL Updated",
        ("ObjectTagging", "Put") => "Object Tags Added",
        ("ObjectTagging", _) => "Object Tags Deleted",
        ("ObjectRestore", "Post") => "Object Restore Initiated",
        ("ObjectRestore", "Completed") => "Object Restore Completed",
        ("ObjectRestore", _) => "Object Restore Expired",
        _ => return None,
    })
}

fn detail(tx: &WriteTx<'_>, name: &str, change: &Change<'_>) -> Value {
    let request = tx.request();
    let mut detail = json!({
        "version": "0",
        "bucket": { "name": name },
        "object": object(change),
        "request-id": request.id,
        "requester": request.principal.account,
        "source-ip-address": source_ip(tx, change),
    });
    if change.is_by_s3() {
        detail["requester"] = SERVICE.into();
    }
    if let Some(reason) = reason(change) {
        detail["reason"] = reason.into();
    }
    if let "ObjectRemoved" | "LifecycleExpiration" = change.group {
        detail["deletion-type"] = match change.name {
            "DeleteMarkerCreated" => "Delete Marker Created",
            _ => "Permanently Deleted",
        }
        .into();
    }
    match &change.more {
        More::Moved(class) => detail["destination-storage-class"] = (*class).into(),
        More::Tiered(tier) => detail["destination-access-tier"] = (*tier).into(),
        More::Restored(class, until_millis) if change.name != "Delete" => {
            detail["source-storage-class"] = class.as_str().into();
            if change.name == "Completed" {
                detail["restore-expiry-time"] = iso(Timestamp::from_millis(*until_millis)).into();
            }
        }
        _ => {}
    }
    detail
}

fn object(change: &Change<'_>) -> Value {
    let mut object = json!({ "key": change.key });
    if let Some(size) = change.size {
        object["size"] = size.into();
    }
    if let Some(e_tag) = &change.e_tag {
        object["etag"] = e_tag.bare().into();
    }
    if let Some(version_id) = &change.version_id {
        object["version-id"] = version_id.as_str().into();
    }
    if let Some(version) = change.version {
        object["sequencer"] = sequencer(version).into();
    }
    object
}

/// By which operation an object came or went.
fn reason(change: &Change<'_>) -> Option<&'static str> {
    match (change.group, change.name) {
        ("ObjectCreated", "Put") => Some("PutObject"),
        ("ObjectCreated", "Post") => Some("POST Object"),
        ("ObjectCreated", "Copy") => Some("CopyObject"),
        ("ObjectCreated", _) => Some("CompleteMultipartUpload"),
        ("ObjectRemoved", _) => Some("DeleteObject"),
        ("LifecycleExpiration", _) => Some("Lifecycle Expiration"),
        _ => None,
    }
}
