//! Signatures of what the caller has hashed, as AWS-LC's interface for Rust does not offer them: Ed25519ph of a digest (RFC 8032),
//! and ML-DSA of the message's representative mu (FIPS 204).

use aws_lc_rs::encoding::{AsBigEndian, AsRawBytes};
use aws_lc_rs::signature::{Ed25519KeyPair, PqdsaKeyPair};
use ed25519_dalek::{Signature, SigningKey, VerifyingKey};
use ml_dsa::{EncodedVerifyingKey, ExpandedSigningKey, MlDsa44, MlDsa65, MlDsa87, MlDsaParams};
use sha2::digest::consts::U64;
use sha2::digest::{FixedOutput, HashMarker, Output, OutputSizeUser, Update};

use super::{Failed, material};

/// Bytes of a SHA-512 and of a mu.
pub(crate) const BYTES: usize = 64;

/// A hash that is computed already.
#[derive(Clone)]
struct Ready([u8; BYTES]);

impl Default for Ready {
    fn default() -> Ready {
        Ready([0; BYTES])
    }
}

impl HashMarker for Ready {}

impl OutputSizeUser for Ready {
    type OutputSize = U64;
}

impl Update for Ready {
    fn update(&mut self, _: &[u8]) {}
}

impl FixedOutput for Ready {
    fn finalize_into(self, out: &mut Output<Self>) {
        out.copy_from_slice(&self.0);
    }
}

fn ready(digest: &[u8]) -> Result<Ready, Failed> {
    digest.try_into().map(Ready).map_err(|_| Failed)
}

/// Signs a SHA-512 by Ed25519ph, without a context.
pub(crate) fn sign_ed25519(secret: &[u8], digest: &[u8]) -> Result<Vec<u8>, Failed> {
    let pair = Ed25519KeyPair::from_pkcs8_maybe_unchecked(secret)?;
    let seed = pair.seed()?;
    let seed = seed.as_be_bytes()?;
    let key = SigningKey::from_bytes(seed.as_ref().try_into().map_err(|_| Failed)?);
    let signature = key.sign_prehashed(ready(digest)?, None).map_err(|_| Failed)?;
    Ok(signature.to_bytes().to_vec())
}

/// Whether it is an Ed25519ph signature of a SHA-512; the public key is DER, which ends with it.
pub(crate) fn verify_ed25519(
    public: &[u8],
    digest: &[u8],
    signature: &[u8],
) -> Result<bool, Failed> {
    let raw = public.last_chunk().ok_or(Failed)?;
    let key = VerifyingKey::from_bytes(raw).map_err(|_| Failed)?;
    let Ok(signature) = Signature::from_slice(signature) else { return Ok(false) };
    Ok(key.verify_prehashed(ready(digest)?, None, &signature).is_ok())
}

/// Signs a mu by ML-DSA, deterministically.
pub(crate) fn sign_ml_dsa(spec: &str, secret: &[u8], mu: &[u8]) -> Result<Vec<u8>, Failed> {
    let pair = PqdsaKeyPair::from_pkcs8(material::ml_dsa(spec).ok_or(Failed)?, secret)?;
    let expanded = pair.private_key().as_raw_bytes()?;
    let expanded = expanded.as_ref();
    match spec {
        "ML_DSA_44" => sign_mu::<MlDsa44>(expanded, mu),
        "ML_DSA_65" => sign_mu::<MlDsa65>(expanded, mu),
        "ML_DSA_87" => sign_mu::<MlDsa87>(expanded, mu),
        _ => Err(Failed),
    }
}

#[expect(deprecated, reason = "AWS-LC, which made and checked the key, tells it in this form")]
fn sign_mu<P: MlDsaParams>(expanded: &[u8], mu: &[u8]) -> Result<Vec<u8>, Failed> {
    let key = ExpandedSigningKey::<P>::from_expanded(&expanded.try_into().map_err(|_| Failed)?);
    let signature = key.sign_mu_deterministic(&mu.try_into().map_err(|_| Failed)?);
    Ok(signature.encode().to_vec())
}

/// Whether it is an ML-DSA signature of a mu; the public key is DER, which ends with it.
pub(crate) fn verify_ml_dsa(
    spec: &str,
    public: &[u8],
    mu: &[u8],
    signature: &[u8],
) -> Result<bool, Failed> {
    match spec {
        "ML_DSA_44" => verify_mu::<MlDsa44>(public, mu, signature),
        "ML_DSA_65" => verify_mu::<MlDsa65>(public, mu, signature),
        "ML_DSA_87" => verify_mu::<MlDsa87>(public, mu, signature),
        _ => Err(Failed),
    }
}

fn verify_mu<P: MlDsaParams>(public: &[u8], mu: &[u8], signature: &[u8]) -> Result<bool, Failed> {
    let length = EncodedVerifyingKey::<P>::default().len();
    let raw = public.len().checked_sub(length).and_then(|at| public.get(at..)).ok_or(Failed)?;
    let key = ml_dsa::VerifyingKey::<P>::decode(&raw.try_into().map_err(|_| Failed)?);
    let Ok(signature) = signature.try_into() else { return Ok(false) };
    let Some(signature) = ml_dsa::Signature::<P>::decode(&signature) else { return Ok(false) };
    Ok(key.verify_mu(&mu.try_into().map_err(|_| Failed)?, &signature))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signs_as_rfc_8032_does() {
        // RFC 8032, section 7.3: the message is "abc".
        let bytes = |text: &str| hex::decode(text).expect("hex");
        let secret = bytes("833fe62409237b9d62ec77587520911e9a759cec1d19755b7da901b96dca3d42");
        let pair = Ed25519KeyPair::from_seed_unchecked(&secret).expect("a pair");
        let secret = pair.to_pkcs8v1().expect("a document");
        let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA512, b"abc");
        let signature = sign_ed25519(secret.as_ref(), digest.as_ref()).expect("a signature");
        let expected = bytes(concat!(
            "98a70222f0b8121aa9d30f813d683f809e462b469c7ff87639499bb94e6dae41",
            "31f85042463c2a355a2003d062adf5aaa10b8c61e636062aaad11c2a26083406"
        ));
        assert_eq!(signature, expected);
    }
}
