//! What has changed between two states.

use std::cmp::Ordering;
use std::ops::ControlFlow;

use bytes::Bytes;

use super::Snapshots;
use crate::{Error, Read, ReadTx, meta};

/// Rows that are looked at together.
const BATCH: usize = 1024;

/// What two states disagree about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Difference {
    /// The later one has a row that the earlier one has not.
    Added,
    /// The later one has not got a row that the earlier one has.
    Removed,
    /// Both have the row, with other contents.
    Changed,
}

/// A difference, with the key of the row. Its first four bytes are the prefix of its table.
pub type Found<'f> = dyn FnMut(Difference, &[u8]) + 'f;

impl Snapshots {
    /// Calls `found` for every row in which `later` differs from `earlier`, in the order of the keys. `None` is the present.
    pub fn diff(
        &self,
        earlier: Option<&str>,
        later: Option<&str>,
        found: &mut Found<'_>,
    ) -> Result<(), Error> {
        let (earlier, later) = (self.rows(earlier)?, self.rows(later)?);
        for (start, end) in meta::PORTABLE {
            let mut old = Cursor::new(&earlier, start, end)?;
            let mut new = Cursor::new(&later, start, end)?;
            loop {
                let order = match (old.peek(), new.peek()) {
                    (None, None) => break,
                    (Some(_), None) => Ordering::Less,
                    (None, Some(_)) => Ordering::Greater,
                    (Some(old), Some(new)) => old.0.cmp(&new.0),
                };
                let old_row = if order.is_le() { old.take()? } else { None };
                let new_row = if order.is_ge() { new.take()? } else { None };
                match (old_row, new_row) {
                    (Some((key, _)), None) => found(Difference::Removed, &key),
                    (None, Some((key, _))) => found(Difference::Added, &key),
                    (Some((key, before)), Some((_, after))) if before != after => {
                        found(Difference::Changed, &key);
                    }
                    _ => {}
                }
            }
        }
        Ok(())
    }
}

/// Walks over rows in batches, so that two states can be walked over side by side.
struct Cursor<'t> {
    tx: &'t ReadTx,
    next: Vec<u8>,
    end: [u8; 4],
    batch: std::vec::IntoIter<(Bytes, Bytes)>,
}

impl Cursor<'_> {
    fn new(tx: &ReadTx, start: u32, end: u32) -> Result<Cursor<'_>, Error> {
        let (next, end) = (start.to_be_bytes().to_vec(), end.to_be_bytes());
        let mut cursor = Cursor { tx, next, end, batch: Vec::new().into_iter() };
        cursor.fill()?;
        Ok(cursor)
    }

    fn fill(&mut self) -> Result<(), Error> {
        let mut batch = Vec::new();
        self.tx.scan(&self.next, &self.end, false, &mut |key, value| {
            batch.push((Bytes::copy_from_slice(key), Bytes::copy_from_slice(value)));
            if batch.len() < BATCH { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
        })?;
        if let Some((last, _)) = batch.last() {
            // The key right after the last one.
            self.next = [&last[..], &[0]].concat();
        }
        self.batch = batch.into_iter();
        Ok(())
    }

    fn peek(&self) -> Option<&(Bytes, Bytes)> {
        self.batch.as_slice().first()
    }

    fn take(&mut self) -> Result<Option<(Bytes, Bytes)>, Error> {
        let row = self.batch.next();
        if self.batch.as_slice().is_empty() {
            self.fill()?;
        }
        Ok(row)
    }
}
