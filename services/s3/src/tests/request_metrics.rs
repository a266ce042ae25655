//! Request metrics: what CloudWatch tells of the requests to a bucket.

use fogbank_core::measures::Gathered;
use fogbank_core::{Body, Service};
use fogbank_testkit::{Value, World, json};

use super::http::{public, request};
use super::{call, put};

static MEASURED: &[&Service] = &[&crate::SERVICE, &fogbank_cloudwatch::SERVICE];

async fn configure(world: &World, id: &str, filter: Value) {
    let configuration = match filter.is_null() {
        true => json!({ "Id": id }),
        false => json!({ "Id": id, "Filter": filter }),
    };
    let input = json!({ "Id": id, "MetricsConfiguration": configuration });
    call(world, "PutBucketMetricsConfiguration", input).await.expect("configured");
    world.round(&crate::SERVICE, super::super::request_metrics::CONFIGURATIONS).await;
}

/// What was gathered, as `filter: metric sum`, but for latencies, which are only named.
fn shown(gathered: &[Gathered]) -> Vec<String> {
    let of = |it: &Gathered| {
        let filter = &it.source.dimensions[1].1;
        let metrics = it.summaries.iter().filter(|(_, summary)| summary.sum() > 0.0);
        let metrics = metrics.map(|((metric, _), summary)| match metric.ends_with("Latency") {
            true => format!("{metric} of {}", summary.count()),
            false => format!("{metric} {}", summary.sum()),
        });
        format!("{filter}: {}", metrics.collect::<Vec<_>>().join(", "))
    };
    gathered.iter().map(of).collect()
}

#[tokio::test]
async fn requests_are_counted_where_a_configuration_says_so() {
    let world = public().await;
    put(&world, "cats/1", "meow".to_owned()).await;
    put(&world, "dogs/1", "woof".to_owned()).await;
    let tags =
        json!({ "Key": "dogs/1", "Tagging": { "TagSet": [{ "Key": "good", "Value": "yes" }] } });
    call(&world, "PutObjectTagging", tags).await.expect("tagged");
    world.cloud().measures().take();
    request(&world, "GET /photos/cats/1", &[], Body::empty()).await;
    assert_eq!(world.cloud().measures().take().0, [], "no bucket has a configuration");

    configure(&world, "all", Value::Null).await;
    configure(&world, "cats", json!({ "Prefix": "cats/" })).await;
    configure(&world, "good", json!({ "Tag": { "Key": "good", "Value": "yes" } })).await;
    let good_cats = json!({ "Prefix": "cats/", "Tags": [{ "Key": "good", "Value": "yes" }] });
    configure(&world, "good-cats", json!({ "And": good_cats })).await;
    for line in
        ["GET /photos/cats/1", "GET /photos/dogs/1", "GET /photos/cats/2", "HEAD /photos/cats/1"]
    {
        request(&world, line, &[], Body::empty()).await;
    }
    request(&world, "GET /photos?list-type=2&prefix=cats/", &[], Body::empty()).await;
    request(&world, "PUT /photos/cats/3", &[("content-length", "5")], "hello".to_owned()).await;
    request(&world, "DELETE /photos/cats/3", &[], Body::empty()).await;
    let (gathered, _) = world.cloud().measures().take();
    let listed: Vec<String> = shown(&gathered);
    fogbank_testkit::expect![[r#"
        all: 4xxErrors 1, AllRequests 7, BytesDownloaded 794, BytesUploaded 5, DeleteRequests 1, FirstByteLatency of 7, GetRequests 3, HeadRequests 1, ListRequests 1, PutRequests 1, TotalRequestLatency of 7
        cats: 4xxErrors 1, AllRequests 5, BytesDownloaded 261, BytesUploaded 5, DeleteRequests 1, FirstByteLatency of 5, GetRequests 2, HeadRequests 1, PutRequests 1, TotalRequestLatency of 5
        good: AllRequests 1, BytesDownloaded 4, FirstByteLatency of 1, GetRequests 1, TotalRequestLatency of 1"#]].assert_eq(&listed.join("\n"));
    let input = json!({ "Id": "cats" });
    call(&world, "DeleteBucketMetricsConfiguration", input).await.expect("deleted");
    world.round(&crate::SERVICE, super::super::request_metrics::CONFIGURATIONS).await;
    request(&world, "GET /photos/cats/1", &[], Body::empty()).await;
    assert_eq!(world.cloud().measures().take().0.len(), 1);
}

#[tokio::test]
async fn cloudwatch_tells_the_metrics() {
    let world = World::new(MEASURED);
    world.call("s3:CreateBucket", json!({ "Bucket": "photos" })).await.expect("a bucket");
    let write = async || world.round(&fogbank_cloudwatch::SERVICE, "cloudwatch.measures").await;
    write().await;
    configure(&world, "all", Value::Null).await;
    for _ in 0..3 {
        // Without a signature: refused, and counted.
        request(&world, "GET /photos/cats", &[], Body::empty()).await;
    }
    write().await;
    let told = async |metric: &str, statistic: &str| {
        let dimensions = json!([
            { "Name": "FilterId", "Value": "all" },
            { "Name": "BucketName", "Value": "photos" },
        ]);
        let input = json!({
            "Namespace": "AWS/S3", "MetricName": metric, "Dimensions": dimensions,
            "StartTime": world.clock().now().secs(), "EndTime": world.clock().now().secs() + 60,
            "Period": 60, "Statistics": [statistic],
        });
        let output = world.call("cloudwatch:GetMetricStatistics", input).await.expect("told");
        output["Datapoints"][0][statistic].as_f64()
    };
    assert_eq!(told("AllRequests", "Sum").await, Some(3.0));
    assert_eq!(told("GetRequests", "Sum").await, Some(3.0));
    assert_eq!(told("4xxErrors", "Average").await, Some(1.0));
    assert_eq!(told("5xxErrors", "Average").await, Some(0.0));
    assert_eq!(told("TotalRequestLatency", "SampleCount").await, Some(3.0));
    assert_eq!(told("PutRequests", "Sum").await, None);
}

#[tokio::test]
async fn objects_and_bytes_are_counted_once_a_day() {
    let world = public().await;
    let count = async || {
        world.round(&crate::SERVICE, super::super::storage_metrics::COUNT).await;
        let (gathered, _) = world.cloud().measures().take();
        let of = |it: &Gathered| {
            let kind = &it.source.dimensions[1].1;
            let told = it.summaries.iter();
            let told = told.map(|((metric, _), summary)| format!("{metric} {}", summary.sum()));
            format!("{} {kind}: {}", it.minute_secs, told.collect::<Vec<_>>().join(", "))
        };
        gathered.iter().map(of).collect::<Vec<_>>().join("\n")
    };
    world.cloud().measures().take();
    put(&world, "a", "12345".to_owned()).await;
    let versioning = json!({ "VersioningConfiguration": { "Status": "Enabled" } });
    call(&world, "PutBucketVersioning", versioning).await.expect("versioned");
    put(&world, "a", "123".to_owned()).await;
    call(&world, "DeleteObject", json!({ "Key": "a" })).await.expect("a marker");
    let input = json!({ "Key": "b", "StorageClass": "GLACIER" });
    super::send(&world, "PutObject", input, "12".to_owned()).await.expect("written");
    let mut seen = vec![count().await, count().await];
    world.clock().advance(24 * 3600 * 1000);
    seen.push(count().await);
    fogbank_testkit::expect![[r#"
        1767225600 AllStorageTypes: NumberOfObjects 4
        1767225600 GlacierStorage: BucketSizeBytes 2
        1767225600 StandardStorage: BucketSizeBytes 8
        --

        --
        1767312000 AllStorageTypes: NumberOfObjects 4
        1767312000 GlacierStorage: BucketSizeBytes 2
        1767312000 StandardStorage: BucketSizeBytes 8"#]]
    .assert_eq(&seen.join("\n--\n"));
}
