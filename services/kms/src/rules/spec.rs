//! What keys of each specification are for, and with which algorithms.

use crate::error::Error;
use crate::model::{
    CreateKeyInput, CustomerMasterKeySpec, EncapsulationAlgorithmSpec, EncryptionAlgorithmSpec,
    KeyAgreementAlgorithmSpec, KeySpec, KeyUsageType, MacAlgorithmSpec, SigningAlgorithmSpec,
};

/// The specification and usage of a key that is to be created.
pub(crate) fn wanted(input: &CreateKeyInput) -> Result<(KeySpec, KeyUsageType), Error> {
    let spec = match (input.key_spec, input.customer_master_key_spec) {
        (Some(_), Some(_)) => {
            return Err(Error::invalid(
                "You cannot specify KeySpec and CustomerMasterKeySpec in the same request. \
                 CustomerMasterKeySpec is deprecated.",
            ));
        }
        (Some(spec), None) => spec,
        (None, Some(old)) => KeySpec::from_name(old.as_str()).unwrap_or(KeySpec::SymmetricDefault),
        (None, None) => KeySpec::SymmetricDefault,
    };
    let usage = match (input.key_usage, spec) {
        (Some(usage), _) => usage,
        (None, KeySpec::SymmetricDefault) => KeyUsageType::EncryptDecrypt,
        (None, _) => {
            return Err(Error::invalid(
                "You must specify a KeyUsage value for all KMS keys except for symmetric encryption keys.",
            ));
        }
    };
    if !usages(spec).contains(&usage) {
        return Err(Error::invalid(format!(
            "KeyUsage {} is not compatible with KeySpec {}",
            usage.as_str(),
            spec.as_str()
        )));
    }
    Ok((spec, usage))
}

/// What keys of a specification may be used for.
pub(crate) fn usages(spec: KeySpec) -> &'static [KeyUsageType] {
    use KeyUsageType::{
        EncapsulateDecapsulate, EncryptDecrypt, GenerateVerifyMac, KeyAgreement, SignVerify,
    };
    match spec {
        KeySpec::SymmetricDefault => &[EncryptDecrypt],
        KeySpec::Rsa2048 | KeySpec::Rsa3072 | KeySpec::Rsa4096 => &[EncryptDecrypt, SignVerify],
        KeySpec::EccNistP256 | KeySpec::EccNistP384 | KeySpec::EccNistP521 => {
            &[SignVerify, KeyAgreement]
        }
        KeySpec::EccSecgP256K1 | KeySpec::EccNistEdwards25519 => &[SignVerify],
        KeySpec::MlDsa44 | KeySpec::MlDsa65 | KeySpec::MlDsa87 => &[SignVerify],
        KeySpec::MlKem512 | KeySpec::MlKem768 | KeySpec::MlKem1024 => &[EncapsulateDecapsulate],
        KeySpec::Hmac224 | KeySpec::Hmac256 | KeySpec::Hmac384 | KeySpec::Hmac512 => {
            &[GenerateVerifyMac]
        }
        KeySpec::Sm2 => &[EncryptDecrypt, SignVerify, KeyAgreement],
    }
}

/// Whether it is a symmetric key for encryption.
pub(crate) fn is_symmetric(spec: &str) -> bool {
    spec == "SYMMETRIC_DEFAULT"
}

/// Whether it is a pair of keys.
pub(crate) fn is_asymmetric(spec: &str) -> bool {
    !is_symmetric(spec) && !spec.starts_with("HMAC_")
}

/// The algorithms with which a key encrypts.
pub(crate) fn encryption(spec: &str, usage: &str) -> Option<Vec<EncryptionAlgorithmSpec>> {
    use EncryptionAlgorithmSpec::{RsaesOaepSha1, RsaesOaepSha256, SymmetricDefault};
    if usage != "ENCRYPT_DECRYPT" {
        return None;
    }
    Some(match spec {
        "SYMMETRIC_DEFAULT" => vec![SymmetricDefault],
        _ => vec![RsaesOaepSha1, RsaesOaepSha256],
    })
}

/// The algorithms with which a key signs.
pub(crate) fn signing(spec: &str, usage: &str) -> Option<Vec<SigningAlgorithmSpec>> {
    use SigningAlgorithmSpec as Algorithm;
    if usage != "SIGN_VERIFY" {
        return None;
    }
    Some(match spec {
        "RSA_2048" | "RSA_3072" | "RSA_4096" => vec![
            Algorithm::RsassaPkcs1V15Sha256,
            Algorithm::RsassaPkcs1V15Sha384,
            Algorithm::RsassaPkcs1V15Sha512,
            Algorithm::RsassaPssSha256,
            Algorithm::RsassaPssSha384,
            Algorithm::RsassaPssSha512,
        ],
        "ECC_NIST_P256" | "ECC_SECG_P256K1" => vec![Algorithm::EcdsaSha256],
        "ECC_NIST_P384" => vec![Algorithm::EcdsaSha384],
        "ECC_NIST_P521" => vec![Algorithm::EcdsaSha512],
        "ECC_NIST_EDWARDS25519" => vec![Algorithm::Ed25519Sha512, Algorithm::Ed25519PhSha512],
        _ => vec![Algorithm::MlDsaShake256],
    })
}

/// The algorithm with which a key authenticates.
pub(crate) fn mac(spec: &str) -> Option<Vec<MacAlgorithmSpec>> {
    let digits = spec.strip_prefix("HMAC_")?;
    MacAlgorithmSpec::from_name(&format!("HMAC_SHA_{digits}")).map(|algorithm| vec![algorithm])
}

/// The algorithm with which a key agrees on a secret.
pub(crate) fn agreement(usage: &str) -> Option<Vec<KeyAgreementAlgorithmSpec>> {
    (usage == "KEY_AGREEMENT").then(|| vec![KeyAgreementAlgorithmSpec::Ecdh])
}

/// The algorithm with which a key encapsulates a secret.
pub(crate) fn encapsulation(usage: &str) -> Option<Vec<EncapsulationAlgorithmSpec>> {
    (usage == "ENCAPSULATE_DECAPSULATE").then(|| vec![EncapsulationAlgorithmSpec::MlKem])
}

/// The older name of a specification, where it has one.
pub(crate) fn older_name(spec: &str) -> Option<CustomerMasterKeySpec> {
    CustomerMasterKeySpec::from_name(spec)
}
