//! Parameter policies: when a parameter expires, and when somebody is to hear of it.

use jiff::Timestamp;
use serde_json::Value;

use crate::error::Error;
use crate::store::Policy;

/// How many policies a parameter has at most.
const MAX: usize = 10;
const EXPIRATION: &str = "Expiration";
const BEFORE: &str = "ExpirationNotification";
const NO_CHANGE: &str = "NoChangeNotification";

/// Reads the policies of a request; none is left if it is empty. AWS's words for refusals are not known.
pub(crate) fn parse(text: &str, modified_millis: i64) -> Result<Vec<Policy>, Error> {
    let malformed = || {
        let message = "The parameter policies must be a JSON array of policies.";
        Error::InvalidPolicyAttributeException(message.to_owned())
    };
    let all: Vec<Value> = serde_json::from_str(text).map_err(|_| malformed())?;
    let all: Vec<&Value> = all
        .iter()
        .filter(|policy| policy.as_object().is_none_or(|fields| !fields.is_empty()))
        .collect();
    if all.len() > MAX {
        return Err(Error::PoliciesLimitExceededException(format!(
            "You specified more than the maximum number of allowed policies for the parameter. The maximum is {MAX}."
        )));
    }
    let mut expires = None;
    for policy in &all {
        let kind = policy["Type"].as_str().unwrap_or_default();
        if ![EXPIRATION, BEFORE, NO_CHANGE].contains(&kind) {
            return Err(Error::InvalidPolicyTypeException(format!(
                "The policy type isn't supported: {kind}. Parameter Store supports the following policy types: \
                 Expiration, ExpirationNotification, and NoChangeNotification."
            )));
        }
        if kind == EXPIRATION && expires.replace(expiration(policy)?).is_some() {
            let message = "There is a conflict in the policies specified for this parameter. You can't specify two \
                           Expiration policies for a parameter.";
            return Err(Error::IncompatiblePolicyException(message.to_owned()));
        }
    }
    all.iter().map(|policy| read(policy, expires, modified_millis)).collect()
}

fn read(policy: &Value, expires: Option<i64>, modified_millis: i64) -> Result<Policy, Error> {
    let kind = policy["Type"].as_str().unwrap_or_default();
    let at_millis = match kind {
        EXPIRATION => expires.unwrap_or_default(),
        BEFORE => {
            let expires = expires.ok_or_else(|| {
                let message = "An ExpirationNotification policy needs an Expiration policy.";
                Error::IncompatiblePolicyException(message.to_owned())
            })?;
            expires - span(policy, "Before")?
        }
        _ => modified_millis + span(policy, "After")?,
    };
    Ok(Policy { kind: kind.to_owned(), text: policy.to_string(), at_millis, is_done: false })
}

fn expiration(policy: &Value) -> Result<i64, Error> {
    let text = policy["Attributes"]["Timestamp"].as_str().unwrap_or_default();
    let time: Result<Timestamp, _> = text.parse();
    time.map(Timestamp::as_millisecond).map_err(|_| attribute("Timestamp"))
}

fn span(policy: &Value, name: &str) -> Result<i64, Error> {
    let attributes = &policy["Attributes"];
    let number = match &attributes[name] {
        Value::String(text) => text.parse::<i64>().ok(),
        other => other.as_i64(),
    };
    let number = number.filter(|number| (0..=100_000).contains(number));
    let number = number.ok_or_else(|| attribute(name))?;
    match attributes["Unit"].as_str().map(str::to_lowercase).as_deref() {
        Some("days") => Ok(number * 24 * 3_600_000),
        Some("hours") => Ok(number * 3_600_000),
        _ => Err(attribute("Unit")),
    }
}

fn attribute(name: &str) -> Error {
    Error::InvalidPolicyAttributeException(format!(
        "The policy attribute {name} or its value is invalid."
    ))
}

/// Begins the time without a change anew.
pub(crate) fn changed(policies: &mut [Policy], modified_millis: i64) {
    for policy in policies.iter_mut().filter(|policy| policy.kind == NO_CHANGE) {
        let read: Option<Value> = serde_json::from_str(&policy.text).ok();
        if let Some(span) = read.and_then(|policy| span(&policy, "After").ok()) {
            policy.at_millis = modified_millis + span;
            policy.is_done = false;
        }
    }
}

/// Whether the parameter goes when the policy acts.
pub(crate) fn expires(policy: &Policy) -> bool {
    policy.kind == EXPIRATION
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: i64 = 24 * 3_600_000;

    #[test]
    fn policies_act_at_their_times() {
        let text = r#"[
            {"Type": "Expiration", "Version": "1.0", "Attributes": {"Timestamp": "2026-01-11T00:00:00.000Z"}},
            {"Type": "ExpirationNotification", "Version": "1.0", "Attributes": {"Before": "2", "Unit": "Days"}},
            {"Type": "NoChangeNotification", "Version": "1.0", "Attributes": {"After": "5", "Unit": "Hours"}}
        ]"#;
        let now = 1_767_225_600_000;
        let mut policies = parse(text, now).expect("policies");
        let at = |policies: &[Policy]| -> Vec<i64> {
            policies.iter().map(|policy| policy.at_millis - now).collect()
        };
        assert_eq!(at(&policies), [10 * DAY, 8 * DAY, 5 * 3_600_000]);
        policies[2].is_done = true;
        changed(&mut policies, now + DAY);
        assert_eq!(at(&policies), [10 * DAY, 8 * DAY, DAY + 5 * 3_600_000]);
        assert!(!policies[2].is_done);
        assert!(parse("[{}]", now).expect("none").is_empty());
    }

    #[test]
    fn what_cannot_act_is_refused() {
        let refused = |text: &str| parse(text, 0).expect_err(text).name().to_owned();
        assert_eq!(refused("{}"), "InvalidPolicyAttributeException");
        assert_eq!(refused(r#"[{"Type": "Other"}]"#), "InvalidPolicyTypeException");
        assert_eq!(refused(r#"[{"Type": "Expiration"}]"#), "InvalidPolicyAttributeException");
        let alone = r#"[{"Type": "ExpirationNotification", "Attributes": {"Before": "1", "Unit": "Days"}}]"#;
        assert_eq!(refused(alone), "IncompatiblePolicyException");
        let unit =
            r#"[{"Type": "NoChangeNotification", "Attributes": {"After": "1", "Unit": "Years"}}]"#;
        assert_eq!(refused(unit), "InvalidPolicyAttributeException");
        let many = format!("[{}]", [r#"{"Type": "x"}"#; 11].join(","));
        assert_eq!(refused(&many), "PoliciesLimitExceededException");
    }
}
