//! The bytes of every row: whoever changes one must raise its version and read the old form.

use std::collections::BTreeMap;

use fogbank_core::store::Value;
use fogbank_testkit::{Expect, expect};

use crate::store::{Mail, Settings, Subscription, Text, Token, Topic};

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
fn topics_and_subscriptions() {
    let topic = Topic {
        id: 1,
        attributes: BTreeMap::from([("DisplayName".into(), "d".into())]),
        tags: BTreeMap::from([("t".into(), "v".into())]),
        deleted: 2,
    };
    check(&topic, expect!["0101010b446973706c61794e616d650164010174017602"]);
    let subscription = Subscription {
        topic_arn: "arn:t".into(),
        id: "id".into(),
        protocol: "sqs".into(),
        endpoint: "arn:q".into(),
        owner: "000000000000".into(),
        principal: "arn:p".into(),
        is_pending: true,
        was_authenticated: false,
        is_guarded: true,
        token: "abc".into(),
        settings: Settings {
            is_raw: true,
            filter_policy: Some("{}".into()),
            filters_body: true,
            redrive: Some(("{}".into(), "arn:d".into())),
            delivery_policy: Some("p".into()),
            role_arn: None,
        },
    };
    check(
        &subscription,
        expect![[r#"
        010561726e3a74026964037371730561726e3a710c3030303030303030303030300561726e3a70010001036162630101
        027b7d0101027b7d0561726e3a6401017000"#]],
    );
    check(&Token { topic_id: 1, subscription_id: "id".into() }, expect!["0101026964"]);
}

#[test]
fn outboxes() {
    let mail = Mail {
        to: "a@b".into(),
        subject: "s".into(),
        body: "b".into(),
        topic_arn: "arn:t".into(),
        at_millis: 1_767_225_600_000,
    };
    check(&mail, expect!["0103614062017301620561726e3a7480a0d5edee66"]);
    let text = Text {
        to: "+1".into(),
        body: "b".into(),
        topic_arn: String::new(),
        at_millis: 1_767_225_600_000,
        account: "a".into(),
    };
    check(&text, expect!["02022b3101620080a0d5edee660161"]);
}

#[test]
fn texts_of_the_first_version_belong_to_their_topics_account() {
    let topic_arn = "arn:aws:sns:us-east-1:111122223333:n";
    for (topic_arn, account) in [("", ""), (topic_arn, "111122223333")] {
        let arn = format!("{:02x}{}", topic_arn.len(), hex::encode(topic_arn));
        let bytes = hex::decode(format!("01022b310162{arn}80a0d5edee66")).expect("bytes");
        let text = Text {
            to: "+1".into(),
            body: "b".into(),
            topic_arn: topic_arn.into(),
            at_millis: 1_767_225_600_000,
            account: account.into(),
        };
        assert_eq!(Text::decode_slice(&bytes).expect("a text"), text);
    }
}
