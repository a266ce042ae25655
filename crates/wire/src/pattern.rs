//! Patterns, compiled when first needed and once.

use std::collections::HashMap;
use std::sync::{Arc, LazyLock, PoisonError, RwLock};

use fancy_regex::{Regex, RegexBuilder};

/// Steps after which a pattern that backtracks is given up.
const BACKTRACK_LIMIT: usize = 50_000;
/// Bytes that a compiled pattern may take; the model has patterns such as `[\s\S]{1,131072}`.
const COMPILED_LIMIT: usize = 1 << 20;
/// Bytes that a pattern's lazy automaton may take.
const AUTOMATON_LIMIT: usize = 1 << 18;

/// Patterns by the address of their text, which is `'static`.
type Cache = RwLock<HashMap<usize, Option<Arc<Regex>>>>;

static COMPILED: LazyLock<Cache> = LazyLock::new(Cache::default);

/// Whether the whole text matches. A pattern that cannot be compiled, or that backtracks without an
/// end in sight, passes: to accept what AWS would refuse harms less than the reverse.
pub(crate) fn matches(pattern: &'static str, text: &str) -> bool {
    if pattern.is_empty() {
        return true;
    }
    match compiled(pattern) {
        Some(regex) => regex.is_match(text).unwrap_or(true),
        None => true,
    }
}

fn compiled(pattern: &'static str) -> Option<Arc<Regex>> {
    let key = pattern.as_ptr() as usize;
    if let Some(known) = COMPILED.read().unwrap_or_else(PoisonError::into_inner).get(&key) {
        return known.clone();
    }
    let regex = RegexBuilder::new(&format!(r"\A(?:{pattern})\z"))
        .backtrack_limit(BACKTRACK_LIMIT)
        .delegate_size_limit(COMPILED_LIMIT)
        .delegate_dfa_size_limit(AUTOMATON_LIMIT)
        .build()
        .ok()
        .map(Arc::new);
    COMPILED.write().unwrap_or_else(PoisonError::into_inner).insert(key, regex.clone());
    regex
}

#[cfg(test)]
mod tests {
    use super::matches;

    #[test]
    fn the_whole_text_must_match() {
        assert!(matches("[a-z]+|[0-9]+", "abc"));
        assert!(!matches("[a-z]+|[0-9]+", "abc1"));
        assert!(!matches("[a-z]+", "abc\n"));
    }

    #[test]
    fn lookaheads_work_and_what_cannot_be_checked_passes() {
        assert!(!matches("(?!aws).*", "aws-thing"));
        assert!(matches("(?!aws).*", "my-thing"));
        assert!(matches("(unclosed", "anything"));
        assert!(matches("", "anything"));
    }

    #[test]
    fn a_catastrophic_pattern_ends() {
        let text = "a".repeat(5_000) + "!";
        assert!(matches(r"(?=a)((a+)+\2?)+$", &text));
    }
}
