//! Applies updates to items.
//!
//! All values that an update reads are those before it, and list indexes count elements before it. So the actions are
//! first turned into changes with their final values, arranged as a tree of the places that they change, and then made.

use std::collections::BTreeMap;

use super::path::PathElement;
use super::update::{Action, Update, UpdateValue};
use crate::invalid::Invalid;
use crate::value::{AttributeValue, Item};

/// A change whose value no longer depends on the item.
enum Change<'a> {
    Set(AttributeValue),
    Remove,
    Add(&'a AttributeValue),
    Delete(&'a AttributeValue),
    Append(&'a AttributeValue),
}

/// The changes in one map or list.
type Changes<'a> = BTreeMap<&'a PathElement, Node<'a>>;

enum Node<'a> {
    Change(Change<'a>),
    Members(Changes<'a>),
}

impl Update {
    /// The item after the update. `old` is the item before, `None` if there is none; then the update starts from `key`,
    /// the attributes of the item's key.
    pub fn apply(&self, old: Option<&Item>, key: &Item) -> Result<Item, Invalid> {
        let before = old.unwrap_or(key);
        let mut changes = Changes::new();
        for (path, action) in &self.actions {
            let change = match action {
                Action::Set(value) => Change::Set(value.evaluate(before)?),
                Action::Remove => Change::Remove,
                Action::Add(value) => Change::Add(value),
                Action::Delete(value) => Change::Delete(value),
                Action::Append(value) => Change::Append(value),
            };
            // A removal inside an item that does not exist is no error, although one inside an attribute is.
            if old.is_none() && path.is_nested() && matches!(change, Change::Remove) {
                continue;
            }
            insert(&mut changes, path.elements(), change);
        }
        let mut item = before.clone();
        self.change_map(changes, &mut item)?;
        Ok(item)
    }

    fn change_map(&self, changes: Changes<'_>, map: &mut Item) -> Result<(), Invalid> {
        for (element, node) in changes {
            let PathElement::Name(name) = element else { return Err(bad_path()) };
            match node {
                Node::Members(inner) => {
                    let value = map.get_mut(name).ok_or_else(bad_path)?;
                    self.change_members(inner, value)?;
                }
                Node::Change(change) => match self.make(change, map.get(name))? {
                    Some(value) => {
                        map.insert(name.clone(), value);
                    }
                    None => {
                        map.remove(name);
                    }
                },
            }
        }
        Ok(())
    }

    fn change_members(
        &self,
        changes: Changes<'_>,
        value: &mut AttributeValue,
    ) -> Result<(), Invalid> {
        match value {
            AttributeValue::M(map) => self.change_map(changes, map),
            AttributeValue::L(list) => self.change_list(changes, list),
            _ => Err(bad_path()),
        }
    }

    /// Indexes past the end append in their order; removals take effect last, so that indexes stay what they were.
    fn change_list(
        &self,
        changes: Changes<'_>,
        list: &mut Vec<AttributeValue>,
    ) -> Result<(), Invalid> {
        let mut appended = Vec::new();
        let mut removed = Vec::new();
        for (element, node) in changes {
            let PathElement::Index(index) = element else { return Err(bad_path()) };
            match node {
                Node::Members(inner) => {
                    let value = list.get_mut(*index).ok_or_else(bad_path)?;
                    self.change_members(inner, value)?;
                }
                Node::Change(change) => match self.make(change, list.get(*index))? {
                    Some(value) => match list.get_mut(*index) {
                        Some(member) => *member = value,
                        None => appended.push(value),
                    },
                    None => removed.push(*index),
                },
            }
        }
        for index in removed.into_iter().rev() {
            if index < list.len() {
                list.remove(index);
            }
        }
        list.append(&mut appended);
        Ok(())
    }

    /// The value after a change, `None` for none.
    fn make(
        &self,
        change: Change<'_>,
        old: Option<&AttributeValue>,
    ) -> Result<Option<AttributeValue>, Invalid> {
        use AttributeValue as V;
        Ok(match (change, old) {
            (Change::Set(value), _) => Some(value),
            (Change::Remove, _) | (Change::Delete(_), None) => None,
            (Change::Add(value) | Change::Append(value), None) => Some(value.clone()),
            (Change::Add(V::N(more)), Some(V::N(old))) => {
                let sum = old.decimal().checked_add(more.decimal());
                Some(V::N(sum.map_err(|error| Invalid::new(error.to_string()))?.to_number()))
            }
            (Change::Add(V::Ss(more)), Some(V::Ss(old))) => Some(V::Ss(union(old, more))),
            (Change::Add(V::Ns(more)), Some(V::Ns(old))) => Some(V::Ns(union(old, more))),
            (Change::Add(V::Bs(more)), Some(V::Bs(old))) => Some(V::Bs(union(old, more))),
            (Change::Delete(V::Ss(less)), Some(V::Ss(old))) => without(old, less).map(V::Ss),
            (Change::Delete(V::Ns(less)), Some(V::Ns(old))) => without(old, less).map(V::Ns),
            (Change::Delete(V::Bs(less)), Some(V::Bs(old))) => without(old, less).map(V::Bs),
            (Change::Append(V::L(more)), Some(V::L(old))) => {
                Some(V::L(old.iter().chain(more).cloned().collect()))
            }
            _ => return Err(self.wrong_type()),
        })
    }

    fn wrong_type(&self) -> Invalid {
        if self.legacy {
            Invalid::new("Type mismatch for attribute to update")
        } else {
            wrong_operand()
        }
    }
}

impl UpdateValue {
    fn evaluate(&self, item: &Item) -> Result<AttributeValue, Invalid> {
        let sum = |a: &Self, b: &Self, is_minus: bool| match (a.evaluate(item)?, b.evaluate(item)?)
        {
            (AttributeValue::N(a), AttributeValue::N(b)) => {
                let (a, b) = (a.decimal(), b.decimal());
                let sum = if is_minus { a.checked_sub(b) } else { a.checked_add(b) };
                let sum = sum.map_err(|error| Invalid::new(error.to_string()))?;
                Ok(AttributeValue::N(sum.to_number()))
            }
            _ => Err(wrong_operand()),
        };
        match self {
            Self::Path(path) => path.find(item).cloned().ok_or_else(|| {
                Invalid::new(
                    "The provided expression refers to an attribute that does not exist in the item",
                )
            }),
            Self::Value(value) => Ok(value.clone()),
            Self::IfNotExists(path, value) => match path.find(item) {
                Some(found) => Ok(found.clone()),
                None => value.evaluate(item),
            },
            Self::ListAppend(a, b) => match (a.evaluate(item)?, b.evaluate(item)?) {
                (AttributeValue::L(mut list), AttributeValue::L(mut more)) => {
                    list.append(&mut more);
                    Ok(AttributeValue::L(list))
                }
                _ => Err(wrong_operand()),
            },
            Self::Plus(a, b) => sum(a, b, false),
            Self::Minus(a, b) => sum(a, b, true),
        }
    }
}

fn insert<'a>(changes: &mut Changes<'a>, path: &'a [PathElement], change: Change<'a>) {
    let Some((first, rest)) = path.split_first() else { return };
    if rest.is_empty() {
        changes.insert(first, Node::Change(change));
        return;
    }
    let node = changes.entry(first).or_insert_with(|| Node::Members(Changes::new()));
    if let Node::Members(inner) = node {
        insert(inner, rest, change);
    }
}

fn union<T: Clone + Eq + std::hash::Hash>(old: &[T], more: &[T]) -> Vec<T> {
    let known: std::collections::HashSet<&T> = old.iter().collect();
    old.iter().chain(more.iter().filter(|member| !known.contains(*member))).cloned().collect()
}

/// What is left of a set; a set without members does not exist.
fn without<T: Clone + Eq + std::hash::Hash>(old: &[T], less: &[T]) -> Option<Vec<T>> {
    let gone: std::collections::HashSet<&T> = less.iter().collect();
    let left: Vec<T> = old.iter().filter(|member| !gone.contains(*member)).cloned().collect();
    (!left.is_empty()).then_some(left)
}

fn bad_path() -> Invalid {
    Invalid::new("The document path provided in the update expression is invalid for update")
}

fn wrong_operand() -> Invalid {
    Invalid::new("An operand in the update expression has an incorrect data type")
}
