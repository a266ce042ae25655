//! Amazon S3: buckets of objects.
//!
//! A *bucket* has a name that no other bucket in the cloud has, a region and an owning account. An *object* lies under a
//! key in a bucket: a body, its hashes, headers, metadata and tags. A large object may be *uploaded* in *parts*. Changes
//! of objects are *events*, which queues, topics, functions and the default event bus can hear of.
//!
//! A *directory bucket* ([`directory`]) has fewer features, sessions of its own, appends and renamings.
//!
//! Limits are AWS's: keys of 1,024 bytes, 2 KiB of user metadata, 5 GiB for one PutObject, UploadPart or CopyObject,
//! parts of 5 MiB and more (but the last), 10,000 parts (and so objects of 48.8 TiB), 10 tags of an object, 50 of a
//! bucket, 20 KiB of policy.
//!
//! What is missing, and said so where it is asked for:
//! * what storage class analysis would write;
//! * of ACLs: grantees by e-mail, which AWS ended in 2025.
//!
//! Requests of every region are answered by every endpoint; there are no redirects between regions.

mod abac;
mod acceleration;
mod access;
mod access_logs;
mod access_points;
mod acl_grants;
mod acls;
mod analytics;
mod annotations;
mod attributes;
mod bodies;
mod buckets;
mod checksums;
mod ciphers;
mod completions;
mod configurations;
mod copies;
mod cors;
mod deletions;
mod directory;
mod documents;
mod encoded_words;
mod encryption;
mod encryption_updates;
mod error;
mod events;
mod holds;
mod identified;
mod inventory;
mod lifecycle;
mod listing;
mod locks;
mod logging;
mod metadata;
mod metadata_tables;
mod metrics;
mod mfa;
mod model;
mod namespaces;
mod notifications;
mod objects;
mod opened;
mod pages;
#[doc(hidden)]
pub mod parsers;
mod parts;
mod payment;
mod policies;
mod reads;
mod replication;
mod request_metrics;
mod resealing;
mod reset;
mod restores;
mod rows;
mod rules;
mod selects;
mod storage_metrics;
mod store;
mod tagging;
mod tasks;
#[cfg(test)]
mod tests;
mod tiering;
mod uploads;
mod version_listing;
mod versions;
mod warehouses;
mod websites;

pub use error::Error;
use fogbank_core::wire::Style;
use fogbank_core::{Job, Observer, Op, Service, operations};

/// The operations that are implemented.
pub static OPERATIONS: &[Op] = operations! {
    write CreateBucket => buckets::create, access::create_bucket;
    write DeleteBucket => buckets::delete, access::bucket;
    read HeadBucket => buckets::head, buckets::head_access;
    read ListBuckets => buckets::list, access::all_buckets;
    read ListDirectoryBuckets => directory::buckets::list, access::all_directory_buckets;
    write CreateSession => directory::create_session, access::create_session;
    write RenameObject => directory::rename, |_, input| {
        access::to_object("s3:PutObject", input)
    };
    read GetBucketLocation => buckets::location, access::bucket;

    task PutObject => objects::put, access::put_object;
    task GetObject => objects::get, access::get_object;
    task HeadObject => objects::head, access::get_object;
    task SelectObjectContent => selects::select, selects::access;
    task GetObjectAttributes => attributes::get, access::get_attributes;
    write DeleteObject => objects::delete, access::delete_object;
    task DeleteObjects => deletions::delete, access::each_key;
    task CopyObject => copies::copy, access::copy_object;
    read ListObjects => listing::list, access::list;
    read ListObjectsV2 => listing::list_v2, access::list;
    read ListObjectVersions => version_listing::list, |_, input| {
        access::list_to("s3:ListBucketVersions", input)
    };

    task CreateMultipartUpload => uploads::create, access::put_object;
    task UploadPart => parts::upload, access::upload;
    task UploadPartCopy => parts::copy, access::copy_part;
    task CompleteMultipartUpload => completions::complete, access::upload;
    write AbortMultipartUpload => uploads::abort, |_, input| {
        access::object_to("s3:AbortMultipartUpload", "s3:AbortMultipartUpload", input)
    };
    write RestoreObject => restores::restore, |_, input| {
        access::to_object("s3:RestoreObject", input)
    };
    read ListParts => parts::list, |_, input| {
        access::object_to("s3:ListMultipartUploadParts", "s3:ListMultipartUploadParts", input)
    };
    read ListMultipartUploads => uploads::list, |_, input| {
        access::bucket_to("s3:ListBucketMultipartUploads", input)
    };

    write PutObjectTagging => tagging::put_object, access::put_tagging;
    read GetObjectTagging => tagging::get_object, |_, input| {
        access::object_to("s3:GetObjectTagging", "s3:GetObjectVersionTagging", input)
    };
    write DeleteObjectTagging => tagging::delete_object, |_, input| {
        access::object_to("s3:DeleteObjectTagging", "s3:DeleteObjectVersionTagging", input)
    };
    task PutObjectAnnotation => annotations::put, |_, input| {
        access::object_to("s3:PutObjectAnnotation", "s3:PutObjectAnnotation", input)
    };
    task GetObjectAnnotation => annotations::get, |_, input| {
        access::object_to("s3:GetObjectAnnotation", "s3:GetObjectAnnotation", input)
    };
    read ListObjectAnnotations => annotations::list, |_, input| {
        access::object_to("s3:ListObjectAnnotations", "s3:ListObjectAnnotations", input)
    };
    write DeleteObjectAnnotation => annotations::delete, |_, input| {
        access::object_to("s3:DeleteObjectAnnotation", "s3:DeleteObjectAnnotation", input)
    };
    write PutBucketTagging => tagging::put_bucket, access::bucket;
    read GetBucketTagging => tagging::get_bucket, access::bucket;
    write DeleteBucketTagging => tagging::delete_bucket, |_, input| {
        access::bucket_to("s3:PutBucketTagging", input)
    };

    task PutBucketNotificationConfiguration => notifications::put, |_, input| {
        access::bucket_to("s3:PutBucketNotification", input)
    };
    read GetBucketNotificationConfiguration => notifications::get, |_, input| {
        access::bucket_to("s3:GetBucketNotification", input)
    };

    write PutBucketPolicy => policies::put, access::bucket;
    read GetBucketPolicy => policies::get, access::bucket;
    write DeleteBucketPolicy => policies::delete, access::bucket;
    read GetBucketPolicyStatus => policies::status, access::bucket;

    read GetBucketAcl => acls::get_bucket, access::bucket;
    write PutBucketAcl => acls::put_bucket, access::put_acl;
    read GetObjectAcl => acls::get_object, |_, input| {
        access::object_to("s3:GetObjectAcl", "s3:GetObjectVersionAcl", input)
    };
    write PutObjectAcl => acls::put_object, access::put_acl;
    read GetPublicAccessBlock => configurations::public_access_block, |_, input| {
        access::bucket_to("s3:GetBucketPublicAccessBlock", input)
    };
    write PutPublicAccessBlock => configurations::put_public_access_block, |_, input| {
        access::bucket_to("s3:PutBucketPublicAccessBlock", input)
    };
    write DeletePublicAccessBlock => configurations::delete_public_access_block, |_, input| {
        access::bucket_to("s3:PutBucketPublicAccessBlock", input)
    };
    read GetBucketOwnershipControls => configurations::ownership_controls, access::bucket;
    write PutBucketOwnershipControls => configurations::put_ownership_controls, access::bucket;
    write DeleteBucketOwnershipControls => configurations::delete_ownership_controls, |_, input| {
        access::bucket_to("s3:PutBucketOwnershipControls", input)
    };
    read GetBucketEncryption => configurations::get_encryption, |_, input| {
        access::bucket_to("s3:GetEncryptionConfiguration", input)
    };
    write PutBucketEncryption => configurations::put_encryption, |_, input| {
        access::bucket_to("s3:PutEncryptionConfiguration", input)
    };
    write DeleteBucketEncryption => configurations::delete_encryption, |_, input| {
        access::bucket_to("s3:PutEncryptionConfiguration", input)
    };
    task UpdateObjectEncryption => encryption_updates::update, encryption_updates::access;
    read GetBucketVersioning => versions::get, access::bucket;
    write PutBucketVersioning => versions::configure, access::bucket;
    read GetBucketAccelerateConfiguration => acceleration::get, |_, input| {
        access::bucket_to("s3:GetAccelerateConfiguration", input)
    };
    write PutBucketAccelerateConfiguration => acceleration::put, |_, input| {
        access::bucket_to("s3:PutAccelerateConfiguration", input)
    };
    read GetBucketAnalyticsConfiguration => analytics::get, |_, input| {
        access::bucket_to("s3:GetAnalyticsConfiguration", input)
    };
    read ListBucketAnalyticsConfigurations => analytics::list, |_, input| {
        access::bucket_to("s3:GetAnalyticsConfiguration", input)
    };
    write PutBucketAnalyticsConfiguration => analytics::put, |_, input| {
        access::bucket_to("s3:PutAnalyticsConfiguration", input)
    };
    write DeleteBucketAnalyticsConfiguration => analytics::delete, |_, input| {
        access::bucket_to("s3:PutAnalyticsConfiguration", input)
    };
    read GetBucketIntelligentTieringConfiguration => tiering::get, |_, input| {
        access::bucket_to("s3:GetIntelligentTieringConfiguration", input)
    };
    read ListBucketIntelligentTieringConfigurations => tiering::list, |_, input| {
        access::bucket_to("s3:GetIntelligentTieringConfiguration", input)
    };
    write PutBucketIntelligentTieringConfiguration => tiering::put, |_, input| {
        access::bucket_to("s3:PutIntelligentTieringConfiguration", input)
    };
    write DeleteBucketIntelligentTieringConfiguration => tiering::delete, |_, input| {
        access::bucket_to("s3:PutIntelligentTieringConfiguration", input)
    };
    read GetBucketInventoryConfiguration => inventory::get, |_, input| {
        access::bucket_to("s3:GetInventoryConfiguration", input)
    };
    read ListBucketInventoryConfigurations => inventory::list, |_, input| {
        access::bucket_to("s3:GetInventoryConfiguration", input)
    };
    write PutBucketInventoryConfiguration => inventory::put, access::put_inventory;
    write DeleteBucketInventoryConfiguration => inventory::delete, |_, input| {
        access::bucket_to("s3:PutInventoryConfiguration", input)
    };
    task CreateBucketMetadataConfiguration => metadata_tables::create, |_, input| {
        metadata_tables::access("s3:CreateBucketMetadataTableConfiguration", input)
    };
    read GetBucketMetadataConfiguration => metadata_tables::get, |_, input| {
        access::bucket_to("s3:GetBucketMetadataTableConfiguration", input)
    };
    write DeleteBucketMetadataConfiguration => metadata_tables::delete, |_, input| {
        access::bucket_to("s3:DeleteBucketMetadataTableConfiguration", input)
    };
    write UpdateBucketMetadataJournalTableConfiguration => metadata_tables::update_journal,
        access::bucket;
    task UpdateBucketMetadataInventoryTableConfiguration => metadata_tables::update_inventory,
        access::bucket;
    task UpdateBucketMetadataAnnotationTableConfiguration => metadata_tables::update_annotation,
        |_, input| {
            let action = "s3:UpdateBucketMetadataAnnotationTableConfiguration";
            metadata_tables::access(action, input)
        };
    task CreateBucketMetadataTableConfiguration => metadata_tables::create_first, access::bucket;
    read GetBucketMetadataTableConfiguration => metadata_tables::get_first, access::bucket;
    write DeleteBucketMetadataTableConfiguration => metadata_tables::delete_first, access::bucket;
    read GetBucketMetricsConfiguration => metrics::get, |_, input| {
        access::bucket_to("s3:GetMetricsConfiguration", input)
    };
    read ListBucketMetricsConfigurations => metrics::list, |_, input| {
        access::bucket_to("s3:GetMetricsConfiguration", input)
    };
    write PutBucketMetricsConfiguration => metrics::put, |_, input| {
        access::bucket_to("s3:PutMetricsConfiguration", input)
    };
    write DeleteBucketMetricsConfiguration => metrics::delete, |_, input| {
        access::bucket_to("s3:PutMetricsConfiguration", input)
    };
    read GetBucketAbac => abac::get, access::bucket;
    write PutBucketAbac => abac::put, access::bucket;
    read GetBucketCors => cors::get, |_, input| access::bucket_to("s3:GetBucketCORS", input);
    write PutBucketCors => cors::put, |_, input| access::bucket_to("s3:PutBucketCORS", input);
    write DeleteBucketCors => cors::delete, |_, input| {
        access::bucket_to("s3:PutBucketCORS", input)
    };
    read GetBucketLifecycleConfiguration => lifecycle::get, |_, input| {
        access::bucket_to("s3:GetLifecycleConfiguration", input)
    };
    write PutBucketLifecycleConfiguration => lifecycle::put, |_, input| {
        access::bucket_to("s3:PutLifecycleConfiguration", input)
    };
    write DeleteBucketLifecycle => lifecycle::delete, |_, input| {
        access::bucket_to("s3:PutLifecycleConfiguration", input)
    };
    read GetBucketLogging => logging::get, access::bucket;
    write PutBucketLogging => logging::put, access::bucket;
    read GetBucketReplication => replication::get, |_, input| {
        access::bucket_to("s3:GetReplicationConfiguration", input)
    };
    write PutBucketReplication => replication::put, replication::access;
    write DeleteBucketReplication => replication::delete, |_, input| {
        access::bucket_to("s3:PutReplicationConfiguration", input)
    };
    read GetBucketRequestPayment => payment::get, access::bucket;
    write PutBucketRequestPayment => payment::put, access::bucket;
    read GetBucketWebsite => websites::get, access::bucket;
    write PutBucketWebsite => websites::put, access::bucket;
    write DeleteBucketWebsite => websites::delete, access::bucket;
    read GetObjectLockConfiguration => locks::configuration, |_, input| {
        access::bucket_to("s3:GetBucketObjectLockConfiguration", input)
    };
    write PutObjectLockConfiguration => locks::configure, |_, input| {
        access::bucket_to("s3:PutBucketObjectLockConfiguration", input)
    };
    write PutObjectRetention => locks::put_retention, access::put_retention;
    read GetObjectRetention => locks::get_retention, |_, input| {
        access::to_object("s3:GetObjectRetention", input)
    };
    write PutObjectLegalHold => locks::put_legal_hold, access::put_legal_hold;
    read GetObjectLegalHold => locks::get_legal_hold, |_, input| {
        access::to_object("s3:GetObjectLegalHold", input)
    };
};

/// Hears of the requests to buckets with an access log or request metrics.
static OBSERVER: Observer = Observer {
    watches: |cloud, labels| {
        access_logs::watches(cloud, labels) || request_metrics::watches(cloud, labels)
    },
    answered: |cloud, answered| {
        access_logs::answered(cloud, answered);
        request_metrics::answered(cloud, answered)
    },
};

/// Amazon S3.
pub static SERVICE: Service = Service {
    quick: &[
        "CreateMultipartUpload",
        "DeleteObject",
        "GetObject",
        "HeadBucket",
        "HeadObject",
        "ListBuckets",
        "PutObject",
        "UploadPart",
    ],
    tasks: tasks::TASKS,
    jobs: &[
        Job { name: restores::JOB, run: |cx, input| Box::pin(restores::run(cx, input)) },
        Job {
            name: replication::ANNOTATION_JOB,
            run: |cx, input| Box::pin(replication::run_annotation(cx, input)),
        },
        Job { name: replication::JOB, run: |cx, input| Box::pin(replication::run(cx, input)) },
        Job { name: replication::LATE_JOB, run: replication::is_late },
        Job {
            name: replication::EXISTING_JOB,
            run: |cx, input| Box::pin(replication::repeat(cx, input)),
        },
    ],
    resource_policy: Some(policies::of_resource),
    resource_tags: Some(abac::of_resource),
    object_tags: Some(tagging::of_object),
    reached: Some(warehouses::reached),
    cross_origin: Some(cors::answer),
    observer: Some(&OBSERVER),
    data_planes: websites::PLANES,
    stop: Some(access_logs::stop),
    tables: store::TABLES,
    reset: Some(reset::reset),
    ..Service::new(&model::SERVICE, Style::S3, OPERATIONS)
};
