//! The checksums that S3 computes over objects and parts.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use crc_fast::CrcAlgorithm::{Crc32Iscsi, Crc32IsoHdlc, Crc64Nvme};
use serde::{Deserialize, Serialize};
use sha1::Digest as _;

/// A checksum algorithm of S3. The order is the format on disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Algorithm {
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
}

impl Algorithm {
    pub(crate) const ALL: [Algorithm; 7] = [
        Algorithm::Crc32,
        Algorithm::Crc32c,
        Algorithm::Crc64Nvme,
        Algorithm::Sha1,
        Algorithm::Sha256,
        Algorithm::Sha512,
        Algorithm::Md5,
    ];

    /// The value of `ChecksumAlgorithm`, such as `CRC32`.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Algorithm::Crc32 => "CRC32",
            Algorithm::Crc32c => "CRC32C",
            Algorithm::Crc64Nvme => "CRC64NVME",
            Algorithm::Sha1 => "SHA1",
            Algorithm::Sha256 => "SHA256",
            Algorithm::Sha512 => "SHA512",
            Algorithm::Md5 => "MD5",
        }
    }

    /// The name in error messages and header names, such as `crc32`.
    pub(crate) fn lower_name(self) -> String {
        self.name().to_ascii_lowercase()
    }

    /// The algorithm of a `ChecksumAlgorithm`, in any case.
    pub(crate) fn from_name(name: &str) -> Option<Algorithm> {
        Algorithm::ALL.into_iter().find(|algorithm| name.eq_ignore_ascii_case(algorithm.name()))
    }

    /// The algorithm of a header or trailer such as `x-amz-checksum-crc32`.
    pub(crate) fn from_header(name: &str) -> Option<Algorithm> {
        let (prefix, rest) = name.split_at_checked("x-amz-checksum-".len())?;
        if prefix.eq_ignore_ascii_case("x-amz-checksum-") {
            Algorithm::from_name(rest)
        } else {
            None
        }
    }

    /// How many bytes a checksum has.
    pub(crate) fn byte_len(self) -> usize {
        match self {
            Algorithm::Crc32 | Algorithm::Crc32c => 4,
            Algorithm::Crc64Nvme => 8,
            Algorithm::Md5 => 16,
            Algorithm::Sha1 => 20,
            Algorithm::Sha256 => 32,
            Algorithm::Sha512 => 64,
        }
    }

    /// The parameters of a CRC, whose checksums of parts combine to that of the whole.
    fn crc(self) -> Option<crc_fast::CrcAlgorithm> {
        match self {
            Algorithm::Crc32 => Some(Crc32IsoHdlc),
            Algorithm::Crc32c => Some(Crc32Iscsi),
            Algorithm::Crc64Nvme => Some(Crc64Nvme),
            _ => None,
        }
    }

    /// Whether the checksum of an object can be had from those of its parts.
    pub(crate) fn combines(self) -> bool {
        self.crc().is_some()
    }

    /// Reads a checksum in base64, if it is one of this algorithm.
    pub(crate) fn parse(self, base64: &str) -> Option<Vec<u8>> {
        STANDARD.decode(base64).ok().filter(|bytes| bytes.len() == self.byte_len())
    }

    /// The checksum of bytes in memory.
    pub(crate) fn of(self, bytes: &[u8]) -> Vec<u8> {
        let mut hasher = Hasher::new(self);
        hasher.update(bytes);
        hasher.finish()
    }

    fn crc_bytes(self, crc: u64) -> Vec<u8> {
        crc.to_be_bytes()[8 - self.byte_len().min(8)..].to_vec()
    }
}

/// A checksum in the making.
pub(crate) struct Hasher {
    algorithm: Algorithm,
    state: State,
}

enum State {
    Crc(crc_fast::Digest),
    Md5(md5::Md5),
    Sha1(sha1::Sha1),
    Sha256(sha2::Sha256),
    Sha512(sha2::Sha512),
}

impl Hasher {
    pub(crate) fn new(algorithm: Algorithm) -> Hasher {
        let crc = |variant| State::Crc(crc_fast::Digest::new(variant));
        let state = match algorithm {
            Algorithm::Crc32 => crc(Crc32IsoHdlc),
            Algorithm::Crc32c => crc(Crc32Iscsi),
            Algorithm::Crc64Nvme => crc(Crc64Nvme),
            Algorithm::Md5 => State::Md5(md5::Md5::default()),
            Algorithm::Sha1 => State::Sha1(sha1::Sha1::default()),
            Algorithm::Sha256 => State::Sha256(sha2::Sha256::default()),
            Algorithm::Sha512 => State::Sha512(sha2::Sha512::default()),
        };
        Hasher { algorithm, state }
    }

    pub(crate) fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    pub(crate) fn update(&mut self, bytes: &[u8]) {
        match &mut self.state {
            State::Crc(digest) => digest.update(bytes),
            State::Md5(digest) => digest.update(bytes),
            State::Sha1(digest) => digest.update(bytes),
            State::Sha256(digest) => digest.update(bytes),
            State::Sha512(digest) => digest.update(bytes),
        }
    }

    pub(crate) fn finish(self) -> Vec<u8> {
        match self.state {
            State::Crc(digest) => self.algorithm.crc_bytes(digest.finalize()),
            State::Md5(digest) => digest.finalize().to_vec(),
            State::Sha1(digest) => digest.finalize().to_vec(),
            State::Sha256(digest) => digest.finalize().to_vec(),
            State::Sha512(digest) => digest.finalize().to_vec(),
        }
    }
}

/// The checksum of an object or part.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Checksum {
    pub(crate) algorithm: Algorithm,
    /// Whether it is a checksum of the parts' checksums.
    pub(crate) is_composite: bool,
    pub(crate) value: Vec<u8>,
}

impl Checksum {
    /// A checksum of all bytes.
    pub(crate) fn full(algorithm: Algorithm, value: Vec<u8>) -> Checksum {
        Checksum { algorithm, is_composite: false, value }
    }

    /// The default checksum, which the store has computed already.
    pub(crate) fn crc64nvme(crc: u64) -> Checksum {
        Checksum::full(Algorithm::Crc64Nvme, crc.to_be_bytes().to_vec())
    }

    /// The text on the wire; `parts` is the number of the object's parts.
    pub(crate) fn text(&self, parts: u16) -> String {
        let value = STANDARD.encode(&self.value);
        if self.is_composite { format!("{value}-{parts}") } else { value }
    }

    /// The value of `ChecksumType`.
    pub(crate) fn type_name(&self) -> &'static str {
        type_name(self.is_composite)
    }
}

/// The value of `ChecksumType`.
pub(crate) fn type_name(is_composite: bool) -> &'static str {
    if is_composite { "COMPOSITE" } else { "FULL_OBJECT" }
}

/// The checksum of the parts' checksums.
pub(crate) fn composite<'a>(
    algorithm: Algorithm,
    parts: impl Iterator<Item = &'a [u8]>,
) -> Checksum {
    let mut hasher = Hasher::new(algorithm);
    parts.for_each(|part| hasher.update(part));
    Checksum { algorithm, is_composite: true, value: hasher.finish() }
}

/// The checksum of the whole from those of its parts and their lengths; nothing for hashes.
pub(crate) fn combined<'a>(
    algorithm: Algorithm,
    parts: impl Iterator<Item = (&'a [u8], u64)>,
) -> Option<Checksum> {
    let crc = algorithm.crc()?;
    let mut whole = crc_fast::checksum(crc, b"");
    for (value, len) in parts {
        whole = crc_fast::checksum_combine(crc, whole, number(value), len);
    }
    Some(Checksum::full(algorithm, algorithm.crc_bytes(whole)))
}

/// The number whose bytes, the most significant first, a checksum is.
pub(crate) fn number(value: &[u8]) -> u64 {
    value.iter().fold(0, |number, byte| number << 8 | u64::from(*byte))
}

/// A generated structure with a member for each algorithm's checksum.
pub(crate) trait Checksums {
    /// The checksums that are there, by the algorithm's name. The name need not be one that is supported.
    fn checksums(&self) -> Vec<(&'static str, &str)>;
    /// Sets the algorithm's member.
    fn set_checksum(&mut self, algorithm: Algorithm, text: String);
}

macro_rules! checksums {
    ($($shape:ident)*) => {$(
        impl Checksums for crate::model::$shape {
            fn checksums(&self) -> Vec<(&'static str, &str)> {
                [
                    ("CRC32", &self.checksum_crc32),
                    ("CRC32C", &self.checksum_crc32_c),
                    ("CRC64NVME", &self.checksum_crc64_nvme),
                    ("SHA1", &self.checksum_sha1),
                    ("SHA256", &self.checksum_sha256),
                    ("SHA512", &self.checksum_sha512),
                    ("MD5", &self.checksum_md5),
                    ("XXHASH64", &self.checksum_xxhash64),
                    ("XXHASH3", &self.checksum_xxhash3),
                    ("XXHASH128", &self.checksum_xxhash128),
                ]
                .into_iter()
                .filter_map(|(name, value)| Some((name, value.as_deref()?)))
                .collect()
            }

            fn set_checksum(&mut self, algorithm: Algorithm, text: String) {
                let member = match algorithm {
                    Algorithm::Crc32 => &mut self.checksum_crc32,
                    Algorithm::Crc32c => &mut self.checksum_crc32_c,
                    Algorithm::Crc64Nvme => &mut self.checksum_crc64_nvme,
                    Algorithm::Sha1 => &mut self.checksum_sha1,
                    Algorithm::Sha256 => &mut self.checksum_sha256,
                    Algorithm::Sha512 => &mut self.checksum_sha512,
                    Algorithm::Md5 => &mut self.checksum_md5,
                };
                *member = Some(text);
            }
        }
    )*};
}

checksums! {
    PutObjectInput PutObjectOutput UploadPartInput UploadPartOutput GetObjectOutput HeadObjectOutput
    CompleteMultipartUploadInput CompleteMultipartUploadOutput CompletedPart CopyObjectResult
    CopyPartResult Part ObjectPart Checksum PutObjectAnnotationInput PutObjectAnnotationOutput
    GetObjectAnnotationOutput
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_check_values_of_the_catalogues_come_out() {
        // CRC catalogue and the FIPS examples, all over "123456789".
        for (algorithm, expected) in [
            (Algorithm::Crc32, "cbf43926"),
            (Algorithm::Crc32c, "e3069283"),
            (Algorithm::Crc64Nvme, "ae8b14860a799888"),
            (Algorithm::Md5, "25f9e794323b453885f5181f1b624d0b"),
            (Algorithm::Sha1, "f7c3bc1d808e04732adf679965ccc34ca7ae3441"),
            (Algorithm::Sha256, "15e2b0d3c33891ebb0f1ef609ec419420c20e320ce94c65fbc8c3312448eb225"),
        ] {
            let value = algorithm.of(b"123456789");
            assert_eq!(hex::encode(&value), expected);
            assert_eq!(value.len(), algorithm.byte_len());
            assert_eq!(Algorithm::from_name(&algorithm.lower_name()), Some(algorithm));
        }
    }

    #[test]
    fn crcs_of_parts_combine_to_that_of_the_whole() {
        let data: Vec<u8> = (0..100_000u32).map(|n| (n % 251) as u8).collect();
        for algorithm in Algorithm::ALL {
            let parts: Vec<&[u8]> = vec![&data[..777], &data[777..777], &data[777..]];
            let values: Vec<_> = parts.iter().map(|part| algorithm.of(part)).collect();
            let lens = parts.iter().map(|part| part.len() as u64);
            let whole = combined(algorithm, values.iter().map(Vec::as_slice).zip(lens));
            assert_eq!(whole.is_some(), algorithm.combines());
            if let Some(whole) = whole {
                assert_eq!(whole.value, algorithm.of(&data));
            }
        }
    }

    #[test]
    fn names_and_values_are_checked() {
        assert_eq!(Algorithm::from_header("X-Amz-Checksum-CRC32C"), Some(Algorithm::Crc32c));
        assert_eq!(Algorithm::from_header("x-amz-checksum-type"), None);
        assert_eq!(Algorithm::from_header("etag"), None);
        assert!(Algorithm::Crc32.parse("y/Q5Jg==").is_some());
        for value in ["", "y/Q5", "y/Q5Jg", "y_Q5Jg==", "AAAAAAAAAAA="] {
            assert!(Algorithm::Crc32.parse(value).is_none(), "{value}");
        }
    }

    #[test]
    fn a_composite_names_the_number_of_parts() {
        let parts = [Algorithm::Crc32c.of(b"test content 123")];
        let whole = composite(Algorithm::Crc32c, parts.iter().map(Vec::as_slice));
        // As AWS answered for an upload of this one part.
        assert_eq!(whole.text(1), "sZB91Q==-1");
    }
}
