//! Connections and API destinations.

use fogbank_testkit::{ACCOUNT, Value, World, json};

use super::{SERVICES, call, error, queue, queue_arn, received, role, rule, send, target};
use crate::SERVICE;

fn connection(kind: &str, parameters: Value) -> Value {
    json!({"Name": "c", "AuthorizationType": kind, "AuthParameters": parameters})
}

fn basic() -> Value {
    connection(
        "BASIC",
        json!({
            "BasicAuthParameters": {"Username": "ann", "Password": "hidden-word"},
            "InvocationHttpParameters": {"HeaderParameters": [
                {"Key": "x-open", "Value": "1", "IsValueSecret": false},
                {"Key": "x-hidden", "Value": "hidden-word", "IsValueSecret": true},
            ]},
        }),
    )
}

#[tokio::test]
async fn secrets_are_neither_shown_nor_lie_open() {
    let world = World::new(SERVICES);
    let made = call(&world, "CreateConnection", basic()).await;
    assert_eq!(made["ConnectionState"], "AUTHORIZED");
    let arn = made["ConnectionArn"].as_str().expect("an ARN");
    assert!(arn.starts_with(&format!("arn:aws:events:us-east-1:{ACCOUNT}:connection/c/")), "{arn}");
    let shown = call(&world, "DescribeConnection", json!({"Name": "c"})).await;
    let parameters = &shown["AuthParameters"];
    assert_eq!(parameters["BasicAuthParameters"], json!({"Username": "ann"}));
    assert_eq!(
        parameters["InvocationHttpParameters"]["HeaderParameters"],
        json!([
            {"Key": "x-open", "Value": "1", "IsValueSecret": false},
            {"Key": "x-hidden", "IsValueSecret": true},
        ])
    );
    let word = b"hidden-word";
    for (key, bytes) in world.rows(&SERVICE) {
        assert!(!bytes.windows(word.len()).any(|window| window == word), "{key}");
    }
    let changed = json!({
        "Name": "c", "AuthParameters": {"BasicAuthParameters": {"Username": "bob"}},
    });
    call(&world, "UpdateConnection", changed).await;
    let shown = call(&world, "DescribeConnection", json!({"Name": "c"})).await;
    assert_eq!(shown["AuthParameters"]["BasicAuthParameters"]["Username"], "bob");
    assert!(shown["AuthParameters"]["InvocationHttpParameters"].is_object());
    call(&world, "DeauthorizeConnection", json!({"Name": "c"})).await;
    let shown = call(&world, "DescribeConnection", json!({"Name": "c"})).await;
    assert_eq!(shown["ConnectionState"], "DEAUTHORIZED");
    assert!(shown["AuthParameters"].is_null());
    let listed = call(&world, "ListConnections", json!({"ConnectionState": "DEAUTHORIZED"})).await;
    assert_eq!(listed["Connections"].as_array().expect("connections").len(), 1);
    let deleted = call(&world, "DeleteConnection", json!({"Name": "c"})).await;
    assert_eq!(deleted["ConnectionState"], "DELETING");
    assert_eq!(
        error(&world, "DescribeConnection", json!({"Name": "c"})).await,
        "ResourceNotFoundException: Connection 'c' does not exist."
    );
}

#[tokio::test]
async fn what_is_no_connection() {
    let world = World::new(SERVICES);
    let without =
        connection("API_KEY", json!({"BasicAuthParameters": {"Username": "a", "Password": "b"}}));
    let refused = error(&world, "CreateConnection", without).await;
    assert!(refused.contains("ApiKeyAuthParameters must be specified"), "{refused}");
    call(&world, "CreateConnection", basic()).await;
    let refused = error(&world, "CreateConnection", basic()).await;
    assert_eq!(refused, "ResourceAlreadyExistsException: Connection c already exists.");
    let mut sealed = basic();
    sealed["Name"] = json!("d");
    sealed["KmsKeyIdentifier"] = json!("alias/k");
    assert!(error(&world, "CreateConnection", sealed).await.starts_with("NotImplemented"));
}

#[tokio::test]
async fn destinations_live() {
    let world = World::new(SERVICES);
    let connection = call(&world, "CreateConnection", basic()).await["ConnectionArn"].clone();
    let input = json!({
        "Name": "d", "ConnectionArn": connection, "HttpMethod": "POST",
        "InvocationEndpoint": "https://example.com/orders/*",
    });
    let made = call(&world, "CreateApiDestination", input.clone()).await;
    assert_eq!(made["ApiDestinationState"], "ACTIVE");
    let shown = call(&world, "DescribeApiDestination", json!({"Name": "d"})).await;
    assert_eq!(shown["InvocationRateLimitPerSecond"], 300);
    assert_eq!(shown["ApiDestinationArn"], made["ApiDestinationArn"]);
    call(&world, "UpdateApiDestination", json!({"Name": "d", "HttpMethod": "PUT"})).await;
    call(&world, "DeauthorizeConnection", json!({"Name": "c"})).await;
    let listed = call(&world, "ListApiDestinations", json!({"ConnectionArn": connection})).await;
    assert_eq!(listed["ApiDestinations"][0]["HttpMethod"], "PUT");
    assert_eq!(listed["ApiDestinations"][0]["ApiDestinationState"], "INACTIVE");
    let refused = error(&world, "CreateApiDestination", input).await;
    assert_eq!(refused, "ResourceAlreadyExistsException: An api-destination 'd' already exists.");
    call(&world, "DeleteApiDestination", json!({"Name": "d"})).await;
    assert_eq!(
        error(&world, "DescribeApiDestination", json!({"Name": "d"})).await,
        "ResourceNotFoundException: An api-destination 'd' does not exist."
    );
}

#[tokio::test]
async fn a_destination_wants_a_role_that_may_and_a_connection_that_is_authorized() {
    let world = World::new(SERVICES);
    queue(&world, "dead", json!({})).await;
    let connection = call(&world, "CreateConnection", basic()).await["ConnectionArn"].clone();
    let input = json!({
        "Name": "d", "ConnectionArn": connection, "HttpMethod": "POST",
        "InvocationEndpoint": "http://127.0.0.1:9/",
    });
    let made = call(&world, "CreateApiDestination", input).await;
    let arn = made["ApiDestinationArn"].as_str().expect("an ARN").to_owned();
    rule(&world, "r", json!({"source": ["shop"]})).await;
    let bare = json!({"Rule": "r", "Targets": [{"Id": "t", "Arn": arn}]});
    let refused = error(&world, "PutTargets", bare).await;
    assert_eq!(refused, format!("ValidationException: RoleArn is required for target {arn}."));
    let may_not = role(&world, "may-not", "events:PutEvents").await;
    let may = role(&world, "may", "events:InvokeApiDestination").await;
    call(&world, "DeauthorizeConnection", json!({"Name": "c"})).await;
    for (role, code) in [(may_not, "NO_PERMISSIONS"), (may, "NO_PERMISSIONS")] {
        let dead = json!({"Arn": queue_arn(ACCOUNT, "dead")});
        target(&world, "r", &arn, json!({"RoleArn": role, "DeadLetterConfig": dead})).await;
        send(&world, json!({}), json!({})).await;
        let letters = received(&world, "dead", 1).await;
        assert_eq!(letters[0]["MessageAttributes"]["ERROR_CODE"]["StringValue"], code);
    }
}
