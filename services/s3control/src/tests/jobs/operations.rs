//! What jobs do to objects.

use fogbank_testkit::{expect, json};

use super::*;

#[tokio::test]
async fn objects_get_tags_and_lose_them() {
    let world = world().await;
    for key in ["a", "b c/ü", "q\"uote,d"] {
        put(&world, "photos", key, "x").await;
    }
    let lines = "photos,a\nphotos,b+c%2F%C3%BC\nphotos,missing\nphotos,q%22uote%2Cd\n";
    let given = manifest(&world, lines).await;
    let job = done(&world, asked(tagging(), given.clone())).await;
    assert_eq!(ended(&job), ("Complete", [4, 3, 1]));
    assert!(job["TerminationDate"].is_string() || job["TerminationDate"].is_number(), "{job}");
    for key in ["a", "b c/ü", "q\"uote,d"] {
        let expected = json!([{"Key": "colour", "Value": "blue"}]);
        assert_eq!(tags(&world, key).await.expect("tags"), expected, "{key}");
    }
    expect![[r#"
        photos,a,,succeeded,200,,Successful
        photos,b+c/%C3%BC,,succeeded,200,,Successful
        photos,q%22uote%2Cd,,succeeded,200,,Successful
        photos,missing,,failed,404,NoSuchKey,The specified key does not exist.
    "#]]
    .assert_eq(&told(&world, &job).await);
    let mut input = asked(json!({"S3DeleteObjectTagging": {}}), given);
    input["ClientRequestToken"] = "another".into();
    input["Report"]["ReportScope"] = "FailedTasksOnly".into();
    let job = done(&world, input).await;
    assert_eq!(ended(&job), ("Complete", [4, 3, 1]));
    assert_eq!(tags(&world, "a").await.expect("tags"), json!([]));
    expect![[r#"
        photos,missing,,failed,404,NoSuchKey,The specified key does not exist.
    "#]]
    .assert_eq(&told(&world, &job).await);
}

#[tokio::test]
async fn copies_have_what_the_job_says() {
    let world = world().await;
    world.call("s3:CreateBucket", json!({"Bucket": "copies"})).await.expect("a bucket");
    put(&world, "photos", "a b/ü", "hello").await;
    let operation = json!({"S3PutObjectCopy": {
        "TargetResource": "arn:aws:s3:::copies", "TargetKeyPrefix": "new", "StorageClass": "STANDARD_IA",
        "NewObjectMetadata": {"ContentType": "text/plain", "UserMetadata": {"by": "a job"}},
        "NewObjectTagging": [{"Key": "k e", "Value": "v="}],
    }});
    let given = manifest(&world, "photos,a+b/%C3%BC\n").await;
    let job = done(&world, asked(operation, given)).await;
    assert_eq!(ended(&job), ("Complete", [1, 1, 0]), "{}", told(&world, &job).await);
    assert_eq!(read(&world, "copies", "new/a b/ü").await, "hello");
    let named = json!({"Bucket": "copies", "Key": "new/a b/ü"});
    let head = world.call("s3:HeadObject", named.clone()).await.expect("a copy");
    assert_eq!(head["StorageClass"], "STANDARD_IA");
    assert_eq!(head["ContentType"], "text/plain");
    assert_eq!(head["Metadata"], json!({"by": "a job"}));
    let tags = world.call("s3:GetObjectTagging", named).await.expect("tags");
    assert_eq!(tags["TagSet"], json!([{"Key": "k e", "Value": "v="}]));
}

#[tokio::test]
async fn versions_are_meant_if_they_are_named() {
    let world = world().await;
    let enabled = json!({"Bucket": "photos", "VersioningConfiguration": {"Status": "Enabled"}});
    world.call("s3:PutBucketVersioning", enabled).await.expect("versioned");
    put(&world, "photos", "k", "old").await;
    let named = json!({"Bucket": "photos", "Key": "k"});
    let head = world.call("s3:HeadObject", named).await.expect("an object");
    let version = head["VersionId"].as_str().expect("a version").to_owned();
    put(&world, "photos", "k", "new").await;
    let mut given = manifest(&world, &format!("photos,k,{version}\n")).await;
    given["Spec"]["Fields"] = json!(["Bucket", "Key", "VersionId"]);
    let job = done(&world, asked(tagging(), given)).await;
    assert_eq!(ended(&job), ("Complete", [1, 1, 0]));
    let line = format!("photos,k,{version},succeeded,200,,Successful\n");
    assert_eq!(told(&world, &job).await, line);
    assert_eq!(tags(&world, "k").await.expect("tags"), json!([]));
    let named = json!({"Bucket": "photos", "Key": "k", "VersionId": version});
    let tags = world.call("s3:GetObjectTagging", named).await.expect("tags");
    assert_eq!(tags["TagSet"][0]["Value"], "blue");
}

#[tokio::test]
async fn what_is_archived_is_restored() {
    let world = world().await;
    let input = json!({"Bucket": "photos", "Key": "k", "StorageClass": "GLACIER"});
    world.call("s3:PutObject", input).await.expect("written");
    put(&world, "photos", "plain", "x").await;
    let given = manifest(&world, "photos,k\nphotos,plain\n").await;
    let operation =
        json!({"S3InitiateRestoreObject": {"ExpirationInDays": 2, "GlacierJobTier": "BULK"}});
    let job = done(&world, asked(operation, given)).await;
    assert_eq!(ended(&job), ("Complete", [2, 1, 1]));
    let named = json!({"Bucket": "photos", "Key": "k"});
    let head = world.call("s3:HeadObject", named).await.expect("an object");
    assert_eq!(head["Restore"], "ongoing-request=\"true\"");
    expect![[r#"
        photos,k,,succeeded,200,,Successful
        photos,plain,,failed,403,InvalidObjectState,Restore is not allowed for the object's current storage class
    "#]]
    .assert_eq(&told(&world, &job).await);
}

#[tokio::test]
async fn acls_and_locks_are_put() {
    let world = World::new(SERVICES);
    let locked = json!({"Bucket": "photos", "ObjectLockEnabledForBucket": true});
    super::fill(&world, locked).await;
    let owned = json!({"Bucket": "photos", "OwnershipControls": {
        "Rules": [{"ObjectOwnership": "ObjectWriter"}],
    }});
    world.call("s3:PutBucketOwnershipControls", owned).await.expect("ACLs count");
    put(&world, "photos", "k", "x").await;
    let given = manifest(&world, "photos,k\n").await;
    let named = json!({"Bucket": "photos", "Key": "k"});
    let acl = world.call("s3:GetObjectAcl", named.clone()).await.expect("an ACL");
    let owner = acl["Owner"]["ID"].as_str().expect("an id");
    let grantee = json!({"TypeIdentifier": "id", "Identifier": owner});
    let operations = [
        json!({"S3PutObjectAcl": {"AccessControlPolicy": {"AccessControlList": {
            "Owner": {"ID": owner}, "Grants": [{"Grantee": grantee, "Permission": "READ"}],
        }}}}),
        json!({"S3PutObjectLegalHold": {"LegalHold": {"Status": "ON"}}}),
        json!({"S3PutObjectRetention": {"Retention": {
            "Mode": "GOVERNANCE", "RetainUntilDate": "2099-01-01T00:00:00Z",
        }}}),
        json!({"S3PutObjectRetention": {"BypassGovernanceRetention": true, "Retention": {
            "Mode": "GOVERNANCE", "RetainUntilDate": "2098-01-01T00:00:00Z",
        }}}),
        json!({"S3PutObjectRetention": {"Retention": {
            "Mode": "GOVERNANCE", "EventHold": "ON", "EventHoldDuration": {"Years": 2},
        }}}),
        json!({"S3PutObjectCopy": {
            "TargetResource": "arn:aws:s3:::photos", "TargetKeyPrefix": "copy",
            "ObjectLockMode": "COMPLIANCE", "ObjectLockEventHold": "ON",
            "ObjectLockEventHoldDuration": {"Days": 7},
        }}),
    ];
    for (number, operation) in operations.into_iter().enumerate() {
        let mut input = asked(operation, given.clone());
        input["ClientRequestToken"] = format!("token-{number}").into();
        let job = done(&world, input).await;
        assert_eq!(ended(&job), ("Complete", [1, 1, 0]), "{}", told(&world, &job).await);
    }
    let acl = world.call("s3:GetObjectAcl", named.clone()).await.expect("an ACL");
    assert_eq!(acl["Grants"][0]["Permission"], "READ");
    let hold = world.call("s3:GetObjectLegalHold", named.clone()).await.expect("a hold");
    assert_eq!(hold["LegalHold"]["Status"], "ON");
    let lock = world.call("s3:GetObjectRetention", named).await.expect("retention");
    // The first day of 2098.
    assert_eq!(lock["Retention"]["RetainUntilDate"], 4_039_372_800_i64);
    assert_eq!(lock["Retention"]["EventHold"], "ON");
    assert_eq!(lock["Retention"]["EventHoldDuration"], json!({"Years": 2}));
    let copy = json!({"Bucket": "photos", "Key": "copy/k"});
    let copy = world.call("s3:HeadObject", copy).await.expect("a copy");
    assert_eq!(
        (&copy["ObjectLockEventHold"], &copy["ObjectLockEventHoldDurationDays"]),
        (&json!("ON"), &json!(7))
    );
}

#[tokio::test]
async fn checksums_are_computed_and_told() {
    let world = world().await;
    put(&world, "photos", "k", "123456789").await;
    let given = manifest(&world, "photos,k\n").await;
    let mut lines = String::new();
    // Check values of the algorithms, which are published for this text.
    let algorithms = [
        "CRC32",
        "CRC32C",
        "CRC64NVME",
        "MD5",
        "SHA1",
        "SHA256",
        "XXHASH64",
        "XXHASH3",
        "XXHASH128",
    ];
    for (number, algorithm) in algorithms.into_iter().enumerate() {
        let operation = json!({"S3ComputeObjectChecksum": {"ChecksumAlgorithm": algorithm}});
        let mut input = asked(operation, given.clone());
        input["ClientRequestToken"] = format!("token-{number}").into();
        let job = done(&world, input).await;
        assert_eq!(ended(&job), ("Complete", [1, 1, 0]));
        lines += &told(&world, &job).await;
    }
    let operation = json!({"S3ComputeObjectChecksum": {"ChecksumAlgorithm": "SHA256", "ChecksumType": "COMPOSITE"}});
    let mut input = asked(operation, given.clone());
    input["ClientRequestToken"] = "composite".into();
    let job = done(&world, input).await;
    lines += &told(&world, &job).await;
    expect![[r#"
        photos,k,,succeeded,200,,"{""checksum_base64"":""y/Q5Jg=="",""etag"":""25f9e794323b453885f5181f1b624d0b"",""checksumAlgorithm"":""CRC32"",""checksumType"":""FULL_OBJECT"",""checksum_hex"":""CBF43926""}"
        photos,k,,succeeded,200,,"{""checksum_base64"":""4waSgw=="",""etag"":""25f9e794323b453885f5181f1b624d0b"",""checksumAlgorithm"":""CRC32C"",""checksumType"":""FULL_OBJECT"",""checksum_hex"":""E3069283""}"
        photos,k,,succeeded,200,,"{""checksum_base64"":""rosUhgp5mIg="",""etag"":""25f9e794323b453885f5181f1b624d0b"",""checksumAlgorithm"":""CRC64NVME"",""checksumType"":""FULL_OBJECT"",""checksum_hex"":""AE8B14860A799888""}"
        photos,k,,succeeded,200,,"{""checksum_base64"":""JfnnlDI7RTiF9RgfG2JNCw=="",""etag"":""25f9e794323b453885f5181f1b624d0b"",""checksumAlgorithm"":""MD5"",""checksumType"":""FULL_OBJECT"",""checksum_hex"":""25F9E794323B453885F5181F1B624D0B""}"
        photos,k,,succeeded,200,,"{""checksum_base64"":""98O8HYCOBHMq32eZZczDTKeuNEE="",""etag"":""25f9e794323b453885f5181f1b624d0b"",""checksumAlgorithm"":""SHA1"",""checksumType"":""FULL_OBJECT"",""checksum_hex"":""F7C3BC1D808E04732ADF679965CCC34CA7AE3441""}"
        photos,k,,succeeded,200,,"{""checksum_base64"":""FeKw08M4keuw8e9gnsQZQgwg4yDOlMZfvIwzEkSOsiU="",""etag"":""25f9e794323b453885f5181f1b624d0b"",""checksumAlgorithm"":""SHA256"",""checksumType"":""FULL_OBJECT"",""checksum_hex"":""15E2B0D3C33891EBB0F1EF609EC419420C20E320CE94C65FBC8C3312448EB225""}"
        photos,k,,succeeded,200,,"{""checksum_base64"":""jLhB20DmroM="",""etag"":""25f9e794323b453885f5181f1b624d0b"",""checksumAlgorithm"":""XXHASH64"",""checksumType"":""FULL_OBJECT"",""checksum_hex"":""8CB841DB40E6AE83""}"
        photos,k,,succeeded,200,,"{""checksum_base64"":""ctyxi2ehff8="",""etag"":""25f9e794323b453885f5181f1b624d0b"",""checksumAlgorithm"":""XXHASH3"",""checksumType"":""FULL_OBJECT"",""checksum_hex"":""72DCB18B67A17DFF""}"
        photos,k,,succeeded,200,,"{""checksum_base64"":""MxGUd+3l3NXpcWQnaB1YYA=="",""etag"":""25f9e794323b453885f5181f1b624d0b"",""checksumAlgorithm"":""XXHASH128"",""checksumType"":""FULL_OBJECT"",""checksum_hex"":""33119477EDE5DCD5E9716427681D5860""}"
        photos,k,,failed,400,InvalidRequest,A composite checksum can only be computed of an object that was uploaded in parts.
    "#]].assert_eq(&lines);
    let operation = json!({"S3ComputeObjectChecksum": {"ChecksumAlgorithm": "CRC64NVME", "ChecksumType": "COMPOSITE"}});
    let refusal = super::super::refused(call(&world, "CreateJob", asked(operation, given)).await);
    let expected = "InvalidRequest: The COMPOSITE checksum type cannot be used with the crc64nvme checksum algorithm.";
    assert_eq!(refusal, expected);
}
