//! A decision at length: what each policy says of a call, why its statements do not apply, and what is missing.
//!
//! Slower than [`evaluate`](crate::evaluate), which decides; this tells people how it decides.

use crate::condition::Condition;
use crate::context::Values;
use crate::document::{Document, Effect, Statement};
use crate::evaluate::{Attached, Call, Policies, Request, Scan, with_request};
use crate::explain::{Layer, Reason};
use crate::principal::Grant;

/// What one policy says of a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding<'a> {
    /// The type of the policy.
    pub layer: Layer,
    /// The level of a control policy, from the root of the organization, which is 0, to the account.
    pub level: Option<usize>,
    /// The policy's ARN or name, as attached.
    pub source: &'a str,
    /// What it says.
    pub verdict: Verdict,
    /// The statements that name the action, whether or not they apply.
    pub statements: Vec<Examined<'a>>,
}

/// What a policy says of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Verdict {
    /// A statement denies.
    Denies,
    /// A statement allows.
    Allows,
    /// A statement of a resource policy allows the caller's account, whose identity policies decide.
    Delegates,
    /// No statement applies.
    Silent,
}

impl Verdict {
    /// The verdict in one word or two.
    pub fn name(self) -> &'static str {
        match self {
            Verdict::Denies => "denies",
            Verdict::Allows => "allows",
            Verdict::Delegates => "leaves it to the account",
            Verdict::Silent => "does not allow",
        }
    }
}

/// A statement that names the action.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Examined<'a> {
    /// The statement's Sid.
    pub sid: Option<&'a str>,
    /// The statement's place in its document, from 0.
    pub index: usize,
    /// Whether it would allow or deny.
    pub effect: Effect,
    /// Why it does not apply; none if it does.
    pub miss: Option<Miss<'a>>,
    /// The keys of its conditions, in lower case.
    pub keys: Vec<&'a str>,
}

/// Why a statement that names the action does not apply to a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Miss<'a> {
    /// It does not name the caller.
    Principal,
    /// It does not name the resource.
    Resource,
    /// The call does not meet a condition.
    Condition {
        /// The operator as written.
        operator: &'a str,
        /// The key in lower case.
        key: &'a str,
    },
}

impl std::fmt::Display for Miss<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Miss::Principal => f.write_str("it does not name the caller"),
            Miss::Resource => f.write_str("it does not name the resource"),
            Miss::Condition { operator, key } => {
                write!(f, "its condition {operator} of {key} is not met")
            }
        }
    }
}

/// A layer whose allow is missing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Need {
    /// The type of policy that must allow.
    pub layer: Layer,
    /// The level of a control policy.
    pub level: Option<usize>,
}

/// What each of the policies says of the call, in the order in which AWS looks at them.
pub fn trace<'a>(call: &Call<'_>, policies: &Policies<'a>) -> Vec<Finding<'a>> {
    with_request(call, policies, |request, _| {
        let mut findings = Vec::new();
        let mut look = |layer, level, attached: &[Attached<'a>]| {
            findings.extend(attached.iter().map(|policy| finding(request, layer, level, policy)));
        };
        for (level, policies) in policies.rcps.iter().enumerate() {
            look(Layer::ResourceControlPolicy, Some(level), policies);
        }
        if call.principal.has_account() {
            for (level, policies) in policies.scps.iter().enumerate() {
                look(Layer::ServiceControlPolicy, Some(level), policies);
            }
        }
        if let Some(side) = &policies.resource {
            let layer = policies.resource_layer();
            look(layer, None, side.policy.as_slice());
            look(layer, None, side.grants);
        }
        look(Layer::IdentityPolicy, None, policies.identity);
        look(Layer::PermissionsBoundary, None, policies.boundary.as_slice());
        look(Layer::SessionPolicy, None, policies.session);
        findings
    })
}

/// What would have to allow beside what does, if nothing denied; empty if nothing is missing.
pub fn needs(call: &Call<'_>, policies: &Policies<'_>) -> Vec<Need> {
    with_request(call, policies, |request, same_account| {
        let request = Request { ignores_denies: true, ..*request };
        let mut needs = Vec::new();
        let Ok(mut scan) = Scan::of(&request, policies) else { return needs };
        // Each round either supplies a layer that was missing or is the last one.
        loop {
            let verdict = scan.decide(call.principal, policies, same_account);
            if verdict.reason != Reason::ImplicitDeny {
                return needs;
            }
            let layer = verdict.layer;
            let levels = match layer {
                Layer::ServiceControlPolicy => Some(policies.scps),
                Layer::ResourceControlPolicy => Some(policies.rcps),
                _ => None,
            };
            match levels {
                Some(levels) => needs.extend(
                    levels
                        .iter()
                        .enumerate()
                        .filter(|(_, level)| !matches!(request.scan(layer, level), Ok(Some(_))))
                        .map(|(level, _)| Need { layer, level: Some(level) }),
                ),
                None => needs.push(Need { layer, level: None }),
            }
            scan.supply(layer);
        }
    })
}

/// The values of a condition key as evaluation sees them, whether they come with the request or follow from the caller.
pub fn values(call: &Call<'_>, policies: &Policies<'_>, key: &str) -> Option<Vec<String>> {
    with_request(call, policies, |request, _| {
        Some(match request.facts.values(&key.to_lowercase())? {
            Values::One(value) => vec![value.into_owned()],
            Values::Many(values) => values.into_owned(),
        })
    })
}

fn finding<'a>(
    request: &Request<'_>,
    layer: Layer,
    level: Option<usize>,
    policy: &Attached<'a>,
) -> Finding<'a> {
    let document: &'a Document = policy.document;
    let mut verdict = Verdict::Silent;
    let mut statements = Vec::new();
    for (index, statement) in document.statements.iter().enumerate() {
        let Some((grant, miss)) = examine(request, statement) else { continue };
        if miss.is_none() {
            verdict = match (statement.effect, grant) {
                (Effect::Deny, _) => Verdict::Denies,
                (Effect::Allow, _) if verdict == Verdict::Denies => verdict,
                (Effect::Allow, Grant::Account) if verdict != Verdict::Allows => Verdict::Delegates,
                (Effect::Allow, _) => Verdict::Allows,
            };
        }
        let (sid, effect) = (statement.sid.as_deref(), statement.effect);
        let keys = statement.conditions.iter().map(Condition::key).collect();
        statements.push(Examined { sid, index, effect, miss, keys });
    }
    Finding { layer, level, source: policy.source, verdict, statements }
}

/// How a statement that names the action meets the call; none if it does not name the action.
fn examine<'a>(
    request: &Request<'_>,
    statement: &'a Statement,
) -> Option<(Grant, Option<Miss<'a>>)> {
    if !request.names_action(statement) {
        return None;
    }
    let grant = request.grant(statement);
    let unmet = || statement.conditions.iter().find(|condition| !condition.holds(&request.facts));
    let miss = if grant == Grant::None {
        Some(Miss::Principal)
    } else if !request.names_resource(statement) {
        Some(Miss::Resource)
    } else {
        unmet().map(|condition| Miss::Condition {
            operator: condition.operator(),
            key: condition.key(),
        })
    };
    Some((grant, miss))
}
