//! Lists of objects: in which forms they are read, and what is wrong with others.

use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;
use fogbank_testkit::json;

use super::*;

#[tokio::test]
async fn inventories_name_their_files() {
    let world = world().await;
    let all = 250;
    let mut lines = String::new();
    for number in 0..all {
        let key = format!("k {number}");
        put(&world, "photos", &key, "x").await;
        lines += &format!("\"photos\",\"k+{number}\",\"\",\"true\"\n");
    }
    let (first, second) = lines.split_at(lines.match_indices('\n').nth(120).expect("a line").0 + 1);
    let mut files = Vec::new();
    for (index, lines) in [first, second].into_iter().enumerate() {
        let mut packed = GzEncoder::new(Vec::new(), Compression::fast());
        packed.write_all(lines.as_bytes()).expect("packed");
        let key = format!("data/{index}.csv.gz");
        put(&world, "reports", &key, packed.finish().expect("packed")).await;
        files.push(json!({"key": key}));
    }
    let inventory = json!({
        "destinationBucket": "arn:aws:s3:::reports", "fileFormat": "CSV",
        "fileSchema": "Bucket, Key, VersionId, IsLatest", "files": files,
    });
    let e_tag = put(&world, "reports", "inventory/manifest.json", inventory.to_string()).await;
    let given = json!({
        "Spec": {"Format": "S3InventoryReport_CSV_20161130"},
        "Location": {"ObjectArn": "arn:aws:s3:::reports/inventory/manifest.json", "ETag": e_tag},
    });
    let job = done(&world, asked(tagging(), given)).await;
    assert_eq!(ended(&job), ("Complete", [all, all, 0]));
    assert_eq!(tags(&world, "k 249").await.expect("tags")[0]["Value"], "blue");
    let told = told(&world, &job).await;
    let told: std::collections::BTreeSet<&str> = told.lines().collect();
    assert_eq!(told.len(), 250, "each is told of once");
}

#[tokio::test]
async fn what_is_wrong_makes_the_job_fail() {
    let world = world().await;
    let good = manifest(&world, "photos,k\n").await;
    let mut reasons = String::new();
    let mut number = 0;
    let mut fails = async |given: Value| {
        number += 1;
        let mut input = asked(tagging(), given);
        input["ClientRequestToken"] = format!("token-{number}").into();
        let job = done(&world, input).await;
        assert_eq!(ended(&job).0, "Failed", "{job}");
        let reason = &job["FailureReasons"][0];
        reasons += &format!("{}: {}\n", reason["FailureCode"], reason["FailureReason"]);
    };
    let mut changed = good.clone();
    changed["Location"]["ETag"] = "0123456789abcdef0123456789abcdef".into();
    fails(changed).await;
    let mut missing = good.clone();
    missing["Location"]["ObjectArn"] = "arn:aws:s3:::reports/nothing".into();
    fails(missing).await;
    fails(manifest(&world, "photos,k,v\n").await).await;
    fails(manifest(&world, "").await).await;
    let mut inventory = manifest(&world, "no JSON").await;
    inventory["Spec"] = json!({"Format": "S3InventoryReport_CSV_20161130"});
    fails(inventory).await;
    fogbank_testkit::expect![[r#"
        "ManifestUnreadable": "The manifest cannot be read: PreconditionFailed: At least one of the pre-conditions you specified did not hold"
        "ManifestUnreadable": "The manifest cannot be read: NoSuchKey: The specified key does not exist."
        "InvalidManifest": "Line 1 of the manifest has 3 fields and not 2."
        "ManifestIsEmpty": "The manifest has no entries."
        "InvalidManifest": "The manifest of the inventory is no JSON."
    "#]].assert_eq(&reasons);
    assert_eq!(keys(&world, "reports").await, ["manifest.csv"], "nothing is told of no tasks");
}

/// A request for a job that lists the bucket itself.
fn listing(filter: Value) -> Value {
    let mut input = asked(tagging(), Value::Null);
    input["ManifestGenerator"] = json!({"S3JobManifestGenerator": {
        "SourceBucket": "arn:aws:s3:::photos",
        "EnableManifestOutput": true,
        "ManifestOutputLocation": {
            "Bucket": "arn:aws:s3:::reports", "ManifestPrefix": "lists",
            "ManifestFormat": "S3InventoryReport_CSV_20211130",
        },
        "Filter": filter,
    }});
    input
}

#[tokio::test]
async fn jobs_list_buckets_by_filters() {
    let world = world().await;
    for (key, size) in [("a/1", 1), ("a/20", 20), ("b 1", 1), ("b 200", 200)] {
        put(&world, "photos", key, vec![b'x'; size]).await;
    }
    let input = json!({"Bucket": "photos", "Key": "cold", "StorageClass": "STANDARD_IA"});
    world.call("s3:PutObject", input).await.expect("written");
    let cases = [
        (json!({}), 5),
        (json!({"KeyNameConstraint": {"MatchAnyPrefix": ["a/", "b"]}}), 4),
        (json!({"KeyNameConstraint": {"MatchAnySuffix": ["0"], "MatchAnySubstring": [" "]}}), 1),
        (json!({"ObjectSizeGreaterThanBytes": 1, "ObjectSizeLessThanBytes": 200}), 1),
        (json!({"MatchAnyStorageClass": ["STANDARD_IA", "GLACIER"]}), 1),
        (json!({"MatchAnyObjectEncryption": [{"SSES3": {}}]}), 5),
        (json!({"ObjectReplicationStatuses": ["NONE"]}), 5),
        (json!({"CreatedBefore": "2000-01-01T00:00:00Z"}), 0),
        (json!({"ObjectReplicationStatuses": ["COMPLETED"]}), 0),
        (json!({"MatchAnyObjectEncryption": [{"SSEC": {}}]}), 0),
    ];
    for (number, (filter, count)) in cases.into_iter().enumerate() {
        let mut input = listing(filter.clone());
        input["ClientRequestToken"] = format!("token-{number}").into();
        let job = done(&world, input).await;
        if count == 0 {
            assert_eq!(job["FailureReasons"][0]["FailureCode"], "ManifestIsEmpty", "{filter}");
            continue;
        }
        assert_eq!(ended(&job), ("Complete", [count, count, 0]), "{filter}");
        let place = &job["GeneratedManifestDescriptor"];
        assert_eq!(place["Format"], "S3InventoryReport_CSV_20211130");
        // What was written is a manifest for another job.
        let given = json!({
            "Spec": {"Format": "S3InventoryReport_CSV_20161130"}, "Location": place["Location"],
        });
        let mut again = asked(json!({"S3DeleteObjectTagging": {}}), given);
        again["ClientRequestToken"] = format!("again-{number}").into();
        assert_eq!(ended(&done(&world, again).await), ("Complete", [count, count, 0]));
    }
    assert_eq!(tags(&world, "a/1").await.expect("tags"), json!([]));
    allow(&world, &["s3:PutObject", "s3:PutObjectTagging"]).await;
    let mut input = listing(json!({}));
    input["ClientRequestToken"] = "forbidden".into();
    let job = done(&world, input).await;
    assert_eq!(job["FailureReasons"][0]["FailureCode"], "ManifestGenerationFailed");
}
