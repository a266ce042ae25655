//! What AWS's services tell the default bus.

use fogbank_core::{Body, Principal, Service};
use fogbank_testkit::{ACCOUNT, Value, World, json};

use super::{OTHER, SERVICES, bodies, call, queue, rule, target};

/// EventBridge, and those that tell it of keys, parameters and secrets.
static WITH_CHANGES: &[&Service] = &[
    &crate::SERVICE,
    &fogbank_iam::SERVICE,
    &fogbank_kms::SERVICE,
    &fogbank_secretsmanager::SERVICE,
    &fogbank_sqs::SERVICE,
    &fogbank_ssm::SERVICE,
];
const DAY: i64 = 24 * 3_600_000;

/// A world in which a queue hears of all that a service tells.
async fn hearing(source: &str) -> World {
    let world = World::new(WITH_CHANGES);
    let arn = queue(&world, "q", json!({})).await;
    rule(&world, "r", json!({"source": [source]})).await;
    target(&world, "r", &arn, json!({})).await;
    world
}

#[tokio::test]
async fn objects_of_s3_come_and_go() {
    let world = World::new(SERVICES);
    let arn = queue(&world, "q", json!({})).await;
    let pattern = json!({
        "source": ["aws.s3"], "detail-type": ["Object Created", "Object Deleted"],
        "detail": {"bucket": {"name": ["photos"]}, "object": {"key": [{"suffix": ".png"}]}},
    });
    rule(&world, "r", pattern).await;
    target(&world, "r", &arn, json!({})).await;
    world.call("s3:CreateBucket", json!({"Bucket": "photos"})).await.expect("a bucket");
    let input = json!({
        "Bucket": "photos", "NotificationConfiguration": {"EventBridgeConfiguration": {}},
    });
    world.call("s3:PutBucketNotificationConfiguration", input).await.expect("configured");
    for key in ["a.jpg", "a.png"] {
        let input = json!({"Bucket": "photos", "Key": key, "ContentLength": 3});
        let root = Principal::root(ACCOUNT);
        world
            .send(root, "s3:PutObject", input, Body::from("abc".to_owned()))
            .await
            .expect("written");
    }
    let events = bodies(&world, "q", 1).await;
    let event = &events[0];
    assert_eq!(event["detail-type"], "Object Created");
    assert_eq!(event["account"], ACCOUNT);
    assert_eq!(event["resources"], json!(["arn:aws:s3:::photos"]));
    let object = &event["detail"]["object"];
    assert_eq!((&object["key"], &object["size"]), (&json!("a.png"), &json!(3)));
    assert_eq!(event["detail"]["reason"], "PutObject");
    let input = json!({"Bucket": "photos", "Key": "a.png"});
    world.call("s3:DeleteObject", input).await.expect("removed");
    let events = bodies(&world, "q", 1).await;
    assert_eq!(events[0]["detail-type"], "Object Deleted");
    assert_eq!(events[0]["detail"]["deletion-type"], "Permanently Deleted");
}

#[tokio::test]
async fn services_reach_the_default_bus_on_behalf_of_its_account_alone() {
    let world = World::new(SERVICES);
    let entries = json!({"Entries": [
        {"Source": "aws.s3", "DetailType": "Object Created", "Detail": "{}"},
    ]});
    for (account, is_allowed) in [(ACCOUNT, true), (OTHER, false)] {
        let cx = fogbank_core::Cx::background(world.cloud().clone(), "s3", "test");
        let principal = Principal::service("s3.amazonaws.com");
        let mut call = cx.prepare(principal, "events:PutEvents", entries.clone());
        call.source = Some(("arn:aws:s3:::b".to_owned(), account.to_owned()));
        let answer = world.cloud().call(call).await;
        assert_eq!(answer.is_ok(), is_allowed, "{answer:?}");
    }
    let refused = call(&world, "PutEvents", entries).await;
    assert_eq!(refused["Entries"][0]["ErrorCode"], "NotAuthorizedForSourceException");
}

#[tokio::test]
async fn parameters_change_and_expire() {
    let world = hearing("aws.ssm").await;
    let put = |more: Value| {
        let mut input = json!({"Name": "/app/key", "Value": "v", "Type": "String"});
        for (name, value) in more.as_object().expect("members") {
            input[name] = value.clone();
        }
        let world = &world;
        async move { world.call("ssm:PutParameter", input).await.expect("written") }
    };
    put(json!({"Description": "a key"})).await;
    let policies = json!([
        {"Type": "Expiration", "Version": "1.0", "Attributes": {"Timestamp": "2030-01-11T00:00:00.000Z"}},
        {"Type": "NoChangeNotification", "Version": "1.0", "Attributes": {"After": "1", "Unit": "Days"}},
    ]);
    put(json!({"Overwrite": true, "Tier": "Advanced", "Policies": policies.to_string()})).await;
    let label = json!({"Name": "/app/key", "Labels": ["live"]});
    world.call("ssm:LabelParameterVersion", label).await.expect("labelled");
    // A queue that is not FIFO keeps no order.
    let mut events = bodies(&world, "q", 3).await;
    events.sort_by_key(|event| event["detail"]["operation"].to_string());
    assert_eq!(events[0]["detail-type"], "Parameter Store Change");
    assert_eq!(
        events[0]["resources"],
        json!(["arn:aws:ssm:us-east-1:000000000000:parameter/app/key"])
    );
    let detail = json!({"operation": "Create", "name": "/app/key", "type": "String", "description": "a key"});
    assert_eq!(events[0]["detail"], detail);
    assert_eq!(events[1]["detail"]["operation"], "LabelParameterVersion");
    assert_eq!(events[2]["detail"]["operation"], "Update");
    world.clock().advance(2 * DAY);
    world.round(&fogbank_ssm::SERVICE, "ssm.due").await;
    let events = bodies(&world, "q", 1).await;
    assert_eq!(events[0]["detail-type"], "Parameter Store Policy Action");
    assert_eq!(events[0]["detail"]["policy-type"], "NoChangeNotification");
    assert_eq!(events[0]["detail"]["parameter-name"], "/app/key");
    world.clock().advance(20 * 366 * DAY);
    world.round(&fogbank_ssm::SERVICE, "ssm.due").await;
    let mut events = bodies(&world, "q", 2).await;
    events.sort_by_key(|event| event["detail-type"].to_string());
    assert_eq!(events[0]["detail"]["operation"], "Delete");
    assert_eq!(events[1]["detail"]["policy-type"], "Expiration");
}

#[tokio::test]
async fn keys_are_rotated_and_deleted() {
    let world = hearing("aws.kms").await;
    let made = world.call("kms:CreateKey", json!({})).await.expect("a key");
    let id = made["KeyMetadata"]["KeyId"].clone();
    let named = json!({"KeyId": id});
    world.call("kms:EnableKeyRotation", named.clone()).await.expect("enabled");
    world.call("kms:RotateKeyOnDemand", named).await.expect("rotated");
    world.clock().advance(366 * DAY);
    world.round(&fogbank_kms::SERVICE, "kms.due").await;
    let delete = json!({"KeyId": id, "PendingWindowInDays": 7});
    world.call("kms:ScheduleKeyDeletion", delete).await.expect("scheduled");
    world.clock().advance(8 * DAY);
    world.round(&fogbank_kms::SERVICE, "kms.due").await;
    let events = bodies(&world, "q", 3).await;
    let mut types: Vec<_> = events.iter().map(|event| event["detail-type"].to_string()).collect();
    types.sort();
    assert_eq!(types, ["\"KMS CMK Deletion\"", "\"KMS CMK Rotation\"", "\"KMS CMK Rotation\""]);
    for event in &events {
        assert_eq!(event["detail"], json!({"key-id": id}));
        assert_eq!(event["resources"], json!([made["KeyMetadata"]["Arn"]]));
    }
}

#[tokio::test]
async fn secrets_are_deleted_and_kept() {
    let world = hearing("aws.secretsmanager").await;
    let input = json!({"Name": "s", "SecretString": "v"});
    let made = world.call("secretsmanager:CreateSecret", input).await.expect("a secret");
    let named = json!({"SecretId": "s"});
    world.call("secretsmanager:DeleteSecret", named.clone()).await.expect("scheduled");
    world.call("secretsmanager:RestoreSecret", named.clone()).await.expect("kept");
    world.call("secretsmanager:DeleteSecret", named).await.expect("scheduled");
    world.clock().advance(31 * DAY);
    world.round(&fogbank_secretsmanager::SERVICE, "secretsmanager.due").await;
    let events = bodies(&world, "q", 4).await;
    let name = |event: &Value| event["detail"]["eventName"].as_str().unwrap_or_default().to_owned();
    let mut names: Vec<String> = events.iter().map(name).collect();
    names.sort();
    let expected = [
        "CancelSecretVersionDelete",
        "EndSecretVersionDelete",
        "StartSecretVersionDelete",
        "StartSecretVersionDelete",
    ];
    assert_eq!(names, expected);
    for event in &events {
        assert_eq!(event["detail-type"], "AWS Service Event via CloudTrail");
        assert_eq!(event["detail"]["additionalEventData"]["SecretId"], made["ARN"]);
    }
}
