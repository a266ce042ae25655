//! The bytes of every row, which lie on disks and must be read for ever.

use fogbank_core::measures::Summary;
use fogbank_core::wire::EnumValue;
use fogbank_testkit::{check_row, expect};

use crate::model::StandardUnit;
use crate::store::{Alarm, Dashboard, History, Metric, Point, dimensions_key, dimensions_of};

#[test]
fn rows() {
    check_row(&Metric { id: 7, published_millis: 1_767_225_600_000 }, expect!["010780a0d5edee66"]);
    check_row(&Point::of(&Summary::of(2.5, 3.0)), expect!["010000000000000004400000000000000840"]);
    let mut summary = Summary::totals(3.0, 6.0, 1.0, 3.0);
    check_row(
        &Point::of(&summary),
        expect!["010100000000000008400000000000001840000000000000f03f000000000000084002"],
    );
    summary = Summary::of(1.0, 1.0);
    summary.add(2.0, 1.0);
    check_row(
        &Point::of(&summary),
        expect![[r#"
        010100000000000000400000000000000840000000000000f03f00000000000000400002000000000000f03f00000000
        0000f03f0000000000000040000000000000f03f"#]],
    );
    for value in -70..70 {
        summary.add(f64::from(value * value * value), 1.0);
    }
    let mut bytes = Vec::new();
    fogbank_core::store::Value::encode(&Point::of(&summary), &mut bytes).expect("a row");
    assert!(bytes.len() < 2_000, "{}", bytes.len());
    // More different values than are kept exactly, all in one bin.
    let mut close = Summary::of(1000.0, 1.0);
    for step in 1..=128 {
        close.add(1000.0 + f64::from(step) / 1024.0, 1.0);
    }
    check_row(
        &Point::of(&close),
        expect![[r#"
        0101000000000020604000000000017fff400000000000408f400000000000418f400106000000000000000001fa0900
        0000000020604000"#]],
    );
    check_row(
        &Point::of(&Summary::default()),
        expect!["010100000000000000000000000000000000000000000000000000000000000000000000"],
    );
}

#[test]
fn rows_of_alarms_and_dashboards() {
    let tags = [("a".to_owned(), "b".to_owned())].into();
    let alarm = Alarm {
        is_composite: false,
        configuration: "{}".to_owned(),
        actions_enabled: true,
        tags,
        configured_millis: 1,
        state: "OK".to_owned(),
        reason: "why".to_owned(),
        reason_data: Some("{}".to_owned()),
        updated_millis: 2,
        transitioned_millis: 3,
    };
    check_row(&alarm, expect!["0100027b7d01010161016202024f4b0377687901027b7d0406"]);
    let (kind, summary, data) = ("Action".to_owned(), "what".to_owned(), "{}".to_owned());
    check_row(
        &History { is_composite: true, kind, summary, data },
        expect!["010106416374696f6e0477686174027b7d"],
    );
    let tags = alarm.tags;
    check_row(
        &Dashboard { body: "{}".to_owned(), modified_millis: 7, tags },
        expect!["01027b7d0e0101610162"],
    );
}

/// Rows hold a unit's place in this list.
#[test]
fn units_stay_where_they_are() {
    assert_eq!(StandardUnit::NAMES.len(), 27);
    for (unit, place) in [
        (StandardUnit::Seconds, 0),
        (StandardUnit::Bytes, 3),
        (StandardUnit::Bits, 8),
        (StandardUnit::Percent, 13),
        (StandardUnit::Count, 14),
        (StandardUnit::BytesSecond, 15),
        (StandardUnit::BitsSecond, 20),
        (StandardUnit::CountSecond, 25),
        (StandardUnit::None, 26),
    ] {
        assert_eq!(unit as u8, place, "{}", unit.name());
    }
}

#[test]
fn dimensions_in_keys_have_one_order() {
    let key = "a\0b\0c\0d\0";
    let mut dimensions = dimensions_of(key);
    assert_eq!(dimensions_key(&dimensions), key);
    dimensions.reverse();
    assert_eq!(dimensions_key(&dimensions), key);
    assert_eq!(dimensions_of(""), []);
}
