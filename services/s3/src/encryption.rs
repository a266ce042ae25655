//! Server-side encryption: what a request and its bucket ask for, data keys of KMS, and what answers tell.
//!
//! KMS makes a data key for each object, or for each bucket and caller where bucket keys are wanted, and is asked for it again
//! by each read. It decides as for the caller, through S3. With two layers (`aws:kms:dsse`) a key of the data directory's own
//! encrypts what the data key has encrypted.

use std::collections::BTreeMap;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use fogbank_core::at_rest::KmsKey;
use fogbank_core::seal::{KEY_BYTES, Zeroizing};
use fogbank_core::store as rows;
use fogbank_core::{Arn, Cloud, Cx, Fault, Tx, WriteTx, root_key};

use crate::access::{bucket_arn, object_arn};
use crate::ciphers::{self, BodyKey, CustomerKey, Nonce, Sealer};
use crate::directory;
use crate::documents;
use crate::error::Error;
use crate::model::{BlockedEncryptionTypes, EncryptionType};
use crate::store::{Bucket, DefaultEncryption, Encryption, KmsEncryption};
use crate::warehouses;

/// The header that names the method.
pub(crate) const METHOD: &str = "x-amz-server-side-encryption";
/// The encryption of everything that is not encrypted otherwise.
const S3: &str = "AES256";
/// The key that S3 has in each account.
const MANAGED: &str = "alias/aws/s3";
/// For how long a bucket key is used again. AWS says "a limited time".
const BUCKET_KEY: Duration = Duration::from_secs(300);
/// What the context of every data key says.
const PLACE: &str = "aws:s3:arn";

/// The headers of a write that say how it is to be encrypted.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Headers<'a> {
    pub(crate) method: Option<&'a str>,
    pub(crate) key_id: Option<&'a str>,
    pub(crate) context: Option<&'a str>,
    pub(crate) bucket_key: Option<bool>,
    pub(crate) customer: ciphers::Headers<'a>,
}

/// How a request wants a body to be encrypted.
#[derive(Clone, Debug, Default)]
pub(crate) struct Asked {
    /// None if the bucket decides.
    method: Option<Method>,
    key_id: Option<String>,
    bucket_key: Option<bool>,
    context: BTreeMap<String, String>,
    customer_key: Option<CustomerKey>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Method {
    S3,
    Kms,
    DualKms,
}

impl Asked {
    /// Reads the headers of a write.
    pub(crate) fn read(headers: Headers<'_>) -> Result<Asked, Error> {
        let method = match headers.method {
            None => None,
            Some(S3) => Some(Method::S3),
            Some("aws:kms") => Some(Method::Kms),
            Some("aws:kms:dsse") => Some(Method::DualKms),
            Some(other) => {
                let message = "The encryption method specified is not supported";
                return Err(Error::argument(METHOD, other, message));
            }
        };
        let is_kms = matches!(method, Some(Method::Kms | Method::DualKms));
        if !is_kms && (headers.key_id.is_some() || headers.context.is_some()) {
            let message = "Server Side Encryption with AWS KMS managed key requires HTTP header x-amz-server-side-encryption : aws:kms";
            return Err(Error::argument(METHOD, headers.method.unwrap_or("null"), message));
        }
        let customer = headers.customer;
        if let Some(method) = headers.method
            && (customer.algorithm.is_some() || customer.key.is_some())
        {
            let message = "Server Side Encryption with Customer provided key is incompatible with the encryption method specified";
            return Err(Error::argument(METHOD, method, message));
        }
        Ok(Asked {
            method,
            key_id: headers.key_id.map(ToOwned::to_owned),
            bucket_key: headers.bucket_key,
            context: headers.context.map(context).transpose()?.unwrap_or_default(),
            customer_key: CustomerKey::read(customer)?,
        })
    }

    /// Whether the request says anything of encryption.
    pub(crate) fn is_said(&self) -> bool {
        self.method.is_some() || self.customer_key.is_some()
    }
}

/// Reads the context that a client adds to ours.
fn context(header: &str) -> Result<BTreeMap<String, String>, Error> {
    let json = STANDARD.decode(header).ok();
    let map = json.and_then(|json| serde_json::from_slice::<BTreeMap<String, String>>(&json).ok());
    let mut map = map.ok_or_else(|| {
        let message = "The header 'x-amz-server-side-encryption-context' shall be Base64-encoded UTF-8 string holding JSON which represents a string-string map";
        Error::argument("x-amz-server-side-encryption-context", header, message)
    })?;
    // Ours stands in its place.
    map.remove(PLACE);
    Ok(map)
}

/// With what a new body is encrypted.
#[derive(Clone, Debug)]
pub(crate) enum Sealing {
    /// With S3's own key.
    Managed,
    /// With a customer's key.
    Customer(CustomerKey),
    /// With a data key of KMS.
    Kms(KmsEncryption, BodyKey),
}

impl Sealing {
    /// Encrypts one body.
    pub(crate) fn sealer(&self, cloud: &Cloud) -> Sealer {
        let key = match self {
            Sealing::Managed => None,
            Sealing::Customer(key) => Some(key.body_key()),
            Sealing::Kms(_, key) => Some(key.clone()),
        };
        Sealer::new(cloud, key)
    }

    /// Whether S3's own key is the one.
    pub(crate) fn is_managed(&self) -> bool {
        matches!(self, Sealing::Managed)
    }

    /// What is kept with an object, whose body has this nonce, or with an upload, in the transaction that writes it.
    pub(crate) fn keep(
        &self,
        tx: &mut WriteTx<'_>,
        nonce: Option<Nonce>,
    ) -> Result<Option<Encryption>, rows::Error> {
        let nonce = nonce.unwrap_or_default();
        Ok(match self {
            Sealing::Managed => {
                root_key::keep_word(tx)?;
                None
            }
            Sealing::Customer(key) => Some(key.encryption(nonce)),
            Sealing::Kms(kms, _) => {
                if kms.is_dual {
                    root_key::keep_word(tx)?;
                }
                Some(Encryption::Kms(Box::new(KmsEncryption { nonce, ..kms.clone() })))
            }
        })
    }
}

/// The document of the kinds of encryption that writes to a bucket may not ask for.
const BLOCKED: &str = "blocked-encryption";

/// The kinds of encryption that writes to a bucket may not ask for, as they were put; none if they never were.
pub(crate) fn blocked(
    tx: &(impl Tx + ?Sized),
    bucket: &str,
) -> Result<Option<BlockedEncryptionTypes>, Error> {
    documents::get(tx, bucket, BLOCKED, "")
}

fn has(blocked: &BlockedEncryptionTypes, kind: EncryptionType) -> bool {
    blocked.encryption_type.iter().flatten().any(|blocked| *blocked == kind)
}

/// Blocks kinds of encryption for writes to a bucket; what has them already can be read.
pub(crate) fn block(
    tx: &mut WriteTx<'_>,
    bucket: &str,
    blocked: &BlockedEncryptionTypes,
) -> Result<(), Error> {
    let is_known =
        |kind: &EncryptionType| matches!(kind, EncryptionType::SseC | EncryptionType::None);
    let kinds = blocked.encryption_type.as_deref().unwrap_or_default();
    // Either one or the other.
    if kinds.len() != 1 || !kinds.iter().all(is_known) {
        return Err(Error::MalformedXML);
    }
    documents::put(tx, bucket, BLOCKED, "", blocked)
}

/// Blocks what customers' keys encrypt, as new buckets do since April 2026.
pub(crate) fn block_customer_keys(tx: &mut WriteTx<'_>, bucket: &str) -> Result<(), Error> {
    block(tx, bucket, &BlockedEncryptionTypes { encryption_type: Some(vec![EncryptionType::SseC]) })
}

/// Whether writes to a bucket may not bring a customer's key.
pub(crate) fn blocks_customer_keys(tx: &(impl Tx + ?Sized), bucket: &str) -> Result<bool, Error> {
    Ok(blocked(tx, bucket)?.is_some_and(|blocked| has(&blocked, EncryptionType::SseC)))
}

/// Gets what a body for this place is to be encrypted with, as the request asks or else as the bucket does.
pub(crate) async fn settle(
    cx: &Cx,
    bucket: &Bucket,
    at: (&str, &str),
    asked: &Asked,
) -> Result<Sealing, Error> {
    if let Some(key) = &asked.customer_key {
        if cx.read(|tx| blocks_customer_keys(tx, at.0))? {
            // The code is documented; the words are a guess.
            let message =
                "Server Side Encryption with Customer provided key is blocked for this bucket";
            return Err(Error::Fault(Fault::new("AccessDenied", message).with_status(403)));
        }
        return Ok(Sealing::Customer(key.clone()));
    }
    let (default_dual, default_key, default_bucket_key) = match &bucket.encryption {
        DefaultEncryption::Kms { is_dual, key_id, bucket_key } => {
            (Some(*is_dual), key_id.as_deref(), *bucket_key)
        }
        DefaultEncryption::S3BucketKey => (None, None, true),
        DefaultEncryption::S3 | DefaultEncryption::Unset => (None, None, false),
    };
    let (is_dual, key_id) = match asked.method {
        None => match default_dual {
            Some(is_dual) => (is_dual, default_key),
            None => return Ok(Sealing::Managed),
        },
        Some(Method::S3) => return Ok(Sealing::Managed),
        Some(method) => (method == Method::DualKms, asked.key_id.as_deref()),
    };
    let key_id = key_id.unwrap_or(MANAGED);
    // Apart, so that what few objects need makes no write's future larger.
    Box::pin(with_kms(cx, bucket, at, asked, key_id, is_dual, default_bucket_key)).await
}

async fn with_kms(
    cx: &Cx,
    bucket: &Bucket,
    at: (&str, &str),
    asked: &Asked,
    key_id: &str,
    is_dual: bool,
    default_bucket_key: bool,
) -> Result<Sealing, Error> {
    // Two layers have a data key for each object.
    let bucket_key = asked.bucket_key.unwrap_or(default_bucket_key) && !is_dual;
    let mut context: Vec<_> = asked.context.clone().into_iter().collect();
    context.retain(|(key, _)| key != PLACE);
    if directory::is_name(at.0) {
        // What was sealed before it was so has none, and is opened as if it lay in another bucket.
        let place = directory::arn(&bucket.region, &bucket.account, at.0);
        context.push((PLACE.to_owned(), place));
    }
    check_signed(cx)?;
    let cx = in_region(cx, &bucket.region);
    let kms = in_table(&cx, at.0, kms_key(at, key_id, bucket_key, &context))?;
    let data_key = kms.data_key(&cx).await.map_err(refused)?;
    let (sealed, key_arn) = (data_key.sealed.clone(), data_key.kms_key_arn.clone());
    let kms = KmsEncryption {
        is_dual,
        key_arn,
        bucket_key,
        context,
        data_key: sealed,
        nonce: Nonce::default(),
    };
    let key = body_key(&cx, &kms, data_key.bytes());
    Ok(Sealing::Kms(kms, key))
}

/// Gets what something that belongs to an object is to be encrypted with: a new data key of the object's key of KMS, if one
/// encrypts the object.
pub(crate) async fn like(
    cx: &Cx,
    bucket: &Bucket,
    at: (&str, &str),
    of: Option<&Encryption>,
) -> Result<Sealing, Error> {
    let Some(Encryption::Kms(kms)) = of else { return Ok(Sealing::Managed) };
    let context = kms.context.iter().cloned().collect();
    let asked = Asked { bucket_key: Some(kms.bucket_key), context, ..Asked::default() };
    let key_arn = &kms.key_arn;
    Box::pin(with_kms(cx, bucket, at, &asked, key_arn, kms.is_dual, kms.bucket_key)).await
}

/// Gets what an object that is there already is to be encrypted with: a data key that this key seals.
pub(crate) async fn with_key(
    cx: &Cx,
    bucket: &Bucket,
    at: (&str, &str),
    key_arn: &str,
    bucket_key: bool,
) -> Result<Sealing, Error> {
    let asked = Asked { bucket_key: Some(bucket_key), ..Asked::default() };
    Box::pin(with_kms(cx, bucket, at, &asked, key_arn, false, bucket_key)).await
}

/// Has KMS seal a data key anew, with another key and for the object or the bucket.
pub(crate) async fn wrap_anew(
    cx: &Cx,
    bucket: &Bucket,
    at: (&str, &str),
    kms: &KmsEncryption,
    (key_arn, bucket_key): (&str, bool),
) -> Result<KmsEncryption, Error> {
    let cx = in_region(cx, &bucket.region);
    let from = kms_key(at, &kms.key_arn, kms.bucket_key, &kms.context);
    let to = kms_key(at, key_arn, bucket_key, &kms.context);
    let input = serde_json::json!({
        "CiphertextBlob": STANDARD.encode(&kms.data_key),
        "SourceKeyId": kms.key_arn,
        "SourceEncryptionContext": from.context,
        "DestinationKeyId": key_arn,
        "DestinationEncryptionContext": to.context,
    });
    // ReEncrypt has two contexts of its own.
    let plain = KmsKey { context: BTreeMap::new(), ..to };
    let output = plain.call(&cx, "ReEncrypt", input).await.map_err(refused)?;
    let text = |member: &str| output[member].as_str().unwrap_or_default();
    let data_key = STANDARD.decode(text("CiphertextBlob")).map_err(Fault::internal)?;
    let key_arn = text("KeyId").to_owned();
    Ok(KmsEncryption { key_arn, bucket_key, data_key, ..kms.clone() })
}

/// Gets what a replica of what KMS encrypts is to be encrypted with: a data key that `key_id` seals. As on AWS, either
/// permission is enough: to encrypt a data key of our own, or to have one generated.
pub(crate) async fn of_replica(
    cx: &Cx,
    bucket: &Bucket,
    at: (&str, &str),
    key_id: &str,
    of: &KmsEncryption,
) -> Result<Sealing, Error> {
    let bucket_key = match bucket.encryption {
        DefaultEncryption::Kms { bucket_key, .. } => bucket_key && !of.is_dual,
        _ => of.bucket_key,
    };
    let cx = in_region(cx, &bucket.region);
    let key = kms_key(at, key_id, bucket_key, &of.context);
    let mut bytes = Zeroizing::new([0; KEY_BYTES]);
    cx.ids().fill(&mut bytes[..]);
    let input = serde_json::json!({"KeyId": key_id, "Plaintext": STANDARD.encode(&bytes[..])});
    let (bytes, sealed, key_arn) = match key.call(&cx, "Encrypt", input).await {
        Ok(output) => {
            let text = |member: &str| output[member].as_str().unwrap_or_default();
            let sealed = STANDARD.decode(text("CiphertextBlob")).map_err(Fault::internal)?;
            (bytes, sealed, text("KeyId").to_owned())
        }
        Err(fault) if fault.name().starts_with("AccessDenied") => {
            let made = key.data_key(&cx).await.map_err(refused)?;
            (made.bytes().clone(), made.sealed.clone(), made.kms_key_arn.clone())
        }
        Err(fault) => return Err(refused(fault)),
    };
    let nonce = Nonce::default();
    let kms = KmsEncryption { key_arn, bucket_key, data_key: sealed, nonce, ..of.clone() };
    let key = body_key(&cx, &kms, &bytes);
    Ok(Sealing::Kms(kms, key))
}

/// Gets the key that opens the body of an object at this place, or of parts for it.
pub(crate) async fn open(
    cx: &Cx,
    at: (&str, &str),
    encryption: Option<&Encryption>,
    customer_key: Option<&CustomerKey>,
) -> Result<Option<BodyKey>, Error> {
    match encryption {
        None => Ok(None),
        Some(Encryption::Customer { .. }) => Ok(customer_key.map(CustomerKey::body_key)),
        Some(Encryption::Kms(kms)) => Box::pin(open_with_kms(cx, at, kms)).await.map(Some),
    }
}

/// Refuses a caller who may not open what KMS sealed at this place, though nothing of it is to be read.
pub(crate) async fn check_may_open(
    cx: &Cx,
    at: (&str, &str),
    encryption: Option<&Encryption>,
) -> Result<(), Error> {
    match encryption {
        Some(Encryption::Kms(kms)) => Box::pin(open_with_kms(cx, at, kms)).await.map(drop),
        _ => Ok(()),
    }
}

async fn open_with_kms(cx: &Cx, at: (&str, &str), kms: &KmsEncryption) -> Result<BodyKey, Error> {
    check_signed(cx)?;
    let region = Arn::parse(&kms.key_arn).map_or(cx.region(), |arn| arn.region);
    let cx = in_region(cx, region);
    let key = kms_key(at, &kms.key_arn, kms.bucket_key, &kms.context);
    let key = in_table(&cx, at.0, key)?;
    let data_key = key.open_data_key(&cx, &kms.data_key).await.map_err(refused)?;
    Ok(body_key(&cx, kms, data_key.bytes()))
}

fn body_key(cx: &Cx, kms: &KmsEncryption, data_key: &Zeroizing<[u8; KEY_BYTES]>) -> BodyKey {
    let second = kms.is_dual.then(|| {
        let purpose = [b"s3 second layer\0", &kms.data_key[..]].concat();
        cx.root_key().derive(&purpose)
    });
    BodyKey::new(data_key.clone(), second)
}

fn kms_key<'a>(
    (bucket, key): (&str, &str),
    key_id: &'a str,
    bucket_key: bool,
    context: &[(String, String)],
) -> KmsKey<'a> {
    let place = if bucket_key { bucket_arn(bucket) } else { object_arn(bucket, key) };
    let mut context: BTreeMap<_, _> = context.iter().cloned().collect();
    context.entry(PLACE.to_owned()).or_insert(place);
    let reuse = if bucket_key { BUCKET_KEY } else { Duration::ZERO };
    KmsKey { service: "s3", key_id, context, reuse }
}

/// Puts the ARN of the table in the place of the object's, where a bucket holds the files of one.
fn in_table<'a>(cx: &Cx, bucket: &str, mut key: KmsKey<'a>) -> Result<KmsKey<'a>, Error> {
    if let Some(table) = cx.read(|tx| warehouses::table_arn(tx, bucket))? {
        key.context.insert(PLACE.to_owned(), table);
    }
    Ok(key)
}

/// KMS is asked in the region of the bucket, wherever the request came to.
fn in_region(cx: &Cx, region: &str) -> Cx {
    if cx.region() == region { cx.clone() } else { cx.located(cx.account(), region) }
}

/// Nobody but who signs can be known to KMS.
fn check_signed(cx: &Cx) -> Result<(), Error> {
    if !cx.request().principal.is_anonymous() {
        return Ok(());
    }
    let message = "Requests specifying Server Side Encryption with AWS KMS managed keys require AWS Signature Version 4.";
    Err(Error::argument("Authorization", "null", message))
}

/// What S3 says of what KMS refuses.
fn refused(fault: Fault) -> Error {
    let name = match fault.name() {
        "AccessDenied" | "AccessDeniedException" => "AccessDenied",
        "DisabledException" => "KMS.DisabledException",
        "InvalidKeyUsageException" => "KMS.InvalidKeyUsageException",
        "KMSInvalidStateException" => "KMS.KMSInvalidStateException",
        "NotFoundException" | "InvalidArnException" => "KMS.NotFoundException",
        _ => return fault.into(),
    };
    let refused = Fault::new(name, fault.message());
    Error::Fault(if name == "AccessDenied" { refused } else { refused.with_status(400) })
}

/// What an answer tells of an encryption.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Told {
    pub(crate) method: Option<String>,
    pub(crate) key_id: Option<String>,
    pub(crate) bucket_key: Option<bool>,
    pub(crate) context: Option<String>,
    pub(crate) customer_algorithm: Option<String>,
    pub(crate) customer_key_md5: Option<String>,
}

impl Told {
    /// Of an object's or upload's.
    pub(crate) fn of(encryption: Option<&Encryption>) -> Told {
        match encryption {
            None => Told { method: Some(S3.to_owned()), ..Told::default() },
            Some(Encryption::Customer { key_md5, .. }) => Told {
                customer_algorithm: Some(S3.to_owned()),
                customer_key_md5: Some(STANDARD.encode(key_md5)),
                ..Told::default()
            },
            Some(Encryption::Kms(kms)) => {
                let given = kms.context.iter().filter(|(key, _)| key != PLACE);
                let context: BTreeMap<_, _> = given.cloned().collect();
                let method = if kms.is_dual { "aws:kms:dsse" } else { "aws:kms" };
                Told {
                    method: Some(method.to_owned()),
                    key_id: Some(kms.key_arn.clone()),
                    bucket_key: kms.bucket_key.then_some(true),
                    context: (!context.is_empty())
                        .then(|| STANDARD.encode(serde_json::json!(context).to_string())),
                    ..Told::default()
                }
            }
        }
    }
}

/// Tells in an answer how something is encrypted.
macro_rules! tell {
    ($output:ident, $encryption:expr) => {{
        let told = crate::encryption::Told::of($encryption);
        $output.server_side_encryption = told.method;
        $output.ssekms_key_id = told.key_id;
        $output.bucket_key_enabled = told.bucket_key;
        $output.sse_customer_algorithm = told.customer_algorithm;
        $output.sse_customer_key_md5 = told.customer_key_md5;
    }};
}

/// The same in the answer to a write that may bring a context.
macro_rules! tell_written {
    ($output:ident, $encryption:expr) => {{
        let encryption: Option<&crate::store::Encryption> = $encryption;
        crate::encryption::tell!($output, encryption);
        $output.ssekms_encryption_context = crate::encryption::Told::of(encryption).context;
    }};
}

pub(crate) use {tell, tell_written};
