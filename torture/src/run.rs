//! The cycles: start, check what the last cycle left, load, fault, kill.

use std::collections::BTreeMap;
use std::fs;
use std::net::TcpListener;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};
use bytes::Bytes;
use http::Method;

use crate::client::{Client, Outcome};
use crate::faults::Preload;
use crate::lanes::{Failures, objects};
use crate::orphans;
use crate::plan::{Arming, Fault, Plan};
use crate::power::{self, Cut};
use crate::server::{Launch, RESERVE_MIB, Server, Started};
use crate::world::{Acknowledged, Depth, World};

/// What to do, and to whom.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The program.
    pub binary: PathBuf,
    /// A folder for all files of the run, made if needed.
    pub scratch: PathBuf,
    /// The first cycle, which starts upon an empty directory.
    pub first: u64,
    /// How many cycles.
    pub cycles: u64,
    /// Decides operations and faults.
    pub seed: u64,
    /// What happens; each cycle has one of them.
    pub faults: Vec<Fault>,
    /// `fsync` or `buffered`.
    pub durability: String,
    /// After so many cycles the directory and the model are thrown away.
    pub round: u64,
    /// The queues are emptied in every so many-th cycle.
    pub drain_every: u64,
    /// A snapshot is saved, or gone back to, in every so many-th cycle; 0: never.
    pub travel_every: u64,
    /// All marks of functions must be there in every so many-th cycle; 0: no functions run.
    pub functions_every: u64,
    /// At the end of each round all objects are removed, and no file of a body may be left.
    pub counts_orphans: bool,
    /// Says what happens on stderr.
    pub is_loud: bool,
}

/// What came of it.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// Cycles by fault.
    pub cycles: BTreeMap<Fault, u64>,
    /// Kills, those during starts too.
    pub kills: u64,
    /// Kills that an operation of the disk set off.
    pub kills_at_points: u64,
    /// Power cuts.
    pub cuts: u64,
    /// What the cuts took away.
    pub cut: Cut,
    /// Faults of the disk, other than kills, that the cloud met.
    pub met: u64,
    /// How many times a snapshot was gone back to.
    pub returns: u64,
    /// What was acknowledged.
    pub acknowledged: Acknowledged,
    /// What went wrong, with the cycle before whose load it was found.
    pub failures: Vec<String>,
}

/// Less than what the cloud is told to keep in reserve, and more than half of it.
const LOW_BYTES: u64 = (RESERVE_MIB << 20) / 4 * 3;

pub(crate) struct Run<'a> {
    settings: &'a Settings,
    launch: Launch,
    pub(crate) preload: Preload,
    pub(crate) report: Report,
    failures: Failures,
    sweep: u64,
    /// The world of which there is a snapshot.
    pub(crate) past: Option<World>,
}

/// Runs the cycles and stops at the first that finds a failure; its directory stays.
pub async fn run(settings: &Settings) -> anyhow::Result<Report> {
    ensure!(!settings.faults.is_empty(), "no faults were chosen");
    fs::create_dir_all(&settings.scratch)?;
    let scratch = settings.scratch.canonicalize()?;
    let data = scratch.join("data");
    let preload = Preload::build(&scratch)?;
    let free = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
    let launch = Launch {
        binary: settings.binary.clone(),
        data,
        durability: settings.durability.clone(),
        listen: free.to_string(),
        log: scratch.join("log"),
    };
    let (report, failures) = Default::default();
    let mut run = Run { settings, launch, preload, report, failures, sweep: 0, past: None };
    let mut world = run.new_world()?;
    // One start more than cycles: the last one looks at what the last cycle left.
    for cycle in settings.first..=settings.first + settings.cycles {
        let is_last = cycle == settings.first + settings.cycles;
        let is_new = cycle == settings.first || (cycle.is_multiple_of(settings.round) && !is_last);
        let next = run.cycle(world, cycle, is_new, is_last).await;
        let found = run.failures.take();
        run.report.failures.extend(found.into_iter().map(|text| format!("cycle {cycle}: {text}")));
        match next {
            Ok(after) => world = after,
            Err(error) => {
                run.report.failures.push(format!("cycle {cycle}: {error:#}"));
                break;
            }
        }
        if !run.report.failures.is_empty() {
            break;
        }
    }
    if run.report.failures.is_empty() {
        fs::remove_dir_all(&run.launch.data).context("removing the data directory")?;
    }
    Ok(run.report)
}

impl Run<'_> {
    fn say(&self, text: impl FnOnce() -> String) {
        if self.settings.is_loud {
            eprintln!("{}", text());
        }
    }

    fn new_world(&mut self) -> anyhow::Result<World> {
        self.past = None;
        let data = &self.launch.data;
        if data.exists() {
            fs::remove_dir_all(data).context("removing the data directory")?;
        }
        // The library knows the directory by its path and device.
        fs::create_dir_all(data)?;
        Ok(World::new(self.settings.functions_every > 0))
    }

    async fn cycle(
        &mut self,
        mut world: World,
        cycle: u64,
        is_new: bool,
        is_last: bool,
    ) -> anyhow::Result<World> {
        let plan = Plan::new(self.settings.seed, cycle, &self.settings.faults, self.sweep);
        if is_new && cycle != self.settings.first {
            // The last look at what the last cycle of the round left.
            let server = self.start_whole()?;
            let depth = Depth { drain: true, marks: true };
            self.check(&mut world, &server.client(), depth).await?;
            self.finish(server, &world).await?;
            world = self.new_world()?;
        }
        self.preload.reset()?;
        let mut server = if is_last { self.start_whole()? } else { self.start(&plan)? };
        let client = server.client();
        let begun = Instant::now();
        if is_new {
            world.set_up(&client).await.context("making what the load needs")?;
        } else {
            let every = |n: u64| n > 0 && cycle.is_multiple_of(n);
            let travels = !is_last && every(self.settings.travel_every);
            let drain = is_last || travels || every(self.settings.drain_every);
            let marks = is_last || travels || every(self.settings.functions_every);
            self.check(&mut world, &client, Depth { drain, marks }).await?;
            if travels {
                (world, server) = self.travel(world, server, &plan).await?;
            }
        }
        let checked = begun.elapsed();
        if is_last {
            self.finish(server, &world).await?;
            return Ok(world);
        }
        let world = self.load(world, server, plan.clone(), cycle).await?;
        *self.report.cycles.entry(plan.fault).or_default() += 1;
        self.say(|| {
            let (fault, at_start) = (plan.fault.name(), plan.at_start.is_some());
            format!("cycle {cycle}: {fault}, at start: {at_start}, checked in {checked:?}")
        });
        Ok(world)
    }

    pub(crate) async fn check(
        &self,
        world: &mut World,
        client: &Client,
        depth: Depth,
    ) -> anyhow::Result<()> {
        world.check(client, depth, &self.failures).await;
        ensure!(self.failures.is_empty(), "the check failed");
        Ok(())
    }

    /// The end of a round.
    async fn finish(&mut self, server: Server, world: &World) -> anyhow::Result<()> {
        if self.settings.counts_orphans {
            orphans::count(&server.client(), &self.launch.data).await?;
        }
        self.end(server.stop()?.1)?;
        self.count(world);
        Ok(())
    }

    fn count(&mut self, world: &World) {
        let (all, more) = (&mut self.report.acknowledged, world.acknowledged());
        all.s3 += more.s3;
        all.dynamodb += more.dynamodb;
        all.sqs += more.sqs;
        all.events += more.events;
        all.snapshots += more.snapshots;
    }

    /// Counts a kill at an operation of the disk, and looks at what was said before it.
    pub(crate) fn count_kill(&mut self, lines: Vec<String>) -> anyhow::Result<()> {
        self.report.kills += 1;
        self.report.kills_at_points += 1;
        self.end(lines)
    }

    /// Starts it upon a whole disk.
    pub(crate) fn start_whole(&self) -> anyhow::Result<Server> {
        match self.launch.start(None)? {
            Started::Ready(server) => Ok(server),
            Started::Ended(status, lines) => {
                bail!("it does not start, {status}:\n{}", lines.join("\n"))
            }
        }
    }

    /// Starts it as planned; where it is killed on the way, again.
    fn start(&mut self, plan: &Plan) -> anyhow::Result<Server> {
        let faults = plan.needs_preload().then_some((&self.preload, plan.needs_log()));
        if let Some(Arming { action, kinds, skip, errno }) = plan.at_start {
            self.preload.arm(action, kinds, skip, errno)?;
        }
        match self.launch.start(faults)? {
            Started::Ready(server) => {
                if plan.at_start.is_some() {
                    // The sweep has come to the end of what a start does.
                    self.preload.disarm()?;
                    self.sweep = 0;
                    if self.preload.has_fired()? {
                        // It was killed by what goes on right after a start.
                        server.kill()?;
                        self.report.kills += 1;
                        self.report.kills_at_points += 1;
                        self.cut(plan)?;
                        return self.start_whole();
                    }
                }
                Ok(server)
            }
            Started::Ended(..) if plan.at_start.is_some() && self.preload.has_fired()? => {
                self.sweep += 1;
                self.report.kills += 1;
                self.report.kills_at_points += 1;
                self.cut(plan)?;
                let faults = plan.needs_preload().then_some((&self.preload, plan.needs_log()));
                match self.launch.start(faults)? {
                    Started::Ready(server) => Ok(server),
                    Started::Ended(status, lines) => bail!(
                        "it does not start after a kill at its start ({:?}), {status}:\n{}",
                        plan.at_start,
                        lines.join("\n")
                    ),
                }
            }
            Started::Ended(status, lines) => {
                bail!("it does not start, {status}:\n{}", lines.join("\n"))
            }
        }
    }

    /// Takes away what a power cut may take, and makes the disk whole.
    pub(crate) fn cut(&mut self, plan: &Plan) -> anyhow::Result<()> {
        if let Some(loss) = plan.loss {
            let (log, grave) = (self.preload.log(), self.preload.grave());
            let mut random = plan.random.clone();
            let cut = power::cut(&self.launch.data, log, grave, loss, &mut random)?;
            self.report.cuts += 1;
            self.report.cut.files += cut.files;
            self.report.cut.blocks += cut.blocks;
            self.report.cut.names += cut.names;
        }
        self.preload.reset()
    }

    async fn load(
        &mut self,
        world: World,
        mut server: Server,
        plan: Plan,
        cycle: u64,
    ) -> anyhow::Result<World> {
        let client = server.client();
        let load = world.drive(&client, self.settings.seed, cycle, &self.failures);
        tokio::time::sleep(plan.before).await;
        if let Some(Arming { action, kinds, skip, errno }) = plan.under_load {
            self.preload.arm(action, kinds, skip, errno)?;
        }
        if plan.fault == Fault::Low {
            self.run_low(&client).await?;
        }
        let begun = Instant::now();
        let mut ended = false;
        while begun.elapsed() < plan.after && !ended {
            tokio::time::sleep(Duration::from_millis(5)).await;
            ended = server.has_ended()?;
        }
        let fired = self.preload.has_fired()?;
        let kills = matches!(plan.fault, Fault::Point | Fault::Power);
        self.report.met += u64::from(fired && !kills);
        self.report.kills_at_points += u64::from(fired && kills);
        if plan.fault == Fault::Full && !ended {
            // Space is back: the cloud may take writes again, or refuse them until it is restarted.
            self.preload.disarm()?;
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        let lines = server.kill()?;
        self.report.kills += 1;
        let world = load.end().await?;
        self.end(lines)?;
        self.cut(&plan)?;
        Ok(world)
    }

    /// Little space: new things are refused, old ones can be read and removed; then all is well without a restart.
    async fn run_low(&self, client: &Client) -> anyhow::Result<()> {
        let path = format!("/{}/probe", objects::BUCKET);
        let put = || client.s3(Method::PUT, &path, "", Bytes::from_static(b"probe"));
        put().await.success().context("storing with enough space")?;
        self.preload.set_free_bytes(Some(LOW_BYTES))?;
        let refused = wait_for(async || match put().await {
            Outcome::Failed(answer) => Some(answer),
            _ => None,
        });
        let answer = refused.await.context("it takes writes with little space left")?;
        let text = answer.text();
        ensure!(answer.status == 503, "status {}: {text}", answer.status);
        ensure!(text.contains("ServiceUnavailable") && text.contains("disk"), "{text}");
        let bucket = format!("/{}", objects::BUCKET);
        let list = client.s3(Method::GET, &bucket, "", Bytes::new());
        list.await.success().context("listing with a disk that is nearly full")?;
        let delete = client.s3(Method::DELETE, &path, "", Bytes::new());
        delete.await.success().context("deleting with a disk that is nearly full")?;
        self.preload.set_free_bytes(None)?;
        let taken = wait_for(async || match put().await {
            Outcome::Answered(answer) => Some(answer),
            _ => None,
        });
        taken.await.context("it takes no writes though space is back")?.text();
        Ok(())
    }

    /// Looks at what the cloud said before it ended.
    fn end(&self, lines: Vec<String>) -> anyhow::Result<()> {
        for line in lines.iter().filter(|line| line.contains("panicked")) {
            self.failures.add(format!("a panic: {line}"));
        }
        Ok(())
    }
}

async fn wait_for<T>(mut look: impl AsyncFnMut() -> Option<T>) -> Option<T> {
    for _ in 0..400 {
        if let Some(found) = look().await {
            return Some(found);
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    None
}
