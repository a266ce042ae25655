//! How much memory the bodies may take together whose senders are not known yet.
//!
//! A body that does not stream is read before its signature is verified, because the signature covers its hash. So
//! whoever reaches the port could fill the memory with bodies that nobody vouches for. Each therefore takes what it
//! announces out of one of two budgets: large bodies that come slowly must not keep small ones waiting.

use std::time::Duration;

use fogbank_core::Fault;
use tokio::sync::{Semaphore, SemaphorePermit};

/// A body of so many bytes or fewer is small.
const SMALL_BYTES: usize = 64 * 1024;
/// What all small bodies may take together, in KiB.
const SMALL_BUDGET_KIB: usize = 32 * 1024;
/// The same for all others: at least two of the largest that there are.
const LARGE_BUDGET_KIB: usize = 160 * 1024;
/// How long a body waits until there is room for it.
const WAIT: Duration = Duration::from_secs(20);

/// The memory that is left.
pub(crate) struct Budget {
    small: Semaphore,
    large: Semaphore,
}

/// A part of the memory that is given back when it is dropped.
pub(crate) type Reserved<'a> = SemaphorePermit<'a>;

impl Budget {
    pub(crate) fn new() -> Budget {
        Budget { small: Semaphore::new(SMALL_BUDGET_KIB), large: Semaphore::new(LARGE_BUDGET_KIB) }
    }

    /// Reserves room for a body of `announced` bytes, if it says, and at most `limit`; nothing for one that is empty.
    pub(crate) async fn reserve(
        &self,
        announced: Option<u64>,
        limit: usize,
    ) -> Result<Option<Reserved<'_>>, Fault> {
        // Who does not announce a length may send as much as is allowed. Who announces more is refused at once.
        let bytes = announced.and_then(|len| usize::try_from(len).ok()).unwrap_or(limit).min(limit);
        if bytes == 0 {
            return Ok(None);
        }
        let budget = if bytes <= SMALL_BYTES { &self.small } else { &self.large };
        let kib = u32::try_from(bytes.div_ceil(1024)).unwrap_or(u32::MAX);
        if let Ok(reserved) = budget.try_acquire_many(kib) {
            return Ok(Some(reserved));
        }
        match tokio::time::timeout(WAIT, budget.acquire_many(kib)).await {
            Ok(Ok(reserved)) => Ok(Some(reserved)),
            _ => Err(Fault::new("ServiceUnavailable", "Please reduce your request rate.")
                .with_status(503)
                .because(
                    "bodies of callers who are not verified yet take all the memory that they may",
                )),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn large_bodies_wait_and_small_ones_go_by() {
        let (budget, limit) = (Budget::new(), 72 * 1024 * 1024);
        let first = budget.reserve(None, limit).await.expect("room for the first");
        let second = budget.reserve(None, limit).await.expect("room for the second");
        let third = budget.reserve(None, limit).await.expect_err("no room for the third");
        assert_eq!((third.name(), third.status()), ("ServiceUnavailable", Some(503)));
        assert!(budget.reserve(Some(1000), limit).await.expect("a small one").is_some());
        assert!(budget.reserve(Some(0), limit).await.expect("nothing").is_none());
        drop(first);
        let third = budget.reserve(None, limit).await.expect("room again");
        drop((second, third));
        assert_eq!(budget.large.available_permits(), LARGE_BUDGET_KIB);
    }

    #[tokio::test(start_paused = true)]
    async fn many_small_bodies_wait_as_well() {
        let budget = Budget::new();
        let mut reserved = Vec::new();
        for _ in 0..SMALL_BUDGET_KIB / 64 {
            reserved
                .push(budget.reserve(Some(SMALL_BYTES as u64), SMALL_BYTES).await.expect("room"));
        }
        assert!(budget.reserve(Some(1), SMALL_BYTES).await.is_err());
        reserved.pop();
        assert!(budget.reserve(Some(1), SMALL_BYTES).await.is_ok());
    }
}
