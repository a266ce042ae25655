//! What users prove themselves with beside access keys: passwords, MFA devices, certificates and keys of other services.
//!
//! What belongs to a user lies under its unique id, so that a renamed user keeps it.

use fogbank_core::store::{Error, Table, decode_fields, no_older_version, row};
use serde::{Deserialize, Serialize};

use super::{Secret, Tags, fold};

/// Login profiles by the user's id.
pub static LOGIN_PROFILES: Table<String, LoginProfile> = Table::new("iam.login-profiles", 0x0110);
/// Password policies by account.
pub static PASSWORD_POLICIES: Table<String, PasswordPolicy> =
    Table::new("iam.password-policies", 0x0111);
/// Virtual MFA devices by account and folded name.
pub static MFA_DEVICES: Table<(String, String), MfaDevice> = Table::new("iam.mfa-devices", 0x0112);
/// The enabled MFA devices of a user, or of a root: the user's id or the root's account, folded name of the device.
pub static USER_DEVICES: Table<(String, String), ()> = Table::new("iam.user-devices", 0x0113);
/// Signing certificates by the user's id and their own.
pub static SIGNING_CERTIFICATES: Table<(String, String), SigningCertificate> =
    Table::new("iam.signing-certificates", 0x0114);
/// SSH public keys by the user's id and their own.
pub static SSH_PUBLIC_KEYS: Table<(String, String), SshPublicKey> =
    Table::new("iam.ssh-public-keys", 0x0115);
/// Service-specific credentials by the user's id and their own.
pub static SERVICE_CREDENTIALS: Table<(String, String), ServiceCredential> =
    Table::new("iam.service-credentials", 0x0116);

/// A password and how it was made into a hash by Argon2id.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PasswordHash {
    /// The salt.
    pub salt: Vec<u8>,
    /// How much memory the hash took, in KiB.
    pub memory_kib: u32,
    /// How often it went over the memory.
    pub passes: u32,
    /// The hash.
    pub hash: Vec<u8>,
}

/// A user's password for the console.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LoginProfile {
    /// When it was created, in seconds since 1970.
    pub created_secs: i64,
    /// When the password was last changed, in seconds since 1970.
    pub changed_secs: i64,
    /// Whether the user must change it at the next sign-in.
    pub reset_required: bool,
    /// The password.
    pub password: PasswordHash,
    /// The passwords before it, the newest first, as many as a policy can remember.
    pub former: Vec<PasswordHash>,
}

/// An account's rules for passwords.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PasswordPolicy {
    /// The fewest characters.
    pub minimum_length: u32,
    /// Whether a symbol is needed.
    pub require_symbols: bool,
    /// Whether a digit is needed.
    pub require_numbers: bool,
    /// Whether a capital letter is needed.
    pub require_uppercase: bool,
    /// Whether a small letter is needed.
    pub require_lowercase: bool,
    /// Whether users may change their own.
    pub allow_change: bool,
    /// After how many days passwords end; 0 for never.
    pub max_age_days: u32,
    /// How many former passwords may not come again.
    pub reuse_prevention: u32,
    /// Whether who has an expired password cannot set a new one.
    pub hard_expiry: Option<bool>,
}

/// A virtual MFA device.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MfaDevice {
    /// The name.
    pub name: String,
    /// The path, from `/` to `/`.
    pub path: String,
    /// The secret that its codes are made of, sealed for [`MfaDevice::place`].
    pub seed: Secret,
    /// When it was created, in seconds since 1970.
    pub created_secs: i64,
    /// The tags.
    pub tags: Tags,
    /// Whose it is, once it is enabled.
    pub enabled: Option<EnabledDevice>,
}

/// A device that was given to a user, or to a root.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EnabledDevice {
    /// The user's id, or the account of the root.
    pub user_id: String,
    /// Since when, in seconds since 1970.
    pub enabled_secs: i64,
    /// How many time steps its clock is ahead of ours.
    pub drift_steps: i64,
    /// The time step of the last code that was taken: none comes twice.
    pub last_step: i64,
}

/// A user's signing certificate.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SigningCertificate {
    /// The certificate in PEM.
    pub body: String,
    /// Whether it may be used.
    pub active: bool,
    /// When it was uploaded, in seconds since 1970.
    pub uploaded_secs: i64,
}

/// A user's SSH public key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SshPublicKey {
    /// The key as given, `ssh-rsa …` or PEM.
    pub body: String,
    /// The MD5 of the key, in pairs of digits.
    pub fingerprint: String,
    /// Whether it may be used.
    pub active: bool,
    /// When it was uploaded, in seconds since 1970.
    pub uploaded_secs: i64,
}

/// A user name and password for one service.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServiceCredential {
    /// The service, such as `codecommit.amazonaws.com`.
    pub service: String,
    /// The user name there, or the alias of an API key.
    pub name: String,
    /// SHA-256 of the password, which is long and random.
    pub password_sha256: Vec<u8>,
    /// Whether it may be used.
    pub active: bool,
    /// When it was created, in seconds since 1970.
    pub created_secs: i64,
    /// When it ends, in seconds since 1970.
    pub expires_secs: Option<i64>,
}

row!(LoginProfile, 1);
row!(PasswordPolicy, 1);
row!(MfaDevice, 2, device_with_plain_seed);
row!(SigningCertificate, 1);
row!(SshPublicKey, 1);
row!(ServiceCredential, 1);

/// Version 1 had the seed as it is.
fn device_with_plain_seed(version: u8, bytes: &[u8]) -> Result<MfaDevice, Error> {
    #[derive(Deserialize)]
    struct Older {
        name: String,
        path: String,
        seed: Vec<u8>,
        created_secs: i64,
        tags: Tags,
        enabled: Option<EnabledDevice>,
    }
    if version != 1 {
        return no_older_version(version, bytes);
    }
    let Older { name, path, seed, created_secs, tags, enabled } = decode_fields(bytes)?;
    Ok(MfaDevice { name, path, seed: Secret::Plain(seed), created_secs, tags, enabled })
}

impl MfaDevice {
    /// What the seed of the device of this name is sealed for.
    pub fn place(account: &str, name: &str) -> String {
        format!("iam.mfa-device:{account}/{}", fold(name))
    }

    /// The device's serial number, which is its ARN.
    pub fn arn(&self, account: &str) -> String {
        super::entity_arn(account, "mfa", &self.path, &self.name)
    }
}
