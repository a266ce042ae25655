//! Invoke: running a function now, later, or not at all.

use std::time::Duration;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use bytes::Bytes;
use fogbank_compute::lambda::{Invocation, Outcome};
use fogbank_core::{Cx, Ids};

use crate::engine::{Job, engine};
use crate::error::{Error, function_not_found, unsupported};
use crate::events;
use crate::functions::{require_settled, settled_topic};
use crate::model::{InvocationType, InvokeInput, InvokeOutput, LogType};
use crate::rules::payload;
use crate::rules::target::{Target, version_name};
use crate::store::{self, Function, State, Version};

/// How long an invocation waits for a function that is being created.
const PATIENCE: Duration = Duration::from_secs(10);

/// Runs a function.
pub(crate) async fn invoke(cx: &Cx, input: InvokeInput) -> Result<InvokeOutput, Error> {
    let qualifier = input.qualifier.as_deref();
    let target = Target::parse(&input.function_name, qualifier, cx.account(), cx.region())?;
    if input.durable_execution_name.is_some() || input.tenant_id.is_some() {
        return Err(unsupported("durable executions and tenants"));
    }
    let kind = input.invocation_type.unwrap_or(InvocationType::RequestResponse);
    let payload = payload::check(input.payload, kind == InvocationType::Event)?;
    let client_context = input.client_context.as_deref().map(client_context).transpose()?;
    match kind {
        InvocationType::DryRun => {
            cx.read(|tx| resolve(tx, &target, cx.ids()).map(drop))?;
            Ok(answered(204))
        }
        InvocationType::Event => {
            events::accept(cx, &target, payload, client_context).await?;
            Ok(answered(202))
        }
        InvocationType::RequestResponse => {
            let id = &cx.request().id;
            let run = run(cx, &target, id, payload, client_context).await?;
            let wants_log = input.log_type == Some(LogType::Tail);
            let log = wants_log.then(|| BASE64_STANDARD.encode(&run.outcome.log_tail));
            Ok(InvokeOutput {
                function_error: run.outcome.function_error().map(str::to_owned),
                log_result: log,
                payload: Some(run.outcome.payload),
                executed_version: Some(run.executed_version),
                ..answered(200)
            })
        }
    }
}

fn answered(status: i32) -> InvokeOutput {
    InvokeOutput { status_code: Some(status), ..InvokeOutput::default() }
}

/// `X-Amz-Client-Context`: JSON in base64.
fn client_context(text: &str) -> Result<String, Error> {
    let refused = || {
        Error::InvalidRequestContentException(
            "Client context must be a valid Base64-encoded JSON object.".to_owned(),
        )
    };
    let bytes = BASE64_STANDARD.decode(text).map_err(|_| refused())?;
    let json = String::from_utf8(bytes).map_err(|_| refused())?;
    match serde_json::from_str::<serde_json::Value>(&json) {
        Ok(serde_json::Value::Object(_)) => Ok(json),
        _ => Err(refused()),
    }
}

/// A function that was run.
pub(crate) struct Run {
    pub(crate) outcome: Outcome,
    pub(crate) executed_version: String,
    pub(crate) version: Version,
}

/// Runs a function once and waits for its end.
pub(crate) async fn run(
    cx: &Cx,
    target: &Target,
    request_id: &str,
    payload: Bytes,
    client_context: Option<String>,
) -> Result<Run, Error> {
    let Resolved { function, number, version } = settled(cx, target).await?;
    let invocation = Invocation {
        request_id: request_id.to_owned(),
        payload,
        trace_id: Some(trace_id(cx, version.traces)),
        invoked_arn: Some(target.arn()),
        client_context,
        ..Invocation::default()
    };
    let job =
        Job { target: target.clone(), function, number, version: version.clone(), invocation };
    let outcome = engine(cx).run(cx, job).await?;
    Ok(Run { outcome, executed_version: version_name(number), version })
}

/// A new trace; there is nothing yet that collects it.
fn trace_id(cx: &Cx, is_sampled: bool) -> String {
    let ids = cx.ids();
    format!(
        "Root=1-{:08x}-{};Parent={};Sampled={}",
        cx.now().secs(),
        ids.hex(24),
        ids.hex(16),
        u8::from(is_sampled)
    )
}

/// What an invocation runs.
pub(crate) struct Resolved {
    pub(crate) function: Function,
    pub(crate) number: u64,
    pub(crate) version: Version,
}

/// The version that an invocation runs; an alias with two versions throws a die.
pub(crate) fn resolve(
    tx: &impl fogbank_core::store::Read,
    target: &Target,
    ids: &Ids,
) -> Result<Resolved, Error> {
    let missing = || function_not_found(&target.arn_with(target.qualifier_or_latest()));
    let function = store::FUNCTIONS.get(tx, &target.key())?.ok_or_else(missing)?;
    let number = match target.version() {
        Some(number) => number,
        None => {
            let alias = store::alias(tx, target, target.qualifier_or_latest())?;
            let alias = alias.ok_or_else(missing)?;
            match alias.also {
                Some((also, weight)) if is_chosen(weight, ids) => also,
                _ => alias.version,
            }
        }
    };
    let version = store::version(tx, target, number)?.ok_or_else(missing)?;
    Ok(Resolved { function, number, version })
}

fn is_chosen(weight: f64, ids: &Ids) -> bool {
    const STEPS: u64 = 1_000_000;
    (ids.below(STEPS) as f64) < weight * STEPS as f64
}

/// The version to run, once it can run. AWS refuses at once; here creation takes milliseconds, and waiting is kinder.
async fn settled(cx: &Cx, target: &Target) -> Result<Resolved, Error> {
    let first = cx.read(|tx| resolve(tx, target, cx.ids()))?;
    if first.version.state != State::Pending {
        return Ok(first);
    }
    let waiting = async {
        loop {
            let waiter = cx.wakes().waiter(&settled_topic(&target.function_arn()));
            let resolved = cx.read(|tx| resolve(tx, target, cx.ids()))?;
            if resolved.version.state != State::Pending {
                return Ok(resolved);
            }
            waiter.wait().await;
        }
    };
    match tokio::time::timeout(PATIENCE, waiting).await {
        Ok(resolved) => resolved,
        Err(_) => {
            require_settled(target, &first.version)?;
            Ok(first)
        }
    }
}
