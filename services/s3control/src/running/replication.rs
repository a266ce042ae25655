//! Tasks that have a version replicated that is there already.
//!
//! S3 does it by its own rules and role; it is asked by a job in the outbox, and answers in a row.

use std::time::Duration;

use fogbank_accesspoints::{REPLICATIONS, Replication, replication_topic};
use fogbank_core::{Access, Cx, Effect, Fault, Principal};
use serde_json::json;

use super::Running;
use super::work::Outcome;
use crate::error::Error;
use crate::store::Entry;

/// For how long a task waits for the copies, by the machine's time, before it is put off.
const PATIENCE: Duration = Duration::from_secs(60);
const SHORTEST_PAUSE: Duration = Duration::from_millis(20);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// Has a version replicated, and waits for the copies.
pub(super) async fn repeat(running: &Running<'_>, role: &Principal, entry: &Entry) -> Outcome {
    match try_repeat(running, role, entry).await {
        Ok(outcome) => outcome,
        Err(fault) => Outcome::of_fault(&fault),
    }
}

async fn try_repeat(
    running: &Running<'_>,
    role: &Principal,
    entry: &Entry,
) -> Result<Outcome, Fault> {
    let cx = running.cx;
    let mut request = cx.request().clone();
    request.principal = role.clone().into();
    let resource = format!("arn:aws:s3:::{}/{}", entry.bucket, entry.key);
    let acting = Cx::new(cx.cloud().clone(), request);
    acting.authorise(&Access::to("s3:InitiateReplication", resource))?;
    if let Some(refusal) = ask(running, entry).await? {
        return Ok(refusal);
    }
    let owner = Principal::root(cx.account());
    let mut input = json!({ "Bucket": entry.bucket, "Key": entry.key });
    if let Some(version) = &entry.version {
        input["VersionId"] = version.clone().into();
    }
    let (mut pause, mut waited) = (SHORTEST_PAUSE, Duration::ZERO);
    while waited < PATIENCE {
        let head = cx.call(owner.clone(), "s3:HeadObject", input.clone()).await?.output;
        match head["ReplicationStatus"].as_str() {
            Some("PENDING") => {}
            Some("FAILED") => {
                // The code and the words are guesses.
                let message = "The object could not be replicated to each destination.";
                return Ok(Outcome::Failed(
                    400,
                    "ReplicationFailed".to_owned(),
                    message.to_owned(),
                ));
            }
            _ => return Ok(Outcome::Succeeded("Successful".to_owned())),
        }
        cx.clock().rest(pause).await;
        waited += pause;
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
    let message = "The object is still being replicated.".to_owned();
    Ok(Outcome::Again(503, "ReplicationPending".to_owned(), message))
}

/// Asks S3, and waits until it has begun; the outcome if it does not.
async fn ask(running: &Running<'_>, entry: &Entry) -> Result<Option<Outcome>, Fault> {
    let (cx, (account, region, job)) = (running.cx, running.key);
    let request = cx.ids().uuid();
    let at = (&**account, &**region, &**job, &*request);
    let input = json!({
        "bucket": entry.bucket, "key": entry.key, "version": entry.version, "at": at,
    });
    let waiter = cx.wakes().waiter(&replication_topic(&request));
    cx.write(|tx| {
        let lane = format!("s3:replicate-existing/{job}");
        Ok::<_, Error>(tx.emit(Effect::job("s3:replicate-existing", &input).in_lane(&lane))?)
    })
    .await?;
    let Replication { refusal } = loop {
        if let Some(answer) = cx.read(|tx| Ok::<_, Error>(REPLICATIONS.get(tx, &at)?))? {
            break answer;
        }
        waiter.wait().await;
    };
    cx.write(|tx| Ok::<_, Error>(REPLICATIONS.delete(tx, &at)?)).await?;
    let refused = |(status, code, message)| Outcome::Failed(status, code, message);
    Ok(refusal.map(refused))
}
