//! The configurations of request metrics: which requests are counted under which id.

use fogbank_core::{ReadTx, WriteTx};

use crate::error::Error;
use crate::identified::{self, Kind, named};
use crate::model::*;
use crate::request_metrics::CONFIGURATIONS;

pub(crate) const KIND: Kind = Kind("metrics");

/// Keeps one.
pub(crate) fn put(
    tx: &mut WriteTx<'_>,
    input: PutBucketMetricsConfigurationInput,
) -> Result<PutBucketMetricsConfigurationOutput, Error> {
    let named = named!(input);
    named.bucket_row(tx)?;
    let given = &input.metrics_configuration;
    if given.id != input.id {
        return Err(Error::MalformedXML);
    }
    if let Some(MetricsFilter::And(and)) = &given.filter {
        let tags = and.tags.as_ref().map_or(0, Vec::len);
        let others = [&and.prefix, &and.access_point_arn].iter().filter(|o| o.is_some()).count();
        if tags + others < 2 {
            return Err(Error::MalformedXML);
        }
    }
    identified::put(tx, KIND, &named, given)?;
    tx.wake(CONFIGURATIONS);
    Ok(PutBucketMetricsConfigurationOutput {})
}

/// Removes one.
pub(crate) fn delete(
    tx: &mut WriteTx<'_>,
    input: DeleteBucketMetricsConfigurationInput,
) -> Result<DeleteBucketMetricsConfigurationOutput, Error> {
    identified::delete(tx, KIND, &named!(input))?;
    tx.wake(CONFIGURATIONS);
    Ok(DeleteBucketMetricsConfigurationOutput {})
}

/// One by its id.
pub(crate) fn get(
    tx: &ReadTx<'_>,
    input: GetBucketMetricsConfigurationInput,
) -> Result<GetBucketMetricsConfigurationOutput, Error> {
    let found = identified::get(tx, KIND, &named!(input))?;
    Ok(GetBucketMetricsConfigurationOutput { metrics_configuration: Some(found) })
}

/// All of a bucket.
pub(crate) fn list(
    tx: &ReadTx<'_>,
    input: ListBucketMetricsConfigurationsInput,
) -> Result<ListBucketMetricsConfigurationsOutput, Error> {
    let bucket = (&*input.bucket, input.expected_bucket_owner.as_deref());
    let page = identified::list(tx, KIND, bucket, input.continuation_token.as_deref())?;
    Ok(ListBucketMetricsConfigurationsOutput {
        is_truncated: Some(page.next.is_some()),
        continuation_token: input.continuation_token,
        next_continuation_token: page.next,
        metrics_configuration_list: Some(page.configurations),
    })
}
