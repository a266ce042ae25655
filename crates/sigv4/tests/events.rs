//! The chain of signatures of event streams: the signatures that the AWS Common Runtime's tests publish, and properties.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use fogbank_sigv4::{
    Error, EventChain, Options, RequestView, Rules, SignedEvent, SigningKey, parse, verify,
};
use http::{HeaderMap, HeaderName, HeaderValue};
use proptest::prelude::*;

/// Fri, 16 Jan 1981 06:30:00 GMT.
const NOW: i64 = 348_474_600;

/// The chain of the request that the tests of the Common Runtime sign.
fn chain() -> EventChain {
    let pairs = [
        ("content-encoding", "application/vnd.amazon.eventstream"),
        ("x-amz-content-sha256", "STREAMING-AWS4-HMAC-SHA256-EVENTS"),
        ("x-amz-date", "19810116T063000Z"),
        (
            "authorization",
            "AWS4-HMAC-SHA256 Credential=access/19810116/us-east-1/demo/aws4_request, \
             SignedHeaders=content-encoding;host;x-amz-content-sha256;x-amz-date, \
             Signature=e1d8e8c8815e60969f2a34765c9a15945ffc0badbaa4b7e3b163ea19131e949b",
        ),
    ];
    let pair = |(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value));
    let headers: HeaderMap = pairs.into_iter().map(pair).collect();
    let view = RequestView {
        method: "POST",
        raw_path: "/streaming",
        raw_query: "",
        host: "demo.us-east-1.amazonaws.com",
        headers: &headers,
    };
    let presented = parse(&view).unwrap().unwrap();
    let key = SigningKey::of(&presented, "secret");
    let options = Options::new(Rules::Other);
    let verified = verify(&presented, &view, &key, None, NOW, &options).unwrap();
    verified.events("secret").unwrap()
}

/// `:date` as a header of a message.
fn date(secs: i64) -> Vec<u8> {
    [b"\x05:date\x08", &(secs * 1000).to_be_bytes()[..]].concat()
}

#[test]
fn published_signatures_verify() {
    let expected = [
        ("A", "7aabf85b765e6a4d0d500b6e968657b14726fa3e1eb7e839302728ffd77629a5"),
        ("B", "f72aa9642f571d24a6e1ae42f10f073ad9448d8a028b6bcd82da081335adda02"),
        ("C", "632af120435b57ec241d8bfbb12e496dfd5e2730a1a02ac0ab6eaa230ae02e9a"),
        ("", "c6f679ddb3af68f5e82f0cf6761244cb2338cf11e7d01a24130aea1b7c17e53e"),
    ];
    let mut chain = chain();
    for (at, (payload, signature)) in (1..).zip(expected) {
        let event = SignedEvent {
            signed_at: NOW + at,
            headers: &date(NOW + at),
            payload: payload.as_bytes(),
            signature: &hex::decode(signature).unwrap(),
        };
        assert_eq!(chain.check(&event), Ok(()), "{payload}");
    }
}

#[test]
fn after_a_wrong_message_nothing_verifies() {
    let (mut signing, mut checking) = (chain(), chain());
    let headers = date(NOW);
    let first = signing.next(NOW, &headers, b"A");
    let second = signing.next(NOW, &headers, b"B");
    let of = |payload: &'static [u8], signature: &[u8], checking: &mut EventChain| {
        checking.check(&SignedEvent { signed_at: NOW, headers: &headers, payload, signature })
    };
    assert!(matches!(of(b"X", &first, &mut checking), Err(Error::SignatureDoesNotMatch(_))));
    assert!(of(b"A", &first, &mut checking).is_err());
    assert!(of(b"B", &second, &mut checking).is_err());
}

proptest! {
    #[test]
    fn what_is_signed_verifies_and_nothing_else(
        payload in prop::collection::vec(any::<u8>(), 0..50),
        headers in prop::collection::vec(any::<u8>(), 0..50),
        signed_at in any::<i64>(),
        other in prop::collection::vec(any::<u8>(), 0..40),
    ) {
        let signature = chain().next(signed_at, &headers, &payload);
        let event = SignedEvent { signed_at, headers: &headers, payload: &payload, signature: &signature };
        prop_assert_eq!(chain().check(&event), Ok(()));
        let longer = [&payload[..], b"x"].concat();
        for wrong in [
            SignedEvent { signature: &other, ..event },
            SignedEvent { payload: &longer, ..event },
        ] {
            prop_assert!(chain().check(&wrong).is_err());
        }
    }
}
