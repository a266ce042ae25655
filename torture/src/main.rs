//! `fogbank-torture`: kills a cloud and cuts its disk, again and again, and says whether anything was lost.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Instant;

use anyhow::Context;
use clap::Parser;
use fogbank_torture::corrupt::{Corrupted, corrupt};
use fogbank_torture::scenes::{Played, batches, inventories, lifecycles, replications};
use fogbank_torture::server::Launch;
use fogbank_torture::{Fault, Report, Settings, run};

/// Kills a cloud and cuts its disk under load, and checks that nothing acknowledged is lost.
#[derive(Debug, Parser)]
#[command(after_help = "Faults:\n  \
    kill      killed at a random moment\n  \
    point     killed at a write, sync, rename …, before it, after it or half way\n  \
    power     killed, and all or a part of what was not synced is lost\n  \
    full      no space is left (ENOSPC), for a while\n  \
    error     operations fail (EIO), and what was not synced is lost\n  \
    readonly  the file system turns read-only (EROFS)\n  \
    short     half of a write is done\n  \
    low       little space is left, for a while")]
struct Cli {
    /// The program to torture
    #[arg(long, default_value = "target/release/fogbank")]
    binary: PathBuf,
    /// How many cycles of load and fault
    #[arg(long, default_value_t = 100)]
    cycles: u64,
    /// The first cycle: the start of a round, to repeat one that failed
    #[arg(long, default_value_t = 0)]
    first: u64,
    /// Decides operations and faults
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// What may happen in a cycle, separated by commas
    #[arg(
        long,
        value_delimiter = ',',
        default_value = "kill,point,power,full,error,readonly,short,low"
    )]
    faults: Vec<Fault>,
    /// When writes are acknowledged: fsync or buffered
    #[arg(long, default_value = "fsync")]
    durability: String,
    /// Cycles after which the state is thrown away
    #[arg(long, default_value_t = 25)]
    round: u64,
    /// Cycles after which all queues are emptied
    #[arg(long, default_value_t = 5)]
    drain_every: u64,
    /// Cycles after which functions must have seen everything; 0 runs no functions
    #[arg(long, default_value_t = 12)]
    functions_every: u64,
    /// Cycles after which a snapshot is saved, or gone back to; 0 never does
    #[arg(long, default_value_t = 4)]
    travel_every: u64,
    /// At the end of each round, remove all objects and wait until no file of a body is left: a minute or two
    #[arg(long)]
    orphans: bool,
    /// Folder for the run's files [default: a new one in the system's folder of temporary files]
    #[arg(long)]
    scratch: Option<PathBuf>,
    /// Succeed only if a loss is found: for a cloud that does not sync, to see that the torture bites
    #[arg(long)]
    expect_loss: bool,
    /// Instead of all this: damage files of a directory, at most so many times, and look at how the cloud takes it
    #[arg(long, value_name = "TIMES")]
    corrupt: Option<usize>,
    /// Instead of all this: kill sweeps of lifecycles, and cut their disk, in so many rounds
    #[arg(long, value_name = "ROUNDS")]
    lifecycles: Option<u64>,
    /// Instead of all this: kill the writing of inventories, and cut its disk, in so many rounds
    #[arg(long, value_name = "ROUNDS")]
    inventories: Option<u64>,
    /// Instead of all this: kill batch jobs, and cut their disk, in so many rounds
    #[arg(long, value_name = "ROUNDS")]
    batches: Option<u64>,
    /// Instead of all this: kill replication, and cut its disk, in so many rounds
    #[arg(long, value_name = "ROUNDS")]
    replications: Option<u64>,
    /// Say nothing of each cycle
    #[arg(long)]
    quiet: bool,
}

#[expect(clippy::print_stdout, reason = "the output is the purpose")]
fn main() -> anyhow::Result<ExitCode> {
    let cli = Cli::parse();
    let pid = std::process::id();
    let scratch =
        cli.scratch.unwrap_or_else(|| std::env::temp_dir().join(format!("fogbank-torture-{pid}")));
    if let Some(times) = cli.corrupt {
        return corrupt_files(cli.binary, &scratch, cli.seed, times);
    }
    for (scene, rounds) in [
        (Scene::Lifecycles, cli.lifecycles),
        (Scene::Inventories, cli.inventories),
        (Scene::Batches, cli.batches),
        (Scene::Replications, cli.replications),
    ] {
        if let Some(rounds) = rounds {
            return play(scene, cli.binary, &scratch, cli.durability, cli.seed, rounds);
        }
    }
    let settings = Settings {
        binary: cli.binary,
        scratch: scratch.clone(),
        first: cli.first,
        cycles: cli.cycles,
        seed: cli.seed,
        faults: cli.faults,
        durability: cli.durability,
        round: cli.round.max(1),
        drain_every: cli.drain_every,
        functions_every: cli.functions_every,
        travel_every: cli.travel_every,
        counts_orphans: cli.orphans,
        is_loud: !cli.quiet,
    };
    let begun = Instant::now();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let report = runtime.block_on(run(&settings))?;
    print(&report);
    println!("{:.0} s", begun.elapsed().as_secs_f64());
    if report.failures.is_empty() {
        std::fs::remove_dir_all(&scratch)?;
        println!("nothing was lost");
        return Ok(ExitCode::from(u8::from(cli.expect_loss)));
    }
    for failure in &report.failures {
        println!("FAILED {failure}");
    }
    let faults: Vec<_> = settings.faults.iter().map(|fault| fault.name()).collect();
    let done: u64 = report.cycles.values().sum();
    let first = (settings.first + done) / settings.round * settings.round;
    println!(
        "The directory and the log are in {}. To repeat the round: --seed {} --first {} --cycles {} \
         --round {} --faults {} --durability {}",
        scratch.display(),
        settings.seed,
        first.max(settings.first),
        settings.round,
        settings.round,
        faults.join(","),
        settings.durability,
    );
    Ok(ExitCode::from(u8::from(!cli.expect_loss)))
}

/// What is killed instead of a load.
#[derive(Clone, Copy)]
enum Scene {
    Lifecycles,
    Inventories,
    Batches,
    Replications,
}

#[expect(clippy::print_stdout, reason = "the output is the purpose")]
fn play(
    scene: Scene,
    binary: PathBuf,
    scratch: &Path,
    durability: String,
    seed: u64,
    rounds: u64,
) -> anyhow::Result<ExitCode> {
    let launch = launch(binary, scratch, durability)?;
    let begun = Instant::now();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let scratch = scratch.canonicalize()?;
    let played = runtime.block_on(async {
        match scene {
            Scene::Lifecycles => lifecycles::sweeps(&launch, &scratch, seed, rounds).await,
            Scene::Inventories => inventories::inventories(&launch, &scratch, seed, rounds).await,
            Scene::Batches => batches::jobs(&launch, &scratch, seed, rounds).await,
            Scene::Replications => {
                replications::replications(&launch, &scratch, seed, rounds).await
            }
        }
    });
    let Played { kills, others, halves, cuts } = played.with_context(|| {
        format!("the directory and the log are in {}, seed {seed}", scratch.display())
    })?;
    println!(
        "{rounds} rounds in {:.0} s, {kills} kills at an operation of the disk, {others} at a random moment, \
         {cuts} power cuts; {halves} left the work half done",
        begun.elapsed().as_secs_f64()
    );
    std::fs::remove_dir_all(&scratch)?;
    println!("all is there that was to be, and nothing else");
    Ok(ExitCode::SUCCESS)
}

/// How the cloud is started within a folder for a run's files.
fn launch(binary: PathBuf, scratch: &Path, durability: String) -> anyhow::Result<Launch> {
    std::fs::create_dir_all(scratch)?;
    let scratch = scratch.canonicalize()?;
    Ok(Launch {
        binary,
        data: scratch.join("data"),
        durability,
        listen: TcpListener::bind("127.0.0.1:0")?.local_addr()?.to_string(),
        log: scratch.join("log"),
    })
}

#[expect(clippy::print_stdout, reason = "the output is the purpose")]
fn corrupt_files(
    binary: PathBuf,
    scratch: &Path,
    seed: u64,
    times: usize,
) -> anyhow::Result<ExitCode> {
    let launch = launch(binary, scratch, "fsync".to_owned())?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let report = runtime.block_on(corrupt(&launch, seed, times))?;
    let Corrupted { damages, refused, served_in_part, unharmed, .. } = report;
    for message in &report.messages {
        println!("refused: {message}");
    }
    for failure in &report.failures {
        println!("FAILED {failure}");
    }
    println!(
        "{damages} damages: {refused} refused, {served_in_part} served in part, {unharmed} unharmed"
    );
    std::fs::remove_dir_all(scratch)?;
    Ok(ExitCode::from(u8::from(!report.failures.is_empty())))
}

#[expect(clippy::print_stdout, reason = "the output is the purpose")]
fn print(report: &Report) {
    for (fault, cycles) in &report.cycles {
        println!("{cycles:>6} cycles: {}", fault.name());
    }
    println!(
        "{:>6} kills, {} of them at an operation of the disk",
        report.kills, report.kills_at_points
    );
    println!(
        "{:>6} power cuts, which took {} blocks of {} files and {} names",
        report.cuts, report.cut.blocks, report.cut.files, report.cut.names
    );
    println!("{:>6} cycles in which the disk failed otherwise", report.met);
    println!("{:>6} returns to a snapshot", report.returns);
    let all = report.acknowledged;
    println!(
        "acknowledged: {} writes to S3, {} to DynamoDB, {} to SQS, {} causes of events, {} snapshots",
        all.s3, all.dynamodb, all.sqs, all.events, all.snapshots
    );
}
