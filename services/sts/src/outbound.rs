//! Tokens that vouch for the account's identities elsewhere, and the documents by which others prove them.
//!
//! A token is signed by a key of the account, made when the first token of its algorithm is asked for. The issuer is an
//! address of this cloud, as the caller reached it, with OpenID Connect's discovery document and the public keys below.

use std::ops::ControlFlow;

use fogbank_core::wire::Body;
use fogbank_core::{
    BoxFuture, Cloud, Cx, DataPlane, Fault, HttpRequest, HttpResponse, Principal, PrincipalKind,
    Tx, WriteTx,
};
use fogbank_federation::issuing::SigningAlgorithm;
use fogbank_identity::organizations;
use fogbank_identity::rows::{
    self, ISSUER_PATH, ISSUERS, OUTBOUND_FEDERATIONS, OutboundFederation, SIGNING_KEYS, Secret,
    SigningKey, Tags,
};
use serde_json::{Map, Value, json};

use crate::error::Error;
use crate::model::{GetWebIdentityTokenInput, GetWebIdentityTokenOutput};
use crate::store;

/// How long a token is good unless the caller says otherwise, in seconds.
const TOKEN_SECS: i64 = 300;
/// The longest token, in bytes. AWS does not tell its own limit; this is the longest that `AssumeRoleWithWebIdentity`
/// takes.
const MAX_BYTES: usize = 20_000;
/// What AWS's own claims lie under.
const CLAIMS: &str = "https://sts.amazonaws.com/";
const CONFIGURATION: &str = "/.well-known/openid-configuration";
const KEYS: &str = "/.well-known/jwks.json";

/// Serves what proves tokens.
pub(crate) const PLANE: DataPlane = DataPlane { name: "sts.issuers", claims, serve };

/// Makes a token for the caller.
pub(crate) async fn get_token(
    cx: &Cx,
    input: GetWebIdentityTokenInput,
) -> Result<GetWebIdentityTokenOutput, Error> {
    let algorithm = SigningAlgorithm::named(&input.signing_algorithm).ok_or_else(|| {
        Error::validation(format!(
            "1 validation error detected: Value '{}' at 'signingAlgorithm' failed to satisfy constraint: Member must \
             satisfy enum value set: [RS256, ES384]",
            input.signing_algorithm
        ))
    })?;
    let now = cx.now().secs();
    let secs = input.duration_seconds.map_or(TOKEN_SECS, i64::from);
    let (federation, facts, key) = cx.read(|tx| {
        let federation = OUTBOUND_FEDERATIONS.get(tx, tx.account())?;
        let federation = federation
            .filter(|federation| federation.enabled)
            .ok_or(Error::OutboundWebIdentityFederationDisabledException)?;
        let session = store::of_caller(tx)?;
        if session.is_some_and(|session| now + secs > session.expires_secs) {
            return Err(Error::SessionDurationEscalationException);
        }
        let key = current_key(tx, algorithm)?;
        Ok((federation, facts(tx, input.tags.as_deref().unwrap_or_default())?, key))
    })?;
    let (key_id, key) = match key {
        Some(key) => key,
        None => new_key(cx, algorithm).await?,
    };
    let private = key.private.open(cx.cloud(), &SigningKey::place(cx.account(), &key_id))?;
    let audience = match input.audience.as_slice() {
        [one] => json!(one),
        many => json!(many),
    };
    let claims = json!({
        "iss": federation.issuer(&cx.request().endpoint),
        "aud": audience,
        "sub": subject(&cx.request().principal),
        "iat": now,
        "exp": now + secs,
        "jti": cx.ids().uuid(),
        CLAIMS: facts,
    });
    let sign = move || algorithm.token(&private, &key_id, &claims);
    let token = cx.work(sign).await?.map_err(Fault::internal)?;
    if token.len() > MAX_BYTES {
        return Err(Error::JWTPayloadSizeExceededException);
    }
    Ok(GetWebIdentityTokenOutput {
        web_identity_token: Some(token),
        expiration: Some(fogbank_core::Timestamp::from_secs(now + secs)),
    })
}

/// Whom a token is about: of a role's session the role.
fn subject(principal: &Principal) -> &str {
    match &principal.kind {
        PrincipalKind::Role { role_arn, .. } => role_arn,
        _ => &principal.arn,
    }
}

/// What AWS says of the caller beside the standard claims.
fn facts(tx: &impl Tx, tags: &[crate::model::Tag]) -> Result<Map<String, Value>, Error> {
    let request = tx.request();
    let mut facts = Map::new();
    facts.insert("aws_account".to_owned(), json!(request.principal.account));
    facts.insert("source_region".to_owned(), json!(request.region));
    if let Some(place) = organizations::membership(tx, &request.principal.account)? {
        facts.insert("org_id".to_owned(), json!(place.organization_id));
        facts.insert("ou_path".to_owned(), json!(place.path));
    }
    let own = principal_tags(tx, &request.principal)?;
    if !own.is_empty() {
        facts.insert("principal_tags".to_owned(), object(own));
    }
    if !tags.is_empty() {
        let tags = tags.iter().map(|tag| (tag.key.clone(), tag.value.clone())).collect();
        facts.insert("request_tags".to_owned(), object(tags));
    }
    Ok(facts)
}

fn object(tags: Tags) -> Value {
    Value::Object(tags.into_iter().map(|(key, value)| (key, Value::String(value))).collect())
}

/// The tags of the user or role, and over them those of the session.
fn principal_tags(tx: &impl Tx, principal: &Principal) -> Result<Tags, Error> {
    let account = &principal.account;
    let mut tags = match &principal.kind {
        PrincipalKind::User { name } => {
            rows::user(tx, account, name)?.map(|user| user.tags).unwrap_or_default()
        }
        PrincipalKind::Role { name, .. } => {
            rows::role(tx, account, name)?.map(|role| role.tags).unwrap_or_default()
        }
        _ => Tags::new(),
    };
    for (key, value) in principal.session.iter().flat_map(|session| &session.tags) {
        tags.retain(|(known, _)| !known.eq_ignore_ascii_case(key));
        tags.push((key.clone(), value.clone()));
    }
    Ok(tags)
}

/// The account's key of an algorithm.
fn current_key(
    tx: &impl Tx,
    algorithm: SigningAlgorithm,
) -> Result<Option<(String, SigningKey)>, Error> {
    let mut found = None;
    SIGNING_KEYS.range(&(tx.account(),)).visit(tx, |(_, id), key| {
        if key.algorithm != algorithm.name() {
            return ControlFlow::Continue(());
        }
        found = Some((id, key));
        ControlFlow::Break(())
    })?;
    Ok(found)
}

async fn new_key(cx: &Cx, algorithm: SigningAlgorithm) -> Result<(String, SigningKey), Error> {
    let made = cx.work(move || algorithm.generate()).await?.map_err(Fault::internal)?;
    cx.write(|tx| {
        // Another call may have been faster.
        if let Some(found) = current_key(tx, algorithm)? {
            return Ok(found);
        }
        let account = tx.account().to_owned();
        let id = tx.ids().uuid();
        let mut public = made.public.clone();
        public["kid"] = json!(id);
        let key = SigningKey {
            algorithm: algorithm.name().to_owned(),
            private: Secret::seal(tx, &SigningKey::place(&account, &id), &made.private)?,
            public: public.to_string(),
            created_secs: tx.now().secs(),
        };
        SIGNING_KEYS.put(tx, &(account, id.clone()), &key)?;
        Ok((id, key))
    })
    .await
}

/// Removes an account's keys.
pub(crate) fn remove_keys(tx: &mut WriteTx<'_>, key: &(String, String)) -> Result<(), Fault> {
    Ok(SIGNING_KEYS.delete(tx, key)?)
}

fn claims(head: &http::request::Parts, _: &Cloud) -> bool {
    head.uri.path().starts_with(ISSUER_PATH)
}

fn serve(cx: Cx, request: HttpRequest) -> BoxFuture<'static, HttpResponse> {
    Box::pin(async move {
        let path = request.uri().path();
        let found = match path.strip_prefix(ISSUER_PATH).and_then(|rest| rest.split_once('/')) {
            Some((issuer, _)) => document(&cx, issuer, &path[ISSUER_PATH.len() + issuer.len()..]),
            None => Ok(None),
        };
        match found {
            Ok(Some(document)) => answer(200, &document),
            Ok(None) => answer(404, &json!({ "error": "There is no such issuer." })),
            Err(fault) => {
                fogbank_core::tracing::warn!(%fault, "an issuer's document cannot be read");
                answer(500, &json!({ "error": "The document cannot be read." }))
            }
        }
    })
}

/// What an issuer publishes at a path below its own.
fn document(cx: &Cx, issuer_id: &str, path: &str) -> Result<Option<Value>, Fault> {
    cx.read(|tx| {
        let Some(account) = ISSUERS.get(tx, issuer_id)? else { return Ok(None) };
        match path {
            CONFIGURATION => {
                let federation =
                    OutboundFederation { issuer_id: issuer_id.to_owned(), enabled: true };
                let issuer = federation.issuer(&tx.request().endpoint);
                Ok(Some(json!({
                    "issuer": issuer,
                    "jwks_uri": format!("{issuer}{KEYS}"),
                    "response_types_supported": ["id_token"],
                    "subject_types_supported": ["public"],
                    "id_token_signing_alg_values_supported": ["RS256", "ES384"],
                    "claims_supported": ["iss", "aud", "sub", "iat", "exp", "jti", CLAIMS],
                })))
            }
            KEYS => {
                let keys = SIGNING_KEYS.list(tx, &(&*account,))?;
                let keys =
                    keys.iter().filter_map(|(_, key)| serde_json::from_str(&key.public).ok());
                Ok(Some(json!({ "keys": keys.collect::<Vec<Value>>() })))
            }
            _ => Ok(None),
        }
    })
}

fn answer(status: u16, document: &Value) -> HttpResponse {
    let mut response = HttpResponse::new(Body::from(document.to_string().into_bytes()));
    *response.status_mut() = http::StatusCode::from_u16(status).unwrap_or_default();
    let kind = http::HeaderValue::from_static("application/json");
    response.headers_mut().insert(http::header::CONTENT_TYPE, kind);
    response
}
