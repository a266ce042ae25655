//! Schedules: `rate(5 minutes)` and `cron(0 12 ? * MON-FRI *)`, in UTC.

use jiff::civil::{Date, date};
use jiff::tz::TimeZone;

const MINUTE_MILLIS: i64 = 60_000;
const YEARS: std::ops::RangeInclusive<i16> = 1970..=2199;
const MONTHS: [&str; 12] =
    ["JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"];
const DAYS: [&str; 7] = ["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"];

/// When a rule fires by itself.
#[derive(Clone, Debug, PartialEq)]
pub enum Schedule {
    /// After every span of so many milliseconds.
    Rate(i64),
    /// At these minutes.
    Cron(Box<Cron>),
}

/// The minutes of a `cron` expression.
#[derive(Clone, Debug, PartialEq)]
pub struct Cron {
    minutes: Set,
    hours: Set,
    days: Days,
    months: Set,
    years: Set,
}

/// Numbers, as a bit each above a lowest one.
#[derive(Clone, Debug, Default, PartialEq)]
struct Set {
    lowest: i16,
    bits: [u64; 4],
}

impl Set {
    fn put(&mut self, number: i16) {
        let place = usize::try_from(number - self.lowest).unwrap_or_default();
        self.bits[place / 64] |= 1 << (place % 64);
    }

    fn has(&self, number: i16) -> bool {
        usize::try_from(number - self.lowest).is_ok_and(|place| {
            self.bits.get(place / 64).is_some_and(|bits| bits >> (place % 64) & 1 == 1)
        })
    }
}

/// Which days of a month.
#[derive(Clone, Debug, PartialEq)]
enum Days {
    OfMonth(Vec<DayOfMonth>),
    OfWeek(Vec<DayOfWeek>),
}

#[derive(Clone, Debug, PartialEq)]
enum DayOfMonth {
    Any(Set),
    /// So many days before the last.
    Last(i8),
    /// The weekday that is nearest to a day.
    Weekday(i8),
    LastWeekday,
}

#[derive(Clone, Debug, PartialEq)]
enum DayOfWeek {
    Any(Set),
    /// The last of the month.
    Last(i16),
    /// The so-manieth of the month.
    Nth(i16, i8),
}

impl Schedule {
    /// `None` for what AWS refuses.
    pub fn parse(text: &str) -> Option<Schedule> {
        let inside = |name: &str| text.strip_prefix(name)?.strip_prefix('(')?.strip_suffix(')');
        match inside("rate") {
            Some(rate) => parse_rate(rate),
            None => Some(Schedule::Cron(Box::new(Cron::parse(inside("cron")?)?))),
        }
    }

    /// When it fires next after a time, in milliseconds since 1970; rates count from `since`.
    pub fn next(&self, since_millis: i64, after_millis: i64) -> Option<i64> {
        match self {
            Schedule::Rate(span) => {
                let passed = after_millis.checked_sub(since_millis)?.div_euclid(*span).max(0);
                since_millis.checked_add(passed.checked_add(1)?.checked_mul(*span)?)
            }
            Schedule::Cron(cron) => cron.next(after_millis),
        }
    }
}

fn parse_rate(text: &str) -> Option<Schedule> {
    let (count, unit) = text.split_once(' ')?;
    if !count.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let count: i64 = count.parse().ok().filter(|count| *count > 0)?;
    let minutes = match (unit, count == 1) {
        ("minute", true) | ("minutes", false) => 1,
        ("hour", true) | ("hours", false) => 60,
        ("day", true) | ("days", false) => 24 * 60,
        _ => return None,
    };
    Some(Schedule::Rate(count.checked_mul(minutes * MINUTE_MILLIS)?))
}

impl Cron {
    fn parse(text: &str) -> Option<Cron> {
        let fields: Vec<&str> = text.split_ascii_whitespace().collect();
        let [minutes, hours, of_month, months, of_week, years] = fields[..] else { return None };
        let days = match (of_month, of_week) {
            ("?", "?") => return None,
            (of_month, "?") => Days::OfMonth(listed(of_month, day_of_month)?),
            ("?", of_week) => Days::OfWeek(listed(of_week, day_of_week)?),
            _ => return None,
        };
        Some(Cron {
            minutes: set(minutes, 0, 59, &[])?,
            hours: set(hours, 0, 23, &[])?,
            days,
            months: set(months, 1, 12, &MONTHS)?,
            years: set(years, *YEARS.start(), *YEARS.end(), &[])?,
        })
    }

    fn next(&self, after_millis: i64) -> Option<i64> {
        let from = after_millis.max(-MINUTE_MILLIS).div_euclid(MINUTE_MILLIS) + 1;
        let from = jiff::Timestamp::from_second(from * 60).ok()?.to_zoned(TimeZone::UTC);
        let mut day = from.date();
        // The first day may be half over.
        let mut first = from.hour() as i16 * 60 + from.minute() as i16;
        while day.year() <= *YEARS.end() {
            if !self.years.has(day.year()) {
                day = date(day.year() + 1, 1, 1);
            } else if !self.months.has(day.month().into()) {
                day = day.last_of_month().tomorrow().ok()?;
            } else {
                if self.days.has(day)
                    && let Some(minute) = (first..24 * 60).find(|minute| self.has_minute(*minute))
                {
                    let at = day.at((minute / 60) as i8, (minute % 60) as i8, 0, 0);
                    let at = at.to_zoned(TimeZone::UTC).ok()?;
                    return Some(at.timestamp().as_millisecond());
                }
                day = day.tomorrow().ok()?;
            }
            first = 0;
        }
        None
    }

    fn has_minute(&self, minute: i16) -> bool {
        self.hours.has(minute / 60) && self.minutes.has(minute % 60)
    }
}

impl Days {
    fn has(&self, day: Date) -> bool {
        match self {
            Days::OfMonth(days) => days.iter().any(|known| known.is(day)),
            Days::OfWeek(days) => days.iter().any(|known| known.is(day)),
        }
    }
}

/// The day of the week as AWS counts: 1 is Sunday.
fn weekday(day: Date) -> i16 {
    i16::from(day.weekday().to_sunday_one_offset())
}

impl DayOfMonth {
    fn is(&self, day: Date) -> bool {
        let last = day.days_in_month();
        match self {
            DayOfMonth::Any(days) => days.has(day.day().into()),
            DayOfMonth::Last(before) => day.day() == last - before,
            DayOfMonth::Weekday(wanted) => *wanted <= last && day.day() == nearest(day, *wanted),
            DayOfMonth::LastWeekday => {
                (2..=6).contains(&weekday(day))
                    && (day.day() == last || (weekday(day) == 6 && last - day.day() <= 2))
            }
        }
    }
}

/// The weekday of the same month that is nearest to a day of it.
fn nearest(of: Date, wanted: i8) -> i8 {
    let day = date(of.year(), of.month(), wanted);
    match weekday(day) {
        7 if wanted == 1 => 3,
        7 => wanted - 1,
        1 if wanted == of.days_in_month() => wanted - 2,
        1 => wanted + 1,
        _ => wanted,
    }
}

impl DayOfWeek {
    fn is(&self, day: Date) -> bool {
        match self {
            DayOfWeek::Any(days) => days.has(weekday(day)),
            DayOfWeek::Last(wanted) => {
                weekday(day) == *wanted && day.day() + 7 > day.days_in_month()
            }
            DayOfWeek::Nth(wanted, nth) => {
                weekday(day) == *wanted && (day.day() - 1) / 7 + 1 == *nth
            }
        }
    }
}

fn listed<T>(text: &str, parse: fn(&str) -> Option<T>) -> Option<Vec<T>> {
    text.split(',').map(parse).collect()
}

fn day_of_month(text: &str) -> Option<DayOfMonth> {
    let day = |text: &str| text.parse::<i8>().ok().filter(|day| (1..=31).contains(day));
    if text == "L" {
        return Some(DayOfMonth::Last(0));
    }
    if text == "LW" {
        return Some(DayOfMonth::LastWeekday);
    }
    if let Some(before) = text.strip_prefix("L-") {
        return before
            .parse()
            .ok()
            .filter(|before| (1..=30).contains(before))
            .map(DayOfMonth::Last);
    }
    if let Some(of) = text.strip_suffix('W') {
        return day(of).map(DayOfMonth::Weekday);
    }
    set(text, 1, 31, &[]).map(DayOfMonth::Any)
}

fn day_of_week(text: &str) -> Option<DayOfWeek> {
    if text == "L" {
        return Some(DayOfWeek::Any(set("7", 1, 7, &[])?));
    }
    if let Some(day) = text.strip_suffix('L') {
        return number(day, 1, 7, &DAYS).map(DayOfWeek::Last);
    }
    if let Some((day, nth)) = text.split_once('#') {
        let nth = nth.parse().ok().filter(|nth| (1..=5).contains(nth))?;
        return Some(DayOfWeek::Nth(number(day, 1, 7, &DAYS)?, nth));
    }
    set(text, 1, 7, &DAYS).map(DayOfWeek::Any)
}

fn number(text: &str, lowest: i16, highest: i16, names: &[&str]) -> Option<i16> {
    let named = names.iter().position(|name| name.eq_ignore_ascii_case(text));
    if let Some(place) = named {
        return Some(lowest + i16::try_from(place).ok()?);
    }
    let is_digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    is_digits.then(|| text.parse().ok())?.filter(|number| (lowest..=highest).contains(number))
}

/// A list of numbers, ranges and steps.
fn set(text: &str, lowest: i16, highest: i16, names: &[&str]) -> Option<Set> {
    let mut set = Set { lowest, bits: [0; 4] };
    for part in text.split(',') {
        let (range, step) = match part.split_once('/') {
            Some((range, step)) => (range, Some(number(step, 1, highest, &[])?)),
            None => (part, None),
        };
        let (first, last) = match range.split_once('-') {
            _ if range == "*" => (lowest, highest),
            Some((first, last)) => {
                (number(first, lowest, highest, names)?, number(last, lowest, highest, names)?)
            }
            None => {
                let first = number(range, lowest, highest, names)?;
                (first, if step.is_some() { highest } else { first })
            }
        };
        let step = step.unwrap_or(1);
        // What ends before it begins goes round, such as FRI-MON.
        let numbers = match first <= last {
            true => first..=last,
            false => first..=last + (highest - lowest + 1),
        };
        for number in numbers.step_by(usize::try_from(step).ok()?) {
            set.put(if number > highest { number - (highest - lowest + 1) } else { number });
        }
    }
    Some(set)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn next(schedule: &str, after: &str) -> String {
        let schedule = Schedule::parse(schedule).expect("a schedule");
        let after: jiff::Timestamp = after.parse().expect("a time");
        let next = schedule.next(0, after.as_millisecond());
        next.map_or("never".into(), |next| {
            jiff::Timestamp::from_millisecond(next).expect("a time").to_string()
        })
    }

    #[test]
    fn rates_count_from_their_beginning() {
        let rate = Schedule::parse("rate(5 minutes)").expect("a schedule");
        let (since, span) = (1_000, 300_000);
        assert_eq!(rate.next(since, since), Some(since + span));
        assert_eq!(rate.next(since, since + span - 1), Some(since + span));
        assert_eq!(rate.next(since, since + span), Some(since + 2 * span));
        assert_eq!(rate.next(since, since + 10 * span + 1), Some(since + 11 * span));
        // The clock may have been set back.
        assert_eq!(rate.next(since, 0), Some(since + span));
    }

    #[test]
    fn minutes_of_cron() {
        let friday = "2026-01-02T12:00:00Z";
        for (expression, expected) in [
            ("0 12 * * ? *", "2026-01-03T12:00:00Z"),
            ("* * * * ? *", "2026-01-02T12:01:00Z"),
            ("0/15 * * * ? *", "2026-01-02T12:15:00Z"),
            ("5-7,50 11-12 ? * * *", "2026-01-02T12:05:00Z"),
            ("0 18 ? * MON-FRI *", "2026-01-02T18:00:00Z"),
            ("0 10 ? * mon-fri *", "2026-01-05T10:00:00Z"),
            ("0 8 1 * ? *", "2026-02-01T08:00:00Z"),
            ("0 8 L * ? *", "2026-01-31T08:00:00Z"),
            ("0 8 L-2 * ? *", "2026-01-29T08:00:00Z"),
            ("0 8 LW FEB ? *", "2026-02-27T08:00:00Z"),
            ("0 8 31W * ? *", "2026-01-30T08:00:00Z"),
            ("0 8 1W AUG ? *", "2026-08-03T08:00:00Z"),
            ("0 8 ? * 6L *", "2026-01-30T08:00:00Z"),
            ("0 8 ? * 2#1 *", "2026-01-05T08:00:00Z"),
            ("0 8 ? * TUE#5 *", "2026-03-31T08:00:00Z"),
            ("0 8 ? * FRI-SUN *", "2026-01-03T08:00:00Z"),
            ("0 0 29 2 ? *", "2028-02-29T00:00:00Z"),
            ("30 23 31 DEC ? 2030/5", "2030-12-31T23:30:00Z"),
            ("0 0 30 2 ? *", "never"),
            ("0 0 1 1 ? 2025", "never"),
        ] {
            assert_eq!(next(&format!("cron({expression})"), friday), expected, "{expression}");
        }
    }

    #[test]
    fn what_aws_refuses() {
        for text in [
            "",
            "rate",
            "rate()",
            "rate(0 minutes)",
            "rate(1 minutes)",
            "rate(2 minute)",
            "rate(-1 days)",
            "rate(5 seconds)",
            "rate( 5 minutes)",
            "rate(99999999999999999999 days)",
            "rate(+5 minutes)",
            "rate(999999999999999999 days)",
            "at(2026-01-01T00:00:00)",
            "cron()",
            "cron(0 12 * * * *)",
            "cron(0 12 ? * ? *)",
            "cron(60 12 * * ? *)",
            "cron(0 24 * * ? *)",
            "cron(0 12 0 * ? *)",
            "cron(0 12 32 * ? *)",
            "cron(0 12 * 13 ? *)",
            "cron(0 12 ? * 8 *)",
            "cron(0 12 ? * MON#6 *)",
            "cron(0 12 * * ?)",
            "cron(0 12 * * ? 1969)",
            "cron(0/0 12 * * ? *)",
            "cron(0 12 1 JAN MON *)",
        ] {
            assert_eq!(Schedule::parse(text), None, "{text}");
        }
    }

    proptest::proptest! {
        #[test]
        fn no_text_harms(text in "(rate|cron)\\([0-9*?LW#,/ A-Z-]{0,20}\\)", at in 0i64..7_000_000_000_000) {
            if let Some(schedule) = Schedule::parse(&text)
                && let Some(next) = schedule.next(0, at)
            {
                proptest::prop_assert!(next > at);
            }
        }

        #[test]
        fn nothing_is_left_out(minute in 0u8..60, hour in 0u8..24, at in 0i64..2_000_000_000_000) {
            let schedule = Schedule::parse(&format!("cron({minute} {hour} * * ? *)")).expect("a schedule");
            let next = schedule.next(0, at).expect("a time");
            proptest::prop_assert!(next - at <= 24 * 3_600_000);
            proptest::prop_assert_eq!(schedule.next(0, next), Some(next + 24 * 3_600_000));
        }
    }
}
