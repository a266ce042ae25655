//! What each operation asks to be allowed is what AWS's Service Authorization Reference says.

use std::collections::BTreeSet;

use fogbank_core::{Access, Cx, Endpoint, Fault, Principal, PrincipalKind, Request};
use fogbank_testkit::{ACCOUNT, REGION, World};

use super::operations::{self, Operation};
use super::reference::{Reference, is_key};

/// Operations that are allowed to everybody who signs, or that ask while they run.
const OPEN: &[(&str, &str)] = &[
    ("kms:RetireGrant", "the grant decides, or else it asks while it runs"),
    ("s3:DeleteObjects", "asks for each key while it runs"),
    ("sts:AssumeRole", "a role's trust policy works unlike other resource policies"),
    ("sts:AssumeRoleWithSAML", "the trust policy alone decides over who has no credentials"),
    ("sts:AssumeRoleWithWebIdentity", "the trust policy alone decides over who has no credentials"),
    ("sts:GetCallerIdentity", "AWS allows it to everybody, even if a policy denies it"),
    ("sts:GetSessionToken", "AWS allows it to everybody"),
];

/// Where what is asked differs from the reference, by intent: the operation or action, what differs (an action, a
/// resource, a condition key or a dependent action), and why.
const EXCEPTIONS: &[(&str, &str, &str)] = &[
    ("apigateway:*", "apigateway:Request/AuthorizerType", "there are no authorizers yet"),
    ("apigateway:*", "apigateway:Request/AuthorizerUri", "there are no authorizers yet"),
    ("apigateway:*", "apigateway:Resource/<key>", "not given yet"),
    ("apigateway:DELETE", "apigateway:Request/<key>", "a deletion asks for nothing of this kind"),
    ("apigateway:GET", "apigateway:Request/<key>", "a read asks for nothing of this kind"),
    ("apigateway:PATCH", "apigateway:Request/EndpointType", "it cannot be changed"),
    ("apigateway:PATCH", "aws:RequestTag/${TagKey}", "no update takes tags"),
    ("apigateway:PATCH", "aws:TagKeys", "no update takes tags"),
    ("apigatewayv2:GetTags", "arn:aws:apigateway:us-east-1::/tags/${Arn}", TAGS),
    ("apigatewayv2:TagResource", "arn:aws:apigateway:us-east-1::/tags/${Arn}", TAGS),
    ("apigatewayv2:UntagResource", "arn:aws:apigateway:us-east-1::/tags/${Arn}", TAGS),
    ("apigatewayv2:UntagResource", "aws:RequestTag/${TagKey}", "it takes tags away"),
    ("apigateway:DELETE", "aws:RequestTag/${TagKey}", "a deletion puts no tags"),
    ("dynamodb:BatchGetItem", "dynamodb:Select", SELECT),
    ("dynamodb:GetItem", "dynamodb:Select", SELECT),
    ("dynamodb:ConditionCheckItem", "dynamodb:ReturnValues", "a check returns none"),
    ("dynamodb:Query", "dynamodb:ReturnValues", "a read has no such member"),
    ("dynamodb:Scan", "dynamodb:ReturnValues", "a read has no such member"),
    ("events:*", "events:ManagedBy", "given of rules that a service manages"),
    ("iam:*", "iam:PermissionsBoundary", DIRECTORY),
    ("iam:*", "iam:ResourceTag/${TagKey}", DIRECTORY),
    (
        "iam:GetAccessKeyLastUsed",
        "arn:aws:iam::000000000000:access-key/${Id}",
        "stands for its user",
    ),
    ("iam:*", "iam:DelegationRequestOwner", ROWS),
    (
        "iam:UpdateDelegationRequest",
        "iam:UpdateDelegationRequest",
        "the reference at hand is older than the operation",
    ),
    ("iam:EnableMFADevice", "iam:FIDO-FIPS-140-2-certification", VIRTUAL),
    ("iam:EnableMFADevice", "iam:FIDO-FIPS-140-3-certification", VIRTUAL),
    ("iam:EnableMFADevice", "iam:FIDO-certification", VIRTUAL),
    ("iam:EnableMFADevice", "iam:RegisterSecurityKey", VIRTUAL),
    ("iam:DeleteServiceSpecificCredential", "iam:ServiceSpecificCredentialServiceName", ROWS),
    ("iam:ResetServiceSpecificCredential", "iam:ServiceSpecificCredentialServiceName", ROWS),
    ("iam:UpdateServiceSpecificCredential", "iam:ServiceSpecificCredentialServiceName", ROWS),
    ("iam:ListInstanceProfiles", "arn:aws:iam::000000000000:instance-profile/${Path}", PATHS),
    ("iam:ListServerCertificates", "arn:aws:iam::000000000000:server-certificate/${Path}", PATHS),
    ("iam:ListGroups", "arn:aws:iam::000000000000:group/${Path}", PATHS),
    ("iam:ListPolicies", "policy path ${Path}", PATHS),
    ("iam:ListRoles", "arn:aws:iam::000000000000:role/${Path}", PATHS),
    ("iam:ListUsers", "arn:aws:iam::000000000000:user/${Path}", PATHS),
    ("kms:Decapsulate", "kms:Decapsulate", "the reference does not have it yet"),
    ("kms:Encapsulate", "kms:Encapsulate", "the reference does not have it yet"),
    ("kms:GetKeyLastUsage", "kms:GetKeyLastUsage", "the reference does not have it yet"),
    ("kms:*", "kms:GrantIsForAWSResource", "no service makes grants yet"),
    ("kms:*", "kms:RecipientAttestation:<key>", "nobody here can check attestations"),
    ("kms:*", "kms:ViaService", "only where a service calls on the caller's behalf"),
    ("kms:CreateCustomKeyStore", "cloudhsm:DescribeClusters", "there are no key stores"),
    ("kms:CreateCustomKeyStore", "ec2:DescribeVpcEndpointServices", "there are no key stores"),
    ("kms:UpdateCustomKeyStore", "ec2:DescribeVpcEndpointServices", "there are no key stores"),
    ("kms:CreateCustomKeyStore", "iam:CreateServiceLinkedRole", "there are no key stores"),
    ("kms:CreateKey", "iam:CreateServiceLinkedRole", "copies need no role"),
    ("kms:CreateKey", "kms:PutKeyPolicy", "AWS's guide asks for kms:CreateKey alone"),
    ("kms:ReplicateKey", "iam:CreateServiceLinkedRole", "copies need no role"),
    ("kms:ReplicateKey", "kms:PutKeyPolicy", "AWS's guide asks for kms:CreateKey alone"),
    ("lambda:CreateFunction", "lambda:PassCapacityProvider", "there are no capacity providers"),
    ("lambda:InvokeFunction", "lambda:EventSourceToken", "of Alexa alone"),
    ("lambda:InvokeFunction", "lambda:InvokedViaFunctionUrl", "there are no function URLs yet"),
    ("lambda:RemovePermission", "lambda:FunctionUrlAuthType", "there are no function URLs yet"),
    ("lambda:DeleteEventSourceMapping", "lambda:FunctionArn", "rows tell"),
    ("lambda:GetEventSourceMapping", "lambda:FunctionArn", "rows tell"),
    ("lambda:RemovePermission", "lambda:Principal", "rows tell"),
    ("lambda:CreateFunction", "lambda:VpcIds", "there are no networks yet that subnets belong to"),
    ("lambda:UpdateFunctionConfiguration", "lambda:VpcIds", "as with CreateFunction"),
    (
        "logs:DescribeLogGroups",
        "arn:aws:logs:${Any}:log-stream:",
        "AWS names the groups all the same",
    ),
    ("organizations:AcceptHandshake", "iam:CreateServiceLinkedRole", "it makes no such role"),
    ("organizations:CreateOrganization", "iam:CreateServiceLinkedRole", "it makes no such role"),
    ("organizations:*", "organizations:PolicyType", "rows tell"),
    ("s3:CreateAccessPoint", "s3:locationconstraint", "the operation names no place"),
    ("s3:CreateAccessPoint", "s3:x-amz-acl", "the operation has no such header"),
    ("s3:PutObjectAnnotation", "s3:PutObjectAnnotation", "the reference does not have it yet"),
    ("s3:GetObjectAnnotation", "s3:GetObjectAnnotation", "the reference does not have it yet"),
    ("s3:ListObjectAnnotations", "s3:ListObjectAnnotations", "the reference does not have it yet"),
    (
        "s3:DeleteObjectAnnotation",
        "s3:DeleteObjectAnnotation",
        "the reference does not have it yet",
    ),
    ("s3:CreateBucketMetadata*", "kms:DescribeKey", ASKED),
    ("s3:CreateBucketMetadata*", "s3tables:${Any}", ASKED),
    ("s3:UpdateBucketMetadataInventoryTableConfiguration", "kms:DescribeKey", ASKED),
    ("s3:UpdateBucketMetadataInventoryTableConfiguration", "s3tables:${Any}", ASKED),
    (
        "s3:UpdateBucketMetadataAnnotationTableConfiguration",
        "s3:UpdateBucketMetadataAnnotationTableConfiguration",
        "the reference does not have it yet",
    ),
    ("s3:DeleteBucketReplication", "iam:PassRole", "no role is given away"),
    ("s3:PutObject*", "s3:object-lock-event-hold", NEW),
    ("s3:PutObject*", "s3:object-lock-event-hold-duration-days", NEW),
    (
        "s3:PutReplicationConfiguration",
        "s3:isReplicationPauseRequest",
        "nobody pauses replication for an experiment",
    ),
    ("s3:*", "s3:AccessGrantsInstanceArn", "the session tells"),
    ("s3:DeleteAccessGrant*", "aws:RequestTag/${TagKey}", "the operation puts no tags"),
    ("s3:DeleteAccessGrant*", "aws:TagKeys", "the operation puts no tags"),
    ("s3:GetAccessGrant*", "aws:RequestTag/${TagKey}", "the operation puts no tags"),
    ("s3:GetAccessGrant*", "aws:TagKeys", "the operation puts no tags"),
    ("s3:ListAccessGrant*", "aws:RequestTag/${TagKey}", "the operation puts no tags"),
    ("s3:ListAccessGrant*", "aws:TagKeys", "the operation puts no tags"),
    ("s3:PutAccessGrant*", "aws:RequestTag/${TagKey}", "the operation puts no tags"),
    ("s3:PutAccessGrant*", "aws:TagKeys", "the operation puts no tags"),
    ("s3:UpdateAccessGrant*", "aws:RequestTag/${TagKey}", "the operation puts no tags"),
    ("s3:UpdateAccessGrant*", "aws:TagKeys", "the operation puts no tags"),
    ("s3:ListCallerAccessGrant*", "aws:RequestTag/${TagKey}", "the operation puts no tags"),
    ("s3:ListCallerAccessGrant*", "aws:TagKeys", "the operation puts no tags"),
    ("s3:GetDataAccess", "aws:RequestTag/${TagKey}", "the operation puts no tags"),
    ("s3:GetDataAccess", "aws:TagKeys", "the operation puts no tags"),
    ("s3:CreateAccessGrant", "s3:AccessGrantScope", "rows tell"),
    ("s3:DeleteAccessGrant", "s3:AccessGrantScope", "rows tell"),
    ("s3:GetAccessGrant", "s3:AccessGrantScope", "rows tell"),
    ("s3:DeleteAccessGrantsLocation", "s3:AccessGrantsLocationScope", "rows tell"),
    ("s3:GetAccessGrantsLocation", "s3:AccessGrantsLocationScope", "rows tell"),
    ("s3:UpdateAccessGrantsLocation", "s3:AccessGrantsLocationScope", "rows tell"),
    ("s3:*", "s3:AccessPointNetworkOrigin", "access points are seen by the gateway alone"),
    ("s3:*", "s3:AccessPointTag/${TagKey}", "access points are seen by the gateway alone"),
    ("s3:*", "s3:DataAccessPointAccount", "access points are seen by the gateway alone"),
    ("s3:*", "s3:DataAccessPointArn", "access points are seen by the gateway alone"),
    ("s3:DeleteJobTagging", "aws:RequestTag/${TagKey}", "the operation puts no tags"),
    ("s3:DeleteJobTagging", "aws:TagKeys", "the operation puts no tags"),
    ("s3:DescribeJob", "aws:RequestTag/${TagKey}", "the operation puts no tags"),
    ("s3:DescribeJob", "aws:TagKeys", "the operation puts no tags"),
    ("s3:GetJobTagging", "aws:RequestTag/${TagKey}", "the operation puts no tags"),
    ("s3:GetJobTagging", "aws:TagKeys", "the operation puts no tags"),
    ("s3:UpdateJobPriority", "aws:RequestTag/${TagKey}", "the operation puts no tags"),
    ("s3:UpdateJobPriority", "aws:TagKeys", "the operation puts no tags"),
    ("s3:UpdateJobStatus", "aws:RequestTag/${TagKey}", "the operation puts no tags"),
    ("s3:UpdateJobStatus", "aws:TagKeys", "the operation puts no tags"),
    ("s3:*", "s3:ExistingJobOperation", "rows tell"),
    ("s3:*", "s3:ExistingJobPriority", "rows tell"),
    ("s3:*", "s3:JobSuspendedCause", "rows tell"),
    ("s3:*", "s3:BucketTag/${TagKey}", LATER),
    ("s3:*", "s3:ExistingObjectTag/<key>", LATER),
    ("s3:*", "s3:ResourceAccount", LATER),
    ("s3:*", "s3:TlsVersion", LATER),
    ("s3:*", "s3:authType", LATER),
    ("s3:*", "s3:signatureAge", LATER),
    ("s3:*", "s3:signatureversion", LATER),
    ("s3:*", "s3:x-amz-content-sha256", LATER),
    ("s3express:*", "s3express:AllAccessRestrictedToLocalZoneGroup", "there are no such groups"),
    (
        "s3express:*",
        "s3express:AccessPointNetworkOrigin",
        "access points are seen by the gateway alone",
    ),
    ("s3express:*", "s3express:AccessPointTag/${TagKey}", LATER),
    ("s3express:*", "s3express:Permissions", "of access points alone"),
    ("s3express:*", "s3express:BucketTag/${TagKey}", LATER),
    ("s3express:*", "s3express:ResourceAccount", LATER),
    ("s3express:*", "s3express:TlsVersion", LATER),
    ("s3express:*", "s3express:authType", LATER),
    ("s3express:*", "s3express:signatureAge", LATER),
    ("s3express:*", "s3express:signatureversion", LATER),
    ("s3express:*", "s3express:x-amz-content-sha256", LATER),
    ("s3:PutObject", "s3:x-amz-grant-write", "the operation has no such header"),
    ("s3:PutObjectAcl", "s3:x-amz-storage-class", "the operation has no such header"),
    ("s3:PutObjectVersionAcl", "s3:x-amz-storage-class", "the operation has no such header"),
    ("s3:PutObjectAcl", "s3:x-amz-grant-write", "the operation has no such header"),
    (
        "s3tables:CreateTableBucket",
        "s3tables:TableBucketTag/${TagKey}",
        "a bucket that is not there has none",
    ),
    ("s3tables:*", "s3tables:namespace", "rows tell, where an ARN names the table"),
    ("s3tables:*", "s3tables:tableName", "rows tell, where an ARN names the table"),
    ("secretsmanager:AssociateCrossAccountReplica", "*", NEW),
    (
        "secretsmanager:AssociateCrossAccountReplica",
        "secretsmanager:AssociateCrossAccountReplica",
        NEW,
    ),
    (
        "secretsmanager:AssociateCrossAccountReplica",
        "secretsmanager:AcceptCrossAccountReplication",
        NEW,
    ),
    ("secretsmanager:AssociateCrossAccountReplica", "secretsmanager:GetSecretValue", NEW),
    ("secretsmanager:AssociateCrossAccountReplica", "iam:PassRole", NEW),
    (
        "secretsmanager:DisassociateCrossAccountReplica",
        "secretsmanager:DisassociateCrossAccountReplica",
        NEW,
    ),
    ("secretsmanager:*", "aws:RequestTag/${TagKey}", "given where tags are"),
    ("secretsmanager:*", "aws:TagKeys", "given where tags are"),
    (
        "secretsmanager:*",
        "secretsmanager:resource/AllowRotationLambdaArn",
        "given of secrets that have one",
    ),
    ("secretsmanager:*", "secretsmanager:resource/Type", PARTNERS),
    (
        "secretsmanager:ListResourcePolicies",
        "secretsmanager:ListResourcePolicies",
        "the reference at hand is older than the operation",
    ),
    ("secretsmanager:RotateSecret", "secretsmanager:ExternalSecretRotationRoleArn", PARTNERS),
    ("secretsmanager:ValidateResourcePolicy", "*", "the secret need not be named"),
    ("secretsmanager:*", "secretsmanager:Type", PARTNERS),
    ("sns:*", "arn:aws:sns:us-east-1:000000000000:plausible", "AWS names the subscription's topic"),
];

const TAGS: &str =
    "AWS names tags by methods as it does for the rest, and the reference lists them otherwise";
const SELECT: &str = "the operation has no such member";
const DIRECTORY: &str = "the directory gives it, which knows users and roles";
const PATHS: &str = "AWS names the path that is listed";
const NEW: &str = "the reference at hand is older than the operation";
const PARTNERS: &str = "there are no secrets that partners hold";
const VIRTUAL: &str = "there are no security keys, which only the console registers";
const ROWS: &str = "the row of the credential tells";
const ASKED: &str = "asked while it runs; a table that may not be made says so";
const LATER: &str = "not given yet";

/// Somebody without any policy, on behalf of whom nothing is looked up.
fn request(operation: &Operation) -> Request {
    let principal = Principal {
        kind: PrincipalKind::User { name: "plausible".to_owned() },
        account: ACCOUNT.to_owned(),
        arn: format!("arn:aws:iam::{ACCOUNT}:user/plausible"),
        id: "AIDAPLAUSIBLE00000000".to_owned(),
        access_key_id: None,
        session: None,
    };
    Request {
        id: "request".to_owned(),
        service: operation.service,
        operation: operation.op.model.name,
        account: principal.account.clone(),
        principal: principal.into(),
        region: REGION.to_owned(),
        now: fogbank_core::Timestamp::from_secs(1_767_225_600),
        endpoint: Endpoint { tls: false, authority: "127.0.0.1:4566".into() },
        source_ip: None,
        user_agent: String::new(),
        source: None,
        referer: String::new(),
        signature: None,
        tls_version: None,
        ways: Vec::new(),
        via: Vec::new(),
    }
}

fn access(world: &World, operation: &Operation, whole: bool) -> Result<Access, String> {
    let input = operation.typed(whole)?;
    let cx = Cx::new(world.cloud().clone(), request(operation));
    let refined = || {
        let mut access = (operation.op.access)(cx.request(), &*input)?;
        if let Some(locate) = access.locate {
            cx.read(|tx| locate(tx, &*input, &mut access.checks))?;
        }
        if let Some(refine) = access.refine {
            cx.read(|tx| refine(tx, &*input, &mut access.checks))?;
        }
        Ok(access)
    };
    refined().map_err(|fault: Fault| fault.to_string())
}

/// Whether an exception is about a key or resource; what stands after a placeholder is anything.
fn covers(known: &str, what: &str) -> bool {
    match known.find(['$', '<']) {
        Some(end) => what.starts_with(&known[..end]),
        None => known == what,
    }
}

/// What was found of all operations.
#[derive(Default)]
struct Findings {
    complaints: BTreeSet<String>,
    /// Actions and condition keys as they are asked for.
    given: BTreeSet<(String, String)>,
    /// Actions and condition keys as the reference has them.
    wanted: BTreeSet<(String, String)>,
}

impl Findings {
    fn complain(&mut self, names: &[&str], what: &str, complaint: String) {
        let is_excepted = EXCEPTIONS.iter().any(|(of, known, _)| {
            let is_of = |name: &&str| match of.strip_suffix('*') {
                Some(start) => name.starts_with(start),
                None => of == name,
            };
            names.iter().any(is_of) && covers(known, what)
        });
        if !is_excepted {
            self.complaints.insert(format!("{}: {complaint}", names[0]));
        }
    }

    fn look_at(&mut self, reference: &Reference, operation: &str, access: &Access, whole: bool) {
        let is_open = OPEN.iter().any(|(open, _)| *open == operation);
        if access.checks.is_empty() != is_open {
            self.complain(&[operation], "open", "open or not, against the list".to_owned());
        }
        let mut actions = BTreeSet::new();
        let mut dependents = BTreeSet::new();
        for check in &access.checks {
            let action = if check.action.is_empty() { operation } else { &*check.action };
            let names = [operation, action];
            actions.insert(action);
            let Some(known) = reference.action(action) else {
                self.complain(&names, action, format!("the action {action} is not known"));
                continue;
            };
            let resource = &*check.resource;
            let fits = if resource == "*" { known.is_of_all() } else { known.takes(resource) };
            if !fits {
                self.complain(&names, resource, format!("{action} is not of {resource}"));
            }
            let keys = known.keys(resource);
            for (key, _) in &check.context {
                if !keys.iter().any(|listed| is_key(listed, key)) {
                    self.complain(&names, key, format!("{action} has no key {key}"));
                }
                self.given.insert((action.to_owned(), key.to_string()));
            }
            self.wanted.extend(keys.iter().map(|key| (action.to_owned(), (*key).to_owned())));
            dependents.extend(known.dependents());
        }
        // A role, for example, is passed only if one is named.
        let missing = dependents.difference(&actions).filter(|_| whole);
        for dependent in missing {
            self.complain(&[operation], dependent, format!("does not ask for {dependent}"));
        }
    }

    /// Complains of condition keys that an action has and that no operation ever gives.
    fn compare(&mut self) {
        for (action, key) in std::mem::take(&mut self.wanted) {
            let is_given =
                self.given.iter().any(|(of, given)| *of == action && is_key(&key, given));
            if !is_given && !key.starts_with("aws:ResourceTag") {
                self.complain(&[&action], &key, format!("nobody gives the key {key}"));
            }
        }
    }
}

#[tokio::test]
async fn every_operation_asks_what_the_reference_says() {
    let reference = Reference::read();
    let world = operations::world().await;
    let mut findings = Findings::default();
    for operation in operations::all() {
        let name = operation.name();
        for whole in [false, true] {
            match access(&world, &operation, whole) {
                Ok(access) => findings.look_at(&reference, &name, &access, whole),
                Err(error) => findings.complain(&[&name], "access", format!("no access: {error}")),
            }
        }
    }
    findings.compare();
    let complaints: Vec<String> = findings.complaints.into_iter().collect();
    assert!(complaints.is_empty(), "{} complaints\n{}\n", complaints.len(), complaints.join("\n"));
}
