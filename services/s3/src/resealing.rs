//! Bodies that are encrypted anew: read as they lie, written under another key, part by part where they lie in parts.

use fogbank_core::{Cx, Tx, WriteTx};

use crate::bodies::{self, Received};
use crate::checksums::Algorithm;
use crate::ciphers::{BodyKey, Locked, Reader};
use crate::encryption::Sealing;
use crate::error::Error;
use crate::store::{self, Chain, Encryption, Object, PARTS, Part, Parts, Stored};

/// How a body is encrypted, and where it lies.
pub(crate) type Body = (Option<Encryption>, Option<Parts>, Chain);

/// A body that was encrypted anew.
pub(crate) struct Sealed {
    sealing: Sealing,
    /// The body, unless it lies in parts.
    whole: Option<Received>,
    parts: Vec<(u16, Part)>,
}

/// Reads the body of an object, which `key` opens if it is encrypted, and writes it as `sealing` says.
pub(crate) async fn seal(
    cx: &Cx,
    object: &Object,
    key: Option<&BodyKey>,
    sealing: Sealing,
) -> Result<Sealed, Error> {
    let algorithm = |checksum: Option<Algorithm>| checksum.or(Some(Algorithm::Crc64Nvme));
    let Some(parts) = &object.parts else {
        let locked = cx.read(|tx| {
            let stored = store::body(tx, object, 0..object.listed.size)?;
            Ok::<_, Error>(Locked::new(tx.cx(), &stored)?)
        })?;
        let reader = locked.unlock(key)?;
        let wanted = algorithm(object.listed.checksum.as_ref().map(|checksum| checksum.algorithm));
        let received = bodies::copy(cx, reader, wanted, sealing.sealer(cx)).await?;
        return Ok(Sealed { sealing, whole: Some(received), parts: Vec::new() });
    };
    let rows = cx.read(|tx| PARTS.range(&(parts.number,)).list(tx))?;
    let mut sealed = Vec::with_capacity(rows.len());
    for ((_, number), mut row) in rows {
        let reader = Reader::new(cx, &Stored::whole(&row.body, row.nonce), key)?;
        let wanted = algorithm(Some(row.checksum.algorithm));
        let received = bodies::copy(cx, reader, wanted, sealing.sealer(cx)).await?;
        row.body = received.body;
        row.nonce = received.nonce;
        sealed.push((number, row));
    }
    Ok(Sealed { sealing, whole: None, parts: sealed })
}

impl Sealed {
    /// What the object's row is to say of the body, in the transaction that writes it.
    pub(crate) fn keep(&self, tx: &mut WriteTx<'_>) -> Result<Body, Error> {
        if let Some(received) = &self.whole {
            let encryption = self.sealing.keep(tx, received.nonce)?;
            return Ok((encryption, None, received.body.clone()));
        }
        let encryption = self.sealing.keep(tx, None)?;
        Ok((encryption, Some(keep_parts(tx, &self.parts)?), Chain::default()))
    }

    /// With what it was encrypted.
    pub(crate) fn sealing(&self) -> &Sealing {
        &self.sealing
    }
}

/// Writes the parts of a body under a number of their own.
pub(crate) fn keep_parts(tx: &mut WriteTx<'_>, parts: &[(u16, Part)]) -> Result<Parts, Error> {
    let number = tx.version();
    for (part, row) in parts {
        PARTS.put(tx, &(number, *part), row)?;
    }
    Ok(Parts::new(number, parts.iter().map(|(part, row)| (*part, row.size))))
}
