//! Whether a call may be made: the operation's access, the caller's policies, the resource's.

use fogbank_core::wire::Struct;
use fogbank_core::{Access, Arn, Cx, Fault, PrincipalKind, ReadTx};

use crate::Inner;
use crate::catalogue::{Catalogue, Known};

/// Refuses the call unless every check of the operation's access is granted.
pub(crate) fn authorise(
    gateway: &Inner,
    known: &Known,
    cx: &Cx,
    input: &dyn Struct,
) -> Result<(), Fault> {
    let mut access = (known.op.access)(cx.request(), input)?;
    if let Some(refine) = access.refine
        && !matches!(cx.request().principal.kind, PrincipalKind::Root)
    {
        cx.read(|tx| refine(tx, input, &mut access.checks))?;
    }
    granted(gateway, &known.action, cx, &access)
}

/// Refuses unless every check is granted; `own` is the action of checks that name none.
pub(crate) fn granted(gateway: &Inner, own: &str, cx: &Cx, access: &Access) -> Result<(), Fault> {
    if access.checks.is_empty() {
        return Ok(());
    }
    cx.read(|tx| {
        for check in &access.checks {
            let action = if check.action.is_empty() { own } else { &*check.action };
            let policy = resource_policy(&gateway.catalogue, tx, &check.resource)?;
            gateway.directory.authorise(tx, cx.request(), action, check, policy.as_ref())?;
        }
        Ok(())
    })
}

fn resource_policy(
    catalogue: &Catalogue,
    tx: &ReadTx<'_>,
    resource: &str,
) -> Result<Option<fogbank_core::ResourcePolicy>, Fault> {
    let Some(arn) = Arn::parse(resource) else { return Ok(None) };
    let Some(entry) = catalogue.by_name(arn.service) else { return Ok(None) };
    match entry.service.resource_policy {
        Some(look_up) => look_up(tx, resource),
        None => Ok(None),
    }
}
