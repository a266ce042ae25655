//! Removing everything.

use fogbank_core::Principal;
use fogbank_testkit::{ACCOUNT, World, json};

use super::SERVICES;
use crate::SERVICE;

const OTHER: &str = "111122223333";

/// Makes a parameter with versions and policies, and a setting, in an account.
async fn fill(world: &World, account: &str) {
    let call = async |operation: &str, input| {
        let action = format!("ssm:{operation}");
        world.call_as(Principal::root(account), &action, input).await.expect("an answer")
    };
    let policies = r#"[{"Type":"Expiration","Version":"1.0","Attributes":{"Timestamp":"2027-01-01T00:00:00Z"}}]"#;
    let put = json!({
        "Name": "/a/b", "Value": "v", "Type": "String", "Overwrite": true, "Tier": "Advanced",
        "Policies": policies,
    });
    call("PutParameter", put.clone()).await;
    call("PutParameter", put).await;
    let arn = format!("arn:aws:ssm:us-east-1:{account}:parameter/a/b");
    let policy = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::444455556666:root"},"Action":"ssm:GetParameter","Resource":"*"}]}"#;
    call("PutResourcePolicy", json!({"ResourceArn": arn, "Policy": policy})).await;
    let setting = json!({
        "SettingId": "/ssm/parameter-store/default-parameter-tier", "SettingValue": "Advanced",
    });
    call("UpdateServiceSetting", setting).await;
}

#[tokio::test]
async fn a_reset_removes_all_of_an_account_and_nothing_of_others() {
    let world = World::new(SERVICES);
    fill(&world, OTHER).await;
    let others = world.rows(&SERVICE);
    assert_eq!(others.len(), 6, "{:?}", others.keys());
    fill(&world, ACCOUNT).await;
    world.reset(&SERVICE, Some(ACCOUNT)).await;
    assert_eq!(world.rows(&SERVICE), others);
    fill(&world, ACCOUNT).await;
    world.reset(&SERVICE, None).await;
    assert!(world.rows(&SERVICE).is_empty());
}
