//! Signatures and message authentication codes.

use aws_lc_rs::digest::{self, Digest};
use aws_lc_rs::hmac;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeyPair as RsaKeyPair;
use aws_lc_rs::signature::{
    self, EcdsaKeyPair, Ed25519KeyPair, PqdsaKeyPair, RsaEncoding, VerificationAlgorithm,
};

use super::{Failed, material, prehashed};
use crate::model::{MacAlgorithmSpec, SigningAlgorithmSpec};

/// What is signed: the message, or its digest.
#[derive(Clone, Copy)]
pub(crate) enum Signed<'a> {
    Raw(&'a [u8]),
    Digest(&'a [u8]),
    /// A digest for Ed25519ph.
    Prehashed(&'a [u8]),
    /// The representative of a message for ML-DSA.
    Mu(&'a [u8]),
}

/// The hash of an algorithm whose caller may hash.
pub(crate) fn hash(algorithm: SigningAlgorithmSpec) -> Option<&'static digest::Algorithm> {
    use SigningAlgorithmSpec as Algorithm;
    match algorithm {
        Algorithm::RsassaPssSha256 | Algorithm::RsassaPkcs1V15Sha256 | Algorithm::EcdsaSha256 => {
            Some(&digest::SHA256)
        }
        Algorithm::RsassaPssSha384 | Algorithm::RsassaPkcs1V15Sha384 | Algorithm::EcdsaSha384 => {
            Some(&digest::SHA384)
        }
        Algorithm::RsassaPssSha512 | Algorithm::RsassaPkcs1V15Sha512 | Algorithm::EcdsaSha512 => {
            Some(&digest::SHA512)
        }
        _ => None,
    }
}

fn rsa(algorithm: SigningAlgorithmSpec) -> Option<&'static dyn RsaEncoding> {
    use SigningAlgorithmSpec as Algorithm;
    Some(match algorithm {
        Algorithm::RsassaPssSha256 => &signature::RSA_PSS_SHA256,
        Algorithm::RsassaPssSha384 => &signature::RSA_PSS_SHA384,
        Algorithm::RsassaPssSha512 => &signature::RSA_PSS_SHA512,
        Algorithm::RsassaPkcs1V15Sha256 => &signature::RSA_PKCS1_SHA256,
        Algorithm::RsassaPkcs1V15Sha384 => &signature::RSA_PKCS1_SHA384,
        Algorithm::RsassaPkcs1V15Sha512 => &signature::RSA_PKCS1_SHA512,
        _ => return None,
    })
}

fn verification(
    spec: &str,
    algorithm: SigningAlgorithmSpec,
) -> Option<&'static dyn VerificationAlgorithm> {
    use SigningAlgorithmSpec as Algorithm;
    Some(match (algorithm, spec) {
        (Algorithm::RsassaPssSha256, _) => &signature::RSA_PSS_2048_8192_SHA256,
        (Algorithm::RsassaPssSha384, _) => &signature::RSA_PSS_2048_8192_SHA384,
        (Algorithm::RsassaPssSha512, _) => &signature::RSA_PSS_2048_8192_SHA512,
        (Algorithm::RsassaPkcs1V15Sha256, _) => &signature::RSA_PKCS1_2048_8192_SHA256,
        (Algorithm::RsassaPkcs1V15Sha384, _) => &signature::RSA_PKCS1_2048_8192_SHA384,
        (Algorithm::RsassaPkcs1V15Sha512, _) => &signature::RSA_PKCS1_2048_8192_SHA512,
        (_, "ECC_NIST_P256") => &signature::ECDSA_P256_SHA256_ASN1,
        (_, "ECC_NIST_P384") => &signature::ECDSA_P384_SHA384_ASN1,
        (_, "ECC_NIST_P521") => &signature::ECDSA_P521_SHA512_ASN1,
        (_, "ECC_SECG_P256K1") => &signature::ECDSA_P256K1_SHA256_ASN1,
        (_, "ECC_NIST_EDWARDS25519") => &signature::ED25519,
        (_, "ML_DSA_44") => &signature::ML_DSA_44,
        (_, "ML_DSA_65") => &signature::ML_DSA_65,
        (_, "ML_DSA_87") => &signature::ML_DSA_87,
        _ => return None,
    })
}

/// Signs. ECDSA's signatures are DER, as KMS's are.
pub(crate) fn sign(
    spec: &str,
    algorithm: SigningAlgorithmSpec,
    secret: &[u8],
    signed: Signed<'_>,
) -> Result<Vec<u8>, Failed> {
    let digest = match signed {
        Signed::Prehashed(digest) => return prehashed::sign_ed25519(secret, digest),
        Signed::Mu(mu) => return prehashed::sign_ml_dsa(spec, secret, mu),
        Signed::Raw(_) => None,
        Signed::Digest(bytes) => {
            Some(Digest::import_less_safe(bytes, hash(algorithm).ok_or(Failed)?)?)
        }
    };
    let message = match signed {
        Signed::Raw(message) => message,
        _ => &[],
    };
    let chance = SystemRandom::new();
    if let Some(encoding) = rsa(algorithm) {
        let pair = RsaKeyPair::from_pkcs8(secret)?;
        let mut out = vec![0; pair.public_modulus_len()];
        match digest {
            Some(digest) => pair.sign_digest(encoding, &digest, &mut out)?,
            None => pair.sign(encoding, &chance, message, &mut out)?,
        }
        return Ok(out);
    }
    if let Some(curve) = material::ecdsa(spec) {
        let pair = EcdsaKeyPair::from_private_key_der(curve, secret)?;
        let signature = match digest {
            Some(digest) => pair.sign_digest(&digest)?,
            None => pair.sign(&chance, message)?,
        };
        return Ok(signature.as_ref().to_vec());
    }
    if digest.is_some() {
        return Err(Failed);
    }
    if let Some(parameters) = material::ml_dsa(spec) {
        let pair = PqdsaKeyPair::from_pkcs8(parameters, secret)?;
        let mut out = vec![0; parameters.signature_len()];
        let written = pair.sign(message, &mut out)?;
        out.truncate(written);
        return Ok(out);
    }
    let pair = Ed25519KeyPair::from_pkcs8_maybe_unchecked(secret)?;
    Ok(pair.try_sign(message)?.as_ref().to_vec())
}

/// Whether a signature is right.
pub(crate) fn verify(
    spec: &str,
    algorithm: SigningAlgorithmSpec,
    public: &[u8],
    signed: Signed<'_>,
    signature: &[u8],
) -> Result<bool, Failed> {
    let verification = verification(spec, algorithm).ok_or(Failed)?;
    Ok(match signed {
        Signed::Prehashed(digest) => prehashed::verify_ed25519(public, digest, signature)?,
        Signed::Mu(mu) => prehashed::verify_ml_dsa(spec, public, mu, signature)?,
        Signed::Raw(message) => verification.verify_sig(public, message, signature).is_ok(),
        Signed::Digest(bytes) => {
            let digest = Digest::import_less_safe(bytes, hash(algorithm).ok_or(Failed)?)?;
            verification.verify_digest_sig(public, &digest, signature).is_ok()
        }
    })
}

fn hmac_key(algorithm: MacAlgorithmSpec, secret: &[u8]) -> hmac::Key {
    let hash = match algorithm {
        MacAlgorithmSpec::HmacSha224 => hmac::HMAC_SHA224,
        MacAlgorithmSpec::HmacSha256 => hmac::HMAC_SHA256,
        MacAlgorithmSpec::HmacSha384 => hmac::HMAC_SHA384,
        MacAlgorithmSpec::HmacSha512 => hmac::HMAC_SHA512,
    };
    hmac::Key::new(hash, secret)
}

/// The code of a message.
pub(crate) fn mac(algorithm: MacAlgorithmSpec, secret: &[u8], message: &[u8]) -> Vec<u8> {
    hmac::sign(&hmac_key(algorithm, secret), message).as_ref().to_vec()
}

/// Whether it is the code of a message, in constant time.
pub(crate) fn is_mac(
    algorithm: MacAlgorithmSpec,
    secret: &[u8],
    message: &[u8],
    mac: &[u8],
) -> bool {
    hmac::verify(&hmac_key(algorithm, secret), message, mac).is_ok()
}
