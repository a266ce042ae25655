//! ListFunctions.

use fogbank_core::{ReadTx, Tx, page};

use super::{Detail, ShownAs, shown};
use crate::error::{Error, invalid};
use crate::model::{FunctionConfiguration, ListFunctionsInput, ListFunctionsOutput};
use crate::rules::target::Target;
use crate::store::{FUNCTIONS, VERSIONS};

/// How many functions a page has at most, whatever is asked for.
pub(crate) const PAGE: usize = 50;

/// How many items the next page is to have.
pub(crate) fn page_size(asked: Option<i32>) -> usize {
    asked.and_then(|asked| usize::try_from(asked).ok()).unwrap_or(PAGE).clamp(1, PAGE)
}

/// Reads a marker back.
pub(crate) fn marker(text: Option<&str>) -> Result<Option<String>, Error> {
    match text.filter(|text| !text.is_empty()) {
        Some(text) => page::parse_text(text).map(Some).ok_or_else(|| invalid("Invalid marker")),
        None => Ok(None),
    }
}

/// Lists the functions of the account, or all their versions.
pub(crate) fn list(
    tx: &ReadTx<'_>,
    input: ListFunctionsInput,
) -> Result<ListFunctionsOutput, Error> {
    let after = marker(input.marker.as_deref())?;
    let limit = page_size(input.max_items);
    let (functions, next) = match input.function_version {
        Some(_) => versions(tx, after, limit)?,
        None => unpublished(tx, after, limit)?,
    };
    Ok(ListFunctionsOutput {
        next_marker: next.map(|last| page::text_token(&last)),
        functions: Some(functions),
    })
}

type Page = (Vec<FunctionConfiguration>, Option<String>);

fn unpublished(tx: &ReadTx<'_>, after: Option<String>, limit: usize) -> Result<Page, Error> {
    let (account, region) = (tx.account(), tx.region());
    let after = after.map(|name| (account.to_owned(), region.to_owned(), name));
    let (rows, more) = FUNCTIONS.page(tx, &(account, region), after.as_ref(), limit)?;
    let mut functions = Vec::new();
    for ((account, region, name), _) in &rows {
        let target = of(account, region, name);
        if let Some(version) = VERSIONS.get(tx, &(&**account, &**region, &**name, 0))? {
            functions.push(shown(&target, 0, &version, ShownAs::Function, Detail::Listed));
        }
    }
    let next = rows.into_iter().last().filter(|_| more).map(|(key, _)| key.2);
    Ok((functions, next))
}

fn versions(tx: &ReadTx<'_>, after: Option<String>, limit: usize) -> Result<Page, Error> {
    let (account, region) = (tx.account().to_owned(), tx.region().to_owned());
    let after = match after {
        Some(text) => {
            let (name, number) = text.split_once(':').ok_or_else(|| invalid("Invalid marker"))?;
            let number = number.parse().map_err(|_| invalid("Invalid marker"))?;
            Some((account.clone(), region.clone(), name.to_owned(), number))
        }
        None => None,
    };
    let prefix = (account.as_str(), region.as_str());
    let (rows, more) = VERSIONS.page(tx, &prefix, after.as_ref(), limit)?;
    let functions = rows
        .iter()
        .map(|((account, region, name, number), version)| {
            let target = of(account, region, name);
            shown(&target, *number, version, ShownAs::Version, Detail::Listed)
        })
        .collect();
    let next = rows.into_iter().last().filter(|_| more);
    Ok((functions, next.map(|((_, _, name, number), _)| format!("{name}:{number}"))))
}

/// A function of an account.
fn of(account: &str, region: &str, name: &str) -> Target {
    Target {
        account: account.to_owned(),
        region: region.to_owned(),
        name: name.to_owned(),
        qualifier: None,
    }
}
