//! Event buses.

use fogbank_core::wire::Timestamp;
use fogbank_core::{ReadTx, Tx, WriteTx};

use crate::error::Error;
use crate::model::{
    CreateEventBusInput, CreateEventBusOutput, DeadLetterConfig, DeleteEventBusInput,
    DeleteEventBusOutput, DescribeEventBusInput, DescribeEventBusOutput, EventBus, IncludeDetail,
    Level, ListEventBusesInput, ListEventBusesOutput, LogConfig, UpdateEventBusInput,
    UpdateEventBusOutput,
};
use crate::rules::names::{self, BusKey, DEFAULT};
use crate::store::{self, BUSES, Bus, RULES};
use crate::{pages, tags};

/// How many buses an account may have in a region.
const MOST: usize = 100;

/// Makes a bus.
pub(crate) fn create(
    tx: &mut WriteTx<'_>,
    input: CreateEventBusInput,
) -> Result<CreateEventBusOutput, Error> {
    if let Some(source) = &input.event_source_name {
        // No partner ever offered a source here.
        return Err(Error::ResourceNotFoundException(format!(
            "Event source {source} does not exist."
        )));
    }
    names::check_new_bus(&input.name)?;
    let key = (tx.account().to_owned(), tx.region().to_owned(), input.name);
    if key.2 == DEFAULT || BUSES.contains(tx, &key)? {
        let message = format!("Event bus {} already exists.", key.2);
        return Err(Error::ResourceAlreadyExistsException(message));
    }
    if BUSES.range(&(&key.0, &key.1)).limit(MOST).count(tx)? >= MOST {
        return Err(Error::LimitExceededException);
    }
    let now = tx.now().millis();
    let bus = Bus {
        description: input.description.clone(),
        kms_key: input.kms_key_identifier.clone(),
        dead_letter_arn: input.dead_letter_config.as_ref().and_then(|dead| dead.arn.clone()),
        log: input.log_config.as_ref().and_then(log_of),
        tags: tags::of_list(input.tags.unwrap_or_default())?,
        created_millis: Some(now),
        modified_millis: Some(now),
        ..Bus::default()
    };
    refuse_unsupported(&bus)?;
    BUSES.put(tx, &key, &bus)?;
    Ok(CreateEventBusOutput {
        event_bus_arn: Some(names::bus_arn(&key)),
        description: input.description,
        kms_key_identifier: input.kms_key_identifier,
        dead_letter_config: input.dead_letter_config,
        log_config: input.log_config,
    })
}

/// Events are not sealed with keys, nor are logs of buses delivered: who asks for it must hear so.
fn refuse_unsupported(bus: &Bus) -> Result<(), Error> {
    if bus.kms_key.is_some() {
        return Err(Error::not_implemented("events:CreateEventBus with KmsKeyIdentifier"));
    }
    if bus.log.as_ref().is_some_and(|(level, _)| level != "OFF") {
        return Err(Error::not_implemented("events:CreateEventBus with LogConfig"));
    }
    Ok(())
}

fn log_of(config: &LogConfig) -> Option<(String, String)> {
    let level = config.level.unwrap_or(Level::Off).as_str().to_owned();
    Some((level, config.include_detail.unwrap_or(IncludeDetail::None).as_str().to_owned()))
}

/// Shows a bus.
pub(crate) fn describe(
    tx: &ReadTx<'_>,
    input: DescribeEventBusInput,
) -> Result<DescribeEventBusOutput, Error> {
    let key = names::bus(tx.request(), input.name.as_deref());
    let bus = store::bus(tx, &key)?;
    let dead_letter = bus.dead_letter_arn.map(|arn| DeadLetterConfig { arn: Some(arn) });
    Ok(DescribeEventBusOutput {
        arn: Some(names::bus_arn(&key)),
        name: Some(key.2),
        description: bus.description,
        kms_key_identifier: bus.kms_key,
        dead_letter_config: dead_letter,
        policy: bus.policy,
        log_config: bus.log.map(|(level, detail)| LogConfig {
            include_detail: IncludeDetail::from_name(&detail),
            level: Level::from_name(&level),
        }),
        creation_time: bus.created_millis.map(Timestamp::from_millis),
        last_modified_time: bus.modified_millis.map(Timestamp::from_millis),
        managed_by: None,
    })
}

/// Lists buses by name, the default one among them.
pub(crate) fn list(
    tx: &ReadTx<'_>,
    input: ListEventBusesInput,
) -> Result<ListEventBusesOutput, Error> {
    let place = (tx.account().to_owned(), tx.region().to_owned());
    let mut buses: Vec<(BusKey, Bus)> = BUSES.list(tx, &(&place.0, &place.1))?;
    if let Err(at) = buses.binary_search_by(|(key, _)| key.2.as_str().cmp(DEFAULT)) {
        buses.insert(at, ((place.0, place.1, DEFAULT.to_owned()), Bus::default()));
    }
    let prefix = input.name_prefix.unwrap_or_default();
    buses.retain(|(key, _)| key.2.starts_with(&prefix));
    let (page, next_token) =
        pages::of(buses, |(key, _)| &key.2, input.next_token.as_deref(), input.limit)?;
    let shown = |(key, bus): (BusKey, Bus)| EventBus {
        arn: Some(names::bus_arn(&key)),
        name: Some(key.2),
        description: bus.description,
        policy: bus.policy,
        creation_time: bus.created_millis.map(Timestamp::from_millis),
        last_modified_time: bus.modified_millis.map(Timestamp::from_millis),
        managed_by: None,
    };
    let event_buses = Some(page.into_iter().map(shown).collect());
    Ok(ListEventBusesOutput { event_buses, next_token })
}

/// Changes what is said of a bus; what is not named stays.
pub(crate) fn update(
    tx: &mut WriteTx<'_>,
    input: UpdateEventBusInput,
) -> Result<UpdateEventBusOutput, Error> {
    let key = names::bus(tx.request(), input.name.as_deref());
    let mut bus = store::bus(tx, &key)?;
    bus.description = input.description.or(bus.description);
    bus.kms_key = input.kms_key_identifier.filter(|key| !key.is_empty());
    if let Some(dead_letter) = input.dead_letter_config {
        bus.dead_letter_arn = dead_letter.arn;
    }
    if let Some(config) = &input.log_config {
        bus.log = log_of(config);
    }
    refuse_unsupported(&bus)?;
    bus.modified_millis = Some(tx.now().millis());
    BUSES.put(tx, &key, &bus)?;
    Ok(UpdateEventBusOutput {
        arn: Some(names::bus_arn(&key)),
        name: Some(key.2),
        kms_key_identifier: bus.kms_key,
        description: bus.description,
        dead_letter_config: bus.dead_letter_arn.map(|arn| DeadLetterConfig { arn: Some(arn) }),
        log_config: input.log_config,
    })
}

/// Removes a bus without rules; one that is not there is no error.
pub(crate) fn delete(
    tx: &mut WriteTx<'_>,
    input: DeleteEventBusInput,
) -> Result<DeleteEventBusOutput, Error> {
    let key = names::bus(tx.request(), Some(&input.name));
    if key.2 == DEFAULT {
        return Err(Error::invalid("Cannot delete event bus default."));
    }
    if RULES.first(tx, &(&key.0, &key.1, &key.2))?.is_some() {
        // AWS's words are not known.
        let message = format!("Event bus {} can't be deleted since it has rules.", key.2);
        return Err(Error::invalid(message));
    }
    BUSES.delete(tx, &key)?;
    Ok(DeleteEventBusOutput {})
}
