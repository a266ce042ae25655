//! What the store promises: one suite that runs on every engine.

#![allow(clippy::unwrap_used, reason = "a test says by a panic what went wrong")]

mod blobs;
mod concurrency;
mod keys;
mod model;
mod rows;
mod tables;

use std::time::Duration;

use fogbank_store::{Db, Durability, Options};
use tempfile::TempDir;

/// A database of one of the engines, in a folder of its own.
struct Store {
    db: Db,
    options: Options,
    folder: TempDir,
}

impl Store {
    fn new(durability: Durability) -> Store {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("data");
        let options = Options { durability, blob_grace: Duration::ZERO, ..Options::new(path) };
        Store { db: Db::open(&options).unwrap(), options, folder }
    }

    /// Closes and opens again; what is in memory would be lost, so that its engine just goes on.
    fn reopen(&mut self) {
        if self.options.durability != Durability::Memory {
            self.db.close().unwrap();
            self.db = Db::open(&self.options).unwrap();
        }
    }

    fn is_on_disk(&self) -> bool {
        self.options.durability != Durability::Memory
    }
}

/// Makes of each `async fn name(store: Store)` one test per engine.
macro_rules! on_every_engine {
    ($($name:ident)*) => {$(
        mod $name {
            use fogbank_store::Durability::{Buffered, Fsync, Memory};

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn in_memory() {
                super::$name(crate::Store::new(Memory)).await;
            }

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn on_disk() {
                super::$name(crate::Store::new(Fsync)).await;
            }

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn on_disk_buffered() {
                super::$name(crate::Store::new(Buffered)).await;
            }
        }
    )*};
}
pub(crate) use on_every_engine;
