//! Data of many metrics and expressions at once, in pages.

use fogbank_core::{ReadTx, Timestamp, Tx, page};

use crate::error::Error;
use crate::model::*;
use crate::queries::{self, Answer, Span};

/// How many queries a call may have.
const MAX_QUERIES: usize = 500;
/// How many data points a page has at most.
const PAGE: i32 = 100_800;

/// Tells the data of queries.
pub(crate) fn get(
    tx: &ReadTx<'_>,
    input: GetMetricDataInput,
) -> Result<GetMetricDataOutput, Error> {
    let queries = &input.metric_data_queries;
    if queries.is_empty() {
        return Err(Error::validation("The parameter MetricDataQueries is required."));
    }
    if queries.len() > MAX_QUERIES {
        let message = format!(
            "The collection MetricDataQueries must not have a size greater than {MAX_QUERIES}."
        );
        return Err(Error::validation(message));
    }
    let (start, end) = (input.start_time.secs(), input.end_time.secs());
    if start == end {
        let message = "The parameter StartTime must not equal parameter EndTime.";
        return Err(Error::validation(message));
    }
    if start > end {
        let message = "The parameter StartTime must be less than the parameter EndTime.";
        return Err(Error::validation(message));
    }
    let most = input.max_datapoints.unwrap_or(PAGE);
    if !(1..=PAGE).contains(&most) {
        let message = format!("The value {most} for parameter MaxDatapoints is invalid.");
        return Err(Error::validation(message));
    }
    let from = input.next_token.as_deref().map_or(Ok((0, 0)), parse_token)?;
    queries::check(queries, "MetricDataQueries", tx.account())?;
    let span = Span { start, end, now: tx.now().secs() };
    let answers = queries::answer(tx, queries, span)?;
    let ascends = input.scan_by == Some(ScanBy::TimestampAscending);
    let page = Page { from, most: usize::try_from(most).unwrap_or(1), ascends };
    let (results, next) = page.of(tx, queries, &answers);
    Ok(GetMetricDataOutput {
        metric_data_results: Some(results),
        next_token: next.map(|(answer, point)| page::text_token(&format!("{answer}:{point}"))),
        messages: Some(Vec::new()),
    })
}

fn parse_token(token: &str) -> Result<(usize, usize), Error> {
    let text = page::parse_text(token);
    let parts = text.as_ref().and_then(|text| {
        let (answer, point) = text.split_once(':')?;
        Some((answer.parse().ok()?, point.parse().ok()?))
    });
    parts.ok_or_else(Error::token)
}

/// A part of all answers: from a point of one of them on, in an order of time.
struct Page {
    from: (usize, usize),
    most: usize,
    ascends: bool,
}

impl Page {
    /// The results, and where the next page begins.
    fn of(
        &self,
        tx: &impl Tx,
        queries: &[MetricDataQuery],
        answers: &[Answer],
    ) -> (Vec<MetricDataResult>, Option<(usize, usize)>) {
        let (first, mut skipped) = self.from;
        let mut left = self.most;
        let mut results = Vec::new();
        for (place, answer) in answers.iter().enumerate().skip(first) {
            if left == 0 {
                return (results, Some((place, 0)));
            }
            let values = &answer.series.values;
            let pairs: Vec<(i64, f64)> = match self.ascends {
                true => {
                    values.iter().map(|(time, it)| (*time, *it)).skip(skipped).take(left).collect()
                }
                false => {
                    let newest = values.iter().rev();
                    newest.map(|(time, it)| (*time, *it)).skip(skipped).take(left).collect()
                }
            };
            let end = skipped + pairs.len();
            let is_whole = end >= values.len();
            left -= pairs.len();
            results.push(MetricDataResult {
                id: Some(queries[answer.query].id.clone()),
                label: Some(label(tx, &queries[answer.query], answer)),
                timestamps: Some(
                    pairs.iter().map(|(time, _)| Timestamp::from_secs(*time)).collect(),
                ),
                values: Some(pairs.iter().map(|(_, value)| *value).collect()),
                status_code: Some(if is_whole { "Complete" } else { "PartialData" }.to_owned()),
                messages: None,
            });
            if !is_whole {
                return (results, Some((place, end)));
            }
            skipped = 0;
        }
        (results, None)
    }
}

/// What a result is called: as the query says, else by its metric or its id.
fn label(tx: &impl Tx, query: &MetricDataQuery, answer: &Answer) -> String {
    let own = &answer.series.label;
    let is_metric = query.metric_stat.is_some();
    let default = if is_metric || answer.is_of_array { own } else { &query.id };
    match &query.label {
        Some(label) if label.contains("${") => dynamic(tx, label, default, query, answer),
        Some(label) if answer.is_of_array => format!("{label} {own}"),
        Some(label) => label.clone(),
        None => default.clone(),
    }
}

/// Fills in what stands between `${` and `}`; what is not known stays.
fn dynamic(
    tx: &impl Tx,
    label: &str,
    default: &str,
    query: &MetricDataQuery,
    answer: &Answer,
) -> String {
    let mut filled = String::new();
    let mut rest = label;
    while let Some((before, inside)) = rest.split_once("${") {
        filled.push_str(before);
        let Some((name, after)) = inside.split_once('}') else {
            filled.push_str("${");
            rest = inside;
            break;
        };
        match value(tx, name.trim(), default, query, answer) {
            Some(value) => filled.push_str(&value),
            None => filled.extend(["${", name, "}"]),
        }
        rest = after;
    }
    filled + rest
}

fn value(
    tx: &impl Tx,
    name: &str,
    default: &str,
    query: &MetricDataQuery,
    answer: &Answer,
) -> Option<String> {
    let values: Vec<f64> = answer.series.values.values().copied().collect();
    let sum: f64 = values.iter().sum();
    let number = match name {
        "LABEL" => return Some(default.to_owned()),
        "DATAPOINT_COUNT" => return Some(values.len().to_string()),
        "SUM" => Some(sum),
        "AVG" => (!values.is_empty()).then(|| sum / values.len() as f64),
        "MIN" => values.iter().copied().reduce(f64::min),
        "MAX" => values.iter().copied().reduce(f64::max),
        "FIRST" => values.first().copied(),
        "LAST" => values.last().copied(),
        _ => return property(tx, name, query),
    };
    Some(number.map_or("--".to_owned(), |number| number.to_string()))
}

/// A property such as `PROP('Dim.BucketName')`.
fn property(tx: &impl Tx, name: &str, query: &MetricDataQuery) -> Option<String> {
    let name = name.strip_prefix("PROP(")?.strip_suffix(')')?;
    let name = name.trim().trim_matches(['\'', '"']);
    let stat = query.metric_stat.as_ref()?;
    match name {
        "Namespace" => stat.metric.namespace.clone(),
        "MetricName" => stat.metric.metric_name.clone(),
        "Stat" => Some(stat.stat.clone()),
        "Period" => Some(stat.period.to_string()),
        "AccountId" => Some(tx.account().to_owned()),
        "Region" => Some(tx.region().to_owned()),
        _ => {
            let dimension = name.strip_prefix("Dim.")?;
            let mut dimensions = stat.metric.dimensions.iter().flatten();
            Some(dimensions.find(|known| known.name == dimension)?.value.clone())
        }
    }
}
