//! Lambda through the whole pipeline, in process, with IAM, STS, Logs and SQS beside it.
//!
//! Functions run as ordinary child processes here; the sandbox is tested where it lives.

mod aliases;
mod events;
mod functions;
mod invocations;
mod layers;
mod mappings;
mod permissions;
mod reset;
mod rows;
mod settings;
mod versions;

use std::io::{Cursor, Write};
use std::time::Duration;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use fogbank_compute::sandbox::HelperProgram;
use fogbank_compute::{Compute, Config};
use fogbank_core::{Fault, Principal, Service};
use fogbank_testkit::{ACCOUNT, Expect, Value, World, json};
use zip::write::{SimpleFileOptions, ZipWriter};

static SERVICES: &[&Service] = &[
    &crate::SERVICE,
    &fogbank_iam::SERVICE,
    &fogbank_logs::SERVICE,
    &fogbank_sqs::SERVICE,
    &fogbank_sts::SERVICE,
];

const ROLE: &str = "arn:aws:iam::000000000000:role/runner";

/// A function that answers with its event.
const ECHO: &str = "def handler(event, context):\n    return event\n";

/// A cloud with the role `runner`, which Lambda may assume and which may do everything.
struct Lambda {
    world: World,
    background: Option<Box<dyn std::any::Any>>,
}

impl std::ops::Deref for Lambda {
    type Target = World;

    fn deref(&self) -> &World {
        &self.world
    }
}

impl Lambda {
    /// A cloud in which nothing happens by itself.
    async fn still() -> Lambda {
        let world = World::new(SERVICES);
        world.cloud().state(|| {
            let mut config = Config::new(&world.cloud().settings().data_dir);
            config.helper = HelperProgram::None;
            Compute::new(config).expect("a working folder")
        });
        let lambda = Lambda { world, background: None };
        lambda.role("runner", json!({"Effect": "Allow", "Action": "*", "Resource": "*"})).await;
        lambda
    }

    /// A cloud whose background work runs.
    async fn new() -> Lambda {
        let mut lambda = Lambda::still().await;
        lambda.background = Some(Box::new(lambda.world.background()));
        lambda
    }

    /// Stops the background work.
    fn pause(&mut self) {
        self.background = None;
    }

    /// Creates a role that Lambda may assume, with one statement.
    async fn role(&self, name: &str, statement: Value) {
        let trust = json!({"Version": "2012-10-17", "Statement": [{
            "Effect": "Allow",
            "Principal": {"Service": "lambda.amazonaws.com"},
            "Action": "sts:AssumeRole",
        }]});
        let input = json!({"RoleName": name, "AssumeRolePolicyDocument": trust.to_string()});
        self.call("iam:CreateRole", input).await.expect("a role");
        let policy = json!({"Version": "2012-10-17", "Statement": [statement]});
        let input = json!({
            "RoleName": name,
            "PolicyName": "own",
            "PolicyDocument": policy.to_string(),
        });
        self.call("iam:PutRolePolicy", input).await.expect("a policy");
    }

    /// A user with one statement, as a caller.
    async fn user(&self, name: &str, statement: Value) -> Principal {
        let user = self.call("iam:CreateUser", json!({"UserName": name})).await.expect("a user");
        let policy = json!({"Version": "2012-10-17", "Statement": [statement]});
        let input = json!({
            "UserName": name,
            "PolicyName": "own",
            "PolicyDocument": policy.to_string(),
        });
        self.call("iam:PutUserPolicy", input).await.expect("a policy");
        Principal {
            kind: fogbank_core::PrincipalKind::User { name: name.to_owned() },
            account: ACCOUNT.to_owned(),
            arn: format!("arn:aws:iam::{ACCOUNT}:user/{name}"),
            id: user["User"]["UserId"].as_str().expect("an id").to_owned(),
            access_key_id: None,
            session: None,
        }
    }

    /// Creates a Python function of one file.
    async fn python(&self, name: &str, text: &str) -> Value {
        self.python_with(name, text, json!({})).await.expect("a function")
    }

    /// Creates a Python function of one file with further members.
    async fn python_with(&self, name: &str, text: &str, more: Value) -> Result<Value, Fault> {
        self.call("lambda:CreateFunction", python(name, text, more)).await
    }

    /// Waits until a function has settled.
    async fn settled(&self, name: &str) {
        self.until(|| async {
            let input = json!({"FunctionName": name});
            let function = self.call("lambda:GetFunctionConfiguration", input).await;
            function.expect("a function")["LastUpdateStatus"] == "Successful"
        })
        .await;
    }

    /// Runs a function and returns its answer.
    async fn run(&self, name: &str, event: Value) -> Value {
        let answer = self.invoke(json!({"FunctionName": name, "Payload": encoded(&event)})).await;
        payload(&answer.expect("an answer"))
    }

    async fn invoke(&self, input: Value) -> Result<Value, Fault> {
        self.call("lambda:Invoke", input).await
    }

    /// Waits until something holds, and fails after some seconds.
    async fn until<F: Future<Output = bool>>(&self, mut holds: impl FnMut() -> F) {
        for _ in 0..2000 {
            if holds().await {
                return;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        panic!("it never came true");
    }

    /// Compares an answer, or the error's name and message, after a call that changes nothing.
    async fn shows(&self, action: &str, input: Value, expected: Expect) {
        self.check(action, input, expected).await;
    }
}

/// The members of CreateFunction for a Python function of one file.
fn python(name: &str, text: &str, more: Value) -> Value {
    let mut input = json!({
        "FunctionName": name,
        "Runtime": "python3.11",
        "Handler": "app.handler",
        "Role": ROLE,
        "Code": {"ZipFile": zipped(&[("app.py", text)])},
        "Timeout": 10,
    });
    let (members, more) = (input.as_object_mut(), more.as_object());
    if let (Some(members), Some(more)) = (members, more) {
        members.extend(more.clone());
    }
    input
}

/// A zip file in base64.
fn zipped(files: &[(&str, &str)]) -> String {
    let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
    for (name, text) in files {
        let options = SimpleFileOptions::default().unix_permissions(0o644);
        writer.start_file(*name, options).expect("an entry");
        writer.write_all(text.as_bytes()).expect("its text");
    }
    BASE64_STANDARD.encode(writer.finish().expect("a zip file").into_inner())
}

/// An event in base64.
fn encoded(event: &Value) -> String {
    BASE64_STANDARD.encode(event.to_string())
}

/// The answer of an invocation.
fn payload(output: &Value) -> Value {
    let text = output["Payload"].as_str().expect("a payload");
    let bytes = BASE64_STANDARD.decode(text).expect("base64");
    serde_json::from_slice(&bytes).expect("JSON")
}
