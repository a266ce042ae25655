//! Batch jobs of S3: each ends, counts and tells of each task once, and what it was to copy is there.

use std::collections::{BTreeMap, BTreeSet};

use fogbank_core::bytes::Bytes;
use fogbank_testkit::{ACCOUNT, Value, json};

use super::objects::{clear, content};
use super::{Acted, Actor};
use crate::chance::Chance;
use crate::life::{Broken, Life, hold};

const NAME: &str = "jobs";
const BUCKET: &str = "batches";
const ROLE: &str = "batch-worker";
/// How many objects there are, and how many more stand in lists.
const KEYS: u64 = 8;
const MISSING: u64 = 2;
/// How many jobs are made at most.
const MOST: u64 = 12;

/// Makes jobs that copy some objects.
pub(crate) struct Jobs {
    chance: Chance,
    /// The list of each job that was asked for: how many of the keys stand in it.
    asked: BTreeMap<u64, u64>,
    /// The ids of those that were acknowledged.
    made: BTreeMap<u64, String>,
}

impl Jobs {
    pub(crate) fn new(chance: Chance) -> Jobs {
        Jobs { chance, asked: BTreeMap::new(), made: BTreeMap::new() }
    }

    /// Makes a job, or asks once more for one, which makes no other.
    async fn make(&mut self, life: &Life) -> Result<(), Broken> {
        let count = self.asked.len() as u64;
        let is_new = count == 0 || (count < MOST && self.chance.percent(60));
        let number = if is_new { count } else { self.chance.between(0, count) };
        let keys = self.chance.between(1, KEYS + MISSING + 1);
        let keys = *self.asked.entry(number).or_insert(keys);
        let lines: String = (0..keys).map(|key| format!("{BUCKET},{}\n", from(key))).collect();
        let input = json!({"Bucket": BUCKET, "Key": format!("lists/{number}")});
        let (answer, _) = life.send(NAME, "s3:PutObject", input, lines.into()).await;
        let Some(written) = answer.done("PutObject")? else { return Ok(()) };
        let input = request(number, &written["ETag"]);
        let action = "s3control:CreateJob";
        let Some(made) = life.call(NAME, action, input).await.done(action)? else {
            return Ok(());
        };
        let id = made["JobId"].as_str().unwrap_or_default();
        let known = self.made.entry(number).or_insert_with(|| id.to_owned());
        hold!(known == id, "the same token made the jobs {known} and {id}");
        Ok(())
    }

    /// Every job that there is has ended as it should.
    async fn check(&mut self, life: &Life) -> Result<(), Broken> {
        let jobs = listed(life).await?;
        let lost: Vec<_> = self.made.values().filter(|id| !jobs.contains_key(*id)).collect();
        hold!(lost.is_empty(), "the jobs {lost:?} were acknowledged and are gone");
        hold!(jobs.len() <= self.asked.len(), "{} jobs of {:?}", jobs.len(), self.asked);
        for (id, status) in jobs {
            hold!(status == "Complete", "the job {id} is {status}");
            let input = json!({"AccountId": ACCOUNT, "JobId": id});
            let action = "s3control:DescribeJob";
            let output = life.call(NAME, action, input).await.done(action)?.unwrap_or_default();
            let job = &output["Job"];
            let number = job["Description"].as_str().and_then(|text| text.parse().ok());
            let Some(keys) = number.and_then(|number| self.asked.get(&number)).copied() else {
                return Err(Broken(format!("nobody asked for the job {job}")));
            };
            let number = number.unwrap_or_default();
            let count = |name: &str| job["ProgressSummary"][name].as_u64().unwrap_or(u64::MAX);
            let counts = (count("NumberOfTasksSucceeded"), count("NumberOfTasksFailed"));
            let right = (keys.min(KEYS), keys.saturating_sub(KEYS));
            hold!(counts == right, "the job {id} counts {counts:?}, and not {right:?}");
            report(life, &id, keys).await?;
            for key in 0..keys.min(KEYS) {
                let path = format!("to-{number}/{}", from(key));
                let body = read(life, &path).await?;
                hold!(body == content(NAME, key, size(key)), "{path} has other bytes");
            }
        }
        Ok(())
    }
}

fn from(key: u64) -> String {
    format!("from/{key}")
}

/// In the row or in a segment.
fn size(key: u64) -> u64 {
    if key.is_multiple_of(4) { 20_000 } else { 500 }
}

fn request(number: u64, etag: &Value) -> Value {
    json!({
        "AccountId": ACCOUNT,
        "ConfirmationRequired": false,
        "Operation": {"S3PutObjectCopy": {
            "TargetResource": format!("arn:aws:s3:::{BUCKET}"),
            "TargetKeyPrefix": format!("to-{number}"),
        }},
        "Report": {
            "Enabled": true, "Bucket": format!("arn:aws:s3:::{BUCKET}"), "Prefix": "told",
            "Format": "Report_CSV_20180820", "ReportScope": "AllTasks",
        },
        "ClientRequestToken": format!("job-{number}"),
        "Description": number.to_string(),
        "Manifest": {
            "Spec": {"Format": "S3BatchOperations_CSV_20180820", "Fields": ["Bucket", "Key"]},
            "Location": {
                "ObjectArn": format!("arn:aws:s3:::{BUCKET}/lists/{number}"), "ETag": etag,
            },
        },
        "Priority": 10,
        "RoleArn": format!("arn:aws:iam::{ACCOUNT}:role/{ROLE}"),
    })
}

/// The ids of all jobs with their statuses.
async fn listed(life: &Life) -> Result<BTreeMap<String, String>, Broken> {
    let mut input = json!({"AccountId": ACCOUNT});
    let mut found = BTreeMap::new();
    let action = "s3control:ListJobs";
    loop {
        let answer = life.call(NAME, action, input.clone()).await;
        let output = answer.done(action)?.unwrap_or_default();
        for job in output["Jobs"].as_array().into_iter().flatten() {
            let text = |name: &str| job[name].as_str().unwrap_or_default().to_owned();
            found.insert(text("JobId"), text("Status"));
        }
        match &output["NextToken"] {
            Value::Null => return Ok(found),
            token => input["NextToken"] = token.clone(),
        }
    }
}

async fn read(life: &Life, key: &str) -> Result<Bytes, Broken> {
    let input = json!({"Bucket": BUCKET, "Key": key});
    let (answer, body) = life.send(NAME, "s3:GetObject", input, Bytes::new()).await;
    answer.done(&format!("GetObject of {key}"))?;
    Ok(body)
}

/// The report of a job tells of each task once.
async fn report(life: &Life, id: &str, keys: u64) -> Result<(), Broken> {
    let manifest = read(life, &format!("told/job-{id}/manifest.json")).await?;
    let manifest: Value = serde_json::from_slice(&manifest).unwrap_or_default();
    let mut told = BTreeSet::new();
    for file in manifest["Results"].as_array().into_iter().flatten() {
        let bytes = read(life, file["Key"].as_str().unwrap_or_default()).await?;
        for line in String::from_utf8_lossy(&bytes).lines() {
            let fields: Vec<&str> = line.split(',').map(|field| field.trim_matches('"')).collect();
            let key = fields.get(1).copied().unwrap_or_default().replace("%2F", "/");
            let is_done = fields.get(3) == Some(&"succeeded");
            hold!(told.insert((key.clone(), is_done)), "{key} is told of twice");
        }
    }
    let right: BTreeSet<_> = (0..keys).map(|key| (from(key), key < KEYS)).collect();
    hold!(told == right, "the report of {id} tells {told:?}, and not {right:?}");
    Ok(())
}

async fn done(life: &Life, action: &str, input: Value) -> Result<(), Broken> {
    life.call(NAME, action, input).await.done(action).map(drop)
}

impl Actor for Jobs {
    fn prepare<'a>(&'a mut self, life: &'a Life) -> Acted<'a> {
        Box::pin(async move {
            done(life, "s3:CreateBucket", json!({"Bucket": BUCKET})).await?;
            let trust = json!({"Version": "2012-10-17", "Statement": [{
                "Effect": "Allow", "Action": "sts:AssumeRole",
                "Principal": {"Service": "batchoperations.s3.amazonaws.com"},
            }]});
            let input = json!({"RoleName": ROLE, "AssumeRolePolicyDocument": trust.to_string()});
            done(life, "iam:CreateRole", input).await?;
            let policy = json!({"Version": "2012-10-17", "Statement": [{
                "Effect": "Allow", "Action": "s3:*", "Resource": "*",
            }]});
            let input = json!({
                "RoleName": ROLE, "PolicyName": "all", "PolicyDocument": policy.to_string(),
            });
            done(life, "iam:PutRolePolicy", input).await?;
            for key in 0..KEYS {
                let input = json!({"Bucket": BUCKET, "Key": from(key)});
                let body = content(NAME, key, size(key));
                life.send(NAME, "s3:PutObject", input, body).await.0.done("PutObject")?;
            }
            Ok(())
        })
    }

    fn step<'a>(&'a mut self, life: &'a Life) -> Acted<'a> {
        Box::pin(
            async move { if self.chance.percent(30) { self.make(life).await } else { Ok(()) } },
        )
    }

    fn settle<'a>(&'a mut self, life: &'a Life) -> Acted<'a> {
        Box::pin(async move {
            self.make(life).await?;
            for _ in 0..600 {
                let jobs = listed(life).await?;
                if jobs.values().all(|status| matches!(&**status, "Complete" | "Failed")) {
                    break;
                }
                life.sleep(60_000).await;
            }
            self.check(life).await
        })
    }

    fn look<'a>(&'a mut self, life: &'a Life) -> Acted<'a> {
        Box::pin(self.check(life))
    }

    fn clear<'a>(&'a mut self, life: &'a Life) -> Acted<'a> {
        Box::pin(clear(life, BUCKET))
    }
}
