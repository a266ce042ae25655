//! The engines: ordered bytes with snapshots and atomic batches. Nothing outside this crate sees one.
//!
//! The trait is small on purpose, so that another engine (RocksDB, the PostgreSQL wire) fits behind it. Transactions,
//! read-your-writes and group commit are above it, in `commit`.

pub(crate) mod cow;
pub(crate) mod disk;
mod gaps;
mod journal;
pub(crate) mod memory;
mod often;

use std::ops::ControlFlow;
use std::sync::Arc;

use bytes::Bytes;

use crate::Error;
use crate::tx::{Overlay, Visit};

/// A consistent, immutable view of the rows.
pub(crate) trait View: Send + Sync {
    fn get(&self, key: &[u8]) -> Result<Option<Bytes>, Error>;

    /// The same for a key of a table that is read by almost every request.
    fn get_often(&self, key: &[u8]) -> Result<Option<Bytes>, Error> {
        self.get(key)
    }

    /// Visits `start <= key < end`, where `start < end`, and says whether the visitor broke.
    fn scan(
        &self,
        start: &[u8],
        end: &[u8],
        reverse: bool,
        visit: &mut Visit<'_>,
    ) -> Result<ControlFlow<()>, Error>;
}

/// What a batch must survive when `commit` returns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Survives {
    /// A crash of the process.
    Crash,
    /// A crash of the machine.
    PowerCut,
}

/// Ordered bytes. One thread at a time commits; any thread takes and reads views.
pub(crate) trait Engine: Send + Sync {
    /// A view of all batches committed so far.
    fn view(&self) -> Result<Arc<dyn View>, Error>;

    /// Applies all of `batch` or nothing.
    fn commit(&self, batch: &Overlay, survives: Survives) -> Result<(), Error>;

    /// Makes every committed batch survive the end of the power supply.
    fn flush(&self) -> Result<(), Error>;

    /// Bytes used on disk.
    fn disk_bytes(&self) -> Result<u64, Error>;

    /// A new engine of the same kind beside this one, durable, with the rows that `fill` gives in ascending order of
    /// their keys. A restart does not find it before [`Engine::take_over`].
    fn rebuild(&self, fill: &mut Fill<'_>) -> Result<Arc<dyn Engine>, Error>;

    /// Makes this engine the one that is opened after a restart, in place of the one that it was built beside. Fails
    /// with [`Error::ReadOnly`] if a restart might find either.
    fn take_over(&self) -> Result<(), Error>;

    /// Leaves a note of a failure where somebody who looks for it finds it; the log has it in any case.
    fn note_failure(&self, _what: &str) {}

    /// Says that another engine has taken over: what this one has on disk goes when nobody reads from it any more.
    fn retire(&self);

    /// Whether the engine's work in the background lags so far behind that writers should slow down.
    fn is_behind(&self) -> bool {
        false
    }
}

/// Takes the rows of a new engine, one after the other.
pub(crate) type Sink<'s> = dyn FnMut(&[u8], &[u8]) -> Result<(), Error> + 's;

/// Gives the rows of a new engine to a sink.
pub(crate) type Fill<'f> = dyn FnMut(&mut Sink<'_>) -> Result<(), Error> + 'f;

/// What remains to be seen of a closed database.
pub(crate) struct ClosedView;

impl View for ClosedView {
    fn get(&self, _: &[u8]) -> Result<Option<Bytes>, Error> {
        Err(Error::Closed)
    }

    fn scan(
        &self,
        _: &[u8],
        _: &[u8],
        _: bool,
        _: &mut Visit<'_>,
    ) -> Result<ControlFlow<()>, Error> {
        Err(Error::Closed)
    }
}
