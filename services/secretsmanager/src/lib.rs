//! AWS Secrets Manager: values that only their KMS key opens, in versions with labels, rotated by functions.
//!
//! Nouns: secrets (by name, or by an ARN that ends with six random characters), their versions, staging labels on
//! versions (`AWSCURRENT`, `AWSPREVIOUS`, `AWSPENDING` and one's own), replicas in other regions, resource policies.
//!
//! Every value is sealed by a data key of its own, which KMS makes as the caller (`kms:ViaService`, bound to the secret's ARN and
//! the version): [`sealing`] is the only place where it is open.
//!
//! EventBridge hears of rotations and deletions as of what CloudTrail records of the service itself ([`changes`]).
//!
//! Limits are AWS's: 65,536 bytes a value, 20 labels, 100 versions without labels that are older than a day.
//!
//! What is missing: secrets that a partner holds (`Type`), managed rotation by other services,
//! RotateSecret with ClientRequestToken of a version that has a value. Where AWS chooses a random time within a rotation
//! window, this rotates when the window opens, and a window that was missed is made up for.

mod access;
mod changes;
mod cross_account;
mod error;
mod listing;
mod model;
mod passwords;
mod policies;
mod replication;
mod reset;
mod rotation;
mod rules;
mod sealing;
mod secrets;
mod store;
mod tags;
mod tasks;
#[cfg(test)]
mod tests;
mod values;
mod versions;

use std::time::Duration;

use fogbank_core::wire::Style;
use fogbank_core::{Job, Op, Service, Task, operations};

/// The implemented operations.
pub static OPERATIONS: &[Op] = operations! {
    task  AssociateCrossAccountReplica => cross_account::associate,   access::associate;
    task  BatchGetSecretValue          => values::batch_get,           access::batch;
    write CancelRotateSecret           => rotation::cancel,            access::secret;
    task  CreateSecret                 => secrets::create,             access::create;
    write DeleteResourcePolicy         => policies::delete,            access::secret;
    write DeleteSecret                 => secrets::delete,             access::delete;
    read  DescribeSecret               => secrets::describe,           access::secret;
    write DisassociateCrossAccountReplica => cross_account::disassociate, access::secret;
    read  GetRandomPassword            => passwords::random,           access::everything;
    read  GetResourcePolicy            => policies::get,               access::secret;
    task  GetSecretValue               => values::get,                 access::get_value;
    read  ListResourcePolicies         => policies::list,              access::secret;
    read  ListSecretVersionIds         => versions::list,              access::secret;
    read  ListSecrets                  => listing::list,               access::everything;
    write PutResourcePolicy            => policies::put,               access::put_policy;
    task  PutSecretValue               => values::put,                 access::secret;
    write RemoveRegionsFromReplication => replication::remove_regions, access::secret;
    task  ReplicateSecretToRegions     => replication::replicate,      access::replicate;
    write RestoreSecret                => secrets::restore,            access::secret;
    task  RotateSecret                 => rotation::rotate,            access::rotate;
    write StopReplicationToReplica     => replication::stop,           access::stop;
    write TagResource                  => tags::tag,                   access::tag;
    write UntagResource                => tags::untag,                 access::untag;
    task  UpdateSecret                 => secrets::update,             access::update;
    write UpdateSecretVersionStage     => versions::update_stage,      access::secret;
    read  ValidateResourcePolicy       => policies::validate,          access::validate_policy;
};

/// AWS Secrets Manager.
pub static SERVICE: Service = Service {
    resource_policy: Some(|tx, check| policies::resource_policy(tx, &check.resource)),
    resource_tags: Some(policies::resource_tags),
    tasks: &[Task {
        name: tasks::DUE,
        every: Duration::from_secs(60),
        run: |cx| Box::pin(tasks::do_due(cx)),
    }],
    jobs: &[
        Job { name: rotation::JOB, run: |cx, input| Box::pin(rotation::run(cx, input)) },
        Job {
            name: rotation::FAILED_JOB,
            run: |cx, input| Box::pin(rotation::tell_failure(cx, input)),
        },
        Job { name: cross_account::JOB, run: |cx, input| Box::pin(cross_account::run(cx, input)) },
    ],
    tables: store::TABLES,
    reset: Some(reset::reset),
    ..Service::new(
        &model::SERVICE,
        Style { message_member: "Message", ..Style::DEFAULT },
        OPERATIONS,
    )
};
