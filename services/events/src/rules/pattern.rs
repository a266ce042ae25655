//! Event patterns: what they ask of an event, and whether it is so.
//!
//! A pattern is a tree like the event: an object asks all its members, a list of matchers asks for one value that one of
//! them takes. Where the event has a list, one element must satisfy the whole of the pattern below it, so that two
//! fields of a pattern are never found in two different elements.

use std::net::IpAddr;

use super::json::Json;

/// What an event must have.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Pattern {
    /// All of these members.
    pub(crate) members: Vec<(String, Wanted)>,
    /// Of each of these lists one.
    pub(crate) alternatives: Vec<Vec<Pattern>>,
}

/// What a member must be.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Wanted {
    /// An object, or a list of objects, like this.
    Object(Pattern),
    /// One of these.
    OneOf(Vec<Matcher>),
}

/// A test of a single value.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Matcher {
    Text(String),
    /// An address as text: other ways to write it match as well.
    Address(IpAddr, String),
    /// A number, and the digits by which it was written.
    Number(Option<Number>, String),
    Null,
    Bool(bool),
    IgnoreCase(String),
    Prefix(String),
    PrefixIgnoreCase(String),
    Suffix(String),
    SuffixIgnoreCase(String),
    Wildcard(Wildcard),
    Range(Range),
    Cidr(Cidr),
    /// None of these.
    AnythingBut(Vec<Matcher>),
    Exists,
    Absent,
}

/// A number as AWS compares it: between ±5.0e9, to six digits behind the point.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Number(i64);

/// The largest number that AWS compares.
const LARGEST: f64 = 5_000_000_000.0;

impl Number {
    /// `None` for what is too large.
    pub(crate) fn parse(digits: &str) -> Option<Number> {
        let value: f64 = digits.parse().ok()?;
        (-LARGEST..=LARGEST).contains(&value).then(|| Number((value * 1e6).round() as i64))
    }
}

/// Two ends, each with whether it belongs to the range; an end may be open.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Range {
    pub(crate) bottom: Option<(Number, bool)>,
    pub(crate) top: Option<(Number, bool)>,
}

impl Range {
    fn contains(&self, number: Number) -> bool {
        let is_above = self
            .bottom
            .is_none_or(|(bottom, belongs)| number > bottom || (belongs && number == bottom));
        is_above && self.top.is_none_or(|(top, belongs)| number < top || (belongs && number == top))
    }
}

/// A block of addresses.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Cidr {
    pub(crate) address: IpAddr,
    pub(crate) bits: u32,
}

impl Cidr {
    fn contains(&self, address: IpAddr) -> bool {
        match (self.address, address) {
            (IpAddr::V4(block), IpAddr::V4(address)) => {
                let mask = u32::MAX.checked_shl(32 - self.bits.min(32)).unwrap_or_default();
                u32::from(block) & mask == u32::from(address) & mask
            }
            (IpAddr::V6(block), IpAddr::V6(address)) => {
                let mask = u128::MAX.checked_shl(128 - self.bits.min(128)).unwrap_or_default();
                u128::from(block) & mask == u128::from(address) & mask
            }
            _ => false,
        }
    }
}

/// The texts between which anything may stand.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Wildcard(pub(crate) Vec<String>);

impl Wildcard {
    fn matches(&self, text: &str) -> bool {
        let [first, middle @ .., last] = &self.0[..] else {
            return self.0.first().is_some_and(|whole| whole == text);
        };
        let Some(rest) = text.strip_prefix(first.as_str()) else { return false };
        let Some(mut rest) = rest.strip_suffix(last.as_str()) else { return false };
        // The earliest place of each piece leaves most to those that follow.
        for piece in middle {
            match rest.find(piece.as_str()) {
                Some(place) => rest = &rest[place + piece.len()..],
                None => return false,
            }
        }
        true
    }
}

impl Matcher {
    fn takes(&self, value: &Json) -> bool {
        if let Json::String(text) = value {
            return self.takes_text(text);
        }
        match (self, value) {
            (Matcher::Exists, _) => true,
            (Matcher::Null, Json::Null) => true,
            (Matcher::Bool(wanted), Json::Bool(value)) => wanted == value,
            (Matcher::Number(wanted, written), Json::Number(digits)) => {
                written == digits
                    || wanted.is_some_and(|wanted| Number::parse(digits) == Some(wanted))
            }
            (Matcher::Range(range), Json::Number(digits)) => {
                Number::parse(digits).is_some_and(|number| range.contains(number))
            }
            (Matcher::AnythingBut(refused), value) => {
                !refused.iter().any(|refused| refused.takes(value))
            }
            _ => false,
        }
    }

    fn takes_text(&self, text: &str) -> bool {
        match self {
            Matcher::Text(wanted) => wanted == text,
            Matcher::Address(wanted, written) => {
                written == text || text.parse::<IpAddr>().is_ok_and(|address| address == *wanted)
            }
            Matcher::IgnoreCase(wanted) => folded(text) == *wanted,
            Matcher::Prefix(wanted) => text.starts_with(wanted),
            Matcher::PrefixIgnoreCase(wanted) => folded(text).starts_with(wanted),
            Matcher::Suffix(wanted) => text.ends_with(wanted),
            Matcher::SuffixIgnoreCase(wanted) => folded(text).ends_with(wanted),
            Matcher::Wildcard(wanted) => wanted.matches(text),
            Matcher::Cidr(block) => text.parse().is_ok_and(|address| block.contains(address)),
            Matcher::AnythingBut(refused) => {
                !refused.iter().any(|refused| refused.takes_text(text))
            }
            Matcher::Exists => true,
            _ => false,
        }
    }
}

/// A text without regard to case.
pub(crate) fn folded(text: &str) -> String {
    text.to_lowercase()
}

impl Pattern {
    /// Whether an event has what the pattern wants.
    pub fn matches(&self, event: &Json) -> bool {
        self.is_met_by(Some(event))
    }

    fn is_met_by(&self, value: Option<&Json>) -> bool {
        match value {
            Some(Json::Array(elements)) => match self.wants_nothing() {
                true => elements.iter().all(|element| self.is_met_by(Some(element))),
                false => elements.iter().any(|element| self.is_met_by(Some(element))),
            },
            value => {
                let object = value.filter(|value| matches!(value, Json::Object(_)));
                let member = |name: &str| object.and_then(|object| object.get(name));
                self.members.iter().all(|(name, wanted)| wanted.is_met_by(member(name)))
                    && self
                        .alternatives
                        .iter()
                        .all(|patterns| patterns.iter().any(|pattern| pattern.is_met_by(value)))
            }
        }
    }

    /// Whether it only says what must not be there.
    fn wants_nothing(&self) -> bool {
        let is_absence = |wanted: &Wanted| match wanted {
            Wanted::Object(pattern) => pattern.wants_nothing(),
            Wanted::OneOf(matchers) => matchers.iter().all(|matcher| *matcher == Matcher::Absent),
        };
        self.members.iter().all(|(_, wanted)| is_absence(wanted))
            && self.alternatives.iter().flatten().all(Pattern::wants_nothing)
    }
}

impl Wanted {
    fn is_met_by(&self, value: Option<&Json>) -> bool {
        match self {
            Wanted::Object(pattern) => pattern.is_met_by(value),
            Wanted::OneOf(matchers) => match value.is_some_and(has_single) {
                true => value.is_some_and(|value| is_taken(matchers, value)),
                false => matchers.contains(&Matcher::Absent),
            },
        }
    }
}

/// Whether a value is, or holds in lists, something that is neither list nor object: else the field counts as absent.
fn has_single(value: &Json) -> bool {
    match value {
        Json::Array(values) => values.iter().any(has_single),
        Json::Object(_) => false,
        _ => true,
    }
}

fn is_taken(matchers: &[Matcher], value: &Json) -> bool {
    match value {
        Json::Array(values) => values.iter().any(|value| is_taken(matchers, value)),
        Json::Object(_) => false,
        value => matchers.iter().any(|matcher| matcher.takes(value)),
    }
}
