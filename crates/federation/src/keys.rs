//! Public keys that verify signatures: RSA of 2048 bits and more, and the curves P-256 and P-384.

use ring::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P384_SHA384_FIXED, RSA_PKCS1_2048_8192_SHA256,
    RSA_PKCS1_2048_8192_SHA384, RSA_PKCS1_2048_8192_SHA512, RSA_PSS_2048_8192_SHA256,
    RSA_PSS_2048_8192_SHA384, RSA_PSS_2048_8192_SHA512, RsaPublicKeyComponents, UnparsedPublicKey,
    VerificationAlgorithm,
};

use crate::certificates::{EC, P256, P384, RSA, split_public};
use crate::der::{INTEGER, SEQUENCE, element, unsigned};

/// A public key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum PublicKey {
    Rsa { modulus: Vec<u8>, exponent: Vec<u8> },
    P256(Vec<u8>),
    P384(Vec<u8>),
}

/// A signature's algorithm. Signatures of the curves are the two numbers one behind the other, as in JWS and XML.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Algorithm {
    Rs256,
    Rs384,
    Rs512,
    Ps256,
    Ps384,
    Ps512,
    Es256,
    Es384,
}

impl PublicKey {
    /// Reads a SubjectPublicKeyInfo in DER.
    pub(crate) fn from_info(info: &[u8]) -> Option<PublicKey> {
        let (algorithm, bits) = split_public(info)?;
        if algorithm.starts_with(RSA) {
            let (key, _) = element(SEQUENCE, bits)?;
            let (modulus, rest) = element(INTEGER, key)?;
            let (exponent, _) = element(INTEGER, rest)?;
            let (modulus, exponent) = (unsigned(modulus).to_vec(), unsigned(exponent).to_vec());
            return Some(PublicKey::Rsa { modulus, exponent });
        }
        match algorithm.strip_prefix(EC)? {
            P256 => Some(PublicKey::P256(bits.to_vec())),
            P384 => Some(PublicKey::P384(bits.to_vec())),
            _ => None,
        }
    }

    /// Whether this key made the signature over the message.
    pub(crate) fn verifies(&self, by: Algorithm, message: &[u8], signature: &[u8]) -> bool {
        use Algorithm::{Es256, Es384, Ps256, Ps384, Ps512, Rs256, Rs384, Rs512};
        match self {
            PublicKey::Rsa { modulus, exponent } => {
                let algorithm = match by {
                    Rs256 => &RSA_PKCS1_2048_8192_SHA256,
                    Rs384 => &RSA_PKCS1_2048_8192_SHA384,
                    Rs512 => &RSA_PKCS1_2048_8192_SHA512,
                    Ps256 => &RSA_PSS_2048_8192_SHA256,
                    Ps384 => &RSA_PSS_2048_8192_SHA384,
                    Ps512 => &RSA_PSS_2048_8192_SHA512,
                    Es256 | Es384 => return false,
                };
                let key = RsaPublicKeyComponents { n: modulus, e: exponent };
                key.verify(algorithm, message, signature).is_ok()
            }
            PublicKey::P256(point) => {
                by == Es256 && is_good(&ECDSA_P256_SHA256_FIXED, point, message, signature)
            }
            PublicKey::P384(point) => {
                by == Es384 && is_good(&ECDSA_P384_SHA384_FIXED, point, message, signature)
            }
        }
    }
}

fn is_good(
    algorithm: &'static dyn VerificationAlgorithm,
    point: &[u8],
    message: &[u8],
    signature: &[u8],
) -> bool {
    UnparsedPublicKey::new(algorithm, point).verify(message, signature).is_ok()
}
