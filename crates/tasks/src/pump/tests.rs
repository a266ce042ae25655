//! Starvation, order and backlogs, by counts of what was done and looked at.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use fogbank_core::outbox::lanes;
use fogbank_core::wire::{self, Protocol, Style};
use fogbank_core::{BoxFuture, Fault, Job, Retry};
use fogbank_testkit::{Value, World, json};
use parking_lot::Mutex;
use tokio::sync::Semaphore;

use super::*;

static MODEL: wire::Service = wire::Service {
    name: "chores",
    sdk_id: "Chores",
    signing_name: "chores",
    endpoint_prefix: "chores",
    target_prefix: "Chores",
    service_shape: "Chores",
    api_version: "2026-01-01",
    namespace: "test",
    xml_namespace: "",
    protocols: &[Protocol::AwsJson1_1],
    query_compatible: false,
    operations: &[],
    errors: &[],
};

static CHORES: Service = Service {
    jobs: &[
        Job { name: "note", run: note },
        Job { name: "fail", run: fail },
        Job { name: "hang", run: hang },
    ],
    ..Service::new(&MODEL, Style::DEFAULT, &[])
};

static SERVICES: &[&Service] = &[&CHORES];

/// What was done in a world.
struct Log {
    notes: Mutex<Vec<u64>>,
    failures: AtomicUsize,
    hanging: AtomicUsize,
    /// What hangs goes on when it gets a permit.
    gate: Semaphore,
}

fn log(cloud: &Cloud) -> Arc<Log> {
    cloud.state(|| Log {
        notes: Mutex::default(),
        failures: AtomicUsize::default(),
        hanging: AtomicUsize::default(),
        gate: Semaphore::new(0),
    })
}

fn note(cx: Cx, input: Value) -> BoxFuture<'static, Result<(), Fault>> {
    log(&cx).notes.lock().push(input.as_u64().unwrap_or_default());
    Box::pin(std::future::ready(Ok(())))
}

fn fail(cx: Cx, _: Value) -> BoxFuture<'static, Result<(), Fault>> {
    log(&cx).failures.fetch_add(1, Ordering::SeqCst);
    Box::pin(std::future::ready(Err(Fault::internal("it is dead"))))
}

fn hang(cx: Cx, _: Value) -> BoxFuture<'static, Result<(), Fault>> {
    Box::pin(async move {
        let log = log(&cx);
        log.hanging.fetch_add(1, Ordering::SeqCst);
        let _permit = log.gate.acquire().await;
        Err(Fault::internal("nobody answered"))
    })
}

const SLOWLY: Retry = Retry { attempts: 4, pause_millis: 20_000, longest_pause_millis: 20_000 };

fn chore(name: &str, number: u64, lane: &str) -> Effect {
    Effect::job(&format!("chores:{name}"), &json!(number)).in_lane(lane).retried(SLOWLY)
}

async fn emit(world: &World, effects: &[Effect]) {
    let cx = Cx::background(world.cloud().clone(), "chores", "test");
    let emitted = cx.write(|tx| {
        effects.iter().try_for_each(|effect| tx.emit(effect.clone()))?;
        Ok::<_, Fault>(())
    });
    emitted.await.expect("a commit");
}

/// Has the pump do all that it can do now.
async fn drain(pump: &mut Pump) {
    pump.fill().expect("a look");
    while !pump.performances.is_empty() {
        pump.settle().await;
        pump.fill().expect("a look");
    }
}

fn rows(world: &World) -> usize {
    world.cloud().db().read(|rows| EFFECTS.range(&()).keys(rows)).expect("rows").len()
}

#[tokio::test]
async fn effects_of_a_lane_begin_in_the_order_of_their_transactions() {
    let world = World::new(SERVICES);
    for number in 0..200 {
        emit(&world, &[chore("note", 2 * number, "one"), chore("note", 2 * number + 1, "one")])
            .await;
    }
    // One at a time begins them in the order in which they are taken.
    let mut pump = Pump::new(world.cloud().clone(), SERVICES);
    drain(&mut pump).await;
    assert_eq!(*log(world.cloud()).notes.lock(), (0..400).collect::<Vec<_>>());
    assert_eq!(rows(&world), 0);
    assert!(pump.lanes.is_empty() && pump.taken == [0, 0], "nothing stays in memory");
}

#[tokio::test]
async fn a_target_that_hangs_holds_up_nobody_else() {
    let world = World::new(SERVICES);
    let hanging: Vec<_> = (0..1_000).map(|number| chore("hang", number, "dead")).collect();
    emit(&world, &hanging).await;
    let mut pump = Pump::new(world.cloud().clone(), SERVICES);
    pump.fill().expect("a look");
    tokio::task::yield_now().await;
    emit(&world, &[chore("note", 7, "alive")]).await;
    pump.fill().expect("a look");
    pump.settle().await;
    assert_eq!(*log(world.cloud()).notes.lock(), [7]);
    assert!(log(world.cloud()).hanging.load(Ordering::SeqCst) <= FIRST_WINDOW);
}

#[tokio::test]
async fn lanes_that_fail_leave_places_to_those_that_do_not() {
    let world = World::new(SERVICES);
    // Very many dead targets, each of which has failed once and hangs from now on.
    for number in 0..300 {
        let lane = format!("dead-{number}");
        emit(&world, &[chore("fail", 0, &lane)]).await;
    }
    let mut pump = Pump::new(world.cloud().clone(), SERVICES);
    drain(&mut pump).await;
    assert_eq!(log(world.cloud()).failures.load(Ordering::SeqCst), 300);
    for number in 0..300 {
        let lane = format!("dead-{number}");
        emit(&world, &[chore("hang", 0, &lane)]).await;
    }
    for _ in 0..10 {
        pump.fill().expect("a look");
        tokio::task::yield_now().await;
    }
    assert_eq!(pump.taken, [0, PLACES[1]], "they are known to fail");
    emit(&world, &[chore("note", 1, "alive")]).await;
    pump.fill().expect("a look");
    pump.settle().await;
    assert_eq!(*log(world.cloud()).notes.lock(), [1]);
}

#[tokio::test]
async fn every_lane_gets_its_turn() {
    let world = World::new(SERVICES);
    let lanes = PLACES[0] * 2;
    for number in 0..lanes {
        let lane = format!("lane-{number}");
        let many: Vec<_> = (0..20).map(|_| chore("note", number as u64, &lane)).collect();
        emit(&world, &many).await;
    }
    world.clock().advance(1);
    emit(&world, &[chore("note", 999_999, "late")]).await;
    let mut pump = Pump::new(world.cloud().clone(), SERVICES);
    drain(&mut pump).await;
    let log = log(world.cloud());
    let notes = log.notes.lock();
    assert_eq!(notes.len(), lanes * 20 + 1);
    let at = notes.iter().position(|note| *note == 999_999).expect("it was done");
    // Nobody is behind everything that was there before him.
    assert!(at < lanes * 10, "{at}");
}

#[tokio::test]
async fn a_backlog_is_not_walked_through() {
    let world = World::new(SERVICES);
    for number in 0..100 {
        let many: Vec<_> = (0..500).map(|_| chore("hang", number, "dead")).collect();
        emit(&world, &many).await;
    }
    let mut pump = Pump::new(world.cloud().clone(), SERVICES);
    pump.fill().expect("a look");
    let before = pump.visited;
    for number in 0..1_000 {
        emit(&world, &[chore("note", number, "alive")]).await;
        pump.fill().expect("a look");
        pump.settle().await;
    }
    assert_eq!(log(world.cloud()).notes.lock().len(), 1_000);
    let each = (pump.visited - before) as f64 / 1_000.0;
    assert!(each < 8.0, "{each} rows for each effect, with 50,000 waiting");
}

#[tokio::test]
async fn retries_wait_for_the_clock_and_not_longer_when_it_goes_back() {
    let world = World::new(SERVICES);
    emit(&world, &[chore("fail", 0, "dead")]).await;
    let mut pump = Pump::new(world.cloud().clone(), SERVICES);
    drain(&mut pump).await;
    let failures = || log(world.cloud()).failures.load(Ordering::SeqCst);
    world.clock().advance(19_999);
    drain(&mut pump).await;
    assert_eq!(failures(), 1);
    world.clock().advance(1);
    drain(&mut pump).await;
    assert_eq!(failures(), 2);

    let cloud = world.cloud();
    let yesterday = cloud.clock().now().plus_secs(-24 * 3600);
    let frozen = fogbank_core::clock::Change::Freeze(Some(yesterday));
    cloud.change_clock(frozen).await.expect("a change");
    let cx = Cx::background(cloud.clone(), "core", "test");
    lanes::time_went_back(&cx).await.expect("moved");
    lanes::time_went_back(&cx).await.expect("twice is as good");
    world.clock().advance(20_000);
    drain(&mut pump).await;
    assert_eq!(failures(), 3);
    world.clock().advance(20_000);
    drain(&mut pump).await;
    assert_eq!((failures(), rows(&world)), (4, 0));
}

#[tokio::test]
async fn what_was_under_way_when_the_process_ended_is_done_again() {
    let world = World::new(SERVICES);
    emit(&world, &[chore("hang", 0, "one"), chore("note", 5, "two")]).await;
    let mut pump = Pump::new(world.cloud().clone(), SERVICES);
    pump.fill().expect("a look");
    tokio::task::yield_now().await;
    drop(pump);
    log(world.cloud()).gate.add_permits(1);
    let mut pump = Pump::new(world.cloud().clone(), SERVICES);
    drain(&mut pump).await;
    assert!(log(world.cloud()).hanging.load(Ordering::SeqCst) >= 1);
    assert!(log(world.cloud()).notes.lock().contains(&5));
    assert_eq!(rows(&world), 1, "the try that failed waits for the next");
}

#[tokio::test]
async fn effects_from_before_there_were_lanes_are_done() {
    use fogbank_core::store::Table;
    static OLD: Table<(u64, String), Effect> = Table::new("core.outbox", 0x0010);
    let world = World::new(SERVICES);
    let cx = Cx::background(world.cloud().clone(), "chores", "test");
    cx.write(|tx| {
        for number in 0..1_000 {
            let key = (number, format!("{number:x}"));
            OLD.put(tx, &key, &chore("note", number, ""))?;
        }
        Ok::<_, Fault>(())
    })
    .await
    .expect("a commit");
    while !lanes::move_old(&cx).await.expect("moved") {}
    let mut pump = Pump::new(world.cloud().clone(), SERVICES);
    drain(&mut pump).await;
    assert_eq!(*log(world.cloud()).notes.lock(), (0..1_000).collect::<Vec<_>>());
}
