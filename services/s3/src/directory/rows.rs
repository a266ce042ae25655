//! The rows that only directory buckets have.

use fogbank_core::store::{Table, row};
use serde::{Deserialize, Serialize};

/// Directory buckets by account and name.
pub(crate) static DIRECTORIES: Table<(String, String), Directory> =
    Table::new("s3.directory-buckets", 0x0260);
/// Renamings that were asked for with a token, by the bucket's id and the token.
pub(crate) static RENAMES: Table<(u64, String), Renamed> = Table::new("s3.renames", 0x0261);
/// The same by their time in seconds since 1970, so that they can be forgotten.
pub(crate) static RENAME_ENDS: Table<(u64, u64, String), ()> = Table::new("s3.rename-ends", 0x0262);

/// What a directory bucket has beyond other buckets.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Directory {
    /// Whether its zone is a Local Zone and no Availability Zone.
    pub(crate) is_local_zone: bool,
}

row!(Directory, 1);

/// A renaming that was done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Renamed {
    /// The SHA-256 of what was asked for.
    pub(crate) request: [u8; 32],
}

row!(Renamed, 1);
