//! Rows and JSON: golden bytes, round trips, damaged rows.

use proptest::prelude::*;
use serde_json::json;

use super::{item, numbers::any_number};
use crate::encoding::{decode_item, encode_item};
use crate::json::{write_item, write_row};
use crate::value::{AttributeValue, Item};

#[test]
fn row_bytes_are_golden() {
    let row = encode_item(&item(json!({
        "pk": {"S": "é"}, "n": {"N": "-1.50"}, "b": {"B": "AAE="}, "t": {"BOOL": true}, "f": {"BOOL": false},
        "z": {"NULL": true}, "l": {"L": [{"N": "1"}, {"M": {}}]}, "m": {"M": {"k": {"S": ""}}},
        "ss": {"SS": ["b", "a"]}, "ns": {"NS": ["2", "1"]}, "bs": {"BS": ["AQ=="]},
    })));
    let wanted = b"\x01\x0b\
        \x01b\x03\x02\x00\x01\
        \x02bs\x0b\x01\x01\x01\
        \x01f\x04\
        \x01l\x07\x02\x02\x011\x08\x00\
        \x01m\x08\x01\x01k\x01\x00\
        \x01n\x02\x04-1.5\
        \x02ns\x0a\x02\x012\x011\
        \x02pk\x01\x02\xc3\xa9\
        \x02ss\x09\x02\x01b\x01a\
        \x01t\x05\
        \x01z\x06";
    assert_eq!(row, wanted);
    let long = encode_item(&item(json!({"a": {"S": "x".repeat(300)}})));
    assert_eq!(long[..7], [1, 1, 1, b'a', 1, 0xAC, 0x02]);
}

#[test]
fn rows_become_json_directly() {
    let item = item(json!({
        "text": {"S": "a\"b\\c\n\t\r\u{1}é😀"}, "n": {"N": "1e3"}, "b": {"B": "AAECAw=="}, "e": {"B": ""},
        "flag": {"BOOL": false}, "none": {"NULL": true}, "l": {"L": [{"N": "1"}, {"L": []}]},
        "m": {"M": {"k\"": {"S": ""}}}, "ss": {"SS": ["b", "a"]}, "ns": {"NS": ["2", "1"]}, "bs": {"BS": ["AQ=="]},
    }));
    let (mut from_row, mut from_item) = (Vec::new(), Vec::new());
    write_row(&encode_item(&item), &mut from_row).unwrap();
    write_item(&item, &mut from_item);
    assert_eq!(String::from_utf8(from_row.clone()).unwrap(), String::from_utf8(from_item).unwrap());
    let read: serde_json::Value = serde_json::from_slice(&from_row).unwrap();
    assert_eq!(super::item(read), item);
    assert!(from_row.starts_with(br#"{"b":{"B":"AAECAw=="},"bs":{"BS":["AQ=="]},"#));
}

#[test]
fn damaged_rows_are_errors() {
    let row = encode_item(&item(json!({"a": {"L": [{"S": "x"}]}, "b": {"NS": ["1"]}})));
    for end in 0..row.len() {
        assert!(decode_item(&row[..end]).is_err(), "cut at {end}");
        assert!(write_row(&row[..end], &mut Vec::new()).is_err(), "cut at {end}");
    }
    let cases: [&[u8]; 6] = [
        b"\x02\x00",
        b"\x01\x00\x00",
        b"\x01\x01\x01a\x0c",
        b"\x01\x01\x01a\x01\x01\xff",
        b"\x01\xff\xff\xff\xff\xff\xff\xff",
        b"\x01\x01\x01a\x07\xff\xff\xff\x7f\x06",
    ];
    for bytes in cases {
        assert!(decode_item(bytes).is_err(), "{bytes:?}");
    }
    let deep = [b"\x01\x01\x01a".to_vec(), [7, 1].repeat(5000)].concat();
    assert!(decode_item(&deep).is_err());
    assert!(write_row(&deep, &mut Vec::new()).is_err());
}

fn any_value() -> impl Strategy<Value = AttributeValue> {
    let number = || any_number().prop_map(|number| number.to_number());
    let text = || any::<String>();
    let bytes = || prop::collection::vec(any::<u8>(), 0..20);
    let leaf = prop_oneof![
        text().prop_map(AttributeValue::S),
        number().prop_map(AttributeValue::N),
        bytes().prop_map(AttributeValue::B),
        any::<bool>().prop_map(AttributeValue::Bool),
        Just(AttributeValue::Null),
        prop::collection::btree_set(text(), 1..4)
            .prop_map(|set| AttributeValue::Ss(set.into_iter().collect())),
        prop::collection::btree_set(number(), 1..4)
            .prop_map(|set| AttributeValue::Ns(set.into_iter().collect())),
        prop::collection::btree_set(bytes(), 1..4)
            .prop_map(|set| AttributeValue::Bs(set.into_iter().collect())),
    ];
    leaf.prop_recursive(4, 24, 4, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(AttributeValue::L),
            prop::collection::btree_map(any::<String>(), inner, 0..4).prop_map(AttributeValue::M),
        ]
    })
}

fn any_item() -> impl Strategy<Value = Item> {
    prop::collection::btree_map(any::<String>(), any_value(), 0..5)
}

proptest! {
    #[test]
    fn items_round_trip(item in any_item()) {
        let row = encode_item(&item);
        prop_assert_eq!(&decode_item(&row).unwrap(), &item);
        let mut json = Vec::new();
        write_row(&row, &mut json).unwrap();
        let read: serde_json::Value = serde_json::from_slice(&json).unwrap();
        prop_assert_eq!(&super::item(read), &item);
    }

    #[test]
    fn arbitrary_bytes_do_no_harm(bytes in prop::collection::vec(any::<u8>(), 0..60)) {
        let versioned = [&[1][..], &bytes].concat();
        let read = decode_item(&versioned).is_ok();
        let written = write_row(&versioned, &mut Vec::new()).is_ok();
        prop_assert_eq!(read, written);
    }
}
