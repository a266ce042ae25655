//! Compiled patterns by their text, for every event asks those of all rules.

use std::collections::HashMap;
use std::sync::Arc;

use fogbank_core::Cloud;
use fogbank_core::tracing;
use parking_lot::Mutex;

use crate::rules::pattern::Pattern;

/// How many are kept.
const CACHED: usize = 4096;

#[derive(Default)]
struct Compiled(Mutex<HashMap<String, Arc<Pattern>>>);

/// The pattern of a text; else what is wrong with it.
pub(crate) fn get(cloud: &Cloud, text: &str) -> Result<Arc<Pattern>, String> {
    let compiled = cloud.state(Compiled::default);
    if let Some(pattern) = compiled.0.lock().get(text) {
        return Ok(Arc::clone(pattern));
    }
    let pattern = Arc::new(Pattern::parse(text)?);
    let mut known = compiled.0.lock();
    if known.len() >= CACHED {
        known.clear();
    }
    known.insert(text.to_owned(), Arc::clone(&pattern));
    Ok(pattern)
}

/// The pattern of a text that was checked when it was stored.
pub(crate) fn stored(cloud: &Cloud, text: &str) -> Option<Arc<Pattern>> {
    match get(cloud, text) {
        Ok(pattern) => Some(pattern),
        Err(reason) => {
            tracing::error!(%reason, "a pattern that was stored is not valid");
            None
        }
    }
}
