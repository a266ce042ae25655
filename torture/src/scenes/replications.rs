//! Replication under faults: the copy comes to hold what the original does, version by version, whatever died on the way.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context, ensure};
use bytes::Bytes;
use http::Method;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use tokio::task::JoinSet;

use super::{
    FILE_BYTES, Played, Progress, Scene, Turn, document, large, make_bucket, make_role, play,
    versions,
};
use crate::client::Client;
use crate::lanes::objects::body;
use crate::server::Launch;

const FROM: &str = "originals";
const TO: &str = "copies";
const ROLE: &str = "copier";
/// How many write at once, and how many keys each has.
const WRITERS: u64 = 8;
const KEYS: u64 = 6;

/// Plays rounds of replication.
pub async fn replications(
    launch: &Launch,
    scratch: &Path,
    seed: u64,
    rounds: u64,
) -> anyhow::Result<Played> {
    play(Replications::default(), launch, scratch, seed, rounds).await
}

#[derive(Clone, Default)]
struct Replications {
    made: u64,
    /// The keys and ids of versions and markers that were acknowledged.
    acknowledged: Vec<(String, String)>,
}

/// The versions and markers of a bucket by key and id: what they are, if they are no markers.
type Contents = BTreeMap<(String, String), Option<(String, u64)>>;

impl Scene for Replications {
    const SPAN_MILLIS: u64 = 1000;

    async fn fill(&mut self, client: &Client, _: &mut StdRng) -> anyhow::Result<()> {
        for bucket in [FROM, TO] {
            make_bucket(client, bucket, true).await?;
        }
        make_role(client, ROLE, "s3.amazonaws.com").await?;
        let rules = format!(
            "<ReplicationConfiguration><Role>arn:aws:iam::000000000000:role/{ROLE}</Role><Rule>\
             <ID>all</ID><Status>Enabled</Status><Priority>1</Priority><Filter><Prefix></Prefix>\
             </Filter><DeleteMarkerReplication><Status>Enabled</Status></DeleteMarkerReplication>\
             <Destination><Bucket>arn:aws:s3:::{TO}</Bucket></Destination></Rule>\
             </ReplicationConfiguration>"
        );
        document(client, FROM, "replication=", &rules).await
    }

    async fn work(
        &mut self,
        client: &Client,
        random: &mut StdRng,
        turn: Turn,
    ) -> anyhow::Result<()> {
        let count = if turn == Turn::Last { 2 } else { 60 };
        let mut writers = JoinSet::new();
        for writer in 0..WRITERS {
            self.made += count;
            let (client, made) = (client.clone(), self.made);
            let mut random = StdRng::seed_from_u64(random.random());
            writers.spawn(async move {
                let mut acknowledged = Vec::new();
                for number in made - count..made {
                    match change(&client, &mut random, writer, number << 8 | writer).await {
                        Ok(version) => acknowledged.push(version),
                        Err(error) => return (acknowledged, Err(error)),
                    }
                }
                (acknowledged, Ok(()))
            });
        }
        let mut outcome = Ok(());
        while let Some(done) = writers.join_next().await {
            let (acknowledged, ended) = done?;
            self.acknowledged.extend(acknowledged);
            outcome = outcome.and(ended);
        }
        outcome
    }

    async fn look(&mut self, client: &Client) -> anyhow::Result<Progress> {
        // The copies first: what comes meanwhile comes to the originals before.
        let (copies, originals) = (contents(client, TO).await?, contents(client, FROM).await?);
        for (of, copy) in &copies {
            let original = originals.get(of).with_context(|| format!("{of:?} is a copy alone"))?;
            ensure!(copy == original, "{of:?} is {original:?}, its copy {copy:?}");
        }
        let lost = self.acknowledged.iter().find(|of| !originals.contains_key(*of));
        ensure!(lost.is_none(), "{lost:?} was acknowledged and is gone");
        let (copied, all) = (copies.len(), originals.len());
        if copied < all {
            return Ok(if copied == 0 { Progress::Nothing } else { Progress::Half });
        }
        // The status is written after the last copy.
        for (key, version) in originals.iter().filter(|(_, is)| is.is_some()).map(|(of, _)| of) {
            if status(client, FROM, key, version).await? != "COMPLETED" {
                return Ok(Progress::Half);
            }
        }
        Ok(Progress::Done)
    }

    async fn compare(&mut self, client: &Client) -> anyhow::Result<usize> {
        let copies = contents(client, TO).await?;
        for ((key, version), object) in &copies {
            let Some((_, size)) = object else { continue };
            let told = status(client, TO, key, version).await?;
            ensure!(told == "REPLICA", "the copy {key} {version} is {told}");
            let query = format!("versionId={version}");
            let path = format!("/{TO}/{key}");
            let read = client.s3(Method::GET, &path, &query, Bytes::new()).await.success()?;
            let number = read.header("x-amz-meta-number").parse().context("a number")?;
            ensure!(read.body == body(number, *size as usize), "{key} {version} has other bytes");
        }
        // A copy shares its bytes with the original.
        Ok(large(copies.values().flatten().map(|(_, size)| size)))
    }
}

/// Writes or removes an object; its key and the id of the version or marker that came of it.
async fn change(
    client: &Client,
    random: &mut StdRng,
    writer: u64,
    number: u64,
) -> anyhow::Result<(String, String)> {
    let key = format!("writer-{writer}/key-{}", random.random_range(0..KEYS));
    let path = format!("/{FROM}/{key}");
    let done = if random.random_bool(0.15) {
        client.s3(Method::DELETE, &path, "", Bytes::new()).await
    } else {
        let len = match random.random_range(0..100) {
            0 => FILE_BYTES + random.random_range(1..100_000),
            1..20 => random.random_range(16_385..100_000),
            _ => random.random_range(0..5_000),
        };
        let headers = vec![("x-amz-meta-number", number.to_string())];
        client.s3_with(Method::PUT, &path, "", headers, body(number, len).into()).await
    };
    let answer = done.success()?;
    Ok((key, answer.header("x-amz-version-id").to_owned()))
}

async fn contents(client: &Client, bucket: &str) -> anyhow::Result<Contents> {
    let listed = versions(client, bucket).await?;
    Ok(listed.into_iter().map(|listed| ((listed.key, listed.version), listed.object)).collect())
}

async fn status(client: &Client, bucket: &str, key: &str, version: &str) -> anyhow::Result<String> {
    let query = format!("versionId={version}");
    let path = format!("/{bucket}/{key}");
    let answer = client.s3(Method::HEAD, &path, &query, Bytes::new()).await.success()?;
    Ok(answer.header("x-amz-replication-status").to_owned())
}
