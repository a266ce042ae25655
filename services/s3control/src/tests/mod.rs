//! The operations through the whole pipeline, in process.

mod access_grants;
mod access_points;
mod directories;
mod formats;
mod jobs;
mod public_access;

use fogbank_core::{Fault, Service};
use fogbank_testkit::{ACCOUNT, Value, World, json};

static SERVICES: &[&Service] = &[&crate::SERVICE, &fogbank_s3::SERVICE];

/// A world with the bucket `photos`.
async fn with_bucket() -> World {
    let world = World::new(SERVICES);
    world.call("s3:CreateBucket", json!({"Bucket": "photos"})).await.expect("a bucket");
    world
}

/// Calls an operation of S3 Control for the account.
async fn call(world: &World, operation: &str, mut input: Value) -> Result<Value, Fault> {
    input["AccountId"] = ACCOUNT.into();
    world.call(&format!("s3control:{operation}"), input).await
}

/// The access point `my-ap` of the bucket: its ARN and alias.
async fn with_point(world: &World) -> (String, String) {
    let input = json!({"Name": "my-ap", "Bucket": "photos"});
    let made = call(world, "CreateAccessPoint", input).await.expect("an access point");
    let text = |name: &str| made[name].as_str().expect("text").to_owned();
    (text("AccessPointArn"), text("Alias"))
}

/// A refusal: name and message.
fn refused<T: std::fmt::Debug>(outcome: Result<T, Fault>) -> String {
    let fault = outcome.expect_err("a refusal");
    format!("{}: {}", fault.name(), fault.message())
}
