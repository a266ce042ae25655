//! DeleteFunction.

use std::ops::ControlFlow;

use fogbank_core::store::Write;
use fogbank_core::{Tx, WriteTx};

use super::clear;
use crate::engine::engine;
use crate::error::{Error, invalid};
use crate::model::{DeleteFunctionInput, DeleteFunctionOutput};
use crate::rules::target::Target;
use crate::store::{self, ALIASES, FUNCTIONS, INVOKE_CONFIGS, POLICIES, VERSIONS};

/// Deletes a function with all that belongs to it, or one version.
pub(crate) fn delete(
    tx: &mut WriteTx<'_>,
    input: DeleteFunctionInput,
) -> Result<DeleteFunctionOutput, Error> {
    let qualifier = input.qualifier.as_deref();
    let target = Target::parse(&input.function_name, qualifier, tx.account(), tx.region())?;
    match (&target.qualifier, target.version()) {
        (None, _) => remove(tx, &target)?,
        (Some(_), Some(0)) => {
            return Err(invalid(
                "$LATEST version cannot be deleted without deleting the function.",
            ));
        }
        (Some(_), Some(number)) => delete_version(tx, &target, number)?,
        (Some(name), None) if name.starts_with('$') => {
            store::function(tx, &target)?;
        }
        (Some(_), None) => return Err(invalid("Deletion of aliases is not currently supported.")),
    }
    Ok(DeleteFunctionOutput { status_code: Some(204) })
}

/// Removes a function with all that belongs to it.
///
/// The events that wait for the function go when they are due: they name its id, which no other function has.
pub(crate) fn remove(tx: &mut WriteTx<'_>, target: &Target) -> Result<(), Error> {
    let function = store::function(tx, target)?;
    for (_, _, _, number) in VERSIONS.range(&target.key()).keys(tx)? {
        store::remove_version(tx, target, number)?;
    }
    clear(tx, &ALIASES, target)?;
    clear(tx, &POLICIES, target)?;
    clear(tx, &INVOKE_CONFIGS, target)?;
    FUNCTIONS.delete(tx, &target.key())?;
    let engine = engine(tx.cx());
    tx.on_commit(Box::new(move || engine.forget(&function.id)));
    Ok(())
}

fn delete_version(tx: &mut WriteTx<'_>, target: &Target, number: u64) -> Result<(), Error> {
    store::function(tx, target)?;
    let mut aliases = Vec::new();
    ALIASES.scan(tx, &target.key(), |(_, _, _, name), alias| {
        if alias.version == number || alias.also.is_some_and(|(also, _)| also == number) {
            aliases.push(name);
        }
        ControlFlow::Continue(())
    })?;
    if !aliases.is_empty() {
        return Err(Error::ResourceConflictException(format!(
            "Unable to delete version because the following aliases reference it: [{}]",
            aliases.join(", ")
        )));
    }
    store::remove_version(tx, target, number)?;
    let qualifier = number.to_string();
    POLICIES.delete(tx, &store::qualified_key(target, &qualifier))?;
    INVOKE_CONFIGS.delete(tx, &store::qualified_key(target, &qualifier))?;
    Ok(())
}
