//! The gateway's view of identities: look a key up, decide a call.

use std::sync::{Arc, OnceLock};

use fogbank_core::store::{self, Apart, Db, Read};
use fogbank_core::{
    Check, Cloud, Fault, Ids, Principal, PrincipalKind, Request, ResourcePolicy, Session, Timestamp,
};

use crate::decisions::{CAPACITY as KEPT, Enforcement, FindTags, Outcome, Question};
use crate::identities::{Identities, holder_id, is_of_root};
use crate::rows::{self, TemporaryCredential};
use crate::{keys, root, target};

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
    pub principal: Arc<Principal>,
}

impl Credential {
    fn new(secret: &str, principal: Principal) -> Arc<Credential> {
        Arc::new(Credential { secret: Some(secret.to_owned()), principal: Arc::new(principal) })
    }
}

/// The outcome of looking an access key up.
pub enum LookUp {
    /// The key is good.
    Found(Arc<Credential>),
    /// Nobody created it.
    Unknown,
    /// It was made inactive.
    Inactive,
    /// The account was closed.
    Closed,
    /// Its session is over.
    Expired,
    /// Its session token is missing or wrong.
    InvalidToken,
}

/// A key as it is remembered.
pub(crate) enum Key {
    /// A long-term key: whether it is active, and whose it is.
    LongTerm(bool, Arc<Credential>),
    /// A session's key.
    Temporary(Box<TemporaryCredential>, Arc<Credential>),
    /// There is no such key.
    None,
}

/// Looks credentials up and decides calls.
pub struct Directory {
    mode: Mode,
    enforcement: Enforcement,
    kept_decisions: usize,
    account: String,
    /// The built-in key `test`.
    test: Apart<OnceLock<Arc<Credential>>>,
    /// Before [`Directory::connect`], a memory of its own, which nobody tells of changes.
    own: Arc<Identities>,
    shared: OnceLock<Arc<Identities>>,
}

impl Directory {
    /// A directory in which `account` is the default account.
    pub fn new(mode: Mode, account: &str) -> Directory {
        Directory {
            mode,
            enforcement: Enforcement::default(),
            kept_decisions: KEPT,
            account: account.to_owned(),
            test: Apart::default(),
            own: Arc::default(),
            shared: OnceLock::new(),
        }
    }

    /// Sets what becomes of calls that IAM does not allow.
    pub fn enforcing(mut self, enforcement: Enforcement) -> Directory {
        self.enforcement = enforcement;
        self
    }

    /// Sets how many decisions of each kind, allowed and refused, are kept in memory to be explained; 0 keeps none.
    pub fn keeping(mut self, decisions: usize) -> Directory {
        self.kept_decisions = decisions;
        self
    }

    /// Shares memory with the services of `cloud`: IAM learns when keys were last used, STS in which mode the cloud
    /// runs, and the directory need not read the number of changes for every call.
    pub fn connect(&self, cloud: &Cloud) {
        let identities = Identities::of(cloud);
        identities.set_mode(self.mode.clone(), self.enforcement);
        identities.kept.set_capacity(self.kept_decisions);
        let _ = self.shared.set(identities);
    }

    /// In server mode, makes an access key for the root of `account` at the first start, and returns its id and secret
    /// to be shown once.
    pub async fn ensure_root(
        &self,
        db: &Db,
        ids: &Ids,
        account: &str,
        now: Timestamp,
    ) -> Result<Option<(String, String)>, store::Error> {
        match self.mode {
            Mode::Server => root::ensure(db, ids, account, now).await,
            Mode::Dev { .. } => Ok(None),
        }
    }

    /// Looks an access key up.
    pub fn credential(
        &self,
        rows: &dyn Read,
        access_key_id: &str,
        session_token: Option<&str>,
        now: Timestamp,
    ) -> Result<LookUp, store::Error> {
        let found = self.look_up(rows, access_key_id, session_token, now)?;
        if let LookUp::Found(credential) = &found {
            // What cannot be read allows nothing; the decision over the call will say why.
            let account = &credential.principal.account;
            if self.identities().is_closed(rows, account).unwrap_or_default() {
                return Ok(LookUp::Closed);
            }
        }
        Ok(found)
    }

    fn look_up(
        &self,
        rows: &dyn Read,
        access_key_id: &str,
        session_token: Option<&str>,
        now: Timestamp,
    ) -> Result<LookUp, store::Error> {
        if !access_key_id.starts_with("AKIA") && !access_key_id.starts_with("ASIA") {
            return Ok(self.built_in(access_key_id));
        }
        let identities = self.identities();
        let key = identities
            .recall(&identities.keys, rows, access_key_id, || read_key(rows, access_key_id))?;
        match &*key {
            Key::None => Ok(self.built_in(access_key_id)),
            Key::LongTerm(..) if session_token.is_some() => Ok(LookUp::InvalidToken),
            Key::LongTerm(false, _) => Ok(LookUp::Inactive),
            Key::LongTerm(true, credential) => Ok(LookUp::Found(credential.clone())),
            Key::Temporary(session, credential) => {
                let found = (&**session, credential);
                temporary(identities, rows, found, session_token, now)
            }
        }
    }

    /// Refuses with AWS's message unless `request` may do `action` as `check` says.
    pub fn authorise(
        &self,
        rows: &dyn Read,
        request: &Arc<Request>,
        action: &str,
        check: &Check,
        resource_policy: Option<&ResourcePolicy>,
        resource_tags: Option<FindTags<'_>>,
    ) -> Result<(), Fault> {
        self.note_use(request, action);
        refuse_bare_session(&request.principal, action)?;
        let target = match action.starts_with("iam:") {
            true => target::find(rows, &check.resource)?,
            false => None,
        };
        let question = Question {
            request,
            shared: Some(request),
            action,
            resource: target.as_ref().map_or(&check.resource, |target| &target.arn),
            keys: &check.context,
            policy: resource_policy,
            resource_tags,
            target: target.as_ref(),
        };
        let identities = self.identities();
        let is_excess = match self.open(rows, &question)? {
            Some(why) => {
                identities.kept.keep_open(&question, why);
                false
            }
            None => identities.decide(rows, &question)? == Outcome::Warned,
        };
        identities.observed.note(request, action, question.resource, is_excess);
        Ok(())
    }

    /// Whether policies of its session or its organization limit the caller.
    pub fn is_limited(&self, rows: &dyn Read, principal: &Principal) -> Result<bool, Fault> {
        Ok(is_limited(principal) || self.identities().place(rows, &principal.account)?.is_some())
    }

    /// Why no policy need be asked, if that is so.
    fn open(
        &self,
        rows: &dyn Read,
        question: &Question<'_>,
    ) -> Result<Option<&'static str>, Fault> {
        let principal = &question.request.principal;
        Ok(match principal.kind {
            PrincipalKind::Root
                if is_own(principal, question.resource, question.policy)
                    && self.identities().place(rows, &principal.account)?.is_none() =>
            {
                Some("allowed to the account root, whom no policy limits")
            }
            // Between AWS's own services, service-linked roles and agreements that nobody sees allow what no policy of
            // a resource could: PutEvents on a bus, PutMetricData. Where a resource has a policy, it must allow.
            PrincipalKind::Service { .. }
                if question.policy.is_none() && !question.action.starts_with("iam:") =>
            {
                Some("allowed between AWS's services, where the resource has no policy")
            }
            _ => None,
        })
    }

    fn identities(&self) -> &Identities {
        self.shared.get().unwrap_or(&self.own)
    }

    fn note_use(&self, request: &Request, action: &str) {
        let principal = &request.principal;
        let Some(shared) = self.shared.get() else { return };
        if let PrincipalKind::User { .. } | PrincipalKind::Role { .. } = principal.kind {
            let service = action.split(':').next().unwrap_or_default();
            shared.last_uses.note_service(holder_id(principal), service, request);
        }
        match (&principal.kind, &principal.access_key_id) {
            (PrincipalKind::User { .. } | PrincipalKind::Root, Some(key))
                if key.starts_with("AKIA") =>
            {
                shared.last_uses.note(key, request);
            }
            (PrincipalKind::Role { .. }, _) => shared.last_uses.note(holder_id(principal), request),
            _ => {}
        }
    }

    fn built_in(&self, access_key_id: &str) -> LookUp {
        let Mode::Dev { accept_any_credentials } = &self.mode else { return LookUp::Unknown };
        if access_key_id == "test" {
            let make = || built_in_credential("test", Some("test"), &self.account);
            return LookUp::Found(self.test.own().get_or_init(make).clone());
        }
        let is_account =
            access_key_id.len() == 12 && access_key_id.bytes().all(|byte| byte.is_ascii_digit());
        let account = if is_account { access_key_id } else { &self.account };
        let secret = match access_key_id {
            _ if is_account => Some("test"),
            _ if *accept_any_credentials => None,
            _ => return LookUp::Unknown,
        };
        LookUp::Found(built_in_credential(access_key_id, secret, account))
    }
}

fn built_in_credential(
    access_key_id: &str,
    secret: Option<&str>,
    account: &str,
) -> Arc<Credential> {
    let access_key_id = Some(access_key_id.to_owned());
    let principal = Arc::new(Principal { access_key_id, ..Principal::root(account) });
    Arc::new(Credential { secret: secret.map(ToOwned::to_owned), principal })
}

fn temporary(
    identities: &Identities,
    rows: &dyn Read,
    (session, credential): (&TemporaryCredential, &Arc<Credential>),
    token: Option<&str>,
    now: Timestamp,
) -> Result<LookUp, store::Error> {
    let is_token = token.is_some_and(|token| keys::is_same(token, &session.token));
    if !is_token {
        return Ok(LookUp::InvalidToken);
    }
    if now.secs() >= session.expires_secs {
        return Ok(LookUp::Expired);
    }
    let principal = &session.principal;
    let is_alive = match principal.kind {
        PrincipalKind::Root => true,
        PrincipalKind::Federated { .. } if is_of_root(principal) => true,
        // What cannot be read allows nothing; the decision over the call will say why.
        _ => identities.exists(rows, holder_id(principal)).unwrap_or(true),
    };
    if !is_alive {
        return Ok(LookUp::InvalidToken);
    }
    Ok(LookUp::Found(credential.clone()))
}

fn read_key(rows: &dyn Read, access_key_id: &str) -> Result<Key, store::Error> {
    if let Some(session) = rows::SESSIONS.get(rows, access_key_id)? {
        let mut principal = session.principal.clone();
        if let Some(session_of) = &mut principal.session {
            session_of.keys.clone_from(&session.keys);
        }
        let credential = Credential::new(&session.secret, principal);
        return Ok(Key::Temporary(Box::new(session), credential));
    }
    let Some(key) = rows::ACCESS_KEYS.get(rows, access_key_id)? else { return Ok(Key::None) };
    let mut principal = match &key.user_id {
        None => Principal::root(&key.account),
        Some(id) => match user_principal(rows, id)? {
            Some(principal) => principal,
            None => return Ok(Key::None),
        },
    };
    principal.access_key_id = Some(access_key_id.to_owned());
    Ok(Key::LongTerm(key.active, Credential::new(&key.secret, principal)))
}

fn user_principal(rows: &dyn Read, id: &str) -> Result<Option<Principal>, store::Error> {
    let Some(entity) = rows::ENTITIES.get(rows, id)? else { return Ok(None) };
    let user = rows::USERS.get(rows, &(&*entity.account, &*entity.folded))?;
    Ok(user.map(|user| user.principal(&entity.account)))
}

/// Whether the root calls on its own account's resource and no resource policy could deny it.
fn is_own(principal: &Principal, resource: &str, policy: Option<&ResourcePolicy>) -> bool {
    let account = match policy {
        Some(policy) if policy.document.is_some() || !policy.grants.is_empty() => return false,
        Some(policy) => Some(&*policy.owner),
        None => resource.split(':').nth(4).filter(|account| !account.is_empty()),
    };
    !is_limited(principal) && account.is_none_or(|account| account == principal.account)
}

/// Whether policies limit the caller's session.
fn is_limited(principal: &Principal) -> bool {
    let has_policies =
        |session: &Session| !session.policies.is_empty() || !session.policy_arns.is_empty();
    principal.session.as_deref().is_some_and(has_policies)
}

/// Credentials of GetSessionToken, which no policy limits as it does those of AssumeRoot and of delegation, cannot call
/// IAM without a second factor, those of GetFederationToken not at all; and neither can call of STS what is not open to
/// everybody.
fn refuse_bare_session(principal: &Principal, action: &str) -> Result<(), Fault> {
    let is_federated = matches!(principal.kind, PrincipalKind::Federated { .. });
    let is_users = matches!(principal.kind, PrincipalKind::User { .. } | PrincipalKind::Root)
        && principal.session.is_some()
        && !is_limited(principal);
    if !is_federated && !is_users {
        return Ok(());
    }
    if let Some(operation) = action.strip_prefix("sts:") {
        let message = format!("Cannot call {operation} with session credentials");
        return Err(Fault::access_denied(message));
    }
    let has_mfa = principal.session.as_ref().is_some_and(|session| session.mfa);
    if (is_federated || !has_mfa) && action.starts_with("iam:") {
        let message = "The security token included in the request is invalid";
        return Err(Fault::new("InvalidClientTokenId", message).with_status(403));
    }
    Ok(())
}
