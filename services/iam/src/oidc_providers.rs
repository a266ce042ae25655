//! OpenID Connect providers, whose tokens AssumeRoleWithWebIdentity takes.

use fogbank_core::{ReadTx, Tx, WriteTx};
use fogbank_identity::Identities;
use fogbank_identity::rows::{OIDC_PROVIDERS, OidcProvider};

use crate::error::Error;
use crate::model::{
    AddClientIDToOpenIDConnectProviderInput, AddClientIDToOpenIDConnectProviderOutput,
    CreateOpenIDConnectProviderInput, CreateOpenIDConnectProviderOutput,
    DeleteOpenIDConnectProviderInput, DeleteOpenIDConnectProviderOutput,
    GetOpenIDConnectProviderInput, GetOpenIDConnectProviderOutput, ListOpenIDConnectProvidersInput,
    ListOpenIDConnectProvidersOutput, OpenIDConnectProviderListEntry,
    RemoveClientIDFromOpenIDConnectProviderInput, RemoveClientIDFromOpenIDConnectProviderOutput,
    UpdateOpenIDConnectProviderThumbprintInput, UpdateOpenIDConnectProviderThumbprintOutput,
};
use crate::{rules, store};

/// The most audiences of a provider.
const CLIENT_IDS: usize = 100;
/// The most thumbprints of a provider.
const THUMBPRINTS: usize = 5;
/// The most providers of an account.
const PROVIDERS: usize = 100;

/// Creates a provider.
pub(crate) fn create(
    tx: &mut WriteTx<'_>,
    input: CreateOpenIDConnectProviderInput,
) -> Result<CreateOpenIDConnectProviderOutput, Error> {
    let is_server = Identities::of(tx.cx().cloud()).is_server();
    let (is_tls, url) = rules::issuer(&input.url, is_server)?;
    let account = tx.account().to_owned();
    if OIDC_PROVIDERS.contains(tx, &(&*account, url))? {
        let message = format!("Provider with url {} already exists.", input.url);
        return Err(Error::EntityAlreadyExistsException(message));
    }
    if OIDC_PROVIDERS.range(&(&*account,)).count(tx)? >= PROVIDERS {
        return Err(Error::quota("OpenIdConnectProvidersPerAccount", PROVIDERS));
    }
    let provider = OidcProvider {
        url: url.to_owned(),
        is_tls,
        client_ids: distinct(input.client_id_list.unwrap_or_default()),
        thumbprints: thumbprints(input.thumbprint_list.unwrap_or_default())?,
        created_secs: tx.now().secs(),
        tags: rules::tags(input.tags.unwrap_or_default())?,
    };
    if provider.client_ids.len() > CLIENT_IDS {
        return Err(Error::quota("ClientIdsPerOpenIdConnectProvider", CLIENT_IDS));
    }
    save(tx, &provider)?;
    Ok(CreateOpenIDConnectProviderOutput {
        open_id_connect_provider_arn: Some(provider.arn(&account)),
        tags: Some(rules::shown_tags(&provider.tags)),
    })
}

/// Shows a provider.
pub(crate) fn get(
    tx: &ReadTx<'_>,
    input: GetOpenIDConnectProviderInput,
) -> Result<GetOpenIDConnectProviderOutput, Error> {
    let provider = find(tx, &input.open_id_connect_provider_arn)?;
    Ok(GetOpenIDConnectProviderOutput {
        url: Some(provider.url),
        client_id_list: Some(provider.client_ids),
        thumbprint_list: Some(provider.thumbprints),
        create_date: store::time(provider.created_secs),
        tags: Some(rules::shown_tags(&provider.tags)),
    })
}

/// Lists the account's providers.
pub(crate) fn list(
    tx: &ReadTx<'_>,
    _: ListOpenIDConnectProvidersInput,
) -> Result<ListOpenIDConnectProvidersOutput, Error> {
    let providers = OIDC_PROVIDERS.list(tx, &(tx.account(),))?;
    let entry = |provider: &OidcProvider| OpenIDConnectProviderListEntry {
        arn: Some(provider.arn(tx.account())),
    };
    Ok(ListOpenIDConnectProvidersOutput {
        open_id_connect_provider_list: Some(
            providers.iter().map(|(_, provider)| entry(provider)).collect(),
        ),
    })
}

/// Adds an audience, if it is not there yet.
pub(crate) fn add_client_id(
    tx: &mut WriteTx<'_>,
    input: AddClientIDToOpenIDConnectProviderInput,
) -> Result<AddClientIDToOpenIDConnectProviderOutput, Error> {
    let mut provider = find(tx, &input.open_id_connect_provider_arn)?;
    if !provider.client_ids.contains(&input.client_id) {
        if provider.client_ids.len() >= CLIENT_IDS {
            return Err(Error::quota("ClientIdsPerOpenIdConnectProvider", CLIENT_IDS));
        }
        provider.client_ids.push(input.client_id);
        save(tx, &provider)?;
    }
    Ok(AddClientIDToOpenIDConnectProviderOutput {})
}

/// Removes an audience, if it is there.
pub(crate) fn remove_client_id(
    tx: &mut WriteTx<'_>,
    input: RemoveClientIDFromOpenIDConnectProviderInput,
) -> Result<RemoveClientIDFromOpenIDConnectProviderOutput, Error> {
    let mut provider = find(tx, &input.open_id_connect_provider_arn)?;
    provider.client_ids.retain(|id| *id != input.client_id);
    save(tx, &provider)?;
    Ok(RemoveClientIDFromOpenIDConnectProviderOutput {})
}

/// Replaces the thumbprints.
pub(crate) fn update_thumbprint(
    tx: &mut WriteTx<'_>,
    input: UpdateOpenIDConnectProviderThumbprintInput,
) -> Result<UpdateOpenIDConnectProviderThumbprintOutput, Error> {
    let mut provider = find(tx, &input.open_id_connect_provider_arn)?;
    provider.thumbprints = thumbprints(input.thumbprint_list)?;
    save(tx, &provider)?;
    Ok(UpdateOpenIDConnectProviderThumbprintOutput {})
}

/// Deletes a provider, which succeeds also if there is none.
pub(crate) fn delete(
    tx: &mut WriteTx<'_>,
    input: DeleteOpenIDConnectProviderInput,
) -> Result<DeleteOpenIDConnectProviderOutput, Error> {
    let provider = find(tx, &input.open_id_connect_provider_arn)?;
    OIDC_PROVIDERS.delete(tx, &(tx.account().to_owned(), provider.url))?;
    Ok(DeleteOpenIDConnectProviderOutput {})
}

/// The provider with this ARN in the call's account.
pub(crate) fn find(tx: &impl Tx, arn: &str) -> Result<OidcProvider, Error> {
    let url = arn.split_once(":oidc-provider/").map_or("", |(_, url)| url);
    let found = OIDC_PROVIDERS.get(tx, &(tx.account(), url))?;
    found.filter(|provider| provider.arn(tx.account()) == arn).ok_or_else(|| {
        Error::NoSuchEntityException(format!("OpenIDConnect Provider not found for arn {arn}"))
    })
}

/// Writes a provider.
pub(crate) fn save(tx: &mut WriteTx<'_>, provider: &OidcProvider) -> Result<(), Error> {
    let key = (tx.account().to_owned(), provider.url.clone());
    Ok(OIDC_PROVIDERS.put(tx, &key, provider)?)
}

fn distinct(ids: Vec<String>) -> Vec<String> {
    let mut distinct = Vec::new();
    for id in ids {
        if !distinct.contains(&id) {
            distinct.push(id);
        }
    }
    distinct
}

/// Thumbprints are SHA-1 hashes of certificates. They are kept and shown; whom a connection to a provider trusts is
/// decided by the certification authorities that this machine knows, which AWS does first as well.
fn thumbprints(given: Vec<String>) -> Result<Vec<String>, Error> {
    if given.len() > THUMBPRINTS {
        let message = "Thumbprint list must contain fewer than 5 entries.";
        return Err(Error::InvalidInputException(message.to_owned()));
    }
    if given.iter().any(|one| !one.bytes().all(|byte| byte.is_ascii_hexdigit())) {
        let message = "Thumbprint must be a hexadecimal string.";
        return Err(Error::InvalidInputException(message.to_owned()));
    }
    Ok(given)
}
