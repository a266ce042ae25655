//! Lifecycles under faults: what is due goes although each sweep is killed or its disk cut, and nothing else does.
//!
//! A round fills buckets, gives them rules, moves the clock by some days and kills the sweep at an operation of the disk,
//! several times. In the end a whole cloud must come to exactly what the rules say, and have no files of bodies that are
//! gone.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::Method;
use md5::{Digest, Md5};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use serde_json::json;

use crate::client::Client;
use crate::faults::{Action, Preload, kinds};
use crate::lanes::objects::{body, element};
use crate::power::{self, Loss};
use crate::server::{Launch, Server, Started};

/// A bucket without versions, and one with them.
const PLAIN: &str = "plain";
const VERSIONED: &str = "versioned";
/// How many keys there are of each kind.
const GOING: u64 = 400;
const STAYING: u64 = 60;
const VERSIONS: u64 = 3;
const UPLOADS: u64 = 20;
/// Bodies of more bytes lie in files of their own.
const FILE_BYTES: usize = 4 << 20;
/// How long the last sweep may take.
const PATIENCE: Duration = Duration::from_secs(60);
/// The same for files that nobody names, which stay a minute for those who read them.
const FILES_PATIENCE: Duration = Duration::from_secs(150);

/// What came of it.
#[derive(Clone, Copy, Debug, Default)]
pub struct Swept {
    /// Kills at an operation of the disk.
    pub kills: u64,
    /// How many of them left some of what was due, and not all of it.
    pub halves: u64,
    /// Power cuts.
    pub cuts: u64,
}

/// What must be there: the versions under each key, and the uploads.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Contents {
    versions: BTreeMap<String, Vec<String>>,
    uploads: BTreeSet<String>,
}

/// Runs so many rounds, every second with power cuts.
pub async fn sweep(
    launch: &Launch,
    scratch: &Path,
    seed: u64,
    rounds: u64,
) -> anyhow::Result<Swept> {
    let preload = Preload::build(scratch)?;
    let mut swept = Swept::default();
    for round in 0..rounds {
        let mut random = StdRng::seed_from_u64(seed ^ round.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        let outcome = Round { launch, preload: &preload, cuts: round % 2 == 1, swept: &mut swept };
        outcome.run(&mut random).await.with_context(|| format!("round {round}"))?;
    }
    Ok(swept)
}

struct Round<'a> {
    launch: &'a Launch,
    preload: &'a Preload,
    cuts: bool,
    swept: &'a mut Swept,
}

impl Round<'_> {
    async fn run(mut self, random: &mut StdRng) -> anyhow::Result<()> {
        let _ = fs::remove_dir_all(&self.launch.data);
        fs::create_dir_all(&self.launch.data)?;
        self.preload.reset()?;
        let server = self.start(false)?;
        let client = server.client();
        let mut large = 0;
        fill(&client, random, &mut large).await.context("filling the buckets")?;
        let (before, after) = (look(&client).await?, expected());
        ensure!(before.includes(&after), "the buckets were not filled as planned");
        server.kill()?;
        for attempt in 0..random.random_range(1..4) {
            self.attempt(random, attempt, &before, &after).await?;
        }
        let server = self.start(false)?;
        let client = server.client();
        advance(&client).await?;
        let begun = Instant::now();
        loop {
            let found = look(&client).await?;
            ensure!(found.includes(&after), "what was to stay is gone: {}", after.beyond(&found));
            if found == after {
                break;
            }
            ensure!(begun.elapsed() < PATIENCE, "not swept: {}", found.beyond(&after));
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        read_all(&client).await?;
        end(server.kill()?)?;
        self.files(large).await
    }

    /// Starts a cloud whose disk kills it, has it sweep, and looks at what a whole one finds.
    async fn attempt(
        &mut self,
        random: &mut StdRng,
        attempt: u64,
        before: &Contents,
        after: &Contents,
    ) -> anyhow::Result<()> {
        let server = self.start(true)?;
        let actions = [Action::KillBefore, Action::KillAfter, Action::KillHalf];
        let action = actions[random.random_range(0..actions.len())];
        let most = 1u64 << random.random_range(0..9);
        self.preload.arm(action, kinds::CHANGES, random.random_range(0..most), 0)?;
        // The first advance brings the day on which all is due; after it each start sweeps.
        let advanced = match attempt {
            0 => advance(&server.client()).await,
            _ => Ok(()),
        };
        tokio::time::sleep(Duration::from_millis(random.random_range(1..800))).await;
        let fired = self.preload.has_fired()?;
        ensure!(fired || advanced.is_ok(), "the clock: {advanced:?}");
        self.preload.disarm()?;
        end(server.kill()?)?;
        self.swept.kills += u64::from(fired);
        if self.cuts {
            let loss = if random.random_bool(0.4) { Loss::Everything } else { Loss::Some };
            let (log, grave) = (self.preload.log(), self.preload.grave());
            power::cut(&self.launch.data, log, grave, loss, random)?;
            self.swept.cuts += 1;
        }
        self.preload.reset()?;
        let server = self.start(false)?;
        let found = look(&server.client()).await?;
        ensure!(found.includes(after), "what was to stay is gone: {}", after.beyond(&found));
        ensure!(before.includes(&found), "there is more than there was: {}", found.beyond(before));
        self.swept.halves += u64::from(found != *after && found != *before);
        end(server.kill()?)
    }

    fn start(&self, fails: bool) -> anyhow::Result<Server> {
        match self.launch.start(fails.then_some((self.preload, self.cuts)))? {
            Started::Ready(server) => Ok(server),
            Started::Ended(status, lines) => {
                bail!("it does not start, {status}:\n{}", lines.join("\n"))
            }
        }
    }

    /// After another start there are as many files of bodies as there are large objects.
    async fn files(&self, large: usize) -> anyhow::Result<()> {
        let server = self.start(false)?;
        let begun = Instant::now();
        loop {
            let entries = fs::read_dir(self.launch.data.join("blobs"))?;
            let names = entries.map(|entry| Ok(entry?.file_name()));
            let names: Vec<_> = names.collect::<anyhow::Result<_>>()?;
            let files = names.iter().filter(|name| name.to_string_lossy().ends_with(".blob"));
            let count = files.count();
            ensure!(count >= large, "{count} files of bodies are left of {large}");
            if count == large {
                return end(server.kill()?);
            }
            ensure!(begun.elapsed() < FILES_PATIENCE, "{count} files of bodies for {large}");
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
    }
}

fn end(lines: Vec<String>) -> anyhow::Result<()> {
    let panic = lines.into_iter().find(|line| line.contains("panicked"));
    panic.map_or(Ok(()), |line| bail!("a panic: {line}"))
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

/// What a version is called here: the number from which its bytes follow stands in its size.
fn named(is_marker: bool, size: &str) -> String {
    if is_marker { "a marker".to_owned() } else { size.to_owned() }
}

async fn fill(client: &Client, random: &mut StdRng, large: &mut usize) -> anyhow::Result<()> {
    for bucket in [PLAIN, VERSIONED] {
        client.s3(Method::PUT, &format!("/{bucket}"), "", Bytes::new()).await.success()?;
    }
    let versioning = "<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>";
    document(client, VERSIONED, "versioning=", versioning).await?;
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

async fn document(client: &Client, bucket: &str, query: &str, text: &str) -> anyhow::Result<()> {
    let headers = vec![("content-md5", STANDARD.encode(Md5::digest(text)))];
    let body = Bytes::copy_from_slice(text.as_bytes());
    let sent = client.s3_with(Method::PUT, &format!("/{bucket}"), query, headers, body).await;
    sent.success().map(drop)
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

/// Lists all versions and uploads.
async fn look(client: &Client) -> anyhow::Result<Contents> {
    let mut found = Contents::default();
    for bucket in [PLAIN, VERSIONED] {
        let mut marker = String::new();
        loop {
            let query = format!("{marker}versions=");
            let answer = client.s3(Method::GET, &format!("/{bucket}"), &query, Bytes::new()).await;
            let text = answer.success()?.text();
            for (is_marker, name) in [(false, "<Version>"), (true, "<DeleteMarker>")] {
                for entry in text.split(name).skip(1) {
                    let key = element(entry, "Key").context("a key")?;
                    let size = element(entry, "Size").unwrap_or_default();
                    let versions = found.versions.entry(format!("{bucket}/{key}")).or_default();
                    versions.push(named(is_marker, &size));
                }
            }
            let Some(key) = element(&text, "NextKeyMarker") else { break };
            let version = element(&text, "NextVersionIdMarker").context("a version's marker")?;
            marker = format!("key-marker={}&", key.replace('/', "%2F"));
            let _ = write!(marker, "version-id-marker={version}&");
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
