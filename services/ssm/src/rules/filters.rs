//! Filters of `DescribeParameters` and `GetParametersByPath`.

use super::names;
use crate::error::Error;
use crate::model::{ParameterStringFilter, ParametersFilter};
use crate::store::{Parameter, Version};

/// One filter, checked.
#[derive(Clone, Debug)]
pub(crate) struct Filter {
    key: String,
    option: Matching,
    values: Vec<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Matching {
    Equals,
    BeginsWith,
    Contains,
    OneLevel,
    Recursive,
}

/// Reads the filters of `DescribeParameters`, or of `GetParametersByPath`.
pub(crate) fn parse(
    filters: &[ParameterStringFilter],
    is_by_path: bool,
) -> Result<Vec<Filter>, Error> {
    let mut parsed: Vec<Filter> = Vec::with_capacity(filters.len());
    for filter in filters {
        let key = filter.key.as_str();
        let known: &[&str] = match is_by_path {
            true => &["Type", "KeyId", "Label"],
            false => &["Path", "Name", "Type", "KeyId", "Tier", "DataType"],
        };
        let is_tag = key.starts_with("tag:") && !is_by_path;
        if !known.contains(&key) && !is_tag {
            return Err(Error::InvalidFilterKey(format!(
                "The following filter key is not valid: {key}. Valid filter keys include: [{}].",
                known.join(", ")
            )));
        }
        if parsed.iter().any(|other| other.key == key) {
            return Err(Error::InvalidFilterKey(format!(
                "The following filter is duplicated in the request: {key}. A request can contain only one occurrence of \
                 a specific filter."
            )));
        }
        let values = filter.values.clone().unwrap_or_default();
        if values.is_empty() && !is_tag {
            return Err(Error::InvalidFilterValue(format!(
                "The following filter values are missing : null for filter key {key}"
            )));
        }
        check_values(key, &values)?;
        let option = option(key, filter.option.as_deref())?;
        parsed.push(Filter { key: key.to_owned(), option, values });
    }
    Ok(parsed)
}

/// Reads the older filters of `DescribeParameters`: what they name begins with a value.
pub(crate) fn parse_old(filters: &[ParametersFilter]) -> Vec<Filter> {
    let read = |filter: &ParametersFilter| {
        let key = filter.key.as_str().to_owned();
        let option = if key == "Name" { Matching::BeginsWith } else { Matching::Equals };
        Filter { key, option, values: filter.values.clone() }
    };
    filters.iter().map(read).collect()
}

fn option(key: &str, given: Option<&str>) -> Result<Matching, Error> {
    let options: &[(&str, Matching)] = match key {
        "Path" => &[("OneLevel", Matching::OneLevel), ("Recursive", Matching::Recursive)],
        "Name" => &[
            ("Equals", Matching::Equals),
            ("BeginsWith", Matching::BeginsWith),
            ("Contains", Matching::Contains),
        ],
        _ => &[("Equals", Matching::Equals), ("BeginsWith", Matching::BeginsWith)],
    };
    let Some(given) = given else { return Ok(options[0].1) };
    let found = options.iter().find(|(name, _)| *name == given);
    found.map(|(_, option)| *option).ok_or_else(|| {
        let valid = match key {
            "Path" => "[Recursive, OneLevel]",
            _ => "[BeginsWith, Equals]",
        };
        Error::InvalidFilterOption(format!(
            "The following filter option is not valid: {given}. Valid options include: {valid}."
        ))
    })
}

fn check_values(key: &str, values: &[String]) -> Result<(), Error> {
    let known: &[&str] = match key {
        "Type" => &["String", "StringList", "SecureString"],
        "Tier" => &["Standard", "Advanced", "Intelligent-Tiering"],
        "Path" => {
            for value in values {
                names::check_path(value)?;
            }
            return Ok(());
        }
        _ => return Ok(()),
    };
    match values.iter().find(|value| !known.contains(&value.as_str())) {
        None => Ok(()),
        Some(value) => Err(Error::InvalidFilterOption(format!(
            "The following filter value is not valid: {value}. Valid values include: [{}].",
            known.join(", ")
        ))),
    }
}

/// Whether a parameter passes every filter; the values of one are alternatives.
pub(crate) fn passes(
    filters: &[Filter],
    name: &str,
    parameter: &Parameter,
    version: &Version,
) -> bool {
    filters.iter().all(|filter| {
        let any = |text: &str| filter.values.iter().any(|value| filter.fits(text, value));
        match filter.key.as_str() {
            "Name" => any(name),
            "Type" => any(&version.kind),
            "KeyId" => version.key_id.as_deref().is_some_and(any),
            "Tier" => any(version.tier()),
            "DataType" => any(&version.data_type),
            "Label" => version.labels.iter().any(|label| any(label)),
            "Path" => any(name),
            tag => {
                let wanted = tag.strip_prefix("tag:").unwrap_or_default();
                let found = parameter.tags.iter().find(|(key, _)| key == wanted);
                found.is_some_and(|(_, value)| filter.values.is_empty() || any(value))
            }
        }
    })
}

impl Filter {
    /// The label that it asks for, which decides over versions.
    pub(crate) fn is_label(&self) -> bool {
        self.key == "Label"
    }

    fn fits(&self, text: &str, value: &str) -> bool {
        match self.option {
            // A name may be written with or without its slash.
            Matching::Equals if self.key == "Name" => {
                text.trim_start_matches('/') == value.trim_start_matches('/')
            }
            Matching::BeginsWith if self.key == "Name" => {
                text.trim_start_matches('/').starts_with(value.trim_start_matches('/'))
            }
            Matching::Equals => text == value,
            Matching::BeginsWith => text.starts_with(value),
            Matching::Contains => text.contains(value),
            Matching::OneLevel => names::is_under(text, value, false),
            Matching::Recursive => names::is_under(text, value, true),
        }
    }
}
