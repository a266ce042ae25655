//! What is told of metadata configurations.

use fogbank_core::{Fault, Tx};

use super::configurations::{managed_arn, namespace};
use super::rows::{Configured, CustomerTable, Failure, Status, TableState};
use crate::error::Error;
use crate::model::*;
use crate::store::Bucket;

/// The namespace of tables of the first version.
pub(super) const FIRST_NAMESPACE: &str = "aws_s3_metadata";

/// The tables of a configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Journal,
    Inventory,
    Annotation,
}

impl Kind {
    /// What the table is called.
    pub(super) fn name(self) -> &'static str {
        match self {
            Kind::Journal => "journal",
            Kind::Inventory => "inventory",
            Kind::Annotation => "annotation",
        }
    }

    fn noun(self) -> &'static str {
        match self {
            Kind::Journal => "A journal table",
            Kind::Inventory => "An inventory table",
            Kind::Annotation => "An annotation table",
        }
    }
}

impl Status {
    fn word(self) -> &'static str {
        match self {
            Status::Creating => "CREATING",
            Status::Backfilling => "BACKFILLING",
            Status::Active => "ACTIVE",
            Status::Failed(_) => "FAILED",
        }
    }
}

/// What every error says in the end.
const AGAIN: &str = "To create a new metadata table, you must delete the metadata configuration for this bucket, and then create a new metadata configuration.";

impl Failure {
    /// The code and the message, which AWS's reference lists.
    fn told(self, kind: Kind, is_first: bool) -> (String, String) {
        let name = kind.name();
        let (code, message) = match self {
            Failure::AccessDeniedCreatingResources if is_first => (
                "AccessDeniedCreatingResources".to_owned(),
                "You don't have sufficient permissions to create the required resources. Make sure that you have s3tables:CreateNamespace, s3tables:CreateTable, s3tables:GetTable and s3tables:PutTablePolicy permissions, and then try again.".to_owned(),
            ),
            Failure::AccessDeniedCreatingResources => (
                "AccessDeniedCreatingResources".to_owned(),
                "You don't have sufficient permissions to create the required resources. Make sure that you have s3tables:CreateTableBucket, s3tables:CreateNamespace, s3tables:CreateTable, s3tables:GetTable, s3tables:PutTablePolicy, kms:DescribeKey, and s3tables:PutTableEncryption permissions. Additionally, ensure that the KMS key used to encrypt the table still exists, is active and has a resource policy granting access to the S3 service principals 'maintenance.s3tables.amazonaws.com' and 'metadata.s3.amazonaws.com'.".to_owned(),
            ),
            Failure::AccessDeniedWritingToTable => (
                "AccessDeniedWritingToTable".to_owned(),
                "Unable to write to the metadata table because of missing resource permissions. To fix the resource policy, Amazon S3 needs to create a new metadata table.".to_owned(),
            ),
            Failure::DestinationTableNotFound => (
                "DestinationTableNotFound".to_owned(),
                "The destination table doesn't exist.".to_owned(),
            ),
            Failure::ServerInternalError => {
                ("ServerInternalError".to_owned(), "An internal error has occurred.".to_owned())
            }
            Failure::TableAlreadyExists if is_first => (
                "TableAlreadyExists".to_owned(),
                "The table that you specified already exists in the table bucket's namespace. Specify a different table name.".to_owned(),
            ),
            // That of an annotation table is a guess, made as the others are.
            Failure::TableAlreadyExists => {
                let kind_name = [&name[..1].to_uppercase(), &name[1..]].concat();
                let noun = kind.noun();
                (
                    format!("{kind_name}TableAlreadyExists"),
                    format!("{noun} already exists in the Amazon Web Services managed table bucket's namespace. Delete the {name} table, and then try again."),
                )
            }
            Failure::TableBucketNotFound => (
                "TableBucketNotFound".to_owned(),
                "The table bucket that you specified doesn't exist in this Amazon Web Services Region and account. Create or choose a different table bucket.".to_owned(),
            ),
            Failure::JournalTableNotAvailable => {
                let message = format!("The journal table that the {name} table relies on has a FAILED status. {} requires a journal table with an ACTIVE status. To create a new journal or {name} table, you must delete the metadata configuration for this bucket, along with any journal or {name} tables, and then create a new metadata configuration.", kind.noun());
                return ("JournalTableNotAvailable".to_owned(), message);
            }
        };
        (code, format!("{message} {AGAIN}"))
    }
}

/// What is told of a table: its status, and why it failed.
fn state(table: &TableState, kind: Kind, is_first: bool) -> (Option<String>, Option<ErrorDetails>) {
    let error = match table.status {
        Status::Failed(failure) => {
            let (code, message) = failure.told(kind, is_first);
            Some(ErrorDetails { error_code: Some(code), error_message: Some(message) })
        }
        _ => None,
    };
    (Some(table.status.word().to_owned()), error)
}

/// What is told of a configuration of either version.
pub(super) fn of_configuration(
    name: &str,
    bucket: &Bucket,
    row: &Configured,
) -> MetadataConfigurationResult {
    let destination = match &row.customer {
        None => DestinationResult {
            table_bucket_type: Some("aws".to_owned()),
            table_bucket_arn: Some(managed_arn(&bucket.account, &bucket.region)),
            table_namespace: Some(namespace(name)),
        },
        Some(customer) => DestinationResult {
            table_bucket_type: Some("customer".to_owned()),
            table_bucket_arn: Some(customer.table_bucket_arn.clone()),
            table_namespace: Some(FIRST_NAMESPACE.to_owned()),
        },
    };
    MetadataConfigurationResult {
        destination_result: Some(destination),
        journal_table_configuration_result: Some(journal(row)),
        inventory_table_configuration_result: match row.customer {
            None => Some(inventory(row)),
            Some(_) => None,
        },
        annotation_table_configuration_result: (row.annotation.is_some() || row.role.is_some())
            .then(|| annotation(row)),
    }
}

fn journal(row: &Configured) -> JournalTableConfigurationResult {
    let (table_status, error) = state(&row.journal, Kind::Journal, row.customer.is_some());
    let table = row.customer.as_ref().map_or(Kind::Journal.name(), |customer| &customer.table);
    JournalTableConfigurationResult {
        table_status,
        error,
        table_name: Some(table.to_owned()),
        table_arn: row.journal.arn.clone(),
        record_expiration: Some(RecordExpiration {
            expiration: match row.expires_days {
                Some(_) => ExpirationState::Enabled,
                None => ExpirationState::Disabled,
            },
            days: row.expires_days.and_then(|days| i32::try_from(days).ok()),
        }),
    }
}

fn inventory(row: &Configured) -> InventoryTableConfigurationResult {
    let Some(table) = &row.inventory else {
        return InventoryTableConfigurationResult {
            configuration_state: Some(InventoryConfigurationState::Disabled),
            ..InventoryTableConfigurationResult::default()
        };
    };
    let (table_status, error) = state(table, Kind::Inventory, false);
    InventoryTableConfigurationResult {
        configuration_state: Some(InventoryConfigurationState::Enabled),
        table_status,
        error,
        table_name: Some(Kind::Inventory.name().to_owned()),
        table_arn: table.arn.clone(),
    }
}

fn annotation(row: &Configured) -> AnnotationTableConfigurationResult {
    let role = row.role.clone();
    let Some(table) = &row.annotation else {
        return AnnotationTableConfigurationResult {
            configuration_state: Some(AnnotationConfigurationState::Disabled),
            role,
            ..AnnotationTableConfigurationResult::default()
        };
    };
    let (table_status, error) = state(table, Kind::Annotation, false);
    AnnotationTableConfigurationResult {
        configuration_state: Some(AnnotationConfigurationState::Enabled),
        table_status,
        error,
        table_name: Some(Kind::Annotation.name().to_owned()),
        table_arn: table.arn.clone(),
        role,
    }
}

/// What is told of a configuration of the first version by the operations of that version.
pub(super) fn of_first(
    customer: &CustomerTable,
    row: &Configured,
) -> GetBucketMetadataTableConfigurationResult {
    let (status, error) = state(&row.journal, Kind::Journal, true);
    GetBucketMetadataTableConfigurationResult {
        metadata_table_configuration_result: Some(MetadataTableConfigurationResult {
            s3_tables_destination_result: Some(S3TablesDestinationResult {
                table_bucket_arn: Some(customer.table_bucket_arn.clone()),
                table_name: Some(customer.table.clone()),
                // None is there before the table is; AWS's reference says that there always is one.
                table_arn: row.journal.arn.clone(),
                table_namespace: Some(FIRST_NAMESPACE.to_owned()),
            }),
        }),
        status,
        error,
    }
}

/// An operation of the one version asked of a configuration of the other.
pub(super) fn not_allowed(tx: &(impl Tx + ?Sized)) -> Error {
    let operation = tx.request().operation;
    let method = match operation {
        _ if operation.starts_with("Get") => "GET",
        _ if operation.starts_with("Delete") => "DELETE",
        _ => "PUT",
    };
    let message = "The specified method is not allowed against this resource.";
    // What AWS calls the resource here is a guess.
    let fault = Fault::new("MethodNotAllowed", message).with("Method", method);
    Error::Fault(fault.with("ResourceType", "BUCKETMETADATA"))
}
