//! The command line.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::config::{BucketDefaults, Durability, Iam, Mode};
use crate::places::Place;

/// Your own AWS-compatible cloud in one binary.
#[derive(Debug, Parser)]
#[command(
    version,
    about,
    after_help = "Examples:\n  \
        fogbank start                        start, with state in your data directory\n  \
        fogbank start --ephemeral            start with state in memory, for CI\n  \
        eval \"$(fogbank env)\"                let every AWS tool in this shell use it\n  \
        fogbank run -- aws s3 mb s3://demo   let one command use it"
)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Start the cloud in the foreground; prints `Ready.` when it serves
    Start(Box<StartOptions>),
    /// Print what makes AWS tools in a shell use the cloud: eval "$(fogbank env)"
    Env(EnvOptions),
    /// Run a command whose AWS calls go to the cloud, and cannot reach AWS by accident
    Run(RunOptions),
    /// Check this machine: port, state, disk, sandboxes, runtimes
    Doctor(DoctorOptions),
    /// Show or change the running cloud's time: advance, freeze, scale, reset
    Clock(ClockOptions),
    /// Tell why calls were refused or allowed, and which policy would do
    Iam(IamOptions),
    /// Save, load and compare the state of the running cloud
    Snapshot(SnapshotOptions),
    /// Remove the state of the running cloud, or of one service or account of it
    Reset(ResetOptions),
    /// Write the state of the running cloud to a file or to S3
    Backup(BackupOptions),
    /// Make a data directory of a backup
    Restore(RestoreOptions),
}

/// Which running cloud an administrator's command means, and how the command answers. Credentials come from
/// `AWS_ACCESS_KEY_ID` and the like; without them, `test`/`test` is tried.
#[derive(Debug, Args)]
pub(crate) struct AdminOptions {
    /// Endpoint of the cloud [default: http://127.0.0.1:4566]
    #[arg(long, global = true, env = "AWS_ENDPOINT_URL", hide_env = true)]
    pub(crate) endpoint: Option<String>,
    /// Print the answer as JSON
    #[arg(long, global = true)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct ClockOptions {
    #[command(flatten)]
    pub(crate) admin: AdminOptions,
    /// The change; without one, the time is shown
    #[command(subcommand)]
    pub(crate) change: Option<ClockChange>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum ClockChange {
    /// Move the time forward
    Advance {
        /// How far, in s, m, h, d and w: 3d, 90s, 1d12h
        span: String,
    },
    /// Have the clock stand still
    Freeze {
        /// The time to stand at, such as 2027-01-31 or 2027-01-31T12:00:00Z [default: where it is]
        time: Option<String>,
    },
    /// Have the clock run faster or slower than the machine's, from where it is
    Scale {
        /// How many times as fast, up to 10000
        rate: f64,
    },
    /// Go back to the machine's time
    Reset,
}

#[derive(Debug, Args)]
pub(crate) struct IamOptions {
    #[command(flatten)]
    pub(crate) admin: AdminOptions,
    #[command(subcommand)]
    pub(crate) command: IamCommand,
}

#[derive(Debug, Subcommand)]
pub(crate) enum IamCommand {
    /// Show who decided over a request: caller, context, every policy, and the smallest permission that is missing
    Explain {
        /// The request's id, which the answer of every call carries
        request_id: String,
    },
    /// List what was refused, or would have been under `--iam warn`, the newest first
    Refused {
        /// Only calls of this user, role or session, by its ARN
        #[arg(long, value_name = "ARN")]
        principal: Option<String>,
        /// Only since then: a time, or so long ago, such as 2h or 1d
        #[arg(long)]
        since: Option<String>,
        /// How many to show [default: 20]
        #[arg(long)]
        limit: Option<usize>,
    },
    /// Print the least policy that allows what somebody was seen to do
    Suggest {
        /// The ARN of the user, role or root
        #[arg(long, value_name = "ARN")]
        principal: String,
        /// Only what was seen since then: a time, or so long ago, such as 2h or 1d
        #[arg(long)]
        since: Option<String>,
    },
}

#[derive(Debug, Args)]
pub(crate) struct SnapshotOptions {
    #[command(flatten)]
    pub(crate) admin: AdminOptions,
    #[command(subcommand)]
    pub(crate) command: SnapshotCommand,
}

#[derive(Debug, Subcommand)]
pub(crate) enum SnapshotCommand {
    /// Keep the present state under a name
    Save {
        /// Name of the snapshot
        name: String,
    },
    /// Put the state of a snapshot in place of the present one
    Load {
        /// Name of the snapshot
        name: String,
    },
    /// List the snapshots; `*` marks the one that the present state comes from
    List,
    /// Show what has changed
    Diff {
        /// The earlier state [default: the snapshot that the present state comes from]
        from: Option<String>,
        /// The later state [default: the present one]
        to: Option<String>,
        /// How many keys to show of each table [default: 20]
        #[arg(long)]
        limit: Option<usize>,
    },
    /// Remove a snapshot
    Delete {
        /// Name of the snapshot
        name: String,
    },
}

#[derive(Debug, Args)]
pub(crate) struct ResetOptions {
    #[command(flatten)]
    pub(crate) admin: AdminOptions,
    /// Only what this service keeps, such as `s3`
    #[arg(long)]
    pub(crate) service: Option<String>,
    /// Only what this account has, by its 12 digits
    #[arg(long)]
    pub(crate) account: Option<String>,
    /// Do not ask
    #[arg(long)]
    pub(crate) yes: bool,
}

#[derive(Debug, Args)]
pub(crate) struct BackupOptions {
    #[command(flatten)]
    pub(crate) admin: AdminOptions,
    /// The file to write, or `s3://BUCKET/KEY`
    pub(crate) to: Place,
    /// Endpoint of the bucket [default: that of AWS]; its credentials: BACKUP_AWS_ACCESS_KEY_ID and the like
    #[arg(long, value_name = "URL")]
    pub(crate) s3_endpoint: Option<String>,
    /// Write this snapshot in place of the present state
    #[arg(long)]
    pub(crate) snapshot: Option<String>,
    /// Put the root key into the backup, from this file (ROOT_KEY in the data directory, or what --root-key-file names):
    /// who has the backup can then read everything in it
    #[arg(long, value_name = "FILE")]
    pub(crate) with_root_key: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct RestoreOptions {
    /// The backup: a file, or `s3://BUCKET/KEY`
    pub(crate) from: Place,
    /// Endpoint of the bucket [default: that of AWS]; its credentials: BACKUP_AWS_ACCESS_KEY_ID and the like
    #[arg(long, value_name = "URL")]
    pub(crate) s3_endpoint: Option<String>,
    /// The directory to make; `start` is given the same
    #[arg(long, value_name = "DIR", required_unless_present = "verify")]
    pub(crate) data_dir: Option<PathBuf>,
    /// Only read all of it and check it
    #[arg(long, conflicts_with = "data_dir")]
    pub(crate) verify: bool,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// Flags of `start`. Each is also a key of `fogbank.toml` and an environment variable `FOGBANK_…`.
#[derive(Debug, Default, Args)]
pub(crate) struct StartOptions {
    /// Address and port to listen on [default: 127.0.0.1:4566]
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) listen: Option<SocketAddr>,
    /// Directory of all state [default: fogbank in your data directory]
    #[arg(long, value_name = "DIR")]
    pub(crate) data_dir: Option<PathBuf>,
    /// Keep state in memory only
    #[arg(long)]
    pub(crate) ephemeral: bool,
    /// Space on the disk, in MiB, below which nothing new is stored [default: 256, less on a small disk]
    #[arg(long, value_name = "MIB")]
    pub(crate) disk_reserve_mib: Option<u64>,
    /// The file of the key that seals keys at rest [default: ROOT_KEY in the data directory, made at the first start]
    #[arg(long, value_name = "FILE")]
    pub(crate) root_key_file: Option<PathBuf>,
    /// How fast rows and blobs are read once a day to find damage, in MiB a second; 0 turns it off [default: 4]
    #[arg(long, value_name = "MIB")]
    pub(crate) scrub_mib: Option<u32>,
    /// When a write is acknowledged [default: fsync]
    #[arg(long, value_enum)]
    pub(crate) durability: Option<Durability>,
    /// Who may call: a developer's machine or a server [default: dev]
    #[arg(long, value_enum)]
    pub(crate) mode: Option<Mode>,
    /// What becomes of calls that IAM does not allow [default: enforce]
    #[arg(long, value_enum)]
    pub(crate) iam: Option<Iam>,
    /// How many decisions of each kind, allowed and refused, are kept to be explained [default: 1024]
    #[arg(long, value_name = "COUNT")]
    pub(crate) iam_decisions: Option<u32>,
    /// Take access keys that nobody created as the root of the default account (dev mode only)
    #[arg(long)]
    pub(crate) accept_any_credentials: bool,
    /// Serve other machines; without it only names of this machine are served
    #[arg(long)]
    pub(crate) allow_remote: bool,
    /// Region of calls that name none [default: us-east-1]
    #[arg(long)]
    pub(crate) region: Option<String>,
    /// Default account, 12 digits [default: 000000000000]
    #[arg(long)]
    pub(crate) account: Option<String>,
    /// What new buckets of S3 have [default: today]
    #[arg(long, value_enum)]
    pub(crate) s3_bucket_defaults: Option<BucketDefaults>,
    /// Memory for objects of S3 that are read again and again, in MiB; 0 turns it off [default: 32]
    #[arg(long, value_name = "MIB")]
    pub(crate) s3_cache_mib: Option<u32>,
    /// Directory of Python packages that functions find, as boto3 on AWS [default: none]
    #[arg(long, value_name = "DIR")]
    pub(crate) lambda_python_packages: Option<PathBuf>,
    /// Memory for rows read from disk, in MiB [default: 64]
    #[arg(long, value_name = "MIB")]
    pub(crate) cache_mib: Option<u32>,
    /// How much is written before it moves from memory to a file, in MiB [default: 24]
    #[arg(long, value_name = "MIB")]
    pub(crate) memtable_mib: Option<u32>,
    /// What to log, such as `info` or `fogbank_gateway=debug` [default: info]
    #[arg(long, value_name = "FILTER")]
    pub(crate) log: Option<String>,
    /// Configuration file [default: fogbank.toml here or above, then in your config directory]
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct EnvOptions {
    /// Form of the output
    #[arg(long, value_enum, default_value_t = Shell::Bash)]
    pub(crate) shell: Shell,
    /// Endpoint of the cloud
    #[arg(long, default_value = "http://127.0.0.1:4566")]
    pub(crate) endpoint: String,
    /// Region
    #[arg(long, default_value = "us-east-1")]
    pub(crate) region: String,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum Shell {
    Bash,
    Zsh,
    Fish,
    Powershell,
    Dotenv,
    Github,
}

#[derive(Debug, Args)]
pub(crate) struct RunOptions {
    /// Endpoint of the cloud
    #[arg(long, default_value = "http://127.0.0.1:4566")]
    pub(crate) endpoint: String,
    /// Region
    #[arg(long, default_value = "us-east-1")]
    pub(crate) region: String,
    /// The command and its arguments
    #[arg(last = true, required = true)]
    pub(crate) command: Vec<String>,
}

#[derive(Debug, Args)]
pub(crate) struct DoctorOptions {
    /// Address that `start` would listen on
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) listen: Option<SocketAddr>,
    /// Directory that `start` would use
    #[arg(long, value_name = "DIR")]
    pub(crate) data_dir: Option<PathBuf>,
    /// Open the state too, as `start` would: read every row and look for every blob
    #[arg(long)]
    pub(crate) deep: bool,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}
