//! Tags of accounts, units, roots and policies.

use fogbank_core::{Arn, Check, Fault, ReadTx, Tx, WriteTx};
use fogbank_identity::organizations::{ACCOUNTS, POLICIES, UNITS};
use fogbank_identity::rows::Tags;

use crate::error::Error;
use crate::model::{
    ListTagsForResourceInput, ListTagsForResourceOutput, TagResourceInput, TagResourceOutput,
    UntagResourceInput, UntagResourceOutput,
};
use crate::store::{self, Found, is_account};
use crate::{resource_policies, rules};

/// The tags of the account, unit, root or policy with an ARN, such as `…:ou/o-a1b2c3d4e5/ou-ab12-c3d4e5f6`, for the gateway.
pub(crate) fn of_resource(tx: &ReadTx<'_>, check: &Check) -> Result<Tags, Fault> {
    let Some(arn) = Arn::parse(&check.resource) else { return Ok(Tags::new()) };
    let mut parts = arn.resource.split('/');
    let (Some(_), Some(organization), Some(id)) = (parts.next(), parts.next(), parts.next_back())
    else {
        return Ok(Tags::new());
    };
    let key = (organization, id);
    let tags = if is_account(id) {
        let account = ACCOUNTS.get(tx, id)?.filter(|found| found.organization == organization);
        account.map(|account| account.tags)
    } else if is_policy(id) {
        POLICIES.get(tx, &key)?.map(|policy| policy.tags)
    } else {
        UNITS.get(tx, &key)?.map(|unit| unit.tags)
    };
    Ok(tags.unwrap_or_default())
}

/// The tags of a resource of the organization.
pub(crate) fn of(tx: &impl Tx, found: &Found, id: &str) -> Result<Tags, Error> {
    if is_account(id) {
        let account = found.account(tx, id).map_err(|_| Error::TargetNotFoundException)?;
        return Ok(account.tags);
    }
    if is_policy(id) {
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
    } else if is_policy(id) {
        let mut policy = found.policy(tx, id)?;
        policy.tags = tags;
        POLICIES.put(tx, &key, &policy)?;
    } else if let Some(mut unit) = found.unit(tx, id)? {
        unit.tags = tags;
        UNITS.put(tx, &key, &unit)?;
    }
    Ok(())
}

/// Whether an id is that of a policy, or of the organization's own.
fn is_policy(id: &str) -> bool {
    id.starts_with("p-") || id.starts_with(resource_policies::PREFIX)
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
