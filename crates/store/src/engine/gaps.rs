//! Stretches of keys without a row: where many rows were removed, the engine goes through what is left of each until its
//! files are merged, and whoever lists what lay there would pay for all that is gone.
//!
//! A stretch is noted when a scan was slow to find the next row, so that it costs nothing where nothing is gone, or when
//! a transaction says that it has removed all rows of one. It is kept until a commit writes a row into it, before that commit's view exists; so a view that is not older than the note
//! sees no row there. Whether a scan was slow decides what is noted, and never what a view sees.

use std::collections::BTreeMap;
use std::ops::Bound::{Excluded, Included, Unbounded};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bytes::Bytes;
use parking_lot::Mutex;

use crate::tx::Overlay;

/// A scan that needs longer than this from one row to the next has gone through many that are gone.
///
/// In this crate's own tests each does.
pub(super) const SLOW: Duration =
    if cfg!(test) { Duration::ZERO } else { Duration::from_micros(400) };
/// How many stretches are noted; each also costs a scan that comes across it the search for a place.
const MAX_GAPS: usize = 64;

/// The stretches that are known.
#[derive(Default)]
pub(super) struct Gaps {
    /// Whether there are any: most commits need not look.
    any: AtomicBool,
    /// By where they begin; they do not overlap.
    gaps: Mutex<BTreeMap<Bytes, Gap>>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Gap {
    /// The first key behind it.
    end: Bytes,
    /// Commits since this generation have written no row into it.
    watched: u64,
    /// Views of this generation and later ones see no row in it; none if nobody with such a view has looked yet.
    seen: Option<u64>,
}

impl Gaps {
    /// The first stretch that a view of this generation need not look at and that has a key in `start..end`.
    pub(super) fn first(
        &self,
        start: &[u8],
        end: &[u8],
        generation: u64,
    ) -> Option<(Bytes, Bytes)> {
        if !self.any.load(Ordering::SeqCst) {
            return None;
        }
        let gaps = self.gaps.lock();
        let before = gaps.range::<[u8], _>((Unbounded, Included(start))).next_back();
        let inside = gaps.range::<[u8], _>((Excluded(start), Excluded(end)));
        let mut all = before.into_iter().chain(inside);
        let is_known = |gap: &Gap| gap.seen.is_some_and(|seen| seen <= generation);
        let found = all.find(|(_, gap)| gap.end > start && is_known(gap));
        found.map(|(start, gap)| (start.clone(), gap.end.clone()))
    }

    /// The last such stretch.
    pub(super) fn last(&self, start: &[u8], end: &[u8], generation: u64) -> Option<(Bytes, Bytes)> {
        if !self.any.load(Ordering::SeqCst) {
            return None;
        }
        let gaps = self.gaps.lock();
        let mut all = gaps.range::<[u8], _>((Unbounded, Excluded(end))).rev();
        let is_known = |gap: &Gap| gap.seen.is_some_and(|seen| seen <= generation);
        let found = all.find(|(_, gap)| gap.end <= start || is_known(gap));
        let found = found.filter(|(_, gap)| gap.end > start);
        found.map(|(start, gap)| (start.clone(), gap.end.clone()))
    }

    /// Notes that a view of the generation `seen` has no row in `start..end`. `now` tells the newest generation.
    pub(super) fn note(&self, start: Bytes, end: Bytes, seen: u64, now: impl Fn() -> u64) {
        if start >= end {
            return;
        }
        let mut gaps = self.gaps.lock();
        self.any.store(true, Ordering::SeqCst);
        // A commit that begins its generation after this look finds the note after this lock.
        let newest = now();
        let mut gap = Gap { end, watched: newest, seen: (newest == seen).then_some(seen) };
        // Who looked while others wrote has to be told that they wrote elsewhere: by a note of an earlier look.
        let before = gaps.range::<Bytes, _>((Unbounded, Included(&start))).next_back();
        if let Some((_, known)) = before
            && known.end > start
            && known.watched <= seen
        {
            gap.end = gap.end.min(known.end.clone());
            gap.watched = known.watched;
            gap.seen = Some(seen);
        }
        insert(&mut gaps, start, gap);
    }

    /// Forgets stretches into which a batch writes, and notes those that it leaves empty. To be called when its
    /// generation has begun, and before a view of it is taken.
    pub(super) fn turn(&self, batch: &Overlay, generation: u64) {
        self.forget(batch);
        for (start, end) in batch.vacated() {
            let gap = Gap { end: end.clone(), watched: generation, seen: Some(generation) };
            insert(&mut self.gaps.lock(), start.clone(), gap);
            self.any.store(true, Ordering::SeqCst);
        }
    }

    fn forget(&self, batch: &Overlay) {
        if !self.any.load(Ordering::SeqCst) {
            return;
        }
        let mut gaps = self.gaps.lock();
        for (key, _) in batch.iter().filter(|(_, value)| value.is_some()) {
            let found = gaps.range::<[u8], _>((Unbounded, Included(&**key))).next_back();
            let Some(start) = found.filter(|(_, gap)| gap.end > *key).map(|found| found.0.clone())
            else {
                continue;
            };
            let Some(gap) = gaps.remove(&start) else { continue };
            let behind = after(key);
            if start < *key && gaps.len() < MAX_GAPS {
                gaps.insert(start, Gap { end: key.clone(), ..gap.clone() });
            }
            if behind < gap.end && gaps.len() < MAX_GAPS {
                gaps.insert(behind, gap);
            }
        }
        self.any.store(!gaps.is_empty(), Ordering::SeqCst);
    }
}

/// The first key behind this one.
pub(super) fn after(key: &[u8]) -> Bytes {
    let mut behind = Vec::with_capacity(key.len() + 1);
    behind.extend_from_slice(key);
    behind.push(0);
    behind.into()
}

/// Puts a stretch in its place, and forgets the one for which nobody has looked for longest if there are too many.
fn insert(gaps: &mut BTreeMap<Bytes, Gap>, mut start: Bytes, mut gap: Gap) {
    if gap.seen.is_some() {
        start = join(gaps, start, &mut gap);
    }
    clear(gaps, &start, &gap.end);
    if gaps.len() >= MAX_GAPS {
        let oldest = gaps.iter().min_by_key(|(_, gap)| gap.watched).map(|(key, _)| key.clone());
        oldest.map(|key| gaps.remove(&key));
    }
    gaps.insert(start, gap);
}

/// Takes in the known stretches that touch this one; returns where it begins then.
fn join(gaps: &mut BTreeMap<Bytes, Gap>, mut start: Bytes, gap: &mut Gap) -> Bytes {
    let before = gaps.range::<Bytes, _>((Unbounded, Included(&start))).next_back();
    let before = before.filter(|(_, known)| known.end >= start && known.seen.is_some());
    if let Some((begin, known)) = before.map(|(begin, known)| (begin.clone(), known.clone())) {
        gap.take(&known);
        gaps.remove(&begin);
        start = begin;
    }
    let behind = gaps.range::<Bytes, _>((Excluded(&start), Included(&gap.end))).next_back();
    let behind = behind.filter(|(_, known)| known.seen.is_some());
    if let Some((begin, known)) = behind.map(|(begin, known)| (begin.clone(), known.clone())) {
        gap.take(&known);
        gaps.remove(&begin);
    }
    start
}

impl Gap {
    fn take(&mut self, other: &Gap) {
        self.end = self.end.clone().max(other.end.clone());
        self.watched = self.watched.max(other.watched);
        self.seen = self.seen.max(other.seen);
    }
}

/// Makes room for a stretch: what lies in it goes, and what reaches into it is cut.
fn clear(gaps: &mut BTreeMap<Bytes, Gap>, start: &Bytes, end: &Bytes) {
    let before = gaps.range::<Bytes, _>((Unbounded, Excluded(start))).next_back();
    let before = before.map(|(begin, known)| (begin.clone(), known.clone()));
    if let Some((begin, known)) = before.filter(|(_, known)| known.end > *start) {
        if known.end > *end && gaps.len() < MAX_GAPS {
            gaps.insert(end.clone(), known.clone());
        }
        gaps.insert(begin, Gap { end: start.clone(), ..known });
    }
    let inside: Vec<Bytes> = gaps
        .range::<Bytes, _>((Included(start), Excluded(end)))
        .map(|(begin, _)| begin.clone())
        .collect();
    for begin in inside {
        if let Some(known) = gaps.remove(&begin).filter(|known| known.end > *end) {
            gaps.insert(end.clone(), known);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::sync::Arc;
    use std::sync::atomic::AtomicU64;

    use proptest::prelude::*;

    use super::*;

    fn key(n: u8) -> Bytes {
        Bytes::copy_from_slice(&[7, n])
    }

    type Rows = BTreeSet<Bytes>;

    /// An engine whose views are copies and whose every look at no row is slow.
    #[derive(Default)]
    struct Model {
        gaps: Gaps,
        generation: AtomicU64,
        rows: Mutex<Arc<Rows>>,
    }

    #[derive(Clone)]
    struct ModelView {
        rows: Arc<Rows>,
        generation: u64,
    }

    impl Model {
        fn newest(&self) -> u64 {
            self.generation.load(Ordering::SeqCst)
        }

        fn commit(&self, changes: &[(u8, bool)]) {
            let mut batch = Overlay::default();
            let mut rows = Rows::clone(&self.rows.lock());
            for (n, is_there) in changes {
                batch.set(key(*n), is_there.then(|| Bytes::from_static(b"row")));
                match is_there {
                    true => rows.insert(key(*n)),
                    false => rows.remove(&key(*n)),
                };
            }
            self.turn(rows, &batch);
        }

        /// A transaction that removes all of a stretch and says so, and one that writes behind it, in one group.
        fn vacate(&self, from: u8, to: u8, behind: &[u8]) {
            let mut batch = Overlay::default();
            let mut rows = Rows::clone(&self.rows.lock());
            for n in from..to {
                batch.set(key(n), None);
                rows.remove(&key(n));
            }
            batch.vacate(key(from), key(to));
            for n in behind {
                batch.set(key(*n), Some(Bytes::from_static(b"row")));
                rows.insert(key(*n));
            }
            self.turn(rows, &batch);
        }

        fn turn(&self, rows: Rows, batch: &Overlay) {
            *self.rows.lock() = Arc::new(rows);
            let generation = self.generation.fetch_add(1, Ordering::SeqCst) + 1;
            self.gaps.turn(batch, generation);
        }

        fn view(&self) -> ModelView {
            ModelView { generation: self.newest(), rows: self.rows.lock().clone() }
        }

        /// Goes through the keys of a view as the engine does, and notes each stretch without one.
        fn scan(&self, view: &ModelView, from: u8, to: u8, reverse: bool) -> Vec<Bytes> {
            let (mut start, mut end) = (key(from), key(to));
            let mut found = Vec::new();
            while start < end {
                let gap = match reverse {
                    false => self.gaps.first(&start, &end, view.generation),
                    true => self.gaps.last(&start, &end, view.generation),
                };
                let stretch = match (&gap, reverse) {
                    (None, _) => (start.clone(), end.clone()),
                    (Some((begin, _)), false) => (start.clone(), begin.clone().max(start.clone())),
                    (Some((_, behind)), true) => (behind.clone().min(end.clone()), end.clone()),
                };
                let mut last = stretch.0.clone();
                let mut rows: Vec<Bytes> = Vec::new();
                for row in
                    view.rows.range(stretch.0.clone()..stretch.1.clone().max(stretch.0.clone()))
                {
                    self.gaps.note(last, row.clone(), view.generation, || self.newest());
                    last = after(row);
                    rows.push(row.clone());
                }
                self.gaps.note(last, stretch.1, view.generation, || self.newest());
                if reverse {
                    rows.reverse();
                }
                found.extend(rows);
                match gap {
                    None => break,
                    Some((_, behind)) if !reverse => start = behind,
                    Some((begin, _)) => end = begin,
                }
            }
            found
        }

        fn check(&self) {
            let gaps = self.gaps.gaps.lock();
            assert!(gaps.len() <= MAX_GAPS);
            let mut last: Option<&Bytes> = None;
            for (start, gap) in gaps.iter() {
                assert!(*start < gap.end && last.is_none_or(|last| last <= start), "{gaps:?}");
                last = Some(&gap.end);
            }
        }
    }

    #[derive(Debug, Clone)]
    enum Step {
        Commit(Vec<(u8, bool)>),
        Vacate { from: u8, to: u8, behind: Vec<u8> },
        Open,
        Scan { view: usize, from: u8, to: u8, reverse: bool },
    }

    fn step() -> impl Strategy<Value = Step> {
        prop_oneof![
            2 => prop::collection::vec((0..100u8, prop::bool::weighted(0.3)), 1..8)
                .prop_map(Step::Commit),
            1 => (0..100u8, 1..30u8, prop::collection::vec(0..130u8, 0..3))
                .prop_map(|(from, len, behind)| Step::Vacate { from, to: from + len, behind }),
            1 => Just(Step::Open),
            4 => (0..4usize, 0..100u8, 0..100u8, any::<bool>())
                .prop_map(|(view, from, to, reverse)| Step::Scan { view, from, to, reverse }),
        ]
    }

    proptest! {
        #[test]
        fn every_view_sees_the_rows_that_it_has(steps in prop::collection::vec(step(), 0..200)) {
            let model = Model::default();
            let mut views = vec![model.view()];
            for step in steps {
                match step {
                    Step::Commit(changes) => {
                        model.commit(&changes);
                        views.push(model.view());
                    }
                    Step::Vacate { from, to, behind } => {
                        model.vacate(from, to, &behind);
                        views.push(model.view());
                    }
                    Step::Open => views.push(model.view()),
                    Step::Scan { view, from, to, reverse } => {
                        let view = &views[views.len() - 1 - (view * view).min(views.len() - 1)];
                        let mut rows: Vec<Bytes> = if from < to {
                            view.rows.range(key(from)..key(to)).cloned().collect()
                        } else {
                            Vec::new()
                        };
                        if reverse {
                            rows.reverse();
                        }
                        prop_assert_eq!(model.scan(view, from, to, reverse), rows);
                        model.check();
                    }
                }
            }
        }
    }

    #[test]
    fn readers_beside_a_writer_see_their_generation() {
        let model = Model::default();
        let published = Mutex::new(model.view());
        std::thread::scope(|scope| {
            for reader in 0..3 {
                let (model, published) = (&model, &published);
                scope.spawn(move || {
                    for n in 0..5_000u32 {
                        let view = published.lock().clone();
                        let rows: Vec<Bytes> = view.rows.iter().cloned().collect();
                        let reverse = n % 2 == 0;
                        let mut found = model.scan(&view, 0, 200, reverse);
                        if reverse {
                            found.reverse();
                        }
                        assert_eq!(found, rows, "reader {reader}");
                    }
                });
            }
            for n in 0..20_000u32 {
                model.commit(&[((n % 40) as u8, n.is_multiple_of(7)), ((n % 13) as u8, false)]);
                *published.lock() = model.view();
            }
        });
    }

    #[test]
    fn a_stretch_at_the_front_grows_as_rows_go() {
        let model = Model::default();
        for n in 0..200 {
            model.commit(&[(n, true)]);
        }
        for n in 0..100 {
            model.commit(&[(n, false)]);
            let view = model.view();
            let known = model.gaps.first(&key(0), &key(200), view.generation);
            let from = known.map_or(key(0), |(_, behind)| behind);
            let first = view.rows.first().cloned().expect("a row");
            model.gaps.note(from, first, view.generation, || model.newest());
        }
        let found = model.gaps.first(&key(0), &key(200), model.newest());
        assert_eq!(found, Some((key(0), key(100))));
        model.commit(&[(50, true)]);
        let found = model.gaps.first(&key(0), &key(200), model.newest());
        assert_eq!(found, Some((key(0), key(50))));
        let behind = model.gaps.first(&key(50), &key(200), model.newest());
        assert_eq!(behind, Some((after(&key(50)), key(100))));
    }

    #[test]
    fn a_look_beside_writers_counts_once_it_was_repeated() {
        let gaps = Gaps::default();
        gaps.note(key(1), key(9), 5, || 6);
        assert_eq!(gaps.first(&key(0), &key(10), 7), None, "a commit may have come between");
        gaps.note(key(1), key(9), 6, || 8);
        assert_eq!(gaps.first(&key(0), &key(10), 5), None, "an older view may see rows");
        assert_eq!(gaps.first(&key(0), &key(10), 6), Some((key(1), key(9))));
    }
}
