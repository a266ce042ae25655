//! For what keys were used last.
//!
//! Uses are noted in memory and written once a minute: AWS, too, tells them after a while. A process that is killed loses
//! those of the last minute.

use std::collections::HashMap;

use fogbank_core::{Arn, Cloud, Cx, Fault, ReadTx, Timestamp};
use parking_lot::Mutex;

use crate::error::Error;
use crate::lookup;
use crate::model::{GetKeyLastUsageInput, GetKeyLastUsageOutput, KeyLastUsageData};
use crate::store::{self, KEYS, KeyKey, LAST_USES, LastUse, MARKS};

/// How many rows a transaction writes.
const ROWS: usize = 200;

/// Last uses that are not written yet.
#[derive(Default)]
struct Uses(Mutex<HashMap<KeyKey, LastUse>>);

/// Notes that the call used the key with this ARN with success.
pub(crate) fn note(cx: &Cx, arn: &str) {
    let Some(parsed) = Arn::parse(arn) else { return };
    let Some(id) = parsed.resource.strip_prefix("key/") else { return };
    let request = cx.request();
    let last = LastUse {
        operation: request.operation.to_owned(),
        at_millis: request.now.millis(),
        request_id: request.id.clone(),
    };
    let at = (parsed.account.to_owned(), parsed.region.to_owned(), id.to_owned());
    cx.state(Uses::default).0.lock().insert(at, last);
}

/// Forgets what was noted: other rows take the place of those that it is about.
pub(crate) fn forget(cloud: &Cloud) {
    cloud.state(Uses::default).0.lock().clear();
}

/// Writes what was noted, and, the first time, since when.
pub(crate) async fn write(cx: &Cx) -> Result<(), Fault> {
    let now = cx.now().millis();
    if cx.read(|tx| MARKS.get(tx, &(store::TRACKING,)))?.is_none() {
        cx.write(|tx| MARKS.put(tx, &(store::TRACKING,), &now.unsigned_abs())).await?;
    }
    let noted: Vec<_> = cx.state(Uses::default).0.lock().drain().collect();
    for some in noted.chunks(ROWS) {
        cx.write(|tx| {
            for (at, last) in some {
                // It may be gone since.
                if KEYS.contains(tx, at)? {
                    LAST_USES.put(tx, at, last)?;
                }
            }
            Ok::<_, Fault>(())
        })
        .await?;
    }
    Ok(())
}

/// Tells a key's last use. There is no CloudTrail whose event could be named.
pub(crate) fn last(
    tx: &ReadTx<'_>,
    input: GetKeyLastUsageInput,
) -> Result<GetKeyLastUsageOutput, Error> {
    let found = lookup::own(tx, &input.key_id)?;
    let noted = fogbank_core::Tx::cx(tx).state(Uses::default).0.lock().get(&found.at).cloned();
    let last = match noted {
        Some(last) => Some(last),
        None => LAST_USES.get(tx, &found.at)?,
    };
    let created = found.key.created_millis;
    let tracked = MARKS.get(tx, &(store::TRACKING,))?;
    let tracked = tracked.and_then(|millis| i64::try_from(millis).ok()).unwrap_or(created);
    let data = last.map(|last| KeyLastUsageData {
        operation: Some(last.operation),
        timestamp: Some(Timestamp::from_millis(last.at_millis)),
        kms_request_id: Some(last.request_id),
        ..KeyLastUsageData::default()
    });
    Ok(GetKeyLastUsageOutput {
        key_id: Some(found.arn),
        key_last_usage: Some(data.unwrap_or_default()),
        tracking_start_date: Some(Timestamp::from_millis(created.max(tracked))),
        key_creation_date: Some(Timestamp::from_millis(created)),
    })
}
