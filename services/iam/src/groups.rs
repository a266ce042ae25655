//! Groups and the users in them.

use fogbank_core::{Access, ReadTx, Tx, WriteTx};
use fogbank_identity::rows::{self, Grants, MEMBERS, fold};

use crate::error::Error;
use crate::model::{
    AddUserToGroupInput, AddUserToGroupOutput, CreateGroupInput, CreateGroupOutput,
    DeleteGroupInput, DeleteGroupOutput, GetGroupInput, GetGroupOutput, Group,
    ListGroupsForUserInput, ListGroupsForUserOutput, ListGroupsInput, ListGroupsOutput,
    RemoveUserFromGroupInput, RemoveUserFromGroupOutput, UpdateGroupInput, UpdateGroupOutput,
};
use crate::rules::{self, Page};
use crate::{store, users};

/// Creates a group.
pub(crate) fn create(
    tx: &mut WriteTx<'_>,
    input: CreateGroupInput,
) -> Result<CreateGroupOutput, Error> {
    let group = rows::Group {
        name: input.group_name,
        path: input.path.unwrap_or_else(|| "/".to_owned()),
        id: format!("AGPA{}", tx.ids().upper(17)),
        created_secs: tx.now().secs(),
        grants: Grants::default(),
    };
    store::create(tx, &group)?;
    Ok(CreateGroupOutput { group: Some(shown(tx.account(), &group)) })
}

/// Shows a group and a page of its users.
pub(crate) fn get(tx: &ReadTx<'_>, input: GetGroupInput) -> Result<GetGroupOutput, Error> {
    let group: rows::Group = store::find(tx, &input.group_name)?;
    let members = store::members(tx, &group.name)?;
    let page = Page::of(members, Clone::clone, input.marker.as_deref(), input.max_items)?;
    let is_truncated = page.is_truncated();
    let mut shown_users = Vec::new();
    for folded in &page.items {
        let user = rows::USERS.get(tx, &(tx.account(), &**folded))?;
        shown_users.extend(user.map(|user| users::listed(tx.account(), &user)));
    }
    Ok(GetGroupOutput {
        group: Some(shown(tx.account(), &group)),
        users: Some(shown_users),
        is_truncated,
        marker: page.marker,
    })
}

/// Lists the groups under a path.
pub(crate) fn list(tx: &ReadTx<'_>, input: ListGroupsInput) -> Result<ListGroupsOutput, Error> {
    let page = store::page::<rows::Group>(
        tx,
        input.path_prefix.as_deref(),
        input.marker.as_deref(),
        input.max_items,
    )?;
    let is_truncated = page.is_truncated();
    let groups = page.items.iter().map(|group| shown(tx.account(), group)).collect();
    Ok(ListGroupsOutput { groups: Some(groups), is_truncated, marker: page.marker })
}

/// Changes a group's name and path.
pub(crate) fn update(
    tx: &mut WriteTx<'_>,
    input: UpdateGroupInput,
) -> Result<UpdateGroupOutput, Error> {
    let old: rows::Group = store::find(tx, &input.group_name)?;
    let mut new = old.clone();
    if let Some(name) = input.new_group_name {
        new.name = name;
    }
    if let Some(path) = input.new_path {
        new.path = path;
    }
    // As with users, both names need permission.
    tx.cx().authorise(&Access::on(new.arn(tx.account())))?;
    store::rename_group(tx, &old, &new)?;
    Ok(UpdateGroupOutput {})
}

/// Deletes a group that has nothing left.
pub(crate) fn delete(
    tx: &mut WriteTx<'_>,
    input: DeleteGroupInput,
) -> Result<DeleteGroupOutput, Error> {
    let group: rows::Group = store::find(tx, &input.group_name)?;
    let conflict = if !store::members(tx, &group.name)?.is_empty() {
        "Cannot delete entity, must remove users from group first."
    } else if !group.grants.attached.is_empty() {
        "Cannot delete entity, must detach all policies first."
    } else if !group.grants.inline.is_empty() {
        "Cannot delete entity, must delete policies first."
    } else {
        store::delete(tx, &group)?;
        return Ok(DeleteGroupOutput {});
    };
    Err(Error::DeleteConflictException(conflict))
}

/// Puts a user into a group.
pub(crate) fn add_user(
    tx: &mut WriteTx<'_>,
    input: AddUserToGroupInput,
) -> Result<AddUserToGroupOutput, Error> {
    let group: rows::Group = store::find(tx, &input.group_name)?;
    let mut user: rows::User = store::find(tx, &input.user_name)?;
    let folded = fold(&group.name);
    if user.groups.contains(&folded) {
        return Ok(AddUserToGroupOutput {});
    }
    if user.groups.len() >= rules::GROUPS_PER_USER {
        return Err(Error::quota("GroupsPerUser", rules::GROUPS_PER_USER));
    }
    let key = (tx.account().to_owned(), &*folded, fold(&user.name));
    MEMBERS.put(tx, &key, &())?;
    user.groups.push(folded);
    store::save(tx, &user)?;
    Ok(AddUserToGroupOutput {})
}

/// Takes a user out of a group.
pub(crate) fn remove_user(
    tx: &mut WriteTx<'_>,
    input: RemoveUserFromGroupInput,
) -> Result<RemoveUserFromGroupOutput, Error> {
    let group: rows::Group = store::find(tx, &input.group_name)?;
    let mut user: rows::User = store::find(tx, &input.user_name)?;
    let folded = fold(&group.name);
    user.groups.retain(|group| *group != folded);
    let key = (tx.account().to_owned(), folded, fold(&user.name));
    MEMBERS.delete(tx, &key)?;
    store::save(tx, &user)?;
    Ok(RemoveUserFromGroupOutput {})
}

/// Lists the groups that a user is in.
pub(crate) fn list_for_user(
    tx: &ReadTx<'_>,
    input: ListGroupsForUserInput,
) -> Result<ListGroupsForUserOutput, Error> {
    let user: rows::User = store::find(tx, &input.user_name)?;
    let page = Page::of(user.groups, Clone::clone, input.marker.as_deref(), input.max_items)?;
    let is_truncated = page.is_truncated();
    let mut groups = Vec::new();
    for folded in &page.items {
        let group = rows::GROUPS.get(tx, &(tx.account(), &**folded))?;
        groups.extend(group.map(|group| shown(tx.account(), &group)));
    }
    Ok(ListGroupsForUserOutput { groups: Some(groups), is_truncated, marker: page.marker })
}

/// A group as answers show it.
pub(crate) fn shown(account: &str, group: &rows::Group) -> Group {
    Group {
        path: Some(group.path.clone()),
        group_name: Some(group.name.clone()),
        group_id: Some(group.id.clone()),
        arn: Some(group.arn(account)),
        create_date: store::time(group.created_secs),
    }
}
