//! Removing everything.

use fogbank_core::Principal;
use fogbank_testkit::{ACCOUNT, World, json};

use super::{NOW, SERVICES};
use crate::SERVICE;
use crate::tasks::REMOVAL;

const OTHER: &str = "111122223333";

/// Makes groups with streams and events in an account; one is protected, one stream is deleted.
async fn fill(world: &World, account: &str) {
    let call = async |operation: &str, input| {
        let action = format!("logs:{operation}");
        world.call_as(Principal::root(account), &action, input).await.expect("an answer")
    };
    let input = json!({"logGroupName": "guarded", "deletionProtectionEnabled": true});
    call("CreateLogGroup", input).await;
    call("CreateLogGroup", json!({"logGroupName": "g", "tags": {"a": "b"}})).await;
    for (group, stream) in [("guarded", "a"), ("g", "a"), ("g", "b")] {
        let place = json!({"logGroupName": group, "logStreamName": stream});
        call("CreateLogStream", place.clone()).await;
        let mut input = place;
        input["logEvents"] = json!([{"timestamp": NOW, "message": "hello"}]);
        call("PutLogEvents", input).await;
    }
    call("DeleteLogStream", json!({"logGroupName": "g", "logStreamName": "b"})).await;
}

#[tokio::test]
async fn a_reset_removes_all_of_an_account_and_nothing_of_others() {
    let world = World::new(SERVICES);
    fill(&world, OTHER).await;
    world.round(&SERVICE, REMOVAL).await;
    let others = world.rows(&SERVICE);
    assert_eq!(others.len(), 6, "{:?}", others.keys());
    fill(&world, ACCOUNT).await;
    world.reset(&SERVICE, Some(ACCOUNT)).await;
    let listed = world.call("logs:DescribeLogGroups", json!({})).await.expect("a list");
    assert_eq!(listed, json!({"logGroups": []}));
    world.round(&SERVICE, REMOVAL).await;
    assert_eq!(world.rows(&SERVICE), others);
    fill(&world, ACCOUNT).await;
    world.reset(&SERVICE, None).await;
    world.round(&SERVICE, REMOVAL).await;
    assert!(world.rows(&SERVICE).is_empty());
}
