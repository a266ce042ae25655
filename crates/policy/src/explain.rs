//! Why a call was allowed or denied, and AWS's words for it.

use std::fmt;

use crate::evaluate::Call;

/// A type of policy that takes part in a decision.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Layer {
    /// Service control policies of the caller's organization.
    ServiceControlPolicy,
    /// Resource control policies of the owner's organization.
    ResourceControlPolicy,
    /// The policy of the resource.
    ResourcePolicy,
    /// The trust policy of the role to be assumed.
    TrustPolicy,
    /// Policies of the user, its groups or the role.
    IdentityPolicy,
    /// The permissions boundary of the user or role.
    PermissionsBoundary,
    /// Policies passed when the session was made.
    SessionPolicy,
    /// No policy: the root user may do everything in its account.
    AccountRoot,
}

impl Layer {
    /// The name that access-denied messages use.
    pub fn name(self) -> &'static str {
        match self {
            Layer::ServiceControlPolicy => "service control policy",
            Layer::ResourceControlPolicy => "resource control policy",
            Layer::ResourcePolicy => "resource-based policy",
            Layer::TrustPolicy => "role trust policy",
            Layer::IdentityPolicy => "identity-based policy",
            Layer::PermissionsBoundary => "permissions boundary",
            Layer::SessionPolicy => "session policy",
            Layer::AccountRoot => "account root",
        }
    }

    fn article(self) -> &'static str {
        match self {
            Layer::IdentityPolicy => "an",
            Layer::TrustPolicy | Layer::AccountRoot => "the",
            _ => "a",
        }
    }
}

impl fmt::Display for Layer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// How the deciding layer decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Reason {
    /// A statement allowed, and nothing else stood in the way.
    Allowed,
    /// A `Deny` statement applied.
    ExplicitDeny,
    /// A layer whose allow was needed had no statement that allows.
    ImplicitDeny,
}

/// A statement of an attached policy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct StatementRef<'a> {
    /// The policy's ARN or name, as attached.
    pub source: &'a str,
    /// The statement's Sid.
    pub sid: Option<&'a str>,
    /// The statement's place in its document, from 0.
    pub index: usize,
}

impl fmt::Display for StatementRef<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.sid {
            Some(sid) if !sid.is_empty() => write!(f, "statement {sid} of {}", self.source),
            _ => write!(f, "statement {} of {}", self.index + 1, self.source),
        }
    }
}

/// The smallest permission that would have changed an implicit deny in the layer that decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MissingPermission<'a> {
    /// The type of policy that lacks it.
    pub layer: Layer,
    /// The action to allow.
    pub action: &'a str,
    /// The resource to allow it on.
    pub resource: &'a str,
}

/// Which layer and statement decided a call. Copying one costs nothing; words are made only when asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Explanation<'a> {
    /// How it was decided.
    pub reason: Reason,
    /// The layer that decided.
    pub layer: Layer,
    /// The statement that allowed or denied; an implicit deny and the root user have none.
    pub statement: Option<StatementRef<'a>>,
    /// Whether caller and resource belong to one account. AWS tells other accounts less: S3 answers them plainly
    /// `Access Denied`.
    pub same_account: bool,
}

/// How a service words its access-denied messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct MessageStyle {
    /// Put the resource in quotes, as S3 does.
    pub quote_resource: bool,
    /// Say `on resource: *` for an action without a resource, as Lambda does; most services leave it out.
    pub name_any_resource: bool,
    /// After an explicit deny, name the policy if it has an ARN. AWS does so since 2026 where caller and resource are of
    /// one account.
    pub name_policy: bool,
}

impl MessageStyle {
    /// S3's style.
    pub const S3: MessageStyle =
        MessageStyle { quote_resource: true, name_any_resource: false, name_policy: false };
}

impl Explanation<'_> {
    /// The permission whose lack denied the call, if that is why it was denied.
    pub fn missing<'c>(&self, call: &Call<'c>) -> Option<MissingPermission<'c>> {
        (self.reason == Reason::ImplicitDeny).then_some(MissingPermission {
            layer: self.layer,
            action: call.action,
            resource: call.resource,
        })
    }

    /// The message of an AccessDenied error in AWS's words ("Troubleshoot access denied error messages" of the
    /// IAM User Guide; for session policies the guide and the services differ, and this follows the services).
    ///
    /// EC2 puts `You are not authorized to perform this operation. ` in front.
    pub fn access_denied_message(&self, call: &Call<'_>, style: MessageStyle) -> String {
        let mut message =
            format!("User: {} is not authorized to perform: {}", call.principal.arn, call.action);
        if call.resource != "*" || style.name_any_resource {
            message.push_str(" on resource: ");
            let quote = if style.quote_resource { "\"" } else { "" };
            message.extend([quote, call.resource, quote]);
        }
        let name = self.layer.name();
        match self.reason {
            Reason::ExplicitDeny => {
                message.extend([" with an explicit deny in ", self.layer.article(), " ", name]);
                let source = self.statement.map(|statement| statement.source).unwrap_or_default();
                // A resource's policy has no ARN of its own.
                let has_arn = !matches!(self.layer, Layer::ResourcePolicy | Layer::TrustPolicy);
                if style.name_policy && has_arn && source.starts_with("arn:") {
                    message.extend([": ", source]);
                }
            }
            Reason::ImplicitDeny => {
                message.extend([" because no ", name, " allows the ", call.action, " action"]);
            }
            Reason::Allowed => {}
        }
        message
    }
}

/// One sentence for people: the layer and, where there is one, the statement.
impl fmt::Display for Explanation<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.reason, self.statement) {
            (Reason::Allowed, Some(statement)) => {
                write!(f, "allowed by {statement} ({})", self.layer)
            }
            (Reason::Allowed, None) => write!(f, "allowed to the {}", self.layer),
            (Reason::ExplicitDeny, Some(statement)) => {
                write!(f, "denied by {statement} ({})", self.layer)
            }
            (Reason::ExplicitDeny, None) => {
                write!(f, "denied by {} {}", self.layer.article(), self.layer)
            }
            (Reason::ImplicitDeny, _) => write!(f, "denied because no {} allows it", self.layer),
        }
    }
}
