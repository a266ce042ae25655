//! Permissions boundaries of users and roles.

use fogbank_core::{Tx, WriteTx};
use fogbank_identity::rows::{Grants, Role, User};

use crate::attached_policies;
use crate::error::Error;
use crate::model::{
    AttachedPermissionsBoundary, DeleteRolePermissionsBoundaryInput,
    DeleteRolePermissionsBoundaryOutput, DeleteUserPermissionsBoundaryInput,
    DeleteUserPermissionsBoundaryOutput, PutRolePermissionsBoundaryInput,
    PutRolePermissionsBoundaryOutput, PutUserPermissionsBoundaryInput,
    PutUserPermissionsBoundaryOutput,
};
use crate::store::{self, Holder, Use};

/// Sets a user's boundary.
pub(crate) fn put_user(
    tx: &mut WriteTx<'_>,
    input: PutUserPermissionsBoundaryInput,
) -> Result<PutUserPermissionsBoundaryOutput, Error> {
    set::<User>(tx, &input.user_name, Some(input.permissions_boundary))?;
    Ok(PutUserPermissionsBoundaryOutput {})
}

/// Removes a user's boundary.
pub(crate) fn delete_user(
    tx: &mut WriteTx<'_>,
    input: DeleteUserPermissionsBoundaryInput,
) -> Result<DeleteUserPermissionsBoundaryOutput, Error> {
    set::<User>(tx, &input.user_name, None)?;
    Ok(DeleteUserPermissionsBoundaryOutput {})
}

/// Sets a role's boundary.
pub(crate) fn put_role(
    tx: &mut WriteTx<'_>,
    input: PutRolePermissionsBoundaryInput,
) -> Result<PutRolePermissionsBoundaryOutput, Error> {
    set::<Role>(tx, &input.role_name, Some(input.permissions_boundary))?;
    Ok(PutRolePermissionsBoundaryOutput {})
}

/// Removes a role's boundary.
pub(crate) fn delete_role(
    tx: &mut WriteTx<'_>,
    input: DeleteRolePermissionsBoundaryInput,
) -> Result<DeleteRolePermissionsBoundaryOutput, Error> {
    set::<Role>(tx, &input.role_name, None)?;
    Ok(DeleteRolePermissionsBoundaryOutput {})
}

fn set<H: Holder>(tx: &mut WriteTx<'_>, name: &str, boundary: Option<String>) -> Result<(), Error> {
    let mut holder: H = store::changeable(tx, name)?;
    let boundary = checked::<H>(tx, boundary)?;
    if let Some(old) = holder.grants_mut().boundary.take() {
        store::remove_use(tx, &holder, Use::Boundary, &old)?;
    }
    if let Some(new) = &boundary {
        store::add_use(tx, &holder, Use::Boundary, new)?;
    }
    holder.grants_mut().boundary = boundary;
    store::save(tx, &holder)
}

/// The boundary, if its policy exists.
pub(crate) fn checked<H: Holder>(
    tx: &impl Tx,
    boundary: Option<String>,
) -> Result<Option<String>, Error> {
    if let Some(arn) = &boundary {
        attached_policies::check_attachable::<H>(arn)?;
    }
    match boundary {
        Some(arn) if !store::policy_exists(tx, &arn)? => Err(Error::NoSuchEntityException(
            format!("Scope ARN: {arn} does not exist or is not attachable."),
        )),
        boundary => Ok(boundary),
    }
}

/// The boundary as answers show it.
pub(crate) fn shown(grants: &Grants) -> Option<AttachedPermissionsBoundary> {
    grants.boundary.clone().map(|arn| AttachedPermissionsBoundary {
        permissions_boundary_type: Some("Policy".to_owned()),
        permissions_boundary_arn: Some(arn),
    })
}
