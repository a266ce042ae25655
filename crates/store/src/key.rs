//! Keys: tuples encoded so that the order of their bytes is the order of their values.
//!
//! | component | bytes |
//! |---|---|
//! | `u8` … `u64` | big endian |
//! | `i64` | big endian with the sign bit flipped |
//! | `bool` | `00` or `01` |
//! | `String`, `Vec<u8>`, `Bytes` | the bytes with `00` written as `00 FF`, then `00 01` |
//! | `Reverse<u64>` | the complement, big endian: newest first |
//! | `()` | nothing |
//! | a tuple | its components, one after the other |
//!
//! Every component says where it ends, so the encoding of the leading components of a tuple is a prefix of the encoding
//! of the whole: that is what makes a scan by [`KeyPrefix`] possible.

use std::cmp::Reverse;

use bytes::Bytes;

use crate::Error;

const ESCAPE: u8 = 0x00;
const ESCAPED_ZERO: u8 = 0xFF;
const TERMINATOR: u8 = 0x01;

/// A value that can be looked up as a key of type `K`: `K` itself, or a borrowed form such as `str` for `String`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no key of the type `{K}` that this table has"
)]
pub trait KeyOf<K> {
    /// Appends the encoding of this key to `out`.
    fn encode(&self, out: &mut Vec<u8>);
}

/// An owned key that can be read back from its encoding.
pub trait Key: KeyOf<Self> + Sized {
    /// Takes this key off the front of `input`.
    fn decode(input: &mut &[u8]) -> Result<Self, Error>;
}

/// The leading components of a key of type `K`, for scans: `()` for all rows, `(a,)`, `(a, b)`, or a [`Starting`].
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no prefix of the key type `{K}` that this table has",
    note = "write the leading components as a tuple, such as `&(account,)`"
)]
pub trait KeyPrefix<K> {
    /// Appends the encoding of this prefix to `out`.
    fn encode_prefix(&self, out: &mut Vec<u8>);
}

/// A prefix that ends inside a string or byte component: the components before it, then how that component starts.
///
/// `Starting((bucket,), "photos/")` matches every key of that bucket that starts with `photos/`.
#[derive(Debug, Clone, Copy)]
pub struct Starting<P, S>(pub P, pub S);

impl<K, P: KeyPrefix<K>, S: AsRef<[u8]>> KeyPrefix<K> for Starting<P, S> {
    fn encode_prefix(&self, out: &mut Vec<u8>) {
        self.0.encode_prefix(out);
        escape(self.1.as_ref(), out);
    }
}

/// Encodes a whole key.
pub fn encode<K>(key: &(impl KeyOf<K> + ?Sized)) -> Vec<u8> {
    let mut out = Vec::with_capacity(64);
    key.encode(&mut out);
    out
}

/// Decodes a whole key and refuses bytes that are left over.
pub fn decode<K: Key>(mut bytes: &[u8]) -> Result<K, Error> {
    let key = K::decode(&mut bytes)?;
    if bytes.is_empty() { Ok(key) } else { Err(damaged("bytes are left over")) }
}

/// The first key that does not start with `prefix`, or nothing if every later key does.
pub(crate) fn end_of(prefix: &[u8]) -> Option<Vec<u8>> {
    let last = prefix.iter().rposition(|&byte| byte != 0xFF)?;
    let mut end = prefix[..=last].to_vec();
    end[last] += 1;
    Some(end)
}

fn damaged(why: &str) -> Error {
    Error::corrupt("a key", why)
}

fn take<'a>(input: &mut &'a [u8], len: usize) -> Result<&'a [u8], Error> {
    let (head, rest) = input.split_at_checked(len).ok_or_else(|| damaged("it ends early"))?;
    *input = rest;
    Ok(head)
}

fn escape(bytes: &[u8], out: &mut Vec<u8>) {
    for part in bytes.split_inclusive(|&byte| byte == ESCAPE) {
        out.extend_from_slice(part);
        if part.last() == Some(&ESCAPE) {
            out.push(ESCAPED_ZERO);
        }
    }
}

fn encode_bytes(bytes: &[u8], out: &mut Vec<u8>) {
    escape(bytes, out);
    out.extend_from_slice(&[ESCAPE, TERMINATOR]);
}

fn decode_bytes(input: &mut &[u8]) -> Result<Vec<u8>, Error> {
    let mut bytes = Vec::new();
    loop {
        let zero = input
            .iter()
            .position(|&byte| byte == ESCAPE)
            .ok_or_else(|| damaged("a string has no end"))?;
        bytes.extend_from_slice(take(input, zero)?);
        match take(input, 2)? {
            [_, TERMINATOR] => return Ok(bytes),
            [_, ESCAPED_ZERO] => bytes.push(0),
            _ => return Err(damaged("a string has an unknown escape")),
        }
    }
}

impl<K, T: KeyOf<K> + ?Sized> KeyOf<K> for &T {
    fn encode(&self, out: &mut Vec<u8>) {
        (**self).encode(out);
    }
}

impl<K, T: KeyPrefix<K> + ?Sized> KeyPrefix<K> for &T {
    fn encode_prefix(&self, out: &mut Vec<u8>) {
        (**self).encode_prefix(out);
    }
}

macro_rules! unsigned {
    ($($int:ty)*) => {$(
        impl KeyOf<$int> for $int {
            fn encode(&self, out: &mut Vec<u8>) {
                out.extend_from_slice(&self.to_be_bytes());
            }
        }
        impl Key for $int {
            fn decode(input: &mut &[u8]) -> Result<Self, Error> {
                let mut bytes = [0; size_of::<$int>()];
                bytes.copy_from_slice(take(input, size_of::<$int>())?);
                Ok(<$int>::from_be_bytes(bytes))
            }
        }
    )*};
}
unsigned!(u8 u16 u32 u64 u128);

const SIGN: u64 = 1 << 63;

impl KeyOf<i64> for i64 {
    fn encode(&self, out: &mut Vec<u8>) {
        (self.cast_unsigned() ^ SIGN).encode(out);
    }
}

impl Key for i64 {
    fn decode(input: &mut &[u8]) -> Result<Self, Error> {
        Ok((u64::decode(input)? ^ SIGN).cast_signed())
    }
}

impl KeyOf<Reverse<u64>> for Reverse<u64> {
    fn encode(&self, out: &mut Vec<u8>) {
        (!self.0).encode(out);
    }
}

impl Key for Reverse<u64> {
    fn decode(input: &mut &[u8]) -> Result<Self, Error> {
        Ok(Reverse(!u64::decode(input)?))
    }
}

impl KeyOf<bool> for bool {
    fn encode(&self, out: &mut Vec<u8>) {
        out.push(u8::from(*self));
    }
}

impl Key for bool {
    fn decode(input: &mut &[u8]) -> Result<Self, Error> {
        match u8::decode(input)? {
            0 => Ok(false),
            1 => Ok(true),
            _ => Err(damaged("a truth value is neither 0 nor 1")),
        }
    }
}

macro_rules! text {
    ($($owned:ty: $($form:ty)*;)*) => {$($(
        impl KeyOf<$owned> for $form {
            fn encode(&self, out: &mut Vec<u8>) {
                encode_bytes(self.as_ref(), out);
            }
        }
    )*)*};
}
text! {
    String: String str;
    Vec<u8>: Vec<u8> [u8] Bytes;
    Bytes: Bytes [u8] Vec<u8>;
}

impl Key for String {
    fn decode(input: &mut &[u8]) -> Result<Self, Error> {
        String::from_utf8(decode_bytes(input)?).map_err(|_| damaged("a string is not UTF-8"))
    }
}

impl Key for Vec<u8> {
    fn decode(input: &mut &[u8]) -> Result<Self, Error> {
        decode_bytes(input)
    }
}

impl Key for Bytes {
    fn decode(input: &mut &[u8]) -> Result<Self, Error> {
        decode_bytes(input).map(Bytes::from)
    }
}

impl KeyOf<()> for () {
    fn encode(&self, _: &mut Vec<u8>) {}
}

impl Key for () {
    fn decode(_: &mut &[u8]) -> Result<Self, Error> {
        Ok(())
    }
}

impl<K> KeyPrefix<K> for () {
    fn encode_prefix(&self, _: &mut Vec<u8>) {}
}

macro_rules! tuple {
    ($($component:ident $form:ident $index:tt)+) => {
        impl<$($component, $form: KeyOf<$component>),+> KeyOf<($($component,)+)> for ($($form,)+) {
            fn encode(&self, out: &mut Vec<u8>) {
                $(self.$index.encode(out);)+
            }
        }
        impl<$($component: Key),+> Key for ($($component,)+) {
            fn decode(input: &mut &[u8]) -> Result<Self, Error> {
                Ok(($($component::decode(input)?,)+))
            }
        }
    };
}
tuple!(A Af 0);
tuple!(A Af 0 B Bf 1);
tuple!(A Af 0 B Bf 1 C Cf 2);
tuple!(A Af 0 B Bf 1 C Cf 2 D Df 3);
tuple!(A Af 0 B Bf 1 C Cf 2 D Df 3 E Ef 4);
tuple!(A Af 0 B Bf 1 C Cf 2 D Df 3 E Ef 4 F Ff 5);

// The prefixes of a tuple: each list of leading components, followed by those that the prefix leaves open.
macro_rules! prefix {
    ($($component:ident $form:ident $index:tt)+; $($open:ident)*) => {
        impl<$($component, $form: KeyOf<$component>,)+ $($open),*>
            KeyPrefix<($($component,)+ $($open,)*)> for ($($form,)+)
        {
            fn encode_prefix(&self, out: &mut Vec<u8>) {
                $(self.$index.encode(out);)+
            }
        }
    };
}
macro_rules! prefixes {
    ($(($($open:ident)*))*) => {$(
        prefixes!(@ $($open)*);
    )*};
    (@) => {
        prefix!(A Af 0;);
        prefix!(A Af 0 B Bf 1;);
        prefix!(A Af 0 B Bf 1 C Cf 2;);
        prefix!(A Af 0 B Bf 1 C Cf 2 D Df 3;);
        prefix!(A Af 0 B Bf 1 C Cf 2 D Df 3 E Ef 4;);
        prefix!(A Af 0 B Bf 1 C Cf 2 D Df 3 E Ef 4 F Ff 5;);
    };
    (@ $o1:ident) => {
        prefix!(A Af 0; $o1);
        prefix!(A Af 0 B Bf 1; $o1);
        prefix!(A Af 0 B Bf 1 C Cf 2; $o1);
        prefix!(A Af 0 B Bf 1 C Cf 2 D Df 3; $o1);
        prefix!(A Af 0 B Bf 1 C Cf 2 D Df 3 E Ef 4; $o1);
    };
    (@ $o1:ident $o2:ident) => {
        prefix!(A Af 0; $o1 $o2);
        prefix!(A Af 0 B Bf 1; $o1 $o2);
        prefix!(A Af 0 B Bf 1 C Cf 2; $o1 $o2);
        prefix!(A Af 0 B Bf 1 C Cf 2 D Df 3; $o1 $o2);
    };
    (@ $o1:ident $o2:ident $o3:ident) => {
        prefix!(A Af 0; $o1 $o2 $o3);
        prefix!(A Af 0 B Bf 1; $o1 $o2 $o3);
        prefix!(A Af 0 B Bf 1 C Cf 2; $o1 $o2 $o3);
    };
    (@ $o1:ident $o2:ident $o3:ident $o4:ident) => {
        prefix!(A Af 0; $o1 $o2 $o3 $o4);
        prefix!(A Af 0 B Bf 1; $o1 $o2 $o3 $o4);
    };
    (@ $o1:ident $o2:ident $o3:ident $o4:ident $o5:ident) => {
        prefix!(A Af 0; $o1 $o2 $o3 $o4 $o5);
    };
}
prefixes!(() (O1) (O1 O2) (O1 O2 O3) (O1 O2 O3 O4) (O1 O2 O3 O4 O5));

// A single leading component may stand without its tuple.
macro_rules! bare_prefix {
    ($($form:ty)*) => {$(
        bare_prefix!(@ $form; B);
        bare_prefix!(@ $form; B C);
        bare_prefix!(@ $form; B C D);
        bare_prefix!(@ $form; B C D E);
        bare_prefix!(@ $form; B C D E F);
    )*};
    (@ $form:ty; $($open:ident)+) => {
        impl<A, $($open),+> KeyPrefix<(A, $($open,)+)> for $form
        where
            $form: KeyOf<A>,
        {
            fn encode_prefix(&self, out: &mut Vec<u8>) {
                self.encode(out);
            }
        }
    };
}
bare_prefix!(str String [u8] Vec<u8> Bytes bool u8 u16 u32 u64 i64);

/// Makes keys of tuple structs with one field: `key!(QueueName(String));`.
#[macro_export]
macro_rules! key {
    ($($name:ident($inner:ty)),+ $(,)?) => {$(
        impl $crate::KeyOf<$name> for $name {
            fn encode(&self, out: &mut ::std::vec::Vec<u8>) {
                $crate::KeyOf::<$inner>::encode(&self.0, out);
            }
        }
        impl $crate::Key for $name {
            fn decode(input: &mut &[u8]) -> ::std::result::Result<Self, $crate::Error> {
                ::std::result::Result::Ok($name(<$inner as $crate::Key>::decode(input)?))
            }
        }
    )+};
}
