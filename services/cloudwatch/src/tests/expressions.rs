//! Queries and expressions over them.

use fogbank_testkit::{Value, World, expect, json};

use super::{MINUTE, NOW, SERVICES, put};

async fn world() -> World {
    let world = World::new(SERVICES);
    let of = |host: &str, value: f64, ago: i64| {
        json!({ "MetricName": "Errors", "Value": value, "Timestamp": NOW - ago * MINUTE,
                "Dimensions": [{ "Name": "Host", "Value": host }] })
    };
    put(
        &world,
        json!([of("one", 1.0, 3), of("one", 2.0, 1), of("two", 10.0, 3), of("two", 20.0, 2)]),
    )
    .await;
    world
}

fn stat(id: &str, host: &str) -> Value {
    let metric = json!({ "Namespace": "App", "MetricName": "Errors",
                         "Dimensions": [{ "Name": "Host", "Value": host }] });
    json!({ "Id": id, "MetricStat": { "Metric": metric, "Period": 60, "Stat": "Sum" }, "ReturnData": false })
}

/// The results as `id label: values`, newest first.
async fn results(world: &World, queries: Value) -> String {
    let input =
        json!({ "MetricDataQueries": queries, "StartTime": NOW - 5 * MINUTE, "EndTime": NOW });
    let output = match world.call("cloudwatch:GetMetricData", input).await {
        Ok(output) => output,
        Err(fault) => return fault.to_string(),
    };
    let results = output["MetricDataResults"].as_array().expect("results").iter().map(|result| {
        let at = |time: &Value| time.as_f64().expect("a time") as i64 - NOW;
        let times = result["Timestamps"].as_array().expect("times").iter().map(at);
        let values = result["Values"].as_array().expect("values").iter();
        let points: Vec<_> =
            times.zip(values).map(|(time, value)| format!("{time}: {value}")).collect();
        let (id, label) =
            (result["Id"].as_str().expect("id"), result["Label"].as_str().expect("label"));
        format!("{id} {label:?} {}", points.join(", "))
    });
    results.collect::<Vec<_>>().join("\n")
}

#[tokio::test]
async fn metrics_and_expressions_are_answered() {
    let world = world().await;
    let mut shown = stat("m1", "one");
    shown["ReturnData"] = json!(true);
    let queries = json!([
        { "Id": "twice", "Expression": "sum * 2", "Label": "Twice of ${LABEL}, at most ${MAX}" },
        { "Id": "sum", "Expression": "SUM(METRICS())" },
        shown,
        stat("m2", "two"),
        { "Id": "filled", "Expression": "FILL(m1, 0)", "Label": "Filled" },
        { "Id": "found", "Expression": "SEARCH('{App,Host} errors', 'Maximum', 300)" },
    ]);
    expect![[r#"
        twice "Twice of twice, at most 40" -60: 4.0, -120: 40.0, -180: 22.0
        sum "sum" -60: 2.0, -120: 20.0, -180: 11.0
        m1 "Errors" -60: 2.0, -180: 1.0
        filled "Filled" -60: 2.0, -120: 0.0, -180: 1.0, -240: 0.0, -300: 0.0
        found "one" -300: 2.0
        found "two" -300: 20.0"#]]
    .assert_eq(&results(&world, queries).await);
}

#[tokio::test]
async fn queries_that_cannot_be_answered() {
    let world = world().await;
    let mut seen = Vec::new();
    let mut both = stat("m1", "one");
    both["Period"] = json!(60);
    let mut no_statistic = stat("m1", "one");
    no_statistic["MetricStat"]["Stat"] = json!("p101");
    for queries in [
        json!([]),
        json!([stat("M1", "one")]),
        json!([stat("m1", "one"), stat("m1", "two")]),
        json!([both]),
        json!([no_statistic]),
        json!([{ "Id": "e1" }]),
        json!([{ "Id": "e1", "Expression": "m9 * 2" }]),
        json!([{ "Id": "e1", "Expression": "e2" }, { "Id": "e2", "Expression": "e1" }]),
        json!([stat("m1", "one"), { "Id": "e1", "Expression": "SUM(m1)" }]),
        json!([stat("m1", "one"), { "Id": "e1", "Expression": "ANOMALY_DETECTION_BAND(m1, 2)" }]),
        json!([{ "Id": "e1", "Expression": "SELECT AVG(Errors) FROM App" }]),
        json!([{ "Id": "e1", "Expression": "m1 +" }]),
    ] {
        seen.push(results(&world, queries).await);
    }
    expect![[r#"
        ValidationException: The parameter MetricDataQueries is required.
        ValidationException: The value M1 for parameter MetricDataQueries.member.1.Id is not matching the expected pattern ^[a-z][a-zA-Z0-9_]*$.
        ValidationException: The values for parameter id in MetricDataQueries are not unique.
        ValidationException: The parameters MetricDataQueries.member.1.Period and MetricDataQueries.member.1.MetricStat are mutually exclusive and you have specified both.
        ValidationException: The value p101 for parameter MetricDataQueries.member.1.MetricStat.Stat is not supported.
        ValidationException: Either MetricDataQueries.member.1.Expression or MetricDataQueries.member.1.MetricStat must be specified.
        ValidationException: Error in expression 'e1' [Unknown identifier 'm9']
        ValidationException: Error in expression 'e1' [It refers to itself]
        ValidationException: Error in expression 'e1' [It is worth a number; what is returned must be time series]
        ValidationException: Error in expression 'e1' [Fogbank does not implement the function ANOMALY_DETECTION_BAND yet]
        ValidationException: Error in expression 'e1' [Fogbank does not implement queries of Metrics Insights yet]
        ValidationException: Error in expression 'e1' [Unexpected end of the expression]"#]].assert_eq(&seen.join("\n"));
}

#[tokio::test]
async fn answers_come_in_pages() {
    let world = world().await;
    let mut queries = [stat("m1", "one"), stat("m2", "two")];
    queries.iter_mut().for_each(|query| query["ReturnData"] = json!(true));
    let (mut pages, mut token) = (Vec::new(), None::<String>);
    loop {
        let mut input = json!({
            "MetricDataQueries": queries, "StartTime": NOW - 5 * MINUTE, "EndTime": NOW,
            "MaxDatapoints": 1, "ScanBy": "TimestampAscending",
        });
        if let Some(token) = &token {
            input["NextToken"] = json!(token);
        }
        let output = world.call("cloudwatch:GetMetricData", input).await.expect("a page");
        for result in output["MetricDataResults"].as_array().expect("results") {
            pages.push(format!("{} {} {}", result["Id"], result["Values"], result["StatusCode"]));
        }
        match output["NextToken"].as_str() {
            Some(next) => token = Some(next.to_owned()),
            None => break,
        }
    }
    expect![[r#"
        "m1" [1.0] "PartialData"
        "m1" [2.0] "Complete"
        "m2" [10.0] "PartialData"
        "m2" [20.0] "Complete""#]]
    .assert_eq(&pages.join("\n"));
}
