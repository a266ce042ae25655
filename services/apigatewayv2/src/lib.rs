//! Amazon API Gateway v2: HTTP APIs in front of Lambda functions and HTTP servers.
//!
//! Nouns: an API has routes (`GET /photos/{id}`), which point at integrations (a Lambda function or an HTTP address);
//! stages publish them, either as they are (`AutoDeploy`) or as a deployment froze them.
//!
//! An API is reached under its `ApiEndpoint`, `http://HOST/_aws/execute-api/API-ID`, which needs no DNS, or under the host
//! `API-ID.execute-api.…`. A named stage is the first segment of the path, `$default` has none.
//!
//! What is missing, and refused rather than ignored: WebSocket APIs, authorizers, private integrations, integrations with
//! AWS services, parameter mapping, HTTPS backends. Throttling and access log settings are kept but have no effect.

mod access;
mod apis;
mod deployments;
mod error;
mod event;
mod integrations;
mod matching;
#[allow(missing_docs)]
pub mod model;
mod plane;
mod reset;
mod response;
mod routes;
mod stages;
mod store;
mod tags;
#[cfg(test)]
mod tests;

use fogbank_core::wire::Style;
use fogbank_core::{DataPlane, Op, Service, operations};

/// The implemented operations.
pub static OPERATIONS: &[Op] = operations! {
    write CreateApi          => apis::create,             access::path;
    read  GetApi             => apis::get,                access::path;
    read  GetApis            => apis::list,               access::path;
    write UpdateApi          => apis::update,             access::path;
    write DeleteApi          => apis::delete,             access::path;
    write CreateIntegration  => integrations::create,     access::path;
    read  GetIntegration     => integrations::get,        access::path;
    read  GetIntegrations    => integrations::list,       access::path;
    write UpdateIntegration  => integrations::update,     access::path;
    write DeleteIntegration  => integrations::delete,     access::path;
    write CreateRoute        => routes::create,           access::path;
    read  GetRoute           => routes::get,              access::path;
    read  GetRoutes          => routes::list,             access::path;
    write UpdateRoute        => routes::update,           access::path;
    write DeleteRoute        => routes::delete,           access::path;
    write CreateStage        => stages::create,           access::path;
    read  GetStage           => stages::get,              access::path;
    read  GetStages          => stages::list,             access::path;
    write UpdateStage        => stages::update,           access::path;
    write DeleteStage        => stages::delete,           access::path;
    write CreateDeployment   => deployments::create,      access::path;
    read  GetDeployment      => deployments::get,         access::path;
    read  GetDeployments     => deployments::list,        access::path;
    write DeleteDeployment   => deployments::delete,      access::path;
    write TagResource        => tags::tag,                access::tags;
    write UntagResource      => tags::untag,              access::tags;
    read  GetTags            => tags::list,               access::tags;
};

/// Amazon API Gateway v2.
pub static SERVICE: Service = Service {
    resource_tags: Some(tags::of_resource),
    data_planes: &[DataPlane {
        name: "execute-api",
        claims: plane::claims,
        serve: |cx, request| Box::pin(plane::serve(cx, request)),
    }],
    tables: store::TABLES,
    reset: Some(reset::reset),
    ..Service::new(
        &model::SERVICE,
        Style { validation_code: "BadRequestException", ..Style::DEFAULT },
        OPERATIONS,
    )
};
