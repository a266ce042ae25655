//! Typed, ordered tables.

use std::any::Any;
use std::cell::{Cell, RefCell};
use std::marker::PhantomData;
use std::ops::{Bound, ControlFlow};
use std::sync::Arc;

use bytes::Bytes;

use crate::key::{self, Key, KeyOf, KeyPrefix};
use crate::row::Value;
use crate::{Error, Read, Write};

/// A buffer for encoded values that is larger is not kept.
const MAX_ENCODED_BYTES: usize = 64 << 10;

/// How many decoded rows a thread has at hand.
const DECODED_ROWS: usize = 16;

/// A row as it was read, which keeps its address from being another's, and what was decoded from it.
type Decoded = Option<(Bytes, Arc<dyn Any + Send + Sync>)>;

thread_local! {
    static DECODED: RefCell<[Decoded; DECODED_ROWS]> =
        const { RefCell::new([const { None }; DECODED_ROWS]) };
    /// Values are encoded here and copied once, when their size is known.
    static ENCODED: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
    /// The same for keys that are sought.
    static SOUGHT: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
}

/// A typed, ordered table: keys of type `K`, values of type `V`, under a prefix of four bytes that no other table has.
///
/// A table is a name for a range of keys and holds nothing itself:
/// `static QUEUES: Table<(String, String), QueueRow> = Table::new("sqs.queues", 0x0010_0001);`
/// Prefixes below 0x10 belong to the store, those below 0x100 to the core, the others to services. The prefix, not the name, is on disk; it never changes.
pub struct Table<K, V> {
    name: &'static str,
    prefix: u32,
    read_often: bool,
    types: PhantomData<fn() -> (K, V)>,
}

impl<K: Key, V: Value> Table<K, V> {
    /// Names the table that lives under `prefix`.
    pub const fn new(name: &'static str, prefix: u32) -> Self {
        Table { name, prefix, read_often: false, types: PhantomData }
    }

    /// Says that almost every request reads a row of the table, which is seldom written: those that are in use are kept
    /// at hand.
    pub const fn read_often(mut self) -> Self {
        self.read_often = true;
        self
    }

    /// The name, for messages.
    pub const fn name(&self) -> &'static str {
        self.name
    }

    /// What is to be known of the table without its types.
    pub const fn label(&self) -> TableLabel
    where
        K: std::fmt::Debug,
    {
        TableLabel { name: self.name, prefix: self.prefix, show: show::<K> }
    }

    /// The four bytes in front of every key, as a number.
    pub const fn prefix(&self) -> u32 {
        self.prefix
    }

    /// Reads the value under `key`.
    pub fn get(
        &self,
        tx: &(impl Read + ?Sized),
        key: &(impl KeyOf<K> + ?Sized),
    ) -> Result<Option<V>, Error> {
        match self.find(tx, key)? {
            Some(bytes) => V::decode(bytes).map(Some).map_err(|error| self.blame(error)),
            None => Ok(None),
        }
    }

    /// The same for a table that is [read often](Table::read_often): as long as the row does not change, a thread decodes
    /// it once.
    pub fn get_shared(
        &self,
        tx: &(impl Read + ?Sized),
        key: &(impl KeyOf<K> + ?Sized),
    ) -> Result<Option<Arc<V>>, Error>
    where
        V: Send + Sync + 'static,
    {
        let Some(bytes) = self.find(tx, key)? else { return Ok(None) };
        // What is read often lies where it lies until it is changed.
        let address = bytes.as_ptr() as usize;
        let index = address / 16 % DECODED_ROWS;
        let known = DECODED.with_borrow(|rows| match &rows[index] {
            Some((of, value)) if of.as_ptr() as usize == address && of.len() == bytes.len() => {
                value.clone().downcast::<V>().ok()
            }
            _ => None,
        });
        if known.is_some() {
            return Ok(known);
        }
        let value = Arc::new(V::decode(bytes.clone()).map_err(|error| self.blame(error))?);
        if self.read_often && !bytes.is_empty() {
            DECODED.with_borrow_mut(|rows| rows[index] = Some((bytes, value.clone())));
        }
        Ok(Some(value))
    }

    fn find(
        &self,
        tx: &(impl Read + ?Sized),
        key: &(impl KeyOf<K> + ?Sized),
    ) -> Result<Option<Bytes>, Error> {
        let mut sought = SOUGHT.take();
        sought.clear();
        self.encode_into(key, &mut sought);
        let found = if self.read_often { tx.get_often(&sought) } else { tx.get(&sought) };
        if sought.capacity() <= MAX_ENCODED_BYTES {
            SOUGHT.set(sought);
        }
        found
    }

    /// Whether there is a value under `key`.
    pub fn contains(
        &self,
        tx: &(impl Read + ?Sized),
        key: &(impl KeyOf<K> + ?Sized),
    ) -> Result<bool, Error> {
        Ok(tx.get(&self.encode(key))?.is_some())
    }

    /// Writes `value` under `key`, in place of what was there.
    pub fn put(
        &self,
        tx: &mut (impl Write + ?Sized),
        key: &(impl KeyOf<K> + ?Sized),
        value: &V,
    ) -> Result<(), Error> {
        #[cfg(debug_assertions)]
        registry::claim(self.prefix, self.name)?;
        let mut bytes = ENCODED.take();
        bytes.clear();
        value.encode(&mut bytes)?;
        tx.put(&self.encode(key), &bytes);
        if bytes.capacity() <= MAX_ENCODED_BYTES {
            ENCODED.set(bytes);
        }
        Ok(())
    }

    /// Removes the value under `key`, if there is one.
    pub fn delete(
        &self,
        tx: &mut (impl Write + ?Sized),
        key: &(impl KeyOf<K> + ?Sized),
    ) -> Result<(), Error> {
        tx.delete(&self.encode(key));
        Ok(())
    }

    /// Removes all rows under `prefix` and returns how many there were. All of them become part of the transaction:
    /// delete very many rows with several transactions and [`Range::limit`].
    pub fn delete_all<T: Write + ?Sized>(
        &self,
        tx: &mut T,
        prefix: &(impl KeyPrefix<K> + ?Sized),
    ) -> Result<usize, Error> {
        let keys = self.range(prefix).keys(tx)?;
        for key in &keys {
            self.delete(tx, key)?;
        }
        Ok(keys.len())
    }

    /// Visits the rows under `prefix` in order until the visitor breaks.
    pub fn scan(
        &self,
        tx: &(impl Read + ?Sized),
        prefix: &(impl KeyPrefix<K> + ?Sized),
        visit: impl FnMut(K, V) -> ControlFlow<()>,
    ) -> Result<(), Error> {
        self.range(prefix).visit(tx, visit)
    }

    /// Visits the rows under `prefix` from the last to the first until the visitor breaks.
    pub fn scan_rev(
        &self,
        tx: &(impl Read + ?Sized),
        prefix: &(impl KeyPrefix<K> + ?Sized),
        visit: impl FnMut(K, V) -> ControlFlow<()>,
    ) -> Result<(), Error> {
        self.range(prefix).reverse().visit(tx, visit)
    }

    /// Visits the rows under `prefix` that follow `start`, which need not exist itself.
    pub fn scan_after(
        &self,
        tx: &(impl Read + ?Sized),
        prefix: &(impl KeyPrefix<K> + ?Sized),
        start: &(impl KeyOf<K> + ?Sized),
        visit: impl FnMut(K, V) -> ControlFlow<()>,
    ) -> Result<(), Error> {
        self.range(prefix).after(start).visit(tx, visit)
    }

    /// Visits, from the last to the first, the rows under `prefix` that come before `start`.
    pub fn scan_rev_before(
        &self,
        tx: &(impl Read + ?Sized),
        prefix: &(impl KeyPrefix<K> + ?Sized),
        start: &(impl KeyOf<K> + ?Sized),
        visit: impl FnMut(K, V) -> ControlFlow<()>,
    ) -> Result<(), Error> {
        self.range(prefix).before(start).reverse().visit(tx, visit)
    }

    /// Visits the rows within the prefix `within` from `lower` on, so that a listing can jump.
    pub fn scan_from<L: KeyOf<K>>(
        &self,
        tx: &(impl Read + ?Sized),
        lower: Bound<L>,
        within: &(impl KeyPrefix<K> + ?Sized),
        visit: impl FnMut(K, V) -> ControlFlow<()>,
    ) -> Result<(), Error> {
        let range = self.range(within);
        match lower {
            Bound::Included(key) => range.from(&key),
            Bound::Excluded(key) => range.after(&key),
            Bound::Unbounded => range,
        }
        .visit(tx, visit)
    }

    /// All rows under `prefix`, in order. For what is known to be few; else take [`Table::page`].
    pub fn list(
        &self,
        tx: &(impl Read + ?Sized),
        prefix: &(impl KeyPrefix<K> + ?Sized),
    ) -> Result<Vec<(K, V)>, Error> {
        self.range(prefix).list(tx)
    }

    /// Up to `limit` rows under `prefix` that follow `after`, and whether there are more.
    pub fn page(
        &self,
        tx: &(impl Read + ?Sized),
        prefix: &(impl KeyPrefix<K> + ?Sized),
        after: Option<&K>,
        limit: usize,
    ) -> Result<(Vec<(K, V)>, bool), Error> {
        let mut range = self.range(prefix).limit(limit.saturating_add(1));
        if let Some(after) = after {
            range = range.after(after);
        }
        let mut rows = range.list(tx)?;
        let more = rows.len() > limit;
        rows.truncate(limit);
        Ok((rows, more))
    }

    /// The first row under `prefix`.
    pub fn first(
        &self,
        tx: &(impl Read + ?Sized),
        prefix: &(impl KeyPrefix<K> + ?Sized),
    ) -> Result<Option<(K, V)>, Error> {
        Ok(self.range(prefix).limit(1).list(tx)?.pop())
    }

    /// The last row under `prefix`.
    pub fn last(
        &self,
        tx: &(impl Read + ?Sized),
        prefix: &(impl KeyPrefix<K> + ?Sized),
    ) -> Result<Option<(K, V)>, Error> {
        Ok(self.range(prefix).reverse().limit(1).list(tx)?.pop())
    }

    /// The rows under `prefix`, to be narrowed before they are visited.
    pub fn range(&self, prefix: &(impl KeyPrefix<K> + ?Sized)) -> Range<'_, K, V> {
        let mut start = Vec::with_capacity(64);
        start.extend_from_slice(&self.prefix.to_be_bytes());
        prefix.encode_prefix(&mut start);
        // Only a table with the very last prefix has no end; its keys still end before any longer row of FF.
        let end = key::end_of(&start).unwrap_or_else(|| vec![0xFF; 1024]);
        Range { table: self, start, end, reverse: false, limit: usize::MAX }
    }

    fn encode(&self, key: &(impl KeyOf<K> + ?Sized)) -> Vec<u8> {
        let mut out = Vec::with_capacity(64);
        self.encode_into(key, &mut out);
        out
    }

    fn encode_into(&self, key: &(impl KeyOf<K> + ?Sized), out: &mut Vec<u8>) {
        out.extend_from_slice(&self.prefix.to_be_bytes());
        key.encode(out);
    }

    fn decode_key(&self, bytes: &[u8]) -> Result<K, Error> {
        key::decode(bytes.get(4..).unwrap_or_default()).map_err(|error| self.blame(error))
    }

    /// Says in which table the damage is.
    fn blame(&self, error: Error) -> Error {
        match error {
            Error::Corrupt { what, why } => {
                Error::Corrupt { what: format!("{what} in the table {}", self.name), why }
            }
            other => other,
        }
    }
}

/// A table without its types: its name and prefix, and how to show its keys.
#[derive(Clone, Copy, Debug)]
pub struct TableLabel {
    /// The name.
    pub name: &'static str,
    /// The four bytes in front of every key, as a number.
    pub prefix: u32,
    show: fn(&[u8]) -> Option<String>,
}

impl TableLabel {
    /// A key as text, if it is one of this table. It starts with the prefix.
    pub fn show(&self, key: &[u8]) -> Option<String> {
        (self.show)(key.strip_prefix(&self.prefix.to_be_bytes())?)
    }
}

fn show<K: Key + std::fmt::Debug>(key: &[u8]) -> Option<String> {
    key::decode::<K>(key).ok().map(|key| format!("{key:?}"))
}

/// A part of a table in a direction: made by [`Table::range`], narrowed by its methods, then visited.
pub struct Range<'t, K, V> {
    table: &'t Table<K, V>,
    start: Vec<u8>,
    end: Vec<u8>,
    reverse: bool,
    limit: usize,
}

impl<K: Key, V: Value> Range<'_, K, V> {
    /// Leaves out the keys before `key`.
    pub fn from(mut self, key: &(impl KeyOf<K> + ?Sized)) -> Self {
        self.start = self.table.encode(key).max(self.start);
        self
    }

    /// Leaves out `key` and the keys before it.
    pub fn after(mut self, key: &(impl KeyOf<K> + ?Sized)) -> Self {
        let mut next = self.table.encode(key);
        next.push(0);
        self.start = next.max(self.start);
        self
    }

    /// Leaves out `key` and the keys after it.
    pub fn before(mut self, key: &(impl KeyOf<K> + ?Sized)) -> Self {
        self.end = self.table.encode(key).min(self.end);
        self
    }

    /// Leaves out the keys after `key`, but not `key`.
    pub fn up_to(mut self, key: &(impl KeyOf<K> + ?Sized)) -> Self {
        let mut next = self.table.encode(key);
        next.push(0);
        self.end = next.min(self.end);
        self
    }

    /// Leaves out the keys that start with `prefix` and the keys before them: where a listing jumps over a folder.
    pub fn past(mut self, prefix: &(impl KeyPrefix<K> + ?Sized)) -> Self {
        self.start = self.table.range(prefix).end.max(self.start);
        self
    }

    /// Goes from the last key to the first.
    pub fn reverse(mut self) -> Self {
        self.reverse = true;
        self
    }

    /// Stops after `rows`.
    pub fn limit(mut self, rows: usize) -> Self {
        self.limit = rows;
        self
    }

    /// Visits the rows until the visitor breaks.
    pub fn visit(
        self,
        tx: &(impl Read + ?Sized),
        mut visit: impl FnMut(K, V) -> ControlFlow<()>,
    ) -> Result<(), Error> {
        let table = self.table;
        self.visit_bytes(tx, |key, value| {
            let value = V::decode_slice(value).map_err(|error| table.blame(error))?;
            Ok(visit(table.decode_key(key)?, value))
        })
    }

    /// Visits the keys until the visitor breaks; the values are not decoded.
    pub fn visit_keys(
        self,
        tx: &(impl Read + ?Sized),
        mut visit: impl FnMut(K) -> ControlFlow<()>,
    ) -> Result<(), Error> {
        let table = self.table;
        self.visit_bytes(tx, |key, _| Ok(visit(table.decode_key(key)?)))
    }

    /// Visits the rows until the visitor breaks or fails.
    pub fn try_visit<E: From<Error>>(
        self,
        tx: &(impl Read + ?Sized),
        mut visit: impl FnMut(K, V) -> Result<ControlFlow<()>, E>,
    ) -> Result<(), E> {
        let mut failure = None;
        self.visit(tx, |key, value| caught(visit(key, value), &mut failure))?;
        failure.map_or(Ok(()), Err)
    }

    /// Visits the keys until the visitor breaks or fails; the values are not decoded.
    pub fn try_visit_keys<E: From<Error>>(
        self,
        tx: &(impl Read + ?Sized),
        mut visit: impl FnMut(K) -> Result<ControlFlow<()>, E>,
    ) -> Result<(), E> {
        let mut failure = None;
        self.visit_keys(tx, |key| caught(visit(key), &mut failure))?;
        failure.map_or(Ok(()), Err)
    }

    /// All rows of the range.
    pub fn list(self, tx: &(impl Read + ?Sized)) -> Result<Vec<(K, V)>, Error> {
        let mut rows = Vec::new();
        self.visit(tx, |key, value| {
            rows.push((key, value));
            ControlFlow::Continue(())
        })?;
        Ok(rows)
    }

    /// All keys of the range.
    pub fn keys(self, tx: &(impl Read + ?Sized)) -> Result<Vec<K>, Error> {
        let mut keys = Vec::new();
        self.visit_keys(tx, |key| {
            keys.push(key);
            ControlFlow::Continue(())
        })?;
        Ok(keys)
    }

    /// How many rows the range has; reads them all.
    pub fn count(self, tx: &(impl Read + ?Sized)) -> Result<usize, Error> {
        let mut count = 0;
        self.visit_bytes(tx, |_, _| {
            count += 1;
            Ok(ControlFlow::Continue(()))
        })?;
        Ok(count)
    }

    /// Says that the transaction has removed the rows from the front of the range on. The engine remembers where nothing
    /// is then, so that nobody who lists what lay there goes through what is left of removed rows. A row that is there
    /// nevertheless, or that comes later, is seen as ever. Costs a look at each row that was removed.
    pub fn vacated(self, tx: &mut (impl Write + ?Sized)) -> Result<(), Error> {
        match self.start < self.end {
            true => tx.vacate(&self.start, &self.end),
            false => Ok(()),
        }
    }

    fn visit_bytes(
        self,
        tx: &(impl Read + ?Sized),
        mut visit: impl FnMut(&[u8], &[u8]) -> Result<ControlFlow<()>, Error>,
    ) -> Result<(), Error> {
        if self.limit == 0 || self.start >= self.end {
            return Ok(());
        }
        let mut left = self.limit;
        let mut failure = None;
        tx.scan(&self.start, &self.end, self.reverse, &mut |key, value| {
            left -= 1;
            match caught(visit(key, value), &mut failure) {
                ControlFlow::Continue(()) if left > 0 => ControlFlow::Continue(()),
                _ => ControlFlow::Break(()),
            }
        })?;
        failure.map_or(Ok(()), Err)
    }
}

/// Whether to go on; a failure is kept and ends the visit.
fn caught<E>(outcome: Result<ControlFlow<()>, E>, failure: &mut Option<E>) -> ControlFlow<()> {
    outcome.unwrap_or_else(|error| {
        *failure = Some(error);
        ControlFlow::Break(())
    })
}

impl<K: Key> Table<K, crate::Raw> {
    /// Reads the bytes under `key` without a copy.
    pub fn get_bytes(
        &self,
        tx: &(impl Read + ?Sized),
        key: &(impl KeyOf<K> + ?Sized),
    ) -> Result<Option<Bytes>, Error> {
        self.find(tx, key)
    }
}

/// Finds two tables with one prefix, in debug builds: such a mistake would mix their rows.
#[cfg(debug_assertions)]
mod registry {
    use std::collections::HashMap;
    use std::sync::LazyLock;

    use parking_lot::RwLock;

    use crate::Error;

    static TABLES: LazyLock<RwLock<HashMap<u32, &'static str>>> = LazyLock::new(RwLock::default);

    pub(super) fn claim(prefix: u32, name: &'static str) -> Result<(), Error> {
        let known = TABLES.read().get(&prefix).copied();
        let first = match known {
            Some(first) => first,
            None => *TABLES.write().entry(prefix).or_insert(name),
        };
        if first == name { Ok(()) } else { Err(Error::TableClash { first, second: name, prefix }) }
    }
}
