//! Scalars as text: numbers, times, base64, and the case of names.

use std::borrow::Cow;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use smallvec::SmallVec;

use crate::{Timestamp, TimestampFormat};

pub(crate) fn decode_base64(text: &str) -> Option<Bytes> {
    STANDARD.decode(text).ok().map(Bytes::from)
}

pub(crate) fn encode_base64(bytes: &[u8]) -> String {
    STANDARD.encode(bytes)
}

pub(crate) fn lower_first(name: &str) -> String {
    change_first(name, |first| first.to_ascii_lowercase())
}

pub(crate) fn upper_first(name: &str) -> String {
    change_first(name, |first| first.to_ascii_uppercase())
}

fn change_first(name: &str, change: impl Fn(char) -> char) -> String {
    let mut letters = name.chars();
    letters.next().map_or_else(String::new, |first| {
        let mut text = String::with_capacity(name.len());
        text.push(change(first));
        text.push_str(letters.as_str());
        text
    })
}

/// A float as text: decimal or exponent notation, or one of the protocols' three words.
pub(crate) fn parse_float(text: &str) -> Option<f64> {
    match text {
        "NaN" => Some(f64::NAN),
        "Infinity" => Some(f64::INFINITY),
        "-Infinity" => Some(f64::NEG_INFINITY),
        // Rust also reads "inf" and "nan", which no AWS service does.
        _ if text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'+' | b'-' | b'.' | b'e' | b'E')) => {
            text.parse().ok()
        }
        _ => None,
    }
}

/// A float as Java prints it, but without an exponent below 10⁷ digits' worth of sense.
pub(crate) fn float_text(value: f64) -> String {
    if value.is_nan() {
        "NaN".to_owned()
    } else if value.is_infinite() {
        if value > 0.0 { "Infinity".to_owned() } else { "-Infinity".to_owned() }
    } else {
        format!("{value:?}")
    }
}

/// A point in time as text in any of the three formats: AWS reads all of them wherever it reads one.
pub(crate) fn parse_timestamp(text: &str) -> Option<Timestamp> {
    let text = text.trim();
    let first = *text.as_bytes().first()?;
    if first.is_ascii_alphabetic() {
        return parse_http_date(text);
    }
    if text.len() > 8 && text.as_bytes()[1..].contains(&b'-') && !text.contains(['e', 'E']) {
        return parse_date_time(text);
    }
    from_epoch_seconds(parse_float(text)?)
}

/// Seconds since 1970 with a fraction.
pub(crate) fn from_epoch_seconds(secs: f64) -> Option<Timestamp> {
    // Far outside of what any calendar here can print; also refuses NaN.
    (secs.abs() < 1e13).then(|| Timestamp::from_millis((secs * 1000.0).round() as i64))
}

/// The text in `format`. `millis`: whether an ISO time shows milliseconds that are zero.
pub(crate) fn timestamp_text(time: Timestamp, format: TimestampFormat, millis: bool) -> String {
    match format {
        TimestampFormat::DateTime => date_time(time, millis),
        TimestampFormat::HttpDate => http_date(time),
        TimestampFormat::EpochSeconds => epoch_seconds(time),
    }
}

fn epoch_seconds(time: Timestamp) -> String {
    let millis = time.millis();
    let sign = if millis < 0 { "-" } else { "" };
    let millis = millis.unsigned_abs();
    let text = format!("{sign}{}.{:03}", millis / 1000, millis % 1000);
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

fn date_time(time: Timestamp, millis: bool) -> String {
    let (year, month, day) = civil(time.secs().div_euclid(86_400));
    let second = time.secs().rem_euclid(86_400);
    let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
    let fraction = time.millis().rem_euclid(1000);
    let mut text = format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}");
    if millis || fraction != 0 {
        text.push_str(&format!(".{fraction:03}"));
    }
    text.push('Z');
    text
}

const DAYS: [&str; 7] = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"];
const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

fn http_date(time: Timestamp) -> String {
    let days = time.secs().div_euclid(86_400);
    let (year, month, day) = civil(days);
    let second = time.secs().rem_euclid(86_400);
    let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
    let weekday = DAYS[days.rem_euclid(7) as usize];
    let month = MONTHS[month as usize - 1];
    if !(0..10_000).contains(&year) {
        let time = format!("{hour:02}:{minute:02}:{second:02}");
        return format!("{weekday}, {day:02} {month} {year:04} {time} GMT");
    }
    // By hand, since almost every answer of S3 has one.
    let mut text = String::with_capacity(29);
    let two = |text: &mut String, number: i64| {
        for digit in [number / 10 % 10, number % 10] {
            text.push(char::from(b'0' + digit as u8));
        }
    };
    text.push_str(weekday);
    text.push_str(", ");
    two(&mut text, day);
    text.push(' ');
    text.push_str(month);
    text.push(' ');
    two(&mut text, year / 100);
    two(&mut text, year);
    for (mark, number) in [(' ', hour), (':', minute), (':', second)] {
        text.push(mark);
        two(&mut text, number);
    }
    text.push_str(" GMT");
    text
}

/// Year, month and day of a day since 1970, by the proleptic Gregorian calendar.
fn civil(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let era = days.div_euclid(146_097);
    let day_of_era = days.rem_euclid(146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    (year_of_era + era * 400 + i64::from(month <= 2), month, day)
}

/// The day since 1970 of a date, if there is such a date.
fn days(year: i64, month: i64, day: i64) -> Option<i64> {
    if !(-9999..=9999).contains(&year) || !(1..=12).contains(&month) || !(1..=31).contains(&day) {
        return None;
    }
    let shifted_year = if month <= 2 { year - 1 } else { year };
    let era = shifted_year.div_euclid(400);
    let year_of_era = shifted_year.rem_euclid(400);
    let shifted_month = (month + 9) % 12;
    let day_of_year = (153 * shifted_month + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    let days = era * 146_097 + day_of_era - 719_468;
    (civil(days) == (year, month, day)).then_some(days)
}

fn number(text: &str) -> Option<i64> {
    (!text.is_empty() && text.len() <= 9 && text.bytes().all(|b| b.is_ascii_digit()))
        .then(|| text.parse().ok())
        .flatten()
}

/// `20:56:00.123` as milliseconds of the day.
fn time_of_day(text: &str) -> Option<i64> {
    let mut parts = text.splitn(3, ':');
    let (hour, minute) = (number(parts.next()?)?, number(parts.next()?)?);
    let (second, fraction) = match parts.next() {
        Some(rest) => rest.split_once(['.', ',']).unwrap_or((rest, "")),
        None => ("0", ""),
    };
    let second = number(second)?;
    if hour > 23 || minute > 59 || second > 60 || !fraction.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let millis = format!("{fraction:0<3}").get(..3)?.parse::<i64>().ok()?;
    Some(((hour * 60 + minute) * 60 + second) * 1000 + millis)
}

fn parse_date_time(text: &str) -> Option<Timestamp> {
    let (date, rest) = match text.find(['T', 't', ' ']) {
        Some(at) => (&text[..at], &text[at + 1..]),
        None => (text, "00:00:00Z"),
    };
    let (year, month_day) = date.split_at_checked(4)?;
    let (month, day) = month_day.strip_prefix('-')?.split_once('-')?;
    let days = days(number(year)?, number(month)?, number(day)?)?;
    let zone = rest.find(['Z', 'z', '+', '-']).unwrap_or(rest.len());
    let millis = time_of_day(&rest[..zone])? - offset(&rest[zone..])? * 60_000;
    Some(Timestamp::from_millis(days * 86_400_000 + millis))
}

/// Minutes east of Greenwich: `Z`, `+01:00`, `-0800` or nothing.
fn offset(text: &str) -> Option<i64> {
    if matches!(text, "" | "Z" | "z") {
        return Some(0);
    }
    let sign = if text.starts_with('-') { -1 } else { 1 };
    let digits = text.get(1..)?.replace(':', "");
    let (hours, minutes) = digits.split_at_checked(2)?;
    let minutes = if minutes.is_empty() { 0 } else { number(minutes)? };
    let hours = number(hours)?;
    (hours < 24 && minutes < 60).then_some(sign * (hours * 60 + minutes))
}

/// `Fri, 20 Nov 2026 20:56:00 GMT`, or one of the forms before it that are still to be read (RFC 9110, 5.6.7):
/// `Friday, 20-Nov-26 20:56:00 GMT` and `Fri Nov 20 20:56:00 2026`.
fn parse_http_date(text: &str) -> Option<Timestamp> {
    let (day, month, year, time, zone) = match text.split_once(',') {
        Some((_, rest)) => {
            let mut parts = rest.split([' ', '\t', '-']).filter(|part| !part.is_empty());
            let (day, month, year) = (parts.next()?, parts.next()?, parts.next()?);
            (day, month, year, parts.next()?, parts.next()?)
        }
        None => {
            let mut parts = text.split_ascii_whitespace().skip(1);
            let (month, day, time) = (parts.next()?, parts.next()?, parts.next()?);
            (day, month, parts.next()?, time, "GMT")
        }
    };
    if !matches!(zone, "GMT" | "UTC" | "+0000") {
        return None;
    }
    let month = MONTHS.iter().position(|known| *known == month)? as i64 + 1;
    let year = match (number(year)?, year.len()) {
        // The century that POSIX takes.
        (year @ 0..69, 2) => 2000 + year,
        (year, 2) => 1900 + year,
        (year, _) => year,
    };
    let millis = time_of_day(time)?;
    Some(Timestamp::from_millis(days(year, month, number(day)?)? * 86_400_000 + millis))
}

/// Decodes `%41`; `plus`: whether `+` is a space. Bytes that are no UTF-8 become U+FFFD.
pub(crate) fn percent_decode(text: &str, plus: bool) -> Cow<'_, str> {
    if !text.bytes().any(|byte| matches!(byte, b'%' | b'+')) {
        return Cow::Borrowed(text);
    }
    let spaced = match plus && text.contains('+') {
        true => Cow::Owned(text.replace('+', " ")),
        false => Cow::Borrowed(text),
    };
    match spaced {
        Cow::Borrowed(text) => percent_encoding::percent_decode_str(text).decode_utf8_lossy(),
        Cow::Owned(text) => {
            let decoded = percent_encoding::percent_decode_str(&text).decode_utf8_lossy();
            Cow::Owned(decoded.into_owned())
        }
    }
}

/// The parameters of a query; most requests have few, and need not own them.
pub(crate) type Query<'a> = SmallVec<[(Cow<'a, str>, Cow<'a, str>); 4]>;

/// A query's parameters in their order.
pub(crate) fn parse_query(raw: &str) -> Query<'_> {
    raw.split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            (percent_decode(name, true), percent_decode(value, true))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_printed_in_every_format() {
        let time = Timestamp::from_millis(1_795_208_160_120);
        assert_eq!(
            timestamp_text(time, TimestampFormat::DateTime, false),
            "2026-11-20T20:56:00.120Z"
        );
        assert_eq!(
            timestamp_text(time, TimestampFormat::HttpDate, false),
            "Fri, 20 Nov 2026 20:56:00 GMT"
        );
        assert_eq!(timestamp_text(time, TimestampFormat::EpochSeconds, false), "1795208160.12");
        let whole = Timestamp::from_secs(1_795_208_160);
        assert_eq!(timestamp_text(whole, TimestampFormat::EpochSeconds, false), "1795208160");
        assert_eq!(timestamp_text(whole, TimestampFormat::DateTime, false), "2026-11-20T20:56:00Z");
        assert_eq!(
            timestamp_text(whole, TimestampFormat::DateTime, true),
            "2026-11-20T20:56:00.000Z"
        );
        assert_eq!(
            timestamp_text(Timestamp::from_millis(-1), TimestampFormat::EpochSeconds, false),
            "-0.001"
        );
    }

    #[test]
    fn times_are_read_in_every_format() {
        let time = Some(Timestamp::from_secs(1_795_208_160));
        for text in [
            "2026-11-20T20:56:00Z",
            "2026-11-20T20:56:00.000Z",
            "2026-11-20T21:56:00+01:00",
            "2026-11-20T12:56:00-0800",
            "Fri, 20 Nov 2026 20:56:00 GMT",
            "Friday, 20-Nov-26 20:56:00 GMT",
            "Fri Nov 20 20:56:00 2026",
            "1795208160",
            "1795208160.0",
        ] {
            assert_eq!(parse_timestamp(text), time, "{text}");
        }
        // The example of RFC 9110 in all three forms.
        for text in [
            "Sun, 06 Nov 1994 08:49:37 GMT",
            "Sunday, 06-Nov-94 08:49:37 GMT",
            "Sun Nov  6 08:49:37 1994",
        ] {
            assert_eq!(parse_timestamp(text), Some(Timestamp::from_secs(784_111_777)), "{text}");
        }
        for text in [
            "",
            "2026-13-20T20:56:00Z",
            "2026-02-30T00:00:00Z",
            "Fri",
            "x",
            "99e99",
            "é-é-é-é-é",
            "Fri, 20 Nov 2026 20:56:00 -0100",
            "Fri, 20-Nov",
            "Fri Nov 20 2026",
        ] {
            assert_eq!(parse_timestamp(text), None, "{text}");
        }
    }

    #[test]
    fn the_calendar_agrees_with_another() {
        for secs in (-62_000_000_000..250_000_000_000_i64).step_by(7_777_777_777) {
            let ours = date_time(Timestamp::from_secs(secs), false);
            let theirs = jiff::Timestamp::from_second(secs).map(|time| time.to_string());
            assert_eq!(Ok(ours.clone()), theirs.map_err(|_| ()), "{secs}");
            assert_eq!(parse_timestamp(&ours), Some(Timestamp::from_secs(secs)));
        }
    }

    #[test]
    fn floats_know_three_words() {
        assert_eq!(parse_float("1e3"), Some(1000.0));
        assert_eq!(parse_float("inf"), None);
        assert!(parse_float("NaN").is_some_and(f64::is_nan));
        assert_eq!(float_text(1.0), "1.0");
        assert_eq!(float_text(f64::NEG_INFINITY), "-Infinity");
    }

    #[test]
    fn percent_signs_are_decoded() {
        assert_eq!(percent_decode("a%20b+c%zz", false), "a b+c%zz");
        assert_eq!(percent_decode("a%2Bb+c", true), "a+b c");
    }
}
