//! How costs grow with what is stored: the same operations beside little and beside much.
//!
//! The parts run in order on one server that this program starts, on a data directory that stays: `fill` writes the items
//! and messages through the service, the others measure. Costs are CPU time of the server for each request, and include the
//! work in the background that the requests caused: the clock runs until the server rests.

mod bucket;
mod data;
mod drive;
mod large;
mod objects;
mod parts;

use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context;
use clap::{Args, ValueEnum};

use crate::process::Server;
use crate::workload;

/// What `scale` does.
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// The parts, in this order; those of tables and queues if none is named
    #[arg(long, value_delimiter = ',', default_values_t = Part::ROWS)]
    parts: Vec<Part>,
    /// Items of the large table
    #[arg(long, default_value_t = 5_000_000)]
    items: u64,
    /// Messages of the long queue
    #[arg(long, default_value_t = 1_000_000)]
    messages: u64,
    /// Items of the table that is deleted, and messages that go through one queue
    #[arg(long, default_value_t = 1_000_000)]
    passing: u64,
    /// Objects of the large bucket
    #[arg(long, default_value_t = 2_000_000)]
    objects: u64,
    /// Size of the large object, in GiB
    #[arg(long, default_value_t = 20)]
    large_gib: u64,
}

/// A part of the measurement.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Part {
    /// Writes the items and messages
    Fill,
    /// PutItem and GetItem beside a thousand items and beside all
    Items,
    /// ReceiveMessage at a backlog of ten and at a long one
    Queue,
    /// A queue through which many messages have passed, also after a restart
    Churn,
    /// From the start of the program to the first answer
    Restart,
    /// DeleteTable and PurgeQueue of much
    Delete,
    /// Writes the objects
    Objects,
    /// Listings of a bucket of a thousand objects and of all
    Listing,
    /// A lifecycle that expires half of the objects
    Sweep,
    /// Page by page listed and removed by DeleteObjects, then DeleteBucket
    Removal,
    /// An object of many gigabytes, up in parts and down as a whole and in ranges
    Large,
}

impl Part {
    const ROWS: [Part; 6] =
        [Part::Fill, Part::Items, Part::Queue, Part::Churn, Part::Restart, Part::Delete];
}

impl std::fmt::Display for Part {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(&format!("{self:?}").to_lowercase())
    }
}

/// What the parts work with.
struct Scale<'a> {
    authority: &'a str,
    command: &'a str,
    seconds: u64,
    options: &'a Options,
    server: Server,
    json: Vec<serde_json::Value>,
}

/// Runs the parts.
pub(crate) async fn run(
    authority: &str,
    command: &str,
    seconds: u64,
    options: &Options,
    json: Option<&PathBuf>,
) -> anyhow::Result<()> {
    let server = Server::attach(Some(command), None)?;
    workload::wait_until_ready(authority).await?;
    let mut scale = Scale { authority, command, seconds, options, server, json: Vec::new() };
    for part in Part::value_variants().iter().filter(|part| options.parts.contains(part)) {
        scale.server.forget_peak();
        match part {
            Part::Fill => scale.fill().await,
            Part::Items => scale.items().await,
            Part::Queue => scale.queue().await,
            Part::Churn => scale.churn().await,
            Part::Restart => scale.restart().await,
            Part::Delete => scale.delete().await,
            Part::Objects => scale.objects().await,
            Part::Listing => scale.listing().await,
            Part::Sweep => scale.sweep().await,
            Part::Removal => scale.removal().await,
            Part::Large => scale.large().await,
        }
        .with_context(|| format!("the part {part}"))?;
        scale.memory(&part.to_string());
    }
    if let Some(path) = json {
        std::fs::write(path, serde_json::to_string_pretty(&scale.json)?)?;
    }
    scale.server.stop(true)?;
    Ok(())
}

impl Scale<'_> {
    /// Prints a figure and keeps it for the file.
    #[expect(clippy::print_stdout, reason = "the report is the purpose")]
    fn say(&mut self, what: &str, value: f64, unit: &str) {
        let digits = if value < 100.0 { 2 } else { 0 };
        println!("{what:<64} {value:>10.digits$} {unit}");
        self.json.push(serde_json::json!({ "what": what, "value": value, "unit": unit }));
    }

    fn memory(&mut self, part: &str) {
        let peak = self.server.peak_mib().unwrap_or_default();
        let now = self.server.memory_mib().unwrap_or_default();
        self.say(&format!("{part}: memory, most"), peak, "MiB");
        self.say(&format!("{part}: memory, at the end"), now, "MiB");
    }

    /// Stops the server, politely or not, and starts it again; returns the time from the start of the program until it
    /// answers a signed request for an item of the large table.
    async fn start_again(&mut self, politely: bool) -> anyhow::Result<Duration> {
        let nobody = Server::attach(None, None)?;
        std::mem::replace(&mut self.server, nobody).stop(politely)?;
        let begun = std::time::Instant::now();
        self.server = Server::attach(Some(self.command), None)?;
        let request = data::get(self.authority, data::LARGE, 0);
        loop {
            if let Ok(mut connection) = crate::replay::Connection::open(self.authority).await
                && let Ok(200) = connection.exchange(&request).await
            {
                return Ok(begun.elapsed());
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }
}
