//! AWS Systems Manager Parameter Store: configuration in hierarchies, versioned, secure where it must be.
//!
//! Nouns: parameters (by name or ARN), versions and their labels, tiers, parameter policies, resource policies, service
//! settings.
//!
//! Secure values are sealed by KMS as the caller (`kms:ViaService`, bound to `PARAMETER_ARN`).
//!
//! Limits are AWS's: 4,096 characters a value, 8,192 in the advanced tier, 100 versions, 15 levels, 10,000 standard
//! parameters a region, 10 labels a version, 50 tags.
//!
//! EventBridge hears of every change, and of policies that act ([`changes`]).
//!
//! What is missing: all other tools of Systems Manager. Of the parameters that AWS publishes under `/aws/service/` there are regions and the images that deployments look up;
//! their ids are Fogbank's own. Whether an image of the data type `aws:ec2:image` exists cannot be told, for there is no
//! EC2.

mod access;
mod changes;
mod error;
mod labels;
mod metadata;
mod model;
mod parameters;
mod published;
mod references;
mod reset;
mod rules;
mod sealing;
mod settings;
mod sharing;
mod store;
mod tags;
mod tasks;
#[cfg(test)]
mod tests;
mod values;

use std::time::Duration;

use fogbank_core::wire::Style;
use fogbank_core::{Op, Service, Task, operations};

/// The implemented operations.
pub static OPERATIONS: &[Op] = operations! {
    write AddTagsToResource       => tags::tag,                  access::tag;
    write DeleteParameter         => parameters::delete,         access::parameter;
    write DeleteParameters        => parameters::delete_several, access::delete_several;
    write DeleteResourcePolicy    => sharing::delete,            access::policies;
    read  DescribeParameters      => metadata::describe,         access::everything;
    task  GetParameter            => values::get,                access::parameter;
    task  GetParameterHistory     => values::history,            access::parameter;
    task  GetParameters           => values::get_several,        access::get_several;
    task  GetParametersByPath     => values::by_path,            access::by_path;
    read  GetResourcePolicies     => sharing::list,              access::policies;
    read  GetServiceSetting       => settings::get,              access::setting;
    write LabelParameterVersion   => labels::add,                access::parameter;
    read  ListTagsForResource     => tags::list,                 access::tags;
    task  PutParameter            => parameters::put,            access::put;
    write PutResourcePolicy       => sharing::put,               access::policies;
    write RemoveTagsFromResource  => tags::untag,                access::untag;
    write ResetServiceSetting     => settings::reset,            access::setting;
    write UnlabelParameterVersion => labels::remove,             access::parameter;
    write UpdateServiceSetting    => settings::update,           access::setting;
};

/// AWS Systems Manager Parameter Store.
pub static SERVICE: Service = Service {
    resource_policy: Some(|tx, check| sharing::resource_policy(tx, &check.resource)),
    resource_tags: Some(sharing::resource_tags),
    tasks: &[Task {
        name: tasks::DUE,
        every: Duration::from_secs(60),
        run: |cx| Box::pin(tasks::do_due(cx)),
    }],
    tables: store::TABLES,
    reset: Some(reset::reset),
    ..Service::new(&model::SERVICE, Style::DEFAULT, OPERATIONS)
};
