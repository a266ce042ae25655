//! What a function's configuration may be: the members of a request become a row, or a refusal.

use fogbank_core::Arn;

use crate::code::MAX_UNZIPPED_BYTES;
use crate::error::{Error, invalid, unsupported};
use crate::layers;
use crate::model::{
    Architecture, CreateFunctionInput, DeadLetterConfig, Environment, LogFormat, LoggingConfig,
    SnapStart, SnapStartApplyOn, TracingConfig, TracingMode, UpdateFunctionConfigurationInput,
    VpcConfig,
};
use crate::rules::{environment, runtimes};
use crate::store::{Logging, Version};

/// The members that creation and update have in common.
#[derive(Clone)]
pub(super) struct Settings {
    pub(super) runtime: Option<String>,
    pub(super) handler: Option<String>,
    pub(super) role: Option<String>,
    pub(super) description: Option<String>,
    pub(super) timeout: Option<i32>,
    pub(super) memory: Option<i32>,
    pub(super) scratch: Option<i32>,
    pub(super) environment: Option<Environment>,
    pub(super) dead_letter: Option<DeadLetterConfig>,
    pub(super) tracing: Option<TracingConfig>,
    pub(super) snap_start: Option<SnapStart>,
    pub(super) vpc: Option<VpcConfig>,
    pub(super) logging: Option<LoggingConfig>,
    pub(super) layers: Option<Vec<String>>,
}

impl Settings {
    pub(super) fn of_create(input: &mut CreateFunctionInput) -> Result<Settings, Error> {
        refuse(&[
            (
                input.file_system_configs.as_ref().is_some_and(|all| !all.is_empty()),
                "FileSystemConfigs",
            ),
            (input.code_signing_config_arn.is_some(), "code signing"),
            (is_some(input.kms_key_arn.as_deref()), "KMSKeyArn"),
            (is_some(input.code.source_kms_key_arn.as_deref()), "SourceKMSKeyArn"),
            (input.tenancy_config.is_some(), "TenancyConfig"),
            (input.capacity_provider_config.is_some(), "CapacityProviderConfig"),
            (input.durable_config.is_some(), "DurableConfig"),
            (input.accelerator_config.is_some(), "AcceleratorConfig"),
            (input.runtime_config.is_some(), "RuntimeConfig"),
            (input.publish_to.is_some(), "PublishTo"),
            (input.image_config.is_some(), "ImageConfig"),
        ])?;
        Ok(Settings {
            runtime: input.runtime.take(),
            handler: input.handler.take(),
            role: Some(std::mem::take(&mut input.role)),
            description: input.description.take(),
            timeout: input.timeout,
            memory: input.memory_size,
            scratch: input.ephemeral_storage.as_ref().map(|storage| storage.size),
            environment: input.environment.take(),
            dead_letter: input.dead_letter_config.take(),
            tracing: input.tracing_config.take(),
            snap_start: input.snap_start.take(),
            vpc: input.vpc_config.take(),
            logging: input.logging_config.take(),
            layers: input.layers.take(),
        })
    }

    pub(super) fn of_update(
        input: &mut UpdateFunctionConfigurationInput,
    ) -> Result<Settings, Error> {
        refuse(&[
            (
                input.file_system_configs.as_ref().is_some_and(|all| !all.is_empty()),
                "FileSystemConfigs",
            ),
            (is_some(input.kms_key_arn.as_deref()), "KMSKeyArn"),
            (input.capacity_provider_config.is_some(), "CapacityProviderConfig"),
            (input.durable_config.is_some(), "DurableConfig"),
            (input.accelerator_config.is_some(), "AcceleratorConfig"),
            (input.runtime_config.is_some(), "RuntimeConfig"),
            (input.image_config.is_some(), "ImageConfig"),
        ])?;
        Ok(Settings {
            runtime: input.runtime.take(),
            handler: input.handler.take(),
            role: input.role.take(),
            description: input.description.take(),
            timeout: input.timeout,
            memory: input.memory_size,
            scratch: input.ephemeral_storage.as_ref().map(|storage| storage.size),
            environment: input.environment.take(),
            dead_letter: input.dead_letter_config.take(),
            tracing: input.tracing_config.take(),
            snap_start: input.snap_start.take(),
            vpc: input.vpc_config.take(),
            logging: input.logging_config.take(),
            layers: input.layers.take(),
        })
    }

    /// Refuses what AWS refuses beyond the model's constraints.
    pub(super) fn check(&self, region: &str) -> Result<(), Error> {
        if let Some(runtime) = &self.runtime {
            runtimes::check(runtime)?;
        }
        if let Some(variables) = self.environment.as_ref().and_then(|it| it.variables.as_ref()) {
            environment::check(variables)?;
        }
        if let Some(vpc) = &self.vpc {
            check_vpc(vpc)?;
        }
        if let Some(arns) = &self.layers {
            layers::check(arns, region)?;
        }
        let dead_letter = self.dead_letter.as_ref().and_then(|it| it.target_arn.as_deref());
        if let Some(arn) = dead_letter.filter(|arn| !arn.is_empty()) {
            let service = Arn::parse(arn).map(|arn| arn.service);
            if !matches!(service, Some("sqs" | "sns")) {
                return Err(invalid(format!(
                    "The dead letter target {arn} is neither a queue nor a topic."
                )));
            }
        }
        Ok(())
    }

    /// Puts what was given into a version.
    pub(super) fn apply(self, version: &mut Version) {
        replace(&mut version.runtime, self.runtime);
        replace(&mut version.handler, self.handler);
        replace(&mut version.role, self.role);
        replace(&mut version.description, self.description);
        replace(&mut version.timeout_secs, self.timeout.map(i32::unsigned_abs));
        replace(&mut version.memory_mb, self.memory.map(i32::unsigned_abs));
        replace(&mut version.scratch_mb, self.scratch.map(i32::unsigned_abs));
        if let Some(environment) = self.environment {
            version.variables = Some(environment.variables.unwrap_or_default());
        }
        if let Some(dead_letter) = self.dead_letter {
            version.dead_letter_arn = dead_letter.target_arn.filter(|arn| !arn.is_empty());
        }
        replace(
            &mut version.traces,
            self.tracing.and_then(|it| it.mode).map(|mode| mode == TracingMode::Active),
        );
        replace(
            &mut version.snap_start,
            self.snap_start
                .and_then(|it| it.apply_on)
                .map(|apply_on| apply_on == SnapStartApplyOn::PublishedVersions),
        );
        version.vpc |= self.vpc.is_some();
        if let Some(logging) = self.logging {
            apply_logging(&mut version.logging, logging);
        }
    }
}

fn replace<T>(place: &mut T, value: Option<T>) {
    if let Some(value) = value {
        *place = value;
    }
}

fn is_some(text: Option<&str>) -> bool {
    text.is_some_and(|text| !text.is_empty())
}

fn refuse(cases: &[(bool, &str)]) -> Result<(), Error> {
    match cases.iter().find(|(given, _)| *given) {
        Some((_, what)) => Err(unsupported(what)),
        None => Ok(()),
    }
}

/// There are no subnets and security groups here, and AWS says that of any that it cannot find.
fn check_vpc(vpc: &VpcConfig) -> Result<(), Error> {
    if let Some(subnet) = vpc.subnet_ids.iter().flatten().next() {
        return Err(invalid(format!(
            "Error occurred while DescribeSubnets. EC2 Error Code: InvalidSubnetID.NotFound. EC2 Error Message: \
             The subnet ID '{subnet}' does not exist"
        )));
    }
    if let Some(group) = vpc.security_group_ids.iter().flatten().next() {
        return Err(invalid(format!(
            "Error occurred while DescribeSecurityGroups. EC2 Error Code: InvalidGroup.NotFound. EC2 Error Message: \
             The security group '{group}' does not exist"
        )));
    }
    Ok(())
}

/// What is not given stays; levels exist in JSON only, and are `INFO` where they are not given.
fn apply_logging(logging: &mut Logging, given: LoggingConfig) {
    if let Some(format) = given.log_format {
        logging.json = format == LogFormat::Json;
    }
    if let Some(group) = given.log_group {
        logging.group = Some(group).filter(|group| !group.is_empty());
    }
    if logging.json {
        let level = |given: Option<String>, old: Option<String>| {
            Some(given.or(old).unwrap_or_else(|| "INFO".to_owned()))
        };
        let application = given.application_log_level.map(|level| level.as_str().to_owned());
        let system = given.system_log_level.map(|level| level.as_str().to_owned());
        logging.application_level = level(application, logging.application_level.take());
        logging.system_level = level(system, logging.system_level.take());
    } else {
        logging.application_level = None;
        logging.system_level = None;
    }
}

/// Refuses a package that is too large together with its layers.
pub(super) fn check_size(version: &Version) -> Result<(), Error> {
    let layers: u64 = version.layers.iter().map(|layer| layer.code.unzipped_bytes).sum();
    let total = version.code.unzipped_bytes.saturating_add(layers);
    if total < MAX_UNZIPPED_BYTES {
        return Ok(());
    }
    Err(invalid(format!(
        "Function code combined with layers exceeds the maximum allowed size of {MAX_UNZIPPED_BYTES} bytes. \
         The actual size is {total} bytes."
    )))
}

/// The architecture that was asked for.
pub(super) fn architecture(given: Option<&Vec<Architecture>>) -> Option<String> {
    given.and_then(|all| all.first()).map(|architecture| architecture.as_str().to_owned())
}
