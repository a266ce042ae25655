//! Tells services that the clock went back.

use std::time::Duration;

use fogbank_core::clock::WENT_BACK;
use fogbank_core::outbox::lanes;
use fogbank_core::{Cloud, Cx, Fault, Service};

/// How long to rest after a failure.
const REST: Duration = Duration::from_secs(1);

/// Tells services for ever; what they were not told when the process ended, they are told at the next start.
pub(crate) async fn run(cloud: Cloud, services: &'static [&'static Service]) {
    loop {
        let woken = cloud.wakes().waiter(WENT_BACK);
        match tell(&cloud, services).await {
            Ok(()) => woken.wait().await,
            Err(fault) => {
                tracing::error!(?fault, "a service does not know that the clock went back");
                cloud.clock().rest(REST).await;
            }
        }
    }
}

async fn tell(cloud: &Cloud, services: &[&Service]) -> Result<(), Fault> {
    let Some(times) = cloud.untold_times()? else { return Ok(()) };
    let cx = Cx::background(cloud.clone(), "core", "time-went-back");
    lanes::time_went_back(&cx).await?;
    for service in services {
        if let Some(tell) = service.time_went_back {
            let cx = Cx::background(cloud.clone(), service.model.name, "time-went-back");
            tell(cx).await?;
        }
    }
    Ok(cloud.told(times).await?)
}
