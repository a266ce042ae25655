//! From a bus to the targets of the rules that want an event.
//!
//! Which rules want it is decided when it is accepted, in the same transaction in which each delivery becomes a row of
//! the outbox. What one transaction should not hold goes on in others, for which a row stands as well.

use std::collections::BTreeMap;
use std::sync::Arc;

use fogbank_core::{Cx, Effect, Fault, Tx, WriteTx};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::archives;
use crate::delivery;
use crate::error::Error;
use crate::patterns;
use crate::rules::json::Json;
use crate::rules::names::{self, BusKey, RuleKey};
use crate::rules::pattern::Pattern;
use crate::store::{self, Archive, RULES, Rule};
use crate::tasks;

/// How many bytes of deliveries one transaction writes, more or less.
const BYTES: usize = 8 * 1024 * 1024;

/// An event on its way.
#[derive(Clone, Debug)]
pub(crate) struct Event {
    pub(crate) id: String,
    pub(crate) bus: BusKey,
    pub(crate) json: Json,
    /// The same as text.
    pub(crate) text: String,
    pub(crate) accepted_millis: i64,
    /// Whether it came from another bus: it goes to no third one, as on AWS.
    pub(crate) is_forwarded: bool,
    /// Whether it came out of an archive, which does not take it again.
    pub(crate) is_replayed: bool,
    /// The ARNs of the rules that may hear of it, if not all may.
    pub(crate) only_rules: Option<Vec<String>>,
}

/// An event that waits for a transaction of its own.
#[derive(Debug, Serialize, Deserialize)]
struct Waiting {
    bus: BusKey,
    event: String,
    accepted_millis: i64,
    is_forwarded: bool,
    only_rules: Option<Vec<String>>,
    /// The last rule that has its deliveries.
    after: Option<String>,
}

impl Event {
    pub(crate) fn new(id: String, bus: BusKey, json: Json, accepted_millis: i64) -> Event {
        let text = json.to_string();
        Event {
            id,
            bus,
            json,
            text,
            accepted_millis,
            is_forwarded: false,
            is_replayed: false,
            only_rules: None,
        }
    }
}

/// The rules of a bus that look at events.
type Rules = Vec<(RuleKey, Rule, Arc<Pattern>)>;

fn rules(tx: &WriteTx<'_>, bus: &BusKey) -> Result<Rules, Error> {
    let rows = RULES.list(tx, &(&bus.0, &bus.1, &bus.2))?;
    let enabled = rows.into_iter().filter(|(_, rule)| rule.is_enabled());
    Ok(enabled
        .filter_map(|(key, rule)| {
            let pattern = patterns::stored(tx.cx().cloud(), rule.pattern.as_deref()?)?;
            Some((key, rule, pattern))
        })
        .collect())
}

/// What is known of a bus while events are accepted.
struct Known {
    rules: Rules,
    archives: Vec<Archive>,
}

/// Puts events into the archives, and emits their deliveries to the targets of all rules, that want them.
pub(crate) fn accept(tx: &mut WriteTx<'_>, events: &[Event]) -> Result<(), Error> {
    let mut buses: BTreeMap<BusKey, Known> = BTreeMap::new();
    let mut room = BYTES;
    for event in events {
        if !buses.contains_key(&event.bus) {
            let archives = store::archives_of(tx, &event.bus)?;
            let known = Known { rules: rules(tx, &event.bus)?, archives };
            buses.insert(event.bus.clone(), known);
        }
        let known = &buses[&event.bus];
        if !event.is_replayed {
            archives::keep(tx, event, &known.archives)?;
        }
        route(tx, event, &known.rules, None, &mut room)?;
    }
    Ok(())
}

fn route(
    tx: &mut WriteTx<'_>,
    event: &Event,
    rules: &Rules,
    after: Option<&str>,
    room: &mut usize,
) -> Result<(), Error> {
    let mut last = after;
    for (key, rule, pattern) in rules {
        let is_meant = |only: &Vec<String>| only.contains(&names::rule_arn(key));
        if after.is_some_and(|after| key.3.as_str() <= after)
            || !event.only_rules.as_ref().is_none_or(is_meant)
            || !pattern.matches(&event.json)
        {
            continue;
        }
        if *room == 0 {
            return wait(tx, event, last);
        }
        for (_, target) in store::targets(tx, key)? {
            let written = delivery::emit(tx, event, (key, rule), &target)?;
            *room = room.saturating_sub(written);
        }
        last = Some(&key.3);
    }
    Ok(())
}

fn wait(tx: &mut WriteTx<'_>, event: &Event, after: Option<&str>) -> Result<(), Error> {
    let waiting = Waiting {
        bus: event.bus.clone(),
        event: event.text.clone(),
        accepted_millis: event.accepted_millis,
        is_forwarded: event.is_forwarded,
        only_rules: event.only_rules.clone(),
        after: after.map(str::to_owned),
    };
    let input = serde_json::to_value(&waiting).map_err(Fault::internal)?;
    let effect = Effect::job(tasks::ROUTE, &input)
        .located(&event.bus.0, &event.bus.1)
        .in_lane(&names::bus_arn(&event.bus));
    Ok(tx.emit(effect)?)
}

/// Goes on with an event that had to wait.
pub(crate) async fn go_on(cx: Cx, input: Value) -> Result<(), Fault> {
    let waiting: Waiting = serde_json::from_value(input).map_err(Fault::internal)?;
    let json = Json::parse(&waiting.event).ok_or_else(|| Fault::internal("no event"))?;
    let id = json.get("id").and_then(Json::as_str).unwrap_or_default().to_owned();
    let mut event = Event::new(id, waiting.bus, json, waiting.accepted_millis);
    event.is_forwarded = waiting.is_forwarded;
    event.only_rules = waiting.only_rules;
    cx.write(|tx| {
        let rules = rules(tx, &event.bus)?;
        route(tx, &event, &rules, waiting.after.as_deref(), &mut BYTES.clone())
    })
    .await?;
    Ok(())
}
