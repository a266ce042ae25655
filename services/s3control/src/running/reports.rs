//! The report of a job, written as its role when the work ends: files of lines, and a manifest of them, which comes last.
//!
//! Files are named by what they are and noted one by one, so that one that was written twice lies there once.

use bytes::Bytes;
use fogbank_core::{Arn, Fault, Principal, ReadTx, Timestamp, WriteTx};
use md5::{Digest as _, Md5};
use serde_json::{Value, json};
use sha1::Sha1;
use std::ops::ControlFlow;

use super::{Failure, Running, Trouble, clear_chunks, clear_lines, may_heal, roles};
use crate::error::Error;
use crate::store::{Job, LINES, Lines, Report, ReportFile, Status};

/// From how many bytes on a file ends: what of it lies in memory.
const FILE_BYTES: usize = if cfg!(test) { 4 << 10 } else { 8 << 20 };
/// What stands in the columns. See [`super::work`] for their order.
const SCHEMA: &str = "Bucket, Key, VersionId, TaskStatus, ErrorCode, HTTPStatusCode, ResultMessage";

/// Writes the report, if there is to be one, and ends the job.
pub(super) async fn write(running: &Running<'_>) -> Result<(), Error> {
    let status = running.job.status;
    let is_due = running.asked.report.enabled && running.job.succeeded + running.job.failed > 0;
    let failure = match if is_due { write_all(running).await } else { Ok(()) } {
        Ok(()) | Err(Trouble::Ended) => None,
        Err(Trouble::Failed(failure)) => Some(failure),
        Err(Trouble::Broken(fault)) => return Err(fault.into()),
    };
    clear_chunks(running.cx, running.key).await?;
    clear_lines(running.cx, running.key).await?;
    let ended_millis = running.cx.now().millis();
    let end = |_: &mut WriteTx<'_>, job: &mut Job| {
        job.status = match (job.status, &failure) {
            (Status::Cancelling, _) => Status::Cancelled,
            (Status::Failing, _) | (_, Some(_)) => Status::Failed,
            _ => Status::Complete,
        };
        job.failures.extend(failure.iter().map(|(code, reason)| {
            let code: &str = code;
            (code.to_owned(), reason.clone())
        }));
        job.ended_millis = Some(ended_millis);
        job.report = None;
        Ok(())
    };
    running.change(status, end).await?;
    Ok(())
}

/// Writes the files that are not there yet, and what tells of all.
pub(super) async fn write_all(running: &Running<'_>) -> Result<(), Trouble> {
    let role = roles::assume(running).await?;
    let begun = Report { begun_millis: running.cx.now().millis(), ..Report::default() };
    let mut report = running.job.report.clone().unwrap_or(begun);
    while let Some((is_of_failed, text, last)) = running.cx.read(|tx| file(tx, running, &report))? {
        let md5 = Md5::digest(&text).into();
        let key = key(running, &format!("results/{}.csv", name(running, report.files.len())));
        put(running, &role, &key, text.into()).await?;
        report.files.push(ReportFile { is_of_failed, key, md5 });
        report.after = Some((is_of_failed, last));
        let note = |_: &mut WriteTx<'_>, job: &mut Job| {
            job.report = Some(report.clone());
            Ok(())
        };
        if !running.change(running.job.status, note).await? {
            return Err(Trouble::Ended);
        }
    }
    let manifest = manifest(running, &report);
    let checksum = hex::encode(Md5::digest(&manifest));
    put(running, &role, &key(running, "manifest.json"), manifest.into()).await?;
    put(running, &role, &key(running, "manifest.json.md5"), checksum.into()).await
}

/// The lines of the next file, of tasks of one kind, and the last row that they come from; none at the end.
fn file(
    tx: &ReadTx<'_>,
    running: &Running<'_>,
    report: &Report,
) -> Result<Option<(bool, String, u64)>, Error> {
    let (account, region, id) = running.key;
    let mut range = LINES.range(&(&**account, &**region, &**id));
    if let Some((is_of_failed, number)) = report.after {
        range = range.after(&(&**account, &**region, &**id, is_of_failed, number));
    }
    let mut found: Option<(bool, String, u64)> = None;
    range.visit(tx, |(_, _, _, is_of_failed, number), Lines(lines)| match &mut found {
        None => {
            found = Some((is_of_failed, lines, number));
            ControlFlow::Continue(())
        }
        Some((kind, text, last)) if *kind == is_of_failed && text.len() < FILE_BYTES => {
            text.push_str(&lines);
            *last = number;
            ControlFlow::Continue(())
        }
        Some(_) => ControlFlow::Break(()),
    })?;
    Ok(found)
}

/// The name of a file, which looks as if it were made by chance.
fn name(running: &Running<'_>, index: usize) -> String {
    hex::encode(Sha1::digest(format!("report {} {index}", running.key.2)))
}

/// A key below the folder of the job.
fn key(running: &Running<'_>, rest: &str) -> String {
    let prefix = running.asked.report.prefix.as_deref().filter(|prefix| !prefix.is_empty());
    let prefix = prefix.map(|prefix| format!("{prefix}/")).unwrap_or_default();
    format!("{prefix}job-{}/{rest}", running.key.2)
}

fn bucket<'a>(running: &'a Running<'_>) -> &'a str {
    let arn = running.asked.report.bucket.as_deref().unwrap_or_default();
    Arn::parse(arn).map_or("", |arn| arn.resource)
}

fn manifest(running: &Running<'_>, report: &Report) -> String {
    let files = report.files.iter().map(|file| {
        json!({
            "TaskExecutionStatus": if file.is_of_failed { "failed" } else { "succeeded" },
            "Bucket": bucket(running),
            "MD5Checksum": hex::encode(file.md5),
            "Key": file.key,
        })
    });
    let files: Vec<Value> = files.collect();
    let manifest = json!({
        "Format": "Report_CSV_20180820",
        "ReportCreationDate": iso(Timestamp::from_millis(report.begun_millis)),
        "Results": files,
        "ReportSchema": SCHEMA,
    });
    manifest.to_string()
}

fn iso(time: Timestamp) -> String {
    jiff::Timestamp::from_millisecond(time.millis())
        .map(|time| time.strftime("%Y-%m-%dT%H:%M:%S.%3fZ").to_string())
        .unwrap_or_default()
}

fn refused(bucket: &str, fault: &Fault) -> Failure {
    ("ReportUnwritable", format!("The report cannot be written to {bucket}: {fault}"))
}

async fn put(
    running: &Running<'_>,
    role: &Principal,
    key: &str,
    body: Bytes,
) -> Result<(), Trouble> {
    let bucket = bucket(running);
    let mut input = json!({
        "Bucket": bucket,
        "Key": key,
        "ContentLength": body.len(),
        // AWS encrypts reports so whatever the bucket's default is.
        "ServerSideEncryption": "AES256",
    });
    if let Some(owner) = &running.asked.report.expected_bucket_owner {
        input["ExpectedBucketOwner"] = owner.clone().into();
    }
    let mut call = running.cx.prepare(role.clone(), "s3:PutObject", input);
    call.body = body.into();
    match running.cx.cloud().call(call).await {
        Ok(_) => Ok(()),
        Err(fault) if may_heal(&fault) => Err(Trouble::Broken(fault)),
        Err(fault) => Err(Trouble::Failed(refused(bucket, &fault))),
    }
}
