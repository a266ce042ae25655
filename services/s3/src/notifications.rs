//! The notifications of buckets: which destinations hear of which events.

use fogbank_core::{Arn, Cx, Fault, Principal, ReadTx};
use serde::Serialize;
use serde_json::json;

use crate::access::bucket_arn;
use crate::error::Error;
use crate::events;
use crate::model::{
    EventBridgeConfiguration, FilterRule, GetBucketNotificationConfigurationInput,
    LambdaFunctionConfiguration, NotificationConfiguration, NotificationConfigurationFilter,
    PutBucketNotificationConfigurationInput, PutBucketNotificationConfigurationOutput,
    QueueConfiguration, S3KeyFilter, TopicConfiguration,
};
use crate::store::{
    self, BUCKETS, Bucket, Destination, DestinationKind, NOTIFICATIONS, Notifications,
};

/// Every event type that a configuration may name.
const EVENTS: &[&str] = &[
    "s3:ObjectCreated:*",
    "s3:ObjectCreated:Put",
    "s3:ObjectCreated:Post",
    "s3:ObjectCreated:Copy",
    "s3:ObjectCreated:CompleteMultipartUpload",
    "s3:ObjectRemoved:*",
    "s3:ObjectRemoved:Delete",
    "s3:ObjectRemoved:DeleteMarkerCreated",
    "s3:ObjectTagging:*",
    "s3:ObjectTagging:Put",
    "s3:ObjectTagging:Delete",
    "s3:ObjectAcl:Put",
    "s3:ObjectRetention:Put",
    "s3:ObjectAnnotation:*",
    "s3:ObjectAnnotation:Put",
    "s3:ObjectAnnotation:Delete",
    "s3:ObjectRestore:*",
    "s3:ObjectRestore:Post",
    "s3:ObjectRestore:Completed",
    "s3:ObjectRestore:Delete",
    "s3:ReducedRedundancyLostObject",
    "s3:Replication:*",
    "s3:Replication:OperationFailedReplication",
    "s3:Replication:OperationMissedThreshold",
    "s3:Replication:OperationReplicatedAfterThreshold",
    "s3:Replication:OperationNotTracked",
    "s3:LifecycleExpiration:*",
    "s3:LifecycleExpiration:Delete",
    "s3:LifecycleExpiration:DeleteMarkerCreated",
    "s3:LifecycleTransition",
    "s3:IntelligentTiering",
];

/// Sets the notifications of a bucket, after the destinations have shown that they take its events.
pub(crate) async fn put(
    cx: &Cx,
    input: PutBucketNotificationConfigurationInput,
) -> Result<PutBucketNotificationConfigurationOutput, Error> {
    let name = &*input.bucket;
    let expected = input.expected_bucket_owner.as_deref();
    let bucket = cx.read(|tx| store::expected_bucket(tx, name, expected))?;
    let notifications = read(cx, &bucket, input.notification_configuration)?;
    if input.skip_destination_validation != Some(true) {
        validate(cx, name, &bucket, &notifications.destinations).await?;
    }
    cx.write(|tx| {
        let mut bucket = store::expected_bucket(tx, name, expected)?;
        bucket.notifies = notifications.event_bridge || !notifications.destinations.is_empty();
        if bucket.notifies {
            NOTIFICATIONS.put(tx, name, &notifications)?;
        } else {
            NOTIFICATIONS.delete(tx, name)?;
        }
        Ok::<_, Error>(BUCKETS.put(tx, name, &bucket)?)
    })
    .await?;
    Ok(PutBucketNotificationConfigurationOutput {})
}

/// The request's configuration as it is stored.
fn read(
    cx: &Cx,
    bucket: &Bucket,
    given: NotificationConfiguration,
) -> Result<Notifications, Error> {
    let mut destinations = Vec::new();
    for queue in given.queue_configurations.unwrap_or_default() {
        let filter = filter(queue.filter)?;
        let (id, arn, events) = (queue.id, queue.queue_arn, queue.events);
        destinations.push(destination(cx, DestinationKind::Queue, id, arn, events, filter)?);
    }
    for topic in given.topic_configurations.unwrap_or_default() {
        let filter = filter(topic.filter)?;
        let (id, arn, events) = (topic.id, topic.topic_arn, topic.events);
        destinations.push(destination(cx, DestinationKind::Topic, id, arn, events, filter)?);
    }
    for function in given.lambda_function_configurations.unwrap_or_default() {
        let filter = filter(function.filter)?;
        let (id, arn, events) = (function.id, function.lambda_function_arn, function.events);
        destinations.push(destination(cx, DestinationKind::Function, id, arn, events, filter)?);
    }
    check_regions(&destinations, bucket)?;
    check_ids(&destinations)?;
    check_overlaps(&destinations)?;
    Ok(Notifications { event_bridge: given.event_bridge_configuration.is_some(), destinations })
}

/// What a kind of destination is called in errors.
fn argument(kind: DestinationKind) -> &'static str {
    match kind {
        DestinationKind::Queue => "Queue",
        DestinationKind::Topic => "Topic",
        DestinationKind::Function => "CloudFunction",
    }
}

fn destination(
    cx: &Cx,
    kind: DestinationKind,
    id: Option<String>,
    arn: String,
    events: Vec<String>,
    filter: Option<Vec<(String, String)>>,
) -> Result<Destination, Error> {
    let argument = argument(kind);
    let service = match kind {
        DestinationKind::Queue => "sqs",
        DestinationKind::Topic => "sns",
        DestinationKind::Function => "lambda",
    };
    if Arn::parse(&arn).is_none_or(|parsed| parsed.service != service) {
        return Err(Error::argument(argument, arn, "The ARN could not be parsed"));
    }
    if kind != DestinationKind::Function && arn.ends_with(".fifo") {
        let message = "Unable to validate the following destination configurations";
        return Err(Error::argument(argument, arn, message));
    }
    if events.is_empty() || events.iter().any(|event| !EVENTS.contains(&event.as_str())) {
        // As for every wrong value of an enumeration in a document.
        return Err(Error::MalformedXML);
    }
    let id = id.filter(|id| !id.is_empty()).unwrap_or_else(|| cx.ids().uuid());
    Ok(Destination { kind, id, arn, events, filter })
}

/// The rules of a filter, their names as AWS writes them.
fn filter(
    given: Option<NotificationConfigurationFilter>,
) -> Result<Option<Vec<(String, String)>>, Error> {
    let rules = given.and_then(|filter| filter.key).and_then(|key| key.filter_rules);
    let Some(rules) = rules else { return Ok(None) };
    let mut filter: Vec<(String, String)> = Vec::new();
    for rule in rules {
        let (Some(name), value) = (rule.name, rule.value.unwrap_or_default()) else {
            return Err(Error::MalformedXML);
        };
        let name = match &*name.to_ascii_lowercase() {
            "prefix" => "Prefix",
            "suffix" => "Suffix",
            _ => {
                let message = "filter rule name must be either prefix or suffix";
                return Err(Error::argument("FilterRule.Name", name, message));
            }
        };
        if filter.iter().any(|(known, _)| known == name) {
            let message =
                format!("Cannot specify more than one {} rule in a filter.", name.to_lowercase());
            return Err(Error::argument("FilterRule.Name", name, message));
        }
        filter.push((name.to_owned(), value));
    }
    Ok(Some(filter))
}

/// Refuses destinations in other regions than the bucket's.
fn check_regions(destinations: &[Destination], bucket: &Bucket) -> Result<(), Error> {
    for destination in destinations {
        let arn = &destination.arn;
        if Arn::parse(arn).is_none_or(|parsed| parsed.region != bucket.region) {
            let message = "The notification destination service region is not valid for the bucket location constraint";
            return Err(Error::argument(argument(destination.kind), arn, message));
        }
    }
    Ok(())
}

fn check_ids(destinations: &[Destination]) -> Result<(), Error> {
    for (index, destination) in destinations.iter().enumerate() {
        if destinations[..index].iter().any(|other| other.id == destination.id) {
            let message = "Same ID used for multiple configurations. IDs must be unique";
            return Err(Error::argument("Id", &destination.id, message));
        }
    }
    Ok(())
}

/// Refuses two destinations for one event of one key.
fn check_overlaps(destinations: &[Destination]) -> Result<(), Error> {
    for (index, one) in destinations.iter().enumerate() {
        for other in &destinations[..index] {
            if shares_event(one, other) && overlaps(one, other) {
                let message = if one.filter.is_some() || other.filter.is_some() {
                    "Configuration is ambiguously defined. Cannot have overlapping suffixes in two rules if the prefixes are overlapping for the same event type."
                } else {
                    "Configurations overlap. Configurations on the same bucket cannot share a common event type."
                };
                return Err(Error::argument("Event", "", message));
            }
        }
    }
    Ok(())
}

fn shares_event(one: &Destination, other: &Destination) -> bool {
    let covers = |wide: &str, event: &str| {
        wide == event || wide.strip_suffix('*').is_some_and(|group| event.starts_with(group))
    };
    one.events.iter().any(|a| other.events.iter().any(|b| covers(a, b) || covers(b, a)))
}

fn overlaps(one: &Destination, other: &Destination) -> bool {
    let rule = |destination: &Destination, name: &str| {
        let mut rules = destination.filter.iter().flatten();
        rules.find(|(known, _)| known == name).map(|(_, value)| value.clone()).unwrap_or_default()
    };
    let (a, b) = (rule(one, "Prefix"), rule(other, "Prefix"));
    let prefixes = a.starts_with(&b) || b.starts_with(&a);
    let (a, b) = (rule(one, "Suffix"), rule(other, "Suffix"));
    prefixes && (a.ends_with(&b) || b.ends_with(&a))
}

/// Sends a test event to queues and topics, and asks functions whether they may be invoked.
async fn validate(
    cx: &Cx,
    name: &str,
    bucket: &Bucket,
    destinations: &[Destination],
) -> Result<(), Error> {
    let mut refusals = Vec::new();
    for destination in destinations {
        if let Err(fault) = try_out(cx, name, bucket, destination).await {
            let is_denied = is_denial(&fault) && exists(cx, destination).await;
            refusals.push(refusal(destination, is_denied));
        }
    }
    if refusals.is_empty() {
        return Ok(());
    }
    let message = "Unable to validate the following destination configurations";
    let fault = Fault::new("InvalidArgument", message);
    // AWS counts the refused destinations; more than three is our limit.
    const NAMES: [(&str, &str); 3] = [
        ("ArgumentName1", "ArgumentValue1"),
        ("ArgumentName2", "ArgumentValue2"),
        ("ArgumentName3", "ArgumentValue3"),
    ];
    let fault = NAMES.iter().zip(refusals).fold(fault, |fault, (names, (argument, value))| {
        fault.with(names.0, argument).with(names.1, value)
    });
    Err(Error::Fault(fault))
}

async fn try_out(
    cx: &Cx,
    name: &str,
    bucket: &Bucket,
    destination: &Destination,
) -> Result<(), Fault> {
    let (target, input) = match destination.kind {
        DestinationKind::Function => {
            let input = json!({ "FunctionName": destination.arn, "InvocationType": "DryRun" });
            ("lambda:Invoke", input)
        }
        _ => events::call(destination, &test_event(cx, name)?),
    };
    let mut call = cx.prepare(Principal::service(events::SERVICE), target, input);
    if let Some(arn) = Arn::parse(&destination.arn) {
        arn.account.clone_into(&mut call.account);
        arn.region.clone_into(&mut call.region);
    }
    call.source = Some((bucket_arn(name), bucket.account.clone()));
    cx.cloud().call(call).await.map(|_| ())
}

/// The message that a new destination gets, in the order of AWS's members.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct TestEvent<'a> {
    service: &'static str,
    event: &'static str,
    time: String,
    bucket: &'a str,
    request_id: &'a str,
    host_id: &'a str,
}

fn test_event(cx: &Cx, bucket: &str) -> Result<String, Fault> {
    let request = cx.request();
    let event = TestEvent {
        service: "Amazon S3",
        event: "s3:TestEvent",
        time: events::iso(request.now),
        bucket,
        request_id: &request.id,
        host_id: &request.id,
    };
    serde_json::to_string(&event).map_err(Fault::internal)
}

/// Whether a queue or topic is there, which S3 finds out by itself.
async fn exists(cx: &Cx, destination: &Destination) -> bool {
    let Some(arn) = Arn::parse(&destination.arn) else { return false };
    let (target, input) = match destination.kind {
        DestinationKind::Queue => ("sqs:GetQueueUrl", json!({ "QueueName": arn.resource })),
        DestinationKind::Topic => {
            ("sns:GetTopicAttributes", json!({ "TopicArn": destination.arn }))
        }
        DestinationKind::Function => return true,
    };
    let mut call = cx.prepare(Principal::root(arn.account), target, input);
    arn.account.clone_into(&mut call.account);
    arn.region.clone_into(&mut call.region);
    cx.cloud().call(call).await.is_ok()
}

fn is_denial(fault: &Fault) -> bool {
    fault.name().starts_with("AccessDenied") || fault.name() == "AuthorizationError"
}

/// Why a destination was refused, in AWS's words.
fn refusal(destination: &Destination, is_denied: bool) -> (String, String) {
    let arn = &destination.arn;
    let permissions = |kind: &str| {
        format!(
            "Permissions on the destination {kind} do not allow S3 to publish notifications from this bucket"
        )
    };
    match destination.kind {
        DestinationKind::Queue if is_denied => (arn.clone(), permissions("queue")),
        DestinationKind::Queue => (arn.clone(), "The destination queue does not exist".to_owned()),
        DestinationKind::Topic if is_denied => (arn.clone(), permissions("topic")),
        DestinationKind::Topic => (arn.clone(), "The destination topic does not exist".to_owned()),
        DestinationKind::Function => {
            (format!("{arn}, null"), format!("Not authorized to invoke function [{arn}]"))
        }
    }
}

/// The notifications of a bucket; empty if there are none.
pub(crate) fn get(
    tx: &ReadTx<'_>,
    input: GetBucketNotificationConfigurationInput,
) -> Result<NotificationConfiguration, Error> {
    let bucket = store::expected_bucket(tx, &input.bucket, input.expected_bucket_owner.as_deref())?;
    let mut output = NotificationConfiguration::default();
    if !bucket.notifies {
        return Ok(output);
    }
    let Some(notifications) = NOTIFICATIONS.get(tx, &input.bucket)? else { return Ok(output) };
    output.event_bridge_configuration =
        notifications.event_bridge.then(EventBridgeConfiguration::default);
    for destination in notifications.destinations {
        let Destination { kind, id, arn, events, filter } = destination;
        let (id, filter) = (Some(id), filter.map(shown));
        match kind {
            DestinationKind::Queue => output
                .queue_configurations
                .get_or_insert_default()
                .push(QueueConfiguration { id, queue_arn: arn, events, filter }),
            DestinationKind::Topic => output
                .topic_configurations
                .get_or_insert_default()
                .push(TopicConfiguration { id, topic_arn: arn, events, filter }),
            DestinationKind::Function => output
                .lambda_function_configurations
                .get_or_insert_default()
                .push(LambdaFunctionConfiguration { id, lambda_function_arn: arn, events, filter }),
        }
    }
    Ok(output)
}

fn shown(rules: Vec<(String, String)>) -> NotificationConfigurationFilter {
    let rules =
        rules.into_iter().map(|(name, value)| FilterRule { name: Some(name), value: Some(value) });
    NotificationConfigurationFilter {
        key: Some(S3KeyFilter { filter_rules: Some(rules.collect()) }),
    }
}
