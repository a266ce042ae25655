//! As much of DER as keys need.

/// The tag of a whole number.
pub const INTEGER: u8 = 0x02;
/// The tag of a string of bits.
pub const BITS: u8 = 0x03;
/// The tag of bytes.
pub(crate) const OCTETS: u8 = 0x04;
/// The tag of a sequence.
pub const SEQUENCE: u8 = 0x30;

/// The content of the first element, which must have this tag, and what is behind it.
pub fn element(tag: u8, bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (&first, rest) = bytes.split_first()?;
    let (&short, rest) = rest.split_first()?;
    (first == tag).then_some(())?;
    if short < 0x80 {
        return rest.split_at_checked(short.into());
    }
    let (length, rest) = rest.split_at_checked(usize::from(short & 0x7f))?;
    (length.len() <= 4).then_some(())?;
    rest.split_at_checked(length.iter().fold(0, |sum, byte| sum << 8 | usize::from(*byte)))
}

/// A positive number without leading zeros.
pub(crate) fn unsigned(number: &[u8]) -> &[u8] {
    let zeros = number.iter().take_while(|byte| **byte == 0).count();
    number.get(zeros..).unwrap_or_default()
}
