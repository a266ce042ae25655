//! MD5's compression function, in as many lanes as a vector has.

use crate::vectors::{Plain, Vectors};

/// Bytes per block.
pub(crate) const BLOCK_BYTES: usize = 64;
/// The most lanes.
pub(crate) const MAX_LANES: usize = 16;

pub(crate) type Block = [u8; BLOCK_BYTES];

/// The state between two blocks.
pub(crate) type State = [u32; 4];

/// The state before the first block.
pub(crate) const INITIAL: State = [0x6745_2301, 0xefcd_ab89, 0x98ba_dcfe, 0x1032_5476];

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
/// `data` has at most [`MAX_LANES`] slices of one length.
pub(crate) fn compress(states: &mut [State], data: &[&[Block]]) {
    match (&mut *states, data) {
        ([], _) | (_, []) => {}
        // In one lane, waits count and not operations: the other crate knows how to have few.
        ([state], [blocks]) => md5::block_api::compress(state, blocks),
        _ => {
            #[cfg(target_arch = "x86_64")]
            if compress_x86(states, data) {
                return;
            }
            Run { simd: Plain, states, data }.run();
        }
    }
}

/// The same with AVX-512 or AVX2, if the processor has one of them.
#[cfg(target_arch = "x86_64")]
fn compress_x86(states: &mut [State], data: &[&[Block]]) -> bool {
    if let Some(simd) = pulp::x86::V4::try_new() {
        simd.vectorize(Run { simd, states, data });
    } else if let Some(simd) = pulp::x86::V3::try_new() {
        simd.vectorize(Run { simd, states, data });
    } else {
        return false;
    }
    true
}

/// A run that is always compiled into its caller, and so for the caller's instructions; a closure need not be.
struct Run<'a, 'd, V> {
    simd: V,
    states: &'a mut [State],
    data: &'a [&'d [Block]],
}

#[cfg(target_arch = "x86_64")]
impl<V: Vectors> pulp::NullaryFnOnce for Run<'_, '_, V> {
    type Output = ();

    #[inline(always)]
    fn call(self) {
        self.run();
    }
}

impl<V: Vectors> Run<'_, '_, V> {
    #[inline(always)]
    fn run(self) {
        for (states, data) in self.states.chunks_mut(V::LANES).zip(self.data.chunks(V::LANES)) {
            run(self.simd, states, data);
        }
    }
}

/// Runs all lanes, of which those beyond `data` compute nothing that anybody sees.
#[inline(always)]
fn run<V: Vectors>(simd: V, states: &mut [State], data: &[&[Block]]) {
    // Loops, since what arrays offer for the same is called, and not with the instructions of this function.
    let mut lanes = [data[0]; MAX_LANES];
    lanes[..data.len()].copy_from_slice(data);
    let mut words = [[0; MAX_LANES]; 4];
    for (lane, state) in states.iter().enumerate() {
        for word in 0..4 {
            words[word][lane] = state[word];
        }
    }
    let [a, b, c, d] = &words;
    let mut state = [simd.load(a), simd.load(b), simd.load(c), simd.load(d)];
    for (block, first) in lanes[0].iter().enumerate() {
        let mut blocks = [first; MAX_LANES];
        for (place, lane) in blocks.iter_mut().zip(&lanes) {
            *place = &lane[block];
        }
        state = add_block(simd, state, &simd.transpose(blocks));
    }
    let [a, b, c, d] = state;
    let words = [simd.store(a), simd.store(b), simd.store(c), simd.store(d)];
    for (lane, old) in states.iter_mut().enumerate() {
        *old = [words[0][lane], words[1][lane], words[2][lane], words[3][lane]];
    }
}

/// Adds one block of every lane.
#[inline(always)]
fn add_block<V: Vectors>(simd: V, state: [V::Words; 4], message: &[V::Words; 16]) -> [V::Words; 4] {
    let [mut a, mut b, mut c, mut d] = state;
    macro_rules! step {
        ($a:ident $b:ident $c:ident $d:ident, $mix:expr, $word:expr, $step:expr, $rotation:literal) => {{
            let sum = simd.add(message[$word % 16], simd.splat(SINES[$step]));
            let sum = simd.add(simd.add($a, sum), $mix($b, $c, $d));
            $a = simd.add($b, simd.rotate::<$rotation, { 32 - $rotation }>(sum));
        }};
    }
    macro_rules! steps {
        ($first:expr, $mix:expr, $times:expr, $plus:expr, $r:literal $s:literal $t:literal $u:literal) => {{
            step!(a b c d, $mix, $first * $times + $plus, $first, $r);
            step!(d a b c, $mix, ($first + 1) * $times + $plus, $first + 1, $s);
            step!(c d a b, $mix, ($first + 2) * $times + $plus, $first + 2, $t);
            step!(b c d a, $mix, ($first + 3) * $times + $plus, $first + 3, $u);
        }};
    }
    // Unrolled by hand: a loop over the steps would keep their constants and rotations in memory.
    macro_rules! round {
        ($first:expr, $mix:expr, $times:expr, $plus:expr, $($rotations:literal)*) => {{
            steps!($first, $mix, $times, $plus, $($rotations)*);
            steps!($first + 4, $mix, $times, $plus, $($rotations)*);
            steps!($first + 8, $mix, $times, $plus, $($rotations)*);
            steps!($first + 12, $mix, $times, $plus, $($rotations)*);
        }};
    }
    round!(0usize, |b, c, d| simd.select(b, c, d), 1, 0, 7 12 17 22);
    round!(16usize, |b, c, d| simd.select(d, b, c), 5, 1, 5 9 14 20);
    round!(32usize, |b, c, d| simd.parity(b, c, d), 3, 5, 4 11 16 23);
    round!(48usize, |b, c, d| simd.fold(b, c, d), 7, 0, 6 10 15 21);
    [simd.add(state[0], a), simd.add(state[1], b), simd.add(state[2], c), simd.add(state[3], d)]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_of_vectors_agrees_with_one_lane() {
        let data: Vec<Vec<Block>> = (0..16u8)
            .map(|lane| {
                let byte = |at: usize| (at as u8).wrapping_mul(31).wrapping_add(lane << 3) ^ lane;
                (0..5)
                    .map(|block| std::array::from_fn(|at| byte(block * BLOCK_BYTES + at)))
                    .collect()
            })
            .collect();
        for lanes in 2..=MAX_LANES {
            let data: Vec<&[Block]> = data[..lanes].iter().map(Vec::as_slice).collect();
            let mut expected = vec![INITIAL; lanes];
            for (state, blocks) in expected.iter_mut().zip(&data) {
                md5::block_api::compress(state, blocks);
            }
            let mut runs = vec![vec![INITIAL; lanes]; 2];
            compress(&mut runs[0], &data);
            Run { simd: Plain, states: &mut runs[1], data: &data }.run();
            #[cfg(target_arch = "x86_64")]
            if let Some(simd) = pulp::x86::V3::try_new() {
                let mut states = vec![INITIAL; lanes];
                simd.vectorize(Run { simd, states: &mut states, data: &data });
                runs.push(states);
            }
            assert!(runs.iter().all(|run| *run == expected), "{lanes} lanes");
        }
    }
}
