//! Removing all functions, layers and mappings of an account, or of every account.

use fogbank_core::reset::{each, forget_effects, is_meant};
use fogbank_core::{BoxFuture, Cx, Fault};

use crate::engine::engine;
use crate::rules::target::Target;
use crate::store::{EVENTS, FUNCTIONS, LAYER_VERSIONS, LAYERS, MAPPINGS};
use crate::{events, functions, layers, mappings};

/// Removes all that Lambda keeps of an account. What runs now runs to its end, but nothing comes of it: neither
/// destinations nor logs learn of it.
pub(crate) fn reset(cx: Cx, account: Option<String>) -> BoxFuture<'static, Result<(), Fault>> {
    Box::pin(async move {
        let account = account.as_deref();
        forget_effects(&cx, "lambda", account).await?;
        each(
            &cx,
            &MAPPINGS,
            |key, _| is_meant(account, &key.0),
            |tx, key, _| mappings::remove(tx, key),
        )
        .await?;
        each(
            &cx,
            &FUNCTIONS,
            |key, _| is_meant(account, &key.0),
            |tx, (account, region, name), _| {
                let (account, region, name) = (account.clone(), region.clone(), name.clone());
                functions::remove(tx, &Target { account, region, name, qualifier: None })
            },
        )
        .await?;
        each(&cx, &EVENTS, |_, event| is_meant(account, &event.account), events::remove).await?;
        each(&cx, &LAYER_VERSIONS, |key, _| is_meant(account, &key.0), layers::remove).await?;
        each(&cx, &LAYERS, |key, _| is_meant(account, &key.0), |tx, key, _| LAYERS.delete(tx, key))
            .await?;
        engine(&cx).logs.forget(account);
        Ok(())
    })
}
