//! The tables of the store itself. Prefixes below 0x10 are theirs.

use bytes::Bytes;

use crate::Table;

/// Numbers that the store remembers, by name.
pub(crate) static META: Table<String, u64> = Table::new("store.meta", 0x01);

/// The version of the last committed transaction.
pub(crate) const VERSION: &str = "version";

/// The key of the version's row, which the committer writes past the table.
pub(crate) fn version_key() -> Bytes {
    let mut key = META.prefix().to_be_bytes().to_vec();
    key.extend(crate::key::encode::<String>(VERSION));
    key.into()
}

/// How many times the database has been opened.
pub(crate) const OPENED: &str = "opened";

/// The last opening whose unnamed blobs have been removed.
pub(crate) const BLOBS_SWEPT: &str = "blobs_swept";

/// The name of the snapshot that the state came from.
pub(crate) static BASE: Table<(), String> = Table::new("store.base", 0x04);

/// The ranges of prefixes, without their ends, whose rows are part of a snapshot: which blobs live, and all that is not
/// the store's own.
pub(crate) const PORTABLE: [(u32, u32); 2] = [(0x02, 0x03), (0x10, u32::MAX)];
