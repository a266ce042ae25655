//! Reports of which services an organization's control policies leave to its accounts, and when those last used them.

use std::collections::HashMap;
use std::ops::ControlFlow;

use fogbank_core::{ReadTx, Tx, WriteTx};
use fogbank_identity::organizations::{
    self, ACCOUNTS, CHILDREN, ORGANIZATIONS, Organization, POLICIES, SERVICE_CONTROL, UNITS,
};
use fogbank_identity::rows::{
    LastUse, ORGANIZATION_REPORTS, OrganizationReport, ROLES, ServiceAccess, USERS,
};

use crate::error::Error;
use crate::last_accesses::{self, SERVICES};
use crate::model::{
    AccessDetail, ErrorDetails, GenerateOrganizationsAccessReportInput,
    GenerateOrganizationsAccessReportOutput, GetOrganizationsAccessReportInput,
    GetOrganizationsAccessReportOutput, SortKeyType,
};
use crate::rules::{Page, statements};
use crate::store;

/// Makes a report. One that cannot be made is a failed one, of which the next call tells.
pub(crate) fn generate(
    tx: &mut WriteTx<'_>,
    input: GenerateOrganizationsAccessReportInput,
) -> Result<GenerateOrganizationsAccessReportOutput, Error> {
    let made = services(&tx.as_read(), &input.entity_path, input.organizations_policy_id)?;
    let (services, failure) = match made {
        Ok(services) => (services, None),
        Err((code, message)) => (Vec::new(), Some((code.to_owned(), message.to_owned()))),
    };
    let report = OrganizationReport { created_secs: tx.now().secs(), failure, services };
    let id = tx.ids().uuid();
    ORGANIZATION_REPORTS.put(tx, &(tx.account().to_owned(), id.clone()), &report)?;
    Ok(GenerateOrganizationsAccessReportOutput { job_id: Some(id) })
}

/// Why a report cannot be made: a code and a message, which are guesses.
type Failure = (&'static str, &'static str);

const NO_ENTITY: Failure = ("EntityNotFound", "The entity does not exist in your organization.");
const NO_POLICY: Failure = ("PolicyNotFound", "The policy does not exist in your organization.");

/// What a report is about: the targets from the root down to it, and the accounts in it.
struct Subject {
    organization: String,
    row: Organization,
    lineage: Vec<String>,
    accounts: Vec<String>,
}

fn services(
    tx: &ReadTx<'_>,
    path: &str,
    policy: Option<String>,
) -> Result<Result<Vec<ServiceAccess>, Failure>, Error> {
    let subject = match subject(tx, path)? {
        Ok(subject) => subject,
        Err(failure) => return Ok(Err(failure)),
    };
    let levels = match policy {
        Some(id) => match document(tx, &subject.organization, &id)? {
            Some((kind, document)) if kind == SERVICE_CONTROL => vec![vec![document]],
            _ => return Ok(Err(NO_POLICY)),
        },
        None => levels(tx, &subject)?,
    };
    let mut found = Vec::new();
    for (service, _) in SERVICES {
        let is_open = levels.iter().all(|level| {
            level.iter().any(|document| statements::allows_service(document, service))
                && !level.iter().any(|document| statements::denies_service(document, service))
        });
        if is_open {
            found.push(access(tx, &subject, service)?);
        }
    }
    Ok(Ok(found))
}

/// The entity at the end of a path from the organization down.
fn subject(tx: &ReadTx<'_>, path: &str) -> Result<Result<Subject, Failure>, Error> {
    let mut parts = path.trim_end_matches('/').split('/').map(str::to_owned);
    let organization = parts.next().unwrap_or_default();
    let lineage: Vec<String> = parts.collect();
    let Some(row) = ORGANIZATIONS.get(tx, &organization)? else { return Ok(Err(NO_ENTITY)) };
    if row.management != tx.account() {
        let message = "Only the management account of the organization can make this report.";
        return Ok(Err(("AccessDenied", message)));
    }
    let mut above = String::new();
    for id in &lineage {
        let parent = match UNITS.get(tx, &(&*organization, &**id))? {
            Some(unit) => Some(unit.parent),
            None => {
                let account = ACCOUNTS.get(tx, id)?;
                account.filter(|found| found.organization == organization).map(|found| found.parent)
            }
        };
        if parent.as_ref() != Some(&above) {
            return Ok(Err(NO_ENTITY));
        }
        above.clone_from(id);
    }
    let mut accounts = Vec::new();
    add_accounts(tx, &organization, &above, &mut accounts)?;
    Ok(Ok(Subject { organization, row, lineage, accounts }))
}

/// The accounts below an entity, or the one that it is.
fn add_accounts(
    tx: &ReadTx<'_>,
    organization: &str,
    id: &str,
    accounts: &mut Vec<String>,
) -> Result<(), Error> {
    let mut pending = vec![id.to_owned()];
    while let Some(id) = pending.pop() {
        if id.bytes().all(|byte| byte.is_ascii_digit()) {
            accounts.push(id);
            continue;
        }
        CHILDREN.range(&(organization, &*id)).visit_keys(tx, |(_, _, child)| {
            pending.push(child);
            ControlFlow::Continue(())
        })?;
    }
    Ok(())
}

/// The service control policies from the root down to the subject, a list for each level.
fn levels(tx: &ReadTx<'_>, subject: &Subject) -> Result<Vec<Vec<String>>, Error> {
    let mut levels = Vec::new();
    if !subject.row.policy_types.iter().any(|kind| kind == SERVICE_CONTROL) {
        return Ok(levels);
    }
    for target in &subject.lineage {
        let mut level = Vec::new();
        for id in organizations::attached(tx, &subject.organization, target)? {
            let found = document(tx, &subject.organization, &id)?;
            level.extend(found.filter(|(kind, _)| kind == SERVICE_CONTROL).map(|(_, text)| text));
        }
        levels.push(level);
    }
    Ok(levels)
}

/// The type and document of a policy, AWS's or a customer's.
fn document(
    tx: &ReadTx<'_>,
    organization: &str,
    id: &str,
) -> Result<Option<(String, String)>, Error> {
    if let Some(managed) = organizations::managed(id) {
        return Ok(Some((managed.kind.to_owned(), managed.content.to_owned())));
    }
    let found = POLICIES.get(tx, &(organization, id))?;
    Ok(found.map(|policy| (policy.kind, policy.content)))
}

/// Which account used a service last, and how many did. Uses by roots are not written down.
fn access(tx: &ReadTx<'_>, subject: &Subject, service: &str) -> Result<ServiceAccess, Error> {
    let mut accounts: HashMap<&str, LastUse> = HashMap::new();
    for account in &subject.accounts {
        let mut ids = Vec::new();
        USERS.range(&(&**account,)).visit(tx, |_, user| {
            ids.push(user.id);
            ControlFlow::Continue(())
        })?;
        ROLES.range(&(&**account,)).visit(tx, |_, role| {
            ids.push(role.id);
            ControlFlow::Continue(())
        })?;
        for id in ids {
            let Some(used) = last_accesses::last_use(tx, &id, service)? else { continue };
            let is_newer = accounts.get(&**account).is_none_or(|known| known.secs < used.secs);
            if is_newer {
                accounts.insert(account, used);
            }
        }
    }
    let count = u32::try_from(accounts.len()).unwrap_or(u32::MAX);
    let last = accounts.into_iter().max_by_key(|(account, used)| (used.secs, *account));
    let last = match last {
        Some((account, used)) => {
            let row = ACCOUNTS.get(tx, account)?;
            let lineage = row.map(|row| organizations::lineage(tx, account, &row)).transpose()?;
            let path = lineage.unwrap_or_default().join("/");
            Some((used, format!("{}/{path}", subject.organization)))
        }
        None => None,
    };
    Ok(ServiceAccess { service: service.to_owned(), last, accounts: count })
}

/// Shows a report.
pub(crate) fn get(
    tx: &ReadTx<'_>,
    input: GetOrganizationsAccessReportInput,
) -> Result<GetOrganizationsAccessReportOutput, Error> {
    let report = ORGANIZATION_REPORTS.get(tx, &(tx.account(), &*input.job_id))?;
    let report = report.ok_or_else(|| {
        let id = &input.job_id;
        Error::NoSuchEntityException(format!("The job with id {id} cannot be found."))
    })?;
    let mut services = report.services;
    let secs = |access: &ServiceAccess| access.last.as_ref().map(|(used, _)| used.secs);
    match input.sort_key {
        None | Some(SortKeyType::ServiceNamespaceAscending) => {
            services.sort_by(|one, other| one.service.cmp(&other.service));
        }
        Some(SortKeyType::ServiceNamespaceDescending) => {
            services.sort_by(|one, other| other.service.cmp(&one.service));
        }
        Some(SortKeyType::LastAuthenticatedTimeAscending) => services.sort_by_key(secs),
        Some(SortKeyType::LastAuthenticatedTimeDescending) => {
            services.sort_by_key(|access| std::cmp::Reverse(secs(access)));
        }
    }
    let count = |count: usize| i32::try_from(count).ok();
    let unused = services.iter().filter(|access| access.last.is_none()).count();
    let accessible = services.len();
    let key = |access: &ServiceAccess| access.service.clone();
    let page = Page::of(services, key, input.marker.as_deref(), input.max_items)?;
    let is_failed = report.failure.is_some();
    Ok(GetOrganizationsAccessReportOutput {
        job_status: Some(if is_failed { "FAILED" } else { "COMPLETED" }.to_owned()),
        job_creation_date: store::time(report.created_secs),
        job_completion_date: store::time(report.created_secs),
        number_of_services_accessible: count(accessible).filter(|_| !is_failed),
        number_of_services_not_accessed: count(unused).filter(|_| !is_failed),
        is_truncated: page.is_truncated(),
        marker: page.marker,
        access_details: (!is_failed).then(|| page.items.into_iter().map(detail).collect()),
        error_details: report
            .failure
            .map(|(code, message)| ErrorDetails { code: Some(code), message: Some(message) }),
    })
}

fn detail(access: ServiceAccess) -> AccessDetail {
    let (last, path) = access.last.unzip();
    AccessDetail {
        service_name: last_accesses::service_name(&access.service),
        service_namespace: Some(access.service),
        region: last.as_ref().map(|used| used.region.clone()),
        entity_path: path,
        last_authenticated_time: last.and_then(|used| store::time(used.secs)),
        total_authenticated_entities: i32::try_from(access.accounts).ok(),
    }
}
