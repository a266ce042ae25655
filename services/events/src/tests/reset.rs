//! Removing everything.

use fogbank_core::Principal;
use fogbank_testkit::{ACCOUNT, World, json};

use super::{OTHER, SERVICES, queue_arn, waiting};
use crate::SERVICE;

/// Makes buses, rules with patterns and schedules, targets, and sends an event that waits.
async fn fill(world: &World, account: &str) {
    let call = async |operation: &str, input| {
        let action = format!("events:{operation}");
        world.call_as(Principal::root(account), &action, input).await.expect("an answer")
    };
    call("CreateEventBus", json!({"Name": "own", "Tags": [{"Key": "a", "Value": "b"}]})).await;
    call(
        "PutPermission",
        json!({"Action": "events:PutEvents", "Principal": "*", "StatementId": "s"}),
    )
    .await;
    for bus in ["own", "default"] {
        let pattern = r#"{"source":["shop"]}"#;
        let rule = json!({"Name": "r", "EventBusName": bus, "EventPattern": pattern});
        call("PutRule", rule).await;
        let targets = json!([{"Id": "t", "Arn": queue_arn(account, "none")}]);
        call("PutTargets", json!({"Rule": "r", "EventBusName": bus, "Targets": targets})).await;
    }
    call("PutRule", json!({"Name": "tick", "ScheduleExpression": "rate(1 day)"})).await;
    let bus = format!("arn:aws:events:us-east-1:{account}:event-bus/default");
    call("CreateArchive", json!({"ArchiveName": "a", "EventSourceArn": bus})).await;
    let basic = json!({"BasicAuthParameters": {"Username": "u", "Password": "p"}});
    let connection = json!({"Name": "c", "AuthorizationType": "BASIC", "AuthParameters": basic});
    let connection = call("CreateConnection", connection).await["ConnectionArn"].clone();
    let destination = json!({
        "Name": "d", "ConnectionArn": connection, "HttpMethod": "POST",
        "InvocationEndpoint": "http://127.0.0.1:9/",
    });
    call("CreateApiDestination", destination).await;
    let entry = json!({"Source": "shop", "DetailType": "d", "Detail": "{}"});
    call("PutEvents", json!({"Entries": [entry]})).await;
    let replay = json!({
        "ReplayName": "r", "EventSourceArn": format!("arn:aws:events:us-east-1:{account}:archive/a"),
        "EventStartTime": 0, "EventEndTime": 1, "Destination": {"Arn": bus},
    });
    call("StartReplay", replay).await;
}

#[tokio::test]
async fn a_reset_removes_all_of_an_account_and_nothing_of_others() {
    let world = World::new(SERVICES);
    fill(&world, OTHER).await;
    let (others, others_effects) = (world.rows(&SERVICE), waiting(&world));
    for table in SERVICE.tables {
        assert!(others.keys().any(|row| row.starts_with(table.name)), "{:?}", others.keys());
    }
    fill(&world, ACCOUNT).await;
    assert_eq!(waiting(&world), 2 * others_effects);
    world.reset(&SERVICE, Some(ACCOUNT)).await;
    assert_eq!(world.rows(&SERVICE), others);
    assert_eq!(waiting(&world), others_effects);
    fill(&world, ACCOUNT).await;
    world.reset(&SERVICE, None).await;
    assert!(world.rows(&SERVICE).is_empty());
    assert_eq!(waiting(&world), 0);
}
