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
//! What is missing, and said so where it is asked for: scopes of access points (of directory buckets), Object Lambda,
//! multi-region access points, access grants, Storage Lens, Outposts. Networks of one's own do not exist,
//! so that an access point for one lets nobody in.

mod access;
mod access_points;
mod error;
mod jobs;
mod model;
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
};

/// Amazon S3 Control.
pub static SERVICE: Service = Service {
    tasks: &[Task { name: running::TASK, every: running::PAUSE, run: running::run }],
    tables: store::TABLES,
    reset: Some(reset::reset),
    ..Service::new(&model::SERVICE, Style::DEFAULT, OPERATIONS)
};
