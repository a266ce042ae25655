//! Versions and staging labels.

use fogbank_testkit::{World, expect, json};

use super::{DAY, SERVICES, create, token, value_of};

/// Writes a version and gives its labels.
async fn put(world: &World, number: u32, value: &str, stages: &[&str]) -> serde_json::Value {
    let mut input =
        json!({"SecretId": "s", "SecretString": value, "ClientRequestToken": token(number)});
    if !stages.is_empty() {
        input["VersionStages"] = json!(stages);
    }
    let put = world.call("secretsmanager:PutSecretValue", input).await.expect("written");
    put["VersionStages"].clone()
}

/// Which version has which labels.
async fn stages(world: &World) -> serde_json::Value {
    let described = world.call("secretsmanager:DescribeSecret", json!({"SecretId": "s"})).await;
    described.expect("described")["VersionIdsToStages"].clone()
}

#[tokio::test]
async fn labels_move_with_new_versions() {
    let world = World::new(SERVICES);
    create(&world, "s", "one").await;
    assert_eq!(put(&world, 2, "two", &[]).await, json!(["AWSCURRENT"]));
    assert_eq!(put(&world, 3, "three", &["AWSPENDING"]).await, json!(["AWSPENDING"]));
    assert_eq!(
        stages(&world).await,
        json!({
            token(1): ["AWSPREVIOUS"], token(2): ["AWSCURRENT"], token(3): ["AWSPENDING"],
        })
    );
    assert_eq!(
        put(&world, 4, "four", &["AWSCURRENT", "blue"]).await,
        json!(["AWSCURRENT", "blue"])
    );
    assert_eq!(
        stages(&world).await,
        json!({
            token(2): ["AWSPREVIOUS"], token(3): ["AWSPENDING"], token(4): ["AWSCURRENT", "blue"],
        })
    );
    for (stage, value) in [("AWSPREVIOUS", "two"), ("AWSPENDING", "three"), ("blue", "four")] {
        assert_eq!(value_of(&world, "s", stage).await, value);
    }
}

#[tokio::test]
async fn a_repeated_write_does_nothing_and_a_different_one_is_refused() {
    let world = World::new(SERVICES);
    create(&world, "s", "one").await;
    put(&world, 2, "two", &[]).await;
    put(&world, 3, "three", &[]).await;
    let before = world.rows(&crate::SERVICE);
    assert_eq!(put(&world, 2, "two", &["AWSCURRENT"]).await, json!(["AWSPREVIOUS"]));
    assert_eq!(world.rows(&crate::SERVICE), before);
    let other = json!({"SecretId": "s", "SecretString": "x", "ClientRequestToken": token(2)});
    world.check("secretsmanager:PutSecretValue", other, expect!["ResourceExistsException: You can't use ClientRequestToken token-00000000000000000000000002 because that value is already in use for a version of secret arn:aws:secretsmanager:us-east-1:000000000000:secret:s-aKP7Yr."]).await;
    let nothing = json!({"SecretId": "s"});
    world
        .check(
            "secretsmanager:PutSecretValue",
            nothing,
            expect![
                "InvalidRequestException: You must provide either SecretString or SecretBinary."
            ],
        )
        .await;
}

#[tokio::test]
async fn values_are_found_by_version_and_label() {
    let world = World::new(SERVICES);
    create(&world, "s", "one").await;
    put(&world, 2, "two", &[]).await;
    for (input, expected) in [
        (
            json!({"SecretId": "s", "VersionId": token(1)}),
            expect![[r#"
            {
              "ARN": "arn:aws:secretsmanager:us-east-1:000000000000:secret:s-aKP7Yr",
              "CreatedDate": 1767225600,
              "Name": "s",
              "SecretString": "one",
              "VersionId": "token-00000000000000000000000001",
              "VersionStages": [
                "AWSPREVIOUS"
              ]
            }"#]],
        ),
        (
            json!({"SecretId": "s", "VersionId": token(1), "VersionStage": "AWSCURRENT"}),
            expect![
                "InvalidRequestException: You provided a VersionStage that is not associated to the provided VersionId."
            ],
        ),
        (
            json!({"SecretId": "s", "VersionId": token(9)}),
            expect![
                "ResourceNotFoundException: Secrets Manager can't find the specified secret value for VersionId: token-00000000000000000000000009"
            ],
        ),
        (
            json!({"SecretId": "s", "VersionStage": "AWSPENDING"}),
            expect![
                "ResourceNotFoundException: Secrets Manager can't find the specified secret value for staging label: AWSPENDING"
            ],
        ),
    ] {
        world.check("secretsmanager:GetSecretValue", input, expected).await;
    }
}

#[tokio::test]
async fn labels_are_moved_by_hand() {
    let world = World::new(SERVICES);
    create(&world, "s", "one").await;
    put(&world, 2, "two", &[]).await;
    let update = |stage: &str, from: Option<u32>, to: Option<u32>| {
        json!({
            "SecretId": "s", "VersionStage": stage,
            "RemoveFromVersionId": from.map(token), "MoveToVersionId": to.map(token),
        })
    };
    for (input, expected) in [
        (
            update("AWSCURRENT", None, Some(1)),
            expect![
                "InvalidParameterException: The parameter RemoveFromVersionId can't be empty. Staging label AWSCURRENT is currently attached to version token-00000000000000000000000002, so you must explicitly reference that version in RemoveFromVersionId."
            ],
        ),
        (
            update("AWSCURRENT", Some(1), Some(1)),
            expect![
                "InvalidParameterException: Staging label AWSCURRENT isn't currently attached to version token-00000000000000000000000001."
            ],
        ),
        (
            update("AWSCURRENT", Some(2), None),
            expect![
                "InvalidParameterException: You can only move staging label AWSCURRENT to a different secret version. It can’t be completely removed."
            ],
        ),
        (
            update("blue", None, Some(9)),
            expect![
                "ResourceNotFoundException: Secrets Manager can't find the specified secret value for VersionId: token-00000000000000000000000009"
            ],
        ),
        (
            update("blue", None, None),
            expect![
                "InvalidParameterException: You must specify RemoveFromVersionId, MoveToVersionId, or both."
            ],
        ),
        (
            update("AWSCURRENT", Some(2), Some(1)),
            expect![[r#"
            {
              "ARN": "arn:aws:secretsmanager:us-east-1:000000000000:secret:s-aKP7Yr",
              "Name": "s"
            }"#]],
        ),
    ] {
        world.check("secretsmanager:UpdateSecretVersionStage", input, expected).await;
    }
    assert_eq!(stages(&world).await, json!({token(1): ["AWSCURRENT"], token(2): ["AWSPREVIOUS"]}));
    let input = update("AWSPREVIOUS", Some(2), None);
    world.call("secretsmanager:UpdateSecretVersionStage", input).await.expect("removed");
    let listed = |deprecated: bool| json!({"SecretId": "s", "IncludeDeprecated": deprecated});
    world
        .check(
            "secretsmanager:ListSecretVersionIds",
            listed(false),
            expect![[r#"
        {
          "ARN": "arn:aws:secretsmanager:us-east-1:000000000000:secret:s-aKP7Yr",
          "Name": "s",
          "Versions": [
            {
              "CreatedDate": 1767225600,
              "KmsKeyIds": [
                "DefaultEncryptionKey"
              ],
              "VersionId": "token-00000000000000000000000001",
              "VersionStages": [
                "AWSCURRENT"
              ]
            }
          ]
        }"#]],
        )
        .await;
    let all = world.call("secretsmanager:ListSecretVersionIds", listed(true)).await.expect("all");
    assert_eq!(all["Versions"].as_array().map(Vec::len), Some(2));
}

#[tokio::test]
async fn old_versions_without_labels_go() {
    let world = World::new(SERVICES);
    create(&world, "s", "0").await;
    let count = async || {
        let input = json!({"SecretId": "s", "IncludeDeprecated": true, "MaxResults": 100});
        let mut count = 0;
        let mut token = json!(null);
        loop {
            let mut input = input.clone();
            input["NextToken"] = token;
            let page = world.call("secretsmanager:ListSecretVersionIds", input).await;
            let page = page.expect("a page");
            count += page["Versions"].as_array().map_or(0, Vec::len);
            token = page["NextToken"].clone();
            if token.is_null() {
                return count;
            }
        }
    };
    for number in 2..=110 {
        put(&world, number, "x", &[]).await;
    }
    assert_eq!(count().await, 110, "all are younger than a day");
    world.clock().advance(DAY + 1);
    put(&world, 111, "x", &[]).await;
    assert_eq!(count().await, 102, "two have labels");
    put(&world, 112, "x", &[]).await;
    assert_eq!(count().await, 102);
}
