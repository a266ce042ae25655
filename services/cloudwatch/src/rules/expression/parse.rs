//! The grammar of metric math.

/// How deep an expression may be nested.
const MAX_DEPTH: usize = 50;

/// An expression.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Expr {
    Number(f64),
    Text(String),
    /// A query's id, or a word that a function knows.
    Name(String),
    List(Vec<Expr>),
    /// A function, its name in capitals, and its arguments.
    Call(String, Vec<Expr>),
    Not(Box<Expr>),
    Binary(Operator, Box<(Expr, Expr)>),
}

/// What stands between two expressions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Operator {
    Add,
    Subtract,
    Multiply,
    Divide,
    Power,
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    And,
    Or,
}

/// The operators by how loosely they bind, each with what it is written as; longer ones first.
const LEVELS: [&[(&str, Operator)]; 6] = [
    &[("||", Operator::Or), ("OR", Operator::Or)],
    &[("&&", Operator::And), ("AND", Operator::And)],
    &[
        ("==", Operator::Equal),
        ("!=", Operator::NotEqual),
        ("<=", Operator::LessOrEqual),
        (">=", Operator::GreaterOrEqual),
        ("<", Operator::Less),
        (">", Operator::Greater),
    ],
    &[("+", Operator::Add), ("-", Operator::Subtract)],
    &[("*", Operator::Multiply), ("/", Operator::Divide)],
    &[("^", Operator::Power)],
];

/// Reads an expression, or says why it is none.
pub(crate) fn parse(text: &str) -> Result<Expr, String> {
    let mut parser = Parser { text, at: 0, depth: 0 };
    let expr = parser.level(0)?;
    parser.skip_space();
    if parser.rest().is_empty() { Ok(expr) } else { Err(parser.unexpected()) }
}

struct Parser<'a> {
    text: &'a str,
    at: usize,
    depth: usize,
}

impl<'a> Parser<'a> {
    fn rest(&self) -> &'a str {
        &self.text[self.at..]
    }

    fn skip_space(&mut self) {
        let rest = self.rest();
        self.at += rest.len() - rest.trim_start().len();
    }

    fn unexpected(&self) -> String {
        match self.rest().chars().next() {
            Some(found) => format!("Unexpected character '{found}' at position {}", self.at),
            None => "Unexpected end of the expression".to_owned(),
        }
    }

    fn takes(&mut self, token: &str) -> bool {
        self.skip_space();
        let rest = self.rest();
        let Some(after) = rest.strip_prefix(token) else { return false };
        let is_word = token.ends_with(|end: char| end.is_ascii_alphabetic());
        if is_word && after.starts_with(|next: char| next.is_ascii_alphanumeric() || next == '_') {
            return false;
        }
        self.at += token.len();
        true
    }

    fn expect(&mut self, token: &str) -> Result<(), String> {
        if self.takes(token) { Ok(()) } else { Err(self.unexpected()) }
    }

    fn level(&mut self, level: usize) -> Result<Expr, String> {
        let Some(operators) = LEVELS.get(level) else { return self.unary() };
        self.depth += 1;
        if self.depth > MAX_DEPTH * LEVELS.len() {
            return Err("The expression is nested too deeply".to_owned());
        }
        let mut left = self.level(level + 1)?;
        while let Some((_, operator)) = operators.iter().find(|(token, _)| self.takes(token)) {
            let right = self.level(level + 1)?;
            left = Expr::Binary(*operator, Box::new((left, right)));
        }
        self.depth -= 1;
        Ok(left)
    }

    fn unary(&mut self) -> Result<Expr, String> {
        self.depth += 1;
        if self.depth > MAX_DEPTH * LEVELS.len() {
            return Err("The expression is nested too deeply".to_owned());
        }
        let expr = if self.takes("-") {
            let negated = self.unary()?;
            Expr::Binary(Operator::Subtract, Box::new((Expr::Number(0.0), negated)))
        } else if self.takes("!") {
            Expr::Not(Box::new(self.unary()?))
        } else {
            self.primary()?
        };
        self.depth -= 1;
        Ok(expr)
    }

    fn primary(&mut self) -> Result<Expr, String> {
        if self.takes("(") {
            let inner = self.level(0)?;
            self.expect(")")?;
            return Ok(inner);
        }
        if self.takes("[") {
            return Ok(Expr::List(self.arguments("]")?));
        }
        match self.rest().chars().next() {
            Some(quote @ ('"' | '\'')) => self.quoted(quote),
            Some(digit) if digit.is_ascii_digit() || digit == '.' => self.number(),
            Some(letter) if letter.is_ascii_alphabetic() => self.word(),
            _ => Err(self.unexpected()),
        }
    }

    fn arguments(&mut self, end: &str) -> Result<Vec<Expr>, String> {
        let mut all = Vec::new();
        if self.takes(end) {
            return Ok(all);
        }
        loop {
            all.push(self.level(0)?);
            if self.takes(end) {
                return Ok(all);
            }
            self.expect(",")?;
        }
    }

    fn quoted(&mut self, quote: char) -> Result<Expr, String> {
        let inside = &self.rest()[1..];
        let end = inside.find(quote).ok_or("A text has no end")?;
        self.at += end + 2;
        Ok(Expr::Text(inside[..end].to_owned()))
    }

    fn number(&mut self) -> Result<Expr, String> {
        let rest = self.rest();
        let mut end = rest.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(rest.len());
        if let Some(exponent) = rest[end..].strip_prefix(['e', 'E']) {
            let digits = exponent.strip_prefix(['+', '-']).unwrap_or(exponent);
            let length = digits.find(|c: char| !c.is_ascii_digit()).unwrap_or(digits.len());
            if length > 0 {
                end = rest.len() - digits.len() + length;
            }
        }
        let number = rest[..end].parse().map_err(|_| self.unexpected())?;
        self.at += end;
        Ok(Expr::Number(number))
    }

    fn word(&mut self) -> Result<Expr, String> {
        let rest = self.rest();
        let is_part = |c: char| c.is_ascii_alphanumeric() || c == '_';
        let end = rest.find(|c: char| !is_part(c)).unwrap_or(rest.len());
        self.at += end;
        let word = &rest[..end];
        if self.takes("(") {
            return Ok(Expr::Call(word.to_ascii_uppercase(), self.arguments(")")?));
        }
        Ok(Expr::Name(word.to_owned()))
    }
}
