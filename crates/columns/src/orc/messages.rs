//! Messages of Protocol Buffers, as far as footers are made of them.

/// A message as it grows.
#[derive(Clone, Debug, Default)]
pub(super) struct Message(Vec<u8>);

impl Message {
    pub(super) fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    pub(super) fn varint(&mut self, value: u64) {
        varint(value, &mut self.0);
    }

    /// A field that is a number.
    pub(super) fn number(&mut self, field: u64, value: u64) {
        self.varint(field << 3);
        self.varint(value);
    }

    /// A field that is bytes, a text or packed numbers.
    pub(super) fn bytes(&mut self, field: u64, bytes: &[u8]) {
        self.varint(field << 3 | 2);
        self.varint(bytes.len() as u64);
        self.0.extend_from_slice(bytes);
    }

    /// A field that is a message.
    pub(super) fn message(&mut self, field: u64, message: &Message) {
        self.bytes(field, &message.0);
    }

    /// The fields of another message.
    pub(super) fn append(&mut self, other: &Message) {
        self.0.extend_from_slice(&other.0);
    }
}

/// Writes a number in groups of seven bits, the lowest first.
pub(super) fn varint(mut value: u64, into: &mut Vec<u8>) {
    while value >= 0x80 {
        into.push(value as u8 | 0x80);
        value >>= 7;
    }
    into.push(value as u8);
}
