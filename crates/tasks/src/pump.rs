//! The pump: performs the outbox's effects when they are due, at least once each.

use std::collections::HashSet;
use std::ops::ControlFlow;
use std::panic::AssertUnwindSafe;
use std::time::Duration;

use fogbank_core::outbox::{self, OUTBOX};
use fogbank_core::{Call, Cloud, Cx, Effect, Fault, Service, Timestamp};
use futures_util::FutureExt;
use tokio::task::{JoinError, JoinSet};

/// How many effects are under way at once.
const AT_ONCE: usize = 64;
/// How long to rest when the store fails, so that nothing is performed over and over meanwhile.
const REST: Duration = Duration::from_secs(1);

type Key = (u64, String);

/// Performs effects for ever; those under way end with it.
pub(crate) async fn run(cloud: Cloud, services: &'static [&'static Service]) {
    let mut performances: JoinSet<Key> = JoinSet::new();
    let mut under_way: HashSet<Key> = HashSet::new();
    loop {
        let woken = cloud.wakes().waiter(outbox::TOPIC);
        let due = match next_due(&cloud, &under_way) {
            Ok(due) => due,
            Err(error) => {
                tracing::error!(%error, "the outbox cannot be read");
                cloud.clock().sleep(REST).await;
                continue;
            }
        };
        for (key, effect) in due.now {
            under_way.insert(key.clone());
            let performance = Performance { cloud: cloud.clone(), services };
            performances.spawn(async move {
                performance.perform(&key, effect).await;
                key
            });
        }
        let later = due.later.unwrap_or_else(|| cloud.clock().now().plus_secs(3600));
        tokio::select! {
            biased;
            Some(done) = performances.join_next() => {
                settle(&mut under_way, done);
                while let Some(done) = performances.try_join_next() {
                    settle(&mut under_way, done);
                }
            }
            () = woken.wait(), if under_way.len() < AT_ONCE => {}
            () = cloud.clock().sleep_until(later), if under_way.len() < AT_ONCE => {}
        }
    }
}

fn settle(under_way: &mut HashSet<Key>, done: Result<Key, JoinError>) {
    match done {
        Ok(key) => {
            under_way.remove(&key);
        }
        Err(error) => tracing::error!(%error, "an effect was lost until the next start"),
    }
}

/// The effects to perform now, and when the next one is due.
struct Due {
    now: Vec<(Key, Effect)>,
    later: Option<Timestamp>,
}

fn next_due(cloud: &Cloud, under_way: &HashSet<Key>) -> Result<Due, fogbank_core::store::Error> {
    let now = cloud.clock().now().millis().max(0).unsigned_abs();
    let mut due = Due { now: Vec::new(), later: None };
    let room = AT_ONCE.saturating_sub(under_way.len());
    cloud.db().read(|rows| {
        OUTBOX.scan(rows, &(), |key: Key, effect: Effect| {
            if key.0 > now {
                due.later = Some(Timestamp::from_millis(key.0 as i64));
                return ControlFlow::Break(());
            }
            if due.now.len() >= room {
                return ControlFlow::Break(());
            }
            if !under_way.contains(&key) {
                due.now.push((key, effect));
            }
            ControlFlow::Continue(())
        })
    })?;
    Ok(due)
}

struct Performance {
    cloud: Cloud,
    services: &'static [&'static Service],
}

impl Performance {
    /// Performs `effect` and takes it out of the outbox, or puts it back for later.
    async fn perform(&self, key: &Key, mut effect: Effect) {
        // A panic is the end of this try, not of the effect.
        let attempt = AssertUnwindSafe(self.attempt(&effect)).catch_unwind();
        let outcome =
            attempt.await.unwrap_or_else(|_| Err(Fault::internal("the effect's work panicked")));
        let cx = Cx::background(self.cloud.clone(), "core", "outbox")
            .located(&effect.account, &effect.region);
        effect.attempts += 1;
        let next = match outcome {
            Ok(()) => None,
            Err(fault) => self.after_failure(effect, &fault),
        };
        let settled = cx
            .write(|tx| {
                OUTBOX.delete(tx, key)?;
                if let Some((due, effect)) = &next {
                    outbox::put(tx, *due, effect)?;
                }
                Ok::<_, fogbank_core::store::Error>(())
            })
            .await;
        if let Err(error) = settled {
            // It stays in the outbox and is performed again: at least once.
            tracing::error!(%error, "the outbox cannot be written");
            self.cloud.clock().sleep(REST).await;
        }
    }

    async fn attempt(&self, effect: &Effect) -> Result<(), Fault> {
        let input = effect.input()?;
        if effect.is_job {
            return self.job(effect, input).await;
        }
        let call = Call {
            action: effect.target.clone(),
            principal: effect.principal.clone(),
            region: effect.region.clone(),
            account: effect.account.clone(),
            input,
            body: fogbank_core::Body::empty(),
            source: effect.source.clone(),
            via: None,
        };
        self.cloud.call(call).await.map(|_| ())
    }

    async fn job(&self, effect: &Effect, input: serde_json::Value) -> Result<(), Fault> {
        let (service, name) = effect.target.split_once(':').unwrap_or_default();
        let found =
            self.services.iter().find(|candidate| candidate.model.name == service).and_then(
                |found| found.jobs.iter().find(|job| job.name == name).map(|job| (found, job)),
            );
        let Some((service, job)) = found else {
            return Err(Fault::internal(format!("there is no job {}", effect.target)));
        };
        let cx = Cx::background(self.cloud.clone(), service.model.name, job.name)
            .located(&effect.account, &effect.region);
        (job.run)(cx, input).await
    }

    fn after_failure(&self, effect: Effect, fault: &Fault) -> Option<(Timestamp, Effect)> {
        let now = self.cloud.clock().now();
        let target = &effect.target;
        if effect.attempts < effect.retry.attempts {
            tracing::debug!(%target, attempts = effect.attempts, ?fault, "an effect is tried again");
            let pause = effect.retry.pause_after(effect.attempts);
            return Some((now.plus_millis(i64::from(pause)), effect));
        }
        tracing::warn!(%target, attempts = effect.attempts, ?fault, "an effect failed for good");
        let Effect { otherwise, account, region, .. } = effect;
        otherwise.map(|otherwise| {
            let mut otherwise = *otherwise;
            if otherwise.account.is_empty() {
                otherwise.account = account;
            }
            if otherwise.region.is_empty() {
                otherwise.region = region;
            }
            otherwise.emitted_millis = now.millis();
            (now, otherwise)
        })
    }
}
