//! Second factors: a code that a device of the caller shows now. The refusals are AWS's, as its users quote them, to the
//! spaces at their ends.

use fogbank_core::{Tx, WriteTx};
use fogbank_identity::mfa::{self, Refusal};

use crate::error::Error;

/// A device and a code that it is said to show.
#[derive(Clone, Debug)]
pub(crate) struct Shown(mfa::Shown);

impl Shown {
    /// What the input gives, both or neither.
    pub(crate) fn of(serial: Option<String>, code: Option<String>) -> Result<Option<Shown>, Error> {
        match (serial, code) {
            (Some(serial), Some(code)) => Ok(Some(Shown(mfa::Shown { serial, code }))),
            (None, None) => Ok(None),
            _ => Err(Error::denied(
                "MultiFactorAuthentication failed, must provide both MFA serial number and one time pass code. ",
            )),
        }
    }

    /// Refuses a code that the caller's device does not show now, or has shown before.
    pub(crate) fn check(&self, tx: &impl Tx) -> Result<(), Error> {
        self.0.check(tx)?.map_err(refused)
    }

    /// The same, and takes the code, so that nobody who has seen it can use it again.
    pub(crate) fn take(&self, tx: &mut WriteTx<'_>) -> Result<(), Error> {
        self.0.take(tx)?.map_err(refused)
    }
}

fn refused(refusal: Refusal) -> Error {
    Error::denied(match refusal {
        Refusal::Device => {
            "MultiFactorAuthentication failed, unable to validate MFA code.  Please verify your MFA serial \
             number is valid and associated with this user. "
        }
        Refusal::Code => "MultiFactorAuthentication failed with invalid MFA one time pass code. ",
    })
}
