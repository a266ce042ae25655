//! Reads `SELECT … FROM … WHERE … LIMIT …`. The codes of what is refused are those of AWS, whose engine is PartiQL's first one.

use crate::ast::{Aggregate, Column, Expr, From, List, Path, Query, Step};
use crate::error::Error;
use crate::lexer::{self, Kind, Token};

/// The most bytes of an expression.
const MAX_BYTES: usize = 256 << 10;
/// How deep expressions may be nested, which bounds the parser's stack.
pub(crate) const MAX_DEPTH: usize = 48;
/// How high the tree of an expression may be, which bounds the stack of its evaluation. AND, OR and lists may be long.
pub(crate) const MAX_HEIGHT: usize = 250;
/// The most tokens: what one row may cost.
const MAX_TOKENS: usize = 20_000;

/// Reads a query.
pub(crate) fn parse(expression: &str) -> Result<Query, Error> {
    if expression.len() > MAX_BYTES {
        return Err(Error::too_long());
    }
    let tokens = lexer::tokens(expression)?;
    if tokens.len() > MAX_TOKENS {
        return Err(Error::too_complex());
    }
    let mut parser =
        Parser { tokens, at: 0, depth: 0, height: 0, aggregates: Vec::new(), in_aggregate: false };
    parser.query()
}

/// Tokens and how far they are read.
pub(crate) struct Parser {
    tokens: Vec<Token>,
    at: usize,
    pub(crate) depth: usize,
    /// No less than the height of what is read of the present expression.
    pub(crate) height: usize,
    pub(crate) aggregates: Vec<Aggregate>,
    pub(crate) in_aggregate: bool,
}

impl Parser {
    pub(crate) fn peek(&self) -> &Token {
        &self.tokens[self.at]
    }

    /// The token after the next one.
    pub(crate) fn second(&self) -> &Token {
        &self.tokens[(self.at + 1).min(self.tokens.len() - 1)]
    }

    pub(crate) fn advance(&mut self) -> Token {
        let token = self.tokens[self.at].clone();
        // The end stays where it is.
        self.at = (self.at + 1).min(self.tokens.len() - 1);
        token
    }

    pub(crate) fn takes(&mut self, kind: Kind) -> bool {
        let is = self.peek().kind == kind;
        if is {
            self.advance();
        }
        is
    }

    pub(crate) fn takes_keyword(&mut self, word: &str) -> bool {
        let is = self.peek().is_keyword(word);
        if is {
            self.advance();
        }
        is
    }

    /// An error about the next token.
    pub(crate) fn refused(&self, code: &'static str, what: &str) -> Error {
        let token = self.peek();
        Error::new(code, format!("{what}, found {} at {}.", token.shown(), token.place))
    }

    pub(crate) fn unexpected(&self) -> Error {
        let token = self.peek();
        let message =
            |what: &str| format!("Unexpected {what} {} at {}.", token.shown(), token.place);
        match token.kind {
            Kind::Operator => Error::new("ParseUnexpectedOperator", message("operator")),
            Kind::End => Error::new("ParseUnexpectedTerm", message("term found")),
            _ => Error::new("ParseUnexpectedToken", message("token found")),
        }
    }

    pub(crate) fn expect(
        &mut self,
        kind: Kind,
        code: &'static str,
        what: &str,
    ) -> Result<(), Error> {
        if self.takes(kind) {
            return Ok(());
        }
        Err(self.refused(code, &format!("Expected {what}")))
    }

    pub(crate) fn expect_keyword(&mut self, word: &str) -> Result<(), Error> {
        if self.takes_keyword(word) {
            return Ok(());
        }
        Err(self
            .refused("ParseExpectedKeyword", &format!("Expected keyword {}", word.to_uppercase())))
    }

    fn query(&mut self) -> Result<Query, Error> {
        if !self.takes_keyword("select") {
            let token = self.peek();
            if token.kind == Kind::End || !token.is_keyword("with") && token.kind == Kind::Keyword {
                return Err(self.refused("ParseUnsupportedSelect", "Expected SELECT"));
            }
            return Err(self.unexpected());
        }
        if matches!(&*self.peek().text, "distinct" | "all") && self.peek().kind == Kind::Keyword {
            return Err(Error::bad_structure());
        }
        let list = self.list()?;
        if !self.takes_keyword("from") {
            return Err(match self.peek().kind {
                Kind::End | Kind::Keyword => {
                    self.refused("ParseSelectMissingFrom", "Missing FROM after the SELECT list")
                }
                _ => self.unexpected(),
            });
        }
        let from = self.from()?;
        let filter = match self.takes_keyword("where") {
            true => Some(self.filter()?),
            false => None,
        };
        if ["group", "having"].iter().any(|word| self.peek().is_keyword(word)) {
            return Err(Error::bad_structure());
        }
        let limit = match self.takes_keyword("limit") {
            true => Some(self.limit()?),
            false => None,
        };
        self.takes(Kind::Semicolon);
        if self.peek().kind != Kind::End {
            return Err(self.unexpected());
        }
        let mut query = Query { list, from, filter, limit, aggregates: Vec::new() };
        query.aggregates = std::mem::take(&mut self.aggregates);
        settle(&mut query)?;
        Ok(query)
    }

    fn filter(&mut self) -> Result<Expr, Error> {
        let before = self.aggregates.len();
        let filter = self.expr()?;
        if self.aggregates.len() > before {
            return Err(Error::bad_structure());
        }
        Ok(filter)
    }

    fn list(&mut self) -> Result<List, Error> {
        if self.peek().is_keyword("from") {
            return Err(self.refused("ParseEmptySelect", "Found empty SELECT list"));
        }
        if self.takes(Kind::Star) {
            if self.peek().kind == Kind::Comma {
                return Err(self.lonely());
            }
            return Ok(List::Star);
        }
        // `alias.*` alone is the row as well.
        if matches!(self.peek().kind, Kind::Identifier | Kind::QuotedIdentifier)
            && self.second().kind == Kind::Dot
            && self.tokens.get(self.at + 2).is_some_and(|token| token.kind == Kind::Star)
        {
            self.at += 3;
            return match self.peek().kind {
                Kind::Comma => Err(self.lonely()),
                _ => Ok(List::Star),
            };
        }
        let mut columns = Vec::new();
        loop {
            if self.peek().kind == Kind::Star {
                return Err(self.lonely());
            }
            columns.push(self.column(columns.len() + 1)?);
            if !self.takes(Kind::Comma) {
                return Ok(List::Columns(columns));
            }
        }
    }

    fn lonely(&self) -> Error {
        let what = "Other expressions may not be present in the select list when '*' is used";
        self.refused("ParseAsteriskIsNotAloneInSelectList", what)
    }

    fn column(&mut self, number: usize) -> Result<Column, Error> {
        let expr = self.expr()?;
        let alias = match self.takes_keyword("as") {
            true => Some(self.alias()?),
            false => self.optional_alias(),
        };
        let name = alias.or_else(|| named(&expr)).unwrap_or_else(|| format!("_{number}"));
        Ok(Column { expr, name })
    }

    fn alias(&mut self) -> Result<String, Error> {
        self.optional_alias().ok_or_else(|| {
            self.refused("ParseExpectedIdentForAlias", "Expected identifier for alias")
        })
    }

    fn optional_alias(&mut self) -> Option<String> {
        let is_name = matches!(self.peek().kind, Kind::Identifier | Kind::QuotedIdentifier);
        is_name.then(|| self.advance().text)
    }

    fn from(&mut self) -> Result<From, Error> {
        let token = self.peek().clone();
        if token.kind == Kind::LeftParen {
            return Err(Error::bad_structure());
        }
        if !matches!(token.kind, Kind::Identifier | Kind::QuotedIdentifier) {
            return Err(self.unexpected());
        }
        if !token.text.eq_ignore_ascii_case("s3object") {
            // What AWS calls this is not written down; it is what a name that is bound to nothing is elsewhere.
            let message = format!("No such binding: {} at {}.", token.text, token.place);
            return Err(Error::new("EvaluatorBindingDoesNotExist", message));
        }
        self.advance();
        let mut path = self.steps(true)?;
        match path.first() {
            None => {}
            Some(Step::AllElements) => {
                path.remove(0);
            }
            Some(_) => {
                let what = "Expected [*] after S3Object";
                return Err(self.refused("ParseInvalidPathComponent", what));
            }
        }
        let alias = match self.takes_keyword("as") {
            true => Some(self.alias()?),
            false => self.optional_alias(),
        };
        if self.peek().is_keyword("at") || self.peek().is_keyword("by") {
            return Err(self.unexpected());
        }
        if self.peek().kind == Kind::Comma {
            return Err(Error::many_sources());
        }
        let joins = ["join", "inner", "left", "right", "full", "cross", "outer", "natural"];
        if joins.iter().any(|word| self.peek().is_keyword(word)) {
            return Err(Error::bad_structure());
        }
        let is_unnamed = alias.is_none();
        let last = || match path.last() {
            Some(Step::Name { name, .. }) => Some(name.clone()),
            Some(_) => Some("_1".to_owned()),
            None => None,
        };
        let alias = alias.or_else(last).unwrap_or(token.text);
        Ok(From { path, alias, is_unnamed })
    }

    fn limit(&mut self) -> Result<u64, Error> {
        if self.peek().is_operator("-") && self.second().kind == Kind::Number {
            return Err(Error::negative_limit());
        }
        let number = match self.peek().kind {
            Kind::Number => self.peek().text.parse().ok(),
            _ => None,
        };
        let number =
            number.ok_or_else(|| self.refused("ParseExpectedNumber", "Expected number"))?;
        self.advance();
        Ok(number)
    }

    /// The steps that follow a name: `.name`, `."Name"`, `[0]`, `['name']`, `[*]`, `.*`.
    pub(crate) fn steps(&mut self, has_wildcards: bool) -> Result<Vec<Step>, Error> {
        let mut steps = Vec::new();
        loop {
            if steps.len() > MAX_DEPTH {
                return Err(Error::too_complex());
            }
            if self.takes(Kind::Dot) {
                let step = match self.peek().kind {
                    Kind::Identifier => {
                        Step::Name { name: self.peek().text.clone(), is_quoted: false }
                    }
                    Kind::QuotedIdentifier => {
                        Step::Name { name: self.peek().text.clone(), is_quoted: true }
                    }
                    Kind::Star if has_wildcards => Step::AllMembers,
                    _ => return Err(self.bad_step()),
                };
                self.advance();
                steps.push(step);
            } else if self.takes(Kind::LeftBracket) {
                let token = self.peek();
                let step = match token.kind {
                    Kind::Star if has_wildcards => Step::AllElements,
                    Kind::Number => match token.text.parse() {
                        Ok(index) => Step::Index(index),
                        Err(_) => return Err(self.bad_step()),
                    },
                    Kind::Text => Step::Name { name: token.text.clone(), is_quoted: true },
                    _ => return Err(self.bad_step()),
                };
                self.advance();
                self.expect(Kind::RightBracket, "ParseExpectedTokenType", "RIGHT_BRACKET")?;
                steps.push(step);
            } else {
                return Ok(steps);
            }
        }
    }

    fn bad_step(&self) -> Error {
        let token = self.peek();
        let got = token.shown();
        let got = got.split(':').next().unwrap_or_default();
        Error::new(
            "ParseInvalidPathComponent",
            format!(
                "Invalid Path component, expecting either an IDENTIFIER or STAR, got: {got}, at {}.",
                token.place
            ),
        )
    }
}

/// The name that a column has by itself: the last of its path.
fn named(expr: &Expr) -> Option<String> {
    match expr {
        Expr::Path(path) => path.steps.iter().rev().find_map(|step| match step {
            Step::Name { name, .. } => Some(name.clone()),
            _ => None,
        }),
        _ => None,
    }
}

/// Takes the alias of the rows out of the paths, and refuses lists of rows and aggregates together.
fn settle(query: &mut Query) -> Result<(), Error> {
    let alias = query.from.alias.clone();
    let is_alias = |step: &Step| match step {
        Step::Name { name, is_quoted: true } => *name == alias,
        Step::Name { name, .. } => name.eq_ignore_ascii_case(&alias),
        _ => false,
    };
    let mut has_row_paths = false;
    query.paths::<Error>(&mut |path: &mut Path| {
        if path.steps.first().is_some_and(&is_alias) {
            path.steps.remove(0);
        }
        Ok(())
    })?;
    if query.aggregates.is_empty() {
        return Ok(());
    }
    let List::Columns(columns) = &mut query.list else { return Err(Error::bad_structure()) };
    for column in columns {
        column.expr.paths::<Error>(&mut |_| {
            has_row_paths = true;
            Ok(())
        })?;
    }
    if has_row_paths { Err(Error::bad_structure()) } else { Ok(()) }
}
