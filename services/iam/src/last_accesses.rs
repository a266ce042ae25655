//! What users, groups, roles and policies give access to, and when it was last used.

use std::collections::{BTreeMap, BTreeSet};

use fogbank_core::{ReadTx, Tx, WriteTx};
use fogbank_identity::Identities;
use fogbank_identity::rows::{
    self, ACCESS_REPORTS, AccessReport, ENTITIES, Kind, LastUse, ROLES, SERVICE_USES, USERS,
};

use crate::error::Error;
use crate::holders::{self, Held};
use crate::model::{
    AccessAdvisorUsageGranularityType, EntityDetails, EntityInfo,
    GenerateServiceLastAccessedDetailsInput, GenerateServiceLastAccessedDetailsOutput,
    GetServiceLastAccessedDetailsInput, GetServiceLastAccessedDetailsOutput,
    GetServiceLastAccessedDetailsWithEntitiesInput,
    GetServiceLastAccessedDetailsWithEntitiesOutput, ListPoliciesGrantingServiceAccessEntry,
    ListPoliciesGrantingServiceAccessInput, ListPoliciesGrantingServiceAccessOutput,
    PolicyGrantingServiceAccess, ServiceLastAccessed, TrackedActionLastAccessed,
};
use crate::rules::{Page, statements};
use crate::store::{self, Use};

/// The services that exist here, with the names that AWS's reports have.
pub(crate) const SERVICES: [(&str, &str); 14] = [
    ("apigateway", "Amazon API Gateway Management V2"),
    ("dynamodb", "Amazon DynamoDB"),
    ("iam", "AWS Identity and Access Management"),
    ("kms", "AWS Key Management Service"),
    ("lambda", "AWS Lambda"),
    ("logs", "Amazon CloudWatch Logs"),
    ("organizations", "AWS Organizations"),
    ("rekognition", "Amazon Rekognition"),
    ("s3", "Amazon S3"),
    ("secretsmanager", "AWS Secrets Manager"),
    ("sns", "Amazon SNS"),
    ("sqs", "Amazon SQS"),
    ("ssm", "AWS Systems Manager"),
    ("sts", "AWS Security Token Service"),
];

/// Lists the policies that let somebody use services.
pub(crate) fn list_granting(
    tx: &ReadTx<'_>,
    input: ListPoliciesGrantingServiceAccessInput,
) -> Result<ListPoliciesGrantingServiceAccessOutput, Error> {
    let holder = holders::find(tx, &input.arn)?;
    let entries = input.service_namespaces.into_iter().map(|service| {
        let granting = holder
            .policies
            .iter()
            .filter(|policy| statements::allows_service(&policy.document, &service));
        ListPoliciesGrantingServiceAccessEntry {
            policies: Some(granting.map(granting_policy).collect()),
            service_namespace: Some(service),
        }
    });
    Ok(ListPoliciesGrantingServiceAccessOutput {
        policies_granting_service_access: Some(entries.collect()),
        is_truncated: Some(false),
        marker: None,
    })
}

fn granting_policy(policy: &Held) -> PolicyGrantingServiceAccess {
    let entity = match policy.kind {
        Kind::User => "USER",
        Kind::Group => "GROUP",
        Kind::Role => "ROLE",
    };
    let is_inline = policy.arn.is_none();
    PolicyGrantingServiceAccess {
        policy_name: Some(policy.name.clone()),
        policy_type: Some(if is_inline { "INLINE" } else { "MANAGED" }.to_owned()),
        policy_arn: policy.arn.clone(),
        entity_type: is_inline.then(|| entity.to_owned()),
        entity_name: is_inline.then(|| policy.owner.clone()),
    }
}

/// Makes a report: which services somebody may use.
pub(crate) fn generate(
    tx: &mut WriteTx<'_>,
    input: GenerateServiceLastAccessedDetailsInput,
) -> Result<GenerateServiceLastAccessedDetailsOutput, Error> {
    let (entities, documents) = subjects(tx, &input.arn)?;
    let allows = |service: &str| {
        documents.iter().any(|document| statements::allows_service(document, service))
    };
    let services = SERVICES.iter().filter(|(service, _)| allows(service));
    let report = AccessReport {
        services: services.map(|(service, _)| (*service).to_owned()).collect(),
        arn: input.arn,
        is_by_action: input.granularity == Some(AccessAdvisorUsageGranularityType::ActionLevel),
        created_secs: tx.now().secs(),
        entities,
    };
    let id = tx.ids().uuid();
    ACCESS_REPORTS.put(tx, &(tx.account().to_owned(), id.clone()), &report)?;
    Ok(GenerateServiceLastAccessedDetailsOutput { job_id: Some(id) })
}

/// The unique ids of the users and roles that an ARN is about, and the documents that give them access.
fn subjects(tx: &impl Tx, arn: &str) -> Result<(Vec<String>, Vec<String>), Error> {
    let is_policy = arn.split_once(":policy/").is_some();
    if is_policy {
        if !store::policy_exists(tx, arn)? {
            return Err(Error::no_policy(arn));
        }
        let mut ids = BTreeSet::new();
        for name in store::users_of_policy(tx, arn, Use::Policy, Kind::User)? {
            ids.insert(store::find::<rows::User>(tx, &name)?.id);
        }
        for name in store::users_of_policy(tx, arn, Use::Policy, Kind::Role)? {
            ids.insert(store::find::<rows::Role>(tx, &name)?.id);
        }
        for name in store::users_of_policy(tx, arn, Use::Policy, Kind::Group)? {
            ids.extend(members(tx, &name)?);
        }
        let document = holders::document(tx, arn)?;
        return Ok((ids.into_iter().collect(), document.into_iter().collect()));
    }
    let holder = holders::find(tx, arn)?;
    let ids = match holder.kind {
        Kind::Group => members(tx, arn.rsplit('/').next().unwrap_or_default())?,
        Kind::User | Kind::Role => vec![holder.id],
    };
    Ok((ids, holder.policies.into_iter().map(|policy| policy.document).collect()))
}

fn members(tx: &impl Tx, group: &str) -> Result<Vec<String>, Error> {
    let mut ids = Vec::new();
    for folded in store::members(tx, group)? {
        ids.extend(USERS.get(tx, &(tx.account(), folded))?.map(|user| user.id));
    }
    Ok(ids)
}

/// Shows which services were last used when.
pub(crate) fn get(
    tx: &ReadTx<'_>,
    input: GetServiceLastAccessedDetailsInput,
) -> Result<GetServiceLastAccessedDetailsOutput, Error> {
    let report = report(tx, &input.job_id)?;
    let page =
        Page::of(report.services.clone(), Clone::clone, input.marker.as_deref(), input.max_items)?;
    let is_truncated = page.is_truncated();
    let mut services = Vec::new();
    for service in page.items {
        let uses = uses(tx, &report, &service)?;
        let last = uses.iter().max_by_key(|(_, last)| last.secs);
        let arn = match last {
            Some((id, _)) => rows::arn_of_id(tx, id)?,
            None => None,
        };
        let actions = match report.is_by_action {
            true => Some(actions(tx, &report, &service)?),
            false => None,
        };
        services.push(ServiceLastAccessed {
            service_name: service_name(&service),
            last_authenticated: last.and_then(|(_, last)| store::time(last.secs)),
            service_namespace: Some(service),
            last_authenticated_entity: arn,
            last_authenticated_region: last.map(|(_, last)| last.region.clone()),
            total_authenticated_entities: i32::try_from(uses.len()).ok(),
            tracked_actions_last_accessed: actions,
        });
    }
    Ok(GetServiceLastAccessedDetailsOutput {
        job_status: Some("COMPLETED".to_owned()),
        job_type: Some(match report.is_by_action {
            true => AccessAdvisorUsageGranularityType::ActionLevel,
            false => AccessAdvisorUsageGranularityType::ServiceLevel,
        }),
        job_creation_date: store::time(report.created_secs),
        services_last_accessed: Some(services),
        job_completion_date: store::time(report.created_secs),
        is_truncated,
        marker: page.marker,
        error: None,
    })
}

/// Which actions of a service a report's entities last did when, of those that they were seen to do. AWS lists the
/// others, too, and knows the regions.
fn actions(
    tx: &impl Tx,
    report: &AccessReport,
    service: &str,
) -> Result<Vec<TrackedActionLastAccessed>, Error> {
    let observed = &Identities::of(tx.cx().cloud()).observed;
    let mut last: BTreeMap<String, (i64, String)> = BTreeMap::new();
    for id in &report.entities {
        let Some(arn) = rows::arn_of_id(tx, id)? else { continue };
        for (action, secs) in observed.actions(tx, &arn, service)? {
            let known = last.entry(action).or_insert_with(|| (secs, arn.clone()));
            if secs > known.0 {
                *known = (secs, arn.clone());
            }
        }
    }
    let shown = last.into_iter().map(|(action, (secs, arn))| TrackedActionLastAccessed {
        action_name: Some(action),
        last_accessed_entity: Some(arn),
        last_accessed_time: store::time(secs),
        last_accessed_region: None,
    });
    Ok(shown.collect())
}

/// Shows who last used a service when.
pub(crate) fn get_with_entities(
    tx: &ReadTx<'_>,
    input: GetServiceLastAccessedDetailsWithEntitiesInput,
) -> Result<GetServiceLastAccessedDetailsWithEntitiesOutput, Error> {
    let report = report(tx, &input.job_id)?;
    let ids = report.entities.clone();
    let page = Page::of(ids, Clone::clone, input.marker.as_deref(), input.max_items)?;
    let is_truncated = page.is_truncated();
    let mut details = Vec::new();
    for id in page.items {
        let last = last_use(tx, &id, &input.service_namespace)?;
        let Some(info) = info(tx, &id)? else { continue };
        details.push(EntityDetails {
            entity_info: Some(info),
            last_authenticated: last.and_then(|last| store::time(last.secs)),
        });
    }
    Ok(GetServiceLastAccessedDetailsWithEntitiesOutput {
        job_status: Some("COMPLETED".to_owned()),
        job_creation_date: store::time(report.created_secs),
        job_completion_date: store::time(report.created_secs),
        entity_details_list: Some(details),
        is_truncated,
        marker: page.marker,
        error: None,
    })
}

/// The name of a service that exists here.
pub(crate) fn service_name(service: &str) -> Option<String> {
    let found = SERVICES.iter().find(|(known, _)| *known == service);
    found.map(|(_, name)| (*name).to_owned())
}

fn report(tx: &impl Tx, id: &str) -> Result<AccessReport, Error> {
    ACCESS_REPORTS.get(tx, &(tx.account(), id))?.ok_or_else(|| {
        Error::NoSuchEntityException(format!("The job with id {id} cannot be found."))
    })
}

/// Who of a report's entities used a service, and when.
fn uses(
    tx: &impl Tx,
    report: &AccessReport,
    service: &str,
) -> Result<Vec<(String, LastUse)>, Error> {
    let mut uses = Vec::new();
    for id in &report.entities {
        uses.extend(last_use(tx, id, service)?.map(|last| (id.clone(), last)));
    }
    Ok(uses)
}

/// When a user or role last used a service.
pub(crate) fn last_use(tx: &impl Tx, id: &str, service: &str) -> Result<Option<LastUse>, Error> {
    match Identities::of(tx.cx().cloud()).last_uses.of_service(id, service) {
        Some(last) => Ok(Some(last)),
        None => Ok(SERVICE_USES.get(tx, &(id, service))?),
    }
}

fn info(tx: &impl Tx, id: &str) -> Result<Option<EntityInfo>, Error> {
    let Some(entity) = ENTITIES.get(tx, id)? else { return Ok(None) };
    let key = (&*entity.account, &*entity.folded);
    let found = match entity.kind {
        Kind::User => USERS.get(tx, &key)?.map(|user| ("USER", user.name, user.path)),
        Kind::Role => ROLES.get(tx, &key)?.map(|role| ("ROLE", role.name, role.path)),
        Kind::Group => None,
    };
    let arn = rows::arn_of_id(tx, id)?;
    Ok(found.map(|(kind, name, path)| EntityInfo {
        arn,
        name: Some(name),
        r#type: Some(kind.to_owned()),
        id: Some(id.to_owned()),
        path: Some(path),
    }))
}
