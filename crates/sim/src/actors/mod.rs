//! The clients of the simulated cloud. Each has a model of what it was promised, and holds the cloud to it.

mod alarms;
mod copies;
mod events;
mod expiring;
mod fading;
mod items;
mod jobs;
mod objects;
mod orders;
mod queue;
mod records;
mod rules;
mod sessions;
mod tables;
mod topics;
mod transfers;

use futures_util::future::LocalBoxFuture;

use crate::chance::Chance;
use crate::life::{Broken, Life};

pub(crate) type Acted<'a> = LocalBoxFuture<'a, Result<(), Broken>>;

/// A client. Its model outlives the lives of the cloud; a step may be dropped anywhere when a life ends.
pub(crate) trait Actor {
    /// Makes what it needs, in a life without faults.
    fn prepare<'a>(&'a mut self, life: &'a Life) -> Acted<'a>;

    /// Does one thing that a client would do.
    fn step<'a>(&'a mut self, life: &'a Life) -> Acted<'a>;

    /// Finds out, in a life without faults, whether all promises were kept.
    fn settle<'a>(&'a mut self, life: &'a Life) -> Acted<'a>;

    /// Looks once more, after another start.
    fn look<'a>(&'a mut self, _: &'a Life) -> Acted<'a> {
        Box::pin(async { Ok(()) })
    }

    /// Removes all whose bytes lie beside the rows.
    fn clear<'a>(&'a mut self, _: &'a Life) -> Acted<'a> {
        Box::pin(async { Ok(()) })
    }
}

/// Everybody who takes part.
pub(crate) fn all(chance: &mut Chance) -> Vec<Box<dyn Actor>> {
    let mut actors: Vec<Box<dyn Actor>> = Vec::new();
    for number in 0..2 {
        actors.push(Box::new(items::Items::new(number, chance.fork())));
        actors.push(Box::new(objects::Objects::new(number, chance.fork())));
        actors.push(Box::new(transfers::Transfers::new(number, chance.fork())));
    }
    actors.push(Box::new(sessions::Sessions::new(chance.fork())));
    actors.push(Box::new(fading::Fading::new(chance.fork())));
    actors.push(Box::new(records::Records::new(chance.fork())));
    actors.push(Box::new(expiring::Expiring::new(chance.fork())));
    actors.push(Box::new(copies::Copies::new(chance.fork())));
    actors.extend(queue::all(chance));
    actors.extend(orders::all(chance));
    actors.extend(topics::all(chance));
    actors.extend(events::all(chance));
    actors.extend(rules::all(chance));
    actors.push(Box::new(alarms::Alarms::new(chance.fork())));
    actors.push(Box::new(jobs::Jobs::new(chance.fork())));
    actors.extend(tables::all(chance));
    actors
}

/// Has somebody read what comes, once a minute, until nothing has come for half an hour: longer than the longest pause between
/// two tries of a delivery.
pub(crate) async fn until_quiet(
    life: &Life,
    mut read: impl AsyncFnMut() -> Result<usize, Broken>,
) -> Result<(), Broken> {
    let mut quiet = 0;
    while quiet < 30 {
        quiet = if read().await? == 0 { quiet + 1 } else { 0 };
        life.sleep(60_000).await;
    }
    Ok(())
}

/// What a thing may be, given what was answered so far: the last value that is certain, then those whose writing has
/// begun since, in order.
pub(crate) struct Possible<T> {
    pub(crate) values: Vec<T>,
}

impl<T: PartialEq + Clone + std::fmt::Debug> Possible<T> {
    pub(crate) fn new(value: T) -> Possible<T> {
        Possible { values: vec![value] }
    }

    /// A write begins.
    pub(crate) fn begin(&mut self, value: T) {
        self.values.push(value);
    }

    /// The write that began last is acknowledged.
    pub(crate) fn settle(&mut self) {
        self.values.drain(..self.values.len() - 1);
    }

    /// The write that began last was refused.
    pub(crate) fn refuse(&mut self) {
        self.values.pop();
    }

    /// Somebody saw this. What was written before it cannot come back; what was written after it still may come.
    pub(crate) fn see(&mut self, seen: &T, what: &str) -> Result<(), Broken> {
        match self.values.iter().position(|value| value == seen) {
            Some(position) => {
                self.values.drain(..position);
                Ok(())
            }
            None => Err(Broken(format!("{what} is {seen:?}, but can only be {:?}", self.values))),
        }
    }

    /// Whether it may be this.
    pub(crate) fn may_be(&self, value: &T) -> bool {
        self.values.contains(value)
    }
}
