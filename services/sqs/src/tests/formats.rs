//! The bytes of every row: whoever changes one must raise its version and read the old form.

use std::collections::BTreeMap;

use fogbank_core::store::Value;
use fogbank_testkit::{Expect, expect};

use crate::rules::attributes::{Fifo, Redrive, Settings};
use crate::store::{
    Attribute, AttributeValue, GroupHead, Hidden, Message, Original, Queue, Sealed, State,
};

fn check<V: Value>(row: &V, expected: Expect) {
    let mut bytes = Vec::new();
    row.encode(&mut bytes).expect("a row");
    let lines: Vec<String> = hex::encode(&bytes)
        .as_bytes()
        .chunks(96)
        .map(|line| String::from_utf8_lossy(line).into_owned())
        .collect();
    expected.assert_eq(&lines.join("\n"));
    let mut again = Vec::new();
    let read = V::decode_slice(&bytes).expect("readable");
    read.encode(&mut again).expect("a row");
    assert_eq!(bytes, again);
}

#[test]
fn queues() {
    let queue = Queue {
        id: 1,
        space: 2,
        secret: [3; 16],
        created_secs: 1_767_225_600,
        modified_secs: 1_767_225_601,
        purged_millis: 0,
        settings: Settings {
            policy: Some("{}".into()),
            redrive: Some(Redrive { target_arn: "arn:d".into(), max_receives: 3 }),
            redrive_allow: Some("a".into()),
            kms_key: Some("k".into()),
            kms_reuse_secs: Some(60),
            fifo: Some(Fifo { deduplicates_content: true, ..Fifo::default() }),
            ..Settings::default()
        },
        tags: BTreeMap::from([("t".into(), "v".into())]),
    };
    check(
        &queue,
        expect![[r#"
        0101020303030303030303030303030303030380e4ad950d82e4ad950d0000808040808c15001e01027b7d010561726e
        3a640301016101016b013c01010100000101740176"#]],
    );
}

#[test]
fn messages_of_version_1_are_read() {
    let old = "0102696404626f64790404040404040404040404040404040402017406537472696e670001780162065374\
               72696e67010201020106526f6f743d3105414944413180d0eab6b73388f7eab6b73301016701016401\
               0561726e3a73";
    let message = Message::decode_slice(&hex::decode(old).expect("hex")).expect("a message");
    assert_eq!((&*message.body, message.sealed), ("body", None));
    assert_eq!(message.source_arn.as_deref(), Some("arn:s"));
}

#[test]
fn messages() {
    let attribute =
        |name: &str, value| Attribute { name: name.into(), data_type: "String".into(), value };
    let message = Message {
        id: "id".into(),
        body: "body".into(),
        body_md5: [4; 16],
        attributes: vec![
            attribute("t", AttributeValue::Text("x".into())),
            attribute("b", AttributeValue::Binary(vec![1, 2])),
        ],
        trace_header: Some("Root=1".into()),
        sender_id: "AIDA1".into(),
        sent_millis: 1_767_225_600_000,
        visible_millis: 1_767_225_605_000,
        group_id: Some("g".into()),
        deduplication_id: Some("d".into()),
        source_arn: Some("arn:s".into()),
        sealed: Some(Sealed { key_arn: "arn:k".into(), queue_arn: "arn:q".into() }),
    };
    check(
        &message,
        expect![[r#"
            0202696404626f64790404040404040404040404040404040402017406537472696e67000178016206537472696e6701
            0201020106526f6f743d3105414944413180d0eab6b73388f7eab6b733010167010164010561726e3a73010561726e3a
            6b0561726e3a71"#]],
    );
    let state = State {
        visible_millis: 1_767_225_630_000,
        receives: 2,
        first_received_millis: 1_767_225_600_000,
        received_millis: 1_767_225_600_001,
        group_id: Some("g".into()),
    };
    check(&state, expect!["01b0baecb6b7330280d0eab6b73381d0eab6b733010167"]);
}

#[test]
fn indexes() {
    check(&Hidden::Delayed, expect!["00"]);
    check(&Hidden::InFlight, expect!["01"]);
    check(&GroupHead { visible_millis: 300, sequence: 7 }, expect!["01ac0207"]);
    let original = Original { message_id: "id".into(), sequence: 7, sent_millis: 300 };
    check(&original, expect!["0102696407ac02"]);
}
