//! Orphans: when all that has a body is removed, no file of a body may be left, whatever was killed while it was uploaded.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use http::Method;
use serde_json::{Value, json};

use crate::client::{Call, Client, Outcome};
use crate::lanes::objects::element;
use crate::lanes::snapshots::DELETE;
use crate::lanes::{appends, functions, objects};

/// How long files may stay that nobody names: a minute for those who read them, and the sweep's own pace.
const PATIENCE: Duration = Duration::from_secs(180);

/// Removes all objects, uploads and snapshots, and waits until no file of a body is left.
pub(crate) async fn count(client: &Client, data: &Path) -> anyhow::Result<()> {
    for bucket in [objects::BUCKET, appends::BUCKET, functions::BUCKET] {
        empty(client, bucket).await.with_context(|| format!("emptying {bucket}"))?;
    }
    let listed = client.snapshots().await.success()?.json();
    for snapshot in listed["snapshots"].as_array().into_iter().flatten() {
        let input: Value = json!({ "name": snapshot["name"] });
        client.admin(DELETE, &input).await.success().context("removing a snapshot")?;
    }
    let begun = Instant::now();
    loop {
        let entries = std::fs::read_dir(data.join("blobs"))?;
        let names = entries.map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned()));
        let names: Vec<String> = names.collect::<anyhow::Result<_>>()?;
        let left: Vec<&String> = names.iter().filter(|name| name.ends_with(".blob")).collect();
        if left.is_empty() {
            return Ok(());
        }
        ensure!(begun.elapsed() < PATIENCE, "files that nobody names: {left:?}");
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
}

async fn empty(client: &Client, bucket: &str) -> anyhow::Result<()> {
    loop {
        let text = call(client, Method::GET, bucket, "", "list-type=2").await.success()?.text();
        let entries = text.split("<Contents>").skip(1);
        let keys: Vec<String> = entries.filter_map(|entry| element(entry, "Key")).collect();
        if keys.is_empty() {
            break;
        }
        for key in keys {
            call(client, Method::DELETE, bucket, &key, "").await.success()?;
        }
    }
    loop {
        let text = call(client, Method::GET, bucket, "", "uploads=").await.success()?.text();
        let entries = text.split("<Upload>").skip(1);
        let uploads: Vec<(String, String)> = entries
            .filter_map(|entry| element(entry, "Key").zip(element(entry, "UploadId")))
            .collect();
        if uploads.is_empty() {
            return Ok(());
        }
        for (key, id) in uploads {
            let query = format!("uploadId={id}");
            call(client, Method::DELETE, bucket, &key, &query).await.success()?;
        }
    }
}

async fn call(client: &Client, method: Method, bucket: &str, key: &str, query: &str) -> Outcome {
    let service = if bucket == appends::BUCKET { "s3express" } else { "s3" };
    let path = if key.is_empty() { format!("/{bucket}") } else { format!("/{bucket}/{key}") };
    let (query, headers, body) = (query.to_owned(), Vec::new(), bytes::Bytes::new());
    client.call(Call { service, method, path, query, headers, body }).await
}
