//! Removing all users, groups, roles and policies of an account, or of every account.

use std::collections::BTreeSet;
use std::ops::ControlFlow;

use fogbank_core::reset::{each, forget_effects, is_meant};
use fogbank_core::store::{self as kv, Table, Value};
use fogbank_core::{BoxFuture, Cx, Fault, Tx, WriteTx};
use fogbank_identity::Identities;
use fogbank_identity::rows::{
    self, ACCESS_KEYS, ACCESS_REPORTS, ACCOUNT_ALIASES, ALIASES, CREDENTIAL_REPORTS, DENIALS,
    ENTITIES, GROUPS, INSTANCE_PROFILES, ISSUERS, LAST_USES, LOGIN_PROFILES, MEMBERS, MFA_DEVICES,
    OBSERVED, OIDC_PROVIDERS, ORGANIZATION_REPORTS, OUTBOUND_FEDERATIONS, PASSWORD_POLICIES,
    POLICIES, ROLE_DELETIONS, ROLE_PROFILES, ROLES, SAML_PROVIDERS, SERVER_CERTIFICATES,
    SERVICE_CREDENTIALS, SIGNING_CERTIFICATES, SSH_PUBLIC_KEYS, USER_DEVICES, USERS, User, fold,
};

use crate::error::Error;
use crate::store;

/// Removes all that IAM keeps of an account, but for the access keys of its root: with them it is administered.
pub(crate) fn reset(cx: Cx, account: Option<String>) -> BoxFuture<'static, Result<(), Fault>> {
    Box::pin(async move {
        forget_effects(&cx, "iam", account.as_deref()).await?;
        let accounts = match &account {
            Some(account) => BTreeSet::from([account.clone()]),
            None => cx.read(|tx| {
                let mut accounts = BTreeSet::new();
                add_accounts(tx, &USERS, &mut accounts)?;
                add_accounts(tx, &GROUPS, &mut accounts)?;
                add_accounts(tx, &ROLES, &mut accounts)?;
                add_accounts(tx, &POLICIES, &mut accounts)?;
                add_accounts(tx, &MFA_DEVICES, &mut accounts)?;
                add_accounts(tx, &INSTANCE_PROFILES, &mut accounts)?;
                add_accounts(tx, &OIDC_PROVIDERS, &mut accounts)?;
                add_accounts(tx, &SAML_PROVIDERS, &mut accounts)?;
                add_accounts(tx, &SERVER_CERTIFICATES, &mut accounts)?;
                add_accounts(tx, &ROLE_DELETIONS, &mut accounts)?;
                add_accounts(tx, &ACCESS_REPORTS, &mut accounts)?;
                add_accounts(tx, &ORGANIZATION_REPORTS, &mut accounts)?;
                accounts.extend(OUTBOUND_FEDERATIONS.range(&()).keys(tx)?);
                rows::DELEGATION_REQUESTS.range(&()).visit(tx, |_, row| {
                    accounts.insert(row.requestor);
                    ControlFlow::Continue(())
                })?;
                accounts.extend(PASSWORD_POLICIES.range(&()).keys(tx)?);
                accounts.extend(ACCOUNT_ALIASES.range(&()).keys(tx)?);
                accounts.extend(CREDENTIAL_REPORTS.range(&()).keys(tx)?);
                Ok::<_, Fault>(accounts)
            })?,
        };
        for account in &accounts {
            let region = cx.region().to_owned();
            reset_account(&cx.located(account, &region)).await?;
        }
        forget_decisions(&cx, account.as_deref()).await?;
        forget_last_uses(&cx)
    })
}

/// Forgets what was refused to callers of the account, and what they were seen to do.
async fn forget_decisions(cx: &Cx, account: Option<&str>) -> Result<(), Fault> {
    let identities = Identities::of(cx);
    identities.kept.forget(account);
    identities.observed.forget(account);
    each(
        cx,
        &DENIALS,
        |_, row| is_meant(account, &row.account),
        |tx, key, _| DENIALS.delete(tx, key),
    )
    .await?;
    each(cx, &OBSERVED, |key, _| is_meant(account, &key.0), |tx, key, _| OBSERVED.delete(tx, key))
        .await
}

fn add_accounts<V: Value>(
    tx: &impl Tx,
    table: &Table<(String, String), V>,
    accounts: &mut BTreeSet<String>,
) -> Result<(), kv::Error> {
    table.range(&()).visit_keys(tx, |(account, _)| {
        accounts.insert(account);
        ControlFlow::Continue(())
    })
}

/// Removes what the context's account has.
async fn reset_account(cx: &Cx) -> Result<(), Fault> {
    let account = cx.account();
    each(cx, &USERS, |key, _| key.0 == account, |tx, _, user| remove_user(tx, user)).await?;
    each(cx, &GROUPS, |key, _| key.0 == account, |tx, _, group| store::delete(tx, group)).await?;
    remove_all(cx, &MFA_DEVICES).await?;
    remove_all(cx, &INSTANCE_PROFILES).await?;
    remove_all(cx, &OIDC_PROVIDERS).await?;
    remove_all(cx, &SAML_PROVIDERS).await?;
    remove_all(cx, &SERVER_CERTIFICATES).await?;
    remove_all(cx, &ROLE_DELETIONS).await?;
    remove_all(cx, &ACCESS_REPORTS).await?;
    remove_delegations(cx).await?;
    remove_all(cx, &ORGANIZATION_REPORTS).await?;
    cx.write(remove_settings).await?;
    let remove_role = |tx: &mut WriteTx<'_>, _: &(String, String), role: &rows::Role| {
        LAST_USES.delete(tx, &role.id)?;
        ROLE_PROFILES.delete_all(tx, &(tx.account().to_owned(), fold(&role.name)))?;
        store::delete(tx, role)
    };
    each(cx, &ROLES, |key, _| key.0 == account, remove_role).await?;
    let remove_policy = |tx: &mut WriteTx<'_>, key: &(String, String), _: &rows::ManagedPolicy| {
        POLICIES.delete(tx, key)?;
        rows::changed(tx)
    };
    each(cx, &POLICIES, |key, _| key.0 == account, remove_policy).await
}

/// Removes the delegation requests that the context's account has made or taken on.
async fn remove_delegations(cx: &Cx) -> Result<(), Fault> {
    let account = cx.account();
    let is_ours = |_: &String, row: &rows::DelegationRequest| {
        row.requestor == account || row.owner_account.as_deref() == Some(account)
    };
    let remove = |tx: &mut WriteTx<'_>, id: &String, row: &rows::DelegationRequest| {
        rows::DELEGATION_WORKFLOWS.delete(tx, &(&*row.requestor, &*row.workflow))?;
        if let Some(owner) = &row.owner_account {
            rows::OWNED_DELEGATIONS.delete(tx, &(&**owner, &**id))?;
        }
        Ok::<_, Fault>(rows::DELEGATION_REQUESTS.delete(tx, id)?)
    };
    each(cx, &rows::DELEGATION_REQUESTS, is_ours, remove).await
}

/// Removes all rows of a table that the context's account has.
async fn remove_all<V: Value + 'static>(
    cx: &Cx,
    table: &'static Table<(String, String), V>,
) -> Result<(), Fault> {
    let account = cx.account();
    let remove = |tx: &mut WriteTx<'_>, key: &(String, String), _: &V| {
        Ok::<_, Fault>(table.delete(tx, key)?)
    };
    each(cx, table, |key, _| key.0 == account, remove).await
}

/// Removes what an account has once.
fn remove_settings(tx: &mut WriteTx<'_>) -> Result<(), Fault> {
    let account = tx.account().to_owned();
    if let Some(alias) = ACCOUNT_ALIASES.get(tx, &account)? {
        ALIASES.delete(tx, &alias)?;
    }
    ACCOUNT_ALIASES.delete(tx, &account)?;
    PASSWORD_POLICIES.delete(tx, &account)?;
    if let Some(federation) = OUTBOUND_FEDERATIONS.get(tx, &account)? {
        ISSUERS.delete(tx, &federation.issuer_id)?;
        OUTBOUND_FEDERATIONS.delete(tx, &account)?;
    }
    Ok(CREDENTIAL_REPORTS.delete(tx, &account)?)
}

/// Removes a user with its credentials and its places in groups.
fn remove_user(tx: &mut WriteTx<'_>, user: &User) -> Result<(), Error> {
    for id in &user.access_keys {
        ACCESS_KEYS.delete(tx, id)?;
        LAST_USES.delete(tx, id)?;
    }
    LOGIN_PROFILES.delete(tx, &user.id)?;
    USER_DEVICES.delete_all(tx, &(&*user.id,))?;
    SIGNING_CERTIFICATES.delete_all(tx, &(&*user.id,))?;
    SSH_PUBLIC_KEYS.delete_all(tx, &(&*user.id,))?;
    SERVICE_CREDENTIALS.delete_all(tx, &(&*user.id,))?;
    let (account, folded) = (tx.account().to_owned(), fold(&user.name));
    for group in &user.groups {
        MEMBERS.delete(tx, &(&account, group, &folded))?;
    }
    store::delete(tx, user)
}

/// Forgets the last uses of what is gone, before they are written.
fn forget_last_uses(cx: &Cx) -> Result<(), Fault> {
    let uses = &Identities::of(cx).last_uses;
    let mut gone = uses.pending();
    cx.read(|tx| {
        let mut exists = BTreeSet::new();
        for (id, _) in &gone {
            if ENTITIES.contains(tx, id)? || ACCESS_KEYS.contains(tx, id)? {
                exists.insert(id.clone());
            }
        }
        gone.retain(|(id, _)| !exists.contains(id));
        Ok::<_, Fault>(())
    })?;
    uses.written(gone);
    let mut gone = uses.pending_services();
    cx.read(|tx| {
        let mut exists = BTreeSet::new();
        for (id, _) in &gone {
            if ENTITIES.contains(tx, id)? {
                exists.insert(id.clone());
            }
        }
        gone.retain(|(id, _)| !exists.contains(id));
        Ok::<_, Fault>(())
    })?;
    uses.written_services(gone);
    Ok(())
}
