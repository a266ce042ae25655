//! What all expressions are parsed with: the cursor over tokens, operands, paths and AWS's syntax errors.
//!
//! Parsing yields a raw tree that still names `#placeholders` and `:values`; DynamoDB reports its other errors in an
//! order that needs the whole tree, so they are looked for afterwards.

use super::ExpressionKind;
use super::token::{Token, TokenKind, tokens};
use crate::invalid::Invalid;

/// The most bytes of an expression.
pub const MAX_EXPRESSION_SIZE: usize = 4096;
/// The most operators (comparisons, AND, OR, NOT, +, -) of an expression.
pub const MAX_OPERATORS: usize = 300;
/// The deepest nesting of calls and of operands in parentheses. No call that makes sense comes near it; the bound keeps
/// `f(f(f(…` from exhausting the stack.
const MAX_DEPTH: usize = 128;

/// An operand as written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum RawOperand {
    Path(Vec<RawElement>),
    Value(String),
    Function(RawFunction),
}

/// A call as written; the name is checked later.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct RawFunction {
    pub(super) name: String,
    pub(super) arguments: Vec<RawOperand>,
}

/// One step of a path as written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum RawElement {
    Name(String),
    NameRef(String),
    Index(String),
}

/// A cursor over the tokens of one expression.
pub(super) struct Parser<'a> {
    pub(super) kind: ExpressionKind,
    source: &'a str,
    tokens: Vec<Token>,
    at: usize,
    depth: usize,
    operators: usize,
    /// Two parentheses around the same thing; reported after syntax errors.
    pub(super) redundant_parentheses: bool,
}

impl<'a> Parser<'a> {
    /// Refuses an empty and an overlong expression, then stands before the first token.
    pub(super) fn new(kind: ExpressionKind, source: &'a str) -> Result<Self, Invalid> {
        if source.is_empty() {
            return Err(kind.invalid("The expression can not be empty;"));
        }
        if source.len() > MAX_EXPRESSION_SIZE {
            return Err(kind.invalid(format!(
                "Expression size has exceeded the maximum allowed size; expression size: {}",
                source.len()
            )));
        }
        Ok(Self {
            kind,
            source,
            tokens: tokens(source),
            at: 0,
            depth: 0,
            operators: 0,
            redundant_parentheses: false,
        })
    }

    pub(super) fn peek(&self) -> Token {
        self.tokens[self.at]
    }

    pub(super) fn text(&self, token: Token) -> &'a str {
        &self.source[token.start..token.end]
    }

    /// Takes the next token; the end stays.
    pub(super) fn next(&mut self) -> Token {
        let token = self.peek();
        self.at = (self.at + 1).min(self.tokens.len() - 1);
        token
    }

    pub(super) fn is_symbol(&self, symbol: &str) -> bool {
        let token = self.peek();
        token.kind == TokenKind::Symbol && self.text(token) == symbol
    }

    pub(super) fn is_keyword(&self, word: &str) -> bool {
        let token = self.peek();
        token.kind == TokenKind::Word && self.text(token).eq_ignore_ascii_case(word)
    }

    /// Takes the symbol if it is next.
    pub(super) fn take_symbol(&mut self, symbol: &str) -> bool {
        let found = self.is_symbol(symbol);
        if found {
            self.next();
        }
        found
    }

    /// Takes the keyword if it is next, in any case of letters.
    pub(super) fn take_keyword(&mut self, word: &str) -> bool {
        let found = self.is_keyword(word);
        if found {
            self.next();
        }
        found
    }

    pub(super) fn expect_symbol(&mut self, symbol: &str) -> Result<(), Invalid> {
        if self.take_symbol(symbol) { Ok(()) } else { Err(self.unexpected()) }
    }

    pub(super) fn expect_end(&self) -> Result<(), Invalid> {
        if self.peek().kind == TokenKind::End { Ok(()) } else { Err(self.unexpected()) }
    }

    /// The syntax error at the next token: it is quoted with its neighbours, as they stand in the source.
    pub(super) fn unexpected(&self) -> Invalid {
        let token = self.peek();
        let text = if token.kind == TokenKind::End { "<EOF>" } else { self.text(token) };
        let first = self.at.checked_sub(1).map_or(token, |before| self.tokens[before]);
        let last = match self.tokens.get(self.at + 1) {
            Some(after) if after.kind != TokenKind::End => *after,
            _ if token.kind == TokenKind::End => first,
            _ => token,
        };
        let near = &self.source[first.start..last.end];
        self.kind.invalid(format!("Syntax error; token: \"{text}\", near: \"{near}\""))
    }

    /// Counts an operator against the limit.
    pub(super) fn count_operator(&mut self) -> Result<(), Invalid> {
        self.operators += 1;
        if self.operators > MAX_OPERATORS { Err(self.too_many_operators()) } else { Ok(()) }
    }

    fn too_many_operators(&self) -> Invalid {
        let count = MAX_OPERATORS + 1;
        self.kind
            .invalid(format!("The expression contains too many operators; operator count: {count}"))
    }

    /// Parses one level deeper.
    pub(super) fn nested<T>(
        &mut self,
        parse: impl FnOnce(&mut Self) -> Result<T, Invalid>,
    ) -> Result<T, Invalid> {
        if self.depth >= MAX_DEPTH {
            return Err(self.too_many_operators());
        }
        self.depth += 1;
        let parsed = parse(self);
        self.depth -= 1;
        parsed
    }

    /// A path, a value or a call; in conditions also in parentheses.
    pub(super) fn operand(&mut self) -> Result<RawOperand, Invalid> {
        self.nested(|parser| parser.operand_or_group().map(|(operand, _)| operand))
    }

    /// An operand, and whether it was a group in parentheses as a whole.
    fn operand_or_group(&mut self) -> Result<(RawOperand, bool), Invalid> {
        if !self.take_symbol("(") {
            return Ok((self.plain_operand()?, false));
        }
        let (operand, doubled) = self.nested(Self::operand_or_group)?;
        self.expect_symbol(")")?;
        self.redundant_parentheses |= doubled;
        self.after_group(operand)
    }

    /// What follows a path in parentheses: in conditions `(a.b).c` is a path too.
    pub(super) fn after_group(
        &mut self,
        operand: RawOperand,
    ) -> Result<(RawOperand, bool), Invalid> {
        match operand {
            RawOperand::Path(mut path) if self.kind.is_condition() => {
                let length = path.len();
                self.path_rest(&mut path)?;
                let is_group = path.len() == length;
                Ok((RawOperand::Path(path), is_group))
            }
            operand => Ok((operand, true)),
        }
    }

    /// An operand without parentheses.
    pub(super) fn plain_operand(&mut self) -> Result<RawOperand, Invalid> {
        let token = self.peek();
        match token.kind {
            TokenKind::ValueRef => {
                self.next();
                Ok(RawOperand::Value(self.text(token).to_owned()))
            }
            TokenKind::Word if !self.at_keyword() && self.is_call() => {
                self.function().map(RawOperand::Function)
            }
            _ => self.path().map(RawOperand::Path),
        }
    }

    /// Takes a `:value` if it is next.
    pub(super) fn take_value(&mut self) -> Option<String> {
        let token = self.peek();
        (token.kind == TokenKind::ValueRef).then(|| {
            self.next();
            self.text(token).to_owned()
        })
    }

    fn is_call(&self) -> bool {
        let after = self.tokens.get(self.at + 1);
        after.is_some_and(|token| token.kind == TokenKind::Symbol && self.text(*token) == "(")
    }

    fn function(&mut self) -> Result<RawFunction, Invalid> {
        let token = self.next();
        let name = self.text(token).to_owned();
        self.expect_symbol("(")?;
        let mut arguments = vec![self.operand()?];
        while self.take_symbol(",") {
            arguments.push(self.operand()?);
        }
        self.expect_symbol(")")?;
        Ok(RawFunction { name, arguments })
    }

    /// A document path: `a.b[1].#c`.
    pub(super) fn path(&mut self) -> Result<Vec<RawElement>, Invalid> {
        let mut path = vec![self.path_name()?];
        self.path_rest(&mut path)?;
        Ok(path)
    }

    fn path_rest(&mut self, path: &mut Vec<RawElement>) -> Result<(), Invalid> {
        loop {
            if self.take_symbol(".") {
                path.push(self.path_name()?);
            } else if self.take_symbol("[") {
                let token = self.peek();
                if token.kind != TokenKind::Number {
                    return Err(self.unexpected());
                }
                self.next();
                path.push(RawElement::Index(self.text(token).to_owned()));
                self.expect_symbol("]")?;
            } else {
                return Ok(());
            }
        }
    }

    fn path_name(&mut self) -> Result<RawElement, Invalid> {
        let token = self.peek();
        let element = match token.kind {
            TokenKind::Word if !self.at_keyword() => RawElement::Name(self.text(token).to_owned()),
            TokenKind::NameRef => RawElement::NameRef(self.text(token).to_owned()),
            _ => return Err(self.unexpected()),
        };
        self.next();
        Ok(element)
    }

    /// Whether the next word belongs to the grammar of this kind of expression.
    fn at_keyword(&self) -> bool {
        self.kind.keywords().iter().any(|word| self.is_keyword(word))
    }
}
