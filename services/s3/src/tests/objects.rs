//! Writing, reading and removing objects.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use fogbank_core::wire::Trailers;
use fogbank_core::{Body, Principal};
use fogbank_testkit::{ACCOUNT, Value, World, json};

use sha2::Digest as _;

use super::{body_of, call, e_tag, get, noise, put, refused, send, with, with_bucket};

#[tokio::test]
async fn pages_are_redirected_to_pages() {
    let world = with_bucket().await;
    for location in ["/page", "http://example.com", "https://example.com/page"] {
        let input = json!({"Key": "a", "WebsiteRedirectLocation": location});
        send(&world, "PutObject", input, "x".to_owned()).await.expect("written");
    }
    let long = format!("/{}", "x".repeat(2048));
    for (location, words) in [
        ("page", "The website redirect location must have a prefix of"),
        (&long, "The length of website redirect location cannot exceed 2,048 characters."),
    ] {
        let input = json!({"Key": "a", "WebsiteRedirectLocation": location});
        let put = refused(send(&world, "PutObject", input.clone(), "x".to_owned()).await);
        let begun = refused(call(&world, "CreateMultipartUpload", input).await);
        assert!(put.starts_with(&format!("InvalidRedirectLocation: {words}")), "{put}");
        assert_eq!(put, begun);
    }
}

#[tokio::test]
async fn an_object_comes_back_as_it_was_written() {
    let world = with_bucket().await;
    // In the row, in a blob that is read at once, and in one that streams in frames.
    for size in [0, 1, 1024, 16 << 10, (16 << 10) + 1, 300_000, 5_000_000] {
        let bytes = noise(size);
        let key = format!("a/{size}");
        let written = put(&world, &key, bytes.clone()).await;
        assert_eq!(written["ETag"], e_tag(&bytes));
        assert_eq!(written["ServerSideEncryption"], "AES256");
        let (told, body) = get(&world, json!({"Key": key})).await.expect("an object");
        assert_eq!(body, bytes, "{size}");
        assert_eq!(told["ETag"], e_tag(&bytes));
        assert_eq!(told["ContentLength"], size);
        assert_eq!(told["ContentType"], "binary/octet-stream");
        assert_eq!(told["AcceptRanges"], "bytes");
        assert_eq!(told["LastModified"], 1_767_225_600);
        let head = call(&world, "HeadObject", json!({"Key": key})).await.expect("a head");
        assert_eq!(head, told);
    }
}

#[tokio::test]
async fn headers_and_metadata_are_kept_and_can_be_overridden() {
    let world = with_bucket().await;
    let headers = json!({
        "Key": "a",
        "ContentType": "text/plain",
        "CacheControl": "no-store",
        "ContentDisposition": "inline",
        "ContentEncoding": "aws-chunked,gzip",
        "ContentLanguage": "de",
        "Expires": "Thu, 01 Jan 2026 00:00:00 GMT",
        "WebsiteRedirectLocation": "/b",
        "StorageClass": "STANDARD_IA",
        "Metadata": {"Colour": "red", "size": "ü"},
        "Tagging": "k=v&l=w",
    });
    send(&world, "PutObject", headers, "x".to_owned()).await.expect("written");
    let told = call(&world, "HeadObject", json!({"Key": "a"})).await.expect("a head");
    for (name, value) in [
        ("ContentType", json!("text/plain")),
        ("CacheControl", json!("no-store")),
        ("ContentDisposition", json!("inline")),
        ("ContentEncoding", json!("gzip")),
        ("ContentLanguage", json!("de")),
        ("Expires", json!("Thu, 01 Jan 2026 00:00:00 GMT")),
        ("WebsiteRedirectLocation", json!("/b")),
        ("StorageClass", json!("STANDARD_IA")),
        ("Metadata", json!({"colour": "red", "size": "=?UTF-8?B?w7w=?="})),
        ("TagCount", json!(2)),
    ] {
        assert_eq!(told[name], value, "{name}");
    }
    let overrides = json!({
        "Key": "a",
        "ResponseContentType": "image/png",
        "ResponseCacheControl": "max-age=1",
        "ResponseExpires": 1_767_225_601,
    });
    let (told, _) = get(&world, overrides).await.expect("an object");
    assert_eq!(told["ContentType"], "image/png");
    assert_eq!(told["CacheControl"], "max-age=1");
    assert_eq!(told["Expires"], "Thu, 01 Jan 2026 00:00:01 GMT");
    assert_eq!(told["ContentLanguage"], "de");
}

#[tokio::test]
async fn ranges_are_cut_out_of_every_kind_of_body() {
    let world = with_bucket().await;
    for size in [10, 700_000] {
        let bytes = noise(size);
        put(&world, "a", bytes.clone()).await;
        let read = |range: &str| get(&world, json!({"Key": "a", "Range": range}));
        for (range, first, end) in
            [("bytes=2-5", 2, 6), ("bytes=-3", size - 3, size), ("bytes=7-", 7, size)]
        {
            let (told, body) = read(range).await.expect("a part");
            assert_eq!(body, bytes[first..end], "{range}");
            assert_eq!(told["ContentRange"], format!("bytes {first}-{}/{size}", end - 1));
            assert_eq!(told["ContentLength"], end - first);
            assert_eq!(told["StatusCode"], 206);
        }
        let (told, body) = read("bytes=3-1").await.expect("all");
        assert_eq!((body.len(), &told["StatusCode"]), (size, &Value::Null));
        let far = format!("bytes={size}-");
        assert_eq!(
            refused(read(&far).await),
            format!(
                "InvalidRange: The requested range is not satisfiable RangeRequested={far} ActualObjectSize={size}"
            )
        );
    }
    let outcome = get(&world, json!({"Key": "a", "PartNumber": 2})).await;
    assert_eq!(
        refused(outcome),
        "InvalidPartNumber: The requested partnumber is not satisfiable ActualPartCount=1 PartNumberRequested=2"
    );
    let both = json!({"Key": "a", "PartNumber": 1, "Range": "bytes=0-1"});
    assert!(refused(get(&world, both).await).starts_with("InvalidRequest: Cannot specify both"));
}

#[tokio::test]
async fn overwriting_and_removing_replace_everything() {
    let world = with_bucket().await;
    put(&world, "a", noise(100_000)).await;
    put(&world, "a", "short".to_owned()).await;
    assert_eq!(body_of(&world, "a").await, "short");
    call(&world, "DeleteObject", json!({"Key": "a"})).await.expect("removed");
    call(&world, "DeleteObject", json!({"Key": "a"})).await.expect("removed again");
    let outcome = get(&world, json!({"Key": "a"})).await;
    assert_eq!(refused(outcome), "NoSuchKey: The specified key does not exist. Key=a");
    world.cloud().blobs().sweep().expect("a sweep");
    let outcome = get(&world, json!({"Key": "a", "VersionId": "x"})).await;
    assert_eq!(
        refused(outcome),
        "InvalidArgument: Invalid version id specified ArgumentName=versionId ArgumentValue=x"
    );
}

#[tokio::test]
async fn keys_may_be_anything_up_to_a_kilobyte() {
    let world = with_bucket().await;
    for key in ["a//b", "..", "../x", "a b+c%", "ü\u{1F600}", "x/", " ", &"k".repeat(1024)] {
        put(&world, key, key.to_owned()).await;
        assert_eq!(body_of(&world, key).await, key);
    }
    let long = "k".repeat(1025);
    let outcome = send(&world, "PutObject", json!({"Key": long}), Body::empty()).await;
    assert_eq!(
        refused(outcome),
        "KeyTooLongError: Your key is too long Size=1025 MaxSizeAllowed=1024"
    );
    for operation in ["GetObject", "HeadObject"] {
        let outcome = call(&world, operation, json!({"Key": "k".repeat(1025)})).await;
        assert!(refused(outcome).starts_with("KeyTooLongError: "), "{operation}");
        let outcome = call(&world, operation, json!({"Key": "j".repeat(1024)})).await;
        assert!(refused(outcome).starts_with("NoSuchKey: "), "{operation}");
    }
}

#[tokio::test]
async fn promised_hashes_are_checked_and_remembered() {
    let world = with_bucket().await;
    let write = |more: Value| {
        send(&world, "PutObject", with(json!({"Key": "a"}), more), "hello".to_owned())
    };
    let told = write(json!({})).await.expect("written");
    assert_eq!(told["ChecksumCRC64NVME"], "M3eFcAZSQlc=");
    assert_eq!(told["ChecksumType"], "FULL_OBJECT");
    let told = write(json!({"ChecksumCRC32": "NhCmhg=="})).await.expect("written");
    assert_eq!(told["ChecksumCRC32"], "NhCmhg==");
    let (told, _) = get(&world, json!({"Key": "a", "ChecksumMode": "ENABLED"})).await.expect("it");
    assert_eq!(told["ChecksumCRC32"], "NhCmhg==");
    let (told, _) = get(&world, json!({"Key": "a"})).await.expect("it");
    assert_eq!(told["ChecksumCRC32"], Value::Null);
    write(json!({"ContentMD5": "XUFAKrxLKna5cZ2REBfFkg=="})).await.expect("written");
    for (more, expected) in [
        (
            json!({"ContentMD5": "AAAAAAAAAAAAAAAAAAAAAA=="}),
            "BadDigest: The Content-MD5 you specified did not match what we received. ExpectedDigest=AAAAAAAAAAAAAAAAAAAAAA== CalculatedDigest=XUFAKrxLKna5cZ2REBfFkg==",
        ),
        (
            json!({"ContentMD5": "x"}),
            "InvalidDigest: The Content-MD5 you specified was invalid. Content-MD5=x",
        ),
        (
            json!({"ChecksumSHA1": "AAAAAAAAAAAAAAAAAAAAAAAAAAA="}),
            "BadDigest: The SHA1 you specified did not match the calculated checksum.",
        ),
        (
            json!({"ChecksumCRC32C": "x"}),
            "InvalidRequest: Value for x-amz-checksum-crc32c header is invalid.",
        ),
        (
            json!({"ChecksumCRC32": "NhCmhg==", "ChecksumSHA1": "AAAAAAAAAAAAAAAAAAAAAAAAAAA="}),
            "InvalidRequest: Expecting a single x-amz-checksum- header. Multiple checksum Types are not allowed.",
        ),
        (
            json!({"ChecksumAlgorithm": "CRC32"}),
            "InvalidRequest: x-amz-sdk-checksum-algorithm specified, but no corresponding x-amz-checksum-* or x-amz-trailer headers were found.",
        ),
    ] {
        assert_eq!(refused(write(more).await), expected);
    }
}

#[tokio::test]
async fn what_the_signature_covers_is_the_checksum_of_sha_256() {
    let world = with_bucket().await;
    for len in [5, 100_000] {
        let body = vec![7; len];
        let sha256: [u8; 32] = sha2::Sha256::digest(&body).into();
        let promise =
            |sha256: [u8; 32]| json!({"Key": "a", "ChecksumSHA256": STANDARD.encode(sha256)});
        let signed = || Body::from(body.clone()).with_sha256(sha256);
        let told = send(&world, "PutObject", promise(sha256), signed()).await.expect("written");
        assert_eq!(told["ChecksumSHA256"], STANDARD.encode(sha256));
        assert_eq!(told["ETag"], format!("\"{}\"", hex::encode(md5::Md5::digest(&body))));
        let other = send(&world, "PutObject", promise([7; 32]), signed()).await;
        let expected = "BadDigest: The SHA256 you specified did not match the calculated checksum.";
        assert_eq!(refused(other), expected);
        // Of other algorithms the signature says nothing.
        let crc = json!({"Key": "a", "ChecksumCRC32": "AAAAAA=="});
        let expected = "BadDigest: The CRC32 you specified did not match the calculated checksum.";
        assert_eq!(refused(send(&world, "PutObject", crc, signed()).await), expected);
    }
}

/// A body in frames, followed by headers.
fn trailed(bytes: Vec<u8>, name: &str, value: String) -> Body {
    struct Frames(Option<Vec<u8>>, Trailers, Option<(String, String)>);
    impl futures_core::Stream for Frames {
        type Item = Result<fogbank_core::bytes::Bytes, fogbank_core::wire::BodyError>;
        fn poll_next(
            mut self: std::pin::Pin<&mut Self>,
            _: &mut std::task::Context<'_>,
        ) -> std::task::Poll<Option<Self::Item>> {
            if let Some(bytes) = self.0.take() {
                return std::task::Poll::Ready(Some(Ok(bytes.into())));
            }
            if let Some(trailer) = self.2.take() {
                let _ = self.1.set(vec![trailer]);
            }
            std::task::Poll::Ready(None)
        }
    }
    let trailers = Trailers::default();
    let len = bytes.len() as u64;
    let frames = Frames(Some(bytes), trailers.clone(), Some((name.to_owned(), value)));
    Body::stream(Some(len), frames).with_trailers(trailers)
}

#[tokio::test]
async fn checksums_may_follow_the_body() {
    let world = with_bucket().await;
    for size in [5, 200_000] {
        let bytes = noise(size);
        for algorithm in crate::checksums::Algorithm::ALL {
            let header = format!("x-amz-checksum-{}", algorithm.lower_name());
            let right = STANDARD.encode(algorithm.of(&bytes));
            // With the algorithm named before the body, and without.
            for more in
                [json!({"Key": "a", "ChecksumAlgorithm": algorithm.name()}), json!({"Key": "a"})]
            {
                let body = trailed(bytes.clone(), &header, right.clone());
                let told = send(&world, "PutObject", more.clone(), body).await.expect("written");
                assert_eq!(told["ETag"], e_tag(&bytes));
                let wrong = STANDARD.encode(algorithm.of(b"other"));
                let body = trailed(bytes.clone(), &header, wrong);
                let outcome = send(&world, "PutObject", more, body).await;
                let name = algorithm.name();
                assert_eq!(
                    refused(outcome),
                    format!(
                        "BadDigest: The {name} you specified did not match the calculated checksum."
                    )
                );
            }
            let told = call(&world, "HeadObject", json!({"Key": "a", "ChecksumMode": "ENABLED"}));
            assert!(told.await.expect("a head").to_string().contains(&right));
        }
    }
}

#[tokio::test]
async fn bodies_that_break_off_leave_nothing() {
    let world = with_bucket().await;
    let short = || {
        let frames = std::iter::once(Ok::<_, fogbank_core::wire::BodyError>("abc".into()));
        Body::stream(Some(50_000), Iter(frames.collect::<Vec<_>>().into_iter()))
    };
    let outcome = send(&world, "PutObject", json!({"Key": "a"}), short()).await;
    assert_eq!(
        refused(outcome),
        "IncompleteBody: You did not provide the number of bytes specified by the Content-Length HTTP header"
    );
    let broken = Body::stream(Some(5), Iter(vec![Err("connection reset".into())].into_iter()));
    let outcome = send(&world, "PutObject", json!({"Key": "a"}), broken).await;
    assert!(refused(outcome).starts_with("IncompleteBody: "));
    let unknown = Body::stream(None, Iter(Vec::new().into_iter()));
    let outcome = send(&world, "PutObject", json!({"Key": "a"}), unknown).await;
    assert!(refused(outcome).starts_with("NotImplemented: "));
    assert!(refused(get(&world, json!({"Key": "a"})).await).starts_with("NoSuchKey: "));
}

struct Iter<I>(I);

impl<I: Iterator + Unpin> futures_core::Stream for Iter<I> {
    type Item = I::Item;
    fn poll_next(
        mut self: std::pin::Pin<&mut Self>,
        _: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<I::Item>> {
        std::task::Poll::Ready(self.0.next())
    }
}

#[tokio::test]
async fn attributes_are_told_one_by_one() {
    let world = with_bucket().await;
    put(&world, "a", "hello".to_owned()).await;
    let input =
        json!({"Key": "a", "ObjectAttributes": ["ETag", "Checksum", "ObjectSize", "StorageClass"]});
    let told = call(&world, "GetObjectAttributes", input).await.expect("attributes");
    assert_eq!(
        told,
        json!({
            "LastModified": 1_767_225_600,
            "ETag": "5d41402abc4b2a76b9719d911017c592",
            "ObjectSize": 5,
            "StorageClass": "STANDARD",
            "Checksum": {"ChecksumCRC64NVME": "M3eFcAZSQlc=", "ChecksumType": "FULL_OBJECT"},
        })
    );
    let wrong = json!({"Key": "a", "ObjectAttributes": ["Colour"]});
    let outcome = call(&world, "GetObjectAttributes", wrong).await;
    assert!(refused(outcome).starts_with("InvalidArgument: "));
}

#[tokio::test]
async fn many_objects_are_removed_at_once() {
    let world = with_bucket().await;
    for key in ["a", "b", "c"] {
        put(&world, key, key.to_owned()).await;
    }
    let keys = json!([
        {"Key": "a"},
        {"Key": "never"},
        {"Key": "b", "VersionId": "x"},
        {"Key": "c", "ETag": "\"other\""},
    ]);
    let output =
        call(&world, "DeleteObjects", json!({"Delete": {"Objects": keys}})).await.expect("removed");
    assert_eq!(output["Deleted"], json!([{"Key": "a"}, {"Key": "never"}]));
    let codes: Vec<_> =
        output["Errors"].as_array().expect("errors").iter().map(|error| &error["Code"]).collect();
    assert_eq!(codes, ["NoSuchVersion", "PreconditionFailed"]);
    let quiet = json!({"Delete": {"Quiet": true, "Objects": [{"Key": "b"}]}});
    let output = call(&world, "DeleteObjects", quiet).await.expect("removed");
    assert_eq!(output, json!({"Deleted": [], "Errors": []}));
    let listed = call(&world, "ListObjectsV2", json!({})).await.expect("a list");
    assert_eq!(listed["KeyCount"], 1);
    let many: Vec<_> = (0..1001).map(|n| json!({"Key": n.to_string()})).collect();
    let outcome = call(&world, "DeleteObjects", json!({"Delete": {"Objects": many}})).await;
    assert!(refused(outcome).starts_with("MalformedXML: "));
}

#[tokio::test]
async fn archived_objects_must_be_restored_first() {
    let world = with_bucket().await;
    let input = json!({"Key": "a", "StorageClass": "GLACIER"});
    send(&world, "PutObject", input, "x".to_owned()).await.expect("written");
    assert_eq!(
        refused(get(&world, json!({"Key": "a"})).await),
        "InvalidObjectState: The operation is not valid for the object's storage class StorageClass=GLACIER"
    );
    let head = call(&world, "HeadObject", json!({"Key": "a"})).await.expect("a head");
    assert_eq!(head["StorageClass"], "GLACIER");
    let input = json!({"Key": "a", "StorageClass": "OUTPOSTS"});
    let outcome = send(&world, "PutObject", input, Body::empty()).await;
    assert!(refused(outcome).starts_with("InvalidStorageClass: "));
}

#[tokio::test]
async fn a_stranger_learns_nothing() {
    let world: World = with_bucket().await;
    put(&world, "a", "x".to_owned()).await;
    for key in ["a", "missing"] {
        let input = json!({"Bucket": "photos", "Key": key});
        let outcome = world.call_as(Principal::anonymous(), "s3:GetObject", input.clone()).await;
        assert!(refused(outcome).starts_with("AccessDenied: "));
        let stranger = Principal::root("111111111111");
        let outcome = world.call_as(stranger, "s3:GetObject", input).await;
        assert!(refused(outcome).starts_with("AccessDenied: "));
    }
    let owner = Principal::root(ACCOUNT);
    let input = json!({"Bucket": "photos", "Key": "missing"});
    let outcome = world.call_as(owner, "s3:GetObject", input).await;
    assert!(refused(outcome).starts_with("NoSuchKey: "));
}
