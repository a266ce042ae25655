//! Publishing, listing, statistics.

use fogbank_testkit::{World, expect, json};

use super::{DAY, HOUR, MINUTE, NOW, SERVICES, put, told};

#[tokio::test]
async fn values_are_summed_up_by_period() {
    let world = World::new(SERVICES);
    put(&world, json!([
        { "MetricName": "Load", "Value": 1.5, "Timestamp": NOW - 130, "Unit": "Count" },
        { "MetricName": "Load", "Value": 2.5, "Timestamp": NOW - 125, "Unit": "Count" },
        { "MetricName": "Load", "Values": [1.0, 5.0], "Counts": [3.0, 1.0], "Timestamp": NOW - 60 },
        { "MetricName": "Load", "StatisticValues":
            { "SampleCount": 2.0, "Sum": 7.0, "Minimum": 3.0, "Maximum": 4.0 } },
    ])).await;
    let span = (NOW - 600, NOW + 60);
    assert_eq!(told(&world, "Load", "Sum", span, 60).await, "-180: 4.0, -60: 8.0, 0: 7.0");
    assert_eq!(
        told(&world, "Load", "SampleCount", span, 300).await,
        "-300: 2.0, -300: 4.0, 0: 2.0"
    );
    assert_eq!(told(&world, "Load", "Maximum", span, 60).await, "-180: 2.5, -60: 5.0, 0: 4.0");
    assert_eq!(told(&world, "Load", "p50", span, 60).await, "-180: 1.5, -60: 1.0");
    world
        .check(
            "cloudwatch:GetMetricStatistics",
            json!({
                "Namespace": "App", "MetricName": "Load", "Period": 60, "Unit": "Count",
                "Statistics": ["Average", "Minimum"], "StartTime": NOW - 200, "EndTime": NOW,
            }),
            expect![[r#"
                {
                  "Datapoints": [
                    {
                      "Average": 2.0,
                      "Minimum": 1.5,
                      "Timestamp": 1767225420,
                      "Unit": "Count"
                    }
                  ],
                  "Label": "Load"
                }"#]],
        )
        .await;
}

#[tokio::test]
async fn periods_begin_at_the_start_of_the_request() {
    let world = World::new(SERVICES);
    put(
        &world,
        json!([
            { "MetricName": "Load", "Value": 1.0, "Timestamp": NOW - 10 * MINUTE },
            { "MetricName": "Load", "Value": 2.0, "Timestamp": NOW - 6 * MINUTE },
        ]),
    )
    .await;
    let span = (NOW - 11 * MINUTE + 5, NOW);
    assert_eq!(told(&world, "Load", "Sum", span, 300).await, "-660: 1.0, -360: 2.0");
    // The end does not belong to it.
    let span = (NOW - 10 * MINUTE, NOW - 6 * MINUTE);
    assert_eq!(told(&world, "Load", "Sum", span, 60).await, "-600: 1.0");
}

#[tokio::test]
async fn high_resolution_is_told_by_the_second() {
    let world = World::new(SERVICES);
    put(
        &world,
        json!([
            { "MetricName": "Fast", "Value": 1.0, "Timestamp": NOW - 3, "StorageResolution": 1 },
            { "MetricName": "Fast", "Value": 2.0, "Timestamp": NOW - 2, "StorageResolution": 1 },
            { "MetricName": "Slow", "Value": 3.0, "Timestamp": NOW - 3 },
        ]),
    )
    .await;
    let span = (NOW - 60, NOW);
    assert_eq!(told(&world, "Fast", "Sum", span, 1).await, "-3: 1.0, -2: 2.0");
    assert_eq!(told(&world, "Fast", "Sum", span, 10).await, "-10: 3.0");
    assert_eq!(told(&world, "Fast", "Sum", span, 60).await, "-60: 3.0");
    assert_eq!(told(&world, "Slow", "Sum", span, 1).await, "");
    assert_eq!(told(&world, "Slow", "Sum", span, 60).await, "-60: 3.0");
}

#[tokio::test]
async fn what_cannot_be_published() {
    let world = World::new(SERVICES);
    let put = |data| json!({ "Namespace": "App", "MetricData": data });
    let mut seen = Vec::new();
    for input in [
        json!({ "Namespace": "AWS/S3", "MetricData": [{ "MetricName": "A", "Value": 1.0 }] }),
        json!({ "Namespace": ":App", "MetricData": [{ "MetricName": "A", "Value": 1.0 }] }),
        json!({ "Namespace": "App" }),
        put(json!([{ "MetricName": "A" }])),
        put(json!([{ "MetricName": "A", "Value": 1.0, "Values": [1.0] }])),
        put(json!([{ "MetricName": "A", "Values": [1.0, 2.0], "Counts": [1.0] }])),
        put(json!([{ "MetricName": "A", "Value": 1e300 }])),
        put(json!([{ "MetricName": "A", "Value": 1.0, "StorageResolution": 2 }])),
        put(json!([{ "MetricName": "A", "Value": 1.0, "Timestamp": NOW - 14 * DAY - 1 },
                   { "MetricName": "A", "Value": 1.0, "Timestamp": NOW + 2 * HOUR + 1 }])),
        put(json!([{ "MetricName": "A", "Value": 1.0, "Unit": "Apples" }])),
        put(
            json!([{ "MetricName": "A", "Value": 1.0, "Dimensions": [{ "Name": ":a", "Value": "b" }] }]),
        ),
        put(json!([{ "MetricName": "A", "StatisticValues":
            { "SampleCount": 1.0, "Sum": 1.0, "Minimum": 2.0, "Maximum": 1.0 } }])),
        put(json!(vec![json!({ "MetricName": "A", "Value": 1.0 }); 1001])),
    ] {
        let fault = world.call("cloudwatch:PutMetricData", input).await.expect_err("refused");
        seen.push(fault.to_string());
    }
    expect![[r#"
        InvalidParameterValueException: The value AWS/S3 for parameter Namespace is invalid.
        ValidationException: 1 validation error detected: Value ':App' at 'namespace' failed to satisfy constraint: Member must satisfy regular expression pattern: [^:].*
        MissingRequiredParameterException: The parameter MetricData is required.
        MissingRequiredParameterException: At least one of the parameters must be specified.
        InvalidParameterCombinationException: The parameters MetricData.member.1.Value and MetricData.member.1.Values are mutually exclusive and you have specified both.
        InvalidParameterValueException: The parameters MetricData.member.1.Values and MetricData.member.1.Counts must be of the same size.
        InvalidParameterValueException: The value 1e300 for parameter MetricData.member.1.Value is invalid.
        InvalidParameterValueException: The value 2 for parameter MetricData.member.1.StorageResolution is invalid.
        InvalidParameterValueException: The parameter MetricData.member.1.Timestamp must specify a time within the past two weeks.
        The parameter MetricData.member.2.Timestamp must specify a time no more than two hours in the future.
        ValidationException: 1 validation error detected: Value 'Apples' at 'metricData.1.member.unit' failed to satisfy constraint: Member must satisfy enum value set: [Seconds, Microseconds, Milliseconds, Bytes, Kilobytes, Megabytes, Gigabytes, Terabytes, Bits, Kilobits, Megabits, Gigabits, Terabits, Percent, Count, Bytes/Second, Kilobytes/Second, Megabytes/Second, Gigabytes/Second, Terabytes/Second, Bits/Second, Kilobits/Second, Megabits/Second, Gigabits/Second, Terabits/Second, Count/Second, None]
        InvalidParameterValueException: The value :a for parameter MetricData.member.1.Dimensions.member.1.Name is invalid.
        InvalidParameterValueException: The parameter MetricData.member.1.StatisticValues.Maximum must be greater than MetricData.member.1.StatisticValues.Minimum.
        InvalidParameterCombinationException: The collection MetricData must not have a size greater than 1000."#]].assert_eq(&seen.join("\n"));
    assert!(world.rows(&crate::SERVICE).is_empty());
}

#[tokio::test]
async fn metrics_are_listed_by_what_they_have() {
    let world = World::new(SERVICES);
    let dimensions =
        |host: &str| json!([{ "Name": "Zone", "Value": "a" }, { "Name": "Host", "Value": host }]);
    put(
        &world,
        json!([
            { "MetricName": "Load", "Value": 1.0, "Dimensions": dimensions("one") },
            { "MetricName": "Load", "Value": 1.0, "Dimensions": dimensions("two") },
            { "MetricName": "Idle", "Value": 1.0 },
        ]),
    )
    .await;
    let filter = json!({ "MetricName": "Load", "Dimensions": [{ "Name": "Host", "Value": "two" }, { "Name": "Zone" }] });
    world
        .check(
            "cloudwatch:ListMetrics",
            filter,
            expect![[r#"
        {
          "Metrics": [
            {
              "Dimensions": [
                {
                  "Name": "Host",
                  "Value": "two"
                },
                {
                  "Name": "Zone",
                  "Value": "a"
                }
              ],
              "MetricName": "Load",
              "Namespace": "App"
            }
          ]
        }"#]],
        )
        .await;
    let count = async |input| {
        let output = world.call("cloudwatch:ListMetrics", input).await.expect("a list");
        output["Metrics"].as_array().expect("metrics").len()
    };
    assert_eq!(count(json!({})).await, 3);
    assert_eq!(count(json!({ "Namespace": "Other" })).await, 0);
    assert_eq!(count(json!({ "Namespace": "App", "RecentlyActive": "PT3H" })).await, 3);
    world.clock().advance(4 * HOUR * 1000);
    assert_eq!(count(json!({ "RecentlyActive": "PT3H" })).await, 0);
    assert_eq!(count(json!({})).await, 3);
    world.clock().advance(14 * DAY * 1000);
    assert_eq!(count(json!({})).await, 0);
}

#[tokio::test]
async fn long_lists_have_pages() {
    let world = World::new(SERVICES);
    for some in 0..2 {
        let datum = |n| json!({ "MetricName": format!("M{:04}", some * 600 + n), "Value": 1.0 });
        put(&world, (0..600).map(datum).collect()).await;
    }
    let (mut names, mut token) = (Vec::new(), None::<String>);
    loop {
        let input = match &token {
            Some(token) => json!({ "NextToken": token }),
            None => json!({}),
        };
        let output = world.call("cloudwatch:ListMetrics", input).await.expect("a page");
        let page = output["Metrics"].as_array().expect("metrics").clone();
        assert!(page.len() <= 500);
        names.extend(page.iter().map(|it| it["MetricName"].as_str().expect("a name").to_owned()));
        match output["NextToken"].as_str() {
            Some(next) => token = Some(next.to_owned()),
            None => break,
        }
    }
    let expected: Vec<String> = (0..1200).map(|n| format!("M{n:04}")).collect();
    assert_eq!(names, expected);
    let wrong = json!({ "NextToken": "zz" });
    world
        .check(
            "cloudwatch:ListMetrics",
            wrong,
            expect![
                "InvalidParameterValueException: The value for parameter NextToken is invalid."
            ],
        )
        .await;
}

#[tokio::test]
async fn statistics_that_cannot_be_asked_for() {
    let world = World::new(SERVICES);
    let mut seen = Vec::new();
    for change in [
        json!({ "Statistics": [] }),
        json!({ "Period": 61 }),
        json!({ "EndTime": NOW }),
        json!({ "EndTime": NOW - 1 }),
        json!({ "EndTime": NOW + DAY + 60 }),
        json!({ "ExtendedStatistics": ["p50"] }),
        json!({ "Statistics": null, "ExtendedStatistics": ["p500"] }),
        json!({ "Statistics": ["Median"] }),
    ] {
        let mut input = json!({
            "Namespace": "App", "MetricName": "A", "Period": 60, "Statistics": ["Sum"],
            "StartTime": NOW, "EndTime": NOW + 60,
        });
        for (name, value) in change.as_object().expect("members") {
            match value.is_null() {
                true => drop(input.as_object_mut().expect("members").remove(name)),
                false => input[name] = value.clone(),
            }
        }
        let fault = world.call("cloudwatch:GetMetricStatistics", input).await.expect_err("refused");
        seen.push(fault.to_string());
    }
    expect![[r#"
        ValidationException: 1 validation error detected: Value '[]' at 'statistics' failed to satisfy constraint: Member must have length greater than or equal to 1
        InvalidParameterValueException: The value 61 for parameter Period is invalid.
        InvalidParameterValueException: The parameter StartTime must not equal parameter EndTime.
        InvalidParameterValueException: The parameter StartTime must be less than the parameter EndTime.
        InvalidParameterCombinationException: You have requested up to 1441 datapoints, which exceeds the limit of 1440. You may reduce the datapoints requested by increasing Period, or decreasing the time range.
        InvalidParameterCombinationException: The parameters Statistics and ExtendedStatistics are mutually exclusive and you have specified both.
        InvalidParameterValueException: The value p500 for parameter ExtendedStatistics.member.1 is invalid.
        ValidationException: 1 validation error detected: Value '[Median]' at 'statistics' failed to satisfy constraint: Member must satisfy constraint: [Member must satisfy enum value set: [SampleCount, Average, Sum, Minimum, Maximum]]"#]].assert_eq(&seen.join("\n"));
}
