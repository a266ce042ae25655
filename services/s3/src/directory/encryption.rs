//! What directory buckets take as their default encryption. The words of refusals are guesses.

use super::is_name;
use crate::error::Error;
use crate::store::{Bucket, DefaultEncryption};

/// The encryption as the bucket is to have it: with KMS there are always bucket keys, and one key of the customer's for good.
pub(crate) fn settle_encryption(
    bucket: &Bucket,
    name: &str,
    asked: DefaultEncryption,
) -> Result<DefaultEncryption, Error> {
    if !is_name(name) {
        return Ok(asked);
    }
    let DefaultEncryption::Kms { is_dual, key_id, .. } = asked else {
        return Ok(DefaultEncryption::S3);
    };
    if is_dual {
        return Err(Error::request("Directory buckets do not support aws:kms:dsse"));
    }
    let is_good = |key: &String| !key.starts_with("alias/") && !key.contains(":alias/");
    let Some(key_id) = key_id.filter(is_good) else {
        let message = "Directory buckets need the ID or ARN of a customer managed key for aws:kms";
        return Err(Error::request(message));
    };
    if let DefaultEncryption::Kms { key_id: Some(known), .. } = &bucket.encryption
        && *known != key_id
    {
        let message = "The customer managed key of a directory bucket cannot be changed";
        return Err(Error::request(message));
    }
    Ok(DefaultEncryption::Kms { is_dual, key_id: Some(key_id), bucket_key: true })
}
