//! Time, identifiers, chance and spawning come from core, so that a whole cloud repeats under one seed.

use std::fs;
use std::path::Path;

use super::formats::{packages, sources};

/// What must not be used directly, and what to use in its place.
const FORBIDDEN: &[(&str, &str)] = &[
    ("SystemTime::now", "cx.clock()"),
    ("Instant::now", "cx.clock()"),
    (" rand::", "cx.ids()"),
    ("(rand::", "cx.ids()"),
    ("Uuid::new_v4", "cx.ids()"),
    ("fastrand", "cx.ids()"),
    ("RandomState", "an order that is the same everywhere"),
    ("tokio::spawn", "cx.spawn(…)"),
    ("spawn_blocking", "cx.work(…)"),
    ("thread::spawn", "cx.spawn(…) or a reconciler"),
    ("thread::Builder", "cx.spawn(…) or a reconciler"),
    ("thread::sleep", "cx.clock().sleep(…)"),
    ("tokio::time::sleep", "cx.clock().sleep(…)"),
];

/// Packages that do not take part in a simulation.
const APART: &[(&str, &str)] = &[
    ("crates/compute", "processes live in the machine's time"),
    ("crates/fogbank", "the binary is what puts the real sources in"),
    ("crates/sim", "it puts the simulated sources in"),
    ("crates/testkit", "for tests"),
    ("crates/torture", "it torments real processes"),
];

/// Files that use something all the same, and why.
const EXCUSED: &[(&str, &str, &str)] = &[
    ("crates/core/src/clock.rs", "", "the clock"),
    ("crates/core/src/ids.rs", "", "the identifiers"),
    ("crates/core/src/spawn.rs", "", "the spawning"),
    ("crates/store/src/commit.rs", "thread::sleep", "the commit thread, for a disk that is behind"),
    ("crates/store/src/commit.rs", "thread::Builder", "a simulation takes the steps itself"),
    ("crates/store/src/blob/sweep.rs", "thread::Builder", "not started in a simulation"),
    ("crates/store/src/blob/sweep.rs", "Instant::now", "the runtime's time: a grace for readers"),
    ("crates/store/src/blob/scrub.rs", "thread::Builder", "not started in a simulation"),
    ("crates/store/src/blob/scrub.rs", "Instant::now", "keeps to a rate of the disk"),
    ("crates/md5/src/stage.rs", "thread::Builder", "a simulation hashes without the stage"),
    ("crates/store/src/blob/mod.rs", "spawn_blocking", "at once in a simulation"),
    ("crates/store/src/blob/mod.rs", "tokio::spawn", "what was done at once is ready"),
    ("crates/store/src/blob/segment.rs", "spawn_blocking", "a task in a simulation"),
    ("crates/store/src/blob/segment.rs", "tokio::spawn", "a task in a simulation"),
    ("crates/core/src/measures/mod.rs", "RandomState", "strangers name sources; taken in order"),
    ("crates/sigv4/src/key.rs", "RandomState", "picks a place in a cache; strangers choose keys"),
    ("crates/gateway/src/internal.rs", "Instant::now", "how long a call took is a metric"),
    ("crates/gateway/src/pipeline.rs", "Instant::now", "how long a call took is a metric"),
    ("crates/gateway/src/admin.rs", "Instant::now", "how long a call took is a metric"),
    ("crates/gateway/src/client.rs", "SystemTime::now", "the command line is a client"),
    ("crates/gateway/src/server.rs", "tokio::", "sockets are not simulated"),
    ("crates/gateway/src/forms.rs", "Instant::now", "how long a call took is a metric"),
    ("crates/gateway/src/timer.rs", "Instant::now", "sockets are not simulated"),
    ("crates/gateway/src/workers.rs", "thread::Builder", "sockets are not simulated"),
    ("crates/gateway/src/bodies.rs", "tokio::time::sleep", "sockets are not simulated"),
    ("crates/gateway/src/bodies.rs", "Instant::now", "how long a sender is awaited"),
    ("crates/gateway/src/readers.rs", "tokio::time::sleep", "sockets are not simulated"),
    ("crates/gateway/src/readers.rs", "Instant::now", "how long a reader is awaited"),
    ("crates/store/src/engine/disk.rs", "Instant::now", "whether a scan was slow; not simulated"),
    (
        "services/sqs/src/messages/receive.rs",
        "Instant::now",
        "the runtime's time, as a client's watch",
    ),
    ("services/sqs/src/heads.rs", "Instant::now", "the runtime's time: how old a count is"),
    ("crates/store/src/space.rs", "Instant::now", "not used in a simulation"),
    ("services/lambda/src/engine/logs.rs", "SystemTime::now", "processes tell the machine's time"),
    ("services/lambda/src/code/unpacked.rs", "spawn_blocking", "files for processes"),
    ("services/lambda/src/tasks.rs", "Instant::now", "the age of files for processes"),
];

fn is_excused(file: &str, pattern: &str) -> bool {
    EXCUSED.iter().any(|(path, excused, _)| *path == file && pattern.starts_with(excused))
}

/// The part of a source that is in the program: what comes before its tests, without comments.
fn program(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let tests = text.find("#[cfg(test)]\nmod tests {").unwrap_or(text.len());
    text[..tests].lines().enumerate().filter(|(_, line)| !line.trim_start().starts_with("//"))
}

#[test]
fn time_chance_and_spawning_come_from_core() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let mut found = Vec::new();
    for package in packages() {
        let name = package.strip_prefix(&root).expect("within").display().to_string();
        if APART.iter().any(|(apart, _)| *apart == name) {
            continue;
        }
        let mut paths = Vec::new();
        sources(&package.join("src"), &mut paths);
        for path in paths {
            let file = path.strip_prefix(&root).expect("within").display().to_string();
            if file.contains("/tests") || file.contains("/simulation/") {
                continue;
            }
            let text = fs::read_to_string(&path).expect("a source");
            for (number, line) in program(&text) {
                for (pattern, instead) in FORBIDDEN {
                    if line.contains(pattern) && !is_excused(&file, pattern) {
                        found.push(format!("{file}:{}: {pattern}; use {instead}", number + 1));
                    }
                }
                // Without `biased;`, chance decides which of two ready branches runs.
                let after = text.lines().nth(number + 1).unwrap_or_default().trim();
                if line.contains("select! {") && after != "biased;" && !is_excused(&file, "tokio::")
                {
                    found.push(format!("{file}:{}: select! without `biased;`", number + 1));
                }
            }
        }
    }
    assert!(found.is_empty(), "not from core:\n{}", found.join("\n"));
}
