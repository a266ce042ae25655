//! Passwords: what a policy asks of them, and their hashes.

use argon2::{Algorithm, Argon2, Params, Version};
use fogbank_core::Ids;
use fogbank_identity::rows::{PasswordHash, PasswordPolicy};

/// The characters that count as symbols.
const SYMBOLS: &str = "!@#$%^&*()_+-=[]{}|'";
/// The fewest characters without a policy of the account.
const DEFAULT_LENGTH: usize = 8;
/// Memory and passes of a hash, which the Password Storage Cheat Sheet of OWASP recommends.
const MEMORY_KIB: u32 = 19_456;
const PASSES: u32 = 2;
/// The most former passwords that a policy can remember.
pub(crate) const REMEMBERED: usize = 24;

/// A new hash of a password.
pub(crate) fn hash(ids: &Ids, password: &str) -> Result<PasswordHash, String> {
    let mut salt = vec![0; 16];
    ids.fill(&mut salt);
    let mut made = PasswordHash { salt, memory_kib: MEMORY_KIB, passes: PASSES, hash: Vec::new() };
    made.hash = digest(&made, password)?;
    Ok(made)
}

/// Whether this is the password.
pub(crate) fn is_password(known: &PasswordHash, given: &str) -> bool {
    digest(known, given).is_ok_and(|made| {
        let differences = made.iter().zip(&known.hash).fold(0, |sum, (a, b)| sum | (a ^ b));
        made.len() == known.hash.len() && differences == 0
    })
}

fn digest(by: &PasswordHash, password: &str) -> Result<Vec<u8>, String> {
    let params = Params::new(by.memory_kib, by.passes, 1, Some(32));
    let argon2 = Argon2::new(
        Algorithm::Argon2id,
        Version::V0x13,
        params.map_err(|error| error.to_string())?,
    );
    let mut made = vec![0; 32];
    argon2
        .hash_password_into(password.as_bytes(), &by.salt, &mut made)
        .map_err(|error| error.to_string())?;
    Ok(made)
}

/// What a password lacks, in AWS's words. Without a policy of the account, AWS asks for 8 characters and three of the four
/// kinds, and that it is not the name of the account or its alias.
pub(crate) fn lacks(policy: Option<&PasswordPolicy>, password: &str) -> Option<String> {
    let minimum = policy.map_or(DEFAULT_LENGTH, |policy| policy.minimum_length as usize);
    if password.chars().count() < minimum {
        return Some(format!("Password should have a minimum length of {minimum}"));
    }
    let has = |is: fn(char) -> bool| password.chars().any(is);
    let kinds = [
        (has(|c| c.is_ascii_uppercase()), "Password should have at least one uppercase letter"),
        (has(|c| c.is_ascii_lowercase()), "Password should have at least one lowercase letter"),
        (has(|c| SYMBOLS.contains(c)), "Password should have at least one symbol"),
        (has(|c| c.is_ascii_digit()), "Password should have at least one number"),
    ];
    let Some(policy) = policy else {
        let lacking: Vec<&str> =
            kinds.iter().filter(|(has, _)| !has).map(|(_, text)| *text).collect();
        return (lacking.len() > 1).then(|| {
            format!(
                "Password should meet {} more of the following requirements: {}",
                lacking.len() - 1,
                lacking.join(", ")
            )
        });
    };
    let required = [
        policy.require_uppercase,
        policy.require_lowercase,
        policy.require_symbols,
        policy.require_numbers,
    ];
    let lacking: Vec<&str> = kinds
        .iter()
        .zip(required)
        .filter(|((has, _), required)| *required && !has)
        .map(|((_, text), _)| *text)
        .collect();
    (!lacking.is_empty()).then(|| lacking.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hashes_know_their_password() {
        let known = hash(&Ids::seeded(1), "correct horse").expect("a hash");
        assert!(is_password(&known, "correct horse"));
        assert!(!is_password(&known, "correct horsf"));
        assert!(!is_password(&known, ""));
        assert_ne!(hash(&Ids::seeded(2), "correct horse").expect("a hash").hash, known.hash);
    }

    #[test]
    fn without_a_policy_three_kinds_are_enough() {
        assert_eq!(
            lacks(None, "Abc4567"),
            Some("Password should have a minimum length of 8".into())
        );
        assert_eq!(
            lacks(None, "abcdefg1"),
            Some(
                "Password should meet 1 more of the following requirements: Password should have at least one \
                 uppercase letter, Password should have at least one symbol"
                    .into()
            )
        );
        assert_eq!(lacks(None, "Abcdefg1"), None);
    }

    #[test]
    fn a_policy_asks_for_what_it_names() {
        let policy = PasswordPolicy {
            minimum_length: 10,
            require_symbols: true,
            require_numbers: false,
            require_uppercase: false,
            require_lowercase: true,
            allow_change: true,
            max_age_days: 0,
            reuse_prevention: 0,
            hard_expiry: None,
        };
        assert!(lacks(Some(&policy), "abcdefgh!").is_some());
        assert_eq!(lacks(Some(&policy), "abcdefghi!"), None);
        assert_eq!(
            lacks(Some(&policy), "ABCDEFGHIJ"),
            Some(
                "Password should have at least one lowercase letter, Password should have at least one symbol"
                    .into()
            )
        );
    }
}
