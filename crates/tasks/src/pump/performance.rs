//! One try of one effect.

use std::panic::AssertUnwindSafe;

use fogbank_core::outbox::lanes::{self, EFFECTS, EffectKey};
use fogbank_core::{Call, Cloud, Cx, Effect, Fault, Service, Timestamp};
use futures_util::FutureExt;

use super::REST;

/// What effects are performed with.
pub(super) struct Performance {
    pub(super) cloud: Cloud,
    pub(super) services: &'static [&'static Service],
}

impl Performance {
    /// Performs `effect` and takes it out of its lane, or puts it back for later; returns whether it failed.
    pub(super) async fn perform(&self, key: &EffectKey, mut effect: Effect) -> bool {
        // A panic is the end of this try, not of the effect.
        let attempt = AssertUnwindSafe(self.attempt(&effect)).catch_unwind();
        let outcome =
            attempt.await.unwrap_or_else(|_| Err(Fault::internal("the effect's work panicked")));
        let cx = Cx::background(self.cloud.clone(), "core", "outbox")
            .located(&effect.account, &effect.region);
        effect.attempts += 1;
        let failed = outcome.is_err();
        let next = match outcome {
            Ok(()) => None,
            Err(fault) => self.after_failure(effect, &fault),
        };
        let settled = cx
            .write(|tx| {
                // First, so that the lane is not forgotten in between. Who took it out meanwhile does not want it back.
                if let Some((due, effect)) = &next
                    && EFFECTS.contains(tx, key)?
                {
                    lanes::put(tx, *due, effect)?;
                }
                lanes::remove(tx, key, failed)
            })
            .await;
        if let Err(error) = settled {
            // It stays in the outbox and is performed again: at least once.
            tracing::error!(%error, "the outbox cannot be written");
            self.cloud.clock().rest(REST).await;
        }
        failed
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
            called_via: Vec::new(),
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

    fn after_failure(&self, mut effect: Effect, fault: &Fault) -> Option<(Timestamp, Effect)> {
        let now = self.cloud.clock().now();
        let target = &effect.target;
        if effect.attempts < effect.retry.attempts {
            tracing::debug!(%target, attempts = effect.attempts, ?fault, "an effect is tried again");
            let pause = effect.retry.pause_after(effect.attempts);
            effect.note_failure(fault);
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
