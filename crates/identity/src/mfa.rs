//! Second factors: which device belongs to a caller, and whether it shows a code now. No code is taken twice.

use fogbank_core::{Fault, Principal, PrincipalKind, Tx, WriteTx};

use crate::rows::{EnabledDevice, MFA_DEVICES, MfaDevice, USER_DEVICES, fold};
use crate::totp;

/// A device and a code that it is said to show.
#[derive(Clone, Debug)]
pub struct Shown {
    /// The device's serial number: its ARN.
    pub serial: String,
    /// The code of 6 digits.
    pub code: String,
}

/// Why a second factor proves nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// The caller has no such device.
    Device,
    /// The device does not show this code now, or has shown it before.
    Code,
}

impl Shown {
    /// Whether the caller's device shows the code now, and has not before. The error is the store's.
    pub fn check(&self, tx: &impl Tx) -> Result<Result<(), Refusal>, Fault> {
        Ok(self.step(tx)?.map(|_| ()))
    }

    /// The same, and takes the code, so that nobody who has seen it can use it again.
    pub fn take(&self, tx: &mut WriteTx<'_>) -> Result<Result<(), Refusal>, Fault> {
        let (mut device, enabled, last_step) = match self.step(tx)? {
            Ok(found) => found,
            Err(refusal) => return Ok(Err(refusal)),
        };
        let key = (tx.request().principal.account.clone(), fold(&device.name));
        device.enabled = Some(EnabledDevice { last_step, ..enabled });
        MFA_DEVICES.put(tx, &key, &device)?;
        Ok(Ok(()))
    }

    fn step(
        &self,
        tx: &impl Tx,
    ) -> Result<Result<(MfaDevice, EnabledDevice, i64), Refusal>, Fault> {
        let Some((device, enabled)) = self.device(tx)? else { return Ok(Err(Refusal::Device)) };
        let place = MfaDevice::place(&tx.request().principal.account, &device.name);
        let seed = device.seed.open(tx.cx().cloud(), &place)?;
        let step = totp::verify(&seed, &enabled, &self.code, tx.now().secs());
        Ok(step.map(|step| (device, enabled, step)).ok_or(Refusal::Code))
    }

    /// The device, if it is the calling user's or root's.
    fn device(&self, tx: &impl Tx) -> Result<Option<(MfaDevice, EnabledDevice)>, Fault> {
        let principal = &tx.request().principal;
        let Some(holder) = holder(principal) else { return Ok(None) };
        let account = &principal.account;
        let folded = fold(self.serial.rsplit('/').next().unwrap_or_default());
        if !USER_DEVICES.contains(tx, &(holder, &*folded))? {
            return Ok(None);
        }
        let device = MFA_DEVICES.get(tx, &(&**account, &*folded))?;
        Ok(device.filter(|device| device.arn(account) == self.serial).and_then(|device| {
            let enabled = device.enabled.clone()?;
            Some((device, enabled))
        }))
    }
}

/// The id under which a caller's devices lie: the user's, or the account for its root.
fn holder(principal: &Principal) -> Option<&str> {
    match principal.kind {
        PrincipalKind::User { .. } => Some(&principal.id),
        PrincipalKind::Root => Some(&principal.account),
        _ => None,
    }
}
