//! The encodings of streams: truths as runs of bytes, integers as runs of the first version, and zlib around them.

use std::io::Write;

use flate2::Compression;
use flate2::write::DeflateEncoder;

use super::messages::varint;

/// The most bytes that are compressed at once.
pub(super) const BLOCK_BYTES: usize = 256 << 10;
/// The shortest run.
const MIN_RUN: usize = 3;
/// The longest run: its length less three is a byte without a sign bit.
const MAX_RUN: usize = 127 + MIN_RUN;
/// The most values that stand for themselves behind one length.
const MAX_LITERALS: usize = 128;

/// Compresses a stream in blocks, each behind its length and whether it is left as it is.
pub(super) fn pack(stream: &[u8]) -> Vec<u8> {
    let mut packed = Vec::new();
    for block in stream.chunks(BLOCK_BYTES) {
        let mut encoder = DeflateEncoder::new(Vec::new(), Compression::fast());
        let written = encoder.write_all(block).and_then(|()| encoder.finish());
        let shorter = written.ok().filter(|bytes| bytes.len() < block.len());
        let (bytes, is_original) = match &shorter {
            Some(bytes) => (&bytes[..], 0),
            None => (block, 1),
        };
        let head = (bytes.len() as u32) << 1 | is_original;
        packed.extend_from_slice(&head.to_le_bytes()[..3]);
        packed.extend_from_slice(bytes);
    }
    packed
}

/// Truths, eight in a byte, the first one highest.
#[derive(Default)]
pub(super) struct Bits {
    bytes: Vec<u8>,
    count: usize,
}

impl FromIterator<bool> for Bits {
    fn from_iter<I: IntoIterator<Item = bool>>(truths: I) -> Bits {
        let mut bits = Bits::default();
        for truth in truths {
            if bits.count.is_multiple_of(8) {
                bits.bytes.push(0);
            }
            if let Some(byte) = bits.bytes.last_mut() {
                *byte |= u8::from(truth) << (7 - bits.count % 8);
            }
            bits.count += 1;
        }
        bits
    }
}

impl Bits {
    /// The bytes as runs and literals.
    pub(super) fn finish(self) -> Vec<u8> {
        let mut out = Vec::new();
        let mut left = &self.bytes[..];
        while !left.is_empty() {
            let run = run_of(left, |a, b| a == b);
            if run >= MIN_RUN {
                out.extend([(run - MIN_RUN) as u8, left[0]]);
                left = &left[run..];
                continue;
            }
            let count = literals(left, |a, b| a == b);
            out.push((count as u8).wrapping_neg());
            out.extend_from_slice(&left[..count]);
            left = &left[count..];
        }
        out
    }
}

/// How many values from the first on follow each other as wanted, up to the longest run.
fn run_of<T>(values: &[T], follows: impl Fn(&T, &T) -> bool) -> usize {
    let pairs = values.windows(2).take(MAX_RUN - 1);
    1 + pairs.take_while(|pair| follows(&pair[0], &pair[1])).count()
}

/// How many values from the first on are in no run.
fn literals<T>(values: &[T], follows: impl Fn(&T, &T) -> bool) -> usize {
    let most = values.len().min(MAX_LITERALS);
    let is_run = |at: usize| {
        let next = values.get(at..at + MIN_RUN);
        next.is_some_and(|next| next.windows(2).all(|pair| follows(&pair[0], &pair[1])))
    };
    (1..most).find(|at| is_run(*at)).unwrap_or(most)
}

/// Integers as runs, whose values differ by one step, and literals.
pub(super) struct Runs;

impl Runs {
    /// Integers that may be negative.
    pub(super) fn signed(values: impl Iterator<Item = i64>) -> Vec<u8> {
        encode(&values.collect::<Vec<_>>(), |value| (value << 1 ^ value >> 63).cast_unsigned())
    }

    /// Integers that are not.
    pub(super) fn unsigned(values: impl Iterator<Item = i64>) -> Vec<u8> {
        encode(&values.collect::<Vec<_>>(), i64::cast_unsigned)
    }
}

fn encode(values: &[i64], plain: impl Fn(i64) -> u64) -> Vec<u8> {
    let mut out = Vec::new();
    let mut left = values;
    while let [first, rest @ ..] = left {
        let step = rest.first().and_then(|second| second.checked_sub(*first));
        let step = step.and_then(|step| i8::try_from(step).ok());
        let by = |step: i8| move |a: &i64, b: &i64| a.checked_add(step.into()) == Some(*b);
        let run = step.map_or(1, |step| run_of(left, by(step)));
        if let Some(step) = step.filter(|_| run >= MIN_RUN) {
            out.extend([(run - MIN_RUN) as u8, step.cast_unsigned()]);
            varint(plain(*first), &mut out);
            left = &left[run..];
            continue;
        }
        // Up to where three values are equally far from each other.
        let most = left.len().min(MAX_LITERALS);
        let is_run = |at: &usize| match left.get(*at..*at + MIN_RUN) {
            Some([a, b, c]) => {
                let step = b.checked_sub(*a).and_then(|step| i8::try_from(step).ok());
                step.is_some() && b.checked_sub(*a) == c.checked_sub(*b)
            }
            _ => false,
        };
        let count = (1..most).find(is_run).unwrap_or(most);
        out.push((count as u8).wrapping_neg());
        left[..count].iter().for_each(|value| varint(plain(*value), &mut out));
        left = &left[count..];
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_are_those_of_the_specification() {
        // Its examples: a hundred zeros, two bytes, a hundred sevens, a hundred down to one, and five primes.
        let bits = |bytes: &[u8]| Bits { bytes: bytes.to_vec(), count: bytes.len() * 8 }.finish();
        assert_eq!(bits(&[0; 100]), [0x61, 0x00]);
        assert_eq!(bits(&[0x44, 0x45]), [0xfe, 0x44, 0x45]);
        assert_eq!([true, false].into_iter().collect::<Bits>().finish(), [0xff, 0x80]);
        assert_eq!(Runs::unsigned([7; 100].into_iter()), [0x61, 0x00, 0x07]);
        assert_eq!(Runs::unsigned((1..=100).rev()), [0x61, 0xff, 0x64]);
        let primes = [2, 3, 6, 7, 11];
        assert_eq!(Runs::unsigned(primes.into_iter()), [0xfb, 0x02, 0x03, 0x06, 0x07, 0xb]);
        assert_eq!(
            Runs::signed([-1, 1 << 40].into_iter()),
            [0xfe, 1, 0x80, 0x80, 0x80, 0x80, 0x80, 0x40]
        );
    }

    /// What the runs of integers are.
    fn read(mut bytes: &[u8]) -> Vec<u64> {
        fn varint(bytes: &mut &[u8]) -> u64 {
            let end = bytes.iter().position(|byte| byte & 0x80 == 0).expect("an end");
            let digits = bytes[..=end].iter().rev();
            let value = digits.fold(0, |value, byte| value << 7 | u64::from(byte & 0x7f));
            *bytes = &bytes[end + 1..];
            value
        }
        let mut all = Vec::new();
        while let [head, rest @ ..] = bytes {
            bytes = rest;
            if *head >= 0x80 {
                (0..256 - usize::from(*head)).for_each(|_| all.push(varint(&mut bytes)));
                continue;
            }
            let step = i64::from(bytes[0].cast_signed());
            bytes = &bytes[1..];
            let first = varint(&mut bytes).cast_signed();
            let run = 0..i64::from(*head) + 3;
            all.extend(run.map(|index| (first + index * step).cast_unsigned()));
        }
        all
    }

    #[test]
    fn any_integers_are_read_as_they_were() {
        let mut value = 1u64;
        for round in 0..200u64 {
            let all: Vec<i64> = (0..round * 3)
                .map(|index| {
                    value = value.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(round);
                    match (index / (1 + round % 7)) % 4 {
                        0 => (value >> 40) as i64,
                        1 => 5,
                        2 => index as i64 * 3,
                        _ => i64::MAX - index as i64 * 200,
                    }
                })
                .collect();
            let read = read(&Runs::unsigned(all.iter().copied()));
            assert_eq!(read, all.iter().map(|value| *value as u64).collect::<Vec<_>>());
        }
    }

    #[test]
    fn what_does_not_shrink_is_left_as_it_is() {
        assert_eq!(pack(b"ab"), b"\x05\x00\x00ab");
        let long = pack(&[7; BLOCK_BYTES + 1]);
        let len = usize::from(long[0] >> 1) | usize::from(long[1]) << 7;
        // How short depends on the backend of flate2.
        assert!(len < BLOCK_BYTES / 10 && long[0] & 1 == 0);
        assert_eq!(&long[3 + len..], b"\x03\x00\x00\x07");
        assert!(pack(b"").is_empty());
    }
}
