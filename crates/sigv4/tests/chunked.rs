//! The `aws-chunked` decoder: pieces of any size, wrong bytes anywhere, ends that come too early or not at all.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use bytes::Bytes;
use fogbank_sigv4::sign::{ChunkSigner, Signed, Signer, unsigned_chunks};
use fogbank_sigv4::{
    ChunkedDecoder, Decoded, Error, Options, RequestView, Rules, SigningKey, Style, parse, verify,
};
use http::HeaderMap;
use proptest::prelude::*;

const NOW: i64 = 1_795_209_909;
const SIGNED: &str = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD";
const SIGNED_TRAILER: &str = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER";
const UNSIGNED_TRAILER: &str = "STREAMING-UNSIGNED-PAYLOAD-TRAILER";

fn request(headers: &HeaderMap) -> RequestView<'_> {
    RequestView {
        method: "PUT",
        raw_path: "/bucket/key",
        raw_query: "",
        host: "127.0.0.1:4566",
        headers,
    }
}

fn sign(payload: &str) -> (HeaderMap, Signed) {
    let signer = Signer {
        access_key_id: "test",
        secret: "test",
        session_token: None,
        region: "us-east-1",
        service: "s3",
        rules: Rules::S3,
    };
    let mut headers = HeaderMap::new();
    let signed = signer.sign(&request(&HeaderMap::new()), &mut headers, payload, NOW).unwrap();
    (headers, signed)
}

fn decoder(headers: &HeaderMap, length: u64, announced: Option<&str>) -> ChunkedDecoder {
    let request = request(headers);
    let presented = parse(&request).unwrap().unwrap();
    let key = SigningKey::derive("test", presented.day(), "us-east-1", "s3");
    let options = Options::new(Rules::S3);
    let verified = verify(&presented, &request, &key, None, NOW, &options).unwrap();
    verified.chunked(Some(length), announced).unwrap().unwrap()
}

/// Feeds a body in pieces of at most `piece` bytes.
fn run(
    mut decoder: ChunkedDecoder,
    body: &[u8],
    piece: usize,
) -> Result<(Vec<u8>, Decoded), Error> {
    let mut payload = Vec::new();
    for piece in body.chunks(piece) {
        let mut input = Bytes::copy_from_slice(piece);
        while let Some(slice) = decoder.decode(&mut input)? {
            assert!(!slice.is_empty());
            payload.extend_from_slice(&slice);
        }
        assert!(input.is_empty());
    }
    assert_eq!(decoder.received(), payload.len() as u64);
    Ok((payload, decoder.finish()?))
}

fn crc32(value: &str) -> Vec<(String, String)> {
    vec![("x-amz-checksum-crc32".to_owned(), value.to_owned())]
}

struct Body {
    headers: HeaderMap,
    bytes: Vec<u8>,
    payload: Vec<u8>,
    trailers: Vec<(String, String)>,
}

fn signed_body(sizes: &[usize], trailers: Vec<(String, String)>) -> Body {
    let (headers, signed) = sign(if trailers.is_empty() { SIGNED } else { SIGNED_TRAILER });
    let mut signer = ChunkSigner::new(signed);
    let (mut bytes, mut payload) = (Vec::new(), Vec::new());
    for (number, size) in sizes.iter().enumerate() {
        let chunk: Vec<u8> = (0..*size).map(|at| ((at * 7 + number) % 251) as u8).collect();
        bytes.extend_from_slice(&signer.chunk(&chunk));
        payload.extend_from_slice(&chunk);
    }
    bytes.extend_from_slice(&signer.finish(&trailers));
    Body { headers, bytes, payload, trailers }
}

impl Body {
    fn decode(&self, bytes: &[u8], piece: usize) -> Result<(Vec<u8>, Decoded), Error> {
        run(decoder(&self.headers, self.payload.len() as u64, None), bytes, piece)
    }
}

fn code(result: Result<(Vec<u8>, Decoded), Error>) -> &'static str {
    result.unwrap_err().render(Style::S3Xml).code
}

#[test]
fn pieces_of_any_size_give_the_same_payload() {
    for (sizes, trailers) in [
        (&[8192, 9000, 5][..], crc32("AAAAAA==")),
        (&[8192, 8192], vec![]),
        (&[3], vec![]),
        (&[], vec![]),
        (&[], crc32("AAAAAA==")),
    ] {
        let body = signed_body(sizes, trailers);
        for piece in [1, 2, 3, 7, 64, 8192, 1 << 20] {
            let (payload, decoded) = body.decode(&body.bytes, piece).unwrap();
            assert_eq!(payload, body.payload);
            assert_eq!(decoded.length, body.payload.len() as u64);
            assert_eq!(decoded.trailers, body.trailers);
        }
    }
}

#[test]
fn payload_is_handed_out_without_a_copy() {
    let body = signed_body(&[10_000], vec![]);
    let mut input = Bytes::from(body.bytes.clone());
    let range = input.as_ptr_range();
    let slice = decoder(&body.headers, 10_000, None).decode(&mut input).unwrap().unwrap();
    assert_eq!(slice.len(), 10_000);
    assert!(range.contains(&slice.as_ptr()));
}

#[test]
fn the_slice_that_completes_a_forged_chunk_is_withheld() {
    let body = signed_body(&[10_000], vec![]);
    let mut bytes = body.bytes.clone();
    bytes[5_000] ^= 1;
    let mut decoder = decoder(&body.headers, 10_000, None);
    let mut input = Bytes::from(bytes);
    let mut first = input.split_to(9_000);
    assert!(decoder.decode(&mut first).unwrap().is_some());
    let error = decoder.decode(&mut input).unwrap_err();
    assert!(matches!(&error, Error::SignatureDoesNotMatch(_)), "{error}");
    assert_eq!(decoder.decode(&mut Bytes::from_static(b"more")), Err(error.clone()));
    assert_eq!(decoder.finish(), Err(error));
}

#[test]
fn ends_that_come_too_early_are_refused() {
    let body = signed_body(&[8192, 100], crc32("AAAAAA=="));
    let whole = body.bytes.len();
    assert!(body.decode(&body.bytes, whole).is_ok());
    // Only the blank line at the very end may be missing: everything is verified before it.
    assert!(body.decode(&body.bytes[..whole - 2], whole).is_ok());
    for end in (0..whole - 2).rev().take(400).chain([0, 1, 50, 90, 4000]) {
        assert_eq!(code(body.decode(&body.bytes[..end], whole)), "IncompleteBody", "{end}");
    }
}

#[test]
fn the_announced_length_is_kept() {
    let body = signed_body(&[8192, 100], vec![]);
    for length in [0, 100, 8192, 8291, 8293, u64::MAX] {
        let result = run(decoder(&body.headers, length, None), &body.bytes, 4096);
        let error = result.unwrap_err().render(Style::S3Xml);
        assert_eq!(error.code, "IncompleteBody");
        assert!(error.message.starts_with("You did not provide the number of bytes"));
    }
    let (headers, _) = sign(SIGNED);
    let request = request(&headers);
    let presented = parse(&request).unwrap().unwrap();
    let key = SigningKey::derive("test", presented.day(), "us-east-1", "s3");
    let options = Options::new(Rules::S3);
    let verified = verify(&presented, &request, &key, None, NOW, &options).unwrap();
    assert_eq!(verified.chunked(None, None).unwrap_err(), Error::MissingDecodedLength);
}

#[test]
fn only_the_last_chunk_may_be_small() {
    let body = signed_body(&[8192, 5, 1], vec![]);
    let error = body.decode(&body.bytes, 100).unwrap_err().render(Style::S3Xml);
    assert_eq!(error.code, "InvalidChunkSizeError");
    assert_eq!(error.extra, [("Chunk", "3".to_owned()), ("BadChunkSize", "5".to_owned())]);
    let bytes = unsigned_chunks(&[b"hello", b"!"], &[]);
    assert_eq!(code(run(ChunkedDecoder::unsigned(6, None), &bytes, 3)), "InvalidChunkSizeError");
}

#[test]
fn chunks_cannot_be_swapped_or_dropped() {
    let (headers, signed) = sign(SIGNED);
    let mut signer = ChunkSigner::new(signed);
    let chunks = [signer.chunk(&[1; 8192]), signer.chunk(&[2; 8192])];
    let end = signer.finish(&[]);
    let swapped = [&chunks[1][..], &chunks[0], &end].concat();
    let dropped = [&chunks[1][..], &end].concat();
    let repeated = [&chunks[0][..], &chunks[0], &end].concat();
    for (bytes, length) in [(swapped, 16_384), (dropped, 8192), (repeated, 16_384)] {
        let result = run(decoder(&headers, length, None), &bytes, 999);
        assert_eq!(code(result), "SignatureDoesNotMatch");
    }
}

#[test]
fn malformed_chunk_headers_are_refused() {
    let (headers, _) = sign(SIGNED);
    let signature = "a".repeat(64);
    let long = format!("5;{}={}\r\n", "x".repeat(2000), signature);
    for header in [
        "\r\n",
        ";chunk-signature=\r\n",
        "5\r\n",
        "5;chunk-signature=abc\r\n",
        "-5;chunk-signature=0\r\n",
        "0x5;chunk-signature=0\r\n",
        "ffffffffffffffffff;chunk-signature=0\r\n",
        &long,
        &format!("5;chunk-signature={signature}\n"),
        &format!("5;chunk-signature={}\r\n", "g".repeat(64)),
    ] {
        let result = run(decoder(&headers, 5, None), header.as_bytes(), 16);
        assert_eq!(code(result), "IncompleteBody", "{header:?}");
    }
    for bytes in ["5\r\nhelloX\n0\r\n\r\n", "5\r\nhello\rX0\r\n\r\n", "5\r\nhello\r\n0\r\n\r\nGET"]
    {
        let result = run(ChunkedDecoder::unsigned(5, None), bytes.as_bytes(), 4);
        assert_eq!(code(result), "IncompleteBody", "{bytes:?}");
    }
}

#[test]
fn unsigned_chunks_with_a_trailer_pass() {
    let (headers, _) = sign(UNSIGNED_TRAILER);
    let bytes = unsigned_chunks(&[b"hello"], &crc32("NhCmhg=="));
    for piece in [1, 5, 1000] {
        let (payload, decoded) =
            run(decoder(&headers, 5, Some("x-amz-checksum-crc32")), &bytes, piece).unwrap();
        assert_eq!(payload, b"hello");
        assert_eq!(decoded.trailers, crc32("NhCmhg=="));
    }
    // White space around the colon and another case of the name are nothing to S3.
    let spaced = b"5\r\nhello\r\n0\r\nX-Amz-Checksum-Crc32 : NhCmhg== \r\n\r\n";
    let (_, decoded) = run(ChunkedDecoder::unsigned(5, None), spaced, 7).unwrap();
    assert_eq!(decoded.trailers, crc32("NhCmhg=="));
}

#[test]
fn only_bodies_that_say_so_have_trailers() {
    for (payload, takes) in [(SIGNED, false), (SIGNED_TRAILER, true), (UNSIGNED_TRAILER, true)] {
        let (headers, _) = sign(payload);
        assert_eq!(decoder(&headers, 5, None).takes_trailers(), takes, "{payload}");
    }
}

#[test]
fn trailers_must_be_those_that_were_announced() {
    let bytes = unsigned_chunks(&[b"hello"], &crc32("NhCmhg=="));
    let with = |announced| run(ChunkedDecoder::unsigned(5, announced), &bytes, 9);
    assert!(with(None).is_ok());
    assert!(with(Some(" X-Amz-Checksum-CRC32 ")).is_ok());
    for announced in ["", "x-amz-checksum-sha1", "x-amz-checksum-crc32,x-amz-checksum-sha1"] {
        assert_eq!(code(with(Some(announced))), "MalformedTrailerError", "{announced}");
    }
    let none = unsigned_chunks(&[b"hello"], &[]);
    let missing = run(ChunkedDecoder::unsigned(5, Some("x-amz-checksum-crc32")), &none, 9);
    assert_eq!(code(missing), "MalformedTrailerError");
}

#[test]
fn malformed_trailers_are_refused() {
    let huge = format!("a:{}\r\n", "x".repeat(20_000));
    let many = "a:b\r\n".repeat(4_000);
    for trailer in
        ["nonsense\r\n", ": value\r\n", "na me: value\r\n", "a\u{e9}:b\r\n", &huge, &many]
    {
        let bytes = format!("5\r\nhello\r\n0\r\n{trailer}\r\n");
        let result = run(ChunkedDecoder::unsigned(5, None), bytes.as_bytes(), 512);
        assert_eq!(code(result), "MalformedTrailerError", "{}", &trailer[..8]);
    }
    // A signature over chunks only does not allow trailers to be smuggled in.
    let body = signed_body(&[5], vec![]);
    let end = body.bytes.len() - 2;
    let smuggled = [&body.bytes[..end], b"x-amz-checksum-crc32:AAAAAA==\r\n\r\n"].concat();
    assert_eq!(code(body.decode(&smuggled, 11)), "MalformedTrailerError");
}

#[test]
fn a_trailer_needs_its_signature() {
    let body = signed_body(&[5], crc32("AAAAAA=="));
    let text = String::from_utf8_lossy(&body.bytes).into_owned();
    let (unsigned, signature) = text.split_once("x-amz-trailer-signature").unwrap();
    assert_eq!(code(body.decode(format!("{unsigned}\r\n").as_bytes(), 11)), "IncompleteBody");
    let none = format!("{}\r\n", text.split_once("x-amz-checksum").unwrap().0);
    assert_eq!(code(body.decode(none.as_bytes(), 11)), "IncompleteBody");
    let changed = text.replace("AAAAAA==", "AAAAAQ==");
    assert_eq!(code(body.decode(changed.as_bytes(), 11)), "SignatureDoesNotMatch");
    let after = format!(
        "{unsigned}x-amz-trailer-signature{}x-amz-meta-a:b\r\n\r\n",
        signature.strip_suffix("\r\n").unwrap()
    );
    assert_eq!(code(body.decode(after.as_bytes(), 11)), "MalformedTrailerError");
}

proptest! {
    #[test]
    fn a_changed_byte_is_never_accepted_as_something_else(
        at in any::<prop::sample::Index>(),
        bit in 0..8u8,
        piece in 1..20_000usize,
    ) {
        let body = signed_body(&[8192, 77], crc32("AAAAAA=="));
        let mut bytes = body.bytes.clone();
        let at = at.index(bytes.len());
        bytes[at] ^= 1 << bit;
        if let Ok((payload, decoded)) = body.decode(&bytes, piece) {
            prop_assert_eq!(payload, body.payload);
            prop_assert_eq!(decoded.trailers, body.trailers);
        }
    }

    #[test]
    fn chunks_and_pieces_may_lie_anyhow(
        sizes in prop::collection::vec(8192..20_000usize, 0..4),
        last in 0..9000usize,
        piece in 1..30_000usize,
        trailer in any::<bool>(),
    ) {
        let sizes: Vec<usize> = sizes.into_iter().chain((last > 0).then_some(last)).collect();
        let body = signed_body(&sizes, if trailer { crc32("AAAAAA==") } else { vec![] });
        let (payload, decoded) = body.decode(&body.bytes, piece).unwrap();
        prop_assert_eq!(payload, body.payload);
        prop_assert_eq!(decoded.trailers, body.trailers);
    }

    #[test]
    fn arbitrary_bytes_never_panic(
        bytes in prop::collection::vec(prop_oneof![any::<u8>(), prop::sample::select(&b"0a;\r\n:="[..])], 0..300),
        length in 0..40u64,
        piece in 1..50usize,
    ) {
        let _ = run(ChunkedDecoder::unsigned(length, None), &bytes, piece);
        let (headers, _) = sign(SIGNED_TRAILER);
        let _ = run(decoder(&headers, length, None), &bytes, piece);
    }
}
