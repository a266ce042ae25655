//! `GetRandomPassword`.

use fogbank_core::{ReadTx, Tx};

use crate::error::Error;
use crate::model::{GetRandomPasswordInput, GetRandomPasswordOutput};
use crate::rules::password::Recipe;

/// Makes a password that nobody keeps.
pub(crate) fn random(
    tx: &ReadTx<'_>,
    input: GetRandomPasswordInput,
) -> Result<GetRandomPasswordOutput, Error> {
    let recipe = Recipe {
        length: usize::try_from(input.password_length.unwrap_or(32)).unwrap_or(32),
        excluded: input.exclude_characters.unwrap_or_default(),
        has_upper: !input.exclude_uppercase.unwrap_or_default(),
        has_lower: !input.exclude_lowercase.unwrap_or_default(),
        has_numbers: !input.exclude_numbers.unwrap_or_default(),
        has_punctuation: !input.exclude_punctuation.unwrap_or_default(),
        has_space: input.include_space.unwrap_or_default(),
        requires_each: input.require_each_included_type.unwrap_or(true),
    };
    let password = recipe.make(|bound| tx.ids().below(bound as u64) as usize)?;
    Ok(GetRandomPasswordOutput { random_password: Some(password) })
}
