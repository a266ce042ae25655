//! Constraints, checked while a request is read, and AWS's words for those that are broken.

use std::fmt::Write;

use crate::rejection::MAX_VIOLATIONS;
use crate::text::lower_first;
use crate::{
    Flags, Item, Kind, List, ListValue, Location, Map, MapValue, Member, Rejection, Schema, Shown,
    Style, UnionValue, Value, Violation, pattern,
};

/// Where a value stands in the input. It lives on the stack and becomes text only in a violation.
#[derive(Clone, Copy)]
pub(crate) struct Path<'a> {
    parent: Option<&'a Path<'a>>,
    step: Step<'a>,
}

#[derive(Clone, Copy)]
enum Step<'a> {
    Root(&'static str),
    Member(&'static str),
    Index(usize),
    Key(&'a str),
}

impl<'a> Path<'a> {
    pub(crate) fn root(input: &'static Schema, style: &Style) -> Path<'a> {
        Path { parent: None, step: Step::Root(if style.prefixed_paths { input.name } else { "" }) }
    }

    pub(crate) fn member(&'a self, name: &'static str) -> Path<'a> {
        Path { parent: Some(self), step: Step::Member(name) }
    }

    pub(crate) fn index(&'a self, index: usize) -> Path<'a> {
        Path { parent: Some(self), step: Step::Index(index) }
    }

    pub(crate) fn key(&'a self, key: &'a str) -> Path<'a> {
        Path { parent: Some(self), step: Step::Key(key) }
    }

    fn text(&self) -> String {
        let mut text = self.parent.map_or_else(String::new, Path::text);
        if !text.is_empty() {
            text.push('.');
        }
        let written = match self.step {
            Step::Root(name) => {
                // API Gateway names the shape UpdateRestApiRequest `updateRestApiInput`.
                match name.strip_suffix("Request") {
                    Some(stem) => write!(text, "{}Input", lower_first(stem)),
                    None => write!(text, "{}", lower_first(name)),
                }
            }
            Step::Member(name) => write!(text, "{}", lower_first(name)),
            Step::Index(index) => write!(text, "{}.member", index + 1),
            Step::Key(key) => write!(text, "{key}.member"),
        };
        debug_assert!(written.is_ok());
        text
    }
}

/// Which members of a structure were given.
#[derive(Default)]
pub(crate) struct Seen(smallvec::SmallVec<[u64; 2]>);

impl Seen {
    /// Marks a member; false if it was marked before.
    pub(crate) fn insert(&mut self, index: usize) -> bool {
        let (word, bit) = (index / 64, 1 << (index % 64));
        if self.0.len() <= word {
            self.0.resize(word + 1, 0);
        }
        let fresh = self.0[word] & bit == 0;
        self.0[word] |= bit;
        fresh
    }

    pub(crate) fn has(&self, index: usize) -> bool {
        self.0.get(index / 64).is_some_and(|word| word & (1 << (index % 64)) != 0)
    }
}

/// What went wrong with the elements of one list or the values of one map. AWS reports them together,
/// at the container.
#[derive(Default)]
pub(crate) struct Elements {
    broken: bool,
    broken_keys: bool,
    /// Texts that no variant of the enumeration has, by their index or key.
    unknown: Vec<(String, String)>,
}

/// Collects violations.
pub(crate) struct Checks<'s> {
    pub(crate) style: &'s Style,
    pub(crate) violations: Vec<Violation>,
    /// Whether what is read now stands in the request's document.
    pub(crate) in_document: bool,
    /// The text that the enumeration just read does not have.
    pub(crate) unknown_variant: Option<String>,
}

impl<'s> Checks<'s> {
    pub(crate) fn new(style: &'s Style) -> Checks<'s> {
        Checks { style, violations: Vec::new(), in_document: true, unknown_variant: None }
    }

    pub(crate) fn finish(self) -> Result<(), Rejection> {
        if self.violations.is_empty() {
            Ok(())
        } else {
            Err(Rejection::Validation(self.violations))
        }
    }

    fn report(&mut self, value: Shown, path: &Path<'_>, constraint: String) {
        if self.violations.len() < MAX_VIOLATIONS {
            let in_document = self.in_document;
            self.violations.push(Violation { value, path: path.text(), constraint, in_document });
        }
    }

    /// Reports the required members that were not given. `member`: which of them concern us.
    pub(crate) fn required(
        &mut self,
        members: &'static [Member],
        seen: &Seen,
        path: &Path<'_>,
        concerns: impl Fn(&Member) -> bool,
    ) {
        for (index, member) in members.iter().enumerate() {
            if member.flags.has(Flags::REQUIRED) && !seen.has(index) && concerns(member) {
                // Observed with Cognito: not even the lack of a sensitive value is shown.
                let shown = if member.target.sensitive { Shown::Hidden } else { Shown::Null };
                let constraint = "Member must not be null".to_owned();
                self.in_document = matches!(member.location, Location::Body | Location::Payload);
                self.report(shown, &path.member(member.name), constraint);
            }
        }
    }

    /// Checks a value that was just read, and reports what it breaks.
    pub(crate) fn value(&mut self, schema: &'static Schema, value: &dyn Value, path: &Path<'_>) {
        if let Some(text) = self.unknown_variant.take() {
            let shown = if schema.sensitive { Shown::Hidden } else { Shown::Text(text) };
            let constraint = enum_text(schema);
            return self.report(shown, path, constraint);
        }
        if !constrained(schema) || keeps(schema, &value.item()) {
            return;
        }
        let shown = shown(schema, &value.item());
        for constraint in broken(schema, &value.item()) {
            self.report(shown.clone(), path, constraint);
        }
    }

    /// Notes whether an element that was just read breaks its constraints.
    pub(crate) fn element(
        &mut self,
        elements: &mut Elements,
        schema: &'static Schema,
        value: &dyn Value,
        place: impl FnOnce() -> String,
    ) {
        if let Some(text) = self.unknown_variant.take() {
            elements.broken = true;
            elements.unknown.push((place(), text));
        } else if !elements.broken && constrained(schema) && !keeps(schema, &value.item()) {
            elements.broken = true;
        }
    }

    /// Notes whether a map's key breaks its constraints.
    pub(crate) fn key(&mut self, elements: &mut Elements, schema: &'static Schema, key: &str) {
        if let Kind::Enum(names) = schema.kind {
            elements.broken_keys |= !names.contains(&key);
        }
        elements.broken_keys |= constrained(schema) && !keeps(schema, &Item::Text(key));
    }

    /// Reports what [`Checks::element`] noted for a list.
    pub(crate) fn list(
        &mut self,
        elements: &Elements,
        list: &List,
        value: &dyn ListValue,
        path: &Path<'_>,
    ) {
        if elements.broken {
            let shown = if list.member.sensitive {
                Shown::Hidden
            } else {
                let mut text = String::new();
                show_list(&mut text, list, value, &elements.unknown);
                Shown::Text(text)
            };
            let constraints = self.element_constraints(list.member);
            self.report(shown, path, format!("Member must satisfy constraint: {constraints}"));
        }
    }

    /// Reports what [`Checks::element`] and [`Checks::key`] noted for a map.
    pub(crate) fn map(
        &mut self,
        elements: &Elements,
        map: &Map,
        value: &dyn MapValue,
        path: &Path<'_>,
    ) {
        for (broken, what, schema) in [
            (elements.broken_keys, "Map keys must satisfy constraint", map.key),
            (elements.broken, "Map value must satisfy constraint", map.value),
        ] {
            if broken {
                let mut text = String::new();
                show_map(&mut text, map, value, &elements.unknown);
                let constraints = self.element_constraints(schema);
                self.report(Shown::Text(text), path, format!("{what}: {constraints}"));
            }
        }
    }

    /// The constraints of an element, as AWS lists them: `[Member must have …, …]`.
    fn element_constraints(&self, schema: &'static Schema) -> String {
        let mut texts = Vec::new();
        let limits = &schema.constraint;
        texts.extend(limits.max.map(|max| limit_text(schema, "less", max)));
        texts.extend(limits.min.map(|min| limit_text(schema, "greater", min)));
        if let Some((pattern, _)) = limits.pattern {
            texts.push(format!("Member must satisfy regular expression pattern: {pattern}"));
        }
        if let Kind::Enum(_) = schema.kind {
            texts.push(enum_text(schema));
        }
        if self.style.elements_not_null {
            texts.push("Member must not be null".to_owned());
        }
        format!("[{}]", texts.join(", "))
    }
}

fn enum_text(schema: &Schema) -> String {
    let Kind::Enum(names) = schema.kind else { return String::new() };
    format!("Member must satisfy enum value set: [{}]", names.join(", "))
}

/// `Member must have length less than or equal to 3`
fn limit_text(schema: &Schema, than: &str, limit: i64) -> String {
    let (measure, point) = match schema.kind {
        Kind::Integer | Kind::Long => ("value", ""),
        Kind::Float | Kind::Double => ("value", ".0"),
        _ => ("length", ""),
    };
    format!("Member must have {measure} {than} than or equal to {limit}{point}")
}

fn constrained(schema: &Schema) -> bool {
    let limits = &schema.constraint;
    limits.min.is_some() || limits.max.is_some() || limits.pattern.is_some()
}

/// The number that `min` and `max` limit.
fn measure(item: &Item<'_>) -> Option<Measure> {
    let count = |count: usize| Some(Measure::Whole(i64::try_from(count).unwrap_or(i64::MAX)));
    match item {
        Item::Text(text) => count(text.chars().count()),
        Item::Blob(bytes) => count(bytes.len()),
        Item::List(list) => count(list.len()),
        Item::Map(map) => count(map.len()),
        Item::Integer(value) => Some(Measure::Whole(i64::from(*value))),
        Item::Long(value) => Some(Measure::Whole(*value)),
        Item::Float(value) => Some(Measure::Real(f64::from(*value))),
        Item::Double(value) => Some(Measure::Real(*value)),
        _ => None,
    }
}

enum Measure {
    Whole(i64),
    Real(f64),
}

impl Measure {
    fn below(&self, limit: i64) -> bool {
        match self {
            Measure::Whole(value) => *value < limit,
            Measure::Real(value) => *value < limit as f64,
        }
    }

    fn above(&self, limit: i64) -> bool {
        match self {
            Measure::Whole(value) => *value > limit,
            Measure::Real(value) => *value > limit as f64,
        }
    }
}

/// Whether the value keeps its shape's limits.
fn keeps(schema: &'static Schema, item: &Item<'_>) -> bool {
    let limits = &schema.constraint;
    let Some(measure) = measure(item) else { return true };
    !limits.min.is_some_and(|min| measure.below(min))
        && !limits.max.is_some_and(|max| measure.above(max))
        && keeps_pattern(schema, item)
}

fn keeps_pattern(schema: &'static Schema, item: &Item<'_>) -> bool {
    match (schema.constraint.pattern, item) {
        (Some((_, pattern)), Item::Text(text)) => pattern::matches(pattern, text),
        _ => true,
    }
}

/// The limits that the value breaks; the pattern comes before the length.
fn broken(schema: &'static Schema, item: &Item<'_>) -> Vec<String> {
    let limits = &schema.constraint;
    let mut texts = Vec::new();
    if let Some((pattern, _)) = limits.pattern
        && !keeps_pattern(schema, item)
    {
        texts.push(format!("Member must satisfy regular expression pattern: {pattern}"));
    }
    let Some(measure) = measure(item) else { return texts };
    if let Some(max) = limits.max
        && measure.above(max)
    {
        texts.push(limit_text(schema, "less", max));
    }
    if let Some(min) = limits.min
        && measure.below(min)
    {
        texts.push(limit_text(schema, "greater", min));
    }
    texts
}

fn shown(schema: &'static Schema, item: &Item<'_>) -> Shown {
    if schema.sensitive {
        return Shown::Hidden;
    }
    let mut text = String::new();
    show(&mut text, schema, item);
    Shown::Text(text)
}

/// Writes a value as Java's `toString` does, which is what AWS's messages show.
fn show(text: &mut String, schema: &Schema, item: &Item<'_>) {
    if schema.sensitive {
        return text.push_str("***Sensitive Data Redacted***");
    }
    let written = match (item, &schema.kind) {
        (Item::Absent, _) => write!(text, "null"),
        (Item::Text(value), _) => write!(text, "{value}"),
        (Item::Integer(value), _) => write!(text, "{value}"),
        (Item::Long(value), _) => write!(text, "{value}"),
        (Item::Float(value), _) => write!(text, "{value:?}"),
        (Item::Double(value), _) => write!(text, "{}", crate::text::float_text(*value)),
        (Item::Boolean(value), _) => write!(text, "{value}"),
        (Item::Blob(bytes), _) => {
            write!(text, "java.nio.HeapByteBuffer[pos=0 lim={0} cap={0}]", bytes.len())
        }
        (Item::Timestamp(time), _) => {
            write!(
                text,
                "{}",
                crate::text::timestamp_text(*time, crate::TimestampFormat::DateTime, false)
            )
        }
        (Item::Document(value), _) => write!(text, "{value}"),
        (Item::List(value), Kind::List(list)) => {
            show_list(text, list, *value, &[]);
            Ok(())
        }
        (Item::Map(value), Kind::Map(map)) => {
            show_map(text, map, *value, &[]);
            Ok(())
        }
        (Item::Struct(value), Kind::Structure(members)) => {
            show_members(
                text,
                schema,
                members.iter().enumerate().map(|(index, member)| (member, value.member(index))),
            );
            Ok(())
        }
        (Item::Union(value), Kind::Union(members)) => {
            show_union(text, schema, members, *value);
            Ok(())
        }
        _ => Ok(()),
    };
    debug_assert!(written.is_ok());
}

fn show_union(text: &mut String, schema: &Schema, members: &[Member], value: &dyn UnionValue) {
    let selected = value.selected().and_then(|(index, value)| Some((members.get(index)?, value)));
    show_members(text, schema, selected.into_iter());
}

fn show_members<'m>(
    text: &mut String,
    schema: &Schema,
    members: impl Iterator<Item = (&'m Member, &'m dyn Value)>,
) {
    text.push_str(schema.name);
    text.push('(');
    for (index, (member, value)) in members.enumerate() {
        text.push_str(if index == 0 { "" } else { ", " });
        text.push_str(&lower_first(member.name));
        text.push('=');
        show(text, member.target, &value.item());
    }
    text.push(')');
}

fn show_list(text: &mut String, list: &List, value: &dyn ListValue, unknown: &[(String, String)]) {
    text.push('[');
    for index in 0..value.len() {
        text.push_str(if index == 0 { "" } else { ", " });
        let place = unknown.iter().find(|(place, _)| *place == index.to_string());
        match place {
            Some((_, name)) => text.push_str(name),
            None => show(text, list.member, &value.at(index).item()),
        }
    }
    text.push(']');
}

fn show_map(text: &mut String, map: &Map, value: &dyn MapValue, unknown: &[(String, String)]) {
    text.push('{');
    let mut first = true;
    value.each(&mut |key, value| {
        text.push_str(if first { "" } else { ", " });
        first = false;
        if map.key.sensitive {
            text.push_str("***Sensitive Data Redacted***")
        } else {
            text.push_str(key)
        }
        text.push('=');
        match unknown.iter().find(|(place, _)| place == key) {
            Some((_, name)) => text.push_str(name),
            None => show(text, map.value, &value.item()),
        }
    });
    text.push('}');
}
