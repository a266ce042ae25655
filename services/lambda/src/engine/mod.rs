//! Running functions: environments, their code, their credentials and their logs.

mod logs;
mod measures;
mod spec;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use fogbank_compute::lambda::{Invocation, InvokeError, Limits, Outcome, Pool};
use fogbank_compute::{Compute, Config, StartError};
use fogbank_core::{Cx, Fault};
use parking_lot::Mutex;

use crate::code::Unpacked;
use crate::concurrency::Running;
use crate::error::{Error, too_many_requests};
use crate::rules::target::Target;
use crate::store::{Function, Version};

pub(crate) use logs::{LOGS, Logs};

/// An environment is used for so long: its credentials live for an hour, and its last invocation for up to 15 minutes.
const MAX_AGE: Duration = Duration::from_secs(40 * 60);
/// By so much the cloud's clock may gain on the machine's during an environment's life.
const LEAD: Duration = Duration::from_secs(5 * 60);
/// So many versions are remembered with the deployment that ran last.
const MAX_DEPLOYMENTS: usize = 4096;

/// Everything that runs functions in this process.
pub(crate) struct Engine {
    pool: Pool,
    pub(crate) running: Arc<Running>,
    pub(crate) unpacked: Unpacked,
    pub(crate) logs: Arc<Logs>,
    /// The pool's key of the deployment that ran last, by function id and version.
    deployments: Mutex<HashMap<(String, u64), String>>,
}

/// What is to be run.
pub(crate) struct Job {
    pub(crate) target: Target,
    pub(crate) function: Function,
    pub(crate) number: u64,
    pub(crate) version: Version,
    pub(crate) invocation: Invocation,
}

/// The process's engine, made when it is first needed.
pub(crate) fn engine(cx: &Cx) -> Arc<Engine> {
    let data_dir = cx.settings().data_dir.clone();
    // The binary puts a configured one into the state before it serves.
    let compute = cx.state(|| {
        Compute::new(Config::new(&data_dir)).expect("the data directory takes the working folder")
    });
    let wakes = cx.wakes().clone();
    let clock = cx.clock().clone();
    cx.state(|| Engine {
        pool: Pool::new((*compute).clone(), Limits { age: MAX_AGE, ..Limits::default() }),
        running: Arc::default(),
        unpacked: Unpacked::open(&data_dir),
        logs: Arc::new(Logs::new(wakes, clock)),
        deployments: Mutex::default(),
    })
}

/// Writes the logs that wait, and ends the environments: no more is run.
pub(crate) async fn stop(cx: Cx) {
    let engine = engine(&cx);
    engine.pool.stop();
    engine.logs.write_all(&cx).await;
}

impl Engine {
    /// Runs a function once, and measures how that went. It runs to its end even if nobody waits for that.
    pub(crate) async fn run(self: &Arc<Self>, cx: &Cx, job: Job) -> Result<Outcome, Error> {
        let sources = measures::sources(&job.target);
        let outcome = self.run_job(cx, job).await;
        measures::record(cx, sources, &outcome);
        outcome
    }

    async fn run_job(self: &Arc<Self>, cx: &Cx, job: Job) -> Result<Outcome, Error> {
        let place = self.running.enter(&job.function)?;
        let key = self.key(cx, &job);
        let Job { target, number, version, invocation, .. } = job;
        let cx = cx.located(&target.account, &target.region);
        let engine = Arc::clone(self);
        let cloud = cx.cloud().clone();
        let running = cloud.spawn(async move {
            let logs = Arc::clone(&engine.logs);
            let spec =
                move || async move { spec::build(&cx, &logs, &target, number, version).await };
            let outcome = engine.pool.invoke(&key, None, spec, invocation).await;
            drop(place);
            engine.logs.flush_soon();
            outcome.map_err(refusal)
        });
        running.await.unwrap_or_else(|error| Err(Error::Fault(Fault::internal(error))))
    }

    /// Ends the environments of a function that was deleted.
    pub(crate) fn forget(&self, function_id: &str) {
        let mut gone = Vec::new();
        self.deployments.lock().retain(|(id, _), key| {
            let stays = id != function_id;
            if !stays {
                gone.push(std::mem::take(key));
            }
            stays
        });
        for key in gone {
            self.pool.retire(&key);
        }
    }

    /// The pool's key of a deployment; environments of the deployment before it are ended.
    fn key(&self, cx: &Cx, job: &Job) -> String {
        // Credentials expire by the cloud's clock and environments grow old by the machine's: where the two part, new
        // environments are made.
        let period = cx.clock().lead_millis().div_euclid(LEAD.as_millis() as i64);
        let Job { function, number, version, .. } = job;
        let key = format!("{}:{number}:{}:{period}", function.id, version.deployment);
        let mut deployments = self.deployments.lock();
        if deployments.len() >= MAX_DEPLOYMENTS {
            deployments.clear();
        }
        let before = deployments.insert((job.function.id.clone(), job.number), key.clone());
        drop(deployments);
        if let Some(before) = before.filter(|before| *before != key) {
            self.pool.retire(&before);
        }
        key
    }
}

/// Why a function was not run, in AWS's terms.
fn refusal(error: InvokeError) -> Error {
    match error {
        InvokeError::TooManyRequests { reason } => too_many_requests(reason),
        InvokeError::Start(StartError::MissingRuntime(missing)) => {
            Error::InvalidRuntimeException(missing.to_string())
        }
        InvokeError::Start(StartError::Spec(error)) => match error.downcast::<Error>() {
            Ok(error) => *error,
            Err(error) => Error::Fault(Fault::internal(error)),
        },
        InvokeError::Start(error) => Error::ServiceException(error.to_string()),
        InvokeError::Stopped => Error::ServiceException("The server is stopping.".to_owned()),
    }
}
