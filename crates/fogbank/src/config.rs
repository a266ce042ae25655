//! Settings: flags over `FOGBANK_…` variables over LocalStack's variables over `fogbank.toml`.
//!
//! A key or variable that is not known is refused: a setting that is silently ignored is a promise
//! that is silently broken.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail, ensure};
use clap::ValueEnum;
use serde::Deserialize;

use crate::cli::StartOptions;

/// When a write is acknowledged.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, ValueEnum)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Durability {
    /// After it is on disk
    #[default]
    Fsync,
    /// After the operating system has it
    Buffered,
}

/// Who may call.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, ValueEnum)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Mode {
    /// A developer's machine: test/test is the root
    #[default]
    Dev,
    /// A server: only keys that were created
    Server,
}

/// What becomes of calls that IAM does not allow.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, ValueEnum)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Iam {
    /// They are refused
    #[default]
    Enforce,
    /// They are answered, and what AWS would refuse is recorded
    Warn,
    /// They are answered; no policy is looked at
    Off,
}

/// What new buckets of S3 have.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum BucketDefaults {
    /// No ACLs, nothing public, no customers' keys (SSE-C)
    #[default]
    Today,
    /// As before April 2026: customers' keys are taken
    #[value(name = "before-2026")]
    #[serde(rename = "before-2026")]
    Before2026,
    /// As before April 2023: ACLs count, and nothing public is blocked
    #[value(name = "before-2023")]
    #[serde(rename = "before-2023")]
    Before2023,
}

/// The keys of `fogbank.toml`.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    listen: Option<SocketAddr>,
    data_dir: Option<PathBuf>,
    ephemeral: Option<bool>,
    durability: Option<Durability>,
    disk_reserve_mib: Option<u64>,
    root_key_file: Option<PathBuf>,
    scrub_mib: Option<u32>,
    mode: Option<Mode>,
    iam: Option<Iam>,
    iam_decisions: Option<u32>,
    accept_any_credentials: Option<bool>,
    allow_remote: Option<bool>,
    region: Option<String>,
    account: Option<String>,
    s3_bucket_defaults: Option<BucketDefaults>,
    s3_cache_mib: Option<u32>,
    lambda_python_packages: Option<PathBuf>,
    cache_mib: Option<u32>,
    memtable_mib: Option<u32>,
    log: Option<String>,
}

/// The names of all keys, as `FOGBANK_…` variables spell them.
const KEYS: &[&str] = &[
    "LISTEN",
    "DATA_DIR",
    "EPHEMERAL",
    "DURABILITY",
    "DISK_RESERVE_MIB",
    "ROOT_KEY_FILE",
    "SCRUB_MIB",
    "MODE",
    "IAM",
    "IAM_DECISIONS",
    "ACCEPT_ANY_CREDENTIALS",
    "ALLOW_REMOTE",
    "REGION",
    "ACCOUNT",
    "S3_BUCKET_DEFAULTS",
    "S3_CACHE_MIB",
    "LAMBDA_PYTHON_PACKAGES",
    "CACHE_MIB",
    "MEMTABLE_MIB",
    "LOG",
];

/// Everything that `start` needs to know.
#[derive(Debug)]
pub(crate) struct Config {
    pub(crate) listen: SocketAddr,
    pub(crate) data_dir: PathBuf,
    pub(crate) ephemeral: bool,
    pub(crate) durability: Durability,
    pub(crate) disk_reserve_mib: Option<u64>,
    pub(crate) root_key_file: Option<PathBuf>,
    pub(crate) scrub_mib: Option<u32>,
    pub(crate) mode: Mode,
    pub(crate) iam: Iam,
    /// How many decisions of each kind are kept to be explained.
    pub(crate) iam_decisions: u32,
    pub(crate) accept_any_credentials: bool,
    /// Why unknown credentials are taken, for the banner.
    pub(crate) accept_reason: &'static str,
    pub(crate) allow_remote: bool,
    pub(crate) region: String,
    pub(crate) account: String,
    pub(crate) s3_bucket_defaults: BucketDefaults,
    /// Memory for bodies of S3 that are read again and again.
    pub(crate) s3_cache_mib: u32,
    pub(crate) lambda_python_packages: Option<PathBuf>,
    /// Memory for rows read from disk.
    pub(crate) cache_mib: u32,
    /// How much is written before it moves from memory to a file.
    pub(crate) memtable_mib: u32,
    pub(crate) log: String,
    /// What the operator should hear of the settings.
    pub(crate) notices: Vec<String>,
}

/// The variables of this process; those that are not text cannot be settings.
pub(crate) fn environment() -> BTreeMap<String, String> {
    std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
        .collect()
}

impl Config {
    /// Puts flags, variables and the file together.
    pub(crate) fn load(
        flags: &StartOptions,
        variables: &BTreeMap<String, String>,
    ) -> anyhow::Result<Config> {
        let file = read_file(flags.config.as_deref())?;
        let variable = Variables::of_ours(variables)?;
        let localstack = LocalStack::read(variables)?;
        let mode = variable.chosen(flags.mode, "MODE", file.mode)?;
        let accept = if flags.accept_any_credentials {
            Some(true)
        } else {
            variable.parse("ACCEPT_ANY_CREDENTIALS")?.or(file.accept_any_credentials)
        };
        let region = localstack.region.or(file.region);
        Config {
            listen: variable
                .under(flags.listen, "LISTEN", localstack.listen.or(file.listen))?
                .unwrap_or_else(|| SocketAddr::from(([127, 0, 0, 1], 4566))),
            data_dir: variable
                .under(flags.data_dir.clone(), "DATA_DIR", file.data_dir)?
                .map_or_else(|| default_data_dir(variables), Ok)?,
            ephemeral: variable.truth(flags.ephemeral, "EPHEMERAL", file.ephemeral)?,
            durability: variable.chosen(flags.durability, "DURABILITY", file.durability)?,
            disk_reserve_mib: variable.under(
                flags.disk_reserve_mib,
                "DISK_RESERVE_MIB",
                file.disk_reserve_mib,
            )?,
            root_key_file: variable.under(
                flags.root_key_file.clone(),
                "ROOT_KEY_FILE",
                file.root_key_file,
            )?,
            scrub_mib: variable.under(flags.scrub_mib, "SCRUB_MIB", file.scrub_mib)?,
            mode,
            iam: variable.chosen(flags.iam, "IAM", file.iam)?,
            iam_decisions: variable
                .under(flags.iam_decisions, "IAM_DECISIONS", file.iam_decisions)?
                .unwrap_or(1024),
            // Old habits are met where nobody asked otherwise, and never on a server.
            accept_any_credentials: accept.unwrap_or(localstack.is_present && mode == Mode::Dev),
            accept_reason: match accept {
                Some(_) => "as you asked",
                None => "LocalStack settings found",
            },
            allow_remote: variable.truth(flags.allow_remote, "ALLOW_REMOTE", file.allow_remote)?,
            region: variable.text(&flags.region, "REGION", region, "us-east-1")?,
            account: variable.text(&flags.account, "ACCOUNT", file.account, "000000000000")?,
            s3_bucket_defaults: variable.chosen(
                flags.s3_bucket_defaults,
                "S3_BUCKET_DEFAULTS",
                file.s3_bucket_defaults,
            )?,
            s3_cache_mib: variable
                .under(flags.s3_cache_mib, "S3_CACHE_MIB", file.s3_cache_mib)?
                .unwrap_or(32),
            lambda_python_packages: variable.under(
                flags.lambda_python_packages.clone(),
                "LAMBDA_PYTHON_PACKAGES",
                file.lambda_python_packages,
            )?,
            cache_mib: variable.under(flags.cache_mib, "CACHE_MIB", file.cache_mib)?.unwrap_or(64),
            memtable_mib: variable
                .under(flags.memtable_mib, "MEMTABLE_MIB", file.memtable_mib)?
                .unwrap_or(24),
            log: variable.text(&flags.log, "LOG", file.log, "info")?,
            notices: localstack.notices,
        }
        .checked()
    }

    fn checked(self) -> anyhow::Result<Config> {
        let is_account =
            self.account.len() == 12 && self.account.bytes().all(|b| b.is_ascii_digit());
        ensure!(is_account, "the account must have 12 digits, not {:?}", self.account);
        let is_server = self.mode == Mode::Server;
        ensure!(
            !(is_server && self.accept_any_credentials),
            "accept-any-credentials is for dev mode only"
        );
        ensure!(
            self.listen.ip().is_loopback() || self.allow_remote,
            "{} is reachable from other machines: add --allow-remote if you mean it",
            self.listen
        );
        ensure!(
            self.cache_mib >= 1 && (1..=200).contains(&self.memtable_mib),
            "--cache-mib must be at least 1, and --memtable-mib between 1 and 200"
        );
        ensure!(self.iam_decisions <= 100_000, "--iam-decisions must be at most 100000");
        ensure!(
            is_server || !self.allow_remote,
            "--allow-remote needs --mode server: in dev mode everybody knows the root's key"
        );
        Ok(self)
    }
}

fn read_file(named: Option<&Path>) -> anyhow::Result<File> {
    let path = match named {
        Some(path) => path.to_owned(),
        None => match find_file() {
            Some(path) => path,
            None => return Ok(File::default()),
        },
    };
    let text = std::fs::read_to_string(&path)
        .with_context(|| format!("cannot read {}", path.display()))?;
    toml::from_str(&text).with_context(|| format!("in {}", path.display()))
}

fn find_file() -> Option<PathBuf> {
    let here = std::env::current_dir().ok()?;
    let above = here.ancestors().map(|directory| directory.join("fogbank.toml"));
    let home = std::env::var_os("HOME").map(PathBuf::from);
    let user = std::env::var_os("XDG_CONFIG_HOME")
        .map(PathBuf::from)
        .or_else(|| home.map(|home| home.join(".config")))
        .map(|directory| directory.join("fogbank/fogbank.toml"));
    above.chain(user).find(|path| path.is_file())
}

fn default_data_dir(variables: &BTreeMap<String, String>) -> anyhow::Result<PathBuf> {
    if let Some(base) = variables.get("XDG_DATA_HOME").filter(|base| !base.is_empty()) {
        return Ok(Path::new(base).join("fogbank"));
    }
    let home = variables.get("HOME").context("HOME is not set: name a --data-dir")?;
    Ok(Path::new(home).join(".local/share/fogbank"))
}

/// The `FOGBANK_…` variables without their prefix.
struct Variables<'a>(BTreeMap<&'a str, &'a str>);

impl<'a> Variables<'a> {
    /// Those of ours; one that is not known is refused.
    fn of_ours(variables: &'a BTreeMap<String, String>) -> anyhow::Result<Variables<'a>> {
        let mut ours = BTreeMap::new();
        for (name, value) in variables {
            let Some(key) = name.strip_prefix("FOGBANK_") else { continue };
            // Tests of this project have variables of their own.
            if key.starts_with("TEST_") {
                continue;
            }
            if !KEYS.contains(&key) {
                bail!("{name} is not a setting; known are FOGBANK_{}", KEYS.join(", FOGBANK_"));
            }
            ours.insert(key, value.as_str());
        }
        Ok(Variables(ours))
    }

    /// The flag over the variable over the file.
    fn under<T: std::str::FromStr>(
        &self,
        flag: Option<T>,
        key: &str,
        file: Option<T>,
    ) -> anyhow::Result<Option<T>>
    where
        T::Err: std::fmt::Display,
    {
        Ok(flag.or(self.parse(key)?).or(file))
    }

    /// The same for a setting of few values, one of which is the default.
    fn chosen<T: ValueEnum + Default>(
        &self,
        flag: Option<T>,
        key: &str,
        file: Option<T>,
    ) -> anyhow::Result<T> {
        let variable = match self.0.get(key).map(|value| T::from_str(value, true)).transpose() {
            Ok(choice) => choice,
            Err(error) => bail!("FOGBANK_{key}: {error}"),
        };
        Ok(flag.or(variable).or(file).unwrap_or_default())
    }

    fn truth(&self, flag: bool, key: &str, file: Option<bool>) -> anyhow::Result<bool> {
        Ok(flag || self.parse(key)?.or(file).unwrap_or(false))
    }

    fn text(
        &self,
        flag: &Option<String>,
        key: &str,
        lower: Option<String>,
        default: &str,
    ) -> anyhow::Result<String> {
        let given = self.under(flag.clone(), key, lower)?;
        Ok(given.unwrap_or_else(|| default.to_owned()))
    }

    fn parse<T: std::str::FromStr>(&self, key: &str) -> anyhow::Result<Option<T>>
    where
        T::Err: std::fmt::Display,
    {
        let Some(value) = self.0.get(key) else { return Ok(None) };
        let value = match *value {
            "1" if key_is_truth(key) => "true",
            "0" if key_is_truth(key) => "false",
            value => value,
        };
        match value.parse() {
            Ok(parsed) => Ok(Some(parsed)),
            Err(error) => bail!("FOGBANK_{key}={value:?}: {error}"),
        }
    }
}

fn key_is_truth(key: &str) -> bool {
    matches!(key, "EPHEMERAL" | "ACCEPT_ANY_CREDENTIALS" | "ALLOW_REMOTE")
}

/// What is taken over from variables that were written for LocalStack.
#[derive(Debug, Default)]
struct LocalStack {
    is_present: bool,
    listen: Option<SocketAddr>,
    region: Option<String>,
    notices: Vec<String>,
}

impl LocalStack {
    fn read(variables: &BTreeMap<String, String>) -> anyhow::Result<LocalStack> {
        let mut found = LocalStack::default();
        for (name, value) in variables {
            match name.as_str() {
                "GATEWAY_LISTEN" => {
                    let first = value.split(',').next().unwrap_or_default();
                    let address = if first.contains(':') {
                        first.to_owned()
                    } else {
                        format!("{first}:4566")
                    };
                    found.listen =
                        Some(address.parse().with_context(|| format!("GATEWAY_LISTEN={value:?}"))?);
                    found.is_present = true;
                }
                "DEFAULT_REGION" => found.region = Some(value.clone()),
                name if name.starts_with("LOCALSTACK_") => {
                    found.is_present = true;
                    found.notices.push(format!("{name} was written for LocalStack and is ignored"));
                }
                _ => {}
            }
        }
        Ok(found)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn load(pairs: &[(&str, &str)], flags: &StartOptions) -> anyhow::Result<Config> {
        let mut variables: BTreeMap<String, String> =
            pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        variables.insert("HOME".to_owned(), "/home/somebody".to_owned());
        Config::load(flags, &variables)
    }

    #[test]
    fn flags_win_over_variables() {
        let flags =
            StartOptions { region: Some("eu-west-1".to_owned()), ..StartOptions::default() };
        let config = load(&[("FOGBANK_REGION", "us-west-2"), ("FOGBANK_EPHEMERAL", "1")], &flags);
        let config = config.expect("a configuration");
        assert_eq!(config.region, "eu-west-1");
        assert!(config.ephemeral);
        assert_eq!(config.data_dir, Path::new("/home/somebody/.local/share/fogbank"));
    }

    #[test]
    fn every_key_of_the_file_is_a_variable() {
        let refusal = toml::from_str::<File>("no_such_key = 1").expect_err("unknown").to_string();
        let mut known: Vec<String> = refusal
            .split('`')
            .skip(1)
            .step_by(2)
            .filter(|key| *key != "no_such_key")
            .map(str::to_uppercase)
            .collect();
        let mut keys: Vec<String> = KEYS.iter().map(|key| (*key).to_owned()).collect();
        known.sort();
        keys.sort();
        assert_eq!(keys, known);
    }

    #[test]
    fn unknown_and_dangerous_settings_are_refused() {
        let none = StartOptions::default();
        let unknown = load(&[("FOGBANK_REGOIN", "x")], &none).expect_err("not a setting");
        assert!(unknown.to_string().contains("FOGBANK_REGOIN is not a setting"));
        assert!(load(&[("FOGBANK_ACCOUNT", "12")], &none).is_err());
        assert!(load(&[("FOGBANK_LISTEN", "0.0.0.0:4566")], &none).is_err());
        assert!(load(&[("FOGBANK_CACHE_MIB", "0")], &none).is_err());
        assert!(load(&[("FOGBANK_MEMTABLE_MIB", "201")], &none).is_err());
        assert!(
            load(&[("FOGBANK_LISTEN", "0.0.0.0:4566"), ("FOGBANK_ALLOW_REMOTE", "true")], &none)
                .is_err()
        );
        assert!(toml::from_str::<File>("regoin = \"x\"").is_err());
    }

    #[test]
    fn localstack_settings_imply_its_habits() {
        let config = load(&[("LOCALSTACK_FOO", "1")], &StartOptions::default());
        let config = config.expect("a configuration");
        assert!(config.accept_any_credentials);
        assert_eq!(config.notices.len(), 1);
    }

    #[test]
    fn localstack_settings_imply_nothing_on_a_server_or_where_it_was_refused() {
        let server = [("LOCALSTACK_FOO", "1"), ("FOGBANK_MODE", "server")];
        let refused = [("LOCALSTACK_FOO", "1"), ("FOGBANK_ACCEPT_ANY_CREDENTIALS", "0")];
        for variables in [server, refused] {
            let config = load(&variables, &StartOptions::default()).expect("a configuration");
            assert!(!config.accept_any_credentials, "{variables:?}");
        }
        let asked = [("FOGBANK_ACCEPT_ANY_CREDENTIALS", "1"), ("FOGBANK_MODE", "server")];
        assert!(load(&asked, &StartOptions::default()).is_err());
    }
}
