//! Amazon SNS: topics, and those who subscribe to them.
//!
//! Nouns: a **topic** has attributes, tags and a policy; a **subscription** joins it to an endpoint (a queue, a
//! function, an HTTP address, a mailbox, a phone number), may filter what it wants and may name a dead-letter
//! queue. A **message** that is published reaches every subscription whose filter policy lets it pass.
//!
//! Deliveries are effects of the publisher's transaction: at least once, tried again while the receiver's service
//! fails, given up (to the dead-letter queue) when the receiver refuses. Queues and functions are called through
//! the front door as `sns.amazonaws.com` on behalf of the topic, so that their policies decide.
//!
//! What waits to be delivered for a topic with a key of KMS lies sealed: `encryption.rs`.
//!
//! HTTP endpoints must confirm, as on AWS. E-mail and text messages go nowhere: they are kept in outboxes, which
//! `/_fogbank/outbox/email` shows ([`email_outbox`]). Since those belong to whoever subscribes, an e-mail
//! subscription is confirmed at once and `Subscribe` returns its ARN, where AWS waits for a click; the mail that
//! asks for the click is in the outbox all the same, and its link works.
//!
//! Limits, which are AWS's: 256 KiB a message and a batch, 10 messages a batch, 5 keys and 150 combinations a
//! filter policy. Of each outbox the newest 10,000 are kept.
//!
//! What differs from AWS: **messages are not signed.** The envelope has `Signature` and `SigningCertURL`, but the
//! signature is a placeholder that says so in base64, and no client that verifies it will take it. Delivery
//! policies are kept and shown, and not obeyed: HTTP endpoints get AWS's default of three more tries, 20 seconds
//! apart. `SubscriptionsConfirmed` and the like are counted when asked for. Missing: FIFO topics, mobile push,
//! Firehose subscriptions, SMS settings, message archives, data protection.

mod access;
mod delivery;
mod encryption;
mod error;
mod model;
mod outboxes;
mod permissions;
mod publish;
mod reset;
mod rules;
mod store;
mod subscriptions;
mod tags;
mod tasks;
#[cfg(test)]
mod tests;
mod topics;

use fogbank_core::wire::Style;
use fogbank_core::{Op, Service, operations};

pub use outboxes::{email_outbox, sms_outbox};

/// The implemented operations.
pub static OPERATIONS: &[Op] = operations! {
    write CreateTopic               => topics::create,                access::create;
    write DeleteTopic               => topics::delete,                access::topic;
    read  ListTopics                => topics::list,                  access::all;
    read  GetTopicAttributes        => topics::get_attributes,        access::topic;
    write SetTopicAttributes        => topics::set_attributes,        access::set_attributes;
    write Subscribe                 => subscriptions::subscribe,      access::subscribe;
    write ConfirmSubscription       => subscriptions::confirm,        access::confirm;
    write Unsubscribe               => subscriptions::unsubscribe,    access::unsubscribe;
    read  ListSubscriptions         => subscriptions::list,           access::all;
    read  ListSubscriptionsByTopic  => subscriptions::list_by_topic,  access::topic;
    read  GetSubscriptionAttributes => subscriptions::get_attributes, access::subscription;
    write SetSubscriptionAttributes => subscriptions::set_attributes, access::subscription;
    task  Publish                   => publish::one,                  access::publish;
    task  PublishBatch              => publish::batch,                access::topic;
    write TagResource               => tags::add,                     access::resource;
    write UntagResource             => tags::remove,                  access::resource;
    read  ListTagsForResource       => tags::list,                    access::resource;
    write AddPermission             => permissions::add,              access::topic;
    write RemovePermission          => permissions::remove,           access::topic;
};

/// Amazon SNS.
pub static SERVICE: Service = Service {
    quick: &["Publish"],
    resource_policy: Some(|tx, check| permissions::resource_policy(tx, &check.resource)),
    resource_tags: Some(tags::of_resource),
    tasks: tasks::TASKS,
    jobs: tasks::JOBS,
    tables: store::TABLES,
    reset: Some(reset::reset),
    ..Service::new(&model::SERVICE, Style::DEFAULT, OPERATIONS)
};
