//! SigV4A: signatures of ECDSA on P-256 with a key that both sides derive from the secret.
//!
//! <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-signing-elements.html>; the derivation is NIST
//! SP 800-108's in counter mode, as the AWS Common Runtime does it.

use aws_lc_rs::agreement::{ECDH_P256, PrivateKey};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_ASN1, ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, ParsedPublicKey,
};

use crate::key::hmac;
use crate::parse::ECDSA;

/// The order of P-256's group less two, big-endian: the largest candidate that becomes a private key.
const ORDER_LESS_TWO: [u8; 32] = [
    0xff, 0xff, 0xff, 0xff, 0x00, 0x00, 0x00, 0x00, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
    0xbc, 0xe6, 0xfa, 0xad, 0xa7, 0x17, 0x9e, 0x84, 0xf3, 0xb9, 0xca, 0xc2, 0xfc, 0x63, 0x25, 0x4f,
];

/// The key pair of a secret.
pub(crate) struct KeyPair {
    pair: EcdsaKeyPair,
    public: ParsedPublicKey,
}

impl KeyPair {
    /// Derives the pair; none if 254 candidates in a row are out of range, which nobody will live to see.
    pub(crate) fn derive(access_key_id: &str, secret: &str) -> Option<Self> {
        let key = [b"AWS4A", secret.as_bytes()].concat();
        let scalar = (1..=254u8).find_map(|counter| {
            let candidate = hmac(&key, &fixed_input(access_key_id, counter));
            private_key(candidate)
        })?;
        let private = PrivateKey::from_private_key(&ECDH_P256, &scalar).ok()?;
        let point = private.compute_public_key().ok()?;
        let pair = EcdsaKeyPair::from_private_key_and_public_key(
            &ECDSA_P256_SHA256_ASN1_SIGNING,
            &scalar,
            point.as_ref(),
        );
        let public = ParsedPublicKey::new(&ECDSA_P256_SHA256_ASN1, point.as_ref());
        Some(Self { pair: pair.ok()?, public: public.ok()? })
    }

    /// A signature in DER; empty if the machine has no random numbers.
    pub(crate) fn sign(&self, message: &[u8]) -> Vec<u8> {
        let signature = self.pair.sign(&SystemRandom::new(), message);
        signature.map(|signature| signature.as_ref().to_vec()).unwrap_or_default()
    }

    /// Whether `signature`, in DER, is one of `message`.
    pub(crate) fn verifies(&self, message: &[u8], signature: &[u8]) -> bool {
        self.public.verify_sig(message, signature).is_ok()
    }
}

/// The counter of the key derivation's only round, its label, its context and the bits that it makes.
fn fixed_input(access_key_id: &str, counter: u8) -> Vec<u8> {
    let (round, bits) = (1u32.to_be_bytes(), 256u32.to_be_bytes());
    [&round, ECDSA.as_bytes(), &[0], access_key_id.as_bytes(), &[counter], &bits].concat()
}

/// The private key of a candidate: one more than it, if it is in range.
fn private_key(mut candidate: [u8; 32]) -> Option<[u8; 32]> {
    if candidate > ORDER_LESS_TWO {
        return None;
    }
    for byte in candidate.iter_mut().rev() {
        let (sum, overflows) = byte.overflowing_add(1);
        *byte = sum;
        if !overflows {
            break;
        }
    }
    Some(candidate)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn candidates_are_counted_up_by_one_and_kept_in_range() {
        let mut last = [0; 32];
        assert_eq!(private_key(last).expect("in range")[31], 1);
        last[31] = 0xff;
        assert_eq!(private_key(last).expect("in range")[30..], [1, 0]);
        let mut largest = ORDER_LESS_TWO;
        largest[31] += 1;
        assert_eq!(private_key(ORDER_LESS_TWO), Some(largest));
        assert_eq!(private_key(largest), None);
        assert_eq!(private_key([0xff; 32]), None);
    }
}
