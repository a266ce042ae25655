//! Pages of listings: up to a hundred at once.

use fogbank_core::page;

use crate::error::Error;

/// How many entries a page has if the caller does not say.
const DEFAULT: i32 = 100;

/// Of `all` those that follow the token, at most `limit`, and the token for the rest. `name` says what a listing is
/// ordered by.
pub(crate) fn of<T>(
    all: impl IntoIterator<Item = T>,
    name: impl Fn(&T) -> &str,
    token: Option<&str>,
    limit: Option<i32>,
) -> Result<(Vec<T>, Option<String>), Error> {
    let last = match token {
        // AWS's words are not known.
        Some(token) => Some(
            page::parse_text(token)
                .ok_or_else(|| Error::invalid("Parameter NextToken is not valid."))?,
        ),
        None => None,
    };
    let limit = usize::try_from(limit.unwrap_or(DEFAULT)).unwrap_or(1);
    let mut page: Vec<T> = Vec::new();
    for entry in all {
        if last.as_deref().is_some_and(|last| name(&entry) <= last) {
            continue;
        }
        if page.len() == limit {
            let token = page.last().map(|last| page::text_token(name(last)));
            return Ok((page, token));
        }
        page.push(entry);
    }
    Ok((page, None))
}
