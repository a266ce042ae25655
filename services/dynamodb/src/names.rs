//! Names of tables: plain, or as ARNs, which every operation on an existing table takes instead.

use fogbank_core::Arn;

use crate::error::{Error, Result};

/// A table as a request names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct TableName<'a> {
    /// The account, where the request gives an ARN.
    pub(crate) account: Option<&'a str>,
    /// The region, where the request gives an ARN.
    pub(crate) region: Option<&'a str>,
    /// The name.
    pub(crate) name: &'a str,
}

impl<'a> TableName<'a> {
    /// Takes a name or an ARN apart; says nothing of whether the name is well formed.
    pub(crate) fn of(text: &'a str) -> TableName<'a> {
        let plain = TableName { account: None, region: None, name: text };
        if !text.starts_with("arn:") {
            return plain;
        }
        let Some(arn) = Arn::parse(text) else { return plain };
        match arn.resource.strip_prefix("table/") {
            Some(name) => TableName { account: Some(arn.account), region: Some(arn.region), name },
            None => plain,
        }
    }

    /// Takes the name of a table that an operation on items is about, and refuses it in the framework's words.
    pub(crate) fn of_data(text: &'a str) -> Result<TableName<'a>> {
        let table = TableName::of(text);
        match table.violations(text) {
            broken if broken.is_empty() => Ok(table),
            broken => Err(violated(&broken)),
        }
    }

    /// What the framework finds wrong with a name.
    pub(crate) fn violations(&self, text: &str) -> Vec<String> {
        let mut broken = Vec::new();
        let mut breaks = |constraint: &str| {
            broken.push(format!(
                "Value '{text}' at 'tableName' failed to satisfy constraint: Member must {constraint}"
            ));
        };
        if !is_word(self.name) {
            breaks("satisfy regular expression pattern: [a-zA-Z0-9_.-]+");
        }
        if self.name.len() < 3 {
            breaks("have length greater than or equal to 3");
        }
        if self.name.len() > 255 {
            breaks("have length less than or equal to 255");
        }
        broken
    }

    /// Takes the name of a table that an operation on tables is about.
    pub(crate) fn of_control(text: Option<&'a str>) -> Result<TableName<'a>> {
        let Some(text) = text else {
            return Err(Error::invalid(
                "The parameter 'TableName' is required but was not present in the request",
            ));
        };
        TableName::of_data(text)
    }
}

/// The framework's refusal of a request that violates constraints.
pub(crate) fn violated(broken: &[String]) -> Error {
    let plural = if broken.len() == 1 { "" } else { "s" };
    let list = broken.join("; ");
    Error::invalid(format!("{} validation error{plural} detected: {list}", broken.len()))
}

/// Whether a name has only the characters that names of tables and indexes may have, and at least one.
pub(crate) fn is_word(name: &str) -> bool {
    let may = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.');
    !name.is_empty() && name.bytes().all(may)
}

/// What follows the account in the ARN of a table.
pub(crate) fn table_resource(name: &str) -> String {
    format!("table/{name}")
}
