//! A bucket of S3, anywhere: where `fogbank backup` writes to and `fogbank restore` reads from.

use std::fmt::Write;

use bytes::Bytes;
use fogbank_core::Body;
use fogbank_sigv4::{Rules, sha256_hex};
use http::header::{CONTENT_LENGTH, ETAG};
use http::{HeaderMap, Method, Response};
use hyper::body::Incoming;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use crate::bodies::{self, Outgoing};
use crate::client::{Error, Target, Unsigned};
use crate::outbound::Outbound;

/// What S3 leaves as it is in a path.
const PATH: &AsciiSet =
    &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~').remove(b'/');
/// The largest answer that is not an object, in bytes.
const ANSWER_LIMIT: usize = 1 << 20;

/// An object of a bucket.
pub struct RemoteObject {
    target: Target,
    authority: String,
    path: String,
    http: Outbound,
}

/// A multipart upload of an object, which is there when it is completed.
pub struct RemoteUpload<'o> {
    object: &'o RemoteObject,
    id: String,
    etags: Vec<String>,
}

impl RemoteObject {
    /// The object `key` in `bucket`, addressed by path.
    pub fn new(target: Target, bucket: &str, key: &str) -> Result<RemoteObject, Error> {
        let endpoint = target.endpoint.trim_end_matches('/');
        let authority = endpoint.split_once("://").map(|(_, authority)| authority);
        let authority = authority
            .filter(|text| text.parse::<http::uri::Authority>().is_ok())
            .ok_or_else(|| Error::Endpoint(target.endpoint.clone()))?
            .to_owned();
        let path = format!("/{}", utf8_percent_encode(&format!("{bucket}/{key}"), PATH));
        Ok(RemoteObject { target, authority, path, http: Outbound::new() })
    }

    /// The bytes of the object.
    pub async fn get(&self) -> Result<Body, Error> {
        let response = self.send(Method::GET, "", Bytes::new()).await?;
        Ok(bodies::incoming(response.into_body()))
    }

    /// Begins to write the object.
    pub async fn upload(&self) -> Result<RemoteUpload<'_>, Error> {
        let response = self.send(Method::POST, "uploads=", Bytes::new()).await?;
        let answer = text(bodies::incoming(response.into_body())).await?;
        let id = element(&answer, "UploadId")
            .ok_or_else(|| Error::Answer("it names no upload".to_owned()))?;
        Ok(RemoteUpload { object: self, id: id.to_owned(), etags: Vec::new() })
    }

    async fn send(
        &self,
        method: Method,
        query: &str,
        body: Bytes,
    ) -> Result<Response<Incoming>, Error> {
        let endpoint = &self.target.endpoint;
        let unsigned = Unsigned {
            method: &method,
            authority: &self.authority,
            path: &self.path,
            query,
            payload: &sha256_hex(&body),
        };
        let mut headers = self.target.sign("s3", Rules::S3, &unsigned, HeaderMap::new())?;
        headers.insert(CONTENT_LENGTH, body.len().into());
        let separator = if query.is_empty() { "" } else { "?" };
        let uri = format!("{}{}{separator}{query}", endpoint.trim_end_matches('/'), self.path);
        let mut request = http::Request::new(Outgoing::from(Body::from(body)));
        *request.uri_mut() = uri.parse().map_err(|_| Error::Endpoint(uri))?;
        *request.method_mut() = method;
        *request.headers_mut() = headers;
        let response = self
            .http
            .send(request)
            .await
            .map_err(|cause| Error::Unreachable { endpoint: endpoint.clone(), cause })?;
        let status = response.status();
        if status.is_success() {
            return Ok(response);
        }
        let answer = text(bodies::incoming(response.into_body())).await.unwrap_or_default();
        let code = element(&answer, "Code").map_or_else(|| status.to_string(), str::to_owned);
        let message = element(&answer, "Message").unwrap_or("the bucket cannot be used").to_owned();
        Err(Error::Refused { code, message })
    }
}

impl RemoteUpload<'_> {
    /// Sends the next part: at least 5 MiB, but for the last.
    pub async fn part(&mut self, bytes: Bytes) -> Result<(), Error> {
        let query = format!("partNumber={}&uploadId={}", self.etags.len() + 1, self.query_id());
        let response = self.object.send(Method::PUT, &query, bytes).await?;
        let etag = response.headers().get(ETAG).and_then(|etag| etag.to_str().ok());
        let etag = etag.ok_or_else(|| Error::Answer("a part has no ETag".to_owned()))?;
        self.etags.push(etag.to_owned());
        Ok(())
    }

    /// Makes the object of its parts.
    pub async fn complete(self) -> Result<(), Error> {
        let mut parts = String::new();
        for (index, etag) in self.etags.iter().enumerate() {
            let (number, etag) = (index + 1, etag.replace('"', "&quot;"));
            // Writing to a text does not fail.
            let _ =
                write!(parts, "<Part><PartNumber>{number}</PartNumber><ETag>{etag}</ETag></Part>");
        }
        let body = format!("<CompleteMultipartUpload>{parts}</CompleteMultipartUpload>");
        let query = format!("uploadId={}", self.query_id());
        let response = self.object.send(Method::POST, &query, body.into()).await?;
        // S3 may notice an error after it has said 200.
        let answer = text(bodies::incoming(response.into_body())).await?;
        match element(&answer, "ETag") {
            Some(_) => Ok(()),
            None => Err(Error::Answer(answer)),
        }
    }

    /// Gives up what was sent.
    pub async fn abort(self) -> Result<(), Error> {
        let query = format!("uploadId={}", self.query_id());
        self.object.send(Method::DELETE, &query, Bytes::new()).await.map(drop)
    }

    fn query_id(&self) -> String {
        utf8_percent_encode(&self.id, NON_ALPHANUMERIC).to_string()
    }
}

async fn text(body: Body) -> Result<String, Error> {
    let bytes =
        body.collect(ANSWER_LIMIT).await.map_err(|error| Error::Answer(error.to_string()))?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// The text of the first element of this name.
fn element<'a>(answer: &'a str, name: &str) -> Option<&'a str> {
    let start = answer.find(&format!("<{name}>"))? + name.len() + 2;
    let len = answer[start..].find(&format!("</{name}>"))?;
    Some(&answer[start..start + len])
}
