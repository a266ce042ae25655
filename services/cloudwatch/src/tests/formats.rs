//! The bytes of rows, which lie on disks and must be read for ever.

use fogbank_core::measures::Summary;
use fogbank_core::wire::EnumValue;
use fogbank_testkit::{check_row, expect};

use crate::model::StandardUnit;
use crate::store::{Metric, Point, dimensions_key, dimensions_of};

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
    check_row(
        &Point::of(&Summary::default()),
        expect!["010100000000000000000000000000000000000000000000000000000000000000000000"],
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
