//! Messages of event streams: what is read is written again as it was.
#![no_main]

use bytes::BytesMut;
use fogbank_wire::eventstream::Message;
use libfuzzer_sys::fuzz_target;

fn crc32(bytes: &[u8]) -> [u8; 4] {
    let mut crc = !0_u32;
    for byte in bytes {
        crc ^= u32::from(*byte);
        for _ in 0..8 {
            crc = (crc >> 1) ^ (0xedb8_8320 & (crc & 1).wrapping_neg());
        }
    }
    (!crc).to_be_bytes()
}

/// Puts the right checksums in place, which no mutation hits.
fn mend(bytes: &mut [u8]) {
    if bytes.len() >= 16 {
        let prelude = crc32(&bytes[..8]);
        bytes[8..12].copy_from_slice(&prelude);
        let end = bytes.len() - 4;
        let whole = crc32(&bytes[..end]);
        bytes[end..].copy_from_slice(&whole);
    }
}

fuzz_target!(|bytes: &[u8]| {
    let mut mended = bytes.to_vec();
    mend(&mut mended);
    for bytes in [bytes, &mended] {
        let mut buffer = BytesMut::from(bytes);
        while let Ok(Some(message)) = Message::decode(&mut buffer) {
            let _ = message.signed();
            let mut again = BytesMut::from(&message.encode().expect("a message")[..]);
            let decoded = Message::decode(&mut again).expect("a message").expect("a whole one");
            assert_eq!(decoded, message);
        }
    }
});
