//! The lines of an inventory: what each field says of an object, as AWS writes CSV.

use std::fmt::Write;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use fogbank_core::{ReadTx, Timestamp, Tx};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Value, json};

use crate::error::Error;
use crate::model::{
    InventoryConfiguration, InventoryIncludedObjectVersions, InventoryOptionalField,
};
use crate::store::{Bucket, Encryption, Listed, Marker, Object, Retention, VersionName};
use crate::{acls, events, lifecycle, replication, rules, tiering, versions};

/// What keys keep: as Java's `URLEncoder` has it, but for the slash. A space is a plus.
const KEY: &AsciiSet =
    &NON_ALPHANUMERIC.remove(b'.').remove(b'-').remove(b'*').remove(b'_').remove(b'/').remove(b' ');

/// The fields that a report may show beyond the first ones, in the order in which AWS writes them.
const OPTIONAL: [InventoryOptionalField; 19] = [
    InventoryOptionalField::Size,
    InventoryOptionalField::LastModifiedDate,
    InventoryOptionalField::ETag,
    InventoryOptionalField::StorageClass,
    InventoryOptionalField::IsMultipartUploaded,
    InventoryOptionalField::ReplicationStatus,
    InventoryOptionalField::EncryptionStatus,
    InventoryOptionalField::ObjectLockRetainUntilDate,
    InventoryOptionalField::ObjectLockMode,
    InventoryOptionalField::ObjectLockLegalHoldStatus,
    // Where AWS puts these two is not documented, nor how it writes a duration.
    InventoryOptionalField::ObjectLockEventHoldStatus,
    InventoryOptionalField::ObjectLockEventHoldDuration,
    InventoryOptionalField::IntelligentTieringAccessTier,
    InventoryOptionalField::BucketKeyStatus,
    InventoryOptionalField::ChecksumAlgorithm,
    InventoryOptionalField::ObjectAccessControlList,
    InventoryOptionalField::ObjectOwner,
    // Nor is it of these.
    InventoryOptionalField::LifecycleExpirationDate,
    InventoryOptionalField::IntelligentTieringReferenceDate,
];

/// The columns of a report.
pub(super) struct Columns {
    pub(super) is_of_versions: bool,
    pub(super) fields: Vec<InventoryOptionalField>,
}

/// A version as a line shows it.
pub(super) struct Row<'a> {
    pub(super) key: &'a str,
    pub(super) number: u64,
    pub(super) is_latest: bool,
    pub(super) shown: Shown<'a>,
}

/// What a line shows.
pub(super) enum Shown<'a> {
    /// An object of which a listing's part of the row is enough.
    Listed(&'a Listed, VersionName),
    Object(&'a Object),
    Marker(&'a Marker),
}

impl Shown<'_> {
    fn listed(&self) -> Option<&Listed> {
        match self {
            Shown::Listed(listed, _) => Some(listed),
            Shown::Object(object) => Some(&object.listed),
            Shown::Marker(_) => None,
        }
    }

    pub(super) fn version_name(&self) -> VersionName {
        match self {
            Shown::Listed(_, name) => *name,
            Shown::Object(object) => object.version_name,
            Shown::Marker(marker) => marker.version_name,
        }
    }
}

impl Columns {
    /// Those that a configuration asks for.
    pub(super) fn of(configuration: &InventoryConfiguration) -> Columns {
        let wanted = configuration.optional_fields.as_deref().unwrap_or_default();
        Columns {
            is_of_versions: configuration.included_object_versions
                == InventoryIncludedObjectVersions::All,
            fields: OPTIONAL.into_iter().filter(|field| wanted.contains(field)).collect(),
        }
    }

    /// Whether any needs more of an object than a listing shows.
    pub(super) fn need_objects(&self) -> bool {
        use InventoryOptionalField::*;
        self.fields.iter().any(|field| {
            !matches!(
                field,
                Size | LastModifiedDate
                    | ETag
                    | StorageClass
                    | IsMultipartUploaded
                    | ChecksumAlgorithm
                    | ObjectOwner
            )
        })
    }

    /// `fileSchema` of the manifest.
    pub(super) fn schema(&self) -> String {
        let mut names = vec!["Bucket", "Key"];
        if self.is_of_versions {
            names.extend(["VersionId", "IsLatest", "IsDeleteMarker"]);
        }
        names.extend(self.fields.iter().map(|field| field.as_str()));
        names.join(", ")
    }

    /// Adds the line of a version.
    pub(super) fn write(
        &self,
        tx: &ReadTx<'_>,
        (name, bucket): (&str, &Bucket),
        row: &Row<'_>,
        lines: &mut String,
    ) -> Result<(), Error> {
        let key = utf8_percent_encode(row.key, KEY).to_string().replace(' ', "+");
        let _ = write!(lines, "\"{name}\",\"{key}\"");
        if self.is_of_versions {
            // The null version has no id here, other than everywhere else.
            let version_id = match row.shown.version_name() {
                VersionName::Id => versions::id(row.number),
                VersionName::Null | VersionName::Unversioned => String::new(),
            };
            let is_marker = matches!(row.shown, Shown::Marker(_));
            let _ = write!(lines, ",\"{version_id}\",\"{}\",\"{is_marker}\"", row.is_latest);
        }
        for field in &self.fields {
            let _ = write!(lines, ",\"{}\"", value(tx, (name, bucket), row, field)?);
        }
        lines.push('\n');
        Ok(())
    }
}

fn iso(millis: i64) -> String {
    events::iso(Timestamp::from_millis(millis))
}

/// What a field says; delete markers have only a date and an owner.
pub(super) fn value(
    tx: &ReadTx<'_>,
    at: (&str, &Bucket),
    row: &Row<'_>,
    field: &InventoryOptionalField,
) -> Result<String, Error> {
    let bucket = at.1;
    let owner_of = |account: Option<&String>| {
        let account = account.filter(|_| !bucket.is_enforced()).unwrap_or(&bucket.account);
        rules::canonical_id(account)
    };
    if let Shown::Marker(marker) = &row.shown {
        return Ok(match field {
            InventoryOptionalField::LastModifiedDate => iso(marker.modified_millis),
            InventoryOptionalField::ObjectOwner => owner_of(marker.owner.as_ref()),
            _ => String::new(),
        });
    }
    if let Shown::Object(object) = &row.shown
        && let Some(value) = value_of_object(tx, at, row, object, field)?
    {
        return Ok(value);
    }
    let Some(listed) = row.shown.listed() else { return Ok(String::new()) };
    Ok(match field {
        InventoryOptionalField::Size => listed.size.to_string(),
        InventoryOptionalField::LastModifiedDate => iso(listed.modified_millis),
        InventoryOptionalField::ETag => listed.e_tag.bare(),
        InventoryOptionalField::StorageClass => listed.class().to_owned(),
        InventoryOptionalField::IsMultipartUploaded => (listed.e_tag.parts > 0).to_string(),
        InventoryOptionalField::ObjectOwner => owner_of(listed.owner.as_ref()),
        InventoryOptionalField::ChecksumAlgorithm => {
            let checksum = listed.checksum.as_ref();
            checksum.map(|checksum| checksum.algorithm.name().to_owned()).unwrap_or_default()
        }
        _ => String::new(),
    })
}

/// What a field says that needs the whole object.
fn value_of_object(
    tx: &ReadTx<'_>,
    (name, bucket): (&str, &Bucket),
    row: &Row<'_>,
    object: &Object,
    field: &InventoryOptionalField,
) -> Result<Option<String>, Error> {
    let more = object.more.as_deref();
    let retention = more.and_then(|more| more.retention);
    Ok(Some(match field {
        InventoryOptionalField::ReplicationStatus => {
            more.and_then(replication::word).unwrap_or_default().to_owned()
        }
        InventoryOptionalField::EncryptionStatus => encryption(object.encryption()).to_owned(),
        InventoryOptionalField::BucketKeyStatus => match object.encryption() {
            Some(Encryption::Kms(kms)) if kms.bucket_key => "ENABLED".to_owned(),
            _ => "DISABLED".to_owned(),
        },
        InventoryOptionalField::ObjectLockRetainUntilDate => {
            retention.map(|retention| iso(retention.end_millis(tx.now()))).unwrap_or_default()
        }
        InventoryOptionalField::ObjectLockMode => {
            retention.map(Retention::mode_name).unwrap_or_default().to_owned()
        }
        InventoryOptionalField::ObjectLockEventHoldStatus => match retention {
            _ if !bucket.has_lock => String::new(),
            Some(retention) if retention.hold().is_some_and(|(is_on, _)| is_on) => "ON".to_owned(),
            _ => "OFF".to_owned(),
        },
        // In days, as the condition key has it.
        InventoryOptionalField::ObjectLockEventHoldDuration => {
            match retention.and_then(Retention::hold) {
                Some((true, period)) => period.days().to_string(),
                _ => String::new(),
            }
        }
        InventoryOptionalField::ObjectLockLegalHoldStatus => match more {
            _ if !bucket.has_lock => String::new(),
            Some(more) if more.legal_hold => "ON".to_owned(),
            _ => "OFF".to_owned(),
        },
        InventoryOptionalField::ObjectAccessControlList => {
            STANDARD.encode(access_control_list(tx, bucket, object).to_string())
        }
        InventoryOptionalField::IntelligentTieringAccessTier => {
            let tiered = tiering::of(tx, (name, row.key), object)?;
            let tier = tiered.map(|tiered| tiered.tier(&object.listed, tx.now()));
            tier.unwrap_or_default().to_owned()
        }
        InventoryOptionalField::LifecycleExpirationDate if row.is_latest => {
            lifecycle::expires_millis(tx, (name, row.key), bucket, object)?
                .map(iso)
                .unwrap_or_default()
        }
        _ => return Ok(None),
    }))
}

fn encryption(encryption: Option<&Encryption>) -> &'static str {
    match encryption {
        None => "SSE-S3",
        Some(Encryption::Customer { .. }) => "SSE-C",
        Some(Encryption::Kms(kms)) if kms.is_dual => "DSSE-KMS",
        Some(Encryption::Kms(_)) => "SSE-KMS",
    }
}

/// An object's ACL in the form that inventories have of it.
fn access_control_list(tx: &ReadTx<'_>, bucket: &Bucket, object: &Object) -> Value {
    let is_enforced = bucket.is_enforced();
    let owner = object.listed.owner.as_ref().filter(|_| !is_enforced).unwrap_or(&bucket.account);
    let acl = object.more.as_ref().and_then(|more| more.acl.as_ref()).filter(|_| !is_enforced);
    let grants = acls::shown(tx, acl, owner, bucket).into_iter().map(|grant| {
        let grantee = grant.grantee.unwrap_or_default();
        let mut told = json!({ "type": grantee.r#type.as_str() });
        for (member, value) in [("canonicalId", grantee.id), ("uri", grantee.uri)] {
            if let Some(value) = value {
                told[member] = value.into();
            }
        }
        if let Some(permission) = grant.permission {
            told["permission"] = permission.as_str().into();
        }
        told
    });
    let grants: Vec<Value> = grants.collect();
    json!({ "version": "2022-11-10", "status": "AVAILABLE", "grants": grants })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_encoded_as_forms_are_but_for_slashes() {
        let encode = |key: &str| utf8_percent_encode(key, KEY).to_string().replace(' ', "+");
        assert_eq!(encode("a/b c+d=\"é\".txt"), "a/b+c%2Bd%3D%22%C3%A9%22.txt");
    }
}
