//! Event source mappings: queues whose messages a function gets, in batches.
//!
//! The task `lambda.mappings` keeps a poller running for each enabled mapping. A poller receives and deletes messages in
//! the function's own role. What a batch's function cannot handle stays in the queue, whose visibility timeout and
//! redrive policy decide what becomes of it.

mod batch;
mod poller;
mod settings;

use fogbank_core::{Cx, ReadTx, Tx, WriteTx, page};

pub(crate) use poller::MAPPINGS_TASK;

use crate::error::{Error, invalid};
use crate::functions::{marker, page_size};
use crate::invocations;
use crate::model::{
    CreateEventSourceMappingInput, DeleteEventSourceMappingInput, EventSourceMappingConfiguration,
    FunctionResponseType, GetEventSourceMappingInput, ListEventSourceMappingsInput,
    ListEventSourceMappingsOutput, ScalingConfig, UpdateEventSourceMappingInput,
};
use crate::rules::target::Target;
use crate::store::{FunctionKey, MAPPINGS, Mapping, Phase};
use crate::tags;

/// Creates a mapping.
pub(crate) async fn create(
    cx: &Cx,
    mut input: CreateEventSourceMappingInput,
) -> Result<EventSourceMappingConfiguration, Error> {
    settings::refuse_create(&input)?;
    let queue_arn = input.event_source_arn.take().unwrap_or_default();
    settings::check_source(&queue_arn)?;
    let target = Target::parse(&input.function_name, None, cx.account(), cx.region())?;
    let resolved = cx
        .read(|tx| invocations::resolve(tx, &target, cx.ids()))
        .map_err(|_| invalid("Function does not exist"))?;
    let tags = input.tags.take().unwrap_or_default();
    tags::check(&tags)?;
    let mapping = Mapping {
        queue_arn,
        function: target.name.clone(),
        qualifier: target.qualifier.clone(),
        enabled: input.enabled.unwrap_or(true),
        phase: Phase::Creating,
        batch_size: input.batch_size.map_or(10, i32::unsigned_abs),
        window_secs: input.maximum_batching_window_in_seconds.map_or(0, i32::unsigned_abs),
        reports_failures: reports(input.function_response_types.as_deref()),
        max_concurrency: concurrency(input.scaling_config.as_ref()),
        modified_millis: cx.request().now.millis(),
        revision: cx.ids().uuid(),
        tags,
    };
    settings::check(&mapping)?;
    settings::check_queue(cx, &target, &resolved.version, &mapping).await?;
    let uuid = cx.ids().uuid();
    cx.write(|tx| {
        refuse_twin(tx, &target, &mapping)?;
        let key = (&*target.account, &*target.region, &*uuid);
        MAPPINGS.put(tx, &key, &mapping)?;
        tx.wake(poller::TOPIC);
        Ok(shown(tx.account(), tx.region(), &uuid, &mapping))
    })
    .await
}

/// Refuses a second mapping of the same queue and function.
fn refuse_twin(tx: &WriteTx<'_>, target: &Target, mapping: &Mapping) -> Result<(), Error> {
    let prefix = (&*target.account, &*target.region);
    for ((_, _, uuid), known) in MAPPINGS.list(tx, &prefix)? {
        let is_twin = known.queue_arn == mapping.queue_arn
            && known.function == mapping.function
            && known.phase != Phase::Deleting;
        if is_twin {
            return Err(Error::ResourceConflictException(format!(
                "An event source mapping with SQS arn (\" {} \") and function (\" {} \") already exists. \
                 Please update or delete the existing mapping with UUID {uuid}",
                mapping.queue_arn, mapping.function
            )));
        }
    }
    Ok(())
}

/// Shows a mapping.
pub(crate) fn get(
    tx: &ReadTx<'_>,
    input: GetEventSourceMappingInput,
) -> Result<EventSourceMappingConfiguration, Error> {
    let mapping = find(tx, &input.uuid)?;
    Ok(shown(tx.account(), tx.region(), &input.uuid, &mapping))
}

/// Lists mappings, all of them or those of a queue or function.
pub(crate) fn list(
    tx: &ReadTx<'_>,
    input: ListEventSourceMappingsInput,
) -> Result<ListEventSourceMappingsOutput, Error> {
    let (account, region) = (tx.account(), tx.region());
    let target = match &input.function_name {
        Some(name) => Some(Target::parse(name, None, account, region)?),
        None => None,
    };
    let is_meant = |mapping: &Mapping| {
        let is_source = input.event_source_arn.as_ref().is_none_or(|arn| *arn == mapping.queue_arn);
        let is_function = target.as_ref().is_none_or(|target| {
            target.name == mapping.function
                && (target.qualifier.is_none() || target.qualifier == mapping.qualifier)
        });
        is_source && is_function
    };
    let limit = page_size(input.max_items);
    let mut after: Option<FunctionKey> =
        marker(input.marker.as_deref())?.map(|uuid| (account.to_owned(), region.to_owned(), uuid));
    let mut mappings = Vec::new();
    let next = loop {
        let (rows, more) = MAPPINGS.page(tx, &(account, region), after.as_ref(), limit)?;
        for (key, mapping) in rows {
            if mappings.len() < limit && is_meant(&mapping) {
                mappings.push(shown(account, region, &key.2, &mapping));
            } else if is_meant(&mapping) {
                return Ok(ListEventSourceMappingsOutput {
                    next_marker: after.map(|key| page::text_token(&key.2)),
                    event_source_mappings: Some(mappings),
                });
            }
            after = Some(key);
        }
        if !more {
            break None;
        }
    };
    Ok(ListEventSourceMappingsOutput { next_marker: next, event_source_mappings: Some(mappings) })
}

/// Changes a mapping, or switches it on and off.
pub(crate) fn update(
    tx: &mut WriteTx<'_>,
    input: UpdateEventSourceMappingInput,
) -> Result<EventSourceMappingConfiguration, Error> {
    settings::refuse_update(&input)?;
    let mut mapping = find(tx, &input.uuid)?;
    require_settled(&mapping)?;
    let was_enabled = mapping.enabled;
    if let Some(name) = &input.function_name {
        let target = Target::parse(name, None, tx.account(), tx.region())?;
        invocations::resolve(tx, &target, tx.ids())
            .map_err(|_| invalid("Function does not exist"))?;
        mapping.function = target.name;
        mapping.qualifier = target.qualifier;
    }
    mapping.enabled = input.enabled.unwrap_or(mapping.enabled);
    if let Some(size) = input.batch_size {
        mapping.batch_size = size.unsigned_abs();
    }
    if let Some(window) = input.maximum_batching_window_in_seconds {
        mapping.window_secs = window.unsigned_abs();
    }
    if input.function_response_types.is_some() {
        mapping.reports_failures = reports(input.function_response_types.as_deref());
    }
    if input.scaling_config.is_some() {
        mapping.max_concurrency = concurrency(input.scaling_config.as_ref());
    }
    settings::check(&mapping)?;
    mapping.phase = match (was_enabled, mapping.enabled) {
        (false, true) => Phase::Enabling,
        (true, false) => Phase::Disabling,
        _ => Phase::Updating,
    };
    change(tx, &input.uuid, mapping)
}

/// Deletes a mapping.
pub(crate) fn delete(
    tx: &mut WriteTx<'_>,
    input: DeleteEventSourceMappingInput,
) -> Result<EventSourceMappingConfiguration, Error> {
    let mut mapping = find(tx, &input.uuid)?;
    require_settled(&mapping)?;
    mapping.phase = Phase::Deleting;
    mapping.enabled = false;
    change(tx, &input.uuid, mapping)
}

/// Removes a mapping at once; its poller stops behind.
pub(crate) fn remove(tx: &mut WriteTx<'_>, key: &FunctionKey) -> Result<(), Error> {
    MAPPINGS.delete(tx, key)?;
    tx.wake(poller::TOPIC);
    Ok(())
}

fn change(
    tx: &mut WriteTx<'_>,
    uuid: &str,
    mut mapping: Mapping,
) -> Result<EventSourceMappingConfiguration, Error> {
    mapping.modified_millis = tx.now().millis();
    mapping.revision = tx.ids().uuid();
    let key = (tx.account().to_owned(), tx.region().to_owned(), uuid.to_owned());
    MAPPINGS.put(tx, &key, &mapping)?;
    tx.wake(poller::TOPIC);
    Ok(shown(&key.0, &key.1, uuid, &mapping))
}

fn require_settled(mapping: &Mapping) -> Result<(), Error> {
    if mapping.phase == Phase::Settled {
        return Ok(());
    }
    Err(Error::ResourceInUseException(format!(
        "Cannot update the event source mapping because it is in use. It is in the state {}.",
        state(mapping)
    )))
}

fn find(tx: &impl Tx, uuid: &str) -> Result<Mapping, Error> {
    let key = (tx.account(), tx.region(), uuid);
    MAPPINGS.get(tx, &key)?.ok_or_else(|| {
        Error::ResourceNotFoundException("The resource you requested does not exist.".to_owned())
    })
}

fn reports(types: Option<&[FunctionResponseType]>) -> bool {
    types.is_some_and(|types| types.contains(&FunctionResponseType::ReportBatchItemFailures))
}

fn concurrency(scaling: Option<&ScalingConfig>) -> Option<u32> {
    scaling.and_then(|scaling| scaling.maximum_concurrency).map(i32::unsigned_abs)
}

fn state(mapping: &Mapping) -> &'static str {
    match (mapping.phase, mapping.enabled) {
        (Phase::Creating, _) => "Creating",
        (Phase::Updating, _) => "Updating",
        (Phase::Enabling, _) => "Enabling",
        (Phase::Disabling, _) => "Disabling",
        (Phase::Deleting, _) => "Deleting",
        (Phase::Settled, true) => "Enabled",
        (Phase::Settled, false) => "Disabled",
    }
}

/// The ARN of a mapping.
pub(crate) fn arn(account: &str, region: &str, uuid: &str) -> String {
    fogbank_core::arn::arn("lambda", region, account, format_args!("event-source-mapping:{uuid}"))
}

/// The ARN of the function that the mapping with an ARN feeds, if there is such a mapping.
pub(crate) fn function_arn(tx: &impl Tx, arn: &str) -> Result<Option<String>, Error> {
    let Some(parsed) = fogbank_core::Arn::parse(arn) else { return Ok(None) };
    let Some(uuid) = parsed.resource.strip_prefix("event-source-mapping:") else { return Ok(None) };
    let key = (parsed.account.to_owned(), parsed.region.to_owned(), uuid.to_owned());
    let found = crate::store::MAPPINGS.get(tx, &key)?;
    Ok(found.map(|mapping| target(parsed.account, parsed.region, &mapping).arn()))
}

fn shown(
    account: &str,
    region: &str,
    uuid: &str,
    mapping: &Mapping,
) -> EventSourceMappingConfiguration {
    let number = |value: u32| i32::try_from(value).ok();
    EventSourceMappingConfiguration {
        uuid: Some(uuid.to_owned()),
        batch_size: number(mapping.batch_size),
        maximum_batching_window_in_seconds: number(mapping.window_secs),
        event_source_arn: Some(mapping.queue_arn.clone()),
        scaling_config: mapping
            .max_concurrency
            .map(|limit| ScalingConfig { maximum_concurrency: number(limit) }),
        function_arn: Some(target(account, region, mapping).arn()),
        last_modified: Some(fogbank_core::Timestamp::from_millis(mapping.modified_millis)),
        state: Some(state(mapping).to_owned()),
        state_transition_reason: Some("USER_INITIATED".to_owned()),
        function_response_types: Some(match mapping.reports_failures {
            true => vec![FunctionResponseType::ReportBatchItemFailures],
            false => Vec::new(),
        }),
        event_source_mapping_arn: Some(arn(account, region, uuid)),
        ..EventSourceMappingConfiguration::default()
    }
}

/// The function that gets the messages.
fn target(account: &str, region: &str, mapping: &Mapping) -> Target {
    Target {
        account: account.to_owned(),
        region: region.to_owned(),
        name: mapping.function.clone(),
        qualifier: mapping.qualifier.clone(),
    }
}
