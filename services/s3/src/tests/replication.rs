//! Replication: what rules are taken, what is copied where and as whom, and what callers see of it.

use fogbank_core::{Body, Cx, Effect, Fault, Service};
use fogbank_testkit::{ACCOUNT, Value, World, json};

use super::notifications::{configure, effects, message, queue};
use super::{allow_customer_keys, call, e_tag, noise, refused, send, with};
use crate::replication;

static SERVICES: &[&Service] =
    &[&crate::SERVICE, &fogbank_iam::SERVICE, &fogbank_sts::SERVICE, &fogbank_kms::SERVICE];

const ROLE: &str = "arn:aws:iam::000000000000:role/copier";

/// A versioned bucket.
async fn bucket(world: &World, name: &str, more: Value) {
    let input = with(json!({"Bucket": name}), more);
    world.call("s3:CreateBucket", input).await.expect("a bucket");
    let enabled = json!({"Bucket": name, "VersioningConfiguration": {"Status": "Enabled"}});
    world.call("s3:PutBucketVersioning", enabled).await.expect("versioned");
}

/// What a role needs that copies objects without tags, locks and keys.
const NEEDED: [&str; 5] = [
    "s3:GetReplicationConfiguration",
    "s3:GetObjectVersionForReplication",
    "s3:GetObjectVersionAcl",
    "s3:ReplicateObject",
    "s3:ReplicateDelete",
];

/// Lets the role do these actions and nothing else.
async fn allow(world: &World, actions: &[&str]) {
    let statement = json!({"Effect": "Allow", "Action": actions, "Resource": "*"});
    let policy = json!({"Version": "2012-10-17", "Statement": [statement]}).to_string();
    let input = json!({"RoleName": "copier", "PolicyName": "own", "PolicyDocument": policy});
    world.call("iam:PutRolePolicy", input).await.expect("a policy");
}

/// A world with the versioned buckets `photos`, `copies` and `more`, and a role that may all.
async fn world() -> World {
    let world = World::new(SERVICES);
    for name in ["photos", "copies", "more"] {
        bucket(&world, name, json!({})).await;
    }
    trust(&world, "s3.amazonaws.com").await;
    allow(&world, &["*"]).await;
    world
}

async fn trust(world: &World, service: &str) {
    let trust = json!({"Version": "2012-10-17", "Statement": [{
        "Effect": "Allow", "Principal": {"Service": service}, "Action": "sts:AssumeRole",
    }]});
    let input = json!({"RoleName": "copier", "AssumeRolePolicyDocument": trust.to_string()});
    world.call("iam:CreateRole", input).await.expect("a role");
}

/// A rule of the second schema.
fn rule(id: &str, to: &str, priority: i32, more: Value) -> Value {
    let rule = json!({
        "ID": id, "Status": "Enabled", "Priority": priority, "Filter": {"Prefix": ""},
        "DeleteMarkerReplication": {"Status": "Disabled"},
        "Destination": {"Bucket": format!("arn:aws:s3:::{to}")},
    });
    with(rule, more)
}

async fn set(world: &World, rules: Value) -> Result<Value, Fault> {
    let configuration = json!({"Role": ROLE, "Rules": rules});
    call(world, "PutBucketReplication", json!({"ReplicationConfiguration": configuration})).await
}

/// Does all that waits in the outbox and is due, but for events; says what was left.
async fn settle(world: &World) -> Vec<Effect> {
    let mut rest = Vec::new();
    loop {
        let found = effects(world).await;
        let (jobs, others): (Vec<_>, Vec<_>) =
            found.into_iter().partition(|effect| effect.target.starts_with("s3:replicate"));
        rest.extend(others);
        if jobs.is_empty() {
            return rest;
        }
        for effect in jobs {
            perform(world, &effect).await.expect("done");
        }
    }
}

async fn perform(world: &World, effect: &Effect) -> Result<(), Fault> {
    let cx = Cx::background(world.cloud().clone(), "s3", "test");
    let cx = cx.located(&effect.account, &effect.region);
    match &*effect.target {
        "s3:replicate" => replication::run(cx, effect.input().expect("an input")).await,
        "s3:replicate-annotation" => {
            replication::run_annotation(cx, effect.input().expect("an input")).await
        }
        _ => replication::is_late(cx, effect.input().expect("an input")).await,
    }
}

async fn head(world: &World, bucket: &str, key: &str) -> Result<Value, Fault> {
    let input = json!({"Bucket": bucket, "Key": key, "ChecksumMode": "ENABLED"});
    world.call("s3:HeadObject", input).await
}

async fn status(world: &World, bucket: &str, key: &str) -> Value {
    head(world, bucket, key).await.expect("an object")["ReplicationStatus"].clone()
}

async fn body(world: &World, bucket: &str, key: &str) -> Vec<u8> {
    let input = json!({"Bucket": bucket, "Key": key});
    let root = fogbank_core::Principal::root(ACCOUNT);
    let reply = world.send(root, "s3:GetObject", input, Body::empty()).await.expect("an object");
    reply.bytes(64 << 20).await.expect("a body").to_vec()
}

async fn put(world: &World, key: &str, body: impl Into<Body>, more: Value) -> Value {
    send(world, "PutObject", with(json!({"Key": key}), more), body).await.expect("written")
}

#[tokio::test]
async fn a_version_is_copied_with_all_that_belongs_to_it() {
    let world = world().await;
    put(&world, "before", "x".to_owned(), json!({})).await;
    set(&world, json!([rule("r", "copies", 1, json!({}))])).await.expect("set");
    let large = noise(300_000);
    let more = json!({
        "Metadata": {"color": "blue"}, "ContentType": "text/x", "Tagging": "a=b",
        "StorageClass": "STANDARD_IA", "CacheControl": "no-store",
    });
    let written = put(&world, "a", large.clone(), more).await;
    assert_eq!(status(&world, "photos", "a").await, "PENDING");
    assert!(settle(&world).await.is_empty());
    let (from, to) = (head(&world, "photos", "a").await, head(&world, "copies", "a").await);
    let (mut from, mut to) = (from.expect("an object"), to.expect("a copy"));
    assert_eq!(
        (&from["ReplicationStatus"], &to["ReplicationStatus"]),
        (&json!("COMPLETED"), &json!("REPLICA"))
    );
    assert_eq!((&to["VersionId"], &to["ETag"]), (&written["VersionId"], &json!(e_tag(&large))));
    for told in [&mut from, &mut to] {
        told["ReplicationStatus"] = Value::Null;
    }
    assert_eq!(from, to);
    assert!(body(&world, "copies", "a").await == large);
    let tags = world.call("s3:GetObjectTagging", json!({"Bucket": "copies", "Key": "a"})).await;
    assert_eq!(tags.expect("tags")["TagSet"], json!([{"Key": "a", "Value": "b"}]));
    // What was there before the rules is not copied.
    assert_eq!(status(&world, "photos", "before").await, Value::Null);
    assert!(head(&world, "copies", "before").await.is_err());
    // The bytes belong to both.
    let one = json!({"Key": "a", "VersionId": written["VersionId"]});
    call(&world, "DeleteObject", one).await.expect("removed");
    settle(&world).await;
    assert!(body(&world, "copies", "a").await == large);
}

#[tokio::test]
async fn large_objects_keep_their_parts() {
    let world = world().await;
    set(&world, json!([rule("r", "copies", 1, json!({}))])).await.expect("set");
    let (first, last) = (noise(5 << 20), noise(1000));
    let begun = call(&world, "CreateMultipartUpload", json!({"Key": "a"})).await.expect("begun");
    let upload = json!({"Key": "a", "UploadId": begun["UploadId"]});
    let mut parts = Vec::new();
    for (number, bytes) in [(1, &first), (2, &last)] {
        let input = with(upload.clone(), json!({"PartNumber": number}));
        let told = send(&world, "UploadPart", input, bytes.clone()).await.expect("a part");
        parts.push(json!({"PartNumber": number, "ETag": told["ETag"]}));
    }
    let input = with(upload, json!({"MultipartUpload": {"Parts": parts}}));
    let done = call(&world, "CompleteMultipartUpload", input).await.expect("done");
    settle(&world).await;
    let copy = head(&world, "copies", "a").await.expect("a copy");
    assert_eq!((&copy["ETag"], &copy["VersionId"]), (&done["ETag"], &done["VersionId"]));
    let one = json!({"Key": "a", "VersionId": done["VersionId"]});
    call(&world, "DeleteObject", one).await.expect("removed");
    world.round(&crate::SERVICE, crate::tasks::PARTS).await;
    assert!(body(&world, "copies", "a").await == [first, last].concat());
    let part = json!({"Bucket": "copies", "Key": "a", "PartNumber": 2});
    assert_eq!(world.call("s3:HeadObject", part).await.expect("a part")["ContentLength"], 1000);
}

#[tokio::test]
async fn delete_markers_are_repeated_where_rules_say_so_and_removals_never() {
    let world = world().await;
    let enabled = json!({"DeleteMarkerReplication": {"Status": "Enabled"}});
    let rules = [rule("r", "copies", 1, enabled), rule("s", "more", 2, json!({}))];
    set(&world, json!(rules)).await.expect("set");
    let written = put(&world, "a", "x".to_owned(), json!({})).await;
    settle(&world).await;
    let marker = call(&world, "DeleteObject", json!({"Key": "a"})).await.expect("marked");
    settle(&world).await;
    let missing = refused(head(&world, "copies", "a").await);
    assert!(missing.contains(marker["VersionId"].as_str().expect("an id")), "{missing}");
    assert_eq!(status(&world, "more", "a").await, "REPLICA");
    for id in [&written["VersionId"], &marker["VersionId"]] {
        call(&world, "DeleteObject", json!({"Key": "a", "VersionId": id})).await.expect("gone");
    }
    settle(&world).await;
    let listed = world.call("s3:ListObjectVersions", json!({"Bucket": "copies"})).await;
    let listed = listed.expect("a list");
    assert_eq!(listed["Versions"][0]["VersionId"], written["VersionId"]);
    assert_eq!(listed["DeleteMarkers"][0]["VersionId"], marker["VersionId"]);
}

#[tokio::test]
async fn versions_lie_in_the_order_of_their_writing_whenever_copies_come() {
    let world = world().await;
    set(&world, json!([rule("r", "copies", 1, json!({}))])).await.expect("set");
    put(&world, "a", "first".to_owned(), json!({})).await;
    put(&world, "a", "second".to_owned(), json!({})).await;
    let mut jobs = effects(&world).await;
    jobs.reverse();
    perform(&world, &jobs[0]).await.expect("the second");
    assert_eq!(body(&world, "copies", "a").await, b"second");
    perform(&world, &jobs[1]).await.expect("the first");
    // At least once each.
    perform(&world, &jobs[1]).await.expect("the first again");
    assert_eq!(body(&world, "copies", "a").await, b"second");
    let listed = world.call("s3:ListObjectVersions", json!({"Bucket": "copies"})).await;
    let sizes: Vec<Value> = listed.expect("a list")["Versions"]
        .as_array()
        .expect("versions")
        .iter()
        .map(|version| version["Size"].clone())
        .collect();
    assert_eq!(sizes, [6, 5]);
}

#[tokio::test]
async fn changes_of_tags_are_repeated_and_not_sent_back() {
    let world = world().await;
    set(&world, json!([rule("r", "copies", 1, json!({}))])).await.expect("set");
    let back = json!([rule("back", "photos", 1, json!({}))]);
    let configuration = json!({"Role": ROLE, "Rules": back});
    let input = json!({"Bucket": "copies", "ReplicationConfiguration": configuration});
    world.call("s3:PutBucketReplication", input).await.expect("set");
    put(&world, "a", "x".to_owned(), json!({})).await;
    assert!(settle(&world).await.is_empty());
    let tags = |bucket: &str, value: &str| {
        let set = json!([{"Key": "k", "Value": value}]);
        json!({"Bucket": bucket, "Key": "a", "Tagging": {"TagSet": set}})
    };
    let told = async |bucket: &str| {
        let input = json!({"Bucket": bucket, "Key": "a"});
        let told = world.call("s3:GetObjectTagging", input).await.expect("tags");
        told["TagSet"][0]["Value"].clone()
    };
    world.call("s3:PutObjectTagging", tags("photos", "1")).await.expect("tagged");
    assert_eq!(status(&world, "photos", "a").await, "PENDING");
    settle(&world).await;
    assert_eq!(told("copies").await, "1");
    assert_eq!(status(&world, "photos", "a").await, "COMPLETED");
    world.call("s3:PutObjectTagging", tags("copies", "2")).await.expect("tagged");
    settle(&world).await;
    assert_eq!(told("photos").await, "1");
    // Unless its rules want changes of replicas to be repeated.
    let criteria = json!({"ReplicaModifications": {"Status": "Enabled"}});
    let more = json!({"SourceSelectionCriteria": criteria});
    let configuration = json!({"Role": ROLE, "Rules": [rule("back", "photos", 1, more)]});
    let input = json!({"Bucket": "copies", "ReplicationConfiguration": configuration});
    world.call("s3:PutBucketReplication", input).await.expect("set");
    world.call("s3:PutObjectTagging", tags("copies", "3")).await.expect("tagged");
    assert_eq!(status(&world, "copies", "a").await, "REPLICA");
    settle(&world).await;
    assert_eq!((told("photos").await, told("copies").await), (json!("3"), json!("3")));
    assert_eq!(status(&world, "copies", "a").await, "REPLICA");
    // A change of what is not there any more has nothing to change.
    let gone = json!({"Bucket": "copies", "Key": "a", "VersionId":
        head(&world, "copies", "a").await.expect("a copy")["VersionId"]});
    world.call("s3:DeleteObject", gone).await.expect("gone");
    world.call("s3:PutObjectTagging", tags("photos", "4")).await.expect("tagged");
    settle(&world).await;
    assert_eq!(status(&world, "photos", "a").await, "FAILED");
    assert!(head(&world, "copies", "a").await.is_err());
}

#[tokio::test]
async fn the_role_must_be_allowed_each_step() {
    let world = world().await;
    set(&world, json!([rule("r", "copies", 1, json!({}))])).await.expect("set");
    allow(&world, &NEEDED).await;
    put(&world, "all", "x".to_owned(), json!({"Tagging": "a=b"})).await;
    settle(&world).await;
    assert_eq!(status(&world, "photos", "all").await, "COMPLETED");
    // Who may not read tags copies objects without them.
    let copy = head(&world, "copies", "all").await.expect("a copy");
    assert_eq!(copy["TagCount"], Value::Null);
    for missing in &NEEDED[..4] {
        let rest: Vec<&str> = NEEDED.into_iter().filter(|action| action != missing).collect();
        allow(&world, &rest).await;
        put(&world, missing, "x".to_owned(), json!({})).await;
        settle(&world).await;
        assert_eq!(status(&world, "photos", missing).await, "FAILED", "{missing}");
        assert!(head(&world, "copies", missing).await.is_err());
    }
}

#[tokio::test]
async fn failures_are_told_with_their_reason() {
    let world = world().await;
    let metrics = |to: &str| {
        let bucket = format!("arn:aws:s3:::{to}");
        json!({"Destination": {"Bucket": bucket, "Metrics": {"Status": "Enabled"}}})
    };
    let rules = [rule("r", "copies", 1, metrics("copies")), rule("s", "more", 2, json!({}))];
    set(&world, json!(rules)).await.expect("set");
    let all = json!({"QueueConfigurations": [queue(&["s3:Replication:*"])]});
    configure(&world, all).await.expect("set");
    let reason = async |key: &str| {
        put(&world, key, "hello".to_owned(), json!({})).await;
        let told = settle(&world).await;
        assert_eq!(status(&world, "photos", key).await, "FAILED");
        let [told] = &told[..] else { panic!("one event: {told:?}") };
        message(told)["Records"][0].clone()
    };
    let suspended = json!({"Bucket": "copies", "VersioningConfiguration": {"Status": "Suspended"}});
    world.call("s3:PutBucketVersioning", suspended).await.expect("suspended");
    let mut event = reason("a b").await;
    let data = event["replicationEventData"].take();
    assert_eq!(
        data,
        json!({
            "replicationRuleId": "r", "destinationBucket": "arn:aws:s3:::copies",
            "s3Operation": "OBJECT_PUT", "requestTime": "2026-01-01T00:00:00.000Z",
            "failureReason": "DstBucketUnversioned",
        })
    );
    assert_eq!(event["eventName"], "Replication:OperationFailedReplication");
    assert_eq!(
        (&event["eventVersion"], &event["s3"]["object"]["key"]),
        (&json!("2.2"), &json!("a+b"))
    );
    assert_eq!(event["userIdentity"]["principalId"], "s3.amazonaws.com");
    // The other destination has its copy all the same.
    assert_eq!(status(&world, "more", "a b").await, "REPLICA");
    world.call("s3:DeleteBucket", json!({"Bucket": "copies"})).await.expect("gone");
    let failure = |event: &Value| event["replicationEventData"]["failureReason"].clone();
    assert_eq!(failure(&reason("b").await), "DstBucketNotFound");
    bucket(&world, "copies", json!({})).await;
    let role = json!({"RoleName": "copier", "PolicyName": "own"});
    world.call("iam:DeleteRolePolicy", role).await.expect("removed");
    world.call("iam:DeleteRole", json!({"RoleName": "copier"})).await.expect("removed");
    world.clock().advance(1000);
    put(&world, "c", "x".to_owned(), json!({})).await;
    let told = settle(&world).await;
    assert_eq!(failure(&message(&told[0])["Records"][0]), "AssumeRoleNotPermitted");
    trust(&world, "lambda.amazonaws.com").await;
    assert_eq!(failure(&reason("d").await), "AssumeRoleNotPermitted");
}

#[tokio::test]
async fn what_waits_when_the_rules_go_fails() {
    let world = world().await;
    set(&world, json!([rule("r", "copies", 1, json!({}))])).await.expect("set");
    put(&world, "a", "x".to_owned(), json!({})).await;
    call(&world, "DeleteBucketReplication", json!({})).await.expect("removed");
    settle(&world).await;
    assert_eq!(status(&world, "photos", "a").await, "FAILED");
    put(&world, "b", "x".to_owned(), json!({})).await;
    assert_eq!(status(&world, "photos", "b").await, Value::Null);
}

#[tokio::test]
async fn late_copies_are_told_under_time_control() {
    let world = world().await;
    let minutes = json!({"Minutes": 15});
    let more = json!({"Destination": {
        "Bucket": "arn:aws:s3:::copies",
        "ReplicationTime": {"Status": "Enabled", "Time": minutes},
        "Metrics": {"Status": "Enabled", "EventThreshold": minutes},
    }});
    set(&world, json!([rule("r", "copies", 1, more)])).await.expect("set");
    let all = json!({"QueueConfigurations": [queue(&["s3:Replication:*"])]});
    configure(&world, all).await.expect("set");
    put(&world, "a", "x".to_owned(), json!({})).await;
    let jobs = effects(&world).await;
    let [copy, late] = &jobs[..] else { panic!("two jobs") };
    assert_eq!((&*late.target, late.delay_secs), ("s3:replication-threshold", 900));
    let name = async || {
        let told = effects(&world).await;
        told.first().map(|told| message(told)["Records"][0]["eventName"].clone())
    };
    perform(&world, late).await.expect("looked");
    assert_eq!(name().await, Some(json!("Replication:OperationMissedThreshold")));
    perform(&world, late).await.expect("looked again");
    assert_eq!(name().await, None);
    perform(&world, copy).await.expect("copied");
    assert_eq!(name().await, Some(json!("Replication:OperationReplicatedAfterThreshold")));
    assert_eq!(status(&world, "photos", "a").await, "COMPLETED");
    put(&world, "b", "x".to_owned(), json!({})).await;
    let jobs = effects(&world).await;
    perform(&world, &jobs[0]).await.expect("copied");
    perform(&world, &jobs[1]).await.expect("looked");
    assert_eq!(name().await, None);
}

#[tokio::test]
async fn copies_may_belong_to_another_account() {
    let world = world().await;
    let stranger = fogbank_core::Principal::root("111111111111");
    let as_stranger =
        async |action: &str, input: Value| world.call_as(stranger.clone(), action, input).await;
    let input = json!({"Bucket": "theirs", "ObjectOwnership": "ObjectWriter"});
    as_stranger("s3:CreateBucket", input).await.expect("a bucket");
    let enabled = json!({"Bucket": "theirs", "VersioningConfiguration": {"Status": "Enabled"}});
    as_stranger("s3:PutBucketVersioning", enabled).await.expect("versioned");
    let to = |more: Value| {
        let destination =
            with(json!({"Bucket": "arn:aws:s3:::theirs", "Account": "111111111111"}), more);
        json!([rule("r", "theirs", 1, json!({"Destination": destination}))])
    };
    set(&world, to(json!({}))).await.expect("set");
    put(&world, "a", "x".to_owned(), json!({})).await;
    settle(&world).await;
    // Nobody in the other account has allowed it.
    assert_eq!(status(&world, "photos", "a").await, "FAILED");
    let policy = |actions: Value| {
        json!({"Version": "2012-10-17", "Statement": [{
            "Effect": "Allow", "Principal": {"AWS": ROLE}, "Action": actions,
            "Resource": "arn:aws:s3:::theirs/*",
        }]})
    };
    let allowed = policy(json!(["s3:ReplicateObject"])).to_string();
    let input = json!({"Bucket": "theirs", "Policy": allowed});
    as_stranger("s3:PutBucketPolicy", input).await.expect("a policy");
    put(&world, "b", "x".to_owned(), json!({})).await;
    settle(&world).await;
    assert_eq!(status(&world, "photos", "b").await, "COMPLETED");
    let acl = async |key: &str| {
        let input = json!({"Bucket": "theirs", "Key": key});
        let told = world.call_as(stranger.clone(), "s3:GetObjectAcl", input).await;
        told.map(|told| told["Owner"]["ID"].clone())
    };
    assert!(acl("b").await.is_err());
    let owner = json!({"AccessControlTranslation": {"Owner": "Destination"}});
    set(&world, to(owner)).await.expect("set");
    put(&world, "c", "x".to_owned(), json!({})).await;
    settle(&world).await;
    assert_eq!(status(&world, "photos", "c").await, "FAILED");
    let both = policy(json!(["s3:ReplicateObject", "s3:ObjectOwnerOverrideToBucketOwner"]));
    let input = json!({"Bucket": "theirs", "Policy": both.to_string()});
    as_stranger("s3:PutBucketPolicy", input).await.expect("a policy");
    put(&world, "d", "x".to_owned(), json!({})).await;
    settle(&world).await;
    assert_eq!(status(&world, "photos", "d").await, "COMPLETED");
    assert_eq!(acl("d").await.expect("an ACL"), crate::rules::canonical_id("111111111111"));
}

#[tokio::test]
async fn what_kms_encrypts_is_encrypted_anew() {
    let world = world().await;
    let key = async || {
        let made = world.call("kms:CreateKey", json!({})).await.expect("a key");
        made["KeyMetadata"]["Arn"].as_str().expect("an ARN").to_owned()
    };
    let (ours, theirs) = (key().await, key().await);
    set(&world, json!([rule("r", "copies", 1, json!({}))])).await.expect("set");
    let by = json!({"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": ours});
    put(&world, "plain rule", "x".to_owned(), by.clone()).await;
    assert_eq!(status(&world, "photos", "plain rule").await, Value::Null);
    let more = json!({
        "SourceSelectionCriteria": {"SseKmsEncryptedObjects": {"Status": "Enabled"}},
        "Destination": {
            "Bucket": "arn:aws:s3:::copies",
            "EncryptionConfiguration": {"ReplicaKmsKeyID": theirs},
        },
    });
    set(&world, json!([rule("r", "copies", 1, more)])).await.expect("set");
    for (name, size) in [("small", 5), ("large", 300_000)] {
        let bytes = noise(size);
        let written = put(&world, name, bytes.clone(), by.clone()).await;
        settle(&world).await;
        let copy = head(&world, "copies", name).await.expect("a copy");
        assert_eq!((&copy["SSEKMSKeyId"], &copy["ETag"]), (&json!(theirs), &written["ETag"]));
        assert!(body(&world, "copies", name).await == bytes);
    }
    let begun =
        call(&world, "CreateMultipartUpload", with(json!({"Key": "parts"}), by.clone())).await;
    let upload = json!({"Key": "parts", "UploadId": begun.expect("begun")["UploadId"]});
    let bytes = noise(100_000);
    let part = with(upload.clone(), json!({"PartNumber": 1}));
    let told = send(&world, "UploadPart", part, bytes.clone()).await.expect("a part");
    let parts = json!({"MultipartUpload": {"Parts": [{"PartNumber": 1, "ETag": told["ETag"]}]}});
    let done = call(&world, "CompleteMultipartUpload", with(upload, parts)).await.expect("done");
    settle(&world).await;
    let copy = head(&world, "copies", "parts").await.expect("a copy");
    assert_eq!((&copy["SSEKMSKeyId"], &copy["ETag"]), (&json!(theirs), &done["ETag"]));
    assert!(body(&world, "copies", "parts").await == bytes);
    // The role must be allowed to open with one key and to seal with the other.
    for (missing, key) in [("kms:Decrypt", "e"), ("kms:Encrypt", "f")] {
        let mut actions = NEEDED.to_vec();
        actions.extend(["kms:Decrypt", "kms:Encrypt"].iter().filter(|action| **action != missing));
        allow(&world, &actions).await;
        put(&world, key, "x".to_owned(), by.clone()).await;
        settle(&world).await;
        assert_eq!(status(&world, "photos", key).await, "FAILED", "{missing}");
    }
    let mut actions = NEEDED.to_vec();
    actions.extend(["kms:Decrypt", "kms:Encrypt"]);
    allow(&world, &actions).await;
    put(&world, "g", "x".to_owned(), by).await;
    settle(&world).await;
    assert_eq!(status(&world, "photos", "g").await, "COMPLETED");
}

#[tokio::test]
async fn locks_are_copied_and_changed_with_their_versions() {
    let world = World::new(SERVICES);
    for name in ["photos", "copies"] {
        bucket(&world, name, json!({"ObjectLockEnabledForBucket": true})).await;
    }
    bucket(&world, "more", json!({})).await;
    trust(&world, "s3.amazonaws.com").await;
    allow(&world, &["*"]).await;
    let rules = [
        rule("r", "copies", 1, json!({})),
        rule("s", "more", 2, json!({"Filter": {"Prefix": "m"}})),
    ];
    set(&world, json!(rules)).await.expect("set");
    let lock = json!({
        "ObjectLockMode": "GOVERNANCE", "ObjectLockRetainUntilDate": 1_800_000_000,
        "ObjectLockLegalHoldStatus": "ON",
    });
    put(&world, "a", "x".to_owned(), lock).await;
    settle(&world).await;
    let copy = head(&world, "copies", "a").await.expect("a copy");
    assert_eq!(
        (&copy["ObjectLockMode"], &copy["ObjectLockLegalHoldStatus"]),
        (&json!("GOVERNANCE"), &json!("ON"))
    );
    let off = json!({"Key": "a", "LegalHold": {"Status": "OFF"}});
    call(&world, "PutObjectLegalHold", off).await.expect("let go");
    let later = json!({"Mode": "COMPLIANCE", "RetainUntilDate": 1_900_000_000});
    let input = json!({"Key": "a", "Retention": later, "BypassGovernanceRetention": true});
    call(&world, "PutObjectRetention", input).await.expect("kept");
    settle(&world).await;
    let copy = head(&world, "copies", "a").await.expect("a copy");
    assert_eq!(
        (&copy["ObjectLockMode"], &copy["ObjectLockLegalHoldStatus"]),
        (&json!("COMPLIANCE"), &Value::Null)
    );
    // A hold that is released is released there too, when the copy hears of it.
    let held = json!({
        "ObjectLockMode": "COMPLIANCE", "ObjectLockEventHold": "ON",
        "ObjectLockEventHoldDurationDays": 10,
    });
    put(&world, "h", "x".to_owned(), held).await;
    settle(&world).await;
    let copy = head(&world, "copies", "h").await.expect("a copy");
    assert_eq!(
        (&copy["ObjectLockEventHold"], &copy["ObjectLockEventHoldDurationDays"]),
        (&json!("ON"), &json!(10))
    );
    let off = json!({"Key": "h", "Retention": {"Mode": "COMPLIANCE", "EventHold": "OFF"}});
    call(&world, "PutObjectRetention", off).await.expect("released");
    let released = world.clock().now().secs();
    world.clock().advance(60_000);
    settle(&world).await;
    let copy = head(&world, "copies", "h").await.expect("a copy");
    assert_eq!(copy["ObjectLockEventHold"], "OFF");
    let until = copy["ObjectLockRetainUntilDate"].as_i64().expect("a date");
    assert!(until >= released + 10 * 86_400 + 60, "{until} is not after {released}");
    // What is locked is not copied where nothing is.
    put(&world, "m", "x".to_owned(), json!({})).await;
    settle(&world).await;
    assert_eq!(status(&world, "photos", "m").await, "FAILED");
}

#[tokio::test]
async fn lifecycles_wait_for_copies() {
    let world = world().await;
    set(&world, json!([rule("r", "copies", 1, json!({}))])).await.expect("set");
    let rules = json!([{"Status": "Enabled", "Filter": {"Prefix": ""}, "Expiration": {"Days": 1}}]);
    let input = json!({"LifecycleConfiguration": {"Rules": rules}});
    call(&world, "PutBucketLifecycleConfiguration", input).await.expect("set");
    put(&world, "copied", "x".to_owned(), json!({})).await;
    settle(&world).await;
    allow(&world, &["s3:GetObject"]).await;
    put(&world, "failed", "x".to_owned(), json!({})).await;
    settle(&world).await;
    put(&world, "waits", "x".to_owned(), json!({})).await;
    world.clock().advance(3 * 86_400_000);
    world.round(&crate::SERVICE, "s3.lifecycle").await;
    assert!(head(&world, "photos", "copied").await.is_err());
    assert_eq!(status(&world, "photos", "failed").await, "FAILED");
    assert_eq!(status(&world, "photos", "waits").await, "PENDING");
    // What lifecycles mark is not marked elsewhere.
    settle(&world).await;
    assert_eq!(status(&world, "copies", "copied").await, "REPLICA");
}

#[tokio::test]
async fn a_change_loses_no_copy_that_waits() {
    let world = world().await;
    let tagged = json!({"Filter": {"Tag": {"Key": "k", "Value": "v"}}});
    let rules = [rule("r", "copies", 1, tagged), rule("s", "more", 2, json!({}))];
    set(&world, json!(rules)).await.expect("set");
    put(&world, "a", "x".to_owned(), json!({"Tagging": "k=v"})).await;
    call(&world, "DeleteObjectTagging", json!({"Key": "a"})).await.expect("untagged");
    settle(&world).await;
    assert_eq!(status(&world, "photos", "a").await, "COMPLETED");
    for copies in ["copies", "more"] {
        let copy = head(&world, copies, "a").await.expect("a copy");
        assert_eq!(
            (&copy["ReplicationStatus"], &copy["TagCount"]),
            (&json!("REPLICA"), &Value::Null)
        );
    }
}

#[tokio::test]
async fn what_customers_encrypt_is_copied_as_it_lies() {
    use base64::Engine;
    use base64::engine::general_purpose::STANDARD;
    use md5::Digest;
    let world = world().await;
    set(&world, json!([rule("r", "copies", 1, json!({}))])).await.expect("set");
    let key = [7u8; 32];
    let by = json!({
        "SSECustomerAlgorithm": "AES256", "SSECustomerKey": STANDARD.encode(key),
        "SSECustomerKeyMD5": STANDARD.encode(md5::Md5::digest(key)),
    });
    let bytes = noise(50_000);
    allow_customer_keys(&world, "photos").await;
    put(&world, "a", bytes.clone(), by.clone()).await;
    settle(&world).await;
    let refused_to = json!({"Key": "a"});
    let told = call(&world, "HeadObject", with(refused_to, by.clone())).await.expect("an object");
    assert_eq!(told["ReplicationStatus"], "FAILED", "new buckets take no customers' keys");
    allow_customer_keys(&world, "copies").await;
    put(&world, "a", bytes.clone(), by.clone()).await;
    settle(&world).await;
    let input = with(json!({"Bucket": "copies", "Key": "a"}), by);
    let root = fogbank_core::Principal::root(ACCOUNT);
    let reply = world.send(root, "s3:GetObject", input, Body::empty()).await.expect("a copy");
    assert!(reply.bytes(1 << 20).await.expect("a body") == bytes);
    assert!(refused(head(&world, "copies", "a").await).starts_with("InvalidRequest: "));
}

async fn annotate(world: &World, key: &str, text: &str) {
    let input = json!({"Key": key, "AnnotationName": "n"});
    send(world, "PutObjectAnnotation", input, text.to_owned()).await.expect("put");
}

/// The text and the status of the annotation `n`.
async fn annotation(world: &World, bucket: &str, key: &str) -> Result<(String, Value), Fault> {
    let input = json!({"Bucket": bucket, "Key": key, "AnnotationName": "n"});
    let root = fogbank_core::Principal::root(ACCOUNT);
    let reply = world.send(root, "s3:GetObjectAnnotation", input, Body::empty()).await?;
    let status = reply.output["ReplicationStatus"].clone();
    let text = reply.bytes(1 << 20).await?;
    Ok((String::from_utf8(text.to_vec()).expect("a text"), status))
}

#[tokio::test]
async fn annotations_are_copied_after_their_version_and_their_removal_is_repeated() {
    let world = world().await;
    put(&world, "before", "x".to_owned(), json!({})).await;
    let rules = json!([rule("r", "copies", 2, json!({})), rule("s", "more", 1, json!({}))]);
    set(&world, rules).await.expect("set");
    annotate(&world, "before", "t").await;
    assert_eq!(annotation(&world, "photos", "before").await.expect("one").1, Value::Null);
    put(&world, "a", "x".to_owned(), json!({})).await;
    annotate(&world, "a", "first").await;
    assert_eq!(annotation(&world, "photos", "a").await.expect("one").1, "PENDING");
    assert!(settle(&world).await.is_empty());
    assert_eq!(annotation(&world, "photos", "a").await.expect("one").1, "COMPLETED");
    for bucket in ["copies", "more"] {
        let found = annotation(&world, bucket, "a").await.expect("a copy");
        assert_eq!(found, ("first".to_owned(), json!("REPLICA")));
    }
    annotate(&world, "a", "second").await;
    let waiting = effects(&world).await;
    annotate(&world, "a", "third").await;
    for effect in waiting {
        perform(&world, &effect).await.expect("what is void does nothing");
    }
    assert_eq!(annotation(&world, "copies", "a").await.expect("a copy").0, "first");
    settle(&world).await;
    assert_eq!(annotation(&world, "copies", "a").await.expect("a copy").0, "third");
    let gone = json!({"Key": "a", "AnnotationName": "n"});
    call(&world, "DeleteObjectAnnotation", gone).await.expect("removed");
    settle(&world).await;
    let found = annotation(&world, "copies", "a").await;
    assert!(refused(found).starts_with("NoSuchAnnotation: "));
}

#[tokio::test]
async fn an_annotation_waits_for_its_version_and_fails_with_the_role() {
    let world = world().await;
    set(&world, json!([rule("r", "copies", 1, json!({}))])).await.expect("set");
    put(&world, "a", "x".to_owned(), json!({})).await;
    let of_version = effects(&world).await;
    annotate(&world, "a", "t").await;
    let of_annotation = effects(&world).await;
    assert!(perform(&world, &of_annotation[0]).await.is_err());
    perform(&world, &of_version[0]).await.expect("copied");
    perform(&world, &of_annotation[0]).await.expect("copied");
    assert_eq!(annotation(&world, "copies", "a").await.expect("a copy").0, "t");
    annotate(&world, "a", "u").await;
    allow(&world, &["s3:GetReplicationConfiguration"]).await;
    world.clock().advance(2_000);
    settle(&world).await;
    assert_eq!(annotation(&world, "photos", "a").await.expect("one").1, "FAILED");
    assert_eq!(annotation(&world, "copies", "a").await.expect("a copy").0, "t");
}

#[tokio::test]
async fn an_annotation_under_a_key_of_kms_is_sealed_anew_for_the_copy() {
    let world = world().await;
    let mut keys = Vec::new();
    for _ in 0..2 {
        let made = world.call("kms:CreateKey", json!({})).await.expect("a key");
        keys.push(made["KeyMetadata"]["Arn"].as_str().expect("an ARN").to_owned());
    }
    let more = json!({
        "SourceSelectionCriteria": {"SseKmsEncryptedObjects": {"Status": "Enabled"}},
        "Destination": {
            "Bucket": "arn:aws:s3:::copies", "EncryptionConfiguration": {"ReplicaKmsKeyID": keys[1]},
        },
    });
    set(&world, json!([rule("r", "copies", 1, more)])).await.expect("set");
    let by = json!({"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": keys[0]});
    put(&world, "a", "x".to_owned(), by).await;
    annotate(&world, "a", "a secret").await;
    settle(&world).await;
    let found = annotation(&world, "copies", "a").await.expect("a copy");
    assert_eq!(found, ("a secret".to_owned(), json!("REPLICA")));
    let disable = json!({"KeyId": keys[1]});
    world.call("kms:DisableKey", disable).await.expect("disabled");
    assert!(refused(annotation(&world, "copies", "a").await).starts_with("KMS.DisabledException"));
    assert_eq!(annotation(&world, "photos", "a").await.expect("one").0, "a secret");
}
