//! Puts rows together out of the values of columns, by their levels.

use super::leaves::Leaf;
use super::schema::{Node, NodeKind};
use super::{Damage, Item, Refusal};

/// What a record may still take.
pub(super) struct Room {
    values: usize,
    bytes: usize,
}

impl Room {
    /// The most values of a record: each takes two bytes of what a record may have.
    pub(super) const MAX_VALUES: usize = 1 << 19;
    /// The most bytes of a record's texts.
    const MAX_BYTES: usize = 1 << 20;

    /// The room of a record.
    pub(super) fn new() -> Room {
        Room { values: Room::MAX_VALUES, bytes: Room::MAX_BYTES }
    }

    fn add(&mut self, item: &Item) -> Result<(), Refusal> {
        let bytes = if let Item::Text(text) = item { text.len() } else { 0 };
        let values = self.values.checked_sub(1);
        let bytes = self.bytes.checked_sub(bytes);
        (self.values, self.bytes) = values.zip(bytes).ok_or(Refusal::RecordTooLarge)?;
        Ok(())
    }
}

/// The value of a field in the present record.
pub(super) fn build(node: &Node, leaves: &mut [Leaf], room: &mut Room) -> Result<Item, Refusal> {
    let first = node.leaves.start;
    let item = match &node.of {
        NodeKind::Leaf(_) => leaf(leaves, first)?.take()?,
        NodeKind::Structure(fields) => {
            if leaf(leaves, first)?.definition()? < node.definition {
                pass(node, leaves)?;
                return Ok(Item::Null);
            }
            let member = |field: &Node| Ok((field.name.clone(), build(field, leaves, room)?));
            Item::Structure(fields.iter().map(member).collect::<Result<_, Refusal>>()?)
        }
        NodeKind::List { element, repetition, definition } => {
            let level = leaf(leaves, first)?.definition()?;
            if level < *definition {
                pass(node, leaves)?;
                let is_there = level >= node.definition;
                return Ok(if is_there { Item::List(Vec::new()) } else { Item::Null });
            }
            let mut all = vec![build(element, leaves, room)?];
            while leaf(leaves, first)?.repetition() == Some(*repetition) {
                all.push(build(element, leaves, room)?);
            }
            Item::List(all)
        }
        NodeKind::Last { element, repetition } => {
            if leaf(leaves, first)?.definition()? < node.definition {
                pass(node, leaves)?;
                return Ok(Item::Null);
            }
            let mut last = build(element, leaves, room)?;
            while leaf(leaves, first)?.repetition() == Some(*repetition) {
                last = build(element, leaves, room)?;
            }
            last
        }
        NodeKind::Unsupported(what) => return Err(Refusal::Type(what)),
    };
    room.add(&item)?;
    Ok(item)
}

fn leaf(leaves: &mut [Leaf], index: usize) -> Result<&mut Leaf, Damage> {
    leaves.get_mut(index).ok_or_else(|| Damage::new("a column is missing"))
}

/// Passes over what is null in all columns of a field.
fn pass(node: &Node, leaves: &mut [Leaf]) -> Result<(), Damage> {
    for index in node.leaves.clone() {
        if leaf(leaves, index)?.take()? != Item::Null {
            return Err(Damage::new("columns disagree on what is there"));
        }
    }
    Ok(())
}
