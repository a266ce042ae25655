//! A write of one item: what single writes and those of a transaction have in common.

use std::borrow::Cow;
use std::sync::Arc;

use fogbank_core::WriteTx;

use crate::capacity::Consumed;
use crate::changes::{self, Change};
use crate::conditions;
use crate::definition::Definition;
use crate::error::{Error, Result};
use crate::expressions::{Condition, Update};
use crate::keys::Key;
use crate::store;
use crate::value::{Item, check_item_nesting, check_update_size};

/// A write whose request has been parsed.
pub(crate) struct Write {
    /// The table as the request names it.
    pub(crate) table: String,
    /// What is done.
    pub(crate) what: What,
    /// What must hold before.
    pub(crate) condition: Option<Condition>,
    /// Whether a failure of the condition shows the item.
    pub(crate) shows_item_on_failure: bool,
}

/// What a write does.
pub(crate) enum What {
    /// Puts an item in place of what was there.
    Put(Item),
    /// Changes the item under a key, or makes one.
    Update(Item, Update),
    /// Deletes the item under a key.
    Delete(Item),
    /// Only looks whether the condition holds.
    Check(Item),
}

/// Whether a write may happen.
pub(crate) enum Outcome<'a> {
    /// It may.
    May(Prepared<'a>),
    /// Its condition does not hold for the item, or for there being none.
    ConditionFailed(Option<Item>),
}

/// A write that may happen.
pub(crate) struct Prepared<'a> {
    /// The table.
    pub(crate) table: Arc<Definition>,
    /// The item's key.
    pub(crate) key: Key,
    /// The item before, unless nobody needs it.
    pub(crate) old: Option<Item>,
    /// The item after; none: there is none.
    pub(crate) new: Option<Cow<'a, Item>>,
    is_check: bool,
}

impl Write {
    /// Finds out what the write changes. `needs_old`: whether the item before is asked for.
    pub(crate) fn prepare(&self, tx: &WriteTx<'_>, needs_old: bool) -> Result<Prepared<'_>> {
        let table = store::table(tx, &self.table)?;
        let key = self.key(&table)?;
        match self.prepare_at(tx, table, key, needs_old)? {
            Outcome::May(prepared) => Ok(prepared),
            Outcome::ConditionFailed(item) => {
                let shown = item.as_ref().filter(|_| self.shows_item_on_failure);
                Err(Error::condition_failed(shown))
            }
        }
    }

    /// The same, where table and key have been found.
    pub(crate) fn prepare_at(
        &self,
        tx: &WriteTx<'_>,
        table: Arc<Definition>,
        key: Key,
        needs_old: bool,
    ) -> Result<Outcome<'_>> {
        if let Some(condition) = &self.condition {
            table.check_paths(condition.paths())?;
        }
        let is_blind = matches!(self.what, What::Put(_) | What::Delete(_))
            && self.condition.is_none()
            && !needs_old
            && !table.needs_old_item();
        let old = if is_blind { None } else { changes::read_item(tx, &table, &key)? };
        if !conditions::holds(self.condition.as_ref(), old.as_ref()) {
            return Ok(Outcome::ConditionFailed(old));
        }
        let is_check = matches!(self.what, What::Check(_));
        let new = match &self.what {
            What::Put(item) => Some(Cow::Borrowed(item)),
            What::Delete(_) => None,
            What::Check(_) => old.clone().map(Cow::Owned),
            What::Update(_, update) => updated(&table, update, old.as_ref(), &key)?.map(Cow::Owned),
        };
        Ok(Outcome::May(Prepared { table, key, old, new, is_check }))
    }

    /// The key of the item, once the request fits the table.
    pub(crate) fn key(&self, table: &Definition) -> Result<Key> {
        match &self.what {
            What::Put(item) => table.check_item(item),
            What::Delete(key) | What::Check(key) => Ok(table.key.check_key(key)?),
            What::Update(key, update) => {
                let key = table.key.check_key(key)?;
                update.check_table_key(&table.key)?;
                for index in &table.indexes {
                    update.check_index_key(&index.name, &index.key)?;
                }
                table.check_paths(update.paths())?;
                Ok(key)
            }
        }
    }
}

/// The item after an update.
fn updated(
    table: &Definition,
    update: &Update,
    old: Option<&Item>,
    key: &Key,
) -> Result<Option<Item>> {
    if old.is_none() && update.only_removes() {
        return Ok(None);
    }
    let new = update.apply(old, &key.to_item(&table.key))?;
    if let Err(error) = table.check_index_keys(&new) {
        return Err(if has_other_type(table, &new) {
            Error::invalid(
                "The update expression attempted to update the secondary index key to unsupported type",
            )
        } else {
            error
        });
    }
    check_item_nesting(&new)?;
    check_update_size(&new)?;
    Ok(Some(new))
}

/// Whether an item has a key attribute of an index in another type than the index's.
fn has_other_type(table: &Definition, item: &Item) -> bool {
    table.indexes.iter().flat_map(|index| index.key.attributes()).any(|attribute| {
        item.get(&attribute.name).is_some_and(|value| value.kind() != attribute.kind)
    })
}

impl Prepared<'_> {
    /// Makes the change.
    pub(crate) fn apply(&self, tx: &mut WriteTx<'_>) -> Result<()> {
        if self.is_check
            || (self.old.is_none() && self.new.is_none() && self.table.needs_old_item())
        {
            return Ok(());
        }
        changes::apply(tx, &self.table, &self.change())
    }

    /// What the write used.
    pub(crate) fn consumed(&self) -> Consumed {
        changes::consumed(&self.table, &self.change())
    }

    fn change(&self) -> Change<'_> {
        Change { key: &self.key, old: self.old.as_ref(), new: self.new.as_deref() }
    }
}
