//! Rules that fire by themselves.

use fogbank_testkit::{ACCOUNT, World, json};

use super::{SERVICES, bodies, call, queue, target, waiting};
use crate::SERVICE;

const MINUTE: i64 = 60_000;

async fn round(world: &World) {
    world.round(&SERVICE, "events.schedules").await;
}

async fn scheduled(expression: &str) -> World {
    let world = World::new(SERVICES);
    let arn = queue(&world, "q", json!({})).await;
    call(&world, "PutRule", json!({"Name": "tick", "ScheduleExpression": expression})).await;
    target(&world, "tick", &arn, json!({})).await;
    world
}

#[tokio::test]
async fn a_rate_fires_by_the_cloud_s_clock() {
    let world = scheduled("rate(5 minutes)").await;
    round(&world).await;
    assert_eq!(waiting(&world), 0);
    world.clock().advance(5 * MINUTE);
    round(&world).await;
    round(&world).await;
    assert_eq!(waiting(&world), 1);
    let events = bodies(&world, "q", 1).await;
    let event = &events[0];
    assert_eq!(event["detail-type"], "Scheduled Event");
    assert_eq!(event["source"], "aws.events");
    assert_eq!(event["time"], "2026-01-01T00:05:00Z");
    assert_eq!(
        event["resources"],
        json!([format!("arn:aws:events:us-east-1:{ACCOUNT}:rule/tick")])
    );
    assert_eq!(event["detail"], json!({}));
    // What the clock went past is made up for once.
    world.clock().advance(18 * MINUTE);
    round(&world).await;
    assert_eq!(bodies(&world, "q", 1).await[0]["time"], "2026-01-01T00:10:00Z");
    world.clock().advance(2 * MINUTE);
    round(&world).await;
    assert_eq!(bodies(&world, "q", 1).await[0]["time"], "2026-01-01T00:25:00Z");
}

#[tokio::test]
async fn a_rule_that_is_off_or_gone_does_not_fire() {
    let world = scheduled("cron(0/5 * * * ? *)").await;
    call(&world, "DisableRule", json!({"Name": "tick"})).await;
    world.clock().advance(6 * MINUTE);
    round(&world).await;
    assert_eq!(waiting(&world), 0);
    call(&world, "EnableRule", json!({"Name": "tick"})).await;
    world.clock().advance(4 * MINUTE);
    round(&world).await;
    assert_eq!(bodies(&world, "q", 1).await[0]["time"], "2026-01-01T00:10:00Z");
    // The same schedule again does not begin anew, another one does.
    let again = json!({"Name": "tick", "ScheduleExpression": "cron(0/5 * * * ? *)"});
    call(&world, "PutRule", again).await;
    call(&world, "PutRule", json!({"Name": "tick", "ScheduleExpression": "rate(1 day)"})).await;
    world.clock().advance(60 * MINUTE);
    round(&world).await;
    assert_eq!(waiting(&world), 0);
    call(&world, "RemoveTargets", json!({"Rule": "tick", "Ids": ["t"]})).await;
    call(&world, "DeleteRule", json!({"Name": "tick"})).await;
    assert!(world.rows(&SERVICE).is_empty(), "{:?}", world.rows(&SERVICE));
}

#[tokio::test]
async fn the_background_fires_rules_when_they_are_due() {
    let world = scheduled("rate(1 minute)").await;
    world.clock().advance(MINUTE);
    bodies(&world, "q", 1).await;
}

#[tokio::test]
async fn a_clock_that_is_set_back_does_not_stop_rules() {
    let world = scheduled("cron(0 12 * * ? *)").await;
    world.clock().advance(36 * 60 * MINUTE);
    round(&world).await;
    bodies(&world, "q", 1).await;
    world.clock().change(fogbank_core::clock::Change::Freeze(Some(
        fogbank_core::Timestamp::from_secs(1_767_225_600 - 86_400),
    )));
    let cx = fogbank_core::Cx::background(world.cloud().clone(), "events", "test");
    crate::schedules::time_went_back(cx).await.expect("planned anew");
    world.clock().advance(12 * 60 * MINUTE);
    round(&world).await;
    assert_eq!(bodies(&world, "q", 1).await[0]["time"], "2025-12-31T12:00:00Z");
}
