//! A timer for what each request of a connection sets and hardly any awaits.
//!
//! The runtime keeps timers in one place for all threads. A connection therefore sets one there and leaves it, though
//! requests come and go: when it rings, it is seen whether what is awaited now is due, and if not, it is set anew.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use hyper::rt::{Sleep, Timer};
use parking_lot::Mutex;
use tokio::time;

/// The timer of one connection, which awaits one thing at a time.
#[derive(Clone, Default)]
pub(crate) struct ConnectionTimer(Arc<Mutex<Option<Bell>>>);

/// What is set in the runtime, and whom it wakes when it rings.
struct Bell {
    sleep: Pin<Box<time::Sleep>>,
    wakes: Option<Waker>,
}

struct Until {
    deadline: time::Instant,
    timer: ConnectionTimer,
}

impl Timer for ConnectionTimer {
    fn sleep(&self, duration: Duration) -> Pin<Box<dyn Sleep>> {
        self.sleep_until(self.now() + duration)
    }

    fn sleep_until(&self, deadline: Instant) -> Pin<Box<dyn Sleep>> {
        Box::pin(Until { deadline: deadline.into(), timer: self.clone() })
    }

    fn now(&self) -> Instant {
        time::Instant::now().into()
    }
}

impl Sleep for Until {}

impl Future for Until {
    type Output = ();

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let mut set = self.timer.0.lock();
        let Bell { sleep, wakes } = set.get_or_insert_with(|| Bell {
            sleep: Box::pin(time::sleep_until(self.deadline)),
            wakes: None,
        });
        if sleep.deadline() > self.deadline {
            *wakes = None;
            sleep.as_mut().reset(self.deadline);
        }
        let is_told = wakes.as_ref().is_some_and(|waker| waker.will_wake(context.waker()));
        if is_told && !sleep.is_elapsed() {
            return Poll::Pending;
        }
        loop {
            if sleep.as_mut().poll(context).is_pending() {
                *wakes = Some(context.waker().clone());
                return Poll::Pending;
            }
            if sleep.deadline() >= self.deadline {
                return Poll::Ready(());
            }
            *wakes = None;
            sleep.as_mut().reset(self.deadline);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn each_sleep_ends_when_it_is_due() {
        let timer = ConnectionTimer::default();
        let begun = time::Instant::now();
        let mut first = timer.sleep(Duration::from_secs(30));
        tokio::select! {
            () = &mut first => panic!("it is not due"),
            () = time::sleep(Duration::from_secs(20)) => {}
        }
        drop(first);
        timer.sleep(Duration::from_secs(30)).await;
        assert_eq!(begun.elapsed().as_secs(), 50);
        timer.sleep(Duration::from_secs(100)).await;
        assert_eq!(begun.elapsed().as_secs(), 150);
        let mut long = timer.sleep(Duration::from_secs(100));
        tokio::select! {
            () = &mut long => panic!("it is not due"),
            () = time::sleep(Duration::from_secs(1)) => {}
        }
        drop(long);
        timer.sleep(Duration::from_secs(5)).await;
        assert_eq!(begun.elapsed().as_secs(), 156);
    }
}
