//! Secrets of rows: sealed by the cloud's root key, so that who copies the store without it learns nothing of them.

use fogbank_core::root_key::seal;
use fogbank_core::seal::Zeroizing;
use fogbank_core::store::Error;
use fogbank_core::{Cloud, Fault, WriteTx};
use serde::{Deserialize, Serialize};

/// A secret as a row keeps it.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Secret {
    /// As it is: rows of a time when there was no root key.
    Plain(Vec<u8>),
    /// Sealed for a place that its owner names.
    Sealed(Vec<u8>),
}

impl Secret {
    /// Seals a secret for the place that `place` names.
    pub fn seal(tx: &mut WriteTx<'_>, place: &str, secret: &[u8]) -> Result<Secret, Error> {
        Ok(Secret::Sealed(seal(tx, place.as_bytes(), secret)?))
    }

    /// The secret; a fault if it was sealed by another key or for another place.
    pub fn open(&self, cloud: &Cloud, place: &str) -> Result<Zeroizing<Vec<u8>>, Fault> {
        match self {
            Secret::Plain(secret) => Ok(Zeroizing::new(secret.clone())),
            Secret::Sealed(sealed) => cloud.root_key().open(place.as_bytes(), sealed),
        }
    }

    /// The same, sealed if it was not: for whoever writes the row anyway.
    pub fn sealed(self, tx: &mut WriteTx<'_>, place: &str) -> Result<Secret, Error> {
        match self {
            Secret::Plain(secret) => Secret::seal(tx, place, &secret),
            sealed @ Secret::Sealed(_) => Ok(sealed),
        }
    }
}
