//! Records of changes: written in the transaction of the change, so that the journal misses none and invents none.
//!
//! A bucket without a metadata configuration pays a look at its row, which every write has at hand. What a record tells is
//! what the tables have columns for; ACLs, retentions, restored copies and states of replication make no record.

use fogbank_core::{Principal, PrincipalKind, Tx, WriteTx};

use super::rows::{Described, RECORDS, Record, RecordKind, Sealed};
use crate::error::Error;
use crate::events::SERVICE;
use crate::store::{Bucket, Encryption, Marker, Object, VersionName};
use crate::versions::{At, Cause};

/// A change, as far as the journal tells of it.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Entry<'a> {
    /// A version was written.
    Created(&'a Object),
    /// The metadata of a version changed.
    Updated(&'a Object),
    /// A delete marker was made.
    Marked(u64, &'a Marker),
    /// A version was removed for good.
    Removed(u64, VersionName),
    /// An annotation of a version was put, in place of one of its name or not, or removed.
    Annotated(RecordKind, &'a Object, &'a str),
}

/// Who made a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum By {
    Caller,
    /// S3 on behalf of the bucket's owner: lifecycles, replication.
    S3,
}

impl From<Cause> for By {
    fn from(cause: Cause) -> By {
        match cause {
            Cause::Caller => By::Caller,
            Cause::Lifecycle => By::S3,
        }
    }
}

/// Notes a change for the journal of its bucket, if it has one.
pub(crate) fn note(
    tx: &mut WriteTx<'_>,
    bucket: &Bucket,
    at: At<'_>,
    entry: Entry<'_>,
    by: By,
) -> Result<(), Error> {
    if bucket.metadata == 0 {
        return Ok(());
    }
    let place = (bucket.metadata, tx.version(), tx.next_number());
    let record = record(tx, at.1, entry, by);
    Ok(RECORDS.put(tx, &place, &record)?)
}

fn record(tx: &WriteTx<'_>, key: &str, entry: Entry<'_>, by: By) -> Record {
    let (kind, version, version_name, described, annotation) = match entry {
        Entry::Created(object) => {
            (RecordKind::Create, object.version, object.version_name, Some(of_object(object)), None)
        }
        Entry::Updated(object) => (
            RecordKind::UpdateMetadata,
            object.version,
            object.version_name,
            Some(of_object(object)),
            None,
        ),
        Entry::Marked(number, marker) => {
            let marked =
                Described { modified_millis: marker.modified_millis, ..Described::default() };
            (RecordKind::DeleteMarker, number, marker.version_name, Some(marked), None)
        }
        Entry::Removed(number, name) => (RecordKind::Delete, number, name, None, None),
        Entry::Annotated(kind, object, name) => (
            kind,
            object.version,
            object.version_name,
            Some(of_object(object)),
            Some(name.to_owned()),
        ),
    };
    let request = tx.request();
    let (requester, source_ip) = match by {
        By::S3 => (Some(SERVICE.to_owned()), None),
        By::Caller => {
            (requester(&request.principal), request.source_ip.map(|address| address.to_string()))
        }
    };
    Record {
        kind,
        key: key.to_owned(),
        millis: tx.now().millis(),
        version,
        version_name,
        described: described.map(Box::new),
        requester,
        source_ip,
        request_id: request.id.clone(),
        annotation,
    }
}

/// The account of a caller, or the service that called.
fn requester(principal: &Principal) -> Option<String> {
    match &principal.kind {
        PrincipalKind::Service { name } => Some(name.clone()),
        PrincipalKind::Anonymous => None,
        _ => Some(principal.account.clone()),
    }
}

/// What the tables tell of a version.
pub(crate) fn of_object(object: &Object) -> Described {
    let listed = &object.listed;
    Described {
        size: listed.size,
        modified_millis: listed.modified_millis,
        e_tag: Some(listed.e_tag),
        storage_class: listed.storage_class.clone(),
        sealed: match object.encryption() {
            None => Sealed::S3,
            Some(Encryption::Customer { .. }) => Sealed::Customer,
            Some(Encryption::Kms(kms)) => Sealed::Kms {
                is_dual: kms.is_dual,
                key_arn: kms.key_arn.clone(),
                bucket_key: kms.bucket_key,
            },
        },
        checksum: listed.checksum.as_ref().map(|checksum| checksum.algorithm),
        tags: object.tags.clone(),
        metadata: object.metadata.clone(),
    }
}
