//! Rows: what a table holds under a key, with the version of its format in front.

use bytes::Bytes;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::Error;

/// What a table can hold: a [`Row`], or plain bytes where a service has its own encoding.
pub trait Value: Sized {
    /// Appends the encoding of this value to `out`.
    fn encode(&self, out: &mut Vec<u8>) -> Result<(), Error>;
    /// Reads the value back.
    fn decode(bytes: Bytes) -> Result<Self, Error>;
    /// Reads the value back from borrowed bytes.
    fn decode_slice(bytes: &[u8]) -> Result<Self, Error> {
        Self::decode(Bytes::copy_from_slice(bytes))
    }
}

/// A struct stored as one byte of version and its fields in order, in the postcard format.
///
/// The format knows fields by their position only: any change to the fields is a new version, and the reader of the
/// old one stays in [`Row::migrate`]. Serde attributes that skip, flatten or guess (`skip_serializing_if`, `flatten`,
/// `untagged`, and `serde_json::Value`) cannot be read back and must not be used in rows.
pub trait Row: Serialize + DeserializeOwned {
    /// The version that this program writes.
    const VERSION: u8;

    /// Reads a row of an older version.
    fn migrate(version: u8, bytes: &[u8]) -> Result<Self, Error>;
}

/// Declares the version of a row: `row!(QueueRow, 1);`, or `row!(QueueRow, 2, read_older);` with a
/// `fn(version: u8, bytes: &[u8]) -> Result<QueueRow, Error>` that reads the versions before.
#[macro_export]
macro_rules! row {
    ($row:ty, $version:literal) => {
        $crate::row!($row, $version, $crate::no_older_version);
    };
    ($row:ty, $version:literal, $migrate:path) => {
        impl $crate::Row for $row {
            const VERSION: u8 = $version;
            fn migrate(version: u8, bytes: &[u8]) -> ::std::result::Result<Self, $crate::Error> {
                $migrate(version, bytes)
            }
        }
    };
}

/// Reads the fields of a row, without the version in front: for the old structs inside a migration.
pub fn decode_fields<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Error> {
    postcard::from_bytes(bytes)
        .map_err(|error| Error::corrupt(std::any::type_name::<T>(), error.to_string()))
}

/// Refuses a row of an older version where none was ever written.
#[doc(hidden)]
pub fn no_older_version<R: Row>(version: u8, _: &[u8]) -> Result<R, Error> {
    Err(Error::corrupt(std::any::type_name::<R>(), format!("there never was a version {version}")))
}

impl<R: Row> Value for R {
    fn encode(&self, out: &mut Vec<u8>) -> Result<(), Error> {
        out.push(R::VERSION);
        let written = postcard::to_extend(self, std::mem::take(out))
            .map_err(|error| Error::corrupt(std::any::type_name::<R>(), error.to_string()))?;
        *out = written;
        Ok(())
    }

    fn decode(bytes: Bytes) -> Result<Self, Error> {
        Self::decode_slice(&bytes)
    }

    fn decode_slice(bytes: &[u8]) -> Result<Self, Error> {
        match bytes.split_first() {
            Some((&version, fields)) if version == R::VERSION => decode_fields(fields),
            Some((&version, _)) if version > R::VERSION => Err(Error::NewerFormat {
                what: std::any::type_name::<R>().to_owned(),
                found: version.into(),
                supported: R::VERSION.into(),
            }),
            Some((&version, fields)) => R::migrate(version, fields),
            None => Err(Error::corrupt(std::any::type_name::<R>(), "the row is empty")),
        }
    }
}

/// Bytes that a service encodes itself, for hot paths: nothing is added, nothing is copied on a point read.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Raw(pub Bytes);

impl Value for Raw {
    fn encode(&self, out: &mut Vec<u8>) -> Result<(), Error> {
        out.extend_from_slice(&self.0);
        Ok(())
    }

    fn decode(bytes: Bytes) -> Result<Self, Error> {
        Ok(Raw(bytes))
    }
}

/// An index entry, whose whole meaning is in its key.
impl Value for () {
    fn encode(&self, _: &mut Vec<u8>) -> Result<(), Error> {
        Ok(())
    }

    fn decode(_: Bytes) -> Result<Self, Error> {
        Ok(())
    }

    fn decode_slice(_: &[u8]) -> Result<Self, Error> {
        Ok(())
    }
}

/// A counter or a pointer, as eight bytes.
impl Value for u64 {
    fn encode(&self, out: &mut Vec<u8>) -> Result<(), Error> {
        out.extend_from_slice(&self.to_be_bytes());
        Ok(())
    }

    fn decode(bytes: Bytes) -> Result<Self, Error> {
        Self::decode_slice(&bytes)
    }

    fn decode_slice(bytes: &[u8]) -> Result<Self, Error> {
        let bytes = bytes
            .try_into()
            .map_err(|_| Error::corrupt("a counter", format!("it has {} bytes", bytes.len())))?;
        Ok(u64::from_be_bytes(bytes))
    }
}

/// A name or a document, as its UTF-8.
impl Value for String {
    fn encode(&self, out: &mut Vec<u8>) -> Result<(), Error> {
        out.extend_from_slice(self.as_bytes());
        Ok(())
    }

    fn decode(bytes: Bytes) -> Result<Self, Error> {
        Self::decode_slice(&bytes)
    }

    fn decode_slice(bytes: &[u8]) -> Result<Self, Error> {
        std::str::from_utf8(bytes)
            .map(str::to_owned)
            .map_err(|error| Error::corrupt("a text", error.to_string()))
    }
}
