//! A short torture of the built binary; `cargo run -p fogbank-torture` has more of it.

use std::net::TcpListener;
use std::path::Path;

use fogbank_torture::scenes::{batches, replications};
use fogbank_torture::server::Launch;
use fogbank_torture::{Fault, Report, Settings, run};

/// Runs some cycles of these faults, without functions: those need Python.
fn torture(scratch: &Path, cycles: u64, faults: &[Fault], durability: &str) -> Report {
    let settings = Settings {
        binary: env!("CARGO_BIN_EXE_fogbank").into(),
        scratch: scratch.to_owned(),
        first: 0,
        cycles,
        seed: 11,
        faults: faults.to_vec(),
        durability: durability.to_owned(),
        round: cycles,
        drain_every: 3,
        functions_every: 0,
        travel_every: 2,
        counts_orphans: false,
        is_loud: false,
    };
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    runtime.expect("a runtime").block_on(run(&settings)).expect("the harness works")
}

fn check(report: &Report, cycles: u64) {
    assert!(report.failures.is_empty(), "{}", report.failures.join("\n"));
    assert_eq!(report.cycles.values().sum::<u64>(), cycles);
    let all = report.acknowledged;
    assert!(all.s3 > 0 && all.dynamodb > 0 && all.sqs > 0 && all.events > 0, "{all:?}");
}

#[test]
fn a_killed_cloud_loses_nothing_that_it_acknowledged() {
    let scratch = tempfile::tempdir().expect("a folder");
    check(&torture(scratch.path(), 4, &[Fault::Kill, Fault::Point], "fsync"), 4);
}

#[test]
fn a_power_cut_takes_nothing_that_was_acknowledged() {
    let scratch = tempfile::tempdir().expect("a folder");
    let report = torture(scratch.path(), 3, &[Fault::Power], "fsync");
    check(&report, 3);
    assert!(report.cuts >= 3, "{report:?}");
    assert!(report.cut.files + report.cut.names > 0, "the cuts took nothing: {report:?}");
}

#[test]
fn a_failing_or_full_disk_loses_nothing_that_was_acknowledged() {
    let scratch = tempfile::tempdir().expect("a folder");
    let faults = [Fault::Full, Fault::Error, Fault::ReadOnly, Fault::Short, Fault::Low];
    for fault in faults {
        check(&torture(scratch.path(), 1, &[fault], "fsync"), 1);
    }
}

#[test]
fn a_power_cut_is_noticed_where_nothing_is_synced() {
    let scratch = tempfile::tempdir().expect("a folder");
    let report = torture(scratch.path(), 20, &[Fault::Power], "buffered");
    let lost = report.failures.iter().any(|failure| failure.contains("acknowledged"));
    assert!(lost, "the cuts do not bite: {report:?}");
}

/// How a cloud is started for scenes.
fn launch(scratch: &Path) -> Launch {
    let free = TcpListener::bind("127.0.0.1:0").and_then(|socket| socket.local_addr());
    Launch {
        binary: env!("CARGO_BIN_EXE_fogbank").into(),
        data: scratch.join("data"),
        durability: "fsync".to_owned(),
        listen: free.expect("a port").to_string(),
        log: scratch.join("log"),
    }
}

#[test]
fn batch_jobs_and_replication_outlive_kills() {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let runtime = runtime.expect("a runtime");
    for is_batch in [true, false] {
        let scratch = tempfile::tempdir().expect("a folder");
        let (path, launch) = (scratch.path(), launch(scratch.path()));
        let played = runtime.block_on(async {
            match is_batch {
                true => batches::jobs(&launch, path, 11, 2).await,
                false => replications::replications(&launch, path, 11, 2).await,
            }
        });
        let played = played.expect("every promise is kept");
        assert!(played.kills + played.others >= 2 && played.cuts >= 1, "{played:?}");
    }
}
