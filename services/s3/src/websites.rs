//! Websites: buckets that are served as pages, with index and error documents, redirections and routing rules.

mod pages;
mod plane;
mod routing;

use fogbank_core::{ReadTx, WriteTx};

use crate::documents;
use crate::error::Error;
use crate::model::{
    DeleteBucketWebsiteInput, DeleteBucketWebsiteOutput, GetBucketWebsiteInput,
    GetBucketWebsiteOutput, PutBucketWebsiteInput, PutBucketWebsiteOutput, Redirect, RoutingRule,
    WebsiteConfiguration,
};
use crate::store;
pub(crate) use plane::PLANES;

/// How the document of a website is called.
const KIND: &str = "website";
/// The most routing rules of a website.
const MAX_RULES: usize = 50;

/// Makes a bucket a website.
pub(crate) fn put(
    tx: &mut WriteTx<'_>,
    input: PutBucketWebsiteInput,
) -> Result<PutBucketWebsiteOutput, Error> {
    store::expected_bucket(tx, &input.bucket, input.expected_bucket_owner.as_deref())?;
    check(&input.website_configuration)?;
    documents::put(tx, &input.bucket, KIND, "", &input.website_configuration)?;
    Ok(PutBucketWebsiteOutput {})
}

/// How a bucket is a website.
pub(crate) fn get(
    tx: &ReadTx<'_>,
    input: GetBucketWebsiteInput,
) -> Result<GetBucketWebsiteOutput, Error> {
    store::expected_bucket(tx, &input.bucket, input.expected_bucket_owner.as_deref())?;
    match documents::get::<WebsiteConfiguration>(tx, &input.bucket, KIND, "")? {
        Some(found) => Ok(GetBucketWebsiteOutput {
            redirect_all_requests_to: found.redirect_all_requests_to,
            index_document: found.index_document,
            error_document: found.error_document,
            routing_rules: found.routing_rules,
        }),
        None => Err(Error::NoSuchWebsiteConfiguration { bucket: input.bucket }),
    }
}

/// Makes a bucket no website any more.
pub(crate) fn delete(
    tx: &mut WriteTx<'_>,
    input: DeleteBucketWebsiteInput,
) -> Result<DeleteBucketWebsiteOutput, Error> {
    store::expected_bucket(tx, &input.bucket, input.expected_bucket_owner.as_deref())?;
    documents::delete(tx, &input.bucket, KIND, "")?;
    Ok(DeleteBucketWebsiteOutput {})
}

/// Refuses a configuration that S3 does not take, in its words as others recorded them.
fn check(given: &WebsiteConfiguration) -> Result<(), Error> {
    let rules = given.routing_rules.as_deref().unwrap_or_default();
    if let Some(all) = &given.redirect_all_requests_to {
        if given.index_document.is_some() || given.error_document.is_some() || !rules.is_empty() {
            let message =
                "RedirectAllRequestsTo cannot be provided in conjunction with other Routing Rules.";
            return Err(Error::argument("RedirectAllRequestsTo", "not null", message));
        }
        check_protocol(all.protocol.as_deref())?;
        return if all.host_name.is_empty() { Err(Error::MalformedXML) } else { Ok(()) };
    }
    let Some(index) = &given.index_document else {
        let message =
            "A value for IndexDocument Suffix must be provided if RedirectAllRequestsTo is empty";
        return Err(Error::argument("IndexDocument", "null", message));
    };
    if index.suffix.is_empty() || index.suffix.contains('/') {
        let message = "The IndexDocument Suffix is not well formed";
        return Err(Error::argument("IndexDocument", &index.suffix, message));
    }
    if given.error_document.as_ref().is_some_and(|document| document.key.is_empty()) {
        return Err(Error::MalformedXML);
    }
    if given.routing_rules.is_some() && rules.is_empty() {
        return Err(Error::MalformedXML);
    }
    if rules.len() > MAX_RULES {
        let count = rules.len();
        return Err(Error::request(format!(
            "{count} routing rules provided, the number of routing rules in a website configuration is limited to 50."
        )));
    }
    rules.iter().try_for_each(check_rule)
}

fn check_protocol(protocol: Option<&str>) -> Result<(), Error> {
    match protocol {
        None | Some("http" | "https") => Ok(()),
        Some(_) => Err(Error::request(
            "Invalid protocol, protocol can be http or https. If not defined the protocol will be selected automatically.",
        )),
    }
}

fn check_rule(rule: &RoutingRule) -> Result<(), Error> {
    if let Some(condition) = &rule.condition {
        if condition.key_prefix_equals.is_none()
            && condition.http_error_code_returned_equals.is_none()
        {
            return Err(Error::request(
                "Condition cannot be empty. To redirect all requests without a condition, the condition element shouldn't be present.",
            ));
        }
        if let Some(code) = &condition.http_error_code_returned_equals
            && !code.parse::<u16>().is_ok_and(|code| (400..600).contains(&code))
        {
            return Err(Error::request(format!(
                "The provided HTTP error code ({code}) is not valid. Valid codes are 4XX or 5XX."
            )));
        }
    }
    let Redirect {
        host_name,
        http_redirect_code,
        protocol,
        replace_key_prefix_with,
        replace_key_with,
    } = &rule.redirect;
    if replace_key_prefix_with.is_some() && replace_key_with.is_some() {
        let message = "You can only define ReplaceKeyPrefix or ReplaceKey but not both.";
        return Err(Error::request(message));
    }
    if let Some(code) = http_redirect_code
        && !code.parse::<u16>().is_ok_and(|code| (301..400).contains(&code))
    {
        return Err(Error::request(format!(
            "The provided HTTP redirect code ({code}) is not valid. Valid codes are 3XX except 300."
        )));
    }
    check_protocol(protocol.as_deref())?;
    let says_something = host_name.is_some()
        || http_redirect_code.is_some()
        || protocol.is_some()
        || replace_key_prefix_with.is_some()
        || replace_key_with.is_some();
    if says_something { Ok(()) } else { Err(Error::MalformedXML) }
}
