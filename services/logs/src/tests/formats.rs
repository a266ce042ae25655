//! The bytes of every row: whoever changes one must raise its version and read the old form.

use std::collections::BTreeMap;

use fogbank_testkit::{check_row, expect};

use crate::store::{Doomed, Event, Group, Stream};

#[test]
fn groups_and_streams() {
    let group = Group {
        created_millis: 1_767_225_600_000,
        retention_days: Some(7),
        kms_key_id: Some("k".into()),
        class: "STANDARD".into(),
        deletion_protection: true,
        tags: BTreeMap::from([("t".into(), "v".into())]),
    };
    check_row(&group, expect!["0180a0d5edee66010e01016b085354414e44415244010101740176"]);
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
    let event = Event { message: "héllo".into(), ingestion_millis: 1_767_225_600_000 };
    check_row(&event, expect!["010668c3a96c6c6f80a0d5edee66"]);
}
