//! How buses, rules and targets lie on disk: the only file that knows.
//!
//! | table | key | value |
//! |---|---|---|
//! | `events.buses` | account, region, name | [`Bus`] |
//! | `events.rules` | account, region, bus, name | [`Rule`] |
//! | `events.targets` | account, region, bus, rule, target's id | [`Target`] |
//! | `events.due` | when it fires, account, region, rule | – |
//! | `events.archives` | account, region, name | [`Archive`] |
//! | `events.archived` | archive's id, when it was accepted, transaction, event's id | [`Archived`] |
//! | `events.archive_sizes` | archive's id | how many events, and bytes |
//! | `events.replays` | account, region, name | [`Replay`] |
//! | `events.connections` | account, region, name | [`Connection`] |
//! | `events.destinations` | account, region, name | [`ApiDestination`] |
//!
//! The default bus of an account and region is there without a row; it has one once something is set.

use std::collections::BTreeMap;

use fogbank_core::WriteTx;
use fogbank_core::store::{Read, Table, TableLabel, row};
use serde::{Deserialize, Serialize};

use crate::error::Error;
use crate::rules::names::{BusKey, DEFAULT, NamedKey, RuleKey};

pub(crate) static BUSES: Table<BusKey, Bus> = Table::new("events.buses", 0x1301);
pub(crate) static RULES: Table<RuleKey, Rule> = Table::new("events.rules", 0x1302);
pub(crate) static TARGETS: Table<(String, String, String, String, String), Target> =
    Table::new("events.targets", 0x1303);
pub(crate) static DUE: Table<(u64, String, String, String), ()> = Table::new("events.due", 0x1304);
pub(crate) static ARCHIVES: Table<NamedKey, Archive> = Table::new("events.archives", 0x1305);
pub(crate) static ARCHIVED: Table<(u64, u64, u64, String), Archived> =
    Table::new("events.archived", 0x1306);
pub(crate) static SIZES: Table<(u64,), ArchiveSize> = Table::new("events.archive_sizes", 0x1307);
pub(crate) static REPLAYS: Table<NamedKey, Replay> = Table::new("events.replays", 0x1308);
pub(crate) static CONNECTIONS: Table<NamedKey, Connection> =
    Table::new("events.connections", 0x1309);
pub(crate) static DESTINATIONS: Table<NamedKey, ApiDestination> =
    Table::new("events.destinations", 0x130a);

/// All tables.
pub(crate) static TABLES: &[TableLabel] = &[
    BUSES.label(),
    RULES.label(),
    TARGETS.label(),
    DUE.label(),
    ARCHIVES.label(),
    ARCHIVED.label(),
    SIZES.label(),
    REPLAYS.label(),
    CONNECTIONS.label(),
    DESTINATIONS.label(),
];

/// A bus.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Bus {
    pub(crate) description: Option<String>,
    pub(crate) kms_key: Option<String>,
    pub(crate) dead_letter_arn: Option<String>,
    /// The level and what details logs have, as AWS names them.
    pub(crate) log: Option<(String, String)>,
    pub(crate) policy: Option<String>,
    pub(crate) tags: BTreeMap<String, String>,
    /// Unknown for the default bus.
    pub(crate) created_millis: Option<i64>,
    pub(crate) modified_millis: Option<i64>,
}

row!(Bus, 1);

/// A rule.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Rule {
    pub(crate) pattern: Option<String>,
    pub(crate) schedule: Option<String>,
    pub(crate) state: String,
    pub(crate) description: Option<String>,
    pub(crate) role_arn: Option<String>,
    pub(crate) managed_by: Option<String>,
    pub(crate) created_by: String,
    pub(crate) tags: BTreeMap<String, String>,
    /// From when its rate counts.
    pub(crate) since_millis: i64,
    /// When it fires next by its schedule.
    pub(crate) due_millis: Option<i64>,
}

row!(Rule, 1);

impl Rule {
    pub(crate) fn is_enabled(&self) -> bool {
        self.state != "DISABLED"
    }
}

/// Where a rule's events go, and how.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Target {
    pub(crate) arn: String,
    pub(crate) role_arn: Option<String>,
    pub(crate) input: Input,
    /// The group of messages, if parameters for a queue are given.
    pub(crate) queue: Option<Option<String>>,
    pub(crate) http: Option<Http>,
    /// The queue, if a configuration is given.
    pub(crate) dead_letter: Option<Option<String>>,
    /// How often and for how many seconds it is tried, if a policy is given.
    pub(crate) retry: Option<(Option<i32>, Option<i32>)>,
}

row!(Target, 1);

/// What a target gets.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) enum Input {
    #[default]
    Event,
    Constant(String),
    Path(String),
    Template {
        paths: BTreeMap<String, String>,
        /// Whether paths were given, be it none.
        has_paths: bool,
        template: String,
    },
}

/// What is added to a request of HTTP; what was not given is told from what is empty.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Http {
    pub(crate) path_values: Option<Vec<String>>,
    pub(crate) headers: Option<BTreeMap<String, String>>,
    pub(crate) query: Option<BTreeMap<String, String>>,
}

/// What keeps the events of a bus.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Archive {
    /// A number that no other archive ever had.
    pub(crate) id: u64,
    pub(crate) bus: BusKey,
    pub(crate) description: Option<String>,
    pub(crate) pattern: Option<String>,
    /// For ever if zero.
    pub(crate) retention_days: i32,
    pub(crate) created_millis: i64,
}

row!(Archive, 1);

/// An event in an archive.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Archived {
    pub(crate) event: String,
    pub(crate) is_forwarded: bool,
}

row!(Archived, 1);

/// What an archive holds.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct ArchiveSize {
    pub(crate) events: i64,
    pub(crate) bytes: i64,
}

row!(ArchiveSize, 1);

/// A replay, and how far it is.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Replay {
    pub(crate) archive_id: u64,
    pub(crate) archive_arn: String,
    pub(crate) bus: BusKey,
    pub(crate) filter_arns: Option<Vec<String>>,
    pub(crate) description: Option<String>,
    pub(crate) state: String,
    pub(crate) from_millis: i64,
    pub(crate) until_millis: i64,
    pub(crate) started_millis: i64,
    pub(crate) ended_millis: Option<i64>,
    pub(crate) replayed_millis: Option<i64>,
    /// The key of the last event that was replayed, within the archive.
    pub(crate) after: Option<(u64, u64, String)>,
}

row!(Replay, 1);

/// How to prove to a host who one is.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Connection {
    /// What follows the name in the ARN.
    pub(crate) id: String,
    pub(crate) description: Option<String>,
    pub(crate) state: String,
    pub(crate) state_reason: Option<String>,
    /// The kind of authorization.
    pub(crate) kind: String,
    /// Its parameters, sealed with the root key; none if they were taken away.
    pub(crate) sealed: Option<Vec<u8>>,
    pub(crate) created_millis: i64,
    pub(crate) modified_millis: i64,
    pub(crate) authorized_millis: Option<i64>,
}

row!(Connection, 1);

/// An HTTP endpoint that events are sent to.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct ApiDestination {
    /// What follows the name in the ARN.
    pub(crate) id: String,
    pub(crate) description: Option<String>,
    pub(crate) connection_arn: String,
    pub(crate) endpoint: String,
    pub(crate) method: String,
    pub(crate) rate_limit: i32,
    pub(crate) created_millis: i64,
    pub(crate) modified_millis: i64,
}

row!(ApiDestination, 1);

/// The archives of a bus.
pub(crate) fn archives_of(tx: &(impl Read + ?Sized), bus: &BusKey) -> Result<Vec<Archive>, Error> {
    let archives = ARCHIVES.list(tx, &(&bus.0, &bus.1))?;
    Ok(archives.into_iter().map(|(_, archive)| archive).filter(|it| it.bus == *bus).collect())
}

/// How many events an archive holds, and how many bytes they have.
pub(crate) fn size_of_archive(tx: &(impl Read + ?Sized), id: u64) -> Result<(i64, i64), Error> {
    let size = SIZES.get(tx, &(id,))?.unwrap_or_default();
    Ok((size.events, size.bytes))
}

/// Counts what an archive gets or loses.
pub(crate) fn grow_archive(
    tx: &mut WriteTx<'_>,
    id: u64,
    events: i64,
    bytes: i64,
) -> Result<(), Error> {
    let mut size = SIZES.get(tx, &(id,))?.unwrap_or_default();
    size.events += events;
    size.bytes += bytes;
    Ok(SIZES.put(tx, &(id,), &size)?)
}

/// Forgets how much an archive holds that is gone.
pub(crate) fn forget_size(tx: &mut WriteTx<'_>, id: u64) -> Result<(), Error> {
    Ok(SIZES.delete(tx, &(id,))?)
}

/// Reads a bus; the default one is always there.
pub(crate) fn bus(tx: &(impl Read + ?Sized), key: &BusKey) -> Result<Bus, Error> {
    match BUSES.get(tx, key)? {
        Some(bus) => Ok(bus),
        None if key.2 == DEFAULT => Ok(Bus::default()),
        None => Err(Error::no_bus(&key.2)),
    }
}

/// Reads a rule.
pub(crate) fn rule(tx: &(impl Read + ?Sized), key: &RuleKey) -> Result<Rule, Error> {
    RULES.get(tx, key)?.ok_or_else(|| Error::no_rule(&key.2, &key.3))
}

/// Writes a rule and when it fires next.
pub(crate) fn put_rule(
    tx: &mut WriteTx<'_>,
    key: &RuleKey,
    before: Option<&Rule>,
    rule: &Rule,
) -> Result<(), Error> {
    forget_due(tx, key, before)?;
    if let Some(due) = rule.due_millis {
        let (account, region, _, name) = key;
        DUE.put(tx, &(due.max(0).unsigned_abs(), account, region, name), &())?;
        tx.wake(crate::tasks::SCHEDULES);
    }
    Ok(RULES.put(tx, key, rule)?)
}

fn forget_due(tx: &mut WriteTx<'_>, key: &RuleKey, rule: Option<&Rule>) -> Result<(), Error> {
    if let Some(due) = rule.and_then(|rule| rule.due_millis) {
        let (account, region, _, name) = key;
        DUE.delete(tx, &(due.max(0).unsigned_abs(), account, region, name))?;
    }
    Ok(())
}

/// Removes a rule with its targets.
pub(crate) fn remove_rule(tx: &mut WriteTx<'_>, key: &RuleKey, rule: &Rule) -> Result<(), Error> {
    let (account, region, bus, name) = key;
    forget_due(tx, key, Some(rule))?;
    TARGETS.delete_all(tx, &(account, region, bus, name))?;
    Ok(RULES.delete(tx, key)?)
}

/// The targets of a rule, by their ids.
pub(crate) fn targets(
    tx: &(impl Read + ?Sized),
    (account, region, bus, rule): &RuleKey,
) -> Result<Vec<(String, Target)>, Error> {
    let rows = TARGETS.list(tx, &(account, region, bus, rule))?;
    Ok(rows.into_iter().map(|((.., id), target)| (id, target)).collect())
}
