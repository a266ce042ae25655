//! Sessions with one directory bucket of S3: credentials by which a caller reaches that bucket's objects for some
//! minutes, without being asked again what it may.
//!
//! They lie among the temporary credentials of STS, which removes them after their end. Two condition keys of the
//! session tell them apart: with which bucket they are, and in which mode.

use fogbank_core::store::Error;
use fogbank_core::{Principal, Session, Timestamp, Tx, WriteTx};

use crate::keys;
use crate::rows::{SESSION_ENDS, SESSIONS, TemporaryCredential};

/// How long a session lasts, in seconds.
pub const SESSION_SECS: i64 = 300;
/// The key that tells the bucket: its name, and the number that no other bucket has had.
const BUCKET: &str = "s3express:SessionBucket";
/// The key that tells the mode.
const MODE: &str = "s3express:SessionMode";

/// A session with a bucket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BucketSession<'a> {
    /// The bucket's name, or that of the access point by which alone the session reaches it.
    pub bucket: &'a str,
    /// The number of the bucket, which none has that is later made under its name.
    pub number: u64,
    /// Whether it may change anything.
    pub is_read_write: bool,
}

/// The credentials of a new session.
#[derive(Clone)]
pub struct BucketCredentials {
    /// The access key id.
    pub access_key_id: String,
    /// The secret.
    pub secret: String,
    /// The token that must come with each signature.
    pub token: String,
    /// The end.
    pub expires: Timestamp,
}

/// Makes credentials of a session of the caller.
pub fn create(tx: &mut WriteTx<'_>, of: BucketSession<'_>) -> Result<BucketCredentials, Error> {
    let caller = Principal::clone(&tx.request().principal);
    let access_key_id = keys::access_key_id(tx.ids(), "ASIA", &caller.account);
    let issued_secs = tx.now().secs();
    let session =
        caller.session.unwrap_or_else(|| Box::new(Session { issued_secs, ..Session::default() }));
    let mode = if of.is_read_write { "ReadWrite" } else { "ReadOnly" };
    let told = [
        (BUCKET.to_owned(), vec![of.bucket.to_owned(), of.number.to_string()]),
        (MODE.to_owned(), vec![mode.to_owned()]),
    ];
    let expires = tx.now().plus_secs(SESSION_SECS);
    let credential = TemporaryCredential {
        secret: keys::secret(tx.ids()),
        token: keys::session_token(tx.ids(), 0),
        expires_secs: expires.secs(),
        transitive_tags: Vec::new(),
        keys: session.keys.iter().cloned().chain(told).collect(),
        principal: Principal {
            access_key_id: Some(access_key_id.clone()),
            session: Some(session),
            ..caller
        },
    };
    SESSIONS.put(tx, &access_key_id, &credential)?;
    SESSION_ENDS.put(tx, &(expires.secs().max(0).unsigned_abs(), &*access_key_id), &())?;
    let TemporaryCredential { secret, token, .. } = credential;
    let expires = Timestamp::from_secs(expires.secs());
    Ok(BucketCredentials { access_key_id, secret, token, expires })
}

/// The session with a bucket that a caller signs with.
pub fn of(principal: &Principal) -> Option<BucketSession<'_>> {
    let session = principal.session.as_deref()?;
    let values = |name: &str| session.keys.iter().find(|(key, _)| key == name);
    let [bucket, number] = &values(BUCKET)?.1[..] else { return None };
    let (_, mode) = values(MODE)?;
    Some(BucketSession {
        bucket,
        number: number.parse().ok()?,
        is_read_write: mode.first().is_some_and(|mode| mode == "ReadWrite"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_such_sessions_are_of_a_bucket() {
        let mut principal = Principal::root("000000000000");
        assert_eq!(of(&principal), None);
        principal.session = Some(Box::default());
        assert_eq!(of(&principal), None);
        let of_bucket = vec!["a--use1-az4--x-s3".to_owned(), "7".to_owned()];
        let keys = vec![(BUCKET.to_owned(), of_bucket), (MODE.to_owned(), vec!["ReadOnly".into()])];
        principal.session = Some(Box::new(Session { keys, ..Session::default() }));
        let expected =
            BucketSession { bucket: "a--use1-az4--x-s3", number: 7, is_read_write: false };
        assert_eq!(of(&principal), Some(expected));
    }
}
