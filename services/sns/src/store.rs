//! How topics and subscriptions lie on disk: the only file that knows.
//!
//! | table | key | value |
//! |---|---|---|
//! | `sns.topics` | account, region, name | [`Topic`] |
//! | `sns.subscriptions` | topic's id, subscription's id | [`Subscription`] |
//! | `sns.endpoints` | topic's id, protocol, endpoint | the subscription's id |
//! | `sns.owned` | owner, region, topic's id, subscription's id | – |
//! | `sns.tokens` | token | [`Token`] |
//! | `sns.mails` | number | [`Mail`] |
//! | `sns.texts` | number | [`Text`] |
//!
//! A topic's id is a number that no other topic ever had: deleting a topic removes one row, and its
//! subscriptions are cleaned up behind.

use std::collections::BTreeMap;

use fogbank_core::store::{self, Read, Table, TableLabel, row};
use fogbank_core::{Arn, WriteTx, arn};
use serde::{Deserialize, Serialize};

use crate::error::Error;

/// Account, region and name.
pub(crate) type TopicKey = (String, String, String);

pub(crate) static TOPICS: Table<TopicKey, Topic> = Table::new("sns.topics", 0x0501);
pub(crate) static SUBSCRIPTIONS: Table<(u64, String), Subscription> =
    Table::new("sns.subscriptions", 0x0502);
pub(crate) static ENDPOINTS: Table<(u64, String, String), String> =
    Table::new("sns.endpoints", 0x0503);
pub(crate) static OWNED: Table<(String, String, u64, String), ()> = Table::new("sns.owned", 0x0504);
pub(crate) static TOKENS: Table<(String,), Token> = Table::new("sns.tokens", 0x0505);
pub(crate) static MAILS: Table<(u64,), Mail> = Table::new("sns.mails", 0x0506);
pub(crate) static TEXTS: Table<(u64,), Text> = Table::new("sns.texts", 0x0507);

/// All tables.
pub(crate) static TABLES: &[TableLabel] = &[
    TOPICS.label(),
    SUBSCRIPTIONS.label(),
    ENDPOINTS.label(),
    OWNED.label(),
    TOKENS.label(),
    MAILS.label(),
    TEXTS.label(),
];

/// How many mails one transaction may write; their numbers leave room for as many.
const MAILS_PER_TRANSACTION: u64 = 4096;

/// A topic.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Topic {
    pub(crate) id: u64,
    /// The attributes that were set, by their names.
    pub(crate) attributes: BTreeMap<String, String>,
    pub(crate) tags: BTreeMap<String, String>,
    /// How many subscriptions were removed.
    pub(crate) deleted: u64,
}

row!(Topic, 1);

/// A subscription.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Subscription {
    pub(crate) topic_arn: String,
    pub(crate) id: String,
    pub(crate) protocol: String,
    pub(crate) endpoint: String,
    /// The account that subscribed.
    pub(crate) owner: String,
    /// The ARN of whoever subscribed.
    pub(crate) principal: String,
    pub(crate) is_pending: bool,
    /// Whether the one who confirmed it had signed.
    pub(crate) was_authenticated: bool,
    /// Whether only its owner may end it.
    pub(crate) is_guarded: bool,
    /// What confirms it.
    pub(crate) token: String,
    pub(crate) settings: Settings,
}

row!(Subscription, 1);

impl Subscription {
    /// The subscription's ARN.
    pub(crate) fn arn(&self) -> String {
        format!("{}:{}", self.topic_arn, self.id)
    }
}

/// What `SetSubscriptionAttributes` can change.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Settings {
    pub(crate) is_raw: bool,
    pub(crate) filter_policy: Option<String>,
    /// Whether the filter looks at the message's body instead of its attributes.
    pub(crate) filters_body: bool,
    /// The redrive policy's text, and the ARN in it.
    pub(crate) redrive: Option<(String, String)>,
    pub(crate) delivery_policy: Option<String>,
    pub(crate) role_arn: Option<String>,
}

/// What a confirmation's token stands for.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Token {
    pub(crate) topic_id: u64,
    pub(crate) subscription_id: String,
}

row!(Token, 1);

/// An e-mail in the outbox.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Mail {
    pub(crate) to: String,
    pub(crate) subject: String,
    pub(crate) body: String,
    pub(crate) topic_arn: String,
    pub(crate) at_millis: i64,
}

row!(Mail, 1);

/// A text message in the outbox.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Text {
    pub(crate) to: String,
    pub(crate) body: String,
    /// The topic, or empty if it was sent to a number directly.
    pub(crate) topic_arn: String,
    pub(crate) at_millis: i64,
    /// The topic's account, or that of whoever sent it directly; empty if it was sent before this was kept.
    pub(crate) account: String,
}

row!(Text, 2, text_without_account);

fn text_without_account(_: u8, bytes: &[u8]) -> Result<Text, store::Error> {
    let (to, body, topic_arn, at_millis): (String, String, String, i64) =
        store::decode_fields(bytes)?;
    let account = account_of(&topic_arn).to_owned();
    Ok(Text { to, body, topic_arn, at_millis, account })
}

/// The account in a topic's ARN; empty if it is none.
pub(crate) fn account_of(topic_arn: &str) -> &str {
    Arn::parse(topic_arn).map_or("", |arn| arn.account)
}

/// The topic's ARN.
pub(crate) fn topic_arn((account, region, name): &TopicKey) -> String {
    arn::arn("sns", region, account, name)
}

/// Reads a topic.
pub(crate) fn topic(tx: &(impl Read + ?Sized), key: &TopicKey) -> Result<Topic, Error> {
    TOPICS.get(tx, key)?.ok_or(Error::NotFoundException("Topic"))
}

/// Reads a subscription of a topic, if both are there.
pub(crate) fn subscription(
    tx: &(impl Read + ?Sized),
    key: &TopicKey,
    id: &str,
) -> Result<Option<(u64, Subscription)>, Error> {
    let Some(topic) = TOPICS.get(tx, key)? else { return Ok(None) };
    let found = SUBSCRIPTIONS.get(tx, &(topic.id, id))?;
    Ok(found.map(|subscription| (topic.id, subscription)))
}

/// Adds a subscription with its indexes.
pub(crate) fn insert(
    tx: &mut WriteTx<'_>,
    topic_id: u64,
    region: &str,
    subscription: &Subscription,
) -> Result<(), Error> {
    let Subscription { id, protocol, endpoint, owner, token, .. } = subscription;
    SUBSCRIPTIONS.put(tx, &(topic_id, id), subscription)?;
    ENDPOINTS.put(tx, &(topic_id, protocol, endpoint), id)?;
    OWNED.put(tx, &(owner, region, topic_id, id), &())?;
    TOKENS.put(tx, &(token,), &Token { topic_id, subscription_id: id.clone() })?;
    Ok(())
}

/// Removes a subscription with its indexes.
pub(crate) fn remove(
    tx: &mut WriteTx<'_>,
    topic_id: u64,
    region: &str,
    subscription: &Subscription,
) -> Result<(), Error> {
    let Subscription { id, protocol, endpoint, owner, token, .. } = subscription;
    SUBSCRIPTIONS.delete(tx, &(topic_id, id))?;
    ENDPOINTS.delete(tx, &(topic_id, protocol, endpoint))?;
    OWNED.delete(tx, &(owner, region, topic_id, id))?;
    TOKENS.delete(tx, &(token,))?;
    Ok(())
}

/// Puts an e-mail into the outbox; `index` tells apart those of one transaction.
pub(crate) fn mail(tx: &mut WriteTx<'_>, index: usize, mail: &Mail) -> Result<(), Error> {
    let number = number(tx, index);
    Ok(MAILS.put(tx, &(number,), mail)?)
}

/// Puts a text message into the outbox; `index` tells apart those of one transaction.
pub(crate) fn text(tx: &mut WriteTx<'_>, index: usize, text: &Text) -> Result<(), Error> {
    let number = number(tx, index);
    Ok(TEXTS.put(tx, &(number,), text)?)
}

fn number(tx: &WriteTx<'_>, index: usize) -> u64 {
    tx.version() * MAILS_PER_TRANSACTION + (index as u64 % MAILS_PER_TRANSACTION)
}
