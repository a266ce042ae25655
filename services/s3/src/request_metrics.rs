//! Request metrics: what CloudWatch tells of the requests to buckets that have a configuration of metrics.
//!
//! The rows say which buckets have one; what is remembered of them here is brought up to date after each change. A request
//! to another bucket costs a look at a flag, or at a map where any bucket has one.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use fogbank_accesspoints as points;
use fogbank_core::measures::{Measure, Source};
use fogbank_core::store::Read;
use fogbank_core::{Answered, BoxFuture, Check, Cloud, Cx, Fault, WhenSent};

use crate::access::object_arn;
use crate::access_logs::named;
use crate::documents;
use crate::error::Error;
use crate::metrics::KIND;
use crate::model::{MetricsConfiguration, MetricsFilter, Tag};
use crate::store::{BUCKETS, DOCUMENTS};
use crate::tagging;

/// The topic and name of the task that looks up which buckets have metrics.
pub(crate) const CONFIGURATIONS: &str = "s3.request-metrics";

/// Whether any bucket of any cloud of this process has metrics: a hint that costs nothing to look at.
static MEASURES: AtomicBool = AtomicBool::new(false);

/// The buckets that have metrics, as the rows said at the last look.
#[derive(Default)]
struct Measured(RwLock<BTreeMap<String, Arc<Bucket>>>);

/// What is known of a bucket with metrics.
struct Bucket {
    account: String,
    region: String,
    filters: Vec<Filter>,
}

/// Which requests are counted under an id: those to objects that fit all that is said.
#[derive(Default)]
struct Filter {
    id: String,
    /// Whether anything is said: all requests are counted else.
    is_narrow: bool,
    prefix: String,
    tags: Vec<Tag>,
    access_point: Option<String>,
}

impl Filter {
    fn of(configuration: MetricsConfiguration) -> Filter {
        let filter = Filter { id: configuration.id, ..Filter::default() };
        let is_narrow = true;
        match configuration.filter {
            None | Some(MetricsFilter::Unset) => filter,
            Some(MetricsFilter::Prefix(prefix)) => Filter { is_narrow, prefix, ..filter },
            Some(MetricsFilter::Tag(tag)) => Filter { is_narrow, tags: vec![tag], ..filter },
            Some(MetricsFilter::AccessPointArn(arn)) => {
                Filter { is_narrow, access_point: Some(arn), ..filter }
            }
            Some(MetricsFilter::And(and)) => Filter {
                is_narrow,
                prefix: and.prefix.unwrap_or_default(),
                tags: and.tags.unwrap_or_default(),
                access_point: and.access_point_arn,
                ..filter
            },
        }
    }

    /// Whether it counts a request to an object, or to the bucket. "When you specify a filter, only requests that operate
    /// on single objects can match."
    fn counts(
        &self,
        key: Option<&str>,
        point: Option<&str>,
        tags: &mut dyn FnMut() -> Vec<(String, String)>,
    ) -> bool {
        if !self.is_narrow {
            return true;
        }
        let fits = key.is_some_and(|key| key.starts_with(&self.prefix))
            && self.access_point.as_ref().is_none_or(|wanted| Some(&**wanted) == point);
        if !fits || self.tags.is_empty() {
            return fits;
        }
        let tags = tags();
        self.tags.iter().all(|tag| tags.iter().any(|(key, it)| (key, it) == (&tag.key, &tag.value)))
    }
}

fn measured(cloud: &Cloud, bucket: &str) -> Option<Arc<Bucket>> {
    let measured = cloud.state(Measured::default);
    let buckets = measured.0.read().unwrap_or_else(PoisonError::into_inner);
    buckets.get(bucket).cloned()
}

/// Whether a bucket that is named has metrics. Whose access point is named, is looked up when it was answered.
pub(crate) fn watches(cloud: &Cloud, labels: &[(&'static str, &str)]) -> bool {
    MEASURES.load(Ordering::Relaxed)
        && cloud.measures().is_wanted()
        && named(labels)
            .is_some_and(|(name, _)| points::is_meant(&name) || measured(cloud, &name).is_some())
}

/// Counts a request that was answered.
pub(crate) fn answered(cloud: &Cloud, answered: &Answered<'_>) -> Option<WhenSent> {
    if !watches(cloud, answered.labels) {
        return None;
    }
    let (name, key) = named(answered.labels)?;
    let (name, point) = reached(cloud, name, &answered.request.region)?;
    let bucket = measured(cloud, &name)?;
    let key = key.filter(|key| !key.is_empty());
    let mut tags = None;
    let mut tags = || {
        let found = || tags_of(cloud, &name, key.as_deref().unwrap_or_default());
        tags.get_or_insert_with(found).clone()
    };
    let counting = bucket
        .filters
        .iter()
        .filter(|filter| filter.counts(key.as_deref(), point.as_deref(), &mut tags));
    let sources: Vec<Source> = counting.map(|filter| source(&name, &bucket, &filter.id)).collect();
    if sources.is_empty() {
        return None;
    }
    let now = cloud.clock().now();
    let values = values(answered);
    for source in &sources {
        cloud.measures().record(source, now, values.iter().copied());
    }
    let cloud = cloud.clone();
    Some(Box::new(move |took| {
        let latency = ("TotalRequestLatency", "Milliseconds", millis(took));
        for source in sources {
            cloud.measures().record(&source, now, [latency]);
        }
    }))
}

/// The bucket that is reached by a name, and by which access point.
fn reached(cloud: &Cloud, name: String, region: &str) -> Option<(String, Option<String>)> {
    if !points::is_meant(&name) {
        return Some((name, None));
    }
    let region = if region.is_empty() { &cloud.settings().region } else { region };
    let found = cloud.db().read(|rows| points::find(rows, &name, region)).ok()??;
    let ((account, region, point), row) = found;
    Some((row.bucket, Some(points::arn((&account, &region, &point)))))
}

fn tags_of(cloud: &Cloud, bucket: &str, key: &str) -> Vec<(String, String)> {
    let check = Check { resource: object_arn(bucket, key), ..Check::default() };
    let cx = Cx::background(cloud.clone(), "s3", CONFIGURATIONS);
    // What cannot be read has no tags that could be counted.
    cx.read(|tx| tagging::of_object(tx, &check)).unwrap_or_default()
}

fn source(name: &str, bucket: &Bucket, filter: &str) -> Source {
    Source {
        account: bucket.account.clone(),
        region: bucket.region.clone(),
        namespace: "AWS/S3",
        dimensions: vec![("BucketName", name.to_owned()), ("FilterId", filter.to_owned())],
    }
}

fn millis(took: Duration) -> f64 {
    took.as_secs_f64() * 1000.0
}

/// What a request counts as.
fn values(answered: &Answered<'_>) -> Vec<Measure> {
    let count = |is_so: bool| if is_so { 1.0 } else { 0.0 };
    let mut values = vec![
        ("AllRequests", "Count", 1.0),
        ("4xxErrors", "Count", count((400..500).contains(&answered.status))),
        ("5xxErrors", "Count", count(answered.status >= 500)),
        ("FirstByteLatency", "Milliseconds", millis(answered.took)),
    ];
    let kind = kind(answered.request.operation, answered.method);
    values.extend(kind.map(|kind| (kind, "Count", 1.0)));
    let bytes = |count: Option<u64>| count.filter(|count| *count > 0).map(|count| count as f64);
    let sent = bytes(answered.sent).filter(|_| answered.method != "HEAD");
    values.extend(sent.map(|sent| ("BytesDownloaded", "Bytes", sent)));
    values.extend(bytes(answered.received).map(|it| ("BytesUploaded", "Bytes", it)));
    values
}

/// The metric of requests of a kind.
fn kind(operation: &str, method: &str) -> Option<&'static str> {
    Some(match (operation, method) {
        ("ListObjects" | "ListObjectsV2" | "ListObjectVersions" | "ListMultipartUploads", _) => {
            "ListRequests"
        }
        ("SelectObjectContent", _) => "SelectRequests",
        (_, "DELETE") | ("DeleteObjects", _) => "DeleteRequests",
        (_, "GET") => "GetRequests",
        (_, "PUT") => "PutRequests",
        (_, "POST") => "PostRequests",
        (_, "HEAD") => "HeadRequests",
        _ => return None,
    })
}

/// Looks up which buckets have metrics.
pub(crate) fn refresh(cx: Cx) -> BoxFuture<'static, Result<(), Fault>> {
    Box::pin(async move {
        let found = cx.read(|tx| find(tx))?;
        if !found.is_empty() {
            MEASURES.store(true, Ordering::Relaxed);
        }
        let measured = cx.state(Measured::default);
        *measured.0.write().unwrap_or_else(PoisonError::into_inner) = found;
        Ok(())
    })
}

fn find(tx: &(impl Read + ?Sized)) -> Result<BTreeMap<String, Arc<Bucket>>, Error> {
    let mut measured = BTreeMap::new();
    for name in BUCKETS.range(&()).keys(tx)? {
        let configurations = DOCUMENTS.range(&(&*name, KIND.0)).list(tx)?;
        if configurations.is_empty() {
            continue;
        }
        let Some(bucket) = BUCKETS.get(tx, &*name)? else { continue };
        let filters = configurations.iter().map(|(_, text)| documents::read(text).map(Filter::of));
        let filters = filters.collect::<Result<_, _>>()?;
        let (account, region) = (bucket.account, bucket.region);
        measured.insert(name, Arc::new(Bucket { account, region, filters }));
    }
    Ok(measured)
}
