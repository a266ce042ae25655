//! Access logs: where they may go, and what is delivered.

use fogbank_core::{Body, Principal};
use fogbank_testkit::{ACCOUNT, Value, World, expect, json};

use super::http::{public, request};
use super::{call, refused};

/// Lets S3's log of `photos` into the bucket `logs`.
async fn with_logs() -> World {
    let world = public().await;
    world.call("s3:CreateBucket", json!({"Bucket": "logs"})).await.expect("a bucket");
    world
}

async fn admit(world: &World, source: &str) {
    let policy = json!({"Version": "2012-10-17", "Statement": [{
        "Effect": "Allow", "Principal": {"Service": "logging.s3.amazonaws.com"},
        "Action": "s3:PutObject", "Resource": "arn:aws:s3:::logs/*",
        "Condition": {
            "ArnLike": {"aws:SourceArn": source}, "StringEquals": {"aws:SourceAccount": ACCOUNT},
        },
    }]});
    let input = json!({"Bucket": "logs", "Policy": policy.to_string()});
    world.call("s3:PutBucketPolicy", input).await.expect("a policy");
}

async fn configure(world: &World, more: Value) -> Result<Value, fogbank_core::Fault> {
    let enabled = super::with(json!({"TargetBucket": "logs", "TargetPrefix": "p/"}), more);
    call(world, "PutBucketLogging", json!({"BucketLoggingStatus": {"LoggingEnabled": enabled}}))
        .await
}

async fn deliver(world: &World) -> Vec<(String, String)> {
    world.round(&crate::SERVICE, "s3.access-logs").await;
    let page = world.call("s3:ListObjectsV2", json!({"Bucket": "logs"})).await.expect("a list");
    let mut found = Vec::new();
    for row in page["Contents"].as_array().into_iter().flatten() {
        let input = json!({"Bucket": "logs", "Key": row["Key"]});
        let root = Principal::root(ACCOUNT);
        let reply = world.send(root, "s3:GetObject", input, Body::empty()).await.expect("a log");
        let body = reply.bytes(1 << 20).await.expect("lines");
        let key = row["Key"].as_str().expect("a key").to_owned();
        found.push((key, String::from_utf8_lossy(&body).into_owned()));
    }
    found
}

#[tokio::test]
async fn the_target_must_be_there_and_ones_own() {
    let world = with_logs().await;
    let outcome = refused(configure(&world, json!({"TargetBucket": "nowhere"})).await);
    assert!(outcome.starts_with(
        "InvalidTargetBucketForLogging: The target bucket for logging does not exist"
    ));
    let other = Principal::root("111111111111");
    let input = json!({"Bucket": "others"});
    world.call_as(other, "s3:CreateBucket", input).await.expect("a bucket");
    let outcome = refused(configure(&world, json!({"TargetBucket": "others"})).await);
    assert!(outcome.contains("must be the same"), "{outcome}");
    let input = json!({
        "Bucket": "far", "CreateBucketConfiguration": {"LocationConstraint": "eu-west-1"},
    });
    world.call("s3:CreateBucket", input).await.expect("a bucket");
    let outcome = refused(configure(&world, json!({"TargetBucket": "far"})).await);
    assert!(outcome.starts_with("CrossLocationLoggingProhibitted: "), "{outcome}");
    configure(&world, json!({})).await.expect("set");
    let told = call(&world, "GetBucketLogging", json!({})).await.expect("a status");
    expect![[r#"{"TargetBucket":"logs","TargetPrefix":"p/"}"#]]
        .assert_eq(&told["LoggingEnabled"].to_string());
    call(&world, "PutBucketLogging", json!({"BucketLoggingStatus": {}})).await.expect("ended");
    let told = call(&world, "GetBucketLogging", json!({})).await.expect("a status");
    assert_eq!(told["LoggingEnabled"], Value::Null);
}

#[tokio::test]
async fn lines_are_delivered_where_the_policy_lets_them_in() {
    let world = with_logs().await;
    configure(&world, json!({})).await.expect("set");
    assert!(deliver(&world).await.is_empty());
    let headers = [("content-length", "5"), ("user-agent", "a \"tool\""), ("referer", "http://x/")];
    request(&world, "PUT /photos/a%20b?x=1", &headers, "hello".to_owned()).await;
    assert!(deliver(&world).await.is_empty(), "nobody let it in");
    admit(&world, "arn:aws:s3:::other").await;
    request(&world, "PUT /photos/a%20b", &headers, "hello".to_owned()).await;
    assert!(deliver(&world).await.is_empty(), "another bucket's log is let in");
    admit(&world, "arn:aws:s3:::photos").await;
    request(&world, "PUT /photos/a%20b?x=1", &headers, "hello".to_owned()).await;
    request(&world, "GET /photos/a%20b", &[("range", "bytes=1-2")], Body::empty()).await;
    request(&world, "GET /photos/none", &[], Body::empty()).await;
    request(&world, "GET /photos?versioning", &[], Body::empty()).await;
    request(&world, "GET /logs", &[], Body::empty()).await;
    let found = deliver(&world).await;
    let [(key, lines)] = &found[..] else { panic!("one object: {found:?}") };
    assert!(key.starts_with("p/2026-01-01-00-00-00-"), "{key}");
    let owner = crate::rules::canonical_id(ACCOUNT);
    let shown: Vec<String> = lines
        .lines()
        .map(|line| {
            // The ids and how long it took differ every time.
            let line = line.replace(&owner, "OWNER");
            let referer = line.match_indices(" \"").nth(1).expect("a referer").0;
            let (head, tail) = line.split_at(referer);
            let fields: Vec<&str> = head.split(' ').collect();
            let is_id = |field: &str| field.len() == 36 && field.matches('-').count() == 4;
            let shown = |text: &str| {
                let fields = text.split(' ').map(|field| if is_id(field) { "ID" } else { field });
                fields.collect::<Vec<&str>>().join(" ")
            };
            format!("{} T T{}", shown(&fields[..fields.len() - 2].join(" ")), shown(tail))
        })
        .collect();
    expect![[r#"
        OWNER photos [01/Jan/2026:00:00:00 +0000] 127.0.0.1 - ID REST.PUT.OBJECT a+b "PUT /photos/a%20b?x=1 HTTP/1.1" 200 - - 5 T T "http://x/" "a %22tool%22" - ID - - - 127.0.0.1:4566 - - -
        OWNER photos [01/Jan/2026:00:00:00 +0000] 127.0.0.1 - ID REST.GET.OBJECT a+b "GET /photos/a%20b HTTP/1.1" 206 - 2 5 T T "-" "-" - ID - - - 127.0.0.1:4566 - - -
        OWNER photos [01/Jan/2026:00:00:00 +0000] 127.0.0.1 - ID REST.GET.OBJECT none "GET /photos/none HTTP/1.1" 404 NoSuchKey 255 - T T "-" "-" - ID - - - 127.0.0.1:4566 - - -
        OWNER photos [01/Jan/2026:00:00:00 +0000] 127.0.0.1 - ID REST.GET.VERSIONING - "GET /photos?versioning HTTP/1.1" 200 - 138 - T T "-" "-" - ID - - - 127.0.0.1:4566 - - -"#]].assert_eq(&shown.join("\n"));
}

#[tokio::test]
async fn partitions_go_by_the_day_of_the_event() {
    let world = with_logs().await;
    admit(&world, "arn:aws:s3:::*").await;
    let format = json!({"PartitionedPrefix": {"PartitionDateSource": "EventTime"}});
    configure(&world, json!({"TargetObjectKeyFormat": format})).await.expect("set");
    deliver(&world).await;
    for _ in 0..2 {
        request(&world, "GET /photos/none", &[], Body::empty()).await;
        world.clock().advance(86_400_000);
    }
    let found = deliver(&world).await;
    let folders: Vec<&str> = found.iter().map(|(key, _)| &key[..key.len() - 17]).collect();
    expect![[r#"
        p/000000000000/us-east-1/photos/2026/01/01/2026-01-01-00-00-00
        p/000000000000/us-east-1/photos/2026/01/02/2026-01-02-00-00-00"#]]
    .assert_eq(&folders.join("\n"));
}

#[tokio::test]
async fn visits_of_websites_and_keys_of_batches_have_lines() {
    let world = with_logs().await;
    configure(&world, json!({})).await.expect("set");
    admit(&world, "arn:aws:s3:::*").await;
    let site = json!({"WebsiteConfiguration": {"IndexDocument": {"Suffix": "index.html"}}});
    call(&world, "PutBucketWebsite", site).await.expect("a website");
    super::put(&world, "a b/index.html", "page".to_owned()).await;
    super::put(&world, "other", "x".to_owned()).await;
    deliver(&world).await;
    request(&world, "GET /_website/photos/a%20b/", &[], Body::empty()).await;
    request(&world, "GET /_website/photos/none", &[], Body::empty()).await;
    let keys = "<Object><Key>other</Key></Object><Object><Key>never there</Key></Object>";
    let xml = format!("<Delete>{keys}</Delete>");
    let length = xml.len().to_string();
    let md5 = super::e_tag(xml.as_bytes());
    let md5 = hex::decode(md5.trim_matches('"')).expect("hex");
    let md5 = base64::Engine::encode(&base64::engine::general_purpose::STANDARD, md5);
    let headers = [("content-length", &*length), ("content-md5", &*md5)];
    request(&world, "POST /photos?delete", &headers, xml).await;
    let found = deliver(&world).await;
    let lines: Vec<String> = found
        .iter()
        .flat_map(|(_, lines)| lines.lines())
        .map(|line| line.split(' ').skip(7).take(7).collect::<Vec<_>>().join(" "))
        .collect();
    expect![[r#"
        WEBSITE.GET.OBJECT a+b/ "GET /_website/photos/a%20b/ HTTP/1.1" 200 -
        WEBSITE.GET.OBJECT none "GET /_website/photos/none HTTP/1.1" 404 NoSuchKey
        BATCH.DELETE.OBJECT other "-" 204 - - -
        BATCH.DELETE.OBJECT never+there "-" 204 - - -
        REST.POST.MULTI_OBJECT_DELETE - "POST /photos?delete HTTP/1.1" 200 -"#]]
    .assert_eq(&lines.join("\n"));
}

/// The lines that are delivered, from the requester on as far as their words differ.
async fn words(world: &World) -> String {
    let found = deliver(world).await;
    let words = |line: &str| {
        let fields: Vec<&str> = line.split(' ').collect();
        let request = line.split('"').nth(1).unwrap_or_default();
        format!("{} {} {} \"{request}\"", fields[5], fields[7], fields[8])
    };
    let lines = found.iter().flat_map(|(_, lines)| lines.lines());
    lines.map(words).collect::<Vec<_>>().join("\n")
}

#[tokio::test]
async fn what_lifecycles_do_has_lines() {
    let world = with_logs().await;
    configure(&world, json!({})).await.expect("set");
    admit(&world, "arn:aws:s3:::*").await;
    for key in ["a", "b/old"] {
        super::put(&world, key, "x".to_owned()).await;
    }
    let upload = json!({"Key": "unfinished"});
    call(&world, "CreateMultipartUpload", upload).await.expect("begun");
    deliver(&world).await;
    let rules = json!([
        {"ID": "1", "Status": "Enabled", "Filter": {"Prefix": "a"},
            "Transitions": [{"Days": 1, "StorageClass": "GLACIER"}]},
        {"ID": "2", "Status": "Enabled", "Filter": {"Prefix": "b/"}, "Expiration": {"Days": 1}},
        {"ID": "3", "Status": "Enabled", "Filter": {"Prefix": ""},
            "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 1}},
    ]);
    let rules = json!({
        "LifecycleConfiguration": {"Rules": rules},
        "TransitionDefaultMinimumObjectSize": "varies_by_storage_class",
    });
    call(&world, "PutBucketLifecycleConfiguration", rules).await.expect("set");
    world.clock().advance(3 * 86_400_000);
    world.round(&crate::SERVICE, "s3.lifecycle").await;
    let mut lines: Vec<String> = words(&world).await.lines().map(str::to_owned).collect();
    lines.sort();
    expect![[r#"
        AmazonS3 S3.DELETE.UPLOAD unfinished "-"
        AmazonS3 S3.EXPIRE.OBJECT b/old "-"
        AmazonS3 S3.TRANSITION.OBJECT a "-""#]]
    .assert_eq(&lines.join("\n"));
    let enabled = json!({"VersioningConfiguration": {"Status": "Enabled"}});
    call(&world, "PutBucketVersioning", enabled).await.expect("set");
    super::put(&world, "b/new", "x".to_owned()).await;
    world.clock().advance(3 * 86_400_000);
    world.round(&crate::SERVICE, "s3.lifecycle").await;
    expect![[r#"
        AmazonS3 S3.TRANSITION.OBJECT a "-"
        AmazonS3 S3.EXPIRE.OBJECT b/old "-"
        AmazonS3 S3.DELETE.UPLOAD unfinished "-"
        AmazonS3 S3.CREATE.DELETEMARKER b/new "-""#]]
    .assert_eq(&words(&world).await);
}

#[tokio::test]
async fn forms_have_lines() {
    let world = with_logs().await;
    configure(&world, json!({})).await.expect("set");
    admit(&world, "arn:aws:s3:::*").await;
    deliver(&world).await;
    let field = |name: &str, value: &str| {
        format!("--x\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n")
    };
    let headers = [("content-type", "multipart/form-data; boundary=x")];
    for key in ["a b", ""] {
        let body = format!("{}{}--x--\r\n", field("key", key), field("file", "hello"));
        request(&world, "POST /photos", &headers, body).await;
    }
    expect![[r#"
        - REST.POST.OBJECT a+b "POST /photos HTTP/1.1"
        - REST.POST.OBJECT - "POST /photos HTTP/1.1""#]]
    .assert_eq(&words(&world).await);
}
