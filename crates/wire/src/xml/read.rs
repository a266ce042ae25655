//! Parses XML into a small tree. No document type, no entity but XML's own five, no namespaces.

use quick_xml::Reader;
use quick_xml::events::{BytesRef, BytesStart, Event};

use crate::read::MAX_DEPTH;
use crate::tree::{Node, Rules, element_name};
use crate::{Flags, List, Map, Member, Rejection};

/// How many elements a document may have; a multipart upload's 10,000 parts take 100,000.
const MAX_ELEMENTS: usize = 500_000;

/// An element: its local name, attributes, text and children.
#[derive(Debug, Default)]
pub(crate) struct Element {
    pub(crate) name: String,
    attributes: Vec<(String, Element)>,
    text: String,
    children: Vec<Element>,
}

/// Elements of one name in one parent.
pub(crate) struct Nodes<'x>(Vec<&'x Element>);

impl<'x> Nodes<'x> {
    pub(crate) fn root(element: &'x Element) -> Nodes<'x> {
        Nodes(vec![element])
    }
}

fn malformed() -> Rejection {
    Rejection::Serialization("The XML is not well-formed".to_owned())
}

/// Parses a document into its root element; none if the document is blank.
pub(crate) fn parse(bytes: &[u8]) -> Result<Option<Element>, Rejection> {
    let text = std::str::from_utf8(bytes).map_err(|_| malformed())?;
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    if text.trim().is_empty() {
        return Ok(None);
    }
    let mut reader = Reader::from_str(text);
    reader.config_mut().expand_empty_elements = false;
    let mut open: Vec<Element> = vec![Element::default()];
    let mut elements = 0;
    loop {
        let event = reader.read_event().map_err(|_| malformed())?;
        elements += usize::from(matches!(event, Event::Start(_) | Event::Empty(_)));
        if elements > MAX_ELEMENTS {
            return Err(malformed());
        }
        match event {
            Event::Start(tag) => {
                if open.len() > MAX_DEPTH {
                    return Err(malformed());
                }
                open.push(element(&tag)?);
            }
            Event::Empty(tag) => last(&mut open)?.children.push(element(&tag)?),
            Event::End(_) => {
                let done = open.pop().ok_or_else(malformed)?;
                last(&mut open)?.children.push(done);
            }
            Event::Text(text) => last(&mut open)?.text.push_str(&text.xml10_content()),
            Event::CData(text) => last(&mut open)?.text.push_str(&text.xml10_content()),
            Event::GeneralRef(name) => last(&mut open)?.text.push(entity(&name)?),
            Event::DocType(_) => return Err(malformed()),
            Event::Comment(_) | Event::Decl(_) | Event::PI(_) => {}
            Event::Eof => break,
        }
    }
    let mut document = open.pop().filter(|_| open.is_empty()).ok_or_else(malformed)?;
    if document.children.len() != 1 || !document.text.trim().is_empty() {
        return Err(malformed());
    }
    Ok(document.children.pop())
}

fn last(open: &mut [Element]) -> Result<&mut Element, Rejection> {
    open.last_mut().ok_or_else(malformed)
}

fn element(tag: &BytesStart<'_>) -> Result<Element, Rejection> {
    let mut attributes = Vec::new();
    for attribute in tag.attributes() {
        let attribute = attribute.map_err(|_| malformed())?;
        let name = attribute.key.as_ref().to_owned();
        let value = unescape(&attribute.value)?;
        attributes.push((name, Element { text: value, ..Element::default() }));
    }
    let name = tag.local_name().as_ref().to_owned();
    Ok(Element { name, attributes, ..Element::default() })
}

/// Resolves the references in an attribute's value.
fn unescape(text: &str) -> Result<String, Rejection> {
    let mut whole = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('&') {
        let (name, tail) = after.split_once(';').ok_or_else(malformed)?;
        whole.push_str(before);
        whole.push(entity(&BytesRef::new(name))?);
        rest = tail;
    }
    whole.push_str(rest);
    Ok(whole)
}

fn entity(name: &BytesRef<'_>) -> Result<char, Rejection> {
    if let Some(letter) = name.resolve_char_ref().map_err(|_| malformed())? {
        return Ok(letter);
    }
    Ok(match name.xml10_content().as_ref() {
        "amp" => '&',
        "lt" => '<',
        "gt" => '>',
        "quot" => '"',
        "apos" => '\'',
        _ => return Err(malformed()),
    })
}

impl Element {
    fn named<'x>(&'x self, name: &str) -> Vec<&'x Element> {
        // Elements are known by their local names, whatever prefix the model or the client gives.
        let name = name.rsplit(':').next().unwrap_or(name);
        self.children.iter().filter(|child| child.name == name).collect()
    }
}

impl Node for Nodes<'_> {
    fn text(&self) -> &str {
        self.0.first().map_or("", |element| &element.text)
    }

    fn member(&self, member: &Member, _rules: Rules) -> Option<Self> {
        let element = self.0.first()?;
        if member.flags.has(Flags::XML_ATTRIBUTE) {
            let local = |name: &str| name.rsplit(':').next().map(str::to_owned);
            let found = element
                .attributes
                .iter()
                .find(|(name, _)| name == member.wire || local(name) == local(member.wire))?;
            return Some(Nodes(vec![&found.1]));
        }
        let mut found = element.named(element_name(member));
        if found.is_empty() {
            found = element.named(member.wire);
        }
        (!found.is_empty()).then_some(Nodes(found))
    }

    fn elements(&self, list: &List, flattened: bool) -> Vec<Self> {
        if flattened {
            return self.0.iter().map(|element| Nodes(vec![element])).collect();
        }
        let Some(element) = self.0.first() else { return Vec::new() };
        element.named(list.wire).into_iter().map(|child| Nodes(vec![child])).collect()
    }

    fn entries(&self, map: &Map, flattened: bool, _rules: Rules) -> Vec<(String, Self)> {
        let entries = match self.0.first() {
            Some(element) if !flattened => element.named("entry"),
            _ => self.0.clone(),
        };
        let entry = |entry: &Element| {
            let key = entry.children.iter().find(|child| child.name == map.key_wire)?.text.clone();
            Some((key, entry.children.iter().position(|child| child.name == map.value_wire)))
        };
        entries
            .into_iter()
            .filter_map(|element| {
                let (key, value) = entry(element)?;
                Some((key, Nodes(value.map(|at| &element.children[at]).into_iter().collect())))
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(xml: &str) -> Option<String> {
        parse(xml.as_bytes()).ok().flatten().map(|element| element.text)
    }

    #[test]
    fn text_is_kept_as_it_is() {
        assert_eq!(
            text("<a> x &amp; &#65;&#x42;<![CDATA[<c>]]>\n</a>"),
            Some(" x & AB<c>\n".into())
        );
        assert_eq!(text("<a/>"), Some(String::new()));
    }

    #[test]
    fn what_is_no_plain_document_is_refused() {
        for xml in [
            "<a>",
            "</a>",
            "<a></b>",
            "<a/><b/>",
            "x<a/>",
            "<a>&unknown;</a>",
            "<!DOCTYPE a [<!ENTITY e \"x\">]><a>&e;</a>",
            "<!DOCTYPE a><a/>",
            "<a b=\"&x;\"/>",
        ] {
            assert!(parse(xml.as_bytes()).is_err(), "{xml}");
        }
        let deep = "<a>".repeat(200) + &"</a>".repeat(200);
        assert!(parse(deep.as_bytes()).is_err());
        assert!(matches!(parse(b" \n"), Ok(None)));
    }
}
