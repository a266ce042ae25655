//! A version as the API shows it.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;

use crate::model::{
    ApplicationLogLevel, Architecture, DeadLetterConfig, EnvironmentResponse, EphemeralStorage,
    FunctionConfiguration, Layer, LogFormat, LoggingConfig, PackageType, SnapStartApplyOn,
    SnapStartResponse, SystemLogLevel, TracingConfigResponse, TracingMode, VpcConfigResponse,
};
use crate::rules::target::{Target, version_name};
use crate::store::{Logging, State, Version};

/// Which ARN a version is shown under.
#[derive(Clone, Copy)]
pub(crate) enum ShownAs<'a> {
    /// The function's own.
    Function,
    /// With this qualifier.
    Qualified(&'a str),
    /// With the version's own number.
    Version,
}

/// How much is shown.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Detail {
    /// Everything.
    Whole,
    /// What listings show: no states.
    Listed,
}

/// The configuration of a version.
pub(crate) fn shown(
    target: &Target,
    number: u64,
    version: &Version,
    shown_as: ShownAs<'_>,
    detail: Detail,
) -> FunctionConfiguration {
    let name = version_name(number);
    let arn = match shown_as {
        ShownAs::Function => target.function_arn(),
        ShownAs::Qualified(qualifier) => target.arn_with(qualifier),
        ShownAs::Version => target.arn_with(&name),
    };
    let mut configuration = FunctionConfiguration {
        function_name: Some(target.name.clone()),
        function_arn: Some(arn),
        runtime: Some(version.runtime.clone()),
        role: Some(version.role.clone()),
        handler: Some(version.handler.clone()),
        code_size: Some(signed(version.code.bytes)),
        description: Some(version.description.clone()),
        timeout: i32::try_from(version.timeout_secs).ok(),
        memory_size: i32::try_from(version.memory_mb).ok(),
        last_modified: Some(date(version.last_modified_millis)),
        code_sha256: Some(code_sha256(&version.code.sha256)),
        version: Some(name),
        vpc_config: version.vpc.then(no_vpc),
        dead_letter_config: version
            .dead_letter_arn
            .clone()
            .map(|arn| DeadLetterConfig { target_arn: Some(arn) }),
        environment: version
            .variables
            .clone()
            .map(|variables| EnvironmentResponse { variables: Some(variables), error: None }),
        tracing_config: Some(TracingConfigResponse {
            mode: Some(if version.traces { TracingMode::Active } else { TracingMode::PassThrough }),
        }),
        revision_id: Some(version.revision_id.clone()),
        layers: layers(version),
        package_type: Some(PackageType::Zip),
        architectures: Architecture::from_name(&version.architecture).map(|it| vec![it]),
        ephemeral_storage: i32::try_from(version.scratch_mb)
            .ok()
            .map(|size| EphemeralStorage { size }),
        snap_start: Some(SnapStartResponse {
            apply_on: Some(match version.snap_start {
                true => SnapStartApplyOn::PublishedVersions,
                false => SnapStartApplyOn::None,
            }),
            optimization_status: Some("Off".to_owned()),
        }),
        logging_config: Some(logging(&version.logging, &target.name)),
        ..FunctionConfiguration::default()
    };
    if detail == Detail::Whole {
        show_state(&mut configuration, version.state);
    }
    configuration
}

fn show_state(configuration: &mut FunctionConfiguration, state: State) {
    let reason = || Some("The function is being created.".to_owned());
    let code = || Some("Creating".to_owned());
    match state {
        State::Pending => {
            configuration.state = Some("Pending".to_owned());
            configuration.state_reason = reason();
            configuration.state_reason_code = code();
        }
        State::Active => {
            configuration.state = Some("Active".to_owned());
            configuration.last_update_status = Some("Successful".to_owned());
        }
        State::Updating => {
            configuration.state = Some("Active".to_owned());
            configuration.last_update_status = Some("InProgress".to_owned());
            // AWS gives creation as the reason of an update, too.
            configuration.last_update_status_reason = reason();
            configuration.last_update_status_reason_code = code();
        }
    }
}

fn no_vpc() -> VpcConfigResponse {
    VpcConfigResponse {
        subnet_ids: Some(Vec::new()),
        security_group_ids: Some(Vec::new()),
        vpc_id: Some(String::new()),
        ipv6_allowed_for_dual_stack: Some(false),
    }
}

fn layers(version: &Version) -> Option<Vec<Layer>> {
    let layers: Vec<Layer> = version
        .layers
        .iter()
        .map(|layer| Layer {
            arn: Some(layer.arn.clone()),
            code_size: Some(signed(layer.code.bytes)),
            ..Layer::default()
        })
        .collect();
    (!layers.is_empty()).then_some(layers)
}

fn logging(logging: &Logging, function: &str) -> LoggingConfig {
    LoggingConfig {
        log_format: Some(if logging.json { LogFormat::Json } else { LogFormat::Text }),
        application_log_level: logging
            .application_level
            .as_deref()
            .and_then(ApplicationLogLevel::from_name),
        system_log_level: logging.system_level.as_deref().and_then(SystemLogLevel::from_name),
        log_group: Some(log_group(logging, function)),
    }
}

/// The log group of a function.
pub(crate) fn log_group(logging: &Logging, function: &str) -> String {
    logging.group.clone().unwrap_or_else(|| format!("/aws/lambda/{function}"))
}

/// `CodeSha256`: the digest in base64.
pub(crate) fn code_sha256(digits: &str) -> String {
    BASE64_STANDARD.encode(hex::decode(digits).unwrap_or_default())
}

fn signed(bytes: u64) -> i64 {
    i64::try_from(bytes).unwrap_or(i64::MAX)
}

/// Such as `2026-01-01T00:00:00.000+0000`.
pub(crate) fn date(millis: i64) -> String {
    let moment = jiff::Timestamp::from_millisecond(millis).unwrap_or_default();
    moment.strftime("%Y-%m-%dT%H:%M:%S.%3f+0000").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_read_as_awss() {
        assert_eq!(date(1_767_225_600_005), "2026-01-01T00:00:00.005+0000");
    }
}
