//! Lifecycles: what rules S3 takes, what answers tell of them, and what the sweep does.

use fogbank_core::Fault;
use fogbank_testkit::{Value, World, json};

use super::notifications::{self, effects, message};
use super::{SERVICES, call, put, refused, send, with, with_bucket};

const DAY_MILLIS: i64 = 86_400_000;

async fn configure(world: &World, rules: Value) -> Result<Value, Fault> {
    let rules: Vec<Value> = rules.as_array().expect("rules").iter().map(with_status).collect();
    call(
        world,
        "PutBucketLifecycleConfiguration",
        json!({"LifecycleConfiguration": {"Rules": rules}}),
    )
    .await
}

/// A rule that is enabled, and has a filter, unless it says otherwise.
fn with_status(rule: &Value) -> Value {
    let mut whole = json!({"Status": "Enabled"});
    if rule.get("Prefix").is_none() {
        whole["Filter"] = json!({});
    }
    with(whole, rule.clone())
}

/// Lets days pass, and what is due be done.
async fn pass(world: &World, days: i64) {
    world.clock().advance(days * DAY_MILLIS);
    world.round(&crate::SERVICE, "s3.lifecycle").await;
}

async fn enable_versions(world: &World) {
    let status = json!({"VersioningConfiguration": {"Status": "Enabled"}});
    call(world, "PutBucketVersioning", status).await.expect("versions");
}

/// What is in the bucket: keys with their storage classes; `~` for what is not current and `x` for delete markers.
async fn listed(world: &World) -> Vec<String> {
    let page = call(world, "ListObjectVersions", json!({})).await.expect("versions");
    let rows = |name: &str| page[name].as_array().cloned().unwrap_or_default();
    let sign = |row: &Value| if row["IsLatest"] == true { "" } else { "~" };
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let mut shown: Vec<String> = rows("Versions")
        .iter()
        .map(|row| format!("{}{} {}", sign(row), text(&row["Key"]), text(&row["StorageClass"])))
        .collect();
    let markers = rows("DeleteMarkers");
    shown.extend(markers.iter().map(|row| format!("{}{} x", sign(row), text(&row["Key"]))));
    shown.sort();
    shown
}

#[tokio::test]
async fn rules_are_kept_as_they_were_given_and_get_an_id() {
    let world = with_bucket().await;
    let rules = json!([
        {"ID": "a", "Prefix": "a/", "Expiration": {"Days": 1}},
        {"ID": "b", "Prefix": "b/", "Expiration": {"Date": 1_767_225_600}, "Status": "Disabled"},
        {"Prefix": "", "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 2}},
    ]);
    let told = configure(&world, rules.clone()).await.expect("set");
    assert_eq!(told["TransitionDefaultMinimumObjectSize"], "all_storage_classes_128K");
    let found = call(&world, "GetBucketLifecycleConfiguration", json!({})).await.expect("rules");
    assert_eq!(found["Rules"][0], with_status(&rules[0]));
    assert_eq!(found["Rules"][1], with_status(&rules[1]));
    assert_eq!(found["Rules"][2]["ID"].as_str().map(str::len), Some(48));
    call(&world, "DeleteBucketLifecycle", json!({})).await.expect("removed");
    call(&world, "DeleteBucketLifecycle", json!({})).await.expect("removed again");
    let outcome = call(&world, "GetBucketLifecycleConfiguration", json!({})).await;
    assert!(refused(outcome).starts_with("NoSuchLifecycleConfiguration: "));
}

#[tokio::test]
async fn rules_are_checked_in_s3s_words() {
    let world = with_bucket().await;
    let expires = json!({"Days": 1});
    for (rules, expected) in [
        (json!([]), "MalformedXML: "),
        (json!([{}]), "InvalidRequest: At least one action needs to be specified in a rule"),
        (json!([{"Status": "enabled", "Expiration": expires}]), "MalformedXML: "),
        (json!([{"Filter": null, "Expiration": expires}]), "MalformedXML: "),
        (json!([{"Prefix": "a", "Filter": {}, "Expiration": expires}]), "MalformedXML: "),
        (
            json!([{"ID": "a".repeat(256), "Expiration": expires}]),
            "InvalidArgument: ID length should not exceed allowed limit of 255",
        ),
        (
            json!([{"ID": "a", "Expiration": expires}, {"ID": "a", "Expiration": expires}]),
            "InvalidArgument: Rule ID must be unique. Found same ID for more than one rule",
        ),
        (
            json!([{"Prefix": "", "Expiration": expires}, {"Expiration": expires}]),
            "InvalidRequest: Filter element can only be used in Lifecycle V2.",
        ),
        (
            json!([{"Prefix": "a", "Expiration": expires}, {"Prefix": "", "Expiration": expires}]),
            "InvalidRequest: Found overlapping prefixes '' and 'a' for same action type 'Expiration'",
        ),
        (
            json!([{"Expiration": {"Days": 0}}]),
            "InvalidArgument: 'Days' for Expiration action must be a positive integer",
        ),
        (json!([{"Expiration": {}}]), "MalformedXML: "),
        (json!([{"Expiration": {"Days": 1, "ExpiredObjectDeleteMarker": true}}]), "MalformedXML: "),
        (
            json!([{"Expiration": {"Date": 20_200_101}}]),
            "InvalidArgument: 'Date' must be at midnight GMT",
        ),
        (
            json!([{"NoncurrentVersionExpiration": {"NoncurrentDays": 0}}]),
            "InvalidArgument: 'NoncurrentDays' for NoncurrentVersionExpiration action must be a positive integer",
        ),
        (
            json!([{
                "Filter": {"Tag": {"Key": "a", "Value": "b"}},
                "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 1},
            }]),
            "InvalidRequest: AbortIncompleteMultipartUpload cannot be specified with Tags.",
        ),
        (
            json!([{"Filter": {"Prefix": "a", "ObjectSizeLessThan": 5}, "Expiration": expires}]),
            "MalformedXML: ",
        ),
        (json!([{"Filter": {"And": {"Prefix": "a"}}, "Expiration": expires}]), "MalformedXML: "),
        (
            json!([{
                "Filter": {"And": {"Tags": [{"Key": "a", "Value": "b"}, {"Key": "a", "Value": "c"}]}},
                "Expiration": expires,
            }]),
            "InvalidRequest: Duplicate Tag Keys are not allowed.",
        ),
        (
            json!([{
                "Filter": {"And": {"ObjectSizeGreaterThan": 5, "ObjectSizeLessThan": 5}},
                "Expiration": expires,
            }]),
            "InvalidRequest: 'ObjectSizeLessThan' has to be a value greater than 'ObjectSizeGreaterThan'.",
        ),
        (
            json!([{"Transitions": [{"Days": 0, "StorageClass": "ONEZONE_IA"}]}]),
            "InvalidArgument: 'Days' in Transition action must be greater than or equal to 30 for storageClass 'ONEZONE_IA'",
        ),
        (
            json!([{
                "Filter": {"Prefix": "a"},
                "Transitions": [{"Days": 2, "StorageClass": "GLACIER"}],
                "Expiration": {"Days": 2},
            }]),
            "InvalidArgument: 'Days' in the Expiration action for filter '(prefix=a)' must be greater than 'Days' in the Transition action",
        ),
        (
            json!([{
                "Transitions": [{"Date": 0, "StorageClass": "GLACIER"}],
                "Expiration": {"Days": 2},
            }]),
            "InvalidRequest: Found mixed 'Date' and 'Days' based Expiration and Transition actions in lifecycle rule for filter '(prefix=)'",
        ),
    ] {
        let outcome = refused(configure(&world, rules.clone()).await);
        assert!(outcome.starts_with(expected), "{rules}: {outcome}");
    }
    let mut input = json!({"LifecycleConfiguration": {"Rules": [with_status(&json!({"Expiration": expires}))]}});
    input["TransitionDefaultMinimumObjectSize"] = "value".into();
    let outcome = refused(call(&world, "PutBucketLifecycleConfiguration", input).await);
    assert_eq!(outcome, "InvalidRequest: Invalid TransitionDefaultMinimumObjectSize found: value");
}

#[tokio::test]
async fn objects_expire_at_midnight_and_answers_say_when() {
    let world = with_bucket().await;
    configure(
        &world,
        json!([
            {"ID": "late", "Expiration": {"Days": 9}},
            {"ID": "logs after 2", "Filter": {"Prefix": "logs/"}, "Expiration": {"Days": 2}},
        ]),
    )
    .await
    .expect("set");
    world.clock().advance(10);
    let told = put(&world, "logs/a", "x".to_owned()).await;
    let expected = "expiry-date=\"Sun, 04 Jan 2026 00:00:00 GMT\", rule-id=\"logs after 2\"";
    assert_eq!(told["Expiration"], expected);
    let told = call(&world, "HeadObject", json!({"Key": "logs/a"})).await.expect("a head");
    assert_eq!(told["Expiration"], expected);
    let copy = json!({"Key": "b", "CopySource": "photos/logs/a"});
    let told = call(&world, "CopyObject", copy).await.expect("copied");
    let late = "expiry-date=\"Sun, 11 Jan 2026 00:00:00 GMT\", rule-id=\"late\"";
    assert_eq!(told["Expiration"], late);
    pass(&world, 2).await;
    assert_eq!(listed(&world).await, ["b STANDARD", "logs/a STANDARD"]);
    pass(&world, 1).await;
    assert_eq!(listed(&world).await, ["b STANDARD"]);
    pass(&world, 31).await;
    assert!(listed(&world).await.is_empty());
}

#[tokio::test]
async fn filters_look_at_tags_and_sizes() {
    let world = with_bucket().await;
    configure(&world, json!([
        {
            "ID": "tags", "Expiration": {"Days": 1},
            "Filter": {"And": {"Tags": [{"Key": "a", "Value": "1"}, {"Key": "b", "Value": "2"}]}},
        },
        {
            "ID": "sizes", "Expiration": {"Days": 1},
            "Filter": {"And": {"Prefix": "s", "ObjectSizeGreaterThan": 1, "ObjectSizeLessThan": 4}},
        },
    ]))
    .await
    .expect("set");
    for (key, tags, size) in
        [("one", "a=1", 2), ("both", "a=1&b=2&c=3", 2), ("s1", "", 1), ("s2", "", 2), ("s4", "", 4)]
    {
        let input = json!({"Key": key, "Tagging": tags});
        send(&world, "PutObject", input, "x".repeat(size)).await.expect("written");
    }
    let told = call(&world, "HeadObject", json!({"Key": "one"})).await.expect("a head");
    assert_eq!(told["Expiration"], Value::Null);
    pass(&world, 1).await;
    assert_eq!(listed(&world).await, ["one STANDARD", "s1 STANDARD", "s4 STANDARD"]);
    let tags = json!({"TagSet": [{"Key": "a", "Value": "1"}, {"Key": "b", "Value": "2"}]});
    let input = json!({"Key": "one", "Tagging": tags});
    call(&world, "PutObjectTagging", input).await.expect("tagged");
    pass(&world, 1).await;
    assert_eq!(listed(&world).await, ["s1 STANDARD", "s4 STANDARD"]);
}

#[tokio::test]
async fn objects_move_to_colder_classes_and_small_ones_stay() {
    let world = with_bucket().await;
    configure(&world, json!([
        {
            "Filter": {"Prefix": "large"},
            "Transitions": [
                {"Days": 30, "StorageClass": "STANDARD_IA"}, {"Days": 90, "StorageClass": "GLACIER"},
            ],
        },
        {"Filter": {"ObjectSizeGreaterThan": 0}, "Transitions": [{"Days": 0, "StorageClass": "GLACIER_IR"}]},
    ]))
    .await
    .expect("set");
    put(&world, "large", "x".repeat(128 * 1024)).await;
    put(&world, "large-is-small", "x".to_owned()).await;
    put(&world, "empty", String::new()).await;
    let expected = ["empty STANDARD", "large STANDARD", "large-is-small STANDARD"];
    world.clock().advance(-1);
    world.round(&crate::SERVICE, "s3.lifecycle").await;
    assert_eq!(listed(&world).await, expected);
    pass(&world, 1).await;
    assert_eq!(
        listed(&world).await,
        ["empty STANDARD", "large GLACIER_IR", "large-is-small GLACIER_IR"]
    );
    pass(&world, 91).await;
    assert_eq!(
        listed(&world).await,
        ["empty STANDARD", "large GLACIER", "large-is-small GLACIER_IR"]
    );
    let outcome = super::get(&world, json!({"Key": "large"})).await;
    assert!(refused(outcome).starts_with("InvalidObjectState: "));
}

#[tokio::test]
async fn versions_markers_and_what_is_locked() {
    let world = World::new(SERVICES);
    call(&world, "CreateBucket", json!({"ObjectLockEnabledForBucket": true})).await.expect("made");
    configure(&world, json!([
        {"Filter": {"Prefix": "kept/"}, "NoncurrentVersionExpiration": {"NoncurrentDays": 1, "NewerNoncurrentVersions": 2}},
        {"Filter": {"Prefix": "gone/"}, "Expiration": {"Days": 1}, "NoncurrentVersionExpiration": {"NoncurrentDays": 3}},
        {"Filter": {"Prefix": "held/"}, "NoncurrentVersionExpiration": {"NoncurrentDays": 1}, "Expiration": {"ExpiredObjectDeleteMarker": true}},
        {"Filter": {"Prefix": "cold/"}, "NoncurrentVersionTransitions": [{"NoncurrentDays": 1, "StorageClass": "GLACIER"}]},
    ]))
    .await
    .expect("set");
    for _ in 0..5 {
        put(&world, "kept/a", "x".to_owned()).await;
    }
    put(&world, "gone/a", "x".to_owned()).await;
    let held = json!({"Key": "held/a", "ObjectLockLegalHoldStatus": "ON"});
    send(&world, "PutObject", held, "x".to_owned()).await.expect("written");
    let event = json!({
        "Key": "held/c", "ObjectLockMode": "GOVERNANCE", "ObjectLockEventHold": "ON",
        "ObjectLockEventHoldDurationDays": 1,
    });
    send(&world, "PutObject", event, "x".to_owned()).await.expect("written");
    put(&world, "held/b", "x".to_owned()).await;
    for key in ["held/a", "held/b", "held/c"] {
        call(&world, "DeleteObject", json!({"Key": key})).await.expect("marked");
    }
    put(&world, "cold/a", "x".repeat(128 * 1024)).await;
    put(&world, "cold/a", "x".to_owned()).await;
    pass(&world, 1).await;
    assert_eq!(
        listed(&world).await,
        [
            "cold/a STANDARD",
            "gone/a x",
            "held/a x",
            "held/c x",
            "kept/a STANDARD",
            "~cold/a GLACIER",
            "~gone/a STANDARD",
            "~held/a STANDARD",
            "~held/c STANDARD",
            "~kept/a STANDARD",
            "~kept/a STANDARD",
        ]
    );
    // The version of gone/a ended a day later than it was made; then the marker is alone, and old enough.
    pass(&world, 3).await;
    let left = listed(&world).await;
    assert!(!left.iter().any(|row| row.contains("gone/a")), "{left:?}");
    for key in ["a", "c"] {
        assert!(left.contains(&format!("~held/{key} STANDARD")));
    }
    // A day after its release, what was held is free.
    let version = call(&world, "ListObjectVersions", json!({"Prefix": "held/c"})).await;
    let version = version.expect("a list")["Versions"][0]["VersionId"].clone();
    let off = json!({"Mode": "GOVERNANCE", "EventHold": "OFF"});
    let off = json!({"Key": "held/c", "VersionId": version, "Retention": off});
    call(&world, "PutObjectRetention", off).await.expect("released");
    pass(&world, 2).await;
    assert!(!listed(&world).await.iter().any(|row| row.contains("held/c")));
}

#[tokio::test]
async fn what_expires_in_a_suspended_bucket_leaves_a_null_marker() {
    let world = with_bucket().await;
    enable_versions(&world).await;
    put(&world, "a", "x".to_owned()).await;
    let status = json!({"VersioningConfiguration": {"Status": "Suspended"}});
    call(&world, "PutBucketVersioning", status).await.expect("suspended");
    put(&world, "b", "x".to_owned()).await;
    configure(&world, json!([{"Expiration": {"Days": 1}}])).await.expect("set");
    pass(&world, 1).await;
    assert_eq!(listed(&world).await, ["a x", "b x", "~a STANDARD"]);
    pass(&world, 1).await;
    assert_eq!(listed(&world).await, ["a x", "~a STANDARD"]);
}

#[tokio::test]
async fn unfinished_uploads_are_given_up() {
    let world = with_bucket().await;
    let abort = json!({"DaysAfterInitiation": 2});
    configure(
        &world,
        json!([{"ID": "u", "Filter": {"Prefix": "a"}, "AbortIncompleteMultipartUpload": abort}]),
    )
    .await
    .expect("set");
    for key in ["a", "b"] {
        let told = call(&world, "CreateMultipartUpload", json!({"Key": key})).await.expect("begun");
        assert_eq!(told["AbortRuleId"] == "u", key == "a");
        assert_eq!(told["AbortDate"] == 1_767_398_400, key == "a", "{told}");
        let part = json!({"Key": key, "UploadId": told["UploadId"], "PartNumber": 1});
        send(&world, "UploadPart", part, "x".to_owned()).await.expect("a part");
    }
    pass(&world, 2).await;
    let uploads = call(&world, "ListMultipartUploads", json!({})).await.expect("uploads");
    assert_eq!(uploads["Uploads"].as_array().map(Vec::len), Some(1));
    assert_eq!(uploads["Uploads"][0]["Key"], "b");
}

/// The events of the next sweep: their names, keys and storage classes.
async fn changes_after_a_day(world: &World) -> Vec<String> {
    effects(world).await;
    pass(world, 1).await;
    let shown = |effect| {
        let record = message(effect)["Records"][0].clone();
        let class = &record["lifecycleEventData"]["transitionEventData"]["destinationStorageClass"];
        format!("{} {} {class}", record["eventName"], record["s3"]["object"]["key"])
    };
    effects(world).await.iter().map(shown).collect()
}

#[tokio::test]
async fn what_a_lifecycle_does_has_events_of_its_own() {
    let world = with_bucket().await;
    let events = ["s3:ObjectRemoved:*", "s3:LifecycleExpiration:*", "s3:LifecycleTransition"];
    let queue = notifications::queue(&events);
    notifications::configure(&world, json!({"QueueConfigurations": [queue]})).await.expect("set");
    configure(&world, json!([
        {"Expiration": {"Days": 2}, "Filter": {"Prefix": ""}},
        {"Filter": {"ObjectSizeGreaterThan": 0}, "Transitions": [{"Days": 1, "StorageClass": "GLACIER"}]},
    ]))
    .await
    .expect("set");
    put(&world, "a", "x".to_owned()).await;
    let mut seen = changes_after_a_day(&world).await;
    enable_versions(&world).await;
    put(&world, "b", "x".to_owned()).await;
    seen.extend(changes_after_a_day(&world).await);
    seen.extend(changes_after_a_day(&world).await);
    assert_eq!(
        seen,
        [
            r#""LifecycleTransition" "a" "GLACIER""#,
            r#""LifecycleExpiration:DeleteMarkerCreated" "a" null"#,
            r#""LifecycleTransition" "b" "GLACIER""#,
            r#""LifecycleExpiration:DeleteMarkerCreated" "b" null"#,
        ]
    );
}

#[tokio::test]
async fn a_sweep_goes_through_pages_and_stops_where_nothing_is_due() {
    let world = with_bucket().await;
    enable_versions(&world).await;
    for index in 0..1_100 {
        put(&world, &format!("{index:04}"), "x".to_owned()).await;
        put(&world, &format!("{index:04}"), "y".to_owned()).await;
    }
    for _ in 0..1_100 {
        put(&world, "zz", "x".to_owned()).await;
    }
    configure(&world, json!([{"NoncurrentVersionExpiration": {"NoncurrentDays": 1}}]))
        .await
        .expect("set");
    pass(&world, 1).await;
    let rows = world.rows(&crate::SERVICE);
    assert_eq!(rows.keys().filter(|row| row.starts_with("s3.versions")).count(), 0);
    assert_eq!(rows.keys().filter(|row| row.starts_with("s3.objects")).count(), 1_101);
}
