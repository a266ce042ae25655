//! Removing everything.

use fogbank_core::Principal;
use fogbank_testkit::{ACCOUNT, Value, World, json};

use super::{ECHO, Lambda, encoded, python, zipped};
use crate::SERVICE;
use crate::functions::SETTLE;

const OTHER: &str = "111122223333";
/// Where the store counts the blobs that rows name.
const BLOBS: u32 = 0x02;

/// Calls an operation as the root of an account.
async fn call(world: &World, account: &str, action: &str, input: Value) -> Value {
    let outcome = world.call_as(Principal::root(account), action, input).await;
    outcome.unwrap_or_else(|fault| panic!("{action}: {fault}"))
}

/// Makes functions with all that belongs to them in an account, a layer, a mapping and an event.
async fn fill(world: &World, account: &str) {
    let call = async |operation: &str, input| {
        call(world, account, &format!("lambda:{operation}"), input).await
    };
    let layer = json!({
        "LayerName": "words", "Content": {"ZipFile": zipped(&[("python/words.py", "A = 1\n")])},
    });
    let layer = call("PublishLayerVersion", layer).await;
    let more = json!({
        "Role": format!("arn:aws:iam::{account}:role/runner"),
        "Layers": [layer["LayerVersionArn"]],
        "Publish": true,
    });
    call("CreateFunction", python("worker", ECHO, more)).await;
    world.round(&SERVICE, SETTLE).await;
    let named = |more: Value| {
        let mut input = json!({"FunctionName": "worker"});
        input.as_object_mut().expect("members").extend(more.as_object().expect("members").clone());
        input
    };
    call("CreateAlias", named(json!({"Name": "live", "FunctionVersion": "1"}))).await;
    let permission = json!({
        "StatementId": "s", "Action": "lambda:InvokeFunction", "Principal": "s3.amazonaws.com",
    });
    call("AddPermission", named(permission)).await;
    call("PutFunctionEventInvokeConfig", named(json!({"MaximumRetryAttempts": 0}))).await;
    call("PutFunctionConcurrency", named(json!({"ReservedConcurrentExecutions": 1}))).await;
    let event = json!({"InvocationType": "Event", "Payload": encoded(&json!("x".repeat(20_000)))});
    call("Invoke", named(event)).await;
    let queue = format!("arn:aws:sqs:us-east-1:{account}:jobs");
    call("CreateEventSourceMapping", named(json!({"EventSourceArn": queue}))).await;
}

#[tokio::test]
async fn a_reset_removes_all_of_an_account_and_nothing_of_others() {
    let world = Lambda::still().await;
    let trust = json!({"Version": "2012-10-17", "Statement": [{
        "Effect": "Allow",
        "Principal": {"Service": "lambda.amazonaws.com"},
        "Action": "sts:AssumeRole",
    }]});
    let input = json!({"RoleName": "runner", "AssumeRolePolicyDocument": trust.to_string()});
    call(&world, OTHER, "iam:CreateRole", input).await;
    let allow = json!({"Version": "2012-10-17", "Statement": [{
        "Effect": "Allow", "Action": "*", "Resource": "*",
    }]});
    let input = json!({
        "RoleName": "runner", "PolicyName": "own", "PolicyDocument": allow.to_string(),
    });
    call(&world, OTHER, "iam:PutRolePolicy", input).await;
    for account in [OTHER, ACCOUNT] {
        call(&world, account, "sqs:CreateQueue", json!({"QueueName": "jobs"})).await;
    }
    fill(&world, OTHER).await;
    let (others, blobs) = (world.rows(&SERVICE), world.rows_under(BLOBS));
    assert_eq!(others.len(), 10, "{:?}", others.keys());
    fill(&world, ACCOUNT).await;
    assert_eq!(world.rows(&SERVICE).len(), 20);
    world.reset(&SERVICE, Some(ACCOUNT)).await;
    for (operation, list) in [
        ("ListFunctions", "Functions"),
        ("ListLayers", "Layers"),
        ("ListEventSourceMappings", "EventSourceMappings"),
    ] {
        let listed = call(&world, ACCOUNT, &format!("lambda:{operation}"), json!({})).await;
        assert_eq!(listed[list], json!([]), "{operation}");
    }
    assert_eq!(world.rows(&SERVICE), others);
    assert_eq!(world.rows_under(BLOBS), blobs);

    fill(&world, ACCOUNT).await;
    let input = json!({"LayerName": "words"});
    let layers = call(&world, ACCOUNT, "lambda:ListLayerVersions", input).await;
    assert_eq!(layers["LayerVersions"][0]["Version"], 1, "versions begin anew");
    world.reset(&SERVICE, None).await;
    assert!(world.rows(&SERVICE).is_empty());
    assert!(world.rows_under(BLOBS).is_empty());
}
