//! Storage metrics: how many objects and bytes a bucket has, told to CloudWatch once a day for the midnight before.
//!
//! A bucket is counted by going through its listing, page by page, once for each day that has come. Parts of unfinished
//! uploads are not counted. If the process is killed within the minute after a count, the day has none.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::ops::ControlFlow;

use fogbank_core::measures::{Measure, Source};
use fogbank_core::{BoxFuture, Cx, Fault, Timestamp};

use crate::error::Error;
use crate::store::{BUCKETS, COUNTED, LISTED, Listed, SHOWN, ShownVersion};

/// The name of the task.
pub(crate) const COUNT: &str = "s3.storage-metrics";
/// How many objects are looked at in one view.
const PAGE: usize = 1_000;
const DAY_SECS: i64 = 24 * 3600;

/// Bytes by storage class as CloudWatch calls it, and how many objects there are.
#[derive(Default)]
struct Counted {
    bytes: BTreeMap<&'static str, u64>,
    objects: u64,
}

/// Counts the buckets that were not counted today.
pub(crate) fn run(cx: Cx) -> BoxFuture<'static, Result<(), Fault>> {
    Box::pin(async move {
        // Nothing is gathered before CloudWatch asks for it the first time.
        if !cx.measures().is_wanted() {
            return Ok(());
        }
        let day = cx.now().secs().div_euclid(DAY_SECS);
        let number = day.max(0).cast_unsigned();
        for name in cx.read(|tx| BUCKETS.range(&()).keys(tx))? {
            if cx.read(|tx| COUNTED.get(tx, &*name))? == Some(number) {
                continue;
            }
            let counted = count(&cx, &name).await?;
            let bucket = cx
                .write(|tx| {
                    let bucket = BUCKETS.get(tx, &*name)?;
                    if bucket.is_some() {
                        COUNTED.put(tx, &*name, &number)?;
                    }
                    Ok::<_, Error>(bucket)
                })
                .await?;
            if let Some(bucket) = bucket {
                tell(&cx, &name, (bucket.account, bucket.region), day, &counted);
            }
        }
        Ok(())
    })
}

fn tell(cx: &Cx, name: &str, (account, region): (String, String), day: i64, counted: &Counted) {
    let midnight = Timestamp::from_secs(day * DAY_SECS);
    let record = |kind: &str, measure: Measure| {
        let dimensions = vec![("BucketName", name.to_owned()), ("StorageType", kind.to_owned())];
        let (account, region) = (account.clone(), region.clone());
        let source = Source { account, region, namespace: "AWS/S3", dimensions };
        cx.measures().record(&source, midnight, [measure]);
    };
    for (kind, bytes) in &counted.bytes {
        record(kind, ("BucketSizeBytes", "Bytes", *bytes as f64));
    }
    record("AllStorageTypes", ("NumberOfObjects", "Count", counted.objects as f64));
}

/// Goes through the objects of a bucket, then through the versions that are not current.
async fn count(cx: &Cx, name: &str) -> Result<Counted, Error> {
    let mut counted = Counted::default();
    let mut after: Option<String> = None;
    loop {
        let begun = after.take();
        let mut rows = 0;
        cx.read(|tx| {
            let mut range = LISTED.range(&(name,)).limit(PAGE);
            if let Some(begun) = &begun {
                range = range.after(&(name, &**begun));
            }
            range.visit(tx, |(_, key), listed| {
                rows += 1;
                counted.add(Some(&listed));
                after = Some(key);
                ControlFlow::Continue(())
            })
        })?;
        if rows < PAGE {
            break;
        }
        tokio::task::yield_now().await;
    }
    let mut after: Option<(String, Reverse<u64>)> = None;
    loop {
        let begun = after.take();
        let mut rows = 0;
        cx.read(|tx| {
            let mut range = SHOWN.range(&(name,)).limit(PAGE);
            if let Some((key, number)) = &begun {
                range = range.after(&(name, &**key, *number));
            }
            range.visit(tx, |(_, key, number), version| {
                rows += 1;
                match &version {
                    ShownVersion::Object(object) => counted.add(Some(&object.listed)),
                    ShownVersion::Marker(_) => counted.add(None),
                }
                after = Some((key, number));
                ControlFlow::Continue(())
            })
        })?;
        if rows < PAGE {
            return Ok(counted);
        }
        tokio::task::yield_now().await;
    }
}

impl Counted {
    /// Counts an object or version, or a delete marker, which is one without bytes.
    fn add(&mut self, object: Option<&Listed>) {
        self.objects += 1;
        if let Some(object) = object {
            *self.bytes.entry(storage_type(object.storage_class.as_deref())).or_default() +=
                object.size;
        }
    }
}

/// What CloudWatch calls a storage class.
fn storage_type(class: Option<&str>) -> &'static str {
    match class {
        Some("STANDARD_IA") => "StandardIAStorage",
        Some("ONEZONE_IA") => "OneZoneIAStorage",
        Some("REDUCED_REDUNDANCY") => "ReducedRedundancyStorage",
        Some("INTELLIGENT_TIERING") => "IntelligentTieringFAStorage",
        Some("GLACIER_IR") => "GlacierInstantRetrievalStorage",
        Some("GLACIER") => "GlacierStorage",
        Some("DEEP_ARCHIVE") => "DeepArchiveStorage",
        Some("EXPRESS_ONEZONE") => "ExpressOneZoneStorage",
        _ => "StandardStorage",
    }
}
