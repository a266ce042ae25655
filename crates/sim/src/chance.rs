//! Chance that repeats with the seed.

use rand::rngs::StdRng;
use rand::{Rng, RngCore, SeedableRng};

/// A source of chance for one purpose; others do not disturb it.
pub(crate) struct Chance(StdRng);

impl Chance {
    pub(crate) fn new(seed: u64) -> Chance {
        Chance(StdRng::seed_from_u64(seed))
    }

    /// A source for something else.
    pub(crate) fn fork(&mut self) -> Chance {
        Chance::new(self.number())
    }

    pub(crate) fn number(&mut self) -> u64 {
        self.0.next_u64()
    }

    /// A number in `from..to`.
    pub(crate) fn between(&mut self, from: u64, to: u64) -> u64 {
        self.0.random_range(from..to)
    }

    /// True `percent` times of a hundred.
    pub(crate) fn percent(&mut self, percent: u32) -> bool {
        self.0.random_range(0..100) < percent
    }

    pub(crate) fn index(&mut self, len: usize) -> usize {
        self.0.random_range(0..len)
    }

    /// A number that is small more often than large: each power of two below `bound` is as likely as any other.
    pub(crate) fn skewed(&mut self, bound: u64) -> u64 {
        let bits = self.0.random_range(0..=bound.ilog2());
        self.0.random_range(0..=1u64 << bits).min(bound)
    }
}
