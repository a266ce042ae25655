//! Some seeds: no promise is broken, every run repeats, and planted mistakes are found.

use fogbank_core::store::Bug;
use fogbank_sim::{Plan, run};

#[test]
fn no_promise_is_broken() {
    for seed in 1..=8 {
        let outcome = run(Plan::new(seed));
        assert_eq!(outcome.broken, None, "seed {seed}");
        assert!(outcome.crashes > 2 && outcome.events > 100, "seed {seed} did nothing");
    }
}

#[test]
fn a_run_repeats_exactly() {
    for seed in 101..=103 {
        let (first, second) = (run(Plan::new(seed)), run(Plan::new(seed)));
        assert_eq!(first.hash, second.hash, "seed {seed}");
        assert_eq!(first.disk_operations, second.disk_operations, "seed {seed}");
    }
    assert_ne!(run(Plan::new(1)).hash, run(Plan::new(2)).hash);
}

fn finds(bug: Bug, seeds: u64) {
    let found =
        (1..=seeds).find(|seed| run(Plan { bug: Some(bug), ..Plan::new(*seed) }).broken.is_some());
    assert!(found.is_some(), "{bug:?} was not found in {seeds} seeds");
}

#[test]
fn commits_acknowledged_before_their_sync_are_found() {
    finds(Bug::UnsyncedCommits, 20);
}

#[test]
fn torn_commits_are_found() {
    finds(Bug::TornCommits, 200);
}

#[test]
fn blobs_named_before_their_sync_are_found() {
    finds(Bug::UnsyncedBlobs, 20);
}

#[test]
fn names_that_are_not_synced_are_found() {
    finds(Bug::UnsyncedNames, 60);
}
