//! The control plane.

use fogbank_testkit::{World, expect, json};

use super::SERVICES;

const FUNCTION: &str = "arn:aws:lambda:us-east-1:000000000000:function:f";

#[tokio::test]
async fn quick_create_makes_a_whole_api() {
    let world = World::new(SERVICES);
    let input = json!({ "Name": "a", "ProtocolType": "HTTP", "Target": FUNCTION });
    let api = world.call("apigatewayv2:CreateApi", input).await.expect("created");
    let id = api["ApiId"].as_str().expect("an id");
    assert_eq!(api["ApiEndpoint"], format!("http://127.0.0.1:4566/_aws/execute-api/{id}"));
    let named = json!({ "ApiId": id });
    let routes = world.call("apigatewayv2:GetRoutes", named.clone()).await.expect("routes");
    assert_eq!(routes["Items"][0]["RouteKey"], "$default");
    let stages = world.call("apigatewayv2:GetStages", named.clone()).await.expect("stages");
    assert_eq!(stages["Items"][0]["StageName"], "$default");
    assert_eq!(stages["Items"][0]["AutoDeploy"], true);
    let integrations = world.call("apigatewayv2:GetIntegrations", named.clone()).await;
    let integrations = integrations.expect("integrations");
    assert_eq!(integrations["Items"][0]["PayloadFormatVersion"], "2.0");
    world.call("apigatewayv2:DeleteApi", named.clone()).await.expect("deleted");
    let gone = world.call("apigatewayv2:GetApi", named).await.expect_err("gone");
    let expected = format!("Invalid API identifier specified 000000000000:{id}");
    assert_eq!((gone.name(), gone.message()), ("NotFoundException", expected.as_str()));
}

#[tokio::test]
async fn what_is_not_there_yet_is_refused() {
    let world = World::new(SERVICES);
    let socket = json!({ "Name": "a", "ProtocolType": "WEBSOCKET" });
    let refused = world.call("apigatewayv2:CreateApi", socket).await.expect_err("refused");
    assert_eq!(refused.name(), "NotImplemented");
    let api = json!({ "Name": "a", "ProtocolType": "HTTP" });
    let api = world.call("apigatewayv2:CreateApi", api).await.expect("created");
    let id = &api["ApiId"];
    let input = json!({ "ApiId": id, "RouteKey": "GET /", "AuthorizationType": "JWT" });
    let refused = world.call("apigatewayv2:CreateRoute", input).await.expect_err("refused");
    assert_eq!(refused.name(), "NotImplemented");
    let input = json!({ "ApiId": id, "RouteKey": "GET photos" });
    let refused = world.call("apigatewayv2:CreateRoute", input).await.expect_err("refused");
    assert_eq!(refused.name(), "BadRequestException");
}

#[tokio::test]
async fn route_keys_are_unique_and_integrations_are_kept_while_used() {
    let world = World::new(SERVICES);
    let api = json!({ "Name": "a", "ProtocolType": "HTTP" });
    let api = world.call("apigatewayv2:CreateApi", api).await.expect("created");
    let id = api["ApiId"].clone();
    let input = json!({
        "ApiId": id, "IntegrationType": "AWS_PROXY", "IntegrationUri": FUNCTION,
        "PayloadFormatVersion": "2.0",
    });
    let made = world.call("apigatewayv2:CreateIntegration", input).await.expect("created");
    let integration = made["IntegrationId"].as_str().expect("an id").to_owned();
    let route = json!({
        "ApiId": id, "RouteKey": "GET /photos", "Target": format!("integrations/{integration}"),
    });
    world.call("apigatewayv2:CreateRoute", route.clone()).await.expect("created");
    let again =
        expect!["ConflictException: Route with key GET /photos already exists for this API"];
    world.check("apigatewayv2:CreateRoute", route, again).await;
    let input = json!({ "ApiId": id, "IntegrationId": integration });
    let kept = world.call("apigatewayv2:DeleteIntegration", input).await.expect_err("kept");
    assert_eq!(kept.name(), "ConflictException");
}
