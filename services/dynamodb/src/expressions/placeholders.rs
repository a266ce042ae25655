//! `ExpressionAttributeNames` and `ExpressionAttributeValues`.

use std::collections::{BTreeMap, BTreeSet};

use super::ExpressionKind;
use crate::invalid::Invalid;
use crate::value::AttributeValue;

/// The most bytes of a placeholder, its sigil included.
const MAX_PLACEHOLDER_LENGTH: usize = 255;

/// What a request's `#names` and `:values` stand for, and which of them its expressions use.
#[derive(Debug, Default)]
pub struct Placeholders {
    names: BTreeMap<String, String>,
    values: BTreeMap<String, AttributeValue>,
    used_names: BTreeSet<String>,
    used_values: BTreeSet<String>,
}

impl Placeholders {
    /// Checks that maps which are present are not empty and that their keys are placeholders.
    pub fn new(
        names: Option<BTreeMap<String, String>>,
        values: Option<BTreeMap<String, AttributeValue>>,
    ) -> Result<Self, Invalid> {
        check_keys("ExpressionAttributeNames", '#', names.as_ref().map(BTreeMap::keys))?;
        check_keys("ExpressionAttributeValues", ':', values.as_ref().map(BTreeMap::keys))?;
        let empty = names.iter().flatten().find(|(_, name)| name.is_empty());
        if let Some((key, _)) = empty {
            return Err(Invalid::new(format!(
                "ExpressionAttributeNames contains invalid value: Empty attribute name for key {key}"
            )));
        }
        Ok(Self {
            names: names.unwrap_or_default(),
            values: values.unwrap_or_default(),
            ..Self::default()
        })
    }

    /// Says which value AWS found wrong.
    pub fn invalid_value(key: &str, error: &Invalid) -> Invalid {
        Invalid::new(format!(
            "ExpressionAttributeValues contains invalid value: {error} for key {key}"
        ))
    }

    pub(super) fn name(&mut self, kind: ExpressionKind, key: &str) -> Result<String, Invalid> {
        let Some(name) = self.names.get(key) else {
            return Err(kind.invalid(format!(
                "An expression attribute name used in the document path is not defined; attribute name: {key}"
            )));
        };
        if !self.used_names.contains(key) {
            self.used_names.insert(key.to_owned());
        }
        Ok(name.clone())
    }

    pub(super) fn value(
        &mut self,
        kind: ExpressionKind,
        key: &str,
    ) -> Result<&AttributeValue, Invalid> {
        let Some(value) = self.values.get(key) else {
            return Err(kind.invalid(format!(
                "An expression attribute value used in expression is not defined; attribute value: {key}"
            )));
        };
        if !self.used_values.contains(key) {
            self.used_values.insert(key.to_owned());
        }
        Ok(value)
    }

    /// Refuses placeholders that no expression used; to be called when all are parsed.
    pub fn check_all_used(&self) -> Result<(), Invalid> {
        check_used("ExpressionAttributeNames", self.names.keys(), &self.used_names)?;
        check_used("ExpressionAttributeValues", self.values.keys(), &self.used_values)
    }
}

fn check_keys<'a>(
    parameter: &str,
    sigil: char,
    keys: Option<impl ExactSizeIterator<Item = &'a String>>,
) -> Result<(), Invalid> {
    let Some(keys) = keys else { return Ok(()) };
    if keys.len() == 0 {
        return Err(Invalid::new(format!("{parameter} must not be empty")));
    }
    for key in keys {
        let name = key.strip_prefix(sigil).unwrap_or_default();
        let is_word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
        if name.is_empty() || !name.bytes().all(is_word) {
            return Err(Invalid::new(format!(
                "{parameter} contains invalid key: Syntax error; key: \"{key}\""
            )));
        }
        if key.len() > MAX_PLACEHOLDER_LENGTH {
            return Err(Invalid::new(format!(
                "{parameter} contains invalid key: The expression attribute map contains a key that is too long; key: \"{key}\""
            )));
        }
    }
    Ok(())
}

fn check_used<'a>(
    parameter: &str,
    keys: impl Iterator<Item = &'a String>,
    used: &BTreeSet<String>,
) -> Result<(), Invalid> {
    let unused: Vec<&str> = keys.filter(|key| !used.contains(*key)).map(String::as_str).collect();
    if unused.is_empty() {
        return Ok(());
    }
    Err(Invalid::new(format!(
        "Value provided in {parameter} unused in expressions: keys: {{{}}}",
        unused.join(", ")
    )))
}

/// Refuses expressions together with legacy parameters, and placeholders without expressions.
///
/// Both lists pair a parameter of the operation with whether the request has it, in the order in which the operation's
/// messages list them. `value_expressions` names the expressions that can use values.
pub fn check_parameters(
    expressions: &[(&str, bool)],
    legacy: &[(&str, bool)],
    has_names: bool,
    has_values: bool,
) -> Result<(), Invalid> {
    let present = |parameters: &[(&str, bool)]| {
        let given = parameters.iter().filter(|(_, given)| *given);
        given.map(|(name, _)| *name).collect::<Vec<_>>().join(", ")
    };
    let used = present(expressions);
    let old = present(legacy);
    if !used.is_empty() && !old.is_empty() {
        return Err(Invalid::new(format!(
            "Can not use both expression and non-expression parameters in the same request: Non-expression parameters: {{{old}}} Expression parameters: {{{used}}}"
        )));
    }
    if has_names && used.is_empty() {
        return Err(Invalid::new(
            "ExpressionAttributeNames can only be specified when using expressions",
        ));
    }
    let takes_values: Vec<_> =
        expressions.iter().filter(|(name, _)| *name != "ProjectionExpression").collect();
    if has_values && !takes_values.is_empty() && takes_values.iter().all(|(_, given)| !given) {
        let names: Vec<_> = takes_values.iter().map(|(name, _)| *name).collect();
        let verb = if names.len() > 1 { "are" } else { "is" };
        return Err(Invalid::new(format!(
            "ExpressionAttributeValues can only be specified when using expressions: {} {verb} null",
            names.join(" and ")
        )));
    }
    Ok(())
}
