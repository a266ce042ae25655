//! The namespaces of buckets: the global one, and one of each account in each region. A name in the latter ends with
//! `-ACCOUNT-REGION-an` ("Namespaces for general purpose buckets" in the User Guide). The words are those that others saw.

use fogbank_core::Fault;

use crate::error::Error;
use crate::rules;

/// What all names in accounts' namespaces, and no others, end with.
const SUFFIX: &str = "-an";
/// The header that says in which namespace a bucket is to be.
const HEADER: &str = "x-amz-bucket-namespace";

/// Refuses a new bucket whose name is not of the namespace that is asked for, or of another's.
pub(crate) fn check(
    name: &str,
    namespace: Option<&str>,
    (account, region): (&str, &str),
) -> Result<(), Error> {
    let wrong = |code: &'static str, message: String| Fault::new(code, message).with_status(400);
    let fault = match (namespace, name.ends_with(SUFFIX)) {
        (Some("account-regional"), true) => {
            let Some(message) = of_others(name, account, region) else { return Ok(()) };
            wrong("InvalidBucketNamespace", message)
        }
        (Some("account-regional"), false) => wrong(
            "InvalidNamespaceHeader",
            format!(
                "The requested bucket name did not include the account-regional namespace suffix, but the provided x-amz-bucket-namespace header value is account-regional. Specify -{account}-{region}-an as the bucket name suffix to create a bucket in your account-regional namespace, or remove the header."
            ),
        ),
        // That `global` is no better than nothing here is a guess.
        (_, true) => {
            let message = "The requested bucket is an account-regional namespace bucket, but your request is missing the required x-amz-bucket-namespace header.";
            wrong("MissingNamespaceHeader", message.to_owned()).with("Header", HEADER)
        }
        (_, false) => return Ok(()),
    };
    Err(Error::Fault(fault))
}

/// Why a name is not of the namespace of an account in a region, if it is not.
fn of_others(name: &str, account: &str, region: &str) -> Option<String> {
    let whose = match named(name) {
        None => format!(
            "the bucket name does not end with -{account}-{region}-an. Specify the targeted account and region in the bucket name."
        ),
        Some((other, _)) if other != account => format!(
            "the requested AWS Account ID '{other}' does not match the caller's AWS Account ID '{account}'. Specify the caller's AWS Account ID in the bucket name."
        ),
        Some((_, other)) if other != region => format!(
            "the requested region '{other}' does not match the current region '{region}'. Specify the targeted region in the bucket name."
        ),
        Some(_) => return None,
    };
    Some(format!("The requested bucket is an account-regional namespace bucket, but {whose}"))
}

/// The account and the region that a name has at its end.
fn named(name: &str) -> Option<(&str, &str)> {
    let name = name.strip_suffix(SUFFIX)?;
    name.match_indices('-').filter(|(at, _)| *at > 0).find_map(|(at, _)| {
        let (account, region) = name[at + 1..].split_once('-')?;
        let is_account = account.len() == 12 && account.bytes().all(|byte| byte.is_ascii_digit());
        (is_account && rules::is_region(region)).then_some((account, region))
    })
}
