//! How the configurations of S3 Metadata lie in the store, and the records that wait for the journal.

use fogbank_core::store::{Table, row};
use serde::{Deserialize, Serialize};

use crate::checksums::Algorithm;
use crate::rules::ETag;
use crate::store::VersionName;

// The prefixes from 0x0250 to 0x025f are S3 Control's.

/// The configuration of each bucket that has one.
pub(crate) static CONFIGURED: Table<String, Configured> =
    Table::new("s3.metadata-configurations", 0x0280);
/// The journals, by the numbers of their configurations. One whose configuration is gone stays until its records are
/// delivered.
pub(crate) static JOURNALS: Table<u64, Journal> = Table::new("s3.journals", 0x0281);
/// Records that wait for their journal: by the number of its configuration, the number of the transaction, and the place
/// within it.
pub(crate) static RECORDS: Table<(u64, u64, u64), Record> =
    Table::new("s3.journal-records", 0x0282);

/// The tables that show what is there now, by the number of their configuration and of their kind.
pub(crate) static LIVES: Table<(u64, u8), Live> = Table::new("s3.live-tables", 0x0283);
/// Their stretches, by the first key.
pub(crate) static STRETCHES: Table<(u64, u8, String), Stretch> =
    Table::new("s3.live-table-stretches", 0x0284);

/// The metadata configuration of a bucket.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Configured {
    /// The number of the transaction that created it.
    pub(crate) number: u64,
    /// Where a configuration of the first version has its table; none for the table bucket that AWS manages.
    pub(crate) customer: Option<CustomerTable>,
    /// After how many days records of the journal go; none if they stay.
    pub(crate) expires_days: Option<u32>,
    pub(crate) journal: TableState,
    /// None if the inventory table is disabled.
    pub(crate) inventory: Option<TableState>,
    /// None if the annotation table is disabled.
    pub(crate) annotation: Option<TableState>,
    /// The role that was given for the annotation table.
    pub(crate) role: Option<String>,
}

row!(Configured, 1);

/// The table of a configuration of the first version.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct CustomerTable {
    pub(crate) table_bucket_arn: String,
    pub(crate) table: String,
}

/// How far a table is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct TableState {
    pub(crate) status: Status,
    /// The key of KMS that encrypts it; none if its table bucket decides, `Some(None)` for keys of S3.
    pub(crate) encryption: Option<Option<String>>,
    /// The table's ARN, once it is there.
    pub(crate) arn: Option<String>,
}

/// The states of tables. The order is the format on disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Status {
    Creating,
    Backfilling,
    Active,
    Failed(Failure),
}

/// Why a table failed. The order is the format on disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Failure {
    AccessDeniedCreatingResources,
    AccessDeniedWritingToTable,
    DestinationTableNotFound,
    ServerInternalError,
    /// In the words of each kind of table: `JournalTableAlreadyExists` and so on.
    TableAlreadyExists,
    TableBucketNotFound,
    JournalTableNotAvailable,
}

/// How far a journal is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Journal {
    pub(crate) bucket: String,
    /// The bucket's own number.
    pub(crate) bucket_id: u64,
    pub(crate) account: String,
    pub(crate) region: String,
    /// The table's ARN, once it is there.
    pub(crate) table_arn: Option<String>,
    /// Whether the configuration is gone, so that the journal ends with the records that wait.
    pub(crate) is_ended: bool,
    /// The transaction and place of the last record that is in the table.
    pub(crate) delivered: (u64, u64),
    /// Those of the last record of the batch that is being written.
    pub(crate) batch: Option<(u64, u64)>,
    /// When the table was last looked after, or when the configuration was created.
    pub(crate) maintained_millis: i64,
}

row!(Journal, 1);

/// How far a table is that shows what is there now.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Live {
    /// The number of the last step that was taken.
    pub(crate) generation: u64,
    /// The key with which the next stretch begins while it is backfilled.
    pub(crate) backfill: Option<String>,
    /// When it was last brought up to date.
    pub(crate) refreshed_millis: i64,
    /// The step that is being taken.
    pub(crate) step: Option<Step>,
}

row!(Live, 1);

/// Stretches that are written at once.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Step {
    pub(crate) generation: u64,
    /// Stretches by their first keys, and their files.
    pub(crate) added: Vec<(String, Vec<String>)>,
    /// The key with which the stretch after them begins while the table is backfilled.
    pub(crate) backfill: Option<String>,
}

/// The keys from one on up to the next stretch's.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Stretch {
    /// The URIs of the files in which its rows are.
    pub(crate) files: Vec<String>,
    /// Whether something changed since they were written.
    pub(crate) is_changed: bool,
}

row!(Stretch, 1);

/// What a record tells. The order is the format on disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum RecordKind {
    Create,
    UpdateMetadata,
    /// A version, or an object, was removed for good.
    Delete,
    DeleteMarker,
    CreateAnnotation,
    DeleteAnnotation,
}

/// A change of an object.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Record {
    pub(crate) kind: RecordKind,
    pub(crate) key: String,
    pub(crate) millis: i64,
    /// The number of the version that it is about.
    pub(crate) version: u64,
    pub(crate) version_name: VersionName,
    /// The version as it is now; none if it is gone.
    pub(crate) described: Option<Box<Described>>,
    /// The account or the service that made the change.
    pub(crate) requester: Option<String>,
    pub(crate) source_ip: Option<String>,
    pub(crate) request_id: String,
    /// The name of the annotation that it is about.
    pub(crate) annotation: Option<String>,
}

row!(Record, 1);

/// What a record tells of a version.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Described {
    pub(crate) size: u64,
    pub(crate) modified_millis: i64,
    /// None for a delete marker.
    pub(crate) e_tag: Option<ETag>,
    /// None for `STANDARD`.
    pub(crate) storage_class: Option<String>,
    pub(crate) sealed: Sealed,
    pub(crate) checksum: Option<Algorithm>,
    pub(crate) tags: Vec<(String, String)>,
    pub(crate) metadata: Vec<(String, String)>,
}

/// How a body is encrypted. The order is the format on disk.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Sealed {
    #[default]
    S3,
    Customer,
    Kms {
        is_dual: bool,
        key_arn: String,
        bucket_key: bool,
    },
}
