//! Tasks that are given to a function, one in each event, with the schema of its version.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use fogbank_core::Principal;
use serde_json::{Value, json};

use super::Running;
use super::entries::encode;
use super::work::Outcome;
use crate::model::LambdaInvokeOperation;
use crate::store::Entry;

/// The most bytes of an answer in a message.
const MAX_SHOWN: usize = 800;

/// Invokes the function and reads what it says of the task.
pub(super) async fn invoke(
    running: &Running<'_>,
    role: &Principal,
    operation: &LambdaInvokeOperation,
    entry: &Entry,
) -> Outcome {
    let ids = running.cx.ids();
    let (invocation, task) = (ids.mixed(56), STANDARD.encode(ids.mixed(24)));
    let event = event(running, operation, entry, (&invocation, &task));
    let input = json!({
        "FunctionName": operation.function_arn,
        "InvocationType": "RequestResponse",
        "Payload": STANDARD.encode(event.to_string()),
    });
    let reply = match running.cx.call(role.clone(), "lambda:Invoke", input).await {
        Ok(reply) => reply.output,
        // Lambda has a name of its own for it.
        Err(fault) if fault.name() == "AccessDenied" => {
            let code = "AccessDeniedException".to_owned();
            return Outcome::Failed(403, code, fault.message().to_owned());
        }
        Err(fault) => return Outcome::of_fault(&fault),
    };
    let payload = reply["Payload"].as_str().and_then(|text| STANDARD.decode(text).ok());
    let payload = payload.unwrap_or_default();
    if reply.get("FunctionError").is_some_and(|error| !error.is_null()) {
        let text = String::from_utf8_lossy(&payload);
        let message = format!("Lambda returned function error: {}", start(&text));
        return Outcome::Failed(200, "PermanentFailure".to_owned(), message);
    }
    result(&payload, &task)
}

fn start(text: &str) -> String {
    text.chars().take(MAX_SHOWN).collect()
}

/// The event for a task, with the ids of the invocation and the task.
fn event(
    running: &Running<'_>,
    operation: &LambdaInvokeOperation,
    entry: &Entry,
    (invocation, task): (&str, &str),
) -> Value {
    let version = operation.invocation_schema_version.as_deref().unwrap_or("1.0");
    let mut job = json!({ "id": running.key.2 });
    let mut shown = json!({
        "taskId": task,
        "s3Key": encode(&entry.key),
        "s3VersionId": entry.version,
    });
    if version == "2.0" {
        shown["s3Bucket"] = entry.bucket.clone().into();
        if let Some(arguments) = &operation.user_arguments {
            job["userArguments"] = json!(arguments);
        }
    } else {
        shown["s3BucketArn"] = format!("arn:aws:s3:::{}", entry.bucket).into();
    }
    json!({
        "invocationSchemaVersion": version,
        "invocationId": invocation,
        "job": job,
        "tasks": [shown],
    })
}

/// What a function's answer says of a task. The words for answers that say nothing are guesses.
fn result(payload: &[u8], task: &str) -> Outcome {
    let wrong = |why: &str| {
        let shown = start(&String::from_utf8_lossy(payload));
        let message = format!("Lambda returned an invalid response, {why}: {shown}");
        Outcome::Failed(200, "PermanentFailure".to_owned(), message)
    };
    let Ok(answer) = serde_json::from_slice::<Value>(payload) else {
        return wrong("which is no JSON");
    };
    let Some(results) = answer["results"].as_array() else { return wrong("which has no results") };
    let found = results.iter().find(|result| result["taskId"] == task);
    let message = |result: &Value| match &result["resultString"] {
        Value::String(text) => text.clone(),
        Value::Null => String::new(),
        other => other.to_string(),
    };
    let (code, message) = match found {
        Some(result) => (result["resultCode"].as_str().unwrap_or_default(), message(result)),
        // What an answer leaves out counts as it says.
        None => (
            answer["treatMissingKeysAs"].as_str().unwrap_or("TemporaryFailure"),
            "Lambda returned no result for the task.".to_owned(),
        ),
    };
    match code {
        "Succeeded" => Outcome::Succeeded(message),
        "TemporaryFailure" => Outcome::Again(200, code.to_owned(), message),
        "PermanentFailure" => Outcome::Failed(200, code.to_owned(), message),
        _ => wrong("whose resultCode is unknown"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_says_what_came_of_its_task() {
        let answer = |more: Value| {
            let mut answer = json!({"invocationSchemaVersion": "1.0", "results": []});
            for (name, value) in more.as_object().expect("members") {
                answer[name] = value.clone();
            }
            result(answer.to_string().as_bytes(), "t1")
        };
        let of = |code: &str, text: &str| {
            let result = json!({"taskId": "t1", "resultCode": code, "resultString": text});
            answer(json!({"results": [{"taskId": "t0", "resultCode": "Succeeded"}, result]}))
        };
        assert_eq!(of("Succeeded", "fine"), Outcome::Succeeded("fine".to_owned()));
        let failed = Outcome::Failed(200, "PermanentFailure".to_owned(), "no".to_owned());
        assert_eq!(of("PermanentFailure", "no"), failed);
        assert!(matches!(of("TemporaryFailure", "no"), Outcome::Again(..)));
        assert!(matches!(of("Perhaps", "no"), Outcome::Failed(..)));
        assert!(matches!(answer(json!({})), Outcome::Again(..)));
        let missing = answer(json!({"treatMissingKeysAs": "PermanentFailure"}));
        assert!(matches!(missing, Outcome::Failed(..)));
        let missing = answer(json!({"treatMissingKeysAs": "Succeeded"}));
        assert!(matches!(missing, Outcome::Succeeded(..)));
        for garbage in ["", "null", "[]", "{", r#"{"results": {}}"#] {
            assert!(matches!(result(garbage.as_bytes(), "t1"), Outcome::Failed(..)), "{garbage}");
        }
    }
}
