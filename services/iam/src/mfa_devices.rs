//! Virtual MFA devices: their secrets, and whom they belong to: a user or the account's root.
//!
//! AWS gives the root its device in the console, and has the root leave out the name where an operation lets it. Where the
//! name is required, the root gives the number of its account, which is what `GetUser` shows as its id.

use fogbank_core::seal::Zeroizing;
use fogbank_core::{PrincipalKind, ReadTx, Tx, WriteTx};
use fogbank_identity::rows::{self, EnabledDevice, MfaDevice, Secret, USER_DEVICES, User, fold};
use fogbank_identity::totp;

use crate::error::Error;
use crate::model::{
    AssignmentStatusType, CreateVirtualMFADeviceInput, CreateVirtualMFADeviceOutput,
    DeactivateMFADeviceInput, DeactivateMFADeviceOutput, DeleteVirtualMFADeviceInput,
    DeleteVirtualMFADeviceOutput, EnableMFADeviceInput, EnableMFADeviceOutput, GetMFADeviceInput,
    GetMFADeviceOutput, ListMFADevicesInput, ListMFADevicesOutput, ListVirtualMFADevicesInput,
    ListVirtualMFADevicesOutput, MFADevice, ResyncMFADeviceInput, ResyncMFADeviceOutput,
    VirtualMFADevice,
};
use crate::rules::{self, Page, qr};
use crate::{named, store, users};

/// The length of a secret, in bytes: 64 digits of base 32.
const SEED_BYTES: usize = 40;
/// The most devices of a user.
const DEVICES_PER_USER: usize = 8;

/// Creates a device; its secret is shown this once, as text and as a picture.
pub(crate) fn create(
    tx: &mut WriteTx<'_>,
    input: CreateVirtualMFADeviceInput,
) -> Result<CreateVirtualMFADeviceOutput, Error> {
    let mut seed = Zeroizing::new(vec![0; SEED_BYTES]);
    tx.ids().fill(&mut seed);
    let name = input.virtual_mfa_device_name;
    let place = MfaDevice::place(tx.account(), &name);
    let device = MfaDevice {
        name,
        path: input.path.unwrap_or_else(|| "/".to_owned()),
        seed: Secret::seal(tx, &place, &seed)?,
        created_secs: tx.now().secs(),
        tags: rules::tags(input.tags.unwrap_or_default())?,
        enabled: None,
    };
    named::create(tx, &device)?;
    let secret = rules::base32(&seed);
    let url = format!("otpauth://totp/{}@{}?secret={secret}", device.name, tx.account());
    let picture = qr::png(&url).map_err(fogbank_core::Fault::internal)?;
    let shown = VirtualMFADevice {
        serial_number: Some(device.arn(tx.account())),
        base32_string_seed: Some(secret.into()),
        qr_code_png: Some(picture.into()),
        tags: (!device.tags.is_empty()).then(|| rules::shown_tags(&device.tags)),
        ..VirtualMFADevice::default()
    };
    Ok(CreateVirtualMFADeviceOutput { virtual_mfa_device: Some(shown) })
}

/// Deletes a device that nobody uses.
pub(crate) fn delete(
    tx: &mut WriteTx<'_>,
    input: DeleteVirtualMFADeviceInput,
) -> Result<DeleteVirtualMFADeviceOutput, Error> {
    let device = by_serial(tx, &input.serial_number)?;
    if device.enabled.is_some() {
        let message = "MFA VirtualDevice is in use. Must deactivate first.";
        return Err(Error::DeleteConflictException(message));
    }
    named::delete(tx, &device)?;
    Ok(DeleteVirtualMFADeviceOutput {})
}

/// Gives a device to a user who has it at hand, which two codes in a row prove.
pub(crate) fn enable(
    tx: &mut WriteTx<'_>,
    input: EnableMFADeviceInput,
) -> Result<EnableMFADeviceOutput, Error> {
    let holder = Holder::of(tx, Some(input.user_name))?;
    let mut device = by_serial(tx, &input.serial_number)?;
    if device.enabled.is_some() {
        let message = "MFA Device is already in use.";
        return Err(Error::EntityAlreadyExistsException(message.to_owned()));
    }
    if USER_DEVICES.range(&(&*holder.id,)).count(tx)? >= DEVICES_PER_USER {
        return Err(Error::quota("MFADevicesPerUser", DEVICES_PER_USER));
    }
    let now = tx.now().secs();
    let (drift_steps, last_step) =
        synchronised(tx, &device, &input.authentication_code1, &input.authentication_code2)?;
    let user_id = holder.id;
    USER_DEVICES.put(tx, &(user_id.clone(), fold(&device.name)), &())?;
    device.enabled = Some(EnabledDevice { user_id, enabled_secs: now, drift_steps, last_step });
    seal(tx, &mut device)?;
    named::save(tx, &device)?;
    Ok(EnableMFADeviceOutput {})
}

/// Learns anew how far a device's clock is off.
pub(crate) fn resync(
    tx: &mut WriteTx<'_>,
    input: ResyncMFADeviceInput,
) -> Result<ResyncMFADeviceOutput, Error> {
    let holder = Holder::of(tx, Some(input.user_name))?;
    let (mut device, enabled) = holder.device(tx, &input.serial_number)?;
    let (drift_steps, last_step) =
        synchronised(tx, &device, &input.authentication_code1, &input.authentication_code2)?;
    device.enabled = Some(EnabledDevice { drift_steps, last_step, ..enabled });
    seal(tx, &mut device)?;
    named::save(tx, &device)?;
    Ok(ResyncMFADeviceOutput {})
}

/// Takes a device from its user.
pub(crate) fn deactivate(
    tx: &mut WriteTx<'_>,
    input: DeactivateMFADeviceInput,
) -> Result<DeactivateMFADeviceOutput, Error> {
    let holder = Holder::of(tx, input.user_name)?;
    let (mut device, _) = holder.device(tx, &input.serial_number)?;
    USER_DEVICES.delete(tx, &(holder.id, fold(&device.name)))?;
    device.enabled = None;
    named::save(tx, &device)?;
    Ok(DeactivateMFADeviceOutput {})
}

/// Shows a user's device.
pub(crate) fn get(tx: &ReadTx<'_>, input: GetMFADeviceInput) -> Result<GetMFADeviceOutput, Error> {
    let holder = Holder::of(tx, input.user_name)?;
    let (_, enabled) = holder.device(tx, &input.serial_number)?;
    Ok(GetMFADeviceOutput {
        user_name: holder.name,
        serial_number: Some(input.serial_number),
        enable_date: store::time(enabled.enabled_secs),
        certifications: None,
    })
}

/// Lists a user's devices.
pub(crate) fn list(
    tx: &ReadTx<'_>,
    input: ListMFADevicesInput,
) -> Result<ListMFADevicesOutput, Error> {
    let holder = Holder::of(tx, input.user_name)?;
    let mut devices = Vec::new();
    for (device, enabled) in all_of_user(tx, &holder.id)? {
        devices.push(MFADevice {
            user_name: holder.name.clone(),
            serial_number: Some(device.arn(tx.account())),
            enable_date: store::time(enabled.enabled_secs),
        });
    }
    let serial = |device: &MFADevice| device.serial_number.clone().unwrap_or_default();
    let page = Page::of(devices, serial, input.marker.as_deref(), input.max_items)?;
    let is_truncated = page.is_truncated();
    Ok(ListMFADevicesOutput { mfa_devices: Some(page.items), is_truncated, marker: page.marker })
}

/// Lists the account's devices.
pub(crate) fn list_virtual(
    tx: &ReadTx<'_>,
    input: ListVirtualMFADevicesInput,
) -> Result<ListVirtualMFADevicesOutput, Error> {
    let is_wanted = |device: &MfaDevice| match input.assignment_status {
        Some(AssignmentStatusType::Assigned) => device.enabled.is_some(),
        Some(AssignmentStatusType::Unassigned) => device.enabled.is_none(),
        Some(AssignmentStatusType::Any) | None => true,
    };
    let page = named::page(tx, None, input.marker.as_deref(), input.max_items, is_wanted)?;
    let is_truncated = page.is_truncated();
    let mut devices = Vec::new();
    for device in page.items {
        let user = match &device.enabled {
            Some(enabled) if enabled.user_id == tx.account() => Some(users::root(tx)),
            Some(enabled) => {
                user_by_id(tx, &enabled.user_id)?.map(|user| users::listed(tx.account(), &user))
            }
            None => None,
        };
        devices.push(VirtualMFADevice {
            serial_number: Some(device.arn(tx.account())),
            user,
            enable_date: device.enabled.and_then(|enabled| store::time(enabled.enabled_secs)),
            ..VirtualMFADevice::default()
        });
    }
    Ok(ListVirtualMFADevicesOutput {
        virtual_mfa_devices: Some(devices),
        is_truncated,
        marker: page.marker,
    })
}

/// The enabled devices of a user.
pub(crate) fn all_of_user(
    tx: &impl Tx,
    user_id: &str,
) -> Result<Vec<(MfaDevice, EnabledDevice)>, Error> {
    let mut devices = Vec::new();
    for (_, folded) in USER_DEVICES.range(&(user_id,)).keys(tx)? {
        let device = rows::MFA_DEVICES.get(tx, &(tx.account(), folded))?;
        if let Some((device, enabled)) = device.and_then(with_owner) {
            devices.push((device, enabled));
        }
    }
    Ok(devices)
}

fn with_owner(device: MfaDevice) -> Option<(MfaDevice, EnabledDevice)> {
    let enabled = device.enabled.clone()?;
    Some((device, enabled))
}

/// The user with this unique id.
pub(crate) fn user_by_id(tx: &impl Tx, id: &str) -> Result<Option<User>, Error> {
    let Some(entity) = rows::ENTITIES.get(tx, id)? else { return Ok(None) };
    Ok(rows::USERS.get(tx, &(&*entity.account, &*entity.folded))?)
}

fn by_serial(tx: &impl Tx, serial: &str) -> Result<MfaDevice, Error> {
    named::by_arn(tx, serial, "mfa")
}

/// Whose devices are meant.
struct Holder {
    /// The id under which they lie: the user's, or the account for its root.
    id: String,
    /// The user's name; the root has none.
    name: Option<String>,
}

impl Holder {
    /// The named user, or the caller.
    fn of(tx: &impl Tx, name: Option<String>) -> Result<Holder, Error> {
        let is_root = tx.request().principal.kind == PrincipalKind::Root;
        let root = || Holder { id: tx.account().to_owned(), name: None };
        if is_root && name.is_none() {
            return Ok(root());
        }
        let name = users::name_or_caller(tx, name)?;
        match store::find::<User>(tx, &name) {
            Err(_) if is_root && name == tx.account() => Ok(root()),
            found => found.map(|user| Holder { id: user.id, name: Some(user.name) }),
        }
    }

    /// A device, and how it belongs to this holder.
    fn device(&self, tx: &impl Tx, serial: &str) -> Result<(MfaDevice, EnabledDevice), Error> {
        let device = with_owner(by_serial(tx, serial)?);
        device.filter(|(_, enabled)| enabled.user_id == self.id).ok_or_else(|| {
            let name = self.name.as_ref().unwrap_or(&self.id);
            Error::NoSuchEntityException(format!(
                "MFA Device with serial number {serial} for user {name} cannot be found."
            ))
        })
    }
}

/// Seals the seed of a device of a time when seeds were not.
fn seal(tx: &mut WriteTx<'_>, device: &mut MfaDevice) -> Result<(), Error> {
    let place = MfaDevice::place(tx.account(), &device.name);
    device.seed = device.seed.clone().sealed(tx, &place)?;
    Ok(())
}

fn synchronised(
    tx: &impl Tx,
    device: &MfaDevice,
    first: &str,
    second: &str,
) -> Result<(i64, i64), Error> {
    let place = MfaDevice::place(tx.account(), &device.name);
    let seed = device.seed.open(tx.cx().cloud(), &place)?;
    totp::synchronise(&seed, first, second, tx.now().secs())
        .ok_or(Error::InvalidAuthenticationCodeException)
}
