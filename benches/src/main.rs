//! The load driver: replays requests that were signed ahead against any endpoint.
//!
//! It prints requests per second, requests per second of the server's CPU (the figure that holds on
//! a busy machine), latencies and memory, as a table and as JSON. Signing happens before the clock
//! starts, so that the driver's own work stays small.

mod decisions;
mod disk;
mod process;
mod replay;
mod scale;
mod workload;

use std::time::Duration;

use anyhow::Context;
use clap::{Parser, Subcommand};

use process::Server;
use workload::Workload;

/// Measure an AWS-compatible endpoint.
#[derive(Debug, Parser)]
struct Options {
    #[command(subcommand)]
    command: Option<Command>,
    /// Endpoint, such as http://127.0.0.1:4566
    #[arg(long, global = true, default_value = "http://127.0.0.1:4566")]
    endpoint: String,
    /// Access key that signs
    #[arg(long, global = true, default_value = "test")]
    access_key_id: String,
    /// Its secret
    #[arg(long, global = true, default_value = "test")]
    secret_access_key: String,
    /// Command that starts the server; measures the time to the first signed answer too
    #[arg(long, global = true)]
    spawn: Option<String>,
    /// Process id of a server that runs already
    #[arg(long)]
    pid: Option<u32>,
    /// Clients at the same time
    #[arg(long, value_delimiter = ',', default_value = "1,32")]
    concurrency: Vec<usize>,
    /// Folder on the disk that the server writes to: measures first what that disk allows
    #[arg(long)]
    disk: Option<std::path::PathBuf>,
    /// Seconds of each measurement
    #[arg(long, global = true, default_value_t = 5)]
    seconds: u64,
    /// Workloads, by name; all of them if none is named
    #[arg(long, value_delimiter = ',')]
    workloads: Vec<String>,
    /// Write the results as JSON to this file
    #[arg(long, global = true)]
    json: Option<std::path::PathBuf>,
}

/// Another measurement than that of the hot paths.
#[derive(Debug, Subcommand)]
enum Command {
    /// How costs, memory and the time of a start grow with what is stored; needs --spawn
    Scale(scale::Options),
    /// What it costs to find a key and to decide over a call, in this process; needs no server
    Decisions,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    let options = Options::parse();
    if let Some(Command::Decisions) = &options.command {
        return decisions::run();
    }
    workload::sign_as(&options.access_key_id, &options.secret_access_key);
    let authority = options
        .endpoint
        .strip_prefix("http://")
        .context("only http:// endpoints can be measured")?
        .trim_end_matches('/')
        .to_owned();
    if let Some(Command::Scale(scale)) = &options.command {
        let spawn = options.spawn.as_deref().context("scale starts the server: give --spawn")?;
        return scale::run(&authority, spawn, options.seconds, scale, options.json.as_ref()).await;
    }
    let mut rows = Vec::new();
    if let Some(folder) = &options.disk {
        let producers = options.concurrency.iter().copied().max().unwrap_or(1);
        rows.push(report_disk(&disk::probe(folder, producers).await?));
    }
    let server = Server::attach(options.spawn.as_deref(), options.pid)?;
    let started = workload::wait_until_ready(&authority).await?;
    if options.spawn.is_some() {
        report_start(started, &server);
    }
    header();
    for workload in Workload::all() {
        let chosen = options.workloads.is_empty()
            || options.workloads.iter().any(|name| name == workload.name);
        if !chosen {
            continue;
        }
        workload::set_up(&authority, workload).await?;
        for concurrency in &options.concurrency {
            let requests = workload.requests(&authority);
            let span = Duration::from_secs(options.seconds);
            let before = server.cpu_seconds();
            let run = replay::run(&authority, &requests, *concurrency, span).await?;
            let cpu = server.cpu_seconds().zip(before).map(|(after, before)| after - before);
            rows.push(report(workload.name, *concurrency, &run, cpu, server.memory_mib()));
        }
    }
    if let Some(path) = &options.json {
        std::fs::write(path, serde_json::to_string_pretty(&rows)?)?;
    }
    Ok(())
}

#[expect(clippy::print_stdout, reason = "the table is the purpose")]
fn report_start(started: Duration, server: &Server) {
    let memory = server.memory_mib().unwrap_or_default();
    println!("first signed answer after {started:.0?}, {memory:.1} MiB resident when idle");
}

#[expect(clippy::print_stdout, reason = "the table is the purpose")]
fn report_disk(limits: &disk::Limits) -> serde_json::Value {
    let disk::Limits { syncs, shared, producers } = limits;
    println!("disk: {syncs:.0} synced appends/s alone; {shared:.0}/s if {producers} share syncs");
    serde_json::json!({
        "disk_syncs_per_second": syncs,
        "disk_shared_syncs_per_second": shared,
        "disk_producers": producers,
    })
}

#[expect(clippy::print_stdout, reason = "the table is the purpose")]
fn header() {
    println!(
        "{:<16} {:>7} {:>10} {:>12} {:>9} {:>9} {:>9} {:>8}",
        "workload", "clients", "req/s", "req/CPU-s", "p50 µs", "p99 µs", "errors", "RSS MiB"
    );
}

#[expect(clippy::print_stdout, reason = "the table is the purpose")]
fn report(
    name: &str,
    concurrency: usize,
    run: &replay::Run,
    cpu: Option<f64>,
    memory: Option<f64>,
) -> serde_json::Value {
    let rate = run.done as f64 / run.took.as_secs_f64();
    let per_cpu = cpu.filter(|cpu| *cpu > 0.0).map(|cpu| run.done as f64 / cpu);
    let text = |value: Option<f64>| value.map_or("-".to_owned(), |value| format!("{value:.0}"));
    println!(
        "{name:<16} {concurrency:>7} {rate:>10.0} {:>12} {:>9} {:>9} {:>9} {:>8}",
        text(per_cpu),
        run.percentile(50),
        run.percentile(99),
        run.errors,
        text(memory),
    );
    serde_json::json!({
        "workload": name,
        "clients": concurrency,
        "requests_per_second": rate,
        "requests_per_cpu_second": per_cpu,
        "p50_micros": run.percentile(50),
        "p99_micros": run.percentile(99),
        "errors": run.errors,
        "resident_mib": memory,
    })
}
