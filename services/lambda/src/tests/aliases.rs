//! Aliases.

use fogbank_testkit::{Value, expect, json};

use super::{Lambda, zipped};

/// A function with the versions 1 and 2, which answer with their number.
async fn two_versions() -> Lambda {
    let lambda = Lambda::new().await;
    let text = |answer: u32| {
        format!(
            "def handler(event, context):\n    return [{answer}, context.invoked_function_arn]\n"
        )
    };
    lambda.python_with("f", &text(1), json!({"Publish": true})).await.expect("a function");
    lambda.settled("f").await;
    let zip = zipped(&[("app.py", &text(2))]);
    let code = json!({"FunctionName": "f", "Publish": true, "ZipFile": zip});
    lambda.call("lambda:UpdateFunctionCode", code).await.expect("a version");
    lambda.settled("f:2").await;
    lambda
}

fn alias(name: &str, version: &str, more: Value) -> Value {
    let mut input = json!({"FunctionName": "f", "Name": name, "FunctionVersion": version});
    if let (Some(input), Some(more)) = (input.as_object_mut(), more.as_object()) {
        input.extend(more.clone());
    }
    input
}

#[tokio::test]
async fn an_alias_moves() {
    let lambda = two_versions().await;
    let made = lambda.call("lambda:CreateAlias", alias("live", "1", json!({}))).await;
    let made = made.expect("an alias");
    assert_eq!(made["AliasArn"], "arn:aws:lambda:us-east-1:000000000000:function:f:live");
    assert_eq!(made["Description"], "");
    let function = json!({"FunctionName": "f", "Qualifier": "live"});
    let shown = lambda.call("lambda:GetFunctionConfiguration", function).await.expect("a function");
    assert_eq!((&shown["FunctionArn"], &shown["Version"]), (&made["AliasArn"], &json!("1")));
    assert_eq!(lambda.run("f:live", json!({})).await, json!([1, made["AliasArn"]]));

    lambda.call("lambda:UpdateAlias", alias("live", "2", json!({}))).await.expect("a move");
    assert_eq!(lambda.run("f:live", json!({})).await[0], 2);
    assert_eq!(lambda.run("f:1", json!({})).await[0], 1);
    lambda
        .check("lambda:UpdateAlias", alias("live", "1", json!({"RevisionId": "x"})), expect!["PreconditionFailedException: The Revision Id provided does not match the latest Revision Id. Call the GetFunction/GetAlias API to retrieve the latest Revision Id"])
        .await;
    let listed = json!({"FunctionName": "f", "FunctionVersion": "2"});
    let listed = lambda.call("lambda:ListAliases", listed).await.expect("aliases");
    assert_eq!(listed["Aliases"].as_array().map(Vec::len), Some(1));
    let gone = json!({"FunctionName": "f", "Name": "live"});
    for _ in 0..2 {
        lambda.call("lambda:DeleteAlias", gone.clone()).await.expect("an end");
    }
    lambda.check("lambda:GetAlias", gone, expect!["ResourceNotFoundException: Cannot find alias arn: arn:aws:lambda:us-east-1:000000000000:function:f:live"]).await;
    lambda.check("lambda:Invoke", json!({"FunctionName": "f:live"}), expect!["ResourceNotFoundException: Function not found: arn:aws:lambda:us-east-1:000000000000:function:f:live"]).await;
}

#[tokio::test]
async fn weights_divide_invocations() {
    let lambda = two_versions().await;
    let weights = |weights: Value| json!({"RoutingConfig": {"AdditionalVersionWeights": weights}});
    let made = alias("half", "1", weights(json!({"2": 0.5})));
    let made = lambda.call("lambda:CreateAlias", made).await.expect("an alias");
    assert_eq!(made["RoutingConfig"]["AdditionalVersionWeights"]["2"], 0.5);
    let mut counts = [0, 0];
    for _ in 0..40 {
        let answer = lambda.run("f:half", json!({})).await;
        counts[answer[0].as_u64().expect("a version") as usize - 1] += 1;
    }
    assert!(counts.iter().all(|count| *count > 8), "{counts:?}");
    let only = alias("half", "1", weights(json!({})));
    let only = lambda.call("lambda:UpdateAlias", only).await.expect("an alias");
    assert_eq!(only["RoutingConfig"], json!(null));
}

#[tokio::test]
async fn what_aws_refuses_is_refused() {
    let lambda = two_versions().await;
    lambda.call("lambda:CreateAlias", alias("live", "1", json!({}))).await.expect("an alias");
    let weights = |weights: Value| json!({"RoutingConfig": {"AdditionalVersionWeights": weights}});
    let mut seen = Vec::new();
    for input in [
        alias("live", "1", json!({})),
        alias("2024", "1", json!({})),
        alias("a", "10", json!({})),
        alias("a", "1", weights(json!({"1": 0.5}))),
        alias("a", "1", weights(json!({"10": 0.5}))),
        alias("a", "1", weights(json!({"2": 0.5, "1": 0.1}))),
        alias("a", "1", weights(json!({"2": 2.0}))),
        alias("a", "$LATEST", weights(json!({"2": 0.5}))),
        alias("a", "1", weights(json!({"$LATEST": 0.5}))),
    ] {
        let refusal = lambda.call("lambda:CreateAlias", input).await.expect_err("refused");
        seen.push(refusal.to_string());
    }
    let missing = alias("nobody", "1", json!({}));
    let refusal = lambda.call("lambda:UpdateAlias", missing).await.expect_err("refused");
    seen.push(refusal.to_string());
    expect![[r#"
        ResourceConflictException: Alias already exists: arn:aws:lambda:us-east-1:000000000000:function:f:live
        ValidationException: 1 validation error detected: Value '2024' at 'name' failed to satisfy constraint: Member must satisfy regular expression pattern: (?!^[0-9]+$)([a-zA-Z0-9-_]+)
        ResourceNotFoundException: Function not found: arn:aws:lambda:us-east-1:000000000000:function:f:10
        InvalidParameterValueException: Invalid function version 1. Function version 1 is already included in routing configuration.
        ResourceNotFoundException: Function not found: arn:aws:lambda:us-east-1:000000000000:function:f:10
        InvalidParameterValueException: Number of items in AdditionalVersionWeights cannot be greater than 1
        ValidationException: 1 validation error detected: Value '{2=2.0}' at 'routingConfig.additionalVersionWeights' failed to satisfy constraint: Map value must satisfy constraint: [Member must have value less than or equal to 1.0, Member must have value greater than or equal to 0.0]
        InvalidParameterValueException: $LATEST is not supported for an alias pointing to more than 1 version
        ValidationException: 1 validation error detected: Value '{$LATEST=0.5}' at 'routingConfig.additionalVersionWeights' failed to satisfy constraint: Map keys must satisfy constraint: [Member must have length less than or equal to 1024, Member must have length greater than or equal to 1, Member must satisfy regular expression pattern: [0-9]+]
        ResourceNotFoundException: Alias not found: arn:aws:lambda:us-east-1:000000000000:function:f:nobody"#]].assert_eq(&seen.join("\n"));
}
