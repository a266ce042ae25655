//! What a read returns of an item, in either of two notations.

use std::collections::BTreeMap;

use crate::error::Result;
use crate::expressions::{self, Placeholders, Projection, attributes_to_get};

/// Refuses both notations together, and names without an expression.
pub(crate) fn check_parameters(
    expression: Option<&str>,
    names: Option<&[String]>,
    has_placeholders: bool,
) -> Result<()> {
    Ok(expressions::check_parameters(
        &[("ProjectionExpression", expression.is_some())],
        &[("AttributesToGet", names.is_some())],
        has_placeholders,
        false,
    )?)
}

/// Parses the projection of a request that has no other expression.
pub(crate) fn parse(
    expression: Option<&str>,
    names: Option<&[String]>,
    placeholders: Option<BTreeMap<String, String>>,
) -> Result<Option<Projection>> {
    let legacy = names.map(attributes_to_get).transpose()?;
    let mut placeholders = Placeholders::new(placeholders, None)?;
    let projection =
        expression.map(|source| Projection::parse(source, &mut placeholders)).transpose()?;
    placeholders.check_all_used()?;
    Ok(projection.or(legacy))
}
