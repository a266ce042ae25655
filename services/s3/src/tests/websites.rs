//! Websites: what may be set, and what visitors see.

use fogbank_core::Body;
use fogbank_testkit::{Value, World, expect, json};

use super::{call, put, refused, send, with_bucket};

const HOST: &str = "photos.s3-website.us-east-1.localhost:4566";

async fn configure(world: &World, site: Value) -> Result<Value, fogbank_core::Fault> {
    call(world, "PutBucketWebsite", json!({"WebsiteConfiguration": site})).await
}

/// A website that everybody may read.
async fn site() -> World {
    let world = with_bucket().await;
    call(&world, "DeletePublicAccessBlock", json!({})).await.expect("open");
    let policy = json!({"Version": "2012-10-17", "Statement": [{
        "Effect": "Allow", "Principal": "*", "Action": "s3:GetObject",
        "Resource": "arn:aws:s3:::photos/*",
    }]});
    call(&world, "PutBucketPolicy", json!({"Policy": policy.to_string()})).await.expect("public");
    for key in ["index.html", "docs/index.html", "a b.html"] {
        put(&world, key, format!("<{key}>")).await;
    }
    world
}

/// What a visitor sees: status, some headers and the page.
async fn visit(world: &World, line: &str) -> String {
    visit_at(world, HOST, line, &[]).await
}

async fn visit_at(world: &World, host: &str, line: &str, headers: &[(&str, &str)]) -> String {
    let (method, uri) = line.split_once(' ').expect("a method and a path");
    let mut request = http::Request::builder().method(method).uri(uri).header("host", host);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let response = world.http(request.body(Body::empty()).expect("a request")).await;
    let id = response.headers()["x-amz-request-id"].to_str().expect("an id").to_owned();
    let mut text = response.status().as_u16().to_string();
    for name in ["location", "x-amz-error-code", "access-control-allow-origin", "content-range"] {
        if let Some(value) = response.headers().get(name) {
            text += &format!(" {name}: {}", value.to_str().expect("text"));
        }
    }
    let body = response.into_body().collect(1 << 20).await.expect("a page");
    format!("{text} {}", String::from_utf8_lossy(&body).replace(&id, "ID"))
}

#[tokio::test]
async fn configurations_are_kept_and_checked() {
    let world = with_bucket().await;
    let site = json!({
        "IndexDocument": {"Suffix": "index.html"}, "ErrorDocument": {"Key": "error.html"},
        "RoutingRules": [{
            "Condition": {"KeyPrefixEquals": "old/"}, "Redirect": {"ReplaceKeyPrefixWith": "new/"},
        }],
    });
    configure(&world, site.clone()).await.expect("set");
    assert_eq!(call(&world, "GetBucketWebsite", json!({})).await.expect("a site"), site);
    call(&world, "DeleteBucketWebsite", json!({})).await.expect("removed");
    let outcome = refused(call(&world, "GetBucketWebsite", json!({})).await);
    assert!(outcome.starts_with("NoSuchWebsiteConfiguration: "));
    let index = json!({"Suffix": "i"});
    let with_rule = |rule: Value| json!({"IndexDocument": index, "RoutingRules": [rule]});
    for (site, expected) in [
        (json!({}), "InvalidArgument: A value for IndexDocument Suffix must be provided"),
        (json!({"IndexDocument": {"Suffix": "a/b"}}), "InvalidArgument: The IndexDocument Suffix"),
        (
            json!({"IndexDocument": index, "RedirectAllRequestsTo": {"HostName": "h"}}),
            "InvalidArgument: RedirectAllRequestsTo cannot be provided in conjunction",
        ),
        (
            with_rule(json!({"Condition": {}, "Redirect": {"HostName": "h"}})),
            "InvalidRequest: Condition cannot be empty.",
        ),
        (
            with_rule(json!({"Redirect": {"ReplaceKeyWith": "a", "ReplaceKeyPrefixWith": "b"}})),
            "InvalidRequest: You can only define ReplaceKeyPrefix or ReplaceKey but not both.",
        ),
        (
            with_rule(json!({"Redirect": {"HttpRedirectCode": "200"}})),
            "InvalidRequest: The provided HTTP redirect code (200) is not valid.",
        ),
        (with_rule(json!({"Redirect": {"Protocol": "ftp"}})), "InvalidRequest: Invalid protocol, "),
        (
            json!({"RedirectAllRequestsTo": {"HostName": "h", "Protocol": "ftp"}}),
            "InvalidRequest: Invalid protocol, protocol can be http or https. If not defined the",
        ),
        (json!({"IndexDocument": index, "RoutingRules": []}), "MalformedXML: "),
    ] {
        let outcome = refused(configure(&world, site.clone()).await);
        assert!(outcome.starts_with(expected), "{site}: {outcome}");
    }
}

#[tokio::test]
async fn visitors_see_documents() {
    let world = site().await;
    expect![[r#"
        404 x-amz-error-code: NoSuchWebsiteConfiguration <html>
        <head><title>404 Not Found</title></head>
        <body>
        <h1>404 Not Found</h1>
        <ul>
        <li>Code: NoSuchWebsiteConfiguration</li>
        <li>Message: The specified bucket does not have a website configuration</li>
        <li>BucketName: photos</li>
        <li>RequestId: ID</li>
        <li>HostId: ID</li>
        </ul>
        <hr/>
        </body>
        </html>
    "#]]
    .assert_eq(&visit(&world, "GET /").await);
    configure(&world, json!({"IndexDocument": {"Suffix": "index.html"}})).await.expect("set");
    assert_eq!(visit(&world, "GET /").await, "200 <index.html>");
    assert_eq!(visit(&world, "GET /docs/").await, "200 <docs/index.html>");
    assert_eq!(visit(&world, "GET /docs").await, "302 location: /docs/ ");
    assert_eq!(visit(&world, "GET /a%20b.html?x=1").await, "200 <a b.html>");
    assert_eq!(visit(&world, "HEAD /a%20b.html").await, "200 ");
    let part = [("range", "bytes=0-1")];
    assert_eq!(
        visit_at(&world, HOST, "GET /index.html", &part).await,
        "206 content-range: bytes 0-1/12 <i"
    );
    let path = "127.0.0.1:4566";
    assert_eq!(visit_at(&world, path, "GET /_website/photos/", &[]).await, "200 <index.html>");
    assert_eq!(
        visit_at(&world, path, "GET /_website/photos/docs", &[]).await,
        "302 location: /_website/photos/docs/ "
    );
    expect![[r#"
        405 x-amz-error-code: MethodNotAllowed <html>
        <head><title>405 Method Not Allowed</title></head>
        <body>
        <h1>405 Method Not Allowed</h1>
        <ul>
        <li>Code: MethodNotAllowed</li>
        <li>Message: The specified method is not allowed against this resource.</li>
        <li>Method: POST</li>
        <li>ResourceType: OBJECT</li>
        <li>RequestId: ID</li>
        <li>HostId: ID</li>
        </ul>
        <hr/>
        </body>
        </html>
    "#]]
    .assert_eq(&visit(&world, "POST /").await);
    let nowhere = "nowhere.s3-website.us-east-1.localhost";
    let page = visit_at(&world, nowhere, "GET /", &[]).await;
    assert!(page.starts_with("404 x-amz-error-code: NoSuchBucket <html>"), "{page}");
}

#[tokio::test]
async fn what_is_missing_has_an_error_document_or_a_page_of_s3() {
    let world = site().await;
    let site = json!({
        "IndexDocument": {"Suffix": "index.html"}, "ErrorDocument": {"Key": "error.html"},
    });
    configure(&world, site).await.expect("set");
    // Who may not list the bucket does not learn that nothing is there.
    expect![[r#"
        403 x-amz-error-code: AccessDenied <html>
        <head><title>403 Forbidden</title></head>
        <body>
        <h1>403 Forbidden</h1>
        <ul>
        <li>Code: AccessDenied</li>
        <li>Message: Access Denied</li>
        <li>RequestId: ID</li>
        <li>HostId: ID</li>
        </ul>
        <h3>An Error Occurred While Attempting to Retrieve a Custom Error Document</h3>
        <ul>
        <li>Code: AccessDenied</li>
        <li>Message: Access Denied</li>
        </ul>
        <hr/>
        </body>
        </html>
    "#]]
    .assert_eq(&visit(&world, "GET /no%3Cne").await);
    put(&world, "error.html", "sorry".to_owned()).await;
    assert_eq!(visit(&world, "GET /none").await, "403 x-amz-error-code: AccessDenied sorry");
    call(&world, "DeleteBucketPolicy", json!({})).await.expect("closed");
    let page = visit(&world, "GET /index.html").await;
    assert!(page.starts_with("403 x-amz-error-code: AccessDenied <html>"), "{page}");
}

#[tokio::test]
async fn redirections() {
    let world = site().await;
    let moved = json!({"Key": "moved", "WebsiteRedirectLocation": "/docs/"});
    send(&world, "PutObject", moved, String::new()).await.expect("written");
    let site = json!({
        "IndexDocument": {"Suffix": "index.html"},
        "RoutingRules": [
            {"Condition": {"KeyPrefixEquals": "old/"}, "Redirect": {"ReplaceKeyPrefixWith": "docs/"}},
            {
                "Condition": {"HttpErrorCodeReturnedEquals": "403"},
                "Redirect": {"HostName": "example.org", "ReplaceKeyWith": "?", "HttpRedirectCode": "302"},
            },
        ],
    });
    configure(&world, site).await.expect("set");
    assert_eq!(visit(&world, "GET /moved").await, "301 location: /docs/ ");
    assert_eq!(visit(&world, "GET /old/x").await, format!("301 location: http://{HOST}/docs/x "));
    let place = "302 location: http://example.org/%3F x-amz-error-code: AccessDenied ";
    assert_eq!(
        visit(&world, "GET /none").await,
        place.replace(" x-amz-error-code: AccessDenied", "")
    );
    let all = json!({"RedirectAllRequestsTo": {"HostName": "example.org", "Protocol": "https"}});
    configure(&world, all).await.expect("set");
    let told = visit(&world, "GET /a/b?c=d").await;
    assert_eq!(told, "301 location: https://example.org/a/b?c=d ");
}

#[tokio::test]
async fn pages_of_other_origins_read_what_the_rules_allow() {
    let world = site().await;
    configure(&world, json!({"IndexDocument": {"Suffix": "index.html"}})).await.expect("set");
    let rules = json!([{"AllowedMethods": ["GET"], "AllowedOrigins": ["*"]}]);
    let input = json!({"CORSConfiguration": {"CORSRules": rules}});
    call(&world, "PutBucketCors", input).await.expect("set");
    let origin = [("origin", "https://page.example"), ("access-control-request-method", "GET")];
    let told = visit_at(&world, HOST, "OPTIONS /", &origin).await;
    assert_eq!(told, "200 access-control-allow-origin: * ");
    let told = visit_at(&world, HOST, "GET /", &origin[..1]).await;
    assert_eq!(told, "200 access-control-allow-origin: * <index.html>");
}
