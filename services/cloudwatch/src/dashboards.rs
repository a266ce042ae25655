//! Dashboards: documents of an account, the same in all regions.

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use fogbank_core::{Fault, ReadTx, Timestamp, Tx, WriteTx, page};
use serde_json::Value;

use crate::error::Error;
use crate::model::*;
use crate::store::{DASHBOARDS, Dashboard};
use crate::tags;

/// How many dashboards a page has.
const PAGE: usize = 1_000;
/// The longest body, in bytes.
const MAX_BODY: usize = 1 << 20;

/// The ARN of a dashboard.
pub(crate) fn arn(account: &str, name: &str) -> String {
    fogbank_core::arn::arn("cloudwatch", "", account, format_args!("dashboard/{name}"))
}

fn not_found(name: &str) -> Error {
    let message = format!("Dashboard {name} does not exist");
    Fault::new("DashboardNotFoundError", message).into()
}

/// Keeps a dashboard in place of the one of its name.
pub(crate) fn put(
    tx: &mut WriteTx<'_>,
    input: PutDashboardInput,
) -> Result<PutDashboardOutput, Error> {
    let name = &input.dashboard_name;
    let is_allowed = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    if name.is_empty() || name.len() > 255 || !name.chars().all(is_allowed) {
        let message = format!(
            "The value {name} for field DashboardName contains invalid characters. It can only \
             contain alphanumerics, dash (-) and underscore (_)."
        );
        return Err(Error::value(message));
    }
    let messages = check(&input.dashboard_body);
    if let Some(messages) = messages {
        let message = "The field DashboardBody must be a valid JSON object";
        let members = DashboardInvalidInputError {
            message: Some(message.to_owned()),
            dashboard_validation_messages: Some(messages),
        };
        let fault = Fault::new("DashboardInvalidInputError", message).with_members(members);
        return Err(fault.into());
    }
    let key = (tx.account().to_owned(), name.clone());
    let known = DASHBOARDS.get(tx, &key)?.map(|known| known.tags);
    let tags = match (known, input.tags) {
        (Some(tags), _) => tags,
        (None, given) => given.map_or(Ok(BTreeMap::new()), tags::checked)?,
    };
    let modified_millis = tx.now().millis();
    DASHBOARDS.put(tx, &key, &Dashboard { body: input.dashboard_body, modified_millis, tags })?;
    Ok(PutDashboardOutput { dashboard_validation_messages: Some(Vec::new()) })
}

/// What is wrong with a body, if something is.
fn check(body: &str) -> Option<Vec<DashboardValidationMessage>> {
    let message = |path: &str, message: String| {
        vec![DashboardValidationMessage {
            data_path: Some(path.to_owned()),
            message: Some(message),
        }]
    };
    if body.len() > MAX_BODY {
        let text = format!("The body is longer than {MAX_BODY} bytes");
        return Some(message("/", text));
    }
    let value: Value = match serde_json::from_str(body) {
        Ok(value) => value,
        Err(error) => return Some(message("/", format!("Invalid JSON: {error}"))),
    };
    if !value.is_object() {
        return Some(message("/", "Should be an object".to_owned()));
    }
    let widgets = match &value["widgets"] {
        Value::Null => {
            return Some(message("/", "Should have required property 'widgets'".to_owned()));
        }
        Value::Array(widgets) => widgets,
        _ => return Some(message("/widgets", "Should be an array".to_owned())),
    };
    let wrong = widgets.iter().enumerate().filter_map(|(place, widget)| {
        let what = match (widget.is_object(), &widget["type"], &widget["properties"]) {
            (false, _, _) => "Should be an object",
            (true, Value::String(_), Value::Object(_)) => return None,
            (true, Value::String(_), _) => "Should have required property 'properties'",
            _ => "Should have required property 'type'",
        };
        Some(message(&format!("/widgets/{place}"), what.to_owned()).remove(0))
    });
    let wrong: Vec<DashboardValidationMessage> = wrong.collect();
    (!wrong.is_empty()).then_some(wrong)
}

/// Shows a dashboard.
pub(crate) fn get(tx: &ReadTx<'_>, input: GetDashboardInput) -> Result<GetDashboardOutput, Error> {
    let name = input.dashboard_name;
    let found = DASHBOARDS.get(tx, &(tx.account(), &*name))?.ok_or_else(|| not_found(&name))?;
    Ok(GetDashboardOutput {
        dashboard_arn: Some(arn(tx.account(), &name)),
        dashboard_body: Some(found.body),
        dashboard_name: Some(name),
    })
}

/// Lists dashboards by name.
pub(crate) fn list(
    tx: &ReadTx<'_>,
    input: ListDashboardsInput,
) -> Result<ListDashboardsOutput, Error> {
    let account = tx.account().to_owned();
    let prefix = input.dashboard_name_prefix.unwrap_or_default();
    let after = match &input.next_token {
        Some(token) => Some(
            page::parse_text(token)
                .ok_or_else(|| Error::value("The value for parameter NextToken is invalid."))?,
        ),
        None => None,
    };
    let mut range = DASHBOARDS.range(&fogbank_core::store::Starting((&*account,), &prefix));
    if let Some(after) = &after {
        range = range.after(&(&*account, &**after));
    }
    let (mut entries, mut next_token) = (Vec::new(), None);
    range.visit(tx, |(_, name), dashboard| {
        if entries.len() == PAGE {
            let last: Option<&DashboardEntry> = entries.last();
            next_token = last.and_then(|last| last.dashboard_name.as_deref()).map(page::text_token);
            return ControlFlow::Break(());
        }
        entries.push(DashboardEntry {
            dashboard_arn: Some(arn(&account, &name)),
            dashboard_name: Some(name),
            last_modified: Some(Timestamp::from_millis(dashboard.modified_millis)),
            size: Some(dashboard.body.len() as i64),
        });
        ControlFlow::Continue(())
    })?;
    Ok(ListDashboardsOutput { dashboard_entries: Some(entries), next_token })
}

/// Deletes dashboards: all that are named, or none if one is not there.
pub(crate) fn delete(
    tx: &mut WriteTx<'_>,
    input: DeleteDashboardsInput,
) -> Result<DeleteDashboardsOutput, Error> {
    let account = tx.account().to_owned();
    for name in &input.dashboard_names {
        if !DASHBOARDS.contains(tx, &(&*account, &**name))? {
            return Err(not_found(name));
        }
    }
    for name in &input.dashboard_names {
        DASHBOARDS.delete(tx, &(&*account, &**name))?;
    }
    Ok(DeleteDashboardsOutput {})
}
