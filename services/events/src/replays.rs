//! Replays: the events of an archive once more, to the rules of its bus.
//!
//! A replay is a row that says how far it is and a job that goes on from there: each transaction writes the deliveries of
//! some events and the place that they reach, so that a killed replay neither leaves out nor doubles an event.

use fogbank_core::wire::Timestamp;
use fogbank_core::{Arn, Cx, Effect, Fault, ReadTx, Tx, WriteTx};
use serde_json::{Value, json};

use crate::error::Error;
use crate::model::{
    CancelReplayInput, CancelReplayOutput, DescribeReplayInput, DescribeReplayOutput,
    ListReplaysInput, ListReplaysOutput, Replay, ReplayDestination, ReplayState, StartReplayInput,
    StartReplayOutput,
};
use crate::pages;
use crate::routing::{self, Event};
use crate::rules::json::Json;
use crate::rules::names::{self, NamedKey};
use crate::store::{self, ARCHIVED, ARCHIVES, REPLAYS};
use crate::tasks;

/// How many replays of an account may go on in a region.
const MOST: usize = 10;
/// How many events one transaction replays.
const AT_ONCE: usize = 20;

fn key_of(tx: &impl Tx, name: &str) -> NamedKey {
    (tx.account().to_owned(), tx.region().to_owned(), name.to_owned())
}

fn find(tx: &impl Tx, key: &NamedKey) -> Result<store::Replay, Error> {
    let missing = || Error::ResourceNotFoundException(format!("Replay {} does not exist.", key.2));
    REPLAYS.get(tx, key)?.ok_or_else(missing)
}

fn is_going_on(state: &str) -> bool {
    matches!(state, "STARTING" | "RUNNING" | "CANCELLING")
}

/// Begins a replay.
pub(crate) fn start(
    tx: &mut WriteTx<'_>,
    input: StartReplayInput,
) -> Result<StartReplayOutput, Error> {
    let key = key_of(tx, &input.replay_name);
    if REPLAYS.contains(tx, &key)? {
        let message = format!("Replay {} already exists.", key.2);
        return Err(Error::ResourceAlreadyExistsException(message));
    }
    let archive = archive_of(tx, &input)?;
    if input.event_start_time.millis() >= input.event_end_time.millis() {
        let message = "Parameter EventEndTime is not valid. Reason: EventStartTime must be before \
                       EventEndTime.";
        return Err(Error::invalid(message));
    }
    let known = REPLAYS.list(tx, &(&key.0, &key.1))?;
    if known.iter().filter(|(_, replay)| is_going_on(&replay.state)).count() >= MOST {
        return Err(Error::LimitExceededException);
    }
    let now = tx.now().millis();
    let replay = store::Replay {
        archive_id: archive.id,
        archive_arn: input.event_source_arn,
        bus: archive.bus,
        filter_arns: input.destination.filter_arns,
        description: input.description,
        state: ReplayState::Starting.as_str().to_owned(),
        from_millis: input.event_start_time.millis(),
        until_millis: input.event_end_time.millis(),
        started_millis: now,
        ended_millis: None,
        replayed_millis: None,
        after: None,
    };
    REPLAYS.put(tx, &key, &replay)?;
    let arn = names::named_arn("replay", &key);
    tx.emit(Effect::job(tasks::REPLAY, &json!({ "name": key.2 })).in_lane(&arn))?;
    Ok(StartReplayOutput {
        replay_arn: Some(arn),
        state: Some(ReplayState::Starting),
        state_reason: None,
        replay_start_time: Some(Timestamp::from_millis(now)),
    })
}

/// The archive that a replay is of, whose bus must be the destination.
fn archive_of(tx: &WriteTx<'_>, input: &StartReplayInput) -> Result<store::Archive, Error> {
    let wrong = |name: &str, reason: &str| {
        Error::invalid(format!("Parameter {name} is not valid. Reason: {reason}"))
    };
    let Some(bus) = names::bus_of_arn(&input.destination.arn) else {
        return Err(wrong("Destination.Arn", "Must contain an event bus ARN."));
    };
    store::bus(tx, &bus)?;
    let arn = Arn::parse(&input.event_source_arn).filter(|arn| arn.service == "events");
    let name = arn.as_ref().and_then(|arn| arn.resource.strip_prefix("archive/"));
    let Some((arn, name)) = arn.as_ref().zip(name) else {
        return Err(wrong("EventSourceArn", "Must contain an archive ARN."));
    };
    let archive = ARCHIVES.get(tx, &(arn.account, arn.region, name))?;
    let Some(archive) = archive.filter(|_| arn.account == tx.account()) else {
        return Err(wrong("EventSourceArn", &format!("Archive {name} does not exist.")));
    };
    match archive.bus == bus {
        true => Ok(archive),
        false => Err(wrong("Destination.Arn", "Cross event bus replay is not permitted.")),
    }
}

/// Shows a replay.
pub(crate) fn describe(
    tx: &ReadTx<'_>,
    input: DescribeReplayInput,
) -> Result<DescribeReplayOutput, Error> {
    let key = key_of(tx, &input.replay_name);
    let replay = find(tx, &key)?;
    Ok(DescribeReplayOutput {
        replay_arn: Some(names::named_arn("replay", &key)),
        replay_name: Some(key.2),
        description: replay.description,
        state: ReplayState::from_name(&replay.state),
        state_reason: None,
        event_source_arn: Some(replay.archive_arn),
        destination: Some(ReplayDestination {
            arn: names::bus_arn(&replay.bus),
            filter_arns: replay.filter_arns,
        }),
        event_start_time: Some(Timestamp::from_millis(replay.from_millis)),
        event_end_time: Some(Timestamp::from_millis(replay.until_millis)),
        event_last_replayed_time: replay.replayed_millis.map(Timestamp::from_millis),
        replay_start_time: Some(Timestamp::from_millis(replay.started_millis)),
        replay_end_time: replay.ended_millis.map(Timestamp::from_millis),
    })
}

/// Lists replays by name.
pub(crate) fn list(tx: &ReadTx<'_>, input: ListReplaysInput) -> Result<ListReplaysOutput, Error> {
    let filters =
        [input.name_prefix.is_some(), input.event_source_arn.is_some(), input.state.is_some()];
    if filters.iter().filter(|is_given| **is_given).count() > 1 {
        let message = "At most one filter is allowed for ListReplays. Use either : State, \
                       EventSourceArn, or NamePrefix.";
        return Err(Error::invalid(message));
    }
    let mut replays = REPLAYS.list(tx, &(tx.account(), tx.region()))?;
    replays.retain(|(key, replay)| {
        input.name_prefix.as_ref().is_none_or(|prefix| key.2.starts_with(prefix))
            && input.event_source_arn.as_ref().is_none_or(|arn| replay.archive_arn == *arn)
            && input.state.is_none_or(|state| replay.state == state.as_str())
    });
    let (page, next_token) =
        pages::of(replays, |(key, _)| &key.2, input.next_token.as_deref(), input.limit)?;
    let shown = |(key, replay): (NamedKey, store::Replay)| Replay {
        replay_name: Some(key.2),
        event_source_arn: Some(replay.archive_arn),
        state: ReplayState::from_name(&replay.state),
        state_reason: None,
        event_start_time: Some(Timestamp::from_millis(replay.from_millis)),
        event_end_time: Some(Timestamp::from_millis(replay.until_millis)),
        event_last_replayed_time: replay.replayed_millis.map(Timestamp::from_millis),
        replay_start_time: Some(Timestamp::from_millis(replay.started_millis)),
        replay_end_time: replay.ended_millis.map(Timestamp::from_millis),
    };
    Ok(ListReplaysOutput { replays: Some(page.into_iter().map(shown).collect()), next_token })
}

/// Ends a replay before it is through.
pub(crate) fn cancel(
    tx: &mut WriteTx<'_>,
    input: CancelReplayInput,
) -> Result<CancelReplayOutput, Error> {
    let key = key_of(tx, &input.replay_name);
    let mut replay = find(tx, &key)?;
    if !matches!(replay.state.as_str(), "STARTING" | "RUNNING") {
        let message = format!("Replay {} is not in a valid state for this operation.", key.2);
        return Err(Error::IllegalStatusException(message));
    }
    ReplayState::Cancelling.as_str().clone_into(&mut replay.state);
    REPLAYS.put(tx, &key, &replay)?;
    Ok(CancelReplayOutput {
        replay_arn: Some(names::named_arn("replay", &key)),
        state: Some(ReplayState::Cancelling),
        state_reason: None,
    })
}

/// Goes on with a replay until it is through.
pub(crate) async fn run(cx: Cx, input: Value) -> Result<(), Fault> {
    let name = input["name"].as_str().unwrap_or_default();
    let key = (cx.account().to_owned(), cx.region().to_owned(), name.to_owned());
    loop {
        let now = cx.now().millis();
        if cx.write(|tx| step(tx, &key, now)).await? {
            return Ok(());
        }
    }
}

/// Replays some events; returns whether it is through.
fn step(tx: &mut WriteTx<'_>, key: &NamedKey, now: i64) -> Result<bool, Error> {
    let Some(mut replay) = REPLAYS.get(tx, key)?.filter(|replay| is_going_on(&replay.state)) else {
        return Ok(true);
    };
    let is_through = replay.state == "CANCELLING" || replay_some(tx, key, &mut replay, now)?;
    let state = match (replay.state.as_str(), is_through) {
        ("CANCELLING", _) => ReplayState::Cancelled,
        (_, true) => ReplayState::Completed,
        (_, false) => ReplayState::Running,
    };
    state.as_str().clone_into(&mut replay.state);
    replay.ended_millis = is_through.then_some(now);
    REPLAYS.put(tx, key, &replay)?;
    Ok(is_through)
}

fn replay_some(
    tx: &mut WriteTx<'_>,
    key: &NamedKey,
    replay: &mut store::Replay,
    now: i64,
) -> Result<bool, Error> {
    let id = replay.archive_id;
    let at = |millis: i64| (id, millis.max(0).unsigned_abs(), 0, "");
    let mut range = ARCHIVED
        .range(&(id,))
        .from(&at(replay.from_millis))
        .before(&at(replay.until_millis))
        .limit(AT_ONCE);
    if let Some((millis, version, event)) = &replay.after {
        range = range.after(&(id, *millis, *version, event.as_str()));
    }
    let rows = range.list(tx)?;
    let mut events = Vec::new();
    for ((_, millis, version, event_id), archived) in &rows {
        replay.after = Some((*millis, *version, event_id.clone()));
        replay.replayed_millis = i64::try_from(*millis).ok();
        // What was archived can be read.
        let Some(Json::Object(mut members)) = Json::parse(&archived.event) else { continue };
        members.push(("replay-name".to_owned(), Json::String(key.2.clone())));
        let mut event =
            Event::new(event_id.clone(), replay.bus.clone(), Json::Object(members), now);
        event.is_forwarded = archived.is_forwarded;
        event.only_rules.clone_from(&replay.filter_arns);
        event.is_replayed = true;
        events.push(event);
    }
    routing::accept(tx, &events)?;
    Ok(rows.len() < AT_ONCE)
}
