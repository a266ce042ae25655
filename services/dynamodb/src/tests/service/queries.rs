//! Queries and scans: ranges, pages, filters and selections.

use std::collections::BTreeSet;

use fogbank_testkit::{Value, World, json};

use super::{error, music, ok, plain, put, song};

async fn catalogue() -> World {
    let world = music().await;
    for (artist, title, year, label) in [
        ("ann", "a1", 1990, "x"),
        ("ann", "a2", 1985, "y"),
        ("ann", "b1", 2001, "x"),
        ("bob", "a1", 1999, "x"),
    ] {
        put(&world, "music", song(artist, title, year, label)).await;
    }
    world
}

fn titles(output: &Value) -> Vec<String> {
    let items = output["Items"].as_array().expect("items");
    items.iter().map(|item| item["song"]["S"].as_str().expect("a song").to_owned()).collect()
}

fn query(more: Value) -> Value {
    let mut input = json!({
        "TableName": "music",
        "KeyConditionExpression": "artist = :a",
        "ExpressionAttributeValues": {":a": {"S": "ann"}},
    });
    for (name, value) in more.as_object().expect("members") {
        input[name] = value.clone();
    }
    input
}

#[tokio::test]
async fn a_query_reads_a_partition_in_order() {
    let world = catalogue().await;
    assert_eq!(titles(&ok(&world, "Query", query(json!({}))).await), ["a1", "a2", "b1"]);
    let back = query(json!({"ScanIndexForward": false}));
    assert_eq!(titles(&ok(&world, "Query", back).await), ["b1", "a2", "a1"]);
    let begins = query(json!({
        "KeyConditionExpression": "artist = :a AND begins_with(song, :s)",
        "ExpressionAttributeValues": {":a": {"S": "ann"}, ":s": {"S": "a"}},
        "Select": "COUNT",
    }));
    assert_eq!(ok(&world, "Query", begins).await, json!({"Count": 2, "ScannedCount": 2}));
    let filtered = query(json!({
        "FilterExpression": "price > :p",
        "ExpressionAttributeValues": {":a": {"S": "ann"}, ":p": {"N": "10"}},
    }));
    assert_eq!(
        ok(&world, "Query", filtered).await,
        json!({"Items": [], "Count": 0, "ScannedCount": 3})
    );
}

#[tokio::test]
async fn pages_go_on_where_the_last_ended_in_both_directions() {
    let world = catalogue().await;
    for forward in [true, false] {
        let mut found = Vec::new();
        let mut start = Value::Null;
        loop {
            let page = query(json!({
                "Limit": 1, "ScanIndexForward": forward, "ExclusiveStartKey": start,
            }));
            let page = ok(&world, "Query", page).await;
            found.extend(titles(&page));
            start = page["LastEvaluatedKey"].clone();
            if start.is_null() {
                break;
            }
        }
        let mut expected = ["a1", "a2", "b1"];
        if !forward {
            expected.reverse();
        }
        assert_eq!(found, expected);
    }
    let outside = query(json!({
        "ExclusiveStartKey": {"artist": {"S": "bob"}, "song": {"S": "a1"}},
    }));
    assert!(error(&world, "Query", outside).await.contains("outside query boundaries"));
}

#[tokio::test]
async fn a_page_ends_after_a_megabyte() {
    let world = plain().await;
    let text = "x".repeat(300_000);
    for id in ["a", "b", "c", "d", "e"] {
        put(&world, "plain", json!({"id": {"S": id}, "text": {"S": text}})).await;
    }
    let first = ok(&world, "Scan", json!({"TableName": "plain", "Select": "COUNT"})).await;
    assert_eq!(first["Count"], 4, "the item that passes the limit is still read");
    let rest = json!({
        "TableName": "plain",
        "Select": "COUNT",
        "ExclusiveStartKey": first["LastEvaluatedKey"],
        "ReturnConsumedCapacity": "TOTAL",
    });
    assert_eq!(
        ok(&world, "Scan", rest).await,
        json!({
            "Count": 1,
            "ScannedCount": 1,
            "ConsumedCapacity": {"TableName": "plain", "CapacityUnits": 37.0},
        })
    );
}

#[tokio::test]
async fn segments_and_pages_cover_a_table_once() {
    let world = plain().await;
    for n in 0..60 {
        put(&world, "plain", json!({"id": {"S": format!("item {n}")}})).await;
    }
    let mut seen = BTreeSet::new();
    for segment in 0..4 {
        let mut start = Value::Null;
        loop {
            let page = json!({
                "TableName": "plain",
                "Segment": segment,
                "TotalSegments": 4,
                "Limit": 7,
                "ExclusiveStartKey": start,
            });
            let page = ok(&world, "Scan", page).await;
            for item in page["Items"].as_array().expect("items") {
                assert!(seen.insert(item["id"]["S"].to_string()), "no item comes twice");
            }
            start = page["LastEvaluatedKey"].clone();
            if start.is_null() {
                break;
            }
        }
    }
    assert_eq!(seen.len(), 60);
    let alone = json!({"TableName": "plain", "Segment": 0});
    assert!(error(&world, "Scan", alone).await.contains("TotalSegments parameter is required"));
}

#[tokio::test]
async fn indexes_are_read_with_what_they_have() {
    let world = catalogue().await;
    let by_year = query(json!({"IndexName": "by-year"}));
    let page = ok(&world, "Query", by_year).await;
    assert_eq!(titles(&page), ["a2", "a1", "b1"]);
    assert_eq!(page["Items"][0]["price"], Value::Null, "it has only keys");
    let whole = query(json!({"IndexName": "by-year", "Select": "ALL_ATTRIBUTES", "Limit": 1}));
    let page = ok(&world, "Query", whole).await;
    assert_eq!(page["Items"][0]["notes"]["S"], "n", "a local index fetches what it lacks");
    assert_eq!(
        page["LastEvaluatedKey"],
        json!({"artist": {"S": "ann"}, "song": {"S": "a2"}, "year": {"N": "1985"}})
    );
    let by_label = |more: Value| {
        let mut input = json!({
            "TableName": "music",
            "IndexName": "by-label",
            "KeyConditionExpression": "label = :l",
            "ExpressionAttributeValues": {":l": {"S": "x"}},
        });
        for (name, value) in more.as_object().expect("members") {
            input[name] = value.clone();
        }
        input
    };
    let page = ok(&world, "Query", by_label(json!({}))).await;
    assert_eq!(page["Count"], 3);
    assert_eq!(page["Items"][0]["price"]["N"], "9");
    assert_eq!(page["Items"][0]["notes"], Value::Null);
    let cases = [
        (
            json!({"Select": "ALL_ATTRIBUTES"}),
            "One or more parameter values were invalid: Select type ALL_ATTRIBUTES is not supported for global secondary index by-label because its projection type is not ALL",
        ),
        (
            json!({"ProjectionExpression": "notes"}),
            "One or more parameter values were invalid: Global secondary index by-label does not project [notes]",
        ),
        (
            json!({"ConsistentRead": true}),
            "Consistent reads are not supported on global secondary indexes",
        ),
        (json!({"IndexName": "by-none"}), "The table does not have the specified index: by-none"),
        (
            json!({"FilterExpression": "label = :l"}),
            "Filter Expression can only contain non-primary key attributes: Primary key attribute: label",
        ),
    ];
    for (change, message) in cases {
        let refused = error(&world, "Query", by_label(change)).await;
        assert_eq!(refused, format!("ValidationException: {message}"));
    }
}
