//! What an execution environment is made of: code, credentials, variables and a log stream.

use std::sync::Arc;
use std::time::Duration;

use fogbank_compute::lambda::Spec;
use fogbank_core::{Cx, Fault};

use super::engine;
use super::logs::{Logs, Stream};
use crate::error::Error;
use crate::functions::{Credentials, assume, log_group};
use crate::rules::target::{Target, version_name};
use crate::store::{Code, Version};

/// Prepares an environment for a version.
pub(super) async fn build(
    cx: &Cx,
    logs: &Arc<Logs>,
    target: &Target,
    number: u64,
    version: Version,
) -> Result<Spec, Error> {
    let unpacked = &engine(cx).unpacked;
    let folder = async |code: &Code| {
        let folder = unpacked.folder(cx.blobs(), &code.zip, &code.sha256).await;
        folder.map_err(Fault::internal)
    };
    let code_dir = folder(&version.code).await?;
    let mut layers = Vec::new();
    for layer in &version.layers {
        layers.push(folder(&layer.code).await?);
    }
    let credentials = assume(cx, target, &version.role).await?;
    let group = log_group(&version.logging, &target.name);
    let stream = stream_name(cx, number);
    let env = variables(cx, &credentials, &version);
    let log_sink = logs.open(Stream {
        account: target.account.clone(),
        region: target.region.clone(),
        group: group.clone(),
        name: stream.clone(),
        principal: credentials.principal,
    });
    Ok(Spec {
        runtime: version.runtime.parse().map_err(Fault::internal)?,
        handler: version.handler,
        code_dir,
        layers,
        env,
        memory_mb: version.memory_mb,
        timeout: Duration::from_secs(version.timeout_secs.into()),
        scratch_mb: version.scratch_mb,
        log_sink,
        function_name: target.name.clone(),
        function_version: version_name(number),
        function_arn: target.function_arn(),
        log_group: group,
        log_stream: stream,
        region: target.region.clone(),
    })
}

/// The variables of the role's session and of the endpoint, then the function's own, which win.
fn variables(cx: &Cx, credentials: &Credentials, version: &Version) -> Vec<(String, String)> {
    let endpoint = format!("http://{}", cx.settings().local_authority);
    let mut variables = vec![
        ("AWS_ACCESS_KEY_ID", credentials.access_key_id.clone()),
        ("AWS_SECRET_ACCESS_KEY", credentials.secret_access_key.clone()),
        ("AWS_SESSION_TOKEN", credentials.session_token.clone()),
        ("AWS_ENDPOINT_URL", endpoint),
    ];
    if version.logging.json {
        variables.push(("AWS_LAMBDA_LOG_FORMAT", "JSON".to_owned()));
        let level = version.logging.application_level.clone();
        variables.extend(level.map(|level| ("AWS_LAMBDA_LOG_LEVEL", level)));
    }
    let own = version.variables.iter().flatten();
    variables
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value))
        .chain(own.map(|(name, value)| (name.clone(), value.clone())))
        .collect()
}

/// Such as `2026/01/01/[$LATEST]5d0c…`, with 32 digits.
fn stream_name(cx: &Cx, number: u64) -> String {
    let now = jiff::Timestamp::from_millisecond(cx.now().millis()).unwrap_or_default();
    format!("{}/[{}]{}", now.strftime("%Y/%m/%d"), version_name(number), cx.ids().hex(32))
}
