//! Removing many objects with one request.

use std::collections::HashSet;

use fogbank_core::{Access, Cx, Fault, WriteTx};

use crate::access::{object_arn, paid};
use crate::access_logs::{self, Entry};
use crate::directory;
use crate::error::Error;
use crate::mfa;
use crate::model::{
    DeleteObjectsInput, DeleteObjectsOutput, DeletedObject, Error as Refused, ObjectIdentifier,
};
use crate::objects::Expected;
use crate::payment;
use crate::store;
use crate::versions::{self, Removal, Removed};

/// The most keys that one request removes.
const MAX_KEYS: usize = 1000;

/// Removes objects in one transaction; each key is allowed, removed or refused by itself.
pub(crate) async fn delete(
    cx: &Cx,
    mut input: DeleteObjectsInput,
) -> Result<DeleteObjectsOutput, Error> {
    if input.delete.objects.is_empty() || input.delete.objects.len() > MAX_KEYS {
        return Err(Error::MalformedXML);
    }
    leave_repeated(&mut input.delete.objects);
    let keys = &input.delete.objects;
    let name = &*input.bucket;
    let expected = input.expected_bucket_owner.as_deref();
    let shown = mfa::shown(input.mfa.as_deref())?;
    let has_version = keys.iter().any(|key| key.version_id.is_some());
    cx.read(|tx| {
        let bucket = store::expected_bucket(tx, name, expected)?;
        match bucket.mfa_delete == Some(true) && has_version {
            true => mfa::given(shown.as_ref()).map(|_| ()),
            false => Ok(()),
        }
    })?;
    let payer = input.request_payer.as_deref();
    let scope = cx.read(directory::scope)?;
    let is_left = |key: &str| scope.as_ref().is_none_or(|scope| scope.has(key));
    let allow = |key: &ObjectIdentifier| match is_left(&key.key) {
        true => Ok(cx.authorise(&access(name, key, payer))?),
        false => Err(Error::AccessDenied),
    };
    let allowed: Vec<Result<(), Error>> = keys.iter().map(allow).collect();
    let bypasses = input.bypass_governance_retention == Some(true);
    let outcomes = cx
        .write(|tx| {
            let bucket = store::bucket(tx, name)?;
            // One code allows the whole request, and one that is wrong refuses the whole, even without versions.
            if bucket.mfa_delete == Some(true) && (has_version || shown.is_some()) {
                mfa::take(tx, &bucket, shown.as_ref())?;
            }
            remove_all(tx, (name, &bucket), keys, &allowed, bypasses)
        })
        .await?;
    let is_quiet = input.delete.quiet.unwrap_or_default();
    let request_charged = payment::charged_after(cx, name, payer)?;
    let mut output = DeleteObjectsOutput { request_charged, ..DeleteObjectsOutput::default() };
    log(cx, name, keys, &allowed, &outcomes);
    let (mut deleted, mut errors) = (Vec::new(), Vec::new());
    let refusals = allowed.into_iter().map(Result::err);
    for ((key, refusal), outcome) in keys.iter().zip(refusals).zip(outcomes) {
        match refusal.map_or(outcome, Err) {
            Err(error) => errors.push(refused(key, error)),
            Ok(_) if is_quiet => {}
            Ok(removed) => deleted.push(DeletedObject {
                key: Some(key.key.clone()),
                version_id: key.version_id.clone(),
                delete_marker: removed.is_marker.then_some(true),
                delete_marker_version_id: removed.version_id.filter(|_| removed.is_marker),
            }),
        }
    }
    output.deleted = Some(deleted);
    output.errors = Some(errors);
    Ok(output)
}

/// Leaves out keys that were named before. Observed: S3 removes and tells of them once, unless versions are named.
fn leave_repeated(keys: &mut Vec<ObjectIdentifier>) {
    let mut named = HashSet::new();
    keys.retain(|key| {
        let is_plain = key.version_id.is_none()
            && key.e_tag.is_none()
            && key.last_modified_time.is_none()
            && key.size.is_none();
        !is_plain || named.insert(key.key.clone())
    });
}

/// Has each key that was removed in the access log.
fn log(
    cx: &Cx,
    name: &str,
    keys: &[ObjectIdentifier],
    allowed: &[Result<(), Error>],
    outcomes: &[Result<Removed, Error>],
) {
    let request = cx.request();
    if request.source_ip.is_none() {
        return;
    }
    let entries = keys.iter().zip(allowed).zip(outcomes);
    let done = entries.filter(|((_, allowed), outcome)| allowed.is_ok() && outcome.is_ok());
    let entry = |((key, _), outcome): ((&'_ ObjectIdentifier, _), &Result<Removed, Error>)| {
        let removed = outcome.as_ref().ok().and_then(|removed| removed.version_id.clone());
        (key.key.clone(), key.version_id.clone().or(removed))
    };
    let done: Vec<(String, Option<String>)> = done.map(entry).collect();
    access_logs::note(cx, name, || {
        done.iter().map(|(key, version_id)| Entry {
            operation: "BATCH.DELETE.OBJECT".to_owned(),
            key: Some(key),
            status: Some(204),
            version_id: version_id.clone(),
            ..Entry::by(request)
        })
    });
}

fn access(bucket: &str, key: &ObjectIdentifier, payer: Option<&str>) -> Access {
    let action = match key.version_id {
        None => "s3:DeleteObject",
        Some(_) => "s3:DeleteObjectVersion",
    };
    paid(Access::to(action, object_arn(bucket, &key.key)), payer)
}

/// Removes what is allowed, and says why not of what remains.
fn remove_all(
    tx: &mut WriteTx<'_>,
    (name, bucket): (&str, &store::Bucket),
    keys: &[ObjectIdentifier],
    allowed: &[Result<(), Error>],
    bypasses: bool,
) -> Result<Vec<Result<Removed, Error>>, Error> {
    let mut outcomes = Vec::with_capacity(keys.len());
    for (key, allowed) in keys.iter().zip(allowed) {
        let outcome = match allowed {
            Ok(()) => remove(tx, bucket, name, key, bypasses),
            Err(_) => Ok(Removed::default()),
        };
        match outcome {
            // What the store refuses aborts the whole.
            Err(Error::Fault(fault)) if fault.name() == "InternalFailure" => {
                return Err(Error::Fault(fault));
            }
            outcome => outcomes.push(outcome),
        }
    }
    Ok(outcomes)
}

fn remove(
    tx: &mut WriteTx<'_>,
    bucket: &store::Bucket,
    name: &str,
    key: &ObjectIdentifier,
    bypasses_governance: bool,
) -> Result<Removed, Error> {
    let expected =
        Expected { e_tag: key.e_tag.as_deref(), modified: key.last_modified_time, size: key.size };
    expected.check_offered(name)?;
    let version_id = key.version_id.as_deref();
    let removal = Removal { version_id, bypasses_governance, ..Removal::default() };
    let at = (name, &*key.key);
    expected.check(tx, at, removal)?;
    versions::remove(tx, bucket, at, removal).map_err(|error| match error {
        // Here S3 does not say that the id could not be one.
        Error::InvalidArgument { value, .. } => {
            Error::NoSuchVersion { key: key.key.clone(), version: value }
        }
        error => error,
    })
}

fn refused(key: &ObjectIdentifier, error: Error) -> Refused {
    let fault = Fault::from(error);
    Refused {
        key: Some(key.key.clone()),
        version_id: key.version_id.clone(),
        code: Some(fault.name().to_owned()),
        message: Some(fault.message().to_owned()),
    }
}
