//! Attribute values: what is refused, and how sizes are counted.

use serde_json::json;

use super::{item, value};
use crate::json::value_from_json;
use crate::value::{
    AttributeValue, MAX_ITEM_SIZE, check_item_nesting, check_put_size, check_update_size, item_size,
};

#[test]
fn refuses_what_aws_refuses() {
    let invalid = "One or more parameter values were invalid: ";
    let cases = [
        (json!({}), "Supplied AttributeValue is empty, must contain exactly one of the supported datatypes".to_owned()),
        (json!({"a": ""}), "Supplied AttributeValue is empty, must contain exactly one of the supported datatypes".to_owned()),
        (json!({"L": [{}]}), "Supplied AttributeValue is empty, must contain exactly one of the supported datatypes".to_owned()),
        (json!({"M": {"a": {}}}), "Supplied AttributeValue is empty, must contain exactly one of the supported datatypes".to_owned()),
        (json!({"S": "a", "N": "1"}), "Supplied AttributeValue has more than one datatypes set, must contain exactly one of the supported datatypes".to_owned()),
        (json!({"NULL": false}), format!("{invalid}Null attribute value types must have the value of true")),
        (json!({"SS": []}), format!("{invalid}An string set  may not be empty")),
        (json!({"NS": []}), format!("{invalid}An number set  may not be empty")),
        (json!({"BS": []}), format!("{invalid}Binary sets should not be empty")),
        (json!({"SS": ["a", "a"]}), format!("{invalid}Input collection [a, a] contains duplicates.")),
        (json!({"BS": ["Yg==", "Yg=="]}), format!("{invalid}Input collection [Yg==, Yg==]of type BS contains duplicates.")),
        (json!({"NS": ["1", "1.0"]}), "Input collection contains duplicates".to_owned()),
        (json!({"N": ""}), "The parameter cannot be converted to a numeric value".to_owned()),
        (json!({"N": "b"}), "The parameter cannot be converted to a numeric value: b".to_owned()),
        (json!({"NS": ["1", ""]}), "The parameter cannot be converted to a numeric value".to_owned()),
        (json!({"NS": ["1", "b"]}), "The parameter cannot be converted to a numeric value: b".to_owned()),
        (json!({"M": {"inner": {"SS": []}}}), format!("{invalid}An string set  may not be empty")),
    ];
    for (given, wanted) in cases {
        assert_eq!(value_from_json(&given).unwrap_err().message, wanted, "{given}");
    }
}

#[test]
fn sets_are_equal_in_any_order_and_at_any_depth() {
    let equal = [
        (json!({"SS": ["a", "b"]}), json!({"SS": ["b", "a"]})),
        (json!({"NS": ["1", "2.0"]}), json!({"NS": ["2", "1"]})),
        (json!({"BS": ["YQ==", "Yg=="]}), json!({"BS": ["Yg==", "YQ=="]})),
        (json!({"L": [{"SS": ["a", "b"]}]}), json!({"L": [{"SS": ["b", "a"]}]})),
        (json!({"M": {"x": {"NS": ["1", "2"]}}}), json!({"M": {"x": {"NS": ["2", "1"]}}})),
        (json!({"N": "1e2"}), json!({"N": "100.0"})),
    ];
    for (a, b) in equal {
        assert_eq!(value(a), value(b));
    }
    assert_ne!(value(json!({"SS": ["a"]})), value(json!({"SS": ["a", "b"]})));
    assert_ne!(
        value(json!({"L": [{"N": "1"}, {"N": "2"}]})),
        value(json!({"L": [{"N": "2"}, {"N": "1"}]}))
    );
    assert_ne!(value(json!({"S": "1"})), value(json!({"N": "1"})));
}

#[test]
fn sizes_follow_the_documentation() {
    let cases = [
        (json!({"a": {"S": "hello"}}), 6),
        (json!({"ä": {"S": "ü"}}), 4),
        (json!({"a": {"N": "123"}}), 4),
        (json!({"a": {"B": "AAAA"}}), 4),
        (json!({"a": {"BOOL": true}, "b": {"NULL": true}}), 4),
        (json!({"a": {"SS": ["ab", "c"]}}), 4),
        (json!({"a": {"NS": ["1", "22"]}}), 5),
        (json!({"a": {"BS": ["AAAA"]}}), 4),
        (json!({"a": {"L": []}}), 4),
        (json!({"a": {"L": [{"S": "x"}, {"S": "y"}]}}), 8),
        (json!({"a": {"M": {}}}), 4),
        (json!({"a": {"M": {"bc": {"S": "d"}}}}), 8),
    ];
    for (given, wanted) in cases {
        assert_eq!(item_size(&item(given.clone())), wanted, "{given}");
    }
}

#[test]
fn items_end_at_400_kilobytes() {
    let of_size = |size: usize| item(json!({"a": {"S": "x".repeat(size - 1)}}));
    assert_eq!(check_put_size(&of_size(MAX_ITEM_SIZE)), Ok(()));
    let put = check_put_size(&of_size(MAX_ITEM_SIZE + 1)).unwrap_err();
    assert_eq!(put.message, "Item size has exceeded the maximum allowed size");
    let update = check_update_size(&of_size(MAX_ITEM_SIZE + 1)).unwrap_err();
    assert_eq!(update.message, "Item size to update has exceeded the maximum allowed size");
}

#[test]
fn documents_nest_31_deep() {
    let nested = |wraps: usize| {
        let leaf = AttributeValue::S("x".to_owned());
        (0..wraps).fold(leaf, |inner, at| match at % 2 {
            0 => AttributeValue::L(vec![inner]),
            _ => AttributeValue::M([("m".to_owned(), inner)].into()),
        })
    };
    let item = |wraps| [("a".to_owned(), nested(wraps))].into();
    assert_eq!(check_item_nesting(&item(31)), Ok(()));
    assert_eq!(
        check_item_nesting(&item(32)).unwrap_err().message,
        "Nesting Levels have exceeded supported limits: Attributes in the item have nested levels beyond supported limit"
    );
}

#[test]
fn json_nested_without_end_is_refused() {
    let json = (0..100).fold(json!({"S": "x"}), |inner, _| json!({"L": [inner]}));
    assert!(value_from_json(&json).unwrap_err().message.starts_with("Nesting Levels"));
}
