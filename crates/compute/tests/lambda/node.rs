//! Real JavaScript functions, run by the Node.js bootstrap.

use std::time::Duration;

use crate::world::{World, event, json};
use fogbank_compute::lambda::{Ending, Exit, Spec, StreamPart};
use serde_json::json;

fn node(world: &World, text: &str) -> Spec {
    world.function("nodejs20.x", "index.handler", &[("index.js", text)])
}

#[tokio::test]
async fn handlers_of_every_style_answer() {
    let world = World::new();
    for (file, text, expected) in [
        (
            "index.js",
            "exports.handler = async (e, c) => [e.a, c.awsRequestId, process.env.GREETING]",
            json!([1, "id-1", "hello"]),
        ),
        (
            "index.mjs",
            "import path from 'path'; export const handler = async (e) => path.join('x', String(e.a))",
            json!("x/1"),
        ),
        (
            "index.cjs",
            "exports.handler = (e, c, done) => setTimeout(() => done(null, e.a), 5)",
            json!(1),
        ),
        (
            "index.js",
            "exports.handler = (e, c, done) => { c.callbackWaitsForEmptyEventLoop = false; setInterval(() => {}, 1000); done(null, 'now') }",
            json!("now"),
        ),
        ("index.js", "exports.handler = (e, c) => c.succeed('old')", json!("old")),
        ("index.js", "exports.handler = async () => {}", json!(null)),
        ("index.js", "exports.handler = () => {}", json!(null)),
        ("index/index.js", "exports.handler = async () => 'folder'", json!("folder")),
    ] {
        let outcome = world
            .once(world.function("nodejs20.x", "index.handler", &[(file, text)]), r#"{"a":1}"#)
            .await;
        assert_eq!(outcome.ending, Ending::Success, "{text} {}", outcome.log_tail);
        assert_eq!(json(&outcome), expected, "{text}");
    }
    let spec = world.function(
        "nodejs20.x",
        "src/app.nested.handler",
        &[
            ("package.json", r#"{"type":"module"}"#),
            (
                "src/app.js",
                "export const nested = { handler: async () => import.meta.url.slice(-10) }",
            ),
        ],
    );
    assert_eq!(json(&world.once(spec, "{}").await), json!("src/app.js"));
}

#[tokio::test]
async fn the_console_writes_lines_of_cloudwatch() {
    let world = World::new();
    let spec = node(
        &world,
        "exports.handler = async () => { console.log('a %s', 'b'); console.error('one\\ntwo'); console.log({x: 1}) }",
    );
    world.once(spec, "{}").await;
    let lines = world.lines.of_function();
    let fields: Vec<Vec<&str>> = lines.iter().map(|line| line.split('\t').collect()).collect();
    assert_eq!(fields[0][1..], ["id-1", "INFO", "a b"]);
    assert_eq!(fields[1][1..], ["id-1", "ERROR", "one\ntwo"]);
    assert_eq!(fields[2][1..], ["id-1", "INFO", "{ x: 1 }"]);
    assert!(fields[0][0].len() == 24 && fields[0][0].ends_with('Z'));
    assert_eq!(lines.len(), 3);
}

#[tokio::test]
async fn errors_are_reported_and_the_environment_goes_on() {
    let world = World::new();
    let spec = node(
        &world,
        "let n = 0; exports.handler = async (e) => { n += 1; if (e === 1) { const x = new TypeError('bad'); x.code = 'C'; throw x } return n }",
    );
    let mut environment = world.start(spec).await;
    let outcome = environment.invoke(event("a", "1")).await;
    assert_eq!(outcome.ending, Ending::FunctionError { error_type: "TypeError".to_owned() });
    let document = json(&outcome);
    assert_eq!(
        (&document["errorType"], &document["errorMessage"]),
        (&json!("TypeError"), &json!("bad"))
    );
    assert_eq!(document["trace"][0], "TypeError: bad");
    let logged = &world.lines.of_function()[0];
    assert!(logged.contains("\ta\tERROR\tInvoke Error \t{\"errorType\":\"TypeError\""), "{logged}");
    assert!(logged.contains("\"code\":\"C\""));
    assert_eq!(json(&environment.invoke(event("b", "2")).await), json!(2));
    let spec = node(&world, "exports.handler = (e, c, done) => done('text')");
    let document = json(&world.once(spec, "{}").await);
    assert_eq!(
        (&document["errorType"], &document["errorMessage"]),
        (&json!("string"), &json!("text"))
    );
}

#[tokio::test]
async fn what_cannot_be_loaded_is_named_as_aws_names_it() {
    let world = World::new();
    for (handler, text, expected, message) in [
        (
            "index.handler",
            "require('nothing')",
            "Runtime.ImportModuleError",
            "Error: Cannot find module 'nothing'",
        ),
        ("gone.handler", "", "Runtime.ImportModuleError", "Error: Cannot find module 'gone'"),
        (
            "index.gone",
            "exports.a = 1",
            "Runtime.HandlerNotFound",
            "index.gone is undefined or not exported",
        ),
        ("index.a", "exports.a = 1", "Runtime.HandlerNotFound", "index.a is not a function"),
        ("index", "", "Runtime.MalformedHandlerName", "Bad handler"),
        ("index.handler", "function (", "Runtime.UserCodeSyntaxError", "SyntaxError: "),
        ("index.handler", "throw new RangeError('r')", "RangeError", "r"),
    ] {
        let spec = world.function("nodejs20.x", handler, &[("index.js", text)]);
        let outcome = world.once(spec, "{}").await;
        assert_eq!(
            outcome.ending,
            Ending::FunctionError { error_type: expected.to_owned() },
            "{text}"
        );
        let document = json(&outcome);
        assert!(document["errorMessage"].as_str().unwrap().starts_with(message), "{document}");
    }
}

#[tokio::test]
async fn uncaught_errors_and_exits_end_the_environment() {
    let world = World::new();
    let run = async |text: &str| world.once(node(&world, text), "{}").await;
    let outcome = run("exports.handler = async () => process.exit(1)").await;
    assert_eq!(outcome.ending, Ending::Crashed(Exit::Code(1)));
    let outcome =
        run("exports.handler = (e, c, done) => setTimeout(() => { throw new Error('late') }, 1)")
            .await;
    assert_eq!(json(&outcome)["errorMessage"], "late");
    let outcome = run("exports.handler = () => { Promise.reject(new Error('lost')); setTimeout(() => {}, 60000) }").await;
    assert_eq!(json(&outcome)["errorType"], "Runtime.UnhandledPromiseRejection");
    let outcome = run("exports.handler = async () => new Promise(() => {})").await;
    assert_eq!(json(&outcome)["errorType"], "Runtime.NodeJsExit");
    let mut spec = node(&world, "exports.handler = () => { for (;;); }");
    spec.timeout = Duration::from_secs(1);
    assert_eq!(world.once(spec, "{}").await.ending, Ending::Timeout);
}

#[tokio::test]
async fn modules_of_layers_are_found() {
    let world = World::new();
    let mut spec = node(&world, "exports.handler = async () => require('thing').x");
    let layer = world.dir.path().join("data/layer");
    let module = layer.join("nodejs/node_modules/thing");
    std::fs::create_dir_all(&module).unwrap();
    std::fs::write(module.join("index.js"), "exports.x = 'from a layer'").unwrap();
    spec.layers.push(layer);
    assert_eq!(json(&world.once(spec, "0").await), json!("from a layer"));
}

const STREAM: &str = "
exports.handler = awslambda.streamifyResponse(async (event, stream, context) => {
    if (event.prelude) {
        stream = awslambda.HttpResponseStream.from(stream, { statusCode: 201 });
    } else {
        stream.setContentType('text/plain');
    }
    if (event.early) throw new Error('early');
    stream.write('one ');
    await new Promise((resolve) => setTimeout(resolve, 5));
    if (event.late) throw new Error('late');
    stream.write('two');
    stream.end();
});";

#[tokio::test]
async fn responses_stream_to_whoever_takes_them() {
    let world = World::new();
    let mut environment = world.start(node(&world, STREAM)).await;
    let outcome = environment.invoke(event("whole", "{}")).await;
    assert_eq!(outcome.payload, "one two", "{}", outcome.log_tail);
    let (sender, mut parts) = tokio::sync::mpsc::channel(16);
    let mut invocation = event("stream", r#"{"prelude":true}"#);
    invocation.stream = Some(sender);
    let outcome = environment.invoke(invocation).await;
    assert_eq!((outcome.ending, outcome.payload.len()), (Ending::Success, 0));
    let kind = "application/vnd.awslambda.http-integration-response".to_owned();
    assert_eq!(parts.recv().await.unwrap(), StreamPart::ContentType(kind));
    let mut body = Vec::new();
    while let Ok(StreamPart::Chunk(chunk)) = parts.try_recv() {
        body.extend(chunk);
    }
    assert_eq!(body, b"{\"statusCode\":201}\0\0\0\0\0\0\0\0one two");
    for payload in [r#"{"early":true}"#, r#"{"late":true}"#] {
        let outcome = environment.invoke(event("error", payload)).await;
        assert_eq!(outcome.ending, Ending::FunctionError { error_type: "Error".to_owned() });
        assert!(payload.contains(json(&outcome)["errorMessage"].as_str().unwrap()));
    }
}
