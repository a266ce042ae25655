//! Subscriptions: making, confirming, changing and ending them.

use std::collections::BTreeMap;

use fogbank_core::{ReadTx, Tx, WriteTx, page};

use crate::delivery;
use crate::error::Error;
use crate::model::{
    ConfirmSubscriptionInput, ConfirmSubscriptionOutput, GetSubscriptionAttributesInput,
    GetSubscriptionAttributesOutput, ListSubscriptionsByTopicInput, ListSubscriptionsByTopicOutput,
    ListSubscriptionsInput, ListSubscriptionsOutput, SetSubscriptionAttributesInput,
    SetSubscriptionAttributesOutput, SubscribeInput, SubscribeOutput, Subscription as Listed,
    UnsubscribeInput, UnsubscribeOutput,
};
use crate::rules::envelope::Question;
use crate::rules::names;
use crate::store::{self, ENDPOINTS, OWNED, SUBSCRIPTIONS, Settings, Subscription, TOKENS, TOPICS};
use crate::topics::{PAGE, after};

/// What stands for the ARN of a subscription that is not confirmed.
const PENDING: &str = "pending confirmation";
/// How many hexadecimal digits a token has.
const TOKEN_LEN: usize = 288;

/// Subscribes an endpoint, or finds its subscription.
pub(crate) fn subscribe(
    tx: &mut WriteTx<'_>,
    input: SubscribeInput,
) -> Result<SubscribeOutput, Error> {
    let key = names::topic(tx.request(), "TopicArn", &input.topic_arn)?;
    let topic = store::topic(tx, &key)?;
    let endpoint = input.endpoint.unwrap_or_default();
    names::check_endpoint(&input.protocol, &endpoint)?;
    let given = input.attributes.unwrap_or_default();
    let wants_arn = input.return_subscription_arn == Some(true);
    if let Some(id) = ENDPOINTS.get(tx, &(topic.id, &input.protocol, &endpoint))?
        && let Some(known) = SUBSCRIPTIONS.get(tx, &(topic.id, &id))?
    {
        let output = again(&known, &given, wants_arn)?;
        if known.is_pending {
            delivery::ask(tx, &topic, &known, Question::Subscribe)?;
        }
        return Ok(output);
    }
    let mut settings = Settings::default();
    settings.change(&given, "Attributes Reason: ")?;
    let subscription = Subscription {
        topic_arn: input.topic_arn,
        id: tx.ids().uuid(),
        // E-mail goes to our own outbox, whose owner is the one who subscribes: nobody must confirm.
        is_pending: matches!(input.protocol.as_str(), "http" | "https"),
        was_authenticated: !matches!(input.protocol.as_str(), "http" | "https"),
        protocol: input.protocol,
        endpoint,
        owner: tx.account().to_owned(),
        principal: tx.request().principal.arn.clone(),
        is_guarded: false,
        token: tx.ids().hex(TOKEN_LEN),
        settings,
    };
    store::insert(tx, topic.id, &key.1, &subscription)?;
    delivery::ask(tx, &topic, &subscription, Question::Subscribe)?;
    Ok(SubscribeOutput { subscription_arn: Some(arn_or_pending(&subscription, wants_arn)) })
}

/// The answer to a subscription that is there already: it must not ask for anything else.
fn again(
    known: &Subscription,
    given: &BTreeMap<String, String>,
    wants_arn: bool,
) -> Result<SubscribeOutput, Error> {
    let mut wanted = known.settings.clone();
    wanted.change(given, "Attributes Reason: ")?;
    if wanted != known.settings {
        return Err(Error::invalid(
            "Attributes Reason: Subscription already exists with different attributes",
        ));
    }
    Ok(SubscribeOutput { subscription_arn: Some(arn_or_pending(known, wants_arn)) })
}

fn arn_or_pending(subscription: &Subscription, wants_arn: bool) -> String {
    if subscription.is_pending && !wants_arn { PENDING.to_owned() } else { subscription.arn() }
}

/// Confirms a subscription by the token that its endpoint was told.
pub(crate) fn confirm(
    tx: &mut WriteTx<'_>,
    input: ConfirmSubscriptionInput,
) -> Result<ConfirmSubscriptionOutput, Error> {
    let is_anonymous = tx.request().principal.is_anonymous();
    let key = match is_anonymous {
        true => names::topic_anywhere("Topic", &input.topic_arn),
        false => names::topic(tx.request(), "Topic", &input.topic_arn),
    }
    .map_err(|_| Error::invalid("Topic"))?;
    let bad = || Error::invalid("Token");
    let token = TOKENS.get(tx, &(&input.token,))?.ok_or_else(bad)?;
    let Some((topic_id, mut subscription)) = store::subscription(tx, &key, &token.subscription_id)?
    else {
        return Err(Error::invalid("Topic"));
    };
    if topic_id != token.topic_id {
        return Err(bad());
    }
    if subscription.is_pending {
        subscription.is_pending = false;
        subscription.was_authenticated = !is_anonymous;
        subscription.is_guarded =
            input.authenticate_on_unsubscribe.is_some_and(|on| on.eq_ignore_ascii_case("true"));
        SUBSCRIPTIONS.put(tx, &(topic_id, &subscription.id), &subscription)?;
    }
    Ok(ConfirmSubscriptionOutput { subscription_arn: Some(subscription.arn()) })
}

/// Ends a subscription. One that is gone already is no error.
pub(crate) fn unsubscribe(
    tx: &mut WriteTx<'_>,
    input: UnsubscribeInput,
) -> Result<UnsubscribeOutput, Error> {
    let (key, id) = names::subscription(&input.subscription_arn)?;
    names::check_subscription_id(&id)?;
    let Some(mut topic) = TOPICS.get(tx, &key)? else { return Ok(UnsubscribeOutput {}) };
    let Some(subscription) = SUBSCRIPTIONS.get(tx, &(topic.id, &id))? else {
        return Ok(UnsubscribeOutput {});
    };
    if subscription.is_guarded && tx.request().principal.is_anonymous() {
        return Err(Error::AuthorizationErrorException(
            "This subscription can only be ended by its owner.".to_owned(),
        ));
    }
    store::remove(tx, topic.id, &key.1, &subscription)?;
    topic.deleted += 1;
    TOPICS.put(tx, &key, &topic)?;
    if !subscription.is_pending && matches!(subscription.protocol.as_str(), "http" | "https") {
        delivery::ask(tx, &topic, &subscription, Question::Unsubscribe)?;
    }
    Ok(UnsubscribeOutput {})
}

/// Lists the subscriptions of the account in the region.
pub(crate) fn list(
    tx: &ReadTx<'_>,
    input: ListSubscriptionsInput,
) -> Result<ListSubscriptionsOutput, Error> {
    let (account, region) = (tx.account(), tx.region());
    let mut range = OWNED.range(&(account, region)).limit(PAGE + 1);
    if let Some(after) = after(input.next_token)? {
        let (topic_id, id) = after.split_once(' ').ok_or_else(|| Error::invalid("NextToken"))?;
        let topic_id: u64 = topic_id.parse().map_err(|_| Error::invalid("NextToken"))?;
        range = range.after(&(account, region, topic_id, id));
    }
    let mut keys = range.keys(tx)?;
    let has_more = keys.len() > PAGE;
    keys.truncate(PAGE);
    let mut subscriptions = Vec::new();
    for (_, _, topic_id, id) in &keys {
        subscriptions.extend(SUBSCRIPTIONS.get(tx, &(topic_id, id))?.map(listed));
    }
    let last = keys.last().filter(|_| has_more);
    let next_token = last.map(|(_, _, topic_id, id)| page::text_token(&format!("{topic_id} {id}")));
    Ok(ListSubscriptionsOutput { subscriptions: Some(subscriptions), next_token })
}

/// Lists the subscriptions of a topic.
pub(crate) fn list_by_topic(
    tx: &ReadTx<'_>,
    input: ListSubscriptionsByTopicInput,
) -> Result<ListSubscriptionsByTopicOutput, Error> {
    let key = names::topic(tx.request(), "TopicArn", &input.topic_arn)?;
    let topic = store::topic(tx, &key)?;
    let after = after(input.next_token)?.map(|id| (topic.id, id));
    let (rows, has_more) = SUBSCRIPTIONS.page(tx, &(topic.id,), after.as_ref(), PAGE)?;
    let last = rows.last().filter(|_| has_more);
    let next_token = last.map(|((_, id), _)| page::text_token(id));
    let subscriptions = rows.into_iter().map(|(_, subscription)| listed(subscription));
    Ok(ListSubscriptionsByTopicOutput { subscriptions: Some(subscriptions.collect()), next_token })
}

fn listed(subscription: Subscription) -> Listed {
    let arn =
        if subscription.is_pending { "PendingConfirmation".to_owned() } else { subscription.arn() };
    Listed {
        subscription_arn: Some(arn),
        owner: Some(subscription.owner),
        protocol: Some(subscription.protocol),
        endpoint: Some(subscription.endpoint),
        topic_arn: Some(subscription.topic_arn),
    }
}

/// Shows a subscription's attributes.
pub(crate) fn get_attributes(
    tx: &ReadTx<'_>,
    input: GetSubscriptionAttributesInput,
) -> Result<GetSubscriptionAttributesOutput, Error> {
    let (key, id) = names::subscription(&input.subscription_arn)?;
    let (_, subscription) =
        store::subscription(tx, &key, &id)?.ok_or(Error::NotFoundException("Subscription"))?;
    let mut shown: BTreeMap<String, String> =
        subscription.settings.texts().map(|(name, text)| (name.to_owned(), text)).collect();
    for (name, value) in [
        ("SubscriptionArn", subscription.arn()),
        ("ConfirmationWasAuthenticated", subscription.was_authenticated.to_string()),
        ("PendingConfirmation", subscription.is_pending.to_string()),
        ("Endpoint", subscription.endpoint),
        ("Owner", subscription.owner),
        ("Protocol", subscription.protocol),
        ("SubscriptionPrincipal", subscription.principal),
        ("TopicArn", subscription.topic_arn),
    ] {
        shown.insert(name.to_owned(), value);
    }
    Ok(GetSubscriptionAttributesOutput { attributes: Some(shown) })
}

/// Changes one attribute.
pub(crate) fn set_attributes(
    tx: &mut WriteTx<'_>,
    input: SetSubscriptionAttributesInput,
) -> Result<SetSubscriptionAttributesOutput, Error> {
    let (key, id) = names::subscription(&input.subscription_arn)?;
    let (topic_id, mut subscription) =
        store::subscription(tx, &key, &id)?.ok_or(Error::NotFoundException("Subscription"))?;
    let value = input.attribute_value.unwrap_or_default();
    subscription.settings.set(&input.attribute_name, &value, "")?;
    SUBSCRIPTIONS.put(tx, &(topic_id, &id), &subscription)?;
    Ok(SetSubscriptionAttributesOutput {})
}
