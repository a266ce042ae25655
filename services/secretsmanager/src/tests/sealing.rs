//! Values lie sealed, and only who may use their key reads them.

use fogbank_core::{Principal, Service};
use fogbank_testkit::{ACCOUNT, Value, World, expect, json};

use super::{create, token, value_of};

static SERVICES: &[&Service] = &[&crate::SERVICE, &fogbank_iam::SERVICE, &fogbank_kms::SERVICE];

const TEXT: &str = "correct horse battery staple";

/// Whether the text stands anywhere in the rows.
fn lies_open(world: &World) -> bool {
    let holds = |bytes: &[u8]| bytes.windows(TEXT.len()).any(|part| part == TEXT.as_bytes());
    world.rows(&crate::SERVICE).values().any(|row| holds(row))
}

async fn key(world: &World) -> String {
    let made = world.call("kms:CreateKey", json!({})).await.expect("a key");
    made["KeyMetadata"]["Arn"].as_str().expect("an ARN").to_owned()
}

#[tokio::test]
async fn no_value_lies_open() {
    let world = World::new(SERVICES);
    let input = json!({
        "Name": "s", "SecretString": TEXT, "ClientRequestToken": token(1),
        "AddReplicaRegions": [{"Region": "eu-west-1"}],
    });
    world.call("secretsmanager:CreateSecret", input).await.expect("created");
    let put = json!({"SecretId": "s", "SecretString": TEXT, "ClientRequestToken": token(2)});
    world.call("secretsmanager:PutSecretValue", put).await.expect("written");
    assert!(!lies_open(&world));
    assert_eq!(value_of(&world, "s", "AWSPREVIOUS").await, TEXT);
    let described =
        world.call("kms:DescribeKey", json!({"KeyId": "alias/aws/secretsmanager"})).await;
    assert_eq!(described.expect("the default key")["KeyMetadata"]["KeyManager"], "AWS");
}

#[tokio::test]
async fn another_key_seals_what_rotation_knows_again() {
    let world = World::new(SERVICES);
    create(&world, "s", TEXT).await;
    let update = json!({"SecretId": "s", "KmsKeyId": key(&world).await});
    world.call("secretsmanager:UpdateSecret", update).await.expect("updated");
    assert_eq!(value_of(&world, "s", "AWSCURRENT").await, TEXT);
    let listed = world.call("secretsmanager:ListSecretVersionIds", json!({"SecretId": "s"})).await;
    let listed = listed.expect("a list");
    let shown = listed["Versions"][0]["KmsKeyIds"][0].as_str().expect("a key");
    assert!(shown.starts_with("arn:aws:kms:"), "{shown}");
}

#[tokio::test]
async fn a_key_that_is_out_of_use_opens_nothing() {
    let world = World::new(SERVICES);
    let key = key(&world).await;
    let input = json!({"Name": "s", "SecretString": TEXT, "KmsKeyId": key});
    world.call("secretsmanager:CreateSecret", input).await.expect("created");
    world.call("kms:DisableKey", json!({"KeyId": key})).await.expect("disabled");
    let get = json!({"SecretId": "s"});
    world.check("secretsmanager:GetSecretValue", get, expect!["DecryptionFailure: Secrets Manager can't decrypt the protected secret text using the provided KMS key."]).await;
    let put = json!({"SecretId": "s", "SecretString": "x"});
    world.check("secretsmanager:PutSecretValue", put, expect!["EncryptionFailure: Secrets Manager can't encrypt the protected secret text using the provided KMS key. Check that the KMS key is available, enabled, and not in an invalid state. For more information, see Key state: Effect on your KMS key."]).await;
    let input = json!({"Name": "n", "SecretString": TEXT, "KmsKeyId": "alias/none"});
    world.check("secretsmanager:CreateSecret", input, expect!["EncryptionFailure: Secrets Manager can't encrypt the protected secret text using the provided KMS key. Check that the KMS key is available, enabled, and not in an invalid state. For more information, see Key state: Effect on your KMS key."]).await;
}

#[tokio::test]
async fn a_caller_needs_the_key_too() {
    let world = World::new(SERVICES);
    let key = key(&world).await;
    let input = json!({"Name": "s", "SecretString": TEXT, "KmsKeyId": key});
    world.call("secretsmanager:CreateSecret", input).await.expect("created");
    let allow = |actions: Value| json!({"Effect": "Allow", "Action": actions, "Resource": "*"});
    let get = json!({"SecretId": "s"});
    let ada = user(&world, allow(json!("secretsmanager:*"))).await;
    let refused = world.call_as(ada.clone(), "secretsmanager:GetSecretValue", get.clone()).await;
    expect!["AccessDeniedException: Access to KMS is not allowed"]
        .assert_eq(&refused.expect_err("refused").to_string());
    for (via, is_allowed) in [("secretsmanager", true), ("ssm", false)] {
        let mut decrypt = allow(json!("kms:Decrypt"));
        let service = format!("{via}.us-east-1.amazonaws.com");
        decrypt["Condition"] = json!({"StringEquals": {
            "kms:ViaService": service, "kms:EncryptionContext:SecretVersionId": version(&world).await,
        }});
        user(&world, json!([allow(json!("secretsmanager:*")), decrypt])).await;
        let got = world.call_as(ada.clone(), "secretsmanager:GetSecretValue", get.clone()).await;
        assert_eq!(got.is_ok(), is_allowed, "{via}");
    }
}

/// The id of the secret's only version.
async fn version(world: &World) -> String {
    let described = world.call("secretsmanager:DescribeSecret", json!({"SecretId": "s"})).await;
    let described = described.expect("described");
    let stages = described["VersionIdsToStages"].as_object().expect("stages");
    stages.keys().next().expect("a version").clone()
}

/// A user with these policy statements.
async fn user(world: &World, statements: Value) -> Principal {
    let name = json!({"UserName": "ada"});
    let _ = world.call("iam:CreateUser", name.clone()).await;
    let document = json!({"Version": "2012-10-17", "Statement": statements}).to_string();
    let input = json!({"UserName": "ada", "PolicyName": "p", "PolicyDocument": document});
    world.call("iam:PutUserPolicy", input).await.expect("a policy");
    let user = world.call("iam:GetUser", name).await.expect("a user")["User"].clone();
    let text = |member: &str| user[member].as_str().expect("text").to_owned();
    Principal {
        kind: fogbank_core::PrincipalKind::User { name: "ada".to_owned() },
        arn: text("Arn"),
        id: text("UserId"),
        ..Principal::root(ACCOUNT)
    }
}
