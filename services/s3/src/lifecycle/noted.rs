//! What lifecycles do, as lines of access logs.

use fogbank_core::Cx;

use crate::access_logs::{self, Entry};
use crate::store::Object;
use crate::versions::Removed;

/// Something that a lifecycle did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Done {
    operation: &'static str,
    key: String,
    version_id: Option<String>,
    size: Option<u64>,
}

impl Done {
    /// An object moved to another storage class.
    pub(super) fn moved(key: &str, object: &Object, class: &str) -> Done {
        let operation = match class {
            "STANDARD_IA" => "S3.TRANSITION_SIA.OBJECT",
            "ONEZONE_IA" => "S3.TRANSITION_ZIA.OBJECT",
            "INTELLIGENT_TIERING" => "S3.TRANSITION_INT.OBJECT",
            "GLACIER_IR" => "S3.TRANSITION_GIR.OBJECT",
            "DEEP_ARCHIVE" => "S3.TRANSITION_GDA.OBJECT",
            _ => "S3.TRANSITION.OBJECT",
        };
        let size = Some(object.listed.size);
        Done { operation, key: key.to_owned(), version_id: object.version_id(), size }
    }

    /// A current object went, or got a delete marker.
    pub(super) fn expired(key: &str, object: &Object, removed: Removed) -> Done {
        let operation =
            if removed.is_marker { "S3.CREATE.DELETEMARKER" } else { "S3.EXPIRE.OBJECT" };
        let size = (!removed.is_marker).then_some(object.listed.size);
        Done { operation, key: key.to_owned(), version_id: removed.version_id, size }
    }

    /// A version, or a delete marker, went for good.
    pub(super) fn removed(key: &str, version_id: &str, size: Option<u64>) -> Done {
        let version_id = Some(version_id.to_owned());
        Done { operation: "S3.EXPIRE.OBJECT", key: key.to_owned(), version_id, size }
    }

    /// An upload was given up.
    pub(super) fn aborted(key: &str) -> Done {
        let operation = "S3.DELETE.UPLOAD";
        Done { operation, key: key.to_owned(), version_id: None, size: None }
    }
}

/// Notes what was done in a bucket, if it has a log.
pub(super) fn note(cx: &Cx, bucket: &str, done: &[Done]) {
    let id = cx.ids().mixed(16).to_ascii_uppercase();
    access_logs::note(cx, bucket, || {
        done.iter().map(|done| Entry {
            millis: cx.now().millis(),
            requester: "AmazonS3".to_owned(),
            request_id: &id,
            operation: done.operation.to_owned(),
            key: Some(&done.key),
            size: done.size.map(|size| size.to_string()),
            version_id: done.version_id.clone(),
            ..Entry::default()
        })
    });
}
