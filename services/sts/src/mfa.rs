//! Second factors: a code that a device of the calling user shows now. The refusals are AWS's, as its users quote them, to the
//! spaces at their ends.

use fogbank_core::{PrincipalKind, Tx, WriteTx};
use fogbank_identity::rows::{EnabledDevice, MFA_DEVICES, MfaDevice, USER_DEVICES, fold};
use fogbank_identity::totp;

use crate::error::Error;

/// A device and a code that it is said to show.
#[derive(Clone, Debug)]
pub(crate) struct Shown {
    serial: String,
    code: String,
}

impl Shown {
    /// What the input gives, both or neither.
    pub(crate) fn of(serial: Option<String>, code: Option<String>) -> Result<Option<Shown>, Error> {
        match (serial, code) {
            (Some(serial), Some(code)) => Ok(Some(Shown { serial, code })),
            (None, None) => Ok(None),
            _ => Err(Error::denied(
                "MultiFactorAuthentication failed, must provide both MFA serial number and one time pass code. ",
            )),
        }
    }

    /// Refuses a code that the caller's device does not show now, or has shown before.
    pub(crate) fn check(&self, tx: &impl Tx) -> Result<(), Error> {
        self.step(tx).map(|_| ())
    }

    /// The same, and takes the code, so that nobody who has seen it can use it again.
    pub(crate) fn take(&self, tx: &mut WriteTx<'_>) -> Result<(), Error> {
        let (mut device, enabled, last_step) = self.step(tx)?;
        let key = (tx.account().to_owned(), fold(&device.name));
        device.enabled = Some(EnabledDevice { last_step, ..enabled });
        Ok(MFA_DEVICES.put(tx, &key, &device)?)
    }

    fn step(&self, tx: &impl Tx) -> Result<(MfaDevice, EnabledDevice, i64), Error> {
        let (device, enabled) = self.device(tx)?.ok_or_else(|| {
            Error::denied(
                "MultiFactorAuthentication failed, unable to validate MFA code.  Please verify your MFA serial \
                 number is valid and associated with this user. ",
            )
        })?;
        let place = MfaDevice::place(tx.account(), &device.name);
        let seed = device.seed.open(tx.cx().cloud(), &place)?;
        let step = totp::verify(&seed, &enabled, &self.code, tx.now().secs());
        let step = step.ok_or_else(|| {
            Error::denied("MultiFactorAuthentication failed with invalid MFA one time pass code. ")
        })?;
        Ok((device, enabled, step))
    }

    /// The device, if it is the calling user's.
    fn device(&self, tx: &impl Tx) -> Result<Option<(MfaDevice, EnabledDevice)>, Error> {
        let principal = &tx.request().principal;
        let is_user = matches!(principal.kind, PrincipalKind::User { .. });
        let account = &principal.account;
        let folded = fold(self.serial.rsplit('/').next().unwrap_or_default());
        if !is_user || !USER_DEVICES.contains(tx, &(&*principal.id, &*folded))? {
            return Ok(None);
        }
        let device = MFA_DEVICES.get(tx, &(&**account, &*folded))?;
        Ok(device.filter(|device| device.arn(account) == self.serial).and_then(|device| {
            let enabled = device.enabled.clone()?;
            Some((device, enabled))
        }))
    }
}
