//! Where all state lies: ordered rows in transactions, and blobs beside them.
//!
//! [`Db`] is one database. A read runs at once on a consistent view of what is durable ([`Db::read`]); a write is a
//! synchronous closure that shares its trip to the disk with the writes around it ([`Db::write`]) and is acknowledged
//! after it. Rows live in a [`Table`] under a [`Key`] and have versions ([`Row`]). Bodies stream into [`Blobs`]. What
//! lies on disk, and what a crash may do to it, is described in docs/STORAGE.md.
//!
//! ```
//! use fogbank_store::{BlobRef, Db, Error, Table};
//! use serde::{Deserialize, Serialize};
//!
//! #[derive(Serialize, Deserialize)]
//! struct ObjectRow {
//!     content_type: String,
//!     body: BlobRef,
//! }
//! fogbank_store::row!(ObjectRow, 1);
//!
//! static OBJECTS: Table<(String, String), ObjectRow> = Table::new("s3.objects", 0x2001);
//!
//! # async fn example() -> Result<(), Error> {
//! let db = Db::memory();
//! let mut writer = db.blobs().writer(Some(5));
//! writer.write("hello".into()).await?;
//! let row = ObjectRow { content_type: "text/plain".to_owned(), body: writer.finish().await? };
//! db.write(|tx| OBJECTS.put(tx, &("bucket", "greeting"), &row)).await?;
//!
//! let row = db.read(|tx| OBJECTS.get(tx, &("bucket", "greeting")))?.expect("it was just written");
//! assert_eq!(db.blobs().get(&row.body).await?, "hello");
//!
//! db.write(|tx| {
//!     OBJECTS.delete(tx, &("bucket", "greeting"))?;
//!     db.blobs().free(tx, &row.body)
//! })
//! .await
//! # }
//! # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(example()).unwrap();
//! ```

mod apart;
mod blob;
mod commit;
mod db;
mod engine;
mod error;
mod examine;
pub mod frames;
mod key;
mod layout;
mod merge;
mod meta;
mod published;
mod row;
mod simulation;
mod snapshot;
mod space;
mod table;
mod tx;

pub use apart::Apart;
pub use blob::{BlobId, BlobReader, BlobRef, BlobWriter, Blobs, Damaged, Scrubbed, Swept};
pub use commit::CommitStep;
pub use db::{Db, Durability, LazyView, Options};
pub use error::Error;
pub use examine::{Examination, examine};
pub use key::{Key, KeyOf, KeyPrefix, Starting, decode as decode_key, encode as encode_key};
#[doc(hidden)]
pub use row::no_older_version;
pub use row::{Raw, Row, Value, decode_fields};
pub use simulation::{Bug, Crash, Faults, SimulatedDisk};
pub use snapshot::{Difference, Found, SnapshotInfo, Snapshots, restore_backup, verify_backup};
pub use space::free_bytes;
pub use table::{Range, Table, TableLabel};
pub use tx::{
    Hook, MAX_KEY_BYTES, MAX_TRANSACTION_BYTES, MAX_VALUE_BYTES, Read, ReadTx, Visit, Write,
    WriteTx,
};
