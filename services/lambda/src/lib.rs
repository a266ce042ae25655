//! AWS Lambda: functions that really run.
//!
//! Nouns: a **function** has code, a configuration, a role, tags and a policy; a **version** is a copy of both that
//! never changes, and `$LATEST` is the one that does; an **alias** names a version, or two by weight; a **layer** is a
//! package that functions share; an **event** is an asynchronous invocation that waits to be run; an **event source
//! mapping** gives a queue's messages to a function; an **execution environment** is a sandboxed process that runs one
//! version, made by `fogbank-compute` with the credentials of the function's role.
//!
//! Limits, which are AWS's: 50 MB zipped in a request, 250 MB unzipped, 900 s, 10,240 MB of memory, 4 KB of variables,
//! 6 MB an event or answer, 1 MB an asynchronous event, 1,000 invocations at one time. Of asynchronous invocations this
//! machine runs 64 at one time, of one function 48; the others wait.
//!
//! What differs from AWS: a function that is being created is waited for by its invocation, for up to ten seconds; a
//! runtime whose interpreter this machine lacks is found out when the function runs (`InvalidRuntimeException`), and the
//! nearest version of an interpreter is taken where the exact one is missing; `Architectures` is kept, but code runs on
//! this machine's; `SnapStart` and X-Ray tracing are kept without effect, and in the log format JSON the platform's own
//! lines stay text; a role is not asked beforehand whether it may write to a dead-letter target; loops of functions that
//! invoke themselves are not found.
//!
//! As on AWS, a package keeps the permissions of its files: what others may not read, the function cannot either.
//!
//! Missing, and refused with an error that says so: container images, VPCs, file systems, code signing, KMS keys,
//! function URLs, provisioned concurrency, durable functions, permissions on layers, buckets as destinations, event
//! sources other than queues, and filters of event sources.

mod access;
mod aliases;
mod code;
mod concurrency;
mod engine;
mod error;
mod events;
mod functions;
mod invocations;
mod invoke_configs;
mod layers;
mod mappings;
mod model;
mod permissions;
mod reset;
mod rules;
mod store;
mod tags;
mod tasks;
#[cfg(test)]
mod tests;
mod versions;

use fogbank_core::wire::Style;
use fogbank_core::{Op, Service, operations};

/// The implemented operations.
pub static OPERATIONS: &[Op] = operations! {
    task  CreateFunction                  => functions::create,               access::create;
    read  GetFunction                     => functions::get,                  access::function;
    read  GetFunctionConfiguration        => functions::get_configuration,    access::function;
    read  ListFunctions                   => functions::list,                 access::everything;
    task  UpdateFunctionCode              => functions::update_code,          access::whole_function;
    task  UpdateFunctionConfiguration     => functions::update_configuration, access::configure;
    write DeleteFunction                  => functions::delete,               access::function;
    read  GetAccountSettings              => functions::account_settings,     access::everything;
    task  Invoke                          => invocations::invoke,             access::invoke;
    write PublishVersion                  => versions::publish,               access::whole_function;
    read  ListVersionsByFunction          => versions::list,                  access::whole_function;
    write CreateAlias                     => aliases::create,                 access::whole_function;
    read  GetAlias                        => aliases::get,                    access::whole_function;
    read  ListAliases                     => aliases::list,                   access::whole_function;
    write UpdateAlias                     => aliases::update,                 access::whole_function;
    write DeleteAlias                     => aliases::delete,                 access::whole_function;
    write AddPermission                   => permissions::add,                access::add_permission;
    write RemovePermission                => permissions::remove,             access::remove_permission;
    read  GetPolicy                       => permissions::get,                access::function;
    write PutFunctionConcurrency          => concurrency::put,                access::function;
    read  GetFunctionConcurrency          => concurrency::get,                access::function;
    write DeleteFunctionConcurrency       => concurrency::delete,             access::function;
    write PutFunctionEventInvokeConfig    => invoke_configs::put,             access::function;
    write UpdateFunctionEventInvokeConfig => invoke_configs::update,          access::function;
    read  GetFunctionEventInvokeConfig    => invoke_configs::get,             access::function;
    read  ListFunctionEventInvokeConfigs  => invoke_configs::list,            access::function;
    write DeleteFunctionEventInvokeConfig => invoke_configs::delete,          access::function;
    task  CreateEventSourceMapping        => mappings::create,                access::create_mapping;
    read  GetEventSourceMapping           => mappings::get,                   access::mapping;
    read  ListEventSourceMappings         => mappings::list,                  access::everything;
    write UpdateEventSourceMapping        => mappings::update,                access::mapping;
    write DeleteEventSourceMapping        => mappings::delete,                access::mapping;
    task  PublishLayerVersion             => layers::publish,                 access::layer;
    read  GetLayerVersion                 => layers::get,                     access::get_layer_version;
    read  GetLayerVersionByArn            => layers::get_by_arn,              access::layer_version_arn;
    read  ListLayers                      => layers::list,                    access::everything;
    read  ListLayerVersions               => layers::list_versions,           access::everything;
    write DeleteLayerVersion              => layers::delete,                  access::delete_layer_version;
    write TagResource                     => tags::add,                       access::tag;
    write UntagResource                   => tags::remove,                    access::untag;
    read  ListTags                        => tags::list,                      access::resource;
};

/// AWS Lambda.
pub static SERVICE: Service = Service {
    resource_policy: Some(|tx, check| permissions::resource_policy(tx, &check.resource)),
    resource_tags: Some(tags::of_resource),
    tasks: tasks::TASKS,
    data_planes: &[code::PLANE],
    stop: Some(|cx| Box::pin(engine::stop(cx))),
    tables: store::TABLES,
    reset: Some(reset::reset),
    ..Service::new(&model::SERVICE, Style { elements_not_null: true, ..Style::DEFAULT }, OPERATIONS)
};
