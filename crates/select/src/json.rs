//! Takes values of JSON out of bytes that come in pieces, and reads them.

use std::borrow::Cow;

use crate::csv::MAX_RECORD;
use crate::error::Error;
use crate::value::Value;

/// How deep values may be nested.
const MAX_DEPTH: usize = 128;

/// Finds where values at the root begin and end. Commas and white space may stand between them.
#[derive(Debug, Default)]
pub(crate) struct Framer {
    bytes: Vec<u8>,
    depth: usize,
    in_text: bool,
    is_escaped: bool,
    /// Whether the value is a number or word, which ends where something else begins.
    is_bare: bool,
    /// Where in the object the next byte lies.
    pub(crate) offset: u64,
    /// Where the present value, or the last one, began.
    pub(crate) start: u64,
}

impl Framer {
    /// Whether no byte of a value is there.
    pub(crate) fn is_between(&self) -> bool {
        self.bytes.is_empty()
    }

    /// Takes in bytes up to the end of a value: how many, and whether it is whole.
    pub(crate) fn push(&mut self, input: &[u8]) -> Result<(usize, bool), Error> {
        let pushed = self.scan(input)?;
        self.offset += pushed.0 as u64;
        Ok(pushed)
    }

    fn scan(&mut self, input: &[u8]) -> Result<(usize, bool), Error> {
        for (at, byte) in input.iter().enumerate() {
            if self.bytes.is_empty() {
                self.start = self.offset + at as u64;
                match byte {
                    b' ' | b'\t' | b'\r' | b'\n' | b',' => continue,
                    b'{' | b'[' => self.depth = 1,
                    b'"' => self.in_text = true,
                    b'}' | b']' | b':' => return Err(Error::json()),
                    _ => self.is_bare = true,
                }
                self.bytes.push(*byte);
                continue;
            }
            if self.is_bare {
                if matches!(byte, b' ' | b'\t' | b'\r' | b'\n' | b',' | b'{' | b'[' | b'"') {
                    return Ok((at, true));
                }
                self.bytes.push(*byte);
            } else {
                self.bytes.push(*byte);
                if self.ends_with(*byte) {
                    return Ok((at + 1, true));
                }
            }
            if self.bytes.len() > MAX_RECORD {
                return Err(Error::record_too_long());
            }
        }
        Ok((input.len(), false))
    }

    /// Whether this byte ends the value.
    fn ends_with(&mut self, byte: u8) -> bool {
        if self.in_text {
            match byte {
                _ if self.is_escaped => self.is_escaped = false,
                b'\\' => self.is_escaped = true,
                b'"' => {
                    self.in_text = false;
                    return self.depth == 0;
                }
                _ => {}
            }
            return false;
        }
        match byte {
            b'"' => self.in_text = true,
            b'{' | b'[' => self.depth += 1,
            b'}' | b']' => {
                self.depth -= 1;
                return self.depth == 0;
            }
            _ => {}
        }
        false
    }

    /// Whether the bytes at the end are a value.
    pub(crate) fn finish(&self) -> Result<bool, Error> {
        match self.bytes.is_empty() {
            true => Ok(false),
            false if self.is_bare => Ok(true),
            false => Err(Error::json()),
        }
    }

    /// Moves the whole value's text out. An error tells how many of its bytes were text.
    pub(crate) fn take(&mut self, text: &mut String) -> Result<(), usize> {
        let mut spare = std::mem::take(text).into_bytes();
        spare.clear();
        let bytes = std::mem::replace(&mut self.bytes, spare);
        (self.depth, self.in_text, self.is_escaped, self.is_bare) = (0, false, false, false);
        *text = String::from_utf8(bytes).map_err(|error| error.utf8_error().valid_up_to())?;
        Ok(())
    }
}

/// Reads one value.
pub(crate) fn parse(text: &str) -> Result<Value<'_>, Error> {
    let mut reader = Reader { text, at: 0, depth: 0 };
    let value = reader.value()?;
    reader.space();
    if reader.at == text.len() { Ok(value) } else { Err(Error::json()) }
}

struct Reader<'t> {
    text: &'t str,
    at: usize,
    depth: usize,
}

impl<'t> Reader<'t> {
    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn space(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\r' | b'\n')) {
            self.at += 1;
        }
    }

    fn takes(&mut self, byte: u8) -> bool {
        self.space();
        let is = self.peek() == Some(byte);
        self.at += usize::from(is);
        is
    }

    fn value(&mut self) -> Result<Value<'t>, Error> {
        self.space();
        match self.peek() {
            Some(b'{' | b'[') if self.depth == MAX_DEPTH => Err(Error::json()),
            Some(b'{') => {
                self.depth += 1;
                let members = self.members();
                self.depth -= 1;
                members.map(Value::Struct)
            }
            Some(b'[') => {
                self.depth += 1;
                let elements = self.elements();
                self.depth -= 1;
                elements.map(Value::List)
            }
            Some(b'"') => self.string().map(Value::Text),
            Some(b'-' | b'0'..=b'9') => self.number(),
            Some(_) => {
                for (word, value) in [
                    ("true", Value::Bool(true)),
                    ("false", Value::Bool(false)),
                    ("null", Value::Null),
                ] {
                    if self.text[self.at..].starts_with(word) {
                        self.at += word.len();
                        return Ok(value);
                    }
                }
                Err(Error::json())
            }
            None => Err(Error::json()),
        }
    }

    fn members(&mut self) -> Result<Vec<(Cow<'t, str>, Value<'t>)>, Error> {
        self.at += 1;
        let mut members = Vec::new();
        if self.takes(b'}') {
            return Ok(members);
        }
        loop {
            self.space();
            if self.peek() != Some(b'"') {
                return Err(Error::json());
            }
            let name = self.string()?;
            if !self.takes(b':') {
                return Err(Error::json());
            }
            members.push((name, self.value()?));
            if self.takes(b'}') {
                return Ok(members);
            }
            if !self.takes(b',') {
                return Err(Error::json());
            }
        }
    }

    fn elements(&mut self) -> Result<Vec<Value<'t>>, Error> {
        self.at += 1;
        let mut elements = Vec::new();
        if self.takes(b']') {
            return Ok(elements);
        }
        loop {
            elements.push(self.value()?);
            if self.takes(b']') {
                return Ok(elements);
            }
            if !self.takes(b',') {
                return Err(Error::json());
            }
        }
    }

    fn number(&mut self) -> Result<Value<'t>, Error> {
        let rest = &self.text.as_bytes()[self.at..];
        let is_part = |byte: &u8| matches!(byte, b'0'..=b'9' | b'-' | b'+' | b'.' | b'e' | b'E');
        let len = rest.iter().position(|byte| !is_part(byte)).unwrap_or(rest.len());
        let text = &self.text[self.at..self.at + len];
        let digits = text.strip_prefix('-').unwrap_or(text);
        let is_led =
            digits.len() > 1 && digits.starts_with('0') && digits.as_bytes()[1].is_ascii_digit();
        self.at += len;
        if is_led
            || !digits.starts_with(|c: char| c.is_ascii_digit())
            || digits.contains(".e")
            || digits.contains(".E")
            || text.ends_with('.')
        {
            return Err(Error::json());
        }
        Value::number(text).ok_or_else(Error::json)
    }

    /// A string; borrowed if nothing in it is escaped.
    fn string(&mut self) -> Result<Cow<'t, str>, Error> {
        self.at += 1;
        let start = self.at;
        let mut owned: Option<String> = None;
        let mut from = start;
        loop {
            let rest = &self.text.as_bytes()[self.at..];
            let stop = rest.iter().position(|byte| matches!(byte, b'"' | b'\\') || *byte < b' ');
            self.at += stop.ok_or_else(Error::json)?;
            let plain = &self.text[from..self.at];
            let byte = self.peek();
            self.at += 1;
            match byte {
                Some(b'"') => {
                    return Ok(match owned {
                        None => Cow::Borrowed(plain),
                        Some(mut text) => {
                            text.push_str(plain);
                            Cow::Owned(text)
                        }
                    });
                }
                Some(b'\\') => {
                    let text = owned.get_or_insert_default();
                    text.push_str(plain);
                    let character = self.escaped()?;
                    text.push(character);
                    from = self.at;
                }
                _ => return Err(Error::json()),
            }
        }
    }

    fn escaped(&mut self) -> Result<char, Error> {
        let byte = self.peek().ok_or_else(Error::json)?;
        self.at += 1;
        Ok(match byte {
            b'"' => '"',
            b'\\' => '\\',
            b'/' => '/',
            b'b' => '\u{8}',
            b'f' => '\u{c}',
            b'n' => '\n',
            b'r' => '\r',
            b't' => '\t',
            b'u' => {
                let first = self.hex()?;
                if !(0xd800..0xdc00).contains(&first) {
                    // Half of a pair is no character.
                    return Ok(char::from_u32(first).unwrap_or(char::REPLACEMENT_CHARACTER));
                }
                if !self.text[self.at..].starts_with("\\u") {
                    return Ok(char::REPLACEMENT_CHARACTER);
                }
                self.at += 2;
                let second = self.hex()?;
                let low = second.wrapping_sub(0xdc00);
                let pair = 0x10000 + ((first - 0xd800) << 10) + low;
                let character = if low < 0x400 { char::from_u32(pair) } else { None };
                character.unwrap_or(char::REPLACEMENT_CHARACTER)
            }
            _ => return Err(Error::json()),
        })
    }

    fn hex(&mut self) -> Result<u32, Error> {
        let digits = self.text.get(self.at..self.at + 4).ok_or_else(Error::json)?;
        if !digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err(Error::json());
        }
        self.at += 4;
        u32::from_str_radix(digits, 16).map_err(|_| Error::json())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values(text: &str, size: usize) -> Result<Vec<String>, Error> {
        let mut framer = Framer::default();
        let (mut whole, mut all) = (String::new(), Vec::new());
        let mut take = |framer: &mut Framer| -> Result<(), Error> {
            framer.take(&mut whole).expect("text");
            let mut json = Vec::new();
            parse(&whole)?.write_json(&mut json);
            all.push(String::from_utf8(json).expect("text"));
            Ok(())
        };
        for mut piece in text.as_bytes().chunks(size) {
            while !piece.is_empty() {
                let (taken, is_whole) = framer.push(piece)?;
                piece = &piece[taken..];
                if is_whole {
                    take(&mut framer)?;
                }
            }
        }
        if framer.finish()? {
            take(&mut framer)?;
        }
        Ok(all)
    }

    #[test]
    fn values_are_the_same_in_pieces_of_any_size() {
        let text = r#" {"a" : [1, -2.50, 1e3, "x\"}\u00e9\ud83d\ude00\n"], "b":{}},
            [true,false , null] 12
            "t" {"a":1}{"b":2} 7"#;
        for size in 1..20 {
            let all = values(text, size).expect("values");
            assert_eq!(
                all,
                [
                    r#"{"a":[1,-2.50,1000,"x\"}é😀\n"],"b":{}}"#,
                    "[true,false,null]",
                    "12",
                    "\"t\"",
                    "{\"a\":1}",
                    "{\"b\":2}",
                    "7",
                ]
            );
        }
    }

    #[test]
    fn what_is_no_json_is_refused() {
        let deep = "[".repeat(10_000) + &"]".repeat(10_000);
        for text in [
            "{",
            "{\"a\"}",
            "{a:1}",
            "[1,]",
            "[1 2]",
            "nul",
            "01",
            "-",
            "1.",
            "[.5]",
            "\"\\x\"",
            "\"\\u12\"",
            "{\"a\":1,}",
            "\"a\nb\"",
            "}",
            "[1]]",
            &deep,
        ] {
            assert!(values(text, 3).is_err(), "{text}");
        }
        assert_eq!(values(r#""\ud800x""#, 3).as_deref(), Ok(&["\"\u{fffd}x\"".to_owned()][..]));
    }
}
