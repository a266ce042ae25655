//! Cryptography: AWS-LC does it, the library that KMS's own modules and SDKs use.
//!
//! Symmetric material and HMAC keys are plain bytes, pairs of keys are PKCS #8 in DER, ML-KEM's private keys the bytes of
//! FIPS 203.

pub(crate) mod agreement;
pub(crate) mod material;
pub(crate) mod prehashed;
pub(crate) mod rsa;
pub(crate) mod signing;
pub(crate) mod symmetric;

/// The library refuses: bytes that are no key of this kind, or an operation that fails.
#[derive(Debug)]
pub(crate) struct Failed;

impl From<aws_lc_rs::error::Unspecified> for Failed {
    fn from(_: aws_lc_rs::error::Unspecified) -> Failed {
        Failed
    }
}

impl From<aws_lc_rs::error::KeyRejected> for Failed {
    fn from(_: aws_lc_rs::error::KeyRejected) -> Failed {
        Failed
    }
}

impl From<Failed> for crate::error::Error {
    fn from(_: Failed) -> crate::error::Error {
        fogbank_core::Fault::internal("the cryptographic library refused").into()
    }
}
