//! Counters of every operation, and their Prometheus text.

use std::fmt::Write;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use fogbank_core::store::Apart;

use crate::admin::{self, Admin};
use crate::catalogue::Catalogue;

/// Calls of one operation by outcome, and the time they took: counted by each thread, and nothing before the first.
#[derive(Debug, Default)]
pub(crate) struct Counters(OnceLock<Apart<Counts>>);

#[derive(Debug, Default)]
struct Counts {
    succeeded: AtomicU64,
    refused: AtomicU64,
    failed: AtomicU64,
    micros: AtomicU64,
}

impl Counters {
    pub(crate) fn count(&self, status: u16, took: Duration) {
        let counts = self.0.get_or_init(Apart::default).own();
        let outcome = match status {
            0..400 => &counts.succeeded,
            400..500 => &counts.refused,
            _ => &counts.failed,
        };
        outcome.fetch_add(1, Ordering::Relaxed);
        let micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        counts.micros.fetch_add(micros, Ordering::Relaxed);
    }

    fn sum(&self, of: impl Fn(&Counts) -> &AtomicU64) -> u64 {
        let counts = self.0.get().into_iter().flat_map(Apart::iter);
        counts.map(|counts| of(counts).load(Ordering::Relaxed)).sum()
    }

    fn outcomes(&self) -> [(&'static str, u64); 3] {
        [
            ("success", self.sum(|counts| &counts.succeeded)),
            ("client_error", self.sum(|counts| &counts.refused)),
            ("server_error", self.sum(|counts| &counts.failed)),
        ]
    }
}

/// The counters of all operations that were called, in Prometheus' text format.
pub(crate) fn render(catalogue: &Catalogue, admin: &[Admin]) -> String {
    let mut text = String::from(
        "# HELP fogbank_requests_total API calls by service, operation and outcome.\n\
         # TYPE fogbank_requests_total counter\n",
    );
    let mut seconds = String::from(
        "# HELP fogbank_request_seconds_total Seconds spent on API calls.\n\
         # TYPE fogbank_request_seconds_total counter\n",
    );
    let of_services = catalogue.services().flat_map(|entry| {
        let service = entry.service.model.name;
        entry.operations().map(move |known| (service, known.op.model.name, &known.counters))
    });
    let own = admin.iter().map(|own| (admin::SERVICE, own.route.action, &own.counters));
    for (service, operation, counters) in of_services.chain(own) {
        let outcomes = counters.outcomes();
        if outcomes.iter().all(|(_, count)| *count == 0) {
            continue;
        }
        for (outcome, count) in outcomes {
            let _ = writeln!(
                text,
                "fogbank_requests_total{{service=\"{service}\",operation=\"{operation}\",\
                 outcome=\"{outcome}\"}} {count}"
            );
        }
        let took = counters.sum(|counts| &counts.micros) as f64 / 1e6;
        let _ = writeln!(
            seconds,
            "fogbank_request_seconds_total{{service=\"{service}\",operation=\"{operation}\"}} \
             {took}"
        );
    }
    text + &seconds
}
