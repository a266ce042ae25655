//! The rows of STS, which lie in `fogbank_identity::rows`: temporary credentials and their ends.

use fogbank_core::{Principal, Tx, WriteTx};
use fogbank_identity::keys;
use fogbank_identity::rows::{self, SESSION_ENDS, SESSIONS, TemporaryCredential};

use crate::error::Error;
use crate::model::Credentials;

/// How long an ended session is remembered, so that its owner hears that it has expired, in seconds.
const KEPT_SECS: i64 = 24 * 3600;

/// What a session's credentials are made of.
pub(crate) struct NewSession {
    /// Who signs with them, but for the access key.
    pub(crate) principal: Principal,
    /// How long they last.
    pub(crate) secs: i64,
    /// The keys of session tags that pass on.
    pub(crate) transitive_tags: Vec<String>,
    /// The least length of the session token.
    pub(crate) token_bytes: Option<i32>,
}

/// Makes a session's credentials.
pub(crate) fn create(tx: &mut WriteTx<'_>, session: NewSession) -> Result<Credentials, Error> {
    let NewSession { mut principal, secs, transitive_tags, token_bytes } = session;
    let id = keys::access_key_id(tx.ids(), "ASIA", &principal.account);
    principal.access_key_id = Some(id.clone());
    let keys = principal.session.as_ref().map(|session| session.keys.clone());
    let minimum = token_bytes.and_then(|bytes| usize::try_from(bytes).ok()).unwrap_or_default();
    let expires = tx.now().plus_secs(secs);
    let credential = TemporaryCredential {
        secret: keys::secret(tx.ids()),
        token: keys::session_token(tx.ids(), minimum),
        principal,
        expires_secs: expires.secs(),
        transitive_tags,
        keys: keys.unwrap_or_default(),
    };
    SESSIONS.put(tx, &id, &credential)?;
    SESSION_ENDS.put(tx, &(end(expires.secs()), &*id), &())?;
    Ok(Credentials {
        access_key_id: Some(id),
        secret_access_key: Some(credential.secret),
        session_token: Some(credential.token),
        expiration: Some(fogbank_core::Timestamp::from_secs(expires.secs())),
    })
}

/// The session of the caller, if it signed with temporary credentials.
pub(crate) fn of_caller(tx: &impl Tx) -> Result<Option<TemporaryCredential>, Error> {
    match &tx.request().principal.access_key_id {
        Some(id) if id.starts_with("ASIA") => Ok(SESSIONS.get(tx, id)?),
        _ => Ok(None),
    }
}

/// Removes a session before or after its end.
pub(crate) fn remove(
    tx: &mut WriteTx<'_>,
    id: &String,
    session: &TemporaryCredential,
) -> Result<(), Error> {
    SESSIONS.delete(tx, id)?;
    SESSION_ENDS.delete(tx, &(end(session.expires_secs), id))?;
    Ok(rows::changed(tx)?)
}

/// Forgets up to `limit` sessions that ended long ago, and says whether there may be more.
pub(crate) fn forget_ended(tx: &mut WriteTx<'_>, limit: usize) -> Result<bool, Error> {
    let until = end(tx.now().secs() - KEPT_SECS);
    let ended = SESSION_ENDS.range(&()).before(&(until, "")).limit(limit).keys(tx)?;
    for (end, id) in &ended {
        SESSIONS.delete(tx, id)?;
        SESSION_ENDS.delete(tx, &(*end, &**id))?;
    }
    Ok(ended.len() == limit)
}

fn end(secs: i64) -> u64 {
    secs.max(0).unsigned_abs()
}
