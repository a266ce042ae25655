//! The framing of AWS event streams: a prelude, typed headers, a payload, two checksums.

use std::borrow::Cow;

use bytes::{BufMut, Bytes, BytesMut};

use crate::Timestamp;

/// The most bytes that a message may have; AWS's own limit is 16 MiB of payload.
pub const MAX_MESSAGE: usize = 24 * 1024 * 1024;
/// The most bytes that a message's headers may have.
const MAX_HEADERS: usize = 128 * 1024;
/// Two lengths and their checksum.
const PRELUDE: usize = 12;
/// The prelude and the checksum at the end.
const FRAME: usize = PRELUDE + 4;

/// A message of an event stream.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Message {
    /// The headers in their order.
    pub headers: Vec<(Cow<'static, str>, HeaderValue)>,
    /// The payload.
    pub payload: Bytes,
}

/// The value of a message's header.
#[derive(Clone, Debug, PartialEq)]
pub enum HeaderValue {
    /// True or false.
    Boolean(bool),
    /// An 8-bit integer.
    Byte(i8),
    /// A 16-bit integer.
    Short(i16),
    /// A 32-bit integer.
    Integer(i32),
    /// A 64-bit integer.
    Long(i64),
    /// Bytes, 65,535 at most.
    Bytes(Bytes),
    /// Text, 65,535 bytes at most.
    Text(Cow<'static, str>),
    /// A point in time.
    Timestamp(Timestamp),
    /// A UUID.
    Uuid([u8; 16]),
}

/// What a signed message has around the message that it signs.
#[derive(Clone, Debug, PartialEq)]
pub struct Envelope {
    /// When it was signed, from `:date`.
    pub date: Timestamp,
    /// The signature, from `:chunk-signature`.
    pub signature: Bytes,
    /// All other headers as they are encoded, which the signature covers.
    pub headers: Bytes,
}

/// Why bytes are no message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FrameError {
    /// A length contradicts another or exceeds the limit.
    #[error("a length of the message is out of bounds")]
    Length,
    /// The prelude's or the message's checksum is wrong.
    #[error("a checksum of the message is wrong")]
    Checksum,
    /// A header is malformed.
    #[error("a header of the message is malformed")]
    Header,
}

impl Message {
    /// An event of the type that the model calls `name`.
    pub fn event(name: &'static str, media: &'static str, payload: impl Into<Bytes>) -> Message {
        let headers = vec![
            text(":message-type", "event"),
            text(":event-type", name),
            text(":content-type", media),
        ];
        Message { headers, payload: payload.into() }
    }

    /// The text of the header `name`.
    pub fn text(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).and_then(|(_, value)| match value {
            HeaderValue::Text(text) => Some(text.as_ref()),
            _ => None,
        })
    }

    /// Takes a signed message apart, whose payload is the message that is signed; none if it bears no signature.
    pub fn signed(&self) -> Option<Envelope> {
        let of = |wanted: &str| self.headers.iter().find(|(name, _)| name == wanted);
        let ((_, HeaderValue::Timestamp(date)), (_, HeaderValue::Bytes(signature))) =
            (of(":date")?, of(":chunk-signature")?)
        else {
            return None;
        };
        let others = self.headers.iter().filter(|(name, _)| name != ":chunk-signature");
        let headers = encode_headers(others).ok()?;
        Some(Envelope { date: *date, signature: signature.clone(), headers })
    }

    /// The message's bytes. What does not fit the frame's lengths is an error.
    pub fn encode(&self) -> Result<Bytes, FrameError> {
        let headers = encode_headers(&self.headers)?;
        let total = FRAME + headers.len() + self.payload.len();
        if headers.len() > MAX_HEADERS || total > MAX_MESSAGE {
            return Err(FrameError::Length);
        }
        let mut out = BytesMut::with_capacity(total);
        // Both lengths are below the limits above, which fit 32 bits.
        out.put_u32(total as u32);
        out.put_u32(headers.len() as u32);
        out.put_u32(crc32(&out));
        out.put_slice(&headers);
        out.put_slice(&self.payload);
        out.put_u32(crc32(&out));
        Ok(out.freeze())
    }

    /// Takes the first whole message off `buffer`; none while it is incomplete.
    pub fn decode(buffer: &mut BytesMut) -> Result<Option<Message>, FrameError> {
        if buffer.len() < PRELUDE {
            return Ok(None);
        }
        let total = number(buffer, 0) as usize;
        let headers = number(buffer, 4) as usize;
        if crc32(&buffer[..8]) != number(buffer, 8) {
            return Err(FrameError::Checksum);
        }
        if total > MAX_MESSAGE || headers > MAX_HEADERS || total < FRAME + headers {
            return Err(FrameError::Length);
        }
        if buffer.len() < total {
            return Ok(None);
        }
        let frame = buffer.split_to(total).freeze();
        if crc32(&frame[..total - 4]) != number(&frame, total - 4) {
            return Err(FrameError::Checksum);
        }
        Ok(Some(Message {
            headers: decode_headers(&frame.slice(PRELUDE..PRELUDE + headers))?,
            payload: frame.slice(PRELUDE + headers..total - 4),
        }))
    }
}

fn encode_headers<'h>(
    headers: impl IntoIterator<Item = &'h (Cow<'static, str>, HeaderValue)>,
) -> Result<Bytes, FrameError> {
    let mut out = BytesMut::new();
    for (name, value) in headers {
        let len = u8::try_from(name.len()).map_err(|_| FrameError::Header)?;
        out.put_u8(len);
        out.put_slice(name.as_bytes());
        value.encode(&mut out)?;
    }
    Ok(out.freeze())
}

fn text(name: &'static str, value: &'static str) -> (Cow<'static, str>, HeaderValue) {
    (Cow::Borrowed(name), HeaderValue::Text(Cow::Borrowed(value)))
}

/// The 32-bit number at `at`, where four bytes are known to be.
fn number(bytes: &[u8], at: usize) -> u32 {
    bytes[at..at + 4].iter().fold(0, |value, byte| value << 8 | u32::from(*byte))
}

impl HeaderValue {
    fn encode(&self, out: &mut BytesMut) -> Result<(), FrameError> {
        match self {
            HeaderValue::Boolean(true) => out.put_u8(0),
            HeaderValue::Boolean(false) => out.put_u8(1),
            HeaderValue::Byte(value) => {
                out.put_u8(2);
                out.put_i8(*value);
            }
            HeaderValue::Short(value) => {
                out.put_u8(3);
                out.put_i16(*value);
            }
            HeaderValue::Integer(value) => {
                out.put_u8(4);
                out.put_i32(*value);
            }
            HeaderValue::Long(value) => {
                out.put_u8(5);
                out.put_i64(*value);
            }
            HeaderValue::Bytes(bytes) => sized(out, 6, bytes)?,
            HeaderValue::Text(text) => sized(out, 7, text.as_bytes())?,
            HeaderValue::Timestamp(time) => {
                out.put_u8(8);
                out.put_i64(time.millis());
            }
            HeaderValue::Uuid(bytes) => {
                out.put_u8(9);
                out.put_slice(bytes);
            }
        }
        Ok(())
    }
}

fn sized(out: &mut BytesMut, kind: u8, bytes: &[u8]) -> Result<(), FrameError> {
    let len = u16::try_from(bytes.len()).map_err(|_| FrameError::Header)?;
    out.put_u8(kind);
    out.put_u16(len);
    out.put_slice(bytes);
    Ok(())
}

/// Bytes and how far they have been read.
struct Cursor<'b> {
    bytes: &'b Bytes,
    at: usize,
}

impl Cursor<'_> {
    fn take(&mut self, len: usize) -> Result<Bytes, FrameError> {
        let end = self.at + len;
        if end > self.bytes.len() {
            return Err(FrameError::Header);
        }
        let taken = self.bytes.slice(self.at..end);
        self.at = end;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], FrameError> {
        self.take(N)?.as_ref().try_into().map_err(|_| FrameError::Header)
    }

    fn sized(&mut self) -> Result<Bytes, FrameError> {
        let len = u16::from_be_bytes(self.array()?);
        self.take(usize::from(len))
    }

    fn value(&mut self) -> Result<HeaderValue, FrameError> {
        let [kind] = self.array()?;
        Ok(match kind {
            0 => HeaderValue::Boolean(true),
            1 => HeaderValue::Boolean(false),
            2 => HeaderValue::Byte(i8::from_be_bytes(self.array()?)),
            3 => HeaderValue::Short(i16::from_be_bytes(self.array()?)),
            4 => HeaderValue::Integer(i32::from_be_bytes(self.array()?)),
            5 => HeaderValue::Long(i64::from_be_bytes(self.array()?)),
            6 => HeaderValue::Bytes(self.sized()?),
            7 => HeaderValue::Text(utf8(&self.sized()?)?.into()),
            8 => HeaderValue::Timestamp(Timestamp::from_millis(i64::from_be_bytes(self.array()?))),
            9 => HeaderValue::Uuid(self.array()?),
            _ => return Err(FrameError::Header),
        })
    }
}

fn utf8(bytes: &[u8]) -> Result<String, FrameError> {
    String::from_utf8(bytes.to_vec()).map_err(|_| FrameError::Header)
}

fn decode_headers(bytes: &Bytes) -> Result<Vec<(Cow<'static, str>, HeaderValue)>, FrameError> {
    let mut cursor = Cursor { bytes, at: 0 };
    let mut headers = Vec::new();
    while cursor.at < bytes.len() {
        let [len] = cursor.array()?;
        let name = utf8(&cursor.take(usize::from(len))?)?;
        headers.push((Cow::Owned(name), cursor.value()?));
    }
    Ok(headers)
}

/// The checksum of zip and Ethernet.
fn crc32(bytes: &[u8]) -> u32 {
    static TABLE: [u32; 256] = table();
    !bytes
        .iter()
        .fold(u32::MAX, |crc, byte| TABLE[((crc ^ u32::from(*byte)) & 0xff) as usize] ^ (crc >> 8))
}

const fn table() -> [u32; 256] {
    let mut table = [0; 256];
    let mut index = 0;
    while index < 256 {
        let mut crc = index as u32;
        let mut bit = 0;
        while bit < 8 {
            crc = if crc & 1 == 1 { crc >> 1 ^ 0xedb8_8320 } else { crc >> 1 };
            bit += 1;
        }
        table[index] = crc;
        index += 1;
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decode(bytes: &[u8]) -> Result<Option<Message>, FrameError> {
        Message::decode(&mut BytesMut::from(bytes))
    }

    #[test]
    fn golden_frames() {
        // The smallest frame there is, and one with a header and a payload, as AWS's SDKs test them.
        let empty = Message::default().encode().expect("an empty frame");
        assert_eq!(hex::encode(&empty), "000000100000000005c248eb7d98c8ff");
        let payload = Message { headers: Vec::new(), payload: "{'foo':'bar'}".into() };
        assert_eq!(
            hex::encode(payload.encode().expect("a frame")),
            "0000001d00000000fd528c5a7b27666f6f273a27626172277dc3653936"
        );
        let header = Message {
            headers: vec![("event-type".into(), HeaderValue::Integer(40_972))],
            payload: "{'foo':'bar'}".into(),
        };
        let bytes = header.encode().expect("a frame");
        assert_eq!(
            hex::encode(&bytes),
            "0000002d0000001041c424b80a6576656e742d74797065040000a00c7b27666f6f273a27626172277d36f480a0"
        );
        assert_eq!(decode(&bytes), Ok(Some(header)));
    }

    #[test]
    fn every_kind_of_header_survives() {
        let message = Message {
            headers: vec![
                ("a".into(), HeaderValue::Boolean(true)),
                ("b".into(), HeaderValue::Boolean(false)),
                ("c".into(), HeaderValue::Byte(-5)),
                ("d".into(), HeaderValue::Short(42)),
                ("e".into(), HeaderValue::Integer(-40_972)),
                ("f".into(), HeaderValue::Long(42_424_242)),
                ("g".into(), HeaderValue::Bytes("pq".into())),
                (":h".into(), HeaderValue::Text("application/json".into())),
                ("i".into(), HeaderValue::Timestamp(Timestamp::from_millis(8_675_309))),
                ("j".into(), HeaderValue::Uuid([7; 16])),
            ],
            payload: Bytes::from_static(b"payload"),
        };
        let bytes = message.encode().expect("a frame");
        let mut buffer = BytesMut::from(&bytes[..]);
        buffer.extend_from_slice(&bytes[..20]);
        assert_eq!(Message::decode(&mut buffer), Ok(Some(message.clone())));
        assert_eq!(Message::decode(&mut buffer), Ok(None));
        assert_eq!(buffer.len(), 20);
        assert_eq!(message.text(":h"), Some("application/json"));
    }

    #[test]
    fn a_signed_message_is_taken_apart() {
        let date = (":date".into(), HeaderValue::Timestamp(Timestamp::from_millis(1)));
        let signature = (":chunk-signature".into(), HeaderValue::Bytes(vec![7; 32].into()));
        let message = Message { headers: vec![date, signature.clone()], payload: "inner".into() };
        let envelope = message.signed().expect("both headers");
        assert_eq!(envelope.signature, vec![7; 32]);
        assert_eq!(envelope.date, Timestamp::from_millis(1));
        assert_eq!(&envelope.headers[..], b"\x05:date\x08\0\0\0\0\0\0\0\x01");
        assert_eq!(Message { headers: vec![signature], ..message }.signed(), None);
    }

    #[test]
    fn what_is_damaged_is_refused() {
        let bytes = Message::event("Records", "application/octet-stream", "abc").encode();
        let bytes = bytes.expect("a frame");
        assert_eq!(decode(&bytes[..bytes.len() - 1]), Ok(None));
        for index in 0..bytes.len() {
            let mut damaged = bytes.to_vec();
            damaged[index] ^= 1;
            assert!(decode(&damaged).is_err(), "byte {index}");
        }
        let mut huge = vec![0xff; 8];
        huge.extend_from_slice(&crc32(&huge).to_be_bytes());
        assert_eq!(decode(&huge), Err(FrameError::Length));
    }
}
