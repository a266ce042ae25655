//! Projections: AWS's errors, and what is left of an item.

use serde_json::json;

use super::{item, placeholders};
use crate::expressions::{Projection, RESERVED_WORDS, Update, is_reserved};

#[test]
fn refuses_what_aws_refuses() {
    let cases = [
        ("!!! INVALID !!!", r#"Syntax error; token: "!", near: "!!""#),
        ("a,", r#"Syntax error; token: "<EOF>", near: ",""#),
        (",a", r#"Syntax error; token: ",", near: ",a""#),
        ("a,,b", r#"Syntax error; token: ",", near: ",,b""#),
        ("a b", r#"Syntax error; token: "b", near: "a b""#),
        ("a[]", r#"Syntax error; token: "]", near: "[]""#),
        (":a", r#"Syntax error; token: ":a", near: ":a""#),
        ("(a)", r#"Syntax error; token: "(", near: "(a""#),
        ("", "The expression can not be empty;"),
        ("#c, abort", "Attribute name is a reserved keyword; reserved keyword: abort"),
        (
            "a.#c",
            "An expression attribute name used in the document path is not defined; attribute name: #c",
        ),
        (
            "a, a",
            "Two document paths overlap with each other; must remove or rewrite one of these paths; path one: [a], path two: [a]",
        ),
        (
            "a.b[0], a.b[0]",
            "Two document paths overlap with each other; must remove or rewrite one of these paths; path one: [a, b, [0]], path two: [a, b, [0]]",
        ),
        (
            "a, #a.b[2].c",
            "Two document paths overlap with each other; must remove or rewrite one of these paths; path one: [a], path two: [a, b, [2], c]",
        ),
        (
            "a.b, a[1]",
            "Two document paths conflict with each other; must remove or rewrite one of these paths; path one: [a, b], path two: [a, [1]]",
        ),
    ];
    for (source, wanted) in cases {
        let refused = Projection::parse(source, &mut placeholders(json!({"#a": "a"})));
        let message = refused.unwrap_err().message;
        assert_eq!(message, format!("Invalid ProjectionExpression: {wanted}"), "{source}");
    }
    for source in ["a, b", "a.b, a.c", "a.b.d, a.b.e", "a[1], a[2]", "a.b, a.c[2]", "set, and"] {
        let parsed = Projection::parse(source, &mut placeholders(json!({})));
        assert_eq!(parsed.is_ok(), source != "set, and", "{source}");
    }
}

#[test]
fn returns_the_wanted_parts_in_their_structure() {
    let whole = item(json!({
        "p": {"S": "k"}, "a.b": {"S": "dot"}, "b": {"S": "hello"},
        "a": {"M": {"b": {"L": [{"N": "2"}, {"N": "4"}, {"M": {"x": {"S": "hi"}, "y": {"S": "yo"}}}]}, "c": {"N": "5"}}},
    }));
    let b = |list: serde_json::Value| json!({"a": {"M": {"b": {"L": list}}}});
    let cases = [
        ("p", json!({"p": {"S": "k"}})),
        ("nothing", json!({})),
        ("#ab", json!({"a.b": {"S": "dot"}})),
        ("a.c, b", json!({"a": {"M": {"c": {"N": "5"}}}, "b": {"S": "hello"}})),
        ("a.b[0]", b(json!([{"N": "2"}]))),
        ("a.b[2].y", b(json!([{"M": {"y": {"S": "yo"}}}]))),
        ("a.b[2], a.b[0]", b(json!([{"N": "2"}, {"M": {"x": {"S": "hi"}, "y": {"S": "yo"}}}]))),
        ("a.b[0], a.#ab", b(json!([{"N": "2"}]))),
        ("a.x, a.b[0], x, a.b[3].x", b(json!([{"N": "2"}]))),
        ("a.b[3]", json!({})),
        ("a.x.y", json!({})),
        ("a.b.x", json!({})),
        ("a[0]", json!({})),
        ("a.b[0].x", json!({})),
        ("b.x", json!({})),
    ];
    for (source, wanted) in cases {
        let projection =
            Projection::parse(source, &mut placeholders(json!({"#ab": "a.b"}))).unwrap();
        assert_eq!(projection.apply(&whole), item(wanted), "{source}");
    }
}

#[test]
fn updates_project_what_they_changed() {
    let update = Update::parse("SET a.b = c REMOVE d[1]", &mut placeholders(json!({}))).unwrap();
    let after = item(
        json!({"a": {"M": {"b": {"N": "1"}, "z": {"N": "2"}}}, "c": {"N": "1"}, "d": {"L": [{"N": "0"}]}}),
    );
    assert_eq!(update.projection().apply(&after), item(json!({"a": {"M": {"b": {"N": "1"}}}})));
}

#[test]
fn knows_all_reserved_words() {
    assert_eq!(RESERVED_WORDS.len(), 573);
    assert!(RESERVED_WORDS.is_sorted());
    for word in ["name", "Status", "SIZE", "ttl", "LocalTimestamp", "zone", "abort"] {
        assert!(is_reserved(word), "{word}");
    }
    for word in ["id", "names2", "", "attribute_exists", "statuses", "pk"] {
        assert!(!is_reserved(word), "{word}");
    }
}
