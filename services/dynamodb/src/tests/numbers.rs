//! Numbers: notation, limits, arithmetic and the order of their encodings.

use proptest::prelude::*;

use crate::number::{Decimal, Number, NumberError};

#[test]
fn returns_the_canonical_text() {
    let long = "9".repeat(38);
    let cases = [
        ("0", "0"),
        ("-0", "0"),
        ("0.000", "0"),
        ("0e1000", "0"),
        ("00042", "42"),
        ("+3", "3"),
        (".123", "0.123"),
        ("5.", "5"),
        ("1.0", "1"),
        ("3.1400", "3.14"),
        ("-7.1234", "-7.1234"),
        ("1.5E2", "150"),
        ("1e+5", "100000"),
        ("-17e5", "-1700000"),
        ("12e-1", "1.2"),
        ("12e-5", "0.00012"),
        ("100", "100"),
        ("-100", "-100"),
        ("0.10", "0.1"),
        ("12345678901234567890123456789012345678", "12345678901234567890123456789012345678"),
        ("3.1415926535897932384626433832795028841", "3.1415926535897932384626433832795028841"),
        (long.as_str(), long.as_str()),
    ];
    for (given, wanted) in cases {
        assert_eq!(Number::parse(given).unwrap().as_str(), wanted, "{given}");
    }
    let largest = Number::parse("9.9999999999999999999999999999999999999E+125").unwrap();
    assert_eq!(largest.as_str(), format!("{}{}", "9".repeat(38), "0".repeat(88)));
    let smallest = Number::parse("-1E-130").unwrap();
    assert_eq!(smallest.as_str(), format!("-0.{}1", "0".repeat(129)));
}

#[test]
fn refuses_what_aws_refuses() {
    let not_numeric = |text: &str| NumberError::NotNumeric(text.to_owned());
    let cases = [
        ("", NumberError::Empty),
        ("b", not_numeric("b")),
        ("NaN", not_numeric("NaN")),
        ("Infinity", not_numeric("Infinity")),
        (" 1", not_numeric(" 1")),
        ("1 ", not_numeric("1 ")),
        ("-", not_numeric("-")),
        (".", not_numeric(".")),
        ("1e", not_numeric("1e")),
        ("1e+", not_numeric("1e+")),
        ("e5", not_numeric("e5")),
        ("1.2.3", not_numeric("1.2.3")),
        ("--1", not_numeric("--1")),
        ("1_000", not_numeric("1_000")),
        ("0x10", not_numeric("0x10")),
        ("١", not_numeric("١")),
        ("123456789012345678901234567890123456789", NumberError::TooPrecise),
        ("-1.23456789012345678901234567890123456789", NumberError::TooPrecise),
        ("314159265358979323846264338327950288419e30", NumberError::TooPrecise),
        ("1e126", NumberError::Overflow),
        ("-1e126", NumberError::Overflow),
        ("11e125", NumberError::Overflow),
        ("1e100000000000000000000", NumberError::Overflow),
        ("1e-131", NumberError::Underflow),
        ("-1e-131", NumberError::Underflow),
        ("0.9e-130", NumberError::Underflow),
        ("1e-99999999999999999999", NumberError::Underflow),
    ];
    for (given, wanted) in cases {
        assert_eq!(Number::parse(given), Err(wanted), "{given}");
    }
    let messages = [
        (NumberError::Empty, "The parameter cannot be converted to a numeric value"),
        (not_numeric("b"), "The parameter cannot be converted to a numeric value: b"),
        (
            NumberError::TooPrecise,
            "Attempting to store more than 38 significant digits in a Number",
        ),
        (
            NumberError::Overflow,
            "Number overflow. Attempting to store a number with magnitude larger than supported range",
        ),
        (
            NumberError::Underflow,
            "Number underflow. Attempting to store a number with magnitude smaller than supported range",
        ),
    ];
    for (error, wanted) in messages {
        assert_eq!(error.to_string(), wanted);
    }
}

#[test]
fn adds_exactly_or_not_at_all() {
    let sum = |a: &str, b: &str| {
        let sum = Decimal::parse(a).unwrap().checked_add(Decimal::parse(b).unwrap());
        sum.map(|sum| sum.to_number().to_string())
    };
    let cases = [
        ("1", "2", Ok("3")),
        ("0.1", "0.2", Ok("0.3")),
        ("5", "-5", Ok("0")),
        ("-5", "0", Ok("-5")),
        ("1", "10000000000000000000000", Ok("10000000000000000000001")),
        (
            "99999999999999999999999999999999999999",
            "1",
            Ok("100000000000000000000000000000000000000"),
        ),
        (
            "100000000000000000000000000000000000000",
            "-1",
            Ok("99999999999999999999999999999999999999"),
        ),
        ("5e37", "5e37", Ok("100000000000000000000000000000000000000")),
        ("9e125", "9e125", Err(NumberError::Overflow)),
        ("1e50", "1", Err(NumberError::Overflow)),
        ("1e50", "-1", Err(NumberError::Overflow)),
        ("1e125", "1e-130", Err(NumberError::Overflow)),
        ("4e38", "-1", Err(NumberError::Overflow)),
        ("1.1e-130", "-1e-130", Err(NumberError::Underflow)),
    ];
    for (a, b, wanted) in cases {
        let wanted = wanted.map(str::to_owned);
        assert_eq!(sum(a, b), wanted, "{a} + {b}");
        assert_eq!(sum(b, a), wanted, "{b} + {a}");
    }
    let ten = Decimal::parse("10").unwrap();
    assert_eq!(ten.checked_sub(ten), Ok(Decimal::ZERO));
}

#[test]
fn counts_bytes_as_aws_does() {
    let cases = [
        ("0", 1),
        ("1", 2),
        ("12", 2),
        ("123", 3),
        ("1234", 3),
        ("-1", 3),
        ("1.2", 3),
        ("12345678901234567890123456789012345678", 20),
        ("-12345678901234567890123456789012345678", 21),
    ];
    for (text, wanted) in cases {
        assert_eq!(Decimal::parse(text).unwrap().stored_size(), wanted, "{text}");
    }
}

#[test]
fn key_bytes_are_golden() {
    let hex = |text: &str| {
        let mut key = Vec::new();
        Decimal::parse(text).unwrap().encode_key(&mut key);
        key.iter().map(|byte| format!("{byte:02x}")).collect::<String>()
    };
    let cases = [
        ("0", "80"),
        ("1", "c0420200"),
        ("10", "c0420b00"),
        ("100", "c0430200"),
        ("-1", "3fbdfdff"),
        ("0.5", "c0413300"),
        ("12.34", "c0420d2300"),
        ("1e-130", "c0010200"),
        ("1e125", "c0800b00"),
        (
            "-9.9999999999999999999999999999999999999E+125",
            "3f7f9b9b9b9b9b9b9b9b9b9b9b9b9b9b9b9b9b9b9bff",
        ),
    ];
    for (text, wanted) in cases {
        assert_eq!(hex(text), wanted, "{text}");
    }
    let longest = "1.2345678901234567890123456789012345678";
    assert_eq!(hex(longest).len() / 2, 23, "38 digits on an odd boundary");
}

#[test]
fn damaged_keys_decode_to_nothing() {
    let cases: [&[u8]; 6] =
        [&[], &[0xC0], &[0xC0, 0x42], &[0xC0, 0x42, 2], &[0x17], &[0xC0, 0x42, 0xFF, 0]];
    for bytes in cases {
        assert_eq!(Decimal::decode_key(bytes), None, "{bytes:?}");
    }
    let endless = [&[0xC0, 0x42][..], &[0x64; 40], &[0]].concat();
    assert_eq!(Decimal::decode_key(&endless), None);
}

/// Any number that DynamoDB holds.
pub(super) fn any_number() -> impl Strategy<Value = Decimal> {
    let digits = prop_oneof![1u32..=4, 1u32..=38];
    (any::<bool>(), digits, any::<u128>(), -130i64..=125).prop_map(
        |(negative, digits, seed, adjusted)| {
            let coefficient = (seed % 10u128.pow(digits)).max(1);
            let shift = adjusted - i64::from(coefficient.ilog10());
            let sign = if negative { "-" } else { "" };
            Decimal::parse(&format!("{sign}{coefficient}e{shift}")).unwrap()
        },
    )
}

proptest! {
    #[test]
    fn text_round_trips(number in any_number()) {
        let text = number.to_number();
        prop_assert_eq!(text.decimal(), number);
        prop_assert_eq!(Number::parse(text.as_str()).unwrap(), text);
    }

    #[test]
    fn keys_order_as_numbers_do(a in any_number(), b in any_number()) {
        let (mut key_a, mut key_b) = (Vec::new(), Vec::new());
        a.encode_key(&mut key_a);
        b.encode_key(&mut key_b);
        prop_assert_eq!(key_a.cmp(&key_b), a.cmp(&b));
        prop_assert!(key_a.len() <= 23);
        prop_assert_eq!(Decimal::decode_key(&key_a), Some((a, key_a.len())));
        let followed = [key_a.as_slice(), &[0, 7]].concat();
        prop_assert_eq!(Decimal::decode_key(&followed), Some((a, key_a.len())));
    }

    #[test]
    fn neighbours_order_too(number in any_number(), step in any_number()) {
        if let Ok(next) = number.checked_add(step) {
            prop_assert_eq!(next.cmp(&number), step.cmp(&Decimal::ZERO));
            prop_assert_eq!(next.checked_sub(step), Ok(number));
        }
    }

    #[test]
    fn sums_of_integers_are_those_of_integers(a in -1_000_000_000_000i128..1_000_000_000_000, b in any::<i64>()) {
        let (x, y) = (a.to_string(), b.to_string());
        let sum = Decimal::parse(&x).unwrap().checked_add(Decimal::parse(&y).unwrap()).unwrap();
        let wanted = (a + i128::from(b)).to_string();
        prop_assert_eq!(sum.to_number().to_string(), wanted);
    }

    #[test]
    fn any_text_is_read_or_refused(text in "[-+0-9.eE ]{0,50}") {
        if let Ok(number) = Number::parse(&text) {
            prop_assert_eq!(Number::parse(number.as_str()).unwrap(), number);
        }
    }
}
