//! Ciphertext blobs of symmetric keys: they name their key and material, so that `Decrypt` needs no key id.
//!
//! A blob is a version (1), flags (bit 0: a key of several regions), the account in six bytes, the sixteen bytes of the
//! key's id, the 32 of the material's, sixteen of salt, twelve of nonce, the ciphertext and its tag of sixteen bytes.
//! All before the ciphertext is additional data, and so is the encryption context. Salt and material make the key of
//! this one blob, so that no number of blobs wears a key out.

use std::collections::BTreeMap;

use fogbank_core::seal::{NONCE_BYTES, TAG_BYTES};

use super::names;

const VERSION: u8 = 1;
const MULTI_REGION: u8 = 1;
/// Bytes of the salt.
pub(crate) const SALT_BYTES: usize = 16;
/// Bytes before the ciphertext.
pub(crate) const HEAD_BYTES: usize = 2 + 6 + 16 + 32 + SALT_BYTES + NONCE_BYTES;

/// What a blob says of its key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Head {
    pub(crate) account: String,
    pub(crate) key_id: String,
    /// The material's id: 64 hexadecimal digits.
    pub(crate) material: String,
    pub(crate) salt: [u8; SALT_BYTES],
    pub(crate) nonce: [u8; NONCE_BYTES],
}

impl Head {
    /// The bytes before the ciphertext; `None` if an id is none of ours.
    pub(crate) fn encode(&self) -> Option<Vec<u8>> {
        let (is_multi_region, id) = names::id_bytes(&self.key_id)?;
        let account: u64 = self.account.parse().ok()?;
        let mut material = [0; 32];
        hex::decode_to_slice(&self.material, &mut material).ok()?;
        let mut bytes = Vec::with_capacity(HEAD_BYTES);
        bytes.extend([VERSION, if is_multi_region { MULTI_REGION } else { 0 }]);
        bytes.extend(&account.to_be_bytes()[2..]);
        bytes.extend(id);
        bytes.extend(material);
        bytes.extend(self.salt);
        bytes.extend(self.nonce);
        Some(bytes)
    }

    /// Takes a blob apart: what it says, the bytes that say it, and the ciphertext with its tag.
    pub(crate) fn parse(blob: &[u8]) -> Option<(Head, &[u8], &[u8])> {
        let (head, rest) = blob.split_at_checked(HEAD_BYTES)?;
        let (version, fields) = head.split_first_chunk::<2>()?;
        if version[0] != VERSION || version[1] > MULTI_REGION || rest.len() < TAG_BYTES {
            return None;
        }
        let (account, fields) = fields.split_first_chunk::<6>()?;
        let (id, fields) = fields.split_first_chunk::<16>()?;
        let (material, fields) = fields.split_first_chunk::<32>()?;
        let (salt, nonce) = fields.split_first_chunk::<SALT_BYTES>()?;
        let account = account.iter().fold(0, |sum, byte| (sum << 8) | u64::from(*byte));
        let parsed = Head {
            account: format!("{account:012}"),
            key_id: names::id_of_bytes(version[1] == MULTI_REGION, id),
            material: hex::encode(material),
            salt: *salt,
            nonce: nonce.try_into().ok()?,
        };
        Some((parsed, head, rest))
    }
}

/// The additional data of a blob: its head and the encryption context, whose pairs have one order and clear borders.
pub(crate) fn additional_data(head: &[u8], context: Option<&BTreeMap<String, String>>) -> Vec<u8> {
    let mut data = head.to_vec();
    for (key, value) in context.into_iter().flatten() {
        for text in [key, value] {
            data.extend((text.len() as u64).to_be_bytes());
            data.extend(text.as_bytes());
        }
    }
    data
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn says_what_was_written() {
        for key_id in
            ["1234abcd-12ab-34cd-56ef-1234567890ab", "mrk-1234abcd12ab34cd56ef1234567890ab"]
        {
            let head = Head {
                account: "001122223333".to_owned(),
                key_id: key_id.to_owned(),
                material: "ab".repeat(32),
                salt: [1; SALT_BYTES],
                nonce: [2; NONCE_BYTES],
            };
            let mut blob = head.encode().expect("a head");
            assert_eq!(blob.len(), HEAD_BYTES);
            blob.extend([9; 20]);
            let (parsed, bytes, rest) = Head::parse(&blob).expect("a blob");
            assert_eq!((parsed, bytes.len(), rest), (head, HEAD_BYTES, &[9; 20][..]));
            for cut in 0..HEAD_BYTES + TAG_BYTES {
                assert!(Head::parse(&blob[..cut]).is_none());
            }
            blob[0] = 9;
            assert!(Head::parse(&blob).is_none());
        }
    }

    #[test]
    fn contexts_that_differ_have_different_data() {
        let context = |pairs: &[(&str, &str)]| {
            let pairs = pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned()));
            additional_data(b"", Some(&pairs.collect()))
        };
        assert_ne!(context(&[("ab", "c")]), context(&[("a", "bc")]));
        assert_eq!(context(&[("a", "1"), ("b", "2")]), context(&[("b", "2"), ("a", "1")]));
        assert_eq!(context(&[]), additional_data(b"", None));
    }
}
