//! Removing everything.

use fogbank_core::Principal;
use fogbank_testkit::{ACCOUNT, World, json};

use super::{SERVICES, token};
use crate::SERVICE;

const OTHER: &str = "111122223333";

/// Makes secrets with versions, a policy and a replica in an account; one waits to be deleted.
async fn fill(world: &World, account: &str) {
    let call = async |operation: &str, input| {
        let action = format!("secretsmanager:{operation}");
        world.call_as(Principal::root(account), &action, input).await.expect("an answer")
    };
    let replica = json!([{"Region": "eu-west-1"}]);
    call("CreateSecret", json!({"Name": "a", "SecretString": "x", "AddReplicaRegions": replica}))
        .await;
    let put = json!({"SecretId": "a", "SecretString": "y", "ClientRequestToken": token(2)});
    call("PutSecretValue", put).await;
    let policy = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Principal":"*","Action":"secretsmanager:DeleteSecret","Resource":"*"}]}"#;
    call("PutResourcePolicy", json!({"SecretId": "a", "ResourcePolicy": policy})).await;
    call("CreateSecret", json!({"Name": "b", "SecretString": "x"})).await;
    call("DeleteSecret", json!({"SecretId": "b"})).await;
}

#[tokio::test]
async fn a_reset_removes_all_of_an_account_and_nothing_of_others() {
    let world = World::new(SERVICES);
    fill(&world, OTHER).await;
    let others = world.rows(&SERVICE);
    assert_eq!(others.len(), 16, "{:?}", others.keys());
    fill(&world, ACCOUNT).await;
    world.reset(&SERVICE, Some(ACCOUNT)).await;
    assert_eq!(world.rows(&SERVICE), others);
    fill(&world, ACCOUNT).await;
    world.reset(&SERVICE, None).await;
    assert!(world.rows(&SERVICE).is_empty());
}
