//! Removing all queues of an account, or of every account.

use fogbank_core::reset::{each, forget_effects, is_meant};
use fogbank_core::{BoxFuture, Cx, Fault};

use crate::queues;
use crate::store::QUEUES;

/// Removes all that SQS keeps of an account. Messages and deduplication ids go with their queues' spaces.
pub(crate) fn reset(cx: Cx, account: Option<String>) -> BoxFuture<'static, Result<(), Fault>> {
    Box::pin(async move {
        let account = account.as_deref();
        forget_effects(&cx, "sqs", account).await?;
        each(&cx, &QUEUES, |key, _| is_meant(account, &key.0), queues::remove).await
    })
}
