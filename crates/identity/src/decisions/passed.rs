//! Decisions in which no policy took part: what an explanation tells of them, in one piece that is used again.
//!
//! Most calls of a development cloud are the root's. Keeping the whole request of each would cost more than the decision.

use std::sync::Arc;

use fogbank_core::{Principal, PrincipalKind, Timestamp};

use super::Question;

/// How many texts there are.
const TEXTS: usize = 4;

/// A call that was allowed without asking a policy.
#[derive(Clone)]
pub(super) struct Passed {
    /// How many decisions there were before.
    pub(super) order: u64,
    pub(super) now: Timestamp,
    pub(super) service: &'static str,
    pub(super) operation: &'static str,
    /// Why no policy was asked.
    pub(super) why: &'static str,
    principal: Arc<Principal>,
    /// The texts, one after the other, and where each ends.
    texts: String,
    ends: [usize; TEXTS],
}

impl Passed {
    /// Notes a decision in the memory of another one that is not needed any more.
    pub(super) fn note(question: &Question<'_>, why: &'static str, mut texts: String) -> Passed {
        let request = question.request;
        texts.clear();
        let parts: [&str; TEXTS] =
            [&request.id, &request.region, question.action, question.resource];
        texts.reserve(parts.iter().map(|part| part.len()).sum());
        let mut ends = [0; TEXTS];
        for (part, end) in parts.iter().zip(&mut ends) {
            texts.push_str(part);
            *end = texts.len();
        }
        let (service, operation) = (request.service, request.operation);
        let principal = Arc::clone(&request.principal);
        Passed { order: 0, now: request.now, service, operation, why, principal, texts, ends }
    }

    /// Its memory, for the next one.
    pub(super) fn into_texts(self) -> String {
        self.texts
    }

    fn text(&self, index: usize) -> &str {
        let start = index.checked_sub(1).map_or(0, |before| self.ends[before]);
        &self.texts[start..self.ends[index]]
    }

    pub(super) fn request_id(&self) -> &str {
        self.text(0)
    }

    pub(super) fn region(&self) -> &str {
        self.text(1)
    }

    /// The caller's account; empty for services.
    pub(super) fn account(&self) -> &str {
        &self.principal.account
    }

    /// The caller's ARN.
    pub(super) fn caller(&self) -> &str {
        &self.principal.arn
    }

    /// The access key; empty if there was none.
    pub(super) fn access_key_id(&self) -> &str {
        self.principal.access_key_id.as_deref().unwrap_or_default()
    }

    /// The ARN of the role; empty if the caller is none.
    pub(super) fn role(&self) -> &str {
        match &self.principal.kind {
            PrincipalKind::Role { role_arn, .. } => role_arn,
            _ => "",
        }
    }

    pub(super) fn action(&self) -> &str {
        self.text(2)
    }

    pub(super) fn resource(&self) -> &str {
        self.text(3)
    }
}
