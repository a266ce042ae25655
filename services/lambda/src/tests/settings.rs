//! Concurrency, and how asynchronous invocations are handled.

use fogbank_testkit::{Value, expect, json};

use super::{ECHO, Lambda};

#[tokio::test]
async fn reservations_leave_a_rest_to_the_account() {
    let lambda = Lambda::new().await;
    lambda.python("f", ECHO).await;
    lambda.python("g", ECHO).await;
    let put = |name: &str, count: i32| {
        let input = json!({"FunctionName": name, "ReservedConcurrentExecutions": count});
        lambda.call("lambda:PutFunctionConcurrency", input)
    };
    assert_eq!(put("f", 899).await.expect("899")["ReservedConcurrentExecutions"], 899);
    assert_eq!(put("f", 900).await.expect("900")["ReservedConcurrentExecutions"], 900);
    expect!["InvalidParameterValueException: Specified ReservedConcurrentExecutions for function decreases account's UnreservedConcurrentExecution below its minimum value of [100]."].assert_eq(&put("g", 1).await.expect_err("refused").to_string());
    expect!["ResourceNotFoundException: Function not found: arn:aws:lambda:us-east-1:000000000000:function:nobody:$LATEST"].assert_eq(&put("nobody", 1).await.expect_err("refused").to_string());
    expect!["InvalidParameterValueException: This operation is permitted on Lambda functions only. Aliases and versions do not support this operation. Please specify either a function name or an unqualified function ARN."].assert_eq(&put("f:1", 1).await.expect_err("refused").to_string());
    let f = json!({"FunctionName": "f"});
    let function = lambda.call("lambda:GetFunction", f.clone()).await.expect("a function");
    assert_eq!(function["Concurrency"], json!({"ReservedConcurrentExecutions": 900}));
    lambda.call("lambda:DeleteFunctionConcurrency", f.clone()).await.expect("an end");
    assert_eq!(lambda.call("lambda:GetFunctionConcurrency", f).await.expect("none"), json!({}));
}

#[tokio::test]
async fn a_reservation_of_zero_stops_a_function() {
    let lambda = Lambda::new().await;
    lambda.python("f", ECHO).await;
    let put = json!({"FunctionName": "f", "ReservedConcurrentExecutions": 0});
    lambda.call("lambda:PutFunctionConcurrency", put).await.expect("nothing");
    let refusal = lambda.invoke(json!({"FunctionName": "f"})).await.expect_err("stopped");
    expect!["TooManyRequestsException: Rate Exceeded."].assert_eq(&refusal.to_string());
    let members = refusal.members().expect("members");
    assert_eq!(members.text("Reason"), Some("ReservedFunctionConcurrentInvocationLimitExceeded"));
}

async fn refusals(lambda: &Lambda, action: &str, inputs: &[Value]) -> String {
    let mut seen = Vec::new();
    for input in inputs {
        let refusal = lambda.call(action, input.clone()).await.expect_err(&input.to_string());
        seen.push(refusal.to_string());
    }
    seen.join("\n")
}

#[tokio::test]
async fn destinations_are_kept() {
    let lambda = Lambda::new().await;
    lambda.python_with("f", ECHO, json!({"Publish": true})).await.expect("a function");
    lambda.python("g", ECHO).await;
    let g = "arn:aws:lambda:us-east-1:000000000000:function:g";
    let put = json!({
        "FunctionName": "f",
        "MaximumRetryAttempts": 1,
        "DestinationConfig": {"OnSuccess": {"Destination": g}},
    });
    lambda
        .check(
            "lambda:PutFunctionEventInvokeConfig",
            put,
            expect![[r#"
        {
          "DestinationConfig": {
            "OnFailure": {},
            "OnSuccess": {
              "Destination": "arn:aws:lambda:us-east-1:000000000000:function:g"
            }
          },
          "FunctionArn": "arn:aws:lambda:us-east-1:000000000000:function:f:$LATEST",
          "LastModified": 1767225600,
          "MaximumRetryAttempts": 1
        }"#]],
        )
        .await;
    let update = json!({"FunctionName": "f", "MaximumEventAgeInSeconds": 60});
    let updated = lambda.call("lambda:UpdateFunctionEventInvokeConfig", update).await;
    let updated = updated.expect("an update");
    assert_eq!(
        (&updated["MaximumRetryAttempts"], &updated["MaximumEventAgeInSeconds"]),
        (&json!(1), &json!(60))
    );
    let put = json!({"FunctionName": "f", "Qualifier": "1", "MaximumRetryAttempts": 0});
    lambda.call("lambda:PutFunctionEventInvokeConfig", put).await.expect("a configuration");
    let listed = json!({"FunctionName": "f"});
    let listed =
        lambda.call("lambda:ListFunctionEventInvokeConfigs", listed).await.expect("a list");
    let configs = listed["FunctionEventInvokeConfigs"].as_array().expect("configurations");
    assert_eq!(configs.len(), 2);
    let delete = json!({"FunctionName": "f", "Qualifier": "1"});
    lambda.call("lambda:DeleteFunctionEventInvokeConfig", delete.clone()).await.expect("an end");
    lambda.check("lambda:DeleteFunctionEventInvokeConfig", delete, expect!["ResourceNotFoundException: The function arn:aws:lambda:us-east-1:000000000000:function:f:1 doesn't have an EventInvokeConfig"]).await;
}

#[tokio::test]
async fn what_aws_refuses_is_refused() {
    let lambda = Lambda::new().await;
    lambda.python("f", ECHO).await;
    let destination = |arn: &str| {
        json!({
            "FunctionName": "f",
            "DestinationConfig": {"OnSuccess": {"Destination": arn}},
        })
    };
    let seen = refusals(
        &lambda,
        "lambda:PutFunctionEventInvokeConfig",
        &[
            json!({"FunctionName": "f"}),
            json!({"FunctionName": "nobody", "MaximumRetryAttempts": 1}),
            json!({"FunctionName": "f", "MaximumRetryAttempts": 3}),
            json!({"FunctionName": "f", "MaximumEventAgeInSeconds": 59}),
            destination("arn:aws:lambda:us-east-1:000000000000:function:nobody"),
            destination("arn:aws:lambda:us-east-1:000000000000:function:f"),
            destination("arn:aws:iam:us-east-1:000000000000:function:f"),
            destination("arn:aws:s3:::bucket"),
            destination("garbage"),
        ],
    )
    .await;
    expect![[r#"
        InvalidParameterValueException: You must specify at least one of error handling or destination setting.
        ResourceNotFoundException: The function doesn't exist.
        ValidationException: 1 validation error detected: Value '3' at 'maximumRetryAttempts' failed to satisfy constraint: Member must have value less than or equal to 2
        ValidationException: 1 validation error detected: Value '59' at 'maximumEventAgeInSeconds' failed to satisfy constraint: Member must have value greater than or equal to 60
        InvalidParameterValueException: The destination ARN arn:aws:lambda:us-east-1:000000000000:function:nobody is invalid.
        InvalidParameterValueException: You can't specify the function as a destination for itself.
        InvalidParameterValueException: The provided destination config DestinationConfig(onSuccess=OnSuccess(destination=arn:aws:iam:us-east-1:000000000000:function:f), onFailure=null) is invalid.
        InvalidParameterValueException: Fogbank does not support buckets as destinations yet.
        ValidationException: 1 validation error detected: Value 'garbage' at 'destinationConfig.onSuccess.destination' failed to satisfy constraint: Member must satisfy regular expression pattern: $|kafka://([^.]([a-zA-Z0-9\-_.]{0,248}))|arn:(aws[a-zA-Z0-9-]*):([a-zA-Z0-9\-])+:((eusc-)?[a-z]{2}((-gov)|(-iso([a-z]?)))?-[a-z]+-\d{1})?:(\d{12})?:(.*)"#]].assert_eq(&seen);
}
