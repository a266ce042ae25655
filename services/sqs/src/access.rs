//! For every operation: the action, the queue's ARN and the condition keys.
//!
//! The batch operations are authorised as their single forms, as on AWS.

use fogbank_core::wire::Struct;
use fogbank_core::{Access, Fault, Request, arn};

use crate::model::{CreateQueueInput, GetQueueUrlInput, TagQueueInput, UntagQueueInput};
use crate::rules::names;
use crate::store;

fn input<T: Struct>(input: &dyn Struct) -> Result<&T, Fault> {
    input.downcast_ref().ok_or_else(|| Fault::internal("the input is of another operation"))
}

fn url_arn(request: &Request, url: &str) -> Result<String, Fault> {
    Ok(store::queue_arn(&names::resolve(request, url)?))
}

fn named(request: &Request, account: &str, name: &str) -> String {
    arn::arn("sqs", &request.region, account, name)
}

/// `CreateQueue`, and `TagQueue` if it comes with tags.
pub(crate) fn create(request: &Request, given: &dyn Struct) -> Result<Access, Fault> {
    let given = input::<CreateQueueInput>(given)?;
    let resource = named(request, &request.account, &given.queue_name);
    match &given.tags {
        Some(tags) if !tags.is_empty() => {
            Ok(Access::on(resource.clone()).and("sqs:TagQueue", resource).with_tags(tags))
        }
        _ => Ok(Access::on(resource)),
    }
}

/// `GetQueueUrl`.
pub(crate) fn queue_name(request: &Request, given: &dyn Struct) -> Result<Access, Fault> {
    let given = input::<GetQueueUrlInput>(given)?;
    let account = given.queue_owner_aws_account_id.as_ref().unwrap_or(&request.account);
    Ok(Access::on(named(request, account, &given.queue_name)))
}

/// `ListQueues`, which AWS defines on no queue.
pub(crate) fn all_queues(_: &Request, _: &dyn Struct) -> Result<Access, Fault> {
    Ok(Access::on_all())
}

/// `TagQueue`.
pub(crate) fn tag(request: &Request, given: &dyn Struct) -> Result<Access, Fault> {
    let given = input::<TagQueueInput>(given)?;
    Ok(Access::on(url_arn(request, &given.queue_url)?).with_tags(&given.tags))
}

/// `UntagQueue`.
pub(crate) fn untag(request: &Request, given: &dyn Struct) -> Result<Access, Fault> {
    let given = input::<UntagQueueInput>(given)?;
    Ok(Access::on(url_arn(request, &given.queue_url)?).with_tag_keys(&given.tag_keys))
}

/// The operation on the queue that `QueueUrl` names.
pub(crate) fn queue_url(request: &Request, given: &dyn Struct) -> Result<Access, Fault> {
    let url = given.text("QueueUrl").unwrap_or_default();
    let resource = url_arn(request, url)?;
    Ok(match request.operation.strip_suffix("Batch") {
        Some(single) => Access::to(format!("sqs:{single}"), resource),
        None => Access::on(resource),
    })
}
