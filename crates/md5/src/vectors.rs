//! A word of every lane in vectors, with the few operations that MD5 needs.
//!
//! They are named one by one: of code for arrays the compiler makes vectors in one build and none in the next.

use crate::lanes::{Block, MAX_LANES};

/// The instructions that the lanes are computed with.
pub(crate) trait Vectors: Copy {
    /// A word of every lane.
    type Words: Copy;
    /// The lanes that are computed at once.
    const LANES: usize;

    /// The same word in every lane.
    fn splat(self, word: u32) -> Self::Words;
    fn add(self, a: Self::Words, b: Self::Words) -> Self::Words;
    /// Rotates to the left by `LEFT` bits; `RIGHT` is what is missing to 32.
    fn rotate<const LEFT: i32, const RIGHT: i32>(self, words: Self::Words) -> Self::Words;
    /// `b` where `by` has a bit, else `c`.
    fn select(self, by: Self::Words, b: Self::Words, c: Self::Words) -> Self::Words;
    /// `b ^ c ^ d`
    fn parity(self, b: Self::Words, c: Self::Words, d: Self::Words) -> Self::Words;
    /// `c ^ (b | !d)`
    fn fold(self, b: Self::Words, c: Self::Words, d: Self::Words) -> Self::Words;
    fn load(self, words: &[u32; MAX_LANES]) -> Self::Words;
    fn store(self, words: Self::Words) -> [u32; MAX_LANES];
    /// The words of a block of every lane: the first of all, the second of all, ….
    fn transpose(self, blocks: [&Block; MAX_LANES]) -> [Self::Words; 16];
}

/// Plain words, four of which fit into the vectors that every 64-bit processor has.
#[derive(Clone, Copy)]
pub(crate) struct Plain;

#[inline(always)]
fn each(f: impl Fn(usize) -> u32) -> [u32; 4] {
    [f(0), f(1), f(2), f(3)]
}

impl Vectors for Plain {
    type Words = [u32; 4];
    const LANES: usize = 4;

    #[inline(always)]
    fn splat(self, word: u32) -> [u32; 4] {
        [word; 4]
    }

    #[inline(always)]
    fn add(self, a: [u32; 4], b: [u32; 4]) -> [u32; 4] {
        each(|l| a[l].wrapping_add(b[l]))
    }

    #[inline(always)]
    fn rotate<const LEFT: i32, const RIGHT: i32>(self, words: [u32; 4]) -> [u32; 4] {
        each(|l| (words[l] << LEFT) | (words[l] >> RIGHT))
    }

    #[inline(always)]
    fn select(self, by: [u32; 4], b: [u32; 4], c: [u32; 4]) -> [u32; 4] {
        each(|l| c[l] ^ (by[l] & (b[l] ^ c[l])))
    }

    #[inline(always)]
    fn parity(self, b: [u32; 4], c: [u32; 4], d: [u32; 4]) -> [u32; 4] {
        each(|l| b[l] ^ c[l] ^ d[l])
    }

    #[inline(always)]
    fn fold(self, b: [u32; 4], c: [u32; 4], d: [u32; 4]) -> [u32; 4] {
        each(|l| c[l] ^ (b[l] | !d[l]))
    }

    #[inline(always)]
    fn load(self, words: &[u32; MAX_LANES]) -> [u32; 4] {
        each(|l| words[l])
    }

    #[inline(always)]
    fn store(self, words: [u32; 4]) -> [u32; MAX_LANES] {
        let mut all = [0; MAX_LANES];
        all[..4].copy_from_slice(&words);
        all
    }

    #[inline(always)]
    fn transpose(self, blocks: [&Block; MAX_LANES]) -> [[u32; 4]; 16] {
        std::array::from_fn(|word| each(|l| u32::from_le_bytes(blocks[l].as_chunks::<4>().0[word])))
    }
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    use std::arch::x86_64::{__m256i, __m512i};

    use pulp::cast;
    use pulp::x86::{V3, V4};

    use super::Vectors;
    use crate::lanes::{Block, MAX_LANES};

    /// What the instructions make of `b`, `c` and `d`: the bit `4 * b + 2 * c + d` of the number.
    const SELECT: i32 = 0xca;
    const PARITY: i32 = 0x96;
    const FOLD: i32 = 0x39;

    impl Vectors for V4 {
        type Words = __m512i;
        const LANES: usize = 16;

        #[inline(always)]
        fn splat(self, word: u32) -> __m512i {
            self.avx512f._mm512_set1_epi32(word.cast_signed())
        }

        #[inline(always)]
        fn add(self, a: __m512i, b: __m512i) -> __m512i {
            self.avx512f._mm512_add_epi32(a, b)
        }

        #[inline(always)]
        fn rotate<const LEFT: i32, const RIGHT: i32>(self, words: __m512i) -> __m512i {
            self.avx512f._mm512_rol_epi32::<LEFT>(words)
        }

        #[inline(always)]
        fn select(self, by: __m512i, b: __m512i, c: __m512i) -> __m512i {
            self.avx512f._mm512_ternarylogic_epi32::<SELECT>(by, b, c)
        }

        #[inline(always)]
        fn parity(self, b: __m512i, c: __m512i, d: __m512i) -> __m512i {
            self.avx512f._mm512_ternarylogic_epi32::<PARITY>(b, c, d)
        }

        #[inline(always)]
        fn fold(self, b: __m512i, c: __m512i, d: __m512i) -> __m512i {
            self.avx512f._mm512_ternarylogic_epi32::<FOLD>(b, c, d)
        }

        #[inline(always)]
        fn load(self, words: &[u32; MAX_LANES]) -> __m512i {
            cast(*words)
        }

        #[inline(always)]
        fn store(self, words: __m512i) -> [u32; MAX_LANES] {
            cast(words)
        }

        #[inline(always)]
        fn transpose(self, blocks: [&Block; MAX_LANES]) -> [__m512i; 16] {
            let x = self.avx512f;
            let mut rows = [self.splat(0); 16];
            for (row, block) in rows.iter_mut().zip(blocks) {
                *row = cast(*block);
            }
            // Words of four lanes side by side, in each quarter of a vector.
            for four in rows.as_chunks_mut::<4>().0 {
                let [a, b, c, d] = *four;
                let (low, high) = (x._mm512_unpacklo_epi32(a, b), x._mm512_unpackhi_epi32(a, b));
                let (low2, high2) = (x._mm512_unpacklo_epi32(c, d), x._mm512_unpackhi_epi32(c, d));
                *four = [
                    x._mm512_unpacklo_epi64(low, low2),
                    x._mm512_unpackhi_epi64(low, low2),
                    x._mm512_unpacklo_epi64(high, high2),
                    x._mm512_unpackhi_epi64(high, high2),
                ];
            }
            // Quarters of four vectors change places.
            let mut words = rows;
            for first in 0..4 {
                let (a, b) = (rows[first], rows[first + 4]);
                let (c, d) = (rows[first + 8], rows[first + 12]);
                let even = x._mm512_shuffle_i32x4::<0x88>(a, b);
                let odd = x._mm512_shuffle_i32x4::<0xdd>(a, b);
                let even2 = x._mm512_shuffle_i32x4::<0x88>(c, d);
                let odd2 = x._mm512_shuffle_i32x4::<0xdd>(c, d);
                words[first] = x._mm512_shuffle_i32x4::<0x88>(even, even2);
                words[first + 4] = x._mm512_shuffle_i32x4::<0x88>(odd, odd2);
                words[first + 8] = x._mm512_shuffle_i32x4::<0xdd>(even, even2);
                words[first + 12] = x._mm512_shuffle_i32x4::<0xdd>(odd, odd2);
            }
            words
        }
    }

    /// Two vectors, which hide each other's waits.
    type Pair = [__m256i; 2];

    #[inline(always)]
    fn both(f: impl Fn(usize) -> __m256i) -> Pair {
        [f(0), f(1)]
    }

    impl Vectors for V3 {
        type Words = Pair;
        const LANES: usize = 16;

        #[inline(always)]
        fn splat(self, word: u32) -> Pair {
            [self.avx._mm256_set1_epi32(word.cast_signed()); 2]
        }

        #[inline(always)]
        fn add(self, a: Pair, b: Pair) -> Pair {
            both(|half| self.avx2._mm256_add_epi32(a[half], b[half]))
        }

        #[inline(always)]
        fn rotate<const LEFT: i32, const RIGHT: i32>(self, words: Pair) -> Pair {
            let x = self.avx2;
            both(|half| {
                x._mm256_or_si256(
                    x._mm256_slli_epi32::<LEFT>(words[half]),
                    x._mm256_srli_epi32::<RIGHT>(words[half]),
                )
            })
        }

        #[inline(always)]
        fn select(self, by: Pair, b: Pair, c: Pair) -> Pair {
            let x = self.avx2;
            both(|half| {
                let differ = x._mm256_xor_si256(b[half], c[half]);
                x._mm256_xor_si256(c[half], x._mm256_and_si256(by[half], differ))
            })
        }

        #[inline(always)]
        fn parity(self, b: Pair, c: Pair, d: Pair) -> Pair {
            let x = self.avx2;
            both(|half| x._mm256_xor_si256(b[half], x._mm256_xor_si256(c[half], d[half])))
        }

        #[inline(always)]
        fn fold(self, b: Pair, c: Pair, d: Pair) -> Pair {
            let x = self.avx2;
            let ones = self.avx._mm256_set1_epi32(-1);
            both(|half| {
                let not = x._mm256_xor_si256(d[half], ones);
                x._mm256_xor_si256(c[half], x._mm256_or_si256(b[half], not))
            })
        }

        #[inline(always)]
        fn load(self, words: &[u32; MAX_LANES]) -> Pair {
            cast(*words)
        }

        #[inline(always)]
        fn store(self, words: Pair) -> [u32; MAX_LANES] {
            cast(words)
        }

        #[inline(always)]
        fn transpose(self, blocks: [&Block; MAX_LANES]) -> [Pair; 16] {
            let mut words = [self.splat(0); 16];
            // Eight lanes and half of a block at a time.
            for lanes in 0..2 {
                for half in 0..2 {
                    let mut rows = [words[0][0]; 8];
                    for (row, block) in rows.iter_mut().zip(&blocks[8 * lanes..]) {
                        *row = cast::<Block, Pair>(**block)[half];
                    }
                    let rows = transpose_eight(self, rows);
                    for word in 0..8 {
                        words[8 * half + word][lanes] = rows[word];
                    }
                }
            }
            words
        }
    }

    #[inline(always)]
    fn transpose_eight(simd: V3, mut rows: [__m256i; 8]) -> [__m256i; 8] {
        let x = simd.avx2;
        for four in rows.as_chunks_mut::<4>().0 {
            let [a, b, c, d] = *four;
            let (low, high) = (x._mm256_unpacklo_epi32(a, b), x._mm256_unpackhi_epi32(a, b));
            let (low2, high2) = (x._mm256_unpacklo_epi32(c, d), x._mm256_unpackhi_epi32(c, d));
            *four = [
                x._mm256_unpacklo_epi64(low, low2),
                x._mm256_unpackhi_epi64(low, low2),
                x._mm256_unpacklo_epi64(high, high2),
                x._mm256_unpackhi_epi64(high, high2),
            ];
        }
        let mut words = rows;
        for first in 0..4 {
            let (a, b) = (rows[first], rows[first + 4]);
            words[first] = x._mm256_permute2x128_si256::<0x20>(a, b);
            words[first + 4] = x._mm256_permute2x128_si256::<0x31>(a, b);
        }
        words
    }
}
