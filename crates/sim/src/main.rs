//! Runs seeds until one finds a broken promise, and says how to repeat it.

use std::io::Write as _;
use std::process::ExitCode;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc;
use std::time::Instant;

use clap::Parser;
use fogbank_core::store::Bug;
use fogbank_sim::{Outcome, Plan, run};

/// Runs a whole cloud under one seed after the other, with faults and crashes, and checks what it promised.
#[derive(Parser)]
struct Arguments {
    /// How many seeds to run.
    #[arg(long, default_value_t = 100)]
    seeds: u64,
    /// The first seed.
    #[arg(long, default_value_t = 1)]
    seed_from: u64,
    /// Runs each seed twice and compares.
    #[arg(long)]
    twice: bool,
    /// Prints every event.
    #[arg(long)]
    events: bool,
    /// Goes on after a failure.
    #[arg(long)]
    keep_going: bool,
    /// Threads, each with seeds of its own.
    #[arg(long, default_value_t = 1)]
    threads: u64,
    /// A mistake to plant: unsynced-commits, torn-commits, unsynced-blobs or unsynced-names.
    #[arg(long, value_parser = bug)]
    bug: Option<Bug>,
}

fn bug(name: &str) -> Result<Bug, String> {
    match name {
        "unsynced-commits" => Ok(Bug::UnsyncedCommits),
        "torn-commits" => Ok(Bug::TornCommits),
        "unsynced-blobs" => Ok(Bug::UnsyncedBlobs),
        "unsynced-names" => Ok(Bug::UnsyncedNames),
        _ => Err("unknown".to_owned()),
    }
}

fn flag(bug: Bug) -> &'static str {
    match bug {
        Bug::UnsyncedCommits => " --bug unsynced-commits",
        Bug::TornCommits => " --bug torn-commits",
        Bug::UnsyncedBlobs => " --bug unsynced-blobs",
        Bug::UnsyncedNames => " --bug unsynced-names",
    }
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let begun = Instant::now();
    let mut out = std::io::stdout().lock();
    let (mut seeds, mut events, mut crashes, mut failures) = (0u64, 0, 0, 0u64);
    let mut simulated = std::time::Duration::ZERO;
    let next = AtomicU64::new(arguments.seed_from);
    let end = arguments.seed_from.saturating_add(arguments.seeds);
    std::thread::scope(|scope| {
        let (sender, outcomes) = mpsc::channel();
        for _ in 0..arguments.threads.max(1) {
            let (sender, next, arguments) = (sender.clone(), &next, &arguments);
            scope.spawn(move || {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= end || sender.send((seed, one(arguments, seed))).is_err() {
                        return;
                    }
                }
            });
        }
        drop(sender);
        for (seed, outcome) in outcomes {
            seeds += 1;
            events += outcome.events;
            crashes += outcome.crashes;
            simulated += outcome.simulated;
            for line in &outcome.lines {
                let _ = writeln!(out, "{line}");
            }
            if let Some(broken) = &outcome.broken {
                failures += 1;
                let _ = writeln!(out, "seed {seed}: {broken}");
                let _ = writeln!(
                    out,
                    "repeat it: cargo run --release -p fogbank-sim -- --seeds 1 --seed-from {seed} --events{}",
                    arguments.bug.map_or("", |bug| flag(bug))
                );
                if !arguments.keep_going {
                    break;
                }
            }
        }
    });
    let took = begun.elapsed().as_secs_f64();
    let _ = writeln!(
        out,
        "{seeds} seeds, {failures} failures, {events} events, {crashes} crashes, {:.1} days simulated in {took:.1} s: \
         {:.1} seeds/s",
        simulated.as_secs_f64() / 86_400.0,
        seeds as f64 / took
    );
    if failures == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn one(arguments: &Arguments, seed: u64) -> Outcome {
    let plan = Plan { seed, bug: arguments.bug, keep_events: arguments.events };
    let mut outcome = run(plan);
    if arguments.twice {
        let again = run(Plan { keep_events: false, ..plan });
        if again.hash != outcome.hash && outcome.broken.is_none() {
            outcome.broken = Some("it does not repeat".to_owned());
        }
    }
    outcome
}
