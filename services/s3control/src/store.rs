//! Rows of batch jobs.
//!
//! What a job is to do lies in chunks of entries, which are taken from the front; what came of it lies in chunks of lines of
//! the report to be. Both change in one transaction with the job's own row, so that nothing is lost or counted twice.

use std::cmp::Reverse;

use fogbank_core::store::{Table, TableLabel, row};
use serde::{Deserialize, Serialize};

use crate::model::JobStatus;

/// A batch job.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Job {
    /// The request that made it, as JSON.
    pub(crate) request: String,
    /// The operation's name, such as `S3PutObjectTagging`.
    pub(crate) operation: String,
    /// The token by which the request is known again.
    pub(crate) token: String,
    /// When it was created, in milliseconds since the epoch.
    pub(crate) created_millis: i64,
    /// Its number: jobs that were created later have larger ones.
    pub(crate) number: u64,
    /// How far it is.
    pub(crate) status: Status,
    /// Its priority: jobs with larger ones go first.
    pub(crate) priority: i32,
    /// Why somebody changed its status.
    pub(crate) reason: Option<String>,
    /// Why it failed: codes and reasons.
    pub(crate) failures: Vec<(String, String)>,
    /// When it was suspended.
    pub(crate) suspended_millis: Option<i64>,
    /// When it ended.
    pub(crate) ended_millis: Option<i64>,
    /// How many tasks it has; none until they are counted.
    pub(crate) total: Option<u64>,
    /// How many tasks succeeded.
    pub(crate) succeeded: u64,
    /// How many tasks failed.
    pub(crate) failed: u64,
    /// For how long it was at work.
    pub(crate) active_millis: u64,
    /// The number of the first chunk that is left, and of the next one to be written.
    pub(crate) chunks: (u64, u64),
    /// The number of the next lines of the report.
    pub(crate) lines: u64,
    /// The report, once it is begun.
    pub(crate) report: Option<Report>,
    /// The manifest that was made for it: ARN and ETag.
    pub(crate) manifest: Option<(String, String)>,
    /// Its tags.
    pub(crate) tags: Vec<(String, String)>,
}

row!(Job, 1);

/// How far a job is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Status {
    New,
    Preparing,
    Suspended,
    Ready,
    Active,
    Pausing,
    Paused,
    Completing,
    Complete,
    Cancelling,
    Cancelled,
    Failing,
    Failed,
}

impl Status {
    /// Whether nothing happens to the job any more.
    pub(crate) fn is_final(self) -> bool {
        matches!(self, Status::Complete | Status::Cancelled | Status::Failed)
    }

    /// The status in the model.
    pub(crate) fn shown(self) -> JobStatus {
        match self {
            Status::New => JobStatus::New,
            Status::Preparing => JobStatus::Preparing,
            Status::Suspended => JobStatus::Suspended,
            Status::Ready => JobStatus::Ready,
            Status::Active => JobStatus::Active,
            Status::Pausing => JobStatus::Pausing,
            Status::Paused => JobStatus::Paused,
            Status::Completing => JobStatus::Completing,
            Status::Complete => JobStatus::Complete,
            Status::Cancelling => JobStatus::Cancelling,
            Status::Cancelled => JobStatus::Cancelled,
            Status::Failing => JobStatus::Failing,
            Status::Failed => JobStatus::Failed,
        }
    }
}

/// How far a report is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Report {
    /// When it was begun, in milliseconds since the epoch.
    pub(crate) begun_millis: i64,
    /// The files that are there.
    pub(crate) files: Vec<ReportFile>,
    /// The last lines that lie in them: whether of tasks that failed, and their number.
    pub(crate) after: Option<(bool, u64)>,
}

/// A file of a report.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ReportFile {
    /// Whether it tells of tasks that failed.
    pub(crate) is_of_failed: bool,
    /// Its key.
    pub(crate) key: String,
    /// Its MD5.
    pub(crate) md5: [u8; 16],
}

/// Some entries of a manifest.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Chunk(pub(crate) Vec<Entry>);

row!(Chunk, 1);

/// An entry of a manifest: what one task is about.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Entry {
    /// The bucket, as the manifest names it.
    pub(crate) bucket: String,
    /// The key.
    pub(crate) key: String,
    /// The version; none for the current one.
    pub(crate) version: Option<String>,
    /// How often it was tried.
    pub(crate) attempts: u8,
}

/// Some lines of a report.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Lines(pub(crate) String);

row!(Lines, 1);

/// The job that a token made, and the request's hash.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Token {
    /// The job's id.
    pub(crate) id: String,
    /// The SHA-256 of the request.
    pub(crate) sha256: [u8; 32],
}

row!(Token, 1);

/// The id of a job, for the lists by age.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct JobId(pub(crate) String);

row!(JobId, 1);

/// The account, region and id of a job.
pub(crate) type JobKey = (String, String, String);

/// Jobs.
pub(crate) static JOBS: Table<JobKey, Job> = Table::new("s3control.jobs", 0x0258);
/// Jobs by account, region and age, the newest first.
pub(crate) static BY_AGE: Table<(String, String, Reverse<u64>), JobId> =
    Table::new("s3control.jobs-by-age", 0x0259);
/// The jobs that have not ended.
pub(crate) static LIVE: Table<JobKey, ()> = Table::new("s3control.live-jobs", 0x025a);
/// Tokens of requests by account and region.
pub(crate) static TOKENS: Table<JobKey, Token> = Table::new("s3control.job-tokens", 0x025b);
/// What jobs are still to do.
pub(crate) static CHUNKS: Table<(String, String, String, u64), Chunk> =
    Table::new("s3control.job-chunks", 0x025c);
/// What came of it: whether it failed, and the lines' number.
pub(crate) static LINES: Table<(String, String, String, bool, u64), Lines> =
    Table::new("s3control.job-lines", 0x025d);

/// All tables of jobs, of access points and of access grants.
pub(crate) static TABLES: &[TableLabel] = &{
    let points = fogbank_accesspoints::TABLES;
    assert!(points.len() == 9, "name the new tables of access points here");
    [
        points[0],
        points[1],
        points[2],
        points[3],
        points[4],
        points[5],
        points[6],
        points[7],
        points[8],
        JOBS.label(),
        BY_AGE.label(),
        LIVE.label(),
        TOKENS.label(),
        CHUNKS.label(),
        LINES.label(),
    ]
};
