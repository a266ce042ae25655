//! JSON as events carry it: members keep their order, numbers their digits.

use std::fmt::{self, Write};

use super::tokens::{Token, Tokens};

/// How deep AWS lets JSON nest in an event.
pub(crate) const MAX_DEPTH: usize = 1100;

/// A value of JSON.
#[derive(Clone, Debug, PartialEq)]
pub enum Json {
    /// `null`
    Null,
    /// `true` or `false`
    Bool(bool),
    /// A number, as it was written.
    Number(String),
    /// A text.
    String(String),
    /// A list.
    Array(Vec<Json>),
    /// Members in their order; of two with one name the last counts.
    Object(Vec<(String, Json)>),
}

impl Json {
    /// Reads a whole text; `None` if it is no JSON, or nests too deep.
    pub fn parse(text: &str) -> Option<Json> {
        let mut tokens = Tokens::new(text);
        let first = tokens.next().ok()?;
        let value = Json::read(&mut tokens, &first, MAX_DEPTH)?;
        tokens.is_at_end().then_some(value)
    }

    fn read(tokens: &mut Tokens<'_>, first: &Token, depth: usize) -> Option<Json> {
        Some(match first {
            Token::Null => Json::Null,
            Token::Bool(value) => Json::Bool(*value),
            Token::Number(digits) => Json::Number(digits.clone()),
            Token::String => Json::String(tokens.text().ok()?),
            Token::ArrayStart => {
                let mut values = Vec::new();
                loop {
                    match tokens.next().ok()? {
                        Token::ArrayEnd => break Json::Array(values),
                        token => values.push(Json::read(tokens, &token, depth.checked_sub(1)?)?),
                    }
                }
            }
            Token::ObjectStart => {
                let mut object = Object::default();
                loop {
                    match tokens.next().ok()? {
                        Token::ObjectEnd => break Json::Object(object.members),
                        Token::Name(name) => {
                            let token = tokens.next().ok()?;
                            let value = Json::read(tokens, &token, depth.checked_sub(1)?)?;
                            object.put(name, value);
                        }
                        _ => return None,
                    }
                }
            }
            Token::ArrayEnd | Token::ObjectEnd | Token::Name(_) => return None,
        })
    }

    /// The member of an object with this name.
    pub fn get(&self, name: &str) -> Option<&Json> {
        match self {
            Json::Object(members) => {
                members.iter().find(|(known, _)| known == name).map(|(_, value)| value)
            }
            _ => None,
        }
    }

    /// The text of a text.
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Json::String(text) => Some(text),
            _ => None,
        }
    }

    /// A text as JSON.
    pub fn quoted(text: &str) -> String {
        Json::String(text.to_owned()).to_string()
    }
}

/// The members of an object that is being read: a list, and an index once there are many.
#[derive(Default)]
struct Object {
    members: Vec<(String, Json)>,
    places: std::collections::HashMap<String, usize>,
}

/// With so many members an index is worth its while.
const MANY: usize = 16;

impl Object {
    fn put(&mut self, name: String, value: Json) {
        if self.members.len() == MANY {
            let known = self.members.iter().enumerate();
            self.places = known.map(|(place, (name, _))| (name.clone(), place)).collect();
        }
        let place = match self.members.len() {
            0..MANY => self.members.iter().position(|(known, _)| *known == name),
            _ => self.places.get(&name).copied(),
        };
        match place {
            Some(place) => self.members[place].1 = value,
            None => {
                if self.members.len() >= MANY {
                    self.places.insert(name.clone(), self.members.len());
                }
                self.members.push((name, value));
            }
        }
    }
}

impl fmt::Display for Json {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Json::Null => f.write_str("null"),
            Json::Bool(value) => write!(f, "{value}"),
            Json::Number(digits) => f.write_str(digits),
            Json::String(text) => quote(f, text),
            Json::Array(values) => {
                f.write_char('[')?;
                for (index, value) in values.iter().enumerate() {
                    if index > 0 {
                        f.write_char(',')?;
                    }
                    write!(f, "{value}")?;
                }
                f.write_char(']')
            }
            Json::Object(members) => {
                f.write_char('{')?;
                for (index, (name, value)) in members.iter().enumerate() {
                    if index > 0 {
                        f.write_char(',')?;
                    }
                    quote(f, name)?;
                    write!(f, ":{value}")?;
                }
                f.write_char('}')
            }
        }
    }
}

fn quote(f: &mut fmt::Formatter<'_>, text: &str) -> fmt::Result {
    f.write_char('"')?;
    escape(f, text)?;
    f.write_char('"')
}

/// Writes a text as it stands between the quotes of JSON.
pub(crate) fn escape(to: &mut impl Write, text: &str) -> fmt::Result {
    for letter in text.chars() {
        match letter {
            '"' => to.write_str("\\\"")?,
            '\\' => to.write_str("\\\\")?,
            '\n' => to.write_str("\\n")?,
            '\r' => to.write_str("\\r")?,
            '\t' => to.write_str("\\t")?,
            '\u{8}' => to.write_str("\\b")?,
            '\u{c}' => to.write_str("\\f")?,
            letter if letter < ' ' => write!(to, "\\u{:04X}", u32::from(letter))?,
            letter => to.write_char(letter)?,
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn order_and_digits_are_kept() {
        for text in [r#"{"b":1.50,"a":[null,true,-0,1e400,"x\"\\\n"],"c":{}}"#, "[]", r#""ü""#] {
            assert_eq!(Json::parse(text).expect("JSON").to_string(), text);
        }
        let spaced = " { \"a\" : [ 1 , 2 ] } ";
        assert_eq!(Json::parse(spaced).expect("JSON").to_string(), r#"{"a":[1,2]}"#);
        assert_eq!(Json::parse(r#""\u00e9\ud83d\ude00\/""#), Some(Json::String("é😀/".into())));
    }

    #[test]
    fn the_last_of_equal_names_counts() {
        let parsed = Json::parse(r#"{"a":1,"b":2,"a":3}"#).expect("JSON");
        assert_eq!(parsed.to_string(), r#"{"a":3,"b":2}"#);
        let many: Vec<String> = (0..50).map(|at| format!(r#""k{}":{at}"#, at % 30)).collect();
        let parsed = Json::parse(&format!("{{{}}}", many.join(","))).expect("JSON");
        let Json::Object(members) = &parsed else { panic!("an object") };
        assert_eq!(members.len(), 30);
        assert_eq!(parsed.get("k19"), Some(&Json::Number("49".into())));
        assert_eq!(parsed.get("k20"), Some(&Json::Number("20".into())));
    }

    #[test]
    fn what_is_no_json_is_refused() {
        for text in [
            "",
            "{",
            "[1,]",
            "{\"a\"}",
            "{\"a\":1,}",
            "01",
            "1.",
            "-",
            "tru",
            "\"a",
            "[1 2]",
            "1 2",
            "{a:1}",
            "'a'",
            "\"\\x\"",
            "\"\u{1}\"",
            "[",
            "}",
            "nulll",
        ] {
            assert_eq!(Json::parse(text), None, "{text}");
        }
    }

    #[test]
    fn deep_nesting_is_refused_without_harm() {
        let deep = |levels: usize| "[".repeat(levels) + &"]".repeat(levels);
        assert!(Json::parse(&deep(1000)).is_some());
        assert!(Json::parse(&deep(100_000)).is_none());
    }

    proptest::proptest! {
        #[test]
        fn no_text_harms(text in ".{0,60}") {
            if let Some(value) = Json::parse(&text) {
                assert_eq!(Json::parse(&value.to_string()), Some(value));
            }
        }

        #[test]
        fn agrees_with_another_reader(text in r#"[\[\]{}:,"a0-9.eE+\\ tnru-]{0,24}"#) {
            let theirs = serde_json::from_str::<serde_json::Value>(&text);
            // Theirs refuses numbers that no double can hold.
            let is_large = theirs.as_ref().is_err_and(|error| error.to_string().contains("out of range"));
            if !is_large {
                assert_eq!(Json::parse(&text).is_some(), theirs.is_ok(), "{text}");
            }
        }
    }
}
