//! Rotation by a function, now and by a schedule.

use std::time::Duration;

use fogbank_core::{Cx, Service};
use fogbank_testkit::{Value, World, expect, json};

use super::function::{self, FUNCTION, Function};
use super::{DAY, NOW, create, token, value_of};

static SERVICES: &[&Service] = &[
    &crate::SERVICE,
    &function::SERVICE,
    &fogbank_events::SERVICE,
    &fogbank_kms::SERVICE,
    &fogbank_sqs::SERVICE,
];

/// Changes or reads what the function does and was told.
fn with_function<T>(world: &World, f: impl FnOnce(&mut Function) -> T) -> T {
    let cx = Cx::background(world.cloud().clone(), "lambda", "test");
    let shared = function::function(&cx);
    let mut function = shared.lock();
    f(&mut function)
}

async fn described(world: &World) -> Value {
    let described = world.call("secretsmanager:DescribeSecret", json!({"SecretId": "s"})).await;
    described.expect("described")
}

/// Waits for the background work, whose pauses pass by themselves, until `is_done`.
async fn until(world: &World, is_done: impl Fn(&Value) -> bool) -> Value {
    for _ in 0..2_000 {
        let described = described(world).await;
        if is_done(&described) {
            return described;
        }
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    panic!("it never came to that: {}", described(world).await);
}

/// Waits until the outbox is empty.
async fn settled(world: &World) {
    for _ in 0..2_000 {
        let lanes = fogbank_core::TABLES[1].prefix;
        if world.rows_under(lanes).is_empty() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    panic!("the outbox is not empty");
}

fn rotate(days: i64) -> Value {
    json!({
        "SecretId": "s", "RotationLambdaARN": FUNCTION, "ClientRequestToken": token(2),
        "RotationRules": {"AutomaticallyAfterDays": days},
    })
}

#[tokio::test]
async fn a_rotation_goes_through_four_steps() {
    let world = World::new(SERVICES);
    let _background = world.background();
    let arn = create(&world, "s", "one").await;
    let answer = world.call("secretsmanager:RotateSecret", rotate(7)).await.expect("begun");
    assert_eq!(answer, json!({"ARN": arn, "Name": "s", "VersionId": token(2)}));
    let described = until(&world, |it| it["LastRotatedDate"] == NOW).await;
    assert_eq!(described["RotationEnabled"], true);
    assert_eq!(described["RotationLambdaARN"], FUNCTION);
    assert_eq!(described["RotationRules"], json!({"AutomaticallyAfterDays": 7}));
    // The end of the day, seven days later.
    assert_eq!(described["NextRotationDate"], NOW + 8 * DAY / 1000 - 1);
    assert_eq!(
        described["VersionIdsToStages"],
        json!({token(1): ["AWSPREVIOUS"], token(2): ["AWSCURRENT", "AWSPENDING"]})
    );
    assert_eq!(value_of(&world, "s", "AWSCURRENT").await, "one+");
    let events = with_function(&world, |function| function.events.clone());
    let steps: Vec<_> = events.iter().map(|event| event["Step"].clone()).collect();
    assert_eq!(steps, ["createSecret", "setSecret", "testSecret", "finishSecret"]);
    assert!(events.iter().all(|event| event["SecretId"] == arn.as_str()
        && event["ClientRequestToken"] == token(2)
        && event["RotationToken"] == events[0]["RotationToken"]));
}

#[tokio::test]
async fn a_schedule_rotates_again_and_again() {
    let world = World::new(SERVICES);
    let _background = world.background();
    create(&world, "s", "one").await;
    world.call("secretsmanager:RotateSecret", rotate(2)).await.expect("begun");
    until(&world, |it| it["LastRotatedDate"] == NOW).await;
    world.clock().advance(2 * DAY - 1000);
    world.round(&crate::SERVICE, crate::tasks::DUE).await;
    settled(&world).await;
    assert_eq!(value_of(&world, "s", "AWSCURRENT").await, "one+");
    world.clock().advance(1000);
    until(&world, |it| it["LastRotatedDate"] == NOW + 2 * DAY / 1000).await;
    assert_eq!(value_of(&world, "s", "AWSCURRENT").await, "one++");
    world.clock().advance(2 * DAY);
    until(&world, |it| it["LastRotatedDate"] == NOW + 4 * DAY / 1000).await;
    assert_eq!(value_of(&world, "s", "AWSPREVIOUS").await, "one++");
    // A value that is written by hand counts as a rotation.
    world.clock().advance(DAY);
    let input = json!({"SecretId": "s", "SecretString": "by hand"});
    world.call("secretsmanager:PutSecretValue", input).await.expect("written");
    assert_eq!(described(&world).await["NextRotationDate"], NOW + 8 * DAY / 1000 - 1);
    let cancelled = world.call("secretsmanager:CancelRotateSecret", json!({"SecretId": "s"})).await;
    assert_eq!(cancelled.expect("cancelled")["VersionId"], json!(null));
    let described = described(&world).await;
    assert_eq!(
        (&described["RotationEnabled"], &described["NextRotationDate"]),
        (&json!(false), &json!(null))
    );
    world.clock().advance(30 * DAY);
    world.round(&crate::SERVICE, crate::tasks::DUE).await;
    settled(&world).await;
    assert_eq!(value_of(&world, "s", "AWSCURRENT").await, "by hand");
}

#[tokio::test]
async fn what_fails_is_tried_again_and_blocks_another_rotation() {
    let world = World::new(SERVICES);
    let _background = world.background();
    create(&world, "s", "one").await;
    with_function(&world, |function| function.fails_in = "testSecret");
    world.call("secretsmanager:RotateSecret", rotate(7)).await.expect("begun");
    let tried = |world: &World| with_function(world, |function| function.events.len());
    while tried(&world) < 3 {
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    let mut another = rotate(7);
    another["ClientRequestToken"] = json!(token(3));
    world.check("secretsmanager:RotateSecret", another, expect!["InvalidRequestException: A previous rotation isn't complete. That rotation will be reattempted."]).await;
    // The same token asks for the same rotation.
    world.call("secretsmanager:RotateSecret", rotate(7)).await.expect("it goes on");
    assert_eq!(described(&world).await["LastRotatedDate"], json!(null));
    assert_eq!(value_of(&world, "s", "AWSPENDING").await, "one+");
    with_function(&world, |function| function.fails_in = "");
    world.clock().advance(60_000);
    until(&world, |it| it["LastRotatedDate"] == NOW + 60).await;
    assert_eq!(value_of(&world, "s", "AWSCURRENT").await, "one+");
}

#[tokio::test]
async fn a_function_that_forgets_to_finish_has_failed_until_the_next_window() {
    let world = World::new(SERVICES);
    let _background = world.background();
    create(&world, "s", "one").await;
    with_function(&world, |function| function.forgets_to_finish = true);
    world.call("secretsmanager:RotateSecret", rotate(1)).await.expect("begun");
    for _ in 0..6 {
        tokio::time::sleep(Duration::from_millis(20)).await;
        world.clock().advance(60_000);
    }
    settled(&world).await;
    let tried = with_function(&world, |function| function.events.len());
    assert_eq!(tried, 20, "five times four steps");
    with_function(&world, |function| function.forgets_to_finish = false);
    world.clock().advance(DAY);
    until(&world, |it| !it["LastRotatedDate"].is_null()).await;
    assert_eq!(value_of(&world, "s", "AWSCURRENT").await, "one+");
}

#[tokio::test]
async fn later_means_a_test_now() {
    let world = World::new(SERVICES);
    let _background = world.background();
    create(&world, "s", "one").await;
    let mut input = rotate(7);
    input["RotateImmediately"] = json!(false);
    input["RotationRules"] = json!({"ScheduleExpression": "cron(0 8 ? * MON *)", "Duration": "2h"});
    world.call("secretsmanager:RotateSecret", input).await.expect("configured");
    settled(&world).await;
    let steps = with_function(&world, |function| {
        function.events.iter().map(|event| event["Step"].clone()).collect::<Vec<_>>()
    });
    assert_eq!(steps, ["testSecret"]);
    let shown = described(&world).await;
    assert_eq!(shown["VersionIdsToStages"], json!({token(1): ["AWSCURRENT"]}));
    assert_eq!(
        shown["RotationRules"],
        json!({
            "AutomaticallyAfterDays": 7, "Duration": "2h",
            "ScheduleExpression": "cron(0 8 ? * MON *)",
        })
    );
    // 2026-01-05 is a Monday.
    assert_eq!(shown["NextRotationDate"], NOW + 4 * 86_400 + 10 * 3_600);
    world.clock().advance(4 * DAY + 8 * 3_600_000);
    until(&world, |it| !it["LastRotatedDate"].is_null()).await;
    assert_eq!(value_of(&world, "s", "AWSCURRENT").await, "one+");
}

#[tokio::test]
async fn a_cancelled_rotation_goes_no_further() {
    let world = World::new(SERVICES);
    create(&world, "s", "one").await;
    world.call("secretsmanager:RotateSecret", rotate(7)).await.expect("begun");
    let cancelled = world.call("secretsmanager:CancelRotateSecret", json!({"SecretId": "s"})).await;
    assert_eq!(cancelled.expect("cancelled")["VersionId"], token(2));
    let _background = world.background();
    settled(&world).await;
    assert_eq!(with_function(&world, |function| function.events.len()), 0);
    // AWS leaves the label where it is.
    assert_eq!(described(&world).await["VersionIdsToStages"][token(2)], json!(["AWSPENDING"]));
}

#[tokio::test]
async fn what_cannot_rotate_is_refused() {
    let world = World::new(SERVICES);
    create(&world, "s", "one").await;
    let with = |member: &str, value: Value| {
        let mut input = rotate(7);
        input[member] = value;
        input
    };
    for (input, expected) in [
        (
            json!({"SecretId": "s"}),
            expect![
                "InvalidRequestException: No Lambda rotation function ARN is associated with this secret."
            ],
        ),
        (
            json!({"SecretId": "none"}),
            expect!["ResourceNotFoundException: Secrets Manager can't find the specified secret."],
        ),
        (
            with(
                "RotationRules",
                json!({"AutomaticallyAfterDays": 1, "ScheduleExpression": "rate(4 hours)"}),
            ),
            expect![
                "InvalidParameterException: You cannot specify both rotation frequency and schedule expression together."
            ],
        ),
        (
            with("RotationRules", json!({"ScheduleExpression": "rate(2 hours)"})),
            expect![
                "InvalidParameterException: The schedule expression rate(2 hours) is not valid."
            ],
        ),
        (
            with("RotationRules", json!({"AutomaticallyAfterDays": 1001})),
            expect![
                "ValidationException: 1 validation error detected: Value '1001' at 'rotationRules.automaticallyAfterDays' failed to satisfy constraint: Member must have value less than or equal to 1000"
            ],
        ),
        (
            with("ExternalSecretRotationRoleArn", json!("arn:aws:iam::000000000000:role/r")),
            expect![
                "NotImplemented: Fogbank does not implement secretsmanager:RotateSecret with ExternalSecretRotationMetadata yet; see COMPATIBILITY.md."
            ],
        ),
    ] {
        world.check("secretsmanager:RotateSecret", input, expected).await;
    }
    with_function(&world, |function| function.is_closed = true);
    world.check("secretsmanager:RotateSecret", rotate(7), expect!["AccessDeniedException: Secrets Manager cannot invoke the specified Lambda function. Ensure that the function policy grants access to the principal secretsmanager.amazonaws.com."]).await;
    assert_eq!(described(&world).await["RotationEnabled"], json!(null));
}

/// Has a queue hear of what the service tells the default bus.
async fn hearing(world: &World) {
    let arn = "arn:aws:sqs:us-east-1:000000000000:heard";
    let policy = json!({"Version": "2012-10-17", "Statement": [{
        "Effect": "Allow", "Principal": {"Service": "events.amazonaws.com"},
        "Action": "sqs:SendMessage", "Resource": arn,
    }]});
    let queue = json!({"QueueName": "heard", "Attributes": {"Policy": policy.to_string()}});
    world.call("sqs:CreateQueue", queue).await.expect("a queue");
    let pattern = json!({"source": ["aws.secretsmanager"]}).to_string();
    let rule = json!({"Name": "heard", "EventPattern": pattern});
    world.call("events:PutRule", rule).await.expect("a rule");
    let targets = json!({"Rule": "heard", "Targets": [{"Id": "q", "Arn": arn}]});
    world.call("events:PutTargets", targets).await.expect("a target");
}

/// The names of the next events that the queue hears of, sorted: a queue that is not FIFO keeps no order.
async fn heard(world: &World, count: usize) -> Vec<String> {
    let mut names = Vec::new();
    for _ in 0..2_000 {
        let input = json!({"QueueUrl": "heard", "MaxNumberOfMessages": 10});
        let output = world.call("sqs:ReceiveMessage", input).await.expect("received");
        for message in output["Messages"].as_array().into_iter().flatten() {
            let receipt = json!({"QueueUrl": "heard", "ReceiptHandle": message["ReceiptHandle"]});
            world.call("sqs:DeleteMessage", receipt).await.expect("deleted");
            let body = message["Body"].as_str().expect("a body");
            let event: Value = serde_json::from_str(body).expect("JSON");
            assert_eq!(event["detail"]["eventType"], "AwsServiceEvent");
            names.push(event["detail"]["eventName"].as_str().expect("a name").to_owned());
        }
        if names.len() >= count {
            break;
        }
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    names.sort();
    names
}

#[tokio::test]
async fn eventbridge_hears_how_rotations_go() {
    let world = World::new(SERVICES);
    let _background = world.background();
    hearing(&world).await;
    create(&world, "s", "one").await;
    world.call("secretsmanager:RotateSecret", rotate(1)).await.expect("begun");
    until(&world, |it| it["LastRotatedDate"] == NOW).await;
    assert_eq!(heard(&world, 2).await, ["RotationStarted", "RotationSucceeded"]);
    with_function(&world, |function| function.forgets_to_finish = true);
    world.clock().advance(DAY);
    assert_eq!(heard(&world, 1).await, ["RotationStarted"]);
    for _ in 0..6 {
        tokio::time::sleep(Duration::from_millis(20)).await;
        world.clock().advance(60_000);
    }
    assert_eq!(heard(&world, 1).await, ["RotationFailed"]);
    world.call("secretsmanager:CancelRotateSecret", json!({"SecretId": "s"})).await.expect("off");
    assert_eq!(heard(&world, 1).await, ["RotationAbandoned"]);
}
