//! An object of which any range can be read, as often as a query wants.

use std::ops::Range;

use fogbank_core::bytes::Bytes;
use fogbank_core::{Body, Cloud, Cx, Fault, Tx};

use crate::bodies;
use crate::ciphers::{BodyKey, Locked, Reader};
use crate::error::Error;
use crate::store::{self, Object, Stored};

/// What is stored of an object. It stays as it was found, even if somebody removes it meanwhile.
pub(super) struct Whole {
    pub(super) cloud: Cloud,
    size: u64,
    name: String,
    stored: Stored,
    key: Option<BodyKey>,
    /// What keeps all of it from being removed.
    _held: Locked,
}

impl Whole {
    /// An object that is stored, with the key of its body if that is encrypted.
    pub(super) fn find(
        cx: &Cx,
        at: (&str, &str),
        object: &Object,
        key: Option<BodyKey>,
    ) -> Result<Whole, Error> {
        let size = object.listed.size;
        let (stored, held) = cx.read(|tx| {
            let stored = store::body(tx, object, 0..size)?;
            let held = Locked::new(tx.cx(), &stored)?;
            Ok::<_, Error>((stored, held))
        })?;
        let (cloud, name) = (cx.cloud().clone(), format!("{}/{}", at.0, at.1));
        Ok(Whole { cloud, size, name, stored, key, _held: held })
    }

    /// The part of a range that there is.
    fn open(&mut self, range: Range<u64>) -> Result<Option<Reader>, Error> {
        let range = range.start..range.end.min(self.size);
        if range.is_empty() {
            return Ok(None);
        }
        self.stored.range = range;
        let locked = Locked::new(&self.cloud, &self.stored)?;
        locked.unlock(self.key.as_ref()).map(Some)
    }

    /// The bytes from one on, as a stream.
    pub(super) fn body(&mut self, from: u64) -> Result<Body, Error> {
        let reader = self.open(from..self.size)?;
        Ok(reader.map_or_else(Body::empty, |reader| bodies::outgoing(reader, self.name.clone())))
    }

    /// The bytes of a range at once. Who asks for many has room for them.
    pub(super) async fn bytes(&mut self, range: Range<u64>) -> Result<Bytes, Fault> {
        match self.open(range).map_err(Fault::internal)? {
            Some(reader) => reader.collect().await.map_err(Fault::internal),
            None => Ok(Bytes::new()),
        }
    }
}
