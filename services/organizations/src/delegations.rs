//! Delegated administrators: accounts that administer a service for the organization, as rows.

use std::collections::BTreeSet;

use fogbank_core::{ReadTx, Timestamp, Tx, WriteTx};
use fogbank_identity::organizations::DELEGATIONS;

use crate::error::Error;
use crate::model::{
    DelegatedAdministrator, DelegatedService, DeregisterDelegatedAdministratorInput,
    DeregisterDelegatedAdministratorOutput, ListDelegatedAdministratorsInput,
    ListDelegatedAdministratorsOutput, ListDelegatedServicesForAccountInput,
    ListDelegatedServicesForAccountOutput, RegisterDelegatedAdministratorInput,
    RegisterDelegatedAdministratorOutput,
};
use crate::store::{self, Found};
use crate::{accounts, rules};

/// Lets an account administer a service.
pub(crate) fn register(
    tx: &mut WriteTx<'_>,
    input: RegisterDelegatedAdministratorInput,
) -> Result<RegisterDelegatedAdministratorOutput, Error> {
    let found = store::managed(tx)?;
    found.account(tx, &input.account_id)?;
    if input.account_id == found.row.management {
        let message = "You cannot register master account/yourself as delegated administrator for \
                       your organization.";
        let reason = "CANNOT_REGISTER_MASTER_AS_DELEGATED_ADMINISTRATOR";
        return Err(Error::constraint(reason, message));
    }
    let key = (&*found.id, &*input.account_id, &*input.service_principal);
    if DELEGATIONS.contains(tx, &key)? {
        return Err(Error::AccountAlreadyRegisteredException);
    }
    let now = u64::try_from(tx.now().secs()).unwrap_or_default();
    DELEGATIONS.put(tx, &key, &now)?;
    Ok(RegisterDelegatedAdministratorOutput {})
}

/// Ends that an account administers a service.
pub(crate) fn deregister(
    tx: &mut WriteTx<'_>,
    input: DeregisterDelegatedAdministratorInput,
) -> Result<DeregisterDelegatedAdministratorOutput, Error> {
    let found = store::managed(tx)?;
    found.account(tx, &input.account_id)?;
    let key = (&*found.id, &*input.account_id, &*input.service_principal);
    if !DELEGATIONS.contains(tx, &key)? {
        return Err(Error::AccountNotRegisteredException);
    }
    DELEGATIONS.delete(tx, &key)?;
    Ok(DeregisterDelegatedAdministratorOutput {})
}

/// Lists the accounts that administer something, or one service.
pub(crate) fn list(
    tx: &ReadTx<'_>,
    input: ListDelegatedAdministratorsInput,
) -> Result<ListDelegatedAdministratorsOutput, Error> {
    let found = store::visible(tx)?;
    let keys =
        store::keys(tx, &DELEGATIONS, &*found.id, |(_, account, service)| (account, service))?;
    let wanted = input.service_principal.as_deref();
    let numbers: BTreeSet<String> = keys
        .into_iter()
        .filter(|(_, service)| wanted.is_none_or(|wanted| wanted == service))
        .map(|(account, _)| account)
        .collect();
    let numbers = numbers.into_iter().collect();
    let (numbers, next_token) =
        rules::page(numbers, input.next_token.as_deref(), input.max_results)?;
    let shown = numbers.into_iter().map(|number| administrator(tx, &found, number));
    Ok(ListDelegatedAdministratorsOutput {
        delegated_administrators: Some(shown.collect::<Result<_, _>>()?),
        next_token,
    })
}

fn administrator(
    tx: &ReadTx<'_>,
    found: &Found,
    number: String,
) -> Result<DelegatedAdministrator, Error> {
    let account = found.account(tx, &number)?;
    let state = if account.closed { "SUSPENDED" } else { "ACTIVE" };
    let since = services(tx, found, &number)?.into_iter().map(|(_, since)| since).min();
    Ok(DelegatedAdministrator {
        arn: Some(accounts::arn(found, &number)),
        id: Some(number),
        email: Some(account.email),
        name: Some(account.name),
        status: Some(state.to_owned()),
        state: Some(state.to_owned()),
        joined_method: Some(if account.invited { "INVITED" } else { "CREATED" }.to_owned()),
        joined_timestamp: Some(Timestamp::from_secs(account.joined_secs)),
        delegation_enabled_date: since.map(Timestamp::from_secs),
    })
}

/// The services that an account administers, and since when.
fn services(tx: &ReadTx<'_>, found: &Found, number: &str) -> Result<Vec<(String, i64)>, Error> {
    let mut services = Vec::new();
    for service in store::keys(tx, &DELEGATIONS, &(&*found.id, number), |(_, _, service)| service)?
    {
        let since = DELEGATIONS.get(tx, &(&*found.id, number, &*service))?.unwrap_or_default();
        services.push((service, i64::try_from(since).unwrap_or_default()));
    }
    Ok(services)
}

/// Lists what an account administers.
pub(crate) fn list_services(
    tx: &ReadTx<'_>,
    input: ListDelegatedServicesForAccountInput,
) -> Result<ListDelegatedServicesForAccountOutput, Error> {
    let found = store::visible(tx)?;
    found.account(tx, &input.account_id)?;
    let services = services(tx, &found, &input.account_id)?;
    if services.is_empty() {
        return Err(Error::AccountNotRegisteredException);
    }
    let names = services.iter().map(|(name, _)| name.clone()).collect();
    let (names, next_token) = rules::page(names, input.next_token.as_deref(), input.max_results)?;
    let shown = services.into_iter().filter(|(name, _)| names.contains(name));
    let shown = shown.map(|(name, since)| DelegatedService {
        service_principal: Some(name),
        delegation_enabled_date: Some(Timestamp::from_secs(since)),
    });
    Ok(ListDelegatedServicesForAccountOutput {
        delegated_services: Some(shown.collect()),
        next_token,
    })
}
