//! Removing all tables of an account, or of every account.

use fogbank_core::reset::{each, forget_effects, is_meant};
use fogbank_core::{BoxFuture, Cx, Fault};

use crate::store::{self, DEFINITIONS, EXPIRIES, TOKEN_ENDS};

/// Removes all that DynamoDB keeps of an account: tables, protected ones too, and the tokens of its transactions. Items go
/// in the background.
pub(crate) fn reset(cx: Cx, account: Option<String>) -> BoxFuture<'static, Result<(), Fault>> {
    Box::pin(async move {
        let account = account.as_deref();
        forget_effects(&cx, "dynamodb", account).await?;
        each(
            &cx,
            &DEFINITIONS,
            |key, _| is_meant(account, &key.0),
            |tx, key, _| store::delete_at(tx, key),
        )
        .await?;
        each(
            &cx,
            &TOKEN_ENDS,
            |key, ()| is_meant(account, &key.1),
            |tx, key, ()| store::forget_token(tx, key),
        )
        .await?;
        // They would stay until the items of tables that are gone would have expired, be it in years.
        let known = cx.read(store::all_table_ids)?;
        each(
            &cx,
            &EXPIRIES,
            |key, ()| !known.contains(&key.1),
            |tx, key, ()| store::delete_stray_expiry(tx, key),
        )
        .await
    })
}
