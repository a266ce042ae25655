//! The operations through the whole pipeline.

mod access;
mod batches;
mod encryption;
mod expiry;
mod indexes;
mod items;
mod queries;
mod reset;
mod tables;
mod transactions;

use fogbank_core::{Cx, Service};
use fogbank_testkit::{Value, World, json};

pub(super) static SERVICES: &[&Service] = &[&crate::SERVICE, &fogbank_kms::SERVICE];

/// A world with the table `music`, whose key is `artist` and `song`, with a local index by `year` and a global one by
/// `label` that has only `price` besides keys.
pub(super) async fn music() -> World {
    let world = World::new(SERVICES);
    let element = |name: &str, kind: &str| json!({"AttributeName": name, "KeyType": kind});
    let declared = |name: &str, kind: &str| json!({"AttributeName": name, "AttributeType": kind});
    let input = json!({
        "TableName": "music",
        "AttributeDefinitions": [
            declared("artist", "S"), declared("song", "S"), declared("year", "N"), declared("label", "S"),
        ],
        "KeySchema": [element("artist", "HASH"), element("song", "RANGE")],
        "LocalSecondaryIndexes": [{
            "IndexName": "by-year",
            "KeySchema": [element("artist", "HASH"), element("year", "RANGE")],
            "Projection": {"ProjectionType": "KEYS_ONLY"},
        }],
        "GlobalSecondaryIndexes": [{
            "IndexName": "by-label",
            "KeySchema": [element("label", "HASH")],
            "Projection": {"ProjectionType": "INCLUDE", "NonKeyAttributes": ["price"]},
        }],
        "BillingMode": "PAY_PER_REQUEST",
    });
    world.call("dynamodb:CreateTable", input).await.expect("a table");
    world
}

/// A world with the table `plain`, whose key is `id`, without indexes.
pub(super) async fn plain() -> World {
    let world = World::new(SERVICES);
    let input = json!({
        "TableName": "plain",
        "AttributeDefinitions": [{"AttributeName": "id", "AttributeType": "S"}],
        "KeySchema": [{"AttributeName": "id", "KeyType": "HASH"}],
        "BillingMode": "PAY_PER_REQUEST",
    });
    world.call("dynamodb:CreateTable", input).await.expect("a table");
    world
}

/// Calls an operation that is expected to succeed.
pub(super) async fn ok(world: &World, operation: &str, input: Value) -> Value {
    world.call(&format!("dynamodb:{operation}"), input).await.expect(operation)
}

/// Calls an operation that is expected to fail, and shows its error.
pub(super) async fn error(world: &World, operation: &str, input: Value) -> String {
    match world.call(&format!("dynamodb:{operation}"), input).await {
        Ok(output) => panic!("{operation} answered {output}"),
        Err(fault) => fault.to_string(),
    }
}

/// Puts an item into a table.
pub(super) async fn put(world: &World, table: &str, item: Value) {
    ok(world, "PutItem", json!({"TableName": table, "Item": item})).await;
}

/// A song of `music`.
pub(super) fn song(artist: &str, song: &str, year: u32, label: &str) -> Value {
    json!({
        "artist": {"S": artist},
        "song": {"S": song},
        "year": {"N": year.to_string()},
        "label": {"S": label},
        "price": {"N": "9"},
        "notes": {"S": "n"},
    })
}

/// Runs one round of each background task.
pub(super) async fn settle(world: &World) {
    for task in crate::SERVICE.tasks {
        let cx = Cx::background(world.cloud().clone(), "dynamodb", task.name);
        (task.run)(cx).await.expect("a round");
    }
}
