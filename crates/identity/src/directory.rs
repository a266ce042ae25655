//! The gateway's view of identities: look a key up, decide a call.

use fogbank_core::store::{self, Read};
use fogbank_core::{Check, Fault, Principal, PrincipalKind, Request, ResourcePolicy, Timestamp};

/// Which access keys exist without having been created.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Mode {
    /// For a developer's machine: `test`/`test` is the root of the default account, a 12-digit key
    /// with the secret `test` is the root of that account.
    Dev {
        /// Whether a key that nobody created is the root of the default account, with any secret.
        accept_any_credentials: bool,
    },
    /// For a server: only keys that were created.
    Server,
}

/// What is known of an access key.
pub struct Credential {
    /// The secret; `None` if any signature is taken, as `--accept-any-credentials` does.
    pub secret: Option<String>,
    /// Who signs with it.
    pub principal: Principal,
}

/// The outcome of looking an access key up.
pub enum LookUp {
    /// The key is good.
    Found(Box<Credential>),
    /// Nobody created it.
    Unknown,
    /// It was made inactive.
    Inactive,
    /// Its session is over.
    Expired,
    /// Its session token is missing or wrong.
    InvalidToken,
}

/// Looks credentials up and decides calls.
pub struct Directory {
    mode: Mode,
    account: String,
}

impl Directory {
    /// A directory in which `account` is the default account.
    pub fn new(mode: Mode, account: &str) -> Directory {
        Directory { mode, account: account.to_owned() }
    }

    /// Looks an access key up.
    pub fn credential(
        &self,
        _rows: &dyn Read,
        access_key_id: &str,
        _session_token: Option<&str>,
        _now: Timestamp,
    ) -> Result<LookUp, store::Error> {
        Ok(self.built_in(access_key_id))
    }

    /// Refuses with AWS's message unless `request` may do `action` as `check` says.
    pub fn authorise(
        &self,
        _rows: &dyn Read,
        request: &Request,
        action: &str,
        check: &Check,
        _resource_policy: Option<&ResourcePolicy>,
    ) -> Result<(), Fault> {
        match &request.principal.kind {
            PrincipalKind::Root | PrincipalKind::Service { .. } => Ok(()),
            _ => Err(Fault::access_denied(format!(
                "User: {} is not authorized to perform: {action} on resource: {}",
                request.principal.arn, check.resource
            ))),
        }
    }

    fn built_in(&self, access_key_id: &str) -> LookUp {
        let Mode::Dev { accept_any_credentials } = &self.mode else { return LookUp::Unknown };
        let is_account = access_key_id.len() == 12
            && access_key_id.bytes().all(|byte| byte.is_ascii_digit());
        let account = if is_account { access_key_id } else { &self.account };
        let secret = match access_key_id {
            "test" => Some("test".to_owned()),
            _ if is_account => Some("test".to_owned()),
            _ if *accept_any_credentials => None,
            _ => return LookUp::Unknown,
        };
        let mut principal = Principal::root(account);
        principal.access_key_id = Some(access_key_id.to_owned());
        LookUp::Found(Box::new(Credential { secret, principal }))
    }
}
