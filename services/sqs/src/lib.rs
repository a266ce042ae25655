//! Amazon SQS: queues of messages.
//!
//! Nouns: a **queue** has attributes, tags and a policy; a **message** has a body and attributes, becomes
//! visible after its delay, is hidden by each receive for the visibility timeout, and is removed by the
//! receipt handle of a receive. A message that was received too often moves to the **dead-letter queue**
//! of the redrive policy, in the transaction of the receive that would have been one too many.
//!
//! A **FIFO queue** keeps the order of each message group: a message is received only when all before it in its
//! group are gone or come with it. Within five minutes a message with a known deduplication id is a copy, which is
//! acknowledged and not delivered.
//!
//! Both protocols (JSON, and the older query) run the same handlers. Queue URLs are built from the address
//! that the caller used, and any host is taken in those that come back.
//!
//! Limits, which are AWS's: 1 MiB a message and a batch, 10 messages a batch or receive, 20 s of waiting,
//! 12 h of hiding, 14 days of retention.
//!
//! What differs from AWS: the approximate counts are exact; a queue may be created again at once after its
//! deletion (AWS makes one wait 60 s); the limit of 120,000 messages in flight is not enforced; what
//! SQS encrypts with keys of its own (`SqsManagedSseEnabled`) lies in the store as it is; nothing limits the throughput of FIFO
//! queues, and `ReceiveRequestAttemptId` is not heeded. Missing: message move tasks.

mod access;
mod attributes;
mod encryption;
mod error;
mod heads;
mod measures;
mod messages;
mod model;
mod permissions;
mod queues;
mod reset;
mod rules;
mod store;
mod tags;
mod tasks;
#[cfg(test)]
mod tests;
mod time;

use fogbank_core::wire::Style;
use fogbank_core::{Op, Service, operations};

/// The implemented operations.
pub static OPERATIONS: &[Op] = operations! {
    write CreateQueue                  => queues::create,            access::create;
    write DeleteQueue                  => queues::delete,            access::queue_url;
    read  GetQueueUrl                  => queues::get_url,           access::queue_name;
    read  ListQueues                   => queues::list,              access::all_queues;
    read  ListDeadLetterSourceQueues   => queues::list_sources,      access::queue_url;
    write PurgeQueue                   => queues::purge,             access::queue_url;
    read  GetQueueAttributes           => attributes::get,           access::queue_url;
    write SetQueueAttributes           => attributes::set,           access::queue_url;
    write AddPermission                => permissions::add,          access::queue_url;
    write RemovePermission             => permissions::remove,       access::queue_url;
    write TagQueue                     => tags::add,                 access::tag;
    write UntagQueue                   => tags::remove,              access::untag;
    read  ListQueueTags                => tags::list,                access::queue_url;
    task  SendMessage                  => messages::send::one,       access::queue_url;
    task  SendMessageBatch             => messages::send::batch,     access::queue_url;
    task  ReceiveMessage               => messages::receive::receive, access::queue_url;
    write DeleteMessage                => messages::delete::one,     access::queue_url;
    write DeleteMessageBatch           => messages::delete::batch,   access::queue_url;
    write ChangeMessageVisibility      => messages::visibility::one, access::queue_url;
    write ChangeMessageVisibilityBatch => messages::visibility::batch, access::queue_url;
};

/// Amazon SQS.
pub static SERVICE: Service = Service {
    quick: &[
        "ChangeMessageVisibility",
        "ChangeMessageVisibilityBatch",
        "DeleteMessage",
        "DeleteMessageBatch",
        "GetQueueAttributes",
        "GetQueueUrl",
        "ReceiveMessage",
        "SendMessage",
        "SendMessageBatch",
    ],
    resource_policy: Some(|tx, check| permissions::resource_policy(tx, &check.resource)),
    resource_tags: Some(tags::of_resource),
    tasks: tasks::TASKS,
    tables: store::TABLES,
    reset: Some(reset::reset),
    replaced: Some(|cloud| cloud.state(heads::Heads::default).forget_all()),
    time_went_back: Some(|cx| Box::pin(time::went_back(cx))),
    ..Service::new(
        &model::SERVICE,
        Style {
            // The model has no constraints beyond required members.
            validation_code: "MissingRequiredParameterException",
            lenient_query: true,
            ..Style::DEFAULT
        },
        OPERATIONS,
    )
};
