//! Amazon S3 Tables: table buckets of Apache Iceberg tables.
//!
//! A *table bucket* holds *namespaces*, and these hold *tables*. The files of a table lie in its *warehouse*, a bucket that
//! S3 serves; this service keeps where the current metadata lies, and changes that only for who knows the table's *version
//! token*. The rows lie in `fogbank-tablebuckets`, which also tells how S3 Metadata fills the table bucket `aws-s3`.
//!
//! Limits are AWS's: names, 50 tags, 20 KiB of policy.
//!
//! What is missing, and said so where it is asked for: replication, migration from AWS Glue, logs of table buckets. Snapshots
//! expire and files without a name go; no job compacts files or expires records, and the status of these two says that it has
//! not run.

mod access;
mod buckets;
mod catalog;
mod encryption;
mod error;
mod maintenance;
mod metadata;
mod model;
mod namespaces;
mod policies;
mod reset;
mod rules;
mod settings;
mod store;
mod tables;
mod tags;
mod tasks;
#[cfg(test)]
mod tests;

use std::time::Duration;

pub use error::Error;
use fogbank_core::wire::Style;
use fogbank_core::{Op, Service, Task, operations};

/// The operations that are implemented.
pub static OPERATIONS: &[Op] = operations! {
    write CreateTableBucket => buckets::create, access::create_bucket;
    read GetTableBucket => buckets::get, access::bucket;
    read ListTableBuckets => buckets::list, access::all;
    write DeleteTableBucket => buckets::delete, access::bucket;

    write CreateNamespace => namespaces::create, access::bucket;
    read GetNamespace => namespaces::get, access::namespace;
    read ListNamespaces => namespaces::list, access::bucket;
    write DeleteNamespace => namespaces::delete, access::namespace;

    task CreateTable => tables::create, access::create_table;
    read GetTable => tables::get, access::table;
    read ListTables => tables::list, access::namespace;
    write DeleteTable => tables::delete, access::table;
    write RenameTable => tables::rename, access::table;
    read GetTableMetadataLocation => tables::location, access::table;
    task UpdateTableMetadataLocation => tables::update_location, access::table;

    write PutTableBucketPolicy => policies::put_bucket, access::bucket;
    read GetTableBucketPolicy => policies::get_bucket, access::bucket;
    write DeleteTableBucketPolicy => policies::delete_bucket, access::bucket;
    write PutTablePolicy => policies::put_table, access::table;
    read GetTablePolicy => policies::get_table, access::table;
    write DeleteTablePolicy => policies::delete_table, access::table;

    write PutTableBucketEncryption => encryption::put, access::put_encryption;
    read GetTableBucketEncryption => encryption::get, access::bucket;
    write DeleteTableBucketEncryption => encryption::delete, access::bucket;
    read GetTableEncryption => encryption::of_table, access::table;

    write PutTableBucketStorageClass => settings::put_class, access::put_class;
    read GetTableBucketStorageClass => settings::get_class, access::bucket;
    read GetTableStorageClass => settings::class_of_table, access::table;
    write PutTableBucketMetricsConfiguration => settings::put_metrics, access::bucket;
    read GetTableBucketMetricsConfiguration => settings::get_metrics, access::bucket;
    write DeleteTableBucketMetricsConfiguration => settings::delete_metrics, access::bucket;
    write PutTableRecordExpirationConfiguration => settings::put_expiration, access::table;
    read GetTableRecordExpirationConfiguration => settings::get_expiration, access::table;
    read GetTableRecordExpirationJobStatus => settings::expiration_status, access::table;

    write PutTableBucketMaintenanceConfiguration => maintenance::put_bucket, access::bucket;
    read GetTableBucketMaintenanceConfiguration => maintenance::get_bucket, access::bucket;
    write PutTableMaintenanceConfiguration => maintenance::put_table, access::table;
    read GetTableMaintenanceConfiguration => maintenance::get_table, access::table;
    read GetTableMaintenanceJobStatus => maintenance::job_status, access::table;

    read IcebergGetConfig => catalog::config, |_, input| {
        access::catalog_bucket("s3tables:GetTableBucket", input)
    };
    read IcebergListNamespaces => catalog::namespaces::list, |_, input| {
        access::catalog_bucket("s3tables:ListNamespaces", input)
    };
    write IcebergCreateNamespace => catalog::namespaces::create, |_, input| {
        access::catalog_bucket("s3tables:CreateNamespace", input)
    };
    read IcebergLoadNamespace => catalog::namespaces::load, |_, input| {
        access::catalog_namespace("s3tables:GetNamespace", input)
    };
    read IcebergNamespaceExists => catalog::namespaces::exists, |_, input| {
        access::catalog_namespace("s3tables:GetNamespace", input)
    };
    write IcebergDropNamespace => catalog::namespaces::drop, |_, input| {
        access::catalog_namespace("s3tables:DeleteNamespace", input)
    };
    read IcebergListTables => catalog::tables::list, |_, input| {
        access::catalog_namespace("s3tables:ListTables", input)
    };
    task IcebergCreateTable => catalog::tables::create, access::catalog_create;
    task IcebergLoadTable => catalog::tables::load, access::catalog_load;
    read IcebergTableExists => catalog::tables::exists, |_, input| {
        access::catalog_table("s3tables:GetTable", input)
    };
    task IcebergCommitTable => catalog::tables::commit, access::catalog_commit;
    write IcebergDropTable => catalog::tables::drop, |_, input| {
        access::catalog_table("s3tables:DeleteTable", input)
    };
    write IcebergRenameTable => catalog::tables::rename, access::catalog_rename;

    write TagResource => tags::put, access::resource;
    write UntagResource => tags::remove, access::resource;
    read ListTagsForResource => tags::list, access::resource;
};

/// Amazon S3 Tables.
pub static SERVICE: Service = Service {
    tasks: &[
        Task { name: tasks::PENDING_TASK, every: Duration::from_secs(900), run: tasks::give_up },
        Task { name: maintenance::TASK, every: Duration::from_secs(3600), run: maintenance::run },
    ],
    resource_policy: Some(policies::of_resource),
    resource_tags: Some(tags::of_resource),
    tables: store::LABELS,
    reset: Some(reset::reset),
    ..Service::new(
        &model::SERVICE,
        Style { validation_code: "BadRequestException", ..Style::DEFAULT },
        OPERATIONS,
    )
};
