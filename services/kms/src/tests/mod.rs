//! Operations through the whole pipeline.

mod crypto;
mod formats;
mod keys;
mod life;

use fogbank_core::Service;
use fogbank_testkit::{Value, World};

static SERVICES: &[&Service] = &[&crate::SERVICE];

/// Creates a key and returns its id.
async fn key(world: &World, input: Value) -> String {
    let created = world.call("kms:CreateKey", input).await.expect("a key");
    created["KeyMetadata"]["KeyId"].as_str().expect("an id").to_owned()
}
