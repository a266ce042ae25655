//! Random passwords.

use crate::error::Error;

const UPPER: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZ";
const LOWER: &str = "abcdefghijklmnopqrstuvwxyz";
const NUMBERS: &str = "0123456789";
const PUNCTUATION: &str = "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~";

/// What a password is made of.
#[derive(Clone, Debug)]
pub(crate) struct Recipe {
    pub(crate) length: usize,
    pub(crate) excluded: String,
    pub(crate) has_upper: bool,
    pub(crate) has_lower: bool,
    pub(crate) has_numbers: bool,
    pub(crate) has_punctuation: bool,
    pub(crate) has_space: bool,
    pub(crate) requires_each: bool,
}

impl Recipe {
    /// Makes a password of numbers below a bound that `below` draws.
    pub(crate) fn make(&self, below: impl Fn(usize) -> usize) -> Result<String, Error> {
        let required = self.required();
        if self.requires_each && required.iter().any(Vec::is_empty) {
            return Err(Error::invalid("All characters of the desired type have been excluded."));
        }
        let mut all: Vec<char> = required.iter().flatten().copied().collect();
        if self.has_space && !self.excluded.contains(' ') {
            all.push(' ');
        }
        if all.is_empty() {
            return Err(Error::invalid("All characters have been excluded from selection."));
        }
        if self.requires_each && self.length < required.len() {
            return Err(Error::invalid(
                "Password length is too short based on the required types.",
            ));
        }
        let mut password: Vec<char> = match self.requires_each {
            true => required.iter().map(|chars| chars[below(chars.len())]).collect(),
            false => Vec::new(),
        };
        while password.len() < self.length {
            password.push(all[below(all.len())]);
        }
        for last in (1..password.len()).rev() {
            password.swap(last, below(last + 1));
        }
        Ok(password.into_iter().collect())
    }

    /// The characters of each type of which one can be required, without those that are excluded.
    fn required(&self) -> Vec<Vec<char>> {
        let wanted = [
            (self.has_upper, UPPER),
            (self.has_lower, LOWER),
            (self.has_numbers, NUMBERS),
            (self.has_punctuation, PUNCTUATION),
        ];
        let kept = |chars: &str| chars.chars().filter(|c| !self.excluded.contains(*c)).collect();
        wanted.into_iter().filter(|(wanted, _)| *wanted).map(|(_, chars)| kept(chars)).collect()
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use proptest::prelude::*;

    use super::*;

    fn recipe(length: usize) -> Recipe {
        Recipe {
            length,
            excluded: String::new(),
            has_upper: true,
            has_lower: true,
            has_numbers: true,
            has_punctuation: true,
            has_space: false,
            requires_each: true,
        }
    }

    #[test]
    fn what_cannot_be_made_is_refused() {
        let refused = |recipe: Recipe| recipe.make(|_| 0).expect_err("refused").to_string();
        assert!(refused(recipe(3)).contains("too short"));
        let no_numbers = Recipe { excluded: NUMBERS.into(), ..recipe(32) };
        assert!(refused(no_numbers.clone()).contains("of the desired type"));
        assert!(Recipe { requires_each: false, ..no_numbers }.make(|_| 0).is_ok());
        let nothing = Recipe {
            has_upper: false,
            has_lower: false,
            has_numbers: false,
            has_punctuation: false,
            ..recipe(32)
        };
        assert!(refused(nothing).contains("from selection"));
    }

    proptest! {
        #[test]
        fn passwords_are_of_what_was_asked_for(length in 5_usize..100, seed: u64, space: bool, excluded in "[A-Ya-y0-8!-/]{0,20}") {
            let state = Cell::new(seed | 1);
            let below = |bound: usize| {
                state.set(state.get().wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1));
                (state.get() >> 33) as usize % bound
            };
            let recipe = Recipe { excluded, has_space: space, ..recipe(length) };
            let password = recipe.make(below).expect("a password");
            prop_assert_eq!(password.chars().count(), length);
            prop_assert!(!password.chars().any(|c| recipe.excluded.contains(c)));
            for chars in recipe.required() {
                prop_assert!(password.chars().any(|c| chars.contains(&c)));
            }
        }
    }
}
