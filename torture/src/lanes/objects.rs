//! Objects of S3: put, overwritten, copied, uploaded by forms and in parts, of which some are copies, removed; small ones,
//! medium ones and large ones.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::Method;
use md5::{Digest, Md5};
use rand::Rng;

use super::{Failures, Next, Step, read};
use crate::client::{Answer, Client};

/// The bucket of all lanes.
pub const BUCKET: &str = "torture";
const KEYS: u64 = 10;
/// A policy for forms that lets any object of the bucket in until 2099, and its signature (of version 2) by the secret `test`.
const FORM_POLICY: &str = "eyJleHBpcmF0aW9uIjoiMjA5OS0wMS0wMVQwMDowMDowMFoiLCJjb25kaXRpb25zIjpbeyJidWNrZXQiOiJ0b3J0dXJlIn0sWyJzdGFydHMtd2l0aCIsIiRrZXkiLCIiXV19";
const FORM_SIGNATURE: &str = "QfxpbCUx8w1Di9rg9I1XcRxLv1Q=";

/// One lane of objects.
#[derive(Clone)]
pub struct Objects {
    lane: u64,
    /// What may be under each key; one state if it is known.
    keys: BTreeMap<u64, BTreeSet<State>>,
    made: u64,
    /// Writes that were acknowledged.
    pub acknowledged: u64,
}

/// What is under a key.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum State {
    Absent,
    /// The bytes follow from a number and a length; parts of a multipart upload from one number each.
    Object {
        parts: Vec<(u64, usize)>,
        is_multipart: bool,
    },
}

impl State {
    fn plain(number: u64, len: usize) -> State {
        State::Object { parts: vec![(number, len)], is_multipart: false }
    }

    fn bytes(&self) -> Vec<u8> {
        match self {
            State::Absent => Vec::new(),
            State::Object { parts, .. } => {
                parts.iter().flat_map(|(number, len)| body(*number, *len)).collect()
            }
        }
    }

    fn etag(&self) -> String {
        match self {
            State::Object { parts, is_multipart: true } => {
                let sums: Vec<u8> = parts
                    .iter()
                    .flat_map(|(number, len)| Md5::digest(body(*number, *len)))
                    .collect();
                format!("\"{}-{}\"", hex::encode(Md5::digest(sums)), parts.len())
            }
            other => format!("\"{}\"", hex::encode(Md5::digest(other.bytes()))),
        }
    }
}

/// Bytes that follow from a number, no two blocks alike.
pub fn body(number: u64, len: usize) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(len + 8);
    let mut state = number.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    while bytes.len() < len {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        bytes.extend_from_slice(&state.to_le_bytes());
    }
    bytes.truncate(len);
    bytes
}

fn some_len(random: &mut impl Rng) -> usize {
    match random.random_range(0..100) {
        0..3 => random.random_range((4 << 20) + 1..6 << 20),
        3..6 => random.random_range(300_000..4 << 20),
        6..25 => random.random_range(16_385..300_000),
        25..30 => {
            *[0, 1, 16_384, 16_385, 4096 - 32, 65_536].get(random.random_range(0..6)).unwrap_or(&0)
        }
        _ => random.random_range(0..16_385),
    }
}

impl Objects {
    /// A lane with nothing in it.
    pub fn new(lane: u64) -> Objects {
        Objects { lane, keys: BTreeMap::new(), made: 0, acknowledged: 0 }
    }

    fn path(&self, key: u64) -> String {
        format!("/{BUCKET}/{}", self.name(key))
    }

    fn name(&self, key: u64) -> String {
        format!("lane-{:02}/object-{key:02}", self.lane)
    }

    fn next_number(&mut self) -> u64 {
        self.made += 1;
        self.lane << 40 | self.made
    }

    fn states(&self, key: u64) -> BTreeSet<State> {
        self.keys.get(&key).cloned().unwrap_or_else(|| BTreeSet::from([State::Absent]))
    }

    /// Notes how a write to `state` went.
    fn settle(&mut self, key: u64, state: State, outcome: Result<(), Next>) -> Next {
        match outcome {
            Ok(()) => {
                self.acknowledged += 1;
                self.keys.insert(key, BTreeSet::from([state]));
                Next::Go
            }
            Err(next) => {
                let mut states = self.states(key);
                states.insert(state);
                self.keys.insert(key, states);
                next
            }
        }
    }

    /// One request, or one upload in parts.
    pub async fn step(&mut self, step: &mut Step) -> Next {
        let key = step.random.random_range(0..KEYS);
        match step.random.random_range(0..100) {
            0..42 => self.put(step, key).await,
            42..50 => self.form(step, key).await,
            50..56 => self.delete(step, key).await,
            56..60 => self.delete_some(step).await,
            60..70 => self.copy(step, key).await,
            70..76 => self.upload(step, key).await,
            76..97 => self.get(step, key).await,
            _ => {
                let client = step.client.clone();
                match self.list(&client).await {
                    Ok(_) => Next::Go,
                    // A cloud that dies answers nothing; the check after the restart reads again.
                    Err(_) => Next::Wait,
                }
            }
        }
    }

    async fn put(&mut self, step: &mut Step, key: u64) -> Next {
        let len = some_len(&mut step.random);
        let number = self.next_number();
        let state = State::plain(number, len);
        let path = self.path(key);
        let outcome = step.client.s3(Method::PUT, &path, "", Bytes::from(body(number, len))).await;
        let outcome = step.sort("PutObject", outcome).map(|answer| {
            expect(&step.failures, "PutObject", &answer, 200);
            let etag = state.etag();
            step.failures.check(answer.header("etag") == etag, || {
                format!("{path}: PutObject returned the ETag {}, not {etag}", answer.header("etag"))
            });
        });
        self.settle(key, state, outcome)
    }

    /// An upload as a browser does it.
    async fn form(&mut self, step: &mut Step, key: u64) -> Next {
        let len = some_len(&mut step.random);
        let number = self.next_number();
        let mut form = String::new();
        let name = self.name(key);
        for (field, value) in [
            ("key", &*name),
            ("AWSAccessKeyId", "test"),
            ("policy", FORM_POLICY),
            ("signature", FORM_SIGNATURE),
        ] {
            let _ = write!(
                form,
                "--edge\r\nContent-Disposition: form-data; name=\"{field}\"\r\n\r\n{value}\r\n"
            );
        }
        form += "--edge\r\nContent-Disposition: form-data; name=\"file\"; filename=\"f\"\r\n\r\n";
        let mut form = form.into_bytes();
        form.extend(body(number, len));
        form.extend(b"\r\n--edge--\r\n");
        let (path, kind) = (format!("/{BUCKET}"), "multipart/form-data; boundary=edge");
        let outcome = step.client.post(&path, kind, form.into()).await;
        let outcome = step
            .sort("a form", outcome)
            .map(|answer| expect(&step.failures, "a form", &answer, 204));
        self.settle(key, State::plain(number, len), outcome)
    }

    async fn delete(&mut self, step: &mut Step, key: u64) -> Next {
        let outcome = step.client.s3(Method::DELETE, &self.path(key), "", Bytes::new()).await;
        let outcome = step
            .sort("DeleteObject", outcome)
            .map(|answer| expect(&step.failures, "DeleteObject", &answer, 204));
        self.settle(key, State::Absent, outcome)
    }

    /// Some at once: an answer tells of each, and without one each may be gone or not.
    async fn delete_some(&mut self, step: &mut Step) -> Next {
        let first = step.random.random_range(0..KEYS);
        let keys: Vec<u64> = (first..KEYS.min(first + 4)).collect();
        let mut list = String::from("<Delete>");
        for key in &keys {
            let _ = write!(list, "<Object><Key>{}</Key></Object>", self.name(*key));
        }
        list += "</Delete>";
        let headers = vec![("content-md5", STANDARD.encode(Md5::digest(&list)))];
        let bucket = format!("/{BUCKET}");
        let outcome =
            step.client.s3_with(Method::POST, &bucket, "delete=", headers, list.into()).await;
        let outcome = step.sort("DeleteObjects", outcome).map(|answer| {
            expect(&step.failures, "DeleteObjects", &answer, 200);
            let deleted = answer.text().matches("<Deleted>").count();
            step.failures
                .check(deleted == keys.len(), || format!("DeleteObjects: {}", answer.text()));
        });
        for key in &keys {
            let _ = self.settle(*key, State::Absent, outcome);
        }
        outcome.err().unwrap_or(Next::Go)
    }

    async fn copy(&mut self, step: &mut Step, key: u64) -> Next {
        let from = step.random.random_range(0..KEYS);
        let states = self.states(from);
        let (true, Some(State::Object { parts, .. })) = (states.len() == 1, states.first()) else {
            return self.get(step, key).await;
        };
        if from == key {
            return Next::Go;
        }
        let state = State::Object { parts: parts.clone(), is_multipart: false };
        let headers = vec![("x-amz-copy-source", self.path(from))];
        let outcome =
            step.client.s3_with(Method::PUT, &self.path(key), "", headers, Bytes::new()).await;
        let outcome = step.sort("CopyObject", outcome).map(|answer| {
            expect(&step.failures, "CopyObject", &answer, 200);
        });
        self.settle(key, state, outcome)
    }

    async fn upload(&mut self, step: &mut Step, key: u64) -> Next {
        let path = self.path(key);
        let begun = step.client.s3(Method::POST, &path, "uploads=", Bytes::new()).await;
        let id = match step.sort("CreateMultipartUpload", begun) {
            Ok(answer) => element(&answer.text(), "UploadId").unwrap_or_default(),
            // An upload that was begun changes nothing that can be seen here.
            Err(next) => return next,
        };
        let copied = self.copied_part(step);
        let last = (self.next_number(), step.random.random_range(1..200_000));
        let mut parts = vec![copied.as_ref().map_or(last, |(_, part)| *part)];
        if step.random.random_bool(0.2) {
            parts.insert(0, (self.next_number(), 5 << 20));
        }
        let mut list = String::from("<CompleteMultipartUpload>");
        for (at, (number, len)) in parts.iter().enumerate() {
            let query = format!("partNumber={}&uploadId={id}", at + 1);
            let from = copied.as_ref().filter(|(_, part)| part == &(*number, *len));
            let sent = match from {
                Some((from, _)) => {
                    let range = format!("bytes=0-{}", len - 1);
                    let headers = vec![
                        ("x-amz-copy-source", from.clone()),
                        ("x-amz-copy-source-range", range),
                    ];
                    step.client.s3_with(Method::PUT, &path, &query, headers, Bytes::new()).await
                }
                None => {
                    let bytes = Bytes::from(body(*number, *len));
                    step.client.s3(Method::PUT, &path, &query, bytes).await
                }
            };
            match step.sort("a part", sent) {
                Ok(answer) => {
                    expect(&step.failures, "a part", &answer, 200);
                    let etag = match from {
                        Some(_) => element(&answer.text(), "ETag").unwrap_or_default(),
                        None => answer.header("etag").to_owned(),
                    };
                    let _ = write!(
                        list,
                        "<Part><PartNumber>{}</PartNumber><ETag>{etag}</ETag></Part>",
                        at + 1
                    );
                }
                Err(next) => return next,
            }
        }
        list += "</CompleteMultipartUpload>";
        let state = State::Object { parts, is_multipart: true };
        let query = format!("uploadId={id}");
        let done = step.client.s3(Method::POST, &path, &query, Bytes::from(list)).await;
        let mut outcome = step.sort("CompleteMultipartUpload", done);
        if let Ok(answer) = &outcome
            && answer.text().contains("<Error>")
        {
            outcome = Err(Next::Wait);
        }
        let outcome = outcome.map(|answer| {
            expect(&step.failures, "CompleteMultipartUpload", &answer, 200);
        });
        self.settle(key, state, outcome)
    }

    /// Sometimes a part that is the beginning of another object: its path, and the part.
    fn copied_part(&self, step: &mut Step) -> Option<(String, (u64, usize))> {
        let from = step.random.random_range(0..KEYS);
        let (is_wanted, cut) = (step.random.random_bool(0.4), step.random.random_range(0.0..1.0));
        let states = self.states(from);
        let (true, Some(State::Object { parts, .. })) = (states.len() == 1, states.first()) else {
            return None;
        };
        let [(number, len)] = parts[..] else { return None };
        let shorter = ((len as f64 * cut) as usize).max(1);
        (is_wanted && len > 0).then(|| (self.path(from), (number, shorter)))
    }

    async fn get(&mut self, step: &mut Step, key: u64) -> Next {
        let outcome = step.client.s3(Method::GET, &self.path(key), "", Bytes::new()).await;
        match step.sort("GetObject", outcome) {
            Ok(answer) => {
                self.compare(&step.failures, key, &answer);
                Next::Go
            }
            Err(next) => next,
        }
    }

    /// Compares what was read with what may be there, and returns it.
    fn compare(&self, failures: &Failures, key: u64, answer: &Answer) -> Option<State> {
        let states = self.states(key);
        let found = states.iter().find(|state| match state {
            State::Absent => answer.status == 404,
            State::Object { .. } => {
                answer.status == 200
                    && answer.header("etag") == state.etag()
                    && answer.body == state.bytes()
            }
        });
        if found.is_none() {
            failures.add(format!(
                "{}: read status {}, {} bytes, ETag {}; possible were {states:?}",
                self.path(key),
                answer.status,
                answer.body.len(),
                answer.header("etag"),
            ));
        }
        found.cloned()
    }

    /// What the list says: name to ETag and size.
    async fn list(&self, client: &Client) -> anyhow::Result<BTreeMap<String, (String, u64)>> {
        let query = format!("list-type=2&prefix=lane-{:02}%2F", self.lane);
        let answer =
            client.s3(Method::GET, &format!("/{BUCKET}"), &query, Bytes::new()).await.success()?;
        let text = answer.text();
        let mut found = BTreeMap::new();
        for entry in text.split("<Contents>").skip(1) {
            let get = |name| element(entry, name).unwrap_or_default();
            let etag = get("ETag").replace("&quot;", "\"").replace("&#34;", "\"");
            found.insert(get("Key"), (etag, get("Size").parse().unwrap_or(u64::MAX)));
        }
        Ok(found)
    }

    /// After a restart: reads everything, compares it, and goes on with what is there.
    pub async fn check(&mut self, client: &Client, failures: &Failures) {
        let list = match self.list(client).await {
            Ok(list) => list,
            Err(error) => return failures.add(format!("lane {}: list: {error:#}", self.lane)),
        };
        let mut expected = BTreeMap::new();
        for key in 0..KEYS {
            let path = self.path(key);
            let outcome = client.s3(Method::GET, &path, "", Bytes::new());
            let Some(answer) = read(failures, &path, outcome).await else { continue };
            if answer.status == 200 {
                let entry = (answer.header("etag").to_owned(), answer.body.len() as u64);
                expected.insert(self.name(key), entry);
            }
            if let Some(state) = self.compare(failures, key, &answer) {
                self.keys.insert(key, BTreeSet::from([state]));
            }
        }
        failures.check(list == expected, || {
            format!("lane {}: the list says {list:?}, the objects {expected:?}", self.lane)
        });
    }
}

/// The text of the first element of this name.
pub fn element(text: &str, name: &str) -> Option<String> {
    let (_, rest) = text.split_once(&format!("<{name}>"))?;
    Some(rest.split_once('<')?.0.to_owned())
}

/// Notes a failure if an answer has another status.
pub(super) fn expect(failures: &Failures, what: &str, answer: &Answer, status: u16) {
    failures.check(answer.status == status, || {
        format!("{what}: status {}: {}", answer.status, answer.text())
    });
}
