//! The data plane, against an HTTP backend of the test's own.

use fogbank_core::{Body, HttpRequest};
use fogbank_testkit::{World, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use super::SERVICES;

/// Serves one request after another with the first line of each as the body.
async fn backend() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a listener");
    let address = listener.local_addr().expect("an address");
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut bytes = vec![0; 4096];
            let count = stream.read(&mut bytes).await.unwrap_or_default();
            let text = String::from_utf8_lossy(&bytes[..count]).into_owned();
            let line = text.lines().next().unwrap_or_default();
            let head =
                format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\nconnection: close", line.len());
            let _ = stream.write_all(format!("{head}\r\n\r\n{line}").as_bytes()).await;
        }
    });
    format!("http://{address}")
}

async fn send(world: &World, method: &str, path: &str) -> (u16, String) {
    let mut request = HttpRequest::new(Body::empty());
    *request.method_mut() = method.parse().expect("a method");
    *request.uri_mut() = path.parse().expect("a path");
    let host = "127.0.0.1:4566".parse().expect("a host");
    request.headers_mut().insert("host", host);
    let response = world.http(request).await;
    let status = response.status().as_u16();
    let body = response.into_body().collect(1 << 20).await.expect("a body");
    (status, String::from_utf8_lossy(&body).into_owned())
}

#[tokio::test]
async fn requests_reach_a_backend_through_stages() {
    let world = World::new(SERVICES);
    let backend = backend().await;
    let api = json!({ "Name": "a", "ProtocolType": "HTTP" });
    let api = world.call("apigatewayv2:CreateApi", api).await.expect("created");
    let id = api["ApiId"].as_str().expect("an id").to_owned();
    let input = json!({
        "ApiId": id, "IntegrationType": "HTTP_PROXY", "IntegrationMethod": "ANY",
        "IntegrationUri": format!("{backend}/items/{{id}}"),
    });
    let made = world.call("apigatewayv2:CreateIntegration", input).await.expect("created");
    let target = format!("integrations/{}", made["IntegrationId"].as_str().expect("an id"));
    let route = json!({ "ApiId": id, "RouteKey": "GET /photos/{id}", "Target": target });
    world.call("apigatewayv2:CreateRoute", route).await.expect("created");
    let path = format!("/_aws/execute-api/{id}/photos/7?a=b");
    let unpublished = (404, "{\"message\":\"Not Found\"}".to_owned());
    assert_eq!(send(&world, "GET", &path).await, unpublished);
    let stage = json!({ "ApiId": id, "StageName": "$default", "AutoDeploy": true });
    world.call("apigatewayv2:CreateStage", stage).await.expect("created");
    let reached = (200, "GET /items/7?a=b HTTP/1.1".to_owned());
    assert_eq!(send(&world, "GET", &path).await, reached);
    assert_eq!(send(&world, "POST", &path).await, unpublished);
    let frozen = json!({ "ApiId": id, "StageName": "v1" });
    world.call("apigatewayv2:CreateStage", frozen).await.expect("created");
    let v1 = format!("/_aws/execute-api/{id}/v1/photos/7?a=b");
    assert_eq!(send(&world, "GET", &v1).await, unpublished);
    let deployment = json!({ "ApiId": id, "StageName": "v1" });
    world.call("apigatewayv2:CreateDeployment", deployment).await.expect("deployed");
    assert_eq!(send(&world, "GET", &v1).await, reached);
    assert_eq!(send(&world, "GET", "/_aws/execute-api/nothere/x").await.0, 404);
}
