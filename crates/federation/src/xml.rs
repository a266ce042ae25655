//! XML as signatures need it: documents without surprises, and Exclusive XML Canonicalization 1.0 (without comments).

use std::collections::BTreeMap;

use roxmltree::{Document, Node, NodeType, ParsingOptions};

/// How deep elements may lie in each other.
const MAX_DEPTH: usize = 64;
/// The most nodes of a document.
const MAX_NODES: u32 = 20_000;

/// Reads a document. Document types, which could define entities and identifiers, are refused.
pub(crate) fn parse(text: &str) -> Option<Document<'_>> {
    let options =
        ParsingOptions { allow_dtd: false, nodes_limit: MAX_NODES, ..ParsingOptions::default() };
    let document = Document::parse_with_options(text, options).ok()?;
    let is_deep = document.descendants().any(|node| node.ancestors().nth(MAX_DEPTH).is_some());
    (!is_deep).then_some(document)
}

/// The canonical form of an element without one of its descendants (its own signature). `inclusive` are the prefixes
/// whose namespaces are written although nothing uses them, `#default` for none.
pub(crate) fn canonical(
    element: Node<'_, '_>,
    without: Option<Node<'_, '_>>,
    inclusive: &[&str],
) -> Vec<u8> {
    let mut writer = Writer { out: String::new(), without, inclusive };
    writer.element(element, &BTreeMap::new());
    writer.out.into_bytes()
}

struct Writer<'a, 'i, 'p> {
    out: String,
    without: Option<Node<'a, 'i>>,
    inclusive: &'p [&'p str],
}

impl<'a, 'i> Writer<'a, 'i, '_> {
    fn element(&mut self, node: Node<'a, 'i>, outer: &BTreeMap<String, String>) {
        let name = written_name(node);
        let mut used = vec![prefix(name)];
        let mut attributes: Vec<_> = node
            .attributes()
            .map(|attribute| {
                let written = &node.document().input_text()[attribute.range_qname()];
                (
                    attribute.namespace().unwrap_or_default(),
                    attribute.name(),
                    written,
                    attribute.value(),
                )
            })
            .collect();
        attributes.sort_unstable();
        used.extend(
            attributes.iter().map(|(.., written, _)| prefix(written)).filter(|p| !p.is_empty()),
        );
        used.extend(self.inclusive.iter().map(|p| if *p == "#default" { "" } else { p }));
        used.sort_unstable();
        used.dedup();

        self.out.extend(["<", name]);
        let mut rendered = outer.clone();
        for prefix in used.into_iter().filter(|prefix| *prefix != "xml") {
            let namespace = node.lookup_namespace_uri((!prefix.is_empty()).then_some(prefix));
            let namespace = namespace.unwrap_or_default();
            let known = outer.get(prefix).map(String::as_str);
            // An absent default namespace is written only to undo one; an absent other prefix is not used at all.
            if known.unwrap_or_default() == namespace {
                continue;
            }
            match prefix {
                "" => self.out.push_str(" xmlns=\""),
                prefix => self.out.extend([" xmlns:", prefix, "=\""]),
            }
            self.escaped(namespace, true);
            self.out.push('"');
            rendered.insert(prefix.to_owned(), namespace.to_owned());
        }
        for (.., written, value) in attributes {
            self.out.extend([" ", written, "=\""]);
            self.escaped(value, true);
            self.out.push('"');
        }
        self.out.push('>');
        for child in node.children() {
            self.child(child, &rendered);
        }
        self.out.extend(["</", name, ">"]);
    }

    fn child(&mut self, node: Node<'a, 'i>, rendered: &BTreeMap<String, String>) {
        match node.node_type() {
            NodeType::Element if self.without == Some(node) => {}
            NodeType::Element => self.element(node, rendered),
            NodeType::Text => self.escaped(node.text().unwrap_or_default(), false),
            NodeType::PI => {
                if let Some(instruction) = node.pi() {
                    self.out.extend(["<?", instruction.target]);
                    if let Some(value) = instruction.value {
                        self.out.extend([" ", value]);
                    }
                    self.out.push_str("?>");
                }
            }
            NodeType::Comment | NodeType::Root => {}
        }
    }

    fn escaped(&mut self, text: &str, is_attribute: bool) {
        for character in text.chars() {
            match character {
                '&' => self.out.push_str("&amp;"),
                '<' => self.out.push_str("&lt;"),
                '>' if !is_attribute => self.out.push_str("&gt;"),
                '"' if is_attribute => self.out.push_str("&quot;"),
                '\t' if is_attribute => self.out.push_str("&#x9;"),
                '\n' if is_attribute => self.out.push_str("&#xA;"),
                '\r' => self.out.push_str("&#xD;"),
                character => self.out.push(character),
            }
        }
    }
}

/// An element's name as it is written, with its prefix, which the tree does not keep.
fn written_name<'a>(node: Node<'a, '_>) -> &'a str {
    let text = node.document().input_text().get(node.range()).unwrap_or_default();
    let text = text.strip_prefix('<').unwrap_or_default();
    let end = text.find(|c: char| c.is_ascii_whitespace() || c == '/' || c == '>');
    &text[..end.unwrap_or_default()]
}

fn prefix(name: &str) -> &str {
    name.split_once(':').map_or("", |(prefix, _)| prefix)
}

/// The child elements of this name.
pub(crate) fn children<'a, 'i>(
    node: Node<'a, 'i>,
    namespace: &'static str,
    name: &'static str,
) -> impl Iterator<Item = Node<'a, 'i>> {
    node.children().filter(move |child| child.is_element() && child.has_tag_name((namespace, name)))
}

/// The only child element of this name; `None` if there is none or more.
pub(crate) fn only<'a, 'i>(
    node: Node<'a, 'i>,
    namespace: &'static str,
    name: &'static str,
) -> Option<Node<'a, 'i>> {
    let mut found = children(node, namespace, name);
    found.next().filter(|_| found.next().is_none())
}

/// All the text of an element: also what a comment divides, which must not hide the end of a name.
pub(crate) fn text(node: Node<'_, '_>) -> String {
    let parts = node.descendants().filter(Node::is_text).filter_map(|part| part.text());
    parts.collect::<String>().trim().to_owned()
}
