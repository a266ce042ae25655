//! Rotation: a function makes the next version in four steps, now or by a schedule.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use fogbank_core::{Cx, Effect, Fault, Principal, Retry, Tx, WriteTx};
use serde_json::{Value, json};

use crate::error::Error;
use crate::model::{
    CancelRotateSecretInput, CancelRotateSecretOutput, RotateSecretInput, RotateSecretOutput,
};
use crate::rules::schedule::Schedule;
use crate::rules::stages::{CURRENT, PENDING};
use crate::store::{self, Attempt, Rotation, SECRETS, Secret, SecretKey, version_key};
use crate::{access, changes, cross_account, replication, versions};

/// The job that takes a secret through the steps.
pub(crate) const JOB: &str = "rotate";
/// The job that tells that the steps failed for good.
pub(crate) const FAILED_JOB: &str = "rotation-failed";
const STEPS: [&str; 4] = ["createSecret", "setSecret", "testSecret", "finishSecret"];
/// AWS repeats a failed rotation several times and does not say how often.
const RETRY: Retry = Retry { attempts: 5, pause_millis: 5_000, longest_pause_millis: 60_000 };
/// How long the tries go on at most; later, a further one has to be asked for.
const TRIES_MILLIS: i64 = 10 * 60 * 1000;

/// Configures rotation, and begins one.
pub(crate) async fn rotate(cx: &Cx, input: RotateSecretInput) -> Result<RotateSecretOutput, Error> {
    if input.external_secret_rotation_metadata.is_some()
        || input.external_secret_rotation_role_arn.is_some()
    {
        let what = "RotateSecret with ExternalSecretRotationMetadata";
        return Err(Fault::not_implemented("secretsmanager", what).into());
    }
    let id = access::identifier(cx.request(), &input.secret_id)?;
    let (key, secret) = cx.read(|tx| store::primary(tx, &id))?;
    cx.read(|tx| cross_account::refuse_replica(tx, &key))?;
    let configured = configured(&secret, &input)?;
    require_invocable(cx, &key, &secret, &configured.lambda_arn).await?;
    let attempt = Attempt {
        version_id: input.client_request_token.clone().unwrap_or_else(|| cx.ids().uuid()),
        rotation_token: cx.ids().uuid(),
        is_test: !input.rotate_immediately.unwrap_or(true),
        tried_until_millis: 0,
    };
    let refusal = cx
        .write(|tx| {
            let (key, mut secret) = store::primary(tx, &id)?;
            if is_incomplete(&secret) {
                if secret.stages.get(PENDING) == Some(&attempt.version_id) {
                    return Ok(None);
                }
                try_again(tx, &key, &mut secret)?;
                return Ok(Some(Error::InvalidRequestException(
                    "A previous rotation isn't complete. That rotation will be reattempted."
                        .to_owned(),
                )));
            }
            secret.rotation = Some(configured.clone());
            begin(tx, &key, &mut secret, attempt.clone())?;
            Ok::<_, Error>(None)
        })
        .await?;
    match refusal {
        Some(refusal) => Err(refusal),
        None => Ok(RotateSecretOutput {
            arn: Some(secret.arn(&key)),
            name: Some(key.2),
            version_id: Some(attempt.version_id),
        }),
    }
}

/// The rotation that a request asks for; what it leaves out stays as it is.
fn configured(secret: &Secret, input: &RotateSecretInput) -> Result<Rotation, Error> {
    let mut rotation = secret.rotation.clone().unwrap_or_default();
    if let Some(lambda) = input.rotation_lambda_arn.as_ref().filter(|arn| !arn.is_empty()) {
        rotation.lambda_arn.clone_from(lambda);
    }
    if rotation.lambda_arn.is_empty() {
        return Err(Error::InvalidRequestException(
            "No Lambda rotation function ARN is associated with this secret.".to_owned(),
        ));
    }
    if let Some(rules) = &input.rotation_rules {
        let (expression, duration) = (rules.schedule_expression.as_deref(), &rules.duration);
        Schedule::parse(rules.automatically_after_days, expression, duration.as_deref())?;
        rotation.after_days = rules.automatically_after_days;
        rotation.schedule.clone_from(&rules.schedule_expression);
        rotation.duration.clone_from(duration);
    }
    rotation.is_enabled = true;
    Ok(rotation)
}

/// Whether a rotation has begun and its version is not the current one.
fn is_incomplete(secret: &Secret) -> bool {
    let pending = secret.stages.get(PENDING);
    pending.is_some() && pending != secret.stages.get(CURRENT)
}

/// Begins a rotation: its version has the label `AWSPENDING` before it has a value.
fn begin(
    tx: &mut WriteTx<'_>,
    key: &SecretKey,
    secret: &mut Secret,
    attempt: Attempt,
) -> Result<(), Error> {
    let now = tx.now().millis();
    secret.stages.insert(PENDING.to_owned(), attempt.version_id.clone());
    secret.changed_millis = now;
    if let Some(rotation) = &mut secret.rotation {
        rotation.attempt = Some(attempt);
    }
    versions::plan_rotation(secret, now)?;
    let is_test = secret.rotation.iter().flat_map(|it| &it.attempt).any(|attempt| attempt.is_test);
    let begun = if is_test { "TestRotationStarted" } else { "RotationStarted" };
    changes::tell(tx, key, secret, begun)?;
    try_again(tx, key, secret)
}

/// Asks for the steps of the attempt, unless they are being tried, and writes the secret.
fn try_again(tx: &mut WriteTx<'_>, key: &SecretKey, secret: &mut Secret) -> Result<(), Error> {
    let now = tx.now().millis();
    let arn = secret.arn(key);
    if let Some(attempt) = secret.rotation.as_mut().and_then(|it| it.attempt.as_mut())
        && attempt.tried_until_millis < now
    {
        attempt.tried_until_millis = now + TRIES_MILLIS;
        let input = json!({ "name": key.2, "versionId": attempt.version_id });
        let effect = Effect::job(&format!("secretsmanager:{JOB}"), &input);
        let failed = Effect::job(&format!("secretsmanager:{FAILED_JOB}"), &input);
        let failed = failed.located(&key.0, &key.1).in_lane(&arn);
        let effect = effect.located(&key.0, &key.1).retried(RETRY).in_lane(&arn);
        tx.emit(effect.or_else(failed))?;
    }
    Ok(replication::write(tx, key, secret)?)
}

/// Rotates a secret whose window has opened, or tries again what has not come to its end.
pub(crate) fn begin_scheduled(
    tx: &mut WriteTx<'_>,
    key: &SecretKey,
    mut secret: Secret,
    ids: (&str, &str),
) -> Result<(), Error> {
    if is_incomplete(&secret) {
        versions::plan_rotation(&mut secret, tx.now().millis())?;
        return try_again(tx, key, &mut secret);
    }
    let attempt = Attempt {
        version_id: ids.0.to_owned(),
        rotation_token: ids.1.to_owned(),
        is_test: false,
        tried_until_millis: 0,
    };
    begin(tx, key, &mut secret, attempt)
}

/// Refuses a function that Secrets Manager may not call.
async fn require_invocable(
    cx: &Cx,
    key: &SecretKey,
    secret: &Secret,
    lambda_arn: &str,
) -> Result<(), Error> {
    let input = json!({ "FunctionName": lambda_arn, "InvocationType": "DryRun" });
    match call(cx, key, secret, input).await {
        Ok(_) => Ok(()),
        Err(fault) if fault.name() == "InternalFailure" => Err(fault.into()),
        Err(_) => Err(Error::AccessDeniedException(
            "Secrets Manager cannot invoke the specified Lambda function. Ensure that the function policy grants \
             access to the principal secretsmanager.amazonaws.com."
                .to_owned(),
        )),
    }
}

/// Calls Lambda on behalf of a secret.
async fn call(cx: &Cx, key: &SecretKey, secret: &Secret, input: Value) -> Result<Value, Fault> {
    let cx = cx.located(&key.0, &key.1);
    let principal = Principal::service("secretsmanager.amazonaws.com");
    let mut call = cx.prepare(principal, "lambda:Invoke", input);
    call.source = Some((secret.arn(key), key.0.clone()));
    Ok(cx.cloud().call(call).await?.output)
}

/// Takes a secret through the steps of the rotation that it has begun. What failed is repeated as a whole: the steps
/// are made to find what is done.
pub(crate) async fn run(cx: Cx, input: Value) -> Result<(), Fault> {
    let text = |name: &str| input[name].as_str().unwrap_or_default().to_owned();
    let version_id = text("versionId");
    let key = (cx.account().to_owned(), cx.region().to_owned(), text("name"));
    let Some((_, attempt)) = cx.read(|tx| going_on(tx, &key, &version_id))? else { return Ok(()) };
    let steps: &[&str] = if attempt.is_test { &["testSecret"] } else { &STEPS };
    for step in steps {
        // It may have been cancelled, or given another function.
        let Some((secret, attempt)) = cx.read(|tx| going_on(tx, &key, &version_id))? else {
            return Ok(());
        };
        let failed = invoke(&cx, &key, &secret, &attempt, step).await;
        if attempt.is_test {
            // AWS tells nobody but CloudTrail how a test went.
            let event = match failed {
                Ok(()) => "TestRotationSucceeded",
                Err(fault) => {
                    let why = fault.cause().unwrap_or(fault.message()).to_owned();
                    tracing_failure(&secret.arn(&key), step, &why);
                    "TestRotationFailed"
                }
            };
            cx.write(|tx| changes::tell(tx, &key, &secret, event)).await?;
            break;
        }
        failed?;
    }
    cx.write(|tx| finish(tx, &key, &version_id)).await.map_err(Fault::from)
}

/// Tells that a rotation failed, unless it was given up or has succeeded after all.
pub(crate) async fn tell_failure(cx: Cx, input: Value) -> Result<(), Fault> {
    let text = |name: &str| input[name].as_str().unwrap_or_default().to_owned();
    let key = (cx.account().to_owned(), cx.region().to_owned(), text("name"));
    cx.write(|tx| match going_on(tx, &key, &text("versionId"))? {
        Some((secret, _)) => changes::tell(tx, &key, &secret, "RotationFailed"),
        None => Ok(()),
    })
    .await
    .map_err(Fault::from)
}

fn tracing_failure(secret: &str, step: &str, why: &str) {
    fogbank_core::tracing::warn!(secret, step, why, "a rotation's step failed");
}

/// The secret and its attempt, if that is still going on.
fn going_on(
    tx: &impl Tx,
    key: &SecretKey,
    version_id: &str,
) -> Result<Option<(Secret, Attempt)>, Fault> {
    let secret = SECRETS.get(tx, key)?.filter(|secret| secret.deletion_millis.is_none());
    let Some(secret) = secret else { return Ok(None) };
    let rotation = secret.rotation.as_ref().filter(|rotation| rotation.is_enabled);
    let attempt = rotation.and_then(|rotation| rotation.attempt.clone());
    let attempt = attempt.filter(|attempt| attempt.version_id == version_id);
    Ok(attempt.map(|attempt| (secret, attempt)))
}

async fn invoke(
    cx: &Cx,
    key: &SecretKey,
    secret: &Secret,
    attempt: &Attempt,
    step: &str,
) -> Result<(), Fault> {
    let lambda_arn = secret.rotation.as_ref().map(|rotation| rotation.lambda_arn.as_str());
    let event = json!({
        "Step": step,
        "SecretId": secret.arn(key),
        "ClientRequestToken": attempt.version_id,
        "RotationToken": attempt.rotation_token,
    });
    let input = json!({
        "FunctionName": lambda_arn,
        "InvocationType": "RequestResponse",
        "Payload": BASE64_STANDARD.encode(event.to_string()),
    });
    let output = call(cx, key, secret, input).await?;
    match output["FunctionError"].as_str() {
        None => Ok(()),
        Some(error) => {
            let payload = output["Payload"].as_str().unwrap_or_default();
            let payload = BASE64_STANDARD.decode(payload).unwrap_or_default();
            let payload = String::from_utf8_lossy(&payload).into_owned();
            let why = format!("{error}: {payload}");
            tracing_failure(&secret.arn(key), step, &why);
            Err(Fault::internal(why))
        }
    }
}

/// Notes that the steps were gone through. A rotation whose version is not the current one then has failed.
fn finish(tx: &mut WriteTx<'_>, key: &SecretKey, version_id: &str) -> Result<(), Error> {
    let Some((mut secret, attempt)) = going_on(tx, key, version_id)? else { return Ok(()) };
    let now = tx.now().millis();
    let is_pending = secret.stages.get(PENDING).is_some_and(|pending| pending == version_id);
    let is_current = secret.stages.get(CURRENT).is_some_and(|current| current == version_id);
    if attempt.is_test {
        if is_pending && !is_current {
            secret.stages.remove(PENDING);
            let version = version_key(key, version_id);
            if store::VERSIONS.contains(tx, &version)? && secret.stages_of(version_id).is_empty() {
                store::remove_version(tx, &version)?;
                secret.version_count = secret.version_count.saturating_sub(1);
            }
        }
    } else if is_pending && !is_current {
        let why = "the function's steps did not make the pending version the current one";
        tracing_failure(&secret.arn(key), "finishSecret", why);
        return Err(Fault::internal(why).into());
    }
    if let Some(rotation) = &mut secret.rotation {
        rotation.attempt = None;
        if is_current && !attempt.is_test {
            rotation.rotated_millis = Some(now);
        }
    }
    if is_current && !attempt.is_test {
        changes::tell(tx, key, &secret, "RotationSucceeded")?;
    }
    versions::plan_rotation(&mut secret, now)?;
    secret.changed_millis = now;
    Ok(replication::write(tx, key, &secret)?)
}

/// Turns rotation off; one that has begun goes no further.
pub(crate) fn cancel(
    tx: &mut WriteTx<'_>,
    input: CancelRotateSecretInput,
) -> Result<CancelRotateSecretOutput, Error> {
    let id = access::identifier(tx.request(), &input.secret_id)?;
    let (key, mut secret) = store::primary(tx, &id)?;
    let mut version_id = None;
    if let Some(rotation) = &mut secret.rotation {
        rotation.is_enabled = false;
        rotation.next_millis = None;
        version_id = rotation.attempt.take().map(|attempt| attempt.version_id);
    }
    if version_id.is_some() {
        changes::tell(tx, &key, &secret, "RotationAbandoned")?;
    }
    secret.changed_millis = tx.now().millis();
    replication::write(tx, &key, &secret)?;
    Ok(CancelRotateSecretOutput { arn: Some(secret.arn(&key)), name: Some(key.2), version_id })
}
