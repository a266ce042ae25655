//! What is told of many values: the five statistics, percentiles and what is trimmed by them.
//!
//! Between the values that are known a percentile is not interpolated: it is the smallest value that so many values do
//! not exceed. AWS does not say how it reckons.

use fogbank_core::measures::Summary;

/// A statistic.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Statistic {
    SampleCount,
    Average,
    Sum,
    Minimum,
    Maximum,
    /// The percentile, from 0 to 100.
    Percentile(f64),
    /// What lies within a range.
    Within(Kind, Range),
}

/// What is told of the values within a range.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Their mean (`TM`).
    Mean,
    /// The mean of all, those outside counted as the border (`WM`).
    Winsorized,
    /// How many there are (`TC`).
    Count,
    /// Their sum (`TS`).
    Sum,
    /// Their part of all, in percent (`PR`).
    Rank,
}

/// A range of values.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Range {
    /// Between two percentiles.
    Percent(f64, f64),
    /// Above the first value, up to the second.
    Values(f64, f64),
}

impl Statistic {
    /// Reads a statistic's name, such as `Average`, `p99.9`, `tm90`, `TM(10%:90%)`, `PR(:300)` or `IQM`.
    pub(crate) fn parse(text: &str) -> Option<Statistic> {
        Some(match text {
            "SampleCount" => Statistic::SampleCount,
            "Average" => Statistic::Average,
            "Sum" => Statistic::Sum,
            "Minimum" => Statistic::Minimum,
            "Maximum" => Statistic::Maximum,
            other => return Statistic::parse_extended(other),
        })
    }

    /// Reads the name of a statistic beyond the five.
    pub(crate) fn parse_extended(text: &str) -> Option<Statistic> {
        if text.eq_ignore_ascii_case("IQM") {
            return Some(Statistic::Within(Kind::Mean, Range::Percent(25.0, 75.0)));
        }
        if let Some((name, rest)) = text.split_once('(') {
            let kind = kind(name)?;
            let range = range(rest.strip_suffix(')')?, kind)?;
            return Some(Statistic::Within(kind, range));
        }
        if let Some(percent) = text.strip_prefix('p') {
            return Some(Statistic::Percentile(percentage(percent)?));
        }
        let (name, percent) = text.split_at_checked(2)?;
        let kind = kind(name).filter(|kind| *kind != Kind::Rank)?;
        Some(Statistic::Within(kind, Range::Percent(0.0, percentage(percent)?)))
    }

    /// Reckons the statistic; nothing where too little is known of the values.
    pub(crate) fn of(&self, summary: &Summary) -> Option<f64> {
        if summary.count() <= 0.0 {
            return None;
        }
        Some(match self {
            Statistic::SampleCount => summary.count(),
            Statistic::Average => summary.sum() / summary.count(),
            Statistic::Sum => summary.sum(),
            Statistic::Minimum => summary.minimum(),
            Statistic::Maximum => summary.maximum(),
            // "Percentile statistics are not available for metrics when any of the metric values are negative numbers."
            _ if summary.minimum() < 0.0 => return None,
            Statistic::Percentile(percent) => percentile(&summary.values()?, *percent),
            Statistic::Within(kind, range) => return within(&summary.values()?, *kind, *range),
        })
    }
}

fn kind(name: &str) -> Option<Kind> {
    Some(match &*name.to_ascii_lowercase() {
        "tm" => Kind::Mean,
        "wm" => Kind::Winsorized,
        "tc" => Kind::Count,
        "ts" => Kind::Sum,
        "pr" => Kind::Rank,
        _ => return None,
    })
}

/// A number from 0 to 100 with up to ten places.
fn percentage(text: &str) -> Option<f64> {
    let (whole, places) = text.split_once('.').unwrap_or((text, "0"));
    let are_digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    let is_number = !whole.is_empty() && whole.len() <= 3 && places.len() <= 10;
    if !is_number || !are_digits(whole) || !are_digits(places) {
        return None;
    }
    text.parse().ok().filter(|percent| (0.0..=100.0).contains(percent))
}

/// The range within parentheses: `10%:90%`, `:300`, `100:`.
fn range(text: &str, kind: Kind) -> Option<Range> {
    let (from, to) = text.split_once(':')?;
    if from.is_empty() && to.is_empty() {
        return None;
    }
    if from.ends_with('%') || to.ends_with('%') {
        let border = |text: &str, open: f64| match text {
            "" => Some(open),
            text => percentage(text.strip_suffix('%')?),
        };
        let (from, to) = (border(from, 0.0)?, border(to, 100.0)?);
        return (kind != Kind::Rank && from < to).then_some(Range::Percent(from, to));
    }
    let border = |text: &str, open: f64| match text {
        "" => Some(open),
        text => text.parse::<f64>().ok().filter(|value| value.is_finite()),
    };
    let (from, to) = (border(from, f64::NEG_INFINITY)?, border(to, f64::INFINITY)?);
    (from < to).then_some(Range::Values(from, to))
}

fn total(values: &[(f64, f64)]) -> f64 {
    values.iter().map(|(_, count)| count).sum()
}

/// The smallest value that so many values do not exceed.
fn percentile(values: &[(f64, f64)], percent: f64) -> f64 {
    let wanted = total(values) * percent / 100.0;
    let mut below = 0.0;
    for (value, count) in values {
        below += count;
        // Sums of counts need not be exact.
        if below >= wanted - 1e-9 {
            return *value;
        }
    }
    values.last().map_or(0.0, |(value, _)| *value)
}

fn within(values: &[(f64, f64)], kind: Kind, range: Range) -> Option<f64> {
    let all = total(values);
    let mut inside = Vec::new();
    let (mut before, mut below, mut above) = (0.0, 0.0, 0.0);
    for &(value, count) in values {
        let (kept_below, kept) = match range {
            Range::Percent(from, to) => {
                let (from, to) = (all * from / 100.0, all * to / 100.0);
                let under = (from - before).clamp(0.0, count);
                (under, ((before + count).min(to) - before.max(from)).clamp(0.0, count))
            }
            Range::Values(from, _) if value <= from => (count, 0.0),
            Range::Values(_, to) if value > to => (0.0, 0.0),
            Range::Values(..) => (0.0, count),
        };
        before += count;
        below += kept_below;
        above += count - kept_below - kept;
        if kept > 1e-9 {
            inside.push((value, kept));
        }
    }
    let (count, sum) = (total(&inside), inside.iter().map(|(value, n)| value * n).sum::<f64>());
    match kind {
        Kind::Count => Some(count),
        Kind::Rank => Some(100.0 * count / all),
        Kind::Sum => Some(sum),
        Kind::Mean => (count > 0.0).then(|| sum / count),
        Kind::Winsorized => {
            let (lowest, highest) = match range {
                Range::Values(from, to) if from.is_finite() && to.is_finite() => (from, to),
                Range::Values(from, _) if from.is_finite() => (from, inside.last()?.0),
                Range::Values(_, to) => (inside.first()?.0, to),
                Range::Percent(..) => (inside.first()?.0, inside.last()?.0),
            };
            Some((sum + lowest * below + highest * above) / all)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reckon(name: &str, summary: &Summary) -> Option<f64> {
        Statistic::parse(name).expect(name).of(summary)
    }

    fn to_hundred() -> Summary {
        let mut summary = Summary::default();
        (1..=100).for_each(|value| summary.add(f64::from(value), 1.0));
        summary
    }

    #[test]
    fn statistics_of_the_first_hundred_numbers() {
        let summary = to_hundred();
        for (name, expected) in [
            ("SampleCount", 100.0),
            ("Average", 50.5),
            ("Sum", 5050.0),
            ("Minimum", 1.0),
            ("Maximum", 100.0),
            ("p0", 1.0),
            ("p50", 50.0),
            ("p99", 99.0),
            ("p99.9", 100.0),
            ("p100", 100.0),
            ("tm90", 45.5),
            ("TM(10%:90%)", 50.5),
            ("TM(:90%)", 45.5),
            ("TM(90%:)", 95.5),
            ("TM(10:20)", 15.5),
            ("tc90", 90.0),
            ("TC(0.005:0.030)", 0.0),
            ("TC(50:)", 50.0),
            ("ts10", 55.0),
            ("PR(:30)", 30.0),
            ("PR(30:50)", 20.0),
            ("wm90", 49.95),
            ("WM(10%:90%)", 50.5),
            ("IQM", 50.5),
        ] {
            assert_eq!(reckon(name, &summary), Some(expected), "{name}");
        }
        assert_eq!(reckon("TM(200:300)", &summary), None);
    }

    #[test]
    fn names_that_are_no_statistics() {
        for name in [
            "",
            "average",
            "p",
            "p101",
            "p-1",
            "p1e1",
            "pr90",
            "PR(10%:90%)",
            "TM(:)",
            "TM(90%:10%)",
            "TM(1:2",
            "tm",
            "xx50",
            "p99.99999999999",
            "TM(10%:200)",
            "ü9",
            "pNaN",
            "TM(NaN:3)",
        ] {
            assert_eq!(Statistic::parse(name), None, "{name}");
        }
    }

    #[test]
    fn percentiles_need_the_values_and_none_below_zero() {
        let mut summary = Summary::totals(3.0, 6.0, 1.0, 3.0);
        assert_eq!((reckon("Average", &summary), reckon("p50", &summary)), (Some(2.0), None));
        summary = Summary::of(-1.0, 1.0);
        assert_eq!((reckon("Minimum", &summary), reckon("p50", &summary)), (Some(-1.0), None));
        assert_eq!(reckon("p50", &Summary::totals(5.0, 10.0, 2.0, 2.0)), Some(2.0));
    }
}
