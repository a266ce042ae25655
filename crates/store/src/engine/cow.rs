//! A sorted map whose clone is one reference: a B+ tree that copies the nodes it changes while somebody else sees them.

use std::ops::ControlFlow;
use std::sync::Arc;

use bytes::Bytes;

use super::View;
use crate::Error;
use crate::tx::Visit;

/// Entries in a node before it is split in two.
const MAX_ENTRIES: usize = 64;

#[derive(Clone)]
enum Node {
    Leaf(Vec<(Bytes, Bytes)>),
    /// Children, each with a key that is not larger than any in it and larger than all in the child before.
    Inner(Vec<(Bytes, Arc<Node>)>),
}

/// The map.
#[derive(Clone)]
pub(crate) struct CowMap {
    root: Arc<Node>,
}

impl Default for CowMap {
    fn default() -> Self {
        CowMap { root: Arc::new(Node::Leaf(Vec::new())) }
    }
}

impl CowMap {
    pub(crate) fn get(&self, key: &[u8]) -> Option<&Bytes> {
        let mut node = &self.root;
        loop {
            match &**node {
                Node::Inner(children) => node = &children[child_of(children, key)].1,
                Node::Leaf(rows) => {
                    let index = rows.binary_search_by(|row| row.0[..].cmp(key)).ok()?;
                    return Some(&rows[index].1);
                }
            }
        }
    }

    pub(crate) fn insert(&mut self, key: Bytes, value: Bytes) {
        let lowest = Bytes::new();
        if let Some(split) = insert(&mut self.root, key, value) {
            let children = vec![(lowest, self.root.clone()), split];
            self.root = Arc::new(Node::Inner(children));
        }
    }

    pub(crate) fn remove(&mut self, key: &[u8]) {
        // A key that is not there must not cost a copy of the path to its place.
        if self.get(key).is_none() {
            return;
        }
        if remove(&mut self.root, key) {
            *self = CowMap::default();
        }
        while let Node::Inner(children) = &*self.root
            && let [only] = &children[..]
        {
            self.root = only.1.clone();
        }
    }

    pub(crate) fn scan(
        &self,
        start: &[u8],
        end: &[u8],
        reverse: bool,
        visit: &mut Visit<'_>,
    ) -> ControlFlow<()> {
        if start >= end {
            return ControlFlow::Continue(());
        }
        scan(&self.root, start, end, reverse, visit)
    }
}

/// A copy of the map is a view of it as it was.
impl View for CowMap {
    fn get(&self, key: &[u8]) -> Result<Option<Bytes>, Error> {
        Ok(CowMap::get(self, key).cloned())
    }

    fn scan(
        &self,
        start: &[u8],
        end: &[u8],
        reverse: bool,
        visit: &mut Visit<'_>,
    ) -> Result<ControlFlow<()>, Error> {
        Ok(CowMap::scan(self, start, end, reverse, visit))
    }
}

fn child_of(children: &[(Bytes, Arc<Node>)], key: &[u8]) -> usize {
    children.partition_point(|child| child.0[..] <= *key).saturating_sub(1)
}

/// Inserts and returns the new right half if the node had to be split.
fn insert(node: &mut Arc<Node>, key: Bytes, value: Bytes) -> Option<(Bytes, Arc<Node>)> {
    match Arc::make_mut(node) {
        Node::Leaf(rows) => {
            match rows.binary_search_by(|row| row.0.cmp(&key)) {
                Ok(index) => rows[index].1 = value,
                Err(index) => rows.insert(index, (key, value)),
            }
            split(rows).map(|right| (right[0].0.clone(), Arc::new(Node::Leaf(right))))
        }
        Node::Inner(children) => {
            let index = child_of(children, &key);
            if let Some(right) = insert(&mut children[index].1, key, value) {
                children.insert(index + 1, right);
            }
            split(children).map(|right| (right[0].0.clone(), Arc::new(Node::Inner(right))))
        }
    }
}

fn split<T>(entries: &mut Vec<T>) -> Option<Vec<T>> {
    if entries.len() <= MAX_ENTRIES {
        return None;
    }
    // Keys often come in rising order; a split near the end leaves full nodes behind then.
    Some(entries.split_off(MAX_ENTRIES * 3 / 4))
}

/// Removes and says whether the node is empty now. Nodes are not merged: only an empty one goes.
fn remove(node: &mut Arc<Node>, key: &[u8]) -> bool {
    match Arc::make_mut(node) {
        Node::Leaf(rows) => {
            if let Ok(index) = rows.binary_search_by(|row| row.0[..].cmp(key)) {
                rows.remove(index);
            }
            rows.is_empty()
        }
        Node::Inner(children) => {
            let index = child_of(children, key);
            if remove(&mut children[index].1, key) {
                children.remove(index);
            }
            children.is_empty()
        }
    }
}

fn scan(
    node: &Node,
    start: &[u8],
    end: &[u8],
    reverse: bool,
    visit: &mut Visit<'_>,
) -> ControlFlow<()> {
    match node {
        Node::Leaf(rows) => {
            let from = rows.partition_point(|row| row.0[..] < *start);
            let to = rows.partition_point(|row| row.0[..] < *end);
            let rows = &rows[from..to];
            if reverse {
                rows.iter().rev().try_for_each(|(key, value)| visit(key, value))
            } else {
                rows.iter().try_for_each(|(key, value)| visit(key, value))
            }
        }
        Node::Inner(children) => {
            let from = child_of(children, start);
            // The first child may hold keys before its own, since a child before it was removed.
            let to = children.partition_point(|child| child.0[..] < *end).max(from + 1);
            let children = &children[from..to];
            if reverse {
                children.iter().rev().try_for_each(|child| scan(&child.1, start, end, true, visit))
            } else {
                children.iter().try_for_each(|child| scan(&child.1, start, end, false, visit))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    fn rows(map: &CowMap, start: &[u8], end: &[u8], reverse: bool) -> Vec<(Vec<u8>, Vec<u8>)> {
        let mut rows = Vec::new();
        let _ = map.scan(start, end, reverse, &mut |key, value| {
            rows.push((key.to_vec(), value.to_vec()));
            ControlFlow::Continue(())
        });
        rows
    }

    proptest! {
        #[test]
        fn agrees_with_a_btreemap(
            steps in prop::collection::vec((any::<u16>(), 0u8..5), 1..2000),
            start in any::<u16>(),
            end in any::<u16>(),
        ) {
            let mut map = CowMap::default();
            let mut model = BTreeMap::new();
            let mut copies = Vec::new();
            for (index, (number, action)) in steps.into_iter().enumerate() {
                let key = (number % 700).to_be_bytes().to_vec();
                if action == 0 {
                    map.remove(&key);
                    model.remove(&key);
                } else {
                    map.insert(key.clone().into(), vec![action].into());
                    model.insert(key, vec![action]);
                }
                if index % 500 == 0 {
                    copies.push((map.clone(), model.clone()));
                }
            }
            copies.push((map, model));
            let (start, end) = (start.to_be_bytes(), end.to_be_bytes());
            for (map, model) in &copies {
                let whole: Vec<_> = model.clone().into_iter().collect();
                prop_assert_eq!(&rows(map, &[], &[0xFF; 3], false), &whole);
                if start < end {
                    let mut part: Vec<_> = model
                        .range(start.to_vec()..end.to_vec())
                        .map(|(key, value)| (key.clone(), value.clone()))
                        .collect();
                    prop_assert_eq!(&rows(map, &start, &end, false), &part);
                    part.reverse();
                    prop_assert_eq!(&rows(map, &start, &end, true), &part);
                }
                for (key, value) in model {
                    prop_assert_eq!(map.get(key).map(|value| &value[..]), Some(&value[..]));
                }
            }
        }
    }

    #[test]
    fn a_key_before_all_children_is_found_by_a_scan() {
        let mut map = CowMap::default();
        let key = |number: u32| Bytes::copy_from_slice(&number.to_be_bytes());
        (0..5000).for_each(|number| map.insert(key(number), key(number)));
        // So many go that whole nodes do, at every level.
        (0..4000).for_each(|number| map.remove(&key(number)));
        for number in [3999, 2000, 0] {
            map.insert(key(number), key(number));
            let found = rows(&map, &key(number), &key(number + 1), false);
            assert_eq!(found.len(), 1, "{number}");
            assert_eq!(rows(&map, &key(number), &key(number + 1), true), found);
        }
    }

    #[test]
    fn empties_and_fills_again() {
        let mut map = CowMap::default();
        for round in 0..3u8 {
            for number in 0..5000u32 {
                map.insert(number.to_be_bytes().to_vec().into(), vec![round].into());
            }
            for number in 0..5000u32 {
                map.remove(&number.to_be_bytes());
            }
            assert!(rows(&map, &[], &[0xFF; 5], false).is_empty());
        }
    }
}
