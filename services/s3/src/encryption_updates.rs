//! UpdateObjectEncryption: an object comes under another key of KMS, and stays the same in all else.
//!
//! What KMS encrypts already keeps its data key, which KMS seals anew under the other key, so that no byte of the object
//! moves. What S3 encrypts lies in the store as it was sent, and is written anew, encrypted; AWS moves nothing then either,
//! but nobody can tell but by the time it takes. Annotations go with their object.

use fogbank_core::{Arn, Cx, Fault, Request, Tx, WriteTx};

use crate::access;
use crate::annotations::copies;
use crate::annotations::rows::{self, ANNOTATIONS, Annotated};
use crate::bodies::Received;
use crate::encryption;
use crate::error::Error;
use crate::locks;
use crate::metadata_tables::{By, Entry, note};
use crate::model::{ObjectEncryption, UpdateObjectEncryptionInput, UpdateObjectEncryptionOutput};
use crate::payment;
use crate::resealing::{self, Sealed};
use crate::store::{self, Bucket, Encryption, KmsEncryption, Object};
use crate::versions::{self, At, Found};

/// How often an update begins again because the object changed meanwhile.
const MAX_TRIES: usize = 8;

/// `s3:UpdateObjectEncryption` with what is asked for.
pub(crate) fn access(
    _: &Request,
    input: &dyn fogbank_core::wire::Struct,
) -> Result<fogbank_core::Access, Fault> {
    let action = "s3:UpdateObjectEncryption";
    let access = access::to_object(action, input)?;
    let Some(input) = input.downcast_ref::<UpdateObjectEncryptionInput>() else {
        return Ok(access);
    };
    let ObjectEncryption::Ssekms(kms) = &input.object_encryption else { return Ok(access) };
    Ok(access
        .with("s3:x-amz-server-side-encryption", ["aws:kms".to_owned()])
        .with("s3:x-amz-server-side-encryption-aws-kms-key-id", [kms.kms_key_arn.clone()]))
}

/// The key that an object is to come under.
#[derive(Debug)]
struct Asked {
    key_arn: String,
    /// The account of the key.
    account: String,
    bucket_key: bool,
}

/// Reads the request, with AWS's words for what it may not ask.
fn asked(cx: &Cx, given: &ObjectEncryption) -> Result<Asked, Error> {
    let signature = cx.request().signature.as_ref();
    let is_old = signature.is_some_and(|signature| !signature.version.starts_with("AWS4-"));
    if is_old || cx.request().principal.is_anonymous() {
        let message = "Requests that modify an object encryption configuration require AWS Signature Version 4. Modify the request to use AWS Signature Version 4, and then try again.";
        return Err(Error::request(message));
    }
    let ObjectEncryption::Ssekms(kms) = given else {
        let message = "Requests that modify an object encryption configuration require a valid new encryption type. Valid values are SSEKMS. Modify the request to specify SSE-KMS for the updated encryption type, and then try again.";
        return Err(Error::request(message));
    };
    let key_arn = &*kms.kms_key_arn;
    if key_arn.is_empty() {
        let message = "Requests that modify an object's encryption type to SSE-KMS require an AWS KMS key Amazon Resource Name (ARN). Modify the request to specify a KMS key ARN, and then try again.";
        return Err(Error::request(message));
    }
    let parsed = Arn::parse(key_arn).filter(|arn| arn.service == "kms" && is_key(arn.resource));
    let Some(arn) = parsed else {
        let message = "Requests that modify an object's encryption type to SSE-KMS require a valid AWS KMS key Amazon Resource Name (ARN). Confirm that you have a correctly formatted KMS key ARN in your request, and then try again.";
        return Err(Error::request(message));
    };
    Ok(Asked {
        account: arn.account.to_owned(),
        key_arn: key_arn.to_owned(),
        bucket_key: kms.bucket_key_enabled == Some(true),
    })
}

/// Whether a resource of KMS is a key, named by its id.
fn is_key(resource: &str) -> bool {
    let id = resource.strip_prefix("key/").unwrap_or_default();
    !id.is_empty() && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
}

/// The version as it was looked at.
struct Before {
    bucket: Bucket,
    object: Object,
    annotated: Option<Annotated>,
}

/// Finds the version, and refuses those that cannot come under another key.
fn before(
    tx: &(impl Tx + ?Sized),
    at: At<'_>,
    input: &UpdateObjectEncryptionInput,
    asked: &Asked,
) -> Result<Before, Error> {
    let bucket = store::expected_bucket(tx, at.0, input.expected_bucket_owner.as_deref())?;
    if asked.account != bucket.account {
        let message = "The AWS KMS key in the request must be owned by the same account as the bucket. Modify the request to specify a KMS key from the same account, and then try again.";
        return Err(Error::Fault(Fault::access_denied(message)));
    }
    let mut found = locks::found(tx, at, input.version_id.as_deref())?;
    let Some(object) = found.object_mut().cloned() else {
        return Err(Error::NoSuchKey { key: at.1.to_owned() });
    };
    let is_other = match object.encryption() {
        Some(Encryption::Customer { .. }) => true,
        Some(Encryption::Kms(kms)) => kms.is_dual,
        None => false,
    };
    if is_other {
        let message = "The UpdateObjectEncryption operation doesn't support source objects with the encryption type DSSE-KMS or SSE-C. Only source objects encrypted with SSE-S3 or SSE-KMS are supported.";
        return Err(Error::request(message));
    }
    let more = object.more.as_deref();
    let now = tx.now();
    let is_retained = more
        .and_then(|more| more.retention)
        .is_some_and(|retention| retention.end_millis(now) > now.millis());
    if is_retained || more.is_some_and(|more| more.legal_hold) {
        let message = "The encryption type for the specified object can't be updated because that object is protected by S3 Object Lock.";
        return Err(Error::Fault(Fault::access_denied(message)));
    }
    let annotated = rows::annotated(tx, at, object.version)?;
    Ok(Before { bucket, object, annotated })
}

/// What takes the place of what was.
enum Prepared {
    /// Everything was written anew.
    Sealed(Box<Sealed>, Vec<(String, Received)>),
    /// Data keys were sealed anew: that of the object, and those of its annotations.
    Wrapped(Box<KmsEncryption>, Vec<(String, KmsEncryption)>),
}

/// Brings an object under another key of KMS.
pub(crate) async fn update(
    cx: &Cx,
    input: UpdateObjectEncryptionInput,
) -> Result<UpdateObjectEncryptionOutput, Error> {
    let asked = asked(cx, &input.object_encryption)?;
    let at = (&*input.bucket, &*input.key);
    for _ in 0..MAX_TRIES {
        let before = cx.read(|tx| before(tx, at, &input, &asked))?;
        let prepared = match before.object.encryption() {
            Some(Encryption::Kms(kms)) => wrap(cx, at, &before, kms, &asked).await?,
            _ => seal(cx, at, &before, &asked).await?,
        };
        if cx.write(|tx| write(tx, at, (&input, &asked), &before, &prepared)).await? {
            let payer = input.request_payer.as_deref();
            let request_charged = payment::charged_after(cx, at.0, payer)?;
            return Ok(UpdateObjectEncryptionOutput { request_charged });
        }
    }
    Err(Fault::new("ServiceUnavailable", "Please reduce your request rate.").into())
}

async fn seal(cx: &Cx, at: At<'_>, before: &Before, asked: &Asked) -> Result<Prepared, Error> {
    let Before { bucket, object, annotated } = before;
    let sealing = encryption::with_key(cx, bucket, at, &asked.key_arn, asked.bucket_key).await?;
    let sealed = resealing::seal(cx, object, None, sealing).await?;
    let annotations = match annotated {
        Some(annotated) => copies::seal(cx, at, annotated.number, sealed.sealing()).await?,
        None => None,
    };
    Ok(Prepared::Sealed(Box::new(sealed), annotations.unwrap_or_default()))
}

async fn wrap(
    cx: &Cx,
    at: At<'_>,
    before: &Before,
    kms: &KmsEncryption,
    asked: &Asked,
) -> Result<Prepared, Error> {
    let Before { bucket, annotated, .. } = before;
    let to = (&*asked.key_arn, asked.bucket_key);
    let wrapped = encryption::wrap_anew(cx, bucket, at, kms, to).await?;
    let mut annotations = Vec::new();
    if let Some(Annotated { number, .. }) = annotated {
        for ((_, name), annotation) in cx.read(|tx| ANNOTATIONS.range(&(*number,)).list(tx))? {
            if let Some(Encryption::Kms(kms)) = &annotation.encryption {
                let wrapped = encryption::wrap_anew(cx, bucket, at, kms, to).await?;
                annotations.push((name, wrapped));
            }
        }
    }
    Ok(Prepared::Wrapped(Box::new(wrapped), annotations))
}

/// Writes what was prepared, unless the version is not the one any more that was looked at.
fn write(
    tx: &mut WriteTx<'_>,
    at: At<'_>,
    (input, asked): (&UpdateObjectEncryptionInput, &Asked),
    looked_at: &Before,
    prepared: &Prepared,
) -> Result<bool, Error> {
    let now = before(tx, at, input, asked)?;
    let is_same = now.object.version == looked_at.object.version
        && now.object.encryption() == looked_at.object.encryption()
        && now.annotated == looked_at.annotated;
    let found = versions::find(tx, at, input.version_id.as_deref())?;
    let Some(mut found) = found.filter(|_| is_same) else { return Ok(false) };
    let (Found::Current(object) | Found::Older(_, object)) = &mut found else { return Ok(false) };
    match prepared {
        Prepared::Wrapped(kms, _) => {
            object.more_mut().encryption = Some(Encryption::Kms(kms.clone()));
        }
        Prepared::Sealed(sealed, _) => {
            store::free_body(tx, object)?;
            let (encryption, parts, body) = sealed.keep(tx)?;
            object.more_mut().encryption = encryption;
            (object.parts, object.body) = (parts, body);
        }
    }
    note(tx, &now.bucket, at, Entry::Updated(object), By::Caller)?;
    versions::save(tx, at, found)?;
    if let Some(annotated) = now.annotated {
        write_annotations(tx, annotated.number, prepared)?;
    }
    Ok(true)
}

fn write_annotations(tx: &mut WriteTx<'_>, number: u64, prepared: &Prepared) -> Result<(), Error> {
    match prepared {
        Prepared::Wrapped(_, annotations) => {
            for (name, kms) in annotations {
                let Some(mut annotation) = ANNOTATIONS.get(tx, &(number, &**name))? else {
                    continue;
                };
                annotation.encryption = Some(Encryption::Kms(Box::new(kms.clone())));
                rows::save(tx, number, name, &annotation)?;
            }
        }
        Prepared::Sealed(sealed, annotations) => {
            for (name, received) in annotations {
                let Some(mut annotation) = ANNOTATIONS.get(tx, &(number, &**name))? else {
                    continue;
                };
                rows::free(tx, &annotation)?;
                annotation.encryption = sealed.sealing().keep(tx, received.nonce)?;
                annotation.body.clone_from(&received.body);
                rows::save(tx, number, name, &annotation)?;
            }
        }
    }
    Ok(())
}
