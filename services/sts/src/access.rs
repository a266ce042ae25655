//! What each operation must be allowed to do.

use fogbank_core::wire::Struct;
use fogbank_core::{Access, Fault, Request};

use crate::model::GetFederationTokenInput;
use crate::{rules, sessions};

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

/// The action has no resource.
pub(crate) fn all(_: &Request, _: &dyn Struct) -> Result<Access, Fault> {
    Ok(Access::on_all())
}
