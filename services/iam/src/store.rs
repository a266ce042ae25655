//! The rows of IAM, which lie in `fogbank_identity::rows`: found or refused, and written with their indexes.

use std::collections::HashMap;
use std::ops::ControlFlow;

use fogbank_core::store::{Row, Table};
use fogbank_core::{Timestamp, Tx, WriteTx};
use fogbank_identity::managed;
use fogbank_identity::rows::{
    self, ENTITIES, Entity, GROUPS, Grants, Group, Kind, MEMBERS, ManagedPolicy, POLICIES, ROLES,
    Role, SERVICE_USES, USERS, USES, User, fold,
};

use crate::error::Error;
use crate::model::StatusType;
use crate::rules::{self, Page};

/// How a user, group or role uses a managed policy, as the index has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Use {
    /// It is attached.
    Policy,
    /// It is the permissions boundary.
    Boundary,
}

/// How often a managed policy is used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Uses {
    /// By how many it is attached.
    pub(crate) attached: i32,
    /// Of how many it is the boundary.
    pub(crate) boundaries: i32,
}

impl Use {
    fn code(self, kind: Kind) -> u8 {
        let kind = match kind {
            Kind::User => 0,
            Kind::Group => 1,
            Kind::Role => 2,
        };
        match self {
            Use::Policy => kind,
            Use::Boundary => 16 + kind,
        }
    }
}

/// A user, group or role: what has a name, a path, an id and policies.
pub(crate) trait Holder: Row + 'static {
    /// What it is.
    const KIND: Kind;
    /// How messages call it.
    const NOUN: &'static str;
    /// The most characters of its inline policies together.
    const POLICY_SIZE: usize;
    /// Its table.
    fn table() -> &'static Table<(String, String), Self>;
    /// Its name.
    fn name(&self) -> &str;
    /// Its path.
    fn path(&self) -> &str;
    /// Its unique id.
    fn id(&self) -> &str;
    /// Its policies.
    fn grants(&self) -> &Grants;
    /// Its policies, to be changed.
    fn grants_mut(&mut self) -> &mut Grants;
}

macro_rules! holder {
    ($type:ident, $table:ident, $noun:literal, $policy_size:literal) => {
        impl Holder for $type {
            const KIND: Kind = Kind::$type;
            const NOUN: &'static str = $noun;
            const POLICY_SIZE: usize = $policy_size;
            fn table() -> &'static Table<(String, String), Self> {
                &$table
            }
            fn name(&self) -> &str {
                &self.name
            }
            fn path(&self) -> &str {
                &self.path
            }
            fn id(&self) -> &str {
                &self.id
            }
            fn grants(&self) -> &Grants {
                &self.grants
            }
            fn grants_mut(&mut self) -> &mut Grants {
                &mut self.grants
            }
        }
    };
}

holder!(User, USERS, "user", 2048);
holder!(Group, GROUPS, "group", 5120);
holder!(Role, ROLES, "role", 10_240);

/// The user, group or role of this name, in whatever case, in the call's account.
pub(crate) fn find<H: Holder>(tx: &impl Tx, name: &str) -> Result<H, Error> {
    let found = H::table().get(tx, &(tx.account(), fold(name)))?;
    found.ok_or_else(|| Error::no_such(H::NOUN, name))
}

/// The same, to be changed: not the role of a service.
pub(crate) fn changeable<H: Holder>(tx: &impl Tx, name: &str) -> Result<H, Error> {
    let found: H = find(tx, name)?;
    if H::KIND == Kind::Role && rules::linked::service_of(found.path()).is_some() {
        return Err(Error::UnmodifiableEntityException(format!(
            "Cannot perform the operation on the protected role '{name}' - this role is only modifiable by AWS"
        )));
    }
    Ok(found)
}

/// Writes a user, group or role that did not exist.
pub(crate) fn create<H: Holder>(tx: &mut WriteTx<'_>, holder: &H) -> Result<(), Error> {
    let folded = fold(holder.name());
    let account = tx.account().to_owned();
    if H::table().contains(tx, &(&*account, &*folded))? {
        let noun = H::NOUN;
        let noun = noun[..1].to_uppercase() + &noun[1..];
        let name = holder.name();
        return Err(Error::EntityAlreadyExistsException(format!(
            "{noun} with name {name} already exists."
        )));
    }
    ENTITIES.put(tx, holder.id(), &Entity { account, kind: H::KIND, folded })?;
    index(tx, holder)?;
    save(tx, holder)
}

/// Writes a user, group or role that exists; its name and managed policies are the same as before.
pub(crate) fn save<H: Holder>(tx: &mut WriteTx<'_>, holder: &H) -> Result<(), Error> {
    let key = (tx.account().to_owned(), fold(holder.name()));
    H::table().put(tx, &key, holder)?;
    Ok(rows::changed(tx)?)
}

/// Removes a user, group or role with its indexes.
pub(crate) fn delete<H: Holder>(tx: &mut WriteTx<'_>, holder: &H) -> Result<(), Error> {
    unindex(tx, holder)?;
    ENTITIES.delete(tx, holder.id())?;
    SERVICE_USES.delete_all(tx, &(holder.id(),))?;
    let key = (tx.account().to_owned(), fold(holder.name()));
    H::table().delete(tx, &key)?;
    Ok(rows::changed(tx)?)
}

/// Every managed policy that a user, group or role uses.
fn uses(grants: &Grants) -> impl Iterator<Item = (Use, &String)> {
    let attached = grants.attached.iter().map(|arn| (Use::Policy, arn));
    attached.chain(grants.boundary.iter().map(|arn| (Use::Boundary, arn)))
}

fn index<H: Holder>(tx: &mut WriteTx<'_>, holder: &H) -> Result<(), Error> {
    uses(holder.grants()).try_for_each(|(how, arn)| add_use(tx, holder, how, arn))
}

fn unindex<H: Holder>(tx: &mut WriteTx<'_>, holder: &H) -> Result<(), Error> {
    uses(holder.grants()).try_for_each(|(how, arn)| remove_use(tx, holder, how, arn))
}

/// Notes that a managed policy is used.
pub(crate) fn add_use<H: Holder>(
    tx: &mut WriteTx<'_>,
    holder: &H,
    how: Use,
    arn: &str,
) -> Result<(), Error> {
    let key = (tx.account().to_owned(), arn, how.code(H::KIND), fold(holder.name()));
    Ok(USES.put(tx, &key, &holder.name().to_owned())?)
}

/// Notes that a managed policy is no longer used.
pub(crate) fn remove_use<H: Holder>(
    tx: &mut WriteTx<'_>,
    holder: &H,
    how: Use,
    arn: &str,
) -> Result<(), Error> {
    let key = (tx.account().to_owned(), arn, how.code(H::KIND), fold(holder.name()));
    Ok(USES.delete(tx, &key)?)
}

/// The names of those that use a managed policy.
pub(crate) fn users_of_policy(
    tx: &impl Tx,
    arn: &str,
    how: Use,
    kind: Kind,
) -> Result<Vec<String>, Error> {
    let rows = USES.list(tx, &(tx.account(), arn, how.code(kind)))?;
    Ok(rows.into_iter().map(|(_, name)| name).collect())
}

/// How many use a managed policy.
pub(crate) fn count_uses(tx: &impl Tx, arn: &str, how: Use) -> Result<i32, Error> {
    let mut count = 0;
    for kind in [Kind::User, Kind::Group, Kind::Role] {
        count += USES.range(&(tx.account(), arn, how.code(kind))).count(tx)?;
    }
    Ok(i32::try_from(count).unwrap_or(i32::MAX))
}

/// How often each managed policy is attached and a boundary, for lists of many.
pub(crate) fn all_uses(tx: &impl Tx) -> Result<HashMap<String, Uses>, Error> {
    let mut uses: HashMap<String, Uses> = HashMap::new();
    for (_, arn, code, _) in USES.range(&(tx.account(),)).keys(tx)? {
        let uses = uses.entry(arn).or_default();
        match code < Use::Boundary.code(Kind::User) {
            true => uses.attached += 1,
            false => uses.boundaries += 1,
        }
    }
    Ok(uses)
}

/// How often a managed policy is attached and a boundary.
pub(crate) fn uses_of(tx: &impl Tx, arn: &str) -> Result<Uses, Error> {
    let attached = count_uses(tx, arn, Use::Policy)?;
    Ok(Uses { attached, boundaries: count_uses(tx, arn, Use::Boundary)? })
}

/// Gives a user another name or path.
pub(crate) fn rename(tx: &mut WriteTx<'_>, old: &User, new: &User) -> Result<(), Error> {
    let account = tx.account().to_owned();
    let (from, to) = (fold(&old.name), fold(&new.name));
    if from != to && USERS.contains(tx, &(&*account, &*to))? {
        let name = &new.name;
        let message = format!("User with name {name} already exists.");
        return Err(Error::EntityAlreadyExistsException(message));
    }
    for group in &old.groups {
        MEMBERS.delete(tx, &(&*account, &**group, &*from))?;
        MEMBERS.put(tx, &(&*account, &**group, &*to), &())?;
    }
    unindex(tx, old)?;
    index(tx, new)?;
    USERS.delete(tx, &(&*account, &*from))?;
    ENTITIES.put(tx, &new.id, &Entity { account, kind: Kind::User, folded: to })?;
    save(tx, new)
}

/// Gives a group another name or path; its members keep it.
pub(crate) fn rename_group(tx: &mut WriteTx<'_>, old: &Group, new: &Group) -> Result<(), Error> {
    let account = tx.account().to_owned();
    let (from, to) = (fold(&old.name), fold(&new.name));
    if from != to {
        if GROUPS.contains(tx, &(&*account, &*to))? {
            let message = format!("Group with name {} already exists.", new.name);
            return Err(Error::EntityAlreadyExistsException(message));
        }
        for user in members(tx, &old.name)? {
            MEMBERS.delete(tx, &(&*account, &*from, &*user))?;
            MEMBERS.put(tx, &(&*account, &*to, &*user), &())?;
            if let Some(mut row) = USERS.get(tx, &(&*account, &*user))? {
                let places = row.groups.iter_mut().filter(|group| **group == from);
                places.for_each(|group| group.clone_from(&to));
                USERS.put(tx, &(&*account, &*user), &row)?;
            }
        }
    }
    unindex(tx, old)?;
    index(tx, new)?;
    GROUPS.delete(tx, &(&*account, &*from))?;
    ENTITIES.put(tx, &new.id, &Entity { account, kind: Kind::Group, folded: to })?;
    save(tx, new)
}

/// A page of the users, groups or roles under a path.
pub(crate) fn page<H: Holder>(
    tx: &impl Tx,
    path_prefix: Option<&str>,
    marker: Option<&str>,
    max_items: Option<i32>,
) -> Result<Page<H>, Error> {
    let prefix = path_prefix.unwrap_or("/");
    let size = rules::page_size(max_items);
    let mut range = H::table().range(&(tx.account(),));
    if let Some(marker) = marker {
        range = range.after(&(tx.account(), rules::after(marker)?));
    }
    let mut items: Vec<H> = Vec::new();
    let mut has_more = false;
    range.visit(tx, |_, holder: H| {
        if !holder.path().starts_with(prefix) {
            return ControlFlow::Continue(());
        }
        has_more = items.len() == size;
        if has_more {
            return ControlFlow::Break(());
        }
        items.push(holder);
        ControlFlow::Continue(())
    })?;
    let last = items.last().filter(|_| has_more);
    let marker = last.map(|last| fogbank_core::page::text_token(&fold(last.name())));
    Ok(Page { items, marker })
}

/// The names of the users in a group, folded.
pub(crate) fn members(tx: &impl Tx, group: &str) -> Result<Vec<String>, Error> {
    let keys = MEMBERS.range(&(tx.account(), fold(group))).keys(tx)?;
    Ok(keys.into_iter().map(|(_, _, user)| user).collect())
}

/// A customer's managed policy by its ARN.
pub(crate) fn policy(tx: &impl Tx, arn: &str) -> Result<ManagedPolicy, Error> {
    let is_ours = arn.split(':').nth(4) == Some(tx.account());
    let found = if is_ours { rows::policy_by_arn(tx, arn)? } else { None };
    found.ok_or_else(|| Error::no_policy(arn))
}

/// Writes a customer's managed policy.
pub(crate) fn save_policy(tx: &mut WriteTx<'_>, policy: &ManagedPolicy) -> Result<(), Error> {
    let key = (tx.account().to_owned(), fold(&policy.name));
    POLICIES.put(tx, &key, policy)?;
    Ok(rows::changed(tx)?)
}

/// Whether a managed policy exists, AWS's or the account's.
pub(crate) fn policy_exists(tx: &impl Tx, arn: &str) -> Result<bool, Error> {
    if managed::find(arn).is_some() {
        return Ok(true);
    }
    match policy(tx, arn) {
        Ok(_) => Ok(true),
        Err(Error::NoSuchEntityException(_)) => Ok(false),
        Err(error) => Err(error),
    }
}

/// How many rows an account has in a table.
pub(crate) fn count<H: Row>(
    tx: &impl Tx,
    table: &Table<(String, String), H>,
) -> Result<i32, Error> {
    let count = table.range(&(tx.account(),)).count(tx)?;
    Ok(i32::try_from(count).unwrap_or(i32::MAX))
}

/// Whether something may be used, as answers carry it.
pub(crate) fn status(active: bool) -> StatusType {
    if active { StatusType::Active } else { StatusType::Inactive }
}

/// A time as answers carry it.
pub(crate) fn time(secs: i64) -> Option<Timestamp> {
    Some(Timestamp::from_secs(secs))
}
