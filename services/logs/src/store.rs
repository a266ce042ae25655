//! Rows: groups, streams and events.

use std::collections::BTreeMap;

use fogbank_core::seal::OVERHEAD_BYTES;
use fogbank_core::store::{self, Read, Table, TableLabel, row};
use fogbank_core::{Cx, Tx};
use serde::{Deserialize, Serialize};

use crate::error::Error;

/// Account, region, group.
pub(crate) type GroupKey = (String, String, String);
/// Account, region, group, stream.
pub(crate) type StreamKey = (String, String, String, String);
/// The stream's id, the event's time in milliseconds since 1970, its place among the stream's events.
pub(crate) type EventKey = (u64, u64, u64);

pub(crate) static GROUPS: Table<GroupKey, Group> = Table::new("logs.groups", 0x0801);
pub(crate) static STREAMS: Table<StreamKey, Stream> = Table::new("logs.streams", 0x0802);
pub(crate) static EVENTS: Table<EventKey, Event> = Table::new("logs.events", 0x0803);
/// Ids of streams that were deleted and whose events are still there.
pub(crate) static DOOMED: Table<(u64,), Doomed> = Table::new("logs.doomed", 0x0804);

/// All tables.
pub(crate) static TABLES: &[TableLabel] =
    &[GROUPS.label(), STREAMS.label(), EVENTS.label(), DOOMED.label()];

/// A log group.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Group {
    pub(crate) created_millis: i64,
    pub(crate) retention_days: Option<i32>,
    /// The key of KMS that seals new events: its ARN, or in rows of older versions whatever its name was.
    pub(crate) kms_key_id: Option<String>,
    pub(crate) class: String,
    pub(crate) deletion_protection: bool,
    pub(crate) tags: BTreeMap<String, String>,
    /// One for each key of KMS that the group ever had; events name theirs by its place.
    pub(crate) data_keys: Vec<SealedDataKey>,
}

row!(Group, 2, older_group);

/// A data key of a group.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct SealedDataKey {
    /// The ARN of the key of KMS that sealed it.
    pub(crate) key_arn: String,
    /// The data key as KMS sealed it.
    pub(crate) sealed: Vec<u8>,
}

#[derive(Deserialize)]
struct GroupV1 {
    created_millis: i64,
    retention_days: Option<i32>,
    kms_key_id: Option<String>,
    class: String,
    deletion_protection: bool,
    tags: BTreeMap<String, String>,
}

fn older_group(version: u8, bytes: &[u8]) -> Result<Group, store::Error> {
    if version != 1 {
        return store::no_older_version(version, bytes);
    }
    let old: GroupV1 = store::decode_fields(bytes)?;
    Ok(Group {
        created_millis: old.created_millis,
        retention_days: old.retention_days,
        kms_key_id: old.kms_key_id,
        class: old.class,
        deletion_protection: old.deletion_protection,
        tags: old.tags,
        data_keys: Vec::new(),
    })
}

/// A log stream.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Stream {
    /// Under which the events lie; a stream that is created anew has another.
    pub(crate) id: u64,
    pub(crate) created_millis: i64,
    pub(crate) first_event_millis: Option<i64>,
    pub(crate) last_event_millis: Option<i64>,
    pub(crate) last_ingestion_millis: Option<i64>,
    pub(crate) stored_bytes: i64,
    pub(crate) next_place: u64,
}

row!(Stream, 1);

/// A log event.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Event {
    pub(crate) message: Message,
    pub(crate) ingestion_millis: i64,
}

row!(Event, 2, older_event);

/// What an event says.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) enum Message {
    Plain(String),
    /// Sealed by the group's data key of this place.
    Sealed {
        data_key: u32,
        bytes: Vec<u8>,
    },
}

impl Message {
    /// Bytes of what it says.
    pub(crate) fn len(&self) -> usize {
        match self {
            Message::Plain(message) => message.len(),
            Message::Sealed { bytes, .. } => bytes.len().saturating_sub(OVERHEAD_BYTES),
        }
    }

    /// Whether a data key must open it.
    pub(crate) fn is_sealed(&self) -> bool {
        matches!(self, Message::Sealed { .. })
    }
}

#[derive(Deserialize)]
struct EventV1 {
    message: String,
    ingestion_millis: i64,
}

fn older_event(version: u8, bytes: &[u8]) -> Result<Event, store::Error> {
    if version != 1 {
        return store::no_older_version(version, bytes);
    }
    let EventV1 { message, ingestion_millis } = store::decode_fields(bytes)?;
    Ok(Event { message: Message::Plain(message), ingestion_millis })
}

/// A deleted stream whose events are still there.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Doomed {
    pub(crate) since_millis: i64,
}

row!(Doomed, 1);

/// The key of a group of the caller.
pub(crate) fn group_key(tx: &impl Tx, name: &str) -> GroupKey {
    (tx.account().to_owned(), tx.region().to_owned(), name.to_owned())
}

/// The key of a group of the caller, outside of a transaction.
pub(crate) fn group_key_of(cx: &Cx, name: &str) -> GroupKey {
    (cx.account().to_owned(), cx.region().to_owned(), name.to_owned())
}

/// The key of a stream of the caller.
pub(crate) fn stream_key(tx: &impl Tx, group: &str, stream: &str) -> StreamKey {
    (tx.account().to_owned(), tx.region().to_owned(), group.to_owned(), stream.to_owned())
}

/// The group, or AWS's error.
pub(crate) fn group(rows: &(impl Read + ?Sized), key: &GroupKey) -> Result<Group, Error> {
    GROUPS.get(rows, key)?.ok_or_else(Error::no_group)
}

/// The stream, or AWS's error for whichever is missing.
pub(crate) fn stream(rows: &(impl Read + ?Sized), key: &StreamKey) -> Result<Stream, Error> {
    if let Some(stream) = STREAMS.get(rows, key)? {
        return Ok(stream);
    }
    let (account, region, name, _) = key.clone();
    group(rows, &(account, region, name))?;
    Err(Error::no_stream())
}
