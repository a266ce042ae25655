//! `ListSecrets` and `BatchGetSecretValue`.

use fogbank_testkit::{Value, World, expect, json};

use super::{SERVICES, create};

async fn names(world: &World, input: Value) -> Vec<String> {
    let mut names = Vec::new();
    let mut token = json!(null);
    loop {
        let mut input = input.clone();
        input["NextToken"] = token;
        let page = world.call("secretsmanager:ListSecrets", input).await.expect("a page");
        let secrets = page["SecretList"].as_array().expect("a list").clone();
        names.extend(secrets.iter().map(|it| it["Name"].as_str().expect("a name").to_owned()));
        token = page["NextToken"].clone();
        if token.is_null() {
            return names;
        }
    }
}

/// Secrets `a` to `e`, each a second younger than the one before.
async fn five(world: &World) {
    for name in ["a", "b", "c", "d", "e"] {
        create(world, name, &format!("value of {name}")).await;
        world.clock().advance(1000);
    }
}

#[tokio::test]
async fn secrets_are_sorted_filtered_and_paged() {
    let world = World::new(SERVICES);
    five(&world).await;
    world.call("secretsmanager:DeleteSecret", json!({"SecretId": "b"})).await.expect("deleted");
    let update = json!({"SecretId": "a", "Description": "The First"});
    world.call("secretsmanager:UpdateSecret", update).await.expect("updated");
    let filter = |key: &str, values: &[&str]| json!([{"Key": key, "Values": values}]);
    for (input, expected) in [
        (json!({}), "e d c a"),
        (json!({"MaxResults": 1}), "e d c a"),
        (json!({"MaxResults": 3, "SortOrder": "asc"}), "a c d e"),
        (json!({"MaxResults": 4}), "e d c a"),
        (json!({"SortBy": "name", "SortOrder": "asc", "MaxResults": 2}), "a c d e"),
        (json!({"SortBy": "last-changed-date"}), "a e d c"),
        (json!({"IncludePlannedDeletion": true}), "e d c b a"),
        (json!({"Filters": filter("name", &["!c", "!d"])}), "e a"),
        (json!({"Filters": filter("description", &["the f"])}), "a"),
        (json!({"Filters": filter("all", &["FIRST"])}), "a"),
    ] {
        let text = input.to_string();
        assert_eq!(names(&world, input).await.join(" "), expected, "{text}");
    }
    let refused = json!({"NextToken": "zz"});
    world
        .check(
            "secretsmanager:ListSecrets",
            refused,
            expect!["InvalidNextTokenException: The NextToken value is invalid."],
        )
        .await;
    let refused = json!({"Filters": filter("color", &["x"])});
    world.check("secretsmanager:ListSecrets", refused, expect!["ValidationException: 1 validation error detected: Value 'color' at 'filters.1.member.key' failed to satisfy constraint: Member must satisfy enum value set: [description, name, tag-key, tag-value, primary-region, owning-service, all]"]).await;
}

#[tokio::test]
async fn a_list_shows_what_a_description_shows() {
    let world = World::new(SERVICES);
    create(&world, "s", "x").await;
    world
        .check(
            "secretsmanager:ListSecrets",
            json!({}),
            expect![[r#"
        {
          "SecretList": [
            {
              "ARN": "arn:aws:secretsmanager:us-east-1:000000000000:secret:s-aKP7Yr",
              "CreatedDate": 1767225600,
              "LastChangedDate": 1767225600,
              "Name": "s",
              "SecretVersionsToStages": {
                "token-00000000000000000000000001": [
                  "AWSCURRENT"
                ]
              }
            }
          ]
        }"#]],
        )
        .await;
}

#[tokio::test]
async fn a_batch_tells_of_what_it_could_not_read() {
    let world = World::new(SERVICES);
    five(&world).await;
    world.call("secretsmanager:DeleteSecret", json!({"SecretId": "b"})).await.expect("deleted");
    let input = json!({"SecretIdList": ["a", "b", "none"]});
    world.check("secretsmanager:BatchGetSecretValue", input, expect![[r#"
        {
          "Errors": [
            {
              "ErrorCode": "InvalidRequestException",
              "Message": "You can't perform this operation on the secret because it was marked for deletion.",
              "SecretId": "b"
            },
            {
              "ErrorCode": "ResourceNotFoundException",
              "Message": "Secrets Manager can't find the specified secret.",
              "SecretId": "none"
            }
          ],
          "SecretValues": [
            {
              "ARN": "arn:aws:secretsmanager:us-east-1:000000000000:secret:a-aKP7Yr",
              "CreatedDate": 1767225600,
              "Name": "a",
              "SecretString": "value of a",
              "VersionId": "token-00000000000000000000000001",
              "VersionStages": [
                "AWSCURRENT"
              ]
            }
          ]
        }"#]]).await;
    let filters = json!([{"Key": "name", "Values": ["!a"]}]);
    let input = json!({"Filters": filters, "MaxResults": 2});
    let page = world.call("secretsmanager:BatchGetSecretValue", input).await.expect("a page");
    let values = page["SecretValues"].as_array().expect("values").iter();
    let values: Vec<_> = values.map(|value| value["SecretString"].clone()).collect();
    assert_eq!(values, ["value of e", "value of d"]);
    let input = json!({"Filters": filters, "MaxResults": 2, "NextToken": page["NextToken"]});
    let page = world.call("secretsmanager:BatchGetSecretValue", input).await.expect("a page");
    assert_eq!(page["SecretValues"][0]["Name"], "c");
    assert_eq!(page["NextToken"], json!(null));
    for (input, expected) in [
        (
            json!({}),
            expect![
                "InvalidParameterException: Either 'SecretIdList' or 'Filters' must be provided."
            ],
        ),
        (
            json!({"SecretIdList": ["a"], "Filters": filters}),
            expect![
                "InvalidParameterException: Either 'SecretIdList' or 'Filters' must be provided, but not both."
            ],
        ),
        (
            json!({"SecretIdList": ["a"], "MaxResults": 1}),
            expect!["InvalidParameterException: 'Filters' must be specified with 'MaxResults'."],
        ),
    ] {
        world.check("secretsmanager:BatchGetSecretValue", input, expected).await;
    }
}
