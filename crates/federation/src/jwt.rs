//! Tokens of OpenID Connect providers: JSON Web Tokens (RFC 7519) signed by one of the provider's keys.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value};

use crate::keys::{Algorithm, PublicKey};

/// The longest token, in bytes: that of AssumeRoleWithWebIdentity.
const MAX_BYTES: usize = 20_000;
/// The most keys of a provider that are looked at.
const MAX_KEYS: usize = 100;
/// How far the clocks of provider and cloud may differ, in seconds.
const LEEWAY_SECS: i64 = 60;

/// A token that was taken apart; nothing of it is proven before [`Token::is_signed_by`].
#[derive(Clone, Debug)]
pub struct Token {
    algorithm: Option<Algorithm>,
    key_id: Option<String>,
    /// What the provider says.
    pub claims: Map<String, Value>,
    signed: String,
    signature: Vec<u8>,
}

/// Whether the present time is within a token's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Time {
    /// It is.
    Good,
    /// The token is over, since this time in seconds since 1970.
    Expired(i64),
    /// It has not begun.
    NotYet,
    /// The token does not say when it ends or was made.
    Missing,
}

impl Token {
    /// Takes a token apart; `None` if it is none.
    pub fn parse(text: &str) -> Option<Token> {
        if text.len() > MAX_BYTES {
            return None;
        }
        let (signed, signature) = text.rsplit_once('.')?;
        let (header, claims) = signed.split_once('.')?;
        let header: Map<String, Value> = json(header)?;
        // RFC 7515: who does not know what is marked as critical must refuse.
        if header.contains_key("crit") {
            return None;
        }
        Some(Token {
            algorithm: header.get("alg").and_then(Value::as_str).and_then(algorithm),
            key_id: header.get("kid").and_then(Value::as_str).map(str::to_owned),
            claims: json(claims)?,
            signed: signed.to_owned(),
            signature: URL_SAFE_NO_PAD.decode(signature).ok()?,
        })
    }

    /// The text of a claim.
    pub fn text(&self, claim: &str) -> Option<&str> {
        self.claims.get(claim).and_then(Value::as_str)
    }

    /// The values of a claim that is a text or a list of texts.
    pub fn texts(&self, claim: &str) -> Vec<String> {
        match self.claims.get(claim) {
            Some(Value::String(one)) => vec![one.clone()],
            Some(Value::Array(many)) => {
                many.iter().filter_map(Value::as_str).map(str::to_owned).collect()
            }
            _ => Vec::new(),
        }
    }

    /// Whether a key of this JSON Web Key Set made the token's signature. Tokens without a signature, and those signed
    /// with a shared secret, are never good: `none` and `HS256` are no algorithms here.
    pub fn is_signed_by(&self, key_set: &Value) -> bool {
        let Some(algorithm) = self.algorithm else { return false };
        let keys = key_set.get("keys").and_then(Value::as_array);
        keys.into_iter().flatten().take(MAX_KEYS).any(|key| {
            let text = |member: &str| key.get(member).and_then(Value::as_str);
            let is_meant = match (&self.key_id, text("kid")) {
                (Some(wanted), Some(id)) => wanted == id,
                (Some(_), None) | (None, _) => true,
            };
            is_meant
                && text("use").is_none_or(|usage| usage == "sig")
                && text("alg").is_none_or(|name| self::algorithm(name) == Some(algorithm))
                && public_key(key).is_some_and(|key| {
                    key.verifies(algorithm, self.signed.as_bytes(), &self.signature)
                })
        })
    }

    /// Whether a key set has the key that the token names: if not, the provider may have new keys.
    pub fn names_key_of(&self, key_set: &Value) -> bool {
        let Some(wanted) = &self.key_id else { return true };
        let keys = key_set.get("keys").and_then(Value::as_array);
        let mut ids = keys.into_iter().flatten().filter_map(|key| key.get("kid")?.as_str());
        ids.any(|id| id == wanted)
    }

    /// Compares the token's times with the present one.
    pub fn time(&self, now_secs: i64) -> Time {
        let number = |claim: &str| match self.claims.get(claim) {
            Some(Value::Number(number)) => number.as_i64().or(number.as_f64().map(|n| n as i64)),
            _ => None,
        };
        let (Some(end), Some(made)) = (number("exp"), number("iat")) else { return Time::Missing };
        if now_secs >= end {
            return Time::Expired(end);
        }
        let begin = number("nbf").unwrap_or(made).max(made);
        if begin > now_secs + LEEWAY_SECS { Time::NotYet } else { Time::Good }
    }
}

fn json(part: &str) -> Option<Map<String, Value>> {
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).ok()?).ok()
}

fn algorithm(name: &str) -> Option<Algorithm> {
    Some(match name {
        "RS256" => Algorithm::Rs256,
        "RS384" => Algorithm::Rs384,
        "RS512" => Algorithm::Rs512,
        "PS256" => Algorithm::Ps256,
        "PS384" => Algorithm::Ps384,
        "PS512" => Algorithm::Ps512,
        "ES256" => Algorithm::Es256,
        "ES384" => Algorithm::Es384,
        _ => return None,
    })
}

fn public_key(key: &Value) -> Option<PublicKey> {
    let number = |member: &str| {
        URL_SAFE_NO_PAD.decode(key.get(member)?.as_str()?.trim_end_matches('=')).ok()
    };
    let point = |length: usize| {
        let (x, y) = (number("x")?, number("y")?);
        (x.len() == length && y.len() == length).then(|| [vec![4], x, y].concat())
    };
    match (key.get("kty")?.as_str()?, key.get("crv").and_then(Value::as_str)) {
        ("RSA", _) => {
            let strip = |bytes: Vec<u8>| crate::der::unsigned(&bytes).to_vec();
            Some(PublicKey::Rsa { modulus: strip(number("n")?), exponent: strip(number("e")?) })
        }
        ("EC", Some("P-256")) => point(32).map(PublicKey::P256),
        ("EC", Some("P-384")) => point(48).map(PublicKey::P384),
        _ => None,
    }
}
