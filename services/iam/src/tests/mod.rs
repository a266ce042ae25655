//! IAM as a client sees it, through the whole pipeline.

mod access;
mod access_keys;
mod credentials;
mod groups;
mod instance_profiles;
mod policies;
mod providers;
mod reset;
mod roles;
mod simulations;
mod users;

use fogbank_core::{Principal, PrincipalKind, Service};
use fogbank_testkit::{ACCOUNT, Value, World, json};

pub(crate) static SERVICES: &[&Service] = &[&crate::SERVICE];

pub(crate) fn world() -> World {
    World::new(SERVICES)
}

/// Calls an operation as root, which must succeed.
pub(crate) async fn good(world: &World, operation: &str, input: Value) -> Value {
    let outcome = world.call(&format!("iam:{operation}"), input).await;
    outcome.unwrap_or_else(|fault| panic!("{operation}: {fault}"))
}

/// Calls an operation as root, which must fail; the error's name and message.
pub(crate) async fn bad(world: &World, operation: &str, input: Value) -> String {
    match world.call(&format!("iam:{operation}"), input).await {
        Ok(output) => panic!("{operation} succeeded: {output}"),
        Err(fault) => fault.to_string(),
    }
}

/// Creates a user with an inline policy, as a caller.
pub(crate) async fn user(world: &World, name: &str, statement: Value) -> Principal {
    let output = good(world, "CreateUser", json!({"UserName": name})).await;
    let input =
        json!({"UserName": name, "PolicyName": "own", "PolicyDocument": document(statement)});
    good(world, "PutUserPolicy", input).await;
    principal(&output["User"])
}

/// The user of an answer as a caller.
pub(crate) fn principal(user: &Value) -> Principal {
    let text = |name: &str| user[name].as_str().expect("text").to_owned();
    Principal {
        kind: PrincipalKind::User { name: text("UserName") },
        account: ACCOUNT.to_owned(),
        arn: text("Arn"),
        id: text("UserId"),
        access_key_id: None,
        session: None,
    }
}

/// Whether somebody may call an operation.
pub(crate) async fn may(world: &World, who: &Principal, operation: &str, input: Value) -> bool {
    let outcome = world.call_as(who.clone(), &format!("iam:{operation}"), input).await;
    match outcome {
        Ok(_) => true,
        Err(fault) if fault.name() == "AccessDenied" => false,
        Err(fault) => panic!("{operation}: {fault}"),
    }
}

/// A policy document with one statement.
pub(crate) fn document(statement: Value) -> String {
    json!({"Version": "2012-10-17", "Statement": [statement]}).to_string()
}

pub(crate) fn allow(action: &str, resource: &str) -> Value {
    json!({"Effect": "Allow", "Action": action, "Resource": resource})
}

/// A trust policy for a principal.
pub(crate) fn trust(principal: Value) -> String {
    document(json!({"Effect": "Allow", "Principal": principal, "Action": "sts:AssumeRole"}))
}

pub(crate) fn lambda() -> String {
    trust(json!({"Service": "lambda.amazonaws.com"}))
}
