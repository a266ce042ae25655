//! What each operation must be allowed to do. Paths that the caller leaves out, tags and boundaries of what it names
//! are added by the directory, which knows the rows.

use fogbank_core::arn::arn;
use fogbank_core::wire::{Item, Struct};
use fogbank_core::{Access, Check, Fault, PrincipalKind, ReadTx, Request, ResourcePolicy, Tx};
use fogbank_identity::rows;

use crate::model::CreateDelegationRequestInput;
use crate::rules::linked;

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

/// The calling user, whom a policy of the account may let change its own password without any other permission.
pub(crate) fn own_password(request: &Request, input: &dyn Struct) -> Outcome {
    user(request, input)
}

/// The user that the input names, or all users.
pub(crate) fn user_or_all(request: &Request, input: &dyn Struct) -> Outcome {
    let is_all = input.get("AllUsers").is_some_and(|all| matches!(all.item(), Item::Boolean(true)));
    if is_all { Ok(Access::on(resource(request, "user/*"))) } else { user(request, input) }
}

/// The user that gets a credential for a service.
pub(crate) fn new_service_credential(request: &Request, input: &dyn Struct) -> Outcome {
    let access = user(request, input)?
        .with("iam:ServiceSpecificCredentialServiceName", [name(input, "ServiceName").to_owned()]);
    Ok(match input.get("CredentialAgeDays").map(|days| days.item()) {
        Some(Item::Integer(days)) => {
            access.with("iam:ServiceSpecificCredentialAgeDays", [days.to_string()])
        }
        _ => access,
    })
}

/// The user that has a credential for a service.
pub(crate) fn service_credential(request: &Request, input: &dyn Struct) -> Outcome {
    Ok(user(request, input)?.refined(credentials_service))
}

fn credentials_service(
    tx: &ReadTx<'_>,
    input: &dyn Struct,
    checks: &mut [Check],
) -> Result<(), Fault> {
    let user_id = match input.text("UserName") {
        Some(name) => rows::USERS.get(tx, &(tx.account(), rows::fold(name)))?.map(|user| user.id),
        None => Some(tx.request().principal.id.clone()),
    };
    let Some(user_id) = user_id else { return Ok(()) };
    let key = (user_id, name(input, "ServiceSpecificCredentialId").to_owned());
    if let Some(row) = rows::SERVICE_CREDENTIALS.get(tx, &key)? {
        for check in checks {
            let key = "iam:ServiceSpecificCredentialServiceName".into();
            check.context.push((key, vec![row.service.clone()]));
        }
    }
    Ok(())
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

/// The instance profile that the input names.
pub(crate) fn instance_profile(request: &Request, input: &dyn Struct) -> Outcome {
    Ok(on(request, "instance-profile", "/", name(input, "InstanceProfileName")))
}

/// An instance profile, and the role that it passes on.
pub(crate) fn instance_profile_and_role(request: &Request, input: &dyn Struct) -> Outcome {
    let role = resource(request, format_args!("role/{}", name(input, "RoleName")));
    Ok(instance_profile(request, input)?.and("iam:PassRole", role))
}

/// The server certificate that the input names.
pub(crate) fn server_certificate(request: &Request, input: &dyn Struct) -> Outcome {
    Ok(on(request, "server-certificate", "/", name(input, "ServerCertificateName")))
}

/// An instance profile that does not exist yet.
pub(crate) fn new_instance_profile(request: &Request, input: &dyn Struct) -> Outcome {
    Ok(new(request, input, "instance-profile", "InstanceProfileName"))
}

/// A server certificate that does not exist yet.
pub(crate) fn new_server_certificate(request: &Request, input: &dyn Struct) -> Outcome {
    Ok(new(request, input, "server-certificate", "ServerCertificateName"))
}

/// An MFA device that does not exist yet.
pub(crate) fn new_mfa_device(request: &Request, input: &dyn Struct) -> Outcome {
    Ok(new(request, input, "mfa", "VirtualMFADeviceName"))
}

/// A SAML provider that does not exist yet.
pub(crate) fn new_saml_provider(request: &Request, input: &dyn Struct) -> Outcome {
    Ok(new(request, input, "saml-provider", "Name"))
}

/// An OpenID Connect provider that does not exist yet.
pub(crate) fn new_oidc_provider(request: &Request, input: &dyn Struct) -> Outcome {
    let url = name(input, "Url");
    let url = url.split_once("://").map_or(url, |(_, rest)| rest).trim_end_matches('/');
    Ok(with_tags(on(request, "oidc-provider", "/", url), input))
}

/// The MFA device that the input names.
pub(crate) fn mfa_device(_: &Request, input: &dyn Struct) -> Outcome {
    Ok(with_tags(Access::on(name(input, "SerialNumber")), input))
}

/// The OpenID Connect provider that the input names.
pub(crate) fn oidc_provider(_: &Request, input: &dyn Struct) -> Outcome {
    Ok(with_tags(Access::on(name(input, "OpenIDConnectProviderArn")), input))
}

/// The SAML provider that the input names.
pub(crate) fn saml_provider(_: &Request, input: &dyn Struct) -> Outcome {
    Ok(with_tags(Access::on(name(input, "SAMLProviderArn")), input))
}

/// A managed policy, and the tags to be put on it or removed from it.
pub(crate) fn tagged_policy(request: &Request, input: &dyn Struct) -> Outcome {
    policy(request, input).map(|access| with_tags(access, input))
}

/// An instance profile, and the tags to be put on it or removed from it.
pub(crate) fn tagged_instance_profile(request: &Request, input: &dyn Struct) -> Outcome {
    instance_profile(request, input).map(|access| with_tags(access, input))
}

/// A server certificate, and the tags to be put on it or removed from it.
pub(crate) fn tagged_server_certificate(request: &Request, input: &dyn Struct) -> Outcome {
    server_certificate(request, input).map(|access| with_tags(access, input))
}

/// The instance profiles under a path.
pub(crate) fn instance_profiles(request: &Request, input: &dyn Struct) -> Outcome {
    Ok(on(request, "instance-profile", input.text("PathPrefix").unwrap_or("/"), ""))
}

/// The server certificates under a path.
pub(crate) fn server_certificates(request: &Request, input: &dyn Struct) -> Outcome {
    Ok(on(request, "server-certificate", input.text("PathPrefix").unwrap_or("/"), ""))
}

/// The role that a service is to get.
pub(crate) fn new_linked_role(request: &Request, input: &dyn Struct) -> Outcome {
    let service = name(input, "AWSServiceName");
    let role = on(request, "role", &linked::path(service), "");
    Ok(role.with("iam:AWSServiceName", [service.to_owned()]))
}

/// The role of a service that the input names.
pub(crate) fn linked_role(request: &Request, input: &dyn Struct) -> Outcome {
    // A task's id is `task/aws-service-role/SERVICE/ROLE/…`.
    let task = input.text("DeletionTaskId").unwrap_or_default();
    match task.split('/').collect::<Vec<_>>().as_slice() {
        ["task", "aws-service-role", service, name, ..] => {
            Ok(on(request, "role", &linked::path(service), name))
        }
        _ if task.is_empty() => role(request, input),
        _ => Ok(on(request, "role", "/aws-service-role/", "*")),
    }
}

/// The user, group or role whose policies are looked at.
pub(crate) fn policy_source(_: &Request, input: &dyn Struct) -> Outcome {
    Ok(Access::on(name(input, "PolicySourceArn")))
}

/// What a report is about.
pub(crate) fn by_arn(_: &Request, input: &dyn Struct) -> Outcome {
    Ok(Access::on(name(input, "Arn")))
}

/// A delegation request that does not exist yet.
pub(crate) fn new_delegation(request: &Request, input: &dyn Struct) -> Outcome {
    let access = Access::on(resource(request, "delegation-request/*"));
    let Some(input) = input.downcast_ref::<CreateDelegationRequestInput>() else {
        return Ok(access);
    };
    let template = input.permissions.policy_template_arn.clone();
    Ok(access
        .with("iam:DelegationDuration", [input.session_duration.to_string()])
        .with("iam:NotificationChannel", [input.notification_channel.clone()])
        .with("iam:TemplateArn", template))
}

/// The delegation request that the input names.
pub(crate) fn delegation(request: &Request, input: &dyn Struct) -> Outcome {
    Ok(Access::on(delegation_arn(request, input)).refined(delegation_owner))
}

/// The same, which its owner needs no permission for.
pub(crate) fn own_delegation(request: &Request, input: &dyn Struct) -> Outcome {
    Ok(delegation(request, input)?.located(open_to_owner))
}

/// The delegation requests of an owner.
pub(crate) fn delegations(_: &Request, input: &dyn Struct) -> Outcome {
    let owner = input.text("OwnerId").map(str::to_owned);
    let access = Access::on_all();
    Ok(match owner {
        Some(owner) => access.with("iam:DelegationRequestOwner", [owner]),
        None => access,
    })
}

fn delegation_arn(request: &Request, input: &dyn Struct) -> String {
    match input.text("DelegationRequestId") {
        Some(id) => resource(request, format_args!("delegation-request/{id}")),
        None => name(input, "EntityArn").to_owned(),
    }
}

fn delegation_row(
    tx: &ReadTx<'_>,
    check: &Check,
) -> Result<Option<rows::DelegationRequest>, Fault> {
    let id = check.resource.rsplit('/').next().unwrap_or_default();
    Ok(rows::DELEGATION_REQUESTS.get(tx, id)?)
}

fn open_to_owner(tx: &ReadTx<'_>, _: &dyn Struct, checks: &mut Vec<Check>) -> Result<(), Fault> {
    let Some(check) = checks.first() else { return Ok(()) };
    let owner = delegation_row(tx, check)?.and_then(|row| row.owner);
    if owner.is_some_and(|owner| owner == tx.request().principal.arn) {
        checks.clear();
    }
    Ok(())
}

fn delegation_owner(tx: &ReadTx<'_>, _: &dyn Struct, checks: &mut [Check]) -> Result<(), Fault> {
    for check in checks {
        if let Some(owner) = delegation_row(tx, check)?.and_then(|row| row.owner) {
            check.context.push(("iam:DelegationRequestOwner".into(), vec![owner]));
        }
    }
    Ok(())
}

/// The entity and the policy that an organization's report is about.
pub(crate) fn organization_report(request: &Request, input: &dyn Struct) -> Outcome {
    let path = name(input, "EntityPath");
    let organization = path.split('/').next().unwrap_or_default();
    let of = |kind: &str, id: &str| {
        let resource = format!("{kind}/{organization}/{id}");
        arn("organizations", "", &request.account, resource)
    };
    let id = path.trim_end_matches('/').rsplit('/').next().unwrap_or_default();
    let kind = match id.as_bytes() {
        [b'r', b'-', ..] => "root",
        [b'o', b'u', b'-', ..] => "ou",
        _ => "account",
    };
    let target = of(kind, id);
    let mut access = Access::on(resource(request, format_args!("access-report/{path}")));
    let policy = input.text("OrganizationsPolicyId");
    if let Some(policy) = policy {
        access = access.with("iam:OrganizationsPolicyId", [policy.to_owned()]);
    }
    access = access
        .and("organizations:ListRoots", "*")
        .and("organizations:ListPoliciesForTarget", target.clone());
    if kind != "account" {
        access = access.and("organizations:ListChildren", target.clone());
    }
    if kind != "root" {
        access = access.and("organizations:ListParents", target);
    }
    if let Some(policy) = policy {
        let policy = of("policy", &format!("service_control_policy/{policy}"));
        access = access
            .and("organizations:DescribePolicy", policy.clone())
            .and("organizations:ListTargetsForPolicy", policy);
    }
    Ok(access)
}

/// A root has no policy that could allow strangers to act as it: for `sts:AssumeRoot`, which alone names roots of other
/// accounts, the caller's own policies decide, and then STS by what the organization has enabled.
pub(crate) fn policy_of_root(tx: &ReadTx<'_>, arn: &str) -> Result<Option<ResourcePolicy>, Fault> {
    Ok(arn.ends_with(":root").then(|| ResourcePolicy::new(tx.account(), None)))
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
