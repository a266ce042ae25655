//! Fogbank's own calls: who may make them, and what refusals look like.

use std::process::{Command, Output};

use crate::server::{Credentials, Server};

const CLOCK: &str = "/_fogbank/clock";

fn fogbank(server: &Server, credentials: &Credentials<'_>, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_fogbank"))
        .args(arguments)
        .args(["--endpoint", &format!("http://{}", server.authority)])
        .env("AWS_ACCESS_KEY_ID", credentials.access_key_id)
        .env("AWS_SECRET_ACCESS_KEY", credentials.secret)
        .env_remove("AWS_SESSION_TOKEN")
        .output()
        .expect("the command runs")
}

#[test]
fn only_who_signs_and_may_is_answered() {
    let server = Server::ephemeral();
    let unsigned = server.get(CLOCK);
    assert_eq!(unsigned.status, 403, "{unsigned:?}");
    let error: serde_json::Value = serde_json::from_str(&unsigned.body).expect("JSON");
    assert_eq!(error["error"]["code"], "MissingAuthenticationTokenException", "{error}");

    let root = fogbank(&server, &Credentials::ROOT, &["clock", "--json"]);
    assert!(root.status.success(), "{root:?}");
    let wrong = Credentials { access_key_id: "test", secret: "tset" };
    let wrong = fogbank(&server, &wrong, &["clock"]);
    let said = String::from_utf8_lossy(&wrong.stderr).into_owned();
    assert!(said.contains("The request signature we calculated does not match"), "{said}");
    assert_eq!(wrong.status.code(), Some(1));

    let stranger = Credentials { access_key_id: "111122223333", secret: "test" };
    let stranger = fogbank(&server, &stranger, &["clock"]);
    let said = String::from_utf8_lossy(&stranger.stderr).into_owned();
    assert!(said.contains("not authorized to perform: fogbank:ReadClock"), "{said}");

    // A signature for another service opens nothing here.
    let other = server.signed_request("GET", CLOCK, "logs", "");
    let other = server.raw(&other);
    assert!(other.body.contains("scoped to correct service"), "{other:?}");
    let method = server.raw(&server.signed_request("DELETE", CLOCK, "fogbank", ""));
    assert_eq!(method.status, 405, "{method:?}");
    let missing = server.raw(&server.signed_request("GET", "/_fogbank/nothing", "fogbank", ""));
    assert_eq!(missing.status, 404, "{missing:?}");
}

#[test]
fn a_user_needs_a_policy() {
    let server = Server::ephemeral();
    let iam = |query: &str| {
        let answer = server.raw(&server.signed_form("iam", &format!("{query}&Version=2010-05-08")));
        assert_eq!(answer.status, 200, "{answer:?}");
        answer.body
    };
    iam("Action=CreateUser&UserName=ada");
    let key = iam("Action=CreateAccessKey&UserName=ada");
    let element = |name: &str| {
        let rest = key.split(&format!("<{name}>")).nth(1).expect("the element");
        rest.split('<').next().expect("its text").to_owned()
    };
    let (id, secret) = (element("AccessKeyId"), element("SecretAccessKey"));
    let ada = Credentials { access_key_id: &id, secret: &secret };
    let refused = fogbank(&server, &ada, &["clock"]);
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(
        said.contains(
            "User: arn:aws:iam::000000000000:user/ada is not authorized to perform: \
             fogbank:ReadClock because no identity-based policy allows the fogbank:ReadClock action"
        ),
        "{said}"
    );
    let policy = "%7B%22Statement%22%3A%5B%7B%22Effect%22%3A%22Allow%22%2C%22Action%22%3A%22\
                  fogbank%3ARead*%22%2C%22Resource%22%3A%22*%22%7D%5D%2C%22Version%22%3A%22\
                  2012-10-17%22%7D";
    iam(&format!("Action=PutUserPolicy&UserName=ada&PolicyName=clock&PolicyDocument={policy}"));
    let allowed = fogbank(&server, &ada, &["clock"]);
    assert!(allowed.status.success(), "{allowed:?}");
}

#[test]
fn a_server_shows_its_metrics_to_nobody_unsigned() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().to_str().expect("a UTF-8 path");
    let server = Server::start(&["--mode", "server", "--data-dir", path]);
    assert_eq!(server.get("/metrics").status, 403);
    assert_eq!(server.get("/_fogbank/metrics").status, 403);
    assert_eq!(server.get("/_fogbank/outbox/email").status, 404);
    assert_eq!(server.get("/_fogbank/health").status, 200);
}

#[test]
fn an_endpoint_that_nobody_serves_is_named() {
    let output = Command::new(env!("CARGO_BIN_EXE_fogbank"))
        .args(["clock", "--endpoint", "http://127.0.0.1:1"])
        .output()
        .expect("the command runs");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(said.contains("no cloud answers at http://127.0.0.1:1"), "{said}");
    assert_eq!(output.status.code(), Some(1));
}
