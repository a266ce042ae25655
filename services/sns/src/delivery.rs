//! Delivering messages to subscribers.
//!
//! Publishing writes one effect into the outbox for each subscriber that wants the message, in the
//! publisher's transaction; for topics with very many subscribers the rest follows in transactions of
//! its own. E-mails and text messages are rows of our own outboxes and written at once.
//!
//! Each delivery is a job, not a bare call, because AWS gives up at once when the subscriber is to blame
//! (the queue is gone, its policy refuses) and tries again only when the service failed. What is given up
//! goes to the subscription's dead-letter queue.

use fogbank_core::{Arn, Body, Cx, Effect, Fault, HttpRequest, Principal, Retry, Tx, WriteTx};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::encryption::{self, Sealer};
use crate::error::Error;
use crate::rules::attributes::http_retry;
use crate::rules::envelope::{Confirmation, Notification, Question};
use crate::rules::filter::Filter;
use crate::rules::message;
use crate::store::{self, Mail, SUBSCRIPTIONS, Subscription, Text, Topic};
use crate::tasks;

/// The service as the subscribers' policies know it.
const SERVICE: &str = "sns.amazonaws.com";
/// How many subscribers one transaction serves.
const SUBSCRIBERS: usize = 500;
/// How many bytes of messages one transaction writes, more or less.
const BYTES: usize = 8 * 1024 * 1024;
/// AWS's default policy for HTTP endpoints: three more tries, 20 seconds apart.
const HTTP: Retry = Retry { attempts: 4, pause_millis: 20_000, longest_pause_millis: 20_000 };

/// The rest of the work of a message that was published to very many subscribers.
#[derive(Serialize, Deserialize)]
struct Rest {
    topic_id: u64,
    after: String,
    notification: Notification,
}

/// A call that delivers a message.
#[derive(Debug, Serialize, Deserialize)]
struct Delivery {
    action: String,
    input: Value,
    topic_arn: String,
    dead_letter: Option<DeadLetter>,
}

/// A request that delivers a message.
#[derive(Debug, Serialize, Deserialize)]
struct Post {
    url: String,
    headers: Vec<(String, String)>,
    body: String,
    topic_arn: String,
    dead_letter: Option<DeadLetter>,
}

/// What goes to the dead-letter queue if a delivery fails.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct DeadLetter {
    queue_arn: String,
    input: Value,
}

impl DeadLetter {
    fn effect(
        &self,
        tx: &WriteTx<'_>,
        topic_arn: &str,
        sealer: Option<&Sealer>,
    ) -> Result<Effect, Error> {
        if sealer.is_none() {
            let effect = Effect::call("sqs:SendMessage", Principal::service(SERVICE), &self.input);
            let effect = effect.on_behalf_of(topic_arn, account_of(topic_arn));
            return Ok(placed(effect, &self.queue_arn));
        }
        let delivery = Delivery {
            action: "sqs:SendMessage".to_owned(),
            input: self.input.clone(),
            topic_arn: topic_arn.to_owned(),
            dead_letter: None,
        };
        let effect = sealed_job(tx, tasks::DELIVER, &delivery, sealer)?;
        Ok(placed(effect.retried(Retry::PATIENT), &self.queue_arn))
    }
}

fn account_of(arn: &str) -> &str {
    Arn::parse(arn).map(|arn| arn.account).unwrap_or_default()
}

/// The effect in the account and region of a resource, and in its lane.
fn placed(effect: Effect, arn: &str) -> Effect {
    let effect = effect.in_lane(arn);
    match Arn::parse(arn) {
        Some(arn) => effect.located(arn.account, arn.region),
        None => effect,
    }
}

/// A request that delivers a message, in the lane of its host: one that is dead holds up no other.
fn posting(
    tx: &WriteTx<'_>,
    post: &Post,
    retry: Retry,
    sealer: Option<&Sealer>,
) -> Result<Effect, Error> {
    let host = post.url.split('/').nth(2).unwrap_or_default();
    let effect = sealed_job(tx, tasks::DELIVER_HTTP, post, sealer)?;
    Ok(effect.retried(retry).in_lane(&format!("http://{host}")))
}

fn sealed_job(
    tx: &WriteTx<'_>,
    name: &str,
    input: &impl Serialize,
    sealer: Option<&Sealer>,
) -> Result<Effect, Error> {
    let input = serde_json::to_value(input).map_err(Fault::internal)?;
    match sealer {
        Some(sealer) => Ok(Effect::job(name, &sealer.seal(tx, name, &input)?)),
        None => Ok(Effect::job(name, &input)),
    }
}

/// The version of signatures that a topic asks for.
pub(crate) fn signature_version(topic: &Topic) -> String {
    topic.attributes.get("SignatureVersion").cloned().unwrap_or_else(|| "1".to_owned())
}

/// How messages go out in a transaction.
pub(crate) struct Out<'a> {
    /// What seals them, if their topic has a key.
    pub(crate) sealer: Option<&'a Sealer>,
    /// Counts the transaction's mails.
    pub(crate) mails: &'a mut usize,
}

/// Delivers to the subscribers behind `after`.
pub(crate) fn fan_out(
    tx: &mut WriteTx<'_>,
    topic_id: u64,
    notification: &Notification,
    after: Option<String>,
    mut out: Out<'_>,
) -> Result<(), Error> {
    let size = notification.texts.len() + 1024;
    let room = (BYTES / size).clamp(1, SUBSCRIBERS);
    let after = after.map(|id| (topic_id, id));
    let (rows, has_more) = SUBSCRIPTIONS.page(tx, &(topic_id,), after.as_ref(), room)?;
    let last = rows.last().map(|((_, id), _)| id.clone());
    for (_, subscription) in rows {
        if !subscription.is_pending && wants(&subscription, notification) {
            deliver(tx, &subscription, notification, &mut out)?;
        }
    }
    if let Some(after) = last.filter(|_| has_more) {
        let rest = Rest { topic_id, after, notification: notification.clone() };
        let effect = sealed_job(tx, tasks::FAN_OUT, &rest, out.sealer)?;
        tx.emit(effect.in_lane(&notification.topic_arn))?;
    }
    Ok(())
}

/// Whether the subscription's filter lets the message pass.
fn wants(subscription: &Subscription, notification: &Notification) -> bool {
    let settings = &subscription.settings;
    let Some(policy) = &settings.filter_policy else { return true };
    // What could be stored can be read; should it not, nothing is lost by delivering.
    let Ok(filter) = Filter::parse(policy, settings.filters_body) else { return true };
    if settings.filters_body {
        filter.passes_body(notification.texts.of(&subscription.protocol))
    } else {
        filter.passes_attributes(&notification.attributes)
    }
}

fn deliver(
    tx: &mut WriteTx<'_>,
    subscription: &Subscription,
    notification: &Notification,
    out: &mut Out<'_>,
) -> Result<(), Error> {
    let sealer = out.sealer;
    let arn = subscription.arn();
    let protocol = subscription.protocol.as_str();
    match protocol {
        "sqs" | "lambda" => {
            let delivery = Delivery {
                action: if protocol == "sqs" { "sqs:SendMessage" } else { "lambda:Invoke" }.into(),
                input: call_input(subscription, notification),
                topic_arn: notification.topic_arn.clone(),
                dead_letter: dead_letter(subscription, notification),
            };
            let effect = sealed_job(tx, tasks::DELIVER, &delivery, sealer)?;
            let effect = effect.retried(Retry::PATIENT);
            let effect = with_dead_letter(tx, effect, notification, &delivery.dead_letter, sealer)?;
            tx.emit(placed(effect, &subscription.endpoint))?;
        }
        "http" | "https" => {
            let post = Post {
                url: subscription.endpoint.clone(),
                headers: headers("Notification", notification, subscription),
                body: body(subscription, notification),
                topic_arn: notification.topic_arn.clone(),
                dead_letter: dead_letter(subscription, notification),
            };
            let policy = subscription.settings.delivery_policy.as_deref();
            let effect = posting(tx, &post, http_retry(policy, HTTP), sealer)?;
            tx.emit(with_dead_letter(tx, effect, notification, &post.dead_letter, sealer)?)?;
        }
        "sms" => {
            let text = Text {
                to: subscription.endpoint.clone(),
                body: notification.texts.of("sms").to_owned(),
                topic_arn: notification.topic_arn.clone(),
                at_millis: notification.at_millis,
                account: store::account_of(&notification.topic_arn).to_owned(),
            };
            store::text(tx, *out.mails, &text)?;
            *out.mails += 1;
        }
        _ => {
            let body = match protocol {
                "email-json" => notification.envelope(protocol, &arn),
                _ => notification.mail(&arn),
            };
            let subject = notification.subject.as_deref().unwrap_or("AWS Notification Message");
            let mail = Mail {
                to: subscription.endpoint.clone(),
                subject: subject.to_owned(),
                body,
                topic_arn: notification.topic_arn.clone(),
                at_millis: notification.at_millis,
            };
            store::mail(tx, *out.mails, &mail)?;
            *out.mails += 1;
        }
    }
    Ok(())
}

fn with_dead_letter(
    tx: &WriteTx<'_>,
    effect: Effect,
    notification: &Notification,
    dead: &Option<DeadLetter>,
    sealer: Option<&Sealer>,
) -> Result<Effect, Error> {
    Ok(match dead {
        Some(dead) => effect.or_else(dead.effect(tx, &notification.topic_arn, sealer)?),
        None => effect,
    })
}

/// The message itself if the subscription is raw, else its envelope.
fn body(subscription: &Subscription, notification: &Notification) -> String {
    let protocol = &subscription.protocol;
    match subscription.settings.is_raw {
        true => notification.texts.of(protocol).to_owned(),
        false => notification.envelope(protocol, &subscription.arn()),
    }
}

/// The input of `sqs:SendMessage` to the queue with this ARN.
fn queue_input(queue_arn: &str, subscription: &Subscription, notification: &Notification) -> Value {
    let mut input = json!({
        "QueueUrl": queue_arn,
        "MessageBody": body(subscription, notification),
    });
    if subscription.settings.is_raw && !notification.attributes.is_empty() {
        input["MessageAttributes"] = notification.queue_attributes();
    }
    if let Some(group) = &notification.group_id {
        input["MessageGroupId"] = json!(group);
    }
    input
}

fn call_input(subscription: &Subscription, notification: &Notification) -> Value {
    if subscription.protocol == "sqs" {
        return queue_input(&subscription.endpoint, subscription, notification);
    }
    let event = notification.event(&subscription.arn()).to_string();
    json!({
        "FunctionName": subscription.endpoint,
        "InvocationType": "Event",
        "Payload": message::base64(event.as_bytes()),
    })
}

fn dead_letter(subscription: &Subscription, notification: &Notification) -> Option<DeadLetter> {
    let queue_arn = subscription.settings.dead_letter_arn()?.to_owned();
    let input = queue_input(&queue_arn, subscription, notification);
    Some(DeadLetter { queue_arn, input })
}

fn headers(
    kind: &str,
    notification: &Notification,
    subscription: &Subscription,
) -> Vec<(String, String)> {
    let mut headers = common_headers(kind, &notification.message_id, &notification.topic_arn);
    headers.push(("x-amz-sns-subscription-arn".to_owned(), subscription.arn()));
    if subscription.settings.is_raw {
        headers.push(("x-amz-sns-rawdelivery".to_owned(), "true".to_owned()));
    }
    headers
}

fn common_headers(kind: &str, message_id: &str, topic_arn: &str) -> Vec<(String, String)> {
    [
        ("x-amz-sns-message-type", kind),
        ("x-amz-sns-message-id", message_id),
        ("x-amz-sns-topic-arn", topic_arn),
        ("content-type", "text/plain; charset=UTF-8"),
        ("user-agent", "Amazon Simple Notification Service Agent"),
        ("accept-encoding", "gzip,deflate"),
    ]
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
    .to_vec()
}

/// Asks an HTTP endpoint or a mailbox to confirm something; others need not be asked.
pub(crate) fn ask(
    tx: &mut WriteTx<'_>,
    topic: &Topic,
    subscription: &Subscription,
    question: Question,
) -> Result<(), Error> {
    let (message_id, cloud_url) = (tx.ids().uuid(), tx.request().endpoint.url());
    let arn = subscription.arn();
    let confirmation = Confirmation {
        question,
        message_id: &message_id,
        topic_arn: &subscription.topic_arn,
        subscription_arn: &arn,
        token: &subscription.token,
        at_millis: tx.now().millis(),
        signature_version: &signature_version(topic),
        cloud_url: &cloud_url,
    };
    let body = match subscription.protocol.as_str() {
        "http" | "https" => {
            let mut headers =
                common_headers(confirmation.kind(), &message_id, &subscription.topic_arn);
            if question == Question::Unsubscribe {
                headers.push(("x-amz-sns-subscription-arn".to_owned(), arn.clone()));
            }
            let post = Post {
                url: subscription.endpoint.clone(),
                headers,
                body: confirmation.envelope(),
                topic_arn: subscription.topic_arn.clone(),
                dead_letter: None,
            };
            return Ok(tx.emit(posting(tx, &post, HTTP, None)?)?);
        }
        "email" => format!(
            "You have chosen to subscribe to the topic:\n{}\n\nTo confirm this subscription, click or \
             visit the link below (If this was in error no action is necessary):\n{}\n\nFogbank has \
             confirmed it already.\n",
            subscription.topic_arn,
            confirmation.url()
        ),
        "email-json" => confirmation.envelope(),
        _ => return Ok(()),
    };
    let mail = Mail {
        to: subscription.endpoint.clone(),
        subject: "AWS Notification - Subscription Confirmation".to_owned(),
        body,
        topic_arn: subscription.topic_arn.clone(),
        at_millis: tx.now().millis(),
    };
    store::mail(tx, 0, &mail)
}

/// Goes on with a message for very many subscribers.
pub(crate) async fn go_on(cx: Cx, input: Value) -> Result<(), Fault> {
    let (input, sealer) = encryption::open(&cx, tasks::FAN_OUT, input).await?;
    let rest: Rest = serde_json::from_value(input).map_err(Fault::internal)?;
    cx.write(|tx| {
        let out = Out { sealer: sealer.as_ref(), mails: &mut 0 };
        fan_out(tx, rest.topic_id, &rest.notification, Some(rest.after.clone()), out)
    })
    .await?;
    Ok(())
}

/// Calls a queue or a function.
pub(crate) async fn call(cx: Cx, input: Value) -> Result<(), Fault> {
    let (input, sealer) = encryption::open(&cx, tasks::DELIVER, input).await?;
    let delivery: Delivery = serde_json::from_value(input).map_err(Fault::internal)?;
    let mut call = cx.prepare(Principal::service(SERVICE), &delivery.action, delivery.input);
    let account = account_of(&delivery.topic_arn).to_owned();
    call.source = Some((delivery.topic_arn.clone(), account));
    match cx.cloud().call(call).await {
        Ok(_) => Ok(()),
        Err(fault) if is_temporary(&fault) => Err(fault),
        Err(fault) => give_up(&cx, delivery.dead_letter, &delivery.topic_arn, &fault, sealer).await,
    }
}

/// Posts to an HTTP endpoint.
pub(crate) async fn post(cx: Cx, input: Value) -> Result<(), Fault> {
    let (input, sealer) = encryption::open(&cx, tasks::DELIVER_HTTP, input).await?;
    let post: Post = serde_json::from_value(input).map_err(Fault::internal)?;
    let mut request = http::Request::post(&post.url);
    for (name, value) in &post.headers {
        request = request.header(name, value);
    }
    let request: HttpRequest =
        request.body(Body::from(post.body.clone())).map_err(Fault::internal)?;
    let status = cx.cloud().fetch(request).await?.status();
    if status.is_success() {
        return Ok(());
    }
    let fault = Fault::internal(format!("{} answered {status}", post.url));
    if status.is_server_error() || status == http::StatusCode::TOO_MANY_REQUESTS {
        return Err(fault);
    }
    give_up(&cx, post.dead_letter, &post.topic_arn, &fault, sealer).await
}

/// Whether the subscriber's service is to blame, and not the subscriber.
fn is_temporary(fault: &Fault) -> bool {
    matches!(
        fault.name(),
        "InternalFailure"
            | "InternalError"
            | "ServiceException"
            | "ServiceUnavailable"
            | "OverLimit"
            | "RequestThrottled"
            | "ThrottlingException"
            | "TooManyRequestsException"
    )
}

async fn give_up(
    cx: &Cx,
    dead_letter: Option<DeadLetter>,
    topic_arn: &str,
    fault: &Fault,
    sealer: Option<Sealer>,
) -> Result<(), Fault> {
    let has_dead_letter_queue = dead_letter.is_some();
    fogbank_core::tracing::warn!(topic_arn, ?fault, has_dead_letter_queue, "a delivery failed");
    match dead_letter {
        Some(dead) => {
            let emitted = cx.write(|tx| {
                let effect = dead.effect(tx, topic_arn, sealer.as_ref())?;
                Ok::<_, Error>(tx.emit(effect)?)
            });
            Ok(emitted.await?)
        }
        None => Ok(()),
    }
}
