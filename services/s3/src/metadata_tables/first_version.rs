//! Metadata configurations of the first version: a journal in a table bucket of the customer's.

use fogbank_core::{Arn, Cx, Fault, ReadTx, WriteTx};
use serde_json::{Value, json};

use super::DELIVERY;
use super::configurations::{SERVICE, configured, end, fail, keep, may_create, unconfigured};
use super::results::{self, FIRST_NAMESPACE, not_allowed};
use super::rows::{CONFIGURED, Configured, CustomerTable, Failure, Status, TableState};
use crate::error::Error;
use crate::model::*;
use crate::store::{self, Bucket};

/// The longest name of a table.
const MAX_NAME_BYTES: usize = 255;

/// Gives a bucket a metadata configuration.
pub(crate) async fn create(
    cx: &Cx,
    input: CreateBucketMetadataTableConfigurationInput,
) -> Result<CreateBucketMetadataTableConfigurationOutput, Error> {
    let name = &*input.bucket;
    let owner = input.expected_bucket_owner.as_deref();
    let bucket = unconfigured(cx, name, owner)?;
    let to = &input.metadata_table_configuration.s3_tables_destination;
    check(to, &bucket)?;
    let mut row = Configured {
        number: 0,
        customer: Some(CustomerTable {
            table_bucket_arn: to.table_bucket_arn.clone(),
            table: to.table_name.clone(),
        }),
        expires_days: None,
        journal: TableState { status: Status::Creating, encryption: None, arn: None },
        inventory: None,
        annotation: None,
        role: None,
    };
    let located = cx.located(&bucket.account, &bucket.region);
    if !may_create(&located, &to.table_bucket_arn, false, &[&row.journal]).await? {
        row.fail(Failure::AccessDeniedCreatingResources);
    }
    let number = cx.write(|tx| keep(tx, name, owner, &row)).await?;
    if !row.has_failed() {
        let made = make(&located, to).await;
        cx.write(|tx| note_made(tx, name, number, &made)).await?;
    }
    Ok(CreateBucketMetadataTableConfigurationOutput {})
}

/// Makes the table as the caller, since it lies in a table bucket of the customer's, and lets S3 Metadata in. What is written
/// into it comes later.
async fn make(cx: &Cx, to: &S3TablesDestination) -> Result<String, Failure> {
    let call = async |action: &str, input: Value| {
        let principal = cx.request().principal.clone();
        let mut call = cx.prepare(principal, action, input);
        call.via = Some("s3.amazonaws.com".to_owned());
        cx.cloud().call(call).await.map(|reply| reply.output)
    };
    let failure = |fault: Fault| match fault.name() {
        "NotFoundException" => Failure::TableBucketNotFound,
        "ConflictException" => Failure::TableAlreadyExists,
        "AccessDenied" | "ForbiddenException" => Failure::AccessDeniedCreatingResources,
        _ => Failure::ServerInternalError,
    };
    let bucket = &*to.table_bucket_arn;
    let input = json!({"tableBucketARN": bucket, "namespace": [FIRST_NAMESPACE]});
    match call("s3tables:CreateNamespace", input).await {
        Err(fault) if fault.name() != "ConflictException" => return Err(failure(fault)),
        _ => {}
    }
    let place =
        json!({"tableBucketARN": bucket, "namespace": FIRST_NAMESPACE, "name": to.table_name});
    let mut input = place.clone();
    input["format"] = "ICEBERG".into();
    let made = call("s3tables:CreateTable", input).await.map_err(failure)?;
    let arn = made["tableARN"].as_str().unwrap_or_default().to_owned();
    let mut input = place;
    input["resourcePolicy"] = admission(&arn).into();
    call("s3tables:PutTablePolicy", input).await.map_err(failure)?;
    Ok(arn)
}

/// The policy that lets S3 Metadata write a table.
fn admission(arn: &str) -> String {
    let actions = [
        "s3tables:GetTable",
        "s3tables:GetTableData",
        "s3tables:GetTableMetadataLocation",
        "s3tables:PutTableData",
        "s3tables:UpdateTableMetadataLocation",
    ];
    let statement = json!({
        "Effect": "Allow", "Principal": {"Service": SERVICE}, "Action": actions, "Resource": arn,
    });
    json!({"Version": "2012-10-17", "Statement": [statement]}).to_string()
}

/// Notes how the making of the table ended, unless the configuration is gone.
fn note_made(
    tx: &mut WriteTx<'_>,
    name: &str,
    number: u64,
    made: &Result<String, Failure>,
) -> Result<(), Error> {
    let row = CONFIGURED.get(tx, name)?.filter(|row| row.number == number);
    let Some(mut row) = row else { return Ok(()) };
    match made {
        Ok(arn) => {
            row.journal.arn = Some(arn.clone());
            CONFIGURED.put(tx, name, &row)?;
            tx.wake(DELIVERY);
            Ok(())
        }
        Err(failure) => fail(tx, name, number, *failure),
    }
}

/// Refuses what cannot be a table for the bucket. The words are guesses.
fn check(to: &S3TablesDestination, bucket: &Bucket) -> Result<(), Error> {
    let arn = Arn::parse(&to.table_bucket_arn).filter(|arn| arn.service == "s3tables");
    let Some(arn) = arn.filter(|arn| arn.resource.starts_with("bucket/")) else {
        let message = "The table bucket must be named by its ARN.";
        return Err(Error::argument("TableBucketArn", &to.table_bucket_arn, message));
    };
    if arn.account != bucket.account || arn.region != bucket.region {
        let message = "The destination table bucket must be in the same Region and AWS account as the general purpose bucket.";
        return Err(Error::argument("TableBucketArn", &to.table_bucket_arn, message));
    }
    let letters = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
    let name = &to.table_name;
    let is_name = (1..=MAX_NAME_BYTES).contains(&name.len())
        && name.bytes().all(letters)
        && !name.starts_with('_');
    if !is_name {
        return Err(Error::argument("TableName", name, "The table name is not valid."));
    }
    Ok(())
}

/// Shows a configuration of the first version.
pub(crate) fn get(
    tx: &ReadTx<'_>,
    input: GetBucketMetadataTableConfigurationInput,
) -> Result<GetBucketMetadataTableConfigurationOutput, Error> {
    let name = &*input.bucket;
    store::expected_shared_bucket(tx, name, input.expected_bucket_owner.as_deref())?;
    let row = configured(tx, name)?;
    let Some(customer) = &row.customer else { return Err(not_allowed(tx)) };
    Ok(GetBucketMetadataTableConfigurationOutput {
        get_bucket_metadata_table_configuration_result: Some(results::of_first(customer, &row)),
    })
}

/// Removes a configuration of the first version. Its table stays.
pub(crate) fn delete(
    tx: &mut WriteTx<'_>,
    input: DeleteBucketMetadataTableConfigurationInput,
) -> Result<DeleteBucketMetadataTableConfigurationOutput, Error> {
    let name = &*input.bucket;
    let bucket = store::expected_bucket(tx, name, input.expected_bucket_owner.as_deref())?;
    if configured(tx, name)?.customer.is_none() {
        return Err(not_allowed(tx));
    }
    end(tx, name, bucket)?;
    Ok(DeleteBucketMetadataTableConfigurationOutput {})
}
