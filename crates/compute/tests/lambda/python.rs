//! Real Python functions, run by the Python bootstrap.

use std::time::Duration;

use crate::world::{World, event, json};
use fogbank_compute::lambda::{Ending, Exit, PythonSdk};
use serde_json::json;

fn failed_with(kind: &str) -> Ending {
    Ending::FunctionError { error_type: kind.to_owned() }
}

#[tokio::test]
async fn a_handler_returns_its_event_and_the_log_frames_it() {
    let world = World::new();
    let spec = world.python(
        "import os\n\
         def handler(event, context):\n    \
             print('got', event['name'])\n    \
             return {'event': event, 'greeting': os.environ['GREETING']}\n",
    );
    let outcome = world.once(spec, r#"{"name":"ünicode"}"#).await;
    assert_eq!(outcome.ending, Ending::Success, "{}", outcome.log_tail);
    assert_eq!(json(&outcome), json!({"event": {"name": "ünicode"}, "greeting": "hello"}));
    assert!(outcome.function_error().is_none() && outcome.init_duration.is_some());
    assert!(outcome.billed >= outcome.duration && outcome.max_memory_used_mb > 0);
    let lines = world.lines.texts();
    assert_eq!(
        lines[..3],
        ["START RequestId: id-1 Version: $LATEST", "got ünicode", "END RequestId: id-1"]
    );
    assert!(lines[3].starts_with("REPORT RequestId: id-1\tDuration: "), "{}", lines[3]);
    assert!(lines[3].contains("\tMemory Size: 256 MB\t") && lines[3].contains("\tInit Duration: "));
    assert_eq!(outcome.log_tail, lines.join("\n") + "\n");
}

#[tokio::test]
async fn the_context_says_what_aws_says() {
    let world = World::new();
    let spec = world.python(
        "def handler(event, context):\n    \
             left = context.get_remaining_time_in_millis()\n    \
             return [context.aws_request_id, context.function_name, context.function_version,\n        \
                 context.invoked_function_arn, context.memory_limit_in_mb, context.log_group_name,\n        \
                 context.log_stream_name, 0 < left <= 60000, context.client_context.custom,\n        \
                 context.client_context.client.app_title, context.identity.cognito_identity_id]\n",
    );
    let mut invocation = event("id-7", "{}");
    invocation.client_context =
        Some(r#"{"custom":{"a":"b"},"client":{"app_title":"t"}}"#.to_owned());
    invocation.cognito_identity =
        Some(r#"{"cognitoIdentityId":"i","cognitoIdentityPoolId":"p"}"#.to_owned());
    invocation.invoked_arn = Some("arn:f:prod".to_owned());
    let outcome = world.start(spec).await.invoke(invocation).await;
    let expected = json!([
        "id-7", "f", "$LATEST", "arn:f:prod", "256", "/aws/lambda/f", "2026/01/01/[$LATEST]0",
        true, {"a": "b"}, "t", "i"
    ]);
    assert_eq!(json(&outcome), expected);
}

#[tokio::test]
async fn an_exception_becomes_aws_error_document() {
    let world = World::new();
    let spec = world.python(
        "def handler(event, context):\n    inner()\n\ndef inner():\n    raise ValueError('no \"good\"')\n",
    );
    let outcome = world.once(spec, "{}").await;
    assert_eq!(outcome.ending, failed_with("ValueError"));
    assert_eq!(outcome.function_error(), Some("Unhandled"));
    let document = json(&outcome);
    assert_eq!(document["errorMessage"], "no \"good\"");
    assert_eq!(document["requestId"], "id-1");
    let trace = document["stackTrace"].as_array().unwrap();
    assert_eq!(trace.len(), 2, "{trace:?}");
    assert!(trace[0].as_str().unwrap().ends_with("app.py\", line 2, in handler\n    inner()\n"));
    let logged = world.lines.of_function();
    assert!(
        logged[0]
            .starts_with("[ERROR] ValueError: no \"good\"\nTraceback (most recent call last):\n"),
        "{logged:?}"
    );
    assert_eq!(logged.len(), 1);
}

#[tokio::test]
async fn what_cannot_be_loaded_is_named_as_aws_names_it() {
    let world = World::new();
    let run = async |handler: &str, text: &str| {
        let spec = world.function("python3.11", handler, &[("app.py", text)]);
        let outcome = world.once(spec, "{}").await;
        let Ending::FunctionError { error_type } = outcome.ending.clone() else {
            panic!("{outcome:?}")
        };
        let document = json(&outcome);
        assert_eq!(document["errorType"], error_type.as_str());
        let of_init = format!("Status: error\tError Type: {error_type}");
        assert_eq!(outcome.log_tail.contains(&of_init), error_type != "Runtime.MarshalError");
        (error_type, document["errorMessage"].as_str().unwrap().to_owned())
    };
    let outcome = world.once(world.python("import nothing_like_it\n"), "{}").await;
    let shown = outcome.log_tail.split('\n').map(|line| line.split([' ', ':']).next().unwrap());
    assert_eq!(
        shown.collect::<Vec<_>>(),
        ["[ERROR]", "INIT_REPORT", "START", "END", "REPORT", ""],
        "the caller sees why the initialisation failed"
    );
    let of = |kind: &str, text: &str| (kind.to_owned(), text.to_owned());
    assert_eq!(
        run("app.handler", "import nothing_like_it\n").await,
        of(
            "Runtime.ImportModuleError",
            "Unable to import module 'app': No module named 'nothing_like_it'"
        )
    );
    assert_eq!(
        run("other.handler", "").await,
        of("Runtime.ImportModuleError", "Unable to import module 'other': No module named 'other'")
    );
    assert_eq!(
        run("app.gone", "x = 1\n").await,
        of("Runtime.HandlerNotFound", "Handler 'gone' missing on module 'app'")
    );
    assert_eq!(run("app", "x = 1\n").await.0, "Runtime.MalformedHandlerName");
    assert_eq!(run("app.handler", "def (:\n").await.0, "Runtime.UserCodeSyntaxError");
    assert_eq!(run("app.handler", "raise KeyError('k')\n").await, of("KeyError", "'k'"));
    assert_eq!(
        run("app.handler", "def handler(e, c): return object()\n").await.0,
        "Runtime.MarshalError"
    );
}

#[tokio::test]
async fn a_timeout_ends_the_environment() {
    let world = World::new();
    let mut spec =
        world.python("import time\ndef handler(e, c):\n    print('in')\n    time.sleep(600)\n");
    spec.timeout = Duration::from_secs(1);
    let mut environment = world.start(spec).await;
    let outcome = environment.invoke(event("id-1", "{}")).await;
    assert_eq!(outcome.ending, Ending::Timeout);
    assert!(!environment.is_alive());
    assert_eq!(
        json(&outcome),
        json!({
            "errorType": "Sandbox.Timedout",
            "errorMessage": "RequestId: id-1 Error: Task timed out after 1.00 seconds"
        })
    );
    let lines = world.lines.texts();
    assert_eq!(lines[1], "in");
    assert!(lines[2].ends_with("Z id-1 Task timed out after 1.00 seconds\n"), "{}", lines[2]);
    assert!(lines[4].ends_with("Status: timeout") && lines[4].contains("\tDuration: 1000.00 ms\t"));
}

#[tokio::test]
async fn an_exit_is_a_crash_and_loses_no_line() {
    let world = World::new();
    let text = "import sys\ndef handler(e, c):\n    print('last', end='')\n    exit(e)\n";
    let outcome = world.once(world.python(text), "3").await;
    assert_eq!(outcome.ending, Ending::Crashed(Exit::Code(3)));
    let document = json(&outcome);
    assert_eq!(document["errorType"], "Runtime.ExitError");
    assert_eq!(
        document["errorMessage"],
        "RequestId: id-1 Error: Runtime exited with error: exit status 3"
    );
    assert_eq!(world.lines.of_function()[0], "last");
    let outcome = world.once(world.python(text), "0").await;
    assert_eq!(
        json(&outcome)["errorMessage"],
        "RequestId: id-1 Error: Runtime exited without providing a reason"
    );
    let outcome = world.once(world.python("import os\ndef handler(e, c): os.abort()\n"), "0").await;
    assert_eq!(outcome.ending, Ending::Crashed(Exit::Signal(6)));
    let outcome = world.once(world.python("exit(7)\n"), "0").await;
    assert_eq!(outcome.ending, Ending::Crashed(Exit::Code(7)));
}

#[tokio::test]
async fn logging_is_formatted_as_aws_formats_it() {
    let world = World::new();
    let spec = world.python(
        "import logging\n\
         logging.getLogger().setLevel('INFO')\n\
         logging.basicConfig(format='ignored')\n\
         def handler(event, context):\n    \
             logging.info('one\\ntwo')\n    \
             logging.getLogger('x').warning('w %s', 1)\n    \
             logging.debug('hidden')\n",
    );
    world.once(spec, "{}").await;
    let lines = world.lines.of_function();
    assert_eq!(lines.len(), 2, "{lines:?}");
    let fields: Vec<&str> = lines[0].split('\t').collect();
    assert_eq!((fields[0], fields[2], fields[3]), ("[INFO]", "id-1", "one\ntwo"));
    assert!(fields[1].ends_with('Z') && fields[1].len() == 24, "{}", fields[1]);
    assert!(lines[1].starts_with("[WARNING]\t") && lines[1].ends_with("\tid-1\tw 1"));
}

#[tokio::test]
async fn a_warm_environment_keeps_its_process_and_state() {
    let world = World::new();
    let spec = world.python(
        "import os\ncount = 0\ndef handler(e, c):\n    global count\n    count += 1\n    return [os.getpid(), count]\n",
    );
    let mut environment = world.start(spec).await;
    assert!(environment.ready().await);
    let first = environment.invoke(event("a", "1")).await;
    let second = environment.invoke(event("b", "1")).await;
    assert_eq!(json(&first)[0], json(&second)[0]);
    assert_eq!((&json(&first)[1], &json(&second)[1]), (&json!(1), &json!(2)));
    assert!(first.init_duration.is_some() && second.init_duration.is_none());
    assert!(!second.log_tail.contains("RequestId: a"));
}

#[tokio::test]
async fn layers_come_after_the_code_and_before_the_library() {
    let world = World::new();
    let mut spec = world.function(
        "python3.11",
        "app.handler",
        &[
            ("app.py", "import one, two\ndef handler(e, c): return [one.x, two.x]\n"),
            ("two.py", "x = 'code'\n"),
        ],
    );
    for (layer, text) in [("layer-1", "x = 'first'\n"), ("layer-2", "x = 'second'\n")] {
        let dir = world.dir.path().join("data").join(layer).join("python");
        std::fs::create_dir_all(&dir).unwrap();
        std::fs::write(dir.join("one.py"), text).unwrap();
        std::fs::write(dir.join("two.py"), text).unwrap();
        spec.layers.push(dir.parent().unwrap().to_path_buf());
    }
    assert_eq!(json(&world.once(spec, "0").await), json!(["second", "code"]));
}

#[tokio::test]
async fn a_response_beyond_six_megabytes_is_refused() {
    let world = World::new();
    let spec = world.python("def handler(size, c): return 'x' * size\n");
    let mut environment = world.start(spec).await;
    let outcome = environment.invoke(event("a", "6291557")).await;
    assert_eq!(outcome.ending, Ending::ResponseTooLarge);
    assert_eq!(json(&outcome)["errorType"], "Function.ResponseSizeTooLarge");
    let outcome = environment.invoke(event("b", "6291000")).await;
    assert_eq!(outcome.ending, Ending::Success, "the environment goes on");
}

#[tokio::test]
async fn every_python_from_3_8_on_runs_the_bootstrap() {
    let world = World::with(|config| config.allow_nearest_runtime = false);
    let text = "import sys, logging\n\
         def handler(event, context):\n    \
             logging.warning('of %s', event)\n    \
             return ['python%d.%d' % sys.version_info[:2], event, context.get_remaining_time_in_millis() > 0]\n";
    let mut found = 0;
    for minor in 8..=14 {
        let runtime = format!("python3.{minor}");
        let spec = world.function(&runtime, "app.handler", &[("app.py", text)]);
        if world.compute.resolve(&spec.runtime).is_ok() {
            let event = format!("\"{}\"", "x".repeat(300_000));
            let outcome = world.once(spec, &event).await;
            assert_eq!(outcome.ending, Ending::Success, "{runtime}: {}", outcome.log_tail);
            assert_eq!((&json(&outcome)[0], &json(&outcome)[2]), (&json!(runtime), &json!(true)));
            assert_eq!(json(&outcome)[1].as_str().unwrap().len(), 300_000);
            found += 1;
        }
    }
    assert!(found > 0, "this machine has no Python");
}

#[tokio::test]
async fn boto3_comes_from_the_machine_and_other_packages_do_not() {
    let world = World::new();
    let text = "import importlib.util\n\
         def handler(names, c): return [importlib.util.find_spec(name) is not None for name in names]\n";
    let outcome = world.once(world.python(text), r#"["boto3", "pip", "pytest"]"#).await;
    let has_boto3 = std::process::Command::new("python3").args(["-c", "import boto3"]).output();
    let has_boto3 = has_boto3.is_ok_and(|output| output.status.success());
    assert_eq!(json(&outcome), json!([has_boto3, false, false]));
    let folder = world.dir.path().join("sdk");
    std::fs::create_dir(&folder).unwrap();
    std::fs::write(folder.join("boto3.py"), "x = 'mine'\n").unwrap();
    let world = World::with(|config| config.python_sdk = PythonSdk::Folder(folder.clone()));
    let text = "import boto3\ndef handler(e, c): return boto3.x\n";
    assert_eq!(json(&world.once(world.python(text), "0").await), json!("mine"));
}
