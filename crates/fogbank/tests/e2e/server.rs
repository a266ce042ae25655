//! Starts the built binary and speaks HTTP with it, signed or not.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use fogbank_sigv4::sign::Signer;
use fogbank_sigv4::{RequestView, Rules, sha256_hex};
use http::{HeaderMap, HeaderValue};

/// A running cloud; it is killed when dropped.
pub(crate) struct Server {
    child: Child,
    pub(crate) authority: String,
}

/// An answer.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: String,
}

impl Server {
    /// A cloud whose state is in memory.
    pub(crate) fn ephemeral() -> Server {
        Server::start(&["--ephemeral"])
    }

    /// A cloud whose state is in `directory`.
    pub(crate) fn durable(directory: &Path) -> Server {
        Server::start(&["--data-dir", directory.to_str().expect("a UTF-8 path")])
    }

    /// A cloud on a free port with these flags, ready to serve.
    pub(crate) fn start(flags: &[&str]) -> Server {
        let mut child = Command::new(env!("CARGO_BIN_EXE_fogbank"))
            .args(["start", "--listen", "127.0.0.1:0"])
            .args(flags)
            .env_remove("FOGBANK_LISTEN")
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the binary starts");
        let mut ready = String::new();
        let stdout = child.stdout.take().expect("stdout");
        BufReader::new(stdout).read_line(&mut ready).expect("a line");
        let mut log = BufReader::new(child.stderr.take().expect("stderr"));
        let mut authority = None;
        let mut line = String::new();
        while authority.is_none() && log.read_line(&mut line).expect("the banner") > 0 {
            let address = line.split("http://").nth(1).and_then(|rest| rest.split(' ').next());
            authority = address.map(str::to_owned);
            line.clear();
        }
        assert_eq!(ready, "Ready.\n");
        // Whatever the server says later must not fill the pipe.
        std::thread::spawn(move || std::io::copy(&mut log, &mut std::io::sink()));
        Server { child, authority: authority.expect("an endpoint in the banner") }
    }

    /// Ends the process at once, as a power cut would.
    pub(crate) fn kill(mut self) {
        self.child.kill().expect("a kill");
        self.child.wait().expect("an end");
    }

    /// Sends raw bytes and reads the answer.
    pub(crate) fn raw(&self, request: &[u8]) -> Answer {
        let mut stream = TcpStream::connect(&self.authority).expect("a connection");
        stream.set_read_timeout(Some(Duration::from_secs(20))).expect("a timeout");
        // The server may refuse and close before it has read everything.
        let _ = stream.write_all(request);
        read_answer(&mut stream)
    }

    /// Calls an operation of an awsJson service, signed as root.
    pub(crate) fn json(&self, service: &str, target: &str, body: &str) -> Answer {
        self.raw(&self.signed(&Credentials::ROOT, service, target, body))
    }

    /// A signed request of an awsJson service.
    pub(crate) fn signed(
        &self,
        credentials: &Credentials<'_>,
        service: &str,
        target: &str,
        body: &str,
    ) -> Vec<u8> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("a time").as_secs() as i64;
        self.signed_at(now, credentials, service, target, body)
    }

    /// The same at another time.
    pub(crate) fn signed_at(
        &self,
        now: i64,
        credentials: &Credentials<'_>,
        service: &str,
        target: &str,
        body: &str,
    ) -> Vec<u8> {
        let mut headers = HeaderMap::new();
        headers.insert("content-type", HeaderValue::from_static("application/x-amz-json-1.1"));
        headers.insert("x-amz-target", HeaderValue::from_str(target).expect("a target"));
        self.sign(now, credentials, service, ("POST", "/"), headers, body)
    }

    /// A call of a query service, signed as root.
    pub(crate) fn signed_form(&self, service: &str, form: &str) -> Vec<u8> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("a time").as_secs() as i64;
        let mut headers = HeaderMap::new();
        let kind = HeaderValue::from_static("application/x-www-form-urlencoded");
        headers.insert("content-type", kind);
        self.sign(now, &Credentials::ROOT, service, ("POST", "/"), headers, form)
    }

    /// A request of a path, signed as root.
    pub(crate) fn signed_request(
        &self,
        method: &str,
        path: &str,
        service: &str,
        body: &str,
    ) -> Vec<u8> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("a time").as_secs() as i64;
        self.sign(now, &Credentials::ROOT, service, (method, path), HeaderMap::new(), body)
    }

    fn sign(
        &self,
        now: i64,
        credentials: &Credentials<'_>,
        service: &str,
        (method, path): (&str, &str),
        mut headers: HeaderMap,
        body: &str,
    ) -> Vec<u8> {
        let signer = Signer {
            access_key_id: credentials.access_key_id,
            secret: credentials.secret,
            session_token: None,
            region: "us-east-1",
            service,
            rules: if service == "s3" { Rules::S3 } else { Rules::Other },
        };
        let empty = HeaderMap::new();
        let view = RequestView {
            method,
            raw_path: path,
            raw_query: "",
            host: &self.authority,
            headers: &empty,
        };
        let hash = sha256_hex(body.as_bytes());
        signer.sign(&view, &mut headers, &hash, now).expect("a signature");
        let mut text = format!("{method} {path} HTTP/1.1\r\nhost: {}\r\n", self.authority);
        for (name, value) in &headers {
            text += &format!("{name}: {}\r\n", value.to_str().expect("text"));
        }
        text += &format!("content-length: {}\r\nconnection: close\r\n\r\n{body}", body.len());
        text.into_bytes()
    }

    /// The query of a URL that root presigned.
    pub(crate) fn presigned(&self, service: &str, method: &str, path: &str, query: &str) -> String {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("a time").as_secs() as i64;
        let signer = Signer {
            access_key_id: Credentials::ROOT.access_key_id,
            secret: Credentials::ROOT.secret,
            session_token: None,
            region: "us-east-1",
            service,
            rules: if service == "s3" { Rules::S3 } else { Rules::Other },
        };
        let headers = HeaderMap::new();
        let view = RequestView {
            method,
            raw_path: path,
            raw_query: query,
            host: &self.authority,
            headers: &headers,
        };
        signer.presign(&view, 300, now)
    }

    /// Sends an unsigned GET.
    pub(crate) fn get(&self, path: &str) -> Answer {
        let request =
            format!("GET {path} HTTP/1.1\r\nhost: {}\r\nconnection: close\r\n\r\n", self.authority);
        self.raw(request.as_bytes())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// An access key with its secret.
pub(crate) struct Credentials<'a> {
    pub(crate) access_key_id: &'a str,
    pub(crate) secret: &'a str,
}

impl Credentials<'static> {
    /// The root of the default account.
    pub(crate) const ROOT: Credentials<'static> =
        Credentials { access_key_id: "test", secret: "test" };
}

fn read_answer(stream: &mut TcpStream) -> Answer {
    let mut bytes = Vec::new();
    // A reset after the answer is no error of the answer.
    let _ = stream.read_to_end(&mut bytes);
    let text = String::from_utf8_lossy(&bytes).into_owned();
    let (head, body) = text.split_once("\r\n\r\n").unwrap_or((&text, ""));
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0);
    Answer { status, head: head.to_owned(), body: body.to_owned() }
}
