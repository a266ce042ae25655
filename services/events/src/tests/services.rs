//! What AWS's services tell the default bus.

use fogbank_core::{Body, Principal};
use fogbank_testkit::{ACCOUNT, World, json};

use super::{OTHER, SERVICES, bodies, call, queue, rule, target};

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
