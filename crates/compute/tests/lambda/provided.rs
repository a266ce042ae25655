//! Functions that bring their own runtime.

use std::os::unix::fs::PermissionsExt;

use crate::world::{World, json};
use fogbank_compute::lambda::Ending;
use serde_json::json;

/// A runtime client in a few lines of another language than the bootstrap's.
const CLIENT: &str = r"
import json, os, urllib.request
api = 'http://%s/2018-06-01/runtime/' % os.environ['AWS_LAMBDA_RUNTIME_API']
while True:
    with urllib.request.urlopen(api + 'invocation/next') as answer:
        request_id = answer.headers['Lambda-Runtime-Aws-Request-Id']
        event = json.load(answer)
    kind, body = 'response', {'event': event, 'handler': os.environ['_HANDLER'], 'argument': os.environ['ARGUMENT']}
    if event == 'fail':
        kind, body = 'error', {'errorType': 'Custom', 'errorMessage': 'm'}
    urllib.request.urlopen(urllib.request.Request(api + 'invocation/%s/%s' % (request_id, kind), json.dumps(body).encode()))
";
const BOOTSTRAP: &str =
    "#!/bin/sh\necho starting >&2\nARGUMENT=of-the-shell exec python3 client.py\n";

#[tokio::test]
async fn a_shell_script_is_a_runtime() {
    let world = World::new();
    let files = [("bootstrap", BOOTSTRAP), ("client.py", CLIENT)];
    let spec = || world.function("provided.al2023", "any.thing", &files);
    let outcome = world.once(spec(), "[1]").await;
    assert_eq!(outcome.ending, Ending::Success, "{}", outcome.log_tail);
    assert_eq!(
        json(&outcome),
        json!({"event": [1], "handler": "any.thing", "argument": "of-the-shell"})
    );
    assert_eq!(world.lines.of_function(), ["starting"]);
    let outcome = world.once(spec(), "\"fail\"").await;
    assert_eq!(outcome.ending, Ending::FunctionError { error_type: "Custom".to_owned() });
}

#[tokio::test]
async fn a_layer_may_bring_the_runtime() {
    let world = World::new();
    let mut spec = world.function("provided.al2", "h", &[("client.py", CLIENT)]);
    let layer = world.dir.path().join("data/layer");
    std::fs::create_dir_all(&layer).unwrap();
    std::fs::write(layer.join("bootstrap"), BOOTSTRAP).unwrap();
    let executable = std::fs::Permissions::from_mode(0o755);
    std::fs::set_permissions(layer.join("bootstrap"), executable).unwrap();
    spec.layers.push(layer);
    assert_eq!(json(&world.once(spec, "1").await)["handler"], "h");
}

#[tokio::test]
async fn without_a_bootstrap_the_entry_point_is_invalid() {
    let world = World::new();
    let outcome = world.once(world.function("provided.al2023", "h", &[]), "1").await;
    assert_eq!(
        json(&outcome),
        json!({
            "errorType": "Runtime.InvalidEntrypoint",
            "errorMessage": "RequestId: id-1 Error: Couldn't find valid bootstrap(s): [/var/task/bootstrap /opt/bootstrap]"
        })
    );
    assert!(outcome.log_tail.contains("Error Type: Runtime.InvalidEntrypoint"));
}
