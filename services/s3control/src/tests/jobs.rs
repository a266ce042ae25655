//! Batch jobs: what is asked of them, what they do as their role, and what they tell of it.

mod ends;
mod manifests;
mod operations;
mod requests;

use fogbank_core::bytes::Bytes;
use fogbank_core::{Body, Fault, Principal, Service};
use fogbank_testkit::{ACCOUNT, Value, World, json};

use super::call;
use crate::running;

static SERVICES: &[&Service] =
    &[&crate::SERVICE, &fogbank_s3::SERVICE, &fogbank_iam::SERVICE, &fogbank_sts::SERVICE];

const ROLE: &str = "arn:aws:iam::000000000000:role/worker";

/// A world with the buckets `photos` and `reports` and a role that may all.
async fn world() -> World {
    let world = World::new(SERVICES);
    fill(&world, json!({"Bucket": "photos"})).await;
    world
}

/// Makes the buckets, the first one as it is asked for, and the role.
async fn fill(world: &World, photos: Value) {
    for input in [photos, json!({"Bucket": "reports"})] {
        world.call("s3:CreateBucket", input).await.expect("a bucket");
    }
    let trust = json!({"Version": "2012-10-17", "Statement": [{
        "Effect": "Allow", "Principal": {"Service": running::SERVICE}, "Action": "sts:AssumeRole",
    }]});
    let input = json!({"RoleName": "worker", "AssumeRolePolicyDocument": trust.to_string()});
    world.call("iam:CreateRole", input).await.expect("a role");
    allow(world, &["*"]).await;
}

/// Lets the role do these actions and nothing else.
async fn allow(world: &World, actions: &[&str]) {
    let statement = json!({"Effect": "Allow", "Action": actions, "Resource": "*"});
    let policy = json!({"Version": "2012-10-17", "Statement": [statement]}).to_string();
    let input = json!({"RoleName": "worker", "PolicyName": "own", "PolicyDocument": policy});
    world.call("iam:PutRolePolicy", input).await.expect("a policy");
}

/// Writes an object; its ETag.
async fn put(world: &World, bucket: &str, key: &str, body: impl Into<Bytes>) -> String {
    let body: Bytes = body.into();
    let input = json!({"Bucket": bucket, "Key": key, "ContentLength": body.len()});
    let reply = world.send(Principal::root(ACCOUNT), "s3:PutObject", input, Body::from(body));
    reply.await.expect("written").output["ETag"].as_str().expect("an ETag").to_owned()
}

async fn read(world: &World, bucket: &str, key: &str) -> String {
    let input = json!({"Bucket": bucket, "Key": key});
    let reply = world.send(Principal::root(ACCOUNT), "s3:GetObject", input, Body::empty());
    let bytes = reply.await.expect("read").body.collect(1 << 20).await.expect("a body");
    String::from_utf8(bytes.to_vec()).expect("text")
}

async fn keys(world: &World, bucket: &str) -> Vec<String> {
    let page = world.call("s3:ListObjectsV2", json!({"Bucket": bucket})).await.expect("a list");
    let rows = page["Contents"].as_array().cloned().unwrap_or_default();
    rows.iter().map(|row| row["Key"].as_str().expect("a key").to_owned()).collect()
}

/// A manifest in CSV of bucket and key, written as an object.
async fn manifest(world: &World, lines: &str) -> Value {
    let e_tag = put(world, "reports", "manifest.csv", lines.to_owned()).await;
    json!({
        "Spec": {"Format": "S3BatchOperations_CSV_20180820", "Fields": ["Bucket", "Key"]},
        "Location": {"ObjectArn": "arn:aws:s3:::reports/manifest.csv", "ETag": e_tag},
    })
}

/// A request with a report of everything.
fn asked(operation: Value, manifest: Value) -> Value {
    json!({
        "Operation": operation,
        "Manifest": manifest,
        "Report": {
            "Enabled": true, "Bucket": "arn:aws:s3:::reports", "Prefix": "told",
            "Format": "Report_CSV_20180820", "ReportScope": "AllTasks",
        },
        "ClientRequestToken": "token",
        "Priority": 10,
        "RoleArn": ROLE,
        "ConfirmationRequired": false,
    })
}

fn tagging() -> Value {
    json!({"S3PutObjectTagging": {"TagSet": [{"Key": "colour", "Value": "blue"}]}})
}

/// Creates a job; its id.
async fn create(world: &World, input: Value) -> String {
    let made = call(world, "CreateJob", input).await.expect("a job");
    made["JobId"].as_str().expect("an id").to_owned()
}

async fn job(world: &World, id: &str) -> Value {
    let named = json!({"JobId": id});
    call(world, "DescribeJob", named).await.expect("a job")["Job"].clone()
}

async fn round(world: &World) {
    world.round(&crate::SERVICE, running::TASK).await;
}

/// Creates a job and does it; how it ended.
async fn done(world: &World, input: Value) -> Value {
    let id = create(world, input).await;
    round(world).await;
    job(world, &id).await
}

/// How a job ended: its status and how many tasks it has, how many succeeded and how many failed.
fn ended(job: &Value) -> (&str, [i64; 3]) {
    let count = |name: &str| job["ProgressSummary"][name].as_i64().expect("a number");
    let counts = ["TotalNumberOfTasks", "NumberOfTasksSucceeded", "NumberOfTasksFailed"];
    (job["Status"].as_str().expect("a status"), counts.map(count))
}

/// The lines of a job's report, those of tasks that succeeded first, whatever files they lie in.
async fn told(world: &World, job: &Value) -> String {
    let id = job["JobId"].as_str().expect("an id");
    let manifest = read(world, "reports", &format!("told/job-{id}/manifest.json")).await;
    let manifest: Value = serde_json::from_str(&manifest).expect("JSON");
    let mut lines = String::new();
    for file in manifest["Results"].as_array().expect("files") {
        lines += &read(world, "reports", file["Key"].as_str().expect("a key")).await;
    }
    lines
}

async fn tags(world: &World, key: &str) -> Result<Value, Fault> {
    let input = json!({"Bucket": "photos", "Key": key});
    Ok(world.call("s3:GetObjectTagging", input).await?["TagSet"].clone())
}
