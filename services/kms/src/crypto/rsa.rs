//! RSA encryption: OAEP, and the wrappings under which material is imported.

use aws_lc_rs::key_wrap::{AES_256, AesKek, KeyWrapPadded};
use aws_lc_rs::rsa::{
    OAEP_SHA1_MGF1SHA1, OAEP_SHA256_MGF1SHA256, OaepAlgorithm, OaepPrivateDecryptingKey,
    OaepPublicEncryptingKey, Pkcs1PrivateDecryptingKey, PrivateDecryptingKey, PublicEncryptingKey,
};
use fogbank_core::seal::Zeroizing;

use super::Failed;
use crate::model::{AlgorithmSpec, EncryptionAlgorithmSpec};

fn oaep(algorithm: EncryptionAlgorithmSpec) -> Option<&'static OaepAlgorithm> {
    match algorithm {
        EncryptionAlgorithmSpec::RsaesOaepSha1 => Some(&OAEP_SHA1_MGF1SHA1),
        EncryptionAlgorithmSpec::RsaesOaepSha256 => Some(&OAEP_SHA256_MGF1SHA256),
        _ => None,
    }
}

/// The longest plaintext, in bytes.
pub(crate) fn longest(public: &[u8], algorithm: EncryptionAlgorithmSpec) -> Result<usize, Failed> {
    let key = OaepPublicEncryptingKey::new(PublicEncryptingKey::from_der(public)?)?;
    Ok(key.max_plaintext_size(oaep(algorithm).ok_or(Failed)?))
}

/// Encrypts with a public key.
pub(crate) fn encrypt(
    public: &[u8],
    algorithm: EncryptionAlgorithmSpec,
    plaintext: &[u8],
) -> Result<Vec<u8>, Failed> {
    let key = OaepPublicEncryptingKey::new(PublicEncryptingKey::from_der(public)?)?;
    let mut out = vec![0; key.ciphertext_size()];
    let written = key.encrypt(oaep(algorithm).ok_or(Failed)?, plaintext, &mut out, None)?.len();
    out.truncate(written);
    Ok(out)
}

/// Decrypts with a private key.
pub(crate) fn decrypt(
    secret: &[u8],
    algorithm: EncryptionAlgorithmSpec,
    ciphertext: &[u8],
) -> Result<Zeroizing<Vec<u8>>, Failed> {
    unwrap_oaep(secret, oaep(algorithm).ok_or(Failed)?, ciphertext)
}

fn unwrap_oaep(
    secret: &[u8],
    algorithm: &'static OaepAlgorithm,
    ciphertext: &[u8],
) -> Result<Zeroizing<Vec<u8>>, Failed> {
    let key = OaepPrivateDecryptingKey::new(PrivateDecryptingKey::from_pkcs8(secret)?)?;
    let mut out = Zeroizing::new(vec![0; key.min_output_size()]);
    let written = key.decrypt(algorithm, ciphertext, &mut out, None)?.len();
    out.truncate(written);
    Ok(out)
}

/// Unwraps material that is imported.
pub(crate) fn unwrap(
    secret: &[u8],
    algorithm: AlgorithmSpec,
    wrapped: &[u8],
) -> Result<Zeroizing<Vec<u8>>, Failed> {
    match algorithm {
        AlgorithmSpec::RsaesPkcs1V15 => {
            let key = Pkcs1PrivateDecryptingKey::new(PrivateDecryptingKey::from_pkcs8(secret)?)?;
            let mut out = Zeroizing::new(vec![0; key.min_output_size()]);
            let written = key.decrypt(wrapped, &mut out)?.len();
            out.truncate(written);
            Ok(out)
        }
        AlgorithmSpec::RsaesOaepSha1 => unwrap_oaep(secret, &OAEP_SHA1_MGF1SHA1, wrapped),
        AlgorithmSpec::RsaesOaepSha256 => unwrap_oaep(secret, &OAEP_SHA256_MGF1SHA256, wrapped),
        AlgorithmSpec::RsaAesKeyWrapSha1 => unwrap_both(secret, &OAEP_SHA1_MGF1SHA1, wrapped),
        AlgorithmSpec::RsaAesKeyWrapSha256 => unwrap_both(secret, &OAEP_SHA256_MGF1SHA256, wrapped),
        AlgorithmSpec::Sm2Pke => Err(Failed),
    }
}

/// CKM_RSA_AES_KEY_WRAP: an AES key under OAEP, then the material under that key with padding (RFC 5649).
fn unwrap_both(
    secret: &[u8],
    algorithm: &'static OaepAlgorithm,
    wrapped: &[u8],
) -> Result<Zeroizing<Vec<u8>>, Failed> {
    let size = PrivateDecryptingKey::from_pkcs8(secret)?.key_size_bytes();
    let (key, material) = wrapped.split_at_checked(size).ok_or(Failed)?;
    let key = unwrap_oaep(secret, algorithm, key)?;
    let mut out = Zeroizing::new(vec![0; material.len()]);
    let written = AesKek::new(&AES_256, &key)?.unwrap_with_padding(material, &mut out)?.len();
    out.truncate(written);
    Ok(out)
}
