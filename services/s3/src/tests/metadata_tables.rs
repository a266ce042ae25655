//! S3 Metadata: configurations of both versions, who may have tables made, and the records of every kind of change.

use fogbank_core::{Cx, Fault, Principal, PrincipalKind, Service};
use fogbank_testkit::{ACCOUNT, Value, World, expect, json};

use super::{call, put, refused, send, with, with_bucket};
use crate::metadata_tables::RecordKind;
use crate::metadata_tables::rows::{Described, JOURNALS, RECORDS, Record, Sealed};
use crate::store::VersionName;

static WITH_KEYS: &[&Service] = &[&crate::SERVICE, &fogbank_iam::SERVICE, &fogbank_kms::SERVICE];
const DAY_MILLIS: i64 = 86_400_000;

pub(super) fn configuration(more: Value) -> Value {
    let journal = json!({"RecordExpiration": {"Expiration": "DISABLED"}});
    json!({"MetadataConfiguration": with(json!({"JournalTableConfiguration": journal}), more)})
}

/// Gives the bucket `photos` a configuration.
pub(super) async fn configure(world: &World, more: Value) -> Result<Value, Fault> {
    call(world, "CreateBucketMetadataConfiguration", configuration(more)).await
}

/// What is told of the configuration.
pub(super) async fn configured(world: &World) -> Value {
    let told = call(world, "GetBucketMetadataConfiguration", json!({})).await;
    let mut told = told.expect("a configuration");
    told["GetBucketMetadataConfigurationResult"]["MetadataConfigurationResult"].take()
}

async fn configure_first(world: &World, arn: &str, table: &str) -> Result<Value, Fault> {
    let to = json!({"TableBucketArn": arn, "TableName": table});
    let given = json!({"MetadataTableConfiguration": {"S3TablesDestination": to}});
    call(world, "CreateBucketMetadataTableConfiguration", given).await
}

fn cx(world: &World) -> Cx {
    Cx::background(world.cloud().clone(), "s3", "test")
}

fn records(world: &World) -> Vec<Record> {
    let rows = cx(world).read(|tx| RECORDS.range(&()).list(tx)).expect("records");
    rows.into_iter().map(|(_, record)| record).collect()
}

/// A record in one line.
fn line(record: &Record) -> String {
    let name = match record.version_name {
        VersionName::Id => "id",
        VersionName::Null => "null",
        VersionName::Unversioned => "-",
    };
    let described = record.described.as_deref().map(shown).unwrap_or_default();
    let by = record.requester.as_deref().unwrap_or("nobody");
    let of = record.annotation.as_deref().map(|name| format!(" {name}")).unwrap_or_default();
    format!("{:?} {} {name} by {by}{of}{described}\n", record.kind, record.key)
}

fn shown(described: &Described) -> String {
    let class = described.storage_class.as_deref().unwrap_or("STANDARD");
    let sealed = match &described.sealed {
        Sealed::S3 => "S3",
        Sealed::Customer => "customer",
        Sealed::Kms { is_dual: true, .. } => "dual",
        Sealed::Kms { .. } => "KMS",
    };
    let e_tag = described.e_tag.map(|tag| tag.bare()[..6].to_owned()).unwrap_or_default();
    let pairs = (&described.tags, &described.metadata);
    format!(" | {} {e_tag} {class} {sealed} {:?} {pairs:?}", described.size, described.checksum)
}

fn journal(world: &World) -> String {
    records(world).iter().map(line).collect()
}

async fn enable_versions(world: &World) {
    let status = json!({"VersioningConfiguration": {"Status": "Enabled"}});
    call(world, "PutBucketVersioning", status).await.expect("versions");
}

#[tokio::test]
async fn a_bucket_has_one_configuration_which_can_be_changed_and_removed() {
    let world = with_bucket().await;
    let missing = call(&world, "GetBucketMetadataConfiguration", json!({})).await;
    expect![
        "MetadataConfigurationNotFound: The metadata configuration does not exist BucketName=photos"
    ]
    .assert_eq(&refused(missing));
    let given = json!({"InventoryTableConfiguration": {"ConfigurationState": "DISABLED"}});
    configure(&world, given).await.expect("configured");
    let told = serde_json::to_string_pretty(&configured(&world).await).expect("text");
    expect![[r#"
        {
          "DestinationResult": {
            "TableBucketArn": "arn:aws:s3tables:us-east-1:000000000000:bucket/aws-s3",
            "TableBucketType": "aws",
            "TableNamespace": "b_photos"
          },
          "InventoryTableConfigurationResult": {
            "ConfigurationState": "DISABLED"
          },
          "JournalTableConfigurationResult": {
            "RecordExpiration": {
              "Expiration": "DISABLED"
            },
            "TableName": "journal",
            "TableStatus": "CREATING"
          }
        }"#]]
    .assert_eq(&told);
    expect!["MetadataConfigurationAlreadyExists: The metadata configuration already exists BucketName=photos"].assert_eq(&refused(configure(&world, json!({})).await));
    let days = |state: &str, days: Value| {
        let expiration = json!({"Expiration": state, "Days": days});
        json!({"JournalTableConfiguration": {"RecordExpiration": expiration}})
    };
    let update = "UpdateBucketMetadataJournalTableConfiguration";
    call(&world, update, days("ENABLED", json!(7))).await.expect("changed");
    let journal = &configured(&world).await["JournalTableConfigurationResult"];
    assert_eq!(journal["RecordExpiration"], json!({"Expiration": "ENABLED", "Days": 7}));
    for (given, expected) in [
        (days("ENABLED", json!(6)), "InvalidArgument: Days must be a whole number"),
        (days("ENABLED", json!(null)), "MalformedXML: "),
        (days("DISABLED", json!(7)), "MalformedXML: "),
    ] {
        let text = refused(call(&world, update, given).await);
        assert!(text.starts_with(expected), "{text}");
    }
    let inventory =
        |state: &str| json!({"InventoryTableConfiguration": {"ConfigurationState": state}});
    let update = "UpdateBucketMetadataInventoryTableConfiguration";
    for state in ["ENABLED", "ENABLED", "DISABLED"] {
        call(&world, update, inventory(state)).await.expect("changed");
        let told = &configured(&world).await["InventoryTableConfigurationResult"];
        assert_eq!(told["ConfigurationState"], state);
        assert_eq!(told.get("TableStatus").is_some(), state == "ENABLED");
    }
    // The operations of the first version are not for it.
    for operation in
        ["GetBucketMetadataTableConfiguration", "DeleteBucketMetadataTableConfiguration"]
    {
        let text = refused(call(&world, operation, json!({})).await);
        assert!(text.starts_with("MethodNotAllowed: "), "{text}");
    }
    call(&world, "DeleteBucketMetadataConfiguration", json!({})).await.expect("removed");
    for operation in ["GetBucketMetadataConfiguration", "DeleteBucketMetadataConfiguration"] {
        let text = refused(call(&world, operation, json!({})).await);
        assert!(text.starts_with("MetadataConfigurationNotFound: "), "{text}");
    }
    let text = refused(call(&world, update, inventory("ENABLED")).await);
    assert!(text.starts_with("MetadataConfigurationNotFound: "), "{text}");
}

#[tokio::test]
async fn a_configuration_of_the_first_version_has_a_journal_only() {
    let world = with_bucket().await;
    let bucket = "arn:aws:s3tables:us-east-1:000000000000:bucket/mine";
    for (arn, table, name) in [
        ("mine", "t", "TableBucketArn"),
        ("arn:aws:s3:::mine", "t", "TableBucketArn"),
        ("arn:aws:s3tables:eu-west-1:000000000000:bucket/mine", "t", "TableBucketArn"),
        ("arn:aws:s3tables:us-east-1:111111111111:bucket/mine", "t", "TableBucketArn"),
        (bucket, "", "TableName"),
        (bucket, "T", "TableName"),
        (bucket, "_t", "TableName"),
    ] {
        let text = refused(configure_first(&world, arn, table).await);
        assert!(text.starts_with("InvalidArgument: ") && text.contains(name), "{text}");
    }
    configure_first(&world, bucket, "changes").await.expect("configured");
    let told = call(&world, "GetBucketMetadataTableConfiguration", json!({})).await.expect("told");
    let told = &told["GetBucketMetadataTableConfigurationResult"];
    let to = &told["MetadataTableConfigurationResult"]["S3TablesDestinationResult"];
    assert_eq!(to["TableNamespace"], "aws_s3_metadata");
    assert_eq!(to["TableName"], "changes");
    let told = configured(&world).await;
    assert_eq!(told["DestinationResult"]["TableBucketType"], "customer");
    assert!(told.get("InventoryTableConfigurationResult").is_none(), "{told}");
    let given =
        json!({"JournalTableConfiguration": {"RecordExpiration": {"Expiration": "DISABLED"}}});
    let text = refused(call(&world, "UpdateBucketMetadataJournalTableConfiguration", given).await);
    assert!(text.starts_with("MethodNotAllowed: "), "{text}");
    call(&world, "DeleteBucketMetadataTableConfiguration", json!({})).await.expect("removed");
    configure_first(&world, bucket, "changes").await.expect("configured again");
    call(&world, "DeleteBucketMetadataConfiguration", json!({})).await.expect("removed");
}

#[tokio::test]
async fn encryption_is_checked_and_directory_buckets_have_no_metadata() {
    let world = with_bucket().await;
    let elsewhere = "arn:aws:kms:eu-west-1:000000000000:key/1";
    for (encryption, expected) in [
        (json!({"SseAlgorithm": "aws:kms"}), "InvalidRequest: "),
        (json!({"SseAlgorithm": "AES256", "KmsKeyArn": "k"}), "InvalidRequest: "),
        (json!({"SseAlgorithm": "aws:kms", "KmsKeyArn": "alias/k"}), "InvalidArgument: "),
        (json!({"SseAlgorithm": "aws:kms", "KmsKeyArn": elsewhere}), "InvalidArgument: "),
    ] {
        let table = json!({"ConfigurationState": "ENABLED", "EncryptionConfiguration": encryption});
        let given = json!({"InventoryTableConfiguration": table});
        let text = refused(configure(&world, given).await);
        assert!(text.starts_with(expected), "{text}");
    }
    let name = "fast--use1-az1--x-s3";
    let place = json!({"Location": {"Type": "AvailabilityZone", "Name": "use1-az1"},
        "Bucket": {"Type": "Directory", "DataRedundancy": "SingleAvailabilityZone"}});
    let input = json!({"Bucket": name, "CreateBucketConfiguration": place});
    world.call("s3:CreateBucket", input).await.expect("a bucket");
    let input = with(configuration(json!({})), json!({"Bucket": name}));
    let outcome = world.call("s3:CreateBucketMetadataConfiguration", input).await;
    let text = refused(outcome);
    assert!(text.starts_with("MethodNotAllowed: "), "{text}");
}

/// A user whose only policy allows these actions.
async fn user(world: &World, actions: &[&str]) -> Principal {
    let name = json!({"UserName": "ada"});
    if world.call("iam:GetUser", name.clone()).await.is_err() {
        world.call("iam:CreateUser", name.clone()).await.expect("a user");
    }
    let statement = json!({"Effect": "Allow", "Action": actions, "Resource": "*"});
    let policy = json!({"Version": "2012-10-17", "Statement": statement}).to_string();
    let policy = with(name.clone(), json!({"PolicyName": "p", "PolicyDocument": policy}));
    world.call("iam:PutUserPolicy", policy).await.expect("a policy");
    let user = world.call("iam:GetUser", name).await.expect("the user");
    let text = |member: &str| user["User"][member].as_str().expect("a text").to_owned();
    Principal {
        kind: PrincipalKind::User { name: "ada".to_owned() },
        arn: text("Arn"),
        id: text("UserId"),
        ..Principal::root(ACCOUNT)
    }
}

#[tokio::test]
async fn who_may_not_have_tables_made_has_tables_that_failed() {
    let world = World::new(WITH_KEYS);
    world.call("s3:CreateBucket", json!({"Bucket": "photos"})).await.expect("a bucket");
    let key = world.call("kms:CreateKey", json!({})).await.expect("a key");
    let key = key["KeyMetadata"]["Arn"].as_str().expect("an ARN");
    let kms = json!({"SseAlgorithm": "aws:kms", "KmsKeyArn": key});
    let inventory = json!({"ConfigurationState": "ENABLED", "EncryptionConfiguration": kms});
    let given = configuration(json!({"InventoryTableConfiguration": inventory}));
    let given = with(json!({"Bucket": "photos"}), given);
    let create = "s3:CreateBucketMetadataConfiguration";
    let own = "s3:CreateBucketMetadataTableConfiguration";
    let ada = user(&world, &["s3:PutObject"]).await;
    assert!(refused(world.call_as(ada, create, given.clone()).await).starts_with("AccessDenied: "));
    for (actions, status) in [
        (&[own][..], "FAILED"),
        (&[own, "s3tables:*"], "FAILED"),
        (&[own, "s3tables:CreateTable", "kms:DescribeKey"], "FAILED"),
        (&[own, "s3tables:*", "kms:DescribeKey"], "CREATING"),
    ] {
        let ada = user(&world, actions).await;
        world.call_as(ada, create, given.clone()).await.expect("configured");
        let told = configured(&world).await;
        for table in ["JournalTableConfigurationResult", "InventoryTableConfigurationResult"] {
            assert_eq!(told[table]["TableStatus"], status, "{actions:?} {told}");
            let code = &told[table]["Error"]["ErrorCode"];
            let expected = if status == "FAILED" { "AccessDeniedCreatingResources" } else { "" };
            assert_eq!(code.as_str().unwrap_or_default(), expected);
        }
        put(&world, "a", "x".to_owned()).await;
        // What has failed hears of nothing.
        assert_eq!(records(&world).len(), usize::from(status != "FAILED"));
        call(&world, "DeleteBucketMetadataConfiguration", json!({})).await.expect("removed");
    }
}

#[tokio::test]
async fn changes_of_objects_without_versions_are_noted_in_their_order() {
    let world = with_bucket().await;
    put(&world, "before", "x".to_owned()).await;
    configure(&world, json!({})).await.expect("configured");
    let more = json!({"Key": "a", "Tagging": "k=v", "Metadata": {"of": "me"}});
    send(&world, "PutObject", more, "hello".to_owned()).await.expect("written");
    let from = json!({"Key": "b", "CopySource": "photos/a", "StorageClass": "STANDARD_IA"});
    call(&world, "CopyObject", from).await.expect("copied");
    let tags = json!({"Key": "a", "Tagging": {"TagSet": [{"Key": "t", "Value": "u"}]}});
    call(&world, "PutObjectTagging", tags).await.expect("tagged");
    call(&world, "DeleteObjectTagging", json!({"Key": "a"})).await.expect("untagged");
    let named = json!({"Key": "a", "AnnotationName": "note"});
    send(&world, "PutObjectAnnotation", named.clone(), "text".to_owned()).await.expect("noted");
    call(&world, "DeleteObjectAnnotation", named).await.expect("removed");
    let begun = call(&world, "CreateMultipartUpload", json!({"Key": "m"})).await.expect("begun");
    let part = json!({"Key": "m", "UploadId": begun["UploadId"], "PartNumber": 1});
    let part = send(&world, "UploadPart", part, "part".to_owned()).await.expect("a part");
    let parts = json!({"Parts": [{"PartNumber": 1, "ETag": part["ETag"]}]});
    let whole = json!({"Key": "m", "UploadId": begun["UploadId"], "MultipartUpload": parts});
    call(&world, "CompleteMultipartUpload", whole).await.expect("whole");
    let keys = json!({"Objects": [{"Key": "a"}, {"Key": "b"}, {"Key": "none"}]});
    call(&world, "DeleteObjects", json!({"Delete": keys})).await.expect("removed");
    call(&world, "DeleteObject", json!({"Key": "m"})).await.expect("removed");
    expect![[r#"
        Create a - by 000000000000 | 5 5d4140 STANDARD S3 Some(Crc64Nvme) ([("k", "v")], [("of", "me")])
        Create b - by 000000000000 | 5 5d4140 STANDARD_IA S3 Some(Crc64Nvme) ([("k", "v")], [("of", "me")])
        UpdateMetadata a - by 000000000000 | 5 5d4140 STANDARD S3 Some(Crc64Nvme) ([("t", "u")], [("of", "me")])
        UpdateMetadata a - by 000000000000 | 5 5d4140 STANDARD S3 Some(Crc64Nvme) ([], [("of", "me")])
        CreateAnnotation a - by 000000000000 note | 5 5d4140 STANDARD S3 Some(Crc64Nvme) ([], [("of", "me")])
        DeleteAnnotation a - by 000000000000 note | 5 5d4140 STANDARD S3 Some(Crc64Nvme) ([], [("of", "me")])
        Create m - by 000000000000 | 4 1819d1 STANDARD S3 Some(Crc64Nvme) ([], [])
        Delete a - by 000000000000
        Delete b - by 000000000000
        Delete m - by 000000000000
    "#]].assert_eq(&journal(&world));
    // What an ACL says stands in no table.
    put(&world, "c", "x".to_owned()).await;
    let count = records(&world).len();
    call(&world, "DeleteBucketMetadataConfiguration", json!({})).await.expect("removed");
    put(&world, "after", "x".to_owned()).await;
    assert_eq!(records(&world).len(), count);
    let journals = cx(&world).read(|tx| JOURNALS.range(&()).list(tx)).expect("journals");
    assert!(journals.iter().all(|(_, journal)| journal.is_ended) && journals.len() == 1);
}

#[tokio::test]
async fn changes_of_versions_are_noted_with_what_became_of_each() {
    let world = with_bucket().await;
    put(&world, "a", "null".to_owned()).await;
    enable_versions(&world).await;
    configure(&world, json!({})).await.expect("configured");
    put(&world, "a", "one".to_owned()).await;
    let marked = call(&world, "DeleteObject", json!({"Key": "a"})).await.expect("marked");
    let marker = json!({"Key": "a", "VersionId": marked["VersionId"]});
    call(&world, "DeleteObject", marker).await.expect("unmarked");
    call(&world, "DeleteObject", json!({"Key": "a", "VersionId": "null"})).await.expect("removed");
    let twice = json!({"Objects": [{"Key": "a"}, {"Key": "a"}, {"Key": "b"}]});
    call(&world, "DeleteObjects", json!({"Delete": twice})).await.expect("marked");
    let status = json!({"VersioningConfiguration": {"Status": "Suspended"}});
    call(&world, "PutBucketVersioning", status).await.expect("suspended");
    put(&world, "a", "null again".to_owned()).await;
    expect![[r#"
        Create a id by 000000000000 | 3 f97c5d STANDARD S3 Some(Crc64Nvme) ([], [])
        DeleteMarker a id by 000000000000 | 0  STANDARD S3 None ([], [])
        Delete a id by 000000000000
        Delete a null by 000000000000
        DeleteMarker a id by 000000000000 | 0  STANDARD S3 None ([], [])
        DeleteMarker b id by 000000000000 | 0  STANDARD S3 None ([], [])
        Create a null by 000000000000 | 10 a27564 STANDARD S3 Some(Crc64Nvme) ([], [])
    "#]]
    .assert_eq(&journal(&world));
    let found = records(&world);
    // A version has one number in all its records, and every record a later place.
    assert_eq!(found[1].version, found[2].version);
    assert_eq!((found[1].kind, found[2].kind), (RecordKind::DeleteMarker, RecordKind::Delete));
}

#[tokio::test]
async fn what_lifecycles_do_is_noted_as_done_by_s3() {
    let world = with_bucket().await;
    enable_versions(&world).await;
    put(&world, "a", "x".repeat(200_000)).await;
    put(&world, "b", "old".to_owned()).await;
    put(&world, "b", "new".to_owned()).await;
    configure(&world, json!({})).await.expect("configured");
    let rules = json!([
        {"Status": "Enabled", "Filter": {"Prefix": "a"},
         "Transitions": [{"Days": 30, "StorageClass": "GLACIER"}]},
        {"Status": "Enabled", "Filter": {"Prefix": "b"}, "Expiration": {"Days": 2},
         "NoncurrentVersionExpiration": {"NoncurrentDays": 1}},
    ]);
    let input = json!({"LifecycleConfiguration": {"Rules": rules}});
    call(&world, "PutBucketLifecycleConfiguration", input).await.expect("rules");
    for days in [2, 2, 30] {
        world.clock().advance(days * DAY_MILLIS);
        world.round(&crate::SERVICE, "s3.lifecycle").await;
    }
    expect![[r#"
        Delete b id by s3.amazonaws.com
        DeleteMarker b id by s3.amazonaws.com | 0  STANDARD S3 None ([], [])
        Delete b id by s3.amazonaws.com
        Delete b id by s3.amazonaws.com
        UpdateMetadata a id by s3.amazonaws.com | 200000 4b9814 GLACIER S3 Some(Crc64Nvme) ([], [])
    "#]]
    .assert_eq(&journal(&world));
    assert!(records(&world).iter().all(|record| record.source_ip.is_none()));
}

#[tokio::test]
async fn an_object_that_comes_under_another_key_is_noted() {
    let world = World::new(WITH_KEYS);
    world.call("s3:CreateBucket", json!({"Bucket": "photos"})).await.expect("a bucket");
    configure(&world, json!({})).await.expect("configured");
    let key = world.call("kms:CreateKey", json!({})).await.expect("a key");
    let key = &key["KeyMetadata"]["Arn"];
    put(&world, "a", "x".to_owned()).await;
    let to = json!({"Key": "a", "ObjectEncryption": {"SSEKMS": {"KMSKeyArn": key}}});
    call(&world, "UpdateObjectEncryption", to).await.expect("updated");
    expect![[r#"
        Create a - by 000000000000 | 1 9dd4e4 STANDARD S3 Some(Crc64Nvme) ([], [])
        UpdateMetadata a - by 000000000000 | 1 9dd4e4 STANDARD KMS Some(Crc64Nvme) ([], [])
    "#]]
    .assert_eq(&journal(&world));
}

#[tokio::test]
async fn the_configuration_of_a_bucket_goes_with_it() {
    let world = with_bucket().await;
    configure(&world, json!({})).await.expect("configured");
    world.call("s3:DeleteBucket", json!({"Bucket": "photos"})).await.expect("gone");
    world.call("s3:CreateBucket", json!({"Bucket": "photos"})).await.expect("a bucket");
    let missing = call(&world, "GetBucketMetadataConfiguration", json!({})).await;
    assert!(refused(missing).starts_with("MetadataConfigurationNotFound: "));
    put(&world, "a", "x".to_owned()).await;
    assert!(records(&world).is_empty());
}
