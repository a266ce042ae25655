//! What each operation must be allowed to do.

use fogbank_core::wire::Struct;
use fogbank_core::{Access, Fault, Request};

use crate::model::{AssumeRootInput, GetFederationTokenInput, GetWebIdentityTokenInput};
use crate::{roots, rules, sessions};

/// AWS lets everybody ask who they are and ask for a session of their own. AssumeRole decides by the role's trust
/// policy and the caller's policies itself, because a trust policy works unlike other resource policies.
pub(crate) fn everybody(_: &Request, _: &dyn Struct) -> Result<Access, Fault> {
    Ok(Access::open())
}

/// The federated user that the input names.
pub(crate) fn federated_user(request: &Request, input: &dyn Struct) -> Result<Access, Fault> {
    let name = input.text("Name").unwrap_or_default();
    let mut access = Access::on(rules::federated_arn(&request.account, name));
    let input = input.downcast_ref::<GetFederationTokenInput>();
    if let Some(tags) = input.and_then(|input| input.tags.as_ref()) {
        let pairs: Vec<_> = tags.iter().map(|tag| (tag.key.clone(), tag.value.clone())).collect();
        for (key, values) in sessions::keys_of_tags(&pairs, &[]) {
            access = access.with(key, values);
        }
    }
    Ok(access)
}

/// The root of the member that the input names, for the task that it names.
pub(crate) fn root(_: &Request, input: &dyn Struct) -> Result<Access, Fault> {
    let target = input.text("TargetPrincipal").unwrap_or_default();
    let task = input.downcast_ref::<AssumeRootInput>().and_then(|input| {
        let arn = input.task_policy_arn.arn.as_ref()?;
        Some(arn.clone())
    });
    let account = roots::account(target).unwrap_or(target);
    Ok(Access::on(format!("arn:aws:iam::{account}:root")).with("sts:TaskPolicyArn", task))
}

/// A token for others, and the tags in it.
pub(crate) fn web_identity_token(_: &Request, input: &dyn Struct) -> Result<Access, Fault> {
    let mut access = Access::on_all();
    let Some(input) = input.downcast_ref::<GetWebIdentityTokenInput>() else { return Ok(access) };
    let tags = input.tags.as_deref().unwrap_or_default();
    if !tags.is_empty() {
        access = access
            .and("sts:TagGetWebIdentityToken", "*")
            .with_tags(tags.iter().map(|tag| (&tag.key, &tag.value)));
    }
    let secs = input.duration_seconds.unwrap_or(300).to_string();
    let own = &mut access.checks[0].context;
    own.push(("sts:IdentityTokenAudience".into(), input.audience.clone()));
    own.push(("sts:SigningAlgorithm".into(), vec![input.signing_algorithm.clone()]));
    own.push(("sts:DurationSeconds".into(), vec![secs]));
    Ok(access)
}

/// The action has no resource.
pub(crate) fn all(_: &Request, _: &dyn Struct) -> Result<Access, Fault> {
    Ok(Access::on_all())
}
