//! Policies of resources as parsed documents, for decisions need them with every call.

use std::collections::HashMap;
use std::sync::Arc;

use fogbank_policy::{Document, Kind};
use parking_lot::Mutex;

use crate::Fault;

/// Parsed policies of resources by their text. A service keeps its own as [`Cloud::state`](crate::Cloud::state).
#[derive(Debug)]
pub struct ParsedPolicies {
    capacity: usize,
    known: Mutex<HashMap<String, Arc<Document>>>,
}

impl ParsedPolicies {
    /// Keeps up to `capacity` policies; when there are more, all are forgotten.
    pub fn new(capacity: usize) -> ParsedPolicies {
        ParsedPolicies { capacity, known: Mutex::default() }
    }

    /// The document of a policy that was checked when it was stored.
    pub fn get(&self, text: &str) -> Result<Arc<Document>, Fault> {
        if let Some(document) = self.known.lock().get(text) {
            return Ok(Arc::clone(document));
        }
        let document = Document::parse(text, Kind::Resource).map_err(Fault::internal)?;
        let document = Arc::new(document);
        let mut known = self.known.lock();
        if known.len() >= self.capacity {
            known.clear();
        }
        known.insert(text.to_owned(), Arc::clone(&document));
        Ok(document)
    }
}
