//! Warm environments: reuse, limits, replacement and reaping.

use std::convert::Infallible;
use std::io::Write;
use std::net::{TcpListener, TcpStream};
use std::time::Duration;

use crate::world::{World, event, json};
use fogbank_compute::lambda::{Ending, Exit, InvokeError, Limits, Outcome, Pool, Spec};
use serde_json::json;

/// Returns its process-wide number of invocations, after the test has let it go.
const GATED: &str = "
import os, socket
count = 0
def handler(event, context):
    global count
    count += 1
    if event == 'gate':
        with socket.create_connection(('127.0.0.1', int(os.environ['PORT']))) as gate:
            gate.recv(1)
    if event == 'exit':
        exit(1)
    return count
";

struct Gate(TcpListener);

impl Gate {
    fn new() -> Self {
        Self(TcpListener::bind("127.0.0.1:0").unwrap())
    }

    fn spec(&self, world: &World) -> Spec {
        let mut spec = world.python(GATED);
        spec.env.push(("PORT".to_owned(), self.0.local_addr().unwrap().port().to_string()));
        spec
    }

    /// Waits for an invocation to arrive.
    async fn arrival(&self) -> TcpStream {
        let listener = self.0.try_clone().unwrap();
        tokio::task::spawn_blocking(move || listener.accept().unwrap().0).await.unwrap()
    }
}

fn let_go(mut gate: TcpStream) {
    gate.write_all(b"x").unwrap();
}

async fn invoke(
    pool: &Pool,
    key: &str,
    limit: Option<usize>,
    spec: Spec,
    payload: &str,
) -> Result<Outcome, InvokeError> {
    let spec = move || async move { Ok::<_, Infallible>(spec) };
    pool.invoke(key, limit, spec, event("id", payload)).await
}

#[tokio::test]
async fn an_environment_is_used_again_until_its_function_changes() {
    let world = World::new();
    let pool = Pool::new(world.compute.clone(), Limits::default());
    let gate = Gate::new();
    for expected in [1, 2, 3] {
        let outcome = invoke(&pool, "f", None, gate.spec(&world), "0").await.unwrap();
        assert_eq!(json(&outcome), json!(expected));
        assert_eq!(outcome.init_duration.is_some(), expected == 1);
    }
    assert_eq!(pool.usage(), (0, 1));
    let outcome = invoke(&pool, "g", None, gate.spec(&world), "0").await.unwrap();
    assert_eq!(json(&outcome), json!(1), "another key has another environment");
    pool.retire("f");
    assert_eq!(pool.usage(), (0, 1));
    let outcome = invoke(&pool, "f", None, gate.spec(&world), "0").await.unwrap();
    assert_eq!(json(&outcome), json!(1));
    let outcome = invoke(&pool, "f", None, gate.spec(&world), "\"exit\"").await.unwrap();
    assert!(matches!(outcome.ending, Ending::Crashed(_)));
    assert_eq!(pool.usage(), (0, 1), "a broken environment is not kept");
    pool.stop();
    assert_eq!(pool.usage(), (0, 0));
    let refused = invoke(&pool, "f", None, gate.spec(&world), "0").await;
    assert!(matches!(refused, Err(InvokeError::Stopped)));
}

#[tokio::test]
async fn concurrent_invocations_have_environments_of_their_own_up_to_the_limit() {
    let world = World::new();
    let pool = Pool::new(world.compute.clone(), Limits { concurrency: 3, ..Limits::default() });
    let gate = Gate::new();
    let start = |key: &'static str| {
        let (pool, spec) = (pool.clone(), gate.spec(&world));
        tokio::spawn(async move { invoke(&pool, key, Some(2), spec, "\"gate\"").await })
    };
    let (one, two) = (start("f"), start("f"));
    let gates = [gate.arrival().await, gate.arrival().await];
    assert_eq!(pool.usage(), (2, 0));
    let refused = invoke(&pool, "f", Some(2), gate.spec(&world), "0").await;
    let Err(InvokeError::TooManyRequests { reason }) = refused else { panic!() };
    assert_eq!(reason, "ReservedFunctionConcurrentInvocationLimitExceeded");
    let three = start("g");
    let last = gate.arrival().await;
    let refused = invoke(&pool, "h", None, gate.spec(&world), "0").await;
    let Err(InvokeError::TooManyRequests { reason }) = refused else { panic!() };
    assert_eq!(reason, "ConcurrentInvocationLimitExceeded");
    pool.retire("g");
    gates.into_iter().chain([last]).for_each(let_go);
    for task in [one, two, three] {
        assert_eq!(json(&task.await.unwrap().unwrap()), json!(1));
    }
    assert_eq!(pool.usage(), (0, 2), "the one that was retired while busy is not kept");
}

#[tokio::test]
async fn an_invocation_outlives_its_caller() {
    let world = World::new();
    let pool = Pool::new(world.compute.clone(), Limits::default());
    let gate = Gate::new();
    let (caller, spec) = (pool.clone(), gate.spec(&world));
    let call = tokio::spawn(async move { invoke(&caller, "f", None, spec, "\"gate\"").await });
    let held = gate.arrival().await;
    call.abort();
    assert!(call.await.is_err());
    assert_eq!(pool.usage(), (1, 0));
    let_go(held);
    while pool.usage() != (0, 1) {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let outcome = invoke(&pool, "f", None, gate.spec(&world), "0").await.unwrap();
    assert_eq!(json(&outcome), json!(2));
}

#[tokio::test]
async fn an_environment_can_be_ready_before_its_first_invocation() {
    let world = World::new();
    let pool = Pool::new(world.compute.clone(), Limits::default());
    let gate = Gate::new();
    let spec = gate.spec(&world);
    assert!(pool.prewarm("f", move || async move { Ok::<_, Infallible>(spec) }).await.unwrap());
    assert_eq!(pool.usage(), (0, 1));
    let never = || async { Err::<Spec, _>("no new environment is needed") };
    let outcome = pool.invoke("f", None, never, event("id", "0")).await.unwrap();
    assert_eq!(json(&outcome), json!(1));
    let broken = world.python("import nothing_like_it\n");
    let ready = pool.prewarm("b", move || async move { Ok::<_, Infallible>(broken) }).await;
    assert!(!ready.unwrap());
    let failed =
        pool.invoke("b", None, || async { Err::<Spec, _>("no code") }, event("id", "0")).await;
    assert_eq!(failed.unwrap_err().to_string(), "the function could not be prepared: no code");
    assert_eq!(pool.usage(), (0, 1));
}

#[tokio::test]
async fn idle_and_old_environments_end() {
    let world = World::new();
    let gate = Gate::new();
    let brief = Limits { idle: Duration::from_millis(1), ..Limits::default() };
    let pool = Pool::new(world.compute.clone(), brief);
    invoke(&pool, "f", None, gate.spec(&world), "0").await.unwrap();
    while pool.usage() != (0, 0) {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let pool =
        Pool::new(world.compute.clone(), Limits { age: Duration::ZERO, ..Limits::default() });
    invoke(&pool, "f", None, gate.spec(&world), "0").await.unwrap();
    assert_eq!(pool.usage(), (0, 0), "an old environment is not kept");
    let one = Limits { environments: 1, ..Limits::default() };
    let pool = Pool::new(world.compute.clone(), one);
    for key in ["f", "g", "h"] {
        invoke(&pool, key, None, gate.spec(&world), "0").await.unwrap();
    }
    assert_eq!(pool.usage(), (0, 1), "the longest idle one makes room");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn many_invocations_at_once_get_their_own_answers_and_logs() {
    let world = World::new();
    let pool = Pool::new(world.compute.clone(), Limits::default());
    let spec = world.python(
        "import os\ndef handler(number, c):\n    print('line', number)\n    if number % 17 == 0: os.kill(os.getpid(), 11)\n    return number\n",
    );
    let mut running = tokio::task::JoinSet::new();
    for number in 1..=150 {
        let (pool, spec) = (pool.clone(), spec.clone());
        running.spawn(async move {
            (number, invoke(&pool, "f", None, spec, &number.to_string()).await)
        });
        if running.len() == 12 {
            check(running.join_next().await.unwrap().unwrap());
        }
    }
    running.join_all().await.into_iter().for_each(check);
    assert_eq!(pool.usage().0, 0);
}

fn check((number, outcome): (u32, Result<Outcome, InvokeError>)) {
    let outcome = outcome.unwrap();
    assert!(outcome.log_tail.contains(&format!("\nline {number}\n")), "{}", outcome.log_tail);
    if number % 17 == 0 {
        assert_eq!(outcome.ending, Ending::Crashed(Exit::Signal(11)));
    } else {
        assert_eq!(json(&outcome), json!(number));
    }
}
