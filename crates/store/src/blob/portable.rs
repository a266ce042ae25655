//! Blobs on their way out of a database and into another: a backup keeps them where they were, so that the rows that
//! name them need no change.

use std::path::PathBuf;
use std::sync::Arc;

use bytes::Bytes;
use crc_fast::{CrcAlgorithm, Digest};
use serde::{Deserialize, Serialize};

use super::disk::{Disk, DiskFile, FolderDisk};
use super::live::LIVE;
use super::reference::{BlobKey, BlobRef, FILE, Place, SEGMENT};
use super::segment::{self, HEADER_BYTES};
use super::{BlobReader, Blobs, Tally, writer};
use crate::{Error, ReadTx, row};

/// Blobs that are looked up together.
const BATCH: usize = 256;

/// Where a blob is, and what its bytes must be.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct BlobHeader {
    kind: u8,
    id: u64,
    offset: u64,
    pub(crate) len: u64,
    crc: u64,
}
row!(BlobHeader, 1);

impl BlobHeader {
    fn key(&self) -> BlobKey {
        (self.kind, self.id, self.offset)
    }

    /// Checks the bytes of the blob as they come.
    pub(crate) fn check(&self) -> Check {
        Check { header: self.clone(), len: 0, digest: Digest::new(CrcAlgorithm::Crc64Nvme) }
    }
}

/// Bytes compared with their header.
pub(crate) struct Check {
    header: BlobHeader,
    len: u64,
    digest: Digest,
}

impl Check {
    pub(crate) fn add(&mut self, bytes: &[u8]) {
        self.len += bytes.len() as u64;
        self.digest.update(bytes);
    }

    pub(crate) fn finish(&self) -> Result<(), Error> {
        if self.len == self.header.len && self.digest.finalize() == self.header.crc {
            return Ok(());
        }
        let BlobHeader { kind, id, offset, .. } = self.header;
        let what = format!("the blob {kind}:{id:016x}+{offset} in the backup");
        Err(Error::corrupt(what, "its bytes do not match their checksum"))
    }
}

/// The blobs that a state names, in the order in which they lie on disk.
pub(crate) struct Export<'t> {
    tx: &'t ReadTx,
    batch: std::vec::IntoIter<BlobHeader>,
    after: Option<BlobKey>,
    more: bool,
}

impl Export<'_> {
    pub(crate) fn new(tx: &ReadTx) -> Export<'_> {
        Export { tx, batch: Vec::new().into_iter(), after: None, more: true }
    }

    /// The next blob, opened.
    pub(crate) fn next(
        &mut self,
        blobs: &Blobs,
    ) -> Result<Option<(BlobHeader, BlobReader)>, Error> {
        if self.batch.as_slice().is_empty() && self.more {
            let (rows, more) = LIVE.page(self.tx, &(), self.after.as_ref(), BATCH)?;
            self.after = rows.last().map(|(key, _)| *key);
            self.more = more;
            let headers = rows.into_iter().map(|((kind, id, offset), blob)| BlobHeader {
                kind,
                id,
                offset,
                len: blob.len,
                crc: blob.crc,
            });
            self.batch = headers.collect::<Vec<_>>().into_iter();
        }
        let Some(header) = self.batch.next() else { return Ok(None) };
        let BlobHeader { kind, id, offset, len, crc } = header;
        let place = match kind {
            SEGMENT => Place::Segment { id, offset, len, crc },
            _ => Place::File { id, len, crc },
        };
        let reader = blobs.read(&BlobRef { place, fresh: None }, ..)?;
        Ok(Some((header, reader)))
    }
}

/// Puts blobs where they were before.
pub(crate) struct Import {
    disk: FolderDisk,
    rows: ReadTx,
    segment: Option<(u64, Arc<dyn DiskFile>)>,
    imported: Tally,
}

impl Import {
    /// `rows` are those that name the blobs: what they do not name is refused.
    pub(crate) fn new(folder: PathBuf, rows: ReadTx) -> Result<Import, Error> {
        let disk = FolderDisk::open(folder, None).map_err(failed)?;
        Ok(Import { disk, rows, segment: None, imported: Tally::default() })
    }

    pub(crate) fn begin(&mut self, header: &BlobHeader) -> Result<ImportedBlob<'_>, Error> {
        let named = LIVE.get(&self.rows, &header.key())?;
        if named.is_none_or(|named| (named.len, named.crc) != (header.len, header.crc)) {
            return Err(Error::corrupt("the backup", "it has a blob that no row of it names"));
        }
        let (file, at) = match header.kind {
            SEGMENT => {
                let file = self.segment(header.id)?;
                let head = segment::header(header.id, header.offset, header.len, header.crc);
                file.write_at(&[Bytes::copy_from_slice(&head)], header.offset).map_err(failed)?;
                (file, header.offset + HEADER_BYTES)
            }
            FILE => (self.disk.create(&writer::name(header.id)).map_err(failed)?, 0),
            _ => return Err(Error::corrupt("the backup", "it has a blob of an unknown kind")),
        };
        Ok(ImportedBlob { import: self, file, at, check: header.check() })
    }

    fn segment(&mut self, id: u64) -> Result<Arc<dyn DiskFile>, Error> {
        if let Some((open, file)) = &self.segment
            && *open == id
        {
            return Ok(file.clone());
        }
        self.end_segment()?;
        let file = self.disk.create(&segment::name(id)).map_err(failed)?;
        self.segment = Some((id, file.clone()));
        Ok(file)
    }

    fn end_segment(&mut self) -> Result<(), Error> {
        self.segment.take().map_or(Ok(()), |(_, file)| file.sync().map_err(failed))
    }

    /// Returns what was imported when all of it is on disk.
    pub(crate) fn finish(mut self) -> Result<Tally, Error> {
        self.end_segment()?;
        self.disk.sync_names().map_err(failed)?;
        Ok(self.imported)
    }
}

/// A blob that is being imported.
pub(crate) struct ImportedBlob<'i> {
    import: &'i mut Import,
    file: Arc<dyn DiskFile>,
    at: u64,
    check: Check,
}

impl ImportedBlob<'_> {
    pub(crate) fn write(&mut self, bytes: Bytes) -> Result<(), Error> {
        self.check.add(&bytes);
        let len = bytes.len() as u64;
        self.file.write_at(&[bytes], self.at).map_err(failed)?;
        self.at += len;
        Ok(())
    }

    pub(crate) fn finish(self) -> Result<(), Error> {
        self.check.finish()?;
        if self.check.header.kind == FILE {
            self.file.sync().map_err(failed)?;
        }
        self.import.imported.blobs += 1;
        self.import.imported.bytes += self.check.header.len;
        Ok(())
    }
}

fn failed(error: std::io::Error) -> Error {
    Error::io("restoring a blob", error)
}

#[cfg(test)]
mod formats {
    use super::*;
    use crate::Value;

    /// Whoever changes this must raise the version and read the old form.
    #[test]
    fn the_bytes_of_a_header() {
        let header = BlobHeader { kind: 1, id: 1 << 32, offset: 4096, len: 70_000, crc: u64::MAX };
        let mut bytes = Vec::new();
        header.encode(&mut bytes).unwrap();
        let digits: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(digits, "010180808080108020f0a204ffffffffffffffffff01");
        assert_eq!(BlobHeader::decode_slice(&bytes).unwrap(), header);
    }
}
