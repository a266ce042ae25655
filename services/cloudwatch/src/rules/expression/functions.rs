//! The functions of metric math.

use std::collections::BTreeMap;

use super::evaluate::{Context, combine, evaluate, map};
use super::parse::Expr;
use super::{Series, Value};

/// Calls a function.
pub(super) fn call(name: &str, arguments: &[Expr], context: &Context<'_>) -> Result<Value, String> {
    match name {
        "METRICS" => return metrics(arguments, context),
        "SEARCH" => return search(arguments, context),
        "IF" => return if_else(arguments, context),
        "FILL" => return fill(arguments, context),
        "SORT" => return sort(arguments, context),
        "SLICE" => return slice(arguments, context),
        _ => {}
    }
    if !is_known(name) {
        return Err(match name {
            "ANOMALY_DETECTION_BAND"
            | "DB_PERF_INSIGHTS"
            | "INSIGHT_RULE_METRIC"
            | "LAMBDA"
            | "SERVICE_QUOTA" => format!("Fogbank does not implement the function {name} yet"),
            _ => format!("Unknown function '{name}'"),
        });
    }
    let [argument] = arguments else {
        return Err(format!("The function {name} takes one argument"));
    };
    let value = evaluate(argument, context)?;
    match name {
        "SUM" | "AVG" | "MIN" | "MAX" | "STDDEV" => Ok(aggregate(name, value)),
        "ABS" => map(value, &f64::abs),
        "CEIL" => map(value, &f64::ceil),
        "FLOOR" => map(value, &f64::floor),
        "LOG" => map(value, &f64::ln),
        "LOG10" => map(value, &f64::log10),
        "TIME_SERIES" => match value {
            Value::Scalar(scalar) => Ok(Value::Series(constant(scalar, context))),
            _ => Err("The function TIME_SERIES takes a number".to_owned()),
        },
        "METRIC_COUNT" | "FIRST" | "LAST" | "REMOVE_EMPTY" => of_array(name, value),
        _ => each(name, value),
    }
}

fn is_known(name: &str) -> bool {
    const NAMES: &[&str] = &[
        "SUM",
        "AVG",
        "MIN",
        "MAX",
        "STDDEV",
        "ABS",
        "CEIL",
        "FLOOR",
        "LOG",
        "LOG10",
        "TIME_SERIES",
        "METRIC_COUNT",
        "FIRST",
        "LAST",
        "REMOVE_EMPTY",
        "PERIOD",
        "RATE",
        "DIFF",
        "DIFF_TIME",
        "RUNNING_SUM",
        "MINUTE",
        "HOUR",
        "DAY",
        "DATE",
        "MONTH",
        "YEAR",
        "EPOCH",
    ];
    NAMES.contains(&name)
}

fn text<'a>(argument: &'a Expr, what: &str) -> Result<&'a str, String> {
    match argument {
        Expr::Text(text) => Ok(text),
        _ => Err(format!("{what} must be a text")),
    }
}

fn word(argument: Option<&Expr>) -> Option<String> {
    match argument {
        Some(Expr::Name(word) | Expr::Text(word)) => Some(word.to_ascii_uppercase()),
        _ => None,
    }
}

fn number(argument: &Expr, context: &Context<'_>, what: &str) -> Result<f64, String> {
    match evaluate(argument, context)? {
        Value::Scalar(number) => Ok(number),
        _ => Err(format!("{what} must be a number")),
    }
}

fn metrics(arguments: &[Expr], context: &Context<'_>) -> Result<Value, String> {
    let part = match arguments {
        [] => "",
        [part] => text(part, "The argument of METRICS")?,
        _ => return Err("The function METRICS takes at most one argument".to_owned()),
    };
    let fitting = context.metrics.iter().filter(|(id, _)| id.contains(part));
    Ok(Value::Array(fitting.map(|(_, series)| series.clone()).collect()))
}

fn search(arguments: &[Expr], context: &Context<'_>) -> Result<Value, String> {
    let (words, statistic, period) = match arguments {
        [words, statistic] => (words, statistic, context.period),
        [words, statistic, period] => {
            let period = number(period, context, "The period of SEARCH")?;
            (words, statistic, period as i64)
        }
        _ => return Err("The function SEARCH takes two or three arguments".to_owned()),
    };
    let words = text(words, "The first argument of SEARCH")?;
    let statistic = text(statistic, "The statistic of SEARCH")?;
    (context.search)(words, statistic, period).map(Value::Array)
}

/// A value at each time of the request.
fn constant(value: f64, context: &Context<'_>) -> Series {
    let (start, end, period) = (context.start, context.end, context.period.max(1));
    let series = Series { start, end, period, ..Series::default() };
    series.with(series.times().map(|time| (time, value)).collect())
}

/// One number of a series; one series of an array, from what its series say at each time.
fn aggregate(name: &str, value: Value) -> Value {
    match value {
        Value::Scalar(scalar) => Value::Scalar(reckon(name, &[scalar])),
        Value::Series(series) => {
            let values: Vec<f64> = series.values.values().copied().collect();
            Value::Scalar(reckon(name, &values))
        }
        Value::Array(all) => {
            let mut at: BTreeMap<i64, Vec<f64>> = BTreeMap::new();
            for (time, value) in all.iter().flat_map(|series| &series.values) {
                at.entry(*time).or_default().push(*value);
            }
            let values = at.iter().map(|(time, values)| (*time, reckon(name, values))).collect();
            let coarsest = all.iter().max_by_key(|series| series.period);
            let first = coarsest.cloned().unwrap_or_default();
            Value::Series(Series { label: String::new(), ..first.with(values) })
        }
    }
}

fn reckon(name: &str, values: &[f64]) -> f64 {
    let sum: f64 = values.iter().sum();
    let count = values.len() as f64;
    match name {
        "SUM" => sum,
        "AVG" => sum / count,
        "MIN" => values.iter().copied().fold(f64::INFINITY, f64::min),
        "MAX" => values.iter().copied().fold(f64::NEG_INFINITY, f64::max),
        _ => {
            let mean = sum / count;
            let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
            (squares / count).sqrt()
        }
    }
}

fn of_array(name: &str, value: Value) -> Result<Value, String> {
    let Value::Array(mut all) = value else {
        return Err(format!("The function {name} takes an array of time series"));
    };
    match name {
        "METRIC_COUNT" => return Ok(Value::Scalar(all.len() as f64)),
        "REMOVE_EMPTY" => {
            all.retain(|series| !series.values.is_empty());
            return Ok(Value::Array(all));
        }
        _ => {}
    }
    let one = if name == "FIRST" { all.into_iter().next() } else { all.pop() };
    one.map(Value::Series).ok_or_else(|| format!("The array of {name} is empty"))
}

/// Functions of a series, or of each series of an array.
fn each(name: &str, value: Value) -> Result<Value, String> {
    match value {
        Value::Series(series) if name == "PERIOD" => Ok(Value::Scalar(series.period as f64)),
        Value::Series(series) => Ok(Value::Series(of_series(name, &series))),
        Value::Array(all) if name != "PERIOD" => {
            Ok(Value::Array(all.iter().map(|series| of_series(name, series)).collect()))
        }
        _ => Err(format!("The function {name} takes a time series")),
    }
}

fn of_series(name: &str, series: &Series) -> Series {
    let mut before: Option<(i64, f64)> = None;
    let mut sum = 0.0;
    let mut values = BTreeMap::new();
    for (&time, &value) in &series.values {
        let change = before.map(|(then, other)| ((time - then) as f64, value - other));
        sum += value;
        let told = match name {
            "RATE" => change.map(|(secs, change)| change / secs),
            "DIFF" => change.map(|(_, change)| change),
            "DIFF_TIME" => change.map(|(secs, _)| secs),
            "RUNNING_SUM" => Some(sum),
            _ => part_of_time(name, time),
        };
        values.extend(told.filter(|value| value.is_finite()).map(|told| (time, told)));
        before = Some((time, value));
    }
    series.with(values)
}

fn part_of_time(name: &str, secs: i64) -> Option<f64> {
    if name == "EPOCH" {
        return Some(secs as f64);
    }
    let time = jiff::Timestamp::from_second(secs).ok()?.to_zoned(jiff::tz::TimeZone::UTC);
    Some(f64::from(match name {
        "MINUTE" => i16::from(time.minute()),
        "HOUR" => i16::from(time.hour()),
        "DAY" => i16::from(time.weekday().to_monday_one_offset()),
        "DATE" => i16::from(time.day()),
        "MONTH" => i16::from(time.month()),
        _ => time.year(),
    }))
}

fn if_else(arguments: &[Expr], context: &Context<'_>) -> Result<Value, String> {
    let (condition, then, otherwise) = match arguments {
        [condition, then] => (condition, then, None),
        [condition, then, otherwise] => (condition, then, Some(otherwise)),
        _ => return Err("The function IF takes two or three arguments".to_owned()),
    };
    let condition = evaluate(condition, context)?;
    let then = evaluate(then, context)?;
    let otherwise = otherwise.map(|otherwise| evaluate(otherwise, context)).transpose()?;
    let condition = match condition {
        Value::Scalar(truth) => {
            let chosen = if truth != 0.0 { Some(then) } else { otherwise };
            return chosen.ok_or_else(|| "The function IF has no third argument".to_owned());
        }
        Value::Series(series) => series,
        Value::Array(_) => return Err("The condition of IF must not be an array".to_owned()),
    };
    let is_true = condition.with(
        condition
            .values
            .iter()
            .filter(|(_, truth)| **truth != 0.0)
            .map(|(time, _)| (*time, 1.0))
            .collect(),
    );
    let is_false = condition.with(
        condition
            .values
            .iter()
            .filter(|(_, truth)| **truth == 0.0)
            .map(|(time, _)| (*time, 1.0))
            .collect(),
    );
    let chosen = combine(Value::Series(is_true), then, &|_, value| value)?;
    let Some(otherwise) = otherwise else { return Ok(chosen) };
    let other = combine(Value::Series(is_false), otherwise, &|_, value| value)?;
    match (chosen, other) {
        (Value::Series(mut chosen), Value::Series(other)) => {
            chosen.values.extend(other.values);
            Ok(Value::Series(chosen))
        }
        _ => Err("The second and third argument of IF must not be arrays".to_owned()),
    }
}

fn fill(arguments: &[Expr], context: &Context<'_>) -> Result<Value, String> {
    let [what, with] = arguments else {
        return Err("The function FILL takes two arguments".to_owned());
    };
    let word = word(Some(with)).filter(|word| word == "REPEAT" || word == "LINEAR");
    let filler = match &word {
        Some(_) => Value::Scalar(0.0),
        None => evaluate(with, context)?,
    };
    let fill = |series: &Series| -> Result<Series, String> {
        let at = |time| match (&word, &filler) {
            (Some(word), _) if word == "REPEAT" => {
                Ok(series.values.range(..time).next_back().map(|(_, value)| *value))
            }
            (Some(_), _) => Ok(between(series, time)),
            (None, Value::Scalar(filler)) => Ok(Some(*filler)),
            (None, Value::Series(filler)) => Ok(filler.values.get(&time).copied()),
            (None, Value::Array(_)) => Err("FILL cannot fill with an array".to_owned()),
        };
        let mut values = series.values.clone();
        for time in series.times() {
            if !values.contains_key(&time)
                && let Some(value) = at(time)?
            {
                values.insert(time, value);
            }
        }
        Ok(series.with(values))
    };
    match evaluate(what, context)? {
        Value::Series(series) => fill(&series).map(Value::Series),
        Value::Array(all) => all.iter().map(fill).collect::<Result<_, _>>().map(Value::Array),
        Value::Scalar(_) => Err("The function FILL takes a time series".to_owned()),
    }
}

/// The value on the line between the neighbours of a time.
fn between(series: &Series, time: i64) -> Option<f64> {
    let (before, low) = series.values.range(..time).next_back()?;
    let (after, high) = series.values.range(time..).next()?;
    Some(low + (high - low) * (time - before) as f64 / (after - before) as f64)
}

fn sort(arguments: &[Expr], context: &Context<'_>) -> Result<Value, String> {
    let [what, by, order, limit @ ..] = arguments else {
        return Err("The function SORT takes three or four arguments".to_owned());
    };
    let Value::Array(mut all) = evaluate(what, context)? else {
        return Err("The function SORT takes an array of time series".to_owned());
    };
    let by = word(Some(by)).filter(|by| matches!(&**by, "AVG" | "MIN" | "MAX" | "SUM"));
    let by = by.ok_or("SORT goes by AVG, MIN, MAX or SUM")?;
    let order = word(Some(order)).filter(|order| matches!(&**order, "ASC" | "DESC"));
    let order = order.ok_or("SORT has the order ASC or DESC")?;
    let key = |series: &Series| {
        let values: Vec<f64> = series.values.values().copied().collect();
        (!values.is_empty()).then(|| reckon(&by, &values))
    };
    all.sort_by(|left, right| match (key(left), key(right)) {
        (Some(left), Some(right)) if order == "ASC" => left.total_cmp(&right),
        (Some(left), Some(right)) => right.total_cmp(&left),
        // What has no data comes last in either order.
        (left, right) => right.is_some().cmp(&left.is_some()),
    });
    if let [limit, ..] = limit {
        all.truncate(number(limit, context, "The limit of SORT")?.max(0.0) as usize);
    }
    Ok(Value::Array(all))
}

fn slice(arguments: &[Expr], context: &Context<'_>) -> Result<Value, String> {
    let [what, start, end @ ..] = arguments else {
        return Err("The function SLICE takes two or three arguments".to_owned());
    };
    let Value::Array(all) = evaluate(what, context)? else {
        return Err("The function SLICE takes an array of time series".to_owned());
    };
    let start = number(start, context, "The start of SLICE")?.max(0.0) as usize;
    match end {
        [] => all
            .into_iter()
            .nth(start)
            .map(Value::Series)
            .ok_or_else(|| "The start of SLICE lies behind the end of the array".to_owned()),
        [end, ..] => {
            let end = number(end, context, "The end of SLICE")?.max(0.0) as usize;
            let part = all.into_iter().take(end).skip(start);
            Ok(Value::Array(part.collect()))
        }
    }
}
