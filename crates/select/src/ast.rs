//! An expression as it is evaluated.

use crate::lexer::Place;
use crate::value::{Arithmetic, Value};

/// A whole query.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Query {
    pub(crate) list: List,
    pub(crate) from: From,
    pub(crate) filter: Option<Expr>,
    pub(crate) limit: Option<u64>,
    /// The aggregates that the list refers to by their index.
    pub(crate) aggregates: Vec<Aggregate>,
}

/// What a query answers with.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum List {
    /// Whole rows.
    Star,
    Columns(Vec<Column>),
}

/// An expression of the list and its name.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Column {
    pub(crate) expr: Expr,
    pub(crate) name: String,
}

/// What is made into rows.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct From {
    /// What follows `S3Object[*]`.
    pub(crate) path: Vec<Step>,
    pub(crate) alias: String,
    /// Whether `_1` may stand for the row.
    pub(crate) is_unnamed: bool,
}

/// A step into a value.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Step {
    Name {
        name: String,
        is_quoted: bool,
    },
    Index(usize),
    /// All elements of a list.
    AllElements,
    /// All members of a structure.
    AllMembers,
}

/// A value of the row.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Path {
    /// The steps from the row on.
    pub(crate) steps: Vec<Step>,
    pub(crate) place: Place,
    /// The column of a CSV row that is meant, which is found when its header is known.
    pub(crate) column: Option<usize>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Comparison {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

/// The types of CAST and IS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Type {
    Bool,
    Int,
    Float,
    /// With how many digits after the point, where that is given.
    Decimal(Option<u32>),
    Text,
    Timestamp,
    Null,
    Missing,
}

/// The parts of a timestamp.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum DatePart {
    Year,
    Month,
    Day,
    Hour,
    Minute,
    Second,
    TimezoneHour,
    TimezoneMinute,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Side {
    Both,
    Leading,
    Trailing,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Function {
    CharLength,
    Lower,
    Upper,
    Substring,
    Trim(Side),
    Coalesce,
    NullIf,
    ToTimestamp,
    ToString,
    UtcNow,
    DateAdd(DatePart),
    DateDiff(DatePart),
    Extract(DatePart),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum AggregateKind {
    Count,
    Sum,
    Average,
    Minimum,
    Maximum,
}

/// An aggregate of all rows that pass the filter; without an expression it is of the rows themselves.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Aggregate {
    pub(crate) kind: AggregateKind,
    pub(crate) of: Option<Expr>,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Expr {
    Literal(Value<'static>),
    Path(Path),
    Negate(Box<Expr>),
    Not(Box<Expr>),
    And(Vec<Expr>),
    Or(Vec<Expr>),
    Concat(Box<Expr>, Box<Expr>),
    Arithmetic(Arithmetic, Box<Expr>, Box<Expr>),
    Compare(Comparison, Box<Expr>, Box<Expr>),
    Is(Box<Expr>, Type),
    In(Box<Expr>, Vec<Expr>),
    Between(Box<Expr>, Box<Expr>, Box<Expr>),
    Like {
        text: Box<Expr>,
        pattern: Box<Expr>,
        escape: Option<Box<Expr>>,
    },
    Case {
        subject: Option<Box<Expr>>,
        arms: Vec<(Expr, Expr)>,
        otherwise: Option<Box<Expr>>,
    },
    Cast(Box<Expr>, Type),
    Call(Function, Vec<Expr>),
    List(Vec<Expr>),
    /// The result of one of the query's aggregates.
    Aggregate(usize),
}

impl Expr {
    /// Calls `each` for every path of the row in the expression, but not those within aggregates, which stand apart.
    pub(crate) fn paths<E>(
        &mut self,
        each: &mut impl FnMut(&mut Path) -> Result<(), E>,
    ) -> Result<(), E> {
        match self {
            Expr::Literal(_) | Expr::Aggregate(_) => Ok(()),
            Expr::Path(path) => each(path),
            Expr::Negate(of) | Expr::Not(of) | Expr::Is(of, _) | Expr::Cast(of, _) => {
                of.paths(each)
            }
            Expr::And(all) | Expr::Or(all) | Expr::Call(_, all) | Expr::List(all) => {
                all.iter_mut().try_for_each(|expr| expr.paths(each))
            }
            Expr::Concat(left, right)
            | Expr::Arithmetic(_, left, right)
            | Expr::Compare(_, left, right) => {
                left.paths(each)?;
                right.paths(each)
            }
            Expr::In(of, all) => {
                of.paths(each)?;
                all.iter_mut().try_for_each(|expr| expr.paths(each))
            }
            Expr::Between(of, low, high) => {
                of.paths(each)?;
                low.paths(each)?;
                high.paths(each)
            }
            Expr::Like { text, pattern, escape } => {
                text.paths(each)?;
                pattern.paths(each)?;
                escape.as_mut().map_or(Ok(()), |escape| escape.paths(each))
            }
            Expr::Case { subject, arms, otherwise } => {
                subject.as_mut().map_or(Ok(()), |subject| subject.paths(each))?;
                for (when, then) in arms {
                    when.paths(each)?;
                    then.paths(each)?;
                }
                otherwise.as_mut().map_or(Ok(()), |otherwise| otherwise.paths(each))
            }
        }
    }
}

impl Query {
    /// Calls `each` for every path of the row in the query.
    pub(crate) fn paths<E>(
        &mut self,
        each: &mut impl FnMut(&mut Path) -> Result<(), E>,
    ) -> Result<(), E> {
        if let List::Columns(columns) = &mut self.list {
            columns.iter_mut().try_for_each(|column| column.expr.paths(each))?;
        }
        let aggregates = self.aggregates.iter_mut().filter_map(|aggregate| aggregate.of.as_mut());
        for expr in aggregates {
            expr.paths(each)?;
        }
        self.filter.as_mut().map_or(Ok(()), |filter| filter.paths(each))
    }
}
