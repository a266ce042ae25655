//! Scenes: what the cloud does in the background, killed again and again until it is done.
//!
//! A scene fills a cloud once; each round begins with a copy of that. The cloud is set to work and dies at an operation of
//! its disk, or at a random moment, several times; after each death the scene looks at what is there. Then a cloud that
//! nobody disturbs must come to exactly what was promised, and have no file of a body that is gone.

pub mod batches;
pub mod inventories;
pub mod lifecycles;
pub mod replications;

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
use tokio::time::{sleep, timeout};

use crate::client::{Call, Client};
use crate::faults::{Action, Preload, kinds};
use crate::lanes::objects::element;
use crate::power::{self, Loss};
use crate::server::{Launch, Server, Started};

/// Bodies of more bytes lie in files of their own.
const FILE_BYTES: usize = 4 << 20;
/// How long the last, undisturbed work may take.
const PATIENCE: Duration = Duration::from_secs(60);
/// The same for files that nobody names, which stay a minute for those who read them.
const FILES_PATIENCE: Duration = Duration::from_secs(150);
/// The files are counted in every so many-th round.
const FILES_EVERY: u64 = 10;
/// From this operation on the kills that go through the operations one by one begin anew.
const SWEPT_OPERATIONS: u64 = 400;

/// What came of it.
#[derive(Clone, Copy, Debug, Default)]
pub struct Played {
    /// Kills at an operation of the disk.
    pub kills: u64,
    /// Kills at a random moment.
    pub others: u64,
    /// How many kills left the work half done.
    pub halves: u64,
    /// Power cuts.
    pub cuts: u64,
}

/// How far the work is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Progress {
    /// Nothing of it shows.
    Nothing,
    /// A part of it is done.
    Half,
    /// All of it is done.
    Done,
}

/// Which time it is that the work is set off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Turn {
    /// A kill will come; the first turn of a round has the number 0.
    Killed(u64),
    /// Nothing disturbs.
    Last,
}

/// Something that the cloud does in the background.
pub(crate) trait Scene: Clone {
    /// For how long the work goes on at most before a kill.
    const SPAN_MILLIS: u64;

    /// Makes what is worked on.
    async fn fill(&mut self, client: &Client, random: &mut StdRng) -> anyhow::Result<()>;

    /// Sets the work off, or adds to it. The cloud may die of it; the future may be dropped.
    async fn work(
        &mut self,
        client: &Client,
        random: &mut StdRng,
        turn: Turn,
    ) -> anyhow::Result<()>;

    /// Changes something in a cloud that nobody disturbs, between two kills.
    async fn stir(&mut self, _: &Client, _: &mut StdRng) -> anyhow::Result<()> {
        Ok(())
    }

    /// Fails if something is so that may never be; otherwise says how far the work is.
    async fn look(&mut self, client: &Client) -> anyhow::Result<Progress>;

    /// Compares all when the work is done; returns how many bodies lie in files of their own.
    async fn compare(&mut self, client: &Client) -> anyhow::Result<usize>;
}

/// Plays so many rounds of a scene, every second with power cuts.
pub(crate) async fn play<S: Scene>(
    mut scene: S,
    launch: &Launch,
    scratch: &Path,
    seed: u64,
    rounds: u64,
) -> anyhow::Result<Played> {
    let preload = Preload::build(scratch)?;
    let filled = scratch.join("filled");
    fill(&mut scene, launch, seed).await.context("filling")?;
    let _ = fs::remove_dir_all(&filled);
    fs::rename(&launch.data, &filled)?;
    let (mut played, mut swept) = (Played::default(), 0);
    for round in 0..rounds {
        let _ = fs::remove_dir_all(&launch.data);
        copy_folder(&filled, &launch.data)?;
        preload.reset()?;
        let random = StdRng::seed_from_u64(seed ^ round.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        let (cuts, played, swept) = (round % 2 == 1, &mut played, &mut swept);
        let scene = scene.clone();
        let mut turns = Round { scene, launch, preload: &preload, cuts, random, played, swept };
        turns
            .run((round + 1).is_multiple_of(FILES_EVERY))
            .await
            .with_context(|| format!("round {round}"))?;
    }
    Ok(played)
}

async fn fill<S: Scene>(scene: &mut S, launch: &Launch, seed: u64) -> anyhow::Result<()> {
    let _ = fs::remove_dir_all(&launch.data);
    fs::create_dir_all(&launch.data)?;
    let server = start(launch, None)?;
    scene.fill(&server.client(), &mut StdRng::seed_from_u64(seed)).await?;
    end(server.stop()?.1)
}

fn copy_folder(from: &Path, to: &Path) -> anyhow::Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        match entry.file_type()?.is_dir() {
            true => copy_folder(&entry.path(), &target)?,
            false => fs::copy(entry.path(), target).map(drop)?,
        }
    }
    Ok(())
}

struct Round<'a, S> {
    scene: S,
    launch: &'a Launch,
    preload: &'a Preload,
    cuts: bool,
    random: StdRng,
    played: &'a mut Played,
    /// How many kills went through the operations one by one.
    swept: &'a mut u64,
}

impl<S: Scene> Round<'_, S> {
    async fn run(&mut self, counts_files: bool) -> anyhow::Result<()> {
        for turn in 0..self.random.random_range(1..5) {
            self.turn(turn).await.with_context(|| format!("kill {turn}"))?;
        }
        let server = start(self.launch, None)?;
        let client = server.client();
        self.scene.work(&client, &mut self.random, Turn::Last).await?;
        let begun = Instant::now();
        while self.scene.look(&client).await? != Progress::Done {
            ensure!(begun.elapsed() < PATIENCE, "the work does not end");
            sleep(Duration::from_millis(100)).await;
        }
        let files = self.scene.compare(&client).await?;
        end(server.kill()?)?;
        if counts_files { self.count_files(files).await } else { Ok(()) }
    }

    /// Starts a cloud whose disk kills it, has it work, and looks at what a whole one finds.
    async fn turn(&mut self, turn: u64) -> anyhow::Result<()> {
        let server = start(self.launch, Some((self.preload, self.cuts)))?;
        self.arm()?;
        let span = Duration::from_millis(self.random.random_range(1..S::SPAN_MILLIS));
        let begun = Instant::now();
        let client = server.client();
        let work = self.scene.work(&client, &mut self.random, Turn::Killed(turn));
        let worked = timeout(span, work).await;
        while begun.elapsed() < span && !self.preload.has_fired()? {
            sleep(Duration::from_millis(5)).await;
        }
        let fired = self.preload.has_fired()?;
        if let Ok(Err(error)) = worked {
            ensure!(fired, "refused without a fault: {error:#}");
        }
        self.preload.disarm()?;
        end(server.kill()?)?;
        *(if fired { &mut self.played.kills } else { &mut self.played.others }) += 1;
        if self.cuts {
            let loss = if self.random.random_bool(0.4) { Loss::Everything } else { Loss::Some };
            let (log, grave) = (self.preload.log(), self.preload.grave());
            power::cut(&self.launch.data, log, grave, loss, &mut self.random)?;
            self.played.cuts += 1;
        }
        self.preload.reset()?;
        let server = start(self.launch, None)?;
        let client = server.client();
        let progress = self.scene.look(&client).await?;
        self.scene.stir(&client, &mut self.random).await?;
        self.played.halves += u64::from(progress == Progress::Half);
        end(server.kill()?)
    }

    /// Arms a kill: at the next of all operations, one by one, or at one of them by chance.
    fn arm(&mut self) -> anyhow::Result<()> {
        let actions = [Action::KillBefore, Action::KillAfter, Action::KillHalf];
        if self.random.random_bool(0.5) {
            let (action, skip) = (actions[(*self.swept % 3) as usize], *self.swept / 3);
            *self.swept = (*self.swept + 1) % (3 * SWEPT_OPERATIONS);
            return self.preload.arm(action, kinds::CHANGES, skip, 0);
        }
        let action = actions[self.random.random_range(0..actions.len())];
        let most = 1u64 << self.random.random_range(0..9);
        self.preload.arm(action, kinds::CHANGES, self.random.random_range(0..most), 0)
    }

    /// After another start there are as many files of bodies as there are large bodies.
    async fn count_files(&self, large: usize) -> anyhow::Result<()> {
        let server = start(self.launch, None)?;
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
            sleep(Duration::from_millis(500)).await;
        }
    }
}

fn start(launch: &Launch, faults: Option<(&Preload, bool)>) -> anyhow::Result<Server> {
    match launch.start(faults)? {
        Started::Ready(server) => Ok(server),
        Started::Ended(status, lines) => {
            bail!("it does not start, {status}:\n{}", lines.join("\n"))
        }
    }
}

fn end(lines: Vec<String>) -> anyhow::Result<()> {
    let panic = lines.into_iter().find(|line| line.contains("panicked"));
    panic.map_or(Ok(()), |line| bail!("a panic: {line}"))
}

/// Sends a document that configures a bucket.
async fn document(client: &Client, bucket: &str, query: &str, text: &str) -> anyhow::Result<()> {
    let headers = vec![("content-md5", STANDARD.encode(Md5::digest(text)))];
    let body = Bytes::copy_from_slice(text.as_bytes());
    let sent = client.s3_with(Method::PUT, &format!("/{bucket}"), query, headers, body).await;
    sent.success().map(drop)
}

const VERSIONING: &str =
    "<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>";

async fn make_bucket(client: &Client, bucket: &str, has_versions: bool) -> anyhow::Result<()> {
    client.s3(Method::PUT, &format!("/{bucket}"), "", Bytes::new()).await.success()?;
    if has_versions { document(client, bucket, "versioning=", VERSIONING).await } else { Ok(()) }
}

/// Makes a role that may do everything with S3 and that a service assumes.
async fn make_role(client: &Client, name: &str, service: &str) -> anyhow::Result<()> {
    let policy = |statement: serde_json::Value| {
        let policy = json!({ "Version": "2012-10-17", "Statement": [statement] }).to_string();
        percent(&policy)
    };
    let trust = policy(json!({
        "Effect": "Allow", "Principal": { "Service": service }, "Action": "sts:AssumeRole",
    }));
    let all = policy(json!({ "Effect": "Allow", "Action": "s3:*", "Resource": "*" }));
    for form in [
        format!("Action=CreateRole&RoleName={name}&AssumeRolePolicyDocument={trust}"),
        format!("Action=PutRolePolicy&RoleName={name}&PolicyName=all&PolicyDocument={all}"),
    ] {
        let call = Call {
            service: "iam",
            method: Method::POST,
            path: "/".to_owned(),
            query: String::new(),
            headers: vec![("content-type", "application/x-www-form-urlencoded".to_owned())],
            body: format!("{form}&Version=2010-05-08").into(),
        };
        client.call(call).await.success()?;
    }
    Ok(())
}

/// A text as it stands in forms, paths and queries.
fn percent(text: &str) -> String {
    let encode = |byte: u8| match byte {
        b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
            char::from(byte).to_string()
        }
        other => format!("%{other:02X}"),
    };
    text.bytes().map(encode).collect()
}

/// A version or a delete marker as it is listed.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Listed {
    key: String,
    version: String,
    is_latest: bool,
    /// The ETag without quotes and the size of a version; nothing of a marker.
    object: Option<(String, u64)>,
}

/// Lists all versions and delete markers of a bucket.
async fn versions(client: &Client, bucket: &str) -> anyhow::Result<Vec<Listed>> {
    let (mut found, mut marker) = (Vec::new(), String::new());
    loop {
        let query = format!("{marker}versions=");
        let answer = client.s3(Method::GET, &format!("/{bucket}"), &query, Bytes::new()).await;
        let text = answer.success()?.text();
        for (is_marker, name) in [(false, "<Version>"), (true, "<DeleteMarker>")] {
            for entry in text.split(name).skip(1) {
                let get = |name| element(entry, name).with_context(|| format!("a listed {name}"));
                let object = match is_marker {
                    true => None,
                    false => Some((unquoted(&get("ETag")?), get("Size")?.parse()?)),
                };
                let (key, version) = (get("Key")?, get("VersionId")?);
                let is_latest = get("IsLatest")? == "true";
                found.push(Listed { key, version, is_latest, object });
            }
        }
        let Some(key) = element(&text, "NextKeyMarker") else { return Ok(found) };
        let version = element(&text, "NextVersionIdMarker").context("a version's marker")?;
        // Parameters stand in the order in which they are signed.
        marker = format!("key-marker={}&version-id-marker={version}&", percent(&key));
    }
}

/// The keys of a bucket with the ETags and sizes of their objects.
async fn objects(client: &Client, bucket: &str) -> anyhow::Result<Vec<(String, String, u64)>> {
    let (mut found, mut after) = (Vec::new(), String::new());
    loop {
        let query = format!("list-type=2{after}");
        let answer = client.s3(Method::GET, &format!("/{bucket}"), &query, Bytes::new()).await;
        let text = answer.success()?.text();
        for entry in text.split("<Contents>").skip(1) {
            let get = |name| element(entry, name).with_context(|| format!("a listed {name}"));
            found.push((get("Key")?, unquoted(&get("ETag")?), get("Size")?.parse()?));
        }
        match found.last() {
            Some((key, ..)) if text.contains("<IsTruncated>true") => {
                after = format!("&start-after={}", percent(key));
            }
            _ => return Ok(found),
        }
    }
}

fn unquoted(etag: &str) -> String {
    etag.replace("&quot;", "").replace("&#34;", "").replace('"', "")
}

/// Reads an object as it is now; nothing if there is none.
async fn read(client: &Client, bucket: &str, key: &str) -> anyhow::Result<Option<Bytes>> {
    let path = format!("/{bucket}/{}", percent(key).replace("%2F", "/"));
    let answer = client.s3(Method::GET, &path, "", Bytes::new()).await.known()?;
    match answer.status {
        200 => Ok(Some(answer.body)),
        404 => Ok(None),
        status => bail!("{path}: status {status}"),
    }
}

/// Reads an object that must be there.
async fn need(client: &Client, bucket: &str, key: &str) -> anyhow::Result<Bytes> {
    read(client, bucket, key).await?.with_context(|| format!("{bucket} has no {key}"))
}

/// How many of these bodies lie in files of their own.
fn large<'a>(sizes: impl IntoIterator<Item = &'a u64>) -> usize {
    sizes.into_iter().filter(|size| **size > FILE_BYTES as u64).count()
}

fn hex_md5(bytes: &[u8]) -> String {
    hex::encode(Md5::digest(bytes))
}
