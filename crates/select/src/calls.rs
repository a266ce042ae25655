//! Reads calls of functions, each with the syntax that it has.

use crate::ast::{Aggregate, AggregateKind, DatePart, Expr, Function, Side};
use crate::error::Error;
use crate::lexer::{Kind, Token};
use crate::parser::Parser;

/// The names of functions that are reserved.
const KEYWORDS: [&str; 13] = [
    "avg",
    "char_length",
    "character_length",
    "coalesce",
    "count",
    "extract",
    "lower",
    "max",
    "min",
    "nullif",
    "substring",
    "sum",
    "trim",
];

/// Whether a keyword begins a call.
pub(crate) fn is_keyword_function(word: &str) -> bool {
    KEYWORDS.contains(&word) || word == "upper"
}

const RIGHT: &str = "ParseExpectedRightParenBuiltinFunctionCall";

impl Parser {
    /// The call of the function whose name is read.
    pub(crate) fn function(&mut self, name: &Token) -> Result<Expr, Error> {
        let code = "ParseExpectedLeftParenBuiltinFunctionCall";
        self.expect(Kind::LeftParen, code, "LEFT_PAREN")?;
        let word = name.text.to_ascii_lowercase();
        let aggregate = match &*word {
            "count" => Some(AggregateKind::Count),
            "sum" => Some(AggregateKind::Sum),
            "avg" => Some(AggregateKind::Average),
            "min" => Some(AggregateKind::Minimum),
            "max" => Some(AggregateKind::Maximum),
            _ => None,
        };
        if let Some(kind) = aggregate {
            return self.aggregate(kind, name);
        }
        let (function, arguments) = match &*word {
            "substring" => return self.substring(name),
            "trim" => return self.trim(),
            "extract" => return self.extract(),
            "date_add" | "date_diff" => return self.date(&word, name),
            "char_length" | "character_length" => (Function::CharLength, 1..=1),
            "lower" => (Function::Lower, 1..=1),
            "upper" => (Function::Upper, 1..=1),
            "coalesce" => (Function::Coalesce, 1..=usize::MAX),
            "nullif" => (Function::NullIf, 2..=2),
            "to_timestamp" => (Function::ToTimestamp, 1..=2),
            "to_string" => (Function::ToString, 2..=2),
            "utcnow" => (Function::UtcNow, 0..=0),
            _ => {
                let message = format!("Unsupported function: {} at {}.", name.text, name.place);
                return Err(Error::new("UnsupportedFunction", message));
            }
        };
        let given = self.arguments()?;
        if !arguments.contains(&given.len()) {
            return Err(arity(name, given.len()));
        }
        Ok(Expr::Call(function, given))
    }

    /// The arguments up to the closing parenthesis.
    fn arguments(&mut self) -> Result<Vec<Expr>, Error> {
        let mut all = Vec::new();
        if self.takes(Kind::RightParen) {
            return Ok(all);
        }
        loop {
            if self.peek().kind == Kind::Star {
                let what = "Only COUNT may be called with (*)";
                return Err(self.refused("ParseUnsupportedCallWithStar", what));
            }
            all.push(self.expr()?);
            if self.takes(Kind::RightParen) {
                return Ok(all);
            }
            if !self.takes(Kind::Comma) {
                let what = "Expected COMMA";
                return Err(self.refused("ParseExpectedArgumentDelimiter", what));
            }
        }
    }

    fn aggregate(&mut self, kind: AggregateKind, name: &Token) -> Result<Expr, Error> {
        if self.in_aggregate {
            return Err(Error::bad_structure());
        }
        if self.peek().is_keyword("distinct") || self.peek().is_keyword("all") {
            return Err(Error::bad_structure());
        }
        let of = if self.peek().kind == Kind::Star && kind == AggregateKind::Count {
            self.advance();
            self.expect(Kind::RightParen, RIGHT, "RIGHT_PAREN")?;
            None
        } else {
            self.in_aggregate = true;
            let given = self.arguments();
            self.in_aggregate = false;
            let mut given = given?;
            if given.len() != 1 {
                let message =
                    format!("Aggregate function calls take 1 argument only at {}.", name.place);
                return Err(Error::new("ParseNonUnaryAgregateFunctionCall", message));
            }
            given.pop()
        };
        self.aggregates.push(Aggregate { kind, of });
        Ok(Expr::Aggregate(self.aggregates.len() - 1))
    }

    /// `SUBSTRING(text, start, length)` or `SUBSTRING(text FROM start FOR length)`.
    fn substring(&mut self, name: &Token) -> Result<Expr, Error> {
        let mut given = vec![self.expr()?];
        if self.takes_keyword("from") {
            given.push(self.expr()?);
            if self.takes_keyword("for") {
                given.push(self.expr()?);
            }
            self.expect(Kind::RightParen, RIGHT, "RIGHT_PAREN")?;
        } else if self.takes(Kind::Comma) {
            given.extend(self.arguments()?);
        } else {
            let what = "Expected COMMA or keyword FROM";
            return Err(self.refused("ParseExpectedArgumentDelimiter", what));
        }
        match given.len() {
            2 | 3 => Ok(Expr::Call(Function::Substring, given)),
            count => Err(arity(name, count)),
        }
    }

    /// `TRIM([LEADING | TRAILING | BOTH] [characters FROM] text)`; the text comes first among the arguments.
    fn trim(&mut self) -> Result<Expr, Error> {
        let side = match &*self.peek().text {
            "both" => Some(Side::Both),
            "leading" => Some(Side::Leading),
            "trailing" => Some(Side::Trailing),
            _ => None,
        };
        let side = side.filter(|_| self.peek().kind == Kind::Keyword);
        if side.is_some() {
            self.advance();
        }
        let mut given = Vec::new();
        if self.takes_keyword("from") {
            given.push(self.expr()?);
        } else {
            given.push(self.expr()?);
            if self.takes_keyword("from") {
                given.insert(0, self.expr()?);
            }
        }
        self.expect(Kind::RightParen, RIGHT, "RIGHT_PAREN")?;
        Ok(Expr::Call(Function::Trim(side.unwrap_or(Side::Both)), given))
    }

    fn extract(&mut self) -> Result<Expr, Error> {
        let part = self.date_part(true)?;
        self.expect_keyword("from")?;
        let of = self.expr()?;
        self.expect(Kind::RightParen, RIGHT, "RIGHT_PAREN")?;
        Ok(Expr::Call(Function::Extract(part), vec![of]))
    }

    fn date(&mut self, word: &str, name: &Token) -> Result<Expr, Error> {
        let part = self.date_part(false)?;
        if !self.takes(Kind::Comma) {
            return Err(self.refused("ParseExpectedArgumentDelimiter", "Expected COMMA"));
        }
        let given = self.arguments()?;
        if given.len() != 2 {
            return Err(arity(name, given.len() + 1));
        }
        let function = match word {
            "date_add" => Function::DateAdd(part),
            _ => Function::DateDiff(part),
        };
        Ok(Expr::Call(function, given))
    }

    fn date_part(&mut self, has_zone: bool) -> Result<DatePart, Error> {
        let part = match &*self.peek().text.to_ascii_lowercase() {
            "year" => DatePart::Year,
            "month" => DatePart::Month,
            "day" => DatePart::Day,
            "hour" => DatePart::Hour,
            "minute" => DatePart::Minute,
            "second" => DatePart::Second,
            "timezone_hour" if has_zone => DatePart::TimezoneHour,
            "timezone_minute" if has_zone => DatePart::TimezoneMinute,
            _ => return Err(self.refused("ParseExpectedDatePart", "Expected date part")),
        };
        self.advance();
        Ok(part)
    }
}

fn arity(name: &Token, given: usize) -> Error {
    let message = format!(
        "Incorrect number of arguments in the call of {} at {}: {given}.",
        name.text, name.place
    );
    Error::new("EvaluatorInvalidArguments", message)
}
