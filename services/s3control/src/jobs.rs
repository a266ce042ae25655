//! Batch jobs: how they are asked for, looked at, confirmed and cancelled. What they do is in `running`.

mod tags;
mod validation;

use std::cmp::Reverse;
use std::ops::ControlFlow;

use fogbank_core::wire::{self, Struct};
use fogbank_core::{Fault, ReadTx, Timestamp, Tx, WriteTx, page};
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::error::Error;
use crate::model::*;
use crate::running;
use crate::store::{BY_AGE, JOBS, Job, JobId, JobKey, LIVE, Status, TOKENS, Token};
pub(crate) use tags::{delete as delete_tags, get as get_tags, put as put_tags};
pub(crate) use validation::operation;

/// The most that a page of a list has.
const PAGE: usize = 1000;
/// How the cause of a suspension is called.
pub(crate) const UNCONFIRMED: &str = "AWAITING_CONFIRMATION";

/// The ARN of a job.
pub(crate) fn arn((account, region, id): (&str, &str, &str)) -> String {
    format!("arn:aws:s3:{region}:{account}:job/{id}")
}

/// The key of a job of the caller's account.
pub(crate) fn key(tx: &(impl Tx + ?Sized), id: &str) -> JobKey {
    (tx.account().to_owned(), tx.region().to_owned(), id.to_owned())
}

/// A job of the caller's account.
pub(crate) fn find(tx: &(impl Tx + ?Sized), id: &str) -> Result<(JobKey, Job), Error> {
    let key = key(tx, id);
    let job = JOBS.get(tx, &key)?.ok_or(Error::NotFoundException)?;
    Ok((key, job))
}

/// The request that made a job.
pub(crate) fn request(job: &Job) -> Result<CreateJobInput, Fault> {
    let value: Value = serde_json::from_str(&job.request).map_err(Fault::internal)?;
    let mut input = CreateJobInput::default();
    wire::from_json(&value, &mut input)
        .map_err(|_| Fault::internal("a job's request cannot be read"))?;
    Ok(input)
}

/// Creates a job. The same request with the same token makes one job.
pub(crate) fn create(
    tx: &mut WriteTx<'_>,
    input: CreateJobInput,
) -> Result<CreateJobOutput, Error> {
    validation::check(&input)?;
    let tags = tags::of(input.tags.as_deref().unwrap_or_default())?;
    let request = wire::to_json(&input).to_string();
    let sha256: [u8; 32] = Sha256::digest(&request).into();
    let token_key = key(tx, &input.client_request_token);
    if let Some(known) = TOKENS.get(tx, &token_key)? {
        return match known.sha256 == sha256 {
            true => Ok(CreateJobOutput { job_id: Some(known.id) }),
            false => Err(Error::IdempotencyException),
        };
    }
    let id = tx.ids().uuid();
    let job = Job {
        operation: operation(&input.operation).unwrap_or_default().to_owned(),
        request,
        token: input.client_request_token,
        created_millis: tx.now().millis(),
        number: tx.version(),
        status: Status::New,
        priority: input.priority,
        reason: None,
        failures: Vec::new(),
        suspended_millis: None,
        ended_millis: None,
        total: None,
        succeeded: 0,
        failed: 0,
        active_millis: 0,
        chunks: (0, 0),
        lines: 0,
        report: None,
        manifest: None,
        tags,
    };
    let key = key(tx, &id);
    TOKENS.put(tx, &token_key, &Token { id: id.clone(), sha256 })?;
    BY_AGE.put(tx, &(&*key.0, &*key.1, Reverse(job.number)), &JobId(id.clone()))?;
    LIVE.put(tx, &key, &())?;
    JOBS.put(tx, &key, &job)?;
    tx.wake(running::TASK);
    Ok(CreateJobOutput { job_id: Some(id) })
}

fn progress(job: &Job) -> Option<JobProgressSummary> {
    let count = |number: u64| Some(i64::try_from(number).unwrap_or(i64::MAX));
    Some(JobProgressSummary {
        total_number_of_tasks: count(job.total.unwrap_or(0)),
        number_of_tasks_succeeded: count(job.succeeded),
        number_of_tasks_failed: count(job.failed),
        timers: Some(JobTimers { elapsed_time_in_active_seconds: count(job.active_millis / 1000) }),
    })
}

fn time(millis: Option<i64>) -> Option<Timestamp> {
    millis.map(Timestamp::from_millis)
}

/// A job with all that is known of it.
pub(crate) fn describe(
    tx: &ReadTx<'_>,
    input: DescribeJobInput,
) -> Result<DescribeJobOutput, Error> {
    let (key, job) = find(tx, &input.job_id)?;
    let asked = request(&job)?;
    let failures = job.failures.iter().map(|(code, reason)| JobFailure {
        failure_code: Some(code.clone()),
        failure_reason: Some(reason.clone()),
    });
    let failures: Vec<JobFailure> = failures.collect();
    let made = job.manifest.as_ref().map(|(arn, e_tag)| S3GeneratedManifestDescriptor {
        format: Some(GeneratedManifestFormat::S3InventoryReportCsv20211130),
        location: Some(JobManifestLocation {
            object_arn: arn.clone(),
            e_tag: e_tag.clone(),
            object_version_id: None,
        }),
    });
    let descriptor = JobDescriptor {
        job_arn: Some(arn((&key.0, &key.1, &key.2))),
        job_id: Some(key.2),
        confirmation_required: asked.confirmation_required,
        description: asked.description,
        status: Some(job.status.shown()),
        manifest: asked.manifest,
        operation: Some(asked.operation),
        priority: Some(job.priority),
        progress_summary: progress(&job),
        status_update_reason: job.reason.clone(),
        failure_reasons: (!failures.is_empty()).then_some(failures),
        report: Some(asked.report),
        creation_time: time(Some(job.created_millis)),
        termination_date: time(job.ended_millis),
        role_arn: Some(asked.role_arn),
        suspended_date: time(job.suspended_millis),
        suspended_cause: job.suspended_millis.map(|_| UNCONFIRMED.to_owned()),
        manifest_generator: asked.manifest_generator,
        generated_manifest_descriptor: made,
    };
    Ok(DescribeJobOutput { job: Some(descriptor) })
}

fn listed(id: String, job: &Job) -> Result<JobListDescriptor, Error> {
    Ok(JobListDescriptor {
        job_id: Some(id),
        description: request(job)?.description,
        operation: Some(job.operation.clone()),
        priority: Some(job.priority),
        status: Some(job.status.shown()),
        creation_time: time(Some(job.created_millis)),
        termination_date: time(job.ended_millis),
        progress_summary: progress(job),
    })
}

/// The jobs of the account in the region, the newest first; of some statuses, if they are named.
pub(crate) fn list(tx: &ReadTx<'_>, input: ListJobsInput) -> Result<ListJobsOutput, Error> {
    let limit = input.max_results.and_then(|max| usize::try_from(max).ok()).unwrap_or(PAGE);
    let limit = limit.clamp(1, PAGE);
    let after = match &input.next_token {
        None => None,
        Some(token) => {
            let number = page::parse_text(token).and_then(|text| text.parse::<u64>().ok());
            Some(number.ok_or(Error::InvalidNextTokenException)?)
        }
    };
    let (account, region) = (tx.account(), tx.region());
    let mut range = BY_AGE.range(&(account, region));
    if let Some(after) = after {
        range = range.after(&(account, region, Reverse(after)));
    }
    let statuses = input.job_statuses.unwrap_or_default();
    let mut jobs: Vec<JobListDescriptor> = Vec::new();
    let (mut last, mut next_token) = (0, None);
    range.try_visit::<Error>(tx, |(_, _, Reverse(number)), JobId(id)| {
        let Some(job) = JOBS.get(tx, &(account, region, &*id))? else {
            return Ok(ControlFlow::Continue(()));
        };
        if !statuses.is_empty() && !statuses.contains(&job.status.shown()) {
            return Ok(ControlFlow::Continue(()));
        }
        if jobs.len() == limit {
            next_token = Some(page::text_token(&format!("{last}")));
            return Ok(ControlFlow::Break(()));
        }
        last = number;
        jobs.push(listed(id, &job)?);
        Ok(ControlFlow::Continue(()))
    })?;
    Ok(ListJobsOutput { jobs: Some(jobs), next_token })
}

/// Lets a job go before others, or after them.
pub(crate) fn update_priority(
    tx: &mut WriteTx<'_>,
    input: UpdateJobPriorityInput,
) -> Result<UpdateJobPriorityOutput, Error> {
    let (key, mut job) = find(tx, &input.job_id)?;
    if job.status.is_final() {
        // The operation has no other error for it; the words are a guess.
        let status = job.status.shown().as_str();
        let message = format!("The priority of a job in the {status} state cannot be updated.");
        return Err(Error::BadRequestException(message));
    }
    job.priority = input.priority;
    JOBS.put(tx, &key, &job)?;
    tx.wake(running::TASK);
    Ok(UpdateJobPriorityOutput { job_id: Some(key.2), priority: Some(job.priority) })
}

/// Confirms a suspended job, or cancels one.
pub(crate) fn update_status(
    tx: &mut WriteTx<'_>,
    input: UpdateJobStatusInput,
) -> Result<UpdateJobStatusOutput, Error> {
    let (key, mut job) = find(tx, &input.job_id)?;
    let next = match (input.requested_job_status, job.status) {
        (RequestedJobStatus::Ready, Status::Suspended) => Some(Status::Ready),
        (RequestedJobStatus::Ready, _) => None,
        (
            RequestedJobStatus::Cancelled,
            Status::Completing | Status::Failing | Status::Cancelling,
        ) => None,
        (RequestedJobStatus::Cancelled, status) if status.is_final() => None,
        (RequestedJobStatus::Cancelled, _) => Some(Status::Cancelling),
    };
    let Some(next) = next else {
        // The words are a guess.
        let (now, asked) = (job.status.shown().as_str(), input.requested_job_status.as_str());
        let message = format!("A job in the {now} state cannot be updated to {asked}.");
        return Err(Error::JobStatusException(message));
    };
    job.status = next;
    job.reason = input.status_update_reason;
    JOBS.put(tx, &key, &job)?;
    tx.wake(running::TASK);
    tx.wake(running::topic(&key));
    Ok(UpdateJobStatusOutput {
        job_id: Some(key.2),
        status: Some(next.shown()),
        status_update_reason: job.reason,
    })
}

/// Forgets a job that ended long ago.
pub(crate) fn forget(tx: &mut WriteTx<'_>, key: &JobKey, job: &Job) -> Result<(), Error> {
    let (account, region, id) = (&*key.0, &*key.1, &*key.2);
    TOKENS.delete(tx, &(account, region, &*job.token))?;
    BY_AGE.delete(tx, &(account, region, Reverse(job.number)))?;
    LIVE.delete(tx, &(account, region, id))?;
    Ok(JOBS.delete(tx, key)?)
}

/// The job that an operation's input names.
pub(crate) fn named(input: &dyn Struct) -> &str {
    input.text("JobId").unwrap_or_default()
}
