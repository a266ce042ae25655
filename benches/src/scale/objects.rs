//! The parts about buckets of many objects.

use std::time::{Duration, Instant};

use anyhow::ensure;

use super::bucket::{self, EXPIRING, LARGE, PAGE, SMALL, STAYING, VERSIONED};
use super::data::scattered;
use super::parts::PATIENCE;
use super::{Scale, drive};
use crate::replay::{Bytes, Connection};
use crate::workload::own;

/// How many clients list: what they wait for is to be the listing more than each other.
const LISTERS: usize = 4;
/// How long a sweep may take.
const SWEEP_PATIENCE: Duration = Duration::from_secs(1800);

impl Scale<'_> {
    pub(super) async fn objects(&mut self) -> anyhow::Result<()> {
        let (host, objects) = (self.authority.to_owned(), self.options.objects);
        let mut connection = Connection::open(&host).await?;
        for name in [SMALL, LARGE, VERSIONED] {
            connection.exchange(&bucket::create(&host, name)).await?;
        }
        connection.exchange(&bucket::keep_versions(&host, VERSIONED)).await?;
        self.fill_bucket(SMALL, PAGE, bucket::small_key).await?;
        let begun = Instant::now();
        let before = self.server.rest(PATIENCE).await;
        self.fill_bucket(LARGE, objects, move |n| bucket::key(n, objects)).await?;
        let took = begun.elapsed().as_secs_f64();
        self.say("objects: written a second", objects as f64 / took, "/s");
        let cpu = self.server.rest(PATIENCE).await - before;
        self.say("objects: CPU for each", cpu * 1e6 / objects as f64, "µs");
        let versions = objects / 4;
        self.fill_bucket(VERSIONED, versions, |n| bucket::small_key(n % PAGE)).await?;
        self.server.rest(PATIENCE).await;
        Ok(())
    }

    async fn fill_bucket(
        &self,
        name: &'static str,
        objects: u64,
        key: impl Fn(u64) -> String + 'static,
    ) -> anyhow::Result<()> {
        let host = self.authority.to_owned();
        let make = move |n| bucket::put(&host, name, &key(n));
        drive::send_all(self.authority, drive::steps(objects, 1, make)).await
    }

    pub(super) async fn listing(&mut self) -> anyhow::Result<()> {
        let (host, objects) = (self.authority, self.options.objects);
        let list = |name, query: &str| [bucket::list(host, name, query)];
        let small = self.page("ListObjectsV2, 1,000 objects", &list(SMALL, "")).await?;
        for (place, from) in
            [("start", 0), ("middle", objects / 2), ("end", objects.saturating_sub(PAGE))]
        {
            let query = match from {
                0 => String::new(),
                from => format!("start-after={}", encoded(&bucket::key(from - 1, objects))),
            };
            let what = format!("ListObjectsV2, {objects} objects, {place}");
            let large = self.page(&what, &list(LARGE, &query)).await?;
            self.say(&format!("{what}: ratio of the costs"), large / small, "");
        }
        let folders = format!("prefix={}&delimiter=%2F", encoded(STAYING));
        let small = self.page("folders, one object each", &list(SMALL, &folders)).await?;
        let large = self.page("folders, 1,000 objects each", &list(LARGE, &folders)).await?;
        self.say("folders: ratio of the costs", large / small, "");
        let versions = |name, query: &str| [bucket::list_versions(host, name, query)];
        let small = self.page("versions of 1,000 objects", &versions(SMALL, "")).await?;
        for (place, n) in [("start", 0), ("end", PAGE - 3)] {
            let marker = match n {
                0 => String::new(),
                n => format!("key-marker={}", encoded(&bucket::small_key(n))),
            };
            let what = format!("{} versions of 1,000 objects, {place}", objects / 4);
            let large = self.page(&what, &versions(VERSIONED, &marker)).await?;
            self.say(&format!("{what}: ratio of the costs"), large / small, "");
        }
        let large =
            self.page(&format!("versions of {objects} objects"), &versions(LARGE, "")).await?;
        self.say("versions: ratio of the costs", large / small, "");
        self.points().await
    }

    /// What single objects cost.
    async fn points(&mut self) -> anyhow::Result<()> {
        let (host, objects) = (self.authority.to_owned(), self.options.objects);
        let spread = |key: &dyn Fn(u64) -> Bytes| (0..50_000).map(key).collect::<Vec<_>>();
        let few = spread(&|n| bucket::get(&host, SMALL, &bucket::small_key(scattered(n) % PAGE)));
        let small = self.cost_to(drive::CLIENTS, "GetObject, 1,000 objects", &few).await?;
        let key = |n: u64| bucket::key(scattered(n) % objects, objects);
        let many = spread(&|n| bucket::get(&host, LARGE, &key(n)));
        let large =
            self.cost_to(drive::CLIENTS, &format!("GetObject, {objects} objects"), &many).await?;
        self.say("GetObject: ratio of the costs", large / small, "");
        let few = spread(&|n| bucket::put(&host, SMALL, &bucket::small_key(scattered(n) % PAGE)));
        let small = self.cost_to(drive::CLIENTS, "PutObject, 1,000 objects", &few).await?;
        let many = spread(&|n| bucket::put(&host, LARGE, &key(n)));
        let large =
            self.cost_to(drive::CLIENTS, &format!("PutObject, {objects} objects"), &many).await?;
        self.say("PutObject: ratio of the costs", large / small, "");
        Ok(())
    }

    /// What a page of a listing costs.
    async fn page(&mut self, what: &str, request: &[Bytes]) -> anyhow::Result<f64> {
        self.cost_to(LISTERS, what, request).await
    }

    pub(super) async fn sweep(&mut self) -> anyhow::Result<()> {
        let (host, objects) = (self.authority.to_owned(), self.options.objects);
        let gets: Vec<Bytes> =
            (0..PAGE).map(|n| bucket::get(&host, SMALL, &bucket::small_key(n))).collect();
        let puts: Vec<Bytes> =
            (0..PAGE).map(|n| bucket::put(&host, SMALL, &bucket::small_key(n))).collect();
        self.server.rest(PATIENCE).await;
        self.beside("GetObject", "nothing", &gets).await?;
        self.beside("PutObject", "nothing", &puts).await?;
        let mut connection = Connection::open(&host).await?;
        let status = connection.exchange(&bucket::expire(&host, LARGE, EXPIRING)).await?;
        ensure!(status == 200, "PutBucketLifecycleConfiguration answered {status}");
        let before = self.server.rest(PATIENCE).await;
        // The connection may have rested for too long.
        let mut connection = Connection::open(&host).await?;
        let begun = Instant::now();
        let advance = own(&host, "/_fogbank/clock", r#"{"advance":"2d"}"#);
        let (status, answer) = connection.exchange_for_body(&advance).await?;
        ensure!(status == 200, "the clock: {}", String::from_utf8_lossy(&answer));
        self.beside("GetObject", "the sweep", &gets).await?;
        self.beside("PutObject", "the sweep", &puts).await?;
        let last = bucket::key(objects / 2 - 1, objects);
        let mut connection = Connection::open(&host).await?;
        let mut is_there = connection.exchange(&bucket::get(&host, LARGE, &last)).await? == 200;
        self.say("sweep: over while others were served", f64::from(u8::from(!is_there)), "");
        while is_there {
            ensure!(begun.elapsed() < SWEEP_PATIENCE, "the sweep does not end");
            tokio::time::sleep(Duration::from_millis(50)).await;
            is_there = connection.exchange(&bucket::get(&host, LARGE, &last)).await? == 200;
        }
        let took = begun.elapsed().as_secs_f64();
        self.say(&format!("sweep of {} objects: time", objects / 2), took, "s");
        let cpu = self.server.rest(PATIENCE).await - before;
        self.say("sweep: CPU time of the server, with what was served", cpu, "s");
        for (n, is_there) in [(0, false), (objects / 2 - 1, false), (objects / 2, true)] {
            let get = bucket::get(&host, LARGE, &bucket::key(n, objects));
            let status = connection.exchange(&get).await?;
            ensure!((status == 200) == is_there, "object {n} answers {status}");
        }
        let list = [bucket::list(&host, LARGE, "")];
        self.page("ListObjectsV2, first page behind what expired", &list).await?;
        Ok(())
    }

    /// Lists the first page and removes it until nothing is left, as simple programs do: each listing begins where all
    /// that was removed lay.
    pub(super) async fn removal(&mut self) -> anyhow::Result<()> {
        let host = self.authority.to_owned();
        let mut connection = Connection::open(&host).await?;
        let list = bucket::list(&host, LARGE, "");
        let (mut listed, mut removed) = (Vec::new(), Vec::new());
        let (mut count, begun) = (0, Instant::now());
        let before = self.server.cpu_seconds().unwrap_or_default();
        loop {
            let asked = Instant::now();
            let (status, answer) = connection.exchange_for_body(&list).await?;
            ensure!(status == 200, "ListObjectsV2 answered {status}");
            listed.push(asked.elapsed().as_secs_f64() * 1e3);
            let keys = bucket::texts(&answer, "Key");
            if keys.is_empty() {
                break;
            }
            let request = bucket::delete_objects(&host, LARGE, &keys);
            let asked = Instant::now();
            let (status, answer) = connection.exchange_for_body(&request).await?;
            let is_done = status == 200 && !answer.windows(7).any(|part| part == b"<Error>");
            ensure!(is_done, "DeleteObjects: {}", String::from_utf8_lossy(&answer));
            removed.push(asked.elapsed().as_secs_f64() * 1e3);
            count += keys.len();
        }
        let took = begun.elapsed().as_secs_f64();
        self.say(&format!("removal of {count} objects: a second"), count as f64 / took, "/s");
        for (what, millis) in [("ListObjectsV2", &listed), ("DeleteObjects", &removed)] {
            let tenth = millis.len().div_ceil(10);
            let mean = |part: &[f64]| part.iter().sum::<f64>() / part.len().max(1) as f64;
            self.say(&format!("{what}, first tenth: each"), mean(&millis[..tenth]), "ms");
            let last = mean(&millis[millis.len() - tenth..]);
            self.say(&format!("{what}, last tenth: each"), last, "ms");
            let slowest = millis.iter().copied().fold(0.0, f64::max);
            self.say(&format!("{what}: slowest"), slowest, "ms");
        }
        let asked = Instant::now();
        let status = connection.exchange(&bucket::delete(&host, LARGE)).await?;
        ensure!(status == 204, "DeleteBucket answered {status}");
        self.say("DeleteBucket: time", asked.elapsed().as_secs_f64() * 1e3, "ms");
        let cpu = self.server.rest(PATIENCE).await - before;
        self.say("removal: CPU for each object", cpu * 1e6 / count.max(1) as f64, "µs");
        Ok(())
    }
}

/// A key as a query has it.
fn encoded(key: &str) -> String {
    key.replace('/', "%2F")
}
