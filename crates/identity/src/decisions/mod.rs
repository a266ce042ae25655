//! Decisions over calls: what they are made of, how they end, and what is kept of them.

mod encoded;
mod explained;
mod facts;
mod kept;
mod messages;
mod observed;
mod passed;
mod standing;

use std::sync::Arc;

use fogbank_core::policy::{
    Attached, Call, Caller, Decision, Document, Explanation, Policies, Reason, ResourcePolicyMode,
    ResourceSide, evaluate,
};
use fogbank_core::store::Read;
use fogbank_core::{Fault, Request, ResourcePolicy, tracing};

use crate::identities::Identities;
use crate::rows::Tags;
use crate::target::Target;

pub use encoded::{decode, encode};
pub(crate) use facts::{Facts, Keys, LookUps};
pub(crate) use kept::CAPACITY;
pub use kept::{DENIALS, Denial, KeptDecisions};
pub use observed::{OBSERVED, Observation, Observed, Sighting};
pub(crate) use standing::Standing;

/// What becomes of calls that IAM does not allow.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Enforcement {
    /// They are refused.
    #[default]
    Enforce,
    /// They are answered, and what would have been refused is recorded.
    Warn,
    /// They are answered: no policy is looked at.
    Off,
}

/// Finds the tags of the resource of a call.
pub type FindTags<'a> = &'a dyn Fn(TagsOf) -> Result<Tags, Fault>;

/// Whose tags a condition asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TagsOf {
    /// The resource's own; in S3 the bucket's, for what lies in it too.
    Resource,
    /// The object's that is there already.
    Object,
}

/// One permission to be decided.
#[derive(Clone, Copy)]
pub(crate) struct Question<'a> {
    /// The call; its principal is who asks.
    pub(crate) request: &'a Request,
    /// The same, where it can be kept.
    pub(crate) shared: Option<&'a Arc<Request>>,
    /// The action, such as `sts:AssumeRole`.
    pub(crate) action: &'a str,
    /// The resource's ARN, or `*`.
    pub(crate) resource: &'a str,
    /// The service's condition keys.
    pub(crate) keys: &'a Keys,
    /// The resource's policy and owner, for resources that can have a policy.
    pub(crate) policy: Option<&'a ResourcePolicy>,
    /// Finds the resource's tags, where its service can.
    pub(crate) resource_tags: Option<FindTags<'a>>,
    /// What a call of IAM or STS is about.
    pub(crate) target: Option<&'a Target>,
}

/// How a decision ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// A policy allows.
    Allowed,
    /// No policy was asked.
    Open,
    /// It was refused.
    Denied,
    /// It would have been refused, and was answered.
    Warned,
}

impl Question<'_> {
    /// The account that owns the resource.
    pub(crate) fn owner(&self) -> &str {
        owner(self.request, self.policy, self.resource)
    }

    /// Whether the question is refused whatever the operator has set: Fogbank's own calls are nobody's but the
    /// administrator's, and who does not sign at all is no caller to be lenient with.
    fn is_always_enforced(&self) -> bool {
        self.action.starts_with("fogbank:") || self.request.principal.is_anonymous()
    }
}

impl Identities {
    /// What becomes of a refusal of this question.
    pub(crate) fn enforcement(&self, question: &Question<'_>) -> Enforcement {
        match self.enforcement.get() {
            Some(set) if !question.is_always_enforced() => *set,
            _ => Enforcement::Enforce,
        }
    }

    /// How it ends if the caller may do it; if not, the fault carries AWS's message.
    pub(crate) fn decide(
        &self,
        rows: &dyn Read,
        question: &Question<'_>,
    ) -> Result<Outcome, Fault> {
        self.evaluate(rows, question, |call, explanation| {
            Fault::access_denied(messages::refusal(call, explanation))
        })
    }

    /// How it ends if the caller may do it; if not, `denied` makes the fault.
    pub(crate) fn evaluate(
        &self,
        rows: &dyn Read,
        question: &Question<'_>,
        denied: impl FnOnce(&Call<'_>, &Explanation<'_>) -> Fault,
    ) -> Result<Outcome, Fault> {
        let enforcement = self.enforcement(question);
        if enforcement == Enforcement::Off {
            self.kept.keep_open(question, "answered without looking at policies: iam is off");
            return Ok(Outcome::Open);
        }
        let standing = Standing::read(self, rows, question)?;
        if standing.is_closed() {
            self.kept.keep(question, standing, Vec::new(), Outcome::Denied);
            // AWS's words differ from service to service, and are not known of most.
            return Err(Fault::access_denied("The account is closed."));
        }
        let look_ups = LookUps { identities: self, rows, resource_tags: question.resource_tags };
        let facts = Facts::new(question, &standing, Some(look_ups), Vec::new());
        let (outcome, refusal) = standing.with_policies(question, &facts, |call, policies| {
            let Decision { explanation, .. } = evaluate(call, policies);
            match (explanation.reason, enforcement) {
                (Reason::Allowed, _) => (Outcome::Allowed, None),
                (_, Enforcement::Warn) => {
                    let (action, resource) = (call.action, call.resource);
                    let caller = &call.principal.arn;
                    tracing::info!(action, resource, caller, %explanation, "AWS would refuse");
                    (Outcome::Warned, None)
                }
                _ => {
                    let (action, resource) = (call.action, call.resource);
                    tracing::debug!(action, resource, %explanation, "denied");
                    (Outcome::Denied, Some(denied(call, &explanation)))
                }
            }
        });
        let found = facts.into_found()?;
        self.kept.keep(question, standing, found, outcome);
        refusal.map_or(Ok(outcome), Err)
    }
}

/// Whether a trust policy alone allows somebody who is no principal yet.
pub(crate) fn allows(question: &Question<'_>, caller: &Caller, trust: &Document) -> bool {
    let standing = Standing::default();
    let facts = Facts::new(question, &standing, None, Vec::new());
    let Question { action, resource, .. } = *question;
    let call = Call { action, resource, principal: caller, context: &facts };
    let policy = Some(Attached { source: resource, document: trust });
    let side = ResourceSide { owner: question.owner(), policy, grants: &[] };
    let mode = ResourcePolicyMode::Trust;
    let policies = Policies { resource: Some(side), mode, ..Policies::default() };
    evaluate(&call, &policies).is_allowed()
}

/// The account that owns a resource: where neither its policy nor its ARN tells, the caller's.
fn owner<'a>(
    request: &'a Request,
    policy: Option<&'a ResourcePolicy>,
    resource: &'a str,
) -> &'a str {
    if let Some(policy) = policy {
        return &policy.owner;
    }
    let of_arn = resource.split(':').nth(4).filter(|account| !account.is_empty());
    of_arn.unwrap_or(&request.principal.account)
}
