//! The calls that look for damage on the disk, and what the last look found.

use fogbank_core::store::{Damaged, Scrubbed};
use fogbank_core::{BoxFuture, Cx, Fault};
use fogbank_gateway::{AdminRoute, AdminRun};
use serde_json::{Value, json};

use crate::snapshots::block;

const PATH: &str = "/_fogbank/scrub";

/// The calls.
pub(crate) const ROUTES: &[AdminRoute] = &[
    AdminRoute { method: "GET", path: PATH, action: "ReadScrub", run: AdminRun::Json(read) },
    AdminRoute { method: "POST", path: PATH, action: "Scrub", run: AdminRun::Json(scrub) },
];

/// What the last whole pass found, in the background or on demand; nothing before the first.
fn read(cx: Cx, _: Value) -> BoxFuture<'static, Result<Value, Fault>> {
    Box::pin(async move {
        let last = cx.db().blobs().scrubbed();
        Ok(json!({ "last": last.as_ref().map(report) }))
    })
}

/// Reads everything now, and answers when it is done; `mib_per_second` slows it down.
fn scrub(cx: Cx, input: Value) -> BoxFuture<'static, Result<Value, Fault>> {
    Box::pin(async move {
        let given = input.get("mib_per_second").filter(|given| !given.is_null());
        let rate = given.map(|given| match given.as_u64() {
            Some(mib @ 1..=1_000_000) => Ok(mib << 20),
            _ => Err(Fault::validation("mib_per_second must be a whole number from 1 to 1000000.")),
        });
        let rate = rate.transpose()?;
        let found = block(move || cx.db().blobs().scrub(rate, |_| {})).await?;
        Ok(report(&found))
    })
}

fn report(found: &Scrubbed) -> Value {
    let show = |damaged: &Damaged| {
        let Damaged { file, offset, len, why } = damaged;
        json!({ "file": file, "offset": offset, "len": len, "why": why })
    };
    json!({
        "rows": found.rows,
        "blobs": found.blobs,
        "bytes": found.bytes,
        "damaged_count": found.damaged_count,
        "damaged": found.damaged.iter().map(show).collect::<Vec<_>>(),
    })
}
