//! Who may call a function.

use fogbank_core::{Body, Call, Principal};
use fogbank_testkit::{ACCOUNT, REGION, Value, expect, json};

use super::{ECHO, Lambda};

fn permission(id: &str, more: Value) -> Value {
    let mut input = json!({
        "FunctionName": "f",
        "StatementId": id,
        "Action": "lambda:InvokeFunction",
        "Principal": "s3.amazonaws.com",
    });
    if let (Some(input), Some(more)) = (input.as_object_mut(), more.as_object()) {
        input.extend(more.clone());
    }
    input
}

/// S3 calls the function on behalf of a bucket.
async fn invoked_by_s3(lambda: &Lambda, function: &str, bucket: &str) -> Result<(), String> {
    let call = Call {
        action: "lambda:Invoke".to_owned(),
        principal: Principal::service("s3.amazonaws.com"),
        region: REGION.to_owned(),
        account: ACCOUNT.to_owned(),
        input: json!({"FunctionName": function, "InvocationType": "Event"}),
        body: Body::empty(),
        source: Some((format!("arn:aws:s3:::{bucket}"), ACCOUNT.to_owned())),
        via: None,
        called_via: Vec::new(),
    };
    lambda.cloud().call(call).await.map(drop).map_err(|fault| fault.to_string())
}

#[tokio::test]
async fn a_service_needs_a_permission() {
    let lambda = Lambda::new().await;
    lambda.python("f", ECHO).await;
    lambda.settled("f").await;
    let refusal = invoked_by_s3(&lambda, "f", "photos").await.expect_err("refused");
    expect!["AccessDenied: User: s3.amazonaws.com is not authorized to perform: lambda:InvokeFunction on resource: arn:aws:lambda:us-east-1:000000000000:function:f because no resource-based policy allows the lambda:InvokeFunction action"].assert_eq(&refusal);
    let photos =
        permission("s3", json!({"SourceArn": "arn:aws:s3:::photos", "SourceAccount": ACCOUNT}));
    lambda.check("lambda:AddPermission", photos.clone(), expect![[r#"
        {
          "Statement": "{\"Sid\":\"s3\",\"Effect\":\"Allow\",\"Principal\":{\"Service\":\"s3.amazonaws.com\"},\"Action\":\"lambda:InvokeFunction\",\"Resource\":\"arn:aws:lambda:us-east-1:000000000000:function:f\",\"Condition\":{\"ArnLike\":{\"AWS:SourceArn\":\"arn:aws:s3:::photos\"},\"StringEquals\":{\"AWS:SourceAccount\":\"000000000000\"}}}"
        }"#]]).await;
    assert_eq!(invoked_by_s3(&lambda, "f", "photos").await, Ok(()));
    assert!(invoked_by_s3(&lambda, "f", "others").await.is_err());
    // The policy is the function's own, not that of its versions.
    assert!(invoked_by_s3(&lambda, "f:$LATEST", "photos").await.is_err());

    lambda.check("lambda:AddPermission", photos, expect!["ResourceConflictException: The statement id (s3) provided already exists. Please provide a new statement id, or remove the existing statement."]).await;
    let policy = lambda.call("lambda:GetPolicy", json!({"FunctionName": "f"})).await;
    let policy = policy.expect("a policy");
    let function = json!({"FunctionName": "f"});
    let function = lambda.call("lambda:GetFunctionConfiguration", function).await;
    assert_eq!(policy["RevisionId"], function.expect("a function")["RevisionId"]);

    let remove = json!({"FunctionName": "f", "StatementId": "s3"});
    lambda.call("lambda:RemovePermission", remove.clone()).await.expect("an end");
    assert!(invoked_by_s3(&lambda, "f", "photos").await.is_err());
    lambda
        .check(
            "lambda:RemovePermission",
            remove,
            expect!["ResourceNotFoundException: No policy is associated with the given resource."],
        )
        .await;
    lambda
        .check(
            "lambda:GetPolicy",
            json!({"FunctionName": "f"}),
            expect!["ResourceNotFoundException: The resource you requested does not exist."],
        )
        .await;
}

#[tokio::test]
async fn versions_and_aliases_have_their_own() {
    let lambda = Lambda::new().await;
    lambda.python_with("f", ECHO, json!({"Publish": true})).await.expect("a function");
    lambda.settled("f:1").await;
    let alias = json!({"FunctionName": "f", "Name": "live", "FunctionVersion": "1"});
    lambda.call("lambda:CreateAlias", alias).await.expect("an alias");
    let live = permission("s3", json!({"Qualifier": "live"}));
    let added = lambda.call("lambda:AddPermission", live).await.expect("a permission");
    assert!(added["Statement"].as_str().expect("a statement").contains(":function:f:live\""));
    assert_eq!(invoked_by_s3(&lambda, "f:live", "photos").await, Ok(()));
    assert!(invoked_by_s3(&lambda, "f:1", "photos").await.is_err());
    assert!(invoked_by_s3(&lambda, "f", "photos").await.is_err());
}

#[tokio::test]
async fn what_aws_refuses_is_refused() {
    let lambda = Lambda::new().await;
    lambda.python("f", ECHO).await;
    lambda.settled("f").await;
    let mut seen = Vec::new();
    for input in [
        permission("bad.id", json!({})),
        permission("s", json!({"Principal": "ann"})),
        permission("s", json!({"Qualifier": "$LATEST"})),
        permission("s", json!({"Qualifier": "42"})),
        permission("s", json!({"Qualifier": "nobody"})),
        permission("s", json!({"FunctionName": "nobody"})),
        permission("s", json!({"FunctionName": "f:1", "Qualifier": "2"})),
        permission("s", json!({"RevisionId": "stale"})),
    ] {
        let refusal = lambda.call("lambda:AddPermission", input).await.expect_err("refused");
        seen.push(refusal.to_string());
    }
    for input in [
        json!({"FunctionName": "f", "StatementId": "s"}),
        json!({"FunctionName": "nobody", "StatementId": "s"}),
    ] {
        let refusal = lambda.call("lambda:RemovePermission", input).await.expect_err("refused");
        seen.push(refusal.to_string());
    }
    expect![[r#"
        ValidationException: 1 validation error detected: Value 'bad.id' at 'statementId' failed to satisfy constraint: Member must satisfy regular expression pattern: ([a-zA-Z0-9-_]+)
        InvalidParameterValueException: The provided principal was invalid. Please check the principal and try again.
        InvalidParameterValueException: We currently do not support adding policies for $LATEST.
        ResourceNotFoundException: Function not found: arn:aws:lambda:us-east-1:000000000000:function:f:42
        ResourceNotFoundException: Cannot find alias arn: arn:aws:lambda:us-east-1:000000000000:function:f:nobody
        ResourceNotFoundException: Function not found: arn:aws:lambda:us-east-1:000000000000:function:nobody
        InvalidParameterValueException: The derived qualifier from the function name does not match the specified qualifier.
        PreconditionFailedException: The Revision Id provided does not match the latest Revision Id. Call the GetFunction/GetAlias API to retrieve the latest Revision Id
        ResourceNotFoundException: No policy is associated with the given resource.
        ResourceNotFoundException: No policy found for: arn:aws:lambda:us-east-1:000000000000:function:nobody"#]].assert_eq(&seen.join("\n"));
}

#[tokio::test]
async fn tags_decide() {
    let lambda = Lambda::new().await;
    for (name, team) in [("ours", "red"), ("theirs", "blue")] {
        let tags = json!({"Tags": {"team": team}});
        lambda.python_with(name, ECHO, tags).await.expect("a function");
    }
    let statement = json!({
        "Effect": "Allow",
        "Action": "lambda:InvokeFunction",
        "Resource": "*",
        "Condition": {"StringEquals": {"aws:ResourceTag/team": "red"}},
    });
    let ann = lambda.user("ann", statement).await;
    let call = |name: &str| {
        let input = json!({"FunctionName": name, "InvocationType": "DryRun"});
        lambda.call_as(ann.clone(), "lambda:Invoke", input)
    };
    assert!(call("ours").await.is_ok());
    assert!(call("theirs").await.is_err());
}

#[tokio::test]
async fn a_user_needs_the_qualified_arn() {
    let lambda = Lambda::new().await;
    lambda.python("f", ECHO).await;
    lambda.settled("f").await;
    let statement = json!({
        "Effect": "Allow",
        "Action": "lambda:InvokeFunction",
        "Resource": "arn:aws:lambda:us-east-1:000000000000:function:f",
    });
    let ann = lambda.user("ann", statement).await;
    let call = |name: &str| {
        let input = json!({"FunctionName": name, "InvocationType": "DryRun"});
        lambda.call_as(ann.clone(), "lambda:Invoke", input)
    };
    assert_eq!(call("f").await.expect("allowed")["StatusCode"], 204);
    expect!["AccessDenied: User: arn:aws:iam::000000000000:user/ann is not authorized to perform: lambda:InvokeFunction on resource: arn:aws:lambda:us-east-1:000000000000:function:f:$LATEST because no identity-based policy allows the lambda:InvokeFunction action"].assert_eq(&call("f:$LATEST").await.expect_err("refused").to_string());
    // Whether a function exists is told to those only who may call it.
    expect!["AccessDenied: User: arn:aws:iam::000000000000:user/ann is not authorized to perform: lambda:InvokeFunction on resource: arn:aws:lambda:us-east-1:000000000000:function:nobody because no identity-based policy allows the lambda:InvokeFunction action"].assert_eq(&call("nobody").await.expect_err("refused").to_string());
}
