//! Who calls.

use std::sync::Arc;

use fogbank_policy::Caller;
use serde::{Deserialize, Serialize};

/// An authenticated caller, or a service acting for itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Principal {
    /// What kind of caller it is.
    pub kind: PrincipalKind,
    /// The caller's account; empty for services and anonymous callers.
    pub account: String,
    /// The caller's ARN as `sts:GetCallerIdentity` shows it; a service's name for services.
    pub arn: String,
    /// The unique id (`AIDA…`, `AROA…:session`, the account for root).
    pub id: String,
    /// The access key of the signature, if there was one.
    pub access_key_id: Option<String>,
    /// What a temporary session adds.
    pub session: Option<Box<Session>>,
}

/// The kinds of callers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum PrincipalKind {
    /// The account itself.
    Root,
    /// An IAM user.
    User {
        /// The user's name.
        name: String,
    },
    /// A session of a role.
    Role {
        /// The role's name.
        name: String,
        /// The role's ARN (`arn:aws:iam::…:role/…`).
        role_arn: String,
        /// The session's name.
        session: String,
    },
    /// A session of GetFederationToken: it may what both the user behind it and its own policies allow.
    Federated {
        /// The name given to the session.
        name: String,
        /// The ARN of the user, or root, who asked for the session.
        user_arn: String,
        /// The unique id of that user; the account for root.
        user_id: String,
    },
    /// An AWS service, such as `s3.amazonaws.com`.
    Service {
        /// The service principal.
        name: String,
    },
    /// Nobody signed.
    Anonymous,
}

/// What a temporary session adds to its principal.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Session {
    /// The session's inline policies, as JSON.
    pub policies: Vec<String>,
    /// Managed policies that bound the session.
    pub policy_arns: Vec<String>,
    /// Session tags.
    pub tags: Vec<(String, String)>,
    /// Whether a second factor was shown.
    pub mfa: bool,
    /// When the session began, in seconds since 1970.
    pub issued_secs: i64,
    /// The source identity.
    pub source_identity: Option<String>,
    /// Condition keys that the session brings with it, such as `saml:sub`. They lie beside the principal in the rows of
    /// sessions, so that what only passes a principal on need not know them.
    #[serde(skip)]
    pub keys: Vec<(String, Vec<String>)>,
}

/// The caller of a request, to call on.
impl From<Arc<Principal>> for Principal {
    fn from(shared: Arc<Principal>) -> Principal {
        Arc::unwrap_or_clone(shared)
    }
}

impl Principal {
    /// The caller as policies see it.
    pub fn caller(&self) -> Caller {
        let Principal { account, arn, id, .. } = self;
        match &self.kind {
            PrincipalKind::Root => Caller::root(account),
            PrincipalKind::User { .. } => Caller::user(account, arn, id),
            PrincipalKind::Role { role_arn, .. } => {
                Caller::assumed_role(account, role_arn, arn, id)
            }
            PrincipalKind::Federated { user_arn, .. } => {
                Caller::federated_user(account, user_arn, arn, id)
            }
            PrincipalKind::Service { name } => Caller::service(name),
            PrincipalKind::Anonymous => Caller::anonymous(),
        }
    }

    /// The root of an account.
    pub fn root(account: &str) -> Principal {
        Principal {
            kind: PrincipalKind::Root,
            account: account.to_owned(),
            arn: ["arn:aws:iam::", account, ":root"].concat(),
            id: account.to_owned(),
            access_key_id: None,
            session: None,
        }
    }

    /// An AWS service acting for itself, such as `sns.amazonaws.com`.
    pub fn service(name: &str) -> Principal {
        Principal {
            kind: PrincipalKind::Service { name: name.to_owned() },
            account: String::new(),
            arn: name.to_owned(),
            id: name.to_owned(),
            access_key_id: None,
            session: None,
        }
    }

    /// Nobody.
    pub fn anonymous() -> Principal {
        Principal {
            kind: PrincipalKind::Anonymous,
            account: String::new(),
            arn: "anonymous".to_owned(),
            id: "anonymous".to_owned(),
            access_key_id: None,
            session: None,
        }
    }

    /// Whether nobody signed.
    pub fn is_anonymous(&self) -> bool {
        self.kind == PrincipalKind::Anonymous
    }
}
