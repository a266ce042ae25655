//! The operations through the whole pipeline, in process.

mod buckets;
mod catalog;
mod data;
mod maintenance;
mod managed;
mod policies;
mod reset;
mod settings;
mod tables;

use fogbank_core::bytes::Bytes;
use fogbank_core::{Body, Fault, Principal, Service};
use fogbank_testkit::{ACCOUNT, Value, World, json};

static SERVICES: &[&Service] =
    &[&crate::SERVICE, &fogbank_s3::SERVICE, &fogbank_iam::SERVICE, &fogbank_kms::SERVICE];

/// The ARN of the table bucket `lake`.
const LAKE: &str = "arn:aws:s3tables:us-east-1:000000000000:bucket/lake";
const OTHER: &str = "111111111111";

/// Calls an operation of S3 Tables as the account's root.
async fn call(world: &World, operation: &str, input: Value) -> Result<Value, Fault> {
    world.call(&format!("s3tables:{operation}"), input).await
}

/// A world with the table bucket `lake` and the namespace `sales`.
async fn with_namespace() -> World {
    let world = World::new(SERVICES);
    call(&world, "CreateTableBucket", json!({"name": "lake"})).await.expect("a table bucket");
    let input = json!({"tableBucketARN": LAKE, "namespace": ["sales"]});
    call(&world, "CreateNamespace", input).await.expect("a namespace");
    world
}

/// The names of a table of the namespace `sales`.
fn named(name: &str) -> Value {
    json!({"tableBucketARN": LAKE, "namespace": "sales", "name": name})
}

/// The same with other members.
fn with(mut input: Value, more: Value) -> Value {
    let (Value::Object(input), Value::Object(more)) = (&mut input, more) else {
        panic!("two objects")
    };
    input.extend(more);
    Value::Object(input.clone())
}

/// Creates a table of the namespace `sales`: what GetTable tells of it.
async fn with_table(world: &World, name: &str) -> Value {
    let input = with(named(name), json!({"format": "ICEBERG"}));
    call(world, "CreateTable", input).await.expect("a table");
    call(world, "GetTable", named(name)).await.expect("the table")
}

/// The name of a table's warehouse.
fn warehouse(table: &Value) -> String {
    let location = table["warehouseLocation"].as_str().expect("a location");
    location.strip_prefix("s3://").expect("a URI of S3").to_owned()
}

async fn put_as(
    world: &World,
    principal: Principal,
    bucket: &str,
    key: &str,
) -> Result<Value, Fault> {
    let body = Body::from(Bytes::from_static(b"hello"));
    let input = json!({"Bucket": bucket, "Key": key});
    Ok(world.send(principal, "s3:PutObject", input, body).await?.output)
}

async fn put(world: &World, bucket: &str, key: &str) -> Result<Value, Fault> {
    put_as(world, Principal::root(ACCOUNT), bucket, key).await
}

async fn get_as(
    world: &World,
    principal: Principal,
    bucket: &str,
    key: &str,
) -> Result<Bytes, Fault> {
    let input = json!({"Bucket": bucket, "Key": key});
    let reply = world.send(principal, "s3:GetObject", input, Body::empty()).await?;
    reply.bytes(1 << 20).await
}

async fn get(world: &World, bucket: &str, key: &str) -> Result<Bytes, Fault> {
    get_as(world, Principal::root(ACCOUNT), bucket, key).await
}

/// The keys of a warehouse's files, as the service that maintains tables lists them.
async fn files(world: &World, bucket: &str) -> Vec<String> {
    let service = Principal::service(fogbank_tablebuckets::MAINTENANCE_SERVICE);
    let page = world.call_as(service, "s3:ListObjectsV2", json!({"Bucket": bucket})).await;
    let page = page.expect("a list");
    let rows = page["Contents"].as_array().into_iter().flatten();
    rows.map(|row| row["Key"].as_str().expect("a key").to_owned()).collect()
}

/// A refusal: name and message.
fn refused<T: std::fmt::Debug>(outcome: Result<T, Fault>) -> String {
    let fault = outcome.expect_err("a refusal");
    format!("{}: {}\n", fault.name(), fault.message())
}
