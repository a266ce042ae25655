//! Events that could not be delivered.

use fogbank_core::{Arn, Cx, Effect, Fault, Principal, tracing};
use serde_json::{Value, json};

use crate::delivery::{Delivery, Failure, SERVICE};

/// Sends an event to the dead-letter queue of its target, with why it could not be delivered; else it is lost, as on AWS.
pub(crate) async fn give_up(
    cx: &Cx,
    delivery: &Delivery,
    failure: &Failure,
    exhausted: Option<&'static str>,
) -> Result<(), Fault> {
    let Delivery { rule_arn, target_arn, .. } = delivery;
    let has_dead_letter_queue = delivery.dead_letter_arn.is_some();
    tracing::warn!(%rule_arn, %target_arn, ?failure, has_dead_letter_queue, "an event was not delivered");
    let Some(queue_arn) = &delivery.dead_letter_arn else { return Ok(()) };
    let input = json!({
        "QueueUrl": queue_arn,
        "MessageBody": delivery.event(),
        "MessageAttributes": attributes(delivery, failure, exhausted),
    });
    let mut effect = Effect::call("sqs:SendMessage", Principal::service(SERVICE), &input)
        .on_behalf_of(rule_arn, delivery.rule_account())
        .in_lane(queue_arn);
    if let Some(arn) = Arn::parse(queue_arn) {
        effect = effect.located(arn.account, arn.region);
    }
    cx.write(|tx| tx.emit(effect.clone())).await?;
    Ok(())
}

fn attributes(delivery: &Delivery, failure: &Failure, exhausted: Option<&str>) -> Value {
    let text = |value: &str| json!({ "DataType": "String", "StringValue": value });
    let mut attributes = json!({
        "RULE_ARN": text(&delivery.rule_arn),
        "TARGET_ARN": text(&delivery.target_arn),
        "ERROR_CODE": text(code(&failure.name)),
        "ERROR_MESSAGE": text(if failure.message.is_empty() { &failure.name } else { &failure.message }),
    });
    if let Some(exhausted) = exhausted {
        attributes["EXHAUSTED_RETRY_CONDITION"] = text(exhausted);
        // AWS counts tries beyond the first.
        let retries = failure.attempts.saturating_sub(1).to_string();
        attributes["RETRY_ATTEMPTS"] = json!({ "DataType": "Number", "StringValue": retries });
    }
    attributes
}

/// AWS's own names for what went wrong; of those that its pages do not list, the name of the error.
fn code(name: &str) -> &str {
    match name {
        "AccessDenied" | "AccessDeniedException" | "AuthorizationErrorException" => {
            "NO_PERMISSIONS"
        }
        "ResourceNotFoundException"
        | "NotFoundException"
        | "NotFound"
        | "QueueDoesNotExist"
        | "AWS.SimpleQueueService.NonExistentQueue" => "NO_RESOURCE",
        "ThrottlingException" | "Throttling" | "TooManyRequestsException" | "RequestThrottled" => {
            "THROTTLING"
        }
        name => name,
    }
}
