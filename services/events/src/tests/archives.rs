//! Archives and replays.

use fogbank_testkit::{ACCOUNT, Value, World, json};

use super::{SERVICES, bodies, call, error, queue, rule, send, settle, target};
use crate::SERVICE;

const DAY: i64 = 86_400_000;

fn bus() -> String {
    format!("arn:aws:events:us-east-1:{ACCOUNT}:event-bus/default")
}

async fn archive(world: &World, name: &str, more: Value) -> Value {
    let mut input = json!({"ArchiveName": name, "EventSourceArn": bus()});
    for (name, value) in more.as_object().expect("members") {
        input[name] = value.clone();
    }
    call(world, "CreateArchive", input).await
}

fn replay(name: &str, from: i64, until: i64) -> Value {
    json!({
        "ReplayName": name, "EventStartTime": from, "EventEndTime": until,
        "EventSourceArn": format!("arn:aws:events:us-east-1:{ACCOUNT}:archive/all"),
        "Destination": {"Arn": bus()},
    })
}

fn now(world: &World) -> i64 {
    world.clock().now().secs()
}

#[tokio::test]
async fn what_an_archive_keeps_is_replayed() {
    let world = World::new(SERVICES);
    let arn = queue(&world, "q", json!({})).await;
    let made = archive(&world, "all", json!({"Description": "d"})).await;
    assert_eq!(made["ArchiveArn"], format!("arn:aws:events:us-east-1:{ACCOUNT}:archive/all"));
    assert_eq!(made["State"], "ENABLED");
    archive(&world, "some", json!({"EventPattern": r#"{"detail":{"n":[{"numeric":[">",45]}]}}"#}))
        .await;
    let began = now(&world);
    let mut sent = Vec::new();
    for n in 0..50 {
        sent.push(send(&world, json!({"n": n}), json!({})).await);
        world.clock().advance(1000);
    }
    for (name, count) in [("all", 50), ("some", 4)] {
        let shown = call(&world, "DescribeArchive", json!({"ArchiveName": name})).await;
        assert_eq!(shown["EventCount"], count, "{name}");
        assert!(shown["SizeBytes"].as_i64().expect("a size") > 100 * count);
    }
    rule(&world, "r", json!({"source": ["shop"]})).await;
    target(&world, "r", &arn, json!({})).await;
    // The first ten seconds, and those after the fortieth.
    let first = replay("first", began, began + 10);
    let started = call(&world, "StartReplay", first).await;
    assert_eq!(started["State"], "STARTING");
    call(&world, "StartReplay", replay("last", began + 40, began + 100)).await;
    let replayed = bodies(&world, "q", 20).await;
    let mut ids: Vec<&str> = replayed.iter().map(|it| it["id"].as_str().expect("an id")).collect();
    ids.sort_unstable();
    let mut expected: Vec<&str> =
        sent[..10].iter().chain(&sent[40..]).map(String::as_str).collect();
    expected.sort_unstable();
    assert_eq!(ids, expected);
    assert!(replayed.iter().all(|it| it["replay-name"] == "first" || it["replay-name"] == "last"));
    let shown = call(&world, "DescribeReplay", json!({"ReplayName": "first"})).await;
    assert_eq!(shown["State"], "COMPLETED");
    assert_eq!(shown["EventLastReplayedTime"], began + 9);
    // Replayed events are not archived again.
    let shown = call(&world, "DescribeArchive", json!({"ArchiveName": "all"})).await;
    assert_eq!(shown["EventCount"], 50);
    let replays = call(&world, "ListReplays", json!({"State": "COMPLETED"})).await;
    assert_eq!(replays["Replays"].as_array().expect("replays").len(), 2);
    let refused = error(&world, "CancelReplay", json!({"ReplayName": "first"})).await;
    assert_eq!(
        refused,
        "IllegalStatusException: Replay first is not in a valid state for this operation."
    );
}

#[tokio::test]
async fn a_replay_reaches_the_rules_that_it_names() {
    let world = World::new(SERVICES);
    let arn = queue(&world, "q", json!({})).await;
    archive(&world, "all", json!({})).await;
    send(&world, json!({}), json!({})).await;
    for name in ["a", "b"] {
        rule(&world, name, json!({"source": ["shop"]})).await;
        target(&world, name, &arn, json!({"Input": format!("\"{name}\"")})).await;
    }
    let mut input = replay("one", now(&world) - 10, now(&world) + 10);
    input["Destination"]["FilterArns"] =
        json!([format!("arn:aws:events:us-east-1:{ACCOUNT}:rule/b")]);
    call(&world, "StartReplay", input).await;
    assert_eq!(bodies(&world, "q", 1).await, [json!("b")]);
}

#[tokio::test]
async fn a_replay_that_is_cancelled_ends() {
    let world = World::new(SERVICES);
    archive(&world, "all", json!({})).await;
    send(&world, json!({}), json!({})).await;
    call(&world, "StartReplay", replay("one", now(&world) - 10, now(&world) + 10)).await;
    let cancelled = call(&world, "CancelReplay", json!({"ReplayName": "one"})).await;
    assert_eq!(cancelled["State"], "CANCELLING");
    settle(&world).await;
    let shown = call(&world, "DescribeReplay", json!({"ReplayName": "one"})).await;
    assert_eq!(shown["State"], "CANCELLED");
}

#[tokio::test]
async fn archives_change_and_go() {
    let world = World::new(SERVICES);
    archive(&world, "all", json!({"RetentionDays": 2})).await;
    send(&world, json!({}), json!({})).await;
    world.clock().advance(DAY);
    send(&world, json!({}), json!({})).await;
    world.clock().advance(DAY + 1);
    world.round(&SERVICE, "events.archives").await;
    let shown = call(&world, "DescribeArchive", json!({"ArchiveName": "all"})).await;
    assert_eq!((&shown["EventCount"], &shown["RetentionDays"]), (&json!(1), &json!(2)));
    let changed = json!({"ArchiveName": "all", "RetentionDays": 0, "EventPattern": r#"{"a":[1]}"#});
    call(&world, "UpdateArchive", changed).await;
    let listed = call(&world, "ListArchives", json!({"EventSourceArn": bus()})).await;
    assert_eq!(listed["Archives"][0]["RetentionDays"], 0);
    call(&world, "DeleteArchive", json!({"ArchiveName": "all"})).await;
    settle(&world).await;
    assert!(world.rows(&SERVICE).is_empty(), "{:?}", world.rows(&SERVICE));
}

#[tokio::test]
async fn what_is_no_archive_and_no_replay() {
    let world = World::new(SERVICES);
    archive(&world, "all", json!({})).await;
    call(&world, "CreateEventBus", json!({"Name": "own"})).await;
    let other = format!("arn:aws:events:us-east-1:{ACCOUNT}:event-bus/own");
    let mut elsewhere = replay("r", 1, 2);
    elsewhere["Destination"]["Arn"] = json!(other);
    let mut unknown = replay("r", 1, 2);
    unknown["EventSourceArn"] = json!(format!("arn:aws:events:us-east-1:{ACCOUNT}:archive/none"));
    for (operation, input, expected) in [
        (
            "CreateArchive",
            json!({"ArchiveName": "all", "EventSourceArn": bus()}),
            "ResourceAlreadyExistsException: Archive all already exists.",
        ),
        (
            "CreateArchive",
            json!({"ArchiveName": "x", "EventSourceArn": format!("{other}-none")}),
            "ResourceNotFoundException: Event bus own-none does not exist.",
        ),
        (
            "DescribeArchive",
            json!({"ArchiveName": "none"}),
            "ResourceNotFoundException: Archive none does not exist.",
        ),
        (
            "DescribeReplay",
            json!({"ReplayName": "none"}),
            "ResourceNotFoundException: Replay none does not exist.",
        ),
        (
            "StartReplay",
            replay("r", 2, 1),
            "ValidationException: Parameter EventEndTime is not valid. Reason: EventStartTime must be \
             before EventEndTime.",
        ),
        (
            "StartReplay",
            elsewhere,
            "ValidationException: Parameter Destination.Arn is not valid. Reason: Cross event bus replay \
             is not permitted.",
        ),
        (
            "StartReplay",
            unknown,
            "ValidationException: Parameter EventSourceArn is not valid. Reason: Archive none does not \
             exist.",
        ),
        (
            "DescribeEventSource",
            json!({"Name": "aws.partner/example.com/x"}),
            "ResourceNotFoundException: Event source aws.partner/example.com/x does not exist.",
        ),
    ] {
        assert_eq!(error(&world, operation, input).await, expected, "{operation}");
    }
}
