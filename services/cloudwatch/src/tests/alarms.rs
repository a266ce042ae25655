//! Alarms: their states, what they do, who hears of it.

use fogbank_core::Service;
use fogbank_testkit::{Value, World, expect, json};

use super::{DAY, MINUTE, SERVICES, put};

static WITH_OTHERS: &[&Service] =
    &[&crate::SERVICE, &fogbank_events::SERVICE, &fogbank_sns::SERVICE, &fogbank_sqs::SERVICE];

/// An alarm on `Load` of `App` above 10, with changes.
async fn alarm(world: &World, name: &str, more: Value) -> String {
    let mut input = json!({
        "AlarmName": name, "Namespace": "App", "MetricName": "Load", "Statistic": "Average", "Period": 60,
        "EvaluationPeriods": 1, "Threshold": 10.0, "ComparisonOperator": "GreaterThanThreshold",
    });
    for (name, value) in more.as_object().expect("members") {
        match value.is_null() {
            true => drop(input.as_object_mut().expect("members").remove(name)),
            false => input[name] = value.clone(),
        }
    }
    match world.call("cloudwatch:PutMetricAlarm", input).await {
        Ok(_) => "made".to_owned(),
        Err(fault) => fault.to_string(),
    }
}

/// Evaluates all alarms, then tells the state and the reason of one.
async fn state(world: &World, name: &str) -> String {
    world.round(&crate::SERVICE, crate::tasks::ALARMS).await;
    let input = json!({ "AlarmNames": [name], "AlarmTypes": ["MetricAlarm", "CompositeAlarm"] });
    let output = world.call("cloudwatch:DescribeAlarms", input).await.expect("alarms");
    let of = |kind: &str| output[kind].as_array().cloned().unwrap_or_default();
    let all = [of("MetricAlarms"), of("CompositeAlarms")].concat();
    let [alarm] = &all[..] else { return format!("{} alarms", all.len()) };
    format!(
        "{}: {}",
        alarm["StateValue"].as_str().expect("a state"),
        alarm["StateReason"].as_str().expect("a reason")
    )
}

async fn load(world: &World, value: f64) {
    put(world, json!([{ "MetricName": "Load", "Value": value }])).await;
    world.clock().advance(MINUTE * 1000);
}

#[tokio::test]
async fn an_alarm_follows_its_metric() {
    let world = World::new(SERVICES);
    assert_eq!(alarm(&world, "high", json!({})).await, "made");
    let mut seen = vec![state(&world, "high").await];
    for value in [12.5, 3.0] {
        load(&world, value).await;
        seen.push(state(&world, "high").await);
    }
    world.clock().advance(DAY * 1000);
    seen.push(state(&world, "high").await);
    expect![[r#"
        INSUFFICIENT_DATA: Unchecked: Initial alarm creation
        ALARM: Threshold Crossed: 1 out of the last 1 datapoints [12.5 (01/01/26 00:00:00)] was greater than the threshold (10.0) (minimum 1 datapoint for OK -> ALARM transition).
        OK: Threshold Crossed: 1 out of the last 1 datapoints [3.0 (01/01/26 00:01:00)] was not greater than the threshold (10.0) (minimum 1 datapoint for ALARM -> OK transition).
        INSUFFICIENT_DATA: Insufficient Data: 1 datapoint was unknown."#]].assert_eq(&seen.join("\n"));
    let history = json!({ "AlarmName": "high", "HistoryItemType": "StateUpdate", "ScanBy": "TimestampAscending" });
    let output = world.call("cloudwatch:DescribeAlarmHistory", history).await.expect("history");
    let items = output["AlarmHistoryItems"].as_array().expect("items").iter();
    let summaries: Vec<&str> = items.filter_map(|item| item["HistorySummary"].as_str()).collect();
    expect![[r#"
        Alarm updated from INSUFFICIENT_DATA to ALARM
        Alarm updated from ALARM to OK
        Alarm updated from OK to INSUFFICIENT_DATA"#]]
    .assert_eq(&summaries.join("\n"));
}

#[tokio::test]
async fn some_of_some_periods_and_missing_ones() {
    let world = World::new(SERVICES);
    let more = json!({ "EvaluationPeriods": 3, "DatapointsToAlarm": 2, "TreatMissingData": "notBreaching" });
    assert_eq!(alarm(&world, "some", more).await, "made");
    let mut seen = vec![state(&world, "some").await];
    for value in [12.5, 3.0, 14.0] {
        load(&world, value).await;
        seen.push(state(&world, "some").await);
    }
    expect![[r#"
        OK: Threshold Crossed: no datapoints were received for 3 periods and 3 missing datapoints were treated as [NonBreaching].
        OK: Threshold Crossed: no datapoints were received for 3 periods and 3 missing datapoints were treated as [NonBreaching].
        OK: Threshold Crossed: no datapoints were received for 3 periods and 3 missing datapoints were treated as [NonBreaching].
        ALARM: Threshold Crossed: 2 out of the last 3 datapoints [14.0 (01/01/26 00:02:00), 12.5 (01/01/26 00:00:00)] were greater than the threshold (10.0) (minimum 2 datapoints for OK -> ALARM transition)."#]].assert_eq(&seen.join("\n"));
}

#[tokio::test]
async fn an_alarm_watches_an_expression() {
    let world = World::new(SERVICES);
    let metric = json!({ "Namespace": "App", "MetricName": "Load" });
    let metrics = json!([
        { "Id": "m1", "MetricStat": { "Metric": metric, "Period": 60, "Stat": "p90" }, "ReturnData": false },
        { "Id": "twice", "Expression": "FILL(m1, 0) * 2" },
    ]);
    let more = json!({
        "Metrics": metrics, "Namespace": null, "MetricName": null, "Statistic": null, "Period": null,
    });
    assert_eq!(alarm(&world, "twice", more).await, "made");
    load(&world, 6.0).await;
    expect!["ALARM: Threshold Crossed: 1 out of the last 1 datapoints [12.0 (01/01/26 00:00:00)] was greater than the threshold (10.0) (minimum 1 datapoint for OK -> ALARM transition)."].assert_eq(&state(&world, "twice").await);
}

#[tokio::test]
async fn a_composite_alarm_follows_others() {
    let world = World::new(SERVICES);
    alarm(&world, "high", json!({})).await;
    alarm(&world, "higher", json!({ "Threshold": 100.0 })).await;
    let rule = |rule: &str| json!({ "AlarmName": "both", "AlarmRule": rule });
    let put = async |input| world.call("cloudwatch:PutCompositeAlarm", input).await;
    for wrong in ["ALARM(nobody)", "ALARM(both)", "ALARM(high"] {
        put(rule(wrong)).await.expect_err(wrong);
    }
    put(rule("ALARM(high) AND NOT ALARM(\"higher\")")).await.expect("made");
    let mut seen = vec![state(&world, "both").await];
    for value in [50.0, 500.0] {
        load(&world, value).await;
        seen.push(state(&world, "both").await);
    }
    expect![[r#"
        OK: arn:aws:cloudwatch:us-east-1:000000000000:alarm:higher transitioned to INSUFFICIENT_DATA at Thursday 01 January, 2026 00:00:00 UTC
        ALARM: arn:aws:cloudwatch:us-east-1:000000000000:alarm:high transitioned to ALARM at Thursday 01 January, 2026 00:01:00 UTC
        OK: arn:aws:cloudwatch:us-east-1:000000000000:alarm:higher transitioned to ALARM at Thursday 01 January, 2026 00:02:00 UTC"#]].assert_eq(&seen.join("\n"));
    let children = json!({ "ChildrenOfAlarmName": "both" });
    let output = world.call("cloudwatch:DescribeAlarms", children).await.expect("alarms");
    assert_eq!(output["MetricAlarms"].as_array().map(Vec::len), Some(2));
}

#[tokio::test]
async fn topics_and_buses_hear_of_a_change() {
    let world = World::new(WITH_OTHERS);
    let _background = world.background();
    let call = async |action: &str, input: Value| world.call(action, input).await.expect(action);
    let queue = call("sqs:CreateQueue", json!({ "QueueName": "q" })).await["QueueUrl"].clone();
    let queue_arn = "arn:aws:sqs:us-east-1:000000000000:q";
    let policy = json!({ "Version": "2012-10-17", "Statement": [{
        "Effect": "Allow", "Principal": "*", "Action": "sqs:SendMessage", "Resource": queue_arn,
    }] });
    let attributes = json!({ "QueueUrl": queue, "Attributes": { "Policy": policy.to_string() } });
    call("sqs:SetQueueAttributes", attributes).await;
    let topic = call("sns:CreateTopic", json!({ "Name": "t" })).await["TopicArn"].clone();
    call("sns:Subscribe", json!({ "TopicArn": topic, "Protocol": "sqs", "Endpoint": queue_arn }))
        .await;
    let pattern =
        json!({ "source": ["aws.cloudwatch"], "detail": { "state": { "value": ["ALARM"] } } });
    call("events:PutRule", json!({ "Name": "r", "EventPattern": pattern.to_string() })).await;
    call("events:PutTargets", json!({ "Rule": "r", "Targets": [{ "Id": "1", "Arn": queue_arn }] }))
        .await;
    alarm(&world, "high", json!({ "AlarmActions": [topic], "AlarmDescription": "Too much" })).await;
    let set = json!({ "AlarmName": "high", "StateValue": "ALARM", "StateReason": "a test" });
    call("cloudwatch:SetAlarmState", set).await;
    let mut bodies = Vec::new();
    while bodies.len() < 2 {
        let input = json!({ "QueueUrl": queue, "WaitTimeSeconds": 5, "MaxNumberOfMessages": 10 });
        let output = call("sqs:ReceiveMessage", input).await;
        let messages = output["Messages"].as_array().cloned().unwrap_or_default();
        assert!(!messages.is_empty(), "nobody heard of it: {bodies:?}");
        for message in messages {
            let body = message["Body"].as_str().expect("a body").to_owned();
            bodies.push(serde_json::from_str::<Value>(&body).expect("JSON"));
        }
    }
    let event = bodies.iter().find(|body| body["detail-type"].is_string()).expect("an event");
    assert_eq!(event["detail-type"], "CloudWatch Alarm State Change");
    assert_eq!(event["source"], "aws.cloudwatch");
    assert_eq!(event["detail"]["alarmName"], "high");
    assert_eq!(event["detail"]["previousState"]["value"], "INSUFFICIENT_DATA");
    let notice = bodies.iter().find(|body| body["Type"] == "Notification").expect("a notification");
    assert_eq!(notice["Subject"], "ALARM: \"high\" in US East (N. Virginia)");
    let message: Value =
        serde_json::from_str(notice["Message"].as_str().expect("text")).expect("JSON");
    expect![[r#"
        {
          "AWSAccountId": "000000000000",
          "AlarmActions": [
            "arn:aws:sns:us-east-1:000000000000:t"
          ],
          "AlarmArn": "arn:aws:cloudwatch:us-east-1:000000000000:alarm:high",
          "AlarmConfigurationUpdatedTimestamp": "2026-01-01T00:00:00.000+0000",
          "AlarmDescription": "Too much",
          "AlarmName": "high",
          "InsufficientDataActions": [],
          "NewStateReason": "a test",
          "NewStateValue": "ALARM",
          "OKActions": [],
          "OldStateValue": "INSUFFICIENT_DATA",
          "Region": "US East (N. Virginia)",
          "StateChangeTime": "2026-01-01T00:00:00.000+0000",
          "Trigger": {
            "ComparisonOperator": "GreaterThanThreshold",
            "Dimensions": [],
            "EvaluateLowSampleCountPercentile": "",
            "EvaluationPeriods": 1,
            "MetricName": "Load",
            "Namespace": "App",
            "Period": 60,
            "Statistic": "AVERAGE",
            "StatisticType": "Statistic",
            "Threshold": 10.0,
            "TreatMissingData": "missing",
            "Unit": null
          }
        }"#]]
    .assert_eq(&serde_json::to_string_pretty(&message).expect("JSON"));
}

#[tokio::test]
async fn actions_can_be_switched_off() {
    let world = World::new(WITH_OTHERS);
    let topic = "arn:aws:sns:us-east-1:000000000000:t";
    alarm(&world, "high", json!({ "AlarmActions": [topic] })).await;
    let names = json!({ "AlarmNames": ["high"] });
    let enabled = async || {
        let output = world.call("cloudwatch:DescribeAlarms", names.clone()).await.expect("alarms");
        output["MetricAlarms"][0]["ActionsEnabled"].as_bool()
    };
    assert_eq!(enabled().await, Some(true));
    world.call("cloudwatch:DisableAlarmActions", names.clone()).await.expect("off");
    assert_eq!(enabled().await, Some(false));
    world.call("cloudwatch:EnableAlarmActions", names.clone()).await.expect("on");
    assert_eq!(enabled().await, Some(true));
    world.call("cloudwatch:DeleteAlarms", names.clone()).await.expect("deleted");
    assert_eq!(enabled().await, None);
}

#[tokio::test]
async fn alarms_that_cannot_be_made() {
    let world = World::new(SERVICES);
    let mut seen = Vec::new();
    for more in [
        json!({ "Threshold": null }),
        json!({ "MetricName": null }),
        json!({ "Statistic": null }),
        json!({ "Statistic": null, "ExtendedStatistic": "p500" }),
        json!({ "Period": 45 }),
        json!({ "Period": 3600, "EvaluationPeriods": 200 }),
        json!({ "DatapointsToAlarm": 2 }),
        json!({ "TreatMissingData": "guess" }),
        json!({ "AlarmActions": ["me"] }),
        json!({ "AlarmActions": ["arn:aws:automate:us-east-1:ec2:stop"] }),
        json!({ "AlarmActions": ["arn:aws:sns:eu-west-1:000000000000:t"] }),
        json!({ "Metrics": [] }),
        json!({ "ThresholdMetricId": "ad1" }),
        json!({ "ComparisonOperator": "GreaterThanUpperThreshold" }),
    ] {
        seen.push(alarm(&world, "wrong", more).await);
    }
    expect![[r#"
        MissingRequiredParameterException: The parameter Threshold is required.
        MissingRequiredParameterException: The parameter MetricName is required.
        ValidationException: Exactly one of Statistic and ExtendedStatistic must be specified.
        ValidationException: The value p500 for parameter ExtendedStatistic is not supported.
        ValidationException: Period must be 10, 20, 30 or a multiple of 60.
        ValidationException: Metrics cannot be checked across more than seven days (EvaluationPeriods * Period must be <= 604800).
        ValidationException: DatapointsToAlarm must be between 1 and EvaluationPeriods.
        ValidationException: The value guess for parameter TreatMissingData is not supported. Valid values are breaching, notBreaching, ignore, missing.
        ValidationException: Invalid arn syntax: me
        NotImplemented: Fogbank does not implement cloudwatch:PutMetricAlarm with an action of automate yet; see COMPATIBILITY.md.
        ValidationException: Invalid region eu-west-1 specified. Only us-east-1 is supported.
        ValidationException: Metrics list cannot be specified with MetricName, Namespace, Dimensions, Period, Unit, Statistic or ExtendedStatistic.
        NotImplemented: Fogbank does not implement cloudwatch:PutMetricAlarm with ThresholdMetricId (anomaly detection) yet; see COMPATIBILITY.md.
        NotImplemented: Fogbank does not implement cloudwatch:PutMetricAlarm with a comparison with a band (anomaly detection) yet; see COMPATIBILITY.md."#]].assert_eq(&seen.join("\n"));
    world
        .check(
            "cloudwatch:SetAlarmState",
            json!({
                "AlarmName": "nobody", "StateValue": "OK", "StateReason": "because",
            }),
            expect!["ResourceNotFound: Could not find alarm with name: nobody"],
        )
        .await;
}

#[tokio::test]
async fn alarms_have_pages_and_metrics_their_alarms() {
    let world = World::new(SERVICES);
    for name in ["a1", "a2", "a3", "b1"] {
        alarm(&world, name, json!({ "Tags": [{ "Key": "k", "Value": name }] })).await;
    }
    let list = async |input: Value| {
        let output = world.call("cloudwatch:DescribeAlarms", input).await.expect("alarms");
        let names = output["MetricAlarms"].as_array().expect("alarms").iter();
        let names: Vec<String> =
            names.map(|it| it["AlarmName"].as_str().expect("a name").to_owned()).collect();
        (names, output["NextToken"].clone())
    };
    let (names, token) = list(json!({ "AlarmNamePrefix": "a", "MaxRecords": 2 })).await;
    assert_eq!(names, ["a1", "a2"]);
    let (names, token) =
        list(json!({ "AlarmNamePrefix": "a", "MaxRecords": 2, "NextToken": token })).await;
    assert_eq!((names, token), (vec!["a3".to_owned()], Value::Null));
    assert_eq!(list(json!({ "StateValue": "OK" })).await.0, Vec::<String>::new());
    let of = json!({ "Namespace": "App", "MetricName": "Load" });
    let output = world.call("cloudwatch:DescribeAlarmsForMetric", of).await.expect("alarms");
    assert_eq!(output["MetricAlarms"].as_array().map(Vec::len), Some(4));
    let arn = json!({ "ResourceARN": "arn:aws:cloudwatch:us-east-1:000000000000:alarm:a2" });
    let output = world.call("cloudwatch:ListTagsForResource", arn).await.expect("tags");
    assert_eq!(output["Tags"], json!([{ "Key": "k", "Value": "a2" }]));
    let output = world.call("cloudwatch:DescribeAlarmHistory", json!({ "MaxRecords": 3 })).await;
    let output = output.expect("history");
    assert_eq!(output["AlarmHistoryItems"].as_array().map(Vec::len), Some(3));
    let next = json!({ "MaxRecords": 3, "NextToken": output["NextToken"] });
    let output = world.call("cloudwatch:DescribeAlarmHistory", next).await.expect("history");
    assert_eq!(output["AlarmHistoryItems"].as_array().map(Vec::len), Some(1));
    assert_eq!(output["NextToken"], Value::Null);
}
