//! Key conditions: AWS's errors, and the ranges they stand for.

use serde_json::{Value, json};

use super::{placeholders, value};
use crate::expressions::{KeyConditions, KeyQuery};
use crate::keys::{KeyAttribute, KeySchema, SortCondition};
use crate::value::AttributeType;

fn table(sort: Option<AttributeType>) -> KeySchema {
    KeySchema {
        partition: KeyAttribute::new("p", AttributeType::S),
        sort: sort.map(|kind| KeyAttribute::new("c", kind)),
    }
}

fn query(source: &str, given: Value, schema: &KeySchema) -> Result<KeyQuery, String> {
    KeyConditions::parse(source, &mut placeholders(given))
        .and_then(|conditions| conditions.resolve(schema))
        .map_err(|error| error.message)
}

#[test]
fn expressions_outside_the_subset_are_refused() {
    let operator = |name: &str| format!("Invalid operator used in KeyConditionExpression: {name}");
    let condition = |detail: &str| format!("Invalid condition in KeyConditionExpression: {detail}");
    let first = |name: &str| {
        condition(&format!("{name} operator must have the key attribute as its first operand"))
    };
    let nested = || "KeyConditionExpressions cannot contain nested operations".to_owned();
    let several = || condition("Multiple attribute names used in one condition");
    let deep = || "KeyConditionExpressions cannot have conditions on nested attributes".to_owned();
    let no_key = || condition("No key attribute specified");
    let twice = || "KeyConditionExpressions must only contain one condition per key".to_owned();
    let length = || "Conditions can be of length 1 or 2 only".to_owned();
    let cases = [
        ("", "Invalid KeyConditionExpression: The expression can not be empty;".to_owned()),
        ("a-b", "Invalid KeyConditionExpression: Syntax error; token: \"-\", near: \"a-b\"".to_owned()),
        ("p = :q", "Invalid KeyConditionExpression: An expression attribute value used in expression is not defined; attribute value: :q".to_owned()),
        ("name = :a", "Invalid KeyConditionExpression: Attribute name is a reserved keyword; reserved keyword: name".to_owned()),
        ("p = :a AND begins_with(c, :n)", "Invalid KeyConditionExpression: Incorrect operand type for operator or function; operator or function: begins_with, operand type: N".to_owned()),
        ("p = :a AND BEGINS_WITH(c, :a)", "Invalid KeyConditionExpression: Invalid function name; function: BEGINS_WITH".to_owned()),
        ("a > b and size(b) > c or a > c", operator("OR")),
        ("a in (b, size(c), d)", operator("IN")),
        ("attribute_exists(a)", operator("attribute_exists")),
        ("attribute_not_exists(a)", operator("attribute_not_exists")),
        ("attribute_type(a, :s)", operator("attribute_type")),
        ("contains(a.d, b)", operator("contains")),
        ("not a > b", operator("NOT")),
        ("a <> b", operator("<>")),
        (":a between size(b) and size(a) and b > :a", first("BETWEEN")),
        ("begins_with(:a, b) and a > :a", first("begins_with")),
        ("size(b) > a AND a.b > b AND b > c", nested()),
        ("a > size(b.d)", nested()),
        ("a between size(b) and size(a)", nested()),
        ("b > a.b", several()),
        ("b between c[1] and d", several()),
        ("a between b and size(a)", several()),
        ("begins_with(a, b)", several()),
        ("b.d > a AND c.d > e.f", deep()),
        ("a.d > c", deep()),
        ("b[0] > a", deep()),
        (":a > :a AND a < :a", no_key()),
        (":a > b AND :a < :a", no_key()),
        ("b > :a AND b < :a and c = :a and d = :a", twice()),
        ("(a > :a and b > :a) and (b > :a and c > :a)", twice()),
        (":a = a and b = :a and :a = c", length()),
        ("(a > :a and b > :a) and (c > :a and d > :a)", length()),
    ];
    for (source, wanted) in cases {
        let given = json!({":a": {"S": "x"}, ":n": {"N": "1"}, ":s": {"S": "S"}});
        assert_eq!(query(source, given, &table(None)), Err(wanted), "{source}");
    }
}

#[test]
fn conditions_must_fit_the_schema() {
    let both = table(Some(AttributeType::N));
    let hash = table(None);
    let not_supported = "Query key condition not supported";
    let types = "One or more parameter values were invalid: Condition parameter type does not match schema type";
    let given = json!({":p": {"S": "x"}, ":n": {"N": "1"}, ":e": {"S": ""}, ":long": {"S": "x".repeat(2049)}});
    let cases = [
        (&both, "c = :n", "Query condition missed key schema element: p"),
        (&both, "a = :p", "Query condition missed key schema element: p"),
        (&both, "p = :p AND a = :p", "Query condition missed key schema element: c"),
        (&hash, "p = :p AND a = :p", not_supported),
        (&both, "p > :p", not_supported),
        (&both, "p > :p AND c = :n", not_supported),
        (&both, "p = :n", types),
        (&both, "p = :p AND c = :p", types),
        (&both, "p = :p AND begins_with(c, :p)", types),
        (
            &hash,
            "p = :e",
            "One or more parameter values are not valid. The AttributeValue for a key attribute cannot contain an empty string value. Key: p",
        ),
        (
            &hash,
            "p = :long",
            "One or more parameter values were invalid: Size of hashkey has exceeded the maximum size limit of2048 bytes",
        ),
    ];
    for (schema, source, wanted) in cases {
        assert_eq!(query(source, given.clone(), schema), Err(wanted.to_owned()), "{source}");
    }
}

#[test]
fn conditions_become_ranges() {
    let p = value(json!({"S": "x"}));
    let n = |text: &str| value(json!({"N": text}));
    let numbers = table(Some(AttributeType::N));
    let cases = [
        ("p = :p", None),
        (" :p=#p ", None),
        ("p = :p AND c = :1", Some(SortCondition::Eq(n("1")))),
        ("(c < :1) and (p = :p)", Some(SortCondition::Lt(n("1")))),
        ("(p = :p AND c <= :1)", Some(SortCondition::Le(n("1")))),
        ("p = :p AND :1 < c", Some(SortCondition::Gt(n("1")))),
        ("p = :p AND :1 <= c", Some(SortCondition::Ge(n("1")))),
        ("p = :p AND :1 > c", Some(SortCondition::Lt(n("1")))),
        ("p = :p AnD c BeTwEeN :1 aNd :2", Some(SortCondition::Between(n("1"), n("2")))),
    ];
    for (source, sort) in cases {
        let given = json!({":p": {"S": "x"}, ":1": {"N": "1"}, ":2": {"N": "2"}, "#p": "p"});
        let wanted = KeyQuery { partition: p.clone(), sort };
        assert_eq!(query(source, given, &numbers), Ok(wanted), "{source}");
    }
    let given = json!({":p": {"S": "x"}, ":b": {"S": "ab"}});
    let found = query("p = :p AND begins_with(c, :b)", given, &table(Some(AttributeType::S)));
    assert_eq!(found.unwrap().sort, Some(SortCondition::BeginsWith(value(json!({"S": "ab"})))));
}
