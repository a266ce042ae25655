//! Instance profiles, identity providers, server certificates, aliases and reports.

use fogbank_core::store::{Error, Table, decode_fields, no_older_version, row};
use serde::{Deserialize, Serialize};

use super::{LastUse, Secret, Tags};

/// Instance profiles by account and folded name.
pub static INSTANCE_PROFILES: Table<(String, String), InstanceProfile> =
    Table::new("iam.instance-profiles", 0x0120);
/// The instance profiles that a role is in: account, folded role, folded profile.
pub static ROLE_PROFILES: Table<(String, String, String), ()> =
    Table::new("iam.role-profiles", 0x0121);
/// OpenID Connect providers by account and URL without its scheme.
pub static OIDC_PROVIDERS: Table<(String, String), OidcProvider> =
    Table::new("iam.oidc-providers", 0x0122);
/// SAML providers by account and folded name.
pub static SAML_PROVIDERS: Table<(String, String), SamlProvider> =
    Table::new("iam.saml-providers", 0x0123);
/// Server certificates by account and folded name.
pub static SERVER_CERTIFICATES: Table<(String, String), ServerCertificate> =
    Table::new("iam.server-certificates", 0x0124);
/// The account that has an alias.
pub static ALIASES: Table<String, String> = Table::new("iam.aliases", 0x0125);
/// The alias of an account.
pub static ACCOUNT_ALIASES: Table<String, String> = Table::new("iam.account-aliases", 0x0126);
/// Credential reports by account.
pub static CREDENTIAL_REPORTS: Table<String, CredentialReport> =
    Table::new("iam.credential-reports", 0x0127);
/// Deletions of service-linked roles: account, id of the task.
pub static ROLE_DELETIONS: Table<(String, String), RoleDeletion> =
    Table::new("iam.role-deletions", 0x0128);
/// Reports of last accesses: account, id of the job.
pub static ACCESS_REPORTS: Table<(String, String), AccessReport> =
    Table::new("iam.access-reports", 0x0129);
/// When a user or role last called a service: its unique id, the service's prefix in actions.
pub static SERVICE_USES: Table<(String, String), LastUse> = Table::new("iam.service-uses", 0x012a);

/// Reports of what an organization's accounts accessed: account, id of the job.
pub static ORGANIZATION_REPORTS: Table<(String, String), OrganizationReport> =
    Table::new("iam.organization-reports", 0x012f);

/// A container that passes a role to machines.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct InstanceProfile {
    /// The name.
    pub name: String,
    /// The path, from `/` to `/`.
    pub path: String,
    /// The unique id, `AIPA…`.
    pub id: String,
    /// When it was created, in seconds since 1970.
    pub created_secs: i64,
    /// The folded name of its role.
    pub role: Option<String>,
    /// The tags.
    pub tags: Tags,
}

/// An OpenID Connect provider.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OidcProvider {
    /// The issuer's URL without its scheme.
    pub url: String,
    /// Whether the scheme is `https`; it may be `http` for an issuer on this machine.
    pub is_tls: bool,
    /// The audiences that it is trusted for.
    pub client_ids: Vec<String>,
    /// Thumbprints of the certificates behind it.
    pub thumbprints: Vec<String>,
    /// When it was created, in seconds since 1970.
    pub created_secs: i64,
    /// The tags.
    pub tags: Tags,
}

/// A SAML provider.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SamlProvider {
    /// The name.
    pub name: String,
    /// A part of the keys of its sessions that never changes.
    pub uuid: String,
    /// Its metadata as given.
    pub metadata: String,
    /// The entity id in the metadata.
    pub entity_id: String,
    /// Until when the metadata say that they are valid, in seconds since 1970.
    pub valid_until_secs: Option<i64>,
    /// The certificates in the metadata that it signs with, in DER.
    pub certificates: Vec<Vec<u8>>,
    /// When it was created, in seconds since 1970.
    pub created_secs: i64,
    /// The tags.
    pub tags: Tags,
}

/// A server certificate.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServerCertificate {
    /// The name.
    pub name: String,
    /// The path, from `/` to `/`.
    pub path: String,
    /// The unique id, `ASCA…`.
    pub id: String,
    /// When it was uploaded, in seconds since 1970.
    pub uploaded_secs: i64,
    /// When the certificate ends, in seconds since 1970.
    pub expires_secs: i64,
    /// The certificate in PEM.
    pub body: String,
    /// The certificates above it in PEM.
    pub chain: Option<String>,
    /// The private key in PEM, sealed for [`ServerCertificate::place`].
    pub private_key: Secret,
    /// The tags.
    pub tags: Tags,
}

/// A list of an account's users and their credentials.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CredentialReport {
    /// When it was made, in seconds since 1970.
    pub generated_secs: i64,
    /// The report as CSV.
    pub content: String,
}

/// The deletion of a service-linked role.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RoleDeletion {
    /// When it was asked for, in seconds since 1970.
    pub created_secs: i64,
}

/// A report of what somebody accessed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccessReport {
    /// The user, group, role or policy.
    pub arn: String,
    /// Whether actions were asked for, too.
    pub is_by_action: bool,
    /// When it was asked for, in seconds since 1970.
    pub created_secs: i64,
    /// The unique ids of the users and roles that it is about.
    pub entities: Vec<String>,
    /// The services that their policies allow something of.
    pub services: Vec<String>,
}

/// A report of what the accounts of an organization accessed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OrganizationReport {
    /// When it was asked for, in seconds since 1970.
    pub created_secs: i64,
    /// Why there is none: a code and a message.
    pub failure: Option<(String, String)>,
    /// The services that control policies allow something of.
    pub services: Vec<ServiceAccess>,
}

/// How the accounts of an organization used a service.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServiceAccess {
    /// The service's prefix in actions.
    pub service: String,
    /// Its last use, and the path of the account, from the organization down.
    pub last: Option<(LastUse, String)>,
    /// How many accounts used it.
    pub accounts: u32,
}

row!(OrganizationReport, 1);
row!(InstanceProfile, 1);
row!(OidcProvider, 1);
row!(SamlProvider, 1);
row!(ServerCertificate, 2, certificate_with_plain_key);
row!(CredentialReport, 1);
row!(RoleDeletion, 1);
row!(AccessReport, 1);

impl InstanceProfile {
    /// The profile's ARN.
    pub fn arn(&self, account: &str) -> String {
        super::entity_arn(account, "instance-profile", &self.path, &self.name)
    }
}

impl OidcProvider {
    /// The provider's ARN.
    pub fn arn(&self, account: &str) -> String {
        super::entity_arn(account, "oidc-provider", "/", &self.url)
    }
}

impl SamlProvider {
    /// The provider's ARN.
    pub fn arn(&self, account: &str) -> String {
        super::entity_arn(account, "saml-provider", "/", &self.name)
    }
}

/// Version 1 had the private key as it is.
fn certificate_with_plain_key(version: u8, bytes: &[u8]) -> Result<ServerCertificate, Error> {
    #[derive(Deserialize)]
    struct Older {
        name: String,
        path: String,
        id: String,
        uploaded_secs: i64,
        expires_secs: i64,
        body: String,
        chain: Option<String>,
        private_key: String,
        tags: Tags,
    }
    if version != 1 {
        return no_older_version(version, bytes);
    }
    let older: Older = decode_fields(bytes)?;
    Ok(ServerCertificate {
        name: older.name,
        path: older.path,
        id: older.id,
        uploaded_secs: older.uploaded_secs,
        expires_secs: older.expires_secs,
        body: older.body,
        chain: older.chain,
        private_key: Secret::Plain(older.private_key.into_bytes()),
        tags: older.tags,
    })
}

impl ServerCertificate {
    /// What the private key of the certificate with this id is sealed for.
    pub fn place(id: &str) -> String {
        format!("iam.server-certificate:{id}")
    }

    /// The certificate's ARN.
    pub fn arn(&self, account: &str) -> String {
        super::entity_arn(account, "server-certificate", &self.path, &self.name)
    }
}
