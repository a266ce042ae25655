//! Document paths: `a.b[1]`.

use std::fmt;

use super::ExpressionKind;
use super::parser::RawElement;
use super::placeholders::Placeholders;
use super::reserved::is_reserved;
use crate::invalid::Invalid;
use crate::value::{AttributeValue, Item, MAX_NESTING};

/// One step into a document.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum PathElement {
    /// A member of a map.
    Name(String),
    /// An element of a list, from 0.
    Index(usize),
}

/// Where a value lies in an item. Begins with the name of an attribute and is never empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Path {
    elements: Vec<PathElement>,
}

impl Path {
    /// The path of a top-level attribute.
    pub fn attribute(name: impl Into<String>) -> Self {
        Self { elements: vec![PathElement::Name(name.into())] }
    }

    /// Replaces placeholders by names.
    pub(super) fn resolve(
        kind: ExpressionKind,
        raw: &[RawElement],
        placeholders: &mut Placeholders,
    ) -> Result<Self, Invalid> {
        let elements = raw
            .iter()
            .map(|element| match element {
                RawElement::Name(name) => Ok(PathElement::Name(name.clone())),
                RawElement::NameRef(name) => placeholders.name(kind, name).map(PathElement::Name),
                RawElement::Index(digits) => index(kind, digits),
            })
            .collect::<Result<Vec<_>, _>>()?;
        if elements.len() > MAX_NESTING {
            return Err(kind.invalid(format!(
                "The document path has too many nesting levels; nesting levels: {}",
                elements.len()
            )));
        }
        Ok(Self { elements })
    }

    /// The steps.
    pub fn elements(&self) -> &[PathElement] {
        &self.elements
    }

    /// The attribute in which the path begins.
    pub fn head(&self) -> &str {
        match &self.elements[0] {
            PathElement::Name(name) => name,
            PathElement::Index(_) => "",
        }
    }

    /// Whether the path leads into a document.
    pub fn is_nested(&self) -> bool {
        self.elements.len() > 1
    }

    /// The value at the path.
    pub fn find<'a>(&self, item: &'a Item) -> Option<&'a AttributeValue> {
        let mut value = item.get(self.head())?;
        for element in &self.elements[1..] {
            value = match (element, value) {
                (PathElement::Name(name), AttributeValue::M(members)) => members.get(name)?,
                (PathElement::Index(index), AttributeValue::L(members)) => members.get(*index)?,
                _ => return None,
            };
        }
        Some(value)
    }
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[")?;
        for (at, element) in self.elements.iter().enumerate() {
            let separator = if at > 0 { ", " } else { "" };
            match element {
                PathElement::Name(name) => write!(f, "{separator}{name}")?,
                PathElement::Index(index) => write!(f, "{separator}[{index}]")?,
            }
        }
        f.write_str("]")
    }
}

fn index(kind: ExpressionKind, digits: &str) -> Result<PathElement, Invalid> {
    match digits.parse::<i32>() {
        Ok(index) => Ok(PathElement::Index(index as usize)),
        Err(_) => Err(kind
            .invalid(format!("List index is not within the allowable range; index: [{digits}]"))),
    }
}

/// Refuses a reserved word that is written out in a path.
pub(super) fn check_reserved(kind: ExpressionKind, raw: &[RawElement]) -> Result<(), Invalid> {
    for element in raw {
        if let RawElement::Name(name) = element
            && is_reserved(name)
        {
            return Err(kind.invalid(format!(
                "Attribute name is a reserved keyword; reserved keyword: {name}"
            )));
        }
    }
    Ok(())
}

/// Refuses paths of which one contains the other, and then paths that cannot exist together (`a.b` and `a[0]`).
pub(super) fn check_disjoint<'a>(
    kind: ExpressionKind,
    paths: impl IntoIterator<Item = &'a Path>,
) -> Result<(), Invalid> {
    let mut earlier: Vec<&Path> = Vec::new();
    let mut conflict = None;
    for path in paths {
        for other in &earlier {
            match relation(other, path) {
                Relation::Apart => {}
                Relation::Overlap => return Err(clash(kind, "overlap", other, path)),
                Relation::Conflict => {
                    conflict = conflict.or_else(|| Some(clash(kind, "conflict", other, path)));
                }
            }
        }
        earlier.push(path);
    }
    conflict.map_or(Ok(()), Err)
}

enum Relation {
    Apart,
    Overlap,
    Conflict,
}

fn relation(one: &Path, two: &Path) -> Relation {
    for pair in one.elements.iter().zip(&two.elements) {
        match pair {
            (PathElement::Name(a), PathElement::Name(b)) if a == b => {}
            (PathElement::Index(a), PathElement::Index(b)) if a == b => {}
            (PathElement::Name(_), PathElement::Index(_))
            | (PathElement::Index(_), PathElement::Name(_)) => return Relation::Conflict,
            _ => return Relation::Apart,
        }
    }
    Relation::Overlap
}

fn clash(kind: ExpressionKind, how: &str, one: &Path, two: &Path) -> Invalid {
    kind.invalid(format!(
        "Two document paths {how} with each other; must remove or rewrite one of these paths; path one: {one}, path two: {two}"
    ))
}
