//! One page: the rows that are read, and what is returned of them.

use std::ops::ControlFlow;

use bytes::Bytes;
use fogbank_core::ReadTx;

use super::Source;
use super::selection::{Output, Selection};
use crate::attributes::Attributes;
use crate::capacity::{Consumed, read_units};
use crate::encoding::{Corrupt, decode_item, row_size};
use crate::error::Result;
use crate::expressions::Condition;
use crate::keys::KeyRange;
use crate::store;
use crate::value::{Item, item_size};

/// How many bytes of items a page reads at most; the item that passes the limit is still read.
const MAX_BYTES: usize = 1024 * 1024;

/// What to read and to return.
pub(super) struct Request<'a> {
    pub(super) source: Source<'a>,
    pub(super) range: KeyRange,
    pub(super) is_reverse: bool,
    pub(super) limit: Option<usize>,
    pub(super) filter: Option<Condition>,
    pub(super) selection: Selection,
    pub(super) is_consistent: bool,
}

/// What was read.
pub(super) struct Page {
    /// The items, unless only their number is wanted.
    pub(super) items: Option<Vec<Attributes>>,
    /// How many fulfil the filter.
    pub(super) count: usize,
    /// How many were read.
    pub(super) scanned: usize,
    /// Where to go on, if the page ended early.
    pub(super) last: Option<Item>,
    /// What it used.
    pub(super) consumed: Consumed,
}

/// The rows of a page as they lie in the store.
struct Rows {
    rows: Vec<Bytes>,
    bytes: usize,
    ended_early: bool,
}

impl Request<'_> {
    /// Reads a page.
    pub(super) fn read(self, tx: &ReadTx<'_>) -> Result<Page> {
        let read = self.rows(tx)?;
        let last = match read.rows.last() {
            Some(row) if read.ended_early => Some(self.start_of(row)?),
            _ => None,
        };
        let scanned = read.rows.len();
        let mut consumed = Consumed::default();
        let units = read_units(read.bytes, self.is_consistent);
        match self.source.index {
            Some(index) => consumed.add_index(index, units),
            None => consumed.table = units,
        }
        let mut count = 0;
        let mut items = Vec::new();
        let is_count = matches!(self.selection.output, Output::Count);
        for row in read.rows {
            let Some(found) = self.found(tx, row, &mut consumed)? else { continue };
            count += 1;
            if !is_count {
                items.push(found);
            }
        }
        let items = (!is_count).then_some(items);
        Ok(Page { items, count, scanned, last, consumed })
    }

    fn rows(&self, tx: &ReadTx<'_>) -> Result<Rows> {
        let limit = self.limit.unwrap_or(usize::MAX);
        let mut read = Rows { rows: Vec::new(), bytes: 0, ended_early: false };
        let mut damage: Option<Corrupt> = None;
        store::scan_rows(tx, &self.range, self.is_reverse, |_, row| {
            match row_size(row) {
                Ok(size) => read.bytes += size,
                Err(error) => {
                    damage = Some(error);
                    return ControlFlow::Break(());
                }
            }
            read.rows.push(Bytes::copy_from_slice(row));
            read.ended_early = read.rows.len() >= limit || read.bytes >= MAX_BYTES;
            if read.ended_early { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        })?;
        damage.map_or(Ok(read), |error| Err(error.into()))
    }

    /// The key attributes of a row, from which the next page goes on.
    fn start_of(&self, row: &[u8]) -> Result<Item> {
        let mut item = decode_item(row)?;
        let names = self.source.start_attributes();
        Ok(names.iter().filter_map(|name| item.remove_entry(*name)).collect())
    }

    /// What is returned of a row, if it fulfils the filter.
    fn found(
        &self,
        tx: &ReadTx<'_>,
        row: Bytes,
        consumed: &mut Consumed,
    ) -> Result<Option<Attributes>> {
        let is_plain = self.filter.is_none() && !self.selection.fetches;
        if is_plain && !matches!(self.selection.output, Output::Part(_)) {
            return Ok(Some(Attributes::of_row(row)));
        }
        let mut item = decode_item(&row)?;
        if self.selection.fetches {
            item = self.fetch(tx, item, consumed)?;
        }
        if self.filter.as_ref().is_some_and(|filter| !filter.holds(&item)) {
            return Ok(None);
        }
        Ok(Some(match &self.selection.output {
            Output::Part(projection) => projection.apply(&item).into(),
            Output::Row | Output::Count => item.into(),
        }))
    }

    /// The whole item of an index's entry.
    fn fetch(&self, tx: &ReadTx<'_>, entry: Item, consumed: &mut Consumed) -> Result<Item> {
        let table = self.source.table;
        let key = table.key.check_item(&entry)?;
        let Some(row) = store::get_row(tx, table.id(), &key)? else { return Ok(entry) };
        let item = decode_item(&row)?;
        consumed.table += read_units(item_size(&item), self.is_consistent);
        Ok(item)
    }
}
