//! The command and the environment variables of a runtime process.

use std::path::{Path, PathBuf};

use super::layout::View;
use super::resolve::{MissingRuntime, ResolvedRuntime};
use super::runtime::Family;
use super::spec::Spec;

/// The Python bootstrap's file name and text.
pub(crate) const PYTHON_BOOTSTRAP: (&str, &str) =
    ("fogbank_lambda.py", include_str!("bootstrap/fogbank_lambda.py"));
/// The Node.js bootstrap's file name and text.
pub(crate) const NODE_BOOTSTRAP: (&str, &str) =
    ("fogbank_lambda.cjs", include_str!("bootstrap/fogbank_lambda.cjs"));

/// A program with its arguments, or the reason why there is none.
pub(crate) enum Entry {
    Run(PathBuf, Vec<String>),
    /// The code lacks its entry point; AWS reports it on every invocation.
    Invalid(String),
}

/// The program of a function. `code` and `opt` are the real folders, to look into.
pub(crate) fn entry(
    spec: &Spec,
    resolved: &ResolvedRuntime,
    view: &View,
    opt: &Path,
) -> Result<Entry, MissingRuntime> {
    let text = |path: &Path| path.to_string_lossy().into_owned();
    let program = view.program.clone().unwrap_or_default();
    Ok(match spec.runtime.family() {
        Family::Python => {
            let start = format!(
                "import sys; sys.path.insert(0, {}); import fogbank_lambda; fogbank_lambda.main()",
                python_string(&text(&view.runtime)),
            );
            // Without `site` the user's own packages stay out of the function, and it starts faster.
            Entry::Run(program, vec!["-s".to_owned(), "-S".to_owned(), "-c".to_owned(), start])
        }
        Family::NodeJs => {
            // A tenth is left for what lives outside the heap, as in AWS's runtime.
            let heap = u64::from(spec.memory_mb) * 9 / 10;
            let bootstrap = text(&view.runtime.join(NODE_BOOTSTRAP.0));
            Entry::Run(program, vec![format!("--max-old-space-size={heap}"), bootstrap])
        }
        Family::Java => java_entry(spec, resolved, view, opt)?,
        _ => {
            let places = [(&spec.code_dir, &view.task), (&opt.to_path_buf(), &view.opt)];
            let found = places.iter().find(|(real, _)| is_executable(&real.join("bootstrap")));
            match found {
                Some((_, seen)) => Entry::Run(seen.join("bootstrap"), Vec::new()),
                None => Entry::Invalid(
                    "Couldn't find valid bootstrap(s): [/var/task/bootstrap /opt/bootstrap]"
                        .to_owned(),
                ),
            }
        }
    })
}

/// Java needs AWS's runtime interface client, which deployment packages rarely hold.
fn java_entry(
    spec: &Spec,
    resolved: &ResolvedRuntime,
    view: &View,
    opt: &Path,
) -> Result<Entry, MissingRuntime> {
    let folders = [
        (spec.code_dir.join("lib"), view.task.join("lib")),
        (opt.join("java/lib"), view.opt.join("java/lib")),
    ];
    let has_client = |dir: &Path| {
        std::fs::read_dir(dir).into_iter().flatten().flatten().any(|entry| {
            let name = entry.file_name();
            let name = name.to_string_lossy();
            name.starts_with("aws-lambda-java-runtime-interface-client") && name.ends_with(".jar")
        })
    };
    if !folders.iter().any(|(real, _)| has_client(real)) {
        return Err(MissingRuntime {
            runtime: spec.runtime.as_str().to_owned(),
            reason: format!(
                "Java {} was found, but the code has no aws-lambda-java-runtime-interface-client*.jar in lib/ or in a layer's java/lib/",
                resolved.version
            ),
        });
    }
    let mut class_path = vec![view.task.clone()];
    class_path.extend(folders.into_iter().map(|(_, seen)| seen.join("*")));
    let class_path: Vec<_> = class_path.iter().map(|path| path.to_string_lossy()).collect();
    let heap = u64::from(spec.memory_mb) * 85 / 100;
    let args = vec![
        format!("-Xmx{heap}m"),
        "-XX:+UseSerialGC".to_owned(),
        "-cp".to_owned(),
        class_path.join(":"),
        "com.amazonaws.services.lambda.runtime.api.client.AWSLambda".to_owned(),
        spec.handler.clone(),
    ];
    Ok(Entry::Run(view.program.clone().unwrap_or_default(), args))
}

/// True for a file that someone may execute.
fn is_executable(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    path.metadata().is_ok_and(|it| it.is_file() && it.permissions().mode() & 0o111 != 0)
}

/// A Python string literal.
fn python_string(text: &str) -> String {
    // JSON's escapes are a subset of Python's for everything that a path can hold.
    serde_json::Value::from(text).to_string()
}

/// The whole environment of the process: AWS's variables, and the function's own.
pub(crate) fn variables(spec: &Spec, view: &View, api: &str) -> Vec<(String, String)> {
    let text = |path: &Path| path.to_string_lossy().into_owned();
    let (task, runtime, opt) = (text(&view.task), text(&view.runtime), text(&view.opt));
    let mut variables = vec![
        ("LANG".to_owned(), "en_US.UTF-8".to_owned()),
        ("TZ".to_owned(), ":UTC".to_owned()),
        ("PATH".to_owned(), format!("/var/lang/bin:/usr/local/bin:/usr/bin:/bin:{opt}/bin")),
        (
            "LD_LIBRARY_PATH".to_owned(),
            format!(
                "/var/lang/lib:/lib64:/usr/lib64:{runtime}:{runtime}/lib:{task}:{task}/lib:{opt}/lib"
            ),
        ),
    ];
    match spec.runtime.family() {
        Family::Python => variables.push(("PYTHONPATH".to_owned(), runtime.clone())),
        Family::NodeJs => {
            let major = spec.runtime.major();
            let path = format!(
                "{opt}/nodejs/node{major}/node_modules:{opt}/nodejs/node_modules:{runtime}/node_modules:{runtime}:{task}"
            );
            variables.push(("NODE_PATH".to_owned(), path));
        }
        _ => {}
    }
    if view.tmp != Path::new("/tmp") {
        variables.push(("TMPDIR".to_owned(), text(&view.tmp)));
    }
    variables.extend(spec.env.iter().cloned());
    let mut fixed = fixed_variables(spec, &task, &runtime, api);
    if spec.runtime.family() == Family::Python {
        fixed.push(("FOGBANK_OPT", opt));
        let sdk = view.python_sdk.as_deref().map(text);
        fixed.extend(sdk.map(|sdk| ("FOGBANK_PYTHON_SDK", sdk)));
    }
    if matches!(spec.runtime.family(), Family::Provided | Family::Java) {
        // AWS's runtime clients then frame messages of several lines, on standard output.
        fixed.push(("_LAMBDA_TELEMETRY_LOG_FD", "1".to_owned()));
    }
    variables.extend(fixed.into_iter().map(|(name, value)| (name.to_owned(), value)));
    variables
}

/// The variables that a function's configuration cannot change.
fn fixed_variables(
    spec: &Spec,
    task: &str,
    runtime: &str,
    api: &str,
) -> Vec<(&'static str, String)> {
    vec![
        ("AWS_LAMBDA_RUNTIME_API", api.to_owned()),
        ("_HANDLER", spec.handler.clone()),
        ("LAMBDA_TASK_ROOT", task.to_owned()),
        ("LAMBDA_RUNTIME_DIR", runtime.to_owned()),
        ("AWS_LAMBDA_FUNCTION_NAME", spec.function_name.clone()),
        ("AWS_LAMBDA_FUNCTION_VERSION", spec.function_version.clone()),
        ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", spec.memory_mb.to_string()),
        ("AWS_LAMBDA_LOG_GROUP_NAME", spec.log_group.clone()),
        ("AWS_LAMBDA_LOG_STREAM_NAME", spec.log_stream.clone()),
        ("AWS_REGION", spec.region.clone()),
        ("AWS_DEFAULT_REGION", spec.region.clone()),
        ("AWS_EXECUTION_ENV", execution_env(spec)),
        ("AWS_LAMBDA_INITIALIZATION_TYPE", "on-demand".to_owned()),
    ]
}

fn execution_env(spec: &Spec) -> String {
    format!("AWS_Lambda_{}", spec.runtime)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;
    use std::time::Duration;

    struct Silent;
    impl crate::output::LogSink for Silent {
        fn line(&self, _: i64, _: &str) {}
    }

    fn spec(runtime: &str, code_dir: &Path) -> Spec {
        Spec {
            runtime: runtime.parse().unwrap(),
            handler: "a.b".to_owned(),
            code_dir: code_dir.to_path_buf(),
            layers: Vec::new(),
            env: vec![("PATH".into(), "/mine".into()), ("_HANDLER".into(), "evil".into())],
            memory_mb: 128,
            timeout: Duration::from_secs(3),
            scratch_mb: 512,
            log_sink: Arc::new(Silent),
            function_name: "f".to_owned(),
            function_version: "$LATEST".to_owned(),
            function_arn: "arn".to_owned(),
            log_group: "/aws/lambda/f".to_owned(),
            log_stream: "s".to_owned(),
            region: "eu-west-1".to_owned(),
        }
    }

    fn view() -> View {
        View {
            task: "/var/task".into(),
            runtime: "/var/runtime".into(),
            opt: "/opt".into(),
            tmp: "/tmp".into(),
            program: Some("/usr/bin/node".into()),
            python_sdk: None,
        }
    }

    fn last<'a>(variables: &'a [(String, String)], name: &str) -> Option<&'a str> {
        variables.iter().rev().find(|it| it.0 == name).map(|it| it.1.as_str())
    }

    #[test]
    fn a_function_may_change_paths_but_not_reserved_variables() {
        let spec = spec("nodejs20.x", Path::new("/code"));
        let variables = variables(&spec, &view(), "127.0.0.1:9");
        assert_eq!(last(&variables, "PATH"), Some("/mine"));
        assert_eq!(last(&variables, "_HANDLER"), Some("a.b"));
        assert_eq!(last(&variables, "AWS_EXECUTION_ENV"), Some("AWS_Lambda_nodejs20.x"));
        assert!(
            last(&variables, "NODE_PATH").unwrap().starts_with("/opt/nodejs/node20/node_modules:")
        );
        assert_eq!(last(&variables, "PYTHONPATH"), None);
    }

    #[test]
    fn provided_runs_the_first_bootstrap_it_finds() {
        use std::os::unix::fs::PermissionsExt;
        let dir = tempfile::tempdir().unwrap();
        let (code, opt) = (dir.path().join("code"), dir.path().join("opt"));
        std::fs::create_dir_all(&code).unwrap();
        std::fs::create_dir_all(&opt).unwrap();
        let spec = spec("provided.al2", &code);
        let resolved =
            ResolvedRuntime { program: None, prefix: None, version: String::new(), warning: None };
        let find = || entry(&spec, &resolved, &view(), &opt).unwrap();
        assert!(matches!(find(), Entry::Invalid(text) if text.contains("/opt/bootstrap")));
        let make = |path: PathBuf| {
            std::fs::write(&path, "#!/bin/sh\n").unwrap();
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
        };
        make(opt.join("bootstrap"));
        assert!(matches!(find(), Entry::Run(path, _) if path == Path::new("/opt/bootstrap")));
        make(code.join("bootstrap"));
        assert!(matches!(find(), Entry::Run(path, _) if path == Path::new("/var/task/bootstrap")));
    }

    #[test]
    fn java_without_its_client_names_what_is_missing() {
        let dir = tempfile::tempdir().unwrap();
        let spec = spec("java21", dir.path());
        let resolved = ResolvedRuntime {
            program: Some("/usr/bin/java".into()),
            prefix: None,
            version: "21.0.1".to_owned(),
            warning: None,
        };
        let error = entry(&spec, &resolved, &view(), dir.path()).err().unwrap();
        assert!(error.reason.contains("aws-lambda-java-runtime-interface-client"));
        std::fs::create_dir(dir.path().join("lib")).unwrap();
        let jar = "aws-lambda-java-runtime-interface-client-2.4.1.jar";
        std::fs::write(dir.path().join("lib").join(jar), "").unwrap();
        let Entry::Run(_, args) = entry(&spec, &resolved, &view(), dir.path()).unwrap() else {
            panic!()
        };
        assert!(args.contains(&"/var/task:/var/task/lib/*:/opt/java/lib/*".to_owned()));
    }
}
