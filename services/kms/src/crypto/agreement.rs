//! Secrets that two sides share: ECDH and ML-KEM.

use aws_lc_rs::agreement::{self, ECDH_P256, ECDH_P384, ECDH_P521, PrivateKey, UnparsedPublicKey};
use aws_lc_rs::kem::{Ciphertext, DecapsulationKey, EncapsulationKey};

use super::{Failed, material};

/// The x coordinate of the point that a private key and somebody's public key, in DER, agree on.
pub(crate) fn ecdh(spec: &str, secret: &[u8], public: &[u8]) -> Result<Vec<u8>, Failed> {
    let curve = match spec {
        "ECC_NIST_P256" => &ECDH_P256,
        "ECC_NIST_P384" => &ECDH_P384,
        "ECC_NIST_P521" => &ECDH_P521,
        _ => return Err(Failed),
    };
    let key = PrivateKey::from_private_key_der(curve, secret)?;
    let peer = UnparsedPublicKey::new(curve, public);
    agreement::agree(&key, peer, Failed, |secret| Ok(secret.to_vec()))
}

/// A new secret, and what tells it to the holder of the private key.
pub(crate) fn encapsulate(spec: &str, public: &[u8]) -> Result<(Vec<u8>, Vec<u8>), Failed> {
    let algorithm = material::ml_kem(spec).ok_or(Failed)?;
    let key = public.get(material::ML_KEM_DER_HEAD..).ok_or(Failed)?;
    let (ciphertext, secret) = EncapsulationKey::new(algorithm, key)?.encapsulate()?;
    Ok((ciphertext.as_ref().to_vec(), secret.as_ref().to_vec()))
}

/// The secret that somebody encapsulated.
pub(crate) fn decapsulate(spec: &str, secret: &[u8], ciphertext: &[u8]) -> Result<Vec<u8>, Failed> {
    let algorithm = material::ml_kem(spec).ok_or(Failed)?;
    let key = DecapsulationKey::new(algorithm, secret)?;
    Ok(key.decapsulate(Ciphertext::from(ciphertext))?.as_ref().to_vec())
}
