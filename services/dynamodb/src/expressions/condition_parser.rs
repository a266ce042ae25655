//! The grammar of conditions.
//!
//! `OR` binds weakest, then `AND`, `NOT`, and the comparisons. A parenthesis may open a condition or an operand, which
//! only shows later, so both are parsed alike and told apart where one of them is needed.

use super::condition::Comparator;
use super::parser::{Parser, RawFunction, RawOperand};
use crate::invalid::Invalid;

/// A condition as written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum RawCondition {
    Function(RawFunction),
    Compare(Comparator, RawOperand, RawOperand),
    Between(Box<[RawOperand; 3]>),
    In(RawOperand, Vec<RawOperand>),
    And(Vec<RawCondition>),
    Or(Vec<RawCondition>),
    Not(Box<RawCondition>),
}

/// What a parenthesis may hold.
enum Term {
    Operand(RawOperand),
    Condition(RawCondition),
}

/// A term, and whether it was a group in parentheses as a whole.
type Parsed = (Term, bool);

/// Parses a whole expression.
pub(super) fn parse(parser: &mut Parser<'_>) -> Result<RawCondition, Invalid> {
    let (term, _) = disjunction(parser)?;
    let condition = condition(parser, term)?;
    parser.expect_end()?;
    if parser.redundant_parentheses {
        return Err(parser.kind.invalid("The expression has redundant parentheses;"));
    }
    Ok(condition)
}

/// Demands a condition: of operands, only a call can be one.
fn condition(parser: &Parser<'_>, term: Term) -> Result<RawCondition, Invalid> {
    match term {
        Term::Condition(condition) => Ok(condition),
        Term::Operand(RawOperand::Function(function)) => Ok(RawCondition::Function(function)),
        Term::Operand(_) => Err(parser.unexpected()),
    }
}

fn disjunction(parser: &mut Parser<'_>) -> Result<Parsed, Invalid> {
    chain(parser, "OR", RawCondition::Or, |parser| {
        chain(parser, "AND", RawCondition::And, negation)
    })
}

fn chain(
    parser: &mut Parser<'_>,
    keyword: &str,
    join: impl FnOnce(Vec<RawCondition>) -> RawCondition,
    mut part: impl FnMut(&mut Parser<'_>) -> Result<Parsed, Invalid>,
) -> Result<Parsed, Invalid> {
    let (first, is_group) = part(parser)?;
    if !parser.is_keyword(keyword) {
        return Ok((first, is_group));
    }
    let mut parts = vec![condition(parser, first)?];
    while parser.take_keyword(keyword) {
        parser.count_operator()?;
        let (next, _) = part(parser)?;
        parts.push(condition(parser, next)?);
    }
    Ok((Term::Condition(join(parts)), false))
}

fn negation(parser: &mut Parser<'_>) -> Result<Parsed, Invalid> {
    let mut negations = 0;
    while parser.take_keyword("NOT") {
        parser.count_operator()?;
        negations += 1;
    }
    if negations == 0 {
        return comparison(parser);
    }
    let (term, _) = comparison(parser)?;
    let mut condition = condition(parser, term)?;
    for _ in 0..negations {
        condition = RawCondition::Not(Box::new(condition));
    }
    Ok((Term::Condition(condition), false))
}

fn comparison(parser: &mut Parser<'_>) -> Result<Parsed, Invalid> {
    let (left, is_group) = term(parser)?;
    let operand = match left {
        Term::Operand(operand) => operand,
        condition => return Ok((condition, is_group)),
    };
    if let Some(comparator) = comparator(parser) {
        parser.next();
        parser.count_operator()?;
        let right = parser.operand()?;
        let condition = RawCondition::Compare(comparator, operand, right);
        return Ok((Term::Condition(condition), false));
    }
    if parser.take_keyword("BETWEEN") {
        parser.count_operator()?;
        let low = parser.operand()?;
        if !parser.take_keyword("AND") {
            return Err(parser.unexpected());
        }
        let high = parser.operand()?;
        let condition = RawCondition::Between(Box::new([operand, low, high]));
        return Ok((Term::Condition(condition), false));
    }
    if parser.take_keyword("IN") {
        parser.count_operator()?;
        parser.expect_symbol("(")?;
        let mut list = vec![parser.operand()?];
        while parser.take_symbol(",") {
            list.push(parser.operand()?);
        }
        parser.expect_symbol(")")?;
        return Ok((Term::Condition(RawCondition::In(operand, list)), false));
    }
    Ok((Term::Operand(operand), is_group))
}

/// A parenthesis or an operand.
fn term(parser: &mut Parser<'_>) -> Result<Parsed, Invalid> {
    if !parser.take_symbol("(") {
        return Ok((Term::Operand(parser.plain_operand()?), false));
    }
    let (inner, doubled) = parser.nested(disjunction)?;
    parser.expect_symbol(")")?;
    parser.redundant_parentheses |= doubled;
    match inner {
        Term::Operand(operand) => {
            let (operand, is_group) = parser.after_group(operand)?;
            Ok((Term::Operand(operand), is_group))
        }
        condition => Ok((condition, true)),
    }
}

fn comparator(parser: &Parser<'_>) -> Option<Comparator> {
    [
        ("=", Comparator::Eq),
        ("<>", Comparator::Ne),
        ("<", Comparator::Lt),
        ("<=", Comparator::Le),
        (">", Comparator::Gt),
        (">=", Comparator::Ge),
    ]
    .into_iter()
    .find_map(|(symbol, comparator)| parser.is_symbol(symbol).then_some(comparator))
}
