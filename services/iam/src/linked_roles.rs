//! Service-linked roles: roles that only the service which they are for may use and that IAM's users cannot change.

use fogbank_core::{ReadTx, Tx, WriteTx};
use fogbank_identity::managed;
use fogbank_identity::rows::{self, Grants, LAST_USES, ROLE_DELETIONS, Role, RoleDeletion};

use crate::error::Error;
use crate::model::{
    CreateServiceLinkedRoleInput, CreateServiceLinkedRoleOutput, DeleteServiceLinkedRoleInput,
    DeleteServiceLinkedRoleOutput, GetServiceLinkedRoleDeletionStatusInput,
    GetServiceLinkedRoleDeletionStatusOutput,
};
use crate::rules::linked::{self, Linked};
use crate::{roles, store};

/// Creates the role of a service.
pub(crate) fn create(
    tx: &mut WriteTx<'_>,
    input: CreateServiceLinkedRoleInput,
) -> Result<CreateServiceLinkedRoleOutput, Error> {
    let service = input.aws_service_name;
    let linked = linked::find(&service).ok_or_else(|| {
        // Of services that are not known here, neither the role's name nor its policy could be made up.
        Error::InvalidInputException(format!("{service} does not support service-linked roles."))
    })?;
    let name = role_name(&service, linked, input.custom_suffix.as_deref())?;
    let role = Role {
        name,
        path: linked::path(&service),
        id: format!("AROA{}", tx.ids().upper(17)),
        created_secs: tx.now().secs(),
        description: input.description.filter(|text| !text.is_empty()),
        trust: linked::trust(&service),
        trusted: Vec::new(),
        max_session_secs: roles::SESSION_SECS,
        tags: Vec::new(),
        grants: Grants {
            attached: vec![rows::entity_arn(
                managed::OWNER,
                "policy",
                "/aws-service-role/",
                linked.policy,
            )],
            ..Grants::default()
        },
    };
    match store::create(tx, &role) {
        Err(Error::EntityAlreadyExistsException(_)) => {
            return Err(Error::InvalidInputException(format!(
                "Service role name {} has been taken in this account, please try a different suffix.",
                role.name
            )));
        }
        outcome => outcome?,
    }
    Ok(CreateServiceLinkedRoleOutput { role: Some(roles::listed(tx, &role)?) })
}

fn role_name(service: &str, linked: &Linked, suffix: Option<&str>) -> Result<String, Error> {
    let name = format!("AWSServiceRoleFor{}", linked.name);
    match suffix {
        Some(suffix) if linked.has_suffix => Ok(format!("{name}_{suffix}")),
        Some(_) => {
            Err(Error::InvalidInputException(format!("Custom suffix is not allowed for {service}")))
        }
        None => Ok(name),
    }
}

/// Deletes the role of a service. No service here keeps resources that would need it, so that it is gone at once.
pub(crate) fn delete(
    tx: &mut WriteTx<'_>,
    input: DeleteServiceLinkedRoleInput,
) -> Result<DeleteServiceLinkedRoleOutput, Error> {
    let role: Role = store::find(tx, &input.role_name)?;
    let Some(service) = linked::service_of(&role.path) else {
        return Err(Error::InvalidInputException(format!(
            "The role with name {} is not a service-linked role.",
            role.name
        )));
    };
    LAST_USES.delete(tx, &role.id)?;
    store::delete(tx, &role)?;
    let id = format!("task/aws-service-role/{service}/{}/{}", role.name, tx.ids().uuid());
    let key = (tx.account().to_owned(), id.clone());
    ROLE_DELETIONS.put(tx, &key, &RoleDeletion { created_secs: tx.now().secs() })?;
    Ok(DeleteServiceLinkedRoleOutput { deletion_task_id: Some(id) })
}

/// Says that a role's deletion succeeded.
pub(crate) fn get_deletion_status(
    tx: &ReadTx<'_>,
    input: GetServiceLinkedRoleDeletionStatusInput,
) -> Result<GetServiceLinkedRoleDeletionStatusOutput, Error> {
    let id = input.deletion_task_id;
    if !ROLE_DELETIONS.contains(tx, &(tx.account(), &*id))? {
        let message = format!("The deletion task with id {id} cannot be found.");
        return Err(Error::NoSuchEntityException(message));
    }
    let status = Some("SUCCEEDED".to_owned());
    Ok(GetServiceLinkedRoleDeletionStatusOutput { status, reason: None })
}
