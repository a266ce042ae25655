//! Targets of rules.

use fogbank_testkit::{ACCOUNT, Value, World, json};

use super::{SERVICES, call, error, queue_arn, rule};

fn put(targets: Value) -> Value {
    json!({"Rule": "r", "Targets": targets})
}

#[tokio::test]
async fn targets_are_shown_as_they_were_given() {
    let world = World::new(SERVICES);
    rule(&world, "r", json!({"source": ["shop"]})).await;
    let queue = queue_arn(ACCOUNT, "q");
    let targets = json!([
        {"Id": "a", "Arn": queue, "Input": "{\"a\": 1}", "SqsParameters": {"MessageGroupId": "g"}},
        {"Id": "b", "Arn": queue, "InputPath": "$.detail",
         "DeadLetterConfig": {"Arn": queue_arn(ACCOUNT, "d")},
         "RetryPolicy": {"MaximumRetryAttempts": 3, "MaximumEventAgeInSeconds": 60}},
        {"Id": "c", "Arn": "arn:aws:sns:us-east-1:000000000000:t", "RoleArn": "arn:aws:iam::000000000000:role/r",
         "InputTransformer": {"InputPathsMap": {"s": "$.source"}, "InputTemplate": "{\"s\": <s>}"}},
    ]);
    let answer = call(&world, "PutTargets", put(targets.clone())).await;
    assert_eq!(answer, json!({"FailedEntryCount": 0, "FailedEntries": []}));
    let shown = call(&world, "ListTargetsByRule", json!({"Rule": "r"})).await;
    assert_eq!(shown["Targets"], targets);
    let page = call(&world, "ListTargetsByRule", json!({"Rule": "r", "Limit": 1})).await;
    assert_eq!(page["Targets"][0]["Id"], "a");
    let rest = json!({"Rule": "r", "NextToken": page["NextToken"]});
    let rest = call(&world, "ListTargetsByRule", rest).await;
    assert_eq!(rest["Targets"].as_array().expect("targets").len(), 2);
    let named = call(&world, "ListRuleNamesByTarget", json!({"TargetArn": queue})).await;
    assert_eq!(named["RuleNames"], json!(["r"]));
    assert_eq!(
        error(&world, "DeleteRule", json!({"Name": "r"})).await,
        "ValidationException: Rule can't be deleted since it has targets."
    );
    let removed = call(&world, "RemoveTargets", json!({"Rule": "r", "Ids": ["a", "b", "x"]})).await;
    assert_eq!(removed["FailedEntryCount"], 1);
    assert_eq!(removed["FailedEntries"][0]["TargetId"], "x");
    call(&world, "RemoveTargets", json!({"Rule": "r", "Ids": ["c"]})).await;
    call(&world, "DeleteRule", json!({"Name": "r"})).await;
}

#[tokio::test]
async fn what_is_no_target() {
    let world = World::new(SERVICES);
    assert_eq!(
        error(&world, "PutTargets", put(json!([{"Id": "a", "Arn": queue_arn(ACCOUNT, "q")}])))
            .await,
        "ResourceNotFoundException: Rule r does not exist on EventBus default."
    );
    rule(&world, "r", json!({"source": ["shop"]})).await;
    let queue = queue_arn(ACCOUNT, "q");
    for (target, expected) in [
        (
            json!({"Id": "a", "Arn": "nonsense"}),
            "ValidationException: Parameter nonsense is not valid. Reason: Provided Arn is not in correct \
             format.",
        ),
        (
            json!({"Id": "a", "Arn": format!("{queue}.fifo")}),
            "ValidationException: Parameter(s) SqsParameters must be specified for target: a.",
        ),
        (
            json!({"Id": "a", "Arn": queue, "Input": "{"}),
            "ValidationException: JSON syntax error in input for target a.",
        ),
        (
            json!({"Id": "a", "Arn": queue, "Input": "{}", "InputPath": "$"}),
            "ValidationException: Only one of Input, InputPath, or InputTransformer must be provided for \
             target a.",
        ),
        (
            json!({"Id": "a", "Arn": queue, "InputPath": "detail"}),
            "ValidationException: InputPath for target a is invalid.",
        ),
        (
            json!({"Id": "a", "Arn": queue, "InputTransformer": {"InputTemplate": "{\"a\": <b>}"}}),
            "ValidationException: InputTemplate for target a contains invalid placeholder b.",
        ),
        (
            json!({"Id": "a", "Arn": "arn:aws:logs:us-east-1:111122223333:log-group:g"}),
            "ValidationException: Target a is a log group of another account or region.",
        ),
        (
            json!({"Id": "a", "Arn": "arn:aws:states:us-east-1:000000000000:stateMachine:m"}),
            "NotImplemented: Fogbank does not implement events:PutTargets with targets of states yet; see \
             COMPATIBILITY.md.",
        ),
        (
            json!({"Id": "a", "Arn": format!("arn:aws:events:us-east-1:{ACCOUNT}:event-bus/x")}),
            "ValidationException: RoleArn is required for target \
             arn:aws:events:us-east-1:000000000000:event-bus/x.",
        ),
    ] {
        assert_eq!(error(&world, "PutTargets", put(json!([target]))).await, expected);
    }
    let broken =
        json!([{"Id": "a", "Arn": queue, "InputTransformer": {"InputTemplate": "{\"a\" 1}"}}]);
    let refused = error(&world, "PutTargets", put(broken)).await;
    assert!(
        refused.starts_with("ValidationException: Invalid InputTemplate for target a : "),
        "{refused}"
    );
    let six: Vec<Value> = (0..6).map(|at| json!({"Id": format!("t{at}"), "Arn": queue})).collect();
    let refused = error(&world, "PutTargets", put(json!(six))).await;
    assert!(refused.starts_with("LimitExceededException"), "{refused}");
    // What was refused is not half there.
    let shown = call(&world, "ListTargetsByRule", json!({"Rule": "r"})).await;
    assert_eq!(shown["Targets"], json!([]));
}
