//! The bytes of every row: whoever changes one must raise its version and read the old form.
//!
//! The bytes of items are in `encodings`.

use std::collections::BTreeMap;

use fogbank_core::store::Value;
use fogbank_testkit::{check_row, expect};

use crate::store::{
    Backfill, Counted, DataKeyRow, IndexRow, KeyRow, Place, StreamRow, TableRow, ThroughputRow,
    Token,
};

fn key() -> KeyRow {
    KeyRow { partition: "pk".into(), sort: Some("sk".into()) }
}

fn index(name: &str) -> IndexRow {
    IndexRow {
        id: 8,
        name: name.into(),
        key: key(),
        projection: "INCLUDE".into(),
        non_key_attributes: vec!["a".into()],
        throughput: ThroughputRow {
            read_units: 1,
            write_units: 2,
            raised_millis: Some(3),
            lowered_millis: None,
        },
        on_demand_limits: Some((Some(5), None)),
        is_filling: true,
    }
}

/// A table of the first version.
const OLDER_TABLE: [&str; 3] = [
    "01070175016e80a0d5edee660102706b015302706b000108016c02706b0102736b07494e434c55444501016102040106",
    "0001010a00010108016702706b0102736b07494e434c554445010161020401060001010a000101010800000000000101",
    "094b4559535f4f4e4c59017301016b01085354414e44415244010c010105756e74696c0101740176",
];

fn hex(text: &str) -> Vec<u8> {
    let digits = |at: usize| u8::from_str_radix(&text[at..at + 2], 16).expect("hex");
    (0..text.len()).step_by(2).map(digits).collect()
}

#[test]
fn tables() {
    let table = TableRow {
        id: 7,
        uuid: "u".into(),
        name: "n".into(),
        created_millis: 1_767_225_600_000,
        attributes: vec![("pk".into(), "S".into())],
        key: KeyRow { partition: "pk".into(), sort: None },
        local_indexes: vec![index("l")],
        global_indexes: vec![index("g")],
        is_on_demand: true,
        on_demand_since_millis: Some(4),
        throughput: ThroughputRow::default(),
        on_demand_limits: None,
        stream: Some(StreamRow { is_enabled: true, view: "KEYS_ONLY".into(), label: "s".into() }),
        encryption_key: Some("k".into()),
        class: Some("STANDARD".into()),
        class_changed_millis: Some(6),
        is_protected: true,
        expiry_attribute: Some("until".into()),
        tags: BTreeMap::from([("t".into(), "v".into())]),
        data_keys: vec![DataKeyRow {
            number: 300,
            key_arn: "arn:k".into(),
            sealed: vec![9, 8],
            grant_id: "g".into(),
        }],
        inaccessible_millis: Some(5),
    };
    let older = OLDER_TABLE.concat();
    let older = TableRow::decode_slice(&hex(&older)).expect("the first version");
    let plain = TableRow { data_keys: Vec::new(), inaccessible_millis: None, ..table.clone() };
    assert_eq!(older, plain);
    check_row(
        &table,
        expect![[r#"
            02070175016e80a0d5edee660102706b015302706b000108016c02706b0102736b07494e434c55444501016102040106
            0001010a00010108016702706b0102736b07494e434c554445010161020401060001010a000101010800000000000101
            094b4559535f4f4e4c59017301016b01085354414e44415244010c010105756e74696c010174017601ac020561726e3a
            6b0209080167010a"#]],
    );
    let place = Place { account: "000000000000".into(), region: "r".into(), name: "n".into() };
    check_row(&place, expect!["010c3030303030303030303030300172016e"]);
}

#[test]
fn work_that_goes_on() {
    check_row(&Backfill { after: vec![1, 2, 255] }, expect!["01030102ff"]);
    let counted = Counted { items: 1, bytes: 300, at_millis: 1_767_225_600_000 };
    check_row(&counted, expect!["0101ac0280a0d5edee66"]);
    check_row(
        &Token { digest: u64::MAX, done_millis: 1_767_225_600_000 },
        expect!["01ffffffffffffffffff0180a0d5edee66"],
    );
}
