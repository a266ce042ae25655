//! Tags of access points, access grants and buckets, and the rules of all tags here.

use fogbank_accesspoints::{
    self as points, ACCESS_POINTS, AccessPoint, BUCKET_TAGS, BUCKETS, GRANTS, Granted, INSTANCES,
    Key, LOCATIONS, Tags,
};
use fogbank_core::{Arn, ReadTx, Tx, WriteTx};

use crate::access_points::find;
use crate::error::Error;
use crate::model::{
    ListTagsForResourceInput, ListTagsForResourceOutput, Tag, TagResourceInput, TagResourceOutput,
    UntagResourceInput, UntagResourceOutput,
};

/// The most tags that a resource has.
pub(crate) const MAX_TAGS: usize = 50;

/// Tags as pairs.
pub(crate) fn pairs(given: &[Tag]) -> impl Iterator<Item = (&str, &str)> {
    given.iter().map(|tag| (&*tag.key, &*tag.value))
}

/// Tags as rows have them: by their keys.
pub(crate) fn of<'a>(
    given: impl Iterator<Item = (&'a str, &'a str)>,
) -> Result<Vec<(String, String)>, Error> {
    let mut tags: Vec<(String, String)> = Vec::new();
    for (key, value) in given {
        if key.to_ascii_lowercase().starts_with("aws:") {
            let message = "System tags cannot be added/updated by requester";
            return Err(Error::InvalidTag(message.to_owned()));
        }
        if tags.iter().any(|(known, _)| known == key) {
            let message = "Cannot provide multiple Tags with the same key";
            return Err(Error::InvalidTag(message.to_owned()));
        }
        tags.push((key.to_owned(), value.to_owned()));
    }
    check_count(&tags)?;
    tags.sort();
    Ok(tags)
}

fn check_count(tags: &[(String, String)]) -> Result<(), Error> {
    match tags.len() {
        0..=MAX_TAGS => Ok(()),
        _ => Err(Error::InvalidTag(format!("Object tags cannot be greater than {MAX_TAGS}"))),
    }
}

/// What has tags.
enum Tagged<'a> {
    Point(Key, Box<AccessPoint>),
    /// Something of Access Grants.
    Granted(Granted<'a>, Vec<(String, String)>),
    /// A bucket of either kind, by its name.
    Bucket(String, Tags),
}

impl<'a> Tagged<'a> {
    /// What has this ARN and may have tags.
    fn find(tx: &(impl Tx + ?Sized), arn: &'a str) -> Result<Tagged<'a>, Error> {
        if let Some((account, region, what)) = Granted::parse(arn) {
            if account != tx.account() || region != tx.region() {
                return Err(Error::NoSuchResource);
            }
            let tags = what.tags(tx, (account, region))?.ok_or(Error::NoSuchResource)?;
            return Ok(Tagged::Granted(what, tags));
        }
        if let Some((account, region, name)) = points::parse(arn) {
            if account != tx.account() || region != tx.region() {
                return Err(Error::NoSuchResource);
            }
            let (key, row) = find(tx, name).map_err(|_| Error::NoSuchResource)?;
            return Ok(Tagged::Point(key, Box::new(row)));
        }
        let name = bucket(arn).ok_or(Error::NoSuchResource)?;
        match BUCKETS.get(tx, name)?.filter(|bucket| bucket.account == tx.account()) {
            Some(_) => {
                let tags = BUCKET_TAGS.get(tx, name)?.unwrap_or_else(|| Tags(Vec::new()));
                Ok(Tagged::Bucket(name.to_owned(), tags))
            }
            None => Err(Error::NoSuchResource),
        }
    }

    fn tags(&mut self) -> &mut Vec<(String, String)> {
        match self {
            Tagged::Point(_, row) => &mut row.tags,
            Tagged::Granted(_, tags) => tags,
            Tagged::Bucket(_, Tags(tags)) => tags,
        }
    }

    /// Keeps the tags as they are now.
    fn keep(self, tx: &mut WriteTx<'_>) -> Result<(), Error> {
        match self {
            Tagged::Point(key, row) => ACCESS_POINTS.put(tx, &key, &row)?,
            Tagged::Granted(what, tags) => keep_granted(tx, what, tags)?,
            Tagged::Bucket(name, Tags(tags)) if tags.is_empty() => BUCKET_TAGS.delete(tx, &name)?,
            Tagged::Bucket(name, tags) => BUCKET_TAGS.put(tx, &name, &tags)?,
        }
        Ok(())
    }
}

/// Keeps the tags of something of Access Grants that is there.
fn keep_granted(
    tx: &mut WriteTx<'_>,
    what: Granted<'_>,
    tags: Vec<(String, String)>,
) -> Result<(), Error> {
    let (account, region) = (tx.account().to_owned(), tx.region().to_owned());
    match what {
        Granted::Instance => {
            let key = (account, region);
            if let Some(row) = INSTANCES.get(tx, &key)? {
                INSTANCES.put(tx, &key, &points::Instance { tags, ..row })?;
            }
        }
        Granted::Location(id) => {
            let key = (account, region, id.to_owned());
            if let Some(row) = LOCATIONS.get(tx, &key)? {
                LOCATIONS.put(tx, &key, &points::Location { tags, ..row })?;
            }
        }
        Granted::Grant(id) => {
            let key = (account, region, id.to_owned());
            if let Some(row) = GRANTS.get(tx, &key)? {
                GRANTS.put(tx, &key, &points::Grant { tags, ..row })?;
            }
        }
    }
    Ok(())
}

/// The bucket that an ARN names, of either kind.
fn bucket(arn: &str) -> Option<&str> {
    let parsed = Arn::parse(arn)?;
    match (parsed.service, parsed.region, parsed.account) {
        ("s3", "", "") => Some(parsed.resource).filter(|name| !name.contains('/')),
        ("s3express", _, _) => parsed.resource.strip_prefix("bucket/"),
        _ => None,
    }
}

/// Adds tags.
pub(crate) fn put(
    tx: &mut WriteTx<'_>,
    input: TagResourceInput,
) -> Result<TagResourceOutput, Error> {
    let mut resource = Tagged::find(tx, &input.resource_arn)?;
    let given = of(pairs(&input.tags))?;
    let tags = resource.tags();
    tags.retain(|(known, _)| given.iter().all(|(key, _)| key != known));
    tags.extend(given);
    tags.sort();
    check_count(tags)?;
    resource.keep(tx)?;
    Ok(TagResourceOutput {})
}

/// Takes tags away.
pub(crate) fn remove(
    tx: &mut WriteTx<'_>,
    input: UntagResourceInput,
) -> Result<UntagResourceOutput, Error> {
    let mut resource = Tagged::find(tx, &input.resource_arn)?;
    resource.tags().retain(|(known, _)| !input.tag_keys.contains(known));
    resource.keep(tx)?;
    Ok(UntagResourceOutput {})
}

/// The tags of a resource.
pub(crate) fn list(
    tx: &ReadTx<'_>,
    input: ListTagsForResourceInput,
) -> Result<ListTagsForResourceOutput, Error> {
    let mut resource = Tagged::find(tx, &input.resource_arn)?;
    let tags = resource.tags().drain(..).map(|(key, value)| Tag { key, value });
    Ok(ListTagsForResourceOutput { tags: Some(tags.collect()) })
}
