//! User metadata beyond ASCII, which headers carry as the encoded words of RFC 2047.
//!
//! The S3 User Guide ("Working with object metadata") says that values are decoded before they are stored and encoded
//! before they are returned. How was seen of S3: `x-amz-meta-minio: Miniö` in UTF-8 comes back as
//! `=?UTF-8?Q?Mini=C3=83=C2=B6?=` (MinIO's pull request 21282, May 2025): S3 reads a header as ISO 8859-1, and chooses
//! between Q and B, and where to split, as JavaMail's `MimeUtility` does.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

/// The longest text of an encoded word: 68 less the charset's name.
const MAX_WORD_BYTES: usize = 63;

/// The text that a value stands for.
pub(crate) fn decode(value: String) -> String {
    if !value.contains("=?") {
        return value;
    }
    let mut out = String::with_capacity(value.len());
    let mut rest = &*value;
    let mut was_encoded = false;
    while !rest.is_empty() {
        let start = rest.find(|c| !is_space(c)).unwrap_or(rest.len());
        let (space, from) = rest.split_at(start);
        let end = from.find(is_space).unwrap_or(from.len());
        let (token, after) = from.split_at(end);
        let word = decode_word(token);
        // Space between two encoded words is there for the split alone.
        if token.is_empty() || !(was_encoded && word.is_some()) {
            out += space;
        }
        was_encoded = word.is_some();
        out += word.as_deref().unwrap_or(token);
        rest = after;
    }
    out
}

fn is_space(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\r' | '\n')
}

/// The text of `=?charset?encoding?text?=`, with what follows it.
fn decode_word(token: &str) -> Option<String> {
    let (charset, rest) = token.strip_prefix("=?")?.split_once('?')?;
    let (encoding, rest) = rest.split_once('?')?;
    let (text, after) = rest.split_once("?=")?;
    let bytes = match encoding {
        "B" | "b" => STANDARD.decode(text).ok()?,
        "Q" | "q" => decode_q(text)?,
        _ => return None,
    };
    let text = match charset.to_ascii_lowercase().as_str() {
        "utf-8" | "utf8" | "us-ascii" => String::from_utf8_lossy(&bytes).into_owned(),
        "iso-8859-1" | "latin1" => bytes.iter().copied().map(char::from).collect(),
        _ => return None,
    };
    Some(text + after)
}

fn decode_q(text: &str) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(text.len());
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        out.push(match byte {
            b'_' => b' ',
            b'=' => {
                let digits = [bytes.next()?, bytes.next()?];
                let mut decoded = [0];
                hex::decode_to_slice(digits, &mut decoded).ok()?;
                decoded[0]
            }
            other => other,
        });
    }
    Some(out)
}

/// The value as a header may have it; none where no header can.
pub(crate) fn encode(text: String) -> Option<String> {
    if text.contains(['\r', '\n']) {
        return None;
    }
    let strange = text.chars().filter(|c| is_strange(*c)).count();
    if strange == 0 {
        return Some(text);
    }
    // JavaMail counts UTF-16 units; the sum differs only beyond the basic plane.
    let is_mostly_ascii = text.encode_utf16().count() > 2 * strange;
    let mut words = Vec::new();
    split(&text, is_mostly_ascii, &mut words);
    Some(words.join(" "))
}

fn is_strange(c: char) -> bool {
    c >= '\u{7f}' || (c < ' ' && c != '\t')
}

/// Halves a text until the words of its parts are short enough.
fn split(text: &str, is_q: bool, words: &mut Vec<String>) {
    let encoded = if is_q { encode_q(text) } else { STANDARD.encode(text) };
    let middle = text.char_indices().nth(text.chars().count() / 2).map_or(0, |(at, _)| at);
    if encoded.len() > MAX_WORD_BYTES && middle > 0 {
        let (left, right) = text.split_at(middle);
        split(left, is_q, words);
        split(right, is_q, words);
        return;
    }
    let kind = if is_q { 'Q' } else { 'B' };
    words.push(format!("=?UTF-8?{kind}?{encoded}?="));
}

fn encode_q(text: &str) -> String {
    let mut out = String::with_capacity(text.len() * 3);
    for byte in text.bytes() {
        match byte {
            b' ' => out.push('_'),
            b'=' | b'_' | b'?' => out += &format!("={byte:02X}"),
            b'!'..=b'~' => out.push(char::from(byte)),
            _ => out += &format!("={byte:02X}"),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn latin(text: &str) -> String {
        text.bytes().map(char::from).collect()
    }

    #[test]
    fn values_come_back_as_s3_was_seen_to_return_them() {
        let encoded = |text: &str| encode(text.to_owned()).expect("a header");
        assert_eq!(encoded("AMAZONS3"), "AMAZONS3");
        // The example of the User Guide.
        let documented = latin("ÄMÄZÕÑ S3");
        assert_eq!(encoded(&documented), "=?UTF-8?B?w4PChE3Dg8KEWsODwpXDg8KRIFMz?=");
        assert_eq!(encoded(&latin("Miniö")), "=?UTF-8?Q?Mini=C3=83=C2=B6?=");
        assert_eq!(encoded(&latin("ö")), "=?UTF-8?B?w4PCtg==?=");
        assert_eq!(encoded("a b=c_d?é"), "=?UTF-8?Q?a_b=3Dc=5Fd=3F=C3=A9?=");
        assert_eq!(encode("a\nb".to_owned()), None);
    }

    #[test]
    fn long_values_are_split_and_joined() {
        let text = "é und so weiter, ".repeat(9);
        let encoded = encode(text.clone()).expect("a header");
        assert!(encoded.split(' ').count() > 2, "{encoded}");
        assert!(encoded.split(' ').all(|word| word.len() <= 75), "{encoded}");
        assert_eq!(decode(encoded), text);
    }

    #[test]
    fn encoded_words_are_read() {
        let decoded = |text: &str| decode(text.to_owned());
        assert_eq!(decoded("=?UTF-8?Q?Mini=C3=B6?="), "Miniö");
        assert_eq!(decoded("a =?utf-8?b?w7Y=?= =?iso-8859-1?q?=F6_b?= c"), "a öö b c");
        for raw in [
            "=?",
            "=?UTF-8?Q?=C?=",
            "=?UTF-8?X?a?=",
            "=?KOI8-R?Q?a?=",
            "a =?b c",
            " =?UTF-8?B?*?= ",
        ] {
            assert_eq!(decoded(raw), raw);
        }
    }
}
