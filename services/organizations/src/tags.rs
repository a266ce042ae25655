//! Tags of accounts, units, roots and policies.

use fogbank_core::{ReadTx, Tx, WriteTx};
use fogbank_identity::organizations::{ACCOUNTS, POLICIES, UNITS};
use fogbank_identity::rows::Tags;

use crate::error::Error;
use crate::model::{
    ListTagsForResourceInput, ListTagsForResourceOutput, TagResourceInput, TagResourceOutput,
    UntagResourceInput, UntagResourceOutput,
};
use crate::rules;
use crate::store::{self, Found, is_account};

/// The tags of a resource of the organization.
pub(crate) fn of(tx: &impl Tx, found: &Found, id: &str) -> Result<Tags, Error> {
    if is_account(id) {
        let account = found.account(tx, id).map_err(|_| Error::TargetNotFoundException)?;
        return Ok(account.tags);
    }
    if id.starts_with("p-") {
        let policy = found.policy(tx, id).map_err(|_| Error::TargetNotFoundException)?;
        return Ok(policy.tags);
    }
    Ok(found.unit(tx, id)?.ok_or(Error::TargetNotFoundException)?.tags)
}

fn change(
    tx: &mut WriteTx<'_>,
    id: &str,
    edit: impl FnOnce(&mut Tags) -> Result<(), Error>,
) -> Result<(), Error> {
    let found = store::managed(tx)?;
    let mut tags = of(tx, &found, id)?;
    edit(&mut tags)?;
    let key = (&*found.id, id);
    if is_account(id) {
        let mut account = found.account(tx, id)?;
        account.tags = tags;
        ACCOUNTS.put(tx, id, &account)?;
    } else if id.starts_with("p-") {
        let mut policy = found.policy(tx, id)?;
        policy.tags = tags;
        POLICIES.put(tx, &key, &policy)?;
    } else if let Some(mut unit) = found.unit(tx, id)? {
        unit.tags = tags;
        UNITS.put(tx, &key, &unit)?;
    }
    Ok(())
}

/// Adds tags.
pub(crate) fn tag(
    tx: &mut WriteTx<'_>,
    input: TagResourceInput,
) -> Result<TagResourceOutput, Error> {
    change(tx, &input.resource_id, |tags| rules::merge(tags, input.tags))?;
    Ok(TagResourceOutput {})
}

/// Removes tags.
pub(crate) fn untag(
    tx: &mut WriteTx<'_>,
    input: UntagResourceInput,
) -> Result<UntagResourceOutput, Error> {
    change(tx, &input.resource_id, |tags| {
        tags.retain(|(key, _)| !input.tag_keys.contains(key));
        Ok(())
    })?;
    Ok(UntagResourceOutput {})
}

/// Lists tags.
pub(crate) fn list(
    tx: &ReadTx<'_>,
    input: ListTagsForResourceInput,
) -> Result<ListTagsForResourceOutput, Error> {
    let found = store::visible(tx)?;
    let tags = rules::shown_tags(of(tx, &found, &input.resource_id)?);
    Ok(ListTagsForResourceOutput { tags: Some(tags), next_token: None })
}
