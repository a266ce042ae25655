//! Delegation requests: somebody asks an account for temporary access, one of its identities grants it as itself.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use fogbank_core::store::{Table, row};
use fogbank_core::{Cloud, Principal};
use serde::{Deserialize, Serialize};

/// Delegation requests by their ids.
pub static DELEGATION_REQUESTS: Table<String, DelegationRequest> =
    Table::new("iam.delegation-requests", 0x0130);
/// The requests that an account owns: account, id.
pub static OWNED_DELEGATIONS: Table<(String, String), ()> =
    Table::new("iam.owned-delegations", 0x0131);
/// The requests that an account made: account, its own id of the workflow. The value is the request's id.
pub static DELEGATION_WORKFLOWS: Table<(String, String), String> =
    Table::new("iam.delegation-workflows", 0x0132);

/// A request for temporary access.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DelegationRequest {
    /// The account that asks.
    pub requestor: String,
    /// The account that is asked; none if any may answer.
    pub owner_account: Option<String>,
    /// The ARN of the identity that has taken the request on.
    pub owner: Option<String>,
    /// Who approved it, and as whom the requestor then acts.
    pub approver: Option<Principal>,
    /// What it is for.
    pub description: String,
    /// Why it is asked.
    pub message: Option<String>,
    /// The requestor's own id.
    pub workflow: String,
    /// The ARN of the managed policy that is the template of the permissions.
    pub template: String,
    /// The template's parameters: name, values, whether they are a list.
    pub parameters: Vec<(String, Vec<String>, bool)>,
    /// The permissions, with the parameters in their places.
    pub policy: String,
    /// Where the requestor's own page lies.
    pub redirect_url: Option<String>,
    /// The ARN of the topic that hears of it.
    pub channel: String,
    /// How long the access lasts, in seconds.
    pub session_secs: u32,
    /// Whether only the owner may release the token.
    pub only_by_owner: bool,
    /// How far it has come, as the API spells it.
    pub state: String,
    /// What those who look at it say.
    pub notes: Option<String>,
    /// Why it was rejected.
    pub rejection: Option<String>,
    /// When it was made, in seconds since 1970.
    pub created_secs: i64,
    /// When it was changed last.
    pub updated_secs: i64,
    /// When it ends unless something becomes of it.
    pub expires_secs: i64,
    /// When the token was released.
    pub finalized_secs: Option<i64>,
}

row!(DelegationRequest, 1);

/// The use of the root key.
const PLACE: &[u8] = b"sts.trade-in-token";

impl DelegationRequest {
    /// The token that the requestor trades in: the request's id, sealed.
    pub fn token(cloud: &Cloud, id: &str) -> String {
        URL_SAFE_NO_PAD.encode(cloud.root_key().seal(cloud.ids(), PLACE, id.as_bytes()))
    }

    /// The id of the request of a token; none if this cloud did not make it.
    pub fn id_of_token(cloud: &Cloud, token: &str) -> Option<String> {
        let sealed = URL_SAFE_NO_PAD.decode(token).ok()?;
        let id = cloud.root_key().open(PLACE, &sealed).ok()?;
        String::from_utf8(id.to_vec()).ok()
    }
}
