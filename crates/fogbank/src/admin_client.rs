//! Calls of a running cloud by the commands of its administrator, such as `fogbank clock`.

use std::env;

use anyhow::Context;
use fogbank_gateway::client::{Client, Target};
use serde_json::Value;

use crate::cli::AdminOptions;

/// A client of the cloud that `options` and the environment mean, and the runtime on which it works.
pub(crate) struct AdminClient {
    pub(crate) http: Client,
    pub(crate) runtime: tokio::runtime::Runtime,
}

impl AdminClient {
    /// Finds endpoint and credentials.
    pub(crate) fn new(options: &AdminOptions) -> anyhow::Result<AdminClient> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .context("cannot start the runtime")?;
        Ok(AdminClient { http: Client::new(target(options)?)?, runtime })
    }

    /// Asks for what a `GET` shows.
    pub(crate) fn get(&self, path: &str, query: &[(&str, &str)]) -> anyhow::Result<Value> {
        Ok(self.runtime.block_on(self.http.get(path, query))?)
    }

    /// Has something done.
    pub(crate) fn post(&self, path: &str, input: &Value) -> anyhow::Result<Value> {
        Ok(self.runtime.block_on(self.http.post(path, input))?)
    }
}

fn target(options: &AdminOptions) -> anyhow::Result<Target> {
    let given = |name: &str| env::var(name).ok().filter(|value| !value.is_empty());
    let (id, secret) = (given("AWS_ACCESS_KEY_ID"), given("AWS_SECRET_ACCESS_KEY"));
    let (access_key_id, secret) = match (id, secret) {
        (Some(id), Some(secret)) => (id, secret),
        (None, None) => ("test".to_owned(), "test".to_owned()),
        _ => anyhow::bail!("AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY must be set together"),
    };
    let region = given("AWS_REGION").or_else(|| given("AWS_DEFAULT_REGION"));
    Ok(Target {
        endpoint: match options.endpoint.as_deref() {
            None | Some("") => "http://127.0.0.1:4566".to_owned(),
            Some(endpoint) => endpoint.to_owned(),
        },
        access_key_id,
        secret,
        session_token: given("AWS_SESSION_TOKEN"),
        region: region.unwrap_or_else(|| "us-east-1".to_owned()),
    })
}

/// Asks somebody at the terminal; where there is nobody, `--yes` must have been given.
pub(crate) fn confirm(question: &str) -> anyhow::Result<bool> {
    use std::io::{IsTerminal, Write};
    anyhow::ensure!(std::io::stdin().is_terminal(), "say --yes where nobody can be asked");
    let mut stderr = std::io::stderr();
    write!(stderr, "{question} [y/N] ").and_then(|()| stderr.flush()).context("cannot ask")?;
    let mut answer = String::new();
    std::io::stdin().read_line(&mut answer).context("cannot read the answer")?;
    Ok(matches!(answer.trim(), "y" | "Y" | "yes"))
}

/// Prints an answer: as JSON where that was asked for, else as `text` says it.
#[expect(clippy::print_stdout, reason = "the output is the purpose")]
pub(crate) fn print(
    options: &AdminOptions,
    answer: &Value,
    text: impl FnOnce(&Value) -> String,
) -> anyhow::Result<()> {
    match options.json {
        true => println!("{}", serde_json::to_string_pretty(answer)?),
        false => println!("{}", text(answer)),
    }
    Ok(())
}
