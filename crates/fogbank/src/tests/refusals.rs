//! Who has no permission can do nothing, whatever the operation.

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use fogbank_core::bytes::Bytes;
use fogbank_core::store::Read;
use fogbank_core::{Body, Fault, Principal, PrincipalKind};
use fogbank_testkit::{ACCOUNT, Value, World, json};

use super::operations::{self, Operation};

/// What AWS lets everybody do who signs, and what refuses in words of its own.
const OPEN: &[&str] = &[
    // The grant decides.
    "kms:RetireGrant",
    // It asks for each key; its answer is a list of refusals.
    "s3:DeleteObjects",
    // The role's trust policy decides.
    "sts:AssumeRole",
    "sts:AssumeRoleWithSAML",
    "sts:AssumeRoleWithWebIdentity",
    "sts:GetCallerIdentity",
    "sts:GetSessionToken",
];

/// What the links in messages of SNS do, which nobody signs: the token or the subscription's name is the permission.
const LINKS: &[&str] = &["sns:ConfirmSubscription", "sns:Unsubscribe"];

/// All rows of the cloud.
fn rows(world: &World) -> BTreeMap<Bytes, Bytes> {
    let mut rows = BTreeMap::new();
    let all = world.cloud().db().read(|tx| {
        tx.scan(&[], &[0xff; 8], false, &mut |key, value| {
            rows.insert(Bytes::copy_from_slice(key), Bytes::copy_from_slice(value));
            ControlFlow::Continue(())
        })
    });
    all.expect("rows");
    rows
}

async fn call(
    world: &World,
    who: &Principal,
    operation: &Operation,
    whole: bool,
) -> Result<Value, Fault> {
    let body =
        if operation.takes_body() { Body::from("plausible".to_owned()) } else { Body::empty() };
    let outcome = world.send(who.clone(), &operation.name(), operation.input(whole), body).await;
    outcome.map(|reply| reply.output)
}

/// Goes through all operations as somebody, who must be refused with a message that fits, and must not change a row.
async fn walk(world: &World, who: &Principal, fits: impl Fn(&str, &str) -> bool) {
    let before = rows(world);
    let mut complaints = Vec::new();
    let mut refused = 0;
    for operation in operations::all() {
        let name = operation.name();
        if OPEN.contains(&&*name) || (who.is_anonymous() && LINKS.contains(&&*name)) {
            continue;
        }
        for whole in [false, true] {
            match call(world, who, &operation, whole).await {
                Ok(output) => complaints.push(format!("{name} answers: {output}")),
                Err(fault) if fault.name() != "AccessDenied" || !fits(&name, fault.message()) => {
                    complaints.push(format!("{name}: {fault}"));
                }
                Err(_) => refused += 1,
            }
        }
    }
    assert!(complaints.is_empty(), "{} complaints\n{}", complaints.len(), complaints.join("\n"));
    assert!(refused > 400, "{refused} refusals");
    let after = rows(world);
    let changed: Vec<_> = after.iter().filter(|(key, row)| before.get(*key) != Some(row)).collect();
    assert!(changed.is_empty() && after.len() == before.len(), "changed: {changed:?}");
}

/// Creates a user without a policy.
async fn nobody(world: &World, account: &str) -> Principal {
    let root = Principal::root(account);
    let made = world.call_as(root, "iam:CreateUser", json!({ "UserName": "nobody" })).await;
    let user = made.expect("a user")["User"].clone();
    let text = |name: &str| user[name].as_str().expect("text").to_owned();
    Principal {
        kind: PrincipalKind::User { name: text("UserName") },
        account: account.to_owned(),
        arn: text("Arn"),
        id: text("UserId"),
        access_key_id: None,
        session: None,
    }
}

/// AWS's words for a caller whom nothing allows an action.
fn is_unallowed(who: &Principal, message: &str) -> bool {
    let subject = format!("User: {} is not authorized to perform: ", who.arn);
    let Some(rest) = message.strip_prefix(&subject) else { return false };
    let Some((what, why)) = rest.split_once(" because ") else { return false };
    let action = what.split(" on resource: ").next().unwrap_or_default();
    why == format!("no identity-based policy allows the {action} action")
}

#[tokio::test]
async fn a_user_without_a_policy_is_refused_everything() {
    let world = operations::world().await;
    let user = nobody(&world, ACCOUNT).await;
    walk(&world, &user, |_, message| is_unallowed(&user, message)).await;
}

#[tokio::test]
async fn a_user_of_another_account_without_a_policy_is_refused_everything() {
    let world = operations::world().await;
    let user = nobody(&world, "222222222222").await;
    // S3 tells strangers nothing of who may.
    walk(&world, &user, |name, message| {
        let is_s3 = name.starts_with("s3:") || name.starts_with("s3control:");
        is_unallowed(&user, message) || (is_s3 && message == "Access Denied")
    })
    .await;
}

#[tokio::test]
async fn a_session_without_a_policy_is_refused_everything() {
    let world = operations::world().await;
    let trust = json!({
        "Version": "2012-10-17",
        "Statement": [{
            "Effect": "Allow",
            "Principal": { "AWS": ACCOUNT },
            "Action": "sts:AssumeRole",
        }],
    });
    let role = json!({ "RoleName": "idle", "AssumeRolePolicyDocument": trust.to_string() });
    let made = world.call("iam:CreateRole", role).await.expect("a role");
    let id = made["Role"]["RoleId"].as_str().expect("an id").to_owned();
    let session = Principal {
        kind: PrincipalKind::Role {
            role_arn: format!("arn:aws:iam::{ACCOUNT}:role/idle"),
            name: "idle".to_owned(),
            session: "session".to_owned(),
        },
        account: ACCOUNT.to_owned(),
        arn: format!("arn:aws:sts::{ACCOUNT}:assumed-role/idle/session"),
        id: format!("{id}:session"),
        access_key_id: None,
        session: None,
    };
    walk(&world, &session, |_, message| is_unallowed(&session, message)).await;
}

#[tokio::test]
async fn the_anonymous_are_refused_everything() {
    let world = operations::world().await;
    let who = Principal::anonymous();
    walk(&world, &who, |_, message| !message.is_empty()).await;
}
