//! Inventories under faults: a report that is told of is whole, and in the end there is one, however often its writing died.
//!
//! The keys are long and random, so that a report of CSV has two files. After each kill some objects come and others go,
//! so that a file that is written again has other lines than before. Those that were there all the time stand in a
//! report once; what came or went may stand in it or not.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Read as _;
use std::path::Path;

use anyhow::{Context, ensure};
use bytes::Bytes;
use flate2::read::GzDecoder;
use http::Method;
use rand::Rng;
use rand::rngs::StdRng;
use serde_json::{Value, json};
use tokio::task::JoinSet;

use super::{
    Listed, Played, Progress, Scene, Turn, document, hex_md5, large, make_bucket, need, objects,
    percent, play, read, versions,
};
use crate::client::Client;
use crate::server::Launch;

/// The bucket that is listed, and the one for the reports.
const SOURCE: &str = "source";
const REPORTS: &str = "reports";
/// How many keys there are: lines for more than one file of 8 MiB.
const KEYS: usize = 14_000;
/// How many of these have a second version, or are removed.
const CHANGED: usize = 200;
const SIDE_BY_SIDE: usize = 32;
/// The formats, which are the ids of the inventories.
const FORMATS: [&str; 2] = ["CSV", "Parquet"];
/// When the reports are due.
const DUE: &str = "2030-01-01T12:00:00Z";
/// How many keys come and go after a kill.
const COMING: usize = 4;

/// Plays rounds of inventories.
pub async fn inventories(
    launch: &Launch,
    scratch: &Path,
    seed: u64,
    rounds: u64,
) -> anyhow::Result<Played> {
    play(Inventories::default(), launch, scratch, seed, rounds).await
}

#[derive(Clone, Default)]
struct Inventories {
    /// The versions that are there all the time.
    staying: BTreeMap<(String, String), Listed>,
    /// Keys whose versions came or went since.
    unsteady: BTreeSet<String>,
}

impl Scene for Inventories {
    const SPAN_MILLIS: u64 = 4000;

    async fn fill(&mut self, client: &Client, random: &mut StdRng) -> anyhow::Result<()> {
        make_bucket(client, SOURCE, true).await?;
        make_bucket(client, REPORTS, false).await?;
        let policy = json!({ "Version": "2012-10-17", "Statement": [{
            "Effect": "Allow", "Principal": { "Service": "s3.amazonaws.com" },
            "Action": "s3:PutObject", "Resource": format!("arn:aws:s3:::{REPORTS}/*"),
        }]});
        document(client, REPORTS, "policy=", &policy.to_string()).await?;
        let keys: Vec<String> = (0..KEYS).map(|_| key(random)).collect();
        let mut changes: Vec<(Method, String)> = Vec::new();
        changes.extend(keys.iter().map(|key| (Method::PUT, key.clone())));
        send(client, changes.split_off(0)).await?;
        changes.extend(keys.iter().take(CHANGED).map(|key| (Method::PUT, key.clone())));
        changes
            .extend(keys.iter().skip(CHANGED).take(CHANGED).map(|k| (Method::DELETE, k.clone())));
        send(client, changes).await?;
        for listed in versions(client, SOURCE).await? {
            self.staying.insert((listed.key.clone(), listed.version.clone()), listed);
        }
        ensure!(self.staying.len() == KEYS + 2 * CHANGED, "{} versions", self.staying.len());
        for format in FORMATS {
            let query = format!("id={format}&inventory=");
            document(client, SOURCE, &query, &configuration(format)).await?;
        }
        Ok(())
    }

    async fn work(&mut self, client: &Client, _: &mut StdRng, _: Turn) -> anyhow::Result<()> {
        // A time and no span: what had no answer may have happened, and one report is to be due.
        let change = client.admin("/_fogbank/clock", &json!({ "freeze": DUE })).await;
        change.success().map(drop)
    }

    async fn stir(&mut self, client: &Client, random: &mut StdRng) -> anyhow::Result<()> {
        let steady: Vec<String> = self.staying.keys().map(|(key, _)| key.clone()).collect();
        let mut changes = Vec::new();
        for _ in 0..COMING {
            changes.push((Method::PUT, key(random)));
            changes.push((Method::DELETE, steady[random.random_range(0..steady.len())].clone()));
        }
        self.unsteady.extend(changes.iter().map(|(_, key)| key.clone()));
        send(client, changes).await
    }

    async fn look(&mut self, client: &Client) -> anyhow::Result<Progress> {
        let files: BTreeMap<String, (String, u64)> = objects(client, REPORTS)
            .await?
            .into_iter()
            .map(|(key, etag, size)| (key, (etag, size)))
            .collect();
        let mut told = BTreeSet::new();
        for key in files.keys().filter(|key| key.ends_with("/manifest.checksum")) {
            let format = self.check(client, key, &files).await.with_context(|| key.clone())?;
            told.insert(format);
        }
        Ok(match told.len() {
            0 if files.is_empty() => Progress::Nothing,
            count if count == FORMATS.len() => Progress::Done,
            _ => Progress::Half,
        })
    }

    async fn compare(&mut self, client: &Client) -> anyhow::Result<usize> {
        let files = objects(client, REPORTS).await?;
        for format in FORMATS {
            let is_data = |key: &str| key.starts_with(&format!("{SOURCE}/{format}/data/"));
            ensure!(files.iter().any(|(key, ..)| is_data(key)), "{format} has no files");
        }
        Ok(large(files.iter().map(|(_, _, size)| size)))
    }
}

impl Inventories {
    /// Holds a report that was told of against what there is; returns the id of its inventory.
    async fn check(
        &self,
        client: &Client,
        checksum: &str,
        files: &BTreeMap<String, (String, u64)>,
    ) -> anyhow::Result<String> {
        let (folder, _) = checksum.rsplit_once('/').context("a folder")?;
        let manifest = need(client, REPORTS, &format!("{folder}/manifest.json")).await?;
        let told = need(client, REPORTS, checksum).await?;
        ensure!(told == hex_md5(&manifest), "the manifest's checksum is wrong");
        let manifest: Value = serde_json::from_slice(&manifest).context("the manifest")?;
        let mut lines = Vec::new();
        let listed = manifest["files"].as_array().context("files")?;
        for file in listed {
            let key = file["key"].as_str().context("a key")?;
            let (etag, size) = files.get(key).with_context(|| format!("there is no {key}"))?;
            ensure!(file["size"].as_u64() == Some(*size), "{key} has {size} bytes: {file}");
            ensure!(file["MD5checksum"].as_str() == Some(etag), "{key} is {etag}: {file}");
            let bytes = need(client, REPORTS, key).await?;
            ensure!(hex_md5(&bytes) == *etag, "{key} has other bytes than its ETag says");
            if key.ends_with(".csv.gz") {
                let mut text = String::new();
                GzDecoder::new(&bytes[..]).read_to_string(&mut text).context("unpacking")?;
                lines.extend(text.lines().map(str::to_owned));
            } else {
                ensure!(bytes.starts_with(b"PAR1") && bytes.ends_with(b"PAR1"), "no Parquet");
            }
        }
        let format = checksum.split('/').nth(1).context("an id")?;
        if format == "CSV" {
            ensure!(listed.len() > 1, "a report of one file shows little");
            self.check_lines(&lines)?;
        }
        let links = format!("{SOURCE}/{format}/hive/");
        let link = files.keys().find(|key| key.starts_with(&links)).context("no symlink.txt")?;
        let links = read(client, REPORTS, link).await?.unwrap_or_default();
        let count = String::from_utf8_lossy(&links).lines().count();
        ensure!(count == listed.len(), "symlink.txt has {count} lines for {}", listed.len());
        Ok(format.to_owned())
    }

    /// Each version that stayed has one line with what it is; no version has two.
    fn check_lines(&self, lines: &[String]) -> anyhow::Result<()> {
        let mut seen = BTreeSet::new();
        for line in lines {
            let fields: Vec<&str> = line.split(',').map(|field| field.trim_matches('"')).collect();
            let [bucket, key, version, is_latest, is_marker, size, etag] = fields[..] else {
                anyhow::bail!("a line with other fields: {line}");
            };
            let of = (key.to_owned(), version.to_owned());
            ensure!(seen.insert(of.clone()), "two lines of {of:?}");
            ensure!(bucket == SOURCE, "a line of another bucket: {line}");
            let Some(listed) = self.staying.get(&of) else {
                ensure!(self.unsteady.contains(key), "a line of what was never there: {line}");
                continue;
            };
            let object = listed.object.as_ref().map(|(etag, size)| (&**etag, size.to_string()));
            let told = (is_marker != "true").then(|| (etag, size.to_owned()));
            ensure!(told == object, "{line} is not {listed:?}");
            let is_right = is_latest == listed.is_latest.to_string();
            ensure!(is_right || self.unsteady.contains(key), "{line} is not {listed:?}");
        }
        let lost = self.staying.keys().find(|of| !seen.contains(*of));
        ensure!(lost.is_none(), "no line of {lost:?}");
        Ok(())
    }
}

/// A key as long as keys may be, which does not pack well.
fn key(random: &mut StdRng) -> String {
    const LETTERS: &[u8; 62] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
    (0..1024).map(|_| char::from(LETTERS[random.random_range(0..LETTERS.len())])).collect()
}

fn configuration(format: &str) -> String {
    format!(
        "<InventoryConfiguration><Id>{format}</Id><IsEnabled>true</IsEnabled>\
         <IncludedObjectVersions>All</IncludedObjectVersions>\
         <Destination><S3BucketDestination><Bucket>arn:aws:s3:::{REPORTS}</Bucket>\
         <Format>{format}</Format></S3BucketDestination></Destination>\
         <Schedule><Frequency>Daily</Frequency></Schedule><OptionalFields><Field>Size</Field>\
         <Field>ETag</Field></OptionalFields></InventoryConfiguration>"
    )
}

/// Writes and removes objects, many at a time.
async fn send(client: &Client, changes: Vec<(Method, String)>) -> anyhow::Result<()> {
    let mut under_way = JoinSet::new();
    for (method, key) in changes {
        if under_way.len() == SIDE_BY_SIDE {
            under_way.join_next().await.context("a change")???;
        }
        let client = client.clone();
        under_way.spawn(async move {
            let path = format!("/{SOURCE}/{}", percent(&key));
            let bytes = if method == Method::PUT { key.into_bytes() } else { Vec::new() };
            let sent = client.s3(method, &path, "", Bytes::from(bytes)).await;
            sent.success().map(drop)
        });
    }
    while let Some(sent) = under_way.join_next().await {
        sent??;
    }
    Ok(())
}
