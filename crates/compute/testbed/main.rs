//! Stands in for the server in tests: the sandbox helper, and a server that can be killed.
//!
//! `compute-testbed serve DATA CODE NAME=VALUE…` starts the Python function in CODE with these variables, says so on
//! standard output, and waits.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use fogbank_compute::lambda::Spec;
use fogbank_compute::{Compute, Config, LogSink};

fn main() {
    fogbank_compute::sandbox::maybe_enter();
    let args: Vec<String> = std::env::args().collect();
    if args.get(1).map(String::as_str) == Some("serve") {
        let runtime = tokio::runtime::Runtime::new().expect("a tokio runtime");
        runtime.block_on(serve(&args[2..]));
    }
}

struct Silent;

impl LogSink for Silent {
    fn line(&self, _: i64, message: &str) {
        eprintln!("{message}");
    }
}

#[allow(clippy::print_stdout, reason = "the test reads it")]
async fn serve(args: &[String]) {
    let compute = Compute::new(Config::new(&args[0])).expect("a data directory");
    let pairs = args[2..].iter().filter_map(|arg| arg.split_once('='));
    let spec = Spec {
        runtime: "python3.11".parse().expect("a runtime"),
        handler: "app.handler".to_owned(),
        code_dir: PathBuf::from(&args[1]),
        layers: Vec::new(),
        env: pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).collect(),
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
    };
    let mut environment = compute.start(spec).await.expect("an environment");
    assert!(environment.ready().await, "the function initialises");
    println!("ready");
    std::future::pending::<()>().await;
}
