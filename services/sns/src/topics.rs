//! Topics and their attributes.

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use fogbank_core::{Effect, ReadTx, Tx, WriteTx, page};
use serde_json::{Value, json};

use crate::error::Error;
use crate::model::{
    CreateTopicInput, CreateTopicOutput, DeleteTopicInput, DeleteTopicOutput,
    GetTopicAttributesInput, GetTopicAttributesOutput, ListTopicsInput, ListTopicsOutput,
    SetTopicAttributesInput, SetTopicAttributesOutput, Topic as Listed,
};
use crate::rules::{attributes, names};
use crate::store::{self, SUBSCRIPTIONS, Subscription, TOPICS, Topic, TopicKey};
use crate::{permissions, tags, tasks};

/// How many topics or subscriptions a page has.
pub(crate) const PAGE: usize = 100;

/// Creates a topic, or finds the one that is there already with the same attributes and tags.
pub(crate) fn create(
    tx: &mut WriteTx<'_>,
    input: CreateTopicInput,
) -> Result<CreateTopicOutput, Error> {
    let mut given = input.attributes.unwrap_or_default();
    let is_fifo = given.remove("FifoTopic").is_some_and(|on| on == "true");
    if is_fifo && input.name.ends_with(".fifo") {
        return Err(Error::not_implemented("FIFO topics"));
    }
    if is_fifo {
        return Err(Error::invalid("Topic Name"));
    }
    names::check_topic_name(&input.name)?;
    for (name, value) in &given {
        attributes::check_topic(name, value, "Attributes Reason: ")?;
    }
    let given_tags = tags::of_list(input.tags.unwrap_or_default())?;
    let key = (tx.account().to_owned(), tx.region().to_owned(), input.name);
    let topic_arn = Some(store::topic_arn(&key));
    if let Some(topic) = TOPICS.get(tx, &key)? {
        let exists = |what: &str| {
            Error::invalid(format!(
                "{what} Reason: Topic already exists with different {}",
                what.to_lowercase()
            ))
        };
        let has = |known: &BTreeMap<String, String>, given: &BTreeMap<String, String>| {
            given.iter().all(|(name, value)| known.get(name) == Some(value))
        };
        if !has(&topic.tags, &given_tags) {
            return Err(exists("Tags"));
        }
        if !has(&topic.attributes, &given) {
            return Err(exists("Attributes"));
        }
        return Ok(CreateTopicOutput { topic_arn });
    }
    let topic = Topic { id: tx.version(), attributes: given, tags: given_tags, deleted: 0 };
    TOPICS.put(tx, &key, &topic)?;
    Ok(CreateTopicOutput { topic_arn })
}

/// Deletes a topic with its subscriptions. One that is gone already is no error.
pub(crate) fn delete(
    tx: &mut WriteTx<'_>,
    input: DeleteTopicInput,
) -> Result<DeleteTopicOutput, Error> {
    let key = names::topic(tx.request(), "TopicArn", &input.topic_arn)?;
    if let Some(topic) = TOPICS.get(tx, &key)? {
        TOPICS.delete(tx, &key)?;
        tx.emit(Effect::job(tasks::FORGET, &json!({"topic_id": topic.id, "region": key.1})))?;
    }
    Ok(DeleteTopicOutput {})
}

/// Lists the topics of the account in the region.
pub(crate) fn list(tx: &ReadTx<'_>, input: ListTopicsInput) -> Result<ListTopicsOutput, Error> {
    let (account, region) = (tx.account(), tx.region());
    let mut range = TOPICS.range(&(account, region)).limit(PAGE + 1);
    if let Some(after) = after(input.next_token)? {
        range = range.after(&(account, region, &after));
    }
    let mut keys = range.keys(tx)?;
    let has_more = keys.len() > PAGE;
    keys.truncate(PAGE);
    let next_token = keys.last().filter(|_| has_more).map(|key| page::text_token(&key.2));
    let topics = keys.iter().map(|key| Listed { topic_arn: Some(store::topic_arn(key)) });
    Ok(ListTopicsOutput { topics: Some(topics.collect()), next_token })
}

/// Reads a token of a listing.
pub(crate) fn after(token: Option<String>) -> Result<Option<String>, Error> {
    let Some(token) = token.filter(|token| !token.is_empty()) else { return Ok(None) };
    page::parse_text(&token).map(Some).ok_or_else(|| Error::invalid("NextToken"))
}

/// Shows a topic's attributes.
pub(crate) fn get_attributes(
    tx: &ReadTx<'_>,
    input: GetTopicAttributesInput,
) -> Result<GetTopicAttributesOutput, Error> {
    let key = names::topic(tx.request(), "TopicArn", &input.topic_arn)?;
    let topic = store::topic(tx, &key)?;
    let (confirmed, pending) = subscriptions(tx, topic.id)?;
    let mut shown = topic.attributes.clone();
    shown.retain(|_, value| !value.is_empty());
    shown.entry("DisplayName".to_owned()).or_default();
    for (name, value) in [
        ("TopicArn", store::topic_arn(&key)),
        ("Owner", key.0.clone()),
        ("Policy", permissions::policy_text(&key, &topic)),
        ("EffectiveDeliveryPolicy", effective_delivery_policy(&topic)),
        ("SubscriptionsConfirmed", confirmed.to_string()),
        ("SubscriptionsPending", pending.to_string()),
        ("SubscriptionsDeleted", topic.deleted.to_string()),
    ] {
        shown.insert(name.to_owned(), value);
    }
    Ok(GetTopicAttributesOutput { attributes: Some(shown) })
}

/// How many subscriptions are confirmed and pending; looks at all.
fn subscriptions(tx: &ReadTx<'_>, topic_id: u64) -> Result<(u64, u64), Error> {
    let (mut confirmed, mut pending) = (0, 0);
    SUBSCRIPTIONS.scan(tx, &(topic_id,), |_, subscription: Subscription| {
        *(if subscription.is_pending { &mut pending } else { &mut confirmed }) += 1;
        ControlFlow::Continue(())
    })?;
    Ok((confirmed, pending))
}

/// The default policy of deliveries, with what the topic's own says instead.
fn effective_delivery_policy(topic: &Topic) -> String {
    let own = topic.attributes.get("DeliveryPolicy").filter(|text| !text.is_empty());
    let Some(Ok(Value::Object(own))) = own.map(|text| serde_json::from_str::<Value>(text)) else {
        return attributes::EFFECTIVE_DELIVERY_POLICY.to_owned();
    };
    let mut policy: Value =
        serde_json::from_str(attributes::EFFECTIVE_DELIVERY_POLICY).unwrap_or_default();
    for (name, value) in own.get("http").and_then(Value::as_object).into_iter().flatten() {
        policy["http"][name] = value.clone();
    }
    policy.to_string()
}

/// Changes one attribute.
pub(crate) fn set_attributes(
    tx: &mut WriteTx<'_>,
    input: SetTopicAttributesInput,
) -> Result<SetTopicAttributesOutput, Error> {
    let key: TopicKey = names::topic(tx.request(), "TopicArn", &input.topic_arn)?;
    let mut topic = store::topic(tx, &key)?;
    let value = input.attribute_value.unwrap_or_default();
    attributes::check_topic(&input.attribute_name, &value, "")?;
    topic.attributes.insert(input.attribute_name, value);
    TOPICS.put(tx, &key, &topic)?;
    Ok(SetTopicAttributesOutput {})
}
