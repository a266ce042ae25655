//! Names and ARNs of buses, rules and what else has one.

use fogbank_core::{Arn, Request, arn};

use crate::error::Error;

/// The bus that every account has in every region.
pub(crate) const DEFAULT: &str = "default";

/// Account, region and name of a bus.
pub(crate) type BusKey = (String, String, String);
/// Account, region, name of the bus and name of the rule.
pub(crate) type RuleKey = (String, String, String, String);

/// Account, region and name of what else has a name.
pub(crate) type NamedKey = (String, String, String);

/// The bus that a parameter names, by its name or ARN.
pub(crate) fn bus(request: &Request, given: Option<&str>) -> BusKey {
    let given = given.unwrap_or(DEFAULT);
    if let Some(key) = bus_of_arn(given) {
        return key;
    }
    (request.account.clone(), request.region.clone(), given.to_owned())
}

/// The bus with this ARN, if it is a bus's.
pub(crate) fn bus_of_arn(text: &str) -> Option<BusKey> {
    let arn = Arn::parse(text).filter(|arn| arn.service == "events")?;
    let name = arn.resource.strip_prefix("event-bus/")?;
    Some((arn.account.to_owned(), arn.region.to_owned(), name.to_owned()))
}

/// A bus's ARN.
pub(crate) fn bus_arn((account, region, name): &BusKey) -> String {
    arn::arn("events", region, account, format_args!("event-bus/{name}"))
}

/// A rule's ARN, in which the default bus is not named.
pub(crate) fn rule_arn((account, region, bus, rule): &RuleKey) -> String {
    match bus.as_str() {
        DEFAULT => arn::arn("events", region, account, format_args!("rule/{rule}")),
        bus => arn::arn("events", region, account, format_args!("rule/{bus}/{rule}")),
    }
}

/// The rule with this ARN, if it is a rule's. The name of a partner's bus has slashes itself.
pub(crate) fn rule_of_arn(text: &str) -> Option<RuleKey> {
    let arn = Arn::parse(text).filter(|arn| arn.service == "events")?;
    let path = arn.resource.strip_prefix("rule/")?;
    let (bus, rule) = path.rsplit_once('/').unwrap_or((DEFAULT, path));
    let (account, region) = (arn.account.to_owned(), arn.region.to_owned());
    Some((account, region, bus.to_owned(), rule.to_owned()))
}

/// The ARN of an archive or replay.
pub(crate) fn named_arn(kind: &str, (account, region, name): &NamedKey) -> String {
    arn::arn("events", region, account, format_args!("{kind}/{name}"))
}

/// Refuses a name for a new bus that AWS refuses.
pub(crate) fn check_new_bus(name: &str) -> Result<(), Error> {
    match name.contains('/') {
        true => Err(Error::invalid("Event bus name must not contain '/'.")),
        false => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_arns_are_read_back() {
        for (bus, path) in [("default", "rule/r"), ("own", "rule/own/r"), ("aws.partner/a/b", "")] {
            let key = ("1".into(), "us-east-1".into(), bus.to_owned(), "r".to_owned());
            let arn = rule_arn(&key);
            assert!(path.is_empty() || arn.ends_with(path), "{arn}");
            assert_eq!(rule_of_arn(&arn), Some(key));
        }
        assert_eq!(rule_of_arn("arn:aws:events:us-east-1:1:event-bus/x"), None);
    }
}
