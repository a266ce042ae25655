//! Lifecycles under faults: what is due goes although each sweep is killed or its disk cut, and nothing else does.
//!
//! Two buckets have rules, the clock moves by some days, and the sweep is killed. In the end there is exactly what the rules
//! say.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use anyhow::{Context, ensure};
use bytes::Bytes;
use http::Method;
use rand::Rng;
use rand::rngs::StdRng;
use serde_json::json;

use super::{FILE_BYTES, Played, Progress, Scene, Turn, document, make_bucket, play, versions};
use crate::client::Client;
use crate::lanes::objects::{body, element};
use crate::server::Launch;

/// A bucket without versions, and one with them.
const PLAIN: &str = "plain";
const VERSIONED: &str = "versioned";
/// How many keys there are of each kind.
const GOING: u64 = 400;
const STAYING: u64 = 60;
const VERSIONS: u64 = 3;
const UPLOADS: u64 = 20;

/// Plays rounds of sweeps.
pub async fn sweeps(
    launch: &Launch,
    scratch: &Path,
    seed: u64,
    rounds: u64,
) -> anyhow::Result<Played> {
    play(Lifecycles::default(), launch, scratch, seed, rounds).await
}

/// What must be there: the versions under each key, and the uploads.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Contents {
    versions: BTreeMap<String, Vec<String>>,
    uploads: BTreeSet<String>,
}

#[derive(Clone, Default)]
struct Lifecycles {
    before: Contents,
    /// How many bodies that stay lie in files of their own.
    large: usize,
}

impl Scene for Lifecycles {
    const SPAN_MILLIS: u64 = 800;

    async fn fill(&mut self, client: &Client, random: &mut StdRng) -> anyhow::Result<()> {
        fill(client, random, &mut self.large).await?;
        self.before = look(client).await?;
        ensure!(self.before.includes(&expected()), "the buckets were not filled as planned");
        Ok(())
    }

    async fn work(&mut self, client: &Client, _: &mut StdRng, turn: Turn) -> anyhow::Result<()> {
        // The first advance brings the day on which all is due; after it each start sweeps.
        match turn {
            Turn::Killed(0) | Turn::Last => advance(client).await,
            Turn::Killed(_) => Ok(()),
        }
    }

    async fn look(&mut self, client: &Client) -> anyhow::Result<Progress> {
        let (found, before, after) = (look(client).await?, &self.before, expected());
        ensure!(found.includes(&after), "what was to stay is gone: {}", after.beyond(&found));
        ensure!(before.includes(&found), "there is more than there was: {}", found.beyond(before));
        Ok(match found {
            found if found == after => Progress::Done,
            found if found == *before => Progress::Nothing,
            _ => Progress::Half,
        })
    }

    async fn compare(&mut self, client: &Client) -> anyhow::Result<usize> {
        read_all(client).await?;
        Ok(self.large)
    }
}

impl Contents {
    fn includes(&self, other: &Contents) -> bool {
        let has = |(key, versions): (&String, &Vec<String>)| {
            let own = self.versions.get(key);
            own.is_some_and(|own| versions.iter().all(|version| own.contains(version)))
        };
        other.versions.iter().all(has) && self.uploads.is_superset(&other.uploads)
    }

    /// What is here and not there, for a message.
    fn beyond(&self, other: &Contents) -> String {
        let mut keys = self.versions.iter();
        let key = keys.find(|(key, versions)| other.versions.get(*key) != Some(*versions));
        let upload = self.uploads.difference(&other.uploads).next();
        format!("{key:?}, upload {upload:?}")
    }
}

/// A size of a body: mostly in the row, some in a segment, few in a file of its own.
fn size(number: u64) -> usize {
    match number % 100 {
        0 => FILE_BYTES + 100_000,
        1..20 => 20_000,
        _ => 500,
    }
}

async fn fill(client: &Client, random: &mut StdRng, large: &mut usize) -> anyhow::Result<()> {
    make_bucket(client, PLAIN, false).await?;
    make_bucket(client, VERSIONED, true).await?;
    for (folder, count) in [("going", GOING), ("staying", STAYING)] {
        for number in 0..count {
            put(client, &format!("/{PLAIN}/{folder}/{number:04}"), number, size(number)).await?;
            if folder == "staying" {
                *large += usize::from(size(number) > FILE_BYTES);
            }
        }
    }
    for number in 0..STAYING {
        // A version's size tells which it is: the newest is the longest.
        for version in 0..VERSIONS {
            let len = if number == 0 && version == 0 { FILE_BYTES + 1 } else { 100 };
            let path = format!("/{VERSIONED}/key/{number:04}");
            put(client, &path, number, len + version as usize).await?;
        }
        if number % 2 == 0 {
            let path = format!("/{VERSIONED}/key/{number:04}");
            client.s3(Method::DELETE, &path, "", Bytes::new()).await.success()?;
        }
    }
    for number in 0..UPLOADS {
        let folder = if number % 4 == 0 { "staying" } else { "going" };
        let path = format!("/{PLAIN}/{folder}/upload-{number:04}");
        let begun = client.s3(Method::POST, &path, "uploads=", Bytes::new()).await.success()?;
        let id = element(&begun.text(), "UploadId").context("an upload's id")?;
        for part in 1..=random.random_range(1..4) {
            let len = if number < 2 { FILE_BYTES + 1 } else { 20_000 };
            *large += usize::from(number == 0);
            let query = format!("partNumber={part}&uploadId={id}");
            client.s3(Method::PUT, &path, &query, body(part, len).into()).await.success()?;
        }
    }
    let plain = "<LifecycleConfiguration><Rule><ID>a</ID><Filter><Prefix>going/</Prefix></Filter>\
        <Status>Enabled</Status><Expiration><Days>1</Days></Expiration>\
        <AbortIncompleteMultipartUpload><DaysAfterInitiation>1</DaysAfterInitiation>\
        </AbortIncompleteMultipartUpload></Rule></LifecycleConfiguration>";
    document(client, PLAIN, "lifecycle=", plain).await?;
    let versioned = "<LifecycleConfiguration><Rule><ID>b</ID><Filter><Prefix>key/</Prefix></Filter>\
        <Status>Enabled</Status>\
        <Expiration><ExpiredObjectDeleteMarker>true</ExpiredObjectDeleteMarker></Expiration>\
        <NoncurrentVersionExpiration><NoncurrentDays>1</NoncurrentDays>\
        </NoncurrentVersionExpiration></Rule></LifecycleConfiguration>";
    document(client, VERSIONED, "lifecycle=", versioned).await
}

async fn put(client: &Client, path: &str, number: u64, len: usize) -> anyhow::Result<()> {
    client.s3(Method::PUT, path, "", body(number, len).into()).await.success().map(drop)
}

async fn advance(client: &Client) -> anyhow::Result<()> {
    client.admin("/_fogbank/clock", &json!({ "advance": "3d" })).await.success().map(drop)
}

/// What is there when all that is due is gone.
fn expected() -> Contents {
    let mut after = Contents::default();
    for number in 0..STAYING {
        let key = format!("{PLAIN}/staying/{number:04}");
        after.versions.insert(key, vec![size(number).to_string()]);
        if number % 2 == 1 {
            let newest = (100 + VERSIONS - 1).to_string();
            after.versions.insert(format!("{VERSIONED}/key/{number:04}"), vec![newest]);
        }
    }
    for number in (0..UPLOADS).filter(|number| number % 4 == 0) {
        after.uploads.insert(format!("staying/upload-{number:04}"));
    }
    after
}

/// Lists all versions and uploads. A version is called here as its size, from which its bytes follow.
async fn look(client: &Client) -> anyhow::Result<Contents> {
    let mut found = Contents::default();
    for bucket in [PLAIN, VERSIONED] {
        for listed in versions(client, bucket).await? {
            let name = listed.object.map_or("a marker".to_owned(), |(_, size)| size.to_string());
            found.versions.entry(format!("{bucket}/{}", listed.key)).or_default().push(name);
        }
    }
    let answer = client.s3(Method::GET, &format!("/{PLAIN}"), "uploads=", Bytes::new()).await;
    let text = answer.success()?.text();
    let entries = text.split("<Upload>").skip(1);
    found.uploads = entries.filter_map(|entry| element(entry, "Key")).collect();
    Ok(found)
}

/// Reads what stays and compares the bytes.
async fn read_all(client: &Client) -> anyhow::Result<()> {
    for number in 0..STAYING {
        let path = format!("/{PLAIN}/staying/{number:04}");
        let answer = client.s3(Method::GET, &path, "", Bytes::new()).await.success()?;
        ensure!(answer.body == body(number, size(number)), "{path} has other bytes");
    }
    for number in (0..STAYING).filter(|number| number % 2 == 1) {
        let path = format!("/{VERSIONED}/key/{number:04}");
        let answer = client.s3(Method::GET, &path, "", Bytes::new()).await.success()?;
        let newest = 100 + VERSIONS as usize - 1;
        ensure!(answer.body == body(number, newest), "{path} has other bytes");
    }
    Ok(())
}
