//! Configurations of which a bucket has several, each under its id: analytics, inventories, metrics, tiering.

use fogbank_core::wire::Struct;
use fogbank_core::{Fault, ReadTx, Tx, WriteTx, page};

use crate::documents;
use crate::error::Error;
use crate::store::{self, Bucket, DOCUMENTS};

/// How many configurations of a kind a bucket may have.
const MAX_CONFIGURATIONS: usize = 1000;
/// How many a page of a list has.
const PAGE: usize = 100;
/// The longest id.
const MAX_ID_BYTES: usize = 64;

/// A kind of configurations: how their documents are called.
#[derive(Clone, Copy)]
pub(crate) struct Kind(pub(crate) &'static str);

/// A configuration of which an operation speaks.
pub(crate) struct Named<'a> {
    pub(crate) bucket: &'a str,
    pub(crate) id: &'a str,
    pub(crate) expected_owner: Option<&'a str>,
}

/// Names the configuration of an input.
macro_rules! named {
    ($input:expr) => {
        $crate::identified::Named {
            bucket: &$input.bucket,
            id: &$input.id,
            expected_owner: $input.expected_bucket_owner.as_deref(),
        }
    };
}
pub(crate) use named;

impl Named<'_> {
    /// The bucket.
    pub(crate) fn bucket_row(&self, tx: &(impl Tx + ?Sized)) -> Result<Bucket, Error> {
        store::expected_bucket(tx, self.bucket, self.expected_owner)
    }
}

/// Refuses ids that no configuration could have.
fn check_id(id: &str) -> Result<(), Error> {
    let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    if (1..=MAX_ID_BYTES).contains(&id.len()) && id.bytes().all(is_allowed) {
        return Ok(());
    }
    Err(Error::InvalidConfigurationId)
}

fn no_such() -> Error {
    let message = "The specified configuration does not exist.";
    Error::Fault(Fault::new("NoSuchConfiguration", message))
}

/// Keeps a configuration, in place of the one with its id.
pub(crate) fn put(
    tx: &mut WriteTx<'_>,
    kind: Kind,
    named: &Named<'_>,
    configuration: &dyn Struct,
) -> Result<(), Error> {
    check_id(named.id)?;
    if !DOCUMENTS.contains(tx, &(named.bucket, kind.0, named.id))? {
        let range = DOCUMENTS.range(&(named.bucket, kind.0)).limit(MAX_CONFIGURATIONS);
        if range.keys(tx)?.len() >= MAX_CONFIGURATIONS {
            return Err(Error::TooManyConfigurations);
        }
    }
    documents::put(tx, named.bucket, kind.0, named.id, configuration)
}

/// The configuration with an id.
pub(crate) fn get<T: Struct + Default>(
    tx: &ReadTx<'_>,
    kind: Kind,
    named: &Named<'_>,
) -> Result<T, Error> {
    named.bucket_row(tx)?;
    documents::get(tx, named.bucket, kind.0, named.id)?.ok_or_else(no_such)
}

/// Removes the configuration with an id.
pub(crate) fn delete(tx: &mut WriteTx<'_>, kind: Kind, named: &Named<'_>) -> Result<(), Error> {
    named.bucket_row(tx)?;
    if !DOCUMENTS.contains(tx, &(named.bucket, kind.0, named.id))? {
        return Err(no_such());
    }
    documents::delete(tx, named.bucket, kind.0, named.id)
}

/// A page of configurations, and the token of the next one.
pub(crate) struct Page<T> {
    pub(crate) configurations: Vec<T>,
    pub(crate) next: Option<String>,
}

/// The configurations of a bucket by their ids, beginning where a token says.
pub(crate) fn list<T: Struct + Default>(
    tx: &ReadTx<'_>,
    kind: Kind,
    (bucket, expected_owner): (&str, Option<&str>),
    token: Option<&str>,
) -> Result<Page<T>, Error> {
    store::expected_shared_bucket(tx, bucket, expected_owner)?;
    let after = match token {
        None => None,
        Some(token) => Some(page::parse_text(token).ok_or_else(|| {
            let message = "The continuation token provided is incorrect";
            Error::argument("continuation-token", token, message)
        })?),
    };
    let mut range = DOCUMENTS.range(&(bucket, kind.0)).limit(PAGE + 1);
    if let Some(after) = &after {
        range = range.after(&(bucket, kind.0, &**after));
    }
    let mut rows = range.list(tx)?;
    let is_last = rows.len() <= PAGE;
    rows.truncate(PAGE);
    let next = if is_last { None } else { rows.last().map(|((_, _, id), _)| page::text_token(id)) };
    let configurations =
        rows.iter().map(|(_, text)| documents::read(text)).collect::<Result<_, _>>()?;
    Ok(Page { configurations, next })
}
