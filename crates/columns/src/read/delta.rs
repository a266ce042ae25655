//! Integers packed as deltas, read before the decoder sees them: it sets aside what their header promises.

use super::Damage;

/// The most values of a block; writers use 128.
const MAX_BLOCK: u64 = 1 << 16;

fn damage() -> Damage {
    Damage::new("packed integers cannot be read")
}

struct Bytes<'b> {
    bytes: &'b [u8],
    at: usize,
}

impl Bytes<'_> {
    fn varint(&mut self) -> Result<u64, Damage> {
        let mut value = 0;
        for shift in (0..64).step_by(7) {
            let byte = *self.bytes.get(self.at).ok_or_else(damage)?;
            self.at += 1;
            value |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Ok(value);
            }
        }
        Err(damage())
    }

    fn number(&mut self) -> Result<i64, Damage> {
        let value = self.varint()?;
        Ok((value >> 1) as i64 ^ -((value & 1) as i64))
    }
}

/// Calls `each` for every integer, of which there are at most so many, and tells how many bytes they take.
pub(super) fn integers(
    bytes: &[u8],
    most: u32,
    each: &mut dyn FnMut(i64) -> Result<(), Damage>,
) -> Result<usize, Damage> {
    let mut reader = Bytes { bytes, at: 0 };
    let (block, parts) = (reader.varint()?, reader.varint()?);
    let (count, first) = (reader.varint()?, reader.number()?);
    let is_sound = block > 0 && block <= MAX_BLOCK && block.is_multiple_of(128);
    if !is_sound || parts == 0 || !block.is_multiple_of(parts) || count > u64::from(most) {
        return Err(damage());
    }
    let part = block / parts;
    if part == 0 || !part.is_multiple_of(32) {
        return Err(damage());
    }
    let (mut left, mut value) = (count, first);
    if left > 0 {
        each(value)?;
        left -= 1;
    }
    while left > 0 {
        let least = reader.number()?;
        let widths = reader.at..reader.at + parts as usize;
        reader.at = widths.end;
        for width in bytes.get(widths).ok_or_else(damage)? {
            if left == 0 {
                break;
            }
            let width = usize::from(*width);
            let end = reader.at + part as usize * width / 8;
            let packed = bytes.get(reader.at..end).filter(|_| width <= 64).ok_or_else(damage)?;
            for index in 0..left.min(part) as usize {
                let delta = least.wrapping_add(unpack(packed, index * width, width));
                value = value.wrapping_add(delta);
                each(value)?;
            }
            left -= left.min(part);
            reader.at = end;
        }
    }
    Ok(reader.at)
}

/// The number of so many bits from this one on.
fn unpack(packed: &[u8], from: usize, width: usize) -> i64 {
    let mut value = 0u128;
    let (first, last) = (from / 8, (from + width).div_ceil(8));
    for (index, byte) in packed[first..last].iter().enumerate() {
        value |= u128::from(*byte) << (index * 8);
    }
    let mask = if width == 64 { u64::MAX } else { (1 << width) - 1 };
    ((value >> (from % 8)) as u64 & mask) as i64
}

/// How many bytes the values of a page have that are told by their lengths, or by what they share with those before them.
pub(super) fn text_bytes(bytes: &[u8], has_prefixes: bool, most: u32) -> Result<u64, Damage> {
    let mut total = 0;
    let mut add = |len: i64| {
        total += u64::try_from(len).ok().filter(|len| *len <= 1 << 31).ok_or_else(damage)?;
        Ok(())
    };
    let start = if has_prefixes { integers(bytes, most, &mut add)? } else { 0 };
    integers(&bytes[start..], most, &mut add)?;
    Ok(total)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(bytes: &[u8]) -> Result<(Vec<i64>, usize), Damage> {
        let mut all = Vec::new();
        let len = integers(bytes, 1000, &mut |value| {
            all.push(value);
            Ok(())
        })?;
        Ok((all, len))
    }

    #[test]
    fn integers_are_read_as_the_format_describes_them() {
        // 7, 5, 3, 1, 2, 3, 4, 5: the example of the format's description.
        let mut packed = vec![0x80, 0x01, 4, 8, 14, 3, 2, 0, 0, 0];
        packed.extend([0xc0, 0x3f, 0, 0, 0, 0, 0, 0, 99]);
        let (all, len) = read(&packed).expect("integers");
        assert_eq!((&all[..], len), (&[7, 5, 3, 1, 2, 3, 4, 5][..], packed.len() - 1));
        assert_eq!(text_bytes(&packed, false, 8).ok(), Some(30));
        assert!(text_bytes(&packed, false, 7).is_err());
        assert!(read(&packed[..12]).is_err());
        assert_eq!(read(&[0x80, 1, 4, 0, 0]).map(|read| read.1).ok(), Some(5));
        assert_eq!(read(&[0x80, 1, 4, 1, 9]).map(|read| read.0).ok(), Some(vec![-5]));
        for wrong in [&[0, 4, 1, 0][..], &[0x80, 1, 0, 1, 0], &[0x80, 1, 3, 1, 0], &[0xff; 30], &[]]
        {
            assert!(read(wrong).is_err(), "{wrong:?}");
        }
    }
}
