//! Projections: the parts of an item that a request asks for.

use std::collections::BTreeMap;

use super::ExpressionKind;
use super::parser::Parser;
use super::path::{Path, PathElement, check_disjoint, check_reserved};
use super::placeholders::Placeholders;
use crate::invalid::Invalid;
use crate::value::{AttributeValue, Item};

const KIND: ExpressionKind = ExpressionKind::Projection;

/// The paths to return of each item. No path contains another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Projection {
    paths: Vec<Path>,
    tree: Members,
}

/// The wanted members of a map or list.
type Members = BTreeMap<PathElement, Wanted>;

#[derive(Debug, Clone, PartialEq, Eq)]
enum Wanted {
    Whole,
    Members(Members),
}

impl Projection {
    /// Parses and checks a `ProjectionExpression`.
    pub fn parse(source: &str, placeholders: &mut Placeholders) -> Result<Self, Invalid> {
        let mut parser = Parser::new(KIND, source)?;
        let mut raw = vec![parser.path()?];
        while parser.take_symbol(",") {
            raw.push(parser.path()?);
        }
        parser.expect_end()?;
        raw.iter().try_for_each(|path| check_reserved(KIND, path))?;
        let paths = raw
            .iter()
            .map(|path| Path::resolve(KIND, path, placeholders))
            .collect::<Result<Vec<_>, _>>()?;
        check_disjoint(KIND, &paths)?;
        Ok(Self::of_paths(paths))
    }

    /// The projection to paths of which none contains another.
    pub fn of_paths(paths: Vec<Path>) -> Self {
        let mut tree = Members::new();
        for path in &paths {
            insert(&mut tree, path.elements());
        }
        Self { paths, tree }
    }

    /// The wanted paths, in order.
    pub fn paths(&self) -> &[Path] {
        &self.paths
    }

    /// The wanted parts of an item, in the structure that they have in it; lists close up.
    pub fn apply(&self, item: &Item) -> Item {
        project_map(&self.tree, item)
    }
}

fn insert(members: &mut Members, path: &[PathElement]) {
    let Some((first, rest)) = path.split_first() else { return };
    if rest.is_empty() {
        members.insert(first.clone(), Wanted::Whole);
        return;
    }
    let wanted = members.entry(first.clone()).or_insert_with(|| Wanted::Members(Members::new()));
    if let Wanted::Members(inner) = wanted {
        insert(inner, rest);
    }
}

fn project_map(members: &Members, map: &Item) -> Item {
    let mut projected = Item::new();
    for (element, wanted) in members {
        if let PathElement::Name(name) = element
            && let Some(value) = map.get(name).and_then(|value| project(wanted, value))
        {
            projected.insert(name.clone(), value);
        }
    }
    projected
}

fn project(wanted: &Wanted, value: &AttributeValue) -> Option<AttributeValue> {
    let Wanted::Members(members) = wanted else { return Some(value.clone()) };
    match value {
        AttributeValue::M(map) => {
            let projected = project_map(members, map);
            (!projected.is_empty()).then_some(AttributeValue::M(projected))
        }
        AttributeValue::L(list) => {
            let mut projected = Vec::new();
            for (element, wanted) in members {
                if let PathElement::Index(index) = element {
                    projected.extend(list.get(*index).and_then(|value| project(wanted, value)));
                }
            }
            (!projected.is_empty()).then_some(AttributeValue::L(projected))
        }
        _ => None,
    }
}
