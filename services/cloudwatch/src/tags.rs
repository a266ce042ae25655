//! Tags of alarms and dashboards.

use std::collections::BTreeMap;

use fogbank_core::{Arn, Check, Fault, ReadTx, WriteTx};

use crate::error::Error;
use crate::model::*;
use crate::store::{ALARMS, AlarmKey, DASHBOARDS};

/// How many tags a resource may have.
const MOST: usize = 50;

/// Tags that a request brings.
pub(crate) fn checked(tags: Vec<Tag>) -> Result<BTreeMap<String, String>, Error> {
    let mut checked = BTreeMap::new();
    for tag in tags {
        if tag.key.to_lowercase().starts_with("aws:") {
            return Err(Error::value(format!("The tag key {} is reserved.", tag.key)));
        }
        if checked.contains_key(&tag.key) {
            return Err(Error::value(format!("The tag key {} is given twice.", tag.key)));
        }
        checked.insert(tag.key, tag.value);
    }
    Ok(checked)
}

/// What can have tags.
enum Tagged {
    Alarm(AlarmKey),
    Dashboard((String, String)),
}

fn tagged(arn: &str) -> Option<Tagged> {
    let arn = Arn::parse(arn).filter(|arn| arn.service == "cloudwatch")?;
    let (account, region) = (arn.account.to_owned(), arn.region.to_owned());
    if let Some(name) = arn.resource.strip_prefix("alarm:") {
        return Some(Tagged::Alarm((account, region, name.to_owned())));
    }
    let name = arn.resource.strip_prefix("dashboard/")?;
    Some(Tagged::Dashboard((account, name.to_owned())))
}

fn not_found(arn: &str) -> Error {
    let resource_id = Some(arn.to_owned());
    let message = format!("The resource {arn} does not exist.");
    let resource_type = Some("Resource".to_owned());
    let members = ResourceNotFoundException { resource_type, resource_id };
    Fault::new("ResourceNotFoundException", message).with_members(members).into()
}

/// Changes the tags of a resource.
fn change(
    tx: &mut WriteTx<'_>,
    arn: &str,
    edit: impl FnOnce(&mut BTreeMap<String, String>),
) -> Result<(), Error> {
    fn checked(tags: &BTreeMap<String, String>) -> Result<(), Error> {
        match tags.len() > MOST {
            true => Err(Error::value(format!("A resource has at most {MOST} tags."))),
            false => Ok(()),
        }
    }
    match tagged(arn).ok_or_else(|| not_found(arn))? {
        Tagged::Alarm(key) => {
            let mut row = ALARMS.get(tx, &key)?.ok_or_else(|| not_found(arn))?;
            edit(&mut row.tags);
            checked(&row.tags)?;
            Ok(ALARMS.put(tx, &key, &row)?)
        }
        Tagged::Dashboard(key) => {
            let mut row = DASHBOARDS.get(tx, &key)?.ok_or_else(|| not_found(arn))?;
            edit(&mut row.tags);
            checked(&row.tags)?;
            Ok(DASHBOARDS.put(tx, &key, &row)?)
        }
    }
}

fn find(tx: &ReadTx<'_>, arn: &str) -> Result<Option<BTreeMap<String, String>>, Error> {
    Ok(match tagged(arn) {
        Some(Tagged::Alarm(key)) => ALARMS.get(tx, &key)?.map(|row| row.tags),
        Some(Tagged::Dashboard(key)) => DASHBOARDS.get(tx, &key)?.map(|row| row.tags),
        None => None,
    })
}

/// Adds tags.
pub(crate) fn tag(
    tx: &mut WriteTx<'_>,
    input: TagResourceInput,
) -> Result<TagResourceOutput, Error> {
    let tags = checked(input.tags)?;
    change(tx, &input.resource_arn, |known| known.extend(tags))?;
    Ok(TagResourceOutput {})
}

/// Takes tags away.
pub(crate) fn untag(
    tx: &mut WriteTx<'_>,
    input: UntagResourceInput,
) -> Result<UntagResourceOutput, Error> {
    change(tx, &input.resource_arn, |known| known.retain(|key, _| !input.tag_keys.contains(key)))?;
    Ok(UntagResourceOutput {})
}

/// Lists tags.
pub(crate) fn list(
    tx: &ReadTx<'_>,
    input: ListTagsForResourceInput,
) -> Result<ListTagsForResourceOutput, Error> {
    let arn = &input.resource_arn;
    let tags = find(tx, arn)?.ok_or_else(|| not_found(arn))?;
    let tags = tags.into_iter().map(|(key, value)| Tag { key, value });
    Ok(ListTagsForResourceOutput { tags: Some(tags.collect()) })
}

/// The tags of the resource that a permission is asked for.
pub(crate) fn of_resource(tx: &ReadTx<'_>, check: &Check) -> Result<Vec<(String, String)>, Fault> {
    let tags = find(tx, &check.resource)?;
    Ok(tags.map(|tags| tags.into_iter().collect()).unwrap_or_default())
}
