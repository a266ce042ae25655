//! `fogbank backup` and `fogbank restore`: the state as one file or object, checked when it is written
//! and when it is read.

use std::io::{self, BufWriter, Write};
use std::process::ExitCode;

use anyhow::Context;
use fogbank_core::store::{self, SnapshotInfo};
use fogbank_core::{Body, BoxFuture, Cx, Fault};
use fogbank_gateway::{AdminRoute, AdminRun};
use futures_util::stream;
use serde_json::{Value, json};
use tokio::sync::mpsc;

use crate::admin_client::{self, AdminClient};
use crate::cli::{BackupOptions, RestoreOptions};
use crate::places::{self, Place};
use crate::root_key;
use crate::snapshots::fault;

const PATH: &str = "/_fogbank/backup";
/// Pieces of a backup that wait for a slow reader.
const PIECES: usize = 8;
/// Size of a piece in bytes.
const PIECE_BYTES: usize = 256 << 10;

/// The call.
pub(crate) const ROUTES: &[AdminRoute] =
    &[AdminRoute { method: "POST", path: PATH, action: "Backup", run: AdminRun::Download(send) }];

type Piece = Result<bytes::Bytes, io::Error>;

fn send(cx: Cx, input: Value) -> BoxFuture<'static, Result<Body, Fault>> {
    Box::pin(async move {
        let name = input["snapshot"].as_str().map(str::to_owned);
        let snapshots = cx.db().snapshots().clone();
        if let Some(name) = &name
            && !snapshots.list().iter().any(|info| info.name == *name)
        {
            return Err(fault(store::Error::NoSuchSnapshot(name.clone())));
        }
        let now = cx.clock().machine_now().millis();
        let (sender, receiver) = mpsc::channel::<Piece>(PIECES);
        tokio::task::spawn_blocking(move || {
            let mut out = BufWriter::with_capacity(PIECE_BYTES, Pieces(sender.clone()));
            if let Err(error) = snapshots.backup(name.as_deref(), now, &mut out) {
                tracing::error!(%error, "a backup could not be completed");
                // The answer ends without its end, which its reader notices.
                let _ = sender.blocking_send(Err(io::Error::other("the backup failed")));
            }
        });
        let pieces = stream::unfold(receiver, async |mut receiver| {
            let piece = receiver.recv().await?;
            Some((piece.map_err(Into::into), receiver))
        });
        Ok(Body::stream(None, pieces))
    })
}

/// Hands what is written to whoever sends it on.
struct Pieces(mpsc::Sender<Piece>);

impl Write for Pieces {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let piece = bytes::Bytes::copy_from_slice(bytes);
        self.0.blocking_send(Ok(piece)).map_err(|_| io::ErrorKind::BrokenPipe)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Runs `fogbank backup`.
pub(crate) fn backup(options: &BackupOptions) -> anyhow::Result<ExitCode> {
    let client = AdminClient::new(&options.admin)?;
    let head = options.with_root_key.as_deref().map(root_key::for_backup).transpose()?;
    let info = client.runtime.block_on(async {
        let body = client.http.download(PATH, &json!({ "snapshot": options.snapshot })).await?;
        let body = match head {
            None => body,
            Some(head) => behind(head.into(), body),
        };
        places::write(&options.to, options.s3_endpoint.as_deref(), body).await
    })?;
    admin_client::print(&options.admin, &show(&options.to, &info), |answer| {
        format!("Wrote and verified {}.", sizes(answer))
    })?;
    Ok(ExitCode::SUCCESS)
}

/// A body behind a first piece.
fn behind(head: bytes::Bytes, body: Body) -> Body {
    let pieces = stream::unfold((Some(head), body), async |(head, mut body)| {
        let piece = match head {
            Some(head) => Ok(head),
            None => body.next().await?,
        };
        Some((piece, (None, body)))
    });
    Body::stream(None, pieces)
}

/// Runs `fogbank restore`.
pub(crate) fn restore(options: &RestoreOptions) -> anyhow::Result<ExitCode> {
    let endpoint = options.s3_endpoint.as_deref();
    let info = places::read(&options.from, endpoint, |input| match &options.data_dir {
        Some(target) => {
            let (key, mut input) = root_key::of_backup(input)?;
            let info = store::restore_backup(&mut input, &store::Options::new(target))?;
            if let Some(key) = key {
                let path = target.join(root_key::FILE);
                let failed = || format!("cannot create {}", path.display());
                root_key::create(target, &path, &key).with_context(failed)?;
            }
            Ok(info)
        }
        None => places::verify(input),
    })?;
    let answer = show(&options.from, &info);
    let text = match options.json {
        true => serde_json::to_string_pretty(&answer)?,
        false if options.verify => format!("Verified {}.", sizes(&answer)),
        false => format!("Restored {}.", sizes(&answer)),
    };
    writeln!(io::stdout(), "{text}").context("cannot write to stdout")?;
    Ok(ExitCode::SUCCESS)
}

fn show(place: &Place, info: &SnapshotInfo) -> Value {
    json!({
        "place": place.to_string(),
        "created_millis": info.created_millis,
        "rows": info.rows,
        "row_bytes": info.row_bytes,
        "blobs": info.blobs,
        "blob_bytes": info.blob_bytes,
    })
}

fn sizes(answer: &Value) -> String {
    let [rows, row_bytes, blobs, blob_bytes] =
        ["rows", "row_bytes", "blobs", "blob_bytes"].map(|member| &answer[member]);
    let place = answer["place"].as_str().unwrap_or_default();
    format!("{place}: {rows} rows of {row_bytes} bytes, {blobs} blobs of {blob_bytes} bytes")
}
