//! The `fogbank` command: your own AWS-compatible cloud in one binary.

mod admin_client;
mod backups;
mod banner;
mod cli;
mod clock;
mod config;
mod doctor;
mod environment;
mod iam;
mod places;
mod root_key;
mod scrubs;
mod services;
mod snapshots;
mod start;
#[cfg(test)]
mod tests;

use clap::Parser;

/// Requests allocate small pieces on every thread, which this allocator does at a fraction of the cost. Huge pages are
/// off: they would double the memory of an idle process.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> std::process::ExitCode {
    // A sandbox is this same program, started again before any thread exists.
    fogbank_compute::sandbox::maybe_enter();
    let outcome = match cli::Cli::parse().command {
        cli::Command::Start(options) => start::start(&options),
        cli::Command::Env(options) => environment::print(&options),
        cli::Command::Run(options) => environment::run(&options),
        cli::Command::Doctor(options) => doctor::doctor(&options),
        cli::Command::Clock(options) => clock::clock(&options),
        cli::Command::Iam(options) => iam::iam(&options),
        cli::Command::Snapshot(options) => snapshots::snapshot(&options),
        cli::Command::Reset(options) => snapshots::reset(&options),
        cli::Command::Backup(options) => backups::backup(&options),
        cli::Command::Restore(options) => backups::restore(&options),
    };
    outcome.unwrap_or_else(|error| {
        eprintln!("fogbank: {error:#}");
        std::process::ExitCode::FAILURE
    })
}
