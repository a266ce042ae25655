//! A stand-in for Lambda: the function of a rotation, as far as Secrets Manager sees it.

use std::sync::Arc;

use fogbank_core::policy::{Document, Kind as PolicyKind};
use fogbank_core::wire::{self, Constraint, Flags, Kind, Location, Member, Schema, Style};
use fogbank_core::{
    Access, Check, Cx, Fault, Op, Principal, ReadTx, Request, ResourcePolicy, Run, Service, Tx,
};
use fogbank_testkit::{Value, json};
use parking_lot::Mutex;

/// The function's ARN.
pub(super) const FUNCTION: &str = "arn:aws:lambda:us-east-1:000000000000:function:rotate";

/// What the function was told, and how it behaves.
#[derive(Default)]
pub(super) struct Function {
    pub(super) events: Vec<Value>,
    /// Fails in this step.
    pub(super) fails_in: &'static str,
    /// Does not make the pending version the current one.
    pub(super) forgets_to_finish: bool,
    /// Whether its policy allows nobody.
    pub(super) is_closed: bool,
}

/// The function of a world.
pub(super) fn function(cx: &Cx) -> Arc<Mutex<Function>> {
    cx.state(Mutex::<Function>::default)
}

mod model {
    use super::*;

    pub(super) static OPERATION: wire::Operation = wire::Operation {
        name: "Invoke",
        method: "POST",
        uri: "/",
        status: 200,
        input: &INPUT,
        output: &OUTPUT,
        result_wrapper: "",
        input_root: "",
        output_root: "",
        errors: &[],
        unsigned: false,
        checksum_required: false,
    };

    const fn member(name: &'static str, target: &'static Schema) -> Member {
        Member {
            name,
            target,
            wire: name,
            query_name: "",
            location: Location::Body,
            flags: Flags::NONE,
            timestamp_format: None,
            xml_namespace: "",
        }
    }

    const fn schema(name: &'static str, kind: Kind) -> Schema {
        Schema { name, kind, constraint: Constraint::NONE, sensitive: false }
    }

    static TEXT: Schema = schema("Text", Kind::String);
    static BLOB: Schema = schema("Blob", Kind::Blob);
    static INPUT: Schema = schema(
        "InvokeInput",
        Kind::Structure(&[
            member("FunctionName", &TEXT),
            member("InvocationType", &TEXT),
            member("Payload", &BLOB),
        ]),
    );
    static OUTPUT: Schema = schema(
        "InvokeOutput",
        Kind::Structure(&[member("FunctionError", &TEXT), member("Payload", &BLOB)]),
    );

    #[derive(Clone, Debug, Default, PartialEq)]
    pub(super) struct InvokeInput {
        pub(super) function_name: Option<String>,
        pub(super) invocation_type: Option<String>,
        pub(super) payload: Option<bytes::Bytes>,
    }

    wire::structure!(InvokeInput, INPUT, {
        0 => function_name, 1 => invocation_type, 2 => payload,
    });

    #[derive(Clone, Debug, Default, PartialEq)]
    pub(super) struct InvokeOutput {
        pub(super) function_error: Option<String>,
        pub(super) payload: Option<bytes::Bytes>,
    }

    wire::structure!(InvokeOutput, OUTPUT, { 0 => function_error, 1 => payload });
}

static MODEL: wire::Service = wire::Service {
    name: "lambda",
    sdk_id: "Lambda",
    signing_name: "lambda",
    endpoint_prefix: "lambda",
    target_prefix: "",
    service_shape: "lambda",
    api_version: "2015-03-31",
    namespace: "com.amazonaws.lambda",
    xml_namespace: "",
    protocols: &[wire::Protocol::RestJson1],
    query_compatible: false,
    operations: &[],
    errors: &[],
};

static OPERATIONS: &[Op] = &[Op {
    model: &model::OPERATION,
    input: || Box::<model::InvokeInput>::default(),
    run: Run::Task(|cx, input| {
        Box::pin(async move {
            let input = input.downcast::<model::InvokeInput>().expect("its input");
            let output: Box<dyn wire::Struct> = Box::new(invoke(&cx, *input).await?);
            Ok(output)
        })
    }),
    access,
}];

pub(super) static SERVICE: Service =
    Service { resource_policy: Some(policy), ..Service::new(&MODEL, Style::DEFAULT, OPERATIONS) };

fn access(_: &Request, input: &dyn wire::Struct) -> Result<Access, Fault> {
    Ok(Access::to("lambda:InvokeFunction", input.text("FunctionName").unwrap_or_default()))
}

fn policy(tx: &ReadTx<'_>, _: &Check) -> Result<Option<ResourcePolicy>, Fault> {
    let statement = json!({
        "Effect": "Allow",
        "Principal": {"Service": "secretsmanager.amazonaws.com"},
        "Action": "lambda:InvokeFunction",
        "Resource": FUNCTION,
        "Condition": {"ArnLike": {
            "aws:SourceArn": "arn:aws:secretsmanager:us-east-1:000000000000:secret:*",
        }},
    });
    let is_closed = function(tx.cx()).lock().is_closed;
    let statement = if is_closed { json!([]) } else { statement };
    let text = json!({"Version": "2012-10-17", "Statement": statement}).to_string();
    let document = Document::parse(&text, PolicyKind::Resource).ok().map(Arc::new);
    Ok(Some(ResourcePolicy::new("000000000000", document)))
}

async fn invoke(cx: &Cx, input: model::InvokeInput) -> Result<model::InvokeOutput, Fault> {
    if input.invocation_type.as_deref() == Some("DryRun") {
        return Ok(model::InvokeOutput::default());
    }
    let event: Value =
        serde_json::from_slice(&input.payload.unwrap_or_default()).map_err(Fault::internal)?;
    let step = event["Step"].as_str().unwrap_or_default().to_owned();
    let (fails, forgets) = {
        let shared = function(cx);
        let mut function = shared.lock();
        function.events.push(event.clone());
        (function.fails_in == step, function.forgets_to_finish)
    };
    let done = match step.as_str() {
        _ if fails => Err(Fault::internal("as it was told")),
        "createSecret" => create(cx, &event).await,
        "finishSecret" if !forgets => finish(cx, &event).await,
        _ => Ok(()),
    };
    Ok(match done {
        Ok(()) => model::InvokeOutput::default(),
        Err(fault) => model::InvokeOutput {
            function_error: Some("Unhandled".to_owned()),
            payload: Some(fault.to_string().into()),
        },
    })
}

/// What AWS's template does in its first step: a new value, unless there is one from an earlier try.
async fn create(cx: &Cx, event: &Value) -> Result<(), Fault> {
    let (id, version) = (&event["SecretId"], &event["ClientRequestToken"]);
    let root = Principal::root(cx.account());
    let pending = json!({"SecretId": id, "VersionId": version, "VersionStage": "AWSPENDING"});
    let found = cx.call(root.clone(), "secretsmanager:GetSecretValue", pending).await;
    if found.is_ok() {
        return Ok(());
    }
    let current = cx
        .call(root.clone(), "secretsmanager:GetSecretValue", json!({"SecretId": id}))
        .await?
        .output;
    let value = format!("{}+", current["SecretString"].as_str().unwrap_or_default());
    let put = json!({
        "SecretId": id, "ClientRequestToken": version, "SecretString": value,
        "VersionStages": ["AWSPENDING"], "RotationToken": event["RotationToken"],
    });
    cx.call(root, "secretsmanager:PutSecretValue", put).await.map(drop)
}

async fn finish(cx: &Cx, event: &Value) -> Result<(), Fault> {
    let (id, version) = (&event["SecretId"], &event["ClientRequestToken"]);
    let root = Principal::root(cx.account());
    let described =
        cx.call(root.clone(), "secretsmanager:DescribeSecret", json!({"SecretId": id})).await?;
    let stages = described.output["VersionIdsToStages"].as_object().cloned().unwrap_or_default();
    let is_current = |stages: &Value| {
        stages.as_array().is_some_and(|all| all.iter().any(|stage| stage == "AWSCURRENT"))
    };
    let current = stages.iter().find(|(_, stages)| is_current(stages)).map(|(id, _)| id.clone());
    let update = json!({
        "SecretId": id, "VersionStage": "AWSCURRENT", "MoveToVersionId": version,
        "RemoveFromVersionId": current,
    });
    cx.call(root, "secretsmanager:UpdateSecretVersionStage", update).await.map(drop)
}
