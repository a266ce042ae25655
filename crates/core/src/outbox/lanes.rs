//! How effects lie in the store: in lanes, one for what each needs to succeed.
//!
//! | table | key | value |
//! |---|---|---|
//! | `core.effects` | lane, when it is due, version and number within the transaction | [`Effect`] |
//! | `core.lanes` | lane | [`Lane`]: the first effect, and whether the last try failed |
//! | `core.turns` | whether the last try failed, when the first effect is due, lane | – |
//!
//! A lane that has effects has one turn. So the pump finds the lanes that have something to do without passing by the
//! million effects that wait in one of them, and lanes that fail without passing by those that do not.
//!
//! Where the tables begin is remembered, because on a log-structured engine what was removed there would have to be
//! walked through by every look: in each lane by its row, and for the turns in memory by [`Heads`].

use std::collections::HashMap;
use std::ops::ControlFlow;
use std::sync::Arc;

use fogbank_store::{Error, Read, Table, row};
use parking_lot::Mutex;
use serde::{Deserialize, Serialize};

use super::Effect;
use crate::{Cloud, Cx, Timestamp, Tx, WriteTx};

/// Lane, due time in milliseconds since 1970, version of the transaction that put it there, number within it.
pub type EffectKey = (String, u64, u64, u64);

/// The outbox as it was before there were lanes; the pump moves what it holds.
pub(crate) static BEFORE_LANES: Table<(u64, String), Effect> = Table::new("core.outbox", 0x0010);
/// The outbox.
pub static EFFECTS: Table<EffectKey, Effect> = Table::new("core.effects", 0x0012);
pub(crate) static LANES: Table<String, Lane> = Table::new("core.lanes", 0x0013);
pub(crate) static TURNS: Table<(bool, u64, String), ()> = Table::new("core.turns", 0x0014);

/// How many rows a transaction moves.
const ROWS: usize = 200;

/// A lane that has effects.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lane {
    /// When the first effect is due.
    pub due: u64,
    /// The version of the first effect's transaction.
    pub version: u64,
    /// The first effect's number within its transaction.
    pub number: u64,
    /// Whether the last try failed.
    pub is_failing: bool,
}

row!(Lane, 1);

impl Lane {
    /// The key of the first effect.
    pub fn first(&self, lane: &str) -> EffectKey {
        (lane.to_owned(), self.due, self.version, self.number)
    }
}

/// Where the turns begin, for lanes that fail and those that do not: never later than the truth. It is raised only by a
/// transaction that has looked, and lowered by every one that puts something before it, each inside its closure, and
/// closures run one after the other.
#[derive(Debug, Default)]
struct Heads(Mutex<HashMap<bool, u64>>);

fn heads(cloud: &Cloud) -> Arc<Heads> {
    cloud.state(Heads::default)
}

impl Heads {
    fn get(&self, is_failing: bool) -> u64 {
        self.0.lock().get(&is_failing).copied().unwrap_or_default()
    }

    fn lower(&self, is_failing: bool, due: u64) {
        if let Some(head) = self.0.lock().get_mut(&is_failing) {
            *head = due.min(*head);
        }
    }

    fn set(&self, is_failing: bool, due: u64) {
        self.0.lock().insert(is_failing, due);
    }
}

/// Forgets what is remembered of the rows: they are being replaced as a whole.
pub fn forget(cloud: &Cloud) {
    heads(cloud).0.lock().clear();
}

/// Puts `effect` into its lane, due at `due`.
pub fn put(tx: &mut WriteTx<'_>, due: Timestamp, effect: &Effect) -> Result<(), Error> {
    let due = due.millis().max(0).unsigned_abs();
    let lane = effect.lane();
    let version = tx.version();
    let mut number = tx.next_number();
    while EFFECTS.contains(tx, &(lane, due, version, number))? {
        number = tx.next_number();
    }
    EFFECTS.put(tx, &(lane, due, version, number), effect)?;
    let known = LANES.get(tx, lane)?;
    if known.is_some_and(|known| (known.due, known.version, known.number) <= (due, version, number))
    {
        return Ok(());
    }
    let is_failing = known.is_some_and(|known| known.is_failing);
    set_first(tx, lane, known, Some(Lane { due, version, number, is_failing }))
}

/// Takes an effect out of its lane after a try, which `failed` or did not.
pub fn remove(tx: &mut WriteTx<'_>, key: &EffectKey, failed: bool) -> Result<(), Error> {
    let lane = key.0.as_str();
    EFFECTS.delete(tx, key)?;
    let Some(known) = LANES.get(tx, lane)? else { return Ok(()) };
    // Nothing is before the first effect: the look begins there, past what was removed.
    let first = EFFECTS.range(&(lane,)).from(&known.first(lane)).limit(1).keys(tx)?.pop();
    let first =
        first.map(|(_, due, version, number)| Lane { due, version, number, is_failing: failed });
    set_first(tx, lane, Some(known), first)?;
    let heads = heads(tx.cx().cloud());
    for is_failing in [false, true] {
        let from = heads.get(is_failing);
        let found =
            TURNS.range(&(is_failing,)).from(&(is_failing, from, "")).limit(1).keys(tx)?.pop();
        heads.set(is_failing, found.map_or(u64::MAX, |(_, due, _)| due));
    }
    Ok(())
}

/// Takes an effect out of its lane without a try.
pub fn discard(tx: &mut WriteTx<'_>, key: &EffectKey) -> Result<(), Error> {
    let is_failing = LANES.get(tx, key.0.as_str())?.is_some_and(|lane| lane.is_failing);
    remove(tx, key, is_failing)
}

/// Writes which effect is a lane's first.
fn set_first(
    tx: &mut WriteTx<'_>,
    lane: &str,
    before: Option<Lane>,
    after: Option<Lane>,
) -> Result<(), Error> {
    if before == after {
        return Ok(());
    }
    if let Some(Lane { is_failing, due, .. }) = before {
        TURNS.delete(tx, &(is_failing, due, lane))?;
    }
    match after {
        Some(after) => {
            LANES.put(tx, lane, &after)?;
            TURNS.put(tx, &(after.is_failing, after.due, lane), &())?;
            heads(tx.cx().cloud()).lower(after.is_failing, after.due);
            Ok(())
        }
        None => LANES.delete(tx, lane),
    }
}

/// A lane's turn: when its first effect is due, and the lane.
pub type Turn = (u64, String);

/// Up to `limit` turns that follow `after` and are due by `until`, of lanes that fail or of those that do not.
pub fn turns(
    rows: &dyn Read,
    cloud: &Cloud,
    is_failing: bool,
    after: Option<&Turn>,
    until: u64,
    limit: usize,
) -> Result<Vec<Turn>, Error> {
    let mut range = TURNS
        .range(&(is_failing,))
        .from(&(is_failing, heads(cloud).get(is_failing), ""))
        .before(&(is_failing, until.saturating_add(1), ""))
        .limit(limit);
    if let Some((due, lane)) = after {
        range = range.after(&(is_failing, *due, lane.as_str()));
    }
    let keys = range.keys(rows)?;
    Ok(keys.into_iter().map(|(_, due, lane)| (due, lane)).collect())
}

/// When the next turn after `now` comes.
pub fn next_turn(rows: &dyn Read, now: u64) -> Result<Option<u64>, Error> {
    let mut next = None;
    for is_failing in [false, true] {
        let from = (is_failing, now.saturating_add(1), "");
        let found = TURNS.range(&(is_failing,)).from(&from).limit(1).keys(rows)?.pop();
        next = [next, found.map(|(_, due, _)| due)].into_iter().flatten().min();
    }
    Ok(next)
}

/// What is known of a lane that has effects.
pub fn lane(rows: &dyn Read, lane: &str) -> Result<Option<Lane>, Error> {
    LANES.get(rows, lane)
}

/// Moves effects from where they lay before there were lanes; returns whether that was all.
pub async fn move_old(cx: &Cx) -> Result<bool, Error> {
    if cx.read(|tx| Ok::<_, Error>(BEFORE_LANES.first(tx, &())?.is_none()))? {
        return Ok(true);
    }
    cx.write(|tx| {
        let old = BEFORE_LANES.range(&()).limit(ROWS).list(tx)?;
        for (key, effect) in &old {
            let due = Timestamp::from_millis(i64::try_from(key.0).unwrap_or(i64::MAX));
            put(tx, due, effect)?;
            BEFORE_LANES.delete(tx, key)?;
        }
        Ok(old.len() < ROWS)
    })
    .await
}

/// Moves what waits for longer than it ever has to, because the clock went back, and wakes the pump.
pub async fn time_went_back(cx: &Cx) -> Result<(), Error> {
    let mut after: Option<EffectKey> = None;
    loop {
        let (last, was_all) = cx.write(|tx| move_late(tx, after.as_ref())).await?;
        after = last;
        if was_all {
            cx.wakes().wake(super::TOPIC);
            return Ok(());
        }
    }
}

fn move_late(
    tx: &mut WriteTx<'_>,
    after: Option<&EffectKey>,
) -> Result<(Option<EffectKey>, bool), Error> {
    let now = tx.cx().now().millis().max(0).unsigned_abs();
    let mut range = EFFECTS.range(&()).limit(ROWS);
    if let Some(after) = after {
        range = range.after(after);
    }
    let mut late = Vec::new();
    let mut last = None;
    let mut seen = 0;
    range.visit(tx, |key, effect| {
        seen += 1;
        if key.1 > now.saturating_add(effect.pause_millis()) {
            late.push((key.clone(), effect));
        }
        last = Some(key);
        ControlFlow::Continue(())
    })?;
    for (key, effect) in late {
        let is_failing = LANES.get(tx, key.0.as_str())?.is_some_and(|lane| lane.is_failing);
        let due = now.saturating_add(effect.pause_millis());
        put(tx, Timestamp::from_millis(i64::try_from(due).unwrap_or(i64::MAX)), &effect)?;
        remove(tx, &key, is_failing)?;
    }
    Ok((last, seen < ROWS))
}

#[cfg(test)]
mod formats {
    use fogbank_store::Value;

    use super::*;

    /// Whoever changes this must raise the version and read the old form.
    #[test]
    fn the_bytes_of_a_lane() {
        let lane = Lane { due: 1_767_225_600_000, version: 300, number: 2, is_failing: true };
        let mut bytes = Vec::new();
        lane.encode(&mut bytes).expect("a row");
        let digits: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(digits, "0180d0eab6b733ac020201");
        assert_eq!(Lane::decode_slice(&bytes).expect("readable"), lane);
    }
}
