//! Annotations: what may be attached to objects, with which versions it stays, and what goes with them.

use fogbank_core::bytes::Bytes;
use fogbank_core::{Body, Fault, Principal, Service};
use fogbank_testkit::{ACCOUNT, Value, World, json};

use super::notifications::{configure, effects, message, queue};
use super::{allow_customer_keys, call, e_tag, noise, put, refused, send, with, with_bucket};
use crate::SERVICE;

/// Where the store counts the blobs that rows name.
const BLOBS: u32 = 0x02;
const NOW: i64 = 1_767_225_600;
/// The MD5 of a key of 32 sevens.
pub(super) const KEY_MD5: &str = "y4HAEFCYWuvAXWFTtA1Qpg==";

static WITH_KMS: &[&Service] = &[&SERVICE, &fogbank_iam::SERVICE, &fogbank_kms::SERVICE];

fn of(key: &str, name: &str) -> Value {
    json!({"Key": key, "AnnotationName": name})
}

async fn annotate(world: &World, input: Value, text: impl Into<Body>) -> Result<Value, Fault> {
    send(world, "PutObjectAnnotation", input, text).await
}

async fn read_as(world: &World, caller: Principal, input: Value) -> Result<(Value, Bytes), Fault> {
    let input = with(json!({"Bucket": "photos"}), input);
    let reply = world.send(caller, "s3:GetObjectAnnotation", input, Body::empty()).await?;
    let output = reply.output.clone();
    Ok((output, reply.bytes(2 << 20).await?))
}

async fn read(world: &World, input: Value) -> Result<(Value, Bytes), Fault> {
    read_as(world, Principal::root(ACCOUNT), input).await
}

async fn text_of(world: &World, input: Value) -> String {
    let (_, bytes) = read(world, input).await.expect("an annotation");
    String::from_utf8(bytes.to_vec()).expect("a text")
}

async fn names(world: &World, input: Value) -> Vec<String> {
    let listed = call(world, "ListObjectAnnotations", input).await.expect("a list");
    let entries = listed["Annotations"].as_array().expect("entries");
    let name = |entry: &Value| entry["AnnotationName"].as_str().expect("a name").to_owned();
    entries.iter().map(name).collect()
}

/// A body for an operation that takes one.
fn text_for(operation: &str) -> Body {
    if operation.starts_with("Put") { "t".to_owned().into() } else { Body::empty() }
}

/// A text that does not repeat soon.
fn text(len: usize) -> String {
    noise(len).iter().map(|byte| char::from(b'a' + byte % 26)).collect()
}

#[tokio::test]
async fn annotations_are_put_read_listed_and_removed() {
    let world = with_bucket().await;
    put(&world, "a", "x".to_owned()).await;
    for (name, size) in [("small", 1), ("inline", 16 << 10), ("large", 1 << 20)] {
        let text = text(size);
        let told = annotate(&world, of("a", name), text.clone()).await.expect("put");
        let (found, bytes) = read(&world, of("a", name)).await.expect("read");
        assert!(bytes == text, "{name}");
        assert_eq!(told["ETag"], e_tag(text.as_bytes()));
        assert_eq!((&told["Key"], &told["AnnotationName"]), (&json!("a"), &json!(name)));
        assert_eq!(told["ChecksumType"], "FULL_OBJECT");
        assert_eq!((&found["ETag"], &found["ContentLength"]), (&told["ETag"], &json!(size)));
        assert_eq!(found.get("ChecksumCRC64NVME"), None);
        let mode = with(of("a", name), json!({"ChecksumMode": "ENABLED"}));
        let (found, _) = read(&world, mode).await.expect("read");
        assert_eq!(found["ChecksumCRC64NVME"], told["ChecksumCRC64NVME"]);
        assert_eq!(found["ServerSideEncryption"], "AES256");
    }
    annotate(&world, of("a", "small"), "other".to_owned()).await.expect("replaced");
    assert_eq!(text_of(&world, of("a", "small")).await, "other");
    let listed = call(&world, "ListObjectAnnotations", json!({"Key": "a"})).await.expect("a list");
    assert_eq!((&listed["AnnotationCount"], &listed["Key"]), (&json!(3), &json!("a")));
    assert_eq!(
        listed["Annotations"][2],
        json!({
            "AnnotationName": "small", "Size": 5, "ETag": e_tag(b"other"), "LastModified": NOW,
            "ChecksumAlgorithm": ["CRC64NVME"],
        })
    );
    for _ in 0..2 {
        call(&world, "DeleteObjectAnnotation", of("a", "inline")).await.expect("gone");
    }
    assert_eq!(names(&world, json!({"Key": "a"})).await, ["large", "small"]);
    assert_eq!(
        refused(read(&world, of("a", "inline")).await),
        "NoSuchAnnotation: The specified annotation does not exist on this object."
    );
}

#[tokio::test]
async fn what_is_no_annotation_is_refused() {
    let world = with_bucket().await;
    put(&world, "a", "x".to_owned()).await;
    for (name, error) in [
        ("aws.x", "InvalidAnnotationName: "),
        ("S3", "InvalidAnnotationName: "),
        ("a b", "InvalidAnnotationName: "),
        (&*"n".repeat(513), "AnnotationNameTooLong: "),
    ] {
        let refusal = refused(annotate(&world, of("a", name), "x".to_owned()).await);
        assert!(refusal.starts_with(error), "{name}: {refusal}");
    }
    for (body, error) in [
        (Vec::new(), "InvalidRequest: "),
        (vec![b'a', 0xff], "UnsupportedMediaType: "),
        (vec![b'a'; (1 << 20) + 1], "EntityTooLarge: "),
    ] {
        let refusal = refused(annotate(&world, of("a", "n"), body).await);
        assert!(refusal.starts_with(error), "{refusal}");
    }
    let missing = annotate(&world, of("b", "n"), "x".to_owned()).await;
    assert!(refused(missing).starts_with("NoSuchKey: "));
    let wrong = with(of("a", "n"), json!({"ObjectIfMatch": "\"0\""}));
    assert!(
        refused(annotate(&world, wrong.clone(), "x".to_owned()).await).starts_with("Precondition")
    );
    let removal = call(&world, "DeleteObjectAnnotation", wrong).await;
    assert!(refused(removal).starts_with("PreconditionFailed: "));
    let right = with(of("a", "n"), json!({"ObjectIfMatch": e_tag(b"x")}));
    annotate(&world, right, "x".to_owned()).await.expect("put");
    let wrong = with(of("a", "n"), json!({"ContentMD5": "AAAAAAAAAAAAAAAAAAAAAA=="}));
    assert!(refused(annotate(&world, wrong, "y".to_owned()).await).starts_with("BadDigest: "));
    assert_eq!(text_of(&world, of("a", "n")).await, "x");
    let prefix = json!({"Key": "a", "AnnotationPrefix": "a b"});
    let listed = call(&world, "ListObjectAnnotations", prefix).await;
    assert!(refused(listed).starts_with("InvalidPrefix: "));
}

#[tokio::test]
async fn a_version_has_a_thousand_annotations_which_are_listed_in_pages_and_go_with_it() {
    let world = with_bucket().await;
    put(&world, "a", "x".to_owned()).await;
    let blobs = world.rows_under(BLOBS);
    let rows = world.rows(&SERVICE).len();
    for index in 0..1000 {
        let size = if index < 3 { 20_000 } else { 3 };
        let name = format!("n{index:03}");
        annotate(&world, of("a", &name), text(size)).await.expect("put");
    }
    let more = annotate(&world, of("a", "more"), "x".to_owned()).await;
    assert!(refused(more).starts_with("AnnotationLimitExceeded: "));
    annotate(&world, of("a", "n999"), "again".to_owned()).await.expect("one that is there");
    let (mut found, mut token) = (Vec::new(), Value::Null);
    loop {
        let mut input = json!({"Key": "a", "MaxAnnotationResults": 300});
        if !token.is_null() {
            input["ContinuationToken"] = token;
        }
        let page = call(&world, "ListObjectAnnotations", input).await.expect("a page");
        found.extend(page["Annotations"].as_array().expect("entries").clone());
        token = page["NextContinuationToken"].clone();
        if token.is_null() {
            break;
        }
    }
    assert_eq!(found.len(), 1000);
    let some = json!({"Key": "a", "AnnotationPrefix": "n12"});
    assert_eq!(names(&world, some).await.len(), 10);
    assert!(world.rows_under(BLOBS).len() > blobs.len());
    call(&world, "DeleteObject", json!({"Key": "a"})).await.expect("removed");
    world.round(&SERVICE, "s3.parts").await;
    assert_eq!(world.rows_under(BLOBS), blobs);
    assert_eq!(world.rows(&SERVICE).len(), rows - 1);
}

#[tokio::test]
async fn annotations_stay_with_their_version() {
    let world = with_bucket().await;
    let enabled = json!({"VersioningConfiguration": {"Status": "Enabled"}});
    call(&world, "PutBucketVersioning", enabled).await.expect("set");
    let first = put(&world, "a", "1".to_owned()).await["VersionId"].clone();
    let told = annotate(&world, of("a", "n"), "first".to_owned()).await.expect("put");
    assert_eq!(told["ObjectVersionId"], first);
    put(&world, "a", "2".to_owned()).await;
    assert!(refused(read(&world, of("a", "n")).await).starts_with("NoSuchAnnotation: "));
    let older = with(of("a", "n"), json!({"VersionId": first}));
    assert_eq!(text_of(&world, older.clone()).await, "first");
    annotate(&world, with(older.clone(), json!({"AnnotationName": "m"})), "late".to_owned())
        .await
        .expect("put");
    annotate(&world, of("a", "n"), "second".to_owned()).await.expect("put");
    call(&world, "DeleteObject", json!({"Key": "a"})).await.expect("marked");
    assert!(refused(read(&world, of("a", "n")).await).starts_with("NoSuchKey: "));
    assert_eq!(names(&world, json!({"Key": "a", "VersionId": first})).await, ["m", "n"]);
    let gone = json!({"Key": "a", "VersionId": first});
    call(&world, "DeleteObject", gone.clone()).await.expect("removed");
    assert!(refused(read(&world, older).await).starts_with("NoSuchVersion: "));
    world.reset(&SERVICE, None).await;
    world.round(&SERVICE, "s3.parts").await;
    assert!(world.rows(&SERVICE).is_empty());
}

#[tokio::test]
async fn copies_carry_annotations_unless_they_are_told_not_to() {
    let world = with_bucket().await;
    put(&world, "a", "x".to_owned()).await;
    let large = text(100_000);
    annotate(&world, of("a", "large"), large.clone()).await.expect("put");
    annotate(&world, of("a", "small"), "s".to_owned()).await.expect("put");
    let copy = |more: Value| {
        let input = with(json!({"CopySource": "photos/a"}), more);
        let world = &world;
        async move { call(world, "CopyObject", input).await }
    };
    copy(json!({"Key": "b"})).await.expect("copied");
    assert!(text_of(&world, of("b", "large")).await == large);
    copy(json!({"Key": "c", "AnnotationDirective": "EXCLUDE"})).await.expect("copied");
    assert!(names(&world, json!({"Key": "c"})).await.is_empty());
    let other = copy(json!({"Key": "c", "AnnotationDirective": "REPLACE"})).await;
    assert!(refused(other).starts_with("InvalidArgument: Unknown annotation directive."));
    // Upon itself, where what was there goes.
    copy(json!({"Key": "a", "MetadataDirective": "REPLACE"})).await.expect("copied");
    world.cloud().blobs().sweep().expect("a sweep");
    assert!(text_of(&world, of("a", "large")).await == large);
    call(&world, "DeleteObject", json!({"Key": "a"})).await.expect("removed");
    world.cloud().blobs().sweep().expect("a sweep");
    assert!(text_of(&world, of("b", "large")).await == large);
    allow_customer_keys(&world, "photos").await;
    let by = json!({"SSECustomerAlgorithm": "AES256",
        "SSECustomerKey": "BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc=",
        "SSECustomerKeyMD5": KEY_MD5});
    let own = with(json!({"Key": "k", "CopySource": "photos/b"}), by);
    let refusal = refused(call(&world, "CopyObject", own).await);
    let words =
        "InvalidRequest: Objects encrypted with customer-provided keys cannot have annotations";
    assert!(refusal.starts_with(words), "{refusal}");
}

#[tokio::test]
async fn annotations_are_sealed_as_their_object_is() {
    let world = World::new(WITH_KMS);
    world.call("s3:CreateBucket", json!({"Bucket": "photos"})).await.expect("a bucket");
    let made = world.call("kms:CreateKey", json!({})).await.expect("a key");
    let key = made["KeyMetadata"]["Arn"].as_str().expect("an ARN").to_owned();
    let by = json!({"Key": "a", "ServerSideEncryption": "aws:kms", "SSEKMSKeyId": key});
    send(&world, "PutObject", by, "x".to_owned()).await.expect("written");
    let secret = "the very secret text of an annotation";
    let told = annotate(&world, of("a", "n"), secret.to_owned()).await.expect("put");
    assert_eq!(told["ServerSideEncryption"], "aws:kms");
    assert_ne!(told["ETag"], e_tag(secret.as_bytes()));
    let lies = |world: &World| {
        world
            .rows(&SERVICE)
            .values()
            .any(|row| row.windows(secret.len()).any(|bytes| bytes == secret.as_bytes()))
    };
    assert!(!lies(&world));
    assert_eq!(text_of(&world, of("a", "n")).await, secret);
    let copy = json!({"Key": "b", "CopySource": "photos/a", "ServerSideEncryption": "AES256"});
    call(&world, "CopyObject", copy).await.expect("copied");
    assert_eq!(text_of(&world, of("b", "n")).await, secret);
    // S3's own key seals what that of KMS does not.
    assert!(!lies(&world));
    let ada = ada(&world, json!([{"Effect": "Allow", "Action": "s3:*", "Resource": "*"}])).await;
    assert!(read_as(&world, ada.clone(), of("b", "n")).await.is_ok());
    let refusal = refused(read_as(&world, ada, of("a", "n")).await);
    assert!(refusal.starts_with("AccessDenied: ") && refusal.contains("kms:Decrypt"), "{refusal}");
}

/// A user whose only policy has these statements.
async fn ada(world: &World, statements: Value) -> Principal {
    let name = json!({"UserName": "ada"});
    if world.call("iam:GetUser", name.clone()).await.is_err() {
        world.call("iam:CreateUser", name.clone()).await.expect("a user");
    }
    let policy = json!({"Version": "2012-10-17", "Statement": statements}).to_string();
    let policy = with(name.clone(), json!({"PolicyName": "p", "PolicyDocument": policy}));
    world.call("iam:PutUserPolicy", policy).await.expect("a policy");
    let user = world.call("iam:GetUser", name).await.expect("the user");
    let text = |member: &str| user["User"][member].as_str().expect("a text").to_owned();
    Principal {
        kind: fogbank_core::PrincipalKind::User { name: "ada".to_owned() },
        arn: text("Arn"),
        id: text("UserId"),
        ..Principal::root(ACCOUNT)
    }
}

#[tokio::test]
async fn each_operation_and_a_copy_that_carries_annotations_must_be_allowed() {
    let world = World::new(WITH_KMS);
    world.call("s3:CreateBucket", json!({"Bucket": "photos"})).await.expect("a bucket");
    put(&world, "a", "x".to_owned()).await;
    let allow = |action: &str| json!([{"Effect": "Allow", "Action": action, "Resource": "*"}]);
    let send_as = async |action: &str, operation: &str, more: Value| {
        let caller = ada(&world, allow(action)).await;
        let input = with(with(json!({"Bucket": "photos"}), of("a", "n")), more);
        let body = text_for(operation);
        world.send(caller, &format!("s3:{operation}"), input, body).await.map(drop)
    };
    for operation in ["PutObjectAnnotation", "GetObjectAnnotation", "DeleteObjectAnnotation"] {
        annotate(&world, of("a", "n"), "t".to_owned()).await.expect("put");
        let refusal = send_as("s3:GetObject", operation, json!({})).await;
        let refusal = refused(refusal);
        assert!(refusal.starts_with("AccessDenied: "), "{operation}: {refusal}");
        send_as(&format!("s3:{operation}"), operation, json!({})).await.expect("allowed");
    }
    let copy = |caller: Principal| {
        let input = json!({"Bucket": "photos", "Key": "b", "CopySource": "photos/a"});
        let world = &world;
        async move { world.call_as(caller, "s3:CopyObject", input).await }
    };
    let statements =
        |actions: Value| json!([{"Effect": "Allow", "Action": actions, "Resource": "*"}]);
    let caller = ada(&world, statements(json!(["s3:GetObject", "s3:PutObject"]))).await;
    copy(caller.clone()).await.expect("there is nothing to carry");
    annotate(&world, of("a", "n"), "t".to_owned()).await.expect("put");
    assert!(refused(copy(caller).await).contains("s3:GetObjectAnnotation"));
    let actions = json!(["s3:GetObject", "s3:PutObject", "s3:*Annotation"]);
    let caller = ada(&world, statements(actions)).await;
    copy(caller).await.expect("allowed");
    assert_eq!(text_of(&world, of("b", "n")).await, "t");
}

#[tokio::test]
async fn a_locked_version_keeps_its_annotations() {
    let world = World::new(super::SERVICES);
    let input = json!({"ObjectLockEnabledForBucket": true});
    call(&world, "CreateBucket", input).await.expect("made");
    for (key, mode) in [("g", "GOVERNANCE"), ("c", "COMPLIANCE")] {
        let until = json!({"Key": key, "ObjectLockMode": mode,
            "ObjectLockRetainUntilDate": NOW + 86_400});
        send(&world, "PutObject", until, "x".to_owned()).await.expect("written");
        annotate(&world, of(key, "n"), "t".to_owned()).await.expect("put");
        let removal = call(&world, "DeleteObjectAnnotation", of(key, "n")).await;
        assert!(refused(removal).starts_with("AccessDenied: "), "{mode}");
    }
    let bypass = |key: &str| with(of(key, "n"), json!({"BypassGovernanceRetention": true}));
    call(&world, "DeleteObjectAnnotation", bypass("g")).await.expect("passed over");
    let removal = call(&world, "DeleteObjectAnnotation", bypass("c")).await;
    assert!(refused(removal).starts_with("AccessDenied: "));
}

#[tokio::test]
async fn annotations_have_events() {
    let world = with_bucket().await;
    put(&world, "a", "x".to_owned()).await;
    let all = json!({"QueueConfigurations": [queue(&["s3:ObjectAnnotation:*"])]});
    configure(&world, all).await.expect("set");
    for (operation, event) in [("PutObjectAnnotation", "Put"), ("DeleteObjectAnnotation", "Delete")]
    {
        send(&world, operation, of("a", "n"), text_for(operation)).await.expect("done");
        let effects = effects(&world).await;
        let [effect] = &effects[..] else { panic!("one event") };
        let record = &message(effect)["Records"][0];
        assert_eq!(record["eventName"], format!("ObjectAnnotation:{event}"));
        assert_eq!(record["s3"]["object"]["key"], "a");
    }
    call(&world, "DeleteObjectAnnotation", of("a", "n")).await.expect("nothing to remove");
    assert!(effects(&world).await.is_empty());
}
