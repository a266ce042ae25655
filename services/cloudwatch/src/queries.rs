//! Queries of metrics and expressions over them, as requests and alarms ask them.

use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;

use fogbank_core::Tx;

use crate::data;
use crate::error::Error;
use crate::metrics;
use crate::model::{Metric, MetricDataQuery, MetricStat, StandardUnit};
use crate::rules::expression::{self, Context, Expr, Series, Value};
use crate::rules::search::{Candidate, Search};
use crate::rules::statistics::Statistic;
use crate::rules::window::{RETENTION, Window, is_period};
use crate::store::{self, MetricKey};

/// How many series a search finds at most.
const MAX_FOUND: usize = 500;
/// How many data points one request may look at. AWS bounds it otherwise.
const MAX_POINTS: usize = 2_000_000;
/// The period of expressions that say none, in seconds.
const DEFAULT_PERIOD: i64 = 300;
/// For how long metrics without new data are found, in milliseconds.
const FOUND_MILLIS: i64 = 14 * 24 * 3600 * 1000;

/// A series that a query is worth.
pub(crate) struct Answer {
    /// The place of the query.
    pub(crate) query: usize,
    pub(crate) series: Series,
    /// Whether it is one of several of its query.
    pub(crate) is_of_array: bool,
}

/// The span that is asked for, in seconds since 1970, and the time now.
#[derive(Clone, Copy)]
pub(crate) struct Span {
    pub(crate) start: i64,
    pub(crate) end: i64,
    pub(crate) now: i64,
}

impl Span {
    /// The span in periods, without what lies beyond what is kept.
    fn window(&self, period: i64) -> Window {
        let mut window = Window::new(self.start, self.end, period, self.now);
        let known = RETENTION.iter().rev().find(|(resolution, _)| period % resolution == 0);
        let oldest = self.now - known.map_or(0, |(_, longest)| *longest);
        if window.start < oldest {
            window.start += (oldest - window.start) / period * period;
        }
        window.end = window.end.min(self.now + 24 * 3600);
        window
    }
}

/// What one request may still look at.
struct Budget(Cell<usize>);

impl Budget {
    fn spend(&self, points: usize) -> Result<(), String> {
        let left = self.0.get().checked_sub(points);
        self.0.set(left.ok_or("The request asks for too many data points")?);
        Ok(())
    }
}

/// Refuses queries that are none. `path` names them in messages.
pub(crate) fn check(queries: &[MetricDataQuery], path: &str, account: &str) -> Result<(), Error> {
    let mut ids = BTreeSet::new();
    for (place, query) in queries.iter().enumerate() {
        let path = format!("{path}.member.{}", place + 1);
        let id = &query.id;
        let is_id = id.starts_with(|first: char| first.is_ascii_lowercase())
            && id.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
        if !is_id {
            return Err(Error::validation(format!(
                "The value {id} for parameter {path}.Id is not matching the expected pattern ^[a-z][a-zA-Z0-9_]*$."
            )));
        }
        if !ids.insert(id) {
            let message = "The values for parameter id in MetricDataQueries are not unique.";
            return Err(Error::validation(message));
        }
        if query.account_id.as_ref().is_some_and(|of| of != account) {
            let message =
                format!("The parameter {path}.AccountId names an account that is not linked.");
            return Err(Error::validation(message));
        }
        let exclusive = |one: &str, other: &str| {
            Error::validation(format!(
                "The parameters {path}.{one} and {path}.{other} are mutually exclusive and you have specified both."
            ))
        };
        match (&query.metric_stat, &query.expression) {
            (Some(_), Some(_)) => return Err(exclusive("Expression", "MetricStat")),
            (None, None) => {
                let message =
                    format!("Either {path}.Expression or {path}.MetricStat must be specified.");
                return Err(Error::validation(message));
            }
            (Some(_), None) if query.period.is_some() => {
                return Err(exclusive("Period", "MetricStat"));
            }
            (Some(stat), None) => check_stat(stat, &path)?,
            (None, Some(_)) => check_period(query.period, &format!("{path}.Period"))?,
        }
    }
    Ok(())
}

fn check_period(period: Option<i32>, path: &str) -> Result<(), Error> {
    match period {
        Some(period) if !is_period(i64::from(period)) => {
            Err(Error::validation(format!("The value {period} for parameter {path} is invalid.")))
        }
        _ => Ok(()),
    }
}

fn check_stat(stat: &MetricStat, path: &str) -> Result<(), Error> {
    check_period(Some(stat.period), &format!("{path}.MetricStat.Period"))?;
    if Statistic::parse(&stat.stat).is_none() {
        return Err(Error::validation(format!(
            "The value {} for parameter {path}.MetricStat.Stat is not supported.",
            stat.stat
        )));
    }
    for (name, value) in
        [("Namespace", &stat.metric.namespace), ("MetricName", &stat.metric.metric_name)]
    {
        if value.is_none() {
            let message = format!("The parameter {path}.MetricStat.Metric.{name} is required.");
            return Err(Error::validation(message));
        }
    }
    Ok(())
}

/// Answers checked queries, those that return data, in their order.
pub(crate) fn answer(
    tx: &impl Tx,
    queries: &[MetricDataQuery],
    span: Span,
) -> Result<Vec<Answer>, Error> {
    let budget = Budget(Cell::new(MAX_POINTS));
    let mut known: BTreeMap<String, Value> = BTreeMap::new();
    let mut of_metrics = Vec::new();
    let mut open: Vec<(&MetricDataQuery, Expr)> = Vec::new();
    for query in queries {
        if let Some(stat) = &query.metric_stat {
            let series = of_stat(tx, stat, span)?;
            budget.spend(series.values.len()).map_err(Error::validation)?;
            known.insert(query.id.clone(), Value::Series(series.clone()));
            of_metrics.push((query.id.clone(), series));
        } else {
            open.push((query, parse(query)?));
        }
    }
    let ids: BTreeSet<&str> = queries.iter().map(|query| &*query.id).collect();
    while !open.is_empty() {
        let (ready, waiting): (Vec<_>, Vec<_>) = open.into_iter().partition(|(_, expr)| {
            let mut named = expression::ids(expr).into_iter();
            named.all(|id| known.contains_key(id) || !ids.contains(id))
        });
        if let (true, Some((query, _))) = (ready.is_empty(), waiting.first()) {
            return Err(in_expression(query, "It refers to itself"));
        }
        for (query, expr) in ready {
            let value = of_expression(tx, query, &expr, &known, &of_metrics, span, &budget);
            known.insert(query.id.clone(), value.map_err(|why| in_expression(query, &why))?);
        }
        open = waiting;
    }
    let mut answers = Vec::new();
    for (place, query) in queries.iter().enumerate() {
        if query.return_data == Some(false) {
            continue;
        }
        let is_of_array = matches!(known.get(&query.id), Some(Value::Array(_)));
        let all = match known.remove(&query.id) {
            Some(Value::Series(series)) => vec![series],
            Some(Value::Array(all)) => all,
            _ => {
                let why = "It is worth a number; what is returned must be time series";
                return Err(in_expression(query, why));
            }
        };
        answers.extend(all.into_iter().map(|series| Answer { query: place, series, is_of_array }));
    }
    Ok(answers)
}

fn in_expression(query: &MetricDataQuery, why: &str) -> Error {
    Error::validation(format!("Error in expression '{}' [{why}]", query.id))
}

fn parse(query: &MetricDataQuery) -> Result<Expr, Error> {
    let text = query.expression.as_deref().unwrap_or_default();
    let first = text.split_whitespace().next().unwrap_or_default();
    if first.eq_ignore_ascii_case("SELECT") {
        let why = "Fogbank does not implement queries of Metrics Insights yet";
        return Err(in_expression(query, why));
    }
    expression::parse(text).map_err(|why| in_expression(query, &why))
}

/// Refuses expressions that cannot be read, or that name what no query is.
pub(crate) fn check_expressions(queries: &[MetricDataQuery]) -> Result<(), Error> {
    const WORDS: &[&str] = &["REPEAT", "LINEAR", "ASC", "DESC", "AVG", "MIN", "MAX", "SUM"];
    for query in queries.iter().filter(|query| query.expression.is_some()) {
        let expr = parse(query)?;
        let unknown = expression::ids(&expr).into_iter().find(|id| {
            let is_word = WORDS.iter().any(|word| id.eq_ignore_ascii_case(word));
            !is_word && !queries.iter().any(|other| other.id == *id)
        });
        if let Some(id) = unknown {
            return Err(in_expression(query, &format!("Unknown identifier '{id}'")));
        }
    }
    Ok(())
}

/// The longest period of the metrics of queries, in seconds; that of expressions where there are none.
pub(crate) fn longest_period(queries: &[MetricDataQuery]) -> i64 {
    let of_metrics = queries.iter().filter_map(|query| query.metric_stat.as_ref());
    let longest = of_metrics.map(|stat| i64::from(stat.period)).max();
    let of_expressions = || queries.iter().filter_map(|query| query.period).max().map(i64::from);
    longest.or_else(of_expressions).unwrap_or(DEFAULT_PERIOD)
}

/// The series of a metric's statistic.
fn of_stat(tx: &impl Tx, stat: &MetricStat, span: Span) -> Result<Series, Error> {
    let Metric { namespace, metric_name, dimensions } = &stat.metric;
    let name = metric_name.as_deref().unwrap_or_default();
    let namespace = namespace.as_deref().unwrap_or_default();
    let key = store::metric_key(tx, namespace, name, dimensions.as_deref().unwrap_or_default());
    let statistic = Statistic::parse(&stat.stat)
        .ok_or_else(|| Error::validation(format!("The value {} is no statistic.", stat.stat)))?;
    let period = i64::from(stat.period);
    Ok(series(tx, &key, &statistic, period, stat.unit, span)?)
}

fn series(
    tx: &impl Tx,
    key: &MetricKey,
    statistic: &Statistic,
    period: i64,
    unit: Option<StandardUnit>,
    span: Span,
) -> Result<Series, fogbank_core::store::Error> {
    let window = span.window(period);
    let summaries = data::merged(tx, key, window, unit, span.now)?;
    let values = summaries.iter().filter_map(|(start, it)| Some((*start, statistic.of(it)?)));
    let values = values.filter(|(_, value)| value.is_finite()).collect();
    let Window { start, end, period } = window;
    Ok(Series { label: key.3.clone(), values, start, end, period })
}

fn of_expression(
    tx: &impl Tx,
    query: &MetricDataQuery,
    expr: &Expr,
    known: &BTreeMap<String, Value>,
    metrics: &[(String, Series)],
    span: Span,
    budget: &Budget,
) -> Result<Value, String> {
    // What an expression says of its period is for what it makes up itself.
    let finest = metrics.iter().map(|(_, series)| series.period).min();
    let period = query.period.map(i64::from).or(finest).unwrap_or(DEFAULT_PERIOD);
    let window = span.window(period);
    let search = |words: &str, statistic: &str, period: i64| {
        found(tx, words, statistic, period, span, budget)
    };
    let (start, end) = (window.start, window.end);
    let context = Context { known, metrics, search: &search, start, end, period };
    let value = expression::evaluate(expr, &context)?;
    match &value {
        Value::Scalar(_) => {}
        Value::Series(series) => budget.spend(series.values.len())?,
        Value::Array(all) => {
            budget.spend(all.iter().map(|series| series.values.len()).sum())?;
        }
    }
    Ok(value)
}

/// The series of all metrics that a search finds.
fn found(
    tx: &impl Tx,
    words: &str,
    statistic: &str,
    period: i64,
    span: Span,
    budget: &Budget,
) -> Result<Vec<Series>, String> {
    let search = Search::parse(words)?;
    let statistic = Statistic::parse(statistic)
        .ok_or_else(|| format!("The statistic {statistic} is not supported"))?;
    if !is_period(period) {
        return Err(format!("The period {period} is invalid"));
    }
    let mut keys: Vec<MetricKey> = Vec::new();
    let oldest = span.now * 1000 - FOUND_MILLIS;
    let visited = metrics::visit(tx, search.namespace(), None, None, |key, published| {
        let dimensions = store::dimensions_of(&key.4);
        let dimensions = dimensions.iter().map(|it| (&*it.name, &*it.value)).collect();
        let candidate = Candidate { namespace: &key.2, name: &key.3, dimensions };
        if published >= oldest && search.finds(&candidate) {
            keys.push(key);
        }
        if keys.len() < MAX_FOUND { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    });
    let failed = |error: fogbank_core::store::Error| {
        fogbank_core::tracing::warn!(%error, "a search of metrics failed");
        "The metrics could not be read".to_owned()
    };
    visited.map_err(failed)?;
    let have_one_name = keys.windows(2).all(|pair| pair[0].3 == pair[1].3);
    let mut all = Vec::with_capacity(keys.len());
    for key in &keys {
        let mut series = series(tx, key, &statistic, period, None, span).map_err(failed)?;
        budget.spend(series.values.len())?;
        let dimensions = store::dimensions_of(&key.4);
        let mut parts: Vec<&str> = dimensions.iter().map(|it| &*it.value).collect();
        if !have_one_name || parts.is_empty() {
            parts.push(&key.3);
        }
        series.label = parts.join(" ");
        all.push(series);
    }
    Ok(all)
}
