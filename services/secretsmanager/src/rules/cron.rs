//! `cron(…)` in the dialect of rotation schedules: at full hours, every year.

use jiff::ToSpan;
use jiff::civil::Date;

/// How far ahead a day is looked for that an expression means; the 29th of February can be eight years away.
const DAYS_AHEAD: usize = 366 * 9;

/// A parsed `cron(0 HOURS DAY-OF-MONTH MONTH DAY-OF-WEEK *)`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Cron {
    /// One bit for each hour.
    hours: u32,
    day: Day,
    /// One bit for each month from 1.
    months: u32,
    /// Whether it means more than one hour of a day.
    pub(crate) is_hourly: bool,
}

/// Which days of a month are meant; one of the two fields of an expression is always open.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Day {
    /// One bit for each day of the month from 1, and whether the last is meant, too.
    OfMonth { days: u32, is_last: bool },
    /// One bit for each day of the week; Sunday is 1.
    OfWeek(u32),
    /// The nth such day of the week, as in `TUE#2`.
    Nth { weekday: i8, nth: i8 },
    /// The last such day of the week, as in `6L`.
    Last(i8),
}

const MONTHS: [&str; 12] =
    ["JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"];
const WEEKDAYS: [&str; 7] = ["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"];

impl Cron {
    /// Parses what stands between the brackets.
    pub(crate) fn parse(fields: &str) -> Option<Cron> {
        let fields: Vec<&str> = fields.split_whitespace().collect();
        let [minutes, hours, day_of_month, months, day_of_week, year] = fields[..] else {
            return None;
        };
        if minutes.parse() != Ok(0) || year != "*" {
            return None;
        }
        let hour_bits = bits(hours, 0, 23, &[])?;
        let day = match (day_of_month, day_of_week) {
            ("?" | "*", "?" | "*") => Day::OfMonth { days: u32::MAX, is_last: false },
            (days, "?" | "*") => day_of_month_field(days)?,
            ("?" | "*", days) => day_of_week_field(days)?,
            _ => return None,
        };
        Some(Cron {
            hours: hour_bits,
            day,
            months: bits(months, 1, 12, &MONTHS)?,
            is_hourly: hour_bits.count_ones() > 1,
        })
    }

    /// The hours of a day, in order.
    pub(crate) fn hours(&self) -> impl Iterator<Item = i8> + '_ {
        (0..24).filter(|hour| self.hours & (1 << hour) != 0)
    }

    /// The first hour that is meant after `hour` of `date`.
    pub(crate) fn after(&self, date: Date, hour: i8) -> Option<(Date, i8)> {
        let mut day = date;
        for _ in 0..DAYS_AHEAD {
            if self.means(day) {
                let mut hours = self.hours();
                let next = hours.find(|candidate| day != date || *candidate > hour);
                if let Some(next) = next {
                    return Some((day, next));
                }
            }
            day = day.checked_add(1.day()).ok()?;
        }
        None
    }

    fn means(&self, date: Date) -> bool {
        if self.months & (1 << date.month()) == 0 {
            return false;
        }
        let weekday = date.weekday().to_sunday_one_offset();
        let is_in_last_week = date.day() + 7 > date.days_in_month();
        match self.day {
            Day::OfMonth { days, is_last } => {
                days & (1 << date.day()) != 0 || (is_last && date.day() == date.days_in_month())
            }
            Day::OfWeek(days) => days & (1 << weekday) != 0,
            Day::Nth { weekday: wanted, nth } => {
                weekday == wanted && (date.day() - 1) / 7 + 1 == nth
            }
            Day::Last(wanted) => weekday == wanted && is_in_last_week,
        }
    }
}

fn day_of_month_field(text: &str) -> Option<Day> {
    let (is_last, rest): (Vec<&str>, Vec<&str>) = text.split(',').partition(|part| *part == "L");
    let days = match rest.is_empty() {
        true => 0,
        false => bits(&rest.join(","), 1, 31, &[])?,
    };
    Some(Day::OfMonth { days, is_last: !is_last.is_empty() })
}

fn day_of_week_field(text: &str) -> Option<Day> {
    if let Some((weekday, nth)) = text.split_once('#') {
        let nth = nth.parse().ok().filter(|nth| (1..=5).contains(nth))?;
        return Some(Day::Nth { weekday: number(weekday, 1, 7, &WEEKDAYS)? as i8, nth });
    }
    match text.strip_suffix('L') {
        // A bare L is the last day of the week.
        Some("") => Some(Day::OfWeek(1 << 7)),
        Some(weekday) => Some(Day::Last(number(weekday, 1, 7, &WEEKDAYS)? as i8)),
        None => Some(Day::OfWeek(bits(text, 1, 7, &WEEKDAYS)?)),
    }
}

/// A list of values, ranges and steps, as bits.
fn bits(text: &str, first: u32, last: u32, names: &[&str]) -> Option<u32> {
    let mut bits = 0;
    for part in text.split(',') {
        let (range, step) = match part.split_once('/') {
            Some((range, step)) => (range, Some(step.parse().ok().filter(|step| *step > 0)?)),
            None => (part, None),
        };
        let (from, to) = match range.split_once('-') {
            Some((from, to)) => {
                (number(from, first, last, names)?, number(to, first, last, names)?)
            }
            None if range == "*" || (range.is_empty() && step.is_some()) => (first, last),
            None => {
                let from = number(range, first, last, names)?;
                (from, if step.is_some() { last } else { from })
            }
        };
        if from > to {
            return None;
        }
        for value in (from..=to).step_by(step.unwrap_or(1)) {
            bits |= 1 << value;
        }
    }
    Some(bits)
}

fn number(text: &str, first: u32, last: u32, names: &[&str]) -> Option<u32> {
    if let Some(index) = names.iter().position(|name| name.eq_ignore_ascii_case(text)) {
        return Some(first + u32::try_from(index).ok()?);
    }
    text.parse().ok().filter(|number| (first..=last).contains(number))
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn expressions_mean_their_days() {
        for (fields, from, expected) in [
            ("0 2 * * ? *", (date(2026, 1, 1), 2), (date(2026, 1, 2), 2)),
            ("0 /8 * * ? *", (date(2026, 1, 1), 9), (date(2026, 1, 1), 16)),
            ("0 8,20 1 * ? *", (date(2026, 1, 1), 8), (date(2026, 1, 1), 20)),
            ("0 16 ? * MON *", (date(2026, 1, 1), 0), (date(2026, 1, 5), 16)),
            ("0 10 ? FEB,MAY TUE#2 *", (date(2026, 1, 1), 0), (date(2026, 2, 10), 10)),
            ("0 4 L * ? *", (date(2026, 2, 1), 0), (date(2026, 2, 28), 4)),
            ("0 4 29 2 ? *", (date(2026, 3, 1), 0), (date(2028, 2, 29), 4)),
            ("0 4 ? * 6L *", (date(2026, 1, 1), 0), (date(2026, 1, 30), 4)),
            ("0 0 1 1/3 ? *", (date(2026, 1, 1), 0), (date(2026, 4, 1), 0)),
        ] {
            let cron = Cron::parse(fields).expect(fields);
            assert_eq!(cron.after(from.0, from.1), Some(expected), "{fields}");
        }
    }

    #[test]
    fn what_is_no_schedule_is_refused() {
        for fields in [
            "",
            "0 2 * * ?",
            "5 2 * * ? *",
            "0 24 * * ? *",
            "0 2 1 * 2 *",
            "0 2 * 13 ? *",
            "0 2 ? * 8 *",
            "0 2 * * ? 2027",
            "0 5-2 * * ? *",
            "0 2/0 * * ? *",
            "0 2 ? * 2#6 *",
        ] {
            assert_eq!(Cron::parse(fields), None, "{fields}");
        }
        let never = Cron::parse("0 2 31 2 ? *").expect("an expression");
        assert_eq!(never.after(date(2026, 1, 1), 0), None);
    }

    proptest! {
        #[test]
        fn nothing_panics(fields in "[0-9A-Z*?/#,L -]{0,30}") {
            let next = Cron::parse(&fields).and_then(|cron| cron.after(date(2026, 1, 1), 5));
            if let Some(next) = next {
                prop_assert!(next > (date(2026, 1, 1), 5));
            }
        }
    }
}
