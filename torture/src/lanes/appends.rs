//! Objects of a directory bucket: written, appended to, renamed, removed. What was appended is there as a whole or not at all.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use http::Method;
use rand::Rng;

use super::objects::{body, element, expect};
use super::{Failures, Next, Step, read};
use crate::client::{Call, Client, Outcome};

/// The bucket.
pub const BUCKET: &str = "torture--use1-az4--x-s3";
const KEYS: u64 = 4;
/// An object of more pieces is written anew.
const MOST_PIECES: usize = 40;

/// What lies under a key: the pieces that were written and appended, each the number from which its bytes follow and its
/// length; none if there is no object.
type State = Vec<(u64, usize)>;

/// The lane, which owns the bucket.
#[derive(Clone, Default)]
pub struct Appends {
    /// What may be under each key; one state if it is known.
    keys: BTreeMap<u64, BTreeSet<State>>,
    /// A renaming without an answer: from, to, what was renamed, and what it replaced.
    renaming: Option<(u64, u64, State, State)>,
    made: u64,
    /// Writes that were acknowledged.
    pub acknowledged: u64,
}

impl Appends {
    fn states(&self, key: u64) -> BTreeSet<State> {
        self.keys.get(&key).cloned().unwrap_or_else(|| BTreeSet::from([State::new()]))
    }

    /// What lies under a key, if that is known.
    fn known(&self, key: u64) -> Option<State> {
        let states = self.states(key);
        if states.len() == 1 { states.into_iter().next() } else { None }
    }

    /// Makes the bucket.
    pub async fn set_up(client: &Client) -> anyhow::Result<()> {
        let text = "<CreateBucketConfiguration><Location><Name>use1-az4</Name>\
            <Type>AvailabilityZone</Type></Location><Bucket>\
            <DataRedundancy>SingleAvailabilityZone</DataRedundancy><Type>Directory</Type></Bucket>\
            </CreateBucketConfiguration>";
        send(client, Method::PUT, String::new(), "", Vec::new(), text.into()).await.success()?;
        Ok(())
    }

    /// One request.
    pub async fn step(&mut self, step: &mut Step) -> Next {
        let key = step.random.random_range(0..KEYS);
        // What is not known cannot be built upon; a check after the restart finds out.
        let Some(state) = self.known(key) else { return Next::Wait };
        match step.random.random_range(0..100) {
            0..70 if !state.is_empty() && state.len() < MOST_PIECES => {
                self.append(step, key, state).await
            }
            0..80 => self.put(step, key).await,
            80..88 if !state.is_empty() => self.rename(step, key, state).await,
            88..92 => self.delete(step, key).await,
            _ => self.get(step, key).await,
        }
    }

    fn piece(&mut self, step: &mut Step) -> (u64, usize) {
        self.made += 1;
        let len = match step.random.random_range(0..100) {
            0..2 => step.random.random_range((4 << 20) + 1..5 << 20),
            2..20 => step.random.random_range(16_385..200_000),
            _ => step.random.random_range(1..16_385),
        };
        (1 << 60 | self.made, len)
    }

    async fn append(&mut self, step: &mut Step, key: u64, state: State) -> Next {
        let (number, len) = self.piece(step);
        let offset: usize = state.iter().map(|(_, len)| len).sum();
        let headers = vec![("x-amz-write-offset-bytes", offset.to_string())];
        let bytes = body(number, len).into();
        let sent = send(&step.client, Method::PUT, name(key), "", headers, bytes).await;
        let outcome = step
            .sort("an append", sent)
            .map(|answer| expect(&step.failures, "an append", &answer, 200));
        let mut longer = state;
        longer.push((number, len));
        self.settle(key, longer, outcome)
    }

    async fn put(&mut self, step: &mut Step, key: u64) -> Next {
        let (number, len) = self.piece(step);
        let bytes = body(number, len).into();
        let sent = send(&step.client, Method::PUT, name(key), "", Vec::new(), bytes).await;
        let what = "PutObject to a directory bucket";
        let outcome =
            step.sort(what, sent).map(|answer| expect(&step.failures, what, &answer, 200));
        self.settle(key, vec![(number, len)], outcome)
    }

    async fn delete(&mut self, step: &mut Step, key: u64) -> Next {
        let sent =
            send(&step.client, Method::DELETE, name(key), "", Vec::new(), Bytes::new()).await;
        let what = "DeleteObject of a directory bucket";
        let outcome =
            step.sort(what, sent).map(|answer| expect(&step.failures, what, &answer, 204));
        self.settle(key, State::new(), outcome)
    }

    async fn rename(&mut self, step: &mut Step, key: u64, state: State) -> Next {
        let to = (key + 1) % KEYS;
        let Some(replaced) = self.known(to) else { return Next::Wait };
        let headers = vec![("x-amz-rename-source", name(key))];
        let sent =
            send(&step.client, Method::PUT, name(to), "renameObject=", headers, Bytes::new());
        let outcome = step
            .sort("RenameObject", sent.await)
            .map(|answer| expect(&step.failures, "RenameObject", &answer, 200));
        if outcome.is_err() {
            self.renaming = Some((key, to, state.clone(), replaced));
        }
        let _ = self.settle(to, state, outcome);
        self.settle(key, State::new(), outcome)
    }

    async fn get(&mut self, step: &mut Step, key: u64) -> Next {
        let sent = send(&step.client, Method::GET, name(key), "", Vec::new(), Bytes::new()).await;
        match step.sort("GetObject of a directory bucket", sent) {
            Ok(answer) => {
                self.compare(&step.failures, key, (answer.status, &answer.body));
                Next::Go
            }
            Err(next) => next,
        }
    }

    /// Notes how a write to `state` went.
    fn settle(&mut self, key: u64, state: State, outcome: Result<(), Next>) -> Next {
        let mut states = self.states(key);
        let next = match outcome {
            Ok(()) => {
                self.acknowledged += 1;
                states.clear();
                Next::Go
            }
            Err(next) => next,
        };
        states.insert(state);
        self.keys.insert(key, states);
        next
    }

    /// Compares what was read with what may be there, and returns it.
    fn compare(&self, failures: &Failures, key: u64, read: (u16, &Bytes)) -> Option<State> {
        let (status, bytes) = read;
        let states = self.states(key);
        let found = states.iter().find(|state| match state.is_empty() {
            true => status == 404,
            false => {
                let pieces = state.iter().flat_map(|(number, len)| body(*number, *len));
                status == 200 && pieces.eq(bytes.iter().copied())
            }
        });
        if found.is_none() {
            let len = bytes.len();
            failures.add(format!(
                "{}: read status {status}, {len} bytes; possible were {states:?}",
                name(key)
            ));
        }
        found.cloned()
    }

    /// After a restart: reads everything, compares it, and goes on with what is there.
    pub async fn check(&mut self, client: &Client, failures: &Failures) {
        let mut listed = BTreeSet::new();
        for key in 0..KEYS {
            let sent = send(client, Method::GET, name(key), "", Vec::new(), Bytes::new());
            let Some(answer) = read(failures, &name(key), sent).await else { continue };
            if let Some(state) = self.compare(failures, key, (answer.status, &answer.body)) {
                if !state.is_empty() {
                    listed.insert(name(key));
                }
                self.keys.insert(key, BTreeSet::from([state]));
            }
        }
        if let Some((from, to, renamed, replaced)) = self.renaming.take() {
            let (left, there) = (self.known(from), self.known(to));
            let is_done = left == Some(State::new()) && there == Some(renamed.clone());
            let is_undone = left == Some(renamed) && there == Some(replaced);
            failures.check(is_done || is_undone, || {
                format!("a renaming is half done: {left:?} and {there:?}")
            });
        }
        let list =
            send(client, Method::GET, String::new(), "list-type=2", Vec::new(), Bytes::new());
        let Some(answer) = read(failures, "the directory bucket", list).await else { return };
        let text = answer.text();
        let found = text.split("<Contents>").skip(1).filter_map(|entry| element(entry, "Key"));
        let found: BTreeSet<String> = found.collect();
        failures.check(found == listed, || format!("listed are {found:?}, there are {listed:?}"));
    }
}

fn name(key: u64) -> String {
    format!("log-{key}")
}

/// Calls S3 as one calls directory buckets.
async fn send(
    client: &Client,
    method: Method,
    key: String,
    query: &str,
    headers: Vec<(&'static str, String)>,
    body: Bytes,
) -> Outcome {
    let path = match key.is_empty() {
        true => format!("/{BUCKET}"),
        false => format!("/{BUCKET}/{key}"),
    };
    let query = query.to_owned();
    client.call(Call { service: "s3express", method, path, query, headers, body }).await
}
