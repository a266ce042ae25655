//! Inputs made up from the model alone, so that a test can go through all operations.

use fancy_regex::Regex;
use fogbank_core::wire::{Constraint, Flags, Kind, Member, Schema};
use serde_json::{Map, Value, json};

/// How deep structures are filled with what they need not have.
const DEPTH: usize = 5;

/// How an input is made up.
pub struct Plausible<'a> {
    /// Whether members are given that need not be.
    pub whole: bool,
    /// Which members of the input itself are given in any case, by name.
    pub needed: &'a dyn Fn(&str) -> bool,
    /// What is given for a member of this name, if it is of the member's kind; `None` makes something up, `Some(Null)`
    /// leaves it out.
    pub hint: &'a dyn Fn(&str) -> Option<Value>,
}

/// Texts that are tried where a pattern has to be matched.
const TEXTS: &[&str] = &[
    "plausible",
    "plausible.example",
    "000000000000",
    "arn:aws:iam::000000000000:role/plausible",
    "AKIAPLAUSIBLE0000000",
    "0b8f1a52-5a3b-4c1d-9e0f-000000000000",
    "/plausible/",
    "us-east-1",
    "o-plausible0",
    "r-plau",
    "ou-plau-plausible",
    "p-plausible0",
    "h-plausible",
    "car-plausible0",
    "a@plausible.example",
    "1",
];

impl Plausible<'_> {
    /// A structure by the model's member names, as calls from inside take it. Where nothing comes to mind that fits a
    /// pattern, the text does not fit, and a hint is needed.
    pub fn input(&self, schema: &'static Schema) -> Value {
        match &schema.kind {
            Kind::Structure(members) => self.structure(members, 0),
            _ => json!({}),
        }
    }

    fn structure(&self, members: &'static [Member], depth: usize) -> Value {
        let mut object = Map::new();
        for member in members {
            let is_required = member.flags.has(Flags::REQUIRED);
            let hint = self.hint(member.name, member.target);
            let is_needed = depth == 0 && (self.needed)(member.name);
            let is_wanted = is_required || is_needed || (self.whole && depth < DEPTH);
            let value = match hint {
                Some(value) => is_wanted.then_some(value),
                None if is_wanted => self.value(member.name, member.target, depth),
                None => None,
            };
            if let Some(value) = value.filter(|value| !value.is_null()) {
                object.insert(member.name.to_owned(), value);
            }
        }
        object.into()
    }

    fn hint(&self, name: &str, schema: &Schema) -> Option<Value> {
        (self.hint)(name).filter(|hint| match &schema.kind {
            Kind::Map(_) | Kind::Structure(_) | Kind::Union(_) => {
                !hint.is_array() && !hint.is_string()
            }
            Kind::List(_) => hint.is_array() || hint.is_null(),
            _ => !hint.is_array() && !hint.is_object(),
        })
    }

    fn value(&self, name: &str, schema: &'static Schema, depth: usize) -> Option<Value> {
        let limits = &schema.constraint;
        let number = limits.min.unwrap_or(1).max(1).min(limits.max.unwrap_or(i64::MAX));
        Some(match &schema.kind {
            Kind::String => text(limits).into(),
            Kind::Enum(values) => values.first().copied()?.into(),
            Kind::Integer | Kind::Long => number.into(),
            Kind::Float | Kind::Double => json!(number as f64),
            Kind::Boolean => true.into(),
            Kind::Blob => "cGxhdXNpYmxl".into(),
            Kind::Timestamp(_) => 1_767_225_600.into(),
            Kind::Document => json!({}),
            Kind::Body => return None,
            Kind::List(list) => {
                let element =
                    (self.hint)(name).or_else(|| self.value(name, list.member, depth + 1));
                let element = element?;
                Value::Array(vec![element; usize::try_from(number).unwrap_or(1)])
            }
            Kind::Map(map) => {
                let key = self.value(name, map.key, depth + 1)?;
                let value = self.value(name, map.value, depth + 1)?;
                let mut object = Map::new();
                object.insert(key.as_str()?.to_owned(), value);
                object.into()
            }
            Kind::Structure(members) => self.structure(members, depth + 1),
            Kind::Union(members) => {
                let member = members.first()?;
                let value = self.value(member.name, member.target, depth + 1)?;
                json!({ member.name: value })
            }
        })
    }
}

fn text(limits: &Constraint) -> String {
    let (min, max) = (limits.min.unwrap_or(0), limits.max.unwrap_or(i64::MAX));
    let fits = |text: &str| {
        let len = i64::try_from(text.chars().count()).unwrap_or(i64::MAX);
        let matches = |pattern: &str| {
            pattern.is_empty()
                || Regex::new(&format!(r"\A(?:{pattern})\z"))
                    .is_ok_and(|regex| regex.is_match(text).unwrap_or(false))
        };
        (min..=max).contains(&len) && limits.pattern.is_none_or(|(_, pattern)| matches(pattern))
    };
    let padded = "plausible".repeat(usize::try_from(min).unwrap_or(0) / 9 + 1);
    let short = usize::try_from(max.min(9)).unwrap_or(9);
    TEXTS
        .iter()
        .copied()
        .chain([&*padded, &padded[..short]])
        .find(|text| fits(text))
        .unwrap_or(TEXTS[0])
        .to_owned()
}
