//! The sweep: goes through buckets with lifecycles and does what is due.
//!
//! It looks at bounded pages of rows, each in a snapshot of its own, and acts in small transactions that look again at
//! what they change. Stopped anywhere, it begins the bucket anew and finds less to do.

use std::cmp::Reverse;
use std::sync::Arc;

use fogbank_core::store::Starting;
use fogbank_core::{BoxFuture, Cx, Fault, ReadTx, WriteTx};

use super::noted::{self, Done};
use super::rules::{Noncurrent, Rules, Subject, midnight};
use crate::directory;
use crate::error::Error;
use crate::events::{self, Change};
use crate::locks;
use crate::metadata_tables::{By, Entry, note};
use crate::pages::Pages;
use crate::replication;
use crate::store::{
    self, BUCKETS, Bucket, LIFECYCLES, LISTED, Lifecycle, OBJECTS, SHOWN, ShownVersion, UPLOADS,
    VERSIONS, Version, VersionName, Versioning,
};
use crate::tiering;
use crate::versions::{self, Cause, Found, Removal};

/// The topic and name of the task that sweeps.
pub(crate) const SWEEP: &str = "s3.lifecycle";
/// How many things one transaction does.
const ACTIONS: usize = 100;

/// Sweeps every bucket whose rules are new, or for which a midnight has come since the last sweep.
pub(crate) fn run(cx: Cx) -> BoxFuture<'static, Result<(), Fault>> {
    Box::pin(async move {
        let mut after: Option<String> = None;
        loop {
            let next = cx.read(|tx| {
                let mut rows = LIFECYCLES.range(&()).limit(1);
                if let Some(after) = &after {
                    rows = rows.after(after);
                }
                rows.list(tx)
            })?;
            let today = midnight(cx.now().millis());
            let Some((name, row)) = next.into_iter().next() else {
                return Ok(tiering::run(&cx, today).await?);
            };
            if row.swept_millis != Some(today) {
                sweep(&cx, &name, &row).await?;
                cx.write(|tx| finish(tx, &name, &row, today)).await?;
            }
            after = Some(name);
        }
    })
}

/// Notes that a bucket is swept, unless its rules were changed meanwhile.
fn finish(tx: &mut WriteTx<'_>, name: &str, row: &Lifecycle, today: i64) -> Result<(), Error> {
    match LIFECYCLES.get(tx, name)? {
        Some(now) if now.number == row.number => {
            let swept = Lifecycle { swept_millis: Some(today), ..now };
            Ok(LIFECYCLES.put(tx, name, &swept)?)
        }
        _ => Ok(()),
    }
}

/// A bucket as it is swept.
struct Swept<'a> {
    cx: Cx,
    name: &'a str,
    id: u64,
    rules: Arc<Rules>,
    varies_by_class: bool,
    now_millis: i64,
}

/// Something that is to be done under a key.
#[derive(Clone, Debug)]
enum Action {
    Current(String),
    Noncurrent(String, u64, Noncurrent),
    /// The delete marker that is current, once nothing is behind it.
    Marker(String, u64),
    Abort(String, String),
}

async fn sweep(cx: &Cx, name: &str, row: &Lifecycle) -> Result<(), Error> {
    let found = cx.read(|tx| {
        let Some(bucket) = BUCKETS.get(tx, name)? else { return Ok(None) };
        let rules = super::compiled(tx, name, &bucket)?;
        Ok::<_, Error>(rules.map(|rules| (bucket, rules)))
    })?;
    let Some((bucket, rules)) = found else { return Ok(()) };
    let cx = cx.located(&bucket.account, &bucket.region);
    if !directory::lets_lifecycle_in(&cx, name, &bucket) {
        return Ok(());
    }
    let swept = Swept {
        now_millis: cx.now().millis(),
        cx,
        name,
        id: bucket.id,
        rules: Arc::clone(&rules),
        varies_by_class: row.varies_by_class,
    };
    for prefix in rules.prefixes() {
        if bucket.versioning != Versioning::Never {
            swept.versions(prefix).await?;
        }
        swept.current(prefix).await?;
        if rules.abort_uploads() {
            swept.uploads(prefix).await?;
        }
    }
    Ok(())
}

impl Swept<'_> {
    /// Does what is due to current objects.
    async fn current(&self, prefix: &str) -> Result<(), Error> {
        let mut trail = Trail { prefix, behind: None };
        let mut pages = Pages::new(&self.cx, &LISTED, Starting((self.name,), prefix));
        while let Some(actions) = pages
            .next(|tx, (_, key), listed| {
                let is_due = self.is_due(tx, key, &listed)?;
                Ok(is_due.then(|| Action::Current(key.clone())))
            })
            .await?
        {
            self.perform(&actions, &mut trail).await?;
        }
        Ok(())
    }

    /// Whether anything is due to a current object; what its tags say is looked up if they matter.
    fn is_due(&self, tx: &ReadTx<'_>, key: &str, listed: &store::Listed) -> Result<bool, Error> {
        if !self.is_due_to(&Subject::listed(key, listed)) {
            return Ok(false);
        }
        if !self.rules.look_at_tags() {
            return Ok(true);
        }
        let object = store::object(tx, self.name, key)?;
        Ok(object.is_some_and(|object| self.is_due_to(&Subject::of(key, &object))))
    }

    fn is_due_to(&self, subject: &Subject<'_>) -> bool {
        self.expires(subject) || self.moves_to(subject).is_some()
    }

    fn expires(&self, subject: &Subject<'_>) -> bool {
        self.rules.expiry(subject).is_some_and(|(millis, _)| millis <= self.now_millis)
    }

    fn moves_to(&self, subject: &Subject<'_>) -> Option<&'static str> {
        self.rules.transition(subject, self.varies_by_class, self.now_millis)
    }

    /// Does what is due to versions that are not current, and to delete markers.
    async fn versions(&self, prefix: &str) -> Result<(), Error> {
        let mut walk = Walk::default();
        let mut trail = Trail { prefix, behind: None };
        let mut pages = Pages::new(&self.cx, &SHOWN, Starting((self.name,), prefix));
        while let Some(mut actions) = pages
            .next(|tx, (_, key, Reverse(number)), version| {
                let mut actions = Vec::new();
                self.look_at(tx, &mut walk, (key.clone(), *number), &version, &mut actions)?;
                Ok(actions)
            })
            .await?
        {
            if pages.is_done() {
                actions.extend(walk.marker.take());
            }
            self.perform(&actions, &mut trail).await?;
        }
        Ok(())
    }

    /// Looks at the next version: those of a key come from the newest to the oldest.
    fn look_at(
        &self,
        tx: &ReadTx<'_>,
        walk: &mut Walk,
        (key, number): (String, u64),
        version: &ShownVersion,
        actions: &mut Vec<Action>,
    ) -> Result<(), Error> {
        let modified_millis = match version {
            ShownVersion::Object(shown) => shown.listed.modified_millis,
            ShownVersion::Marker(marker) => marker.modified_millis,
        };
        let is_first = walk.last.as_ref().is_none_or(|(last, _)| *last != key);
        if is_first {
            actions.extend(walk.marker.take());
            let current = LISTED.get(tx, &(self.name, &*key))?;
            walk.newer = 0;
            walk.successor_millis = current.as_ref().map(|listed| listed.modified_millis);
        }
        match walk.successor_millis {
            // Nothing is newer: a delete marker is current.
            None => {
                let subject = Subject::marker(&key, modified_millis);
                if self.rules.removes_marker(&subject, self.now_millis) {
                    walk.marker = Some(Action::Marker(key.clone(), number));
                }
            }
            Some(since_millis) => {
                let noncurrent = Noncurrent { since_millis, newer: walk.newer };
                if self.is_noncurrent_due(tx, (&key, number), version, noncurrent)? {
                    actions.push(Action::Noncurrent(key.clone(), number, noncurrent));
                }
                walk.newer += 1;
            }
        }
        walk.successor_millis = Some(modified_millis);
        walk.last = Some((key, number));
        Ok(())
    }

    fn is_noncurrent_due(
        &self,
        tx: &ReadTx<'_>,
        (key, number): (&str, u64),
        version: &ShownVersion,
        noncurrent: Noncurrent,
    ) -> Result<bool, Error> {
        let is_due = |subject: &Subject<'_>| {
            self.noncurrent_expires(subject, noncurrent)
                || self.noncurrent_moves_to(subject, noncurrent).is_some()
        };
        let shown = match version {
            ShownVersion::Object(shown) => shown,
            ShownVersion::Marker(marker) => {
                let subject = Subject::marker(key, marker.modified_millis);
                return Ok(self.noncurrent_expires(&subject, noncurrent));
            }
        };
        if !is_due(&Subject::listed(key, &shown.listed)) || !self.rules.look_at_tags() {
            return Ok(is_due(&Subject::listed(key, &shown.listed)));
        }
        let row = VERSIONS.get(tx, &(self.name, key, Reverse(number)))?;
        Ok(matches!(row, Some(Version::Object(object)) if is_due(&Subject::of(key, &object))))
    }

    fn noncurrent_expires(&self, subject: &Subject<'_>, noncurrent: Noncurrent) -> bool {
        self.rules.removes_noncurrent(subject, noncurrent, self.now_millis)
    }

    fn noncurrent_moves_to(
        &self,
        subject: &Subject<'_>,
        noncurrent: Noncurrent,
    ) -> Option<&'static str> {
        let (varies, now) = (self.varies_by_class, self.now_millis);
        self.rules.noncurrent_transition(subject, noncurrent, varies, now)
    }

    /// Gives up uploads.
    async fn uploads(&self, prefix: &str) -> Result<(), Error> {
        let mut trail = Trail { prefix, behind: None };
        let mut pages = Pages::new(&self.cx, &UPLOADS, Starting((self.id,), prefix));
        while let Some(actions) = pages
            .next(|_, (_, key, upload_id), upload| {
                let found = self.rules.abortion(key, upload.initiated_millis);
                let is_due = found.is_some_and(|(millis, _)| millis <= self.now_millis);
                Ok(is_due.then(|| Action::Abort(key.clone(), upload_id.clone())))
            })
            .await?
        {
            self.perform(&actions, &mut trail).await?;
        }
        Ok(())
    }

    /// Does what is due, in transactions of a bounded size.
    async fn perform(&self, actions: &[Action], trail: &mut Trail<'_>) -> Result<(), Error> {
        for actions in actions.chunks(ACTIONS) {
            let mut done = Vec::new();
            self.cx
                .write(|tx| {
                    done.clear();
                    let bucket = BUCKETS.get(tx, self.name)?;
                    let Some(bucket) = bucket.filter(|bucket| bucket.id == self.id) else {
                        return Ok(());
                    };
                    let mut each = actions.iter();
                    each.try_for_each(|action| self.act(tx, &bucket, action, &mut done))?;
                    self.vacated(tx, trail, actions)
                })
                .await?;
            trail.behind = actions.last().cloned();
            noted::note(&self.cx, self.name, &done);
        }
        Ok(())
    }

    /// Says where nothing is left, so that the first listing after the sweep is as cheap as the next.
    fn vacated(
        &self,
        tx: &mut WriteTx<'_>,
        trail: &Trail<'_>,
        actions: &[Action],
    ) -> Result<(), Error> {
        let within = Starting((self.name,), trail.prefix);
        match actions.last() {
            Some(Action::Current(key)) => {
                let mut left = LISTED.range(&within).up_to(&(self.name, &**key));
                if let Some(Action::Current(behind)) = &trail.behind {
                    left = left.after(&(self.name, &**behind));
                }
                Ok(left.vacated(tx)?)
            }
            Some(Action::Noncurrent(key, number, _) | Action::Marker(key, number)) => {
                let last = (self.name, &**key, Reverse(*number));
                let mut left = SHOWN.range(&within).up_to(&last);
                if let Some(Action::Noncurrent(key, number, _) | Action::Marker(key, number)) =
                    &trail.behind
                {
                    left = left.after(&(self.name, &**key, Reverse(*number)));
                }
                Ok(left.vacated(tx)?)
            }
            Some(Action::Abort(..)) | None => Ok(()),
        }
    }

    fn act(
        &self,
        tx: &mut WriteTx<'_>,
        bucket: &Bucket,
        action: &Action,
        done: &mut Vec<Done>,
    ) -> Result<(), Error> {
        match action {
            Action::Current(key) => self.act_on_current(tx, bucket, key, done),
            Action::Noncurrent(key, number, noncurrent) => {
                self.act_on_noncurrent(tx, bucket, (key, *number, *noncurrent), done)
            }
            Action::Marker(key, number) => self.remove_marker(tx, bucket, (key, *number), done),
            Action::Abort(key, upload_id) => {
                let at = (self.id, &**key, &**upload_id);
                let Some(upload) = UPLOADS.get(tx, &at)? else { return Ok(()) };
                UPLOADS.delete(tx, &at)?;
                done.push(Done::aborted(key));
                store::free_parts(tx, upload.number)
            }
        }
    }

    /// Moves a current object, removes it, or puts a delete marker upon it. What is moved and marked at once has both
    /// done to it, as it would have been on days of their own.
    fn act_on_current(
        &self,
        tx: &mut WriteTx<'_>,
        bucket: &Bucket,
        key: &str,
        done: &mut Vec<Done>,
    ) -> Result<(), Error> {
        let at = (self.name, key);
        let Some(mut object) = store::object(tx, self.name, key)? else { return Ok(()) };
        if replication::holds(bucket, &object) {
            return Ok(());
        }
        let expires = self.expires(&Subject::of(key, &object));
        let stays = !expires || bucket.versioning == Versioning::Enabled;
        if stays && let Some(class) = self.moves_to(&Subject::of(key, &object)) {
            object.listed.storage_class = Some(class.to_owned());
            object.listed.restored = None;
            OBJECTS.put(tx, &at, &object)?;
            done.push(Done::moved(key, &object, class));
            tiering::entered(tx, at, object.version, class)?;
            events::emit(tx, bucket, self.name, &Change::moved(key, &object, class))?;
            note(tx, bucket, at, Entry::Updated(&object), By::S3)?;
        }
        if expires {
            let removal = Removal { cause: Cause::Lifecycle, ..Removal::default() };
            let removed = versions::remove(tx, bucket, at, removal)?;
            done.push(Done::expired(key, &object, removed));
        }
        Ok(())
    }

    /// Removes a version that is not locked, or moves it.
    fn act_on_noncurrent(
        &self,
        tx: &mut WriteTx<'_>,
        bucket: &Bucket,
        (key, number, noncurrent): (&str, u64, Noncurrent),
        done: &mut Vec<Done>,
    ) -> Result<(), Error> {
        let at = (self.name, key);
        // A version that became current meanwhile is here no more.
        let Some(version) = VERSIONS.get(tx, &(self.name, key, Reverse(number)))? else {
            return Ok(());
        };
        match version {
            Version::Marker(marker) => {
                let subject = Subject::marker(key, marker.modified_millis);
                if self.noncurrent_expires(&subject, noncurrent) {
                    let version_id = versions::called(marker.version_name, number);
                    done.push(Done::removed(key, &version_id, None));
                    self.remove_version(tx, bucket, (key, number), marker.version_name)?;
                }
                Ok(())
            }
            Version::Object(object) if replication::holds(bucket, &object) => Ok(()),
            Version::Object(mut object) => {
                let subject = Subject::of(key, &object);
                if self.noncurrent_expires(&subject, noncurrent)
                    && locks::check(tx, at, &object, Removal::default()).is_ok()
                {
                    let version_id = versions::called(object.version_name, number);
                    done.push(Done::removed(key, &version_id, Some(object.listed.size)));
                    return self.remove_version(tx, bucket, (key, number), object.version_name);
                }
                let Some(class) = self.noncurrent_moves_to(&subject, noncurrent) else {
                    return Ok(());
                };
                object.listed.storage_class = Some(class.to_owned());
                object.listed.restored = None;
                done.push(Done::moved(key, &object, class));
                tiering::entered(tx, at, number, class)?;
                events::emit(tx, bucket, self.name, &Change::moved(key, &object, class))?;
                note(tx, bucket, at, Entry::Updated(&object), By::S3)?;
                versions::save(tx, at, Found::Older(number, *object))
            }
        }
    }

    /// Removes the delete marker that is current, if nothing is behind it.
    fn remove_marker(
        &self,
        tx: &mut WriteTx<'_>,
        bucket: &Bucket,
        (key, number): (&str, u64),
        done: &mut Vec<Done>,
    ) -> Result<(), Error> {
        let at = (self.name, key);
        let rows = VERSIONS.range(&at).limit(2).list(tx)?;
        let [(place, Version::Marker(marker))] = &rows[..] else { return Ok(()) };
        if place.2.0 != number || OBJECTS.contains(tx, &at)? {
            return Ok(());
        }
        let version_id = versions::called(marker.version_name, number);
        done.push(Done::removed(key, &version_id, None));
        self.remove_version(tx, bucket, (key, number), marker.version_name)
    }

    fn remove_version(
        &self,
        tx: &mut WriteTx<'_>,
        bucket: &Bucket,
        (key, number): (&str, u64),
        name: VersionName,
    ) -> Result<(), Error> {
        versions::forget(tx, (self.name, key), number)?;
        note(tx, bucket, (self.name, key), Entry::Removed(number, name), By::S3)?;
        let version_id = versions::called(name, number);
        let change = Change::removed(key, tx.version(), Some(version_id)).of(Cause::Lifecycle);
        events::emit(tx, bucket, self.name, &change)
    }
}

/// What a walk through the rows under a prefix has done.
struct Trail<'a> {
    prefix: &'a str,
    /// The last thing that was done.
    behind: Option<Action>,
}

/// Where a walk through versions is.
#[derive(Default)]
struct Walk {
    /// The key and number of the version before.
    last: Option<(String, u64)>,
    /// When what is next newer than the next version was made; none if nothing is.
    successor_millis: Option<i64>,
    /// How many versions of the key that are not current came before.
    newer: u64,
    /// The key's delete marker, which goes if the others of the key did.
    marker: Option<Action>,
}
