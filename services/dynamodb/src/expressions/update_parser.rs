//! The grammar of update expressions: sections of `SET`, `REMOVE`, `ADD` and `DELETE`.

use super::parser::{Parser, RawElement, RawOperand};
use crate::invalid::Invalid;

/// The keyword that opens a section.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Section {
    Set,
    Remove,
    Add,
    Delete,
}

impl Section {
    pub(super) const ALL: [Self; 4] = [Self::Set, Self::Remove, Self::Add, Self::Delete];

    pub(super) fn keyword(self) -> &'static str {
        match self {
            Self::Set => "SET",
            Self::Remove => "REMOVE",
            Self::Add => "ADD",
            Self::Delete => "DELETE",
        }
    }
}

/// The right side of an assignment as written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum RawValue {
    Operand(RawOperand),
    Plus(RawOperand, RawOperand),
    Minus(RawOperand, RawOperand),
}

/// One change as written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum RawAction {
    Set(Vec<RawElement>, RawValue),
    Remove(Vec<RawElement>),
    Add(Vec<RawElement>, String),
    Delete(Vec<RawElement>, String),
}

/// An update as written: the sections in order, and all their actions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct RawUpdate {
    pub(super) sections: Vec<Section>,
    pub(super) actions: Vec<RawAction>,
}

/// Parses a whole expression.
pub(super) fn parse(parser: &mut Parser<'_>) -> Result<RawUpdate, Invalid> {
    let mut update = RawUpdate { sections: Vec::new(), actions: Vec::new() };
    loop {
        let section =
            Section::ALL.into_iter().find(|section| parser.take_keyword(section.keyword()));
        let Some(section) = section else {
            if update.sections.is_empty() {
                return Err(parser.unexpected());
            }
            parser.expect_end()?;
            break;
        };
        update.sections.push(section);
        update.actions.push(action(parser, section)?);
        while parser.take_symbol(",") {
            update.actions.push(action(parser, section)?);
        }
    }
    if parser.redundant_parentheses {
        return Err(parser.kind.invalid("The expression has redundant parentheses;"));
    }
    Ok(update)
}

fn action(parser: &mut Parser<'_>, section: Section) -> Result<RawAction, Invalid> {
    let path = parser.path()?;
    Ok(match section {
        Section::Set => {
            parser.expect_symbol("=")?;
            RawAction::Set(path, value(parser)?)
        }
        Section::Remove => RawAction::Remove(path),
        Section::Add => RawAction::Add(path, value_ref(parser)?),
        Section::Delete => RawAction::Delete(path, value_ref(parser)?),
    })
}

fn value_ref(parser: &mut Parser<'_>) -> Result<String, Invalid> {
    parser.take_value().ok_or_else(|| parser.unexpected())
}

/// `operand`, `operand + operand` or `operand - operand`, all of which may stand in one pair of parentheses.
fn value(parser: &mut Parser<'_>) -> Result<RawValue, Invalid> {
    if !parser.take_symbol("(") {
        let first = parser.operand()?;
        return sum(parser, first);
    }
    let inner = parser.operand()?;
    let inner = sum(parser, inner)?;
    parser.expect_symbol(")")?;
    match inner {
        RawValue::Operand(first) => sum(parser, first),
        sum => Ok(sum),
    }
}

fn sum(parser: &mut Parser<'_>, first: RawOperand) -> Result<RawValue, Invalid> {
    if parser.take_symbol("+") {
        parser.count_operator()?;
        return Ok(RawValue::Plus(first, parser.operand()?));
    }
    if parser.take_symbol("-") {
        parser.count_operator()?;
        return Ok(RawValue::Minus(first, parser.operand()?));
    }
    Ok(RawValue::Operand(first))
}
