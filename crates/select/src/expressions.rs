//! Reads the expressions of a query, loosest operators first.

use crate::ast::{Comparison, Expr, Path, Step, Type};
use crate::error::Error;
use crate::lexer::Kind;
use crate::parser::{MAX_DEPTH, MAX_HEIGHT, Parser};
use crate::timestamp::Stamp;
use crate::value::{Arithmetic, Value};

impl Parser {
    pub(crate) fn expr(&mut self) -> Result<Expr, Error> {
        self.nested(Parser::disjunction)
    }

    /// Reads something one level deeper.
    fn nested(&mut self, read: fn(&mut Parser) -> Result<Expr, Error>) -> Result<Expr, Error> {
        if self.depth >= MAX_DEPTH {
            return Err(Error::too_complex());
        }
        self.depth += 1;
        let expr = self.beside(read);
        self.depth -= 1;
        expr
    }

    /// Reads something that stands beside others, of which only the highest counts.
    fn beside(&mut self, read: fn(&mut Parser) -> Result<Expr, Error>) -> Result<Expr, Error> {
        let others = std::mem::take(&mut self.height);
        let expr = read(self)?;
        self.link()?;
        self.height = self.height.max(others);
        Ok(expr)
    }

    /// Counts an operator, which makes the tree higher.
    fn link(&mut self) -> Result<(), Error> {
        self.height += 1;
        if self.height > MAX_HEIGHT { Err(Error::too_complex()) } else { Ok(()) }
    }

    fn disjunction(&mut self) -> Result<Expr, Error> {
        let mut all = vec![self.beside(Parser::conjunction)?];
        while self.takes_keyword("or") {
            all.push(self.beside(Parser::conjunction)?);
        }
        Ok(if all.len() == 1 { all.remove(0) } else { Expr::Or(all) })
    }

    fn conjunction(&mut self) -> Result<Expr, Error> {
        let mut all = vec![self.beside(Parser::negation)?];
        while self.takes_keyword("and") {
            all.push(self.beside(Parser::negation)?);
        }
        Ok(if all.len() == 1 { all.remove(0) } else { Expr::And(all) })
    }

    fn negation(&mut self) -> Result<Expr, Error> {
        if self.takes_keyword("not") {
            return Ok(Expr::Not(Box::new(self.nested(Parser::negation)?)));
        }
        self.equality()
    }

    fn equality(&mut self) -> Result<Expr, Error> {
        let mut left = self.membership()?;
        loop {
            let operator = match &*self.peek().text {
                "=" => Comparison::Equal,
                "<>" | "!=" => Comparison::NotEqual,
                "is" if self.peek().kind == Kind::Keyword => {
                    self.advance();
                    let is_not = self.takes_keyword("not");
                    let is = Expr::Is(Box::new(left), self.type_name()?);
                    left = if is_not { Expr::Not(Box::new(is)) } else { is };
                    self.link()?;
                    continue;
                }
                _ => return Ok(left),
            };
            if self.peek().kind != Kind::Operator {
                return Ok(left);
            }
            self.advance();
            self.link()?;
            left = Expr::Compare(operator, Box::new(left), Box::new(self.membership()?));
        }
    }

    fn membership(&mut self) -> Result<Expr, Error> {
        let mut left = self.order()?;
        loop {
            let is_not = self.peek().is_keyword("not")
                && ["in", "like", "between"].iter().any(|word| self.second().is_keyword(word));
            if is_not {
                self.advance();
            }
            let expr = if self.takes_keyword("in") {
                Expr::In(Box::new(left), self.set()?)
            } else if self.takes_keyword("between") {
                let low = self.order()?;
                self.expect_keyword("and")?;
                Expr::Between(Box::new(left), Box::new(low), Box::new(self.order()?))
            } else if self.takes_keyword("like") {
                let pattern = Box::new(self.order()?);
                let escape = match self.takes_keyword("escape") {
                    true => Some(Box::new(self.order()?)),
                    false => None,
                };
                Expr::Like { text: Box::new(left), pattern, escape }
            } else {
                return Ok(left);
            };
            self.link()?;
            left = if is_not { Expr::Not(Box::new(expr)) } else { expr };
        }
    }

    fn set(&mut self) -> Result<Vec<Expr>, Error> {
        let close = match self.peek().kind {
            Kind::LeftParen => Kind::RightParen,
            Kind::LeftBracket => Kind::RightBracket,
            _ => {
                let what = "Expected LEFT_PAREN";
                return Err(self.refused("ParseExpectedLeftParenValueConstructor", what));
            }
        };
        self.advance();
        self.listed(close)
    }

    fn order(&mut self) -> Result<Expr, Error> {
        let mut left = self.concatenation()?;
        loop {
            let operator = match &*self.peek().text {
                "<" => Comparison::Less,
                "<=" => Comparison::LessOrEqual,
                ">" => Comparison::Greater,
                ">=" => Comparison::GreaterOrEqual,
                _ => return Ok(left),
            };
            if self.peek().kind != Kind::Operator {
                return Ok(left);
            }
            self.advance();
            self.link()?;
            left = Expr::Compare(operator, Box::new(left), Box::new(self.concatenation()?));
        }
    }

    fn concatenation(&mut self) -> Result<Expr, Error> {
        let mut left = self.sum()?;
        while self.peek().is_operator("||") {
            self.advance();
            self.link()?;
            left = Expr::Concat(Box::new(left), Box::new(self.sum()?));
        }
        Ok(left)
    }

    fn sum(&mut self) -> Result<Expr, Error> {
        let mut left = self.product()?;
        loop {
            let operator = match () {
                () if self.peek().is_operator("+") => Arithmetic::Add,
                () if self.peek().is_operator("-") => Arithmetic::Subtract,
                () => return Ok(left),
            };
            self.advance();
            self.link()?;
            left = Expr::Arithmetic(operator, Box::new(left), Box::new(self.product()?));
        }
    }

    fn product(&mut self) -> Result<Expr, Error> {
        let mut left = self.sign()?;
        loop {
            let operator = match () {
                () if self.peek().kind == Kind::Star => Arithmetic::Multiply,
                () if self.peek().is_operator("/") => Arithmetic::Divide,
                () if self.peek().is_operator("%") => Arithmetic::Modulo,
                () => return Ok(left),
            };
            self.advance();
            self.link()?;
            left = Expr::Arithmetic(operator, Box::new(left), Box::new(self.sign()?));
        }
    }

    fn sign(&mut self) -> Result<Expr, Error> {
        if self.peek().is_operator("-") {
            self.advance();
            // The smallest integer has no positive one beside it.
            if self.peek().kind == Kind::Number {
                let text = format!("-{}", self.peek().text);
                let value = Value::number(&text).ok_or_else(|| self.unexpected())?;
                self.advance();
                return Ok(Expr::Literal(value));
            }
            return Ok(Expr::Negate(Box::new(self.nested(Parser::sign)?)));
        }
        if self.peek().is_operator("+") {
            self.advance();
            return self.nested(Parser::sign);
        }
        self.term()
    }

    fn term(&mut self) -> Result<Expr, Error> {
        let token = self.peek().clone();
        match token.kind {
            Kind::Number => {
                let value = Value::number(&token.text).ok_or_else(|| self.unexpected())?;
                self.advance();
                Ok(Expr::Literal(value))
            }
            Kind::Text => {
                self.advance();
                Ok(Expr::Literal(Value::text(token.text)))
            }
            Kind::Ion => {
                self.advance();
                let value = ion(token.text.trim()).ok_or_else(|| {
                    let message = format!("Invalid Ion literal at {}.", token.place);
                    Error::new("LexerInvalidIONLiteral", message)
                })?;
                Ok(Expr::Literal(value))
            }
            Kind::Identifier | Kind::QuotedIdentifier => self.name(),
            Kind::Keyword => self.keyword(),
            Kind::LeftParen => {
                self.advance();
                if self.peek().is_keyword("select") {
                    return Err(Error::bad_structure());
                }
                let expr = self.expr()?;
                if self.takes(Kind::Comma) {
                    let mut all = vec![expr];
                    all.extend(self.listed(Kind::RightParen)?);
                    return Ok(Expr::List(all));
                }
                self.expect(Kind::RightParen, "ParseExpectedTokenType", "RIGHT_PAREN")?;
                Ok(expr)
            }
            Kind::LeftBracket => {
                self.advance();
                Ok(Expr::List(self.listed(Kind::RightBracket)?))
            }
            _ => Err(self.unexpected()),
        }
    }

    /// The expressions up to the end of a list whose beginning is read.
    fn listed(&mut self, close: Kind) -> Result<Vec<Expr>, Error> {
        let mut all = Vec::new();
        if self.takes(close) {
            return Ok(all);
        }
        loop {
            all.push(self.expr()?);
            if self.takes(close) {
                return Ok(all);
            }
            if !self.takes(Kind::Comma) {
                let what = "Expected COMMA";
                return Err(self.refused("ParseExpectedArgumentDelimiter", what));
            }
        }
    }

    /// A path of the row, or a function that is no keyword.
    fn name(&mut self) -> Result<Expr, Error> {
        let token = self.advance();
        if token.kind == Kind::Identifier && self.peek().kind == Kind::LeftParen {
            return self.function(&token);
        }
        let is_quoted = token.kind == Kind::QuotedIdentifier;
        let mut steps = vec![Step::Name { name: token.text, is_quoted }];
        steps.extend(self.steps(false)?);
        Ok(Expr::Path(Path { steps, place: token.place, column: None }))
    }

    fn keyword(&mut self) -> Result<Expr, Error> {
        let literal = match &*self.peek().text {
            "null" => Some(Value::Null),
            "missing" => Some(Value::Missing),
            "true" => Some(Value::Bool(true)),
            "false" => Some(Value::Bool(false)),
            _ => None,
        };
        if let Some(literal) = literal {
            self.advance();
            return Ok(Expr::Literal(literal));
        }
        match &*self.peek().text {
            "case" => {
                self.advance();
                self.case()
            }
            "cast" => {
                self.advance();
                self.cast()
            }
            "select" => Err(Error::bad_structure()),
            _ if crate::calls::is_keyword_function(&self.peek().text) => {
                let token = self.advance();
                self.function(&token)
            }
            _ => Err(self.unexpected()),
        }
    }

    fn case(&mut self) -> Result<Expr, Error> {
        let subject = match self.peek().is_keyword("when") {
            true => None,
            false => Some(Box::new(self.expr()?)),
        };
        let mut arms = Vec::new();
        while self.takes_keyword("when") {
            let when = self.expr()?;
            self.expect_keyword("then")?;
            arms.push((when, self.expr()?));
        }
        if arms.is_empty() {
            return Err(self.refused("ParseExpectedWhenClause", "Expected WHEN clause in CASE"));
        }
        let otherwise = match self.takes_keyword("else") {
            true => Some(Box::new(self.expr()?)),
            false => None,
        };
        self.expect_keyword("end")?;
        Ok(Expr::Case { subject, arms, otherwise })
    }

    fn cast(&mut self) -> Result<Expr, Error> {
        self.expect(Kind::LeftParen, "ParseExpectedLeftParenAfterCast", "LEFT_PAREN after CAST")?;
        let expr = self.expr()?;
        self.expect_keyword("as")?;
        let to = self.type_name()?;
        let code = "ParseExpectedRightParenBuiltinFunctionCall";
        self.expect(Kind::RightParen, code, "RIGHT_PAREN")?;
        Ok(Expr::Cast(Box::new(expr), to))
    }

    fn type_name(&mut self) -> Result<Type, Error> {
        let token = self.peek();
        let named = match (token.kind, &*token.text) {
            (Kind::Keyword, "bool" | "boolean") => Type::Bool,
            (Kind::Keyword, "int" | "integer" | "smallint") => Type::Int,
            (Kind::Keyword, "float" | "real" | "double") => Type::Float,
            (Kind::Keyword, "decimal" | "dec" | "numeric") => Type::Decimal(None),
            (Kind::Keyword, "string" | "char" | "character" | "varchar" | "symbol") => Type::Text,
            (Kind::Keyword, "timestamp") => Type::Timestamp,
            (Kind::Keyword, "null") => Type::Null,
            (Kind::Keyword, "missing") => Type::Missing,
            (Kind::Identifier, text) if text.eq_ignore_ascii_case("bigint") => Type::Int,
            _ => return Err(self.refused("ParseExpectedTypeName", "Expected type name")),
        };
        let word = self.advance().text;
        if word == "double" {
            self.takes_keyword("precision");
        }
        if self.peek().kind != Kind::LeftParen
            || !matches!(named, Type::Decimal(_) | Type::Text | Type::Float)
        {
            return Ok(named);
        }
        self.advance();
        let mut parameters = Vec::new();
        loop {
            let number = match self.peek().kind {
                Kind::Number => self.peek().text.parse::<u32>().ok(),
                _ => None,
            };
            let number =
                number.ok_or_else(|| self.refused("ParseExpectedNumber", "Expected number"))?;
            parameters.push(number);
            self.advance();
            if !self.takes(Kind::Comma) {
                break;
            }
        }
        self.expect(Kind::RightParen, "ParseExpectedTokenType", "RIGHT_PAREN")?;
        Ok(match named {
            Type::Decimal(_) => Type::Decimal(Some(parameters.get(1).copied().unwrap_or(0))),
            other => other,
        })
    }
}

/// The values of Amazon Ion that expressions have.
fn ion(text: &str) -> Option<Value<'static>> {
    let unquoted = |quote: char| text.strip_prefix(quote)?.strip_suffix(quote);
    match text {
        "true" | "TRUE" => Some(Value::Bool(true)),
        "false" | "FALSE" => Some(Value::Bool(false)),
        "null" => Some(Value::Null),
        _ => None,
    }
    .or_else(|| unquoted('"').map(|text| Value::text(text.to_owned())))
    .or_else(|| unquoted('\'').map(|text| Value::text(text.to_owned())))
    .or_else(|| Stamp::parse(text).map(Value::Stamp))
    .or_else(|| Value::number(&text.replace(['d', 'D'], "e")))
}
