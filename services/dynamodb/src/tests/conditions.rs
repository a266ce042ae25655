//! Conditions and filters: AWS's errors, and what holds.

use serde_json::{Value, json};

use super::{item, placeholders};
use crate::expressions::{Condition, ExpressionKind, Placeholders};

fn refused(source: &str, given: Value) -> String {
    let refused = Condition::parse(ExpressionKind::Filter, source, &mut placeholders(given));
    let message = match refused {
        Ok(condition) => panic!("{source} is accepted: {condition:?}"),
        Err(error) => error.message,
    };
    message.strip_prefix("Invalid FilterExpression: ").unwrap_or(&message).to_owned()
}

#[test]
fn syntax_errors_name_the_token_and_its_neighbours() {
    let cases = [
        ("foo", r#"token: "<EOF>", near: "foo""#),
        ("a+:delta<b", r#"token: "+", near: "a+:delta""#),
        ("a-b", r#"token: "-", near: "a-b""#),
        ("things are not gonna be ok", r#"token: "are", near: "things are not""#),
        ("a > 4", r#"token: "4", near: "> 4""#),
        ("attribute_exists(Pictures-RearView)", r#"token: "-", near: "Pictures-RearView""#),
        (r#"attribute_exists("Pictures.RearView")"#, r#"token: """, near: "("Pictures""#),
        ("attribute_exists(Pictures..RearView)", r#"token: ".", near: "..RearView""#),
        ("attribute_exists(Pi#ctures.RearView)", r##"token: "#ctures", near: "Pi#ctures.""##),
        ("attribute_exists(asdf[a])", r#"token: "a", near: "[a]""#),
        ("a in b, c", r#"token: "b", near: "in b,""#),
        ("a > between", r#"token: "between", near: "> between""#),
        ("a in (b,c,)", r#"token: ")", near: ",)""#),
        ("a in ()", r#"token: ")", near: "()""#),
        ("(a)between(b.(c.d))and(c)", r#"token: "(", near: ".(c""#),
        ("(a)between(b.c.d)and((c)", r#"token: "<EOF>", near: ")""#),
        ("#$.b > a", r##"token: "#", near: "#$""##),
        ("a > :things.stuff", r#"token: ".", near: ":things.stuff""#),
        ("b[:a] > a", r#"token: ":a", near: "[:a]""#),
        ("b[#_] > a", r##"token: "#_", near: "[#_]""##),
        ("ü > a", r#"token: "ü", near: "ü >""#),
        ("(a)between(b.c[4.5].#d)and(:a)", r#"token: ".", near: "4.5""#),
        ("size(a).b > a", r#"token: ".", near: ").b""#),
        ("(size(a)).b > a", r#"token: ".", near: ").b""#),
        ("size(a)[0] > a", r#"token: "[", near: ")[0""#),
        ("_x > a", r#"token: "_", near: "_x""#),
        ("c != :c", r#"token: "!", near: "c !=""#),
        ("tenantAgent:abc123-x", r#"token: ":abc123", near: "tenantAgent:abc123-""#),
        (
            "#a attribute_not_exists :c",
            r##"token: "attribute_not_exists", near: "#a attribute_not_exists :c""##,
        ),
        ("a AND b = c", r#"token: "AND", near: "a AND b""#),
        ("(a) AND b = c", r#"token: "AND", near: ") AND b""#),
        ("a = b c = d", r#"token: "c", near: "b c =""#),
        ("(a = b) = c", r#"token: "=", near: ") = c""#),
        ("a = (b = c)", r#"token: "=", near: "b = c""#),
        ("NOT a", r#"token: "<EOF>", near: "a""#),
        ("and", r#"token: "and", near: "and""#),
        ("f()", r#"token: ")", near: "()""#),
        ("  ", r#"token: "<EOF>", near: """#),
    ];
    for (source, wanted) in cases {
        assert_eq!(refused(source, json!({})), format!("Syntax error; {wanted}"), "{source}");
    }
}

#[test]
fn limits_are_aws_limits() {
    assert_eq!(refused("", json!({})), "The expression can not be empty;");
    let long = format!("a = {}", "b".repeat(4093));
    assert_eq!(
        refused(&long, json!({})),
        "Expression size has exceeded the maximum allowed size; expression size: 4097"
    );
    let parse = |source: &str| {
        Condition::parse(ExpressionKind::Condition, source, &mut Placeholders::default())
    };
    let chain = |count: usize| format!("a<b {}{}", "or (a<b ".repeat(count), ")".repeat(count));
    assert!(parse(&chain(149)).is_ok());
    let too_many = "The expression contains too many operators; operator count: 301";
    assert_eq!(refused(&chain(150), json!({})), too_many);
    assert_eq!(refused(&format!("{}a<b", "not ".repeat(1000)), json!({})), too_many);
    assert!(parse(&format!("{}a<b", "not ".repeat(299))).is_ok());
    let nots = |count: usize| format!("{}a<b{}", "not(".repeat(count), ")".repeat(count));
    assert!(parse(&nots(299)).is_ok());
    assert!(parse(&"(".repeat(4096)).is_err());
    assert!(parse(&format!("{}a<b{}", "(".repeat(2046), ")".repeat(2046))).is_err());
    assert!(parse(&format!("a < {}b{}", "size(".repeat(680), ")".repeat(680))).is_err());
    let list = |count: usize| format!("a IN ({})", vec!["b"; count].join(","));
    assert!(parse(&list(100)).is_ok());
    assert_eq!(
        refused(&list(101), json!({})),
        "The IN operator is provided with too many operands; number of operands: 101"
    );
    let deep = format!("a{} = b", ".c".repeat(32));
    assert_eq!(
        refused(&deep, json!({})),
        "The document path has too many nesting levels; nesting levels: 33"
    );
    assert_eq!(
        refused("a[99999999999] = b", json!({})),
        "List index is not within the allowable range; index: [99999999999]"
    );
}

#[test]
fn parentheses_may_not_be_doubled() {
    let doubled = [
        "a=a and a > ((views))",
        "(a)between(((b.c)).d)and(c)",
        "a > whatever((:things), ((a)))",
        "a=a AND ((a=a AND a=a)) AND a=a",
        "a=a OR ((a=a OR a=a)) OR a=a",
        "a=a AND ((a=a AND (a=a AND a=a)))",
        "((a=b))",
        "((attribute_exists(a)))",
    ];
    for source in doubled {
        let message = refused(source, json!({}));
        assert_eq!(message, "The expression has redundant parentheses;", "{source}");
    }
    let single = [
        "(a = b)",
        "((a = b) AND (c = d))",
        "(a) = (b)",
        "((a) = b)",
        "(a = b OR (c = d))",
        "(a.b).c = d",
        "((a.b).c) = d",
        "(size(a)) > b",
        "NOT (a = b)",
        "(NOT (a = b))",
        "a IN ((b), c)",
        "begins_with((a), (b))",
    ];
    for source in single {
        let parsed = Condition::parse(ExpressionKind::Filter, source, &mut Placeholders::default());
        assert!(parsed.is_ok(), "{source}: {parsed:?}");
    }
}

#[test]
fn errors_come_in_the_order_of_aws() {
    let unknown = |name: &str| format!("Invalid function name; function: {name}");
    let misused = |name: &str| {
        format!(
            "The function is not allowed to be used this way in an expression; function: {name}"
        )
    };
    let reserved =
        |word: &str| format!("Attribute name is a reserved keyword; reserved keyword: {word}");
    let no_name = |name: &str| {
        format!(
            "An expression attribute name used in the document path is not defined; attribute name: {name}"
        )
    };
    let no_value = |name: &str| {
        format!(
            "An expression attribute value used in expression is not defined; attribute value: {name}"
        )
    };
    let count = |name: &str, given: u32| {
        format!(
            "Incorrect number of operands for operator or function; operator or function: {name}, number of operands: {given}"
        )
    };
    let cases = [
        ("a=a and whatever((:things)) > a", unknown("whatever")),
        ("attRIbute_exIsts((views), #a)", unknown("attRIbute_exIsts")),
        ("if_not_exists(a, b) = c", "The function is not allowed in a condition expression; function: if_not_exists".to_owned()),
        ("a=a and attribute_exists((views), (#a)) > b", misused("attribute_exists")),
        ("attribute_type(things, :a) > b", misused("attribute_type")),
        ("contains(:things, c) > b", misused("contains")),
        ("size(contains(a, b)) > a", misused("contains")),
        ("size(things)", misused("size")),
        ("a between b and attribute_exists(things)", misused("attribute_exists")),
        ("a in (b, attribute_exists(things))", misused("attribute_exists")),
        ("attribute_exists(views, #a)", reserved("views")),
        (":a < abOrT", reserved("abOrT")),
        ("attribute_exists(#Pictures.RearView, :a) and a=a", no_name("#Pictures")),
        ("begins_with(Pictures.#RearView)", no_name("#RearView")),
        ("(#P between :lo and :hi) and (#PC in (:cat1, :cat2))", no_name("#P")),
        ("#4g > a", no_name("#4g")),
        ("#_ > a", no_name("#_")),
        ("(a)between(b.c[45].#d)and(:a)", no_name("#d")),
        ("begins_with(:hello, #a, #b)", no_value(":hello")),
        (":a < :b", no_value(":a")),
        (":_ > a", no_value(":_")),
        ("attribute_exists(things, a) and a=a", count("attribute_exists", 2)),
        ("attribute_type(things)", count("attribute_type", 1)),
        ("begins_with(things)", count("begins_with", 1)),
        ("begins_with(things, size(a), b)", count("begins_with", 3)),
        ("contains(things)", count("contains", 1)),
        ("size(things, a) > b", count("size", 2)),
        ("attribute_type(ab.bc[1].a, SS)", "Incorrect operand type for operator or function; operator or function: attribute_type, operand type: {NS,SS,L,BS,N,M,B,BOOL,NULL,S}".to_owned()),
    ];
    for (source, wanted) in cases {
        assert_eq!(refused(source, json!({})), wanted, "{source}");
    }
}

#[test]
fn operands_must_have_the_right_type() {
    let wrong = |function: &str, kind: &str| {
        format!(
            "Incorrect operand type for operator or function; operator or function: {function}, operand type: {kind}"
        )
    };
    let values = [
        ("S", json!("1")),
        ("N", json!("1")),
        ("B", json!("YQ==")),
        ("BOOL", json!(true)),
        ("NULL", json!(true)),
        ("L", json!([])),
        ("M", json!({})),
        ("SS", json!(["1"])),
        ("NS", json!(["1"])),
        ("BS", json!(["YQ=="])),
    ];
    let check = |source: &str, function: &str, accepted: &[&str]| {
        for (kind, content) in &values {
            let given = json!({":a": {*kind: content}});
            if accepted.contains(kind) {
                let mut given = placeholders(given);
                let parsed = Condition::parse(ExpressionKind::Filter, source, &mut given);
                assert!(parsed.is_ok(), "{source} {kind}");
            } else {
                assert_eq!(refused(source, given), wrong(function, kind), "{source} {kind}");
            }
        }
    };
    check("begins_with(a, :a)", "begins_with", &["S", "B"]);
    check("begins_with(:a, a)", "begins_with", &["S", "B"]);
    check("size(:a) > a", "size", &["S", "B", "L", "M", "SS", "NS", "BS"]);
    for operator in ["<", "<=", ">", ">="] {
        check(&format!("a {operator} :a"), operator, &["S", "N", "B"]);
        check(&format!(":a {operator} a"), operator, &["S", "N", "B"]);
    }
    check("a BETWEEN :a AND :a", "BETWEEN", &["S", "N", "B"]);
    let all: Vec<&str> = values.iter().map(|(kind, _)| *kind).collect();
    for free in ["a = :a", "a <> :a", "a IN (:a)", "contains(a, :a)"] {
        check(free, "", &all);
    }
    let number = || json!({":a": {"N": "1"}});
    assert_eq!(refused("attribute_type(a, :a)", number()), wrong("attribute_type", "N"));
    assert_eq!(
        refused("attribute_type(a, size(a)) and a=:a", number()),
        wrong("attribute_type", "N")
    );
    assert_eq!(refused("begins_with(a, size(a)) and a=:a", number()), wrong("begins_with", "N"));
    assert_eq!(refused("size(size(a)) > :a", number()), wrong("size", "N"));
    assert_eq!(refused("attribute_not_exists(size(:a))", number()), wrong("size", "N"));
    assert_eq!(
        refused("attribute_type(a, :a)", json!({":a": {"S": "1"}})),
        "Invalid attribute type name found; type: 1, valid types: {B,NULL,SS,BOOL,L,BS,N,NS,S,M}"
    );
    for function in ["attribute_exists(:a)", "attribute_not_exists(size(:a))"] {
        let name = function.split('(').next().unwrap();
        assert_eq!(
            refused(function, json!({":a": {"S": "1"}})),
            format!("Operator or function requires a document path; operator or function: {name}")
        );
    }
}

#[test]
fn operands_must_differ_and_bounds_be_in_order() {
    let same = |operator: &str, path: &str| {
        format!(
            "The first operand must be distinct from the remaining operands for this operator or function; operator: {operator}, first operand: {path}"
        )
    };
    let cases = [
        ("a = a AND #a = b AND :views > a", same("=", "[a]")),
        ("#a <> a", same("<>", "[a]")),
        ("a > #a", same(">", "[a]")),
        ("((a=a) OR (a=a))", same("=", "[a]")),
        ("contains(ab.bc[1].a, ab.bc[1].#a)", same("contains", "[ab, bc, [1], a]")),
        ("attribute_type(ab.bc[1].#a, ab.bc[1].a)", same("attribute_type", "[ab, bc, [1], a]")),
        ("begins_with(ab.bc[1].a, ab.bc[1].#a)", same("begins_with", "[ab, bc, [1], a]")),
    ];
    for (source, wanted) in cases {
        assert_eq!(refused(source, json!({"#a": "a"})), wanted, "{source}");
    }
    assert_eq!(
        refused("a between :b and :a", json!({":a": {"S": "a"}, ":b": {"N": "1"}})),
        "The BETWEEN operator requires same data type for lower and upper bounds; lower bound operand: AttributeValue: {N:1}, upper bound operand: AttributeValue: {S:a}"
    );
    assert_eq!(
        refused("a between :b and :a", json!({":a": {"S": "a"}, ":b": {"S": "b"}})),
        "The BETWEEN operator requires upper bound to be greater than or equal to lower bound; lower bound operand: AttributeValue: {S:b}, upper bound operand: AttributeValue: {S:a}"
    );
}

#[test]
fn conditions_hold_as_on_aws() {
    let item = item(json!({
        "one": {"N": "1"}, "two": {"N": "2.0"}, "ten": {"N": "10"}, "cat": {"S": "cat"}, "bin": {"B": "aGkgdGhlcmU="},
        "yes": {"BOOL": true}, "nil": {"NULL": true}, "ss": {"SS": ["hello", "world"]}, "ns": {"NS": ["2", "4"]},
        "bs": {"BS": ["YQ=="]}, "l": {"L": [{"N": "2"}, {"S": "dog"}, {"NS": ["1", "2"]}]},
        "m": {"M": {"x": {"N": "1"}, "y": {"L": [{"N": "-1"}, {"N": "2"}]}}},
    }));
    let given = json!({
        ":one": {"N": "1.00"}, ":two": {"N": "2"}, ":five": {"N": "5"}, ":s": {"S": "1"}, ":ca": {"S": "ca"}, ":dog": {"S": "dog"},
        ":hi": {"B": "aGk="}, ":here": {"B": "aGVyZQ=="}, ":ss": {"SS": ["world", "hello"]}, ":ns": {"NS": ["2", "1"]},
        ":a": {"B": "YQ=="}, ":N": {"S": "N"}, ":M": {"S": "M"}, ":NULL": {"S": "NULL"}, ":empty": {"S": ""}, ":eight": {"N": "8"},
        "#x": "x", "#m": "m", "#size": "size",
    });
    let cases = [
        ("one = :one", true),
        ("one = :s", false),
        ("one <> :s", true),
        ("ss = :ss", true),
        ("absent = nothing", false),
        ("absent <> nothing", true),
        ("absent <> :one", true),
        ("absent < nothing", false),
        ("NOT absent < nothing", true),
        ("one < two", true),
        ("two < ten", true),
        ("one < cat", false),
        ("cat < :dog", true),
        ("l < :one", false),
        ("bin > :hi", true),
        ("two >= :two", true),
        ("two <= :one", false),
        ("one BETWEEN :one AND :two", true),
        ("ten between one and two", false),
        ("two BETWEEN absent AND ten", false),
        ("one IN (:s, :one)", true),
        ("absent IN (:s, :one)", false),
        ("one IN (two, cat)", false),
        ("attribute_exists(m.#x)", true),
        ("attribute_exists(m.z)", false),
        ("attribute_exists(cat.x)", false),
        ("attribute_exists(l[2])", true),
        ("attribute_exists(l[3])", false),
        ("attribute_not_exists(m.y[1])", false),
        ("attribute_not_exists(absent)", true),
        ("attribute_type(one, :N)", true),
        ("attribute_type(#m, :M)", true),
        ("attribute_type(nil, :NULL)", true),
        ("attribute_type(absent, :N)", false),
        ("attribute_type(:one, :N)", true),
        ("begins_with(cat, :ca)", true),
        ("begins_with(cat, :empty)", true),
        ("begins_with(bin, :hi)", true),
        ("begins_with(:dog, cat)", false),
        ("begins_with(one, :ca)", false),
        ("contains(cat, :ca)", true),
        ("contains(bin, :here)", true),
        ("contains(ss, :dog)", false),
        ("contains(ns, :two)", true),
        ("contains(bs, :a)", true),
        ("contains(l, :dog)", true),
        ("contains(l, :ns)", true),
        ("contains(one, :one)", false),
        ("contains(absent, :one)", false),
        ("size(cat) = :five", false),
        ("size(bin) = :eight", true),
        ("size(l) > size(#m)", true),
        ("size(ss) = two", true),
        ("size(one) = :one", false),
        ("size(one) <> :one", true),
        ("size(absent) < :five", false),
        ("#size = :one", false),
        ("one < two AND two < ten", true),
        ("ten < one OR one < two", true),
        ("one < two OR ten < one AND two < one", true),
        ("NOT one < two AND ten < one", false),
        ("NOT (one < two AND ten < one)", true),
        ("two BETWEEN one AND ten AND one < two", true),
        ("(one = two OR one < two) aNd nOt ten = one", true),
        ("m.#x < m.y[1]", true),
        ("m.y[0] < m.#x", true),
    ];
    for (source, wanted) in cases {
        let mut given = placeholders(given.clone());
        let condition = Condition::parse(ExpressionKind::Filter, source, &mut given).unwrap();
        assert_eq!(condition.holds(&item), wanted, "{source}");
    }
}

#[test]
fn every_value_equals_itself_only() {
    let values = [
        json!({"N": "1"}),
        json!({"S": "1"}),
        json!({"B": "MQ=="}),
        json!({"BOOL": true}),
        json!({"BOOL": false}),
        json!({"NULL": true}),
        json!({"L": [{"S": "1"}]}),
        json!({"M": {"1": {"S": "1"}}}),
        json!({"SS": ["1"]}),
        json!({"NS": ["1"]}),
        json!({"BS": ["MQ=="]}),
    ];
    let mut given = placeholders(json!({}));
    let equal = Condition::parse(ExpressionKind::Filter, "a = b", &mut given).unwrap();
    let listed = Condition::parse(ExpressionKind::Filter, "a IN (c, b)", &mut given).unwrap();
    for (i, a) in values.iter().enumerate() {
        for (j, b) in values.iter().enumerate() {
            let item = item(json!({"a": a, "b": b}));
            assert_eq!(equal.holds(&item), i == j, "{a} {b}");
            assert_eq!(listed.holds(&item), i == j, "{a} {b}");
        }
    }
}

#[test]
fn placeholders_are_checked() {
    let refused = |names: Option<&[&str]>, values: Option<&[&str]>| {
        let names =
            names.map(|keys| keys.iter().map(|key| (key.to_string(), "a".to_owned())).collect());
        let values = values.map(|keys| {
            keys.iter().map(|key| (key.to_string(), super::value(json!({"N": "1"})))).collect()
        });
        Placeholders::new(names, values).unwrap_err().message
    };
    let syntax = |parameter: &str, key: &str| {
        format!("{parameter} contains invalid key: Syntax error; key: \"{key}\"")
    };
    assert_eq!(refused(Some(&[]), None), "ExpressionAttributeNames must not be empty");
    assert_eq!(refused(None, Some(&[])), "ExpressionAttributeValues must not be empty");
    for key in ["a", "#", "#a-b", ":a", ""] {
        assert_eq!(refused(Some(&[key]), None), syntax("ExpressionAttributeNames", key));
    }
    for key in ["a", ":", ":a!", "#a"] {
        assert_eq!(refused(None, Some(&[key])), syntax("ExpressionAttributeValues", key));
    }
    let mut given = placeholders(json!({"#a": "a", "#b": "b", ":a": {"N": "1"}, ":b": {"N": "1"}}));
    let unused = |given: &Placeholders| given.check_all_used().unwrap_err().message;
    assert_eq!(
        unused(&given),
        "Value provided in ExpressionAttributeNames unused in expressions: keys: {#a, #b}"
    );
    Condition::parse(ExpressionKind::Condition, "#a = :a OR #b = :a", &mut given).unwrap();
    assert_eq!(
        unused(&given),
        "Value provided in ExpressionAttributeValues unused in expressions: keys: {:b}"
    );
    Condition::parse(ExpressionKind::Condition, "#a = :b", &mut given).unwrap();
    assert_eq!(given.check_all_used(), Ok(()));
    assert_eq!(
        Placeholders::invalid_value(":b", &crate::json::value_from_json(&json!({})).unwrap_err())
            .message,
        "ExpressionAttributeValues contains invalid value: Supplied AttributeValue is empty, must contain exactly one of the supported datatypes for key :b"
    );
}

#[test]
fn parameters_exclude_each_other() {
    use crate::expressions::check_parameters;
    let update = |update, condition, legacy, names, values| {
        check_parameters(
            &[("UpdateExpression", update), ("ConditionExpression", condition)],
            &[("AttributeUpdates", legacy), ("Expected", legacy)],
            names,
            values,
        )
        .map_err(|error| error.message)
    };
    assert_eq!(update(true, true, false, true, true), Ok(()));
    assert_eq!(update(false, false, true, false, false), Ok(()));
    assert_eq!(
        update(true, false, true, false, false).unwrap_err(),
        "Can not use both expression and non-expression parameters in the same request: Non-expression parameters: {AttributeUpdates, Expected} Expression parameters: {UpdateExpression}"
    );
    assert_eq!(
        update(false, false, false, true, true).unwrap_err(),
        "ExpressionAttributeNames can only be specified when using expressions"
    );
    assert_eq!(
        update(false, false, false, false, true).unwrap_err(),
        "ExpressionAttributeValues can only be specified when using expressions: UpdateExpression and ConditionExpression are null"
    );
    let put = check_parameters(&[("ConditionExpression", false)], &[], false, true);
    assert_eq!(
        put.unwrap_err().message,
        "ExpressionAttributeValues can only be specified when using expressions: ConditionExpression is null"
    );
}
