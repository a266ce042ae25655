//! Tags of users and roles.

use fogbank_core::{ReadTx, WriteTx};
use fogbank_identity::rows::{Role, User};

use crate::error::Error;
use crate::model::{
    ListRoleTagsInput, ListRoleTagsOutput, ListUserTagsInput, ListUserTagsOutput, Tag,
    TagRoleInput, TagRoleOutput, TagUserInput, TagUserOutput, UntagRoleInput, UntagRoleOutput,
    UntagUserInput, UntagUserOutput,
};
use crate::rules::{self, Page};
use crate::store;

/// Puts tags on a user.
pub(crate) fn tag_user(tx: &mut WriteTx<'_>, input: TagUserInput) -> Result<TagUserOutput, Error> {
    let mut user: User = store::find(tx, &input.user_name)?;
    rules::add_tags(&mut user.tags, rules::tags(input.tags)?, "User")?;
    store::save(tx, &user)?;
    Ok(TagUserOutput {})
}

/// Removes tags from a user.
pub(crate) fn untag_user(
    tx: &mut WriteTx<'_>,
    input: UntagUserInput,
) -> Result<UntagUserOutput, Error> {
    let mut user: User = store::find(tx, &input.user_name)?;
    rules::remove_tags(&mut user.tags, &input.tag_keys);
    store::save(tx, &user)?;
    Ok(UntagUserOutput {})
}

/// Lists the tags of a user.
pub(crate) fn list_user(
    tx: &ReadTx<'_>,
    input: ListUserTagsInput,
) -> Result<ListUserTagsOutput, Error> {
    let user: User = store::find(tx, &input.user_name)?;
    let tags = rules::shown_tags(&user.tags);
    let page = Page::of(tags, key, input.marker.as_deref(), input.max_items)?;
    let is_truncated = page.is_truncated();
    Ok(ListUserTagsOutput { tags: Some(page.items), is_truncated, marker: page.marker })
}

/// Puts tags on a role.
pub(crate) fn tag_role(tx: &mut WriteTx<'_>, input: TagRoleInput) -> Result<TagRoleOutput, Error> {
    let mut role: Role = store::find(tx, &input.role_name)?;
    rules::add_tags(&mut role.tags, rules::tags(input.tags)?, "Role")?;
    store::save(tx, &role)?;
    Ok(TagRoleOutput {})
}

/// Removes tags from a role.
pub(crate) fn untag_role(
    tx: &mut WriteTx<'_>,
    input: UntagRoleInput,
) -> Result<UntagRoleOutput, Error> {
    let mut role: Role = store::find(tx, &input.role_name)?;
    rules::remove_tags(&mut role.tags, &input.tag_keys);
    store::save(tx, &role)?;
    Ok(UntagRoleOutput {})
}

/// Lists the tags of a role.
pub(crate) fn list_role(
    tx: &ReadTx<'_>,
    input: ListRoleTagsInput,
) -> Result<ListRoleTagsOutput, Error> {
    let role: Role = store::find(tx, &input.role_name)?;
    let tags = rules::shown_tags(&role.tags);
    let page = Page::of(tags, key, input.marker.as_deref(), input.max_items)?;
    let is_truncated = page.is_truncated();
    Ok(ListRoleTagsOutput { tags: Some(page.items), is_truncated, marker: page.marker })
}

fn key(tag: &Tag) -> String {
    tag.key.clone()
}
