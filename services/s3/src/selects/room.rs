//! How much memory queries over columns may take together.

use std::time::Duration;

use fogbank_core::Cloud;
use fogbank_select::Error;
use tokio::sync::{Semaphore, SemaphorePermit};

/// How many mebibytes all queries of the process may take.
const ALL_MIB: u32 = 1024;
/// How many mebibytes a query may take: a group of rows is never larger.
const MOST_MIB: u32 = 512;
/// How long a query waits for others to end.
const PATIENCE: Duration = Duration::from_secs(10);

static MIB: Semaphore = Semaphore::const_new(ALL_MIB as usize);

/// The memory that a query may take until it ends.
pub(super) type Room = SemaphorePermit<'static>;

/// Waits until there is so much memory, but not for long.
pub(super) async fn take(cloud: &Cloud, bytes: u64) -> Result<Room, Error> {
    let mib = u32::try_from(bytes >> 20).unwrap_or(u32::MAX).saturating_add(1).min(MOST_MIB);
    let busy = || Error::new("Busy", "The service is unavailable. Try again later.");
    tokio::select! {
        biased;
        room = MIB.acquire_many(mib) => room.map_err(|_| busy()),
        () = cloud.clock().rest(PATIENCE) => Err(busy()),
    }
}
