//! Rows: groups, streams and events.

use std::collections::BTreeMap;

use fogbank_core::Tx;
use fogbank_core::store::{Read, Table, TableLabel, row};
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
    pub(crate) kms_key_id: Option<String>,
    pub(crate) class: String,
    pub(crate) deletion_protection: bool,
    pub(crate) tags: BTreeMap<String, String>,
}

row!(Group, 1);

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
    pub(crate) message: String,
    pub(crate) ingestion_millis: i64,
}

row!(Event, 1);

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
