//! Reserved concurrency: how often a function may run at one time.

use std::collections::HashMap;
use std::ops::ControlFlow;
use std::sync::Arc;

use fogbank_core::store::Read;
use fogbank_core::{ReadTx, Tx, WriteTx};
use parking_lot::Mutex;

use crate::error::{Error, function_not_found, invalid, too_many_requests};
use crate::model::{
    Concurrency, DeleteFunctionConcurrencyInput, DeleteFunctionConcurrencyOutput,
    GetFunctionConcurrencyInput, GetFunctionConcurrencyOutput, PutFunctionConcurrencyInput,
};
use crate::rules::target::Target;
use crate::store::{self, FUNCTIONS, Function};

/// How many invocations an account may have at one time, as AWS gives to new accounts.
pub(crate) const ACCOUNT_LIMIT: u32 = 1000;
/// What must stay for functions without a reservation.
const MIN_UNRESERVED: u32 = 100;

/// Reserves concurrency for a function; 0 stops it.
pub(crate) fn put(
    tx: &mut WriteTx<'_>,
    input: PutFunctionConcurrencyInput,
) -> Result<Concurrency, Error> {
    let target = unqualified(tx, &input.function_name)?;
    let missing = || function_not_found(&target.arn_with("$LATEST"));
    let mut function: Function = FUNCTIONS.get(tx, &target.key())?.ok_or_else(missing)?;
    let reserved = u32::try_from(input.reserved_concurrent_executions).unwrap_or(0);
    let others = reserved_total(tx, &target.account, &target.region)?
        .saturating_sub(function.reserved.unwrap_or(0));
    if others.saturating_add(reserved).saturating_add(MIN_UNRESERVED) > ACCOUNT_LIMIT {
        return Err(invalid(format!(
            "Specified ReservedConcurrentExecutions for function decreases account's UnreservedConcurrentExecution \
             below its minimum value of [{MIN_UNRESERVED}]."
        )));
    }
    function.reserved = Some(reserved);
    FUNCTIONS.put(tx, &target.key(), &function)?;
    Ok(Concurrency { reserved_concurrent_executions: i32::try_from(reserved).ok() })
}

/// Shows the reservation.
pub(crate) fn get(
    tx: &ReadTx<'_>,
    input: GetFunctionConcurrencyInput,
) -> Result<GetFunctionConcurrencyOutput, Error> {
    let target = unqualified(tx, &input.function_name)?;
    let reserved = store::function(tx, &target)?.reserved;
    Ok(GetFunctionConcurrencyOutput {
        reserved_concurrent_executions: reserved.and_then(|it| i32::try_from(it).ok()),
    })
}

/// Gives the reservation back.
pub(crate) fn delete(
    tx: &mut WriteTx<'_>,
    input: DeleteFunctionConcurrencyInput,
) -> Result<DeleteFunctionConcurrencyOutput, Error> {
    let target = unqualified(tx, &input.function_name)?;
    let mut function = store::function(tx, &target)?;
    function.reserved = None;
    FUNCTIONS.put(tx, &target.key(), &function)?;
    Ok(DeleteFunctionConcurrencyOutput {})
}

/// What all functions of an account have reserved in a region.
pub(crate) fn reserved_total(
    tx: &impl Read,
    account: &str,
    region: &str,
) -> Result<u32, fogbank_core::store::Error> {
    let mut total: u32 = 0;
    FUNCTIONS.scan(tx, &(account, region), |_, function| {
        total = total.saturating_add(function.reserved.unwrap_or(0));
        ControlFlow::Continue(())
    })?;
    Ok(total)
}

fn unqualified(tx: &impl Tx, name: &str) -> Result<Target, Error> {
    let target = Target::parse(name, None, tx.account(), tx.region())?;
    if target.qualifier.is_some() {
        return Err(invalid(
            "This operation is permitted on Lambda functions only. Aliases and versions do not support this \
             operation. Please specify either a function name or an unqualified function ARN.",
        ));
    }
    Ok(target)
}

/// The invocations that run now, by function.
#[derive(Default)]
pub(crate) struct Running(Mutex<HashMap<String, u32>>);

/// A running invocation; dropping it ends the count.
pub(crate) struct Place {
    running: Arc<Running>,
    function_id: String,
}

impl Running {
    /// Takes a place for a function, unless all that it has reserved are taken.
    pub(crate) fn enter(self: &Arc<Self>, function: &Function) -> Result<Place, Error> {
        let mut running = self.0.lock();
        let count = running.entry(function.id.clone()).or_default();
        if function.reserved.is_some_and(|reserved| *count >= reserved) {
            if *count == 0 {
                running.remove(&function.id);
            }
            return Err(too_many_requests("ReservedFunctionConcurrentInvocationLimitExceeded"));
        }
        *count += 1;
        Ok(Place { running: Arc::clone(self), function_id: function.id.clone() })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut running = self.running.0.lock();
        if let Some(count) = running.get_mut(&self.function_id) {
            *count -= 1;
            if *count == 0 {
                running.remove(&self.function_id);
            }
        }
    }
}
