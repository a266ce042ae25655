//! Keys: schema checks, golden bytes, and ranges that hold what their conditions say.

use proptest::prelude::*;
use serde_json::json;

use super::{item, numbers::any_number, value};
use crate::keys::{
    KeyAttribute, KeyRange, KeySchema, SortCondition, decode_value, encode_value, index_row_key,
    partition_prefix, row_key, segment_hashes,
};
use crate::value::{AttributeType, AttributeValue};

fn schema(partition: (&str, AttributeType), sort: Option<(&str, AttributeType)>) -> KeySchema {
    let attribute = |(name, kind): (&str, AttributeType)| KeyAttribute::new(name, kind);
    KeySchema { partition: attribute(partition), sort: sort.map(attribute) }
}

#[test]
fn keys_must_match_the_schema() {
    let hash = schema(("a", AttributeType::S), None);
    let both = schema(("a", AttributeType::S), Some(("b", AttributeType::B)));
    let mismatch = "The provided key element does not match the schema";
    let cases = [
        (&hash, json!({}), mismatch),
        (&hash, json!({"b": {"S": "a"}}), mismatch),
        (&hash, json!({"a": {"S": "a"}, "b": {"S": "a"}}), mismatch),
        (&hash, json!({"a": {"N": "1"}}), mismatch),
        (&hash, json!({"a": {"SS": ["a"]}}), mismatch),
        (&hash, json!({"a": {"M": {}}}), mismatch),
        (&both, json!({"a": {"S": "a"}}), mismatch),
        (
            &hash,
            json!({"a": {"S": ""}}),
            "One or more parameter values were invalid: The AttributeValue for a key attribute cannot contain an empty string value. Key: a",
        ),
        (
            &both,
            json!({"a": {"S": "a"}, "b": {"B": ""}}),
            "One or more parameter values were invalid: The AttributeValue for a key attribute cannot contain an empty binary value. Key: b",
        ),
        (
            &hash,
            json!({"a": {"S": "x".repeat(2049)}}),
            "One or more parameter values were invalid: Size of hashkey has exceeded the maximum size limit of2048 bytes",
        ),
        (
            &both,
            json!({"a": {"S": "a"}, "b": {"B": "AAAA".repeat(342)}}),
            "One or more parameter values were invalid: Aggregated size of all range keys has exceeded the size limit of 1024 bytes",
        ),
    ];
    for (schema, key, wanted) in cases {
        assert_eq!(schema.check_key(&item(key)).unwrap_err().message, wanted);
    }
    let key = item(json!({"a": {"S": "x".repeat(2048)}}));
    assert_eq!(hash.check_key(&key).unwrap().to_item(&hash), key);
}

#[test]
fn items_must_hold_their_keys() {
    let table = schema(("pk", AttributeType::S), Some(("sk", AttributeType::N)));
    let cases = [
        (
            json!({"sk": {"N": "1"}}),
            "One or more parameter values were invalid: Missing the key pk in the item",
        ),
        (
            json!({"pk": {"S": "a"}}),
            "One or more parameter values were invalid: Missing the key sk in the item",
        ),
        (
            json!({"pk": {"N": "1"}, "sk": {"N": "1"}}),
            "One or more parameter values were invalid: Type mismatch for key pk expected: S actual: N",
        ),
        (
            json!({"pk": {"S": ""}, "sk": {"N": "1"}}),
            "One or more parameter values are not valid. The AttributeValue for a key attribute cannot contain an empty string value. Key: pk",
        ),
    ];
    for (given, wanted) in cases {
        assert_eq!(table.check_item(&item(given)).unwrap_err().message, wanted);
    }
    let index = schema(("g", AttributeType::S), Some(("h", AttributeType::N)));
    let cases = [
        (
            json!({"g": {"N": "1"}}),
            "One or more parameter values were invalid: Type mismatch for Index Key g Expected: S Actual: N IndexName: i",
        ),
        (
            json!({"g": {"S": ""}}),
            "One or more parameter values are not valid. A value specified for a secondary index key is not supported. The AttributeValue for a key attribute cannot contain an empty string value. IndexName: i, IndexKey: g",
        ),
    ];
    for (given, wanted) in cases {
        assert_eq!(index.check_index_item("i", &item(given)).unwrap_err().message, wanted);
    }
    assert_eq!(index.check_index_item("i", &item(json!({"g": {"S": "a"}}))), Ok(None));
    let found = index.check_index_item("i", &item(json!({"g": {"S": "a"}, "h": {"N": "1"}})));
    assert!(found.unwrap().is_some());
}

#[test]
fn store_keys_are_golden() {
    let table = schema(("a", AttributeType::S), Some(("b", AttributeType::N)));
    let key = table.check_key(&item(json!({"a": {"S": "p\u{0}q"}, "b": {"N": "-1"}}))).unwrap();
    let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    let encoded = "7000ff710001";
    let row = hex(&row_key(7, &key));
    let hash = &row[16..20];
    assert_eq!(row, format!("0000000000000007{hash}{encoded}3fbdfdff"));
    let index = hex(&index_row_key(8, &key, &key));
    assert_eq!(index, format!("0000000000000008{hash}{encoded}3fbdfdff{encoded}3fbdfdff"));
    assert_eq!(hash, "de01");
}

#[test]
fn segments_cover_all_hashes_once() {
    for total in [1, 2, 3, 7, 1000] {
        let mut next = 0;
        for segment in 0..total {
            let (first, end) = segment_hashes(segment, total);
            assert_eq!(first, next);
            next = end;
        }
        assert_eq!(next, 65536);
    }
    let all = KeyRange::of_hashes(7, segment_hashes(0, 1));
    assert_eq!(all.start, [0, 0, 0, 0, 0, 0, 0, 7, 0, 0]);
    assert_eq!(all.end, [0, 0, 0, 0, 0, 0, 0, 8]);
    let key = partition_prefix(7, &value(json!({"S": "x"})));
    let holds = |segment| {
        let range = KeyRange::of_hashes(7, segment_hashes(segment, 5));
        range.start <= key && key < range.end
    };
    assert_eq!((0..5).filter(|segment| holds(*segment)).count(), 1);
}

fn any_key() -> impl Strategy<Value = AttributeValue> {
    let few = prop::sample::select(vec![0u8, 1, 2, 0xFE, 0xFF]);
    prop::collection::vec(few, 1..5).prop_map(AttributeValue::B)
}

fn any_number_key() -> impl Strategy<Value = AttributeValue> {
    any_number().prop_map(|number| AttributeValue::N(number.to_number()))
}

fn check_condition(condition: &SortCondition, value: &AttributeValue) {
    let prefix = partition_prefix(1, &AttributeValue::S("p".to_owned()));
    let mut key = prefix.clone();
    encode_value(value, &mut key);
    let range = condition.range(&prefix);
    for key in [key.clone(), [key.as_slice(), b"index suffix"].concat()] {
        let within = range.start <= key && key < range.end;
        assert_eq!(within, condition.holds(value), "{condition:?} {value:?}");
    }
}

fn conditions(a: AttributeValue, b: AttributeValue) -> Vec<SortCondition> {
    vec![
        SortCondition::Eq(a.clone()),
        SortCondition::Lt(a.clone()),
        SortCondition::Le(a.clone()),
        SortCondition::Gt(a.clone()),
        SortCondition::Ge(a.clone()),
        SortCondition::Between(a, b),
    ]
}

proptest! {
    #[test]
    fn bytes_order_and_round_trip(a in any_key(), b in any_key()) {
        let (mut key_a, mut key_b) = (Vec::new(), Vec::new());
        encode_value(&a, &mut key_a);
        encode_value(&b, &mut key_b);
        prop_assert_eq!(Some(key_a.cmp(&key_b)), a.compare(&b));
        let length = key_a.len();
        key_a.extend([0, 0xFF, 9]);
        prop_assert_eq!(decode_value(AttributeType::B, &key_a), Some((a, length)));
    }

    #[test]
    fn strings_round_trip(text in any::<String>()) {
        let text = AttributeValue::S(text);
        let mut key = Vec::new();
        encode_value(&text, &mut key);
        prop_assert_eq!(decode_value(AttributeType::S, &key), Some((text, key.len())));
    }

    #[test]
    fn ranges_hold_what_their_conditions_say(a in any_key(), b in any_key(), tested in any_key()) {
        for condition in conditions(a.clone(), b) {
            check_condition(&condition, &tested);
            check_condition(&condition, &a);
        }
        check_condition(&SortCondition::BeginsWith(a.clone()), &tested);
        check_condition(&SortCondition::BeginsWith(a.clone()), &a);
    }

    #[test]
    fn number_ranges_too(a in any_number_key(), b in any_number_key(), tested in any_number_key()) {
        for condition in conditions(a.clone(), b) {
            check_condition(&condition, &tested);
            check_condition(&condition, &a);
        }
    }
}
