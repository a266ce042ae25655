//! Whether the account vouches for its identities elsewhere, by `sts:GetWebIdentityToken`.

use fogbank_core::{ReadTx, Tx, WriteTx};
use fogbank_identity::rows::{ISSUERS, OUTBOUND_FEDERATIONS, OutboundFederation};

use crate::error::Error;
use crate::model::{
    DisableOutboundWebIdentityFederationInput, DisableOutboundWebIdentityFederationOutput,
    EnableOutboundWebIdentityFederationInput, EnableOutboundWebIdentityFederationOutput,
    GetOutboundWebIdentityFederationInfoInput, GetOutboundWebIdentityFederationInfoOutput,
};

/// Lets identities ask for tokens. The account gets an issuer of its own, which it keeps.
pub(crate) fn enable(
    tx: &mut WriteTx<'_>,
    _: EnableOutboundWebIdentityFederationInput,
) -> Result<EnableOutboundWebIdentityFederationOutput, Error> {
    let account = tx.account().to_owned();
    let known = OUTBOUND_FEDERATIONS.get(tx, &account)?;
    if known.as_ref().is_some_and(|known| known.enabled) {
        return Err(Error::FeatureEnabledException);
    }
    let issuer_id = known.map_or_else(|| tx.ids().uuid(), |known| known.issuer_id);
    let row = OutboundFederation { issuer_id, enabled: true };
    ISSUERS.put(tx, &row.issuer_id, &account)?;
    OUTBOUND_FEDERATIONS.put(tx, &account, &row)?;
    let issuer = row.issuer(&tx.request().endpoint);
    Ok(EnableOutboundWebIdentityFederationOutput { issuer_identifier: Some(issuer) })
}

/// Makes no more tokens. Those that were made stay good, so that their keys stay to be seen.
pub(crate) fn disable(
    tx: &mut WriteTx<'_>,
    _: DisableOutboundWebIdentityFederationInput,
) -> Result<DisableOutboundWebIdentityFederationOutput, Error> {
    let row = enabled(tx)?;
    let account = tx.account().to_owned();
    OUTBOUND_FEDERATIONS.put(tx, &account, &OutboundFederation { enabled: false, ..row })?;
    Ok(DisableOutboundWebIdentityFederationOutput {})
}

/// Shows the account's issuer.
pub(crate) fn get(
    tx: &ReadTx<'_>,
    _: GetOutboundWebIdentityFederationInfoInput,
) -> Result<GetOutboundWebIdentityFederationInfoOutput, Error> {
    let row = enabled(tx)?;
    Ok(GetOutboundWebIdentityFederationInfoOutput {
        issuer_identifier: Some(row.issuer(&tx.request().endpoint)),
        jwt_vending_enabled: Some(row.enabled),
    })
}

fn enabled(tx: &impl Tx) -> Result<OutboundFederation, Error> {
    let row = OUTBOUND_FEDERATIONS.get(tx, tx.account())?;
    row.filter(|row| row.enabled).ok_or(Error::FeatureDisabledException)
}
