//! How functions lie on disk.

use std::collections::BTreeMap;

use fogbank_core::store::{BlobRef, Error, Read, Table, TableLabel, Write, row};
use fogbank_core::{Ids, Tx, WriteTx};
use serde::{Deserialize, Serialize};

use crate::code::Package;
use crate::error;
use crate::rules::target::Target;

/// Account, region and name of a function.
pub(crate) type FunctionKey = (String, String, String);
/// A function and the number of a version, 0 for `$LATEST`.
pub(crate) type VersionKey = (String, String, String, u64);
/// A function and a qualifier or an alias.
pub(crate) type QualifiedKey = (String, String, String, String);
/// A function's id, when the event is due in milliseconds since 1970, and the event's id.
pub(crate) type EventKey = (String, u64, String);

/// The functions: what all versions share.
pub(crate) static FUNCTIONS: Table<FunctionKey, Function> = Table::new("lambda.functions", 0x0601);
/// The versions of functions.
pub(crate) static VERSIONS: Table<VersionKey, Version> = Table::new("lambda.versions", 0x0602);
/// The aliases of functions.
pub(crate) static ALIASES: Table<QualifiedKey, Alias> = Table::new("lambda.aliases", 0x0603);
/// Resource policies by qualifier; the empty qualifier is the function itself.
pub(crate) static POLICIES: Table<QualifiedKey, Policy> = Table::new("lambda.policies", 0x0604);
/// How asynchronous invocations are handled, by qualifier.
pub(crate) static INVOKE_CONFIGS: Table<QualifiedKey, InvokeConfig> =
    Table::new("lambda.invoke-configs", 0x0605);
/// Asynchronous invocations that are not done.
pub(crate) static EVENTS: Table<EventKey, Event> = Table::new("lambda.events", 0x0606);
/// Versions that are being created or updated.
pub(crate) static TRANSITIONS: Table<VersionKey, ()> = Table::new("lambda.transitions", 0x0607);

/// Event source mappings by account, region and UUID.
pub(crate) static MAPPINGS: Table<FunctionKey, Mapping> = Table::new("lambda.mappings", 0x0608);

/// Layers: what all versions share.
pub(crate) static LAYERS: Table<FunctionKey, Layer> = Table::new("lambda.layers", 0x0609);
/// Versions of layers.
pub(crate) static LAYER_VERSIONS: Table<VersionKey, LayerVersion> =
    Table::new("lambda.layer-versions", 0x060a);

/// All tables.
pub(crate) static TABLES: &[TableLabel] = &[
    FUNCTIONS.label(),
    VERSIONS.label(),
    ALIASES.label(),
    POLICIES.label(),
    INVOKE_CONFIGS.label(),
    EVENTS.label(),
    TRANSITIONS.label(),
    MAPPINGS.label(),
    LAYERS.label(),
    LAYER_VERSIONS.label(),
];

/// A function: what all its versions share.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Function {
    /// Tells the function from an earlier one of the same name.
    pub(crate) id: String,
    /// The number of the version that is published next.
    pub(crate) next_version: u64,
    /// The deployment of `$LATEST` that was published last, and the version that it became.
    pub(crate) published: Option<(String, u64)>,
    /// How often it may run at one time; `None` leaves it to the account.
    pub(crate) reserved: Option<u32>,
    pub(crate) tags: BTreeMap<String, String>,
}

row!(Function, 1);

/// A version of a function, or `$LATEST`: everything that an execution environment is made of.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Version {
    pub(crate) runtime: String,
    pub(crate) handler: String,
    pub(crate) role: String,
    pub(crate) description: String,
    pub(crate) timeout_secs: u32,
    pub(crate) memory_mb: u32,
    pub(crate) scratch_mb: u32,
    /// `None` if the function never had variables; AWS then shows no `Environment`.
    pub(crate) variables: Option<BTreeMap<String, String>>,
    pub(crate) dead_letter_arn: Option<String>,
    pub(crate) traces: bool,
    pub(crate) architecture: String,
    pub(crate) snap_start: bool,
    /// Whether the configuration names a VPC, which can only be an empty one.
    pub(crate) vpc: bool,
    pub(crate) layers: Vec<AttachedLayer>,
    pub(crate) logging: Logging,
    pub(crate) code: Code,
    pub(crate) last_modified_millis: i64,
    pub(crate) revision_id: String,
    /// Changes with code and configuration only; an execution environment is of one deployment.
    pub(crate) deployment: String,
    pub(crate) state: State,
}

row!(Version, 1);

/// A layer of a function.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct AttachedLayer {
    pub(crate) arn: String,
    pub(crate) code: Code,
}

/// A layer: what all its versions share.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Layer {
    /// The number of the version that is published next.
    pub(crate) next_version: u64,
}

row!(Layer, 1);

/// A version of a layer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct LayerVersion {
    pub(crate) description: String,
    pub(crate) license: Option<String>,
    pub(crate) runtimes: Option<Vec<String>>,
    pub(crate) architectures: Option<Vec<String>>,
    pub(crate) created_millis: i64,
    pub(crate) code: Code,
}

row!(LayerVersion, 1);

/// Where a function's log goes, and what of it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Logging {
    pub(crate) json: bool,
    pub(crate) application_level: Option<String>,
    pub(crate) system_level: Option<String>,
    pub(crate) group: Option<String>,
}

/// A deployment package.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Code {
    pub(crate) zip: BlobRef,
    /// The SHA-256 of the zip file, in hexadecimal digits.
    pub(crate) sha256: String,
    pub(crate) bytes: u64,
    /// What it takes unpacked.
    pub(crate) unzipped_bytes: u64,
    /// Signs the address under which the package can be downloaded.
    pub(crate) download_key: String,
}

impl Code {
    /// A package that has just come in.
    pub(crate) fn new(package: Package, ids: &Ids) -> Code {
        Code {
            zip: package.zip,
            sha256: package.sha256,
            bytes: package.bytes,
            unzipped_bytes: package.unzipped_bytes,
            download_key: ids.hex(32),
        }
    }
}

/// How far a version has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum State {
    /// It is being created and cannot run yet.
    Pending,
    /// It can run.
    Active,
    /// It can run, and is being updated.
    Updating,
}

/// A name for a version, or for two of them by weight.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Alias {
    pub(crate) version: u64,
    pub(crate) description: String,
    /// A second version and the share of invocations that it gets, from 0 to 1.
    pub(crate) also: Option<(u64, f64)>,
    pub(crate) revision_id: String,
}

row!(Alias, 1);

/// The policy on a function, a version or an alias.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Policy {
    /// Changes with the statements.
    pub(crate) revision_id: String,
    /// Statement ids and statements as JSON, in the order in which they were added.
    pub(crate) statements: Vec<(String, String)>,
}

row!(Policy, 1);

impl Policy {
    /// The document as JSON.
    pub(crate) fn document(&self) -> String {
        let statements: Vec<&str> =
            self.statements.iter().map(|(_, statement)| statement.as_str()).collect();
        format!(
            r#"{{"Version":"2012-10-17","Id":"default","Statement":[{}]}}"#,
            statements.join(",")
        )
    }
}

/// How asynchronous invocations are handled.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct InvokeConfig {
    pub(crate) max_retries: Option<u32>,
    pub(crate) max_age_secs: Option<u32>,
    pub(crate) on_success: Option<String>,
    pub(crate) on_failure: Option<String>,
    pub(crate) last_modified_millis: i64,
}

row!(InvokeConfig, 1);

/// An asynchronous invocation that is not done.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Event {
    pub(crate) account: String,
    pub(crate) region: String,
    pub(crate) name: String,
    pub(crate) qualifier: Option<String>,
    pub(crate) payload: BlobRef,
    pub(crate) client_context: Option<String>,
    pub(crate) queued_millis: i64,
    /// How often the function was run and reported an error.
    pub(crate) failures: u32,
    /// How often it could not be run at all since the last run.
    pub(crate) refusals: u32,
    /// What the last run answered, for the destination of events that grow too old.
    pub(crate) last: Option<LastRun>,
}

row!(Event, 1);

/// The end of an asynchronous run that failed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct LastRun {
    pub(crate) executed_version: String,
    /// The error document, cut off where it is too long for a destination.
    pub(crate) payload: String,
}

impl Event {
    /// Which function, version or alias is to run.
    pub(crate) fn target(&self) -> Target {
        Target {
            account: self.account.clone(),
            region: self.region.clone(),
            name: self.name.clone(),
            qualifier: self.qualifier.clone(),
        }
    }
}

/// A queue whose messages a function gets.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Mapping {
    pub(crate) queue_arn: String,
    /// The function's name and the qualifier, if one was given.
    pub(crate) function: String,
    pub(crate) qualifier: Option<String>,
    pub(crate) enabled: bool,
    pub(crate) phase: Phase,
    pub(crate) batch_size: u32,
    pub(crate) window_secs: u32,
    /// Whether the function's answer names the messages that it could not handle.
    pub(crate) reports_failures: bool,
    /// How many batches it gets at one time.
    pub(crate) max_concurrency: Option<u32>,
    pub(crate) modified_millis: i64,
    /// Changes with every update.
    pub(crate) revision: String,
    pub(crate) tags: BTreeMap<String, String>,
}

row!(Mapping, 1);

/// How far a mapping has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Phase {
    Creating,
    Updating,
    Enabling,
    Disabling,
    Deleting,
    Settled,
}

/// The function, or the error that it does not exist.
pub(crate) fn function(tx: &impl Read, target: &Target) -> Result<Function, error::Error> {
    FUNCTIONS
        .get(tx, &target.key())?
        .ok_or_else(|| error::function_not_found(&target.function_arn()))
}

/// The version with a number.
pub(crate) fn version(
    tx: &impl Read,
    target: &Target,
    number: u64,
) -> Result<Option<Version>, Error> {
    VERSIONS.get(tx, &version_key(target, number))
}

/// The unpublished version, or the error that the function does not exist.
pub(crate) fn latest(tx: &impl Read, target: &Target) -> Result<Version, error::Error> {
    version(tx, target, 0)?.ok_or_else(|| error::function_not_found(&target.function_arn()))
}

/// Writes a version.
pub(crate) fn put_version(
    tx: &mut impl Write,
    target: &Target,
    number: u64,
    version: &Version,
) -> Result<(), Error> {
    VERSIONS.put(tx, &version_key(target, number), version)
}

/// The alias with a name.
pub(crate) fn alias(tx: &impl Read, target: &Target, name: &str) -> Result<Option<Alias>, Error> {
    ALIASES.get(tx, &qualified_key(target, name))
}

/// The key of a version's row.
pub(crate) fn version_key(target: &Target, number: u64) -> (&str, &str, &str, u64) {
    let (account, region, name) = target.key();
    (account, region, name, number)
}

/// The key of a row of an alias or qualifier.
pub(crate) fn qualified_key<'a>(
    target: &'a Target,
    qualifier: &'a str,
) -> (&'a str, &'a str, &'a str, &'a str) {
    let (account, region, name) = target.key();
    (account, region, name, qualifier)
}

/// Removes a version and frees its code.
pub(crate) fn remove_version(
    tx: &mut WriteTx<'_>,
    target: &Target,
    number: u64,
) -> Result<(), Error> {
    let key = version_key(target, number);
    if let Some(version) = VERSIONS.get(tx, &key)? {
        tx.free_blob(&version.code.zip)?;
        free_layers(tx, &version)?;
        VERSIONS.delete(tx, &key)?;
        TRANSITIONS.delete(tx, &key)?;
    }
    Ok(())
}

/// Frees the packages of a version's layers.
pub(crate) fn free_layers(tx: &mut WriteTx<'_>, version: &Version) -> Result<(), Error> {
    version.layers.iter().try_for_each(|layer| tx.free_blob(&layer.code.zip))
}

/// A new revision id.
pub(crate) fn revision(tx: &impl Tx) -> String {
    tx.ids().uuid()
}
