//! Splits an expression into tokens, each with its place.

use crate::error::Error;

/// What a token is. The names are those that stand in AWS's messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Keyword,
    Identifier,
    QuotedIdentifier,
    /// A text in single quotes.
    Text,
    Number,
    /// A value of Amazon Ion between backticks.
    Ion,
    Operator,
    Dot,
    Star,
    LeftParen,
    RightParen,
    LeftBracket,
    RightBracket,
    Comma,
    Semicolon,
    End,
}

impl Kind {
    fn name(self) -> &'static str {
        match self {
            Kind::Keyword => "KEYWORD",
            Kind::Identifier => "IDENTIFIER",
            Kind::QuotedIdentifier => "QUOTED_IDENTIFIER",
            Kind::Text | Kind::Number => "LITERAL",
            Kind::Ion => "ION_LITERAL",
            Kind::Operator => "OPERATOR",
            Kind::Dot => "DOT",
            Kind::Star => "STAR",
            Kind::LeftParen => "LEFT_PAREN",
            Kind::RightParen => "RIGHT_PAREN",
            Kind::LeftBracket => "LEFT_BRACKET",
            Kind::RightBracket => "RIGHT_BRACKET",
            Kind::Comma => "COMMA",
            Kind::Semicolon => "SEMICOLON",
            Kind::End => "EOF",
        }
    }
}

/// A place in an expression; both count from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) line: usize,
    pub(crate) column: usize,
}

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "line {}, column {}", self.line, self.column)
    }
}

/// A token. Keywords are in lower case; texts and names are without their quotes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Token {
    pub(crate) kind: Kind,
    pub(crate) text: String,
    pub(crate) place: Place,
}

impl Token {
    pub(crate) fn is_keyword(&self, word: &str) -> bool {
        self.kind == Kind::Keyword && self.text == word
    }

    pub(crate) fn is_operator(&self, operator: &str) -> bool {
        self.kind == Kind::Operator && self.text == operator
    }

    /// The token as AWS's messages show it.
    pub(crate) fn shown(&self) -> String {
        match self.kind {
            Kind::Number => format!("LITERAL:{}", self.text),
            Kind::Keyword => format!("KEYWORD:{}", self.text),
            kind => format!("{}:'{}'", kind.name(), self.text),
        }
    }
}

/// What the API Reference calls reserved keywords.
const KEYWORDS: &str = " absolute action add all allocate alter and any are as asc assertion at authorization avg bag begin between \
bit bit_length blob bool boolean both by cascade cascaded case cast catalog char char_length character character_length check clob \
close coalesce collate collation column commit connect connection constraint constraints continue convert corresponding count create \
cross current current_date current_time current_timestamp current_user cursor date day deallocate dec decimal declare default \
deferrable deferred delete desc describe descriptor diagnostics disconnect distinct domain double drop else end end-exec escape \
except exception exec execute exists external extract false fetch first float for foreign found from full get global go goto grant \
group having hour identity immediate in indicator initially inner input insensitive insert int integer intersect interval into is \
isolation join key language last leading left level like limit list local lower match max min minute missing module month names \
national natural nchar next no not null nullif numeric octet_length of on only open option or order outer output overlaps pad \
partial pivot position precision prepare preserve primary prior privileges procedure public read real references relative restrict \
revoke right rollback rows schema scroll second section select session session_user set sexp size smallint some space sql sqlcode \
sqlerror sqlstate string struct substring sum symbol system_user table temporary then time timestamp timezone_hour timezone_minute \
to trailing transaction translate translation trim true tuple union unique unknown unpivot update upper usage user using value \
values varchar varying view when whenever where with work write year zone ";

fn is_keyword(word: &str) -> bool {
    !word.contains(' ') && KEYWORDS.contains(&format!(" {word} "))
}

/// All tokens of an expression; the last is its end.
pub(crate) fn tokens(expression: &str) -> Result<Vec<Token>, Error> {
    let mut lexer = Lexer { rest: expression, place: Place { line: 1, column: 1 } };
    let mut tokens = Vec::new();
    loop {
        let token = lexer.next()?;
        let is_end = token.kind == Kind::End;
        tokens.push(token);
        if is_end {
            return Ok(tokens);
        }
    }
}

struct Lexer<'e> {
    rest: &'e str,
    place: Place,
}

impl<'e> Lexer<'e> {
    fn peek(&self) -> Option<char> {
        self.rest.chars().next()
    }

    fn take(&mut self, len: usize) -> &'e str {
        let (taken, rest) = self.rest.split_at(len);
        for character in taken.chars() {
            if character == '\n' {
                self.place = Place { line: self.place.line + 1, column: 1 };
            } else {
                self.place.column += 1;
            }
        }
        self.rest = rest;
        taken
    }

    fn take_while(&mut self, is_part: impl Fn(char) -> bool) -> &'e str {
        let len = self.rest.find(|c| !is_part(c)).unwrap_or(self.rest.len());
        self.take(len)
    }

    fn skip(&mut self) -> Result<(), Error> {
        loop {
            self.take_while(char::is_whitespace);
            if self.rest.starts_with("--") {
                self.take_while(|c| c != '\n');
            } else if self.rest.starts_with("/*") {
                match self.rest.find("*/") {
                    Some(end) => self.take(end + 2),
                    None => return Err(self.invalid_character('/')),
                };
            } else {
                return Ok(());
            }
        }
    }

    fn invalid_character(&self, character: char) -> Error {
        let message = format!("Invalid character: '{character}' at {}.", self.place);
        Error::new("LexerInvalidChar", message)
    }

    fn next(&mut self) -> Result<Token, Error> {
        self.skip()?;
        let place = self.place;
        let token = |kind, text: &str| Token { kind, text: text.to_owned(), place };
        let Some(first) = self.peek() else { return Ok(token(Kind::End, "")) };
        let single = match first {
            '*' => Some(Kind::Star),
            '(' => Some(Kind::LeftParen),
            ')' => Some(Kind::RightParen),
            '[' => Some(Kind::LeftBracket),
            ']' => Some(Kind::RightBracket),
            ',' => Some(Kind::Comma),
            ';' => Some(Kind::Semicolon),
            '.' if !self.rest[1..].starts_with(|c: char| c.is_ascii_digit()) => Some(Kind::Dot),
            _ => None,
        };
        if let Some(kind) = single {
            return Ok(token(kind, self.take(1)));
        }
        match first {
            '\'' => Ok(Token { kind: Kind::Text, text: self.quoted('\'')?, place }),
            '"' => Ok(Token { kind: Kind::QuotedIdentifier, text: self.quoted('"')?, place }),
            '`' => Ok(Token { kind: Kind::Ion, text: self.quoted('`')?, place }),
            '0'..='9' | '.' => self.number(place),
            c if c.is_alphabetic() || c == '_' || c == '$' => {
                let word = self.take_while(|c| c.is_alphanumeric() || c == '_' || c == '$');
                let lower = word.to_ascii_lowercase();
                Ok(match is_keyword(&lower) {
                    true => token(Kind::Keyword, &lower),
                    false => token(Kind::Identifier, word),
                })
            }
            _ => {
                let known = ["<=", ">=", "<>", "!=", "||", "=", "<", ">", "+", "-", "/", "%"];
                match known.iter().find(|operator| self.rest.starts_with(**operator)) {
                    Some(operator) => Ok(token(Kind::Operator, self.take(operator.len()))),
                    None => Err(self.invalid_character(first)),
                }
            }
        }
    }

    /// What stands between two of these quotes, of which two are one.
    fn quoted(&mut self, quote: char) -> Result<String, Error> {
        let place = self.place;
        self.take(1);
        let mut text = String::new();
        loop {
            text.push_str(self.take_while(|c| c != quote));
            if self.rest.is_empty() {
                let message = format!("Unterminated literal at {place}.");
                return Err(Error::new("LexerInvalidLiteral", message));
            }
            self.take(1);
            if quote == '`' || self.peek() != Some(quote) {
                return Ok(text);
            }
            text.push(quote);
            self.take(1);
        }
    }

    fn number(&mut self, place: Place) -> Result<Token, Error> {
        let bytes = self.rest.as_bytes();
        let digits = |mut at: usize| {
            while bytes.get(at).is_some_and(u8::is_ascii_digit) {
                at += 1;
            }
            at
        };
        let mut end = digits(0);
        if bytes.get(end) == Some(&b'.') {
            end = digits(end + 1);
        }
        if matches!(bytes.get(end), Some(b'e' | b'E')) {
            let sign = usize::from(matches!(bytes.get(end + 1), Some(b'+' | b'-')));
            let exponent = digits(end + 1 + sign);
            if exponent > end + 1 + sign {
                end = exponent;
            }
        }
        let text = self.take(end).to_owned();
        if self.peek().is_some_and(|c| c.is_alphabetic() || c == '_') {
            let message = format!("Invalid literal at {place}.");
            return Err(Error::new("LexerInvalidLiteral", message));
        }
        Ok(Token { kind: Kind::Number, text, place })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(expression: &str) -> Vec<String> {
        let tokens = tokens(expression).expect("tokens");
        tokens.iter().map(Token::shown).collect()
    }

    #[test]
    fn tokens_have_their_kinds() {
        assert_eq!(
            shown("SELECT s.\"a\"\"b\", 'it''s' -- a comment\n<> .5e-1 `2017T` /* x */ end"),
            [
                "KEYWORD:select",
                "IDENTIFIER:'s'",
                "DOT:'.'",
                "QUOTED_IDENTIFIER:'a\"b'",
                "COMMA:','",
                "LITERAL:'it's'",
                "OPERATOR:'<>'",
                "LITERAL:.5e-1",
                "ION_LITERAL:'2017T'",
                "KEYWORD:end",
                "EOF:''",
            ]
        );
    }

    #[test]
    fn what_is_no_token_is_refused_with_its_place() {
        let refused = |expression| tokens(expression).map(|_| ()).expect_err("no tokens");
        assert_eq!(refused("a\n ?").message, "Invalid character: '?' at line 2, column 2.");
        assert_eq!(refused("'open").code, "LexerInvalidLiteral");
        assert_eq!(refused("/* open").code, "LexerInvalidChar");
        assert_eq!(refused("1x").code, "LexerInvalidLiteral");
        assert_eq!(refused("é ☃").code, "LexerInvalidChar");
    }
}
