//! Table buckets, namespaces and tables of Amazon S3 Tables as rows, and the warehouses in which the tables' files lie.
//!
//! S3 Tables writes them; S3 reads them for its requests, and neither may depend on the other. Nothing else may depend on
//! this crate.
//!
//! # How files come into a table
//!
//! Each table has a *warehouse*: a bucket of S3 named `…--table-s3`, of which S3 keeps no row of its own. It takes GetObject,
//! HeadObject, PutObject and multipart uploads by the front door of S3, which asks for `s3tables:GetTableData` or
//! `s3tables:PutTableData` on the table's ARN, with the policies of the table and of its bucket. Deleting a table lets S3
//! remove the warehouse's objects in the background ([`REMOVED`]).
//!
//! # How S3 Metadata writes tables of its own
//!
//! Its tables lie in the table bucket [`MANAGED_BUCKET`] of the account, which only the service [`METADATA_SERVICE`] changes:
//!
//! ```text
//! let cx = cx.located(account, region);
//! let service = || Principal::service(fogbank_tablebuckets::METADATA_SERVICE);
//! cx.call(service(), "s3tables:CreateTableBucket", json!({ "name": "aws-s3" })).await?;          // ConflictException: is there
//! let arn = fogbank_tablebuckets::arn((account, region, "aws-s3"));
//! cx.call(service(), "s3tables:CreateNamespace", json!({ "tableBucketARN": arn, "namespace": ["b_photos"] })).await?;
//! cx.call(service(), "s3tables:CreateTable", json!({ "tableBucketARN": arn, "namespace": "b_photos", "name": "journal",
//!     "format": "ICEBERG" })).await?;                                                            // tableARN, versionToken
//! cx.call(service(), "s3tables:GetTableMetadataLocation", …).await?;     // versionToken, warehouseLocation s3://WAREHOUSE
//! cx.prepare(service(), "s3:PutObject", json!({ "Bucket": WAREHOUSE, "Key": "metadata/00000-….metadata.json" }));  // body
//! cx.call(service(), "s3tables:UpdateTableMetadataLocation", …).await?;  // compares the versionToken: ConflictException
//! ```
//!
//! The calls carry the account and region of `cx`. Tables that are made so have the type `aws`, are managed by that service,
//! and nobody else may write to them, whatever policies say; their owner may read and delete them.

#[cfg(test)]
mod tests;

use fogbank_core::store::{Error, Read, Table as RowTable, TableLabel, row};
use fogbank_core::{Principal, PrincipalKind, WriteTx};
use serde::{Deserialize, Serialize};

/// The table bucket of an account in a region that services of AWS fill.
pub const MANAGED_BUCKET: &str = "aws-s3";
/// The service that fills it.
pub const METADATA_SERVICE: &str = "metadata.s3.amazonaws.com";
/// The service that maintains the tables of accounts, by which policies of KMS's keys know it.
pub const MAINTENANCE_SERVICE: &str = "maintenance.s3tables.amazonaws.com";
/// How names of warehouses end.
pub const WAREHOUSE_END: &str = "--table-s3";
/// What wakes S3 to remove the objects of warehouses that are gone.
pub const REMOVAL: &str = "s3.warehouses";

/// A table bucket.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TableBucket {
    /// Its id, a UUID.
    pub id: String,
    /// When it was created, in milliseconds since the epoch.
    pub created_millis: i64,
    /// Whether a service of AWS made it and alone may change it.
    pub is_managed: bool,
    /// How new tables are encrypted that do not say it themselves; none if nobody said.
    pub encryption: Option<Encryption>,
    /// The storage class of new tables that do not say it themselves.
    pub storage_class: Option<String>,
    /// The policy, as it was given.
    pub policy: Option<String>,
    /// Tags by their keys.
    pub tags: Vec<(String, String)>,
    /// The removal of files that no snapshot names, if it was configured.
    pub file_removal: Option<FileRemoval>,
    /// The id of the configuration of metrics, if there is one.
    pub metrics: Option<String>,
}

row!(TableBucket, 1);

/// How objects of a table are encrypted.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Encryption {
    /// The ARN of the key of KMS; none for `AES256`.
    pub kms_key: Option<String>,
}

/// A configuration of the removal of files that no snapshot names.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileRemoval {
    /// Whether it is enabled.
    pub is_enabled: bool,
    /// After how many days a file counts as not current.
    pub unreferenced_days: i32,
    /// After how many more days it is removed.
    pub non_current_days: i32,
}

/// A namespace of a table bucket.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Namespace {
    /// Its id, a UUID.
    pub id: String,
    /// When it was created, in milliseconds since the epoch.
    pub created_millis: i64,
    /// The account that created it.
    pub created_by: String,
}

row!(Namespace, 1);

/// A table.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Table {
    /// Its id, a UUID, which stands in its ARN.
    pub id: String,
    /// When it was created, in milliseconds since the epoch.
    pub created_millis: i64,
    /// The account that created it.
    pub created_by: String,
    /// When it was changed last, in milliseconds since the epoch.
    pub modified_millis: i64,
    /// The account that changed it last.
    pub modified_by: String,
    /// What every change of the table changes.
    pub version_token: String,
    /// Where the current metadata lies.
    pub metadata_location: Option<String>,
    /// The name of the bucket in which its files lie.
    pub warehouse: String,
    /// The service that manages it, if it is not the account's own.
    pub managed_by: Option<String>,
    /// How its objects are encrypted.
    pub encryption: Encryption,
    /// Its storage class.
    pub storage_class: String,
    /// The policy, as it was given.
    pub policy: Option<String>,
    /// Tags by their keys.
    pub tags: Vec<(String, String)>,
    /// Compaction, if it was configured.
    pub compaction: Option<Compaction>,
    /// The management of snapshots, if it was configured.
    pub snapshots: Option<Snapshots>,
    /// The expiration of records, if it was configured.
    pub expiration: Option<Expiration>,
}

row!(Table, 1);

/// A configuration of compaction.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Compaction {
    /// Whether it is enabled.
    pub is_enabled: bool,
    /// How large files are to be, in MiB.
    pub target_file_size_mib: i32,
    /// The strategy, such as `auto`.
    pub strategy: String,
}

/// A configuration of the management of snapshots.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Snapshots {
    /// Whether it is enabled.
    pub is_enabled: bool,
    /// How many snapshots are kept in any case.
    pub min_to_keep: i32,
    /// After how many hours a snapshot expires.
    pub max_age_hours: i32,
}

/// A configuration of the expiration of records.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Expiration {
    /// Whether it is enabled.
    pub is_enabled: bool,
    /// After how many days records expire, if that was said.
    pub days: Option<i32>,
}

/// How far the maintenance of a table is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Maintained {
    /// The last management of snapshots.
    pub snapshots: Option<Job>,
    /// The last removal of files that no snapshot names.
    pub files: Option<Job>,
}

row!(Maintained, 1);

/// A job of maintenance that ran.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Job {
    /// When, in milliseconds since the epoch.
    pub ran_millis: i64,
    /// How it ended.
    pub outcome: Outcome,
}

/// How a job of maintenance ended. The order is the format on disk.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Outcome {
    /// All was done.
    Successful,
    /// It was not, for this reason.
    Failed(String),
    /// The table itself says what it keeps, and the job is not to touch it.
    Disabled,
}

/// The namespace and name of a table.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Named {
    /// The namespace.
    pub namespace: String,
    /// The name in it.
    pub name: String,
}

row!(Named, 1);

/// What S3 must know of the bucket in which a table's files lie.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Warehouse {
    /// A number that no other bucket has had.
    pub number: u64,
    /// The account that owns the table.
    pub account: String,
    /// Its region.
    pub region: String,
    /// The name of its table bucket.
    pub bucket: String,
    /// The table's id.
    pub table: String,
    /// When it was created, in milliseconds since the epoch.
    pub created_millis: i64,
    /// The ARN of the key of KMS that encrypts its objects.
    pub kms_key: Option<String>,
    /// The service that alone may write to it, if there is one.
    pub managed_by: Option<String>,
}

row!(Warehouse, 1);

/// The account, region and name of a table bucket.
pub type BucketKey = (String, String, String);
/// The key of a table bucket and a namespace's name.
pub type NamespaceKey = (String, String, String, String);
/// The key of a namespace and a table's name.
pub type TableKey = (String, String, String, String, String);

/// Table buckets by account, region and name.
pub static BUCKETS: RowTable<BucketKey, TableBucket> = RowTable::new("s3tables.buckets", 0x1501);
/// Namespaces by the key of their bucket and name.
pub static NAMESPACES: RowTable<NamespaceKey, Namespace> =
    RowTable::new("s3tables.namespaces", 0x1502);
/// Tables by the key of their bucket, namespace and name.
pub static TABLES: RowTable<TableKey, Table> = RowTable::new("s3tables.tables", 0x1503);
/// What tables are called, by the key of their bucket and their id.
pub static NAMES: RowTable<NamespaceKey, Named> = RowTable::new("s3tables.names", 0x1504);
/// Warehouses by name.
pub static WAREHOUSES: RowTable<String, Warehouse> = RowTable::new("s3tables.warehouses", 0x1505);
/// Warehouses whose table is not there yet, with the time, in milliseconds since the epoch, at which they were made.
pub static PENDING: RowTable<String, u64> = RowTable::new("s3tables.pending-warehouses", 0x1506);
/// Warehouses that are gone, with their numbers, whose objects S3 is still to remove.
pub static REMOVED: RowTable<String, u64> = RowTable::new("s3tables.removed-warehouses", 0x1507);
/// How far the maintenance of tables is, by the names of their warehouses.
pub static MAINTAINED: RowTable<String, Maintained> = RowTable::new("s3tables.maintained", 0x1508);
/// Files that no snapshot names, by warehouse and key, with the time, in milliseconds since the epoch, since when they count
/// as not current.
pub static NONCURRENT: RowTable<(String, String), u64> =
    RowTable::new("s3tables.noncurrent-files", 0x1509);

/// The labels of all tables.
pub static LABELS: &[TableLabel] = &[
    BUCKETS.label(),
    NAMESPACES.label(),
    TABLES.label(),
    NAMES.label(),
    WAREHOUSES.label(),
    PENDING.label(),
    REMOVED.label(),
    MAINTAINED.label(),
    NONCURRENT.label(),
];

/// The ARN of a table bucket.
pub fn arn((account, region, name): (&str, &str, &str)) -> String {
    format!("arn:aws:s3tables:{region}:{account}:bucket/{name}")
}

/// The ARN of the table with an id.
pub fn table_arn(bucket: (&str, &str, &str), id: &str) -> String {
    format!("{}/table/{id}", arn(bucket))
}

/// Whether a bucket's name is one of a warehouse: nobody may create another bucket of such a name.
pub fn is_warehouse(bucket: &str) -> bool {
    bucket.ends_with(WAREHOUSE_END)
}

impl Warehouse {
    /// The ARN of the table whose files lie in it.
    pub fn table_arn(&self) -> String {
        table_arn((&self.account, &self.region, &self.bucket), &self.table)
    }

    /// What the table is called; nothing if it is not there yet.
    pub fn named(&self, tx: &(impl Read + ?Sized)) -> Result<Option<Named>, Error> {
        NAMES.get(tx, &(&*self.account, &*self.region, &*self.bucket, &*self.table))
    }

    /// Whether a caller may write, as far as it is not a matter of policies: what a service of AWS manages, it alone writes.
    pub fn may_be_written_by(&self, principal: &Principal) -> bool {
        self.managed_by.as_deref().is_none_or(|service| is_service(principal, service))
    }
}

/// Whether a caller is the service of this name.
pub fn is_service(principal: &Principal, service: &str) -> bool {
    matches!(&principal.kind, PrincipalKind::Service { name } if name == service)
}

/// Lets a warehouse go: no request reaches it any more, and S3 removes its objects.
pub fn remove_warehouse(tx: &mut WriteTx<'_>, name: &str) -> Result<(), Error> {
    if let Some(warehouse) = WAREHOUSES.get(tx, name)? {
        WAREHOUSES.delete(tx, name)?;
        REMOVED.put(tx, name, &warehouse.number)?;
        tx.wake(REMOVAL);
    }
    MAINTAINED.delete(tx, name)?;
    PENDING.delete(tx, name)
}
