//! Names of queues, and how requests point at them.

use fogbank_core::{Arn, Request};

use crate::error::Error;
use crate::store::QueueKey;

/// Refuses a name that AWS would refuse.
pub(crate) fn check_name(name: &str) -> Result<(), Error> {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-';
    if (1..=80).contains(&name.len()) && name.bytes().all(is_plain) {
        return Ok(());
    }
    Err(Error::parameter(
        "Can only include alphanumeric characters, hyphens, or underscores. 1 to 80 in length",
    ))
}

/// Refuses a name of a FIFO queue that AWS would refuse.
pub(crate) fn check_fifo_name(name: &str) -> Result<(), Error> {
    let stem = name.strip_suffix(".fifo").filter(|_| name.len() <= 80);
    stem.filter(|stem| check_name(stem).is_ok()).map(|_| ()).ok_or_else(|| {
        Error::parameter(
            "The name of a FIFO queue can only include alphanumeric characters, hyphens, or \
             underscores, must end with .fifo suffix and be 1 to 80 in length",
        )
    })
}

/// The queue that a request points at: by its URL whatever the host, by its ARN, or by its name.
///
/// AWS takes the URL alone; tools that build URLs for another host, and our own services, which know
/// ARNs, need the rest.
pub(crate) fn resolve(request: &Request, url: &str) -> Result<QueueKey, Error> {
    let bad = || Error::InvalidAddress(url.to_owned());
    if let Some(arn) = Arn::parse(url).filter(|arn| arn.service == "sqs") {
        return Ok((arn.account.to_owned(), arn.region.to_owned(), arn.resource.to_owned()));
    }
    let path = url
        .split_once("://")
        .map_or(url, |(_, rest)| rest.split_once('/').map(|(_, path)| path).unwrap_or_default());
    let mut segments = path.trim_matches('/').rsplit('/');
    let name = segments.next().filter(|name| !name.is_empty()).ok_or_else(bad)?;
    let account = segments.next().unwrap_or(&request.account);
    if account.len() != 12 || !account.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(bad());
    }
    // Some tools write http://host/queue/region/account/name.
    let region = match (segments.next(), segments.next()) {
        (Some(region), Some("queue")) => region,
        _ => &request.region,
    };
    Ok((account.to_owned(), region.to_owned(), name.to_owned()))
}
