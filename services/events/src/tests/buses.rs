//! Buses, their policies and tags.

use fogbank_core::Principal;
use fogbank_testkit::{ACCOUNT, World, expect, json};

use super::{OTHER, SERVICES, call, error};

#[tokio::test]
async fn the_default_bus_is_there() {
    let world = World::new(SERVICES);
    world
        .check(
            "events:DescribeEventBus",
            json!({}),
            expect![[r#"
                {
                  "Arn": "arn:aws:events:us-east-1:000000000000:event-bus/default",
                  "Name": "default"
                }"#]],
        )
        .await;
    let buses = call(&world, "ListEventBuses", json!({})).await;
    assert_eq!(buses["EventBuses"].as_array().expect("buses").len(), 1);
    assert_eq!(
        error(&world, "CreateEventBus", json!({"Name": "default"})).await,
        "ResourceAlreadyExistsException: Event bus default already exists."
    );
    assert_eq!(
        error(&world, "DeleteEventBus", json!({"Name": "default"})).await,
        "ValidationException: Cannot delete event bus default."
    );
}

#[tokio::test]
async fn a_bus_lives() {
    let world = World::new(SERVICES);
    let input = json!({
        "Name": "own", "Description": "mine", "Tags": [{"Key": "a", "Value": "b"}],
        "DeadLetterConfig": {"Arn": "arn:aws:sqs:us-east-1:000000000000:dead"},
    });
    let created = call(&world, "CreateEventBus", input).await;
    assert_eq!(created["EventBusArn"], format!("arn:aws:events:us-east-1:{ACCOUNT}:event-bus/own"));
    let shown = call(&world, "DescribeEventBus", json!({"Name": created["EventBusArn"]})).await;
    assert_eq!((&shown["Name"], &shown["Description"]), (&json!("own"), &json!("mine")));
    assert_eq!(shown["DeadLetterConfig"]["Arn"], "arn:aws:sqs:us-east-1:000000000000:dead");
    assert!(shown["CreationTime"].is_number());
    call(&world, "UpdateEventBus", json!({"Name": "own", "Description": "yours"})).await;
    let shown = call(&world, "DescribeEventBus", json!({"Name": "own"})).await;
    assert_eq!(shown["Description"], "yours");
    assert_eq!(
        error(&world, "CreateEventBus", json!({"Name": "own"})).await,
        "ResourceAlreadyExistsException: Event bus own already exists."
    );
    let rule = json!({"Name": "r", "EventBusName": "own", "EventPattern": r#"{"a":[1]}"#});
    call(&world, "PutRule", rule).await;
    assert!(error(&world, "DeleteEventBus", json!({"Name": "own"})).await.contains("has rules"));
    call(&world, "DeleteRule", json!({"Name": "r", "EventBusName": "own"})).await;
    call(&world, "DeleteEventBus", json!({"Name": "own"})).await;
    call(&world, "DeleteEventBus", json!({"Name": "own"})).await;
    assert_eq!(
        error(&world, "DescribeEventBus", json!({"Name": "own"})).await,
        "ResourceNotFoundException: Event bus own does not exist."
    );
}

#[tokio::test]
async fn what_is_no_bus() {
    let world = World::new(SERVICES);
    assert_eq!(
        error(&world, "CreateEventBus", json!({"Name": "a/b"})).await,
        "ValidationException: Event bus name must not contain '/'."
    );
    assert!(error(&world, "CreateEventBus", json!({"Name": "a b"})).await.contains(
        "Value 'a b' at 'name' failed to satisfy constraint: Member must satisfy regular expression"
    ));
    let named = json!({"Name": "k", "KmsKeyIdentifier": "alias/k"});
    assert!(error(&world, "CreateEventBus", named).await.starts_with("NotImplemented"));
    for at in 0..100 {
        call(&world, "CreateEventBus", json!({"Name": format!("b{at:02}")})).await;
    }
    let one_more = error(&world, "CreateEventBus", json!({"Name": "more"})).await;
    assert!(one_more.starts_with("LimitExceededException"), "{one_more}");
}

#[tokio::test]
async fn pages() {
    let world = World::new(SERVICES);
    for name in ["a", "b", "x"] {
        call(&world, "CreateEventBus", json!({"Name": name})).await;
    }
    let mut names = Vec::new();
    let mut input = json!({"Limit": 3});
    loop {
        let page = call(&world, "ListEventBuses", input.clone()).await;
        for bus in page["EventBuses"].as_array().expect("buses") {
            names.push(bus["Name"].as_str().expect("a name").to_owned());
        }
        if page["NextToken"].is_null() {
            break;
        }
        input["NextToken"] = page["NextToken"].clone();
    }
    assert_eq!(names, ["a", "b", "default", "x"]);
    let some = call(&world, "ListEventBuses", json!({"NamePrefix": "def"})).await;
    assert_eq!(some["EventBuses"].as_array().expect("buses").len(), 1);
    let refused = error(&world, "ListEventBuses", json!({"NextToken": "zz"})).await;
    assert!(refused.starts_with("ValidationException"), "{refused}");
}

#[tokio::test]
async fn another_account_is_let_in_and_kept_out() {
    let world = World::new(SERVICES);
    let arn = format!("arn:aws:events:us-east-1:{ACCOUNT}:event-bus/default");
    let entry = json!({"Source": "s", "DetailType": "d", "Detail": "{}", "EventBusName": arn});
    let entries = json!({"Entries": [entry]});
    let try_it =
        async || world.call_as(Principal::root(OTHER), "events:PutEvents", entries.clone()).await;
    assert_eq!(try_it().await.expect_err("refused").name(), "AccessDenied");
    let input = json!({
        "Action": "events:PutEvents", "Principal": OTHER, "StatementId": "other",
    });
    call(&world, "PutPermission", input).await;
    try_it().await.expect("let in");
    let policy = call(&world, "DescribeEventBus", json!({})).await["Policy"].clone();
    let policy: fogbank_testkit::Value =
        serde_json::from_str(policy.as_str().expect("a policy")).expect("JSON");
    assert_eq!(
        policy,
        json!({"Version": "2012-10-17", "Statement": [{
            "Sid": "other", "Effect": "Allow", "Action": "events:PutEvents", "Resource": arn,
            "Principal": {"AWS": format!("arn:aws:iam::{OTHER}:root")},
        }]})
    );
    assert_eq!(
        error(&world, "RemovePermission", json!({"StatementId": "none"})).await,
        "ResourceNotFoundException: Statement with the provided id does not exist."
    );
    call(&world, "RemovePermission", json!({"StatementId": "other"})).await;
    assert_eq!(try_it().await.expect_err("refused").name(), "AccessDenied");
    let refused = error(&world, "PutPermission", json!({"Policy": "nonsense"})).await;
    assert!(refused.starts_with("ValidationException"), "{refused}");
    let action = json!({"Action": "events:PutRule", "Principal": OTHER, "StatementId": "x"});
    assert_eq!(
        error(&world, "PutPermission", action).await,
        "ValidationException: Provided value in parameter 'action' is not supported: events:PutRule"
    );
}

#[tokio::test]
async fn tags() {
    let world = World::new(SERVICES);
    let rule = json!({
        "Name": "r", "EventPattern": r#"{"a":[1]}"#, "Tags": [{"Key": "a", "Value": "1"}],
    });
    let arn = call(&world, "PutRule", rule).await["RuleArn"].clone();
    for arn in [arn, json!(format!("arn:aws:events:us-east-1:{ACCOUNT}:event-bus/default"))] {
        let tag = |value: &str| json!([{"Key": "a", "Value": value}]);
        call(&world, "TagResource", json!({"ResourceARN": arn, "Tags": tag("2")})).await;
        let shown = call(&world, "ListTagsForResource", json!({"ResourceARN": arn})).await;
        assert_eq!(shown["Tags"], tag("2"));
        call(&world, "UntagResource", json!({"ResourceARN": arn, "TagKeys": ["a"]})).await;
        let shown = call(&world, "ListTagsForResource", json!({"ResourceARN": arn})).await;
        assert_eq!(shown["Tags"], json!([]));
    }
    let none = json!({"ResourceARN": format!("arn:aws:events:us-east-1:{ACCOUNT}:rule/none")});
    assert_eq!(
        error(&world, "ListTagsForResource", none).await,
        "ResourceNotFoundException: Rule none does not exist on EventBus default."
    );
}
