//! What a target gets: the event, a part of it, a constant, or a template filled in.

use std::collections::BTreeMap;
use std::fmt::Write;

use super::json::{Json, escape};
use super::path::Path;
use super::tokens::Broken;
use super::tokens::{Token, Tokens};

/// The placeholders that AWS fills in by itself.
const RESERVED: [&str; 5] = [
    "aws.events.rule-arn",
    "aws.events.rule-name",
    "aws.events.event.ingestion-time",
    "aws.events.event",
    "aws.events.event.json",
];

/// A template, taken apart at its placeholders.
#[derive(Clone, Debug, PartialEq)]
pub struct Template {
    /// Whether it is an object or list of JSON, and not lines of text.
    is_json: bool,
    pieces: Vec<Piece>,
}

#[derive(Clone, Debug, PartialEq)]
enum Piece {
    Text(String),
    Placeholder { name: String, is_quoted: bool },
}

/// What the reserved placeholders stand for.
#[derive(Clone, Copy, Debug)]
pub struct Facts<'a> {
    /// The rule's ARN.
    pub rule_arn: &'a str,
    /// The rule's name.
    pub rule_name: &'a str,
    /// When the event was received.
    pub ingestion_time: &'a str,
    /// The event.
    pub event: &'a Json,
}

/// What is wrong with a template.
#[derive(Debug, PartialEq)]
pub enum Wrong {
    /// It names a placeholder that nobody defines.
    Undefined(String),
    /// It would not become JSON; the reason.
    Syntax(String),
}

impl Template {
    /// Takes a template apart. Its placeholders must be reserved ones or names of `paths`.
    pub fn parse(text: &str, paths: &BTreeMap<String, String>) -> Result<Template, Wrong> {
        let is_json = text.trim_start().starts_with(['{', '[']);
        let mut pieces = Vec::new();
        let (mut plain, mut is_quoted, mut rest) = (String::new(), false, text);
        while let Some(letter) = rest.chars().next() {
            if let Some((name, after)) = placeholder(rest) {
                if !RESERVED.contains(&name) && !paths.contains_key(name) {
                    return Err(Wrong::Undefined(name.to_owned()));
                }
                pieces.push(Piece::Text(std::mem::take(&mut plain)));
                pieces.push(Piece::Placeholder { name: name.to_owned(), is_quoted });
                rest = after;
                continue;
            }
            let mut taken = letter.len_utf8();
            match letter {
                '"' => is_quoted = !is_quoted,
                '\\' if is_quoted => {
                    taken += rest[1..].chars().next().map_or(0, char::len_utf8);
                }
                _ => {}
            }
            plain.push_str(&rest[..taken]);
            rest = &rest[taken..];
        }
        pieces.push(Piece::Text(plain));
        let template = Template { is_json, pieces };
        template.check()?;
        Ok(template)
    }

    /// Whether JSON comes out when something is put in: one value, or a text in each line.
    fn check(&self) -> Result<(), Wrong> {
        let mut sample = String::new();
        for piece in &self.pieces {
            match piece {
                Piece::Text(text) => sample.push_str(text),
                Piece::Placeholder { is_quoted: true, .. } => sample.push('0'),
                Piece::Placeholder { is_quoted: false, .. } => sample.push_str("null"),
            }
        }
        let mut rest = sample.trim();
        if !self.is_json {
            // Lines of text stand each in quotes.
            while let Some(line) = rest.strip_prefix('"') {
                let end = closing_quote(line);
                let Some(end) = end else { break };
                if Json::parse(&rest[..end + 2]).is_none() {
                    break;
                }
                rest = line[end + 1..].trim_start();
            }
            if rest.is_empty() && !sample.trim().is_empty() {
                return Ok(());
            }
        }
        match complaint(rest) {
            None => Ok(()),
            Some(reason) => Err(Wrong::Syntax(reason)),
        }
    }

    /// Puts in what the paths lead to in the event.
    pub fn fill(&self, paths: &BTreeMap<String, String>, facts: Facts<'_>) -> String {
        let mut filled = String::new();
        for piece in &self.pieces {
            match piece {
                Piece::Text(text) => filled.push_str(text),
                Piece::Placeholder { name, is_quoted } => {
                    let value = value(name, paths, facts);
                    self.put(&mut filled, value, *is_quoted);
                }
            }
        }
        filled
    }

    fn put(&self, filled: &mut String, value: Option<Json>, is_quoted: bool) {
        let written = match (value, is_quoted) {
            // A variable whose path leads nowhere leaves nothing behind; where a value must stand, AWS's page does not
            // say what does, and what comes out must stay JSON.
            (None, true) => Ok(()),
            (None, false) => filled.write_str("null"),
            (Some(value), false) => write!(filled, "{value}"),
            (Some(Json::String(text)), true) => escape(filled, &text),
            (Some(value), true) if self.is_json => escape(filled, &value.to_string()),
            // Within a text, objects and lists stand without quotes of their own.
            (Some(value), true) => escape(filled, &value.to_string().replace('"', "")),
        };
        debug_assert!(written.is_ok(), "a string takes all that is written");
    }
}

fn value(name: &str, paths: &BTreeMap<String, String>, facts: Facts<'_>) -> Option<Json> {
    match name {
        "aws.events.rule-arn" => Some(Json::String(facts.rule_arn.to_owned())),
        "aws.events.rule-name" => Some(Json::String(facts.rule_name.to_owned())),
        "aws.events.event.ingestion-time" => Some(Json::String(facts.ingestion_time.to_owned())),
        "aws.events.event.json" => Some(facts.event.clone()),
        "aws.events.event" => match facts.event {
            Json::Object(members) => {
                let kept = members.iter().filter(|(name, _)| name != "detail").cloned();
                Some(Json::Object(kept.collect()))
            }
            event => Some(event.clone()),
        },
        name => Path::parse(paths.get(name)?)?.find(facts.event),
    }
}

/// The name of the placeholder with which a text begins, and what follows it.
fn placeholder(text: &str) -> Option<(&str, &str)> {
    let (name, after) = text.strip_prefix('<')?.split_once('>')?;
    let is_name = !name.is_empty()
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte));
    is_name.then_some((name, after))
}

/// The place of the quote that ends a text.
fn closing_quote(text: &str) -> Option<usize> {
    let mut is_escaped = false;
    text.char_indices().find_map(|(place, letter)| {
        let is_end = letter == '"' && !is_escaped;
        is_escaped = letter == '\\' && !is_escaped;
        is_end.then_some(place)
    })
}

/// What is wrong with a text that should be JSON.
fn complaint(text: &str) -> Option<String> {
    if Json::parse(text).is_some() {
        return None;
    }
    let mut tokens = Tokens::new(text);
    let mut depth = 0_usize;
    loop {
        match tokens.next() {
            Err(Broken(reason)) => return Some(reason),
            Ok(Token::ObjectStart | Token::ArrayStart) => depth += 1,
            Ok(Token::ObjectEnd | Token::ArrayEnd) => depth = depth.saturating_sub(1),
            Ok(_) => {}
        }
        if depth == 0 {
            let Broken(reason) = tokens.broken("Unexpected content after the value");
            return Some(reason);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn paths() -> BTreeMap<String, String> {
        [
            ("state", "$.detail.state"),
            ("who", "$.detail.who"),
            ("list", "$.detail.list"),
            ("none", "$.detail.none"),
            ("count", "$.detail.count"),
        ]
        .map(|(name, path)| (name.to_owned(), path.to_owned()))
        .into()
    }

    fn filled(template: &str) -> String {
        let event =
            r#"{"id":"1","detail":{"state":"a \"b\"","who":{"x":"y"},"list":["p",1],"count":3}}"#;
        let event = Json::parse(event).expect("JSON");
        let template = Template::parse(template, &paths()).expect("a template");
        let facts = Facts {
            rule_arn: "arn:rule",
            rule_name: "r",
            ingestion_time: "2026-01-01T00:00:00Z",
            event: &event,
        };
        template.fill(&paths(), facts)
    }

    #[test]
    fn objects() {
        assert_eq!(
            filled(r#"{"s": <state>, "q": "is <state>", "n": <count>, "w": <who>}"#),
            r#"{"s": "a \"b\"", "q": "is a \"b\"", "n": 3, "w": {"x":"y"}}"#
        );
        assert_eq!(filled(r#"{"m": <none>, "n": "<none>"}"#), r#"{"m": null, "n": ""}"#);
        assert_eq!(
            filled(r#"{"<count>": [<list>, "<who>"]}"#),
            r#"{"3": [["p",1], "{\"x\":\"y\"}"]}"#
        );
        assert_eq!(
            filled(
                r#"{"a":"<aws.events.rule-arn>","n":"<aws.events.rule-name>","t":<aws.events.event.ingestion-time>,"e":<aws.events.event>}"#
            ),
            r#"{"a":"arn:rule","n":"r","t":"2026-01-01T00:00:00Z","e":{"id":"1"}}"#
        );
        assert!(filled("{\"e\": <aws.events.event.json>}").contains(r#""detail":{"state""#));
    }

    #[test]
    fn texts() {
        assert_eq!(filled(r#""<count> of <who> and <list>""#), r#""3 of {x:y} and [p,1]""#);
        assert_eq!(
            filled("\"first <count>\"\n\"second \\\"<none>\\\"\""),
            "\"first 3\"\n\"second \\\"\\\"\""
        );
        assert_eq!(filled("<list>"), r#"["p",1]"#);
        assert_eq!(filled(r#""a < b > c""#), r#""a < b > c""#);
    }

    #[test]
    fn what_is_wrong() {
        let wrong = |text: &str| Template::parse(text, &paths()).expect_err("a complaint");
        assert_eq!(wrong(r#"{"a": <other>}"#), Wrong::Undefined("other".into()));
        for text in ["plain <state>", r#"{"a": <state>"#, r#""open"#, "", r#"{"a" <state>}"#] {
            assert!(matches!(wrong(text), Wrong::Syntax(_)), "{text}");
        }
    }

    proptest::proptest! {
        #[test]
        fn no_text_harms(text in r#"[{}"<>a:\\, é-]{0,24}"#) {
            let paths = BTreeMap::from([("a".to_owned(), "$.a".to_owned())]);
            if let Ok(template) = Template::parse(&text, &paths) {
                let event = Json::parse(r#"{"a":"x\"y"}"#).expect("JSON");
                let facts = Facts { rule_arn: "", rule_name: "", ingestion_time: "", event: &event };
                let filled = template.fill(&paths, facts);
                if template.is_json {
                    proptest::prop_assert!(Json::parse(&filled).is_some(), "{}", filled);
                }
            }
        }
    }
}
