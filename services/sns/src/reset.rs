//! Removing all topics and subscriptions of an account, or of every account.

use fogbank_core::reset::{each, forget_effects, is_meant};
use fogbank_core::{Arn, BoxFuture, Cx, Fault, WriteTx};

use crate::error::Error;
use crate::store::{self, MAILS, SUBSCRIPTIONS, Subscription, TEXTS, TOPICS};

/// Removes all that SNS keeps of an account: its topics with everybody's subscriptions, its own subscriptions of others'
/// topics, and the mails and texts that it sent.
pub(crate) fn reset(cx: Cx, account: Option<String>) -> BoxFuture<'static, Result<(), Fault>> {
    Box::pin(async move {
        let account = account.as_deref();
        // Among the effects is the removal of subscriptions of topics that are gone, which is done here.
        forget_effects(&cx, "sns", account).await?;
        each(&cx, &TOPICS, |key, _| is_meant(account, &key.0), |tx, key, _| TOPICS.delete(tx, key))
            .await?;
        let is_ours = |_: &(u64, String), found: &Subscription| {
            is_meant(account, &found.owner)
                || is_meant(account, store::account_of(&found.topic_arn))
        };
        each(&cx, &SUBSCRIPTIONS, is_ours, remove_subscription).await?;
        let of_topic = |topic_arn: &str| is_meant(account, store::account_of(topic_arn));
        each(&cx, &MAILS, |_, mail| of_topic(&mail.topic_arn), |tx, key, _| MAILS.delete(tx, key))
            .await?;
        let is_sent = |_: &(u64,), text: &store::Text| is_meant(account, &text.account);
        each(&cx, &TEXTS, is_sent, |tx, key, _| TEXTS.delete(tx, key)).await
    })
}

fn remove_subscription(
    tx: &mut WriteTx<'_>,
    key: &(u64, String),
    subscription: &Subscription,
) -> Result<(), Error> {
    let region = Arn::parse(&subscription.topic_arn).map_or("", |arn| arn.region);
    store::remove(tx, key.0, region, subscription)
}
