//! Creating, describing, changing, deleting and restoring secrets.

use fogbank_testkit::{World, expect, json};

use super::{DAY, SERVICES, create, token, value_of};

#[tokio::test]
async fn a_secret_is_created_described_and_read() {
    let world = World::new(SERVICES);
    let input = json!({
        "Name": "prod/db", "Description": "The database", "SecretString": "{\"password\":\"ü\"}",
        "ClientRequestToken": token(1), "Tags": [{"Key": "team", "Value": "blue"}],
    });
    world
        .check(
            "secretsmanager:CreateSecret",
            input.clone(),
            expect![[r#"
        {
          "ARN": "arn:aws:secretsmanager:us-east-1:000000000000:secret:prod/db-aKP7Yr",
          "Name": "prod/db",
          "VersionId": "token-00000000000000000000000001"
        }"#]],
        )
        .await;
    // Repeated with its token, nothing happens.
    world
        .check(
            "secretsmanager:CreateSecret",
            input.clone(),
            expect![[r#"
        {
          "ARN": "arn:aws:secretsmanager:us-east-1:000000000000:secret:prod/db-aKP7Yr",
          "Name": "prod/db",
          "VersionId": "token-00000000000000000000000001"
        }"#]],
        )
        .await;
    let mut other = input.clone();
    other["SecretString"] = json!("other");
    world.check("secretsmanager:CreateSecret", other.clone(), expect!["ResourceExistsException: You can't use ClientRequestToken token-00000000000000000000000001 because that value is already in use for a version of secret arn:aws:secretsmanager:us-east-1:000000000000:secret:prod/db-aKP7Yr."]).await;
    other["ClientRequestToken"] = json!(token(2));
    world.check("secretsmanager:CreateSecret", other, expect!["ResourceExistsException: The operation failed because the secret prod/db already exists."]).await;
    let named = json!({"SecretId": "prod/db"});
    world
        .check(
            "secretsmanager:DescribeSecret",
            named.clone(),
            expect![[r#"
        {
          "ARN": "arn:aws:secretsmanager:us-east-1:000000000000:secret:prod/db-aKP7Yr",
          "CreatedDate": 1767225600,
          "Description": "The database",
          "LastChangedDate": 1767225600,
          "Name": "prod/db",
          "Tags": [
            {
              "Key": "team",
              "Value": "blue"
            }
          ],
          "VersionIdsToStages": {
            "token-00000000000000000000000001": [
              "AWSCURRENT"
            ]
          }
        }"#]],
        )
        .await;
    world
        .check(
            "secretsmanager:GetSecretValue",
            named.clone(),
            expect![[r#"
        {
          "ARN": "arn:aws:secretsmanager:us-east-1:000000000000:secret:prod/db-aKP7Yr",
          "CreatedDate": 1767225600,
          "Name": "prod/db",
          "SecretString": "{\"password\":\"ü\"}",
          "VersionId": "token-00000000000000000000000001",
          "VersionStages": [
            "AWSCURRENT"
          ]
        }"#]],
        )
        .await;
    let described = world.call("secretsmanager:DescribeSecret", named).await.expect("described");
    assert_eq!(described["LastAccessedDate"], super::NOW);
    let arn = described["ARN"].as_str().expect("an ARN");
    // An ARN is complete, or lacks its last seven characters; anything else names nothing.
    for (id, is_found) in [
        (arn.to_owned(), true),
        (arn[..arn.len() - 7].to_owned(), true),
        (format!("{}-AbCdEf", &arn[..arn.len() - 7]), false),
        (arn.replace("us-east-1", "us-east-2"), false),
        (arn.replace("prod/db", "prod"), false),
        ("prod".to_owned(), false),
    ] {
        let found = value_of(&world, &id, "AWSCURRENT").await;
        let missing = "ResourceNotFoundException: Secrets Manager can't find the specified secret.";
        let expected = if is_found { "{\"password\":\"ü\"}" } else { missing };
        assert_eq!(found, expected, "{id}");
    }
}

#[tokio::test]
async fn binary_values_come_back_as_they_were() {
    let world = World::new(SERVICES);
    let input = json!({ "Name": "b", "SecretBinary": "AAH/", "ClientRequestToken": token(1) });
    world.call("secretsmanager:CreateSecret", input).await.expect("created");
    let got = world.call("secretsmanager:GetSecretValue", json!({"SecretId": "b"})).await;
    let got = got.expect("a value");
    assert_eq!((&got["SecretBinary"], &got["SecretString"]), (&json!("AAH/"), &json!(null)));
}

#[tokio::test]
async fn what_no_secret_can_be_is_refused() {
    let world = World::new(SERVICES);
    for (input, expected) in [
        (
            json!({"Name": "a b"}),
            expect![
                "ValidationException: Invalid name. Must be a valid name containing alphanumeric characters, or any of the following: -/_+=.@!"
            ],
        ),
        (
            json!({"Name": ""}),
            expect![
                "ValidationException: 1 validation error detected: Value '' at 'name' failed to satisfy constraint: Member must have length greater than or equal to 1"
            ],
        ),
        (
            json!({"Name": "x", "SecretString": "a", "SecretBinary": "AA=="}),
            expect![
                "InvalidParameterException: You can't specify both a binary secret value and a string secret value in the same secret."
            ],
        ),
        (
            json!({"Name": "x", "SecretString": ""}),
            expect![
                "ValidationException: 1 validation error detected: Value at 'secretString' failed to satisfy constraint: Member must have length greater than or equal to 1"
            ],
        ),
        (
            json!({"Name": "x", "SecretString": "a", "ClientRequestToken": "short"}),
            expect![
                "ValidationException: 1 validation error detected: Value 'short' at 'clientRequestToken' failed to satisfy constraint: Member must have length greater than or equal to 32"
            ],
        ),
        (
            json!({"Name": "x", "Type": "partner"}),
            expect![
                "NotImplemented: Fogbank does not implement secretsmanager:CreateSecret and UpdateSecret with Type yet; see COMPATIBILITY.md."
            ],
        ),
        (
            json!({"Name": "x", "Tags": [{"Key": "aws:x", "Value": ""}]}),
            expect!["InvalidParameterException: Tag keys can't start with aws:."],
        ),
    ] {
        world.check("secretsmanager:CreateSecret", input, expected).await;
    }
    let listed = world.call("secretsmanager:ListSecrets", json!({})).await.expect("a list");
    assert_eq!(listed["SecretList"], json!([]));
}

#[tokio::test]
async fn a_secret_without_a_value_has_none() {
    let world = World::new(SERVICES);
    world
        .check(
            "secretsmanager:CreateSecret",
            json!({"Name": "empty"}),
            expect![[r#"
        {
          "ARN": "arn:aws:secretsmanager:us-east-1:000000000000:secret:empty-P7YrgX",
          "Name": "empty"
        }"#]],
        )
        .await;
    world.check("secretsmanager:GetSecretValue", json!({"SecretId": "empty"}), expect!["ResourceNotFoundException: Secrets Manager can't find the specified secret value for staging label: AWSCURRENT"]).await;
    let input = json!({
        "SecretId": "empty", "SecretString": "first", "ClientRequestToken": token(1),
        "VersionStages": ["blue"],
    });
    // The first version is the current one, whatever is asked for.
    world
        .check(
            "secretsmanager:PutSecretValue",
            input,
            expect![[r#"
        {
          "ARN": "arn:aws:secretsmanager:us-east-1:000000000000:secret:empty-P7YrgX",
          "Name": "empty",
          "VersionId": "token-00000000000000000000000001",
          "VersionStages": [
            "AWSCURRENT",
            "blue"
          ]
        }"#]],
        )
        .await;
}

#[tokio::test]
async fn updates_change_what_they_name() {
    let world = World::new(SERVICES);
    create(&world, "s", "one").await;
    let input = json!({"SecretId": "s", "Description": "d"});
    world
        .check(
            "secretsmanager:UpdateSecret",
            input,
            expect![[r#"
        {
          "ARN": "arn:aws:secretsmanager:us-east-1:000000000000:secret:s-aKP7Yr",
          "Name": "s"
        }"#]],
        )
        .await;
    let input = json!({"SecretId": "s", "SecretString": "two", "ClientRequestToken": token(2)});
    world
        .check(
            "secretsmanager:UpdateSecret",
            input.clone(),
            expect![[r#"
        {
          "ARN": "arn:aws:secretsmanager:us-east-1:000000000000:secret:s-aKP7Yr",
          "Name": "s",
          "VersionId": "token-00000000000000000000000002"
        }"#]],
        )
        .await;
    world.check("secretsmanager:UpdateSecret", input, expect!["ResourceExistsException: You can't use ClientRequestToken token-00000000000000000000000002 because that value is already in use for a version of secret arn:aws:secretsmanager:us-east-1:000000000000:secret:s-aKP7Yr."]).await;
    assert_eq!(value_of(&world, "s", "AWSCURRENT").await, "two");
    assert_eq!(value_of(&world, "s", "AWSPREVIOUS").await, "one");
    let described = world.call("secretsmanager:DescribeSecret", json!({"SecretId": "s"})).await;
    assert_eq!(described.expect("described")["Description"], "d");
}

#[tokio::test]
async fn a_deleted_secret_can_be_restored_until_its_time() {
    let world = World::new(SERVICES);
    create(&world, "s", "one").await;
    for (input, expected) in [
        (
            json!({"SecretId": "s", "RecoveryWindowInDays": 6}),
            expect![
                "InvalidParameterException: The RecoveryWindowInDays value must be between 7 and 30 days (inclusive)."
            ],
        ),
        (
            json!({"SecretId": "s", "RecoveryWindowInDays": 7, "ForceDeleteWithoutRecovery": true}),
            expect![
                "InvalidParameterException: You can't use ForceDeleteWithoutRecovery in conjunction with RecoveryWindowInDays."
            ],
        ),
        (
            json!({"SecretId": "none"}),
            expect!["ResourceNotFoundException: Secrets Manager can't find the specified secret."],
        ),
        (
            json!({"SecretId": "s", "RecoveryWindowInDays": 7}),
            expect![[r#"
            {
              "ARN": "arn:aws:secretsmanager:us-east-1:000000000000:secret:s-aKP7Yr",
              "DeletionDate": 1767830400,
              "Name": "s"
            }"#]],
        ),
        (
            json!({"SecretId": "s"}),
            expect![
                "InvalidRequestException: You can't perform this operation on the secret because it was already scheduled for deletion."
            ],
        ),
    ] {
        world.check("secretsmanager:DeleteSecret", input, expected).await;
    }
    for (operation, input, expected) in [
        (
            "GetSecretValue",
            json!({"SecretId": "s"}),
            expect![
                "InvalidRequestException: You can't perform this operation on the secret because it was marked for deletion."
            ],
        ),
        (
            "CreateSecret",
            json!({"Name": "s"}),
            expect![
                "InvalidRequestException: You can't create this secret because a secret with this name is already scheduled for deletion."
            ],
        ),
        (
            "PutSecretValue",
            json!({"SecretId": "s", "SecretString": "x"}),
            expect![
                "InvalidRequestException: You can't perform this operation on the secret because it was marked for deletion."
            ],
        ),
        (
            "RestoreSecret",
            json!({"SecretId": "s"}),
            expect![[r#"
            {
              "ARN": "arn:aws:secretsmanager:us-east-1:000000000000:secret:s-aKP7Yr",
              "Name": "s"
            }"#]],
        ),
    ] {
        world.check(&format!("secretsmanager:{operation}"), input, expected).await;
    }
    assert_eq!(value_of(&world, "s", "AWSCURRENT").await, "one");
    let input = json!({"SecretId": "s", "RecoveryWindowInDays": 7});
    world.call("secretsmanager:DeleteSecret", input).await.expect("deleted");
    world.clock().advance(7 * DAY - 1);
    world.round(&crate::SERVICE, crate::tasks::DUE).await;
    assert_eq!(world.rows(&crate::SERVICE).len(), 4);
    world.clock().advance(1);
    world.round(&crate::SERVICE, crate::tasks::DUE).await;
    assert!(world.rows(&crate::SERVICE).is_empty());
    create(&world, "s", "anew").await;
}

#[tokio::test]
async fn a_forced_deletion_leaves_nothing_and_may_be_repeated() {
    let world = World::new(SERVICES);
    let first = create(&world, "s", "one").await;
    let force = json!({"SecretId": "s", "ForceDeleteWithoutRecovery": true});
    world
        .check(
            "secretsmanager:DeleteSecret",
            force.clone(),
            expect![[r#"
        {
          "ARN": "arn:aws:secretsmanager:us-east-1:000000000000:secret:s-aKP7Yr",
          "DeletionDate": 1767225600,
          "Name": "s"
        }"#]],
        )
        .await;
    world
        .check(
            "secretsmanager:DeleteSecret",
            force,
            expect![[r#"
        {
          "ARN": "arn:aws:secretsmanager:us-east-1:000000000000:secret:s",
          "DeletionDate": 1767225600,
          "Name": "s"
        }"#]],
        )
        .await;
    assert!(world.rows(&crate::SERVICE).is_empty());
    let second = create(&world, "s", "two").await;
    assert_ne!(first, second);
    let gone = value_of(&world, &first, "AWSCURRENT").await;
    assert_eq!(gone, "ResourceNotFoundException: Secrets Manager can't find the specified secret.");
}

#[tokio::test]
async fn tags_are_added_replaced_and_removed() {
    let world = World::new(SERVICES);
    create(&world, "s", "one").await;
    let tag = |key: &str, value: &str| json!({"Key": key, "Value": value});
    let input = json!({"SecretId": "s", "Tags": [tag("a", "1"), tag("b", "2"), tag("a", "3")]});
    world.check("secretsmanager:TagResource", input, expect!["{}"]).await;
    let input = json!({"SecretId": "s", "TagKeys": ["b", "nothing"]});
    world.check("secretsmanager:UntagResource", input, expect!["{}"]).await;
    let described = world.call("secretsmanager:DescribeSecret", json!({"SecretId": "s"})).await;
    assert_eq!(described.expect("described")["Tags"], json!([tag("a", "3")]));
    let many: Vec<_> = (0..50).map(|n| tag(&format!("t{n}"), "")).collect();
    let input = json!({"SecretId": "s", "Tags": many});
    world
        .check(
            "secretsmanager:TagResource",
            input,
            expect!["InvalidParameterException: A secret can have no more than 50 tags."],
        )
        .await;
}

#[tokio::test]
async fn passwords_are_made_as_asked() {
    let world = World::new(SERVICES);
    let made = world.call("secretsmanager:GetRandomPassword", json!({})).await.expect("one");
    assert_eq!(made["RandomPassword"].as_str().map(str::len), Some(32));
    let input = json!({"PasswordLength": 4096, "ExcludePunctuation": true, "IncludeSpace": true});
    let made = world.call("secretsmanager:GetRandomPassword", input).await.expect("one");
    let made = made["RandomPassword"].as_str().expect("a password");
    assert!(made.len() == 4096 && made.contains(' ') && !made.contains('!'));
    for (input, expected) in [
        (
            json!({"PasswordLength": 3}),
            expect![
                "InvalidParameterException: Password length is too short based on the required types."
            ],
        ),
        (
            json!({"PasswordLength": 4097}),
            expect![
                "ValidationException: 1 validation error detected: Value '4097' at 'passwordLength' failed to satisfy constraint: Member must have value less than or equal to 4096"
            ],
        ),
        (
            json!({"ExcludeCharacters": "0123456789"}),
            expect![
                "InvalidParameterException: All characters of the desired type have been excluded."
            ],
        ),
        (
            json!({
                "ExcludeNumbers": true, "ExcludePunctuation": true, "ExcludeUppercase": true,
                "ExcludeLowercase": true,
            }),
            expect!["InvalidParameterException: All characters have been excluded from selection."],
        ),
    ] {
        world.check("secretsmanager:GetRandomPassword", input, expected).await;
    }
}
