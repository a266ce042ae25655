//! CreateSession: credentials by which a directory bucket's objects are reached for five minutes, and who else needs leave
//! for a session.

use fogbank_accesspoints as points;
use fogbank_core::{Access, Cx, Tx, WriteTx};
use fogbank_identity::bucket_sessions::{self, BucketSession};

use crate::error::Error;
use crate::model::{CreateSessionInput, CreateSessionOutput, SessionCredentials, SessionMode};
use crate::store::{BUCKETS, Bucket, DefaultEncryption};

/// The number of the bucket of a session that was made when the bucket was not there.
pub(super) const BEFORE_CREATION: u64 = 0;

/// As whom lifecycles act on directory buckets.
const LIFECYCLE: &str = "lifecycle.s3.amazonaws.com";

/// Creates a session. Its mode was settled when the call was allowed.
pub(crate) fn create(
    tx: &mut WriteTx<'_>,
    input: CreateSessionInput,
) -> Result<CreateSessionOutput, Error> {
    // None is there if it is created next.
    let bucket = BUCKETS.get(tx, &input.bucket)?;
    if bucket_sessions::of(&tx.request().principal).is_some()
        || tx.request().principal.is_anonymous()
    {
        return Err(Error::AccessDenied);
    }
    let (method, key_id) = match bucket.as_ref().map(|bucket| &bucket.encryption) {
        Some(DefaultEncryption::Kms { key_id, .. }) => ("aws:kms", key_id.clone()),
        _ => ("AES256", None),
    };
    check_encryption(&input, method, key_id.as_deref())?;
    // Whoever comes by an access point gets a session that is good for it alone.
    let ways = &tx.request().ways;
    let point = ways.iter().find_map(|way| points::parse(&way.arn));
    let named = point.map_or(&*input.bucket, |(_, _, name)| name).to_owned();
    let session = BucketSession {
        bucket: &named,
        number: bucket.map_or(BEFORE_CREATION, |bucket| bucket.id),
        is_read_write: input.session_mode == Some(SessionMode::ReadWrite),
    };
    let made = bucket_sessions::create(tx, session)?;
    Ok(CreateSessionOutput {
        bucket_key_enabled: key_id.is_some().then_some(true),
        server_side_encryption: Some(method.to_owned()),
        ssekms_key_id: key_id,
        ssekms_encryption_context: None,
        credentials: Some(SessionCredentials {
            access_key_id: Some(made.access_key_id),
            secret_access_key: Some(made.secret),
            session_token: Some(made.token),
            expiration: Some(made.expires),
        }),
    })
}

/// Refuses another encryption than the bucket's: sessions cannot change it.
fn check_encryption(
    input: &CreateSessionInput,
    method: &str,
    key_id: Option<&str>,
) -> Result<(), Error> {
    let is_same = input.server_side_encryption.as_deref().is_none_or(|asked| asked == method)
        && input.ssekms_key_id.as_deref().is_none_or(|asked| Some(asked) == key_id);
    if is_same {
        return Ok(());
    }
    // The words are a guess.
    let message = "The encryption of a session must match the default encryption of the bucket";
    Err(Error::request(message))
}

/// Whether a lifecycle may act on a bucket. On a directory bucket it does so by a session, which the bucket's policy, if there is
/// one, must let AWS's service have.
pub(crate) fn lets_lifecycle_in(cx: &Cx, name: &str, bucket: &Bucket) -> bool {
    if !super::is_name(name) || bucket.policy == 0 {
        return true;
    }
    let arn = super::arn(&bucket.region, &bucket.account, name);
    let asked = Access::to("s3express:CreateSession", arn.clone())
        .with("s3express:SessionMode", ["ReadWrite".to_owned()]);
    let refusal = cx.as_service(LIFECYCLE, &arn).authorise(&asked).err();
    if let Some(fault) = &refusal {
        fogbank_core::tracing::warn!(bucket = name, "a lifecycle may not act: {}", fault.message());
    }
    refusal.is_none()
}
