//! Preparing a job: its manifest is read, as the job's role, and kept as chunks of entries.

use std::io::Write;

use bytes::Bytes;
use flate2::write::MultiGzDecoder;
use fogbank_core::{Arn, Body, Fault, Principal};
use serde_json::{Value, json};

use super::entries::{Columns, Lines};
use super::{Failure, Running, Trouble, generated, may_heal, roles};
use crate::model::{JobManifest, JobManifestFormat, JobManifestGenerator};
use crate::store::{CHUNKS, Chunk, Entry, Status};

/// How many entries a chunk has.
const CHUNK: usize = 100;
/// How many entries are kept in one transaction.
const AT_ONCE: usize = 1000;
/// The most bytes of the `manifest.json` of an inventory.
const MAX_INVENTORY_MANIFEST: usize = 16 << 20;

/// Reads the manifest of a job, from its beginning.
pub(super) async fn read(running: &Running<'_>) -> Result<(), Trouble> {
    let mut filling = Filling { running, waiting: Vec::new(), total: 0 };
    match (&running.asked.manifest, &running.asked.manifest_generator) {
        (Some(manifest), _) => {
            let role = roles::assume(running).await?;
            read_given(running, &role, manifest, &mut filling).await?;
        }
        (None, Some(JobManifestGenerator::S3JobManifestGenerator(made))) => {
            generated::list(running, made, &mut filling).await?;
        }
        (None, _) => return Err(Trouble::Failed(no_columns())),
    }
    filling.flush().await?;
    match filling.total {
        0 => Err(Trouble::Failed(("ManifestIsEmpty", "The manifest has no entries.".to_owned()))),
        _ => Ok(()),
    }
}

/// Entries on their way into chunks.
pub(super) struct Filling<'a> {
    running: &'a Running<'a>,
    waiting: Vec<Entry>,
    total: u64,
}

impl Filling<'_> {
    /// Adds entries, and keeps what waits, if it is enough.
    pub(super) async fn add(&mut self, entries: Vec<Entry>) -> Result<(), Trouble> {
        self.waiting.extend(entries);
        self.settle().await
    }

    /// Keeps what waits, if it is enough for a transaction.
    async fn settle(&mut self) -> Result<(), Trouble> {
        if self.waiting.len() < AT_ONCE {
            return Ok(());
        }
        self.flush().await
    }

    async fn flush(&mut self) -> Result<(), Trouble> {
        let waiting = std::mem::take(&mut self.waiting);
        let (account, region, id) = self.running.key;
        let count = waiting.len() as u64;
        self.total += count;
        let kept = self
            .running
            .change(Status::Preparing, |tx, job| {
                for entries in waiting.chunks(CHUNK) {
                    let key = (&**account, &**region, &**id, job.chunks.1);
                    CHUNKS.put(tx, &key, &Chunk(entries.to_vec()))?;
                    job.chunks.1 += 1;
                }
                job.total = Some(job.total.unwrap_or(0) + count);
                Ok(())
            })
            .await?;
        if kept { Ok(()) } else { Err(Trouble::Ended) }
    }
}

async fn read_given(
    running: &Running<'_>,
    role: &Principal,
    manifest: &JobManifest,
    filling: &mut Filling<'_>,
) -> Result<(), Trouble> {
    let location = &manifest.location;
    let arn = Arn::parse(&location.object_arn);
    let Some((bucket, key)) = arn.and_then(|arn| arn.resource.split_once('/')) else {
        return Err(Trouble::Failed(unreadable("its ARN names no object")));
    };
    let mut input = json!({
        "Bucket": bucket,
        "Key": key,
        "IfMatch": format!("\"{}\"", location.e_tag.trim_matches('"')),
    });
    if let Some(version) = &location.object_version_id {
        input["VersionId"] = version.clone().into();
    }
    let body = get(running, role, input).await?;
    if manifest.spec.format == JobManifestFormat::S3InventoryReportCsv20161130 {
        return read_inventory(running, role, body, filling).await;
    }
    let names = manifest.spec.fields.iter().flatten().map(|field| field.as_str());
    let columns = Columns::named(names).ok_or_else(|| Trouble::Failed(no_columns()))?;
    read_lines(body, columns, false, filling).await
}

fn unreadable(why: &str) -> Failure {
    ("ManifestUnreadable", format!("The manifest cannot be read: {why}"))
}

fn no_columns() -> Failure {
    ("InvalidManifest", "The manifest has no fields Bucket and Key.".to_owned())
}

fn invalid(why: String) -> Trouble {
    Trouble::Failed(("InvalidManifest", why))
}

async fn get(running: &Running<'_>, role: &Principal, input: Value) -> Result<Body, Trouble> {
    match running.cx.call(role.clone(), "s3:GetObject", input).await {
        Ok(reply) => Ok(reply.body),
        Err(fault) if may_heal(&fault) => Err(Trouble::Broken(fault)),
        Err(fault) => Err(Trouble::Failed(unreadable(&fault.to_string()))),
    }
}

/// Reads entries of a body, packed by gzip or not, as it comes.
async fn read_lines(
    mut body: Body,
    columns: Columns,
    is_packed: bool,
    filling: &mut Filling<'_>,
) -> Result<(), Trouble> {
    let mut lines = Lines::new(columns);
    let mut unpacked = MultiGzDecoder::new(Vec::new());
    while let Some(piece) = body.next().await {
        let piece = piece.map_err(|error| Trouble::Broken(Fault::internal(error)))?;
        // A little at a time, since a little may be packed of very much.
        for piece in piece.chunks(8 << 10) {
            if is_packed {
                unpacked.write_all(piece).map_err(|error| invalid(error.to_string()))?;
                let piece = std::mem::take(unpacked.get_mut());
                feed(&mut lines, &piece, filling).await?;
            } else {
                feed(&mut lines, piece, filling).await?;
            }
        }
    }
    if is_packed {
        unpacked.try_finish().map_err(|error| invalid(error.to_string()))?;
        let piece = std::mem::take(unpacked.get_mut());
        feed(&mut lines, &piece, filling).await?;
    }
    lines.feed(b"", &mut filling.waiting).map_err(invalid)?;
    filling.settle().await
}

async fn feed(lines: &mut Lines, piece: &[u8], filling: &mut Filling<'_>) -> Result<(), Trouble> {
    for piece in piece.chunks(8 << 10) {
        lines.feed(piece, &mut filling.waiting).map_err(invalid)?;
        filling.settle().await?;
    }
    Ok(())
}

/// Reads the files of an inventory.
async fn read_inventory(
    running: &Running<'_>,
    role: &Principal,
    body: Body,
    filling: &mut Filling<'_>,
) -> Result<(), Trouble> {
    let text: Bytes = body
        .collect(MAX_INVENTORY_MANIFEST)
        .await
        .map_err(|error| Trouble::Failed(unreadable(&error.to_string())))?;
    let manifest: Value = serde_json::from_slice(&text)
        .map_err(|_| invalid("The manifest of the inventory is no JSON.".to_owned()))?;
    if manifest["fileFormat"] != "CSV" {
        return Err(invalid("The inventory's format is not CSV.".to_owned()));
    }
    let schema = manifest["fileSchema"].as_str().unwrap_or_default();
    let columns = Columns::named(schema.split(',').map(str::trim))
        .ok_or_else(|| Trouble::Failed(no_columns()))?;
    let bucket = manifest["destinationBucket"].as_str().unwrap_or_default();
    let bucket = Arn::parse(bucket).map_or(bucket, |arn| arn.resource);
    for file in manifest["files"].as_array().into_iter().flatten() {
        let key = file["key"].as_str().unwrap_or_default();
        let body = get(running, role, json!({ "Bucket": bucket, "Key": key })).await?;
        read_lines(body, columns, key.ends_with(".gz"), filling).await?;
    }
    Ok(())
}
