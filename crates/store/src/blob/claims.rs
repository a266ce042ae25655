//! Notices which new blobs a transaction names.
//!
//! A new blob must be registered in the very transaction that first stores its reference; else a crash would leave the
//! store unable to tell it from garbage. So that no service can forget that, serialising a new reference registers it
//! with the transaction that runs on this thread, and fails if there is none.

use std::cell::RefCell;
use std::sync::Arc;

use super::live;
use super::reference::Fresh;
use crate::{Error, WriteTx};

/// New blobs, each with the number of rows that name it.
type Named = Vec<(Arc<Fresh>, u32)>;

thread_local! {
    /// What the transaction that runs on this thread names; nothing while none runs.
    static NAMED: RefCell<Option<Named>> = const { RefCell::new(None) };
}

/// One run of a transaction on this thread.
pub(crate) struct Scope {
    settled: Vec<Arc<Fresh>>,
}

impl Scope {
    /// Opens the scope of a transaction; nothing if another is open on this thread.
    pub(crate) fn enter() -> Option<Scope> {
        NAMED.with_borrow_mut(|named| match named {
            Some(_) => None,
            None => {
                *named = Some(Vec::new());
                Some(Scope { settled: Vec::new() })
            }
        })
    }

    /// Writes the rows that make the named blobs permanent.
    pub(crate) fn settle(&mut self, tx: &mut WriteTx) -> Result<(), Error> {
        let named = NAMED.with_borrow_mut(|named| named.as_mut().map(std::mem::take));
        for (fresh, names) in named.unwrap_or_default() {
            live::name(tx, &fresh.place, names)?;
            self.settled.push(fresh);
        }
        Ok(())
    }

    /// Makes the settled blobs outlive their references: the transaction has run.
    pub(crate) fn keep(&mut self) {
        for fresh in self.settled.drain(..) {
            fresh.set_named();
        }
    }
}

impl Drop for Scope {
    fn drop(&mut self) {
        // The blobs are let go of outside the borrow, since a dropped one may have work to do.
        drop(NAMED.with_borrow_mut(Option::take));
    }
}

/// Fails on a thread that runs a transaction: it holds the lock that another one would wait for.
pub(crate) fn refuse_nesting() -> Result<(), Error> {
    if NAMED.with_borrow(Option::is_some) { Err(Error::Nested) } else { Ok(()) }
}

/// Registers a new blob with the open transaction, and says whether there is one.
pub(super) fn claim(fresh: &Arc<Fresh>) -> bool {
    NAMED.with_borrow_mut(|named| {
        let Some(named) = named else { return false };
        if !named.iter().any(|(known, _)| Arc::ptr_eq(known, fresh)) {
            named.push((fresh.clone(), 1));
        }
        true
    })
}

/// Registers that one row more of the open transaction names a new blob.
pub(super) fn count_again(fresh: &Arc<Fresh>) {
    NAMED.with_borrow_mut(|named| {
        for (known, names) in named.iter_mut().flatten() {
            if Arc::ptr_eq(known, fresh) {
                *names += 1;
            }
        }
    });
}

/// Takes a registration back: the open transaction has freed the blob that it named before.
pub(super) fn forget(fresh: &Arc<Fresh>) {
    let forgotten = NAMED.with_borrow_mut(|named| {
        let named = named.as_mut()?;
        let index = named.iter().position(|(known, _)| Arc::ptr_eq(known, fresh))?;
        named[index].1 -= 1;
        (named[index].1 == 0).then(|| named.swap_remove(index))
    });
    // Let go of outside the borrow, as in the scope's own drop.
    drop(forgotten);
}
