//! Scopes of access points of directory buckets: what alone may be done through them, whatever policies say.

use serde::{Deserialize, Serialize};

/// A scope.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Scope {
    /// The permissions, such as `GetObject`; none for all.
    pub permissions: Vec<String>,
    /// What keys must begin with one of; none for all keys.
    pub prefixes: Vec<String>,
}

impl Scope {
    /// Whether it leaves a permission.
    pub fn permits(&self, permission: &str) -> bool {
        self.permissions.is_empty() || self.permissions.iter().any(|known| known == permission)
    }

    /// Whether a key, or the prefix of a listing, lies in it. AWS's examples end prefixes in an asterisk or do not.
    pub fn has(&self, key: &str) -> bool {
        let is_in = |prefix: &String| key.starts_with(prefix.strip_suffix('*').unwrap_or(prefix));
        self.prefixes.is_empty() || self.prefixes.iter().any(is_in)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_said_is_not_limited() {
        let all = Scope::default();
        assert!(all.permits("GetObject") && all.has("a/b"));
        let some = Scope {
            permissions: vec!["GetObject".to_owned()],
            prefixes: vec!["a/".to_owned(), "b/*".to_owned()],
        };
        assert!(some.permits("GetObject") && !some.permits("PutObject"));
        assert!(some.has("a/x") && some.has("b/") && !some.has("a") && !some.has("c/x"));
    }
}
