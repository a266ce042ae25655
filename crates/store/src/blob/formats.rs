//! The bytes of references, of rows about blobs and of what stands in front of a blob: whoever changes one must go on
//! reading the old form.

use bytes::Bytes;

use super::live::LiveBlob;
use super::reference::{BlobRef, Place};
use super::{segment, writer};
use crate::{Value, meta};

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn reference(place: Place) -> String {
    let blob = BlobRef { place: place.clone(), fresh: None };
    let bytes = postcard::to_stdvec(&blob).unwrap();
    let back: BlobRef = postcard::from_bytes(&bytes).unwrap();
    assert_eq!(back.place, place);
    hex(&bytes)
}

#[test]
fn references() {
    let inline = Place::Inline(Bytes::from_static(b"hello"));
    assert_eq!(reference(inline), "000568656c6c6f");
    let (len, crc) = (70_000, u64::MAX);
    assert_eq!(
        reference(Place::Segment { id: 1 << 32, offset: 4096, len, crc }),
        "0180808080108020f0a204ffffffffffffffffff01"
    );
    assert_eq!(
        reference(Place::File { id: 2 << 32 | 7, len, crc }),
        "028780808020f0a204ffffffffffffffffff01"
    );
}

#[test]
fn rows() {
    let mut bytes = Vec::new();
    LiveBlob { len: 70_000, crc: u64::MAX, names: 2 }.encode(&mut bytes).unwrap();
    assert_eq!(hex(&bytes), "01f0a204ffffffffffffffffff0102");
    let back = LiveBlob::decode_slice(&bytes).unwrap();
    assert_eq!(back, LiveBlob { len: 70_000, crc: u64::MAX, names: 2 });
    assert_eq!(hex(&meta::version_key()), "0000000176657273696f6e0001");
}

#[test]
fn names_and_headers() {
    assert_eq!(segment::name(1 << 32 | 10), "000000010000000a.segment");
    assert_eq!(writer::name(1 << 32 | 10), "000000010000000a.blob");
    let header = segment::header(1 << 32, 4096, 70_000, u64::MAX);
    assert_eq!(hex(&header), "666f67626c6f62310000000000011170ffffffffffffffff0000000100001000");
}
