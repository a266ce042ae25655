//! UpdateObjectEncryption: which objects come under another key, what stays the same, and what is refused.

use fogbank_core::{Body, Principal, Service};
use fogbank_testkit::{ACCOUNT, Value, World, json};

use super::annotations::KEY_MD5;
use super::{allow_customer_keys, call, e_tag, get, noise, refused, send, with};
use crate::SERVICE;

static SERVICES: &[&Service] = &[&SERVICE, &fogbank_iam::SERVICE, &fogbank_kms::SERVICE];
const NOW: i64 = 1_767_225_600;
/// Where the store counts the blobs that rows name.
const BLOBS: u32 = 0x02;

async fn world() -> World {
    let world = World::new(SERVICES);
    world.call("s3:CreateBucket", json!({"Bucket": "photos"})).await.expect("a bucket");
    world
}

async fn key(world: &World) -> String {
    let made = world.call("kms:CreateKey", json!({})).await.expect("a key");
    made["KeyMetadata"]["Arn"].as_str().expect("an ARN").to_owned()
}

fn to(at: &str, key: &str) -> Value {
    json!({"Key": at, "ObjectEncryption": {"SSEKMS": {"KMSKeyArn": key}}})
}

async fn update(world: &World, input: Value) -> Result<Value, fogbank_core::Fault> {
    call(world, "UpdateObjectEncryption", input).await
}

/// What HeadObject tells, but for the encryption.
async fn rest(world: &World, at: &str) -> (Value, Value) {
    let mut told = call(world, "HeadObject", json!({"Key": at})).await.expect("an object");
    let members = told.as_object_mut().expect("members");
    let mut encryption = json!({});
    for name in ["ServerSideEncryption", "SSEKMSKeyId", "BucketKeyEnabled"] {
        if let Some(value) = members.remove(name) {
            encryption[name] = value;
        }
    }
    (told, encryption)
}

async fn annotation(world: &World, at: &str) -> String {
    let input = json!({"Bucket": "photos", "Key": at, "AnnotationName": "n"});
    let root = Principal::root(ACCOUNT);
    let reply = world.send(root, "s3:GetObjectAnnotation", input, Body::empty()).await;
    let bytes = reply.expect("an annotation").bytes(1 << 20).await.expect("a text");
    String::from_utf8(bytes.to_vec()).expect("a text")
}

async fn disable(world: &World, key: &str) {
    world.call("kms:DisableKey", json!({"KeyId": key})).await.expect("disabled");
}

#[tokio::test]
async fn an_object_comes_under_a_key_and_stays_the_same_in_all_else() {
    let world = world().await;
    let (first, second) = (key(&world).await, key(&world).await);
    for size in [0, 5, 300_000, 5_000_000] {
        let body = noise(size);
        let more = json!({"Key": "a", "Metadata": {"k": "v"}, "StorageClass": "GLACIER_IR"});
        send(&world, "PutObject", more, body.clone()).await.expect("written");
        let named = json!({"Key": "a", "AnnotationName": "n"});
        send(&world, "PutObjectAnnotation", named, "a text".to_owned()).await.expect("put");
        let (before, plain) = rest(&world, "a").await;
        assert_eq!(before["ETag"], e_tag(&body));
        assert_eq!(plain, json!({"ServerSideEncryption": "AES256"}));
        world.clock().advance(60_000);
        update(&world, to("a", &first)).await.expect("sealed");
        let (after, told) = rest(&world, "a").await;
        assert_eq!(after, before);
        assert_eq!(told, json!({"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": first}));
        world.cloud().blobs().sweep().expect("a sweep");
        assert!(get(&world, json!({"Key": "a"})).await.expect("read").1 == body, "{size}");
        let blobs = world.rows_under(BLOBS);
        let mut again = to("a", &second);
        again["ObjectEncryption"]["SSEKMS"]["BucketKeyEnabled"] = json!(true);
        update(&world, again).await.expect("under the other key");
        let (after, told) = rest(&world, "a").await;
        assert_eq!(after, before);
        assert_eq!(
            (&told["SSEKMSKeyId"], &told["BucketKeyEnabled"]),
            (&json!(second), &json!(true))
        );
        assert_eq!(world.rows_under(BLOBS), blobs, "no byte moves");
        assert!(get(&world, json!({"Key": "a"})).await.expect("read").1 == body, "{size}");
        assert_eq!(annotation(&world, "a").await, "a text");
    }
    disable(&world, &first).await;
    get(&world, json!({"Key": "a"})).await.expect("nothing needs the first key");
    assert_eq!(annotation(&world, "a").await, "a text");
    disable(&world, &second).await;
    world.clock().advance(600_000);
    let refusal = refused(get(&world, json!({"Key": "a"})).await);
    assert!(refusal.starts_with("KMS.DisabledException"), "{refusal}");
}

#[tokio::test]
async fn parts_and_older_versions_come_under_a_key_too() {
    let world = world().await;
    let key = key(&world).await;
    let enabled = json!({"VersioningConfiguration": {"Status": "Enabled"}});
    call(&world, "PutBucketVersioning", enabled).await.expect("set");
    let (first, last) = (noise(5 << 20), noise(70_000));
    let upload = call(&world, "CreateMultipartUpload", json!({"Key": "a"})).await.expect("begun");
    let mut parts = Vec::new();
    for (number, body) in [(1, first.clone()), (2, last.clone())] {
        let part = json!({"Key": "a", "UploadId": upload["UploadId"], "PartNumber": number});
        let told = send(&world, "UploadPart", part, body).await.expect("a part");
        parts.push(json!({"PartNumber": number, "ETag": told["ETag"]}));
    }
    let whole =
        json!({"Key": "a", "UploadId": upload["UploadId"], "MultipartUpload": {"Parts": parts}});
    let written = call(&world, "CompleteMultipartUpload", whole).await.expect("whole");
    send(&world, "PutObject", json!({"Key": "a"}), "new".to_owned()).await.expect("written");
    let of_version = |input: Value| with(input, json!({"VersionId": written["VersionId"]}));
    let head = of_version(json!({"Key": "a", "PartNumber": 2}));
    let before = call(&world, "HeadObject", head.clone()).await.expect("a part");
    update(&world, of_version(to("a", &key))).await.expect("sealed");
    world.round(&SERVICE, "s3.parts").await;
    world.cloud().blobs().sweep().expect("a sweep");
    let after = call(&world, "HeadObject", head).await.expect("a part");
    assert_eq!((&after["ETag"], &after["PartsCount"]), (&before["ETag"], &json!(2)));
    assert_eq!(after["SSEKMSKeyId"], key);
    let read = get(&world, of_version(json!({"Key": "a"}))).await.expect("read").1;
    assert!(read == [first, last.clone()].concat());
    let range = json!({"Key": "a", "Range": format!("bytes={}-", 5 << 20)});
    assert!(get(&world, of_version(range)).await.expect("read").1 == last);
    let now = call(&world, "HeadObject", json!({"Key": "a"})).await.expect("the current one");
    assert_eq!(now["ServerSideEncryption"], "AES256");
    world.reset(&SERVICE, None).await;
    world.round(&SERVICE, "s3.parts").await;
    assert!(world.rows(&SERVICE).is_empty());
    assert!(world.rows_under(BLOBS).is_empty());
}

#[tokio::test]
async fn what_aws_refuses_is_refused_in_its_words() {
    let world = World::new(SERVICES);
    let locked = json!({"ObjectLockEnabledForBucket": true});
    call(&world, "CreateBucket", locked).await.expect("a bucket");
    let key = key(&world).await;
    send(&world, "PutObject", json!({"Key": "a"}), "x".to_owned()).await.expect("written");
    allow_customer_keys(&world, "photos").await;
    let own = json!({"Key": "c", "SSECustomerAlgorithm": "AES256",
        "SSECustomerKey": "BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc="});
    let md5 = json!({"SSECustomerKeyMD5": KEY_MD5});
    send(&world, "PutObject", with(own, md5), "x".to_owned()).await.expect("written");
    let dual = json!({"Key": "d", "ServerSideEncryption": "aws:kms:dsse"});
    send(&world, "PutObject", dual, "x".to_owned()).await.expect("written");
    let until = json!({"Key": "l", "ObjectLockMode": "GOVERNANCE",
        "ObjectLockRetainUntilDate": NOW + 86_400});
    send(&world, "PutObject", until, "x".to_owned()).await.expect("written");
    let held = json!({"Key": "h", "ObjectLockLegalHoldStatus": "ON"});
    send(&world, "PutObject", held, "x".to_owned()).await.expect("written");
    let other = key.replace(ACCOUNT, "111111111111");
    for (input, beginning) in [
        (to("none", &key), "NoSuchKey: "),
        (
            to("a", "alias/x"),
            "InvalidRequest: Requests that modify an object's encryption type to SSE-KMS require a valid AWS KMS key",
        ),
        (to("a", &key.replace("key/", "alias/")), "InvalidRequest: Requests that modify"),
        (
            to("a", ""),
            "InvalidRequest: Requests that modify an object's encryption type to SSE-KMS require an AWS KMS key",
        ),
        (
            to("a", &other),
            "AccessDenied: The AWS KMS key in the request must be owned by the same account",
        ),
        (
            to("c", &key),
            "InvalidRequest: The UpdateObjectEncryption operation doesn't support source objects",
        ),
        (
            to("d", &key),
            "InvalidRequest: The UpdateObjectEncryption operation doesn't support source objects",
        ),
        (
            to("l", &key),
            "AccessDenied: The encryption type for the specified object can't be updated",
        ),
        (
            to("h", &key),
            "AccessDenied: The encryption type for the specified object can't be updated",
        ),
        (to("a", &format!("{}0", &key[..key.len() - 1])), "KMS.NotFoundException"),
    ] {
        let refusal = refused(update(&world, input).await);
        assert!(refusal.starts_with(beginning), "{refusal}");
    }
    world.clock().advance(86_400_001);
    update(&world, to("l", &key)).await.expect("the lock is over");
    update(&world, to("a", &key)).await.expect("sealed");
}

#[tokio::test]
async fn the_caller_must_be_allowed_by_s3_and_kms() {
    let world = world().await;
    let (first, second) = (key(&world).await, key(&world).await);
    send(&world, "PutObject", json!({"Key": "a"}), "x".to_owned()).await.expect("written");
    let name = json!({"UserName": "ada"});
    world.call("iam:CreateUser", name.clone()).await.expect("a user");
    let user = world.call("iam:GetUser", name.clone()).await.expect("the user");
    let text = |member: &str| user["User"][member].as_str().expect("a text").to_owned();
    let ada = Principal {
        kind: fogbank_core::PrincipalKind::User { name: "ada".to_owned() },
        arn: text("Arn"),
        id: text("UserId"),
        ..Principal::root(ACCOUNT)
    };
    let attempt = async |actions: &[&str], key: &str| {
        let statement = json!([{"Effect": "Allow", "Action": actions, "Resource": "*"}]);
        let policy = json!({"Version": "2012-10-17", "Statement": statement}).to_string();
        let policy = with(name.clone(), json!({"PolicyName": "p", "PolicyDocument": policy}));
        world.call("iam:PutUserPolicy", policy).await.expect("a policy");
        let input = with(json!({"Bucket": "photos"}), to("a", key));
        world.call_as(ada.clone(), "s3:UpdateObjectEncryption", input).await
    };
    let s3 = "s3:UpdateObjectEncryption";
    assert!(refused(attempt(&["s3:PutObject", "kms:*"], &first).await).contains(s3));
    assert!(refused(attempt(&[s3], &first).await).contains("kms:GenerateDataKey"));
    attempt(&[s3, "kms:GenerateDataKey"], &first).await.expect("sealed");
    assert!(
        refused(attempt(&[s3, "kms:GenerateDataKey"], &second).await).contains("kms:ReEncrypt")
    );
    attempt(&[s3, "kms:ReEncrypt*"], &second).await.expect("sealed anew");
}
