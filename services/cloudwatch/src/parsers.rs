//! What reads texts that clients send, for those who try it with arbitrary ones.

use std::collections::BTreeMap;

use crate::model::StateValue;
use crate::rules::composite::Rule;
use crate::rules::expression::{Context, Series, Value, evaluate, parse};
use crate::rules::search::{Candidate, Search};
use crate::rules::statistics::Statistic;

/// Reads a text as everything that a text may be here, and uses what it is.
pub fn read(text: &str) {
    if let Ok(expression) = parse(text) {
        let values = (0..5).map(|minute| (minute * 60, minute as f64 - 2.0)).collect();
        let series = Series { label: "m".to_owned(), values, start: 0, end: 300, period: 60 };
        let metrics = vec![("m1".to_owned(), series.clone())];
        let known = BTreeMap::from([
            ("m1".to_owned(), Value::Series(series.clone())),
            ("e1".to_owned(), Value::Scalar(2.5)),
        ]);
        let search = |_: &str, _: &str, _: i64| Ok(vec![series.clone(), series.clone()]);
        let context = Context {
            known: &known,
            metrics: &metrics,
            search: &search,
            start: 0,
            end: 300,
            period: 60,
        };
        let _ = evaluate(&expression, &context);
    }
    if let Ok(rule) = Rule::parse(text) {
        let _ = rule.alarms();
        let _ = rule.holds(&|name| if name.len() > 2 { StateValue::Alarm } else { StateValue::Ok });
    }
    if let Ok(search) = Search::parse(text) {
        let dimensions = vec![("InstanceId", "i-1"), ("Zone", "a")];
        let _ =
            search.finds(&Candidate { namespace: "AWS/EC2", name: "CPUUtilization", dimensions });
    }
    let _ = (Statistic::parse(text), Statistic::parse_extended(text));
}
