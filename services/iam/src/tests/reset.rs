//! Removing everything.

use fogbank_core::Principal;
use fogbank_core::bytes::Bytes;
use fogbank_testkit::{ACCOUNT, World, json};

use super::{document, world};
use crate::SERVICE;

const OTHER: &str = "111122223333";

/// Makes users in groups, roles and policies that use each other, and access keys of a user and of the root.
async fn fill(world: &World, account: &str) {
    let call = async |operation: &str, input| {
        let action = format!("iam:{operation}");
        world.call_as(Principal::root(account), &action, input).await.expect("an answer")
    };
    let allow = document(json!({"Effect": "Allow", "Action": "*", "Resource": "*"}));
    let policy = json!({"PolicyName": "all", "PolicyDocument": allow});
    let policy = call("CreatePolicy", policy).await["Policy"]["Arn"].clone();
    let version = json!({"PolicyArn": policy, "PolicyDocument": allow, "SetAsDefault": true});
    call("CreatePolicyVersion", version).await;
    call("CreateUser", json!({"UserName": "Ann", "PermissionsBoundary": policy})).await;
    call("AttachUserPolicy", json!({"UserName": "Ann", "PolicyArn": policy})).await;
    call("CreateAccessKey", json!({"UserName": "Ann"})).await;
    call("CreateGroup", json!({"GroupName": "Devs"})).await;
    call("AddUserToGroup", json!({"GroupName": "Devs", "UserName": "Ann"})).await;
    call("AttachGroupPolicy", json!({"GroupName": "Devs", "PolicyArn": policy})).await;
    let own = json!({"GroupName": "Devs", "PolicyName": "own", "PolicyDocument": allow});
    call("PutGroupPolicy", own).await;
    let trust = document(json!({
        "Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"AWS": account},
    }));
    call("CreateRole", json!({"RoleName": "R", "AssumeRolePolicyDocument": trust})).await;
    let managed = "arn:aws:iam::aws:policy/AdministratorAccess";
    call("AttachRolePolicy", json!({"RoleName": "R", "PolicyArn": managed})).await;
}

/// The rows but for the number of changes, which only grows.
fn rows(world: &World) -> Vec<(String, Bytes)> {
    let rows = world.rows(&SERVICE).into_iter();
    rows.filter(|(key, _)| !key.starts_with("iam.generation")).collect()
}

#[tokio::test]
async fn a_reset_removes_all_of_an_account_and_nothing_of_others() {
    let world = world();
    let output = world.call("iam:CreateAccessKey", json!({})).await.expect("a key of the root");
    fill(&world, OTHER).await;
    let others = rows(&world);
    assert!(others.len() > 12, "{others:?}");
    fill(&world, ACCOUNT).await;
    world.reset(&SERVICE, Some(ACCOUNT)).await;
    world.round(&SERVICE, "iam.last-uses").await;
    for (operation, list) in [
        ("ListUsers", "Users"),
        ("ListGroups", "Groups"),
        ("ListRoles", "Roles"),
        ("ListPolicies", "Policies"),
    ] {
        let input = match operation {
            "ListPolicies" => json!({"Scope": "Local"}),
            _ => json!({}),
        };
        let listed = world.call(&format!("iam:{operation}"), input).await.expect("a list");
        assert_eq!(listed[list], json!([]), "{operation}");
    }
    assert_eq!(rows(&world), others);

    fill(&world, ACCOUNT).await;
    world.reset(&SERVICE, None).await;
    let id = output["AccessKey"]["AccessKeyId"].as_str().expect("an id");
    let left: Vec<String> = rows(&world).into_iter().map(|(key, _)| key).collect();
    let keys = [format!("iam.access-keys {id:?}"), format!("iam.accounts {ACCOUNT:?}")];
    assert_eq!(left, keys, "the root keeps its key");
}
