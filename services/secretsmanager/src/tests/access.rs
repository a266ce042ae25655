//! What a call must be allowed to do.

use fogbank_core::{Principal, PrincipalKind, Service};
use fogbank_testkit::{ACCOUNT, Value, World, expect, json};

use super::create;

static SERVICES: &[&Service] = &[&crate::SERVICE, &fogbank_iam::SERVICE, &fogbank_kms::SERVICE];

/// A user with one policy statement.
async fn user(world: &World, statement: Value) -> Principal {
    let name = json!({"UserName": "ada"});
    let _ = world.call("iam:CreateUser", name.clone()).await;
    let document = json!({"Version": "2012-10-17", "Statement": statement}).to_string();
    let input = json!({"UserName": "ada", "PolicyName": "p", "PolicyDocument": document});
    world.call("iam:PutUserPolicy", input).await.expect("a policy");
    let user = world.call("iam:GetUser", name).await.expect("a user")["User"].clone();
    let text = |member: &str| user[member].as_str().expect("text").to_owned();
    Principal {
        kind: PrincipalKind::User { name: "ada".to_owned() },
        arn: text("Arn"),
        id: text("UserId"),
        ..Principal::root(ACCOUNT)
    }
}

async fn outcome(world: &World, who: &Principal, operation: &str, input: Value) -> String {
    let action = format!("secretsmanager:{operation}");
    match world.call_as(who.clone(), &action, input).await {
        Ok(_) => "allowed".to_owned(),
        Err(fault) => fault.to_string(),
    }
}

#[tokio::test]
async fn secrets_are_authorised_by_their_whole_arn() {
    let world = World::new(SERVICES);
    create(&world, "app/db", "one").await;
    create(&world, "other", "one").await;
    let ada = user(
        &world,
        json!({
            "Effect": "Allow", "Action": "secretsmanager:*",
            "Resource": "arn:aws:secretsmanager:us-east-1:000000000000:secret:app/*-??????",
        }),
    )
    .await;
    let named = |name: &str| json!({"SecretId": name});
    assert_eq!(outcome(&world, &ada, "GetSecretValue", named("app/db")).await, "allowed");
    expect!["AccessDenied: User: arn:aws:iam::000000000000:user/ada is not authorized to perform: secretsmanager:GetSecretValue on resource: arn:aws:secretsmanager:us-east-1:000000000000:secret:other-DnLbJx because no identity-based policy allows the secretsmanager:GetSecretValue action"].assert_eq(&outcome(&world, &ada, "GetSecretValue", named("other")).await);
    // Whether there is such a secret is not told.
    expect!["AccessDenied: User: arn:aws:iam::000000000000:user/ada is not authorized to perform: secretsmanager:GetSecretValue on resource: app/none because no identity-based policy allows the secretsmanager:GetSecretValue action"].assert_eq(&outcome(&world, &ada, "GetSecretValue", named("app/none")).await);
    expect!["AccessDenied: User: arn:aws:iam::000000000000:user/ada is not authorized to perform: secretsmanager:ListSecrets because no identity-based policy allows the secretsmanager:ListSecrets action"].assert_eq(&outcome(&world, &ada, "ListSecrets", json!({})).await);
}

#[tokio::test]
async fn conditions_see_tags_labels_and_what_is_asked_for() {
    let world = World::new(SERVICES);
    create(&world, "s", "one").await;
    let tags = json!([{"Key": "team", "Value": "blue"}]);
    let tag = json!({"SecretId": "s", "Tags": tags});
    world.call("secretsmanager:TagResource", tag).await.expect("tagged");
    let named = json!({"SecretId": "s"});
    for (condition, operation, input, is_allowed) in [
        (json!({"aws:ResourceTag/team": "blue"}), "DescribeSecret", named.clone(), true),
        (json!({"aws:ResourceTag/team": "red"}), "DescribeSecret", named.clone(), false),
        (json!({"secretsmanager:ResourceTag/team": "blue"}), "GetSecretValue", named.clone(), true),
        (
            json!({"secretsmanager:VersionStage": "AWSPENDING"}),
            "GetSecretValue",
            named.clone(),
            false,
        ),
        (json!({"secretsmanager:RecoveryWindowInDays": "7"}), "DeleteSecret", named.clone(), false),
        (
            json!({"secretsmanager:ForceDeleteWithoutRecovery": "true"}),
            "DeleteSecret",
            json!({"SecretId": "s", "RecoveryWindowInDays": 7}),
            false,
        ),
        (json!({"secretsmanager:Name": "new"}), "CreateSecret", json!({"Name": "new"}), true),
        (
            json!({"aws:RequestTag/team": "red"}),
            "CreateSecret",
            json!({"Name": "n2", "Tags": tags}),
            false,
        ),
        (
            json!({"secretsmanager:BlockPublicPolicy": "true"}),
            "PutResourcePolicy",
            json!({"SecretId": "s", "ResourcePolicy": "{}"}),
            false,
        ),
    ] {
        let statement = json!({
            "Effect": "Allow", "Action": "secretsmanager:*", "Resource": "*",
            "Condition": {"StringEquals": condition},
        });
        let ada = user(&world, statement).await;
        let outcome = outcome(&world, &ada, operation, input).await;
        assert_eq!(outcome == "allowed", is_allowed, "{condition} {operation}: {outcome}");
    }
}

#[tokio::test]
async fn a_batch_asks_for_each_of_its_secrets() {
    let world = World::new(SERVICES);
    create(&world, "mine", "one").await;
    create(&world, "other", "two").await;
    let ada = user(
        &world,
        json!([
            {"Effect": "Allow", "Action": "secretsmanager:BatchGetSecretValue", "Resource": "*"},
            {
                "Effect": "Allow", "Action": "secretsmanager:GetSecretValue",
                "Resource": "arn:aws:secretsmanager:*:*:secret:mine-*",
            },
        ]),
    )
    .await;
    let input = json!({"SecretIdList": ["mine", "other"]});
    let got = world.call_as(ada.clone(), "secretsmanager:BatchGetSecretValue", input).await;
    let got = got.expect("an answer");
    assert_eq!(got["SecretValues"][0]["SecretString"], "one");
    assert_eq!(got["SecretValues"][1], json!(null));
    expect![[r#"
        [
          {
            "ErrorCode": "AccessDeniedException",
            "Message": "User: arn:aws:iam::000000000000:user/ada is not authorized to perform: secretsmanager:GetSecretValue on resource: arn:aws:secretsmanager:us-east-1:000000000000:secret:other-DnLbJx because no identity-based policy allows the secretsmanager:GetSecretValue action",
            "SecretId": "other"
          }
        ]"#]].assert_eq(&serde_json::to_string_pretty(&got["Errors"]).expect("JSON"));
    let by_filter = json!({"Filters": [{"Key": "name", "Values": ["mine"]}]});
    expect!["AccessDenied: User: arn:aws:iam::000000000000:user/ada is not authorized to perform: secretsmanager:ListSecrets because no identity-based policy allows the secretsmanager:ListSecrets action"].assert_eq(&outcome(&world, &ada, "BatchGetSecretValue", by_filter).await);
}
