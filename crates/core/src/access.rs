//! What a call touches, as the authorisation of the call needs to know it.

use std::borrow::Cow;
use std::sync::Arc;

use fogbank_policy::{Document, ResourcePolicyMode};
use fogbank_wire::Struct;

use crate::{Fault, ReadTx};

/// Everything that a call must be allowed to do.
#[derive(Debug, Default)]
pub struct Access {
    /// The single permissions; all must be granted.
    pub checks: Vec<Check>,
    /// Adds condition keys that only rows tell, such as the value of a table's partition key. Asked only where
    /// policies are looked at, which for an account's root is seldom the case.
    pub refine: Option<Refine>,
    /// Finds what the call is about, where only rows tell: which key an alias stands for. Asked for every caller.
    pub locate: Option<Locate>,
    /// Says in another way why the call is refused: that there is nothing to be read, to those who may know it.
    pub explain: Option<Explain>,
}

/// The answer to a call in place of the refusal of a check.
pub type Explain = fn(&ReadTx<'_>, &dyn Struct, Fault) -> Fault;

/// Puts the resources that rows tell into the checks of a call, or adds checks.
pub type Locate = fn(&ReadTx<'_>, &dyn Struct, &mut Vec<Check>) -> Result<(), Fault>;

/// Adds to the checks of a call what only rows tell.
pub type Refine = fn(&ReadTx<'_>, &dyn Struct, &mut [Check]) -> Result<(), Fault>;

/// One permission: an action on a resource.
#[derive(Debug, Default)]
pub struct Check {
    /// The action, such as `s3:GetObject`; empty means the operation's own (`service:Operation`).
    pub action: Cow<'static, str>,
    /// The resource's ARN, or `*` for actions without one.
    pub resource: String,
    /// The service's condition keys and their values, such as `s3:prefix`.
    pub context: Vec<(Cow<'static, str>, Vec<String>)>,
    /// What the service wants to know itself when it is asked for the resource's policy. Policies do not see it.
    pub details: Vec<(&'static str, String)>,
}

impl Check {
    /// A detail of this name.
    pub fn detail(&self, name: &str) -> Option<&str> {
        self.details.iter().find(|(known, _)| *known == name).map(|(_, value)| &**value)
    }
}

/// A way by which a call reaches a resource, such as an access point of S3, and what it asks of the call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Way {
    /// The ARN of the resource to which it leads, such as a bucket's.
    pub to: String,
    /// Its own ARN.
    pub arn: String,
    /// What the call must be allowed to do.
    pub demand: Demand,
    /// Condition keys that tell of it; one that comes several times has a set of values.
    pub context: Vec<(&'static str, String)>,
}

/// What a way asks of a call that takes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Demand {
    /// What the call must be allowed to do with the resource, it must be allowed to do with the way as well.
    Both {
        /// What stands between the way's ARN and what is in the resource, such as `/object/`.
        within: &'static str,
    },
    /// Instead, the call must be allowed to do something with the way as a whole.
    Instead {
        /// The prefix of its actions, such as `s3express`.
        prefix: &'static str,
        /// The action behind the prefix that stands for all; none for those of the same names.
        action: Option<&'static str>,
        /// The ARN of what must allow the same besides the way; none if the way is all that is asked.
        also: Option<String>,
    },
    /// Nothing: it was allowed to take the way before.
    Nothing,
}

impl Way {
    /// What is to be checked in place of a check of what lies at its end; `own` is the action of checks that name none.
    /// Nothing if the check is about something else.
    pub fn checks(&self, check: &Check, own: &str) -> Option<Vec<Check>> {
        let rest = check.resource.strip_prefix(&*self.to)?;
        let key = rest.strip_prefix('/');
        if key.is_none() && !rest.is_empty() {
            return None;
        }
        // What is told of a key in several pairs is a set.
        let mut told: Vec<(Cow<'static, str>, Vec<String>)> = Vec::new();
        for (key, value) in &self.context {
            match told.iter_mut().find(|(known, _)| known == key) {
                Some((_, values)) => values.push(value.clone()),
                None => told.push((Cow::Borrowed(*key), vec![value.clone()])),
            }
        }
        let of = |action: Cow<'static, str>, resource: String| Check {
            action,
            resource,
            context: check.context.iter().chain(&told).cloned().collect(),
            details: check.details.clone(),
        };
        Some(match &self.demand {
            Demand::Nothing => Vec::new(),
            Demand::Both { within } => {
                let way =
                    key.map_or_else(|| self.arn.clone(), |key| [&*self.arn, within, key].concat());
                vec![
                    of(check.action.clone(), check.resource.clone()),
                    of(check.action.clone(), way),
                ]
            }
            Demand::Instead { prefix, action, also } => {
                let asked = if check.action.is_empty() { own } else { &*check.action };
                let same = asked.split_once(':').map_or(asked, |(_, name)| name);
                let action = [prefix, ":", action.unwrap_or(same)].concat();
                let each = std::iter::once(&self.arn).chain(also);
                each.map(|arn| of(action.clone().into(), arn.clone())).collect()
            }
        })
    }
}

impl Access {
    /// A call that AWS allows to everyone who can sign it, such as `sts:GetCallerIdentity`.
    pub fn open() -> Access {
        Access::default()
    }

    /// The operation's own action on `resource`.
    pub fn on(resource: impl Into<String>) -> Access {
        let check = Check { resource: resource.into(), ..Check::default() };
        Access { checks: vec![check], ..Access::default() }
    }

    /// The operation's own action, which AWS defines on no particular resource.
    pub fn on_all() -> Access {
        Access::on("*")
    }

    /// A named action on `resource`.
    pub fn to(action: impl Into<Cow<'static, str>>, resource: impl Into<String>) -> Access {
        let (action, resource) = (action.into(), resource.into());
        let check = Check { action, resource, ..Check::default() };
        Access { checks: vec![check], ..Access::default() }
    }

    /// Also a named action on `resource`.
    pub fn and(
        mut self,
        action: impl Into<Cow<'static, str>>,
        resource: impl Into<String>,
    ) -> Access {
        let (action, resource) = (action.into(), resource.into());
        let check = Check { action, resource, ..Check::default() };
        self.checks.push(check);
        self
    }

    /// Adds what only rows tell, where it matters.
    pub fn refined(mut self, refine: Refine) -> Access {
        self.refine = Some(refine);
        self
    }

    /// A condition key with its values, for the last check alone.
    pub fn last_with(
        mut self,
        key: impl Into<Cow<'static, str>>,
        values: impl IntoIterator<Item = String>,
    ) -> Access {
        if let Some(check) = self.checks.last_mut() {
            check.context.push((key.into(), values.into_iter().collect()));
        }
        self
    }

    /// What the service wants to know itself of all checks so far.
    pub fn detailed(mut self, name: &'static str, value: &str) -> Access {
        for check in &mut self.checks {
            check.details.push((name, value.to_owned()));
        }
        self
    }

    /// What the service wants to know itself of the last check alone.
    pub fn last_detailed(mut self, name: &'static str, value: &str) -> Access {
        if let Some(check) = self.checks.last_mut() {
            check.details.push((name, value.to_owned()));
        }
        self
    }

    /// The tags that a call puts on something, for all checks so far: `aws:RequestTag/…` and `aws:TagKeys`.
    pub fn with_tags<'t>(
        mut self,
        tags: impl IntoIterator<Item = (&'t String, &'t String)>,
    ) -> Access {
        let mut keys = Vec::new();
        for (key, value) in tags {
            self = self.with(format!("aws:RequestTag/{key}"), [value.clone()]);
            keys.push(key.clone());
        }
        self.with_tag_keys(&keys)
    }

    /// The keys of tags that a call is about, for all checks so far: `aws:TagKeys`.
    pub fn with_tag_keys<'t>(self, keys: impl IntoIterator<Item = &'t String>) -> Access {
        let keys: Vec<String> = keys.into_iter().cloned().collect();
        if keys.is_empty() { self } else { self.with("aws:TagKeys", keys) }
    }

    /// Also passing a role to a service, such as `lambda.amazonaws.com`, for the resource with an ARN.
    pub fn and_pass_role(
        self,
        role: impl Into<String>,
        service: &str,
        resource: impl Into<String>,
    ) -> Access {
        self.and("iam:PassRole", role)
            .last_with("iam:PassedToService", [service.to_owned()])
            .last_with("iam:AssociatedResourceArn", [resource.into()])
    }

    /// Says in another way why the call is refused.
    pub fn explained(mut self, explain: Explain) -> Access {
        self.explain = Some(explain);
        self
    }

    /// Finds the resources in the rows.
    pub fn located(mut self, locate: Locate) -> Access {
        self.locate = Some(locate);
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
#[derive(Clone, Debug, Default)]
pub struct ResourcePolicy {
    /// The account that owns the resource.
    pub owner: String,
    /// The policy's document; none if the resource has no policy.
    pub document: Option<Arc<Document>>,
    /// What the policy means beside identity policies: whether it only adds to them, or must allow itself.
    pub mode: ResourcePolicyMode,
    /// What else allows as the policy does, such as the grants of a key to the caller, each with a name. A `Deny` in
    /// them counts as one in the policy.
    pub grants: Vec<(String, Arc<Document>)>,
    /// Whether AWS made the resource for its own use, as it makes the AWS-managed keys of KMS: resource control
    /// policies do not concern it.
    pub is_managed_by_aws: bool,
}

impl ResourcePolicy {
    /// A policy that within the owner's account adds to identity policies, as a bucket's or queue's does.
    pub fn new(owner: impl Into<String>, document: Option<Arc<Document>>) -> ResourcePolicy {
        ResourcePolicy { owner: owner.into(), document, ..ResourcePolicy::default() }
    }

    /// The policy of a KMS key: it must allow itself, and identity policies count only if it names their account.
    pub fn of_key(owner: impl Into<String>, document: Option<Arc<Document>>) -> ResourcePolicy {
        let mode = ResourcePolicyMode::KmsKey;
        ResourcePolicy { mode, ..ResourcePolicy::new(owner, document) }
    }

    /// Adds what allows as the policy does, under a name that explanations show.
    pub fn with_grant(
        mut self,
        name: impl Into<String>,
        document: Arc<Document>,
    ) -> ResourcePolicy {
        self.grants.push((name.into(), document));
        self
    }
}
