//! AWS Key Management Service: keys that never leave, and what they do.
//!
//! Nouns: a **key** has a specification, a usage, a state, one policy and one or more **materials**, of which the last
//! encrypts and all decrypt; an **alias** is a name for a key; a **grant** permits one principal some operations. A key of
//! **several regions** has the same id and materials in each.
//!
//! Cryptography is AWS-LC's (`crypto`), but for Ed25519ph and external mu (`crypto/prehashed`). Materials lie in the store, sealed by the root key of the data directory;
//! a ciphertext of a symmetric key names its key and material (`rules/blob`), so that `Decrypt` needs no key id.
//! Time is the cloud's clock: deletion windows, rotation, the end of imported material. EventBridge hears of these three
//! ([`changes`]).
//!
//! Limits are AWS's: 4 KiB a plaintext, 6 KiB a ciphertext, 50 tags and 256 aliases a key, 50,000 grants a key, 25 rotations on
//! demand.
//!
//! What differs from AWS: grants are in force at once, so that their tokens are only checked; a rotation on demand is done
//! when it is answered. AWS-managed keys exist for the services that Fogbank has. What is missing: custom key stores and
//! keys in them (`UnsupportedOperationException`: there is neither a CloudHSM cluster nor an external key manager), SM2
//! (`UnsupportedOperationException`, as outside of China), `Recipient` (attestation of Nitro enclaves: `NotImplemented`).

mod access;
mod aliases;
mod changes;
mod crypto;
mod custom_key_stores;
mod data_keys;
mod encryption;
mod error;
mod grants;
mod import;
mod keys;
mod lookup;
mod managed;
mod model;
mod policies;
mod regions;
mod reset;
mod rotation;
mod rules;
mod signing;
mod store;
mod tags;
mod tasks;
#[cfg(test)]
mod tests;
mod uses;

use std::time::Duration;

use fogbank_core::wire::Style;
use fogbank_core::{Op, Service, Task, operations};

/// The implemented operations.
pub static OPERATIONS: &[Op] = operations! {
    task  CreateKey                           => keys::create,                 access::create_key;
    task  DescribeKey                         => keys::describe,               access::key;
    read  ListKeys                            => keys::list,                   access::all;
    write EnableKey                           => keys::enable,                 access::key_alone;
    write DisableKey                          => keys::disable,                access::key_alone;
    write UpdateKeyDescription                => keys::update_description,     access::key_alone;
    write ScheduleKeyDeletion                 => keys::schedule_deletion,      access::key_alone;
    write CancelKeyDeletion                   => keys::cancel_deletion,        access::key_alone;
    write CreateAlias                         => aliases::create,              access::alias;
    write UpdateAlias                         => aliases::update,              access::alias;
    write DeleteAlias                         => aliases::delete,              access::alias;
    read  ListAliases                         => aliases::list,                access::all;
    task  Encrypt                             => encryption::encrypt,          access::key;
    task  Decrypt                             => encryption::decrypt,          access::decrypt;
    task  ReEncrypt                           => encryption::re_encrypt,       access::re_encrypt;
    task  GenerateDataKey                     => data_keys::generate,          access::key;
    task  GenerateDataKeyWithoutPlaintext     => data_keys::generate_sealed,   access::key;
    task  GenerateDataKeyPair                 => data_keys::generate_pair,     access::key;
    task  GenerateDataKeyPairWithoutPlaintext => data_keys::generate_sealed_pair, access::key;
    task  GenerateRandom                      => data_keys::random,            access::all;
    task  GetPublicKey                        => signing::public_key,          access::key;
    task  Sign                                => signing::sign,                access::key;
    task  Verify                              => signing::verify,              access::key;
    task  GenerateMac                         => signing::generate_mac,        access::key;
    task  VerifyMac                           => signing::verify_mac,          access::key;
    task  DeriveSharedSecret                  => signing::derive,              access::key;
    task  Encapsulate                         => signing::encapsulate,         access::key;
    task  Decapsulate                         => signing::decapsulate,         access::key;
    read  GetKeyLastUsage                     => uses::last,                   access::key_alone;
    read  GetKeyPolicy                        => policies::get,                access::key_alone;
    task  PutKeyPolicy                        => policies::put,                access::key_alone;
    read  ListKeyPolicies                     => policies::list,               access::key_alone;
    task  CreateGrant                         => grants::create,               access::key_alone;
    read  ListGrants                          => grants::list,                 access::key_alone;
    read  ListRetirableGrants                 => grants::list_retirable,       access::all;
    write RevokeGrant                         => grants::revoke,               access::key_alone;
    task  RetireGrant                         => grants::retire,               access::of_grant;
    write EnableKeyRotation                   => rotation::enable,             access::key_alone;
    write DisableKeyRotation                  => rotation::disable,            access::key_alone;
    read  GetKeyRotationStatus                => rotation::status,             access::key_alone;
    write RotateKeyOnDemand                   => rotation::on_demand,          access::key_alone;
    read  ListKeyRotations                    => rotation::list,               access::key_alone;
    task  GetParametersForImport              => import::parameters,           access::key_alone;
    task  ImportKeyMaterial                   => import::import,               access::key_alone;
    write DeleteImportedKeyMaterial           => import::delete,               access::key_alone;
    task  ReplicateKey                        => regions::replicate,           access::replicate;
    write UpdatePrimaryRegion                 => regions::update_primary,      access::key_alone;
    write TagResource                         => tags::tag,                    access::key_alone;
    write UntagResource                       => tags::untag,                  access::key_alone;
    read  ListResourceTags                    => tags::list,                   access::key_alone;
    write CreateCustomKeyStore                => custom_key_stores::create,    access::custom_key_stores;
    read  DescribeCustomKeyStores             => custom_key_stores::describe,  access::custom_key_stores;
    write ConnectCustomKeyStore               => custom_key_stores::connect,   access::custom_key_stores;
    write DisconnectCustomKeyStore            => custom_key_stores::disconnect, access::custom_key_stores;
    write UpdateCustomKeyStore                => custom_key_stores::update,    access::custom_key_stores;
    write DeleteCustomKeyStore                => custom_key_stores::delete,    access::custom_key_stores;
};

/// AWS Key Management Service.
pub static SERVICE: Service = Service {
    quick: &["Decrypt", "Encrypt", "GenerateDataKey"],
    resource_policy: Some(|tx, check| policies::resource_policy(tx, &check.resource)),
    resource_tags: Some(tags::of_resource),
    tasks: &[
        Task {
            name: tasks::DUE_KEYS,
            every: Duration::from_secs(60),
            run: |cx| Box::pin(tasks::do_what_is_due(cx)),
        },
        Task {
            name: tasks::BOOKS,
            every: Duration::from_secs(60),
            run: |cx| Box::pin(tasks::keep_books(cx)),
        },
    ],
    tables: store::TABLES,
    reset: Some(reset::reset),
    replaced: Some(reset::forget),
    ..Service::new(&model::SERVICE, Style::DEFAULT, OPERATIONS)
};
