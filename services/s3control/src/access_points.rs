//! Access points: names under which a bucket is reached, each with a policy of its own.

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use fogbank_accesspoints::{self as points, ACCESS_POINTS, AccessPoint as Row, Key};
use fogbank_core::{Cx, Fault, Principal, ReadTx, Timestamp, Tx, WriteTx, page};
use serde_json::json;

use crate::directory;
use crate::error::Error;
use crate::model::*;
use crate::public_access::{block_of, shown_block};
use crate::tags::{self, pairs};

/// How many characters of its name an alias begins with, and how many by chance follow.
const ALIAS_NAME: usize = 20;
const ALIAS_CHANCE: usize = 34;
/// How many access points an account has in a region.
const MAX_POINTS: usize = 10_000;
/// The most that a page of a list has.
const PAGE: usize = 1000;

/// The key of an access point of the caller's account, which the input names by its name or ARN.
pub(crate) fn key(tx: &(impl Tx + ?Sized), named: &str) -> Key {
    let name = points::parse(named).map_or(named, |(_, _, name)| name);
    (tx.account().to_owned(), tx.region().to_owned(), name.to_owned())
}

/// An access point of the caller's account.
pub(crate) fn find(tx: &(impl Tx + ?Sized), named: &str) -> Result<(Key, Row), Error> {
    let key = key(tx, named);
    match ACCESS_POINTS.get(tx, &key)? {
        Some(row) => Ok((key, row)),
        None => Err(Error::no_point(&key.2)),
    }
}

/// Whether an access point may have this name.
pub(crate) fn is_name(name: &str) -> bool {
    let is_edge = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    (3..=50).contains(&name.len())
        && name.bytes().all(|byte| is_edge(byte) || byte == b'-')
        && name.bytes().next().is_some_and(is_edge)
        && name.bytes().last().is_some_and(is_edge)
        && !name.starts_with("xn--")
        && !name.ends_with(points::ALIAS_END)
}

/// Creates an access point of a bucket in the same region, of the caller's account or of one that he names.
pub(crate) async fn create(
    cx: &Cx,
    input: CreateAccessPointInput,
) -> Result<CreateAccessPointOutput, Error> {
    directory::check_name(&input)?;
    let scope = input.scope.as_ref().map(directory::scope_of).transpose()?;
    let owner = input.bucket_account_id.as_deref().unwrap_or_else(|| cx.account());
    check_bucket(cx, &input.bucket, owner).await?;
    let tags = tags::of(pairs(input.tags.as_deref().unwrap_or_default()))?;
    let given = input.public_access_block_configuration.as_ref();
    let all = points::Block { acls: true, ignore_acls: true, policy: true, restrict: true };
    let alias = alias(cx, &input.name);
    let row = Row {
        bucket: input.bucket.clone(),
        bucket_account: owner.to_owned(),
        alias: alias.clone(),
        created_millis: cx.now().millis(),
        vpc: input.vpc_configuration.as_ref().map(|vpc| vpc.vpc_id.clone()),
        block: given.map_or(all, block_of),
        policy: None,
        tags,
        scope,
    };
    cx.write(|tx| {
        let key = key(tx, &input.name);
        if ACCESS_POINTS.contains(tx, &key)? {
            return Err(Error::AccessPointAlreadyOwnedByYou);
        }
        if points::ALIASES.contains(tx, &alias)? {
            // Somebody else's, in the same zone. The code and the words are guesses.
            let message = "The requested access point name is not available in this zone.";
            let fault = Fault::new("AccessPointAlreadyExists", message);
            return Err(Error::Fault(fault.with_status(409)));
        }
        let of_region = ACCESS_POINTS.range(&(&*key.0, &*key.1)).limit(MAX_POINTS);
        if of_region.count(tx)? == MAX_POINTS {
            // AWS's code for it; the words are a guess.
            let message =
                "You have attempted to create more access points than are allowed for an account.";
            return Err(Error::Fault(Fault::new("TooManyAccessPoints", message).with_status(400)));
        }
        Ok(points::add(tx, &key, &row)?)
    })
    .await?;
    let arn = points::arn((cx.account(), cx.region(), &input.name));
    Ok(CreateAccessPointOutput { access_point_arn: Some(arn), alias: Some(alias) })
}

/// A new alias; for an access point of a directory bucket its name.
fn alias(cx: &Cx, name: &str) -> String {
    if points::is_directory(name) {
        return name.to_owned();
    }
    let mut start: String = name.chars().take(ALIAS_NAME).collect();
    start.truncate(start.trim_end_matches('-').len());
    format!("{start}-{}{}", cx.ids().lower(ALIAS_CHANCE), points::ALIAS_END)
}

/// Refuses buckets that are not there, or not as the caller says: asked as the one who he says owns it.
async fn check_bucket(cx: &Cx, bucket: &str, owner: &str) -> Result<(), Error> {
    let input = json!({"Bucket": bucket, "ExpectedBucketOwner": owner});
    let mut call = cx.prepare(Principal::root(owner), "s3:HeadBucket", input);
    owner.clone_into(&mut call.account);
    let found = match cx.cloud().call(call).await {
        Ok(reply) => reply.output,
        Err(fault) if matches!(fault.name(), "NoSuchBucket" | "InvalidBucketName" | "NotFound") => {
            let message = "The specified bucket does not exist";
            return Err(Error::Fault(
                Fault::new("NoSuchBucket", message).with("BucketName", bucket),
            ));
        }
        Err(fault) => return Err(fault.into()),
    };
    if found["BucketRegion"].as_str() != Some(cx.region()) {
        let message = "The bucket is not in the region of the request.";
        return Err(Error::InvalidRequest(message.to_owned()));
    }
    Ok(())
}

fn origin(row: &Row) -> Option<String> {
    Some(if row.vpc.is_some() { "VPC" } else { "Internet" }.to_owned())
}

fn vpc(row: &Row) -> Option<VpcConfiguration> {
    row.vpc.as_ref().map(|id| VpcConfiguration { vpc_id: id.clone() })
}

/// An access point.
pub(crate) fn get(
    tx: &ReadTx<'_>,
    input: GetAccessPointInput,
) -> Result<GetAccessPointOutput, Error> {
    let ((account, region, name), row) = find(tx, &input.name)?;
    let endpoint =
        |kind: &str, start: &str| (kind.to_owned(), format!("{start}.{region}.amazonaws.com"));
    Ok(GetAccessPointOutput {
        network_origin: origin(&row),
        vpc_configuration: vpc(&row),
        public_access_block_configuration: Some(shown_block(row.block)),
        creation_date: Some(Timestamp::from_millis(row.created_millis)),
        access_point_arn: Some(points::arn((&account, &region, &name))),
        endpoints: Some(match points::directory_parts(&name) {
            // As the zone's endpoint is called; what AWS answers is not documented.
            Some((_, zone)) => BTreeMap::from([endpoint("ipv4", &format!("s3express-{zone}"))]),
            None => BTreeMap::from([
                endpoint("ipv4", "s3-accesspoint"),
                endpoint("dualstack", "s3-accesspoint.dualstack"),
                endpoint("fips", "s3-accesspoint-fips"),
                endpoint("fips_dualstack", "s3-accesspoint-fips.dualstack"),
            ]),
        }),
        name: Some(name),
        bucket: Some(row.bucket),
        alias: Some(row.alias),
        bucket_account_id: Some(row.bucket_account),
        ..GetAccessPointOutput::default()
    })
}

/// The access points of the account in the region, but those of directory buckets; of one bucket, if it is named.
pub(crate) fn list(
    tx: &ReadTx<'_>,
    input: ListAccessPointsInput,
) -> Result<ListAccessPointsOutput, Error> {
    let page = page(
        tx,
        &Asked {
            bucket: input.bucket.as_deref(),
            is_directory: false,
            limit: input.max_results,
            token: input.next_token.as_deref(),
        },
    )?;
    Ok(ListAccessPointsOutput { access_point_list: Some(page.0), next_token: page.1 })
}

/// Which access points are to be listed.
pub(crate) struct Asked<'a> {
    /// The bucket to which they must lead.
    pub(crate) bucket: Option<&'a str>,
    /// Whether they are of directory buckets.
    pub(crate) is_directory: bool,
    pub(crate) limit: Option<i32>,
    pub(crate) token: Option<&'a str>,
}

/// A page of access points, and the token of the next one.
pub(crate) fn page(
    tx: &ReadTx<'_>,
    asked: &Asked<'_>,
) -> Result<(Vec<AccessPoint>, Option<String>), Error> {
    let limit = asked.limit.and_then(|max| usize::try_from(max).ok()).unwrap_or(PAGE).min(PAGE);
    let after = match asked.token {
        None => None,
        Some(token) => Some(page::parse_text(token).ok_or_else(|| {
            Error::InvalidRequest("The continuation token provided is incorrect".to_owned())
        })?),
    };
    let (account, region) = (tx.account(), tx.region());
    let mut range = ACCESS_POINTS.range(&(account, region));
    if let Some(after) = &after {
        range = range.after(&(account, region, &**after));
    }
    let mut found: Vec<AccessPoint> = Vec::new();
    let mut next = None;
    range.visit(tx, |(_, _, name), row| {
        let is_meant = points::is_directory(&name) == asked.is_directory
            && asked.bucket.is_none_or(|bucket| row.bucket == bucket);
        if !is_meant {
            return ControlFlow::Continue(());
        }
        if found.len() == limit {
            next = found.last().and_then(|last| last.name.as_deref()).map(page::text_token);
            return ControlFlow::Break(());
        }
        found.push(AccessPoint {
            network_origin: origin(&row),
            vpc_configuration: vpc(&row),
            access_point_arn: Some(points::arn((account, region, &name))),
            name: Some(name),
            bucket: Some(row.bucket),
            alias: Some(row.alias),
            bucket_account_id: Some(row.bucket_account),
            ..AccessPoint::default()
        });
        ControlFlow::Continue(())
    })?;
    Ok((found, next))
}

/// Removes an access point.
pub(crate) fn delete(
    tx: &mut WriteTx<'_>,
    input: DeleteAccessPointInput,
) -> Result<DeleteAccessPointOutput, Error> {
    let (key, row) = find(tx, &input.name)?;
    points::remove(tx, &key, &row)?;
    Ok(DeleteAccessPointOutput {})
}
