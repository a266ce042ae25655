//! Events that AWS's services send of themselves to the default bus of an account, in the transaction of what they tell of.

use serde_json::{Value, json};

use super::Effect;
use crate::{Principal, Timestamp, arn};

/// An event of a service.
#[derive(Clone, Debug)]
pub struct ServiceEvent<'a> {
    /// Who sends it, such as `ssm.amazonaws.com`.
    pub sender: &'a str,
    /// Its source, such as `aws.ssm`.
    pub source: &'a str,
    /// Its type, such as `Parameter Store Change`.
    pub detail_type: &'a str,
    /// The ARN of the resource that it is about.
    pub resource: &'a str,
    /// What it tells.
    pub detail: Value,
}

impl Effect {
    /// Sends an event to the default bus of an account in a region.
    pub fn event(
        event: &ServiceEvent<'_>,
        (account, region): (&str, &str),
        now: Timestamp,
    ) -> Effect {
        let entry = json!({
            "Source": event.source,
            "DetailType": event.detail_type,
            "Resources": [event.resource],
            "Time": now.secs(),
            "Detail": event.detail.to_string(),
        });
        let bus = arn::arn("events", region, account, "event-bus/default");
        let input = json!({ "Entries": [entry] });
        Effect::call("events:PutEvents", Principal::service(event.sender), &input)
            .on_behalf_of(event.resource, account)
            .located(account, region)
            .in_lane(&bus)
    }
}
