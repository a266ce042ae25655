//! Stands in for the server in tests: the sandbox helper, and a server that can be killed.
//!
//! `compute-testbed serve DATA CODE NAME=VALUE…` starts the Python function in CODE with these variables, says so on
//! standard output, and waits. `compute-testbed measure DATA RUNTIME HANDLER CODE COLD WARM` prints how long cold and
//! warm invocations take.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use fogbank_compute::lambda::{Invocation, Spec};
use fogbank_compute::{Compute, Config, LogSink};

fn main() {
    fogbank_compute::sandbox::maybe_enter();
    let args: Vec<String> = std::env::args().collect();
    let runtime = tokio::runtime::Runtime::new().expect("a tokio runtime");
    match args.get(1).map(String::as_str) {
        Some("serve") => runtime.block_on(serve(&args[2..])),
        Some("measure") => runtime.block_on(measure(&args[2..])),
        _ => eprintln!("compute-testbed serve|measure …"),
    }
}

struct Silent;

impl LogSink for Silent {
    fn line(&self, _: i64, _: &str) {}
}

#[expect(clippy::print_stdout, reason = "the test reads it")]
async fn serve(args: &[String]) {
    let compute = Compute::new(Config::new(&args[0])).expect("a data directory");
    let mut spec = spec("python3.11", "app.handler", &args[1]);
    let pairs = args[2..].iter().filter_map(|arg| arg.split_once('='));
    spec.env = pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
    let mut environment = compute.start(spec).await.expect("an environment");
    assert!(environment.ready().await, "the function initialises");
    println!("ready");
    std::future::pending::<()>().await;
}

fn spec(runtime: &str, handler: &str, code_dir: &str) -> Spec {
    Spec {
        runtime: runtime.parse().expect("a runtime"),
        handler: handler.to_owned(),
        code_dir: PathBuf::from(code_dir),
        layers: Vec::new(),
        env: Vec::new(),
        memory_mb: 256,
        timeout: Duration::from_secs(60),
        scratch_mb: 16,
        log_sink: Arc::new(Silent),
        function_name: "f".to_owned(),
        function_version: "$LATEST".to_owned(),
        function_arn: "arn".to_owned(),
        log_group: "g".to_owned(),
        log_stream: "s".to_owned(),
        region: "eu-west-1".to_owned(),
    }
}

#[expect(clippy::print_stdout, reason = "the figures are what the command is for")]
async fn measure(args: &[String]) {
    let compute = Compute::new(Config::new(&args[0])).expect("a data directory");
    let number = |index: usize| args[index].parse::<usize>().expect("a number");
    let invocation = || Invocation {
        request_id: "id".to_owned(),
        payload: "{}".into(),
        ..Invocation::default()
    };
    println!("{:?}", compute.isolation().await);
    let (mut cold, mut warm, mut inits) = (Vec::new(), Vec::new(), Vec::new());
    for round in 0..=number(4) {
        let begun = Instant::now();
        let mut environment =
            compute.start(spec(&args[1], &args[2], &args[3])).await.expect("an environment");
        let outcome = environment.invoke(invocation()).await;
        // The first round finds the interpreter.
        if round > 0 {
            cold.push(begun.elapsed());
            inits.extend(outcome.init_duration);
        }
    }
    let mut environment =
        compute.start(spec(&args[1], &args[2], &args[3])).await.expect("an environment");
    for _ in 0..number(5) {
        let begun = Instant::now();
        let outcome = environment.invoke(invocation()).await;
        assert!(outcome.function_error().is_none(), "{}", outcome.log_tail);
        warm.push(begun.elapsed());
    }
    for (name, mut times) in [("cold", cold), ("init", inits), ("warm", warm)] {
        times.sort();
        println!("{name}: min {:?}, median {:?}", times[0], times[times.len() / 2]);
    }
}
