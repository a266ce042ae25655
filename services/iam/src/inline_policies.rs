//! Inline policies of users, groups and roles.

use fogbank_core::policy::{Document, Kind};
use fogbank_core::{ReadTx, Tx, WriteTx};
use fogbank_identity::rows::{Group, InlinePolicy, Role, User};

use crate::error::Error;
use crate::model::{
    DeleteGroupPolicyInput, DeleteGroupPolicyOutput, DeleteRolePolicyInput, DeleteRolePolicyOutput,
    DeleteUserPolicyInput, DeleteUserPolicyOutput, GetGroupPolicyInput, GetGroupPolicyOutput,
    GetRolePolicyInput, GetRolePolicyOutput, GetUserPolicyInput, GetUserPolicyOutput,
    ListGroupPoliciesInput, ListGroupPoliciesOutput, ListRolePoliciesInput, ListRolePoliciesOutput,
    ListUserPoliciesInput, ListUserPoliciesOutput, PutGroupPolicyInput, PutGroupPolicyOutput,
    PutRolePolicyInput, PutRolePolicyOutput, PutUserPolicyInput, PutUserPolicyOutput,
};
use crate::rules::{self, Page};
use crate::store::{self, Holder};

/// Writes a user's inline policy.
pub(crate) fn put_user(
    tx: &mut WriteTx<'_>,
    input: PutUserPolicyInput,
) -> Result<PutUserPolicyOutput, Error> {
    put::<User>(tx, &input.user_name, input.policy_name, input.policy_document)?;
    Ok(PutUserPolicyOutput {})
}

/// Writes a group's inline policy.
pub(crate) fn put_group(
    tx: &mut WriteTx<'_>,
    input: PutGroupPolicyInput,
) -> Result<PutGroupPolicyOutput, Error> {
    put::<Group>(tx, &input.group_name, input.policy_name, input.policy_document)?;
    Ok(PutGroupPolicyOutput {})
}

/// Writes a role's inline policy.
pub(crate) fn put_role(
    tx: &mut WriteTx<'_>,
    input: PutRolePolicyInput,
) -> Result<PutRolePolicyOutput, Error> {
    put::<Role>(tx, &input.role_name, input.policy_name, input.policy_document)?;
    Ok(PutRolePolicyOutput {})
}

/// Shows a user's inline policy.
pub(crate) fn get_user(
    tx: &ReadTx<'_>,
    input: GetUserPolicyInput,
) -> Result<GetUserPolicyOutput, Error> {
    let document = get::<User>(tx, &input.user_name, &input.policy_name)?;
    Ok(GetUserPolicyOutput {
        user_name: Some(input.user_name),
        policy_name: Some(input.policy_name),
        policy_document: Some(document),
    })
}

/// Shows a group's inline policy.
pub(crate) fn get_group(
    tx: &ReadTx<'_>,
    input: GetGroupPolicyInput,
) -> Result<GetGroupPolicyOutput, Error> {
    let document = get::<Group>(tx, &input.group_name, &input.policy_name)?;
    Ok(GetGroupPolicyOutput {
        group_name: Some(input.group_name),
        policy_name: Some(input.policy_name),
        policy_document: Some(document),
    })
}

/// Shows a role's inline policy.
pub(crate) fn get_role(
    tx: &ReadTx<'_>,
    input: GetRolePolicyInput,
) -> Result<GetRolePolicyOutput, Error> {
    let document = get::<Role>(tx, &input.role_name, &input.policy_name)?;
    Ok(GetRolePolicyOutput {
        role_name: Some(input.role_name),
        policy_name: Some(input.policy_name),
        policy_document: Some(document),
    })
}

/// Lists the names of a user's inline policies.
pub(crate) fn list_user(
    tx: &ReadTx<'_>,
    input: ListUserPoliciesInput,
) -> Result<ListUserPoliciesOutput, Error> {
    let page = list::<User>(tx, &input.user_name, input.marker.as_deref(), input.max_items)?;
    let is_truncated = page.is_truncated();
    let (policy_names, marker) = (Some(page.items), page.marker);
    Ok(ListUserPoliciesOutput { policy_names, is_truncated, marker })
}

/// Lists the names of a group's inline policies.
pub(crate) fn list_group(
    tx: &ReadTx<'_>,
    input: ListGroupPoliciesInput,
) -> Result<ListGroupPoliciesOutput, Error> {
    let page = list::<Group>(tx, &input.group_name, input.marker.as_deref(), input.max_items)?;
    let is_truncated = page.is_truncated();
    let (policy_names, marker) = (Some(page.items), page.marker);
    Ok(ListGroupPoliciesOutput { policy_names, is_truncated, marker })
}

/// Lists the names of a role's inline policies.
pub(crate) fn list_role(
    tx: &ReadTx<'_>,
    input: ListRolePoliciesInput,
) -> Result<ListRolePoliciesOutput, Error> {
    let page = list::<Role>(tx, &input.role_name, input.marker.as_deref(), input.max_items)?;
    let is_truncated = page.is_truncated();
    let (policy_names, marker) = (Some(page.items), page.marker);
    Ok(ListRolePoliciesOutput { policy_names, is_truncated, marker })
}

/// Deletes a user's inline policy.
pub(crate) fn delete_user(
    tx: &mut WriteTx<'_>,
    input: DeleteUserPolicyInput,
) -> Result<DeleteUserPolicyOutput, Error> {
    delete::<User>(tx, &input.user_name, &input.policy_name)?;
    Ok(DeleteUserPolicyOutput {})
}

/// Deletes a group's inline policy.
pub(crate) fn delete_group(
    tx: &mut WriteTx<'_>,
    input: DeleteGroupPolicyInput,
) -> Result<DeleteGroupPolicyOutput, Error> {
    delete::<Group>(tx, &input.group_name, &input.policy_name)?;
    Ok(DeleteGroupPolicyOutput {})
}

/// Deletes a role's inline policy.
pub(crate) fn delete_role(
    tx: &mut WriteTx<'_>,
    input: DeleteRolePolicyInput,
) -> Result<DeleteRolePolicyOutput, Error> {
    delete::<Role>(tx, &input.role_name, &input.policy_name)?;
    Ok(DeleteRolePolicyOutput {})
}

fn put<H: Holder>(
    tx: &mut WriteTx<'_>,
    owner: &str,
    name: String,
    document: String,
) -> Result<(), Error> {
    let mut holder: H = store::changeable(tx, owner)?;
    Document::parse(&document, Kind::Identity)?;
    let inline = &mut holder.grants_mut().inline;
    let policy = InlinePolicy { name, document };
    match inline.binary_search_by(|known| known.name.cmp(&policy.name)) {
        Ok(index) => inline[index] = policy,
        Err(index) => inline.insert(index, policy),
    }
    let size: usize = inline.iter().map(|policy| rules::counted_len(&policy.document)).sum();
    if size > H::POLICY_SIZE {
        return Err(Error::LimitExceededException(format!(
            "Maximum policy size of {} bytes exceeded for {} {owner}",
            H::POLICY_SIZE,
            H::NOUN
        )));
    }
    store::save(tx, &holder)
}

fn get<H: Holder>(tx: &impl Tx, owner: &str, name: &str) -> Result<String, Error> {
    let holder: H = store::find(tx, owner)?;
    let policy = holder.grants().inline.iter().find(|policy| policy.name == name);
    let policy = policy.ok_or_else(|| no_such::<H>(name))?;
    Ok(rules::url_encoded(&policy.document))
}

fn list<H: Holder>(
    tx: &impl Tx,
    owner: &str,
    marker: Option<&str>,
    max_items: Option<i32>,
) -> Result<Page<String>, Error> {
    let holder: H = store::find(tx, owner)?;
    let names = holder.grants().inline.iter().map(|policy| policy.name.clone());
    Page::of(names, Clone::clone, marker, max_items)
}

fn delete<H: Holder>(tx: &mut WriteTx<'_>, owner: &str, name: &str) -> Result<(), Error> {
    let mut holder: H = store::changeable(tx, owner)?;
    let inline = &mut holder.grants_mut().inline;
    let index = inline.iter().position(|policy| policy.name == name);
    inline.remove(index.ok_or_else(|| no_such::<H>(name))?);
    store::save(tx, &holder)
}

fn no_such<H: Holder>(name: &str) -> Error {
    Error::no_such(&format!("{} policy", H::NOUN), name)
}
