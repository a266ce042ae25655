//! Removing all buckets of an account, or of every account.

use std::cmp::Reverse;

use fogbank_core::reset::{AT_ONCE, forget_effects, is_meant};
use fogbank_core::{BoxFuture, Cx, Fault, WriteTx};

use crate::buckets;
use crate::directory::DIRECTORIES;
use crate::error::Error;
use crate::metadata_tables;
use crate::store::{self, BUCKETS, LISTED, OWNED, SHOWN};
use crate::versions;

/// Removes all that S3 keeps of an account: buckets with their objects. Nobody is notified. What many parts hold is freed
/// in the background.
pub(crate) fn reset(cx: Cx, account: Option<String>) -> BoxFuture<'static, Result<(), Fault>> {
    Box::pin(async move {
        let account = account.as_deref();
        forget_effects(&cx, "s3", account).await?;
        let mut buckets = cx.read(|tx| OWNED.range(&()).keys(tx))?;
        buckets.extend(cx.read(|tx| DIRECTORIES.range(&()).keys(tx))?);
        buckets.retain(|(owner, _)| is_meant(account, owner));
        for (owner, name) in &buckets {
            remove_versions(&cx, owner, name).await?;
            remove_bucket(&cx, owner, name).await?;
        }
        metadata_tables::reset(&cx, account).await?;
        Ok(())
    })
}

/// Removes an account's bucket with its objects. Each look begins where the last one ended: on a log-structured engine it
/// would walk through all that was removed before.
async fn remove_bucket(cx: &Cx, owner: &str, name: &str) -> Result<(), Error> {
    let mut after: Option<(String, String)> = None;
    loop {
        let mut keys = cx.read(|tx| {
            let mut range = LISTED.range(&(name,)).limit(AT_ONCE);
            if let Some(after) = &after {
                range = range.after(after);
            }
            range.keys(tx)
        })?;
        if cx.write(|tx| remove_some(tx, owner, name, &keys)).await? {
            return Ok(());
        }
        after = keys.pop().filter(|_| keys.len() + 1 == AT_ONCE);
    }
}

/// Removes the older versions of an account's bucket.
async fn remove_versions(cx: &Cx, owner: &str, name: &str) -> Result<(), Error> {
    loop {
        let keys = cx.read(|tx| SHOWN.range(&(name,)).limit(AT_ONCE).keys(tx))?;
        cx.write(|tx| {
            let bucket = BUCKETS.get(tx, name)?.filter(|bucket| bucket.account == owner);
            if bucket.is_none() {
                return Ok(());
            }
            for (_, key, Reverse(number)) in &keys {
                versions::forget(tx, (name, key), *number)?;
            }
            Ok::<_, Error>(())
        })
        .await?;
        if keys.len() < AT_ONCE {
            return Ok(());
        }
    }
}

/// Removes these objects of an account's bucket, and the bucket when they were the last; true when it is gone.
fn remove_some(
    tx: &mut WriteTx<'_>,
    owner: &str,
    name: &str,
    keys: &[(String, String)],
) -> Result<bool, Error> {
    let bucket = BUCKETS.get(tx, name)?.filter(|bucket| bucket.account == owner);
    let Some(bucket) = bucket else { return Ok(true) };
    for (_, key) in keys {
        if let Some(object) = store::object(tx, name, key)? {
            store::delete_object(tx, (name, key), &object)?;
        }
    }
    if keys.len() == AT_ONCE || !store::is_empty(tx, name)? {
        return Ok(false);
    }
    buckets::remove(tx, name, &bucket)?;
    Ok(true)
}
