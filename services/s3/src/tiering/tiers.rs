//! In which tier an object of the class `INTELLIGENT_TIERING` is, and when it was read last.
//!
//! Frequent, infrequent and instant archive are told from the last access alone, and nothing moves. The opt-in archives stand in
//! a row, since an object comes back from them only by a restore. What is read is noted in memory first, at most once a day for
//! a version, and written by a task: a server that is killed forgets the accesses of the last moments.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use fogbank_core::store::row;
use fogbank_core::{BoxFuture, Cx, Fault, Timestamp, Tx, WriteTx};
use serde::{Deserialize, Serialize};

use crate::error::Error;
use crate::store::{Listed, Object, TIERED};
use crate::versions::At;

/// The class whose objects tier themselves.
pub(crate) const CLASS: &str = "INTELLIGENT_TIERING";
/// The topic and name of the task that writes down what was read.
pub(crate) const ACCESSES: &str = "s3.accesses";

const DAY_MILLIS: i64 = 86_400_000;
/// Objects below this are not watched, and stay where they can be read at once.
const LEAST_BYTES: u64 = 128 << 10;
/// How many accesses wait in memory at most; more are forgotten.
const MAX_WAITING: usize = 100_000;
/// How many one transaction writes.
const AT_ONCE: usize = 100;

/// The last access of a version, and the archive in which it lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Tiered {
    /// When it was read or written last, or came into the class.
    pub(crate) accessed_millis: i64,
    pub(crate) archive: Option<Archive>,
    /// From when on it can be read again, if it was asked to be restored.
    pub(crate) back_millis: Option<i64>,
}

row!(Tiered, 1);

/// A bucket that has had configurations of intelligent tiering.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Watched {
    /// The number of the transaction that changed them last.
    pub(crate) number: u64,
    /// The midnight for which all is done; none if they are new.
    pub(crate) swept_millis: Option<i64>,
}

row!(Watched, 1);

/// The archives. The order is the format on disk, and how deep they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) enum Archive {
    Archive,
    Deep,
}

impl Archive {
    /// The name in headers, events and configurations.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Archive::Archive => "ARCHIVE_ACCESS",
            Archive::Deep => "DEEP_ARCHIVE_ACCESS",
        }
    }
}

impl Tiered {
    /// The state of a version that has no row.
    pub(super) fn fresh(listed: &Listed) -> Tiered {
        Tiered { accessed_millis: listed.modified_millis, archive: None, back_millis: None }
    }

    /// The archive in which it lies now: what was restored lies in none.
    pub(crate) fn archive(&self, now: Timestamp) -> Option<Archive> {
        let is_back = self.back_millis.is_some_and(|millis| millis <= now.millis());
        self.archive.filter(|_| !is_back)
    }

    /// Whether it is on its way back.
    pub(crate) fn is_coming(&self, now: Timestamp) -> bool {
        self.archive(now).is_some() && self.back_millis.is_some()
    }

    /// For how many whole days nobody has read it.
    pub(super) fn idle_days(&self, now: Timestamp) -> i64 {
        let since_millis = self.back_millis.unwrap_or(0).max(self.accessed_millis);
        (now.millis() - since_millis).div_euclid(DAY_MILLIS)
    }

    /// The tier as inventories name it. The names of the archives are made after those of the others.
    pub(crate) fn tier(&self, listed: &Listed, now: Timestamp) -> &'static str {
        match self.archive(now) {
            Some(Archive::Deep) => "DEEP_ARCHIVE",
            Some(Archive::Archive) => "ARCHIVE",
            None if !is_watched(listed) => "FREQUENT",
            None => match self.idle_days(now) {
                ..30 => "FREQUENT",
                30..90 => "INFREQUENT",
                _ => "ARCHIVE_INSTANT_ACCESS",
            },
        }
    }
}

/// Whether an object moves between tiers.
pub(super) fn is_watched(listed: &Listed) -> bool {
    listed.class() == CLASS && listed.size >= LEAST_BYTES
}

/// The state of a version; none if it is of another class.
pub(crate) fn of(
    tx: &(impl Tx + ?Sized),
    at: At<'_>,
    object: &Object,
) -> Result<Option<Tiered>, Error> {
    if object.listed.class() != CLASS {
        return Ok(None);
    }
    let row = TIERED.get(tx, &(at.0, at.1, object.version))?;
    Ok(Some(row.unwrap_or_else(|| Tiered::fresh(&object.listed))))
}

/// Refuses to read what lies in an archive.
pub(crate) fn check_readable(
    tiered: Option<&Tiered>,
    now: Timestamp,
    message: &str,
) -> Result<(), Error> {
    match tiered.and_then(|tiered| tiered.archive(now)) {
        None => Ok(()),
        Some(archive) => {
            let fault = Fault::new("InvalidObjectState", message)
                .with("StorageClass", CLASS)
                .with("AccessTier", archive.name());
            Err(Error::Fault(fault))
        }
    }
}

/// What was read and is not written down yet.
#[derive(Default)]
struct Waiting(Mutex<BTreeMap<(String, String, u64), i64>>);

/// Notes that a version was read.
pub(crate) fn accessed(cx: &Cx, at: At<'_>, version: u64, tiered: Option<&Tiered>) {
    let Some(tiered) = tiered else { return };
    let now_millis = cx.now().millis();
    let day = |millis: i64| millis.div_euclid(DAY_MILLIS);
    if day(tiered.accessed_millis) == day(now_millis) {
        return;
    }
    let waiting = cx.state(Waiting::default);
    let mut waiting = waiting.0.lock().unwrap_or_else(PoisonError::into_inner);
    if waiting.len() < MAX_WAITING {
        let is_first = waiting.is_empty();
        waiting.insert((at.0.to_owned(), at.1.to_owned(), version), now_millis);
        if is_first {
            cx.wakes().wake(ACCESSES);
        }
    }
}

/// Writes down what was read.
pub(crate) fn note(cx: Cx) -> BoxFuture<'static, Result<(), Fault>> {
    Box::pin(async move {
        let waiting = cx.state(Waiting::default);
        let noted: Vec<_> = {
            let mut waiting = waiting.0.lock().unwrap_or_else(PoisonError::into_inner);
            std::mem::take(&mut *waiting).into_iter().collect()
        };
        for some in noted.chunks(AT_ONCE) {
            cx.write(|tx| {
                for (key, millis) in some {
                    let fresh = Tiered { accessed_millis: 0, archive: None, back_millis: None };
                    let row = TIERED.get(tx, key)?.unwrap_or(fresh);
                    let accessed_millis = row.accessed_millis.max(*millis);
                    TIERED.put(tx, key, &Tiered { accessed_millis, ..row })?;
                }
                Ok::<_, Error>(())
            })
            .await?;
        }
        Ok(())
    })
}

/// Notes that a version came into the class by a lifecycle: its days begin now.
pub(crate) fn entered(
    tx: &mut WriteTx<'_>,
    at: At<'_>,
    version: u64,
    class: &str,
) -> Result<(), Error> {
    if class != CLASS {
        return Ok(());
    }
    let accessed_millis = tx.now().millis();
    let row = Tiered { accessed_millis, archive: None, back_millis: None };
    Ok(TIERED.put(tx, &(at.0, at.1, version), &row)?)
}
