//! Copying objects.

use fogbank_testkit::{Value, World, json};

use super::{body_of, call, e_tag, noise, put, refused, send, with, with_bucket};

async fn copy(world: &World, source: &str, more: Value) -> Result<Value, fogbank_core::Fault> {
    let input = with(json!({"Key": "copy", "CopySource": source}), more);
    call(world, "CopyObject", input).await
}

#[tokio::test]
async fn a_copy_outlives_its_source() {
    let world = with_bucket().await;
    for size in [5, 300_000] {
        let bytes = noise(size);
        let headers = json!({"Key": "a b", "ContentType": "text/plain", "Metadata": {"a": "b"}, "Tagging": "k=v"});
        send(&world, "PutObject", headers, bytes.clone()).await.expect("written");
        let told = copy(&world, "/photos/a%20b", json!({})).await.expect("a copy");
        assert_eq!(told["CopyObjectResult"]["ETag"], e_tag(&bytes));
        assert_eq!(told["CopyObjectResult"]["ChecksumType"], "FULL_OBJECT");
        call(&world, "DeleteObject", json!({"Key": "a b"})).await.expect("removed");
        world.cloud().blobs().sweep().expect("a sweep");
        assert_eq!(body_of(&world, "copy").await, bytes);
        let head = call(&world, "HeadObject", json!({"Key": "copy"})).await.expect("a head");
        assert_eq!((&head["ContentType"], &head["TagCount"]), (&json!("text/plain"), &json!(1)));
        assert_eq!(head["Metadata"], json!({"a": "b"}));
    }
}

#[tokio::test]
async fn directives_replace_metadata_and_tags() {
    let world = with_bucket().await;
    let headers = json!({"Key": "a", "ContentType": "text/plain", "Metadata": {"a": "b"}, "Tagging": "k=v&l=w"});
    send(&world, "PutObject", headers, "x".to_owned()).await.expect("written");
    let more = json!({
        "MetadataDirective": "REPLACE", "ContentType": "image/png", "Metadata": {"c": "d"},
        "TaggingDirective": "REPLACE", "Tagging": "m=n", "StorageClass": "GLACIER_IR",
    });
    copy(&world, "photos/a", more).await.expect("a copy");
    let head = call(&world, "HeadObject", json!({"Key": "copy"})).await.expect("a head");
    assert_eq!((&head["ContentType"], &head["TagCount"]), (&json!("image/png"), &json!(1)));
    assert_eq!(
        (&head["Metadata"], &head["StorageClass"]),
        (&json!({"c": "d"}), &json!("GLACIER_IR"))
    );
    let outcome = copy(&world, "photos/a", json!({"MetadataDirective": "KEEP"})).await;
    assert!(refused(outcome).starts_with("InvalidArgument: Unknown metadata directive."));
}

#[tokio::test]
async fn an_object_is_copied_to_itself_only_with_a_change() {
    let world = with_bucket().await;
    put(&world, "copy", noise(300_000)).await;
    let outcome = copy(&world, "photos/copy", json!({})).await;
    assert!(refused(outcome).starts_with("InvalidRequest: This copy request is illegal"));
    let more = json!({"MetadataDirective": "REPLACE", "Metadata": {"x": "y"}});
    copy(&world, "photos/copy", more).await.expect("a copy");
    world.cloud().blobs().sweep().expect("a sweep");
    assert_eq!(body_of(&world, "copy").await, noise(300_000));
    copy(&world, "photos/copy", json!({"StorageClass": "STANDARD"})).await.expect("a copy");
}

#[tokio::test]
async fn an_object_of_parts_becomes_one_of_a_piece() {
    let world = with_bucket().await;
    let at = json!({"Key": "parts"});
    let output = call(&world, "CreateMultipartUpload", at.clone()).await.expect("an upload");
    let id = json!({"UploadId": output["UploadId"]});
    let bytes = noise((5 << 20) + 7);
    let mut parts = Vec::new();
    for (number, part) in [(1, &bytes[..5 << 20]), (2, &bytes[5 << 20..])] {
        let input = with(with(at.clone(), id.clone()), json!({"PartNumber": number}));
        let told = send(&world, "UploadPart", input, part.to_vec()).await.expect("a part");
        parts.push(json!({"PartNumber": number, "ETag": told["ETag"]}));
    }
    let input = with(with(at.clone(), id), json!({"MultipartUpload": {"Parts": parts}}));
    call(&world, "CompleteMultipartUpload", input).await.expect("done");
    let told = copy(&world, "photos/parts", json!({})).await.expect("a copy");
    assert_eq!(told["CopyObjectResult"]["ETag"], e_tag(&bytes));
    let told = copy(&world, "photos/parts", json!({"ChecksumAlgorithm": "SHA1"})).await;
    assert!(told.expect("a copy")["CopyObjectResult"]["ChecksumSHA1"].is_string());
    call(&world, "DeleteObject", at).await.expect("removed");
    world.cloud().blobs().sweep().expect("a sweep");
    assert_eq!(body_of(&world, "copy").await, bytes);
}

#[tokio::test]
async fn sources_that_cannot_be_copied() {
    let world = with_bucket().await;
    put(&world, "a", "hello".to_owned()).await;
    let modified = 1_767_225_600;
    for (source, more, expected) in [
        ("photos/missing", json!({}), "NoSuchKey: The specified key does not exist. Key=missing"),
        (
            "nowhere/a",
            json!({}),
            "NoSuchBucket: The specified bucket does not exist BucketName=nowhere",
        ),
        ("photos", json!({}), "InvalidArgument: Invalid copy source object key"),
        ("photos/a?versionId=x", json!({}), "InvalidRequest: Invalid Request"),
        (
            "photos/a",
            json!({"CopySourceIfMatch": "x"}),
            "PreconditionFailed: At least one of the pre-conditions you specified did not hold Condition=x-amz-copy-source-If-Match",
        ),
        (
            "photos/a",
            json!({"CopySourceIfNoneMatch": e_tag(b"hello")}),
            "PreconditionFailed: At least one of the pre-conditions you specified did not hold Condition=x-amz-copy-source-If-None-Match",
        ),
        (
            "photos/a",
            json!({"CopySourceIfModifiedSince": modified}),
            "PreconditionFailed: At least one of the pre-conditions you specified did not hold Condition=x-amz-copy-source-If-Modified-Since",
        ),
    ] {
        let text = refused(copy(&world, source, more).await);
        assert!(text.starts_with(expected), "{text}");
    }
}
