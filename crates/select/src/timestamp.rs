//! Timestamps of Amazon Ion: as exact as they were given, with the offset that they were given in.

use std::cmp::Ordering;
use std::fmt;

use jiff::civil::DateTime;
use jiff::{SignedDuration, Span};

use crate::ast::DatePart;
use crate::error::Error;

/// How exact a timestamp is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Precision {
    Year,
    Month,
    Day,
    Minute,
    /// With so many digits of a second's fraction.
    Second(u8),
}

/// A point in time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stamp {
    /// As a clock at the offset shows it.
    pub(crate) local: DateTime,
    pub(crate) precision: Precision,
    /// In minutes; none where it is unknown.
    pub(crate) offset: Option<i32>,
}

impl Stamp {
    /// A time since 1970 in UTC.
    pub(crate) fn from_millis(millis: i64) -> Stamp {
        let time = jiff::Timestamp::from_millisecond(millis).unwrap_or(jiff::Timestamp::UNIX_EPOCH);
        let local = jiff::tz::Offset::UTC.to_datetime(time);
        Stamp { local, precision: Precision::Second(3), offset: Some(0) }
    }

    /// Reads Ion's form: `2007T`, `2007-02T`, `2007-02-23`, `2007-02-23T12:14Z`, `2007-02-23T12:14:33.079-08:00`.
    pub(crate) fn parse(text: &str) -> Option<Stamp> {
        let (date, time) = match text.split_once(['T', 't']) {
            Some((date, time)) => (date, Some(time)),
            None => (text, None),
        };
        let mut parts = date.split('-');
        let year = digits(parts.next()?, 4)?;
        let month = parts.next().map(|part| digits(part, 2));
        let day = parts.next().map(|part| digits(part, 2));
        if parts.next().is_some() {
            return None;
        }
        let (precision, month, day) = match (month, day) {
            (None, _) => (Precision::Year, 1, 1),
            (Some(month), None) => (Precision::Month, month?, 1),
            (Some(month), Some(day)) => (Precision::Day, month?, day?),
        };
        let rest = time.unwrap_or_default();
        // Without a day there must be a T, and nothing after it.
        if precision != Precision::Day && (time.is_none() || !rest.is_empty()) {
            return None;
        }
        let at =
            |hour, minute, second, nanos| civil([year, month, day, hour, minute, second], nanos);
        if rest.is_empty() {
            return Some(Stamp { local: at(0, 0, 0, 0)?, precision, offset: None });
        }
        let split = rest.find(['Z', 'z', '+', '-'])?;
        let (clock, offset) = rest.split_at(split);
        let offset = parse_offset(offset)?;
        let mut parts = clock.split(':');
        let (hour, minute) = (digits(parts.next()?, 2)?, digits(parts.next()?, 2)?);
        let second = parts.next();
        if parts.next().is_some() {
            return None;
        }
        let Some(second) = second else {
            let local = at(hour, minute, 0, 0)?;
            return Some(Stamp { local, precision: Precision::Minute, offset });
        };
        let (second, fraction) = match second.split_once('.') {
            None => (second, ""),
            Some((_, "")) => return None,
            Some(parts) => parts,
        };
        if fraction.len() > 9 {
            return None;
        }
        let nanos = match fraction {
            "" => 0,
            fraction => digits(fraction, fraction.len())? * 10i64.pow(9 - fraction.len() as u32),
        };
        let local = at(hour, minute, digits(second, 2)?, nanos)?;
        Some(Stamp { local, precision: Precision::Second(fraction.len() as u8), offset })
    }

    /// The moment, for which an unknown offset counts as none.
    fn utc(&self) -> DateTime {
        let offset = SignedDuration::from_mins(i64::from(self.offset.unwrap_or(0)));
        self.local.checked_sub(offset).unwrap_or(self.local)
    }

    pub(crate) fn compare(&self, other: &Stamp) -> Ordering {
        self.utc().cmp(&other.utc())
    }

    /// DATE_ADD: the result is as exact as the part.
    pub(crate) fn add(&self, part: DatePart, quantity: i64) -> Result<Stamp, Error> {
        let (span, least) = match part {
            DatePart::Year => (Span::new().try_years(quantity), Precision::Year),
            DatePart::Month => (Span::new().try_months(quantity), Precision::Month),
            DatePart::Day => (Span::new().try_days(quantity), Precision::Day),
            DatePart::Hour => (Span::new().try_hours(quantity), Precision::Minute),
            DatePart::Minute => (Span::new().try_minutes(quantity), Precision::Minute),
            DatePart::Second => (Span::new().try_seconds(quantity), Precision::Second(0)),
            DatePart::TimezoneHour | DatePart::TimezoneMinute => {
                return Err(Error::illegal_argument());
            }
        };
        let span = span.map_err(|_| Error::overflow())?;
        let local = self.local.checked_add(span).map_err(|_| Error::overflow())?;
        if !(1..=9999).contains(&local.year()) {
            return Err(Error::overflow());
        }
        Ok(Stamp { local, precision: self.precision.max(least), offset: self.offset })
    }

    /// DATE_DIFF: how many whole parts there are from this to the other.
    pub(crate) fn until(&self, other: &Stamp, part: DatePart) -> Result<i64, Error> {
        let (from, to) = (self.utc(), other.utc());
        let seconds = || from.duration_until(to).as_secs();
        let months = || {
            let whole = |from: DateTime, to: DateTime| {
                let count = (i64::from(to.year()) - i64::from(from.year())) * 12
                    + (i64::from(to.month()) - i64::from(from.month()));
                let tail = |time: DateTime| (time.day(), time.time());
                if tail(to) < tail(from) { count - 1 } else { count }
            };
            if from <= to { whole(from, to) } else { -whole(to, from) }
        };
        Ok(match part {
            DatePart::Year => months() / 12,
            DatePart::Month => months(),
            DatePart::Day => seconds() / 86_400,
            DatePart::Hour => seconds() / 3600,
            DatePart::Minute => seconds() / 60,
            DatePart::Second => seconds(),
            DatePart::TimezoneHour | DatePart::TimezoneMinute => {
                return Err(Error::illegal_argument());
            }
        })
    }

    /// EXTRACT; none where the offset is unknown.
    pub(crate) fn part(&self, part: DatePart) -> Option<i64> {
        let offset = self.offset.map(i64::from);
        Some(match part {
            DatePart::Year => self.local.year().into(),
            DatePart::Month => self.local.month().into(),
            DatePart::Day => self.local.day().into(),
            DatePart::Hour => self.local.hour().into(),
            DatePart::Minute => self.local.minute().into(),
            DatePart::Second => self.local.second().into(),
            DatePart::TimezoneHour => offset? / 60,
            DatePart::TimezoneMinute => offset? % 60,
        })
    }
}

/// A number of exactly so many digits.
pub(crate) fn digits(text: &str, count: usize) -> Option<i64> {
    let is_number = text.len() == count && text.bytes().all(|byte| byte.is_ascii_digit());
    if is_number { text.parse().ok() } else { None }
}

/// Year, month, day, hour, minute and second, if there is such a time.
pub(crate) fn civil(parts: [i64; 6], nanos: i64) -> Option<DateTime> {
    let [year, month, day, hour, minute, second] = parts;
    let small = |value: i64| i8::try_from(value).ok();
    DateTime::new(
        i16::try_from(year).ok().filter(|year| *year > 0)?,
        small(month)?,
        small(day)?,
        small(hour)?,
        small(minute)?,
        small(second)?,
        i32::try_from(nanos).ok()?,
    )
    .ok()
}

/// `Z`, `+hh:mm` or `-hh:mm`, of which `-00:00` is an offset that nobody knows.
fn parse_offset(text: &str) -> Option<Option<i32>> {
    if matches!(text, "Z" | "z") {
        return Some(Some(0));
    }
    let (hours, minutes) = text.get(1..)?.split_once(':')?;
    let (hours, minutes) = (digits(hours, 2)?, digits(minutes, 2)?);
    if hours > 23 || minutes > 59 {
        return None;
    }
    let total = i32::try_from(hours * 60 + minutes).ok()?;
    match text.starts_with('-') {
        true if total == 0 => Some(None),
        true => Some(Some(-total)),
        false => Some(Some(total)),
    }
}

impl fmt::Display for Stamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let local = self.local;
        write!(f, "{:04}", local.year())?;
        match self.precision {
            Precision::Year => return f.write_str("T"),
            Precision::Month => return write!(f, "-{:02}T", local.month()),
            _ => write!(f, "-{:02}-{:02}", local.month(), local.day())?,
        }
        if self.precision == Precision::Day {
            return Ok(());
        }
        write!(f, "T{:02}:{:02}", local.hour(), local.minute())?;
        if let Precision::Second(digits) = self.precision {
            write!(f, ":{:02}", local.second())?;
            if digits > 0 {
                let fraction = format!("{:09}", local.subsec_nanosecond());
                write!(f, ".{}", &fraction[..usize::from(digits).min(9)])?;
            }
        }
        match self.offset {
            None => f.write_str("-00:00"),
            Some(0) => f.write_str("Z"),
            Some(offset) => {
                let sign = if offset < 0 { '-' } else { '+' };
                write!(f, "{sign}{:02}:{:02}", offset.abs() / 60, offset.abs() % 60)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stamp(text: &str) -> Stamp {
        Stamp::parse(text).unwrap_or_else(|| panic!("{text} is a timestamp"))
    }

    #[test]
    fn timestamps_are_shown_as_they_were_given() {
        for text in [
            "2007T",
            "2007-02T",
            "2007-02-23",
            "2007-02-23T12:14Z",
            "2007-02-23T12:14:33.079-08:00",
            "2007-02-23T12:14:33+05:30",
            "2007-02-23T12:14-00:00",
        ] {
            assert_eq!(stamp(text).to_string(), text);
        }
        assert_eq!(stamp("2007-02-23T").to_string(), "2007-02-23");
        for text in
            ["", "2007", "2007-13T", "2007-02-30", "20070223T121433Z", "2007-02-23T12Z", "é"]
        {
            assert_eq!(Stamp::parse(text), None, "{text}");
        }
        for text in ["2007-02-23T12:14:33.Z", "2007-02-23T12:14:33.1234567890Z", "0000T"] {
            assert_eq!(Stamp::parse(text), None, "{text}");
        }
    }

    #[test]
    fn parts_are_added_as_in_the_user_guide() {
        let added =
            |part, quantity, text| stamp(text).add(part, quantity).expect("a time").to_string();
        assert_eq!(added(DatePart::Year, 5, "2010-01-01T"), "2015-01-01");
        assert_eq!(added(DatePart::Month, 1, "2010T"), "2010-02T");
        assert_eq!(added(DatePart::Month, 13, "2010T"), "2011-02T");
        assert_eq!(added(DatePart::Day, -1, "2017-01-10T"), "2017-01-09");
        assert_eq!(added(DatePart::Hour, 1, "2017T"), "2017-01-01T01:00-00:00");
        assert_eq!(added(DatePart::Hour, 1, "2017-01-02T03:04Z"), "2017-01-02T04:04Z");
        let exact = "2017-01-02T03:04:05.006Z";
        assert_eq!(added(DatePart::Minute, 1, exact), "2017-01-02T03:05:05.006Z");
        assert_eq!(added(DatePart::Second, 1, exact), "2017-01-02T03:04:06.006Z");
        assert!(stamp("2017T").add(DatePart::Year, 9000).is_err());
        assert!(stamp("2017T").add(DatePart::Second, i64::MAX).is_err());
    }

    #[test]
    fn differences_count_whole_parts() {
        let until = |part, from, to| stamp(from).until(&stamp(to), part).expect("a number");
        assert_eq!(until(DatePart::Year, "2010-01-01T", "2011-01-01T"), 1);
        assert_eq!(until(DatePart::Month, "2010T", "2010-05T"), 4);
        assert_eq!(until(DatePart::Month, "2010T", "2011T"), 12);
        assert_eq!(until(DatePart::Month, "2011T", "2010T"), -12);
        assert_eq!(until(DatePart::Month, "2010-01-31", "2010-02-28"), 0);
        assert_eq!(until(DatePart::Day, "2010-01-01T23:00Z", "2010-01-02T01:00Z"), 0);
        assert_eq!(until(DatePart::Hour, "2010-01-01T23:00Z", "2010-01-01T23:00-02:00"), 2);
    }
}
