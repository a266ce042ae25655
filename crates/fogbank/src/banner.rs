//! The banner: every line is a promise.

use std::fmt::Write as _;
use std::net::SocketAddr;
use std::time::Duration;

use fogbank_core::Clock;
use fogbank_gateway::Banner;

use crate::config::{Config, Durability, Iam, Mode};

/// What `/_fogbank/health` says of the mode.
pub(crate) fn health(config: &Config) -> Banner {
    Banner { version: env!("CARGO_PKG_VERSION"), state: state(config), identity: identity(config) }
}

/// Prints the banner to stderr; stdout is for `Ready.` alone.
pub(crate) fn print(config: &Config, address: SocketAddr, took: Duration, clock: &Clock) {
    let Config { region, account, .. } = config;
    let version = env!("CARGO_PKG_VERSION");
    let millis = took.as_millis();
    let mut text = String::new();
    let _ = write!(
        text,
        "Fogbank {version}   ready in {millis} ms\n  \
         Endpoint   http://{address}   (https on the same port)   region {region}   account {account}\n  \
         State      {}\n  \
         IAM        {}\n  \
         Compute    Lambda runs as sandboxed processes; `fogbank doctor` says what this machine has\n  \
         Shell      eval \"$(fogbank env{})\"\n",
        state(config),
        identity(config),
        if address.port() == 4566 {
            String::new()
        } else {
            format!(" --endpoint http://{address}")
        },
    );
    if !clock.is_machines() {
        let (now, state) = (crate::clock::iso(clock.now()), crate::clock::state(clock));
        let _ = writeln!(text, "  Clock      {now}, {state}; `fogbank clock reset` ends that");
    }
    for notice in &config.notices {
        let _ = writeln!(text, "  Note       {notice}");
    }
    eprint!("{text}");
}

/// Shows the root's access key, which server mode makes at the first start, the only time that it can be shown.
pub(crate) fn print_root_key(id: &str, secret: &str) {
    eprint!(
        "  Root key   AWS_ACCESS_KEY_ID={id} AWS_SECRET_ACCESS_KEY={secret}\n             \
         Keep it now: it is not shown again. Create users with it, then put it away.\n"
    );
}

fn state(config: &Config) -> String {
    if config.ephemeral {
        return "ephemeral: in memory, gone when the process ends".to_owned();
    }
    let directory = config.data_dir.display();
    let Config { cache_mib, memtable_mib, s3_cache_mib, .. } = config;
    let memory = format!(
        "cache {cache_mib} MiB, memtables of {memtable_mib} MiB, S3's cache {s3_cache_mib} MiB"
    );
    match config.durability {
        Durability::Fsync => {
            format!("durable in {directory} (on disk before acknowledged); {memory}")
        }
        Durability::Buffered => {
            format!("in {directory}, buffered: a power cut may lose the last moments; {memory}")
        }
    }
}

fn identity(config: &Config) -> String {
    let who = match config.mode {
        Mode::Server => "for everybody (mode: server)".to_owned(),
        Mode::Dev if config.accept_any_credentials => {
            format!("for what you create; any unknown key is the root ({})", config.accept_reason)
        }
        Mode::Dev => "for what you create; test/test is the account's root (mode: dev)".to_owned(),
    };
    match config.iam {
        Iam::Enforce => format!("enforced {who}"),
        Iam::Warn => format!(
            "NOT ENFORCED (iam: warn): what AWS would refuse is answered and recorded, `fogbank iam refused` lists it; \
             signatures are verified {who}"
        ),
        Iam::Off => format!(
            "NOT ENFORCED (iam: off): whoever can sign may do everything, no policy is looked at; signatures are \
             verified {who}"
        ),
    }
}
