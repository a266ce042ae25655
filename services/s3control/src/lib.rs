//! Amazon S3 Control: what accounts set around their buckets.
//!
//! An *access point* is a name under which a bucket is reached, with a policy of its own, and an *alias* stands for it where a
//! bucket's name is expected. An account *blocks public access* for all its buckets at once. The rows lie in
//! `fogbank-accesspoints`, where S3 reads them for its requests.
//!
//! Limits are AWS's: names of 3 to 50 characters, 10,000 access points of an account in a region, 50 tags, 20 KiB of policy.
//!
//! A *batch job* does one operation to each object of a list, as a role, and writes a report of it.
//!
//! *Access grants* ([`access_grants`]) give users and roles credentials for some data, without a policy for each.
//!
//! What is missing, and said so where it is asked for: Object Lambda, multi-region access points, access grants, Storage Lens, Outposts. Networks of one's own do not exist,
//! so that an access point for one lets nobody in.

mod access;
mod access_grants;
mod access_points;
mod directory;
mod error;
mod jobs;
mod model;
#[doc(hidden)]
pub mod parsers;
mod policies;
mod public_access;
mod reset;
mod running;
mod store;
mod tags;
#[cfg(test)]
mod tests;

pub use error::Error;
use fogbank_core::wire::Style;
use fogbank_core::{Op, Service, Task, operations};

/// The operations that are implemented.
pub static OPERATIONS: &[Op] = operations! {
    task CreateAccessPoint => access_points::create, access::create;
    read GetAccessPoint => access_points::get, |request, input| {
        access::found("s3:GetAccessPoint", request, input)
    };
    read ListAccessPoints => access_points::list, |request, input| {
        access::account("s3:ListAccessPoints", request, input)
    };
    write DeleteAccessPoint => access_points::delete, |request, input| {
        access::point("s3:DeleteAccessPoint", request, input)
    };
    read ListAccessPointsForDirectoryBuckets => directory::list, |request, input| {
        access::account("s3express:ListAccessPointsForDirectoryBuckets", request, input)
    };
    write PutAccessPointScope => directory::put_scope, |request, input| {
        access::point("s3express:PutAccessPointScope", request, input)
    };
    read GetAccessPointScope => directory::get_scope, |request, input| {
        access::point("s3express:GetAccessPointScope", request, input)
    };
    write DeleteAccessPointScope => directory::delete_scope, |request, input| {
        access::point("s3express:DeleteAccessPointScope", request, input)
    };
    write PutAccessPointPolicy => policies::put, |request, input| {
        access::point("s3:PutAccessPointPolicy", request, input)
    };
    read GetAccessPointPolicy => policies::get, |request, input| {
        access::point("s3:GetAccessPointPolicy", request, input)
    };
    write DeleteAccessPointPolicy => policies::delete, |request, input| {
        access::point("s3:DeleteAccessPointPolicy", request, input)
    };
    read GetAccessPointPolicyStatus => policies::status, |request, input| {
        access::point("s3:GetAccessPointPolicyStatus", request, input)
    };
    write PutPublicAccessBlock => public_access::put, |request, input| {
        access::account("s3:PutAccountPublicAccessBlock", request, input)
    };
    read GetPublicAccessBlock => public_access::get, |request, input| {
        access::account("s3:GetAccountPublicAccessBlock", request, input)
    };
    write DeletePublicAccessBlock => public_access::delete, |request, input| {
        access::account("s3:PutAccountPublicAccessBlock", request, input)
    };
    write TagResource => tags::put, |request, input| {
        access::resource("s3:TagResource", request, input)
    };
    write UntagResource => tags::remove, |request, input| {
        access::resource("s3:UntagResource", request, input)
    };
    read ListTagsForResource => tags::list, |request, input| {
        access::resource("s3:ListTagsForResource", request, input)
    };
    write CreateJob => jobs::create, access::create_job;
    read DescribeJob => jobs::describe, |request, input| {
        access::job("s3:DescribeJob", request, input)
    };
    read ListJobs => jobs::list, |request, input| access::account("s3:ListJobs", request, input);
    write UpdateJobPriority => jobs::update_priority, |request, input| {
        access::job("s3:UpdateJobPriority", request, input)
    };
    write UpdateJobStatus => jobs::update_status, |request, input| {
        access::job("s3:UpdateJobStatus", request, input)
    };
    read GetJobTagging => jobs::get_tags, |request, input| {
        access::job("s3:GetJobTagging", request, input)
    };
    write PutJobTagging => jobs::put_tags, |request, input| {
        access::job("s3:PutJobTagging", request, input)
    };
    write DeleteJobTagging => jobs::delete_tags, |request, input| {
        access::job("s3:DeleteJobTagging", request, input)
    };
    write CreateAccessGrantsInstance => access_grants::create_instance, |request, input| {
        access_grants::instance("s3:CreateAccessGrantsInstance", request, input)
    };
    read GetAccessGrantsInstance => access_grants::get_instance, |request, input| {
        access_grants::instance("s3:GetAccessGrantsInstance", request, input)
    };
    read ListAccessGrantsInstances => access_grants::list_instances, |request, input| {
        access::account("s3:ListAccessGrantsInstances", request, input)
    };
    write DeleteAccessGrantsInstance => access_grants::delete_instance, |request, input| {
        access_grants::instance("s3:DeleteAccessGrantsInstance", request, input)
    };
    read GetAccessGrantsInstanceForPrefix => access_grants::for_prefix, |request, input| {
        access_grants::shared("s3:GetAccessGrantsInstanceForPrefix", request, input)
    };
    write PutAccessGrantsInstanceResourcePolicy => access_grants::put_policy, |request, input| {
        access_grants::instance("s3:PutAccessGrantsInstanceResourcePolicy", request, input)
    };
    read GetAccessGrantsInstanceResourcePolicy => access_grants::policy, |request, input| {
        access_grants::instance("s3:GetAccessGrantsInstanceResourcePolicy", request, input)
    };
    write DeleteAccessGrantsInstanceResourcePolicy => access_grants::delete_policy, |request, input| {
        access_grants::instance("s3:DeleteAccessGrantsInstanceResourcePolicy", request, input)
    };
    task CreateAccessGrantsLocation => access_grants::create_location_of, access_grants::create_location;
    read GetAccessGrantsLocation => access_grants::get_location, |request, input| {
        access_grants::location("s3:GetAccessGrantsLocation", request, input)
    };
    read ListAccessGrantsLocations => access_grants::list_locations, |request, input| {
        access_grants::shared("s3:ListAccessGrantsLocations", request, input)
    };
    task UpdateAccessGrantsLocation => access_grants::update_location, |request, input| {
        access_grants::location("s3:UpdateAccessGrantsLocation", request, input)
    };
    write DeleteAccessGrantsLocation => access_grants::delete_location, |request, input| {
        access_grants::location("s3:DeleteAccessGrantsLocation", request, input)
    };
    write CreateAccessGrant => access_grants::create, access_grants::create_grant;
    read GetAccessGrant => access_grants::get, |request, input| {
        access_grants::grant("s3:GetAccessGrant", request, input)
    };
    read ListAccessGrants => access_grants::list, |request, input| {
        access_grants::shared("s3:ListAccessGrants", request, input)
    };
    write DeleteAccessGrant => access_grants::delete, |request, input| {
        access_grants::grant("s3:DeleteAccessGrant", request, input)
    };
    task GetDataAccess => access_grants::get_data_access, |request, input| {
        access_grants::shared("s3:GetDataAccess", request, input)
    };
    read ListCallerAccessGrants => access_grants::list_of_caller, |request, input| {
        access_grants::shared("s3:ListCallerAccessGrants", request, input)
    };
};

/// Amazon S3 Control.
pub static SERVICE: Service = Service {
    tasks: &[Task { name: running::TASK, every: running::PAUSE, run: running::run }],
    tables: store::TABLES,
    reset: Some(reset::reset),
    ..Service::new(&model::SERVICE, Style::DEFAULT, OPERATIONS)
};
