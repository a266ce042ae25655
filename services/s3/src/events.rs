//! Events: what happened to an object, and which destinations hear of it.
//!
//! An event is an effect in the same transaction as the change, so that none is lost and none is sent of a change that
//! did not happen. Queues, topics and functions are called as `s3.amazonaws.com` on behalf of the bucket.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use fogbank_core::{Arn, Effect, Principal, PrincipalKind, Retry, Timestamp, Tx, WriteTx};
use serde::Serialize;
use serde_json::{Value, json};

use crate::access::bucket_arn;
use crate::error::Error;
use crate::rules::{self, ETag};
use crate::store::{Bucket, Destination, DestinationKind, NOTIFICATIONS, Notifications, Object};
use crate::versions::Cause;

/// The principal of S3 itself.
pub(crate) const SERVICE: &str = "s3.amazonaws.com";

/// Deliveries to EventBridge give up soon, for as long as Fogbank has no event buses.
const EVENT_BUS: Retry = Retry { attempts: 3, pause_millis: 1_000, longest_pause_millis: 10_000 };

/// A change of an object.
#[derive(Debug)]
pub(crate) struct Change<'a> {
    /// The group of events, such as `ObjectCreated`.
    group: &'static str,
    /// The event in it, such as `Put`.
    name: &'static str,
    key: &'a str,
    size: Option<u64>,
    e_tag: Option<ETag>,
    /// The number of the transaction, for events that are ordered.
    version: Option<u64>,
    version_id: Option<String>,
    /// The storage class to which the object moved.
    class: Option<&'static str>,
    replicated: Option<Replicated>,
}

/// What an event tells of a replication.
#[derive(Debug)]
pub(crate) struct Replicated {
    pub(crate) rule_id: String,
    /// The bucket that the object was to be copied to.
    pub(crate) destination: String,
    /// When the copy was asked for.
    pub(crate) asked_millis: i64,
    pub(crate) failure_reason: Option<&'static str>,
}

impl<'a> Change<'a> {
    /// `object` was written.
    pub(crate) fn created(name: &'static str, key: &'a str, object: &Object) -> Change<'a> {
        Change {
            group: "ObjectCreated",
            name,
            key,
            size: Some(object.listed.size),
            e_tag: Some(object.listed.e_tag),
            version: Some(object.version),
            version_id: object.version_id(),
            class: None,
            replicated: None,
        }
    }

    /// A lifecycle moved an object to another storage class.
    pub(crate) fn moved(key: &'a str, object: &Object, class: &'static str) -> Change<'a> {
        Change {
            group: "LifecycleTransition",
            class: Some(class),
            ..Change::created("", key, object)
        }
    }

    /// An object was not copied to another bucket, or not in time.
    pub(crate) fn replicated(
        name: &'static str,
        key: &'a str,
        object: &Object,
        replicated: Replicated,
    ) -> Change<'a> {
        let replicated = Some(replicated);
        Change { group: "Replication", replicated, ..Change::created(name, key, object) }
    }

    /// The same, done by somebody else than a caller.
    pub(crate) fn of(self, cause: Cause) -> Change<'a> {
        match cause {
            Cause::Caller => self,
            Cause::Lifecycle => Change { group: "LifecycleExpiration", ..self },
        }
    }

    /// The ACL of an object was changed.
    pub(crate) fn acl(key: &'a str, object: &Object) -> Change<'a> {
        Change {
            group: "ObjectAcl",
            name: "Put",
            version: None,
            ..Change::created("", key, object)
        }
    }

    /// An archived object is restored: begun, there, or over.
    pub(crate) fn restored(name: &'static str, key: &'a str, object: &Object) -> Change<'a> {
        Change { group: "ObjectRestore", version: None, ..Change::created(name, key, object) }
    }

    /// A delete marker was made.
    pub(crate) fn marked(key: &'a str, version: u64, version_id: Option<String>) -> Change<'a> {
        Change { name: "DeleteMarkerCreated", ..Change::removed(key, version, version_id) }
    }

    /// An object, or a version of it, was removed for good.
    pub(crate) fn removed(key: &'a str, version: u64, version_id: Option<String>) -> Change<'a> {
        Change {
            group: "ObjectRemoved",
            name: "Delete",
            key,
            size: None,
            e_tag: None,
            version: Some(version),
            version_id,
            class: None,
            replicated: None,
        }
    }

    /// The tags of an object were changed.
    pub(crate) fn tagged(name: &'static str, key: &'a str, object: &Object) -> Change<'a> {
        Change {
            group: "ObjectTagging",
            name,
            key,
            size: None,
            e_tag: Some(object.listed.e_tag),
            version: None,
            version_id: object.version_id(),
            class: None,
            replicated: None,
        }
    }

    /// Events on tags, ACLs and lifecycles came with a later version of the message.
    fn event_version(&self) -> &'static str {
        match self.group {
            "ObjectCreated" | "ObjectRemoved" => "2.1",
            "Replication" => "2.2",
            _ => "2.3",
        }
    }

    /// The event's name in messages.
    fn full_name(&self) -> String {
        match self.name {
            "" => self.group.to_owned(),
            name => format!("{}:{name}", self.group),
        }
    }

    /// Whether a destination asked for this.
    fn concerns(&self, destination: &Destination) -> bool {
        destination.events.iter().any(|event| is_event(event, self.group, self.name))
            && destination.filter.iter().flatten().all(|(name, value)| match &**name {
                "Prefix" => self.key.starts_with(value),
                _ => self.key.ends_with(value),
            })
    }
}

/// Whether an event type, such as `s3:ObjectCreated:*`, names an event.
fn is_event(event: &str, group: &str, name: &str) -> bool {
    let Some(event) = event.strip_prefix("s3:") else { return false };
    match event.split_once(':') {
        Some((given, rest)) => given == group && (rest == "*" || rest == name),
        None => event == group && name.is_empty(),
    }
}

/// Sends a change to all that asked for it, once the transaction is durable.
pub(crate) fn emit(
    tx: &mut WriteTx<'_>,
    bucket: &Bucket,
    name: &str,
    change: &Change<'_>,
) -> Result<(), Error> {
    if !bucket.notifies {
        return Ok(());
    }
    let Some(Notifications { event_bridge, destinations }) = NOTIFICATIONS.get(tx, name)? else {
        return Ok(());
    };
    for destination in destinations.iter().filter(|known| change.concerns(known)) {
        let message = message(tx, bucket, name, change, &destination.id);
        let effect = delivery(destination, &message);
        tx.emit(effect.on_behalf_of(&bucket_arn(name), &bucket.account))?;
    }
    if event_bridge && let Some(entry) = bus_entry(tx, name, change) {
        let input = json!({ "Entries": [entry] });
        let effect = Effect::call("events:PutEvents", Principal::service(SERVICE), &input)
            .on_behalf_of(&bucket_arn(name), &bucket.account)
            .located(&bucket.account, &bucket.region)
            .retried(EVENT_BUS);
        tx.emit(effect)?;
    }
    Ok(())
}

/// The call that brings a message to a destination.
fn delivery(destination: &Destination, message: &str) -> Effect {
    let (target, input) = call(destination, message);
    let effect =
        Effect::call(target, Principal::service(SERVICE), &input).in_lane(&destination.arn);
    match Arn::parse(&destination.arn) {
        Some(arn) => effect.located(arn.account, arn.region),
        None => effect,
    }
}

/// The operation and the input that bring a message to a destination.
pub(crate) fn call(destination: &Destination, message: &str) -> (&'static str, Value) {
    let arn = &destination.arn;
    match destination.kind {
        DestinationKind::Queue => {
            let path = Arn::parse(arn)
                .map(|arn| format!("{}/{}", arn.account, arn.resource))
                .unwrap_or_default();
            let url = format!("http://127.0.0.1/{path}");
            ("sqs:SendMessage", json!({ "QueueUrl": url, "MessageBody": message }))
        }
        DestinationKind::Topic => (
            "sns:Publish",
            json!({ "TopicArn": arn, "Message": message, "Subject": "Amazon S3 Notification" }),
        ),
        DestinationKind::Function => (
            "lambda:Invoke",
            json!({
                "FunctionName": arn,
                "InvocationType": "Event",
                "Payload": STANDARD.encode(message),
            }),
        ),
    }
}

/// A time as events have it: to the millisecond.
pub(crate) fn iso(time: Timestamp) -> String {
    jiff::Timestamp::from_millisecond(time.millis())
        .map(|time| time.strftime("%Y-%m-%dT%H:%M:%S.%3fZ").to_string())
        .unwrap_or_default()
}

fn caller(principal: &Principal) -> String {
    match &principal.kind {
        PrincipalKind::Anonymous => "Anonymous".to_owned(),
        PrincipalKind::Service { name } => name.clone(),
        PrincipalKind::Root => rules::customer_id(&principal.account),
        _ => format!("AWS:{}", principal.id),
    }
}

fn source_ip(tx: &WriteTx<'_>) -> String {
    // A call from inside the cloud comes from this machine.
    tx.request().source_ip.map_or_else(|| "127.0.0.1".to_owned(), |ip| ip.to_string())
}

/// A message to a destination, in the order of AWS's members.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Message<'a> {
    records: [Record<'a>; 1],
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Record<'a> {
    event_version: &'static str,
    event_source: &'static str,
    aws_region: &'a str,
    event_time: String,
    event_name: String,
    user_identity: Identity,
    request_parameters: Parameters,
    response_elements: Elements<'a>,
    s3: Subject<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    lifecycle_event_data: Option<LifecycleEventData>,
    #[serde(skip_serializing_if = "Option::is_none")]
    replication_event_data: Option<ReplicationEventData<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ReplicationEventData<'a> {
    replication_rule_id: &'a str,
    destination_bucket: String,
    s3_operation: &'static str,
    request_time: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    failure_reason: Option<&'static str>,
}

impl<'a> ReplicationEventData<'a> {
    fn of(replicated: &'a Replicated) -> ReplicationEventData<'a> {
        ReplicationEventData {
            replication_rule_id: &replicated.rule_id,
            destination_bucket: bucket_arn(&replicated.destination),
            s3_operation: "OBJECT_PUT",
            request_time: iso(Timestamp::from_millis(replicated.asked_millis)),
            failure_reason: replicated.failure_reason,
        }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct LifecycleEventData {
    transition_event_data: TransitionEventData,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct TransitionEventData {
    destination_storage_class: &'static str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Identity {
    principal_id: String,
}

#[derive(Serialize)]
struct Parameters {
    #[serde(rename = "sourceIPAddress")]
    source_ip: String,
}

#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct Elements<'a> {
    x_amz_request_id: &'a str,
    #[serde(rename = "x-amz-id-2")]
    x_amz_id_2: &'a str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Subject<'a> {
    #[serde(rename = "s3SchemaVersion")]
    schema_version: &'static str,
    configuration_id: &'a str,
    bucket: SubjectBucket<'a>,
    object: SubjectObject<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct SubjectBucket<'a> {
    name: &'a str,
    owner_identity: Identity,
    arn: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct SubjectObject<'a> {
    key: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    size: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    e_tag: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    version_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sequencer: Option<String>,
}

/// The text of the message about a change.
fn message(
    tx: &WriteTx<'_>,
    bucket: &Bucket,
    name: &str,
    change: &Change<'_>,
    configuration_id: &str,
) -> String {
    let request = tx.request();
    let record = Record {
        event_version: change.event_version(),
        event_source: "aws:s3",
        aws_region: &bucket.region,
        event_time: iso(tx.now()),
        event_name: change.full_name(),
        user_identity: Identity { principal_id: caller(&request.principal) },
        request_parameters: Parameters { source_ip: source_ip(tx) },
        response_elements: Elements { x_amz_request_id: &request.id, x_amz_id_2: &request.id },
        s3: Subject {
            schema_version: "1.0",
            configuration_id,
            bucket: SubjectBucket {
                name,
                owner_identity: Identity { principal_id: rules::customer_id(&bucket.account) },
                arn: bucket_arn(name),
            },
            object: SubjectObject {
                key: rules::url_encode(change.key),
                size: change.size,
                e_tag: change.e_tag.map(|e_tag| e_tag.bare()),
                version_id: change.version_id.as_deref(),
                sequencer: change.version.map(sequencer),
            },
        },
        lifecycle_event_data: change.class.map(|destination_storage_class| LifecycleEventData {
            transition_event_data: TransitionEventData { destination_storage_class },
        }),
        replication_event_data: change.replicated.as_ref().map(ReplicationEventData::of),
    };
    // Texts and numbers always have a JSON.
    serde_json::to_string(&Message { records: [record] }).unwrap_or_default()
}

/// Hexadecimal digits that grow with every write.
fn sequencer(version: u64) -> String {
    format!("{version:018X}")
}

/// The entry for the default event bus.
fn bus_entry(tx: &WriteTx<'_>, name: &str, change: &Change<'_>) -> Option<Value> {
    let request = tx.request();
    let detail_type = match (change.group, change.name) {
        ("ObjectCreated", _) => "Object Created",
        ("ObjectRemoved" | "LifecycleExpiration", _) => "Object Deleted",
        ("LifecycleTransition", _) => "Object Storage Class Changed",
        ("ObjectAcl", _) => "Object ACL Updated",
        ("ObjectTagging", "Put") => "Object Tags Added",
        ("ObjectTagging", _) => "Object Tags Deleted",
        _ => return None,
    };
    let mut object = json!({ "key": change.key });
    if let Some(size) = change.size {
        object["size"] = size.into();
    }
    if let Some(e_tag) = &change.e_tag {
        object["etag"] = e_tag.bare().into();
    }
    if let Some(version_id) = &change.version_id {
        object["version-id"] = version_id.as_str().into();
    }
    if let Some(version) = change.version {
        object["sequencer"] = sequencer(version).into();
    }
    let mut detail = json!({
        "version": "0",
        "bucket": { "name": name },
        "object": object,
        "request-id": request.id,
        "requester": request.principal.account,
        "source-ip-address": source_ip(tx),
    });
    match change.group {
        "ObjectCreated" => {
            detail["reason"] = match change.name {
                "Put" => "PutObject",
                "Post" => "POST Object",
                "Copy" => "CopyObject",
                _ => "CompleteMultipartUpload",
            }
            .into();
        }
        "LifecycleTransition" => detail["destination-storage-class"] = change.class.into(),
        "ObjectRemoved" | "LifecycleExpiration" => {
            detail["reason"] = match change.group {
                "ObjectRemoved" => "DeleteObject",
                _ => "Lifecycle Expiration",
            }
            .into();
            detail["deletion-type"] = match change.name {
                "DeleteMarkerCreated" => "Delete Marker Created",
                _ => "Permanently Deleted",
            }
            .into();
        }
        _ => {}
    }
    Some(json!({
        "Source": "aws.s3",
        "DetailType": detail_type,
        "Detail": detail.to_string(),
        "Resources": [bucket_arn(name)],
        "Time": tx.now().secs(),
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_are_named_wholly_or_by_their_group() {
        assert!(is_event("s3:ObjectCreated:*", "ObjectCreated", "Put"));
        assert!(is_event("s3:ObjectCreated:Put", "ObjectCreated", "Put"));
        assert!(!is_event("s3:ObjectCreated:Copy", "ObjectCreated", "Put"));
        assert!(!is_event("s3:ObjectRemoved:*", "ObjectCreated", "Put"));
        assert!(!is_event("ObjectCreated:*", "ObjectCreated", "Put"));
    }

    #[test]
    fn filters_look_at_both_ends() {
        let rule = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let destination = Destination {
            kind: DestinationKind::Queue,
            id: "a".into(),
            arn: "arn:aws:sqs:eu-west-1:000000000000:q".into(),
            events: vec!["s3:ObjectRemoved:*".into()],
            filter: Some(vec![rule("Prefix", "in/"), rule("Suffix", ".png")]),
        };
        assert!(Change::removed("in/a.png", 1, None).concerns(&destination));
        assert!(!Change::removed("in/a.jpg", 1, None).concerns(&destination));
        assert!(!Change::removed("out/a.png", 1, None).concerns(&destination));
        let (target, input) = call(&destination, "hello");
        assert_eq!(target, "sqs:SendMessage");
        assert_eq!(input["QueueUrl"], "http://127.0.0.1/000000000000/q");
    }

    #[test]
    fn times_and_sequencers() {
        assert_eq!(iso(Timestamp::from_millis(1_767_225_600_007)), "2026-01-01T00:00:00.007Z");
        assert!(sequencer(255) < sequencer(256));
        assert_eq!(sequencer(255).len(), 18);
    }
}
