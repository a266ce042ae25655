//! `fogbank doctor`: what this machine offers, and what is missing.

use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::process::ExitCode;

use fogbank_compute::{Check, Compute, Status};
use fogbank_core::store::{self, Db, Scrubbed};

use crate::cli::DoctorOptions;
use crate::config::Config;

/// Damaged blobs that are named.
const DAMAGED_SHOWN: usize = 10;

/// One finding.
struct Finding {
    subject: String,
    good: bool,
    says: String,
}

/// Checks the machine and prints what was found; fails if `start` would.
#[expect(clippy::print_stdout, reason = "the output is the purpose")]
pub(crate) fn doctor(options: &DoctorOptions) -> anyhow::Result<ExitCode> {
    let flags = crate::cli::StartOptions {
        listen: options.listen,
        data_dir: options.data_dir.clone(),
        ..crate::cli::StartOptions::default()
    };
    let mut findings = match Config::load(&flags, &crate::config::environment()) {
        Ok(config) => {
            let mut findings = vec![port(config.listen)];
            findings.extend(directory(&config));
            let can_open = findings[1..].iter().all(|finding| finding.good);
            if options.deep && can_open && config.data_dir.join("FORMAT").exists() {
                findings.push(state(&config));
            }
            findings
        }
        Err(error) => vec![Finding {
            subject: "settings".to_owned(),
            good: false,
            says: format!("{error:#}"),
        }],
    };
    let can_start = findings.iter().all(|finding| finding.good);
    findings.extend(compute());
    if options.json {
        let rows: Vec<_> = findings
            .iter()
            .map(|f| serde_json::json!({ "check": f.subject, "ok": f.good, "says": f.says }))
            .collect();
        println!("{}", serde_json::to_string_pretty(&rows)?);
    } else {
        for Finding { subject, good, says } in &findings {
            println!("{} {subject:<14} {says}", if *good { "ok  " } else { "miss" });
        }
    }
    Ok(if can_start { ExitCode::SUCCESS } else { ExitCode::from(5) })
}

fn port(address: SocketAddr) -> Finding {
    let outcome = TcpListener::bind(address);
    let says = match &outcome {
        Ok(_) => format!("{address} is free"),
        Err(error) => format!("{address}: {error}; choose another with --listen"),
    };
    Finding { subject: "port".to_owned(), good: outcome.is_ok(), says }
}

/// What is to be said of the data directory, which is not changed by that.
fn directory(config: &Config) -> Vec<Finding> {
    let path = &config.data_dir;
    let seen = store::examine(path);
    let finding = |subject: &str, good: bool, says: String| Finding {
        subject: subject.to_owned(),
        good,
        says,
    };
    let (existing, place) = (seen.existing.display(), path.display());
    let is_usable = seen.is_writable && seen.refusal.is_none();
    let says = match &seen.refusal {
        Some(error) => error.to_string(),
        None if !seen.is_writable => {
            format!(
                "{existing} cannot be written: make it writable, or choose another with --data-dir"
            )
        }
        None if seen.is_database => format!("{place} holds state and can be used"),
        None => format!("{place} can be used"),
    };
    let mut findings = vec![finding("data directory", is_usable, says)];
    let reserve = config.disk_reserve_mib.map_or(seen.reserve_bytes, |mib| mib << 20);
    let (good, says) = match seen.free_bytes {
        Some(free) if free < reserve => (
            false,
            format!(
                "{} MiB are left on the disk of {existing}, less than the reserve of {} MiB: nothing new is \
                 stored until some space is freed",
                free >> 20,
                reserve >> 20
            ),
        ),
        Some(free) => (
            true,
            format!("{} MiB are left, and {} MiB are kept in reserve", free >> 20, reserve >> 20),
        ),
        None => (true, format!("the file system of {existing} does not say what is left")),
    };
    findings.push(finding("disk space", good, says));
    if let Some((at, what)) = seen.last_failure {
        let ago = at.elapsed().unwrap_or_default().as_secs();
        let says = format!("{}: {what}; the log of that server says more", age(ago));
        findings.push(finding("last failure", true, says));
    }
    findings
}

fn age(secs: u64) -> String {
    match secs {
        0..120 => format!("{secs} seconds ago"),
        120..7200 => format!("{} minutes ago", secs / 60),
        7200..172_800 => format!("{} hours ago", secs / 3600),
        _ => format!("{} days ago", secs / 86_400),
    }
}

/// Opens the state, as `start` would, and reads every row and every blob.
fn state(config: &Config) -> Finding {
    let looked = Db::open(&store::Options::new(&config.data_dir)).and_then(|db| {
        let found = db.blobs().scrub(None, |_| {})?;
        db.close()?;
        Ok(found)
    });
    let (good, says) = match looked {
        Ok(found) if found.damaged_count == 0 => {
            let Scrubbed { rows, blobs, bytes, .. } = found;
            let mib = bytes >> 20;
            (true, format!("{rows} rows and {blobs} blobs of {mib} MiB are as they were written"))
        }
        Ok(found) => (false, damage(&found)),
        Err(error) => (false, error.to_string()),
    };
    Finding { subject: "state".to_owned(), good, says }
}

/// What is damaged; the first few of many.
fn damage(found: &Scrubbed) -> String {
    let listed: Vec<_> = found
        .damaged
        .iter()
        .take(DAMAGED_SHOWN)
        .map(|damaged| format!("{} at {}: {}", damaged.file, damaged.offset, damaged.why))
        .collect();
    let rest = found.damaged_count.saturating_sub(listed.len() as u64);
    let rest = if rest > 0 { format!(", and {rest} more") } else { String::new() };
    format!("damaged: {}{rest}; restore them from a backup", listed.join(", "))
}

/// What functions can run on, in a folder that is removed again.
fn compute() -> Vec<Finding> {
    let folder = std::env::temp_dir().join(format!("fogbank-doctor-{}", std::process::id()));
    let checks = compute_checks(&folder);
    let _ = std::fs::remove_dir_all(&folder);
    match checks {
        Ok(checks) => checks
            .into_iter()
            .map(|check| Finding {
                subject: check.name.to_owned(),
                good: check.status != Status::Missing,
                says: check.detail,
            })
            .collect(),
        Err(error) => {
            vec![Finding { subject: "compute".to_owned(), good: false, says: format!("{error:#}") }]
        }
    }
}

fn compute_checks(folder: &Path) -> anyhow::Result<Vec<Check>> {
    let compute = Compute::new(fogbank_compute::Config::new(folder))?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    Ok(runtime.block_on(compute.doctor()))
}
