//! Tags of secrets.

use fogbank_core::{Tx, WriteTx};

use crate::error::Error;
use crate::model::{
    Tag, TagResourceInput, TagResourceOutput, UntagResourceInput, UntagResourceOutput,
};
use crate::{access, replication, store};

/// How many tags a secret has at most.
const MAX: usize = 50;

/// Adds tags to a secret.
pub(crate) fn tag(
    tx: &mut WriteTx<'_>,
    input: TagResourceInput,
) -> Result<TagResourceOutput, Error> {
    let id = access::identifier(tx.request(), &input.secret_id)?;
    let (key, mut secret) = store::primary(tx, &id)?;
    add(&mut secret.tags, input.tags)?;
    secret.changed_millis = tx.now().millis();
    replication::write(tx, &key, &secret)?;
    Ok(TagResourceOutput {})
}

/// Removes tags from a secret.
pub(crate) fn untag(
    tx: &mut WriteTx<'_>,
    input: UntagResourceInput,
) -> Result<UntagResourceOutput, Error> {
    let id = access::identifier(tx.request(), &input.secret_id)?;
    let (key, mut secret) = store::primary(tx, &id)?;
    secret.tags.retain(|(key, _)| !input.tag_keys.contains(key));
    secret.changed_millis = tx.now().millis();
    replication::write(tx, &key, &secret)?;
    Ok(UntagResourceOutput {})
}

/// Adds tags to others; one with the same key is replaced in its place. AWS's words for these refusals are not known.
pub(crate) fn add(tags: &mut Vec<(String, String)>, new: Vec<Tag>) -> Result<(), Error> {
    for Tag { key, value } in new {
        let key = key.ok_or_else(|| Error::invalid("A tag must have a key."))?;
        if key.to_lowercase().starts_with("aws:") {
            return Err(Error::invalid("Tag keys can't start with aws:."));
        }
        let value = value.unwrap_or_default();
        match tags.iter_mut().find(|(known, _)| *known == key) {
            Some((_, known)) => *known = value,
            None => tags.push((key, value)),
        }
    }
    if tags.len() > MAX {
        return Err(Error::invalid(format!("A secret can have no more than {MAX} tags.")));
    }
    Ok(())
}
