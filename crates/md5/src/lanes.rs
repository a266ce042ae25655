//! MD5's compression function, in as many lanes as a vector has.
//!
//! The code is written for arrays of one word per lane. The compiler makes vectors of them, for whichever instructions
//! it may use: [`pulp`] calls it with those of the processor.

/// Bytes per block.
pub(crate) const BLOCK_BYTES: usize = 64;
/// The most lanes.
pub(crate) const MAX_LANES: usize = 16;

/// The state between two blocks.
pub(crate) type State = [u32; 4];

/// The state before the first block.
pub(crate) const INITIAL: State = [0x6745_2301, 0xefcd_ab89, 0x98ba_dcfe, 0x1032_5476];

/// How far each step of a round rotates.
const ROTATIONS: [[u32; 4]; 4] =
    [[7, 12, 17, 22], [5, 9, 14, 20], [4, 11, 16, 23], [6, 10, 15, 21]];

/// The constants of the steps: the sines of RFC 1321.
#[rustfmt::skip]
const SINES: [u32; 64] = [
    0xd76a_a478, 0xe8c7_b756, 0x2420_70db, 0xc1bd_ceee, 0xf57c_0faf, 0x4787_c62a, 0xa830_4613, 0xfd46_9501,
    0x6980_98d8, 0x8b44_f7af, 0xffff_5bb1, 0x895c_d7be, 0x6b90_1122, 0xfd98_7193, 0xa679_438e, 0x49b4_0821,
    0xf61e_2562, 0xc040_b340, 0x265e_5a51, 0xe9b6_c7aa, 0xd62f_105d, 0x0244_1453, 0xd8a1_e681, 0xe7d3_fbc8,
    0x21e1_cde6, 0xc337_07d6, 0xf4d5_0d87, 0x455a_14ed, 0xa9e3_e905, 0xfcef_a3f8, 0x676f_02d9, 0x8d2a_4c8a,
    0xfffa_3942, 0x8771_f681, 0x6d9d_6122, 0xfde5_380c, 0xa4be_ea44, 0x4bde_cfa9, 0xf6bb_4b60, 0xbebf_bc70,
    0x289b_7ec6, 0xeaa1_27fa, 0xd4ef_3085, 0x0488_1d05, 0xd9d4_d039, 0xe6db_99e5, 0x1fa2_7cf8, 0xc4ac_5665,
    0xf429_2244, 0x432a_ff97, 0xab94_23a7, 0xfc93_a039, 0x655b_59c3, 0x8f0c_cc92, 0xffef_f47d, 0x8584_5dd1,
    0x6fa8_7e4f, 0xfe2c_e6e0, 0xa301_4314, 0x4e08_11a1, 0xf753_7e82, 0xbd3a_f235, 0x2ad7_d2bb, 0xeb86_d391,
];

/// Adds whole blocks of one stream after the other to their states, all streams the same number of them.
///
/// `data` has at most [`MAX_LANES`] slices of one length, a multiple of [`BLOCK_BYTES`].
pub(crate) fn compress(states: &mut [State], data: &[&[u8]]) {
    match data.len() {
        0 => {}
        1 => run::<1>(states, data),
        #[cfg(target_arch = "x86_64")]
        _ if compress_x86(states, data) => {}
        // Four lanes fit into the vectors that every 64-bit processor has.
        _ => {
            for (states, data) in states.chunks_mut(4).zip(data.chunks(4)) {
                run::<4>(states, data);
            }
        }
    }
}

/// The same with AVX-512 or AVX2, if the processor has one of them.
#[cfg(target_arch = "x86_64")]
fn compress_x86(states: &mut [State], data: &[&[u8]]) -> bool {
    if let Some(wide) = pulp::x86::V4::try_new() {
        match data.len() {
            ..=4 => wide.vectorize(Run::<4> { states, data }),
            5..=8 => wide.vectorize(Run::<8> { states, data }),
            _ => wide.vectorize(Run::<16> { states, data }),
        }
        return true;
    }
    let Some(middle) = pulp::x86::V3::try_new() else { return false };
    match data.len() {
        ..=4 => middle.vectorize(Run::<4> { states, data }),
        // Two vectors of eight lanes hide each other's waits.
        _ => middle.vectorize(Run::<16> { states, data }),
    }
    true
}

/// A run that is always compiled into its caller, and so for the caller's instructions; a closure need not be.
#[cfg(target_arch = "x86_64")]
struct Run<'a, 'd, const N: usize> {
    states: &'a mut [State],
    data: &'a [&'d [u8]],
}

#[cfg(target_arch = "x86_64")]
impl<const N: usize> pulp::NullaryFnOnce for Run<'_, '_, N> {
    type Output = ();

    #[inline(always)]
    fn call(self) {
        run::<N>(self.states, self.data);
    }
}

/// A word of every lane.
type Words<const N: usize> = [u32; N];

#[inline(always)]
#[expect(clippy::needless_range_loop, reason = "what the compiler makes a vector of without calls")]
fn each<const N: usize>(f: impl Fn(usize) -> u32) -> Words<N> {
    let mut words = [0; N];
    for lane in 0..N {
        words[lane] = f(lane);
    }
    words
}

/// Runs `N` lanes, of which those beyond `data` compute nothing that anybody sees.
#[inline(always)]
fn run<const N: usize>(states: &mut [State], data: &[&[u8]]) {
    let lanes: [&[u8]; N] = std::array::from_fn(|lane| *data.get(lane).unwrap_or(&data[0]));
    let mut state: [Words<N>; 4] =
        std::array::from_fn(|word| each(|lane| states.get(lane).map_or(0, |state| state[word])));
    let blocks = lanes[0].len() / BLOCK_BYTES;
    let mut message = [[0; N]; 16];
    for block in 0..blocks {
        for lane in 0..N {
            let bytes = &lanes[lane][block * BLOCK_BYTES..][..BLOCK_BYTES];
            for word in 0..16 {
                let bytes = &bytes[4 * word..][..4];
                message[word][lane] = u32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]);
            }
        }
        add_block(&mut state, &message);
    }
    for (lane, old) in states.iter_mut().enumerate() {
        *old = std::array::from_fn(|word| state[word][lane]);
    }
}

/// Adds one block of every lane.
#[inline(always)]
fn add_block<const N: usize>(state: &mut [Words<N>; 4], message: &[Words<N>; 16]) {
    let [mut a, mut b, mut c, mut d] = *state;
    macro_rules! step {
        ($a:ident $b:ident $c:ident $d:ident, $mix:expr, $word:expr, $step:expr) => {{
            let (mix, word, rotation) = ($mix, $word % 16, ROTATIONS[$step / 16][$step % 4]);
            $a = each(|l| {
                let sum = message[word][l].wrapping_add(SINES[$step]).wrapping_add($a[l]);
                let sum = sum.wrapping_add(mix($b[l], $c[l], $d[l]));
                $b[l].wrapping_add(sum.rotate_left(rotation))
            });
        }};
    }
    macro_rules! steps {
        ($first:expr, $mix:expr, $times:expr, $plus:expr) => {{
            step!(a b c d, $mix, $first * $times + $plus, $first);
            step!(d a b c, $mix, ($first + 1) * $times + $plus, $first + 1);
            step!(c d a b, $mix, ($first + 2) * $times + $plus, $first + 2);
            step!(b c d a, $mix, ($first + 3) * $times + $plus, $first + 3);
        }};
    }
    // Unrolled by hand: a loop over the steps would keep their constants and rotations in memory.
    macro_rules! round {
        ($first:expr, $mix:expr, $times:expr, $plus:expr) => {{
            steps!($first, $mix, $times, $plus);
            steps!($first + 4, $mix, $times, $plus);
            steps!($first + 8, $mix, $times, $plus);
            steps!($first + 12, $mix, $times, $plus);
        }};
    }
    round!(0usize, |b: u32, c: u32, d: u32| d ^ (b & (c ^ d)), 1, 0);
    round!(16usize, |b: u32, c: u32, d: u32| c ^ (d & (b ^ c)), 5, 1);
    round!(32usize, |b: u32, c: u32, d: u32| b ^ c ^ d, 3, 5);
    round!(48usize, |b: u32, c: u32, d: u32| c ^ (b | !d), 7, 0);
    for (old, new) in state.iter_mut().zip([a, b, c, d]) {
        *old = each(|l| old[l].wrapping_add(new[l]));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lanes_do_not_mix() {
        let data: Vec<Vec<u8>> = (0..16u8).map(|lane| vec![lane; 5 * BLOCK_BYTES]).collect();
        for lanes in 1..=MAX_LANES {
            let data: Vec<&[u8]> = data[..lanes].iter().map(Vec::as_slice).collect();
            let mut together = vec![INITIAL; lanes];
            compress(&mut together, &data);
            for (state, data) in together.iter().zip(data) {
                let mut alone = [INITIAL];
                compress(&mut alone, &[data]);
                assert_eq!(*state, alone[0], "of {lanes} lanes");
            }
        }
    }
}
