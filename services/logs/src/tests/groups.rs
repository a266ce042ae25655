//! Groups, streams, tags and retention.

use fogbank_testkit::{World, expect, json};

use super::SERVICES;

#[tokio::test]
async fn a_group_is_created_once_described_and_deleted() {
    let world = World::new(SERVICES);
    let named = json!({ "logGroupName": "/app/one", "tags": { "team": "a" } });
    world.call("logs:CreateLogGroup", named.clone()).await.expect("created");
    let again = expect!["ResourceAlreadyExistsException: The specified log group already exists"];
    world.check("logs:CreateLogGroup", named, again).await;
    let expected = expect![[r#"
        {
          "logGroups": [
            {
              "arn": "arn:aws:logs:us-east-1:000000000000:log-group:/app/one:*",
              "creationTime": 1767225600000,
              "deletionProtectionEnabled": false,
              "logGroupArn": "arn:aws:logs:us-east-1:000000000000:log-group:/app/one",
              "logGroupClass": "STANDARD",
              "logGroupName": "/app/one",
              "metricFilterCount": 0,
              "storedBytes": 0
            }
          ]
        }"#]];
    let query = json!({ "logGroupNamePrefix": "/app" });
    world.check("logs:DescribeLogGroups", query, expected).await;
    let tags = world.call("logs:ListTagsLogGroup", json!({ "logGroupName": "/app/one" })).await;
    assert_eq!(tags.expect("tags")["tags"]["team"], "a");
    world.call("logs:DeleteLogGroup", json!({ "logGroupName": "/app/one" })).await.expect("gone");
    let gone = expect!["ResourceNotFoundException: The specified log group does not exist."];
    world.check("logs:DeleteLogGroup", json!({ "logGroupName": "/app/one" }), gone).await;
}

#[tokio::test]
async fn listings_have_pages() {
    let world = World::new(SERVICES);
    for number in 0..7 {
        let named = json!({ "logGroupName": format!("g{number}") });
        world.call("logs:CreateLogGroup", named).await.expect("created");
        let stream = json!({ "logGroupName": "g0", "logStreamName": format!("s{number}") });
        world.call("logs:CreateLogStream", stream).await.expect("created");
    }
    let mut seen = Vec::new();
    let mut token = json!(null);
    loop {
        let input = json!({ "limit": 3, "nextToken": token });
        let page = world.call("logs:DescribeLogGroups", input).await.expect("a page");
        let groups = page["logGroups"].as_array().expect("groups").clone();
        assert!(groups.len() <= 3);
        seen.extend(groups.iter().map(|group| group["logGroupName"].clone()));
        token = page["nextToken"].clone();
        if token.is_null() {
            break;
        }
    }
    assert_eq!(seen, ["g0", "g1", "g2", "g3", "g4", "g5", "g6"]);
    let input = json!({ "logGroupName": "g0", "limit": 5, "descending": true });
    let page = world.call("logs:DescribeLogStreams", input).await.expect("a page");
    assert_eq!(page["logStreams"][0]["logStreamName"], "s6");
    let input = json!({
        "logGroupName": "g0", "limit": 5, "descending": true, "nextToken": page["nextToken"],
    });
    let page = world.call("logs:DescribeLogStreams", input).await.expect("a page");
    assert_eq!(page["logStreams"].as_array().expect("streams").len(), 2);
    let garbage = json!({ "nextToken": "zz" });
    let refused = expect!["InvalidParameterException: The specified nextToken is invalid."];
    world.check("logs:DescribeLogGroups", garbage, refused).await;
}
