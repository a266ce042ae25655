//! The encoding of keys: its bytes, its order, its prefixes.

use std::cmp::Reverse;

use bytes::Bytes;
use fogbank_store::{Key, KeyPrefix, Starting, decode_key, encode_key};
use proptest::prelude::*;

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct QueueName(String);
fogbank_store::key!(QueueName(String));

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Checks the bytes of a key and that they are read back.
fn golden<K: Key + PartialEq + std::fmt::Debug>(key: K, bytes: &str) {
    let encoded = encode_key(&key);
    assert_eq!(hex(&encoded), bytes, "{key:?}");
    assert_eq!(decode_key::<K>(&encoded).unwrap(), key);
}

#[test]
fn the_bytes_of_keys_never_change() {
    golden((), "");
    golden(0u8, "00");
    golden(0x1234u16, "1234");
    golden(0x1234_5678u32, "12345678");
    golden(u64::MAX, "ffffffffffffffff");
    golden(1u128, "00000000000000000000000000000001");
    golden(0i64, "8000000000000000");
    golden(-1i64, "7fffffffffffffff");
    golden(i64::MIN, "0000000000000000");
    golden(true, "01");
    golden(Reverse(1u64), "fffffffffffffffe");
    golden(String::new(), "0001");
    golden("ab".to_owned(), "61620001");
    golden("a\0b".to_owned(), "6100ff620001");
    golden("\0".to_owned(), "00ff0001");
    golden(vec![0u8, 0, 0xFF], "00ff00ffff0001");
    golden(Bytes::from_static(b"x"), "780001");
    golden(QueueName("q".to_owned()), "710001");
    golden(("a".to_owned(), 1u16, false), "610001000100");
    golden((("a".to_owned(), 1u8), 2u8), "6100010102");
}

#[test]
fn borrowed_forms_encode_like_owned_ones() {
    type Owned = (String, Vec<u8>, u64);
    let owned: Owned = ("a".to_owned(), vec![1, 0], 7);
    assert_eq!(encode_key::<Owned>(&owned), encode_key::<Owned>(&("a", &[1u8, 0][..], 7)));
    assert_eq!(encode_key::<Owned>(&owned), encode_key::<Owned>(&(&owned.0, &owned.1, &7)));
}

#[test]
fn damaged_keys_are_refused() {
    for bytes in [&b"ab"[..], b"a\x00", b"a\x00\x02", b"\xff\x00\x01", b"a\x00\x01x"] {
        assert!(decode_key::<String>(bytes).is_err(), "{bytes:?}");
    }
    assert!(decode_key::<u32>(&[0; 3]).is_err());
    assert!(decode_key::<u32>(&[0; 5]).is_err());
    assert!(decode_key::<bool>(&[2]).is_err());
}

type Composite = (String, i64, Vec<u8>, bool, Reverse<u64>);

fn composite() -> impl Strategy<Value = Composite> {
    // Few characters, among them the one that is escaped and its neighbours, so that prefixes and ties are frequent.
    let text = prop::collection::vec(prop::sample::select(vec!['\0', '\u{1}', 'a', 'ÿ']), 0..4);
    let bytes = prop::collection::vec(prop::sample::select(vec![0u8, 1, 0xFE, 0xFF]), 0..4);
    let number = prop_oneof![any::<i64>(), -2i64..2];
    (text, number, bytes, any::<bool>(), any::<u64>()).prop_map(
        |(text, number, bytes, flag, time)| {
            (text.into_iter().collect(), number, bytes, flag, Reverse(time))
        },
    )
}

fn encode(key: &Composite) -> Vec<u8> {
    encode_key::<Composite>(key)
}

fn prefix<K>(prefix: &impl KeyPrefix<K>) -> Vec<u8> {
    let mut out = Vec::new();
    prefix.encode_prefix(&mut out);
    out
}

proptest! {
    #[test]
    fn keys_are_read_back(key in composite()) {
        prop_assert_eq!(decode_key::<Composite>(&encode(&key)).unwrap(), key);
    }

    #[test]
    fn bytes_order_like_values(left in composite(), right in composite()) {
        prop_assert_eq!(encode(&left).cmp(&encode(&right)), left.cmp(&right));
    }

    #[test]
    fn a_prefix_matches_what_it_names_and_nothing_else(left in composite(), right in composite()) {
        let (whole, text) = (encode(&left), &right.0);
        prop_assert_eq!(
            whole.starts_with(&prefix::<Composite>(&(text,))),
            left.0 == right.0
        );
        prop_assert_eq!(
            whole.starts_with(&prefix::<Composite>(&(text, right.1))),
            left.0 == right.0 && left.1 == right.1
        );
        prop_assert_eq!(
            whole.starts_with(&prefix::<Composite>(&Starting((), text))),
            left.0.starts_with(text.as_str())
        );
        prop_assert_eq!(
            whole.starts_with(&prefix::<Composite>(&Starting((text, right.1), &right.2))),
            left.0 == right.0 && left.1 == right.1 && left.2.starts_with(&right.2)
        );
    }

    #[test]
    fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..40)) {
        if let Ok(key) = decode_key::<Composite>(&bytes) {
            prop_assert_eq!(encode(&key), bytes);
        }
    }
}
