//! Tags of tables.

use std::sync::Arc;

use fogbank_core::{Arn, Check, Fault, ReadTx, Tx, WriteTx};

use crate::definition::Definition;
use crate::error::{Error, Result};
use crate::model::{
    ListTagsOfResourceInput, ListTagsOfResourceOutput, Tag, TagResourceInput, TagResourceOutput,
    UntagResourceInput, UntagResourceOutput,
};
use crate::names::{self, TableName};
use crate::store;

/// How many tags a table may have. A listing shows them all.
const MAX_TAGS: usize = 50;

/// Refuses tags that a request may not give.
pub(crate) fn check(tags: &[Tag]) -> Result<()> {
    let mut seen = std::collections::BTreeSet::new();
    for tag in tags {
        if tag.key.starts_with("aws:") {
            return Err(Error::parameter(
                "System tags starting with 'aws:' cannot be specified by a client",
            ));
        }
        for text in [&tag.key, &tag.value] {
            if let Some(wrong) = text.chars().find(|letter| !may_stand(*letter)) {
                // The limit is AWS's; its words are not known.
                return Err(Error::parameter(format!("Tags cannot contain the character {wrong}")));
            }
        }
        if !seen.insert(&tag.key) {
            return Err(Error::parameter(format!("Duplicate tag key: {}", tag.key)));
        }
    }
    too_many(tags.len())
}

/// Whether a character may stand in a tag.
fn may_stand(letter: char) -> bool {
    letter.is_alphanumeric() || letter.is_whitespace() || "+-=._:/@".contains(letter)
}

fn too_many(count: usize) -> Result<()> {
    if count > MAX_TAGS {
        return Err(Error::parameter(format!(
            "The number of tags exceeds the limit of {MAX_TAGS} per resource"
        )));
    }
    Ok(())
}

/// Finds the table that an ARN names; `check` looks at the rest of the request in between.
fn find(
    tx: &impl Tx,
    arn: Option<&str>,
    check: impl FnOnce() -> Result<()>,
) -> Result<Option<Arc<Definition>>> {
    let Some(text) = arn else { return Err(Error::invalid("Invalid TableArn")) };
    if !text.starts_with("arn:") {
        return Err(Error::invalid(format!(
            "Invalid TableArn: ARNs must start with 'arn:': {text}"
        )));
    }
    let bad = || {
        Error::invalid(format!("Invalid TableArn: Invalid ResourceArn provided as input {text}"))
    };
    let parsed = Arn::parse(text).ok_or_else(bad)?;
    let name = parsed.resource.strip_prefix("table/").unwrap_or_default();
    if parsed.service != "dynamodb" || !names::is_word(name) || name.len() < 3 {
        return Err(bad());
    }
    check()?;
    let table = TableName { account: Some(parsed.account), region: Some(parsed.region), name };
    store::find(tx, table)
}

fn no_resource(arn: Option<&str>) -> Error {
    Error::no_resource(arn.unwrap_or_default())
}

/// Adds tags to a table, or changes them.
pub(crate) fn tag(tx: &mut WriteTx<'_>, input: TagResourceInput) -> Result<TagResourceOutput> {
    let table = find(tx, input.resource_arn.as_deref(), || {
        if input.tags.is_empty() {
            return Err(Error::invalid("Atleast one Tag needs to be provided as Input."));
        }
        check(&input.tags)
    })?;
    let table = table.ok_or_else(|| no_resource(input.resource_arn.as_deref()))?;
    let mut row = table.row.clone();
    row.tags.extend(input.tags.into_iter().map(|tag| (tag.key, tag.value)));
    too_many(row.tags.len())?;
    store::put_table(tx, &table.account, &table.region, &row)?;
    Ok(TagResourceOutput {})
}

/// The tags of the table that a permission is asked for; an index has its table's.
pub(crate) fn of_resource(
    tx: &ReadTx<'_>,
    check: &Check,
) -> std::result::Result<Vec<(String, String)>, Fault> {
    let Some(arn) = Arn::parse(&check.resource) else { return Ok(Vec::new()) };
    let name = arn.resource.strip_prefix("table/").unwrap_or_default();
    let name = name.split('/').next().unwrap_or_default();
    let table = TableName { account: Some(arn.account), region: Some(arn.region), name };
    let tags = store::find(tx, table)?.map(|table| table.row.tags.clone());
    Ok(tags.unwrap_or_default().into_iter().collect())
}

/// Removes tags from a table.
pub(crate) fn untag(
    tx: &mut WriteTx<'_>,
    input: UntagResourceInput,
) -> Result<UntagResourceOutput> {
    let table = find(tx, input.resource_arn.as_deref(), || {
        if input.tag_keys.is_empty() {
            return Err(Error::invalid("Atleast one Tag Key needs to be provided as Input."));
        }
        Ok(())
    })?;
    let table = table.ok_or(Error::ResourceNotFoundException)?;
    let mut row = table.row.clone();
    for key in &input.tag_keys {
        row.tags.remove(key);
    }
    store::put_table(tx, &table.account, &table.region, &row)?;
    Ok(UntagResourceOutput {})
}

/// Lists a table's tags.
pub(crate) fn list(
    tx: &ReadTx<'_>,
    input: ListTagsOfResourceInput,
) -> Result<ListTagsOfResourceOutput> {
    let table = find(tx, input.resource_arn.as_deref(), || Ok(()))?;
    let table = table.ok_or_else(|| no_resource(input.resource_arn.as_deref()))?;
    let tags = table.row.tags.iter();
    let tags = tags.map(|(key, value)| Tag { key: key.clone(), value: value.clone() }).collect();
    Ok(ListTagsOfResourceOutput { tags: Some(tags), next_token: None })
}
