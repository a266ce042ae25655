//! Table buckets and namespaces: how they come and go.

use super::*;
use fogbank_testkit::expect;

#[tokio::test]
async fn buckets_are_made_found_listed_and_removed() {
    let world = World::new(SERVICES);
    for name in ["lake", "pond", "sea"] {
        let made = call(&world, "CreateTableBucket", json!({"name": name})).await.expect("made");
        assert_eq!(made["arn"], LAKE.replace("lake", name));
    }
    let found = call(&world, "GetTableBucket", json!({"tableBucketARN": LAKE})).await.expect("it");
    assert_eq!((&found["name"], &found["type"]), (&json!("lake"), &json!("customer")));
    assert_eq!(found["ownerAccountId"], ACCOUNT);
    let page = call(&world, "ListTableBuckets", json!({"maxBuckets": 2})).await.expect("a page");
    assert_eq!(page["tableBuckets"].as_array().map(Vec::len), Some(2));
    let next = json!({"maxBuckets": 2, "continuationToken": page["continuationToken"]});
    let page = call(&world, "ListTableBuckets", next).await.expect("a page");
    assert_eq!(page["tableBuckets"][0]["name"], "sea");
    assert_eq!(page["continuationToken"], Value::Null);
    let page = call(&world, "ListTableBuckets", json!({"prefix": "p"})).await.expect("a page");
    assert_eq!(page["tableBuckets"].as_array().map(Vec::len), Some(1));
    let mut told = String::new();
    for name in ["lake", "aws-lake", "a--table-s3", "-ab"] {
        told += &refused(call(&world, "CreateTableBucket", json!({"name": name})).await);
    }
    told += &refused(call(&world, "ListTableBuckets", json!({"continuationToken": "?"})).await);
    let lake = json!({"tableBucketARN": LAKE});
    call(&world, "DeleteTableBucket", lake.clone()).await.expect("removed");
    told += &refused(call(&world, "GetTableBucket", lake.clone()).await);
    told += &refused(call(&world, "DeleteTableBucket", lake).await);
    expect![[r#"
        ConflictException: The bucket that you tried to create already exists, and you own it.
        BadRequestException: The specified bucket name is not valid.
        BadRequestException: The specified bucket name is not valid.
        BadRequestException: The specified bucket name is not valid.
        BadRequestException: The continuation token is not valid.
        NotFoundException: The specified bucket does not exist.
        NotFoundException: The specified bucket does not exist.
    "#]]
    .assert_eq(&told);
}

#[tokio::test]
async fn namespaces_are_made_found_listed_and_removed() {
    let world = with_namespace().await;
    let of = |name: &str| json!({"tableBucketARN": LAKE, "namespace": name});
    let new = |name: &str| json!({"tableBucketARN": LAKE, "namespace": [name]});
    call(&world, "CreateNamespace", new("hr")).await.expect("made");
    let found = call(&world, "GetNamespace", of("hr")).await.expect("found");
    assert_eq!((&found["namespace"], &found["createdBy"]), (&json!(["hr"]), &json!(ACCOUNT)));
    let input = json!({"tableBucketARN": LAKE, "maxNamespaces": 1});
    let page = call(&world, "ListNamespaces", input.clone()).await.expect("a page");
    assert_eq!(page["namespaces"][0]["namespace"], json!(["hr"]));
    let next = with(input, json!({"continuationToken": page["continuationToken"]}));
    let page = call(&world, "ListNamespaces", next).await.expect("a page");
    assert_eq!(page["namespaces"][0]["namespace"], json!(["sales"]));
    assert_eq!(page["continuationToken"], Value::Null);
    with_table(&world, "orders").await;
    let mut told = String::new();
    for name in ["hr", "_a", "aws_a"] {
        told += &refused(call(&world, "CreateNamespace", new(name)).await);
    }
    told += &refused(call(&world, "GetNamespace", of("none")).await);
    told += &refused(call(&world, "DeleteNamespace", of("sales")).await);
    told += &refused(call(&world, "DeleteTableBucket", json!({"tableBucketARN": LAKE})).await);
    call(&world, "DeleteNamespace", of("hr")).await.expect("removed");
    told += &refused(call(&world, "DeleteNamespace", of("hr")).await);
    expect![[r#"
        ConflictException: A namespace with an identical name already exists in the bucket.
        BadRequestException: The specified namespace name is not valid.
        BadRequestException: The specified namespace name is not valid.
        NotFoundException: The specified namespace does not exist.
        ConflictException: The namespace that you tried to delete is not empty.
        ConflictException: The bucket that you tried to delete is not empty.
        NotFoundException: The specified namespace does not exist.
    "#]]
    .assert_eq(&told);
}
