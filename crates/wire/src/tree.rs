//! Reads XML and forms into slots: one walk over named nodes, whatever their notation.

use bytes::Bytes;

use crate::check::{Checks, Elements, Path, Seen};
use crate::mismatch::type_name;
use crate::read::{MAX_DEPTH, crowded_union, wrong_model};
use crate::text::{decode_base64, parse_float, parse_timestamp};
use crate::{
    Flags, Kind, List, ListValue, Location, Map, MapValue, Member, Rejection, Schema, Slot, Struct,
    UnionValue,
};

/// A named place in a document: one node, or several of the same name.
pub(crate) trait Node: Sized {
    /// The text that stands here.
    fn text(&self) -> &str;
    /// The place of a member of the structure that stands here.
    fn member(&self, member: &Member, rules: Rules) -> Option<Self>;
    /// The elements of the list that stands here.
    fn elements(&self, list: &List, flattened: bool) -> Vec<Self>;
    /// The entries of the map that stands here.
    fn entries(&self, map: &Map, flattened: bool, rules: Rules) -> Vec<(String, Self)>;
}

/// How a notation names members.
#[derive(Clone, Copy, Default)]
pub(crate) struct Rules {
    /// The ec2Query protocol: its own names, and lists are always flat.
    pub(crate) ec2: bool,
    /// Older names are allowed (SQS).
    pub(crate) lenient: bool,
    /// An empty text is an absent number, boolean or time.
    pub(crate) empty_absent: bool,
}

/// The name of a member's element: the member's own, but for a list that its shape makes flat and
/// whose elements have a name (the older models).
pub(crate) fn element_name(member: &Member) -> &'static str {
    match &member.target.kind {
        Kind::List(list)
            if list.flattened && !member.flags.has(Flags::FLATTENED) && list.wire != "member" =>
        {
            list.wire
        }
        _ => member.wire,
    }
}

/// Whether a member's list or map stands without a wrapping element.
pub(crate) fn flattened(member: &Member) -> bool {
    member.flags.has(Flags::FLATTENED)
        || match &member.target.kind {
            Kind::List(list) => list.flattened,
            Kind::Map(map) => map.flattened,
            _ => false,
        }
}

/// A walk over one document of nodes.
pub(crate) struct TreeReader<'w, 's> {
    pub(crate) checks: &'w mut Checks<'s>,
    pub(crate) rules: Rules,
}

impl TreeReader<'_, '_> {
    /// Reads a structure's members, or those of them that stand in the body.
    pub(crate) fn members<N: Node>(
        &mut self,
        node: &N,
        value: &mut dyn Struct,
        seen: &mut Seen,
        body_only: bool,
        path: &Path<'_>,
        depth: usize,
    ) -> Result<(), Rejection> {
        let Kind::Structure(members) = &value.schema().kind else { return Ok(()) };
        for (index, member) in members.iter().enumerate() {
            if body_only && member.location != Location::Body {
                continue;
            }
            let Some(node) = node.member(member, self.rules) else { continue };
            if self.absent(&node, member.target) {
                continue;
            }
            let place = value.member_mut(index);
            let path = path.member(member.name);
            self.fill(&node, member.target, flattened(member), place.slot(), &path, depth)?;
            self.checks.value(member.target, place, &path);
            seen.insert(index);
        }
        Ok(())
    }

    fn absent<N: Node>(&self, node: &N, schema: &Schema) -> bool {
        self.rules.empty_absent && is_scalar(schema) && node.text().is_empty()
    }

    /// Reads the value at a node.
    pub(crate) fn fill<N: Node>(
        &mut self,
        node: &N,
        schema: &'static Schema,
        flattened: bool,
        slot: Slot<'_>,
        path: &Path<'_>,
        depth: usize,
    ) -> Result<(), Rejection> {
        if depth >= MAX_DEPTH {
            return Err(Rejection::Serialization("The document nests too deeply".to_owned()));
        }
        match slot {
            Slot::List(list) => {
                let Kind::List(shape) = &schema.kind else { return Err(wrong_model(schema)) };
                self.list(node, shape, flattened || self.rules.ec2, list, path, depth + 1)
            }
            Slot::Map(map) => {
                let Kind::Map(shape) = &schema.kind else { return Err(wrong_model(schema)) };
                self.map(node, shape, flattened, map, path, depth + 1)
            }
            Slot::Struct(value) => {
                let mut seen = Seen::default();
                self.members(node, value, &mut seen, false, path, depth + 1)?;
                if let Kind::Structure(members) = &value.schema().kind {
                    self.checks.required(members, &seen, path, |_| true);
                }
                Ok(())
            }
            Slot::Union(value) => self.union(node, value, path, depth + 1),
            slot => text_slot(self.checks, node.text(), schema, slot).map_err(|expected| {
                Rejection::Serialization(format!("Value cannot be converted to {expected}"))
            }),
        }
    }

    fn list<N: Node>(
        &mut self,
        node: &N,
        shape: &'static List,
        flat: bool,
        list: &mut dyn ListValue,
        path: &Path<'_>,
        depth: usize,
    ) -> Result<(), Rejection> {
        list.clear();
        let mut elements = Elements::default();
        for (index, node) in node.elements(shape, flat).iter().enumerate() {
            let value = list.push();
            let inner = matches!(&shape.member.kind, Kind::List(inner) if inner.flattened);
            self.fill(node, shape.member, inner, value.slot(), &path.index(index), depth)?;
            self.checks.element(&mut elements, shape.member, value, || index.to_string());
        }
        self.checks.list(&elements, shape, list, path);
        Ok(())
    }

    fn map<N: Node>(
        &mut self,
        node: &N,
        shape: &'static Map,
        flat: bool,
        map: &mut dyn MapValue,
        path: &Path<'_>,
        depth: usize,
    ) -> Result<(), Rejection> {
        map.clear();
        let mut elements = Elements::default();
        for (key, node) in node.entries(shape, flat, self.rules) {
            self.checks.key(&mut elements, shape.key, &key);
            let value = map.insert(key.clone());
            self.fill(&node, shape.value, false, value.slot(), &path.key(&key), depth)?;
            self.checks.element(&mut elements, shape.value, value, || key.clone());
        }
        self.checks.map(&elements, shape, map, path);
        Ok(())
    }

    fn union<N: Node>(
        &mut self,
        node: &N,
        value: &mut dyn UnionValue,
        path: &Path<'_>,
        depth: usize,
    ) -> Result<(), Rejection> {
        let Kind::Union(members) = &value.schema().kind else {
            return Err(wrong_model(value.schema()));
        };
        let mut selected = false;
        for (index, member) in members.iter().enumerate() {
            let Some(node) = node.member(member, self.rules) else { continue };
            if selected {
                return Err(crowded_union(self.checks));
            }
            selected = true;
            let place = value.select(index);
            let path = path.member(member.name);
            self.fill(&node, member.target, flattened(member), place.slot(), &path, depth)?;
            self.checks.value(member.target, place, &path);
        }
        Ok(())
    }
}

/// Whether an empty text cannot be a value of the shape.
pub(crate) fn is_scalar(schema: &Schema) -> bool {
    matches!(
        schema.kind,
        Kind::Integer
            | Kind::Long
            | Kind::Float
            | Kind::Double
            | Kind::Boolean
            | Kind::Timestamp(_)
    )
}

/// Reads a scalar from its text, or names the type that the text does not have.
pub(crate) fn text_slot(
    checks: &mut Checks<'_>,
    text: &str,
    schema: &Schema,
    slot: Slot<'_>,
) -> Result<(), &'static str> {
    let wrong = || type_name(schema);
    let bare = text.trim();
    match slot {
        Slot::Text(value) => text.clone_into(value),
        Slot::Enum(value) => {
            if !value.set(text) {
                checks.unknown_variant = Some(text.to_owned());
            }
        }
        Slot::Integer(value) => *value = bare.parse().map_err(|_| wrong())?,
        Slot::Long(value) => *value = bare.parse().map_err(|_| wrong())?,
        Slot::Float(value) => *value = parse_float(bare).ok_or_else(wrong)? as f32,
        Slot::Double(value) => *value = parse_float(bare).ok_or_else(wrong)?,
        Slot::Boolean(value) => {
            *value = match bare {
                _ if bare.eq_ignore_ascii_case("true") => true,
                _ if bare.eq_ignore_ascii_case("false") => false,
                _ => return Err(wrong()),
            }
        }
        Slot::Blob(value) => *value = decode_base64(bare).ok_or_else(wrong)?,
        Slot::Timestamp(value) => *value = parse_timestamp(bare).ok_or_else(wrong)?,
        Slot::Document(value) => *value = text.into(),
        Slot::Body(value) => *value = Bytes::copy_from_slice(text.as_bytes()).into(),
        Slot::List(_) | Slot::Map(_) | Slot::Struct(_) | Slot::Union(_) => return Err(wrong()),
    }
    Ok(())
}
