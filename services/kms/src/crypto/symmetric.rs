//! Symmetric keys: AES-256-GCM under a key of each blob's own.

use std::collections::BTreeMap;

use aws_lc_rs::hmac;
use fogbank_core::Ids;
use fogbank_core::seal::{Key, NONCE_BYTES, Zeroizing};

use crate::rules::blob::{self, Head, SALT_BYTES};

/// What separates this use of a key's material from any other.
const LABEL: &[u8] = b"fogbank kms symmetric 1";

/// Encrypts under a key's material. The blob names both.
pub(crate) fn encrypt(
    ids: &Ids,
    (account, key_id, material): (&str, &str, &str),
    secret: &[u8],
    context: Option<&BTreeMap<String, String>>,
    plaintext: &[u8],
) -> Option<Vec<u8>> {
    let mut head = Head {
        account: account.to_owned(),
        key_id: key_id.to_owned(),
        material: material.to_owned(),
        salt: [0; SALT_BYTES],
        nonce: [0; NONCE_BYTES],
    };
    ids.fill(&mut head.salt);
    ids.fill(&mut head.nonce);
    let mut out = head.encode()?;
    let data = blob::additional_data(&out, context);
    let begins = out.len();
    out.extend_from_slice(plaintext);
    let tag = derived(secret, &head.salt).encrypt(head.nonce, &data, &mut out[begins..]);
    out.extend_from_slice(&tag);
    Some(out)
}

/// Decrypts a blob's ciphertext; `None` if it, its head or the context is not what was encrypted.
pub(crate) fn decrypt(
    (head, head_bytes, ciphertext): (&Head, &[u8], &[u8]),
    secret: &[u8],
    context: Option<&BTreeMap<String, String>>,
) -> Option<Zeroizing<Vec<u8>>> {
    let data = blob::additional_data(head_bytes, context);
    derived(secret, &head.salt).decrypt(head.nonce, &data, ciphertext).ok()
}

fn derived(secret: &[u8], salt: &[u8; SALT_BYTES]) -> Key {
    let mut context = hmac::Context::with_key(&hmac::Key::new(hmac::HMAC_SHA256, secret));
    context.update(LABEL);
    context.update(salt);
    let tag = context.sign();
    Key::new(tag.as_ref().try_into().expect("SHA-256 has 32 bytes"))
}
