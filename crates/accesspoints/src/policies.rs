//! What policies of buckets and access points may say, and which of them S3 calls public.

use fogbank_core::policy::Document;
use serde_json::Value;

/// Refuses, with S3's words, a policy that says nothing of resources, or speaks of others than the bucket or access point
/// with this ARN and what is in it, or of actions that are not S3's.
pub fn check(document: &Document, arn: &str) -> Result<(), &'static str> {
    if document.lacks_resources() {
        return Err("Missing required field Resource");
    }
    let is_here = |resource: &str| {
        resource
            .strip_prefix(arn)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with(['/', '*', '?']))
    };
    if !document.resources().all(is_here) {
        return Err("Policy has invalid resource");
    }
    let is_ours = |action: &str| action == "*" || action.to_ascii_lowercase().starts_with("s3:");
    if !document.actions().all(is_ours) {
        return Err("Policy has invalid action");
    }
    Ok(())
}

/// The same for a directory bucket or an access point of one, whose policies allow sessions and nothing else.
pub fn check_directory(document: &Document, arn: &str) -> Result<(), &'static str> {
    const ACTIONS: [&str; 3] = ["s3express:createsession", "s3express:*", "*"];
    if document.lacks_resources() {
        return Err("Missing required field Resource");
    }
    if !document.resources().all(|resource| resource == arn) {
        return Err("Policy has invalid resource");
    }
    if !document.actions().all(|action| ACTIONS.contains(&&*action.to_ascii_lowercase())) {
        return Err("Policy has invalid action");
    }
    Ok(())
}

/// Whether a policy allows something to everybody, and no condition names who is meant.
pub fn is_public(policy: &str) -> bool {
    let Ok(policy) = serde_json::from_str::<Value>(policy) else { return false };
    statements(&policy["Statement"]).any(|statement| {
        statement["Effect"] == "Allow"
            && is_everybody(&statement["Principal"])
            && !names_somebody(&statement["Condition"])
    })
}

pub(crate) fn statements(value: &Value) -> impl Iterator<Item = &Value> {
    match value {
        Value::Array(statements) => statements.iter(),
        one => std::slice::from_ref(one).iter(),
    }
}

fn is_everybody(principal: &Value) -> bool {
    match principal {
        Value::String(name) => name == "*",
        Value::Object(kinds) => {
            kinds.get("AWS").is_some_and(|aws| texts(aws).any(|arn| arn == "*"))
        }
        _ => false,
    }
}

pub(crate) fn texts(value: &Value) -> impl Iterator<Item = &str> {
    statements(value).filter_map(Value::as_str)
}

/// Whether a condition narrows the callers to fixed values of a key that S3 counts as naming them.
fn names_somebody(condition: &Value) -> bool {
    const KEYS: [&str; 12] = [
        "aws:principalaccount",
        "aws:principalarn",
        "aws:principalorgid",
        "aws:principalorgpaths",
        "aws:sourceaccount",
        "aws:sourcearn",
        "aws:sourceip",
        "aws:sourceowner",
        "aws:sourcevpc",
        "aws:sourcevpce",
        "aws:userid",
        "s3:dataaccesspointaccount",
    ];
    let Value::Object(operators) = condition else { return false };
    operators.iter().filter(|(operator, _)| !operator.contains("Not")).any(|(_, keys)| {
        keys.as_object().is_some_and(|keys| {
            keys.iter().any(|(key, values)| {
                KEYS.contains(&&*key.to_ascii_lowercase())
                    && texts(values).next().is_some()
                    && texts(values).all(|value| value != "*" && !value.ends_with("/0"))
            })
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn policy(principal: &str, condition: &str) -> String {
        format!(
            r#"{{"Version":"2012-10-17","Statement":[{{"Effect":"Allow","Principal":{principal},"Action":"s3:GetObject","Resource":"arn:aws:s3:::b/*"{condition}}}]}}"#
        )
    }

    #[test]
    fn public_is_what_everybody_may() {
        let with = |condition: &str| format!(r#","Condition":{condition}"#);
        assert!(is_public(&policy("\"*\"", "")));
        assert!(is_public(&policy(r#"{"AWS":["*"]}"#, "")));
        assert!(!is_public(&policy(r#"{"AWS":"arn:aws:iam::111111111111:root"}"#, "")));
        assert!(!is_public(&policy(r#"{"Service":"sns.amazonaws.com"}"#, "")));
        let narrow = with(r#"{"StringEquals":{"aws:SourceAccount":"111111111111"}}"#);
        assert!(!is_public(&policy("\"*\"", &narrow)));
        let wide = with(r#"{"IpAddress":{"aws:SourceIp":"0.0.0.0/0"}}"#);
        assert!(is_public(&policy("\"*\"", &wide)));
        let other = with(r#"{"StringEquals":{"s3:prefix":"a"}}"#);
        assert!(is_public(&policy("\"*\"", &other)));
        assert!(!is_public("nonsense"));
    }
}
