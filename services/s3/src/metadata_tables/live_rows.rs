//! The rows of tables that show what is there now, read from the bucket page by page.

use std::cmp::Reverse;
use std::collections::VecDeque;
use std::ops::ControlFlow;

use fogbank_columns::Cell;
use fogbank_core::{Cx, Principal, ReadTx};
use serde_json::json;

use super::columns::{self, join_key, sequence_number, text, time};
use super::journal::of_object;
use super::results::Kind;
use super::rows::Described;
use super::tables::{Trouble, Worker};
use crate::annotations::rows::{ANNOTATED, Annotated, LISTED, ListedAnnotation};
use crate::error::Error;
use crate::replication;
use crate::rules::ETag;
use crate::store::{BUCKETS, OBJECTS, ShownVersion, VERSIONS, Version, VersionName};
use crate::version_listing::{Entry, Merge, Narrow, Start};
use crate::versions;

/// How many versions one look takes in.
const PAGE: usize = 500;
/// How many versions with annotations one look takes in, each of which may have a thousand.
const ANNOTATED_PAGE: usize = 20;
/// What sessions of roles that read annotations are called.
const SESSION_NAME: &str = "s3-metadata";
/// The longest text of an annotation.
const MAX_TEXT: usize = 1 << 20;

/// Where the rows of a table come from.
pub(super) struct Source<'a> {
    worker: &'a Worker,
    bucket: &'a str,
    kind: Kind,
    role: Option<&'a str>,
}

impl<'a> Source<'a> {
    pub(super) fn new(
        worker: &'a Worker,
        bucket: &'a str,
        kind: Kind,
        role: Option<&'a str>,
    ) -> Source<'a> {
        Source { worker, bucket, kind, role }
    }

    /// A walk through the rows of the keys from `first` on and before `end`, about `limit` of them, but all of each key.
    pub(super) fn walk(&'a self, first: &str, end: Option<&'a str>, limit: usize) -> Walk<'a> {
        Walk {
            source: self,
            end,
            limit,
            count: 0,
            place: Some(Place::From(first.to_owned())),
            last_key: None,
            rest: None,
            waiting: VecDeque::new(),
            reader: None,
        }
    }
}

/// Where a look begins.
enum Place {
    From(String),
    /// Behind the version of a key.
    After(String, u64),
}

/// A version with annotations.
type Noted = (String, u64, VersionName, Annotated);

pub(super) struct Walk<'a> {
    source: &'a Source<'a>,
    end: Option<&'a str>,
    limit: usize,
    count: usize,
    /// Where the next look begins; none at the end.
    place: Option<Place>,
    last_key: Option<String>,
    /// The first key that is left, since the walk came to its limit.
    rest: Option<String>,
    /// Versions whose annotations are next.
    waiting: VecDeque<Noted>,
    /// Who reads annotations; none before the first, and nobody where there is no role that may.
    reader: Option<Option<Cx>>,
}

impl Walk<'_> {
    /// The next rows; none at the end.
    pub(super) async fn next(&mut self) -> Result<Vec<Vec<Cell>>, Trouble> {
        loop {
            if let Some(noted) = self.waiting.pop_front() {
                let rows = self.annotations(noted).await?;
                if !rows.is_empty() {
                    return Ok(rows);
                }
                continue;
            }
            if self.place.is_none() {
                return Ok(Vec::new());
            }
            let source = self.source;
            let cx = &source.worker.cx;
            let rows = match source.kind {
                Kind::Annotation => {
                    cx.read(|tx| self.noted(tx))?;
                    continue;
                }
                _ => cx.read(|tx| self.versions(tx))?,
            };
            if !rows.is_empty() {
                return Ok(rows);
            }
        }
    }

    /// Where the next stretch begins, if this one came to its limit.
    pub(super) fn rest(self) -> Option<String> {
        self.rest
    }

    /// Whether a key belongs to the walk no more. That it has its fill is only said at the end of a key.
    fn is_over(&mut self, key: &str) -> bool {
        if self.end.is_some_and(|end| key >= end) {
            return true;
        }
        let is_new = self.last_key.as_deref() != Some(key);
        if is_new && self.count >= self.limit {
            self.rest = Some(key.to_owned());
            return true;
        }
        if is_new {
            self.last_key = Some(key.to_owned());
        }
        false
    }

    /// A page of versions.
    fn versions(&mut self, tx: &ReadTx<'_>) -> Result<Vec<Vec<Cell>>, Error> {
        let name = self.source.bucket;
        let Some(bucket) = BUCKETS.get(tx, name)? else {
            self.place = None;
            return Ok(Vec::new());
        };
        let narrow = Narrow { bucket: name, prefix: "", delimiter: None, limit: PAGE };
        let start = match self.place.take() {
            None => return Ok(Vec::new()),
            Some(Place::From(key)) => Start::Key(key),
            Some(Place::After(key, number)) => Start::Version(key, number),
        };
        let mut merge = Merge::new(&narrow, start);
        let mut rows = Vec::with_capacity(PAGE);
        while let Some(entry) = merge.next(tx)? {
            if self.is_over(&entry.key) {
                return Ok(rows);
            }
            if let Some((name_of, is_marker, described)) = found(tx, name, &entry)? {
                let version = (entry.number, name_of);
                let mut cells = vec![
                    Cell::Text(name.to_owned()),
                    Cell::Text(entry.key.clone()),
                    Cell::Text(sequence_number((entry.number, 0))),
                ];
                cells.extend(columns::of_version(version, Some(is_marker), Some(described)));
                cells.push(Cell::Text(join_key(bucket.id, &entry.key, entry.number)));
                rows.push(cells);
                self.count += 1;
            }
            if rows.len() == PAGE {
                self.place = Some(Place::After(entry.key, entry.number));
                return Ok(rows);
            }
        }
        Ok(rows)
    }

    /// Looks for the next versions with annotations.
    fn noted(&mut self, tx: &ReadTx<'_>) -> Result<(), Error> {
        let name = self.source.bucket;
        let range = ANNOTATED.range(&(name,)).limit(ANNOTATED_PAGE);
        let page = match self.place.take() {
            None => return Ok(()),
            Some(Place::From(key)) => range.from(&(name, &*key, 0)),
            Some(Place::After(key, number)) => range.after(&(name, &*key, number)),
        }
        .list(tx)?;
        let is_last = page.len() < ANNOTATED_PAGE;
        let mut last = None;
        for ((_, key, number), annotated) in page {
            if self.is_over(&key) {
                return Ok(());
            }
            self.count += annotated.count as usize;
            last = Some((key.clone(), number));
            if let Some(mut found) = versions::numbered(tx, (name, &key), number)?
                && let Some(object) = found.object_mut()
            {
                self.waiting.push_back((key, number, object.version_name, annotated));
            }
        }
        self.place = last.filter(|_| !is_last).map(|(key, number)| Place::After(key, number));
        Ok(())
    }

    /// The annotations of a version.
    async fn annotations(&mut self, noted: Noted) -> Result<Vec<Vec<Cell>>, Trouble> {
        let (key, number, version_name, annotated) = noted;
        let source = self.source;
        let (bucket, names) = source.worker.cx.read(|tx| {
            let mut names: Vec<(String, ListedAnnotation)> = Vec::new();
            LISTED.range(&(annotated.number,)).visit(tx, |(_, name), listed| {
                names.push((name, listed));
                ControlFlow::Continue(())
            })?;
            Ok::<_, Error>((BUCKETS.get(tx, source.bucket)?, names))
        })?;
        let Some(bucket) = bucket else { return Ok(Vec::new()) };
        let version_id = (version_name == VersionName::Id).then(|| versions::id(number));
        let join_key = join_key(bucket.id, &key, number);
        let mut rows = Vec::with_capacity(names.len());
        for (name, listed) in names {
            let value = self.read(&key, version_id.as_deref(), &name).await?;
            let replicated = listed.replication.as_deref().map(replication::told_of);
            rows.push(vec![
                Cell::Text(source.bucket.to_owned()),
                Cell::Text(key.clone()),
                text(version_id.clone()),
                Cell::Text(join_key.clone()),
                Cell::Text(name),
                // Annotations have no number of their own; that of the last change of any of the version's is not less.
                Cell::Text(sequence_number((annotated.changed, 0))),
                time(listed.modified_millis),
                Cell::Int(i64::try_from(listed.size).unwrap_or(i64::MAX)),
                Cell::Text(ETag::plain(listed.e_tag).bare()),
                Cell::from(listed.checksum.algorithm.name()),
                text(replicated.map(|status| status.as_str().to_owned())),
                value.map_or(Cell::None, Cell::Text),
            ]);
        }
        Ok(rows)
    }

    /// The text of an annotation, as the configuration's role reads it; none if it may not.
    async fn read(
        &mut self,
        key: &str,
        version_id: Option<&str>,
        name: &str,
    ) -> Result<Option<String>, Trouble> {
        if self.reader.is_none() {
            self.reader = Some(self.source.assume().await?);
        }
        let Some(Some(reader)) = &self.reader else { return Ok(None) };
        let mut input = json!({"Bucket": self.source.bucket, "Key": key, "AnnotationName": name});
        if let Some(version_id) = version_id {
            input["VersionId"] = version_id.into();
        }
        let principal = reader.request().principal.clone();
        let call = reader.prepare(principal, "s3:GetObjectAnnotation", input);
        let bytes = match reader.cloud().call(call).await {
            Ok(reply) => reply.bytes(MAX_TEXT).await?,
            Err(fault) if fault.cause().is_some() => return Err(Trouble::Broken(fault)),
            Err(_) => return Ok(None),
        };
        Ok(String::from_utf8(bytes.to_vec()).ok())
    }
}

impl Source<'_> {
    /// A session of the role that reads annotations; none if there is none, or S3 Metadata may not have it.
    async fn assume(&self) -> Result<Option<Cx>, Trouble> {
        let Some(role) = self.role else { return Ok(None) };
        let cx = &self.worker.cx;
        let input =
            json!({"RoleArn": role, "RoleSessionName": SESSION_NAME, "DurationSeconds": 3600});
        match self.worker.call("sts:AssumeRole", input).await {
            Ok(told) => Ok(session(&told, role, cx).map(|principal| cx.as_principal(principal))),
            Err(fault) if fault.cause().is_some() => Err(Trouble::Broken(fault)),
            Err(_) => Ok(None),
        }
    }
}

/// The session of which AssumeRole tells.
fn session(told: &serde_json::Value, role: &str, cx: &Cx) -> Option<Principal> {
    replication::session(told, (role, SESSION_NAME), cx.account(), cx.now().secs())
}

/// What is told of a version: what it is called, whether it is a delete marker, and the rest; none if it is gone.
fn found(
    tx: &ReadTx<'_>,
    bucket: &str,
    entry: &Entry,
) -> Result<Option<(VersionName, bool, Described)>, Error> {
    let (key, number) = (&*entry.key, entry.number);
    if let ShownVersion::Marker(marker) = &entry.shown {
        let described =
            Described { modified_millis: marker.modified_millis, ..Described::default() };
        return Ok(Some((marker.version_name, true, described)));
    }
    let current = OBJECTS.get(tx, &(bucket, key))?.filter(|found| found.version == number);
    if let Some(object) = current {
        return Ok(Some((object.version_name, false, of_object(&object))));
    }
    Ok(match VERSIONS.get(tx, &(bucket, key, Reverse(number)))? {
        Some(Version::Object(object)) => Some((object.version_name, false, of_object(&object))),
        _ => None,
    })
}
