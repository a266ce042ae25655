//! AWS's words for refusals, as each service says them.

use std::borrow::Cow;

use fogbank_core::policy::{Call, Explanation, MessageStyle};

/// AWS's words for a refusal.
pub(crate) fn refusal(call: &Call<'_>, explanation: &Explanation<'_>) -> String {
    let service = call.action.split(':').next().unwrap_or_default();
    let is_stranger = !explanation.same_account || !call.principal.has_account();
    match service {
        "s3" if is_stranger => "Access Denied".to_owned(),
        "s3" => explanation.access_denied_message(call, MessageStyle::S3),
        _ => {
            let name_any_resource = matches!(service, "lambda" | "iam" | "sts");
            let name_policy = explanation.same_account;
            let style = MessageStyle { name_any_resource, name_policy, ..MessageStyle::default() };
            let action = &*spelled(service, call.action);
            explanation.access_denied_message(&Call { action, ..*call }, style)
        }
    }
}

/// An action as the service's messages spell it: `sqs:sendmessage`, `SNS:Publish`.
fn spelled<'a>(service: &str, action: &'a str) -> Cow<'a, str> {
    match service {
        "sqs" => action.to_ascii_lowercase().into(),
        "sns" => action.replacen("sns:", "SNS:", 1).into(),
        _ => action.into(),
    }
}
