//! Replicas in other regions.

use fogbank_core::{Call, Principal};
use fogbank_testkit::{ACCOUNT, Value, World, expect, json};

use super::{SERVICES, create, token};

/// Calls an operation in a region.
async fn call_in(world: &World, region: &str, operation: &str, input: Value) -> Value {
    let call = Call {
        action: format!("secretsmanager:{operation}"),
        principal: Principal::root(ACCOUNT),
        region: region.to_owned(),
        account: ACCOUNT.to_owned(),
        input,
        body: fogbank_core::Body::empty(),
        source: None,
        via: None,
        called_via: Vec::new(),
    };
    match world.cloud().call(call).await {
        Ok(reply) => reply.output,
        Err(fault) => json!(fault.to_string()),
    }
}

fn named() -> Value {
    json!({"SecretId": "s"})
}

#[tokio::test]
async fn a_replica_follows_its_primary() {
    let world = World::new(SERVICES);
    let input = json!({
        "Name": "s", "SecretString": "one", "ClientRequestToken": token(1),
        "AddReplicaRegions": [{"Region": "eu-west-1"}],
    });
    world
        .check(
            "secretsmanager:CreateSecret",
            input,
            expect![[r#"
        {
          "ARN": "arn:aws:secretsmanager:us-east-1:000000000000:secret:s-aKP7Yr",
          "Name": "s",
          "ReplicationStatus": [
            {
              "KmsKeyId": "alias/aws/secretsmanager",
              "Region": "eu-west-1",
              "Status": "InProgress"
            }
          ],
          "VersionId": "token-00000000000000000000000001"
        }"#]],
        )
        .await;
    let read = async |stage: &str| {
        let input = json!({"SecretId": "s", "VersionStage": stage});
        call_in(&world, "eu-west-1", "GetSecretValue", input).await["SecretString"].clone()
    };
    assert_eq!(read("AWSCURRENT").await, "one");
    let put = json!({"SecretId": "s", "SecretString": "two", "ClientRequestToken": token(2)});
    world.call("secretsmanager:PutSecretValue", put).await.expect("written");
    assert_eq!((read("AWSCURRENT").await, read("AWSPREVIOUS").await), (json!("two"), json!("one")));
    let update = json!({
        "SecretId": "s", "VersionStage": "AWSCURRENT", "RemoveFromVersionId": token(2),
        "MoveToVersionId": token(1),
    });
    world.call("secretsmanager:UpdateSecretVersionStage", update).await.expect("moved");
    assert_eq!(read("AWSCURRENT").await, "one");
    let tag = json!({"SecretId": "s", "Tags": [{"Key": "a", "Value": "b"}]});
    world.call("secretsmanager:TagResource", tag).await.expect("tagged");
    let text = call_in(&world, "eu-west-1", "DescribeSecret", named()).await;
    expect![[r#"
        {
          "ARN": "arn:aws:secretsmanager:eu-west-1:000000000000:secret:s-aKP7Yr",
          "CreatedDate": 1767225600,
          "LastAccessedDate": 1767225600,
          "LastChangedDate": 1767225600,
          "Name": "s",
          "PrimaryRegion": "us-east-1",
          "Tags": [
            {
              "Key": "a",
              "Value": "b"
            }
          ],
          "VersionIdsToStages": {
            "token-00000000000000000000000001": [
              "AWSCURRENT"
            ],
            "token-00000000000000000000000002": [
              "AWSPREVIOUS"
            ]
          }
        }"#]]
    .assert_eq(&serde_json::to_string_pretty(&text).expect("JSON"));
    world
        .check(
            "secretsmanager:DescribeSecret",
            named(),
            expect![[r#"
        {
          "ARN": "arn:aws:secretsmanager:us-east-1:000000000000:secret:s-aKP7Yr",
          "CreatedDate": 1767225600,
          "LastChangedDate": 1767225600,
          "Name": "s",
          "PrimaryRegion": "us-east-1",
          "ReplicationStatus": [
            {
              "KmsKeyId": "alias/aws/secretsmanager",
              "LastAccessedDate": 1767225600,
              "Region": "eu-west-1",
              "Status": "InSync",
              "StatusMessage": "Replication succeeded"
            }
          ],
          "Tags": [
            {
              "Key": "a",
              "Value": "b"
            }
          ],
          "VersionIdsToStages": {
            "token-00000000000000000000000001": [
              "AWSCURRENT"
            ],
            "token-00000000000000000000000002": [
              "AWSPREVIOUS"
            ]
          }
        }"#]],
        )
        .await;
}

#[tokio::test]
async fn replicas_are_changed_through_their_primary() {
    let world = World::new(SERVICES);
    create(&world, "s", "one").await;
    let add = json!({"SecretId": "s", "AddReplicaRegions": [{"Region": "eu-west-1"}]});
    world
        .check(
            "secretsmanager:ReplicateSecretToRegions",
            add.clone(),
            expect![[r#"
        {
          "ARN": "arn:aws:secretsmanager:us-east-1:000000000000:secret:s-aKP7Yr",
          "ReplicationStatus": [
            {
              "KmsKeyId": "alias/aws/secretsmanager",
              "Region": "eu-west-1",
              "Status": "InProgress"
            }
          ]
        }"#]],
        )
        .await;
    world
        .check(
            "secretsmanager:ReplicateSecretToRegions",
            add,
            expect!["InvalidParameterException: The secret is already replicated to eu-west-1."],
        )
        .await;
    let put = json!({"SecretId": "s", "SecretString": "x"});
    for (operation, input) in [
        ("PutSecretValue", put),
        ("DeleteSecret", named()),
        ("TagResource", json!({"SecretId": "s", "Tags": []})),
    ] {
        let refused = call_in(&world, "eu-west-1", operation, input).await;
        assert_eq!(
            refused,
            "InvalidParameterException: Operation not permitted on a replica secret. Call must be made in primary secret's region.",
            "{operation}"
        );
    }
    world.check("secretsmanager:DeleteSecret", named(), expect!["InvalidParameterException: You can't delete secret arn:aws:secretsmanager:us-east-1:000000000000:secret:s-aKP7Yr that still has replica regions [eu-west-1]."]).await;
    let remove = json!({"SecretId": "s", "RemoveReplicaRegions": ["eu-west-1"]});
    world
        .check(
            "secretsmanager:RemoveRegionsFromReplication",
            remove.clone(),
            expect![[r#"
        {
          "ARN": "arn:aws:secretsmanager:us-east-1:000000000000:secret:s-aKP7Yr",
          "ReplicationStatus": []
        }"#]],
        )
        .await;
    world
        .check(
            "secretsmanager:RemoveRegionsFromReplication",
            remove,
            expect!["InvalidParameterException: The secret isn't replicated to eu-west-1."],
        )
        .await;
    let gone = call_in(&world, "eu-west-1", "GetSecretValue", named()).await;
    assert_eq!(gone, "ResourceNotFoundException: Secrets Manager can't find the specified secret.");
    world.call("secretsmanager:DeleteSecret", named()).await.expect("deleted");
}

#[tokio::test]
async fn a_name_that_is_taken_fails_unless_it_may_be_overwritten() {
    let world = World::new(SERVICES);
    create(&world, "s", "one").await;
    let other = json!({"Name": "s", "SecretString": "other"});
    call_in(&world, "eu-west-1", "CreateSecret", other).await;
    let regions = json!([{"Region": "eu-west-1"}, {"Region": "eu-west-2"}]);
    let add = json!({"SecretId": "s", "AddReplicaRegions": regions});
    world
        .check(
            "secretsmanager:ReplicateSecretToRegions",
            add,
            expect![[r#"
        {
          "ARN": "arn:aws:secretsmanager:us-east-1:000000000000:secret:s-aKP7Yr",
          "ReplicationStatus": [
            {
              "KmsKeyId": "alias/aws/secretsmanager",
              "Region": "eu-west-1",
              "Status": "Failed",
              "StatusMessage": "Secret with this name already exists in this region"
            },
            {
              "KmsKeyId": "alias/aws/secretsmanager",
              "Region": "eu-west-2",
              "Status": "InProgress"
            }
          ]
        }"#]],
        )
        .await;
    let read = async |region| call_in(&world, region, "GetSecretValue", named()).await;
    assert_eq!(read("eu-west-1").await["SecretString"], "other");
    assert_eq!(read("eu-west-2").await["SecretString"], "one");
    let add = json!({
        "SecretId": "s", "AddReplicaRegions": [{"Region": "eu-west-1"}],
        "ForceOverwriteReplicaSecret": true,
    });
    world.call("secretsmanager:ReplicateSecretToRegions", add).await.expect("replicated");
    assert_eq!(read("eu-west-1").await["SecretString"], "one");
    for (regions, expected) in [
        (
            json!([{"Region": "us-east-1"}]),
            expect![
                "InvalidParameterException: You can't replicate a secret to its primary Region."
            ],
        ),
        (
            json!([{"Region": "eu-west-3"}, {"Region": "eu-west-3"}]),
            expect!["InvalidParameterException: The Region eu-west-3 is listed more than once."],
        ),
        (
            json!([{"Region": "moon"}]),
            expect![[
                r#"ValidationException: 1 validation error detected: Value 'moon' at 'addReplicaRegions.1.member.region' failed to satisfy constraint: Member must satisfy regular expression pattern: ^([a-z]+-)+\d+$"#
            ]],
        ),
    ] {
        let add = json!({"SecretId": "s", "AddReplicaRegions": regions});
        world.check("secretsmanager:ReplicateSecretToRegions", add, expected).await;
    }
}

#[tokio::test]
async fn a_replica_can_become_a_secret_of_its_own() {
    let world = World::new(SERVICES);
    create(&world, "s", "one").await;
    let add = json!({"SecretId": "s", "AddReplicaRegions": [{"Region": "eu-west-1"}]});
    world.call("secretsmanager:ReplicateSecretToRegions", add).await.expect("replicated");
    world.check("secretsmanager:StopReplicationToReplica", named(), expect!["InvalidParameterException: Operation not permitted on a primary secret. Call must be made in replica secret's region."]).await;
    let stopped = call_in(&world, "eu-west-1", "StopReplicationToReplica", named()).await;
    assert!(stopped["ARN"].as_str().is_some_and(|arn| arn.contains(":eu-west-1:")), "{stopped}");
    let put = json!({"SecretId": "s", "SecretString": "my own"});
    call_in(&world, "eu-west-1", "PutSecretValue", put).await;
    let own = call_in(&world, "eu-west-1", "GetSecretValue", named()).await;
    assert_eq!(own["SecretString"], "my own");
    let primary = world.call("secretsmanager:DescribeSecret", named()).await.expect("described");
    assert_eq!(
        (&primary["ReplicationStatus"], &primary["PrimaryRegion"]),
        (&json!(null), &json!(null))
    );
    assert_eq!(super::value_of(&world, "s", "AWSCURRENT").await, "one");
}
