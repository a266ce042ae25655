//! Replicas in other accounts: secrets that their own accounts keep, and whose values follow a secret of another account in
//! the same region.
//!
//! Values are copied after each change of the primary, by a job: opened and sealed again as whoever changed the primary, or
//! as the role that was named when the two were associated.

use fogbank_core::{Arn, Cx, Effect, Fault, Principal, PrincipalKind, Retry, Session, Tx, WriteTx};
use serde_json::{Value as Json, json};

use crate::access;
use crate::error::Error;
use crate::model::{
    AssociateCrossAccountReplicaInput, AssociateCrossAccountReplicaOutput, CreateSecretInput,
    CreateSecretOutput, CrossAccountPrimaryType, CrossAccountReplicaEntry,
    DisassociateCrossAccountReplicaInput, DisassociateCrossAccountReplicaOutput,
    ReplicaRestrictionType,
};
use crate::rules::identifier::Identifier;
use crate::sealing::{self, Place};
use crate::store::{
    self, LINKS, Link, SECRETS, Secret, SecretKey, VALUES, VERSIONS, Version, version_key,
};
use crate::values;

/// The job that copies values.
pub(crate) const JOB: &str = "copy-to-account";
/// The policy of a replica by which its primary's account may accept it.
pub(crate) const POLICY: &str = "cross-account-replication";
const RETRY: Retry = Retry { attempts: 5, pause_millis: 1_000, longest_pause_millis: 60_000 };

const PENDING: &str = "Pending";
const IN_PROGRESS: &str = "InProgress";
const IN_SYNC: &str = "InSync";
const FAILED: &str = "Failed";
const DETACHED: &str = "Detached";

impl Link {
    /// Whether values still follow.
    pub(crate) fn is_attached(&self) -> bool {
        self.status != DETACHED
    }

    fn set(&mut self, status: &str, message: Option<&str>) {
        status.clone_into(&mut self.status);
        self.message = message.map(str::to_owned);
    }
}

/// Creates a replica without a value, which waits for its primary's account. AWS's words for refusals of this file are not
/// known.
pub(crate) async fn create(
    cx: &Cx,
    input: CreateSecretInput,
    mut secret: Secret,
) -> Result<CreateSecretOutput, Error> {
    let arn = input.cross_account_primary_arn.unwrap_or_default();
    let primary = Identifier::parse(&arn, "", "");
    let key = (cx.account().to_owned(), cx.region().to_owned(), input.name);
    if input.secret_string.is_some()
        || input.secret_binary.is_some()
        || input.description.is_some()
        || input.add_replica_regions.is_some()
    {
        return Err(Error::invalid(
            "You can't specify SecretString, SecretBinary, Description, AddReplicaRegions, or Type for a cross-account \
             replica secret.",
        ));
    }
    if primary.account.is_empty() || primary.account == key.0 || primary.region != key.1 {
        return Err(Error::invalid(
            "CrossAccountPrimaryARN must be the ARN of a secret in another account in the same Region.",
        ));
    }
    if secret.kms_key_id.as_deref().is_none_or(|id| id.ends_with("alias/aws/secretsmanager")) {
        return Err(Error::invalid(
            "You must specify a customer managed KMS key for a cross-account replica secret.",
        ));
    }
    secret.replicas.clear();
    let link =
        Link { other: arn, status: PENDING.to_owned(), is_primary: false, ..Link::default() };
    cx.write(|tx| {
        if SECRETS.contains(tx, &key)? {
            return Err(Error::ResourceExistsException(format!(
                "The operation failed because the secret {} already exists.",
                key.2
            )));
        }
        store::put(tx, &key, &secret)?;
        LINKS.put(tx, &key, &link)?;
        Ok(())
    })
    .await?;
    let arn = Some(secret.arn(&key));
    Ok(CreateSecretOutput { arn, name: Some(key.2), version_id: None, replication_status: None })
}

/// Refuses to change the value of a replica, which follows its primary.
pub(crate) fn refuse_replica(tx: &impl Tx, key: &SecretKey) -> Result<(), Error> {
    match LINKS.get(tx, key)? {
        Some(link) if !link.is_primary => Err(Error::InvalidRequestException(
            "You can't perform this operation on a cross-account replica secret.".to_owned(),
        )),
        _ => Ok(()),
    }
}

/// Refuses to delete what another account's secret follows, or follows itself.
pub(crate) fn refuse_linked(tx: &impl Tx, key: &SecretKey) -> Result<(), Error> {
    refuse_replica(tx, key)?;
    match LINKS.get(tx, key)? {
        Some(link) if link.is_attached() => Err(Error::InvalidRequestException(
            "You can't delete a secret that is associated with a cross-account replica secret."
                .to_owned(),
        )),
        _ => Ok(()),
    }
}

/// The replica that an ARN names, if it waits for, or follows, the secret with the other ARN.
fn replica(tx: &impl Tx, arn: &str, primary_arn: &str) -> Result<(SecretKey, Secret, Link), Error> {
    let (key, secret) = store::usable(tx, &Identifier::parse(arn, "", ""))?;
    let link = LINKS.get(tx, &key)?.filter(|link| {
        let named = Identifier::parse(&link.other, "", "");
        let own = Identifier::parse(primary_arn, "", "");
        !link.is_primary
            && (named.arn() == own.arn() || (named.suffix.is_none() && named.key() == own.key()))
    });
    let link = link.filter(Link::is_attached).ok_or_else(|| {
        Error::InvalidRequestException(
            "The replica secret isn't a cross-account replica of this secret.".to_owned(),
        )
    })?;
    Ok((key, secret, link))
}

/// Begins to copy a secret's values to the replica that another account has made for it.
pub(crate) async fn associate(
    cx: &Cx,
    input: AssociateCrossAccountReplicaInput,
) -> Result<AssociateCrossAccountReplicaOutput, Error> {
    let id = access::identifier(cx.request(), &input.secret_id)?;
    let to = input.cross_account_replica_arn;
    let (key, secret) = cx.read(|tx| {
        let found = store::primary(tx, &id)?;
        refuse_replica(tx, &found.0)?;
        Ok::<_, Error>(found)
    })?;
    let arn = secret.arn(&key);
    let (replica_key, replica_secret, _) = cx.read(|tx| replica(tx, &to, &arn))?;
    let is_free = input.replica_restriction == Some(ReplicaRestrictionType::NoRestriction);
    if !is_free && !are_of_one_organization(cx, &key.0, &replica_key.0).await? {
        return Err(Error::InvalidRequestException(
            "The replica account must be in the same organization as the primary account."
                .to_owned(),
        ));
    }
    let link = Link {
        other: to.clone(),
        is_primary: true,
        role_arn: input.replication_role_arn,
        status: IN_PROGRESS.to_owned(),
        message: None,
    };
    let principal = Principal::clone(&cx.request().principal);
    let actor = actor(cx, &link, &arn, principal.clone()).await?;
    // What the keys refuse now, they would refuse whenever a value is copied.
    copies(&actor, (&key, &secret), (&replica_key, &replica_secret), &[]).await?;
    cx.write(|tx| {
        let (_, _, mut follower) = replica(tx, &to, &arn)?;
        let known = LINKS.get(tx, &key)?.filter(Link::is_attached);
        if known.is_some_and(|known| known.other != to) {
            let message = "A primary secret can have at most one cross-account replica.";
            return Err(Error::LimitExceededException(message.to_owned()));
        }
        follower.set(IN_PROGRESS, None);
        LINKS.put(tx, &key, &link)?;
        LINKS.put(tx, &replica_key, &follower)?;
        emit(tx, &key, &principal)
    })
    .await?;
    Ok(AssociateCrossAccountReplicaOutput {
        arn: Some(arn),
        cross_account_replica_arn: Some(to),
        replication_status: Some(IN_PROGRESS.to_owned()),
    })
}

/// Whether two accounts are in one organization.
async fn are_of_one_organization(cx: &Cx, one: &str, other: &str) -> Result<bool, Fault> {
    let mut ids = Vec::new();
    for account in [one, other] {
        let at = cx.located(account, cx.region());
        let who = Principal::service("secretsmanager.amazonaws.com");
        match at.call(who, "organizations:DescribeOrganization", json!({})).await {
            Ok(reply) => ids.push(reply.output["Organization"]["Id"].clone()),
            Err(fault) if fault.name() == "AWSOrganizationsNotInUseException" => return Ok(false),
            Err(fault) => return Err(fault),
        }
    }
    Ok(ids[0] == ids[1])
}

/// Ends that a replica follows.
pub(crate) fn disassociate(
    tx: &mut WriteTx<'_>,
    input: DisassociateCrossAccountReplicaInput,
) -> Result<DisassociateCrossAccountReplicaOutput, Error> {
    let id = access::identifier(tx.request(), &input.secret_id)?;
    let (key, secret) = store::usable(tx, &id)?;
    let to = input.cross_account_replica_arn;
    if LINKS.get(tx, &key)?.is_none_or(|link| !link.is_primary || link.other != to) {
        return Err(Error::InvalidRequestException(
            "The replica secret isn't associated with this secret.".to_owned(),
        ));
    }
    LINKS.delete(tx, &key)?;
    let arn = secret.arn(&key);
    match replica(tx, &to, &arn) {
        Ok((key, _, mut link)) => {
            link.set(DETACHED, Some("The primary account stopped replication."));
            LINKS.put(tx, &key, &link)?;
        }
        // It is gone, or was stopped by its own account.
        Err(Error::ResourceNotFoundException(_) | Error::InvalidRequestException(_)) => {}
        Err(error) => return Err(error),
    }
    Ok(DisassociateCrossAccountReplicaOutput {
        arn: Some(arn),
        cross_account_replica_arn: Some(to),
    })
}

/// Makes a replica a secret of its own, if the secret is one of another account; whether it was.
pub(crate) fn stop(tx: &mut WriteTx<'_>, key: &SecretKey) -> Result<bool, Error> {
    let Some(link) = LINKS.get(tx, key)?.filter(|link| !link.is_primary) else { return Ok(false) };
    LINKS.delete(tx, key)?;
    if let Some((primary, _)) = store::look_up(tx, &Identifier::parse(&link.other, "", ""))?
        && let Some(mut link) = LINKS.get(tx, &primary)?
        && Identifier::parse(&link.other, "", "").key() == *key
    {
        link.set(DETACHED, Some("The replica account stopped replication."));
        LINKS.put(tx, &primary, &link)?;
    }
    Ok(true)
}

/// Has the values of a primary copied, once the transaction is durable.
pub(crate) fn changed(
    tx: &mut WriteTx<'_>,
    key: &SecretKey,
) -> Result<(), fogbank_core::store::Error> {
    if !note(tx, key, IN_PROGRESS, None)? {
        return Ok(());
    }
    let principal = Principal::clone(&tx.request().principal);
    emit(tx, key, &principal)
}

fn emit<E: From<fogbank_core::store::Error>>(
    tx: &mut WriteTx<'_>,
    key: &SecretKey,
    principal: &Principal,
) -> Result<(), E> {
    let input = json!({ "name": key.2, "principal": principal });
    let effect = Effect::job(&format!("secretsmanager:{JOB}"), &input);
    Ok(tx.emit(effect.located(&key.0, &key.1).retried(RETRY).in_lane(&format!("{key:?}")))?)
}

/// Copies what a replica in another account lacks.
pub(crate) async fn run(cx: Cx, input: Json) -> Result<(), Fault> {
    let name = input["name"].as_str().unwrap_or_default().to_owned();
    let principal: Principal =
        serde_json::from_value(input["principal"].clone()).map_err(Fault::internal)?;
    let key = (cx.account().to_owned(), cx.region().to_owned(), name);
    match copy(&cx, &key, principal).await.map_err(Fault::from) {
        Ok(()) => Ok(()),
        Err(fault) if matches!(fault.name(), "InternalFailure" | "ServiceUnavailable") => {
            Err(fault)
        }
        Err(fault) => {
            cx.write(|tx| note(tx, &key, FAILED, Some(fault.message()))).await?;
            Ok(())
        }
    }
}

/// Notes on both sides how far it has come, if values still follow.
fn note(
    tx: &mut WriteTx<'_>,
    key: &SecretKey,
    status: &str,
    message: Option<&str>,
) -> Result<bool, fogbank_core::store::Error> {
    let Some(mut link) = LINKS.get(tx, key)? else { return Ok(false) };
    if !link.is_primary || !link.is_attached() {
        return Ok(false);
    }
    link.set(status, message);
    LINKS.put(tx, key, &link)?;
    let other = Identifier::parse(&link.other, "", "").key();
    if let Some(mut follower) = LINKS.get(tx, &other)?
        && !follower.is_primary
        && follower.is_attached()
    {
        follower.set(status, message);
        LINKS.put(tx, &other, &follower)?;
    }
    Ok(true)
}

async fn copy(cx: &Cx, key: &SecretKey, principal: Principal) -> Result<(), Error> {
    loop {
        let found = cx.read(|tx| {
            let link = LINKS.get(tx, key)?.filter(|link| link.is_primary && link.is_attached());
            Ok::<_, Error>(SECRETS.get(tx, key)?.zip(link))
        })?;
        let Some((secret, link)) = found else { return Ok(()) };
        let arn = secret.arn(key);
        let (to, follower, _) = cx.read(|tx| replica(tx, &link.other, &arn))?;
        let known = cx.read(|tx| VERSIONS.range(&to).keys(tx))?;
        let known: Vec<String> = known.into_iter().map(|(.., version)| version).collect();
        let actor = actor(cx, &link, &arn, principal.clone()).await?;
        let copies = copies(&actor, (key, &secret), (&to, &follower), &known).await?;
        let is_done = cx
            .write(|tx| {
                let now = SECRETS.get(tx, key)?.filter(|now| now.stages == secret.stages);
                let (to, mut follower, _) = replica(tx, &link.other, &arn)?;
                let Some(_) = now else { return Ok(false) };
                for (version_id, version, sealed) in &copies {
                    let key = version_key(&to, version_id);
                    VERSIONS.put(tx, &key, version)?;
                    VALUES.put(tx, &key, sealed)?;
                }
                follower.stages.clone_from(&secret.stages);
                let count = VERSIONS.range(&to).count(tx)?;
                follower.version_count = u32::try_from(count).unwrap_or(u32::MAX);
                follower.changed_millis = tx.now().millis();
                crate::versions::prune(tx, &to, &mut follower)?;
                store::put(tx, &to, &follower)?;
                note(tx, key, IN_SYNC, None)?;
                Ok::<_, Error>(true)
            })
            .await?;
        if is_done {
            return Ok(());
        }
    }
}

/// A version as the replica is to have it, with its id.
type Copied = (String, Version, fogbank_core::store::Raw);

/// The versions with labels that the replica lacks, sealed by its key.
async fn copies(
    actor: &Cx,
    (key, secret): (&SecretKey, &Secret),
    (to, follower): (&SecretKey, &Secret),
    known: &[String],
) -> Result<Vec<Copied>, Error> {
    let mut labelled: Vec<&String> = secret.stages.values().collect();
    labelled.sort_unstable();
    labelled.dedup();
    let mut copies = Vec::new();
    for version_id in labelled.into_iter().filter(|id| !known.contains(id)) {
        let at = version_key(key, version_id);
        let found = actor.read(|tx| {
            let version = VERSIONS.get(tx, &at)?;
            Ok::<_, Error>(version.zip(VALUES.get(tx, &at)?))
        })?;
        let Some((version, sealed)) = found else { continue };
        let value = values::open(actor, key, secret, version_id, &version, &sealed).await?;
        let kms_key_id = follower.kms_key_id.clone();
        let place = Place {
            arn: follower.arn(to),
            version_id,
            region: &to.1,
            kms_key_id: kms_key_id.as_deref(),
        };
        let sealed = sealing::seal_for_account(actor, &place, &to.0, &value).await?;
        let created_millis = version.created_millis;
        let version = Version { created_millis, accessed_millis: None, kms_key_id };
        copies.push((version_id.clone(), version, sealed));
    }
    Ok(copies)
}

/// The context of who opens and seals: the role that was named, or else whoever changed the primary.
async fn actor(cx: &Cx, link: &Link, arn: &str, principal: Principal) -> Result<Cx, Error> {
    let Some(role) = &link.role_arn else { return Ok(cx.as_principal(principal)) };
    let input = json!({ "RoleArn": role, "RoleSessionName": "SecretsManagerReplication" });
    let service = Principal::service("secretsmanager.amazonaws.com");
    let mut call = cx.prepare(service, "sts:AssumeRole", input);
    call.source = Arn::parse(arn).map(|parsed| (arn.to_owned(), parsed.account.to_owned()));
    let output = cx.cloud().call(call).await.map_err(|fault| match fault.name() {
        "AccessDenied" => Error::AccessDeniedException(
            "Secrets Manager can't assume the replication role.".to_owned(),
        ),
        _ => fault.into(),
    })?;
    let output = output.output;
    let text = |value: &Json| value.as_str().unwrap_or_default().to_owned();
    let arn = text(&output["AssumedRoleUser"]["Arn"]);
    let session = Session { issued_secs: cx.now().secs(), ..Session::default() };
    Ok(cx.as_principal(Principal {
        kind: PrincipalKind::Role {
            name: role.rsplit('/').next().unwrap_or_default().to_owned(),
            role_arn: role.clone(),
            session: arn.rsplit('/').next().unwrap_or_default().to_owned(),
        },
        account: Arn::parse(role).map(|role| role.account.to_owned()).unwrap_or_default(),
        id: text(&output["AssumedRoleUser"]["AssumedRoleId"]),
        access_key_id: Some(text(&output["Credentials"]["AccessKeyId"])),
        session: Some(Box::new(session)),
        arn,
    }))
}

/// How a secret's own side of replication across accounts is shown: as a replica, or as a primary.
pub(crate) fn shown(
    tx: &impl Tx,
    key: &SecretKey,
) -> Result<(Option<CrossAccountPrimaryType>, Option<Vec<CrossAccountReplicaEntry>>), Error> {
    let Some(link) = LINKS.get(tx, key)? else { return Ok((None, None)) };
    Ok(match link.is_primary {
        true => {
            let entry = CrossAccountReplicaEntry {
                replica_secret_arn: Some(link.other),
                replication_role_arn: link.role_arn,
                replication_status: Some(link.status),
                status_message: link.message,
            };
            (None, Some(vec![entry]))
        }
        false => {
            let primary = CrossAccountPrimaryType {
                primary_secret_arn: Some(link.other),
                replication_status: Some(link.status),
                status_message: link.message,
            };
            (Some(primary), None)
        }
    })
}

/// The policy by which the account of a replica's primary may accept it; none if the secret is no replica.
pub(crate) fn policy(
    rows: &(impl fogbank_core::store::Read + ?Sized),
    key: &SecretKey,
    secret: &Secret,
) -> Result<Option<String>, fogbank_core::store::Error> {
    let link = LINKS.get(rows, key)?.filter(|link| !link.is_primary && link.is_attached());
    Ok(link.map(|link| {
        let account = Identifier::parse(&link.other, "", "").account;
        json!({
            "Version": "2012-10-17",
            "Statement": [{
                "Effect": "Allow",
                "Principal": { "AWS": format!("arn:aws:iam::{account}:root") },
                "Action": "secretsmanager:AcceptCrossAccountReplication",
                "Resource": secret.arn(key),
            }],
        })
        .to_string()
    }))
}
