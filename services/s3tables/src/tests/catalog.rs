//! The Iceberg REST catalog, and tables that are created with a schema.

use super::*;
use fogbank_testkit::expect;

async fn ask(world: &World, operation: &str, input: Value) -> Result<Value, Fault> {
    call(world, &format!("Iceberg{operation}"), input).await
}

fn schema() -> Value {
    json!({"type": "struct", "schema-id": 0, "fields": [
        {"id": 1, "name": "id", "type": "long", "required": true},
        {"id": 2, "name": "tags", "required": false, "type": {
            "type": "list", "element-id": 3, "element": "string", "element-required": false,
        }},
    ]})
}

fn schema_of_one() -> Value {
    json!({"type": "struct", "fields": [
        {"id": 5, "name": "id", "type": "long", "required": true},
    ]})
}

/// The table `orders` with a schema, as LoadTable tells of it.
async fn with_orders(world: &World) -> Value {
    let input = with(named("orders"), json!({"schema": schema(), "properties": {"a": "b"}}));
    ask(world, "CreateTable", input).await.expect("a table");
    ask(world, "LoadTable", named("orders")).await.expect("the table")
}

fn snapshot(id: i64, number: i64, bucket: &str) -> Value {
    json!([
        {"action": "add-snapshot", "snapshot": {
            "snapshot-id": id, "sequence-number": number, "timestamp-ms": 1_767_225_600_000i64,
            "manifest-list": format!("s3://{bucket}/metadata/{id}.avro"),
            "summary": {"operation": "append"}, "schema-id": 0,
        }},
        {"action": "set-snapshot-ref", "ref-name": "main", "type": "branch", "snapshot-id": id},
    ])
}

#[tokio::test]
async fn namespaces_and_tables_are_the_same_as_elsewhere() {
    let world = with_namespace().await;
    let lake = json!({"tableBucketARN": LAKE});
    let config = ask(&world, "GetConfig", lake.clone()).await.expect("told");
    assert_eq!(
        config["overrides"]["prefix"],
        "arn%3Aaws%3As3tables%3Aus-east-1%3A000000000000%3Abucket%2Flake"
    );
    let of = |name: &str| json!({"tableBucketARN": LAKE, "namespace": name});
    let new = json!({"tableBucketARN": LAKE, "namespace": ["hr"]});
    ask(&world, "CreateNamespace", new.clone()).await.expect("made");
    let listed = ask(&world, "ListNamespaces", lake.clone()).await.expect("listed");
    assert_eq!(listed["namespaces"], json!([["hr"], ["sales"]]));
    let table = with_orders(&world).await;
    assert_eq!(table["metadata"]["schemas"][0]["fields"][1]["name"], "tags");
    assert_eq!(table["metadata"]["properties"], json!({"a": "b"}));
    let known = call(&world, "GetTable", named("orders")).await.expect("the table");
    assert_eq!(known["metadataLocation"], table["metadataLocation"]);
    assert_eq!(table["metadata"]["location"], known["warehouseLocation"]);
    let listed = ask(&world, "ListTables", of("sales")).await.expect("listed");
    assert_eq!(listed["identifiers"], json!([{"namespace": ["sales"], "name": "orders"}]));
    ask(&world, "TableExists", named("orders")).await.expect("there");
    let mut told = refused(ask(&world, "TableExists", named("none")).await);
    told += &refused(ask(&world, "LoadTable", named("none")).await);
    told += &refused(ask(&world, "LoadNamespace", of("none")).await);
    told += &refused(ask(&world, "CreateNamespace", new).await);
    told += &refused(ask(&world, "DropNamespace", of("sales")).await);
    let create = |more: Value| with(with(named("orders"), json!({"schema": schema()})), more);
    told += &refused(ask(&world, "CreateTable", create(json!({}))).await);
    for more in [
        json!({"stageCreate": true}),
        json!({"location": "s3://elsewhere"}),
        json!({"schema": {"type": "struct", "fields": [{"id": 1}]}}),
        json!({"namespace": "none"}),
    ] {
        let input = create(with(json!({"name": "more"}), more));
        told += &refused(ask(&world, "CreateTable", input).await);
    }
    told += &refused(ask(&world, "DropTable", named("orders")).await);
    with_table(&world, "bare").await;
    told += &refused(ask(&world, "LoadTable", named("bare")).await);
    let rename = json!({
        "tableBucketARN": LAKE,
        "source": {"namespace": ["sales"], "name": "orders"},
        "destination": {"namespace": ["hr"], "name": "sold"},
    });
    ask(&world, "RenameTable", rename).await.expect("renamed");
    let sold = with(named("sold"), json!({"namespace": "hr", "purgeRequested": true}));
    ask(&world, "DropTable", sold).await.expect("dropped");
    ask(&world, "DropNamespace", of("hr")).await.expect("dropped");
    expect![[r#"
        NoSuchTableException: The specified table does not exist.
        NoSuchTableException: The specified table does not exist.
        NoSuchNamespaceException: The specified namespace does not exist.
        AlreadyExistsException: A namespace with an identical name already exists in the bucket.
        NamespaceNotEmptyException: The namespace that you tried to delete is not empty.
        AlreadyExistsException: A table with an identical name already exists in the namespace.
        IcebergBadRequestException: The stage-create option is not supported.
        IcebergBadRequestException: The location of a table cannot be chosen.
        IcebergBadRequestException: The specified schema is not valid: missing field `name`
        NoSuchNamespaceException: The specified namespace does not exist.
        IcebergBadRequestException: Tables can be dropped with purgeRequested=true only.
        IcebergBadRequestException: The specified metadata location is not valid.
    "#]]
    .assert_eq(&told);
}

#[tokio::test]
async fn the_catalog_numbers_the_fields_of_new_tables() {
    let world = with_namespace().await;
    let schema = json!({"type": "struct", "identifier-field-ids": [7], "fields": [
        {"id": 7, "name": "id", "type": "long", "required": true},
        {"id": 0, "name": "at", "required": false, "type": {"type": "struct", "fields": [
            {"id": 3, "name": "x", "type": "int", "required": false},
        ]}},
        {"id": 5, "name": "map", "required": false, "type": {
            "type": "map", "key-id": 8, "key": "string", "value-id": 9, "value": "string",
            "value-required": false,
        }},
    ]});
    let spec = json!({"fields": [{"source-id": 7, "transform": "bucket[4]", "name": "id_bucket"}]});
    let input = with(named("orders"), json!({"schema": schema, "partitionSpec": spec}));
    let made = ask(&world, "CreateTable", input.clone()).await.expect("made");
    let schema = &made["metadata"]["schemas"][0];
    assert_eq!(schema["identifier-field-ids"], json!([1]));
    assert_eq!(schema["fields"][1]["type"]["fields"][0]["id"], 4);
    assert_eq!(schema["fields"][2]["type"]["key-id"], 5);
    assert_eq!(made["metadata"]["last-column-id"], 6);
    assert_eq!(made["metadata"]["partition-specs"][0]["fields"][0]["source-id"], 1);
    let mut twice = with(input, json!({"name": "twice"}));
    twice["schema"]["fields"][1]["id"] = json!(7);
    let told = refused(ask(&world, "CreateTable", twice).await);
    assert!(told.contains("Invalid schema: multiple fields for id 7"), "{told}");
    let mut unknown = with(
        named("unknown"),
        json!({"schema": schema_of_one(), "partitionSpec": {
            "fields": [{"source-id": 8, "transform": "identity", "name": "none"}],
        }}),
    );
    let told = refused(ask(&world, "CreateTable", unknown.clone()).await);
    assert!(told.contains("Cannot find source column: 8"), "{told}");
    unknown["partitionSpec"]["fields"][0]["source-id"] = json!(5);
    ask(&world, "CreateTable", unknown).await.expect("made");
}

#[tokio::test]
async fn refusals_come_in_the_catalogs_form() {
    let world = with_namespace().await;
    let fault = ask(&world, "LoadTable", named("none")).await.expect_err("a refusal");
    assert_eq!(fault.name(), "NoSuchTableException");
    let members = fogbank_core::wire::to_json(fault.members().expect("members"));
    let error = json!({
        "message": "The specified table does not exist.", "type": "NoSuchTableException", "code": 404,
    });
    assert_eq!(members["error"], error);
}

#[tokio::test]
async fn commits_are_compared_with_what_they_require() {
    let world = with_namespace().await;
    let table = with_orders(&world).await;
    let known = call(&world, "GetTable", named("orders")).await.expect("the table");
    let bucket = warehouse(&known);
    let empty = json!([{"type": "assert-ref-snapshot-id", "ref": "main", "snapshot-id": null}]);
    let commit = |requirements: &Value, updates: Value| {
        with(named("orders"), json!({"requirements": requirements, "updates": updates}))
    };
    let first = commit(&empty, snapshot(1, 1, &bucket));
    let done = ask(&world, "CommitTable", first.clone()).await.expect("committed");
    assert_eq!(done["metadata"]["current-snapshot-id"], 1);
    assert_ne!(done["metadataLocation"], table["metadataLocation"]);
    let loaded = ask(&world, "LoadTable", named("orders")).await.expect("the table");
    assert_eq!(loaded["metadataLocation"], done["metadataLocation"]);
    assert_eq!(loaded["metadata"]["metadata-log"][0]["metadata-file"], table["metadataLocation"]);
    let mut told = refused(ask(&world, "CommitTable", first).await);
    let none = json!([]);
    for updates in [
        json!([{"action": "set-location", "location": "s3://elsewhere"}]),
        json!([{"action": "set-properties", "updates": {"write.metadata.path": "s3://elsewhere"}}]),
        json!([{"action": "nonsense"}]),
        snapshot(1, 2, &bucket),
    ] {
        told += &refused(ask(&world, "CommitTable", commit(&none, updates)).await);
    }
    let same = ask(&world, "LoadTable", named("orders")).await.expect("the table");
    assert_eq!(same, loaded);
    let at_once = (0..4).map(|number| {
        let one = json!([{"type": "assert-ref-snapshot-id", "ref": "main", "snapshot-id": 1}]);
        ask(&world, "CommitTable", commit(&one, snapshot(10 + number, 2, &bucket)))
    });
    let outcomes = futures_util::future::join_all(at_once).await;
    let done: Vec<_> = outcomes.iter().filter(|outcome| outcome.is_ok()).collect();
    assert_eq!(done.len(), 1, "{outcomes:?}");
    // Metadata that lost is gone: there is that of the creation and of the two commits.
    assert_eq!(files(&world, &bucket).await.len(), 3);
    expect![[r#"
        CommitFailedException: Requirement failed: branch main was created concurrently
        IcebergBadRequestException: The location and the UUID of a table cannot be changed.
        IcebergBadRequestException: The table's metadata must lie in its warehouse.
        IcebergBadRequestException: Cannot parse metadata update: unknown variant `nonsense`, expected one of `assign-uuid`, `upgrade-format-version`, `add-schema`, `set-current-schema`, `add-spec`, `set-default-spec`, `add-sort-order`, `set-default-sort-order`, `add-snapshot`, `set-snapshot-ref`, `remove-snapshots`, `remove-snapshot-ref`, `set-location`, `set-properties`, `remove-properties`, `set-statistics`, `remove-statistics`, `set-partition-statistics`, `remove-partition-statistics`, `remove-partition-specs`, `remove-schemas`
        IcebergBadRequestException: Snapshot already exists for id: 1
    "#]].assert_eq(&told);
}

#[tokio::test]
async fn a_schema_makes_the_first_metadata_or_nothing() {
    let world = with_namespace().await;
    let create = |name: &str, iceberg: Value| {
        with(named(name), json!({"format": "ICEBERG", "metadata": {"iceberg": iceberg}}))
    };
    let fields = json!([
        {"name": "id", "type": "long", "required": true},
        {"name": "at", "type": "timestamptz"},
        {"name": "price", "type": "decimal(10,2)"},
    ]);
    let iceberg = json!({
        "schema": {"fields": fields},
        "partitionSpec": {"fields": [{"sourceId": 2, "transform": "day", "name": "at_day"}]},
        "writeOrder": {"orderId": 1, "fields": [
            {"sourceId": 1, "transform": "identity", "direction": "asc", "nullOrder": "nulls-first"},
        ]},
        "properties": {"a": "b"},
    });
    let created = call(&world, "CreateTable", create("plain", iceberg)).await.expect("made");
    let known = call(&world, "GetTableMetadataLocation", named("plain")).await.expect("told");
    assert_eq!(known["versionToken"], created["versionToken"]);
    let table = ask(&world, "LoadTable", named("plain")).await.expect("the table");
    let metadata = &table["metadata"];
    assert_eq!(metadata["partition-specs"][0]["fields"][0]["field-id"], 1000);
    assert_eq!(metadata["sort-orders"][0]["fields"][0]["source-id"], 1);
    let v2 = json!({"schemaV2": schema()});
    call(&world, "CreateTable", create("nested", v2)).await.expect("made");
    let before = world.rows(&crate::SERVICE);
    let mut told = String::new();
    for iceberg in [
        json!({}),
        json!({"schema": {"fields": [{"name": "id", "type": "nonsense"}]}}),
        json!({
            "schema": {"fields": [{"name": "id", "type": "long"}]},
            "partitionSpec": {"fields": [{"sourceId": 7, "transform": "day", "name": "at_day"}]},
        }),
    ] {
        told += &refused(call(&world, "CreateTable", create("bad", iceberg)).await);
    }
    let key = world.call("kms:CreateKey", json!({})).await.expect("a key");
    let key = &key["KeyMetadata"]["Arn"];
    world.call("kms:DisableKey", json!({"KeyId": key})).await.expect("disabled");
    let sealed = with(
        create("bad", json!({"schema": {"fields": [{"name": "id", "type": "long"}]}})),
        json!({"encryptionConfiguration": {"sseAlgorithm": "aws:kms", "kmsKeyArn": key}}),
    );
    assert!(call(&world, "CreateTable", sealed).await.is_err());
    world.round(&fogbank_s3::SERVICE, fogbank_tablebuckets::REMOVAL).await;
    assert_eq!(world.rows(&crate::SERVICE), before);
    expect![[r#"
        BadRequestException: Specify either schema or schemaV2 for the table.
        BadRequestException: The specified schema is not valid: Cannot parse type string to primitive: nonsense
        BadRequestException: Cannot find source column for partition field at_day: 7
    "#]].assert_eq(&told);
}

#[tokio::test]
async fn a_warehouse_without_a_table_is_given_up() {
    let world = with_namespace().await;
    let before = world.rows(&crate::SERVICE);
    let row = fogbank_tablebuckets::Warehouse {
        number: 7,
        account: ACCOUNT.to_owned(),
        region: "us-east-1".to_owned(),
        bucket: "lake".to_owned(),
        table: "id".to_owned(),
        created_millis: 0,
        kms_key: None,
        managed_by: None,
    };
    let name = "stopped--table-s3";
    let now = u64::try_from(world.clock().now().millis()).expect("a time");
    let cx = fogbank_core::Cx::background(world.cloud().clone(), "s3tables", "test");
    cx.write(|tx| {
        fogbank_tablebuckets::WAREHOUSES.put(tx, name, &row)?;
        fogbank_tablebuckets::PENDING.put(tx, name, &now)
    })
    .await
    .expect("written");
    let waiting = world.rows(&crate::SERVICE);
    world.round(&crate::SERVICE, crate::tasks::PENDING_TASK).await;
    assert_eq!(world.rows(&crate::SERVICE), waiting);
    world.clock().advance(1_000_000);
    world.round(&crate::SERVICE, crate::tasks::PENDING_TASK).await;
    world.round(&fogbank_s3::SERVICE, fogbank_tablebuckets::REMOVAL).await;
    assert_eq!(world.rows(&crate::SERVICE), before);
}

#[tokio::test]
async fn the_catalog_asks_for_the_services_actions() {
    let world = with_namespace().await;
    with_orders(&world).await;
    let table = call(&world, "GetTable", named("orders")).await.expect("the table");
    let arn = table["tableARN"].as_str().expect("an ARN");
    let stranger = || Principal::root(OTHER);
    let policy = |actions: Value| {
        let document = json!({"Version": "2012-10-17", "Statement": [{
            "Effect": "Allow", "Principal": {"AWS": OTHER}, "Action": actions, "Resource": arn,
        }]});
        with(named("orders"), json!({"resourcePolicy": document.to_string()}))
    };
    let load = || world.call_as(stranger(), "s3tables:IcebergLoadTable", named("orders"));
    assert!(load().await.is_err());
    let half = policy(json!(["s3tables:GetTableMetadataLocation"]));
    call(&world, "PutTablePolicy", half).await.expect("set");
    assert!(load().await.is_err());
    let reading = policy(json!(["s3tables:GetTableMetadataLocation", "s3tables:GetTableData"]));
    call(&world, "PutTablePolicy", reading).await.expect("set");
    load().await.expect("loaded");
    let commit = with(named("orders"), json!({"requirements": [], "updates": []}));
    let commit = world.call_as(stranger(), "s3tables:IcebergCommitTable", commit).await;
    assert!(refused(commit).starts_with("AccessDenied"));
}
