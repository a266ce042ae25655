//! Groups, streams, tags and retention.

use fogbank_core::{Principal, PrincipalKind};
use fogbank_testkit::{ACCOUNT, World, expect, json};

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

#[tokio::test]
async fn groups_are_listed_by_pattern_class_and_tag() {
    let world = World::new(SERVICES);
    let groups = [
        json!({ "logGroupName": "/aws/lambda/one", "tags": { "stage": "Production" } }),
        json!({ "logGroupName": "/aws/lambda/two", "tags": { "stage": "test", "team": "a" } }),
        json!({ "logGroupName": "my-discovery", "logGroupClass": "INFREQUENT_ACCESS" }),
    ];
    for group in groups {
        world.call("logs:CreateLogGroup", group).await.expect("created");
    }
    let expected = expect![[r#"
        {
          "logGroups": [
            {
              "logGroupArn": "arn:aws:logs:us-east-1:000000000000:log-group:my-discovery",
              "logGroupClass": "INFREQUENT_ACCESS",
              "logGroupName": "my-discovery"
            }
          ]
        }"#]];
    let by_class = json!({ "logGroupClass": "INFREQUENT_ACCESS" });
    world.check("logs:ListLogGroups", by_class, expected).await;
    let all = ["/aws/lambda/one", "/aws/lambda/two", "my-discovery"];
    for (input, names) in [
        (json!({}), &all[..]),
        (json!({ "logGroupNamePattern": "^/aws/lambda|discovery" }), &all),
        (json!({ "logGroupNamePattern": "^lambda" }), &[]),
        (json!({ "logGroupTags": [{ "key": "stage" }] }), &all[..2]),
        (json!({ "logGroupTags": [{ "key": "stage", "values": ["prod*"] }] }), &all[..1]),
        (json!({ "logGroupTags": [{ "key": "stage" }, { "key": "team" }] }), &all[1..2]),
        (json!({ "includeLinkedAccounts": true }), &all),
        (json!({ "includeLinkedAccounts": true, "accountIdentifiers": [ACCOUNT] }), &all),
        (json!({ "includeLinkedAccounts": true, "accountIdentifiers": ["111111111111"] }), &[]),
    ] {
        let text = input.to_string();
        let page = world.call("logs:ListLogGroups", input).await.expect("a page");
        let found = page["logGroups"].as_array().expect("groups").iter();
        let found: Vec<_> = found.map(|group| group["logGroupName"].clone()).collect();
        assert_eq!(found, names, "{text}");
    }
    let page = world.call("logs:ListLogGroups", json!({ "limit": 2 })).await.expect("a page");
    assert_eq!(page["logGroups"].as_array().map(Vec::len), Some(2));
    let rest = json!({ "limit": 2, "nextToken": page["nextToken"] });
    let page = world.call("logs:ListLogGroups", rest).await.expect("a page");
    assert_eq!(page["logGroups"][0]["logGroupName"], "my-discovery");
    assert_eq!(page["nextToken"], json!(null));
}

#[tokio::test]
async fn listing_refuses_what_it_cannot_honour() {
    let world = World::new(SERVICES);
    let expected = expect!["InvalidParameterException: The specified nextToken is invalid."];
    world.check("logs:ListLogGroups", json!({ "nextToken": "zz" }), expected).await;
    let expected = expect![
        "InvalidParameterException: 1 validation error detected: Value '1001' at 'limit' failed to satisfy constraint: Member must have value less than or equal to 1000"
    ];
    world.check("logs:ListLogGroups", json!({ "limit": 1001 }), expected).await;
    let expected = expect![[
        r#"InvalidParameterException: 1 validation error detected: Value 'a*b' at 'logGroupNamePattern' failed to satisfy constraint: Member must satisfy regular expression pattern: (\^?[\.\-_\/#A-Za-z0-9]{3,24})(\|\^?[\.\-_\/#A-Za-z0-9]{3,24}){0,4}"#
    ]];
    world.check("logs:ListLogGroups", json!({ "logGroupNamePattern": "a*b" }), expected).await;
    let expected = expect![
        "NotImplemented: Fogbank does not implement logs:ListLogGroups with dataSources or fieldIndexNames yet; see COMPATIBILITY.md."
    ];
    let by_index = json!({ "fieldIndexNames": ["requestId"] });
    world.check("logs:ListLogGroups", by_index, expected).await;
    let kind = PrincipalKind::User { name: "nobody".to_owned() };
    let arn = format!("arn:aws:iam::{ACCOUNT}:user/nobody");
    let nobody = Principal { kind, arn, ..Principal::root(ACCOUNT) };
    let expected = expect![
        "AccessDenied: User: arn:aws:iam::000000000000:user/nobody is not authorized to perform: logs:ListLogGroups because no identity-based policy allows the logs:ListLogGroups action"
    ];
    let refused = world.call_as(nobody, "logs:ListLogGroups", json!({})).await;
    expected.assert_eq(&refused.expect_err("not allowed").to_string());
}

#[tokio::test]
async fn streams_are_listed_by_time_in_pages() {
    let world = World::new(SERVICES);
    world.call("logs:CreateLogGroup", json!({ "logGroupName": "g" })).await.expect("created");
    for (name, offset) in [("a", 30), ("b", 10), ("c", 20), ("d", 20), ("e", 0)] {
        let mut input = json!({ "logGroupName": "g", "logStreamName": name });
        world.call("logs:CreateLogStream", input.clone()).await.expect("created");
        if offset > 0 {
            input["logEvents"] = json!([{ "timestamp": super::NOW + offset, "message": "x" }]);
            world.call("logs:PutLogEvents", input).await.expect("put");
        }
    }
    for (descending, expected) in [(false, "ebcda"), (true, "adcbe")] {
        let mut seen = String::new();
        let mut token = json!(null);
        loop {
            let input = json!({
                "logGroupName": "g", "orderBy": "LastEventTime", "descending": descending,
                "limit": 2, "nextToken": token,
            });
            let page = world.call("logs:DescribeLogStreams", input).await.expect("a page");
            let streams = page["logStreams"].as_array().expect("streams");
            assert!(streams.len() <= 2);
            seen.extend(streams.iter().filter_map(|stream| stream["logStreamName"].as_str()));
            token = page["nextToken"].clone();
            if token.is_null() {
                break;
            }
        }
        assert_eq!(seen, expected);
    }
    let prefixed = json!({ "logGroupName": "g", "logStreamNamePrefix": "d", "descending": true });
    let page = world.call("logs:DescribeLogStreams", prefixed).await.expect("a page");
    assert_eq!(page["logStreams"].as_array().map(Vec::len), Some(1));
}
