//! Work in the background: filling new indexes, removing what nobody names any more, items that expire, counting.
//!
//! Each round looks at the rows that say what is to be done, and does it in transactions of a few hundred rows, so that
//! nobody waits long behind one. What is removed is looked for outside of them, and each look begins where the last one
//! ended: on a log-structured engine it would walk through all that was removed before.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::time::Duration;

use fogbank_core::{BoxFuture, Cx, Fault, Task, WriteTx};

use crate::changes::{self, Change};
use crate::definition::Definition;
use crate::encoding::{decode_item, encode_item};
use crate::encryption;
use crate::error::Result;
use crate::keys::{Key, KeyRange, row_key};
use crate::store::{self, Counted, Expiry};
use crate::value::Item;

/// The task that fills, removes and forgets, and the topic that wakes it.
pub(crate) const UPKEEP: &str = "dynamodb.upkeep";
/// Stands for a table's expiries where the number of an index is expected.
pub(crate) const EXPIRIES: u64 = 0;
/// Stands for sealing all rows of a table anew where the number of an index is expected.
pub(crate) const SEALING: u64 = u64::MAX;
/// How many rows one transaction touches.
const BATCH: usize = 500;
/// How many rows a new index is filled with before its creation is answered.
const FIRST_BATCH: usize = 1000;
/// Items that expired longer ago than five years are left alone.
/// <https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/time-to-live-ttl-before-you-start.html>
const OLDEST_EXPIRY_SECS: u64 = 5 * 365 * 24 * 60 * 60;
/// How long a count holds. AWS counts about every six hours.
const COUNT_MILLIS: i64 = 6 * 60 * 60 * 1000;
/// How often DynamoDB looks whether it may still use the keys of tables. AWS needs from 13 to 75 minutes to notice.
const KEYS_MILLIS: u64 = 15 * 60 * 1000;
/// How many tables are counted before the round rests.
const COUNTED_TABLES: usize = 100;
/// How many rows are counted in one view of the store.
const COUNTED_ROWS: usize = 2_000;

/// The reconcilers.
pub(crate) static TASKS: &[Task] = &[
    Task { name: UPKEEP, every: Duration::from_secs(60), run: upkeep },
    Task { name: "dynamodb.expiry", every: Duration::from_secs(5), run: expire },
    Task { name: "dynamodb.keys", every: Duration::from_millis(KEYS_MILLIS), run: check_keys },
    Task { name: "dynamodb.counts", every: Duration::from_millis(COUNT_MILLIS as u64), run: count },
];

fn upkeep(cx: Cx) -> BoxFuture<'static, std::result::Result<(), Fault>> {
    Box::pin(async move {
        while unlock_next(&cx).await? && cx.write(fill_next).await? {}
        loop {
            let next = cx.read(|tx| store::first_purge(tx))?;
            let Some(id) = next else { break };
            purge(&cx, id).await?;
        }
        let now = cx.now().millis();
        while !cx.write(|tx| store::forget_tokens(tx, now, BATCH)).await? {}
        Ok(())
    })
}

/// Removes all rows under a number, to which nobody writes any more.
async fn purge(cx: &Cx, id: u64) -> Result<()> {
    let mut range = KeyRange::of_prefix(id.to_be_bytes().to_vec());
    loop {
        let mut keys = cx.read(|tx| store::some_keys(tx, &range, BATCH))?;
        let is_done = keys.len() < BATCH;
        cx.write(|tx| {
            keys.iter().for_each(|key| store::delete_row(tx, key));
            if is_done { store::end_purge(tx, id) } else { Ok(()) }
        })
        .await?;
        match keys.pop().filter(|_| !is_done) {
            Some(last) => range.start = last,
            None => return Ok(()),
        }
        range.start.push(0);
    }
}

/// Gets what the first backfill needs to be read. False if KMS does not let it; the next round tries again.
async fn unlock_next(cx: &Cx) -> Result<bool> {
    let table = cx.read(|tx| match store::first_backfill(tx)? {
        Some((id, ..)) => store::table_of_id(tx, id),
        None => Ok(None),
    })?;
    let Some(table) = table else { return Ok(true) };
    may_open(cx, &table).await
}

/// Gets the data keys of a table; false if KMS refuses.
async fn may_open(cx: &Cx, table: &Definition) -> Result<bool> {
    match encryption::unlock_for_upkeep(cx, table).await {
        Ok(()) => Ok(true),
        Err(error) if encryption::is_lost(&error) => Ok(false),
        Err(error) => Err(error),
    }
}

/// Looks whether the keys of tables can be used, and says so in the tables' rows.
fn check_keys(cx: Cx) -> BoxFuture<'static, std::result::Result<(), Fault>> {
    Box::pin(async move {
        if !encryption::is_used(&cx)? {
            return Ok(());
        }
        let mut after = None;
        loop {
            let ids = cx.read(|tx| store::table_ids(tx, after, COUNTED_TABLES))?;
            let Some(last) = ids.last().copied() else { return Ok(()) };
            for id in ids {
                let Some(table) = cx.read(|tx| store::table_of_id(tx, id))? else { continue };
                let is_lost = !may_open(&cx, &table).await?;
                if is_lost != table.row.inaccessible_millis.is_some() {
                    cx.write(|tx| mark(tx, id, is_lost)).await?;
                }
            }
            after = Some(last);
        }
    })
}

fn mark(tx: &mut WriteTx<'_>, id: u64, is_lost: bool) -> Result<()> {
    let Some(table) = store::table_of_id(tx, id)? else { return Ok(()) };
    let mut row = table.row.clone();
    row.inaccessible_millis = is_lost.then(|| fogbank_core::Tx::now(tx).millis());
    store::put_table(tx, &table.account, &table.region, &row)
}

/// Goes on with the first backfill; false if there is none.
fn fill_next(tx: &mut WriteTx<'_>) -> Result<bool> {
    let Some((table, index, after)) = store::first_backfill(tx)? else { return Ok(false) };
    match store::table_of_id(tx, table)? {
        Some(definition) => fill(tx, &definition, index, after, BATCH)?,
        None => store::put_backfill(tx, table, index, None)?,
    }
    Ok(true)
}

/// Begins to fill an index of a table, or its expiries, with what the table holds; small tables are filled at once.
pub(crate) fn begin_fill(tx: &mut WriteTx<'_>, table: &Definition, index: u64) -> Result<()> {
    store::start_backfill(tx, table.id(), index)?;
    fill(tx, table, index, Vec::new(), FIRST_BATCH)
}

fn fill(
    tx: &mut WriteTx<'_>,
    table: &Definition,
    index: u64,
    after: Vec<u8>,
    limit: usize,
) -> Result<()> {
    let mut range = KeyRange::of_prefix(table.id().to_be_bytes().to_vec());
    if !after.is_empty() {
        range.start = after;
        range.start.push(0);
    }
    let rows = some_rows(tx, &range, limit)?;
    let is_done = rows.len() < limit;
    for (key, row) in &rows {
        fill_one(tx, table, index, key, &decode_item(row)?)?;
    }
    let last = rows.into_iter().next_back().map(|(key, _)| key);
    if !is_done {
        return store::put_backfill(tx, table.id(), index, last);
    }
    store::put_backfill(tx, table.id(), index, None)?;
    let mut row = table.row.clone();
    if index == SEALING {
        let kept = if row.encryption_key.is_some() { row.data_keys.pop() } else { None };
        encryption::retire(tx, &row.data_keys)?;
        row.data_keys = kept.into_iter().collect();
        return store::put_table(tx, &table.account, &table.region, &row);
    }
    if index == EXPIRIES {
        return Ok(());
    }
    for found in row.global_indexes.iter_mut().filter(|found| found.id == index) {
        found.is_filling = false;
    }
    store::put_table(tx, &table.account, &table.region, &row)
}

fn some_rows(tx: &WriteTx<'_>, range: &KeyRange, limit: usize) -> Result<Vec<(Vec<u8>, Vec<u8>)>> {
    let mut rows = Vec::new();
    store::scan_rows(tx, range, false, |key, row| {
        rows.push((key.to_vec(), row.to_vec()));
        if rows.len() < limit { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    })?;
    Ok(rows)
}

fn fill_one(
    tx: &mut WriteTx<'_>,
    table: &Definition,
    index: u64,
    row_key: &[u8],
    item: &Item,
) -> Result<()> {
    if index == EXPIRIES {
        if let Some(secs) = changes::expiry(table, item) {
            store::put_expiry(tx, secs, table.id(), row_key)?;
        }
        return Ok(());
    }
    let found = table.indexes.iter().find(|found| found.id == index);
    let key = table.key.check_item(item)?;
    if index == SEALING {
        return seal_anew(tx, table, &key, item);
    }
    // An item whose attribute has another type than the index's key is not in the index.
    if let Some((key, bytes)) = found.and_then(|index| changes::entry(index, &key, item)) {
        store::put_row(tx, table, &key, &bytes)?;
    }
    Ok(())
}

/// Writes an item and its entries again, as they are, so that they are sealed as the table is now.
fn seal_anew(tx: &mut WriteTx<'_>, table: &Definition, key: &Key, item: &Item) -> Result<()> {
    store::put_row(tx, table, &row_key(table.id(), key), &encode_item(item))?;
    for (key, bytes) in table.indexes.iter().filter_map(|index| changes::entry(index, key, item)) {
        // An index that is still being filled gets its entries from that.
        store::put_row(tx, table, &key, &bytes)?;
    }
    Ok(())
}

fn expire(cx: Cx) -> BoxFuture<'static, std::result::Result<(), Fault>> {
    Box::pin(async move {
        let now = cx.now().secs().max(0).unsigned_abs();
        let mut last = None;
        loop {
            let mut due = cx.read(|tx| store::expired(tx, last.as_ref(), now, BATCH))?;
            if due.is_empty() {
                return Ok(());
            }
            let next = due.last().cloned();
            retain_open(&cx, &mut due).await?;
            cx.write(|tx| expire_some(tx, &due, now)).await?;
            last = next;
        }
    })
}

/// Leaves out the items of tables whose key cannot be used: they expire when it can.
async fn retain_open(cx: &Cx, due: &mut Vec<Expiry>) -> Result<()> {
    if !encryption::is_used(cx)? {
        return Ok(());
    }
    let mut known = BTreeMap::new();
    for (_, id, _) in due.iter() {
        if !known.contains_key(id) {
            let may = match cx.read(|tx| store::table_of_id(tx, *id))? {
                Some(table) => may_open(cx, &table).await?,
                None => true,
            };
            known.insert(*id, may);
        }
    }
    due.retain(|(_, id, _)| known.get(id) == Some(&true));
    Ok(())
}

fn expire_some(tx: &mut WriteTx<'_>, due: &[Expiry], now: u64) -> Result<()> {
    for (secs, id, row_key) in due {
        let (secs, id) = (*secs, *id);
        // Whatever becomes of the item, this reminder has done its work.
        store::delete_expiry(tx, secs, id, row_key)?;
        let Some(table) = store::table_of_id(tx, id)? else { continue };
        let Some(row) = store::get_row_at(tx, row_key)? else { continue };
        let item = decode_item(&row)?;
        let is_over = changes::expiry(&table, &item) == Some(secs);
        if is_over && secs + OLDEST_EXPIRY_SECS > now {
            let key = table.key.check_item(&item)?;
            let change = Change { key: &key, old: Some(&item), new: None };
            changes::apply(tx, &table, &change)?;
        }
    }
    Ok(())
}

fn count(cx: Cx) -> BoxFuture<'static, std::result::Result<(), Fault>> {
    Box::pin(async move {
        let now = cx.now().millis();
        let mut after = None;
        loop {
            let ids = cx.read(|tx| store::table_ids(tx, after, COUNTED_TABLES))?;
            let Some(last) = ids.last().copied() else { return Ok(()) };
            for id in ids {
                let table = cx.read(|tx| store::table_of_id(tx, id))?;
                let indexes = table.iter().flat_map(|table| &table.indexes);
                let numbers: Vec<u64> =
                    std::iter::once(id).chain(indexes.map(|index| index.id)).collect();
                for number in numbers {
                    let known = cx.read(|tx| store::counted(tx, number))?;
                    let is_recent = |known: Counted| known.at_millis + COUNT_MILLIS > now;
                    if !known.is_some_and(is_recent) {
                        count_one(&cx, number).await?;
                    }
                }
            }
            after = Some(last);
        }
    })
}

/// Lets others run before it goes on.
async fn give_way() {
    let mut has_waited = false;
    std::future::poll_fn(|context| {
        if std::mem::replace(&mut has_waited, true) {
            return std::task::Poll::Ready(());
        }
        context.waker().wake_by_ref();
        std::task::Poll::Pending
    })
    .await;
}

/// Counts what lies under a number, in several views, so that none is kept for long.
async fn count_one(cx: &Cx, id: u64) -> Result<()> {
    let mut counted = Counted { at_millis: cx.now().millis(), ..Counted::default() };
    let mut range = KeyRange::of_prefix(id.to_be_bytes().to_vec());
    loop {
        let mut rows = 0;
        let mut last = Vec::new();
        cx.read(|tx| {
            store::scan_stored(tx, &range, false, |key, row| {
                rows += 1;
                counted.items += 1;
                counted.bytes += encryption::size_of(row).unwrap_or(row.len()) as u64;
                if rows < COUNTED_ROWS {
                    return ControlFlow::Continue(());
                }
                last = key.to_vec();
                ControlFlow::Break(())
            })
        })?;
        if rows < COUNTED_ROWS {
            break;
        }
        last.push(0);
        range.start = last;
        give_way().await;
    }
    cx.write(|tx| store::put_counted(tx, id, &counted)).await
}
