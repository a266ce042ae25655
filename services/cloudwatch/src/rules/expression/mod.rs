//! Metric math: expressions over time series, read, then reckoned.

mod evaluate;
mod functions;
mod parse;

use std::collections::BTreeMap;

pub(crate) use evaluate::{Context, evaluate};
pub(crate) use parse::{Expr, parse};

/// A time series with what is told of it.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Series {
    pub(crate) label: String,
    /// The values by the start of their period, in seconds since 1970.
    pub(crate) values: BTreeMap<i64, f64>,
    /// The start of the first period, where periods may begin after it, and the end, in seconds since 1970.
    pub(crate) start: i64,
    pub(crate) end: i64,
    /// In seconds.
    pub(crate) period: i64,
}

impl Series {
    /// The same series with other values.
    pub(crate) fn with(&self, values: BTreeMap<i64, f64>) -> Series {
        let (label, start, end, period) = (self.label.clone(), self.start, self.end, self.period);
        Series { label, values, start, end, period }
    }

    /// The same series with each value changed; what is no number afterwards is left out.
    pub(crate) fn map(&self, change: impl Fn(i64, f64) -> f64) -> Series {
        let values = self.values.iter().map(|(time, value)| (*time, change(*time, *value)));
        self.with(values.filter(|(_, value)| value.is_finite()).collect())
    }

    /// The starts of all its periods.
    pub(crate) fn times(&self) -> impl Iterator<Item = i64> + use<> {
        (self.start..self.end).step_by(usize::try_from(self.period.max(1)).unwrap_or(60))
    }
}

/// What an expression is worth.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Value {
    Scalar(f64),
    Series(Series),
    Array(Vec<Series>),
}

/// The ids that an expression names.
pub(crate) fn ids(expr: &Expr) -> Vec<&str> {
    let mut found = Vec::new();
    collect(expr, &mut found);
    found
}

fn collect<'a>(expr: &'a Expr, found: &mut Vec<&'a str>) {
    match expr {
        Expr::Number(_) | Expr::Text(_) => {}
        // Ids begin with a small letter; words such as REPEAT are a function's own.
        Expr::Name(name) => found.push(name),
        Expr::List(all) | Expr::Call(_, all) => all.iter().for_each(|expr| collect(expr, found)),
        Expr::Not(one) => collect(one, found),
        Expr::Binary(_, pair) => {
            collect(&pair.0, found);
            collect(&pair.1, found);
        }
    }
}

#[cfg(test)]
mod tests;
