//! Opaque tokens for the next page of a listing.

/// Makes a token of the key after which the next page begins.
pub fn token(last_key: &[u8]) -> String {
    last_key.iter().fold(String::with_capacity(last_key.len() * 2), |mut token, byte| {
        token.push(char::from_digit(u32::from(byte >> 4), 16).unwrap_or('0'));
        token.push(char::from_digit(u32::from(byte & 15), 16).unwrap_or('0'));
        token
    })
}

/// Reads a token back; `None` if it is none of ours.
pub fn parse(token: &str) -> Option<Vec<u8>> {
    let digits = token.as_bytes();
    if !digits.len().is_multiple_of(2) {
        return None;
    }
    let digit = |byte: u8| (byte as char).to_digit(16);
    digits.chunks(2).map(|pair| Some((digit(pair[0])? * 16 + digit(pair[1])?) as u8)).collect()
}

/// Makes a token of text.
pub fn text_token(last: &str) -> String {
    token(last.as_bytes())
}

/// Reads a token of text back; `None` if it is none of ours.
pub fn parse_text(token: &str) -> Option<String> {
    String::from_utf8(parse(token)?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn round_trips_and_refuses_garbage() {
        assert_eq!(parse_text(&text_token("a/b ü")), Some("a/b ü".to_owned()));
        assert_eq!(parse("zz"), None);
        assert_eq!(parse("abc"), None);
    }
}
