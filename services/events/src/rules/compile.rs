//! From a pattern's text to the pattern, with AWS's complaints about what is wrong and where.
//!
//! The grammar and the complaints are those of AWS's published [rule engine](https://github.com/aws/event-ruler).

use std::net::IpAddr;

use super::json::MAX_DEPTH;
use super::pattern::{Cidr, Matcher, Number, Pattern, Range, Wanted, Wildcard, folded};
use super::tokens::{Broken, Token, Tokens};

/// The names that mean something to the engine, or may one day: they are no fields within `$or`.
const RESERVED: [&str; 24] = [
    "exactly",
    "equals-ignore-case",
    "prefix",
    "suffix",
    "anything-but",
    "exists",
    "wildcard",
    "numeric",
    "cidr",
    "=",
    "<",
    "<=",
    ">",
    ">=",
    "regex",
    "not-wildcard",
    "not-equals-ignore-case",
    "date-after",
    "date-on-or-after",
    "date-before",
    "date-on-or-before",
    "in-date-range",
    "ip-address-in-range",
    "ip-address-not-in-range",
];

const ONE_KEY: &str = "Only one key allowed in match expression";
const TOO_MANY: &str = "Too many elements in numeric expression";

impl Pattern {
    /// Reads a pattern; else says in AWS's words what is wrong with it.
    pub fn parse(text: &str) -> Result<Pattern, String> {
        let mut compiler = Compiler { tokens: Tokens::new(text), depth: 0 };
        compiler.whole().map_err(|Broken(reason)| reason)
    }
}

struct Compiler<'a> {
    tokens: Tokens<'a>,
    depth: usize,
}

type Compiled<T> = Result<T, Broken>;

impl Compiler<'_> {
    fn fail<T>(&self, complaint: impl AsRef<str>) -> Compiled<T> {
        Err(self.tokens.broken(complaint.as_ref()))
    }

    fn whole(&mut self) -> Compiled<Pattern> {
        if self.tokens.next()? != Token::ObjectStart {
            return self.fail("Filter is not an object");
        }
        self.object(false)
    }

    fn object(&mut self, is_in_or: bool) -> Compiled<Pattern> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return self.fail("Document nesting depth exceeds the maximum allowed");
        }
        let mut pattern = Pattern::default();
        loop {
            let name = match self.tokens.next()? {
                Token::ObjectEnd => break,
                Token::Name(name) => name,
                _ => return self.fail("Unexpected token"),
            };
            if name == "$or" {
                let patterns = self.alternatives()?;
                pattern.alternatives.push(patterns);
                continue;
            }
            if is_in_or && RESERVED.contains(&name.as_str()) {
                return self.fail(format!(
                    "{name} is Ruler reserved fieldName which cannot be used inside $or."
                ));
            }
            let wanted = match self.tokens.next()? {
                Token::ObjectStart => Wanted::Object(self.object(is_in_or)?),
                Token::ArrayStart => Wanted::OneOf(self.matchers()?),
                _ => return self.fail(format!("\"{name}\" must be an object or an array")),
            };
            // Of two members with one name the last counts.
            pattern.members.retain(|(known, _)| *known != name);
            pattern.members.push((name, wanted));
        }
        self.depth -= 1;
        if pattern == Pattern::default() {
            return self.fail("Empty objects are not allowed");
        }
        Ok(pattern)
    }

    fn alternatives(&mut self) -> Compiled<Vec<Pattern>> {
        if self.tokens.next()? != Token::ArrayStart {
            return self.fail("It must be an Array followed with $or.");
        }
        let mut patterns = Vec::new();
        loop {
            match self.tokens.next()? {
                Token::ArrayEnd => break,
                Token::ObjectStart => patterns.push(self.object(true)?),
                _ => {
                    return self.fail("Only JSON object is allowed in array of $or relationship.");
                }
            }
        }
        if patterns.len() < 2 {
            return self.fail("There must have at least 2 Objects in $or relationship.");
        }
        Ok(patterns)
    }

    fn matchers(&mut self) -> Compiled<Vec<Matcher>> {
        let mut matchers = Vec::new();
        loop {
            matchers.push(match self.tokens.next()? {
                Token::ArrayEnd => break,
                Token::ObjectStart => self.expression()?,
                Token::String => {
                    let text = self.tokens.text()?;
                    match text.parse() {
                        Ok(address) => Matcher::Address(address, text),
                        Err(_) => Matcher::Text(text),
                    }
                }
                Token::Number(digits) => Matcher::Number(Number::parse(&digits), digits),
                Token::Null => Matcher::Null,
                Token::Bool(value) => Matcher::Bool(value),
                Token::ArrayStart | Token::ObjectEnd | Token::Name(_) => {
                    return self.fail("Match value must be String, number, true, false, or null");
                }
            });
        }
        if matchers.is_empty() {
            return self.fail("Empty arrays are not allowed");
        }
        Ok(matchers)
    }

    fn expression(&mut self) -> Compiled<Matcher> {
        let Token::Name(kind) = self.tokens.next()? else {
            return self.fail("Match expression name not found");
        };
        match kind.as_str() {
            "exactly" => self.single("exact").map(Matcher::Text),
            "equals-ignore-case" => {
                self.single("equals-ignore-case").map(|text| Matcher::IgnoreCase(folded(&text)))
            }
            "prefix" => self.affix("prefix", Matcher::Prefix, Matcher::PrefixIgnoreCase),
            "suffix" => self.affix("suffix", Matcher::Suffix, Matcher::SuffixIgnoreCase),
            "wildcard" => {
                let text = self.text("wildcard")?;
                let wildcard = self.wildcard(&text)?;
                self.end(ONE_KEY)?;
                Ok(Matcher::Wildcard(wildcard))
            }
            "numeric" => {
                if self.tokens.next()? != Token::ArrayStart {
                    return self.fail("Value of numeric must be an array.");
                }
                let range = self.range()?;
                self.end(TOO_MANY)?;
                Ok(range)
            }
            "anything-but" => self.anything_but(),
            "exists" => {
                let matcher = match self.tokens.next()? {
                    Token::Bool(true) => Matcher::Exists,
                    Token::Bool(false) => Matcher::Absent,
                    _ => return self.fail("exists match pattern must be either true or false."),
                };
                self.end(ONE_KEY)?;
                Ok(matcher)
            }
            "cidr" => {
                // AWS says so of `cidr`, too.
                let text = self.text("prefix")?;
                // What is wrong within the text is told without a place.
                let block = cidr(&text).map_err(|reason| Broken(reason.to_owned()))?;
                self.end(ONE_KEY)?;
                Ok(Matcher::Cidr(block))
            }
            _ => self.fail(format!("Unrecognized match type {kind}")),
        }
    }

    /// The end of an expression.
    fn end(&mut self, complaint: &str) -> Compiled<()> {
        match self.tokens.next()? {
            Token::ObjectEnd => Ok(()),
            _ => self.fail(complaint),
        }
    }

    fn text(&mut self, kind: &str) -> Compiled<String> {
        match self.tokens.next()? {
            Token::String => self.tokens.text(),
            _ => self.fail(format!("{kind} match pattern must be a string")),
        }
    }

    /// The only text of an expression.
    fn single(&mut self, kind: &str) -> Compiled<String> {
        let text = self.text(kind)?;
        self.end(ONE_KEY)?;
        Ok(text)
    }

    fn affix(
        &mut self,
        kind: &str,
        plain: fn(String) -> Matcher,
        ignoring_case: fn(String) -> Matcher,
    ) -> Compiled<Matcher> {
        match self.tokens.next()? {
            Token::String => {
                let text = self.tokens.text()?;
                self.end(ONE_KEY)?;
                Ok(plain(text))
            }
            Token::ObjectStart => {
                let Token::Name(nested) = self.tokens.next()? else {
                    let kind = kind.replacen(&kind[..1], &kind[..1].to_uppercase(), 1);
                    return self.fail(format!("{kind} expression name not found"));
                };
                if nested != "equals-ignore-case" {
                    return self.fail(format!("Unsupported {kind} pattern: {nested}"));
                }
                let text = self.single("equals-ignore-case")?;
                self.end(ONE_KEY)?;
                Ok(ignoring_case(folded(&text)))
            }
            _ => self.fail(format!("{kind} match pattern must be a string")),
        }
    }

    fn wildcard(&self, text: &str) -> Compiled<Wildcard> {
        let mut pieces = vec![String::new()];
        let mut letters = text.char_indices().peekable();
        while let Some((place, letter)) = letters.next() {
            let next = letters.peek().map(|(_, next)| *next);
            // AWS counts from the quote in front.
            let place = place + 1;
            match (letter, next) {
                ('*', Some('*')) => {
                    return self.fail(format!("Consecutive wildcard characters at pos {place}"));
                }
                ('*', _) => pieces.push(String::new()),
                ('\\', Some(escaped @ ('*' | '\\'))) => {
                    letters.next();
                    push(&mut pieces, escaped);
                }
                ('\\', _) => return self.fail(format!("Invalid escape character at pos {place}")),
                (letter, _) => push(&mut pieces, letter),
            }
        }
        Ok(Wildcard(pieces))
    }

    fn number(&mut self, token: &Token, operator: &str) -> Compiled<Number> {
        let Token::Number(digits) = token else {
            let operator = if operator == "=" { "equals" } else { operator };
            return self.fail(format!("Value of {operator} must be numeric"));
        };
        match Number::parse(digits) {
            Some(number) => Ok(number),
            None => self.fail("Value must be between -5.0E9 and 5.0E9, inclusive"),
        }
    }

    fn range(&mut self) -> Compiled<Matcher> {
        let operator = match self.tokens.next()? {
            Token::String => self.tokens.text()?,
            token => {
                return self.fail(format!("Invalid member in numeric match: {}", shown(&token)));
            }
        };
        if !["=", ">=", ">", "<=", "<"].contains(&operator.as_str()) {
            self.tokens.next()?;
            return self.fail(format!("Unrecognized numeric range operator: {operator}"));
        }
        let token = self.tokens.next()?;
        let number = self.number(&token, &operator)?;
        let mut range = Range::default();
        let next = self.tokens.next()?;
        match operator.as_str() {
            "=" => {
                range = Range { bottom: Some((number, true)), top: Some((number, true)) };
            }
            "<=" | "<" => range.top = Some((number, operator == "<=")),
            _ => range.bottom = Some((number, operator == ">=")),
        }
        if next == Token::ArrayEnd {
            return Ok(Matcher::Range(range));
        }
        if range.top.is_some() {
            return self.fail(TOO_MANY);
        }
        range.top = Some(self.top(&next)?);
        if range.bottom.zip(range.top).is_some_and(|((bottom, _), (top, _))| bottom >= top) {
            return self.fail("Bottom must be less than top");
        }
        Ok(Matcher::Range(range))
    }

    fn top(&mut self, token: &Token) -> Compiled<(Number, bool)> {
        if *token != Token::String {
            return self.fail(format!("Bad value in numeric range: {}", shown(token)));
        }
        let operator = self.tokens.text()?;
        if !["<", "<="].contains(&operator.as_str()) {
            return self.fail(format!("Bad numeric range operator: {operator}"));
        }
        let token = self.tokens.next()?;
        let number = self.number(&token, &operator)?;
        match self.tokens.next()? {
            Token::ArrayEnd => Ok((number, operator == "<=")),
            _ => self.fail("Too many terms in numeric range expression"),
        }
    }

    fn anything_but(&mut self) -> Compiled<Matcher> {
        let first = self.tokens.next()?;
        if first != Token::ObjectStart {
            let refused = self.refused(&first)?;
            self.end(TOO_MANY)?;
            return Ok(Matcher::AnythingBut(refused));
        }
        let Token::Name(kind) = self.tokens.next()? else {
            return self.fail("Anything-But expression name not found");
        };
        if !["equals-ignore-case", "prefix", "suffix", "wildcard"].contains(&kind.as_str()) {
            return self.fail(format!("Unsupported anything-but pattern: {kind}"));
        }
        let mut refused = Vec::new();
        match self.tokens.next()? {
            Token::ArrayStart => loop {
                match self.tokens.next()? {
                    Token::ArrayEnd => break,
                    token => refused.push(self.refused_text(&kind, &token)?),
                }
            },
            token @ (Token::String | Token::Number(_)) => {
                refused.push(self.refused_text(&kind, &token)?);
            }
            _ => return self.no_list(),
        }
        self.end(TOO_MANY)?;
        self.end(TOO_MANY)?;
        Ok(Matcher::AnythingBut(refused))
    }

    fn no_list<T>(&self) -> Compiled<T> {
        self.fail("Value of anything-but must be an array or single string/number value.")
    }

    fn refused(&mut self, first: &Token) -> Compiled<Vec<Matcher>> {
        match first {
            Token::String => Ok(vec![Matcher::Text(self.tokens.text()?)]),
            Token::Number(digits) => {
                Ok(vec![Matcher::Number(Number::parse(digits), digits.clone())])
            }
            Token::ArrayStart => {
                let mut refused = Vec::new();
                loop {
                    refused.push(match self.tokens.next()? {
                        Token::ArrayEnd => break,
                        Token::String => Matcher::Text(self.tokens.text()?),
                        Token::Number(digits) => Matcher::Number(Number::parse(&digits), digits),
                        _ => {
                            let complaint =
                                "Inside anything but list, start|null|boolean is not supported.";
                            return self.fail(complaint);
                        }
                    });
                }
                let numbers = refused.iter().filter(|it| matches!(it, Matcher::Number(..))).count();
                if refused.is_empty() || (numbers > 0 && numbers < refused.len()) {
                    return self.fail(
                        "Inside anything but list, either all values are number or string, mixed type \
                         is not supported",
                    );
                }
                Ok(refused)
            }
            _ => self.no_list(),
        }
    }

    fn refused_text(&mut self, kind: &str, token: &Token) -> Compiled<Matcher> {
        if *token != Token::String {
            return self.fail(match kind {
                "equals-ignore-case" => {
                    "Inside anything-but/equals-ignore-case list, number|start|null|boolean is not \
                     supported."
                }
                "wildcard" => "wildcard match pattern must be a string",
                _ => "prefix/suffix match pattern must be a string",
            });
        }
        let text = self.tokens.text()?;
        if text.is_empty() && matches!(kind, "prefix" | "suffix") {
            return self.fail("Null prefix/suffix not allowed");
        }
        Ok(match kind {
            "equals-ignore-case" => Matcher::IgnoreCase(folded(&text)),
            "prefix" => Matcher::Prefix(text),
            "suffix" => Matcher::Suffix(text),
            _ => Matcher::Wildcard(self.wildcard(&text)?),
        })
    }
}

fn push(pieces: &mut [String], letter: char) {
    if let Some(piece) = pieces.last_mut() {
        piece.push(letter);
    }
}

/// A token as a complaint names it.
fn shown(token: &Token) -> String {
    match token {
        Token::ObjectStart => "{".to_owned(),
        Token::ObjectEnd => "}".to_owned(),
        Token::ArrayStart => "[".to_owned(),
        Token::ArrayEnd => "]".to_owned(),
        Token::Name(text) | Token::Number(text) => text.clone(),
        Token::String => String::new(),
        Token::Bool(value) => value.to_string(),
        Token::Null => "null".to_owned(),
    }
}

fn cidr(text: &str) -> Result<Cidr, &'static str> {
    let one_slash = "Malformed CIDR, one '/' required";
    let (address, bits) = text.split_once('/').ok_or(one_slash)?;
    if bits.is_empty() || bits.contains('/') {
        return Err(one_slash);
    }
    let bits: i32 = bits.parse().map_err(|_| "Malformed CIDR, mask bits must be an integer")?;
    let bits = u32::try_from(bits).map_err(|_| "Malformed CIDR, mask bits must not be negative")?;
    match address.parse::<IpAddr>() {
        Ok(IpAddr::V4(_)) if bits > 31 => Err("IPv4 mask bits must be < 32"),
        Ok(IpAddr::V6(_)) if bits > 127 => Err("IPv6 mask bits must be < 128"),
        Ok(address) => Ok(Cidr { address, bits }),
        Err(_) => Err("Nonstandard IP address"),
    }
}

#[cfg(test)]
mod tests;
