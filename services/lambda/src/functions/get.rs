//! GetFunction, GetFunctionConfiguration and GetAccountSettings.

use std::ops::ControlFlow;

use fogbank_core::{ReadTx, Tx};

use super::{Detail, ShownAs, find, shown};
use crate::code::{self, Owner};
use crate::concurrency;
use crate::error::Error;
use crate::model::{
    AccountLimit, AccountUsage, Concurrency, FunctionCodeLocation, FunctionConfiguration,
    GetAccountSettingsInput, GetAccountSettingsOutput, GetFunctionConfigurationInput,
    GetFunctionInput, GetFunctionOutput,
};
use crate::rules::target::Target;
use crate::store::{self, Code, FUNCTIONS, LAYER_VERSIONS, VERSIONS};

/// The size that all packages of an account may have, in bytes.
const TOTAL_CODE_BYTES: i64 = 80_530_636_800;

/// Describes a function, its package's address, its tags and its concurrency.
pub(crate) fn get(tx: &ReadTx<'_>, input: GetFunctionInput) -> Result<GetFunctionOutput, Error> {
    let target = target(tx, &input.function_name, input.qualifier.as_deref())?;
    let found = find(tx, &target)?;
    let function = store::function(tx, &target)?;
    let owner = Owner::Function(target.clone(), found.number);
    let location = code::location(tx.request(), &owner, &found.version.code);
    Ok(GetFunctionOutput {
        configuration: Some(shown(
            &target,
            found.number,
            &found.version,
            asked_for(&target),
            Detail::Whole,
        )),
        code: Some(FunctionCodeLocation {
            repository_type: Some("S3".to_owned()),
            location: Some(location),
            ..FunctionCodeLocation::default()
        }),
        tags: Some(function.tags).filter(|tags| !tags.is_empty()),
        tags_error: None,
        concurrency: function.reserved.map(|reserved| Concurrency {
            reserved_concurrent_executions: i32::try_from(reserved).ok(),
        }),
    })
}

/// Describes a function.
pub(crate) fn get_configuration(
    tx: &ReadTx<'_>,
    input: GetFunctionConfigurationInput,
) -> Result<FunctionConfiguration, Error> {
    let target = target(tx, &input.function_name, input.qualifier.as_deref())?;
    let found = find(tx, &target)?;
    Ok(shown(&target, found.number, &found.version, asked_for(&target), Detail::Whole))
}

fn target(tx: &ReadTx<'_>, name: &str, qualifier: Option<&str>) -> Result<Target, Error> {
    Target::parse(name, qualifier, tx.account(), tx.region())
}

fn asked_for(target: &Target) -> ShownAs<'_> {
    target.qualifier.as_deref().map_or(ShownAs::Function, ShownAs::Qualified)
}

/// The account's limits and what of them is used.
pub(crate) fn account_settings(
    tx: &ReadTx<'_>,
    _: GetAccountSettingsInput,
) -> Result<GetAccountSettingsOutput, Error> {
    let place = (tx.account(), tx.region());
    let (mut functions, mut bytes) = (0, 0_i64);
    FUNCTIONS.range(&place).visit_keys(tx, |_| {
        functions += 1;
        ControlFlow::Continue(())
    })?;
    let mut add = |code: &Code| {
        bytes = bytes.saturating_add(i64::try_from(code.bytes).unwrap_or(i64::MAX));
        ControlFlow::Continue(())
    };
    VERSIONS.scan(tx, &place, |_, version| add(&version.code))?;
    LAYER_VERSIONS.scan(tx, &place, |_, version| add(&version.code))?;
    let reserved = concurrency::reserved_total(tx, tx.account(), tx.region())?;
    let unreserved = concurrency::ACCOUNT_LIMIT.saturating_sub(reserved);
    Ok(GetAccountSettingsOutput {
        account_limit: Some(AccountLimit {
            total_code_size: Some(TOTAL_CODE_BYTES),
            code_size_unzipped: i64::try_from(code::MAX_UNZIPPED_BYTES).ok(),
            code_size_zipped: i64::try_from(code::MAX_ZIPPED_BYTES).ok(),
            concurrent_executions: i32::try_from(concurrency::ACCOUNT_LIMIT).ok(),
            unreserved_concurrent_executions: i32::try_from(unreserved).ok(),
        }),
        account_usage: Some(AccountUsage {
            total_code_size: Some(bytes),
            function_count: Some(functions),
        }),
    })
}
