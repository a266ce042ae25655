//! Whether two documents say the same.

use quick_xml::Reader;
use quick_xml::events::Event;
use serde_json::Value as Json;

/// Whether two JSON values are equal, with nulls absent and numbers compared by value.
pub(crate) fn same_json(wanted: &Json, found: &Json) -> bool {
    match (wanted, found) {
        (Json::Object(wanted), Json::Object(found)) => {
            let has = |map: &serde_json::Map<String, Json>, key: &str| {
                map.get(key).is_some_and(|value| !value.is_null())
            };
            wanted.iter().all(|(key, value)| {
                value.is_null() || found.get(key).is_some_and(|other| same_json(value, other))
            }) && found.keys().all(|key| !has(found, key) || has(wanted, key))
        }
        (Json::Array(wanted), Json::Array(found)) => {
            wanted.len() == found.len()
                && wanted.iter().zip(found).all(|(wanted, found)| same_json(wanted, found))
        }
        (Json::Number(wanted), Json::Number(found)) => {
            let difference = wanted.as_f64().zip(found.as_f64()).map(|(a, b)| (a - b).abs());
            difference.is_some_and(|difference| difference < 1e-6)
        }
        _ => wanted == found,
    }
}

/// An element without what does not matter: order of children, white space between elements.
#[derive(Debug, Default, PartialEq, PartialOrd)]
struct Element {
    name: String,
    attributes: Vec<(String, String)>,
    text: String,
    children: Vec<Element>,
}

/// Whether two XML documents are equal; request ids and the root's namespace are left aside.
pub(crate) fn same_xml(wanted: &str, found: &str) -> bool {
    match (parse(wanted), parse(found)) {
        (Some(mut wanted), Some(mut found)) => {
            for root in [&mut wanted, &mut found] {
                root.attributes.clear();
                root.name.clear();
                root.children.retain(|child| !is_identity(&child.name));
            }
            wanted == found
        }
        // A structure with no member set may be written or left out.
        (None, Some(mut element)) => {
            element.children.retain(|child| !is_identity(&child.name));
            element.children.is_empty() && element.text.is_empty()
        }
        (Some(_), None) => false,
        (None, None) => true,
    }
}

fn is_identity(name: &str) -> bool {
    ["requestid", "responsemetadata"].contains(&name.to_ascii_lowercase().as_str())
}

fn parse(text: &str) -> Option<Element> {
    let mut reader = Reader::from_str(text.trim());
    reader.config_mut().expand_empty_elements = true;
    let mut open = vec![Element::default()];
    loop {
        match reader.read_event().ok()? {
            Event::Start(tag) => {
                let attributes = tag.attributes().flatten();
                let attributes = attributes.map(|attribute| {
                    (attribute.key.as_ref().to_owned(), attribute.value.clone().into_owned())
                });
                let mut attributes: Vec<_> = attributes.collect();
                attributes.sort();
                let name = tag.name().as_ref().to_owned();
                open.push(Element { name, attributes, ..Element::default() });
            }
            Event::End(_) => {
                let mut done = open.pop()?;
                finish(&mut done);
                open.last_mut()?.children.push(done);
            }
            Event::Text(text) => open.last_mut()?.text.push_str(&text.xml10_content()),
            Event::CData(text) => open.last_mut()?.text.push_str(&text.xml10_content()),
            Event::GeneralRef(name) => {
                let text = match name.resolve_char_ref().ok()? {
                    Some(letter) => letter.to_string(),
                    None => match name.xml10_content().as_ref() {
                        "amp" => "&".to_owned(),
                        "lt" => "<".to_owned(),
                        "gt" => ">".to_owned(),
                        "quot" => "\"".to_owned(),
                        _ => "'".to_owned(),
                    },
                };
                open.last_mut()?.text.push_str(&text);
            }
            Event::Eof => break,
            _ => {}
        }
    }
    open.pop()?.children.pop()
}

fn finish(element: &mut Element) {
    if element.children.is_empty() {
        // EC2 shows milliseconds that are zero; other offsets than UTC's are the reader's matter.
        element.text = element.text.replace(".000Z", "Z").replace("+00:00", "Z");
        if element.text.trim().is_empty() {
            element.text.clear();
        }
        if let Ok(number) = element.text.parse::<f64>() {
            element.text = number.to_string();
        }
        return;
    }
    element.text.clear();
    // Map entries and members may come in any order; a list's elements are compared as a set too.
    element.children.sort_by(|left, right| format!("{left:?}").cmp(&format!("{right:?}")));
}
