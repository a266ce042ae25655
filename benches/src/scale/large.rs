//! The part about a large object: up in parts, down as a whole and in ranges, each byte looked at.

use std::cell::Cell;
use std::rc::Rc;
use std::time::Instant;

use anyhow::{Context, bail, ensure};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use crc_fast::{CrcAlgorithm, Digest};
use tokio::task::LocalSet;

use super::bucket::texts;
use super::data::scattered;
use super::{Scale, parts::PATIENCE};
use crate::replay::{Bytes, Connection};
use crate::workload::s3_with;

const BUCKET: &str = "scale-object";
const PATH: &str = "/scale-object/large";
/// The size of a part, in bytes.
const PART: u64 = 64 << 20;
/// How much one request asks for where ranges are read, in bytes.
const RANGE: u64 = 8 << 20;
/// The contents repeat after so many bytes, but for a number at the beginning of each block.
const BLOCK: usize = 64 << 10;
/// How many clients send parts and read ranges at once.
const CLIENTS: usize = 4;

/// What the object holds.
struct Contents(Vec<u8>);

impl Contents {
    fn new() -> Contents {
        let words = (0..BLOCK as u64 / 8).flat_map(|n| scattered(n).to_le_bytes());
        Contents(words.collect())
    }

    /// The bytes from `from` on, which begins a block, whole blocks only.
    fn blocks(&self, from: u64, len: u64) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(len as usize);
        let first = from / BLOCK as u64;
        for number in first..first + len / BLOCK as u64 {
            bytes.extend_from_slice(&number.to_le_bytes());
            bytes.extend_from_slice(&self.0[8..]);
        }
        bytes
    }

    /// Whether `bytes` are those that lie at `at`.
    fn are_at(&self, mut at: u64, mut bytes: &[u8]) -> bool {
        while !bytes.is_empty() {
            let (number, within) = (at / BLOCK as u64, (at % BLOCK as u64) as usize);
            let count = (BLOCK - within).min(bytes.len());
            let head = number.to_le_bytes();
            let own = 8_usize.saturating_sub(within).min(count);
            if bytes[..own] != head[within.min(8)..within.min(8) + own]
                || bytes[own..count] != self.0[within + own..within + count]
            {
                return false;
            }
            at += count as u64;
            bytes = &bytes[count..];
        }
        true
    }
}

impl Scale<'_> {
    pub(super) async fn large(&mut self) -> anyhow::Result<()> {
        let host = self.authority.to_owned();
        let size = self.options.large_gib << 30;
        let contents = Rc::new(Contents::new());
        let mut connection = Connection::open(&host).await?;
        connection.exchange(&s3_with(&host, ("PUT", &format!("/{BUCKET}")), &[], &[])).await?;
        let before = self.server.rest(PATIENCE).await;
        let begun = Instant::now();
        let told = upload(&host, size, &contents).await?;
        let cpu = self.server.cpu_seconds().unwrap_or_default() - before;
        self.rates("upload in parts of 64 MiB", size, begun, cpu);
        self.memory("upload");

        self.server.rest(PATIENCE).await;
        self.server.forget_peak();
        let before = self.server.cpu_seconds().unwrap_or_default();
        let begun = Instant::now();
        let crc = download(&host, size, &contents).await?;
        let cpu = self.server.cpu_seconds().unwrap_or_default() - before;
        self.rates("download as a whole", size, begun, cpu);
        self.memory("download as a whole");
        ensure!(told == crc, "the checksum is {crc}, and S3 says {told}");

        self.server.forget_peak();
        let before = self.server.cpu_seconds().unwrap_or_default();
        let begun = Instant::now();
        read_ranges(&host, size, &contents).await?;
        let cpu = self.server.cpu_seconds().unwrap_or_default() - before;
        self.rates("download in ranges of 8 MiB", size, begun, cpu);

        let mut connection = Connection::open(&host).await?;
        let begun = Instant::now();
        let status = connection.exchange(&s3_with(&host, ("DELETE", PATH), &[], &[])).await?;
        ensure!(status == 204, "DeleteObject answered {status}");
        self.say("DeleteObject: time", begun.elapsed().as_secs_f64() * 1e3, "ms");
        self.server.rest(PATIENCE).await;
        Ok(())
    }

    fn rates(&mut self, what: &str, size: u64, begun: Instant, cpu: f64) {
        let mb = size as f64 / 1e6;
        self.say(&format!("{what}: a second"), mb / begun.elapsed().as_secs_f64(), "MB/s");
        self.say(&format!("{what}: a second of the server's CPU"), mb / cpu.max(0.01), "MB");
    }
}

/// Does something for each of the numbers below `count`, some at a time.
async fn each<F, W>(host: &str, count: u64, work: F) -> anyhow::Result<()>
where
    F: Fn(u64, Connection) -> W + Clone + 'static,
    W: Future<Output = anyhow::Result<Connection>> + 'static,
{
    let next = Rc::new(Cell::new(0));
    let local = LocalSet::new();
    let mut clients = Vec::new();
    for _ in 0..CLIENTS {
        let mut connection = Connection::open(host).await?;
        let (next, work) = (Rc::clone(&next), work.clone());
        clients.push(local.spawn_local(async move {
            loop {
                let number = next.get();
                if number >= count {
                    return anyhow::Ok(());
                }
                next.set(number + 1);
                connection = work(number, connection).await?;
            }
        }));
    }
    local.await;
    for client in clients {
        client.await.context("a client panicked")??;
    }
    Ok(())
}

/// Uploads the object; returns the checksum of the whole that S3 tells.
async fn upload(host: &str, size: u64, contents: &Rc<Contents>) -> anyhow::Result<String> {
    let headers = [
        ("x-amz-checksum-algorithm", "CRC64NVME".to_owned()),
        ("x-amz-checksum-type", "FULL_OBJECT".to_owned()),
    ];
    let create = s3_with(host, ("POST", &format!("{PATH}?uploads")), &headers, &[]);
    let (_, answer) = Connection::open(host).await?.exchange_for_body(&create).await?;
    let id = texts(&answer, "UploadId").pop().context("an upload's id")?;
    let (at, all) = (host.to_owned(), Rc::clone(contents));
    let upload_id = id.clone();
    each(host, size / PART, move |number, mut connection| {
        let (host, all) = (at.clone(), Rc::clone(&all));
        let path = format!("{PATH}?partNumber={}&uploadId={upload_id}", number + 1);
        async move {
            let body = all.blocks(number * PART, PART);
            let crc = checksum(&body);
            let headers = [("x-amz-checksum-crc64nvme", crc)];
            let request: Bytes = s3_with(&host, ("PUT", &path), &headers, &body);
            drop(body);
            let (status, answer) = connection.exchange_for_body(&request).await?;
            ensure!(status == 200, "UploadPart: {}", String::from_utf8_lossy(&answer));
            Ok(connection)
        }
    })
    .await?;
    let list = s3_with(host, ("GET", &format!("{PATH}?uploadId={id}")), &[], &[]);
    let (_, answer) = Connection::open(host).await?.exchange_for_body(&list).await?;
    let tags = texts(&answer, "ETag");
    ensure!(tags.len() as u64 == size / PART, "{} parts are listed", tags.len());
    let mut body = String::from("<CompleteMultipartUpload>");
    for (tag, number) in tags.iter().zip(1..) {
        body.push_str(&format!("<Part><PartNumber>{number}</PartNumber><ETag>{tag}</ETag></Part>"));
    }
    body.push_str("</CompleteMultipartUpload>");
    let path = format!("{PATH}?uploadId={id}");
    let complete = s3_with(host, ("POST", &path), &[], body.as_bytes());
    let (status, answer) = Connection::open(host).await?.exchange_for_body(&complete).await?;
    let Some(told) = texts(&answer, "ChecksumCRC64NVME").pop().filter(|_| status == 200) else {
        bail!("CompleteMultipartUpload: {}", String::from_utf8_lossy(&answer));
    };
    Ok(told)
}

fn checksum(bytes: &[u8]) -> String {
    let mut digest = Digest::new(CrcAlgorithm::Crc64Nvme);
    digest.update(bytes);
    STANDARD.encode(digest.finalize().to_be_bytes())
}

/// Reads the object as a whole and compares it; returns its checksum.
async fn download(host: &str, size: u64, contents: &Contents) -> anyhow::Result<String> {
    let mut digest = Digest::new(CrcAlgorithm::Crc64Nvme);
    let (mut at, mut is_right) = (0, true);
    let get = s3_with(host, ("GET", PATH), &[], &[]);
    let take = |bytes: &[u8]| {
        is_right = is_right && contents.are_at(at, bytes);
        at += bytes.len() as u64;
        digest.update(bytes);
    };
    let status = Connection::open(host).await?.exchange_into(&get, take).await?;
    ensure!(status == 200 && is_right && at == size, "GetObject: {status}, {at} bytes, {is_right}");
    Ok(STANDARD.encode(digest.finalize().to_be_bytes()))
}

/// Reads the object in ranges and compares them.
async fn read_ranges(host: &str, size: u64, contents: &Rc<Contents>) -> anyhow::Result<()> {
    let (at, all) = (host.to_owned(), Rc::clone(contents));
    each(host, size / RANGE, move |number, mut connection| {
        let (host, all) = (at.clone(), Rc::clone(&all));
        async move {
            let from = number * RANGE;
            let range = format!("bytes={from}-{}", from + RANGE - 1);
            let get = s3_with(&host, ("GET", PATH), &[("range", range)], &[]);
            let (mut at, mut is_right) = (from, true);
            let take = |bytes: &[u8]| {
                is_right = is_right && all.are_at(at, bytes);
                at += bytes.len() as u64;
            };
            let status = connection.exchange_into(&get, take).await?;
            let is_whole = at == from + RANGE;
            ensure!(status == 206 && is_right && is_whole, "GetObject: {status}, {is_right}");
            Ok(connection)
        }
    })
    .await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn contents_are_compared_from_anywhere() {
        let contents = Contents::new();
        let block = BLOCK as u64;
        let mut bytes = contents.blocks(3 * block, 4 * block);
        assert!(contents.are_at(3 * block, &bytes));
        for from in [0, 1, 7, 8, 9, BLOCK - 1, BLOCK, BLOCK + 5] {
            assert!(contents.are_at(3 * block + from as u64, &bytes[from..]), "{from}");
            assert!(!contents.are_at(2 * block + from as u64, &bytes[from..]), "{from}");
        }
        bytes[2 * BLOCK + 100] ^= 1;
        assert!(!contents.are_at(3 * block, &bytes));
    }
}
