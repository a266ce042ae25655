//! `fogbank clock` and the call behind it: the cloud's time.

use std::process::ExitCode;

use fogbank_core::{BoxFuture, Cx, Fault};
use fogbank_gateway::{AdminRoute, AdminRun};
use serde_json::{Value, json};

use crate::admin_client::{self, AdminClient};
use crate::cli::ClockOptions;

const PATH: &str = "/_fogbank/clock";

/// The calls.
pub(crate) const ROUTES: &[AdminRoute] =
    &[AdminRoute { method: "GET", path: PATH, action: "ReadClock", run: AdminRun::Json(show) }];

fn show(cx: Cx, _: Value) -> BoxFuture<'static, Result<Value, Fault>> {
    Box::pin(async move { Ok(json!({ "now_millis": cx.now().millis() })) })
}

/// Shows the time of a running cloud.
pub(crate) fn clock(options: &ClockOptions) -> anyhow::Result<ExitCode> {
    let answer = AdminClient::new(&options.admin)?.get(PATH, &[])?;
    admin_client::print(&options.admin, &answer, |answer| answer["now_millis"].to_string())?;
    Ok(ExitCode::SUCCESS)
}
