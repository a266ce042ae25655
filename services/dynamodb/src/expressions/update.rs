//! Updates: what is checked between parsing and applying.
//!
//! AWS reports one error, in this order: reserved words, unknown functions, functions out of place, repeated sections,
//! undefined names, undefined values, overlapping paths, conflicting paths, operands of `ADD` and `DELETE`, operands of
//! functions and sums.

use super::ExpressionKind;
use super::condition_check::{check_operand_words, misused, wrong_type};
use super::parser::{Parser, RawOperand};
use super::path::{Path, check_disjoint, check_reserved};
use super::placeholders::Placeholders;
use super::projection::Projection;
use super::update_parser::{RawAction, RawUpdate, RawValue, Section, parse};
use crate::invalid::Invalid;
use crate::keys::KeySchema;
use crate::value::{AttributeType, AttributeValue};

const KIND: ExpressionKind = ExpressionKind::Update;

/// What an assignment assigns.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum UpdateValue {
    /// A value of the item as it was before the update.
    Path(Path),
    /// A value of the request.
    Value(AttributeValue),
    /// `if_not_exists(path, value)`
    IfNotExists(Path, Box<UpdateValue>),
    /// `list_append(list, list)`
    ListAppend(Box<UpdateValue>, Box<UpdateValue>),
    /// `a + b`
    Plus(Box<UpdateValue>, Box<UpdateValue>),
    /// `a - b`
    Minus(Box<UpdateValue>, Box<UpdateValue>),
}

/// A change at a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// Assigns a value.
    Set(UpdateValue),
    /// Removes the value.
    Remove,
    /// Adds to a number, or members to a set.
    Add(AttributeValue),
    /// Removes members from a set.
    Delete(AttributeValue),
    /// Appends to a list; only the legacy `ADD` of `AttributeUpdates` does that.
    Append(AttributeValue),
}

/// An update, ready to be applied to items. No path contains another.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Update {
    pub(super) actions: Vec<(Path, Action)>,
    /// Whether type errors are worded for `AttributeUpdates`.
    pub(super) legacy: bool,
}

impl Update {
    /// Parses and checks an `UpdateExpression`.
    pub fn parse(source: &str, placeholders: &mut Placeholders) -> Result<Self, Invalid> {
        let raw = parse(&mut Parser::new(KIND, source)?)?;
        raw.actions.iter().try_for_each(check_words)?;
        each_operand(&raw, check_known)?;
        each_operand(&raw, check_usage)?;
        check_sections(&raw.sections)?;
        let paths = resolve_names(&raw, placeholders)?;
        check_values(&raw, placeholders)?;
        check_disjoint(KIND, &paths)?;
        raw.actions.iter().try_for_each(|action| check_set_operand(action, placeholders))?;
        raw.actions.iter().try_for_each(|action| check_operands(action, placeholders))?;
        let actions = paths
            .into_iter()
            .zip(&raw.actions)
            .map(|(path, action)| Ok((path, lower(action, placeholders)?)))
            .collect::<Result<_, Invalid>>()?;
        Ok(Self { actions, legacy: false })
    }

    /// The changes and where they go, in the order of the expression.
    pub fn actions(&self) -> &[(Path, Action)] {
        &self.actions
    }

    /// Whether it can only take away, so that it makes no item where there is none. An update of nothing makes one.
    pub fn only_removes(&self) -> bool {
        let removes =
            |(_, action): &(Path, Action)| matches!(action, Action::Remove | Action::Delete(_));
        !self.actions.is_empty() && self.actions.iter().all(removes)
    }

    /// The attributes that `UPDATED_OLD` and `UPDATED_NEW` return.
    pub fn projection(&self) -> Projection {
        Projection::of_paths(self.actions.iter().map(|(path, _)| path.clone()).collect())
    }

    /// Refuses a change of a key attribute of the table.
    pub fn check_table_key(&self, schema: &KeySchema) -> Result<(), Invalid> {
        for attribute in schema.attributes() {
            if self.actions.iter().any(|(path, _)| path.head() == attribute.name) {
                return Err(Invalid::parameter(format!(
                    "Cannot update attribute {}. This attribute is part of the key",
                    attribute.name
                )));
            }
        }
        Ok(())
    }

    /// Refuses a change that would surely give a key attribute of an index another type.
    pub fn check_index_key(&self, index: &str, schema: &KeySchema) -> Result<(), Invalid> {
        for attribute in schema.attributes() {
            let name = &attribute.name;
            let action = self
                .actions
                .iter()
                .find(|(path, _)| !path.is_nested() && path.head() == name)
                .and_then(|(_, action)| action.kind());
            if let Some(actual) = action
                && actual != attribute.kind
            {
                return Err(Invalid::parameter(format!(
                    "Type mismatch for Index Key {name} Expected: {} Actual: {actual} IndexName: {index}",
                    attribute.kind
                )));
            }
        }
        Ok(())
    }

    /// All paths that the update reads or writes.
    pub fn paths(&self) -> Vec<&Path> {
        let mut paths = Vec::new();
        for (path, action) in &self.actions {
            paths.push(path);
            if let Action::Set(value) = action {
                value.collect_paths(&mut paths);
            }
        }
        paths
    }
}

impl Action {
    /// The type that the action gives its target, where that is known without an item.
    pub fn kind(&self) -> Option<AttributeType> {
        match self {
            Self::Set(value) => value.kind(),
            Self::Remove => None,
            Self::Add(value) | Self::Delete(value) | Self::Append(value) => Some(value.kind()),
        }
    }
}

impl UpdateValue {
    fn kind(&self) -> Option<AttributeType> {
        match self {
            Self::Path(_) => None,
            Self::Value(value) => Some(value.kind()),
            Self::IfNotExists(_, value) => value.kind(),
            Self::ListAppend(..) => Some(AttributeType::L),
            Self::Plus(..) | Self::Minus(..) => Some(AttributeType::N),
        }
    }

    fn collect_paths<'a>(&'a self, paths: &mut Vec<&'a Path>) {
        match self {
            Self::Path(path) => paths.push(path),
            Self::Value(_) => {}
            Self::IfNotExists(path, value) => {
                paths.push(path);
                value.collect_paths(paths);
            }
            Self::ListAppend(a, b) | Self::Plus(a, b) | Self::Minus(a, b) => {
                a.collect_paths(paths);
                b.collect_paths(paths);
            }
        }
    }
}

fn target(action: &RawAction) -> &[super::parser::RawElement] {
    match action {
        RawAction::Set(path, _)
        | RawAction::Remove(path)
        | RawAction::Add(path, _)
        | RawAction::Delete(path, _) => path,
    }
}

fn value_operands(value: &RawValue) -> Vec<&RawOperand> {
    match value {
        RawValue::Operand(operand) => vec![operand],
        RawValue::Plus(a, b) | RawValue::Minus(a, b) => vec![a, b],
    }
}

fn operands(action: &RawAction) -> Vec<&RawOperand> {
    match action {
        RawAction::Set(_, value) => value_operands(value),
        _ => Vec::new(),
    }
}

fn each_operand(
    update: &RawUpdate,
    mut check: impl FnMut(&RawOperand) -> Result<(), Invalid>,
) -> Result<(), Invalid> {
    update.actions.iter().flat_map(operands).try_for_each(&mut check)
}

fn check_words(action: &RawAction) -> Result<(), Invalid> {
    check_reserved(KIND, target(action))?;
    operands(action).into_iter().try_for_each(|operand| check_operand_words(KIND, operand))
}

fn check_known(operand: &RawOperand) -> Result<(), Invalid> {
    let RawOperand::Function(function) = operand else { return Ok(()) };
    function.arguments.iter().try_for_each(check_known)?;
    let name = &function.name;
    match name.as_str() {
        "if_not_exists" | "list_append" => Ok(()),
        "attribute_exists"
        | "attribute_not_exists"
        | "attribute_type"
        | "begins_with"
        | "contains"
        | "size" => Err(KIND.invalid(format!(
            "The function is not allowed in an update expression; function: {name}"
        ))),
        _ => Err(KIND.invalid(format!("Invalid function name; function: {name}"))),
    }
}

/// A call of `list_append` may not be an argument.
fn check_usage(operand: &RawOperand) -> Result<(), Invalid> {
    let RawOperand::Function(function) = operand else { return Ok(()) };
    for argument in &function.arguments {
        check_usage(argument)?;
        if let RawOperand::Function(inner) = argument
            && inner.name == "list_append"
        {
            return Err(misused(KIND, &inner.name));
        }
    }
    Ok(())
}

fn check_sections(sections: &[Section]) -> Result<(), Invalid> {
    for (at, section) in sections.iter().enumerate() {
        if sections[..at].contains(section) {
            return Err(KIND.invalid(format!(
                "The \"{}\" section can only be used once in an update expression;",
                section.keyword()
            )));
        }
    }
    Ok(())
}

/// The targets of the actions; also refuses an undefined name anywhere.
fn resolve_names(
    update: &RawUpdate,
    placeholders: &mut Placeholders,
) -> Result<Vec<Path>, Invalid> {
    let mut paths = Vec::with_capacity(update.actions.len());
    for action in &update.actions {
        paths.push(Path::resolve(KIND, target(action), placeholders)?);
        for operand in operands(action) {
            check_names(operand, placeholders)?;
        }
    }
    Ok(paths)
}

fn check_names(operand: &RawOperand, placeholders: &mut Placeholders) -> Result<(), Invalid> {
    match operand {
        RawOperand::Path(path) => Path::resolve(KIND, path, placeholders).map(|_| ()),
        RawOperand::Value(_) => Ok(()),
        RawOperand::Function(function) => {
            function.arguments.iter().try_for_each(|inner| check_names(inner, placeholders))
        }
    }
}

/// Refuses an undefined value anywhere.
fn check_values(update: &RawUpdate, placeholders: &mut Placeholders) -> Result<(), Invalid> {
    for action in &update.actions {
        if let RawAction::Add(_, key) | RawAction::Delete(_, key) = action {
            placeholders.value(KIND, key)?;
        }
        for operand in operands(action) {
            check_operand_values(operand, placeholders)?;
        }
    }
    Ok(())
}

fn check_operand_values(
    operand: &RawOperand,
    placeholders: &mut Placeholders,
) -> Result<(), Invalid> {
    match operand {
        RawOperand::Path(_) => Ok(()),
        RawOperand::Value(key) => placeholders.value(KIND, key).map(|_| ()),
        RawOperand::Function(function) => function
            .arguments
            .iter()
            .try_for_each(|inner| check_operand_values(inner, placeholders)),
    }
}

fn lower(raw: &RawAction, placeholders: &mut Placeholders) -> Result<Action, Invalid> {
    Ok(match raw {
        RawAction::Set(_, value) => Action::Set(lower_value(value, placeholders)?),
        RawAction::Remove(_) => Action::Remove,
        RawAction::Add(_, key) => Action::Add(placeholders.value(KIND, key)?.clone()),
        RawAction::Delete(_, key) => Action::Delete(placeholders.value(KIND, key)?.clone()),
    })
}

fn check_set_operand(action: &RawAction, placeholders: &mut Placeholders) -> Result<(), Invalid> {
    let (operator, key) = match action {
        RawAction::Add(_, key) => ("ADD", key),
        RawAction::Delete(_, key) => ("DELETE", key),
        RawAction::Set(..) | RawAction::Remove(_) => return Ok(()),
    };
    match placeholders.value(KIND, key)?.kind() {
        AttributeType::Ss | AttributeType::Ns | AttributeType::Bs => Ok(()),
        AttributeType::N if operator == "ADD" => Ok(()),
        wrong => Err(KIND.invalid(format!(
            "Incorrect operand type for operator or function; operator: {operator}, operand type: {}",
            wrong.long_name()
        ))),
    }
}

fn check_operands(action: &RawAction, placeholders: &mut Placeholders) -> Result<(), Invalid> {
    let RawAction::Set(_, value) = action else { return Ok(()) };
    let operands = value_operands(value);
    for operand in &operands {
        check_function(operand, placeholders)?;
    }
    let operator = match value {
        RawValue::Operand(_) => return Ok(()),
        RawValue::Plus(..) => "+",
        RawValue::Minus(..) => "-",
    };
    operands
        .into_iter()
        .try_for_each(|operand| check_value_type(operator, operand, AttributeType::N, placeholders))
}

fn check_function(operand: &RawOperand, placeholders: &mut Placeholders) -> Result<(), Invalid> {
    let RawOperand::Function(function) = operand else { return Ok(()) };
    for argument in &function.arguments {
        check_function(argument, placeholders)?;
    }
    let name = &function.name;
    if function.arguments.len() != 2 {
        return Err(KIND.invalid(format!(
            "Incorrect number of operands for operator or function; operator or function: {name}, number of operands: {}",
            function.arguments.len()
        )));
    }
    if name == "list_append" {
        return function.arguments.iter().try_for_each(|argument| {
            check_value_type(name, argument, AttributeType::L, placeholders)
        });
    }
    match function.arguments[0] {
        RawOperand::Path(_) => Ok(()),
        _ => Err(KIND.invalid(format!(
            "Operator or function requires a document path; operator or function: {name}"
        ))),
    }
}

/// Only values of the request are checked here; what the item holds shows when the update is applied.
fn check_value_type(
    operator: &str,
    operand: &RawOperand,
    wanted: AttributeType,
    placeholders: &mut Placeholders,
) -> Result<(), Invalid> {
    let RawOperand::Value(key) = operand else { return Ok(()) };
    let given = placeholders.value(KIND, key)?.kind();
    if given == wanted { Ok(()) } else { Err(wrong_type(KIND, operator, given.name())) }
}

fn lower_value(value: &RawValue, placeholders: &mut Placeholders) -> Result<UpdateValue, Invalid> {
    let mut boxed = |operand| lower_operand(operand, placeholders).map(Box::new);
    Ok(match value {
        RawValue::Operand(operand) => lower_operand(operand, placeholders)?,
        RawValue::Plus(a, b) => UpdateValue::Plus(boxed(a)?, boxed(b)?),
        RawValue::Minus(a, b) => UpdateValue::Minus(boxed(a)?, boxed(b)?),
    })
}

fn lower_operand(
    operand: &RawOperand,
    placeholders: &mut Placeholders,
) -> Result<UpdateValue, Invalid> {
    Ok(match operand {
        RawOperand::Path(path) => UpdateValue::Path(Path::resolve(KIND, path, placeholders)?),
        RawOperand::Value(key) => UpdateValue::Value(placeholders.value(KIND, key)?.clone()),
        RawOperand::Function(function) => match function.arguments.as_slice() {
            [RawOperand::Path(path), value] if function.name == "if_not_exists" => {
                UpdateValue::IfNotExists(
                    Path::resolve(KIND, path, placeholders)?,
                    Box::new(lower_operand(value, placeholders)?),
                )
            }
            [first, second] => UpdateValue::ListAppend(
                Box::new(lower_operand(first, placeholders)?),
                Box::new(lower_operand(second, placeholders)?),
            ),
            _ => return Err(misused(KIND, &function.name)),
        },
    })
}
