//! Resource policies.

use fogbank_core::{Principal, PrincipalKind};
use fogbank_testkit::{Value, World, expect, json};

use super::{SERVICES, create};

const OTHER: &str = "111122223333";

fn policy(statement: Value) -> String {
    json!({"Version": "2012-10-17", "Statement": [statement]}).to_string()
}

fn everybody() -> String {
    policy(json!({
        "Effect": "Allow", "Principal": "*", "Action": "secretsmanager:GetSecretValue",
        "Resource": "*",
    }))
}

#[tokio::test]
async fn a_policy_is_put_shown_and_removed() {
    let world = World::new(SERVICES);
    create(&world, "s", "one").await;
    let named = json!({"SecretId": "s"});
    world
        .check(
            "secretsmanager:GetResourcePolicy",
            named.clone(),
            expect![[r#"
        {
          "ARN": "arn:aws:secretsmanager:us-east-1:000000000000:secret:s-aKP7Yr",
          "Name": "s",
          "PolicyName": "default"
        }"#]],
        )
        .await;
    let put = |policy: &str| json!({"SecretId": "s", "ResourcePolicy": policy});
    let mut blocked = put(&everybody());
    blocked["BlockPublicPolicy"] = json!(true);
    for (input, expected) in [
        (
            put("nonsense"),
            expect!["MalformedPolicyDocumentException: This policy contains invalid Json"],
        ),
        (
            put(r#"{"Version": "2012-10-17", "Statement": [{"Effect": "Perhaps"}]}"#),
            expect!["MalformedPolicyDocumentException: Invalid effect: Perhaps"],
        ),
        (
            blocked,
            expect![
                "PublicPolicyException: You can't attach a resource-based policy that allows broad access to the secret."
            ],
        ),
        (
            put(&everybody()),
            expect![[r#"
            {
              "ARN": "arn:aws:secretsmanager:us-east-1:000000000000:secret:s-aKP7Yr",
              "Name": "s",
              "PolicyName": "default"
            }"#]],
        ),
    ] {
        world.check("secretsmanager:PutResourcePolicy", input, expected).await;
    }
    let got = world.call("secretsmanager:GetResourcePolicy", named.clone()).await.expect("shown");
    assert_eq!(got["ResourcePolicy"], everybody());
    world
        .check(
            "secretsmanager:ListResourcePolicies",
            named.clone(),
            expect![[r#"
        {
          "ResourcePolicies": [
            {
              "PolicyName": "default"
            }
          ]
        }"#]],
        )
        .await;
    world
        .check(
            "secretsmanager:DeleteResourcePolicy",
            named.clone(),
            expect![[r#"
        {
          "ARN": "arn:aws:secretsmanager:us-east-1:000000000000:secret:s-aKP7Yr",
          "Name": "s",
          "PolicyName": "default"
        }"#]],
        )
        .await;
    let got = world.call("secretsmanager:GetResourcePolicy", named).await.expect("shown");
    assert_eq!(got["ResourcePolicy"], json!(null));
}

#[tokio::test]
async fn validation_says_what_is_wrong() {
    let world = World::new(SERVICES);
    let deny = policy(json!({
        "Effect": "Deny", "Principal": "*", "Action": "secretsmanager:*", "Resource": "*",
    }));
    for (policy, expected) in [
        (
            "{".to_owned(),
            expect![[r#"
            {
              "PolicyValidationPassed": false,
              "ValidationErrors": [
                {
                  "CheckName": "SYNTAX_CHECK",
                  "ErrorMessage": "This resource policy contains a syntax error."
                }
              ]
            }"#]],
        ),
        (
            everybody(),
            expect![[r#"
            {
              "PolicyValidationPassed": false,
              "ValidationErrors": [
                {
                  "CheckName": "PUBLIC_POLICY_CHECK",
                  "ErrorMessage": "This resource policy grants broad access to your secret. Secrets Manager does not allow creating and applying such policies in the console."
                }
              ]
            }"#]],
        ),
        (
            deny,
            expect![[r#"
            {
              "PolicyValidationPassed": false,
              "ValidationErrors": [
                {
                  "CheckName": "LOCKOUT_CHECK",
                  "ErrorMessage": "Your requested changes will not allow you to manage this secret in the future."
                }
              ]
            }"#]],
        ),
        (
            policy(json!({
                "Effect": "Allow", "Principal": {"AWS": format!("arn:aws:iam::{OTHER}:root")},
                "Action": "secretsmanager:GetSecretValue", "Resource": "*",
            })),
            expect![[r#"
                {
                  "PolicyValidationPassed": true,
                  "ValidationErrors": []
                }"#]],
        ),
    ] {
        let input = json!({"ResourcePolicy": policy});
        world.check("secretsmanager:ValidateResourcePolicy", input, expected).await;
    }
}

#[tokio::test]
async fn a_policy_lets_another_account_in() {
    let world = World::new(SERVICES);
    let arn = create(&world, "s", "one").await;
    let read = json!({"SecretId": arn});
    let other = Principal::root(OTHER);
    let refused = world.call_as(other.clone(), "secretsmanager:DescribeSecret", read.clone()).await;
    expect!["AccessDenied: User: arn:aws:iam::111122223333:root is not authorized to perform: secretsmanager:DescribeSecret on resource: arn:aws:secretsmanager:us-east-1:000000000000:secret:s-aKP7Yr because no resource-based policy allows the secretsmanager:DescribeSecret action"].assert_eq(&refused.expect_err("refused").to_string());
    let allow = policy(json!({
        "Effect": "Allow", "Principal": {"AWS": format!("arn:aws:iam::{OTHER}:root")},
        "Action": ["secretsmanager:DescribeSecret", "secretsmanager:GetSecretValue"],
        "Resource": "*",
    }));
    let put = json!({"SecretId": "s", "ResourcePolicy": allow});
    world.call("secretsmanager:PutResourcePolicy", put).await.expect("attached");
    let shown = world.call_as(other.clone(), "secretsmanager:DescribeSecret", read.clone()).await;
    assert_eq!(shown.expect("described")["Name"], "s");
    // The default key is of use to its own account only.
    let refused = world.call_as(other.clone(), "secretsmanager:GetSecretValue", read).await;
    expect!["InvalidRequestException: You can't access a secret from a different AWS account if you encrypt the secret with the default KMS service key."].assert_eq(&refused.expect_err("refused").to_string());
    // A name is looked for in the caller's own account.
    let named =
        world.call_as(other, "secretsmanager:DescribeSecret", json!({"SecretId": "s"})).await;
    expect!["ResourceNotFoundException: Secrets Manager can't find the specified secret."]
        .assert_eq(&named.expect_err("refused").to_string());
}

#[tokio::test]
async fn a_policy_can_let_a_user_in_who_has_no_other() {
    let world = World::new(SERVICES);
    create(&world, "s", "one").await;
    let arn = "arn:aws:iam::000000000000:user/ada".to_owned();
    let kind = PrincipalKind::User { name: "ada".to_owned() };
    let ada = Principal { kind, arn: arn.clone(), ..Principal::root("000000000000") };
    let allow = policy(json!({
        "Effect": "Allow", "Principal": {"AWS": arn}, "Action": "secretsmanager:GetSecretValue",
        "Resource": "*", "Condition": {"StringEquals": {"secretsmanager:VersionStage": "AWSCURRENT"}},
    }));
    let put = json!({"SecretId": "s", "ResourcePolicy": allow});
    world.call("secretsmanager:PutResourcePolicy", put).await.expect("attached");
    let get = |stage: Value| json!({"SecretId": "s", "VersionStage": stage});
    let operation = "secretsmanager:GetSecretValue";
    let got = world.call_as(ada.clone(), operation, get(json!(null))).await.expect("a value");
    assert_eq!(got["SecretString"], "one");
    let refused = world.call_as(ada, operation, get(json!("AWSPREVIOUS"))).await;
    expect!["AccessDenied: User: arn:aws:iam::000000000000:user/ada is not authorized to perform: secretsmanager:GetSecretValue on resource: arn:aws:secretsmanager:us-east-1:000000000000:secret:s-aKP7Yr because no identity-based policy allows the secretsmanager:GetSecretValue action"].assert_eq(&refused.expect_err("refused").to_string());
}
