//! Published versions.

use fogbank_core::{ReadTx, Tx, WriteTx, page};

use crate::error::{Error, invalid, unsupported};
use crate::functions::{
    Detail, ShownAs, code_sha256, marker, page_size, publish as publish_latest, require_revision,
    require_settled, shown,
};
use crate::model::{
    FunctionConfiguration, ListVersionsByFunctionInput, ListVersionsByFunctionOutput,
    PublishVersionInput,
};
use crate::rules::target::Target;
use crate::store::{self, VERSIONS};

/// Publishes `$LATEST` as a version that never changes.
pub(crate) fn publish(
    tx: &mut WriteTx<'_>,
    input: PublishVersionInput,
) -> Result<FunctionConfiguration, Error> {
    let target = Target::parse(&input.function_name, None, tx.account(), tx.region())?;
    if input.publish_to.is_some() {
        return Err(unsupported("PublishTo"));
    }
    let latest = store::latest(tx, &target)?;
    require_settled(&target, &latest)?;
    require_revision(input.revision_id.as_deref(), &latest.revision_id)?;
    let current = code_sha256(&latest.code.sha256);
    if let Some(given) = input.code_sha256.filter(|given| !given.is_empty() && *given != current) {
        return Err(invalid(format!(
            "CodeSHA256 ({given}) is different from current CodeSHA256 in $LATEST ({current}). \
             Please try again with the CodeSHA256 in $LATEST."
        )));
    }
    let found = publish_latest(tx, &target, input.description.as_deref())?;
    Ok(shown(&target, found.number, &found.version, ShownAs::Version, Detail::Whole))
}

/// Lists the versions of a function, `$LATEST` first.
pub(crate) fn list(
    tx: &ReadTx<'_>,
    input: ListVersionsByFunctionInput,
) -> Result<ListVersionsByFunctionOutput, Error> {
    let target = Target::parse(&input.function_name, None, tx.account(), tx.region())?;
    store::function(tx, &target)?;
    let after = match marker(input.marker.as_deref())? {
        Some(number) => {
            let number = number.parse().map_err(|_| invalid("Invalid marker"))?;
            let (account, region, name) = target.key();
            Some((account.to_owned(), region.to_owned(), name.to_owned(), number))
        }
        None => None,
    };
    let limit = page_size(input.max_items);
    let (rows, more) = VERSIONS.page(tx, &target.key(), after.as_ref(), limit)?;
    let versions = rows
        .iter()
        .map(|(key, version)| shown(&target, key.3, version, ShownAs::Version, Detail::Listed))
        .collect();
    let last = rows.last().filter(|_| more);
    Ok(ListVersionsByFunctionOutput {
        next_marker: last.map(|(key, _)| page::text_token(&key.3.to_string())),
        versions: Some(versions),
    })
}
