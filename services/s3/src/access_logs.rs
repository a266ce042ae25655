//! Access logs: a line for each request to a bucket that has a log, delivered as objects of another bucket.
//!
//! Delivery is as good as AWS promises it: best effort. Lines wait in memory, bounded, for some minutes, and are
//! delivered before the server stops; what a killed server had not delivered is lost. Objects are written through the
//! front door as `logging.s3.amazonaws.com` on behalf of the source bucket, so that the target's policy decides.

mod lines;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

use bytes::Bytes;
use fogbank_accesspoints as points;
use fogbank_core::{Answered, BoxFuture, Cloud, Cx, Fault, Principal, Timestamp, tracing};
use serde_json::json;

pub(crate) use lines::{Entry, WEBSITE};

use crate::access::bucket_arn;
use crate::documents;
use crate::error::Error;
use crate::logging::KIND;
use crate::model::{
    BucketLoggingStatus, BucketLogsPermission, LoggingEnabled, PartitionDateSource, TargetGrant,
};
use crate::rules;
use crate::store::{BUCKETS, Bucket, LOGGED};

/// The topic and name of the task that delivers.
pub(crate) const DELIVERY: &str = "s3.access-logs";
/// Who delivers.
pub(crate) const DELIVERER: &str = "logging.s3.amazonaws.com";
/// The most bytes of lines that wait; what comes beyond is dropped, and the log of the server says so.
const MAX_WAITING_BYTES: usize = 32 << 20;
/// From how many bytes on lines are delivered at once.
const DUE_BYTES: usize = 4 << 20;
/// How long lines wait by the cloud's clock.
pub(crate) const PAUSE: std::time::Duration = std::time::Duration::from_secs(300);

/// Whether any cloud of this process has logged at all: a hint that costs nothing to look at.
static LOGS: AtomicBool = AtomicBool::new(false);

/// A line, and when its request came.
struct Line {
    millis: i64,
    text: String,
}

/// What is remembered between deliveries; the rows say the rest.
#[derive(Default)]
struct Waiting {
    /// The buckets that have a log, as the rows said at the last look, with their owners.
    logged: BTreeMap<String, String>,
    lines: BTreeMap<String, Vec<Line>>,
    bytes: usize,
    dropped: u64,
}

#[derive(Default)]
struct State(Mutex<Waiting>);

fn with<T>(cloud: &Cloud, f: impl FnOnce(&mut Waiting) -> T) -> T {
    let state = cloud.state(State::default);
    f(&mut state.0.lock().unwrap_or_else(PoisonError::into_inner))
}

/// The bucket and the key that a request named.
pub(crate) fn named(labels: &[(&'static str, &str)]) -> Option<(String, Option<String>)> {
    let label = |name: &str| {
        let (_, text) = labels.iter().find(|(label, _)| *label == name)?;
        Some(percent_encoding::percent_decode_str(text).decode_utf8_lossy().into_owned())
    };
    Some((label("Bucket")?, label("Key")))
}

/// Whether a bucket that is named has a log.
pub(crate) fn watches(cloud: &Cloud, labels: &[(&'static str, &str)]) -> bool {
    if !LOGS.load(Ordering::Relaxed) {
        return false;
    }
    // Whose bucket is behind an access point is looked up when the request is answered.
    named(labels).is_some_and(|(bucket, _)| {
        points::is_meant(&bucket) || with(cloud, |waiting| waiting.logged.contains_key(&bucket))
    })
}

/// Notes how a request was answered.
pub(crate) fn answered(cloud: &Cloud, answered: &Answered<'_>) {
    let Some((bucket, key)) = named(answered.labels) else { return };
    if !points::is_meant(&bucket) {
        return note(cloud, &bucket, || [Entry::of(answered, key.as_deref())]);
    }
    // What an observer hears of has no region of its own.
    let region = &cloud.settings().region;
    let found = points::find(&cloud.db().snapshot(), &bucket, region);
    let Ok(Some(((account, region, name), point))) = found else { return };
    let access_point = Some(points::arn((&account, &region, &name)));
    note(cloud, &point.bucket, || [Entry { access_point, ..Entry::of(answered, key.as_deref()) }]);
}

/// Notes things that happened in a bucket, if it has a log.
pub(crate) fn note<'a, E: IntoIterator<Item = Entry<'a>>>(
    cloud: &Cloud,
    bucket: &str,
    entries: impl FnOnce() -> E,
) {
    if !LOGS.load(Ordering::Relaxed) {
        return;
    }
    let is_due = with(cloud, |waiting| {
        let Some(owner) = waiting.logged.get(bucket) else { return false };
        let owner = rules::canonical_id(owner);
        for entry in entries() {
            let text = entry.line(&owner, bucket);
            if waiting.bytes + text.len() > MAX_WAITING_BYTES {
                waiting.dropped += 1;
                continue;
            }
            waiting.bytes += text.len();
            let line = Line { millis: entry.millis, text };
            waiting.lines.entry(bucket.to_owned()).or_default().push(line);
        }
        waiting.bytes >= DUE_BYTES
    });
    if is_due {
        cloud.wakes().wake(DELIVERY);
    }
}

/// Looks up which buckets have a log, and delivers what waits.
pub(crate) fn deliver(cx: Cx) -> BoxFuture<'static, Result<(), Fault>> {
    Box::pin(async move {
        refresh(&cx)?;
        let (lines, dropped) = with(&cx, |waiting| {
            waiting.bytes = 0;
            (std::mem::take(&mut waiting.lines), std::mem::take(&mut waiting.dropped))
        });
        if dropped > 0 {
            tracing::warn!(dropped, "lines of access logs were dropped, since too many waited");
        }
        for (bucket, lines) in lines {
            let count = lines.len();
            if let Err(error) = deliver_of(&cx, &bucket, lines).await {
                let error = Fault::from(error);
                tracing::warn!(bucket, count, ?error, "an access log could not be delivered");
            }
        }
        Ok(())
    })
}

/// Delivers before the server stops.
pub(crate) fn stop(cx: Cx) -> BoxFuture<'static, ()> {
    Box::pin(async move {
        if let Err(error) = deliver(cx).await {
            tracing::warn!(?error, "access logs could not be delivered");
        }
    })
}

/// Brings what is remembered of rows up to date.
fn refresh(cx: &Cx) -> Result<(), Error> {
    let logged = cx.read(|tx| {
        let names = LOGGED.range(&()).keys(tx)?;
        let mut logged = BTreeMap::new();
        for name in names {
            if let Some(bucket) = BUCKETS.get(tx, &name)? {
                logged.insert(name, bucket.account);
            }
        }
        Ok::<_, Error>(logged)
    })?;
    if !logged.is_empty() {
        LOGS.store(true, Ordering::Relaxed);
    }
    with(cx, |waiting| waiting.logged = logged);
    Ok(())
}

/// Delivers the lines of one bucket: one object, or one for each day.
async fn deliver_of(cx: &Cx, name: &str, lines: Vec<Line>) -> Result<(), Error> {
    let found = cx.read(|tx| {
        let status = documents::get::<BucketLoggingStatus>(tx, name, KIND, "")?;
        let bucket = BUCKETS.get(tx, name)?;
        Ok::<_, Error>(bucket.zip(status.and_then(|status| status.logging_enabled)))
    })?;
    let Some((bucket, enabled)) = found else { return Ok(()) };
    let partitioned =
        enabled.target_object_key_format.as_ref().and_then(|f| f.partitioned_prefix.as_ref());
    let by_event = partitioned.is_some_and(|partitioned| {
        partitioned.partition_date_source == Some(PartitionDateSource::EventTime)
    });
    let days: BTreeSet<Option<String>> =
        lines.iter().map(|line| by_event.then(|| date(line.millis, "%Y-%m-%d"))).collect();
    for day in days {
        let texts = lines
            .iter()
            .filter(|line| day.as_ref().is_none_or(|day| *day == date(line.millis, "%Y-%m-%d")));
        let body: String = texts.map(|line| &*line.text).collect();
        let key = key(cx, name, &bucket, &enabled, partitioned.is_some(), day.as_deref());
        write(cx, name, &bucket, &enabled, &key, body).await?;
    }
    Ok(())
}

fn date(millis: i64, format: &str) -> String {
    jiff::Timestamp::from_millisecond(millis)
        .map(|time| time.strftime(format).to_string())
        .unwrap_or_default()
}

/// The key of a log object.
fn key(
    cx: &Cx,
    name: &str,
    bucket: &Bucket,
    enabled: &LoggingEnabled,
    is_partitioned: bool,
    day: Option<&str>,
) -> String {
    let unique = cx.ids().mixed(16).to_ascii_uppercase();
    let now: Timestamp = cx.now();
    let stamp = match day {
        Some(day) => format!("{day}-00-00-00"),
        None => date(now.millis(), "%Y-%m-%d-%H-%M-%S"),
    };
    let prefix = &enabled.target_prefix;
    if !is_partitioned {
        return format!("{prefix}{stamp}-{unique}");
    }
    let (account, region) = (&bucket.account, &bucket.region);
    let folder = stamp[..10].replace('-', "/");
    format!("{prefix}{account}/{region}/{name}/{folder}/{stamp}-{unique}")
}

/// Writes a log object, if the target lets it in.
async fn write(
    cx: &Cx,
    name: &str,
    bucket: &Bucket,
    enabled: &LoggingEnabled,
    key: &str,
    body: String,
) -> Result<(), Error> {
    let mut input = json!({
        "Bucket": enabled.target_bucket,
        "Key": key,
        "ContentType": "text/plain",
        "ContentLength": body.len(),
    });
    for permission in [BucketLogsPermission::FullControl, BucketLogsPermission::Read] {
        let grants = enabled.target_grants.iter().flatten();
        let names: Vec<String> = grants
            .filter(|grant| grant.permission.as_ref() == Some(&permission))
            .filter_map(grantee)
            .collect();
        if !names.is_empty() {
            let member = match permission {
                BucketLogsPermission::Read => "GrantRead",
                _ => "GrantFullControl",
            };
            input[member] = names.join(", ").into();
        }
    }
    let mut call = cx.prepare(Principal::service(DELIVERER), "s3:PutObject", input);
    call.body = Bytes::from(body).into();
    bucket.account.clone_into(&mut call.account);
    bucket.region.clone_into(&mut call.region);
    call.source = Some((bucket_arn(name), bucket.account.clone()));
    cx.cloud().call(call).await?;
    Ok(())
}

/// A grantee as headers name him.
fn grantee(grant: &TargetGrant) -> Option<String> {
    let who = grant.grantee.as_ref()?;
    match (&who.id, &who.uri) {
        (Some(id), _) => Some(format!("id=\"{id}\"")),
        (None, Some(uri)) => Some(format!("uri=\"{uri}\"")),
        (None, None) => None,
    }
}
