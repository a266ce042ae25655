//! What a mapping may be.

use fogbank_core::{Arn, Cx, Fault};
use serde_json::json;

use crate::error::{Error, invalid, unsupported};
use crate::functions::assume;
use crate::model::{CreateEventSourceMappingInput, UpdateEventSourceMappingInput};
use crate::rules::target::Target;
use crate::store::{Mapping, Version};

/// The largest batch of a FIFO queue, and of any queue without a batching window.
const MAX_SMALL_BATCH: u32 = 10;

/// Refuses what queues do not take, and what is missing here.
pub(super) fn refuse_create(input: &CreateEventSourceMappingInput) -> Result<(), Error> {
    let is_not_for_queues = input.destination_config.is_some();
    if is_not_for_queues {
        return Err(invalid(
            "Unsupported DestinationConfig parameter for given event source mapping type.",
        ));
    }
    if input.starting_position.is_some() {
        return Err(invalid("StartingPosition is not valid for SQS event sources."));
    }
    refuse(&[
        (input.self_managed_event_source.is_some(), "self-managed event sources"),
        (has_filters(input.filter_criteria.as_ref()), "FilterCriteria"),
        (input.kms_key_arn.is_some(), "KMSKeyArn"),
        (input.metrics_config.is_some(), "MetricsConfig"),
        (input.logging_config.is_some(), "LoggingConfig of event source mappings"),
        (input.provisioned_poller_config.is_some(), "ProvisionedPollerConfig"),
        (input.topics.is_some() || input.queues.is_some(), "brokers as event sources"),
    ])
}

/// The same for an update.
pub(super) fn refuse_update(input: &UpdateEventSourceMappingInput) -> Result<(), Error> {
    if input.destination_config.is_some() {
        return Err(invalid(
            "Unsupported DestinationConfig parameter for given event source mapping type.",
        ));
    }
    refuse(&[
        (has_filters(input.filter_criteria.as_ref()), "FilterCriteria"),
        (input.kms_key_arn.is_some(), "KMSKeyArn"),
        (input.metrics_config.is_some(), "MetricsConfig"),
        (input.logging_config.is_some(), "LoggingConfig of event source mappings"),
        (input.provisioned_poller_config.is_some(), "ProvisionedPollerConfig"),
    ])
}

fn has_filters(criteria: Option<&crate::model::FilterCriteria>) -> bool {
    criteria.is_some_and(|criteria| criteria.filters.as_ref().is_some_and(|all| !all.is_empty()))
}

fn refuse(cases: &[(bool, &str)]) -> Result<(), Error> {
    match cases.iter().find(|(given, _)| *given) {
        Some((_, what)) => Err(unsupported(what)),
        None => Ok(()),
    }
}

/// Refuses sources that are no queues.
pub(super) fn check_source(arn: &str) -> Result<(), Error> {
    match Arn::parse(arn).map(|arn| arn.service) {
        Some("sqs") => Ok(()),
        Some(other @ ("dynamodb" | "kinesis" | "kafka" | "mq" | "rds" | "docdb")) => {
            Err(unsupported(&format!("{other} as an event source")))
        }
        _ => Err(invalid("Unrecognized event source.")),
    }
}

/// Refuses batches that are too large.
pub(super) fn check(mapping: &Mapping) -> Result<(), Error> {
    if mapping.queue_arn.ends_with(".fifo") {
        if mapping.window_secs > 0 {
            return Err(invalid("Batching window is not supported for FIFO queues."));
        }
        if mapping.batch_size > MAX_SMALL_BATCH {
            return Err(invalid(format!(
                "Batch size cannot be greater than {MAX_SMALL_BATCH} for FIFO queues."
            )));
        }
    } else if mapping.batch_size > MAX_SMALL_BATCH && mapping.window_secs == 0 {
        return Err(invalid(
            "Maximum batch window in seconds must be greater than 0 if maximum batch size is greater than 10",
        ));
    }
    Ok(())
}

/// The URL of the mapping's queue.
pub(super) fn queue_url(cx: &Cx, queue_arn: &str) -> String {
    let (account, name) = Arn::parse(queue_arn)
        .map(|arn| (arn.account.to_owned(), arn.resource.to_owned()))
        .unwrap_or_default();
    format!("http://{}/{account}/{name}", cx.settings().local_authority)
}

/// Asks for the queue in the function's role. AWS receives a message for it; attributes cost the queue nothing.
pub(super) async fn check_queue(
    cx: &Cx,
    target: &Target,
    version: &Version,
    mapping: &Mapping,
) -> Result<(), Error> {
    let session = assume(cx, target, &version.role).await?;
    let url = queue_url(cx, &mapping.queue_arn);
    let input = json!({"QueueUrl": url, "AttributeNames": ["VisibilityTimeout"]});
    let reply = cx.call(session.principal, "sqs:GetQueueAttributes", input).await;
    let output = reply.map_err(|fault| refused(fault, &mapping.queue_arn))?.output;
    let timeout: Option<u32> =
        output["Attributes"]["VisibilityTimeout"].as_str().and_then(|text| text.parse().ok());
    match timeout {
        Some(timeout) if timeout < version.timeout_secs => Err(invalid(format!(
            "Queue visibility timeout: {timeout} seconds is less than Function timeout: {} seconds",
            version.timeout_secs
        ))),
        _ => Ok(()),
    }
}

fn refused(fault: Fault, queue_arn: &str) -> Error {
    match fault.name() {
        "QueueDoesNotExist" => invalid(
            "Error occurred while ReceiveMessage. SQS Error Code: AWS.SimpleQueueService.NonExistentQueue. \
             SQS Error Message: The specified queue does not exist.",
        ),
        "AccessDenied" => invalid(
            "The provided execution role does not have permissions to call ReceiveMessage on SQS",
        ),
        "InternalFailure" | "NotImplemented" => Error::Fault(fault),
        name => invalid(format!("{queue_arn} cannot be read: {name}: {}", fault.message())),
    }
}
