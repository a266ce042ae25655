//! SAML providers, whose assertions AssumeRoleWithSAML takes.

use fogbank_core::{Fault, ReadTx, Tx, WriteTx};
use fogbank_federation::saml::Metadata;
use fogbank_identity::rows::{SAML_PROVIDERS, SamlProvider};

use crate::error::Error;
use crate::model::{
    CreateSAMLProviderInput, CreateSAMLProviderOutput, DeleteSAMLProviderInput,
    DeleteSAMLProviderOutput, GetSAMLProviderInput, GetSAMLProviderOutput, ListSAMLProvidersInput,
    ListSAMLProvidersOutput, SAMLProviderListEntry, UpdateSAMLProviderInput,
    UpdateSAMLProviderOutput,
};
use crate::{named, rules, store};

/// The most providers of an account.
const PROVIDERS: usize = 100;
/// How long metadata without an end hold, in seconds: AWS shows a hundred years.
const UNBOUNDED_SECS: i64 = 100 * 365 * 86_400;

/// Creates a provider of its metadata.
pub(crate) fn create(
    tx: &mut WriteTx<'_>,
    input: CreateSAMLProviderInput,
) -> Result<CreateSAMLProviderOutput, Error> {
    refuse_encryption(
        input.assertion_encryption_mode.is_some() || input.add_private_key.is_some(),
    )?;
    let metadata = parsed(&input.saml_metadata_document)?;
    let account = tx.account().to_owned();
    if SAML_PROVIDERS.range(&(&*account,)).count(tx)? >= PROVIDERS {
        return Err(Error::quota("SAMLProvidersPerAccount", PROVIDERS));
    }
    let provider = SamlProvider {
        name: input.name,
        uuid: format!("ASMP{}", tx.ids().upper(17)),
        metadata: input.saml_metadata_document,
        entity_id: metadata.entity_id,
        valid_until_secs: metadata.valid_until_secs,
        certificates: metadata.certificates,
        created_secs: tx.now().secs(),
        tags: rules::tags(input.tags.unwrap_or_default())?,
    };
    named::create(tx, &provider)?;
    Ok(CreateSAMLProviderOutput {
        saml_provider_arn: Some(provider.arn(&account)),
        tags: (!provider.tags.is_empty()).then(|| rules::shown_tags(&provider.tags)),
    })
}

/// Shows a provider with its metadata.
pub(crate) fn get(
    tx: &ReadTx<'_>,
    input: GetSAMLProviderInput,
) -> Result<GetSAMLProviderOutput, Error> {
    let provider = find(tx, &input.saml_provider_arn)?;
    Ok(GetSAMLProviderOutput {
        saml_provider_uuid: Some(provider.uuid.clone()),
        create_date: store::time(provider.created_secs),
        valid_until: store::time(valid_until(&provider)),
        tags: Some(rules::shown_tags(&provider.tags)),
        saml_metadata_document: Some(provider.metadata),
        ..GetSAMLProviderOutput::default()
    })
}

/// Lists the account's providers.
pub(crate) fn list(
    tx: &ReadTx<'_>,
    _: ListSAMLProvidersInput,
) -> Result<ListSAMLProvidersOutput, Error> {
    let providers = SAML_PROVIDERS.list(tx, &(tx.account(),))?;
    let entry = |provider: &SamlProvider| SAMLProviderListEntry {
        arn: Some(provider.arn(tx.account())),
        valid_until: store::time(valid_until(provider)),
        create_date: store::time(provider.created_secs),
    };
    let entries = providers.iter().map(|(_, provider)| entry(provider)).collect();
    Ok(ListSAMLProvidersOutput { saml_provider_list: Some(entries) })
}

/// Replaces a provider's metadata.
pub(crate) fn update(
    tx: &mut WriteTx<'_>,
    input: UpdateSAMLProviderInput,
) -> Result<UpdateSAMLProviderOutput, Error> {
    refuse_encryption(
        input.assertion_encryption_mode.is_some()
            || input.add_private_key.is_some()
            || input.remove_private_key.is_some(),
    )?;
    let mut provider = find(tx, &input.saml_provider_arn)?;
    if let Some(document) = input.saml_metadata_document {
        let metadata = parsed(&document)?;
        provider.entity_id = metadata.entity_id;
        provider.valid_until_secs = metadata.valid_until_secs;
        provider.certificates = metadata.certificates;
        provider.metadata = document;
    }
    named::save(tx, &provider)?;
    Ok(UpdateSAMLProviderOutput { saml_provider_arn: Some(input.saml_provider_arn) })
}

/// Deletes a provider.
pub(crate) fn delete(
    tx: &mut WriteTx<'_>,
    input: DeleteSAMLProviderInput,
) -> Result<DeleteSAMLProviderOutput, Error> {
    let provider = find(tx, &input.saml_provider_arn)?;
    named::delete(tx, &provider)?;
    Ok(DeleteSAMLProviderOutput {})
}

fn find(tx: &impl Tx, arn: &str) -> Result<SamlProvider, Error> {
    named::by_arn(tx, arn, "saml-provider")
}

fn parsed(document: &str) -> Result<Metadata, Error> {
    Metadata::parse(document)
        .ok_or_else(|| Error::InvalidInputException("Could not parse metadata".to_owned()))
}

fn valid_until(provider: &SamlProvider) -> i64 {
    provider.valid_until_secs.unwrap_or(provider.created_secs + UNBOUNDED_SECS)
}

fn refuse_encryption(is_asked: bool) -> Result<(), Error> {
    match is_asked {
        true => {
            Err(Fault::not_implemented("iam", "SAML providers with encrypted assertions").into())
        }
        false => Ok(()),
    }
}
