//! Receipt handles: which receive of which message, sealed with the queue's secret.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest, Sha256};

use crate::error::Error;

/// What a receipt handle says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Receipt {
    /// Where the message is.
    pub(crate) space: u64,
    /// Which message.
    pub(crate) sequence: u64,
    /// Which receive of the message.
    pub(crate) receives: u32,
}

const HEAD: [u8; 3] = [1, 1, 1];
const FACTS_LEN: usize = 20;
const SEAL_LEN: usize = 16;

impl Receipt {
    /// The handle for clients. Its secret makes it worthless for any other queue.
    pub(crate) fn handle(&self, secret: &[u8; 16]) -> String {
        let facts = self.facts();
        let mut bytes = Vec::with_capacity(HEAD.len() + FACTS_LEN + SEAL_LEN);
        bytes.extend_from_slice(&HEAD);
        bytes.extend_from_slice(&facts);
        bytes.extend_from_slice(&seal(secret, &facts));
        STANDARD.encode(bytes)
    }

    /// Reads a handle that this queue has given out.
    pub(crate) fn parse(handle: &str, secret: &[u8; 16]) -> Result<Receipt, Error> {
        let read = || {
            let bytes = STANDARD.decode(handle).ok()?;
            let rest = bytes.strip_prefix(&HEAD)?;
            let (facts, sealed) = rest.split_at_checked(FACTS_LEN)?;
            let facts: [u8; FACTS_LEN] = facts.try_into().ok()?;
            (sealed == seal(secret, &facts)).then_some(())?;
            Some(Receipt {
                space: u64::from_be_bytes(facts[..8].try_into().ok()?),
                sequence: u64::from_be_bytes(facts[8..16].try_into().ok()?),
                receives: u32::from_be_bytes(facts[16..].try_into().ok()?),
            })
        };
        read().ok_or_else(|| Error::ReceiptHandleIsInvalid(handle.to_owned()))
    }

    fn facts(&self) -> [u8; FACTS_LEN] {
        let mut facts = [0; FACTS_LEN];
        facts[..8].copy_from_slice(&self.space.to_be_bytes());
        facts[8..16].copy_from_slice(&self.sequence.to_be_bytes());
        facts[16..].copy_from_slice(&self.receives.to_be_bytes());
        facts
    }
}

fn seal(secret: &[u8; 16], facts: &[u8; FACTS_LEN]) -> [u8; SEAL_LEN] {
    let whole = Sha256::new().chain_update(secret).chain_update(facts).finalize();
    let mut seal = [0; SEAL_LEN];
    seal.copy_from_slice(&whole[..SEAL_LEN]);
    seal
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_handle_is_good_for_its_queue_alone() {
        let receipt = Receipt { space: 7, sequence: 1 << 40, receives: 3 };
        let handle = receipt.handle(&[9; 16]);
        assert!(handle.starts_with("AQEB"), "{handle}");
        assert_eq!(Receipt::parse(&handle, &[9; 16]).unwrap(), receipt);
        assert!(Receipt::parse(&handle, &[8; 16]).is_err());
        for at in 4..handle.len() {
            let mut forged = handle.clone().into_bytes();
            forged[at] = if forged[at] == b'A' { b'B' } else { b'A' };
            let forged = String::from_utf8(forged).unwrap();
            assert!(Receipt::parse(&forged, &[9; 16]).is_err(), "{forged}");
        }
        let error = Receipt::parse("garbage", &[9; 16]).unwrap_err().to_string();
        assert_eq!(error, "The input receipt handle \"garbage\" is not a valid receipt handle.");
    }
}
