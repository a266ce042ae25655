//! Transfer acceleration: whether a bucket has it. There is nothing here that could be nearer to a client.

use fogbank_core::{ReadTx, WriteTx};

use crate::documents;
use crate::error::Error;
use crate::model::{
    AccelerateConfiguration, GetBucketAccelerateConfigurationInput,
    GetBucketAccelerateConfigurationOutput, PutBucketAccelerateConfigurationInput,
    PutBucketAccelerateConfigurationOutput,
};
use crate::store;

/// How the document of acceleration is called.
const KIND: &str = "accelerate";

/// Enables or suspends it.
pub(crate) fn put(
    tx: &mut WriteTx<'_>,
    input: PutBucketAccelerateConfigurationInput,
) -> Result<PutBucketAccelerateConfigurationOutput, Error> {
    let name = &*input.bucket;
    store::expected_bucket(tx, name, input.expected_bucket_owner.as_deref())?;
    if name.contains('.') {
        let message =
            "S3 Transfer Acceleration is not supported for buckets with periods (.) in their names";
        return Err(Error::request(message));
    }
    if input.accelerate_configuration.status.is_none() {
        return Err(Error::MalformedXML);
    }
    documents::put(tx, name, KIND, "", &input.accelerate_configuration)?;
    Ok(PutBucketAccelerateConfigurationOutput {})
}

/// Whether it is enabled or suspended; neither if it was never enabled.
pub(crate) fn get(
    tx: &ReadTx<'_>,
    input: GetBucketAccelerateConfigurationInput,
) -> Result<GetBucketAccelerateConfigurationOutput, Error> {
    store::expected_shared_bucket(tx, &input.bucket, input.expected_bucket_owner.as_deref())?;
    let found = documents::get::<AccelerateConfiguration>(tx, &input.bucket, KIND, "")?;
    Ok(GetBucketAccelerateConfigurationOutput {
        status: found.and_then(|found| found.status),
        ..GetBucketAccelerateConfigurationOutput::default()
    })
}
