//! STS as a client sees it, through the whole pipeline, with IAM beside it.

mod callers;
mod credentials;
mod delegations;
mod federation;
mod outbound;
mod reset;
mod roles;

use fogbank_core::{Principal, PrincipalKind, Service};
use fogbank_testkit::{ACCOUNT, Value, World, json};

pub(crate) static SERVICES: &[&Service] = &[&crate::SERVICE, &fogbank_iam::SERVICE];

pub(crate) const ROLE: &str = "arn:aws:iam::000000000000:role/r";

pub(crate) fn world() -> World {
    World::new(SERVICES)
}

/// Calls an operation as root, which must succeed.
pub(crate) async fn good(world: &World, action: &str, input: Value) -> Value {
    let outcome = world.call(action, input).await;
    outcome.unwrap_or_else(|fault| panic!("{action}: {fault}"))
}

/// Creates a user, with an inline policy if there is a statement, as a caller.
pub(crate) async fn user(world: &World, name: &str, statement: Value) -> Principal {
    let user = good(world, "iam:CreateUser", json!({"UserName": name})).await;
    if !statement.is_null() {
        let document = document(&statement);
        let input = json!({"UserName": name, "PolicyName": "own", "PolicyDocument": document});
        good(world, "iam:PutUserPolicy", input).await;
    }
    let text = |name: &str| user["User"][name].as_str().expect("text").to_owned();
    Principal {
        kind: PrincipalKind::User { name: text("UserName") },
        account: ACCOUNT.to_owned(),
        arn: text("Arn"),
        id: text("UserId"),
        access_key_id: None,
        session: None,
    }
}

/// Creates a role that trusts whom the statement names, with an inline policy.
pub(crate) async fn role(world: &World, name: &str, trust: Value, statement: Value) {
    let document_of_trust = document(&trust);
    let input = json!({"RoleName": name, "AssumeRolePolicyDocument": document_of_trust});
    good(world, "iam:CreateRole", input).await;
    let input =
        json!({"RoleName": name, "PolicyName": "own", "PolicyDocument": document(&statement)});
    good(world, "iam:PutRolePolicy", input).await;
}

pub(crate) fn document(statement: &Value) -> String {
    json!({"Version": "2012-10-17", "Statement": statement}).to_string()
}

pub(crate) fn allow(action: &str, resource: &str) -> Value {
    json!({"Effect": "Allow", "Action": action, "Resource": resource})
}

pub(crate) fn trust(principal: &str) -> Value {
    json!({"Effect": "Allow", "Principal": {"AWS": principal}, "Action": "sts:AssumeRole"})
}

pub(crate) fn asked() -> Value {
    json!({"RoleArn": ROLE, "RoleSessionName": "s1"})
}

/// Assumes a role as somebody: the answer, or the error's name and message.
pub(crate) async fn assume(world: &World, who: &Principal, input: Value) -> Result<Value, String> {
    let outcome = world.call_as(who.clone(), "sts:AssumeRole", input).await;
    outcome.map_err(|fault| fault.to_string())
}

/// The session of an answer as a caller.
pub(crate) fn session(world: &World, output: &Value) -> Principal {
    let id = output["Credentials"]["AccessKeyId"].as_str().expect("a key");
    let row = world.cloud().db().read(|rows| fogbank_identity::rows::SESSIONS.get(rows, id));
    row.expect("read").expect("a session").principal
}
