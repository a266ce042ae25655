//! Where backups lie: files, and objects of S3.

use std::fs::{File, OpenOptions};
use std::io::{self, BufReader, Read};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use anyhow::Context;
use bytes::Bytes;
use fogbank_core::Body;
use fogbank_core::store::{self, SnapshotInfo};
use fogbank_gateway::client::Target;
use fogbank_gateway::objects::RemoteObject;
use tokio::runtime::Runtime;
use tokio::sync::mpsc;

/// Size of the parts of an upload in bytes. There can be 10,000, and one is in memory at a time.
const PART_BYTES: usize = 64 << 20;
/// Size of what is read at once.
const PIECE_BYTES: usize = 256 << 10;
/// Pieces that wait for a slow reader.
const PIECES: usize = 8;

/// A file or an object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    File(PathBuf),
    Object { bucket: String, key: String },
}

impl FromStr for Place {
    type Err = String;

    fn from_str(text: &str) -> Result<Place, String> {
        let Some(rest) = text.strip_prefix("s3://") else {
            return Ok(Place::File(PathBuf::from(text)));
        };
        match rest.split_once('/') {
            Some((bucket, key)) if !bucket.is_empty() && !key.is_empty() && !key.ends_with('/') => {
                Ok(Place::Object { bucket: bucket.to_owned(), key: key.to_owned() })
            }
            _ => Err("an object is named as s3://BUCKET/KEY".to_owned()),
        }
    }
}

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Place::File(path) => path.display().fmt(f),
            Place::Object { bucket, key } => write!(f, "s3://{bucket}/{key}"),
        }
    }
}

/// The object of a bucket at `endpoint`, or of AWS. The bucket may belong to another cloud than the one that is backed
/// up, so that variables of its own go before the usual ones.
fn remote(bucket: &str, key: &str, endpoint: Option<&str>) -> anyhow::Result<RemoteObject> {
    let given = |name: &str| {
        let value = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
        value(&format!("BACKUP_{name}")).or_else(|| value(name))
    };
    let region = given("AWS_REGION").or_else(|| given("AWS_DEFAULT_REGION"));
    let region = region.unwrap_or_else(|| "us-east-1".to_owned());
    let endpoint = match endpoint {
        Some(endpoint) => endpoint.to_owned(),
        None => format!("https://s3.{region}.amazonaws.com"),
    };
    let needed = "the bucket needs BACKUP_AWS_ACCESS_KEY_ID and BACKUP_AWS_SECRET_ACCESS_KEY, or the same without BACKUP_";
    let target = Target {
        endpoint,
        access_key_id: given("AWS_ACCESS_KEY_ID").context(needed)?,
        secret: given("AWS_SECRET_ACCESS_KEY").context(needed)?,
        session_token: given("AWS_SESSION_TOKEN"),
        region,
    };
    Ok(RemoteObject::new(target, bucket, key)?)
}

/// Writes a backup as it comes, and leaves it there only if it is whole and undamaged.
pub(crate) async fn write(
    place: &Place,
    endpoint: Option<&str>,
    body: Body,
) -> anyhow::Result<SnapshotInfo> {
    match place {
        Place::File(path) => write_file(path, body).await,
        Place::Object { bucket, key } => write_object(&remote(bucket, key, endpoint)?, body).await,
    }
}

async fn write_file(target: &Path, mut body: Body) -> anyhow::Result<SnapshotInfo> {
    let mut name = target.file_name().context("name a file")?.to_owned();
    name.push(".unfinished");
    let unfinished = target.with_file_name(name);
    let context = || format!("cannot write {}", target.display());
    let written = async {
        // It holds secrets, and maybe the key of all others.
        let mut options = OpenOptions::new();
        options.write(true).create(true).truncate(true).mode(0o600);
        let mut file = options.open(&unfinished).with_context(context)?;
        while let Some(piece) = body.next().await {
            io::Write::write_all(&mut file, &piece.map_err(ended)?).with_context(context)?;
        }
        file.sync_all().with_context(context)?;
        // What is on the disk is what counts.
        verify(&mut BufReader::with_capacity(
            PIECE_BYTES,
            File::open(&unfinished).with_context(context)?,
        ))
    };
    let info = written.await.inspect_err(|_| {
        let _ = std::fs::remove_file(&unfinished);
    })?;
    std::fs::rename(&unfinished, target).with_context(context)?;
    Ok(info)
}

async fn write_object(object: &RemoteObject, mut body: Body) -> anyhow::Result<SnapshotInfo> {
    let (sender, receiver) = mpsc::channel(PIECES);
    let verified = tokio::task::spawn_blocking(move || verify(&mut Pieces::new(receiver)));
    let mut upload = object.upload().await?;
    let sent = async {
        let mut part = Vec::with_capacity(PART_BYTES);
        while let Some(piece) = body.next().await {
            let piece = piece.map_err(ended)?;
            part.extend_from_slice(&piece);
            // Who verifies has ended early if the backup is damaged, and says why below.
            let _ = sender.send(Ok(piece)).await;
            if part.len() >= PART_BYTES {
                let full = std::mem::replace(&mut part, Vec::with_capacity(PART_BYTES));
                upload.part(full.into()).await?;
            }
        }
        drop(sender);
        upload.part(part.into()).await?;
        verified.await.context("the backup could not be verified")?
    };
    match sent.await {
        Ok(info) => {
            upload.complete().await?;
            Ok(info)
        }
        Err(error) => {
            // Parts that stay cost money, but the first error is the one to be told.
            let _ = upload.abort().await;
            Err(error)
        }
    }
}

/// Has `read` read what is at a place.
pub(crate) fn read<T: Send>(
    place: &Place,
    endpoint: Option<&str>,
    read: impl FnOnce(&mut dyn Read) -> anyhow::Result<T> + Send,
) -> anyhow::Result<T> {
    match place {
        Place::File(path) => {
            let file = File::open(path).with_context(|| format!("cannot read {place}"))?;
            read(&mut BufReader::with_capacity(PIECE_BYTES, file))
        }
        Place::Object { bucket, key } => {
            let object = remote(bucket, key, endpoint)?;
            let runtime = Runtime::new().context("cannot start the runtime")?;
            let (sender, receiver) = mpsc::channel(PIECES);
            std::thread::scope(|scope| {
                let reading = scope.spawn(|| read(&mut Pieces::new(receiver)));
                let fetched = runtime.block_on(async {
                    let mut body = object.get().await?;
                    while let Some(piece) = body.next().await {
                        let piece = piece.map_err(|error| io::Error::other(error.to_string()));
                        let is_end = piece.is_err() | sender.send(piece).await.is_err();
                        if is_end {
                            break;
                        }
                    }
                    anyhow::Ok(())
                });
                drop(sender);
                let done = reading.join();
                fetched?;
                done.unwrap_or_else(|_| Err(anyhow::anyhow!("the backup could not be read")))
            })
        }
    }
}

/// Checks that a stream is a whole backup, and nothing else.
pub(crate) fn verify(input: &mut dyn Read) -> anyhow::Result<SnapshotInfo> {
    let (_, mut input) = crate::root_key::of_backup(input)?;
    let info = store::verify_backup(&mut input).context("this is no whole backup")?;
    let more = input.read(&mut [0]).context("cannot read to the end")?;
    anyhow::ensure!(more == 0, "there is more after the end of the backup");
    Ok(info)
}

fn ended(error: impl std::fmt::Display) -> anyhow::Error {
    anyhow::anyhow!("the backup ended early: {error}")
}

/// Reads what another thread sends.
struct Pieces {
    receiver: mpsc::Receiver<io::Result<Bytes>>,
    piece: Bytes,
}

impl Pieces {
    fn new(receiver: mpsc::Receiver<io::Result<Bytes>>) -> Pieces {
        Pieces { receiver, piece: Bytes::new() }
    }
}

impl Read for Pieces {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        while self.piece.is_empty() {
            match self.receiver.blocking_recv() {
                Some(piece) => self.piece = piece?,
                None => return Ok(0),
            }
        }
        let len = out.len().min(self.piece.len());
        out[..len].copy_from_slice(&self.piece.split_to(len));
        Ok(len)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn objects_are_told_from_files() {
        let object = Place::Object { bucket: "b".to_owned(), key: "a/c".to_owned() };
        assert_eq!("s3://b/a/c".parse(), Ok(object));
        assert_eq!("dir/file".parse(), Ok(Place::File(PathBuf::from("dir/file"))));
        for text in ["s3://", "s3://b", "s3://b/", "s3:///k", "s3://b/folder/"] {
            assert!(text.parse::<Place>().is_err(), "{text}");
        }
    }
}
