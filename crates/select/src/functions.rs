//! The functions on texts and timestamps.

use std::collections::BTreeSet;

use crate::ast::{Expr, Function, Side};
use crate::error::Error;
use crate::evaluate::Scope;
use crate::patterns;
use crate::timestamp::Stamp;
use crate::value::Value;

/// Calls a function; how many arguments it has was checked before.
pub(crate) fn call<'s>(
    function: Function,
    arguments: &'s [Expr],
    scope: &Scope<'s>,
) -> Result<Value<'s>, Error> {
    match function {
        Function::UtcNow => return Ok(Value::Stamp(scope.now)),
        Function::Coalesce => {
            for argument in arguments {
                let value = argument.evaluate(scope)?;
                if !value.is_absent() {
                    return Ok(value);
                }
            }
            return Ok(Value::Null);
        }
        _ => {}
    }
    let mut given = Vec::with_capacity(arguments.len());
    for argument in arguments {
        given.push(argument.evaluate(scope)?);
    }
    if function == Function::NullIf {
        let is_same = given[0].equals(&given[1]) == Some(true);
        return Ok(if is_same { Value::Null } else { given.swap_remove(0) });
    }
    if given.iter().any(Value::is_absent) {
        return Ok(Value::Null);
    }
    match function {
        Function::CharLength => Ok(Value::Int(text(&given[0])?.chars().count() as i64)),
        Function::Lower => Ok(Value::text(text(&given[0])?.to_lowercase())),
        Function::Upper => Ok(Value::text(text(&given[0])?.to_uppercase())),
        Function::Substring => substring(&given),
        Function::Trim(side) => trim(&given, side),
        Function::ToTimestamp => match &given[..] {
            [Value::Stamp(stamp)] => Ok(Value::Stamp(*stamp)),
            [of] => Stamp::parse(text(of)?.trim()).map(Value::Stamp).ok_or_else(Error::value_parse),
            [of, pattern, ..] => patterns::parse(text(of)?, text(pattern)?).map(Value::Stamp),
            [] => Err(Error::illegal_argument()),
        },
        Function::ToString => {
            patterns::format(&stamp(&given[0])?, text(&given[1])?).map(Value::text)
        }
        Function::DateAdd(part) => {
            let quantity = given[0].as_number().and_then(|number| match number {
                Value::Int(number) => Some(number),
                _ => None,
            });
            let quantity = quantity.ok_or_else(Error::wrong_argument)?;
            stamp(&given[1])?.add(part, quantity).map(Value::Stamp)
        }
        Function::DateDiff(part) => {
            stamp(&given[0])?.until(&stamp(&given[1])?, part).map(Value::Int)
        }
        Function::Extract(part) => Ok(stamp(&given[0])?.part(part).map_or(Value::Null, Value::Int)),
        Function::UtcNow | Function::Coalesce | Function::NullIf => Ok(Value::Null),
    }
}

fn text<'v>(value: &'v Value<'_>) -> Result<&'v str, Error> {
    match value {
        Value::Text(text) => Ok(text),
        _ => Err(Error::wrong_argument()),
    }
}

/// A timestamp, or a text that is one.
fn stamp(value: &Value<'_>) -> Result<Stamp, Error> {
    match value {
        Value::Stamp(stamp) => Ok(*stamp),
        Value::Text(text) => Stamp::parse(text.trim()).ok_or_else(Error::value_parse),
        _ => Err(Error::wrong_argument()),
    }
}

/// SUBSTRING counts from 1; what lies before the first character counts, too.
fn substring<'s>(given: &[Value<'s>]) -> Result<Value<'s>, Error> {
    let number = |value: &Value<'_>| match value.as_number() {
        Some(Value::Int(number)) => Ok(number),
        _ => Err(Error::wrong_argument()),
    };
    let (of, start) = (text(&given[0])?, number(&given[1])?);
    let end = match given.get(2) {
        None => i64::MAX,
        Some(len) => match number(len)? {
            len if len < 0 => return Err(Error::illegal_argument()),
            len => start.saturating_add(len),
        },
    };
    let skipped = usize::try_from(start.max(1) - 1).unwrap_or(usize::MAX);
    let len = usize::try_from(end.saturating_sub(start.max(1))).unwrap_or(0);
    Ok(Value::text(of.chars().skip(skipped).take(len).collect::<String>()))
}

fn trim<'s>(given: &[Value<'s>], side: Side) -> Result<Value<'s>, Error> {
    let of = text(&given[0])?;
    let characters = given.get(1).map_or(Ok(" "), text)?;
    let characters: BTreeSet<char> = characters.chars().collect();
    let is_cut = |c: char| characters.contains(&c);
    let cut = match side {
        Side::Both => of.trim_matches(is_cut),
        Side::Leading => of.trim_start_matches(is_cut),
        Side::Trailing => of.trim_end_matches(is_cut),
    };
    Ok(Value::text(cut.to_owned()))
}

/// A part of a pattern of LIKE.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wanted {
    Character(char),
    Any,
    Many,
}

/// LIKE.
pub(crate) fn like<'s>(
    of: &Value<'_>,
    pattern: &Value<'_>,
    escape: Option<&Value<'_>>,
) -> Result<Value<'s>, Error> {
    if of.is_absent() || pattern.is_absent() || escape.is_some_and(Value::is_absent) {
        return Ok(Value::Null);
    }
    let (Value::Text(of), Value::Text(pattern)) = (of, pattern) else {
        return Err(Error::bad_like());
    };
    let escape = match escape {
        None => None,
        Some(Value::Text(text)) => {
            let mut characters = text.chars();
            match (characters.next(), characters.next()) {
                (Some(escape), None) => Some(escape),
                _ => return Err(Error::bad_like_escape()),
            }
        }
        Some(_) => return Err(Error::bad_like()),
    };
    let mut wanted = Vec::with_capacity(pattern.len());
    let mut characters = pattern.chars();
    while let Some(character) = characters.next() {
        wanted.push(match character {
            c if Some(c) == escape => match characters.next() {
                Some(c) if matches!(c, '%' | '_') || Some(c) == escape => Wanted::Character(c),
                _ => return Err(Error::bad_like_escape()),
            },
            '%' => Wanted::Many,
            '_' => Wanted::Any,
            c => Wanted::Character(c),
        });
    }
    matches(of, &wanted).map(Value::Bool).ok_or_else(Error::bad_like)
}

/// How many comparisons of characters one LIKE may take.
const MAX_COMPARISONS: usize = 32 << 20;

/// Whether a text is like a pattern. Going back to the last `%` only, it takes time of both lengths multiplied at most, which
/// may be too much: then it is not known.
fn matches(text: &str, wanted: &[Wanted]) -> Option<bool> {
    let (mut rest, mut at) = (text, 0);
    let mut last: Option<(&str, usize)> = None;
    for _ in 0..MAX_COMPARISONS {
        let next = rest.chars().next();
        match (wanted.get(at), next) {
            (Some(Wanted::Many), _) => {
                at += 1;
                last = Some((rest, at));
                continue;
            }
            (Some(Wanted::Any), Some(c)) => {
                rest = &rest[c.len_utf8()..];
                at += 1;
                continue;
            }
            (Some(Wanted::Character(wanted)), Some(c)) if *wanted == c => {
                rest = &rest[c.len_utf8()..];
                at += 1;
                continue;
            }
            (None, None) => return Some(true),
            _ => {}
        }
        let Some((from, after)) = last else { return Some(false) };
        let Some(skipped) = from.chars().next() else { return Some(false) };
        rest = &from[skipped.len_utf8()..];
        at = after;
        last = Some((rest, after));
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn like_matches_characters_and_runs_of_them() {
        let is = |of: &str, pattern: &str, escape: Option<&str>| {
            let escape = escape.map(|text| Value::text(text.to_owned()));
            like(&Value::text(of.to_owned()), &Value::text(pattern.to_owned()), escape.as_ref())
        };
        for (of, pattern) in
            [("", ""), ("", "%"), ("abc", "a_c"), ("abc", "%c"), ("aXbXc", "a%b%c"), ("é", "_")]
        {
            assert_eq!(is(of, pattern, None), Ok(Value::Bool(true)), "{of} {pattern}");
        }
        for (of, pattern) in [("", "_"), ("abc", "ab"), ("abc", "b%"), ("ab", "a%b%c"), ("a", "A")]
        {
            assert_eq!(is(of, pattern, None), Ok(Value::Bool(false)), "{of} {pattern}");
        }
        assert_eq!(is("10%", "10$%", Some("$")), Ok(Value::Bool(true)));
        assert_eq!(is("100", "10$%", Some("$")), Ok(Value::Bool(false)));
        assert_eq!(is("a", "$a", Some("$")), Err(Error::bad_like_escape()));
        assert_eq!(is("a", "a", Some("xy")), Err(Error::bad_like_escape()));
        let (far, near) = ("a".repeat(1 << 19), format!("%{}b", "a".repeat(1 << 18)));
        assert_eq!(is(&far, &near, None), Err(Error::bad_like()));
        let many = "%a".repeat(200);
        assert_eq!(is(&"a".repeat(10_000), &format!("{many}b"), None), Ok(Value::Bool(false)));
    }
}
