//! Transfer acceleration: whether a bucket has it. There is nothing here that could be nearer to a client.

use fogbank_core::wire::Struct;
use fogbank_core::{ReadTx, Tx, WriteTx};

use crate::documents;
use crate::error::Error;
use crate::model::{
    AccelerateConfiguration, BucketAccelerateStatus, GetBucketAccelerateConfigurationInput,
    GetBucketAccelerateConfigurationOutput, PutBucketAccelerateConfigurationInput,
    PutBucketAccelerateConfigurationOutput,
};
use crate::store::{self, BUCKETS};

/// How the document of acceleration is called.
const KIND: &str = "accelerate";
/// What the hosts of transfer acceleration have before the domain.
const HOST: &str = "s3-accelerate.";

/// Refuses what comes to the hosts of transfer acceleration for a bucket that does not have it.
pub(crate) fn check_host(tx: &ReadTx<'_>, input: &dyn Struct) -> Result<(), Error> {
    let host = &*tx.request().endpoint.authority;
    if !host.contains(HOST) || !is_host(host) {
        return Ok(());
    }
    if host.starts_with(HOST) {
        let message = "S3 Transfer Acceleration endpoint only supports virtual style requests";
        return Err(Error::request(message));
    }
    let name = input.text("Bucket").unwrap_or_default();
    let found = documents::get::<AccelerateConfiguration>(tx, name, KIND, "")?;
    match found.and_then(|found| found.status) {
        Some(BucketAccelerateStatus::Enabled) => Ok(()),
        Some(BucketAccelerateStatus::Suspended) => {
            Err(Error::request("S3 Transfer Acceleration is disabled on this bucket"))
        }
        None if !BUCKETS.contains(tx, name)? => Ok(()),
        None => Err(Error::request("S3 Transfer Acceleration is not configured on this bucket")),
    }
}

/// Whether a host is one of transfer acceleration, and not that of a bucket whose name looks so.
fn is_host(host: &str) -> bool {
    let at = host.rfind(".s3.").max(host.rfind(".s3-"));
    at.map_or(host, |at| &host[at + 1..]).starts_with(HOST)
}

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

#[cfg(test)]
mod tests {
    use super::is_host;

    #[test]
    fn only_the_service_in_a_host_counts() {
        for host in [
            "photos.s3-accelerate.amazonaws.com",
            "photos.s3-accelerate.dualstack.amazonaws.com:4566",
            "s3-accelerate.localhost:4566",
        ] {
            assert!(is_host(host), "{host}");
        }
        for host in ["s3-accelerate.x.s3.us-east-1.amazonaws.com", "b.s3.localhost", "127.0.0.1"] {
            assert!(!is_host(host), "{host}");
        }
    }
}
