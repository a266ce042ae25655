//! Effects as rows: what a transaction causes happens after it is durable, and only then.
//!
//! An effect is written by [`crate::WriteTx::emit`]; the pump in the `tasks` crate performs it, at
//! least once, and repeats it as its [`Retry`] says. [`mod@lanes`] says how effects lie in the store.

pub mod lanes;
mod service_events;

use fogbank_store::{Error, row};
use serde::{Deserialize, Serialize};

pub use self::service_events::ServiceEvent;
use crate::{Fault, Principal, Tx, WriteTx};

/// The topic that wakes the pump.
pub const TOPIC: &str = "core.outbox";

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
    /// What it needs to succeed: effects of one lane do not hold up those of another. Empty: the target.
    pub lane: String,
}

row!(Effect, 2, read_older);

/// An effect before there were lanes.
#[derive(Deserialize)]
struct Effect1 {
    target: String,
    is_job: bool,
    input: String,
    principal: Principal,
    account: String,
    region: String,
    source: Option<(String, String)>,
    retry: Retry,
    otherwise: Option<Box<Effect1>>,
    attempts: u32,
    emitted_millis: i64,
    delay_secs: u32,
}

impl From<Effect1> for Effect {
    fn from(old: Effect1) -> Effect {
        Effect {
            target: old.target,
            is_job: old.is_job,
            input: old.input,
            principal: old.principal,
            account: old.account,
            region: old.region,
            source: old.source,
            retry: old.retry,
            otherwise: old.otherwise.map(|otherwise| Box::new(Effect::from(*otherwise))),
            attempts: old.attempts,
            emitted_millis: old.emitted_millis,
            delay_secs: old.delay_secs,
            lane: String::new(),
        }
    }
}

fn read_older(version: u8, bytes: &[u8]) -> Result<Effect, Error> {
    match version {
        1 => fogbank_store::decode_fields::<Effect1>(bytes).map(Effect::from),
        _ => fogbank_store::no_older_version(version, bytes),
    }
}

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
            lane: String::new(),
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

    /// In the lane of what it needs, such as the queue that it sends to or the host that it posts to: what is broken
    /// there, holds up nobody else.
    pub fn in_lane(mut self, lane: &str) -> Effect {
        lane.clone_into(&mut self.lane);
        self
    }

    /// How long it may have to wait before its next try, in milliseconds.
    pub fn pause_millis(&self) -> u64 {
        match self.attempts {
            0 => u64::from(self.delay_secs) * 1000,
            attempts => u64::from(self.retry.pause_after(attempts)),
        }
    }

    /// The lane, by default the target's.
    pub(crate) fn lane(&self) -> &str {
        if self.lane.is_empty() { &self.target } else { &self.lane }
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

    /// Tells a job that is to be tried again how the last try failed, if its input has the member `failure`: the error's
    /// `name` and `message`, and how many `attempts` there were.
    pub fn note_failure(&mut self, fault: &Fault) {
        let input = if self.is_job { self.input().ok() } else { None };
        let Some(mut input) = input.filter(|input| input.get("failure").is_some()) else { return };
        input["failure"] = serde_json::json!({
            "name": fault.name(), "message": fault.message(), "attempts": self.attempts,
        });
        self.input = input.to_string();
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
    lanes::put(tx, due, &effect)?;
    tx.wake(TOPIC);
    Ok(())
}

#[cfg(test)]
mod tests {
    use fogbank_store::Value;

    use super::*;

    fn effect() -> Effect {
        let otherwise = Effect::job("sns:bury", &serde_json::json!({}));
        Effect {
            attempts: 3,
            emitted_millis: 5,
            ..Effect::call("sqs:SendMessage", Principal::service("s3.amazonaws.com"), &1.into())
                .located("1", "r")
                .or_else(otherwise)
        }
    }

    #[test]
    fn jobs_that_want_it_are_told_how_they_failed() {
        let told = serde_json::json!({ "failure": null, "more": 1 });
        let mut effect = Effect { attempts: 2, ..Effect::job("sns:bury", &told) };
        effect.note_failure(&Fault::new("Gone", "it is gone"));
        let expected = serde_json::json!({
            "failure": { "name": "Gone", "message": "it is gone", "attempts": 2 }, "more": 1,
        });
        assert_eq!(effect.input().expect("JSON"), expected);
        let mut other = Effect::job("sns:bury", &serde_json::json!({ "more": 1 }));
        let before = other.clone();
        other.note_failure(&Fault::new("Gone", "it is gone"));
        assert_eq!(other, before);
    }

    fn bytes(hex: &str) -> Vec<u8> {
        let digits = |at: usize| u8::from_str_radix(&hex[at..at + 2], 16).expect("digits");
        (0..hex.len()).step_by(2).map(digits).collect()
    }

    /// What both versions have in common, up to the lane of what happens otherwise.
    const START: &str = "0f7371733a53656e644d657373616765000131041073332e616d617a6f6e6177732e636f6d0010\
        73332e616d617a6f6e6177732e636f6d1073332e616d617a6f6e6177732e636f6d0000013101720064fa01809f4901\
        08736e733a6275727901027b7d0411736e732e616d617a6f6e6177732e636f6d0011736e732e616d617a6f6e617773\
        2e636f6d11736e732e616d617a6f6e6177732e636f6d000000000064fa01809f4900000000";

    #[test]
    fn the_bytes_of_effects_are_read_for_ever() {
        let first = bytes(&format!("01{START}030a00"));
        assert_eq!(Effect::decode(first.into()).expect("a row"), effect());
        let second = bytes(&format!("02{START}00030a00057175657565"));
        let mut written = Vec::new();
        effect().in_lane("queue").encode(&mut written).expect("bytes");
        assert_eq!(written, second);
        assert_eq!(Effect::decode(second.into()).expect("a row"), effect().in_lane("queue"));
        assert!(Effect::decode(vec![3, 0].into()).is_err());
    }
}
