//! Identifiers and chance.

use parking_lot::Mutex;
use rand::rngs::StdRng;
use rand::{Rng, RngCore, SeedableRng};

/// The source of every identifier and random number in the cloud.
#[derive(Debug, Default)]
pub struct Ids(Option<Mutex<StdRng>>);

const UPPER: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
const LOWER: &[u8] = b"abcdefghijklmnopqrstuvwxyz0123456789";
const MIXED: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";

impl Ids {
    /// Identifiers that nobody can foresee.
    pub fn random() -> Ids {
        Ids(None)
    }

    /// Identifiers that repeat with the seed, for tests and simulations.
    pub fn seeded(seed: u64) -> Ids {
        Ids(Some(Mutex::new(StdRng::seed_from_u64(seed))))
    }

    /// Fills `bytes` at random.
    pub fn fill(&self, bytes: &mut [u8]) {
        match &self.0 {
            Some(seeded) => seeded.lock().fill_bytes(bytes),
            None => rand::rng().fill_bytes(bytes),
        }
    }

    /// A random number.
    pub fn number(&self) -> u64 {
        let mut bytes = [0; 8];
        self.fill(&mut bytes);
        u64::from_le_bytes(bytes)
    }

    /// A random number below `bound` (which must not be zero).
    pub fn below(&self, bound: u64) -> u64 {
        match &self.0 {
            Some(seeded) => seeded.lock().random_range(0..bound),
            None => rand::rng().random_range(0..bound),
        }
    }

    /// A version 4 UUID with hyphens.
    pub fn uuid(&self) -> String {
        let mut bytes = [0; 16];
        self.fill(&mut bytes);
        let uuid = uuid::Builder::from_random_bytes(bytes).into_uuid();
        uuid.hyphenated().encode_lower(&mut uuid::Uuid::encode_buffer()).to_owned()
    }

    /// `count` lower-case hexadecimal digits.
    pub fn hex(&self, count: usize) -> String {
        self.pick(b"0123456789abcdef", count)
    }

    /// `count` capital letters and digits of base 32, as in access key ids.
    pub fn upper(&self, count: usize) -> String {
        self.pick(UPPER, count)
    }

    /// `count` lower-case letters and digits, as in API ids.
    pub fn lower(&self, count: usize) -> String {
        self.pick(LOWER, count)
    }

    /// `count` letters and digits, as in secrets.
    pub fn mixed(&self, count: usize) -> String {
        self.pick(MIXED, count)
    }

    fn pick(&self, alphabet: &[u8], count: usize) -> String {
        (0..count).map(|_| alphabet[self.below(alphabet.len() as u64) as usize] as char).collect()
    }
}
