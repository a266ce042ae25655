//! The tokens of JSON one after the other, and the place that a reader has reached: AWS names it where a pattern is wrong.
//!
//! The places are those of Jackson, with which AWS reads patterns: it reads a value's beginning together with the name in
//! front of it, and a text not before somebody asks for it.

use std::fmt::Write;

/// A piece of JSON.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Token {
    ObjectStart,
    ObjectEnd,
    ArrayStart,
    ArrayEnd,
    /// The name of a member.
    Name(String),
    /// A text, which [`Tokens::text`] reads.
    String,
    Number(String),
    Bool(bool),
    Null,
}

/// Why a text is no JSON, with the place.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Broken(pub(crate) String);

/// What surrounds the place: an object or a list.
#[derive(Clone, Copy, PartialEq)]
enum Within {
    Object,
    Array,
}

/// A reader of JSON.
pub(crate) struct Tokens<'a> {
    text: &'a str,
    at: usize,
    within: Vec<Within>,
    /// Whether something stands before in the innermost object or list.
    has_item: bool,
    /// The value that was begun together with its name.
    begun: Option<Token>,
    /// Whether a text was begun and not read.
    is_in_text: bool,
    is_done: bool,
}

impl<'a> Tokens<'a> {
    pub(crate) fn new(text: &'a str) -> Tokens<'a> {
        Tokens {
            text,
            at: 0,
            within: Vec::new(),
            has_item: false,
            begun: None,
            is_in_text: false,
            is_done: false,
        }
    }

    /// The next token. It is an error to ask for one after the last.
    pub(crate) fn next(&mut self) -> Result<Token, Broken> {
        if let Some(token) = self.begun.take() {
            self.enter(&token);
            return Ok(token);
        }
        if self.is_in_text {
            self.text()?;
        }
        if self.is_done {
            return Err(self.broken("Unexpected end-of-input"));
        }
        self.skip_space();
        match self.within.last().copied() {
            None => self.value(),
            Some(within) => self.item(within),
        }
    }

    fn item(&mut self, within: Within) -> Result<Token, Broken> {
        let (close, token) = match within {
            Within::Object => (b'}', Token::ObjectEnd),
            Within::Array => (b']', Token::ArrayEnd),
        };
        if self.peek() == Some(close) {
            self.at += 1;
            self.leave();
            return Ok(token);
        }
        if self.has_item {
            if self.peek() != Some(b',') {
                let whole = match within {
                    Within::Object => "Object",
                    Within::Array => "Array",
                };
                return Err(
                    self.unexpected(&format!("was expecting comma to separate {whole} entries"))
                );
            }
            self.at += 1;
            self.skip_space();
        }
        if within == Within::Array {
            return self.value();
        }
        if self.peek() != Some(b'"') {
            return Err(self.unexpected("was expecting double-quote to start field name"));
        }
        self.at += 1;
        let name = self.string()?;
        self.skip_space();
        if self.peek() != Some(b':') {
            let wanted = "was expecting a colon to separate field name and value";
            return Err(self.unexpected(wanted));
        }
        self.at += 1;
        self.skip_space();
        self.has_item = true;
        self.begun = Some(self.begin()?);
        Ok(Token::Name(name))
    }

    fn value(&mut self) -> Result<Token, Broken> {
        let token = self.begin()?;
        self.has_item = true;
        self.enter(&token);
        Ok(token)
    }

    /// Reads a value's beginning, or all of a number or word.
    fn begin(&mut self) -> Result<Token, Broken> {
        let Some(first) = self.peek() else {
            return Err(self.broken("Unexpected end-of-input"));
        };
        match first {
            b'{' => {
                self.at += 1;
                Ok(Token::ObjectStart)
            }
            b'[' => {
                self.at += 1;
                Ok(Token::ArrayStart)
            }
            b'"' => {
                self.at += 1;
                self.is_in_text = true;
                Ok(Token::String)
            }
            b'-' | b'0'..=b'9' => self.number(),
            _ => self.word(),
        }
    }

    fn enter(&mut self, token: &Token) {
        match token {
            Token::ObjectStart => self.within.push(Within::Object),
            Token::ArrayStart => self.within.push(Within::Array),
            _ => {
                self.is_done = self.within.is_empty();
                return;
            }
        }
        self.has_item = false;
    }

    fn leave(&mut self) {
        self.within.pop();
        self.has_item = true;
        self.is_done = self.within.is_empty();
    }

    fn number(&mut self) -> Result<Token, Broken> {
        let start = self.at;
        if self.peek() == Some(b'-') {
            self.at += 1;
        }
        match self.peek() {
            Some(b'0') => {
                self.at += 1;
                if matches!(self.peek(), Some(b'0'..=b'9')) {
                    return Err(self.broken("Invalid numeric value: Leading zeroes not allowed"));
                }
            }
            _ => self.digits()?,
        }
        if self.peek() == Some(b'.') {
            self.at += 1;
            self.digits()?;
        }
        if matches!(self.peek(), Some(b'e' | b'E')) {
            self.at += 1;
            if matches!(self.peek(), Some(b'+' | b'-')) {
                self.at += 1;
            }
            self.digits()?;
        }
        Ok(Token::Number(self.text[start..self.at].to_owned()))
    }

    fn digits(&mut self) -> Result<(), Broken> {
        let start = self.at;
        while matches!(self.peek(), Some(b'0'..=b'9')) {
            self.at += 1;
        }
        match self.at > start {
            true => Ok(()),
            false => Err(self.unexpected("expected digit (0-9) in a number")),
        }
    }

    fn word(&mut self) -> Result<Token, Broken> {
        let start = self.at;
        let rest = &self.text[start..];
        let length = rest.find(|letter: char| !letter.is_alphanumeric() && letter != '_');
        let word = &rest[..length.unwrap_or(rest.len())];
        if word.is_empty() {
            let wanted = "expected a valid value (JSON String, Number, Array, Object or token 'null', \
                          'true' or 'false')";
            return Err(self.unexpected(wanted));
        }
        self.at += word.len();
        match word {
            "null" => Ok(Token::Null),
            "true" => Ok(Token::Bool(true)),
            "false" => Ok(Token::Bool(false)),
            _ => Err(self.broken(&format!(
                "Unrecognized token '{word}': was expecting (JSON String, Number, Array, Object or \
                 token 'null', 'true' or 'false')"
            ))),
        }
    }

    /// The text that was begun.
    pub(crate) fn text(&mut self) -> Result<String, Broken> {
        self.is_in_text = false;
        self.string()
    }

    /// Reads up to the closing quote.
    fn string(&mut self) -> Result<String, Broken> {
        let mut text = String::new();
        loop {
            let rest = &self.text[self.at..];
            let plain = rest.find(|letter: char| letter < ' ' || letter == '"' || letter == '\\');
            let Some(plain) = plain else {
                self.at = self.text.len();
                return Err(self.broken(
                    "Unexpected end-of-input: was expecting closing quote for a string value",
                ));
            };
            text.push_str(&rest[..plain]);
            self.at += plain + 1;
            match rest.as_bytes()[plain] {
                b'"' => return Ok(text),
                b'\\' => text.push(self.escaped()?),
                code => {
                    return Err(self.broken(&format!(
                        "Illegal unquoted character ((CTRL-CHAR, code {code})): has to be escaped using \
                         backslash to be included in string value"
                    )));
                }
            }
        }
    }

    fn escaped(&mut self) -> Result<char, Broken> {
        let letter = self.peek();
        self.at += usize::from(letter.is_some_and(|letter| letter.is_ascii()));
        Ok(match letter {
            Some(b'"') => '"',
            Some(b'\\') => '\\',
            Some(b'/') => '/',
            Some(b'b') => '\u{8}',
            Some(b'f') => '\u{c}',
            Some(b'n') => '\n',
            Some(b'r') => '\r',
            Some(b't') => '\t',
            Some(b'u') => return self.unicode(),
            _ => return Err(self.broken("Unrecognized character escape")),
        })
    }

    fn unicode(&mut self) -> Result<char, Broken> {
        let high = self.code()?;
        let code = match high {
            0xd800..0xdc00 if self.text[self.at..].starts_with("\\u") => {
                self.at += 2;
                let low = self.code()?;
                match low {
                    0xdc00..0xe000 => 0x10000 + ((high - 0xd800) << 10) + (low - 0xdc00),
                    _ => return Err(self.broken("Invalid surrogate pair")),
                }
            }
            code => code,
        };
        // Half a pair is nothing that UTF-8 can hold.
        char::from_u32(code).ok_or_else(|| self.broken("Invalid surrogate pair"))
    }

    fn code(&mut self) -> Result<u32, Broken> {
        let digits = self.text.get(self.at..self.at + 4);
        let digits = digits.filter(|digits| digits.bytes().all(|digit| digit.is_ascii_hexdigit()));
        let Some(digits) = digits else {
            return Err(self.broken(
                "Unexpected character: expected a hex-digit for character escape sequence",
            ));
        };
        self.at += 4;
        Ok(u32::from_str_radix(digits, 16).unwrap_or_default())
    }

    /// Whether nothing but space follows the last value.
    pub(crate) fn is_at_end(&mut self) -> bool {
        if self.is_in_text && self.text().is_err() {
            return false;
        }
        self.skip_space();
        self.at == self.text.len()
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn skip_space(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
    }

    fn unexpected(&mut self, wanted: &str) -> Broken {
        let letter = self.text[self.at..].chars().next();
        let Some(letter) = letter else { return self.broken("Unexpected end-of-input") };
        self.at += letter.len_utf8();
        self.broken(&format!(
            "Unexpected character ('{letter}' (code {})): {wanted}",
            u32::from(letter)
        ))
    }

    /// A complaint with the place that was reached, as Jackson words it.
    pub(crate) fn broken(&self, complaint: &str) -> Broken {
        // So much of the text is shown.
        const SHOWN: usize = 500;
        let before = &self.text[..self.at];
        let line = before.matches('\n').count() + 1;
        let column = before.rsplit('\n').next().unwrap_or_default().encode_utf16().count() + 1;
        let mut message = format!("{complaint}\n at [Source: (String)\"");
        message.extend(self.text.chars().take(SHOWN));
        message.push('"');
        let hidden = self.text.chars().count().saturating_sub(SHOWN);
        if hidden > 0 {
            let _ = write!(message, "[truncated {hidden} chars]");
        }
        let _ = write!(message, "; line: {line}, column: {column}]");
        Broken(message)
    }
}
