//! Parameters: writing and deleting them.

use fancy_regex::Regex;
use fogbank_core::store::Read;
use fogbank_core::{Cx, Tx, WriteTx};

use crate::error::Error;
use crate::model::{
    DeleteParameterInput, DeleteParameterOutput, DeleteParametersInput, DeleteParametersOutput,
    ParameterTier, PutParameterInput, PutParameterOutput,
};
use crate::rules::names::{self, Named};
use crate::rules::{data_types, policies};
use crate::store::{self, PARAMETERS, Parameter, ParameterKey, VERSIONS, Version, version_key};
use crate::{changes, sealing, settings, tags};

/// How many versions are kept.
const MAX_VERSIONS: usize = 100;
/// The longest value of a standard parameter, and of an advanced one.
const MAX_VALUE: (usize, usize) = (4096, 8192);
/// How many standard parameters a region has before intelligent tiering makes advanced ones, and how many there may be
/// at all.
const MAX_STANDARD: usize = 10_000;

/// Creates a parameter, or writes a new version of it.
pub(crate) async fn put(cx: &Cx, input: PutParameterInput) -> Result<PutParameterOutput, Error> {
    let key = (cx.account().to_owned(), cx.region().to_owned(), input.name.trim().to_owned());
    names::check(&key.2)?;
    check_value(&input)?;
    loop {
        let planned = cx.read(|tx| plan(tx, &key, &input))?;
        let value = match planned.version.is_secure() {
            true => sealing::seal(cx, &key, &planned.version, &input.value).await?,
            false => input.value.clone().into_bytes(),
        };
        let written = cx
            .write(|tx| {
                let Planned { mut parameter, mut version, is_new } = plan(tx, &key, &input)?;
                // What it is sealed with may have changed meanwhile.
                if !seals_alike(&version, &planned.version) {
                    return Ok(None);
                }
                version.value.clone_from(&value);
                if !is_new {
                    make_room(tx, &key)?;
                }
                parameter.latest += 1;
                VERSIONS.put(tx, &version_key(&key, parameter.latest), &version)?;
                store::put(tx, &key, &parameter)?;
                let operation = if is_new { "Create" } else { "Update" };
                changes::tell(tx, &key, operation, &version)?;
                Ok::<_, Error>(Some((parameter.latest, version.is_advanced)))
            })
            .await?;
        if let Some((version, is_advanced)) = written {
            let tier = if is_advanced { ParameterTier::Advanced } else { ParameterTier::Standard };
            return Ok(PutParameterOutput {
                version: i64::try_from(version).ok(),
                tier: Some(tier),
            });
        }
    }
}

fn seals_alike(one: &Version, other: &Version) -> bool {
    one.kind == other.kind && one.key_id == other.key_id && one.is_advanced == other.is_advanced
}

/// Refuses values and combinations that no parameter can have.
fn check_value(input: &PutParameterInput) -> Result<(), Error> {
    if input.value.is_empty() {
        return Err(Error::invalid(
            "1 validation error detected: Value '' at 'value' failed to satisfy constraint: Member must have length \
             greater than or equal to 1.",
        ));
    }
    if input.value.contains("{{") && input.value.contains("}}") {
        return Err(Error::invalid(
            "Parameter value can't nest another parameter. Do not use \"{{}}\" in the value.",
        ));
    }
    let has_tags = input.tags.as_ref().is_some_and(|tags| !tags.is_empty());
    if has_tags && input.overwrite.unwrap_or_default() {
        return Err(Error::invalid(
            "Invalid request: tags and overwrite can't be used together. To create a parameter with tags, please remove \
             overwrite flag. To update tags for an existing parameter, please use AddTagsToResource or \
             RemoveTagsFromResource.",
        ));
    }
    Ok(())
}

/// What a request makes of a parameter, without the value.
struct Planned {
    parameter: Parameter,
    version: Version,
    is_new: bool,
}

fn plan(tx: &impl Tx, key: &ParameterKey, input: &PutParameterInput) -> Result<Planned, Error> {
    let now = tx.now().millis();
    let existing = PARAMETERS.get(tx, key)?;
    let is_new = existing.is_none();
    if !is_new && !input.overwrite.unwrap_or_default() {
        return Err(Error::ParameterAlreadyExists);
    }
    let mut parameter = existing.unwrap_or_default();
    // What a request leaves out stays as it is.
    let before = match is_new {
        true => Version::default(),
        false => store::latest(tx, key, &parameter)?,
    };
    let kind = match (input.r#type, is_new) {
        (Some(kind), _) => kind.as_str().to_owned(),
        (None, false) => before.kind.clone(),
        (None, true) => {
            return Err(Error::invalid(
                "A parameter type is required when you create a parameter.",
            ));
        }
    };
    if let Some(text) = &input.policies {
        parameter.policies = policies::parse(text, now)?;
    } else {
        policies::changed(&mut parameter.policies, now);
    }
    if is_new {
        tags::add(&mut parameter.tags, input.tags.clone().unwrap_or_default())?;
    }
    let is_advanced = is_advanced(tx, key, input, &parameter, before.is_advanced)?;
    let version = Version {
        key_id: key_id(input, &kind, &before)?,
        value: Vec::new(),
        modified_millis: now,
        modified_by: tx.request().principal.arn.clone(),
        description: input.description.clone().or(before.description),
        allowed_pattern: input.allowed_pattern.clone().or(before.allowed_pattern),
        labels: Vec::new(),
        is_advanced,
        data_type: data_type(input, &kind, &before.data_type)?,
        kind,
    };
    if let Some(pattern) = version.allowed_pattern.as_ref().filter(|pattern| !pattern.is_empty()) {
        check_pattern(pattern, &version.kind, &input.value)?;
    }
    Ok(Planned { parameter, version, is_new })
}

/// The key of a secure value.
fn key_id(
    input: &PutParameterInput,
    kind: &str,
    before: &Version,
) -> Result<Option<String>, Error> {
    if kind != "SecureString" {
        return match input.key_id {
            None => Ok(None),
            // AWS's words are not known.
            Some(_) => Err(Error::invalid("KeyId is only valid for the type SecureString.")),
        };
    }
    let named = input.key_id.clone().or_else(|| before.key_id.clone());
    Ok(Some(named.unwrap_or_else(|| sealing::DEFAULT_KEY.to_owned())))
}

fn data_type(input: &PutParameterInput, kind: &str, before: &str) -> Result<String, Error> {
    let data_type = match input.data_type.as_deref().filter(|given| !given.is_empty()) {
        Some(given) => given,
        None if before.is_empty() => "text",
        None => before,
    };
    if kind == "StringList" && data_type != "text" {
        // AWS's words are not known.
        return Err(Error::invalid("The data type of a StringList can only be text."));
    }
    data_types::check(data_type, &input.value)?;
    Ok(data_type.to_owned())
}

/// The tier, which the value, the policies and the settings decide where the request leaves it open.
fn is_advanced(
    tx: &impl Tx,
    key: &ParameterKey,
    input: &PutParameterInput,
    parameter: &Parameter,
    was_advanced: bool,
) -> Result<bool, Error> {
    let length = input.value.chars().count();
    let needs = length > MAX_VALUE.0 || !parameter.policies.is_empty();
    let tier = match input.tier {
        Some(tier) => tier,
        None if was_advanced => ParameterTier::Advanced,
        None => settings::default_tier(tx)?,
    };
    let is_advanced = match tier {
        ParameterTier::Advanced => true,
        ParameterTier::IntelligentTiering => {
            was_advanced || needs || (parameter.latest == 0 && is_full(tx, key)?)
        }
        ParameterTier::Standard => false,
    };
    if was_advanced && !is_advanced {
        return Err(Error::invalid(
            "This parameter uses the advanced-parameter tier. You can't downgrade a parameter from the \
             advanced-parameter tier to the standard-parameter tier. If necessary, you can delete the advanced parameter \
             and recreate it as a standard parameter.",
        ));
    }
    if !is_advanced && length > MAX_VALUE.0 {
        return Err(Error::invalid(format!(
            "Standard tier parameters support a maximum parameter value of {} characters. To create a larger parameter \
             value, upgrade the parameter to use the advanced-parameter tier. For more information, see \
             https://docs.aws.amazon.com/systems-manager/latest/userguide/parameter-store-advanced-parameters.html",
            MAX_VALUE.0
        )));
    }
    if length > MAX_VALUE.1 {
        return Err(Error::invalid(format!(
            "Advanced tier parameters support a maximum parameter value of {} characters.",
            MAX_VALUE.1
        )));
    }
    if !is_advanced && !parameter.policies.is_empty() {
        // AWS's words are not known.
        return Err(Error::invalid(
            "Parameter policies can only be used with parameters of the advanced-parameter tier.",
        ));
    }
    if !is_advanced && parameter.latest == 0 && is_full(tx, key)? {
        return Err(Error::ParameterLimitExceeded(
            "You have exceeded the number of parameters for this Amazon Web Services account. Delete one or more \
             parameters and try again."
                .to_owned(),
        ));
    }
    Ok(is_advanced)
}

/// Whether the region has as many parameters as it may have standard ones.
fn is_full(rows: &(impl Read + ?Sized), key: &ParameterKey) -> Result<bool, Error> {
    let prefix = (key.0.clone(), key.1.clone());
    Ok(PARAMETERS.range(&prefix).limit(MAX_STANDARD).count(rows)? == MAX_STANDARD)
}

fn check_pattern(pattern: &str, kind: &str, value: &str) -> Result<(), Error> {
    let invalid = || {
        // AWS's words are not known.
        let message =
            format!("The request does not meet the regular expression requirement: {pattern}");
        Error::InvalidAllowedPatternException(message)
    };
    let whole = Regex::new(&format!(r"\A(?:{pattern})\z")).map_err(|_| invalid())?;
    let matches = |text: &str| whole.is_match(text).unwrap_or(false);
    let fits = match kind {
        "StringList" => value.split(',').all(matches),
        _ => matches(value),
    };
    if fits { Ok(()) } else { Err(Error::ParameterPatternMismatchException(pattern.to_owned())) }
}

/// Removes the oldest version if there are as many as are kept.
fn make_room(tx: &mut WriteTx<'_>, key: &ParameterKey) -> Result<(), Error> {
    if VERSIONS.range(key).limit(MAX_VERSIONS).count(tx)? < MAX_VERSIONS {
        return Ok(());
    }
    if let Some((oldest, version)) = VERSIONS.first(tx, key)? {
        if !version.labels.is_empty() {
            let number = i64::try_from(oldest.3).unwrap_or(i64::MAX);
            return Err(Error::ParameterMaxVersionLimitExceeded(key.2.clone(), number));
        }
        VERSIONS.delete(tx, &oldest)?;
    }
    Ok(())
}

/// Deletes a parameter.
pub(crate) fn delete(
    tx: &mut WriteTx<'_>,
    input: DeleteParameterInput,
) -> Result<DeleteParameterOutput, Error> {
    let named = Named::parse(&input.name, tx.account(), tx.region());
    let (key, parameter) = store::find(tx, &named)?;
    changes::remove(tx, &key, &parameter)?;
    Ok(DeleteParameterOutput {})
}

/// Deletes parameters, and tells which there were not.
pub(crate) fn delete_several(
    tx: &mut WriteTx<'_>,
    input: DeleteParametersInput,
) -> Result<DeleteParametersOutput, Error> {
    let (mut deleted, mut invalid) = (Vec::new(), Vec::new());
    for name in input.names {
        let named = Named::parse(&name, tx.account(), tx.region());
        match store::look_up(tx, &named)? {
            Some((key, parameter)) => {
                changes::remove(tx, &key, &parameter)?;
                deleted.push(name);
            }
            None => invalid.push(name),
        }
    }
    Ok(DeleteParametersOutput {
        deleted_parameters: Some(deleted),
        invalid_parameters: Some(invalid),
    })
}
