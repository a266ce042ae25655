//! Events: what happened to an object, and which destinations hear of it.
//!
//! An event is an effect in the same transaction as the change, so that none is lost and none is sent of a change that
//! did not happen. Queues, topics and functions are called as `s3.amazonaws.com` on behalf of the bucket.

mod bus;
mod message;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use fogbank_core::{Arn, Effect, Principal, Timestamp, Tx, WriteTx, arn};
use md5::Digest;
use serde_json::{Value, json};

use crate::access::bucket_arn;
use crate::error::Error;
use crate::rules::ETag;
use crate::store::{
    Bucket, Destination, DestinationKind, NOTIFICATIONS, Notifications, Object, Retention,
};
use crate::versions::Cause;

/// The principal of S3 itself.
pub(crate) const SERVICE: &str = "s3.amazonaws.com";

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
    more: More,
}

/// What some events tell beside the object.
#[derive(Debug, Default)]
enum More {
    #[default]
    Nothing,
    /// The storage class to which the object moved.
    Moved(&'static str),
    /// The archive into which intelligent tiering moved it.
    Tiered(&'static str),
    /// The storage class out of which a copy came, and until when the copy is there.
    Restored(String, i64),
    /// The retention, if there is one now.
    Retained(Option<Retention>),
    Replicated(Replicated),
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
            more: More::Nothing,
        }
    }

    /// A lifecycle moved an object to another storage class.
    pub(crate) fn moved(key: &'a str, object: &Object, class: &'static str) -> Change<'a> {
        Change {
            group: "LifecycleTransition",
            more: More::Moved(class),
            ..Change::created("", key, object)
        }
    }

    /// Intelligent tiering moved an object into an archive.
    pub(crate) fn tiered(key: &'a str, object: &Object, tier: &'static str) -> Change<'a> {
        Change {
            group: "IntelligentTiering",
            more: More::Tiered(tier),
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
        let more = More::Replicated(replicated);
        Change { group: "Replication", more, ..Change::created(name, key, object) }
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

    /// The retention of an object was set or ended.
    pub(crate) fn retained(key: &'a str, object: &Object, now: Timestamp) -> Change<'a> {
        let retention = object.more.as_ref().and_then(|more| more.retention);
        let more =
            More::Retained(retention.map(|retention| Retention {
                until_millis: retention.end_millis(now),
                ..retention
            }));
        Change { group: "ObjectRetention", more, ..Change::created("Put", key, object) }
    }

    /// An archived object is restored: begun, there, or over.
    pub(crate) fn restored(name: &'static str, key: &'a str, object: &Object) -> Change<'a> {
        let until_millis = object.listed.restored.map_or(0, |copy| copy.until_millis);
        let more = More::Restored(object.listed.class().to_owned(), until_millis);
        Change { group: "ObjectRestore", more, ..Change::created(name, key, object) }
    }

    /// A delete marker was made.
    pub(crate) fn marked(key: &'a str, version: u64, version_id: Option<String>) -> Change<'a> {
        // As AWS sends it: the ETag of nothing.
        let e_tag = Some(ETag::plain(md5::Md5::digest([]).into()));
        let removed = Change::removed(key, version, version_id);
        Change { name: "DeleteMarkerCreated", e_tag, ..removed }
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
            more: More::Nothing,
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
            more: More::Nothing,
        }
    }

    /// An annotation of an object was put or removed. What AWS tells of the annotation itself is written nowhere.
    pub(crate) fn annotated(name: &'static str, key: &'a str, object: &Object) -> Change<'a> {
        Change { group: "ObjectAnnotation", ..Change::tagged(name, key, object) }
    }

    /// Some groups of events came with a later version of the message.
    fn event_version(&self) -> &'static str {
        match (self.group, self.name) {
            ("ObjectCreated" | "ObjectRemoved", _) => "2.1",
            ("ObjectRestore", "Post" | "Completed") => "2.1",
            ("Replication", _) => "2.2",
            ("ObjectAnnotation" | "ObjectRetention", _) => "2.5",
            _ => "2.3",
        }
    }

    /// Whether S3 did it by itself.
    fn is_by_s3(&self) -> bool {
        match self.group {
            "IntelligentTiering"
            | "LifecycleExpiration"
            | "LifecycleTransition"
            | "Replication" => true,
            "ObjectRestore" => self.name != "Post",
            _ => false,
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
        let message = message::text(tx, bucket, name, change, &destination.id);
        let effect = delivery(destination, &message);
        tx.emit(effect.on_behalf_of(&bucket_arn(name), &bucket.account))?;
    }
    if event_bridge && let Some(entry) = bus::entry(tx, name, change) {
        let input = json!({ "Entries": [entry] });
        let bus = arn::arn("events", &bucket.region, &bucket.account, "event-bus/default");
        let effect = Effect::call("events:PutEvents", Principal::service(SERVICE), &input)
            .on_behalf_of(&bucket_arn(name), &bucket.account)
            .located(&bucket.account, &bucket.region)
            .in_lane(&bus);
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

/// Where a change came from: a call from inside the cloud comes from this machine.
fn source_ip(tx: &WriteTx<'_>, change: &Change<'_>) -> String {
    match tx.request().source_ip {
        _ if change.is_by_s3() => SERVICE.to_owned(),
        Some(ip) => ip.to_string(),
        None => "127.0.0.1".to_owned(),
    }
}

/// Hexadecimal digits that grow with every write.
fn sequencer(version: u64) -> String {
    format!("{version:018X}")
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
