//! Functions that really run.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use fogbank_testkit::{Value, expect, json};

use super::{ECHO, Lambda, encoded, payload, zipped};

#[tokio::test]
async fn a_function_answers() {
    let lambda = Lambda::new().await;
    // It is still pending, and is waited for.
    lambda.python("echo", ECHO).await;
    let input = json!({"FunctionName": "echo", "Payload": encoded(&json!({"a": [1, "ü"]}))});
    let answer = lambda.invoke(input).await.expect("an answer");
    assert_eq!(answer["StatusCode"], 200);
    assert_eq!(answer["ExecutedVersion"], "$LATEST");
    assert_eq!(answer["FunctionError"], json!(null));
    assert_eq!(payload(&answer), json!({"a": [1, "ü"]}));
    assert_eq!(lambda.run("echo", json!("text")).await, json!("text"));
    let nothing = lambda.invoke(json!({"FunctionName": "echo"})).await.expect("an answer");
    assert_eq!(payload(&nothing), json!({}));
}

const ABOUT: &str = r#"
import os
def handler(event, context):
    return {
        "arn": context.invoked_function_arn,
        "id": context.aws_request_id,
        "group": context.log_group_name,
        "version": context.function_version,
        "memory": context.memory_limit_in_mb,
        "env": {k: os.environ.get(k) for k in (
            "TABLE", "AWS_REGION", "AWS_ENDPOINT_URL", "AWS_LAMBDA_FUNCTION_NAME", "_HANDLER")},
        "key": os.environ["AWS_ACCESS_KEY_ID"][:4],
        "token": len(os.environ["AWS_SESSION_TOKEN"]) > 20,
    }
"#;

#[tokio::test]
async fn a_function_knows_itself() {
    let lambda = Lambda::new().await;
    let more = json!({"Environment": {"Variables": {"TABLE": "photos"}}, "MemorySize": 256});
    lambda.python_with("about", ABOUT, more).await.expect("a function");
    let mut about = lambda.run("about", json!({})).await;
    about["id"] = json!(about["id"].as_str().map(str::len));
    expect![[r#"
        {
          "arn": "arn:aws:lambda:us-east-1:000000000000:function:about",
          "env": {
            "AWS_ENDPOINT_URL": "http://127.0.0.1:4566",
            "AWS_LAMBDA_FUNCTION_NAME": "about",
            "AWS_REGION": "us-east-1",
            "TABLE": "photos",
            "_HANDLER": "app.handler"
          },
          "group": "/aws/lambda/about",
          "id": 36,
          "key": "ASIA",
          "memory": "256",
          "token": true,
          "version": "$LATEST"
        }"#]]
    .assert_eq(&serde_json::to_string_pretty(&about).expect("JSON"));
}

#[tokio::test]
async fn errors_and_logs_come_back() {
    let lambda = Lambda::new().await;
    let text = "def handler(event, context):\n    print('before')\n    raise ValueError('no')\n";
    lambda.python("fails", text).await;
    let answer = lambda.invoke(json!({"FunctionName": "fails", "LogType": "Tail"})).await;
    let answer = answer.expect("an answer");
    assert_eq!(
        (&answer["StatusCode"], &answer["FunctionError"]),
        (&json!(200), &json!("Unhandled"))
    );
    let document = payload(&answer);
    assert_eq!(
        (&document["errorType"], &document["errorMessage"]),
        (&json!("ValueError"), &json!("no"))
    );
    let log = BASE64_STANDARD.decode(answer["LogResult"].as_str().expect("a log")).expect("base64");
    let log = String::from_utf8(log).expect("text");
    assert!(log.starts_with("START RequestId: ") && log.contains("\nbefore\n"), "{log}");
    assert!(log.contains("REPORT RequestId: "), "{log}");
}

#[tokio::test]
async fn new_code_runs_after_an_update() {
    let lambda = Lambda::new().await;
    let text = |word: &str| format!("def handler(event, context):\n    return '{word}'\n");
    lambda.python("f", &text("old")).await;
    assert_eq!(lambda.run("f", json!({})).await, "old");
    let code = json!({"FunctionName": "f", "ZipFile": zipped(&[("app.py", &text("new"))])});
    lambda.call("lambda:UpdateFunctionCode", code).await.expect("an update");
    lambda.settled("f").await;
    assert_eq!(lambda.run("f", json!({})).await, "new");
    let update = json!({"FunctionName": "f", "Handler": "app.other"});
    lambda.call("lambda:UpdateFunctionConfiguration", update).await.expect("an update");
    lambda.settled("f").await;
    let answer = lambda.invoke(json!({"FunctionName": "f"})).await.expect("an answer");
    assert_eq!(payload(&answer)["errorType"], "Runtime.HandlerNotFound");
}

/// The messages of a log group's events, once there are as many.
async fn logged(lambda: &Lambda, group: &str, count: usize) -> Vec<String> {
    let input = json!({"logGroupName": group});
    let mut messages = Vec::new();
    for _ in 0..1000 {
        if let Ok(output) = lambda.call("logs:FilterLogEvents", input.clone()).await {
            let events = output["events"].as_array().cloned().unwrap_or_default();
            messages = events
                .iter()
                .map(|event| event["message"].as_str().expect("a message").to_owned())
                .collect();
            if messages.len() >= count {
                return messages;
            }
        }
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
    panic!("only {messages:?}");
}

#[tokio::test]
async fn lines_reach_cloudwatch_logs() {
    let lambda = Lambda::new().await;
    let text = "def handler(event, context):\n    print('hello')\n    print()\n";
    lambda.python("talks", text).await;
    lambda.run("talks", json!({})).await;
    let messages = logged(&lambda, "/aws/lambda/talks", 5).await;
    assert!(
        messages[0].starts_with("START RequestId: ") && messages[0].ends_with("Version: $LATEST\n")
    );
    assert_eq!(messages[1..3], ["hello\n", "\n"]);
    assert!(messages[3].starts_with("END RequestId: ") && messages[4].starts_with("REPORT"));
    let streams = json!({"logGroupName": "/aws/lambda/talks"});
    let streams = lambda.call("logs:DescribeLogStreams", streams).await.expect("streams");
    let name = streams["logStreams"][0]["logStreamName"].as_str().expect("a name");
    assert!(name.starts_with("2026/01/01/[$LATEST]") && name.len() == 20 + 32, "{name}");
}

#[tokio::test]
async fn a_role_without_permission_has_no_log() {
    let lambda = Lambda::new().await;
    lambda.role("mute", json!({"Effect": "Allow", "Action": "s3:*", "Resource": "*"})).await;
    let role = json!({"Role": "arn:aws:iam::000000000000:role/mute"});
    lambda.python_with("talks", ECHO, role).await.expect("a function");
    lambda.run("talks", json!({})).await;
    tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    let groups = lambda.call("logs:DescribeLogGroups", json!({})).await.expect("groups");
    assert_eq!(groups["logGroups"], json!([]));
}

#[tokio::test]
async fn what_cannot_run_says_so() {
    let lambda = Lambda::new().await;
    lambda.python("f", ECHO).await;
    lambda.settled("f").await;
    let mut seen = Vec::new();
    for input in [
        json!({"FunctionName": "nobody"}),
        json!({"FunctionName": "f", "Qualifier": "7"}),
        json!({"FunctionName": "f", "Qualifier": "nobody"}),
        json!({"FunctionName": "f:1", "Qualifier": "2"}),
        json!({"FunctionName": "f!"}),
        json!({"FunctionName": "f", "InvocationType": "Later"}),
        json!({"FunctionName": "f", "Payload": BASE64_STANDARD.encode("{")}),
        json!({"FunctionName": "f", "ClientContext": "bm8ganNvbg=="}),
        json!({"FunctionName": "nobody", "InvocationType": "Event"}),
        json!({"FunctionName": "nobody", "InvocationType": "DryRun"}),
        json!({
            "FunctionName": "f",
            "InvocationType": "Event",
            "Payload": BASE64_STANDARD.encode(format!("\"{}\"", "x".repeat(1 << 20))),
        }),
    ] {
        let refusal = lambda.invoke(input.clone()).await.expect_err(&input.to_string());
        seen.push(refusal.to_string());
    }
    expect![[r#"
        ResourceNotFoundException: Function not found: arn:aws:lambda:us-east-1:000000000000:function:nobody:$LATEST
        ResourceNotFoundException: Function not found: arn:aws:lambda:us-east-1:000000000000:function:f:7
        ResourceNotFoundException: Function not found: arn:aws:lambda:us-east-1:000000000000:function:f:nobody
        InvalidParameterValueException: The derived qualifier from the function name does not match the specified qualifier.
        ValidationException: 1 validation error detected: Value 'f!' at 'functionName' failed to satisfy constraint: Member must satisfy regular expression pattern: (arn:(aws[a-zA-Z-]*)?:lambda:)?((eusc-)?[a-z]{2}((-gov)|(-iso([a-z]?)))?-[a-z]+-\d{1}:)?(\d{12}:)?(function:)?([a-zA-Z0-9-_\.]+)(:(\$LATEST(\.PUBLISHED)?|[a-zA-Z0-9-_]+))?
        ValidationException: 1 validation error detected: Value 'Later' at 'invocationType' failed to satisfy constraint: Member must satisfy enum value set: [Event, RequestResponse, DryRun]
        InvalidRequestContentException: Could not parse request body into json: Could not parse payload into json: Unexpected end-of-input: expected close marker
         at [Source: REDACTED (`StreamReadFeature.INCLUDE_SOURCE_IN_LOCATION` disabled); line: 1, column: 1]
        InvalidRequestContentException: Could not parse request body into json: Client context must be a valid Base64-encoded JSON object.
        ResourceNotFoundException: Function not found: arn:aws:lambda:us-east-1:000000000000:function:nobody:$LATEST
        ResourceNotFoundException: Function not found: arn:aws:lambda:us-east-1:000000000000:function:nobody:$LATEST
        RequestEntityTooLargeException: Request must be smaller than 1048576 bytes for the InvokeFunction operation"#]].assert_eq(&seen.join("\n"));
}

#[tokio::test]
async fn a_role_that_is_gone_stops_the_function() {
    let lambda = Lambda::new().await;
    lambda.role("short", json!({"Effect": "Allow", "Action": "*", "Resource": "*"})).await;
    let role = json!({"Role": "arn:aws:iam::000000000000:role/short"});
    lambda.python_with("f", ECHO, role).await.expect("a function");
    lambda.settled("f").await;
    let policy = json!({"RoleName": "short", "PolicyName": "own"});
    lambda.call("iam:DeleteRolePolicy", policy).await.expect("an end");
    lambda.call("iam:DeleteRole", json!({"RoleName": "short"})).await.expect("an end");
    lambda.check("lambda:Invoke", json!({"FunctionName": "f"}), expect!["AccessDeniedException: The role defined for the function cannot be assumed by Lambda."]).await;
}

#[tokio::test]
async fn a_missing_runtime_is_named() {
    let lambda = Lambda::new().await;
    let more = json!({"Runtime": "ruby3.3", "Handler": "app.handler"});
    lambda.python_with("f", ECHO, more).await.expect("a function");
    let refusal = lambda.invoke(json!({"FunctionName": "f"})).await.expect_err("refused");
    assert_eq!(refusal.name(), "InvalidRuntimeException");
    assert!(refusal.message().contains("ruby3.3"), "{refusal}");
}

#[tokio::test]
async fn reserved_concurrency_counts_all_versions() {
    let lambda = Lambda::new().await;
    let text = "import time\ndef handler(event, context):\n    time.sleep(event)\n    return 1\n";
    lambda.python_with("slow", text, json!({"Publish": true})).await.expect("a function");
    lambda.settled("slow:1").await;
    lambda.settled("slow").await;
    let put = json!({"FunctionName": "slow", "ReservedConcurrentExecutions": 1});
    lambda.call("lambda:PutFunctionConcurrency", put).await.expect("a place");
    let first = lambda.run("slow", json!(0.5));
    let second = async {
        tokio::time::sleep(std::time::Duration::from_millis(150)).await;
        let input = json!({"FunctionName": "slow:1", "Payload": encoded(&json!(0))});
        lambda.invoke(input).await.expect_err("throttled").to_string()
    };
    let (first, second): (Value, String) = tokio::join!(first, second);
    assert_eq!(first, 1);
    assert_eq!(second, "TooManyRequestsException: Rate Exceeded.");
    assert_eq!(lambda.run("slow:1", json!(0)).await, 1);
}
