//! When an alarm is in which state, and in which words it says why.

use crate::model::{ComparisonOperator, StateValue};

/// How many periods beyond those that are evaluated are looked at, for values in place of missing ones. AWS's examples
/// have two.
pub(crate) const MORE_PERIODS: i64 = 2;

/// What an alarm watches for.
pub(crate) struct Test {
    pub(crate) comparison: ComparisonOperator,
    pub(crate) threshold: f64,
    pub(crate) evaluation_periods: usize,
    pub(crate) datapoints_to_alarm: usize,
    pub(crate) missing: Missing,
}

/// What a missing value counts as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Missing {
    /// The state is INSUFFICIENT_DATA when all are missing.
    Unknown,
    /// The state stays.
    Ignore,
    Breaching,
    NotBreaching,
}

impl Missing {
    /// Reads `TreatMissingData`.
    pub(crate) fn parse(text: Option<&str>) -> Option<Missing> {
        Some(match text {
            None | Some("missing") => Missing::Unknown,
            Some("ignore") => Missing::Ignore,
            Some("breaching") => Missing::Breaching,
            Some("notBreaching") => Missing::NotBreaching,
            Some(_) => return None,
        })
    }

    fn treated_as(self) -> &'static str {
        match self {
            Missing::Unknown => "Missing",
            Missing::Ignore => "Ignored",
            Missing::Breaching => "Breaching",
            Missing::NotBreaching => "NonBreaching",
        }
    }
}

/// The state that an alarm should be in, and why.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Verdict {
    pub(crate) state: StateValue,
    pub(crate) reason: String,
    /// The values upon which it rests, by the start of their periods; the newest first.
    pub(crate) evaluated: Vec<(i64, f64)>,
}

impl Test {
    fn breaches(&self, value: f64) -> bool {
        match self.comparison {
            ComparisonOperator::GreaterThanOrEqualToThreshold => value >= self.threshold,
            ComparisonOperator::GreaterThanThreshold => value > self.threshold,
            ComparisonOperator::LessThanThreshold => value < self.threshold,
            ComparisonOperator::LessThanOrEqualToThreshold => value <= self.threshold,
            // Those of anomaly detection are not accepted.
            _ => false,
        }
    }

    /// Judges the periods of the evaluation range, the newest first; nothing if the state stays.
    pub(crate) fn judge(&self, range: &[(i64, Option<f64>)]) -> Option<Verdict> {
        let real = range
            .iter()
            .enumerate()
            .filter_map(|(age, (time, value))| Some((age + 1, *time, (*value)?)));
        let real: Vec<(usize, i64, f64)> = real.take(self.evaluation_periods).collect();
        let missing = self.evaluation_periods - real.len();
        let breaching = real.iter().filter(|(_, _, value)| self.breaches(*value)).count();
        let enough = self.datapoints_to_alarm;
        let is_alarm = if missing == 0 {
            breaching >= enough
        } else {
            match self.missing {
                Missing::Breaching => breaching + missing >= enough,
                Missing::NotBreaching => breaching >= enough,
                Missing::Unknown | Missing::Ignore if breaching >= enough => true,
                other if real.is_empty() => match other {
                    Missing::Unknown => return Some(self.unknown()),
                    _ => return None,
                },
                // All that is there breaches, and it is there for long enough: what is missing does not help.
                other if breaching == real.len() => {
                    let is_old = real.iter().any(|(age, _, _)| *age >= enough);
                    if other == Missing::Ignore || !is_old {
                        return None;
                    }
                    true
                }
                _ => false,
            }
        };
        let state = if is_alarm { StateValue::Alarm } else { StateValue::Ok };
        let evaluated: Vec<(i64, f64)> =
            real.iter().map(|(_, time, value)| (*time, *value)).collect();
        let reason = self.reason(is_alarm, &evaluated, missing);
        Some(Verdict { state, reason, evaluated })
    }

    fn unknown(&self) -> Verdict {
        let count = self.evaluation_periods;
        let (points, were) = if count == 1 { ("datapoint", "was") } else { ("datapoints", "were") };
        let reason = format!("Insufficient Data: {count} {points} {were} unknown.");
        Verdict { state: StateValue::InsufficientData, reason, evaluated: Vec::new() }
    }

    /// The reason in AWS's words.
    fn reason(&self, is_alarm: bool, evaluated: &[(i64, f64)], missing: usize) -> String {
        let treated = self.missing.treated_as();
        let filled = match missing {
            0 => String::new(),
            1 => format!("1 missing datapoint was treated as [{treated}]"),
            more => format!("{more} missing datapoints were treated as [{treated}]"),
        };
        if evaluated.is_empty() {
            let periods = if missing == 1 { "period" } else { "periods" };
            return format!(
                "Threshold Crossed: no datapoints were received for {missing} {periods} and {filled}."
            );
        }
        let counted: Vec<String> = evaluated
            .iter()
            .filter(|(_, value)| self.breaches(*value) == is_alarm)
            .map(|(time, value)| format!("{value:?} ({})", short_date(*time)))
            .collect();
        let count = counted.len();
        let (verb, not) =
            (if count == 1 { "was" } else { "were" }, if is_alarm { "" } else { "not " });
        let (needed, change) = match is_alarm {
            true => (self.datapoints_to_alarm, "OK -> ALARM"),
            false => (self.evaluation_periods - self.datapoints_to_alarm + 1, "ALARM -> OK"),
        };
        let points = if needed == 1 { "datapoint" } else { "datapoints" };
        let filled = if filled.is_empty() { filled } else { format!(" and {filled}") };
        format!(
            "Threshold Crossed: {count} out of the last {} datapoints [{}] {verb} {not}{} the threshold \
             ({:?}){filled} (minimum {needed} {points} for {change} transition).",
            self.evaluation_periods,
            counted.join(", "),
            self.words(),
            self.threshold,
        )
    }

    fn words(&self) -> &'static str {
        match self.comparison {
            ComparisonOperator::GreaterThanOrEqualToThreshold => "greater than or equal to",
            ComparisonOperator::LessThanThreshold => "less than",
            ComparisonOperator::LessThanOrEqualToThreshold => "less than or equal to",
            _ => "greater than",
        }
    }
}

/// A time as reasons have it.
fn short_date(secs: i64) -> String {
    jiff::Timestamp::from_second(secs)
        .map(|time| time.strftime("%d/%m/%y %H:%M:%S").to_string())
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn states(enough: usize, points: &str) -> Vec<String> {
        let range: Vec<(i64, Option<f64>)> = points
            .split(' ')
            .rev()
            .map(|point| match point {
                "X" => Some(9.0),
                "0" => Some(1.0),
                _ => None,
            })
            .enumerate()
            .map(|(age, value)| (-60 * age as i64, value))
            .collect();
        let all = [Missing::Unknown, Missing::Ignore, Missing::Breaching, Missing::NotBreaching];
        let judged = all.map(|missing| {
            let test = Test {
                comparison: ComparisonOperator::GreaterThanThreshold,
                threshold: 5.0,
                evaluation_periods: 3,
                datapoints_to_alarm: enough,
                missing,
            };
            let verdict = test.judge(&range);
            verdict.map_or("stays".to_owned(), |verdict| verdict.state.as_str().to_owned())
        });
        judged.into_iter().collect()
    }

    /// The tables of AWS's guide on missing data, whose columns are missing, ignore, breaching, notBreaching.
    #[test]
    fn missing_data_counts_as_in_the_guide() {
        for (points, expected) in [
            ("0 - X - X", "OK OK OK OK"),
            ("- - - - 0", "OK OK OK OK"),
            ("- - - - -", "INSUFFICIENT_DATA stays ALARM OK"),
            ("0 X X - X", "ALARM ALARM ALARM ALARM"),
            ("- - X - -", "ALARM stays ALARM OK"),
        ] {
            assert_eq!(states(3, points).join(" "), expected, "3 of 3: {points}");
        }
        for (points, expected) in [
            ("0 - X - X", "ALARM ALARM ALARM ALARM"),
            ("0 0 X 0 X", "ALARM ALARM ALARM ALARM"),
            ("0 - X - -", "OK OK ALARM OK"),
            ("- - - - 0", "OK OK ALARM OK"),
            ("- - - X -", "ALARM stays ALARM OK"),
        ] {
            assert_eq!(states(2, points).join(" "), expected, "2 of 3: {points}");
        }
        assert_eq!(states(3, "- - - - X").join(" "), "stays stays ALARM OK", "too early");
    }
}
