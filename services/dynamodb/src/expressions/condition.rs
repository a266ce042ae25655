//! Conditions on items: the tree that is evaluated.

use super::ExpressionKind;
use super::condition_check::check;
use super::condition_parser::parse;
use super::parser::Parser;
use super::path::Path;
use super::placeholders::Placeholders;
use crate::invalid::Invalid;
use crate::value::{AttributeType, AttributeValue};

/// A comparison operator.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Comparator {
    /// `=`
    Eq,
    /// `<>`
    Ne,
    /// `<`
    Lt,
    /// `<=`
    Le,
    /// `>`
    Gt,
    /// `>=`
    Ge,
}

impl Comparator {
    /// The operator as written.
    pub fn symbol(self) -> &'static str {
        match self {
            Self::Eq => "=",
            Self::Ne => "<>",
            Self::Lt => "<",
            Self::Le => "<=",
            Self::Gt => ">",
            Self::Ge => ">=",
        }
    }
}

/// What a condition compares.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Operand {
    /// A value of the item.
    Path(Path),
    /// A value of the request.
    Value(AttributeValue),
    /// `size(operand)`.
    Size(Box<Operand>),
}

/// A condition on an item, ready to be evaluated.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Condition {
    /// `left comparator right`
    Compare(Comparator, Operand, Operand),
    /// `value BETWEEN low AND high`
    Between {
        /// What is tested.
        value: Operand,
        /// The lower bound.
        low: Operand,
        /// The upper bound.
        high: Operand,
    },
    /// `value IN (…)`
    In(Operand, Vec<Operand>),
    /// `attribute_exists(path)`
    Exists(Path),
    /// `attribute_not_exists(path)`
    NotExists(Path),
    /// `attribute_type(operand, :type)`
    Type(Operand, AttributeType),
    /// `begins_with(operand, prefix)`
    BeginsWith(Operand, Operand),
    /// `contains(container, member)`
    Contains(Operand, Operand),
    /// All of them.
    And(Vec<Condition>),
    /// One of them.
    Or(Vec<Condition>),
    /// Not it.
    Not(Box<Condition>),
}

impl Condition {
    /// Parses and checks a condition, filter or key condition.
    pub fn parse(
        kind: ExpressionKind,
        source: &str,
        placeholders: &mut Placeholders,
    ) -> Result<Self, Invalid> {
        let raw = parse(&mut Parser::new(kind, source)?)?;
        check(kind, &raw, placeholders)
    }

    /// The paths that the condition reads, in order.
    pub fn paths(&self) -> Vec<&Path> {
        let mut paths = Vec::new();
        self.collect_paths(&mut paths);
        paths
    }

    fn collect_paths<'a>(&'a self, paths: &mut Vec<&'a Path>) {
        let mut operands: Vec<&'a Operand> = Vec::new();
        match self {
            Self::Compare(_, a, b) | Self::BeginsWith(a, b) | Self::Contains(a, b) => {
                operands.extend([a, b]);
            }
            Self::Between { value, low, high } => operands.extend([value, low, high]),
            Self::In(value, list) => {
                operands.push(value);
                operands.extend(list);
            }
            Self::Exists(path) | Self::NotExists(path) => paths.push(path),
            Self::Type(operand, _) => operands.push(operand),
            Self::And(parts) | Self::Or(parts) => {
                parts.iter().for_each(|part| part.collect_paths(paths));
            }
            Self::Not(part) => part.collect_paths(paths),
        }
        for mut operand in operands {
            while let Operand::Size(inner) = operand {
                operand = inner;
            }
            if let Operand::Path(path) = operand {
                paths.push(path);
            }
        }
    }
}
