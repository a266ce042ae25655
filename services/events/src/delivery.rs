//! Bringing events to targets.
//!
//! A delivery is a job: AWS gives up at once when the target is to blame (it is gone, or refuses), and else tries again for
//! as long as the target's policy says. What is given up goes to the dead-letter queue, if there is one.

use std::collections::BTreeMap;

use fogbank_core::{Arn, Cx, Effect, Fault, Principal, Retry, WriteTx, tracing};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::error::Error;
use crate::routing::Event;
use crate::rules::json::Json;
use crate::rules::names::{self, RuleKey};
use crate::rules::path::Path;
use crate::rules::template::{Facts, Template};
use crate::store::{Http, Input, Rule, Target};
use crate::targets::Kind;
use crate::{dead_letters, forwarding, invocations, logs, roles, tasks};

/// The service as targets' policies know it.
pub(crate) const SERVICE: &str = "events.amazonaws.com";
/// AWS's defaults: for a day, and up to so many times again.
const MAX_AGE_SECS: i32 = 86_400;
const MAX_ATTEMPTS: i32 = 185;
/// From a second to ten minutes, which lasts for longer than a day; the job itself knows when to give up.
const RETRY: Retry = Retry { attempts: 1_000, pause_millis: 1_000, longest_pause_millis: 600_000 };

/// An event on its way to a target.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Delivery {
    pub(crate) target_arn: String,
    pub(crate) role_arn: Option<String>,
    pub(crate) rule_arn: String,
    pub(crate) group_id: Option<String>,
    pub(crate) http: Option<Http>,
    /// What the target gets.
    pub(crate) payload: String,
    /// The event, where it is not what the target gets.
    pub(crate) event: Option<String>,
    pub(crate) dead_letter_arn: Option<String>,
    pub(crate) accepted_millis: i64,
    pub(crate) max_age_secs: i32,
    pub(crate) max_attempts: i32,
    pub(crate) is_forwarded: bool,
    /// How the last try failed; the outbox fills it in.
    pub(crate) failure: Option<Failure>,
}

/// How a try failed.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Failure {
    pub(crate) name: String,
    pub(crate) message: String,
    /// How many tries there were.
    pub(crate) attempts: u32,
}

impl Delivery {
    /// The event itself.
    pub(crate) fn event(&self) -> &str {
        self.event.as_deref().unwrap_or(&self.payload)
    }

    pub(crate) fn rule_account(&self) -> &str {
        Arn::parse(&self.rule_arn).map_or("", |arn| arn.account)
    }
}

/// Emits an event's delivery to a target; returns about how many bytes that takes.
pub(crate) fn emit(
    tx: &mut WriteTx<'_>,
    event: &Event,
    (key, rule): (&RuleKey, &Rule),
    target: &Target,
) -> Result<usize, Error> {
    let is_bus = names::bus_of_arn(&target.arn).is_some();
    if is_bus && event.is_forwarded {
        tracing::debug!(target = %target.arn, event = %event.id, "forwarded events go to no third bus");
        return Ok(0);
    }
    let rule_arn = names::rule_arn(key);
    let payload = match is_bus {
        // What is done to the input of a target counts for other buses neither on AWS.
        true => None,
        false => payload(event, key, &rule_arn, &target.input),
    };
    let dead_letter_arn = target.dead_letter.clone().flatten();
    let (attempts, age) = target.retry.unwrap_or_default();
    let delivery = Delivery {
        target_arn: target.arn.clone(),
        role_arn: target.role_arn.clone().or_else(|| rule.role_arn.clone().filter(|_| is_bus)),
        rule_arn,
        group_id: target.queue.clone().flatten(),
        http: target.http.clone(),
        event: (payload.is_some() && (dead_letter_arn.is_some() || looks_at_event(&target.arn)))
            .then(|| event.text.clone()),
        payload: payload.unwrap_or_else(|| event.text.clone()),
        dead_letter_arn,
        accepted_millis: event.accepted_millis,
        max_age_secs: age.unwrap_or(MAX_AGE_SECS),
        max_attempts: attempts.unwrap_or(MAX_ATTEMPTS),
        is_forwarded: event.is_forwarded,
        failure: None,
    };
    let input = serde_json::to_value(&delivery).map_err(Fault::internal)?;
    let effect = Effect::job(tasks::DELIVER, &input)
        .located(&key.0, &key.1)
        .retried(RETRY)
        .in_lane(&delivery.target_arn);
    tx.emit(effect)?;
    Ok(delivery.payload.len() + delivery.event.map_or(0, |event| event.len()) + 1024)
}

/// Whether a delivery to a target looks at the event beside what the target gets.
fn looks_at_event(arn: &str) -> bool {
    let kind = Arn::parse(arn).and_then(|arn| Kind::of(&arn).ok());
    matches!(kind, Some(Kind::LogGroup | Kind::ApiDestination))
}

/// What a target gets, if it is not the event.
fn payload(event: &Event, key: &RuleKey, rule_arn: &str, input: &Input) -> Option<String> {
    match input {
        Input::Event => None,
        Input::Constant(constant) => Some(constant.clone()),
        // Where a path leads nowhere, AWS's page does not say what the target gets.
        Input::Path(path) => {
            let found = Path::parse(path).and_then(|path| path.find(&event.json));
            Some(found.unwrap_or(Json::Null).to_string())
        }
        Input::Template { paths, template, .. } => {
            Some(filled(event, key, rule_arn, (paths, template)))
        }
    }
}

fn filled(
    event: &Event,
    key: &RuleKey,
    rule_arn: &str,
    (paths, template): (&BTreeMap<String, String>, &str),
) -> String {
    // What could be stored can be read.
    let Ok(template) = Template::parse(template, paths) else { return event.text.clone() };
    let ingestion_time = jiff::Timestamp::from_millisecond(event.accepted_millis)
        .map(|time| time.strftime("%Y-%m-%dT%H:%M:%S.%3fZ").to_string())
        .unwrap_or_default();
    let facts =
        Facts { rule_arn, rule_name: &key.3, ingestion_time: &ingestion_time, event: &event.json };
    template.fill(paths, facts)
}

/// Brings an event to its target, or gives it up.
pub(crate) async fn deliver(cx: Cx, input: Value) -> Result<(), Fault> {
    let delivery: Delivery = serde_json::from_value(input).map_err(Fault::internal)?;
    let age_millis = cx.now().millis() - delivery.accepted_millis;
    if let Some(failure) = &delivery.failure
        && age_millis > i64::from(delivery.max_age_secs) * 1000
    {
        let exhausted = Some("MaximumEventAgeInSeconds");
        return dead_letters::give_up(&cx, &delivery, failure, exhausted).await;
    }
    let Err(fault) = attempt(&cx, &delivery).await else { return Ok(()) };
    let attempts = delivery.failure.as_ref().map_or(0, |failure| failure.attempts) + 1;
    let is_last = i64::from(attempts) > i64::from(delivery.max_attempts);
    if is_temporary(&fault) && !is_last {
        return Err(fault);
    }
    let exhausted = is_temporary(&fault).then_some("MaximumRetryAttempts");
    let (name, message) = (fault.name().to_owned(), fault.message().to_owned());
    let failure = Failure { name, message, attempts };
    dead_letters::give_up(&cx, &delivery, &failure, exhausted).await
}

async fn attempt(cx: &Cx, delivery: &Delivery) -> Result<(), Fault> {
    let arn = Arn::parse(&delivery.target_arn).ok_or_else(|| Fault::internal("no ARN"))?;
    let kind = Kind::of(&arn).map_err(|service| {
        Fault::new("NotImplemented", format!("Fogbank sends no events to {service}."))
    })?;
    let principal = match &delivery.role_arn {
        Some(role) => Some(roles::assume(cx, role, &delivery.rule_arn).await?),
        None => None,
    };
    let (action, input) = match kind {
        Kind::Bus => return forwarding::forward(cx, delivery, principal).await,
        Kind::ApiDestination => return invocations::invoke(cx, delivery, principal).await,
        Kind::LogGroup => return logs::write(cx, delivery, &arn, principal).await,
        Kind::Queue => {
            let mut input = json!({
                "QueueUrl": delivery.target_arn, "MessageBody": delivery.payload,
            });
            if let Some(group_id) = &delivery.group_id {
                input["MessageGroupId"] = json!(group_id);
            }
            ("sqs:SendMessage", input)
        }
        Kind::Topic => {
            ("sns:Publish", json!({ "TopicArn": delivery.target_arn, "Message": delivery.payload }))
        }
        Kind::Function => {
            use base64::Engine;
            let payload = base64::engine::general_purpose::STANDARD.encode(&delivery.payload);
            let input = json!({
                "FunctionName": delivery.target_arn, "InvocationType": "Event", "Payload": payload,
            });
            ("lambda:Invoke", input)
        }
    };
    call(cx, delivery, &arn, principal, action, input).await.map(|_| ())
}

/// Calls a target's service, where the target is: as the role, or as EventBridge on behalf of the rule.
pub(crate) async fn call(
    cx: &Cx,
    delivery: &Delivery,
    arn: &Arn<'_>,
    principal: Option<Principal>,
    action: &str,
    input: Value,
) -> Result<Value, Fault> {
    let located = cx.located(arn.account, arn.region);
    let is_service = principal.is_none();
    let principal = principal.unwrap_or_else(|| Principal::service(SERVICE));
    let mut call = located.prepare(principal, action, input);
    if is_service {
        call.source = Some((delivery.rule_arn.clone(), delivery.rule_account().to_owned()));
    }
    cx.cloud().call(call).await.map(|reply| reply.output)
}

/// Whether the target's service is to blame, and not the target.
fn is_temporary(fault: &Fault) -> bool {
    matches!(
        fault.name(),
        "InternalFailure"
            | "InternalError"
            | "InternalServerError"
            | "ServiceException"
            | "ServiceUnavailable"
            | "ServiceUnavailableException"
            | "OverLimit"
            | "RequestThrottled"
            | "ThrottlingException"
            | "Throttling"
            | "TooManyRequestsException"
            | "KMS.ThrottlingException"
    )
}
