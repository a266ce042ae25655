//! What is kept of decisions, so that they can be explained.
//!
//! The last allowed and the last refused ones are kept in memory with what they were made of, shared with whoever else
//! uses it: words are made only when somebody asks. Those in which no policy took part are kept as little more than
//! their names. Refusals are also written down as explanations, from time to time,
//! in rows that the newest take from the oldest; a process that is killed loses those of the last seconds.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use fogbank_core::policy::ResourcePolicyMode;
use fogbank_core::store::{self, Apart, Read, Table, row};
use fogbank_core::{Cx, Fault, Request, ResourcePolicy};
use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::facts::Found;
use super::passed::Passed;
use super::{Facts, Keys, Outcome, Question, Standing, encoded, explained};
use crate::target::Target;

/// The last refusals by their numbers modulo [`ROWS`].
pub static DENIALS: Table<u64, Denial> = Table::new("iam.denials", 0x01e0);

/// How many refusals are written down.
const ROWS: u64 = 1024;
/// How many refusals are written at once; when there are more, the oldest of them are not.
const AT_ONCE: usize = 256;
/// How many decisions of each kind are kept in memory unless the operator says otherwise.
pub(crate) const CAPACITY: usize = 1024;

/// A refusal that was written down.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Denial {
    /// Counts all refusals that were written.
    pub number: u64,
    /// The request.
    pub request_id: String,
    /// The caller's account; empty for services and those who do not sign.
    pub account: String,
    /// When it was, in seconds since 1970.
    pub secs: i64,
    /// The explanation, as JSON.
    pub explanation: String,
}

row!(Denial, 1);

/// A decision with what it was made of.
pub(crate) struct Decided {
    /// How many decisions there were before.
    order: u64,
    pub(super) request: Arc<Request>,
    pub(super) action: Box<str>,
    pub(super) resource: Box<str>,
    keys: Box<Keys>,
    policy: Option<ResourcePolicy>,
    target: Option<Target>,
    pub(super) standing: Standing,
    found: Found,
    pub(super) outcome: Outcome,
}

impl Decided {
    fn of(question: &Question<'_>, standing: Standing, found: Found, outcome: Outcome) -> Decided {
        let request = question.shared.cloned();
        Decided {
            order: 0,
            request: request.unwrap_or_else(|| Arc::new(question.request.clone())),
            action: question.action.into(),
            resource: question.resource.into(),
            keys: question.keys.into(),
            policy: question.policy.cloned(),
            target: question.target.cloned(),
            standing,
            found,
            outcome,
        }
    }

    /// The question as it was asked, and its facts as they were.
    pub(super) fn with_question<R>(&self, run: impl FnOnce(&Question<'_>, &Facts<'_>) -> R) -> R {
        let question = Question {
            request: &self.request,
            shared: None,
            action: &self.action,
            resource: &self.resource,
            keys: &self.keys,
            policy: self.policy.as_ref(),
            resource_tags: None,
            target: self.target.as_ref(),
        };
        let facts = Facts::new(&question, &self.standing, None, self.found.clone());
        run(&question, &facts)
    }

    /// Whether it is about a role's trust policy.
    pub(super) fn is_of_trust(&self) -> bool {
        self.policy.as_ref().is_some_and(|policy| policy.mode == ResourcePolicyMode::Trust)
    }

    pub(super) fn is_refusal(&self) -> bool {
        matches!(self.outcome, Outcome::Denied | Outcome::Warned)
    }
}

/// The decisions that are kept.
pub struct KeptDecisions {
    capacity: AtomicUsize,
    counts: Counts,
    /// The allowed ones, of which there are many: each thread keeps its own.
    allowed: Apart<Mutex<VecDeque<Allowed>>>,
    refused: Mutex<Refused>,
}

/// How many decisions there were. In lines of the processor's cache in which nothing else is.
#[derive(Default)]
#[repr(align(128))]
struct Counts {
    all: AtomicU64,
    allowed: AtomicU64,
}

impl Default for KeptDecisions {
    fn default() -> KeptDecisions {
        KeptDecisions {
            capacity: AtomicUsize::new(CAPACITY),
            counts: Counts::default(),
            allowed: Apart::default(),
            refused: Mutex::default(),
        }
    }
}

/// A decision, as much of it as its explanation needs.
enum Kept {
    /// Policies decided.
    Decided(Arc<Decided>),
    /// No policy was asked.
    Passed(Passed),
}

impl Kept {
    fn explain(&self) -> Value {
        match self {
            Kept::Decided(decided) => explained::explain(decided),
            Kept::Passed(passed) => explained::explain_passed(passed),
        }
    }

    fn account(&self) -> &str {
        match self {
            Kept::Decided(decided) => &decided.request.principal.account,
            Kept::Passed(passed) => passed.account(),
        }
    }
}

/// An allowed decision.
struct Allowed {
    /// How many allowed ones there were before.
    number: u64,
    kept: Kept,
}

#[derive(Default)]
struct Refused {
    kept: VecDeque<Arc<Decided>>,
    /// How many of the refused, the newest ones, are not written yet.
    unwritten: usize,
    /// The number of the next refusal that is written, once it is known.
    next: Option<u64>,
}

impl KeptDecisions {
    /// Keeps at most so many decisions of each kind in memory.
    pub(crate) fn set_capacity(&self, capacity: usize) {
        self.capacity.store(capacity, Ordering::Relaxed);
    }

    pub(super) fn keep(
        &self,
        question: &Question<'_>,
        standing: Standing,
        found: Found,
        outcome: Outcome,
    ) {
        let capacity = self.capacity.load(Ordering::Relaxed);
        if capacity == 0 {
            return;
        }
        let mut decided = Decided::of(question, standing, found, outcome);
        decided.order = self.counts.all.fetch_add(1, Ordering::Relaxed);
        if !decided.is_refusal() {
            return self.push(capacity, |_| Kept::Decided(Arc::new(decided)));
        }
        let mut refused = self.refused.lock();
        refused.unwritten = (refused.unwritten + 1).min(capacity);
        let oldest = if refused.kept.len() >= capacity { refused.kept.pop_front() } else { None };
        refused.kept.push_back(Arc::new(decided));
        drop(refused);
        // What it was made of may be freed here, which nobody need wait for.
        drop(oldest);
    }

    /// Adds an allowed decision, which is made of the oldest one that goes for it.
    fn push(&self, capacity: usize, make: impl FnOnce(Option<Kept>) -> Kept) {
        let number = self.counts.allowed.fetch_add(1, Ordering::Relaxed);
        let mut ring = self.allowed.own().lock();
        let mut oldest = None;
        // Two at a time, so that what was kept when fewer threads were at work goes by and by.
        for _ in 0..2 {
            if ring.front().is_some_and(|first| first.number + capacity as u64 <= number) {
                oldest = ring.pop_front().or(oldest);
            }
        }
        let kept = make(oldest.map(|oldest| oldest.kept));
        ring.push_back(Allowed { number, kept });
    }

    /// Keeps that no policy was asked, and why.
    pub(crate) fn keep_open(&self, question: &Question<'_>, why: &'static str) {
        let capacity = self.capacity.load(Ordering::Relaxed);
        if capacity == 0 {
            return;
        }
        let order = self.counts.all.fetch_add(1, Ordering::Relaxed);
        self.push(capacity, |oldest| {
            let texts = match oldest {
                Some(Kept::Passed(oldest)) => oldest.into_texts(),
                _ => String::new(),
            };
            let mut passed = Passed::note(question, why, texts);
            passed.order = order;
            Kept::Passed(passed)
        });
    }

    /// The explanations of all decisions over a request, in their order.
    pub fn explain(&self, rows: &dyn Read, request_id: &str) -> Result<Vec<Value>, Fault> {
        let kept = self.of_request(request_id);
        if !kept.is_empty() {
            return Ok(kept.iter().map(|(_, decision)| decision.explain()).collect());
        }
        let mut written = written(rows)?;
        written.retain(|denial| denial.request_id == request_id);
        Ok(written.iter().map(read).collect())
    }

    /// What is kept of a request, in the order of the decisions.
    fn of_request(&self, request_id: &str) -> Vec<(u64, Kept)> {
        let mut found = Vec::new();
        let capacity = self.capacity.load(Ordering::Relaxed) as u64;
        for ring in self.allowed.iter() {
            let ring = ring.lock();
            let count = self.counts.allowed.load(Ordering::Relaxed);
            let is_kept = |allowed: &&Allowed| allowed.number + capacity >= count;
            for allowed in ring.iter().filter(is_kept) {
                match &allowed.kept {
                    Kept::Decided(decided) if decided.request.id == request_id => {
                        found.push((decided.order, Kept::Decided(decided.clone())));
                    }
                    Kept::Passed(passed) if passed.request_id() == request_id => {
                        found.push((passed.order, Kept::Passed(passed.clone())));
                    }
                    _ => {}
                }
            }
        }
        let refused = self.refused.lock();
        let refused = refused.kept.iter().filter(|decided| decided.request.id == request_id);
        found.extend(refused.map(|decided| (decided.order, Kept::Decided(decided.clone()))));
        found.sort_by_key(|(order, _)| *order);
        found
    }

    /// The last refusal of a request in the form of AWS's authorization messages, to be encoded.
    pub fn authorization_message(&self, request_id: &str) -> Option<Value> {
        let found = {
            let refused = self.refused.lock();
            refused.kept.iter().rev().find(|decided| decided.request.id == request_id).cloned()
        };
        found.map(|decided| encoded::message(&decided))
    }

    /// The refusals since `since_secs`, the newest first: at most `limit`, of a principal or of all.
    pub fn refusals(
        &self,
        rows: &dyn Read,
        principal: Option<&str>,
        since_secs: i64,
        limit: usize,
    ) -> Result<Vec<Value>, Fault> {
        let kept: Vec<Arc<Decided>> = self.refused.lock().kept.iter().rev().cloned().collect();
        let is_meant = |value: &Value| {
            let caller = &value["caller"];
            principal.is_none_or(|arn| caller["arn"] == arn || caller["role"] == arn)
        };
        let recent = kept.iter().filter(|decided| decided.request.now.secs() >= since_secs);
        let mut found: Vec<Value> = recent
            .map(|decided| explained::explain(decided))
            .filter(is_meant)
            .take(limit)
            .collect();
        let mut older = written(rows)?;
        let is_kept = |denial: &Denial| kept.iter().any(|it| it.request.id == denial.request_id);
        older.retain(|denial| denial.secs >= since_secs && !is_kept(denial));
        let room = limit - found.len();
        found.extend(older.iter().rev().map(read).filter(is_meant).take(room));
        Ok(found)
    }

    /// Writes down the refusals that are not written yet.
    pub async fn write(&self, cx: &Cx) -> Result<(), Fault> {
        let (pending, next) = {
            let mut refused = self.refused.lock();
            let count = std::mem::take(&mut refused.unwritten).min(AT_ONCE);
            let from = refused.kept.len().saturating_sub(count);
            (refused.kept.range(from..).cloned().collect::<Vec<_>>(), refused.next)
        };
        if pending.is_empty() {
            return Ok(());
        }
        let mut denials: Vec<Denial> = pending.iter().map(|decided| denial(decided)).collect();
        let after = cx
            .write(|tx| {
                let mut number = match next {
                    Some(next) => next,
                    None => written(tx)?.last().map_or(0, |last| last.number + 1),
                };
                for denial in &mut denials {
                    denial.number = number;
                    DENIALS.put(tx, &(number % ROWS), denial)?;
                    number += 1;
                }
                Ok::<_, store::Error>(number)
            })
            .await?;
        self.refused.lock().next = Some(after);
        Ok(())
    }

    /// Forgets the decisions over calls of an account, or of all.
    pub fn forget(&self, account: Option<&str>) {
        let stays = |of: &str| account.is_some_and(|account| of != account);
        for ring in self.allowed.iter() {
            ring.lock().retain(|allowed| stays(allowed.kept.account()));
        }
        let mut refused = self.refused.lock();
        refused.kept.retain(|decided| stays(&decided.request.principal.account));
        refused.unwritten = refused.unwritten.min(refused.kept.len());
        refused.next = None;
    }
}

fn denial(decided: &Decided) -> Denial {
    Denial {
        number: 0,
        request_id: decided.request.id.clone(),
        account: decided.request.principal.account.clone(),
        secs: decided.request.now.secs(),
        explanation: explained::explain(decided).to_string(),
    }
}

/// The refusals that were written, the oldest first.
fn written(rows: &(impl Read + ?Sized)) -> Result<Vec<Denial>, store::Error> {
    let mut written = Vec::new();
    DENIALS.range(&()).visit(rows, |_, denial| {
        written.push(denial);
        std::ops::ControlFlow::Continue(())
    })?;
    written.sort_by_key(|denial| denial.number);
    Ok(written)
}

fn read(denial: &Denial) -> Value {
    serde_json::from_str(&denial.explanation).unwrap_or_default()
}
