//! Cuts an expression into tokens.
//!
//! DynamoDB's scanner never fails: a character that means nothing is a token of its own, which the parser then does not
//! expect. That is why `a-b` complains about `-`, and `_x` about `_`.

/// What a token is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TokenKind {
    /// A letter, then letters, digits and underscores.
    Word,
    /// `#name`.
    NameRef,
    /// `:value`.
    ValueRef,
    /// Digits.
    Number,
    /// One of `( ) [ ] , . = <> < <= > >= + -`.
    Symbol,
    /// A character that no expression uses.
    Unknown,
    /// The end of the expression.
    End,
}

/// A token and where it stands in the source.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Token {
    pub(super) kind: TokenKind,
    pub(super) start: usize,
    pub(super) end: usize,
}

/// The tokens of an expression; the last is [`TokenKind::End`].
pub(super) fn tokens(source: &str) -> Vec<Token> {
    let bytes = source.as_bytes();
    let mut tokens = Vec::with_capacity(bytes.len() / 4 + 2);
    let mut start = 0;
    while start < bytes.len() {
        let (kind, length) = match bytes[start] {
            b' ' | b'\t' | b'\r' | b'\n' => {
                start += 1;
                continue;
            }
            b'a'..=b'z' | b'A'..=b'Z' => (TokenKind::Word, name_length(&bytes[start..])),
            b'0'..=b'9' => {
                let digits = bytes[start..].iter().take_while(|byte| byte.is_ascii_digit());
                (TokenKind::Number, digits.count())
            }
            sigil @ (b'#' | b':') => match name_length(&bytes[start + 1..]) {
                0 => (TokenKind::Unknown, 1),
                length if sigil == b'#' => (TokenKind::NameRef, length + 1),
                length => (TokenKind::ValueRef, length + 1),
            },
            b'<' if matches!(bytes.get(start + 1), Some(b'>' | b'=')) => (TokenKind::Symbol, 2),
            b'>' if bytes.get(start + 1) == Some(&b'=') => (TokenKind::Symbol, 2),
            b'(' | b')' | b'[' | b']' | b',' | b'.' | b'=' | b'<' | b'>' | b'+' | b'-' => {
                (TokenKind::Symbol, 1)
            }
            _ => {
                let character = source[start..].chars().next().map_or(1, char::len_utf8);
                (TokenKind::Unknown, character)
            }
        };
        tokens.push(Token { kind, start, end: start + length });
        start += length;
    }
    tokens.push(Token { kind: TokenKind::End, start: bytes.len(), end: bytes.len() });
    tokens
}

fn name_length(bytes: &[u8]) -> usize {
    bytes.iter().take_while(|byte| byte.is_ascii_alphanumeric() || **byte == b'_').count()
}
