//! Every checksum algorithm, wherever a checksum is given or told.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use fogbank_testkit::{Value, json};

use super::{call, get, noise, put, refused, send, with, with_bucket};
use crate::checksums::{Algorithm, composite};

const PART: usize = 5 << 20;

/// The member of inputs and outputs with the checksum of an algorithm.
fn member(algorithm: Algorithm) -> String {
    format!("Checksum{}", algorithm.name())
}

fn text(algorithm: Algorithm, bytes: &[u8]) -> String {
    STANDARD.encode(algorithm.of(bytes))
}

/// An input's member with the checksum of bytes.
fn given(algorithm: Algorithm, bytes: &[u8]) -> Value {
    json!({ &*member(algorithm): text(algorithm, bytes) })
}

#[tokio::test]
async fn each_algorithm_is_verified_stored_and_told() {
    let world = with_bucket().await;
    // In the row, and in a file.
    for bytes in [Vec::new(), b"123456789".to_vec(), noise(100_000)] {
        for algorithm in Algorithm::ALL {
            let (member, right) = (member(algorithm), text(algorithm, &bytes));
            let write = |value: Value| {
                send(&world, "PutObject", with(json!({"Key": "a"}), value), bytes.clone())
            };
            let told = write(given(algorithm, &bytes)).await.expect("written");
            assert_eq!(
                (&told[&member], &told["ChecksumType"]),
                (&json!(right), &json!("FULL_OBJECT"))
            );
            assert_eq!(
                refused(write(given(algorithm, b"other")).await),
                format!(
                    "BadDigest: The {} you specified did not match the calculated checksum.",
                    algorithm.name()
                )
            );
            for wrong in ["", "x", &STANDARD.encode([0; 3]), &right.replace('=', "")] {
                // Some have no padding to lose.
                if *wrong != right {
                    assert_eq!(
                        refused(write(json!({ &*member: wrong })).await),
                        format!(
                            "InvalidRequest: Value for x-amz-checksum-{} header is invalid.",
                            algorithm.lower_name()
                        )
                    );
                }
            }
            let mode = json!({"Key": "a", "ChecksumMode": "ENABLED"});
            let (found, _) = get(&world, mode.clone()).await.expect("it");
            let head = call(&world, "HeadObject", mode).await.expect("a head");
            let asked = json!({"Key": "a", "ObjectAttributes": ["Checksum"]});
            let attributes = call(&world, "GetObjectAttributes", asked).await.expect("attributes");
            for found in [&found, &head, &attributes["Checksum"]] {
                assert_eq!(found[&member], right, "{found}");
            }
            for (operation, list) in
                [("ListObjectsV2", "Contents"), ("ListObjectVersions", "Versions")]
            {
                let listed = call(&world, operation, json!({})).await.expect("a list");
                let first = &listed[list][0];
                assert_eq!(first["ChecksumAlgorithm"], json!([algorithm.name()]));
                assert_eq!(first["ChecksumType"], "FULL_OBJECT");
            }
        }
    }
}

#[tokio::test]
async fn copies_have_the_checksum_that_is_wished() {
    let world = with_bucket().await;
    let bytes = noise(20_000);
    put(&world, "a", bytes.clone()).await;
    let mut source = "a".to_owned();
    for algorithm in Algorithm::ALL {
        let key = format!("copy-{}", algorithm.lower_name());
        let copy = json!({"Key": key, "CopySource": format!("photos/{source}")});
        let wished = with(copy, json!({"ChecksumAlgorithm": algorithm.name()}));
        let told = call(&world, "CopyObject", wished).await.expect("a copy");
        let told = &told["CopyObjectResult"];
        assert_eq!(told[member(algorithm)], text(algorithm, &bytes));
        // Without a wish, a copy has the algorithm of its source.
        let copy = json!({"Key": "again", "CopySource": format!("photos/{key}")});
        let again = call(&world, "CopyObject", copy).await.expect("a copy");
        assert_eq!(again["CopyObjectResult"][member(algorithm)], told[member(algorithm)]);
        source = key;
    }
    let copy = json!({"Key": "b", "CopySource": "photos/a", "ChecksumAlgorithm": "XXHASH32"});
    assert_eq!(
        refused(call(&world, "CopyObject", copy).await),
        "InvalidRequest: Checksum algorithm provided is unsupported. Please try again with any of the valid types: \
         [CRC32, CRC32C, CRC64NVME, MD5, SHA1, SHA256, SHA512, XXHASH128, XXHASH3, XXHASH64]"
    );
}

#[tokio::test]
async fn uploads_have_checksums_of_each_algorithm_and_type() {
    let world = with_bucket().await;
    let bytes = noise(PART + 10);
    let (head, tail) = bytes.split_at(PART);
    put(&world, "tail", tail.to_vec()).await;
    for algorithm in Algorithm::ALL {
        for kind in ["COMPOSITE", "FULL_OBJECT"] {
            let begin =
                json!({"Key": "a", "ChecksumAlgorithm": algorithm.name(), "ChecksumType": kind});
            let begun = call(&world, "CreateMultipartUpload", begin).await;
            let is_allowed = match kind {
                "COMPOSITE" => algorithm != Algorithm::Crc64Nvme,
                _ => algorithm.combines(),
            };
            if !is_allowed {
                let name = algorithm.lower_name();
                assert_eq!(
                    refused(begun),
                    format!(
                        "InvalidRequest: The {kind} checksum type cannot be used with the {name} checksum algorithm."
                    )
                );
                continue;
            }
            let begun = begun.expect("an upload");
            assert_eq!(begun["ChecksumType"], kind);
            let at = json!({"Key": "a", "UploadId": begun["UploadId"]});
            let one = with(with(at.clone(), json!({"PartNumber": 1})), given(algorithm, head));
            let one = send(&world, "UploadPart", one, head.to_vec()).await.expect("a part");
            let two = json!({"PartNumber": 2, "CopySource": "photos/tail"});
            let two = call(&world, "UploadPartCopy", with(at.clone(), two)).await.expect("a part");
            let name = member(algorithm);
            assert_eq!(one[&name], text(algorithm, head));
            assert_eq!(two["CopyPartResult"][&name], text(algorithm, tail));
            let listed = call(&world, "ListParts", at.clone()).await.expect("parts");
            assert_eq!(listed["ChecksumAlgorithm"], algorithm.name());
            assert_eq!(listed["Parts"][1][&name], text(algorithm, tail));
            let parts = json!([
                {"PartNumber": 1, "ETag": one["ETag"], &*name: one[&name]},
                {"PartNumber": 2, "ETag": two["CopyPartResult"]["ETag"], &*name: text(algorithm, tail)},
            ]);
            let values = [algorithm.of(head), algorithm.of(tail)];
            let whole = match kind {
                "COMPOSITE" => composite(algorithm, values.iter().map(Vec::as_slice)).text(2),
                _ => text(algorithm, &bytes),
            };
            let malformed =
                with(at.clone(), json!({"MultipartUpload": {"Parts": parts}, &*name: "x"}));
            assert_eq!(
                refused(call(&world, "CompleteMultipartUpload", malformed).await),
                format!(
                    "InvalidRequest: Value for x-amz-checksum-{} header is invalid.",
                    algorithm.lower_name()
                )
            );
            let promise = json!({
                "MultipartUpload": {"Parts": parts}, &*name: whole, "ChecksumType": kind,
            });
            let done = call(&world, "CompleteMultipartUpload", with(at, promise)).await;
            let done = done.expect("done");
            assert_eq!((&done[&name], &done["ChecksumType"]), (&json!(whole), &json!(kind)));
            let mode = json!({"Key": "a", "ChecksumMode": "ENABLED"});
            let found = call(&world, "HeadObject", mode).await.expect("a head");
            assert_eq!((&found[&name], &found["ChecksumType"]), (&json!(whole), &json!(kind)));
            let listed =
                call(&world, "ListObjectsV2", json!({"Prefix": "a"})).await.expect("a list");
            assert_eq!(listed["Contents"][0]["ChecksumType"], kind);
            // A range that is a part has the part's checksum, if that of the object is made of those of the parts.
            let is_composite = kind == "COMPOSITE";
            let of_part = |part: &[u8]| is_composite.then(|| text(algorithm, part));
            for (range, expected) in [
                (format!("bytes=0-{}", PART - 1), of_part(head)),
                (format!("bytes={PART}-"), of_part(tail)),
                ("bytes=1-5".to_owned(), None),
                (format!("bytes=0-{PART}"), None),
                ("bytes=0-".to_owned(), (!is_composite).then(|| text(algorithm, &bytes))),
            ] {
                let asked = json!({"Key": "a", "ChecksumMode": "ENABLED", "Range": range});
                let found = call(&world, "HeadObject", asked).await.expect("a head");
                assert_eq!(found.get(&name), expected.map(Value::from).as_ref(), "{range}");
            }
        }
    }
}

#[tokio::test]
async fn forms_have_a_field_for_each_algorithm() {
    let world = super::http::public().await;
    let bytes = b"123456789";
    let field = |name: &str, value: &str| {
        format!("--x\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n")
    };
    let headers = [("content-type", "multipart/form-data; boundary=x")];
    for algorithm in Algorithm::ALL {
        let name = format!("x-amz-checksum-{}", algorithm.lower_name());
        for (promised, status) in [(&bytes[..], "204"), (b"other", "400")] {
            let body = [
                field("key", "a"),
                field(&name, &text(algorithm, promised)),
                field("file", "123456789"),
                "--x--\r\n".to_owned(),
            ];
            let answer =
                super::http::request(&world, "POST /photos", &headers, body.concat()).await;
            assert!(answer.starts_with(status), "{name}: {answer}");
        }
        let head = json!({"Key": "a", "ChecksumMode": "ENABLED"});
        let head = call(&world, "HeadObject", head).await.expect("a head");
        assert_eq!(head[member(algorithm)], text(algorithm, bytes));
    }
}

#[tokio::test]
async fn chunks_without_a_byte_have_a_checksum() {
    let world = super::http::public().await;
    let headers = [
        ("content-encoding", "aws-chunked"),
        ("x-amz-decoded-content-length", "0"),
        ("x-amz-trailer", "x-amz-checksum-xxhash64"),
    ];
    for (value, status) in [("70bbN1HY6Zk=", "200"), ("AAAAAAAAAAA=", "400"), ("x", "400")] {
        let body = format!("0\r\nx-amz-checksum-xxhash64:{value}\r\n\r\n");
        let answer = super::http::request(&world, "PUT /photos/a", &headers, body).await;
        assert!(answer.starts_with(status), "{value}: {answer}");
    }
}

#[tokio::test]
async fn what_will_be_locked_comes_with_a_digest() {
    let world = super::http::public().await;
    let versions = json!({"VersioningConfiguration": {"Status": "Enabled"}});
    call(&world, "PutBucketVersioning", versions).await.expect("versions");
    let lock = json!({"ObjectLockConfiguration": {"ObjectLockEnabled": "Enabled"}});
    call(&world, "PutObjectLockConfiguration", lock).await.expect("a lock");
    let message = |requests: &str| {
        format!(
            "<Code>InvalidRequest</Code><Message>Content-MD5 OR x-amz-checksum- HTTP header is required for {requests} \
             requests with Object Lock parameters</Message>"
        )
    };
    let length = ("content-length", "5");
    let hold = ("x-amz-object-lock-legal-hold", "ON");
    let crc = ("x-amz-checksum-crc32", "NhCmhg==");
    let put = async |headers: &[(&str, &str)]| {
        super::http::request(&world, "PUT /photos/a", headers, "hello".to_owned()).await
    };
    assert!(put(&[length]).await.starts_with("200"), "nothing will be locked");
    assert!(put(&[length, hold]).await.contains(&message("Put Object")));
    assert!(put(&[length, hold, crc]).await.starts_with("200"));
    let rule = json!({"DefaultRetention": {"Mode": "GOVERNANCE", "Days": 1}});
    let lock = json!({"ObjectLockConfiguration": {"ObjectLockEnabled": "Enabled", "Rule": rule}});
    call(&world, "PutObjectLockConfiguration", lock).await.expect("a lock");
    assert!(put(&[length]).await.contains(&message("Put Object")));
    assert!(put(&[length, ("content-md5", "XUFAKrxLKna5cZ2REBfFkg==")]).await.starts_with("200"));
    let begun =
        call(&world, "CreateMultipartUpload", json!({"Key": "a"})).await.expect("an upload");
    let id = begun["UploadId"].as_str().expect("an id");
    let line = format!("PUT /photos/a?partNumber=1&uploadId={id}");
    for (headers, is_taken) in [(&[length][..], false), (&[length, crc], true)] {
        let answer = super::http::request(&world, &line, headers, "hello".to_owned()).await;
        assert_eq!(answer.starts_with("200"), is_taken, "{answer}");
        assert_eq!(answer.contains(&message("Put Part")), !is_taken, "{answer}");
    }
}
