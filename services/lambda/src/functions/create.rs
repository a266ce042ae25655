//! CreateFunction.

use fogbank_core::{Cx, WriteTx};

use super::configuration::{self, Settings};
use super::{Detail, ShownAs, begin_transition, publish, role, shown};
use crate::code::{self, Package, Source};
use crate::error::{Error, invalid, unsupported};
use crate::layers;
use crate::model::{CreateFunctionInput, FunctionConfiguration, PackageType};
use crate::rules::target::Target;
use crate::store::{self, Code, Function, Logging, State, Version};
use crate::tags;

/// Creates a function, which is `Pending` until its code is ready.
pub(crate) async fn create(
    cx: &Cx,
    mut input: CreateFunctionInput,
) -> Result<FunctionConfiguration, Error> {
    let target = Target::parse(&input.function_name, None, cx.account(), cx.region())?;
    check_name(&target)?;
    if input.package_type == Some(PackageType::Image) {
        return Err(unsupported("functions of container images"));
    }
    let code = &mut input.code;
    let source = Source::of(
        code.zip_file.take(),
        code.s3_bucket.take(),
        code.s3_key.take(),
        code.s3_object_version.take(),
        code.image_uri.take(),
    )?;
    let architecture = configuration::architecture(input.architectures.as_ref());
    let settings = Settings::of_create(&mut input)?;
    if settings.runtime.is_none() || settings.handler.is_none() {
        return Err(invalid(
            "Runtime and Handler are mandatory parameters for functions created with deployment packages.",
        ));
    }
    settings.check(&target.region)?;
    let layers = settings.layers.clone().unwrap_or_default();
    let tags = input.tags.unwrap_or_default();
    tags::check(&tags)?;
    if cx.read(|tx| store::FUNCTIONS.contains(tx, &target.key()))? {
        return Err(exists(&target));
    }
    role::check(cx, &target, settings.role.as_deref().unwrap_or_default()).await?;
    let package = code::receive(cx, source).await?;

    let mut version = blank(cx, package, architecture);
    settings.apply(&mut version);
    let function =
        Function { id: cx.ids().uuid(), next_version: 1, published: None, reserved: None, tags };
    let publishes = input.publish.unwrap_or(false);
    cx.write(|tx| {
        let mut version = version.clone();
        version.layers = layers::attach(tx, &target, &layers)?;
        configuration::check_size(&version)?;
        insert(tx, &target, &function, &version, publishes)
    })
    .await
}

fn check_name(target: &Target) -> Result<(), Error> {
    if target.qualifier.is_some() {
        return Err(invalid("A function cannot be created with a qualifier in its name."));
    }
    if target.name.len() > 64 {
        return Err(invalid(format!(
            "1 validation error detected: Value '{}' at 'functionName' failed to satisfy constraint: \
             Member must have length less than or equal to 64",
            target.name
        )));
    }
    Ok(())
}

fn exists(target: &Target) -> Error {
    Error::ResourceConflictException(format!("Function already exist: {}", target.name))
}

/// A version of a package with everything else as AWS has it by default.
fn blank(cx: &Cx, package: Package, architecture: Option<String>) -> Version {
    Version {
        runtime: String::new(),
        handler: String::new(),
        role: String::new(),
        description: String::new(),
        timeout_secs: 3,
        memory_mb: 128,
        scratch_mb: 512,
        variables: None,
        dead_letter_arn: None,
        traces: false,
        architecture: architecture.unwrap_or_else(|| "x86_64".to_owned()),
        snap_start: false,
        vpc: false,
        layers: Vec::new(),
        logging: Logging::default(),
        code: Code::new(package, cx.ids()),
        last_modified_millis: cx.request().now.millis(),
        revision_id: cx.ids().uuid(),
        deployment: cx.ids().uuid(),
        state: State::Pending,
    }
}

fn insert(
    tx: &mut WriteTx<'_>,
    target: &Target,
    function: &Function,
    version: &Version,
    publishes: bool,
) -> Result<FunctionConfiguration, Error> {
    if store::FUNCTIONS.contains(tx, &target.key())? {
        return Err(exists(target));
    }
    store::FUNCTIONS.put(tx, &target.key(), function)?;
    store::put_version(tx, target, 0, version)?;
    begin_transition(tx, target, 0)?;
    let mut number = 0;
    let mut row = version.clone();
    if publishes {
        let found = publish(tx, target, None)?;
        (number, row) = (found.number, found.version);
    }
    // AWS answers with the version's number and the function's own ARN.
    Ok(shown(target, number, &row, ShownAs::Function, Detail::Whole))
}
