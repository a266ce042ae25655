//! `fogbank iam` and the calls behind it: why calls were refused or allowed, and which policy would do.

use std::process::ExitCode;

use fogbank_core::{BoxFuture, Cx, Fault};
use fogbank_gateway::{AdminRoute, AdminRun};
use fogbank_identity::Identities;
use serde_json::{Value, json};

use crate::admin_client::{self, AdminClient};
use crate::cli::{IamCommand, IamOptions};
use crate::clock;

const DECISIONS: &str = "/_fogbank/iam/decisions";
const REFUSALS: &str = "/_fogbank/iam/refusals";
const SUGGESTION: &str = "/_fogbank/iam/suggestion";

/// How many refusals are shown unless more are asked for.
const SHOWN: usize = 20;

/// The calls.
pub(crate) const ROUTES: &[AdminRoute] = &[
    route(DECISIONS, "ExplainDecision", explain),
    route(REFUSALS, "ListRefusals", refusals),
    route(SUGGESTION, "SuggestPolicy", suggest),
];

type Work = fn(Cx, Value) -> BoxFuture<'static, Result<Value, Fault>>;

const fn route(path: &'static str, action: &'static str, work: Work) -> AdminRoute {
    AdminRoute { method: "GET", path, action, run: AdminRun::Json(work) }
}

fn explain(cx: Cx, input: Value) -> BoxFuture<'static, Result<Value, Fault>> {
    Box::pin(async move {
        let request_id = wanted(&input, "request_id")?;
        let kept = &Identities::of(&cx).kept;
        let decisions = cx.read(|tx| kept.explain(tx, request_id))?;
        if decisions.is_empty() {
            let message = format!(
                "No decision of the request {request_id} is kept. Only the last ones are, and calls that need no \
                 permission have none."
            );
            return Err(Fault::new("NotFound", message).with_status(404));
        }
        Ok(json!({ "decisions": decisions }))
    })
}

fn refusals(cx: Cx, input: Value) -> BoxFuture<'static, Result<Value, Fault>> {
    Box::pin(async move {
        let since_secs = since(&cx, &input)?;
        let limit = match input["limit"].as_str().map(str::parse) {
            None => SHOWN,
            Some(Ok(limit)) => limit,
            Some(Err(_)) => return Err(Fault::validation("limit is no number.")),
        };
        let principal = input["principal"].as_str();
        let kept = &Identities::of(&cx).kept;
        let found = cx.read(|tx| kept.refusals(tx, principal, since_secs, limit))?;
        Ok(json!({ "refusals": found }))
    })
}

fn suggest(cx: Cx, input: Value) -> BoxFuture<'static, Result<Value, Fault>> {
    Box::pin(async move {
        let principal = wanted(&input, "principal")?;
        let since_secs = since(&cx, &input)?;
        let observed = &Identities::of(&cx).observed;
        cx.read(|tx| observed.suggest(tx, principal, since_secs))
    })
}

fn wanted<'a>(input: &'a Value, name: &str) -> Result<&'a str, Fault> {
    let value = input[name].as_str().filter(|value| !value.is_empty());
    value.ok_or_else(|| Fault::validation(format!("{name} is wanted.")))
}

/// The time from which on something is asked for: a time, or so long ago.
fn since(cx: &Cx, input: &Value) -> Result<i64, Fault> {
    let Some(text) = input["since"].as_str() else { return Ok(i64::MIN) };
    if let Some(millis) = clock::span_millis(text) {
        return Ok(cx.now().secs().saturating_sub(millis / 1000));
    }
    clock::time(text).map(|time| time.secs()).ok_or_else(|| {
        Fault::validation(format!(
            "{text:?} is neither a time nor a span such as 90s, 2h or 1d12h."
        ))
    })
}

/// Explains decisions of a running cloud.
pub(crate) fn iam(options: &IamOptions) -> anyhow::Result<ExitCode> {
    let client = AdminClient::new(&options.admin)?;
    let some = |name, value: &Option<String>| value.clone().map(|value| (name, value));
    let (path, query, words): (_, Vec<_>, fn(&Value) -> String) = match &options.command {
        IamCommand::Explain { request_id } => {
            (DECISIONS, vec![("request_id", request_id.clone())], explanations)
        }
        IamCommand::Refused { principal, since, limit } => {
            let limit = limit.map(|limit| ("limit", limit.to_string()));
            let query = [some("principal", principal), some("since", since), limit];
            (REFUSALS, query.into_iter().flatten().collect(), refused)
        }
        IamCommand::Suggest { principal, since } => {
            let principal = Some(("principal", principal.clone()));
            let query = [principal, some("since", since)];
            (SUGGESTION, query.into_iter().flatten().collect(), suggested)
        }
    };
    let query: Vec<(&str, &str)> = query.iter().map(|(name, value)| (*name, &**value)).collect();
    let answer = client.get(path, &query)?;
    admin_client::print(&options.admin, &answer, words)?;
    Ok(ExitCode::SUCCESS)
}

fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    value[name].as_str().unwrap_or_default()
}

fn list<'a>(value: &'a Value, name: &str) -> &'a [Value] {
    value[name].as_array().map(Vec::as_slice).unwrap_or_default()
}

fn explanations(answer: &Value) -> String {
    let told: Vec<String> = list(answer, "decisions").iter().map(explanation).collect();
    told.join("\n\n")
}

/// A decision in words.
fn explanation(it: &Value) -> String {
    let mut lines = vec![
        format!("{}  {} {}", text(it, "time"), text(it, "action"), text(it, "outcome")),
        format!("  caller    {}", text(&it["caller"], "arn")),
        format!("  resource  {}", text(it, "resource")),
        format!("  decision  {}", text(it, "sentence")),
    ];
    if let Some(message) = it["message"].as_str() {
        lines.push(format!("  message   {message}"));
    }
    if let Some(context) = it["context"].as_object() {
        lines.push("  context".to_owned());
        lines.extend(context.iter().map(|(key, value)| format!("    {key} = {}", shown(value))));
    }
    if it["policies"].is_array() {
        lines.push("  policies".to_owned());
        if list(it, "policies").is_empty() {
            lines.push("    none".to_owned());
        }
        lines.extend(list(it, "policies").iter().flat_map(policy));
    }
    for denied in list(it, "denied_by") {
        let place = format!("{} of {}", denied["statement"], text(denied, "policy"));
        lines.push(format!("  nothing helps while statement {place} denies"));
    }
    for missing in list(it, "missing") {
        lines.push(format!("  missing, in {}", text(missing, "in")));
        lines.push(format!("    {}", ordered(&missing["statement"])));
    }
    lines.join("\n")
}

fn policy(it: &Value) -> Vec<String> {
    let level = it["level"].as_u64().map(|level| format!(", level {level}")).unwrap_or_default();
    let head = format!(
        "    {} ({}{level}): {}",
        text(it, "policy"),
        text(it, "type"),
        text(it, "verdict")
    );
    let statements = list(it, "statements").iter().map(|statement| {
        let sid = statement["sid"].as_str().map(|sid| format!(" {sid}")).unwrap_or_default();
        let how = match statement["because"].as_str() {
            Some(because) => format!("does not apply: {because}"),
            None => "applies".to_owned(),
        };
        format!("      {} {}{sid}: {how}", statement["statement"], text(statement, "effect"))
    });
    std::iter::once(head).chain(statements).collect()
}

/// The values of a condition key.
fn shown(values: &Value) -> String {
    match values.as_array().map(Vec::as_slice) {
        Some([value]) => value.as_str().unwrap_or_default().to_owned(),
        Some(values) => Value::from(values).to_string(),
        None => "(absent)".to_owned(),
    }
}

fn refused(answer: &Value) -> String {
    let found = list(answer, "refusals");
    if found.is_empty() {
        return "Nothing was refused.".to_owned();
    }
    let line = |it: &Value| {
        let caller = text(&it["caller"], "arn");
        let (time, action, resource) = (text(it, "time"), text(it, "action"), text(it, "resource"));
        let (outcome, id) = (text(it, "outcome"), text(it, "request_id"));
        let sentence = text(it, "sentence");
        format!("{time}  {action} on {resource}\n  by {caller}: {outcome}; {sentence}\n  {id}")
    };
    found.iter().map(line).collect::<Vec<_>>().join("\n")
}

/// The policy, ready to be put into a file; what is to be known of it goes to stderr.
fn suggested(answer: &Value) -> String {
    if answer["policy"].is_null() {
        eprintln!("{} was not seen to do anything.", text(answer, "principal"));
        return json!({ "Version": "2012-10-17", "Statement": [] }).to_string();
    }
    let (first, last) = (text(answer, "first_seen"), text(answer, "last_seen"));
    eprintln!("{} actions were seen from {first} to {last}.", answer["actions"]);
    let excess: Vec<&str> =
        list(answer, "not_allowed_yet").iter().filter_map(Value::as_str).collect();
    if !excess.is_empty() {
        eprintln!("Its policies do not allow yet: {}.", excess.join(", "));
    }
    let statements = list(&answer["policy"], "Statement").iter();
    let statements: Vec<String> = statements.map(|it| format!("    {}", ordered(it))).collect();
    let statements = statements.join(",\n");
    format!("{{\n  \"Version\": \"2012-10-17\",\n  \"Statement\": [\n{statements}\n  ]\n}}")
}

/// A statement with its elements in the order in which people write them.
fn ordered(statement: &Value) -> String {
    let elements = ["Sid", "Effect", "Principal", "Action", "Resource"].iter();
    let present = elements.filter(|name| !statement[**name].is_null());
    let shown: Vec<String> =
        present.map(|name| format!("\"{name}\": {}", statement[*name])).collect();
    format!("{{{}}}", shown.join(", "))
}
