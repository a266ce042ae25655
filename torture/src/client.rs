//! A small AWS client: signs requests and tells what is known of their outcome.

use std::time::Duration;

use anyhow::{Context, bail};
use bytes::Bytes;
use fogbank_sigv4::sign::Signer;
use fogbank_sigv4::{RequestView, Rules, sha256_hex};
use http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request};
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde_json::Value;

/// Longer than this no answer may take, whatever the disk does.
const TIMEOUT: Duration = Duration::from_secs(20);

/// Calls the cloud at one address.
#[derive(Clone)]
pub struct Client {
    http: hyper_util::client::legacy::Client<HttpConnector, Full<Bytes>>,
    authority: String,
}

/// An answer that arrived as a whole.
#[derive(Debug)]
pub struct Answer {
    /// The status.
    pub status: u16,
    /// The headers.
    pub headers: HeaderMap,
    /// The body.
    pub body: Bytes,
}

/// What is known of a request.
#[derive(Debug)]
pub enum Outcome {
    /// The cloud answered, and not with a failure of its own.
    Answered(Answer),
    /// The cloud failed: it may have done the thing or not.
    Failed(Answer),
    /// There was no answer, or half of one: the thing may have happened, and may still happen.
    Lost(String),
}

/// What a request consists of.
pub struct Call<'a> {
    /// The service that signs.
    pub service: &'a str,
    /// The method.
    pub method: Method,
    /// The path, percent-encoded.
    pub path: String,
    /// The query without the question mark.
    pub query: String,
    /// Headers beyond those of the signature.
    pub headers: Vec<(&'static str, String)>,
    /// The body.
    pub body: Bytes,
}

impl Answer {
    /// The body as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The body as JSON, `null` if it is none.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }

    /// A header, empty if it is not there.
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }

    /// The name of the error in a JSON answer.
    pub fn error(&self) -> String {
        let json = self.json();
        let name = json["__type"].as_str().unwrap_or_default();
        name.rsplit('#').next().unwrap_or_default().to_owned()
    }
}

impl Outcome {
    /// The answer, or an error if there is none that says how it went.
    pub fn known(self) -> anyhow::Result<Answer> {
        match self {
            Outcome::Answered(answer) => Ok(answer),
            Outcome::Failed(answer) => bail!("status {}: {}", answer.status, answer.text()),
            Outcome::Lost(why) => bail!("no answer: {why}"),
        }
    }

    /// The answer of a request that must succeed.
    pub fn success(self) -> anyhow::Result<Answer> {
        let answer = self.known()?;
        if answer.status >= 300 {
            bail!("status {}: {}", answer.status, answer.text());
        }
        Ok(answer)
    }
}

impl Client {
    /// A client of the cloud at `authority`, an address and a port.
    pub fn new(authority: &str) -> Client {
        let mut connector = HttpConnector::new();
        connector.set_nodelay(true);
        let http = hyper_util::client::legacy::Client::builder(TokioExecutor::new())
            // A request that was sent must not be sent again by somebody who does not know what it means.
            .retry_canceled_requests(false)
            .build(connector);
        Client { http, authority: authority.to_owned() }
    }

    /// Sends a request and waits for the whole answer.
    pub async fn call(&self, call: Call<'_>) -> Outcome {
        match self.sign(call) {
            Ok(request) => self.exchange(request).await,
            Err(error) => Outcome::Lost(format!("{error:#}")),
        }
    }

    /// Posts what needs no signature of its own, such as a form.
    pub async fn post(&self, path: &str, content_type: &str, body: Bytes) -> Outcome {
        let request = Request::post(format!("http://{}{path}", self.authority))
            .header(CONTENT_TYPE, content_type)
            .header(CONTENT_LENGTH, body.len())
            .body(Full::new(body));
        match request {
            Ok(request) => self.exchange(request).await,
            Err(error) => Outcome::Lost(error.to_string()),
        }
    }

    async fn exchange(&self, request: Request<Full<Bytes>>) -> Outcome {
        let exchange = async {
            let response =
                self.http.request(request).await.map_err(|error| format!("{error:?}"))?;
            let (parts, body) = response.into_parts();
            let body = body.collect().await.map_err(|error| format!("in the body: {error}"))?;
            Ok(Answer {
                status: parts.status.as_u16(),
                headers: parts.headers,
                body: body.to_bytes(),
            })
        };
        match tokio::time::timeout(TIMEOUT, exchange).await {
            Ok(Ok(answer)) if answer.status < 500 => Outcome::Answered(answer),
            Ok(Ok(answer)) => Outcome::Failed(answer),
            Ok(Err(why)) => Outcome::Lost(why),
            Err(_) => Outcome::Lost(TIMED_OUT.to_owned()),
        }
    }

    /// Calls an operation of an awsJson service.
    pub async fn json(&self, target: &str, body: &Value) -> Outcome {
        let (service, version) = match target.split_once('.') {
            Some(("AmazonSQS", _)) => ("sqs", "1.0"),
            _ => ("dynamodb", "1.0"),
        };
        self.call(Call {
            service,
            method: Method::POST,
            path: "/".to_owned(),
            query: String::new(),
            headers: vec![
                ("content-type", format!("application/x-amz-json-{version}")),
                ("x-amz-target", target.to_owned()),
            ],
            body: body.to_string().into(),
        })
        .await
    }

    /// Posts to one of the cloud's own paths.
    pub async fn admin(&self, path: &str, input: &Value) -> Outcome {
        let headers = vec![("content-type", "application/json".to_owned())];
        let (service, query) = ("fogbank", String::new());
        let (path, body) = (path.to_owned(), input.to_string().into());
        self.call(Call { service, method: Method::POST, path, query, headers, body }).await
    }

    /// Lists the snapshots.
    pub async fn snapshots(&self) -> Outcome {
        let (service, path) = ("fogbank", crate::lanes::snapshots::SNAPSHOTS.to_owned());
        let (query, headers, body) = (String::new(), Vec::new(), Bytes::new());
        self.call(Call { service, method: Method::GET, path, query, headers, body }).await
    }

    /// Calls DynamoDB.
    pub async fn dynamodb(&self, operation: &str, body: &Value) -> Outcome {
        self.json(&format!("DynamoDB_20120810.{operation}"), body).await
    }

    /// Calls SQS.
    pub async fn sqs(&self, operation: &str, body: &Value) -> Outcome {
        self.json(&format!("AmazonSQS.{operation}"), body).await
    }

    /// Calls S3.
    pub async fn s3(&self, method: Method, path: &str, query: &str, body: Bytes) -> Outcome {
        self.s3_with(method, path, query, Vec::new(), body).await
    }

    /// Calls S3 with further headers.
    pub async fn s3_with(
        &self,
        method: Method,
        path: &str,
        query: &str,
        headers: Vec<(&'static str, String)>,
        body: Bytes,
    ) -> Outcome {
        let (path, query) = (path.to_owned(), query.to_owned());
        self.call(Call { service: "s3", method, path, query, headers, body }).await
    }

    fn sign(&self, call: Call<'_>) -> anyhow::Result<Request<Full<Bytes>>> {
        let is_s3 = matches!(call.service, "s3" | "s3express");
        let rules = if is_s3 { Rules::S3 } else { Rules::Other };
        let signer = Signer {
            access_key_id: "test",
            secret: "test",
            session_token: None,
            region: "us-east-1",
            service: call.service,
            rules,
        };
        let mut headers = HeaderMap::new();
        for (name, value) in call.headers {
            headers.insert(HeaderName::from_static(name), HeaderValue::from_str(&value)?);
        }
        // Hashing megabytes would make the client slower than the cloud.
        let payload = match rules {
            Rules::S3 if call.body.len() > 64 << 10 => "UNSIGNED-PAYLOAD".to_owned(),
            _ => sha256_hex(&call.body).to_string(),
        };
        let empty = HeaderMap::new();
        let view = RequestView {
            method: call.method.as_str(),
            raw_path: &call.path,
            raw_query: &call.query,
            host: &self.authority,
            headers: &empty,
        };
        let now = std::time::SystemTime::now()
            .duration_since(std::time::UNIX_EPOCH)
            .context("the clock stands before 1970")?;
        signer.sign(&view, &mut headers, &payload, now.as_secs() as i64)?;
        let question = if call.query.is_empty() { "" } else { "?" };
        let uri = format!("http://{}{}{question}{}", self.authority, call.path, call.query);
        let mut request =
            Request::builder().method(call.method).uri(uri).header(CONTENT_LENGTH, call.body.len());
        for (name, value) in &headers {
            request = request.header(name, value);
        }
        Ok(request.body(Full::new(call.body))?)
    }
}

/// What [`Outcome::Lost`] says when the cloud did not answer in time.
pub const TIMED_OUT: &str = "timed out";
