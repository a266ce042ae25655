//! A pull reader of JSON text.

use std::borrow::Cow;

use crate::Rejection;
use crate::read::{Frame, Token, Tokens};

/// JSON text and how far it has been read.
pub(crate) struct Json<'t> {
    text: &'t str,
    at: usize,
}

/// Coral tells nothing about malformed JSON.
fn malformed() -> Rejection {
    Rejection::Serialization(String::new())
}

impl<'t> Json<'t> {
    pub(crate) fn new(bytes: &'t [u8]) -> Result<Json<'t>, Rejection> {
        let text = std::str::from_utf8(bytes).map_err(|_| malformed())?;
        Ok(Json { text: text.strip_prefix('\u{feff}').unwrap_or(text), at: 0 })
    }

    /// Requires that nothing but white space follows.
    pub(crate) fn end(&mut self) -> Result<(), Rejection> {
        match self.peek() {
            None => Ok(()),
            Some(_) => Err(malformed()),
        }
    }

    /// The next byte that is no white space.
    fn peek(&mut self) -> Option<u8> {
        let bytes = self.text.as_bytes();
        while let Some(byte) = bytes.get(self.at) {
            if !matches!(byte, b' ' | b'\t' | b'\n' | b'\r') {
                return Some(*byte);
            }
            self.at += 1;
        }
        None
    }

    fn expect(&mut self, byte: u8) -> Result<(), Rejection> {
        if self.peek() == Some(byte) {
            self.at += 1;
            Ok(())
        } else {
            Err(malformed())
        }
    }

    fn word(&mut self, word: &str, token: Token<'t>) -> Result<Token<'t>, Rejection> {
        if self.text.as_bytes()[self.at..].starts_with(word.as_bytes()) {
            self.at += word.len();
            Ok(token)
        } else {
            Err(malformed())
        }
    }

    fn number(&mut self) -> Result<Token<'t>, Rejection> {
        let bytes = self.text.as_bytes();
        let start = self.at;
        let mut real = false;
        while let Some(byte) = bytes.get(self.at) {
            match byte {
                b'0'..=b'9' | b'-' | b'+' => {}
                b'.' | b'e' | b'E' => real = true,
                _ => break,
            }
            self.at += 1;
        }
        let text = &self.text[start..self.at];
        let digits = text.strip_prefix('-').unwrap_or(text);
        let leading_zero = digits.len() > 1
            && digits.starts_with('0')
            && !digits[1..].starts_with(['.', 'e', 'E']);
        if !digits.starts_with(|first: char| first.is_ascii_digit())
            || leading_zero
            || text.ends_with('.')
            || text.contains(".e")
            || text.contains(".E")
        {
            return Err(malformed());
        }
        if !real && let Ok(value) = text.parse() {
            return Ok(Token::Integer(value));
        }
        text.parse().map(Token::Float).map_err(|_| malformed())
    }

    /// Reads text; the opening quote has been read.
    fn string(&mut self) -> Result<Cow<'t, str>, Rejection> {
        let start = self.at;
        let bytes = self.text.as_bytes();
        let stop = bytes[start..]
            .iter()
            .position(|&byte| byte == b'"' || byte == b'\\' || byte < 0x20)
            .ok_or_else(malformed)?
            + start;
        self.at = stop + 1;
        match bytes[stop] {
            b'"' => Ok(Cow::Borrowed(&self.text[start..stop])),
            b'\\' => self.escaped(start, stop).map(Cow::Owned),
            _ => Err(malformed()),
        }
    }

    /// Reads the rest of a text that holds a backslash at `stop`.
    fn escaped(&mut self, start: usize, stop: usize) -> Result<String, Rejection> {
        let bytes = self.text.as_bytes();
        let mut whole = self.text[start..stop].to_owned();
        loop {
            whole.push(self.escape()?);
            let run = self.at;
            let stop = bytes[run..]
                .iter()
                .position(|&byte| byte == b'"' || byte == b'\\' || byte < 0x20)
                .ok_or_else(malformed)?
                + run;
            whole.push_str(&self.text[run..stop]);
            self.at = stop + 1;
            match bytes[stop] {
                b'"' => return Ok(whole),
                b'\\' => {}
                _ => return Err(malformed()),
            }
        }
    }

    /// Reads what follows a backslash.
    fn escape(&mut self) -> Result<char, Rejection> {
        let byte = *self.text.as_bytes().get(self.at).ok_or_else(malformed)?;
        self.at += 1;
        Ok(match byte {
            b'"' | b'\\' | b'/' => char::from(byte),
            b'b' => '\u{8}',
            b'f' => '\u{c}',
            b'n' => '\n',
            b'r' => '\r',
            b't' => '\t',
            b'u' => self.unicode()?,
            _ => return Err(malformed()),
        })
    }

    fn unicode(&mut self) -> Result<char, Rejection> {
        let high = self.hex()?;
        if let 0xD800..=0xDBFF = high
            && self.text.as_bytes()[self.at..].starts_with(b"\\u")
        {
            let back = self.at;
            self.at += 2;
            let low = self.hex()?;
            if let 0xDC00..=0xDFFF = low {
                let scalar = 0x10000 + ((high - 0xD800) << 10) + (low - 0xDC00);
                return Ok(char::from_u32(scalar).unwrap_or(char::REPLACEMENT_CHARACTER));
            }
            self.at = back;
        }
        // Half a surrogate pair: Java would keep it, UTF-8 cannot.
        Ok(char::from_u32(high).unwrap_or(char::REPLACEMENT_CHARACTER))
    }

    fn hex(&mut self) -> Result<u32, Rejection> {
        let digits = self.text.as_bytes().get(self.at..self.at + 4).ok_or_else(malformed)?;
        self.at += 4;
        digits.iter().try_fold(0, |value, digit| {
            let digit = char::from(*digit).to_digit(16).ok_or_else(malformed)?;
            Ok(value * 16 + digit)
        })
    }

    /// Steps to the next element or entry; false at the end, which `close` marks.
    fn more(&mut self, frame: &mut Frame, close: u8) -> Result<bool, Rejection> {
        let byte = self.peek().ok_or_else(malformed)?;
        if byte == close {
            self.at += 1;
            return Ok(false);
        }
        if !frame.first {
            self.expect(b',')?;
            if self.peek() == Some(close) {
                return Err(malformed());
            }
        }
        frame.first = false;
        Ok(true)
    }
}

impl<'t> Tokens<'t> for Json<'t> {
    fn next(&mut self) -> Result<Token<'t>, Rejection> {
        let frame = Frame { left: None, first: true };
        match self.peek().ok_or_else(malformed)? {
            b'"' => {
                self.at += 1;
                Ok(Token::Text(self.string()?))
            }
            b'{' => {
                self.at += 1;
                Ok(Token::Map(frame))
            }
            b'[' => {
                self.at += 1;
                Ok(Token::List(frame))
            }
            b't' => self.word("true", Token::Boolean(true)),
            b'f' => self.word("false", Token::Boolean(false)),
            b'n' => self.word("null", Token::Null),
            b'-' | b'0'..=b'9' => self.number(),
            _ => Err(malformed()),
        }
    }

    fn element(&mut self, frame: &mut Frame) -> Result<bool, Rejection> {
        self.more(frame, b']')
    }

    fn key(&mut self, frame: &mut Frame) -> Result<Option<Cow<'t, str>>, Rejection> {
        if !self.more(frame, b'}')? {
            return Ok(None);
        }
        self.expect(b'"')?;
        let key = self.string()?;
        self.expect(b':')?;
        Ok(Some(key))
    }
}
