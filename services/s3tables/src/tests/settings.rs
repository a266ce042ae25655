//! Configurations, tags and storage classes.

use super::*;
use fogbank_testkit::expect;

#[tokio::test]
async fn maintenance_is_kept_and_said_not_to_run() {
    let world = with_namespace().await;
    with_table(&world, "orders").await;
    let lake = json!({"tableBucketARN": LAKE});
    let known = call(&world, "GetTableBucketMaintenanceConfiguration", lake.clone()).await;
    let removal = &known.expect("told")["configuration"]["icebergUnreferencedFileRemoval"];
    assert_eq!(removal["settings"]["icebergUnreferencedFileRemoval"]["unreferencedDays"], 3);
    let input = with(
        lake.clone(),
        json!({"type": "icebergUnreferencedFileRemoval", "value": {"status": "disabled"}}),
    );
    call(&world, "PutTableBucketMaintenanceConfiguration", input).await.expect("set");
    let input = with(
        named("orders"),
        json!({"type": "icebergCompaction", "value": {"status": "enabled",
            "settings": {"icebergCompaction": {"targetFileSizeMB": 128}}}}),
    );
    call(&world, "PutTableMaintenanceConfiguration", input.clone()).await.expect("set");
    let known = call(&world, "GetTableMaintenanceConfiguration", named("orders")).await;
    let known = &known.expect("told")["configuration"];
    let compaction = &known["icebergCompaction"]["settings"]["icebergCompaction"];
    assert_eq!(*compaction, json!({"targetFileSizeMB": 128, "strategy": "auto"}));
    let snapshots = &known["icebergSnapshotManagement"]["settings"]["icebergSnapshotManagement"];
    assert_eq!(*snapshots, json!({"minSnapshotsToKeep": 1, "maxSnapshotAgeHours": 120}));
    let status = call(&world, "GetTableMaintenanceJobStatus", named("orders")).await;
    let status = &status.expect("told")["status"];
    assert_eq!(status["icebergCompaction"]["status"], "Not_Yet_Run");
    assert_eq!(status["icebergUnreferencedFileRemoval"]["status"], "Disabled");
    let wrong = with(input.clone(), json!({"type": "icebergSnapshotManagement"}));
    let mut told = refused(call(&world, "PutTableMaintenanceConfiguration", wrong).await);
    let mut small = input;
    small["value"]["settings"]["icebergCompaction"]["targetFileSizeMB"] = json!(1);
    told += &refused(call(&world, "PutTableMaintenanceConfiguration", small).await);
    expect![[r#"
        BadRequestException: The specified maintenance settings do not match the maintenance type.
        BadRequestException: The target file size must be between 64 MB and 512 MB.
    "#]]
    .assert_eq(&told);
}

#[tokio::test]
async fn classes_metrics_and_encryption_are_kept() {
    let world = with_namespace().await;
    let lake = json!({"tableBucketARN": LAKE});
    let tiered = json!({"storageClassConfiguration": {"storageClass": "INTELLIGENT_TIERING"}});
    let mut told = refused(call(&world, "GetTableBucketEncryption", lake.clone()).await);
    told += &refused(call(&world, "GetTableBucketMetricsConfiguration", lake.clone()).await);
    call(&world, "PutTableBucketStorageClass", with(lake.clone(), tiered.clone()))
        .await
        .expect("set");
    with_table(&world, "orders").await;
    for (operation, input) in
        [("GetTableBucketStorageClass", lake.clone()), ("GetTableStorageClass", named("orders"))]
    {
        assert_eq!(call(&world, operation, input).await.expect("told"), tiered, "{operation}");
    }
    call(&world, "PutTableBucketMetricsConfiguration", lake.clone()).await.expect("set");
    let known = call(&world, "GetTableBucketMetricsConfiguration", lake.clone()).await;
    assert!(known.expect("told")["id"].is_string());
    call(&world, "DeleteTableBucketMetricsConfiguration", lake.clone()).await.expect("removed");
    let plain = call(&world, "GetTableEncryption", named("orders")).await.expect("told");
    assert_eq!(plain["encryptionConfiguration"], json!({"sseAlgorithm": "AES256"}));
    let half = json!({"encryptionConfiguration": {"sseAlgorithm": "aws:kms"}});
    told += &refused(call(&world, "PutTableBucketEncryption", with(lake.clone(), half)).await);
    let expiring = call(&world, "GetTable", named("orders")).await.expect("the table");
    let arn = json!({"tableArn": expiring["tableARN"]});
    told += &refused(call(&world, "GetTableRecordExpirationConfiguration", arn).await);
    expect![[r#"
        NotFoundException: The specified encryption configuration does not exist.
        NotFoundException: The specified metrics configuration does not exist.
        BadRequestException: A KMS key ARN is required with the SSE algorithm aws:kms.
        MethodNotAllowedException: Record expiration is supported for tables that are managed by AWS only.
    "#]].assert_eq(&told);
}

#[tokio::test]
async fn buckets_and_tables_have_tags() {
    let world = with_namespace().await;
    let table = with_table(&world, "orders").await;
    for arn in [json!(LAKE), table["tableARN"].clone()] {
        let of = json!({"resourceArn": arn});
        let tags = json!({"tags": {"team": "a", "stage": "b"}});
        call(&world, "TagResource", with(of.clone(), tags.clone())).await.expect("tagged");
        assert_eq!(call(&world, "ListTagsForResource", of.clone()).await.expect("told"), tags);
        let keys = with(of.clone(), json!({"tagKeys": ["team"]}));
        call(&world, "UntagResource", keys).await.expect("untagged");
        let left = call(&world, "ListTagsForResource", of.clone()).await.expect("told");
        assert_eq!(left["tags"], json!({"stage": "b"}));
        let reserved = with(of, json!({"tags": {"aws:x": "a"}}));
        assert!(refused(call(&world, "TagResource", reserved).await).starts_with("BadRequest"));
    }
    let nothing = json!({"resourceArn": LAKE.replace("lake", "none")});
    assert!(refused(call(&world, "ListTagsForResource", nothing).await).starts_with("NotFound"));
}
