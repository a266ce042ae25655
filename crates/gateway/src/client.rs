//! The other end of Fogbank's own calls: what `fogbank clock` and the like speak with a running cloud.

use std::time::{SystemTime, UNIX_EPOCH};

use bytes::{Bytes, BytesMut};
use fogbank_core::Body;
use fogbank_sigv4::sign::Signer;
use fogbank_sigv4::{RequestView, Rules, sha256_hex};
use http::header::{CONTENT_LENGTH, CONTENT_TYPE, HOST};
use http::{HeaderMap, HeaderValue, Method};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::Value;
use tokio::io::{AsyncRead, AsyncReadExt};

use crate::admin::SERVICE;
use crate::bodies::{self, Outgoing};
use crate::outbound::Outbound;

/// The largest answer that is read into memory, in bytes.
const ANSWER_LIMIT: usize = 16 << 20;
/// How much of an uploaded file is read at once, in bytes.
const PIECE: usize = 256 << 10;

/// Who calls, and where.
#[derive(Clone)]
pub struct Target {
    /// The endpoint, such as `http://127.0.0.1:4566`.
    pub endpoint: String,
    /// The access key id.
    pub access_key_id: String,
    /// The secret access key.
    pub secret: String,
    /// The session token of temporary credentials.
    pub session_token: Option<String>,
    /// The region of the signature.
    pub region: String,
}

/// A request before it is signed.
pub(crate) struct Unsigned<'a> {
    pub(crate) method: &'a Method,
    pub(crate) authority: &'a str,
    pub(crate) path: &'a str,
    pub(crate) query: &'a str,
    /// What `x-amz-content-sha256` says of the body.
    pub(crate) payload: &'a str,
}

impl Target {
    /// `headers` with those that sign them and the request for `service`.
    pub(crate) fn sign(
        &self,
        service: &str,
        rules: Rules,
        request: &Unsigned<'_>,
        mut headers: HeaderMap,
    ) -> Result<HeaderMap, Error> {
        let signer = Signer {
            access_key_id: &self.access_key_id,
            secret: &self.secret,
            session_token: self.session_token.as_deref(),
            region: &self.region,
            service,
            rules,
        };
        let view = RequestView {
            method: request.method.as_str(),
            raw_path: request.path,
            raw_query: request.query,
            host: request.authority,
            headers: &HeaderMap::new(),
        };
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        signer
            .sign(&view, &mut headers, request.payload, i64::try_from(now).unwrap_or(0))
            .map_err(|_| Error::Credentials)?;
        let host = HeaderValue::from_str(request.authority);
        headers.insert(HOST, host.map_err(|_| Error::Endpoint(self.endpoint.clone()))?);
        Ok(headers)
    }
}

/// Why a call has no answer.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The endpoint cannot be called.
    #[error("{0} is no endpoint that can be called: http://HOST:PORT or https://HOST:PORT is")]
    Endpoint(String),
    /// The credentials cannot be sent.
    #[error("the credentials cannot stand in a header")]
    Credentials,
    /// Nobody answers.
    #[error("no cloud answers at {endpoint}: {cause}")]
    Unreachable {
        /// The endpoint.
        endpoint: String,
        /// What the connection says.
        cause: String,
    },
    /// The cloud refuses.
    #[error("{message} ({code})")]
    Refused {
        /// The error's code, such as `AccessDenied`.
        code: String,
        /// The error's message.
        message: String,
    },
    /// The answer is none.
    #[error("the answer ended early or cannot be read: {0}")]
    Answer(String),
}

/// A client of one cloud.
pub struct Client {
    target: Target,
    authority: String,
    http: Outbound,
}

impl Client {
    /// A client that connects at its first call.
    pub fn new(target: Target) -> Result<Client, Error> {
        let endpoint = target.endpoint.trim_end_matches('/');
        let authority =
            endpoint.strip_prefix("http://").or_else(|| endpoint.strip_prefix("https://"));
        let is_authority =
            |text: &&str| !text.is_empty() && text.parse::<http::uri::Authority>().is_ok();
        let authority = authority
            .filter(is_authority)
            .ok_or_else(|| Error::Endpoint(target.endpoint.clone()))?
            .to_owned();
        Ok(Client { target, authority, http: Outbound::new() })
    }

    /// Asks for what a `GET` shows; `query` has its parameters.
    pub async fn get(&self, path: &str, query: &[(&str, &str)]) -> Result<Value, Error> {
        json(self.send(Method::GET, path, query, Sent::Whole(Bytes::new())).await?).await
    }

    /// Has something done.
    pub async fn post(&self, path: &str, input: &Value) -> Result<Value, Error> {
        let body = Sent::Whole(input.to_string().into());
        json(self.send(Method::POST, path, &[], body).await?).await
    }

    /// Has something done whose answer is a stream.
    pub async fn download(&self, path: &str, input: &Value) -> Result<Body, Error> {
        let body = Sent::Whole(input.to_string().into());
        self.send(Method::POST, path, &[], body).await
    }

    /// Sends what `from` gives, `len` bytes where that is known; `query` has the call's parameters.
    ///
    /// The signature covers the request and not these bytes.
    pub async fn upload(
        &self,
        path: &str,
        query: &[(&str, &str)],
        from: impl AsyncRead + Send + Unpin + 'static,
        len: Option<u64>,
    ) -> Result<Value, Error> {
        let pieces = futures_util::stream::unfold(Some(from), async |from| {
            let mut from = from?;
            let mut piece = BytesMut::with_capacity(PIECE);
            match from.read_buf(&mut piece).await {
                Ok(0) => None,
                Ok(_) => Some((Ok(piece.freeze()), Some(from))),
                Err(error) => Some((Err(error.into()), None)),
            }
        });
        let body = Sent::Stream(Body::stream(len, pieces));
        json(self.send(Method::POST, path, query, body).await?).await
    }

    /// Signs, sends, and gives the answer's body if the answer is no error.
    async fn send(
        &self,
        method: Method,
        path: &str,
        query: &[(&str, &str)],
        sent: Sent,
    ) -> Result<Body, Error> {
        let query = encode(query);
        let (payload, body) = match sent {
            Sent::Whole(bytes) => (sha256_hex(&bytes), Body::from(bytes)),
            Sent::Stream(body) => ("UNSIGNED-PAYLOAD".to_owned(), body),
        };
        let unsigned = Unsigned {
            method: &method,
            authority: &self.authority,
            path,
            query: &query,
            payload: &payload,
        };
        let json = HeaderValue::from_static("application/json");
        let headers = HeaderMap::from_iter([(CONTENT_TYPE, json)]);
        let mut headers = self.target.sign(SERVICE, Rules::Other, &unsigned, headers)?;
        if let Some(len) = body.len() {
            headers.insert(CONTENT_LENGTH, len.into());
        }
        let separator = if query.is_empty() { "" } else { "?" };
        let endpoint = self.target.endpoint.trim_end_matches('/');
        let uri = format!("{endpoint}{path}{separator}{query}");
        let mut request = http::Request::new(Outgoing::from(body));
        *request.uri_mut() = uri.parse().map_err(|_| Error::Endpoint(uri))?;
        *request.method_mut() = method;
        *request.headers_mut() = headers;
        let response = self.http.send(request).await.map_err(|cause| Error::Unreachable {
            endpoint: self.target.endpoint.clone(),
            cause,
        })?;
        let status = response.status();
        let body = bodies::incoming(response.into_body());
        if status.is_success() {
            return Ok(body);
        }
        Err(refusal(status, body).await)
    }
}

/// A body on its way to the cloud.
enum Sent {
    Whole(Bytes),
    Stream(Body),
}

fn encode(query: &[(&str, &str)]) -> String {
    let encode = |text| utf8_percent_encode(text, NON_ALPHANUMERIC).to_string();
    let pairs = query.iter().map(|(name, value)| format!("{}={}", encode(name), encode(value)));
    pairs.collect::<Vec<_>>().join("&")
}

async fn json(body: Body) -> Result<Value, Error> {
    let bytes =
        body.collect(ANSWER_LIMIT).await.map_err(|error| Error::Answer(error.to_string()))?;
    serde_json::from_slice(&bytes).map_err(|error| Error::Answer(error.to_string()))
}

async fn refusal(status: http::StatusCode, body: Body) -> Error {
    let bytes = body.collect(ANSWER_LIMIT).await.unwrap_or_default();
    let answer: Value = serde_json::from_slice(&bytes).unwrap_or_default();
    let text = |name: &str| answer["error"][name].as_str().map(str::to_owned);
    Error::Refused {
        code: text("code").unwrap_or_else(|| status.to_string()),
        message: text("message")
            .unwrap_or_else(|| "the endpoint does not answer as Fogbank does".to_owned()),
    }
}
