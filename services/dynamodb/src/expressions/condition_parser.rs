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

/// What was read of a group, the whole expression being the outermost one. Groups wait on a stack of their own, because
/// 4096 parentheses would exhaust that of a thread.
#[derive(Default)]
struct Group {
    /// Finished parts of the OR.
    ors: Vec<RawCondition>,
    /// Finished parts of the AND that is being read.
    ands: Vec<RawCondition>,
    /// How often NOT stands before the next term.
    nots: usize,
}

impl Group {
    /// Applies the NOTs that stand before a term.
    fn negate(&mut self, parser: &Parser<'_>, parsed: Parsed) -> Result<Parsed, Invalid> {
        if self.nots == 0 {
            return Ok(parsed);
        }
        let mut condition = condition(parser, parsed.0)?;
        for _ in 0..std::mem::take(&mut self.nots) {
            condition = RawCondition::Not(Box::new(condition));
        }
        Ok((Term::Condition(condition), false))
    }

    /// The AND that was read, if there was any.
    fn conjunction(&mut self) -> Option<RawCondition> {
        let mut parts = std::mem::take(&mut self.ands);
        if parts.len() < 2 { parts.pop() } else { Some(RawCondition::And(parts)) }
    }

    /// What the group is, its last term being `parsed`.
    fn close(&mut self, parser: &Parser<'_>, parsed: Parsed) -> Result<Parsed, Invalid> {
        if self.ands.is_empty() && self.ors.is_empty() {
            return Ok(parsed);
        }
        self.ands.push(condition(parser, parsed.0)?);
        let last = self.conjunction();
        let mut parts = std::mem::take(&mut self.ors);
        parts.extend(last);
        let whole = match parts.pop() {
            Some(only) if parts.is_empty() => only,
            last => RawCondition::Or(parts.into_iter().chain(last).collect()),
        };
        Ok((Term::Condition(whole), false))
    }
}

/// Parses a whole expression.
pub(super) fn parse(parser: &mut Parser<'_>) -> Result<RawCondition, Invalid> {
    let mut outer: Vec<Group> = Vec::new();
    let mut group = Group::default();
    let (term, _) = 'expression: loop {
        while parser.take_keyword("NOT") {
            parser.count_operator()?;
            group.nots += 1;
        }
        if parser.take_symbol("(") {
            outer.push(std::mem::take(&mut group));
            continue;
        }
        let mut parsed: Parsed = (Term::Operand(parser.plain_operand()?), false);
        loop {
            parsed = comparison(parser, parsed)?;
            parsed = group.negate(parser, parsed)?;
            let is_or = parser.is_keyword("OR");
            if is_or || parser.is_keyword("AND") {
                group.ands.push(condition(parser, parsed.0)?);
                parser.next();
                parser.count_operator()?;
                if is_or {
                    let part = group.conjunction();
                    group.ors.extend(part);
                }
                break;
            }
            parsed = group.close(parser, parsed)?;
            let Some(around) = outer.pop() else { break 'expression parsed };
            parser.expect_symbol(")")?;
            group = around;
            parsed = leave(parser, parsed)?;
        }
    };
    let condition = condition(parser, term)?;
    parser.expect_end()?;
    if parser.redundant_parentheses {
        return Err(parser.kind.invalid("The expression has redundant parentheses;"));
    }
    Ok(condition)
}
/// Leaves a parenthesis that was just closed.
fn leave(parser: &mut Parser<'_>, (term, doubled): Parsed) -> Result<Parsed, Invalid> {
    parser.redundant_parentheses |= doubled;
    match term {
        Term::Operand(operand) => {
            let (operand, is_group) = parser.after_group(operand)?;
            Ok((Term::Operand(operand), is_group))
        }
        condition => Ok((condition, true)),
    }
}

/// Demands a condition: of operands, only a call can be one.
fn condition(parser: &Parser<'_>, term: Term) -> Result<RawCondition, Invalid> {
    match term {
        Term::Condition(condition) => Ok(condition),
        Term::Operand(RawOperand::Function(function)) => Ok(RawCondition::Function(function)),
        Term::Operand(_) => Err(parser.unexpected()),
    }
}

/// Reads the comparison that an operand begins, if it does.
fn comparison(parser: &mut Parser<'_>, (term, is_group): Parsed) -> Result<Parsed, Invalid> {
    let operand = match term {
        Term::Operand(operand) => operand,
        condition => return Ok((condition, is_group)),
    };
    let condition = if let Some(comparator) = comparator(parser) {
        parser.next();
        parser.count_operator()?;
        RawCondition::Compare(comparator, operand, parser.operand()?)
    } else if parser.take_keyword("BETWEEN") {
        parser.count_operator()?;
        let low = parser.operand()?;
        if !parser.take_keyword("AND") {
            return Err(parser.unexpected());
        }
        RawCondition::Between(Box::new([operand, low, parser.operand()?]))
    } else if parser.take_keyword("IN") {
        parser.count_operator()?;
        parser.expect_symbol("(")?;
        let mut list = vec![parser.operand()?];
        while parser.take_symbol(",") {
            list.push(parser.operand()?);
        }
        parser.expect_symbol(")")?;
        RawCondition::In(operand, list)
    } else {
        return Ok((Term::Operand(operand), is_group));
    };
    Ok((Term::Condition(condition), false))
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
