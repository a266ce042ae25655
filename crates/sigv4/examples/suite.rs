//! Verifies the signed requests of AWS's signing test suite, and that none verifies when a byte of it is another.
//! `conformance/signatures/run` says where the suite is found.

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a runner prints what it found")]

use std::path::Path;
use std::process::ExitCode;

use fogbank_sigv4::{Error, Options, RequestView, Rules, SigningKey, parse, sha256_hex, verify};
use http::{HeaderMap, HeaderName, HeaderValue};
use serde_json::Value;

type Failed = Box<dyn std::error::Error>;

/// A request as a file of the suite has it.
struct Request {
    method: String,
    path: String,
    query: String,
    headers: HeaderMap,
    body: String,
}

impl Request {
    fn read(text: &str) -> Result<Self, Failed> {
        let text = text.replace("\r\n", "\n");
        let (head, body) = text.split_once("\n\n").unwrap_or((text.trim_end(), ""));
        let mut lines = head.lines();
        // A target of the suite may hold blanks.
        let line = lines.next().unwrap_or_default();
        let line = line.strip_suffix(" HTTP/1.1").ok_or("no request line")?;
        let (method, target) = line.split_once(' ').ok_or("no target")?;
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let mut pairs: Vec<(String, String)> = Vec::new();
        for line in lines {
            match (line.starts_with(' '), line.split_once(':')) {
                // A folded line goes on the one before; who reads HTTP puts a blank in the place of the fold.
                (true, _) => {
                    let (_, value) = pairs.last_mut().ok_or("a fold without a header")?;
                    value.extend([" ", line.trim()]);
                }
                (false, Some((name, value))) => pairs.push((name.to_owned(), value.to_owned())),
                (false, None) => return Err(format!("no header: {line}").into()),
            }
        }
        let mut headers = HeaderMap::new();
        for (name, value) in &pairs {
            headers.append(name.parse::<HeaderName>()?, HeaderValue::from_bytes(value.as_bytes())?);
        }
        Ok(Self {
            method: method.to_owned(),
            path: path.to_owned(),
            query: query.to_owned(),
            headers,
            body: body.to_owned(),
        })
    }

    fn verify(&self, context: &Value) -> Result<(), Error> {
        let host = self.headers.get("host").and_then(|host| host.to_str().ok()).unwrap_or_default();
        let view = RequestView {
            method: &self.method,
            raw_path: &self.path,
            raw_query: &self.query,
            host,
            headers: &self.headers,
        };
        let presented = parse(&view)?.ok_or(Error::MissingAuthentication)?;
        let secret = context["credentials"]["secret_access_key"].as_str().unwrap_or_default();
        let key = SigningKey::of(&presented, secret);
        let options = Options {
            region: context["region"].as_str(),
            service: context["service"].as_str(),
            ..Options::new(Rules::Other)
        };
        let now = presented.signed_at.unix_secs();
        // What the signer was told not to hash, it took for empty.
        let is_hashed = context["sign_body"].as_bool() == Some(true);
        let hash = sha256_hex(if is_hashed { self.body.as_bytes() } else { b"" });
        verify(&presented, &view, &key, Some(&hash), now, &options).map(drop)
    }

    /// The request with one thing changed, each in turn.
    fn changed(&self) -> impl Iterator<Item = Self> {
        let copy = || Self {
            method: self.method.clone(),
            path: self.path.clone(),
            query: self.query.clone(),
            headers: self.headers.clone(),
            body: self.body.clone(),
        };
        let method = Self { method: "PATCH".to_owned(), ..copy() };
        let path = Self { path: self.path.clone() + "x", ..copy() };
        let query = Self { query: self.query.clone() + "&x=y", ..copy() };
        let mut host = copy();
        host.headers.insert("host", HeaderValue::from_static("example.amazonaws.org"));
        [method, path, query, host].into_iter()
    }
}

/// Presigned requests whose token was added after they had been signed, as IoT alone takes them.
const DIFFERS_BY_INTENT: &str = "post-sts-header-after";

fn run(case: &Path) -> Result<usize, Failed> {
    let context = case.join("context.json");
    // Two folders of the suite hold nothing but leftovers.
    let (Ok(context), true) =
        (std::fs::read_to_string(context), case.join("header-signed-request.txt").exists())
    else {
        return Ok(0);
    };
    let context: Value = serde_json::from_str(&context)?;
    let is_known = case.ends_with(DIFFERS_BY_INTENT);
    let names = ["header-signed-request.txt", "query-signed-request.txt"];
    for name in &names[..if is_known { 1 } else { 2 }] {
        let request = Request::read(&std::fs::read_to_string(case.join(name))?)?;
        request.verify(&context).map_err(|error| format!("{name}: {error:#?}"))?;
        if request.changed().any(|changed| changed.verify(&context).is_ok()) {
            return Err(format!("{name}: verifies though it was changed").into());
        }
    }
    Ok(if is_known { 1 } else { 2 })
}

fn main() -> ExitCode {
    let Some(suite) = std::env::args().nth(1) else {
        eprintln!("usage: suite FOLDER, with the folders v4 and v4a");
        return ExitCode::from(2);
    };
    let (mut passed, mut failed) = (0, 0);
    for version in ["v4", "v4a"] {
        let Ok(cases) = std::fs::read_dir(Path::new(&suite).join(version)) else {
            eprintln!("{suite} has no folder {version}");
            return ExitCode::from(2);
        };
        for case in cases.flatten() {
            match run(&case.path()) {
                Ok(requests) => passed += requests,
                Err(error) => {
                    failed += 1;
                    println!("{version}/{}: {error}", case.file_name().display());
                }
            }
        }
    }
    println!("{passed} signed requests verify, {failed} cases failed, 2 differ by intent");
    ExitCode::from(u8::from(failed > 0 || passed == 0))
}
