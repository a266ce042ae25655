//! Filters of `ListSecrets` and `BatchGetSecretValue`.

use crate::model::{Filter, FilterNameStringType};
use crate::store::{Secret, SecretKey};

/// Whether a secret passes every filter. The values of one filter are alternatives; one that begins with `!` excludes.
pub(crate) fn passes(filters: &[Filter], key: &SecretKey, secret: &Secret) -> bool {
    filters.iter().all(|filter| {
        let Some(name) = filter.key else { return true };
        let values = filter.values.as_deref().unwrap_or_default();
        let matches = |value: &str| has(name, value, key, secret);
        let (negated, plain): (Vec<_>, Vec<_>) =
            values.iter().partition(|value| value.starts_with('!'));
        negated.iter().all(|value| !matches(&value[1..]))
            && (plain.is_empty() || plain.iter().any(|value| matches(value)))
    })
}

fn has(name: FilterNameStringType, value: &str, key: &SecretKey, secret: &Secret) -> bool {
    let begins = |text: &str| text.starts_with(value);
    match name {
        FilterNameStringType::Name => begins(&key.2),
        FilterNameStringType::Description => secret
            .description
            .as_ref()
            .is_some_and(|text| text.to_lowercase().starts_with(&value.to_lowercase())),
        FilterNameStringType::TagKey => secret.tags.iter().any(|(tag, _)| begins(tag)),
        FilterNameStringType::TagValue => secret.tags.iter().any(|(_, tag)| begins(tag)),
        FilterNameStringType::PrimaryRegion => secret.primary_region.as_deref().is_some_and(begins),
        // No other service owns secrets here yet.
        FilterNameStringType::OwningService => false,
        FilterNameStringType::All => holds(value, key, secret),
    }
}

/// Whether all words of a text are somewhere in a secret's attributes.
fn holds(text: &str, key: &SecretKey, secret: &Secret) -> bool {
    let tags = secret.tags.iter().flat_map(|(tag, value)| [tag.as_str(), value.as_str()]);
    let attributes: Vec<String> = [key.2.as_str()]
        .into_iter()
        .chain(secret.description.as_deref())
        .chain(secret.primary_region.as_deref())
        .chain(tags)
        .map(str::to_lowercase)
        .collect();
    let text = text.to_lowercase();
    text.split([' ', '/', '_', '+', '=', '.', '@', '-', '!', ':'])
        .filter(|word| !word.is_empty())
        .all(|word| attributes.iter().any(|attribute| attribute.contains(word)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn filters_are_prefixes_alternatives_and_exclusions() {
        let key = ("1".to_owned(), "r".to_owned(), "Prod/db".to_owned());
        let secret = Secret {
            description: Some("The Main database".into()),
            tags: vec![("Team".into(), "blue sky".into())],
            ..Secret::default()
        };
        let passes = |name, values: &[&str]| {
            let values = Some(values.iter().map(|value| (*value).to_owned()).collect());
            passes(&[Filter { key: Some(name), values }], &key, &secret)
        };
        use FilterNameStringType as By;
        assert!(passes(By::Name, &["Prod"]) && !passes(By::Name, &["prod", "db"]));
        assert!(passes(By::Name, &["x", "Prod/"]) && !passes(By::Name, &["!Prod"]));
        assert!(passes(By::Name, &["!x"]) && !passes(By::Name, &["Prod", "!Prod/db"]));
        assert!(passes(By::Description, &["the main"]) && !passes(By::Description, &["main"]));
        assert!(passes(By::TagKey, &["Te"]) && !passes(By::TagKey, &["te"]));
        assert!(passes(By::TagValue, &["blue"]) && !passes(By::TagValue, &["sky"]));
        assert!(passes(By::All, &["MAIN prod"]) && !passes(By::All, &["main other"]));
        assert!(!passes(By::PrimaryRegion, &["r"]) && passes(By::OwningService, &["!rds"]));
    }
}
