//! The keys of OpenID Connect providers, fetched from them and remembered for a while.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use fogbank_core::{Body, Cx, HttpRequest};
use fogbank_federation::jwt::Token;
use fogbank_identity::rows::OidcProvider;
use serde_json::Value;

use crate::error::Error;

/// How long keys are remembered, in seconds.
const KEPT_SECS: i64 = 3600;
/// How soon keys are fetched again because a token names one that is not among them, in seconds.
const AGAIN_SECS: i64 = 30;
/// The longest document of a provider, in bytes.
const MAX_BYTES: usize = 256 * 1024;
/// How many providers are remembered. When there are more, all are forgotten.
const CAPACITY: usize = 256;

const NO_KEY: &str = "Couldn't retrieve verification key from your identity provider,  please reference \
    AssumeRoleWithWebIdentity documentation for requirements";

/// What is remembered of providers, by their URLs.
#[derive(Default)]
struct KeySets(Mutex<HashMap<String, Kept>>);

#[derive(Clone)]
struct Kept {
    fetched_secs: i64,
    keys: Arc<Value>,
}

/// Refuses a token that none of its provider's keys signed.
pub(crate) async fn prove(cx: &Cx, provider: &OidcProvider, token: &Token) -> Result<(), Error> {
    let kept = cx.cloud().state(KeySets::default);
    let now = cx.now().secs();
    let known = kept.0.lock().unwrap_or_else(PoisonError::into_inner).get(&provider.url).cloned();
    let fresh = known.filter(|known| {
        let age = now - known.fetched_secs;
        let is_young = (0..AGAIN_SECS).contains(&age);
        is_young || ((0..KEPT_SECS).contains(&age) && token.names_key_of(&known.keys))
    });
    let keys = match fresh {
        Some(known) => known.keys,
        None => {
            let keys = Arc::new(fetch_keys(cx, provider).await?);
            let mut all = kept.0.lock().unwrap_or_else(PoisonError::into_inner);
            if all.len() >= CAPACITY {
                all.clear();
            }
            all.insert(provider.url.clone(), Kept { fetched_secs: now, keys: keys.clone() });
            keys
        }
    };
    match token.is_signed_by(&keys) {
        true => Ok(()),
        false if !token.names_key_of(&keys) => {
            Err(Error::InvalidIdentityTokenException(NO_KEY.to_owned()))
        }
        false => Err(Error::InvalidIdentityTokenException(
            "The signature of the token is not valid.".to_owned(),
        )),
    }
}

/// Asks a provider for its configuration, and then for its keys (OpenID Connect Discovery 1.0).
async fn fetch_keys(cx: &Cx, provider: &OidcProvider) -> Result<Value, Error> {
    let scheme = if provider.is_tls { "https" } else { "http" };
    let issuer = format!("{scheme}://{}", provider.url);
    let configuration = fetch(cx, &format!("{issuer}/.well-known/openid-configuration")).await?;
    let text = |member: &str| configuration.get(member).and_then(Value::as_str);
    let is_same = text("issuer").is_some_and(|own| own.trim_end_matches('/') == issuer);
    // Keys of a provider over TLS come over TLS: else whoever sits between could put in his own.
    let url = text("jwks_uri").filter(|url| url.starts_with("https://") || !provider.is_tls);
    match url.filter(|_| is_same) {
        Some(url) => fetch(cx, url).await,
        None => Err(Error::InvalidIdentityTokenException(NO_KEY.to_owned())),
    }
}

async fn fetch(cx: &Cx, url: &str) -> Result<Value, Error> {
    let unreachable = || Error::IDPCommunicationErrorException;
    let mut request = HttpRequest::new(Body::empty());
    *request.uri_mut() =
        url.parse().map_err(|_| Error::InvalidIdentityTokenException(NO_KEY.to_owned()))?;
    let response = cx.cloud().fetch(request).await.map_err(|_| unreachable())?;
    let status = response.status();
    let body = response.into_body().collect(MAX_BYTES).await.map_err(|_| unreachable())?;
    if status.is_server_error() {
        return Err(unreachable());
    }
    let document = serde_json::from_slice(&body).ok().filter(|_| status.is_success());
    document.ok_or_else(|| Error::InvalidIdentityTokenException(NO_KEY.to_owned()))
}
