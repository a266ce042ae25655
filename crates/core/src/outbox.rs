//! Effects as rows: what a transaction causes happens after it is durable, and only then.
//!
//! An effect is written by [`crate::WriteTx::emit`]; the pump in the `tasks` crate performs it, at
//! least once, and repeats it as its [`Retry`] says.

use fogbank_store::{Error, Table, row};
use serde::{Deserialize, Serialize};

use crate::{Fault, Principal, Timestamp, Tx, WriteTx};

/// The topic that wakes the pump.
pub const TOPIC: &str = "core.outbox";

/// The outbox: effects by the time at which they are due.
pub static OUTBOX: Table<(u64, String), Effect> = Table::new("core.outbox", 0x0010);

/// Something to do after a commit: a call of another service, or a job of the service itself.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Effect {
    /// The call's `service:Operation`, or the job's `service:job-name`.
    pub target: String,
    /// Whether the target is a job.
    pub is_job: bool,
    /// The input as JSON text.
    pub input: String,
    /// Who calls; a job runs as its service.
    pub principal: Principal,
    /// The account in which it runs; empty: that of the transaction.
    pub account: String,
    /// The region in which it runs; empty: that of the transaction.
    pub region: String,
    /// The ARN and account of the resource on whose behalf a service calls.
    pub source: Option<(String, String)>,
    /// How often it is tried.
    pub retry: Retry,
    /// What happens instead when it was tried often enough.
    pub otherwise: Option<Box<Effect>>,
    /// How often it was tried.
    pub attempts: u32,
    /// When it was emitted, in milliseconds since 1970.
    pub emitted_millis: i64,
    /// How long to wait before the first try, in seconds.
    pub delay_secs: u32,
}

row!(Effect, 1);

/// How often an effect is tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Retry {
    /// The number of tries.
    pub attempts: u32,
    /// The pause after the first failure, in milliseconds; it doubles each time.
    pub pause_millis: u32,
    /// The longest pause, in milliseconds.
    pub longest_pause_millis: u32,
}

impl Retry {
    /// Many tries over about a day: deliveries between our own services.
    pub const PATIENT: Retry =
        Retry { attempts: 100, pause_millis: 250, longest_pause_millis: 20 * 60 * 1000 };

    /// A few tries within seconds.
    pub const BRIEF: Retry = Retry { attempts: 4, pause_millis: 500, longest_pause_millis: 20_000 };

    /// The pause after `attempts` failures, in milliseconds.
    pub fn pause_after(&self, attempts: u32) -> u32 {
        let doubled = self.pause_millis.checked_shl(attempts.saturating_sub(1).min(20));
        doubled.unwrap_or(u32::MAX).clamp(self.pause_millis, self.longest_pause_millis)
    }
}

impl Effect {
    /// A call of `service:Operation` by `principal`.
    pub fn call(target: &str, principal: Principal, input: &serde_json::Value) -> Effect {
        Effect {
            target: target.to_owned(),
            is_job: false,
            input: input.to_string(),
            principal,
            account: String::new(),
            region: String::new(),
            source: None,
            retry: Retry::PATIENT,
            otherwise: None,
            attempts: 0,
            emitted_millis: 0,
            delay_secs: 0,
        }
    }

    /// A job `service:job-name` of the service's own.
    pub fn job(target: &str, input: &serde_json::Value) -> Effect {
        let service = target.split(':').next().unwrap_or_default();
        let principal = Principal::service(&format!("{service}.amazonaws.com"));
        Effect { is_job: true, ..Effect::call(target, principal, input) }
    }

    /// On behalf of the resource with this ARN and account.
    pub fn on_behalf_of(mut self, arn: &str, account: &str) -> Effect {
        self.source = Some((arn.to_owned(), account.to_owned()));
        self
    }

    /// In another account and region than the transaction's.
    pub fn located(mut self, account: &str, region: &str) -> Effect {
        account.clone_into(&mut self.account);
        region.clone_into(&mut self.region);
        self
    }

    /// Tried as `retry` says.
    pub fn retried(mut self, retry: Retry) -> Effect {
        self.retry = retry;
        self
    }

    /// Not before `secs` seconds have passed.
    pub fn delayed(mut self, secs: u32) -> Effect {
        self.delay_secs = secs;
        self
    }

    /// What happens instead when it was tried often enough.
    pub fn or_else(mut self, otherwise: Effect) -> Effect {
        self.otherwise = Some(Box::new(otherwise));
        self
    }

    /// The input.
    pub fn input(&self) -> Result<serde_json::Value, Fault> {
        serde_json::from_str(&self.input).map_err(Fault::internal)
    }
}

/// Writes `effect` into the outbox and wakes the pump once the transaction is durable.
pub(crate) fn emit(tx: &mut WriteTx<'_>, mut effect: Effect) -> Result<(), Error> {
    let now = tx.now();
    if effect.account.is_empty() {
        tx.account().clone_into(&mut effect.account);
    }
    if effect.region.is_empty() {
        tx.region().clone_into(&mut effect.region);
    }
    effect.emitted_millis = now.millis();
    let due = now.plus_secs(i64::from(effect.delay_secs));
    put(tx, due, &effect)?;
    tx.wake(TOPIC);
    Ok(())
}

/// Puts `effect` into the outbox, due at `due`.
pub fn put(tx: &mut WriteTx<'_>, due: Timestamp, effect: &Effect) -> Result<(), Error> {
    let key = (due.millis().max(0).unsigned_abs(), tx.ids().hex(24));
    OUTBOX.put(tx, &key, effect)
}
