//! Lifecycles of buckets: rules by which objects change their storage class and go, and uploads are given up.
//!
//! Each rule's times are midnights (UTC), so a bucket is swept once for each midnight that has come, and whenever its
//! rules change. A sweep may end anywhere and begin anew: it compares what is there with what the rules say.

mod noted;
mod rules;
mod sweep;
mod validation;

use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use fogbank_core::{Fault, ReadTx, Timestamp, Tx, WriteTx};

use crate::directory;
use crate::documents;
use crate::error::Error;
use crate::model::{
    BucketLifecycleConfiguration, DeleteBucketLifecycleInput, DeleteBucketLifecycleOutput,
    GetBucketLifecycleConfigurationInput, GetBucketLifecycleConfigurationOutput,
    PutBucketLifecycleConfigurationInput, PutBucketLifecycleConfigurationOutput,
};
use crate::reads::http_date;
use crate::store::{self, BUCKETS, Bucket, LIFECYCLES, Lifecycle, Object};
use rules::Rules;
pub(crate) use sweep::{SWEEP, run};

/// How documents of lifecycles are called.
const KIND: &str = "lifecycle";
/// What small objects are kept from, unless a bucket says otherwise.
const ALL_CLASSES: &str = "all_storage_classes_128K";
const BY_CLASS: &str = "varies_by_storage_class";

/// Sets the rules of a bucket.
pub(crate) fn put(
    tx: &mut WriteTx<'_>,
    input: PutBucketLifecycleConfigurationInput,
) -> Result<PutBucketLifecycleConfigurationOutput, Error> {
    let name = &*input.bucket;
    let mut bucket = store::expected_bucket(tx, name, input.expected_bucket_owner.as_deref())?;
    if bucket.mfa_delete == Some(true) {
        // The words are a guess after those of the other way round.
        let message = "Lifecycle configuration is not supported on a bucket with Mfa Authentication. Disable Mfa Authentication before setting a lifecycle configuration.";
        return Err(Error::Fault(Fault::new("InvalidBucketState", message)));
    }
    let minimum = input.transition_default_minimum_object_size.as_deref().unwrap_or(ALL_CLASSES);
    if minimum != ALL_CLASSES && minimum != BY_CLASS {
        let message = format!("Invalid TransitionDefaultMinimumObjectSize found: {minimum}");
        return Err(Error::request(message));
    }
    let mut given = input.lifecycle_configuration.ok_or(Error::MalformedXML)?;
    if directory::is_name(name) {
        directory::check_lifecycle(&given)?;
    }
    validation::check(&given)?;
    for rule in &mut given.rules {
        let made_up = || STANDARD.encode(tx.ids().uuid());
        rule.id = Some(rule.id.take().filter(|id| !id.is_empty()).unwrap_or_else(made_up));
    }
    documents::put(tx, name, KIND, "", &given)?;
    let number = tx.version();
    let row = Lifecycle { number, varies_by_class: minimum == BY_CLASS, swept_millis: None };
    LIFECYCLES.put(tx, name, &row)?;
    bucket.has_lifecycle = true;
    BUCKETS.put(tx, name, &bucket)?;
    tx.wake(SWEEP);
    let minimum = Some(minimum.to_owned());
    Ok(PutBucketLifecycleConfigurationOutput { transition_default_minimum_object_size: minimum })
}

/// The rules of a bucket.
pub(crate) fn get(
    tx: &ReadTx<'_>,
    input: GetBucketLifecycleConfigurationInput,
) -> Result<GetBucketLifecycleConfigurationOutput, Error> {
    let name = &*input.bucket;
    store::expected_bucket(tx, name, input.expected_bucket_owner.as_deref())?;
    let found = documents::get::<BucketLifecycleConfiguration>(tx, name, KIND, "")?;
    let (Some(found), Some(row)) = (found, LIFECYCLES.get(tx, name)?) else {
        return Err(Error::NoSuchLifecycleConfiguration { bucket: input.bucket });
    };
    let minimum = if row.varies_by_class { BY_CLASS } else { ALL_CLASSES };
    Ok(GetBucketLifecycleConfigurationOutput {
        rules: Some(found.rules),
        transition_default_minimum_object_size: Some(minimum.to_owned()),
    })
}

/// Removes the rules of a bucket.
pub(crate) fn delete(
    tx: &mut WriteTx<'_>,
    input: DeleteBucketLifecycleInput,
) -> Result<DeleteBucketLifecycleOutput, Error> {
    let name = &*input.bucket;
    let mut bucket = store::expected_bucket(tx, name, input.expected_bucket_owner.as_deref())?;
    documents::delete(tx, name, KIND, "")?;
    LIFECYCLES.delete(tx, name)?;
    bucket.has_lifecycle = false;
    BUCKETS.put(tx, name, &bucket)?;
    Ok(DeleteBucketLifecycleOutput {})
}

/// The rules of a bucket that are enabled.
fn compiled(
    tx: &(impl Tx + ?Sized),
    name: &str,
    bucket: &Bucket,
) -> Result<Option<Arc<Rules>>, Error> {
    if !bucket.has_lifecycle {
        return Ok(None);
    }
    documents::compiled(tx, name, KIND, Rules::new)
}

/// `x-amz-expiration` of a current object, if a rule lets it expire.
pub(crate) fn expiration(
    tx: &(impl Tx + ?Sized),
    (name, key): (&str, &str),
    bucket: &Bucket,
    object: &Object,
) -> Result<Option<String>, Error> {
    if directory::is_name(name) {
        // So AWS has it in all answers of directory buckets.
        return Ok(Some("NotImplemented".to_owned()));
    }
    let Some(rules) = compiled(tx, name, bucket)? else { return Ok(None) };
    let subject = rules::Subject::of(key, object);
    // AWS documents the id as encoded, and sends it as it is.
    Ok(rules.expiry(&subject).map(|(millis, id)| {
        let date = http_date(Timestamp::from_millis(millis));
        format!("expiry-date=\"{date}\", rule-id=\"{id}\"")
    }))
}

/// When a current object expires, if a rule lets it.
pub(crate) fn expires_millis(
    tx: &(impl Tx + ?Sized),
    (name, key): (&str, &str),
    bucket: &Bucket,
    object: &Object,
) -> Result<Option<i64>, Error> {
    let Some(rules) = compiled(tx, name, bucket)? else { return Ok(None) };
    let expiry = rules.expiry(&rules::Subject::of(key, object));
    Ok(expiry.map(|(millis, _)| millis))
}

/// The same for a read, which learns it of the current object only.
pub(crate) fn expiration_of_read(
    tx: &ReadTx<'_>,
    at: (&str, &str),
    version_id: Option<&str>,
    object: &Object,
) -> Result<Option<String>, Error> {
    if version_id.is_some() {
        return Ok(None);
    }
    match BUCKETS.get_shared(tx, at.0)? {
        Some(bucket) if bucket.has_lifecycle || directory::is_name(at.0) => {
            expiration(tx, at, &bucket, object)
        }
        _ => Ok(None),
    }
}

/// When an upload is given up, and by which rule.
pub(crate) fn abortion(
    tx: &(impl Tx + ?Sized),
    (name, key): (&str, &str),
    bucket: &Bucket,
    initiated_millis: i64,
) -> Result<(Option<Timestamp>, Option<String>), Error> {
    let Some(rules) = compiled(tx, name, bucket)? else { return Ok((None, None)) };
    let found = rules.abortion(key, initiated_millis);
    Ok(found.map_or((None, None), |(millis, id)| {
        (Some(Timestamp::from_millis(millis)), Some(id.to_owned()))
    }))
}
