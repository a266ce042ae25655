//! No text makes the parsers panic, and every refusal is worded as AWS words it.

use proptest::prelude::*;
use serde_json::json;

use super::{item, placeholders};
use crate::expressions::{Condition, ExpressionKind, KeyConditions, Projection, Update};

/// Parses the text as every kind of expression, and evaluates what is accepted.
fn parse_all(source: &str) {
    let given = || {
        placeholders(
            json!({"#a": "a", ":a": {"N": "1"}, ":s": {"S": "S"}, ":l": {"L": []}, ":ss": {"SS": ["a"]}}),
        )
    };
    let item =
        item(json!({"a": {"M": {"b": {"L": [{"N": "1"}]}}}, "b": {"N": "1"}, "c": {"SS": ["a"]}}));
    for kind in [ExpressionKind::Condition, ExpressionKind::Filter] {
        match Condition::parse(kind, source, &mut given()) {
            Ok(condition) => drop((condition.holds(&item), condition.paths().len())),
            Err(error) => {
                assert!(error.message.starts_with(&format!("Invalid {}: ", kind.parameter())));
            }
        }
    }
    match Update::parse(source, &mut given()) {
        Ok(update) => drop((update.apply(Some(&item), &item), update.apply(None, &item))),
        Err(error) => assert!(error.message.starts_with("Invalid UpdateExpression: ")),
    }
    match Projection::parse(source, &mut given()) {
        Ok(projection) => drop(projection.apply(&item)),
        Err(error) => assert!(error.message.starts_with("Invalid ProjectionExpression: ")),
    }
    drop(KeyConditions::parse(source, &mut given()));
}

/// Texts made of the pieces of expressions.
fn pieces() -> impl Strategy<Value = String> {
    let piece = prop::sample::select(vec![
        "a",
        "b",
        "c",
        "#a",
        ":a",
        ":s",
        ":l",
        ":ss",
        "(",
        ")",
        "((",
        "))",
        "[0]",
        "[1]",
        "[",
        "]",
        ".",
        ",",
        "=",
        "<",
        ">=",
        "<>",
        "+",
        "-",
        "AND",
        "or",
        "NOT",
        "between",
        "IN",
        "SET",
        "remove",
        "ADD",
        "DELETE",
        "size(",
        "contains(",
        "attribute_exists(",
        "attribute_type(",
        "begins_with(",
        "if_not_exists(",
        "list_append(",
        "f(",
        "name",
        "1",
        "é",
        "\"",
    ]);
    prop::collection::vec(piece, 0..16).prop_map(|pieces| pieces.join(" "))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn any_text_is_parsed_or_refused(source in any::<String>()) {
        parse_all(&source);
    }

    #[test]
    fn any_mixture_of_pieces_is_parsed_or_refused(source in pieces()) {
        parse_all(&source);
        parse_all(&format!("SET a.b[0] = {source}"));
        parse_all(&format!("a = {source}"));
    }
}

#[test]
fn nesting_does_not_exhaust_the_stack() {
    for piece in [
        "(",
        "not ",
        "not(",
        "a<b or (",
        "size(",
        "SET a = (",
        "a.",
        "a[0]",
        "if_not_exists(a,",
        "a in (",
        ")",
    ] {
        parse_all(&piece.repeat(4096 / piece.len()));
        let closed = 4000 / (piece.len() + 1);
        parse_all(&format!("{}a<b{}", piece.repeat(closed), ")".repeat(closed)));
        parse_all(&format!("SET a = {}a{}", piece.repeat(closed), ")".repeat(closed)));
    }
}
