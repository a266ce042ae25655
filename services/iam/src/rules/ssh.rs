//! SSH public keys: RSA keys in OpenSSH's form or as PEM, which IAM takes.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use fogbank_federation::der::{self, INTEGER, SEQUENCE, element};
use md5::{Digest, Md5};

use crate::error::Error;

/// The least and most bits of a modulus.
const BITS: std::ops::RangeInclusive<usize> = 2048..=16_384;

/// An RSA public key: exponent and modulus, big-endian, without leading zeros.
pub(crate) struct RsaKey {
    exponent: Vec<u8>,
    modulus: Vec<u8>,
}

/// Reads `ssh-rsa …` or `-----BEGIN PUBLIC KEY-----`.
pub(crate) fn parse(text: &str) -> Result<RsaKey, Error> {
    let text = text.trim();
    let key = match text.strip_prefix("ssh-rsa ") {
        Some(rest) => {
            let encoded = rest.split_whitespace().next().unwrap_or_default();
            of_ssh(&STANDARD.decode(encoded).map_err(|_| Error::InvalidPublicKeyException)?)
        }
        None if text.starts_with("-----BEGIN PUBLIC KEY-----") => of_pem(text),
        None => return Err(Error::UnrecognizedPublicKeyEncodingException),
    };
    let is_long_enough = |key: &RsaKey| BITS.contains(&(key.modulus.len() * 8));
    key.filter(is_long_enough).ok_or(Error::InvalidPublicKeyException)
}

/// RFC 4253, section 6.6: `ssh-rsa`, exponent, modulus, each behind its length.
fn of_ssh(mut bytes: &[u8]) -> Option<RsaKey> {
    let mut field = || {
        let (length, rest) = bytes.split_first_chunk::<4>()?;
        let (field, rest) = rest.split_at_checked(u32::from_be_bytes(*length) as usize)?;
        bytes = rest;
        Some(field)
    };
    (field()? == b"ssh-rsa").then_some(())?;
    let (exponent, modulus) = (unsigned(field()?)?, unsigned(field()?)?);
    bytes.is_empty().then_some(RsaKey { exponent, modulus })
}

/// RFC 5280: SubjectPublicKeyInfo with the algorithm rsaEncryption.
fn of_pem(text: &str) -> Option<RsaKey> {
    let body: String = text.lines().filter(|line| !line.starts_with("-----")).collect();
    let der = STANDARD.decode(body).ok()?;
    let (info, _) = element(SEQUENCE, &der)?;
    let (algorithm, rest) = element(SEQUENCE, info)?;
    algorithm.starts_with(RSA).then_some(())?;
    let (bits, _) = element(der::BITS, rest)?;
    let (key, _) = element(SEQUENCE, bits.strip_prefix(&[0])?)?;
    let (modulus, rest) = element(INTEGER, key)?;
    let (exponent, _) = element(INTEGER, rest)?;
    Some(RsaKey { exponent: unsigned(exponent)?, modulus: unsigned(modulus)? })
}

/// The object identifier 1.2.840.113549.1.1.1 in DER.
const RSA: &[u8] = &[0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01];

fn unsigned(number: &[u8]) -> Option<Vec<u8>> {
    let number = match number {
        [0, rest @ ..] => rest,
        number => number,
    };
    (!number.is_empty()).then(|| number.to_vec())
}

/// A positive number as both encodings have it: a zero in front where it would look negative.
fn signed(number: &[u8]) -> Vec<u8> {
    let zero = number.first().is_some_and(|first| *first >= 0x80).then_some(0);
    zero.into_iter().chain(number.iter().copied()).collect()
}

fn wrap(tag: u8, content: &[u8]) -> Vec<u8> {
    let mut made = vec![tag];
    match u16::try_from(content.len()) {
        Ok(length @ 0..0x80) => made.push(length as u8),
        Ok(length) => {
            made.push(0x82);
            made.extend(length.to_be_bytes());
        }
        Err(_) => return Vec::new(),
    }
    made.extend_from_slice(content);
    made
}

impl RsaKey {
    fn blob(&self) -> Vec<u8> {
        let mut blob = Vec::new();
        for field in [b"ssh-rsa".to_vec(), signed(&self.exponent), signed(&self.modulus)] {
            blob.extend((field.len() as u32).to_be_bytes());
            blob.extend(field);
        }
        blob
    }

    /// The key in OpenSSH's form.
    pub(crate) fn to_ssh(&self) -> String {
        format!("ssh-rsa {}", STANDARD.encode(self.blob()))
    }

    /// The key as PEM.
    pub(crate) fn to_pem(&self) -> Result<String, Error> {
        let numbers =
            [wrap(0x02, &signed(&self.modulus)), wrap(0x02, &signed(&self.exponent))].concat();
        let bits = [vec![0], wrap(0x30, &numbers)].concat();
        let algorithm = wrap(0x30, &[RSA, &[0x05, 0x00]].concat());
        let der = wrap(0x30, &[algorithm, wrap(0x03, &bits)].concat());
        let encoded = STANDARD.encode(der);
        let lines: Vec<&str> = encoded
            .as_bytes()
            .chunks(64)
            .map(|line| std::str::from_utf8(line).unwrap_or_default())
            .collect();
        Ok(format!("-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----\n", lines.join("\n")))
    }

    /// The MD5 of the key in pairs of digits.
    pub(crate) fn fingerprint(&self) -> String {
        let hash = Md5::digest(self.blob());
        let pairs: Vec<String> = hash.iter().map(|byte| format!("{byte:02x}")).collect();
        pairs.join(":")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key() -> RsaKey {
        RsaKey { exponent: vec![1, 0, 1], modulus: [vec![0xc5], vec![0x17; 255]].concat() }
    }

    #[test]
    fn both_forms_are_one_key() {
        let key = key();
        let ssh = key.to_ssh();
        let pem = key.to_pem().expect("short enough");
        let again = parse(&pem).unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(again.to_ssh(), ssh);
        let again =
            parse(&format!("{ssh} ann@example.com")).unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(again.to_pem().expect("short enough"), pem);
        assert_eq!(again.fingerprint().len(), 47);
    }

    #[test]
    fn nonsense_is_refused() {
        assert!(matches!(
            parse("ssh-ed25519 AAAA"),
            Err(Error::UnrecognizedPublicKeyEncodingException)
        ));
        assert!(matches!(parse("ssh-rsa AAAA"), Err(Error::InvalidPublicKeyException)));
        let short = RsaKey { exponent: vec![3], modulus: vec![0xff; 64] };
        assert!(matches!(parse(&short.to_ssh()), Err(Error::InvalidPublicKeyException)));
        let mut cut = key().to_ssh();
        cut.truncate(100);
        assert!(parse(&cut).is_err());
    }
}
