//! The part of the lifecycles' sweep that moves what nobody reads into the opt-in archives, and forgets the tiers of versions
//! that are gone.

use std::cmp::Reverse;
use std::sync::{Mutex, PoisonError};

use fogbank_core::store::Starting;
use fogbank_core::{Cx, ReadTx, Timestamp, Tx, WriteTx};

use super::KIND;
use super::tiers::{Archive, CLASS, Tiered, Watched, is_watched};
use crate::documents;
use crate::error::Error;
use crate::events::{self, Change};
use crate::model::{
    IntelligentTieringAccessTier, IntelligentTieringConfiguration, IntelligentTieringStatus,
};
use crate::pages::Pages;
use crate::rules::pairs;
use crate::store::{
    BUCKETS, Bucket, CURRENT, DOCUMENTS, Listed, SHOWN, ShownVersion, TIERED, TIERINGS,
};
use crate::versions;

/// How many versions one transaction moves.
const ACTIONS: usize = 100;

/// A configuration that is enabled, as far as it decides what moves.
#[derive(Debug)]
struct Rule {
    prefix: String,
    tags: Vec<(String, String)>,
    /// Archives and after how many days without an access.
    archives: Vec<(Archive, i64)>,
}

impl Rule {
    fn new(given: IntelligentTieringConfiguration) -> Rule {
        let filter = given.filter.unwrap_or_default();
        let and = filter.and.unwrap_or_default();
        let tags = filter.tag.into_iter().chain(and.tags.unwrap_or_default()).collect();
        let archives = given.tierings.iter().map(|tiering| {
            let archive = match tiering.access_tier {
                IntelligentTieringAccessTier::DeepArchiveAccess => Archive::Deep,
                _ => Archive::Archive,
            };
            (archive, i64::from(tiering.days))
        });
        Rule {
            prefix: filter.prefix.or(and.prefix).unwrap_or_default(),
            tags: pairs(tags),
            archives: archives.collect(),
        }
    }

    /// The deepest archive that is due after so many days.
    fn due(&self, days: i64) -> Option<Archive> {
        let due = self.archives.iter().filter(|(_, after)| days >= *after);
        due.map(|(archive, _)| *archive).max()
    }
}

/// Moves what is due in every bucket for which a midnight has come since the last time.
pub(crate) async fn run(cx: &Cx, today: i64) -> Result<(), Error> {
    let mut after: Option<String> = None;
    loop {
        let next = cx.read(|tx| {
            let mut rows = TIERINGS.range(&()).limit(1);
            if let Some(after) = &after {
                rows = rows.after(after);
            }
            rows.list(tx)
        })?;
        let Some((name, swept)) = next.into_iter().next() else { break };
        if swept.swept_millis != Some(today) {
            sweep(cx, &name).await?;
            cx.write(|tx| {
                // It is gone, or its configurations were changed meanwhile.
                if TIERINGS.get(tx, &name)? == Some(swept) {
                    let done = Watched { swept_millis: Some(today), ..swept };
                    TIERINGS.put(tx, &name, &done)?;
                }
                Ok::<_, Error>(())
            })
            .await?;
        }
        after = Some(name);
    }
    forget(cx, today).await
}

async fn sweep(cx: &Cx, name: &str) -> Result<(), Error> {
    let (bucket, rules) =
        cx.read(|tx| Ok::<_, Error>((BUCKETS.get(tx, name)?, rules(tx, name)?)))?;
    let Some(bucket) = bucket else { return Ok(()) };
    let swept = Swept {
        cx: cx.located(&bucket.account, &bucket.region),
        name,
        bucket: &bucket,
        rules,
        now: cx.now(),
    };
    let mut prefixes: Vec<&str> = swept.rules.iter().map(|rule| &*rule.prefix).collect();
    prefixes.sort_unstable();
    // A prefix within another one is swept with it.
    prefixes.dedup_by(|later, earlier| later.starts_with(*earlier));
    for prefix in prefixes {
        swept.current(prefix).await?;
        swept.noncurrent(prefix).await?;
    }
    Ok(())
}

fn rules(tx: &ReadTx<'_>, name: &str) -> Result<Vec<Rule>, Error> {
    let mut rules = Vec::new();
    for (_, text) in DOCUMENTS.list(tx, &(name, KIND.0))? {
        let given: IntelligentTieringConfiguration = documents::read(&text)?;
        if given.status == IntelligentTieringStatus::Enabled {
            rules.push(Rule::new(given));
        }
    }
    Ok(rules)
}

/// A bucket as it is swept.
struct Swept<'a> {
    cx: Cx,
    name: &'a str,
    bucket: &'a Bucket,
    rules: Vec<Rule>,
    now: Timestamp,
}

/// A version by its key and number.
type Place = (String, u64);

impl Swept<'_> {
    /// The archive into which a version is to go, if it is not there or deeper.
    fn due(
        &self,
        tx: &(impl Tx + ?Sized),
        (key, number): (&str, u64),
        listed: &Listed,
    ) -> Result<Option<Archive>, Error> {
        if !is_watched(listed) {
            return Ok(None);
        }
        let row = TIERED.get(tx, &(self.name, key, number))?;
        let tiered = row.unwrap_or_else(|| Tiered::fresh(listed));
        if tiered.is_coming(self.now) {
            return Ok(None);
        }
        let days = tiered.idle_days(self.now);
        let now_in = tiered.archive(self.now);
        let fits = |rule: &&Rule| key.starts_with(&rule.prefix) && rule.due(days) > now_in;
        let mut due = self.rules.iter().filter(fits).peekable();
        if due.peek().is_none() {
            return Ok(None);
        }
        let Some(mut found) = versions::numbered(tx, (self.name, key), number)? else {
            return Ok(None);
        };
        let Some(object) = found.object_mut() else { return Ok(None) };
        let due = due.filter(|rule| rule.tags.iter().all(|tag| object.tags.contains(tag)));
        Ok(due.filter_map(|rule| rule.due(days)).max())
    }

    async fn current(&self, prefix: &str) -> Result<(), Error> {
        let mut pages = Pages::new(&self.cx, &CURRENT, Starting((self.name,), prefix));
        while let Some(places) = pages
            .next(|tx, (_, key), row| {
                let due = self.due(tx, (key, row.version), &row.listed)?;
                Ok(due.map(|_| (key.clone(), row.version)))
            })
            .await?
        {
            self.archive(&places).await?;
        }
        Ok(())
    }

    async fn noncurrent(&self, prefix: &str) -> Result<(), Error> {
        let mut pages = Pages::new(&self.cx, &SHOWN, Starting((self.name,), prefix));
        while let Some(places) = pages
            .next(|tx, (_, key, Reverse(number)), version| {
                let ShownVersion::Object(shown) = &version else { return Ok(None) };
                let due = self.due(tx, (key, *number), &shown.listed)?;
                Ok(due.map(|_| (key.clone(), *number)))
            })
            .await?
        {
            self.archive(&places).await?;
        }
        Ok(())
    }

    /// Moves versions into the archives that are due, as they are by now.
    async fn archive(&self, places: &[Place]) -> Result<(), Error> {
        for places in places.chunks(ACTIONS) {
            self.cx
                .write(|tx| {
                    let bucket = BUCKETS.get(tx, self.name)?;
                    if bucket.is_none_or(|bucket| bucket.id != self.bucket.id) {
                        return Ok(());
                    }
                    places.iter().try_for_each(|place| self.move_one(tx, place))
                })
                .await?;
        }
        Ok(())
    }

    fn move_one(&self, tx: &mut WriteTx<'_>, (key, number): &Place) -> Result<(), Error> {
        let at = (self.name, &**key);
        let Some(mut found) = versions::numbered(tx, at, *number)? else { return Ok(()) };
        let Some(object) = found.object_mut() else { return Ok(()) };
        let Some(archive) = self.due(tx, (key, *number), &object.listed)? else { return Ok(()) };
        let place = (self.name, &**key, *number);
        let before = TIERED.get(tx, &place)?.unwrap_or_else(|| Tiered::fresh(&object.listed));
        // The time of a restore counts as an access.
        let accessed_millis = before.back_millis.unwrap_or(0).max(before.accessed_millis);
        let row = Tiered { accessed_millis, archive: Some(archive), back_millis: None };
        TIERED.put(tx, &place, &row)?;
        let change = Change::tiered(key, object, archive.name());
        events::emit(tx, self.bucket, self.name, &change)
    }
}

/// The day for which the tiers of what is gone were forgotten.
#[derive(Default)]
struct Forgotten(Mutex<Option<i64>>);

/// Forgets the tiers of versions that are gone, or of another class, once a day.
async fn forget(cx: &Cx, today: i64) -> Result<(), Error> {
    let forgotten = cx.state(Forgotten::default);
    let day = forgotten.0.lock().unwrap_or_else(PoisonError::into_inner).replace(today);
    if day == Some(today) {
        return Ok(());
    }
    let mut pages = Pages::new(cx, &TIERED, ());
    while let Some(gone) =
        pages.next(|tx, row, _| Ok(is_gone(tx, row)?.then(|| row.clone()))).await?
    {
        for gone in gone.chunks(ACTIONS) {
            cx.write(|tx| {
                for row in gone {
                    if is_gone(tx, row)? {
                        TIERED.delete(tx, row)?;
                    }
                }
                Ok::<_, Error>(())
            })
            .await?;
        }
    }
    Ok(())
}

fn is_gone(
    tx: &(impl Tx + ?Sized),
    (bucket, key, number): &(String, String, u64),
) -> Result<bool, Error> {
    let found = versions::numbered(tx, (&**bucket, &**key), *number)?;
    let is_there = found.is_some_and(|mut found| {
        found.object_mut().is_some_and(|object| object.listed.class() == CLASS)
    });
    Ok(!is_there)
}

/// Has a bucket swept whose configurations were changed.
pub(super) fn begin(tx: &mut WriteTx<'_>, name: &str) -> Result<(), Error> {
    let row = Watched { number: tx.version(), swept_millis: None };
    TIERINGS.put(tx, name, &row)?;
    tx.wake(crate::lifecycle::SWEEP);
    Ok(())
}
