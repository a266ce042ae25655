//! Configurations by id, and transfer acceleration.

use fogbank_testkit::{Value, World, expect, json};

use super::{call, refused, with, with_bucket};

/// The kinds, each with a configuration without its id.
fn kinds() -> [(&'static str, Value); 4] {
    [
        ("Analytics", json!({"StorageClassAnalysis": {}, "Filter": {"Prefix": "a/"}})),
        (
            "IntelligentTiering",
            json!({
                "Status": "Enabled", "Filter": {"Prefix": "a/"},
                "Tierings": [{"Days": 90, "AccessTier": "ARCHIVE_ACCESS"}],
            }),
        ),
        ("Inventory", inventory()),
        ("Metrics", json!({"Filter": {"Tag": {"Key": "a", "Value": "b"}}})),
    ]
}

fn inventory() -> Value {
    json!({
        "IsEnabled": true, "IncludedObjectVersions": "Current",
        "Destination": {"S3BucketDestination": {"Bucket": "arn:aws:s3:::lists", "Format": "CSV"}},
        "Schedule": {"Frequency": "Daily"}, "OptionalFields": ["Size"],
    })
}

async fn put(
    world: &World,
    kind: &str,
    id: &str,
    given: Value,
) -> Result<Value, fogbank_core::Fault> {
    let member = format!("{kind}Configuration");
    let more = with(json!({"Id": id}), json!({ member: given }));
    call(world, &format!("PutBucket{kind}Configuration"), more).await
}

#[tokio::test]
async fn they_are_put_read_listed_and_removed() {
    let world = with_bucket().await;
    for (kind, body) in kinds() {
        let whole = with(body.clone(), json!({"Id": "one"}));
        put(&world, kind, "one", whole.clone()).await.expect("put");
        let named = json!({"Id": "one"});
        let get = format!("GetBucket{kind}Configuration");
        let found = call(&world, &get, named.clone()).await.expect("found");
        assert_eq!(found[format!("{kind}Configuration")], whole);
        let list = format!("ListBucket{kind}Configurations");
        let listed = call(&world, &list, json!({})).await.expect("a list");
        assert_eq!(listed["IsTruncated"], false);
        assert_eq!(listed[format!("{kind}ConfigurationList")], json!([whole]));
        let delete = format!("DeleteBucket{kind}Configuration");
        call(&world, &delete, named.clone()).await.expect("removed");
        for operation in [&delete, &get] {
            assert_eq!(
                refused(call(&world, operation, named.clone()).await),
                "NoSuchConfiguration: The specified configuration does not exist."
            );
        }
        let bad = json!({"ContinuationToken": "zz"});
        let told = refused(call(&world, &list, bad).await);
        assert!(told.starts_with("InvalidArgument: The continuation token"), "{told}");
        // The id of the document must be that of the query, and one that there can be.
        let expected = if kind == "Inventory" { "IdMismatch: " } else { "MalformedXML: " };
        let told = refused(put(&world, kind, "two", whole.clone()).await);
        assert!(told.starts_with(expected), "{told}");
        let odd = with(body, json!({"Id": "a b"}));
        assert_eq!(
            refused(put(&world, kind, "a b", odd).await),
            "InvalidConfigurationId: The specified configuration id is invalid."
        );
    }
}

#[tokio::test]
async fn a_bucket_has_a_thousand_of_a_kind_in_pages_of_a_hundred() {
    let world = with_bucket().await;
    for number in 0..1000 {
        let id = format!("m{number:04}");
        put(&world, "Metrics", &id, json!({ "Id": id })).await.expect("put");
    }
    let more = put(&world, "Metrics", "more", json!({"Id": "more"})).await;
    expect!["TooManyConfigurations: You are attempting to create a new configuration but have already reached the 1,000-configuration limit."]
        .assert_eq(&refused(more));
    put(&world, "Metrics", "m0007", json!({"Id": "m0007"})).await.expect("replaced");
    let analytics = json!({"Id": "a", "StorageClassAnalysis": {}});
    put(&world, "Analytics", "a", analytics).await.expect("another kind");
    let (mut ids, mut token) = (Vec::new(), Value::Null);
    loop {
        let page =
            call(&world, "ListBucketMetricsConfigurations", json!({"ContinuationToken": token}));
        let page = page.await.expect("a page");
        let list = page["MetricsConfigurationList"].as_array().expect("a list").clone();
        assert_eq!(list.len(), 100);
        ids.extend(list.iter().map(|found| found["Id"].as_str().expect("an id").to_owned()));
        token = page["NextContinuationToken"].clone();
        if page["IsTruncated"] == false {
            break;
        }
    }
    assert!(token.is_null());
    assert_eq!(ids, (0..1000).map(|number| format!("m{number:04}")).collect::<Vec<_>>());
}

#[tokio::test]
async fn destinations_and_days_must_make_sense() {
    let world = with_bucket().await;
    let to = |bucket: &str| {
        let mut given = with(inventory(), json!({"Id": "i"}));
        given["Destination"]["S3BucketDestination"] = json!({"Bucket": bucket, "Format": "CSV"});
        given
    };
    let mut told = String::new();
    for bucket in ["lists", "arn:aws:s3::000000000000:lists"] {
        told += &refused(put(&world, "Inventory", "i", to(bucket)).await);
        told += "\n";
    }
    let tiers = |tiers: Value| json!({"Id": "t", "Status": "Enabled", "Tierings": tiers});
    for given in [
        json!([{"Days": 1, "AccessTier": "ARCHIVE_ACCESS"}]),
        json!([{"Days": 179, "AccessTier": "DEEP_ARCHIVE_ACCESS"}]),
        json!([{"Days": 731, "AccessTier": "ARCHIVE_ACCESS"}]),
        json!([{"Days": 90, "AccessTier": "ARCHIVE_ACCESS"}, {"Days": 91, "AccessTier": "ARCHIVE_ACCESS"}]),
        json!([]),
    ] {
        told += &refused(put(&world, "IntelligentTiering", "t", tiers(given)).await);
        told += "\n";
    }
    expect![[r#"
        InvalidS3DestinationBucket: Invalid bucket ARN.
        InvalidS3DestinationBucket: Bucket ARN should not specify a namespace.
        InvalidArgument: Days specified in ARCHIVE_ACCESS tier should not be less than 90. ArgumentName=Days ArgumentValue=1
        InvalidArgument: Days specified in DEEP_ARCHIVE_ACCESS tier should not be less than 180. ArgumentName=Days ArgumentValue=179
        InvalidArgument: Days specified in ARCHIVE_ACCESS tier should not be more than 730. ArgumentName=Days ArgumentValue=731
        MalformedXML: The XML you provided was not well-formed or did not validate against our published schema
        MalformedXML: The XML you provided was not well-formed or did not validate against our published schema
    "#]].assert_eq(&told);
}

#[tokio::test]
async fn acceleration_is_enabled_and_suspended_but_not_for_names_with_dots() {
    let world = with_bucket().await;
    for status in ["Enabled", "Suspended"] {
        let given = json!({"AccelerateConfiguration": {"Status": status}});
        call(&world, "PutBucketAccelerateConfiguration", given).await.expect("set");
        let told = call(&world, "GetBucketAccelerateConfiguration", json!({})).await.expect("told");
        assert_eq!(told, json!({"Status": status}));
    }
    let dotted = json!({"Bucket": "my.photos"});
    world.call("s3:CreateBucket", dotted.clone()).await.expect("a bucket");
    let given = with(dotted, json!({"AccelerateConfiguration": {"Status": "Enabled"}}));
    assert_eq!(
        refused(world.call("s3:PutBucketAccelerateConfiguration", given).await),
        "InvalidRequest: S3 Transfer Acceleration is not supported for buckets with periods (.) in their names"
    );
}
