//! The decision: which layers apply to a call, and in which order they allow or deny it.
//!
//! Follows "Policy evaluation logic" of the IAM User Guide: an explicit deny in any layer wins; control policies
//! must allow; then, within an account, a resource policy or an identity policy suffices, and across accounts both
//! must allow. Boundaries and session policies limit what identity policies grant, and what a resource policy
//! grants to a role, but not what it grants to a user, to a session or to everybody. A session of a root is limited
//! by its policies, whoever grants.

use crate::context::{Context, Facts};
use crate::document::{Document, Effect, Statement};
use crate::explain::{Explanation, Layer, Reason, StatementRef};
use crate::principal::{Caller, CallerKind, Grant, is_account};

/// A request to be authorised.
#[derive(Clone, Copy)]
pub struct Call<'a> {
    /// The action with its service prefix, such as `s3:GetObject`.
    pub action: &'a str,
    /// The ARN of the resource, or `*` for an action that has none.
    pub resource: &'a str,
    /// Who calls.
    pub principal: &'a Caller,
    /// The condition keys of the request; `&()` has none.
    pub context: &'a dyn Context,
}

/// A document and where it comes from.
#[derive(Debug, Clone, Copy)]
pub struct Attached<'a> {
    /// The policy's ARN, or its name if it is inline.
    pub source: &'a str,
    /// The compiled policy.
    pub document: &'a Document,
}

/// The resource's side of a call.
#[derive(Debug, Clone, Copy)]
pub struct ResourceSide<'a> {
    /// The account that owns the resource.
    pub owner: &'a str,
    /// The resource's policy, if it has one.
    pub policy: Option<Attached<'a>>,
    /// What else allows as the policy does, such as the grants of a key.
    pub grants: &'a [Attached<'a>],
}

/// What a resource policy means beside identity policies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ResourcePolicyMode {
    /// Within the account it adds to identity policies.
    #[default]
    Ordinary,
    /// A role's trust policy: it must allow, and if it names only the account, an identity policy must allow too.
    Trust,
    /// A KMS key's policy: like a trust policy, identity policies count only if it names the account.
    KmsKey,
}

/// All policies that apply to a call.
#[derive(Debug, Clone, Copy, Default)]
pub struct Policies<'a> {
    /// Inline and managed policies of the user and its groups, or of the role.
    pub identity: &'a [Attached<'a>],
    /// The permissions boundary of the user or role.
    pub boundary: Option<Attached<'a>>,
    /// The policies passed when the session was made; empty where none were.
    pub session: &'a [Attached<'a>],
    /// The resource's side. Without it, the owner is the account in the resource's ARN, or else the caller's.
    pub resource: Option<ResourceSide<'a>>,
    /// Service control policies of the caller's account, a list for each level from the root of the organization to
    /// the account; every level must allow. Empty where the account is in no organization.
    pub scps: &'a [&'a [Attached<'a>]],
    /// Resource control policies of the owner's account, in the same form.
    pub rcps: &'a [&'a [Attached<'a>]],
    /// What the resource policy means.
    pub mode: ResourcePolicyMode,
}

impl Policies<'_> {
    /// What messages call the resource's policy.
    pub(crate) fn resource_layer(&self) -> Layer {
        match self.mode {
            ResourcePolicyMode::Trust => Layer::TrustPolicy,
            ResourcePolicyMode::Ordinary | ResourcePolicyMode::KmsKey => Layer::ResourcePolicy,
        }
    }
}

/// Whether a call may proceed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// It may.
    Allowed,
    /// It may not.
    Denied,
}

/// The outcome of an evaluation with its explanation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Decision<'a> {
    /// Whether the call may proceed.
    pub outcome: Outcome,
    /// Which layer and statement decided.
    pub explanation: Explanation<'a>,
}

impl Decision<'_> {
    /// Whether the call may proceed.
    pub fn is_allowed(&self) -> bool {
        self.outcome == Outcome::Allowed
    }
}

/// Decides a call. A layer that has policies and allows nothing denies.
pub fn evaluate<'a>(call: &Call<'_>, policies: &Policies<'a>) -> Decision<'a> {
    with_request(call, policies, |request, same_account| {
        let verdict = match Scan::of(request, policies) {
            Ok(scan) => scan.decide(call.principal, policies, same_account),
            Err(denied) => denied,
        };
        Decision {
            outcome: match verdict.reason {
                Reason::Allowed => Outcome::Allowed,
                Reason::ExplicitDeny | Reason::ImplicitDeny => Outcome::Denied,
            },
            explanation: Explanation {
                reason: verdict.reason,
                layer: verdict.layer,
                statement: verdict.statement,
                same_account,
            },
        }
    })
}

/// Prepares a call for statements to be matched with; also tells whether caller and resource are of one account.
pub(crate) fn with_request<R>(
    call: &Call<'_>,
    policies: &Policies<'_>,
    run: impl FnOnce(&Request<'_>, bool) -> R,
) -> R {
    let owner = owner_of(call, policies);
    let mut buffer = [0; ACTION_BUFFER];
    let spilled;
    let action = match buffer.get_mut(..call.action.len()) {
        Some(buffer) => {
            buffer.copy_from_slice(call.action.as_bytes());
            buffer.make_ascii_lowercase();
            &*buffer
        }
        None => {
            spilled = call.action.to_ascii_lowercase();
            spilled.as_bytes()
        }
    };
    let same_account = !call.principal.has_account() || owner == call.principal.account;
    let request = Request {
        call,
        action,
        facts: Facts::new(call, Some(owner).filter(|owner| !owner.is_empty())),
        has_boundary: policies.boundary.is_some(),
        ignores_denies: false,
    };
    run(&request, same_account)
}

/// The longest action of AWS has fewer characters; a longer one is lower-cased on the heap.
const ACTION_BUFFER: usize = 128;

fn owner_of<'o>(call: &Call<'o>, policies: &Policies<'o>) -> &'o str {
    match policies.resource {
        Some(side) => side.owner,
        None => call
            .resource
            .split(':')
            .nth(4)
            .filter(|account| is_account(account))
            .unwrap_or(&call.principal.account),
    }
}

/// A call, prepared for statements to be matched with.
pub(crate) struct Request<'r> {
    pub(crate) call: &'r Call<'r>,
    pub(crate) action: &'r [u8],
    pub(crate) facts: Facts<'r>,
    pub(crate) has_boundary: bool,
    /// Whether statements that deny are passed over.
    pub(crate) ignores_denies: bool,
}

impl Request<'_> {
    pub(crate) fn names_action(&self, statement: &Statement) -> bool {
        statement.actions.matches(self.action, &self.facts)
    }

    pub(crate) fn names_resource(&self, statement: &Statement) -> bool {
        let resource = self.call.resource.as_bytes();
        statement.resources.as_ref().is_none_or(|set| set.matches(resource, &self.facts))
    }

    /// How directly the statement names the caller.
    pub(crate) fn grant(&self, statement: &Statement) -> Grant {
        match &statement.principals {
            None => Grant::Direct,
            Some(principals) => {
                principals.grant(self.call.principal, statement.effect, self.has_boundary)
            }
        }
    }

    /// How directly the statement names the caller, or `None` if the statement does not apply.
    fn applies(&self, statement: &Statement) -> Option<Grant> {
        if !self.names_action(statement) {
            return None;
        }
        let grant = self.grant(statement);
        let applies = grant != Grant::None
            && self.names_resource(statement)
            && statement.conditions.iter().all(|condition| condition.holds(&self.facts));
        applies.then_some(grant)
    }

    /// Finds the statement that allows most directly, or fails with one that denies.
    pub(crate) fn scan<'a>(
        &self,
        layer: Layer,
        list: &[Attached<'a>],
    ) -> Result<Option<Allowance<'a>>, Verdict<'a>> {
        let mut best: Option<Allowance<'a>> = None;
        for attached in list {
            for (index, statement) in attached.document.statements.iter().enumerate() {
                let is_deny = statement.effect == Effect::Deny;
                if is_deny && self.ignores_denies {
                    continue;
                }
                if !is_deny && best.is_some_and(|best| best.grant == Grant::Direct) {
                    continue;
                }
                let Some(grant) = self.applies(statement) else { continue };
                let sid = statement.sid.as_deref();
                let statement = StatementRef { source: attached.source, sid, index };
                if is_deny {
                    return Err(Verdict {
                        reason: Reason::ExplicitDeny,
                        layer,
                        statement: Some(statement),
                    });
                }
                if best.is_none_or(|best| best.grant < grant) {
                    best = Some(Allowance { grant, statement });
                }
            }
        }
        Ok(best)
    }

    /// Finds what the resource's policy, or else a grant, allows most directly.
    fn scan_resource<'a>(
        &self,
        layer: Layer,
        policies: &Policies<'a>,
    ) -> Result<Option<Allowance<'a>>, Verdict<'a>> {
        let Some(side) = &policies.resource else { return Ok(None) };
        let by_policy = self.scan(layer, side.policy.as_slice())?;
        let by_grant = self.scan(layer, side.grants)?;
        Ok(match (by_policy, by_grant) {
            (Some(policy), Some(grant)) if grant.grant > policy.grant => Some(grant),
            (policy, grant) => policy.or(grant),
        })
    }

    /// Whether every level of control policies allows.
    fn scan_levels<'a>(
        &self,
        layer: Layer,
        levels: &[&[Attached<'a>]],
    ) -> Result<bool, Verdict<'a>> {
        let mut allowed = true;
        for level in levels {
            // No early exit: a deny further down outranks the missing allow here.
            allowed &= self.scan(layer, level)?.is_some();
        }
        Ok(allowed)
    }
}

/// A statement that allows.
#[derive(Clone, Copy)]
pub(crate) struct Allowance<'a> {
    grant: Grant,
    statement: StatementRef<'a>,
}

/// What decided.
pub(crate) struct Verdict<'a> {
    pub(crate) reason: Reason,
    pub(crate) layer: Layer,
    statement: Option<StatementRef<'a>>,
}

impl<'a> Verdict<'a> {
    fn allowed(layer: Layer, statement: Option<StatementRef<'a>>) -> Verdict<'a> {
        Verdict { reason: Reason::Allowed, layer, statement }
    }

    fn missing(layer: Layer) -> Verdict<'a> {
        Verdict { reason: Reason::ImplicitDeny, layer, statement: None }
    }
}

/// What every layer has to say, once none denies explicitly.
pub(crate) struct Scan<'a> {
    rcps_allow: bool,
    scps_allow: bool,
    resource_layer: Layer,
    resource: Option<Allowance<'a>>,
    identity: Option<Allowance<'a>>,
    boundary: Option<Allowance<'a>>,
    session: Option<Allowance<'a>>,
}

impl<'a> Scan<'a> {
    pub(crate) fn of(
        request: &Request<'_>,
        policies: &Policies<'a>,
    ) -> Result<Scan<'a>, Verdict<'a>> {
        let has_account = request.call.principal.has_account();
        let scps = if has_account { policies.scps } else { &[] };
        let resource_layer = policies.resource_layer();
        Ok(Scan {
            rcps_allow: request.scan_levels(Layer::ResourceControlPolicy, policies.rcps)?,
            scps_allow: request.scan_levels(Layer::ServiceControlPolicy, scps)?,
            resource_layer,
            resource: request.scan_resource(resource_layer, policies)?,
            identity: request.scan(Layer::IdentityPolicy, policies.identity)?,
            boundary: request.scan(Layer::PermissionsBoundary, policies.boundary.as_slice())?,
            session: request.scan(Layer::SessionPolicy, policies.session)?,
        })
    }

    /// Assumes that the layer allows.
    pub(crate) fn supply(&mut self, layer: Layer) {
        let statement = StatementRef { source: "", sid: None, index: 0 };
        let supplied = Some(Allowance { grant: Grant::Direct, statement });
        match layer {
            Layer::ServiceControlPolicy => self.scps_allow = true,
            Layer::ResourceControlPolicy => self.rcps_allow = true,
            Layer::ResourcePolicy | Layer::TrustPolicy => self.resource = supplied,
            Layer::IdentityPolicy => self.identity = supplied,
            Layer::PermissionsBoundary => self.boundary = supplied,
            Layer::SessionPolicy => self.session = supplied,
            Layer::AccountRoot => {}
        }
    }

    pub(crate) fn decide(
        &self,
        caller: &Caller,
        policies: &Policies<'a>,
        same_account: bool,
    ) -> Verdict<'a> {
        if !self.rcps_allow {
            return Verdict::missing(Layer::ResourceControlPolicy);
        }
        if !self.scps_allow {
            return Verdict::missing(Layer::ServiceControlPolicy);
        }
        if !caller.has_account() {
            return self.by_resource_policy();
        }
        if !same_account {
            let own_side = self.by_identity(caller, policies);
            return match own_side.reason {
                Reason::Allowed => self.by_resource_policy(),
                Reason::ExplicitDeny | Reason::ImplicitDeny => own_side,
            };
        }
        let must_be_named = policies.mode != ResourcePolicyMode::Ordinary;
        // What names an account means its root, which stands behind its sessions as a role does behind its own.
        let is_behind = caller.kind == CallerKind::Root;
        match self.resource {
            Some(Allowance { grant: Grant::Direct, .. }) if !is_behind => self.by_resource_policy(),
            Some(Allowance { grant: Grant::Direct | Grant::Behind, .. }) => {
                match self.limits(caller, policies) {
                    Some(layer) => Verdict::missing(layer),
                    None => self.by_resource_policy(),
                }
            }
            None if must_be_named => Verdict::missing(self.resource_layer),
            Some(_) | None => self.by_identity(caller, policies),
        }
    }

    fn by_resource_policy(&self) -> Verdict<'a> {
        match self.resource {
            Some(allowance) => Verdict::allowed(self.resource_layer, Some(allowance.statement)),
            None => Verdict::missing(self.resource_layer),
        }
    }

    fn by_identity(&self, caller: &Caller, policies: &Policies<'a>) -> Verdict<'a> {
        let (layer, statement) = match self.identity {
            _ if caller.kind == CallerKind::Root => (Layer::AccountRoot, None),
            Some(allowance) => (Layer::IdentityPolicy, Some(allowance.statement)),
            None => return Verdict::missing(Layer::IdentityPolicy),
        };
        match self.limits(caller, policies) {
            Some(layer) => Verdict::missing(layer),
            None => Verdict::allowed(layer, statement),
        }
    }

    /// The boundary or session policy that withholds its allow. A federated user has no permissions of its own
    /// unless a session policy passes them on.
    fn limits(&self, caller: &Caller, policies: &Policies<'a>) -> Option<Layer> {
        if policies.boundary.is_some() && self.boundary.is_none() {
            return Some(Layer::PermissionsBoundary);
        }
        let federated = matches!(caller.kind, CallerKind::FederatedUser { .. });
        if (federated || !policies.session.is_empty()) && self.session.is_none() {
            return Some(Layer::SessionPolicy);
        }
        None
    }
}
