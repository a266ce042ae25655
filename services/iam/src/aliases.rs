//! The account's alias, of which no two accounts have the same.

use fogbank_core::{ReadTx, Tx, WriteTx};
use fogbank_identity::rows::{ACCOUNT_ALIASES, ALIASES};

use crate::error::Error;
use crate::model::{
    CreateAccountAliasInput, CreateAccountAliasOutput, DeleteAccountAliasInput,
    DeleteAccountAliasOutput, ListAccountAliasesInput, ListAccountAliasesOutput,
};

/// Gives the account an alias, in place of the one it has.
pub(crate) fn create(
    tx: &mut WriteTx<'_>,
    input: CreateAccountAliasInput,
) -> Result<CreateAccountAliasOutput, Error> {
    let (account, alias) = (tx.account().to_owned(), input.account_alias);
    if ALIASES.get(tx, &alias)?.is_some_and(|owner| owner != account) {
        let message = format!("The account alias {alias} already exists.");
        return Err(Error::EntityAlreadyExistsException(message));
    }
    if let Some(old) = ACCOUNT_ALIASES.get(tx, &account)? {
        ALIASES.delete(tx, &old)?;
    }
    ALIASES.put(tx, &alias, &account)?;
    ACCOUNT_ALIASES.put(tx, &account, &alias)?;
    Ok(CreateAccountAliasOutput {})
}

/// Takes the account's alias away.
pub(crate) fn delete(
    tx: &mut WriteTx<'_>,
    input: DeleteAccountAliasInput,
) -> Result<DeleteAccountAliasOutput, Error> {
    let (account, alias) = (tx.account().to_owned(), input.account_alias);
    if ALIASES.get(tx, &alias)?.is_none_or(|owner| owner != account) {
        let message = format!("The account alias {alias} cannot be found.");
        return Err(Error::NoSuchEntityException(message));
    }
    ALIASES.delete(tx, &alias)?;
    ACCOUNT_ALIASES.delete(tx, &account)?;
    Ok(DeleteAccountAliasOutput {})
}

/// Lists the account's alias.
pub(crate) fn list(
    tx: &ReadTx<'_>,
    _: ListAccountAliasesInput,
) -> Result<ListAccountAliasesOutput, Error> {
    let alias = ACCOUNT_ALIASES.get(tx, tx.account())?;
    Ok(ListAccountAliasesOutput {
        account_aliases: Some(alias.into_iter().collect()),
        is_truncated: Some(false),
        marker: None,
    })
}
