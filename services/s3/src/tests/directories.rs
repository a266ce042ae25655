//! Directory buckets: who may reach them, appends, renamings, and what they lack.

use fogbank_core::{Fault, Principal};
use fogbank_testkit::{ACCOUNT, Value, World, expect, json};

use super::{SERVICES, e_tag, noise, refused, with};

const NAME: &str = "logs--use1-az4--x-s3";

async fn with_directory() -> World {
    let world = World::new(SERVICES);
    create(&world, NAME, json!({"Type": "AvailabilityZone", "Name": "use1-az4"}))
        .await
        .expect("a bucket");
    world
}

async fn create(world: &World, name: &str, location: Value) -> Result<Value, Fault> {
    let configuration = json!({"Location": location, "Bucket": {"Type": "Directory"}});
    let input = json!({"Bucket": name, "CreateBucketConfiguration": configuration});
    world.call("s3:CreateBucket", input).await
}

async fn call(world: &World, operation: &str, more: Value) -> Result<Value, Fault> {
    world.call(&format!("s3:{operation}"), with(json!({"Bucket": NAME}), more)).await
}

async fn put(world: &World, more: Value, body: Vec<u8>) -> Result<Value, Fault> {
    let input = with(json!({"Bucket": NAME}), more);
    let root = Principal::root(ACCOUNT);
    Ok(world.send(root, "s3:PutObject", input, body.into()).await?.output)
}

async fn append(world: &World, offset: usize, body: &[u8]) -> Result<Value, Fault> {
    put(world, json!({"Key": "log", "WriteOffsetBytes": offset}), body.to_vec()).await
}

async fn body(world: &World, key: &str, more: Value) -> Vec<u8> {
    let input = with(json!({"Bucket": NAME, "Key": key}), more);
    let root = Principal::root(ACCOUNT);
    let reply = world.send(root, "s3:GetObject", input, Vec::new().into()).await.expect("found");
    reply.bytes(64 << 20).await.expect("a body").to_vec()
}

#[tokio::test]
async fn buckets_tell_their_zone() {
    let world = with_directory().await;
    let local = json!({"Type": "LocalZone", "Name": "use1-dfw2-az1"});
    create(&world, "a--use1-dfw2-az1--x-s3", local).await.expect("a bucket");
    world
        .check(
            "s3:HeadBucket",
            json!({"Bucket": "a--use1-dfw2-az1--x-s3"}),
            expect![[r#"
                {
                  "AccessPointAlias": false,
                  "BucketArn": "arn:aws:s3express:us-east-1:000000000000:bucket/a--use1-dfw2-az1--x-s3",
                  "BucketLocationName": "use1-dfw2-az1",
                  "BucketLocationType": "LocalZone",
                  "BucketRegion": "us-east-1"
                }"#]],
        )
        .await;
    let listed = world.call("s3:ListDirectoryBuckets", json!({})).await.expect("a list");
    let names: Vec<_> = listed["Buckets"].as_array().expect("buckets").iter().collect();
    assert_eq!(names.len(), 2);
    assert_eq!(names[1]["Name"], NAME);
    let general = world.call("s3:ListBuckets", json!({})).await.expect("a list");
    assert_eq!(general["Buckets"], json!([]));
    world.reset(&crate::SERVICE, Some(ACCOUNT)).await;
    assert!(world.rows(&crate::SERVICE).is_empty());
}

#[tokio::test]
async fn appends_grow_one_object() {
    let world = with_directory().await;
    let wrong = "InvalidWriteOffset: The write offset value that you specified does not match the current object size.";
    assert_eq!(refused(append(&world, 1, b"x").await), wrong);
    let mut content = Vec::new();
    for len in [3, 0x5000, 1, 0x4000, 70_000] {
        let more = noise(len);
        let output = append(&world, content.len(), &more).await.expect("appended");
        content.extend(more);
        assert_ne!(output["ETag"], json!(e_tag(&content)));
    }
    assert_eq!(body(&world, "log", json!({})).await, content);
    let range = json!({"Range": "bytes=2-90000"});
    assert_eq!(body(&world, "log", range).await, content[2..90_001]);
    assert_eq!(refused(append(&world, 3, b"x").await), wrong);
    let seen = json!({"Key": "log", "ChecksumMode": "ENABLED"});
    let head = call(&world, "HeadObject", seen).await.expect("an object");
    let crc = crate::checksums::Checksum::full(
        crate::checksums::Algorithm::Crc64Nvme,
        crate::checksums::Algorithm::Crc64Nvme.of(&content),
    );
    assert_eq!(head["ChecksumCRC64NVME"], json!(crc.text(0)));
    let asked = json!({"Key": "log", "ObjectAttributes": ["ObjectParts"], "MaxParts": 2});
    let page = with(asked, json!({"PartNumberMarker": 3}));
    let told = call(&world, "GetObjectAttributes", page).await.expect("attributes");
    let parts = &told["ObjectParts"];
    assert_eq!((&parts["TotalPartsCount"], &parts["IsTruncated"]), (&json!(5), &json!(false)));
    assert_eq!(
        parts["Parts"],
        json!([{"PartNumber": 4, "Size": 0x4000}, {"PartNumber": 5, "Size": 70_000}])
    );
    // An object in parts that is replaced or removed leaves nothing behind.
    put(&world, json!({"Key": "log"}), b"new".to_vec()).await.expect("written");
    append(&world, 3, b"er").await.expect("appended");
    assert_eq!(body(&world, "log", json!({})).await, b"newer");
    call(&world, "DeleteObject", json!({"Key": "log"})).await.expect("removed");
    let rows = world.rows(&crate::SERVICE);
    assert!(rows.keys().all(|row| !row.starts_with("s3.parts")), "{rows:?}");
}

#[tokio::test]
async fn an_object_has_ten_thousand_parts() {
    let world = with_directory().await;
    for at in 0..10_000 {
        append(&world, at, b"x").await.expect("appended");
    }
    let outcome = append(&world, 10_000, b"x").await;
    assert!(refused(outcome).starts_with("TooManyParts: "));
    let copy = json!({"Key": "copy", "CopySource": format!("{NAME}/log")});
    call(&world, "CopyObject", copy).await.expect("copied");
    let more = json!({"Key": "copy", "WriteOffsetBytes": 10_000});
    put(&world, more, b"y".to_vec()).await.expect("appended");
    assert_eq!(body(&world, "copy", json!({"Range": "bytes=-2"})).await, b"xy");
}

#[tokio::test]
async fn a_renaming_happens_once_for_a_token() {
    let world = with_directory().await;
    put(&world, json!({"Key": "a"}), b"one".to_vec()).await.expect("written");
    let rename = json!({"Key": "b", "RenameSource": "a", "ClientToken": "t-1"});
    call(&world, "RenameObject", rename.clone()).await.expect("renamed");
    put(&world, json!({"Key": "a"}), b"two".to_vec()).await.expect("written");
    call(&world, "RenameObject", rename.clone()).await.expect("nothing happens");
    assert_eq!(body(&world, "b", json!({})).await, b"one");
    let other = with(rename.clone(), json!({"Key": "c"}));
    let outcome = refused(call(&world, "RenameObject", other).await);
    assert!(outcome.starts_with("IdempotencyParameterMismatch: "), "{outcome}");
    world.clock().advance(25 * 3_600_000);
    world.round(&crate::SERVICE, "s3.renames").await;
    let rows = world.rows(&crate::SERVICE);
    assert!(rows.keys().all(|row| !row.starts_with("s3.rename")), "{rows:?}");
    call(&world, "RenameObject", rename).await.expect("renamed again");
    assert_eq!(body(&world, "b", json!({})).await, b"two");
}

#[tokio::test]
async fn what_is_not_there_is_said() {
    let world = with_directory().await;
    put(&world, json!({"Key": "k"}), b"x".to_vec()).await.expect("written");
    let outcome = |operation: &'static str, more: Value| {
        let world = &world;
        async move { refused(call(world, operation, more).await) }
    };
    let missing = "A header you provided implies functionality that is not implemented";
    assert_eq!(
        outcome("GetObjectTagging", json!({"Key": "k"})).await,
        format!("NotImplemented: {missing}")
    );
    let versions = json!({"VersioningConfiguration": {"Status": "Enabled"}});
    assert_eq!(
        outcome("PutBucketVersioning", versions).await,
        "InvalidArgument: VersioningConfiguration is not valid, expected CreateBucketConfiguration"
    );
    assert_eq!(
        outcome("ListObjectsV2", json!({"Prefix": "a"})).await,
        "InvalidRequest: This bucket does not support a prefix that does not end in a delimiter. Specify a prefix path ending with a delimiter and try again."
    );
    assert!(outcome("GetBucketCors", json!({})).await.starts_with("MethodNotAllowed: "));
    let general = json!({"Bucket": "photos"});
    world.call("s3:CreateBucket", general.clone()).await.expect("a bucket");
    let session = refused(world.call("s3:CreateSession", general).await);
    assert!(session.starts_with("MethodNotAllowed: "), "{session}");
}

#[tokio::test]
async fn strangers_reach_nothing() {
    let world = with_directory().await;
    put(&world, json!({"Key": "k"}), b"x".to_vec()).await.expect("written");
    let before = world.rows(&crate::SERVICE);
    for caller in [Principal::root("111111111111"), Principal::anonymous()] {
        for (operation, more) in [
            ("CreateSession", json!({})),
            ("GetObject", json!({"Key": "k"})),
            ("PutObject", json!({"Key": "k"})),
            ("RenameObject", json!({"Key": "n", "RenameSource": "k"})),
            ("DeleteBucket", json!({})),
            ("GetBucketPolicy", json!({})),
        ] {
            let input = with(json!({"Bucket": NAME}), more);
            let outcome = world.call_as(caller.clone(), &format!("s3:{operation}"), input).await;
            let outcome = refused(outcome);
            assert!(outcome.starts_with("AccessDenied: "), "{operation}: {outcome}");
        }
        let own = json!({"Key": "k", "Bucket": "other--use1-az4--x-s3"});
        let outcome = refused(world.call_as(caller, "s3:GetObject", own).await);
        assert!(outcome.starts_with("NoSuchBucket: "), "{outcome}");
    }
    assert_eq!(world.rows(&crate::SERVICE), before);
}

#[tokio::test]
async fn listings_show_where_uploads_go() {
    let world = with_directory().await;
    for key in ["a/1", "c/1", "d", "m/x/1"] {
        put(&world, json!({"Key": key}), b"x".to_vec()).await.expect("written");
    }
    for key in ["b/1", "b/2", "c/2", "e", "m/y/1", "z/1"] {
        call(&world, "CreateMultipartUpload", json!({"Key": key})).await.expect("begun");
    }
    let list = |more: Value| {
        let world = &world;
        async move {
            let page = call(world, "ListObjectsV2", with(json!({"Delimiter": "/"}), more)).await;
            let page = page.expect("a page");
            let names = |list: &str, name: &str| -> Vec<String> {
                let entries = page[list].as_array().cloned().unwrap_or_default();
                entries.iter().filter_map(|entry| Some(entry[name].as_str()?.to_owned())).collect()
            };
            let mut all = names("Contents", "Key");
            all.extend(names("CommonPrefixes", "Prefix"));
            all.sort();
            (all, page["NextContinuationToken"].clone())
        }
    };
    let whole = ["a/", "b/", "c/", "d", "m/", "z/"];
    assert_eq!(list(json!({})).await, (whole.map(str::to_owned).to_vec(), Value::Null));
    let within = list(json!({"Prefix": "m/"})).await.0;
    assert_eq!(within, ["m/x/", "m/y/"]);
    for size in 1..=6 {
        let (mut seen, mut token) = (Vec::new(), Value::Null);
        loop {
            let mut more = json!({"MaxKeys": size});
            if !token.is_null() {
                more["ContinuationToken"] = token;
            }
            let (page, next) = list(more).await;
            assert!(page.len() <= size, "{page:?}");
            seen.extend(page);
            token = next;
            if token.is_null() {
                break;
            }
        }
        assert_eq!(seen, whole, "pages of {size}");
    }
}

#[tokio::test]
async fn lifecycles_expire_objects() {
    let world = with_directory().await;
    for key in ["logs/1", "kept"] {
        put(&world, json!({"Key": key}), b"x".to_vec()).await.expect("written");
    }
    let rule = json!({
        "Status": "Enabled",
        "Filter": {"Prefix": "logs/"},
        "Expiration": {"Days": 1},
        "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 1},
    });
    let rules = json!({"LifecycleConfiguration": {"Rules": [rule]}});
    call(&world, "PutBucketLifecycleConfiguration", rules).await.expect("set");
    call(&world, "CreateMultipartUpload", json!({"Key": "logs/2"})).await.expect("begun");
    world.clock().advance(3 * 86_400_000);
    world.round(&crate::SERVICE, "s3.lifecycle").await;
    let page = call(&world, "ListObjectsV2", json!({})).await.expect("a page");
    assert_eq!(page["KeyCount"], 1);
    assert_eq!(page["Contents"][0]["Key"], "kept");
    let uploads = call(&world, "ListMultipartUploads", json!({})).await.expect("a page");
    assert_eq!(uploads["Uploads"], json!([]));
}

#[tokio::test]
async fn a_bucket_has_one_key_of_kms() {
    let world = with_directory().await;
    let set = |default: Value| {
        let rules = json!([{"ApplyServerSideEncryptionByDefault": default}]);
        let more = json!({"ServerSideEncryptionConfiguration": {"Rules": rules}});
        let world = &world;
        async move { call(world, "PutBucketEncryption", more).await }
    };
    let key = |id: &str| json!({"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": id});
    for bad in [
        json!({"SSEAlgorithm": "aws:kms"}),
        json!({"SSEAlgorithm": "aws:kms:dsse", "KMSMasterKeyID": "k"}),
        key("alias/mine"),
    ] {
        assert!(refused(set(bad).await).starts_with("InvalidRequest: "));
    }
    set(key("one")).await.expect("set");
    set(key("one")).await.expect("set again");
    assert!(refused(set(key("two")).await).starts_with("InvalidRequest: "));
    let found = call(&world, "GetBucketEncryption", json!({})).await.expect("rules");
    let rule = &found["ServerSideEncryptionConfiguration"]["Rules"][0];
    assert_eq!(rule["BucketKeyEnabled"], true);
}

#[tokio::test]
async fn a_lifecycle_asks_the_buckets_policy() {
    let world = with_directory().await;
    let rule = json!({"Status": "Enabled", "Filter": {"Prefix": ""}, "Expiration": {"Days": 1}});
    let rules = json!({"LifecycleConfiguration": {"Rules": [rule]}});
    call(&world, "PutBucketLifecycleConfiguration", rules).await.expect("set");
    put(&world, json!({"Key": "k"}), b"x".to_vec()).await.expect("written");
    let set = |principal: Value| {
        let policy = json!({"Version": "2012-10-17", "Statement": [{
            "Effect": "Allow", "Principal": principal, "Action": "s3express:CreateSession",
            "Resource": "arn:aws:s3express:us-east-1:000000000000:bucket/logs--use1-az4--x-s3",
            "Condition": {"StringEquals": {"s3express:SessionMode": "ReadWrite"}},
        }]});
        let world = &world;
        async move { call(world, "PutBucketPolicy", json!({"Policy": policy.to_string()})).await }
    };
    set(json!({"AWS": ACCOUNT})).await.expect("a policy");
    for (principal, left) in
        [(json!({"AWS": ACCOUNT}), 1), (json!({"Service": "lifecycle.s3.amazonaws.com"}), 0)]
    {
        set(principal).await.expect("a policy");
        world.clock().advance(3 * 86_400_000);
        world.round(&crate::SERVICE, "s3.lifecycle").await;
        let page = call(&world, "ListObjectsV2", json!({})).await.expect("a page");
        assert_eq!(page["KeyCount"], left);
    }
}

#[tokio::test]
async fn an_account_has_a_hundred_in_a_region() {
    let world = World::new(SERVICES);
    let place = json!({"Type": "AvailabilityZone", "Name": "use1-az4"});
    for at in 0..100 {
        let name = format!("b{at}--use1-az4--x-s3");
        create(&world, &name, place.clone()).await.expect("a bucket");
    }
    let outcome = refused(create(&world, NAME, place.clone()).await);
    assert_eq!(outcome, "TooManyBuckets: You have attempted to create more buckets than allowed");
    world.call("s3:DeleteBucket", json!({"Bucket": "b7--use1-az4--x-s3"})).await.expect("removed");
    create(&world, NAME, place).await.expect("a bucket");
}

#[tokio::test]
async fn tags_decide_without_being_switched_on() {
    let world = World::new(SERVICES);
    let configuration = json!({
        "Location": {"Type": "AvailabilityZone", "Name": "use1-az4"},
        "Bucket": {"Type": "Directory"},
        "Tags": [{"Key": "team", "Value": "blue"}],
    });
    let input = json!({"Bucket": NAME, "CreateBucketConfiguration": configuration});
    world.call("s3:CreateBucket", input).await.expect("a bucket");
    put(&world, json!({"Key": "k"}), b"x".to_vec()).await.expect("written");
    let stranger = Principal::root("111111111111");
    for (key, team) in [("aws:ResourceTag/team", "red"), ("s3express:BucketTag/team", "blue")] {
        let policy = json!({"Version": "2012-10-17", "Statement": [{
            "Effect": "Allow", "Principal": {"AWS": "111111111111"},
            "Action": "s3express:CreateSession",
            "Resource": "arn:aws:s3express:us-east-1:000000000000:bucket/logs--use1-az4--x-s3",
            "Condition": {"StringEquals": {key: team}},
        }]});
        let policy = json!({"Policy": policy.to_string()});
        call(&world, "PutBucketPolicy", policy).await.expect("a policy");
        let input = json!({"Bucket": NAME, "Key": "k"});
        let outcome = world.call_as(stranger.clone(), "s3:HeadObject", input).await;
        assert_eq!(outcome.is_ok(), team == "blue", "{key}: {outcome:?}");
    }
}
