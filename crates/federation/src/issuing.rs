//! Tokens of one's own: keys that sign them, and JSON Web Tokens for others to prove.

use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::{KeyPair as RsaKeyPair, KeySize};
use aws_lc_rs::signature::{
    ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _, RSA_PKCS1_SHA256,
};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use crate::der::{INTEGER, SEQUENCE, element, unsigned};

/// How tokens are signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SigningAlgorithm {
    /// RSA of 2048 bits with SHA-256.
    Rs256,
    /// The curve P-384 with SHA-384.
    Es384,
}

/// A key that was made, or one that cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the signing key cannot be made or read")]
pub struct BadKey;

/// A new pair of keys.
pub struct NewKey {
    /// The private key in PKCS #8.
    pub private: Vec<u8>,
    /// The public key as a JSON Web Key without an id.
    pub public: Value,
}

impl SigningAlgorithm {
    /// The algorithm of this name in JSON Web Signatures.
    pub fn named(name: &str) -> Option<SigningAlgorithm> {
        match name {
            "RS256" => Some(SigningAlgorithm::Rs256),
            "ES384" => Some(SigningAlgorithm::Es384),
            _ => None,
        }
    }

    /// Its name in JSON Web Signatures.
    pub fn name(self) -> &'static str {
        match self {
            SigningAlgorithm::Rs256 => "RS256",
            SigningAlgorithm::Es384 => "ES384",
        }
    }

    /// Makes a pair of keys; RSA takes a moment.
    pub fn generate(self) -> Result<NewKey, BadKey> {
        match self {
            SigningAlgorithm::Rs256 => {
                // ring, which proves the tokens of others, makes no RSA keys.
                let pair = RsaKeyPair::generate(KeySize::Rsa2048).map_err(|_| BadKey)?;
                let private = AsDer::<Pkcs8V1Der<'_>>::as_der(&pair).map_err(|_| BadKey)?;
                let public = rsa_jwk(pair.public_key().as_ref()).ok_or(BadKey)?;
                Ok(NewKey { private: private.as_ref().to_vec(), public })
            }
            SigningAlgorithm::Es384 => {
                let algorithm = &ECDSA_P384_SHA384_FIXED_SIGNING;
                let pair = EcdsaKeyPair::generate(algorithm).map_err(|_| BadKey)?;
                let private = pair.to_pkcs8v1().map_err(|_| BadKey)?;
                let public = ec_jwk(pair.public_key().as_ref()).ok_or(BadKey)?;
                Ok(NewKey { private: private.as_ref().to_vec(), public })
            }
        }
    }

    /// A token of these claims, signed by a private key in PKCS #8 with this id.
    pub fn token(self, private: &[u8], key_id: &str, claims: &Value) -> Result<String, BadKey> {
        let header = json!({ "alg": self.name(), "kid": key_id, "typ": "JWT" });
        let part = |json: &Value| URL_SAFE_NO_PAD.encode(json.to_string());
        let signed = format!("{}.{}", part(&header), part(claims));
        let signature = self.sign(private, signed.as_bytes())?;
        Ok(format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature)))
    }

    fn sign(self, private: &[u8], message: &[u8]) -> Result<Vec<u8>, BadKey> {
        let random = SystemRandom::new();
        match self {
            SigningAlgorithm::Rs256 => {
                let pair = RsaKeyPair::from_pkcs8(private).map_err(|_| BadKey)?;
                let mut signature = vec![0; pair.public_modulus_len()];
                pair.sign(&RSA_PKCS1_SHA256, &random, message, &mut signature)
                    .map_err(|_| BadKey)?;
                Ok(signature)
            }
            SigningAlgorithm::Es384 => {
                let algorithm = &ECDSA_P384_SHA384_FIXED_SIGNING;
                let pair = EcdsaKeyPair::from_pkcs8(algorithm, private).map_err(|_| BadKey)?;
                Ok(pair.sign(&random, message).map_err(|_| BadKey)?.as_ref().to_vec())
            }
        }
    }
}

fn rsa_jwk(key: &[u8]) -> Option<Value> {
    let (key, _) = element(SEQUENCE, key)?;
    let (modulus, rest) = element(INTEGER, key)?;
    let (exponent, _) = element(INTEGER, rest)?;
    let number = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(unsigned(bytes));
    Some(json!({
        "kty": "RSA", "use": "sig", "alg": "RS256", "n": number(modulus), "e": number(exponent),
    }))
}

fn ec_jwk(point: &[u8]) -> Option<Value> {
    let point = point.strip_prefix(&[4]).filter(|point| point.len() == 96)?;
    let (x, y) = point.split_at(48);
    Some(json!({
        "kty": "EC", "use": "sig", "alg": "ES384", "crv": "P-384",
        "x": URL_SAFE_NO_PAD.encode(x), "y": URL_SAFE_NO_PAD.encode(y),
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::jwt::Token;

    #[test]
    fn tokens_can_be_proven() {
        for name in ["RS256", "ES384"] {
            let algorithm = SigningAlgorithm::named(name).expect("it is known");
            let NewKey { private, mut public } = algorithm.generate().expect("a key");
            public["kid"] = json!("k1");
            let claims = json!({ "iss": "https://issuer.example", "sub": "somebody" });
            let token = algorithm.token(&private, "k1", &claims).expect("a token");
            let parsed = Token::parse(&token).expect("a token");
            assert_eq!(parsed.text("sub"), Some("somebody"));
            assert!(parsed.is_signed_by(&json!({ "keys": [public] })), "{name}");
            let other = algorithm.generate().expect("a key").public;
            assert!(!parsed.is_signed_by(&json!({ "keys": [other] })), "{name}");
            assert_eq!(algorithm.token(b"x", "k1", &claims), Err(BadKey));
        }
        assert_eq!(SigningAlgorithm::named("none"), None);
    }
}
