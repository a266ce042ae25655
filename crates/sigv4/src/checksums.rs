//! The checksums that S3 takes in `x-amz-checksum-*` headers and trailers, computed incrementally.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sha1::Sha1;
use sha2::{Digest, Sha256};

/// A checksum algorithm of S3.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Algorithm {
    /// CRC-32 as in Ethernet and zip.
    Crc32,
    /// CRC-32C, Castagnoli's.
    Crc32c,
    /// CRC-64/NVME, which S3 computes when the client states none.
    Crc64Nvme,
    /// SHA-1.
    Sha1,
    /// SHA-256.
    Sha256,
}

impl Algorithm {
    /// All of them, in the order of S3's documentation.
    pub const ALL: [Self; 5] =
        [Self::Crc32, Self::Crc32c, Self::Crc64Nvme, Self::Sha1, Self::Sha256];

    /// The header or trailer that carries it, such as `x-amz-checksum-crc32`.
    pub fn header_name(self) -> &'static str {
        match self {
            Self::Crc32 => "x-amz-checksum-crc32",
            Self::Crc32c => "x-amz-checksum-crc32c",
            Self::Crc64Nvme => "x-amz-checksum-crc64nvme",
            Self::Sha1 => "x-amz-checksum-sha1",
            Self::Sha256 => "x-amz-checksum-sha256",
        }
    }

    /// The value of `x-amz-sdk-checksum-algorithm` and of the API's `ChecksumAlgorithm`, such as `CRC32`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Crc32 => "CRC32",
            Self::Crc32c => "CRC32C",
            Self::Crc64Nvme => "CRC64NVME",
            Self::Sha1 => "SHA1",
            Self::Sha256 => "SHA256",
        }
    }

    /// The algorithm of a header or trailer, in any case.
    pub fn from_header_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|algorithm| name.eq_ignore_ascii_case(algorithm.header_name()))
    }

    /// The algorithm of a `ChecksumAlgorithm`, in any case.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|algorithm| name.eq_ignore_ascii_case(algorithm.name()))
    }

    /// How many bytes a checksum has before base64.
    pub fn byte_len(self) -> usize {
        match self {
            Self::Crc32 | Self::Crc32c => 4,
            Self::Crc64Nvme => 8,
            Self::Sha1 => 20,
            Self::Sha256 => 32,
        }
    }

    /// Whether a text is the base64 of a checksum of this algorithm. S3 refuses other values before it compares.
    pub fn is_valid(self, base64: &str) -> bool {
        STANDARD.decode(base64).is_ok_and(|bytes| bytes.len() == self.byte_len())
    }
}

/// A checksum in the making.
#[derive(Clone)]
pub struct Hasher {
    algorithm: Algorithm,
    state: State,
}

#[derive(Clone)]
enum State {
    Crc(crc_fast::Digest),
    Sha1(Sha1),
    Sha256(Sha256),
}

impl Hasher {
    /// Starts a checksum.
    pub fn new(algorithm: Algorithm) -> Self {
        use crc_fast::CrcAlgorithm::{Crc32Iscsi, Crc32IsoHdlc, Crc64Nvme};
        let crc = |variant| State::Crc(crc_fast::Digest::new(variant));
        let state = match algorithm {
            Algorithm::Crc32 => crc(Crc32IsoHdlc),
            Algorithm::Crc32c => crc(Crc32Iscsi),
            Algorithm::Crc64Nvme => crc(Crc64Nvme),
            Algorithm::Sha1 => State::Sha1(Sha1::new()),
            Algorithm::Sha256 => State::Sha256(Sha256::new()),
        };
        Self { algorithm, state }
    }

    /// What is computed.
    pub fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// Takes the next bytes.
    pub fn update(&mut self, bytes: &[u8]) {
        match &mut self.state {
            State::Crc(digest) => digest.update(bytes),
            State::Sha1(digest) => digest.update(bytes),
            State::Sha256(digest) => digest.update(bytes),
        }
    }

    /// The checksum's bytes, a CRC's in big-endian order.
    pub fn finish(self) -> Vec<u8> {
        match self.state {
            State::Crc(digest) => {
                digest.finalize().to_be_bytes()[8 - self.algorithm.byte_len()..].to_vec()
            }
            State::Sha1(digest) => digest.finalize().to_vec(),
            State::Sha256(digest) => digest.finalize().to_vec(),
        }
    }

    /// The checksum as headers carry it.
    pub fn finish_base64(self) -> String {
        STANDARD.encode(self.finish())
    }
}

impl std::fmt::Debug for Hasher {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Hasher").field(&self.algorithm).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn checksum(algorithm: Algorithm, parts: &[&[u8]]) -> String {
        let mut hasher = Hasher::new(algorithm);
        parts.iter().for_each(|part| hasher.update(part));
        hasher.finish_base64()
    }

    #[test]
    fn the_check_values_of_the_catalogues_come_out() {
        // CRC catalogue: CRC-32/ISO-HDLC cbf43926, CRC-32/ISCSI e3069283, CRC-64/NVME ae8b14860a799888.
        for (algorithm, expected) in [
            (Algorithm::Crc32, "cbf43926"),
            (Algorithm::Crc32c, "e3069283"),
            (Algorithm::Crc64Nvme, "ae8b14860a799888"),
            (Algorithm::Sha1, "f7c3bc1d808e04732adf679965ccc34ca7ae3441"),
            (Algorithm::Sha256, "15e2b0d3c33891ebb0f1ef609ec419420c20e320ce94c65fbc8c3312448eb225"),
        ] {
            let mut hasher = Hasher::new(algorithm);
            hasher.update(b"123456789");
            let bytes = hasher.finish();
            assert_eq!(hex::encode(&bytes), expected);
            assert_eq!(bytes.len(), algorithm.byte_len());
        }
    }

    #[test]
    fn pieces_make_the_same_checksum_as_the_whole() {
        let data: Vec<u8> = (0..100_000u32).map(|n| (n % 251) as u8).collect();
        for algorithm in Algorithm::ALL {
            let whole = checksum(algorithm, &[&data]);
            let (head, tail) = data.split_at(777);
            assert_eq!(checksum(algorithm, &[head, b"", tail]), whole);
            assert!(algorithm.is_valid(&whole));
            assert_eq!(Algorithm::from_header_name(algorithm.header_name()), Some(algorithm));
            assert_eq!(Algorithm::from_name(&algorithm.name().to_lowercase()), Some(algorithm));
        }
    }

    #[test]
    fn values_of_the_wrong_length_or_alphabet_are_invalid() {
        assert!(Algorithm::Crc32.is_valid("y/Q5Jg=="));
        for value in ["", "y/Q5", "y/Q5Jg", "y_Q5Jg==", "AAAAAAAAAAA="] {
            assert!(!Algorithm::Crc32.is_valid(value), "{value}");
        }
        assert_eq!(Algorithm::from_header_name("x-amz-checksum-md5"), None);
    }
}
