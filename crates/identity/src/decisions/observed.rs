//! What callers were seen to do, and the least policy that allows it.
//!
//! Each caller's actions and resources are noted once a minute at most, merged into rows from time to time, and kept
//! until the account is reset. Where an action has had many resources, those that lie together become a pattern, so
//! that rows stay small: what is suggested may then allow more than what was seen.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::ops::ControlFlow;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

use fogbank_core::store::{self, Read, Table, row};
use fogbank_core::{Cx, Fault, Principal, PrincipalKind, Request};
use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// What was seen, by account, the ARN of the user, role or root, and action.
pub static OBSERVED: Table<(String, String, String), Observation> =
    Table::new("iam.observed", 0x01e1);

/// How many resources of one action are told apart.
const RESOURCES: usize = 64;
/// How many levels of what lies together are looked at until all of an action's resources are taken for one.
const DEEPEST: usize = 8;
/// How many that lie together a suggestion names one by one.
const NAMED: usize = 5;
/// How many callers and actions wait to be written at most; what is over is not noted.
const PENDING: usize = 16_384;
/// How many of the last calls are known to be noted.
const RECENT: usize = 4096;

/// The resources on which a caller did something.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Observation {
    /// The resources or patterns of them, in their order.
    pub resources: Vec<Sighting>,
}

/// A resource and when it was used.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sighting {
    /// The ARN, a pattern of ARNs, or `*`.
    pub resource: String,
    /// When it was seen first, in seconds since 1970, to the minute.
    pub first_secs: i64,
    /// When it was seen last.
    pub last_secs: i64,
    /// Whether no policy allowed it, the last time.
    pub is_excess: bool,
}

row!(Observation, 1);

type Key = (String, String, String);

/// What was seen and is not written yet.
#[derive(Default)]
pub struct Observed {
    recent: OnceLock<Box<[AtomicU64]>>,
    pending: Mutex<BTreeMap<Key, Observation>>,
}

impl Observed {
    /// Notes that a call was answered; `is_excess` says that no policy allowed it.
    pub(crate) fn note(&self, request: &Request, action: &str, resource: &str, is_excess: bool) {
        let Some(who) = entity(&request.principal) else { return };
        let secs = request.now.secs();
        let mut hasher = DefaultHasher::new();
        (who, action, resource, is_excess, secs / 60).hash(&mut hasher);
        let mark = hasher.finish() | 1;
        let recent = self.recent.get_or_init(|| (0..RECENT).map(|_| AtomicU64::new(0)).collect());
        let slot = &recent[mark as usize / 2 % RECENT];
        // To look first costs nothing; to write, as every call would, takes the slot from other processors.
        if slot.load(Ordering::Relaxed) == mark || slot.swap(mark, Ordering::Relaxed) == mark {
            return;
        }
        let key = (request.principal.account.clone(), who.to_owned(), action.to_owned());
        let mut pending = self.pending.lock();
        if pending.len() >= PENDING && !pending.contains_key(&key) {
            return;
        }
        let resource = resource.to_owned();
        let sighting = Sighting { resource, first_secs: secs, last_secs: secs, is_excess };
        pending.entry(key).or_default().add(sighting);
    }

    /// Merges what is pending into the rows.
    pub async fn write(&self, cx: &Cx) -> Result<(), Fault> {
        let pending = std::mem::take(&mut *self.pending.lock());
        if pending.is_empty() {
            return Ok(());
        }
        let outcome = cx
            .write(|tx| {
                for (key, seen) in &pending {
                    let mut row = OBSERVED.get(tx, key)?.unwrap_or_default();
                    row.merge(seen);
                    OBSERVED.put(tx, key, &row)?;
                }
                Ok::<_, store::Error>(())
            })
            .await;
        if outcome.is_err() {
            let mut again = self.pending.lock();
            for (key, seen) in pending {
                again.entry(key).or_default().merge(&seen);
            }
        }
        outcome.map_err(Fault::from)
    }

    /// Forgets what is pending of an account, or of all.
    pub fn forget(&self, account: Option<&str>) {
        self.pending.lock().retain(|key, _| account.is_some_and(|account| key.0 != account));
        for slot in self.recent.get().into_iter().flatten() {
            slot.store(0, Ordering::Relaxed);
        }
    }

    /// When the user, role or root with this ARN last did each action of a service, in seconds since 1970, by the
    /// actions' names without the service.
    pub fn actions(
        &self,
        rows: &dyn Read,
        principal: &str,
        service: &str,
    ) -> Result<BTreeMap<String, i64>, Fault> {
        let account = principal.split(':').nth(4).unwrap_or_default();
        let mut last: BTreeMap<String, i64> = BTreeMap::new();
        let mut note = |action: &str, row: &Observation| {
            let of_service = action.split_once(':').filter(|(prefix, _)| *prefix == service);
            let seen = row.resources.iter().map(|sighting| sighting.last_secs).max();
            if let (Some((_, name)), Some(seen)) = (of_service, seen) {
                let known = last.entry(name.to_owned()).or_insert(seen);
                *known = seen.max(*known);
            }
        };
        OBSERVED.range(&(account, principal)).visit(rows, |(_, _, action), row| {
            note(&action, &row);
            ControlFlow::Continue(())
        })?;
        for ((_, who, action), row) in self.pending.lock().iter() {
            if who == principal {
                note(action, row);
            }
        }
        Ok(last)
    }

    /// The least policy that allows what the user, role or root with this ARN was seen to do since `since_secs`, with
    /// what is to be known of it; `policy` is null if nothing was seen.
    pub fn suggest(
        &self,
        rows: &dyn Read,
        principal: &str,
        since_secs: i64,
    ) -> Result<Value, Fault> {
        let account = principal.split(':').nth(4).unwrap_or_default();
        let mut seen: BTreeMap<String, Observation> = BTreeMap::new();
        OBSERVED.range(&(account, principal)).visit(rows, |(_, _, action), row| {
            seen.insert(action, row);
            ControlFlow::Continue(())
        })?;
        for ((_, who, action), row) in self.pending.lock().iter() {
            if who == principal {
                seen.entry(action.clone()).or_default().merge(row);
            }
        }
        for row in seen.values_mut() {
            row.resources.retain(|sighting| sighting.last_secs >= since_secs);
        }
        // Calls of Fogbank's own are nothing that AWS knows.
        seen.retain(|action, row| !row.resources.is_empty() && !action.starts_with("fogbank:"));
        let excess = seen.iter().filter(|(_, row)| row.resources.iter().any(|it| it.is_excess));
        let excess: Vec<&str> = excess.map(|(action, _)| action.as_str()).collect();
        let first = seen.values().flat_map(|row| &row.resources).map(|it| it.first_secs).min();
        let last = seen.values().flat_map(|row| &row.resources).map(|it| it.last_secs).max();
        Ok(json!({
            "principal": principal,
            "policy": (!seen.is_empty()).then(|| policy(&seen)),
            "actions": seen.len(),
            "first_seen": first.and_then(iso),
            "last_seen": last.and_then(iso),
            "not_allowed_yet": excess,
        }))
    }
}

fn iso(secs: i64) -> Option<String> {
    jiff::Timestamp::from_second(secs).ok().map(|time| time.to_string())
}

/// The ARN of the user, role or root that acts; none for services and those who do not sign.
fn entity(principal: &Principal) -> Option<&str> {
    match &principal.kind {
        PrincipalKind::Root | PrincipalKind::User { .. } => Some(&principal.arn),
        PrincipalKind::Role { role_arn, .. } => Some(role_arn),
        PrincipalKind::Federated { user_arn, .. } => Some(user_arn),
        _ => None,
    }
}

impl Observation {
    fn add(&mut self, sighting: Sighting) {
        let covers = |known: &Sighting| match known.resource.strip_suffix('*') {
            Some(start) => sighting.resource.starts_with(start) && sighting.resource != "*",
            None => false,
        };
        let same =
            self.resources.binary_search_by(|it| it.resource.as_str().cmp(&sighting.resource)).ok();
        match same.or_else(|| self.resources.iter().position(|it| it.resource != "*" && covers(it)))
        {
            Some(at) => {
                let known = &mut self.resources[at];
                known.first_secs = known.first_secs.min(sighting.first_secs);
                if sighting.last_secs >= known.last_secs {
                    known.last_secs = sighting.last_secs;
                    known.is_excess = sighting.is_excess;
                }
            }
            None => {
                let place = self.resources.partition_point(|it| it.resource < sighting.resource);
                self.resources.insert(place, sighting);
            }
        }
        if self.resources.len() > RESOURCES {
            self.shrink();
        }
    }

    /// Makes patterns until there is room again for some resources: it takes long beside the note of one.
    fn shrink(&mut self) {
        let room = RESOURCES * 3 / 4;
        while self.resources.len() > room
            && (1..=DEEPEST).any(|levels| self.gather_above(levels, 1))
        {}
        if self.resources.len() > RESOURCES {
            // They have nothing in common but the action.
            let all = std::mem::take(&mut self.resources);
            self.resources.extend(Sighting::of_all(all, "*".to_owned()));
        }
    }

    fn merge(&mut self, other: &Observation) {
        for sighting in &other.resources {
            self.add(sighting.clone());
        }
    }

    /// Makes one pattern of those that lie together in the largest number, if that is more than `most`.
    fn gather(&mut self, most: usize) -> bool {
        self.gather_above(1, most)
    }

    /// The same of those that lie together when so many levels are not told apart.
    fn gather_above(&mut self, levels: usize, most: usize) -> bool {
        let mut stems: BTreeMap<String, usize> = BTreeMap::new();
        for sighting in &self.resources {
            let above =
                (1..levels).try_fold(stem(&sighting.resource), |found, _| Some(stem(&found?)));
            if let Some(stem) = above.flatten() {
                *stems.entry(stem).or_default() += 1;
            }
        }
        let largest = stems.into_iter().max_by_key(|(_, count)| *count);
        let Some((stem, _)) = largest.filter(|(_, count)| *count > most) else { return false };
        let start = stem.trim_end_matches('*');
        let (inside, outside): (Vec<_>, Vec<_>) =
            self.resources.drain(..).partition(|it| it.resource.starts_with(start));
        self.resources = outside;
        let place = self.resources.partition_point(|it| it.resource < stem);
        if let Some(gathered) = Sighting::of_all(inside, stem) {
            self.resources.insert(place, gathered);
        }
        true
    }
}

impl Sighting {
    /// What was seen of all these, under one pattern.
    fn of_all(all: Vec<Sighting>, resource: String) -> Option<Sighting> {
        let first_secs = all.iter().map(|it| it.first_secs).min()?;
        let last_secs = all.iter().map(|it| it.last_secs).max()?;
        let is_excess = all.iter().any(|it| it.is_excess);
        Some(Sighting { resource, first_secs, last_secs, is_excess })
    }
}

/// The pattern of what lies together with a resource: what its last `/`, or else `:`, follows. None if its ARN has no
/// part left to stand for.
fn stem(resource: &str) -> Option<String> {
    let fields: usize = resource.splitn(6, ':').take(5).map(|field| field.len() + 1).sum();
    let own = resource.get(fields..).filter(|_| resource.starts_with("arn:"))?;
    let own = own.strip_suffix('*').unwrap_or(own);
    if own.is_empty() {
        return None;
    }
    let inner = own.trim_end_matches(['/', ':']);
    let end = inner.rfind('/').or_else(|| inner.rfind(':')).map_or(0, |at| at + 1);
    Some(format!("{}{}*", &resource[..fields], &own[..end]))
}

/// A policy that allows what was seen: a statement for the actions of a service that have the same resources.
fn policy(seen: &BTreeMap<String, Observation>) -> Value {
    let mut statements: BTreeMap<(&str, Vec<String>), Vec<&str>> = BTreeMap::new();
    for (action, row) in seen {
        let mut row = row.clone();
        while row.gather(NAMED) {}
        let resources = row.resources.into_iter().map(|it| it.resource).collect();
        let service = action.split(':').next().unwrap_or_default();
        statements.entry((service, resources)).or_default().push(action);
    }
    let mut sids: BTreeMap<&str, usize> = BTreeMap::new();
    let statements: Vec<Value> = statements
        .iter()
        .map(|((service, resources), actions)| {
            let count = sids.entry(service).or_default();
            *count += 1;
            let sid: String = service.chars().filter(char::is_ascii_alphanumeric).collect();
            json!({
                "Sid": format!("{sid}{count}"),
                "Effect": "Allow",
                "Action": actions,
                "Resource": resources,
            })
        })
        .collect();
    json!({ "Version": "2012-10-17", "Statement": statements })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn resources_that_lie_together_have_a_pattern() {
        for (resource, pattern) in [
            ("arn:aws:s3:::photos/2026/cat.jpg", Some("arn:aws:s3:::photos/2026/*")),
            ("arn:aws:s3:::photos/2026/*", Some("arn:aws:s3:::photos/*")),
            ("arn:aws:s3:::photos/*", Some("arn:aws:s3:::*")),
            ("arn:aws:s3:::photos", Some("arn:aws:s3:::*")),
            ("arn:aws:s3:::*", None),
            (
                "arn:aws:sqs:eu-west-1:000000000000:jobs",
                Some("arn:aws:sqs:eu-west-1:000000000000:*"),
            ),
            (
                "arn:aws:lambda:eu-west-1:000000000000:function:resize",
                Some("arn:aws:lambda:eu-west-1:000000000000:function:*"),
            ),
            ("*", None),
        ] {
            assert_eq!(stem(resource).as_deref(), pattern, "{resource}");
        }
    }

    #[test]
    fn rows_stay_small_and_lose_nothing() {
        let names = |name: &dyn Fn(u64) -> String| (0..10_000).map(name).collect::<Vec<_>>();
        for names in [
            names(&|n| format!("arn:aws:s3:::photos/{}/{n}.jpg", n % 300)),
            // Each alone in its folder, in one of two, and in one that is deeper than any pattern looks.
            names(&|n| format!("arn:aws:s3:::photos/{n}/cat.jpg")),
            names(&|n| format!("arn:aws:s3:::photos/{n}/{}/cat.jpg", n % 7)),
            names(&|n| format!("arn:aws:s3:::photos/{n}{}", "/deep".repeat(20))),
            names(&|n| format!("arn:aws:sqs:eu-west-1:{n:012}:jobs")),
            names(&|n| format!("no arn {n}")),
        ] {
            keeps_few(&names);
        }
    }

    fn keeps_few(names: &[String]) {
        let mut row = Observation::default();
        for resource in names {
            let resource = resource.clone();
            row.add(Sighting { resource, first_secs: 1, last_secs: 2, is_excess: false });
        }
        assert!(row.resources.len() <= RESOURCES, "{} for {}", row.resources.len(), names[0]);
        assert!(row.resources.is_sorted_by(|one, next| one.resource < next.resource));
        let covers = |it: &Sighting, name: &str| match it.resource.strip_suffix('*') {
            Some(start) => name.starts_with(start),
            None => it.resource == name,
        };
        for name in names {
            assert!(row.resources.iter().any(|it| covers(it, name)), "{name}");
        }
    }
}
