//! Credentials on the wire: signed, with and without their token, until they end.

use fogbank_core::bytes::Bytes;
use fogbank_core::{Body, HttpRequest};
use fogbank_identity::rows::SESSIONS;
use fogbank_sigv4::sign::Signer;
use fogbank_sigv4::{RequestView, Rules};
use fogbank_testkit::{Value, World, json};
use http::{HeaderMap, HeaderValue};
use sha2::{Digest, Sha256};

use super::{allow, asked, assume, good, role, session, trust, user, world};

pub(super) struct Key {
    id: String,
    secret: String,
    token: Option<String>,
}

impl Key {
    pub(super) fn of(credentials: &Value) -> Key {
        let text = |name: &str| credentials[name].as_str().map(str::to_owned);
        Key {
            id: text("AccessKeyId").expect("an id"),
            secret: text("SecretAccessKey").expect("a secret"),
            token: text("SessionToken"),
        }
    }
}

/// Sends a form to a service: the status and the body.
pub(super) async fn send(world: &World, key: &Key, service: &str, form: &str) -> (u16, String) {
    let mut headers = HeaderMap::new();
    let form_type = "application/x-www-form-urlencoded; charset=utf-8";
    headers.insert("content-type", HeaderValue::from_static(form_type));
    headers.insert("host", HeaderValue::from_static("127.0.0.1:4566"));
    let signer = Signer {
        access_key_id: &key.id,
        secret: &key.secret,
        session_token: key.token.as_deref(),
        region: "us-east-1",
        service,
        rules: Rules::Other,
    };
    let view = RequestView {
        method: "POST",
        raw_path: "/",
        raw_query: "",
        host: "127.0.0.1:4566",
        headers: &HeaderMap::new(),
    };
    let hash = hex::encode(Sha256::digest(form));
    // Clients sign by their own clocks, whatever the cloud's shows.
    let now = world.clock().machine_now().secs();
    signer.sign(&view, &mut headers, &hash, now).expect("a signature");
    let mut request = HttpRequest::new(Body::from(Bytes::from(form.to_owned())));
    *request.method_mut() = http::Method::POST;
    *request.uri_mut() = "/".parse().expect("a path");
    *request.headers_mut() = headers;
    let response = world.http(request).await;
    let status = response.status().as_u16();
    let body = response.into_body().collect(1 << 20).await.expect("a body");
    (status, String::from_utf8_lossy(&body).into_owned())
}

const WHO: &str = "Action=GetCallerIdentity&Version=2011-06-15";

#[tokio::test]
async fn a_users_key_works_until_it_is_inactive() {
    let world = world();
    let ann = user(&world, "ann", allow("iam:GetUser", "*")).await;
    let made = good(&world, "iam:CreateAccessKey", json!({"UserName": "ann"})).await;
    let key = Key::of(&made["AccessKey"]);
    let (status, body) = send(&world, &key, "sts", WHO).await;
    assert_eq!(status, 200, "{body}");
    assert!(body.contains(&format!("<Arn>{}</Arn>", ann.arn)), "{body}");
    let (status, body) = send(&world, &key, "iam", "Action=GetUser&Version=2010-05-08").await;
    assert!(status == 200 && body.contains("<UserName>ann</UserName>"), "{body}");
    let (status, body) = send(&world, &key, "iam", "Action=ListUsers&Version=2010-05-08").await;
    assert!(status == 403 && body.contains("<Code>AccessDenied</Code>"), "{body}");
    let wrong = Key { secret: "wrong".to_owned(), id: key.id.clone(), token: None };
    let (status, body) = send(&world, &wrong, "sts", WHO).await;
    assert!(status == 403 && body.contains("<Code>SignatureDoesNotMatch</Code>"), "{body}");
    let input = json!({"UserName": "ann", "AccessKeyId": key.id, "Status": "Inactive"});
    good(&world, "iam:UpdateAccessKey", input).await;
    let (status, body) = send(&world, &key, "sts", WHO).await;
    assert!(status == 403 && body.contains("<Code>InvalidClientTokenId</Code>"), "{body}");
}

#[tokio::test]
async fn a_roles_session_needs_its_token_and_ends() {
    let world = world();
    let ann = user(&world, "ann", Value::Null).await;
    role(&world, "r", trust(&ann.arn), allow("iam:ListUsers", "*")).await;
    let output = assume(&world, &ann, asked()).await.expect("trusted");
    let key = Key::of(&output["Credentials"]);
    let (status, body) = send(&world, &key, "sts", WHO).await;
    assert!(status == 200 && body.contains(":assumed-role/r/s1</Arn>"), "{body}");
    let (status, _) = send(&world, &key, "iam", "Action=ListUsers&Version=2010-05-08").await;
    assert_eq!(status, 200);
    let without = Key { token: None, id: key.id.clone(), secret: key.secret.clone() };
    let (status, body) = send(&world, &without, "sts", WHO).await;
    assert!(status == 403 && body.contains("<Code>InvalidClientTokenId</Code>"), "{body}");
    world.clock().advance(3_599_000);
    assert_eq!(send(&world, &key, "sts", WHO).await.0, 200);
    world.clock().advance(1_000);
    let (status, body) = send(&world, &key, "sts", WHO).await;
    assert!(status == 403 && body.contains("<Code>ExpiredToken</Code>"), "{body}");
}

#[tokio::test]
async fn a_deleted_role_ends_its_sessions() {
    let world = world();
    let ann = user(&world, "ann", Value::Null).await;
    role(&world, "r", trust(&ann.arn), allow("iam:ListUsers", "*")).await;
    let output = assume(&world, &ann, asked()).await.expect("trusted");
    let key = Key::of(&output["Credentials"]);
    good(&world, "iam:DeleteRolePolicy", json!({"RoleName": "r", "PolicyName": "own"})).await;
    good(&world, "iam:DeleteRole", json!({"RoleName": "r"})).await;
    assert_eq!(send(&world, &key, "sts", WHO).await.0, 403);
}

#[tokio::test]
async fn a_users_session_is_the_user_but_for_iam() {
    let world = world();
    let ann = user(&world, "ann", allow("*", "*")).await;
    let ask = |who, input| world.call_as(who, "sts:GetSessionToken", input);
    let output = ask(ann.clone(), json!({"DurationSeconds": 900})).await.expect("everybody may");
    assert_eq!(output["Credentials"]["Expiration"], 1_767_225_600 + 900);
    let key = Key::of(&output["Credentials"]);
    let (status, body) = send(&world, &key, "sts", WHO).await;
    assert!(status == 200 && body.contains(&ann.arn), "{body}");
    let (status, body) = send(&world, &key, "iam", "Action=ListUsers&Version=2010-05-08").await;
    assert!(status == 403 && body.contains("<Code>InvalidClientTokenId</Code>"), "{body}");
    let refused = ask(session(&world, &output), json!({})).await.expect_err("a session");
    assert_eq!(refused.message(), "Cannot call GetSessionToken with session credentials");
    let with_device =
        json!({"SerialNumber": "arn:aws:iam::000000000000:mfa/x", "TokenCode": "123456"});
    assert_eq!(ask(ann, with_device).await.expect_err("no device").name(), "AccessDenied");
    let long = good(&world, "sts:GetSessionToken", json!({"MinimumSessionTokenSize": 2048})).await;
    assert_eq!(long["Credentials"]["Expiration"], 1_767_225_600 + 3600, "the root's is short");
    assert_eq!(
        (&long["SessionTokenSize"], &long["SessionTokenUtilization"]),
        (&json!(2048), &json!(50))
    );
    let (status, body) = send(&world, &Key::of(&long["Credentials"]), "sts", WHO).await;
    assert!(status == 200 && body.contains(":root</Arn>"), "{body}");
}

#[tokio::test]
async fn ended_sessions_are_forgotten_a_day_later() {
    let world = world();
    let output = good(&world, "sts:GetSessionToken", json!({"DurationSeconds": 900})).await;
    let id = output["Credentials"]["AccessKeyId"].as_str().expect("an id").to_owned();
    let exists = || {
        let found = world.cloud().db().read(|rows| SESSIONS.contains(rows, &id));
        found.expect("the engine in memory reads")
    };
    let run = || {
        let cx = fogbank_core::Cx::background(world.cloud().clone(), "sts", "Test");
        (crate::SERVICE.tasks[0].run)(cx)
    };
    world.clock().advance(23 * 3_600_000);
    run().await.expect("a round");
    assert!(exists());
    world.clock().advance(2 * 3_600_000);
    run().await.expect("a round");
    assert!(!exists());
}
