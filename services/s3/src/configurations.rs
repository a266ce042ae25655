//! What tools ask of every bucket: what is configured, and that the rest is not.

use fogbank_core::{Fault, ReadTx, Tx, WriteTx};

use crate::buckets::named_ownership;
use crate::directory;
use crate::encryption;
use crate::error::Error;
use crate::model::*;
use crate::rules;
use crate::store::{
    self, AclGrant, AclGrantee, BUCKETS, Bucket, DefaultEncryption, Ownership, PublicAccess,
};

/// A question about one bucket.
macro_rules! looked_up {
    ($tx:ident, $input:ident) => {
        store::expected_bucket($tx, &$input.bucket, $input.expected_bucket_owner.as_deref())?
    };
}

/// What the bucket blocks of public access.
pub(crate) fn public_access_block(
    tx: &ReadTx<'_>,
    input: GetPublicAccessBlockInput,
) -> Result<GetPublicAccessBlockOutput, Error> {
    let Some(block) = looked_up!(tx, input).public_access else {
        return Err(Error::NoSuchPublicAccessBlockConfiguration { bucket: input.bucket });
    };
    Ok(GetPublicAccessBlockOutput {
        public_access_block_configuration: Some(PublicAccessBlockConfiguration {
            block_public_acls: Some(block.block_acls),
            ignore_public_acls: Some(block.ignore_acls),
            block_public_policy: Some(block.block_policy),
            restrict_public_buckets: Some(block.restrict_buckets),
        }),
    })
}

fn update(
    tx: &mut WriteTx<'_>,
    name: &str,
    mut bucket: Bucket,
    change: impl FnOnce(&mut Bucket),
) -> Result<(), Error> {
    change(&mut bucket);
    Ok(BUCKETS.put(tx, name, &bucket)?)
}

/// Sets what the bucket blocks of public access.
pub(crate) fn put_public_access_block(
    tx: &mut WriteTx<'_>,
    input: PutPublicAccessBlockInput,
) -> Result<PutPublicAccessBlockOutput, Error> {
    let given = &input.public_access_block_configuration;
    let flags = [
        given.block_public_acls,
        given.ignore_public_acls,
        given.block_public_policy,
        given.restrict_public_buckets,
    ];
    if flags.iter().all(Option::is_none) {
        return Err(Error::MalformedXML);
    }
    let [block_acls, ignore_acls, block_policy, restrict_buckets] =
        flags.map(Option::unwrap_or_default);
    let block = PublicAccess { block_acls, ignore_acls, block_policy, restrict_buckets };
    let bucket = looked_up!(tx, input);
    update(tx, &input.bucket, bucket, |bucket| bucket.public_access = Some(block))?;
    Ok(PutPublicAccessBlockOutput {})
}

/// Blocks nothing of public access any more.
pub(crate) fn delete_public_access_block(
    tx: &mut WriteTx<'_>,
    input: DeletePublicAccessBlockInput,
) -> Result<DeletePublicAccessBlockOutput, Error> {
    let bucket = looked_up!(tx, input);
    update(tx, &input.bucket, bucket, |bucket| bucket.public_access = None)?;
    Ok(DeletePublicAccessBlockOutput {})
}

/// Who owns what is written to the bucket.
pub(crate) fn ownership_controls(
    tx: &ReadTx<'_>,
    input: GetBucketOwnershipControlsInput,
) -> Result<GetBucketOwnershipControlsOutput, Error> {
    let Some(ownership) = looked_up!(tx, input).ownership else {
        return Err(Error::OwnershipControlsNotFoundError { bucket: input.bucket });
    };
    let name = match ownership {
        Ownership::Enforced => "BucketOwnerEnforced",
        Ownership::Preferred => "BucketOwnerPreferred",
        Ownership::Writer => "ObjectWriter",
    };
    let rule = OwnershipControlsRule { object_ownership: name.to_owned() };
    Ok(GetBucketOwnershipControlsOutput {
        ownership_controls: Some(OwnershipControls { rules: vec![rule] }),
    })
}

/// Sets who owns what is written to the bucket. ACLs that grant something to others keep it from being enforced.
pub(crate) fn put_ownership_controls(
    tx: &mut WriteTx<'_>,
    input: PutBucketOwnershipControlsInput,
) -> Result<PutBucketOwnershipControlsOutput, Error> {
    let bucket = looked_up!(tx, input);
    let [rule] = &input.ownership_controls.rules[..] else { return Err(Error::MalformedXML) };
    let ownership = named_ownership(&rule.object_ownership).ok_or(Error::MalformedXML)?;
    let owner = rules::canonical_id(&bucket.account);
    let is_others = |grant: &AclGrant| grant.grantee != AclGrantee::Canonical(owner.clone());
    let grants = bucket.acl.as_ref().is_some_and(|acl| acl.0.iter().any(is_others));
    if ownership == Ownership::Enforced && grants {
        return Err(Error::InvalidBucketAclWithObjectOwnership);
    }
    update(tx, &input.bucket, bucket, |bucket| bucket.ownership = Some(ownership))?;
    Ok(PutBucketOwnershipControlsOutput {})
}

/// Goes back to what buckets were before there were controls of ownership.
pub(crate) fn delete_ownership_controls(
    tx: &mut WriteTx<'_>,
    input: DeleteBucketOwnershipControlsInput,
) -> Result<DeleteBucketOwnershipControlsOutput, Error> {
    let bucket = looked_up!(tx, input);
    update(tx, &input.bucket, bucket, |bucket| bucket.ownership = None)?;
    Ok(DeleteBucketOwnershipControlsOutput {})
}

/// How new objects are encrypted: as S3 does where nothing is said.
pub(crate) fn get_encryption(
    tx: &ReadTx<'_>,
    input: GetBucketEncryptionInput,
) -> Result<GetBucketEncryptionOutput, Error> {
    let bucket = looked_up!(tx, input);
    let (algorithm, key_id, bucket_key) = match bucket.encryption {
        DefaultEncryption::Unset => {
            let message = "The server side encryption configuration was not found";
            let fault = Fault::new("ServerSideEncryptionConfigurationNotFoundError", message);
            return Err(Error::Fault(fault.with_status(404).with("BucketName", input.bucket)));
        }
        DefaultEncryption::S3 => ("AES256", None, false),
        DefaultEncryption::S3BucketKey => ("AES256", None, true),
        DefaultEncryption::Kms { is_dual: true, key_id, bucket_key } => {
            ("aws:kms:dsse", key_id, bucket_key)
        }
        DefaultEncryption::Kms { is_dual: false, key_id, bucket_key } => {
            ("aws:kms", key_id, bucket_key)
        }
    };
    let rule = ServerSideEncryptionRule {
        apply_server_side_encryption_by_default: Some(ServerSideEncryptionByDefault {
            sse_algorithm: algorithm.to_owned(),
            kms_master_key_id: key_id,
        }),
        bucket_key_enabled: Some(bucket_key),
        blocked_encryption_types: encryption::blocked(tx, &input.bucket)?,
    };
    Ok(GetBucketEncryptionOutput {
        server_side_encryption_configuration: Some(ServerSideEncryptionConfiguration {
            rules: vec![rule],
        }),
    })
}

/// Sets how new objects are encrypted. As on AWS, nobody looks whether there is such a key.
pub(crate) fn put_encryption(
    tx: &mut WriteTx<'_>,
    input: PutBucketEncryptionInput,
) -> Result<PutBucketEncryptionOutput, Error> {
    let bucket = looked_up!(tx, input);
    let [rule] = &input.server_side_encryption_configuration.rules[..] else {
        return Err(Error::MalformedXML);
    };
    // What is not said of blocked kinds stays as it is.
    if let Some(blocked) = &rule.blocked_encryption_types {
        encryption::block(tx, &input.bucket, blocked)?;
    }
    let in_place_of_none = ServerSideEncryptionByDefault {
        sse_algorithm: "AES256".to_owned(),
        kms_master_key_id: None,
    };
    let default = match &rule.apply_server_side_encryption_by_default {
        Some(default) => default,
        None if rule.blocked_encryption_types.is_some() => &in_place_of_none,
        None => return Err(Error::MalformedXML),
    };
    let bucket_key = rule.bucket_key_enabled.unwrap_or_default();
    let encryption = match &*default.sse_algorithm {
        "AES256" if default.kms_master_key_id.is_some() => {
            let message = "a KMSMasterKeyID is not applicable if the default sse algorithm is not aws:kms or aws:kms:dsse";
            return Err(Error::argument("ApplyServerSideEncryptionByDefault", "", message));
        }
        "AES256" if bucket_key => DefaultEncryption::S3BucketKey,
        "AES256" => DefaultEncryption::S3,
        kms @ ("aws:kms" | "aws:kms:dsse") => DefaultEncryption::Kms {
            is_dual: kms == "aws:kms:dsse",
            key_id: default.kms_master_key_id.clone(),
            bucket_key,
        },
        _ => return Err(Error::MalformedXML),
    };
    let encryption = directory::settle_encryption(&bucket, &input.bucket, encryption)?;
    update(tx, &input.bucket, bucket, |bucket| bucket.encryption = encryption)?;
    Ok(PutBucketEncryptionOutput {})
}

/// Goes back to the encryption that S3 has where nothing is said.
pub(crate) fn delete_encryption(
    tx: &mut WriteTx<'_>,
    input: DeleteBucketEncryptionInput,
) -> Result<DeleteBucketEncryptionOutput, Error> {
    let bucket = looked_up!(tx, input);
    let is_legacy = tx.cx().settings().has_legacy_buckets;
    let encryption = if is_legacy { DefaultEncryption::Unset } else { DefaultEncryption::S3 };
    update(tx, &input.bucket, bucket, |bucket| bucket.encryption = encryption)?;
    Ok(DeleteBucketEncryptionOutput {})
}
