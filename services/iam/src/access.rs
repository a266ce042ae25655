//! What each operation must be allowed to do. Paths that the caller leaves out, tags and boundaries of what it names
//! are added by the directory, which knows the rows.

use fogbank_core::arn::arn;
use fogbank_core::wire::{Item, Struct};
use fogbank_core::{Access, Fault, PrincipalKind, Request};

type Outcome = Result<Access, Fault>;

fn resource(request: &Request, resource: impl std::fmt::Display) -> String {
    arn("iam", "", &request.account, resource)
}

fn on(request: &Request, kind: &str, path: &str, name: &str) -> Access {
    Access::on(resource(request, format_args!("{kind}{path}{name}")))
}

fn name<'a>(input: &'a dyn Struct, member: &str) -> &'a str {
    input.text(member).unwrap_or_default()
}

/// The user that the input names, or else the caller.
pub(crate) fn user(request: &Request, input: &dyn Struct) -> Outcome {
    let name = match (input.text("UserName"), &request.principal.kind) {
        (Some(name), _) => name,
        (None, PrincipalKind::User { name }) => name,
        (None, PrincipalKind::Root) => return Ok(Access::on(resource(request, "root"))),
        (None, _) => "",
    };
    Ok(on(request, "user", "/", name))
}

/// The group that the input names.
pub(crate) fn group(request: &Request, input: &dyn Struct) -> Outcome {
    Ok(on(request, "group", "/", name(input, "GroupName")))
}

/// The role that the input names.
pub(crate) fn role(request: &Request, input: &dyn Struct) -> Outcome {
    Ok(on(request, "role", "/", name(input, "RoleName")))
}

/// The managed policy that the input names.
pub(crate) fn policy(_: &Request, input: &dyn Struct) -> Outcome {
    Ok(Access::on(name(input, "PolicyArn")))
}

/// The user that an access key belongs to.
pub(crate) fn access_key(request: &Request, input: &dyn Struct) -> Outcome {
    Ok(on(request, "access-key", "/", name(input, "AccessKeyId")))
}

/// A user that does not exist yet.
pub(crate) fn new_user(request: &Request, input: &dyn Struct) -> Outcome {
    Ok(new(request, input, "user", "UserName"))
}

/// A group that does not exist yet.
pub(crate) fn new_group(request: &Request, input: &dyn Struct) -> Outcome {
    Ok(new(request, input, "group", "GroupName"))
}

/// A role that does not exist yet.
pub(crate) fn new_role(request: &Request, input: &dyn Struct) -> Outcome {
    Ok(new(request, input, "role", "RoleName"))
}

/// A managed policy that does not exist yet.
pub(crate) fn new_policy(request: &Request, input: &dyn Struct) -> Outcome {
    Ok(new(request, input, "policy", "PolicyName"))
}

fn new(request: &Request, input: &dyn Struct, kind: &str, member: &str) -> Access {
    let path = input.text("Path").unwrap_or("/");
    let access = on(request, kind, path, name(input, member));
    with_tags(with_boundary(access, input), input)
}

/// A user, and the tags to be put on it or removed from it.
pub(crate) fn tagged_user(request: &Request, input: &dyn Struct) -> Outcome {
    user(request, input).map(|access| with_tags(access, input))
}

/// A role, and the tags to be put on it or removed from it.
pub(crate) fn tagged_role(request: &Request, input: &dyn Struct) -> Outcome {
    role(request, input).map(|access| with_tags(access, input))
}

/// A user, and the managed policy that it gets or loses.
pub(crate) fn user_and_policy(request: &Request, input: &dyn Struct) -> Outcome {
    user(request, input).map(|access| with_policy(access, input))
}

/// A group, and the managed policy that it gets or loses.
pub(crate) fn group_and_policy(request: &Request, input: &dyn Struct) -> Outcome {
    group(request, input).map(|access| with_policy(access, input))
}

/// A role, and the managed policy that it gets or loses.
pub(crate) fn role_and_policy(request: &Request, input: &dyn Struct) -> Outcome {
    role(request, input).map(|access| with_policy(access, input))
}

/// A user, and the boundary that it gets.
pub(crate) fn user_and_boundary(request: &Request, input: &dyn Struct) -> Outcome {
    user(request, input).map(|access| with_boundary(access, input))
}

/// A role, and the boundary that it gets.
pub(crate) fn role_and_boundary(request: &Request, input: &dyn Struct) -> Outcome {
    role(request, input).map(|access| with_boundary(access, input))
}

/// The users under a path.
pub(crate) fn users(request: &Request, input: &dyn Struct) -> Outcome {
    Ok(on(request, "user", input.text("PathPrefix").unwrap_or("/"), ""))
}

/// The groups under a path.
pub(crate) fn groups(request: &Request, input: &dyn Struct) -> Outcome {
    Ok(on(request, "group", input.text("PathPrefix").unwrap_or("/"), ""))
}

/// The roles under a path.
pub(crate) fn roles(request: &Request, input: &dyn Struct) -> Outcome {
    Ok(on(request, "role", input.text("PathPrefix").unwrap_or("/"), ""))
}

/// The managed policies under a path, which AWS names in these words.
pub(crate) fn policies(_: &Request, input: &dyn Struct) -> Outcome {
    let prefix = input.text("PathPrefix").unwrap_or("/");
    Ok(Access::on(format!("policy path {prefix}")))
}

/// The account.
pub(crate) fn account(_: &Request, _: &dyn Struct) -> Outcome {
    Ok(Access::on_all())
}

fn with_policy(access: Access, input: &dyn Struct) -> Access {
    access.with("iam:PolicyARN", [name(input, "PolicyArn").to_owned()])
}

fn with_boundary(access: Access, input: &dyn Struct) -> Access {
    match input.text("PermissionsBoundary") {
        Some(boundary) => access.with("iam:PermissionsBoundary", [boundary.to_owned()]),
        None => access,
    }
}

fn with_tags(mut access: Access, input: &dyn Struct) -> Access {
    let mut keys = Vec::new();
    if let Some(Item::List(tags)) = input.get("Tags").map(|tags| tags.item()) {
        for index in 0..tags.len() {
            let Item::Struct(tag) = tags.at(index).item() else { continue };
            let key = name(tag, "Key");
            access = access.with(format!("aws:RequestTag/{key}"), [name(tag, "Value").to_owned()]);
            keys.push(key.to_owned());
        }
    }
    if let Some(Item::List(removed)) = input.get("TagKeys").map(|keys| keys.item()) {
        for index in 0..removed.len() {
            if let Item::Text(key) = removed.at(index).item() {
                keys.push(key.to_owned());
            }
        }
    }
    if keys.is_empty() { access } else { access.with("aws:TagKeys", keys) }
}
