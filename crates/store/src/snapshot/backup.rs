//! Backups: a whole state, rows and blobs, as one stream of bytes that is checked when it is read.
//!
//! The stream is `fogbank backup 1` and a line feed, then records: kind (one byte), length of the payload (`u32`),
//! CRC-64/NVME of kind and payload (`u64`, both numbers little endian), and the payload.
//!
//! | kind | payload |
//! |---|---|
//! | `I` | [`Preface`], once, first |
//! | `R` | a block of rows, packed as in a snapshot, in the order of the keys |
//! | `B` | [`BlobHeader`] of the blob whose bytes follow |
//! | `D` | up to 1 MiB of its bytes |
//! | `E` | [`SnapshotInfo`], once, last: a stream without it is not whole |

use std::fs;
use std::io;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use crc_fast::{CrcAlgorithm, Digest};
use serde::{Deserialize, Serialize};

use super::file::{Packer, unpack};
use super::{SnapshotInfo, Snapshots, tally};
use crate::blob::{BlobHeader, Export, Import, Tally};
use crate::engine::disk::DiskEngine;
use crate::engine::{Engine, Sink, Survives};
use crate::layout::Directory;
use crate::row::Value;
use crate::{Error, Options, ReadTx, WriteTx, meta, row};

const HEAD: &[u8; 17] = b"fogbank backup 1\n";
/// The most that a record may claim to hold: a row as large as there can be, and some more.
const MAX_RECORD_BYTES: usize = 32 << 20;
const RECORD_HEAD_BYTES: usize = 13;

/// What the reader must know before the first row.
#[derive(Debug, Serialize, Deserialize)]
struct Preface {
    /// How often the database had been opened: blobs are numbered by that.
    opened: u32,
    version: u64,
}
row!(Preface, 1);
row!(SnapshotInfo, 1);

impl Snapshots {
    /// Writes a backup of a snapshot, or of the present for `None`, while the cloud runs. `created_millis` is what it says
    /// of its time. Blocks until `out` has taken it all.
    pub fn backup(
        &self,
        name: Option<&str>,
        created_millis: i64,
        out: &mut dyn io::Write,
    ) -> Result<SnapshotInfo, Error> {
        let blobs = &self.inner.blobs;
        let view = match name {
            Some(name) => {
                let rows = self.find(name)?.rows;
                blobs.held().add(rows.clone());
                rows
            }
            None => blobs.hold_present()?,
        };
        let written = self.write_backup(&ReadTx::new(view.clone()), name, created_millis, out);
        blobs.held().remove(&view);
        written
    }

    fn write_backup(
        &self,
        tx: &ReadTx,
        name: Option<&str>,
        created_millis: i64,
        out: &mut dyn io::Write,
    ) -> Result<SnapshotInfo, Error> {
        let version = self.inner.committer.version();
        let mut out = Records { out };
        out.out.write_all(HEAD).map_err(failed)?;
        out.row(b'I', &Preface { opened: self.inner.blobs.epoch(), version })?;
        let mut packer = Packer::default();
        let info = SnapshotInfo {
            name: name.unwrap_or_default().to_owned(),
            created_millis,
            parent: meta::BASE.get(tx, &())?,
            version,
            rows: 0,
            row_bytes: 0,
            blobs: 0,
            blob_bytes: 0,
        };
        let info = tally(tx, info, &mut |key, value| {
            if packer.add(key, value)
                && let Some((_, block)) = packer.take()
            {
                out.put(b'R', &block)?;
            }
            Ok(())
        })?;
        if let Some((_, block)) = packer.take() {
            out.put(b'R', &block)?;
        }
        let mut export = Export::new(tx);
        while let Some((header, mut reader)) = export.next(&self.inner.blobs)? {
            out.row(b'B', &header)?;
            while let Some(frame) = reader.next_frame() {
                for piece in frame?.chunks(1 << 20) {
                    out.put(b'D', piece)?;
                }
            }
        }
        out.row(b'E', &info)?;
        out.out.flush().map_err(failed)?;
        Ok(info)
    }
}

/// Reads a backup to its end and checks that it is whole and undamaged, without keeping anything of it.
pub fn verify_backup(input: &mut dyn io::Read) -> Result<SnapshotInfo, Error> {
    let mut input = Input::open(input)?;
    let rows = input.rows(&mut |_, _| Ok(()))?;
    let mut blobs = Tally::default();
    while let Some(header) = input.blob()? {
        let mut sum = header.check();
        while let Some(bytes) = input.data()? {
            sum.add(&bytes);
        }
        sum.finish()?;
        blobs.blobs += 1;
        blobs.bytes += header.len;
    }
    input.end(&rows, &blobs)
}

/// Makes a data directory of a backup, checking all of it on the way. The directory must not exist, or be empty; it
/// appears when it is complete. Blocks.
pub fn restore_backup(input: &mut dyn io::Read, options: &Options) -> Result<SnapshotInfo, Error> {
    let target = &options.path;
    let failed = |error| Error::io(format!("restoring to {}", target.display()), error);
    if target.exists() {
        // Fails, as it should, if there is anything in it.
        fs::remove_dir(target).map_err(failed)?;
    }
    let unfinished = unfinished(target);
    if unfinished.exists() {
        fs::remove_dir_all(&unfinished).map_err(failed)?;
    }
    let restored = restore_into(input, &Options { path: unfinished.clone(), ..options.clone() });
    match restored {
        Ok(info) => {
            fs::rename(&unfinished, target).map_err(failed)?;
            let parent = target.parent().filter(|parent| !parent.as_os_str().is_empty());
            let parent = parent.unwrap_or(Path::new("."));
            fs::File::open(parent).and_then(|folder| folder.sync_all()).map_err(failed)?;
            Ok(info)
        }
        Err(error) => {
            // It is removed at the next try, too.
            let _ = fs::remove_dir_all(&unfinished);
            Err(error)
        }
    }
}

fn unfinished(target: &Path) -> PathBuf {
    let mut name = target.file_name().unwrap_or_default().to_owned();
    name.push(".restoring");
    target.with_file_name(name)
}

fn restore_into(input: &mut dyn io::Read, options: &Options) -> Result<SnapshotInfo, Error> {
    let mut input = Input::open(input)?;
    let directory = Directory::open(&options.path)?;
    let blobs = directory.blobs();
    let empty = DiskEngine::open(
        directory,
        options.cache_bytes,
        options.memtable_bytes,
        Survives::PowerCut,
    )?;
    let mut rows = Counted::default();
    let engine = empty.rebuild(&mut |sink| {
        rows = input.rows(sink)?;
        Ok(())
    })?;
    let mut import = Import::new(blobs, ReadTx::new(engine.view()?))?;
    while let Some(header) = input.blob()? {
        let mut blob = import.begin(&header)?;
        while let Some(bytes) = input.data()? {
            blob.write(bytes)?;
        }
        blob.finish()?;
    }
    let imported = import.finish()?;
    let info = input.end(&rows, &imported)?;
    let mut tx = WriteTx::upon(engine.view()?, input.preface.version);
    meta::META.put(&mut tx, meta::VERSION, &input.preface.version)?;
    meta::META.put(&mut tx, meta::OPENED, &u64::from(input.preface.opened))?;
    engine.commit(&tx.own, Survives::PowerCut)?;
    engine.flush()?;
    engine.take_over()?;
    empty.retire();
    Ok(info)
}

fn failed(error: io::Error) -> Error {
    Error::io("writing the backup", error)
}

fn damaged(why: impl Into<String>) -> Error {
    Error::corrupt("the backup", why)
}

struct Records<'o> {
    out: &'o mut dyn io::Write,
}

impl Records<'_> {
    fn row<V: Value>(&mut self, kind: u8, value: &V) -> Result<(), Error> {
        let mut bytes = Vec::new();
        value.encode(&mut bytes)?;
        self.put(kind, &bytes)
    }

    fn put(&mut self, kind: u8, payload: &[u8]) -> Result<(), Error> {
        let len = u32::try_from(payload.len()).unwrap_or(u32::MAX);
        let mut head = [0; RECORD_HEAD_BYTES];
        head[0] = kind;
        head[1..5].copy_from_slice(&len.to_le_bytes());
        head[5..].copy_from_slice(&sum_of(kind, payload).to_le_bytes());
        self.out.write_all(&head).and_then(|()| self.out.write_all(payload)).map_err(failed)
    }
}

/// What the rows of a backup were.
#[derive(Default)]
struct Counted {
    rows: u64,
    bytes: u64,
    blobs: Tally,
}

struct Input<'i> {
    input: &'i mut dyn io::Read,
    preface: Preface,
    /// The record that was read but is for the next to ask.
    next: Option<(u8, Bytes)>,
}

impl<'i> Input<'i> {
    fn open(input: &'i mut dyn io::Read) -> Result<Input<'i>, Error> {
        let mut head = [0; HEAD.len()];
        input.read_exact(&mut head).map_err(read_failed)?;
        if &head != HEAD {
            return Err(damaged("it does not begin as a backup of format 1 does"));
        }
        let Some((b'I', preface)) = record(input)? else {
            return Err(damaged("its first record is missing"));
        };
        let next = record(input)?;
        Ok(Input { input, preface: Preface::decode(preface)?, next })
    }

    /// Takes the next record if it is of this kind.
    fn take(&mut self, kind: u8) -> Result<Option<Bytes>, Error> {
        match self.next.take_if(|next| next.0 == kind) {
            Some((_, payload)) => {
                self.next = if kind == b'E' { None } else { record(self.input)? };
                Ok(Some(payload))
            }
            None => Ok(None),
        }
    }

    fn rows(&mut self, sink: &mut Sink<'_>) -> Result<Counted, Error> {
        let mut counted = Counted::default();
        let mut last = Vec::new();
        while let Some(block) = self.take(b'R')? {
            let _ = unpack(&block, |key, value| {
                if counted.rows > 0 && key <= &last[..] {
                    return Err(damaged("its rows are not in order"));
                }
                key.clone_into(&mut last);
                counted.rows += 1;
                counted.bytes += (key.len() + value.len()) as u64;
                counted.blobs.count(key, value)?;
                sink(key, value)?;
                Ok(ControlFlow::Continue(()))
            })?;
        }
        Ok(counted)
    }

    fn blob(&mut self) -> Result<Option<BlobHeader>, Error> {
        self.take(b'B')?.map(BlobHeader::decode).transpose()
    }

    fn data(&mut self) -> Result<Option<Bytes>, Error> {
        self.take(b'D')
    }

    /// Checks that nothing was left out.
    fn end(&mut self, rows: &Counted, blobs: &Tally) -> Result<SnapshotInfo, Error> {
        let Some(end) = self.take(b'E')? else {
            return Err(damaged("it ends before its last record"));
        };
        let info = SnapshotInfo::decode(end)?;
        let whole = rows.rows == info.rows
            && rows.bytes == info.row_bytes
            && (rows.blobs.blobs, rows.blobs.bytes) == (info.blobs, info.blob_bytes)
            && (blobs.blobs, blobs.bytes) == (info.blobs, info.blob_bytes);
        if whole { Ok(info) } else { Err(damaged("it has not got all that it should have")) }
    }
}

fn read_failed(error: io::Error) -> Error {
    if error.kind() == io::ErrorKind::UnexpectedEof {
        return damaged("it ends too early");
    }
    Error::io("reading the backup", error)
}

fn sum_of(kind: u8, payload: &[u8]) -> u64 {
    let mut digest = Digest::new(CrcAlgorithm::Crc64Nvme);
    digest.update(&[kind]);
    digest.update(payload);
    digest.finalize()
}

fn record(input: &mut dyn io::Read) -> Result<Option<(u8, Bytes)>, Error> {
    let mut head = [0; RECORD_HEAD_BYTES];
    input.read_exact(&mut head).map_err(read_failed)?;
    let [kind, a, b, c, d, sum @ ..] = head;
    let len = u32::from_le_bytes([a, b, c, d]) as usize;
    if len > MAX_RECORD_BYTES {
        return Err(damaged(format!("a record of it claims to have {len} bytes")));
    }
    let mut payload = vec![0; len];
    input.read_exact(&mut payload).map_err(read_failed)?;
    if sum_of(kind, &payload) != u64::from_le_bytes(sum) {
        return Err(damaged("a record does not match its checksum"));
    }
    Ok(Some((kind, payload.into())))
}

#[cfg(test)]
mod formats {
    use super::*;

    fn hex(row: &impl Value) -> String {
        let mut bytes = Vec::new();
        row.encode(&mut bytes).unwrap();
        bytes.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// Whoever changes these must raise the version and read the old form.
    #[test]
    fn the_bytes_of_preface_and_end() {
        assert_eq!(hex(&Preface { opened: 3, version: 300 }), "0103ac02");
        let info = SnapshotInfo {
            name: "n".to_owned(),
            created_millis: 1_767_225_600_000,
            parent: Some("p".to_owned()),
            version: 300,
            rows: 2,
            row_bytes: 70,
            blobs: 1,
            blob_bytes: 5,
        };
        assert_eq!(hex(&info), "01016e80a0d5edee66010170ac0202460105");
    }
}
