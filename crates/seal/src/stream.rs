//! Streams: AES-256 in counter mode, which can be opened from any byte on.
//!
//! [`StreamKey`] gives each stream a key of its own, which nobody stores: it is derived from a nonce of 24 bytes as XAES-256-GCM
//! derives its keys (C2SP, after NIST SP 800-108r1 with CMAC). The first twelve bytes make the key, the last twelve begin
//! the counter. Random nonces may so be drawn 2^80 times until one is drawn twice with a probability of 2^-32; twelve
//! random bytes under one key would do for 2^32.
//!
//! A stream has at most 64 GiB. It says nothing of whether the bytes are those that were sealed.

use aes::Aes256Enc;
use aes::cipher::{Array, BlockCipherEncrypt, KeyInit, KeyIvInit, StreamCipher, StreamCipherSeek};
use ctr::Ctr32BE;
use zeroize::Zeroizing;

use crate::{KEY_BYTES, NONCE_BYTES};

/// Bytes of the nonce of a stream whose key is derived.
pub const STREAM_NONCE_BYTES: usize = 24;
/// How many bytes are copied and enciphered while they are in the processor's nearest cache.
const AT_ONCE: usize = 4 << 10;

/// The bytes that encipher one body, or decipher it.
pub struct Stream(Ctr32BE<Aes256Enc>);

impl std::fmt::Debug for Stream {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Stream")
    }
}

impl Stream {
    /// The stream of a key and a nonce, which must never have been used with this key for other bytes.
    pub fn new(key: &[u8; KEY_BYTES], nonce: &[u8; NONCE_BYTES]) -> Stream {
        let mut iv = [0; 16];
        iv[..NONCE_BYTES].copy_from_slice(nonce);
        Stream(Ctr32BE::new(&(*key).into(), &iv.into()))
    }

    /// Enciphers or deciphers the next bytes in place.
    pub fn apply(&mut self, bytes: &mut [u8]) {
        self.0.apply_keystream(bytes);
    }

    /// Adds the next bytes to `out`, enciphered or deciphered.
    pub fn append(&mut self, bytes: &[u8], out: &mut Vec<u8>) {
        out.reserve(bytes.len());
        for piece in bytes.chunks(AT_ONCE) {
            let from = out.len();
            out.extend_from_slice(piece);
            self.apply(&mut out[from..]);
        }
    }

    /// Goes to the byte from which on the next bytes are.
    pub fn seek(&mut self, at: u64) {
        self.0.seek(at);
    }
}

/// A key from which the keys of streams are derived.
pub struct StreamKey {
    cipher: Aes256Enc,
    /// What CMAC adds to a whole block.
    subkey: u128,
}

impl std::fmt::Debug for StreamKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("StreamKey")
    }
}

impl StreamKey {
    /// The key of these bytes.
    pub fn new(bytes: &[u8; KEY_BYTES]) -> StreamKey {
        let cipher = Aes256Enc::new(&(*bytes).into());
        let mut zero = Array::from([0; 16]);
        cipher.encrypt_block(&mut zero);
        let zero = u128::from_be_bytes(zero.into());
        // Doubled in the field of CMAC.
        let subkey = (zero << 1) ^ if zero >> 127 == 1 { 0x87 } else { 0 };
        StreamKey { cipher, subkey }
    }

    /// The stream of a nonce, which must never have been used for other bytes.
    pub fn stream(&self, nonce: &[u8; STREAM_NONCE_BYTES]) -> Stream {
        let (of_key, of_counter) = nonce.split_at(NONCE_BYTES);
        let mut iv = [0; NONCE_BYTES];
        iv.copy_from_slice(of_counter);
        Stream::new(&self.derive(of_key), &iv)
    }

    /// Two blocks of a counter, the letter X and the half of a nonce, authenticated by CMAC.
    fn derive(&self, nonce: &[u8]) -> Zeroizing<[u8; KEY_BYTES]> {
        let block = |number: u8| {
            let mut block = [0; 16];
            block[..4].copy_from_slice(&[0, number, b'X', 0]);
            block[4..].copy_from_slice(nonce);
            Array::from((u128::from_be_bytes(block) ^ self.subkey).to_be_bytes())
        };
        let mut blocks = [block(1), block(2)];
        self.cipher.encrypt_blocks(&mut blocks);
        let mut key = Zeroizing::new([0; KEY_BYTES]);
        key[..16].copy_from_slice(&blocks[0]);
        key[16..].copy_from_slice(&blocks[1]);
        key
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Key;

    #[test]
    fn keys_are_derived_as_xaes_256_gcm_derives_them() {
        // C2SP, "XAES-256-GCM", its two test vectors: what AES-256-GCM seals with the derived key.
        for (key, aad, expected) in [
            ([1; 32], &b""[..], "ce546ef63c9cc60765923609b33a9a1974e96e52daf2fcf7075e2271"),
            (
                [3; 32],
                b"c2sp.org/XAES-256-GCM",
                "986ec1832593df5443a179437fd083bf3fdb41abd740a21f71eb769d",
            ),
        ] {
            let nonce = b"ABCDEFGHIJKLMNOPQRSTUVWX";
            let derived = StreamKey::new(&key).derive(&nonce[..12]);
            let sealed = Key::new(&derived).seal(*b"MNOPQRSTUVWX", aad, b"XAES-256-GCM");
            let hex: String = sealed[13..].iter().map(|byte| format!("{byte:02x}")).collect();
            assert_eq!(hex, expected);
        }
    }

    #[test]
    fn a_stream_is_counter_mode_from_any_byte_on() {
        let key: [u8; 32] = std::array::from_fn(|at| at as u8);
        let plain: Vec<u8> = (0..70_000_u32).map(|n| (n % 251) as u8).collect();
        let mut whole = plain.clone();
        StreamKey::new(&key).stream(&[9; 24]).apply(&mut whole);
        let block = |number: u32| {
            let derived = StreamKey::new(&key).derive(&[9; 12]);
            let mut block = [9; 16];
            block[12..].copy_from_slice(&number.to_be_bytes());
            let mut block = Array::from(block);
            Aes256Enc::new(&(*derived).into()).encrypt_block(&mut block);
            block
        };
        for (index, (sealed, plain)) in whole.chunks(16).zip(plain.chunks(16)).enumerate() {
            let stream = block(index as u32);
            let opened: Vec<u8> = sealed.iter().zip(stream).map(|(a, b)| a ^ b).collect();
            assert_eq!(opened, plain, "block {index}");
        }
        for from in [0, 1, 16, 4095, 4096, 4097, 69_999] {
            let mut stream = StreamKey::new(&key).stream(&[9; 24]);
            stream.seek(from as u64);
            let mut opened = Vec::new();
            for piece in whole[from..].chunks(5000) {
                stream.append(piece, &mut opened);
            }
            assert_eq!(opened, plain[from..], "from {from}");
        }
    }
}
