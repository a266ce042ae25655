//! Making and reading access key ids, secrets and tokens.

use fogbank_core::Ids;

const BASE32: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
/// Random bits behind the account in the first 48 bits of an id.
const RANDOM_BITS: u32 = 7;

/// A new access key id, `AKIA…` or `ASIA…`. Like AWS's, it carries its account.
pub fn access_key_id(ids: &Ids, prefix: &str, account: &str) -> String {
    let mut bytes = [0; 10];
    ids.fill(&mut bytes);
    // The topmost bit marks an id that carries an account.
    let account: u64 = account.parse().unwrap_or_default();
    let head = 1 << 47 | account << RANDOM_BITS | u64::from(bytes[5] >> 1);
    bytes[..6].copy_from_slice(&head.to_be_bytes()[2..]);
    let number = bytes.iter().fold(0u128, |number, byte| number << 8 | u128::from(*byte));
    let digit = |index: u32| BASE32[(number >> (75 - 5 * index) & 31) as usize] as char;
    prefix.chars().chain((0..16).map(digit)).collect()
}

/// The account that an access key id carries; none for ids of the older form.
pub fn account_of(access_key_id: &str) -> Option<String> {
    let digits = access_key_id.as_bytes().get(4..14)?;
    let mut number = 0u64;
    for digit in digits {
        let value = BASE32.iter().position(|known| known == digit)? as u64;
        number = number << 5 | value;
    }
    // Ten digits are 50 bits; the account is in the first 48.
    let head = number >> 2;
    let account = (head & !(1 << 47)) >> RANDOM_BITS;
    (head >> 47 == 1 && account < 1_000_000_000_000).then(|| format!("{account:012}"))
}

/// A new secret of 40 characters.
pub fn secret(ids: &Ids) -> String {
    ids.mixed(40)
}

/// The longest session token, in bytes.
pub const MAX_SESSION_TOKEN: usize = 4096;

/// A new session token of at least `minimum` bytes.
pub fn session_token(ids: &Ids, minimum: usize) -> String {
    // Real tokens are longer, but clients must not care, and every request carries one.
    let random = minimum.clamp(160, MAX_SESSION_TOKEN) - 6;
    format!("IQoJ{}==", ids.mixed(random))
}

/// Whether two secrets are the same, in a time that does not tell where they differ.
pub(crate) fn is_same(one: &str, other: &str) -> bool {
    let differences = one.bytes().zip(other.bytes()).fold(0, |sum, (a, b)| sum | (a ^ b));
    one.len() == other.len() && differences == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_carry_their_account() {
        let ids = Ids::seeded(7);
        for account in ["000000000000", "123456789012", "999999999999"] {
            let id = access_key_id(&ids, "AKIA", account);
            assert_eq!(id.len(), 20, "{id}");
            assert_eq!(account_of(&id).as_deref(), Some(account));
        }
        // Published examples of AWS's own form.
        assert_eq!(account_of("ASIAQNZGKIQY56JQ7WML").as_deref(), Some("029608264753"));
        assert_eq!(account_of("AKIAIOSFODNN7EXAMPLE"), None);
        assert_eq!(account_of("test"), None);
        assert_eq!(account_of("AKIAü"), None);
    }

    #[test]
    fn ids_differ() {
        let ids = Ids::random();
        assert_ne!(
            access_key_id(&ids, "ASIA", "000000000000"),
            access_key_id(&ids, "ASIA", "000000000000")
        );
    }
}
