//! Expressions over small series.

use super::*;

/// A series of a minute's period from time 0 on; what is no number is a gap.
fn series(label: &str, values: &[f64]) -> Series {
    let values_at = values.iter().enumerate().map(|(place, value)| (place as i64 * 60, *value));
    let end = values.len() as i64 * 60;
    let values = values_at.filter(|(_, value)| value.is_finite()).collect();
    Series { label: label.to_owned(), values, start: 0, end, period: 60 }
}

const GAP: f64 = f64::NAN;

fn reckon(text: &str) -> Result<Value, String> {
    let metrics = [
        ("m1", series("m1", &[1.0, 2.0, GAP, 4.0])),
        ("m2", series("m2", &[10.0, 0.0, 30.0, 40.0])),
        ("errors", series("errors", &[GAP, GAP, GAP, GAP])),
    ]
    .map(|(id, series)| (id.to_owned(), series));
    let known = metrics.iter().map(|(id, it)| (id.clone(), Value::Series(it.clone()))).collect();
    let search = |_: &str, _: &str, _: i64| Ok(vec![series("found", &[5.0; 4])]);
    let context = Context {
        known: &known,
        metrics: &metrics,
        search: &search,
        start: 0,
        end: 240,
        period: 60,
    };
    evaluate(&parse(text)?, &context)
}

/// What an expression gives, as text: gaps are left out.
fn shown(text: &str) -> String {
    let one = |series: &Series| {
        let values = series.values.iter().map(|(time, value)| format!("{}:{value}", time / 60));
        values.collect::<Vec<_>>().join(" ")
    };
    match reckon(text) {
        Ok(Value::Scalar(scalar)) => scalar.to_string(),
        Ok(Value::Series(series)) => one(&series),
        Ok(Value::Array(all)) => {
            format!("[{}]", all.iter().map(one).collect::<Vec<_>>().join(", "))
        }
        Err(why) => format!("! {why}"),
    }
}

#[test]
fn arithmetic_and_comparisons() {
    for (text, expected) in [
        ("1 + 2 * 3 ^ 2 - 4 / 2", "17"),
        ("-(1 + 2) * 2", "-6"),
        ("1e3 + .5", "1000.5"),
        ("m1 + 1", "0:2 1:3 3:5"),
        ("m1 + m2", "0:11 1:2 3:44"),
        ("100 * m1 / m2", "0:10 3:10"),
        ("m1 > 1 AND m2 >= 40", "0:0 1:0 3:1"),
        ("m1 == 1 || m1 == 2", "0:1 1:1 3:0"),
        ("!(m1 > 1)", "0:1 1:0 3:0"),
        ("[m1, m2] * 2", "[0:2 1:4 3:8, 0:20 1:0 2:60 3:80]"),
    ] {
        assert_eq!(shown(text), expected, "{text}");
    }
}

#[test]
fn functions() {
    for (text, expected) in [
        ("SUM(m1)", "7"),
        ("AVG(m2)", "20"),
        ("SUM([m1, m2])", "0:11 1:2 2:30 3:44"),
        ("MAX(METRICS())", "0:10 1:2 2:30 3:40"),
        ("SUM(METRICS(\"m1\"))", "0:1 1:2 3:4"),
        ("STDDEV([m1, m2])", "0:4.5 1:1 2:0 3:18"),
        ("RATE(m2)", "1:-0.16666666666666666 2:0.5 3:0.16666666666666666"),
        ("DIFF(m1)", "1:1 3:2"),
        ("DIFF_TIME(m1)", "1:60 3:120"),
        ("RUNNING_SUM(m1)", "0:1 1:3 3:7"),
        ("FILL(m1, 0)", "0:1 1:2 2:0 3:4"),
        ("FILL(m1, REPEAT)", "0:1 1:2 2:2 3:4"),
        ("FILL(m1, LINEAR)", "0:1 1:2 2:3 3:4"),
        ("FILL(errors, 0)", "0:0 1:0 2:0 3:0"),
        ("METRIC_COUNT(METRICS())", "3"),
        ("METRIC_COUNT(REMOVE_EMPTY(METRICS()))", "2"),
        ("SORT(METRICS(), SUM, DESC, 1)", "[0:10 1:0 2:30 3:40]"),
        ("SLICE(METRICS(), 1)", "0:10 1:0 2:30 3:40"),
        ("SLICE(METRICS(), 0, 1)", "[0:1 1:2 3:4]"),
        ("LAST([m2, m1])", "0:1 1:2 3:4"),
        ("IF(m1 > 1, m2, 7)", "0:7 1:0 3:40"),
        ("IF(m1 > 1, m2)", "1:0 3:40"),
        ("IF(1, m1, m2)", "0:1 1:2 3:4"),
        ("PERIOD(m1)", "60"),
        ("MINUTE(m2)", "0:0 1:1 2:2 3:3"),
        ("DAY(m1) + YEAR(m1)", "0:1974 1:1974 3:1974"),
        ("EPOCH(m1)", "0:0 1:60 3:180"),
        ("TIME_SERIES(3)", "0:3 1:3 2:3 3:3"),
        ("CEIL(m1 / 3) + floor(1.5) + ABS(0 - 1)", "0:3 1:3 3:4"),
        ("SUM(SEARCH('{N,D} MetricName=\"x\"', 'Sum', 60))", "0:5 1:5 2:5 3:5"),
    ] {
        assert_eq!(shown(text), expected, "{text}");
    }
}

#[test]
fn what_is_no_expression() {
    for text in [
        "",
        "m1 +",
        "(m1",
        "m1 m2",
        "nobody",
        "SUM()",
        "SUM(m1, m2)",
        "[1]",
        "[m1] + [m2]",
        "'text'",
        "NOSUCH(m1)",
        "ANOMALY_DETECTION_BAND(m1)",
        "FILL(1, 2)",
        "IF(m1)",
        "\"open",
        "1..2",
        "ü",
        "SLICE(METRICS(), 9)",
        "FIRST(METRICS('none'))",
        "PERIOD(METRICS())",
    ] {
        assert!(shown(text).starts_with('!'), "{text}: {}", shown(text));
    }
    for deep in ["(".repeat(1000), "-".repeat(1000), "SUM(".repeat(1000), "1+(".repeat(600)] {
        assert!(parse(&deep).is_err());
    }
}

#[test]
fn what_an_expression_names() {
    let expr = parse("SUM([m1, m2]) / FILL(e1, REPEAT) + METRICS('x')").expect("an expression");
    assert_eq!(ids(&expr), ["m1", "m2", "e1", "REPEAT"]);
}
