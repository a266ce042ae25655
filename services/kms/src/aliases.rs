//! Aliases: names that stand for keys.

use fogbank_core::{ReadTx, Timestamp, Tx, WriteTx};

use crate::error::Error;
use crate::lookup;
use crate::model::{
    AliasListEntry, CreateAliasInput, CreateAliasOutput, DeleteAliasInput, DeleteAliasOutput,
    ListAliasesInput, ListAliasesOutput, UpdateAliasInput, UpdateAliasOutput,
};
use crate::store::{self, ALIASES, ALIASES_OF, Alias, AliasKey};

/// How many aliases a page has unless the caller says.
const PAGE: usize = 50;
/// How many aliases a key may have.
const MOST: usize = 256;

fn own(tx: &impl Tx, name: &str) -> Result<AliasKey, Error> {
    if !name.starts_with("alias/") || name == "alias/" {
        return Err(Error::invalid(
            "Alias must start with the prefix \"alias/\". Please see \
             https://docs.aws.amazon.com/kms/latest/developerguide/kms-alias.html",
        ));
    }
    if name["alias/".len()..].contains(':') {
        let message = format!("{name} contains invalid characters for an alias");
        return Err(Error::invalid(message));
    }
    Ok((tx.account().to_owned(), tx.region().to_owned(), name.to_owned()))
}

fn own_customer(tx: &impl Tx, name: &str) -> Result<AliasKey, Error> {
    let at = own(tx, name)?;
    if name.starts_with("alias/aws/") {
        // The code that AWS answers with is not in its model.
        return Err(fogbank_core::Fault::new("NotAuthorizedException", "").with_status(400).into());
    }
    Ok(at)
}

/// Creates an alias.
pub(crate) fn create(
    tx: &mut WriteTx<'_>,
    input: CreateAliasInput,
) -> Result<CreateAliasOutput, Error> {
    let at = own_customer(tx, &input.alias_name)?;
    if input.target_key_id.starts_with("alias/") {
        return Err(Error::invalid("Aliases must refer to keys. Not aliases"));
    }
    let found = lookup::own(tx, &input.target_key_id)?;
    if ALIASES.contains(tx, &at)? {
        return Err(Error::AlreadyExistsException(store::alias_arn(&at)));
    }
    found.check_not_pending_deletion()?;
    if ALIASES_OF.list(tx, &found.at)?.len() >= MOST {
        let message = format!("{} has {MOST} aliases already.", found.arn);
        return Err(Error::LimitExceededException(message));
    }
    let now = tx.now().millis();
    let key_id = found.at.2;
    ALIASES_OF.put(tx, &(&at.0, &at.1, &key_id, &at.2), &())?;
    ALIASES.put(tx, &at, &Alias { key_id, created_millis: now, updated_millis: now })?;
    Ok(CreateAliasOutput {})
}

/// Lets an alias stand for another key of the same kind and usage.
pub(crate) fn update(
    tx: &mut WriteTx<'_>,
    input: UpdateAliasInput,
) -> Result<UpdateAliasOutput, Error> {
    let at = own_customer(tx, &input.alias_name)?;
    let alias = ALIASES.get(tx, &at)?.ok_or_else(|| Error::no_alias(&store::alias_arn(&at)))?;
    let found = lookup::own(tx, &input.target_key_id)?;
    found.check_not_pending_deletion()?;
    let before = store::key(tx, &(at.0.clone(), at.1.clone(), alias.key_id.clone()))?;
    let kind = |spec: &str| match spec {
        spec if spec.starts_with("HMAC_") => "HMAC",
        spec if crate::rules::spec::is_symmetric(spec) => "symmetric",
        _ => "asymmetric",
    };
    if kind(&before.spec) != kind(&found.key.spec) || before.usage != found.key.usage {
        // AWS documents the rule; its words are not known.
        return Err(Error::invalid(format!(
            "Alias {} refers to a {} key of usage {}; the new key must be of the same type and usage.",
            at.2,
            kind(&before.spec),
            before.usage
        )));
    }
    let key_id = found.at.2;
    ALIASES_OF.delete(tx, &(&at.0, &at.1, &alias.key_id, &at.2))?;
    ALIASES_OF.put(tx, &(&at.0, &at.1, &key_id, &at.2), &())?;
    ALIASES.put(tx, &at, &Alias { key_id, updated_millis: tx.now().millis(), ..alias })?;
    Ok(UpdateAliasOutput {})
}

/// Removes an alias; its key stays.
pub(crate) fn delete(
    tx: &mut WriteTx<'_>,
    input: DeleteAliasInput,
) -> Result<DeleteAliasOutput, Error> {
    let at = own_customer(tx, &input.alias_name)?;
    let alias = ALIASES.get(tx, &at)?.ok_or_else(|| Error::no_alias(&store::alias_arn(&at)))?;
    ALIASES_OF.delete(tx, &(&at.0, &at.1, &alias.key_id, &at.2))?;
    ALIASES.delete(tx, &at)?;
    Ok(DeleteAliasOutput {})
}

/// Lists aliases by name, of the account or of one key.
pub(crate) fn list(tx: &ReadTx<'_>, input: ListAliasesInput) -> Result<ListAliasesOutput, Error> {
    let of_key = input.key_id.as_deref().map(|text| lookup::own(tx, text)).transpose()?;
    let place = (tx.account().to_owned(), tx.region().to_owned());
    let rows = ALIASES.list(tx, &place)?.into_iter();
    let list = rows
        .filter(|(_, alias)| of_key.as_ref().is_none_or(|found| found.at.2 == alias.key_id))
        .map(|(at, alias)| {
            let shown = AliasListEntry {
                alias_name: Some(at.2.clone()),
                alias_arn: Some(store::alias_arn(&at)),
                target_key_id: Some(alias.key_id),
                creation_date: Some(Timestamp::from_millis(alias.created_millis)),
                last_updated_date: Some(Timestamp::from_millis(alias.updated_millis)),
            };
            (at.2, shown)
        })
        .collect();
    let (aliases, next_marker) = lookup::page_of(list, input.marker.as_deref(), input.limit, PAGE)?;
    Ok(ListAliasesOutput {
        aliases: Some(aliases),
        truncated: Some(next_marker.is_some()),
        next_marker,
    })
}
