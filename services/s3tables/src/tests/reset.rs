//! A reset leaves nothing of an account, and all of others.

use super::*;

async fn fill(world: &World, account: &str) {
    let root = || Principal::root(account);
    let lake = LAKE.replace(ACCOUNT, account);
    let asked = |operation: &str, input: Value| {
        let action = format!("s3tables:{operation}");
        async move { world.call_as(root(), &action, input).await.expect("made") }
    };
    asked("CreateTableBucket", json!({"name": "lake", "tags": {"a": "b"}})).await;
    asked("CreateNamespace", json!({"tableBucketARN": lake, "namespace": ["sales"]})).await;
    let named = json!({"tableBucketARN": lake, "namespace": "sales", "name": "orders"});
    asked("CreateTable", with(named.clone(), json!({"format": "ICEBERG"}))).await;
    let bucket = warehouse(&asked("GetTable", named).await);
    put_as(world, root(), &bucket, "k").await.expect("written");
}

#[tokio::test]
async fn one_account_goes_and_the_other_stays() {
    let world = World::new(SERVICES);
    fill(&world, OTHER).await;
    let before = (world.rows(&crate::SERVICE), world.rows(&fogbank_s3::SERVICE));
    fill(&world, ACCOUNT).await;
    world.reset(&crate::SERVICE, Some(ACCOUNT)).await;
    world.round(&fogbank_s3::SERVICE, fogbank_tablebuckets::REMOVAL).await;
    assert_eq!((world.rows(&crate::SERVICE), world.rows(&fogbank_s3::SERVICE)), before);
}
