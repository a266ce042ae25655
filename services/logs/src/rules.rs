//! Pure rules: names, retention, filter patterns, tokens.

use crate::error::Error;

/// The retentions that AWS offers, in days.
pub(crate) const RETENTIONS: &[i32] = &[
    1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922,
    3288, 3653,
];

/// What AWS counts for an event besides its message, in bytes.
pub(crate) const EVENT_OVERHEAD: usize = 26;
/// The most that a call may put, in bytes.
pub(crate) const BATCH_BYTES: usize = 1_048_576;
/// How old an event may be, in milliseconds.
pub(crate) const OLDEST_MILLIS: i64 = 14 * 24 * 3600 * 1000;
/// How far ahead an event may be, in milliseconds.
pub(crate) const NEWEST_MILLIS: i64 = 2 * 3600 * 1000;

/// A group's name, from a name or an ARN.
pub(crate) fn group_name(identifier: &str) -> &str {
    crate::access::group_of_arn(identifier).unwrap_or(identifier)
}

/// What a name must look like: one of several parts, anywhere or at the start.
#[derive(Debug, PartialEq)]
pub(crate) struct NamePattern<'a> {
    parts: Vec<(bool, &'a str)>,
}

impl<'a> NamePattern<'a> {
    /// Parses `^/aws/lambda|discovery`, whose form the model has checked.
    pub(crate) fn parse(text: &'a str) -> NamePattern<'a> {
        let part = |part: &'a str| match part.strip_prefix('^') {
            Some(start) => (true, start),
            None => (false, part),
        };
        NamePattern { parts: text.split('|').map(part).collect() }
    }

    /// Whether a name fits; as in every regular expression, a dot stands for any character.
    pub(crate) fn matches(&self, name: &str) -> bool {
        self.parts.iter().any(|&(at_start, part)| {
            let fits = |window: &[u8]| {
                window.iter().zip(part.bytes()).all(|(byte, want)| want == b'.' || *byte == want)
            };
            let mut windows = name.as_bytes().windows(part.len().max(1));
            if at_start { windows.next().is_some_and(fits) } else { windows.any(fits) }
        })
    }
}

/// Whether a tag's value fits one of a filter's values; without values it only has to be there.
pub(crate) fn tag_fits(tag: Option<&str>, values: &[String]) -> bool {
    tag.is_some_and(|tag| values.is_empty() || values.iter().any(|value| value_fits(tag, value)))
}

/// Negation and equality regard case, wildcards do not.
fn value_fits(tag: &str, value: &str) -> bool {
    match value.strip_prefix('!') {
        Some(unwanted) => !wildcard_fits(tag, unwanted),
        None if value.contains('*') => wildcard_fits(&tag.to_lowercase(), &value.to_lowercase()),
        None => tag == value,
    }
}

fn wildcard_fits(text: &str, pattern: &str) -> bool {
    let (head, open_start) =
        pattern.strip_prefix('*').map_or((pattern, false), |rest| (rest, true));
    let (core, open_end) = head.strip_suffix('*').map_or((head, false), |rest| (rest, true));
    match (open_start, open_end) {
        (false, false) => text == core,
        (false, true) => text.starts_with(core),
        (true, false) => text.ends_with(core),
        (true, true) => text.contains(core),
    }
}

/// What a filter pattern asks of a message.
#[derive(Debug, PartialEq)]
pub(crate) struct Pattern {
    all: Vec<String>,
    any: Vec<String>,
    none: Vec<String>,
}

impl Pattern {
    /// Parses a pattern of terms: `ERROR "no space" -debug ?a ?b`.
    pub(crate) fn parse(text: &str) -> Result<Pattern, Error> {
        let text = text.trim();
        if text.starts_with(['{', '[']) || text.contains('%') {
            let fault =
                fogbank_core::Fault::not_implemented("logs", "filter patterns of this kind");
            return Err(fault.into());
        }
        let mut pattern = Pattern { all: Vec::new(), any: Vec::new(), none: Vec::new() };
        let mut rest = text;
        while !rest.is_empty() {
            let (into, term) = match rest.as_bytes()[0] {
                b'?' => (&mut pattern.any, &rest[1..]),
                b'-' => (&mut pattern.none, &rest[1..]),
                _ => (&mut pattern.all, rest),
            };
            let (word, after) = match term.strip_prefix('"') {
                Some(quoted) => quoted
                    .split_once('"')
                    .ok_or_else(|| Error::invalid("Invalid filter pattern"))?,
                None => term.split_once(char::is_whitespace).unwrap_or((term, "")),
            };
            if !word.is_empty() {
                into.push(word.to_owned());
            }
            rest = after.trim_start();
        }
        Ok(pattern)
    }

    /// Whether a message fits.
    pub(crate) fn matches(&self, message: &str) -> bool {
        let has = |term: &String| message.contains(term.as_str());
        self.all.iter().all(has)
            && !self.none.iter().any(has)
            && (self.any.is_empty() || self.any.iter().any(has))
    }
}

/// A place in a stream: an event's time and place.
pub(crate) type Position = (u64, u64);

/// The token for what follows, or precedes, a position.
pub(crate) fn token(direction: char, (millis, place): Position) -> String {
    format!("{direction}/{millis:028}{place:028}/s")
}

/// Reads a token: its direction and position.
pub(crate) fn parse_token(token: &str) -> Option<(char, Position)> {
    let mut parts = token.split('/');
    let direction = parts.next()?.chars().next().filter(|letter| matches!(letter, 'f' | 'b'))?;
    let digits = parts.next().filter(|digits| digits.len() == 56 && digits.is_ascii())?;
    let (millis, place) = digits.split_at(28);
    Some((direction, (millis.parse().ok()?, place.parse().ok()?)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_of_terms() {
        let matches = |pattern: &str, message: &str| {
            Pattern::parse(pattern).expect("a pattern").matches(message)
        };
        assert!(matches("", "anything"));
        assert!(matches("ERROR disk", "disk full: ERROR"));
        assert!(!matches("ERROR disk", "ERROR"));
        assert!(matches("\"disk full\"", "the disk full"));
        assert!(!matches("\"disk full\"", "full disk"));
        assert!(matches("?ERROR ?WARN", "a WARN"));
        assert!(!matches("?ERROR ?WARN", "INFO"));
        assert!(!matches("ERROR -retry", "ERROR, will retry"));
        assert!(Pattern::parse("{ $.a = 1 }").is_err());
        assert!(Pattern::parse("\"open").is_err());
    }

    #[test]
    fn name_patterns() {
        let matches = |pattern: &str, name: &str| NamePattern::parse(pattern).matches(name);
        assert!(matches("^/aws/lambda|discovery", "/aws/lambda/a"));
        assert!(matches("^/aws/lambda|discovery", "my-discovery-1"));
        assert!(!matches("^/aws/lambda|discovery", "/my/aws/lambda"));
        assert!(!matches("^/aws/lambda", "/aws"));
        assert!(!matches("App", "/app"));
        assert!(matches("a.p", "/app"));
    }

    #[test]
    fn tag_filters() {
        let fits = |tag: &str, value: &str| tag_fits(Some(tag), &[value.to_owned()]);
        assert!(fits("prod", "prod") && !fits("Prod", "prod"));
        assert!(fits("Production", "prod*") && fits("preprod", "*PROD") && fits("a-b-c", "*b*"));
        assert!(fits("test", "!prod") && fits("Prod", "!prod") && !fits("prod", "!prod"));
        assert!(!fits("production", "!prod*") && fits("test", "!prod*"));
        assert!(tag_fits(Some("x"), &[]) && !tag_fits(None, &[]));
        assert!(!tag_fits(None, &["!prod".to_owned()]));
        assert!(tag_fits(Some("b"), &["a".to_owned(), "b".to_owned()]));
    }

    #[test]
    fn tokens_round_trip_and_garbage_is_refused() {
        let position = (1_767_225_600_000, 7);
        assert_eq!(parse_token(&token('f', position)), Some(('f', position)));
        for garbage in ["", "f", "f/12", "x/1", "f/ü", "b//s"] {
            assert_eq!(parse_token(garbage), None, "{garbage}");
        }
    }
}
