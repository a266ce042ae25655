//! Background work: what is due by the cloud's clock.

use fogbank_core::{Cx, Fault, WriteTx};

use crate::error::Error;
use crate::store::{self, DUE, DueKey, KEYS, Rotated};
use crate::{changes, grants, import, keys, regions, rotation, uses};

/// The name of the round.
pub(crate) const DUE_KEYS: &str = "kms.due";
/// The name of the round that keeps books.
pub(crate) const BOOKS: &str = "kms.books";
/// How many keys a view of the rows finds.
const AT_ONCE: usize = 100;

/// Deletes keys whose window is over, forgets imported material that has expired, and rotates.
pub(crate) async fn do_what_is_due(cx: Cx) -> Result<(), Fault> {
    loop {
        let now = cx.now().millis();
        let due =
            cx.read(|tx| DUE.range(&()).before(&(now + 1, "", "", "")).limit(AT_ONCE).keys(tx))?;
        for entry in &due {
            cx.write(|tx| lapse(tx, entry, now)).await?;
        }
        if due.len() < AT_ONCE {
            return Ok(());
        }
    }
}

/// Writes last uses, and completes what older versions did not note.
pub(crate) async fn keep_books(cx: Cx) -> Result<(), Fault> {
    grants::index(&cx).await?;
    uses::write(&cx).await
}

/// Does what is due for one key.
fn lapse(tx: &mut WriteTx<'_>, entry: &DueKey, now: i64) -> Result<(), Error> {
    let (due, account, region, id) = entry;
    let at = (account.clone(), region.clone(), id.clone());
    let Some(mut key) = KEYS.get(tx, &at)?.filter(|key| key.due_millis == Some(*due)) else {
        return Ok(DUE.delete(tx, entry)?);
    };
    if store::is_gone(&key, now) {
        regions::forget(tx, &at, &key)?;
        store::remove(tx, &at, &key)?;
        return changes::tell(tx, &at, changes::DELETION);
    }
    for (material_id, material) in store::materials(tx, &at)? {
        let expires = material.imported.and_then(|imported| imported.expires_millis);
        if material.sealed.is_some() && expires.is_some_and(|expires| expires <= now) {
            import::forget(tx, &at, &material_id)?;
            changes::tell(tx, &at, changes::EXPIRATION)?;
        }
    }
    import::refresh(tx, &at, key)?;
    key = store::key(tx, &at)?;
    if let Some(rotation) = key.rotation.as_mut().filter(|rotation| rotation.next_millis <= now) {
        let at_millis = rotation.next_millis;
        // Years that were skipped at once are one rotation.
        let period = i64::from(rotation.period_days) * keys::DAY;
        while rotation.next_millis <= now {
            rotation.next_millis += period;
        }
        // AWS does not rotate keys that are switched off; their next rotation is a period later.
        match key.enabled {
            true => rotation::rotate(tx, &at, key, Rotated { at_millis, on_demand: false })?,
            false => store::put(tx, &at, key)?,
        }
    }
    Ok(())
}
