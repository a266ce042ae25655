//! UpdateFunctionCode and UpdateFunctionConfiguration.

use fogbank_core::{Cx, Tx, WriteTx};

use super::configuration::{self, Settings};
use super::{Detail, ShownAs, begin_transition, publish, require_revision, role, shown};
use crate::code::{self, Package, Source};
use crate::error::{Error, invalid, unsupported};
use crate::layers;
use crate::model::{
    FunctionConfiguration, UpdateFunctionCodeInput, UpdateFunctionConfigurationInput,
};
use crate::rules::target::Target;
use crate::store::{self, Code, State, Version};

/// Refuses a change or an invocation while another change is under way.
pub(crate) fn require_settled(target: &Target, version: &Version) -> Result<(), Error> {
    let message = match version.state {
        State::Active => return Ok(()),
        State::Pending => "The operation cannot be performed at this time. \
             The function is currently in the following state: Pending"
            .to_owned(),
        State::Updating => format!(
            "The operation cannot be performed at this time. An update is in progress for resource: {}",
            target.function_arn()
        ),
    };
    Err(Error::ResourceConflictException(message))
}

/// Replaces a function's package.
pub(crate) async fn update_code(
    cx: &Cx,
    input: UpdateFunctionCodeInput,
) -> Result<FunctionConfiguration, Error> {
    let target = unqualified(cx, &input.function_name)?;
    if input.image_uri.is_some() {
        return Err(invalid(
            "Please don't provide ImageUri when updating a function with packageType Zip.",
        ));
    }
    if input.publish_to.is_some() {
        return Err(unsupported("PublishTo"));
    }
    let source =
        Source::of(input.zip_file, input.s3_bucket, input.s3_key, input.s3_object_version, None)?;
    let revision = input.revision_id.as_deref();
    cx.read(|tx| {
        let latest = store::latest(tx, &target)?;
        require_settled(&target, &latest)?;
        require_revision(revision, &latest.revision_id)
    })?;
    let package = code::receive(cx, source).await?;
    let architecture = configuration::architecture(input.architectures.as_ref());
    if input.dry_run == Some(true) {
        return cx.read(|tx| {
            let mut latest = store::latest(tx, &target)?;
            latest.code.sha256.clone_from(&package.sha256);
            latest.code.bytes = package.bytes;
            Ok(shown(&target, 0, &latest, ShownAs::Function, Detail::Whole))
        });
    }
    let publishes = input.publish.unwrap_or(false);
    cx.write(|tx| {
        let mut latest = store::latest(tx, &target)?;
        require_settled(&target, &latest)?;
        require_revision(revision, &latest.revision_id)?;
        replace_code(tx, &mut latest, &package)?;
        configuration::check_size(&latest)?;
        if let Some(architecture) = &architecture
            && *architecture != latest.architecture
        {
            latest.architecture.clone_from(architecture);
            latest.deployment = tx.ids().uuid();
        }
        change(tx, &target, &mut latest)?;
        if publishes {
            let found = publish(tx, &target, None)?;
            let (number, version) = (found.number, found.version);
            return Ok(shown(&target, number, &version, ShownAs::Version, Detail::Whole));
        }
        Ok(shown(&target, 0, &latest, ShownAs::Function, Detail::Whole))
    })
    .await
}

/// Puts a package in place of the old one; the same package leaves execution environments as they are.
fn replace_code(
    tx: &mut WriteTx<'_>,
    latest: &mut Version,
    package: &Package,
) -> Result<(), Error> {
    if latest.code.sha256 != package.sha256 {
        tx.free_blob(&latest.code.zip)?;
        latest.code = Code::new(package.clone(), tx.ids());
        latest.deployment = tx.ids().uuid();
    }
    Ok(())
}

/// Changes a function's configuration.
pub(crate) async fn update_configuration(
    cx: &Cx,
    mut input: UpdateFunctionConfigurationInput,
) -> Result<FunctionConfiguration, Error> {
    let target = unqualified(cx, &input.function_name)?;
    let settings = Settings::of_update(&mut input)?;
    settings.check(&target.region)?;
    cx.read(|tx| store::latest(tx, &target).map(drop))?;
    if let Some(arn) = &settings.role {
        role::check(cx, &target, arn).await?;
    }
    cx.write(|tx| {
        let mut latest = store::latest(tx, &target)?;
        require_settled(&target, &latest)?;
        require_revision(input.revision_id.as_deref(), &latest.revision_id)?;
        if let Some(arns) = &settings.layers {
            store::free_layers(tx, &latest)?;
            latest.layers = layers::attach(tx, &target, arns)?;
        }
        settings.clone().apply(&mut latest);
        configuration::check_size(&latest)?;
        latest.deployment = tx.ids().uuid();
        change(tx, &target, &mut latest)?;
        Ok(shown(&target, 0, &latest, ShownAs::Function, Detail::Whole))
    })
    .await
}

/// Writes a changed `$LATEST`, which settles soon.
fn change(tx: &mut WriteTx<'_>, target: &Target, latest: &mut Version) -> Result<(), Error> {
    latest.state = State::Updating;
    latest.revision_id = store::revision(tx);
    latest.last_modified_millis = tx.now().millis();
    store::put_version(tx, target, 0, latest)?;
    begin_transition(tx, target, 0)?;
    Ok(())
}

fn unqualified(cx: &Cx, name: &str) -> Result<Target, Error> {
    let target = Target::parse(name, None, cx.account(), cx.region())?;
    if target.version() != Some(0) {
        return Err(invalid(
            "This operation is permitted on Lambda functions only. Aliases and versions do not support this \
             operation. Please specify either a function name or an unqualified function ARN.",
        ));
    }
    Ok(target)
}
