//! Bodies that clients pack: takes them out of gzip, for the operations for which AWS does.

use std::io::Read;

use bytes::Bytes;
use flate2::read::MultiGzDecoder;
use fogbank_core::Fault;
use http::HeaderMap;
use http::header::CONTENT_ENCODING;

/// Whether a request says that its body is packed.
pub(crate) fn is_packed(headers: &HeaderMap) -> bool {
    headers
        .get(CONTENT_ENCODING)
        .is_some_and(|value| value.as_bytes().eq_ignore_ascii_case(b"gzip"))
}

/// Unpacks a body into at most `limit` bytes. The signature covers it as it was sent.
pub(crate) fn unpack(packed: &[u8], limit: usize) -> Result<Bytes, Fault> {
    // AWS's words for either are not known here.
    let refused = |name: &'static str, message: String| Fault::new(name, message).with_status(400);
    let mut bytes = Vec::new();
    let most = limit as u64 + 1;
    match MultiGzDecoder::new(packed).take(most).read_to_end(&mut bytes) {
        Err(error) => {
            let message = format!("The request's body cannot be unpacked: {error}.");
            Err(refused("SerializationException", message))
        }
        Ok(count) if count > limit => {
            let message = format!("The request's body is longer than {limit} bytes unpacked.");
            Err(refused("RequestEntityTooLarge", message))
        }
        Ok(_) => Ok(bytes.into()),
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use flate2::Compression;
    use flate2::write::GzEncoder;

    use super::*;

    fn pack(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(bytes).expect("memory takes it");
        encoder.finish().expect("memory takes it")
    }

    #[test]
    fn what_was_packed_comes_out_and_nothing_else() {
        let packed = pack(b"{\"limit\":1}");
        assert_eq!(unpack(&packed, 100).expect("unpacked"), "{\"limit\":1}");
        assert_eq!(unpack(&pack(b""), 100).expect("unpacked"), "");
        for broken in [&b"{\"limit\":1}"[..], b"", &packed[..packed.len() - 1], &packed[1..]] {
            let fault = unpack(broken, 100).expect_err("no gzip");
            assert_eq!((fault.name(), fault.status()), ("SerializationException", Some(400)));
        }
    }

    #[test]
    fn a_bomb_is_not_unpacked() {
        let packed = pack(&vec![0; 10 << 20]);
        assert!(packed.len() < 1 << 20);
        let fault = unpack(&packed, 1 << 20).expect_err("too long");
        assert_eq!(fault.name(), "RequestEntityTooLarge");
        assert!(unpack(&packed, 10 << 20).is_ok());
    }
}
