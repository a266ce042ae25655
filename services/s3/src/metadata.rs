//! What a request says of the object that it writes: headers, metadata, tags, class, lock, and what is not supported.

use std::collections::BTreeMap;

use fogbank_core::Tx;

use crate::acls;
use crate::ciphers;
use crate::encoded_words;
use crate::encryption;
use crate::error::Error;
use crate::holds;
use crate::locks;
use crate::model::{CopyObjectInput, CreateMultipartUploadInput, PutObjectInput};
use crate::rules::{self, MAX_METADATA_BYTES};
use crate::store::{AclPermission, Bucket, Encryption, Headers, More};
use crate::versions::At;

/// What is to be stored beside a body.
#[derive(Clone, Debug, Default)]
pub(crate) struct Draft {
    pub(crate) headers: Headers,
    pub(crate) metadata: Vec<(String, String)>,
    pub(crate) tags: Vec<(String, String)>,
    /// None for `STANDARD`.
    pub(crate) storage_class: Option<String>,
    pub(crate) acl: acls::Asked,
    pub(crate) lock: locks::Asked,
    pub(crate) encryption: encryption::Asked,
}

impl Draft {
    /// The owner, if it is not the bucket's, and what few objects have, as the bucket has it.
    pub(crate) fn settle(
        &self,
        tx: &(impl Tx + ?Sized),
        at: At<'_>,
        bucket: &Bucket,
        encryption: Option<Encryption>,
    ) -> Result<(Option<String>, Option<Box<More>>), Error> {
        let (owner, acl) = self.acl.settle(tx, at, bucket)?;
        let (retention, legal_hold) = locks::settle(bucket, self.lock, tx.now())?;
        let has_more = acl.is_some() || retention.is_some() || legal_hold || encryption.is_some();
        let more = More { acl, retention, legal_hold, encryption, ..More::default() };
        Ok((owner, has_more.then(|| Box::new(more))))
    }
}

/// A request that writes an object.
pub(crate) trait Writes {
    /// Takes the draft out of the request, or says what in it S3 or Fogbank refuses.
    fn draft(&mut self) -> Result<Draft, Error>;
}

/// User metadata in the order of its names, which are in lower case.
fn user_metadata(map: Option<BTreeMap<String, String>>) -> Result<Vec<(String, String)>, Error> {
    let given = map.into_iter().flatten();
    let metadata: Vec<(String, String)> = given
        .map(|(name, value)| (name.to_ascii_lowercase(), encoded_words::decode(value)))
        .collect();
    let size: usize = metadata.iter().map(|(name, value)| name.len() + value.len()).sum();
    if size > MAX_METADATA_BYTES {
        let (size, limit) = (size.to_string(), MAX_METADATA_BYTES.to_string());
        return Err(Error::MetadataTooLarge { size, limit });
    }
    Ok(metadata)
}

/// User metadata as headers may have it, and how many of it none can.
pub(crate) fn told(metadata: Vec<(String, String)>) -> (BTreeMap<String, String>, Option<i32>) {
    let all = metadata.len();
    let told: BTreeMap<_, _> = metadata
        .into_iter()
        .filter(|(name, _)| http::HeaderName::try_from(name).is_ok())
        .filter_map(|(name, value)| Some((name, encoded_words::encode(value)?)))
        .collect();
    let missing = i32::try_from(all.saturating_sub(told.len())).ok().filter(|count| *count > 0);
    (told, missing)
}

macro_rules! writes {
    ($($input:ident)*) => {$(
        impl Writes for $input {
            fn draft(&mut self) -> Result<Draft, Error> {
                rules::check_key(&self.key)?;
                Ok(Draft {
                    headers: Headers {
                        content_type: self.content_type.take(),
                        cache_control: self.cache_control.take(),
                        content_disposition: self.content_disposition.take(),
                        content_encoding: rules::stored_encoding(self.content_encoding.take()),
                        content_language: self.content_language.take(),
                        expires: self.expires.take(),
                        website_redirect: rules::redirect(self.website_redirect_location.take())?,
                    },
                    metadata: user_metadata(self.metadata.take())?,
                    tags: self
                        .tagging
                        .as_deref()
                        .map(rules::tagging_header)
                        .transpose()?
                        .unwrap_or_default(),
                    storage_class: rules::storage_class(self.storage_class.take())?,
                    acl: acls::asked(
                        self.acl.as_deref(),
                        [
                            (AclPermission::FullControl, &self.grant_full_control),
                            (AclPermission::Read, &self.grant_read),
                            (AclPermission::ReadAcp, &self.grant_read_acp),
                            (AclPermission::Write, &None),
                            (AclPermission::WriteAcp, &self.grant_write_acp),
                        ],
                    )?,
                    encryption: encryption::Asked::read(encryption::Headers {
                        method: self.server_side_encryption.as_deref(),
                        key_id: self.ssekms_key_id.as_deref(),
                        context: self.ssekms_encryption_context.as_deref(),
                        bucket_key: self.bucket_key_enabled,
                        customer: ciphers::Headers {
                            algorithm: self.sse_customer_algorithm.as_deref(),
                            key: self.sse_customer_key.as_deref(),
                            md5: self.sse_customer_key_md5.as_deref(),
                        },
                    })?,
                    lock: locks::asked(
                        self.object_lock_mode.as_deref(),
                        self.object_lock_retain_until_date,
                        self.object_lock_legal_hold_status.as_deref(),
                        holds::Given {
                            hold: self.object_lock_event_hold,
                            days: self.object_lock_event_hold_duration_days,
                            years: self.object_lock_event_hold_duration_years,
                            has_mode: self.object_lock_mode.is_some(),
                        },
                    )?,
                })
            }
        }
    )*};
}

writes! { PutObjectInput CopyObjectInput CreateMultipartUploadInput }

#[cfg(test)]
mod tests {
    use super::*;

    fn put() -> PutObjectInput {
        PutObjectInput { key: "k".into(), ..PutObjectInput::default() }
    }

    #[test]
    fn metadata_has_a_limit_and_lower_case_names() {
        let map = |value: String| Some(BTreeMap::from([("Name".to_owned(), value)]));
        let mut input = PutObjectInput { metadata: map("x".repeat(2044)), ..put() };
        assert_eq!(input.draft().expect("a draft").metadata[0].0, "name");
        let mut input = PutObjectInput { metadata: map("x".repeat(2045)), ..put() };
        assert!(matches!(input.draft(), Err(Error::MetadataTooLarge { .. })));
    }

    #[test]
    fn what_is_not_supported_is_said() {
        let text = |text: &str| Some(text.to_owned());
        let mut input = PutObjectInput { ssekms_key_id: text("k"), ..put() };
        assert!(matches!(input.draft(), Err(Error::InvalidArgument { .. })));
        let mut input = PutObjectInput { server_side_encryption: text("rot13"), ..put() };
        assert!(matches!(input.draft(), Err(Error::InvalidArgument { .. })));
        let mut input = PutObjectInput { sse_customer_algorithm: text("AES256"), ..put() };
        assert!(matches!(input.draft(), Err(Error::InvalidArgument { .. })));
        let mut input = PutObjectInput { object_lock_mode: text("COMPLIANCE"), ..put() };
        assert!(matches!(input.draft(), Err(Error::InvalidArgument { .. })));
        let mut input = PutObjectInput { key: "k".repeat(1025), ..put() };
        assert!(matches!(input.draft(), Err(Error::KeyTooLongError { .. })));
    }
}
