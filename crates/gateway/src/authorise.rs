//! Whether a call may be made: the operation's access, the caller's policies, the resource's.

use fogbank_core::wire::Struct;
use fogbank_core::{Access, Arn, Check, Fault, PrincipalKind, ReadTx, Service, Tx};
use fogbank_identity::TagsOf;

use crate::Inner;
use crate::catalogue::{Catalogue, Known};

/// Refuses the call unless every check of the operation's access is granted.
pub(crate) fn authorise(
    gateway: &Inner,
    known: &Known,
    tx: &ReadTx<'_>,
    input: &dyn Struct,
) -> Result<(), Fault> {
    let request = tx.request();
    let mut access = (known.op.access)(request, input)?;
    if let Some(locate) = access.locate {
        locate(tx, input, &mut access.checks)?;
    }
    if let Some(refine) = access.refine
        && (request.principal.kind != PrincipalKind::Root || is_judged(gateway, tx, &access)?)
    {
        refine(tx, input, &mut access.checks)?;
    }
    let outcome = granted(gateway, &known.action, tx, &access);
    match (outcome, access.explain) {
        (Err(refusal), Some(explain)) => Err(explain(tx, input, refusal)),
        (outcome, _) => outcome,
    }
}

/// Whether a policy may say something of a call of an account's root: its organization's, its session's or a resource's.
fn is_judged(gateway: &Inner, tx: &ReadTx<'_>, access: &Access) -> Result<bool, Fault> {
    if gateway.directory.is_limited(tx, &tx.request().principal)? {
        return Ok(true);
    }
    for check in &access.checks {
        let service = service_of(&gateway.catalogue, &check.resource);
        let policy = match service.and_then(|service| service.resource_policy) {
            Some(look_up) => look_up(tx, check)?,
            None => None,
        };
        if policy.is_some_and(|policy| policy.document.is_some()) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Refuses unless every check is granted; `own` is the action of checks that name none.
pub(crate) fn granted(
    gateway: &Inner,
    own: &str,
    tx: &ReadTx<'_>,
    access: &Access,
) -> Result<(), Fault> {
    for check in &access.checks {
        match tx.request().ways.iter().find_map(|way| way.checks(check, own)) {
            None => grant(gateway, own, tx, check)?,
            Some(checks) => checks.iter().try_for_each(|check| grant(gateway, own, tx, check))?,
        }
    }
    Ok(())
}

fn grant(gateway: &Inner, own: &str, tx: &ReadTx<'_>, check: &Check) -> Result<(), Fault> {
    let action = if check.action.is_empty() { own } else { &*check.action };
    let service = service_of(&gateway.catalogue, &check.resource);
    let policy = match service.and_then(|service| service.resource_policy) {
        Some(look_up) => look_up(tx, check)?,
        None => None,
    };
    let find_tags = |whose: TagsOf| {
        let look_up = service.and_then(|service| match whose {
            TagsOf::Resource => service.resource_tags,
            TagsOf::Object => service.object_tags,
        });
        look_up.map_or_else(|| Ok(Vec::new()), |look_up| look_up(tx, check))
    };
    let (policy, request) = (policy.as_ref(), tx.cx().shared_request());
    gateway.directory.authorise(tx, request, action, check, policy, Some(&find_tags))?;
    Ok(())
}

/// The service that has the resource with this ARN.
fn service_of(catalogue: &Catalogue, resource: &str) -> Option<&'static Service> {
    let arn = Arn::parse(resource)?;
    // ARNs of API Gateway have the name by which its requests are signed.
    let signing = || catalogue.by_signing_name(arn.service).next();
    Some(catalogue.by_name(arn.service).or_else(signing)?.service)
}
