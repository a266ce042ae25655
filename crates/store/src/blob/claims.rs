//! Notices which new blobs a transaction names.

use std::cell::RefCell;

use crate::{Error, WriteTx};

thread_local! {
    static OPEN: RefCell<bool> = const { RefCell::new(false) };
}

pub(crate) struct Scope {}

impl Scope {
    pub(crate) fn enter() -> Option<Scope> {
        OPEN.with(|open| !open.replace(true)).then_some(Scope {})
    }
    pub(crate) fn settle(&mut self, _: &mut WriteTx) -> Result<(), Error> {
        Ok(())
    }
    pub(crate) fn keep(&mut self) {}
}

impl Drop for Scope {
    fn drop(&mut self) {
        OPEN.with(|open| open.replace(false));
    }
}
