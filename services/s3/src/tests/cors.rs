//! Pages of other origins: what rules may be set, preflights, and the headers of actual answers.

use fogbank_core::Body;
use fogbank_testkit::{Value, World, expect, json};

use super::http::{public, request};
use super::{call, put, refused, with_bucket};

async fn configure(world: &World, rules: Value) -> Result<Value, fogbank_core::Fault> {
    call(world, "PutBucketCors", json!({"CORSConfiguration": {"CORSRules": rules}})).await
}

#[tokio::test]
async fn rules_are_kept_and_removed() {
    let world = with_bucket().await;
    let rules = json!([{
        "ID": "one",
        "AllowedMethods": ["GET", "PUT"],
        "AllowedOrigins": ["https://*.example"],
        "AllowedHeaders": ["x-amz-*"],
        "ExposeHeaders": ["ETag"],
        "MaxAgeSeconds": 3000,
    }]);
    configure(&world, rules.clone()).await.expect("set");
    let found = call(&world, "GetBucketCors", json!({})).await.expect("rules");
    assert_eq!(found["CORSRules"], rules);
    call(&world, "DeleteBucketCors", json!({})).await.expect("removed");
    call(&world, "DeleteBucketCors", json!({})).await.expect("removed again");
    let outcome = call(&world, "GetBucketCors", json!({})).await;
    assert!(refused(outcome).starts_with("NoSuchCORSConfiguration: "));
}

#[tokio::test]
async fn rules_are_checked_in_s3s_words() {
    let world = with_bucket().await;
    let rule = |methods: Value, origins: Value, headers: Value, exposed: Value| {
        json!([{
            "AllowedMethods": methods, "AllowedOrigins": origins, "AllowedHeaders": headers,
            "ExposeHeaders": exposed,
        }])
    };
    for (rules, expected) in [
        (json!([]), "MalformedXML: The XML you provided was not well-formed"),
        (
            rule(json!(["PATCH"]), json!(["*"]), json!([]), json!([])),
            "InvalidRequest: Found unsupported HTTP method in CORS config. Unsupported method is PATCH",
        ),
        (
            rule(json!(["GET"]), json!(["*.a.*"]), json!([]), json!([])),
            "InvalidRequest: AllowedOrigin \"*.a.*\" can not have more than one wildcard.",
        ),
        (
            rule(json!(["GET"]), json!(["*"]), json!(["*-*"]), json!([])),
            "InvalidRequest: AllowedHeader \"*-*\" can not have more than one wildcard.",
        ),
        (
            rule(json!(["GET"]), json!(["*"]), json!([]), json!(["x-*"])),
            "InvalidRequest: ExposeHeader \"x-*\" contains wildcard.",
        ),
        (
            json!(vec![json!({"AllowedMethods": ["GET"], "AllowedOrigins": ["*"]}); 101]),
            "InvalidRequest: The number of CORS rules should not exceed allowed limit of 100 rules.",
        ),
    ] {
        let outcome = refused(configure(&world, rules).await);
        assert!(outcome.starts_with(expected), "{outcome}");
    }
}

/// What a page learns beforehand.
async fn preflight(world: &World, path: &str, headers: &[(&str, &str)]) -> String {
    request(world, &format!("OPTIONS {path}"), headers, Body::empty()).await
}

const ORIGIN: (&str, &str) = ("origin", "https://page.example");

#[tokio::test]
async fn preflights_are_answered_without_a_signature() {
    let world = with_bucket().await;
    expect![[r#"
        400
        content-type: application/xml
        <?xml version="1.0" encoding="UTF-8"?>
        <Error><Code>BadRequest</Code><Message>Insufficient information. Origin request header needed.</Message><RequestId>ID</RequestId><HostId>ID</HostId></Error>"#]].assert_eq(&preflight(&world, "/photos", &[]).await);
    expect![[r#"
        400
        content-type: application/xml
        <?xml version="1.0" encoding="UTF-8"?>
        <Error><Code>BadRequest</Code><Message>Invalid Access-Control-Request-Method: null</Message><RequestId>ID</RequestId><HostId>ID</HostId></Error>"#]].assert_eq(&preflight(&world, "/photos", &[ORIGIN]).await);
    let get = [ORIGIN, ("access-control-request-method", "GET")];
    expect![[r#"
        403
        content-type: application/xml
        <?xml version="1.0" encoding="UTF-8"?>
        <Error><Code>AccessForbidden</Code><Message>CORSResponse: CORS is not enabled for this bucket.</Message><Method>GET</Method><ResourceType>OBJECT</ResourceType><RequestId>ID</RequestId><HostId>ID</HostId></Error>"#]].assert_eq(&preflight(&world, "/photos/a", &get).await);
    expect![[r#"
        403
        content-type: application/xml
        <?xml version="1.0" encoding="UTF-8"?>
        <Error><Code>AccessForbidden</Code><Message>CORSResponse: Bucket not found</Message><Method>GET</Method><ResourceType>BUCKET</ResourceType><RequestId>ID</RequestId><HostId>ID</HostId></Error>"#]].assert_eq(&preflight(&world, "/nowhere", &get).await);
    let rules = json!([
        {"AllowedMethods": ["GET"], "AllowedOrigins": ["https://other.example"]},
        {
            "AllowedMethods": ["GET", "PUT"], "AllowedOrigins": ["https://*.example"],
            "AllowedHeaders": ["Content-*", "authorization"], "ExposeHeaders": ["ETag", "x-amz-id-2"],
            "MaxAgeSeconds": 60,
        },
        {"AllowedMethods": ["HEAD"], "AllowedOrigins": ["*"]},
    ]);
    configure(&world, rules).await.expect("set");
    expect![[r#"
        200
        access-control-allow-origin: https://page.example
        access-control-allow-credentials: true
        access-control-allow-methods: GET, PUT
        access-control-expose-headers: ETag, x-amz-id-2
        access-control-max-age: 60
        vary: Origin, Access-Control-Request-Headers, Access-Control-Request-Method
    "#]]
    .assert_eq(&preflight(&world, "/photos/a", &get).await);
    let put = [
        ORIGIN,
        ("access-control-request-method", "PUT"),
        ("access-control-request-headers", "content-type, Authorization"),
    ];
    expect![[r#"
        200
        access-control-allow-origin: https://page.example
        access-control-allow-credentials: true
        access-control-allow-methods: GET, PUT
        access-control-allow-headers: content-type, authorization
        access-control-expose-headers: ETag, x-amz-id-2
        access-control-max-age: 60
        vary: Origin, Access-Control-Request-Headers, Access-Control-Request-Method
    "#]]
    .assert_eq(&preflight(&world, "/photos/a?X-Amz-Signature=0", &put).await);
    let head = [ORIGIN, ("access-control-request-method", "HEAD")];
    expect![[r#"
        200
        access-control-allow-origin: *
        access-control-allow-methods: HEAD
        vary: Origin, Access-Control-Request-Headers, Access-Control-Request-Method
    "#]]
    .assert_eq(&preflight(&world, "/photos", &head).await);
    let strange = [put[0], put[1], ("access-control-request-headers", "x-strange")];
    expect![[r#"
        403
        content-type: application/xml
        <?xml version="1.0" encoding="UTF-8"?>
        <Error><Code>AccessForbidden</Code><Message>CORSResponse: This CORS request is not allowed. This is usually because the evalution of Origin, request method / Access-Control-Request-Method or Access-Control-Request-Headers are not whitelisted by the resource's CORS spec.</Message><Method>PUT</Method><ResourceType>OBJECT</ResourceType><RequestId>ID</RequestId><HostId>ID</HostId></Error>"#]].assert_eq(&preflight(&world, "/photos/a", &strange).await);
    let delete = [ORIGIN, ("access-control-request-method", "DELETE")];
    expect![[r#"
        403
        content-type: application/xml
        <?xml version="1.0" encoding="UTF-8"?>
        <Error><Code>AccessForbidden</Code><Message>CORSResponse: This CORS request is not allowed. This is usually because the evalution of Origin, request method / Access-Control-Request-Method or Access-Control-Request-Headers are not whitelisted by the resource's CORS spec.</Message><Method>DELETE</Method><ResourceType>BUCKET</ResourceType><RequestId>ID</RequestId><HostId>ID</HostId></Error>"#]].assert_eq(&preflight(&world, "/photos", &delete).await);
}

#[tokio::test]
async fn actual_answers_tell_the_page_that_it_may_read_them() {
    let world = public().await;
    put(&world, "a", "hello".to_owned()).await;
    let rules = json!([{"AllowedMethods": ["GET"], "AllowedOrigins": ["https://*.example"]}]);
    configure(&world, rules).await.expect("set");
    let is_told =
        |answer: &str| answer.contains("access-control-allow-origin: https://page.example");
    for (line, status, expected) in [
        ("GET /photos/a", "200", true),
        ("GET /photos/none", "404", true),
        ("DELETE /photos/none", "204", false),
        ("GET /nowhere/a", "404", false),
    ] {
        let answer = request(&world, line, &[ORIGIN], Body::empty()).await;
        assert!(answer.starts_with(status), "{line}: {answer}");
        assert_eq!(is_told(&answer), expected, "{line}: {answer}");
    }
    let other = [("origin", "https://page.elsewhere")];
    let answer = request(&world, "GET /photos/a", &other, Body::empty()).await;
    assert!(answer.starts_with("200") && !answer.contains("access-control"), "{answer}");
    let answer = request(&world, "GET /photos/a", &[], Body::empty()).await;
    assert!(answer.starts_with("200") && !answer.contains("access-control"), "{answer}");
}
