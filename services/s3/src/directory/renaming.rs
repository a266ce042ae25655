//! RenameObject: an object of a directory bucket gets another key in one transaction, and keeps all else.

use std::time::Duration;

use fogbank_core::{BoxFuture, Cx, Fault, Task, Tx, WriteTx};
use percent_encoding::percent_decode_str;
use sha1::Digest;

use super::{RENAME_ENDS, RENAMES, Renamed, is_name};
use crate::error::Error;
use crate::model::{RenameObjectInput, RenameObjectOutput};
use crate::objects::WriteConditions;
use crate::rules::{self, Conditions, Verdict};
use crate::store::{self, OBJECTS, Object};

/// How long a token is remembered, in seconds. AWS does not say.
const KEPT_SECS: i64 = 24 * 3600;
/// How many tokens one transaction forgets.
const AT_ONCE: usize = 1000;

/// The task that forgets tokens.
pub(crate) const FORGET: Task =
    Task { name: "s3.renames", every: Duration::from_secs(600), run: forget_ended };

/// Renames an object.
pub(crate) fn rename(
    tx: &mut WriteTx<'_>,
    input: RenameObjectInput,
) -> Result<RenameObjectOutput, Error> {
    let name = &*input.bucket;
    if !is_name(name) {
        let (method, kind) = ("RenameObject".to_owned(), "BUCKET".to_owned());
        return Err(Error::MethodNotAllowed { method, kind });
    }
    rules::check_key(&input.key)?;
    let bucket = store::shared_bucket(tx, name)?;
    let source = source(&input)?;
    let request = digest(&input, &source);
    if let Some(token) = &input.client_token {
        check_token(token)?;
        if let Some(done) = RENAMES.get(tx, &(bucket.id, &**token))? {
            return match done.request == request {
                true => Ok(RenameObjectOutput {}),
                false => Err(Error::IdempotencyParameterMismatch),
            };
        }
    }
    let missing = || Error::NoSuchKey { key: source.clone() };
    let mut object = store::object(tx, name, &source)?.ok_or_else(missing)?;
    check_source(tx, &input, &object)?;
    let old = store::object(tx, name, &input.key)?;
    check_destination(tx, &input, old.as_ref())?;
    if source != input.key {
        OBJECTS.delete(tx, &(name, &*source))?;
        object.version = tx.version();
        store::put_object(tx, (name, &input.key), &object, old.as_ref())?;
    }
    if let Some(token) = input.client_token {
        let secs = tx.now().secs().max(0).unsigned_abs();
        RENAME_ENDS.put(tx, &(secs, bucket.id, &*token), &())?;
        RENAMES.put(tx, &(bucket.id, &*token), &Renamed { request })?;
    }
    Ok(RenameObjectOutput {})
}

/// The key that is renamed: alone, or behind a slash, with the bucket or without.
fn source(input: &RenameObjectInput) -> Result<String, Error> {
    let header = "x-amz-rename-source";
    let wrong = |message: &str| Error::argument(header, &input.rename_source, message);
    let decoded = percent_decode_str(&input.rename_source)
        .decode_utf8()
        .map_err(|_| wrong("Invalid rename source encoding."))?;
    let bare = decoded.strip_prefix('/').unwrap_or(&decoded);
    let within = bare.strip_prefix(&*input.bucket).and_then(|rest| rest.strip_prefix('/'));
    let key = within.unwrap_or(bare);
    // The words are guesses.
    if key.is_empty() {
        return Err(wrong("Invalid rename source object key"));
    }
    if key.ends_with('/') || input.key.ends_with('/') {
        let message = "RenameObject does not support keys that end in a delimiter";
        return Err(Error::request(message));
    }
    Ok(key.to_owned())
}

fn check_token(token: &str) -> Result<(), Error> {
    let is_good = (1..=64).contains(&token.len()) && token.bytes().all(|b| (33..=126).contains(&b));
    if is_good {
        return Ok(());
    }
    let message = "The client token must have 1 to 64 visible ASCII characters";
    Err(Error::argument("x-amz-client-token", token, message))
}

/// What tells one request from another.
fn digest(input: &RenameObjectInput, source: &str) -> [u8; 32] {
    let text = |text: &Option<String>| text.clone().unwrap_or_default();
    let time = |time: &Option<fogbank_core::Timestamp>| {
        time.map(|time| time.millis().to_string()).unwrap_or_default()
    };
    let parts = [
        source.to_owned(),
        input.key.clone(),
        text(&input.destination_if_match),
        text(&input.destination_if_none_match),
        time(&input.destination_if_modified_since),
        time(&input.destination_if_unmodified_since),
        text(&input.source_if_match),
        text(&input.source_if_none_match),
        time(&input.source_if_modified_since),
        time(&input.source_if_unmodified_since),
    ];
    let mut digest = sha2::Sha256::new();
    for part in parts {
        digest.update((part.len() as u64).to_be_bytes());
        digest.update(part);
    }
    digest.finalize().into()
}

fn failed(condition: &str) -> Error {
    Error::PreconditionFailed { condition: condition.to_owned() }
}

fn check_source(tx: &WriteTx<'_>, input: &RenameObjectInput, object: &Object) -> Result<(), Error> {
    let conditions = Conditions {
        if_match: input.source_if_match.as_deref(),
        if_none_match: input.source_if_none_match.as_deref(),
        if_modified_since: input.source_if_modified_since,
        if_unmodified_since: input.source_if_unmodified_since,
    };
    let name = |condition: &str| {
        failed(&format!("x-amz-rename-source-{}", condition.to_ascii_lowercase()))
    };
    match conditions.evaluate(&object.listed.e_tag, object.listed.modified(), tx.now()) {
        Verdict::Holds => Ok(()),
        Verdict::Fails(condition) => Err(name(condition)),
        Verdict::NotModified => Err(name(conditions.not_modified_by())),
    }
}

fn check_destination(
    tx: &WriteTx<'_>,
    input: &RenameObjectInput,
    old: Option<&Object>,
) -> Result<(), Error> {
    let write = WriteConditions::read(
        input.destination_if_match.clone(),
        input.destination_if_none_match.clone(),
    )?;
    write.check(&input.key, old)?;
    let conditions = Conditions {
        if_modified_since: input.destination_if_modified_since,
        if_unmodified_since: input.destination_if_unmodified_since,
        ..Conditions::default()
    };
    let Some(old) = old else {
        return match input.destination_if_modified_since {
            None => Ok(()),
            Some(_) => Err(failed("If-Modified-Since")),
        };
    };
    match conditions.evaluate(&old.listed.e_tag, old.listed.modified(), tx.now()) {
        Verdict::Holds => Ok(()),
        Verdict::Fails(condition) => Err(failed(condition)),
        Verdict::NotModified => Err(failed("If-Modified-Since")),
    }
}

/// Forgets the tokens of long ago.
fn forget_ended(cx: Cx) -> BoxFuture<'static, Result<(), Fault>> {
    Box::pin(async move {
        while cx.write(forget_some).await? {}
        Ok(())
    })
}

fn forget_some(tx: &mut WriteTx<'_>) -> Result<bool, Error> {
    let until = (tx.now().secs() - KEPT_SECS).max(0).unsigned_abs();
    let ended = RENAME_ENDS.range(&()).before(&(until, 0, "")).limit(AT_ONCE).keys(tx)?;
    for (secs, bucket, token) in &ended {
        RENAMES.delete(tx, &(*bucket, &**token))?;
        RENAME_ENDS.delete(tx, &(*secs, *bucket, &**token))?;
    }
    Ok(ended.len() == AT_ONCE)
}
