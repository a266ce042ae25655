//! Snapshots of the state, saved and removed while everything else goes on.

use std::collections::BTreeSet;

use rand::Rng;
use serde_json::{Value, json};

use super::{Failures, Next, Step, read};
use crate::client::Client;

const NAMES: [&str; 2] = ["load-0", "load-1"];

/// One lane that owns some names of snapshots.
#[derive(Clone)]
pub struct Snapshots {
    /// Whether a snapshot of each name may be there: both while nobody knows.
    possible: [BTreeSet<bool>; 2],
    /// Saves and removals that were acknowledged.
    pub acknowledged: u64,
}

impl Snapshots {
    /// A lane without a snapshot.
    pub fn new() -> Snapshots {
        Snapshots { possible: [[false].into(), [false].into()], acknowledged: 0 }
    }

    /// A snapshot that is saved or removed, and a pause: each reads all rows.
    pub async fn step(&mut self, step: &mut Step) -> Next {
        let index = step.random.random_range(0..NAMES.len());
        let saves = step.random.random_bool(0.6);
        let path = if saves { SNAPSHOTS } else { DELETE };
        let input = json!({ "name": NAMES[index] });
        self.possible[index].insert(saves);
        let next = match step.sort("a snapshot", step.client.admin(path, &input).await) {
            Ok(answer) => {
                // There already, or not there.
                let is_known = matches!(answer.status, 200 | 404 | 409);
                step.failures.check(is_known, || format!("a snapshot: status {}", answer.status));
                self.possible[index] = [saves].into();
                self.acknowledged += 1;
                Next::Go
            }
            Err(next) => next,
        };
        let pause = step.random.random_range(5..60);
        tokio::time::sleep(std::time::Duration::from_millis(pause)).await;
        next
    }

    /// After a restart: those are there that must be.
    pub async fn check(&mut self, client: &Client, failures: &Failures) {
        let Some(answer) = read(failures, "the snapshots", client.snapshots()).await else {
            return;
        };
        let listed = answer.json();
        let all = listed["snapshots"].as_array().map(Vec::as_slice).unwrap_or_default();
        for (name, possible) in NAMES.iter().zip(&mut self.possible) {
            let is_there = all.iter().any(|snapshot: &Value| snapshot["name"] == *name);
            failures.check(possible.contains(&is_there), || {
                format!("the snapshot {name} is there: {is_there}; it was not to be so")
            });
            *possible = [is_there].into();
        }
    }
}

impl Default for Snapshots {
    fn default() -> Snapshots {
        Snapshots::new()
    }
}

/// Where snapshots are saved and listed.
pub const SNAPSHOTS: &str = "/_fogbank/snapshots";
/// Where they are removed.
pub const DELETE: &str = "/_fogbank/snapshots/delete";
/// Where they are loaded.
pub const LOAD: &str = "/_fogbank/snapshots/load";
/// Where all state is removed.
pub const RESET: &str = "/_fogbank/reset";
