//! What a call touches, as the authorisation of the call needs to know it.

use std::borrow::Cow;
use std::sync::Arc;

use fogbank_policy::Document;

/// Everything that a call must be allowed to do.
#[derive(Debug, Default)]
pub struct Access {
    /// The single permissions; all must be granted.
    pub checks: Vec<Check>,
}

/// One permission: an action on a resource.
#[derive(Debug, Default)]
pub struct Check {
    /// The action, such as `s3:GetObject`; empty means the operation's own (`service:Operation`).
    pub action: Cow<'static, str>,
    /// The resource's ARN, or `*` for actions without one.
    pub resource: String,
    /// The service's condition keys and their values, such as `s3:prefix`.
    pub context: Vec<(Cow<'static, str>, Vec<String>)>,
}

impl Access {
    /// A call that AWS allows to everyone who can sign it, such as `sts:GetCallerIdentity`.
    pub fn open() -> Access {
        Access::default()
    }

    /// The operation's own action on `resource`.
    pub fn on(resource: impl Into<String>) -> Access {
        Access { checks: vec![Check { resource: resource.into(), ..Check::default() }] }
    }

    /// The operation's own action, which AWS defines on no particular resource.
    pub fn on_all() -> Access {
        Access::on("*")
    }

    /// A named action on `resource`.
    pub fn to(action: impl Into<Cow<'static, str>>, resource: impl Into<String>) -> Access {
        Access::default().and(action, resource)
    }

    /// Also a named action on `resource`.
    pub fn and(
        mut self,
        action: impl Into<Cow<'static, str>>,
        resource: impl Into<String>,
    ) -> Access {
        let check = Check { action: action.into(), resource: resource.into(), context: Vec::new() };
        self.checks.push(check);
        self
    }

    /// A condition key with its values, for all checks so far.
    pub fn with(
        mut self,
        key: impl Into<Cow<'static, str>>,
        values: impl IntoIterator<Item = String>,
    ) -> Access {
        let key = key.into();
        let values: Vec<String> = values.into_iter().collect();
        for check in &mut self.checks {
            check.context.push((key.clone(), values.clone()));
        }
        self
    }
}

/// The policy on a resource, and the account that owns the resource.
#[derive(Clone, Debug)]
pub struct ResourcePolicy {
    /// The account that owns the resource.
    pub owner: String,
    /// The policy's document; none if the resource has no policy.
    pub document: Option<Arc<Document>>,
}
