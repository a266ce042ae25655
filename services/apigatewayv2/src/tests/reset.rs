//! Removing everything.

use fogbank_core::Principal;
use fogbank_testkit::{ACCOUNT, World, json};

use super::SERVICES;
use crate::SERVICE;

const OTHER: &str = "111122223333";

/// Makes an API with a deployment in an account, and one by quick create.
async fn fill(world: &World, account: &str) {
    let call = async |operation: &str, input| {
        let action = format!("apigatewayv2:{operation}");
        world.call_as(Principal::root(account), &action, input).await.expect("an answer")
    };
    let target = format!("arn:aws:lambda:us-east-1:{account}:function:f");
    let input = json!({"Name": "quick", "ProtocolType": "HTTP", "Target": target});
    call("CreateApi", input).await;
    let api = call("CreateApi", json!({"Name": "slow", "ProtocolType": "HTTP"})).await;
    let id = &api["ApiId"];
    let input = json!({
        "ApiId": id, "IntegrationType": "AWS_PROXY", "IntegrationUri": target,
        "PayloadFormatVersion": "2.0",
    });
    let integration = call("CreateIntegration", input).await;
    let target = format!("integrations/{}", integration["IntegrationId"].as_str().expect("an id"));
    call("CreateRoute", json!({"ApiId": id, "RouteKey": "GET /", "Target": target})).await;
    call("CreateDeployment", json!({"ApiId": id})).await;
    call("CreateStage", json!({"ApiId": id, "StageName": "prod"})).await;
}

#[tokio::test]
async fn a_reset_removes_all_of_an_account_and_nothing_of_others() {
    let world = World::new(SERVICES);
    fill(&world, OTHER).await;
    let others = world.rows(&SERVICE);
    assert_eq!(others.len(), 11, "{:?}", others.keys());
    fill(&world, ACCOUNT).await;
    world.reset(&SERVICE, Some(ACCOUNT)).await;
    let listed = world.call("apigatewayv2:GetApis", json!({})).await.expect("a list");
    assert_eq!(listed, json!({"Items": []}));
    assert_eq!(world.rows(&SERVICE), others);
    fill(&world, ACCOUNT).await;
    world.reset(&SERVICE, None).await;
    assert!(world.rows(&SERVICE).is_empty());
}
