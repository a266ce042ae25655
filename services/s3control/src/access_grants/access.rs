//! What each operation of Access Grants must be allowed to do.

use fogbank_accesspoints::{GRANTS, Granted, LOCATIONS};
use fogbank_core::wire::Struct;
use fogbank_core::{Access, Check, Fault, ReadTx, Request, Tx};

use super::{SERVICE, scopes};
use crate::access::own;
use crate::model::{
    CreateAccessGrantInput, CreateAccessGrantsInstanceInput, CreateAccessGrantsLocationInput,
    S3PrefixType, Tag, UpdateAccessGrantsLocationInput,
};

type Allowed = Result<Access, Fault>;

/// The condition keys that tell which data a location or a grant is about.
const LOCATION_SCOPE: &str = "s3:AccessGrantsLocationScope";
const GRANT_SCOPE: &str = "s3:AccessGrantScope";

fn arn(what: Granted<'_>, request: &Request, input: &dyn Struct) -> String {
    what.arn(input.text("AccountId").unwrap_or_default(), &request.region)
}

/// Adds the tags that something new gets, which only who may tag can give.
fn with_tags(access: Access, arn: &str, tags: Option<&[Tag]>) -> Access {
    match tags.unwrap_or_default() {
        [] => access,
        tags => access
            .and("s3:TagResource", arn)
            .with_tags(tags.iter().map(|tag| (&tag.key, &tag.value))),
    }
}

/// An action on the caller's instance.
pub(crate) fn instance(action: &'static str, request: &Request, input: &dyn Struct) -> Allowed {
    let arn = arn(Granted::Instance, request, input);
    let access = Access::to(action, arn.clone());
    let access = match input.downcast_ref::<CreateAccessGrantsInstanceInput>() {
        Some(input) => with_tags(access, &arn, input.tags.as_deref()),
        None => access,
    };
    own(access, request, input)
}

/// An action on an instance that another account's policy may allow as well.
pub(crate) fn shared(action: &'static str, request: &Request, input: &dyn Struct) -> Allowed {
    Ok(Access::to(action, arn(Granted::Instance, request, input)))
}

/// Registering a location, to which a role is passed.
pub(crate) fn create_location(request: &Request, input: &dyn Struct) -> Allowed {
    let own_arn = arn(Granted::Instance, request, input);
    let access = Access::to("s3:CreateAccessGrantsLocation", own_arn.clone());
    let access = own(access, request, input)?;
    let Some(given) = input.downcast_ref::<CreateAccessGrantsLocationInput>() else {
        return Ok(access);
    };
    let access = access.last_with(LOCATION_SCOPE, [given.location_scope.clone()]);
    let new = arn(Granted::Location("*"), request, input);
    let access = with_tags(access, &new, given.tags.as_deref());
    Ok(access.and_pass_role(&*given.iam_role_arn, SERVICE, own_arn))
}

/// An action on the location that the input names.
pub(crate) fn location(action: &'static str, request: &Request, input: &dyn Struct) -> Allowed {
    let id = input.text("AccessGrantsLocationId").unwrap_or_default();
    let access = Access::to(action, arn(Granted::Location(id), request, input));
    let access = own(access, request, input)?.refined(refine_location);
    Ok(match input.downcast_ref::<UpdateAccessGrantsLocationInput>() {
        Some(given) => {
            let own_arn = arn(Granted::Instance, request, input);
            access.and_pass_role(&*given.iam_role_arn, SERVICE, own_arn)
        }
        None => access,
    })
}

/// Granting some of a location's data.
pub(crate) fn create_grant(request: &Request, input: &dyn Struct) -> Allowed {
    let access = location("s3:CreateAccessGrant", request, input)?;
    let Some(given) = input.downcast_ref::<CreateAccessGrantInput>() else { return Ok(access) };
    let new = arn(Granted::Grant("*"), request, input);
    Ok(with_tags(access, &new, given.tags.as_deref()).refined(refine_new_grant))
}

/// An action on the grant that the input names.
pub(crate) fn grant(action: &'static str, request: &Request, input: &dyn Struct) -> Allowed {
    let id = input.text("AccessGrantId").unwrap_or_default();
    let access = Access::to(action, arn(Granted::Grant(id), request, input));
    Ok(own(access, request, input)?.refined(refine_grant))
}

fn tell(checks: &mut [Check], key: &'static str, value: Option<String>) {
    if let Some((check, value)) = checks.first_mut().zip(value) {
        check.context.push((key.into(), vec![value]));
    }
}

/// Adds where the location's data lies.
fn refine_location(tx: &ReadTx<'_>, input: &dyn Struct, checks: &mut [Check]) -> Result<(), Fault> {
    let id = input.text("AccessGrantsLocationId").unwrap_or_default();
    let found = LOCATIONS.get(tx, &(tx.account(), tx.region(), id))?;
    tell(checks, LOCATION_SCOPE, found.map(|row| row.scope));
    Ok(())
}

/// Adds which data is granted.
fn refine_grant(tx: &ReadTx<'_>, input: &dyn Struct, checks: &mut [Check]) -> Result<(), Fault> {
    let id = input.text("AccessGrantId").unwrap_or_default();
    let found = GRANTS.get(tx, &(tx.account(), tx.region(), id))?;
    tell(checks, GRANT_SCOPE, found.map(|row| row.scope));
    Ok(())
}

/// Adds which data is to be granted.
fn refine_new_grant(
    tx: &ReadTx<'_>,
    input: &dyn Struct,
    checks: &mut [Check],
) -> Result<(), Fault> {
    let Some(given) = input.downcast_ref::<CreateAccessGrantInput>() else { return Ok(()) };
    let place = (tx.account(), tx.region(), &*given.access_grants_location_id);
    let Some(location) = LOCATIONS.get(tx, &place)? else { return Ok(()) };
    let configuration = given.access_grants_location_configuration.as_ref();
    let sub_prefix = configuration.and_then(|given| given.s3_sub_prefix.as_deref());
    let is_object = given.s3_prefix_type == Some(S3PrefixType::Object);
    let scope = scopes::granted(&location.scope, sub_prefix, is_object);
    tell(checks, GRANT_SCOPE, scope.map(|scope| scope.shown()));
    Ok(())
}
