//! Compiled policies, so that each text is compiled once.

use std::collections::HashMap;
use std::sync::Arc;

use fogbank_core::Fault;
use fogbank_core::policy::{Document, Kind};
use parking_lot::RwLock;

/// How many texts are remembered. When there are more, all are forgotten and compiled anew at their next use.
const CAPACITY: usize = 4096;

/// Compiled policies by their texts.
#[derive(Default)]
pub(crate) struct Documents {
    policies: RwLock<HashMap<Box<str>, Arc<Document>>>,
    trusts: RwLock<HashMap<Box<str>, Arc<Document>>>,
    resource_controls: RwLock<HashMap<Box<str>, Arc<Document>>>,
}

impl Documents {
    /// Compiles a policy that was accepted before. A session's, a boundary's, an identity's and a service control policy
    /// compile to the same.
    pub(crate) fn policy(&self, text: &str) -> Result<Arc<Document>, Fault> {
        find(&self.policies, text, Kind::Identity)
    }

    /// Compiles a trust policy that was accepted before.
    pub(crate) fn trust(&self, text: &str) -> Result<Arc<Document>, Fault> {
        find(&self.trusts, text, Kind::Trust)
    }

    /// Compiles a resource control policy that was accepted before.
    pub(crate) fn resource_control(&self, text: &str) -> Result<Arc<Document>, Fault> {
        find(&self.resource_controls, text, Kind::ResourceControl)
    }
}

fn find(
    known: &RwLock<HashMap<Box<str>, Arc<Document>>>,
    text: &str,
    kind: Kind,
) -> Result<Arc<Document>, Fault> {
    if let Some(document) = known.read().get(text) {
        return Ok(document.clone());
    }
    // It was checked when it was written: whatever is wrong now is our fault, and nothing is allowed.
    let parsed = Document::parse(text, kind);
    let document = Arc::new(parsed.map_err(|error| {
        Fault::internal(format!("a stored policy can no longer be read: {error}"))
    })?);
    let mut known = known.write();
    if known.len() >= CAPACITY {
        known.clear();
    }
    known.insert(text.into(), document.clone());
    Ok(document)
}
