//! Events that callers send.

use fogbank_core::wire::Timestamp;
use fogbank_core::{Cx, Fault, PrincipalKind};

use crate::error::Error;
use crate::model::{PutEventsInput, PutEventsOutput, PutEventsRequestEntry, PutEventsResultEntry};
use crate::routing::{self, Event};
use crate::rules::json::Json;
use crate::rules::names;

/// How many bytes the entries of a call may have together.
const LARGEST: usize = 1024 * 1024;

/// Takes events, each by itself: those that are accepted are durable, and what they cause with them.
pub(crate) async fn put(cx: &Cx, input: PutEventsInput) -> Result<PutEventsOutput, Error> {
    if input.endpoint_id.is_some() {
        return Err(Fault::not_implemented("events", "PutEvents with EndpointId").into());
    }
    if input.entries.iter().map(size).sum::<usize>() > LARGEST {
        let message = "Total size of the entries in the request is over the limit.";
        return Err(Error::invalid(message));
    }
    let mut results = Vec::new();
    let mut events = Vec::new();
    for entry in input.entries {
        match event(cx, entry) {
            Ok(event) => {
                results.push(PutEventsResultEntry {
                    event_id: Some(event.id.clone()),
                    ..PutEventsResultEntry::default()
                });
                events.push(event);
            }
            Err((code, message)) => results.push(PutEventsResultEntry {
                error_code: Some(code.to_owned()),
                error_message: Some(message),
                ..PutEventsResultEntry::default()
            }),
        }
    }
    if !events.is_empty() {
        cx.write(|tx| routing::accept(tx, &events)).await?;
    }
    let failed = results.iter().filter(|result| result.error_code.is_some()).count();
    Ok(PutEventsOutput {
        failed_entry_count: Some(i32::try_from(failed).unwrap_or(i32::MAX)),
        entries: Some(results),
    })
}

/// An entry's size as AWS counts it: fourteen bytes for the time.
fn size(entry: &PutEventsRequestEntry) -> usize {
    let texts = [&entry.source, &entry.detail_type, &entry.detail].into_iter().flatten();
    let resources = entry.resources.iter().flatten();
    texts.chain(resources).map(String::len).sum::<usize>() + entry.time.map_or(0, |_| 14)
}

type Refusal = (&'static str, String);

fn required(value: Option<String>, name: &str) -> Result<String, Refusal> {
    value.filter(|value| !value.is_empty()).ok_or_else(|| {
        let message =
            format!("Parameter {name} is not valid. Reason: {name} is a required argument.");
        ("InvalidArgument", message)
    })
}

/// The event that an entry becomes, or why it does not.
fn event(cx: &Cx, entry: PutEventsRequestEntry) -> Result<Event, Refusal> {
    let source = required(entry.source, "Source")?;
    let detail_type = required(entry.detail_type, "DetailType")?;
    let detail = required(entry.detail, "Detail")?;
    let is_service = matches!(cx.request().principal.kind, PrincipalKind::Service { .. });
    if source.starts_with("aws.") && !is_service {
        let message = "Not authorized for the source.".to_owned();
        return Err(("NotAuthorizedForSourceException", message));
    }
    let detail = Json::parse(&detail).filter(|detail| matches!(detail, Json::Object(_)));
    let Some(detail) = detail else {
        return Err(("MalformedDetail", "Detail is malformed.".to_owned()));
    };
    let bus = names::bus(cx.request(), entry.event_bus_name.as_deref());
    let resources = entry.resources.unwrap_or_default();
    let time = entry.time.unwrap_or(cx.request().now);
    let text = |text: &str| Json::String(text.to_owned());
    let id = cx.ids().uuid();
    let json = Json::Object(vec![
        ("version".to_owned(), text("0")),
        ("id".to_owned(), text(&id)),
        ("detail-type".to_owned(), Json::String(detail_type)),
        ("source".to_owned(), Json::String(source)),
        // Of who sent it, which need not be the owner of the bus.
        ("account".to_owned(), text(cx.account())),
        ("time".to_owned(), Json::String(to_the_second(time))),
        ("region".to_owned(), text(cx.region())),
        ("resources".to_owned(), Json::Array(resources.into_iter().map(Json::String).collect())),
        ("detail".to_owned(), detail),
    ]);
    Ok(Event::new(id, bus, json, cx.request().now.millis()))
}

/// A time as events have it.
pub(crate) fn to_the_second(time: Timestamp) -> String {
    jiff::Timestamp::from_second(time.secs())
        .map(|time| time.strftime("%Y-%m-%dT%H:%M:%SZ").to_string())
        .unwrap_or_default()
}
