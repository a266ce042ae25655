//! Everything that decides over an account's calls, in one listing.

use fogbank_core::{ReadTx, Tx};
use fogbank_identity::managed;
use fogbank_identity::rows::{GROUPS, Grants, Group, POLICIES, ROLES, Role, USERS, User};

use crate::error::Error;
use crate::model::{
    AttachedPolicy, EntityType, GetAccountAuthorizationDetailsInput,
    GetAccountAuthorizationDetailsOutput, GroupDetail, ManagedPolicyDetail, Policy, PolicyDetail,
    PolicyVersion, RoleDetail, UserDetail,
};
use crate::{boundaries, instance_profiles, policies, roles, rules, store};

/// The kinds in the order in which they are listed, each with its letter in markers.
const ORDER: [(EntityType, char); 5] = [
    (EntityType::User, 'u'),
    (EntityType::Group, 'g'),
    (EntityType::Role, 'r'),
    (EntityType::LocalManagedPolicy, 'l'),
    (EntityType::AwsManagedPolicy, 'a'),
];

/// Lists users, groups, roles and the managed policies that are the account's or in use.
pub(crate) fn get(
    tx: &ReadTx<'_>,
    input: GetAccountAuthorizationDetailsInput,
) -> Result<GetAccountAuthorizationDetailsOutput, Error> {
    let filter = input.filter.unwrap_or_default();
    let mut left = rules::page_size(input.max_items);
    let after = input.marker.as_deref().map(rules::after).transpose()?;
    let mut output = GetAccountAuthorizationDetailsOutput {
        user_detail_list: Some(Vec::new()),
        group_detail_list: Some(Vec::new()),
        role_detail_list: Some(Vec::new()),
        policies: Some(Vec::new()),
        is_truncated: Some(false),
        marker: None,
    };
    let mut last = String::new();
    for (kind, letter) in ORDER {
        if !filter.is_empty() && !filter.contains(&kind) {
            continue;
        }
        let begin = match after.as_deref().and_then(|after| after.split_at_checked(1)) {
            Some((of, key)) if of.starts_with(letter) => Some(key),
            Some((of, _)) if is_before(letter, of) => continue,
            _ => None,
        };
        // One more than fits, so that the last page is known as such.
        let mut names = names(tx, kind, begin, left + 1)?;
        let has_more = names.len() > left;
        names.truncate(left);
        left -= names.len();
        for name in &names {
            add(tx, kind, name, &mut output)?;
            last = format!("{letter}{name}");
        }
        if has_more {
            output.is_truncated = Some(true);
            output.marker = Some(fogbank_core::page::text_token(&last));
            break;
        }
    }
    Ok(output)
}

/// Whether a kind is listed before the one that a marker is in.
fn is_before(letter: char, marker: &str) -> bool {
    let place = |wanted: &dyn Fn(char) -> bool| ORDER.iter().position(|(_, l)| wanted(*l));
    place(&|l| l == letter) < place(&|l| marker.starts_with(l))
}

/// The keys of a kind behind another, up to a number.
fn names(
    tx: &impl Tx,
    kind: EntityType,
    after: Option<&str>,
    limit: usize,
) -> Result<Vec<String>, Error> {
    macro_rules! keys {
        ($table:ident) => {{
            let mut range = $table.range(&(tx.account(),)).limit(limit);
            if let Some(after) = after {
                range = range.after(&(tx.account(), after));
            }
            range.keys(tx)?.into_iter().map(|(_, name)| name).collect()
        }};
    }
    Ok(match kind {
        EntityType::User => keys!(USERS),
        EntityType::Group => keys!(GROUPS),
        EntityType::Role => keys!(ROLES),
        EntityType::LocalManagedPolicy => keys!(POLICIES),
        EntityType::AwsManagedPolicy => {
            let used = store::all_uses(tx)?.into_keys();
            let mut arns: Vec<_> = used.filter(|arn| managed::find(arn).is_some()).collect();
            arns.sort_unstable();
            arns.retain(|arn| after.is_none_or(|after| arn.as_str() > after));
            arns.truncate(limit);
            arns
        }
    })
}

fn add(
    tx: &impl Tx,
    kind: EntityType,
    key: &str,
    output: &mut GetAccountAuthorizationDetailsOutput,
) -> Result<(), Error> {
    let row = (tx.account(), key);
    match kind {
        EntityType::User => {
            let found = USERS.get(tx, &row)?.map(|user| user_detail(tx, user)).transpose()?;
            output.user_detail_list.get_or_insert_default().extend(found);
        }
        EntityType::Group => {
            let found = GROUPS.get(tx, &row)?.map(|group| group_detail(tx, &group));
            output.group_detail_list.get_or_insert_default().extend(found);
        }
        EntityType::Role => {
            let found = ROLES.get(tx, &row)?.map(|role| role_detail(tx, &role)).transpose()?;
            output.role_detail_list.get_or_insert_default().extend(found);
        }
        EntityType::LocalManagedPolicy => {
            if let Some(policy) = POLICIES.get(tx, &row)? {
                let versions = policy.versions.iter().rev();
                let versions = versions.map(|version| policies::shown_version(&policy, version));
                let detail = policy_detail(policies::shown(tx, &policy)?, versions.collect());
                output.policies.get_or_insert_default().push(detail);
            }
        }
        EntityType::AwsManagedPolicy => {
            if let Some(policy) = managed::find(key) {
                let version = PolicyVersion {
                    document: Some(rules::url_encoded(&policy.document())),
                    ..policies::shown_aws_version(policy)
                };
                let detail = policy_detail(
                    policies::shown_aws(policy, store::uses_of(tx, key)?),
                    vec![version],
                );
                output.policies.get_or_insert_default().push(detail);
            }
        }
    }
    Ok(())
}

fn user_detail(tx: &impl Tx, user: User) -> Result<UserDetail, Error> {
    let mut groups = Vec::new();
    for folded in &user.groups {
        let group = GROUPS.get(tx, &(tx.account(), &**folded))?;
        groups.extend(group.map(|group| group.name));
    }
    Ok(UserDetail {
        arn: Some(user.arn(tx.account())),
        create_date: store::time(user.created_secs),
        user_policy_list: inline(&user.grants),
        group_list: Some(groups),
        attached_managed_policies: attached(&user.grants),
        permissions_boundary: boundaries::shown(&user.grants),
        tags: Some(rules::shown_tags(&user.tags)),
        path: Some(user.path),
        user_name: Some(user.name),
        user_id: Some(user.id),
    })
}

fn group_detail(tx: &impl Tx, group: &Group) -> GroupDetail {
    GroupDetail {
        path: Some(group.path.clone()),
        group_name: Some(group.name.clone()),
        group_id: Some(group.id.clone()),
        arn: Some(group.arn(tx.account())),
        create_date: store::time(group.created_secs),
        group_policy_list: inline(&group.grants),
        attached_managed_policies: attached(&group.grants),
    }
}

fn role_detail(tx: &impl Tx, role: &Role) -> Result<RoleDetail, Error> {
    let listed = roles::listed(tx, role)?;
    let profiles = instance_profiles::of_role(tx, role)?;
    let profiles = profiles.iter().map(|profile| instance_profiles::listed(tx, profile));
    Ok(RoleDetail {
        path: listed.path,
        role_name: listed.role_name,
        role_id: listed.role_id,
        arn: listed.arn,
        create_date: listed.create_date,
        assume_role_policy_document: listed.assume_role_policy_document,
        instance_profile_list: Some(profiles.collect::<Result<_, _>>()?),
        role_policy_list: inline(&role.grants),
        attached_managed_policies: attached(&role.grants),
        permissions_boundary: boundaries::shown(&role.grants),
        tags: Some(rules::shown_tags(&role.tags)),
        role_last_used: Some(roles::last_used(tx, role)?),
    })
}

fn policy_detail(policy: Policy, versions: Vec<PolicyVersion>) -> ManagedPolicyDetail {
    ManagedPolicyDetail {
        policy_name: policy.policy_name,
        policy_id: policy.policy_id,
        arn: policy.arn,
        path: policy.path,
        default_version_id: policy.default_version_id,
        attachment_count: policy.attachment_count,
        permissions_boundary_usage_count: policy.permissions_boundary_usage_count,
        is_attachable: policy.is_attachable,
        description: policy.description,
        create_date: policy.create_date,
        update_date: policy.update_date,
        policy_version_list: Some(versions),
    }
}

fn inline(grants: &Grants) -> Option<Vec<PolicyDetail>> {
    let shown = grants.inline.iter().map(|policy| PolicyDetail {
        policy_name: Some(policy.name.clone()),
        policy_document: Some(rules::url_encoded(&policy.document)),
    });
    Some(shown.collect())
}

fn attached(grants: &Grants) -> Option<Vec<AttachedPolicy>> {
    let shown = grants.attached.iter().map(|arn| AttachedPolicy {
        policy_name: arn.rsplit('/').next().map(str::to_owned),
        policy_arn: Some(arn.clone()),
    });
    Some(shown.collect())
}
