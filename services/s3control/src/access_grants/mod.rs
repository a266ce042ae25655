//! S3 Access Grants: who may read or write which data, without a policy for each.
//!
//! An account has one *instance* in a region. A *location* of it says which role reads and writes some data; a *grant* lets a
//! user or role of IAM have some of that data. Whoever has a grant asks for *data access* and gets credentials: a session of
//! the location's role that a policy narrows to the grant's data and permission.

mod access;
mod data_access;
mod grants;
mod instances;
mod locations;
mod scopes;

pub(crate) use access::{create_grant, create_location, grant, instance, location, shared};
pub(crate) use data_access::{get as get_data_access, list as list_of_caller};
pub(crate) use grants::{create, delete, get, list};
pub(crate) use instances::{
    create as create_instance, delete as delete_instance, delete_policy, for_prefix,
    get as get_instance, list as list_instances, policy, put_policy,
};
pub(crate) use locations::{
    create as create_location_of, delete as delete_location, get as get_location,
    list as list_locations, update as update_location,
};

use fogbank_accesspoints::{INSTANCES, Instance};
use fogbank_core::{Timestamp, Tx, page};

use crate::error::Error;
use crate::model::Permission;

/// The name by which policies know the service.
pub(crate) const SERVICE: &str = "access-grants.s3.amazonaws.com";
/// The most that a page of a list has.
const PAGE: usize = 1000;

/// The instance of an account in the region of the call.
fn find_instance(tx: &(impl Tx + ?Sized), account: &str) -> Result<Instance, Error> {
    INSTANCES.get(tx, &(account, tx.region()))?.ok_or(Error::AccessGrantsInstanceNotExistsError)
}

/// The size of a page, and behind which key it begins.
fn paged(limit: Option<i32>, token: Option<&str>) -> Result<(usize, Option<String>), Error> {
    let limit = limit.and_then(|max| usize::try_from(max).ok()).unwrap_or(PAGE).min(PAGE);
    let after = token.map(|token| {
        let refusal = "The continuation token provided is incorrect";
        page::parse_text(token).ok_or_else(|| Error::InvalidRequest(refusal.to_owned()))
    });
    Ok((limit, after.transpose()?))
}

fn time(millis: i64) -> Option<Timestamp> {
    Some(Timestamp::from_millis(millis))
}

/// Whether a permission is to read and to write.
fn permits(permission: Permission) -> (bool, bool) {
    match permission {
        Permission::Read => (true, false),
        Permission::Write => (false, true),
        Permission::Readwrite => (true, true),
    }
}

/// The permission to read or write.
fn permission((reads, writes): (bool, bool)) -> Permission {
    match (reads, writes) {
        (true, false) => Permission::Read,
        (false, _) => Permission::Write,
        (true, true) => Permission::Readwrite,
    }
}
