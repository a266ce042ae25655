//! Going back: a snapshot is loaded, or everything is reset, perhaps killed half way, and all must be as it was then.

use anyhow::{Context, ensure};
use bytes::Bytes;
use http::Method;
use rand::Rng;
use serde_json::json;

use crate::client::Client;
use crate::faults::{Action, kinds};
use crate::lanes::snapshots::{LOAD, RESET, SNAPSHOTS};
use crate::plan::{Fault, Plan};
use crate::run::Run;
use crate::server::Server;
use crate::world::{Depth, World};

/// The snapshot that is gone back to.
const NAME: &str = "past";
/// A bucket that is there only in the present.
const PRESENT: &str = "/present";

impl Run<'_> {
    /// Saves what is there, or goes back to what was saved. The world is at rest and was checked.
    pub(crate) async fn travel(
        &mut self,
        world: World,
        server: Server,
        plan: &Plan,
    ) -> anyhow::Result<(World, Server)> {
        let client = server.client();
        let Some(past) = self.past.as_ref().map(World::fork) else {
            client.admin(SNAPSHOTS, &json!({ "name": NAME })).await.success()?;
            self.past = Some(world.fork());
            mark_present(&client).await?;
            return Ok((world, server));
        };
        let mut random = plan.random.clone();
        let resets = random.random_bool(0.3);
        if matches!(plan.fault, Fault::Point | Fault::Power) && random.random_bool(0.7) {
            let actions = [Action::KillBefore, Action::KillAfter, Action::KillHalf];
            let action = actions[random.random_range(0..actions.len())];
            // Small and large numbers alike: an exchange of few rows takes some dozens of operations.
            let most = 1u64 << random.random_range(0..9);
            self.preload.arm(action, kinds::CHANGES, random.random_range(0..most), 0)?;
        }
        let (path, input) =
            if resets { (RESET, json!({})) } else { (LOAD, json!({ "name": NAME })) };
        let outcome = client.admin(path, &input).await.success();
        self.preload.disarm()?;
        let (fired, is_done) = (self.preload.has_fired()?, outcome.is_ok());
        let server = if fired {
            self.count_kill(server.kill()?)?;
            self.cut(plan)?;
            self.start_whole()?
        } else {
            outcome.with_context(|| format!("{path} without a fault"))?;
            server
        };
        let client = server.client();
        if is_present(&client).await? {
            // What was begun did not happen, and nothing of it may show.
            ensure!(!is_done, "{path} was acknowledged and is undone");
            let mut world = world;
            self.check(&mut world, &client, Depth { drain: false, marks: false }).await?;
            return Ok((world, server));
        }
        if resets {
            ensure!(is_empty(&client).await?, "something is there after a reset");
            let load = client.admin(LOAD, &json!({ "name": NAME })).await;
            load.success().context("loading after a reset")?;
        }
        self.report.returns += 1;
        let mut world = world.back_to(past);
        self.check(&mut world, &client, Depth { drain: true, marks: false }).await?;
        mark_present(&client).await?;
        Ok((world, server))
    }
}

async fn mark_present(client: &Client) -> anyhow::Result<()> {
    let made = client.s3(Method::PUT, PRESENT, "", Bytes::new()).await;
    made.success().context("marking the present").map(drop)
}

async fn is_present(client: &Client) -> anyhow::Result<bool> {
    let answer = client.s3(Method::GET, PRESENT, "", Bytes::new()).await.known()?;
    ensure!(matches!(answer.status, 200 | 404), "the present: status {}", answer.status);
    Ok(answer.status == 200)
}

/// Whether there are no buckets, tables and queues.
async fn is_empty(client: &Client) -> anyhow::Result<bool> {
    let buckets = client.s3(Method::GET, "/", "", Bytes::new()).await.success()?.text();
    let tables = client.dynamodb("ListTables", &json!({})).await.success()?.json();
    let queues = client.sqs("ListQueues", &json!({})).await.success()?.json();
    let none = |list: &serde_json::Value| list.as_array().is_none_or(Vec::is_empty);
    Ok(!buckets.contains("<Bucket>") && none(&tables["TableNames"]) && none(&queues["QueueUrls"]))
}
