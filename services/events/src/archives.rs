//! Archives: they keep the events of a bus, to be replayed.
//!
//! An event becomes a row of each archive that wants it in the transaction that accepts it. What an archive that is gone has
//! kept is cleaned up behind.

use std::ops::ControlFlow;

use fogbank_core::wire::Timestamp;
use fogbank_core::{Cx, Effect, Fault, ReadTx, Tx, WriteTx};
use serde_json::{Value, json};

use crate::error::Error;
use crate::model::{
    Archive, ArchiveState, CreateArchiveInput, CreateArchiveOutput, DeleteArchiveInput,
    DeleteArchiveOutput, DescribeArchiveInput, DescribeArchiveOutput, ListArchivesInput,
    ListArchivesOutput, UpdateArchiveInput, UpdateArchiveOutput,
};
use crate::pages;
use crate::patterns;
use crate::routing::Event;
use crate::rules::names::{self, NamedKey};
use crate::rules::pattern::Pattern;
use crate::store::{self, ARCHIVED, ARCHIVES, Archived};
use crate::tasks;

/// How many archives an account may have in a region.
const MOST: usize = 100;
/// How many rows one transaction removes.
const ROWS: usize = 200;
const DAY_MILLIS: i64 = 86_400_000;

fn key_of(tx: &impl Tx, name: &str) -> NamedKey {
    (tx.account().to_owned(), tx.region().to_owned(), name.to_owned())
}

fn find(tx: &impl Tx, key: &NamedKey) -> Result<store::Archive, Error> {
    ARCHIVES.get(tx, key)?.ok_or_else(|| no_archive(&key.2))
}

fn no_archive(name: &str) -> Error {
    Error::ResourceNotFoundException(format!("Archive {name} does not exist."))
}

fn check(pattern: Option<&String>, kms_key: Option<&String>) -> Result<(), Error> {
    if kms_key.is_some_and(|key| !key.is_empty()) {
        return Err(Error::not_implemented("events:CreateArchive with KmsKeyIdentifier"));
    }
    match pattern {
        Some(pattern) => {
            Pattern::parse(pattern).map(|_| ()).map_err(Error::InvalidEventPatternException)
        }
        None => Ok(()),
    }
}

/// Makes an archive of a bus.
pub(crate) fn create(
    tx: &mut WriteTx<'_>,
    input: CreateArchiveInput,
) -> Result<CreateArchiveOutput, Error> {
    let key = key_of(tx, &input.archive_name);
    if ARCHIVES.contains(tx, &key)? {
        let message = format!("Archive {} already exists.", key.2);
        return Err(Error::ResourceAlreadyExistsException(message));
    }
    check(input.event_pattern.as_ref(), input.kms_key_identifier.as_ref())?;
    let bus = names::bus(tx.request(), Some(&input.event_source_arn));
    store::bus(tx, &bus)?;
    if ARCHIVES.range(&(&key.0, &key.1)).limit(MOST).count(tx)? >= MOST {
        return Err(Error::LimitExceededException);
    }
    let archive = store::Archive {
        id: tx.version(),
        bus,
        description: input.description,
        pattern: input.event_pattern,
        retention_days: input.retention_days.unwrap_or_default(),
        created_millis: tx.now().millis(),
    };
    ARCHIVES.put(tx, &key, &archive)?;
    Ok(CreateArchiveOutput {
        archive_arn: Some(names::named_arn("archive", &key)),
        state: Some(ArchiveState::Enabled),
        state_reason: None,
        creation_time: Some(Timestamp::from_millis(archive.created_millis)),
    })
}

/// Shows an archive.
pub(crate) fn describe(
    tx: &ReadTx<'_>,
    input: DescribeArchiveInput,
) -> Result<DescribeArchiveOutput, Error> {
    let key = key_of(tx, &input.archive_name);
    let archive = find(tx, &key)?;
    let (events, bytes) = store::size_of_archive(tx, archive.id)?;
    Ok(DescribeArchiveOutput {
        archive_arn: Some(names::named_arn("archive", &key)),
        archive_name: Some(key.2),
        event_source_arn: Some(names::bus_arn(&archive.bus)),
        description: archive.description,
        event_pattern: archive.pattern,
        state: Some(ArchiveState::Enabled),
        state_reason: None,
        kms_key_identifier: None,
        retention_days: Some(archive.retention_days),
        size_bytes: Some(bytes),
        event_count: Some(events),
        creation_time: Some(Timestamp::from_millis(archive.created_millis)),
    })
}

/// Lists archives by name.
pub(crate) fn list(tx: &ReadTx<'_>, input: ListArchivesInput) -> Result<ListArchivesOutput, Error> {
    let filters =
        [input.name_prefix.is_some(), input.event_source_arn.is_some(), input.state.is_some()];
    if filters.iter().filter(|is_given| **is_given).count() > 1 {
        let message = "At most one filter is allowed for ListArchives. Use either : State, \
                       EventSourceArn, or NamePrefix.";
        return Err(Error::invalid(message));
    }
    let mut archives = ARCHIVES.list(tx, &(tx.account(), tx.region()))?;
    archives.retain(|(key, archive)| {
        input.name_prefix.as_ref().is_none_or(|prefix| key.2.starts_with(prefix))
            && input
                .event_source_arn
                .as_ref()
                .is_none_or(|arn| names::bus_arn(&archive.bus) == *arn)
            && input.state.is_none_or(|state| state == ArchiveState::Enabled)
    });
    let (page, next_token) =
        pages::of(archives, |(key, _)| &key.2, input.next_token.as_deref(), input.limit)?;
    let shown = |(key, archive): (NamedKey, store::Archive)| {
        let (events, bytes) = store::size_of_archive(tx, archive.id)?;
        Ok::<_, Error>(Archive {
            archive_name: Some(key.2),
            event_source_arn: Some(names::bus_arn(&archive.bus)),
            state: Some(ArchiveState::Enabled),
            state_reason: None,
            retention_days: Some(archive.retention_days),
            size_bytes: Some(bytes),
            event_count: Some(events),
            creation_time: Some(Timestamp::from_millis(archive.created_millis)),
        })
    };
    let archives = page.into_iter().map(shown).collect::<Result<Vec<_>, _>>()?;
    Ok(ListArchivesOutput { archives: Some(archives), next_token })
}

/// Changes an archive; what is not named stays.
pub(crate) fn update(
    tx: &mut WriteTx<'_>,
    input: UpdateArchiveInput,
) -> Result<UpdateArchiveOutput, Error> {
    let key = key_of(tx, &input.archive_name);
    let mut archive = find(tx, &key)?;
    check(input.event_pattern.as_ref(), input.kms_key_identifier.as_ref())?;
    archive.description = input.description.or(archive.description);
    archive.pattern = input.event_pattern.or(archive.pattern);
    archive.retention_days = input.retention_days.unwrap_or(archive.retention_days);
    ARCHIVES.put(tx, &key, &archive)?;
    Ok(UpdateArchiveOutput {
        archive_arn: Some(names::named_arn("archive", &key)),
        state: Some(ArchiveState::Enabled),
        state_reason: None,
        creation_time: Some(Timestamp::from_millis(archive.created_millis)),
    })
}

/// Removes an archive.
pub(crate) fn delete(
    tx: &mut WriteTx<'_>,
    input: DeleteArchiveInput,
) -> Result<DeleteArchiveOutput, Error> {
    let key = key_of(tx, &input.archive_name);
    let archive = find(tx, &key)?;
    ARCHIVES.delete(tx, &key)?;
    tx.emit(Effect::job(tasks::FORGET, &json!({ "id": archive.id })))?;
    Ok(DeleteArchiveOutput {})
}

/// Puts an event into the archives of its bus that want it.
pub(crate) fn keep(
    tx: &mut WriteTx<'_>,
    event: &Event,
    archives: &[store::Archive],
) -> Result<(), Error> {
    for archive in archives {
        let is_wanted = match &archive.pattern {
            Some(pattern) => patterns::stored(tx.cx().cloud(), pattern)
                .is_some_and(|pattern| pattern.matches(&event.json)),
            None => true,
        };
        if !is_wanted {
            continue;
        }
        let at = event.accepted_millis.max(0).unsigned_abs();
        let row = Archived { event: event.text.clone(), is_forwarded: event.is_forwarded };
        ARCHIVED.put(tx, &(archive.id, at, tx.version(), event.id.clone()), &row)?;
        store::grow_archive(tx, archive.id, 1, event.text.len() as i64)?;
    }
    Ok(())
}

/// Removes what an archive that is gone has kept.
pub(crate) async fn forget(cx: Cx, input: Value) -> Result<(), Fault> {
    let id = input["id"].as_u64().unwrap_or_default();
    while remove_some(&cx, id, u64::MAX).await? {}
    cx.write(|tx| store::forget_size(tx, id)).await?;
    Ok(())
}

/// Removes what archives have kept for long enough.
pub(crate) async fn expire(cx: Cx) -> Result<(), Fault> {
    let now = cx.now().millis();
    let archives = cx.read(|tx| ARCHIVES.list(tx, &()))?;
    for (_, archive) in archives.into_iter().filter(|(_, archive)| archive.retention_days > 0) {
        let kept_since = now - i64::from(archive.retention_days) * DAY_MILLIS;
        while remove_some(&cx, archive.id, kept_since.max(0).unsigned_abs()).await? {}
    }
    Ok(())
}

/// Removes some rows from before a time; returns whether there may be more.
async fn remove_some(cx: &Cx, id: u64, before: u64) -> Result<bool, Fault> {
    let has_some = cx.write(|tx| {
        let mut found = Vec::new();
        ARCHIVED.range(&(id,)).before(&(id, before, 0, "")).limit(ROWS).visit(tx, |key, row| {
            found.push((key, row.event.len() as i64));
            ControlFlow::Continue(())
        })?;
        let bytes: i64 = found.iter().map(|(_, bytes)| bytes).sum();
        for (key, _) in &found {
            ARCHIVED.delete(tx, key)?;
        }
        if !found.is_empty() {
            store::grow_archive(tx, id, -(found.len() as i64), -bytes)?;
        }
        Ok::<_, Error>(found.len() == ROWS)
    });
    Ok(has_some.await?)
}
