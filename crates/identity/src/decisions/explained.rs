//! A decision in words: what was asked, what each policy says of it, what decided, and what would have to change.

use fogbank_core::policy::{
    Call, Effect, Examined, Explanation, Finding, Layer, Need, Policies, Reason, Verdict, evaluate,
    needs, trace, values,
};
use fogbank_core::{PrincipalKind, Request, Timestamp};
use serde_json::{Map, Value, json};

use super::kept::Decided;
use super::passed::Passed;
use super::{Outcome, messages};

/// The keys of AWS that an explanation shows where the request has them, besides those that conditions ask for.
const SHOWN: [&str; 29] = [
    "aws:PrincipalArn",
    "aws:PrincipalAccount",
    "aws:PrincipalType",
    "aws:PrincipalOrgID",
    "aws:PrincipalServiceName",
    "aws:userid",
    "aws:username",
    "aws:SourceIp",
    "aws:SecureTransport",
    "aws:RequestedRegion",
    "aws:CurrentTime",
    "aws:EpochTime",
    "aws:UserAgent",
    "aws:Referer",
    "aws:ResourceAccount",
    "aws:SourceArn",
    "aws:SourceAccount",
    "aws:CalledVia",
    "aws:CalledViaFirst",
    "aws:CalledViaLast",
    "aws:ViaAWSService",
    "aws:TokenIssueTime",
    "aws:MultiFactorAuthPresent",
    "aws:MultiFactorAuthAge",
    "aws:SourceIdentity",
    "aws:FederatedProvider",
    "aws:AssumedRoot",
    "lambda:SourceFunctionArn",
    "aws:PrincipalIsAWSService",
];

/// The explanation of a decision, as JSON.
pub(super) fn explain(decided: &Decided) -> Value {
    let request = &*decided.request;
    let outcome = match decided.outcome {
        Outcome::Allowed | Outcome::Open => "allowed",
        Outcome::Denied => "denied",
        Outcome::Warned => "answered, though AWS would deny it",
    };
    let mut explained = json!({
        "request_id": request.id,
        "time": time(request.now),
        "service": request.service,
        "operation": request.operation,
        "region": request.region,
        "outcome": outcome,
        "caller": caller(request),
        "action": decided.action,
        "resource": decided.resource,
    });
    decided.with_question(|question, facts| {
        decided.standing.with_policies(question, facts, |call, policies| {
            let explanation = evaluate(call, policies).explanation;
            let findings = trace(call, policies);
            explained["sentence"] = explanation.to_string().into();
            explained["decided_by"] = decided_by(&explanation);
            explained["context"] = context(decided, call, policies, &findings);
            explained["policies"] = findings.iter().map(policy).collect();
            if explanation.reason == Reason::Allowed {
                return;
            }
            if !decided.is_of_trust() {
                explained["message"] = messages::refusal(call, &explanation).into();
            }
            let denies = findings.iter().flat_map(denying).collect::<Vec<_>>();
            if !denies.is_empty() {
                explained["denied_by"] = denies.into();
            }
            let needs = needs(call, policies);
            explained["missing"] = needs.iter().map(|need| missing(need, decided, call)).collect();
        });
    });
    explained
}

/// The explanation of a decision in which no policy took part.
pub(super) fn explain_passed(passed: &Passed) -> Value {
    json!({
        "request_id": passed.request_id(),
        "time": time(passed.now),
        "service": passed.service,
        "operation": passed.operation,
        "region": passed.region(),
        "outcome": "allowed",
        "caller": called(passed.caller(), passed.account(), passed.access_key_id(), passed.role()),
        "action": passed.action(),
        "resource": passed.resource(),
        "sentence": passed.why,
    })
}

fn time(now: Timestamp) -> String {
    let time = jiff::Timestamp::from_millisecond(now.millis()).unwrap_or_default();
    format!("{time:.3}")
}

fn caller(request: &Request) -> Value {
    let principal = &request.principal;
    let role = match &principal.kind {
        PrincipalKind::Role { role_arn, .. } => role_arn,
        _ => "",
    };
    let key = principal.access_key_id.as_deref().unwrap_or_default();
    called(&principal.arn, &principal.account, key, role)
}

/// A caller, with what of it there is.
fn called(arn: &str, account: &str, access_key_id: &str, role: &str) -> Value {
    let mut caller = json!({ "arn": arn });
    for (name, value) in [("account", account), ("access_key_id", access_key_id), ("role", role)] {
        if !value.is_empty() {
            caller[name] = value.into();
        }
    }
    caller
}

fn decided_by(explanation: &Explanation<'_>) -> Value {
    let reason = match explanation.reason {
        Reason::Allowed => "allow",
        Reason::ExplicitDeny => "explicit deny",
        Reason::ImplicitDeny => "implicit deny",
    };
    let mut decided_by = json!({ "reason": reason, "policy_type": explanation.layer.name() });
    if let Some(statement) = explanation.statement {
        decided_by["policy"] = statement.source.into();
        decided_by["statement"] = (statement.index + 1).into();
        decided_by["sid"] = statement.sid.into();
    }
    decided_by
}

/// The condition keys: those that are always shown, the service's, the tags, and those that conditions asked for. A key
/// that a condition asked for and the request does not have is null.
fn context(
    decided: &Decided,
    call: &Call<'_>,
    policies: &Policies<'_>,
    findings: &[Finding<'_>],
) -> Value {
    let mut keys: Vec<(String, bool)> =
        SHOWN.iter().map(|key| ((*key).to_owned(), false)).collect();
    let of_service = decided.with_question(|question, _| {
        question.keys.iter().map(|(key, _)| key.to_string()).collect::<Vec<_>>()
    });
    keys.extend(of_service.into_iter().map(|key| (key, false)));
    let session = decided.request.principal.session.as_deref();
    let session = session.map(|session| session.tags.as_slice()).unwrap_or_default();
    let tags = session.iter().chain(decided.standing.tags());
    keys.extend(tags.map(|(tag, _)| (format!("aws:PrincipalTag/{tag}"), false)));
    let asked = findings.iter().flat_map(|finding| &finding.statements);
    keys.extend(asked.flat_map(|examined| &examined.keys).map(|key| ((*key).to_owned(), true)));
    let mut context = Map::new();
    for (key, is_asked) in keys {
        if context.keys().any(|known: &String| known.eq_ignore_ascii_case(&key)) {
            continue;
        }
        match values(call, policies, &key) {
            Some(values) => context.insert(key, values.into()),
            None if is_asked => context.insert(key, Value::Null),
            None => None,
        };
    }
    Value::Object(context)
}

fn policy(finding: &Finding<'_>) -> Value {
    let mut policy = json!({
        "type": finding.layer.name(),
        "policy": finding.source,
        "verdict": finding.verdict.name(),
    });
    if let Some(level) = finding.level {
        policy["level"] = level.into();
    }
    if !finding.statements.is_empty() {
        policy["statements"] = finding.statements.iter().map(statement).collect();
    }
    policy
}

fn statement(examined: &Examined<'_>) -> Value {
    let effect = effect(examined.effect);
    let mut statement = json!({ "statement": examined.index + 1, "effect": effect });
    if let Some(sid) = examined.sid.filter(|sid| !sid.is_empty()) {
        statement["sid"] = sid.into();
    }
    statement["applies"] = examined.miss.is_none().into();
    if let Some(miss) = &examined.miss {
        statement["because"] = miss.to_string().into();
    }
    statement
}

fn effect(effect: Effect) -> &'static str {
    match effect {
        Effect::Allow => "Allow",
        Effect::Deny => "Deny",
    }
}

/// The statements of a policy that deny.
fn denying(finding: &Finding<'_>) -> Vec<Value> {
    let denies = |examined: &&Examined<'_>| {
        finding.verdict == Verdict::Denies
            && examined.effect == Effect::Deny
            && examined.miss.is_none()
    };
    let named = |examined: &Examined<'_>| {
        json!({
            "policy_type": finding.layer.name(),
            "policy": finding.source,
            "statement": examined.index + 1,
            "sid": examined.sid,
        })
    };
    finding.statements.iter().filter(denies).map(named).collect()
}

/// The smallest statement that would make a layer allow the call, and where it belongs.
fn missing(need: &Need, decided: &Decided, call: &Call<'_>) -> Value {
    let (action, resource) = (call.action, call.resource);
    let mut statement = json!({ "Effect": "Allow", "Action": action, "Resource": resource });
    let principal = || match &decided.request.principal.kind {
        PrincipalKind::Anonymous => json!("*"),
        PrincipalKind::Service { name } => json!({ "Service": name }),
        _ => json!({ "AWS": call.principal.principal_arn() }),
    };
    let who = call.principal.principal_arn();
    let place = match need.layer {
        Layer::ResourcePolicy => {
            statement["Principal"] = principal();
            format!("the policy of {resource}")
        }
        Layer::TrustPolicy => {
            statement = json!({ "Effect": "Allow", "Action": action, "Principal": principal() });
            format!("the trust policy of {resource}")
        }
        Layer::ResourceControlPolicy => {
            statement["Principal"] = "*".into();
            level("resource control", need.level)
        }
        Layer::ServiceControlPolicy => level("service control", need.level),
        Layer::PermissionsBoundary => format!("the permissions boundary of {who}"),
        Layer::SessionPolicy => format!("the session policy of {}", call.principal.arn),
        Layer::IdentityPolicy | Layer::AccountRoot => format!("a policy of {who}"),
    };
    json!({ "policy_type": need.layer.name(), "in": place, "statement": statement })
}

fn level(kind: &str, level: Option<usize>) -> String {
    let level = match level {
        Some(0) => "the root".to_owned(),
        Some(level) => format!("level {level} below the root"),
        None => "a level".to_owned(),
    };
    format!("a {kind} policy at {level} of the organization")
}
