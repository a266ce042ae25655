//! The outboxes: e-mails and text messages that would leave for the world.
//!
//! Nothing is sent: they are kept here, where tests and people read them. The newest stay, the oldest are
//! thrown away in the background.

use fogbank_core::{BoxFuture, Cx, Fault, HttpRequest, HttpResponse};
use http::header::{CONTENT_TYPE, HeaderValue};
use serde_json::{Value, json};

use crate::error::Error;
use crate::rules::envelope::timestamp;
use crate::store::{MAILS, Mail, TEXTS, Text};

/// How many of each kind one answer shows.
const SHOWN: usize = 1000;
/// How many of each kind are kept.
const KEPT: usize = 10_000;
/// How many one transaction throws away.
const ROWS: usize = 500;

/// Serves the e-mails as a JSON list of `{to, subject, body, topic_arn, at}`, the oldest first: the
/// newest thousand.
pub fn email_outbox(cx: Cx, _: HttpRequest) -> BoxFuture<'static, HttpResponse> {
    Box::pin(async move {
        answer(cx.read(|tx| {
            let rows = MAILS.range(&()).reverse().limit(SHOWN).list(tx)?;
            let shown = rows.into_iter().rev().map(|(_, mail)| {
                let Mail { to, subject, body, topic_arn, at_millis } = mail;
                let at = timestamp(at_millis);
                json!({"to": to, "subject": subject, "body": body, "topic_arn": topic_arn, "at": at})
            });
            Ok(shown.collect())
        }))
    })
}

/// Serves the text messages as a JSON list of `{to, body, topic_arn, at}`, the oldest first: the newest
/// thousand. The topic's ARN is null for those that were sent to a number directly.
pub fn sms_outbox(cx: Cx, _: HttpRequest) -> BoxFuture<'static, HttpResponse> {
    Box::pin(async move {
        answer(cx.read(|tx| {
            let rows = TEXTS.range(&()).reverse().limit(SHOWN).list(tx)?;
            let shown = rows.into_iter().rev().map(|(_, text)| {
                let Text { to, body, topic_arn, at_millis, .. } = text;
                let topic_arn = (!topic_arn.is_empty()).then_some(topic_arn);
                json!({"to": to, "body": body, "topic_arn": topic_arn, "at": timestamp(at_millis)})
            });
            Ok(shown.collect())
        }))
    })
}

fn answer(list: Result<Vec<Value>, Error>) -> HttpResponse {
    let (status, text) = match list {
        Ok(list) => (http::StatusCode::OK, Value::Array(list).to_string()),
        Err(_) => (http::StatusCode::INTERNAL_SERVER_ERROR, "[]".to_owned()),
    };
    let mut response = HttpResponse::new(text.into());
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

/// Throws away the oldest of what is too many.
pub(crate) async fn trim(cx: &Cx) -> Result<(), Fault> {
    while cx
        .write(|tx| {
            let mut is_done = true;
            if let Some(oldest) = MAILS.range(&()).reverse().limit(KEPT).keys(tx)?.last() {
                let old = MAILS.range(&()).before(oldest).limit(ROWS).keys(tx)?;
                is_done &= old.len() < ROWS;
                old.iter().try_for_each(|key| MAILS.delete(tx, key))?;
            }
            if let Some(oldest) = TEXTS.range(&()).reverse().limit(KEPT).keys(tx)?.last() {
                let old = TEXTS.range(&()).before(oldest).limit(ROWS).keys(tx)?;
                is_done &= old.len() < ROWS;
                old.iter().try_for_each(|key| TEXTS.delete(tx, key))?;
            }
            Ok::<_, Fault>(!is_done)
        })
        .await?
    {}
    Ok(())
}
