//! What happens by itself: parameter policies act when it is time.

use fogbank_core::{Cx, Fault, WriteTx};

use crate::changes;
use crate::error::Error;
use crate::rules::policies;
use crate::store::{self, DueKey, PARAMETERS};

/// The task that does what is due, and its topic.
pub(crate) const DUE: &str = "ssm.due";
/// How many parameters one look finds.
const AT_ONCE: usize = 100;

/// Lets the policies act for which it is time.
pub(crate) async fn do_due(cx: Cx) -> Result<(), Fault> {
    loop {
        let now = cx.now().millis().max(0).unsigned_abs();
        let due = cx.read(|tx| {
            let end = (now + 1, String::new(), String::new(), String::new());
            store::DUE.range(&()).before(&end).limit(AT_ONCE).keys(tx)
        })?;
        for key in &due {
            cx.write(|tx| do_one(tx, key)).await?;
        }
        if due.len() < AT_ONCE {
            return Ok(());
        }
    }
}

fn do_one(tx: &mut WriteTx<'_>, due: &DueKey) -> Result<(), Error> {
    if !store::DUE.contains(tx, due)? {
        return Ok(());
    }
    store::DUE.delete(tx, due)?;
    let key = (due.1.clone(), due.2.clone(), due.3.clone());
    let Some(mut parameter) = PARAMETERS.get(tx, &key)? else { return Ok(()) };
    let millis = i64::try_from(due.0).unwrap_or(i64::MAX);
    let mut acting = parameter
        .policies
        .iter_mut()
        .filter(|policy| !policy.is_done && policy.at_millis <= millis);
    let mut acted = Vec::new();
    for policy in &mut acting {
        policy.is_done = true;
        acted.push(policy.clone());
    }
    let version = store::latest(tx, &key, &parameter)?;
    for policy in &acted {
        changes::tell_policy(tx, &key, policy, &version)?;
    }
    if acted.iter().any(policies::expires) {
        return changes::remove(tx, &key, &parameter);
    }
    Ok(store::put(tx, &key, &parameter)?)
}
