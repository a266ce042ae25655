//! Events as lines of a log group.

use fogbank_core::{Arn, Cx, Fault, Principal};
use serde_json::{Value, json};

use crate::delivery::{self, Delivery};
use crate::rules::json::Json;

/// Writes an event to a group: one stream for each rule and day. (AWS's streams have names by chance.)
pub(crate) async fn write(
    cx: &Cx,
    delivery: &Delivery,
    arn: &Arn<'_>,
    principal: Option<Principal>,
) -> Result<(), Fault> {
    let group = arn.resource.strip_prefix("log-group:").unwrap_or(arn.resource);
    let group = group.strip_suffix(":*").unwrap_or(group);
    let rule = delivery.rule_arn.rsplit('/').next().unwrap_or_default();
    let (time_millis, message) = line(delivery);
    let day = jiff::Timestamp::from_millisecond(time_millis)
        .map(|time| time.strftime("%Y/%m/%d").to_string())
        .unwrap_or_default();
    let stream = format!("{day}/{rule}");
    let put = json!({
        "logGroupName": group, "logStreamName": stream,
        "logEvents": [{ "timestamp": time_millis, "message": message }],
    });
    let call = async |action: &str, input: Value| {
        delivery::call(cx, delivery, arn, principal.clone(), action, input).await
    };
    let answer = match call("logs:PutLogEvents", put.clone()).await {
        Err(fault)
            if fault.name() == "ResourceNotFoundException"
                && fault.message().contains("log stream") =>
        {
            let stream = json!({ "logGroupName": group, "logStreamName": stream });
            match call("logs:CreateLogStream", stream).await {
                // Another delivery may have made it meanwhile.
                Err(fault) if fault.name() != "ResourceAlreadyExistsException" => {
                    return Err(fault);
                }
                _ => call("logs:PutLogEvents", put).await?,
            }
        }
        answer => answer?,
    };
    match &answer["rejectedLogEventsInfo"] {
        Value::Null => Ok(()),
        rejected => Err(Fault::new("InvalidParameterException", format!("rejected: {rejected}"))),
    }
}

/// The time and the text of a line: the event's own, or those that the target's input says as `timestamp` and `message`.
fn line(delivery: &Delivery) -> (i64, String) {
    let event_time = Json::parse(delivery.event())
        .and_then(|event| event.get("time")?.as_str()?.parse::<jiff::Timestamp>().ok())
        .map_or(delivery.accepted_millis, |time| time.as_millisecond());
    let given = delivery.event.as_ref().and_then(|_| Json::parse(&delivery.payload));
    let Some(given) = given else { return (event_time, delivery.payload.clone()) };
    let time = match given.get("timestamp") {
        Some(Json::Number(digits)) => digits.parse().ok(),
        Some(Json::String(text)) => text
            .parse()
            .ok()
            .or_else(|| text.parse::<jiff::Timestamp>().ok().map(|time| time.as_millisecond())),
        _ => None,
    };
    let message = match given.get("message") {
        Some(Json::String(text)) => text.clone(),
        Some(message) => message.to_string(),
        None => delivery.payload.clone(),
    };
    (time.unwrap_or(event_time), message)
}
