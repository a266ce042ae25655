//! Forms of `name.member.1=value`: how the query protocols write structures.

use std::cmp::Ordering;

use crate::text::{percent_decode, upper_first};
use crate::tree::{Node, Rules, element_name};
use crate::{Kind, List, Map, Member, Rejection};

/// How many parameters a form may have.
const MAX_PARAMETERS: usize = 100_000;

/// A form's parameters, sorted so that those below one name stand together.
pub(crate) struct Form(Vec<(String, String)>);

/// The parameters below one name.
#[derive(Clone, Copy)]
pub(crate) struct FormNode<'f> {
    pairs: &'f [(String, String)],
    /// The length of the name that all pairs have in common.
    at: usize,
}

impl Form {
    /// Parses `a=b&c=d`.
    pub(crate) fn parse(text: &str) -> Result<Form, Rejection> {
        let mut pairs = Vec::new();
        for pair in text.split('&').filter(|pair| !pair.is_empty()) {
            if pairs.len() == MAX_PARAMETERS {
                return Err(Rejection::Serialization("Too many parameters".to_owned()));
            }
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let decode = |text| percent_decode(text, true).into_owned();
            pairs.push((decode(name), decode(value)));
        }
        pairs.sort_by(|(left, _), (right, _)| compare(left, right));
        Ok(Form(pairs))
    }

    pub(crate) fn root(&self) -> FormNode<'_> {
        FormNode { pairs: &self.0, at: 0 }
    }
}

/// Orders names by their bytes with the dot before all others, so that `a.b` comes before `a-b`.
fn compare(left: &str, right: &str) -> Ordering {
    let rank = |byte: u8| if byte == b'.' { 0 } else { u16::from(byte) + 1 };
    left.bytes().map(rank).cmp(right.bytes().map(rank))
}

/// What follows in a pair's name after `start`.
fn rest(pair: &(String, String), start: usize) -> &str {
    pair.0.get(start..).unwrap_or("")
}

impl<'f> FormNode<'f> {
    /// What stands below `name`, if anything does.
    fn child(&self, name: &str) -> Option<FormNode<'f>> {
        let start = if self.at == 0 { 0 } else { self.at + 1 };
        let below = |rest: &str| match rest.strip_prefix(name) {
            Some(after) => after.is_empty() || after.starts_with('.'),
            None => false,
        };
        let first = self.pairs.partition_point(|pair| {
            pair.0.len() < start || compare(rest(pair, start), name) == Ordering::Less
        });
        let tail = &self.pairs[first..];
        let count = tail.partition_point(|pair| below(rest(pair, start)));
        (count > 0).then(|| FormNode { pairs: &tail[..count], at: start + name.len() })
    }

    /// The children with numbers for names, in the order of the numbers.
    fn numbered(&self) -> Vec<FormNode<'f>> {
        let mut nodes: Vec<(u32, FormNode<'f>)> = Vec::new();
        let start = if self.at == 0 { 0 } else { self.at + 1 };
        let mut from = 0;
        while let Some((name, _)) = self.pairs.get(from) {
            let first = |name: &'f str| name.get(start..).unwrap_or("").split('.').next();
            let segment = first(name).unwrap_or("");
            let same =
                |pair: &(String, String)| rest(pair, start).split('.').next() == Some(segment);
            let count = self.pairs[from..].partition_point(same).max(1);
            if let Ok(number) = segment.parse() {
                let pairs = &self.pairs[from..from + count];
                nodes.push((number, FormNode { pairs, at: start + segment.len() }));
            }
            from += count;
        }
        nodes.sort_by_key(|(number, _)| *number);
        nodes.into_iter().map(|(_, node)| node).collect()
    }
}

impl Node for FormNode<'_> {
    fn text(&self) -> &str {
        match self.pairs.first() {
            Some((name, value)) if name.len() == self.at => value,
            _ => "",
        }
    }

    fn member(&self, member: &Member, rules: Rules) -> Option<Self> {
        if rules.ec2 {
            return match member.query_name {
                "" => self.child(&upper_first(member.wire)),
                name => self.child(name),
            };
        }
        let name = element_name(member);
        self.child(name).or_else(|| {
            let other = rules.lenient || matches!(member.target.kind, Kind::List(_) | Kind::Map(_));
            if !other {
                return None;
            }
            self.child(member.wire).or_else(|| self.child(member.name))
        })
    }

    fn elements(&self, list: &List, flattened: bool) -> Vec<Self> {
        if flattened {
            return self.numbered();
        }
        // SDKs of one age write `Filters.Filter.1`, of another `Filters.member.1`.
        match self.child(list.wire).or_else(|| self.child("member")) {
            Some(below) => below.numbered(),
            None => self.numbered(),
        }
    }

    fn entries(&self, map: &Map, flattened: bool, rules: Rules) -> Vec<(String, Self)> {
        let below = if flattened { None } else { self.child("entry") };
        let nodes = below.unwrap_or(*self).numbered();
        let pick = |node: &Self, names: [&str; 4]| {
            let known = if rules.lenient { names.len() } else { 1 };
            names[..known].iter().find_map(|name| node.child(name))
        };
        let entry = |node: Self| {
            let key = pick(&node, [map.key_wire, "Key", "Name", "key"])?;
            let value = pick(&node, [map.value_wire, "Value", "value", "Value"])
                .unwrap_or(FormNode { pairs: &[], at: 0 });
            Some((key.text().to_owned(), value))
        };
        nodes.into_iter().filter_map(entry).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn form(text: &str) -> Form {
        Form::parse(text).expect("a form")
    }

    #[test]
    fn names_below_one_name_stand_together() {
        let form = form("Foo.1=a&Foo-x=b&Foo=c&Foo.10=d&Foo.2=e&Fo=f&Foo1.1=g");
        let node = form.root().child("Foo").expect("Foo");
        assert_eq!(node.text(), "c");
        let texts: Vec<_> = node.numbered().iter().map(|node| node.text().to_owned()).collect();
        assert_eq!(texts, ["a", "e", "d"]);
        assert_eq!(form.root().child("Fo").map(|node| node.text().to_owned()), Some("f".into()));
        assert!(form.root().child("F").is_none());
    }

    #[test]
    fn plus_and_percent_are_decoded() {
        let form = form("A=b+c%2Bd&B&=x&&");
        let text = |name: &str| form.root().child(name).map(|node| node.text().to_owned());
        assert_eq!(text("A"), Some("b c+d".into()));
        assert_eq!(text("B"), Some(String::new()));
    }
}
