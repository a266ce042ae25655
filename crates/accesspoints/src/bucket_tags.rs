//! Tags of buckets, and what S3 Control must know of a bucket to set them: the rows are S3's.

use fogbank_core::store::{Error, Table, decode_fields, row};
use serde::{Deserialize, Serialize};

/// What begins the row of a bucket, whatever the row's version.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bucket {
    /// A number that no other bucket has had.
    pub id: u64,
    /// The account that owns it.
    pub account: String,
    /// Its region.
    pub region: String,
}

// No row has this version, so that all are older.
row!(Bucket, 255, any_bucket);

fn any_bucket(_: u8, bytes: &[u8]) -> Result<Bucket, Error> {
    decode_fields(bytes)
}

/// Tags in the order given.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tags(pub Vec<(String, String)>);

row!(Tags, 1);

/// Buckets by name, to be read only: a view of S3's rows, which alone writes them.
pub static BUCKETS: Table<String, Bucket> = Table::new("s3.buckets", 0x0201);
/// The tags of buckets that have some.
pub static BUCKET_TAGS: Table<String, Tags> = Table::new("s3.bucket-tags", 0x0204);
