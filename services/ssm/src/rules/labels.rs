//! Labels of parameter versions.

/// How many labels a version has at most.
pub(crate) const MAX: usize = 10;

/// Whether a label may be attached.
pub(crate) fn is_label(label: &str) -> bool {
    let lower = label.to_lowercase();
    !label.starts_with(|first: char| first.is_ascii_digit())
        && !lower.starts_with("aws")
        && !lower.starts_with("ssm")
        && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte))
}

#[cfg(test)]
mod tests {
    use super::is_label;

    #[test]
    fn labels_are_told_from_others() {
        assert!(is_label("Prod.1-a_b") && is_label("x"));
        assert!(!is_label("1st") && !is_label("AWSome") && !is_label("ssm-x") && !is_label("a b"));
    }
}
