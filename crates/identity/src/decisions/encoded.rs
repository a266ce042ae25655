//! Encoded authorization messages: what EC2's refusals carry and `sts:DecodeAuthorizationMessage` reads.
//!
//! A message is sealed with the root key, so that whoever is refused learns of policies only what the operation, which
//! has a permission of its own, tells.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use fogbank_core::Cloud;
use fogbank_core::policy::{Reason, evaluate, trace};
use serde_json::{Value, json};

use super::kept::Decided;

/// The use of the root key.
const PLACE: &[u8] = b"sts.authorization-message";

/// Encodes a message.
pub fn encode(cloud: &Cloud, message: &str) -> String {
    URL_SAFE_NO_PAD.encode(cloud.root_key().seal(cloud.ids(), PLACE, message.as_bytes()))
}

/// Decodes a message; none if this cloud did not encode it.
pub fn decode(cloud: &Cloud, encoded: &str) -> Option<String> {
    let sealed = URL_SAFE_NO_PAD.decode(encoded).ok()?;
    let message = cloud.root_key().open(PLACE, &sealed).ok()?;
    String::from_utf8(message.to_vec()).ok()
}

/// A decision in the form of AWS's messages.
pub(super) fn message(decided: &Decided) -> Value {
    decided.with_question(|question, facts| {
        decided.standing.with_policies(question, facts, |call, policies| {
            let explanation = evaluate(call, policies).explanation;
            let findings = trace(call, policies);
            let applied = findings.iter().flat_map(|finding| &finding.statements);
            let matched: Vec<Value> = applied
                .filter(|examined| examined.miss.is_none())
                .map(|examined| {
                    let effect = format!("{:?}", examined.effect).to_uppercase();
                    json!({ "statementId": examined.sid.unwrap_or_default(), "effect": effect })
                })
                .collect();
            let keys = question.keys.iter().map(|(key, values)| {
                let values: Vec<Value> =
                    values.iter().map(|value| json!({ "value": value })).collect();
                json!({ "key": key, "values": { "items": values } })
            });
            let caller = call.principal;
            let name = caller.arn.rsplit(['/', ':']).next().unwrap_or_default();
            json!({
                "allowed": explanation.reason == Reason::Allowed,
                "explicitDeny": explanation.reason == Reason::ExplicitDeny,
                "matchedStatements": { "items": matched },
                "failures": { "items": [] },
                "context": {
                    "principal": { "id": caller.user_id, "name": name, "arn": caller.arn },
                    "action": call.action,
                    "resource": call.resource,
                    "conditions": { "items": keys.collect::<Vec<_>>() },
                },
            })
        })
    })
}
