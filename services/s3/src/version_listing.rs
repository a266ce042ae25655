//! Listings of versions: the current objects and the older versions, merged by key and age.

use std::cmp::Reverse;
use std::collections::VecDeque;

use fogbank_core::store::Starting;
use fogbank_core::{ReadTx, Tx};

use crate::buckets::owner;
use crate::error::Error;
use crate::listing::{self, Encoding};
use crate::model::{
    DeleteMarkerEntry, ListObjectVersionsInput, ListObjectVersionsOutput, ObjectVersion,
};
use crate::payment;
use crate::restores;
use crate::rules::group;
use crate::store::{self, Bucket, CURRENT, ListedVersion, NULLS, SHOWN, ShownVersion};
use crate::versions;

/// How many rows are read at first; more are read with each further look.
const FIRST_LOOK: usize = 16;
/// The most rows that are read at once.
const LONGEST_LOOK: usize = 512;

/// What the listing is narrowed to.
pub(crate) struct Narrow<'a> {
    pub(crate) bucket: &'a str,
    pub(crate) prefix: &'a str,
    pub(crate) delimiter: Option<&'a str>,
    pub(crate) limit: usize,
}

/// Where a look begins.
#[derive(Clone)]
pub(crate) enum Start {
    First,
    /// At this key.
    Key(String),
    /// Behind all versions of this key.
    PastKey(String),
    /// Behind every key with this prefix.
    PastPrefix(String),
    /// Behind this version of a key.
    Version(String, u64),
}

/// A version in the listing.
pub(crate) struct Entry {
    pub(crate) key: String,
    pub(crate) number: u64,
    pub(crate) is_latest: bool,
    pub(crate) shown: ShownVersion,
}

#[derive(Default)]
struct Page {
    entries: Vec<Entry>,
    prefixes: Vec<String>,
    is_truncated: bool,
    /// The last entry: a key with its version, or a common prefix.
    next: Option<(String, Option<String>)>,
}

/// Both tables from one place on, each read a look at a time.
pub(crate) struct Merge<'a> {
    narrow: &'a Narrow<'a>,
    current: VecDeque<(String, ListedVersion)>,
    older: VecDeque<(String, u64, ShownVersion)>,
    /// Where the next look begins; none at the end.
    next_current: Option<Start>,
    next_older: Option<Start>,
    look: usize,
}

impl<'a> Merge<'a> {
    pub(crate) fn new(narrow: &'a Narrow<'a>, start: Start) -> Merge<'a> {
        Merge {
            narrow,
            current: VecDeque::new(),
            older: VecDeque::new(),
            next_current: Some(start.clone()),
            next_older: Some(start),
            look: FIRST_LOOK,
        }
    }

    fn fill(&mut self, tx: &ReadTx<'_>) -> Result<(), Error> {
        let (bucket, within) =
            (self.narrow.bucket, Starting((self.narrow.bucket,), self.narrow.prefix));
        if self.current.is_empty()
            && let Some(start) = self.next_current.take()
        {
            let range = CURRENT.range(&within).limit(self.look);
            let rows = match &start {
                Start::First => range,
                Start::Key(key) => range.from(&(bucket, &**key)),
                Start::PastKey(key) | Start::Version(key, _) => range.after(&(bucket, &**key)),
                Start::PastPrefix(prefix) => range.past(&Starting((bucket,), &**prefix)),
            }
            .list(tx)?;
            if rows.len() == self.look {
                self.next_current = rows.last().map(|((_, key), _)| Start::PastKey(key.clone()));
            }
            self.current = rows.into_iter().map(|((_, key), row)| (key, row)).collect();
        }
        if self.older.is_empty()
            && let Some(start) = self.next_older.take()
        {
            let range = SHOWN.range(&within).limit(self.look);
            let rows = match &start {
                Start::First => range,
                Start::Key(key) => range.from(&(bucket, &**key, Reverse(u64::MAX))),
                Start::PastKey(key) => range.past(&(bucket, &**key)),
                Start::PastPrefix(prefix) => range.past(&Starting((bucket,), &**prefix)),
                Start::Version(key, number) => range.after(&(bucket, &**key, Reverse(*number))),
            }
            .list(tx)?;
            if rows.len() == self.look {
                self.next_older = rows
                    .last()
                    .map(|((_, key, Reverse(number)), _)| Start::Version(key.clone(), *number));
            }
            let rows = rows.into_iter();
            self.older = rows.map(|((_, key, Reverse(number)), row)| (key, number, row)).collect();
        }
        self.look = (self.look * 2).min(LONGEST_LOOK);
        Ok(())
    }

    /// The next version; whether it is the latest of its key is not known yet unless it is current.
    pub(crate) fn next(&mut self, tx: &ReadTx<'_>) -> Result<Option<Entry>, Error> {
        if (self.current.is_empty() && self.next_current.is_some())
            || (self.older.is_empty() && self.next_older.is_some())
        {
            self.fill(tx)?;
        }
        let takes_current = match (self.current.front(), self.older.front()) {
            (None, None) => return Ok(None),
            (Some(_), None) => true,
            (None, Some(_)) => false,
            (Some((current, _)), Some((older, ..))) => current <= older,
        };
        if takes_current {
            return Ok(self.current.pop_front().map(|(key, row)| Entry {
                key,
                number: row.version,
                is_latest: true,
                shown: ShownVersion::Object(row),
            }));
        }
        let next = self.older.pop_front();
        Ok(next.map(|(key, number, shown)| Entry { key, number, is_latest: false, shown }))
    }
}

fn collect(tx: &ReadTx<'_>, narrow: &Narrow<'_>, start: Start) -> Result<Page, Error> {
    let mut page = Page::default();
    if narrow.limit == 0 {
        return Ok(page);
    }
    // A version behind another of the same key is not the latest.
    let mut last_key = match &start {
        Start::Version(key, _) => Some(key.clone()),
        _ => None,
    };
    let mut merge = Merge::new(narrow, start);
    while let Some(mut entry) = merge.next(tx)? {
        if page.entries.len() + page.prefixes.len() == narrow.limit {
            page.is_truncated = true;
            return Ok(page);
        }
        if let Some(prefix) = group(&entry.key, narrow.prefix, narrow.delimiter) {
            page.next = Some((prefix.to_owned(), None));
            page.prefixes.push(prefix.to_owned());
            merge = Merge::new(narrow, Start::PastPrefix(prefix.to_owned()));
            continue;
        }
        entry.is_latest |= last_key.as_deref() != Some(&entry.key);
        last_key = Some(entry.key.clone());
        page.next = Some((entry.key.clone(), Some(called(&entry))));
        page.entries.push(entry);
    }
    page.next = None;
    Ok(page)
}

fn called(entry: &Entry) -> String {
    let name = match &entry.shown {
        ShownVersion::Object(row) => row.version_name,
        ShownVersion::Marker(marker) => marker.version_name,
    };
    versions::called(name, entry.number)
}

/// Where the page after these markers begins.
fn start(
    tx: &ReadTx<'_>,
    narrow: &Narrow<'_>,
    key: String,
    version_id: Option<&str>,
) -> Result<Start, Error> {
    if key.is_empty() {
        return Ok(Start::First);
    }
    if let Some(prefix) = group(&key, narrow.prefix, narrow.delimiter) {
        return Ok(Start::PastPrefix(prefix.to_owned()));
    }
    let number = match version_id {
        None | Some("") => return Ok(Start::PastKey(key)),
        Some("null") => match CURRENT.get(tx, &(narrow.bucket, &*key))? {
            Some(current) if current.version_name.is_null() => Some(current.version),
            _ => NULLS.get(tx, &(narrow.bucket, &*key))?,
        },
        Some(id) => match versions::number(id) {
            Some(number) => Some(number),
            None => {
                let message = "Invalid version id specified";
                return Err(Error::argument("version-id-marker", id, message));
            }
        },
    };
    Ok(match number {
        Some(number) => Start::Version(key, number),
        None => Start::PastKey(key),
    })
}

/// Lists the versions of objects, and delete markers.
pub(crate) fn list(
    tx: &ReadTx<'_>,
    mut input: ListObjectVersionsInput,
) -> Result<ListObjectVersionsOutput, Error> {
    let (max_keys, limit) = listing::limit("max-keys", input.max_keys)?;
    input.delimiter = input.delimiter.filter(|delimiter| !delimiter.is_empty());
    let encoding = Encoding::read(input.encoding_type.as_deref())?;
    let bucket = store::expected_bucket(tx, &input.bucket, input.expected_bucket_owner.as_deref())?;
    let prefix = input.prefix.unwrap_or_default();
    let marker = input.key_marker.unwrap_or_default();
    if let Some(version) = input.version_id_marker.as_ref().filter(|_| marker.is_empty()) {
        let message = "A version-id marker cannot be specified without a key marker.";
        return Err(Error::argument("version-id-marker", version, message));
    }
    let narrow = Narrow {
        bucket: &input.bucket,
        prefix: &prefix,
        delimiter: input.delimiter.as_deref(),
        limit,
    };
    let start = start(tx, &narrow, marker.clone(), input.version_id_marker.as_deref())?;
    let page = collect(tx, &narrow, start)?;
    let (next_key, next_version) = page.next.filter(|_| page.is_truncated).unzip();
    let tells_restores = restores::is_wanted(input.optional_object_attributes.as_deref());
    let (versions, markers) = shown(tx, page.entries, &bucket, &encoding, tells_restores);
    Ok(ListObjectVersionsOutput {
        name: Some(input.bucket),
        prefix: Some(encoding.key(prefix)),
        key_marker: Some(encoding.key(marker)),
        version_id_marker: Some(input.version_id_marker.unwrap_or_default()),
        next_key_marker: next_key.map(|next| encoding.key(next)),
        next_version_id_marker: next_version.flatten(),
        max_keys: Some(max_keys),
        delimiter: input.delimiter.map(|delimiter| encoding.key(delimiter)),
        is_truncated: Some(page.is_truncated),
        versions: Some(versions),
        delete_markers: Some(markers),
        common_prefixes: encoding.prefixes(page.prefixes),
        encoding_type: input.encoding_type,
        request_charged: payment::charged(tx, &bucket, input.request_payer.as_deref()),
    })
}

fn shown(
    tx: &ReadTx<'_>,
    entries: Vec<Entry>,
    bucket: &Bucket,
    encoding: &Encoding,
    tells_restores: bool,
) -> (Vec<ObjectVersion>, Vec<DeleteMarkerEntry>) {
    let now = tx.now();
    let (mut versions, mut markers) = (Vec::new(), Vec::new());
    for entry in entries {
        let version_id = Some(called(&entry));
        let key = Some(encoding.key(entry.key));
        let is_latest = Some(entry.is_latest);
        match entry.shown {
            ShownVersion::Object(ListedVersion { listed, .. }) => {
                let (checksum_algorithm, checksum_type) = listed.checksum_names();
                versions.push(ObjectVersion {
                    e_tag: Some(listed.e_tag.quoted()),
                    checksum_algorithm,
                    checksum_type,
                    size: i64::try_from(listed.size).ok(),
                    storage_class: Some(listed.class().to_owned()),
                    key,
                    version_id,
                    is_latest,
                    last_modified: Some(listed.modified()),
                    owner: Some(owner(tx, listed.owner.as_ref().unwrap_or(&bucket.account))),
                    restore_status: listed.restore_status(now).filter(|_| tells_restores),
                });
            }
            ShownVersion::Marker(marker) => markers.push(DeleteMarkerEntry {
                owner: Some(owner(tx, marker.owner.as_ref().unwrap_or(&bucket.account))),
                key,
                version_id,
                is_latest,
                last_modified: Some(fogbank_core::Timestamp::from_millis(marker.modified_millis)),
            }),
        }
    }
    (versions, markers)
}
