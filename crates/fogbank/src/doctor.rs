//! `fogbank doctor`: what this machine offers, and what is missing.

use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::process::ExitCode;

use fogbank_compute::{Check, Compute, Status};

use crate::cli::DoctorOptions;
use crate::config::Config;

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
        Ok(config) => vec![port(config.listen), directory(&config.data_dir)],
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

fn directory(path: &Path) -> Finding {
    let existing = path.ancestors().find(|ancestor| ancestor.exists()).unwrap_or(path);
    let writable = std::fs::metadata(existing).is_ok_and(|data| !data.permissions().readonly());
    let says = if writable {
        format!("{} can be used", path.display())
    } else {
        format!("{} cannot be written", existing.display())
    };
    Finding { subject: "data directory".to_owned(), good: writable, says }
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
