//! Replicating what is there already, because a batch job of S3 Control asks for it.

use fogbank_accesspoints::{REPLICATIONS, Replication, replication_topic};
use fogbank_core::{Cx, Fault, WriteTx};
use serde::Deserialize;
use serde_json::Value;

use super::state::Target;
use super::{begin, compiled, subject};
use crate::error::Error;
use crate::store::BUCKETS;
use crate::versions::{self, At, Found};

/// The request of a batch job.
#[derive(Deserialize)]
struct Asked {
    bucket: String,
    key: String,
    version: Option<String>,
    /// Where the answer belongs: account, region and id of the job, and the request's id.
    at: (String, String, String, String),
}

/// Has a version replicated as its bucket's rules say, and answers whether they say so.
pub(crate) async fn run(cx: Cx, input: Value) -> Result<(), Fault> {
    let asked: Asked = serde_json::from_value(input).map_err(Fault::internal)?;
    let answered = cx.write(|tx| {
        let begun = repeat(tx, (&asked.bucket, &asked.key), asked.version.as_deref());
        let refusal = match begun {
            Ok(refusal) => refusal,
            Err(error) => {
                let fault = Fault::from(error);
                if fault.cause().is_some() || fault.name() == "ServiceUnavailable" {
                    return Err(fault.into());
                }
                Some((400, fault.name().to_owned(), fault.message().to_owned()))
            }
        };
        REPLICATIONS.put(tx, &asked.at, &Replication { refusal })?;
        tx.wake(replication_topic(&asked.at.3));
        Ok::<_, Error>(())
    });
    Ok(answered.await?)
}

type Refusal = Option<(u16, String, String)>;

fn refuse(status: u16, code: &str, message: &str) -> Result<Refusal, Error> {
    Ok(Some((status, code.to_owned(), message.to_owned())))
}

fn repeat(tx: &mut WriteTx<'_>, at: At<'_>, version: Option<&str>) -> Result<Refusal, Error> {
    let Some(bucket) = BUCKETS.get(tx, at.0)? else {
        return refuse(404, "NoSuchBucket", "The specified bucket does not exist");
    };
    let Some(rules) = compiled(tx, at.0, &bucket)? else {
        let message = "The replication configuration was not found";
        return refuse(404, "ReplicationConfigurationNotFoundError", message);
    };
    let found = match versions::find(tx, at, version)? {
        Some(found @ (Found::Current(_) | Found::Older(..))) => found,
        Some(Found::Marker(..)) | None => {
            return refuse(404, "NoSuchKey", "The specified key does not exist.");
        }
    };
    let mut found = found;
    let Some(object) = found.object_mut() else { return Ok(None) };
    let meant = rules.of(&subject(at.1, object));
    let targets: Vec<Target> = meant.iter().map(|rule| Target::new(rule, true)).collect();
    if targets.is_empty() {
        // The code and the words are guesses.
        let message = "No enabled replication rule of the bucket applies to the object.";
        return refuse(400, "NotEligibleForReplication", message);
    }
    let number = object.version;
    begin(tx, &bucket, (at, number), &rules, targets, &mut object.more)?;
    versions::save(tx, at, found)?;
    Ok(None)
}
