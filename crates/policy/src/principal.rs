//! Who calls, and the `Principal` element of resource and trust policies.

use serde_json::Value;

use crate::document::{Effect, PrincipalType};
use crate::malformed::Malformed;

/// The authenticated principal of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    /// The twelve digits of the principal's account; empty for services, web identities and anonymous callers.
    pub account: String,
    /// What error messages name: the user's, session's or root's ARN, a service's name, or `anonymous`.
    pub arn: String,
    /// The unique identifier: `AIDA…`, `AROA…:session`, the account for root; empty where there is none.
    pub user_id: String,
    /// The canonical user id of the account, where S3 policies may name it.
    pub canonical_id: Option<String>,
    /// What sort of principal it is.
    pub kind: CallerKind,
}

/// What sort of principal a caller is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CallerKind {
    /// The root user of the account.
    Root,
    /// An IAM user.
    User,
    /// A session of a role; the caller's ARN is the session's.
    AssumedRole {
        /// The ARN of the role, with its path.
        role_arn: String,
    },
    /// A session from GetFederationToken; the caller's ARN is the session's.
    FederatedUser {
        /// The ARN of the IAM user who asked for the token.
        user_arn: String,
    },
    /// An AWS service acting for itself.
    Service {
        /// The service principal, such as `sns.amazonaws.com`.
        name: String,
    },
    /// The holder of a token of an identity provider, who has no role yet.
    WebIdentity {
        /// The provider's ARN or host name, as trust policies name it.
        provider: String,
    },
    /// Nobody: an unsigned request.
    Anonymous,
}

impl Caller {
    /// The root user of an account.
    pub fn root(account: &str) -> Caller {
        let arn = format!("arn:aws:iam::{account}:root");
        Caller::of_account(account, &arn, account, CallerKind::Root)
    }

    /// An IAM user.
    pub fn user(account: &str, arn: &str, user_id: &str) -> Caller {
        Caller::of_account(account, arn, user_id, CallerKind::User)
    }

    /// A session of a role, with the session's ARN and the id `AROA…:session`.
    pub fn assumed_role(account: &str, role_arn: &str, session_arn: &str, user_id: &str) -> Caller {
        let kind = CallerKind::AssumedRole { role_arn: role_arn.to_owned() };
        Caller::of_account(account, session_arn, user_id, kind)
    }

    /// A session of GetFederationToken for an IAM user.
    pub fn federated_user(account: &str, user_arn: &str, session_arn: &str, id: &str) -> Caller {
        let kind = CallerKind::FederatedUser { user_arn: user_arn.to_owned() };
        Caller::of_account(account, session_arn, id, kind)
    }

    /// A service principal such as `events.amazonaws.com`.
    pub fn service(name: &str) -> Caller {
        Caller::of_account("", name, "", CallerKind::Service { name: name.to_owned() })
    }

    /// The holder of a token of the identity provider.
    pub fn web_identity(provider: &str) -> Caller {
        let kind = CallerKind::WebIdentity { provider: provider.to_owned() };
        Caller::of_account("", provider, "", kind)
    }

    /// An unsigned request.
    pub fn anonymous() -> Caller {
        Caller::of_account("", "anonymous", "", CallerKind::Anonymous)
    }

    fn of_account(account: &str, arn: &str, user_id: &str, kind: CallerKind) -> Caller {
        Caller {
            account: account.to_owned(),
            arn: arn.to_owned(),
            user_id: user_id.to_owned(),
            canonical_id: None,
            kind,
        }
    }

    /// The value of `aws:PrincipalArn`: for a role session the role's ARN, not the session's.
    pub fn principal_arn(&self) -> &str {
        match &self.kind {
            CallerKind::AssumedRole { role_arn } => role_arn,
            _ => &self.arn,
        }
    }

    /// Whether the caller belongs to an account and can have identity policies.
    pub fn has_account(&self) -> bool {
        match self.kind {
            CallerKind::Root
            | CallerKind::User
            | CallerKind::AssumedRole { .. }
            | CallerKind::FederatedUser { .. } => true,
            CallerKind::Service { .. } | CallerKind::WebIdentity { .. } | CallerKind::Anonymous => {
                false
            }
        }
    }
}

/// How directly a resource policy's statement names the caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Grant {
    /// Not at all.
    None,
    /// Through the caller's account, which thereby may delegate with identity policies.
    Account,
    /// Through the role or user behind the session; boundaries and session policies still limit it.
    Behind,
    /// The user, the session, the service or everybody; implicit denies elsewhere do not matter.
    Direct,
}

/// A compiled `Principal` or `NotPrincipal` element.
#[derive(Debug, Clone)]
pub(crate) struct PrincipalSet {
    negated: bool,
    entries: Box<[Entry]>,
}

#[derive(Debug, Clone)]
struct Entry {
    kind: PrincipalType,
    text: Box<str>,
    name: Name,
}

#[derive(Debug, Clone)]
enum Name {
    Everybody,
    Account(Box<str>),
    Arn,
    UniqueId,
    Service,
    Federated,
    AnyFederated,
    CanonicalUser,
}

impl PrincipalSet {
    /// Reads the element's value.
    pub(crate) fn parse(value: &Value, negated: bool) -> Result<PrincipalSet, Malformed> {
        let mut entries = Vec::new();
        match value {
            Value::String(text) if text == "*" => {
                let kind = PrincipalType::Aws;
                entries.push(Entry { kind, text: "*".into(), name: Name::Everybody });
            }
            Value::Object(types) => {
                for (key, values) in types {
                    let Some(kind) = PrincipalType::parse(key) else {
                        return Err(Malformed::InvalidPrincipal(format!("\"{key}\"")));
                    };
                    for text in strings(values).ok_or(Malformed::SyntaxError)? {
                        entries.push(Entry::parse(kind, text)?);
                    }
                }
            }
            _ => return Err(Malformed::PrincipalNotObject),
        }
        if entries.is_empty() {
            return Err(Malformed::EmptyPrincipal);
        }
        Ok(PrincipalSet { negated, entries: entries.into() })
    }

    /// The principals as written, with their types.
    pub(crate) fn texts(&self) -> impl Iterator<Item = (PrincipalType, &str)> {
        self.entries.iter().map(|entry| (entry.kind, &*entry.text))
    }

    /// Whether it is `*`.
    pub(crate) fn is_everybody(&self) -> bool {
        !self.negated && matches!(&*self.entries, [Entry { name: Name::Everybody, .. }])
    }

    /// How directly a statement of this effect applies to the caller.
    pub(crate) fn grant(&self, caller: &Caller, effect: Effect, has_boundary: bool) -> Grant {
        if !self.negated {
            return self.best(caller);
        }
        let excepted = match effect {
            Effect::Allow => self.best(caller) != Grant::None,
            Effect::Deny => self.excepts(caller, has_boundary),
        };
        if excepted { Grant::None } else { Grant::Direct }
    }

    fn best(&self, caller: &Caller) -> Grant {
        let mut best = Grant::None;
        for entry in &self.entries {
            best = best.max(entry.grant(caller));
            if best == Grant::Direct {
                break;
            }
        }
        best
    }

    /// `Deny` with `NotPrincipal` spares a caller only if the account is listed too, and for a role session the
    /// role; it never spares a principal that has a permissions boundary (IAM User Guide, NotPrincipal).
    fn excepts(&self, caller: &Caller, has_boundary: bool) -> bool {
        if self.entries.iter().any(|entry| matches!(entry.name, Name::Everybody)) {
            return true;
        }
        let lists = |grant: Grant| self.entries.iter().any(|entry| entry.grant(caller) == grant);
        match caller.kind {
            CallerKind::User | CallerKind::FederatedUser { .. } => {
                !has_boundary && lists(Grant::Account) && lists(Grant::Direct)
            }
            CallerKind::AssumedRole { .. } => {
                !has_boundary && lists(Grant::Account) && lists(Grant::Behind)
            }
            _ => lists(Grant::Direct),
        }
    }
}

impl Entry {
    fn parse(kind: PrincipalType, text: &str) -> Result<Entry, Malformed> {
        let name = match kind {
            PrincipalType::Aws => aws_name(text),
            PrincipalType::Service => is_service(text).then_some(Name::Service),
            PrincipalType::Federated if text == "*" => Some(Name::AnyFederated),
            PrincipalType::Federated => (!text.is_empty()).then_some(Name::Federated),
            PrincipalType::CanonicalUser => (!text.is_empty()).then_some(Name::CanonicalUser),
        };
        match name {
            Some(name) => Ok(Entry { kind, text: text.into(), name }),
            None => {
                // IAM names the type in capitals: "AWS":"…", "SERVICE":"…".
                let kind = kind.name().to_uppercase();
                Err(Malformed::InvalidPrincipal(format!("\"{kind}\":\"{text}\"")))
            }
        }
    }

    fn grant(&self, caller: &Caller) -> Grant {
        let when = |matches: bool| if matches { Grant::Direct } else { Grant::None };
        match &self.name {
            Name::Everybody => Grant::Direct,
            Name::Account(account) => account_grant(caller, **account == *caller.account),
            Name::CanonicalUser => {
                account_grant(caller, caller.canonical_id.as_deref() == Some(&*self.text))
            }
            Name::Arn if *self.text == *caller.arn => Grant::Direct,
            Name::Arn => match &caller.kind {
                CallerKind::AssumedRole { role_arn: behind }
                | CallerKind::FederatedUser { user_arn: behind }
                    if **behind == *self.text =>
                {
                    Grant::Behind
                }
                _ => Grant::None,
            },
            Name::UniqueId if *self.text == *caller.user_id => Grant::Direct,
            Name::UniqueId => match caller.user_id.split_once(':') {
                Some((id, _)) if *id == *self.text => Grant::Behind,
                _ => Grant::None,
            },
            Name::Service => {
                when(matches!(&caller.kind, CallerKind::Service { name } if **name == *self.text))
            }
            Name::Federated => when(
                matches!(&caller.kind, CallerKind::WebIdentity { provider } if **provider == *self.text),
            ),
            Name::AnyFederated => when(matches!(caller.kind, CallerKind::WebIdentity { .. })),
        }
    }
}

fn account_grant(caller: &Caller, same: bool) -> Grant {
    match caller.kind {
        _ if !same || !caller.has_account() => Grant::None,
        CallerKind::Root => Grant::Direct,
        _ => Grant::Account,
    }
}

/// Reads an `AWS` principal. A wildcard inside an ARN is refused, as AWS refuses it.
fn aws_name(text: &str) -> Option<Name> {
    if text == "*" {
        return Some(Name::Everybody);
    }
    if is_account(text) {
        return Some(Name::Account(text.into()));
    }
    if text.starts_with("arn:") {
        let fields: Vec<&str> = text.splitn(6, ':').collect();
        let [_, _, service, _, account, resource] = fields[..] else { return None };
        if text.contains(['*', '?']) || resource.is_empty() {
            return None;
        }
        return match (service, resource) {
            ("iam", "root") if is_account(account) => Some(Name::Account(account.into())),
            _ => Some(Name::Arn),
        };
    }
    let is_id = (16..=128).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit());
    is_id.then_some(Name::UniqueId)
}

/// Whether a text is the twelve digits of an account.
pub(crate) fn is_account(text: &str) -> bool {
    text.len() == 12 && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// AWS checks its catalogue of services; every name of that form passes here.
fn is_service(text: &str) -> bool {
    text.contains('.')
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-_".contains(&byte))
}

fn strings(value: &Value) -> Option<Vec<&str>> {
    match value {
        Value::String(text) => Some(vec![text]),
        Value::Array(values) => values.iter().map(Value::as_str).collect(),
        _ => None,
    }
}
