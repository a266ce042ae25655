//! Rows that almost every request reads, as the engine has them: what it takes to find a row in a tree of files is a
//! good part of a small request.
//!
//! A row is remembered by a view of the newest generation and forgotten by the commit that changes it, before that
//! commit's view exists. So what is remembered is what any view sees that is not older than the memory.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use parking_lot::RwLock;

use crate::Apart;
use crate::tx::Overlay;

/// What is remembered for a thread, in bytes and rows; at more it begins anew.
const SHARD_BYTES: usize = 256 << 10;
const SHARD_ROWS: usize = 2048;
/// Longer values are not remembered.
const MAX_VALUE_BYTES: usize = 4 << 10;
/// The bytes in front of a key that name its table.
const PREFIX_BYTES: usize = 4;

#[derive(Default)]
pub(super) struct Often {
    generation: AtomicU64,
    /// A bit for each table of which something was ever to be remembered. Tables may share one.
    tables: AtomicU64,
    /// Threads remember by themselves: even to read under a lock is to write to it.
    shards: Apart<RwLock<Shard>>,
}

#[derive(Default)]
struct Shard {
    rows: HashMap<Bytes, Row>,
    bytes: usize,
}

struct Row {
    value: Bytes,
    since: u64,
}

impl Often {
    /// The generation of a view that is taken now.
    pub(super) fn generation(&self) -> u64 {
        self.generation.load(Ordering::SeqCst)
    }

    /// The row as a view of this generation sees it, if it is remembered.
    pub(super) fn get(&self, key: &[u8], generation: u64) -> Option<Bytes> {
        let shard = self.shards.own().read();
        shard.rows.get(key).filter(|row| row.since <= generation).map(|row| row.value.clone())
    }

    /// Has the commits from now on look for rows of the key's table. To be called before the row is read.
    pub(super) fn announce(&self, key: &[u8]) {
        let bit = table_bit(key);
        if self.tables.load(Ordering::SeqCst) & bit == 0 {
            self.tables.fetch_or(bit, Ordering::SeqCst);
        }
    }

    /// Remembers a row that a view of this generation sees, unless there is a newer one already.
    pub(super) fn remember(&self, key: &[u8], value: &Bytes, generation: u64) {
        if value.len() > MAX_VALUE_BYTES || self.generation() != generation {
            return;
        }
        let mut shard = self.shards.own().write();
        // A commit that begins its generation after this look forgets the row after this lock.
        if self.generation() != generation {
            return;
        }
        let size = key.len() + value.len();
        if shard.bytes + size > SHARD_BYTES || shard.rows.len() >= SHARD_ROWS {
            *shard = Shard::default();
        }
        // Copied, since what the engine returns may hold on to a block of a file.
        let value = Bytes::copy_from_slice(value);
        let row = Row { value, since: generation };
        shard.bytes += size;
        if let Some(old) = shard.rows.insert(Bytes::copy_from_slice(key), row) {
            shard.bytes -= key.len() + old.value.len();
        }
    }

    /// Begins a generation: forgets what a batch has changed. To be called when the engine has the batch, and before a
    /// view of it is taken.
    pub(super) fn forget(&self, batch: &Overlay) {
        self.generation.fetch_add(1, Ordering::SeqCst);
        let tables = self.tables.load(Ordering::SeqCst);
        for (key, _) in batch.iter() {
            if tables & table_bit(key) == 0 {
                continue;
            }
            for shard in self.shards.iter() {
                let mut shard = shard.write();
                if let Some(old) = shard.rows.remove(key) {
                    shard.bytes -= key.len() + old.value.len();
                }
            }
        }
    }
}

fn table_bit(key: &[u8]) -> u64 {
    let mut hasher = DefaultHasher::new();
    key[..key.len().min(PREFIX_BYTES)].hash(&mut hasher);
    1 << (hasher.finish() % 64)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::sync::Arc;

    use parking_lot::Mutex;
    use proptest::prelude::*;

    use super::*;

    fn key(n: u8) -> Bytes {
        Bytes::copy_from_slice(&[0, 0, n % 2, 1, n])
    }

    type Rows = BTreeMap<Bytes, Bytes>;

    /// An engine whose views are copies, as far as rows are read often.
    #[derive(Default)]
    struct Model {
        often: Often,
        rows: Mutex<Arc<Rows>>,
    }

    #[derive(Clone)]
    struct ModelView {
        rows: Arc<Rows>,
        generation: u64,
    }

    impl Model {
        fn commit(&self, changes: &[(u8, Option<u8>)]) {
            let mut batch = Overlay::default();
            let mut rows = Rows::clone(&self.rows.lock());
            for (n, value) in changes {
                let value = value.map(|value| Bytes::from(vec![value; 1 + usize::from(value)]));
                batch.set(key(*n), value.clone());
                match value {
                    Some(value) => drop(rows.insert(key(*n), value)),
                    None => drop(rows.remove(&key(*n))),
                }
            }
            *self.rows.lock() = Arc::new(rows);
            self.often.forget(&batch);
        }

        fn view(&self) -> ModelView {
            ModelView { generation: self.often.generation(), rows: self.rows.lock().clone() }
        }

        fn get(&self, view: &ModelView, n: u8) -> Option<Bytes> {
            if let Some(known) = self.often.get(&key(n), view.generation) {
                return Some(known);
            }
            self.often.announce(&key(n));
            let value = view.rows.get(&key(n)).cloned()?;
            self.often.remember(&key(n), &value, view.generation);
            Some(value)
        }
    }

    #[derive(Debug, Clone)]
    enum Step {
        Commit(Vec<(u8, Option<u8>)>),
        Open,
        Get { view: usize, n: u8 },
    }

    fn step() -> impl Strategy<Value = Step> {
        prop_oneof![
            2 => prop::collection::vec((0..6u8, any::<Option<u8>>()), 1..4).prop_map(Step::Commit),
            1 => Just(Step::Open),
            4 => (0..4usize, 0..6u8).prop_map(|(view, n)| Step::Get { view, n }),
        ]
    }

    proptest! {
        #[test]
        fn every_view_sees_what_the_engine_has(steps in prop::collection::vec(step(), 0..200)) {
            let model = Model::default();
            let mut views = vec![model.view()];
            for step in steps {
                match step {
                    Step::Commit(changes) => {
                        model.commit(&changes);
                        views.push(model.view());
                    }
                    Step::Open => views.push(model.view()),
                    // Newer views are asked more often than older ones.
                    Step::Get { view, n } => {
                        let view = &views[views.len() - 1 - (view * view).min(views.len() - 1)];
                        prop_assert_eq!(model.get(view, n), view.rows.get(&key(n)).cloned());
                    }
                }
            }
        }
    }

    #[test]
    fn readers_beside_a_writer_never_see_another_generation() {
        let model = Model::default();
        let published = Mutex::new(model.view());
        std::thread::scope(|scope| {
            for _ in 0..3 {
                scope.spawn(|| {
                    for _ in 0..30_000 {
                        let view = published.lock().clone();
                        for n in 0..4 {
                            assert_eq!(model.get(&view, n), view.rows.get(&key(n)).cloned());
                        }
                    }
                });
            }
            for n in 0..20_000u32 {
                model.commit(&[((n % 4) as u8, (!n.is_multiple_of(5)).then_some((n % 251) as u8))]);
                *published.lock() = model.view();
            }
        });
    }

    #[test]
    fn little_is_remembered() {
        let often = Often::default();
        for n in 0..100_000u32 {
            let key = [&[0, 0, 1, 1], &n.to_be_bytes()[..]].concat();
            often.announce(&key);
            often.remember(&key, &Bytes::from(vec![7; 1000]), often.generation());
        }
        let bytes: usize = often.shards.iter().map(|shard| shard.read().bytes).sum();
        assert!(bytes > 100_000 && bytes <= SHARD_BYTES, "{bytes}");
        often.remember(b"long", &Bytes::from(vec![7; 5000]), often.generation());
        assert_eq!(often.get(b"long", often.generation()), None);
    }
}
