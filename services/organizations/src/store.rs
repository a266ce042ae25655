//! Rows: finding, changing, removing. What they are stands in `fogbank_identity`, which decides by them.

use std::ops::ControlFlow;

use fogbank_core::store::{KeyPrefix, Table, Value};
use fogbank_core::{Tx, WriteTx};
use fogbank_identity::organizations::{
    self as rows, ACCOUNTS, ATTACHED, Account, CHILDREN, ORGANIZATIONS, Organization, POLICIES,
    Policy, RESOURCE_CONTROL, SERVICE_CONTROL, TARGETS, UNITS, Unit,
};
use fogbank_identity::rows::changed;

use crate::error::Error;
use crate::resource_policies;

/// An organization and its id.
pub(crate) struct Found {
    pub(crate) id: String,
    pub(crate) row: Organization,
}

/// The organization that the caller's account is in.
pub(crate) fn organization(tx: &impl Tx) -> Result<Found, Error> {
    let account =
        ACCOUNTS.get(tx, tx.account())?.ok_or(Error::AWSOrganizationsNotInUseException)?;
    let row = ORGANIZATIONS.get(tx, &account.organization)?;
    let row = row.ok_or(Error::AWSOrganizationsNotInUseException)?;
    Ok(Found { id: account.organization, row })
}

/// The organization that the caller's account manages, or whose policy lets it do this.
pub(crate) fn managed(tx: &impl Tx) -> Result<Found, Error> {
    managed_of(tx, None)
}

/// The same, where the call is about a type of policies.
pub(crate) fn managed_of(tx: &impl Tx, kind: Option<&str>) -> Result<Found, Error> {
    let found = organization(tx)?;
    let may = found.row.management == tx.account() || resource_policies::allows(tx, &found, kind)?;
    if may { Ok(found) } else { Err(Error::AccessDeniedException) }
}

/// The organization that the caller's account may look at: it manages it, it administers something in it, or the
/// organization's policy lets it.
pub(crate) fn visible(tx: &impl Tx) -> Result<Found, Error> {
    visible_of(tx, None)
}

/// The same, where the call is about a type of policies.
pub(crate) fn visible_of(tx: &impl Tx, kind: Option<&str>) -> Result<Found, Error> {
    let found = organization(tx)?;
    let is_delegate = || {
        Ok::<_, Error>(
            !keys(tx, &rows::DELEGATIONS, &(&*found.id, tx.account()), |key| key)?.is_empty(),
        )
    };
    let may = found.row.management == tx.account()
        || is_delegate()?
        || resource_policies::allows(tx, &found, kind)?;
    if may { Ok(found) } else { Err(Error::AccessDeniedException) }
}

/// What `of` makes of all keys of a table that begin with `prefix`.
pub(crate) fn keys<K: fogbank_core::store::Key, V: Value, T>(
    tx: &impl Tx,
    table: &Table<K, V>,
    prefix: &(impl KeyPrefix<K> + ?Sized),
    of: impl Fn(K) -> T,
) -> Result<Vec<T>, Error> {
    let mut found = Vec::new();
    table.range(prefix).visit_keys(tx, |key| {
        found.push(of(key));
        ControlFlow::Continue(())
    })?;
    Ok(found)
}

impl Found {
    /// What a root or unit holds directly: ids of units and numbers of accounts.
    pub(crate) fn children(&self, tx: &impl Tx, parent: &str) -> Result<Vec<String>, Error> {
        keys(tx, &CHILDREN, &(&*self.id, parent), |(_, _, child)| child)
    }

    /// The units of the organization with their ids, the root among them.
    pub(crate) fn units(&self, tx: &impl Tx) -> Result<Vec<String>, Error> {
        keys(tx, &UNITS, &*self.id, |(_, id)| id)
    }

    /// The numbers of all accounts.
    pub(crate) fn accounts(&self, tx: &impl Tx) -> Result<Vec<String>, Error> {
        let mut accounts = Vec::new();
        for unit in self.units(tx)? {
            accounts.extend(self.children(tx, &unit)?.into_iter().filter(|id| is_account(id)));
        }
        accounts.sort_unstable();
        Ok(accounts)
    }

    /// A root or unit.
    pub(crate) fn unit(&self, tx: &impl Tx, id: &str) -> Result<Option<Unit>, Error> {
        Ok(UNITS.get(tx, &(&*self.id, id))?)
    }

    /// An account of this organization.
    pub(crate) fn account(&self, tx: &impl Tx, number: &str) -> Result<Account, Error> {
        let account = ACCOUNTS.get(tx, number)?;
        let account = account.filter(|account| account.organization == self.id);
        account.ok_or(Error::AccountNotFoundException)
    }

    /// A customer's policy.
    pub(crate) fn policy(&self, tx: &impl Tx, id: &str) -> Result<Policy, Error> {
        POLICIES.get(tx, &(&*self.id, id))?.ok_or(Error::PolicyNotFoundException)
    }

    /// The type of a policy, AWS's or a customer's.
    pub(crate) fn policy_kind(&self, tx: &impl Tx, id: &str) -> Result<String, Error> {
        match rows::managed(id) {
            Some(managed) => Ok(managed.kind.to_owned()),
            None => Ok(self.policy(tx, id)?.kind),
        }
    }

    /// The ids of the policies of a type that are attached to a target.
    pub(crate) fn attached(
        &self,
        tx: &impl Tx,
        target: &str,
        kind: &str,
    ) -> Result<Vec<String>, Error> {
        let mut found = Vec::new();
        for id in rows::attached(tx, &self.id, target)? {
            if self.policy_kind(tx, &id)? == kind {
                found.push(id);
            }
        }
        Ok(found)
    }

    /// Refuses what is neither root, unit nor account of this organization.
    pub(crate) fn require_target(&self, tx: &impl Tx, id: &str) -> Result<(), Error> {
        let exists = match is_account(id) {
            true => self.account(tx, id).is_ok(),
            false => self.unit(tx, id)?.is_some(),
        };
        if exists { Ok(()) } else { Err(Error::TargetNotFoundException) }
    }

    /// Writes the organization's own row.
    pub(crate) fn put(&self, tx: &mut WriteTx<'_>) -> Result<(), Error> {
        ORGANIZATIONS.put(tx, &self.id, &self.row)?;
        Ok(changed(tx)?)
    }

    /// Attaches a policy.
    pub(crate) fn attach(
        &self,
        tx: &mut WriteTx<'_>,
        policy: &str,
        target: &str,
    ) -> Result<(), Error> {
        ATTACHED.put(tx, &(&*self.id, target, policy), &())?;
        TARGETS.put(tx, &(&*self.id, policy, target), &())?;
        Ok(changed(tx)?)
    }

    /// Detaches a policy.
    pub(crate) fn detach(
        &self,
        tx: &mut WriteTx<'_>,
        policy: &str,
        target: &str,
    ) -> Result<(), Error> {
        ATTACHED.delete(tx, &(&*self.id, target, policy))?;
        TARGETS.delete(tx, &(&*self.id, policy, target))?;
        Ok(changed(tx)?)
    }

    /// Attaches AWS's own policies of the enabled types to something new.
    pub(crate) fn attach_defaults(&self, tx: &mut WriteTx<'_>, target: &str) -> Result<(), Error> {
        for managed in &rows::MANAGED {
            if self.row.policy_types.iter().any(|kind| kind == managed.kind) {
                self.attach(tx, managed.id, target)?;
            }
        }
        Ok(())
    }

    /// Detaches all policies of something that goes.
    pub(crate) fn detach_all(&self, tx: &mut WriteTx<'_>, target: &str) -> Result<(), Error> {
        for policy in rows::attached(tx, &self.id, target)? {
            self.detach(tx, &policy, target)?;
        }
        Ok(())
    }

    /// Puts an account into the root, and gives it AWS's own policies.
    pub(crate) fn add_account(
        &self,
        tx: &mut WriteTx<'_>,
        number: &str,
        account: &Account,
    ) -> Result<(), Error> {
        ACCOUNTS.put(tx, number, account)?;
        CHILDREN.put(tx, &(&*self.id, &*account.parent, number), &())?;
        self.attach_defaults(tx, number)?;
        Ok(changed(tx)?)
    }

    /// Takes an account out of the organization.
    pub(crate) fn remove_account(
        &self,
        tx: &mut WriteTx<'_>,
        number: &str,
        account: &Account,
    ) -> Result<(), Error> {
        self.detach_all(tx, number)?;
        for service in keys(tx, &rows::DELEGATIONS, &(&*self.id, number), |key| key.2)? {
            rows::DELEGATIONS.delete(tx, &(&*self.id, number, &*service))?;
        }
        CHILDREN.delete(tx, &(&*self.id, &*account.parent, number))?;
        ACCOUNTS.delete(tx, number)?;
        Ok(changed(tx)?)
    }
}

/// Whether an id is an account's number.
pub(crate) fn is_account(id: &str) -> bool {
    id.len() == 12 && id.bytes().all(|digit| digit.is_ascii_digit())
}

/// Whether policies of this type decide calls.
pub(crate) fn is_control(kind: &str) -> bool {
    matches!(kind, SERVICE_CONTROL | RESOURCE_CONTROL)
}
