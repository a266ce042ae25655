//! Transactions as handlers see them: rows, and the facts of the call.

use bytes::Bytes;
use fogbank_store::{self as store, BlobRef, Error, Read, Visit, Write};

use crate::outbox::{self, Effect};
use crate::{Cx, Ids, Request, Timestamp};

/// What reading and writing transactions share beyond rows.
pub trait Tx: Read {
    /// The context of the call.
    fn cx(&self) -> &Cx;

    /// The facts of the call.
    fn request(&self) -> &Request {
        self.cx().request()
    }

    /// The time at which the call was accepted: the same throughout, also when retried.
    fn now(&self) -> Timestamp {
        self.request().now
    }

    /// The account whose resources are meant.
    fn account(&self) -> &str {
        self.cx().account()
    }

    /// The region.
    fn region(&self) -> &str {
        self.cx().region()
    }

    /// Identifiers and chance.
    fn ids(&self) -> &Ids {
        self.cx().cloud().ids()
    }

    /// The ARN of a resource of the call's service, region and account.
    fn arn(&self, resource: &dyn std::fmt::Display) -> String {
        self.cx().arn(resource)
    }
}

/// A consistent view of the rows.
pub struct ReadTx<'a> {
    rows: &'a dyn Read,
    cx: &'a Cx,
}

/// An open transaction: reads see its own writes.
pub struct WriteTx<'a> {
    rows: &'a mut store::WriteTx,
    cx: &'a Cx,
    numbers: u64,
}

impl<'a> ReadTx<'a> {
    /// A view of `rows` for the call of `cx`.
    pub fn new(rows: &'a dyn Read, cx: &'a Cx) -> ReadTx<'a> {
        ReadTx { rows, cx }
    }
}

impl<'a> WriteTx<'a> {
    /// A transaction over `rows` for the call of `cx`.
    pub fn new(rows: &'a mut store::WriteTx, cx: &'a Cx) -> WriteTx<'a> {
        WriteTx { rows, cx, numbers: 0 }
    }

    /// The transaction, to read from only.
    pub fn as_read(&self) -> ReadTx<'_> {
        ReadTx { rows: &*self.rows, cx: self.cx }
    }

    /// A number larger than that of every transaction before it, restarts included: for sequence
    /// numbers that follow the order of commits.
    pub fn version(&self) -> u64 {
        self.rows.version()
    }

    /// Counts what the transaction writes of things that lie in its order, such as what it puts into the outbox: larger for
    /// every later one of the transaction.
    pub fn next_number(&mut self) -> u64 {
        self.numbers += 1;
        self.numbers
    }

    /// Wakes those who wait for `topic` once the transaction is durable.
    pub fn wake(&mut self, topic: impl Into<String>) {
        let topic = topic.into();
        let wakes = self.cx.cloud().wakes().clone();
        self.rows.on_commit(Box::new(move || wakes.wake(&topic)));
    }

    /// Frees a blob that no row will name any more, once the transaction is durable.
    pub fn free_blob(&mut self, blob: &BlobRef) -> Result<(), Error> {
        self.cx.cloud().blobs().free(self.rows, blob)
    }

    /// Keeps a blob that one more row will name, such as a copy's.
    pub fn retain_blob(&mut self, blob: &BlobRef) -> Result<(), Error> {
        self.cx.cloud().blobs().retain(self.rows, blob)
    }

    /// Writes an effect into the outbox: it happens after, and only if, the transaction commits.
    pub fn emit(&mut self, effect: Effect) -> Result<(), Error> {
        outbox::emit(self, effect)
    }
}

impl Tx for ReadTx<'_> {
    fn cx(&self) -> &Cx {
        self.cx
    }
}

impl Tx for WriteTx<'_> {
    fn cx(&self) -> &Cx {
        self.cx
    }
}

impl Read for ReadTx<'_> {
    fn get(&self, key: &[u8]) -> Result<Option<Bytes>, Error> {
        self.rows.get(key)
    }

    fn get_often(&self, key: &[u8]) -> Result<Option<Bytes>, Error> {
        self.rows.get_often(key)
    }

    fn scan(
        &self,
        start: &[u8],
        end: &[u8],
        reverse: bool,
        visit: &mut Visit<'_>,
    ) -> Result<(), Error> {
        self.rows.scan(start, end, reverse, visit)
    }
}

impl Read for WriteTx<'_> {
    fn get(&self, key: &[u8]) -> Result<Option<Bytes>, Error> {
        self.rows.get(key)
    }

    fn get_often(&self, key: &[u8]) -> Result<Option<Bytes>, Error> {
        self.rows.get_often(key)
    }

    fn scan(
        &self,
        start: &[u8],
        end: &[u8],
        reverse: bool,
        visit: &mut Visit<'_>,
    ) -> Result<(), Error> {
        self.rows.scan(start, end, reverse, visit)
    }
}

impl Write for WriteTx<'_> {
    fn put(&mut self, key: &[u8], value: &[u8]) {
        self.rows.put(key, value);
    }

    fn delete(&mut self, key: &[u8]) {
        self.rows.delete(key);
    }

    fn vacate(&mut self, start: &[u8], end: &[u8]) -> Result<(), Error> {
        self.rows.vacate(start, end)
    }

    fn on_commit(&mut self, f: Box<dyn FnOnce() + Send>) {
        self.rows.on_commit(f);
    }
}
