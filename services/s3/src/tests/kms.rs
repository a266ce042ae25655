//! Encryption with keys of KMS: what lies in the store, who may read it, and what is told of it.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use fogbank_core::{Body, Fault, Principal, Service};
use fogbank_testkit::{ACCOUNT, Value, World, json};

use super::{call, e_tag, get, noise, refused, send, with};

static SERVICES: &[&Service] = &[&crate::SERVICE, &fogbank_iam::SERVICE, &fogbank_kms::SERVICE];

async fn world() -> World {
    let world = World::new(SERVICES);
    world.call("s3:CreateBucket", json!({"Bucket": "photos"})).await.expect("a bucket");
    world
}

async fn key(world: &World) -> String {
    let made = world.call("kms:CreateKey", json!({})).await.expect("a key");
    made["KeyMetadata"]["Arn"].as_str().expect("an ARN").to_owned()
}

/// The members that ask for a key.
fn by(key: &str) -> Value {
    json!({"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": key})
}

async fn encrypt_by_default(world: &World, algorithm: &str, key: Option<&str>, bucket_key: bool) {
    let mut default = json!({"SSEAlgorithm": algorithm});
    if let Some(key) = key {
        default["KMSMasterKeyID"] = json!(key);
    }
    let rule =
        json!({"ApplyServerSideEncryptionByDefault": default, "BucketKeyEnabled": bucket_key});
    let rules = json!({"ServerSideEncryptionConfiguration": {"Rules": [rule]}});
    call(world, "PutBucketEncryption", rules).await.expect("set");
}

/// A user whose only policy has these statements.
async fn user(world: &World, statements: Value) -> Principal {
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

async fn read_as(world: &World, caller: &Principal, key: &str) -> Result<Vec<u8>, Fault> {
    let input = json!({"Bucket": "photos", "Key": key});
    let reply = world.send(caller.clone(), "s3:GetObject", input, Body::empty()).await?;
    Ok(reply.bytes(64 << 20).await?.to_vec())
}

#[tokio::test]
async fn what_is_stored_is_not_what_was_sent() {
    let world = world().await;
    let key = key(&world).await;
    for method in ["aws:kms", "aws:kms:dsse"] {
        for size in [0, 5, 16 << 10, 300_000, 5_000_000] {
            let body = noise(size);
            let input = json!({"Key": "a", "ServerSideEncryption": method, "SSEKMSKeyId": key});
            let told = send(&world, "PutObject", input, body.clone()).await.expect("written");
            assert_eq!(
                (&told["ServerSideEncryption"], &told["SSEKMSKeyId"]),
                (&json!(method), &json!(key))
            );
            assert_ne!(told["ETag"], e_tag(&body));
            let (told, read) = get(&world, json!({"Key": "a"})).await.expect("read");
            assert!(read == body, "{method} {size}");
            assert_eq!(told["ServerSideEncryption"], method);
            let head = call(&world, "HeadObject", json!({"Key": "a"})).await.expect("a head");
            assert_eq!((&head["SSEKMSKeyId"], &head["ETag"]), (&json!(key), &told["ETag"]));
            if size == 5 {
                let rows = world.rows(&crate::SERVICE);
                assert!(!rows.values().any(|row| row.windows(5).any(|part| part == &body[..])));
            }
            if size > 5 {
                let part = json!({"Key": "a", "Range": "bytes=1001-4007"});
                assert!(get(&world, part).await.expect("a range").1 == body[1001..4008]);
            }
        }
    }
}

#[tokio::test]
async fn without_a_key_it_is_that_of_s3() {
    let world = world().await;
    let input = json!({"Key": "a", "ServerSideEncryption": "aws:kms"});
    let told = send(&world, "PutObject", input, "hello".to_owned()).await.expect("written");
    let known =
        world.call("kms:DescribeKey", json!({"KeyId": "alias/aws/s3"})).await.expect("a key");
    assert_eq!(told["SSEKMSKeyId"], known["KeyMetadata"]["Arn"]);
    assert_eq!(get(&world, json!({"Key": "a"})).await.expect("read").1, "hello");
}

#[tokio::test]
async fn the_bucket_decides_where_the_request_does_not() {
    let world = world().await;
    let (key, other) = (key(&world).await, key(&world).await);
    encrypt_by_default(&world, "aws:kms", Some(&key), true).await;
    let put = |more: Value| {
        send(&world, "PutObject", with(json!({"Key": "a"}), more), "hello".to_owned())
    };
    let told = put(json!({})).await.expect("written");
    assert_eq!((&told["SSEKMSKeyId"], &told["BucketKeyEnabled"]), (&json!(key), &json!(true)));
    let told = put(json!({"BucketKeyEnabled": false})).await.expect("written");
    assert_eq!(told["BucketKeyEnabled"], Value::Null);
    let told = put(by(&other)).await.expect("written");
    assert_eq!((&told["SSEKMSKeyId"], &told["BucketKeyEnabled"]), (&json!(other), &json!(true)));
    let told = put(json!({"ServerSideEncryption": "AES256"})).await.expect("written");
    assert_eq!(
        (&told["ServerSideEncryption"], &told["SSEKMSKeyId"]),
        (&json!("AES256"), &Value::Null)
    );
    assert_eq!(told["ETag"], e_tag(b"hello"));
    // A copy takes the bucket's, not its source's.
    let copy = json!({"Key": "b", "CopySource": "photos/a"});
    let told = call(&world, "CopyObject", copy).await.expect("copied");
    assert_eq!(told["SSEKMSKeyId"], json!(key));
    assert_eq!(get(&world, json!({"Key": "b"})).await.expect("read").1, "hello");
    encrypt_by_default(&world, "aws:kms:dsse", None, true).await;
    let told = put(json!({})).await.expect("written");
    assert_eq!(told["ServerSideEncryption"], "aws:kms:dsse");
    assert_eq!(told["BucketKeyEnabled"], Value::Null);
    assert_eq!(get(&world, json!({"Key": "a"})).await.expect("read").1, "hello");
}

#[tokio::test]
async fn parts_have_the_key_of_their_upload() {
    let world = world().await;
    let (key, other) = (key(&world).await, key(&world).await);
    let begun = with(json!({"Key": "a"}), by(&key));
    let begun = call(&world, "CreateMultipartUpload", begun).await.expect("begun");
    assert_eq!(begun["SSEKMSKeyId"], json!(key));
    let body = noise((5 << 20) + 100_003);
    send(&world, "PutObject", with(json!({"Key": "s"}), by(&other)), body[5 << 20..].to_vec())
        .await
        .expect("a source");
    let place = json!({"Key": "a", "UploadId": begun["UploadId"]});
    let first = with(place.clone(), json!({"PartNumber": 1}));
    let first = send(&world, "UploadPart", first, body[..5 << 20].to_vec()).await.expect("a part");
    assert_eq!(first["SSEKMSKeyId"], json!(key));
    let second = with(place.clone(), json!({"PartNumber": 2, "CopySource": "photos/s"}));
    let second = call(&world, "UploadPartCopy", second).await.expect("a part");
    let parts = json!([
        {"PartNumber": 1, "ETag": first["ETag"]},
        {"PartNumber": 2, "ETag": second["CopyPartResult"]["ETag"]},
    ]);
    let done = with(place, json!({"MultipartUpload": {"Parts": parts}}));
    let told = call(&world, "CompleteMultipartUpload", done).await.expect("completed");
    assert_eq!(
        (&told["ServerSideEncryption"], &told["SSEKMSKeyId"]),
        (&json!("aws:kms"), &json!(key))
    );
    assert!(get(&world, json!({"Key": "a"})).await.expect("read").1 == body);
    let range = json!({"Key": "a", "Range": "bytes=5242870-5242890"});
    assert!(get(&world, range).await.expect("a range").1 == body[5_242_870..=5_242_890]);
    let plain = json!({"Key": "b", "CopySource": "photos/a", "ServerSideEncryption": "AES256"});
    let told = call(&world, "CopyObject", plain).await.expect("copied");
    assert_eq!(told["CopyObjectResult"]["ETag"], e_tag(&body));
    assert!(get(&world, json!({"Key": "b"})).await.expect("read").1 == body);
}

#[tokio::test]
async fn a_caller_needs_the_key_too() {
    let world = world().await;
    let key = key(&world).await;
    let input = with(json!({"Key": "a"}), by(&key));
    send(&world, "PutObject", input.clone(), "hello".to_owned()).await.expect("written");
    let allow = |actions: Value| json!({"Effect": "Allow", "Action": actions, "Resource": "*"});
    let ada = user(&world, allow(json!("s3:*"))).await;
    let message = read_as(&world, &ada, "a").await.expect_err("refused").to_string();
    assert_eq!(
        message,
        format!(
            "AccessDenied: User: {} is not authorized to perform: kms:Decrypt on resource: {key} because no identity-based policy allows the kms:Decrypt action",
            ada.arn
        )
    );
    let put = with(json!({"Bucket": "photos"}), input);
    let write = || world.send(ada.clone(), "s3:PutObject", put.clone(), "x".to_owned().into());
    let message = write().await.expect_err("refused").to_string();
    assert!(message.contains("kms:GenerateDataKey on resource"), "{message}");
    for (place, service, is_allowed) in [
        ("arn:aws:s3:::photos/a", "s3", true),
        ("arn:aws:s3:::photos/b", "s3", false),
        ("arn:aws:s3:::photos/a", "sqs", false),
    ] {
        let mut use_key = allow(json!(["kms:Decrypt", "kms:GenerateDataKey"]));
        use_key["Condition"] = json!({"StringEquals": {
            "kms:ViaService": format!("{service}.us-east-1.amazonaws.com"),
            "kms:EncryptionContext:aws:s3:arn": place,
        }});
        user(&world, json!([allow(json!("s3:*")), use_key])).await;
        assert_eq!(write().await.is_ok(), is_allowed, "{place} {service}");
        assert_eq!(read_as(&world, &ada, "a").await.is_ok(), is_allowed, "{place} {service}");
    }
}

#[tokio::test]
async fn a_bucket_key_is_of_the_bucket_and_asked_for_once_in_a_while() {
    let world = world().await;
    let key = key(&world).await;
    let context = STANDARD.encode(r#"{"team": "x"}"#);
    let more = json!({"BucketKeyEnabled": true, "SSEKMSEncryptionContext": context});
    let input = |name: &str| with(with(json!({"Key": name}), by(&key)), more.clone());
    let allow = |actions: Value| json!({"Effect": "Allow", "Action": actions, "Resource": "*"});
    let mut use_key = allow(json!("kms:*"));
    use_key["Condition"] = json!({"StringEquals": {
        "kms:EncryptionContext:aws:s3:arn": "arn:aws:s3:::photos",
        "kms:EncryptionContext:team": "x",
    }});
    let ada = user(&world, json!([allow(json!("s3:*")), use_key])).await;
    for name in ["a", "b"] {
        let input = with(json!({"Bucket": "photos"}), input(name));
        let body = "hello".to_owned();
        let told = world.send(ada.clone(), "s3:PutObject", input, body.into()).await;
        let told = told.expect("written").output;
        assert_eq!(told["BucketKeyEnabled"], true);
        let context = STANDARD.decode(told["SSEKMSEncryptionContext"].as_str().expect("a text"));
        assert_eq!(context.expect("base64"), br#"{"team":"x"}"#);
    }
    assert_eq!(read_as(&world, &ada, "a").await.expect("read"), b"hello");
    // What was asked a moment ago is not asked again, and later it is.
    world.call("kms:DisableKey", json!({"KeyId": key})).await.expect("disabled");
    assert_eq!(read_as(&world, &ada, "b").await.expect("read"), b"hello");
    world.clock().advance(301_000);
    let outcome = read_as(&world, &ada, "b").await;
    assert_eq!(refused(outcome), format!("KMS.DisabledException: {key} is disabled."));
}

#[tokio::test]
async fn keys_that_cannot_be_used_are_named() {
    let world = world().await;
    let key = key(&world).await;
    let put =
        |id: &str| send(&world, "PutObject", with(json!({"Key": "a"}), by(id)), "x".to_owned());
    put(&key).await.expect("written");
    assert_eq!(refused(put("nonsense").await), "KMS.NotFoundException: Invalid keyId 'nonsense'");
    let elsewhere = key.replace("us-east-1", "us-west-2");
    assert_eq!(refused(put(&elsewhere).await), "KMS.NotFoundException: Invalid arn us-west-2");
    let none = "00000000-0000-0000-0000-000000000000";
    let arn = format!("arn:aws:kms:us-east-1:{ACCOUNT}:key/{none}");
    let expected = format!("KMS.NotFoundException: Key '{arn}' does not exist");
    assert_eq!(refused(put(none).await), expected);
    world.call("kms:ScheduleKeyDeletion", json!({"KeyId": key})).await.expect("scheduled");
    let pending = format!("KMS.KMSInvalidStateException: {key} is pending deletion.");
    assert_eq!(refused(put(&key).await), pending);
    assert_eq!(refused(get(&world, json!({"Key": "a"})).await), pending);
    let outcome = call(&world, "CreateMultipartUpload", with(json!({"Key": "a"}), by(&key))).await;
    assert_eq!(refused(outcome), pending);
    // Who says who he is not cannot be known to KMS.
    let input = json!({"Bucket": "photos", "Key": "a"});
    let policy = json!({
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Principal": "*", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::photos/*"}],
    });
    call(&world, "DeletePublicAccessBlock", json!({})).await.expect("lifted");
    call(&world, "PutBucketPolicy", json!({"Policy": policy.to_string()})).await.expect("set");
    let outcome = world.send(Principal::anonymous(), "s3:GetObject", input, Body::empty()).await;
    assert!(refused(outcome).starts_with("InvalidArgument: Requests specifying Server Side Encryption with AWS KMS managed keys require AWS Signature Version 4."));
}

#[tokio::test]
async fn headers_that_contradict_each_other_are_refused() {
    let world = world().await;
    let put =
        |more: Value| send(&world, "PutObject", with(json!({"Key": "a"}), more), "x".to_owned());
    let needs = "InvalidArgument: Server Side Encryption with AWS KMS managed key requires HTTP header x-amz-server-side-encryption : aws:kms ArgumentName=x-amz-server-side-encryption ArgumentValue=";
    assert_eq!(refused(put(json!({"SSEKMSKeyId": "k"})).await), format!("{needs}null"));
    let s3 = json!({"ServerSideEncryption": "AES256", "SSEKMSKeyId": "k"});
    assert_eq!(refused(put(s3).await), format!("{needs}AES256"));
    let both = json!({"ServerSideEncryption": "aws:kms", "SSECustomerAlgorithm": "AES256"});
    assert!(refused(put(both).await).contains("is incompatible with the encryption method"));
    for context in ["!", "W10=", "eyJhIjogMX0="] {
        let input = with(by("k"), json!({"SSEKMSEncryptionContext": context}));
        assert!(refused(put(input).await).contains("represents a string-string map"));
    }
}

#[tokio::test]
async fn checksums_and_completions_need_the_key_too() {
    let world = world().await;
    let key = key(&world).await;
    let part = noise(5);
    let begun = call(&world, "CreateMultipartUpload", with(json!({"Key": "a"}), by(&key))).await;
    let upload = json!({"Key": "a", "UploadId": begun.expect("begun")["UploadId"]});
    let sent = send(&world, "UploadPart", with(upload.clone(), json!({"PartNumber": 1})), part);
    let tag = sent.await.expect("a part")["ETag"].clone();
    let parts = json!({"MultipartUpload": {"Parts": [{"PartNumber": 1, "ETag": tag}]}});
    let complete = with(upload, parts);
    let head = json!({"Key": "a", "ChecksumMode": "ENABLED"});
    let attributes = |names: Value| json!({"Key": "a", "ObjectAttributes": names});
    let statements = json!([{"Effect": "Allow", "Action": "s3:*", "Resource": "*"}]);
    let ada = user(&world, statements).await;
    let as_ada = async |operation: &str, input: &Value| {
        let input = with(input.clone(), json!({"Bucket": "photos"}));
        world.call_as(ada.clone(), &format!("s3:{operation}"), input).await
    };
    let needed = [
        ("CompleteMultipartUpload", complete),
        ("HeadObject", head),
        ("GetObjectAttributes", attributes(json!(["Checksum"]))),
    ];
    for (operation, input) in &needed {
        let outcome = refused(as_ada(operation, input).await);
        assert!(outcome.starts_with("AccessDenied: "), "{operation} {outcome}");
        assert!(outcome.contains("kms:Decrypt"), "{operation} {outcome}");
        world.call("kms:DisableKey", json!({"KeyId": key})).await.expect("it is off");
        let outcome = refused(call(&world, operation, input.clone()).await);
        assert!(outcome.starts_with("KMS.DisabledException: "), "{operation} {outcome}");
        world.call("kms:EnableKey", json!({"KeyId": key})).await.expect("it is on");
        call(&world, operation, input.clone()).await.expect("an answer");
    }
    as_ada("HeadObject", &json!({"Key": "a"})).await.expect("without checksums");
    as_ada("GetObjectAttributes", &attributes(json!(["ETag"]))).await.expect("without checksums");
}

#[tokio::test]
async fn a_directory_bucket_has_its_own_arn_in_the_context() {
    let world = world().await;
    let key = key(&world).await;
    let name = "logs--use1-az4--x-s3";
    let configuration = json!({
        "Location": {"Type": "AvailabilityZone", "Name": "use1-az4"},
        "Bucket": {"Type": "Directory"},
    });
    let input = json!({"Bucket": name, "CreateBucketConfiguration": configuration});
    world.call("s3:CreateBucket", input).await.expect("a bucket");
    let default = json!({"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": key});
    let rules = json!([{"ApplyServerSideEncryptionByDefault": default}]);
    let input = json!({"Bucket": name, "ServerSideEncryptionConfiguration": {"Rules": rules}});
    world.call("s3:PutBucketEncryption", input).await.expect("set");
    let place = format!("arn:aws:s3express:us-east-1:{ACCOUNT}:bucket/{name}");
    for (context, is_allowed) in [(place, true), (format!("arn:aws:s3:::{name}"), false)] {
        let use_key = json!({
            "Effect": "Allow", "Action": "kms:*", "Resource": "*",
            "Condition": {"StringEquals": {"kms:EncryptionContext:aws:s3:arn": context}},
        });
        let reach = json!({"Effect": "Allow", "Action": "s3express:*", "Resource": "*"});
        let ada = user(&world, json!([reach, use_key])).await;
        // A data key of the bucket is not used for ever.
        world.clock().advance(301_000);
        let input = json!({"Bucket": name, "Key": "k"});
        let body = "hello".to_owned();
        let written = world.send(ada.clone(), "s3:PutObject", input.clone(), body.into()).await;
        assert_eq!(written.is_ok(), is_allowed, "{context}");
        let read = world.send(ada, "s3:GetObject", input, Body::empty()).await;
        assert_eq!(read.is_ok(), is_allowed, "{context}");
        if let Ok(written) = written {
            assert_eq!(written.output["SSEKMSEncryptionContext"], Value::Null);
        }
    }
}
