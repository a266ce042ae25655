//! What the default event bus gets.

use fogbank_core::{Timestamp, Tx, WriteTx};
use serde_json::{Value, json};

use super::{Change, More, SERVICE, iso, sequencer, source_ip};
use crate::access::bucket_arn;

/// The entry for the default event bus.
pub(super) fn entry(tx: &WriteTx<'_>, name: &str, change: &Change<'_>) -> Option<Value> {
    let request = tx.request();
    let detail_type = match (change.group, change.name) {
        ("ObjectCreated", _) => "Object Created",
        ("ObjectRemoved" | "LifecycleExpiration", _) => "Object Deleted",
        ("LifecycleTransition", _) => "Object Storage Class Changed",
        ("ObjectAcl", _) => "Object ACL Updated",
        ("ObjectTagging", "Put") => "Object Tags Added",
        ("ObjectTagging", _) => "Object Tags Deleted",
        ("ObjectRestore", "Post") => "Object Restore Initiated",
        ("ObjectRestore", "Completed") => "Object Restore Completed",
        ("ObjectRestore", _) => "Object Restore Expired",
        _ => return None,
    };
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
    let mut detail = json!({
        "version": "0",
        "bucket": { "name": name },
        "object": object,
        "request-id": request.id,
        "requester": request.principal.account,
        "source-ip-address": source_ip(tx, change),
    });
    match change.group {
        "ObjectCreated" => {
            detail["reason"] = match change.name {
                "Put" => "PutObject",
                "Post" => "POST Object",
                "Copy" => "CopyObject",
                _ => "CompleteMultipartUpload",
            }
            .into();
        }
        "ObjectRemoved" | "LifecycleExpiration" => {
            detail["reason"] = match change.group {
                "ObjectRemoved" => "DeleteObject",
                _ => "Lifecycle Expiration",
            }
            .into();
            detail["deletion-type"] = match change.name {
                "DeleteMarkerCreated" => "Delete Marker Created",
                _ => "Permanently Deleted",
            }
            .into();
        }
        _ => {}
    }
    if change.is_by_s3() {
        detail["requester"] = SERVICE.into();
    }
    match &change.more {
        More::Moved(class) => detail["destination-storage-class"] = (*class).into(),
        More::Restored(class, until_millis) if change.name != "Delete" => {
            detail["source-storage-class"] = class.as_str().into();
            if change.name == "Completed" {
                detail["restore-expiry-time"] = iso(Timestamp::from_millis(*until_millis)).into();
            }
        }
        _ => {}
    }
    Some(json!({
        "Source": "aws.s3",
        "DetailType": detail_type,
        "Detail": detail.to_string(),
        "Resources": [bucket_arn(name)],
        "Time": tx.now().secs(),
    }))
}
