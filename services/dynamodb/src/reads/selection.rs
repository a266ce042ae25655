//! What is returned of the items that a query or scan finds.

use super::Source;
use crate::error::{Error, Result};
use crate::expressions::Projection;
use crate::model::Select;

/// What is returned of each item.
pub(super) enum Output {
    /// Only how many there are.
    Count,
    /// All that the row has.
    Row,
    /// Parts of it.
    Part(Projection),
}

/// What is returned, and whether it must be fetched from the table because the index does not have it.
pub(super) struct Selection {
    pub(super) output: Output,
    pub(super) fetches: bool,
}

/// How a request names parts of items.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Notation {
    Expression,
    Names,
}

/// Refuses a `Select` that contradicts the rest of the request.
pub(super) fn check(
    select: Option<Select>,
    notation: Option<Notation>,
    has_index: bool,
    required: &str,
) -> Result<()> {
    let parameter = match notation {
        Some(Notation::Expression) => "ProjectionExpression",
        _ => "AttributesToGet",
    };
    match (select, notation) {
        (Some(Select::SpecificAttributes), None) => {
            return Err(Error::invalid(format!(
                "{required}Must specify the AttributesToGet or ProjectionExpression when choosing to get SPECIFIC_ATTRIBUTES"
            )));
        }
        (None | Some(Select::SpecificAttributes), _) | (_, None) => {}
        (Some(Select::Count), Some(_)) => {
            return Err(Error::invalid(format!(
                "Cannot specify the {parameter} when choosing to get only the Count"
            )));
        }
        (Some(select), Some(_)) => {
            return Err(Error::invalid(format!(
                "Cannot specify the {parameter} when choosing to get {}",
                select.as_str()
            )));
        }
    }
    if select == Some(Select::AllProjectedAttributes) && !has_index {
        return Err(Error::invalid(
            "ALL_PROJECTED_ATTRIBUTES can be used only when Querying using an IndexName",
        ));
    }
    Ok(())
}

impl Selection {
    /// What a request returns that [`check`] has found consistent.
    pub(super) fn new(
        source: Source<'_>,
        select: Option<Select>,
        projection: Option<Projection>,
    ) -> Result<Selection> {
        let Some(index) = source.index else {
            return Ok(Selection { output: output(select, projection), fetches: false });
        };
        let missing: Vec<&str> = projection
            .iter()
            .flat_map(Projection::paths)
            .map(|path| path.head())
            .filter(|name| !index.has(name))
            .collect();
        let wants_all = select == Some(Select::AllAttributes) && index.attributes.is_some();
        if index.is_global && wants_all {
            return Err(Error::parameter(format!(
                "Select type ALL_ATTRIBUTES is not supported for global secondary index {} because its projection type is not ALL",
                index.name
            )));
        }
        if index.is_global && !missing.is_empty() {
            return Err(Error::parameter(format!(
                "Global secondary index {} does not project [{}]",
                index.name,
                missing.join(", ")
            )));
        }
        let fetches = wants_all || !missing.is_empty();
        Ok(Selection { output: output(select, projection), fetches })
    }
}

fn output(select: Option<Select>, projection: Option<Projection>) -> Output {
    match (select, projection) {
        (Some(Select::Count), _) => Output::Count,
        (_, Some(projection)) => Output::Part(projection),
        (_, None) => Output::Row,
    }
}
