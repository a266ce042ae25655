//! Replicas in other accounts.

use std::time::Duration;

use fogbank_core::Principal;
use fogbank_testkit::{World, json};
use serde_json::Value;

use super::{SERVICES, create, token, value_of};

const THEIRS: &str = "222222222222";

/// Calls an operation as the root of the replica's account; what it answers, or its refusal.
async fn theirs(world: &World, operation: &str, input: Value) -> Value {
    let who = Principal::root(THEIRS);
    let outcome = world.call_as(who, operation, input).await;
    outcome.unwrap_or_else(|fault| json!(fault.to_string()))
}

async fn ours(world: &World, operation: &str, input: Value) -> Value {
    let outcome = world.call(&format!("secretsmanager:{operation}"), input).await;
    outcome.unwrap_or_else(|fault| json!(fault.to_string()))
}

/// A key of the replica's account that the primary's may use for `action`.
async fn key(world: &World, action: &str) -> String {
    let statement = |account: &str, action: &str| {
        json!({
            "Effect": "Allow", "Principal": { "AWS": format!("arn:aws:iam::{account}:root") },
            "Action": action, "Resource": "*",
        })
    };
    let statements = [statement(THEIRS, "kms:*"), statement(fogbank_testkit::ACCOUNT, action)];
    let policy = json!({ "Version": "2012-10-17", "Statement": statements }).to_string();
    let made = theirs(world, "kms:CreateKey", json!({ "Policy": policy })).await;
    made["KeyMetadata"]["Arn"].as_str().expect("a key").to_owned()
}

/// A replica for a primary, sealed by a key.
async fn replica(world: &World, name: &str, primary: &str, key: &str) -> Value {
    let input = json!({ "Name": name, "CrossAccountPrimaryARN": primary, "KmsKeyId": key });
    theirs(world, "secretsmanager:CreateSecret", input).await
}

fn associated(replica: &Value) -> Value {
    json!({
        "SecretId": "s", "CrossAccountReplicaARN": replica["ARN"],
        "ReplicaRestriction": "NoRestriction",
    })
}

async fn theirs_is(world: &World, status: &str) -> Value {
    for _ in 0..1000 {
        let shown =
            theirs(world, "secretsmanager:DescribeSecret", json!({ "SecretId": "t" })).await;
        if shown["CrossAccountPrimary"]["ReplicationStatus"] == status {
            return shown;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    panic!("it does not become {status}");
}

async fn their_value(world: &World) -> Value {
    let input = json!({ "SecretId": "t" });
    theirs(world, "secretsmanager:GetSecretValue", input).await["SecretString"].clone()
}

#[tokio::test]
async fn a_replica_in_another_account_follows() {
    let world = World::new(SERVICES);
    let _background = world.background();
    let primary = create(&world, "s", "one").await;
    let key = key(&world, "kms:Encrypt").await;
    let made = replica(&world, "t", &primary, &key).await;
    theirs_is(&world, "Pending").await;
    let begun = ours(&world, "AssociateCrossAccountReplica", associated(&made)).await;
    assert_eq!(begun["ReplicationStatus"], "InProgress", "{begun}");
    let shown = theirs_is(&world, "InSync").await;
    assert_eq!(shown["CrossAccountPrimary"]["PrimarySecretARN"], primary.as_str());
    assert_eq!(their_value(&world).await, "one");
    let shown = ours(&world, "DescribeSecret", json!({ "SecretId": "s" })).await;
    assert_eq!(shown["CrossAccountReplicas"][0]["ReplicaSecretARN"], made["ARN"]);
    // Each change follows, and its labels with it.
    let input = json!({ "SecretId": "s", "SecretString": "two", "ClientRequestToken": token(2) });
    ours(&world, "PutSecretValue", input).await;
    theirs_is(&world, "InSync").await;
    assert_eq!(their_value(&world).await, "two");
    let input = json!({ "SecretId": "t", "SecretString": "mine" });
    let refusal = theirs(&world, "secretsmanager:PutSecretValue", input.clone()).await;
    assert!(
        refusal.as_str().is_some_and(|it| it.starts_with("InvalidRequestException: ")),
        "{refusal}"
    );
    for (who, name) in [(fogbank_testkit::ACCOUNT, "s"), (THEIRS, "t")] {
        let delete = json!({ "SecretId": name });
        let refused =
            world.call_as(Principal::root(who), "secretsmanager:DeleteSecret", delete).await;
        assert_eq!(refused.expect_err("it is linked").name(), "InvalidRequestException");
    }
    // Detached, it follows no longer, and becomes a secret of its own once it is stopped.
    let end = json!({ "SecretId": "s", "CrossAccountReplicaARN": made["ARN"] });
    ours(&world, "DisassociateCrossAccountReplica", end).await;
    theirs_is(&world, "Detached").await;
    let input = json!({ "SecretId": "s", "SecretString": "three", "ClientRequestToken": token(3) });
    ours(&world, "PutSecretValue", input).await;
    assert_eq!(value_of(&world, "s", "AWSCURRENT").await, "three");
    assert_eq!(their_value(&world).await, "two");
    theirs(&world, "secretsmanager:StopReplicationToReplica", json!({ "SecretId": "t" })).await;
    theirs(&world, "secretsmanager:PutSecretValue", input_of("mine")).await;
    assert_eq!(their_value(&world).await, "mine");
}

fn input_of(value: &str) -> Value {
    json!({ "SecretId": "t", "SecretString": value })
}

#[tokio::test]
async fn a_replica_is_only_what_both_accounts_want() {
    let world = World::new(SERVICES);
    let primary = create(&world, "s", "one").await;
    create(&world, "other", "x").await;
    let forbidden = key(&world, "kms:DescribeKey").await;
    let is =
        |refusal: &Value, name: &str| refusal.as_str().is_some_and(|text| text.starts_with(name));
    for (more, name) in [
        (json!({ "KmsKeyId": null }), "InvalidParameterException"),
        (json!({ "SecretString": "x" }), "InvalidParameterException"),
        (
            json!({ "CrossAccountPrimaryARN": primary.replace("us-east-1", "eu-west-1") }),
            "InvalidParameterException",
        ),
        (
            json!({ "CrossAccountPrimaryARN": primary.replace(fogbank_testkit::ACCOUNT, THEIRS) }),
            "InvalidParameterException",
        ),
    ] {
        let mut input =
            json!({ "Name": "t", "CrossAccountPrimaryARN": primary, "KmsKeyId": forbidden });
        for (member, value) in more.as_object().expect("members") {
            input[member] = value.clone();
        }
        let refusal = theirs(&world, "secretsmanager:CreateSecret", input).await;
        assert!(is(&refusal, name), "{more}: {refusal}");
    }
    // No replica waits for it.
    let plain = json!({ "Name": "plain", "SecretString": "x" });
    let plain = theirs(&world, "secretsmanager:CreateSecret", plain).await;
    let refusal = ours(&world, "AssociateCrossAccountReplica", associated(&plain)).await;
    assert!(is(&refusal, "AccessDenied"), "{refusal}");
    // The replica's key is not for the primary's account.
    let made = replica(&world, "t", &primary, &forbidden).await;
    let refusal = ours(&world, "AssociateCrossAccountReplica", associated(&made)).await;
    assert!(is(&refusal, "AccessDeniedException: Access to KMS is not allowed"), "{refusal}");
    theirs_is(&world, "Pending").await;
    // It waits for another secret.
    let mut input = associated(&made);
    input["SecretId"] = json!("other");
    let refusal = ours(&world, "AssociateCrossAccountReplica", input).await;
    assert!(is(&refusal, "InvalidRequestException"), "{refusal}");
    // Somebody else's account may not.
    let stranger = Principal::root("333333333333");
    let input = associated(&made);
    let refused =
        world.call_as(stranger, "secretsmanager:AssociateCrossAccountReplica", input).await;
    assert_eq!(refused.expect_err("a stranger").name(), "AccessDenied");
    let listed =
        theirs(&world, "secretsmanager:ListResourcePolicies", json!({ "SecretId": "t" })).await;
    assert_eq!(
        listed["ResourcePolicies"][0]["PolicyName"], "cross-account-replication",
        "{listed}"
    );
}
