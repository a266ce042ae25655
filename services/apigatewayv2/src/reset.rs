//! Removing all APIs of an account, or of every account.

use fogbank_core::reset::{each, forget_effects, is_meant};
use fogbank_core::{BoxFuture, Cx, Fault};

use crate::apis;
use crate::store::APIS;

/// Removes all that API Gateway keeps of an account.
pub(crate) fn reset(cx: Cx, account: Option<String>) -> BoxFuture<'static, Result<(), Fault>> {
    Box::pin(async move {
        let account = account.as_deref();
        forget_effects(&cx, "apigatewayv2", account).await?;
        each(&cx, &APIS, |_, api| is_meant(account, &api.account), apis::remove).await
    })
}
