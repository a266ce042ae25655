//! Walks through many rows in bounded pages, each looked at in a snapshot of its own.

use std::ops::ControlFlow;

use fogbank_core::store::{Key, KeyOf, KeyPrefix, Table, Value};
use fogbank_core::{Cx, ReadTx};

use crate::error::Error;

/// How many rows one look takes in.
const PAGE: usize = 1000;

/// A walk through the rows of a table under a prefix.
pub(crate) struct Pages<'a, K, V, P> {
    cx: &'a Cx,
    table: &'a Table<K, V>,
    prefix: P,
    after: Option<K>,
    is_done: bool,
}

impl<'a, K, V, P> Pages<'a, K, V, P>
where
    K: Key + KeyOf<K>,
    V: Value,
    P: KeyPrefix<K>,
{
    pub(crate) fn new(cx: &'a Cx, table: &'a Table<K, V>, prefix: P) -> Self {
        Pages { cx, table, prefix, after: None, is_done: false }
    }

    /// Whether all rows were looked at.
    pub(crate) fn is_done(&self) -> bool {
        self.is_done
    }

    /// What is found among the rows of the next page; none after the last one.
    pub(crate) async fn next<F, I: IntoIterator<Item = F>>(
        &mut self,
        mut look: impl FnMut(&ReadTx<'_>, &K, V) -> Result<I, Error>,
    ) -> Result<Option<Vec<F>>, Error> {
        if self.is_done {
            return Ok(None);
        }
        let begun = self.after.take();
        if begun.is_some() {
            // Others have their turn between pages.
            tokio::task::yield_now().await;
        }
        let (mut found, mut rows, mut last) = (Vec::new(), 0, None);
        self.cx.read(|tx| {
            let mut range = self.table.range(&self.prefix).limit(PAGE);
            if let Some(begun) = &begun {
                range = range.after(begun);
            }
            range.try_visit::<Error>(tx, |key, value| {
                rows += 1;
                found.extend(look(tx, &key, value)?);
                last = Some(key);
                Ok(ControlFlow::Continue(()))
            })
        })?;
        (self.after, self.is_done) = (last, rows < PAGE);
        Ok(Some(found))
    }
}
