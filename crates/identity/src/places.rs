//! An account's place in its organization with its control policies compiled, and to whom they apply.

use std::sync::Arc;

use fogbank_core::policy::Attached;
use fogbank_core::store::Read;
use fogbank_core::{Fault, Principal, PrincipalKind};

use crate::documents::Documents;
use crate::identities::{Compiled, Identities, attached};
use crate::organizations::{self, ControlPolicy, Membership};

/// An account's place in its organization.
pub(crate) struct Place {
    pub(crate) organization_id: String,
    pub(crate) path: String,
    is_management: bool,
    /// Whether the account was closed.
    pub(crate) is_closed: bool,
    service_control: Vec<Vec<Compiled>>,
    resource_control: Vec<Vec<Compiled>>,
}

/// The services whose resources resource control policies limit, in order, as the Organizations User Guide lists them:
/// <https://docs.aws.amazon.com/organizations/latest/userguide/orgs_manage_policies_rcps.html#rcp-supported-services>.
const LIMITED_SERVICES: [&str; 62] = [
    "aoss",
    "appconfig",
    "appstream",
    "autoscaling",
    "autoscaling-plans",
    "budgets",
    "clouddirectory",
    "cloudfront",
    "cloudsearch",
    "cloudtrail-data",
    "codeartifact",
    "codebuild",
    "codecommit",
    "codepipeline",
    "cognito-identity",
    "cognito-idp",
    "comprehend",
    "comprehendmedical",
    "compute-optimizer",
    "cost-optimization-hub",
    "dax",
    "dsql",
    "dynamodb",
    "ecr",
    "ecr-public",
    "events",
    "firehose",
    "fis",
    "fms",
    "gamelift",
    "health",
    "inspector-scan",
    "kendra",
    "kinesisvideo",
    "kms",
    "logs",
    "memorydb",
    "networkmonitor",
    "notifications",
    "opensearch",
    "pca-connector-ad",
    "personalize",
    "polly",
    "pricing",
    "resource-groups",
    "rolesanywhere",
    "s3",
    "secretsmanager",
    "servicediscovery",
    "signin",
    "sqs",
    "sts",
    "support",
    "swf",
    "textract",
    "timestream-influxdb",
    "transcribe",
    "transfer",
    "translate",
    "wafv2",
    "workspaces",
    "xray",
];

impl Place {
    fn compile(documents: &Documents, membership: Membership) -> Result<Place, Fault> {
        let Membership { organization_id, path, is_management, is_closed, levels } = membership;
        let compiled = |policies: &[ControlPolicy], is_rcp: bool| {
            let compile = |policy: &ControlPolicy| {
                let document = match is_rcp {
                    true => documents.resource_control(&policy.document),
                    false => documents.policy(&policy.document),
                };
                Ok::<Compiled, Fault>((policy.arn.as_str().into(), document?))
            };
            policies.iter().map(compile).collect::<Result<Vec<_>, _>>()
        };
        let (mut service_control, mut resource_control) = (Vec::new(), Vec::new());
        for level in &levels {
            service_control.push(compiled(&level.service_control, false)?);
            resource_control.push(compiled(&level.resource_control, true)?);
        }
        Ok(Place {
            organization_id,
            path,
            is_management,
            is_closed,
            service_control,
            resource_control,
        })
    }

    /// The service control policies that limit `principal`, a list for each level.
    pub(crate) fn limits_on_caller(&self, principal: &Principal) -> Vec<Vec<Attached<'_>>> {
        let is_exempt = self.is_management || is_service_linked(principal);
        levels(if is_exempt { &[] } else { &self.service_control })
    }

    /// The resource control policies that limit `action` of `principal`, a list for each level.
    pub(crate) fn limits_on_resource(
        &self,
        principal: &Principal,
        action: &str,
    ) -> Vec<Vec<Attached<'_>>> {
        let is_exempt = self.is_management || is_service_linked(principal);
        levels(if is_exempt || !is_limited(action) { &[] } else { &self.resource_control })
    }
}

fn levels(levels: &[Vec<Compiled>]) -> Vec<Vec<Attached<'_>>> {
    let is_limit = |level: &&Vec<Compiled>| !level.is_empty();
    levels.iter().filter(is_limit).map(|level| level.iter().map(attached).collect()).collect()
}

/// Whether resource control policies have a say over the action. They have none over `kms:RetireGrant`.
pub(crate) fn is_limited(action: &str) -> bool {
    let service = action.split(':').next().unwrap_or_default();
    LIMITED_SERVICES.binary_search(&service).is_ok()
        && !action.eq_ignore_ascii_case("kms:RetireGrant")
}

/// Control policies leave alone what AWS's services do through their service-linked roles.
fn is_service_linked(principal: &Principal) -> bool {
    match &principal.kind {
        PrincipalKind::Role { role_arn, .. } => role_arn
            .split_once(":role/")
            .is_some_and(|(_, path)| path.starts_with("aws-service-role/")),
        _ => false,
    }
}

impl Identities {
    /// Whether the account was closed.
    pub(crate) fn is_closed(&self, rows: &dyn Read, account: &str) -> Result<bool, Fault> {
        let place = self.place(rows, account)?;
        Ok((*place).as_ref().is_some_and(|place| place.is_closed))
    }

    /// The account's place in its organization, or none.
    pub(crate) fn place(
        &self,
        rows: &dyn Read,
        account: &str,
    ) -> Result<Arc<Option<Place>>, Fault> {
        self.recall(&self.places, rows, account, || {
            let membership = organizations::membership(rows, account)?;
            membership.map(|found| Place::compile(&self.documents, found)).transpose()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::organizations::Level;

    const EVERYTHING: &str =
        r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"*","Resource":"*"}}"#;
    const NOBODY: &str = r#"{"Version":"2012-10-17","Statement":{"Effect":"Deny","Principal":"*","Action":"s3:*","Resource":"*"}}"#;

    fn place(is_management: bool) -> Place {
        let policy = |document: &str| {
            vec![ControlPolicy { arn: "arn".to_owned(), document: document.to_owned() }]
        };
        let root = Level { service_control: policy(EVERYTHING), resource_control: policy(NOBODY) };
        let levels = vec![root, Level::default()];
        let membership = Membership { is_management, levels, ..Membership::default() };
        Place::compile(&Documents::default(), membership).expect("policies")
    }

    fn session(role_arn: &str) -> Principal {
        let kind = PrincipalKind::Role {
            name: "worker".to_owned(),
            role_arn: role_arn.to_owned(),
            session: "s1".to_owned(),
        };
        Principal { kind, ..Principal::root("111122223333") }
    }

    #[test]
    fn limited_services_are_in_order() {
        assert!(LIMITED_SERVICES.is_sorted());
        for action in ["s3:GetObject", "sts:AssumeRole", "logs:PutLogEvents", "xray:GetGroups"] {
            assert!(is_limited(action), "{action}");
        }
        assert!(!is_limited("sns:Publish"));
    }

    #[test]
    fn control_policies_concern_whom_aws_says() {
        let worker = session("arn:aws:iam::111122223333:role/worker");
        let linked = session("arn:aws:iam::111122223333:role/aws-service-role/ecs.amazonaws.com/X");
        let member = place(false);
        // A level without policies does not limit.
        assert_eq!(member.limits_on_caller(&worker).len(), 1);
        assert_eq!(member.limits_on_caller(&Principal::root("111122223333")).len(), 1);
        assert!(member.limits_on_caller(&linked).is_empty());
        assert!(place(true).limits_on_caller(&worker).is_empty());
        assert_eq!(member.limits_on_resource(&worker, "s3:GetObject").len(), 1);
        assert_eq!(member.limits_on_resource(&Principal::anonymous(), "s3:GetObject").len(), 1);
        assert!(member.limits_on_resource(&worker, "sns:Publish").is_empty());
        assert!(member.limits_on_resource(&worker, "kms:RetireGrant").is_empty());
        assert!(member.limits_on_resource(&linked, "s3:GetObject").is_empty());
        assert!(place(true).limits_on_resource(&worker, "s3:GetObject").is_empty());
    }
}
