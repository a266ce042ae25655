//! A cloud's worth of compute for tests: a temporary data directory, functions from text, and their log.

use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use fogbank_compute::lambda::{Environment, Invocation, Outcome, Spec};
use fogbank_compute::sandbox::HelperProgram;
use fogbank_compute::{Compute, Config, LogSink};
use serde_json::Value;

/// Remembers every line.
#[derive(Default)]
pub(crate) struct Lines(Mutex<Vec<(i64, String)>>);

impl LogSink for Lines {
    fn line(&self, at: i64, message: &str) {
        self.0.lock().unwrap().push((at, message.to_owned()));
    }
}

impl Lines {
    pub(crate) fn texts(&self) -> Vec<String> {
        self.0.lock().unwrap().iter().map(|line| line.1.clone()).collect()
    }

    /// The lines between START and END, without the platform's own.
    pub(crate) fn of_function(&self) -> Vec<String> {
        let platform = ["START ", "END ", "REPORT ", "INIT_REPORT "];
        let texts = self.texts();
        texts.into_iter().filter(|text| !platform.iter().any(|it| text.starts_with(it))).collect()
    }
}

/// One data directory and the compute that works in it.
pub(crate) struct World {
    pub(crate) compute: Compute,
    pub(crate) dir: tempfile::TempDir,
    pub(crate) lines: Arc<Lines>,
    functions: AtomicU32,
}

impl World {
    pub(crate) fn new() -> Self {
        Self::with(|_| {})
    }

    pub(crate) fn with(change: impl FnOnce(&mut Config)) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let mut config = Config::new(dir.path().join("data"));
        config.helper = HelperProgram::Path(env!("CARGO_BIN_EXE_compute-testbed").into());
        change(&mut config);
        let compute = Compute::new(config).unwrap();
        Self { compute, dir, lines: Arc::default(), functions: AtomicU32::new(0) }
    }

    /// A function of these files.
    pub(crate) fn function(&self, runtime: &str, handler: &str, files: &[(&str, &str)]) -> Spec {
        let number = self.functions.fetch_add(1, Ordering::Relaxed);
        let code_dir: PathBuf = self.dir.path().join("data/code").join(number.to_string());
        for (name, text) in files {
            let path = code_dir.join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(&path, text).unwrap();
            if *name == "bootstrap" {
                use std::os::unix::fs::PermissionsExt;
                std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
            }
        }
        std::fs::create_dir_all(&code_dir).unwrap();
        Spec {
            runtime: runtime.parse().unwrap(),
            handler: handler.to_owned(),
            code_dir,
            layers: Vec::new(),
            env: vec![("GREETING".to_owned(), "hello".to_owned())],
            memory_mb: 256,
            timeout: Duration::from_secs(60),
            scratch_mb: 64,
            log_sink: self.lines.clone(),
            function_name: "f".to_owned(),
            function_version: "$LATEST".to_owned(),
            function_arn: "arn:aws:lambda:eu-west-1:000000000000:function:f".to_owned(),
            log_group: "/aws/lambda/f".to_owned(),
            log_stream: "2026/01/01/[$LATEST]0".to_owned(),
            region: "eu-west-1".to_owned(),
        }
    }

    pub(crate) fn python(&self, text: &str) -> Spec {
        self.function("python3.11", "app.handler", &[("app.py", text)])
    }

    pub(crate) async fn start(&self, spec: Spec) -> Environment {
        self.compute.start(spec).await.unwrap()
    }

    /// Runs a function once in an environment of its own.
    pub(crate) async fn once(&self, spec: Spec, payload: &str) -> Outcome {
        self.start(spec).await.invoke(event("id-1", payload)).await
    }
}

pub(crate) fn event(request_id: &str, payload: &str) -> Invocation {
    Invocation {
        request_id: request_id.to_owned(),
        payload: payload.to_owned().into(),
        ..Invocation::default()
    }
}

/// The payload as JSON.
pub(crate) fn json(outcome: &Outcome) -> Value {
    serde_json::from_slice(&outcome.payload)
        .unwrap_or_else(|_| panic!("no JSON: {:?} {}", outcome.payload, outcome.log_tail))
}
