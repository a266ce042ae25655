//! Rules.

use fogbank_core::Principal;
use fogbank_testkit::{ACCOUNT, World, expect, json};

use super::{SERVICES, call, error};

const PATTERN: &str = r#"{"source":["shop"]}"#;

#[tokio::test]
async fn a_rule_lives() {
    let world = World::new(SERVICES);
    let input =
        json!({"Name": "r", "EventPattern": PATTERN, "Description": "d", "State": "DISABLED"});
    let made = call(&world, "PutRule", input).await;
    assert_eq!(made["RuleArn"], format!("arn:aws:events:us-east-1:{ACCOUNT}:rule/r"));
    world
        .check(
            "events:DescribeRule",
            json!({"Name": "r"}),
            expect![[r#"
                {
                  "Arn": "arn:aws:events:us-east-1:000000000000:rule/r",
                  "CreatedBy": "000000000000",
                  "Description": "d",
                  "EventBusName": "default",
                  "EventPattern": "{\"source\":[\"shop\"]}",
                  "Name": "r",
                  "State": "DISABLED"
                }"#]],
        )
        .await;
    call(&world, "EnableRule", json!({"Name": "r"})).await;
    assert_eq!(call(&world, "DescribeRule", json!({"Name": "r"})).await["State"], "ENABLED");
    call(&world, "DisableRule", json!({"Name": "r"})).await;
    // What is not given again is gone, and the rule is on.
    call(&world, "PutRule", json!({"Name": "r", "EventPattern": PATTERN})).await;
    let shown = call(&world, "DescribeRule", json!({"Name": "r"})).await;
    assert_eq!((&shown["State"], &shown["Description"]), (&json!("ENABLED"), &json!(null)));
    call(&world, "DeleteRule", json!({"Name": "r"})).await;
    call(&world, "DeleteRule", json!({"Name": "r"})).await;
    for operation in ["DescribeRule", "EnableRule", "DisableRule"] {
        assert_eq!(
            error(&world, operation, json!({"Name": "r"})).await,
            "ResourceNotFoundException: Rule r does not exist on EventBus default."
        );
    }
}

#[tokio::test]
async fn what_is_no_rule() {
    let world = World::new(SERVICES);
    for (input, expected) in [
        (
            json!({"Name": "r"}),
            "ValidationException: Parameter(s) EventPattern or ScheduleExpression must be specified.",
        ),
        (
            json!({"Name": "r", "ScheduleExpression": "rate(1 minutes)"}),
            "ValidationException: Parameter ScheduleExpression is not valid.",
        ),
        (
            json!({"Name": "r", "EventPattern": "[]"}),
            "InvalidEventPatternException: Event pattern is not valid. Reason: Filter is not an object\n \
             at [Source: (String)\"[]\"; line: 1, column: 2]",
        ),
        (
            json!({"Name": "r", "EventPattern": PATTERN, "EventBusName": "none"}),
            "ResourceNotFoundException: Event bus none does not exist.",
        ),
        (
            json!({"Name": "a b", "EventPattern": PATTERN}),
            "ValidationException: 1 validation error detected: Value 'a b' at 'name' failed to satisfy \
             constraint: Member must satisfy regular expression pattern: [\\.\\-_A-Za-z0-9]+",
        ),
    ] {
        assert_eq!(error(&world, "PutRule", input).await, expected);
    }
    call(&world, "CreateEventBus", json!({"Name": "own"})).await;
    let scheduled =
        json!({"Name": "r", "EventBusName": "own", "ScheduleExpression": "rate(5 minutes)"});
    assert_eq!(
        error(&world, "PutRule", scheduled).await,
        "ValidationException: ScheduleExpression is supported only on the default event bus."
    );
}

#[tokio::test]
async fn rules_are_listed_in_pages() {
    let world = World::new(SERVICES);
    call(&world, "CreateEventBus", json!({"Name": "own"})).await;
    for at in 0..5 {
        let rule =
            json!({"Name": format!("r{at}"), "EventBusName": "own", "EventPattern": PATTERN});
        call(&world, "PutRule", rule).await;
    }
    let first = call(&world, "ListRules", json!({"EventBusName": "own", "Limit": 3})).await;
    assert_eq!(first["Rules"].as_array().expect("rules").len(), 3);
    assert_eq!(first["Rules"][0]["Arn"], format!("arn:aws:events:us-east-1:{ACCOUNT}:rule/own/r0"));
    let input = json!({"EventBusName": "own", "NextToken": first["NextToken"]});
    let rest = call(&world, "ListRules", input).await;
    assert_eq!(rest["Rules"].as_array().expect("rules").len(), 2);
    assert!(rest["NextToken"].is_null());
    let none = call(&world, "ListRules", json!({})).await;
    assert_eq!(none["Rules"], json!([]));
    assert!(
        error(&world, "ListRules", json!({"EventBusName": "x"})).await.contains("does not exist")
    );
}

#[tokio::test]
async fn a_bus_holds_so_many_rules() {
    let world = World::new(SERVICES);
    for at in 0..300 {
        call(&world, "PutRule", json!({"Name": format!("r{at}"), "EventPattern": PATTERN})).await;
    }
    let refused = error(&world, "PutRule", json!({"Name": "x", "EventPattern": PATTERN})).await;
    assert_eq!(
        refused,
        "LimitExceededException: The requested resource exceeds the maximum number allowed."
    );
    call(&world, "PutRule", json!({"Name": "r1", "EventPattern": PATTERN})).await;
}

#[tokio::test]
async fn a_service_keeps_its_rules() {
    let world = World::new(SERVICES);
    let service = Principal { account: ACCOUNT.into(), ..Principal::service("ecs.amazonaws.com") };
    let rule = json!({"Name": "managed", "EventPattern": PATTERN});
    world.call_as(service, "events:PutRule", rule.clone()).await.expect("a rule");
    let shown = call(&world, "DescribeRule", json!({"Name": "managed"})).await;
    assert_eq!(shown["ManagedBy"], "ecs.amazonaws.com");
    for operation in ["PutRule", "DisableRule", "DeleteRule"] {
        let refused = error(&world, operation, rule.clone()).await;
        assert!(refused.starts_with("ManagedRuleException"), "{refused}");
    }
    call(&world, "DeleteRule", json!({"Name": "managed", "Force": true})).await;
}

#[tokio::test]
async fn patterns_are_tried_out() {
    let world = World::new(SERVICES);
    let event = json!({
        "id": "1", "account": "1", "source": "shop", "time": "2026-01-01T00:00:00Z",
        "region": "us-east-1", "resources": [], "detail-type": "d", "detail": {"n": 3},
    });
    let test = |pattern: &str, event: &fogbank_testkit::Value| json!({"EventPattern": pattern, "Event": event.to_string()});
    let taken = call(&world, "TestEventPattern", test(PATTERN, &event)).await;
    assert_eq!(taken["Result"], true);
    let other = test(r#"{"detail":{"n":[{"numeric":[">",3]}]}}"#, &event);
    assert_eq!(call(&world, "TestEventPattern", other).await["Result"], false);
    let refused = error(&world, "TestEventPattern", test(PATTERN, &json!({"id": "1"}))).await;
    assert!(refused.starts_with("ValidationException: Parameter Event is not valid."), "{refused}");
    let refused = error(&world, "TestEventPattern", test("{}", &event)).await;
    assert!(refused.contains("Empty objects are not allowed"), "{refused}");
}
