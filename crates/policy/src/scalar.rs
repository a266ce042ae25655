//! Numbers, points in time and IP networks as condition values.

use std::cmp::Ordering;
use std::net::IpAddr;

/// A decimal number; integers compare exactly.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Number {
    Integer(i64),
    Float(f64),
}

impl Number {
    pub(crate) fn parse(text: &str) -> Option<Number> {
        let text = text.trim();
        if let Ok(integer) = text.parse() {
            return Some(Number::Integer(integer));
        }
        let float: f64 = text.parse().ok()?;
        float.is_finite().then_some(Number::Float(float))
    }

    pub(crate) fn compare(self, other: Number) -> Option<Ordering> {
        if let (Number::Integer(left), Number::Integer(right)) = (self, other) {
            return Some(left.cmp(&right));
        }
        self.float().partial_cmp(&other.float())
    }

    fn float(self) -> f64 {
        match self {
            Number::Integer(integer) => integer as f64,
            Number::Float(float) => float,
        }
    }
}

/// A point in time, in nanoseconds since 1970.
pub(crate) type Nanoseconds = i128;

const NANOSECONDS: i128 = 1_000_000_000;

/// Reads one of the W3C profiles of ISO 8601 or seconds since 1970, as leniently as IAM does: a date may end
/// after its year, an hour may have one digit, and a missing offset is UTC.
pub(crate) fn parse_date(text: &str) -> Option<Nanoseconds> {
    let text = text.trim().to_ascii_lowercase();
    if !text.contains(['t', '-']) {
        let seconds: i64 = text.parse().ok()?;
        return (seconds >= 0).then(|| i128::from(seconds) * NANOSECONDS);
    }
    let (date, time) = text.split_once('t').unwrap_or((&text, ""));
    let days = parse_days(date)?;
    let nanoseconds = if time.is_empty() { 0 } else { parse_time(time)? };
    Some(i128::from(days) * 86_400 * NANOSECONDS + nanoseconds)
}

fn digits<T: std::str::FromStr + PartialOrd>(text: &str, least: T, most: T) -> Option<T> {
    if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    text.parse().ok().filter(|value| *value >= least && *value <= most)
}

fn parse_days(text: &str) -> Option<i64> {
    let (sign, unsigned) = match text.strip_prefix('-') {
        Some(rest) => (-1, rest),
        None => (1, text),
    };
    let mut fields = unsigned.split('-');
    let year = sign * digits(fields.next()?, 0, 292_278_993_i64)?;
    let month = fields.next().map_or(Some(1), |month| digits(month, 1, 12))?;
    let day = fields.next().map_or(Some(1), |day| digits(day, 1, 31))?;
    fields.next().is_none().then(|| days_since_1970(year, month, day))
}

/// Counts days of the proleptic Gregorian calendar with years that start in March, so that a leap day is the last.
fn days_since_1970(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * 146_097 + day_of_era - 719_468
}

fn parse_time(text: &str) -> Option<Nanoseconds> {
    let (clock, offset) = match text.find(['z', '+', '-']) {
        Some(at) => (&text[..at], parse_offset(&text[at..])?),
        None => (text, 0),
    };
    let mut fields = clock.split(':');
    let hours = digits(fields.next()?, 0, 23_i64)?;
    let minutes = fields.next().map_or(Some(0), |minutes| digits(minutes, 0, 59))?;
    let (seconds, fraction) = match fields.next() {
        Some(seconds) => parse_seconds(seconds)?,
        None => (0, 0),
    };
    if fields.next().is_some() {
        return None;
    }
    let total = hours * 3600 + minutes * 60 + seconds - offset;
    Some(i128::from(total) * NANOSECONDS + i128::from(fraction))
}

fn parse_seconds(text: &str) -> Option<(i64, i64)> {
    let (seconds, fraction) = match text.split_once('.') {
        Some((_, fraction)) if fraction.len() > 9 => return None,
        Some((seconds, fraction)) => {
            let scale = 10_i64.pow(9 - u32::try_from(fraction.len()).ok()?);
            (seconds, digits(fraction, 0, 999_999_999)? * scale)
        }
        None => (text, 0),
    };
    Some((digits(seconds, 0, 59)?, fraction))
}

/// The offset from UTC in seconds: `z`, `+hh`, `+hh:mm` or `+hhmm`.
fn parse_offset(text: &str) -> Option<i64> {
    let sign = match text.as_bytes().first()? {
        b'z' => return (text.len() == 1).then_some(0),
        b'-' => -1,
        _ => 1,
    };
    let text = &text[1..];
    let hours = digits(text.get(..2)?, 0, 23_i64)?;
    let minutes = match &text[2..] {
        "" => 0,
        rest => {
            let rest = rest.strip_prefix(':').unwrap_or(rest);
            if rest.len() != 2 {
                return None;
            }
            digits(rest, 0, 59)?
        }
    };
    Some(sign * (hours * 3600 + minutes * 60))
}

/// A range of IP addresses in CIDR notation, or a single address.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Network {
    V4 { address: u32, mask: u32 },
    V6 { address: u128, mask: u128 },
}

impl Network {
    pub(crate) fn parse(text: &str) -> Option<Network> {
        let (address, length) = match text.trim().split_once('/') {
            Some((address, length)) => (address, Some(digits(length, 0, 128_u32)?)),
            None => (text.trim(), None),
        };
        match address.parse().ok()? {
            IpAddr::V4(address) => {
                let length = length.unwrap_or(32);
                let mask = u32::MAX.checked_shl(32_u32.checked_sub(length)?).unwrap_or(0);
                Some(Network::V4 { address: address.to_bits() & mask, mask })
            }
            IpAddr::V6(address) => {
                let mask = u128::MAX.checked_shl(128 - length.unwrap_or(128)).unwrap_or(0);
                Some(Network::V6 { address: address.to_bits() & mask, mask })
            }
        }
    }

    pub(crate) fn contains(self, other: IpAddr) -> bool {
        match (self, other.to_canonical()) {
            (Network::V4 { address, mask }, IpAddr::V4(other)) => other.to_bits() & mask == address,
            (Network::V6 { address, mask }, IpAddr::V6(other)) => other.to_bits() & mask == address,
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates() {
        let seconds = |text: &str| parse_date(text).map(|nanoseconds| nanoseconds / NANOSECONDS);
        assert_eq!(seconds("1970-01-01T00:00:00Z"), Some(0));
        assert_eq!(seconds("2024-02-29T12:34:56Z"), Some(1_709_210_096));
        assert_eq!(seconds("2024-02-29T12:34:56.789+01:00"), Some(1_709_206_496));
        assert_eq!(seconds("2024-02-29T12:34-0500"), Some(1_709_228_040));
        assert_eq!(seconds("2024-03-01"), Some(1_709_251_200));
        assert_eq!(seconds("2024"), Some(2024));
        assert_eq!(seconds("2024-01"), Some(1_704_067_200));
        assert_eq!(seconds("1709251200"), Some(1_709_251_200));
        assert_eq!(seconds("1969-12-31T23:59:59Z"), Some(-1));
        assert!(parse_date("01T").is_some());
        assert!(parse_date("-292275054").is_some());
        assert!(parse_date("2016-12-13t2:00:00.593194+23").is_some());
        for bad in ["", "sdfdsf", "234-13", "2016-12-13t2:00:00.593194+1", "9223372036854775808"] {
            assert_eq!(parse_date(bad), None, "{bad}");
        }
        assert_eq!(parse_date("2016-12-13t2:00:00.1999999999+10:59"), None);
    }

    #[test]
    fn networks() {
        let contains = |network: &str, address: &str| {
            Network::parse(network).unwrap().contains(address.parse().unwrap())
        };
        assert!(contains("10.1.2.3/8", "10.200.0.1"));
        assert!(!contains("10.1.2.3/8", "11.0.0.1"));
        assert!(contains("203.0.113.7", "203.0.113.7"));
        assert!(contains("0.0.0.0/0", "203.0.113.7"));
        assert!(!contains("0.0.0.0/0", "2001:db8::1"));
        assert!(contains("2001:db8::/32", "2001:db8:1::1"));
        assert!(contains("::/0", "2001:db8:1::1"));
        assert!(contains("10.0.0.0/8", "::ffff:10.0.0.1"));
        assert!(Network::parse("10.0.0.0/33").is_none());
        assert!(Network::parse("10.0.0/8").is_none());
    }

    #[test]
    fn numbers() {
        let compare = |left: &str, right: &str| {
            Number::parse(left).unwrap().compare(Number::parse(right).unwrap())
        };
        assert_eq!(compare("10", "9"), Some(Ordering::Greater));
        assert_eq!(compare("9007199254740993", "9007199254740992"), Some(Ordering::Greater));
        assert_eq!(compare("1.5", "2"), Some(Ordering::Less));
        assert!(Number::parse("NaN").is_none());
        assert!(Number::parse("ten").is_none());
    }
}
