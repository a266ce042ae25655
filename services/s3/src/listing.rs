//! Listings of keys, whose cost follows from what they return: a common prefix is jumped over as one.

use std::ops::ControlFlow;

use fogbank_core::store::Starting;
use fogbank_core::{ReadTx, Tx, page};

use crate::buckets::owner;
use crate::directory;
use crate::error::Error;
use crate::model::{
    CommonPrefix, ListObjectsInput, ListObjectsOutput, ListObjectsV2Input, ListObjectsV2Output,
    Object,
};
use crate::payment;
use crate::restores;
use crate::rules::{self, group};
use crate::store::{self, Bucket, LISTED, Listed};
use crate::uploads;

/// The most keys and common prefixes that one answer lists.
const MAX_KEYS: i32 = 1000;

/// What a listing is narrowed to.
#[derive(Debug)]
struct Narrow<'a> {
    prefix: &'a str,
    delimiter: Option<&'a str>,
    limit: usize,
}

/// Where a listing begins.
#[derive(Clone, Debug)]
enum Start {
    /// At the first key.
    First,
    /// Behind this key.
    After(String),
    /// Behind every key with this prefix.
    Past(String),
}

impl Start {
    /// Behind the last entry of the page before: a key, or a common prefix with all that it stands for.
    fn behind(last: String, narrow: &Narrow<'_>) -> Start {
        match group(&last, narrow.prefix, narrow.delimiter).map(ToOwned::to_owned) {
            Some(prefix) => Start::Past(prefix),
            None => Start::After(last),
        }
    }
}

/// A page of a listing.
#[derive(Debug, Default)]
struct Page {
    objects: Vec<(String, Listed)>,
    prefixes: Vec<String>,
    is_truncated: bool,
    /// The last entry, if there are more behind it.
    next: Option<String>,
}

impl Page {
    fn len(&self) -> usize {
        self.objects.len() + self.prefixes.len()
    }
}

fn collect(
    tx: &ReadTx<'_>,
    bucket: &str,
    narrow: &Narrow<'_>,
    mut start: Start,
) -> Result<Page, Error> {
    let mut page = Page::default();
    if narrow.limit == 0 {
        return Ok(page);
    }
    let mut last = String::new();
    loop {
        let range = LISTED.range(&Starting((bucket,), narrow.prefix));
        let range = match &start {
            Start::First => range,
            Start::After(key) => range.after(&(bucket, &**key)),
            Start::Past(prefix) => range.past(&Starting((bucket,), prefix)),
        };
        let mut jump = None;
        range.visit(tx, |(_, key), listed| {
            if page.len() == narrow.limit {
                page.is_truncated = true;
                return ControlFlow::Break(());
            }
            match group(&key, narrow.prefix, narrow.delimiter) {
                Some(prefix) => {
                    prefix.clone_into(&mut last);
                    page.prefixes.push(prefix.to_owned());
                    jump = Some(prefix.to_owned());
                    ControlFlow::Break(())
                }
                None => {
                    last.clone_from(&key);
                    page.objects.push((key, listed));
                    ControlFlow::Continue(())
                }
            }
        })?;
        match jump {
            Some(prefix) => start = Start::Past(prefix),
            None => break,
        }
    }
    page.next = page.is_truncated.then_some(last);
    Ok(page)
}

/// Adds the common prefixes that only uploads in progress have, as AWS does in directory buckets.
fn with_uploads(
    tx: &ReadTx<'_>,
    bucket: &Bucket,
    narrow: &Narrow<'_>,
    start: &Start,
    mut page: Page,
) -> Result<Page, Error> {
    let Some(delimiter) = narrow.delimiter.filter(|_| narrow.limit > 0) else { return Ok(page) };
    let behind = match start {
        Start::First => None,
        Start::After(key) => Some((&**key, false)),
        Start::Past(prefix) => Some((&**prefix, true)),
    };
    let within = (narrow.prefix, delimiter);
    let mut found = uploads::prefixes(tx, bucket, within, behind, narrow.limit + 1)?;
    // What lies behind the page's end is for the next one.
    found.retain(|prefix| page.next.as_ref().is_none_or(|end| prefix <= end));
    page.prefixes.extend(found);
    page.prefixes.sort();
    page.prefixes.dedup();
    while page.len() > narrow.limit {
        page.is_truncated = true;
        let last = page.objects.last().map(|(key, _)| key);
        if last > page.prefixes.last() {
            page.objects.pop();
        } else {
            page.prefixes.pop();
        }
    }
    if page.is_truncated {
        let last = page.objects.last().map(|(key, _)| key);
        page.next = last.max(page.prefixes.last()).cloned();
    }
    Ok(page)
}

/// Reads `max-keys` and its like.
pub(crate) fn limit(name: &str, given: Option<i32>) -> Result<(i32, usize), Error> {
    match given {
        None => Ok((MAX_KEYS, MAX_KEYS as usize)),
        Some(count) if count < 0 => {
            // Of the limits this one alone S3 calls otherwise here than in the query.
            let name = if name == "max-keys" { "maxKeys" } else { name };
            let message = format!("Argument {name} must be an integer between 0 and 2147483647");
            Err(Error::argument(name, count, message))
        }
        Some(count) => {
            let count = count.min(MAX_KEYS);
            Ok((count, count as usize))
        }
    }
}

/// How the keys of an answer are written.
pub(crate) struct Encoding {
    is_url: bool,
}

impl Encoding {
    /// Reads `encoding-type`.
    pub(crate) fn read(given: Option<&str>) -> Result<Encoding, Error> {
        match given {
            None => Ok(Encoding { is_url: false }),
            Some("url") => Ok(Encoding { is_url: true }),
            Some(other) => {
                let message = "Invalid Encoding Method specified in Request";
                Err(Error::argument("encoding-type", other, message))
            }
        }
    }

    /// A key on the wire.
    pub(crate) fn key(&self, key: impl AsRef<str> + Into<String>) -> String {
        if self.is_url { rules::url_encode(key.as_ref()) } else { key.into() }
    }

    /// Common prefixes on the wire.
    pub(crate) fn prefixes(&self, prefixes: Vec<String>) -> Option<Vec<CommonPrefix>> {
        let prefixes = prefixes.into_iter();
        Some(prefixes.map(|prefix| CommonPrefix { prefix: Some(self.key(prefix)) }).collect())
    }

    fn objects(
        &self,
        tx: &ReadTx<'_>,
        objects: Vec<(String, Listed)>,
        account: Option<&str>,
        tells_restores: bool,
    ) -> Vec<Object> {
        let now = tx.now();
        objects
            .into_iter()
            .map(|(key, listed)| {
                let (checksum_algorithm, checksum_type) = listed.checksum_names();
                Object {
                    key: Some(self.key(key)),
                    last_modified: Some(listed.modified()),
                    e_tag: Some(listed.e_tag.quoted()),
                    checksum_algorithm,
                    checksum_type,
                    size: i64::try_from(listed.size).ok(),
                    storage_class: Some(listed.class().to_owned()),
                    owner: account
                        .map(|account| owner(tx, listed.owner.as_deref().unwrap_or(account))),
                    restore_status: listed.restore_status(now).filter(|_| tells_restores),
                }
            })
            .collect()
    }
}

/// Lists objects by markers, which are keys.
pub(crate) fn list(
    tx: &ReadTx<'_>,
    mut input: ListObjectsInput,
) -> Result<ListObjectsOutput, Error> {
    let (max_keys, limit) = limit("max-keys", input.max_keys)?;
    let tells_restores = restores::is_wanted(input.optional_object_attributes.as_deref());
    input.delimiter = input.delimiter.filter(|delimiter| !delimiter.is_empty());
    let encoding = Encoding::read(input.encoding_type.as_deref())?;
    let bucket = store::expected_bucket(tx, &input.bucket, input.expected_bucket_owner.as_deref())?;
    let prefix = input.prefix.unwrap_or_default();
    let marker = input.marker.unwrap_or_default();
    let narrow = Narrow { prefix: &prefix, delimiter: input.delimiter.as_deref(), limit };
    let start = match marker.is_empty() {
        true => Start::First,
        false => Start::behind(marker.clone(), &narrow),
    };
    let page = collect(tx, &input.bucket, &narrow, start)?;
    // Without a delimiter the client takes the last key for the next marker.
    let next_marker = page.next.filter(|_| input.delimiter.is_some());
    Ok(ListObjectsOutput {
        name: Some(input.bucket),
        prefix: Some(encoding.key(prefix)),
        marker: Some(encoding.key(marker)),
        next_marker: next_marker.map(|next| encoding.key(next)),
        max_keys: Some(max_keys),
        delimiter: input.delimiter.map(|delimiter| encoding.key(delimiter)),
        is_truncated: Some(page.is_truncated),
        contents: Some(encoding.objects(tx, page.objects, Some(&bucket.account), tells_restores)),
        common_prefixes: encoding.prefixes(page.prefixes),
        encoding_type: input.encoding_type,
        request_charged: payment::charged(tx, &bucket, input.request_payer.as_deref()),
    })
}

/// Lists objects by continuation tokens.
pub(crate) fn list_v2(
    tx: &ReadTx<'_>,
    mut input: ListObjectsV2Input,
) -> Result<ListObjectsV2Output, Error> {
    let (max_keys, limit) = limit("max-keys", input.max_keys)?;
    let tells_restores = restores::is_wanted(input.optional_object_attributes.as_deref());
    input.delimiter = input.delimiter.filter(|delimiter| !delimiter.is_empty());
    let encoding = Encoding::read(input.encoding_type.as_deref())?;
    let bucket = store::expected_bucket(tx, &input.bucket, input.expected_bucket_owner.as_deref())?;
    let prefix = input.prefix.unwrap_or_default();
    let narrow = Narrow { prefix: &prefix, delimiter: input.delimiter.as_deref(), limit };
    let start = match (&input.continuation_token, &input.start_after) {
        (Some(token), _) => {
            let last = page::parse_text(token).ok_or_else(|| {
                let message = "The continuation token provided is incorrect";
                Error::argument("continuation-token", token, message)
            })?;
            Start::behind(last, &narrow)
        }
        // Unlike a marker, a key to start after does not take its common prefix with it.
        (None, Some(key)) => Start::After(key.clone()),
        (None, None) => Start::First,
    };
    let mut page = collect(tx, &input.bucket, &narrow, start.clone())?;
    if directory::is_name(&input.bucket) {
        page = with_uploads(tx, &bucket, &narrow, &start, page)?;
    }
    let account = input.fetch_owner.unwrap_or_default().then_some(&*bucket.account);
    Ok(ListObjectsV2Output {
        name: Some(input.bucket),
        prefix: Some(encoding.key(prefix)),
        start_after: input.start_after.map(|key| encoding.key(key)),
        continuation_token: input.continuation_token,
        next_continuation_token: page.next.as_deref().map(page::text_token),
        key_count: i32::try_from(page.len()).ok(),
        max_keys: Some(max_keys),
        delimiter: input.delimiter.map(|delimiter| encoding.key(delimiter)),
        is_truncated: Some(page.is_truncated),
        contents: Some(encoding.objects(tx, page.objects, account, tells_restores)),
        common_prefixes: encoding.prefixes(page.prefixes),
        encoding_type: input.encoding_type,
        request_charged: payment::charged(tx, &bucket, input.request_payer.as_deref()),
    })
}
