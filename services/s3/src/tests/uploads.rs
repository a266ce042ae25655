//! Multipart uploads.

use fogbank_core::store::Read;
use fogbank_testkit::{Value, World, json};

use super::{body_of, call, e_tag, get, noise, put, refused, send, with, with_bucket};
use crate::store;

const PART: usize = 5 << 20;

async fn begin(world: &World, more: Value) -> String {
    let input = with(json!({"Key": "big"}), more);
    let output = call(world, "CreateMultipartUpload", input).await.expect("an upload");
    output["UploadId"].as_str().expect("an id").to_owned()
}

async fn upload(world: &World, id: &str, number: i32, bytes: Vec<u8>, more: Value) -> Value {
    let input = with(json!({"Key": "big", "UploadId": id, "PartNumber": number}), more);
    send(world, "UploadPart", input, bytes).await.expect("a part")
}

fn listed(parts: &[(i32, &Value)]) -> Value {
    let parts: Vec<_> = parts
        .iter()
        .map(|(number, told)| {
            let mut part = json!({"PartNumber": number, "ETag": told["ETag"]});
            for (name, value) in told.as_object().expect("members") {
                if name.starts_with("Checksum") {
                    part[name] = value.clone();
                }
            }
            part
        })
        .collect();
    json!({"MultipartUpload": {"Parts": parts}})
}

async fn complete(
    world: &World,
    id: &str,
    parts: &[(i32, &Value)],
) -> Result<Value, fogbank_core::Fault> {
    let input = with(json!({"Key": "big", "UploadId": id}), listed(parts));
    call(world, "CompleteMultipartUpload", input).await
}

fn rows<K: fogbank_core::store::Key, V: fogbank_core::store::Value>(
    world: &World,
    table: &fogbank_core::store::Table<K, V>,
) -> usize
where
    (): fogbank_core::store::KeyPrefix<K>,
{
    let view = world.cloud().db().snapshot();
    let view: &dyn Read = &view;
    table.range(&()).count(view).expect("a count")
}

#[tokio::test]
async fn parts_become_an_object_where_they_lie() {
    let world = with_bucket().await;
    put(&world, "big", "old".to_owned()).await;
    let headers = json!({"ContentType": "text/plain", "Metadata": {"a": "b"}, "Tagging": "k=v"});
    let id = begin(&world, headers).await;
    let bytes = noise(2 * PART + 1000);
    let one = upload(&world, &id, 3, bytes[..PART].to_vec(), json!({})).await;
    let two = upload(&world, &id, 7, bytes[PART..2 * PART].to_vec(), json!({})).await;
    upload(&world, &id, 9, b"overwritten".to_vec(), json!({})).await;
    let three = upload(&world, &id, 9, bytes[2 * PART..].to_vec(), json!({})).await;
    upload(&world, &id, 11, b"not listed".to_vec(), json!({})).await;
    assert_eq!(body_of(&world, "big").await, "old");
    let told = complete(&world, &id, &[(3, &one), (7, &two), (9, &three)]).await.expect("done");
    let md5s: Vec<u8> = [&bytes[..PART], &bytes[PART..2 * PART], &bytes[2 * PART..]]
        .iter()
        .flat_map(|part| crate::checksums::Algorithm::Md5.of(part))
        .collect();
    let tag = format!("{}-3\"", e_tag(&md5s).trim_end_matches('"'));
    assert_eq!(told["ETag"], tag);
    assert_eq!(told["ChecksumType"], "FULL_OBJECT");
    assert_eq!(told["Location"], "http://127.0.0.1:4566/photos/big");
    let (head, body) =
        get(&world, json!({"Key": "big", "ChecksumMode": "ENABLED"})).await.expect("it");
    assert_eq!(body, bytes);
    assert_eq!((&head["ETag"], &head["ContentType"]), (&json!(tag), &json!("text/plain")));
    assert_eq!(head["ChecksumCRC64NVME"], told["ChecksumCRC64NVME"]);
    assert_eq!((&head["Metadata"]["a"], &head["TagCount"]), (&json!("b"), &json!(1)));
    let across = format!("bytes={}-{}", PART - 2, PART + 1);
    let (_, body) = get(&world, json!({"Key": "big", "Range": across})).await.expect("a range");
    assert_eq!(body, bytes[PART - 2..PART + 2]);
    let (told, body) = get(&world, json!({"Key": "big", "PartNumber": 9})).await.expect("a part");
    assert_eq!(body, bytes[2 * PART..]);
    assert_eq!((&told["PartsCount"], &told["StatusCode"]), (&json!(3), &json!(206)));
    // The answer may be asked for again, and nothing stays behind.
    complete(&world, &id, &[(3, &one)]).await.expect("the same answer");
    assert_eq!((rows(&world, &store::UPLOADS), rows(&world, &store::PARTS)), (0, 3));
    call(&world, "DeleteObject", json!({"Key": "big"})).await.expect("removed");
    assert_eq!(rows(&world, &store::PARTS), 0);
}

#[tokio::test]
async fn completions_are_held_against_the_parts() {
    let world = with_bucket().await;
    let id = begin(&world, json!({})).await;
    let one = upload(&world, &id, 1, b"small".to_vec(), json!({})).await;
    let two = upload(&world, &id, 2, b"last".to_vec(), json!({})).await;
    let outcome = complete(&world, &id, &[(1, &one), (2, &two)]).await;
    assert_eq!(
        refused(outcome),
        "EntityTooSmall: Your proposed upload is smaller than the minimum allowed size ETag=eb5c1399a871211c7e7ed732d15e3a8b MinSizeAllowed=5242880 PartNumber=1 ProposedSize=5"
    );
    let order = format!(
        "InvalidPartOrder: The list of parts was not in ascending order. Parts must be ordered by part number. UploadId={id}"
    );
    assert_eq!(refused(complete(&world, &id, &[(2, &two), (1, &one)]).await), order);
    let none = call(&world, "CompleteMultipartUpload", json!({"Key": "big", "UploadId": id})).await;
    assert!(refused(none).starts_with("MalformedXML: "));
    for parts in [[(3, &one)], [(1, &two)]] {
        let text = refused(complete(&world, &id, &parts).await);
        assert!(text.starts_with("InvalidPart: One or more of the specified parts"), "{text}");
    }
    let outcome = complete(&world, &id, &[]).await;
    assert_eq!(refused(outcome), "InvalidRequest: You must specify at least one part");
    let sized =
        with(json!({"Key": "big", "UploadId": id, "MpuObjectSize": 6}), listed(&[(1, &one)]));
    let outcome = call(&world, "CompleteMultipartUpload", sized).await;
    assert_eq!(
        refused(outcome),
        "InvalidRequest: The provided 'x-amz-mp-object-size' header value 6 does not match what was computed: 5"
    );
    let negative =
        with(json!({"Key": "big", "UploadId": id, "MpuObjectSize": -1}), listed(&[(1, &one)]));
    let outcome = call(&world, "CompleteMultipartUpload", negative).await;
    assert_eq!(
        refused(outcome),
        "InvalidRequest: Value for x-amz-mp-object-size header is less than zero: '-1'"
    );
    complete(&world, &id, &[(1, &two), (1, &one)]).await.expect("the last entry counts");
    assert_eq!(body_of(&world, "big").await, "small");
}

#[tokio::test]
async fn uploads_that_are_not_there() {
    let world = with_bucket().await;
    let id = begin(&world, json!({})).await;
    upload(&world, &id, 1, noise(100_000), json!({})).await;
    call(&world, "AbortMultipartUpload", json!({"Key": "big", "UploadId": id}))
        .await
        .expect("ended");
    assert_eq!((rows(&world, &store::UPLOADS), rows(&world, &store::PARTS)), (0, 0));
    let gone = |id: &str| {
        format!(
            "NoSuchUpload: The specified upload does not exist. The upload ID may be invalid, or the upload may have been aborted or completed. UploadId={id}"
        )
    };
    for id in [&id, "fake"] {
        let at = json!({"Key": "big", "UploadId": id, "PartNumber": 1});
        let outcome = send(&world, "UploadPart", at.clone(), "x".to_owned()).await;
        assert_eq!(refused(outcome), gone(id));
        for operation in ["AbortMultipartUpload", "ListParts", "CompleteMultipartUpload"] {
            let outcome = call(&world, operation, with(at.clone(), json!({}))).await;
            assert_eq!(refused(outcome), gone(id), "{operation}");
        }
    }
    for number in [0, -1, 10_001] {
        let at = json!({"Key": "big", "UploadId": id, "PartNumber": number});
        let outcome = send(&world, "UploadPart", at, "x".to_owned()).await;
        assert_eq!(
            refused(outcome),
            format!(
                "InvalidArgument: Part number must be an integer between 1 and 10000, inclusive ArgumentName=partNumber ArgumentValue={number}"
            )
        );
    }
}

#[tokio::test]
async fn checksums_of_parts_make_that_of_the_object() {
    let world = with_bucket().await;
    let bytes = noise(PART + 10);
    for (algorithm, kind) in [
        ("SHA256", "COMPOSITE"),
        ("CRC32", "COMPOSITE"),
        ("CRC32", "FULL_OBJECT"),
        ("CRC64NVME", "FULL_OBJECT"),
    ] {
        let id = begin(&world, json!({"ChecksumAlgorithm": algorithm, "ChecksumType": kind})).await;
        let name = format!("Checksum{algorithm}");
        let checked = |bytes: &[u8]| {
            let algorithm = crate::checksums::Algorithm::from_name(algorithm).expect("one");
            let value = crate::checksums::Checksum::full(algorithm, algorithm.of(bytes)).text(0);
            json!({ &*name: value })
        };
        let (head, tail) = bytes.split_at(PART);
        let one = upload(&world, &id, 1, head.to_vec(), checked(head)).await;
        let two = upload(&world, &id, 2, tail.to_vec(), checked(tail)).await;
        let told = complete(&world, &id, &[(1, &one), (2, &two)]).await.expect("done");
        assert_eq!(told["ChecksumType"], kind);
        let value = told[&name].as_str().expect("a checksum");
        match kind {
            "FULL_OBJECT" => assert_eq!(told[&name], checked(&bytes)[&name]),
            _ => assert!(value.ends_with("-2"), "{value}"),
        }
        let input = json!({"Key": "big", "ObjectAttributes": ["ObjectParts", "Checksum"]});
        let told = call(&world, "GetObjectAttributes", input).await.expect("attributes");
        assert_eq!(told["ObjectParts"]["TotalPartsCount"], 2);
        let parts = told["ObjectParts"]["Parts"].as_array().map(Vec::len);
        assert_eq!(parts, (kind == "COMPOSITE").then_some(2));
    }
}

#[tokio::test]
async fn checksums_that_do_not_fit_are_refused() {
    let world = with_bucket().await;
    let create =
        |more: Value| call(&world, "CreateMultipartUpload", with(json!({"Key": "big"}), more));
    for (more, expected) in [
        (
            json!({"ChecksumType": "COMPOSITE"}),
            "The x-amz-checksum-type header can only be used with the x-amz-checksum-algorithm header.",
        ),
        (
            json!({"ChecksumType": "COMPOSITE", "ChecksumAlgorithm": "CRC64NVME"}),
            "The COMPOSITE checksum type cannot be used with the crc64nvme checksum algorithm.",
        ),
        (
            json!({"ChecksumType": "FULL_OBJECT", "ChecksumAlgorithm": "SHA1"}),
            "The FULL_OBJECT checksum type cannot be used with the sha1 checksum algorithm.",
        ),
    ] {
        assert_eq!(refused(create(more).await), format!("InvalidRequest: {expected}"));
    }
    let id = begin(&world, json!({"ChecksumAlgorithm": "SHA256"})).await;
    let part = |more: Value| {
        let at = json!({"Key": "big", "UploadId": id, "PartNumber": 1});
        send(&world, "UploadPart", with(at, more), "hello".to_owned())
    };
    assert_eq!(
        refused(part(json!({"ChecksumCRC32": "NhCmhg=="})).await),
        "InvalidRequest: Checksum Type mismatch occurred, expected checksum Type: sha256, actual checksum Type: crc32"
    );
    assert!(refused(part(json!({})).await).ends_with("actual checksum Type: null"));
    let sha = "LPJNul+wow4m6DsqxbninhsWHlwfp0JecwQzYpOLmCQ=";
    let told = part(json!({"ChecksumSHA256": sha})).await.expect("a part");
    let bare = json!({"ETag": told["ETag"]});
    assert_eq!(
        refused(complete(&world, &id, &[(1, &bare)]).await),
        "InvalidRequest: The upload was created using a sha256 checksum. The complete request must include the checksum for each part. It was missing for part 1 in the request."
    );
}

#[tokio::test]
async fn uploads_and_parts_are_listed_by_pages() {
    let world = with_bucket().await;
    let mut ids = Vec::new();
    for key in ["a", "b/1", "b/2", "b/2", "c"] {
        let output = call(&world, "CreateMultipartUpload", json!({"Key": key})).await;
        let id = output.expect("an upload")["UploadId"].as_str().expect("an id").to_owned();
        ids.push((key.to_owned(), id));
    }
    for size in [1, 2, 10] {
        let mut found = Vec::new();
        let mut input = json!({"MaxUploads": size});
        loop {
            let output = call(&world, "ListMultipartUploads", input.clone()).await.expect("a page");
            for upload in output["Uploads"].as_array().expect("uploads") {
                let text = |name: &str| upload[name].as_str().expect("text").to_owned();
                found.push((text("Key"), text("UploadId")));
            }
            if output["IsTruncated"] == false {
                break;
            }
            input["KeyMarker"] = output["NextKeyMarker"].clone();
            input["UploadIdMarker"] = output["NextUploadIdMarker"].clone();
        }
        assert_eq!(found, ids, "{size}");
    }
    let input = json!({"Delimiter": "/"});
    let output = call(&world, "ListMultipartUploads", input).await.expect("a list");
    assert_eq!(output["CommonPrefixes"], json!([{"Prefix": "b/"}]));
    assert_eq!(output["Uploads"].as_array().map(Vec::len), Some(2));
    let id = begin(&world, json!({})).await;
    for number in [1, 2, 5] {
        upload(&world, &id, number, b"x".to_vec(), json!({})).await;
    }
    let at = json!({"Key": "big", "UploadId": id, "MaxParts": 2});
    let first = call(&world, "ListParts", at.clone()).await.expect("a page");
    assert_eq!((&first["IsTruncated"], &first["NextPartNumberMarker"]), (&json!(true), &json!(2)));
    let rest = with(at, json!({"PartNumberMarker": 2}));
    let rest = call(&world, "ListParts", rest).await.expect("the rest");
    assert_eq!((&rest["IsTruncated"], &rest["Parts"][0]["PartNumber"]), (&json!(false), &json!(5)));
}

#[tokio::test]
async fn parts_are_copied_from_objects() {
    let world = with_bucket().await;
    let bytes = noise(PART + 100);
    put(&world, "source", bytes.clone()).await;
    let id = begin(&world, json!({})).await;
    let copy = |number: i32, range: Value| {
        let input = json!({
            "Key": "big", "UploadId": id, "PartNumber": number,
            "CopySource": "photos/source", "CopySourceRange": range,
        });
        call(&world, "UploadPartCopy", input)
    };
    let one = copy(1, Value::Null).await.expect("all of it")["CopyPartResult"].clone();
    assert_eq!(one["ETag"], e_tag(&bytes));
    let two = copy(2, json!("bytes=5-9")).await.expect("five bytes")["CopyPartResult"].clone();
    complete(&world, &id, &[(1, &one), (2, &two)]).await.expect("done");
    let body = body_of(&world, "big").await;
    assert_eq!((&body[..bytes.len()], &body[bytes.len()..]), (&bytes[..], &bytes[5..10]));
}

#[tokio::test]
async fn a_deleted_buckets_uploads_go_in_the_background() {
    let world = with_bucket().await;
    let id = begin(&world, json!({})).await;
    for number in 1..300 {
        upload(&world, &id, number, b"x".to_vec(), json!({})).await;
    }
    call(&world, "DeleteBucket", json!({})).await.expect("deleted");
    assert_eq!((rows(&world, &store::UPLOADS), rows(&world, &store::PARTS)), (1, 299));
    let background = world.background();
    for _ in 0..1000 {
        if rows(&world, &store::DELETED) == 0 {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
    drop(background);
    assert_eq!((rows(&world, &store::UPLOADS), rows(&world, &store::PARTS)), (0, 0));
    assert_eq!(rows(&world, &store::ORPHANS), 0);
}
