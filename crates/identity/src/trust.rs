//! Trust policies: whom they name, and who may assume a role.
//!
//! As AWS does, a trust policy that names a user or role means that very one and no later namesake: evaluation sees
//! its unique id, and once it is deleted readers of the policy see the id as well.

use std::borrow::Cow;

use fogbank_core::policy::{
    Caller, Document, Explanation, PrincipalType, Reason, ResourcePolicyMode,
};
use fogbank_core::store::{Error, Read};
use fogbank_core::{Fault, PrincipalKind, Request, ResourcePolicy};
use serde_json::Value;

use crate::decisions::{self, Outcome, Question};
use crate::identities::Identities;
use crate::rows::{self, Role};
use crate::target::Target;

/// The users and roles that a trust policy names, as ARN and unique id; or the first that does not exist, as the
/// message of MalformedPolicyDocument has it.
pub fn trusted(
    rows: &dyn Read,
    document: &Document,
) -> Result<Result<Vec<(String, String)>, String>, Error> {
    let mut trusted = Vec::new();
    for (kind, text) in document.principals() {
        if kind != PrincipalType::Aws {
            continue;
        }
        let is_entity = text.strip_prefix("arn:aws:iam::").is_some_and(|rest| {
            rest.split_once(':').is_some_and(|(_, resource)| resource != "root")
        });
        let is_id = text.starts_with("AIDA") || text.starts_with("AROA");
        if is_entity {
            match rows::id_of_arn(rows, text)? {
                Some(id) => trusted.push((text.to_owned(), id)),
                None => return Ok(Err(invalid(text))),
            }
        } else if is_id && rows::arn_of_id(rows, text)?.is_none() {
            return Ok(Err(invalid(text)));
        }
    }
    Ok(Ok(trusted))
}

fn invalid(principal: &str) -> String {
    format!("Invalid principal in policy: \"AWS\":\"{principal}\"")
}

/// The trust policy as readers see it: deleted principals appear as their unique ids, renamed ones with their new ARN.
pub fn shown(rows: &dyn Read, role: &Role) -> Result<String, Error> {
    let mut changes = Vec::new();
    for (arn, id) in &role.trusted {
        let now = rows::arn_of_id(rows, id)?.unwrap_or_else(|| id.clone());
        if now != *arn {
            changes.push((arn.clone(), now));
        }
    }
    Ok(replaced(&role.trust, &changes).into_owned())
}

/// Refuses with AWS's message unless the caller of `request` may do `action` (`sts:AssumeRole`, `sts:TagSession`) on
/// the role. `keys` are the condition keys of the call, such as `sts:ExternalId`.
pub fn decide(
    identities: &Identities,
    rows: &dyn Read,
    request: &Request,
    action: &str,
    (account, role): (&str, &Role),
    keys: &[(Cow<'static, str>, Vec<String>)],
) -> Result<(), Fault> {
    if request.principal.kind == PrincipalKind::Root && identities.is_server() {
        // A developer's machine knows hardly anybody but the root, so that it is let through there.
        return Err(Fault::access_denied("Roles may not be assumed by root accounts."));
    }
    refuse_closed(identities, rows, request, action, (account, role))?;
    asked(identities, request, action, (account, role), keys, |question, _| {
        let outcome =
            identities.evaluate(rows, question, |call, explanation| match explanation.reason {
                Reason::ExplicitDeny => Fault::access_denied(
                    explanation.access_denied_message(call, Default::default()),
                ),
                Reason::ImplicitDeny | Reason::Allowed => {
                    refusal(request, action, question.resource).because(text(explanation))
                }
            })?;
        identities.observed.note(request, action, question.resource, outcome == Outcome::Warned);
        Ok(())
    })
}

/// Whether somebody whom an identity provider of the role's account vouches for may do `action`
/// (`sts:AssumeRoleWithWebIdentity`, `sts:AssumeRoleWithSAML`, `sts:TagSession`) on the role: its trust policy alone
/// decides, since there is no caller yet.
pub fn allows_federated(
    identities: &Identities,
    rows: &dyn Read,
    request: &Request,
    action: &str,
    (account, role): (&str, &Role),
    provider_arn: &str,
    keys: &[(Cow<'static, str>, Vec<String>)],
) -> Result<bool, Fault> {
    refuse_closed(identities, rows, request, action, (account, role))?;
    let caller = Caller::web_identity(provider_arn);
    asked(identities, request, action, (account, role), keys, |question, document| {
        Ok(decisions::allows(question, &caller, document))
    })
}

/// Nobody acts in an account that was closed.
fn refuse_closed(
    identities: &Identities,
    rows: &dyn Read,
    request: &Request,
    action: &str,
    (account, role): (&str, &Role),
) -> Result<(), Fault> {
    match identities.is_closed(rows, account)? {
        true => Err(refusal(request, action, &role.arn(account))),
        false => Ok(()),
    }
}

/// Puts the question whether `action` may be done on the role, which its trust policy must allow.
fn asked<T>(
    identities: &Identities,
    request: &Request,
    action: &str,
    (account, role): (&str, &Role),
    keys: &[(Cow<'static, str>, Vec<String>)],
    answer: impl FnOnce(&Question<'_>, &Document) -> Result<T, Fault>,
) -> Result<T, Fault> {
    let document = identities.trust(&replaced(&role.trust, &role.trusted))?;
    let policy = ResourcePolicy {
        mode: ResourcePolicyMode::Trust,
        ..ResourcePolicy::new(account, Some(document.clone()))
    };
    let resource = role.arn(account);
    let target = Target { arn: resource.clone(), tags: role.tags.clone(), boundary: None };
    let question = Question {
        request,
        shared: None,
        action,
        resource: &resource,
        keys,
        policy: Some(&policy),
        resource_tags: None,
        target: Some(&target),
    };
    answer(&question, &document)
}

/// How STS refuses: it does not tell which side did not allow, nor whether the role exists.
pub fn refusal(request: &Request, action: &str, role_arn: &str) -> Fault {
    let who = &request.principal.arn;
    Fault::access_denied(format!(
        "User: {who} is not authorized to perform: {action} on resource: {role_arn}"
    ))
}

fn text(explanation: &Explanation<'_>) -> String {
    explanation.to_string()
}

/// The document with some `AWS` principals replaced.
fn replaced<'a>(text: &'a str, changes: &[(String, String)]) -> Cow<'a, str> {
    if changes.is_empty() {
        return Cow::Borrowed(text);
    }
    let Ok(mut document) = serde_json::from_str::<Value>(text) else { return Cow::Borrowed(text) };
    let statements: &mut [Value] = match document.get_mut("Statement") {
        Some(Value::Array(statements)) => statements,
        Some(statement) => std::slice::from_mut(statement),
        None => &mut [],
    };
    for statement in statements {
        let Some(principals) = statement.get_mut("Principal").and_then(|all| all.get_mut("AWS"))
        else {
            continue;
        };
        let principals: &mut [Value] = match principals {
            Value::Array(principals) => principals,
            principal => std::slice::from_mut(principal),
        };
        for principal in principals {
            let change = changes.iter().find(|(from, _)| principal.as_str() == Some(from.as_str()));
            if let Some((_, to)) = change {
                *principal = Value::String(to.clone());
            }
        }
    }
    Cow::Owned(document.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn replaces_only_principals() {
        let text = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":["arn:aws:iam::000000000000:user/ann","111122223333"]},"Action":"sts:AssumeRole","Condition":{"ArnEquals":{"aws:PrincipalArn":"arn:aws:iam::000000000000:user/ann"}}}]}"#;
        let changes = [("arn:aws:iam::000000000000:user/ann".to_owned(), "AIDAX".to_owned())];
        let changed: Value = serde_json::from_str(&replaced(text, &changes)).expect("JSON");
        let statement = &changed["Statement"][0];
        assert_eq!(statement["Principal"]["AWS"], serde_json::json!(["AIDAX", "111122223333"]));
        assert_eq!(
            statement["Condition"]["ArnEquals"]["aws:PrincipalArn"],
            "arn:aws:iam::000000000000:user/ann"
        );
        assert_eq!(replaced(text, &[]), text);
        assert_eq!(replaced("garbage", &changes), "garbage");
    }
}
