//! Batch jobs under faults: each task is counted and told of once, and done, however often the job died.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::Path;

use anyhow::{Context, ensure};
use bytes::Bytes;
use http::Method;
use rand::rngs::StdRng;
use serde_json::Value;

use super::{
    Played, Progress, Scene, Turn, hex_md5, large, make_bucket, make_role, need, objects, play,
    read,
};
use crate::client::{Client, Outcome};
use crate::lanes::objects::{body, element};
use crate::server::Launch;

const ACCOUNT: &str = "000000000000";
const ROLE: &str = "worker";
/// What is copied, to where, and where the report lies.
const FROM: &str = "originals";
const TO: &str = "copies";
const REPORTS: &str = "reports";
/// How many keys there are, and how many stand in the list that are not there.
const KEYS: u64 = 700;
const MISSING: u64 = 40;

/// Plays rounds of jobs.
pub async fn jobs(
    launch: &Launch,
    scratch: &Path,
    seed: u64,
    rounds: u64,
) -> anyhow::Result<Played> {
    play(Batches::default(), launch, scratch, seed, rounds).await
}

#[derive(Clone, Default)]
struct Batches {
    /// What the job is asked for by; the same each time, so that there is one job.
    request: String,
    job: Option<String>,
}

impl Scene for Batches {
    const SPAN_MILLIS: u64 = 1500;

    async fn fill(&mut self, client: &Client, _: &mut StdRng) -> anyhow::Result<()> {
        for bucket in [FROM, TO, REPORTS] {
            make_bucket(client, bucket, false).await?;
        }
        make_role(client, ROLE, "batchoperations.s3.amazonaws.com").await?;
        let mut list = String::new();
        for number in 0..KEYS + MISSING {
            let _ = writeln!(list, "{FROM},{}", key(number));
            if number < KEYS {
                let path = format!("/{FROM}/{}", key(number));
                let bytes = body(number, size(number)).into();
                client.s3(Method::PUT, &path, "", bytes).await.success()?;
            }
        }
        let path = format!("/{REPORTS}/list.csv");
        let written = client.s3(Method::PUT, &path, "", list.into()).await.success()?;
        self.request = request(written.header("etag"));
        Ok(())
    }

    async fn work(&mut self, client: &Client, _: &mut StdRng, _: Turn) -> anyhow::Result<()> {
        let body = Bytes::copy_from_slice(self.request.as_bytes());
        let made = control(client, Method::POST, "/v20180820/jobs", body).await.success()?;
        let job = element(&made.text(), "JobId").context("a job's id")?;
        let same = self.job.get_or_insert_with(|| job.clone());
        ensure!(*same == job, "the same token made the jobs {same} and {job}");
        Ok(())
    }

    async fn look(&mut self, client: &Client) -> anyhow::Result<Progress> {
        for (key, etag, _) in objects(client, TO).await? {
            let number: u64 = key.trim_start_matches("key-").parse().context("a number")?;
            let right = hex_md5(&body(number, size(number)));
            ensure!(etag == right, "the copy {key} is {etag}, not {right}");
        }
        let Some(job) = &self.job else { return Ok(Progress::Nothing) };
        let path = format!("/v20180820/jobs/{job}");
        let text = control(client, Method::GET, &path, Bytes::new()).await.success()?.text();
        let count = |name| element(&text, name).and_then(|text| text.parse::<u64>().ok());
        let (succeeded, failed) = (count("NumberOfTasksSucceeded"), count("NumberOfTasksFailed"));
        let (succeeded, failed) = (succeeded.unwrap_or_default(), failed.unwrap_or_default());
        ensure!(succeeded <= KEYS && failed <= MISSING, "counted twice: {text}");
        let is_told = self.report(client, job).await.context("the report")?;
        let status = element(&text, "Status").unwrap_or_default();
        if status == "Complete" {
            ensure!(is_told, "the job is complete and has no report");
            let all = (succeeded, failed) == (KEYS, MISSING);
            ensure!(all, "complete with {succeeded} done and {failed} failed");
            return Ok(Progress::Done);
        }
        ensure!(!matches!(&*status, "Failed" | "Cancelled"), "the job is {status}: {text}");
        Ok(if succeeded + failed > 0 { Progress::Half } else { Progress::Nothing })
    }

    async fn compare(&mut self, client: &Client) -> anyhow::Result<usize> {
        let copies = objects(client, TO).await?;
        ensure!(copies.len() as u64 == KEYS, "{} copies", copies.len());
        Ok(large(copies.iter().map(|(_, _, size)| size)))
    }
}

impl Batches {
    /// Whether the report is told of. If so, it must be whole.
    async fn report(&self, client: &Client, job: &str) -> anyhow::Result<bool> {
        let folder = format!("told/job-{job}");
        let checksum = read(client, REPORTS, &format!("{folder}/manifest.json.md5")).await?;
        let Some(checksum) = checksum else { return Ok(false) };
        let manifest = need(client, REPORTS, &format!("{folder}/manifest.json")).await?;
        ensure!(checksum == hex_md5(&manifest), "the manifest's checksum is wrong");
        let manifest: Value = serde_json::from_slice(&manifest).context("the manifest")?;
        let mut told: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for file in manifest["Results"].as_array().context("files")? {
            let bytes = need(client, REPORTS, file["Key"].as_str().context("a key")?).await?;
            ensure!(file["MD5Checksum"] == hex_md5(&bytes), "a file has other bytes: {file}");
            for line in String::from_utf8_lossy(&bytes).lines() {
                let fields: Vec<_> = line.split(',').map(|field| field.trim_matches('"')).collect();
                let (key, status) = (fields.get(1), fields.get(3));
                let (key, status) = key.zip(status).with_context(|| format!("a line: {line}"))?;
                let is_new =
                    told.entry((*status).to_owned()).or_default().insert((*key).to_owned());
                ensure!(is_new, "{key} is told of twice");
            }
        }
        let keys = |from: u64, to: u64| (from..to).map(key).collect::<BTreeSet<_>>();
        let mut wanted = BTreeMap::new();
        wanted.insert("succeeded".to_owned(), keys(0, KEYS));
        wanted.insert("failed".to_owned(), keys(KEYS, KEYS + MISSING));
        ensure!(told == wanted, "the report does not tell of all tasks");
        Ok(true)
    }
}

fn key(number: u64) -> String {
    format!("key-{number:05}")
}

/// Mostly in the row, some in a segment.
fn size(number: u64) -> usize {
    if number.is_multiple_of(20) { 20_000 } else { 300 }
}

/// Calls S3 Control.
async fn control(client: &Client, method: Method, path: &str, body: Bytes) -> Outcome {
    client.s3_with(method, path, "", vec![("x-amz-account-id", ACCOUNT.to_owned())], body).await
}

/// The request for the job, with the ETag of the list.
fn request(etag: &str) -> String {
    let etag = etag.trim_matches('"');
    format!(
        "<CreateJobRequest xmlns=\"http://awss3control.amazonaws.com/doc/2018-08-20/\">\
         <ConfirmationRequired>false</ConfirmationRequired><Operation><S3PutObjectCopy>\
         <TargetResource>arn:aws:s3:::{TO}</TargetResource></S3PutObjectCopy></Operation>\
         <Report><Bucket>arn:aws:s3:::{REPORTS}</Bucket><Format>Report_CSV_20180820</Format>\
         <Enabled>true</Enabled><Prefix>told</Prefix><ReportScope>AllTasks</ReportScope></Report>\
         <ClientRequestToken>the-same-each-time</ClientRequestToken><Manifest><Spec>\
         <Format>S3BatchOperations_CSV_20180820</Format><Fields><member>Bucket</member>\
         <member>Key</member></Fields></Spec><Location>\
         <ObjectArn>arn:aws:s3:::{REPORTS}/list.csv</ObjectArn><ETag>{etag}</ETag></Location>\
         </Manifest><Priority>10</Priority><RoleArn>arn:aws:iam::{ACCOUNT}:role/{ROLE}</RoleArn>\
         </CreateJobRequest>"
    )
}
