//! Tags of batch jobs.

use fogbank_core::{ReadTx, WriteTx};

use super::find;
use crate::error::Error;
use crate::model::*;
use crate::store::JOBS;
use crate::tags::{self, MAX_TAGS};

/// Tags as rows have them.
pub(super) fn of(given: &[S3Tag]) -> Result<Vec<(String, String)>, Error> {
    if given.len() > MAX_TAGS {
        // The words are a guess.
        let message = format!("The number of tags exceeds the limit of {MAX_TAGS} tags.");
        return Err(Error::TooManyTagsException(message));
    }
    tags::of(given.iter().map(|tag| (&*tag.key, &*tag.value)))
}

/// Gives a job tags in place of those that it has.
pub(crate) fn put(
    tx: &mut WriteTx<'_>,
    input: PutJobTaggingInput,
) -> Result<PutJobTaggingOutput, Error> {
    let (key, mut job) = find(tx, &input.job_id)?;
    job.tags = of(&input.tags)?;
    JOBS.put(tx, &key, &job)?;
    Ok(PutJobTaggingOutput {})
}

/// The tags of a job.
pub(crate) fn get(
    tx: &ReadTx<'_>,
    input: GetJobTaggingInput,
) -> Result<GetJobTaggingOutput, Error> {
    let (_, job) = find(tx, &input.job_id)?;
    let tags = job.tags.into_iter().map(|(key, value)| S3Tag { key, value });
    Ok(GetJobTaggingOutput { tags: Some(tags.collect()) })
}

/// Takes all tags from a job.
pub(crate) fn delete(
    tx: &mut WriteTx<'_>,
    input: DeleteJobTaggingInput,
) -> Result<DeleteJobTaggingOutput, Error> {
    let (key, mut job) = find(tx, &input.job_id)?;
    job.tags.clear();
    JOBS.put(tx, &key, &job)?;
    Ok(DeleteJobTaggingOutput {})
}
