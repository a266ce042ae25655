//! The checksum algorithms of S3: their names, the texts of their values, and their computation piece by piece.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use crc_fast::CrcAlgorithm::{Crc32Iscsi, Crc32IsoHdlc, Crc64Nvme};
use serde::{Deserialize, Serialize};
use sha1::Digest as _;
use xxhash_rust::xxh3::Xxh3;
use xxhash_rust::xxh64::Xxh64;

/// A checksum algorithm of S3. The order is the format on disk: a new one comes last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Algorithm {
    /// CRC-32 as in zip.
    Crc32,
    /// CRC-32C, Castagnoli's.
    Crc32c,
    /// CRC-64/NVME, which S3 computes when the client names none.
    Crc64Nvme,
    /// SHA-1.
    Sha1,
    /// SHA-256.
    Sha256,
    /// SHA-512.
    Sha512,
    /// MD5, as a checksum beside the ETag.
    Md5,
    /// XXH64 with the seed 0.
    XxHash64,
    /// XXH3 of 64 bits with the seed 0.
    XxHash3,
    /// XXH3 of 128 bits with the seed 0.
    XxHash128,
}

/// The header or trailer that carries a checksum, before the algorithm.
const HEADER_PREFIX: &str = "x-amz-checksum-";

impl Algorithm {
    /// All of them, in the order in which S3 enumerates them.
    pub const ALL: [Algorithm; 10] = [
        Algorithm::Crc32,
        Algorithm::Crc32c,
        Algorithm::Crc64Nvme,
        Algorithm::Md5,
        Algorithm::Sha1,
        Algorithm::Sha256,
        Algorithm::Sha512,
        Algorithm::XxHash128,
        Algorithm::XxHash3,
        Algorithm::XxHash64,
    ];

    /// The value of `ChecksumAlgorithm`, such as `CRC32`.
    pub fn name(self) -> &'static str {
        match self {
            Algorithm::Crc32 => "CRC32",
            Algorithm::Crc32c => "CRC32C",
            Algorithm::Crc64Nvme => "CRC64NVME",
            Algorithm::Sha1 => "SHA1",
            Algorithm::Sha256 => "SHA256",
            Algorithm::Sha512 => "SHA512",
            Algorithm::Md5 => "MD5",
            Algorithm::XxHash64 => "XXHASH64",
            Algorithm::XxHash3 => "XXHASH3",
            Algorithm::XxHash128 => "XXHASH128",
        }
    }

    /// The name in error messages and header names, such as `crc32`.
    pub fn lower_name(self) -> String {
        self.name().to_ascii_lowercase()
    }

    /// The algorithm of a `ChecksumAlgorithm`, in any case.
    pub fn from_name(name: &str) -> Option<Algorithm> {
        Algorithm::ALL.into_iter().find(|algorithm| name.eq_ignore_ascii_case(algorithm.name()))
    }

    /// What S3 says of a name that is no algorithm's.
    pub fn unsupported() -> String {
        let known = Algorithm::ALL.map(Algorithm::name).join(", ");
        format!(
            "Checksum algorithm provided is unsupported. Please try again with any of the valid types: [{known}]"
        )
    }

    /// The algorithm of a header or trailer such as `x-amz-checksum-crc32`, in any case.
    pub fn from_header(name: &str) -> Option<Algorithm> {
        Algorithm::from_name(value_header(name)?)
    }

    /// How many bytes a checksum has before base64.
    pub fn byte_len(self) -> usize {
        match self {
            Algorithm::Crc32 | Algorithm::Crc32c => 4,
            Algorithm::Crc64Nvme | Algorithm::XxHash64 | Algorithm::XxHash3 => 8,
            Algorithm::Md5 | Algorithm::XxHash128 => 16,
            Algorithm::Sha1 => 20,
            Algorithm::Sha256 => 32,
            Algorithm::Sha512 => 64,
        }
    }

    /// Whether the checksum of a whole can be had from those of its parts, as with CRCs alone.
    pub fn combines(self) -> bool {
        self.crc().is_some()
    }

    fn crc(self) -> Option<crc_fast::CrcAlgorithm> {
        match self {
            Algorithm::Crc32 => Some(Crc32IsoHdlc),
            Algorithm::Crc32c => Some(Crc32Iscsi),
            Algorithm::Crc64Nvme => Some(Crc64Nvme),
            _ => None,
        }
    }

    /// Reads a checksum in base64, if it is one of this algorithm.
    pub fn parse(self, base64: &str) -> Option<Vec<u8>> {
        STANDARD.decode(base64).ok().filter(|bytes| bytes.len() == self.byte_len())
    }

    /// The checksum of bytes in memory.
    pub fn of(self, bytes: &[u8]) -> Vec<u8> {
        let mut hasher = Hasher::new(self);
        hasher.update(bytes);
        hasher.finish()
    }

    /// The checksum of the whole from those of its parts and their lengths in bytes; nothing unless it
    /// [combines](Algorithm::combines).
    pub fn combined<'a>(self, parts: impl Iterator<Item = (&'a [u8], u64)>) -> Option<Vec<u8>> {
        let crc = self.crc()?;
        let mut whole = crc_fast::checksum(crc, b"");
        for (value, len) in parts {
            whole = crc_fast::checksum_combine(crc, whole, number(value), len);
        }
        Some(self.crc_bytes(whole))
    }

    fn crc_bytes(self, crc: u64) -> Vec<u8> {
        crc.to_be_bytes()[8 - self.byte_len().min(8)..].to_vec()
    }
}

/// What follows `x-amz-checksum-` in the name of a header that carries a checksum, whether or not it is an algorithm's.
pub fn value_header(name: &str) -> Option<&str> {
    let (prefix, rest) = name.split_at_checked(HEADER_PREFIX.len())?;
    if !prefix.eq_ignore_ascii_case(HEADER_PREFIX) {
        return None;
    }
    let says_how = ["algorithm", "mode", "type"].iter().any(|how| rest.eq_ignore_ascii_case(how));
    (!says_how).then_some(rest)
}

/// The number whose bytes, the most significant first, a checksum of up to 64 bits is.
pub fn number(value: &[u8]) -> u64 {
    value.iter().fold(0, |number, byte| number << 8 | u64::from(*byte))
}

/// A checksum in the making.
pub struct Hasher {
    algorithm: Algorithm,
    state: State,
}

enum State {
    Crc(crc_fast::Digest),
    Md5(md5::Md5),
    Sha1(sha1::Sha1),
    Sha256(sha2::Sha256),
    Sha512(sha2::Sha512),
    XxHash64(Xxh64),
    // Its state is half a KiB.
    XxHash3(Box<Xxh3>),
    XxHash128(Box<Xxh3>),
}

impl Hasher {
    /// Starts a checksum.
    pub fn new(algorithm: Algorithm) -> Hasher {
        let crc = |variant| State::Crc(crc_fast::Digest::new(variant));
        let state = match algorithm {
            Algorithm::Crc32 => crc(Crc32IsoHdlc),
            Algorithm::Crc32c => crc(Crc32Iscsi),
            Algorithm::Crc64Nvme => crc(Crc64Nvme),
            Algorithm::Md5 => State::Md5(md5::Md5::default()),
            Algorithm::Sha1 => State::Sha1(sha1::Sha1::default()),
            Algorithm::Sha256 => State::Sha256(sha2::Sha256::default()),
            Algorithm::Sha512 => State::Sha512(sha2::Sha512::default()),
            Algorithm::XxHash64 => State::XxHash64(Xxh64::new(0)),
            Algorithm::XxHash3 => State::XxHash3(Box::new(Xxh3::new())),
            Algorithm::XxHash128 => State::XxHash128(Box::new(Xxh3::new())),
        };
        Hasher { algorithm, state }
    }

    /// What is computed.
    pub fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// Takes the next bytes.
    pub fn update(&mut self, bytes: &[u8]) {
        match &mut self.state {
            State::Crc(digest) => digest.update(bytes),
            State::Md5(digest) => digest.update(bytes),
            State::Sha1(digest) => digest.update(bytes),
            State::Sha256(digest) => digest.update(bytes),
            State::Sha512(digest) => digest.update(bytes),
            State::XxHash64(digest) => digest.update(bytes),
            State::XxHash3(digest) | State::XxHash128(digest) => digest.update(bytes),
        }
    }

    /// The checksum's bytes; those of a number, as a CRC or an XXH is, with the most significant first: the canonical form of
    /// XXH's specification, which the AWS Common Runtime sends.
    pub fn finish(self) -> Vec<u8> {
        match self.state {
            State::Crc(digest) => self.algorithm.crc_bytes(digest.finalize()),
            State::Md5(digest) => digest.finalize().to_vec(),
            State::Sha1(digest) => digest.finalize().to_vec(),
            State::Sha256(digest) => digest.finalize().to_vec(),
            State::Sha512(digest) => digest.finalize().to_vec(),
            State::XxHash64(digest) => digest.digest().to_be_bytes().to_vec(),
            State::XxHash3(digest) => digest.digest().to_be_bytes().to_vec(),
            State::XxHash128(digest) => digest.digest128().to_be_bytes().to_vec(),
        }
    }
}

impl std::fmt::Debug for Hasher {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Hasher").field(&self.algorithm).finish()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn known_values_come_out() {
        // CRC catalogue, the FIPS examples, and of XXH what the AWS Common Runtime makes, all over "123456789".
        for (algorithm, expected) in [
            (Algorithm::Crc32, "cbf43926"),
            (Algorithm::Crc32c, "e3069283"),
            (Algorithm::Crc64Nvme, "ae8b14860a799888"),
            (Algorithm::Md5, "25f9e794323b453885f5181f1b624d0b"),
            (Algorithm::Sha1, "f7c3bc1d808e04732adf679965ccc34ca7ae3441"),
            (Algorithm::Sha256, "15e2b0d3c33891ebb0f1ef609ec419420c20e320ce94c65fbc8c3312448eb225"),
            (
                Algorithm::Sha512,
                "d9e6762dd1c8eaf6d61b3c6192fc408d4d6d5f1176d0c29169bc24e71c3f274a\
                 d27fcd5811b313d681f7e55ec02d73d499c95455b6b5bb503acf574fba8ffe85",
            ),
            (Algorithm::XxHash64, "8cb841db40e6ae83"),
            (Algorithm::XxHash3, "72dcb18b67a17dff"),
            (Algorithm::XxHash128, "33119477ede5dcd5e9716427681d5860"),
        ] {
            let value = algorithm.of(b"123456789");
            assert_eq!(hex::encode(&value), expected);
            assert_eq!(value.len(), algorithm.byte_len());
            assert_eq!(Algorithm::from_name(&algorithm.lower_name()), Some(algorithm));
        }
    }

    #[test]
    fn the_values_of_the_specification_of_xxhash_come_out() {
        // Of no bytes, as the specification and the reference's own checks have them.
        for (algorithm, expected) in [
            (Algorithm::XxHash64, "ef46db3751d8e999"),
            (Algorithm::XxHash3, "2d06800538d394c2"),
            (Algorithm::XxHash128, "99aa06d3014798d86001c324468d497f"),
        ] {
            assert_eq!(hex::encode(algorithm.of(b"")), expected);
        }
    }

    #[test]
    fn crcs_of_parts_combine_to_that_of_the_whole() {
        let data: Vec<u8> = (0..100_000u32).map(|n| (n % 251) as u8).collect();
        for algorithm in Algorithm::ALL {
            let parts: Vec<&[u8]> = vec![&data[..777], &data[777..777], &data[777..]];
            let values: Vec<_> = parts.iter().map(|part| algorithm.of(part)).collect();
            let lens = parts.iter().map(|part| part.len() as u64);
            let whole = algorithm.combined(values.iter().map(Vec::as_slice).zip(lens));
            assert_eq!(whole.is_some(), algorithm.combines());
            if let Some(whole) = whole {
                assert_eq!(whole, algorithm.of(&data));
            }
        }
    }

    #[test]
    fn names_and_values_are_checked() {
        assert_eq!(Algorithm::from_header("X-Amz-Checksum-CRC32C"), Some(Algorithm::Crc32c));
        assert_eq!(Algorithm::from_header("x-amz-checksum-xxhash3"), Some(Algorithm::XxHash3));
        for name in ["x-amz-checksum-type", "x-amz-checksum-xxhash", "x-amz-checksum-", "etag"] {
            assert_eq!(Algorithm::from_header(name), None, "{name}");
        }
        assert_eq!(value_header("x-amz-checksum-CRC16"), Some("CRC16"));
        assert_eq!(value_header("x-amz-checksum-Mode"), None);
        assert_eq!(value_header("x-amz-meta-checksum-md5"), None);
        assert!(Algorithm::Crc32.parse("y/Q5Jg==").is_some());
        for value in ["", "y/Q5", "y/Q5Jg", "y_Q5Jg==", "AAAAAAAAAAA="] {
            assert!(Algorithm::Crc32.parse(value).is_none(), "{value}");
        }
    }

    proptest! {
        #[test]
        fn what_is_read_is_written_alike(value in "[A-Za-z0-9+/_-]{0,90}={0,2}") {
            for algorithm in Algorithm::ALL {
                if let Some(bytes) = algorithm.parse(&value) {
                    prop_assert_eq!(bytes.len(), algorithm.byte_len());
                    prop_assert_eq!(&STANDARD.encode(bytes), &value);
                }
            }
        }

        #[test]
        fn pieces_make_the_checksum_of_the_whole(
            data in proptest::collection::vec(any::<u8>(), 0..5_000),
            cuts in proptest::collection::vec(0usize..5_000, 0..6),
        ) {
            let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| cut.min(data.len())).collect();
            cuts.sort_unstable();
            cuts.push(data.len());
            for algorithm in Algorithm::ALL {
                let mut hasher = Hasher::new(algorithm);
                let mut from = 0;
                for cut in &cuts {
                    hasher.update(&data[from..*cut]);
                    from = *cut;
                }
                prop_assert_eq!(hasher.finish(), algorithm.of(&data));
            }
        }
    }
}
