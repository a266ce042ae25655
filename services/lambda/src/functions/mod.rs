//! Functions: their creation, their description, their changes and their end.

mod configuration;
mod create;
mod delete;
mod get;
mod list;
mod role;
mod shown;
mod update;

pub(crate) use create::create;
pub(crate) use delete::{delete, remove};
pub(crate) use get::{account_settings, get, get_configuration};
pub(crate) use list::{list, marker, page_size};
pub(crate) use role::{Credentials, assume};
pub(crate) use shown::{Detail, ShownAs, code_sha256, date, log_group, shown};
pub(crate) use update::{require_settled, update_code, update_configuration};

use fogbank_core::store::{self as kv, Write};
use fogbank_core::{Tx, WriteTx};

use crate::error::{Error, function_not_found};
use crate::rules::target::Target;
use crate::store::{self, State, TRANSITIONS, Version};

/// The topic of the task that brings functions into their final state.
pub(crate) const SETTLE: &str = "lambda.settle";

/// The text with which AWS refuses a revision id that is not the latest.
pub(crate) const STALE_REVISION: &str = "The Revision Id provided does not match the latest Revision Id. \
     Call the GetFunction/GetAlias API to retrieve the latest Revision Id";

/// The topic of those who wait until a function can run.
pub(crate) fn settled_topic(function_arn: &str) -> String {
    format!("lambda.settled:{function_arn}")
}

/// Refuses a revision id that is not the latest.
pub(crate) fn require_revision(given: Option<&str>, latest: &str) -> Result<(), Error> {
    match given {
        Some(given) if given != latest => {
            Err(Error::PreconditionFailedException(STALE_REVISION.to_owned()))
        }
        _ => Ok(()),
    }
}

/// Marks a version as on its way, and wakes the task that brings it home.
pub(crate) fn begin_transition(
    tx: &mut WriteTx<'_>,
    target: &Target,
    number: u64,
) -> Result<(), kv::Error> {
    TRANSITIONS.put(tx, &store::version_key(target, number), &())?;
    tx.wake(SETTLE);
    Ok(())
}

/// A version that a qualifier leads to.
pub(crate) struct Found {
    pub(crate) number: u64,
    pub(crate) version: Version,
}

/// The version that the target's qualifier names, an alias's first version included.
pub(crate) fn find(tx: &impl kv::Read, target: &Target) -> Result<Found, Error> {
    let number = match target.version() {
        Some(number) => Some(number),
        None => store::alias(tx, target, target.qualifier_or_latest())?.map(|alias| alias.version),
    };
    let found = match number {
        Some(number) => {
            store::version(tx, target, number)?.map(|version| Found { number, version })
        }
        None => None,
    };
    found.ok_or_else(|| function_not_found(&target.arn()))
}

/// Publishes `$LATEST` as a new version, unless it was not changed since it was published last.
pub(crate) fn publish(
    tx: &mut WriteTx<'_>,
    target: &Target,
    description: Option<&str>,
) -> Result<Found, Error> {
    let mut function = store::function(tx, target)?;
    let mut latest = store::latest(tx, target)?;
    if let Some((deployment, number)) = &function.published
        && *deployment == latest.deployment
        && let Some(version) = store::version(tx, target, *number)?
    {
        return Ok(Found { number: *number, version });
    }
    let number = function.next_version;
    function.next_version += 1;
    function.published = Some((latest.deployment.clone(), number));
    store::FUNCTIONS.put(tx, &target.key(), &function)?;

    let mut version = latest.clone();
    version.revision_id = store::revision(tx);
    version.last_modified_millis = tx.now().millis();
    if let Some(description) = description {
        description.clone_into(&mut version.description);
    }
    if latest.state != State::Active {
        version.state = State::Pending;
        begin_transition(tx, target, number)?;
    }
    tx.retain_blob(&version.code.zip)?;
    version.layers.iter().try_for_each(|layer| tx.retain_blob(&layer.code.zip))?;
    store::put_version(tx, target, number, &version)?;
    latest.revision_id = store::revision(tx);
    store::put_version(tx, target, 0, &latest)?;
    Ok(Found { number, version })
}

/// Gives `$LATEST`, or the version or alias that is named, a new revision, as AWS does when its policy changes.
pub(crate) fn touch(tx: &mut WriteTx<'_>, target: &Target) -> Result<String, Error> {
    let revision = store::revision(tx);
    match target.version() {
        Some(number) => {
            if let Some(mut version) = store::version(tx, target, number)? {
                version.revision_id.clone_from(&revision);
                store::put_version(tx, target, number, &version)?;
            }
        }
        None => {
            let name = target.qualifier_or_latest();
            if let Some(mut alias) = store::alias(tx, target, name)? {
                alias.revision_id.clone_from(&revision);
                store::ALIASES.put(tx, &store::qualified_key(target, name), &alias)?;
            }
        }
    }
    Ok(revision)
}

/// Removes every row under a function's key from a table.
pub(crate) fn clear<V: kv::Value>(
    tx: &mut impl Write,
    table: &kv::Table<store::QualifiedKey, V>,
    target: &Target,
) -> Result<(), kv::Error> {
    table.delete_all(tx, &target.key())?;
    Ok(())
}
