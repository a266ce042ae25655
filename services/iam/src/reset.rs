//! Removing all users, groups, roles and policies of an account, or of every account.

use std::collections::BTreeSet;
use std::ops::ControlFlow;

use fogbank_core::reset::{each, forget_effects, is_meant};
use fogbank_core::store::{self as kv, Table, Value};
use fogbank_core::{BoxFuture, Cx, Fault, Tx, WriteTx};
use fogbank_identity::Identities;
use fogbank_identity::rows::{
    self, ACCESS_KEYS, DENIALS, ENTITIES, GROUPS, LAST_USES, MEMBERS, OBSERVED, POLICIES, ROLES,
    USERS, User, fold,
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
    let remove_role = |tx: &mut WriteTx<'_>, _: &(String, String), role: &rows::Role| {
        LAST_USES.delete(tx, &role.id)?;
        store::delete(tx, role)
    };
    each(cx, &ROLES, |key, _| key.0 == account, remove_role).await?;
    let remove_policy = |tx: &mut WriteTx<'_>, key: &(String, String), _: &rows::ManagedPolicy| {
        POLICIES.delete(tx, key)?;
        rows::changed(tx)
    };
    each(cx, &POLICIES, |key, _| key.0 == account, remove_policy).await
}

/// Removes a user with its access keys and its places in groups.
fn remove_user(tx: &mut WriteTx<'_>, user: &User) -> Result<(), Error> {
    for id in &user.access_keys {
        ACCESS_KEYS.delete(tx, id)?;
        LAST_USES.delete(tx, id)?;
    }
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
    Ok(())
}
