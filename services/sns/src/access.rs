//! For every operation: the action, the topic's ARN and the condition keys.

use fogbank_core::wire::Struct;
use fogbank_core::{Access, Fault, Request, arn};

use crate::model::{
    CreateTopicInput, PublishInput, SetTopicAttributesInput, SubscribeInput, TagResourceInput,
    UntagResourceInput,
};
use crate::rules::names;
use crate::store;

/// Who publishes alarms of CloudWatch.
const ALARMS: &str = "cloudwatch.amazonaws.com";

fn input<T: Struct>(input: &dyn Struct) -> Result<&T, Fault> {
    input.downcast_ref().ok_or_else(|| Fault::internal("the input is of another operation"))
}

fn topic_arn(request: &Request, parameter: &str, text: &str) -> Result<String, Fault> {
    Ok(store::topic_arn(&names::topic(request, parameter, text)?))
}

/// The roles that attributes give to SNS, each to be passed for the topic.
fn passing<'a>(
    access: Access,
    attributes: impl Iterator<Item = (&'a String, &'a String)>,
    topic: &str,
) -> Access {
    attributes
        .filter(|(name, role)| {
            (name.ends_with("FeedbackRoleArn") || *name == "SubscriptionRoleArn")
                && !role.is_empty()
        })
        .fold(access, |access, (_, role)| access.and_pass_role(role, "sns.amazonaws.com", topic))
}

/// `SetTopicAttributes`, and passing the role that the attribute names.
pub(crate) fn set_attributes(request: &Request, given: &dyn Struct) -> Result<Access, Fault> {
    let given = input::<SetTopicAttributesInput>(given)?;
    let resource = topic_arn(request, "TopicArn", &given.topic_arn)?;
    let value = given.attribute_value.iter().map(|value| (&given.attribute_name, value));
    Ok(passing(Access::on(resource.clone()), value, &resource))
}

/// The operation on the topic that `TopicArn` names; a batch is authorised as single messages are.
pub(crate) fn topic(request: &Request, given: &dyn Struct) -> Result<Access, Fault> {
    let text = given.text("TopicArn").unwrap_or_default();
    let resource = topic_arn(request, "TopicArn", text)?;
    Ok(match request.operation.strip_suffix("Batch") {
        Some(single) => Access::to(format!("sns:{single}"), resource),
        None => Access::on(resource),
    })
}

/// `CreateTopic`, and `TagResource` if it comes with tags.
pub(crate) fn create(request: &Request, given: &dyn Struct) -> Result<Access, Fault> {
    let given = input::<CreateTopicInput>(given)?;
    let resource = arn::arn("sns", &request.region, &request.account, &given.name);
    let tags = given.tags.as_deref().unwrap_or_default();
    let mut access = Access::on(resource.clone());
    if !tags.is_empty() {
        access = access.and("sns:TagResource", resource.clone());
        access = access.with_tags(tags.iter().map(|tag| (&tag.key, &tag.value)));
    }
    Ok(passing(access, given.attributes.iter().flatten(), &resource))
}

/// `Publish`: to a topic, or to a phone number, for which AWS has no ARN.
pub(crate) fn publish(request: &Request, given: &dyn Struct) -> Result<Access, Fault> {
    let given = input::<PublishInput>(given)?;
    if given.phone_number.is_some() {
        return Ok(Access::on_all());
    }
    let (parameter, text) = match (&given.topic_arn, &given.target_arn) {
        (Some(text), _) => ("TopicArn", text),
        (None, Some(text)) if text.contains(":endpoint/") => return Ok(Access::on(text)),
        (None, Some(text)) => ("TargetArn", text),
        (None, None) => return Ok(Access::on_all()),
    };
    let access = Access::on(topic_arn(request, parameter, text)?);
    // Of this the policy speaks that topics have from the start, and it lets alarms in.
    let source = request.source.as_ref().filter(|_| request.principal.id == ALARMS);
    Ok(match source {
        Some((_, owner)) => access.with("aws:SourceOwner", [owner.clone()]),
        None => access,
    })
}

/// `Subscribe`.
pub(crate) fn subscribe(request: &Request, given: &dyn Struct) -> Result<Access, Fault> {
    let given = input::<SubscribeInput>(given)?;
    let resource = topic_arn(request, "TopicArn", &given.topic_arn)?;
    let access = Access::on(resource.clone())
        .with("sns:Protocol", [given.protocol.clone()])
        .with("sns:Endpoint", given.endpoint.clone());
    Ok(passing(access, given.attributes.iter().flatten(), &resource))
}

/// The operation on the topic of the subscription that `SubscriptionArn` names.
pub(crate) fn subscription(_: &Request, given: &dyn Struct) -> Result<Access, Fault> {
    let (key, _) = names::subscription(given.text("SubscriptionArn").unwrap_or_default())?;
    Ok(Access::on(store::topic_arn(&key)))
}

/// `Unsubscribe`, which the link in a message lets anybody do unless the subscription is guarded.
pub(crate) fn unsubscribe(request: &Request, given: &dyn Struct) -> Result<Access, Fault> {
    if request.principal.is_anonymous() { Ok(Access::open()) } else { subscription(request, given) }
}

/// `ConfirmSubscription`: the token is the permission of those who have not signed.
pub(crate) fn confirm(request: &Request, given: &dyn Struct) -> Result<Access, Fault> {
    if request.principal.is_anonymous() { Ok(Access::open()) } else { topic(request, given) }
}

/// The operation on the topic that `ResourceArn` names.
pub(crate) fn resource(request: &Request, given: &dyn Struct) -> Result<Access, Fault> {
    let text = given.text("ResourceArn").unwrap_or_default();
    let access = Access::on(topic_arn(request, "ResourceArn", text)?);
    if let Some(given) = given.downcast_ref::<TagResourceInput>() {
        return Ok(access.with_tags(given.tags.iter().map(|tag| (&tag.key, &tag.value))));
    }
    Ok(match given.downcast_ref::<UntagResourceInput>() {
        Some(given) => access.with_tag_keys(&given.tag_keys),
        None => access,
    })
}

/// Listings, which AWS defines on no topic.
pub(crate) fn all(_: &Request, _: &dyn Struct) -> Result<Access, Fault> {
    Ok(Access::on_all())
}
