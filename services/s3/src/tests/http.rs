//! What stands on the wire: statuses, headers and documents, as anybody sees them in a public bucket.

use fogbank_core::Body;
use fogbank_testkit::{World, expect, json};

use super::{call, put, send, with_bucket};

pub(super) async fn public() -> World {
    let world = with_bucket().await;
    call(&world, "DeletePublicAccessBlock", json!({})).await.expect("open");
    let policy = json!({
        "Version": "2012-10-17",
        "Statement": [{
            "Effect": "Allow",
            "Principal": "*",
            "Action": "s3:*",
            "Resource": ["arn:aws:s3:::photos", "arn:aws:s3:::photos/*"],
        }],
    });
    call(&world, "PutBucketPolicy", json!({"Policy": policy.to_string()})).await.expect("public");
    world
}

/// Sends a request without a signature: the status, the headers that S3 sets, and the document.
pub(super) async fn request(
    world: &World,
    line: &str,
    headers: &[(&str, &str)],
    body: impl Into<Body>,
) -> String {
    let (method, uri) = line.split_once(' ').expect("a method and a path");
    let mut request =
        http::Request::builder().method(method).uri(uri).header("host", "127.0.0.1:4566");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let response = world.http(request.body(body.into()).expect("a request")).await;
    let id = response.headers().get("x-amz-request-id").cloned();
    let mut text = response.status().as_u16().to_string();
    for (name, value) in response.headers() {
        let is_shown = !matches!(name.as_str(), "x-amz-request-id" | "x-amz-id-2" | "date");
        if is_shown {
            text += &format!("\n{name}: {}", value.to_str().expect("text"));
        }
    }
    let body = response.into_body().collect(1 << 20).await.expect("a body");
    text += &format!("\n{}", String::from_utf8_lossy(&body));
    match id.as_ref().and_then(|id| id.to_str().ok()) {
        Some(id) => text.replace(id, "ID"),
        None => text,
    }
}

#[tokio::test]
async fn objects_on_the_wire() {
    let world = public().await;
    let written = request(
        &world,
        "PUT /photos/a%20b",
        &[("content-length", "5"), ("content-type", "text/plain"), ("x-amz-meta-a", "b")],
        "hello".to_owned(),
    )
    .await;
    expect![[r#"
        200
        etag: "5d41402abc4b2a76b9719d911017c592"
        x-amz-checksum-crc64nvme: M3eFcAZSQlc=
        x-amz-checksum-type: FULL_OBJECT
        x-amz-server-side-encryption: AES256
    "#]]
    .assert_eq(&written);
    let path = "/photos/a%20b";
    expect![[r#"
        200
        accept-ranges: bytes
        last-modified: Thu, 01 Jan 2026 00:00:00 GMT
        content-length: 5
        etag: "5d41402abc4b2a76b9719d911017c592"
        content-type: text/plain
        x-amz-server-side-encryption: AES256
        x-amz-meta-a: b
        hello"#]]
    .assert_eq(&request(&world, &format!("GET {path}"), &[], Body::empty()).await);
    let range = [("range", "bytes=1-2")];
    expect![[r#"
        206
        accept-ranges: bytes
        last-modified: Thu, 01 Jan 2026 00:00:00 GMT
        content-length: 2
        etag: "5d41402abc4b2a76b9719d911017c592"
        content-range: bytes 1-2/5
        content-type: text/plain
        x-amz-server-side-encryption: AES256
        x-amz-meta-a: b
        el"#]]
    .assert_eq(&request(&world, &format!("GET {path}"), &range, Body::empty()).await);
    expect![[r#"
        204
    "#]]
    .assert_eq(&request(&world, &format!("DELETE {path}"), &[], Body::empty()).await);
}

#[tokio::test]
async fn refusals_on_the_wire() {
    let world = public().await;
    put(&world, "a b", "hello".to_owned()).await;
    let path = "/photos/a%20b";
    let same = [("if-none-match", "\"5d41402abc4b2a76b9719d911017c592\"")];
    expect![[r#"
        304
        last-modified: Thu, 01 Jan 2026 00:00:00 GMT
        etag: "5d41402abc4b2a76b9719d911017c592"
    "#]]
    .assert_eq(&request(&world, &format!("HEAD {path}"), &same, Body::empty()).await);
    let other = [("if-match", "x")];
    expect![[r#"
        412
        content-type: application/xml
        <?xml version="1.0" encoding="UTF-8"?>
        <Error><Code>PreconditionFailed</Code><Message>At least one of the pre-conditions you specified did not hold</Message><Condition>If-Match</Condition><RequestId>ID</RequestId><HostId>ID</HostId></Error>"#]]
        .assert_eq(&request(&world, &format!("GET {path}"), &other, Body::empty()).await);
    expect![[r#"
        404
        content-type: application/xml
        <?xml version="1.0" encoding="UTF-8"?>
        <Error><Code>NoSuchKey</Code><Message>The specified key does not exist.</Message><Key>none</Key><RequestId>ID</RequestId><HostId>ID</HostId></Error>"#]].assert_eq(&request(&world, "GET /photos/none", &[], Body::empty()).await);
    expect![[r#"
        404
        content-type: application/xml
    "#]]
    .assert_eq(&request(&world, "HEAD /photos/none", &[], Body::empty()).await);
}

#[tokio::test]
async fn dates_of_conditions_come_in_three_forms_and_are_ignored_in_others() {
    let world = public().await;
    put(&world, "a", "hello".to_owned()).await;
    for (name, date, status) in [
        ("if-modified-since", "Thu, 01 Jan 2026 00:00:00 GMT", "304"),
        ("if-modified-since", "Thursday, 01-Jan-26 00:00:00 GMT", "304"),
        ("if-modified-since", "Thu Jan  1 00:00:00 2026", "304"),
        ("if-modified-since", "yesterday", "200"),
        ("if-unmodified-since", "Wed Dec 31 00:00:00 2025", "412"),
        ("if-unmodified-since", "tomorrow", "200"),
    ] {
        let answer = request(&world, "GET /photos/a", &[(name, date)], Body::empty()).await;
        assert!(answer.starts_with(status), "{name}: {date}: {answer}");
    }
}

#[tokio::test]
async fn documents_on_the_wire() {
    let world = public().await;
    put(&world, "a/1", "x".to_owned()).await;
    let tagged = json!({"Key": "b", "Tagging": "k=v"});
    send(&world, "PutObject", tagged, "x".to_owned()).await.expect("written");
    for (line, expected) in [
        (
            "GET /photos?list-type=2&delimiter=/&prefix=",
            expect![[r#"
            200
            content-type: application/xml
            <?xml version="1.0" encoding="UTF-8"?>
            <ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Name>photos</Name><Prefix></Prefix><KeyCount>2</KeyCount><MaxKeys>1000</MaxKeys><Delimiter>/</Delimiter><IsTruncated>false</IsTruncated><Contents><Key>b</Key><LastModified>2026-01-01T00:00:00.000Z</LastModified><ETag>&quot;9dd4e461268c8034f5c8564e155c67a6&quot;</ETag><ChecksumAlgorithm>CRC64NVME</ChecksumAlgorithm><ChecksumType>FULL_OBJECT</ChecksumType><Size>1</Size><StorageClass>STANDARD</StorageClass></Contents><CommonPrefixes><Prefix>a/</Prefix></CommonPrefixes></ListBucketResult>"#]],
        ),
        (
            "GET /photos?max-keys=1&encoding-type=url",
            expect![[r#"
            200
            content-type: application/xml
            <?xml version="1.0" encoding="UTF-8"?>
            <ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Name>photos</Name><Prefix></Prefix><Marker></Marker><MaxKeys>1</MaxKeys><EncodingType>url</EncodingType><IsTruncated>true</IsTruncated><Contents><Key>a/1</Key><LastModified>2026-01-01T00:00:00.000Z</LastModified><ETag>&quot;9dd4e461268c8034f5c8564e155c67a6&quot;</ETag><ChecksumAlgorithm>CRC64NVME</ChecksumAlgorithm><ChecksumType>FULL_OBJECT</ChecksumType><Size>1</Size><StorageClass>STANDARD</StorageClass><Owner><ID>4c4547182d4c0f05ca014026b38c2961bdb7d34e4f57ec9b9d4a08d90a815f49</ID></Owner></Contents></ListBucketResult>"#]],
        ),
        (
            "GET /photos?location",
            expect![[r#"
            200
            content-type: application/xml
            <?xml version="1.0" encoding="UTF-8"?>
            <LocationConstraint xmlns="http://s3.amazonaws.com/doc/2006-03-01/"></LocationConstraint>"#]],
        ),
        (
            "GET /photos/b?tagging",
            expect![[r#"
            200
            content-type: application/xml
            <?xml version="1.0" encoding="UTF-8"?>
            <Tagging xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><TagSet><Tag><Key>k</Key><Value>v</Value></Tag></TagSet></Tagging>"#]],
        ),
    ] {
        expected.assert_eq(&request(&world, line, &[], Body::empty()).await);
    }
}

#[tokio::test]
async fn configurations_on_the_wire() {
    let world = public().await;
    for (line, expected) in [
        (
            "GET /photos?versioning",
            expect![[r#"
            200
            content-type: application/xml
            <?xml version="1.0" encoding="UTF-8"?>
            <VersioningConfiguration xmlns="http://s3.amazonaws.com/doc/2006-03-01/"></VersioningConfiguration>"#]],
        ),
        (
            "GET /photos?notification",
            expect![[r#"
            200
            content-type: application/xml
            <?xml version="1.0" encoding="UTF-8"?>
            <NotificationConfiguration xmlns="http://s3.amazonaws.com/doc/2006-03-01/"></NotificationConfiguration>"#]],
        ),
        (
            "GET /photos?acl",
            expect![[r#"
            200
            content-type: application/xml
            <?xml version="1.0" encoding="UTF-8"?>
            <AccessControlPolicy xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Owner><ID>4c4547182d4c0f05ca014026b38c2961bdb7d34e4f57ec9b9d4a08d90a815f49</ID></Owner><AccessControlList><Grant><Grantee xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:type="CanonicalUser"><ID>4c4547182d4c0f05ca014026b38c2961bdb7d34e4f57ec9b9d4a08d90a815f49</ID></Grantee><Permission>FULL_CONTROL</Permission></Grant></AccessControlList></AccessControlPolicy>"#]],
        ),
        (
            "HEAD /photos",
            expect![[r#"
            200
            x-amz-bucket-arn: arn:aws:s3:::photos
            x-amz-bucket-region: us-east-1
            x-amz-access-point-alias: false
        "#]],
        ),
        (
            "PUT /photos?versioning",
            expect![[r#"
                400
                content-type: application/xml
                <?xml version="1.0" encoding="UTF-8"?>
                <Error><Code>MissingRequestBodyError</Code><Message>Request Body is empty</Message><RequestId>ID</RequestId><HostId>ID</HostId></Error>"#]],
        ),
    ] {
        expected.assert_eq(&request(&world, line, &[], Body::empty()).await);
    }
}

#[tokio::test]
async fn documents_of_requests() {
    let world = public().await;
    put(&world, "a/1", "x".to_owned()).await;
    let delete = "<Delete><Object><Key>a/1</Key></Object><Object><Key>c</Key></Object></Delete>";
    let md5 = [("content-md5", "M0VWAaVEjM7Urmy2Lk+wFA==")];
    let removed = request(&world, "POST /photos?delete", &md5, delete.to_owned()).await;
    expect![[r#"
        200
        content-type: application/xml
        <?xml version="1.0" encoding="UTF-8"?>
        <DeleteResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Deleted><Key>a/1</Key></Deleted><Deleted><Key>c</Key></Deleted></DeleteResult>"#]].assert_eq(&removed);
    let upload = request(&world, "POST /photos/big?uploads", &[], Body::empty()).await;
    assert!(upload.contains("<InitiateMultipartUploadResult xmlns="), "{upload}");
}

#[tokio::test]
async fn metadata_beyond_ascii_comes_in_encoded_words() {
    let world = public().await;
    let latin: String = "Hello World\u{e9}".to_owned();
    let put = http::Request::put("/photos/k")
        .header("host", "127.0.0.1:4566")
        .header("content-length", "0")
        .header("x-amz-meta-utf", http::HeaderValue::from_bytes(latin.as_bytes()).expect("bytes"))
        .header(
            "x-amz-meta-latin",
            http::HeaderValue::from_bytes(b"Hello World\xe9").expect("bytes"),
        )
        .header("x-amz-meta-word", "=?UTF-8?B?w6k=?= =?UTF-8?Q?=E2=82=AC?=")
        .body(Body::empty())
        .expect("a request");
    assert_eq!(world.http(put).await.status(), 200);
    let told = call(&world, "HeadObject", json!({"Key": "k"})).await.expect("an object");
    expect![[r#"
        {
          "latin": "=?UTF-8?Q?Hello_World=C3=A9?=",
          "utf": "=?UTF-8?Q?Hello_World=C3=83=C2=A9?=",
          "word": "=?UTF-8?B?w6nigqw=?="
        }"#]]
    .assert_eq(&serde_json::to_string_pretty(&told["Metadata"]).expect("JSON"));

    // What no header can hold is counted.
    let metadata = json!({"Key": "k", "Metadata": {"lines": "a\nb", "plain": "a"}});
    call(&world, "PutObject", metadata).await.expect("an object");
    let told = call(&world, "HeadObject", json!({"Key": "k"})).await.expect("an object");
    assert_eq!((&told["Metadata"], &told["MissingMeta"]), (&json!({"plain": "a"}), &json!(1)));
}

#[tokio::test]
async fn documents_are_held_against_their_digests() {
    let world = public().await;
    let delete = "<Delete><Object><Key>a</Key></Object></Delete>";
    let tagging = "<Tagging><TagSet></TagSet></Tagging>";
    put(&world, "a", "x".to_owned()).await;
    for (line, document, headers, expected) in [
        (
            "POST /photos?delete",
            delete,
            &[][..],
            "<Code>InvalidRequest</Code><Message>Missing required header for this request: Content-MD5 OR x-amz-checksum-*</Message>",
        ),
        (
            "PUT /photos?tagging",
            tagging,
            &[("x-amz-checksum-xxhash3", "AAAAAAAAAAA=")],
            "<Code>BadDigest</Code><Message>The XXHASH3 you specified did not match the calculated checksum.</Message>",
        ),
        (
            "PUT /photos/a?tagging",
            tagging,
            &[("content-md5", "AAAAAAAAAAAAAAAAAAAAAA==")],
            "<ExpectedDigest>AAAAAAAAAAAAAAAAAAAAAA==</ExpectedDigest>",
        ),
        (
            "PUT /photos/a?tagging",
            tagging,
            &[("content-md5", "AAAA")],
            "<Code>InvalidDigest</Code><Message>The Content-MD5 you specified was invalid.</Message><Content-MD5>AAAA</Content-MD5>",
        ),
        (
            "PUT /photos/b",
            "",
            &[("content-length", "0"), ("x-amz-checksum-crc16", "AAA=")],
            "<Code>InvalidRequest</Code><Message>The algorithm type you specified in x-amz-checksum- header is invalid.</Message>",
        ),
    ] {
        let answer = request(&world, line, headers, document.to_owned()).await;
        assert!(answer.starts_with("400\n") && answer.contains(expected), "{line}: {answer}");
    }
    let answer = request(&world, "PUT /photos/a?tagging", &[], tagging.to_owned()).await;
    assert!(answer.starts_with("200"), "{answer}");
}
