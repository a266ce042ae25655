//! What an account needs to vouch for its identities elsewhere, and what an organization manages of its accounts' roots.

use fogbank_core::store::{Table, row};
use serde::{Deserialize, Serialize};

use super::Secret;

/// Outbound federation by account.
pub static OUTBOUND_FEDERATIONS: Table<String, OutboundFederation> =
    Table::new("iam.outbound-federations", 0x012b);
/// The account behind an issuer's id.
pub static ISSUERS: Table<String, String> = Table::new("iam.issuers", 0x012c);
/// The keys that sign an account's tokens: account, id of the key.
pub static SIGNING_KEYS: Table<(String, String), SigningKey> =
    Table::new("sts.signing-keys", 0x012d);
/// The features of centralized root access that an organization has, by its id.
pub static ROOT_FEATURES: Table<String, RootFeatures> = Table::new("iam.root-features", 0x012e);

/// Whether and as whom an account vouches for its identities.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OutboundFederation {
    /// The id in the issuer's URL, which the account keeps for ever.
    pub issuer_id: String,
    /// Whether tokens are made.
    pub enabled: bool,
}

/// A key that signs tokens.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SigningKey {
    /// The algorithm, `RS256` or `ES384`.
    pub algorithm: String,
    /// The private key in PKCS #8.
    pub private: Secret,
    /// The public key as a JSON Web Key.
    pub public: String,
    /// When it was made, in seconds since 1970.
    pub created_secs: i64,
}

/// What the management account does about the roots of its members.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RootFeatures {
    /// Whether it manages their credentials.
    pub credentials: bool,
    /// Whether it acts as them, by `sts:AssumeRoot`.
    pub sessions: bool,
}

row!(OutboundFederation, 1);
row!(SigningKey, 1);
row!(RootFeatures, 1);

impl SigningKey {
    /// What its private key is sealed for.
    pub fn place(account: &str, id: &str) -> String {
        format!("sts.signing-key:{account}/{id}")
    }
}

impl OutboundFederation {
    /// The URL of the issuer, under the address by which the cloud was reached.
    pub fn issuer(&self, endpoint: &fogbank_core::Endpoint) -> String {
        format!("{}{ISSUER_PATH}{}", endpoint.url(), self.issuer_id)
    }
}

/// What the path of an issuer begins with.
pub const ISSUER_PATH: &str = "/_sts/";
