//! Secrets of Secrets Manager by way of Parameter Store: `/aws/reference/secretsmanager/ID`.

use fogbank_core::{Cx, Fault, Timestamp};
use serde_json::json;

use crate::error::Error;
use crate::model::{self, ParameterType};
use crate::store;

const PREFIX: &str = "/aws/reference/secretsmanager/";

/// The secret that a parameter's name refers to.
pub(crate) fn secret_of(name: &str) -> Option<&str> {
    name.trim().strip_prefix(PREFIX).filter(|id| !id.is_empty())
}

/// Reads a secret as the caller.
pub(crate) async fn read(
    cx: &Cx,
    name: &str,
    secret: &str,
    is_decrypted: bool,
) -> Result<model::Parameter, Error> {
    if !is_decrypted {
        return Err(Error::invalid(
            "WithDecryption flag must be True for retrieving a Secret Manager secret.",
        ));
    }
    let (id, selector) = match secret.split_once(':') {
        Some((id, selector)) => (id, Some(selector)),
        None => (secret, None),
    };
    // A version's id has at least 32 characters, what is shorter is a label.
    let (version, stage) = match selector {
        Some(selector) if selector.len() >= 32 => (Some(selector), None),
        stage => (None, stage),
    };
    let input = json!({ "SecretId": id, "VersionId": version, "VersionStage": stage });
    let principal = (*cx.request().principal).clone();
    let mut call = cx.prepare(principal, "secretsmanager:GetSecretValue", input);
    call.via = Some("ssm.amazonaws.com".to_owned());
    let output = match cx.cloud().call(call).await {
        Ok(reply) => reply.output,
        Err(fault) if fault.name() == "ResourceNotFoundException" => {
            let message = format!(
                "An error occurred (ParameterNotFound) when referencing Secrets Manager: Secret {name} not found."
            );
            return Err(Fault::new("ParameterNotFound", message).into());
        }
        Err(fault) => return Err(fault.into()),
    };
    let value = output["SecretString"].as_str().or(output["SecretBinary"].as_str());
    let created = output["CreatedDate"].as_f64().unwrap_or_default();
    let key = (cx.account().to_owned(), cx.region().to_owned(), name.trim().to_owned());
    Ok(model::Parameter {
        arn: Some(store::arn_of(&key)),
        name: Some(format!("{PREFIX}{id}")),
        r#type: Some(ParameterType::SecureString),
        value: value.map(str::to_owned),
        version: Some(0),
        selector: selector.map(|selector| format!(":{selector}")),
        source_result: Some(output.to_string()),
        last_modified_date: Some(Timestamp::from_millis((created * 1000.0) as i64)),
        data_type: Some("text".to_owned()),
    })
}
