//! Updates: AWS's errors, and what items become.

use serde_json::{Value, json};

use super::{item, placeholders};
use crate::expressions::{Placeholders, Update};
use crate::keys::{KeyAttribute, KeySchema};
use crate::value::AttributeType;

fn refused(source: &str, given: Value) -> String {
    let message = match Update::parse(source, &mut placeholders(given)) {
        Ok(update) => panic!("{source} is accepted: {update:?}"),
        Err(error) => error.message,
    };
    message.strip_prefix("Invalid UpdateExpression: ").unwrap_or(&message).to_owned()
}

#[test]
fn syntax_errors_name_the_token_and_its_neighbours() {
    let cases = [
        ("INVALID SYNTAX HERE", r#"token: "INVALID", near: "INVALID SYNTAX""#),
        ("ADD hits : incr", r#"token: ":", near: "hits : incr""#),
        ("SET _123 = :val1", r#"token: "_", near: "SET _123""#),
        ("whatever", r#"token: "whatever", near: "whatever""#),
        ("set a", r#"token: "<EOF>", near: "a""#),
        ("set", r#"token: "<EOF>", near: "set""#),
        ("delete a", r#"token: "<EOF>", near: "a""#),
        ("set a=set", r#"token: "set", near: "=set""#),
        ("remove a = b", r#"token: "=", near: "a = b""#),
        ("add a = b", r#"token: "=", near: "a = b""#),
        ("delete a b", r#"token: "b", near: "a b""#),
        ("delete a if_not_exist(b)", r#"token: "if_not_exist", near: "a if_not_exist(""#),
        ("remove a b", r#"token: "b", near: "a b""#),
        ("set a b", r#"token: "b", near: "a b""#),
        ("set :a = b", r#"token: ":a", near: "set :a =""#),
        ("remove :a", r#"token: ":a", near: "remove :a""#),
        ("set a = b / c", r#"token: "/", near: "b / c""#),
        ("set a = b * c", r#"token: "*", near: "b * c""#),
        (r#"set a[1] = "eight""#, r#"token: """, near: "= "eight""#),
        ("set a[1] = 1", r#"token: "1", near: "= 1""#),
        ("SET a = if_not_exist(a, 100)", r#"token: "100", near: ", 100)""#),
        ("SET if_not_exist(a, b) = a", r#"token: "(", near: "if_not_exist(a""#),
        ("set (a = (b + c))", r#"token: "(", near: "set (a""#),
        ("set a = (b.c).d + e", r#"token: ".", near: ").d""#),
        ("set a = (b.c)[0] + e", r#"token: "[", near: ")[0""#),
        ("set a = b + c + d", r#"token: "+", near: "c + d""#),
        ("SET a[:xyz] = :v", r#"token: ":xyz", near: "[:xyz]""#),
        ("SET #, = :v", r##"token: "#", near: "SET #,""##),
        ("SET a = if_not_exists(a, :b + :c)", r#"token: "+", near: ":b + :c""#),
        ("SET a = :a, SET b = :b", r#"token: "SET", near: ", SET b""#),
    ];
    for (source, wanted) in cases {
        assert_eq!(refused(source, json!({})), format!("Syntax error; {wanted}"), "{source}");
    }
    assert_eq!(refused("", json!({})), "The expression can not be empty;");
    for legal in [
        "set a[1] = b",
        "set a.b = b",
        "set a = (b + c)",
        "set a = ((b.c.d)+(e))",
        "set a = (b)",
        "REMOVE a SET b=c",
    ] {
        assert!(Update::parse(legal, &mut Placeholders::default()).is_ok(), "{legal}");
    }
}

#[test]
fn errors_come_in_the_order_of_aws() {
    let both = || json!({":a": {"S": "a"}, ":b": {"S": "a"}, "#a": "a", "#b": "b"});
    let cases = [
        (
            " set #c = :c set abOrt = true ",
            "Attribute name is a reserved keyword; reserved keyword: abOrt",
        ),
        (" remove Absolute ", "Attribute name is a reserved keyword; reserved keyword: Absolute"),
        ("set #c = if_not_exist(:c) set c = d", "Invalid function name; function: if_not_exist"),
        ("SET a = LIST_APPEND(:a, :b)", "Invalid function name; function: LIST_APPEND"),
        ("SET a = size(b)", "The function is not allowed in an update expression; function: size"),
        (
            "SET a = list_append(list_append(:a, :b), :c)",
            "The function is not allowed to be used this way in an expression; function: list_append",
        ),
        (
            "set a = #c set c = :d",
            "The \"SET\" section can only be used once in an update expression;",
        ),
        (
            "remove #d set a = b remove e",
            "The \"REMOVE\" section can only be used once in an update expression;",
        ),
        (
            "add #d :e set a = b add e :f",
            "The \"ADD\" section can only be used once in an update expression;",
        ),
        (
            "delete #d :e set a = b delete #e :f",
            "The \"DELETE\" section can only be used once in an update expression;",
        ),
        (
            "SET #c = if_not_exists(:c)",
            "An expression attribute name used in the document path is not defined; attribute name: #c",
        ),
        (
            "SET #a = if_not_exists(:c)",
            "An expression attribute value used in expression is not defined; attribute value: :c",
        ),
        (
            "set a = if_not_exists(c)",
            "Incorrect number of operands for operator or function; operator or function: if_not_exists, number of operands: 1",
        ),
        (
            "set a = list_append(c)",
            "Incorrect number of operands for operator or function; operator or function: list_append, number of operands: 1",
        ),
        (
            "set a = if_not_exists(:a, c)",
            "Operator or function requires a document path; operator or function: if_not_exists",
        ),
        (
            "set a = if_not_exists(if_not_exists(a, b), c)",
            "Operator or function requires a document path; operator or function: if_not_exists",
        ),
        (
            "set a = :a remove a",
            "Two document paths overlap with each other; must remove or rewrite one of these paths; path one: [a], path two: [a]",
        ),
        (
            "set a = :a, a.b = :b",
            "Two document paths overlap with each other; must remove or rewrite one of these paths; path one: [a], path two: [a, b]",
        ),
        (
            "set #a = :a, a[1].c = :b",
            "Two document paths overlap with each other; must remove or rewrite one of these paths; path one: [a], path two: [a, [1], c]",
        ),
        (
            "set d[1] = a, d.b = a, c[1].a = a, c = if_not_exists(a)",
            "Two document paths overlap with each other; must remove or rewrite one of these paths; path one: [c, [1], a], path two: [c]",
        ),
        (
            "remove a.#b set a[1] = c",
            "Two document paths conflict with each other; must remove or rewrite one of these paths; path one: [a, b], path two: [a, [1]]",
        ),
    ];
    for (source, wanted) in cases {
        assert_eq!(refused(source, both()), wanted, "{source}");
    }
    assert_eq!(
        refused("set #c[3].#d = a, #c.#d[3] = if_not_exists(a)", json!({"#c": "c", "#d": "[3]"})),
        "Two document paths conflict with each other; must remove or rewrite one of these paths; path one: [c, [3], [3]], path two: [c, [3], [3]]"
    );
}

#[test]
fn operands_must_have_the_right_type() {
    let values = [
        ("S", json!("1"), "STRING"),
        ("N", json!("1"), "NUMBER"),
        ("B", json!("YQ=="), "BINARY"),
        ("BOOL", json!(true), "BOOLEAN"),
        ("NULL", json!(true), "NULL"),
        ("L", json!([]), "LIST"),
        ("M", json!({}), "MAP"),
        ("SS", json!(["1"]), ""),
        ("NS", json!(["1"]), ""),
        ("BS", json!(["YQ=="]), ""),
    ];
    for (kind, content, long) in values {
        let given = || json!({":a": {kind: content.clone()}});
        let check = |source: &str, accepted: &[&str], wanted: String| {
            if accepted.contains(&kind) {
                assert!(
                    Update::parse(source, &mut placeholders(given())).is_ok(),
                    "{source} {kind}"
                );
            } else {
                assert_eq!(refused(source, given()), wanted, "{source} {kind}");
            }
        };
        for (operator, accepted) in
            [("ADD", &["N", "SS", "NS", "BS"][..]), ("DELETE", &["SS", "NS", "BS"])]
        {
            let wanted = format!(
                "Incorrect operand type for operator or function; operator: {operator}, operand type: {long}"
            );
            check(&format!("{operator} a.b :a"), accepted, wanted);
        }
        for (source, function, accepted) in [
            ("set a = list_append(:a, a)", "list_append", "L"),
            ("set a = list_append(a, :a)", "list_append", "L"),
            ("set a = a + :a", "+", "N"),
            ("set a = :a + a", "+", "N"),
            ("set a = a - :a", "-", "N"),
        ] {
            let wanted = format!(
                "Incorrect operand type for operator or function; operator or function: {function}, operand type: {kind}"
            );
            check(source, &[accepted], wanted);
        }
    }
}

fn applied(before: Option<&Value>, source: &str, given: &Value) -> Result<Value, String> {
    let update = Update::parse(source, &mut placeholders(given.clone())).unwrap();
    let before = before.map(|before| item(before.clone()));
    let after = update.apply(before.as_ref(), &item(json!({"p": {"S": "k"}})));
    let mut out = Vec::new();
    crate::json::write_item(&after.map_err(|error| error.message)?, &mut out);
    Ok(serde_json::from_slice(&out).unwrap())
}

#[test]
fn items_change_as_on_aws() {
    let given = json!({
        ":n": {"N": "5"}, ":x": {"S": "x"}, ":y": {"S": "y"}, ":l": {"L": [{"N": "1"}]}, ":ss": {"SS": ["a", "b"]},
        ":ns": {"NS": ["1", "2"]}, ":bs": {"BS": ["YQ=="]}, "#b": "b.c",
    });
    let n = |text: &str| json!({"N": text});
    let s = |text: &str| json!({"S": text});
    let list = |texts: &[&str]| json!({"L": texts.iter().map(|text| s(text)).collect::<Vec<_>>()});
    let cases = [
        (json!({}), "SET a = :x, #b = :y", json!({"a": s("x"), "b.c": s("y")})),
        (json!({"a": s("q")}), "SET b = a", json!({"a": s("q"), "b": s("q")})),
        (json!({"a": s("q")}), "REMOVE a SET b = a", json!({"b": s("q")})),
        (json!({"a": s("1"), "b": s("2")}), "SET a = b, b = a", json!({"a": s("2"), "b": s("1")})),
        (json!({"a": n("2")}), "SET a = a + :n", json!({"a": n("7")})),
        (json!({"a": n("2")}), "SET b = :n - a", json!({"a": n("2"), "b": n("3")})),
        (json!({}), "SET a = if_not_exists(a, :n) + :n", json!({"a": n("10")})),
        (json!({"a": n("1")}), "SET b = if_not_exists(a, :n)", json!({"a": n("1"), "b": n("1")})),
        (json!({}), "SET a = if_not_exists(b, if_not_exists(c, :n))", json!({"a": n("5")})),
        (json!({}), "SET a = list_append(:l, :l)", json!({"a": {"L": [n("1"), n("1")]}})),
        (
            json!({"a": {"L": [n("0")]}}),
            "SET a = list_append(a, :l)",
            json!({"a": {"L": [n("0"), n("1")]}}),
        ),
        (
            json!({}),
            "SET a = list_append(if_not_exists(a, :l), :l)",
            json!({"a": {"L": [n("1"), n("1")]}}),
        ),
        (json!({"a": s("q"), "b": s("q")}), "REMOVE a, c", json!({"b": s("q")})),
        (json!({}), "ADD a :n", json!({"a": n("5")})),
        (json!({"a": n("-5")}), "ADD a :n", json!({"a": n("0")})),
        (json!({}), "ADD a :ss, b :bs", json!({"a": {"SS": ["a", "b"]}, "b": {"BS": ["YQ=="]}})),
        (json!({"a": {"SS": ["c", "b"]}}), "ADD a :ss", json!({"a": {"SS": ["c", "b", "a"]}})),
        (json!({"a": {"NS": ["2", "3"]}}), "DELETE a :ns", json!({"a": {"NS": ["3"]}})),
        (json!({"a": {"SS": ["b"]}, "b": n("1")}), "DELETE a :ss", json!({"b": n("1")})),
        (json!({}), "DELETE a :ss", json!({})),
        (
            json!({"a": {"M": {"b": n("3"), "c": n("4")}}}),
            "SET a.c = :x, a.d = :y REMOVE a.b",
            json!({"a": {"M": {"c": s("x"), "d": s("y")}}}),
        ),
        (json!({"a": {"M": {"b": n("1")}}}), "REMOVE a.b", json!({"a": {"M": {}}})),
        (json!({"a": list(&["1"])}), "REMOVE a[0]", json!({"a": {"L": []}})),
        (
            json!({"a": list(&["1", "2", "3"])}),
            "SET a[1] = :x",
            json!({"a": list(&["1", "x", "3"])}),
        ),
        (json!({"a": list(&["1"])}), "SET a[7] = :x", json!({"a": list(&["1", "x"])})),
        (json!({"a": {"L": []}}), "SET a[84] = :x, a[37] = :y", json!({"a": list(&["y", "x"])})),
        (
            json!({"a": list(&["2", "3", "4", "5", "6"])}),
            "REMOVE a[1] SET a[3] = :x",
            json!({"a": list(&["2", "4", "x", "6"])}),
        ),
        (
            json!({"a": list(&["2", "3", "4"])}),
            "REMOVE a[0], a[2], a[17]",
            json!({"a": list(&["3"])}),
        ),
        (
            json!({"a": {"M": {"l": {"L": [{"M": {"x": n("1")}}]}}}}),
            "SET a.l[0].x = a.l[0].x + :n",
            json!({"a": {"M": {"l": {"L": [{"M": {"x": n("6")}}]}}}}),
        ),
        (json!({"a": {"M": {"x": n("1")}}}), "REMOVE a.y", json!({"a": {"M": {"x": n("1")}}})),
        (
            json!({"a": {"M": {}}}),
            "ADD a.c :n, a.s :ss",
            json!({"a": {"M": {"c": n("5"), "s": {"SS": ["a", "b"]}}}}),
        ),
        (json!({"a": list(&["1"])}), "ADD a[3] :n", json!({"a": {"L": [s("1"), n("5")]}})),
        (json!({"a": list(&["1"])}), "DELETE a[3] :ss", json!({"a": list(&["1"])})),
    ];
    for (before, source, wanted) in cases {
        let mut used = given.clone();
        used.as_object_mut().unwrap().retain(|key, _| source.contains(key.as_str()));
        assert_eq!(applied(Some(&before), source, &used), Ok(wanted), "{source} on {before}");
    }
}

#[test]
fn items_that_do_not_fit_are_refused() {
    let bad_path = "The document path provided in the update expression is invalid for update";
    let bad_type = "An operand in the update expression has an incorrect data type";
    let absent = "The provided expression refers to an attribute that does not exist in the item";
    let overflow =
        "Number overflow. Attempting to store a number with magnitude larger than supported range";
    let before = json!({
        "s": {"S": "x"}, "n": {"N": "1"}, "m": {"M": {"k": {"S": "x"}}}, "l": {"L": [{"S": "x"}]}, "ss": {"SS": ["a"]},
        "big": {"N": "9e125"},
    });
    let given = json!({
        ":n": {"N": "1"}, ":ss": {"SS": ["a"]}, ":ns": {"NS": ["1"]}, ":l": {"L": []}, ":big": {"N": "9e125"},
    });
    let cases = [
        ("SET a = b", absent),
        ("SET x = :n, y = x", absent),
        ("SET a = list_append(b, :l)", absent),
        ("SET a = s + :n", bad_type),
        ("SET a = list_append(ss, :l)", bad_type),
        ("SET s.a = :n", bad_path),
        ("SET s[1] = :n", bad_path),
        ("SET y.a = :n", bad_path),
        ("SET m[1] = :n", bad_path),
        ("SET l.k = :n", bad_path),
        ("SET l[5].k = :n", bad_path),
        ("REMOVE s.a", bad_path),
        ("REMOVE y.a", bad_path),
        ("REMOVE y[1]", bad_path),
        ("DELETE m[1] :ss", bad_path),
        ("ADD y.a :ss", bad_path),
        ("ADD s :n", bad_type),
        ("ADD m :ss", bad_type),
        ("ADD ss :ns", bad_type),
        ("ADD ss :n", bad_type),
        ("ADD n :ns", bad_type),
        ("DELETE n :ns", bad_type),
        ("DELETE ss :ns", bad_type),
        ("ADD big :big", overflow),
        ("SET a = big + :big", overflow),
        ("SET a = big + :n", overflow),
    ];
    for (source, wanted) in cases {
        let mut used = given.clone();
        used.as_object_mut()
            .unwrap()
            .retain(|key, _| source.split([' ', ',', ')']).any(|word| word == key));
        assert_eq!(applied(Some(&before), source, &used), Err(wanted.to_owned()), "{source}");
    }
    let key = json!({"p": {"S": "k"}});
    let nothing = json!({});
    assert_eq!(applied(None, "REMOVE x.y, z[0]", &nothing), Ok(key.clone()));
    assert_eq!(applied(None, "SET c = p", &nothing), Ok(json!({"p": {"S": "k"}, "c": {"S": "k"}})));
    let n = json!({":n": {"N": "1"}});
    assert_eq!(applied(None, "SET c.c = :n", &n), Err(bad_path.to_owned()));
    assert_eq!(applied(None, "ADD c :n", &n), Ok(json!({"p": {"S": "k"}, "c": {"N": "1"}})));
}

#[test]
fn keys_may_not_change() {
    let table = KeySchema {
        partition: KeyAttribute::new("p", AttributeType::S),
        sort: Some(KeyAttribute::new("c", AttributeType::S)),
    };
    let update = |source: &str| {
        Update::parse(source, &mut placeholders(json!({":n": {"N": "1"}, "#e": "e"}))).unwrap()
    };
    for (source, key) in
        [("SET p = :n", "p"), ("REMOVE c", "c"), ("ADD p.b :n", "p"), ("SET c = c.b + c[1]", "c")]
    {
        assert_eq!(
            update(source).check_table_key(&table).unwrap_err().message,
            format!(
                "One or more parameter values were invalid: Cannot update attribute {key}. This attribute is part of the key"
            )
        );
    }
    assert_eq!(update("SET a = p").check_table_key(&table), Ok(()));
    for source in ["SET p = :n", "ADD p :n", "SET p = e + :n", "SET p = if_not_exists(a, :n)"] {
        assert_eq!(
            update(source).check_index_key("index1", &table).unwrap_err().message,
            "One or more parameter values were invalid: Type mismatch for Index Key p Expected: S Actual: N IndexName: index1"
        );
    }
    assert_eq!(update("SET p = a REMOVE c").check_index_key("index1", &table), Ok(()));
    let paths: Vec<_> = update("SET a = if_not_exists(b.c, :n) + d REMOVE #e")
        .paths()
        .iter()
        .map(|path| path.to_string())
        .collect();
    assert_eq!(paths, ["[a]", "[b, c]", "[d]", "[e]"]);
}
