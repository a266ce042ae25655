//! Storage class analysis: configurations that are kept. Nothing is analysed, and no report is exported.

use fogbank_core::{Arn, ReadTx, WriteTx};

use crate::error::Error;
use crate::identified::{self, Kind, named};
use crate::model::*;

const KIND: Kind = Kind("analytics");

/// Keeps one.
pub(crate) fn put(
    tx: &mut WriteTx<'_>,
    input: PutBucketAnalyticsConfigurationInput,
) -> Result<PutBucketAnalyticsConfigurationOutput, Error> {
    let named = named!(input);
    named.bucket_row(tx)?;
    let given = &input.analytics_configuration;
    if given.id != input.id {
        return Err(Error::MalformedXML);
    }
    if let Some(AnalyticsFilter::And(and)) = &given.filter
        && and.tags.as_ref().is_none_or(Vec::is_empty)
    {
        return Err(Error::MalformedXML);
    }
    if let Some(export) = &given.storage_class_analysis.data_export {
        check_destination(&export.destination.s3_bucket_destination.bucket)?;
    }
    identified::put(tx, KIND, &named, given)?;
    Ok(PutBucketAnalyticsConfigurationOutput {})
}

/// Refuses what does not name a bucket by an ARN without region and account.
pub(crate) fn check_destination(bucket: &str) -> Result<(), Error> {
    let refuse = |message: &str| Err(Error::InvalidS3DestinationBucket { message: message.into() });
    let Some(arn) = Arn::parse(bucket).filter(|arn| arn.service == "s3") else {
        return refuse("Invalid bucket ARN.");
    };
    if !arn.account.is_empty() || !arn.region.is_empty() {
        return refuse("Bucket ARN should not specify a namespace.");
    }
    Ok(())
}

/// Removes one.
pub(crate) fn delete(
    tx: &mut WriteTx<'_>,
    input: DeleteBucketAnalyticsConfigurationInput,
) -> Result<DeleteBucketAnalyticsConfigurationOutput, Error> {
    identified::delete(tx, KIND, &named!(input))?;
    Ok(DeleteBucketAnalyticsConfigurationOutput {})
}

/// One by its id.
pub(crate) fn get(
    tx: &ReadTx<'_>,
    input: GetBucketAnalyticsConfigurationInput,
) -> Result<GetBucketAnalyticsConfigurationOutput, Error> {
    let found = identified::get(tx, KIND, &named!(input))?;
    Ok(GetBucketAnalyticsConfigurationOutput { analytics_configuration: Some(found) })
}

/// All of a bucket.
pub(crate) fn list(
    tx: &ReadTx<'_>,
    input: ListBucketAnalyticsConfigurationsInput,
) -> Result<ListBucketAnalyticsConfigurationsOutput, Error> {
    let bucket = (&*input.bucket, input.expected_bucket_owner.as_deref());
    let page = identified::list(tx, KIND, bucket, input.continuation_token.as_deref())?;
    Ok(ListBucketAnalyticsConfigurationsOutput {
        is_truncated: Some(page.next.is_some()),
        continuation_token: input.continuation_token,
        next_continuation_token: page.next,
        analytics_configuration_list: Some(page.configurations),
    })
}
