//! Work beside the call that asks for it.

use crate::{Cloud, Fault};
use tokio::task::JoinHandle;

impl Cloud {
    /// Starts work that goes on by itself. What must survive a crash is a row as well.
    pub fn spawn<T: Send + 'static>(
        &self,
        work: impl Future<Output = T> + Send + 'static,
    ) -> JoinHandle<T> {
        self.spawner().spawn(work)
    }

    /// Does what takes long or blocks where it keeps nobody else waiting; in a simulation, which has one thread, at once.
    pub async fn work<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Fault> {
        if self.clock().is_simulated() {
            return Ok(work());
        }
        self.spawner().spawn_blocking(work).await.map_err(Fault::internal)
    }
}
