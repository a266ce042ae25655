//! Tags of batch jobs.

use fogbank_core::{ReadTx, WriteTx};

use super::find;
use crate::error::Error;
use crate::model::*;
use crate::store::JOBS;

/// The most tags that a job has.
const MAX_TAGS: usize = 50;

/// Tags as rows have them.
pub(super) fn of(given: &[S3Tag]) -> Result<Vec<(String, String)>, Error> {
    if given.len() > MAX_TAGS {
        // The words are a guess.
        let message = format!("The number of tags exceeds the limit of {MAX_TAGS} tags.");
        return Err(Error::TooManyTagsException(message));
    }
    let mut tags: Vec<(String, String)> = Vec::new();
    for tag in given {
        if tag.key.to_ascii_lowercase().starts_with("aws:") {
            let message = "System tags cannot be added/updated by requester";
            return Err(Error::InvalidTag(message.to_owned()));
        }
        if tags.iter().any(|(known, _)| *known == tag.key) {
            let message = "Cannot provide multiple Tags with the same key";
            return Err(Error::InvalidTag(message.to_owned()));
        }
        tags.push((tag.key.clone(), tag.value.clone()));
    }
    tags.sort();
    Ok(tags)
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
