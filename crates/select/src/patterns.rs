//! The patterns of TO_STRING and TO_TIMESTAMP.

use crate::error::Error;
use crate::timestamp::{Precision, Stamp, civil, digits};

const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];

/// A part of a pattern: a letter that is repeated, or a text that stands for itself.
#[derive(Debug, PartialEq, Eq)]
enum Part {
    Symbol(char, usize),
    Literal(String),
}

fn parts(pattern: &str) -> Result<Vec<Part>, Error> {
    let mut parts = Vec::new();
    let mut rest = pattern;
    while let Some(first) = rest.chars().next() {
        if first == '\'' {
            let (text, after) = rest[1..].split_once('\'').ok_or_else(Error::open_pattern_token)?;
            parts.push(Part::Literal(if text.is_empty() { "'" } else { text }.to_owned()));
            rest = after;
            continue;
        }
        let len = rest.len() - rest.trim_start_matches(first).len();
        let count = rest[..len].chars().count();
        rest = &rest[len..];
        if first.is_alphabetic() {
            let is_known = match first {
                'y' => matches!(count, 1 | 2 | 4),
                'M' => count <= 5,
                'd' | 'h' | 'H' | 'm' | 's' => count <= 2,
                'a' | 'n' => count == 1,
                'S' => count <= 9,
                'x' | 'X' => count <= 5,
                _ => false,
            };
            if !is_known {
                return Err(Error::bad_pattern_symbol());
            }
            parts.push(Part::Symbol(first, count));
        } else {
            parts.push(Part::Literal(first.to_string().repeat(count)));
        }
    }
    Ok(parts)
}

/// TO_STRING.
pub(crate) fn format(stamp: &Stamp, pattern: &str) -> Result<String, Error> {
    let mut text = String::new();
    for part in parts(pattern)? {
        match part {
            Part::Literal(literal) => text.push_str(&literal),
            Part::Symbol(symbol, count) => text.push_str(&symbol_text(stamp, symbol, count)),
        }
    }
    Ok(text)
}

fn symbol_text(stamp: &Stamp, symbol: char, count: usize) -> String {
    let local = stamp.local;
    let padded = |value: i32| format!("{value:0count$}");
    let month = MONTHS[usize::try_from(local.month() - 1).unwrap_or(0) % 12];
    match symbol {
        'y' if count == 2 => format!("{:02}", local.year() % 100),
        'y' => padded(local.year().into()),
        'M' if count == 3 => month[..3].to_owned(),
        'M' if count == 4 => month.to_owned(),
        'M' if count == 5 => month[..1].to_owned(),
        'M' => padded(local.month().into()),
        'd' => padded(local.day().into()),
        'a' => if local.hour() < 12 { "AM" } else { "PM" }.to_owned(),
        'h' => padded((i32::from(local.hour()) + 11) % 12 + 1),
        'H' => padded(local.hour().into()),
        'm' => padded(local.minute().into()),
        's' => padded(local.second().into()),
        'S' => format!("{:09}", local.subsec_nanosecond())[..count].to_owned(),
        'n' => local.subsec_nanosecond().to_string(),
        _ => offset_text(stamp.offset.unwrap_or(0), symbol, count),
    }
}

/// `+07`, `+0700` or `+07:00`; capital letters write no offset as `Z`.
fn offset_text(offset: i32, symbol: char, count: usize) -> String {
    if offset == 0 && symbol == 'X' {
        return "Z".to_owned();
    }
    let sign = if offset < 0 { '-' } else { '+' };
    let (hours, minutes) = (offset.abs() / 60, offset.abs() % 60);
    match count {
        1 if minutes == 0 => format!("{sign}{hours:02}"),
        1 | 2 | 4 => format!("{sign}{hours:02}{minutes:02}"),
        _ => format!("{sign}{hours:02}:{minutes:02}"),
    }
}

/// What a pattern has found.
#[derive(Default)]
struct Found {
    year: Option<i64>,
    month: Option<i64>,
    day: Option<i64>,
    hour: Option<i64>,
    minute: Option<i64>,
    second: Option<i64>,
    nanos: Option<(i64, u8)>,
    is_afternoon: Option<bool>,
    is_twelve: bool,
    offset: Option<i32>,
}

fn once<T>(slot: &mut Option<T>, value: T) -> Result<(), Error> {
    match slot.replace(value) {
        None => Ok(()),
        Some(_) => Err(Error::duplicate_fields()),
    }
}

/// TO_TIMESTAMP with a pattern.
pub(crate) fn parse(text: &str, pattern: &str) -> Result<Stamp, Error> {
    let parts = parts(pattern)?;
    check(&parts)?;
    let mut found = Found::default();
    let mut rest = text;
    for part in parts {
        match part {
            Part::Literal(literal) => {
                rest = rest.strip_prefix(&*literal).ok_or_else(Error::value_parse)?;
            }
            Part::Symbol(symbol, count) => rest = take(&mut found, rest, symbol, count)?,
        }
    }
    if !rest.is_empty() {
        return Err(Error::value_parse());
    }
    settle(&found)
}

/// Refuses patterns that cannot be read by.
fn check(parts: &[Part]) -> Result<(), Error> {
    let has = |wanted: &str| {
        parts.iter().any(|part| matches!(part, Part::Symbol(symbol, _) if wanted.contains(*symbol)))
    };
    if parts.contains(&Part::Symbol('M', 5)) {
        return Err(Error::bad_pattern_for_parsing());
    }
    if has("h") != has("a") || has("h") && has("H") {
        return Err(Error::hour_mismatch());
    }
    let chain = ["y", "M", "d", "hH", "m", "s", "Sn"];
    let missing = chain.iter().position(|symbols| !has(symbols)).unwrap_or(chain.len());
    // What follows a part that is missing would be without it.
    if missing == 0 || chain[missing..].iter().any(|symbols| has(symbols)) || missing == 4 {
        return Err(Error::bad_pattern());
    }
    Ok(())
}

fn take<'t>(
    found: &mut Found,
    text: &'t str,
    symbol: char,
    count: usize,
) -> Result<&'t str, Error> {
    if symbol == 'M' && count >= 3 {
        let len = |name: &str| if count == 3 { 3 } else { name.len() };
        let is_named = |name: &&str| {
            text.get(..len(name))
                .is_some_and(|start| start.eq_ignore_ascii_case(&name[..len(name)]))
        };
        let at = MONTHS.iter().position(is_named).ok_or_else(Error::value_parse)?;
        once(&mut found.month, at as i64 + 1)?;
        return Ok(&text[len(MONTHS[at])..]);
    }
    if symbol == 'a' {
        let half = text.get(..2).map(str::to_ascii_uppercase);
        let is_afternoon = match half.as_deref() {
            Some("AM") => false,
            Some("PM") => true,
            _ => return Err(Error::value_parse()),
        };
        once(&mut found.is_afternoon, is_afternoon)?;
        return Ok(&text[2..]);
    }
    if matches!(symbol, 'x' | 'X') {
        return take_offset(found, text, count);
    }
    let most = match (symbol, count) {
        ('y', 2) => 2,
        ('y', _) => 4,
        ('S', count) => count,
        ('n', _) => 9,
        _ => 2,
    };
    let len = text.bytes().take(most).take_while(u8::is_ascii_digit).count();
    let value = digits(&text[..len], len).filter(|_| len > 0).ok_or_else(Error::value_parse)?;
    match symbol {
        // Two digits are of the last seventy or the next thirty years around 2000.
        'y' if count == 2 => once(&mut found.year, value + if value < 70 { 2000 } else { 1900 })?,
        'y' => once(&mut found.year, value)?,
        'M' => once(&mut found.month, value)?,
        'd' => once(&mut found.day, value)?,
        'h' | 'H' => {
            found.is_twelve = symbol == 'h';
            once(&mut found.hour, value)?;
        }
        'm' => once(&mut found.minute, value)?,
        's' => once(&mut found.second, value)?,
        'S' => once(&mut found.nanos, (value * 10i64.pow(9 - len as u32), len as u8))?,
        _ => once(&mut found.nanos, (value, 9))?,
    }
    Ok(&text[len..])
}

fn take_offset<'t>(found: &mut Found, text: &'t str, count: usize) -> Result<&'t str, Error> {
    if let Some(rest) = text.strip_prefix('Z') {
        once(&mut found.offset, 0)?;
        return Ok(rest);
    }
    let sign = match text.chars().next() {
        Some('+') => 1,
        Some('-') => -1,
        _ => return Err(Error::value_parse()),
    };
    let number = |range: std::ops::Range<usize>| {
        text.get(range).and_then(|text| digits(text, 2)).ok_or_else(Error::value_parse)
    };
    let hours = number(1..3)?;
    let (minutes, len) = match count {
        1 => (0, 3),
        2 | 4 => (number(3..5)?, 5),
        _ if text.as_bytes().get(3) == Some(&b':') => (number(4..6)?, 6),
        _ => return Err(Error::value_parse()),
    };
    if hours > 23 || minutes > 59 {
        return Err(Error::value_parse());
    }
    once(&mut found.offset, sign * (hours * 60 + minutes) as i32)?;
    Ok(&text[len..])
}

fn settle(found: &Found) -> Result<Stamp, Error> {
    let precision = match found {
        Found { nanos: Some((_, digits)), .. } => Precision::Second(*digits),
        Found { second: Some(_), .. } => Precision::Second(0),
        Found { minute: Some(_), .. } => Precision::Minute,
        Found { day: Some(_), .. } => Precision::Day,
        Found { month: Some(_), .. } => Precision::Month,
        _ => Precision::Year,
    };
    let mut hour = found.hour.unwrap_or(0);
    if found.is_twelve {
        if !(1..=12).contains(&hour) {
            return Err(Error::value_parse());
        }
        hour = hour % 12 + if found.is_afternoon == Some(true) { 12 } else { 0 };
    }
    let or = |part: Option<i64>, otherwise| part.unwrap_or(otherwise);
    let parts = [
        or(found.year, 1),
        or(found.month, 1),
        or(found.day, 1),
        hour,
        or(found.minute, 0),
        or(found.second, 0),
    ];
    let nanos = found.nanos.map_or(0, |(nanos, _)| nanos);
    let local = civil(parts, nanos).ok_or_else(Error::value_parse)?;
    Ok(Stamp { local, precision, offset: found.offset })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_write_as_in_the_user_guide() {
        let shown = |text: &str, pattern: &str| {
            format(&Stamp::parse(text).expect("a time"), pattern).expect("a pattern")
        };
        let moon = "1969-07-20T20:18Z";
        assert_eq!(shown(moon, "MMMM d, y"), "July 20, 1969");
        assert_eq!(shown(moon, "MMM d, yyyy"), "Jul 20, 1969");
        assert_eq!(shown(moon, "M-d-yy"), "7-20-69");
        assert_eq!(shown(moon, "MM-d-y"), "07-20-1969");
        assert_eq!(shown(moon, "MMMM d, y h:m a"), "July 20, 1969 8:18 PM");
        assert_eq!(shown(moon, "y-MM-dd'T'H:m:ssX"), "1969-07-20T20:18:00Z");
        let afar = "1969-07-20T20:18+08:00";
        assert_eq!(shown(afar, "y-MM-dd'T'H:m:ssX"), "1969-07-20T20:18:00+08");
        assert_eq!(shown(afar, "y-MM-dd'T'H:m:ssXXXX"), "1969-07-20T20:18:00+0800");
        assert_eq!(shown(afar, "y-MM-dd'T'H:m:ssXXXXX"), "1969-07-20T20:18:00+08:00");
        assert_eq!(shown(moon, "x"), "+00");
    }

    #[test]
    fn patterns_read_what_they_write() {
        let read = |text: &str, pattern: &str| parse(text, pattern).map(|stamp| stamp.to_string());
        assert_eq!(read("July 20, 1969", "MMMM d, y").as_deref(), Ok("1969-07-20"));
        assert_eq!(read("20/02/2016", "dd/MM/yyyy").as_deref(), Ok("2016-02-20"));
        assert_eq!(
            read("2016-02-03 11:05 PM +0130", "y-M-d h:m a XXXX").as_deref(),
            Ok("2016-02-03T23:05+01:30")
        );
        assert_eq!(
            read("2016-02-03 1:2:3.45", "y-M-d H:m:s.SS").as_deref(),
            Ok("2016-02-03T01:02:03.45-00:00")
        );
        let code = |text: &str, pattern: &str| parse(text, pattern).expect_err("refused").code;
        assert_eq!(code("2016", "M"), "EvaluatorInvalidTimestampFormatPattern");
        assert_eq!(code("2016", "y y"), "ValueParseFailure");
        assert_eq!(code("2016 2016", "y y"), "EvaluatorTimestampFormatPatternDuplicateFields");
        assert_eq!(code("2016", "y'x"), "EvaluatorUnterminatedTimestampFormatPatternToken");
        assert_eq!(code("2016", "y Q"), "EvaluatorInvalidTimestampFormatPatternSymbol");
        assert_eq!(
            code("2016", "y MMMMM"),
            "EvaluatorInvalidTimestampFormatPatternSymbolForParsing"
        );
        assert_eq!(
            code("2016", "y-M-d h:m"),
            "EvaluatorTimestampFormatPatternHourClockAmPmMismatch"
        );
        assert_eq!(code("2016-13", "y-M"), "ValueParseFailure");
    }
}
