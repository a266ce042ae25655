//! The parts of the measurement.

use std::time::{Duration, Instant};

use anyhow::ensure;

use super::data::{self, FEW, TEN, scattered};
use super::{Scale, drive};
use crate::replay::{self, Bytes, Connection};

/// How long the server may work after the last answer.
pub(super) const PATIENCE: Duration = Duration::from_secs(30);
/// How many different requests a run goes through.
const SPREAD: u64 = 100_000;

impl Scale<'_> {
    pub(super) async fn fill(&mut self) -> anyhow::Result<()> {
        let authority = self.authority.to_owned();
        let mut connection = Connection::open(&authority).await?;
        for table in [data::SMALL, data::LARGE] {
            connection.exchange(&data::create_table(&authority, table)).await?;
        }
        for queue in [data::SHORT, data::LONG, data::CHURN] {
            connection.exchange(&data::create_queue(&authority, queue)).await?;
        }
        let begun = Instant::now();
        let before = self.server.cpu_seconds().unwrap_or_default();
        self.fill_table(data::SMALL, FEW).await?;
        self.fill_table(data::LARGE, self.options.items).await?;
        let took = begun.elapsed().as_secs_f64();
        self.say("fill: items a second", self.options.items as f64 / took, "/s");
        let begun = Instant::now();
        self.fill_queue(data::SHORT, TEN).await?;
        self.fill_queue(data::LONG, self.options.messages).await?;
        let took = begun.elapsed().as_secs_f64();
        self.say("fill: messages a second", self.options.messages as f64 / took, "/s");
        let cpu = self.server.rest(PATIENCE).await - before;
        self.say("fill: CPU time of the server", cpu, "s");
        Ok(())
    }

    async fn fill_table(&self, table: &'static str, items: u64) -> anyhow::Result<()> {
        let host = self.authority.to_owned();
        let make = move |first| data::put_batch(&host, table, first, items);
        drive::send_all(self.authority, drive::steps(items, 25, make)).await
    }

    async fn fill_queue(&self, queue: &'static str, messages: u64) -> anyhow::Result<()> {
        let host = self.authority.to_owned();
        let make = move |first| data::send_batch(&host, queue, first, messages);
        drive::send_all(self.authority, drive::steps(messages, 10, make)).await
    }

    async fn cost(&mut self, what: &str, requests: &[Bytes]) -> anyhow::Result<f64> {
        self.cost_to(drive::CLIENTS, what, requests).await
    }

    /// Has so many clients replay the requests and returns the microseconds of CPU that each cost, with the work that it
    /// left behind.
    pub(super) async fn cost_to(
        &mut self,
        clients: usize,
        what: &str,
        requests: &[Bytes],
    ) -> anyhow::Result<f64> {
        let span = Duration::from_secs(self.seconds);
        let before = self.server.rest(PATIENCE).await;
        let run = replay::run(self.authority, requests, clients, span).await?;
        ensure!(run.errors == 0, "{} of {} requests failed", run.errors, run.done);
        let cost = (self.server.rest(PATIENCE).await - before) * 1e6 / run.done as f64;
        let rate = run.done as f64 / run.took.as_secs_f64();
        self.say(&format!("{what}: requests a second"), rate, "/s");
        self.say(&format!("{what}: median"), f64::from(run.percentile(50)) / 1000.0, "ms");
        self.say(&format!("{what}: 99 % below"), f64::from(run.percentile(99)) / 1000.0, "ms");
        self.say(&format!("{what}: 99.9 % below"), f64::from(run.permille(999)) / 1000.0, "ms");
        self.say(&format!("{what}: slowest"), f64::from(run.permille(1000)) / 1000.0, "ms");
        self.say(&format!("{what}: CPU for each"), cost, "µs");
        Ok(cost)
    }

    fn scattered(&self, count: u64, below: u64, make: impl Fn(&str, u64) -> Bytes) -> Vec<Bytes> {
        (0..count).map(|n| make(self.authority, scattered(n) % below)).collect()
    }

    pub(super) async fn items(&mut self) -> anyhow::Result<()> {
        let all = self.options.items;
        let put = |table: &'static str| move |host: &str, n| data::put(host, table, n);
        let get = |table: &'static str| move |host: &str, n| data::get(host, table, n);
        let few = self.scattered(SPREAD, FEW, put(data::SMALL));
        let small = self.cost("PutItem, 1,000 items", &few).await?;
        let many = self.scattered(SPREAD, all, put(data::LARGE));
        let large = self.cost(&format!("PutItem, {all} items"), &many).await?;
        self.say("PutItem: ratio of the costs (wanted: at most 1.5)", large / small, "");
        let few = self.scattered(SPREAD, FEW, get(data::SMALL));
        let small = self.cost("GetItem, 1,000 items", &few).await?;
        let many = self.scattered(SPREAD, all, get(data::LARGE));
        let large = self.cost(&format!("GetItem, {all} items"), &many).await?;
        self.say("GetItem: ratio of the costs", large / small, "");
        Ok(())
    }

    pub(super) async fn queue(&mut self) -> anyhow::Result<()> {
        // Messages come back at once, so that the backlog stays as it is.
        let receive = |queue| [data::receive(self.authority, queue, 1, 0)];
        let (short, long) = (receive(data::SHORT), receive(data::LONG));
        let ten = self.cost("ReceiveMessage, backlog of 10", &short).await?;
        let messages = self.options.messages;
        let many = self.cost(&format!("ReceiveMessage, backlog of {messages}"), &long).await?;
        self.say("ReceiveMessage: ratio of the costs (wanted: at most 1.5)", many / ten, "");
        let hidden = [data::receive(self.authority, data::LONG, 1, 600)];
        let hiding = self.cost(&format!("ReceiveMessage, hiding, of {messages}"), &hidden).await?;
        self.say("ReceiveMessage, hiding: ratio of the costs", hiding / ten, "");
        let (short, long) =
            ([data::send(self.authority, data::CHURN)], [data::send(self.authority, data::LONG)]);
        let ten = self.cost("SendMessage, short queue", &short).await?;
        let many = self.cost(&format!("SendMessage, to {messages}"), &long).await?;
        self.say("SendMessage: ratio of the costs", many / ten, "");
        let count = [data::count(self.authority, data::LONG)];
        self.cost(&format!("GetQueueAttributes, of {messages}, many in flight"), &count).await?;
        Ok(())
    }

    pub(super) async fn churn(&mut self) -> anyhow::Result<()> {
        let passing = self.options.passing;
        let first = self.pass("first", passing / 10).await?;
        self.pass("all but the last", passing * 8 / 10).await?;
        let last = self.pass("last", passing / 10).await?;
        self.say("Send, receive, delete: ratio of the last to the first", last / first, "");
        self.start_again(true).await?;
        let after = self.pass("first after a restart", passing / 10).await?;
        self.say("Send, receive, delete: ratio after a restart", after / first, "");
        Ok(())
    }

    async fn pass(&mut self, what: &str, messages: u64) -> anyhow::Result<f64> {
        let before = self.server.rest(PATIENCE).await;
        let begun = Instant::now();
        let done = drive::pass(self.authority, data::CHURN, messages).await?;
        let took = begun.elapsed().as_secs_f64();
        let cost = (self.server.rest(PATIENCE).await - before) * 1e6 / done.max(1) as f64;
        self.say(&format!("{what} {messages} messages: a second"), done as f64 / took, "/s");
        self.say(&format!("{what} {messages} messages: CPU for each"), cost, "µs");
        Ok(cost)
    }

    pub(super) async fn restart(&mut self) -> anyhow::Result<()> {
        self.server.rest(PATIENCE).await;
        let took = self.start_again(true).await?;
        self.say("start after a clean stop (wanted: below 1 s)", took.as_secs_f64(), "s");
        for _ in 0..3 {
            let puts = self
                .scattered(SPREAD, self.options.items, |host, n| data::put(host, data::LARGE, n));
            // Long enough for several memtables; what the clients then meet is no error of the measurement.
            let span = Duration::from_secs(self.seconds + 5);
            let run = replay::run(self.authority, &puts, drive::CLIENTS, span);
            let kill = tokio::time::sleep(Duration::from_secs(self.seconds));
            tokio::select! {
                ended = run => drop(ended),
                () = kill => {}
            }
            let took = self.start_again(false).await?;
            self.say("start after kill -9 under load (wanted: below 1 s)", took.as_secs_f64(), "s");
        }
        Ok(())
    }

    pub(super) async fn delete(&mut self) -> anyhow::Result<()> {
        let authority = self.authority.to_owned();
        let create = data::create_table(&authority, data::DELETED);
        Connection::open(&authority).await?.exchange(&create).await?;
        self.fill_table(data::DELETED, self.options.passing).await?;
        self.server.rest(PATIENCE).await;
        let puts = self.scattered(SPREAD, FEW, |host, n| data::put(host, data::SMALL, n));
        self.beside("PutItem", "nothing", &puts).await?;
        let victims = [
            ("DeleteTable", data::delete_table(&authority, data::DELETED)),
            ("PurgeQueue", data::purge_queue(&authority, data::LONG)),
        ];
        for (name, request) in victims {
            // One that has rested for long is closed.
            let mut connection = Connection::open(&authority).await?;
            let begun = Instant::now();
            let status = connection.exchange(&request).await?;
            ensure!(status == 200, "{name} answered {status}");
            self.say(
                &format!("{name}: time of the call"),
                begun.elapsed().as_secs_f64() * 1e3,
                "ms",
            );
            self.beside("PutItem", name, &puts).await?;
            let begun = Instant::now();
            self.server.rest(Duration::from_secs(120)).await;
            self.say(&format!("{name}: rests after"), begun.elapsed().as_secs_f64(), "s");
        }
        Ok(())
    }

    /// The latency of four clients' requests while something else goes on.
    pub(super) async fn beside(
        &mut self,
        operation: &str,
        what: &str,
        requests: &[Bytes],
    ) -> anyhow::Result<()> {
        let span = Duration::from_secs(self.seconds);
        let run = replay::run(self.authority, requests, 4, span).await?;
        ensure!(run.errors == 0, "{} of {} requests failed", run.errors, run.done);
        let rate = run.done as f64 / run.took.as_secs_f64();
        self.say(&format!("{operation} beside {what}: requests a second"), rate, "/s");
        for (name, part) in [("median", 500), ("99 % below", 990), ("slowest", 1000)] {
            let millis = f64::from(run.permille(part)) / 1000.0;
            self.say(&format!("{operation} beside {what}: {name}"), millis, "ms");
        }
        Ok(())
    }
}
