//! Transactions: what a service reads from and writes to.

use std::collections::BTreeMap;
use std::ops::{Bound, ControlFlow};
use std::sync::Arc;

use bytes::Bytes;

use crate::Error;
use crate::engine::View;
use crate::merge;
use crate::published::Glance;

/// The longest key in bytes, with the prefix of its table.
pub const MAX_KEY_BYTES: usize = 32 * 1024;
/// The largest value in bytes. Larger bodies are blobs.
pub const MAX_VALUE_BYTES: usize = 16 * 1024 * 1024;
/// The most that one transaction may write, in bytes of keys and values.
pub const MAX_TRANSACTION_BYTES: usize = 128 * 1024 * 1024;

/// Of how many removed rows on a stretch is worth being remembered.
const MIN_VACATED_ROWS: usize = 16;

/// Called for a row with its key and value; breaks to end a scan.
pub type Visit<'v> = dyn FnMut(&[u8], &[u8]) -> ControlFlow<()> + 'v;

/// Called once a transaction is durable.
pub type Hook = Box<dyn FnOnce() + Send>;

/// Reads rows: a snapshot or an open write transaction.
pub trait Read {
    /// The value under `key`, not copied where the engine allows it.
    fn get(&self, key: &[u8]) -> Result<Option<Bytes>, Error>;

    /// The same for a key of a table that is [read often](crate::Table::read_often).
    fn get_often(&self, key: &[u8]) -> Result<Option<Bytes>, Error> {
        self.get(key)
    }

    /// Visits the rows with `start <= key < end`, in order or in reverse, until the visitor breaks.
    fn scan(
        &self,
        start: &[u8],
        end: &[u8],
        reverse: bool,
        visit: &mut Visit<'_>,
    ) -> Result<(), Error>;
}

/// Writes rows: an open write transaction.
pub trait Write: Read {
    /// Writes `value` under `key`, in place of what was there.
    fn put(&mut self, key: &[u8], value: &[u8]);

    /// Removes the value under `key`, if there is one.
    fn delete(&mut self, key: &[u8]);

    /// Says that the transaction has removed what lay in `start..end`: see [`Range::vacated`](crate::Range::vacated).
    fn vacate(&mut self, start: &[u8], end: &[u8]) -> Result<(), Error>;

    /// Runs `hook` after the transaction is durable, and never if it is not. A hook only wakes somebody: it runs on
    /// the thread that commits, and a crash forgets it.
    fn on_commit(&mut self, hook: Hook);
}

/// A consistent view of all that was durable when it was opened.
///
/// Old versions of rows stay on disk for as long as a view needs them, so that one should not be kept for long.
pub struct ReadTx(Seen);

enum Seen {
    Kept(Arc<dyn View>),
    Glance(Glance),
}

impl ReadTx {
    pub(crate) fn new(view: Arc<dyn View>) -> Self {
        ReadTx(Seen::Kept(view))
    }

    /// For a moment.
    pub(crate) fn of(glance: Glance) -> Self {
        ReadTx(Seen::Glance(glance))
    }

    fn view(&self) -> &dyn View {
        match &self.0 {
            Seen::Kept(view) => &**view,
            Seen::Glance(glance) => glance.view(),
        }
    }
}

impl Clone for ReadTx {
    fn clone(&self) -> ReadTx {
        ReadTx::new(match &self.0 {
            Seen::Kept(view) => view.clone(),
            Seen::Glance(glance) => glance.kept(),
        })
    }
}

impl Read for ReadTx {
    fn get(&self, key: &[u8]) -> Result<Option<Bytes>, Error> {
        self.view().get(key)
    }

    fn get_often(&self, key: &[u8]) -> Result<Option<Bytes>, Error> {
        self.view().get_often(key)
    }

    fn scan(
        &self,
        start: &[u8],
        end: &[u8],
        reverse: bool,
        visit: &mut Visit<'_>,
    ) -> Result<(), Error> {
        self.view().scan(start, end, reverse, visit).map(|_| ())
    }
}

/// Rows written and deleted but not yet in the engine.
#[derive(Debug, Default)]
pub(crate) struct Overlay {
    rows: BTreeMap<Bytes, Option<Bytes>>,
    bytes: usize,
    /// Stretches in which a transaction left no row. A later one may have written there.
    vacated: Vec<(Bytes, Bytes)>,
}

impl Overlay {
    pub(crate) fn set(&mut self, key: Bytes, value: Option<Bytes>) {
        let size = |value: &Option<Bytes>| value.as_ref().map_or(0, Bytes::len);
        let key_len = key.len();
        self.bytes += size(&value);
        match self.rows.insert(key, value) {
            Some(old) => self.bytes -= size(&old),
            None => self.bytes += key_len,
        }
    }

    /// The value written, `Some(None)` for a deletion, `None` where this overlay says nothing.
    pub(crate) fn get(&self, key: &[u8]) -> Option<&Option<Bytes>> {
        self.rows.get(key)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    pub(crate) fn len(&self) -> usize {
        self.rows.len()
    }

    /// Size of the keys and values.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&Bytes, &Option<Bytes>)> {
        self.rows.iter()
    }

    pub(crate) fn range<'o>(
        &'o self,
        start: &'o [u8],
        end: &'o [u8],
    ) -> impl DoubleEndedIterator<Item = (&'o Bytes, &'o Option<Bytes>)> {
        self.rows.range::<[u8], _>((Bound::Included(start), Bound::Excluded(end)))
    }

    /// Notes that no row is left in `start..end`.
    pub(crate) fn vacate(&mut self, start: Bytes, end: Bytes) {
        match self.vacated.last_mut() {
            Some((_, last)) if *last == start => *last = end,
            _ => self.vacated.push((start, end)),
        }
    }

    /// The stretches that were left empty, as far as none of these rows is in them.
    pub(crate) fn vacated(&self) -> impl Iterator<Item = &(Bytes, Bytes)> {
        self.vacated
            .iter()
            .filter(|(start, end)| self.range(start, end).all(|(_, value)| value.is_none()))
    }

    pub(crate) fn absorb(&mut self, newer: Overlay) {
        if self.rows.is_empty() {
            *self = newer;
        } else {
            for (start, end) in newer.vacated {
                self.vacate(start, end);
            }
            for (key, value) in newer.rows {
                self.set(key, value);
            }
        }
    }
}

/// An open write transaction: it sees what all transactions before it wrote, durable or not, and its own writes.
pub struct WriteTx {
    pub(crate) own: Overlay,
    /// What earlier transactions wrote that waits for the next group commit.
    pub(crate) pending: Overlay,
    /// What is being committed at this moment.
    pub(crate) committing: Option<Arc<Overlay>>,
    pub(crate) base: Arc<dyn View>,
    pub(crate) version: u64,
    pub(crate) hooks: Vec<Hook>,
    pub(crate) failure: Option<Error>,
}

impl WriteTx {
    /// A transaction upon `base` alone.
    pub(crate) fn upon(base: Arc<dyn View>, version: u64) -> WriteTx {
        WriteTx {
            own: Overlay::default(),
            pending: Overlay::default(),
            committing: None,
            base,
            version,
            hooks: Vec::new(),
            failure: None,
        }
    }

    /// A number larger than that of every transaction that wrote something before on this database, restarts included:
    /// for sequence numbers that follow the order of commits. There are gaps.
    pub fn version(&self) -> u64 {
        self.version
    }

    /// What was written under the key and is not in the base yet.
    fn written(&self, key: &[u8]) -> Option<&Option<Bytes>> {
        self.own
            .get(key)
            .or_else(|| self.pending.get(key))
            .or_else(|| self.committing.as_ref().and_then(|overlay| overlay.get(key)))
    }

    fn check_size(&mut self, what: &'static str, size: usize, limit: usize) -> bool {
        if size > limit && self.failure.is_none() {
            self.failure = Some(Error::TooLarge { what, size, limit });
        }
        size <= limit
    }

    fn set(&mut self, key: &[u8], value: Option<&[u8]>) {
        // Reported when the transaction ends, so that `put` needs no error of its own.
        if self.check_size("key", key.len(), MAX_KEY_BYTES)
            && self.check_size("value", value.map_or(0, <[u8]>::len), MAX_VALUE_BYTES)
        {
            self.own.set(Bytes::copy_from_slice(key), value.map(Bytes::copy_from_slice));
            self.check_size("transaction", self.own.bytes(), MAX_TRANSACTION_BYTES);
        }
    }
}

impl Read for WriteTx {
    fn get(&self, key: &[u8]) -> Result<Option<Bytes>, Error> {
        match self.written(key) {
            Some(value) => Ok(value.clone()),
            None => self.base.get(key),
        }
    }

    fn get_often(&self, key: &[u8]) -> Result<Option<Bytes>, Error> {
        match self.written(key) {
            Some(value) => Ok(value.clone()),
            None => self.base.get_often(key),
        }
    }

    fn scan(
        &self,
        start: &[u8],
        end: &[u8],
        reverse: bool,
        visit: &mut Visit<'_>,
    ) -> Result<(), Error> {
        let layers = [Some(&self.own), Some(&self.pending), self.committing.as_deref()];
        merge::scan(&layers, &*self.base, start, end, reverse, visit)
    }
}

impl Write for WriteTx {
    fn put(&mut self, key: &[u8], value: &[u8]) {
        self.set(key, Some(value));
    }

    fn delete(&mut self, key: &[u8]) {
        self.set(key, None);
    }

    fn vacate(&mut self, start: &[u8], end: &[u8]) -> Result<(), Error> {
        // What was removed here is passed over without a look at what the engine keeps of it: its base has it still.
        let mut left = None;
        self.scan(start, end, false, &mut |key, _| {
            left = Some(Bytes::copy_from_slice(key));
            ControlFlow::Break(())
        })?;
        let end = left.unwrap_or_else(|| Bytes::copy_from_slice(end));
        let removed = self.own.range(start, &end).take(MIN_VACATED_ROWS).count();
        if removed == MIN_VACATED_ROWS {
            self.own.vacate(Bytes::copy_from_slice(start), end);
        }
        Ok(())
    }

    fn on_commit(&mut self, hook: Hook) {
        self.hooks.push(hook);
    }
}
