//! Encryption with customers' keys: what is stored is not what was sent, and only the right key opens it.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use fogbank_testkit::{Value, World, json};
use md5::Digest;

use super::{allow_customer_keys, call, get, noise, refused, send, with};
use crate::checksums::Algorithm;

async fn with_bucket() -> World {
    let world = super::with_bucket().await;
    allow_customer_keys(&world, "photos").await;
    world
}

pub(super) fn key(byte: u8, prefix: &str) -> Value {
    let key = [byte; 32];
    json!({
        format!("{prefix}SSECustomerAlgorithm"): "AES256",
        format!("{prefix}SSECustomerKey"): STANDARD.encode(key),
        format!("{prefix}SSECustomerKeyMD5"): STANDARD.encode(md5::Md5::digest(key)),
    })
}

#[tokio::test]
async fn only_the_right_key_opens_an_object() {
    let world = with_bucket().await;
    for size in [0, 5, 16 << 10, 300_000, 5_000_000] {
        let body = noise(size);
        let input = with(json!({"Key": "a"}), key(1, ""));
        let told = send(&world, "PutObject", input.clone(), body.clone()).await.expect("written");
        assert_eq!(told["SSECustomerAlgorithm"], "AES256");
        assert_eq!(told["ServerSideEncryption"], Value::Null);
        let (told, read) = get(&world, input.clone()).await.expect("read");
        assert!(read == body, "{size}");
        assert_eq!(told["SSECustomerKeyMD5"], input["SSECustomerKeyMD5"]);
        let outcome = refused(get(&world, json!({"Key": "a"})).await);
        assert!(outcome.starts_with("InvalidRequest: The object was stored using a form"));
        let outcome = refused(get(&world, with(json!({"Key": "a"}), key(2, ""))).await);
        assert!(outcome.starts_with("AccessDenied"), "{outcome}");
        let of = |key: Value| with(json!({"Key": "a", "ObjectAttributes": ["ObjectSize"]}), key);
        let outcome = call(&world, "GetObjectAttributes", of(json!({}))).await;
        assert!(refused(outcome).starts_with("InvalidRequest: The object was stored"));
        let told = call(&world, "GetObjectAttributes", of(key(1, ""))).await.expect("told");
        assert_eq!(told["ObjectSize"], size);
        if size > 5 {
            let part = with(input, json!({"Range": "bytes=1001-4007"}));
            assert!(get(&world, part).await.expect("a range").1 == body[1001..4008]);
        }
    }
}

#[tokio::test]
async fn parts_and_copies_change_keys() {
    let world = with_bucket().await;
    let begun = with(json!({"Key": "a"}), key(1, ""));
    let begun = call(&world, "CreateMultipartUpload", begun).await.expect("begun");
    let body = noise((5 << 20) + 100_003);
    let place = json!({"Key": "a", "UploadId": begun["UploadId"]});
    let mut parts = Vec::new();
    for (number, part) in [(1, &body[..5 << 20]), (2, &body[5 << 20..])] {
        let input = with(place.clone(), json!({"PartNumber": number}));
        let outcome = send(&world, "UploadPart", input.clone(), part.to_vec()).await;
        assert!(refused(outcome).contains("must include the appropriate encryption parameters"));
        let outcome = send(&world, "UploadPart", with(input.clone(), key(2, "")), part.to_vec());
        assert!(refused(outcome.await).contains("did not match the ones used originally"));
        let told = send(&world, "UploadPart", with(input, key(1, "")), part.to_vec()).await;
        parts.push(json!({"PartNumber": number, "ETag": told.expect("a part")["ETag"]}));
    }
    let done = with(place, json!({"MultipartUpload": {"Parts": parts}}));
    call(&world, "CompleteMultipartUpload", done).await.expect("completed");
    let input = with(json!({"Key": "a"}), key(1, ""));
    assert!(get(&world, input.clone()).await.expect("read").1 == body);
    let range = with(input, json!({"Range": "bytes=5242870-5242890"}));
    assert!(get(&world, range).await.expect("a range").1 == body[5_242_870..=5_242_890]);
    // From one key to another, and to none.
    let source = with(json!({"Key": "b", "CopySource": "photos/a"}), key(1, "CopySource"));
    let outcome = call(&world, "CopyObject", json!({"Key": "b", "CopySource": "photos/a"})).await;
    assert!(refused(outcome).starts_with("InvalidRequest"));
    call(&world, "CopyObject", with(source.clone(), key(2, ""))).await.expect("copied");
    assert!(get(&world, with(json!({"Key": "b"}), key(2, ""))).await.expect("read").1 == body);
    call(&world, "CopyObject", source).await.expect("copied");
    assert!(get(&world, json!({"Key": "b"})).await.expect("read").1 == body);
}

#[tokio::test]
async fn a_bucket_may_block_customers_keys() {
    let world = with_bucket().await;
    let input = with(json!({"Key": "a"}), key(1, ""));
    send(&world, "PutObject", input.clone(), noise(5)).await.expect("written");
    let begun = call(&world, "CreateMultipartUpload", input.clone()).await.expect("begun");
    let block = async |rule: Value| {
        let rules = json!({"ServerSideEncryptionConfiguration": {"Rules": [rule]}});
        call(&world, "PutBucketEncryption", rules).await
    };
    let kinds = |kinds: Value| json!({"BlockedEncryptionTypes": {"EncryptionType": kinds}});
    block(kinds(json!(["SSE-C"]))).await.expect("set");
    let told = call(&world, "GetBucketEncryption", json!({})).await.expect("told");
    let rule = &told["ServerSideEncryptionConfiguration"]["Rules"][0];
    assert_eq!(rule["BlockedEncryptionTypes"]["EncryptionType"], json!(["SSE-C"]));
    assert_eq!(rule["ApplyServerSideEncryptionByDefault"]["SSEAlgorithm"], "AES256");
    let default = json!({"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}});
    block(default.clone()).await.expect("the block stays");
    let outcome = refused(send(&world, "PutObject", input.clone(), noise(5)).await);
    assert!(outcome.starts_with("AccessDenied: "), "{outcome}");
    let outcome = refused(call(&world, "CreateMultipartUpload", input.clone()).await);
    assert!(outcome.starts_with("AccessDenied: "), "{outcome}");
    let copy = with(json!({"Key": "b", "CopySource": "photos/a"}), key(1, "CopySource"));
    let outcome = refused(call(&world, "CopyObject", with(copy.clone(), key(2, ""))).await);
    assert!(outcome.starts_with("AccessDenied: "), "{outcome}");
    // What was written and begun before is as it was.
    call(&world, "CopyObject", copy).await.expect("copied");
    assert!(get(&world, input.clone()).await.expect("read").1 == noise(5));
    let part = json!({"Key": "a", "UploadId": begun["UploadId"], "PartNumber": 1});
    send(&world, "UploadPart", with(part, key(1, "")), noise(5)).await.expect("a part");
    for wrong in [json!([]), json!(["NONE", "SSE-C"])] {
        assert!(refused(block(kinds(wrong)).await).starts_with("MalformedXML"));
    }
    assert!(refused(block(json!({})).await).starts_with("MalformedXML"));
    block(with(default, kinds(json!(["NONE"])))).await.expect("set");
    send(&world, "PutObject", input, noise(5)).await.expect("written");
}

#[tokio::test]
async fn new_buckets_block_customers_keys() {
    let world = super::with_bucket().await;
    let input = with(json!({"Key": "a"}), key(1, ""));
    let told = call(&world, "GetBucketEncryption", json!({})).await.expect("told");
    assert_eq!(
        told["ServerSideEncryptionConfiguration"]["Rules"],
        json!([{
            "ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"},
            "BucketKeyEnabled": false,
            "BlockedEncryptionTypes": {"EncryptionType": ["SSE-C"]},
        }])
    );
    let outcome = refused(send(&world, "PutObject", input.clone(), noise(5)).await);
    assert!(outcome.starts_with("AccessDenied: "), "{outcome}");
    let by = json!({"SSEAlgorithm": "aws:kms"});
    let rules = json!({"Rules": [{"ApplyServerSideEncryptionByDefault": by}]});
    let other = json!({"ServerSideEncryptionConfiguration": rules});
    call(&world, "PutBucketEncryption", other).await.expect("set");
    let outcome = refused(send(&world, "PutObject", input.clone(), noise(5)).await);
    assert!(outcome.starts_with("AccessDenied: "), "{outcome}");
    allow_customer_keys(&world, "photos").await;
    send(&world, "PutObject", input.clone(), noise(5)).await.expect("written");
    call(&world, "DeleteObject", json!({"Key": "a"})).await.expect("removed");
    call(&world, "DeleteBucket", json!({})).await.expect("removed");
    call(&world, "CreateBucket", json!({})).await.expect("made again");
    let outcome = refused(send(&world, "PutObject", input, noise(5)).await);
    assert!(outcome.starts_with("AccessDenied: "), "{outcome}");
}

#[tokio::test]
async fn an_upload_with_a_checksum_is_completed_with_its_key() {
    let world = with_bucket().await;
    let begin = json!({"Key": "a", "ChecksumAlgorithm": "CRC32"});
    let begun =
        call(&world, "CreateMultipartUpload", with(begin, key(1, ""))).await.expect("begun");
    let place = json!({"Key": "a", "UploadId": begun["UploadId"]});
    let crc32 = STANDARD.encode(Algorithm::Crc32.of(&noise(5)));
    let part = with(place.clone(), json!({"PartNumber": 1, "ChecksumCRC32": crc32}));
    let told = send(&world, "UploadPart", with(part, key(1, "")), noise(5)).await.expect("a part");
    let parts = json!([{"PartNumber": 1, "ETag": told["ETag"], "ChecksumCRC32": crc32}]);
    let done = with(place, json!({"MultipartUpload": {"Parts": parts}}));
    let outcome = refused(call(&world, "CompleteMultipartUpload", done.clone()).await);
    assert!(outcome.contains("must include the appropriate encryption parameters"), "{outcome}");
    let other = with(done.clone(), key(2, ""));
    let outcome = refused(call(&world, "CompleteMultipartUpload", other).await);
    assert!(outcome.contains("did not match the ones used originally"), "{outcome}");
    call(&world, "CompleteMultipartUpload", with(done, key(1, ""))).await.expect("completed");
}
