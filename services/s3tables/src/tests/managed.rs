//! The table bucket that a service of AWS fills.

use super::*;
use fogbank_tablebuckets::METADATA_SERVICE;
use fogbank_testkit::expect;

const MANAGED: &str = "arn:aws:s3tables:us-east-1:000000000000:bucket/aws-s3";

fn service() -> Principal {
    Principal::service(METADATA_SERVICE)
}

async fn as_service(world: &World, operation: &str, input: Value) -> Result<Value, Fault> {
    world.call_as(service(), &format!("s3tables:{operation}"), input).await
}

/// The table `journal` of the bucket `photos`.
async fn with_journal(world: &World) -> Value {
    as_service(world, "CreateTableBucket", json!({"name": "aws-s3"})).await.expect("a bucket");
    let input = json!({"tableBucketARN": MANAGED, "namespace": ["b_photos"]});
    as_service(world, "CreateNamespace", input).await.expect("a namespace");
    let input = with(journal(), json!({"format": "ICEBERG"}));
    as_service(world, "CreateTable", input).await.expect("a table");
    call(world, "GetTable", journal()).await.expect("the table")
}

fn journal() -> Value {
    json!({"tableBucketARN": MANAGED, "namespace": "b_photos", "name": "journal"})
}

#[tokio::test]
async fn the_service_writes_and_the_owner_reads() {
    let world = World::new(SERVICES);
    let table = with_journal(&world).await;
    assert_eq!(
        (&table["type"], &table["managedByService"]),
        (&json!("aws"), &json!(METADATA_SERVICE))
    );
    let bucket = warehouse(&table);
    let key = "metadata/1.metadata.json";
    put_as(&world, service(), &bucket, key).await.expect("written");
    let location = json!({
        "versionToken": table["versionToken"],
        "metadataLocation": format!("s3://{bucket}/{key}"),
    });
    let update = with(journal(), location);
    let mut told = refused(call(&world, "UpdateTableMetadataLocation", update.clone()).await);
    as_service(&world, "UpdateTableMetadataLocation", update).await.expect("updated");
    assert_eq!(&*get(&world, &bucket, key).await.expect("read"), b"hello");
    told += &refused(put(&world, &bucket, key).await);
    let create = with(journal(), json!({"format": "ICEBERG", "name": "mine"}));
    told += &refused(call(&world, "CreateTable", create).await);
    let namespace = json!({"tableBucketARN": MANAGED, "namespace": ["mine"]});
    told += &refused(call(&world, "CreateNamespace", namespace).await);
    let rename = with(journal(), json!({"newName": "mine"}));
    told += &refused(call(&world, "RenameTable", rename).await);
    told += &refused(as_service(&world, "CreateTableBucket", json!({"name": "aws-s3"})).await);
    told += &refused(as_service(&world, "CreateTableBucket", json!({"name": "other"})).await);
    let listed = call(&world, "ListTableBuckets", json!({"type": "aws"})).await.expect("a list");
    assert_eq!(listed["tableBuckets"][0]["name"], "aws-s3");
    call(&world, "DeleteTable", journal()).await.expect("deleted");
    expect![[r#"
        ForbiddenException: This operation is not allowed on a resource that is managed by AWS.
        AccessDenied: Access Denied
        ForbiddenException: This operation is not allowed on a resource that is managed by AWS.
        ForbiddenException: This operation is not allowed on a resource that is managed by AWS.
        ForbiddenException: This operation is not allowed on a resource that is managed by AWS.
        ConflictException: The bucket that you tried to create already exists, and you own it.
        AccessDenied: User: metadata.s3.amazonaws.com is not authorized to perform: s3tables:CreateTableBucket on resource: arn:aws:s3tables:us-east-1:000000000000:bucket/other because no resource-based policy allows the s3tables:CreateTableBucket action
    "#]].assert_eq(&told);
}

#[tokio::test]
async fn records_of_its_tables_expire_by_configuration_only() {
    let world = World::new(SERVICES);
    let table = with_journal(&world).await;
    let arn = json!({"tableArn": table["tableARN"]});
    let value = json!({"value": {"status": "enabled", "settings": {"days": 30}}});
    call(&world, "PutTableRecordExpirationConfiguration", with(arn.clone(), value.clone()))
        .await
        .expect("set");
    let told = call(&world, "GetTableRecordExpirationConfiguration", arn.clone()).await;
    assert_eq!(told.expect("told")["configuration"], value["value"]);
    let status = call(&world, "GetTableRecordExpirationJobStatus", arn).await.expect("told");
    assert_eq!(status["status"], "NotYetRun");
}
