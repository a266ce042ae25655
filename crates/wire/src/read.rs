//! Reads JSON and CBOR into slots: one walk over tokens, whatever their notation.

use std::borrow::Cow;

use bytes::Bytes;

use crate::check::{Checks, Elements, Path, Seen};
use crate::mismatch::mismatch;
use crate::text::{decode_base64, from_epoch_seconds, parse_float, parse_timestamp};
use crate::{
    Document, Flags, Kind, List, ListValue, Location, Map, MapValue, Member, Rejection, Schema,
    Slot, Struct, Timestamp, UnionValue,
};

/// How deep a document may nest.
pub(crate) const MAX_DEPTH: usize = 128;
/// What a document's lists, maps, unions and structures may weigh in all: three bytes of JSON (`{},`)
/// can become a structure of several hundred.
const MAX_WEIGHT: usize = 4_000_000;
/// What a structure weighs beside a list, map or union.
const STRUCTURE_WEIGHT: usize = 8;

/// The start of a value.
pub(crate) enum Token<'t> {
    Null,
    Boolean(bool),
    Integer(i64),
    Float(f64),
    Text(Cow<'t, str>),
    Bytes(Cow<'t, [u8]>),
    Timestamp(Timestamp),
    List(Frame),
    Map(Frame),
}

/// How far a list or map has been read.
#[derive(Clone, Copy)]
pub(crate) struct Frame {
    /// Elements or entries still to come, where the notation says so beforehand.
    pub(crate) left: Option<u64>,
    /// Whether none has been read.
    pub(crate) first: bool,
}

/// A notation of nested values.
pub(crate) trait Tokens<'t> {
    /// Reads a scalar, or the start of a list or map.
    fn next(&mut self) -> Result<Token<'t>, Rejection>;
    /// Whether the list has another element, which `next` then reads.
    fn element(&mut self, frame: &mut Frame) -> Result<bool, Rejection>;
    /// The key of the map's next entry, if there is one; `next` then reads its value.
    fn key(&mut self, frame: &mut Frame) -> Result<Option<Cow<'t, str>>, Rejection>;
}

/// Which of a member's names a document uses.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Names {
    /// The model's name (awsJson, CBOR, internal calls).
    Model,
    /// The name on the wire (restJson).
    Wire,
}

impl Names {
    pub(crate) fn of(self, member: &Member) -> &'static str {
        match self {
            Names::Model => member.name,
            Names::Wire => member.wire,
        }
    }
}

/// A walk over one document.
pub(crate) struct Reader<'w, 's, T> {
    pub(crate) tokens: T,
    pub(crate) checks: &'w mut Checks<'s>,
    names: Names,
    weight: usize,
}

fn too_large() -> Rejection {
    Rejection::Serialization("The document nests too deeply or has too many parts".to_owned())
}

impl<'t, 'w, 's, T: Tokens<'t>> Reader<'w, 's, T> {
    pub(crate) fn new(tokens: T, checks: &'w mut Checks<'s>, names: Names) -> Self {
        Reader { tokens, checks, names, weight: 0 }
    }

    /// Reads the document into the input's members, or those of them that stand in the body.
    pub(crate) fn input(
        &mut self,
        input: &mut dyn Struct,
        seen: &mut Seen,
        body_only: bool,
        path: &Path<'_>,
    ) -> Result<(), Rejection> {
        match self.tokens.next()? {
            Token::Map(frame) => self.members(frame, input, seen, body_only, path, 1),
            Token::Null => Ok(()),
            token => Err(mismatch(&token, input.schema(), false, self.checks.style)),
        }
    }

    /// Reads a value that is the whole document.
    pub(crate) fn whole(
        &mut self,
        schema: &'static Schema,
        slot: Slot<'_>,
        path: &Path<'_>,
    ) -> Result<bool, Rejection> {
        match self.tokens.next()? {
            Token::Null => Ok(false),
            token => self.fill(token, schema, slot, path, 1).map(|()| true),
        }
    }

    fn members(
        &mut self,
        mut frame: Frame,
        value: &mut dyn Struct,
        seen: &mut Seen,
        body_only: bool,
        path: &Path<'_>,
        depth: usize,
    ) -> Result<(), Rejection> {
        let Kind::Structure(members) = &value.schema().kind else { return Ok(()) };
        let mut guess = 0;
        while let Some(key) = self.tokens.key(&mut frame)? {
            let token = self.tokens.next()?;
            let found = find(members, &key, guess, self.names)
                .filter(|&index| !body_only || members[index].location == Location::Body);
            let Some(index) = found else {
                self.skip(token, depth)?;
                continue;
            };
            guess = index + 1;
            if let Token::Null = token {
                continue;
            }
            let member = &members[index];
            let place = value.member_mut(index);
            let path = path.member(member.name);
            self.fill(token, member.target, place.slot(), &path, depth)?;
            self.checks.value(member.target, place, &path);
            seen.insert(index);
        }
        Ok(())
    }

    fn fill(
        &mut self,
        token: Token<'t>,
        schema: &'static Schema,
        slot: Slot<'_>,
        path: &Path<'_>,
        depth: usize,
    ) -> Result<(), Rejection> {
        match (slot, token) {
            (Slot::Text(text), Token::Text(given)) => *text = given.into_owned(),
            (Slot::Enum(value), Token::Text(given)) => {
                if !value.set(&given) {
                    self.checks.unknown_variant = Some(given.into_owned());
                }
            }
            (Slot::Boolean(value), Token::Boolean(given)) => *value = given,
            (Slot::Document(value), token) => *value = self.document(token, depth)?,
            (Slot::Body(_), token) => self.skip(token, depth)?,
            (Slot::List(list), Token::List(frame)) => {
                let Kind::List(shape) = &schema.kind else { return Err(wrong_model(schema)) };
                self.list(frame, shape, list, path, self.deeper(depth)?)?;
            }
            (Slot::Map(map), Token::Map(frame)) => {
                let Kind::Map(shape) = &schema.kind else { return Err(wrong_model(schema)) };
                self.map(frame, shape, map, path, self.deeper(depth)?)?;
            }
            (Slot::Struct(value), Token::Map(frame)) => {
                let depth = self.deeper(depth)?;
                self.weight += STRUCTURE_WEIGHT;
                let mut seen = Seen::default();
                self.members(frame, value, &mut seen, false, path, depth)?;
                if let Kind::Structure(members) = &value.schema().kind {
                    self.checks.required(members, &seen, path, |_| true);
                }
            }
            (Slot::Union(value), Token::Map(frame)) => {
                self.union(frame, value, path, self.deeper(depth)?)?;
            }
            (slot, token) => {
                return scalar(slot, &token)
                    .ok_or_else(|| mismatch(&token, schema, false, self.checks.style));
            }
        }
        Ok(())
    }

    /// Refuses a scalar where a list or map must hold structures; AWS has words of its own for it.
    fn require_structure(&self, token: &Token<'t>, schema: &Schema) -> Result<(), Rejection> {
        let wanted = matches!(schema.kind, Kind::Structure(_) | Kind::Union(_));
        if wanted && !matches!(token, Token::Map(_)) {
            return Err(mismatch(token, schema, true, self.checks.style));
        }
        Ok(())
    }

    fn deeper(&self, depth: usize) -> Result<usize, Rejection> {
        if depth >= MAX_DEPTH || self.weight >= MAX_WEIGHT {
            return Err(too_large());
        }
        Ok(depth + 1)
    }

    fn list(
        &mut self,
        mut frame: Frame,
        shape: &'static List,
        list: &mut dyn ListValue,
        path: &Path<'_>,
        depth: usize,
    ) -> Result<(), Rejection> {
        list.clear();
        self.weight += 1;
        let mut elements = Elements::default();
        while self.tokens.element(&mut frame)? {
            let token = self.tokens.next()?;
            if let Token::Null = token {
                if shape.sparse {
                    list.push();
                }
                continue;
            }
            self.require_structure(&token, shape.member)?;
            let index = list.len();
            let value = list.push();
            self.fill(token, shape.member, value.slot(), &path.index(index), depth)?;
            self.checks.element(&mut elements, shape.member, value, || index.to_string());
        }
        self.checks.list(&elements, shape, list, path);
        Ok(())
    }

    fn map(
        &mut self,
        mut frame: Frame,
        shape: &'static Map,
        map: &mut dyn MapValue,
        path: &Path<'_>,
        depth: usize,
    ) -> Result<(), Rejection> {
        map.clear();
        self.weight += 1;
        let mut elements = Elements::default();
        while let Some(key) = self.tokens.key(&mut frame)? {
            let token = self.tokens.next()?;
            self.checks.key(&mut elements, shape.key, &key);
            if let Token::Null = token {
                if shape.sparse {
                    map.insert(key.into_owned());
                }
                continue;
            }
            self.require_structure(&token, shape.value)?;
            let value = map.insert(key.clone().into_owned());
            self.fill(token, shape.value, value.slot(), &path.key(&key), depth)?;
            self.checks.element(&mut elements, shape.value, value, || key.into_owned());
        }
        self.checks.map(&elements, shape, map, path);
        Ok(())
    }

    fn union(
        &mut self,
        mut frame: Frame,
        value: &mut dyn UnionValue,
        path: &Path<'_>,
        depth: usize,
    ) -> Result<(), Rejection> {
        let Kind::Union(members) = &value.schema().kind else {
            return Err(wrong_model(value.schema()));
        };
        self.weight += 1;
        let mut selected = false;
        while let Some(key) = self.tokens.key(&mut frame)? {
            let token = self.tokens.next()?;
            let Some(index) = find(members, &key, 0, self.names) else {
                self.skip(token, depth)?;
                continue;
            };
            if let Token::Null = token {
                continue;
            }
            if selected {
                return Err(crowded_union(self.checks));
            }
            selected = true;
            let member = &members[index];
            let place = value.select(index);
            let path = path.member(member.name);
            self.fill(token, member.target, place.slot(), &path, depth)?;
            self.checks.value(member.target, place, &path);
        }
        Ok(())
    }

    /// Reads any value as JSON.
    fn document(&mut self, token: Token<'t>, depth: usize) -> Result<Document, Rejection> {
        Ok(match token {
            Token::Null => Document::Null,
            Token::Boolean(value) => value.into(),
            Token::Integer(value) => value.into(),
            Token::Float(value) => value.into(),
            Token::Text(value) => value.into_owned().into(),
            Token::Bytes(value) => crate::text::encode_base64(&value).into(),
            Token::Timestamp(value) => (value.millis() as f64 / 1000.0).into(),
            Token::List(mut frame) => {
                let depth = self.deeper(depth)?;
                let mut list = Vec::new();
                while self.tokens.element(&mut frame)? {
                    let token = self.tokens.next()?;
                    list.push(self.document(token, depth)?);
                }
                list.into()
            }
            Token::Map(mut frame) => {
                let depth = self.deeper(depth)?;
                let mut map = serde_json::Map::new();
                while let Some(key) = self.tokens.key(&mut frame)? {
                    let token = self.tokens.next()?;
                    map.insert(key.into_owned(), self.document(token, depth)?);
                }
                map.into()
            }
        })
    }

    /// Reads a value that nobody wants.
    fn skip(&mut self, token: Token<'t>, depth: usize) -> Result<(), Rejection> {
        match token {
            Token::List(mut frame) => {
                let depth = self.deeper(depth)?;
                while self.tokens.element(&mut frame)? {
                    let token = self.tokens.next()?;
                    self.skip(token, depth)?;
                }
            }
            Token::Map(mut frame) => {
                let depth = self.deeper(depth)?;
                while self.tokens.key(&mut frame)?.is_some() {
                    let token = self.tokens.next()?;
                    self.skip(token, depth)?;
                }
            }
            _ => {}
        }
        Ok(())
    }
}

/// The member with this name; clients mostly send members in the model's order, so `guess` is tried first.
fn find(members: &[Member], key: &str, guess: usize, names: Names) -> Option<usize> {
    if members.get(guess).is_some_and(|member| names.of(member) == key) {
        return Some(guess);
    }
    members.iter().position(|member| names.of(member) == key)
}

/// The rejection of a union of which more than one member is set.
pub(crate) fn crowded_union(checks: &Checks<'_>) -> Rejection {
    match checks.style.union_message {
        "" => Rejection::Serialization("A union must have exactly one member set".to_owned()),
        message => Rejection::Invalid(message.to_owned()),
    }
}

/// A generated type and its schema that disagree would be a defect of the generator.
pub(crate) fn wrong_model(schema: &Schema) -> Rejection {
    Rejection::Serialization(format!("{} cannot be read", schema.name))
}

/// Fills a slot with a scalar; none if it is of another type.
fn scalar(slot: Slot<'_>, token: &Token<'_>) -> Option<()> {
    match (slot, token) {
        (Slot::Integer(value), _) => *value = i32::try_from(whole(token)?).ok()?,
        (Slot::Long(value), _) => *value = whole(token)?,
        (Slot::Float(value), _) => *value = real(token)? as f32,
        (Slot::Double(value), _) => *value = real(token)?,
        (Slot::Blob(value), Token::Bytes(given)) => *value = Bytes::copy_from_slice(given),
        (Slot::Blob(value), Token::Text(given)) => *value = decode_base64(given)?,
        (Slot::Timestamp(value), Token::Timestamp(given)) => *value = *given,
        (Slot::Timestamp(value), Token::Integer(given)) => *value = Timestamp::from_secs(*given),
        (Slot::Timestamp(value), Token::Float(given)) => *value = from_epoch_seconds(*given)?,
        (Slot::Timestamp(value), Token::Text(given)) => *value = parse_timestamp(given)?,
        _ => return None,
    }
    Some(())
}

fn whole(token: &Token<'_>) -> Option<i64> {
    match token {
        Token::Integer(value) => Some(*value),
        // Coral's reader cuts fractions off; a whole number may also come as 3.0 or 1E2.
        Token::Float(value) if value.abs() < 9.2e18 => Some(*value as i64),
        _ => None,
    }
}

fn real(token: &Token<'_>) -> Option<f64> {
    match token {
        Token::Integer(value) => Some(*value as f64),
        Token::Float(value) => Some(*value),
        Token::Text(text) if matches!(text.as_ref(), "NaN" | "Infinity" | "-Infinity") => {
            parse_float(text)
        }
        _ => None,
    }
}

/// Whether a member of the structure carries a streaming body, and which.
pub(crate) fn streaming(members: &[Member]) -> Option<usize> {
    members.iter().position(|member| {
        matches!(member.target.kind, Kind::Body) || member.flags.has(Flags::EVENT_STREAM)
    })
}
