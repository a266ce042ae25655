//! Queues' attributes.

use std::collections::BTreeMap;

use fogbank_core::{ReadTx, Tx, WriteTx};

use crate::error::Error;
use crate::model::{
    GetQueueAttributesInput, GetQueueAttributesOutput, SetQueueAttributesInput,
    SetQueueAttributesOutput,
};
use crate::queues;
use crate::rules::{attributes, names};
use crate::store::{self, QUEUES, Queue, QueueKey};

/// Shows the attributes that were asked for.
pub(crate) fn get(
    tx: &ReadTx<'_>,
    input: GetQueueAttributesInput,
) -> Result<GetQueueAttributesOutput, Error> {
    let key = names::resolve(tx.request(), &input.queue_url)?;
    let queue = store::queue(tx, &key)?;
    let wanted = input.attribute_names.unwrap_or_default();
    if let Some(unknown) = wanted.iter().find(|name| !attributes::is_known(name)) {
        return Err(Error::unknown_attribute(unknown));
    }
    let wants_all = wanted.iter().any(|name| name == "All");
    let wants = |name: &str| wants_all || wanted.iter().any(|wanted| wanted == name);
    let mut shown: BTreeMap<String, String> = queue
        .settings
        .texts()
        .filter(|(name, _)| wants(name))
        .map(|(name, text)| (name.to_owned(), text))
        .collect();
    let computed = computed(tx, &key, &queue, wants_all, &wanted)?;
    shown.extend(
        computed
            .into_iter()
            .filter(|(name, _)| wants(name))
            .map(|(name, text)| (name.to_owned(), text)),
    );
    Ok(GetQueueAttributesOutput { attributes: (!shown.is_empty()).then_some(shown) })
}

fn computed(
    tx: &ReadTx<'_>,
    key: &QueueKey,
    queue: &Queue,
    wants_all: bool,
    wanted: &[String],
) -> Result<Vec<(&'static str, String)>, Error> {
    let mut texts = vec![
        ("QueueArn", store::queue_arn(key)),
        ("CreatedTimestamp", queue.created_secs.to_string()),
        ("LastModifiedTimestamp", queue.modified_secs.to_string()),
    ];
    if wants_all || wanted.iter().any(|name| name.starts_with("Approximate")) {
        let counts = store::counts(tx, queue.space, store::millis(tx.now()))?;
        texts.extend([
            ("ApproximateNumberOfMessages", counts.visible.to_string()),
            ("ApproximateNumberOfMessagesNotVisible", counts.in_flight.to_string()),
            ("ApproximateNumberOfMessagesDelayed", counts.delayed.to_string()),
        ]);
    }
    Ok(texts)
}

/// Changes attributes.
pub(crate) fn set(
    tx: &mut WriteTx<'_>,
    input: SetQueueAttributesInput,
) -> Result<SetQueueAttributesOutput, Error> {
    let key = names::resolve(tx.request(), &input.queue_url)?;
    let mut queue = store::queue(tx, &key)?;
    let before = queue.settings.redrive.clone();
    queue.settings.change(&input.attributes)?;
    queues::point_to_dead_letters(tx, &key, before.as_ref(), queue.settings.redrive.as_ref())?;
    queue.modified_secs = tx.now().secs();
    QUEUES.put(tx, &key, &queue)?;
    // Those who wait may have to wait otherwise, such as for a shorter time.
    tx.wake(store::topic(queue.id));
    Ok(SetQueueAttributesOutput {})
}
