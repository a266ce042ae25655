//! Data grows older.

use fogbank_core::measures::Source;
use fogbank_testkit::{World, json};

use super::{DAY, HOUR, MINUTE, NOW, SERVICES, put, told};

async fn roll_up(world: &World) {
    world.round(&crate::SERVICE, "cloudwatch.roll-up").await;
}

#[tokio::test]
async fn data_is_rolled_up_and_removed_in_the_end() {
    let world = World::new(SERVICES);
    for minute in 0..60 {
        put(&world, json!([
            { "MetricName": "Load", "Value": 1.0, "Timestamp": NOW - minute * MINUTE, "StorageResolution": 1 },
        ])).await;
    }
    assert_eq!(world.rows(&crate::SERVICE).len(), 1 + 60 + 60);
    let whole = (NOW - HOUR, NOW + HOUR);
    for (age, rows, by_minute, by_five, by_hour) in [
        (4 * HOUR, 1 + 60, 60, 13, true),
        (16 * DAY, 1 + 13, 0, 13, true),
        (64 * DAY, 1 + 2, 0, 0, true),
        (456 * DAY, 0, 0, 0, false),
    ] {
        let passed = world.clock().now().secs() - NOW;
        world.clock().advance((age - passed) * 1000);
        // What is seen does not depend on whether it was rolled up already.
        for _ in 0..2 {
            let count = async |period| {
                let told = told(&world, "Load", "Sum", whole, period).await;
                told.split(", ").filter(|point| !point.is_empty()).count()
            };
            assert_eq!((count(60).await, count(300).await), (by_minute, by_five), "{age}");
            let expected = if by_hour { "-3600: 59.0, 0: 1.0" } else { "" };
            assert_eq!(told(&world, "Load", "Sum", whole, 3600).await, expected, "{age}");
            roll_up(&world).await;
        }
        assert_eq!(world.rows(&crate::SERVICE).len(), rows, "{age}");
    }
}

#[tokio::test]
async fn what_services_measure_is_written_once_a_minute() {
    let world = World::new(SERVICES);
    let write = async || world.round(&crate::SERVICE, "cloudwatch.measures").await;
    write().await;
    let measures = world.cloud().measures();
    for value in [1.0, 3.0] {
        let source = Source {
            account: fogbank_testkit::ACCOUNT.to_owned(),
            region: fogbank_testkit::REGION.to_owned(),
            namespace: "AWS/S3",
            dimensions: vec![("FilterId", "all".to_owned()), ("BucketName", "photos".to_owned())],
        };
        let now = world.clock().now();
        measures.record(&source, now, [("AllRequests", "Count", value)]);
    }
    write().await;
    write().await;
    let input = json!({
        "Namespace": "AWS/S3", "MetricName": "AllRequests", "Statistics": ["Sum"], "Period": 60,
        "Dimensions": [{ "Name": "BucketName", "Value": "photos" }, { "Name": "FilterId", "Value": "all" }],
        "StartTime": NOW, "EndTime": NOW + 60,
    });
    let output = world.call("cloudwatch:GetMetricStatistics", input).await.expect("statistics");
    assert_eq!(output["Datapoints"][0]["Sum"], 4.0);
    assert_eq!(output["Datapoints"][0]["Unit"], "Count");
}

#[tokio::test]
async fn a_reset_removes_an_account_and_nothing_else() {
    let world = World::new(SERVICES);
    let put = async |account: &str| {
        let input =
            json!({ "Namespace": "App", "MetricData": [{ "MetricName": "A", "Value": 1.0 }] });
        let principal = fogbank_core::Principal::root(account);
        let call = async |operation: &str, input| {
            let action = format!("cloudwatch:{operation}");
            world.call_as(principal.clone(), &action, input).await.expect("done");
        };
        call("PutMetricData", input).await;
        let rule = json!({ "AlarmName": "all", "AlarmRule": "TRUE" });
        call("PutCompositeAlarm", rule).await;
        let body = json!({ "DashboardName": "d", "DashboardBody": "{\"widgets\":[]}" });
        call("PutDashboard", body).await;
    };
    put("111111111111").await;
    let before = world.rows(&crate::SERVICE);
    put("222222222222").await;
    assert_ne!(world.rows(&crate::SERVICE), before);
    world.reset(&crate::SERVICE, Some("222222222222")).await;
    assert_eq!(world.rows(&crate::SERVICE), before);
    world.reset(&crate::SERVICE, None).await;
    assert!(world.rows(&crate::SERVICE).is_empty());
}
