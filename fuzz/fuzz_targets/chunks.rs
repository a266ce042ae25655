//! Bodies in `aws-chunked` framing, signed and not, in pieces of any size.
#![no_main]

use bytes::Bytes;
use fogbank_sigv4::sign::Signer;
use fogbank_sigv4::{ChunkedDecoder, Options, RequestView, Rules, SigningKey, parse, verify};
use http::HeaderMap;
use libfuzzer_sys::fuzz_target;

const NOW: i64 = 1_795_208_709;
const SIGNER: Signer<'static> = Signer {
    access_key_id: "A",
    secret: "secret",
    session_token: None,
    region: "us-east-1",
    service: "s3",
    rules: Rules::S3,
};

fn read(mut decoder: ChunkedDecoder, announced: u64, piece: usize, bytes: &[u8]) {
    let mut received = 0;
    for piece in bytes.chunks(piece) {
        let mut input = Bytes::copy_from_slice(piece);
        loop {
            match decoder.decode(&mut input) {
                Ok(Some(slice)) => received += slice.len() as u64,
                Ok(None) => break,
                Err(_) => return,
            }
        }
    }
    assert!(received <= announced);
    if let Ok(decoded) = decoder.finish() {
        assert_eq!((decoded.length, received), (announced, announced));
    }
}

fuzz_target!(|bytes: &[u8]| {
    let Some(([announced, piece, trailer], rest)) = bytes.split_first_chunk::<3>() else { return };
    let (announced, piece) = (u64::from(*announced), usize::from(*piece).max(1));
    let names = [None, Some("x-amz-checksum-crc32"), Some("x-amz-checksum-sha256,x-amz-meta-a")];
    let trailer = names[usize::from(*trailer) % names.len()];
    read(ChunkedDecoder::unsigned(announced, trailer), announced, piece, rest);

    let mut payloads = vec!["STREAMING-AWS4-HMAC-SHA256-PAYLOAD"];
    payloads.extend(trailer.map(|_| "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER"));
    for payload in payloads {
        let (none, mut headers) = (HeaderMap::new(), HeaderMap::new());
        let view =
            RequestView { method: "PUT", raw_path: "/", raw_query: "", host: "h", headers: &none };
        SIGNER.sign(&view, &mut headers, payload, NOW).expect("signed");
        let view = RequestView { headers: &headers, ..view };
        let presented = parse(&view).expect("well-formed").expect("signed");
        let key = SigningKey::of(&presented, "secret");
        let verified = verify(&presented, &view, &key, None, NOW, &Options::new(Rules::S3));
        let decoder = verified.expect("verified").chunked(Some(announced), trailer);
        read(decoder.expect("a length").expect("chunks"), announced, piece, rest);
    }
});
