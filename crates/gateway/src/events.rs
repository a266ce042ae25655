//! Bodies that are streams of signed events: takes the signed messages out of their envelopes.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Bytes, BytesMut};
use fogbank_core::wire::eventstream::Message;
use fogbank_core::wire::{Body, BodyError};
use fogbank_sigv4::{Error, EventChain, SignedEvent};

use crate::bodies::broken;

/// The messages of a body, one after another, each verified before it is handed out.
pub(crate) fn signed(body: Body, chain: EventChain) -> Body {
    Body::stream(None, Events { body, chain, buffer: BytesMut::new(), has_ended: false })
}

struct Events {
    body: Body,
    chain: EventChain,
    buffer: BytesMut,
    /// Whether the empty message came that ends a stream.
    has_ended: bool,
}

impl Events {
    /// The next message that is complete; an empty one at the end of the stream.
    fn next(&mut self) -> Result<Option<Bytes>, Error> {
        let message = Message::decode(&mut self.buffer).map_err(|_| Error::IncompleteBody)?;
        let Some(message) = message else { return Ok(None) };
        // Nothing may follow the end, which is the last that was signed.
        let envelope = message.signed().filter(|_| !self.has_ended);
        let envelope = envelope.ok_or(Error::IncompleteBody)?;
        self.chain.check(&SignedEvent {
            signed_at: envelope.date.secs(),
            headers: &envelope.headers,
            payload: &message.payload,
            signature: &envelope.signature,
        })?;
        self.has_ended = message.payload.is_empty();
        Ok(Some(message.payload))
    }
}

impl futures_core::Stream for Events {
    type Item = Result<Bytes, BodyError>;

    fn poll_next(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Bytes, BodyError>>> {
        let this = &mut *self;
        loop {
            match this.next() {
                Err(error) => return Poll::Ready(Some(Err(broken(&error)))),
                Ok(Some(payload)) if !payload.is_empty() => return Poll::Ready(Some(Ok(payload))),
                Ok(Some(_)) => continue,
                Ok(None) => {}
            }
            match ready!(this.body.poll_frame(context)) {
                Some(Ok(frame)) => this.buffer.extend_from_slice(&frame),
                Some(Err(error)) => return Poll::Ready(Some(Err(error))),
                None if this.has_ended && this.buffer.is_empty() => return Poll::Ready(None),
                None => return Poll::Ready(Some(Err(broken(&Error::IncompleteBody)))),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use fogbank_core::wire::Timestamp;
    use fogbank_core::wire::eventstream::HeaderValue;
    use fogbank_sigv4::sign::Signer;
    use fogbank_sigv4::{Options, RequestView, Rules, SigningKey, parse, verify};
    use http::HeaderMap;

    use super::*;

    const NOW: i64 = 1_795_208_709;

    /// The chain of a request as both sides have it.
    fn chain() -> EventChain {
        let signer = Signer {
            access_key_id: "test",
            secret: "test",
            session_token: None,
            region: "us-east-1",
            service: "transcribe",
            rules: Rules::Other,
        };
        let (mut headers, none) = (HeaderMap::new(), HeaderMap::new());
        let view =
            RequestView { method: "POST", raw_path: "/", raw_query: "", host: "h", headers: &none };
        let payload = "STREAMING-AWS4-HMAC-SHA256-EVENTS";
        signer.sign(&view, &mut headers, payload, NOW).expect("plain headers");
        let view = RequestView { headers: &headers, ..view };
        let presented = parse(&view).expect("well-formed").expect("signed");
        let key = SigningKey::of(&presented, "test");
        let options = Options::new(Rules::Other);
        let verified = verify(&presented, &view, &key, None, NOW, &options).expect("right");
        verified.events("test").expect("an event stream")
    }

    fn envelope(chain: &mut EventChain, secs: i64, payload: &[u8]) -> Vec<u8> {
        let date = HeaderValue::Timestamp(Timestamp::from_millis(secs * 1000));
        let mut message = Message {
            headers: vec![
                (":date".into(), date),
                (":chunk-signature".into(), HeaderValue::Bytes(Bytes::new())),
            ],
            payload: Bytes::copy_from_slice(payload),
        };
        let covered = message.signed().expect("both headers").headers;
        let signature = chain.next(secs, &covered, payload);
        message.headers[1].1 = HeaderValue::Bytes(signature.into());
        message.encode().expect("small").to_vec()
    }

    async fn read(bytes: Vec<u8>) -> Result<Bytes, BodyError> {
        signed(Body::from(Bytes::from(bytes)), chain()).collect(1 << 20).await
    }

    #[tokio::test]
    async fn signed_messages_come_out_of_their_envelopes() {
        let mut chain = chain();
        // The second lies beyond midnight, so that another key signs it.
        let first = envelope(&mut chain, NOW, b"one");
        let second = envelope(&mut chain, NOW + 86_400, b"two");
        let end = envelope(&mut chain, NOW + 86_401, b"");
        let whole = [&first[..], &second, &end].concat();
        assert_eq!(read(whole.clone()).await.expect("verified"), "onetwo");
        for broken in [
            [&second[..], &first, &end].concat(),
            [&first[..], &end].concat(),
            [&first[..], &second].concat(),
            [&whole[..], &end].concat(),
            whole[..whole.len() - 1].to_vec(),
            [&whole[..], b"x"].concat(),
            Vec::new(),
        ] {
            assert!(read(broken).await.is_err());
        }
        for at in [4, 30, first.len() - 5, first.len() + 40] {
            let mut flipped = whole.clone();
            flipped[at] ^= 1;
            assert!(read(flipped).await.is_err(), "{at}");
        }
    }
}
