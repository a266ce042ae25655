//! Properties of every codec: what is written is read again, and nothing panics.

mod item;

use bytes::{Bytes, BytesMut};
use fogbank_wire::eventstream::Message;
use fogbank_wire::{Item, Kind, Protocol, Style, Timestamp, Value, encode, from_json, to_json};
use item::{AttributeValue, DYNAMODB, PUT_ITEM, PutItemInput, ReturnValue, Tag};
use proptest::collection::{btree_map, vec};
use proptest::option;
use proptest::prelude::*;

const PROTOCOLS: [Protocol; 7] = [
    Protocol::AwsJson1_0,
    Protocol::AwsJson1_1,
    Protocol::AwsQuery,
    Protocol::Ec2Query,
    Protocol::RestJson1,
    Protocol::RestXml,
    Protocol::RpcV2Cbor,
];

fn attribute() -> impl Strategy<Value = AttributeValue> {
    let leaf = prop_oneof![
        "[\\PC\r\n\t]{0,12}".prop_map(AttributeValue::S),
        "-?[0-9]{1,9}".prop_map(AttributeValue::N),
        vec(any::<u8>(), 0..9).prop_map(|bytes| AttributeValue::B(Bytes::from(bytes))),
        vec("[\\PC\r\n\t]{0,4}", 0..4).prop_map(AttributeValue::Ss),
        any::<bool>().prop_map(AttributeValue::Bool),
    ];
    leaf.prop_recursive(3, 16, 4, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..4).prop_map(AttributeValue::L),
            btree_map("[a-z.&<]{1,8}", inner, 0..4).prop_map(AttributeValue::M),
        ]
    })
}

fn variant() -> impl Strategy<Value = ReturnValue> {
    prop_oneof![Just(ReturnValue::None), Just(ReturnValue::AllOld), Just(ReturnValue::AllNew)]
}

fn tag() -> impl Strategy<Value = Tag> {
    ("[a-z]{1,8}", option::of("\\PC{0,8}")).prop_map(|(key, value)| Tag { key, value })
}

fn input() -> impl Strategy<Value = PutItemInput> {
    let first = (
        "[a-zA-Z0-9_.-]{3,12}",
        btree_map("[a-zA-Z#é]{1,8}", attribute(), 0..5),
        option::of(variant()),
        option::of(vec(variant(), 1..4)),
        option::of(1..=100_i32),
        option::of(any::<i64>()),
    );
    let second = (
        option::of(-1e12..1e12_f64),
        option::of(0..4_102_444_800_000_i64),
        option::of(vec(tag(), 1..4)),
        option::of(vec("[a-z]{1,8}", 1..=3)),
        option::of("[a-z]{3,9}"),
    );
    (first, second).prop_map(|(first, second)| PutItemInput {
        table_name: first.0,
        item: first.1,
        return_values: first.2,
        wanted: first.3,
        limit: first.4,
        size: first.5,
        ratio: second.0,
        since: second.1.map(Timestamp::from_millis),
        tags: second.2,
        tag_keys: second.3,
        secret: second.4,
    })
}

/// Writes a value as a client of the query protocol does.
fn form(pairs: &mut Vec<String>, name: &str, value: &dyn Value) {
    let text = match value.item() {
        Item::Absent => return,
        Item::Struct(value) => {
            let Kind::Structure(members) = &value.schema().kind else { return };
            for (index, member) in members.iter().enumerate() {
                let dot = if name.is_empty() { "" } else { "." };
                form(pairs, &format!("{name}{dot}{}", member.wire), value.member(index));
            }
            return;
        }
        Item::Union(value) => {
            let Kind::Union(members) = &value.schema().kind else { return };
            if let Some((index, value)) = value.selected() {
                form(pairs, &format!("{name}.{}", members[index].wire), value);
            }
            return;
        }
        Item::List(list) if !list.is_empty() => {
            for index in 0..list.len() {
                form(pairs, &format!("{name}.member.{}", index + 1), list.at(index));
            }
            return;
        }
        Item::Map(map) if !map.is_empty() => {
            let mut number = 0;
            map.each(&mut |key, value| {
                number += 1;
                form(pairs, &format!("{name}.entry.{number}.key"), &key.to_owned());
                form(pairs, &format!("{name}.entry.{number}.value"), value);
            });
            return;
        }
        Item::List(_) | Item::Map(_) => String::new(),
        Item::Text(text) => text.to_owned(),
        Item::Integer(value) => value.to_string(),
        Item::Long(value) => value.to_string(),
        Item::Double(value) => format!("{value:?}"),
        Item::Boolean(value) => value.to_string(),
        Item::Timestamp(time) => format!("{:.3}", time.millis() as f64 / 1000.0),
        Item::Blob(_) => {
            let json = to_json(&PutItemInput {
                item: [("a".to_owned(), AttributeValue::B(blob(value)))].into_iter().collect(),
                ..PutItemInput::default()
            });
            json["Item"]["a"]["B"].as_str().unwrap_or_default().to_owned()
        }
        other => unreachable!("the model has no {}", std::any::type_name_of_val(&other)),
    };
    let encoded: String = text.bytes().map(|byte| format!("%{byte:02X}")).collect();
    pairs.push(format!("{name}={encoded}"));
}

fn blob(value: &dyn Value) -> Bytes {
    match value.item() {
        Item::Blob(bytes) => bytes.clone(),
        _ => Bytes::new(),
    }
}

fn encoded(protocol: Protocol, value: &PutItemInput) -> Bytes {
    let mut value = value.clone();
    encode(protocol, &DYNAMODB, &PUT_ITEM, &Style::DEFAULT, &mut value, "id")
        .body
        .bytes()
        .cloned()
        .unwrap_or_default()
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 192,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn documents_survive(value in input()) {
        for protocol in [
            Protocol::AwsJson1_0, Protocol::RestJson1, Protocol::RestXml, Protocol::RpcV2Cbor,
        ] {
            let read = item::decode(protocol, &Style::DEFAULT, encoded(protocol, &value));
            prop_assert_eq!(read.as_ref(), Ok(&value), "{:?}", protocol);
        }
        let mut back = PutItemInput::default();
        prop_assert_eq!(from_json(&to_json(&value), &mut back), Ok(()));
        prop_assert_eq!(&back, &value);
    }

    #[test]
    fn forms_survive(value in input()) {
        let mut pairs = Vec::new();
        form(&mut pairs, "", &value);
        let read = item::decode(Protocol::AwsQuery, &Style::DEFAULT, pairs.join("&"));
        prop_assert_eq!(read, Ok(value));
    }

    #[test]
    fn arbitrary_bytes_do_no_harm(bytes in vec(any::<u8>(), 0..400)) {
        for protocol in PROTOCOLS {
            let _ = item::decode(protocol, &Style::DEFAULT, bytes.clone());
        }
        let _ = Message::decode(&mut BytesMut::from(&bytes[..]));
    }

    #[test]
    fn arbitrary_text_does_no_harm(
        text in "([<>/&;=.%+\"\\{\\}\\[\\]:,!?#a-cS-T\\-]|TableName|Item|Tags|member|entry|[0-9]|\\PC){0,60}",
        style in prop_oneof![Just(Style::DEFAULT), Just(Style::S3)],
    ) {
        for protocol in PROTOCOLS {
            if let Err(rejection) = item::decode(protocol, &style, text.clone()) {
                prop_assert!(!rejection.code(protocol, &style).is_empty());
                let _ = rejection.message(protocol, &style);
            }
        }
    }

    #[test]
    fn damaged_documents_do_no_harm(value in input(), at in any::<prop::sample::Index>(), byte in any::<u8>()) {
        for protocol in PROTOCOLS {
            let mut bytes = encoded(protocol, &value).to_vec();
            let at = at.index(bytes.len());
            bytes[at] = byte;
            let _ = item::decode(protocol, &Style::DEFAULT, bytes.clone());
            bytes.truncate(at);
            let _ = item::decode(protocol, &Style::DEFAULT, bytes);
        }
    }
}
