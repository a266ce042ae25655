//! The checksums that S3 keeps of objects and parts.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
pub(crate) use fogbank_checksums::{Algorithm, Hasher, number};
use serde::{Deserialize, Serialize};

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
    Some(Checksum::full(algorithm, algorithm.combined(parts)?))
}

/// A generated structure with a member for each algorithm's checksum.
pub(crate) trait Checksums {
    /// The checksums that are there.
    fn checksums(&self) -> Vec<(Algorithm, &str)>;
    /// Sets the algorithm's member.
    fn set_checksum(&mut self, algorithm: Algorithm, text: String);
}

macro_rules! checksums {
    ($($shape:ident)*) => {$(
        impl Checksums for crate::model::$shape {
            fn checksums(&self) -> Vec<(Algorithm, &str)> {
                [
                    (Algorithm::Crc32, &self.checksum_crc32),
                    (Algorithm::Crc32c, &self.checksum_crc32_c),
                    (Algorithm::Crc64Nvme, &self.checksum_crc64_nvme),
                    (Algorithm::Sha1, &self.checksum_sha1),
                    (Algorithm::Sha256, &self.checksum_sha256),
                    (Algorithm::Sha512, &self.checksum_sha512),
                    (Algorithm::Md5, &self.checksum_md5),
                    (Algorithm::XxHash64, &self.checksum_xxhash64),
                    (Algorithm::XxHash3, &self.checksum_xxhash3),
                    (Algorithm::XxHash128, &self.checksum_xxhash128),
                ]
                .into_iter()
                .filter_map(|(algorithm, value)| Some((algorithm, value.as_deref()?)))
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
                    Algorithm::XxHash64 => &mut self.checksum_xxhash64,
                    Algorithm::XxHash3 => &mut self.checksum_xxhash3,
                    Algorithm::XxHash128 => &mut self.checksum_xxhash128,
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
    fn a_composite_names_the_number_of_parts() {
        let parts = [Algorithm::Crc32c.of(b"test content 123")];
        let whole = composite(Algorithm::Crc32c, parts.iter().map(Vec::as_slice));
        // As AWS answered for an upload of this one part.
        assert_eq!(whole.text(1), "sZB91Q==-1");
    }
}
