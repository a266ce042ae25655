//! When a secret is rotated: every so many days or hours, or as a `cron(…)` expression says. All times are UTC.

use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};

use super::cron::Cron;
use crate::error::Error;

const HOUR_MILLIS: i64 = 3_600_000;
const DAY_MILLIS: i64 = 24 * HOUR_MILLIS;
/// AWS rotates no secret more often.
const LEAST_HOURS: i64 = 4;
/// The longest interval.
const MOST_DAYS: i64 = 1000;

/// A rotation schedule with the length of its windows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Schedule {
    rhythm: Rhythm,
    window_hours: Option<i64>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Rhythm {
    Days(i64),
    Hours(i64),
    Cron(Cron),
}

impl Schedule {
    /// The schedule of rules, if they have one.
    pub(crate) fn parse(
        after_days: Option<i64>,
        expression: Option<&str>,
        duration: Option<&str>,
    ) -> Result<Option<Schedule>, Error> {
        let rhythm = match (after_days, expression) {
            (Some(_), Some(_)) => {
                return Err(Error::invalid(
                    "You cannot specify both rotation frequency and schedule expression together.",
                ));
            }
            (Some(days), None) => Rhythm::Days(days),
            (None, Some(expression)) => rhythm(expression).ok_or_else(|| {
                // AWS's words are not known.
                Error::invalid(format!("The schedule expression {expression} is not valid."))
            })?,
            (None, None) => return Ok(None),
        };
        let window_hours = duration.map(hours).transpose()?;
        let schedule = Schedule { rhythm, window_hours };
        match schedule.is_within_its_day() {
            true => Ok(Some(schedule)),
            // AWS's words are not known; the rule is that of its reference.
            false => Err(Error::invalid(
                "The rotation window must not extend into the next UTC day or the next rotation window.",
            )),
        }
    }

    fn is_within_its_day(&self) -> bool {
        let Some(window) = self.window_hours else { return true };
        match &self.rhythm {
            Rhythm::Days(_) => window <= 24,
            Rhythm::Hours(hours) => window <= *hours && window <= 24,
            Rhythm::Cron(cron) => {
                let hours: Vec<i64> = cron.hours().map(i64::from).collect();
                let gaps = hours.windows(2).all(|pair| pair[0] + window <= pair[1]);
                gaps && hours.last().is_none_or(|last| last + window <= 24)
            }
        }
    }

    /// When the window after `from` opens and closes.
    ///
    /// Where the hours of a rate are counted from is not documented: here, from the full hour of the last rotation.
    pub(crate) fn next(&self, from_millis: i64) -> Option<(i64, i64)> {
        let midnight = from_millis - from_millis.rem_euclid(DAY_MILLIS);
        let opens = match &self.rhythm {
            Rhythm::Days(days) => midnight + days * DAY_MILLIS,
            Rhythm::Hours(hours) => {
                from_millis - from_millis.rem_euclid(HOUR_MILLIS) + hours * HOUR_MILLIS
            }
            Rhythm::Cron(cron) => {
                let from = Timestamp::from_millisecond(from_millis).ok()?;
                let from = from.to_zoned(TimeZone::UTC).datetime();
                let (day, hour) = cron.after(from.date(), from.hour())?;
                let opens = day.at(hour, 0, 0, 0).to_zoned(TimeZone::UTC).ok()?;
                opens.timestamp().as_millisecond()
            }
        };
        let is_hourly = match &self.rhythm {
            Rhythm::Days(_) => false,
            Rhythm::Hours(_) => true,
            Rhythm::Cron(cron) => cron.is_hourly,
        };
        let closes = match self.window_hours {
            Some(hours) => opens + hours * HOUR_MILLIS,
            None if is_hourly => opens + HOUR_MILLIS,
            // The end of the day, to the second.
            None => opens - opens.rem_euclid(DAY_MILLIS) + DAY_MILLIS - 1000,
        };
        Some((opens, closes))
    }

    /// The interval in days, rounded up, as `DescribeSecret` shows it.
    pub(crate) fn days(&self, from_millis: i64) -> Option<i64> {
        Some(match &self.rhythm {
            Rhythm::Days(days) => *days,
            Rhythm::Hours(hours) => (hours + 23) / 24,
            Rhythm::Cron(_) => {
                let (first, _) = self.next(from_millis)?;
                let (second, _) = self.next(first)?;
                (second - first + DAY_MILLIS - 1) / DAY_MILLIS
            }
        })
    }
}

fn rhythm(expression: &str) -> Option<Rhythm> {
    let inner = |name| expression.trim().strip_prefix(name)?.strip_suffix(')');
    if let Some(fields) = inner("cron(") {
        let cron = Cron::parse(fields)?;
        let hours: Vec<i64> = cron.hours().map(i64::from).collect();
        let is_rare = hours.windows(2).all(|pair| pair[1] - pair[0] >= LEAST_HOURS);
        return is_rare.then_some(Rhythm::Cron(cron));
    }
    let (number, unit) = inner("rate(")?.trim().split_once(char::is_whitespace)?;
    let number: i64 = number.parse().ok()?;
    match (number, unit.trim()) {
        (1, "day") => Some(Rhythm::Days(1)),
        (2..=MOST_DAYS, "days") => Some(Rhythm::Days(number)),
        (LEAST_HOURS.., "hours") if number <= MOST_DAYS * 24 => Some(Rhythm::Hours(number)),
        _ => None,
    }
}

fn hours(duration: &str) -> Result<i64, Error> {
    let hours = duration.strip_suffix('h').and_then(|hours| hours.parse::<i64>().ok());
    hours.filter(|hours| (1..=24).contains(hours)).ok_or_else(|| {
        // AWS's words are not known.
        Error::invalid(format!("The rotation window duration {duration} is not valid."))
    })
}

/// Midnight of the day of a time, in UTC: with what precision AWS shows when something was read.
pub(crate) fn midnight(millis: i64) -> i64 {
    millis - millis.rem_euclid(DAY_MILLIS)
}

/// A time so many days later.
pub(crate) fn days_after(millis: i64, days: i64) -> i64 {
    let later =
        Timestamp::from_millisecond(millis).and_then(|time| time.checked_add((days * 24).hours()));
    later.map_or(i64::MAX, Timestamp::as_millisecond)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn millis(text: &str) -> i64 {
        text.parse::<Timestamp>().expect("a time").as_millisecond()
    }

    #[test]
    fn windows_open_and_close() {
        let from = millis("2026-01-01T13:20:00Z");
        for (days, expression, duration, opens, closes) in [
            (Some(7), None, None, "2026-01-08T00:00:00Z", "2026-01-08T23:59:59Z"),
            (Some(7), None, Some("3h"), "2026-01-08T00:00:00Z", "2026-01-08T03:00:00Z"),
            (None, Some("rate(1 day)"), None, "2026-01-02T00:00:00Z", "2026-01-02T23:59:59Z"),
            (None, Some("rate(4 hours)"), None, "2026-01-01T17:00:00Z", "2026-01-01T18:00:00Z"),
            (None, Some("cron(0 2 * * ? *)"), None, "2026-01-02T02:00:00Z", "2026-01-02T23:59:59Z"),
            (
                None,
                Some("cron(0 8,20 * * ? *)"),
                None,
                "2026-01-01T20:00:00Z",
                "2026-01-01T21:00:00Z",
            ),
        ] {
            let schedule = Schedule::parse(days, expression, duration).expect("rules");
            let next = schedule.expect("a schedule").next(from);
            assert_eq!(next, Some((millis(opens), millis(closes))), "{days:?} {expression:?}");
        }
    }

    #[test]
    fn what_aws_would_not_rotate_by_is_refused() {
        for (days, expression, duration) in [
            (Some(1), Some("rate(2 days)"), None),
            (None, Some("rate(3 hours)"), None),
            (None, Some("rate(1 days)"), None),
            (None, Some("rate(10 minutes)"), None),
            (None, Some("cron(0 /2 * * ? *)"), None),
            (None, Some("every day"), None),
            (Some(3), None, Some("25h")),
            (None, Some("cron(0 22 * * ? *)"), Some("3h")),
            (None, Some("rate(4 hours)"), Some("5h")),
        ] {
            let outcome = Schedule::parse(days, expression, duration);
            assert!(outcome.is_err(), "{days:?} {expression:?} {duration:?}");
        }
        assert_eq!(Schedule::parse(None, None, None).expect("nothing"), None);
    }

    #[test]
    fn intervals_are_shown_in_days() {
        let days = |expression| {
            let schedule = Schedule::parse(None, Some(expression), None).expect("rules");
            schedule.expect("a schedule").days(millis("2026-01-01T13:20:00Z"))
        };
        assert_eq!(days("rate(10 hours)"), Some(1));
        assert_eq!(days("rate(30 days)"), Some(30));
        assert_eq!(days("cron(0 0 1 * ? *)"), Some(28));
        assert_eq!(days("cron(0 0 ? * MON *)"), Some(7));
    }
}
