//! Locations: data to which grants may be made, and the role that reads and writes it.

use std::ops::ControlFlow;

use fogbank_accesspoints::{BUCKETS, Granted, INSTANCES, LOCATIONS, Location};
use fogbank_core::{Arn, Cx, Principal, ReadTx, Tx, WriteTx, page};
use serde_json::json;

use super::scopes::{DEFAULT, Scope, is_location};
use super::{find_instance, paged, time};
use crate::error::Error;
use crate::model::*;
use crate::tags::{self, pairs};

/// The id of the default location.
const DEFAULT_ID: &str = "default";
/// How many locations an instance has.
const MAX_LOCATIONS: u32 = 1000;

/// The account, region and id of a location.
type Key = (String, String, String);

/// A location of the caller's account.
pub(super) fn find(tx: &(impl Tx + ?Sized), id: &str) -> Result<(Key, Location), Error> {
    find_instance(tx, tx.account())?;
    let key = (tx.account().to_owned(), tx.region().to_owned(), id.to_owned());
    let row = LOCATIONS.get(tx, &key)?.ok_or(Error::NoSuchAccessGrantsLocationError)?;
    Ok((key, row))
}

/// Registers a location.
pub(crate) async fn create(
    cx: &Cx,
    input: CreateAccessGrantsLocationInput,
) -> Result<CreateAccessGrantsLocationOutput, Error> {
    check_role(cx, &input.iam_role_arn).await?;
    let tags = tags::of(pairs(input.tags.as_deref().unwrap_or_default()))?;
    cx.write(|tx| {
        let owner = (tx.account().to_owned(), tx.region().to_owned());
        let mut instance = find_instance(tx, &owner.0)?;
        check_scope(tx, &input.location_scope)?;
        let mut is_there = false;
        LOCATIONS.range(&(&*owner.0, &*owner.1)).visit(tx, |_, row| {
            is_there |= row.scope == input.location_scope;
            ControlFlow::Continue(())
        })?;
        if is_there {
            return Err(Error::AccessGrantsLocationAlreadyExistsError);
        }
        if instance.locations >= MAX_LOCATIONS {
            return Err(Error::AccessGrantsLocationsQuotaExceededError(MAX_LOCATIONS));
        }
        instance.locations += 1;
        INSTANCES.put(tx, &owner, &instance)?;
        let id = match &*input.location_scope {
            DEFAULT => DEFAULT_ID.to_owned(),
            _ => tx.ids().uuid(),
        };
        let row = Location {
            scope: input.location_scope.clone(),
            role_arn: input.iam_role_arn.clone(),
            created_millis: tx.now().millis(),
            grants: 0,
            tags: tags.clone(),
        };
        LOCATIONS.put(tx, &(&*owner.0, &*owner.1, &*id), &row)?;
        Ok(CreateAccessGrantsLocationOutput {
            created_at: time(row.created_millis),
            access_grants_location_arn: Some(Granted::Location(&id).arn(&owner.0, &owner.1)),
            access_grants_location_id: Some(id),
            location_scope: Some(row.scope),
            iam_role_arn: Some(row.role_arn),
        })
    })
    .await
}

/// Refuses what is no scope of a location, and buckets of other accounts and regions.
fn check_scope(tx: &(impl Tx + ?Sized), scope: &str) -> Result<(), Error> {
    if !is_location(scope) {
        return Err(Error::InvalidAccessGrantsLocation);
    }
    let Some(scope) = Scope::parse(scope, false) else { return Ok(()) };
    let bucket = BUCKETS.get(tx, &*scope.bucket)?;
    let is_here = |account: &str, region: &str| account == tx.account() && region == tx.region();
    match bucket.is_none_or(|bucket| is_here(&bucket.account, &bucket.region)) {
        true => Ok(()),
        false => Err(Error::InvalidAccessGrantsLocation),
    }
}

/// Refuses roles that the account does not have.
async fn check_role(cx: &Cx, arn: &str) -> Result<(), Error> {
    let parsed = Arn::parse(arn).filter(|arn| arn.service == "iam" && arn.account == cx.account());
    let name = parsed.and_then(|arn| arn.resource.strip_prefix("role/"));
    let name = name.and_then(|path| path.rsplit('/').next()).ok_or(Error::InvalidIamRole)?;
    let call = cx.prepare(Principal::root(cx.account()), "iam:GetRole", json!({"RoleName": name}));
    match cx.cloud().call(call).await {
        Ok(reply) if reply.output["Role"]["Arn"] == arn => Ok(()),
        Ok(_) => Err(Error::InvalidIamRole),
        Err(fault) if matches!(fault.name(), "NoSuchEntity" | "NoSuchEntityException") => {
            Err(Error::InvalidIamRole)
        }
        Err(fault) => Err(fault.into()),
    }
}

/// A location.
pub(crate) fn get(
    tx: &ReadTx<'_>,
    input: GetAccessGrantsLocationInput,
) -> Result<GetAccessGrantsLocationOutput, Error> {
    let (key, row) = find(tx, &input.access_grants_location_id)?;
    Ok(GetAccessGrantsLocationOutput {
        created_at: time(row.created_millis),
        access_grants_location_arn: Some(Granted::Location(&key.2).arn(&key.0, &key.1)),
        access_grants_location_id: Some(key.2),
        location_scope: Some(row.scope),
        iam_role_arn: Some(row.role_arn),
    })
}

/// Gives a location another role.
pub(crate) async fn update(
    cx: &Cx,
    input: UpdateAccessGrantsLocationInput,
) -> Result<UpdateAccessGrantsLocationOutput, Error> {
    check_role(cx, &input.iam_role_arn).await?;
    cx.write(|tx| {
        let (key, row) = find(tx, &input.access_grants_location_id)?;
        let row = Location { role_arn: input.iam_role_arn.clone(), ..row };
        LOCATIONS.put(tx, &key, &row)?;
        Ok(UpdateAccessGrantsLocationOutput {
            created_at: time(row.created_millis),
            access_grants_location_arn: Some(Granted::Location(&key.2).arn(&key.0, &key.1)),
            access_grants_location_id: Some(key.2),
            location_scope: Some(row.scope),
            iam_role_arn: Some(row.role_arn),
        })
    })
    .await
}

/// Removes a location to whose data nothing is granted.
pub(crate) fn delete(
    tx: &mut WriteTx<'_>,
    input: DeleteAccessGrantsLocationInput,
) -> Result<DeleteAccessGrantsLocationOutput, Error> {
    let (key, row) = find(tx, &input.access_grants_location_id)?;
    if row.grants > 0 {
        return Err(Error::AccessGrantsLocationNotEmptyError);
    }
    let mut instance = find_instance(tx, &key.0)?;
    instance.locations -= 1;
    INSTANCES.put(tx, &(&*key.0, &*key.1), &instance)?;
    LOCATIONS.delete(tx, &key)?;
    Ok(DeleteAccessGrantsLocationOutput {})
}

/// The locations of an instance; those with one scope, if it is named.
pub(crate) fn list(
    tx: &ReadTx<'_>,
    input: ListAccessGrantsLocationsInput,
) -> Result<ListAccessGrantsLocationsOutput, Error> {
    let (account, region) = (&*input.account_id, tx.region());
    find_instance(tx, account)?;
    let (limit, after) = paged(input.max_results, input.next_token.as_deref())?;
    let mut range = LOCATIONS.range(&(account, region));
    if let Some(after) = &after {
        range = range.after(&(account, region, &**after));
    }
    let mut found: Vec<ListAccessGrantsLocationsEntry> = Vec::new();
    let mut next_token = None;
    range.visit(tx, |(_, _, id), row| {
        if input.location_scope.as_ref().is_some_and(|wanted| *wanted != row.scope) {
            return ControlFlow::Continue(());
        }
        if found.len() == limit {
            let last = found.last().and_then(|last| last.access_grants_location_id.as_deref());
            next_token = last.map(page::text_token);
            return ControlFlow::Break(());
        }
        found.push(ListAccessGrantsLocationsEntry {
            created_at: time(row.created_millis),
            access_grants_location_arn: Some(Granted::Location(&id).arn(account, region)),
            access_grants_location_id: Some(id),
            location_scope: Some(row.scope),
            iam_role_arn: Some(row.role_arn),
        });
        ControlFlow::Continue(())
    })?;
    Ok(ListAccessGrantsLocationsOutput { next_token, access_grants_locations_list: Some(found) })
}
