//! Tables: how they come and go, and how their metadata changes place.

use super::*;
use fogbank_testkit::expect;

#[tokio::test]
async fn tables_are_made_found_listed_renamed_and_removed() {
    let world = with_namespace().await;
    let table = with_table(&world, "orders").await;
    let arn = table["tableARN"].as_str().expect("an ARN");
    assert!(arn.starts_with(&format!("{LAKE}/table/")), "{arn}");
    assert_eq!((&table["type"], &table["format"]), (&json!("customer"), &json!("ICEBERG")));
    let warehouse = warehouse(&table);
    assert!(warehouse.len() == 63 && warehouse.ends_with("--table-s3"), "{warehouse}");
    let same = call(&world, "GetTable", json!({"tableArn": arn})).await.expect("the same");
    assert_eq!(same, table);
    with_table(&world, "customers").await;
    let all = json!({"tableBucketARN": LAKE, "maxTables": 1});
    let page = call(&world, "ListTables", all.clone()).await.expect("a page");
    assert_eq!(page["tables"][0]["name"], "customers");
    let next = with(all, json!({"continuationToken": page["continuationToken"]}));
    let page = call(&world, "ListTables", next).await.expect("a page");
    assert_eq!(page["tables"][0]["name"], "orders");
    assert_eq!(page["continuationToken"], Value::Null);
    let input = with(named("orders"), json!({"newName": "sold"}));
    call(&world, "RenameTable", input).await.expect("renamed");
    let renamed = call(&world, "GetTable", json!({"tableArn": arn})).await.expect("the table");
    assert_eq!(renamed["name"], "sold");
    assert_ne!(renamed["versionToken"], table["versionToken"]);
    let mut told = String::new();
    told += &refused(call(&world, "GetTable", named("orders")).await);
    told += &refused(call(&world, "GetTable", json!({"name": "orders"})).await);
    let create = |name: &str| with(named(name), json!({"format": "ICEBERG"}));
    told += &refused(call(&world, "CreateTable", create("sold")).await);
    told += &refused(call(&world, "CreateTable", create("_x")).await);
    let nowhere = with(create("a"), json!({"namespace": "none"}));
    told += &refused(call(&world, "CreateTable", nowhere).await);
    let taken = with(named("sold"), json!({"newName": "customers"}));
    told += &refused(call(&world, "RenameTable", taken).await);
    told += &refused(call(&world, "RenameTable", named("sold")).await);
    let late = with(named("sold"), json!({"versionToken": table["versionToken"]}));
    told += &refused(call(&world, "DeleteTable", late).await);
    let now = with(named("sold"), json!({"versionToken": renamed["versionToken"]}));
    call(&world, "DeleteTable", now).await.expect("removed");
    told += &refused(call(&world, "DeleteTable", named("sold")).await);
    expect![[r#"
        NotFoundException: The specified table does not exist.
        BadRequestException: Specify either the table ARN, or the table bucket ARN, namespace and name.
        ConflictException: A table with an identical name already exists in the namespace.
        BadRequestException: The specified table name is not valid.
        NotFoundException: The specified namespace does not exist.
        ConflictException: A table with an identical name already exists in the namespace.
        BadRequestException: Specify a new name or a new namespace for the table.
        ConflictException: Provided version token does not match the table version token.
        NotFoundException: The specified table does not exist.
    "#]].assert_eq(&told);
}

#[tokio::test]
async fn metadata_changes_place_for_who_knows_the_version() {
    let world = with_namespace().await;
    let table = with_table(&world, "orders").await;
    let location = call(&world, "GetTableMetadataLocation", named("orders")).await.expect("it");
    assert_eq!(location["metadataLocation"], Value::Null);
    assert_eq!(location["warehouseLocation"], table["warehouseLocation"]);
    let at = |key: &str| format!("s3://{}/{key}", warehouse(&table));
    let update = |token: &Value, location: String| {
        with(named("orders"), json!({"versionToken": token, "metadataLocation": location}))
    };
    let first = update(&table["versionToken"], at("metadata/1.metadata.json"));
    let mut told = refused(call(&world, "UpdateTableMetadataLocation", first.clone()).await);
    put(&world, &warehouse(&table), "metadata/1.metadata.json").await.expect("written");
    let updated =
        call(&world, "UpdateTableMetadataLocation", first.clone()).await.expect("updated");
    assert_eq!(updated["metadataLocation"], at("metadata/1.metadata.json"));
    told += &refused(call(&world, "UpdateTableMetadataLocation", first).await);
    for location in ["s3://other/1.metadata.json".to_owned(), at("metadata/1.json")] {
        let input = update(&updated["versionToken"], location);
        told += &refused(call(&world, "UpdateTableMetadataLocation", input).await);
    }
    let found = call(&world, "GetTableMetadataLocation", named("orders")).await.expect("it");
    assert_eq!(found["versionToken"], updated["versionToken"]);
    expect![[r#"
        BadRequestException: The specified metadata location is not valid.
        ConflictException: Provided version token does not match the table version token.
        BadRequestException: The specified metadata location is not valid.
        BadRequestException: The specified metadata location is not valid.
    "#]]
    .assert_eq(&told);
}
