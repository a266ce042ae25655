//! Publishing versions.

use fogbank_testkit::{Value, expect, json};

use super::{ECHO, Lambda, zipped};

async fn publish(lambda: &Lambda, more: Value) -> Result<Value, fogbank_core::Fault> {
    let mut input = json!({"FunctionName": "f"});
    if let (Some(input), Some(more)) = (input.as_object_mut(), more.as_object()) {
        input.extend(more.clone());
    }
    lambda.call("lambda:PublishVersion", input).await
}

async fn versions(lambda: &Lambda) -> Vec<String> {
    let input = json!({"FunctionName": "f"});
    let output = lambda.call("lambda:ListVersionsByFunction", input).await.expect("versions");
    let versions = output["Versions"].as_array().expect("versions");
    versions.iter().map(|it| it["Version"].as_str().expect("a version").to_owned()).collect()
}

#[tokio::test]
async fn a_version_is_published_when_something_changed() {
    let lambda = Lambda::new().await;
    lambda.python("f", ECHO).await;
    lambda.settled("f").await;
    let first = publish(&lambda, json!({"Description": "one"})).await.expect("a version");
    assert_eq!(first["Version"], "1");
    assert_eq!(first["FunctionArn"], "arn:aws:lambda:us-east-1:000000000000:function:f:1");
    assert_eq!((&first["State"], &first["Description"]), (&json!("Active"), &json!("one")));
    let again = publish(&lambda, json!({})).await.expect("the same version");
    assert_eq!(again["RevisionId"], first["RevisionId"]);

    let update = json!({"FunctionName": "f", "MemorySize": 200});
    lambda.call("lambda:UpdateFunctionConfiguration", update).await.expect("an update");
    lambda.settled("f").await;
    assert_eq!(publish(&lambda, json!({})).await.expect("a version")["Version"], "2");
    let code = json!({"FunctionName": "f", "Publish": true, "ZipFile": zipped(&[("app.py", "")])});
    let third = lambda.call("lambda:UpdateFunctionCode", code).await.expect("a version");
    assert_eq!((&third["Version"], &third["State"]), (&json!("3"), &json!("Pending")));
    assert_eq!(versions(&lambda).await, ["$LATEST", "1", "2", "3"]);

    let delete = json!({"FunctionName": "f", "Qualifier": "2"});
    lambda.call("lambda:DeleteFunction", delete).await.expect("an end");
    assert_eq!(versions(&lambda).await, ["$LATEST", "1", "3"]);
    let kept = json!({"FunctionName": "f", "Qualifier": "1"});
    let kept = lambda.call("lambda:GetFunctionConfiguration", kept).await.expect("a version");
    assert_eq!(kept["MemorySize"], 128);
    let gone = json!({"FunctionName": "f:2"});
    lambda.check("lambda:GetFunctionConfiguration", gone, expect!["ResourceNotFoundException: Function not found: arn:aws:lambda:us-east-1:000000000000:function:f:2"]).await;
}

#[tokio::test]
async fn preconditions_are_kept() {
    let lambda = Lambda::new().await;
    lambda.python("f", ECHO).await;
    lambda.settled("f").await;
    let stale = publish(&lambda, json!({"RevisionId": "stale"})).await.expect_err("refused");
    expect!["PreconditionFailedException: The Revision Id provided does not match the latest Revision Id. Call the GetFunction/GetAlias API to retrieve the latest Revision Id"].assert_eq(&stale.to_string());
    let other = publish(&lambda, json!({"CodeSha256": "else"})).await.expect_err("refused");
    expect!["InvalidParameterValueException: CodeSHA256 (else) is different from current CodeSHA256 in $LATEST (25g1w2jSwr3o0qdRgpyn7QkJYQ+7wL9VVy/245pxA2I=). Please try again with the CodeSHA256 in $LATEST."].assert_eq(&other.to_string());
}

#[tokio::test]
async fn creation_may_publish() {
    let lambda = Lambda::new().await;
    let created = lambda.python_with("f", ECHO, json!({"Publish": true})).await;
    let created = created.expect("a function");
    assert_eq!(created["Version"], "1");
    assert_eq!(created["FunctionArn"], "arn:aws:lambda:us-east-1:000000000000:function:f");
    lambda.settled("f").await;
    lambda.settled("f:1").await;
    assert_eq!(publish(&lambda, json!({})).await.expect("the same version")["Version"], "1");
}
