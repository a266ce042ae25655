//! Operations through the whole pipeline.

mod access;
mod cross_account;
mod formats;
mod function;
mod listing;
mod policies;
mod replication;
mod reset;
mod rotation;
mod sealing;
mod secrets;
mod versions;

use fogbank_core::Service;
use fogbank_testkit::{Value, World, json};

static SERVICES: &[&Service] = &[&crate::SERVICE, &fogbank_kms::SERVICE];

/// 2026-01-01T00:00:00Z, where a world's clock stands.
const NOW: i64 = 1_767_225_600;

/// A day in milliseconds.
const DAY: i64 = 24 * 3_600_000;

/// A client's token.
fn token(number: u32) -> String {
    format!("token-{number:026}")
}

/// Creates a secret and gives its ARN.
async fn create(world: &World, name: &str, value: &str) -> String {
    let input = json!({ "Name": name, "SecretString": value, "ClientRequestToken": token(1) });
    let created = world.call("secretsmanager:CreateSecret", input).await.expect("created");
    created["ARN"].as_str().expect("an ARN").to_owned()
}

/// The value of a version of a secret.
async fn value_of(world: &World, secret: &str, stage: &str) -> Value {
    let input = json!({ "SecretId": secret, "VersionStage": stage });
    let answer = world.call("secretsmanager:GetSecretValue", input).await;
    answer.map_or_else(|fault| json!(fault.to_string()), |got| got["SecretString"].clone())
}
