//! What a call must be allowed to do, as the Service Authorization Reference says.
//!
//! A secret that exists is authorised by its complete ARN, one that does not by what the caller wrote: AWS does the
//! same, so that a policy on `…:secret:name-*` does not tell whether there is a secret.

use std::borrow::Cow;

use fogbank_core::wire::Struct;
use fogbank_core::{Access, Check, Fault, ReadTx, Request, Tx, arn};

use crate::error::Error;
use crate::model::{
    AssociateCrossAccountReplicaInput, BatchGetSecretValueInput, CreateSecretInput,
    DeleteSecretInput, PutResourcePolicyInput, ReplicateSecretToRegionsInput, RotateSecretInput,
    Tag, TagResourceInput, UntagResourceInput, UpdateSecretInput,
};
use crate::rules::identifier::Identifier;
use crate::store::{self, Secret, SecretKey};

const REPLICA_REGIONS: &str = "secretsmanager:AddReplicaRegions";
/// What the replica's policy must allow the primary's account.
const ACCEPT: &str = "secretsmanager:AcceptCrossAccountReplication";
const OVERWRITE: &str = "secretsmanager:ForceOverwriteReplicaSecret";

/// The secret that `SecretId` names. One of another region is not found here.
pub(crate) fn identifier(request: &Request, secret_id: &str) -> Result<Identifier, Error> {
    let id = Identifier::parse(secret_id, &request.account, &request.region);
    if id.region == request.region { Ok(id) } else { Err(Error::no_secret()) }
}

/// A token that is none of ours.
pub(crate) fn bad_token() -> Error {
    Error::InvalidNextTokenException("The NextToken value is invalid.".to_owned())
}

/// Operations that AWS authorises on no secret in particular.
pub(crate) fn everything(_: &Request, _: &dyn Struct) -> Result<Access, Fault> {
    Ok(Access::on_all())
}

/// Operations on a secret.
pub(crate) fn secret(request: &Request, input: &dyn Struct) -> Result<Access, Fault> {
    let secret_id = input.text("SecretId").unwrap_or_default();
    let mut access =
        Access::on(Identifier::parse(secret_id, &request.account, &request.region).arn());
    for (member, key) in
        [("VersionId", "secretsmanager:VersionId"), ("VersionStage", "secretsmanager:VersionStage")]
    {
        if let Some(value) = input.text(member) {
            access = access.with(key, [value.to_owned()]);
        }
    }
    Ok(access.refined(refine))
}

/// Reading a value: `AWSCURRENT` unless another label or a version is asked for.
pub(crate) fn get_value(request: &Request, input: &dyn Struct) -> Result<Access, Fault> {
    let access = secret(request, input)?;
    Ok(match (input.text("VersionId"), input.text("VersionStage")) {
        (None, None) => access.with("secretsmanager:VersionStage", ["AWSCURRENT".to_owned()]),
        _ => access,
    })
}

/// Validating a policy, of a secret or of none.
pub(crate) fn validate_policy(request: &Request, input: &dyn Struct) -> Result<Access, Fault> {
    match input.text("SecretId") {
        Some(_) => secret(request, input),
        None => Ok(Access::on_all()),
    }
}

/// Creating a secret.
pub(crate) fn create(request: &Request, input: &dyn Struct) -> Result<Access, Fault> {
    let input = typed::<CreateSecretInput>(input)?;
    let resource = format!("secret:{}", input.name);
    let arn = arn::arn("secretsmanager", &request.region, &request.account, resource);
    let mut access = Access::on(arn.clone()).with("secretsmanager:Name", [input.name.clone()]);
    access = with_text(access, "secretsmanager:Description", input.description.as_deref());
    access = with_key(access, input.kms_key_id.as_deref());
    if input.cross_account_primary_arn.is_some() {
        // AWS attaches a policy to the replica, by which its primary's account may accept it.
        access = access.and("secretsmanager:PutResourcePolicy", arn.clone());
    }
    if let Some(replicas) = &input.add_replica_regions {
        let regions = || replicas.iter().filter_map(|replica| replica.region.clone());
        let flag = input.force_overwrite_replica_secret.map(|flag| flag.to_string());
        access = access
            .with(REPLICA_REGIONS, regions())
            .with(OVERWRITE, flag.clone())
            .and("secretsmanager:ReplicateSecretToRegions", arn.clone())
            .last_with(REPLICA_REGIONS, regions())
            .last_with(OVERWRITE, flag);
    }
    let tags = input.tags.as_deref().unwrap_or_default();
    if !tags.is_empty() {
        access = access.and("secretsmanager:TagResource", arn);
    }
    // The tags that a secret is created with count as its own.
    for tag in tags {
        let (key, value) = parts(tag);
        access = access
            .with(format!("aws:ResourceTag/{key}"), [value.to_owned()])
            .with(format!("secretsmanager:ResourceTag/{key}"), [value.to_owned()]);
    }
    Ok(tagged(access, tags))
}

/// Changing a secret.
pub(crate) fn update(request: &Request, input: &dyn Struct) -> Result<Access, Fault> {
    let access = secret(request, input)?;
    let input = typed::<UpdateSecretInput>(input)?;
    let access = with_text(access, "secretsmanager:Description", input.description.as_deref());
    Ok(with_key(access, input.kms_key_id.as_deref()))
}

/// Deleting a secret.
pub(crate) fn delete(request: &Request, input: &dyn Struct) -> Result<Access, Fault> {
    let access = secret(request, input)?;
    let input = typed::<DeleteSecretInput>(input)?;
    let days = input.recovery_window_in_days.map(|days| days.to_string());
    let access = with_text(access, "secretsmanager:RecoveryWindowInDays", days.as_deref());
    let key = "secretsmanager:ForceDeleteWithoutRecovery";
    Ok(with_flag(access, key, input.force_delete_without_recovery))
}

/// Rotating a secret, which the caller must be allowed to do with the function, too.
pub(crate) fn rotate(request: &Request, input: &dyn Struct) -> Result<Access, Fault> {
    let access = secret(request, input)?;
    let input = typed::<RotateSecretInput>(input)?;
    let lambda = input.rotation_lambda_arn.as_deref();
    let access = with_text(access, "secretsmanager:RotationLambdaARN", lambda);
    let modifies = Some(input.rotation_rules.is_some());
    let access = with_flag(access, "secretsmanager:ModifyRotationRules", modifies);
    let immediately = Some(input.rotate_immediately.unwrap_or(true));
    let access = with_flag(access, "secretsmanager:RotateImmediately", immediately);
    Ok(match lambda.filter(|lambda| lambda.starts_with("arn:")) {
        Some(lambda) => access.and("lambda:InvokeFunction", lambda),
        None => access,
    })
}

/// Attaching a policy.
pub(crate) fn put_policy(request: &Request, input: &dyn Struct) -> Result<Access, Fault> {
    let access = secret(request, input)?;
    let input = typed::<PutResourcePolicyInput>(input)?;
    Ok(with_flag(access, "secretsmanager:BlockPublicPolicy", input.block_public_policy))
}

/// Copying a secret to regions.
pub(crate) fn replicate(request: &Request, input: &dyn Struct) -> Result<Access, Fault> {
    let access = secret(request, input)?;
    let input = typed::<ReplicateSecretToRegionsInput>(input)?;
    let regions = input.add_replica_regions.iter().filter_map(|replica| replica.region.clone());
    let access = access.with(REPLICA_REGIONS, regions);
    Ok(with_flag(access, OVERWRITE, input.force_overwrite_replica_secret))
}

/// Copying a secret to another account, which the replica there must accept.
pub(crate) fn associate(request: &Request, input: &dyn Struct) -> Result<Access, Fault> {
    let access = secret(request, input)?;
    let input = typed::<AssociateCrossAccountReplicaInput>(input)?;
    let id = Identifier::parse(&input.secret_id, &request.account, &request.region);
    let access = access
        .and("secretsmanager:GetSecretValue", id.arn())
        .and(ACCEPT, input.cross_account_replica_arn.clone());
    Ok(match &input.replication_role_arn {
        Some(role) => access.and_pass_role(role.clone(), "secretsmanager.amazonaws.com", id.arn()),
        None => access,
    })
}

/// Ending that a secret is a replica; of one in another account that takes its policy away.
pub(crate) fn stop(request: &Request, input: &dyn Struct) -> Result<Access, Fault> {
    let policy = |tx: &ReadTx<'_>, input: &dyn Struct, checks: &mut Vec<Check>| {
        let request = tx.request();
        let secret_id = input.text("SecretId").unwrap_or_default();
        let id = Identifier::parse(secret_id, &request.account, &request.region);
        if store::LINKS.get(tx, &id.key())?.is_some_and(|link| !link.is_primary) {
            let action = "secretsmanager:DeleteResourcePolicy".into();
            checks.push(Check { action, resource: id.arn(), ..Check::default() });
        }
        Ok(())
    };
    Ok(secret(request, input)?.located(policy))
}

/// Adding tags.
pub(crate) fn tag(request: &Request, input: &dyn Struct) -> Result<Access, Fault> {
    let access = secret(request, input)?;
    Ok(tagged(access, &typed::<TagResourceInput>(input)?.tags))
}

/// Removing tags.
pub(crate) fn untag(request: &Request, input: &dyn Struct) -> Result<Access, Fault> {
    let access = secret(request, input)?;
    let keys = &typed::<UntagResourceInput>(input)?.tag_keys;
    Ok(access.with_tag_keys(keys))
}

/// Reading several values: each secret is authorised by itself, when it is read.
pub(crate) fn batch(_: &Request, input: &dyn Struct) -> Result<Access, Fault> {
    typed::<BatchGetSecretValueInput>(input)?;
    Ok(Access::on_all())
}

/// What reading one secret of a batch needs.
pub(crate) fn reading(tx: &ReadTx<'_>, secret_id: &str) -> Result<Access, Fault> {
    let request = tx.request();
    let id = Identifier::parse(secret_id, &request.account, &request.region);
    let stage = ["AWSCURRENT".to_owned()];
    let mut access = Access::to("secretsmanager:GetSecretValue", id.arn())
        .with("secretsmanager:VersionStage", stage);
    describe(tx, secret_id, &mut access.checks)?;
    Ok(access)
}

fn typed<T: Struct>(input: &dyn Struct) -> Result<&T, Fault> {
    input.downcast_ref().ok_or_else(|| Fault::internal("the input is of another operation"))
}

fn with_text(access: Access, key: &'static str, value: Option<&str>) -> Access {
    match value {
        Some(value) => access.with(key, [value.to_owned()]),
        None => access,
    }
}

/// The key of the request, which is an ARN, an id or an alias.
fn with_key(access: Access, key: Option<&str>) -> Access {
    let arn = key.filter(|key| key.starts_with("arn:"));
    let access = with_text(access, "secretsmanager:KmsKeyArn", arn);
    with_text(access, "secretsmanager:KmsKeyId", key)
}

fn with_flag(access: Access, key: &'static str, value: Option<bool>) -> Access {
    match value {
        Some(value) => access.with(key, [value.to_string()]),
        None => access,
    }
}

fn parts(tag: &Tag) -> (&str, &str) {
    (tag.key.as_deref().unwrap_or_default(), tag.value.as_deref().unwrap_or_default())
}

fn tagged(access: Access, tags: &[Tag]) -> Access {
    if tags.is_empty() {
        return access;
    }
    let tags: Vec<(String, String)> =
        tags.iter().map(parts).map(|(key, value)| (key.to_owned(), value.to_owned())).collect();
    access.with_tags(tags.iter().map(|(key, value)| (key, value)))
}

/// Adds what only the secret's row tells.
fn refine(tx: &ReadTx<'_>, input: &dyn Struct, checks: &mut [Check]) -> Result<(), Fault> {
    describe(tx, input.text("SecretId").unwrap_or_default(), checks)
}

fn describe(tx: &ReadTx<'_>, secret_id: &str, checks: &mut [Check]) -> Result<(), Fault> {
    let request = tx.request();
    let id = Identifier::parse(secret_id, &request.account, &request.region);
    let found = store::look_up(tx, &id)?;
    let of_secrets = |check: &&mut Check| {
        !check.action.starts_with("lambda:")
            && !check.action.starts_with("iam:")
            && check.action != ACCEPT
    };
    for check in checks.iter_mut().filter(of_secrets) {
        match &found {
            Some((key, secret)) => add_facts(check, key, secret),
            None => secret_id.clone_into(&mut check.resource),
        }
    }
    Ok(())
}

fn add_facts(check: &mut Check, key: &SecretKey, secret: &Secret) {
    let arn = secret.arn(key);
    check.resource.clone_from(&arn);
    let mut add = |name: Cow<'static, str>, value: &str| {
        check.context.push((name, vec![value.to_owned()]));
    };
    add("secretsmanager:SecretId".into(), &arn);
    for (tag, value) in &secret.tags {
        add(format!("aws:ResourceTag/{tag}").into(), value);
        add(format!("secretsmanager:ResourceTag/{tag}").into(), value);
    }
    if let Some(rotation) = &secret.rotation {
        add("secretsmanager:resource/AllowRotationLambdaArn".into(), &rotation.lambda_arn);
    }
    if let Some(region) = &secret.primary_region {
        add("secretsmanager:SecretPrimaryRegion".into(), region);
    }
}
