//! Evaluates conditions on items.
//!
//! An absent value is equal to nothing and unequal to everything, and has no order; so has a value of another type.

use std::borrow::Cow;
use std::cmp::Ordering;

use super::condition::{Comparator, Condition, Operand};
use crate::number::Number;
use crate::value::{AttributeValue, Item};

impl Operand {
    fn value<'a>(&'a self, item: &'a Item) -> Option<Cow<'a, AttributeValue>> {
        match self {
            Self::Path(path) => path.find(item).map(Cow::Borrowed),
            Self::Value(value) => Some(Cow::Borrowed(value)),
            Self::Size(operand) => {
                let length = operand.value(item)?.extent()?;
                Some(Cow::Owned(AttributeValue::N(Number::from(length as u64))))
            }
        }
    }
}

impl Condition {
    /// Whether the item fulfils the condition; an item that does not exist is an empty one.
    pub fn holds(&self, item: &Item) -> bool {
        match self {
            Self::Compare(comparator, left, right) => {
                compare(*comparator, left.value(item).as_deref(), right.value(item).as_deref())
            }
            Self::Between { value, low, high } => {
                let value = value.value(item);
                compare(Comparator::Ge, value.as_deref(), low.value(item).as_deref())
                    && compare(Comparator::Le, value.as_deref(), high.value(item).as_deref())
            }
            Self::In(value, list) => value.value(item).is_some_and(|value| {
                list.iter().any(|other| other.value(item).as_deref() == Some(&*value))
            }),
            Self::Exists(path) => path.find(item).is_some(),
            Self::NotExists(path) => path.find(item).is_none(),
            Self::Type(operand, kind) => {
                operand.value(item).is_some_and(|value| value.kind() == *kind)
            }
            Self::BeginsWith(value, prefix) => match (value.value(item), prefix.value(item)) {
                (Some(value), Some(prefix)) => begins_with(&value, &prefix),
                _ => false,
            },
            Self::Contains(container, member) => {
                match (container.value(item), member.value(item)) {
                    (Some(container), Some(member)) => contains(&container, &member),
                    _ => false,
                }
            }
            Self::And(parts) => parts.iter().all(|part| part.holds(item)),
            Self::Or(parts) => parts.iter().any(|part| part.holds(item)),
            Self::Not(part) => !part.holds(item),
        }
    }
}

fn compare(
    comparator: Comparator,
    left: Option<&AttributeValue>,
    right: Option<&AttributeValue>,
) -> bool {
    let (Some(left), Some(right)) = (left, right) else { return comparator == Comparator::Ne };
    let ordered = |fits: fn(Ordering) -> bool| left.compare(right).is_some_and(fits);
    match comparator {
        Comparator::Eq => left == right,
        Comparator::Ne => left != right,
        Comparator::Lt => ordered(Ordering::is_lt),
        Comparator::Le => ordered(Ordering::is_le),
        Comparator::Gt => ordered(Ordering::is_gt),
        Comparator::Ge => ordered(Ordering::is_ge),
    }
}

fn begins_with(value: &AttributeValue, prefix: &AttributeValue) -> bool {
    match (value, prefix) {
        (AttributeValue::S(text), AttributeValue::S(prefix)) => text.starts_with(prefix.as_str()),
        (AttributeValue::B(bytes), AttributeValue::B(prefix)) => bytes.starts_with(prefix),
        _ => false,
    }
}

fn contains(container: &AttributeValue, member: &AttributeValue) -> bool {
    match (container, member) {
        (AttributeValue::S(text), AttributeValue::S(part)) => text.contains(part.as_str()),
        (AttributeValue::B(bytes), AttributeValue::B(part)) => {
            memchr::memmem::find(bytes, part).is_some()
        }
        (AttributeValue::Ss(members), AttributeValue::S(member)) => members.contains(member),
        (AttributeValue::Ns(members), AttributeValue::N(member)) => members.contains(member),
        (AttributeValue::Bs(members), AttributeValue::B(member)) => members.contains(member),
        (AttributeValue::L(members), member) => members.contains(member),
        _ => false,
    }
}
