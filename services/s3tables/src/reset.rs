//! Removing all that S3 Tables keeps of an account, or of every account. Files of tables go in the background of S3.

use fogbank_core::reset::{each, forget_effects, is_meant};
use fogbank_core::{BoxFuture, Cx, Fault};

use crate::store::{self, BUCKETS, NAMESPACES, TABLES, WAREHOUSES};

/// Removes all tables, namespaces and table buckets of an account.
pub(crate) fn reset(cx: Cx, account: Option<String>) -> BoxFuture<'static, Result<(), Fault>> {
    Box::pin(async move {
        let account = account.as_deref();
        forget_effects(&cx, "s3tables", account).await?;
        each(&cx, &TABLES, |key, _| is_meant(account, &key.0), store::remove_table).await?;
        // Those of tables that are being created.
        each(
            &cx,
            &WAREHOUSES,
            |_, row| is_meant(account, &row.account),
            |tx, name, _| store::remove_warehouse(tx, name),
        )
        .await?;
        each(
            &cx,
            &NAMESPACES,
            |key, _| is_meant(account, &key.0),
            |tx, key, _| NAMESPACES.delete(tx, key),
        )
        .await?;
        each(
            &cx,
            &BUCKETS,
            |key, _| is_meant(account, &key.0),
            |tx, key, _| BUCKETS.delete(tx, key),
        )
        .await
    })
}
