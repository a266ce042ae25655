//! Numbers of 38 decimal digits, as DynamoDB defines them.
//!
//! [`Number`] is what an item holds: the canonical text that DynamoDB returns, so that a read never formats. [`Decimal`]
//! is the same number in a form that can be added and compared. Magnitudes run from 1E-130 to 9.99…E+125.
//! <https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/HowItWorks.NamingRulesDataTypes.html>

use std::cmp::Ordering;
use std::fmt;

/// The most significant digits a number may have.
pub const MAX_DIGITS: u32 = 38;
/// The largest power of ten of a number's first digit.
pub const MAX_EXPONENT: i64 = 125;
/// The smallest power of ten of a number's first digit.
pub const MIN_EXPONENT: i64 = -130;

/// Why a text is not a number that DynamoDB can hold; `Display` is AWS's text.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NumberError {
    /// The text is empty.
    #[error("The parameter cannot be converted to a numeric value")]
    Empty,
    /// The text is not a decimal number.
    #[error("The parameter cannot be converted to a numeric value: {0}")]
    NotNumeric(String),
    /// More than 38 significant digits.
    #[error("Attempting to store more than 38 significant digits in a Number")]
    TooPrecise,
    /// The magnitude is 1E126 or more, or the result of an addition needs more than 38 digits.
    #[error(
        "Number overflow. Attempting to store a number with magnitude larger than supported range"
    )]
    Overflow,
    /// The magnitude is below 1E-130.
    #[error(
        "Number underflow. Attempting to store a number with magnitude smaller than supported range"
    )]
    Underflow,
}

const POWERS: [u128; 39] = {
    let mut powers = [1u128; 39];
    let mut i = 1;
    while i < 39 {
        powers[i] = powers[i - 1] * 10;
        i += 1;
    }
    powers
};

/// A number as items hold it: canonical plain notation, no exponent, no superfluous zeros, never `-0`.
///
/// Two numbers are equal exactly when their texts are.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Number(Box<str>);

impl Number {
    /// Reads a number in any notation that DynamoDB accepts and keeps its canonical form.
    pub fn parse(text: &str) -> Result<Self, NumberError> {
        if is_canonical_integer(text) {
            return Ok(Self(text.into()));
        }
        Ok(Decimal::parse(text)?.to_number())
    }

    /// Takes a text that [`Number::parse`] produced earlier, as rows of the store hold it.
    pub fn from_canonical(text: &str) -> Self {
        Self(text.into())
    }

    /// Bytes that DynamoDB counts for a number given as canonical text.
    pub fn size_of(text: &str) -> usize {
        Decimal::parse(text).unwrap_or(Decimal::ZERO).stored_size()
    }

    /// The canonical text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The number in a form that can be added and compared.
    pub fn decimal(&self) -> Decimal {
        Decimal::parse(&self.0).unwrap_or(Decimal::ZERO)
    }
}

impl fmt::Display for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl From<u64> for Number {
    fn from(value: u64) -> Self {
        Self(value.to_string().into())
    }
}

impl PartialOrd for Number {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Number {
    fn cmp(&self, other: &Self) -> Ordering {
        self.decimal().cmp(&other.decimal())
    }
}

/// Most numbers in practice are short integers, which need no arithmetic to be recognised as canonical.
fn is_canonical_integer(text: &str) -> bool {
    let digits = text.strip_prefix('-').unwrap_or(text).as_bytes();
    matches!(digits, [b'1'..=b'9', rest @ ..] if rest.len() < MAX_DIGITS as usize && rest.iter().all(u8::is_ascii_digit))
        || text == "0"
}

/// A decimal floating-point number: ± coefficient × 10^exponent.
///
/// Always normal: the coefficient has no trailing zero, and zero is positive with exponent 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Decimal {
    negative: bool,
    coefficient: u128,
    exponent: i32,
}

/// What a scan over the mantissa of a number has seen.
#[derive(Default)]
struct Mantissa {
    coefficient: u128,
    /// Digits from the first to the last that is not zero.
    digits: u64,
    /// Zeros since the last digit that is not zero.
    pending_zeros: u64,
    fraction_digits: i64,
    seen_digit: bool,
    seen_point: bool,
}

impl Mantissa {
    fn digit(&mut self, digit: u8) {
        self.seen_digit = true;
        self.fraction_digits += i64::from(self.seen_point);
        if digit == 0 {
            self.pending_zeros += u64::from(self.digits > 0);
            return;
        }
        self.digits += self.pending_zeros + 1;
        if self.digits <= u64::from(MAX_DIGITS) {
            let shift = POWERS[self.pending_zeros as usize + 1];
            self.coefficient = self.coefficient * shift + u128::from(digit);
        }
        self.pending_zeros = 0;
    }
}

impl Decimal {
    /// Zero.
    pub const ZERO: Self = Self { negative: false, coefficient: 0, exponent: 0 };

    /// Reads `[+-]digits[.digits][e[+-]digits]`, without spaces.
    pub fn parse(text: &str) -> Result<Self, NumberError> {
        if text.is_empty() {
            return Err(NumberError::Empty);
        }
        let not_numeric = || NumberError::NotNumeric(text.to_owned());
        let mut rest = text.as_bytes();
        let negative = rest.first() == Some(&b'-');
        if negative || rest.first() == Some(&b'+') {
            rest = &rest[1..];
        }
        let mut mantissa = Mantissa::default();
        let mut exponent = 0;
        for (at, byte) in rest.iter().enumerate() {
            match byte {
                b'0'..=b'9' => mantissa.digit(byte - b'0'),
                b'.' if !mantissa.seen_point => mantissa.seen_point = true,
                b'e' | b'E' => {
                    exponent = parse_exponent(&rest[at + 1..]).ok_or_else(not_numeric)?;
                    break;
                }
                _ => return Err(not_numeric()),
            }
        }
        if !mantissa.seen_digit {
            return Err(not_numeric());
        }
        if mantissa.digits == 0 {
            return Ok(Self::ZERO);
        }
        let last = exponent - mantissa.fraction_digits + mantissa.pending_zeros as i64;
        let adjusted = last + mantissa.digits as i64 - 1;
        check_range(adjusted)?;
        if mantissa.digits > u64::from(MAX_DIGITS) {
            return Err(NumberError::TooPrecise);
        }
        Ok(Self { negative, coefficient: mantissa.coefficient, exponent: last as i32 })
    }

    /// The exact sum, or [`NumberError::Overflow`] when 38 digits do not hold it, as DynamoDB answers.
    pub fn checked_add(self, other: Self) -> Result<Self, NumberError> {
        if self.coefficient == 0 || other.coefficient == 0 {
            return Ok(if self.coefficient == 0 { other } else { self });
        }
        let (high, low) =
            if self.exponent >= other.exponent { (self, other) } else { (other, self) };
        let shift = (high.exponent - low.exponent) as usize;
        // The low number ends in a digit that is not zero, so a shifted coefficient that leaves u128 (39 digits and
        // more than twice the low one) cannot cancel down to 38 digits: the overflow is real, not an artefact.
        let shifted = POWERS
            .get(shift)
            .and_then(|power| high.coefficient.checked_mul(*power))
            .ok_or(NumberError::Overflow)?;
        let (negative, coefficient) = if high.negative == low.negative {
            (high.negative, shifted.checked_add(low.coefficient).ok_or(NumberError::Overflow)?)
        } else if shifted >= low.coefficient {
            (high.negative, shifted - low.coefficient)
        } else {
            (low.negative, low.coefficient - shifted)
        };
        Self { negative, coefficient, exponent: low.exponent }.normalise()
    }

    /// The exact difference, under the same rules as [`Decimal::checked_add`].
    pub fn checked_sub(self, other: Self) -> Result<Self, NumberError> {
        self.checked_add(other.negated())
    }

    fn negated(self) -> Self {
        Self { negative: !self.negative && self.coefficient != 0, ..self }
    }

    fn normalise(mut self) -> Result<Self, NumberError> {
        if self.coefficient == 0 {
            return Ok(Self::ZERO);
        }
        while self.coefficient.is_multiple_of(10) {
            self.coefficient /= 10;
            self.exponent += 1;
        }
        if self.digits() > MAX_DIGITS {
            return Err(NumberError::Overflow);
        }
        check_range(self.adjusted())?;
        Ok(self)
    }

    /// How many significant digits the number has; zero has one.
    pub fn digits(self) -> u32 {
        self.coefficient.checked_ilog10().map_or(1, |log| log + 1)
    }

    /// The power of ten of the first digit.
    fn adjusted(self) -> i64 {
        i64::from(self.exponent) + i64::from(self.digits()) - 1
    }

    /// Bytes that DynamoDB counts for the number: about one per two digits, plus one, plus one for a minus.
    /// <https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/CapacityUnitCalculations.html>
    pub fn stored_size(self) -> usize {
        if self.coefficient == 0 {
            return 1;
        }
        let digits = self.digits() as usize;
        let unaligned = usize::from(digits.is_multiple_of(2) && self.adjusted().rem_euclid(2) == 0);
        1 + digits.div_ceil(2) + unaligned + usize::from(self.negative)
    }

    /// The canonical text: plain notation.
    pub fn to_number(self) -> Number {
        let digits = self.coefficient.to_string();
        let sign = if self.negative { "-" } else { "" };
        let text = if self.exponent >= 0 {
            format!("{sign}{digits}{}", "0".repeat(self.exponent as usize))
        } else {
            let fraction = self.exponent.unsigned_abs() as usize;
            if fraction < digits.len() {
                let (whole, part) = digits.split_at(digits.len() - fraction);
                format!("{sign}{whole}.{part}")
            } else {
                format!("{sign}0.{}{digits}", "0".repeat(fraction - digits.len()))
            }
        };
        Number(text.into())
    }

    /// Appends bytes whose order is the numeric order.
    ///
    /// One class byte (negative, zero, positive), a biased exponent to the base 100, the pairs of digits plus one, and a
    /// terminator 0; all complemented when negative. At most 23 bytes, and no encoding is a prefix of another.
    pub fn encode_key(self, out: &mut Vec<u8>) {
        if self.coefficient == 0 {
            out.push(CLASS_ZERO);
            return;
        }
        let adjusted = self.adjusted();
        let leading_zero = u32::from(adjusted.rem_euclid(2) == 0);
        let mut pairs = [0u8; 20];
        let mut count = 0;
        let mut rest = self.coefficient;
        if (self.digits() + leading_zero) % 2 == 1 {
            pairs[0] = (rest % 10) as u8 * 10 + 1;
            rest /= 10;
            count = 1;
        }
        while rest > 0 {
            // Nine pairs at a time, because division of 128-bit numbers is slow.
            let is_last = rest <= u128::from(u64::MAX);
            let mut chunk = if is_last { rest as u64 } else { (rest % POWERS[18]) as u64 };
            rest = if is_last { 0 } else { rest / POWERS[18] };
            let wanted = if is_last { 0 } else { 9 };
            let start = count;
            while chunk > 0 || count - start < wanted {
                pairs[count] = (chunk % 100) as u8 + 1;
                chunk /= 100;
                count += 1;
            }
        }
        let flip = if self.negative { 0xFF } else { 0 };
        out.push(CLASS_POSITIVE ^ flip);
        out.push((adjusted.div_euclid(2) + EXPONENT_BIAS) as u8 ^ flip);
        out.extend(pairs[..count].iter().rev().map(|pair| pair ^ flip));
        out.push(flip);
    }

    /// Reads what [`Decimal::encode_key`] wrote from the front of `bytes`; `None` when it is no such encoding.
    /// Also returns how many bytes it took.
    pub fn decode_key(bytes: &[u8]) -> Option<(Self, usize)> {
        let class = *bytes.first()?;
        if class == CLASS_ZERO {
            return Some((Self::ZERO, 1));
        }
        let negative = class == CLASS_POSITIVE ^ 0xFF;
        if !negative && class != CLASS_POSITIVE {
            return None;
        }
        let flip = if negative { 0xFF } else { 0 };
        let first_pair_exponent = i64::from(bytes.get(1)? ^ flip) - EXPONENT_BIAS;
        let mut coefficient = 0u128;
        let mut exponent = (first_pair_exponent + 1) * 2;
        for (at, byte) in bytes.iter().enumerate().skip(2) {
            let pair = byte ^ flip;
            if pair == 0 {
                let number = Self { negative, coefficient, exponent: exponent as i32 };
                return Some((number.normalise().ok()?, at + 1));
            }
            exponent -= 2;
            if pair > 100 {
                return None;
            }
            if at - 2 == 19 {
                // Only the last of twenty pairs can end in a padding zero; without it 39 digits would leave u128.
                let (digits, pad) = ((pair - 1) / 10, (pair - 1) % 10);
                if pad != 0 || bytes.get(at + 1)? ^ flip != 0 {
                    return None;
                }
                coefficient = coefficient.checked_mul(10)?.checked_add(u128::from(digits))?;
                exponent += 1;
                continue;
            }
            coefficient = coefficient.checked_mul(100)?.checked_add(u128::from(pair - 1))?;
        }
        None
    }
}

const CLASS_ZERO: u8 = 0x80;
const CLASS_POSITIVE: u8 = 0xC0;
const EXPONENT_BIAS: i64 = 66;

impl PartialOrd for Decimal {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Decimal {
    fn cmp(&self, other: &Self) -> Ordering {
        let sign = |number: &Self| match (number.coefficient, number.negative) {
            (0, _) => 0,
            (_, true) => -1,
            (_, false) => 1,
        };
        let by_sign = sign(self).cmp(&sign(other));
        if by_sign != Ordering::Equal || self.coefficient == 0 {
            return by_sign;
        }
        let aligned =
            |number: &Self| number.coefficient * POWERS[(MAX_DIGITS - number.digits()) as usize];
        let by_magnitude =
            (self.adjusted(), aligned(self)).cmp(&(other.adjusted(), aligned(other)));
        if self.negative { by_magnitude.reverse() } else { by_magnitude }
    }
}

fn parse_exponent(bytes: &[u8]) -> Option<i64> {
    let (negative, digits) = match bytes {
        [b'-', rest @ ..] => (true, rest),
        [b'+', rest @ ..] => (false, rest),
        rest => (false, rest),
    };
    if digits.is_empty() {
        return None;
    }
    let mut value = 0i64;
    for digit in digits {
        if !digit.is_ascii_digit() {
            return None;
        }
        // Far outside the range either way; the cap keeps a long exponent from wrapping around.
        value = (value * 10 + i64::from(digit - b'0')).min(1_000_000_000_000);
    }
    Some(if negative { -value } else { value })
}

fn check_range(adjusted: i64) -> Result<(), NumberError> {
    if adjusted > MAX_EXPONENT {
        return Err(NumberError::Overflow);
    }
    if adjusted < MIN_EXPONENT {
        return Err(NumberError::Underflow);
    }
    Ok(())
}
