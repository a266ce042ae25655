//! What a request for a job must be like. AWS publishes the rules; the words of most refusals are guesses.

use fogbank_core::{Arn, Fault};

use crate::error::Error;
use crate::model::*;
use crate::running;

type Checked = Result<(), Error>;

fn refuse(message: impl Into<String>) -> Checked {
    Err(Error::InvalidRequest(message.into()))
}

/// The name of the operation that is asked for; none if it is not exactly one.
pub(crate) fn operation(operation: &JobOperation) -> Option<&'static str> {
    let JobOperation {
        lambda_invoke,
        s3_put_object_copy,
        s3_put_object_acl,
        s3_put_object_tagging,
        s3_delete_object_tagging,
        s3_initiate_restore_object,
        s3_put_object_legal_hold,
        s3_put_object_retention,
        s3_replicate_object,
        s3_compute_object_checksum,
        s3_update_object_encryption,
    } = operation;
    let given = [
        (lambda_invoke.is_some(), "LambdaInvoke"),
        (s3_put_object_copy.is_some(), "S3PutObjectCopy"),
        (s3_put_object_acl.is_some(), "S3PutObjectAcl"),
        (s3_put_object_tagging.is_some(), "S3PutObjectTagging"),
        (s3_delete_object_tagging.is_some(), "S3DeleteObjectTagging"),
        (s3_initiate_restore_object.is_some(), "S3InitiateRestoreObject"),
        (s3_put_object_legal_hold.is_some(), "S3PutObjectLegalHold"),
        (s3_put_object_retention.is_some(), "S3PutObjectRetention"),
        (s3_replicate_object.is_some(), "S3ReplicateObject"),
        (s3_compute_object_checksum.is_some(), "S3ComputeObjectChecksum"),
        (s3_update_object_encryption.is_some(), "S3UpdateObjectEncryption"),
    ];
    let mut given = given.into_iter().filter_map(|(is_given, name)| is_given.then_some(name));
    let first = given.next()?;
    given.next().is_none().then_some(first)
}

/// Refuses requests that cannot become a job.
pub(super) fn check(input: &CreateJobInput) -> Checked {
    if operation(&input.operation).is_none() {
        return refuse("Exactly one operation must be specified for the job.");
    }
    check_source(input)?;
    check_report(&input.report)?;
    check_copy(input.operation.s3_put_object_copy.as_ref())?;
    check_others(&input.operation)
}

fn check_source(input: &CreateJobInput) -> Checked {
    match (&input.manifest, &input.manifest_generator) {
        (Some(manifest), None) => check_manifest(manifest),
        (None, Some(JobManifestGenerator::S3JobManifestGenerator(made))) => {
            bucket(&made.source_bucket)?;
            match &made.manifest_output_location {
                None if made.enable_manifest_output => refuse(
                    "ManifestOutputLocation must be specified when EnableManifestOutput is true.",
                ),
                Some(to) => bucket(&to.bucket),
                None => Ok(()),
            }
        }
        _ => refuse("Jobs must be created with either a manifest or a ManifestGenerator."),
    }
}

fn check_manifest(manifest: &JobManifest) -> Checked {
    let names_object = Arn::parse(&manifest.location.object_arn)
        .is_some_and(|arn| arn.service == "s3" && arn.resource.contains('/'));
    if !names_object {
        return refuse("The manifest's ObjectArn is not the ARN of an object.");
    }
    let fields = manifest.spec.fields.as_deref().unwrap_or_default();
    match manifest.spec.format {
        JobManifestFormat::S3InventoryReportCsv20161130 => match fields {
            [] => Ok(()),
            _ => refuse("Fields must not be specified for a manifest of S3 Inventory."),
        },
        JobManifestFormat::S3BatchOperationsCsv20180820 => {
            let count = |field| fields.iter().filter(|known| **known == field).count();
            let has_one = count(JobManifestFieldName::Bucket) == 1
                && count(JobManifestFieldName::Key) == 1
                && count(JobManifestFieldName::VersionId) <= 1;
            match has_one {
                true => Ok(()),
                false => {
                    refuse("Fields of a CSV manifest must be Bucket, Key and optionally VersionId.")
                }
            }
        }
    }
}

fn check_report(report: &JobReport) -> Checked {
    if !report.enabled {
        return Ok(());
    }
    let Some(to) = &report.bucket else {
        return refuse("Bucket must be specified when the report is enabled.");
    };
    if report.format.is_none() || report.report_scope.is_none() {
        return refuse("Format and ReportScope must be specified when the report is enabled.");
    }
    bucket(to)
}

/// Refuses what is not a bucket's ARN.
fn bucket(arn: &str) -> Checked {
    let is_bucket = Arn::parse(arn).is_some_and(|arn| {
        arn.service == "s3" && arn.account.is_empty() && !arn.resource.contains('/')
    });
    if is_bucket { Ok(()) } else { refuse(format!("{arn} is not the ARN of a bucket.")) }
}

fn check_copy(copy: Option<&S3CopyObjectOperation>) -> Checked {
    let Some(copy) = copy else { return Ok(()) };
    if copy.target_resource.is_none() {
        return refuse("TargetResource must be specified for S3PutObjectCopy.");
    }
    if copy.annotation_directive.is_some() {
        return unavailable("S3PutObjectCopy with AnnotationDirective");
    }
    if copy.canned_access_control_list.is_some() && copy.access_control_grants.is_some() {
        return refuse("Specify either a canned access control list or grants, not both.");
    }
    // An event hold needs no date.
    if copy.object_lock_event_hold != Some(S3ObjectLockEventHold::On)
        && copy.object_lock_mode.is_some() != copy.object_lock_retain_until_date.is_some()
    {
        return refuse("ObjectLockMode and ObjectLockRetainUntilDate must be specified together.");
    }
    Ok(())
}

fn unavailable(what: &str) -> Checked {
    Err(Fault::not_implemented("s3control", &format!("CreateJob with {what}")).into())
}

fn check_others(operation: &JobOperation) -> Checked {
    if let Some(checksum) = &operation.s3_compute_object_checksum
        && !running::is_known_checksum(checksum)
    {
        // In the words of S3; those of S3 Control are not known.
        return refuse(
            "The COMPOSITE checksum type cannot be used with the crc64nvme checksum algorithm.",
        );
    }
    if let Some(invoke) = &operation.lambda_invoke {
        if invoke.function_arn.is_none() {
            return refuse("FunctionArn must be specified for LambdaInvoke.");
        }
        let version = invoke.invocation_schema_version.as_deref();
        if !matches!(version, None | Some("1.0" | "2.0")) {
            return refuse("InvocationSchemaVersion must be 1.0 or 2.0.");
        }
        if invoke.user_arguments.is_some() && version != Some("2.0") {
            return refuse("UserArguments need InvocationSchemaVersion 2.0.");
        }
    }
    if let Some(restore) = &operation.s3_initiate_restore_object
        && restore.expiration_in_days == Some(0)
    {
        return refuse("ExpirationInDays must be at least 1.");
    }
    if let Some(acl) = &operation.s3_put_object_acl {
        let policy = acl.access_control_policy.as_ref();
        let lists = policy.map(|policy| {
            (policy.access_control_list.is_some(), policy.canned_access_control_list.is_some())
        });
        if !matches!(lists, Some((true, false) | (false, true))) {
            return refuse(
                "AccessControlPolicy must have either an access control list or a canned one.",
            );
        }
    }
    Ok(())
}
