//! Tags of what AWS lets be tagged: users, roles, managed policies, instance profiles, MFA devices, identity providers and
//! server certificates.

use fogbank_core::{ReadTx, Tx, WriteTx};
use fogbank_identity::rows::{
    InstanceProfile, ManagedPolicy, MfaDevice, OidcProvider, Role, SamlProvider, ServerCertificate,
    Tags, User,
};

use crate::error::Error;
use crate::model::{self, Tag};
use crate::named::{self, Named};
use crate::rules::{self, Page};
use crate::{oidc_providers, roles, store};

/// A resource of the call's account, found by what the input calls it.
trait Tagged: Sized {
    /// What stands in the quota of its tags.
    const NOUN: &'static str;
    /// Finds it.
    fn find(tx: &impl Tx, name: &str) -> Result<Self, Error>;
    /// Its tags.
    fn tags(&mut self) -> &mut Tags;
    /// Writes it.
    fn save(&self, tx: &mut WriteTx<'_>) -> Result<(), Error>;
}

/// How a resource is found and written.
macro_rules! tagged {
    ($type:ident, $noun:expr, $find:expr, $save:expr) => {
        impl Tagged for $type {
            const NOUN: &'static str = $noun;
            fn find(tx: &impl Tx, name: &str) -> Result<Self, Error> {
                $find(tx, name)
            }
            fn tags(&mut self) -> &mut Tags {
                &mut self.tags
            }
            fn save(&self, tx: &mut WriteTx<'_>) -> Result<(), Error> {
                $save(tx, self)
            }
        }
    };
}

tagged!(User, "User", store::find, store::save);
tagged!(Role, "Role", changeable_role, store::save);
tagged!(ManagedPolicy, "Policy", store::policy, store::save_policy);
tagged!(OidcProvider, "OpenIDConnectProvider", oidc_providers::find, oidc_providers::save);
tagged!(InstanceProfile, InstanceProfile::TAGGED, named::find, named::save);
tagged!(ServerCertificate, ServerCertificate::TAGGED, named::find, named::save);
tagged!(MfaDevice, MfaDevice::TAGGED, |tx, arn| named::by_arn(tx, arn, "mfa"), named::save);
tagged!(
    SamlProvider,
    SamlProvider::TAGGED,
    |tx, arn| named::by_arn(tx, arn, "saml-provider"),
    named::save
);

fn changeable_role(tx: &impl Tx, name: &str) -> Result<Role, Error> {
    let role = store::find(tx, name)?;
    roles::refuse_if_linked(&role)?;
    Ok(role)
}

fn add<T: Tagged>(tx: &mut WriteTx<'_>, name: &str, tags: Vec<Tag>) -> Result<(), Error> {
    let mut row = T::find(tx, name)?;
    rules::add_tags(row.tags(), rules::tags(tags)?, T::NOUN)?;
    row.save(tx)
}

fn remove<T: Tagged>(tx: &mut WriteTx<'_>, name: &str, keys: &[String]) -> Result<(), Error> {
    let mut row = T::find(tx, name)?;
    rules::remove_tags(row.tags(), keys);
    row.save(tx)
}

fn page(tags: &Tags, marker: Option<String>, max_items: Option<i32>) -> Result<Page<Tag>, Error> {
    let key = |tag: &Tag| tag.key.clone();
    Page::of(rules::shown_tags(tags), key, marker.as_deref(), max_items)
}

/// The three handlers of a kind of resource.
macro_rules! handlers {
    ($type:ident, $noun:literal, $name:ident,
     $tag:ident $tag_input:ident $tag_output:ident,
     $untag:ident $untag_input:ident $untag_output:ident,
     $list:ident $list_input:ident $list_output:ident) => {
        #[doc = concat!("Puts tags on ", $noun, ".")]
        pub(crate) fn $tag(
            tx: &mut WriteTx<'_>,
            input: model::$tag_input,
        ) -> Result<model::$tag_output, Error> {
            add::<$type>(tx, &input.$name, input.tags)?;
            Ok(model::$tag_output {})
        }

        #[doc = concat!("Removes tags from ", $noun, ".")]
        pub(crate) fn $untag(
            tx: &mut WriteTx<'_>,
            input: model::$untag_input,
        ) -> Result<model::$untag_output, Error> {
            remove::<$type>(tx, &input.$name, &input.tag_keys)?;
            Ok(model::$untag_output {})
        }

        #[doc = concat!("Lists the tags of ", $noun, ".")]
        pub(crate) fn $list(
            tx: &ReadTx<'_>,
            input: model::$list_input,
        ) -> Result<model::$list_output, Error> {
            let mut row: $type = Tagged::find(tx, &input.$name)?;
            let page = page(row.tags(), input.marker, input.max_items)?;
            let is_truncated = page.is_truncated();
            Ok(model::$list_output { tags: Some(page.items), is_truncated, marker: page.marker })
        }
    };
}

handlers!(User, "a user", user_name,
    tag_user TagUserInput TagUserOutput,
    untag_user UntagUserInput UntagUserOutput,
    list_user ListUserTagsInput ListUserTagsOutput);
handlers!(Role, "a role", role_name,
    tag_role TagRoleInput TagRoleOutput,
    untag_role UntagRoleInput UntagRoleOutput,
    list_role ListRoleTagsInput ListRoleTagsOutput);
handlers!(ManagedPolicy, "a managed policy", policy_arn,
    tag_policy TagPolicyInput TagPolicyOutput,
    untag_policy UntagPolicyInput UntagPolicyOutput,
    list_policy ListPolicyTagsInput ListPolicyTagsOutput);
handlers!(InstanceProfile, "an instance profile", instance_profile_name,
    tag_instance_profile TagInstanceProfileInput TagInstanceProfileOutput,
    untag_instance_profile UntagInstanceProfileInput UntagInstanceProfileOutput,
    list_instance_profile ListInstanceProfileTagsInput ListInstanceProfileTagsOutput);
handlers!(MfaDevice, "an MFA device", serial_number,
    tag_mfa_device TagMFADeviceInput TagMFADeviceOutput,
    untag_mfa_device UntagMFADeviceInput UntagMFADeviceOutput,
    list_mfa_device ListMFADeviceTagsInput ListMFADeviceTagsOutput);
handlers!(OidcProvider, "an OpenID Connect provider", open_id_connect_provider_arn,
    tag_oidc_provider TagOpenIDConnectProviderInput TagOpenIDConnectProviderOutput,
    untag_oidc_provider UntagOpenIDConnectProviderInput UntagOpenIDConnectProviderOutput,
    list_oidc_provider ListOpenIDConnectProviderTagsInput ListOpenIDConnectProviderTagsOutput);
handlers!(SamlProvider, "a SAML provider", saml_provider_arn,
    tag_saml_provider TagSAMLProviderInput TagSAMLProviderOutput,
    untag_saml_provider UntagSAMLProviderInput UntagSAMLProviderOutput,
    list_saml_provider ListSAMLProviderTagsInput ListSAMLProviderTagsOutput);
handlers!(ServerCertificate, "a server certificate", server_certificate_name,
    tag_server_certificate TagServerCertificateInput TagServerCertificateOutput,
    untag_server_certificate UntagServerCertificateInput UntagServerCertificateOutput,
    list_server_certificate ListServerCertificateTagsInput ListServerCertificateTagsOutput);
