//! The bytes of every row: whoever changes one must raise its version and read the old form.

use std::collections::BTreeMap;

use fogbank_core::store::Value;
use fogbank_testkit::{check_row, expect};

use crate::store::{Doomed, Event, Group, Message, SealedDataKey, Stream};

#[test]
fn groups_and_streams() {
    let group = Group {
        created_millis: 1_767_225_600_000,
        retention_days: Some(7),
        kms_key_id: Some("k".into()),
        class: "STANDARD".into(),
        deletion_protection: true,
        tags: BTreeMap::from([("t".into(), "v".into())]),
        data_keys: vec![SealedDataKey { key_arn: "k".into(), sealed: vec![7, 8] }],
    };
    check_row(
        &group,
        expect!["0280a0d5edee66010e01016b085354414e4441524401010174017601016b020708"],
    );
    let stream = Stream {
        id: 300,
        created_millis: 1_767_225_600_000,
        first_event_millis: Some(1),
        last_event_millis: Some(-1),
        last_ingestion_millis: None,
        stored_bytes: 5,
        next_place: 6,
    };
    check_row(&stream, expect!["01ac0280a0d5edee6601020101000a06"]);
    check_row(&Doomed { since_millis: 1_767_225_600_000 }, expect!["0180a0d5edee66"]);
}

#[test]
fn events() {
    let plain = Message::Plain("héllo".into());
    let event = Event { message: plain, ingestion_millis: 1_767_225_600_000 };
    check_row(&event, expect!["02000668c3a96c6c6f80a0d5edee66"]);
    let sealed = Message::Sealed { data_key: 300, bytes: vec![1, 2, 3] };
    let event = Event { message: sealed, ingestion_millis: 1_767_225_600_000 };
    check_row(&event, expect!["0201ac020301020380a0d5edee66"]);
}

#[test]
fn rows_of_version_1_are_read() {
    let group = "0180a0d5edee66010e01016b085354414e44415244010101740176";
    let group = Group::decode_slice(&bytes(group)).expect("a group");
    assert_eq!(group.kms_key_id.as_deref(), Some("k"));
    assert_eq!(group.tags["t"], "v");
    assert!(group.data_keys.is_empty());
    let event = Event::decode_slice(&bytes("010668c3a96c6c6f80a0d5edee66")).expect("an event");
    assert_eq!(event.message, Message::Plain("héllo".into()));
    assert_eq!(event.ingestion_millis, 1_767_225_600_000);
}

fn bytes(text: &str) -> Vec<u8> {
    let digits = |at: usize| u8::from_str_radix(&text[at..at + 2], 16).expect("hex");
    (0..text.len()).step_by(2).map(digits).collect()
}
