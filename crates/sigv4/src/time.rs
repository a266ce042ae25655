//! Timestamps as SigV4 writes them: `20130524T000000Z`, and the older forms that a `Date` header may have.

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;

/// A second of UTC time in the basic ISO 8601 form of `x-amz-date`, such as `20130524T000000Z`.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct AmzDate {
    text: [u8; 16],
    unix_secs: i64,
}

impl AmzDate {
    /// Reads `YYYYMMDD'T'HHMMSS'Z'`; anything else, or a date that no calendar has, is `None`.
    pub fn parse(text: &[u8]) -> Option<Self> {
        let text: [u8; 16] = text.try_into().ok()?;
        if text[8] != b'T' || text[15] != b'Z' {
            return None;
        }
        let number = |range: std::ops::Range<usize>| {
            text[range].iter().try_fold(0i16, |sum, byte| {
                byte.is_ascii_digit().then(|| sum * 10 + i16::from(byte - b'0'))
            })
        };
        let small = |range| number(range).and_then(|value| i8::try_from(value).ok());
        let civil = DateTime::new(
            number(0..4)?,
            small(4..6)?,
            small(6..8)?,
            small(9..11)?,
            small(11..13)?,
            small(13..15)?,
            0,
        );
        let unix_secs = TimeZone::UTC.to_timestamp(civil.ok()?).ok()?.as_second();
        Some(Self { text, unix_secs })
    }

    /// Reads a `Date` header: the basic form above, or RFC 1123 as HTTP has it.
    pub fn parse_http(text: &[u8]) -> Option<Self> {
        Self::parse(text).or_else(|| {
            let zoned = jiff::fmt::rfc2822::parse(std::str::from_utf8(text).ok()?).ok()?;
            Some(Self::from_unix(zoned.timestamp().as_second()))
        })
    }

    /// Writes Unix seconds; a time outside the years 0 to 9999 is clamped to them.
    pub fn from_unix(unix_secs: i64) -> Self {
        // Year 0 and the last second of 9999: beyond these the sixteen characters do not suffice.
        let unix_secs = unix_secs.clamp(-62_167_219_200, 253_402_207_200);
        let civil = civil(unix_secs);
        let mut text = *b"00000000T000000Z";
        let mut put = |at: usize, width: usize, value: i16| {
            let mut value = value.unsigned_abs();
            for slot in text[at..at + width].iter_mut().rev() {
                *slot = b'0' + u8::try_from(value % 10).unwrap_or(0);
                value /= 10;
            }
        };
        put(0, 4, civil.year());
        put(4, 2, civil.month().into());
        put(6, 2, civil.day().into());
        put(9, 2, civil.hour().into());
        put(11, 2, civil.minute().into());
        put(13, 2, civil.second().into());
        Self { text, unix_secs }
    }

    /// The sixteen characters.
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.text).unwrap_or("00000000T000000Z")
    }

    /// The day, `YYYYMMDD`, that a credential scope must name.
    pub fn day(&self) -> &str {
        &self.as_str()[..8]
    }

    /// Seconds since the Unix epoch.
    pub fn unix_secs(&self) -> i64 {
        self.unix_secs
    }
}

impl std::fmt::Debug for AmzDate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Unix seconds as S3's errors print them: `2013-05-24T00:00:00Z`.
pub(crate) fn extended(unix_secs: i64) -> String {
    let date = AmzDate::from_unix(unix_secs);
    let text = date.as_str();
    format!(
        "{}-{}-{}T{}:{}:{}Z",
        &text[..4],
        &text[4..6],
        &text[6..8],
        &text[9..11],
        &text[11..13],
        &text[13..15]
    )
}

fn civil(unix_secs: i64) -> DateTime {
    let timestamp = Timestamp::from_second(unix_secs).unwrap_or(Timestamp::UNIX_EPOCH);
    TimeZone::UTC.to_datetime(timestamp)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_basic_form_round_trips() {
        for (text, unix) in [
            ("20130524T000000Z", 1_369_353_600),
            ("20150830T123600Z", 1_440_938_160),
            ("19700101T000000Z", 0),
            ("20240229T235959Z", 1_709_251_199),
        ] {
            let date = AmzDate::parse(text.as_bytes()).expect(text);
            assert_eq!(date.unix_secs(), unix);
            assert_eq!(AmzDate::from_unix(unix), date);
            assert_eq!(date.as_str(), text);
        }
        assert_eq!(extended(1_369_353_600), "2013-05-24T00:00:00Z");
    }

    #[test]
    fn dates_that_are_not_dates_are_refused() {
        for text in [
            "20130524T000000",
            "20130524 000000Z",
            "2013052AT000000Z",
            "20130230T000000Z",
            "20130524T246000Z",
            "",
        ] {
            assert_eq!(AmzDate::parse(text.as_bytes()), None, "{text}");
        }
    }

    #[test]
    fn a_date_header_may_be_rfc_1123() {
        let date = AmzDate::parse_http(b"Fri, 24 May 2013 00:00:00 GMT").expect("RFC 1123");
        assert_eq!(date.as_str(), "20130524T000000Z");
        assert_eq!(AmzDate::parse_http(b"yesterday"), None);
    }

    #[test]
    fn times_without_a_four_digit_year_are_clamped() {
        assert_eq!(AmzDate::from_unix(i64::MAX).as_str().len(), 16);
        assert_eq!(AmzDate::from_unix(i64::MIN).as_str(), "00000101T000000Z");
    }
}
