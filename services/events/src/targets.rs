//! Targets of rules.

use std::collections::BTreeMap;

use fogbank_core::{Arn, ReadTx, WriteTx};

use crate::error::Error;
use crate::event_rules;
use crate::model::{
    DeadLetterConfig, HttpParameters, InputTransformer, ListTargetsByRuleInput,
    ListTargetsByRuleOutput, PutTargetsInput, PutTargetsOutput, RemoveTargetsInput,
    RemoveTargetsOutput, RemoveTargetsResultEntry, RetryPolicy, SqsParameters, Target,
};
use crate::pages;
use crate::rules::json::Json;
use crate::rules::names::{self, RuleKey};
use crate::rules::path::Path;
use crate::rules::template::{Template, Wrong};
use crate::store::{self, Http, Input, TARGETS};

/// How many targets a rule may have.
const MOST: usize = 5;

/// What a target is, as far as events are delivered to it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Kind {
    Queue,
    Topic,
    Function,
    LogGroup,
    Bus,
    ApiDestination,
}

impl Kind {
    /// What the ARN of a target names; else the service that gets nothing yet.
    pub(crate) fn of<'a>(arn: &Arn<'a>) -> Result<Kind, &'a str> {
        match arn.service {
            "sqs" => Ok(Kind::Queue),
            "sns" => Ok(Kind::Topic),
            "lambda" => Ok(Kind::Function),
            "logs" => Ok(Kind::LogGroup),
            "events" if arn.resource.starts_with("event-bus/") => Ok(Kind::Bus),
            "events" if arn.resource.starts_with("api-destination/") => Ok(Kind::ApiDestination),
            service => Err(service),
        }
    }
}

/// Adds targets, in place of those with the same ids.
pub(crate) fn put(tx: &mut WriteTx<'_>, input: PutTargetsInput) -> Result<PutTargetsOutput, Error> {
    let key = event_rules::find(tx, input.event_bus_name.as_deref(), &input.rule)?;
    let rule = store::rule(tx, &key)?;
    event_rules::refuse_managed(tx, &rule, &key, None)?;
    let mut known: BTreeMap<String, store::Target> =
        store::targets(tx, &key)?.into_iter().collect();
    for target in input.targets {
        let (id, target) = checked(&key, target)?;
        put_row(tx, &key, &id, &target)?;
        known.insert(id, target);
    }
    if known.len() > MOST {
        return Err(Error::LimitExceededException);
    }
    Ok(PutTargetsOutput { failed_entry_count: Some(0), failed_entries: Some(Vec::new()) })
}

fn put_row(
    tx: &mut WriteTx<'_>,
    (account, region, bus, rule): &RuleKey,
    id: &str,
    target: &store::Target,
) -> Result<(), Error> {
    Ok(TARGETS.put(tx, &(account, region, bus, rule, id), target)?)
}

/// What is kept of a target, if AWS and Fogbank take it.
fn checked(key: &RuleKey, target: Target) -> Result<(String, store::Target), Error> {
    let id = target.id.clone();
    let Some(arn) = Arn::parse(&target.arn) else {
        let message = format!(
            "Parameter {} is not valid. Reason: Provided Arn is not in correct format.",
            target.arn
        );
        return Err(Error::invalid(message));
    };
    let kind = Kind::of(&arn).map_err(|service| {
        Error::not_implemented(&format!("events:PutTargets with targets of {service}"))
    })?;
    refuse_unsupported(&target)?;
    // Groups have no policies that could let in another account. AWS's words are not known.
    if kind == Kind::LogGroup && (arn.account, arn.region) != (key.0.as_str(), key.1.as_str()) {
        let message = format!("Target {id} is a log group of another account or region.");
        return Err(Error::invalid(message));
    }
    if kind == Kind::Queue && arn.resource.ends_with(".fifo") && target.sqs_parameters.is_none() {
        let message = format!("Parameter(s) SqsParameters must be specified for target: {id}.");
        return Err(Error::invalid(message));
    }
    // A bus of another account may let this account send without a role.
    let needs_role = kind == Kind::ApiDestination || (kind == Kind::Bus && arn.account == key.0);
    if needs_role && target.role_arn.is_none() {
        return Err(Error::invalid(format!("RoleArn is required for target {}.", target.arn)));
    }
    if names::bus_of_arn(&target.arn)
        .is_some_and(|bus| (&bus.0, &bus.1, &bus.2) == (&key.0, &key.1, &key.2))
    {
        // AWS's words are not known.
        let message = format!("Target {id} is the event bus of the rule.");
        return Err(Error::invalid(message));
    }
    if let Some(dead_letter) =
        target.dead_letter_config.as_ref().and_then(|dead| dead.arn.as_deref())
    {
        check_dead_letter(dead_letter)?;
    }
    let input = input_of(&id, &target)?;
    Ok((
        id,
        store::Target {
            input,
            arn: target.arn,
            role_arn: target.role_arn,
            queue: target.sqs_parameters.map(|queue| queue.message_group_id),
            http: target.http_parameters.map(|http| Http {
                path_values: http.path_parameter_values,
                headers: http.header_parameters,
                query: http.query_string_parameters,
            }),
            dead_letter: target.dead_letter_config.map(|dead| dead.arn),
            retry: target
                .retry_policy
                .map(|retry| (retry.maximum_retry_attempts, retry.maximum_event_age_in_seconds)),
        },
    ))
}

fn check_dead_letter(text: &str) -> Result<(), Error> {
    // AWS's words are not known.
    match Arn::parse(text).filter(|arn| arn.service == "sqs") {
        None => {
            Err(Error::invalid(format!("Parameter {text} is not valid. Reason: no queue's ARN.")))
        }
        Some(arn) if arn.resource.ends_with(".fifo") => Err(Error::invalid(format!(
            "Parameter {text} is not valid. Reason: FIFO queues can't be dead-letter queues."
        ))),
        Some(_) => Ok(()),
    }
}

/// Parameters for targets that get nothing yet.
fn refuse_unsupported(target: &Target) -> Result<(), Error> {
    let given = [
        ("AppSyncParameters", target.app_sync_parameters.is_some()),
        ("BatchParameters", target.batch_parameters.is_some()),
        ("EcsParameters", target.ecs_parameters.is_some()),
        ("KinesisParameters", target.kinesis_parameters.is_some()),
        ("RedshiftDataParameters", target.redshift_data_parameters.is_some()),
        ("RunCommandParameters", target.run_command_parameters.is_some()),
        ("SageMakerPipelineParameters", target.sage_maker_pipeline_parameters.is_some()),
    ];
    match given.iter().find(|(_, is_given)| *is_given) {
        Some((name, _)) => Err(Error::not_implemented(&format!("events:PutTargets with {name}"))),
        None => Ok(()),
    }
}

fn input_of(id: &str, target: &Target) -> Result<Input, Error> {
    match (&target.input, &target.input_path, &target.input_transformer) {
        (None, None, None) => Ok(Input::Event),
        (Some(constant), None, None) => match Json::parse(constant) {
            Some(_) => Ok(Input::Constant(constant.clone())),
            None => Err(Error::invalid(format!("JSON syntax error in input for target {id}."))),
        },
        (None, Some(path), None) => match Path::parse(path) {
            Some(_) => Ok(Input::Path(path.clone())),
            // AWS's words are not known, nor are those below.
            None => Err(Error::invalid(format!("InputPath for target {id} is invalid."))),
        },
        (None, None, Some(transformer)) => transformed(id, transformer),
        _ => Err(Error::invalid(format!(
            "Only one of Input, InputPath, or InputTransformer must be provided for target {id}."
        ))),
    }
}

fn transformed(id: &str, transformer: &InputTransformer) -> Result<Input, Error> {
    let paths = transformer.input_paths_map.clone().unwrap_or_default();
    for (name, path) in &paths {
        if Path::parse(path).is_none() || name.to_ascii_lowercase().starts_with("aws") {
            let message = format!("InputPathsMap for target {id} is invalid: {name}.");
            return Err(Error::invalid(message));
        }
    }
    let template = &transformer.input_template;
    Template::parse(template, &paths).map_err(|wrong| {
        Error::invalid(match wrong {
            Wrong::Undefined(name) => {
                format!("InputTemplate for target {id} contains invalid placeholder {name}.")
            }
            Wrong::Syntax(reason) => format!("Invalid InputTemplate for target {id} : {reason}"),
        })
    })?;
    Ok(Input::Template {
        has_paths: transformer.input_paths_map.is_some(),
        paths,
        template: template.clone(),
    })
}

/// Removes targets by their ids.
pub(crate) fn remove(
    tx: &mut WriteTx<'_>,
    input: RemoveTargetsInput,
) -> Result<RemoveTargetsOutput, Error> {
    let key = event_rules::find(tx, input.event_bus_name.as_deref(), &input.rule)?;
    let rule = store::rule(tx, &key)?;
    event_rules::refuse_managed(tx, &rule, &key, input.force)?;
    let mut failed = Vec::new();
    for id in input.ids {
        let at = (&key.0, &key.1, &key.2, &key.3, &id);
        if TARGETS.contains(tx, &at)? {
            TARGETS.delete(tx, &at)?;
            continue;
        }
        let message = format!("Rule '{}' does not have a target with the Id '{id}'.", key.3);
        failed.push(RemoveTargetsResultEntry {
            target_id: Some(id),
            error_code: Some("ResourceNotFoundException".to_owned()),
            error_message: Some(message),
        });
    }
    Ok(RemoveTargetsOutput {
        failed_entry_count: Some(i32::try_from(failed.len()).unwrap_or(i32::MAX)),
        failed_entries: Some(failed),
    })
}

/// Lists the targets of a rule by id.
pub(crate) fn list(
    tx: &ReadTx<'_>,
    input: ListTargetsByRuleInput,
) -> Result<ListTargetsByRuleOutput, Error> {
    let key = event_rules::find(tx, input.event_bus_name.as_deref(), &input.rule)?;
    store::rule(tx, &key)?;
    let targets = store::targets(tx, &key)?;
    let (page, next_token) =
        pages::of(targets, |(id, _)| id, input.next_token.as_deref(), input.limit)?;
    let targets = page.into_iter().map(|(id, target)| shown(id, target)).collect();
    Ok(ListTargetsByRuleOutput { targets: Some(targets), next_token })
}

fn shown(id: String, target: store::Target) -> Target {
    let mut shown = Target {
        id,
        arn: target.arn,
        role_arn: target.role_arn,
        sqs_parameters: target.queue.map(|message_group_id| SqsParameters { message_group_id }),
        http_parameters: target.http.map(|http| HttpParameters {
            path_parameter_values: http.path_values,
            header_parameters: http.headers,
            query_string_parameters: http.query,
        }),
        dead_letter_config: target.dead_letter.map(|arn| DeadLetterConfig { arn }),
        retry_policy: target.retry.map(|(attempts, age)| RetryPolicy {
            maximum_retry_attempts: attempts,
            maximum_event_age_in_seconds: age,
        }),
        ..Target::default()
    };
    match target.input {
        Input::Event => {}
        Input::Constant(constant) => shown.input = Some(constant),
        Input::Path(path) => shown.input_path = Some(path),
        Input::Template { paths, has_paths, template } => {
            shown.input_transformer = Some(InputTransformer {
                input_paths_map: has_paths.then_some(paths),
                input_template: template,
            });
        }
    }
    shown
}
