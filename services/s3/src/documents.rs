//! Configurations that are kept as the model has them: documents by their kind and, where a bucket has several, their id.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use fogbank_core::wire::{self, Struct};
use fogbank_core::{Fault, Tx, WriteTx};

use crate::error::Error;
use crate::store::DOCUMENTS;

/// The kinds of documents, as keys have them.
pub(crate) const CORS: &str = "cors";

/// How many buckets' documents of a kind are kept compiled.
const MAX_COMPILED: usize = 1024;

/// What was compiled of buckets' documents, with the text of which it was made.
struct Compiled<R>(Mutex<HashMap<String, (String, Arc<R>)>>);

/// Keeps a document in place of the one before.
pub(crate) fn put(
    tx: &mut WriteTx<'_>,
    bucket: &str,
    kind: &str,
    id: &str,
    document: &dyn Struct,
) -> Result<(), Error> {
    let text = wire::to_json(document).to_string();
    Ok(DOCUMENTS.put(tx, &(bucket, kind, id), &text)?)
}

/// The document of a kind and id, if there is one.
pub(crate) fn get<T: Struct + Default>(
    tx: &(impl Tx + ?Sized),
    bucket: &str,
    kind: &str,
    id: &str,
) -> Result<Option<T>, Error> {
    let text = DOCUMENTS.get(tx, &(bucket, kind, id))?;
    text.map(|text| read(&text)).transpose()
}

/// A document of its text.
pub(crate) fn read<T: Struct + Default>(text: &str) -> Result<T, Error> {
    let value = serde_json::from_str(text).map_err(Fault::internal)?;
    let mut document = T::default();
    wire::from_json(&value, &mut document)
        .map_err(|_| Fault::internal("a configuration cannot be read"))?;
    Ok(document)
}

/// What `compile` makes of a bucket's only document of a kind, which is compiled once after every change. Each kind has a
/// type of its own.
pub(crate) fn compiled<T: Struct + Default, R: Send + Sync + 'static>(
    tx: &(impl Tx + ?Sized),
    bucket: &str,
    kind: &str,
    compile: impl FnOnce(T) -> R,
) -> Result<Option<Arc<R>>, Error> {
    let Some(text) = DOCUMENTS.get(tx, &(bucket, kind, ""))? else { return Ok(None) };
    let cache = tx.cx().state(|| Compiled::<R>(Mutex::default()));
    let mut known = cache.0.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some((of, rules)) = known.get(bucket)
        && *of == text
    {
        return Ok(Some(Arc::clone(rules)));
    }
    let rules = Arc::new(compile(read(&text)?));
    if known.len() >= MAX_COMPILED {
        known.clear();
    }
    known.insert(bucket.to_owned(), (text, Arc::clone(&rules)));
    Ok(Some(rules))
}

/// Removes a document, if it is there.
pub(crate) fn delete(
    tx: &mut WriteTx<'_>,
    bucket: &str,
    kind: &str,
    id: &str,
) -> Result<(), Error> {
    Ok(DOCUMENTS.delete(tx, &(bucket, kind, id))?)
}
