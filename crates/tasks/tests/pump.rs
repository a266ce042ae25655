//! The pump against a service of jobs that fail in every way.

use std::sync::atomic::{AtomicUsize, Ordering};

use fogbank_core::wire::{Protocol, Style};
use fogbank_core::{Cx, Effect, Fault, Job, Retry, Service, wire};
use fogbank_testkit::{World, json};

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

static PANICS: AtomicUsize = AtomicUsize::new(0);
static GIVEN_UP: AtomicUsize = AtomicUsize::new(0);

static CHORES: Service = Service {
    jobs: &[
        Job {
            name: "panic",
            run: |_, _| {
                Box::pin(async {
                    PANICS.fetch_add(1, Ordering::SeqCst);
                    panic!("a chore that cannot be done");
                })
            },
        },
        Job {
            name: "give-up",
            run: |_, _| {
                Box::pin(async {
                    GIVEN_UP.fetch_add(1, Ordering::SeqCst);
                    Ok(())
                })
            },
        },
    ],
    ..Service::new(&MODEL, Style::DEFAULT, &[])
};

static SERVICES: &[&Service] = &[&CHORES];

async fn until(world: &World, what: impl Fn() -> bool) {
    for _ in 0..1000 {
        if what() {
            return;
        }
        world.clock().advance(100);
        tokio::time::sleep(std::time::Duration::from_millis(1)).await;
    }
    panic!("it did not come to pass");
}

#[tokio::test]
async fn a_panic_is_a_failed_try() {
    let world = World::new(SERVICES);
    let _background = world.background();
    let retry = Retry { attempts: 3, pause_millis: 100, longest_pause_millis: 100 };
    let cx = Cx::background(world.cloud().clone(), "chores", "test");
    // More of them than there are places, so that a place that is not given back is missed.
    for _ in 0..100 {
        let effect = Effect::job("chores:panic", &json!({})).retried(retry);
        let effect = effect.or_else(Effect::job("chores:give-up", &json!({})));
        cx.write(|tx| tx.emit(effect.clone()).map_err(Fault::from)).await.expect("a commit");
    }
    until(&world, || GIVEN_UP.load(Ordering::SeqCst) == 100).await;
    assert_eq!(PANICS.load(Ordering::SeqCst), 300);
}
