//! What happens by itself: secrets are deleted for good, and rotated when their window opens.

use fogbank_core::{Cx, Fault, WriteTx};

use crate::error::Error;
use crate::store::{self, DueKey, SECRETS};
use crate::{changes, rotation};

/// The task that does what is due, and its topic.
pub(crate) const DUE: &str = "secretsmanager.due";
/// How many secrets one look finds.
const AT_ONCE: usize = 100;

/// Deletes and rotates the secrets for which it is time.
pub(crate) async fn do_due(cx: Cx) -> Result<(), Fault> {
    loop {
        let now = cx.now().millis().max(0).unsigned_abs();
        let due = cx.read(|tx| {
            let end = (now + 1, String::new(), String::new(), String::new());
            store::DUE.range(&()).before(&end).limit(AT_ONCE).keys(tx)
        })?;
        for key in &due {
            let ids = (cx.ids().uuid(), cx.ids().uuid());
            let at = cx.located(&key.1, &key.2);
            at.write(|tx| do_one(tx, key, (&ids.0, &ids.1))).await?;
        }
        if due.len() < AT_ONCE {
            return Ok(());
        }
    }
}

fn do_one(tx: &mut WriteTx<'_>, due: &DueKey, ids: (&str, &str)) -> Result<(), Error> {
    if !store::DUE.contains(tx, due)? {
        return Ok(());
    }
    store::DUE.delete(tx, due)?;
    let key = (due.1.clone(), due.2.clone(), due.3.clone());
    let Some(secret) = SECRETS.get(tx, &key)? else { return Ok(()) };
    let millis = i64::try_from(due.0).unwrap_or(i64::MAX);
    match secret.deletion_millis {
        Some(deletion) if deletion <= millis => {
            store::remove(tx, &key, &secret)?;
            changes::tell(tx, &key, &secret, "EndSecretVersionDelete")
        }
        Some(_) => Ok(()),
        None => rotation::begin_scheduled(tx, &key, secret, ids),
    }
}
