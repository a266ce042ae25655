//! Grants: what a user or role may do with some of a location's data.

use std::ops::ControlFlow;

use fogbank_accesspoints::{GRANTEES, GRANTS, Grant, Granted, INSTANCES, LOCATIONS};
use fogbank_core::{ReadTx, Tx, WriteTx, page};

use super::instances::refuse_directories;
use super::scopes::{granted, is_grantee};
use super::{find_instance, locations, paged, permission, permits, time};
use crate::error::Error;
use crate::model::*;
use crate::tags::{self, pairs};

/// How many grants an instance has.
const MAX_GRANTS: u32 = 100_000;

/// The account, region and id of a grant.
type Key = (String, String, String);

fn find(tx: &(impl Tx + ?Sized), id: &str) -> Result<(Key, Grant), Error> {
    find_instance(tx, tx.account())?;
    let key = (tx.account().to_owned(), tx.region().to_owned(), id.to_owned());
    let row = GRANTS.get(tx, &key)?.ok_or(Error::NoSuchAccessGrantError)?;
    Ok((key, row))
}

fn grantee(row: &Grant) -> Option<Grantee> {
    Some(Grantee {
        grantee_type: Some(GranteeType::Iam),
        grantee_identifier: Some(row.grantee.clone()),
    })
}

fn configuration(row: &Grant) -> Option<AccessGrantsLocationConfiguration> {
    let s3_sub_prefix = row.sub_prefix.clone();
    s3_sub_prefix.map(|prefix| AccessGrantsLocationConfiguration { s3_sub_prefix: Some(prefix) })
}

/// Grants somebody some of a location's data.
pub(crate) fn create(
    tx: &mut WriteTx<'_>,
    input: CreateAccessGrantInput,
) -> Result<CreateAccessGrantOutput, Error> {
    refuse_directories("CreateAccessGrant with ApplicationArn", input.application_arn.as_ref())?;
    let tags = tags::of(pairs(input.tags.as_deref().unwrap_or_default()))?;
    let mut instance = find_instance(tx, tx.account())?;
    let (place, mut location) = locations::find(tx, &input.access_grants_location_id)?;
    // Grantees of a directory need an identity center, with which no instance is associated.
    let is_user_or_role = input.grantee.grantee_type == Some(GranteeType::Iam);
    let grantee_arn = input.grantee.grantee_identifier.filter(|arn| is_grantee(arn));
    let Some(grantee_arn) = grantee_arn.filter(|_| is_user_or_role) else {
        return Err(Error::InvalidAccessGrant);
    };
    let is_object = input.s3_prefix_type == Some(S3PrefixType::Object);
    let sub_prefix =
        input.access_grants_location_configuration.and_then(|given| given.s3_sub_prefix);
    let scope = granted(&location.scope, sub_prefix.as_deref(), is_object);
    let scope = scope.ok_or(Error::InvalidAccessGrant)?.shown();
    let (reads, writes) = permits(input.permission);
    let row = Grant {
        location: place.2.clone(),
        sub_prefix,
        scope,
        is_object,
        grantee: grantee_arn,
        reads,
        writes,
        created_millis: tx.now().millis(),
        tags,
    };
    let mut is_there = false;
    of_grantee(tx, (&place.0, &place.1, &row.grantee), None, |_, other| {
        is_there |= (&other.scope, other.is_object, other.reads, other.writes)
            == (&row.scope, row.is_object, row.reads, row.writes);
        if is_there { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    })?;
    if is_there {
        return Err(Error::AccessGrantAlreadyExists);
    }
    if instance.grants >= MAX_GRANTS {
        return Err(Error::AccessGrantsQuotaExceededError(MAX_GRANTS));
    }
    instance.grants += 1;
    location.grants += 1;
    let (account, region) = (&*place.0, &*place.1);
    let id = tx.ids().uuid();
    INSTANCES.put(tx, &(account, region), &instance)?;
    LOCATIONS.put(tx, &place, &location)?;
    GRANTS.put(tx, &(account, region, &*id), &row)?;
    GRANTEES.put(tx, &(account, region, &*row.grantee, &*id), &())?;
    Ok(CreateAccessGrantOutput {
        created_at: time(row.created_millis),
        access_grant_arn: Some(Granted::Grant(&id).arn(account, region)),
        access_grant_id: Some(id),
        grantee: grantee(&row),
        access_grants_location_configuration: configuration(&row),
        access_grants_location_id: Some(row.location),
        permission: Some(permission((row.reads, row.writes))),
        application_arn: None,
        grant_scope: Some(row.scope),
    })
}

/// Shows the grants of a user or role in an account's instance, by their ids, from behind one of them on.
pub(super) fn of_grantee(
    tx: &(impl Tx + ?Sized),
    (account, region, arn): (&str, &str, &str),
    after: Option<&str>,
    mut look: impl FnMut(String, Grant) -> ControlFlow<()>,
) -> Result<(), Error> {
    let mut range = GRANTEES.range(&(account, region, arn));
    if let Some(after) = after {
        range = range.after(&(account, region, arn, after));
    }
    range.try_visit_keys::<Error>(tx, |(_, _, _, id)| {
        Ok(match GRANTS.get(tx, &(account, region, &*id))? {
            Some(grant) => look(id, grant),
            None => ControlFlow::Continue(()),
        })
    })
}

/// A grant.
pub(crate) fn get(
    tx: &ReadTx<'_>,
    input: GetAccessGrantInput,
) -> Result<GetAccessGrantOutput, Error> {
    let (key, row) = find(tx, &input.access_grant_id)?;
    Ok(GetAccessGrantOutput {
        created_at: time(row.created_millis),
        access_grant_arn: Some(Granted::Grant(&key.2).arn(&key.0, &key.1)),
        access_grant_id: Some(key.2),
        grantee: grantee(&row),
        permission: Some(permission((row.reads, row.writes))),
        access_grants_location_configuration: configuration(&row),
        access_grants_location_id: Some(row.location),
        grant_scope: Some(row.scope),
        application_arn: None,
    })
}

/// Takes a grant back. Credentials that were given out stay good until they end, as on AWS.
pub(crate) fn delete(
    tx: &mut WriteTx<'_>,
    input: DeleteAccessGrantInput,
) -> Result<DeleteAccessGrantOutput, Error> {
    let (key, row) = find(tx, &input.access_grant_id)?;
    let (account, region, id) = (&*key.0, &*key.1, &*key.2);
    let mut instance = find_instance(tx, account)?;
    instance.grants -= 1;
    INSTANCES.put(tx, &(account, region), &instance)?;
    let place = (account, region, &*row.location);
    if let Some(mut location) = LOCATIONS.get(tx, &place)? {
        location.grants -= 1;
        LOCATIONS.put(tx, &place, &location)?;
    }
    GRANTEES.delete(tx, &(account, region, &*row.grantee, id))?;
    GRANTS.delete(tx, &key)?;
    Ok(DeleteAccessGrantOutput {})
}

/// The grants of an instance that fit all that is asked for.
pub(crate) fn list(
    tx: &ReadTx<'_>,
    input: ListAccessGrantsInput,
) -> Result<ListAccessGrantsOutput, Error> {
    let (account, region) = (&*input.account_id, tx.region());
    find_instance(tx, account)?;
    let (limit, after) = paged(input.max_results, input.next_token.as_deref())?;
    let mut range = GRANTS.range(&(account, region));
    if let Some(after) = &after {
        range = range.after(&(account, region, &**after));
    }
    let fits = |row: &Grant| {
        let of = |wanted: &Option<String>, it: &str| wanted.as_ref().is_none_or(|w| w == it);
        let permission = permission((row.reads, row.writes));
        of(&input.grantee_identifier, &row.grantee)
            && of(&input.grant_scope, &row.scope)
            && input.grantee_type.is_none_or(|wanted| wanted == GranteeType::Iam)
            && input.permission.is_none_or(|wanted| wanted == permission)
            && input.application_arn.is_none()
    };
    let mut found: Vec<ListAccessGrantEntry> = Vec::new();
    let mut next_token = None;
    range.visit(tx, |(_, _, id), row| {
        if !fits(&row) {
            return ControlFlow::Continue(());
        }
        if found.len() == limit {
            let last = found.last().and_then(|last| last.access_grant_id.as_deref());
            next_token = last.map(page::text_token);
            return ControlFlow::Break(());
        }
        found.push(ListAccessGrantEntry {
            created_at: time(row.created_millis),
            access_grant_arn: Some(Granted::Grant(&id).arn(account, region)),
            access_grant_id: Some(id),
            grantee: grantee(&row),
            permission: Some(permission((row.reads, row.writes))),
            access_grants_location_configuration: configuration(&row),
            access_grants_location_id: Some(row.location),
            grant_scope: Some(row.scope),
            application_arn: None,
        });
        ControlFlow::Continue(())
    })?;
    Ok(ListAccessGrantsOutput { next_token, access_grants_list: Some(found) })
}
