//! Removing all access points, grants and jobs of an account, or of every account.

use fogbank_accesspoints::{
    self as points, ACCESS_POINTS, BLOCKS, GRANTEES, GRANTS, INSTANCES, LOCATIONS, REPLICATIONS,
};
use fogbank_core::reset::{each, forget_effects, is_meant};
use fogbank_core::{BoxFuture, Cx, Fault};

use crate::jobs;
use crate::store::{CHUNKS, JOBS, LINES};

/// Removes all that S3 Control keeps of an account.
pub(crate) fn reset(cx: Cx, account: Option<String>) -> BoxFuture<'static, Result<(), Fault>> {
    Box::pin(async move {
        let account = account.as_deref();
        forget_effects(&cx, "s3control", account).await?;
        each(&cx, &ACCESS_POINTS, |key, _| is_meant(account, &key.0), points::remove).await?;
        each(
            &cx,
            &BLOCKS,
            |owner, _| is_meant(account, owner),
            |tx, owner, _| BLOCKS.delete(tx, owner),
        )
        .await?;
        each(
            &cx,
            &GRANTEES,
            |key, _| is_meant(account, &key.0),
            |tx, key, _| GRANTEES.delete(tx, key),
        )
        .await?;
        each(&cx, &GRANTS, |key, _| is_meant(account, &key.0), |tx, key, _| GRANTS.delete(tx, key))
            .await?;
        each(
            &cx,
            &LOCATIONS,
            |key, _| is_meant(account, &key.0),
            |tx, key, _| LOCATIONS.delete(tx, key),
        )
        .await?;
        each(
            &cx,
            &INSTANCES,
            |key, _| is_meant(account, &key.0),
            |tx, key, _| INSTANCES.delete(tx, key),
        )
        .await?;
        each(&cx, &JOBS, |key, _| is_meant(account, &key.0), jobs::forget).await?;
        each(&cx, &CHUNKS, |key, _| is_meant(account, &key.0), |tx, key, _| CHUNKS.delete(tx, key))
            .await?;
        each(
            &cx,
            &REPLICATIONS,
            |key, _| is_meant(account, &key.0),
            |tx, key, _| REPLICATIONS.delete(tx, key),
        )
        .await?;
        each(&cx, &LINES, |key, _| is_meant(account, &key.0), |tx, key, _| LINES.delete(tx, key))
            .await
    })
}
