//! Making and taking in secret material.

use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der, PublicKeyX509Der};
use aws_lc_rs::rsa::{KeyPair as RsaKeyPair, KeySize};
use aws_lc_rs::signature::{self, EcdsaKeyPair, Ed25519KeyPair, KeyPair, PqdsaKeyPair};
use aws_lc_rs::{hmac, kem};
use fogbank_core::Ids;
use fogbank_core::seal::Zeroizing;

use super::Failed;

/// Secret material, and its public half where it has one.
pub(crate) struct Fresh {
    pub(crate) secret: Zeroizing<Vec<u8>>,
    pub(crate) public: Option<Vec<u8>>,
}

/// New material for a key or a pair of data keys. Pairs take their chance from the library.
pub(crate) fn generate(ids: &Ids, spec: &str) -> Result<Fresh, Failed> {
    if let Some(bytes) = symmetric_bytes(spec) {
        let mut secret = Zeroizing::new(vec![0; bytes]);
        ids.fill(&mut secret);
        return Ok(Fresh { secret, public: None });
    }
    if let Some(algorithm) = ml_kem(spec) {
        let key = kem::DecapsulationKey::generate(algorithm)?;
        let public = ml_kem_public(spec, key.encapsulation_key()?.key_bytes()?.as_ref());
        let secret = Zeroizing::new(key.key_bytes()?.as_ref().to_vec());
        return Ok(Fresh { secret, public: Some(public) });
    }
    let secret = match spec {
        "RSA_2048" => rsa(KeySize::Rsa2048)?,
        "RSA_3072" => rsa(KeySize::Rsa3072)?,
        "RSA_4096" => rsa(KeySize::Rsa4096)?,
        "ECC_NIST_EDWARDS25519" => {
            Zeroizing::new(Ed25519KeyPair::generate()?.to_pkcs8v1()?.as_ref().to_vec())
        }
        _ => match (ecdsa(spec), ml_dsa(spec)) {
            (Some(algorithm), _) => {
                let pair = EcdsaKeyPair::generate(algorithm)?;
                Zeroizing::new(pair.to_pkcs8v1()?.as_ref().to_vec())
            }
            (_, Some(algorithm)) => {
                let pair = PqdsaKeyPair::generate(algorithm)?;
                Zeroizing::new(pair.to_pkcs8v1()?.as_ref().to_vec())
            }
            _ => return Err(Failed),
        },
    };
    take_in(spec, secret)
}

/// Checks material that comes from elsewhere, and finds its public half.
pub(crate) fn take_in(spec: &str, secret: Zeroizing<Vec<u8>>) -> Result<Fresh, Failed> {
    if let Some(bytes) = symmetric_bytes(spec) {
        // AWS takes HMAC keys of up to 64 bytes, or 128 for the two larger hashes.
        let most = match spec {
            "SYMMETRIC_DEFAULT" => bytes,
            "HMAC_224" | "HMAC_256" => 64,
            _ => 128,
        };
        let fits = (bytes..=most).contains(&secret.len());
        return if fits { Ok(Fresh { secret, public: None }) } else { Err(Failed) };
    }
    let public: PublicKeyX509Der<'_> = match spec {
        "RSA_2048" | "RSA_3072" | "RSA_4096" => {
            let pair = RsaKeyPair::from_pkcs8(&secret)?;
            let bits = spec["RSA_".len()..].parse().unwrap_or(0);
            if pair.public_modulus_len() * 8 != bits {
                return Err(Failed);
            }
            pair.public_key().as_der()?
        }
        "ECC_NIST_EDWARDS25519" => {
            Ed25519KeyPair::from_pkcs8_maybe_unchecked(&secret)?.public_key().as_der()?
        }
        _ => match (ecdsa(spec), ml_dsa(spec)) {
            (Some(algorithm), _) => {
                EcdsaKeyPair::from_private_key_der(algorithm, &secret)?.public_key().as_der()?
            }
            (_, Some(algorithm)) => {
                PqdsaKeyPair::from_pkcs8(algorithm, &secret)?.public_key().as_der()?
            }
            _ => return Err(Failed),
        },
    };
    Ok(Fresh { public: Some(public.as_ref().to_vec()), secret })
}

fn rsa(size: KeySize) -> Result<Zeroizing<Vec<u8>>, Failed> {
    let der: Pkcs8V1Der<'_> = RsaKeyPair::generate(size)?.as_der()?;
    Ok(Zeroizing::new(der.as_ref().to_vec()))
}

fn symmetric_bytes(spec: &str) -> Option<usize> {
    Some(match spec {
        "SYMMETRIC_DEFAULT" | "HMAC_256" => 32,
        "HMAC_224" => 28,
        "HMAC_384" => 48,
        "HMAC_512" => 64,
        _ => return None,
    })
}

/// The algorithm of an elliptic curve.
pub(crate) fn ecdsa(spec: &str) -> Option<&'static signature::EcdsaSigningAlgorithm> {
    Some(match spec {
        "ECC_NIST_P256" => &signature::ECDSA_P256_SHA256_ASN1_SIGNING,
        "ECC_NIST_P384" => &signature::ECDSA_P384_SHA384_ASN1_SIGNING,
        "ECC_NIST_P521" => &signature::ECDSA_P521_SHA512_ASN1_SIGNING,
        "ECC_SECG_P256K1" => &signature::ECDSA_P256K1_SHA256_ASN1_SIGNING,
        _ => return None,
    })
}

/// The algorithm of an ML-DSA key.
pub(crate) fn ml_dsa(spec: &str) -> Option<&'static signature::PqdsaSigningAlgorithm> {
    Some(match spec {
        "ML_DSA_44" => &signature::ML_DSA_44_SIGNING,
        "ML_DSA_65" => &signature::ML_DSA_65_SIGNING,
        "ML_DSA_87" => &signature::ML_DSA_87_SIGNING,
        _ => return None,
    })
}

/// The algorithm of an ML-KEM key.
pub(crate) fn ml_kem(spec: &str) -> Option<&'static kem::Algorithm<kem::AlgorithmId>> {
    Some(match spec {
        "ML_KEM_512" => &kem::ML_KEM_512,
        "ML_KEM_768" => &kem::ML_KEM_768,
        "ML_KEM_1024" => &kem::ML_KEM_1024,
        _ => return None,
    })
}

/// Bytes in front of ML-KEM's public key in a `SubjectPublicKeyInfo`.
pub(crate) const ML_KEM_DER_HEAD: usize = 22;

/// ML-KEM's public key as `SubjectPublicKeyInfo`, which the library does not write: RFC 9935.
fn ml_kem_public(spec: &str, key: &[u8]) -> Vec<u8> {
    let number = match spec {
        "ML_KEM_512" => 1,
        "ML_KEM_768" => 2,
        _ => 3,
    };
    let length = |bytes: usize| [0x82, (bytes >> 8) as u8, bytes as u8];
    let mut der = vec![0x30];
    der.extend(length(ML_KEM_DER_HEAD - 4 + key.len()));
    // id-alg-ml-kem-…, 2.16.840.1.101.3.4.4.N, without parameters.
    der.extend([0x30, 0x0b, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x04, number]);
    der.push(0x03);
    der.extend(length(1 + key.len()));
    der.push(0);
    der.extend_from_slice(key);
    der
}

/// The id of material: 64 hexadecimal digits that follow from it and its key, so that the same material imported again
/// has the same one.
pub(crate) fn id(key_id: &str, secret: &[u8]) -> String {
    let mut context = hmac::Context::with_key(&hmac::Key::new(hmac::HMAC_SHA256, secret));
    context.update(b"fogbank kms material 1\0");
    context.update(key_id.as_bytes());
    hex::encode(context.sign())
}
