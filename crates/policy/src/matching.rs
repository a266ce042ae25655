//! Wildcard patterns with policy variables, compiled once and matched without allocation.
//!
//! `*` stands for any number of characters and `?` for exactly one, across `/` and `:` alike: IAM lets a trailing
//! `*` of an ARN's field run past the colon. ARN condition operators compare field by field and are built from
//! these patterns in `condition`.

use crate::context::Facts;

/// What is special in a pattern's text.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Syntax {
    /// `*` and `?` are wildcards.
    pub(crate) wildcards: bool,
    /// `${key}` is a policy variable, which only version 2012-10-17 of the language knows.
    pub(crate) variables: bool,
    /// Letters match regardless of case; values must arrive in lower case.
    pub(crate) fold: bool,
}

/// A compiled pattern.
#[derive(Debug, Clone)]
pub(crate) struct Pattern {
    text: Box<str>,
    fold: bool,
    shape: Shape,
}

#[derive(Debug, Clone)]
enum Shape {
    Any,
    Exact(Box<[u8]>),
    Prefix(Box<[u8]>),
    /// The literal start is compared first, because most patterns that do not match differ there.
    Glob(Box<[u8]>, Box<[Token]>),
    Template(Box<[u8]>, Box<[Part]>),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Token {
    Byte(u8),
    One,
    Many,
}

#[derive(Debug, Clone)]
enum Part {
    Token(Token),
    Variable { key: Box<str>, default: Option<Box<str>> },
}

impl Pattern {
    pub(crate) fn compile(text: &str, syntax: Syntax) -> Pattern {
        let parts =
            if syntax.fold { split(&text.to_lowercase(), syntax) } else { split(text, syntax) };
        Pattern { text: text.into(), fold: syntax.fold, shape: Shape::of(parts) }
    }

    /// The pattern as the policy has it.
    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    /// Whether the whole value matches. A variable that the request has no value for matches nothing.
    pub(crate) fn matches(&self, value: &[u8], facts: &Facts<'_>) -> bool {
        match &self.shape {
            Shape::Any => true,
            Shape::Exact(literal) => **literal == *value,
            Shape::Prefix(prefix) => value.starts_with(prefix),
            Shape::Glob(prefix, tokens) => {
                value.strip_prefix(&**prefix).is_some_and(|rest| glob(tokens, rest))
            }
            Shape::Template(prefix, parts) => {
                let Some(rest) = value.strip_prefix(&**prefix) else { return false };
                self.fill(parts, facts).is_some_and(|tokens| glob(&tokens, rest))
            }
        }
    }

    fn fill(&self, parts: &[Part], facts: &Facts<'_>) -> Option<Vec<Token>> {
        let mut tokens = Vec::with_capacity(parts.len() + 32);
        for part in parts {
            match part {
                Part::Token(token) => tokens.push(*token),
                // A wildcard inside a variable's value is an ordinary character: otherwise a user could widen a
                // policy by choosing a tag.
                Part::Variable { key, default } => match facts.variable(key) {
                    Some(value) if self.fold => push(&mut tokens, &value.to_lowercase()),
                    Some(value) => push(&mut tokens, &value),
                    None => push(&mut tokens, default.as_deref()?),
                },
            }
        }
        Some(tokens)
    }
}

impl Shape {
    fn of(parts: Vec<Part>) -> Shape {
        let literal = |part: &Part| match part {
            Part::Token(Token::Byte(byte)) => Some(*byte),
            _ => None,
        };
        let prefix: Box<[u8]> = parts.iter().map_while(literal).collect();
        let rest = &parts[prefix.len()..];
        match rest {
            [] => return Shape::Exact(prefix),
            [Part::Token(Token::Many)] if prefix.is_empty() => return Shape::Any,
            [Part::Token(Token::Many)] => return Shape::Prefix(prefix),
            _ => {}
        }
        let tokens: Option<Box<[Token]>> = rest
            .iter()
            .map(|part| match part {
                Part::Token(token) => Some(*token),
                Part::Variable { .. } => None,
            })
            .collect();
        match tokens {
            Some(tokens) => Shape::Glob(prefix, tokens),
            None => Shape::Template(prefix, rest.into()),
        }
    }
}

fn push(tokens: &mut Vec<Token>, text: &str) {
    tokens.extend(text.bytes().map(Token::Byte));
}

fn split(text: &str, syntax: Syntax) -> Vec<Part> {
    let mut parts = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some(&byte) = rest.as_bytes().first() {
        if syntax.variables
            && rest.starts_with("${")
            && let Some(end) = rest.find('}')
        {
            parts.push(variable(&rest[2..end]));
            rest = &rest[end + 1..];
            continue;
        }
        let (token, length) = match byte {
            b'*' if syntax.wildcards => (Token::Many, 1),
            b'?' if syntax.wildcards => (Token::One, 1),
            byte if byte < 0x80 => (Token::Byte(byte), 1),
            _ => {
                let length = rest.chars().next().map_or(1, char::len_utf8);
                parts.extend(rest[..length].bytes().map(|byte| Part::Token(Token::Byte(byte))));
                rest = &rest[length..];
                continue;
            }
        };
        // Two stars in a row mean one, and cost a backtrack each.
        let repeated =
            token == Token::Many && matches!(parts.last(), Some(Part::Token(Token::Many)));
        if !repeated {
            parts.push(Part::Token(token));
        }
        rest = &rest[length..];
    }
    parts
}

/// `${*}`, `${?}` and `${$}` are the characters themselves; `${key, 'text'}` has a default.
fn variable(inside: &str) -> Part {
    match inside {
        "*" => return Part::Token(Token::Byte(b'*')),
        "?" => return Part::Token(Token::Byte(b'?')),
        "$" => return Part::Token(Token::Byte(b'$')),
        _ => {}
    }
    let (key, default) = match inside.split_once(',') {
        Some((key, default)) => (key, unquote(default.trim())),
        None => (inside, None),
    };
    Part::Variable { key: key.trim().to_lowercase().into(), default: default.map(Into::into) }
}

fn unquote(text: &str) -> Option<&str> {
    text.strip_prefix('\'')?.strip_suffix('\'')
}

/// Greedy matching with one backtrack point: the last star. Values are UTF-8, and `?` takes a whole character.
fn glob(tokens: &[Token], value: &[u8]) -> bool {
    let (mut token, mut at) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    loop {
        match tokens.get(token) {
            Some(Token::Many) => {
                token += 1;
                if token == tokens.len() {
                    return true;
                }
                star = Some((token, at));
                continue;
            }
            Some(Token::Byte(byte)) if value.get(at) == Some(byte) => {
                token += 1;
                at += 1;
                continue;
            }
            Some(Token::One) => {
                if let Some(length) = character(&value[at..]) {
                    token += 1;
                    at += length;
                    continue;
                }
            }
            None if at == value.len() => return true,
            _ => {}
        }
        match star {
            Some((after, from)) if from < value.len() => {
                star = Some((after, from + 1));
                token = after;
                at = from + 1;
            }
            _ => return false,
        }
    }
}

/// The length in bytes of the character that starts here, if one does.
fn character(value: &[u8]) -> Option<usize> {
    let length = match value.first()? {
        0x00..=0x7f => 1,
        0x80..=0xbf => return None,
        0xc0..=0xdf => 2,
        0xe0..=0xef => 3,
        _ => 4,
    };
    Some(length.min(value.len()))
}

/// A list of patterns, one of which must match, or none where the element is a `Not…` one.
#[derive(Debug, Clone)]
pub(crate) struct PatternSet {
    pub(crate) negated: bool,
    pub(crate) patterns: Box<[Pattern]>,
}

impl PatternSet {
    pub(crate) fn matches(&self, value: &[u8], facts: &Facts<'_>) -> bool {
        self.patterns.iter().any(|pattern| pattern.matches(value, facts)) != self.negated
    }
}
