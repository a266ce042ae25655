//! Metrics: publishing and listing them.

use std::ops::ControlFlow;

use fogbank_core::measures::Summary;
use fogbank_core::{ReadTx, Tx, WriteTx, page};

use crate::error::Error;
use crate::model::*;
use crate::store::{self, METRICS, MetricKey, Publication};

/// How many metrics a call may publish.
const MAX_DATA: usize = 1_000;
/// How many different values a metric may have in a call.
const MAX_VALUES: usize = 150;
/// Two weeks and two hours, between which values may be published, in milliseconds.
const OLDEST_MILLIS: i64 = 14 * 24 * 3600 * 1000;
const NEWEST_MILLIS: i64 = 2 * 3600 * 1000;
/// The largest value is 2 to this power.
const MAX_EXPONENT: f64 = 360.0;
/// How many metrics a page has.
const PAGE: usize = 500;
/// For how long metrics without new data are listed, in milliseconds.
const LISTED_MILLIS: i64 = 14 * 24 * 3600 * 1000;
/// The span that `RecentlyActive` means, in milliseconds.
const ACTIVE_MILLIS: i64 = 3 * 3600 * 1000;

/// Publishes values.
pub(crate) fn put(
    tx: &mut WriteTx<'_>,
    input: PutMetricDataInput,
) -> Result<PutMetricDataOutput, Error> {
    let namespace = &input.namespace;
    if namespace.starts_with("AWS/") || !is_printable(namespace) {
        let message = format!("The value {namespace} for parameter Namespace is invalid.");
        return Err(Error::value(message));
    }
    // Entities only help consoles to find related things: none of what can be asked here shows them.
    let of_entities = input.entity_metric_data.iter().flatten().enumerate();
    let of_entities = of_entities.flat_map(|(entity, data)| {
        let path = format!("EntityMetricData.member.{}.MetricData", entity + 1);
        let data = data.metric_data.iter().flatten().enumerate();
        data.map(move |(place, datum)| (format!("{path}.member.{}", place + 1), datum))
    });
    let plain = input.metric_data.iter().flatten().enumerate();
    let plain = plain.map(|(place, datum)| (format!("MetricData.member.{}", place + 1), datum));
    let data: Vec<(String, &MetricDatum)> = plain.chain(of_entities).collect();
    if data.is_empty() {
        return Err(Error::missing("MetricData"));
    }
    if data.len() > MAX_DATA {
        let message =
            format!("The collection MetricData must not have a size greater than {MAX_DATA}.");
        return Err(Error::combination(message));
    }
    check_times(&data, tx.now().millis())?;
    for (place, (path, datum)) in data.iter().enumerate() {
        let summary = summary(path, datum)?;
        check_dimensions(path, datum.dimensions.as_deref().unwrap_or_default())?;
        let dimensions = datum.dimensions.as_deref().unwrap_or_default();
        let key = store::metric_key(tx, namespace, &datum.metric_name, dimensions);
        let now = tx.now();
        let publication = Publication {
            secs: datum.timestamp.unwrap_or(now).secs(),
            unit: datum.unit.unwrap_or(StandardUnit::None),
            is_high_resolution: is_high_resolution(path, datum)?,
            summary: &summary,
        };
        store::publish(tx, &key, place as u64, now.millis(), &publication)?;
    }
    Ok(PutMetricDataOutput {})
}

/// AWS says of all values at once which of their times are wrong.
fn check_times(data: &[(String, &MetricDatum)], now_millis: i64) -> Result<(), Error> {
    let wrong = data.iter().filter_map(|(path, datum)| {
        let ahead = datum.timestamp?.millis().saturating_sub(now_millis);
        let what = match ahead {
            ahead if ahead < -OLDEST_MILLIS => "within the past two weeks.",
            ahead if ahead > NEWEST_MILLIS => "no more than two hours in the future.",
            _ => return None,
        };
        Some(format!("The parameter {path}.Timestamp must specify a time {what}"))
    });
    let wrong: Vec<String> = wrong.collect();
    if wrong.is_empty() { Ok(()) } else { Err(Error::value(wrong.join("\n"))) }
}

/// Whether text has something to see and no control characters.
fn is_printable(text: &str) -> bool {
    !text.trim().is_empty() && !text.contains(char::is_control)
}

/// Refuses dimensions that no metric can have.
pub(crate) fn check_dimensions(path: &str, dimensions: &[Dimension]) -> Result<(), Error> {
    for (place, dimension) in dimensions.iter().enumerate() {
        let path = format!("{path}.Dimensions.member.{}", place + 1);
        let (name, value) = (&dimension.name, &dimension.value);
        if !is_printable(name) || name.starts_with(':') || !name.is_ascii() {
            return Err(Error::value(format!(
                "The value {name} for parameter {path}.Name is invalid."
            )));
        }
        if !is_printable(value) || !value.is_ascii() {
            return Err(Error::value(format!(
                "The value {value} for parameter {path}.Value is invalid."
            )));
        }
        if dimensions[..place].iter().any(|other| other.name == *name) {
            // AWS's words are not known here.
            let message = format!("The dimension {name} of parameter {path} is named twice.");
            return Err(Error::value(message));
        }
    }
    Ok(())
}

fn is_high_resolution(path: &str, datum: &MetricDatum) -> Result<bool, Error> {
    match datum.storage_resolution {
        None | Some(60) => Ok(false),
        Some(1) => Ok(true),
        Some(other) => {
            let message =
                format!("The value {other} for parameter {path}.StorageResolution is invalid.");
            Err(Error::value(message))
        }
    }
}

/// The values of a datum.
fn summary(path: &str, datum: &MetricDatum) -> Result<Summary, Error> {
    if !is_printable(&datum.metric_name) {
        return Err(Error::missing(&format!("{path}.MetricName")));
    }
    let exclusive = |one: &str, other: &str| {
        Error::combination(format!(
            "The parameters {path}.{one} and {path}.{other} are mutually exclusive and you have specified both."
        ))
    };
    match (&datum.value, &datum.values, &datum.statistic_values) {
        (Some(_), Some(_), _) => Err(exclusive("Value", "Values")),
        (Some(_), _, Some(_)) => Err(exclusive("Value", "StatisticValues")),
        (_, Some(_), Some(_)) => Err(exclusive("Values", "StatisticValues")),
        (Some(value), None, None) => {
            check_number(*value, &format!("{path}.Value"))?;
            Ok(Summary::of(*value, 1.0))
        }
        (None, Some(values), None) => of_values(path, values, datum.counts.as_deref()),
        (None, None, Some(set)) => of_set(path, set),
        (None, None, None) => Err(Error::MissingRequiredParameterException(
            "At least one of the parameters must be specified.".to_owned(),
        )),
    }
}

fn of_values(path: &str, values: &[f64], counts: Option<&[f64]>) -> Result<Summary, Error> {
    if values.len() > MAX_VALUES {
        let message =
            format!("The collection {path}.Values must not have a size greater than {MAX_VALUES}.");
        return Err(Error::combination(message));
    }
    let counts = counts.filter(|counts| !counts.is_empty());
    if counts.is_some_and(|counts| counts.len() != values.len()) {
        let message =
            format!("The parameters {path}.Values and {path}.Counts must be of the same size.");
        return Err(Error::value(message));
    }
    let mut summary = Summary::default();
    for (place, value) in values.iter().enumerate() {
        check_number(*value, &format!("{path}.Values.member.{}", place + 1))?;
        let count = counts.map_or(1.0, |counts| counts[place]);
        let of = format!("{path}.Counts.member.{}", place + 1);
        check_number(count, &of)?;
        if count < 0.0 {
            return Err(Error::value(format!("The value {count} for parameter {of} is invalid.")));
        }
        summary.add(*value, count);
    }
    match summary.count() > 0.0 {
        true => Ok(summary),
        false => Err(Error::missing(&format!("{path}.Values"))),
    }
}

fn of_set(path: &str, set: &StatisticSet) -> Result<Summary, Error> {
    let path = format!("{path}.StatisticValues");
    for (name, value) in [
        ("SampleCount", set.sample_count),
        ("Sum", set.sum),
        ("Minimum", set.minimum),
        ("Maximum", set.maximum),
    ] {
        check_number(value, &format!("{path}.{name}"))?;
    }
    if set.maximum < set.minimum {
        let message = format!("The parameter {path}.Maximum must be greater than {path}.Minimum.");
        return Err(Error::value(message));
    }
    if set.sample_count <= 0.0 {
        let message = format!("The parameter {path}.SampleCount must be greater than 0.");
        return Err(Error::value(message));
    }
    Ok(Summary::totals(set.sample_count, set.sum, set.minimum, set.maximum))
}

fn check_number(value: f64, path: &str) -> Result<(), Error> {
    if value.is_finite() && value.abs() <= MAX_EXPONENT.exp2() {
        return Ok(());
    }
    let value = match value {
        f64::INFINITY => "Infinity".to_owned(),
        f64::NEG_INFINITY => "-Infinity".to_owned(),
        value => format!("{value:?}"),
    };
    Err(Error::value(format!("The value {value} for parameter {path} is invalid.")))
}

/// Lists metrics that had data in the last two weeks.
pub(crate) fn list(tx: &ReadTx<'_>, input: ListMetricsInput) -> Result<ListMetricsOutput, Error> {
    let after = match &input.next_token {
        Some(token) => Some(parse_token(tx, token)?),
        None => None,
    };
    let longest = match input.recently_active {
        Some(_) => ACTIVE_MILLIS,
        None => LISTED_MILLIS,
    };
    // No account is linked to another.
    let is_other = input.owning_account.as_ref().is_some_and(|owner| owner != tx.account());
    let filters = input.dimensions.unwrap_or_default();
    let (mut metrics, mut last, mut next) = (Vec::new(), None, None);
    let now = tx.now().millis();
    visit(
        tx,
        input.namespace.as_deref(),
        input.metric_name.as_deref(),
        after,
        |key, published| {
            let dimensions = store::dimensions_of(&key.4);
            if is_other || now - published > longest || !passes(&filters, &dimensions) {
                return ControlFlow::Continue(());
            }
            if metrics.len() == PAGE {
                next = last.take();
                return ControlFlow::Break(());
            }
            let (_, _, namespace, name, _) = &key;
            metrics.push(Metric {
                namespace: Some(namespace.clone()),
                metric_name: Some(name.clone()),
                dimensions: Some(dimensions),
            });
            last = Some(key);
            ControlFlow::Continue(())
        },
    )?;
    let includes_accounts = input.include_linked_accounts == Some(true);
    let owners = vec![tx.account().to_owned(); metrics.len()];
    Ok(ListMetricsOutput {
        metrics: Some(metrics),
        next_token: next.as_ref().map(token),
        owning_accounts: includes_accounts.then_some(owners),
    })
}

/// Visits the caller's metrics of a namespace and name, with the time of their last publication in milliseconds.
pub(crate) fn visit(
    tx: &impl Tx,
    namespace: Option<&str>,
    name: Option<&str>,
    after: Option<MetricKey>,
    mut visit: impl FnMut(MetricKey, i64) -> ControlFlow<()>,
) -> Result<(), fogbank_core::store::Error> {
    let (account, region) = (tx.account(), tx.region());
    let mut range = match (namespace, name) {
        (Some(namespace), Some(name)) => METRICS.range(&(account, region, namespace, name)),
        (Some(namespace), None) => METRICS.range(&(account, region, namespace)),
        (None, _) => METRICS.range(&(account, region)),
    };
    if let Some(after) = &after {
        range = range.after(after);
    }
    range.visit(tx, |key, metric| match name.is_some_and(|name| name != key.3) {
        true => ControlFlow::Continue(()),
        false => visit(key, metric.published_millis),
    })
}

fn passes(filters: &[DimensionFilter], dimensions: &[Dimension]) -> bool {
    filters.iter().all(|filter| {
        dimensions.iter().any(|dimension| {
            let fits = filter.value.as_ref().is_none_or(|value| *value == dimension.value);
            dimension.name == filter.name && fits
        })
    })
}

fn token(key: &MetricKey) -> String {
    let (_, _, namespace, name, dimensions) = key;
    page::text_token(&format!("{namespace}\n{name}\n{dimensions}"))
}

fn parse_token(tx: &impl Tx, token: &str) -> Result<MetricKey, Error> {
    let text = page::parse_text(token);
    let key = text.as_ref().and_then(|text| {
        let mut parts = text.splitn(3, '\n').map(str::to_owned);
        let (account, region) = (tx.account().to_owned(), tx.region().to_owned());
        Some((account, region, parts.next()?, parts.next()?, parts.next()?))
    });
    let invalid = || Error::value("The value for parameter NextToken is invalid.");
    key.ok_or_else(invalid)
}
