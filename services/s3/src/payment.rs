//! Requester pays: buckets whose requests others pay for, if they say that they know it.

use fogbank_core::{Check, Cx, Fault, PrincipalKind, ReadTx, Tx, WriteTx};

use crate::access::PAYER;
use crate::error::Error;
use crate::model::{
    GetBucketRequestPaymentInput, GetBucketRequestPaymentOutput, Payer,
    PutBucketRequestPaymentInput, PutBucketRequestPaymentOutput, RequestCharged,
};
use crate::store::{self, BUCKETS, Bucket};

/// Who says so.
const REQUESTER: &str = "requester";

/// Refuses whoever does not own the bucket and does not say that he pays; who does not sign cannot.
pub(crate) fn check(
    tx: &ReadTx<'_>,
    bucket: &Bucket,
    key: Option<&str>,
    check: &Check,
) -> Result<(), Fault> {
    let request = tx.request();
    let is_others = request.principal.account != bucket.account
        && !matches!(request.principal.kind, PrincipalKind::Service { .. });
    let is_paid = key.is_some() || request.operation.starts_with("List");
    let pays = check.detail(PAYER) == Some(REQUESTER) && !request.principal.is_anonymous();
    match is_others && is_paid && !pays {
        true => Err(Error::AccessDenied.into()),
        false => Ok(()),
    }
}

/// `x-amz-request-charged` of an answer.
pub(crate) fn charged(
    tx: &(impl Tx + ?Sized),
    bucket: &Bucket,
    payer: Option<&str>,
) -> Option<RequestCharged> {
    let is_others = tx.request().principal.account != bucket.account;
    let is_charged = bucket.requester_pays && is_others && payer == Some(REQUESTER);
    is_charged.then_some(RequestCharged::Requester)
}

/// The same where the bucket's row is not at hand.
pub(crate) fn charged_by_name(
    tx: &(impl Tx + ?Sized),
    bucket: &str,
    payer: Option<&str>,
) -> Result<Option<RequestCharged>, Error> {
    match payer {
        None => Ok(None),
        payer => Ok(charged(tx, &store::bucket(tx, bucket)?, payer)),
    }
}

/// The same outside of a transaction.
pub(crate) fn charged_after(
    cx: &Cx,
    bucket: &str,
    payer: Option<&str>,
) -> Result<Option<RequestCharged>, Error> {
    match payer {
        None => Ok(None),
        payer => cx.read(|tx| charged_by_name(tx, bucket, payer)),
    }
}

/// Who pays.
pub(crate) fn get(
    tx: &ReadTx<'_>,
    input: GetBucketRequestPaymentInput,
) -> Result<GetBucketRequestPaymentOutput, Error> {
    let bucket = store::expected_bucket(tx, &input.bucket, input.expected_bucket_owner.as_deref())?;
    let payer = if bucket.requester_pays { Payer::Requester } else { Payer::BucketOwner };
    Ok(GetBucketRequestPaymentOutput { payer: Some(payer) })
}

/// Says who is to pay.
pub(crate) fn put(
    tx: &mut WriteTx<'_>,
    input: PutBucketRequestPaymentInput,
) -> Result<PutBucketRequestPaymentOutput, Error> {
    let name = &input.bucket;
    let mut bucket = store::expected_bucket(tx, name, input.expected_bucket_owner.as_deref())?;
    bucket.requester_pays = input.request_payment_configuration.payer == Payer::Requester;
    BUCKETS.put(tx, name, &bucket)?;
    Ok(PutBucketRequestPaymentOutput {})
}
