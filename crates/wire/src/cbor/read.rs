//! A pull reader of CBOR.

use std::borrow::Cow;

use crate::read::{Frame, Token, Tokens};
use crate::text::from_epoch_seconds;
use crate::{Rejection, Timestamp};

/// The byte that ends what has no length.
const BREAK: u8 = 0xff;
/// How many tags may stand before one value.
const MAX_TAGS: usize = 8;

/// CBOR bytes and how far they have been read.
pub(crate) struct Cbor<'t> {
    bytes: &'t [u8],
    at: usize,
}

fn malformed() -> Rejection {
    Rejection::Serialization("The CBOR is malformed".to_owned())
}

impl<'t> Cbor<'t> {
    pub(crate) fn new(bytes: &'t [u8]) -> Cbor<'t> {
        Cbor { bytes, at: 0 }
    }

    /// Requires that nothing follows.
    pub(crate) fn end(&mut self) -> Result<(), Rejection> {
        if self.at == self.bytes.len() { Ok(()) } else { Err(malformed()) }
    }

    fn byte(&mut self) -> Result<u8, Rejection> {
        let byte = *self.bytes.get(self.at).ok_or_else(malformed)?;
        self.at += 1;
        Ok(byte)
    }

    fn take(&mut self, len: u64) -> Result<&'t [u8], Rejection> {
        let len = usize::try_from(len).map_err(|_| malformed())?;
        let end = self.at.checked_add(len).ok_or_else(malformed)?;
        let taken = self.bytes.get(self.at..end).ok_or_else(malformed)?;
        self.at = end;
        Ok(taken)
    }

    /// The number in an initial byte's low bits or in the bytes after it; none if the length is
    /// indefinite.
    fn argument(&mut self, low: u8) -> Result<Option<u64>, Rejection> {
        let width = match low {
            0..24 => return Ok(Some(u64::from(low))),
            24 => 1,
            25 => 2,
            26 => 4,
            27 => 8,
            31 => return Ok(None),
            _ => return Err(malformed()),
        };
        let bytes = self.take(width)?;
        Ok(Some(bytes.iter().fold(0, |value, byte| value << 8 | u64::from(*byte))))
    }

    /// The bytes of a string, of one piece or of several of the same major type.
    fn string(&mut self, major: u8, low: u8) -> Result<Cow<'t, [u8]>, Rejection> {
        if let Some(len) = self.argument(low)? {
            return self.take(len).map(Cow::Borrowed);
        }
        let mut whole = Vec::new();
        loop {
            let byte = self.byte()?;
            if byte == BREAK {
                return Ok(Cow::Owned(whole));
            }
            if byte >> 5 != major {
                return Err(malformed());
            }
            let len = self.argument(byte & 31)?.ok_or_else(malformed)?;
            whole.extend_from_slice(self.take(len)?);
        }
    }

    fn text(&mut self, low: u8) -> Result<Cow<'t, str>, Rejection> {
        match self.string(3, low)? {
            Cow::Borrowed(bytes) => {
                std::str::from_utf8(bytes).map(Cow::Borrowed).map_err(|_| malformed())
            }
            Cow::Owned(bytes) => String::from_utf8(bytes).map(Cow::Owned).map_err(|_| malformed()),
        }
    }

    /// A list or map; every element takes a byte at least, so that a length cannot promise more.
    fn frame(&mut self, low: u8) -> Result<Frame, Rejection> {
        let left = self.argument(low)?;
        if left.is_some_and(|left| left > (self.bytes.len() - self.at) as u64) {
            return Err(malformed());
        }
        Ok(Frame { left, first: true })
    }

    fn tagged(&mut self, tag: u64, depth: usize) -> Result<Token<'t>, Rejection> {
        if depth == MAX_TAGS {
            return Err(malformed());
        }
        let inner = self.value(depth + 1)?;
        Ok(match (tag, inner) {
            (1, Token::Integer(secs)) => Token::Timestamp(Timestamp::from_secs(secs)),
            (1, Token::Float(secs)) => {
                Token::Timestamp(from_epoch_seconds(secs).ok_or_else(malformed)?)
            }
            (2, Token::Bytes(bytes)) => Token::Float(big(&bytes)),
            (3, Token::Bytes(bytes)) => Token::Float(-1.0 - big(&bytes)),
            (_, inner) => inner,
        })
    }

    fn simple(&mut self, low: u8) -> Result<Token<'t>, Rejection> {
        Ok(match low {
            20 => Token::Boolean(false),
            21 => Token::Boolean(true),
            22 | 23 => Token::Null,
            25 => {
                let bytes = self.take(2)?;
                Token::Float(half(u16::from_be_bytes([bytes[0], bytes[1]])))
            }
            26 => {
                let bytes = self.take(4)?.try_into().map_err(|_| malformed())?;
                Token::Float(f64::from(f32::from_be_bytes(bytes)))
            }
            27 => {
                let bytes = self.take(8)?.try_into().map_err(|_| malformed())?;
                Token::Float(f64::from_be_bytes(bytes))
            }
            _ => return Err(malformed()),
        })
    }

    fn value(&mut self, tags: usize) -> Result<Token<'t>, Rejection> {
        let byte = self.byte()?;
        let low = byte & 31;
        Ok(match byte >> 5 {
            0 => {
                let value = self.argument(low)?.ok_or_else(malformed)?;
                i64::try_from(value).map_or(Token::Float(value as f64), Token::Integer)
            }
            1 => {
                let value = self.argument(low)?.ok_or_else(malformed)?;
                i64::try_from(value)
                    .map_or(Token::Float(-1.0 - value as f64), |value| Token::Integer(-1 - value))
            }
            2 => Token::Bytes(self.string(2, low)?),
            3 => Token::Text(self.text(low)?),
            4 => Token::List(self.frame(low)?),
            5 => Token::Map(self.frame(low)?),
            6 => {
                let tag = self.argument(low)?.ok_or_else(malformed)?;
                self.tagged(tag, tags)?
            }
            _ => self.simple(low)?,
        })
    }

    /// Steps to the next element or entry; false at the end.
    fn more(&mut self, frame: &mut Frame) -> Result<bool, Rejection> {
        match &mut frame.left {
            Some(0) => Ok(false),
            Some(left) => {
                *left -= 1;
                Ok(true)
            }
            None if self.bytes.get(self.at) == Some(&BREAK) => {
                self.at += 1;
                Ok(false)
            }
            None => Ok(true),
        }
    }
}

/// A big number as near as a float comes to it.
fn big(bytes: &[u8]) -> f64 {
    bytes.iter().fold(0.0, |value, byte| value * 256.0 + f64::from(*byte))
}

/// A float of 16 bits.
fn half(bits: u16) -> f64 {
    let exponent = i32::from(bits >> 10 & 31);
    let fraction = f64::from(bits & 1023);
    let value = match exponent {
        0 => fraction * 2_f64.powi(-24),
        31 if fraction == 0.0 => f64::INFINITY,
        31 => f64::NAN,
        _ => (1024.0 + fraction) * 2_f64.powi(exponent - 25),
    };
    if bits >> 15 == 1 { -value } else { value }
}

impl<'t> Tokens<'t> for Cbor<'t> {
    fn next(&mut self) -> Result<Token<'t>, Rejection> {
        self.value(0)
    }

    fn element(&mut self, frame: &mut Frame) -> Result<bool, Rejection> {
        self.more(frame)
    }

    fn key(&mut self, frame: &mut Frame) -> Result<Option<Cow<'t, str>>, Rejection> {
        if !self.more(frame)? {
            return Ok(None);
        }
        match self.value(0)? {
            Token::Text(key) => Ok(Some(key)),
            _ => Err(malformed()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(hex: &str) -> Result<String, Rejection> {
        let bytes = hex::decode(hex).expect("hex digits");
        let mut cbor = Cbor::new(&bytes);
        let text = match cbor.next()? {
            Token::Null => "null".to_owned(),
            Token::Boolean(value) => value.to_string(),
            Token::Integer(value) => value.to_string(),
            Token::Float(value) => format!("{value:?}"),
            Token::Text(value) => format!("{value:?}"),
            Token::Bytes(value) => format!("{value:?}"),
            Token::Timestamp(value) => format!("@{}", value.millis()),
            Token::List(mut frame) => {
                let mut count = 0;
                while cbor.element(&mut frame)? {
                    cbor.next()?;
                    count += 1;
                }
                format!("[{count}]")
            }
            Token::Map(mut frame) => {
                let mut keys = Vec::new();
                while let Some(key) = cbor.key(&mut frame)? {
                    cbor.next()?;
                    keys.push(key.into_owned());
                }
                format!("{keys:?}")
            }
        };
        cbor.end()?;
        Ok(text)
    }

    /// The examples of RFC 8949, appendix A.
    #[test]
    fn the_standards_examples() {
        for (hex, text) in [
            ("00", "0"),
            ("1903e8", "1000"),
            ("1b000000e8d4a51000", "1000000000000"),
            ("1bffffffffffffffff", "1.8446744073709552e19"),
            ("c249010000000000000000", "1.8446744073709552e19"),
            ("3903e7", "-1000"),
            ("f90000", "0.0"),
            ("f93c00", "1.0"),
            ("f97bff", "65504.0"),
            ("f90001", "5.960464477539063e-8"),
            ("f9c400", "-4.0"),
            ("f97c00", "inf"),
            ("f97e00", "NaN"),
            ("fa47c35000", "100000.0"),
            ("fb3ff199999999999a", "1.1"),
            ("f4", "false"),
            ("f6", "null"),
            ("f7", "null"),
            ("c11a514b67b0", "@1363896240000"),
            ("c1fb41d452d9ec200000", "@1363896240500"),
            ("d74401020304", "[1, 2, 3, 4]"),
            ("6449455446", "\"IETF\""),
            ("7f657374726561646d696e67ff", "\"streaming\""),
            ("5f42010243030405ff", "[1, 2, 3, 4, 5]"),
            ("83010203", "[3]"),
            ("9f0102ff", "[2]"),
            ("a161610a", "[\"a\"]"),
            ("bf61610aff", "[\"a\"]"),
        ] {
            assert_eq!(read(hex).as_deref(), Ok(text), "{hex}");
        }
    }

    #[test]
    fn what_ends_early_or_promises_too_much_is_refused() {
        for hex in [
            "",
            "18",
            "62ff",
            "61ff",
            "9bffffffffffffffff",
            "5bffffffffffffffff01",
            "7f4161ff",
            "a101",
            "1c",
            "c1c1c1c1c1c1c1c1c1c100",
            "ff",
            "0000",
        ] {
            assert!(read(hex).is_err(), "{hex}");
        }
    }
}
