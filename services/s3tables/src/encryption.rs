//! Encryption: what new tables of a bucket get, and what a table has.

use fogbank_core::{ReadTx, WriteTx};

use crate::error::Error;
use crate::model::*;
use crate::store::{self, BUCKETS, Encryption};

/// Reads a configuration as rows have it.
pub(crate) fn read(given: EncryptionConfiguration) -> Result<Encryption, Error> {
    match (&given.sse_algorithm, given.kms_key_arn) {
        (SSEAlgorithm::Aes256, None) => Ok(Encryption { kms_key: None }),
        (SSEAlgorithm::AwsKms, Some(arn)) => Ok(Encryption { kms_key: Some(arn) }),
        (SSEAlgorithm::Aes256, Some(_)) => {
            Err(Error::bad("A KMS key ARN cannot be specified with the SSE algorithm AES256."))
        }
        _ => Err(Error::bad("A KMS key ARN is required with the SSE algorithm aws:kms.")),
    }
}

fn shown(encryption: Encryption) -> EncryptionConfiguration {
    let sse_algorithm = match encryption.kms_key {
        Some(_) => SSEAlgorithm::AwsKms,
        None => SSEAlgorithm::Aes256,
    };
    EncryptionConfiguration { sse_algorithm, kms_key_arn: encryption.kms_key }
}

/// Sets how new tables of a bucket are encrypted.
pub(crate) fn put(
    tx: &mut WriteTx<'_>,
    input: PutTableBucketEncryptionInput,
) -> Result<PutTableBucketEncryptionOutput, Error> {
    let (key, mut row) = store::bucket(tx, &input.table_bucket_arn)?;
    row.encryption = Some(read(input.encryption_configuration)?);
    BUCKETS.put(tx, &key, &row)?;
    Ok(PutTableBucketEncryptionOutput {})
}

/// How new tables of a bucket are encrypted.
pub(crate) fn get(
    tx: &ReadTx<'_>,
    input: GetTableBucketEncryptionInput,
) -> Result<GetTableBucketEncryptionOutput, Error> {
    let (_, row) = store::bucket(tx, &input.table_bucket_arn)?;
    let encryption = row.encryption.ok_or_else(|| Error::no_such("encryption configuration"))?;
    Ok(GetTableBucketEncryptionOutput { encryption_configuration: Some(shown(encryption)) })
}

/// Has new tables of a bucket encrypted as S3 encrypts.
pub(crate) fn delete(
    tx: &mut WriteTx<'_>,
    input: DeleteTableBucketEncryptionInput,
) -> Result<DeleteTableBucketEncryptionOutput, Error> {
    let (key, mut row) = store::bucket(tx, &input.table_bucket_arn)?;
    row.encryption = None;
    BUCKETS.put(tx, &key, &row)?;
    Ok(DeleteTableBucketEncryptionOutput {})
}

/// How a table is encrypted.
pub(crate) fn of_table(
    tx: &ReadTx<'_>,
    input: GetTableEncryptionInput,
) -> Result<GetTableEncryptionOutput, Error> {
    let (_, row) = store::table(tx, (&input.table_bucket_arn, &input.namespace, &input.name))?;
    Ok(GetTableEncryptionOutput { encryption_configuration: Some(shown(row.encryption)) })
}
