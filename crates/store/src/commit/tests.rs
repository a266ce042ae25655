//! What is seen, and by whom, while a commit is on its way and after it has failed.

use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::task::JoinHandle;

use super::*;
use crate::engine::Fill;
use crate::engine::memory::MemoryEngine;
use crate::{Read, ReadTx, Write};

/// An engine whose commits wait for a permit and may fail.
#[derive(Default)]
struct GatedEngine {
    rows: MemoryEngine,
    gate: Mutex<Gate>,
    change: Condvar,
}

#[derive(Default)]
struct Gate {
    /// Commits that may go on.
    permits: usize,
    /// Commits that wait or have gone on.
    entered: usize,
    fail: Option<io::ErrorKind>,
    panic: bool,
    behind: bool,
    /// The names of the threads that committed.
    threads: Vec<Option<String>>,
}

impl Engine for GatedEngine {
    fn view(&self) -> Result<Arc<dyn View>, Error> {
        self.rows.view()
    }

    fn commit(&self, batch: &Overlay, survives: Survives) -> Result<(), Error> {
        let mut gate = self.gate.lock();
        gate.entered += 1;
        self.change.notify_all();
        while gate.permits == 0 {
            self.change.wait(&mut gate);
        }
        gate.permits -= 1;
        gate.threads.push(std::thread::current().name().map(str::to_owned));
        if gate.panic {
            drop(gate);
            panic!("on purpose");
        }
        match gate.fail {
            Some(kind) => Err(Error::io("writing the journal", kind.into())),
            None => self.rows.commit(batch, survives),
        }
    }

    fn flush(&self) -> Result<(), Error> {
        Ok(())
    }

    fn disk_bytes(&self) -> Result<u64, Error> {
        Ok(0)
    }

    fn rebuild(&self, fill: &mut Fill<'_>) -> Result<Arc<dyn Engine>, Error> {
        self.rows.rebuild(fill)
    }

    fn take_over(&self) -> Result<(), Error> {
        Ok(())
    }

    fn retire(&self) {}

    fn is_behind(&self) -> bool {
        self.gate.lock().behind
    }
}

struct World {
    engine: Arc<GatedEngine>,
    committer: Arc<Committer>,
}

impl World {
    fn new() -> World {
        World::that(Survives::PowerCut)
    }

    fn that(survives: Survives) -> World {
        let engine = Arc::new(GatedEngine::default());
        let mode = Mode::Grouped(survives);
        let committer = Committer::start(engine.clone(), mode, 0).unwrap();
        World { engine, committer: Arc::new(committer) }
    }

    fn permit(&self, commits: usize) {
        self.engine.gate.lock().permits += commits;
        self.engine.change.notify_all();
    }

    /// Waits until so many commits have reached the engine.
    fn wait_for_commits(&self, commits: usize) {
        let mut gate = self.engine.gate.lock();
        while gate.entered < commits {
            self.engine.change.wait(&mut gate);
        }
    }

    fn put(&self, key: &'static str, value: &'static str) -> JoinHandle<Result<(), Error>> {
        let committer = self.committer.clone();
        tokio::spawn(async move {
            committer
                .write(|tx| {
                    tx.put(key.as_bytes(), value.as_bytes());
                    Ok::<_, Error>(())
                })
                .await
        })
    }

    /// What a write transaction finds under a key.
    fn peek(&self, key: &'static str) -> JoinHandle<Result<Option<Bytes>, Error>> {
        let committer = self.committer.clone();
        tokio::spawn(async move { committer.write(|tx| tx.get(key.as_bytes())).await })
    }

    fn read(&self, key: &str) -> Option<Bytes> {
        ReadTx::new(self.committer.published()).get(key.as_bytes()).unwrap()
    }
}

async fn settle() {
    tokio::time::sleep(Duration::from_millis(30)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reader_sees_only_what_is_durable() {
    let world = World::new();
    let first = world.put("a", "1");
    world.wait_for_commits(1);
    // A second transaction runs upon the first while that one is on its way to the disk.
    let committer = world.committer.clone();
    let hook_ran = Arc::new(AtomicBool::new(false));
    let hook = hook_ran.clone();
    let second = tokio::spawn(async move {
        committer
            .write(|tx| {
                let hook = hook.clone();
                assert_eq!(tx.get(b"a")?.as_deref(), Some(&b"1"[..]));
                tx.put(b"a", b"2");
                tx.on_commit(Box::new(move || hook.store(true, Ordering::SeqCst)));
                Ok::<_, Error>(())
            })
            .await
    });
    settle().await;
    assert_eq!(world.read("a"), None);
    assert!(!first.is_finished() && !second.is_finished());
    world.permit(1);
    first.await.unwrap().unwrap();
    world.wait_for_commits(2);
    assert_eq!(world.read("a").as_deref(), Some(&b"1"[..]));
    assert!(!second.is_finished() && !hook_ran.load(Ordering::SeqCst));
    world.permit(1);
    second.await.unwrap().unwrap();
    assert_eq!(world.read("a").as_deref(), Some(&b"2"[..]));
    world.permit(9);
    world.committer.flush().unwrap();
    assert!(hook_ran.load(Ordering::SeqCst));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn transactions_that_wait_share_one_commit() {
    let world = World::new();
    let first = world.put("first", "1");
    world.wait_for_commits(1);
    let others: Vec<_> = ["a", "b", "c", "d"].into_iter().map(|key| world.put(key, "1")).collect();
    settle().await;
    world.permit(2);
    first.await.unwrap().unwrap();
    for other in others {
        other.await.unwrap().unwrap();
    }
    assert_eq!(world.engine.gate.lock().entered, 2);
    world.permit(9);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_waits_for_what_it_tells_of() {
    let world = World::new();
    let write = world.put("a", "1");
    world.wait_for_commits(1);
    let seen = world.peek("a");
    let committer = world.committer.clone();
    let failed = tokio::spawn(async move {
        committer
            .write(|tx| match tx.get(b"a")? {
                Some(_) => Err(Error::corrupt("a", "it exists already")),
                None => Ok(()),
            })
            .await
    });
    settle().await;
    assert!(!seen.is_finished() && !failed.is_finished());
    world.permit(1);
    write.await.unwrap().unwrap();
    assert_eq!(seen.await.unwrap().unwrap().as_deref(), Some(&b"1"[..]));
    assert!(matches!(failed.await.unwrap(), Err(Error::Corrupt { .. })));
    // With nothing on its way there is nothing to wait for.
    assert_eq!(world.peek("b").await.unwrap().unwrap(), None);
    world.permit(9);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_a_failed_commit_nothing_is_written_and_reads_go_on() {
    for panic in [false, true] {
        let world = World::new();
        world.permit(1);
        world.put("a", "1").await.unwrap().unwrap();
        {
            let mut gate = world.engine.gate.lock();
            gate.fail = Some(io::ErrorKind::StorageFull);
            gate.panic = panic;
        }
        let committer = world.committer.clone();
        let first = tokio::spawn(async move {
            committer
                .write(|tx| {
                    tx.put(b"a", b"2");
                    tx.on_commit(Box::new(|| panic!("the hook of a failed transaction ran")));
                    Ok::<_, Error>(())
                })
                .await
        });
        world.wait_for_commits(2);
        let second = world.put("b", "2");
        let seen = world.peek("a");
        settle().await;
        world.permit(1);
        for outcome in [first.await.unwrap(), second.await.unwrap(), seen.await.unwrap().map(drop)]
        {
            let error = outcome.unwrap_err();
            assert!(matches!(error, Error::ReadOnly { .. }), "{error}");
            assert_eq!(error.is_disk_full(), !panic, "{error}");
        }
        assert!(matches!(world.put("c", "3").await.unwrap(), Err(Error::ReadOnly { .. })));
        assert!(matches!(world.committer.health(), Err(Error::ReadOnly { .. })));
        assert_eq!(world.read("a").as_deref(), Some(&b"1"[..]));
        assert_eq!(world.read("b"), None);
        assert_eq!(world.engine.gate.lock().entered, 2);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_write_whose_future_is_dropped_still_happens() {
    let world = World::new();
    let write = world.put("a", "1");
    world.wait_for_commits(1);
    write.abort();
    world.permit(9);
    world.committer.flush().unwrap();
    assert_eq!(world.read("a").as_deref(), Some(&b"1"[..]));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn closing_commits_what_waits() {
    let world = World::new();
    let writes = [world.put("a", "1"), world.put("b", "1")];
    world.wait_for_commits(1);
    settle().await;
    let engine = world.engine.clone();
    world.permit(9);
    world.committer.close().unwrap();
    for write in writes {
        write.await.unwrap().unwrap();
    }
    let view = ReadTx::new(engine.view().unwrap());
    assert!(view.get(b"a").unwrap().is_some() && view.get(b"b").unwrap().is_some());
}

#[test]
fn a_group_that_need_not_reach_the_disk_is_committed_by_its_writer() {
    let world = World::that(Survives::Crash);
    world.permit(9);
    let put = |value: &'static [u8]| {
        world.committer.write_blocking(|tx| {
            tx.put(b"a", value);
            Ok::<_, Error>(())
        })
    };
    put(b"1").unwrap();
    assert_eq!(world.read("a").as_deref(), Some(&b"1"[..]));
    // An engine that is behind is waited for on the commit thread, once that is known.
    world.engine.gate.lock().behind = true;
    put(b"2").unwrap();
    put(b"3").unwrap();
    world.engine.gate.lock().behind = false;
    put(b"4").unwrap();
    put(b"5").unwrap();
    assert_eq!(world.read("a").as_deref(), Some(&b"5"[..]));
    let here = std::thread::current().name().map(str::to_owned);
    let there = Some("store-commit".to_owned());
    let threads = world.engine.gate.lock().threads.clone();
    assert_eq!(threads, [here.clone(), here.clone(), there.clone(), there, here]);
}

#[test]
fn a_writer_hears_of_the_failure_of_the_commit_that_it_made_itself() {
    for panic in [false, true] {
        let world = World::that(Survives::Crash);
        world.permit(9);
        {
            let mut gate = world.engine.gate.lock();
            gate.fail = Some(io::ErrorKind::StorageFull);
            gate.panic = panic;
        }
        for _ in 0..2 {
            let outcome = world.committer.write_blocking(|tx| {
                tx.put(b"a", b"1");
                Ok::<_, Error>(())
            });
            assert!(matches!(outcome, Err(Error::ReadOnly { .. })), "{outcome:?}");
        }
        assert_eq!(world.read("a"), None);
        assert_eq!(world.engine.gate.lock().entered, 1);
    }
}

/// Writers on many threads, some of which commit for others, a flush now and then, and an end in the middle of it: each
/// increment that was acknowledged is there, and nobody waits for ever.
#[test]
fn writers_that_commit_for_each_other_lose_nothing() {
    for survives in [Survives::Crash, Survives::PowerCut] {
        for round in 0..20 {
            let world = World::that(survives);
            world.permit(usize::MAX);
            let acknowledged: u64 = std::thread::scope(|scope| {
                let writers: Vec<_> =
                    (0..6).map(|_| scope.spawn(|| increments(&world.committer))).collect();
                std::thread::sleep(Duration::from_micros(200 * round));
                world.engine.gate.lock().behind = round % 3 == 0;
                let _ = world.committer.flush();
                world.committer.close().unwrap();
                writers.into_iter().map(|writer| writer.join().unwrap()).sum()
            });
            let view = ReadTx::new(world.engine.view().unwrap());
            let count = view.get(b"count").unwrap().map_or(0, number);
            assert_eq!(count, acknowledged);
        }
    }
}

/// Increments until the end, and says how often it was acknowledged.
fn increments(committer: &Committer) -> u64 {
    let mut acknowledged = 0;
    loop {
        let outcome = committer.write_blocking(|tx| {
            let count = tx.get(b"count")?.map_or(0, number) + 1;
            tx.put(b"count", &count.to_be_bytes());
            Ok::<_, Error>(())
        });
        match outcome {
            Ok(()) => acknowledged += 1,
            Err(Error::Closed) => return acknowledged,
            Err(error) => panic!("{error}"),
        }
    }
}

fn number(bytes: Bytes) -> u64 {
    u64::from_be_bytes(bytes[..].try_into().unwrap())
}
