//! Delegated access: the token of an approved delegation request, traded in for credentials of who approved it.

use fogbank_core::{Principal, Tx, WriteTx};
use fogbank_identity::rows::{DELEGATION_REQUESTS, DelegationRequest};

use crate::error::Error;
use crate::model::{GetDelegatedAccessTokenInput, GetDelegatedAccessTokenOutput};
use crate::rules;
use crate::store::{self, NewSession};

/// Makes credentials of the approver, limited to what was granted, until the granted time is over. The token can be
/// traded in again until then, by the account that asked for it.
pub(crate) fn get_token(
    tx: &mut WriteTx<'_>,
    input: GetDelegatedAccessTokenInput,
) -> Result<GetDelegatedAccessTokenOutput, Error> {
    // AWS's words for tokens of others are not known.
    let unknown = || Error::denied("The trade-in token is not valid.");
    let id = DelegationRequest::id_of_token(tx.cx().cloud(), &input.trade_in_token);
    let id = id.ok_or_else(unknown)?;
    let row = DELEGATION_REQUESTS.get(tx, &id)?;
    let row = row.filter(|row| row.requestor == tx.account()).ok_or_else(unknown)?;
    let (Some(approver), Some(finalized_secs)) = (row.approver, row.finalized_secs) else {
        return Err(unknown());
    };
    let secs = finalized_secs + i64::from(row.session_secs) - tx.now().secs();
    if secs <= 0 {
        return Err(Error::ExpiredTradeInTokenException);
    }
    let policies = vec![row.policy];
    let packed_policy_size = rules::packed_percent(&policies, &[], &[])?;
    let mut session = approver.session.clone().unwrap_or_default();
    session.policies = policies;
    session.issued_secs = tx.now().secs();
    let assumed_principal = Some(approver.arn.clone());
    let session = NewSession {
        principal: Principal { session: Some(session), ..approver },
        secs,
        transitive_tags: Vec::new(),
        token_bytes: None,
    };
    let credentials = store::create(tx, session)?;
    Ok(GetDelegatedAccessTokenOutput {
        credentials: Some(credentials),
        packed_policy_size,
        assumed_principal,
    })
}
