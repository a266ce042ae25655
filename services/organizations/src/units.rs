//! Organizational units, and what lies in what.

use fogbank_core::{ReadTx, Tx, WriteTx};
use fogbank_identity::organizations::{CHILDREN, UNITS, Unit};
use fogbank_identity::rows::changed;

use crate::error::Error;
use crate::model::{
    Child, ChildType, CreateOrganizationalUnitInput, CreateOrganizationalUnitOutput,
    DeleteOrganizationalUnitInput, DeleteOrganizationalUnitOutput, DescribeOrganizationalUnitInput,
    DescribeOrganizationalUnitOutput, ListChildrenInput, ListChildrenOutput,
    ListOrganizationalUnitsForParentInput, ListOrganizationalUnitsForParentOutput,
    ListParentsInput, ListParentsOutput, OrganizationalUnit, Parent, UpdateOrganizationalUnitInput,
    UpdateOrganizationalUnitOutput,
};
use crate::rules;
use crate::store::{self, Found, is_account};

/// Creates a unit in a root or unit.
pub(crate) fn create(
    tx: &mut WriteTx<'_>,
    input: CreateOrganizationalUnitInput,
) -> Result<CreateOrganizationalUnitOutput, Error> {
    let found = store::managed(tx)?;
    let tags = rules::tags(input.tags)?;
    found.unit(tx, &input.parent_id)?.ok_or(Error::ParentNotFoundException)?;
    require_free(tx, &found, &input.parent_id, &input.name)?;
    if found.units(tx)?.len() > rules::UNITS {
        let message = "You have exceeded the number of organizational units that you can have.";
        return Err(Error::constraint("OU_NUMBER_LIMIT_EXCEEDED", message));
    }
    if path(tx, &found, &input.parent_id)?.len() > rules::UNIT_DEPTH {
        let message = "You have exceeded the number of levels that an OU tree can have.";
        return Err(Error::constraint("OU_DEPTH_LIMIT_EXCEEDED", message));
    }
    let of_root = found.row.root.trim_start_matches("r-");
    let id = format!("ou-{of_root}-{}", tx.ids().lower(8));
    let unit = Unit { name: input.name, parent: input.parent_id, tags };
    UNITS.put(tx, &(&*found.id, &*id), &unit)?;
    CHILDREN.put(tx, &(&*found.id, &*unit.parent, &*id), &())?;
    found.attach_defaults(tx, &id)?;
    Ok(CreateOrganizationalUnitOutput { organizational_unit: Some(shown(tx, &found, &id, &unit)?) })
}

/// Refuses a name that another unit of the parent has.
fn require_free(tx: &impl Tx, found: &Found, parent: &str, name: &str) -> Result<(), Error> {
    for sibling in found.children(tx, parent)? {
        if found.unit(tx, &sibling)?.is_some_and(|unit| unit.name == name) {
            return Err(Error::DuplicateOrganizationalUnitException);
        }
    }
    Ok(())
}

/// The root and the units from it down to `id`.
fn path(tx: &impl Tx, found: &Found, id: &str) -> Result<Vec<String>, Error> {
    let mut path = Vec::new();
    let mut above = id.to_owned();
    while let Some(unit) = found.unit(tx, &above)? {
        path.push(above);
        above = unit.parent;
    }
    path.reverse();
    Ok(path)
}

fn shown(tx: &impl Tx, found: &Found, id: &str, unit: &Unit) -> Result<OrganizationalUnit, Error> {
    let management = &found.row.management;
    Ok(OrganizationalUnit {
        id: Some(id.to_owned()),
        arn: Some(format!("arn:aws:organizations::{management}:ou/{}/{id}", found.id)),
        name: Some(unit.name.clone()),
        path: Some(format!("{}/{}/", found.id, path(tx, found, id)?.join("/"))),
    })
}

/// A unit that is not the root.
fn unit(tx: &impl Tx, found: &Found, id: &str) -> Result<Unit, Error> {
    let unit = found.unit(tx, id)?.filter(|unit| !unit.parent.is_empty());
    unit.ok_or(Error::OrganizationalUnitNotFoundException)
}

/// Renames a unit.
pub(crate) fn update(
    tx: &mut WriteTx<'_>,
    input: UpdateOrganizationalUnitInput,
) -> Result<UpdateOrganizationalUnitOutput, Error> {
    let found = store::managed(tx)?;
    let id = input.organizational_unit_id;
    let mut unit = unit(tx, &found, &id)?;
    if let Some(name) = input.name
        && name != unit.name
    {
        require_free(tx, &found, &unit.parent, &name)?;
        unit.name = name;
        UNITS.put(tx, &(&*found.id, &*id), &unit)?;
    }
    Ok(UpdateOrganizationalUnitOutput { organizational_unit: Some(shown(tx, &found, &id, &unit)?) })
}

/// Removes a unit that holds nothing.
pub(crate) fn delete(
    tx: &mut WriteTx<'_>,
    input: DeleteOrganizationalUnitInput,
) -> Result<DeleteOrganizationalUnitOutput, Error> {
    let found = store::managed(tx)?;
    let id = input.organizational_unit_id;
    let unit = unit(tx, &found, &id)?;
    if !found.children(tx, &id)?.is_empty() {
        return Err(Error::OrganizationalUnitNotEmptyException);
    }
    found.detach_all(tx, &id)?;
    CHILDREN.delete(tx, &(&*found.id, &*unit.parent, &*id))?;
    UNITS.delete(tx, &(&*found.id, &*id))?;
    changed(tx)?;
    Ok(DeleteOrganizationalUnitOutput {})
}

/// Shows a unit.
pub(crate) fn describe(
    tx: &ReadTx<'_>,
    input: DescribeOrganizationalUnitInput,
) -> Result<DescribeOrganizationalUnitOutput, Error> {
    let found = store::visible(tx)?;
    let id = input.organizational_unit_id;
    let unit = unit(tx, &found, &id)?;
    Ok(DescribeOrganizationalUnitOutput {
        organizational_unit: Some(shown(tx, &found, &id, &unit)?),
    })
}

/// The children of a root or unit that are accounts, or those that are not.
pub(crate) fn children(
    tx: &impl Tx,
    found: &Found,
    parent: &str,
    accounts: bool,
) -> Result<Vec<String>, Error> {
    found.unit(tx, parent)?.ok_or(Error::ParentNotFoundException)?;
    let children = found.children(tx, parent)?;
    Ok(children.into_iter().filter(|id| is_account(id) == accounts).collect())
}

/// Lists the units in a root or unit.
pub(crate) fn list(
    tx: &ReadTx<'_>,
    input: ListOrganizationalUnitsForParentInput,
) -> Result<ListOrganizationalUnitsForParentOutput, Error> {
    let found = store::visible(tx)?;
    let ids = children(tx, &found, &input.parent_id, false)?;
    let (ids, next_token) = rules::page(ids, input.next_token.as_deref(), input.max_results)?;
    let mut units = Vec::new();
    for id in ids {
        let unit = unit(tx, &found, &id)?;
        units.push(shown(tx, &found, &id, &unit)?);
    }
    Ok(ListOrganizationalUnitsForParentOutput { organizational_units: Some(units), next_token })
}

/// Lists what a root or unit holds, of one kind.
pub(crate) fn list_children(
    tx: &ReadTx<'_>,
    input: ListChildrenInput,
) -> Result<ListChildrenOutput, Error> {
    let found = store::visible(tx)?;
    let kind = input.child_type;
    let ids = children(tx, &found, &input.parent_id, kind == ChildType::Account)?;
    let (ids, next_token) = rules::page(ids, input.next_token.as_deref(), input.max_results)?;
    let children = ids.into_iter().map(|id| Child { id: Some(id), r#type: Some(kind) }).collect();
    Ok(ListChildrenOutput { children: Some(children), next_token })
}

/// Names what holds an account or unit.
pub(crate) fn list_parents(
    tx: &ReadTx<'_>,
    input: ListParentsInput,
) -> Result<ListParentsOutput, Error> {
    let found = store::visible(tx)?;
    let id = input.child_id;
    let parent = if is_account(&id) {
        found.account(tx, &id).map_err(|_| Error::ChildNotFoundException)?.parent
    } else {
        unit(tx, &found, &id).map_err(|_| Error::ChildNotFoundException)?.parent
    };
    let kind = if parent == found.row.root { "ROOT" } else { "ORGANIZATIONAL_UNIT" };
    let parent = Parent { id: Some(parent), r#type: Some(kind.to_owned()) };
    Ok(ListParentsOutput { parents: Some(vec![parent]), next_token: None })
}
