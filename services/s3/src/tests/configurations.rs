//! What tools ask of a fresh bucket.

use fogbank_testkit::{expect, json};

use super::{call, put, refused, with_bucket};

#[tokio::test]
async fn a_fresh_bucket_has_todays_defaults() {
    let world = with_bucket().await;
    put(&world, "a", "x".to_owned()).await;
    let answer = |operation: &'static str| {
        let world = &world;
        async move { call(world, operation, json!({})).await.expect(operation) }
    };
    assert_eq!(answer("GetBucketVersioning").await, json!({}));
    assert_eq!(answer("GetBucketLogging").await, json!({}));
    assert_eq!(answer("GetBucketAccelerateConfiguration").await, json!({}));
    assert_eq!(answer("GetBucketNotificationConfiguration").await, json!({}));
    assert_eq!(answer("GetBucketRequestPayment").await, json!({"Payer": "BucketOwner"}));
    expect![[r#"{"Rules":[{"ApplyServerSideEncryptionByDefault":{"SSEAlgorithm":"AES256"},"BlockedEncryptionTypes":{"EncryptionType":["SSE-C"]},"BucketKeyEnabled":false}]}"#]]
        .assert_eq(&answer("GetBucketEncryption").await["ServerSideEncryptionConfiguration"].to_string());
    expect![[r#"{"BlockPublicAcls":true,"BlockPublicPolicy":true,"IgnorePublicAcls":true,"RestrictPublicBuckets":true}"#]]
        .assert_eq(&answer("GetPublicAccessBlock").await["PublicAccessBlockConfiguration"].to_string());
    expect![[r#"{"Rules":[{"ObjectOwnership":"BucketOwnerEnforced"}]}"#]]
        .assert_eq(&answer("GetBucketOwnershipControls").await["OwnershipControls"].to_string());
    let acl = answer("GetBucketAcl").await;
    assert_eq!(acl["Grants"][0]["Permission"], "FULL_CONTROL");
    assert_eq!(acl["Grants"][0]["Grantee"]["ID"], acl["Owner"]["ID"]);
    assert_eq!(call(&world, "GetObjectAcl", json!({"Key": "a"})).await.expect("an ACL"), acl);
}

#[tokio::test]
async fn what_is_not_configured_has_its_own_error() {
    let world = with_bucket().await;
    for (operation, expected) in [
        ("GetBucketCors", "NoSuchCORSConfiguration: The CORS configuration does not exist"),
        (
            "GetBucketLifecycleConfiguration",
            "NoSuchLifecycleConfiguration: The lifecycle configuration does not exist",
        ),
        (
            "GetBucketReplication",
            "ReplicationConfigurationNotFoundError: The replication configuration was not found",
        ),
        (
            "GetBucketWebsite",
            "NoSuchWebsiteConfiguration: The specified bucket does not have a website configuration",
        ),
        (
            "GetObjectLockConfiguration",
            "ObjectLockConfigurationNotFoundError: Object Lock configuration does not exist for this bucket",
        ),
        ("GetBucketTagging", "NoSuchTagSet: The TagSet does not exist"),
        ("GetBucketPolicy", "NoSuchBucketPolicy: The bucket policy does not exist"),
    ] {
        let outcome = call(&world, operation, json!({})).await;
        assert_eq!(refused(outcome), format!("{expected} BucketName=photos"));
    }
}

#[tokio::test]
async fn the_block_of_public_access_can_be_changed_and_removed() {
    let world = with_bucket().await;
    let open = json!({"PublicAccessBlockConfiguration": {"BlockPublicAcls": true}});
    call(&world, "PutPublicAccessBlock", open).await.expect("changed");
    let block = call(&world, "GetPublicAccessBlock", json!({})).await.expect("a block");
    assert_eq!(block["PublicAccessBlockConfiguration"]["BlockPublicAcls"], true);
    assert_eq!(block["PublicAccessBlockConfiguration"]["BlockPublicPolicy"], false);
    call(&world, "DeletePublicAccessBlock", json!({})).await.expect("removed");
    call(&world, "DeletePublicAccessBlock", json!({})).await.expect("removed again");
    let outcome = call(&world, "GetPublicAccessBlock", json!({})).await;
    assert!(refused(outcome).starts_with("NoSuchPublicAccessBlockConfiguration: "));
    let empty = json!({"PublicAccessBlockConfiguration": {}});
    let outcome = call(&world, "PutPublicAccessBlock", empty).await;
    assert!(refused(outcome).starts_with("MalformedXML: "));
}

#[tokio::test]
async fn encryption_is_what_was_set() {
    let world = with_bucket().await;
    let put = |algorithm: &str| {
        let rule = json!({
            "ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": algorithm},
            "BucketKeyEnabled": true,
        });
        let configuration = json!({"ServerSideEncryptionConfiguration": {"Rules": [rule]}});
        call(&world, "PutBucketEncryption", configuration)
    };
    put("AES256").await.expect("set");
    let output = call(&world, "GetBucketEncryption", json!({})).await.expect("a rule");
    let rule = &output["ServerSideEncryptionConfiguration"]["Rules"][0];
    assert_eq!(rule["BucketKeyEnabled"], true);
    put("aws:kms:dsse").await.expect("set");
    let output = call(&world, "GetBucketEncryption", json!({})).await.expect("a rule");
    let rule = &output["ServerSideEncryptionConfiguration"]["Rules"][0];
    assert_eq!(rule["ApplyServerSideEncryptionByDefault"]["SSEAlgorithm"], "aws:kms:dsse");
    assert!(refused(put("rot13").await).starts_with("MalformedXML: "));
    call(&world, "DeleteBucketEncryption", json!({})).await.expect("reset");
    let output = call(&world, "GetBucketEncryption", json!({})).await.expect("a rule");
    let rule = &output["ServerSideEncryptionConfiguration"]["Rules"][0];
    assert_eq!(rule["ApplyServerSideEncryptionByDefault"]["SSEAlgorithm"], "AES256");
    assert_eq!(rule["BucketKeyEnabled"], false);
}
