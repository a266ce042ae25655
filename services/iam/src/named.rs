//! What has a name that is unique in its account and no policies: instance profiles, MFA devices, SAML providers and
//! server certificates.

use std::ops::ControlFlow;

use fogbank_core::store::{Row, Table};
use fogbank_core::{Tx, WriteTx};
use fogbank_identity::rows::{
    INSTANCE_PROFILES, InstanceProfile, MFA_DEVICES, MfaDevice, SAML_PROVIDERS,
    SERVER_CERTIFICATES, SamlProvider, ServerCertificate, fold,
};

use crate::error::Error;
use crate::rules::{self, Page};

/// Something with a name and a path.
pub(crate) trait Named: Row + 'static {
    /// What stands in the quota of its tags.
    const TAGGED: &'static str;
    /// Its table.
    fn table() -> &'static Table<(String, String), Self>;
    /// Its name.
    fn name(&self) -> &str;
    /// Its path.
    fn path(&self) -> &str;
    /// The refusal if there is none of this name.
    fn missing(name: &str, account: &str) -> String;
    /// The refusal if there is one of this name.
    fn taken(name: &str) -> String;
}

macro_rules! named {
    ($type:ident, $table:ident, $path:expr, $tagged:literal, $missing:expr, $taken:expr) => {
        impl Named for $type {
            const TAGGED: &'static str = $tagged;
            fn table() -> &'static Table<(String, String), Self> {
                &$table
            }
            fn name(&self) -> &str {
                &self.name
            }
            fn path(&self) -> &str {
                let path: fn(&$type) -> &str = $path;
                path(self)
            }
            fn missing(name: &str, account: &str) -> String {
                let missing: fn(&str, &str) -> String = $missing;
                missing(name, account)
            }
            fn taken(name: &str) -> String {
                let taken: fn(&str) -> String = $taken;
                taken(name)
            }
        }
    };
}

named!(
    InstanceProfile,
    INSTANCE_PROFILES,
    |profile| &profile.path,
    "InstanceProfile",
    |name, _| format!("Instance Profile {name} cannot be found."),
    |name| format!("Instance Profile {name} already exists.")
);
named!(
    MfaDevice,
    MFA_DEVICES,
    |device| &device.path,
    "MFADevice",
    |name, account| format!(
        "VirtualMFADevice with serial number arn:aws:iam::{account}:mfa/{name} doesn't exist."
    ),
    |_| "MFADevice entity at the same path and name already exists.".to_owned()
);
named!(
    SamlProvider,
    SAML_PROVIDERS,
    |_| "/",
    "SAMLProvider",
    |name, account| format!(
        "Manifest not found for arn arn:aws:iam::{account}:saml-provider/{name}"
    ),
    |name| format!("Provider with name {name} already exists.")
);
named!(
    ServerCertificate,
    SERVER_CERTIFICATES,
    |certificate| &certificate.path,
    "ServerCertificate",
    |name, _| format!("The Server Certificate with name {name} cannot be found."),
    |name| format!("The Server Certificate with name {name} already exists.")
);

/// The one of this name in the call's account.
pub(crate) fn find<N: Named>(tx: &impl Tx, name: &str) -> Result<N, Error> {
    let found = N::table().get(tx, &(tx.account(), fold(name)))?;
    let missing = || Error::NoSuchEntityException(N::missing(name, tx.account()));
    found.filter(|found| found.name() == name).ok_or_else(missing)
}

/// The one with this ARN.
pub(crate) fn by_arn<N: Named>(tx: &impl Tx, arn: &str, kind: &str) -> Result<N, Error> {
    let name = arn.rsplit('/').next().unwrap_or_default();
    let found = N::table().get(tx, &(tx.account(), fold(name)))?;
    let is_meant = |found: &N| rules::arn(tx.account(), kind, found.path(), found.name()) == arn;
    found.filter(is_meant).ok_or_else(|| {
        let path_and_name = arn.split_once(&format!(":{kind}/")).map_or(name, |(_, rest)| rest);
        Error::NoSuchEntityException(N::missing(path_and_name, tx.account()))
    })
}

/// Writes one that did not exist.
pub(crate) fn create<N: Named>(tx: &mut WriteTx<'_>, new: &N) -> Result<(), Error> {
    let key = (tx.account().to_owned(), fold(new.name()));
    if N::table().contains(tx, &key)? {
        return Err(Error::EntityAlreadyExistsException(N::taken(new.name())));
    }
    save(tx, new)
}

/// Writes one that exists under the same name.
pub(crate) fn save<N: Named>(tx: &mut WriteTx<'_>, row: &N) -> Result<(), Error> {
    let key = (tx.account().to_owned(), fold(row.name()));
    Ok(N::table().put(tx, &key, row)?)
}

/// Removes one.
pub(crate) fn delete<N: Named>(tx: &mut WriteTx<'_>, row: &N) -> Result<(), Error> {
    let key = (tx.account().to_owned(), fold(row.name()));
    Ok(N::table().delete(tx, &key)?)
}

/// A page of those under a path that are wanted.
pub(crate) fn page<N: Named>(
    tx: &impl Tx,
    path_prefix: Option<&str>,
    marker: Option<&str>,
    max_items: Option<i32>,
    is_wanted: impl Fn(&N) -> bool,
) -> Result<Page<N>, Error> {
    let prefix = path_prefix.unwrap_or("/");
    let size = rules::page_size(max_items);
    let mut range = N::table().range(&(tx.account(),));
    if let Some(marker) = marker {
        range = range.after(&(tx.account(), rules::after(marker)?));
    }
    let mut items: Vec<N> = Vec::new();
    let mut has_more = false;
    range.visit(tx, |_, row: N| {
        if !row.path().starts_with(prefix) || !is_wanted(&row) {
            return ControlFlow::Continue(());
        }
        has_more = items.len() == size;
        if has_more {
            return ControlFlow::Break(());
        }
        items.push(row);
        ControlFlow::Continue(())
    })?;
    let last = items.last().filter(|_| has_more);
    let marker = last.map(|last| fogbank_core::page::text_token(&fold(last.name())));
    Ok(Page { items, marker })
}
