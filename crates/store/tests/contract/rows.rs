//! The format of rows, and what happens when it changes.

use bytes::Bytes;
use fogbank_store::{BlobRef, Error, Raw, Value, decode_fields};
use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct QueueV1 {
    name: String,
}
fogbank_store::row!(QueueV1, 1);

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct QueueV2 {
    name: String,
    delay_secs: u32,
}
fogbank_store::row!(QueueV2, 2, older_queue);

fn older_queue(version: u8, bytes: &[u8]) -> Result<QueueV2, Error> {
    match version {
        1 => {
            let QueueV1 { name } = decode_fields(bytes)?;
            Ok(QueueV2 { name, delay_secs: 30 })
        }
        _ => Err(Error::corrupt("a queue", format!("version {version}"))),
    }
}

fn bytes_of(value: &impl Value) -> Vec<u8> {
    let mut out = Vec::new();
    value.encode(&mut out).unwrap();
    out
}

#[test]
fn the_bytes_of_rows_never_change() {
    let queue = QueueV2 { name: "jobs".to_owned(), delay_secs: 300 };
    assert_eq!(bytes_of(&queue), b"\x02\x04jobs\xac\x02");
    assert_eq!(QueueV2::decode_slice(b"\x02\x04jobs\xac\x02").unwrap(), queue);
    assert_eq!(bytes_of(&7u64), [0, 0, 0, 0, 0, 0, 0, 7]);
    assert_eq!(bytes_of(&"ä".to_owned()), "ä".as_bytes());
    assert_eq!(bytes_of(&Raw(Bytes::from_static(b"x"))), b"x");
    assert_eq!(bytes_of(&()), b"");
}

#[test]
fn the_bytes_of_blob_references_never_change() {
    let read = |bytes: &[u8]| postcard::from_bytes::<BlobRef>(bytes).unwrap();
    let inline = BlobRef::inline(Bytes::from_static(b"abc"));
    assert_eq!(postcard::to_stdvec(&inline).unwrap(), b"\x00\x03abc");
    assert_eq!(read(b"\x00\x03abc"), inline);
    for (bytes, text) in [
        (&b"\x01\x07\x80\x20\x64\xac\x02"[..], "segment:0000000000000007+4096:100"),
        (b"\x02\x08\x65\xac\x02", "file:0000000000000008:101"),
    ] {
        let blob = read(bytes);
        assert_eq!(blob.to_string(), text);
        assert_eq!(blob.crc64nvme(), 300);
        assert_eq!(postcard::to_stdvec(&blob).unwrap(), bytes);
    }
}

#[test]
fn an_older_row_is_migrated() {
    let old = bytes_of(&QueueV1 { name: "jobs".to_owned() });
    let new = QueueV2::decode_slice(&old).unwrap();
    assert_eq!(new, QueueV2 { name: "jobs".to_owned(), delay_secs: 30 });
}

#[test]
fn a_newer_row_is_refused_with_its_reason() {
    let newer = bytes_of(&QueueV2 { name: "jobs".to_owned(), delay_secs: 1 });
    let error = QueueV1::decode_slice(&newer).unwrap_err();
    assert!(matches!(error, Error::NewerFormat { found: 2, supported: 1, .. }), "{error}");
}

#[test]
fn damaged_rows_are_refused() {
    for bytes in [&b""[..], b"\x02", b"\x02\x7fjobs", b"\x00\x04jobs\x01"] {
        let error = QueueV2::decode_slice(bytes).unwrap_err();
        assert!(matches!(error, Error::Corrupt { .. }), "{bytes:?}: {error}");
    }
    assert!(u64::decode_slice(b"1234567").is_err());
    assert!(String::decode_slice(b"\xff").is_err());
}
