//! The HTTP bindings of the REST protocols: labels, query, headers, payloads.

use std::borrow::Cow;

use bytes::BytesMut;
use http::{HeaderMap, HeaderName, HeaderValue};

use crate::check::{Checks, Elements, Path, Seen};
use crate::json::{Json, JsonWriter};
use crate::made::Made;
use crate::read::{Names, Reader};
use crate::request::{buffered, json_input};
use crate::text::{
    Query, decode_base64, encode_base64, parse_query, parse_timestamp, percent_decode,
};
use crate::tree::{Rules, TreeReader, flattened, is_scalar, text_slot};
use crate::xml::scalar_text;
use crate::{
    Body, Flags, Item, Kind, ListValue, Location, MapValue, Member, Protocol, Rejection, Request,
    Schema, Slot, Struct, Style, TimestampFormat, Value, xml,
};

/// Reads every part of a REST request into the input.
#[expect(clippy::too_many_arguments, reason = "the state of one decoding")]
pub(crate) fn decode(
    protocol: Protocol,
    style: &Style,
    request: &Request<'_>,
    body: Body,
    input: &mut dyn Struct,
    checks: &mut Checks<'_>,
    seen: &mut Seen,
    path: &Path<'_>,
) -> Result<(), Rejection> {
    let Kind::Structure(members) = &input.schema().kind else { return Ok(()) };
    let query = parse_query(request.raw_query);
    let hoisted;
    let headers = if style.xml == crate::XmlFlavour::S3 && is_presigned(&query) {
        hoisted = hoist(&query, request.headers);
        &hoisted
    } else {
        request.headers
    };
    // Most members are absent, and a look into the map costs more than one at a few bits.
    let names = headers.keys().fold(0, |names, name| names | name_bit(name.as_str()));
    checks.in_document = false;
    let mut payload = None;
    let mut document = false;
    for (index, member) in members.iter().enumerate() {
        let mut bound = Bound { checks, member, path: &path.member(member.name) };
        let given = match member.location {
            Location::Path => bound.label(request, input.member_mut(index))?,
            Location::Query => bound.query(&query, input.member_mut(index))?,
            Location::QueryParams => bound.params(&query, input.member_mut(index))?,
            Location::Header if names & name_bit(member.wire) == 0 => false,
            Location::Header if !may_have(headers, member.wire) => false,
            Location::Header => bound.header(headers, input.member_mut(index))?,
            Location::PrefixHeaders => bound.headers(headers, input.member_mut(index))?,
            Location::Payload => {
                payload = Some(index);
                continue;
            }
            Location::Body => {
                // A streaming member takes the whole body, whether or not the model says payload.
                if matches!(member.target.kind, Kind::Body) {
                    payload = Some(index);
                } else {
                    document = true;
                }
                continue;
            }
            Location::StatusCode => false,
        };
        if given {
            seen.insert(index);
        }
    }
    checks.in_document = true;
    let Some(index) = payload else {
        return match document {
            true => read_document(protocol, body, input, checks, seen, path),
            false => Ok(()),
        };
    };
    let (member, slot) = (&members[index], input.member_mut(index));
    if read_payload(protocol, style, member, body, slot, checks, path)? {
        seen.insert(index);
    }
    Ok(())
}

fn read_document(
    protocol: Protocol,
    body: Body,
    input: &mut dyn Struct,
    checks: &mut Checks<'_>,
    seen: &mut Seen,
    path: &Path<'_>,
) -> Result<(), Rejection> {
    let bytes = buffered(&body)?;
    if protocol == Protocol::RestJson1 {
        return json_input(&bytes, checks, Names::Wire, input, seen, true, path);
    }
    let Some(root) = xml::parse(&bytes)? else { return Ok(()) };
    let mut reader = TreeReader { checks, rules: Rules::default() };
    reader.members(&xml::Nodes::root(&root), input, seen, true, path, 0)
}

/// Reads the member that is the whole body; false if there is none.
fn read_payload(
    protocol: Protocol,
    style: &Style,
    member: &'static Member,
    body: Body,
    place: &mut dyn Value,
    checks: &mut Checks<'_>,
    path: &Path<'_>,
) -> Result<bool, Rejection> {
    let path = path.member(member.name);
    if matches!(member.target.kind, Kind::Body) || member.flags.has(Flags::EVENT_STREAM) {
        return match place.slot() {
            Slot::Body(slot) => {
                *slot = body;
                Ok(true)
            }
            _ => Ok(false),
        };
    }
    let bytes = buffered(&body)?;
    if bytes.is_empty() {
        return Ok(false);
    }
    match place.slot() {
        Slot::Blob(slot) => *slot = bytes,
        slot @ (Slot::Text(_) | Slot::Enum(_)) => {
            let text = std::str::from_utf8(&bytes)
                .map_err(|_| Rejection::Serialization("The body is not UTF-8".to_owned()))?;
            text_slot(checks, text, member.target, slot)
                .map_err(|expected| Rejection::Serialization(format!("Expected {expected}")))?;
        }
        slot if protocol == Protocol::RestJson1 => {
            let mut reader = Reader::new(Json::new(&bytes)?, checks, Names::Wire);
            let given = reader.whole(member.target, slot, &path)?;
            reader.tokens.end()?;
            if !given {
                return Ok(false);
            }
        }
        slot => {
            let Some(root) = xml::parse(&bytes)? else { return Ok(false) };
            if style.xml == crate::XmlFlavour::S3 && !is_root(member, &root.name) {
                return Err(Rejection::Serialization("An element of another name".to_owned()));
            }
            let mut reader = TreeReader { checks, rules: Rules::default() };
            let node = xml::Nodes::root(&root);
            reader.fill(&node, member.target, flattened(member), slot, &path, 0)?;
        }
    }
    checks.value(member.target, place, &path);
    Ok(true)
}

/// Whether the payload's root element bears a name that S3 takes for it. It takes both the
/// member's and the shape's.
fn is_root(member: &Member, name: &str) -> bool {
    [member.wire, member.name, member.target.name].contains(&name)
}

/// Whether the query carries a signature, of version 4 or 2.
fn is_presigned(query: &Query<'_>) -> bool {
    let has = |wanted: &str| query.iter().any(|(name, _)| name.eq_ignore_ascii_case(wanted));
    has("x-amz-signature") || (has("AWSAccessKeyId") && has("Signature"))
}

/// The headers with those that the maker of a presigned URL moved into its query.
///
/// S3 looks at no checksum there. It must not: the SDK for JavaScript puts that of an empty body into every URL for an
/// upload, since it does not know what will be uploaded.
fn hoist(query: &Query<'_>, headers: &HeaderMap) -> HeaderMap {
    let mut headers = headers.clone();
    for (name, value) in query {
        let name = name.to_ascii_lowercase();
        let is_header = name.starts_with("x-amz-") && !is_checksum(&name);
        if is_header && !headers.contains_key(&name) {
            insert(&mut headers, &name, value);
        }
    }
    headers
}

/// Whether a header states a checksum, or of which algorithm it is.
fn is_checksum(name: &str) -> bool {
    match name.strip_prefix("x-amz-checksum-") {
        Some(rest) => !matches!(rest, "algorithm" | "mode" | "type"),
        None => name == "x-amz-sdk-checksum-algorithm",
    }
}

/// A member bound to something other than the body.
struct Bound<'b, 's> {
    checks: &'b mut Checks<'s>,
    member: &'static Member,
    path: &'b Path<'b>,
}

impl Bound<'_, '_> {
    fn label(&mut self, request: &Request<'_>, place: &mut dyn Value) -> Result<bool, Rejection> {
        let found = request.labels.iter().find(|(name, _)| *name == self.member.wire);
        match found {
            Some((_, raw)) => self.text(&percent_decode(raw, false), place),
            None => Ok(false),
        }
    }

    fn query(&mut self, query: &Query<'_>, place: &mut dyn Value) -> Result<bool, Rejection> {
        let mut given = query
            .iter()
            .filter(|(name, _)| name == self.member.wire)
            .map(|(_, value)| &**value)
            .peekable();
        let Some(first) = given.peek().copied() else { return Ok(false) };
        if let Kind::List(_) = self.member.target.kind {
            let texts: Vec<_> = given.collect();
            return self.list(&texts, place).map(|()| true);
        }
        self.text(first, place)
    }

    /// Reads every parameter into a map, also those that other members take.
    fn params(&mut self, query: &Query<'_>, place: &mut dyn Value) -> Result<bool, Rejection> {
        let Kind::Map(shape) = &self.member.target.kind else { return Ok(false) };
        let Slot::Map(map) = place.slot() else { return Ok(false) };
        for (index, (name, value)) in query.iter().enumerate() {
            if query[..index].iter().any(|(known, _)| known == name) {
                continue;
            }
            match map.insert(name.clone().into_owned()).slot() {
                Slot::List(list) => {
                    let Kind::List(inner) = &shape.value.kind else { continue };
                    for (_, value) in query.iter().filter(|(other, _)| other == name) {
                        self.element(value, inner.member, list)?;
                    }
                }
                slot => self.scalar(value, shape.value, slot)?,
            }
        }
        self.checks.value(self.member.target, place, self.path);
        Ok(true)
    }

    fn header(&mut self, headers: &HeaderMap, place: &mut dyn Value) -> Result<bool, Rejection> {
        let mut values = headers.get_all(self.member.wire).iter().map(header_text);
        let Some(first) = values.next() else { return Ok(false) };
        let joined = values.fold(first, |joined, value| joined + "," + value);
        if let Kind::List(list) = &self.member.target.kind {
            let texts = split_header(&joined, list.member);
            let texts: Vec<_> = texts.iter().map(String::as_str).collect();
            return self.list(&texts, place).map(|()| true);
        }
        if self.member.flags.has(Flags::JSON_VALUE) {
            let json =
                decode_base64(&joined).and_then(|json| String::from_utf8(json.to_vec()).ok());
            let json = json.ok_or_else(|| self.wrong(&joined, "JSON value"))?;
            if let Slot::Document(document) = place.slot() {
                *document =
                    serde_json::from_str(&json).map_err(|_| self.wrong(&json, "JSON value"))?;
                return Ok(true);
            }
            return self.text(&json, place);
        }
        if self.is_void(&joined) {
            return Ok(false);
        }
        self.text(&joined, place)
    }

    /// Whether a condition upon a date names none: recipients must ignore it then (RFC 9110, 13.1.3 and 13.1.4).
    fn is_void(&self, text: &str) -> bool {
        matches!(self.member.target.kind, Kind::Timestamp(_))
            && self.member.wire.to_ascii_lowercase().ends_with("modified-since")
            && parse_timestamp(text).is_none()
    }

    /// Reads the headers that share a prefix.
    fn headers(&mut self, headers: &HeaderMap, place: &mut dyn Value) -> Result<bool, Rejection> {
        let prefix = self.member.wire.to_ascii_lowercase();
        let Slot::Map(map) = place.slot() else { return Ok(false) };
        for name in headers.keys() {
            let Some(key) = name.as_str().strip_prefix(&prefix) else { continue };
            let texts: Vec<_> = headers.get_all(name).iter().map(latin_1).collect();
            if let Slot::Text(text) = map.insert(key.to_owned()).slot() {
                *text = texts.join(",");
            }
        }
        self.checks.value(self.member.target, place, self.path);
        Ok(true)
    }

    fn text(&mut self, text: &str, place: &mut dyn Value) -> Result<bool, Rejection> {
        if text.is_empty() && is_scalar(self.member.target) {
            return Ok(false);
        }
        self.scalar(text, self.member.target, place.slot())?;
        self.checks.value(self.member.target, place, self.path);
        Ok(true)
    }

    fn list(&mut self, texts: &[&str], place: &mut dyn Value) -> Result<(), Rejection> {
        let Kind::List(shape) = &self.member.target.kind else { return Ok(()) };
        let Slot::List(list) = place.slot() else { return Ok(()) };
        let mut elements = Elements::default();
        for (index, text) in texts.iter().enumerate() {
            self.element(text, shape.member, list)?;
            let value = list.at(index);
            self.checks.element(&mut elements, shape.member, value, || index.to_string());
        }
        self.checks.list(&elements, shape, list, self.path);
        self.checks.value(self.member.target, place, self.path);
        Ok(())
    }

    fn element(
        &mut self,
        text: &str,
        schema: &'static Schema,
        list: &mut dyn ListValue,
    ) -> Result<(), Rejection> {
        self.scalar(text, schema, list.push().slot())
    }

    fn scalar(&mut self, text: &str, schema: &Schema, slot: Slot<'_>) -> Result<(), Rejection> {
        text_slot(self.checks, text, schema, slot).map_err(|expected| self.wrong(text, expected))
    }

    fn wrong(&self, text: &str, expected: &'static str) -> Rejection {
        let expected = if expected == "Long" { "Integer" } else { expected };
        Rejection::Argument { name: self.member.wire.to_owned(), value: text.to_owned(), expected }
    }
}

/// A bit for a header's name, in any case; names may share one.
fn name_bit(name: &str) -> u64 {
    let last = name.bytes().last().unwrap_or_default().to_ascii_lowercase();
    1 << ((31 * name.len() + usize::from(last)) % 64)
}

/// Whether a header of this name may be there. To go through a few costs less than to parse a name and look for it.
fn may_have(headers: &HeaderMap, name: &str) -> bool {
    headers.keys_len() > 24 || headers.keys().any(|known| known.as_str().eq_ignore_ascii_case(name))
}

fn header_text(value: &HeaderValue) -> Cow<'_, str> {
    String::from_utf8_lossy(value.as_bytes())
}

/// A header's value in ISO 8859-1, in which S3 was seen to read user metadata, the only headers with a prefix.
fn latin_1(value: &HeaderValue) -> String {
    value.as_bytes().iter().copied().map(char::from).collect()
}

/// Splits `a, "b, c", d`. HTTP dates hold a comma themselves.
fn split_header(text: &str, element: &Schema) -> Vec<String> {
    if let Kind::Timestamp(format) = &element.kind
        && format.is_none_or(|format| format == TimestampFormat::HttpDate)
    {
        let parts: Vec<_> = text.split(',').collect();
        return parts.chunks(2).map(|pair| pair.join(",").trim().to_owned()).collect();
    }
    let mut texts = Vec::new();
    let mut current = String::new();
    let mut quoted = false;
    let mut letters = text.trim().chars();
    while let Some(letter) = letters.next() {
        match letter {
            '"' => quoted = !quoted,
            '\\' if quoted => current.extend(letters.next()),
            ',' if !quoted => texts.push(std::mem::take(&mut current).trim().to_owned()),
            _ => current.push(letter),
        }
    }
    texts.push(current.trim().to_owned());
    if texts == [""] { Vec::new() } else { texts }
}

/// What a REST output puts outside of the document.
pub(crate) struct Bindings {
    pub(crate) status: Option<u16>,
    pub(crate) headers: HeaderMap,
    /// Room for the texts of more headers.
    pub(crate) texts: Texts,
    /// The member that is the whole body.
    pub(crate) payload: Option<usize>,
    /// Whether some member stands in the document.
    pub(crate) document: bool,
}

/// The names of the headers that a structure's members are, by their index.
type HeaderNames = [Option<HeaderName>];

/// To parse the names for every answer would cost more than to write it.
static NAMES: Made<HeaderNames, 4096> = Made::new();

/// Room for the headers of most answers.
const FEW_HEADERS: usize = 12;

fn header_names(schema: &'static Schema, members: &[Member]) -> &'static HeaderNames {
    let name = |member: &Member| {
        let is_header = member.location == Location::Header;
        is_header.then(|| HeaderName::from_bytes(member.wire.as_bytes()).ok()).flatten()
    };
    NAMES.of(schema, || members.iter().map(name).collect())
}

/// Collects the members that stand outside of the document.
pub(crate) fn bindings(output: &dyn Struct) -> Bindings {
    let headers = HeaderMap::with_capacity(FEW_HEADERS);
    let texts = Texts(BytesMut::with_capacity(FEW_HEADERS * 16));
    let mut bindings = Bindings { status: None, headers, texts, payload: None, document: false };
    let Kind::Structure(members) = &output.schema().kind else { return bindings };
    let names = header_names(output.schema(), members);
    for (index, member) in members.iter().enumerate() {
        match member.location {
            Location::Header => {
                let item = output.member(index).item();
                if !matches!(item, Item::Absent)
                    && let Some(name) = &names[index]
                {
                    let Bindings { headers, texts, .. } = &mut bindings;
                    write_header(headers, texts, name, member, &item);
                }
            }
            Location::PrefixHeaders => {
                if let Item::Map(map) = output.member(index).item() {
                    write_headers(&mut bindings.headers, member, map);
                }
            }
            Location::StatusCode => {
                if let Item::Integer(status) = output.member(index).item() {
                    bindings.status = u16::try_from(status).ok();
                }
            }
            Location::Payload => bindings.payload = Some(index),
            Location::Body if matches!(member.target.kind, Kind::Body) => {
                bindings.payload = Some(index);
            }
            Location::Body | Location::Query | Location::QueryParams | Location::Path => {
                bindings.document = true;
            }
        }
    }
    bindings
}

/// The texts of headers, one behind the other: many small ones cost more to allocate than to write.
pub(crate) struct Texts(BytesMut);

impl Texts {
    pub(crate) fn value(&mut self, text: &str) -> Option<HeaderValue> {
        if let Some(value) = common(text) {
            return Some(value);
        }
        self.0.extend_from_slice(text.as_bytes().trim_ascii());
        HeaderValue::from_maybe_shared(self.0.split().freeze()).ok()
    }

    fn number(&mut self, number: i64) -> Option<HeaderValue> {
        // The digits of the longest number, and its sign.
        let (mut digits, mut at, mut rest) = ([0; 20], 20, number.unsigned_abs());
        while rest > 0 || at == 20 {
            at -= 1;
            digits[at] = b'0' + (rest % 10) as u8;
            rest /= 10;
        }
        if number < 0 {
            self.0.extend_from_slice(b"-");
        }
        self.0.extend_from_slice(&digits[at..]);
        HeaderValue::from_maybe_shared(self.0.split().freeze()).ok()
    }
}

/// Texts that almost every answer of S3 has, which need not be copied.
fn common(text: &str) -> Option<HeaderValue> {
    Some(match text {
        "bytes" => HeaderValue::from_static("bytes"),
        "AES256" => HeaderValue::from_static("AES256"),
        "CRC64NVME" => HeaderValue::from_static("CRC64NVME"),
        "FULL_OBJECT" => HeaderValue::from_static("FULL_OBJECT"),
        "application/octet-stream" => HeaderValue::from_static("application/octet-stream"),
        "binary/octet-stream" => HeaderValue::from_static("binary/octet-stream"),
        _ => return None,
    })
}

/// Adds a header, unless its name or value cannot stand in one.
pub(crate) fn insert(headers: &mut HeaderMap, name: &str, text: &str) {
    let value = HeaderValue::from_bytes(text.as_bytes().trim_ascii());
    if let (Ok(name), Ok(value)) = (HeaderName::from_bytes(name.as_bytes()), value) {
        headers.insert(name, value);
    }
}

fn write_header(
    headers: &mut HeaderMap,
    texts: &mut Texts,
    name: &HeaderName,
    member: &Member,
    item: &Item<'_>,
) {
    let format = TimestampFormat::HttpDate;
    let value = match item {
        Item::List(list) => {
            let Kind::List(shape) = &member.target.kind else { return };
            let elements: Vec<_> = (0..list.len())
                .filter_map(|index| {
                    let item = list.at(index).item();
                    let text = scalar_text(shape.member, None, &item, format, false)?;
                    Some(quote(text, shape.member))
                })
                .collect();
            if elements.is_empty() { None } else { texts.value(&elements.join(", ")) }
        }
        Item::Document(value) => texts.value(&encode_base64(value.to_string().as_bytes())),
        Item::Text(text) if member.flags.has(Flags::JSON_VALUE) => {
            texts.value(&encode_base64(text.as_bytes()))
        }
        Item::Text(text) => texts.value(text),
        Item::Integer(number) => texts.number(i64::from(*number)),
        Item::Long(number) => texts.number(*number),
        item => {
            let own_format = member.timestamp_format;
            let text = scalar_text(member.target, own_format, item, format, false);
            text.and_then(|text| texts.value(&text))
        }
    };
    if let Some(value) = value {
        headers.insert(name.clone(), value);
    }
}

/// Puts an element of a header list in quotes where it would otherwise be split.
fn quote(text: String, schema: &Schema) -> String {
    let plain = !matches!(schema.kind, Kind::String | Kind::Enum(_)) || !text.contains([',', '"']);
    if plain { text } else { format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\"")) }
}

fn write_headers(headers: &mut HeaderMap, member: &Member, map: &dyn MapValue) {
    map.each(&mut |key, value| {
        if let Item::Text(text) = value.item() {
            insert(headers, &format!("{}{key}", member.wire), text);
        }
    });
}

/// Writes the members of a restJson document.
pub(crate) fn json_document(output: &dyn Struct) -> Vec<u8> {
    let mut out = Vec::with_capacity(256);
    JsonWriter { out: &mut out, names: Names::Wire }.structure(output, true);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_texts_become_values_of_headers() {
        let mut texts = Texts(BytesMut::new());
        for number in [0, 7, -1, 1024, i64::MAX, i64::MIN] {
            let value = texts.number(number).expect("a value");
            assert_eq!(value.to_str().expect("digits"), number.to_string());
        }
        for text in ["bytes", "AES256", "text/plain", ""] {
            assert_eq!(texts.value(text).expect("a value"), text);
        }
        assert_eq!(texts.value("line\nbreak"), None);
    }
}
