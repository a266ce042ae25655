//! X.509 certificates and the private keys that belong to them, in PEM and DER.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ring::rand::SystemRandom;
use ring::signature::{
    ECDSA_P256_SHA256_ASN1_SIGNING, ECDSA_P384_SHA384_ASN1_SIGNING, EcdsaKeyPair,
};
use x509_parser::certificate::X509Certificate;
use x509_parser::prelude::FromDer;

use crate::der::{INTEGER, OCTETS, SEQUENCE, element, unsigned};

/// The largest PEM that is looked at, in bytes.
const MAX_BYTES: usize = 64 * 1024;

/// A certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Certificate {
    /// The certificate in DER.
    pub der: Vec<u8>,
    /// When it begins, in seconds since 1970.
    pub begins_secs: i64,
    /// When it ends, in seconds since 1970.
    pub ends_secs: i64,
}

/// What is wrong with a certificate or key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unusable {
    /// It is no PEM of the kind that was asked for, or holds nothing.
    #[error("the text is not PEM")]
    NotPem,
    /// What is in the PEM cannot be read.
    #[error("the content cannot be read")]
    Malformed,
    /// The key belongs to another certificate.
    #[error("the key belongs to another certificate")]
    OtherKey,
}

impl Certificate {
    /// Reads a certificate in DER.
    pub fn from_der(der: &[u8]) -> Result<Certificate, Unusable> {
        let (rest, read) = X509Certificate::from_der(der).map_err(|_| Unusable::Malformed)?;
        if !rest.is_empty() {
            return Err(Unusable::Malformed);
        }
        let validity = read.validity();
        Ok(Certificate {
            der: der.to_vec(),
            begins_secs: validity.not_before.timestamp(),
            ends_secs: validity.not_after.timestamp(),
        })
    }

    /// Reads the certificates of a PEM, of which there must be at least one.
    pub fn from_pem(text: &str) -> Result<Vec<Certificate>, Unusable> {
        let blocks = blocks(text)?;
        let ours = blocks.iter().map(|(label, der)| match label.as_str() {
            "CERTIFICATE" => Certificate::from_der(der),
            _ => Err(Unusable::NotPem),
        });
        ours.collect()
    }

    /// The SubjectPublicKeyInfo in DER.
    pub fn public_key(&self) -> Vec<u8> {
        let read = X509Certificate::from_der(&self.der);
        read.map(|(_, read)| read.public_key().raw.to_vec()).unwrap_or_default()
    }

    /// Whether `issuer` signed this certificate.
    pub fn is_signed_by(&self, issuer: &Certificate) -> bool {
        let (Ok((_, one)), Ok((_, other))) =
            (X509Certificate::from_der(&self.der), X509Certificate::from_der(&issuer.der))
        else {
            return false;
        };
        one.issuer() == other.subject() && one.verify_signature(Some(other.public_key())).is_ok()
    }

    /// Refuses a private key in PEM (PKCS #1, PKCS #8 or SEC 1, not encrypted) that does not belong to the certificate.
    pub fn check_private_key(&self, pem: &str) -> Result<(), Unusable> {
        let (label, der) = blocks(pem)?.into_iter().next_back().ok_or(Unusable::NotPem)?;
        let public = self.public_key();
        let (algorithm, bits) = split_public(&public).ok_or(Unusable::Malformed)?;
        match label.as_str() {
            "RSA PRIVATE KEY" => check_rsa(&der, algorithm, bits),
            "EC PRIVATE KEY" => check_ec(&der, algorithm, bits),
            "PRIVATE KEY" => {
                let (of_key, key) = split_pkcs8(&der).ok_or(Unusable::Malformed)?;
                match of_key.starts_with(RSA) {
                    true => check_rsa(key, algorithm, bits),
                    false => check_ec(key, algorithm, bits),
                }
            }
            _ => Err(Unusable::NotPem),
        }
    }
}

/// The object identifiers rsaEncryption, ecPublicKey, prime256v1 and secp384r1 in DER.
pub(crate) const RSA: &[u8] = &[0x06, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 1];
pub(crate) const EC: &[u8] = &[0x06, 7, 0x2a, 0x86, 0x48, 0xce, 0x3d, 2, 1];
pub(crate) const P256: &[u8] = &[0x06, 8, 0x2a, 0x86, 0x48, 0xce, 0x3d, 3, 1, 7];
pub(crate) const P384: &[u8] = &[0x06, 5, 0x2b, 0x81, 4, 0, 0x22];

/// The algorithm and the bits of a SubjectPublicKeyInfo.
pub(crate) fn split_public(info: &[u8]) -> Option<(&[u8], &[u8])> {
    let (info, _) = element(SEQUENCE, info)?;
    let (algorithm, rest) = element(SEQUENCE, info)?;
    let (bits, _) = element(0x03, rest)?;
    Some((algorithm, bits.strip_prefix(&[0])?))
}

/// The algorithm and the key of a PrivateKeyInfo (RFC 5208).
fn split_pkcs8(der: &[u8]) -> Option<(&[u8], &[u8])> {
    let (info, _) = element(SEQUENCE, der)?;
    let (_, rest) = element(INTEGER, info)?;
    let (algorithm, rest) = element(SEQUENCE, rest)?;
    let (key, _) = element(OCTETS, rest)?;
    Some((algorithm, key))
}

/// The numbers of an RSAPrivateKey: modulus, public exponent, and the two primes.
fn rsa_numbers(der: &[u8]) -> Option<[&[u8]; 4]> {
    let (key, _) = element(SEQUENCE, der)?;
    let (_, rest) = element(INTEGER, key)?;
    let (modulus, rest) = element(INTEGER, rest)?;
    let (exponent, rest) = element(INTEGER, rest)?;
    let (_, rest) = element(INTEGER, rest)?;
    let (p, rest) = element(INTEGER, rest)?;
    let (q, _) = element(INTEGER, rest)?;
    Some([modulus, exponent, p, q].map(unsigned))
}

fn check_rsa(key: &[u8], algorithm: &[u8], bits: &[u8]) -> Result<(), Unusable> {
    let [modulus, exponent, p, q] = rsa_numbers(key).ok_or(Unusable::Malformed)?;
    if product(p, q) != modulus {
        return Err(Unusable::Malformed);
    }
    let numbers = || {
        let (public, _) = element(SEQUENCE, bits)?;
        let (modulus, rest) = element(INTEGER, public)?;
        let (exponent, _) = element(INTEGER, rest)?;
        Some((unsigned(modulus), unsigned(exponent)))
    };
    match algorithm.starts_with(RSA) && numbers() == Some((modulus, exponent)) {
        true => Ok(()),
        false => Err(Unusable::OtherKey),
    }
}

/// The product of two big-endian numbers, which proves that a key holds the primes of its modulus.
fn product(one: &[u8], other: &[u8]) -> Vec<u8> {
    let mut digits = vec![0u32; one.len() + other.len()];
    for (i, a) in one.iter().rev().enumerate() {
        let mut carry = 0;
        for (j, b) in other.iter().rev().enumerate() {
            let sum = digits[i + j] + u32::from(*a) * u32::from(*b) + carry;
            digits[i + j] = sum & 0xff;
            carry = sum >> 8;
        }
        digits[i + other.len()] += carry;
    }
    let bytes: Vec<u8> = digits.iter().rev().map(|digit| *digit as u8).collect();
    unsigned(&bytes).to_vec()
}

fn check_ec(key: &[u8], algorithm: &[u8], bits: &[u8]) -> Result<(), Unusable> {
    let private = || {
        let (key, _) = element(SEQUENCE, key)?;
        let (_, rest) = element(INTEGER, key)?;
        let (private, _) = element(OCTETS, rest)?;
        Some(private)
    };
    let private = private().ok_or(Unusable::Malformed)?;
    let curve = algorithm.strip_prefix(EC).ok_or(Unusable::OtherKey)?;
    let signing = match curve {
        P256 => &ECDSA_P256_SHA256_ASN1_SIGNING,
        P384 => &ECDSA_P384_SHA384_ASN1_SIGNING,
        _ => return Err(Unusable::Malformed),
    };
    // Nothing random is made here; the interface asks for a source for signing later.
    let pair =
        EcdsaKeyPair::from_private_key_and_public_key(signing, private, bits, &SystemRandom::new());
    pair.map(|_| ()).map_err(|_| Unusable::OtherKey)
}

/// The labels and contents of a PEM's blocks; text between them is passed over, as RFC 7468 has it.
fn blocks(text: &str) -> Result<Vec<(String, Vec<u8>)>, Unusable> {
    if text.len() > MAX_BYTES {
        return Err(Unusable::NotPem);
    }
    let mut blocks = Vec::new();
    let mut rest = text;
    while let Some((_, after)) = rest.split_once("-----BEGIN ") {
        let (label, after) = after.split_once("-----").ok_or(Unusable::NotPem)?;
        let (body, after) =
            after.split_once(&format!("-----END {label}-----")).ok_or(Unusable::NotPem)?;
        let body: String = body.split_whitespace().collect();
        let der = STANDARD.decode(body).map_err(|_| Unusable::NotPem)?;
        blocks.push((label.to_owned(), der));
        rest = after;
    }
    if blocks.is_empty() { Err(Unusable::NotPem) } else { Ok(blocks) }
}
