//! Finding the key that a request names, and judging whether it may be used now.

use fogbank_core::{ReadTx, Tx, page};

use crate::error::Error;
use crate::rules::names::{self, Named};
use crate::store::{self, ALIASES, Key, KeyKey};

/// A key that was found.
#[derive(Debug)]
pub(crate) struct Found {
    pub(crate) at: KeyKey,
    pub(crate) arn: String,
    pub(crate) key: Key,
}

/// Where the key is that `text` names, be it by an alias; the key itself need not be there.
pub(crate) fn place(tx: &impl Tx, text: &str) -> Result<KeyKey, Error> {
    let region = tx.region();
    match names::parse(text, tx.account(), region)? {
        Named::Key(account, id) => Ok((account, region.to_owned(), id)),
        Named::Alias(account, name) => {
            let at = (account, region.to_owned(), name);
            let alias = ALIASES.get(tx, &at)?;
            let alias = alias.ok_or_else(|| Error::no_alias(&store::alias_arn(&at)))?;
            Ok((at.0, at.1, alias.key_id))
        }
    }
}

fn found(tx: &impl Tx, at: KeyKey) -> Result<Found, Error> {
    Ok(Found { key: store::key(tx, &at)?, arn: store::key_arn(&at), at })
}

/// The key that `text` names by its id, its ARN or an alias.
pub(crate) fn any(tx: &impl Tx, text: &str) -> Result<Found, Error> {
    found(tx, place(tx, text)?)
}

/// The key that `text` names by its id or ARN, for operations that take no alias and work in the own account alone.
pub(crate) fn own(tx: &impl Tx, text: &str) -> Result<Found, Error> {
    if text.starts_with("alias/") || text.contains(":alias/") {
        return Err(Error::no_key_id(text));
    }
    let at = place(tx, text)?;
    // AWS documents "Cross-account use: No" for these and no words of the refusal: ours are a guess.
    if at.0 != tx.account() {
        return Err(Error::no_key(&store::key_arn(&at)));
    }
    found(tx, at)
}

/// The key that `text` names, if it can do `operation` now, which is for keys of this usage.
pub(crate) fn ready(
    tx: &ReadTx<'_>,
    text: &str,
    usage: &str,
    operation: &str,
) -> Result<Found, Error> {
    let found = any(tx, text)?;
    found.check_enabled()?;
    found.check_usage(usage, operation)?;
    Ok(found)
}

impl Found {
    /// The state as `DescribeKey` shows it.
    pub(crate) fn state(&self) -> &'static str {
        state(&self.key)
    }

    /// Refuses a key that cannot be used now.
    pub(crate) fn check_enabled(&self) -> Result<(), Error> {
        match self.state() {
            "Disabled" => Err(Error::DisabledException(self.arn.clone())),
            _ => self.check_alive(),
        }
    }

    /// Refuses a key that is about to be deleted or waits for its material.
    pub(crate) fn check_alive(&self) -> Result<(), Error> {
        match self.state() {
            "PendingImport" => {
                Err(Error::KMSInvalidStateException(format!("{} is pending import.", self.arn)))
            }
            _ => self.check_not_pending_deletion(),
        }
    }

    /// Refuses a key that is about to be deleted.
    pub(crate) fn check_not_pending_deletion(&self) -> Result<(), Error> {
        match self.state() {
            "PendingDeletion" => {
                Err(Error::KMSInvalidStateException(format!("{} is pending deletion.", self.arn)))
            }
            // AWS's words for this state are not known; these are a guess.
            "PendingReplicaDeletion" => Err(Error::KMSInvalidStateException(format!(
                "{} is pending replica deletion.",
                self.arn
            ))),
            _ => Ok(()),
        }
    }

    /// Refuses a key that is for something else.
    pub(crate) fn check_usage(&self, usage: &str, operation: &str) -> Result<(), Error> {
        if self.key.usage == usage {
            return Ok(());
        }
        Err(Error::InvalidKeyUsageException(format!(
            "{} key usage is {} which is not valid for {operation}.",
            self.arn, self.key.usage
        )))
    }

    /// Refuses an algorithm that is not one of the key's.
    pub(crate) fn check_algorithm<T: PartialEq>(
        &self,
        wanted: &T,
        name: &str,
        known: Option<Vec<T>>,
    ) -> Result<(), Error> {
        if known.is_some_and(|known| known.contains(wanted)) {
            return Ok(());
        }
        Err(Error::InvalidKeyUsageException(format!(
            "Algorithm {name} is incompatible with key spec {}.",
            self.key.spec
        )))
    }

    /// The id of the material that encrypts and signs, and the material.
    pub(crate) fn secret(&self, tx: &impl Tx) -> Result<(String, store::Secret), Error> {
        let id = self.key.material.clone().unwrap_or_default();
        match store::secret(tx, &self.at, &id)? {
            Some(secret) => Ok((id, secret)),
            None => {
                Err(Error::KMSInvalidStateException(format!("{} is pending import.", self.arn)))
            }
        }
    }

    /// The public half of a pair, as DER.
    pub(crate) fn public(&self, tx: &impl Tx) -> Result<Vec<u8>, Error> {
        let id = self.key.material.clone().unwrap_or_default();
        let material = store::MATERIALS.get(tx, &store::material_key(&self.at, &id))?;
        let public = material.and_then(|material| material.public);
        public.ok_or_else(|| fogbank_core::Fault::internal("the public key is missing").into())
    }
}

/// The state of a key as `DescribeKey` shows it.
pub(crate) fn state(key: &Key) -> &'static str {
    match key.deletion {
        Some(deletion) if deletion.at_millis.is_none() => "PendingReplicaDeletion",
        Some(_) => "PendingDeletion",
        None if key.material.is_none() || key.lacks_material => "PendingImport",
        None if key.enabled => "Enabled",
        None => "Disabled",
    }
}

/// Ends a call that was only to be tried.
pub(crate) fn end_dry_run(dry_run: Option<bool>) -> Result<(), Error> {
    match dry_run {
        Some(true) => Err(Error::DryRunOperationException),
        _ => Ok(()),
    }
}

/// A page of a list that is sorted by its texts, and the marker of the next page.
pub(crate) fn page_of<T>(
    mut list: Vec<(String, T)>,
    marker: Option<&str>,
    limit: Option<i32>,
    default: usize,
) -> Result<(Vec<T>, Option<String>), Error> {
    if let Some(last) = after(marker)? {
        list.retain(|(key, _)| *key > last);
    }
    let limit = limit.map_or(default, |limit| usize::try_from(limit).unwrap_or(1));
    let more = list.len() > limit;
    list.truncate(limit);
    let next = list.last().filter(|_| more).map(|(key, _)| page::text_token(key));
    Ok((list.into_iter().map(|(_, item)| item).collect(), next))
}

/// What a marker says was the last of the page before.
pub(crate) fn after(marker: Option<&str>) -> Result<Option<String>, Error> {
    let parsed = marker.map(|marker| {
        let invalid = || Error::InvalidMarkerException("The marker is not valid.".to_owned());
        page::parse_text(marker).ok_or_else(invalid)
    });
    parsed.transpose()
}

/// The key that `text` names by its id or ARN, in whichever account.
pub(crate) fn own_or_foreign(tx: &impl Tx, text: &str) -> Result<Found, Error> {
    if text.starts_with("alias/") || text.contains(":alias/") {
        return Err(Error::no_key_id(text));
    }
    any(tx, text)
}
