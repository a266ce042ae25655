//! The threads that serve connections, each of which stays with one.
//!
//! A runtime that shares its work among threads hands a connection on whenever one of them has nothing to do, and the
//! memory that its requests touch goes with it: between two processors that is a fifth of a small request. What may take
//! long must not hold up the other connections of its thread, so it is handed to the runtime that shares its work, which
//! is called home here.

use std::cell::RefCell;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use fogbank_core::Fault;
use tokio::net::TcpStream;
use tokio::runtime::{Builder, Handle};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

thread_local! {
    /// The runtime that shares its work, where this thread is one of those that serve connections.
    static HOME: RefCell<Option<Handle>> = const { RefCell::new(None) };
}

/// The threads, as many as there are processors at most. Each is started for the first connection that it serves.
pub(crate) struct Workers {
    home: Handle,
    workers: Vec<Option<Worker>>,
}

struct Worker {
    runtime: Handle,
    connections: Arc<AtomicUsize>,
    /// Has the thread end once this is dropped.
    _stop: oneshot::Sender<()>,
}

/// One of the connections of a thread.
struct Place(Arc<AtomicUsize>);

impl Drop for Place {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Workers {
    /// No thread yet; the present runtime is home.
    pub(crate) fn new() -> Workers {
        let count = thread::available_parallelism().map_or(1, usize::from);
        Workers { home: Handle::current(), workers: (0..count).map(|_| None).collect() }
    }

    /// Serves a connection on the thread that has the fewest, or at home where there can be no threads.
    pub(crate) fn spawn<F: Future<Output = ()> + Send + 'static>(
        &mut self,
        stream: TcpStream,
        serve: impl FnOnce(TcpStream) -> F + Send + 'static,
    ) {
        let Some(worker) = self.idlest() else {
            self.home.spawn(serve(stream));
            return;
        };
        worker.connections.fetch_add(1, Ordering::Relaxed);
        let place = Place(worker.connections.clone());
        // Each runtime watches its own connections.
        let stream = stream.into_std();
        worker.runtime.spawn(async move {
            let _place = place;
            match stream.and_then(TcpStream::from_std) {
                Ok(stream) => serve(stream).await,
                Err(error) => tracing::warn!(%error, "cannot serve a connection"),
            }
        });
    }

    fn idlest(&mut self) -> Option<&Worker> {
        let count = |worker: &Option<Worker>| {
            worker.as_ref().map_or(0, |worker| worker.connections.load(Ordering::Relaxed))
        };
        let worker = self.workers.iter_mut().min_by_key(|worker| count(worker))?;
        if worker.is_none() {
            *worker = Worker::start(self.home.clone())
                .inspect_err(|error| tracing::warn!(%error, "cannot start a thread"))
                .ok();
        }
        worker.as_ref()
    }
}

impl Worker {
    fn start(home: Handle) -> std::io::Result<Worker> {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let handle = runtime.handle().clone();
        let (stop, stopped) = oneshot::channel::<()>();
        let serve = move || {
            HOME.set(Some(home));
            // Nothing is ever sent.
            let _ = runtime.block_on(stopped);
            runtime.shutdown_background();
        };
        thread::Builder::new().name("connections".to_owned()).spawn(serve)?;
        Ok(Worker { runtime: handle, connections: Arc::default(), _stop: stop })
    }
}

/// Whether other connections wait for what this thread does.
pub(crate) fn is_shared() -> bool {
    HOME.with_borrow(Option::is_some)
}

/// Does some work where it holds up no other connection. It ends with whoever waits for it.
///
/// # Errors
///
/// It panicked.
pub(crate) async fn aside<T: Send + 'static>(
    work: impl Future<Output = T> + Send + 'static,
) -> Result<T, Fault> {
    let Some(home) = HOME.with_borrow(Clone::clone) else { return Ok(work.await) };
    let mut work = Handed(home.spawn(work));
    (&mut work.0).await.map_err(|_| Fault::internal("the handler panicked"))
}

/// Work that was handed over.
struct Handed<T>(JoinHandle<T>);

impl<T> Drop for Handed<T> {
    fn drop(&mut self) {
        self.0.abort();
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;
    use std::time::Duration;

    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;
    use tokio::sync::mpsc;

    use super::*;

    /// Two ends of a connection.
    async fn connection() -> (TcpStream, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let (client, server) = tokio::join!(TcpStream::connect(address), listener.accept());
        (client.expect("connected"), server.expect("accepted").0)
    }

    #[tokio::test]
    async fn connections_are_spread_and_stay() {
        let mut workers = Workers::new();
        let count = workers.workers.len();
        let (told, mut tells) = mpsc::unbounded_channel();
        let mut clients = Vec::new();
        for _ in 0..2 * count {
            let (client, server) = connection().await;
            let told = told.clone();
            workers.spawn(server, |mut server| async move {
                let began = thread::current().id();
                let byte = server.read_u8().await.expect("a byte");
                let _ = told.send((began, thread::current().id(), byte, is_shared()));
            });
            clients.push(client);
        }
        for client in &mut clients {
            client.write_u8(7).await.expect("written");
        }
        let mut threads = HashSet::new();
        for _ in 0..2 * count {
            let (began, ended, byte, is_shared) = tells.recv().await.expect("told");
            assert!(began == ended && byte == 7 && is_shared);
            threads.insert(ended);
        }
        assert_eq!(threads.len(), count);
        assert!(!threads.contains(&thread::current().id()) && !is_shared());
    }

    #[tokio::test]
    async fn threads_end_with_their_workers_and_hand_work_over() {
        let mut workers = Workers::new();
        let (_client, server) = connection().await;
        let (told, mut tells) = mpsc::unbounded_channel();
        let here = thread::current().id();
        workers.spawn(server, move |server| async move {
            let place = aside(async { thread::current().id() }).await;
            let _ = told.send(place.expect("done") == here);
            let panicked = aside(async { panic!("on purpose") }).await;
            let _ = told.send(panicked.is_err_and(|fault| fault.name() == "InternalFailure"));
            // What nobody waits for any more is given up.
            let alive = told.clone();
            let endless = async move {
                alive.closed().await;
            };
            let wait = tokio::time::timeout(Duration::from_millis(1), aside(endless));
            let _ = told.send(wait.await.is_err());
            drop(told);
            std::future::pending::<()>().await;
            drop(server);
        });
        let told: [Option<bool>; 3] = [tells.recv().await, tells.recv().await, tells.recv().await];
        assert_eq!(told, [Some(true); 3]);
        // The last sender is in the work that was given up.
        assert_eq!(tells.recv().await, None);
        let connections = workers.workers.iter().flatten().next().expect("one").connections.clone();
        drop(workers);
        while connections.load(Ordering::Relaxed) > 0 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }
}
