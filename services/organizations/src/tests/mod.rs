//! Organizations as a client sees it, through the whole pipeline.

mod accounts;
mod policies;
mod reset;
mod roots;
mod units;

use fogbank_core::{Principal, Service};
use fogbank_testkit::{Value, World, json};

static SERVICES: &[&Service] = &[
    &crate::SERVICE,
    &fogbank_iam::SERVICE,
    &fogbank_kms::SERVICE,
    &fogbank_sqs::SERVICE,
    &fogbank_sts::SERVICE,
];

fn world() -> World {
    World::new(SERVICES)
}

/// Calls an operation as root of the default account, which must succeed.
async fn good(world: &World, operation: &str, input: Value) -> Value {
    let outcome = world.call(&format!("organizations:{operation}"), input).await;
    outcome.unwrap_or_else(|fault| panic!("{operation}: {fault}"))
}

/// Calls an operation as root of the default account, which must fail; the error's name and message.
async fn bad(world: &World, operation: &str, input: Value) -> String {
    match world.call(&format!("organizations:{operation}"), input).await {
        Ok(output) => panic!("{operation} succeeded: {output}"),
        Err(fault) => fault.to_string(),
    }
}

/// Makes an organization and returns the id of its root.
async fn organization(world: &World) -> String {
    good(world, "CreateOrganization", json!({})).await;
    let roots = good(world, "ListRoots", json!({})).await;
    roots["Roots"][0]["Id"].as_str().expect("an id").to_owned()
}

/// Makes an account and returns its number.
async fn account(world: &World, name: &str) -> String {
    let input = json!({ "AccountName": name, "Email": format!("{name}@example.org") });
    let made = good(world, "CreateAccount", input).await;
    let id = made["CreateAccountStatus"]["Id"].clone();
    assert_eq!(made["CreateAccountStatus"]["State"], "IN_PROGRESS");
    let _background = world.background();
    for _ in 0..1000 {
        let input = json!({ "CreateAccountRequestId": id });
        let status = good(world, "DescribeCreateAccountStatus", input).await;
        let status = &status["CreateAccountStatus"];
        match status["State"].as_str() {
            Some("SUCCEEDED") => return status["AccountId"].as_str().expect("an id").to_owned(),
            Some("IN_PROGRESS") => tokio::time::sleep(std::time::Duration::from_millis(10)).await,
            _ => panic!("{status}"),
        }
    }
    panic!("the account is not made");
}

/// The root of another account.
fn root_of(account: &str) -> Principal {
    Principal::root(account)
}
