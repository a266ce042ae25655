//! Reads npm's schema files: constants and array literals in a very small part of JavaScript.

use std::collections::BTreeMap;

use anyhow::{Context, Result, bail};

/// A literal.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Literal {
    /// A number, or numbers joined by `|`.
    Number(i64),
    /// A text.
    Text(String),
    /// A reference to another constant, behind an arrow or bare.
    Name(String),
    /// An array.
    Array(Vec<Literal>),
    /// An object; keys are what stands in brackets or before the colon.
    Object(Vec<(String, Literal)>),
}

/// Every top-level `const`, `var` or `export var` whose value is a literal. Names of texts are
/// replaced by the texts.
pub(crate) fn constants(source: &str) -> Result<BTreeMap<String, Literal>> {
    let mut found = BTreeMap::new();
    let mut texts = BTreeMap::new();
    let mut rest = source;
    while let Some(line_end) = rest.find('\n') {
        let line = &rest[..line_end];
        let Some((name, offset)) = declaration(line) else {
            rest = &rest[line_end + 1..];
            continue;
        };
        let mut reader = Reader { rest: &rest[offset..], texts: &texts };
        let Ok(value) = reader.value() else {
            rest = &rest[line_end + 1..];
            continue;
        };
        rest = reader.rest;
        if let Literal::Text(text) = &value {
            texts.insert(name.to_owned(), text.clone());
        }
        found.insert(name.to_owned(), value);
    }
    if found.is_empty() {
        bail!("no constant was found");
    }
    Ok(found)
}

/// The name that a line declares and where its value begins.
fn declaration(line: &str) -> Option<(&str, usize)> {
    let bare = line.strip_prefix("export ").unwrap_or(line);
    let bare = bare.strip_prefix("const ").or_else(|| bare.strip_prefix("var "))?;
    let (name, _) = bare.split_once(" = ")?;
    let offset = line.find(" = ")? + 3;
    Some((name, offset))
}

struct Reader<'a, 't> {
    rest: &'a str,
    texts: &'t BTreeMap<String, String>,
}

impl<'a> Reader<'a, '_> {
    fn eat(&mut self, token: &str) -> bool {
        self.rest = self.rest.trim_start();
        self.rest.strip_prefix(token).map(|rest| self.rest = rest).is_some()
    }

    fn expect(&mut self, token: &str) -> Result<()> {
        if self.eat(token) {
            return Ok(());
        }
        bail!("{token} was expected at {:.20}", self.rest)
    }

    /// A value, with what `|` joins to it.
    fn value(&mut self) -> Result<Literal> {
        let mut value = self.single()?;
        while self.eat("|") {
            match (&mut value, self.single()?) {
                (Literal::Number(left), Literal::Number(right)) => *left |= right,
                _ => bail!("only numbers are joined"),
            }
        }
        Ok(value)
    }

    fn single(&mut self) -> Result<Literal> {
        if self.eat("() =>") {
            return Ok(Literal::Name(self.name()?.to_owned()));
        }
        if self.eat("[") {
            return self.array();
        }
        if self.eat("{") {
            return self.object();
        }
        for quote in ["\"", "'", "`"] {
            if self.eat(quote) {
                let (text, rest) = self.rest.split_once(quote).context("a text has no end")?;
                self.rest = rest;
                return Ok(Literal::Text(text.to_owned()));
            }
        }
        let name = self.name()?;
        match name.parse() {
            Ok(number) => Ok(Literal::Number(number)),
            Err(_) => Ok(match self.texts.get(name) {
                Some(text) => Literal::Text(text.clone()),
                None => Literal::Name(name.to_owned()),
            }),
        }
    }

    fn array(&mut self) -> Result<Literal> {
        let mut items = Vec::new();
        while !self.eat("]") {
            items.push(self.value()?);
            if !self.eat(",") {
                self.expect("]")?;
                break;
            }
        }
        Ok(Literal::Array(items))
    }

    fn object(&mut self) -> Result<Literal> {
        let mut entries = Vec::new();
        while !self.eat("}") {
            let bracketed = self.eat("[");
            let key = self.name()?.to_owned();
            if bracketed {
                self.expect("]")?;
            }
            self.expect(":")?;
            let key = self.texts.get(&key).cloned().unwrap_or(key);
            entries.push((key, self.value()?));
            if !self.eat(",") {
                self.expect("}")?;
                break;
            }
        }
        Ok(Literal::Object(entries))
    }

    fn name(&mut self) -> Result<&'a str> {
        self.rest = self.rest.trim_start();
        let length = self
            .rest
            .find(|c: char| !c.is_ascii_alphanumeric() && !"_$-".contains(c))
            .unwrap_or(self.rest.len());
        if length == 0 {
            bail!("a name was expected at {:.20}", self.rest);
        }
        let (name, rest) = self.rest.split_at(length);
        self.rest = rest;
        Ok(name)
    }
}

impl Literal {
    /// The items of an array.
    pub(crate) fn items(&self) -> &[Literal] {
        match self {
            Literal::Array(items) => items,
            _ => &[],
        }
    }

    /// The text, if it is one.
    pub(crate) fn text(&self) -> Option<&str> {
        match self {
            Literal::Text(text) => Some(text),
            _ => None,
        }
    }

    /// The number, if it is one.
    pub(crate) fn number(&self) -> Option<i64> {
        match self {
            Literal::Number(number) => Some(*number),
            _ => None,
        }
    }

    /// An object's entry.
    pub(crate) fn get(&self, key: &str) -> Option<&Literal> {
        match self {
            Literal::Object(entries) => {
                entries.iter().find(|(name, _)| name == key).map(|(_, value)| value)
            }
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn literals_are_read_and_texts_resolved() {
        let source = "import x from \"y\";\nconst _A = \"Attr\";\nconst _xN = \"xmlName\";\n\
            export var T$ = [3, n0, _A,\n    { [_xN]: _A, id: `b`, n: -3 },\n    [_A],\n    \
            [[64 | 0, 16], () => U$], 1\n];\nvar call = new Thing(a);\n";
        let found = constants(source).unwrap();
        let items = found["T$"].items();
        assert_eq!(items[0], Literal::Number(3));
        assert_eq!(items[1], Literal::Name("n0".to_owned()));
        assert_eq!(items[2].text(), Some("Attr"));
        assert_eq!(items[3].get("xmlName").and_then(Literal::text), Some("Attr"));
        assert_eq!(items[3].get("n").and_then(Literal::number), Some(-3));
        assert_eq!(items[5].items()[0].items()[0].number(), Some(64));
        assert_eq!(items[5].items()[1], Literal::Name("U$".to_owned()));
        assert_eq!(items[6].number(), Some(1));
    }
}
